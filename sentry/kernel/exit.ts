/** How tasks end (Linux: kernel/exit.c); exit(2), exit_group(2). */
import { SYS_futex, SYS_rseq } from "../../platform/abi/amd64/syscalls.ts";
import { FUTEX_WAKE } from "../../platform/abi/futex.ts";
import { RSEQ_FLAG_UNREGISTER } from "../../platform/abi/rseq.ts";
import { EPOLLHUP, EPOLLIN } from "../../platform/abi/epoll.ts";
import {
  _NSIG,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDWAIT,
  SI_USER,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
} from "../../platform/abi/signal.ts";
import { waitStatusExited } from "../../platform/abi/wait.ts";
import { NO_RSEQ } from "../../platform/platform.ts";
import { trustOf } from "../auth/credentials.ts";
import { bookMemoryUse, nsToTicks } from "./cpu_time.ts";
import { answerTimeLookers } from "./cpu_timer.ts";
import { kernelWake } from "./futex.ts";
import { exitPiStates } from "./futex_pi.ts";
import { hangUpOrphaned, leaveStop } from "./job_control.ts";
import { exitKeyrings } from "./keys/task_keyrings.ts";
import { exitRobustList } from "./robust_list.ts";
import { forgetStragglers } from "./stragglers.ts";
import { clearTty, leaveGroup, type Session } from "./session.ts";
import { maySignal, retarget, sendSignal, signalProcessGroup, startGroupExit } from "./signal.ts";
import { kernelSignal, SigInfo, userSignal } from "./signal_info.ts";
import { type Task, TASK_ZOMBIE } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** exit_group(2): every thread ends; the caller does so at once, the others when they next look. */
export function exitGroup(t: Task, status: number): void {
  startGroupExit(t.tg, status);
  exitTask(t, t.tg.exitStatus);
}

/** exit(2): this thread ends. `status` is a wait status. */
export function exitThread(t: Task, code: number): void {
  exitTask(t, waitStatusExited(code));
}

/** Ends the task; its context is gone after that (do_exit). */
export function exitTask(t: Task, status: number): void {
  if (t.exiting) return;
  const { tg } = t;
  answerTimeLookers(t);
  t.exiting = true;
  t.exitCode = status;
  t.kernel.strace?.exit(t);
  leaveStop(t);
  retarget(t, tg.pending.lo, tg.pending.hi);
  const isLast = tg.liveThreads() === 0;
  if (isLast) endGroup(t, status);
  releaseResources(t);
  reparentChildren(t);
  notifyExit(t, isLast);
}

/** The last thread goes: what belongs to the process as a whole. */
function endGroup(t: Task, status: number): void {
  const { tg } = t;
  if (!tg.exiting) {
    tg.exiting = true;
    tg.exitStatus = status;
  }
  forgetStragglers(tg);
  tg.itimers?.disarmAll();
  tg.posixTimers?.deleteAll();
  tg.pending.flush(0xffffffff, 0xffffffff);
  const session = tg.pgrp.session;
  if (session.leader === tg) leaderExits(session);
}

/** A session leader's exit takes the controlling terminal from the session (disassociate_ctty). */
function leaderExits(session: Session): void {
  session.leader = null;
  const tty = session.tty;
  if (tty === null) return;
  const foreground = tty.foreground;
  clearTty(session);
  tty.session = null;
  tty.foreground = null;
  if (foreground !== null) {
    signalProcessGroup(foreground, () => kernelSignal(SIGHUP), true);
    signalProcessGroup(foreground, () => kernelSignal(SIGCONT), true);
  }
  tty.disassociated?.();
}

function releaseResources(t: Task): void {
  bookMemoryUse(t);
  exitRobustList(t);
  exitPiStates(t);
  leaveMemory(t);
  t.vforkDone?.();
  t.vforkDone = null;
  t.signals.pending.flush(0xffffffff, 0xffffffff);
  t.fdTable.release();
  t.fs.release();
  t.ns.release();
  exitKeyrings(t);
  t.mm.release();
  t.takeContext()?.release({ trust: trustOf(t.creds) });
}

/**
 * What the end of a thread does in memory that others may go on using: its rseq area is written no longer, though the
 * host thread lives on; the word of CLONE_CHILD_CLEARTID is cleared, and who waits for it in pthread_join(3) is woken.
 */
export function leaveMemory(t: Task): void {
  const { ctx } = t;
  if (ctx === null) return;
  const { rseq, clearTidAddr } = ctx;
  ctx.rseq = NO_RSEQ;
  ctx.clearTidAddr = 0;
  const isShared = t.mm.refs > 1;
  const clears = isShared && clearTidAddr !== 0;
  // Nobody waits here for a futex where the host has them: the host thread itself can wake, after all else.
  const isLeftToHost = clears && t.kernel.hostFutexes && t !== t.tg.leader;
  if (rseq.addr !== 0) {
    const area = [rseq.addr, rseq.lengthBytes, RSEQ_FLAG_UNREGISTER, rseq.signature, 0] as const;
    // Whoever learns of the end may unmap the area, and the host kills a process whose area it cannot write.
    if (isShared && !isLeftToHost) ctx.callNow(SYS_rseq, ...area);
    else ctx.queueAttempt(SYS_rseq, ...area);
  }
  if (isLeftToHost) {
    ctx.queueZero(clearTidAddr, 4);
    ctx.queueAttempt(SYS_futex, clearTidAddr, FUTEX_WAKE, 1, 0, 0);
  } else if (clears && t.storeU32(clearTidAddr, 0) === 0) kernelWake(t, clearTidAddr, 1);
}

/** Children get another thread as parent, or the nearest subreaper, or init. */
function reparentChildren(t: Task): void {
  const { tg } = t;
  const sibling = tg.threads.find((each) => !each.exiting);
  const reaper = sibling?.tg ?? findReaper(tg);
  for (const child of [...tg.children]) {
    if (child.parentThread !== t && sibling !== undefined) continue;
    if (child.parentThread === t) sendParentDeathSignals(t, child);
    if (sibling !== undefined) {
      child.parentThread = sibling;
      continue;
    }
    adopt(child, tg, reaper);
  }
}

/** PR_SET_PDEATHSIG: `parent` sends it, if it may. */
function sendParentDeathSignals(parent: Task, child: ThreadGroup): void {
  for (const thread of child.threads) {
    const signo = thread.parentDeathSignal;
    if (signo === 0 || thread.exiting || maySignal(parent, thread, signo) < 0) continue;
    sendSignal(thread.tg, userSignal(signo, SI_USER, parent.tg.pid, parent.creds.ruid), true);
  }
}

function adopt(child: ThreadGroup, from: ThreadGroup, reaper: ThreadGroup | null): void {
  from.children.delete(child);
  child.parent = reaper;
  child.parentThread = reaper === null
    ? null
    : reaper.threads.find((x) => !x.exiting) ?? reaper.leader;
  if (reaper === null) return;
  reaper.children.add(child);
  child.exitSignal = SIGCHLD;
  if (child.exited) {
    if (notifyParent(child)) reap(child, false);
  } else if (child.pgrp !== from.pgrp && child.pgrp.session === from.pgrp.session) {
    hangUpOrphaned(child.pgrp, null);
  }
}

function findReaper(tg: ThreadGroup): ThreadGroup | null {
  for (let up = tg.parent; up !== null; up = up.parent) {
    if (up.isSubreaper && !up.exiting) return up;
  }
  const { init } = tg.kernel;
  return init === tg || init?.exited ? null : init;
}

/** The end of exit_notify: who may be waited for, who goes at once. */
function notifyExit(t: Task, isLast: boolean): void {
  const { tg, kernel } = t;
  t.state = TASK_ZOMBIE;
  if (t !== tg.leader) releaseTask(t);
  if (!isLast) {
    tg.onThreadGone?.();
    return;
  }
  tg.exited = true;
  if (
    tg.parent !== null && tg.pgrp !== tg.parent.pgrp && tg.pgrp.session === tg.parent.pgrp.session
  ) {
    hangUpOrphaned(tg.pgrp, tg);
  }
  tg.exitQueue.notify(EPOLLIN);
  if (tg === kernel.init) return initExits(tg);
  if (notifyParent(tg)) reap(tg, false);
}

/** Tells the parent; true when the process is not to become a zombie (do_notify_parent). */
function notifyParent(tg: ThreadGroup): boolean {
  const { parent } = tg;
  if (parent === null) return true;
  let signo = tg.exitSignal;
  let autoReap = false;
  const action = parent.actions.get(SIGCHLD);
  if (signo === SIGCHLD) {
    if (action.handlerAddr === SIG_IGN) {
      autoReap = true;
      signo = 0;
    } else if ((action.flags & SA_NOCLDWAIT) !== 0) autoReap = true;
  }
  // clone(2) takes numbers that no signal has.
  if (signo > 0 && signo <= _NSIG) sendSignal(parent, childInfo(tg, signo), true);
  parent.childQueue.notify(1);
  return autoReap;
}

function childInfo(tg: ThreadGroup, signo: number): SigInfo {
  const status = tg.exitStatus;
  const byKill = (status & 0x7f) !== 0;
  const code = (status & 0x80) !== 0 ? CLD_DUMPED : byKill ? CLD_KILLED : CLD_EXITED;
  const info = new SigInfo(signo, code);
  info.pid = tg.pid;
  info.uid = tg.leader.creds.ruid;
  info.status = byKill ? status & 0x7f : status >> 8;
  info.utime = nsToTicks(tg.utimeNs());
  info.stime = nsToTicks(tg.stimeNs());
  return info;
}

/**
 * Forgets a zombie process: its numbers are free. What it used is the parent's children's only if the
 * parent has waited for it (getrusage(2)).
 */
export function reap(tg: ThreadGroup, waitedFor: boolean): void {
  const { parent, leader, kernel } = tg;
  parent?.children.delete(tg);
  releaseTask(leader);
  tg.actions.refs--;
  if (waitedFor) {
    parent?.endedIo.add(tg.ioCounts());
    parent?.deadChildren.add(tg.deadThreads);
    parent?.deadChildren.add(tg.deadChildren);
  }
  leaveGroup(kernel, tg);
}

/** Forgets one task (release_task), of which its pidfds tell. */
export function releaseTask(t: Task): void {
  t.tg.removeThread(t);
  t.kernel.removeTask(t);
  t.tg.exitQueue.notify(EPOLLIN | EPOLLHUP);
}

/** Without init there is no sandbox (zap_pid_ns_processes). */
function initExits(init: ThreadGroup): void {
  const { kernel } = init;
  for (const t of [...kernel.tasks.values()]) {
    if (t.tg !== init && !t.exiting) startGroupExit(t.tg, SIGKILL);
  }
  kernel.onSandboxExit(init.exitStatus);
}
