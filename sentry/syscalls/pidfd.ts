/** pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), process_mrelease(2). */
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_pidfd_getfd,
  SYS_pidfd_open,
  SYS_pidfd_send_signal,
  SYS_process_mrelease,
} from "../../platform/abi/amd64/syscalls.ts";
import { O_CLOEXEC } from "../../platform/abi/fcntl.ts";
import {
  PIDFD_NONBLOCK,
  PIDFD_SELF_THREAD,
  PIDFD_SELF_THREAD_GROUP,
  PIDFD_SIGNAL_PROCESS_GROUP,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
  PIDFD_THREAD,
} from "../../platform/abi/pidfd.ts";
import { _NSIG, SI_TKILL, SI_USER, SIGINFO_SIZE } from "../../platform/abi/signal.ts";
import { SIGINFO_OFF_SIGNO } from "../../platform/abi/signal.ts";
import { processOfDirectory } from "../fsimpl/proc/task_dir.ts";
import { maySignal, sendSignal } from "../kernel/signal.ts";
import { installPidfd } from "../kernel/pidfd.ts";
import { rawSignal, type SigInfo, userSignal } from "../kernel/signal_info.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import { type Task, TASK_DEAD } from "../kernel/task.ts";
import type { ThreadGroup } from "../kernel/thread_group.ts";
import { mayAccess } from "./access.ts";

/** pidfd_open(2). */
export function pidfdOpen(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const flags = args.u32(1);
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const target = t.kernel.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  const isThread = (flags & PIDFD_THREAD) !== 0;
  if (!isThread && target.tg.leader !== target) return -EINVAL;
  return installPidfd(t, target, isThread, (flags & PIDFD_NONBLOCK) !== 0);
}

/** The task a pidfd names, or -EBADF. */
function pidfdTarget(t: Task, fd: number): Task | number {
  const file = t.fdTable.get(fd);
  return (file === null ? null : t.kernel.pidFiles?.target(file)) ?? -EBADF;
}

/** As `pidfdTarget`, where PIDFD_SELF_* stand for the caller (Linux: pidfd_get_task). */
export function pidfdOrSelf(t: Task, fd: number): Task | number {
  if (fd === PIDFD_SELF_THREAD) return t;
  return fd === PIDFD_SELF_THREAD_GROUP ? t.tg.leader : pidfdTarget(t, fd);
}

/** A directory /proc/PID does as well, as before there were pidfds. */
function signalTarget(t: Task, fd: number): Task | number {
  const file = t.fdTable.get(fd);
  const task = file === null ? null : processOfDirectory(file.inode);
  return task ?? pidfdOrSelf(t, fd);
}

const SCOPES = PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP;

/** pidfd_send_signal(2). */
export function pidfdSendSignal(t: Task, args: SyscallArguments): number {
  const signo = args.i32(1);
  const infoAddr = args.addr(2);
  const flags = args.u32(3);
  if ((flags & ~SCOPES) !== 0 || (flags & (flags - 1)) !== 0) return -EINVAL;
  const target = signalTarget(t, args.i32(0));
  if (typeof target === "number") return target;
  const scope = flags === 0 ? scopeOf(t, args.i32(0)) : flags;
  if (signo < 0 || signo > _NSIG) return -EINVAL;
  const info = infoAddr === 0
    ? userSignal(signo, scope === PIDFD_SIGNAL_THREAD ? SI_TKILL : SI_USER, t.tg.pid, t.creds.ruid)
    : copyInInfo(t, infoAddr, signo, target);
  if (typeof info === "number") return info;
  if (target.state === TASK_DEAD) return -ESRCH;
  if (scope === PIDFD_SIGNAL_PROCESS_GROUP) return sendToGroup(t, target.tg, info);
  const err = maySignal(t, target, signo);
  if (err < 0 || signo === 0) return err;
  return sendSignal(scope === PIDFD_SIGNAL_THREAD ? target : target.tg, info);
}

/** Whom a pidfd means that nothing else is said of. */
function scopeOf(t: Task, fd: number): number {
  const file = t.fdTable.get(fd);
  const isThread = file === null ? fd === PIDFD_SELF_THREAD : t.kernel.pidFiles!.isThread(file);
  return isThread ? PIDFD_SIGNAL_THREAD : PIDFD_SIGNAL_THREAD_GROUP;
}

function copyInInfo(t: Task, addr: number, signo: number, target: Task): SigInfo | number {
  const bytes = new Uint8Array(SIGINFO_SIZE);
  if (t.copyIn(addr, bytes, 0, SIGINFO_SIZE) < 0) return -EFAULT;
  if (new DataView(bytes.buffer).getInt32(SIGINFO_OFF_SIGNO, true) !== signo) return -EINVAL;
  const info = rawSignal(signo, bytes);
  if (target !== t && (info.code >= 0 || info.code === SI_TKILL)) return -EPERM;
  return info;
}

function sendToGroup(t: Task, tg: ThreadGroup, info: SigInfo): number {
  let result = -ESRCH;
  for (const member of [...tg.pgrp.members]) {
    let err = maySignal(t, member.leader, info.signo);
    if (err === 0 && info.signo !== 0) err = sendSignal(member, info);
    if (err === 0) result = 0;
    else if (result !== 0) result = err;
  }
  return result;
}

/** pidfd_getfd(2). */
export function pidfdGetfd(t: Task, args: SyscallArguments): number {
  if (args.u32(2) !== 0) return -EINVAL;
  const target = pidfdTarget(t, args.i32(0));
  if (typeof target === "number") return target;
  if (!mayAccess(t, target)) return -EPERM;
  if (target.exiting) return -ESRCH;
  const file = target.fdTable.takeBack().get(args.i32(1)); // Two move it from now on.
  if (file === null) return -EBADF;
  const fd = t.fdTable.install(file.acquire(), O_CLOEXEC);
  if (fd < 0) file.release();
  return fd;
}

/**
 * process_mrelease(2). The memory of a process that ends goes before anything waits for something here,
 * so that there is nothing to hurry; who may ask for it is Linux's.
 */
export function processMrelease(t: Task, args: SyscallArguments): number {
  if (args.u32(1) !== 0) return -EINVAL;
  const target = pidfdOrSelf(t, args.i32(0));
  if (typeof target === "number") return target;
  if (target.tg.threads.every((each) => each.exiting)) return -ESRCH;
  for (const each of t.kernel.tasks.values()) {
    if (each.mm === target.mm && !each.tg.exiting) return -EINVAL;
  }
  return 0;
}

export const rows: SyscallRow[] = [
  [SYS_pidfd_send_signal, "pidfd_send_signal", pidfdSendSignal, FULL],
  [SYS_pidfd_open, "pidfd_open", pidfdOpen, FULL],
  [SYS_pidfd_getfd, "pidfd_getfd", pidfdGetfd, FULL],
  [SYS_process_mrelease, "process_mrelease", processMrelease, FULL],
];
