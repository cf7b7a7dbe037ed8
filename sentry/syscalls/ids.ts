/** Numbers of processes, groups and sessions: getpid(2), setpgid(2), setsid(2) … */
import { EACCES, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_getpgid,
  SYS_getpgrp,
  SYS_getpid,
  SYS_getppid,
  SYS_getsid,
  SYS_gettid,
  SYS_setpgid,
  SYS_setsid,
} from "../../platform/abi/amd64/syscalls.ts";
import { moveToGroup, setsid as makeSession } from "../kernel/session.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { ThreadGroup } from "../kernel/thread_group.ts";

/** getpid(2). */
export function getpid(t: Task): number {
  return t.tg.pid;
}

/** gettid(2). */
export function gettid(t: Task): number {
  return t.tid;
}

/** getppid(2): 0 for init, whose parent is outside. */
export function getppid(t: Task): number {
  return t.tg.parent?.pid ?? 0;
}

/** getpgrp(2). */
export function getpgrp(t: Task): number {
  return t.tg.pgrp.id;
}

function lookup(t: Task, pid: number): ThreadGroup | null {
  return pid === 0 ? t.tg : t.kernel.tasks.get(pid)?.tg ?? null;
}

/** getpgid(2). */
export function getpgid(t: Task, args: SyscallArguments): number {
  return lookup(t, args.i32(0))?.pgrp.id ?? -ESRCH;
}

/** getsid(2). */
export function getsid(t: Task, args: SyscallArguments): number {
  return lookup(t, args.i32(0))?.pgrp.session.id ?? -ESRCH;
}

/** setsid(2). */
export function setsid(t: Task): number {
  return makeSession(t.kernel, t.tg);
}

/** setpgid(2). */
export function setpgid(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0) || t.tg.pid;
  const pgid = args.i32(1) || pid;
  if (pgid < 0) return -EINVAL;
  const task = t.kernel.tasks.get(pid);
  if (task === undefined) return -ESRCH;
  const { tg } = task;
  if (tg.leader !== task) return -EINVAL;
  if (tg.parent === t.tg) {
    if (tg.pgrp.session !== t.tg.pgrp.session) return -EPERM;
    if (tg.hasExecuted) return -EACCES;
  } else if (tg !== t.tg) return -ESRCH;
  if (tg.pgrp.session.leader === tg) return -EPERM;
  return moveToGroup(t.kernel, tg, pgid);
}

export const rows: SyscallRow[] = [
  [SYS_getpid, "getpid", getpid, FULL],
  [SYS_gettid, "gettid", gettid, FULL],
  [SYS_getppid, "getppid", getppid, FULL],
  [SYS_getpgrp, "getpgrp", getpgrp, FULL],
  [SYS_getpgid, "getpgid", getpgid, FULL],
  [SYS_getsid, "getsid", getsid, FULL],
  [SYS_setsid, "setsid", setsid, FULL],
  [SYS_setpgid, "setpgid", setpgid, FULL],
];
