/**
 * Signal-driven I/O: who gets SIGIO for a file with O_ASYNC (fcntl(2): F_SETOWN, F_SETSIG; Linux:
 * fown_struct, fasync).
 */
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDBAND,
  EPOLLRDNORM,
  EPOLLWRBAND,
  EPOLLWRNORM,
} from "../../platform/abi/epoll.ts";
import { EINVAL, ESRCH } from "../../platform/abi/errno.ts";
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID } from "../../platform/abi/fcntl.ts";
import { FOWNER_EX_SIZE, getFOwnerEx, putFOwnerEx } from "../../platform/abi/fcntl.ts";
import {
  POLL_ERR,
  POLL_HUP,
  POLL_IN,
  POLL_OUT,
  POLL_PRI,
  SI_KERNEL,
  SIGIO,
  SIGURG,
} from "../../platform/abi/signal.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import { CAP_KILL } from "../../platform/abi/capability.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { sendSignal, signalProcessGroup } from "../kernel/signal.ts";
import { pollSignal, SigInfo } from "../kernel/signal_info.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription, FileOwner } from "../vfs/file.ts";
import { isUntyped } from "../vfs/anon.ts";
import type { WaitEntry } from "../wait/queue.ts";

export const O_ASYNC = 0o20000;
/** Of a reason to signal: the event that stands for it, si_code and si_band (Linux: band_table). */
const REASONS = [
  { event: EPOLLHUP, code: POLL_HUP, band: EPOLLHUP | EPOLLERR },
  { event: EPOLLERR, code: POLL_ERR, band: EPOLLERR },
  { event: EPOLLPRI, code: POLL_PRI, band: EPOLLPRI | EPOLLRDBAND },
  { event: EPOLLIN, code: POLL_IN, band: EPOLLIN | EPOLLRDNORM },
  { event: EPOLLOUT, code: POLL_OUT, band: EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND },
];
const SIGNAL_MAX = 64;

class AsyncOwner implements FileOwner, WaitEntry {
  readonly mask: number;
  readonly isOwner = true;
  type = F_OWNER_PID;
  /** 0: nobody. */
  id = 0;
  /** F_SETSIG; 0 means a plain SIGIO. */
  signo = 0;
  isWaiting = false;
  creds: Credentials;

  constructor(
    readonly kernel: Kernel,
    creds: Credentials,
    public fd: number,
    file: FileDescription,
  ) {
    this.creds = creds;
    this.mask = EPOLLERR | EPOLLHUP | (file.readable ? EPOLLIN | EPOLLPRI : 0) |
      (file.writable ? EPOLLOUT : 0);
  }

  wake(_events: number, signalled: number): void {
    const reason = REASONS.find(({ event }) => (signalled & this.mask & event) !== 0);
    if (this.id === 0 || reason === undefined) return;
    const { code, band } = reason;
    this.#signal(() =>
      this.signo === 0 ? new SigInfo(SIGIO, SI_KERNEL) : pollSignal(this.signo, code, band, this.fd)
    );
  }

  signalUrgent(): void {
    if (this.id !== 0) this.#signal(() => new SigInfo(SIGURG, SI_KERNEL));
  }

  #signal(makeInfo: () => SigInfo): void {
    if (this.type === F_OWNER_PGRP) {
      const group = this.kernel.processGroups.get(this.id);
      if (group !== undefined) signalProcessGroup(group, makeInfo);
      return;
    }
    const t = this.kernel.tasks.get(this.id);
    if (t === undefined || !this.#maySignal(t)) return;
    sendSignal(this.type === F_OWNER_TID ? t : t.tg, makeInfo());
  }

  /** sigio_perm: as the one who called F_SETOWN. */
  #maySignal(t: Task): boolean {
    const { euid, ruid } = this.creds;
    const { suid, ruid: target } = t.creds;
    return hasCapability(this.creds, CAP_KILL) || euid === suid || euid === target ||
      ruid === suid || ruid === target;
  }
}

/** Whether `file` can send SIGIO (Linux: f_op->fasync): event files cannot, for all their readiness. */
export function sendsSigio(file: FileDescription): boolean {
  return file.impl.waitQueue !== null && !isUntyped(file.inode);
}

function ownerOf(file: FileDescription): AsyncOwner | null {
  return file.owner instanceof AsyncOwner ? file.owner : null;
}

function makeOwner(t: Task, fd: number, file: FileDescription): AsyncOwner {
  const old = ownerOf(file);
  if (old !== null) return old;
  const owner = new AsyncOwner(t.kernel, t.creds, fd, file);
  file.owner = owner;
  return owner;
}

/** The owner of `file`, by default the calling process (F_SETLEASE). */
export function ensureOwner(t: Task, fd: number, file: FileDescription): AsyncOwner {
  const owner = makeOwner(t, fd, file);
  if (owner.id === 0) {
    owner.type = F_OWNER_PID;
    owner.id = t.tg.pid;
    owner.creds = t.creds;
  }
  return owner;
}

/** O_ASYNC was set or cleared. */
export function asyncChanged(t: Task, fd: number, file: FileDescription): void {
  const queue = file.impl.waitQueue;
  if (queue === null) return;
  const owner = makeOwner(t, fd, file);
  if ((file.flags & O_ASYNC) === 0) {
    if (owner.isWaiting) queue.remove(owner);
    owner.isWaiting = false;
    return;
  }
  owner.fd = fd;
  if (owner.isWaiting) return;
  owner.isWaiting = true;
  queue.add(owner);
  const next = file.onLastRelease;
  file.onLastRelease = (f) => {
    next?.(f);
    if (owner.isWaiting) queue.remove(owner);
    owner.isWaiting = false;
  };
}

/** F_SETOWN: a process, or a process group as a negative number; 0 for nobody. */
export function setOwner(t: Task, fd: number, file: FileDescription, arg: number): number {
  if (arg === -0x80000000) return -EINVAL;
  return assign(t, fd, file, arg < 0 ? F_OWNER_PGRP : F_OWNER_PID, Math.abs(arg));
}

function assign(t: Task, fd: number, file: FileDescription, type: number, id: number): number {
  const { kernel } = t;
  if (id !== 0) {
    const exists = type === F_OWNER_PGRP ? kernel.processGroups.has(id) : kernel.tasks.has(id);
    if (!exists) return -ESRCH;
  }
  const owner = makeOwner(t, fd, file);
  owner.type = type;
  owner.id = id;
  owner.creds = t.creds;
  return 0;
}

/** F_GETOWN. A group's number comes back negative, which looks like an error to a careless caller. */
export function getOwner(file: FileDescription): number {
  const owner = ownerOf(file);
  if (owner === null) return 0;
  return owner.type === F_OWNER_PGRP ? -owner.id : owner.id;
}

/** F_SETOWN_EX. */
export function setOwnerEx(t: Task, fd: number, file: FileDescription, addr: number): number {
  const err = t.copyIn(addr, t.scratch, 0, FOWNER_EX_SIZE);
  if (err < 0) return err;
  const { type, pid } = getFOwnerEx(t.scratchView, 0);
  if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
  return pid < 0 ? -ESRCH : assign(t, fd, file, type, pid);
}

/** FIOSETOWN and SIOCSPGRP of a socket: F_SETOWN with its argument in memory. */
export function setOwnerAt(t: Task, fd: number, file: FileDescription, addr: number): number {
  const err = t.copyIn(addr, t.scratch, 0, 4);
  return err < 0 ? err : setOwner(t, fd, file, t.scratchView.getInt32(0, true));
}

/** FIOGETOWN and SIOCGPGRP of a socket. */
export function getOwnerAt(t: Task, file: FileDescription, addr: number): number {
  return t.copyOutU32(addr, getOwner(file) >>> 0);
}

/** F_GETOWN_EX. */
export function getOwnerEx(t: Task, file: FileDescription, addr: number): number {
  const owner = ownerOf(file);
  putFOwnerEx(t.scratchView, 0, owner?.type ?? F_OWNER_TID, owner?.id ?? 0);
  return t.copyOut(addr, t.scratch, 0, FOWNER_EX_SIZE);
}

/** F_GETOWNER_UIDS: the real and effective user of who named the owner. */
export function getOwnerIds(t: Task, file: FileDescription, addr: number): number {
  const owner = ownerOf(file);
  const creds = owner !== null && owner.id !== 0 ? owner.creds : null;
  t.scratchView.setUint32(0, creds?.ruid ?? 0, true);
  t.scratchView.setUint32(4, creds?.euid ?? 0, true);
  return t.copyOut(addr, t.scratch, 0, 8);
}

/** F_SETSIG. */
export function setSignal(t: Task, fd: number, file: FileDescription, signo: number): number {
  if (signo < 0 || signo > SIGNAL_MAX) return -EINVAL;
  makeOwner(t, fd, file).signo = signo;
  return 0;
}

export function getSignal(file: FileDescription): number {
  return ownerOf(file)?.signo ?? 0;
}
