/**
 * The task whose system call is being dispatched (Linux: current). The run loop sets it before each
 * handler. It is right in the synchronous part of a handler only, and serves file implementations
 * whose Linux counterpart looks at the caller: signalfd, SCM_CREDENTIALS of a plain write(2).
 */
import type { Task } from "./task.ts";

class Current {
  task: Task | null = null;
}
export const current = new Current();
