/** Tracing of system calls (--strace): what a trace is told; sentry/strace writes the lines. */
import type { Task } from "./task.ts";

export interface Strace {
  enter(t: Task, number: number): void;
  /** The call that `t` entered did not return at once. */
  blocked(t: Task): void;
  leave(t: Task, number: number, result: number): void;
  signal(t: Task, signo: number, addr: number): void;
}
