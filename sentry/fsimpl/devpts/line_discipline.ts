/**
 * N_TTY, the line discipline of terminals: input editing, echo, signals and flow control, and the
 * processing of output. The rules are those of Linux's drivers/tty/n_tty.c, whose names are kept.
 * It never blocks: what does not fit is left to the caller.
 */
import {
  ECHO,
  ECHOCTL,
  ECHONL,
  EXTPROC,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNCR,
  INLCR,
  ISIG,
  ISTRIP,
  IUCLC,
  IXANY,
  IXON,
  NOFLSH,
  PARMRK,
  type Termios,
  VEOF,
  VEOL,
  VEOL2,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VWERASE,
} from "../../../platform/abi/termios.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../../../platform/abi/signal.ts";
import { Echo } from "./echo.ts";
import { erase } from "./erase.ts";
import { isUpper, OutputProcessor } from "./output.ts";
import { defaultTermios } from "./termios.ts";

export const N_TTY_BUF_SIZE = 4096;
const MASK = N_TTY_BUF_SIZE - 1;
/** An end-of-line flagged byte of this value is a VEOF: it ends a line and is not part of it. */
export const DISABLED_CHAR = 0;

/** Who stops and starts output: IXON's characters, or tcflow(3). */
export const BY_CHARACTER = 1;
export const BY_TCFLOW = 2;

/** The device below a line discipline. */
export interface LineDevice {
  /** Bytes that `emit` will take now; 0 while output is stopped. */
  outputRoom(): number;
  /** One output byte towards the terminal; only called with room. */
  emit(byte: number): void;
  /** Drops output that the terminal has not taken yet, and tells packet mode (NOFLSH off). */
  flushOutput(): void;
  /** Output is stopped (^S) or started (^Q) now. */
  setStopped(stopped: boolean): void;
  /** Sends a signal to the foreground process group. */
  signal(signo: number): void;
  /** Something can be read. */
  wakeReaders(): void;
}

export class LineDiscipline {
  readonly termios: Termios = defaultTermios();
  readonly buf = new Uint8Array(N_TTY_BUF_SIZE);
  /** 1 where a line ends (Linux: read_flags). */
  readonly lineEnds = new Uint8Array(N_TTY_BUF_SIZE);
  // Positions grow without wrapping; `& MASK` gives the place in `buf`.
  head = 0;
  tail = 0;
  canonHead = 0;
  /** Inside \...../ of ECHOPRT. */
  erasing = false;
  #lnext = false;
  /** Who stopped output: BY_CHARACTER and BY_TCFLOW. */
  #stopped = 0;
  /** Bytes that must be looked at one by one. */
  readonly #special = new Uint8Array(256);
  readonly output: OutputProcessor;
  readonly echo: Echo;

  constructor(private readonly device: LineDevice) {
    this.output = new OutputProcessor(this.termios, device);
    this.echo = new Echo(this.termios, device, this.output);
    this.#buildCharMap();
  }

  get stopped(): boolean {
    return this.#stopped !== 0;
  }
  get isCanonical(): boolean {
    return (this.termios.lflag & ICANON) !== 0 && (this.termios.lflag & EXTPROC) === 0;
  }
  /** Bytes in the buffer, whole lines or not. */
  get buffered(): number {
    return this.head - this.tail;
  }

  /** Takes new attributes from `apply`, which changes `termios` in place. */
  changeTermios(apply: (s: Termios) => void): void {
    const s = this.termios;
    const oldLflag = s.lflag, oldIflag = s.iflag;
    apply(s);
    if (((oldLflag ^ s.lflag) & (ICANON | EXTPROC)) !== 0) {
      this.lineEnds.fill(0);
      if ((s.lflag & ICANON) === 0 || this.head === this.tail) this.canonHead = this.tail;
      else {
        // What was typed before counts as a line.
        this.lineEnds[(this.head - 1) & MASK] = 1;
        this.canonHead = this.head;
      }
      this.erasing = false;
      this.#lnext = false;
    }
    this.#buildCharMap();
    if ((s.iflag & IXON) === 0 && (oldIflag & IXON) !== 0) this.#startAndEcho();
    this.device.wakeReaders();
  }

  /** Takes input bytes (what is typed); returns how many were taken. */
  receive(src: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      let room = N_TTY_BUF_SIZE - (this.head - this.tail);
      if ((this.termios.iflag & PARMRK) !== 0) room = Math.ceil(room / 3);
      room--;
      if (room <= 0) {
        // A line longer than the buffer loses its end, so that its newline can still come in.
        const overflow = (this.termios.lflag & ICANON) !== 0 && this.canonHead === this.tail;
        if (overflow && room < 0) this.head--;
        if (!overflow) break;
        room = 1;
      }
      const n = Math.min(end - at, room);
      this.#receiveSome(src, at, at + n);
      at += n;
    }
    return at - start;
  }

  #receiveSome(src: Uint8Array, start: number, end: number): void {
    const { iflag, lflag } = this.termios;
    const strip = (iflag & ISTRIP) !== 0;
    const lower = (iflag & IUCLC) !== 0 && (lflag & IEXTEN) !== 0;
    for (let i = start; i < end; i++) {
      let c = src[i];
      if (strip) c &= 0x7f;
      if (lower && isUpper(c)) c += 32;
      if ((this.termios.lflag & EXTPROC) !== 0) this.put(c);
      else if (this.#lnext) {
        this.#lnext = false;
        this.#receiveChar(c);
      } else if (this.#special[c] !== 0) this.#receiveSpecial(c);
      else this.#receiveChar(c);
    }
    this.echo.flush();
    if (this.isCanonical) return;
    if (this.head !== this.tail) this.device.wakeReaders();
  }

  put(c: number): void {
    this.buf[this.head & MASK] = c;
    this.lineEnds[this.head & MASK] = 0;
    this.head++;
  }

  #receiveChar(c: number): void {
    if (this.#stopped === BY_CHARACTER && this.#iflag(IXON) && this.#iflag(IXANY)) {
      this.#startAndEcho();
    }
    if (this.#lflag(ECHO)) {
      this.finishErasing();
      if (this.canonHead === this.head) this.echo.setCanonColumn();
      this.echo.char(c);
    }
    if (c === 0xff && this.#iflag(PARMRK)) this.put(c);
    this.put(c);
  }

  #receiveSpecial(c: number): void {
    const cc = this.termios.cc;
    if (this.#iflag(IXON)) {
      if (c === cc[VSTART]) return this.#startAndEcho();
      if (c === cc[VSTOP]) return this.stop(BY_CHARACTER);
    }
    if (this.#lflag(ISIG)) {
      const signo = c === cc[VINTR]
        ? SIGINT
        : c === cc[VQUIT]
        ? SIGQUIT
        : c === cc[VSUSP]
        ? SIGTSTP
        : 0;
      if (signo !== 0) return this.#receiveSignalChar(signo, c);
    }
    if (this.#stopped === BY_CHARACTER && this.#iflag(IXON) && this.#iflag(IXANY)) {
      this.#startAndEcho();
    }
    if (c === 13) {
      if (this.#iflag(IGNCR)) return;
      if (this.#iflag(ICRNL)) c = 10;
    } else if (c === 10 && this.#iflag(INLCR)) c = 13;
    if (this.#lflag(ICANON) && this.#receiveCanonical(c)) return;
    if (this.#lflag(ECHO)) {
      this.finishErasing();
      if (c === 10) this.echo.raw(10);
      else {
        if (this.canonHead === this.head) this.echo.setCanonColumn();
        this.echo.char(c);
      }
    }
    if (c === 0xff && this.#iflag(PARMRK)) this.put(c);
    this.put(c);
  }

  #receiveSignalChar(signo: number, c: number): void {
    this.isig(signo);
    if (this.#iflag(IXON)) this.start(BY_CHARACTER);
    if (this.#lflag(ECHO)) this.echo.char(c);
    else this.echo.flush();
  }

  /** Sends a signal to the foreground and, without NOFLSH, forgets what was typed and not yet shown. */
  isig(signo: number): void {
    this.device.signal(signo);
    if (this.#lflag(NOFLSH)) return;
    this.echo.clear();
    this.device.flushOutput();
    this.flushInput();
  }

  /** Returns true when `c` was dealt with. */
  #receiveCanonical(c: number): boolean {
    const cc = this.termios.cc;
    const iexten = this.#lflag(IEXTEN);
    if (c !== DISABLED_CHAR) {
      if (c === cc[VERASE] || c === cc[VKILL] || (c === cc[VWERASE] && iexten)) {
        erase(this, c);
        return true;
      }
      if (c === cc[VLNEXT] && iexten) {
        this.#lnext = true;
        if (this.#lflag(ECHO)) {
          this.finishErasing();
          if (this.#lflag(ECHOCTL)) {
            this.echo.raw(0x5e); // '^', and the next character over it.
            this.echo.raw(8);
          }
        }
        return true;
      }
      if (c === cc[VREPRINT] && this.#lflag(ECHO) && iexten) {
        this.finishErasing();
        this.echo.char(c);
        this.echo.raw(10);
        for (let i = this.canonHead; i < this.head; i++) this.echo.char(this.buf[i & MASK]);
        return true;
      }
    }
    if (c === 10) {
      if (this.#lflag(ECHO) || this.#lflag(ECHONL)) this.echo.raw(10);
      this.#endLine(c);
      return true;
    }
    if (c === DISABLED_CHAR) return false;
    if (c === cc[VEOF]) {
      this.#endLine(DISABLED_CHAR);
      return true;
    }
    if (c === cc[VEOL] || (c === cc[VEOL2] && iexten)) {
      if (this.#lflag(ECHO)) {
        if (this.canonHead === this.head) this.echo.setCanonColumn();
        this.echo.char(c);
      }
      if (c === 0xff && this.#iflag(PARMRK)) this.put(c);
      this.#endLine(c);
      return true;
    }
    return false;
  }

  #endLine(c: number): void {
    this.put(c);
    this.lineEnds[(this.head - 1) & MASK] = 1;
    this.canonHead = this.head;
    this.device.wakeReaders();
  }

  finishErasing(): void {
    if (!this.erasing) return;
    this.echo.raw(0x2f);
    this.erasing = false;
  }

  /** Stopped by tcflow(TCOOFF). */
  get isHeld(): boolean {
    return (this.#stopped & BY_TCFLOW) !== 0;
  }

  /** `who`: BY_CHARACTER or BY_TCFLOW. */
  stop(who: number): void {
    const was = this.#stopped;
    this.#stopped |= who;
    if (was === 0) this.device.setStopped(true);
  }

  start(who: number): void {
    const was = this.#stopped;
    // ^Q does not undo tcflow(TCOOFF); TCOON undoes both, or nothing when there was no TCOOFF.
    if (who === BY_TCFLOW && !this.isHeld) return;
    this.#stopped = who === BY_TCFLOW ? 0 : was & ~who;
    if (was !== 0 && this.#stopped === 0) this.device.setStopped(false);
  }

  #startAndEcho(): void {
    this.start(BY_CHARACTER);
    this.echo.flush();
  }

  /** tcflush(TCIFLUSH). */
  flushInput(): void {
    this.head = this.tail = this.canonHead = 0;
    this.lineEnds.fill(0);
    this.erasing = false;
    this.#lnext = false;
  }

  /** Bytes FIONREAD tells: of whole lines in canonical mode, without their VEOFs. */
  inputQueued(): number {
    if (!this.isCanonical) return this.head - this.tail;
    let n = this.canonHead - this.tail;
    for (let i = this.tail; i < this.canonHead; i++) {
      if (this.lineEnds[i & MASK] === 1 && this.buf[i & MASK] === DISABLED_CHAR) n--;
    }
    return n;
  }

  #lflag(flag: number): boolean {
    return (this.termios.lflag & flag) !== 0;
  }
  #iflag(flag: number): boolean {
    return (this.termios.iflag & flag) !== 0;
  }

  #buildCharMap(): void {
    const { iflag, lflag, cc } = this.termios;
    const map = this.#special.fill(0);
    if ((iflag & (IGNCR | ICRNL)) !== 0) map[13] = 1;
    if ((iflag & INLCR) !== 0) map[10] = 1;
    if ((lflag & ICANON) !== 0) {
      for (const i of [VERASE, VKILL, VEOF, VEOL]) map[cc[i]] = 1;
      map[10] = 1;
      if ((lflag & IEXTEN) !== 0) {
        for (const i of [VWERASE, VLNEXT, VEOL2]) map[cc[i]] = 1;
        if ((lflag & ECHO) !== 0) map[cc[VREPRINT]] = 1;
      }
    }
    if ((iflag & IXON) !== 0) map[cc[VSTART]] = map[cc[VSTOP]] = 1;
    if ((lflag & ISIG) !== 0) map[cc[VINTR]] = map[cc[VQUIT]] = map[cc[VSUSP]] = 1;
    map[DISABLED_CHAR] = 0;
  }
}
