/** The Sentry with handlers that have a bug: see bugs_test.ts and, in scripts/build, `build_faulty`. */
import { SYS_getpriority, SYS_pause } from "../../platform/abi/amd64/syscalls.ts";
import { FULL, type SyscallReturn, type SyscallRow } from "../../sentry/kernel/syscall.ts";
import type { Task } from "../../sentry/kernel/task.ts";
import { table } from "../../sentry/syscalls/table.ts";

export { duplicate, serve, writeFile } from "../../sentry/sentry.ts";

function failAtOnce(): SyscallReturn {
  throw new TypeError("a bug at once");
}

async function failLater(t: Task): Promise<number> {
  await t.blocking.sleep(t.kernel.nowMonoNs() + 1e6);
  throw new RangeError("a bug after a while");
}

// The last row of a number counts.
(table as SyscallRow[]).push(
  [SYS_getpriority, "getpriority", failAtOnce, FULL],
  [SYS_pause, "pause", failLater, FULL],
);
