/** RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one (getrlimit(2)). */
import { RLIM_INFINITY, RLIMIT_CPU } from "../../platform/abi/resource.ts";
import { SIGKILL, SIGXCPU } from "../../platform/abi/signal.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { processCpuNs } from "./cpu_time.ts";
import { sendSignal } from "./signal.ts";
import { kernelSignal } from "./signal_info.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { KernelTimer } from "./timers.ts";

const STEP_NS = 1_000_000;

class CpuLimit implements KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  /** CPU time at which SIGXCPU is due; moves on a second with each. */
  #softNs = 0;

  constructor(private readonly tg: ThreadGroup) {}

  arm(): void {
    const { kernel, limits } = this.tg;
    kernel.timers.cancel(this);
    const soft = limits.cur[RLIMIT_CPU];
    this.#softNs = soft >= RLIM_INFINITY ? Infinity : soft * NSEC_PER_SEC;
    this.#queue();
  }

  #hardNs(): number {
    const hard = this.tg.limits.max[RLIMIT_CPU];
    return hard >= RLIM_INFINITY ? Infinity : hard * NSEC_PER_SEC;
  }

  #queue(): void {
    const { kernel } = this.tg;
    const due = Math.min(this.#softNs, this.#hardNs());
    if (due === Infinity || this.tg.exiting) return;
    const left = (due - processCpuNs(this.tg)) / Math.max(1, this.tg.liveThreads());
    this.deadlineMonoNs = kernel.nowMonoNs() + Math.max(left, STEP_NS);
    kernel.timers.add(this);
  }

  fire(): void {
    if (this.tg.exiting) return;
    const used = processCpuNs(this.tg);
    if (used >= this.#hardNs()) {
      sendSignal(this.tg, kernelSignal(SIGKILL), true);
      return;
    }
    if (used >= this.#softNs) {
      this.#softNs += NSEC_PER_SEC;
      sendSignal(this.tg, kernelSignal(SIGXCPU), true);
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
