/**
 * One pseudo terminal: the line discipline between a master and its slave files, and what both share.
 * It is a session's controlling terminal (sentry/kernel/session.ts).
 */
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI } from "../../../platform/abi/epoll.ts";
import { EPOLLRDNORM, EPOLLWRNORM } from "../../../platform/abi/epoll.ts";
import { EAGAIN, EFAULT } from "../../../platform/abi/errno.ts";
import {
  TIOCPKT_DOSTOP,
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_IOCTL,
  TIOCPKT_NOSTOP,
  TIOCPKT_START,
  TIOCPKT_STOP,
} from "../../../platform/abi/ioctl.ts";
import { SIGCONT, SIGHUP, SIGWINCH } from "../../../platform/abi/signal.ts";
import {
  EXTPROC,
  IXON,
  OPOST,
  TABDLY,
  type Termios,
  VSTART,
  VSTOP,
  XTABS,
} from "../../../platform/abi/termios.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import {
  clearTty,
  type ControllingTty,
  type ProcessGroup,
  type Session,
} from "../../kernel/session.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";
import type { CallerInput } from "../host/caller_input.ts";
import { ByteQueue } from "./byte_queue.ts";
import { signalGroup, signalLeader } from "./job_control.ts";
import { type LineDevice, LineDiscipline } from "./line_discipline.ts";
import type { SlaveFile } from "./slave.ts";
import { noTermiosLocks } from "./termios.ts";

/** Output that the master has not read. */
const OUTPUT_LIMIT = 16384;
/** Of it, what a flush does not take back: on Linux it would have reached the master's buffer. */
const OUTPUT_SAFE = 4096;
/** Input that the line discipline has no room for. */
const BACKLOG_LIMIT = 8192;

const READABLE = EPOLLIN | EPOLLRDNORM;
const WRITABLE = EPOLLOUT | EPOLLWRNORM;
/** Bytes of input (Linux: TTY_THRESHOLD_UNTHROTTLE). */
const UNTHROTTLE_BELOW = 128;

export class Tty implements LineDevice, ControllingTty {
  session: Session | null = null;
  foreground: ProcessGroup | null = null;

  readonly discipline: LineDiscipline;
  readonly output = new ByteQueue(OUTPUT_LIMIT);
  readonly #backlog = new ByteQueue(BACKLOG_LIMIT);
  readonly slaveQueue = new WaitQueue();
  readonly masterQueue = new WaitQueue();
  readonly slaves = new Set<SlaveFile>();

  row = 0;
  col = 0;
  xpixel = 0;
  ypixel = 0;
  /** What becomes of what is typed on the host's terminal, where this is the sandbox's console. */
  input: CallerInput | null = null;
  /** TIOCSPTLCK: the slave cannot be opened. */
  locked = true;
  /** TIOCEXCL. */
  exclusive = false;
  /** TIOCSLCKTRMIOS: the bits and characters that setting attributes leaves. */
  readonly termiosLocked = noTermiosLocks();
  /** TIOCPKT, and the status the next read of the master tells. */
  packet = false;
  packetStatus = 0;
  masterOpen = true;
  /** The slave was open and is not any more: the master reads EIO. */
  slaveClosed = false;
  /** Called when the terminal can go: master and all slaves are closed. */
  onGone: (() => void) | null = null;
  #announcing = false;
  #isInputHeld = false;
  /** Output that was there when the batch of input under way began: a signal takes back what came since. */
  #sizeAtInput = 0;

  constructor(readonly kernel: Kernel, readonly index: number, readonly rdev: number) {
    this.discipline = new LineDiscipline(this);
  }

  // LineDevice

  outputRoom(): number {
    return this.discipline.stopped ? 0 : this.output.room;
  }

  emit(byte: number): void {
    this.output.push(byte);
    this.#announcing = true;
  }

  flushOutput(): void {
    this.output.truncate(Math.min(OUTPUT_SAFE, this.#sizeAtInput));
    this.tellPacket(TIOCPKT_FLUSHWRITE | TIOCPKT_FLUSHREAD);
  }

  setStopped(stopped: boolean): void {
    const status = this.packetStatus;
    if (this.packet) {
      this.packetStatus = stopped
        ? (status & ~TIOCPKT_START) | TIOCPKT_STOP
        : (status & ~TIOCPKT_STOP) | TIOCPKT_START;
      this.masterQueue.notify(EPOLLPRI | READABLE);
    }
    if (!stopped) this.slaveQueue.notify(WRITABLE);
  }

  signal(signo: number): void {
    if (this.foreground !== null) signalGroup(this.kernel, this.foreground, signo);
  }

  wakeReaders(): void {
    this.slaveQueue.notify(READABLE);
  }

  // Master side

  /** Input from the master, whose edge-triggered writers hear of every write. Returns the bytes taken, or -EAGAIN. */
  receive(src: IoSrc, evenIfHeld = false): number {
    if (this.#isInputHeld && !evenIfHeld) return -EAGAIN;
    this.masterQueue.notify(WRITABLE, 0);
    let total = 0;
    const chunk = new Uint8Array(Math.min(src.remaining, BACKLOG_LIMIT));
    while (src.remaining > 0) {
      const n = Math.min(src.remaining, this.#backlog.room, chunk.length);
      if (n === 0) break;
      if (src.take(chunk, 0, n) < n) return total > 0 ? total : -EFAULT;
      this.#backlog.pushAll(chunk, 0, n);
      total += n;
      this.pump();
    }
    return total === 0 && src.remaining > 0 ? -EAGAIN : total;
  }

  get inputRoom(): number {
    return this.#isInputHeld ? 0 : this.#backlog.room;
  }

  /** tcflow(3) of the master: it cannot write meanwhile. */
  holdInput(isHeld: boolean): void {
    if (this.#isInputHeld === isHeld) return;
    this.#isInputHeld = isHeld;
    if (!isHeld) this.masterQueue.notify(WRITABLE);
  }

  /** TIOCSTI of the master: a byte that it will read. */
  injectOutput(byte: number): void {
    if (this.output.room === 0) return;
    this.output.push(byte);
    this.masterQueue.notify(READABLE);
  }

  /** One byte as if it were typed (TIOCSTI). */
  inject(byte: number): void {
    this.#sizeAtInput = this.output.size;
    this.discipline.receive(Uint8Array.of(byte), 0, 1);
    this.announce();
  }

  /** Gives the line discipline what waits for it. */
  pump(): void {
    const wasFull = this.#backlog.room === 0;
    this.#sizeAtInput = this.output.size;
    this.#backlog.drain(
      BACKLOG_LIMIT,
      (src, start, end) => this.discipline.receive(src, start, end),
    );
    this.announce();
    if (wasFull && this.#backlog.room > 0) this.masterQueue.notify(WRITABLE);
  }

  /** Output for the master. Returns the bytes given, 0 when there are none. */
  takeOutput(dst: IoDst): number {
    const n = this.output.drain(dst.remaining, (src, start, end) => dst.put(src, start, end));
    if (n > 0) {
      this.discipline.echo.flush();
      this.announce();
      if (this.output.room >= OUTPUT_LIMIT / 2) this.slaveQueue.notify(WRITABLE);
    }
    return n;
  }

  /** The slave has read: what waited comes in, and while little is left the master hears that it may write. */
  inputTaken(): void {
    this.pump();
    if (this.discipline.buffered <= UNTHROTTLE_BELOW) this.masterQueue.notify(WRITABLE, 0);
  }

  // Slave side

  /** Output of the slave. Returns the bytes taken, or -EAGAIN. */
  write(src: IoSrc): number {
    this.slaveQueue.notify(WRITABLE, 0);
    const discipline = this.discipline;
    discipline.echo.flush();
    let total = 0;
    const chunk = writeChunk;
    while (src.remaining > 0) {
      const oflag = discipline.termios.oflag;
      // Only what surely fits is taken from `src`, whatever it expands to.
      const worst = (oflag & OPOST) === 0 ? 1 : (oflag & TABDLY) === XTABS ? 8 : 2;
      const n = Math.min(src.remaining, Math.floor(this.outputRoom() / worst), chunk.length);
      if (n === 0) break;
      if (src.take(chunk, 0, n) < n) {
        this.announce();
        return total > 0 ? total : -EFAULT;
      }
      discipline.output.write(chunk, 0, n);
      total += n;
    }
    this.announce();
    return total === 0 && src.remaining > 0 ? -EAGAIN : total;
  }

  /** Tells the master of output made since the last call. */
  announce(): void {
    if (!this.#announcing) return;
    this.#announcing = false;
    this.masterQueue.notify(READABLE);
  }

  // Both

  /** Tells the other side to stop or start. Output stopped by ^S is started for that (Linux: tty_send_xchar). */
  sendFlowCharacter(c: number): void {
    const { isHeld, stopped } = this.discipline;
    if (isHeld) return;
    if (stopped) this.setStopped(false);
    if (this.output.room > 0) this.emit(c);
    if (stopped) this.setStopped(true);
    this.announce();
  }

  changeTermios(apply: (s: Termios) => void): void {
    const s = this.discipline.termios;
    const old = { iflag: s.iflag, lflag: s.lflag, start: s.cc[VSTART], stop: s.cc[VSTOP] };
    this.discipline.changeTermios(apply);
    this.announce();
    if (!this.packet) return;
    // Linux: pty_set_termios.
    const flowWas = (old.iflag & IXON) !== 0 && old.stop === 19 && old.start === 17;
    const flowIs = (s.iflag & IXON) !== 0 && s.cc[VSTOP] === 19 && s.cc[VSTART] === 17;
    if (((old.lflag ^ s.lflag) & EXTPROC) !== 0 || (s.lflag & EXTPROC) !== 0) {
      this.tellPacket(TIOCPKT_IOCTL);
    }
    if (flowWas !== flowIs) {
      this.packetStatus &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
      this.tellPacket(flowIs ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
    }
  }

  tellPacket(status: number): void {
    if (!this.packet) return;
    this.packetStatus |= status;
    this.masterQueue.notify(EPOLLPRI | READABLE);
  }

  setWinsize(row: number, col: number, xpixel: number, ypixel: number): void {
    if (row === this.row && col === this.col && xpixel === this.xpixel && ypixel === this.ypixel) {
      return;
    }
    this.row = row;
    this.col = col;
    this.xpixel = xpixel;
    this.ypixel = ypixel;
    this.signal(SIGWINCH);
  }

  /** tcflush(3): `input` what was typed, `output` what was written. */
  flush(input: boolean, output: boolean): void {
    if (input) {
      this.discipline.flushInput();
      this.tellPacket(TIOCPKT_FLUSHREAD);
      this.pump();
    }
    if (output) {
      this.output.truncate(OUTPUT_SAFE);
      this.tellPacket(TIOCPKT_FLUSHWRITE);
      this.slaveQueue.notify(WRITABLE);
    }
  }

  /** tcflush(3) of the master: `input` what the slave wrote, `output` what the discipline has not taken. */
  flushMaster(input: boolean, output: boolean): void {
    if (input) {
      this.output.truncate(0);
      this.slaveQueue.notify(WRITABLE);
    }
    if (output) {
      this.#backlog.truncate(0);
      this.masterQueue.notify(WRITABLE);
    }
  }

  slaveOpened(slave: SlaveFile): void {
    this.slaves.add(slave);
    this.slaveClosed = false;
  }

  slaveReleased(slave: SlaveFile): void {
    this.slaves.delete(slave);
    if (this.slaves.size > 0) return;
    this.exclusive = false;
    this.slaveClosed = true;
    this.masterQueue.notify(EPOLLHUP | READABLE);
    if (!this.masterOpen) this.onGone?.();
  }

  masterReleased(): void {
    this.masterOpen = false;
    this.hangup();
    if (this.slaves.size === 0) this.onGone?.();
  }

  /** vhangup(2): the session loses its terminal, the slave files end (Linux: __tty_hangup). */
  hangup(): void {
    const session = this.session;
    if (session !== null) {
      const leader = session.leader;
      this.detachSession();
      if (leader !== null) {
        signalLeader(this.kernel, leader, SIGHUP);
        signalLeader(this.kernel, leader, SIGCONT);
      }
    }
    for (const slave of this.slaves) slave.hungUp = true;
    this.slaveQueue.notify(EPOLLHUP | EPOLLERR | READABLE | WRITABLE);
  }

  /** The session has no terminal from now on; nobody is told. */
  detachSession(): void {
    if (this.session !== null && this.session.tty === this) clearTty(this.session);
    this.session = null;
    this.foreground = null;
  }
}

/** Output bytes on their way; never kept across calls. */
const writeChunk = new Uint8Array(4096);
