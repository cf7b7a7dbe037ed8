/** The clocks that timers and sleeps run on (clock_gettime(2)). Times are ns; see each for its zero. */
import { EPOLLIN } from "../../platform/abi/epoll.ts";
import { EINVAL, ERESTARTNOINTR } from "../../platform/abi/errno.ts";
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
import { WaitQueue } from "../wait/queue.ts";
import { BLOCK_READY } from "./block.ts";
import { askForThreadTime, CpuClock, CpuTimer } from "./cpu_timer.ts";
import type { SyscallReturn } from "./syscall.ts";
import type { Task } from "./task.ts";
import type { KernelTimer, TimerHeap } from "./timers.ts";

/** A clock that goes on by itself. */
export class WallClock {
  readonly isCpuClock = false;

  constructor(
    readonly nowNs: () => number,
    /** When, on the monotonic clock, this one will (at the earliest) show `expiryNs`. */
    readonly deadlineMonoNs: (expiryNs: number) => number,
  ) {}
}

export type ClockSource = WallClock | CpuClock;

const wall = new Float64Array(2);

/** Wall clock in ns since the epoch; exact to a quarter of a microsecond, like every number this big. */
function realtimeNs(): number {
  realtime(wall);
  return wall[0] * NSEC_PER_SEC + wall[1];
}

/** Sleeps and timers on the wall clock: the difference to the monotonic one is taken when arming. */
export const REALTIME: WallClock = new WallClock(
  realtimeNs,
  (expiryNs) => monoNs() + (expiryNs - realtimeNs()),
);
export const MONOTONIC: WallClock = new WallClock(monoNs, (expiryNs) => expiryNs);
const BOOTTIME = new WallClock(
  () => clockNs(CLOCK_BOOTTIME),
  (expiryNs) => monoNs() + (expiryNs - clockNs(CLOCK_BOOTTIME)),
);

/** Calls `expired` when its clock has come to the time that it was armed for. */
export interface ClockTimer {
  arm(expiryNs: number): void;
  disarm(): void;
}

class WallTimer implements ClockTimer, KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  #expiryNs = 0;

  constructor(
    private readonly timers: TimerHeap,
    private readonly clock: WallClock,
    private readonly expired: () => void,
  ) {}

  arm(expiryNs: number): void {
    this.#expiryNs = expiryNs;
    this.deadlineMonoNs = this.clock.deadlineMonoNs(expiryNs);
    this.timers.add(this);
  }

  disarm(): void {
    this.timers.cancel(this);
  }

  fire(): void {
    // A clock that was set back is not there yet.
    if (this.clock.nowNs() < this.#expiryNs) this.arm(this.#expiryNs);
    else this.expired();
  }
}

/** A timer on `clock`, not armed. */
export function newTimer(timers: TimerHeap, clock: ClockSource, expired: () => void): ClockTimer {
  return clock.isCpuClock ? new CpuTimer(clock, expired) : new WallTimer(timers, clock, expired);
}

/** Does what needs the time of `clock`, once that is known: a running thread must come to the Sentry first. */
export function withTimeOf(t: Task, clock: ClockSource, use: () => SyscallReturn): SyscallReturn {
  if (!clock.isCpuClock || clock.isKnown) return use();
  return whenKnown(t, clock.thread!, use);
}

async function whenKnown(t: Task, thread: Task, use: () => SyscallReturn): Promise<number> {
  const known = new WaitQueue();
  askForThreadTime(thread, { look: () => known.notify(EPOLLIN) });
  const why = await t.blocking.wait(known, EPOLLIN, -1);
  return why === BLOCK_READY ? use() : -ERESTARTNOINTR;
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
      return new CpuClock(t.tg);
    case CLOCK_THREAD_CPUTIME_ID:
      return new CpuClock(t.tg, t);
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
    return new CpuClock(t.tg, target);
  }
  if (pid !== 0 && target.tg.leader !== target) return -EINVAL;
  return new CpuClock(target.tg);
}
