/** futex(2). Its younger kin is in futex2.ts. */
import { getI64 } from "../../platform/abi/bytes.ts";
import {
  EFAULT,
  EINVAL,
  ENOSYS,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../../platform/abi/errno.ts";
import { SYS_futex } from "../../platform/abi/amd64/syscalls.ts";
import {
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMD_MASK,
  FUTEX_CMP_REQUEUE,
  FUTEX_CMP_REQUEUE_PI,
  FUTEX_LOCK_PI,
  FUTEX_LOCK_PI2,
  FUTEX_OP_ADD,
  FUTEX_OP_ANDN,
  FUTEX_OP_CMP_EQ,
  FUTEX_OP_CMP_GE,
  FUTEX_OP_CMP_GT,
  FUTEX_OP_CMP_LE,
  FUTEX_OP_CMP_LT,
  FUTEX_OP_CMP_NE,
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_OR,
  FUTEX_OP_SET,
  FUTEX_OP_XOR,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
} from "../../platform/abi/futex.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { MONOTONIC, REALTIME } from "../kernel/clock_source.ts";
import { futexRequeue, futexWait, futexWake, futexWakeOp, futexWord } from "../kernel/futex.ts";
import { futexLockPi, futexUnlockPi } from "../kernel/futex_pi.ts";
import { futexRequeuePi, futexWaitRequeuePi } from "../kernel/futex_requeue_pi.ts";
import {
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** futex(2). */
export function futex(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const op = args.i32(1);
  const value = args.u32(2);
  const command = op & FUTEX_CMD_MASK;
  const shared = (op & FUTEX_PRIVATE_FLAG) === 0;
  const onRealtime = (op & FUTEX_CLOCK_REALTIME) !== 0;
  if (onRealtime && !mayUseRealtime(command)) {
    // The time is looked at first.
    const isTimed = command === FUTEX_WAIT || command === FUTEX_LOCK_PI;
    const deadline = isTimed ? deadlineOf(t, args.addr(3), true, false) : -1;
    return deadline < -1 ? deadline : -ENOSYS;
  }
  if (waitsInHost(t, addr) && (command === FUTEX_WAIT || command === FUTEX_WAIT_BITSET)) {
    return endedHostWait(t, args.addr(3) !== 0);
  }
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      const deadline = deadlineOf(t, args.addr(3), command === FUTEX_WAIT, onRealtime);
      if (deadline < -1) return deadline;
      const bitset = command === FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : args.u32(5);
      return futexWait(t, addr, shared, value, bitset, deadline);
    }
    case FUTEX_WAKE:
      return futexWake(t, addr, shared, wakeCount(value), FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return futexWake(t, addr, shared, wakeCount(value), args.u32(5));
    case FUTEX_REQUEUE:
      return futexRequeue(t, addr, args.addr(4), shared, value | 0, args.i32(3), null);
    case FUTEX_CMP_REQUEUE:
      return futexRequeue(t, addr, args.addr(4), shared, value | 0, args.i32(3), args.u32(5));
    case FUTEX_WAKE_OP:
      return wakeOp(t, args, addr, shared, value);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: {
      const realtime = command === FUTEX_LOCK_PI || onRealtime;
      const deadline = deadlineOf(t, args.addr(3), false, realtime);
      return deadline < -1 ? deadline : futexLockPi(t, addr, shared, deadline, false);
    }
    case FUTEX_TRYLOCK_PI:
      return futexLockPi(t, addr, shared, -1, true);
    case FUTEX_UNLOCK_PI:
      return futexUnlockPi(t, addr, shared);
    case FUTEX_WAIT_REQUEUE_PI: {
      const deadline = deadlineOf(t, args.addr(3), false, onRealtime);
      if (deadline < -1) return deadline;
      return futexWaitRequeuePi(t, addr, args.addr(4), shared, value, deadline);
    }
    case FUTEX_CMP_REQUEUE_PI:
      return futexRequeuePi(t, addr, args.addr(4), shared, value | 0, args.i32(3), args.u32(5));
    default:
      return -ENOSYS;
  }
}

/** Whether a wait with `addr` as its first argument is the host's; what is no guest's memory faults here. */
export function waitsInHost(t: Task, addr: number): boolean {
  return t.kernel.hostFutexes && addr < t.kernel.platform.taskSize;
}

/** A signal has ended a wait in the host: the wait starts again there, or the handler runs first. */
export function endedHostWait(t: Task, timed: boolean): number {
  if (!t.signals.interruptible(t)) return -ERESTARTNOINTR;
  return timed ? -ERESTARTNOHAND : -ERESTARTSYS;
}

function mayUseRealtime(command: number): boolean {
  return command === FUTEX_WAIT_BITSET || command === FUTEX_WAIT_REQUEUE_PI ||
    command === FUTEX_LOCK_PI2;
}

/** A waker that asks for none or fewer wakes one (futex_wake tests after the first). */
export function wakeCount(value: number): number {
  return Math.max(1, value | 0);
}

/** -1 for none; -EINVAL and -EFAULT are below. */
export function deadlineOf(t: Task, addr: number, relative: boolean, realtime: boolean): number {
  if (addr === 0) return -1;
  if (t.copyIn(addr, t.scratch, 0, 16) < 0) return -EFAULT;
  const sec = getI64(t.scratchView, 0);
  const nsec = getI64(t.scratchView, 8);
  if (sec < 0 || nsec < 0 || nsec >= NSEC_PER_SEC) return -EINVAL;
  const ns = sec * NSEC_PER_SEC + nsec;
  if (relative) return t.kernel.nowMonoNs() + ns;
  const clock = realtime ? REALTIME : MONOTONIC;
  return Math.max(0, clock.deadlineMonoNs(ns));
}

function wakeOp(
  t: Task,
  args: SyscallArguments,
  addr: number,
  shared: boolean,
  count: number,
): number {
  const addr2 = args.addr(4);
  const encoded = args.u32(5);
  return futexWakeOp(
    t,
    addr,
    addr2,
    shared,
    wakeCount(count),
    wakeCount(args.u32(3)),
    () => operate(t, addr2, encoded),
  );
}

/** futex_atomic_op_inuser; in the Sentry's single thread it is atomic against other calls only. */
function operate(t: Task, addr: number, encoded: number): boolean | number {
  const op = encoded >>> 28 & 7;
  const cmp = encoded >>> 24 & 15;
  let arg = encoded << 8 >> 20;
  const cmpArg = encoded << 20 >> 20;
  if ((encoded >>> 28 & FUTEX_OP_OPARG_SHIFT) !== 0) arg = 1 << (arg & 31);
  const old = futexWord(t, addr);
  if (old < 0) return old;
  const next = newValue(op, old, arg);
  if (next === null) return -ENOSYS;
  const err = t.storeU32(addr, next >>> 0);
  if (err < 0) return err;
  return compare(cmp, old | 0, cmpArg);
}

function newValue(op: number, old: number, arg: number): number | null {
  switch (op) {
    case FUTEX_OP_SET:
      return arg;
    case FUTEX_OP_ADD:
      return old + arg;
    case FUTEX_OP_OR:
      return old | arg;
    case FUTEX_OP_ANDN:
      return old & ~arg;
    case FUTEX_OP_XOR:
      return old ^ arg;
    default:
      return null;
  }
}

function compare(cmp: number, old: number, arg: number): boolean | number {
  switch (cmp) {
    case FUTEX_OP_CMP_EQ:
      return old === arg;
    case FUTEX_OP_CMP_NE:
      return old !== arg;
    case FUTEX_OP_CMP_LT:
      return old < arg;
    case FUTEX_OP_CMP_LE:
      return old <= arg;
    case FUTEX_OP_CMP_GT:
      return old > arg;
    case FUTEX_OP_CMP_GE:
      return old >= arg;
    default:
      return -ENOSYS;
  }
}

const NOTE = "priority inheritance without priorities";
export const rows: SyscallRow[] = [
  [SYS_futex, "futex", futex, PARTIAL, NOTE],
];
