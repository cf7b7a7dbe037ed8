/**
 * timerfd_create(2). The timer runs on the monotonic clock; for CLOCK_REALTIME the deadline is
 * translated when it is set, since nothing in the sandbox can set the clock. A periodic timer that
 * nobody reads costs nothing: it is armed again by read(2), which counts what was missed.
 */
import { EPOLLIN } from "../../../platform/abi/epoll.ts";
import { EAGAIN, EFAULT, EINVAL, ENOTTY } from "../../../platform/abi/errno.ts";
import { NSEC_PER_SEC, TFD_IOC_SET_TICKS } from "../../../platform/abi/time.ts";
import { getU64, setU64 } from "../../../platform/abi/bytes.ts";
import type { KernelTimer, TimerHeap } from "../../kernel/timers.ts";
import { newAnonFile } from "../../vfs/anon.ts";
import { FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { IoDst } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";

const scratch = new Uint8Array(8);
const view = new DataView(scratch.buffer);

/** What a timer needs of the kernel. */
export interface TimerSource {
  readonly timers: TimerHeap;
  nowMonoNs(): number;
}

export class TimerFd extends FileDescriptionImpl implements KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  intervalNs = 0;
  /** TFD_TIMER_* of the last timerfd_settime(2), for fdinfo. */
  settimeFlags = 0;
  /** Expirations not read yet; of a periodic timer at most one until `#catchUp`. */
  #ticks = 0;
  /** Fired, and not armed again. */
  #expired = false;
  readonly #queue = new WaitQueue();

  constructor(readonly source: TimerSource, readonly clockId: number) {
    super();
  }
  override get seekable(): boolean {
    return false;
  }
  override get ignoresSeeks(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.#queue;
  }
  override readiness(): number {
    return this.#ticks > 0 ? EPOLLIN : 0;
  }

  fire(): void {
    this.#ticks++;
    this.#expired = true;
    this.#queue.notify(EPOLLIN);
  }

  /** `deadlineMonoNs` below 0 disarms. A deadline in the past fires at once. */
  set(deadlineMonoNs: number, intervalNs: number): void {
    this.source.timers.cancel(this);
    this.#ticks = 0;
    this.#expired = false;
    this.intervalNs = intervalNs;
    this.deadlineMonoNs = deadlineMonoNs;
    if (deadlineMonoNs < 0) {
      this.deadlineMonoNs = 0;
      return;
    }
    if (deadlineMonoNs <= this.source.nowMonoNs()) this.fire();
    else this.source.timers.add(this);
  }

  /** Time to the next expiration, 0 when disarmed. */
  remainingNs(): number {
    if (this.#expired && this.intervalNs > 0) this.#catchUp();
    if (this.heapIndex < 0) return 0;
    return Math.max(1, this.deadlineMonoNs - this.source.nowMonoNs());
  }

  override read(_f: FileDescription, dst: IoDst): number {
    if (dst.remaining < 8) return -EINVAL;
    if (this.#ticks === 0) return -EAGAIN;
    if (this.#expired && this.intervalNs > 0) this.#catchUp();
    setU64(view, 0, this.#ticks);
    this.#ticks = 0;
    this.#expired = false;
    return dst.put(scratch, 0, 8) === 8 ? 8 : -EFAULT;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd !== TFD_IOC_SET_TICKS) return -ENOTTY;
    if (caller.copyIn(arg, scratch, 0, 8) < 0) return -EFAULT;
    const ticks = getU64(view, 0);
    if (ticks === 0) return -EINVAL;
    this.#ticks = ticks;
    this.#queue.notify(EPOLLIN);
    return 0;
  }
  override release(): void {
    this.source.timers.cancel(this);
  }
  override fdinfo(): string {
    return `clockid: ${this.clockId}\nticks: ${this.#ticks}\n` +
      `settime flags: 0${this.settimeFlags.toString(8)}\n` +
      `it_value: ${timespecText(this.remainingNs())}\n` +
      `it_interval: ${timespecText(this.intervalNs)}\n`;
  }

  /** Counts the periods that passed since the expiration, and arms the next one. */
  #catchUp(): void {
    const late = Math.max(0, this.source.nowMonoNs() - this.deadlineMonoNs);
    const missed = Math.floor(late / this.intervalNs);
    this.#ticks += missed;
    this.deadlineMonoNs += (missed + 1) * this.intervalNs;
    this.#expired = false;
    this.source.timers.add(this);
  }
}

function timespecText(ns: number): string {
  const sec = Math.floor(ns / NSEC_PER_SEC);
  return `(${sec}, ${Math.floor(ns - sec * NSEC_PER_SEC)})`;
}

export function newTimerFd(source: TimerSource, clockId: number, flags: number): FileDescription {
  return newAnonFile("[timerfd]", new TimerFd(source, clockId), flags);
}
