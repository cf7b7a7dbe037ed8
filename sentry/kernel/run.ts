/**
 * The run loop: the Sentry's one thread waits for guest threads, serves what they ask, and gives them
 * back. Handlers that block continue in microtasks, which are drained before the next wait.
 */
import { EAGAIN, ENOMEM, ENOSYS, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { RLIMIT_AS, RLIMIT_STACK } from "../../platform/abi/resource.ts";
import { SEGV_MAPERR, SIGKILL, SIGSEGV } from "../../platform/abi/signal.ts";
import { syscallName } from "../../platform/abi/amd64/syscalls.ts";
import {
  getReg,
  REG_ORIG_RAX,
  REG_RAX,
  REG_RCX,
  REG_RIP,
  setReg,
} from "../../platform/arch/amd64/registers.ts";
import {
  type Context,
  EVENT_CALL_FAILED,
  EVENT_FAULT,
  EVENT_INTERRUPT,
  EVENT_LOST,
  EVENT_NOTED,
  EVENT_SYSCALL,
  NO_CALL,
} from "../../platform/platform.ts";
import { PAGE_SIZE } from "../mm/memory_manager.ts";
import { forgetReading } from "../vfs/clock.ts";
import { unmakeTask } from "./clone.ts";
import { answerTimeLookers } from "./cpu_timer.ts";
import { current } from "./current.ts";
import { dieUnloaded } from "./exec.ts";
import { exitTask } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import { forceSignalInfo, startGroupExit } from "./signal.ts";
import { deliverSignals } from "./signal_delivery.ts";
import { faultSignal } from "./signal_info.ts";
import {
  BLOCKED,
  KEEP_REGISTERS,
  RESUMED,
  type SyscallHandler,
  type SyscallRow,
} from "./syscall.ts";
import { type Task, TASK_RUNNING } from "./task.ts";

const TABLE_SIZE = 512;
const DRAIN_ROUNDS = 5000;
/** Who is given way to must ask again this soon after an answer: longer than a sleeping thread takes to wake up. */
const GIVEN_WAY_NS = 100_000;

/** Something of ours that is looked at whenever the doorbell rang; returns how much it did. */
export type Poll = () => number;

/** A bug of ours, met while a task was served; the message says where. It ends the sandbox. */
export class Panic extends Error {}

export class RunLoop {
  readonly #handlers: (SyscallHandler | null)[] = new Array(TABLE_SIZE).fill(null);
  readonly #polls: Poll[] = [];
  /** Whose call was served, and with what result: given back before anything else is done. */
  #served: Context | null = null;
  #result = 0;
  #stopped = false;
  #panicked: Panic | null = null;

  constructor(readonly kernel: Kernel, rows: readonly SyscallRow[]) {
    for (const [number, , handler] of rows) this.#handlers[number] = handler;
    kernel.start = (t) => this.#start(t);
    kernel.resumeEarly = (t, result) => {
      this.#finish(t, result);
      this.#resumeServed();
    };
  }

  /** Has `poll` called after every ring of the doorbell. */
  addPoll(poll: Poll): void {
    this.#polls.push(poll);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Serves guests until `stop`. Throws a Panic when a bug of ours is met. */
  async run(): Promise<void> {
    const { kernel } = this;
    const { timers } = kernel;
    await this.#drain();
    while (!this.#stopped) {
      let timeoutNs = -1;
      if (timers.nextDeadlineMonoNs >= 0) {
        this.#resumeServed();
        const now = kernel.nowMonoNs();
        if (timers.nextDeadlineMonoNs <= now) {
          forgetReading();
          timers.expire(now);
          // Who was woken may arm a timer that is nearer than those left.
          await this.#drain();
          if (this.#stopped) break;
        }
        const next = timers.nextDeadlineMonoNs;
        if (next >= 0) timeoutNs = Math.max(0, next - now);
      }
      // The deadline of who gives way is among them.
      if (kernel.givingWay.size > 0) timeoutNs = Math.min(timeoutNs, GIVEN_WAY_NS);
      const ctx = this.#next(timeoutNs);
      forgetReading();
      if (ctx !== null) this.#serve(ctx);
      else this.#nobodyAsks();
      if (kernel.woken.length > 0) this.#letGoOn();
      if (kernel.inflight > 0 || kernel.hostRounds > 0) {
        this.#resumeServed();
        await this.#drain();
      }
    }
    if (this.#panicked !== null) throw this.#panicked;
  }

  #nobodyAsks(): void {
    for (const poll of this.#polls) if (poll() > 0) this.kernel.hostWork();
    for (const blocking of this.kernel.givingWay) blocking.wakeUp();
  }

  /** Gives back whose call was served, and waits for who is next. */
  #next(timeoutNs: number): Context | null {
    const served = this.#served;
    const { platform } = this.kernel;
    if (served === null) return platform.wait(timeoutNs);
    this.#served = null;
    return platform.resumeAndWait(served, this.#result, timeoutNs);
  }

  /** The same without waiting: something else is to be done first. */
  #resumeServed(): void {
    const served = this.#served;
    if (served === null) return;
    this.#served = null;
    served.resumeWith(this.#result);
  }

  /**
   * Lets woken handlers run until each has blocked again or returned. Those that wait for the host are
   * not counted; they get some rounds, to send their next request or to become countable.
   */
  async #drain(): Promise<void> {
    const { kernel } = this;
    for (let rounds = 0; rounds < DRAIN_ROUNDS; rounds++) {
      if (kernel.woken.length > 0) this.#letGoOn();
      if (kernel.inflight === 0) {
        if (kernel.hostRounds === 0) return;
        kernel.hostRounds--;
      }
      await undefined;
    }
  }

  /** Those who were woken and wait without a promise, in the order in which they were. */
  #letGoOn(): void {
    const { kernel } = this;
    while (kernel.woken.length > 0) {
      const { woken } = kernel;
      kernel.woken = [];
      for (const blocking of woken) {
        this.#resumeServed();
        const t = blocking.task;
        try {
          const result = blocking.goOn();
          if (typeof result !== "number") this.#await(t, result);
          else if (result !== BLOCKED) this.#end(t, result);
        } catch (error) {
          this.#panic(t, error);
        }
      }
    }
  }

  #serve(ctx: Context): void {
    const t = ctx.owner as Task | null;
    if (t === null || t.ctx !== ctx) return;
    try {
      this.#dispatch(t, ctx);
    } catch (error) {
      this.#panic(t, error);
    }
  }

  #dispatch(t: Task, ctx: Context): void {
    if (t.timeLookers !== null) answerTimeLookers(t);
    const frame = t.unwrittenFrame;
    t.unwrittenFrame = null;
    switch (ctx.event) {
      case EVENT_SYSCALL:
        return this.#syscall(t, ctx);
      case EVENT_NOTED:
        return this.#syscallAfterNotes(t, ctx);
      case EVENT_INTERRUPT:
        return this.#goOn(t);
      case EVENT_FAULT:
        return this.#fault(t, ctx);
      case EVENT_CALL_FAILED:
        // The handler's result stands only if the host could do its part: mmap, a late EFAULT.
        if (ctx.failedChild !== null) {
          const child = ctx.failedChild.owner as Task;
          ctx.failedChild = null;
          unmakeTask(child);
          ctx.setReturn(ctx.failedErrno === -ENOMEM ? -ENOMEM : -EAGAIN);
        } else if (frame !== null) frame.fail(t);
        else if (ctx.callNumber === NO_CALL) dieUnloaded(t, ctx.failedErrno);
        else ctx.setReturn(ctx.failedErrno);
        return this.#goOn(t);
      case EVENT_LOST:
        // The host killed the process (out of memory, a person), or its guest broke what is below it.
        startGroupExit(t.tg, SIGKILL);
        if (t.sysno < 0) exitTask(t, t.tg.exitStatus); // Else the handler that waits ends first.
        return;
    }
  }

  #syscallAfterNotes(t: Task, ctx: Context): void {
    const defaulted = ctx.takeDefaulted();
    if (defaulted !== null) t.tg.actions.setDefaults(defaulted);
    t.fdTable.settle();
    this.#syscall(t, ctx);
  }

  #syscall(t: Task, ctx: Context): void {
    const number = ctx.callNumber;
    const handler = number >= 0 && number < TABLE_SIZE ? this.#handlers[number] : null;
    t.sysno = number;
    if (this.kernel.strace !== null) this.kernel.strace.enter(t, number);
    if (handler === null) {
      const isKnown = number >= 0 && number < TABLE_SIZE;
      this.kernel.stub(t, isKnown ? syscallName(number) : "system calls of other numbers");
      return this.#finish(t, -ENOSYS);
    }
    if (ctx.enteredBySignal) t.mm.noteSlowCall(ctx, getReg(ctx.regs, REG_RIP), number);
    current.task = t;
    const result = handler(t, t.args);
    current.task = null; // What runs later, in microtasks, may be any task's.
    if (typeof result !== "number") this.#await(t, result);
    else if (result === BLOCKED) t.ctx!.park();
    else if (result !== RESUMED) this.#finish(t, result);
  }

  #await(t: Task, result: Promise<number>): void {
    t.blocking.started();
    // One that has not blocked is answered soon.
    if (t.ctx !== null && !t.blocking.awake) t.ctx.park();
    result.then(
      (r) => {
        if (r === BLOCKED) return;
        try {
          this.#end(t, r);
          this.#resumeServed();
        } catch (error) {
          this.#panic(t, error);
        }
      },
      (error) => this.#panic(t, error),
    );
  }

  /** A call that has waited ends. */
  #end(t: Task, result: number): void {
    if (t.timeLookers !== null) answerTimeLookers(t);
    this.#finish(t, result);
  }

  #finish(t: Task, result: number): void {
    t.blocking.settled();
    const { strace } = this.kernel;
    if (strace !== null) result = strace.leave(t, t.sysno, result);
    t.sysno = -1;
    const ctx = t.ctx;
    if (ctx === null || t.exiting) return;
    t.state = TASK_RUNNING;
    const { signals } = t;
    const interrupted = (result <= -ERESTARTSYS && result >= -ERESTARTSYS - 8) ||
      signals.hasSavedMask || t.tg.exiting || (signals.interruptible(t) && !signals.passes());
    if (!interrupted && result !== KEEP_REGISTERS && !ctx.loadsAll) {
      if (signals.isFlagged) signals.review(t);
      this.#served = ctx;
      this.#result = result;
      return;
    }
    if (result !== KEEP_REGISTERS) ctx.setReturn(result);
    if (interrupted) {
      if (!ctx.enteredBySignal) {
        // Signal frames and restarts know of no trampolines.
        setReg(ctx.regs, REG_RIP, t.mm.callAddress(getReg(ctx.regs, REG_RIP)));
      }
      if (!deliverSignals(t)) return;
    }
    this.#resume(t);
  }

  #resume(t: Task): void {
    const ctx = t.ctx;
    if (ctx === null) return;
    if (t.signals.isFlagged) t.signals.review(t);
    // Behind a patched site is no instruction: it was patched since the call began, or signals that came
    // to nothing were delivered there.
    const rip = getReg(ctx.regs, REG_RIP);
    const to = t.mm.returnAddress(rip);
    if (to !== rip) setReg(ctx.regs, REG_RIP, to);
    ctx.resume();
  }

  /** Signals, then the guest runs on from where it was. */
  #goOn(t: Task): void {
    if (deliverSignals(t)) this.#resume(t);
  }

  /**
   * A trampoline jumped through GS, whose base the guest has cleared by loading a selector: what it was about
   * to call is called the slow way, as all later calls are. It has the number in rax, where to return in rcx.
   */
  #callWithoutGs(t: Task, ctx: Context): void {
    setReg(ctx.regs, REG_RIP, getReg(ctx.regs, REG_RCX));
    ctx.callNumber = ctx.regs[2 * REG_RAX];
    setReg(ctx.regs, REG_ORIG_RAX, ctx.callNumber);
    t.mm.stopPatching(ctx);
    this.#syscall(t, ctx);
  }

  #fault(t: Task, ctx: Context): void {
    if (ctx.faultSignal === SIGSEGV && ctx.faultAddr < PAGE_SIZE) {
      if (t.mm.isTrampoline(getReg(ctx.regs, REG_RIP))) return this.#callWithoutGs(t, ctx);
    }
    if (ctx.faultSignal === SIGSEGV && ctx.faultCode === SEGV_MAPERR) {
      const { cur } = t.tg.limits;
      if (t.mm.growDown(ctx, ctx.faultAddr, cur[RLIMIT_STACK], cur[RLIMIT_AS])) {
        return this.#goOn(t);
      }
    }
    const info = faultSignal(ctx.faultSignal, ctx.faultCode, ctx.faultAddr);
    info.trapno = ctx.faultTrapno;
    info.trapError = ctx.faultError;
    forceSignalInfo(t, info, false);
    this.#goOn(t);
  }

  #start(t: Task): void {
    if (t.ctx === null || t.exiting) return;
    this.#goOn(t);
  }

  #panic(t: Task, error: unknown): void {
    const call = t.sysno >= 0 ? `${syscallName(t.sysno)}(${registers(t)})` : "no system call";
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#panicked ??= new Panic(`in ${call} of ${t.name}[${t.tid}]: ${text}`);
    this.stop();
  }
}

/** The arguments of the call that `t` is in. */
function registers(t: Task): string {
  return [0, 1, 2, 3, 4, 5].map((i) => `0x${t.args.addr(i).toString(16)}`).join(", ");
}
