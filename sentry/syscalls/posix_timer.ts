/** timer_create(2) and its family. */
import { EFAULT, EINVAL, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import {
  SYS_timer_create,
  SYS_timer_delete,
  SYS_timer_getoverrun,
  SYS_timer_gettime,
  SYS_timer_settime,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  _NSIG,
  getSigevent,
  SIGALRM,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  SIGEVENT_SIZE,
} from "../../platform/abi/signal.ts";
import {
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME_COARSE,
  getItimerspec,
  ITIMERSPEC_SIZE,
  NSEC_PER_SEC,
  putItimerspec,
  TIMER_ABSTIME,
} from "../../platform/abi/time.ts";
import { readableClock, withTimeOf } from "../kernel/clock_source.ts";
import { type PosixTimer, posixTimers, type TimerNotification } from "../kernel/posix_timer.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** timer_create(2). */
export function timerCreate(t: Task, args: SyscallArguments): number {
  const id = args.i32(0);
  const eventAddr = args.addr(1);
  const timers = posixTimers(t.tg);
  const event = notification(t, eventAddr, timers.nextId);
  if (event === -EFAULT) return event;
  const clock = readableClock(t, id);
  if (typeof clock === "number") return clock;
  if (
    id === CLOCK_MONOTONIC_RAW || id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE
  ) return -EOPNOTSUPP;
  if (typeof event === "number") return event;
  const timer = timers.create(id, clock, event, t.kernel.user(t.creds.ruid));
  if (typeof timer === "number") return timer;
  if (t.copyOutU32(args.addr(2), timer.id) < 0) {
    timers.delete(timer.id);
    return -EFAULT;
  }
  return 0;
}

function notification(t: Task, addr: number, timerId: number): TimerNotification | number {
  if (addr === 0) {
    return { notify: SIGEV_SIGNAL, signo: SIGALRM, valueLo: timerId, valueHi: 0, thread: null };
  }
  if (t.copyIn(addr, t.scratch, 0, SIGEVENT_SIZE) < 0) return -EFAULT;
  const { notify, signo, valueLo, valueHi, threadId } = getSigevent(t.scratchView, 0);
  if ((notify & ~SIGEV_THREAD_ID) === SIGEV_SIGNAL || notify === SIGEV_THREAD) {
    if (signo <= 0 || signo > _NSIG) return -EINVAL;
  } else if (notify !== SIGEV_NONE) return -EINVAL;
  let thread: Task | null = null;
  if ((notify & SIGEV_THREAD_ID) !== 0) {
    thread = t.kernel.tasks.get(threadId) ?? null;
    if (thread === null || thread.tg !== t.tg) return -EINVAL;
  }
  return { notify: notify & ~SIGEV_THREAD_ID, signo, valueLo, valueHi, thread };
}

function lookup(t: Task, id: number): PosixTimer | null {
  return t.tg.posixTimers?.get(id) ?? null;
}

function putState(t: Task, timer: PosixTimer): void {
  const value = timer.remainingNs();
  const sec = Math.floor(value / NSEC_PER_SEC);
  const interval = Math.floor(timer.intervalNs / NSEC_PER_SEC);
  putItimerspec(
    t.scratchView,
    0,
    interval,
    timer.intervalNs - interval * NSEC_PER_SEC,
    sec,
    Math.floor(value - sec * NSEC_PER_SEC),
  );
}

/** timer_gettime(2). */
export function timerGettime(t: Task, args: SyscallArguments): SyscallReturn {
  const timer = lookup(t, args.i32(0));
  if (timer === null) return -EINVAL;
  const addr = args.addr(1);
  return withTimeOf(t, timer.clock, () => {
    putState(t, timer);
    return t.copyOut(addr, t.scratch, 0, ITIMERSPEC_SIZE);
  });
}

/** timer_settime(2). */
export function timerSettime(t: Task, args: SyscallArguments): SyscallReturn {
  const newAddr = args.addr(2);
  const oldAddr = args.addr(3);
  if (newAddr === 0) return -EINVAL;
  if (t.copyIn(newAddr, t.scratch, 0, ITIMERSPEC_SIZE) < 0) return -EFAULT;
  const v = getItimerspec(t.scratchView, 0);
  if (!isTime(v.valueSec, v.valueNsec) || !isTime(v.intervalSec, v.intervalNsec)) return -EINVAL;
  const timer = lookup(t, args.i32(0));
  if (timer === null) return -EINVAL;
  const valueNs = v.valueSec * NSEC_PER_SEC + v.valueNsec;
  const intervalNs = v.intervalSec * NSEC_PER_SEC + v.intervalNsec;
  const absolute = (args.i32(1) & TIMER_ABSTIME) !== 0;
  return withTimeOf(t, timer.clock, () => {
    putState(t, timer);
    const expiry = valueNs === 0 ? 0 : absolute ? valueNs : timer.clock.nowNs() + valueNs;
    timer.arm(expiry, valueNs === 0 ? 0 : intervalNs);
    return oldAddr === 0 ? 0 : t.copyOut(oldAddr, t.scratch, 0, ITIMERSPEC_SIZE);
  });
}

function isTime(sec: number, nsec: number): boolean {
  return sec >= 0 && nsec >= 0 && nsec < NSEC_PER_SEC;
}

/** timer_getoverrun(2). */
export function timerGetoverrun(t: Task, args: SyscallArguments): number {
  return lookup(t, args.i32(0))?.lastOverrun ?? -EINVAL;
}

/** timer_delete(2). */
export function timerDelete(t: Task, args: SyscallArguments): number {
  return t.tg.posixTimers?.delete(args.i32(0)) ? 0 : -EINVAL;
}

export const rows: SyscallRow[] = [
  [SYS_timer_create, "timer_create", timerCreate, FULL],
  [SYS_timer_settime, "timer_settime", timerSettime, FULL],
  [SYS_timer_gettime, "timer_gettime", timerGettime, FULL],
  [SYS_timer_getoverrun, "timer_getoverrun", timerGetoverrun, FULL],
  [SYS_timer_delete, "timer_delete", timerDelete, FULL],
];
