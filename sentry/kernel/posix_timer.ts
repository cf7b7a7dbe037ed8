/** POSIX per-process timers: timer_create(2) and its family (Linux: kernel/time/posix-timers.c). */
import { EAGAIN } from "../../platform/abi/errno.ts";
import { SI_TIMER, SIGEV_NONE } from "../../platform/abi/signal.ts";
import { sendSignal } from "./signal.ts";
import { SigInfo } from "./signal_info.ts";
import type { ClockSource } from "./clock_source.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { KernelTimer } from "./timers.ts";

/** Timers one process may have (Linux charges RLIMIT_SIGPENDING). */
const MAX_TIMERS = 65536;
/** Linux: DELAYTIMER_MAX. */
const OVERRUN_MAX = 0x7fffffff;

export interface TimerNotification {
  /** SIGEV_SIGNAL, SIGEV_NONE, or SIGEV_THREAD_ID with `thread`. */
  notify: number;
  signo: number;
  valueLo: number;
  valueHi: number;
  thread: Task | null;
}

export class PosixTimer implements KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  intervalNs = 0;
  /** In the timer's clock; 0 when disarmed. */
  #expiryNs = 0;
  #overrun = 0;
  /** Overrun of the last signal taken: timer_getoverrun(2). */
  lastOverrun = 0;
  #signalQueued = false;

  constructor(
    private readonly tg: ThreadGroup,
    readonly id: number,
    readonly clock: ClockSource,
    readonly event: TimerNotification,
  ) {}

  /** Time to the next expiry; 0 when disarmed. */
  remainingNs(): number {
    if (this.#expiryNs === 0) return 0;
    const now = this.clock.nowNs();
    // Without a signal (SIGEV_NONE) nothing moves an interval timer on: do it now.
    if (this.intervalNs > 0 && this.#expiryNs <= now) {
      const missed = Math.floor((now - this.#expiryNs) / this.intervalNs) + 1;
      return this.#expiryNs + missed * this.intervalNs - now;
    }
    const left = this.#expiryNs - now;
    if (left > 0) return left;
    return this.event.notify === SIGEV_NONE ? 0 : 1;
  }

  /** `expiryNs` in the timer's clock, 0 disarms it. */
  arm(expiryNs: number, intervalNs: number): void {
    this.tg.kernel.timers.cancel(this);
    this.#expiryNs = expiryNs;
    this.intervalNs = intervalNs;
    this.#overrun = 0;
    this.lastOverrun = 0;
    this.#forgetSignal();
    if (expiryNs !== 0 && this.event.notify !== SIGEV_NONE) this.#queue();
  }

  delete(): void {
    this.tg.kernel.timers.cancel(this);
    this.#expiryNs = 0;
    this.#forgetSignal();
  }

  #queue(): void {
    this.deadlineMonoNs = this.clock.deadlineMonoNs(this.#expiryNs);
    this.tg.kernel.timers.add(this);
  }

  fire(): void {
    const now = this.clock.nowNs();
    if (now < this.#expiryNs) return this.#queue();
    if (this.#signalQueued) {
      this.#overrun = Math.min(this.#overrun + 1, OVERRUN_MAX);
    } else this.#send();
    // An interval timer is armed again when its signal is taken (signalTaken).
    if (this.intervalNs === 0) this.#expiryNs = 0;
  }

  #send(): void {
    const { event } = this;
    const info = new SigInfo(event.signo, SI_TIMER);
    info.timerId = this.id;
    info.valueLo = event.valueLo;
    info.valueHi = event.valueHi;
    info.timer = this;
    info.privileged = true;
    this.#signalQueued = true;
    const target = event.thread !== null && !event.thread.exiting ? event.thread : this.tg;
    const ignored = this.tg.actions.ignores(event.signo);
    if (sendSignal(target, info, true) === -EAGAIN || ignored) this.#dropped();
  }

  /** The signal was not queued: go on without it, or an ignored periodic timer would stop. */
  #dropped(): void {
    this.#signalQueued = false;
    if (this.intervalNs === 0) return;
    this.#forward();
    this.#queue();
  }

  /** Moves an interval timer's expiry past now; returns how many periods were missed. */
  #forward(): number {
    const now = this.clock.nowNs();
    const missed = Math.max(0, Math.floor((now - this.#expiryNs) / this.intervalNs));
    this.#expiryNs += (missed + 1) * this.intervalNs;
    return missed;
  }

  /** Called when the signal leaves the queue: the overrun is known now, and the next period begins. */
  signalTaken(info: SigInfo): void {
    this.#signalQueued = false;
    if (this.intervalNs > 0 && this.#expiryNs !== 0) {
      this.#overrun = Math.min(this.#overrun + this.#forward(), OVERRUN_MAX);
      this.#queue();
    }
    this.lastOverrun = this.#overrun;
    this.#overrun = 0;
    info.overrun = this.lastOverrun;
  }

  #forgetSignal(): void {
    if (!this.#signalQueued) return;
    this.#signalQueued = false;
    const { signo, thread } = this.event;
    for (const queue of [this.tg.pending, thread?.signals.pending]) queue?.remove(signo, this);
  }
}

export class PosixTimers {
  readonly #timers = new Map<number, PosixTimer>();
  #nextId = 0;

  constructor(private readonly tg: ThreadGroup) {}

  create(clock: ClockSource, event: TimerNotification): PosixTimer | number {
    if (this.#timers.size >= MAX_TIMERS) return -EAGAIN;
    while (this.#timers.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0x7fffffff;
    const timer = new PosixTimer(this.tg, this.#nextId, clock, event);
    this.#nextId = (this.#nextId + 1) & 0x7fffffff;
    this.#timers.set(timer.id, timer);
    return timer;
  }

  /** The id timer_create(2) gives next: a timer without a sigevent carries it as its value. */
  get nextId(): number {
    while (this.#timers.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0x7fffffff;
    return this.#nextId;
  }

  get(id: number): PosixTimer | null {
    return this.#timers.get(id) ?? null;
  }

  delete(id: number): boolean {
    this.#timers.get(id)?.delete();
    return this.#timers.delete(id);
  }

  /** execve(2) and exit. */
  deleteAll(): void {
    for (const timer of this.#timers.values()) timer.delete();
    this.#timers.clear();
  }

  *[Symbol.iterator](): Generator<PosixTimer> {
    yield* this.#timers.values();
  }
}

export function posixTimers(tg: ThreadGroup): PosixTimers {
  return tg.posixTimers ??= new PosixTimers(tg);
}
