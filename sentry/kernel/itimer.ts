/** getitimer(2), setitimer(2), alarm(2), and RLIMIT_CPU (Linux: kernel/time/itimer.c). */
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL } from "../../platform/abi/time.ts";
import { SIGALRM, SIGPROF, SIGVTALRM } from "../../platform/abi/signal.ts";
import { type ClockSource, type ClockTimer, MONOTONIC, newTimer } from "./clock_source.ts";
import { CpuClock } from "./cpu_timer.ts";
import { sendForCpuTime, sendSignal } from "./signal.ts";
import { kernelSignal } from "./signal_info.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** By ITIMER_*. */
const SIGNALS = [SIGALRM, SIGVTALRM, SIGPROF];

/** One interval timer on the monotonic clock or on the process's CPU time. */
class IntervalTimer {
  /** On this timer's clock; 0 when disarmed. */
  #expiryNs = 0;
  intervalNs = 0;
  readonly #clock: ClockSource;
  readonly #timer: ClockTimer;

  constructor(private readonly tg: ThreadGroup, private readonly which: number) {
    this.#clock = which === ITIMER_REAL
      ? MONOTONIC
      : new CpuClock(tg, null, which === ITIMER_VIRTUAL);
    this.#timer = newTimer(tg.kernel.timers, this.#clock, () => this.#expired());
  }

  remainingNs(): number {
    if (this.#expiryNs === 0) return 0;
    // An expired timer whose signal is on its way still shows one tick (itimer_get_remtime).
    return Math.max(this.#expiryNs - this.#clock.nowNs(), 1000);
  }

  arm(valueNs: number, intervalNs: number): void {
    this.#timer.disarm();
    this.intervalNs = intervalNs;
    this.#expiryNs = valueNs === 0 ? 0 : this.#clock.nowNs() + valueNs;
    if (valueNs !== 0) this.#timer.arm(this.#expiryNs);
  }

  #expired(): void {
    if (this.intervalNs > 0) {
      const missed = Math.floor((this.#clock.nowNs() - this.#expiryNs) / this.intervalNs);
      this.#expiryNs += (missed + 1) * this.intervalNs;
      this.#timer.arm(this.#expiryNs);
    } else this.#expiryNs = 0;
    const info = kernelSignal(SIGNALS[this.which]);
    if (this.#clock.isCpuClock) sendForCpuTime(this.tg, info);
    else sendSignal(this.tg, info, true);
  }
}

export class IntervalTimers {
  readonly #timers: IntervalTimer[];

  constructor(tg: ThreadGroup) {
    this.#timers = [ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF].map((w) => new IntervalTimer(tg, w));
  }

  remainingNs(which: number): number {
    return this.#timers[which].remainingNs();
  }
  intervalNs(which: number): number {
    return this.#timers[which].intervalNs;
  }
  /** `valueNs` 0 disarms it. */
  arm(which: number, valueNs: number, intervalNs: number): void {
    this.#timers[which].arm(valueNs, intervalNs);
  }
  /** The process ends. */
  disarmAll(): void {
    for (const timer of this.#timers) timer.arm(0, 0);
  }
}

/** The timers of a process, made at first use. */
export function intervalTimers(tg: ThreadGroup): IntervalTimers {
  return tg.itimers ??= new IntervalTimers(tg);
}
