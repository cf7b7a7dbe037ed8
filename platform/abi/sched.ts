/**
 * Tasks and scheduling (linux/sched.h, linux/sched/types.h): clone(2), clone3(2), sched(7).
 * Two CLONE_ flags lie above bit 31: clone3 flags are two u32 halves.
 */

import { getU64, setU64, zero } from "./bytes.ts";

// clone(2) flags
export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_PTRACE = 0x2000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_UNTRACED = 0x800000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;
export const CLONE_NEWTIME = 0x80;

// clone3(2) argument sizes
export const CLONE_ARGS_SIZE_VER0 = 64;
export const CLONE_ARGS_SIZE_VER1 = 80;
export const CLONE_ARGS_SIZE_VER2 = 88;

// Policies
export const SCHED_NORMAL = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_RESET_ON_FORK = 0x40000000;
export const SCHED_ISO = 4;
export const SCHED_OTHER = 0;
export const SCHED_EXT = 7;

// sched_setattr(2)
export const SCHED_FLAG_RESET_ON_FORK = 1;
export const SCHED_FLAG_RECLAIM = 2;
export const SCHED_FLAG_DL_OVERRUN = 4;
export const SCHED_FLAG_KEEP_POLICY = 8;
export const SCHED_FLAG_KEEP_PARAMS = 0x10;
export const SCHED_FLAG_UTIL_CLAMP_MIN = 0x20;
export const SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;
export const SCHED_FLAG_KEEP_ALL = 0x18;
export const SCHED_FLAG_UTIL_CLAMP = 0x60;
export const SCHED_FLAG_ALL = 0x7f;
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_ATTR_SIZE_VER1 = 56;

/** struct clone_args, for clone3(2); the caller may pass fewer bytes (CLONE_ARGS_SIZE_VER0). */
export const CLONE_ARGS_SIZE = 88;
export const CLONE_ARGS_OFF_FLAGS = 0;
export const CLONE_ARGS_OFF_PIDFD_ADDR = 8;
export const CLONE_ARGS_OFF_CHILD_TID_ADDR = 16;
export const CLONE_ARGS_OFF_PARENT_TID_ADDR = 24;
export const CLONE_ARGS_OFF_EXIT_SIGNAL = 32;
export const CLONE_ARGS_OFF_STACK_ADDR = 40;
export const CLONE_ARGS_OFF_STACK_SIZE = 48;
export const CLONE_ARGS_OFF_TLS_ADDR = 56;
export const CLONE_ARGS_OFF_SET_TID_ADDR = 64;
export const CLONE_ARGS_OFF_SET_TID_COUNT = 72;
export const CLONE_ARGS_OFF_CGROUP_FD = 80;

export interface CloneArgs {
  flagsLo: number;
  flagsHi: number;
  pidfdAddr: number;
  childTidAddr: number;
  parentTidAddr: number;
  exitSignal: number;
  stackAddr: number;
  stackSize: number;
  tlsAddr: number;
  setTidAddr: number;
  setTidCount: number;
  cgroupFd: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putCloneArgs(v: DataView, off: number, s: CloneArgs): void {
  zero(v, off, CLONE_ARGS_SIZE);
  v.setUint32(off + CLONE_ARGS_OFF_FLAGS, s.flagsLo, true);
  v.setUint32(off + CLONE_ARGS_OFF_FLAGS + 4, s.flagsHi, true);
  setU64(v, off + CLONE_ARGS_OFF_PIDFD_ADDR, s.pidfdAddr);
  setU64(v, off + CLONE_ARGS_OFF_CHILD_TID_ADDR, s.childTidAddr);
  setU64(v, off + CLONE_ARGS_OFF_PARENT_TID_ADDR, s.parentTidAddr);
  setU64(v, off + CLONE_ARGS_OFF_EXIT_SIGNAL, s.exitSignal);
  setU64(v, off + CLONE_ARGS_OFF_STACK_ADDR, s.stackAddr);
  setU64(v, off + CLONE_ARGS_OFF_STACK_SIZE, s.stackSize);
  setU64(v, off + CLONE_ARGS_OFF_TLS_ADDR, s.tlsAddr);
  setU64(v, off + CLONE_ARGS_OFF_SET_TID_ADDR, s.setTidAddr);
  setU64(v, off + CLONE_ARGS_OFF_SET_TID_COUNT, s.setTidCount);
  setU64(v, off + CLONE_ARGS_OFF_CGROUP_FD, s.cgroupFd);
}

export function getCloneArgs(v: DataView, off: number): CloneArgs {
  return {
    flagsLo: v.getUint32(off + CLONE_ARGS_OFF_FLAGS, true),
    flagsHi: v.getUint32(off + CLONE_ARGS_OFF_FLAGS + 4, true),
    pidfdAddr: getU64(v, off + CLONE_ARGS_OFF_PIDFD_ADDR),
    childTidAddr: getU64(v, off + CLONE_ARGS_OFF_CHILD_TID_ADDR),
    parentTidAddr: getU64(v, off + CLONE_ARGS_OFF_PARENT_TID_ADDR),
    exitSignal: getU64(v, off + CLONE_ARGS_OFF_EXIT_SIGNAL),
    stackAddr: getU64(v, off + CLONE_ARGS_OFF_STACK_ADDR),
    stackSize: getU64(v, off + CLONE_ARGS_OFF_STACK_SIZE),
    tlsAddr: getU64(v, off + CLONE_ARGS_OFF_TLS_ADDR),
    setTidAddr: getU64(v, off + CLONE_ARGS_OFF_SET_TID_ADDR),
    setTidCount: getU64(v, off + CLONE_ARGS_OFF_SET_TID_COUNT),
    cgroupFd: getU64(v, off + CLONE_ARGS_OFF_CGROUP_FD),
  };
}

/** struct sched_attr, for sched_setattr(2) and sched_getattr(2). */
export const SCHED_ATTR_SIZE = 56;
export const SCHED_ATTR_OFF_SIZE = 0;
export const SCHED_ATTR_OFF_POLICY = 4;
export const SCHED_ATTR_OFF_FLAGS = 8;
export const SCHED_ATTR_OFF_NICE = 16;
export const SCHED_ATTR_OFF_PRIORITY = 20;
export const SCHED_ATTR_OFF_RUNTIME_NS = 24;
export const SCHED_ATTR_OFF_DEADLINE_NS = 32;
export const SCHED_ATTR_OFF_PERIOD_NS = 40;
export const SCHED_ATTR_OFF_UTIL_MIN = 48;
export const SCHED_ATTR_OFF_UTIL_MAX = 52;

export interface SchedAttr {
  size: number;
  policy: number;
  flags: number;
  nice: number;
  priority: number;
  runtimeNs: number;
  deadlineNs: number;
  periodNs: number;
  utilMin: number;
  utilMax: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSchedAttr(v: DataView, off: number, s: SchedAttr): void {
  zero(v, off, SCHED_ATTR_SIZE);
  v.setUint32(off + SCHED_ATTR_OFF_SIZE, s.size, true);
  v.setUint32(off + SCHED_ATTR_OFF_POLICY, s.policy, true);
  setU64(v, off + SCHED_ATTR_OFF_FLAGS, s.flags);
  v.setInt32(off + SCHED_ATTR_OFF_NICE, s.nice, true);
  v.setUint32(off + SCHED_ATTR_OFF_PRIORITY, s.priority, true);
  setU64(v, off + SCHED_ATTR_OFF_RUNTIME_NS, s.runtimeNs);
  setU64(v, off + SCHED_ATTR_OFF_DEADLINE_NS, s.deadlineNs);
  setU64(v, off + SCHED_ATTR_OFF_PERIOD_NS, s.periodNs);
  v.setUint32(off + SCHED_ATTR_OFF_UTIL_MIN, s.utilMin, true);
  v.setUint32(off + SCHED_ATTR_OFF_UTIL_MAX, s.utilMax, true);
}

export function getSchedAttr(v: DataView, off: number): SchedAttr {
  return {
    size: v.getUint32(off + SCHED_ATTR_OFF_SIZE, true),
    policy: v.getUint32(off + SCHED_ATTR_OFF_POLICY, true),
    flags: getU64(v, off + SCHED_ATTR_OFF_FLAGS),
    nice: v.getInt32(off + SCHED_ATTR_OFF_NICE, true),
    priority: v.getUint32(off + SCHED_ATTR_OFF_PRIORITY, true),
    runtimeNs: getU64(v, off + SCHED_ATTR_OFF_RUNTIME_NS),
    deadlineNs: getU64(v, off + SCHED_ATTR_OFF_DEADLINE_NS),
    periodNs: getU64(v, off + SCHED_ATTR_OFF_PERIOD_NS),
    utilMin: v.getUint32(off + SCHED_ATTR_OFF_UTIL_MIN, true),
    utilMax: v.getUint32(off + SCHED_ATTR_OFF_UTIL_MAX, true),
  };
}

/** struct sched_param holds one i32, the priority. */
export const SCHED_PARAM_SIZE = 4;
