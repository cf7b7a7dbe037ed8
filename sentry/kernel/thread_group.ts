/** A process (Linux: signal_struct and what hangs on it); its threads are Tasks. */
import { WaitQueue } from "../wait/queue.ts";
import { IoCounts } from "./io_counts.ts";
import type { KernelTimer } from "./timers.ts";
import type { Kernel } from "./kernel.ts";
import type { Rlimits } from "./rlimits.ts";
import type { ControllingTty, ProcessGroup } from "./session.ts";
import type { SignalActions } from "./signal_actions.ts";
import { PendingSignals } from "./signal_queue.ts";
import type { Task } from "./task.ts";
import type { IntervalTimers } from "./itimer.ts";
import type { CpuTimer } from "./cpu_timer.ts";
import type { PosixTimers } from "./posix_timer.ts";

/** Resources of reaped threads or children that getrusage(2) adds up. */
export class UsageTotals {
  utimeNs = 0;
  stimeNs = 0;
  voluntarySwitches = 0;
  maxRssKb = 0;
  minorFaults = 0;
  majorFaults = 0;

  add(other: UsageTotals): void {
    this.utimeNs += other.utimeNs;
    this.stimeNs += other.stimeNs;
    this.voluntarySwitches += other.voluntarySwitches;
    this.minorFaults += other.minorFaults;
    this.majorFaults += other.majorFaults;
    if (other.maxRssKb > this.maxRssKb) this.maxRssKb = other.maxRssKb;
  }
}

/** Anonymous memory, private and shared, ELF headers and huge pages: core(5). */
const COREDUMP_FILTER_DEFAULT = 0x33;

export class ThreadGroup {
  /** Threads that have not been released; a zombie leader stays among them. */
  readonly threads: Task[] = [];
  leader!: Task;
  /** Null for init, and for a process whose parent is outside of the sandbox. */
  parent: ThreadGroup | null = null;
  /** The thread of `parent` that is the real parent: __WNOTHREAD, PR_SET_PDEATHSIG. */
  parentThread: Task | null = null;
  readonly children = new Set<ThreadGroup>();
  /** Set by joinGroup before the process is visible. */
  pgrp!: ProcessGroup;
  /**
   * The controlling terminal, which children inherit: the session's, but not of a process that gave it up
   * or that was there before the leader got it (Linux: signal->tty).
   */
  tty: ControllingTty | null = null;
  actions: SignalActions;
  limits: Rlimits;
  /** Signals sent to the process. */
  readonly pending: PendingSignals = new PendingSignals();
  /** Notified (EPOLLIN) when a signal of the process or one of its threads became pending. */
  readonly signalQueue: WaitQueue = new WaitQueue();
  /** Notified when a child's state changed: the wait family blocks here. */
  readonly childQueue: WaitQueue = new WaitQueue();
  /** Notified (EPOLLIN) when the process exits: pidfds. */
  readonly exitQueue: WaitQueue = new WaitQueue();

  /** Group exit has begun; `exitStatus` is what wait(2) will say. */
  exiting = false;
  exitStatus = 0;
  /** Armed while it waits for the threads of an ending process that run guest code. */
  stragglers: KernelTimer | null = null;
  /** The leader is a zombie and all other threads are gone: it can be waited for. */
  exited = false;
  /** execve(2) is ending the other threads; the caller is `execThread`. */
  execThread: Task | null = null;
  /** Called when a thread is released while execve waits for the others. */
  onThreadGone: (() => void) | null = null;

  /** Threads that have yet to stop in a group stop under way. */
  stopping = 0;
  stopped = false;
  stopSignal = 0;
  /** Not yet reported by wait(2). */
  stopUnreported = false;
  continuedUnreported = false;

  /** Sent to the parent when the process ends; 0 for none. */
  exitSignal = 0;
  isSubreaper = false;
  hasExecuted = false;
  /** PR_SET_DUMPABLE: 0, 1, or 2 after a set-id exec. */
  dumpable = 1;
  personality = 0;
  oomScoreAdj = 0;
  /** What a core dump would hold, as /proc/PID/coredump_filter tells; there are no core dumps. */
  coredumpFilter = COREDUMP_FILTER_DEFAULT;
  /** Of its ended threads, and of children that were waited for with theirs. */
  readonly endedIo = new IoCounts();
  thpDisabled = false;
  itimers: IntervalTimers | null = null;
  posixTimers: PosixTimers | null = null;
  /** Timers on CPU clocks that stand still, see cpu_timer.ts. */
  standingTimers: Set<CpuTimer> | null = null;
  /** Of `threads`, who was last sent a signal for the time that it used. */
  lastTicked = 0;
  readonly deadThreads: UsageTotals = new UsageTotals();
  readonly deadChildren: UsageTotals = new UsageTotals();
  readonly startMonoNs: number;

  constructor(
    readonly kernel: Kernel,
    readonly pid: number,
    actions: SignalActions,
    limits: Rlimits,
  ) {
    this.actions = actions;
    this.limits = limits;
    this.startMonoNs = kernel.nowMonoNs();
  }

  /** The sandbox's first process. */
  get isInit(): boolean {
    return this.kernel.init === this;
  }

  /** Init without a handler ignores what processes of the sandbox send (SIGNAL_UNKILLABLE). */
  get isProtected(): boolean {
    return this.kernel.init === this && this.kernel.initIsProtected;
  }

  utimeNs(): number {
    let sum = this.deadThreads.utimeNs;
    for (const t of this.threads) sum += t.utimeNs;
    return sum;
  }

  stimeNs(): number {
    let sum = this.deadThreads.stimeNs;
    for (const t of this.threads) sum += t.stimeNs;
    return sum;
  }

  /** What its threads, and those counted in `endedIo`, have read and written. */
  ioCounts(): IoCounts {
    const sum = new IoCounts();
    sum.add(this.endedIo);
    for (const t of this.threads) {
      t.countReads();
      sum.add(t.io);
    }
    return sum;
  }

  /** Threads that still run. */
  liveThreads(): number {
    let n = 0;
    for (const t of this.threads) if (!t.exiting) n++;
    return n;
  }

  removeThread(t: Task): void {
    const i = this.threads.indexOf(t);
    if (i >= 0) this.threads.splice(i, 1);
    this.endedIo.add(t.io);
    this.deadThreads.utimeNs += t.utimeNs;
    this.deadThreads.stimeNs += t.stimeNs;
    this.deadThreads.voluntarySwitches += t.voluntarySwitches;
    this.onThreadGone?.();
  }
}
