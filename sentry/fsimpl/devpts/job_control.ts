/**
 * Terminals and job control (Linux: tty_jobctrl.c): who may read, write and change a terminal, and
 * whose terminal it is. See credentials(7), ioctl_tty(2), POSIX chapter 11.1.
 */
import { CAP_SYS_ADMIN } from "../../../platform/abi/capability.ts";
import { EINVAL, EIO, ENOTTY, EPERM, ERESTARTSYS, ESRCH } from "../../../platform/abi/errno.ts";
import { SIG_IGN, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU } from "../../../platform/abi/signal.ts";
import { hasCapability } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ProcessGroup } from "../../kernel/session.ts";
import { sendSignal, signalProcessGroup } from "../../kernel/signal.ts";
import { kernelSignal } from "../../kernel/signal_info.ts";
import { setHas } from "../../kernel/signal_queue.ts";
import type { Task } from "../../kernel/task.ts";
import type { ThreadGroup } from "../../kernel/thread_group.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { Tty } from "./tty.ts";

export function signalGroup(_kernel: Kernel, group: ProcessGroup, signo: number): void {
  signalProcessGroup(group, () => kernelSignal(signo), true);
}

export function signalLeader(_kernel: Kernel, leader: ThreadGroup, signo: number): void {
  sendSignal(leader, kernelSignal(signo), true);
}

/** Whether `tty` is the controlling terminal of `t`. */
export function isControlling(t: Task, tty: Tty): boolean {
  return t.tg.tty === tty;
}

/**
 * A process in the background that reads (SIGTTIN), or writes and changes (SIGTTOU), is stopped first
 * (__tty_check_change). Returns 0 to go on, -EIO, or -ERESTARTSYS when the signal was sent.
 */
export function checkForeground(t: Task | null, tty: Tty, signo: number): number {
  if (t === null || !isControlling(t, tty)) return 0;
  const group = t.tg.pgrp;
  if (tty.foreground === null || tty.foreground === group) {
    // In the foreground here, but the sandbox may be a background job of the shell outside.
    return signo === SIGTTIN && tty.input !== null ? tty.input.checkConsole(t) : 0;
  }
  if (isIgnored(t, signo)) return signo === SIGTTIN ? -EIO : 0;
  if (group.isOrphaned()) return -EIO;
  signalGroup(t.kernel, group, signo);
  return -ERESTARTSYS;
}

/** Whether `signo`, sent to `t` by a terminal, would not reach it. */
export function isIgnored(t: Task, signo: number): boolean {
  return setHas(t.signals.maskLo, t.signals.maskHi, signo) ||
    t.tg.actions.get(signo).handlerAddr === SIG_IGN;
}

/** A session leader without a terminal that opens one gets it (tty_open_proc_set_tty). */
export function acquireOnOpen(t: Task | null, tty: Tty, file: FileDescription): void {
  if (t === null || !file.readable) return;
  const session = t.tg.pgrp.session;
  if (session.leader !== t.tg || t.tg.tty !== null || tty.session !== null) return;
  setControlling(t, tty);
}

/** Makes `tty` the controlling terminal of the session that `t` leads. */
export function setControlling(t: Task, tty: Tty): void {
  const session = t.tg.pgrp.session;
  tty.session = session;
  tty.foreground = t.tg.pgrp;
  session.tty = t.tg.tty = tty;
}

/** TIOCSCTTY; `steal` is its argument. */
export function setControllingTty(t: Task, tty: Tty, file: FileDescription, steal: number): number {
  const session = t.tg.pgrp.session;
  const leads = session.leader === t.tg;
  if (leads && tty.session === session) return 0;
  if (!leads || t.tg.tty !== null) return -EPERM;
  const isAdmin = hasCapability(t.creds, CAP_SYS_ADMIN);
  if (tty.session !== null) {
    if (steal !== 1 || !isAdmin) return -EPERM;
    tty.detachSession();
  }
  if (!file.readable && !isAdmin) return -EPERM;
  setControlling(t, tty);
  return 0;
}

/** TIOCNOTTY: gives the controlling terminal up; a leader gives it up for its whole session. */
export function giveUpTty(t: Task, tty: Tty): number {
  if (!isControlling(t, tty)) return -ENOTTY;
  if (t.tg.pgrp.session.leader !== t.tg) {
    t.tg.tty = null;
    return 0;
  }
  const group = tty.foreground;
  tty.detachSession();
  if (group !== null) {
    signalGroup(t.kernel, group, SIGHUP);
    signalGroup(t.kernel, group, SIGCONT);
  }
  return 0;
}

/** TIOCSPGRP. */
export function setForeground(t: Task, tty: Tty, id: number): number {
  if (id < 0) return -EINVAL;
  const session = t.tg.pgrp.session;
  if (!isControlling(t, tty) || tty.session !== session) return -ENOTTY;
  const group = t.kernel.processGroups.get(id);
  if (group === undefined) return -ESRCH;
  if (group.session !== session) return -EPERM;
  tty.foreground = group;
  return 0;
}

/** checkForeground for ioctls that change the terminal. */
export function checkChange(t: Task, tty: Tty): number {
  return checkForeground(t, tty, SIGTTOU);
}
