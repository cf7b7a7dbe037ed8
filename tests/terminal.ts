/** A terminal as a person at a window has one, for tests of what runs on it. */
import { TCGETS, TIOCGPTN, TIOCSPTLCK, TIOCSWINSZ } from "../platform/abi/ioctl.ts";
import { O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../platform/abi/fcntl.ts";
import { TERMIOS_SIZE } from "../platform/abi/termios.ts";
import { SYS_close, SYS_open, SYS_write } from "../platform/abi/amd64/syscalls.ts";
import { bufferAddr, hostCall, hostIoctl, spawnLibrary } from "../platform/host/spawn.ts";

const POLL_MS = 2;
/** Looks for what is expected to be shown, before the test has failed: some 20 s, without the time of a machine's pause. */
const PATIENCE_POLLS = 8_000;

/** The window's side (the master) of a pseudo terminal. */
export class Terminal {
  readonly #master = open("/dev/ptmx");
  /** Held open, so that the settings outlive whatever runs on it. */
  readonly #slave: number;
  readonly #path: string;
  readonly #decoder = new TextDecoder();
  /** What was shown and not expected yet. */
  #shown = "";
  readonly #children: Deno.ChildProcess[] = [];
  #isOpen = true;

  constructor(rows = 24, columns = 160) {
    const number = new Uint32Array(1);
    ioctl(this.#master, TIOCSPTLCK, new Uint32Array(1));
    ioctl(this.#master, TIOCGPTN, number);
    this.#path = `/dev/pts/${number[0]}`;
    this.#slave = open(this.#path);
    this.resize(rows, columns);
  }

  /** Starts a command as the leader of a session on this terminal, with no signal ignored that we may ignore. */
  run(argv: string[], env: Record<string, string> = {}): Deno.ChildProcess {
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'exec env --default-signal setsid -c "$@" <>"$TTY_PATH" >&0 2>&0',
        "sh",
        ...argv,
      ],
      env: { PS1: "@@ ", TERM: "dumb", LC_ALL: "C", ...env, TTY_PATH: this.#path },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** Types text. Control characters are what the keys send: "\x03" is Ctrl-C. */
  type(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const n = hostCall(SYS_write, this.#master, bufferAddr(bytes), bytes.length);
    if (n !== bytes.length) throw new Error(`the terminal takes no input (${n})`);
  }

  /** Waits until `what` is shown; returns what was shown before it and not expected yet. */
  async expect(what: string | RegExp): Promise<string> {
    for (let polls = 0;; polls++) {
      const found = find(this.#drain(), what);
      if (found !== null) {
        const before = this.#shown.slice(0, found.start);
        this.#shown = this.#shown.slice(found.end);
        return before;
      }
      if (polls === PATIENCE_POLLS) {
        throw new Error(`not shown: ${what}, but ${JSON.stringify(this.#shown)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #drain(): string {
    const chunk = new Uint8Array(4096);
    for (;;) {
      const n = spawnLibrary().dv_read_now(this.#master, chunk, chunk.length);
      if (n <= 0) return this.#shown;
      this.#shown += this.#decoder.decode(chunk.subarray(0, n), { stream: true });
    }
  }

  resize(rows: number, columns: number): void {
    ioctl(this.#master, TIOCSWINSZ, Uint16Array.of(rows, columns, 0, 0));
  }

  /** Its settings (struct termios), to compare. */
  settings(): string {
    const termios = new Uint8Array(TERMIOS_SIZE);
    ioctl(this.#slave, TCGETS, termios);
    return termios.toHex();
  }

  /** Closes the window: what runs on the terminal is hung up. Any number of times. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    hostCall(SYS_close, this.#slave);
    hostCall(SYS_close, this.#master);
  }

  /** Closes it and ends what was started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
      await child.status;
    }
  }
}

function find(text: string, what: string | RegExp): { start: number; end: number } | null {
  if (typeof what === "string") {
    const start = text.indexOf(what);
    return start < 0 ? null : { start, end: start + what.length };
  }
  const match = what.exec(text);
  return match === null ? null : { start: match.index, end: match.index + match[0].length };
}

function open(path: string): number {
  const name = new TextEncoder().encode(path + "\0");
  const fd = hostCall(SYS_open, bufferAddr(name), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw new Error(`cannot open ${path} (${fd})`);
  return fd;
}

function ioctl(fd: number, request: number, buffer: ArrayBufferView<ArrayBuffer>): void {
  const err = hostIoctl(fd, request, buffer);
  if (err < 0) throw new Error(`ioctl ${request.toString(16)}: ${err}`);
}
