/** process_madvise(2): madvise(2) for many ranges, and for other processes. */
import { SYS_process_madvise } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import { EACCES, EINVAL, ENOMEM, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED } from "../../platform/abi/mman.ts";
import { hasCapability } from "../auth/credentials.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { type MemoryManager, PAGE_SIZE, pageUp } from "../mm/memory_manager.ts";
import { mayAccess } from "./access.ts";
import { advise, refusal } from "./madvise.ts";
import { pidfdOrSelf } from "./pidfd.ts";
import { copyInIovec, type Range } from "./process_vm.ts";

/** Advice to another process: what no program can tell from its having been followed or not. */
const HINTS = new Set([MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED]);

/** process_madvise(2). Returns the bytes that took the advice, or why the first range did not. */
export function processMadvise(t: Task, args: SyscallArguments): number {
  if (args.u32(4) !== 0) return -EINVAL;
  const ranges = copyInIovec(t, args.addr(1), args.u32(2), true);
  if (typeof ranges === "number") return ranges;
  const target = pidfdOrSelf(t, args.i32(0));
  if (typeof target === "number") return target;
  if (target.exiting) return -ESRCH;
  const advice = args.i32(3);
  if (target.mm === t.mm) return forEach(ranges, (r) => advise(t, r.addr, r.length, advice));
  if (!mayAccess(t, target, true)) return -EACCES;
  if (!HINTS.has(advice)) return -EINVAL;
  if (!hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  return forEach(ranges, (r) => hint(target.mm, r, advice));
}

/** Stops at the first range that is refused; what came before it counts. */
function forEach(ranges: readonly Range[], adviseOn: (range: Range) => number): number {
  let total = 0;
  for (const range of ranges) {
    const r = range.addr % PAGE_SIZE !== 0 ? -EINVAL : adviseOn(range);
    if (r < 0) return total > 0 ? total : r;
    total += range.length;
  }
  return total;
}

/** The checks of a hint. It is not passed on: another process's memory is out of reach while that runs. */
function hint(mm: MemoryManager, range: Range, advice: number): number {
  const length = pageUp(range.length);
  const err = refusal(mm, range.addr, range.addr + length, advice);
  if (err < 0) return err;
  return mm.accessible(range.addr, length, 0) ? 0 : -ENOMEM;
}

const NOTE = "hints to another process have no effect; no MADV_COLLAPSE there";

export const rows: readonly SyscallRow[] = [
  [SYS_process_madvise, "process_madvise", processMadvise, PARTIAL, NOTE],
];
