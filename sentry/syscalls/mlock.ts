/** mlock(2), mlock2(2), munlock(2), mlockall(2), munlockall(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { CAP_IPC_LOCK } from "../../platform/abi/capability.ts";
import { EAGAIN, EINTR, EINVAL, ENOMEM, EPERM } from "../../platform/abi/errno.ts";
import {
  MAP_LOCKED,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
} from "../../platform/abi/mman.ts";
import { RLIMIT_MEMLOCK } from "../../platform/abi/resource.ts";
import { hasCapability } from "../auth/credentials.ts";
import {
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { inTurns, MORE } from "../kernel/turn.ts";
import {
  lockedBytes,
  lockedBytesIn,
  lockRange,
  makeSomePresent,
  unlockRange,
} from "../mm/locking.ts";
import { PAGE_SIZE, pageDown, pageUp } from "../mm/memory_manager.ts";
import { MARK_LOCKED_ON_FAULT, type Vma } from "../mm/vma.ts";

/** What the process may lock in all. */
export function lockLimit(t: Task): number {
  return hasCapability(t.creds, CAP_IPC_LOCK) ? Infinity : t.tg.limits.cur[RLIMIT_MEMLOCK];
}

/** Whether a new mapping of `length` bytes may be locked: mmap(2)'s errors. */
export function mayLockMore(t: Task, length: number): number {
  t.ctx!.addressSpace.watchAdvice();
  const limit = lockLimit(t);
  if (limit === 0) return -EPERM;
  return lockedBytes(t.mm) + length > limit ? -EAGAIN : 0;
}

function mlock(t: Task, args: SyscallArguments): SyscallReturn {
  return lock(t, args.addr(0), args.addr(1), false);
}

function mlock2(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(2);
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  return lock(t, args.addr(0), args.addr(1), (flags & MLOCK_ONFAULT) !== 0);
}

/** Where the pages of `length` bytes at `addr` end. A length that rounds up to 2^64 is none, as on Linux. */
function lockEnd(addr: number, length: number): number {
  const start = pageDown(addr);
  const size = pageUp(length + (addr - start));
  return start + (size >= 2 ** 64 ? 0 : size);
}

function lock(t: Task, addr: number, length: number, onFault: boolean): SyscallReturn {
  const { mm } = t;
  t.ctx!.addressSpace.watchAdvice();
  const limit = lockLimit(t);
  if (limit === 0) return -EPERM;
  const start = pageDown(addr);
  const end = lockEnd(addr, length);
  if (lockedBytes(mm) + end - start - lockedBytesIn(mm, start, end) > limit) return -ENOMEM;
  if (end >= 2 ** 64) return -EINVAL;
  if (end === start) return 0;
  const run = mm.accessibleRun(start, end - start, 0);
  const isWhole = run === end - start;
  lockRange(mm, start, start + run, onFault); // As Linux: what lies before a hole is locked.
  if (!isWhole) return -ENOMEM;
  return onFault ? 0 : makePresent(t, start, end);
}

/** Makes the pages of [start, end) present. */
function makePresent(t: Task, start: number, end: number): SyscallReturn {
  return inTurns(t, -EINTR, () => {
    start = makeSomePresent(t.mm, t.ctx!, start, end);
    return start < 0 ? start : start < end ? MORE : 0;
  });
}

function munlock(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const start = pageDown(addr);
  const end = lockEnd(addr, args.addr(1));
  if (end >= 2 ** 64) return -EINVAL;
  if (end === start) return 0;
  const run = t.mm.accessibleRun(start, end - start, 0);
  unlockRange(t.mm, start, start + run);
  return run === end - start ? 0 : -ENOMEM;
}

function mlockall(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(0);
  if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  if (flags === MCL_ONFAULT) return -EINVAL;
  const { mm } = t;
  t.ctx!.addressSpace.watchAdvice();
  const limit = lockLimit(t);
  if (limit === 0) return -EPERM;
  if ((flags & MCL_CURRENT) !== 0 && mm.totalBytes > limit) return -ENOMEM;
  const onFault = (flags & MCL_ONFAULT) !== 0;
  const future = (flags & MCL_FUTURE) !== 0;
  mm.futureFlags = future ? MAP_LOCKED : 0;
  mm.futureMarks = future && onFault ? MARK_LOCKED_ON_FAULT : 0;
  if ((flags & MCL_CURRENT) === 0) return 0;
  const vmas = mm.vmas.all.slice();
  for (const { start, end } of vmas) lockRange(mm, start, end, onFault);
  return onFault ? 0 : makeAllPresent(t, vmas);
}

/** What cannot be made present (PROT_NONE, beyond a file's end) is no error here. */
function makeAllPresent(t: Task, vmas: readonly Vma[]): SyscallReturn {
  let i = 0;
  let from = 0;
  return inTurns(t, -EINTR, () => {
    if (i === vmas.length) return 0;
    const { start, end } = vmas[i];
    from = Math.max(from, start);
    if (from < end) from = makeSomePresent(t.mm, t.ctx!, from, end);
    if (from < 0 || from >= end) i++;
    return MORE;
  });
}

function munlockall(t: Task): SyscallReturn {
  const { mm } = t;
  mm.futureFlags = 0;
  mm.futureMarks = 0;
  unlockRange(mm, 0, mm.taskSize + PAGE_SIZE);
  return 0;
}

const NOTE = "pages are made present, not pinned";

export const rows: readonly SyscallRow[] = [
  [nr.SYS_mlock, "mlock", mlock, PARTIAL, NOTE],
  [nr.SYS_mlock2, "mlock2", mlock2, PARTIAL, NOTE],
  [nr.SYS_munlock, "munlock", munlock, PARTIAL, NOTE],
  [nr.SYS_mlockall, "mlockall", mlockall, PARTIAL, NOTE],
  [nr.SYS_munlockall, "munlockall", munlockall, PARTIAL, NOTE],
];
