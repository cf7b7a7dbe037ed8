/** move_pages(2), migrate_pages(2): where pages are, which with one node is where they are asked to be. */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import {
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  EPERM,
  ERESTARTNOHAND,
  ESRCH,
} from "../../platform/abi/errno.ts";
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from "../../platform/abi/mempolicy.ts";
import { hasCapability } from "../auth/credentials.ts";
import { residentOf } from "../fsimpl/proc/memory.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { inTurns, MORE } from "../kernel/turn.ts";
import { type MemoryManager, PAGE_SIZE } from "../mm/memory_manager.ts";
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

/** What move_pages(2) is asked: `count` pages of `target`, listed in three arrays of the caller. */
interface PageList {
  readonly target: Task;
  /** The target's memory when the call began. */
  readonly mm: MemoryManager;
  readonly count: number;
  readonly pagesAddr: number;
  readonly nodesAddr: number;
  readonly statusAddr: number;
}

/** move_pages(2). */
export function movePages(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(5);
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  const target = targetOf(t, args.i32(0));
  if (typeof target === "number") return target;
  const list: PageList = {
    target,
    mm: target.mm,
    count: args.addr(1),
    pagesAddr: args.addr(2),
    nodesAddr: args.addr(3),
    statusAddr: args.addr(4),
  };
  let i = 0;
  return inTurns(t, -ERESTARTNOHAND, () => {
    if (i >= list.count) return 0;
    const n = moveSome(t, list, i);
    if (n < 0) return n;
    i += n;
    return MORE;
  });
}

/** As many pages as the host is asked about at once. */
const CHUNK = 32;
const pages = new Uint8Array(8 * CHUNK);
const pagesView = new DataView(pages.buffer);
const statuses = new Int32Array(CHUNK);
const statusBytes = new Uint8Array(statuses.buffer);
const told = new Uint8Array(4 * CHUNK);
/** Stands for a status that the host tells: where it is to be are mincore(2)'s bits. */
const ASKED = 1;

/** Some pages from number `i` on. Returns how many, or -errno. */
function moveSome(t: Task, list: PageList, i: number): number {
  const end = 8 * Math.min(CHUNK, list.count - i);
  const n = Math.floor(t.mm.copyInSome(t.ctx!, list.pagesAddr + 8 * i, pages, 0, end) / 8);
  if (n <= 0) return -EFAULT;
  const statusAddr = list.statusAddr + 4 * i;
  for (let k = 0; k < n; k++) {
    const node = list.nodesAddr === 0 ? ONLY_NODE : nodeAt(t, list.nodesAddr + 4 * (i + k));
    if (node < 0) {
      const err = reportStatuses(t, statusAddr, k);
      return err < 0 ? err : node;
    }
    statuses[k] = lookUp(t, list, getU64(pagesView, 8 * k), statusAddr + 4 * k);
  }
  const err = reportStatuses(t, statusAddr, n);
  return err < 0 ? err : n;
}

/** A node to move a page to: there is one. */
function nodeAt(t: Task, addr: number): number {
  if (t.copyIn(addr, t.scratch, 0, 4) < 0) return -EFAULT;
  return t.scratchView.getInt32(0, true) === ONLY_NODE ? ONLY_NODE : -ENODEV;
}

/**
 * The node of a page of the target, -EFAULT outside of mappings, -ENOENT where no page is yet. The host knows
 * of the caller's own pages, and is ASKED to write what it knows to `statusAddr`; others' are guessed as in smaps.
 */
function lookUp(t: Task, list: PageList, addr: number, statusAddr: number): number {
  const { target, mm } = list;
  // A process that has ended, or runs another program, has left this memory without mappings.
  const vma = target.exiting || target.mm !== mm ? null : mm.vmas.at(addr);
  if (vma === null) return -EFAULT;
  if (mm !== t.mm) return residentOf(vma) > 0 ? ONLY_NODE : -ENOENT;
  t.ctx!.queueCall(nr.SYS_mincore, addr - addr % PAGE_SIZE, PAGE_SIZE, statusAddr, 0, 0);
  return ASKED;
}

/** Stores the first `n` statuses, with what the host says of those that it was ASKED about. */
function reportStatuses(t: Task, statusAddr: number, n: number): number {
  if (t.ctx!.queued && t.ctx!.flush() < 0) return -EFAULT;
  if (t.mm.space.read(statusAddr, told, 0, 4 * n) !== 4 * n) return -EFAULT;
  for (let k = 0; k < n; k++) {
    if (statuses[k] === ASKED) statuses[k] = (told[4 * k] & 1) !== 0 ? ONLY_NODE : -ENOENT;
  }
  return t.copyOut(statusAddr, statusBytes, 0, 4 * n);
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
