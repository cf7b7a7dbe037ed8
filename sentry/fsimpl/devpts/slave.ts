/** An open slave (/dev/pts/N, /dev/tty, /dev/console). */
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDNORM,
  EPOLLWRNORM,
} from "../../../platform/abi/epoll.ts";
import { EAGAIN, EBUSY, EIO, ENOTTY } from "../../../platform/abi/errno.ts";
import { CAP_SYS_ADMIN } from "../../../platform/abi/capability.ts";
import { O_NOCTTY } from "../../../platform/abi/fcntl.ts";
import { TIOCSPGRP } from "../../../platform/abi/ioctl.ts";
import { SIGTTIN, SIGTTOU } from "../../../platform/abi/signal.ts";
import { ICANON, TOSTOP, VMIN, VTIME } from "../../../platform/abi/termios.ts";
import { hasCapability } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import type { KernelTimer } from "../../kernel/timers.ts";
import { type FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { WaitQueue } from "../../wait/queue.ts";
import { currentTask, ioCaller } from "../kernfs/caller.ts";
import { acquireOnOpen, checkForeground } from "./job_control.ts";
import { readLine, readRaw } from "./reader.ts";
import { slaveIoctl } from "./tty_ioctl.ts";
import type { Tty } from "./tty.ts";

const DECISECOND_NS = 100_000_000;
const READABLE = EPOLLIN | EPOLLRDNORM;
const WRITABLE = EPOLLOUT | EPOLLWRNORM;
/** Linux's WAKEUP_CHARS: with more output than this waiting, poll(2) does not say writable. */
const WAKEUP_ROOM = 256;

/**
 * Opens `tty` for `file`. Returns 0, -EIO or -EBUSY. `mayControl`: without O_NOCTTY it becomes the
 * controlling terminal of a session leader that has none.
 */
export function openSlave(tty: Tty, file: FileDescription, mayControl = true): number {
  const t = currentTask();
  if (!tty.masterOpen || tty.locked) return -EIO;
  if (tty.exclusive && (t === null || !hasCapability(t.creds, CAP_SYS_ADMIN))) return -EBUSY;
  const slave = new SlaveFile(tty, mayControl);
  tty.slaveOpened(slave);
  file.impl = slave;
  return 0;
}

export class SlaveFile extends FileDescriptionImpl {
  /** The terminal went away under this file. */
  hungUp = false;
  /** The read that waits, known by its destination: VTIME's timer is its, and EIO at a hangup. */
  #waiting: IoDst | null = null;
  #timeOver = false;
  /** What the buffer held when the timer was armed: another byte starts it anew. */
  #timerSeen = 0;
  readonly #timer: KernelTimer;

  constructor(readonly tty: Tty, private readonly mayControl: boolean) {
    super();
    this.#timer = {
      deadlineMonoNs: 0,
      fire: () => {
        this.#timeOver = true;
        this.tty.wakeReaders();
      },
    };
  }

  override opened(f: FileDescription, caller: unknown, flags: number): void {
    if (this.mayControl && (flags & O_NOCTTY) === 0) acquireOnOpen(caller as Task, this.tty, f);
  }

  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.tty.slaveQueue;
  }

  override readiness(): number {
    if (this.hungUp) return READABLE | WRITABLE | EPOLLERR | EPOLLHUP;
    const { discipline, output } = this.tty;
    let mask = 0;
    if (discipline.isCanonical) {
      if (discipline.canonHead !== discipline.tail) mask |= READABLE;
    } else {
      const cc = discipline.termios.cc;
      const enough = cc[VTIME] === 0 && cc[VMIN] > 0 ? cc[VMIN] : 1;
      if (discipline.buffered >= enough) mask |= READABLE;
    }
    if (!this.tty.masterOpen) mask |= EPOLLHUP;
    if (!discipline.stopped && output.room >= WAKEUP_ROOM) mask |= WRITABLE;
    return mask;
  }

  override read(f: FileDescription, dst: IoDst, _offset: number): number {
    const tty = this.tty;
    if (this.hungUp) return this.#waiting === dst ? -EIO : 0;
    const err = checkForeground(ioCaller(dst), tty, SIGTTIN);
    if (err < 0) return err;
    if (dst.remaining === 0) return 0;
    const n = tty.discipline.isCanonical
      ? readLine(tty.discipline, dst)
      : this.#readNonCanonical(f, dst);
    if (n === -EAGAIN) {
      if (!f.nonblocking) this.#waiting = dst;
      return n;
    }
    this.#endWait();
    if (n > 0) tty.inputTaken();
    return n;
  }

  /** VMIN and VTIME, termios(3). */
  #readNonCanonical(f: FileDescription, dst: IoDst): number {
    const discipline = this.tty.discipline;
    const { cc, lflag } = discipline.termios;
    // With EXTPROC somebody else makes lines, and what comes of them is read at once.
    const isExternal = (lflag & ICANON) !== 0;
    const min = isExternal ? 1 : cc[VMIN], time = isExternal ? 0 : cc[VTIME];
    const buffered = discipline.buffered;
    if (buffered >= Math.min(Math.max(min, 1), dst.remaining)) return readRaw(discipline, dst);
    if (this.#waiting !== dst) this.#endWait();
    if (min === 0) {
      if (time === 0) return 0;
      if (f.nonblocking) return -EAGAIN;
      if (this.#timeOver) return 0;
      if (this.#waiting !== dst) this.#arm(time);
      return -EAGAIN;
    }
    if (buffered > 0 && (f.nonblocking || this.#timeOver)) return readRaw(discipline, dst);
    if (time > 0 && buffered > 0 && !f.nonblocking && this.#timerSeen !== buffered) {
      this.#timerSeen = buffered;
      this.#arm(time);
    }
    return -EAGAIN;
  }

  #arm(deciseconds: number): void {
    const kernel = this.tty.kernel;
    this.#timer.deadlineMonoNs = kernel.nowMonoNs() + deciseconds * DECISECOND_NS;
    kernel.timers.add(this.#timer);
  }

  #endWait(): void {
    this.#waiting = null;
    this.#timeOver = false;
    this.#timerSeen = 0;
    if ((this.#timer.heapIndex ?? -1) >= 0) this.tty.kernel.timers.cancel(this.#timer);
  }

  override write(_f: FileDescription, src: IoSrc, _offset: number): number {
    const tty = this.tty;
    if (this.hungUp || !tty.masterOpen) return -EIO;
    if ((tty.discipline.termios.lflag & TOSTOP) !== 0) {
      const err = checkForeground(ioCaller(src), tty, SIGTTOU);
      if (err < 0) return err;
    }
    return tty.write(src);
  }

  override ioctl(
    f: FileDescription,
    caller: IoctlCaller,
    cmd: number,
    arg: number,
  ): number | Promise<number> {
    if (this.hungUp) return cmd === TIOCSPGRP ? -ENOTTY : -EIO;
    return slaveIoctl(this.tty, f, caller as Task, cmd, arg);
  }

  override release(_f: FileDescription): void {
    this.#endWait();
    this.tty.slaveReleased(this);
  }
}
