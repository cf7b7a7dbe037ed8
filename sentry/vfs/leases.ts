/**
 * Leases (fcntl(2), "Leases"; Linux: fs/locks.c, FL_LEASE): the holder is told by a signal when another
 * open or truncate wants the file, which then waits until the lease is given up or its time is over.
 */
import { EAGAIN } from "../../platform/abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "../../platform/abi/fcntl.ts";
import type { FileDescription } from "./file.ts";
import type { Inode } from "./inode.ts";
import { type InodeLocks, LOCK_RELEASED, locksOf } from "./locks.ts";

export interface Lease {
  readonly file: FileDescription;
  /** F_RDLCK or F_WRLCK. */
  type: number;
  /** While it is being broken: what the holder may keep, F_RDLCK or F_UNLCK; else -1. */
  breaksTo: number;
  /** Of the process that took it. */
  readonly pid: number;
  /** Signals the holder. */
  readonly notify: () => void;
}

class LeaseSettings {
  /** /proc/sys/fs/lease-break-time. */
  breakTimeSec = 45;
  /** The file whose lease stopped the last open or truncate. */
  pending: InodeLocks | null = null;
}
export const leaseSettings = new LeaseSettings();

/** F_SETLEASE with F_RDLCK or F_WRLCK, conflicting opens checked. Returns 0 or -EAGAIN. */
export function setLease(
  file: FileDescription,
  type: number,
  pid: number,
  notify: () => void,
): number {
  const locks = locksOf(file.inode);
  const own = locks.leases.find((lease) => lease.file === file);
  for (const lease of locks.leases) {
    if (lease === own) continue;
    if (type === F_WRLCK || lease.type === F_WRLCK || lease.breaksTo === F_UNLCK) return -EAGAIN;
  }
  if (own === undefined) {
    locks.leases.push({ file, type, breaksTo: -1, pid, notify });
    locks.changed();
    return 0;
  }
  if (own.breaksTo >= 0) {
    if (own.breaksTo === F_UNLCK || type !== F_RDLCK) return -EAGAIN;
    own.breaksTo = -1;
  }
  own.type = type;
  locks.queue.notify(LOCK_RELEASED);
  return 0;
}

/** F_SETLEASE with F_UNLCK; -EAGAIN when there is none. */
export function removeLease(file: FileDescription): number {
  const locks = file.inode.locks;
  return locks !== null && locks.removeLease(file) ? 0 : -EAGAIN;
}

/** F_GETLEASE: while it is being broken, what it will be. */
export function getLease(file: FileDescription): number {
  const lease = file.inode.locks?.leases.find((each) => each.file === file);
  if (lease === undefined) return F_UNLCK;
  return lease.breaksTo >= 0 ? lease.breaksTo : lease.type;
}

/**
 * An open or truncate wants the inode: tells the holders of leases in the way. Returns 0, or -EAGAIN
 * with `takePendingBreak`, on whose queue a caller that may block waits before it tries again.
 */
export function breakLeases(inode: Inode, wantsWrite: boolean): number {
  const locks = inode.locks;
  if (locks === null || locks.leases.length === 0) return 0;
  let inTheWay = false;
  for (const lease of locks.leases) {
    if (!wantsWrite && lease.type !== F_WRLCK) continue;
    inTheWay = true;
    const target = wantsWrite ? F_UNLCK : F_RDLCK;
    if (lease.breaksTo === F_UNLCK || lease.breaksTo === target) continue;
    lease.breaksTo = target;
    lease.notify();
  }
  if (!inTheWay) return 0;
  leaseSettings.pending = locks;
  return -EAGAIN;
}

/** Why the last call returned -EAGAIN, if it was a lease. */
export function takePendingBreak(): InodeLocks | null {
  const locks = leaseSettings.pending;
  leaseSettings.pending = null;
  return locks;
}

/** The holders had their time: leases being broken become what they must. */
export function expireLeases(locks: InodeLocks): void {
  for (const lease of [...locks.leases]) {
    if (lease.breaksTo === F_UNLCK) locks.removeLease(lease.file);
    else if (lease.breaksTo === F_RDLCK) {
      lease.type = F_RDLCK;
      lease.breaksTo = -1;
    }
  }
  locks.queue.notify(LOCK_RELEASED);
}
