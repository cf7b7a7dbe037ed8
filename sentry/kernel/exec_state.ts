/**
 * What execve(2) does to a task, apart from the new memory (Linux: begin_new_exec, setup_new_exec).
 */
import { SIGCHLD } from "../../platform/abi/signal.ts";
import type { Credentials } from "../auth/credentials.ts";
import { commitCredentials } from "./credentials_change.ts";
import { leaveMemory } from "./exit.ts";
import { exitPiStates } from "./futex_pi.ts";
import { execKeyrings } from "./keys/task_keyrings.ts";
import { exitRobustList } from "./robust_list.ts";
import { setMask } from "./signal.ts";
import type { Task } from "./task.ts";

/** personality(2) bits that a set-id program does not inherit (PER_CLEAR_ON_SETID). */
const CLEARED_PERSONALITY = 0x740000;

/** Just before the old memory goes: robust futexes, clear_child_tid (mm_release). */
export function releaseOldMemory(t: Task): void {
  exitRobustList(t);
  exitPiStates(t);
  leaveMemory(t);
}

/** The image is in place: signals, timers, descriptors, credentials; a vfork parent goes on. */
export function resetForExec(t: Task, creds: Credentials, secure: boolean): void {
  const { tg } = t;
  if (tg.actions.refs > 1) {
    tg.actions.refs--;
    tg.actions = tg.actions.fork();
  }
  tg.actions.resetHandlers();
  t.publishIdentity();
  resetSignals(t);
  tg.posixTimers?.deleteAll();
  tg.exitSignal = SIGCHLD;
  tg.hasExecuted = true;
  t.restartBlock = null;
  if (secure) {
    t.parentDeathSignal = 0;
    tg.personality &= ~CLEARED_PERSONALITY;
  }
  commitCredentials(t, creds);
  execKeyrings(t);
  tg.dumpable = creds.euid === creds.ruid && creds.egid === creds.rgid ? 1 : 0;
  if (t.fdTable.refs > 1) {
    const shared = t.fdTable;
    t.fdTable = shared.fork();
    shared.release();
  }
  t.fdTable.closeOnExec();
  t.vforkDone?.();
  t.vforkDone = null;
}

function resetSignals(t: Task): void {
  const { signals } = t;
  signals.altStackAddr = 0;
  signals.altStackSize = 0;
  if (!signals.hasSavedMask) return;
  signals.hasSavedMask = false;
  setMask(t, signals.savedLo, signals.savedHi);
}
