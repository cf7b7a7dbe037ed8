/**
 * Host file system calls by directory fd and name, for the Gofer and for the Sentry's goferfs.
 * Names are latin1 strings (one char, one byte). Every function returns n or -errno and uses one
 * scratch buffer of this thread: what a call left there is valid until the next call.
 */
import { ENAMETOOLONG, ENOSYS, ERANGE } from "../abi/errno.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_STATX_SYNC_AS_STAT,
  AT_SYMLINK_NOFOLLOW,
  F_DUPFD_CLOEXEC,
  O_CLOEXEC,
  OPEN_HOW_SIZE,
} from "../abi/fcntl.ts";
import { latin1 } from "../abi/latin1.ts";
import { DIRENT64_OFF_NAME, DIRENT64_OFF_RECLEN, DIRENT64_OFF_TYPE } from "../abi/dirent.ts";
import { STATFS_SIZE } from "../abi/mount.ts";
import { STATX_BASIC_STATS, STATX_BTIME, STATX_SIZE } from "../abi/stat.ts";
import {
  SYS_copy_file_range,
  SYS_faccessat2,
  SYS_fallocate,
  SYS_fchmod,
  SYS_fchmodat,
  SYS_fchmodat2,
  SYS_fchownat,
  SYS_fcntl,
  SYS_fdatasync,
  SYS_fgetxattr,
  SYS_flistxattr,
  SYS_fremovexattr,
  SYS_fsetxattr,
  SYS_fstatfs,
  SYS_fsync,
  SYS_getdents64,
  SYS_linkat,
  SYS_lseek,
  SYS_mkdirat,
  SYS_mknodat,
  SYS_openat2,
  SYS_readlinkat,
  SYS_renameat2,
  SYS_sendfile,
  SYS_statx,
  SYS_symlinkat,
  SYS_umask,
  SYS_unlinkat,
  SYS_utimensat,
} from "../abi/amd64/syscalls.ts";
import { hostAlloc, hostSyscall, preadv2, pwritev2 } from "./host.ts";

/** Longest path or symlink target that is passed on, with its NUL. */
const PATH_SPACE = 4096;
const PATH_B = PATH_SPACE;
const HOW = 2 * PATH_SPACE;
const STATX = HOW + 64;
const TIMES = STATX + STATX_SIZE;
const STATFS = TIMES + 64;
const DATA = 3 * PATH_SPACE;
/** Bytes that getdents, readlink, xattr and small reads can move at once. */
export const HOST_DATA_SIZE = 65536;

const scratch = hostAlloc(DATA + HOST_DATA_SIZE);
const u8 = scratch.u8;
const base = scratch.addr;
const view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);

/** Result of `hostStatx` and `hostFstatx`: struct statx as little-endian words. */
export const statxWords = new Uint32Array(u8.buffer, u8.byteOffset + STATX, STATX_SIZE / 4);
/** Result of `hostFstatfs`. */
export const statfsView = new DataView(u8.buffer, u8.byteOffset + STATFS, STATFS_SIZE);
/** Data of getdents, readlink, xattr and small reads. */
export const hostData = u8.subarray(DATA, DATA + HOST_DATA_SIZE);

/** Stores a NUL-terminated name at `at`; false when it does not fit. */
function putName(name: string, at: number): boolean {
  const n = name.length;
  if (n >= PATH_SPACE) return false;
  for (let i = 0; i < n; i++) u8[at + i] = name.charCodeAt(i);
  u8[at + n] = 0;
  return true;
}

/** openat2(2); O_CLOEXEC is added. Returns an fd. */
export function hostOpenat2(
  dirFd: number,
  name: string,
  flags: number,
  mode: number,
  resolve: number,
): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  view.setUint32(HOW, flags | O_CLOEXEC, true);
  view.setUint32(HOW + 4, 0, true);
  view.setUint32(HOW + 8, mode, true);
  view.setUint32(HOW + 12, 0, true);
  view.setUint32(HOW + 16, resolve, true);
  view.setUint32(HOW + 20, 0, true);
  return hostSyscall(SYS_openat2, dirFd, base, base + HOW, OPEN_HOW_SIZE, 0, 0);
}

const STATX_WANTED = STATX_BASIC_STATS | STATX_BTIME;

/** statx(2) of a name, links not followed; the result is in `statxWords`. */
export function hostStatx(dirFd: number, name: string): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  return hostSyscall(
    SYS_statx,
    dirFd,
    base,
    AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT,
    STATX_WANTED,
    base + STATX,
    0,
  );
}

/** statx(2) of an fd (also O_PATH); the result is in `statxWords`. */
export function hostFstatx(fd: number): number {
  u8[0] = 0;
  return hostSyscall(
    SYS_statx,
    fd,
    base,
    AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW,
    STATX_WANTED,
    base + STATX,
    0,
  );
}

/**
 * faccessat2(2) of a name, or of an fd itself with "", for the effective ids; links are not followed. -EROFS: all
 * but the mount would allow it.
 */
export function hostFaccessat(dirFd: number, name: string, mode: number): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  const flags = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  return hostSyscall(SYS_faccessat2, dirFd, base, mode, flags, 0, 0);
}

/** A duplicate with close-on-exec. */
export function hostDup(fd: number): number {
  return hostSyscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3, 0, 0, 0);
}

/** Reads up to HOST_DATA_SIZE bytes into `hostData`. */
export function hostPreadData(fd: number, length: number, offset: number, rwf: number): number {
  return preadv2(fd, base + DATA, Math.min(length, HOST_DATA_SIZE), offset, rwf);
}

/** Writes hostData[0..length). */
export function hostPwriteData(fd: number, length: number, offset: number, rwf: number): number {
  return pwritev2(fd, base + DATA, length, offset, rwf);
}

export function hostFsync(fd: number, dataOnly: boolean): number {
  return hostSyscall(dataOnly ? SYS_fdatasync : SYS_fsync, fd, 0, 0, 0, 0, 0);
}

export function hostFallocate(fd: number, mode: number, offset: number, length: number): number {
  return hostSyscall(SYS_fallocate, fd, mode, offset, length, 0, 0);
}

export function hostLseek(fd: number, offset: number, whence: number): number {
  return hostSyscall(SYS_lseek, fd, offset, whence, 0, 0, 0);
}

/** sendfile(2) between the files' own positions. */
export function hostSendfile(outFd: number, inFd: number, count: number): number {
  return hostSyscall(SYS_sendfile, outFd, inFd, 0, count, 0, 0);
}

/** copy_file_range(2) between the files' own positions. */
export function hostCopyFileRange(inFd: number, outFd: number, count: number): number {
  return hostSyscall(SYS_copy_file_range, inFd, 0, outFd, 0, count, 0);
}

/** Calls `each` for every entry but "." and ".." of an open directory, from its position on. */
export function hostReadDir(
  fd: number,
  each: (name: string, inoLow: number, inoHigh: number, type: number) => void,
): number {
  for (;;) {
    const n = hostSyscall(SYS_getdents64, fd, base + DATA, HOST_DATA_SIZE, 0, 0, 0);
    if (n <= 0) return n;
    for (let at = DATA; at < DATA + n;) {
      const reclen = view.getUint16(at + DIRENT64_OFF_RECLEN, true);
      const start = at + DIRENT64_OFF_NAME;
      let end = start;
      while (u8[end] !== 0) end++;
      const dots = u8[start] === 0x2e &&
        (end - start === 1 || end - start === 2 && u8[start + 1] === 0x2e);
      if (!dots) {
        each(
          latin1(u8, start, end),
          view.getUint32(at, true),
          view.getUint32(at + 4, true),
          u8[at + DIRENT64_OFF_TYPE],
        );
      }
      at += reclen;
    }
  }
}

/** readlinkat(2); the empty name reads the link that `dirFd` (O_PATH|O_NOFOLLOW) itself is. */
export function hostReadlinkat(dirFd: number, name: string): string | number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  const n = hostSyscall(SYS_readlinkat, dirFd, base, base + DATA, PATH_SPACE, 0, 0);
  return n < 0 ? n : latin1(u8, DATA, DATA + n);
}

export function hostMkdirat(dirFd: number, name: string, mode: number): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  return hostSyscall(SYS_mkdirat, dirFd, base, mode, 0, 0, 0);
}

export function hostMknodat(dirFd: number, name: string, mode: number, rdev: number): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  return hostSyscall(SYS_mknodat, dirFd, base, mode, rdev, 0, 0);
}

export function hostSymlinkat(target: string, dirFd: number, name: string): number {
  if (!putName(target, 0) || !putName(name, PATH_B)) return -ENAMETOOLONG;
  return hostSyscall(SYS_symlinkat, base, dirFd, base + PATH_B, 0, 0, 0);
}

export function hostLinkat(
  oldDirFd: number,
  oldName: string,
  newDirFd: number,
  newName: string,
  flags: number,
): number {
  if (!putName(oldName, 0) || !putName(newName, PATH_B)) return -ENAMETOOLONG;
  return hostSyscall(SYS_linkat, oldDirFd, base, newDirFd, base + PATH_B, flags, 0);
}

export function hostUnlinkat(dirFd: number, name: string, directory: boolean): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  return hostSyscall(SYS_unlinkat, dirFd, base, directory ? AT_REMOVEDIR : 0, 0, 0, 0);
}

export function hostRenameat2(
  oldDirFd: number,
  oldName: string,
  newDirFd: number,
  newName: string,
  flags: number,
): number {
  if (!putName(oldName, 0) || !putName(newName, PATH_B)) return -ENAMETOOLONG;
  return hostSyscall(SYS_renameat2, oldDirFd, base, newDirFd, base + PATH_B, flags, 0);
}

/** chmod of a name, a symbolic link not followed (hosts before 6.6: never call it for a link). */
export function hostFchmodat(dirFd: number, name: string, mode: number): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  const r = hostSyscall(SYS_fchmodat2, dirFd, base, mode, AT_SYMLINK_NOFOLLOW, 0, 0);
  return r === -ENOSYS ? hostSyscall(SYS_fchmodat, dirFd, base, mode, 0, 0, 0) : r;
}

export function hostFchmod(fd: number, mode: number): number {
  return hostSyscall(SYS_fchmod, fd, mode, 0, 0, 0, 0);
}

/** chown of a name (not followed), or of `dirFd` itself for the empty name; -1 keeps an id. */
export function hostFchownat(dirFd: number, name: string, uid: number, gid: number): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  const flags = name === "" ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  return hostSyscall(SYS_fchownat, dirFd, base, uid >>> 0, gid >>> 0, flags, 0);
}

export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** utimensat(2) of a name (not followed), or of the fd `dirFd` itself for the empty name. */
export function hostUtimensat(
  dirFd: number,
  name: string,
  atimeSec: number,
  atimeNsec: number,
  mtimeSec: number,
  mtimeNsec: number,
): number {
  if (!putName(name, 0)) return -ENAMETOOLONG;
  putI64(TIMES, atimeSec);
  putI64(TIMES + 8, atimeNsec);
  putI64(TIMES + 16, mtimeSec);
  putI64(TIMES + 24, mtimeNsec);
  const flags = name === "" ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  return hostSyscall(SYS_utimensat, dirFd, base, base + TIMES, flags, 0, 0);
}

function putI64(at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** The value's bytes, copied; -ENODATA and friends. */
export function hostFgetxattr(fd: number, name: string): Uint8Array | number {
  if (!putName(name, 0)) return -ERANGE;
  const n = hostSyscall(SYS_fgetxattr, fd, base, base + DATA, HOST_DATA_SIZE, 0, 0);
  return n < 0 ? n : u8.slice(DATA, DATA + n);
}

export function hostFsetxattr(fd: number, name: string, value: Uint8Array, flags: number): number {
  if (!putName(name, 0)) return -ERANGE;
  if (value.length > HOST_DATA_SIZE) return -ERANGE;
  u8.set(value, DATA);
  return hostSyscall(SYS_fsetxattr, fd, base, base + DATA, value.length, flags, 0);
}

export function hostFremovexattr(fd: number, name: string): number {
  if (!putName(name, 0)) return -ERANGE;
  return hostSyscall(SYS_fremovexattr, fd, base, 0, 0, 0, 0);
}

export function hostFlistxattr(fd: number): string[] | number {
  const n = hostSyscall(SYS_flistxattr, fd, base + DATA, HOST_DATA_SIZE, 0, 0, 0);
  if (n < 0) return n;
  const names = latin1(u8, DATA, DATA + n).split("\0");
  names.pop();
  return names;
}

/** umask(2), of the whole process. */
export function hostUmask(mask: number): number {
  return hostSyscall(SYS_umask, mask, 0, 0, 0, 0, 0);
}

/** fstatfs(2); the result is in `statfsView`. */
export function hostFstatfs(fd: number): number {
  return hostSyscall(SYS_fstatfs, fd, base + STATFS, 0, 0, 0, 0);
}
