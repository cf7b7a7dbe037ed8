/** wait4(2), waitid(2). */
import { EAGAIN, EBADF, EFAULT, EINVAL, ESRCH } from "../../platform/abi/errno.ts";
import { SYS_wait4, SYS_waitid } from "../../platform/abi/amd64/syscalls.ts";
import {
  SIGCHLD,
  SIGINFO_OFF_CODE,
  SIGINFO_OFF_PID,
  SIGINFO_OFF_SIGNO,
  SIGINFO_OFF_STATUS,
  SIGINFO_OFF_UID,
} from "../../platform/abi/signal.ts";
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
} from "../../platform/abi/wait.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { tryWait, waitForChild, type WaitResult, type WaitTarget } from "../kernel/wait.ts";
import { copyOutRusage } from "./rusage.ts";

const WAIT4_OPTIONS = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
const WAITID_OPTIONS = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
  __WCLONE | __WALL;
const INT_MIN = -0x8000_0000;
/** waitid(2) writes the siginfo_t up to and with si_status. */
const SIGINFO_WRITTEN = 28;

/** wait4(2). */
export function wait4(t: Task, args: SyscallArguments): SyscallReturn {
  const pid = args.i32(0);
  const options = args.i32(2);
  if ((options & ~WAIT4_OPTIONS) !== 0) return -EINVAL;
  if (pid === INT_MIN) return -ESRCH;
  const statusAddr = args.addr(1);
  const usageAddr = args.addr(3);
  const target = wait4Target(t, pid);
  const found = tryWait(t, target, options | WEXITED);
  if (found !== 0) return finishWait4(t, found, statusAddr, usageAddr);
  if ((options & WNOHANG) !== 0) return 0;
  return blockWait4(t, target, options | WEXITED, statusAddr, usageAddr);
}

async function blockWait4(
  t: Task,
  target: WaitTarget,
  options: number,
  statusAddr: number,
  usageAddr: number,
): Promise<number> {
  const found = await waitForChild(t, target, options);
  return finishWait4(t, found, statusAddr, usageAddr);
}

function wait4Target(t: Task, pid: number): WaitTarget {
  if (pid === -1) return { type: P_ALL, id: 0 };
  if (pid < 0) return { type: P_PGID, id: -pid };
  return pid === 0 ? { type: P_PGID, id: t.tg.pgrp.id } : { type: P_PID, id: pid };
}

function finishWait4(
  t: Task,
  found: WaitResult | number,
  statusAddr: number,
  usageAddr: number,
): number {
  if (typeof found === "number") return found;
  if (statusAddr !== 0 && t.copyOutU32(statusAddr, found.status) < 0) return -EFAULT;
  if (usageAddr !== 0 && copyOutRusage(t, usageAddr, found.usage) < 0) return -EFAULT;
  return found.pid;
}

/** waitid(2), with the rusage argument that only the system call has. */
export function waitid(t: Task, args: SyscallArguments): SyscallReturn {
  const options = args.i32(3);
  if ((options & ~WAITID_OPTIONS) !== 0) return -EINVAL;
  if ((options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;
  const found = waitidTarget(t, args.i32(0), args.i32(1));
  if (typeof found === "number") return found;
  const infoAddr = args.addr(2);
  const usageAddr = args.addr(4);
  const { target, nonblocking } = found;
  const result = tryWait(t, target, options);
  if (result === 0 && nonblocking && (options & WNOHANG) === 0) return -EAGAIN;
  if (result !== 0 || (options & WNOHANG) !== 0) {
    return finishWaitid(t, result, infoAddr, usageAddr);
  }
  return blockWaitid(t, target, options, infoAddr, usageAddr);
}

async function blockWaitid(
  t: Task,
  target: WaitTarget,
  options: number,
  infoAddr: number,
  usageAddr: number,
): Promise<number> {
  return finishWaitid(t, await waitForChild(t, target, options), infoAddr, usageAddr);
}

interface Found {
  target: WaitTarget;
  nonblocking: boolean;
}

function waitidTarget(t: Task, type: number, id: number): Found | number {
  switch (type) {
    case P_ALL:
      return { target: { type, id: 0 }, nonblocking: false };
    case P_PID:
      return id <= 0 ? -EINVAL : { target: { type, id }, nonblocking: false };
    case P_PGID:
      if (id < 0) return -EINVAL;
      return { target: { type, id: id === 0 ? t.tg.pgrp.id : id }, nonblocking: false };
    case P_PIDFD: {
      if (id < 0) return -EINVAL;
      const file = t.fdTable.get(id);
      if (file === null) return -EBADF;
      const task = t.kernel.pidFiles?.target(file) ?? null;
      if (task === null) return -EBADF;
      return { target: { type: P_PID, id: task.tg.pid }, nonblocking: file.nonblocking };
    }
    default:
      return -EINVAL;
  }
}

function finishWaitid(
  t: Task,
  found: WaitResult | number,
  infoAddr: number,
  usageAddr: number,
): number {
  if (typeof found === "number" && found < 0) return found;
  const result = typeof found === "number" ? null : found;
  if (result !== null && usageAddr !== 0 && copyOutRusage(t, usageAddr, result.usage) < 0) {
    return -EFAULT;
  }
  if (infoAddr === 0) return 0;
  const v = t.scratchView;
  t.scratch.fill(0, 0, SIGINFO_WRITTEN);
  if (result !== null) {
    v.setInt32(SIGINFO_OFF_SIGNO, SIGCHLD, true);
    v.setInt32(SIGINFO_OFF_CODE, result.code, true);
    v.setInt32(SIGINFO_OFF_PID, result.pid, true);
    v.setUint32(SIGINFO_OFF_UID, result.uid, true);
    v.setInt32(SIGINFO_OFF_STATUS, result.value, true);
  }
  return t.copyOut(infoAddr, t.scratch, 0, SIGINFO_WRITTEN);
}

export const rows: SyscallRow[] = [
  [SYS_wait4, "wait4", wait4, FULL],
  [SYS_waitid, "waitid", waitid, FULL],
];
