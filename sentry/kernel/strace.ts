/** Tracing of system calls (--strace): what a trace is told; sentry/strace writes the lines. */
import type { SigInfo } from "./signal_info.ts";
import type { Task } from "./task.ts";

export interface Strace {
  enter(t: Task, number: number): void;
  /**
   * The call is served. To show what it wrote, a trace performs what is queued for the guest, which may
   * fail: it returns the result that the guest gets.
   */
  leave(t: Task, number: number, result: number): number;
  /** A signal is being acted on. */
  signal(t: Task, info: SigInfo): void;
  /** The task ends, with `t.exitCode`; it may be inside a call. */
  exit(t: Task): void;
}
