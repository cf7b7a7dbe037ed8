/** getitimer(2), setitimer(2), alarm(2), and RLIMIT_CPU (Linux: kernel/time/itimer.c). */
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL } from "../../platform/abi/time.ts";
import { SIGALRM, SIGPROF, SIGVTALRM } from "../../platform/abi/signal.ts";
import { processCpuNs } from "./cpu_time.ts";
import { sendSignal } from "./signal.ts";
import { kernelSignal } from "./signal_info.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { KernelTimer } from "./timers.ts";

/** By ITIMER_*. */
const SIGNALS = [SIGALRM, SIGVTALRM, SIGPROF];

/** One interval timer on the monotonic clock or on the process's CPU time. */
class IntervalTimer implements KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  /** In this timer's own clock; 0 when disarmed. */
  #expiryNs = 0;
  intervalNs = 0;

  constructor(private readonly tg: ThreadGroup, private readonly which: number) {}

  #clockNs(): number {
    if (this.which === ITIMER_REAL) return this.tg.kernel.nowMonoNs();
    return processCpuNs(this.tg, this.which === ITIMER_VIRTUAL);
  }

  remainingNs(): number {
    if (this.#expiryNs === 0) return 0;
    // An expired timer whose signal is on its way still shows one tick (itimer_get_remtime).
    return Math.max(this.#expiryNs - this.#clockNs(), 1000);
  }

  arm(valueNs: number, intervalNs: number): void {
    const { timers } = this.tg.kernel;
    timers.cancel(this);
    this.intervalNs = intervalNs;
    this.#expiryNs = valueNs === 0 ? 0 : this.#clockNs() + valueNs;
    if (valueNs !== 0) this.#queue();
  }

  /** CPU time cannot pass faster than wall time times the threads: wake then, and look again. */
  #queue(): void {
    const { kernel } = this.tg;
    const left = Math.max(this.#expiryNs - this.#clockNs(), 0);
    const speed = this.which === ITIMER_REAL ? 1 : Math.max(1, this.tg.liveThreads());
    const wait = this.which === ITIMER_REAL ? left : Math.max(left / speed, 1_000_000);
    this.deadlineMonoNs = kernel.nowMonoNs() + wait;
    kernel.timers.add(this);
  }

  fire(): void {
    const now = this.#clockNs();
    if (now < this.#expiryNs) return this.#queue();
    if (this.intervalNs > 0) {
      const missed = Math.floor((now - this.#expiryNs) / this.intervalNs);
      this.#expiryNs += (missed + 1) * this.intervalNs;
      this.#queue();
    } else this.#expiryNs = 0;
    sendSignal(this.tg, kernelSignal(SIGNALS[this.which]), true);
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
