/** Looking into other processes: process_vm_readv(2), process_vm_writev(2), kcmp(2). */
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_kcmp,
  SYS_process_vm_readv,
  SYS_process_vm_writev,
} from "../../platform/abi/amd64/syscalls.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import {
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
} from "../../platform/abi/kcmp.ts";
import { IOV_MAX, MAX_RW_COUNT, OFFSET_END, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { mayAccess } from "./access.ts";

const IOVEC_SIZE = 16;
const CHUNK = 65536;
const chunk = new Uint8Array(CHUNK);

export interface Range {
  addr: number;
  length: number;
}

/** `checks`: what lies beyond a task's memory is -EFAULT; the other process's ranges fault when used. */
export function copyInIovec(
  t: Task,
  addr: number,
  count: number,
  checks: boolean,
): Range[] | number {
  if (count > IOV_MAX) return -EINVAL;
  const bytes = new Uint8Array(count * IOVEC_SIZE);
  if (count > 0 && t.copyIn(addr, bytes, 0, bytes.length) < 0) return -EFAULT;
  const view = new DataView(bytes.buffer);
  const ranges: Range[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const start = getU64(view, i * IOVEC_SIZE), length = getU64(view, i * IOVEC_SIZE + 8);
    if (length >= OFFSET_END) return -EINVAL;
    const taken = Math.min(length, MAX_RW_COUNT - total);
    total += taken;
    if (checks && start + taken > TASK_SIZE_MAX) return -EFAULT;
    ranges.push({ addr: start, length: taken });
  }
  return ranges;
}

function processVm(t: Task, args: SyscallArguments, writes: boolean): number {
  if (args.addr(5) !== 0) return -EINVAL;
  const local = copyInIovec(t, args.addr(1), args.u32(2), true);
  if (typeof local === "number") return local;
  if (local.every((r) => r.length === 0)) return 0;
  const remote = copyInIovec(t, args.addr(3), args.addr(4), false);
  if (typeof remote === "number") return remote;
  if (remote.every((r) => r.length === 0)) return 0;
  const target = t.kernel.tasks.get(args.i32(0));
  if (target === undefined || target.exiting) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  if (t.ctx!.queued) t.ctx!.flush();
  return transfer(t, target, local, remote, writes);
}

/** Moves bytes until either side ends or faults; what was moved counts. */
function transfer(t: Task, target: Task, local: Range[], remote: Range[], writes: boolean): number {
  let moved = 0;
  let li = 0;
  let lo = 0;
  let ri = 0;
  let ro = 0;
  while (li < local.length && ri < remote.length) {
    const left = local[li].length - lo;
    const right = remote[ri].length - ro;
    if (left === 0 || right === 0) {
      if (left === 0) [li, lo] = [li + 1, 0];
      if (right === 0) [ri, ro] = [ri + 1, 0];
      continue;
    }
    const n = Math.min(left, right, CHUNK);
    const here = local[li].addr + lo;
    const there = remote[ri].addr + ro;
    const [from, fromAddr] = writes ? [t, here] : [target, there];
    const [to, toAddr] = writes ? [target, there] : [t, here];
    if (Math.max(fromAddr, toAddr) + n > t.kernel.platform.taskSize) return moved || -EFAULT;
    const got = from.mm.space.read(fromAddr, chunk, 0, n);
    const put = got <= 0 ? got : to.mm.space.write(toAddr, chunk, 0, got);
    if (put <= 0) return moved || -EFAULT;
    moved += put;
    lo += put;
    ro += put;
    if (put < n) return moved;
  }
  return moved;
}

/** process_vm_readv(2). */
export function processVmReadv(t: Task, args: SyscallArguments): number {
  return processVm(t, args, false);
}

/** process_vm_writev(2). */
export function processVmWritev(t: Task, args: SyscallArguments): number {
  return processVm(t, args, true);
}

/** A stable order of objects, without telling anything about addresses. */
const order = new WeakMap<object, number>();
let nextOrder = 1;

function orderOf(object: object): number {
  let n = order.get(object);
  if (n === undefined) order.set(object, n = nextOrder++);
  return n;
}

function compare(a: object, b: object): number {
  const x = orderOf(a);
  const y = orderOf(b);
  return x === y ? 0 : x < y ? 1 : 2;
}

/** kcmp(2). */
export function kcmp(t: Task, args: SyscallArguments): number {
  const a = t.kernel.tasks.get(args.i32(0));
  const b = t.kernel.tasks.get(args.i32(1));
  if (a === undefined || b === undefined) return -ESRCH;
  if (!mayAccess(t, a) || !mayAccess(t, b)) return -EPERM;
  switch (args.i32(2)) {
    case KCMP_FILE: {
      const x = a.exiting ? null : a.fdTable.get(args.u32(3));
      const y = b.exiting ? null : b.fdTable.get(args.u32(4));
      return x === null || y === null ? -EBADF : compare(x, y);
    }
    case KCMP_VM:
      return compare(a.mm, b.mm);
    case KCMP_FILES:
      return compare(a.fdTable, b.fdTable);
    case KCMP_FS:
      return compare(a.fs, b.fs);
    case KCMP_SIGHAND:
      return compare(a.tg.actions, b.tg.actions);
    case KCMP_IO:
    case KCMP_SYSVSEM:
      // No task has an I/O context or undo operations of semaphores, and none is like none.
      return 0;
    default:
      return -EINVAL;
  }
}

export const rows: SyscallRow[] = [
  [SYS_process_vm_readv, "process_vm_readv", processVmReadv, FULL],
  [SYS_process_vm_writev, "process_vm_writev", processVmWritev, FULL],
  [SYS_kcmp, "kcmp", kcmp, PARTIAL, "no KCMP_EPOLL_TFD"],
];
