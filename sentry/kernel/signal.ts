/**
 * Sending signals (Linux: kernel/signal.c); signal(7). Taking and acting on them is in
 * signal_delivery.ts, stopping and continuing in job_control.ts.
 */
import { EAGAIN, EPERM } from "../../platform/abi/errno.ts";
import { EPOLLIN } from "../../platform/abi/epoll.ts";
import { CAP_KILL } from "../../platform/abi/capability.ts";
import { RLIMIT_SIGPENDING } from "../../platform/abi/resource.ts";
import {
  SI_KERNEL,
  SI_TKILL,
  SI_USER,
  SIG_DFL,
  SIGCONT,
  SIGKILL,
} from "../../platform/abi/signal.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import {
  dumpsCore,
  isFatalByDefault,
  STOP_SIGNALS,
  stopsByDefault,
  UNBLOCKABLE,
} from "./signal_actions.ts";
import { faultSignal, SigInfo, userSignal } from "./signal_info.ts";
import {
  bitHi,
  bitLo,
  isRealTime,
  PendingSignals,
  setHas,
  type SignalSet,
} from "./signal_queue.ts";
import type { Context } from "../../platform/platform.ts";
import { startClocks } from "./cpu_timer.ts";
import { current } from "./current.ts";
import { continueGroup } from "./job_control.ts";
import type { ProcessGroup } from "./session.ts";
import { expectStragglers } from "./stragglers.ts";
import { type Task, TASK_BLOCKED, TASK_RUNNING, TASK_STOPPED } from "./task.ts";
import { ThreadGroup } from "./thread_group.ts";

export { SigInfo } from "./signal_info.ts";

/** The signal state of one task. */
export class TaskSignals {
  /** The task's context, which holds its mask as long as there is one. */
  #ctx: Context | null;
  #lastMaskLo = 0;
  #lastMaskHi = 0;
  /** Its context was told that a signal may be pending. */
  isFlagged = false;
  /** It was interrupted, to take one that was sent to the process. */
  isChosen = false;
  /** It has just sent its process a signal that another thread was chosen for, and shall not take that itself. */
  hasPassed = false;
  /** Sent to this thread alone. */
  readonly pending: PendingSignals = new PendingSignals();
  /** sigsuspend, ppoll …: the mask to go back to once a handler is set up, or none was called. */
  savedLo = 0;
  savedHi = 0;
  hasSavedMask = false;
  /** Blocked but for a sigtimedwait(2) that is under way: such signals are not "ignored" when sent. */
  realLo = 0;
  realHi = 0;
  altStackAddr = 0;
  altStackSize = 0;
  /** SS_DISABLE, SS_AUTODISARM or 0; SS_ONSTACK is computed. */
  altStackFlags = 0;
  /** It must exit: SIGKILL or another thread's exit_group or execve. */
  killed = false;
  /** It must take part in its group's stop. */
  stopPending = false;

  constructor(ctx: Context | null = null) {
    this.#ctx = ctx;
  }

  /** Blocked signals; SIGKILL and SIGSTOP never are. A thread that runs may be changing them. */
  get maskLo(): number {
    const lo = this.#ctx === null ? this.#lastMaskLo : this.#ctx.blockedLo;
    return (lo & ~UNBLOCKABLE) >>> 0;
  }
  set maskLo(lo: number) {
    if (this.#ctx === null) this.#lastMaskLo = lo;
    else this.#ctx.blockedLo = lo;
  }
  get maskHi(): number {
    return (this.#ctx === null ? this.#lastMaskHi : this.#ctx.blockedHi) >>> 0;
  }
  set maskHi(hi: number) {
    if (this.#ctx === null) this.#lastMaskHi = hi;
    else this.#ctx.blockedHi = hi;
  }

  /** The task goes on in another context, or has none any more. */
  moveTo(ctx: Context | null): void {
    const { maskLo, maskHi } = this;
    this.#ctx = ctx;
    this.maskLo = maskLo;
    this.maskHi = maskHi;
    if (this.isFlagged) ctx?.setPending(true);
  }

  /** From now on the thread's mask changes only before our eyes. */
  flag(): void {
    if (this.isFlagged) return;
    this.isFlagged = true;
    this.#ctx?.setPending(true);
  }

  /** Something ends an interruptible wait: a deliverable signal, a stop, an exit. */
  interruptible(t: Task): boolean {
    if (this.killed || this.stopPending) return true;
    const shared = t.tg.pending;
    const lo = this.pending.lo | shared.lo;
    const hi = this.pending.hi | shared.hi;
    return (lo | hi) !== 0 && ((lo & ~this.maskLo) | (hi & ~this.maskHi)) !== 0;
  }

  /** At the end of a call: whether what ends waits is for another thread, to which the call has sent it. */
  passes(): boolean {
    if (!this.hasPassed) return false;
    this.hasPassed = false;
    if (this.killed || this.stopPending || this.isChosen) return false;
    const { lo, hi } = this.pending;
    return ((lo & ~this.maskLo) | (hi & ~this.maskHi)) === 0;
  }

  /**
   * Before a flagged thread goes on: it may have blocked, just as it was chosen for it, what another thread can take;
   * or nothing is pending any more.
   */
  review(t: Task): void {
    const { lo, hi } = t.tg.pending;
    if (this.isChosen) {
      this.isChosen = false;
      retarget(t, lo & this.maskLo, hi & this.maskHi);
    }
    if ((lo | hi | this.pending.lo | this.pending.hi) !== 0) return;
    this.isFlagged = false;
    this.#ctx?.setPending(false);
  }
}

/**
 * Sends to a thread, or to a process (any of its threads). `privileged`: from the kernel or from
 * outside of the sandbox, so that init does not ignore it. Returns 0, or -EAGAIN when the queue of a
 * real-time signal is full.
 */
export function sendSignal(
  target: Task | ThreadGroup,
  info: SigInfo,
  privileged = false,
  choose = chooseThread,
): number {
  const signo = info.signo;
  const tg = target instanceof ThreadGroup ? target : target.tg;
  const thread = target instanceof ThreadGroup ? tg.leader : target;
  if (privileged) info.privileged = true;
  if (!prepare(tg, thread, info)) return 0;
  const pending = target instanceof ThreadGroup ? tg.pending : thread.signals.pending;
  if (!isRealTime(signo) && pending.has(signo)) return 0;
  const queued = charge(tg, thread, info);
  if (!queued && isRealTime(signo) && info.code !== SI_USER) return -EAGAIN;
  pending.add(signo, queued ? info : null);
  // Before the look at who blocks it.
  if (target instanceof ThreadGroup) { for (const t of tg.threads) t.signals.flag(); }
  else thread.signals.flag();
  tg.signalQueue.notify(EPOLLIN);
  const chosen = target instanceof ThreadGroup ? choose(tg, signo) : thread;
  if (chosen === null) return 0;
  complete(tg, chosen, signo);
  const sender = current.task;
  if (sender !== null && sender.tg === tg && sender !== chosen && target === tg) {
    sender.signals.hasPassed = wants(sender, signo);
  }
  return 0;
}

/** What a thread did brings it a signal, as if it had sent that itself (Linux: send_sig to current). */
export function raiseSignal(t: Task, signo: number): void {
  sendSignal(t, userSignal(signo, SI_USER, t.tg.pid, t.creds.ruid));
}

/** sendSignal of the kernel to a process, for the CPU time that one of its threads has used just now. */
export function sendForCpuTime(tg: ThreadGroup, info: SigInfo): number {
  return sendSignal(tg, info, true, chooseComputing);
}

/** Sends to every member of a process group but `except`; true when there was one. */
export function signalProcessGroup(
  group: ProcessGroup,
  makeInfo: () => SigInfo,
  privileged = false,
  except: ThreadGroup | null = null,
): boolean {
  let found = false;
  for (const tg of [...group.members]) {
    if (tg.exited || tg === except) continue;
    sendSignal(tg, makeInfo(), privileged);
    found = true;
  }
  return found;
}

/**
 * A fault, or another signal the thread cannot go on without: if it is blocked or ignored, its default
 * action is taken (force_sig_fault).
 */
export function forceSignal(t: Task, signo: number, code = SI_KERNEL, addr = 0): void {
  forceSignalInfo(t, faultSignal(signo, code, addr), false);
}

/** `fatal`: the default action is taken even if there is a handler (force_fatal_sig). */
export function forceSignalInfo(t: Task, info: SigInfo, fatal: boolean): void {
  const s = t.signals;
  const actions = t.tg.actions;
  const blocked = setHas(s.maskLo, s.maskHi, info.signo);
  if (blocked || fatal || actions.ignores(info.signo)) {
    const action = actions.get(info.signo);
    actions.set(info.signo, { ...action, handlerAddr: SIG_DFL });
    s.maskLo = (s.maskLo & ~bitLo(info.signo)) >>> 0;
    s.maskHi = (s.maskHi & ~bitHi(info.signo)) >>> 0;
  }
  info.privileged = true;
  sendSignal(t, info, true);
}

/** Takes a pending signal of the set [lo, hi], the thread's own before the process's. */
export function dequeueSignal(t: Task, wanted: Readonly<SignalSet>): SigInfo | null {
  return dequeueFrom(t, wanted[0], wanted[1]);
}

export function dequeueFrom(t: Task, lo: number, hi: number): SigInfo | null {
  const info = t.signals.pending.take(lo, hi) ?? t.tg.pending.take(lo, hi);
  info?.timer?.signalTaken(info);
  return info;
}

/** Pending for this thread, both queues: rt_sigpending(2) masks it with the blocked set. */
export function pendingSet(t: Task): SignalSet {
  const { signals, tg } = t;
  return [
    (signals.pending.lo | tg.pending.lo) >>> 0,
    (signals.pending.hi | tg.pending.hi) >>> 0,
  ];
}

/**
 * Changes the blocked mask (set_current_blocked). Signals sent to the process that this thread no
 * longer takes are offered to the others.
 */
export function setMask(t: Task, lo: number, hi: number): void {
  const s = t.signals;
  const newLo = (lo & ~UNBLOCKABLE) >>> 0;
  const newHi = hi >>> 0;
  const nowBlockedLo = newLo & ~s.maskLo & t.tg.pending.lo;
  const nowBlockedHi = newHi & ~s.maskHi & t.tg.pending.hi;
  s.maskLo = newLo;
  s.maskHi = newHi;
  if ((nowBlockedLo | nowBlockedHi) !== 0) retarget(t, nowBlockedLo, nowBlockedHi);
}

/** Offers process-wide pending signals of a set to the other threads (an exiting thread does it, too). */
export function retarget(t: Task, lo: number, hi: number): void {
  for (const other of t.tg.threads) {
    if (other === t || other.exiting) continue;
    const { maskLo, maskHi } = other.signals;
    if (((lo & ~maskLo) | (hi & ~maskHi)) !== 0) kick(other, false);
  }
}

/** Makes a task look at its signals. `fatal` ends killable waits and stops as well. */
export function kick(t: Task, fatal: boolean): void {
  if (t.state === TASK_BLOCKED) t.blocking.interrupt(fatal);
  else if (t.state === TASK_STOPPED) {
    if (fatal) wakeStopped(t);
  } else if (t.state === TASK_RUNNING && t.sysno < 0) t.ctx?.interrupt();
}

/**
 * A stopped task goes on: the run loop delivers its signals and resumes it, in a microtask, when the
 * call that woke it is done.
 */
export function wakeStopped(t: Task): void {
  if (t.state !== TASK_STOPPED) return;
  const { kernel } = t;
  t.state = TASK_RUNNING;
  startClocks(t.tg);
  kernel.inflight++;
  queueMicrotask(() => {
    kernel.inflight--;
    if (!t.exiting) kernel.start(t);
  });
}

/** Every thread of the group must exit; `status` is its wait status. The first call counts. */
export function startGroupExit(tg: ThreadGroup, status: number): void {
  if (tg.exiting) return;
  tg.exiting = true;
  tg.exitStatus = status;
  tg.stopping = 0;
  for (const t of [...tg.threads]) {
    if (t.exiting) continue;
    t.signals.killed = true;
    t.signals.stopPending = false;
    kick(t, true);
  }
  expectStragglers(tg);
}

/** kill(2)'s rule (kill_ok_by_cred, and SIGCONT within a session). */
export function maySignal(t: Task, target: Task, signo: number): number {
  if (t.tg === target.tg || credsMaySignal(t.creds, target.creds)) return 0;
  if (signo === SIGCONT && t.tg.pgrp.session === target.tg.pgrp.session) return 0;
  return -EPERM;
}

function credsMaySignal(c: Credentials, target: Credentials): boolean {
  return c.euid === target.suid || c.euid === target.ruid || c.ruid === target.suid ||
    c.ruid === target.ruid || hasCapability(c, CAP_KILL);
}

/** Side effects of sending (prepare_signal); false when the signal is dropped. */
function prepare(tg: ThreadGroup, thread: Task, info: SigInfo): boolean {
  const signo = info.signo;
  if (tg.exited || thread.exiting && tg.leader !== thread) return false;
  if (tg.exiting) return false;
  if (stopsByDefault(signo)) flushEverywhere(tg, bitLo(SIGCONT));
  else if (signo === SIGCONT) {
    flushEverywhere(tg, STOP_SIGNALS);
    continueGroup(tg);
  }
  const s = thread.signals;
  const blocked = setHas(s.maskLo, s.maskHi, signo) || setHas(s.realLo, s.realHi, signo);
  if (blocked) return true;
  return !isDropped(tg, info);
}

/** Ignored, or a default action that may not hit init (SIGNAL_UNKILLABLE). */
export function isDropped(tg: ThreadGroup, info: SigInfo): boolean {
  if (tg.isProtected && !info.privileged && tg.actions.get(info.signo).handlerAddr === SIG_DFL) {
    return true;
  }
  return tg.actions.ignores(info.signo);
}

function flushEverywhere(tg: ThreadGroup, lo: number): void {
  tg.pending.flush(lo, 0);
  for (const t of tg.threads) t.signals.pending.flush(lo, 0);
}

/**
 * Charges RLIMIT_SIGPENDING; signals of the kernel and standard ones from kill(2) pass regardless, and
 * a timer's was charged when the timer was made.
 */
function charge(tg: ThreadGroup, thread: Task, info: SigInfo): boolean {
  if (info.timer !== null) return true;
  const user = tg.kernel.user(thread.creds.ruid);
  const free = !isRealTime(info.signo) && (info.code >= 0 || info.code === SI_TKILL);
  if (!free && user.pendingSignals >= tg.limits.cur[RLIMIT_SIGPENDING]) return false;
  user.pendingSignals++;
  info.charged = user;
  return true;
}

/** The thread that will handle a signal sent to the process: the leader if it does not block it. */
function chooseThread(tg: ThreadGroup, signo: number): Task | null {
  if (wants(tg.leader, signo)) return tg.leader;
  let blockedOne: Task | null = null;
  for (const t of tg.threads) {
    if (!wants(t, signo)) continue;
    if (t.state !== TASK_STOPPED) return t;
    blockedOne ??= t;
  }
  return blockedOne;
}

/** One that computes now, each in turn. */
function chooseComputing(tg: ThreadGroup, signo: number): Task | null {
  const { threads } = tg;
  for (let i = 1; i <= threads.length; i++) {
    const at = (tg.lastTicked + i) % threads.length;
    if (!threads[at].computes || !wants(threads[at], signo)) continue;
    tg.lastTicked = at;
    return threads[at];
  }
  return chooseThread(tg, signo);
}

function wants(t: Task, signo: number): boolean {
  if (t.exiting) return false;
  return signo === SIGKILL || !setHas(t.signals.maskLo, t.signals.maskHi, signo);
}

function complete(tg: ThreadGroup, t: Task, signo: number): void {
  if (!wants(t, signo)) return;
  // What is stopped stays so, and meets the signal when it goes on (wants_signal).
  if (t.state === TASK_STOPPED && signo !== SIGKILL) return;
  const isDefault = tg.actions.get(signo).handlerAddr === SIG_DFL;
  const waitedFor = setHas(t.signals.realLo, t.signals.realHi, signo);
  if (
    signo === SIGKILL || (isDefault && isFatalByDefault(signo) && !dumpsCore(signo) && !waitedFor)
  ) {
    startGroupExit(tg, signo);
  } else {
    t.signals.isChosen = true;
    kick(t, false);
  }
}
