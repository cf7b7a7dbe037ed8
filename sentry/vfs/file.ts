/**
 * Open files. Linux's words: struct file (FileDescription), file_operations (FileDescriptionImpl).
 * An implementation never blocks: it returns -EAGAIN, and the system call waits on `waitQueue`
 * unless O_NONBLOCK is set. Read and write may return a Promise when the host could block (gofer).
 */
import { EBADF, EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE } from "../../platform/abi/errno.ts";
import { O_APPEND } from "../../platform/abi/fcntl.ts";
import { EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM } from "../../platform/abi/epoll.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { Credentials } from "../auth/credentials.ts";
import type { WaitQueue } from "../wait/queue.ts";
import type { DirEntry, Inode } from "./inode.ts";
import type { IoDst, IoSrc } from "./io.ts";
import type { Dentry } from "./dentry.ts";
import type { Mount, PathRef } from "./mount.ts";

/** What ioctl handlers and magic files may know of their caller (a Task implements it). */
export interface IoctlCaller {
  copyIn(addr: number, dst: Uint8Array, start: number, end: number): number;
  copyOut(addr: number, src: Uint8Array, start: number, end: number): number;
}

/** Receives directory entries; returns false when the buffer is full (the entry was not taken). */
export type DirSink = (entry: DirEntry, nextOffset: number) => boolean;

/** A mapping's backing: a host fd and the offset in it. The fd stays the implementation's. */
export interface HostMapping {
  fd: number;
  offset: number;
}

export abstract class FileDescriptionImpl {
  /** False for pipes, sockets, ttys: lseek and pread then fail with ESPIPE. */
  get seekable(): boolean {
    return true;
  }
  /** lseek(2) of a file that is not seekable succeeds and does nothing (Linux: noop_llseek). */
  get ignoresSeeks(): boolean {
    return false;
  }
  /** Whether sendfile(2) and splice(2) read from it (Linux: f_op->splice_read). */
  get splices(): boolean {
    return true;
  }
  /** A vector is written as so many buffers, each by itself (Linux: f_op->write without write_iter). */
  get writesBuffers(): boolean {
    return false;
  }
  /** Whether a write that fails with EPIPE raises SIGPIPE. */
  get raisesSigpipe(): boolean {
    return true;
  }
  /** Reading does not move an offset: a device whose bytes are in no place. */
  get isPlaceless(): boolean {
    return false;
  }
  /** RLIMIT_FSIZE bounds where it is written (Linux: generic_write_checks); not where what is written is no data. */
  get isSizeLimited(): boolean {
    return true;
  }
  /** Notified when readiness may have changed; null when always ready (regular files). */
  get waitQueue(): WaitQueue | null {
    return null;
  }
  /** Events that `waitQueue`, which others may share, has for this file (Linux: the wait heads it polls). */
  get notifiedEvents(): number {
    return -1;
  }
  /** Current poll(2) events, unmasked. */
  readiness(): number {
    return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
  }
  /** Reads at `offset` (ignored when not seekable; see `ownOffset`). Returns the count, 0 at the end, or -errno. */
  read(_f: FileDescription, _dst: IoDst, _offset: number): number | Promise<number> {
    return -EINVAL;
  }
  write(_f: FileDescription, _src: IoSrc, _offset: number): number | Promise<number> {
    return -EINVAL;
  }
  /** Returns the new offset; the default serves regular files through `size`. */
  seek(f: FileDescription, offset: number, whence: number): number {
    const base = whence === 0 ? 0 : whence === 1 ? f.offset : whence === 2 ? f.inode.size : -1;
    if (base < 0 || base + offset < 0) return -EINVAL;
    return base + offset;
  }
  /** Calls `sink` for entries from `f.offset` on, sets f.offset past the last one taken. */
  iterate(_f: FileDescription, _sink: DirSink): number {
    return -ENOTDIR;
  }
  truncate(_f: FileDescription, _size: number): number {
    return -EINVAL;
  }
  /** mode: FALLOC_FL_*. */
  allocate(_f: FileDescription, _mode: number, _offset: number, _length: number): number {
    return -ENODEV;
  }
  fsync(_f: FileDescription, _dataOnly: boolean): number | Promise<number> {
    return -EINVAL;
  }
  /** `arg` is the third argument, guest addresses included. -ENOTTY when unknown. */
  ioctl(
    _f: FileDescription,
    _caller: IoctlCaller,
    _cmd: number,
    _arg: number,
  ): number | Promise<number> {
    return -ENOTTY;
  }
  /** Backing for mmap(2), or -ENODEV. `shared` and `prot` let it choose a read-only fd or copy up. */
  hostMapping(
    _f: FileDescription,
    _offset: number,
    _length: number,
    _prot: number,
    _shared: boolean,
  ): HostMapping | number {
    return -ENODEV;
  }
  /** FIFO: where open(2) waits for the peer after -EAGAIN, and whether it has come. */
  get openQueue(): WaitQueue | null {
    return null;
  }
  openCompleted(_f: FileDescription): boolean {
    return true;
  }
  /** How long a read, or a write, may wait: SO_RCVTIMEO, SO_SNDTIMEO; -1 for ever. */
  waitLimitNs(_writes: boolean): number {
    return -1;
  }
  /** Pipes: capacity in bytes, for F_GETPIPE_SZ and F_SETPIPE_SZ (returns the new size or -errno). */
  pipeSize?(): number;
  setPipeSize?(size: number, privileged: boolean): number;
  /** How many pages of [first, last] are in memory, for cachestat(2); absent where no file's ever are. */
  cachedPages?(first: number, last: number): number;
  /** Lines of /proc/PID/fdinfo/N after the usual ones. */
  fdinfo?(f: FileDescription): string;
  /** open(2) succeeded for the task `caller` with all its flags: a tty may become the controlling one. */
  opened?(f: FileDescription, caller: unknown, flags: number): void;
  /** Its private mappings are anonymous memory (/dev/zero). */
  get mapsAnonymous(): boolean {
    return false;
  }
  /** O_APPEND, O_NONBLOCK, O_ASYNC or O_DIRECT changed by fcntl(F_SETFL). */
  flagsChanged(_f: FileDescription, _old: number): void {}
  /** close(2) of one descriptor (not the last): Linux's flush. */
  flush(_f: FileDescription): void {}
  /** The last reference is gone. */
  release(_f: FileDescription): void {}
}

let nextId = 1;
ofOneSandbox(() => nextId = 1);

/** Who F_SETOWN named (Linux: fown_struct). */
export interface FileOwner {
  /** Sends SIGURG (Linux: send_sigurg). */
  signalUrgent(): void;
}

/** O_ACCMODE 3 gives neither reading nor writing: for ioctl(2) alone (Linux: OPEN_FMODE). */
export function givesWriting(flags: number): boolean {
  return ((flags + 1) & 2) !== 0;
}

export class FileDescription {
  readonly id = nextId++;
  impl!: FileDescriptionImpl;
  offset = 0;
  /** Its offset is that of a host descriptor, which others may move; `offset` is where this file would be without them. */
  hasHostOffset = false;
  /** References: descriptors, mappings, in-flight SCM_RIGHTS, running calls. */
  refs = 1;
  /** F_SETOWN / O_ASYNC state, owned by fcntl. */
  owner: FileOwner | null = null;
  /** A FIFO's open waits for its peer: see `FileDescriptionImpl.openQueue`. */
  openPending = false;
  /** Whose open(2) it was; null for what the kernel opened. */
  opener: Credentials | null = null;
  /** This open made the file (F_CREATED_QUERY). */
  wasCreated = false;
  /** Counted in `inode.writeCount`: 1 as a writer, -1 as one that denies writes. */
  writeCount = 0;

  constructor(
    readonly inode: Inode,
    readonly dentry: Dentry,
    readonly mount: Mount,
    /** O_* status and access mode, without creation flags. */
    public flags: number,
  ) {}

  get readable(): boolean {
    return (this.flags & 1) === 0 && (this.flags & 0o10000000) === 0;
  }
  get writable(): boolean {
    return givesWriting(this.flags) && (this.flags & 0o10000000) === 0;
  }
  get nonblocking(): boolean {
    return (this.flags & 0o4000) !== 0;
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs !== 0) return;
    this.onLastRelease?.(this);
    this.impl.release(this);
    if (this.inode.locks !== null) this.inode.locks.releaseFile(this);
    this.inode.writeCount -= this.writeCount;
    if (this.writeCount > 0) this.mount.writers--;
    this.dentry.release();
    this.mount.release();
  }
  /** Set by epoll and locks to forget this file when it goes. */
  onLastRelease: ((f: FileDescription) => void) | null = null;

  /** What the implementation is given to read or write at the file's own offset: -1 where the host keeps that. */
  get ownOffset(): number {
    return this.hasHostOffset ? -1 : this.offset;
  }

  /** The place of this open file. */
  get path(): PathRef {
    return { mount: this.mount, dentry: this.dentry };
  }

  /** read(2) without its blocking: at the file's offset, which moves. */
  read(dst: IoDst): number | Promise<number> {
    if (!this.readable) return -EBADF;
    const n = this.impl.read(this, dst, this.ownOffset);
    if (typeof n !== "number") return this.#advance(n, this.offset);
    if (n > 0) this.offset += n;
    return n;
  }

  /** write(2) without its blocking: at the file's offset, or its end with O_APPEND. */
  write(src: IoSrc): number | Promise<number> {
    if (!this.writable) return -EBADF;
    let offset = this.offset;
    if ((this.flags & O_APPEND) !== 0 && this.impl.seekable) offset = this.#end();
    const n = this.impl.write(this, src, this.hasHostOffset ? -1 : offset);
    if (typeof n !== "number") return this.#advance(n, offset);
    if (n > 0) this.offset = offset + n;
    return n;
  }

  async #advance(pending: Promise<number>, offset: number): Promise<number> {
    const n = await pending;
    if (n > 0) this.offset = offset + n;
    return n;
  }

  pread(dst: IoDst, offset: number): number | Promise<number> {
    if (!this.readable) return -EBADF;
    if (!this.impl.seekable) return -ESPIPE;
    return this.impl.read(this, dst, offset);
  }

  /** pwrite(2); Linux appends with O_APPEND, whatever the offset (pwrite(2), BUGS). */
  pwrite(src: IoSrc, offset: number): number | Promise<number> {
    if (!this.writable) return -EBADF;
    if (!this.impl.seekable) return -ESPIPE;
    if ((this.flags & O_APPEND) !== 0) offset = this.#end();
    return this.impl.write(this, src, offset);
  }

  #end(): number {
    if (this.inode.fs.revalidates) this.inode.refresh();
    return this.inode.size;
  }
}
