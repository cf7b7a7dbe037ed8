/** The clocks that timers and sleeps run on (clock_gettime(2)). Times are ns; see each for its zero. */
import { EINVAL } from "../../platform/abi/errno.ts";
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_PROCESS_CPUTIME_ID,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  CLOCK_THREAD_CPUTIME_ID,
  NSEC_PER_SEC,
} from "../../platform/abi/time.ts";
import { clockNs, monoNs, realtime } from "../../platform/host/host.ts";
import { processCpuNs, threadCpuNs } from "./cpu_time.ts";
import type { Task } from "./task.ts";

export interface ClockSource {
  nowNs(): number;
  /** When, on the monotonic clock, this one will (at the earliest) show `expiryNs`. */
  deadlineMonoNs(expiryNs: number): number;
  /** It measures CPU time: nobody can sleep on it, timers look again and again. */
  readonly isCpuClock: boolean;
}

const wall = new Float64Array(2);

/** Wall clock in ns since the epoch; exact to a quarter of a microsecond, like every number this big. */
function realtimeNs(): number {
  realtime(wall);
  return wall[0] * NSEC_PER_SEC + wall[1];
}

/** Sleeps and timers on the wall clock: the difference to the monotonic one is taken when arming. */
const REALTIME: ClockSource = {
  nowNs: realtimeNs,
  deadlineMonoNs: (expiryNs) => monoNs() + (expiryNs - realtimeNs()),
  isCpuClock: false,
};
const MONOTONIC: ClockSource = {
  nowNs: monoNs,
  deadlineMonoNs: (expiryNs) => expiryNs,
  isCpuClock: false,
};
const BOOTTIME: ClockSource = {
  nowNs: () => clockNs(CLOCK_BOOTTIME),
  deadlineMonoNs: (expiryNs) => monoNs() + (expiryNs - clockNs(CLOCK_BOOTTIME)),
  isCpuClock: false,
};

/** How often a timer on a CPU clock is looked at, at most. */
const CPU_CLOCK_STEP_NS = 1_000_000;

function cpuClock(nowNs: () => number, threads: () => number): ClockSource {
  return {
    nowNs,
    deadlineMonoNs: (expiryNs) => {
      const left = (expiryNs - nowNs()) / Math.max(1, threads());
      return monoNs() + Math.max(left, CPU_CLOCK_STEP_NS);
    },
    isCpuClock: true,
  };
}

/** Clock ids of processes and threads: MAKE_PROCESS_CPUCLOCK (clock_getcpuclockid(3)). */
const CPUCLOCK_PERTHREAD = 4;
const CPUCLOCK_WHICH = 3;
const CPUCLOCK_MAX = 3;

/** A clock that can be read, or -EINVAL. `t` is the caller, whose CPU clocks 2 and 3 are. */
export function readableClock(t: Task, id: number): ClockSource | number {
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return REALTIME;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
      return MONOTONIC;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return BOOTTIME;
    case CLOCK_PROCESS_CPUTIME_ID:
      return cpuClock(() => processCpuNs(t.tg), () => t.tg.liveThreads());
    case CLOCK_THREAD_CPUTIME_ID:
      return cpuClock(() => threadCpuNs(t), () => 1);
  }
  if (id >= 0) return -EINVAL;
  return foreignCpuClock(t, id);
}

function foreignCpuClock(t: Task, id: number): ClockSource | number {
  if ((id & CPUCLOCK_WHICH) >= CPUCLOCK_MAX) return -EINVAL;
  const pid = ~(id >> 3);
  const target = pid === 0 ? t : t.kernel.tasks.get(pid);
  if (target === undefined) return -EINVAL;
  if ((id & CPUCLOCK_PERTHREAD) !== 0) {
    if (target.tg !== t.tg) return -EINVAL;
    return cpuClock(() => threadCpuNs(target), () => 1);
  }
  if (pid !== 0 && target.tg.leader !== target) return -EINVAL;
  return cpuClock(() => processCpuNs(target.tg), () => target.tg.liveThreads());
}
