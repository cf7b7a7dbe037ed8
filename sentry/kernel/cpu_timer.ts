/**
 * Timers on CPU clocks (Linux: kernel/time/posix-cpu-timers.c). Nothing tells when such a clock has come to a
 * time, so a timer is looked at when that may be so at the earliest, and then again. A clock stands while the
 * threads whose time it counts sleep. As long as all of them sleep in the Sentry nobody looks: the first to go on queues
 * the timers again. Of those that sleep in a host call of the platform nothing is heard, so they are
 * looked at, now and then.
 */
import { processCpuNs, sampleThreadTime, threadCpuNs, threadTimeIsKnown } from "./cpu_time.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { KernelTimer } from "./timers.ts";

/** How often a timer is looked at, at most. */
const LOOK_NS = 1_000_000;
/** And while all threads of its clock sleep: all such timers of the sandbox at the same times. */
const FIRST_NAP_NS = 20_000_000;
/** As long as the process has used nothing in the last nap, the next is twice as long, up to this. */
const LONGEST_NAP_NS = 8 * FIRST_NAP_NS;

/** CPU time of a process, or of one of its threads. */
export class CpuClock {
  readonly isCpuClock = true;

  /** `thread` null: the time of all of them. `userOnly`: of a process, without its system time. */
  constructor(
    readonly tg: ThreadGroup,
    readonly thread: Task | null = null,
    private readonly userOnly = false,
  ) {}

  /** Of a thread what is known, see `isKnown`. */
  nowNs(): number {
    return this.thread === null ? processCpuNs(this.tg, this.userOnly) : threadCpuNs(this.thread);
  }

  /** A running thread's time is known to itself alone: the Sentry must have it. */
  get isKnown(): boolean {
    return this.thread === null || threadTimeIsKnown(this.thread);
  }

  /** The threads whose time it counts. */
  get threads(): readonly Task[] {
    return this.thread === null ? this.tg.threads : [this.thread];
  }
}

/** Calls `expired` when its clock has come to the time that it was armed for. */
export class CpuTimer implements KernelTimer {
  deadlineMonoNs = 0;
  heapIndex = -1;
  /** On the clock; Infinity when disarmed. */
  #expiryNs = Infinity;

  constructor(private readonly clock: CpuClock, private readonly expired: () => void) {}

  arm(expiryNs: number): void {
    this.#expiryNs = expiryNs;
    this.queue();
  }

  disarm(): void {
    const { tg } = this.clock;
    this.#expiryNs = Infinity;
    tg.standingTimers?.delete(this);
    tg.kernel.timers.cancel(this);
  }

  fire(): void {
    const { thread } = this.clock;
    if (thread === null || this.clock.isKnown) return this.look();
    // Its time stands still if it sleeps, and what it has used before is told when it is met awake.
    if (thread.sleepsInHost) return this.queue();
    askForThreadTime(thread, this);
  }

  /** The clock's time is known. */
  look(): void {
    if (this.#expiryNs === Infinity) return;
    if (this.clock.nowNs() < this.#expiryNs) return this.queue();
    this.disarm();
    this.expired();
  }

  /** Sees to it that the timer is looked at in time. */
  queue(): void {
    const { tg, threads } = this.clock;
    const { kernel } = tg;
    const awake = threads.filter((t) => !t.sleeps && !t.exiting);
    if (this.clock.thread?.exiting) return;
    if (awake.length === 0) {
      kernel.timers.cancel(this);
      tg.standingTimers ??= new Set();
      tg.standingTimers.add(this);
      return;
    }
    const now = kernel.nowMonoNs();
    if (awake.every((t) => t.sleepsInHost)) this.deadlineMonoNs = this.#endOfNap(now);
    else {
      const leftNs = (this.#expiryNs - this.clock.nowNs()) / awake.length;
      this.deadlineMonoNs = now + Math.max(leftNs, LOOK_NS);
    }
    kernel.timers.add(this);
  }

  #endOfNap(nowMonoNs: number): number {
    const usedNs = processCpuNs(this.clock.tg, true); // The Sentry looks, which takes time of its own.
    this.#napNs = usedNs === this.#usedNs
      ? Math.min(2 * this.#napNs, LONGEST_NAP_NS)
      : FIRST_NAP_NS;
    this.#usedNs = usedNs;
    return (Math.floor(nowMonoNs / this.#napNs) + 1) * this.#napNs;
  }
  #napNs = FIRST_NAP_NS;
  /** By the process itself, when the last nap began. */
  #usedNs = -1;
}

/** A thread of the process goes on: its CPU clocks move again. */
export function startClocks(tg: ThreadGroup): void {
  const timers = tg.standingTimers;
  tg.standingTimers = null;
  if (timers !== null) { for (const timer of timers) timer.queue(); }
}

/** Who wants to know a thread's CPU time: called when that is known. */
export interface TimeLooker {
  look(): void;
}

/** `looker` is called when the Sentry next has the thread, for which that is interrupted. */
export function askForThreadTime(t: Task, looker: TimeLooker): void {
  t.timeLookers ??= new Set();
  t.timeLookers.add(looker);
  t.ctx?.interrupt();
}

/** The Sentry has the thread, or is about to part with it for good: its time is known. */
export function answerTimeLookers(t: Task): void {
  const lookers = t.timeLookers;
  t.timeLookers = null;
  sampleThreadTime(t, true);
  if (lookers !== null) { for (const looker of lookers) looker.look(); }
}
