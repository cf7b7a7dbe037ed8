/** RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one (getrlimit(2)). */
import { RLIM_INFINITY, RLIMIT_CPU } from "../../platform/abi/resource.ts";
import { SIGKILL, SIGXCPU } from "../../platform/abi/signal.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { CpuClock, CpuTimer } from "./cpu_timer.ts";
import { sendForCpuTime, sendSignal } from "./signal.ts";
import { kernelSignal } from "./signal_info.ts";
import type { ThreadGroup } from "./thread_group.ts";

class CpuLimit {
  /** CPU time at which SIGXCPU is due; moves on a second with each. */
  #softNs = 0;
  readonly #clock: CpuClock;
  readonly #timer: CpuTimer;

  constructor(private readonly tg: ThreadGroup) {
    this.#clock = new CpuClock(tg);
    this.#timer = new CpuTimer(this.#clock, () => this.#expired());
  }

  arm(): void {
    const soft = this.tg.limits.cur[RLIMIT_CPU];
    this.#softNs = soft >= RLIM_INFINITY ? Infinity : soft * NSEC_PER_SEC;
    this.#queue();
  }

  #hardNs(): number {
    const hard = this.tg.limits.max[RLIMIT_CPU];
    return hard >= RLIM_INFINITY ? Infinity : hard * NSEC_PER_SEC;
  }

  #queue(): void {
    const due = Math.min(this.#softNs, this.#hardNs());
    if (due === Infinity) this.#timer.disarm();
    else this.#timer.arm(due);
  }

  #expired(): void {
    const { tg } = this;
    if (tg.exiting) return;
    const used = this.#clock.nowNs();
    if (used >= this.#hardNs()) {
      sendSignal(tg, kernelSignal(SIGKILL), true);
      return;
    }
    if (used >= this.#softNs) {
      this.#softNs += NSEC_PER_SEC;
      sendForCpuTime(tg, kernelSignal(SIGXCPU));
    }
    this.#queue();
  }
}

const limits = new WeakMap<ThreadGroup, CpuLimit>();

/** RLIMIT_CPU of a process was set, or inherited. */
export function cpuLimitChanged(tg: ThreadGroup): void {
  let limit = limits.get(tg);
  if (limit === undefined) {
    if (tg.limits.cur[RLIMIT_CPU] >= RLIM_INFINITY && tg.limits.max[RLIMIT_CPU] >= RLIM_INFINITY) {
      return;
    }
    limits.set(tg, limit = new CpuLimit(tg));
  }
  limit.arm();
}
