/**
 * File descriptors (Linux: files_struct). The lowest free number is found in O(1): descriptors in use
 * are bits of a two-level bitmap, and everything below `#firstFree` is known to be taken.
 */
import { EBADF, EMFILE } from "../../platform/abi/errno.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { type Moved, QUIET_FDS } from "../../platform/platform.ts";
import type { FileDescription } from "../vfs/file.ts";
import { closeFile } from "../vfs/locks.ts";

/** Linux's sysctl_nr_open: no RLIMIT_NOFILE lets a number reach it. */
export const NR_OPEN_MAX = 1048576;
/** Descriptor flag, as F_GETFD shows it. */
export const FD_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;

/** The context of the only task that has a table: its thread may close quiet descriptors by itself. */
export interface QuietHolder {
  letClose(fd: number, answer: number, serial: number, data: Uint8Array | null): void;
  takeBack(fds: number): void;
  takeClosed(): number;
  takeMoved(): Moved | null;
}

/** Those with quiet descriptors. */
const quietTables = new Set<FdTable>();
ofOneSandbox(() => quietTables.clear());

/**
 * No thread closes by itself any more what is open now, and what it has closed is closed: before somebody could
 * notice (locks, leases, unmounting).
 */
export function takeBackQuiet(): void {
  for (const table of quietTables) table.takeBack();
}

export class FdTable {
  /** Tasks that share it (CLONE_FILES). */
  refs = 1;
  #files: (FileDescription | null)[] = [];
  #cloexec: boolean[] = [];
  /** One bit for each descriptor in use, 32 to a word. */
  #used = new Int32Array(2);
  /** One bit for each word of #used that is full. */
  #full = new Int32Array(1);
  /** Every descriptor below it is in use. */
  #firstFree = 0;
  #count = 0;
  /** Descriptors, a bit each, that were made quiet and not taken back; #holder may have closed some. */
  #quiet = 0;
  /** Those that were made quiet, and are open: #holder may have closed some just before they were taken back. */
  #let = 0;
  /** The last of those: #holder may have moved it. */
  #moving = -1;
  #holder: QuietHolder | null = null;

  /** `crowded` is called when `isCrowded` changes. */
  constructor(readonly crowded: ((table: FdTable) => void) | null = null) {}

  get count(): number {
    return this.#count;
  }

  /** No further descriptor is to be had: the limit is on the number, not on how many are open. */
  get full(): boolean {
    return this.#lowestFree(0) >= this.noFileLimit;
  }

  /** One more than the highest descriptor ever used: the bound of a walk. */
  get limit(): number {
    return this.#files.length;
  }

  /** The open file, without a reference taken; null when the number is not open. */
  get(fd: number): FileDescription | null {
    return this.#files[fd] ?? null;
  }

  /** There may be no free descriptor: one at the limit has been used. */
  get isCrowded(): boolean {
    return this.#files.length >= this.#noFileLimit;
  }

  acquire(): this {
    this.endQuiet();
    this.refs++;
    return this;
  }

  /** Gives up one task's share; the last one closes everything. */
  release(): void {
    this.dropHolder();
    if (--this.refs > 0) return;
    this.closeRange(0, this.#files.length - 1);
  }

  /**
   * Closing `fd`, just installed, is noticed by nobody but the only task that has the table, whose context is
   * `holder`: it may do so by itself. `answer`, `serial`, `data`: as Context.letClose has them.
   */
  setQuiet(
    fd: number,
    holder: QuietHolder,
    answer: number,
    serial: number,
    data: Uint8Array | null,
  ): void {
    if (this.refs > 1 || fd >= QUIET_FDS) return;
    this.#holder = holder;
    if (this.#quiet === 0) quietTables.add(this);
    this.#quiet |= 1 << fd;
    this.#let |= 1 << fd;
    this.#moving = fd;
    holder.letClose(fd, answer, serial, data);
  }

  /** Does what the task has done to its descriptors by itself: before anyone looks at them. Returns itself. */
  settle(): this {
    if (this.#holder === null) return this;
    const moved = this.#holder.takeMoved();
    if (moved !== null && moved.fd === this.#moving && moved.fd >= 0) {
      this.#files[moved.fd]!.offset = moved.at;
    }
    let closed = this.#holder.takeClosed() & this.#let;
    this.#quiet &= ~closed;
    for (; closed !== 0; closed &= closed - 1) this.close(lowestBit(closed));
    return this;
  }

  /**
   * As `takeBackQuiet`, for this table. Returns itself. A read that the task is just making by itself is told with its
   * next call, as ever.
   */
  takeBack(): this {
    if (this.#holder === null) return this;
    this.#holder.takeBack(this.#quiet);
    this.settle();
    this.#quiet = 0;
    quietTables.delete(this);
    return this;
  }

  /** The same for the task itself, which is in a call. */
  endQuiet(): void {
    this.takeBack();
    this.dropHolder();
  }

  /** The task's context is no longer its own. */
  dropHolder(): void {
    this.#holder = null;
    this.#quiet = 0;
    this.#let = 0;
    this.#moving = -1;
    quietTables.delete(this);
  }

  /**
   * Gives `file` the lowest free number from `minFd` on and takes over the caller's reference.
   * `flags`: O_CLOEXEC counts. Returns the number, or -EMFILE (the reference stays the caller's).
   */
  install(file: FileDescription, flags: number, minFd = 0): number {
    const fd = this.#lowestFree(minFd);
    if (fd >= this.noFileLimit || fd >= NR_OPEN_MAX) return -EMFILE;
    this.#set(fd, file, (flags & O_CLOEXEC) !== 0);
    return fd;
  }

  /**
   * RLIMIT_NOFILE of the sharing tasks. Threads that share a table share the limit too; of processes
   * that share one (CLONE_FILES without CLONE_THREAD) the last to set its limit rules.
   */
  get noFileLimit(): number {
    return this.#noFileLimit;
  }
  set noFileLimit(limit: number) {
    const was = this.isCrowded;
    this.#noFileLimit = limit;
    if (this.isCrowded !== was) this.crowded?.(this);
  }
  #noFileLimit = 1024;

  /** Installs two files at once; both numbers in `out`, or nothing and -EMFILE. */
  installPair(a: FileDescription, b: FileDescription, flags: number, out: Int32Array): number {
    const fdA = this.install(a, flags);
    if (fdA < 0) return fdA;
    const fdB = this.install(b, flags);
    if (fdB < 0) {
      this.#clear(fdA);
      return fdB;
    }
    out[0] = fdA;
    out[1] = fdB;
    return 0;
  }

  /**
   * dup2(2)'s half: puts `file` at exactly `fd`, closing what was there, and takes over the caller's
   * reference. Returns fd, or -EBADF for a number outside the limit.
   */
  installAt(fd: number, file: FileDescription, flags: number): number {
    if (fd < 0 || fd >= this.noFileLimit || fd >= NR_OPEN_MAX) return -EBADF;
    const old = this.#files[fd] ?? null;
    this.#set(fd, file, (flags & O_CLOEXEC) !== 0);
    if (old !== null) closeFile(old, this);
    return fd;
  }

  /**
   * Takes the number out of the table and returns the file with the reference the table held, so that
   * the caller can finish close(2) (closeFile of vfs/locks). Null when it was not open.
   */
  remove(fd: number): FileDescription | null {
    const file = this.#files[fd] ?? null;
    if (file === null) return null;
    this.#clear(fd);
    return file;
  }

  /** close(2): remove, flush and release. Returns 0 or -EBADF. */
  close(fd: number): number {
    const file = this.remove(fd);
    if (file === null) return -EBADF;
    closeFile(file, this);
    return 0;
  }

  getCloseOnExec(fd: number): boolean {
    return this.#cloexec[fd] === true;
  }

  /** FD_CLOEXEC, or 0; -EBADF. */
  getFlags(fd: number): number {
    if (this.get(fd) === null) return -EBADF;
    return this.#cloexec[fd] ? FD_CLOEXEC : 0;
  }

  setFlags(fd: number, flags: number): number {
    if (this.get(fd) === null) return -EBADF;
    this.#cloexec[fd] = (flags & FD_CLOEXEC) !== 0;
    return 0;
  }

  /** A private copy; `maxFd` bounds what is copied (close_range(2) with CLOSE_RANGE_UNSHARE). */
  fork(maxFd = Infinity): FdTable {
    this.endQuiet();
    const copy = new FdTable(this.crowded);
    copy.noFileLimit = this.noFileLimit;
    const end = Math.min(this.#files.length, maxFd + 1);
    for (let fd = 0; fd < end; fd++) {
      const file = this.#files[fd];
      if (file !== null) copy.#set(fd, file.acquire(), this.#cloexec[fd]);
    }
    return copy;
  }

  /** Closes what execve(2) does not pass on. */
  closeOnExec(): void {
    for (let fd = 0; fd < this.#files.length; fd++) if (this.#cloexec[fd]) this.close(fd);
  }

  closeRange(first: number, last: number): void {
    const end = Math.min(last, this.#files.length - 1);
    for (let fd = first; fd <= end; fd++) this.close(fd);
  }

  setCloseOnExecRange(first: number, last: number): void {
    const end = Math.min(last, this.#files.length - 1);
    for (let fd = first; fd <= end; fd++) if (this.#files[fd] !== null) this.#cloexec[fd] = true;
  }

  /** Open descriptors in ascending order. */
  *[Symbol.iterator](): Generator<[number, FileDescription]> {
    for (let fd = 0; fd < this.#files.length; fd++) {
      const file = this.#files[fd];
      if (file !== null) yield [fd, file];
    }
  }

  /** The lowest open descriptor from `fd` on, or -1: a walk without a generator. */
  next(fd: number): number {
    for (let i = fd; i < this.#files.length; i++) if (this.#files[i] !== null) return i;
    return -1;
  }

  #set(fd: number, file: FileDescription, cloexec: boolean): void {
    if (this.#files.length <= fd) this.#grow(fd);
    this.#unquiet(fd);
    if (this.#files[fd] === null) {
      this.#count++;
      this.#mark(fd);
    }
    this.#files[fd] = file;
    this.#cloexec[fd] = cloexec;
  }

  #grow(fd: number): void {
    const was = this.isCrowded;
    while (this.#files.length <= fd) {
      this.#files.push(null);
      this.#cloexec.push(false);
    }
    if (this.isCrowded !== was) this.crowded?.(this);
  }

  /** The number is to be another's, or nobody's. */
  #unquiet(fd: number): void {
    if (fd >= QUIET_FDS || (this.#let >>> fd & 1) === 0) return;
    const bit = 1 << fd;
    this.#let &= ~bit;
    if (fd === this.#moving) this.#moving = -1;
    if ((this.#quiet & bit) === 0) return;
    this.#quiet &= ~bit;
    this.#holder!.takeBack(bit);
  }

  #clear(fd: number): void {
    this.#unquiet(fd);
    this.#files[fd] = null;
    this.#cloexec[fd] = false;
    this.#count--;
    this.#used[fd >>> 5] &= ~(1 << (fd & 31));
    this.#full[fd >>> 10] &= ~(1 << (fd >>> 5 & 31));
    if (fd < this.#firstFree) this.#firstFree = fd;
  }

  #mark(fd: number): void {
    const word = fd >>> 5;
    if (word >= this.#used.length) {
      const words = Math.max(word + 1, this.#used.length * 2);
      this.#used = grown(this.#used, words);
      this.#full = grown(this.#full, (words + 31) >>> 5);
    }
    this.#used[word] |= 1 << (fd & 31);
    if (this.#used[word] === -1) this.#full[word >>> 5] |= 1 << (word & 31);
    if (fd === this.#firstFree) this.#firstFree = fd + 1;
  }

  /** The lowest free number from `min` on; past the end of the bitmap everything is free. */
  #lowestFree(min: number): number {
    const start = Math.max(min, this.#firstFree);
    let word = start >>> 5;
    if (word >= this.#used.length) return start;
    const first = ~this.#used[word] & (-1 << (start & 31));
    if (first !== 0) return (word << 5) + lowestBit(first);
    word++;
    while (word < this.#used.length) {
      const group = word >>> 5;
      const open = ~this.#full[group] & (-1 << (word & 31));
      if (open === 0) {
        word = (group + 1) << 5;
        continue;
      }
      word = (group << 5) + lowestBit(open);
      if (word >= this.#used.length) break;
      return (word << 5) + lowestBit(~this.#used[word]);
    }
    return this.#used.length << 5;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function grown(old: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  if (length <= old.length) return old;
  const bigger = new Int32Array(length);
  bigger.set(old);
  return bigger;
}
