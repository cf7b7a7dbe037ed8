/** getitimer(2), setitimer(2), alarm(2). */
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { SYS_alarm, SYS_getitimer, SYS_setitimer } from "../../platform/abi/amd64/syscalls.ts";
import {
  getItimerval,
  ITIMER_PROF,
  ITIMER_REAL,
  ITIMERVAL_SIZE,
  NSEC_PER_SEC,
  NSEC_PER_USEC,
  putItimerval,
  USEC_PER_SEC,
} from "../../platform/abi/time.ts";
import { intervalTimers } from "../kernel/itimer.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** getitimer(2). */
export function getitimer(t: Task, args: SyscallArguments): number {
  const which = args.i32(0);
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  fillOld(t, which);
  return t.copyOut(args.addr(1), t.scratch, 0, ITIMERVAL_SIZE);
}

/** The timer's state, at scratch. */
function fillOld(t: Task, which: number): void {
  const timers = t.tg.itimers;
  const value = split(timers?.remainingNs(which) ?? 0);
  const interval = split(timers?.intervalNs(which) ?? 0);
  putItimerval(t.scratchView, 0, interval.sec, interval.usec, value.sec, value.usec);
}

function split(ns: number): { sec: number; usec: number } {
  const sec = Math.floor(ns / NSEC_PER_SEC);
  return { sec, usec: Math.floor((ns - sec * NSEC_PER_SEC) / NSEC_PER_USEC) };
}

/** setitimer(2). */
export function setitimer(t: Task, args: SyscallArguments): number {
  const which = args.i32(0);
  const newAddr = args.addr(1);
  const oldAddr = args.addr(2);
  let valueNs = 0;
  let intervalNs = 0;
  if (newAddr !== 0) {
    if (t.copyIn(newAddr, t.scratch, 0, ITIMERVAL_SIZE) < 0) return -EFAULT;
    const v = getItimerval(t.scratchView, 0);
    if (!isTime(v.valueSec, v.valueUsec) || !isTime(v.intervalSec, v.intervalUsec)) return -EINVAL;
    valueNs = v.valueSec * NSEC_PER_SEC + v.valueUsec * NSEC_PER_USEC;
    intervalNs = v.intervalSec * NSEC_PER_SEC + v.intervalUsec * NSEC_PER_USEC;
  }
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  fillOld(t, which);
  if (valueNs !== 0 || t.tg.itimers !== null) intervalTimers(t.tg).arm(which, valueNs, intervalNs);
  return oldAddr === 0 ? 0 : t.copyOut(oldAddr, t.scratch, 0, ITIMERVAL_SIZE);
}

function isTime(sec: number, usec: number): boolean {
  return sec >= 0 && usec >= 0 && usec < USEC_PER_SEC;
}

/** alarm(2): the seconds that were left are rounded, but a running timer never shows 0. */
export function alarm(t: Task, args: SyscallArguments): number {
  const timers = intervalTimers(t.tg);
  const leftNs = timers.remainingNs(ITIMER_REAL);
  timers.arm(ITIMER_REAL, args.u32(0) * NSEC_PER_SEC, 0);
  const sec = Math.floor(leftNs / NSEC_PER_SEC);
  const rest = leftNs - sec * NSEC_PER_SEC;
  const roundsUp = (sec === 0 && rest > 0) || rest >= NSEC_PER_SEC / 2;
  return sec + (roundsUp ? 1 : 0);
}

export const rows: SyscallRow[] = [
  [SYS_getitimer, "getitimer", getitimer, FULL],
  [SYS_alarm, "alarm", alarm, FULL],
  [SYS_setitimer, "setitimer", setitimer, FULL],
];
