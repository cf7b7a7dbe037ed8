/** nanosleep(2), clock_nanosleep(2). */
import { getI64, setI64 } from "../../platform/abi/bytes.ts";
import {
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
} from "../../platform/abi/errno.ts";
import { SYS_clock_nanosleep, SYS_nanosleep } from "../../platform/abi/amd64/syscalls.ts";
import {
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME_COARSE,
  CLOCK_THREAD_CPUTIME_ID,
  NSEC_PER_SEC,
  TIMER_ABSTIME,
  TIMESPEC_SIZE,
} from "../../platform/abi/time.ts";
import { BLOCK_INTERRUPTED } from "../kernel/block.ts";
import { type ClockSource, readableClock, withTimeOf } from "../kernel/clock_source.ts";
import { CpuTimer } from "../kernel/cpu_timer.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { NO_DEADLINE } from "./timeout.ts";

/** nanosleep(2). */
export function nanosleep(t: Task, args: SyscallArguments): SyscallReturn {
  const ns = copyInDuration(t, args.addr(0));
  if (ns < 0) return ns;
  return startSleep(t, CLOCK_MONOTONIC, false, ns, args.addr(1));
}

/** clock_nanosleep(2). */
export function clockNanosleep(t: Task, args: SyscallArguments): SyscallReturn {
  const id = args.i32(0);
  const flags = args.i32(1);
  const clock = readableClock(t, id);
  if (typeof clock === "number") return clock;
  // These clocks have no timers (their k_clock has no nsleep).
  if (
    id === CLOCK_MONOTONIC_RAW || id === CLOCK_REALTIME_COARSE ||
    id === CLOCK_MONOTONIC_COARSE || id === CLOCK_THREAD_CPUTIME_ID
  ) return -EOPNOTSUPP;
  if (isOwnThreadClock(t, id)) return -EINVAL;
  const ns = copyInDuration(t, args.addr(2));
  if (ns < 0) return ns;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  return startSleep(t, id, absolute, ns, absolute ? 0 : args.addr(3));
}

/** A sleep on one's own CPU time would never end. */
function isOwnThreadClock(t: Task, id: number): boolean {
  const CPUCLOCK_PERTHREAD = 4;
  return id < 0 && (id & CPUCLOCK_PERTHREAD) !== 0 && [0, t.tid].includes(~(id >> 3));
}

/** A valid timespec in ns, or -errno. */
function copyInDuration(t: Task, addr: number): number {
  if (t.copyIn(addr, t.scratch, 0, TIMESPEC_SIZE) < 0) return -EFAULT;
  const sec = getI64(t.scratchView, 0);
  const nsec = getI64(t.scratchView, 8);
  if (sec < 0 || nsec < 0 || nsec >= NSEC_PER_SEC) return -EINVAL;
  return sec * NSEC_PER_SEC + nsec;
}

function startSleep(
  t: Task,
  clockId: number,
  absolute: boolean,
  ns: number,
  remainAddr: number,
): SyscallReturn {
  const clock = readableClock(t, clockId);
  if (typeof clock === "number") return clock;
  return withTimeOf(t, clock, () => {
    const expiryNs = absolute ? ns : clock.nowNs() + ns;
    if (absolute && expiryNs <= clock.nowNs()) return 0;
    return sleepUntil(t, clock, expiryNs, absolute, remainAddr);
  });
}

async function sleepUntil(
  t: Task,
  clock: ClockSource,
  expiryNs: number,
  absolute: boolean,
  remainAddr: number,
): Promise<number> {
  for (;;) {
    const why = await sleepOn(t, clock, expiryNs);
    if (why !== BLOCK_INTERRUPTED) {
      // A clock that was set back is not there yet.
      if (clock.nowNs() >= expiryNs) return 0;
      continue;
    }
    if (absolute) return -ERESTARTNOHAND;
    const err = putRemaining(t, remainAddr, expiryNs - clock.nowNs());
    if (err < 0) return err;
    t.restartBlock = () => sleepUntil(t, clock, expiryNs, false, remainAddr);
    return -ERESTART_RESTARTBLOCK;
  }
}

async function sleepOn(t: Task, clock: ClockSource, expiryNs: number): Promise<number> {
  if (!clock.isCpuClock) return t.blocking.sleep(Math.max(0, clock.deadlineMonoNs(expiryNs)));
  const timer = new CpuTimer(clock, () => t.blocking.wakeUp());
  timer.arm(expiryNs);
  const why = await t.blocking.waitWakeUp(NO_DEADLINE);
  timer.disarm();
  return why;
}

function putRemaining(t: Task, addr: number, leftNs: number): number {
  if (addr === 0) return 0;
  const left = Math.max(0, leftNs);
  const sec = Math.floor(left / NSEC_PER_SEC);
  setI64(t.scratchView, 0, sec);
  setI64(t.scratchView, 8, Math.floor(left - sec * NSEC_PER_SEC));
  return t.copyOut(addr, t.scratch, 0, TIMESPEC_SIZE);
}

export const rows: SyscallRow[] = [
  [SYS_nanosleep, "nanosleep", nanosleep, FULL],
  [SYS_clock_nanosleep, "clock_nanosleep", clockNanosleep, FULL],
];
