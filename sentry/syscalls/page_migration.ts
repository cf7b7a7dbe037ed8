/** move_pages(2), migrate_pages(2): where pages are, which with one node is where they are asked to be. */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import { EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from "../../platform/abi/mempolicy.ts";
import { hasCapability } from "../auth/credentials.ts";
import { residentOf } from "../fsimpl/proc/memory.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { PAGE_SIZE } from "../mm/memory_manager.ts";
import { mayAccess } from "./access.ts";
import { copyInNodeMask, ONLY_NODE } from "./mempolicy.ts";

/** The process whose memory is meant, 0 being the caller's own, or -errno. */
function targetOf(t: Task, pid: number): Task | number {
  if (pid === 0) return t;
  const target = t.kernel.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  return target.exiting ? -EINVAL : target;
}

/** move_pages(2). */
export function movePages(t: Task, args: SyscallArguments): number {
  const flags = args.i32(5);
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  const target = targetOf(t, args.i32(0));
  if (typeof target === "number") return target;
  const count = args.addr(1);
  const pagesAddr = args.addr(2);
  const nodesAddr = args.addr(3);
  const statusAddr = args.addr(4);
  for (let i = 0; i < count; i++) {
    if (t.copyIn(pagesAddr + 8 * i, t.scratch, 0, 8) < 0) return -EFAULT;
    const page = getU64(t.scratchView, 0);
    const node = nodesAddr === 0 ? ONLY_NODE : nodeAt(t, nodesAddr + 4 * i);
    if (node < 0) return node;
    const status = nodeOf(t, target, page, statusAddr + 4 * i);
    if (t.copyOutU32(statusAddr + 4 * i, status >>> 0) < 0) return -EFAULT;
  }
  return 0;
}

/** A node to move a page to: there is one. */
function nodeAt(t: Task, addr: number): number {
  if (t.copyIn(addr, t.scratch, 0, 4) < 0) return -EFAULT;
  return t.scratchView.getInt32(0, true) === ONLY_NODE ? ONLY_NODE : -ENODEV;
}

/**
 * The node of a page of `target`, -EFAULT outside of mappings, -ENOENT where no page is yet. The host knows
 * of the caller's own pages, and writes what it knows to `scratchAddr`; others' are guessed as in smaps.
 */
function nodeOf(t: Task, target: Task, addr: number, scratchAddr: number): number {
  const vma = target.mm.vmas.at(addr);
  if (vma === null) return -EFAULT;
  if (target.mm !== t.mm) return residentOf(vma) > 0 ? ONLY_NODE : -ENOENT;
  const page = addr - addr % PAGE_SIZE;
  if (t.ctx!.callNow(nr.SYS_mincore, page, PAGE_SIZE, scratchAddr, 0, 0) < 0) return -EFAULT;
  if (t.mm.space.read(scratchAddr, t.scratch, 0, 1) !== 1) return -EFAULT;
  return (t.scratch[0] & 1) !== 0 ? ONLY_NODE : -ENOENT;
}

/** migrate_pages(2): every page is on the one node, so that none is left elsewhere. */
export function migratePages(t: Task, args: SyscallArguments): number {
  const from = copyInNodeMask(t, args.addr(2), args.addr(1));
  if (typeof from === "number") return from;
  const to = copyInNodeMask(t, args.addr(3), args.addr(1));
  if (typeof to === "number") return to;
  const target = args.i32(0) === 0 ? t : t.kernel.tasks.get(args.i32(0));
  if (target === undefined) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  if (to.others && !hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  return !to.only || target.exiting ? -EINVAL : 0;
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_migrate_pages, "migrate_pages", migratePages, FULL],
  [nr.SYS_move_pages, "move_pages", movePages, PARTIAL, "another process's pages count as present"],
];
