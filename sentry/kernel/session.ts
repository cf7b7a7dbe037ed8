/**
 * Process groups and sessions (credentials(7), setsid(2), setpgid(2)). Both live as long as they have
 * members; their numbers stay taken so long (PidAllocator).
 */
import { EPERM, ESRCH } from "../../platform/abi/errno.ts";
import type { Kernel } from "./kernel.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** What a session knows of its controlling terminal; a tty (fsimpl/devpts, dev) implements it. */
export interface ControllingTty {
  /** The session it controls, null when none. */
  session: Session | null;
  /** The foreground process group (tcgetpgrp(3)). */
  foreground: ProcessGroup | null;
  /** The session's leader exited or gave the terminal up: both fields above are null by then. */
  disassociated?(): void;
}

export class Session {
  readonly groups = new Map<number, ProcessGroup>();
  /** Whose session this is; of its processes not all need have it (ThreadGroup.tty). */
  tty: ControllingTty | null = null;
  /** Null once the leader has exited. */
  leader: ThreadGroup | null;
  constructor(readonly id: number, leader: ThreadGroup) {
    this.leader = leader;
  }
}

export class ProcessGroup {
  readonly members = new Set<ThreadGroup>();
  constructor(readonly id: number, readonly session: Session) {}

  /**
   * Orphaned (POSIX): no member has a parent outside the group but inside the session. Init's is the
   * command, which continues it. `ignored` is a member that is just exiting.
   */
  isOrphaned(ignored: ThreadGroup | null = null): boolean {
    for (const tg of this.members) {
      if (tg === ignored || tg.exited) continue;
      if (tg.isInit) return false;
      if (tg.parent === null) continue;
      const parent = tg.parent;
      if (parent.pgrp !== this && parent.pgrp.session === this.session) return false;
    }
    return true;
  }

  hasStoppedMember(ignored: ThreadGroup | null = null): boolean {
    for (const tg of this.members) if (tg !== ignored && !tg.exited && tg.stopped) return true;
    return false;
  }
}

/** Neither the session nor a process in it has a terminal from now on (Linux: session_clear_tty). */
export function clearTty(session: Session): void {
  session.tty = null;
  for (const group of session.groups.values()) {
    for (const tg of group.members) tg.tty = null;
  }
}

/** Puts a new thread group into its parent's process group. */
export function joinGroup(tg: ThreadGroup, group: ProcessGroup): void {
  tg.pgrp = group;
  group.members.add(tg);
}

/** Makes the session and process group of the sandbox's init, or of a process that calls setsid(2). */
export function newSession(kernel: Kernel, tg: ThreadGroup): Session {
  const session = new Session(tg.pid, tg);
  kernel.sessions.set(session.id, session);
  return session;
}

export function newGroup(kernel: Kernel, id: number, session: Session): ProcessGroup {
  const group = new ProcessGroup(id, session);
  session.groups.set(id, group);
  kernel.processGroups.set(id, group);
  return group;
}

/** Takes a thread group out of its process group (reaped, or moving on). */
export function leaveGroup(kernel: Kernel, tg: ThreadGroup): void {
  const group = tg.pgrp;
  group.members.delete(tg);
  if (group.members.size > 0) return;
  kernel.processGroups.delete(group.id);
  const session = group.session;
  session.groups.delete(group.id);
  if (session.tty !== null && session.tty.foreground === group) session.tty.foreground = null;
  if (session.groups.size > 0) return;
  kernel.sessions.delete(session.id);
  if (session.tty !== null && session.tty.session === session) {
    const tty = session.tty;
    session.tty = null;
    tty.session = null;
    tty.foreground = null;
    tty.disassociated?.();
  }
}

/** setsid(2): a new session and group led by the caller. Returns its id, or -EPERM for a group leader. */
export function setsid(kernel: Kernel, tg: ThreadGroup): number {
  if (kernel.processGroups.has(tg.pid)) return -EPERM;
  const session = newSession(kernel, tg);
  const group = newGroup(kernel, tg.pid, session);
  leaveGroup(kernel, tg);
  joinGroup(tg, group);
  tg.tty = null;
  return tg.pid;
}

/** Moves `tg` into the group numbered `pgid`, which is made when `pgid` is its own pid. */
export function moveToGroup(kernel: Kernel, tg: ThreadGroup, pgid: number): number {
  if (tg.pgrp.id === pgid) return 0;
  const session = tg.pgrp.session;
  let group = kernel.processGroups.get(pgid);
  if (pgid !== tg.pid) {
    if (group === undefined || group.session !== session) return -EPERM;
  } else group ??= newGroup(kernel, pgid, session);
  if (group === undefined) return -ESRCH;
  leaveGroup(kernel, tg);
  joinGroup(tg, group);
  return 0;
}
