/**
 * Scheduling: sched_setscheduler(2) and its family, affinity. The host schedules guest threads as it
 * likes; what is set here is checked as on Linux, kept and shown.
 */
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_getcpu,
  SYS_sched_get_priority_max,
  SYS_sched_get_priority_min,
  SYS_sched_getaffinity,
  SYS_sched_getattr,
  SYS_sched_getparam,
  SYS_sched_getscheduler,
  SYS_sched_rr_get_interval,
  SYS_sched_setaffinity,
  SYS_sched_setattr,
  SYS_sched_setparam,
  SYS_sched_setscheduler,
  SYS_sched_yield,
} from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import { RLIMIT_NICE, RLIMIT_RTPRIO } from "../../platform/abi/resource.ts";
import {
  getSchedAttr,
  putSchedAttr,
  SCHED_ATTR_SIZE,
  SCHED_ATTR_SIZE_VER0,
  SCHED_ATTR_SIZE_VER1,
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_EXT,
  SCHED_FIFO,
  SCHED_FLAG_ALL,
  SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_UTIL_CLAMP,
  SCHED_IDLE,
  SCHED_NORMAL,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
} from "../../platform/abi/sched.ts";
import { putTimespec, TIMESPEC_SIZE } from "../../platform/abi/time.ts";
import { hasCapability } from "../auth/credentials.ts";
import { capsSubset } from "../kernel/credentials_change.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { copyInStruct } from "./process.ts";

const RT_PRIORITY_MAX = 99;
/** Linux's sched_rr_timeslice and a CFS slice. */
const RR_INTERVAL_NS = 100_000_000;
const FAIR_INTERVAL_NS = 4_000_000;
const PAGE_SIZE = 4096;

function lookup(t: Task, pid: number): Task | null {
  return pid === 0 ? t : t.kernel.tasks.get(pid) ?? null;
}

function isRealTime(policy: number): boolean {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

function isPolicy(policy: number): boolean {
  return policy === SCHED_NORMAL || policy === SCHED_BATCH || policy === SCHED_IDLE ||
    isRealTime(policy);
}

/** May `t` change how `target` is scheduled? (check_same_owner and cap_safe_nice, or CAP_SYS_NICE). */
function mayChange(t: Task, target: Task): boolean {
  if (hasCapability(t.creds, CAP_SYS_NICE)) return true;
  const { euid, permitted } = t.creds;
  const isOwn = euid === target.creds.euid || euid === target.creds.ruid;
  return isOwn && capsSubset(target.creds.permitted, permitted);
}

/** Policy and priority, checked as __sched_setscheduler does. `keeps`: SCHED_FLAG_KEEP_PARAMS, nothing else is set. */
function setScheduler(
  t: Task,
  target: Task,
  policy: number,
  priority: number,
  nice: number | null,
  resetOnFork: boolean,
  keeps = false,
): number {
  // Without its three times there is no SCHED_DEADLINE: sched_setattr alone can set it.
  if (!isPolicy(policy)) return -EINVAL;
  if (priority < 0 || priority > RT_PRIORITY_MAX) return -EINVAL;
  if (isRealTime(policy) !== (priority !== 0)) return -EINVAL;
  if (!hasCapability(t.creds, CAP_SYS_NICE)) {
    const limit = target.tg.limits.cur;
    if (isRealTime(policy)) {
      if (policy !== target.schedPolicy && limit[RLIMIT_RTPRIO] === 0) return -EPERM;
      if (priority > target.schedPriority && priority > limit[RLIMIT_RTPRIO]) return -EPERM;
    }
    if (nice !== null && nice < target.nice && 20 - nice > limit[RLIMIT_NICE]) return -EPERM;
    if (target.schedPolicy === SCHED_IDLE && policy !== SCHED_IDLE) {
      if (20 - target.nice > limit[RLIMIT_NICE]) return -EPERM;
    }
    if (!mayChange(t, target)) return -EPERM;
    if (target.schedResetOnFork && !resetOnFork) return -EPERM;
  }
  target.schedResetOnFork = resetOnFork;
  if (keeps) return 0;
  target.schedPolicy = policy;
  target.schedPriority = priority;
  if (nice !== null) target.nice = nice;
  return 0;
}

interface DeadlineTimes {
  runtimeNs: number;
  deadlineNs: number;
  periodNs: number;
}
const deadlineTimes = new WeakMap<Task, DeadlineTimes>();
/** Linux's DL_SCALE: shorter runtimes are refused. */
const MIN_RUNTIME_NS = 1024;
/** The defaults of Linux's kernel.sched_deadline_period_min_us and _max_us. */
const MIN_PERIOD_NS = 100_000;
const MAX_PERIOD_NS = 2 ** 22 * 1000;

/** SCHED_DEADLINE (__checkparam_dl); admission to real bandwidth is the host's business. */
function setDeadline(
  t: Task,
  target: Task,
  times: DeadlineTimes,
  resetOnFork: boolean,
  keeps: boolean,
): number {
  const { runtimeNs, deadlineNs } = times;
  const periodNs = times.periodNs || deadlineNs;
  if (deadlineNs === 0 || runtimeNs < MIN_RUNTIME_NS) return -EINVAL;
  if (periodNs < MIN_PERIOD_NS || periodNs > MAX_PERIOD_NS) return -EINVAL;
  if (periodNs < deadlineNs || deadlineNs < runtimeNs) return -EINVAL;
  if (!hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  target.schedResetOnFork = resetOnFork;
  if (keeps) return 0;
  target.schedPolicy = SCHED_DEADLINE;
  target.schedPriority = 0;
  deadlineTimes.set(target, { runtimeNs, deadlineNs, periodNs });
  return 0;
}

/** sched_setscheduler(2). */
export function schedSetscheduler(t: Task, args: SyscallArguments): number {
  const policy = args.i32(1);
  if (policy < 0) return -EINVAL;
  return setFromParam(t, args.i32(0), policy, args.addr(2));
}

/** sched_setparam(2). */
export function schedSetparam(t: Task, args: SyscallArguments): number {
  return setFromParam(t, args.i32(0), null, args.addr(1));
}

function setFromParam(t: Task, pid: number, policy: number | null, addr: number): number {
  if (addr === 0 || pid < 0) return -EINVAL;
  if (t.copyIn(addr, t.scratch, 0, 4) < 0) return -EFAULT;
  const priority = t.scratchView.getInt32(0, true);
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  if (policy === null) {
    const { schedPolicy, schedResetOnFork } = target;
    return setScheduler(t, target, schedPolicy, priority, null, schedResetOnFork);
  }
  const reset = (policy & SCHED_RESET_ON_FORK) !== 0;
  return setScheduler(t, target, policy & ~SCHED_RESET_ON_FORK, priority, null, reset);
}

/** sched_getscheduler(2). */
export function schedGetscheduler(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  if (pid < 0) return -EINVAL;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  return target.schedPolicy | (target.schedResetOnFork ? SCHED_RESET_ON_FORK : 0);
}

/** sched_getparam(2). */
export function schedGetparam(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const addr = args.addr(1);
  if (addr === 0 || pid < 0) return -EINVAL;
  const target = lookup(t, pid);
  return target === null ? -ESRCH : t.copyOutU32(addr, target.schedPriority);
}

/** sched_setattr(2). */
export function schedSetattr(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const addr = args.addr(1);
  if (addr === 0 || pid < 0 || args.u32(2) !== 0) return -EINVAL;
  if (t.copyIn(addr, t.scratch, 0, 4) < 0) return -EFAULT;
  const size = t.scratchView.getUint32(0, true) || SCHED_ATTR_SIZE_VER0;
  if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) return tooBig(t, addr);
  const err = copyInStruct(t, addr, size, SCHED_ATTR_SIZE);
  if (err < 0) return err === -E2BIG ? tooBig(t, addr) : err;
  const attr = getSchedAttr(t.scratchView, 0);
  if (attr.policy > 0x7fffffff || (attr.flags & ~SCHED_FLAG_ALL) !== 0) return -EINVAL;
  const clamps = (attr.flags & SCHED_FLAG_UTIL_CLAMP) !== 0;
  if (clamps && size < SCHED_ATTR_SIZE_VER1) return -EINVAL;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  if (clamps) return -EOPNOTSUPP; // As a kernel without CONFIG_UCLAMP_TASK.
  const keepPolicy = (attr.flags & SCHED_FLAG_KEEP_POLICY) !== 0;
  const keepParams = (attr.flags & SCHED_FLAG_KEEP_PARAMS) !== 0;
  const policy = keepPolicy ? target.schedPolicy : attr.policy;
  const reset = (attr.flags & SCHED_FLAG_RESET_ON_FORK) !== 0;
  if (policy === SCHED_DEADLINE) {
    const kept = keepParams ? deadlineTimes.get(target) : undefined;
    return attr.priority !== 0 ? -EINVAL : setDeadline(t, target, kept ?? attr, reset, keepParams);
  }
  const wasRealTime = isRealTime(target.schedPolicy);
  const priority = keepParams && wasRealTime ? target.schedPriority : attr.priority;
  const fair = policy === SCHED_NORMAL || policy === SCHED_BATCH;
  const keepsNice = keepParams && !wasRealTime && target.schedPolicy !== SCHED_DEADLINE;
  const nice = fair && !keepsNice ? Math.max(-20, Math.min(19, attr.nice)) : null;
  return setScheduler(t, target, policy, priority, nice, reset, keepParams);
}

function tooBig(t: Task, addr: number): number {
  t.copyOutU32(addr, SCHED_ATTR_SIZE);
  return -E2BIG;
}

/** sched_getattr(2). */
export function schedGetattr(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const addr = args.addr(1);
  const size = args.u32(2);
  if (addr === 0 || pid < 0 || args.u32(3) !== 0) return -EINVAL;
  if (size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0) return -EINVAL;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  const length = Math.min(size, SCHED_ATTR_SIZE);
  const isDeadline = target.schedPolicy === SCHED_DEADLINE;
  const times = isDeadline ? deadlineTimes.get(target) : undefined;
  putSchedAttr(t.scratchView, 0, {
    size: length,
    policy: target.schedPolicy,
    flags: target.schedResetOnFork ? SCHED_FLAG_RESET_ON_FORK : 0,
    nice: isRealTime(target.schedPolicy) ? 0 : target.nice,
    priority: target.schedPriority,
    runtimeNs: times?.runtimeNs ?? 0,
    deadlineNs: times?.deadlineNs ?? 0,
    periodNs: times?.periodNs ?? 0,
    utilMin: 0,
    utilMax: 1024,
  });
  return t.copyOut(addr, t.scratch, 0, length);
}

/** Policies that are not real-time have one priority; of SCHED_EXT the kernel knows no more than that here. */
function hasPriorities(policy: number): boolean {
  return isPolicy(policy) || policy === SCHED_DEADLINE || policy === SCHED_EXT;
}

/** sched_get_priority_max(2). */
export function schedGetPriorityMax(_t: Task, args: SyscallArguments): number {
  const policy = args.i32(0);
  if (isRealTime(policy)) return RT_PRIORITY_MAX;
  return hasPriorities(policy) ? 0 : -EINVAL;
}

/** sched_get_priority_min(2). */
export function schedGetPriorityMin(_t: Task, args: SyscallArguments): number {
  const policy = args.i32(0);
  if (isRealTime(policy)) return 1;
  return hasPriorities(policy) ? 0 : -EINVAL;
}

/** sched_rr_get_interval(2). */
export function schedRrGetInterval(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  if (pid < 0) return -EINVAL;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  const ns = target.schedPolicy === SCHED_RR
    ? RR_INTERVAL_NS
    : target.schedPolicy === SCHED_FIFO
    ? 0
    : FAIR_INTERVAL_NS;
  putTimespec(t.scratchView, 0, 0, ns);
  return t.copyOut(args.addr(1), t.scratch, 0, TIMESPEC_SIZE);
}

/** sched_yield(2). */
export function schedYield(): number {
  return 0;
}

/** Bytes of the kernel's cpumask: whole longs. */
function maskBytes(t: Task): number {
  return Math.ceil(t.kernel.cpuCount / 64) * 8;
}

/** sched_getaffinity(2). */
export function schedGetaffinity(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const length = args.u32(1);
  if (length * 8 < t.kernel.cpuCount || length % 8 !== 0) return -EINVAL;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  const size = Math.min(length, maskBytes(t));
  t.scratch.fill(0, 0, size);
  for (let cpu = 0; cpu < t.kernel.cpuCount && cpu < size * 8; cpu++) {
    if (isAllowed(target, cpu)) t.scratch[cpu >> 3] |= 1 << (cpu & 7);
  }
  return t.copyOut(args.addr(2), t.scratch, 0, size) < 0 ? -EFAULT : size;
}

/** Task.cpuMask covers 32 CPUs; those beyond are always allowed. */
function isAllowed(target: Task, cpu: number): boolean {
  return cpu >= 32 || (target.cpuMask >>> cpu & 1) !== 0;
}

/** sched_setaffinity(2): kept and shown; where threads run stays the host's decision. */
export function schedSetaffinity(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const size = Math.min(args.u32(1), maskBytes(t));
  t.scratch.fill(0, 0, 8);
  if (size > 0 && t.copyIn(args.addr(2), t.scratch, 0, size) < 0) return -EFAULT;
  const target = lookup(t, pid);
  if (target === null) return -ESRCH;
  if (!mayChange(t, target)) return -EPERM;
  const cpus = t.kernel.cpuCount;
  let any = cpus > 32;
  let mask = t.scratchView.getUint32(0, true);
  if (cpus < 32) mask = (mask & (2 ** cpus - 1)) >>> 0;
  if (mask !== 0) any = true;
  if (!any) return -EINVAL;
  target.cpuMask = mask | 0;
  return 0;
}

/** getcpu(2); programs ask the vDSO or rseq, which tell the truth. */
export function getcpu(t: Task, args: SyscallArguments): number {
  const cpuAddr = args.addr(0);
  const nodeAddr = args.addr(1);
  const cpu = t.cpuMask === -1 ? 0 : 31 - Math.clz32(t.cpuMask & -t.cpuMask);
  if (cpuAddr !== 0 && t.copyOutU32(cpuAddr, cpu) < 0) return -EFAULT;
  return nodeAddr === 0 ? 0 : t.copyOutU32(nodeAddr, 0);
}

const KEPT = "kept and shown; the host schedules";
export const rows: SyscallRow[] = [
  [SYS_sched_yield, "sched_yield", schedYield, FULL],
  [SYS_sched_setparam, "sched_setparam", schedSetparam, PARTIAL, KEPT],
  [SYS_sched_getparam, "sched_getparam", schedGetparam, FULL],
  [SYS_sched_setscheduler, "sched_setscheduler", schedSetscheduler, PARTIAL, KEPT],
  [SYS_sched_getscheduler, "sched_getscheduler", schedGetscheduler, FULL],
  [SYS_sched_get_priority_max, "sched_get_priority_max", schedGetPriorityMax, FULL],
  [SYS_sched_get_priority_min, "sched_get_priority_min", schedGetPriorityMin, FULL],
  [SYS_sched_rr_get_interval, "sched_rr_get_interval", schedRrGetInterval, FULL],
  [SYS_sched_setaffinity, "sched_setaffinity", schedSetaffinity, PARTIAL, KEPT],
  [SYS_sched_getaffinity, "sched_getaffinity", schedGetaffinity, FULL],
  [SYS_getcpu, "getcpu", getcpu, PARTIAL, "always the first allowed CPU"],
  [SYS_sched_setattr, "sched_setattr", schedSetattr, PARTIAL, KEPT],
  [SYS_sched_getattr, "sched_getattr", schedGetattr, FULL],
];
