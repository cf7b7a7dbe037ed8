/** Group stop and continue (Linux: do_signal_stop, prepare_signal's SIGCONT); signal(7), wait(2). */
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
} from "../../platform/abi/signal.ts";
import { nsToTicks } from "./cpu_time.ts";
import { kick, sendSignal, signalProcessGroup, wakeStopped } from "./signal.ts";
import { kernelSignal, SigInfo } from "./signal_info.ts";
import type { ProcessGroup } from "./session.ts";
import { type Task, TASK_STOPPED } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** Asks every thread to stop; the calling one then calls participateInStop. */
export function startGroupStop(t: Task, signo: number): void {
  const tg = t.tg;
  if (tg.exiting || tg.stopping > 0) return;
  tg.stopSignal = signo;
  tg.continuedUnreported = false;
  for (const other of tg.threads) {
    if (other.exiting || other.state === TASK_STOPPED) continue;
    other.signals.stopPending = true;
    tg.stopping++;
    if (other !== t) kick(other, false);
  }
}

/** The thread stops now; the last one of the group tells the parent. */
export function participateInStop(t: Task): void {
  t.signals.stopPending = false;
  t.state = TASK_STOPPED;
  stopCounted(t.tg);
}

/** A thread that should have stopped exits: the others may be complete now. */
export function leaveStop(t: Task): void {
  if (!t.signals.stopPending) return;
  t.signals.stopPending = false;
  stopCounted(t.tg);
}

function stopCounted(tg: ThreadGroup): void {
  if (tg.stopping > 0 && --tg.stopping > 0) return;
  tg.stopped = true;
  tg.stopUnreported = true;
  notifyJobChange(tg, CLD_STOPPED, tg.stopSignal);
}

/** SIGCONT was sent: whatever its disposition, the group goes on. */
export function continueGroup(tg: ThreadGroup): void {
  const wasStopped = tg.stopped;
  const wasStopping = tg.stopping > 0;
  tg.stopping = 0;
  tg.stopped = false;
  tg.stopUnreported = false;
  for (const t of [...tg.threads]) {
    t.signals.stopPending = false;
    wakeStopped(t);
  }
  if (!wasStopped && !wasStopping) return;
  if (wasStopped) tg.continuedUnreported = true;
  notifyJobChange(
    tg,
    wasStopped ? CLD_CONTINUED : CLD_STOPPED,
    wasStopped ? SIGCONT : tg.stopSignal,
  );
}

function notifyJobChange(tg: ThreadGroup, code: number, status: number): void {
  const parent = tg.parent;
  if (parent === null) {
    if (tg.isInit && code === CLD_STOPPED && tg.stopped) tg.kernel.onInitStop(status);
    return;
  }
  const action = parent.actions.get(SIGCHLD);
  if (action.handlerAddr !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) {
    const info = new SigInfo(SIGCHLD, code);
    info.pid = tg.pid;
    info.uid = tg.leader.creds.ruid;
    info.status = status & 0x7f;
    info.utime = nsToTicks(tg.utimeNs());
    info.stime = nsToTicks(tg.stimeNs());
    sendSignal(parent, info, true);
  }
  parent.childQueue.notify(1);
}

/** A group just orphaned that has stopped members gets SIGHUP, then SIGCONT (POSIX 3.2.2.2). */
export function hangUpOrphaned(group: ProcessGroup, ignored: ThreadGroup | null): void {
  if (!group.isOrphaned(ignored) || !group.hasStoppedMember(ignored)) return;
  signalProcessGroup(group, () => kernelSignal(SIGHUP), true);
  signalProcessGroup(group, () => kernelSignal(SIGCONT), true);
}
