import { assertEquals } from "@std/assert";
import { EAGAIN } from "../../../platform/abi/errno.ts";
import {
  ECHO,
  ECHOE,
  ECHOKE,
  ICANON,
  ICRNL,
  IGNCR,
  IUTF8,
  IXANY,
  NOFLSH,
  OCRNL,
  ONOCR,
  OPOST,
  type Termios,
  VEOL,
  XTABS,
} from "../../../platform/abi/termios.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../../../platform/abi/signal.ts";
import { KernelDst } from "../../vfs/kernel_io.ts";
import { type LineDevice, LineDiscipline } from "./line_discipline.ts";
import { readLine, readRaw } from "./reader.ts";

function encode(s: string): Uint8Array {
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}
function decode(b: Uint8Array): string {
  return String.fromCharCode(...b);
}

/** A terminal that shows everything. */
class Terminal implements LineDevice {
  shown = "";
  room = 1 << 20;
  signals: number[] = [];
  wakes = 0;
  flushes = 0;
  readonly discipline = new LineDiscipline(this);

  constructor(change?: (s: Termios) => void) {
    if (change) this.discipline.changeTermios(change);
  }
  outputRoom(): number {
    return this.discipline.stopped ? 0 : this.room;
  }
  emit(byte: number): void {
    this.room--;
    this.shown += String.fromCharCode(byte);
  }
  flushOutput(): void {
    this.flushes++;
  }
  setStopped(): void {}
  signal(signo: number): void {
    this.signals.push(signo);
  }
  wakeReaders(): void {
    this.wakes++;
  }

  type(s: string): number {
    const b = encode(s);
    return this.discipline.receive(b, 0, b.length);
  }
  /** One read(2); its error as a number. */
  read(n = 4096): string | number {
    const dst = new KernelDst(new Uint8Array(n));
    const d = this.discipline;
    if (!d.isCanonical && d.buffered === 0) return -EAGAIN;
    const got = d.isCanonical ? readLine(d, dst) : readRaw(d, dst);
    return got < 0 ? got : decode(dst.buf.subarray(0, got));
  }
  write(s: string): void {
    const b = encode(s);
    this.discipline.output.write(b, 0, b.length);
  }
}

Deno.test("a line can be read once it is complete", () => {
  const t = new Terminal();
  t.type("ab");
  assertEquals(t.read(), -EAGAIN);
  t.type("c\rnext");
  assertEquals(t.read(), "abc\n");
  assertEquals(t.read(), -EAGAIN);
  assertEquals(t.shown, "abc\r\nnext");
});

Deno.test("a short read takes a part of a line, the next one the rest", () => {
  const t = new Terminal();
  t.type("hello\nworld\n");
  assertEquals(t.read(3), "hel");
  assertEquals(t.read(), "lo\n");
  assertEquals(t.read(), "world\n");
});

Deno.test("^D ends a line without being part of it, and alone reads as end of file", () => {
  const t = new Terminal();
  t.type("abc\x04");
  assertEquals(t.read(), "abc");
  assertEquals(t.read(), -EAGAIN);
  t.type("\x04");
  assertEquals(t.read(), "");
  assertEquals(t.shown, "abc");
});

Deno.test("a read that fills its buffer up to ^D is not followed by an end of file", () => {
  const t = new Terminal();
  t.type("abc\x04x\n");
  assertEquals(t.read(3), "abc");
  assertEquals(t.read(), "x\n");
});

Deno.test("VERASE takes back one character and its echo", () => {
  const t = new Terminal();
  t.type("ab\x7f\x7f\x7fc\n");
  assertEquals(t.read(), "c\n");
  assertEquals(t.shown, "ab\b \b\b \bc\r\n");
});

Deno.test("VERASE takes back a control character as two columns", () => {
  const t = new Terminal();
  t.type("\x01\x7f");
  assertEquals(t.shown, "^A\b \b\b \b");
});

Deno.test("VERASE with IUTF8 takes back a whole character, without it one byte", () => {
  const utf8 = new Terminal((s) => s.iflag |= IUTF8);
  utf8.type("a\xc3\xa9\x7f\n");
  assertEquals(utf8.read(), "a\n");
  assertEquals(utf8.shown, "a\xc3\xa9\b \b\r\n");
  const bytes = new Terminal();
  bytes.type("a\xc3\xa9\x7f\n");
  assertEquals(bytes.read(), "a\xc3\n");
});

Deno.test("VERASE of a tab goes back to the column before it", () => {
  const t = new Terminal();
  t.type("abc\t\x7f");
  assertEquals(t.shown, "abc\t" + "\b".repeat(5));
  const prompt = new Terminal();
  prompt.write("$ ");
  prompt.type("a\t\x7f");
  assertEquals(prompt.shown, "$ a\t" + "\b".repeat(5));
});

Deno.test("VERASE without ECHOE echoes the erase character", () => {
  const t = new Terminal((s) => s.lflag &= ~ECHOE);
  t.type("a\x7f");
  assertEquals(t.shown, "a^?");
});

Deno.test("VWERASE takes back the last word with the blanks after it", () => {
  const t = new Terminal();
  t.type("one two  \x17x\n");
  assertEquals(t.read(), "one x\n");
});

Deno.test("VKILL takes back the line, shown by ECHOKE or by a new line", () => {
  const t = new Terminal();
  t.type("abc\x15d\n");
  assertEquals(t.read(), "d\n");
  assertEquals(t.shown, "abc" + "\b \b".repeat(3) + "d\r\n");
  const old = new Terminal((s) => s.lflag &= ~ECHOKE);
  old.type("abc\x15");
  assertEquals(old.shown, "abc^U\r\n");
});

Deno.test("VLNEXT takes the next character literally", () => {
  const t = new Terminal();
  t.type("\x16\x03\x16\x7f\x16\x04\n");
  assertEquals(t.signals, []);
  assertEquals(t.read(), "\x03\x7f\x04\n");
  assertEquals(t.shown, "^\b^C^\b^?^\b^D\r\n");
});

Deno.test("VREPRINT shows the line again", () => {
  const t = new Terminal();
  t.type("ab\x12");
  assertEquals(t.shown, "ab^R\r\nab");
});

Deno.test("VEOL ends a line and is part of it", () => {
  const t = new Terminal((s) => s.cc[VEOL] = 0x3b);
  t.type("a;b;");
  assertEquals(t.read(), "a;");
  assertEquals(t.read(), "b;");
});

Deno.test("VINTR, VQUIT and VSUSP signal the foreground and drop what was typed", () => {
  const t = new Terminal();
  for (const typed of ["abc", "\x03", "\x1c", "\x1a", "d\n"]) t.type(typed);
  assertEquals(t.signals, [SIGINT, SIGQUIT, SIGTSTP]);
  assertEquals(t.read(), "d\n");
  assertEquals(t.shown, "abc^C^\\^Zd\r\n");
  assertEquals(t.flushes, 3);
});

Deno.test("a signal drops the echo of what was typed in the same batch", () => {
  const t = new Terminal();
  t.type("abc\x03d\n");
  assertEquals(t.shown, "^Cd\r\n");
});

Deno.test("with NOFLSH a signal leaves what was typed", () => {
  const t = new Terminal((s) => s.lflag |= NOFLSH);
  t.type("abc\x03d\n");
  assertEquals(t.read(), "abcd\n");
  assertEquals(t.flushes, 0);
});

Deno.test("without ICANON every byte can be read at once and none is special", () => {
  const t = new Terminal((s) => s.lflag &= ~ICANON);
  t.type("a\x7f\x04");
  assertEquals(t.read(), "a\x7f\x04");
  assertEquals(t.read(), -EAGAIN);
});

Deno.test("without ECHO nothing is shown", () => {
  const t = new Terminal((s) => s.lflag &= ~ECHO);
  t.type("secret\x7f\n");
  assertEquals(t.shown, "");
  assertEquals(t.read(), "secre\n");
});

Deno.test("raw mode passes everything through", () => {
  const t = new Terminal((s) => {
    s.iflag = 0;
    s.oflag = 0;
    s.lflag = 0;
  });
  t.type("\x03\r\n\x11\x13\x00\xff");
  t.write("a\nb");
  assertEquals(t.read(), "\x03\r\n\x11\x13\x00\xff");
  assertEquals(t.shown, "a\nb");
  assertEquals(t.signals, []);
});

Deno.test("ICRNL, IGNCR and INLCR translate carriage return and newline", () => {
  const ignored = new Terminal((s) => s.iflag |= IGNCR);
  ignored.type("a\r\n");
  assertEquals(ignored.read(), "a\n");
  const kept = new Terminal((s) => s.iflag &= ~ICRNL);
  kept.type("a\r\n");
  assertEquals(kept.read(), "a\r\n");
});

Deno.test("^S holds output and echo back until ^Q", () => {
  const t = new Terminal();
  t.type("\x13ab");
  assertEquals(t.shown, "");
  assertEquals(t.discipline.output.write(encode("x"), 0, 1), 0);
  t.type("\x11");
  assertEquals(t.shown, "ab");
  const any = new Terminal((s) => s.iflag |= IXANY);
  any.type("\x13a");
  assertEquals(any.shown, "a");
});

Deno.test("output processing maps newlines, tabs and carriage returns", () => {
  const t = new Terminal();
  t.write("a\nb\tc");
  assertEquals(t.shown, "a\r\nb\tc");
  const tabs = new Terminal((s) => s.oflag |= XTABS);
  tabs.write("ab\tc");
  assertEquals(tabs.shown, "ab      c");
  const cr = new Terminal((s) => s.oflag = OPOST | OCRNL);
  cr.write("a\rb");
  assertEquals(cr.shown, "a\nb");
  const onocr = new Terminal((s) => s.oflag = OPOST | ONOCR);
  onocr.write("\ra\r");
  assertEquals(onocr.shown, "a\r");
});

Deno.test("output stops where there is no room and takes no half of a CR NL", () => {
  const t = new Terminal();
  t.room = 2;
  assertEquals(t.discipline.output.write(encode("a\nb"), 0, 3), 1);
  t.room = 10;
  assertEquals(t.discipline.output.write(encode("\nb"), 0, 2), 2);
  assertEquals(t.shown, "a\r\nb");
});

Deno.test("a line longer than the buffer keeps 4095 bytes, and its newline comes in", () => {
  const t = new Terminal();
  assertEquals(t.type("x".repeat(5000) + "\n"), 5001);
  assertEquals(t.read(8192), "x".repeat(4095) + "\n");
});

Deno.test("without ICANON a full buffer refuses more until it is read", () => {
  const t = new Terminal((s) => s.lflag &= ~(ICANON | ECHO));
  assertEquals(t.type("x".repeat(5000)), 4095);
  t.read(1000);
  assertEquals(t.type("y".repeat(2000)), 1000);
});

Deno.test("leaving canonical mode makes the unfinished line readable", () => {
  const t = new Terminal();
  t.type("abc");
  assertEquals(t.read(), -EAGAIN);
  t.discipline.changeTermios((s) => s.lflag &= ~ICANON);
  assertEquals(t.read(), "abc");
});

Deno.test("entering canonical mode makes what was typed a line", () => {
  const t = new Terminal((s) => s.lflag &= ~ICANON);
  t.type("abc");
  t.discipline.changeTermios((s) => s.lflag |= ICANON);
  assertEquals(t.read(), "abc");
});

Deno.test("FIONREAD counts whole lines without their ^D", () => {
  const t = new Terminal();
  t.type("ab\ncd\x04e");
  assertEquals(t.discipline.inputQueued(), 5);
});

Deno.test("the buffer wraps around", () => {
  const t = new Terminal((s) => s.lflag &= ~ECHO);
  for (let i = 0; i < 100; i++) {
    const line = String(i).padStart(99, "-") + "\n";
    t.type(line);
    assertEquals(t.read(), line);
  }
});
