/** getpriority(2), setpriority(2), ioprio_get(2), ioprio_set(2). */
import { EACCES, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_getpriority,
  SYS_ioprio_get,
  SYS_ioprio_set,
  SYS_setpriority,
} from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN, CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import {
  IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE,
  IOPRIO_CLASS_MASK,
  IOPRIO_CLASS_NONE,
  IOPRIO_CLASS_RT,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_NR_LEVELS,
  IOPRIO_WHO_PGRP,
  IOPRIO_WHO_PROCESS,
  IOPRIO_WHO_USER,
} from "../../platform/abi/ioprio.ts";
import { PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE } from "../../platform/abi/resource.ts";
import { SCHED_FIFO, SCHED_IDLE, SCHED_RR } from "../../platform/abi/sched.ts";
import { hasCapability } from "../auth/credentials.ts";
import { capsSubset } from "../kernel/credentials_change.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** Kinds of the two families, which number them differently. */
const PROCESS = 0;
const PGRP = 1;
const USER = 2;

/** Tasks that `who` names; null for a `which` that is none. */
function targets(t: Task, kind: number, who: number): Task[] {
  const { kernel } = t;
  if (kind === PROCESS) {
    const task = who === 0 ? t : kernel.tasks.get(who);
    return task === undefined ? [] : [task];
  }
  if (kind === PGRP) {
    const group = who === 0 ? t.tg.pgrp : kernel.processGroups.get(who);
    // The newest member comes first, as in Linux; it makes a difference to errors.
    return group === undefined ? [] : [...group.members].reverse().flatMap((tg) => tg.threads);
  }
  const uid = who === 0 ? t.creds.ruid : who >>> 0;
  return [...kernel.tasks.values()].filter((task) => task.creds.ruid === uid);
}

function priorityKind(which: number): number {
  return which === PRIO_PROCESS
    ? PROCESS
    : which === PRIO_PGRP
    ? PGRP
    : which === PRIO_USER
    ? USER
    : -1;
}

/** getpriority(2): the system call returns 20 - nice, so that no value looks like an error. */
export function getpriority(t: Task, args: SyscallArguments): number {
  const kind = priorityKind(args.i32(0));
  if (kind < 0) return -EINVAL;
  let best = -ESRCH;
  for (const task of targets(t, kind, args.i32(1))) best = Math.max(best, 20 - task.nice);
  return best;
}

/** setpriority(2). */
export function setpriority(t: Task, args: SyscallArguments): number {
  const kind = priorityKind(args.i32(0));
  if (kind < 0) return -EINVAL;
  const nice = Math.max(-20, Math.min(19, args.i32(2)));
  let result = -ESRCH;
  for (const task of targets(t, kind, args.i32(1))) result = setNice(t, task, nice, result);
  return result;
}

/** cap_safe_nice: who runs with more capabilities is not slowed down. */
function isNoMightier(target: Task, t: Task): boolean {
  return capsSubset(target.creds.permitted, t.creds.permitted);
}

function setNice(t: Task, target: Task, nice: number, result: number): number {
  const { euid } = t.creds;
  const capable = hasCapability(t.creds, CAP_SYS_NICE);
  const own = target.creds.ruid === euid || target.creds.euid === euid;
  if (!own && !capable) return -EPERM;
  const limit = target.tg.limits.cur[RLIMIT_NICE];
  if (nice < target.nice && 20 - nice > limit && !capable) return -EACCES;
  if (!capable && !isNoMightier(target, t)) return -EPERM;
  target.nice = nice;
  return result === -ESRCH ? 0 : result;
}

function ioprioKind(which: number): number {
  switch (which) {
    case IOPRIO_WHO_PROCESS:
      return PROCESS;
    case IOPRIO_WHO_PGRP:
      return PGRP;
    case IOPRIO_WHO_USER:
      return USER;
    default:
      return -1;
  }
}

/** ioprio_get(2). */
export function ioprioGet(t: Task, args: SyscallArguments): number {
  const kind = ioprioKind(args.i32(0));
  if (kind < 0) return -EINVAL;
  let best = -ESRCH;
  for (const task of targets(t, kind, args.i32(1))) {
    // Of one thread what was set is told, of several the best that is in force.
    const ioprio = kind === PROCESS ? task.ioprio : effectiveIoprio(task);
    best = best < 0 ? ioprio : Math.min(best, ioprio);
  }
  return best;
}

/** Without a class of its own the I/O priority follows the policy and the nice value. */
function effectiveIoprio(task: Task): number {
  if (task.ioprio >>> IOPRIO_CLASS_SHIFT !== IOPRIO_CLASS_NONE) return task.ioprio;
  const policy = task.schedPolicy;
  const ioClass = policy === SCHED_IDLE
    ? IOPRIO_CLASS_IDLE
    : policy === SCHED_FIFO || policy === SCHED_RR
    ? IOPRIO_CLASS_RT
    : IOPRIO_CLASS_BE;
  return (ioClass << IOPRIO_CLASS_SHIFT) | Math.floor((task.nice + 20) / 5);
}

/** 0, or -errno for an I/O priority that the caller may not give (Linux: ioprio_check_cap). */
export function ioprioError(t: Task, ioprio: number): number {
  // Between level and class are ten bits of hints, which anybody may give.
  switch ((ioprio >>> IOPRIO_CLASS_SHIFT) & IOPRIO_CLASS_MASK) {
    case IOPRIO_CLASS_RT:
      if (!hasCapability(t.creds, CAP_SYS_ADMIN) && !hasCapability(t.creds, CAP_SYS_NICE)) {
        return -EPERM;
      }
      return 0;
    case IOPRIO_CLASS_BE:
    case IOPRIO_CLASS_IDLE:
      return 0;
    case IOPRIO_CLASS_NONE:
      return ioprio % IOPRIO_NR_LEVELS !== 0 ? -EINVAL : 0;
    default:
      return -EINVAL;
  }
}

/** ioprio_set(2). */
export function ioprioSet(t: Task, args: SyscallArguments): number {
  const kind = ioprioKind(args.i32(0));
  const ioprio = args.i32(2);
  const err = ioprioError(t, ioprio);
  if (err < 0) return err;
  if (kind < 0) return -EINVAL;
  let result = -ESRCH;
  for (const target of targets(t, kind, args.i32(1))) {
    const { ruid } = target.creds;
    const own = ruid === t.creds.euid || ruid === t.creds.ruid;
    const may = own && isNoMightier(target, t);
    if (!may && !hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
    target.ioprio = ioprio & 0xffff;
    result = 0;
  }
  return result;
}

const KEPT = "kept and shown; the host schedules";
export const rows: SyscallRow[] = [
  [SYS_getpriority, "getpriority", getpriority, PARTIAL, KEPT],
  [SYS_setpriority, "setpriority", setpriority, PARTIAL, KEPT],
  [SYS_ioprio_set, "ioprio_set", ioprioSet, PARTIAL, KEPT],
  [SYS_ioprio_get, "ioprio_get", ioprioGet, PARTIAL, KEPT],
];
