/** Pipe ends and FIFOs as open files. */
import { EAGAIN, EBADF, EINVAL, ENOTTY, ENXIO, ESPIPE } from "../../../platform/abi/errno.ts";
import {
  O_ACCMODE,
  O_DIRECT,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../platform/abi/fcntl.ts";
import { FIONREAD } from "../../../platform/abi/ioctl.ts";
import { pipeFs } from "../../vfs/anon.ts";
import { touchAccess, touchFed } from "../../vfs/attributes.ts";
import { FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { WaitQueue } from "../../wait/queue.ts";
import { HANG_UP, Pipe, READABLE, WRITABLE } from "./pipe.ts";

export class PipeFile extends FileDescriptionImpl {
  /** A FIFO reader sees no hang-up until a writer has come after its open: Linux's f_pipe. */
  writerOpensAtOpen = -1;
  /** A FIFO open that waits: the peers' counter, which must move; else -1. */
  awaitedOpens = -1;

  constructor(readonly pipe: Pipe, readonly reads: boolean, readonly writes: boolean) {
    super();
    if (reads) pipe.addReader();
    if (writes) pipe.addWriter();
  }
  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.pipe.queue;
  }
  override get notifiedEvents(): number {
    return HANG_UP | (this.reads ? READABLE : 0) | (this.writes ? WRITABLE : 0);
  }
  /** Where open(2) of a FIFO waits for its peer. */
  override get openQueue(): WaitQueue {
    return this.pipe.queue;
  }
  /** True once the peer has opened, even if it has gone again (as Linux counts opens). */
  override openCompleted(): boolean {
    if (this.awaitedOpens < 0) return true;
    return (this.reads ? this.pipe.writerOpens : this.pipe.readerOpens) !== this.awaitedOpens;
  }
  override readiness(): number {
    const pipe = this.pipe;
    return pipe.readiness(this.reads, this.writes, pipe.writerOpens !== this.writerOpensAtOpen);
  }
  override read(f: FileDescription, dst: IoDst, _offset: number): number {
    if (!this.reads) return -EBADF;
    const n = this.pipe.read(dst);
    if (n > 0 && keepsTimes(f)) touchAccess(f);
    return n;
  }
  override write(f: FileDescription, src: IoSrc, _offset: number): number {
    if (!this.writes) return -EBADF;
    const n = this.pipe.write(src, (f.flags & O_DIRECT) !== 0);
    if (n > 0 && keepsTimes(f)) touchFed(f.inode);
    return n;
  }
  override seek(): number {
    return -ESPIPE;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd !== FIONREAD) return -ENOTTY;
    const out = new Uint8Array(4);
    new DataView(out.buffer).setInt32(0, this.pipe.used, true);
    return caller.copyOut(arg, out, 0, 4);
  }
  override pipeSize(): number {
    return this.pipe.capacity;
  }
  override setPipeSize(size: number, privileged: boolean): number {
    return this.pipe.resize(size, privileged);
  }
  override release(f: FileDescription): void {
    if (this.reads) this.pipe.removeReader();
    if (this.writes) this.pipe.removeWriter();
    if (this.pipe.readers + this.pipe.writers === 0) f.inode.special = null;
  }
}

/** A FIFO's times tell of its use, a pipe's do not (Linux: S_NOATIME, S_NOCMTIME). */
function keepsTimes(f: FileDescription): boolean {
  return f.inode.fs !== pipeFs;
}

/** The pipe of an open file, or null when it is none: F_SETPIPE_SZ, splice(2). */
export function pipeOf(file: FileDescription): Pipe | null {
  return file.impl instanceof PipeFile ? file.impl.pipe : null;
}

/**
 * The FifoOpener of sentry/vfs/special.ts; the shared pipe is in `inode.special` (Linux: i_pipe) while
 * some end is open. Idempotent after -EAGAIN. Give a waiting open up by releasing the file.
 */
export function openFifo(file: FileDescription): number {
  if (file.impl instanceof PipeFile) return file.impl.openCompleted() ? 0 : -EAGAIN;
  const access = file.flags & O_ACCMODE;
  if (access === O_ACCMODE) return -EINVAL; // For ioctl(2) alone, which a FIFO has no use for.
  const nonblocking = (file.flags & O_NONBLOCK) !== 0;
  let pipe = file.inode.special as Pipe | null;
  if (access === O_WRONLY && nonblocking && (pipe === null || pipe.readers === 0)) return -ENXIO;
  if (pipe === null) file.inode.special = pipe = new Pipe();
  const impl = new PipeFile(pipe, access !== O_WRONLY, access !== O_RDONLY);
  file.impl = impl;
  // An end of pipe(2) reached through /proc/PID/fd has no peer to wait for.
  if (access === O_RDWR || file.inode.fs === pipeFs) return 0;
  if (access === O_RDONLY) {
    if (pipe.writers > 0) return 0;
    if (nonblocking) {
      impl.writerOpensAtOpen = pipe.writerOpens;
      return 0;
    }
    impl.awaitedOpens = pipe.writerOpens;
    return -EAGAIN;
  }
  if (pipe.readers > 0) return 0;
  impl.awaitedOpens = pipe.readerOpens;
  return -EAGAIN;
}
