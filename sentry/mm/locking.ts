/**
 * mlock(2) and its kin (Linux: mm/mlock.c). A guest's pages are the host's, which pins none for it: they
 * are made present, counted and shown, and what Linux forbids on locked memory is forbidden.
 */
import { SYS_madvise } from "../../platform/abi/amd64/syscalls.ts";
import { EAGAIN, EFAULT, ENOMEM } from "../../platform/abi/errno.ts";
import {
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MAP_LOCKED,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import type { Context } from "../../platform/platform.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { MARK_DROPPABLE, MARK_LOCKED_ON_FAULT, type Vma } from "./vma.ts";

/** Linux: mm->locked_vm, in bytes. */
export function lockedBytes(mm: MemoryManager): number {
  let bytes = 0;
  for (const vma of mm.vmas.all) if (vma.locked) bytes += vma.end - vma.start;
  return bytes;
}

/** Bytes of [start, end) that are locked already. */
export function lockedBytesIn(mm: MemoryManager, start: number, end: number): number {
  let bytes = 0;
  mm.vmas.some(start, end, (vma) => {
    if (vma.locked) bytes += Math.min(end, vma.end) - Math.max(start, vma.start);
    return false;
  });
  return bytes;
}

export function isAnyLocked(mm: MemoryManager, start: number, end: number): boolean {
  return mm.vmas.some(start, end, (vma) => vma.locked);
}

/** Marks [start, end), which has no holes. Its pages are to be made present, or with `onFault` come when touched. */
export function lockRange(mm: MemoryManager, start: number, end: number, onFault: boolean): void {
  mm.vmas.change(start, end, (vma) => {
    if ((vma.marks & MARK_DROPPABLE) !== 0) return; // Not an error, as on Linux.
    vma.flags |= MAP_LOCKED;
    vma.marks &= ~MARK_LOCKED_ON_FAULT;
    if (onFault) vma.marks |= MARK_LOCKED_ON_FAULT;
  });
}

/** Bytes that are made present at once, while all others wait. */
export const PRESENT_PIECE = 4 << 20;

/** Makes pages from `start` on present. Returns where those that are still missing begin, at most `end`, or -errno. */
export function makeSomePresent(
  mm: MemoryManager,
  ctx: Context,
  start: number,
  end: number,
): number {
  const vma = mm.vmas.at(start);
  if (vma === null) return -ENOMEM;
  const to = Math.min(start + PRESENT_PIECE, vma.end, end);
  const err = populate(ctx, vma, start, to);
  // As mlock(2) reports it: __mlock_posix_error_return.
  if (err < 0) return err === -ENOMEM ? -EAGAIN : err === -EFAULT ? -ENOMEM : err;
  return to;
}

export function unlockRange(mm: MemoryManager, start: number, end: number): void {
  mm.vmas.change(start, end, (vma) => {
    vma.flags &= ~MAP_LOCKED;
    vma.marks &= ~MARK_LOCKED_ON_FAULT;
  });
}

/** Makes the pages of [start, end) in `vma` present, as writing or reading them would. */
export function populate(ctx: Context, vma: Vma, start: number, end: number): number {
  if (vma.prot === 0) return -EFAULT;
  const readable = (vma.prot & PROT_READ) !== 0;
  const writes = (vma.prot & PROT_WRITE) !== 0 && !(vma.shared && readable);
  const advice = writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
  return ctx.callNow(SYS_madvise, start, end - start, advice, 0, 0);
}
