/** execve(2) leaves one thread of the group (Linux: de_thread). */
import { EAGAIN } from "../../platform/abi/errno.ts";
import { kick } from "./signal.ts";
import type { Task } from "./task.ts";

/**
 * Ends all other threads of the group and waits until they are gone; the caller is the leader after
 * that, with its number. Returns 0, or -EAGAIN when another exec or an exit of the group was first.
 */
export async function killOtherThreads(t: Task): Promise<number> {
  const { tg } = t;
  if (tg.exiting || tg.execThread !== null) return -EAGAIN;
  if (tg.threads.length === 1) return 0;
  tg.execThread = t;
  tg.stopping = 0;
  for (const other of [...tg.threads]) {
    if (other === t || other.exiting) continue;
    other.signals.killed = true;
    other.signals.stopPending = false;
    kick(other, true);
  }
  tg.onThreadGone = () => t.blocking.wakeUp();
  while (tg.liveThreads() > 1 && !tg.exiting) await t.blocking.waitKillable();
  tg.onThreadGone = null;
  tg.execThread = null;
  if (tg.exiting) return -EAGAIN;
  takeLeadership(t);
  return 0;
}

function takeLeadership(t: Task): void {
  const { tg, kernel } = t;
  const old = tg.leader;
  if (old === t) return;
  tg.removeThread(old);
  kernel.removeTask(old);
  kernel.tasks.delete(t.tid);
  t.tid = tg.pid;
  t.publishIdentity();
  kernel.tasks.set(t.tid, t);
  t.startBootNs = old.startBootNs;
  tg.leader = t;
}
