/**
 * How a task waits inside a system call (Linux: schedule(), wait_event_interruptible). A blocked
 * handler is an async function suspended on a promise made here; everything is single-threaded, so a
 * caller that checks its condition, then waits without an await in between, loses no wake-up.
 *
 * The run loop spins microtasks while `kernel.inflight` > 0: it counts tasks whose handler has been
 * woken and has not yet blocked again or returned. A handler that must await something else than these
 * methods (the gofer's answer) goes through `awaitHost`, so that it is not counted meanwhile.
 */
import { startClocks } from "./cpu_timer.ts";
import type { WaitEntry, WaitQueue } from "../wait/queue.ts";
import { BLOCKED, type SyscallReturn } from "./syscall.ts";
import type { Task } from "./task.ts";
import type { KernelTimer } from "./timers.ts";

export const BLOCK_READY = 0;
export const BLOCK_TIMEOUT = 1;
export const BLOCK_INTERRUPTED = 2;

/** How long one call is served before others are, and how long these then are at most. */
export const TURN_NS = 5_000_000;

/** The values of TASK_RUNNING and TASK_BLOCKED (task.ts imports this file). */
const STATE_RUNNING = 0;
const STATE_BLOCKED = 1;

export class BlockState {
  /** True while the task is counted in kernel.inflight. */
  awake = false;
  /** Signals do not end the wait, only a fatal one (Linux: TASK_KILLABLE). */
  #killableOnly = false;
  /** Nested calls of awaitHost under way. */
  #hostWaits = 0;
  #resolve: ((why: number) => void) | null = null;
  /** What goes on after `waitThen`, and why it does. */
  #goOn: ((why: number) => SyscallReturn) | null = null;
  #why = 0;
  readonly #timer: KernelTimer;
  readonly #entry: WaitEntry;
  /** The one queue of `wait`, or what takes the entry out of many. */
  #queue: WaitQueue | null = null;
  #unregister: ((entry: WaitEntry) => void) | null = null;

  constructor(readonly task: Task) {
    this.#timer = { deadlineMonoNs: 0, fire: () => this.#end(BLOCK_TIMEOUT), heapIndex: -1 };
    this.#entry = { mask: 0, wake: () => this.#end(BLOCK_READY), exclusive: false };
  }

  /** True while a wait is under way. */
  get blocked(): boolean {
    return this.#resolve !== null;
  }

  /**
   * Waits until `queue` is notified of an event in `mask`, the deadline passes (-1: none) or a signal
   * is there. The entry is queued before this returns. `exclusive`: see WaitEntry.
   */
  wait(
    queue: WaitQueue,
    mask: number,
    deadlineMonoNs: number,
    exclusive = false,
  ): Promise<number> {
    if (this.#mayNotBlock()) return this.#now(BLOCK_INTERRUPTED);
    this.#enter(queue, mask, exclusive);
    return this.#block(deadlineMonoNs);
  }

  /**
   * As `wait`, without promises, which take longer than the rest of a short call: `goOn` is called with what `wait` would
   * return, and returns what a handler does. The caller, a handler or such a `goOn`, returns what this does.
   */
  waitThen(
    queue: WaitQueue,
    mask: number,
    deadlineMonoNs: number,
    goOn: (why: number) => SyscallReturn,
  ): SyscallReturn {
    if (this.#mayNotBlock()) return goOn(BLOCK_INTERRUPTED);
    this.#enter(queue, mask, false);
    this.#rest(deadlineMonoNs);
    this.#goOn = goOn;
    this.#resolve = this.#putWoken;
    return BLOCKED;
  }
  readonly #putWoken = (why: number): void => {
    this.#why = why;
    this.task.kernel.woken.push(this);
  };

  /** For the run loop, of those in `kernel.woken`. */
  goOn(): SyscallReturn {
    const goOn = this.#goOn!;
    this.#goOn = null;
    return goOn(this.#why);
  }

  /** For who cannot return the BLOCKED of another: a promise of what comes in the end. */
  async afterBlocked(): Promise<number> {
    let result: number = BLOCKED;
    while (result === BLOCKED) {
      const goOn = this.#goOn!;
      result = await goOn(await new Promise<number>((resolve) => this.#resolve = resolve));
    }
    return result;
  }

  #enter(queue: WaitQueue, mask: number, exclusive: boolean): void {
    const entry = this.#entry;
    entry.mask = mask;
    entry.exclusive = exclusive;
    queue.add(entry);
    this.#queue = queue;
  }

  /**
   * Waits on many queues: `register` adds entries that wake the one it is given (or that entry itself,
   * whose mask is all ones), `unregister` takes them out again, once, however the wait ends.
   */
  waitMany(
    register: (entry: WaitEntry) => void,
    unregister: (entry: WaitEntry) => void,
    deadlineMonoNs: number,
  ): Promise<number> {
    if (this.#mayNotBlock()) return this.#now(BLOCK_INTERRUPTED);
    const entry = this.#entry;
    entry.mask = -1;
    entry.exclusive = false;
    const promise = this.#block(deadlineMonoNs);
    this.#unregister = unregister;
    register(entry);
    if (this.#resolve === null) unregister(entry); // Woken while it registered.
    return promise;
  }

  /** Sleeps until the deadline (-1: for ever). Returns BLOCK_TIMEOUT or BLOCK_INTERRUPTED. */
  sleep(deadlineMonoNs: number): Promise<number> {
    if (this.#mayNotBlock()) return this.#now(BLOCK_INTERRUPTED);
    return this.#block(deadlineMonoNs);
  }

  /** Sleeps until `wakeUp` is called, the deadline passes, or a signal is there. */
  waitWakeUp(deadlineMonoNs: number): Promise<number> {
    return this.sleep(deadlineMonoNs);
  }

  /** Like waitWakeUp without a deadline, but only a fatal signal interrupts it. */
  waitKillable(): Promise<number> {
    if (this.task.tg.exiting || this.task.signals.killed) return this.#now(BLOCK_INTERRUPTED);
    this.#killableOnly = true;
    return this.#block(-1);
  }

  /**
   * Lets others be served in the middle of long work: until nobody asks for anything, and for TURN_NS at most. Only a
   * fatal signal interrupts it.
   */
  giveWay(): Promise<number> {
    const { kernel, signals, tg } = this.task;
    if (tg.exiting || signals.killed) return this.#now(BLOCK_INTERRUPTED);
    this.#killableOnly = true;
    kernel.givingWay.add(this);
    return this.#block(kernel.nowMonoNs() + TURN_NS);
  }

  /** Ends the wait with BLOCK_READY; nothing happens when there is none. */
  wakeUp(): void {
    this.#end(BLOCK_READY);
  }

  /** Waits on `queue` again and again until `pred` holds. */
  async waitUntil(
    queue: WaitQueue,
    mask: number,
    deadlineMonoNs: number,
    pred: () => boolean,
  ): Promise<number> {
    while (!pred()) {
      const why = await this.wait(queue, mask, deadlineMonoNs);
      if (why !== BLOCK_READY) return pred() ? BLOCK_READY : why;
    }
    return BLOCK_READY;
  }

  /** A signal became deliverable: ends an interruptible wait. A fatal one ends every wait. */
  interrupt(fatal = false): void {
    if (this.#killableOnly && !fatal) return;
    this.#end(BLOCK_INTERRUPTED);
  }

  /** Awaits something of the host. It cannot be interrupted. */
  async awaitHost<T>(promise: Promise<T>): Promise<T> {
    this.#stop();
    this.#hostWaits++;
    this.task.kernel.hostWork(); // What sends the request may be a few microtasks away.
    try {
      return await promise;
    } finally {
      this.#hostWaits--;
      this.#count();
    }
  }

  /**
   * The run loop calls it when a handler has returned a promise: unless the task blocked in here, the
   * handler goes on in microtasks, which must be run.
   */
  started(): void {
    if (this.#resolve === null && this.#hostWaits === 0) this.#count();
  }

  /** The handler's promise has settled (the run loop calls it), or the task blocks again. */
  settled(): void {
    if (!this.awake) return;
    this.awake = false;
    this.task.kernel.inflight--;
  }

  /** The handler waits; the run loop has not parked the thread of one that has gone on at first. */
  #stop(): void {
    if (this.awake) this.task.ctx?.park();
    this.settled();
  }

  #count(): void {
    if (this.awake) return;
    this.awake = true;
    this.task.kernel.inflight++;
  }

  #mayNotBlock(): boolean {
    return this.task.signals.interruptible(this.task);
  }

  /** An answer without a wait; the handler goes on in a microtask, so the task counts as awake. */
  #now(why: number): Promise<number> {
    this.#count();
    return Promise.resolve(why);
  }

  #block(deadlineMonoNs: number): Promise<number> {
    this.#rest(deadlineMonoNs);
    return new Promise<number>((resolve) => this.#resolve = resolve);
  }

  #rest(deadlineMonoNs: number): void {
    const { task } = this;
    this.#stop();
    task.state = STATE_BLOCKED;
    task.voluntarySwitches++;
    if (deadlineMonoNs >= 0) {
      this.#timer.deadlineMonoNs = deadlineMonoNs;
      task.kernel.timers.add(this.#timer);
    }
  }

  #end(why: number): void {
    const resolve = this.#resolve;
    if (resolve === null) return;
    this.#resolve = null;
    this.#killableOnly = false;
    const { kernel } = this.task;
    if (this.#timer.heapIndex !== -1) kernel.timers.cancel(this.#timer);
    if (kernel.givingWay.size > 0) kernel.givingWay.delete(this);
    if (this.#queue !== null) {
      this.#queue.remove(this.#entry);
      this.#queue = null;
    }
    if (this.#unregister !== null) {
      const unregister = this.#unregister;
      this.#unregister = null;
      unregister(this.#entry);
    }
    this.task.state = STATE_RUNNING;
    if (this.task.tg.standingTimers !== null) startClocks(this.task.tg);
    this.#count();
    resolve(why);
  }
}
