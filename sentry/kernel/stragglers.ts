/** Threads of an ending process that do not come: their guest has broken what they would come by. */
import type { KernelTimer } from "./timers.ts";
import { type Task, TASK_RUNNING } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** An interrupted thread comes within microseconds, unless the host has no processor for it. */
const PATIENCE_NS = 2e9;

class Stragglers implements KernelTimer {
  constructor(readonly tg: ThreadGroup, readonly deadlineMonoNs: number) {}

  /** What is left of the process is ended from outside, and its threads are lost. */
  fire(): void {
    const { tg } = this;
    tg.stragglers = null;
    const left = tg.threads.find(isAtLarge);
    // Who shares the memory of another process is not worth that one's life.
    if (left !== undefined && left.mm.refs === tg.liveThreads()) left.ctx!.addressSpace.kill();
  }
}

function isAtLarge(t: Task): boolean {
  return !t.exiting && t.ctx !== null && t.state === TASK_RUNNING && t.sysno < 0;
}

/** After the threads of an ending process have been interrupted. */
export function expectStragglers(tg: ThreadGroup): void {
  const { kernel } = tg;
  if (tg.stragglers !== null || !tg.threads.some(isAtLarge)) return;
  tg.stragglers = new Stragglers(tg, kernel.nowMonoNs() + PATIENCE_NS);
  kernel.timers.add(tg.stragglers);
}

/** All threads have come. */
export function forgetStragglers(tg: ThreadGroup): void {
  if (tg.stragglers !== null) tg.kernel.timers.cancel(tg.stragglers);
  tg.stragglers = null;
}
