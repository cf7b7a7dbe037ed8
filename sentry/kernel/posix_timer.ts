/** POSIX per-process timers: timer_create(2) and its family (Linux: kernel/time/posix-timers.c). */
import { EAGAIN } from "../../platform/abi/errno.ts";
import { RLIMIT_SIGPENDING } from "../../platform/abi/resource.ts";
import { SI_TIMER, SIGEV_NONE } from "../../platform/abi/signal.ts";
import { type ClockSource, type ClockTimer, newTimer } from "./clock_source.ts";
import { sendForCpuTime, sendSignal } from "./signal.ts";
import type { UserAccount } from "./kernel.ts";
import { SigInfo } from "./signal_info.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** Timers one process may have, whatever RLIMIT_SIGPENDING allows. */
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

export class PosixTimer {
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
    /** As timer_create(2) was given it. */
    readonly clockId: number,
    readonly clock: ClockSource,
    readonly event: TimerNotification,
    /** Charged for the signal that the timer can always send (RLIMIT_SIGPENDING). */
    private readonly user: UserAccount,
  ) {
    user.pendingSignals++;
    this.#timer = newTimer(tg.kernel.timers, clock, () => this.#expired());
  }
  readonly #timer: ClockTimer;

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
    this.#timer.disarm();
    this.#expiryNs = expiryNs;
    this.intervalNs = intervalNs;
    this.#overrun = 0;
    this.lastOverrun = 0;
    this.#forgetSignal();
    if (expiryNs !== 0 && this.event.notify !== SIGEV_NONE) this.#timer.arm(expiryNs);
  }

  delete(): void {
    this.user.pendingSignals--;
    this.#timer.disarm();
    this.#expiryNs = 0;
    this.#forgetSignal();
  }

  #expired(): void {
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
    const ignored = this.tg.actions.ignores(event.signo);
    const failed = this.#sendTo(event.thread, info) === -EAGAIN;
    // A standard signal that is pending already takes no second entry, and nobody would tell of this one.
    if (failed || ignored || !info.isQueued) this.#dropped();
  }

  /** Returns -EAGAIN when the signal was not queued. */
  #sendTo(thread: Task | null, info: SigInfo): number {
    if (thread !== null) return thread.exiting ? -EAGAIN : sendSignal(thread, info, true);
    return this.clock.isCpuClock ? sendForCpuTime(this.tg, info) : sendSignal(this.tg, info, true);
  }

  /** The signal was not queued: go on without it, or an ignored periodic timer would stop. */
  #dropped(): void {
    this.#signalQueued = false;
    if (this.intervalNs === 0) return;
    this.#forward();
    this.#timer.arm(this.#expiryNs);
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
      this.#timer.arm(this.#expiryNs);
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

  /** `user`: whom RLIMIT_SIGPENDING limits. -EAGAIN at the limit. */
  create(
    clockId: number,
    clock: ClockSource,
    event: TimerNotification,
    user: UserAccount,
  ): PosixTimer | number {
    const limit = this.tg.limits.cur[RLIMIT_SIGPENDING];
    if (this.#timers.size >= MAX_TIMERS || user.pendingSignals >= limit) return -EAGAIN;
    while (this.#timers.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0x7fffffff;
    const timer = new PosixTimer(this.tg, this.#nextId, clockId, clock, event, user);
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
