/** open(2), close(2), dup(2) and their kin. */
import {
  SYS_close,
  SYS_close_range,
  SYS_creat,
  SYS_dup,
  SYS_dup2,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_dup3, SYS_memfd_create } from "../../platform/abi/amd64/syscalls.ts";
import { SYS_open, SYS_openat } from "../../platform/abi/amd64/syscalls.ts";
import { SYS_openat2 } from "../../platform/abi/amd64/syscalls.ts";
import { CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE } from "../../platform/abi/close_range.ts";
import { E2BIG, EAGAIN, EBADF, EINVAL, EMFILE, ENAMETOOLONG } from "../../platform/abi/errno.ts";
import { ENOENT, ERESTARTSYS, EXDEV } from "../../platform/abi/errno.ts";
import { AT_FDCWD, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT } from "../../platform/abi/fcntl.ts";
import { O_DIRECT, O_DIRECTORY, O_DSYNC, O_EXCL, O_LARGEFILE } from "../../platform/abi/fcntl.ts";
import {
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
} from "../../platform/abi/fcntl.ts";
import { O_SYNC, O_TMPFILE, O_TRUNC, O_WRONLY } from "../../platform/abi/fcntl.ts";
import { OPEN_HOW_SIZE, RESOLVE_BENEATH, RESOLVE_CACHED } from "../../platform/abi/fcntl.ts";
import {
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../platform/abi/fcntl.ts";
import { RESOLVE_NO_XDEV } from "../../platform/abi/fcntl.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { MFD_CLOEXEC } from "../../platform/abi/mman.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { checkMemfdFlags, MFD_NAME_MAX, newMemfdFile } from "../fsimpl/tmpfs/memfd.ts";
import { BLOCK_INTERRUPTED } from "../kernel/block.ts";
import { FULL, PARTIAL, type SyscallArguments } from "../kernel/syscall.ts";
import type { SyscallReturn, SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";
import { checkOpenFlags, O_PATH_FLAGS, O_TMPFILE_BIT, openAt } from "../vfs/namei.ts";
import { answerOf, answerSerial } from "../vfs/path_answers.ts";
import { O_ASYNC } from "./async_owner.ts";
import { withLeaseBreak } from "./lease.ts";
import { copyInPath, startOf } from "./path_args.ts";

/** Flags that openat2(2) knows; open(2) ignores all others. */
const OPEN_FLAGS = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |
  O_DSYNC |
  O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_SYNC |
  O_PATH |
  O_TMPFILE;
const RESOLVE_FLAGS = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
  RESOLVE_BENEATH |
  RESOLVE_IN_ROOT | RESOLVE_CACHED;

/** open(2). */
export function open(t: Task, args: SyscallArguments): SyscallReturn {
  return doOpen(t, AT_FDCWD, args.addr(0), args.i32(1), args.u32(2), 0);
}

/** openat(2). */
export function openat(t: Task, args: SyscallArguments): SyscallReturn {
  return doOpen(t, args.i32(0), args.addr(1), args.i32(2), args.u32(3), 0);
}

/** creat(2). */
export function creat(t: Task, args: SyscallArguments): SyscallReturn {
  return doOpen(t, AT_FDCWD, args.addr(0), O_CREAT | O_WRONLY | O_TRUNC, args.u32(1), 0);
}

/** With these a file is not merely read. */
const LOUD_FLAGS = O_ACCMODE | O_PATH | O_ASYNC | O_TMPFILE_BIT | O_TRUNC;

/** With these a cached path does not do (RESOLVE_CACHED). */
const CHANGING = O_CREAT | O_TMPFILE_BIT | O_TRUNC;

/** openat2(2): unlike open(2) it refuses what it does not know. */
export function openat2(t: Task, args: SyscallArguments): SyscallReturn {
  const howAddr = args.addr(2);
  const size = args.addr(3);
  if (size < OPEN_HOW_SIZE) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  const err = copyInExtensible(t, howAddr, size, OPEN_HOW_SIZE);
  if (err < 0) return err;
  const v = t.scratchView;
  const flags = v.getUint32(0, true);
  const mode = v.getUint32(8, true);
  const resolve = v.getUint32(16, true);
  if (v.getUint32(4, true) !== 0 || v.getUint32(12, true) !== 0 || v.getUint32(20, true) !== 0) {
    return -EINVAL;
  }
  if ((flags & ~OPEN_FLAGS) !== 0 || (resolve & ~RESOLVE_FLAGS) !== 0) return -EINVAL;
  if ((resolve & RESOLVE_BENEATH) !== 0 && (resolve & RESOLVE_IN_ROOT) !== 0) return -EINVAL;
  const makes = (flags & (O_CREAT | O_TMPFILE_BIT)) !== 0;
  if (makes ? (mode & ~0o7777) !== 0 : mode !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~O_PATH_FLAGS) !== 0) return -EINVAL;
  return doOpen(t, args.i32(0), args.addr(1), flags, mode, resolve);
}

/** A struct that may grow: bytes beyond `known` must be zero (-E2BIG). Lands in t.scratch. */
export function copyInExtensible(t: Task, addr: number, size: number, known: number): number {
  for (let at = known; at < size; at += t.scratch.length) {
    const n = Math.min(size - at, t.scratch.length);
    const err = t.copyIn(addr + at, t.scratch, 0, n);
    if (err < 0) return err;
    for (let i = 0; i < n; i++) if (t.scratch[i] !== 0) return -E2BIG;
  }
  return t.copyIn(addr, t.scratch, 0, Math.min(size, known));
}

function doOpen(
  t: Task,
  dirFd: number,
  pathAddr: number,
  flags: number,
  mode: number,
  resolve: number,
): SyscallReturn {
  const invalid = checkOpenFlags(flags);
  if (invalid < 0) return invalid;
  if ((flags & O_SYNC) !== 0) flags |= O_DSYNC; // Its own bit alone means both (build_open_flags).
  if ((resolve & RESOLVE_CACHED) !== 0 && (flags & CHANGING) !== 0) return -EAGAIN;
  const path = copyInPath(t, pathAddr);
  if (typeof path === "number") return path;
  if (path.length === 0) return -ENOENT;
  const result = openAndInstall(t, dirFd, path, flags, mode, resolve);
  if (result !== -EAGAIN) return result;
  const mayBlock = (flags & O_NONBLOCK) === 0;
  return withLeaseBreak(t, mayBlock, () => openAndInstall(t, dirFd, path, flags, mode, resolve));
}

function openAndInstall(
  t: Task,
  dirFd: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): SyscallReturn {
  if ((resolve & RESOLVE_BENEATH) !== 0 && path.startsWith("/")) return -EXDEV; // Wherever it starts.
  // Below a directory that the walk may not leave, an absolute path starts there, too.
  const isScoped = (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0;
  const start = startOf(t, dirFd, isScoped ? "" : path);
  if (typeof start === "number") return start;
  if (t.fdTable.full) return -EMFILE; // Before anything is created.
  const ctx = t.fs.walkContext(t.creds);
  const file = openAt(ctx, start, path, flags & OPEN_FLAGS, mode & 0o7777, resolve);
  if (typeof file === "number") return file;
  return file.openPending ? blockOpen(t, file, flags) : installOpened(t, file, flags);
}

function installOpened(t: Task, file: FileDescription, flags: number): number {
  if (file.impl.opened !== undefined) file.impl.opened(file, t, flags);
  const fd = t.fdTable.install(file, flags);
  if (fd < 0) file.release();
  else if ((flags & LOUD_FLAGS) === O_RDONLY && file.inode.isSteady) {
    openedSteady(t, fd, file.inode);
  }
  return fd;
}

/** Nobody but the thread notices when it closes such a file, as long as nobody locks it. */
function openedSteady(t: Task, fd: number, inode: Inode): void {
  const type = inode.mode & S_IFMT;
  if ((type !== S_IFREG && type !== S_IFDIR) || inode.locks !== null) return;
  const answer = answerOf(inode);
  t.fdTable.setQuiet(fd, t.ctx!, answer, answerSerial(answer), inode.dataAtHand);
}

/** A FIFO that waits for its other end. */
async function blockOpen(t: Task, file: FileDescription, flags: number): Promise<number> {
  const queue = file.impl.openQueue!;
  while (!file.impl.openCompleted(file)) {
    const why = await t.blocking.wait(queue, -1, -1);
    if (why === BLOCK_INTERRUPTED && !file.impl.openCompleted(file)) {
      file.release();
      return -ERESTARTSYS;
    }
  }
  file.openPending = false;
  return installOpened(t, file, flags);
}

/** close(2). */
export function close(t: Task, args: SyscallArguments): SyscallReturn {
  return t.fdTable.close(args.i32(0));
}

/** close_range(2). */
export function closeRange(t: Task, args: SyscallArguments): SyscallReturn {
  const first = args.u32(0);
  const last = args.u32(1);
  const flags = args.u32(2);
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0) return -EINVAL;
  if (first > last) return -EINVAL;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0 && t.fdTable.refs > 1) {
    const copy = t.fdTable.fork();
    t.fdTable.release();
    t.fdTable = copy;
  }
  if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) t.fdTable.setCloseOnExecRange(first, last);
  else t.fdTable.closeRange(first, last);
  return 0;
}

/** dup(2). */
export function dup(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  return file === null ? -EBADF : installDuplicate(t, file, 0, 0);
}

/** One more descriptor for `file`, the lowest from `minFd` on. */
export function installDuplicate(
  t: Task,
  file: FileDescription,
  flags: number,
  minFd: number,
): number {
  const fd = t.fdTable.install(file.acquire(), flags, minFd);
  if (fd < 0) file.release();
  return fd;
}

/** dup2(2). */
export function dup2(t: Task, args: SyscallArguments): SyscallReturn {
  const oldFd = args.i32(0);
  const newFd = args.i32(1);
  const file = t.fdTable.get(oldFd);
  if (file === null) return -EBADF;
  return oldFd === newFd ? newFd : replace(t, file, newFd, 0);
}

/** dup3(2). */
export function dup3(t: Task, args: SyscallArguments): SyscallReturn {
  const oldFd = args.i32(0);
  const newFd = args.i32(1);
  const flags = args.i32(2);
  if ((flags & ~O_CLOEXEC) !== 0 || oldFd === newFd) return -EINVAL;
  const file = t.fdTable.get(oldFd);
  return file === null ? -EBADF : replace(t, file, newFd, flags);
}

function replace(t: Task, file: FileDescription, newFd: number, flags: number): number {
  const fd = t.fdTable.installAt(newFd, file.acquire(), flags);
  if (fd < 0) file.release();
  return fd;
}

/** memfd_create(2). */
export function memfdCreate(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(1);
  const err = checkMemfdFlags(flags);
  if (err < 0) return err;
  const name = t.copyInString(args.addr(0), MFD_NAME_MAX + 1);
  if (typeof name === "number") return name === -ENAMETOOLONG ? -EINVAL : name;
  const file = newMemfdFile(name, flags, t.creds);
  if (typeof file === "number") return file;
  const fd = t.fdTable.install(file, (flags & MFD_CLOEXEC) !== 0 ? O_CLOEXEC : 0);
  if (fd < 0) file.release();
  return fd;
}

export const rows: readonly SyscallRow[] = [
  [SYS_open, "open", open, FULL],
  [SYS_close, "close", close, FULL],
  [SYS_dup, "dup", dup, FULL],
  [SYS_dup2, "dup2", dup2, FULL],
  [SYS_creat, "creat", creat, FULL],
  [SYS_openat, "openat", openat, FULL],
  [SYS_dup3, "dup3", dup3, FULL],
  [SYS_memfd_create, "memfd_create", memfdCreate, PARTIAL, "MFD_HUGETLB gives ordinary pages"],
  [SYS_close_range, "close_range", closeRange, FULL],
  [SYS_openat2, "openat2", openat2, FULL],
];
