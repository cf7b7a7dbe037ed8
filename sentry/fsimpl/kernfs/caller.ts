/** Who calls a file implementation (Linux: current). */
import { current } from "../../kernel/current.ts";
import { Task } from "../../kernel/task.ts";

/**
 * The task that reads or writes: the one whose memory the bytes belong to, which is right also when a
 * blocked call goes on; else the task being dispatched. Null for the kernel itself.
 */
export function ioCaller(io: object): Task | null {
  const task = (io as { user?: unknown }).user;
  return task instanceof Task ? task : current.task;
}

/** The task whose call is being dispatched: for open, readlink and other synchronous operations. */
export function currentTask(): Task | null {
  return current.task;
}
