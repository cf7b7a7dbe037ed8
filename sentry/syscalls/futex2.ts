/**
 * futex_waitv(2), and the calls that Linux 6.7 made of the operations of futex(2): futex_wake, futex_wait and
 * futex_requeue (kernel/futex/syscalls.c). Where guest threads wait in the host, what is right does not come here:
 * the host does it, or has done it until a signal came.
 */
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import {
  SYS_futex_requeue,
  SYS_futex_wait,
  SYS_futex_waitv,
  SYS_futex_wake,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  FUTEX2_PRIVATE,
  FUTEX2_SIZE_U32,
  FUTEX_WAITV_MAX,
  FUTEX_WAITV_SIZE,
  getFutexWaitv,
} from "../../platform/abi/futex.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from "../../platform/abi/time.ts";
import {
  futexPlace,
  futexRequeue,
  futexWait,
  type FutexWaitItem,
  futexWaitMany,
  futexWake,
} from "../kernel/futex.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { deadlineOf, endedHostWait, waitsInHost, wakeCount } from "./futex.ts";

/** futex_wake: uaddr, mask, nr, flags. */
export function sysFutexWake(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(3);
  const mask = args.u32(1);
  if (!isFlags(flags) || args.hi32(1) !== 0 || mask === 0) return -EINVAL;
  const addr = args.addr(0);
  const shared = isShared(flags);
  const count = args.i32(2);
  if (count !== 0) return futexWake(t, addr, shared, wakeCount(count), mask);
  const place = futexPlace(t, addr, shared);
  return typeof place === "number" ? place : 0;
}

/** futex_wait: uaddr, val, mask, flags, timeout, clockid. */
export function sysFutexWait(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(3);
  if (!isFlags(flags) || args.hi32(1) !== 0 || args.hi32(2) !== 0) return -EINVAL;
  const deadline = clockDeadline(t, args.addr(4), args.i32(5));
  if (deadline < -1) return deadline;
  const mask = args.u32(2);
  if (mask === 0) return -EINVAL;
  const addr = args.addr(0);
  if (waitsInHost(t, addr)) return endedHostWait(t, false);
  return futexWait(t, addr, isShared(flags), args.u32(1), mask, deadline, true);
}

/** futex_requeue: waiters (two, from and to), flags, nr_wake, nr_requeue. */
export function sysFutexRequeue(t: Task, args: SyscallArguments): SyscallReturn {
  if (args.u32(1) !== 0 || args.addr(0) === 0) return -EINVAL;
  const waiters = readWaiters(t, args.addr(0), 2);
  if (typeof waiters === "number") return waiters;
  const [from, to] = waiters;
  if (from.shared !== to.shared) return -EINVAL;
  const { addr, shared, expected } = from;
  return futexRequeue(t, addr, to.addr, shared, args.i32(2), args.i32(3), expected);
}

/** futex_waitv(2): waiters, nr_futexes, flags, timeout, clockid. */
export function futexWaitv(t: Task, args: SyscallArguments): SyscallReturn {
  if (waitsInHost(t, args.addr(0))) return endedHostWait(t, false);
  const count = args.u32(1);
  if (args.u32(2) !== 0) return -EINVAL;
  if (count === 0 || count > FUTEX_WAITV_MAX || args.addr(0) === 0) return -EINVAL;
  const deadline = clockDeadline(t, args.addr(3), args.i32(4));
  if (deadline < -1) return deadline;
  const items = readWaiters(t, args.addr(0), count);
  return typeof items === "number" ? items : futexWaitMany(t, items, deadline);
}

/** The deadline at `addr` by clock `clockId`, as CLOCK_MONOTONIC's ns; -1 for none. -EINVAL and -EFAULT are below. */
function clockDeadline(t: Task, addr: number, clockId: number): number {
  if (addr === 0) return -1;
  if (clockId !== CLOCK_REALTIME && clockId !== CLOCK_MONOTONIC) return -EINVAL;
  return deadlineOf(t, addr, false, clockId === CLOCK_REALTIME);
}

/** Reads `count` struct futex_waitv. Returns -EFAULT, or -EINVAL for what is no futex. */
function readWaiters(t: Task, addr: number, count: number): FutexWaitItem[] | number {
  const items: FutexWaitItem[] = [];
  for (let i = 0; i < count; i++) {
    const at = addr + i * FUTEX_WAITV_SIZE;
    if (t.copyIn(at, t.scratch, 0, FUTEX_WAITV_SIZE) < 0) return -EFAULT;
    const { val, uaddr, flags } = getFutexWaitv(t.scratchView, 0);
    const reserved = t.scratchView.getUint32(FUTEX_WAITV_SIZE - 4, true);
    if (!isFlags(flags) || reserved !== 0 || val > 0xffffffff) return -EINVAL;
    items.push({ addr: uaddr, shared: isShared(flags), expected: val });
  }
  return items;
}

/** Futexes are of 32 bits. */
function isFlags(flags: number): boolean {
  return (flags & ~FUTEX2_PRIVATE) === FUTEX2_SIZE_U32;
}

function isShared(flags: number): boolean {
  return (flags & FUTEX2_PRIVATE) === 0;
}

export const rows: SyscallRow[] = [
  [SYS_futex_waitv, "futex_waitv", futexWaitv, FULL],
  [SYS_futex_wake, "futex_wake", sysFutexWake, FULL],
  [SYS_futex_wait, "futex_wait", sysFutexWait, FULL],
  [SYS_futex_requeue, "futex_requeue", sysFutexRequeue, FULL],
];
