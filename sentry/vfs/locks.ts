/**
 * File locks (Linux: fs/locks.c): POSIX record locks, owned by a descriptor table; open file
 * description locks and flock(2) locks, owned by a FileDescription.
 *
 * Nothing here blocks: a request that cannot be met returns -EAGAIN and the caller waits on `queue`.
 * Ranges are [start, end], both inclusive; `LOCK_TO_EOF` is the end of "to the end of the file".
 */
import { EAGAIN, EDEADLK, ENOLCK } from "../../platform/abi/errno.ts";
import { F_UNLCK, F_WRLCK } from "../../platform/abi/fcntl.ts";
import { major, minor } from "../../platform/abi/sysmacros.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { WaitQueue } from "../wait/queue.ts";
import type { FileDescription } from "./file.ts";
import type { Inode } from "./inode.ts";
import type { Lease } from "./leases.ts";

export const LOCK_TO_EOF = Number.MAX_SAFE_INTEGER;
/** What waiters on `InodeLocks.queue` wait for: some lock went or shrank. */
export const LOCK_RELEASED = 1;

/** Record locks on one inode, a guard against a guest that splits ranges for ever. */
const RECORD_LOCK_MAX = 100_000;
/** Longest chain of waiting owners that is followed (Linux: MAX_DEADLK_ITERATIONS is 10). */
const DEADLOCK_DEPTH = 64;

export interface RecordLock {
  /** The FdTable (POSIX) or the FileDescription (OFD). */
  readonly owner: object;
  /** F_GETLK's l_pid: of the process that set it, -1 for OFD locks. */
  readonly pid: number;
  /** F_RDLCK or F_WRLCK; F_UNLCK in a request. */
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

interface WholeLock {
  readonly file: FileDescription;
  readonly isExclusive: boolean;
  readonly pid: number;
}

/** Those that hold a lock of some kind, for /proc/locks. */
const held = new Set<InodeLocks>();

/** Owners of POSIX locks that wait, and the owner whose lock they wait for. */
const waitingFor = new Map<object, object>();
ofOneSandbox(() => {
  held.clear();
  waitingFor.clear();
});

export class InodeLocks {
  records: RecordLock[] = [];
  wholes: WholeLock[] = [];
  leases: Lease[] = [];
  readonly queue = new WaitQueue();

  constructor(readonly inode: Inode) {}

  /** To be called when locks came or went. */
  changed(): void {
    if (this.records.length + this.wholes.length + this.leases.length > 0) held.add(this);
    else held.delete(this);
  }

  /** The first lock in the way of `request`, or null. */
  conflict(request: RecordLock): RecordLock | null {
    if (request.type === F_UNLCK) return null;
    for (const lock of this.records) {
      if (lock.owner === request.owner) continue;
      if (lock.end < request.start || lock.start > request.end) continue;
      if (lock.type === F_WRLCK || request.type === F_WRLCK) return lock;
    }
    return null;
  }

  /** The first lock of the owner of `request` within its range, or null. */
  ownLock(request: RecordLock): RecordLock | null {
    const isWithin = (lock: RecordLock) =>
      lock.owner === request.owner && lock.end >= request.start && lock.start <= request.end;
    return this.records.find(isWithin) ?? null;
  }

  /** Sets or removes a record lock. Returns 0, -EAGAIN (in the way: `conflict`) or -ENOLCK. */
  setRecord(request: RecordLock): number {
    if (this.conflict(request) !== null) return -EAGAIN;
    if (request.type !== F_UNLCK && this.records.length >= RECORD_LOCK_MAX) return -ENOLCK;
    let { start, end } = request;
    const { owner, type } = request;
    const kept: RecordLock[] = [];
    let isSmaller = false;
    for (const lock of this.records) {
      if (lock.owner !== owner) {
        kept.push(lock);
        continue;
      }
      if (lock.type === type) { // Neighbours of one type become one lock.
        if (lock.end + 1 < start || lock.start > end + 1) kept.push(lock);
        else {
          start = Math.min(start, lock.start);
          end = Math.max(end, lock.end);
        }
        continue;
      }
      if (lock.end < start || lock.start > end) {
        kept.push(lock);
        continue;
      }
      isSmaller = true;
      if (lock.start < start) kept.push({ ...lock, end: start - 1 });
      if (lock.end > end) kept.push({ ...lock, start: end + 1 });
    }
    if (type !== F_UNLCK) kept.push({ ...request, start, end });
    kept.sort((a, b) => a.start - b.start);
    this.records = kept;
    this.changed();
    if (isSmaller) this.queue.notify(LOCK_RELEASED);
    return 0;
  }

  /** flock(2): returns 0 or -EAGAIN. A lock held before is given up even then, as on Linux. */
  setWhole(file: FileDescription, isExclusive: boolean, pid: number): number {
    const held = this.wholes.findIndex((lock) => lock.file === file);
    if (held >= 0) {
      if (this.wholes[held].isExclusive === isExclusive) return 0;
      this.wholes.splice(held, 1);
      this.queue.notify(LOCK_RELEASED);
    }
    for (const lock of this.wholes) if (isExclusive || lock.isExclusive) return -EAGAIN;
    this.wholes.push({ file, isExclusive, pid });
    this.changed();
    return 0;
  }

  removeWhole(file: FileDescription): void {
    const held = this.wholes.findIndex((lock) => lock.file === file);
    if (held < 0) return;
    this.wholes.splice(held, 1);
    this.changed();
    this.queue.notify(LOCK_RELEASED);
  }

  /** Whether `file` had a lease. */
  removeLease(file: FileDescription): boolean {
    const held = this.leases.findIndex((lease) => lease.file === file);
    if (held < 0) return false;
    this.leases.splice(held, 1);
    this.changed();
    this.queue.notify(LOCK_RELEASED);
    return true;
  }

  /** The last reference to `file` is gone: its flock and OFD locks and its lease end. */
  releaseFile(file: FileDescription): void {
    this.removeLease(file);
    this.removeWhole(file);
    this.removeOwner(file);
  }

  removeOwner(owner: object): void {
    const before = this.records.length;
    if (before === 0) return;
    this.records = this.records.filter((lock) => lock.owner !== owner);
    this.changed();
    if (this.records.length !== before) this.queue.notify(LOCK_RELEASED);
  }
}

export function locksOf(inode: Inode): InodeLocks {
  return inode.locks ??= new InodeLocks(inode);
}

/** Whose locks fdinfo shows: those of an open file, and the process's own on it. */
export interface LockHolder {
  file: FileDescription;
  table: object;
}

/** One lock per line without its number, as /proc/locks and fdinfo show them (lock_get_status). */
export function lockLines(locks: InodeLocks, of: LockHolder | null = null): string[] {
  const { dev } = locks.inode.fs;
  const hex = (n: number): string => n.toString(16).padStart(2, "0");
  const where = `${hex(major(dev))}:${hex(minor(dev))}:${locks.inode.ino}`;
  const isOurs = (lock: { file?: object; owner?: object }): boolean => {
    const holder = lock.file ?? lock.owner;
    return of === null || holder === of.file || holder === of.table;
  };
  const kind = (isWrite: boolean): string => isWrite ? "WRITE" : "READ";
  return [
    ...locks.wholes.filter(isOurs).map((w) =>
      `FLOCK  ADVISORY  ${kind(w.isExclusive)} ${w.pid} ${where} 0 EOF`
    ),
    ...locks.records.filter(isOurs).map((r) =>
      `${r.pid === -1 ? "OFDLCK" : "POSIX "} ADVISORY  ${kind(r.type === F_WRLCK)} ${r.pid} ` +
      `${where} ${r.start} ${r.end === LOCK_TO_EOF ? "EOF" : r.end}`
    ),
    ...locks.leases.filter(isOurs).map((l) =>
      `LEASE  ${l.breaksTo >= 0 ? "BREAKING  " : "ACTIVE    "}${kind(l.type === F_WRLCK)} ` +
      `${l.pid} ${where} 0 EOF`
    ),
  ];
}

/** /proc/locks. */
export function locksText(): string {
  let text = "";
  let number = 1;
  for (const locks of held) {
    for (const line of lockLines(locks)) text += `${number++}: ${line}\n`;
  }
  return text;
}

/**
 * To be called before a POSIX lock's owner waits for `blocker`'s owner: 0, or -EDEADLK when that one
 * waits for `owner`, directly or not. After the wait: `stopWaiting`.
 */
export function startWaiting(owner: object, blocker: RecordLock): number {
  let other: object | undefined = blocker.owner;
  for (let depth = 0; other !== undefined && depth < DEADLOCK_DEPTH; depth++) {
    if (other === owner) return -EDEADLK;
    other = waitingFor.get(other);
  }
  waitingFor.set(owner, blocker.owner);
  return 0;
}

export function stopWaiting(owner: object): void {
  waitingFor.delete(owner);
}

/**
 * close(2)'s work on one descriptor (Linux: filp_close): POSIX locks of `owner` (the FdTable) on the
 * file go, `impl.flush`, and the reference. Every removal of a descriptor ends here: close, dup2,
 * exec, exit.
 */
export function closeFile(file: FileDescription, owner: object): void {
  const locks = file.inode.locks;
  if (locks !== null) locks.removeOwner(owner);
  file.impl.flush(file);
  file.release();
}
