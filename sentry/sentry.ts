/**
 * The Sentry as one script. The build wraps it into a function of `moduleUrl` and gives V8's bytecode of it
 * along: worker.ts runs it, without a look at the source text.
 */
import { hostSyscall, pwriteFd } from "../platform/host/host.ts";
import { SYS_dup, SYS_exit_group, SYS_wait4 } from "../platform/abi/amd64/syscalls.ts";
import { __WALL } from "../platform/abi/wait.ts";
import { sandboxMain } from "./boot/main.ts";
import { forgetSandbox } from "../platform/host/one_sandbox.ts";
import type { SentryStart, WorkerScope } from "./config.ts";

/** V8's, which --expose-gc shows. */
declare const gc: () => void;

/** Runs a sandbox to its end, which is this process's, unless it was a rehearsal. */
export async function serve(start: SentryStart, worker: WorkerScope): Promise<void> {
  const status = await sandboxMain(start, worker);
  if (start.config.rehearsal === null) hostSyscall(SYS_exit_group, status);
  while (hostSyscall(SYS_wait4, -1, 0, __WALL) > 0) continue;
  forgetSandbox();
  gc();
  gc();
  worker.post({ type: "over" });
}

/** A descriptor of the same file, which the guest cannot close. */
export function duplicate(fd: number): number {
  return hostSyscall(SYS_dup, fd);
}

/** Writes all of `bytes` to the beginning of a file. */
export function writeFile(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const n = pwriteFd(fd, bytes, at, bytes.length, at);
    if (n <= 0) throw new Error(`cannot write: errno ${-n}`);
    at += n;
  }
}
