/** Waiting for children (Linux: do_wait); wait(2), waitid(2). */
import { ECHILD, ERESTARTSYS } from "../../platform/abi/errno.ts";
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  WAIT_STATUS_CONTINUED,
  waitStatusStopped,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from "../../platform/abi/wait.ts";
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SIGCHLD,
  SIGCONT,
} from "../../platform/abi/signal.ts";
import { BLOCK_READY } from "./block.ts";
import { reap } from "./exit.ts";
import type { Task } from "./task.ts";
import { type ThreadGroup, UsageTotals } from "./thread_group.ts";

/** What a wait found. `status` is a wait status, `code` CLD_*, `value` si_status. */
export interface WaitResult {
  pid: number;
  uid: number;
  status: number;
  code: number;
  value: number;
  usage: UsageTotals;
}

/** Which children: P_ALL, P_PID (and P_PIDFD, resolved) with a pid, P_PGID with a group. */
export interface WaitTarget {
  type: number;
  id: number;
}

/** A result, 0 for WNOHANG without one, or -errno (-ECHILD, -ERESTARTSYS). */
export async function waitForChild(
  t: Task,
  target: WaitTarget,
  options: number,
): Promise<WaitResult | number> {
  for (;;) {
    const found = tryWait(t, target, options);
    if (found !== 0) return found;
    const why = await t.blocking.wait(t.tg.childQueue, 1, -1);
    if (why === BLOCK_READY) continue;
    // The signal that ended the wait may be the child's own: what it tells comes first.
    const late = tryWait(t, target, options);
    return late !== 0 ? late : -ERESTARTSYS;
  }
}

/** One look at the children: a result, 0 when none is ready but some may be, -ECHILD. */
export function tryWait(t: Task, target: WaitTarget, options: number): WaitResult | number {
  let any = false;
  for (const child of t.tg.children) {
    if (!isEligible(t, child, target, options)) continue;
    // Who waits for other things has no child in one that has ended.
    if (child.exited && (options & WEXITED) === 0) continue;
    any = true;
    const result = childState(child, options);
    if (result !== null) return result;
  }
  if (!any) return -ECHILD;
  return 0;
}

/** True when tryWait's 0 is the call's answer. */
export function mayHang(options: number): boolean {
  return (options & WNOHANG) === 0;
}

function isEligible(t: Task, child: ThreadGroup, target: WaitTarget, options: number): boolean {
  if (target.type === P_PGID) {
    if (child.pgrp.id !== target.id) return false;
  } else if (target.type !== P_ALL && child.pid !== target.id) return false;
  if ((options & __WNOTHREAD) !== 0 && child.parentThread !== t) return false;
  if ((options & __WALL) !== 0) return true;
  // "Clone" children are those that do not send SIGCHLD.
  return (child.exitSignal !== SIGCHLD) === ((options & __WCLONE) !== 0);
}

function childState(child: ThreadGroup, options: number): WaitResult | null {
  const keep = (options & WNOWAIT) !== 0;
  if (child.exited) {
    const result = exitedResult(child);
    if (!keep) reap(child, true);
    return result;
  }
  if ((options & WSTOPPED) !== 0 && child.stopped && child.stopUnreported) {
    if (!keep) child.stopUnreported = false;
    const signo = child.stopSignal;
    return makeResult(child, waitStatusStopped(signo), CLD_STOPPED, signo);
  }
  if ((options & WCONTINUED) !== 0 && child.continuedUnreported) {
    if (!keep) child.continuedUnreported = false;
    return makeResult(child, WAIT_STATUS_CONTINUED, CLD_CONTINUED, SIGCONT);
  }
  return null;
}

function exitedResult(child: ThreadGroup): WaitResult {
  const status = child.exitStatus;
  const signo = status & 0x7f;
  if (signo === 0) return makeResult(child, status, CLD_EXITED, status >> 8 & 0xff);
  return makeResult(child, status, (status & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED, signo);
}

function makeResult(child: ThreadGroup, status: number, code: number, value: number): WaitResult {
  const usage = new UsageTotals();
  usage.add(child.deadThreads);
  usage.add(child.deadChildren);
  for (const t of child.threads) {
    usage.utimeNs += t.utimeNs;
    usage.stimeNs += t.stimeNs;
    usage.voluntarySwitches += t.voluntarySwitches;
  }
  return { pid: child.pid, uid: child.leader.creds.ruid, status, code, value, usage };
}
