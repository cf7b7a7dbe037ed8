/** madvise(2), msync(2), mincore(2): about pages that are there already. */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { EACCES, EBUSY, EFAULT, EINTR, EINVAL, ENOMEM, EPERM } from "../../platform/abi/errno.ts";
import { TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { inTurns, MORE } from "../kernel/turn.ts";
import { isAnyLocked, PRESENT_PIECE } from "../mm/locking.ts";
import { Guards } from "../mm/guards.ts";
import { type MemoryManager, PAGE_SIZE, pageUp } from "../mm/memory_manager.ts";
import {
  MARK_DONTDUMP,
  MARK_DONTFORK,
  MARK_DROPPABLE,
  MARK_HUGEPAGE,
  MARK_NOHUGEPAGE,
  MARK_RANDOM,
  MARK_SEQUENTIAL,
  MARK_WIPEONFORK,
  type Vma,
} from "../mm/vma.ts";

/** What is known. Memory failures (MADV_HWPOISON) and KSM are not: a kernel built without them. */
const KNOWN_ADVICE = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_DONTFORK,
  MADV_DOFORK,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_COLLAPSE,
  MADV_DONTDUMP,
  MADV_DODUMP,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
]);

/** Advice that locked memory does not take. */
const NOT_ON_LOCKED = new Set([
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_GUARD_INSTALL,
]);

/** Advice that loses contents, which a sealed mapping that its owner cannot write does not take. */
const DISCARDS = new Set([
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_DONTFORK,
  MADV_WIPEONFORK,
  MADV_GUARD_INSTALL,
]);

/** madvise(2). */
export function madvise(t: Task, args: SyscallArguments): SyscallReturn {
  if (args.u32(0) % PAGE_SIZE !== 0) return -EINVAL;
  const addr = args.addr(0), length = args.addr(1), advice = args.i32(2);
  const populates = advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE;
  return populates && length > PRESENT_PIECE && addr + length <= t.mm.taskSize
    ? populateInTurns(t, addr, addr + length, advice)
    : advise(t, addr, length, advice);
}

function populateInTurns(t: Task, start: number, end: number, advice: number): SyscallReturn {
  return inTurns(t, -EINTR, () => {
    const err = advise(t, start, Math.min(end - start, PRESENT_PIECE), advice);
    if (err < 0) return err;
    start += PRESENT_PIECE;
    return start < end ? MORE : 0;
  });
}

/** madvise(2) of the caller's own memory, from a page's begin on. Returns 0, -EINVAL, -ENOMEM, -EPERM … */
export function advise(t: Task, addr: number, lengthBytes: number, advice: number): number {
  if (!KNOWN_ADVICE.has(advice)) return -EINVAL;
  const length = pageUp(lengthBytes);
  if (length === 0) return 0;
  if (addr + length >= 2 ** 64) return -EINVAL;
  const whole = Math.min(addr + length, t.mm.taskSize);
  const { err, end } = judge(t.mm, addr, whole, advice);
  if (end > addr) {
    const r = adviseRun(t, addr, end, advice);
    if (r < 0 && (err === 0 || r !== -ENOMEM)) return r;
  }
  return err < 0 ? err : whole < addr + length ? -ENOMEM : 0;
}

/** Advice that no mapping there refuses: 0, -ENOMEM where there are holes, or what the host says. */
function adviseRun(t: Task, addr: number, end: number, advice: number): number {
  const length = end - addr;
  const host = advice === MADV_DONTNEED_LOCKED ? MADV_DONTNEED : advice;
  if (host === MADV_DONTNEED && t.mm.accessible(addr, length, 0)) {
    // The common case cannot fail for us where every page is mapped: no round trip.
    t.ctx!.queueCall(nr.SYS_madvise, addr, length, host, 0, 0);
    return 0;
  }
  const r = t.ctx!.callNow(nr.SYS_madvise, addr, length, host, 0, 0);
  // A hole is an error, but what is mapped around it has taken the advice.
  if (r >= 0 || r === -ENOMEM) remember(t, addr, end, advice);
  return r;
}

/** The error of the first mapping in [addr, end) that refuses the advice, and where it begins; else 0 and `end`. */
function judge(
  mm: MemoryManager,
  addr: number,
  end: number,
  advice: number,
): { err: number; end: number } {
  let err = 0;
  mm.vmas.some(addr, end, (vma) => {
    err = refusalOf(vma, advice);
    if (err < 0) end = Math.max(addr, vma.start);
    return err < 0;
  });
  return { err, end };
}

/** What the first mapping that does not take `advice` says: 0, -EINVAL, -EPERM, -EACCES. */
export function refusal(mm: MemoryManager, addr: number, end: number, advice: number): number {
  return judge(mm, addr, end, advice).err;
}

function refusalOf(vma: Vma, advice: number): number {
  if (isReadOnlySealed(vma) && DISCARDS.has(advice)) return -EPERM;
  if (vma.locked && NOT_ON_LOCKED.has(advice)) return -EINVAL;
  switch (advice) {
    case MADV_KEEPONFORK:
    case MADV_DODUMP:
      return isDroppable(vma) ? -EINVAL : 0;
    case MADV_WIPEONFORK:
      return isAnonymous(vma) ? 0 : -EINVAL;
    case MADV_FREE: // A private mapping of /dev/zero has a file, and no page of it.
      return isAnonymous(vma) || (!vma.shared && vma.file?.impl.mapsAnonymous === true)
        ? 0
        : -EINVAL;
    case MADV_REMOVE:
      if (isAnonymous(vma)) return -EINVAL;
      return vma.shared && (vma.maxProt & PROT_WRITE) !== 0 ? 0 : -EACCES;
    default:
      return 0;
  }
}

function isDroppable(vma: Vma): boolean {
  return (vma.marks & MARK_DROPPABLE) !== 0;
}

function isAnonymous(vma: Vma): boolean {
  return vma.file === null && !vma.shared;
}

function isReadOnlySealed(vma: Vma): boolean {
  return vma.sealed && isAnonymous(vma) && (vma.prot & PROT_WRITE) === 0;
}

/** What smaps shows, and what the list of a fork's child must not hold: marks cleared and set by advice. */
const MARKS_OF_ADVICE = new Map<number, readonly [number, number]>([
  [MADV_NORMAL, [MARK_RANDOM | MARK_SEQUENTIAL, 0]],
  [MADV_RANDOM, [MARK_SEQUENTIAL, MARK_RANDOM]],
  [MADV_SEQUENTIAL, [MARK_RANDOM, MARK_SEQUENTIAL]],
  [MADV_DONTFORK, [0, MARK_DONTFORK]],
  [MADV_DOFORK, [MARK_DONTFORK, 0]],
  [MADV_WIPEONFORK, [0, MARK_WIPEONFORK]],
  [MADV_KEEPONFORK, [MARK_WIPEONFORK, 0]],
  [MADV_DONTDUMP, [0, MARK_DONTDUMP]],
  [MADV_DODUMP, [MARK_DONTDUMP, 0]],
  [MADV_HUGEPAGE, [MARK_NOHUGEPAGE, MARK_HUGEPAGE]],
  [MADV_NOHUGEPAGE, [MARK_HUGEPAGE, MARK_NOHUGEPAGE]],
]);

function remember(t: Task, addr: number, end: number, advice: number): void {
  if (advice === MADV_GUARD_INSTALL) (t.mm.guards ??= new Guards()).add(addr, end);
  else if (advice === MADV_GUARD_REMOVE) t.mm.guards?.remove(addr, end);
  const marks = MARKS_OF_ADVICE.get(advice);
  if (marks === undefined) return;
  const [clear, set] = marks;
  t.mm.vmas.change(addr, end, (vma) => vma.marks = (vma.marks & ~clear) | set);
}

function msync(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const flags = args.i32(2);
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0) return -EINVAL;
  if (args.u32(0) % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const length = pageUp(args.addr(1));
  if (length === 0 || length === 2 ** 64) return 0; // Rounded up, the longest are nothing.
  if (addr + length >= 2 ** 64) return -ENOMEM;
  if ((flags & MS_INVALIDATE) !== 0 && isAnyLocked(t.mm, addr, addr + length)) return -EBUSY;
  if (!t.mm.accessible(addr, length, 0)) return -ENOMEM;
  return (flags & MS_SYNC) === 0 ? 0 : t.ctx!.callNow(nr.SYS_msync, addr, length, flags, 0, 0);
}

function mincore(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const length = pageUp(args.addr(1));
  if (args.u32(0) % PAGE_SIZE !== 0) return -EINVAL;
  if (addr + args.addr(1) > TASK_SIZE_MAX) return -ENOMEM;
  const end = args.addr(2) + length / PAGE_SIZE;
  if (end > TASK_SIZE_MAX) return -EFAULT;
  if (!t.mm.accessible(addr, length, 0)) return -ENOMEM;
  if (end > t.mm.taskSize) return -EFAULT;
  return t.ctx!.callNow(nr.SYS_mincore, addr, length, args.addr(2), 0, 0);
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_madvise, "madvise", madvise, PARTIAL, "no MADV_MERGEABLE, no MADV_HWPOISON"],
  [nr.SYS_msync, "msync", msync, FULL],
  [nr.SYS_mincore, "mincore", mincore, FULL],
];
