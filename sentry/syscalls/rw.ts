/** read(2), write(2) and their positioned and vectored kin; lseek(2). */
import {
  SYS_lseek,
  SYS_pread64,
  SYS_preadv,
  SYS_preadv2,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_pwrite64, SYS_pwritev, SYS_pwritev2 } from "../../platform/abi/amd64/syscalls.ts";
import { SYS_read, SYS_readv, SYS_write, SYS_writev } from "../../platform/abi/amd64/syscalls.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../../platform/abi/epoll.ts";
import { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EISDIR } from "../../platform/abi/errno.ts";
import { EOPNOTSUPP, EPIPE, ERESTARTSYS, ESPIPE } from "../../platform/abi/errno.ts";
import { O_APPEND, O_PATH } from "../../platform/abi/fcntl.ts";
import { IOV_MAX, MAX_RW_COUNT, OFFSET_END, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import { RLIM_INFINITY, RLIMIT_FSIZE } from "../../platform/abi/resource.ts";
import { SIGPIPE } from "../../platform/abi/signal.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { IOVEC_SIZE, RWF_APPEND, RWF_DONTCACHE, RWF_DSYNC } from "../../platform/abi/uio.ts";
import { RWF_HIPRI, RWF_NOAPPEND, RWF_NOWAIT, RWF_SYNC } from "../../platform/abi/uio.ts";
import { BLOCK_INTERRUPTED, BLOCK_READY } from "../kernel/block.ts";
import { raiseSignal } from "../kernel/signal.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { UserDst, UserSrc } from "../mm/usermem.ts";
import { type FileDescription, FileDescriptionImpl } from "../vfs/file.ts";
import { hasPrivileges, removePrivileges } from "../vfs/namei.ts";
import { isLong, readInPieces, writeInPieces } from "./long_rw.ts";
import { limitWrite } from "./size_limit.ts";

const READ_EVENTS = EPOLLIN | EPOLLHUP | EPOLLERR;
const WRITE_EVENTS = EPOLLOUT | EPOLLHUP | EPOLLERR;
/** Stands for "at the file's own offset". */
export const AT_OFFSET = -1;

/** read(2). */
export function read(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  if (file === null || !file.readable) return -EBADF;
  if (!canRead(file)) return -EINVAL;
  const addr = args.addr(1);
  const count = checkRange(addr, args.addr(2));
  return count < 0 ? count : doRead(t, file, t.userDst(addr, count), AT_OFFSET, false);
}

/** pread(2). */
export function pread64(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < 0) return -EINVAL;
  const file = t.fdTable.get(args.i32(0));
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  if (!file.impl.seekable) return -ESPIPE;
  if (!file.readable) return -EBADF;
  if (!canRead(file)) return -EINVAL;
  const addr = args.addr(1);
  const count = checkRange(addr, args.addr(2));
  if (count < 0) return count;
  if (passesEnd(offset, count)) return -EINVAL;
  return doRead(t, file, t.userDst(addr, count), offset, false);
}

/** write(2). */
export function write(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  if (file === null || !file.writable) return -EBADF;
  if (!canWrite(file)) return -EINVAL;
  const addr = args.addr(1);
  const count = checkRange(addr, args.addr(2));
  return count < 0 ? count : doWrite(t, file, t.userSrc(addr, count), AT_OFFSET, 0);
}

/** pwrite(2). */
export function pwrite64(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < 0) return -EINVAL;
  const file = t.fdTable.get(args.i32(0));
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  if (!file.impl.seekable) return -ESPIPE;
  if (!file.writable) return -EBADF;
  if (!canWrite(file)) return -EINVAL;
  const addr = args.addr(1);
  const count = checkRange(addr, args.addr(2));
  if (count < 0) return count;
  if (passesEnd(offset, count)) return -EINVAL;
  return doWrite(t, file, t.userSrc(addr, count), offset, 0);
}

/** readv(2). */
export function readv(t: Task, args: SyscallArguments): SyscallReturn {
  return doReadv(t, args.i32(0), args.addr(1), args.u32(2), AT_OFFSET, 0);
}

/** writev(2). */
export function writev(t: Task, args: SyscallArguments): SyscallReturn {
  return doWritev(t, args.i32(0), args.addr(1), args.u32(2), AT_OFFSET, 0);
}

/** preadv(2). On 64-bit machines the whole offset is in the fourth argument. */
export function preadv(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < 0) return -EINVAL;
  return doReadv(t, args.i32(0), args.addr(1), args.u32(2), offset, 0);
}

/** pwritev(2). */
export function pwritev(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < 0) return -EINVAL;
  return doWritev(t, args.i32(0), args.addr(1), args.u32(2), offset, 0);
}

/** preadv2(2): offset -1 is the file's own. */
export function preadv2(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < AT_OFFSET) return -EINVAL;
  return doReadv(t, args.i32(0), args.addr(1), args.u32(2), offset, args.u32(5));
}

/** pwritev2(2). */
export function pwritev2(t: Task, args: SyscallArguments): SyscallReturn {
  const offset = args.i64(3);
  if (offset < AT_OFFSET) return -EINVAL;
  return doWritev(t, args.i32(0), args.addr(1), args.u32(2), offset, args.u32(5));
}

/** lseek(2). */
export function lseek(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  if (args.u32(2) > 4) return -EINVAL;
  if (!file.impl.seekable) return file.impl.ignoresSeeks ? 0 : -ESPIPE;
  const to = file.impl.seek(file, args.i64(1), args.i32(2));
  if (to > Number.MAX_SAFE_INTEGER) return -EINVAL;
  if (to >= 0) file.offset = to;
  return to;
}

const RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND |
  RWF_DONTCACHE;
const RWF_APPEND_OR_NOT = RWF_APPEND | RWF_NOAPPEND;

/** 0, or -errno for flags that no file knows or that exclude each other (Linux: kiocb_set_rw_flags). */
export function checkFlags(rwf: number): number {
  if ((rwf & ~RWF_KNOWN) !== 0) return -EOPNOTSUPP;
  return (rwf & RWF_APPEND_OR_NOT) === RWF_APPEND_OR_NOT ? -EINVAL : 0;
}

/** What may be moved of `count` bytes at `addr`: at most MAX_RW_COUNT; -EFAULT. */
export function checkRange(addr: number, count: number): number {
  if (addr + count > TASK_SIZE_MAX) return -EFAULT;
  return count > MAX_RW_COUNT ? MAX_RW_COUNT : count;
}

/** Whether `count` bytes from `offset` on end beyond the largest loff_t (Linux: rw_verify_area). */
export function passesEnd(offset: number, count: number): boolean {
  return count > 0 && offset + count >= OFFSET_END;
}

function doReadv(
  t: Task,
  fd: number,
  iovAddr: number,
  count: number,
  offset: number,
  rwf: number,
): SyscallReturn {
  const file = vectorFile(t, fd, count, offset, false);
  if (typeof file === "number") return file;
  const dst = t.userDstIov(iovAddr, count);
  if (typeof dst === "number") return dst;
  if (dst.remaining === 0) return 0; // Unlike read(2) of nothing it asks nobody.
  if (passesEnd(offset, dst.remaining)) return -EINVAL;
  const err = checkFlags(rwf);
  if (err < 0) return err;
  // A directory has no read_iter, which alone could heed flags (Linux: do_loop_readv_writev).
  const isDirectory = (file.inode.mode & S_IFMT) === S_IFDIR;
  if (isDirectory && (rwf & ~RWF_HIPRI) !== 0) return -EOPNOTSUPP;
  return doRead(t, file, dst, offset, (rwf & RWF_NOWAIT) !== 0);
}

function doWritev(
  t: Task,
  fd: number,
  iovAddr: number,
  count: number,
  offset: number,
  rwf: number,
): SyscallReturn {
  const file = vectorFile(t, fd, count, offset, true);
  if (typeof file === "number") return file;
  const src = t.userSrcIov(iovAddr, count);
  if (typeof src === "number") return src;
  if (src.remaining === 0) return 0;
  if (passesEnd(offset, src.remaining)) return -EINVAL;
  const err = checkFlags(rwf);
  if (err < 0) return err;
  if (file.impl.writesBuffers) {
    return (rwf & ~RWF_HIPRI) !== 0 ? -EOPNOTSUPP : writeBuffers(t, file, iovAddr, count, 0);
  }
  return doWrite(t, file, src, offset, rwf);
}

/** `count` buffers one by one, until one is not written whole; `written` before them (do_loop_readv_writev). */
function writeBuffers(
  t: Task,
  file: FileDescription,
  iovAddr: number,
  count: number,
  written: number,
): SyscallReturn {
  if (count === 0) return written;
  const src = t.userSrcIov(iovAddr, 1);
  if (typeof src === "number") return src;
  const wanted = src.remaining;
  const next = (n: number): SyscallReturn => {
    if (n < 0) return written > 0 ? written : n;
    return n < wanted
      ? written + n
      : writeBuffers(t, file, iovAddr + IOVEC_SIZE, count - 1, written + n);
  };
  const n = doWrite(t, file, src, AT_OFFSET, 0);
  return typeof n === "number" ? next(n) : n.then(next);
}

/** Whether reads are more than refused. A directory has them, to say EISDIR. */
function canRead(file: FileDescription): boolean {
  const refuses = file.impl.read === FileDescriptionImpl.prototype.read;
  return !refuses || (file.inode.mode & S_IFMT) === S_IFDIR;
}

/** Whether writes are more than refused. */
export function canWrite(file: FileDescription): boolean {
  return file.impl.write !== FileDescriptionImpl.prototype.write;
}

/** The file that `count` buffers are to be read from or written to, or -errno in Linux's order of checks. */
function vectorFile(
  t: Task,
  fd: number,
  count: number,
  offset: number,
  writes: boolean,
): FileDescription | number {
  const file = t.fdTable.get(fd);
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  if (offset >= 0 && !file.impl.seekable) return -ESPIPE;
  if (writes ? !file.writable : !file.readable) return -EBADF;
  if (writes ? !canWrite(file) : !canRead(file)) return -EINVAL;
  return count > IOV_MAX ? -EINVAL : file;
}

/**
 * `offset` AT_OFFSET: the file's own. `noWait`: -EAGAIN rather than blocking (RWF_NOWAIT). Returns what a handler does,
 * BLOCKED among it.
 */
export function doRead(
  t: Task,
  file: FileDescription,
  dst: UserDst,
  offset: number,
  noWait: boolean,
): SyscallReturn {
  t.io.reads++;
  if (isLong(file, dst.remaining)) {
    return readInPieces(t, file, dst, offset).then((k) => t.io.countRead(k));
  }
  const n = offset === AT_OFFSET ? file.read(dst) : file.pread(dst, offset);
  if (typeof n !== "number") return settle(t, file, n).then((k) => t.io.countRead(k));
  if (n >= 0) return t.io.countRead(n);
  if (n === -EAGAIN && !noWait && !file.nonblocking && file.impl.waitQueue !== null) {
    return blockRead(t, file, dst, offset);
  }
  return n === -EINVAL && (file.inode.mode & S_IFMT) === S_IFDIR ? -EISDIR : n;
}

/** Awaits an answer of the host for a file that must not go away meanwhile. */
export async function settle(
  t: Task,
  file: FileDescription,
  pending: Promise<number>,
): Promise<number> {
  file.acquire();
  try {
    return await t.blocking.awaitHost(pending);
  } finally {
    file.release();
  }
}

/** `n` bytes or -errno, or BLOCKED. */
function blockRead(t: Task, file: FileDescription, dst: UserDst, offset: number): SyscallReturn {
  const limitNs = file.impl.waitLimitNs(false);
  const deadline = limitNs < 0 ? -1 : t.kernel.nowMonoNs() + limitNs;
  const end = (n: number): number => {
    file.release();
    return t.io.countRead(n);
  };
  const again = (n: number): SyscallReturn =>
    n === -EAGAIN ? t.blocking.waitThen(file.impl.waitQueue!, READ_EVENTS, deadline, goOn) : end(n);
  const goOn = (why: number): SyscallReturn => {
    if (why !== BLOCK_READY) return end(notReady(why, limitNs));
    const n = offset === AT_OFFSET ? file.read(dst) : file.pread(dst, offset);
    return typeof n === "number" ? again(n) : t.blocking.awaitHost(n).then(again);
  };
  file.acquire();
  return again(-EAGAIN);
}

export function doWrite(
  t: Task,
  file: FileDescription,
  src: UserSrc,
  offset: number,
  rwf: number,
): SyscallReturn {
  const mode = file.inode.mode;
  if ((mode & S_IFMT) === S_IFREG) {
    if (t.tg.limits.cur[RLIMIT_FSIZE] !== RLIM_INFINITY) {
      const err = limitFileSize(t, file, src, offset, rwf);
      if (err < 0) return err;
    }
    if (hasPrivileges(file.inode) && src.remaining > 0) {
      const err = removePrivileges(t.creds, file);
      if (err < 0) return err;
    }
  }
  t.io.writes++;
  const wanted = src.remaining;
  if (isLong(file, wanted) && !appends(file, rwf)) {
    return writeInPieces(t, file, src, offset).then((k) => t.io.countWrite(k));
  }
  const n = writeOnce(file, src, offset, rwf);
  if (n === wanted) return t.io.countWrite(n);
  const r = typeof n === "number" ? finishWrite(t, file, src, offset, rwf, n) : settle(t, file, n);
  return typeof r === "number" ? t.io.countWrite(r) : r.then((k) => t.io.countWrite(k));
}

function writeOnce(
  file: FileDescription,
  src: UserSrc,
  offset: number,
  rwf: number,
): number | Promise<number> {
  if ((rwf & RWF_APPEND_OR_NOT) !== 0 && file.impl.seekable) {
    const isOwn = offset === AT_OFFSET && (rwf & RWF_APPEND) === 0;
    const place = offset === AT_OFFSET ? file.offset : offset;
    const at = (rwf & RWF_APPEND) !== 0 ? file.inode.size : place;
    const n = file.impl.write(file, src, isOwn ? file.ownOffset : at);
    if (offset === AT_OFFSET && typeof n === "number" && n > 0) file.offset = at + n;
    return n;
  }
  return offset === AT_OFFSET ? file.write(src) : file.pwrite(src, offset);
}

/** A write that did not take everything at once: pipes and sockets block for the rest. */
function finishWrite(
  t: Task,
  file: FileDescription,
  src: UserSrc,
  offset: number,
  rwf: number,
  n: number,
): SyscallReturn {
  if (n === -EPIPE) return brokenPipe(t, file);
  if (n < 0 && n !== -EAGAIN) return n;
  const { impl } = file;
  if (file.nonblocking || (rwf & RWF_NOWAIT) !== 0 || impl.waitQueue === null) return n;
  if (n >= 0 && impl.seekable) return n;
  return blockWrite(t, file, src, offset, Math.max(n, 0));
}

async function blockWrite(
  t: Task,
  file: FileDescription,
  src: UserSrc,
  offset: number,
  written: number,
): Promise<number> {
  let total = written;
  const limitNs = file.impl.waitLimitNs(true);
  const deadline = limitNs < 0 ? -1 : t.kernel.nowMonoNs() + limitNs;
  file.acquire();
  try {
    for (;;) {
      const tried = writeOnce(file, src, offset, 0);
      const n = typeof tried === "number" ? tried : await t.blocking.awaitHost(tried);
      if (n > 0) {
        total += n;
        if (src.remaining === 0) return total;
        continue;
      }
      if (n !== -EAGAIN) {
        if (n === -EPIPE) brokenPipe(t, file);
        return total > 0 ? total : n;
      }
      const why = await t.blocking.wait(file.impl.waitQueue!, WRITE_EVENTS, deadline);
      if (why !== BLOCK_READY) return total > 0 ? total : notReady(why, limitNs);
    }
  } finally {
    file.release();
  }
}

/** A call whose time is limited is not restarted after a signal (Linux: sock_intr_errno). */
function notReady(why: number, limitNs: number): number {
  return why !== BLOCK_INTERRUPTED ? -EAGAIN : limitNs < 0 ? -ERESTARTSYS : -EINTR;
}

function brokenPipe(t: Task, file: FileDescription): number {
  if (file.impl.raisesSigpipe) raiseSignal(t, SIGPIPE);
  return -EPIPE;
}

/** Whether a write is to the file's end, wherever the offset is. */
function appends(file: FileDescription, rwf: number): boolean {
  if ((rwf & RWF_APPEND) !== 0) return true;
  return (file.flags & O_APPEND) !== 0 && (rwf & RWF_NOAPPEND) === 0;
}

/** RLIMIT_FSIZE: shortens the write, or -EFBIG with SIGXFSZ when it would begin beyond the limit. */
function limitFileSize(
  t: Task,
  file: FileDescription,
  src: UserSrc,
  offset: number,
  rwf: number,
): number {
  if (src.remaining === 0) return 0;
  const at = appends(file, rwf) ? file.inode.size : offset === AT_OFFSET ? file.offset : offset;
  const n = limitWrite(t, file, at, src.remaining);
  if (n < 0) return n;
  src.limit(n);
  return 0;
}

export const rows: readonly SyscallRow[] = [
  [SYS_read, "read", read, FULL],
  [SYS_write, "write", write, FULL],
  [SYS_lseek, "lseek", lseek, FULL],
  [SYS_pread64, "pread64", pread64, FULL],
  [SYS_pwrite64, "pwrite64", pwrite64, FULL],
  [SYS_readv, "readv", readv, FULL],
  [SYS_writev, "writev", writev, FULL],
  [SYS_preadv, "preadv", preadv, FULL],
  [SYS_pwritev, "pwritev", pwritev, FULL],
  [SYS_preadv2, "preadv2", preadv2, FULL],
  [SYS_pwritev2, "pwritev2", pwritev2, FULL],
];
