/** Long calls are served in turns with all others (Linux: cond_resched, fatal_signal_pending). */
import { BLOCK_INTERRUPTED, TURN_NS } from "./block.ts";
import type { SyscallReturn } from "./syscall.ts";
import type { Task } from "./task.ts";

/** The turn of a call of `t`. It begins when `isOver` is first asked. */
export class Turn {
  #endMonoNs = -1;

  constructor(private readonly t: Task) {}

  /** Whether the call should let others be served now. */
  get isOver(): boolean {
    const now = this.t.kernel.nowMonoNs();
    if (this.#endMonoNs < 0) this.#endMonoNs = now + TURN_NS;
    return now >= this.#endMonoNs;
  }

  /** Lets others be served; then the call has another turn. False: the task was killed, the call ends. */
  async next(): Promise<boolean> {
    const why = await this.t.blocking.giveWay();
    this.#endMonoNs = -1;
    return why !== BLOCK_INTERRUPTED;
  }
}

/** What a step of `inTurns` returns when others are to follow. */
export const MORE = 1;

/**
 * Does `step` after `step` while it returns MORE, in as many turns as it takes. Returns what the last step did, 0 or
 * -errno; `killed` (-errno) when a fatal signal ends the call.
 */
export function inTurns(t: Task, killed: number, step: () => number): SyscallReturn {
  return goOn(new Turn(t), killed, step);
}

function goOn(turn: Turn, killed: number, step: () => number): SyscallReturn {
  while (!turn.isOver) {
    const result = step();
    if (result !== MORE) return result;
  }
  return turn.next().then((lives) => lives ? goOn(turn, killed, step) : killed);
}
