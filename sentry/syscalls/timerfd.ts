/** timerfd_create(2). */
import { CAP_WAKE_ALARM } from "../../platform/abi/capability.ts";
import { EBADF, EFAULT, EINVAL, EPERM } from "../../platform/abi/errno.ts";
import { O_RDWR } from "../../platform/abi/fcntl.ts";
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  getItimerspec,
  ITIMERSPEC_SIZE,
  NSEC_PER_SEC,
  putItimerspec,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from "../../platform/abi/time.ts";
import { hasCapability } from "../auth/credentials.ts";
import { newTimerFd, TimerFd } from "../fsimpl/anon/timerfd.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { pollable } from "./poll.ts";

export function timerfdCreate(t: Task, args: SyscallArguments): SyscallReturn {
  const clockId = args.i32(0), flags = args.i32(1);
  if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) !== 0) return -EINVAL;
  switch (clockId) {
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      if (!hasCapability(t.creds, CAP_WAKE_ALARM)) return -EPERM;
      break;
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
      break;
    default:
      return -EINVAL;
  }
  const file = newTimerFd(t.kernel, clockId, O_RDWR | (flags & TFD_NONBLOCK));
  const fd = t.fdTable.install(file, flags & TFD_CLOEXEC);
  if (fd < 0) file.release();
  return fd;
}

function timerOf(t: Task, fd: number): TimerFd | number {
  const file = pollable(t, fd);
  if (file === null) return -EBADF;
  return file.impl instanceof TimerFd ? file.impl : -EINVAL;
}

export function timerfdSettime(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(1), oldAddr = args.addr(3);
  if (t.copyIn(args.addr(2), t.scratch, 0, ITIMERSPEC_SIZE) < 0) return -EFAULT;
  const spec = getItimerspec(t.scratchView, 0);
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  if (!isValid(spec.valueSec, spec.valueNsec) || !isValid(spec.intervalSec, spec.intervalNsec)) {
    return -EINVAL;
  }
  const timer = timerOf(t, args.i32(0));
  if (typeof timer === "number") return timer;
  const oldRemaining = timer.remainingNs(), oldInterval = timer.intervalNs;
  const intervalNs = spec.intervalSec * NSEC_PER_SEC + spec.intervalNsec;
  timer.settimeFlags = flags;
  timer.set(deadlineOf(t, timer, spec.valueSec, spec.valueNsec, flags), intervalNs);
  return oldAddr === 0 ? 0 : putSetting(t, oldAddr, oldRemaining, oldInterval);
}

function isValid(sec: number, nsec: number): boolean {
  return sec >= 0 && nsec >= 0 && nsec < NSEC_PER_SEC;
}

/** Longest time that is kept exactly enough; beyond it the timer does not go off in practice. */
const MAX_NS = 2 ** 63;

function deadlineOf(t: Task, timer: TimerFd, sec: number, nsec: number, flags: number): number {
  if (sec === 0 && nsec === 0) return -1;
  const now = t.kernel.nowMonoNs();
  if ((flags & TFD_TIMER_ABSTIME) === 0) return Math.min(MAX_NS, now + sec * NSEC_PER_SEC + nsec);
  const isRealtime = timer.clockId === CLOCK_REALTIME || timer.clockId === CLOCK_REALTIME_ALARM;
  if (!isRealtime) return Math.min(MAX_NS, sec * NSEC_PER_SEC + nsec);
  const wall = t.kernel.nowRealtime();
  const delta = (sec - wall.sec) * NSEC_PER_SEC + (nsec - wall.nsec);
  return Math.max(0, Math.min(MAX_NS, now + delta));
}

export function timerfdGettime(t: Task, args: SyscallArguments): SyscallReturn {
  const timer = timerOf(t, args.i32(0));
  if (typeof timer === "number") return timer;
  return putSetting(t, args.addr(1), timer.remainingNs(), timer.intervalNs);
}

function putSetting(t: Task, addr: number, remainingNs: number, intervalNs: number): number {
  const valueSec = Math.floor(remainingNs / NSEC_PER_SEC);
  const intervalSec = Math.floor(intervalNs / NSEC_PER_SEC);
  putItimerspec(
    t.scratchView,
    0,
    intervalSec,
    intervalNs - intervalSec * NSEC_PER_SEC,
    valueSec,
    Math.floor(remainingNs - valueSec * NSEC_PER_SEC),
  );
  return t.copyOut(addr, t.scratch, 0, ITIMERSPEC_SIZE) < 0 ? -EFAULT : 0;
}

export const rows: SyscallRow[] = [
  [283, "timerfd_create", timerfdCreate, FULL],
  [286, "timerfd_settime", timerfdSettime, FULL],
  [287, "timerfd_gettime", timerfdGettime, FULL],
];
