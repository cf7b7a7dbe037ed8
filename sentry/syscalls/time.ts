/** Clocks: clock_gettime(2), gettimeofday(2), time(2), adjtimex(2) and the calls that would set them. */
import { getI64, setI64 } from "../../platform/abi/bytes.ts";
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import {
  SYS_adjtimex,
  SYS_clock_adjtime,
  SYS_clock_getres,
  SYS_clock_gettime,
  SYS_clock_settime,
  SYS_gettimeofday,
  SYS_settimeofday,
  SYS_time,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  ADJ_OFFSET_SS_READ,
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  getTimex,
  NSEC_PER_SEC,
  NSEC_PER_USEC,
  putTimespec,
  putTimeval,
  putTimex,
  putTimezone,
  STA_UNSYNC,
  TIME_ERROR,
  TIMESPEC_SIZE,
  TIMEVAL_SIZE,
  TIMEX_SIZE,
  TIMEZONE_SIZE,
  USEC_PER_SEC,
} from "../../platform/abi/time.ts";
import { hostAlloc, hostSyscall } from "../../platform/host/host.ts";
import { readableClock, withTimeOf } from "../kernel/clock_source.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** Resolution of the coarse clocks: a tick at CONFIG_HZ=250. */
const TICK_NS = 4_000_000;

const hostTimespec = hostAlloc(TIMESPEC_SIZE);

/** clock_gettime(2); most callers ask the vDSO instead, with which this must agree to the nanosecond. */
export function clockGettime(t: Task, args: SyscallArguments): SyscallReturn {
  const id = args.i32(0);
  const clock = readableClock(t, id);
  if (typeof clock === "number") return clock;
  const addr = args.addr(1);
  if (!clock.isCpuClock) {
    const err = hostSyscall(SYS_clock_gettime, withoutAlarm(id), hostTimespec.addr);
    return err < 0 ? err : t.copyOut(addr, hostTimespec.u8, 0, TIMESPEC_SIZE);
  }
  return withTimeOf(t, clock, () => {
    const ns = clock.nowNs();
    const sec = Math.floor(ns / NSEC_PER_SEC);
    putTimespec(t.scratchView, 0, sec, Math.floor(ns - sec * NSEC_PER_SEC));
    return t.copyOut(addr, t.scratch, 0, TIMESPEC_SIZE);
  });
}

/** The alarm clocks tell the same time; a host without a real-time clock does not have them. */
function withoutAlarm(id: number): number {
  if (id === CLOCK_REALTIME_ALARM) return CLOCK_REALTIME;
  return id === CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : id;
}

/** clock_getres(2). */
export function clockGetres(t: Task, args: SyscallArguments): number {
  const id = args.i32(0);
  const clock = readableClock(t, id);
  if (typeof clock === "number") return clock;
  const addr = args.addr(1);
  if (addr === 0) return 0;
  const coarse = id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE;
  putTimespec(t.scratchView, 0, 0, coarse ? TICK_NS : 1);
  return t.copyOut(addr, t.scratch, 0, TIMESPEC_SIZE);
}

/** clock_settime(2): nobody in a sandbox sets the host's clock. */
export function clockSettime(t: Task, args: SyscallArguments): number {
  const id = args.i32(0);
  const clock = readableClock(t, id);
  if (typeof clock === "number") return clock;
  if (t.copyIn(args.addr(1), t.scratch, 0, TIMESPEC_SIZE) < 0) return -EFAULT;
  if (clock.isCpuClock) return -EPERM;
  if (id !== CLOCK_REALTIME) return -EINVAL;
  const sec = getI64(t.scratchView, 0);
  const nsec = getI64(t.scratchView, 8);
  if (sec < 0 || nsec < 0 || nsec >= NSEC_PER_SEC) return -EINVAL;
  return -EPERM;
}

/** gettimeofday(2). */
export function gettimeofday(t: Task, args: SyscallArguments): number {
  const addr = args.addr(0);
  const zoneAddr = args.addr(1);
  if (addr !== 0) {
    const now = t.kernel.nowRealtime();
    putTimeval(t.scratchView, 0, now.sec, Math.floor(now.nsec / NSEC_PER_USEC));
    if (t.copyOut(addr, t.scratch, 0, TIMEVAL_SIZE) < 0) return -EFAULT;
  }
  if (zoneAddr === 0) return 0;
  putTimezone(t.scratchView, 0, 0, 0);
  return t.copyOut(zoneAddr, t.scratch, 0, TIMEZONE_SIZE);
}

/** settimeofday(2): refused, as clock_settime. */
export function settimeofday(t: Task, args: SyscallArguments): number {
  const addr = args.addr(0);
  const zoneAddr = args.addr(1);
  if (addr !== 0) {
    if (t.copyIn(addr, t.scratch, 0, TIMEVAL_SIZE) < 0) return -EFAULT;
    const usec = getI64(t.scratchView, 8);
    if (usec < 0 || usec >= USEC_PER_SEC) return -EINVAL;
  }
  if (zoneAddr !== 0 && t.copyIn(zoneAddr, t.scratch, 0, TIMEZONE_SIZE) < 0) return -EFAULT;
  return -EPERM;
}

/** time(2). */
export function time(t: Task, args: SyscallArguments): number {
  const addr = args.addr(0);
  const { sec } = t.kernel.nowRealtime();
  if (addr !== 0) {
    setI64(t.scratchView, 0, sec);
    if (t.copyOut(addr, t.scratch, 0, 8) < 0) return -EFAULT;
  }
  return sec;
}

/** adjtimex(2): can be read. */
export function adjtimex(t: Task, args: SyscallArguments): number {
  return adjust(t, args.addr(0));
}

/** clock_adjtime(2). */
export function clockAdjtime(t: Task, args: SyscallArguments): number {
  const clock = readableClock(t, args.i32(0));
  if (typeof clock === "number") return clock;
  if (args.i32(0) !== CLOCK_REALTIME) return -EOPNOTSUPP;
  return adjust(t, args.addr(1));
}

function adjust(t: Task, addr: number): number {
  if (t.copyIn(addr, t.scratch, 0, TIMEX_SIZE) < 0) return -EFAULT;
  const timex = getTimex(t.scratchView, 0);
  const writes = timex.modes !== 0 && timex.modes !== ADJ_OFFSET_SS_READ;
  // What it would do is never done: no capability of the sandbox gives that right.
  if (writes) return -EPERM;
  const now = t.kernel.nowRealtime();
  putTimex(t.scratchView, 0, {
    ...timex,
    offset: 0,
    freq: 0,
    maxerror: 16_000_000,
    esterror: 16_000_000,
    status: STA_UNSYNC,
    constant: 2,
    precision: 1,
    tolerance: 32_768_000,
    timeSec: now.sec,
    timeUsec: Math.floor(now.nsec / NSEC_PER_USEC),
    tick: 10_000,
    tai: 0,
  });
  return t.copyOut(addr, t.scratch, 0, TIMEX_SIZE) < 0 ? -EFAULT : TIME_ERROR;
}

export const rows: SyscallRow[] = [
  [SYS_gettimeofday, "gettimeofday", gettimeofday, FULL],
  [SYS_adjtimex, "adjtimex", adjtimex, PARTIAL, "read only"],
  [SYS_settimeofday, "settimeofday", settimeofday, PARTIAL, "refused"],
  [SYS_time, "time", time, FULL],
  [SYS_clock_settime, "clock_settime", clockSettime, PARTIAL, "refused"],
  [SYS_clock_gettime, "clock_gettime", clockGettime, FULL],
  [SYS_clock_getres, "clock_getres", clockGetres, FULL],
  [SYS_clock_adjtime, "clock_adjtime", clockAdjtime, PARTIAL, "read only"],
];
