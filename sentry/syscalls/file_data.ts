/** Size, space and synchronisation of files: truncate(2), fallocate(2), fsync(2), posix_fadvise(2). */
import {
  SYS_fadvise64,
  SYS_fallocate,
  SYS_fdatasync,
  SYS_fsync,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_ftruncate, SYS_readahead, SYS_sync } from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_sync_file_range,
  SYS_syncfs,
  SYS_truncate,
} from "../../platform/abi/amd64/syscalls.ts";
import { EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import { EPERM, ESPIPE } from "../../platform/abi/errno.ts";
import { AT_FDCWD, POSIX_FADV_NOREUSE } from "../../platform/abi/fcntl.ts";
import {
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WAIT_BEFORE,
} from "../../platform/abi/fcntl.ts";
import { SYNC_FILE_RANGE_WRITE } from "../../platform/abi/fcntl.ts";
import { FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE } from "../../platform/abi/fs.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../../platform/abi/fs.ts";
import { FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_ZERO_RANGE } from "../../platform/abi/fs.ts";
import { FS_IMMUTABLE_FL } from "../../platform/abi/fs.ts";
import { OFFSET_END } from "../../platform/abi/limits.ts";
import { S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { FULL, PARTIAL, type SyscallArguments } from "../kernel/syscall.ts";
import type { SyscallReturn, SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { exceedsLimit, isFixed, removePrivileges } from "../vfs/namei.ts";
import { truncateFile, truncatePath } from "../vfs/namei.ts";
import { withLeaseBreak } from "./lease.ts";
import { fileArg, walkArg } from "./path_args.ts";
import { settle } from "./rw.ts";
import { resized, sizeLimit } from "./size_limit.ts";

/** truncate(2). */
export function truncate(t: Task, args: SyscallArguments): SyscallReturn {
  const size = args.i64(1);
  if (size < 0) return -EINVAL;
  const pathAddr = args.addr(0);
  return withLeaseBreak(t, true, () => doTruncate(t, pathAddr, size));
}

function doTruncate(t: Task, pathAddr: number, size: number): number {
  const p = walkArg(t, AT_FDCWD, pathAddr, 0);
  if (typeof p === "number") return p;
  return resized(t, size, truncatePath(t.creds, p, size, sizeLimit(t)));
}

/** ftruncate(2). */
export function ftruncate(t: Task, args: SyscallArguments): SyscallReturn {
  const size = args.i64(1);
  if (size < 0) return -EINVAL;
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  if (!file.writable || (file.inode.mode & S_IFMT) !== S_IFREG) return -EINVAL;
  return resized(t, size, truncateFile(t.creds, file, size, sizeLimit(t)));
}

/** fallocate(2). */
export function fallocate(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  const mode = args.u32(1);
  const offset = args.i64(2);
  const length = args.i64(3);
  if (offset < 0 || length <= 0) return -EINVAL;
  const err = checkAllocation(file, mode);
  if (err < 0) return err;
  const end = offset + length;
  if (end > Number.MAX_SAFE_INTEGER) return -EFBIG;
  if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && exceedsLimit(file.inode, end, sizeLimit(t))) {
    return resized(t, end, -EFBIG);
  }
  const cleared = removePrivileges(t.creds, file);
  return cleared < 0 ? cleared : file.impl.allocate(file, mode, offset, length);
}

/** vfs_fallocate's rules: which modes go together, and which files have space. */
function checkAllocation(file: FileDescription, mode: number): number {
  const known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
    FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
  if ((mode & ~known) !== 0) return -EOPNOTSUPP;
  const kind = mode & ~FALLOC_FL_KEEP_SIZE;
  if ((kind & (kind - 1)) !== 0) return -EOPNOTSUPP;
  const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  if (kind === FALLOC_FL_PUNCH_HOLE && !keepsSize) return -EOPNOTSUPP;
  const shifts = kind === FALLOC_FL_COLLAPSE_RANGE || kind === FALLOC_FL_INSERT_RANGE;
  if (shifts && keepsSize) return -EOPNOTSUPP;
  if (!file.writable) return -EBADF;
  const { flags } = file.inode;
  if ((flags & FS_IMMUTABLE_FL) !== 0 || (kind !== 0 && isFixed(file.inode))) return -EPERM;
  switch (file.inode.mode & S_IFMT) {
    case S_IFREG:
    case S_IFBLK:
      return 0;
    case S_IFIFO:
      return -ESPIPE;
    case S_IFDIR:
      return -EISDIR;
    default:
      return -ENODEV;
  }
}

/** fsync(2). */
export function fsync(t: Task, args: SyscallArguments): SyscallReturn {
  return doSync(t, args.i32(0), false);
}

/** fdatasync(2). */
export function fdatasync(t: Task, args: SyscallArguments): SyscallReturn {
  return doSync(t, args.i32(0), true);
}

function doSync(t: Task, fd: number, dataOnly: boolean): SyscallReturn {
  const file = fileArg(t, fd);
  if (typeof file === "number") return file;
  const done = file.impl.fsync(file, dataOnly);
  return typeof done === "number" ? done : settle(t, file, done);
}

/** sync(2): the Sentry holds no dirty data of the host's files. */
export function sync(): SyscallReturn {
  return 0;
}

/** syncfs(2). */
export function syncfs(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  return typeof file === "number" ? file : 0;
}

/** sync_file_range(2). */
export function syncFileRange(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  const offset = args.i64(1);
  const length = args.i64(2);
  const flags = args.u32(3);
  const known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if ((flags & ~known) !== 0) return -EINVAL;
  if (offset < 0 || length < 0 || offset + length >= OFFSET_END) return -EINVAL;
  const type = file.inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFBLK && type !== S_IFDIR && type !== S_IFLNK) return -ESPIPE;
  if (flags === 0 || type !== S_IFREG) return 0;
  const done = file.impl.fsync(file, true);
  return typeof done === "number" ? done : settle(t, file, done);
}

/** posix_fadvise(2): advice is checked and not taken. */
export function fadvise64(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (args.i64(2) < 0 || args.u32(3) > POSIX_FADV_NOREUSE) return -EINVAL;
  return 0;
}

/** readahead(2). */
export function readahead(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  if (file === null || !file.readable) return -EBADF;
  const type = file.inode.mode & S_IFMT;
  return type === S_IFREG || type === S_IFBLK ? 0 : -EINVAL;
}

export const rows: readonly SyscallRow[] = [
  [SYS_fsync, "fsync", fsync, FULL],
  [SYS_fdatasync, "fdatasync", fdatasync, FULL],
  [SYS_truncate, "truncate", truncate, FULL],
  [SYS_ftruncate, "ftruncate", ftruncate, FULL],
  [SYS_sync, "sync", sync, PARTIAL, "host files are not flushed"],
  [SYS_readahead, "readahead", readahead, FULL],
  [SYS_fadvise64, "fadvise64", fadvise64, FULL],
  [SYS_sync_file_range, "sync_file_range", syncFileRange, FULL],
  [SYS_fallocate, "fallocate", fallocate, FULL],
  [SYS_syncfs, "syncfs", syncfs, PARTIAL, "host files are not flushed"],
];
