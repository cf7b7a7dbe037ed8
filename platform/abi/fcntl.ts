/**
 * File control (linux/fcntl.h, linux/openat2.h): open(2), fcntl(2), flock(2), openat2(2).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// open(2) flags
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;
export const O_DIRECT = 0o40000;
export const O_LARGEFILE = 0o100000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_SYNC = 0o4010000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20200000;
export const O_NDELAY = 0o4000;

// fcntl(2) commands
export const F_DUPFD = 0;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_GETLK = 5;
export const F_SETLK = 6;
export const F_SETLKW = 7;
export const F_SETOWN = 8;
export const F_GETOWN = 9;
export const F_SETSIG = 10;
export const F_GETSIG = 11;
export const F_SETOWN_EX = 15;
export const F_GETOWN_EX = 16;
export const F_GETOWNER_UIDS = 17;
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
export const F_OFD_SETLKW = 38;
export const F_LINUX_SPECIFIC_BASE = 1024;
export const F_SETLEASE = 1024;
export const F_GETLEASE = 1025;
export const F_NOTIFY = 1026;
export const F_DUPFD_QUERY = 1027;
export const F_CREATED_QUERY = 1028;
export const F_CANCELLK = 1029;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const F_GETPIPE_SZ = 1032;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_GET_RW_HINT = 1035;
export const F_SET_RW_HINT = 1036;
export const F_GET_FILE_RW_HINT = 1037;
export const F_SET_FILE_RW_HINT = 1038;

// fcntl(2) values
export const FD_CLOEXEC = 1;
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
export const F_EXLCK = 4;
export const F_SHLCK = 8;
export const F_OWNER_TID = 0;
export const F_OWNER_PID = 1;
export const F_OWNER_PGRP = 2;
export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
export const F_SEAL_WRITE = 8;
export const F_SEAL_FUTURE_WRITE = 0x10;
export const RWH_WRITE_LIFE_NOT_SET = 0;
export const RWH_WRITE_LIFE_NONE = 1;
export const RWH_WRITE_LIFE_SHORT = 2;
export const RWH_WRITE_LIFE_MEDIUM = 3;
export const RWH_WRITE_LIFE_LONG = 4;
export const RWH_WRITE_LIFE_EXTREME = 5;
export const DN_ACCESS = 1;
export const DN_MODIFY = 2;
export const DN_CREATE = 4;
export const DN_DELETE = 8;
export const DN_RENAME = 0x10;
export const DN_ATTRIB = 0x20;
export const DN_MULTISHOT = 0x80000000;

// flock(2)
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;
export const LOCK_MAND = 32;
export const LOCK_READ = 64;
export const LOCK_WRITE = 128;
export const LOCK_RW = 192;

// *at(2) calls
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EACCESS = 0x200;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
export const AT_STATX_SYNC_TYPE = 0x6000;
export const AT_STATX_SYNC_AS_STAT = 0x0;
export const AT_STATX_FORCE_SYNC = 0x2000;
export const AT_STATX_DONT_SYNC = 0x4000;
export const AT_RECURSIVE = 0x8000;
export const AT_HANDLE_FID = 0x200;
export const AT_HANDLE_MNT_ID_UNIQUE = 0x1;
export const AT_HANDLE_CONNECTABLE = 0x2;
export const AT_RENAME_NOREPLACE = 0x1;
export const AT_RENAME_EXCHANGE = 0x2;
export const AT_RENAME_WHITEOUT = 0x4;

// openat2(2)
export const RESOLVE_NO_XDEV = 1;
export const RESOLVE_NO_MAGICLINKS = 2;
export const RESOLVE_NO_SYMLINKS = 4;
export const RESOLVE_BENEATH = 8;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

// name_to_handle_at(2)
export const MAX_HANDLE_SZ = 128;

// posix_fadvise(2)
export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;

// sync_file_range(2)
export const SYNC_FILE_RANGE_WAIT_BEFORE = 1;
export const SYNC_FILE_RANGE_WRITE = 2;
export const SYNC_FILE_RANGE_WAIT_AFTER = 4;
export const SYNC_FILE_RANGE_WRITE_AND_WAIT = 7;

/** struct flock, for F_GETLK, F_SETLK, F_SETLKW and the OFD commands. */
export const FLOCK_SIZE = 32;
export const FLOCK_OFF_TYPE = 0;
export const FLOCK_OFF_WHENCE = 2;
export const FLOCK_OFF_START = 8;
export const FLOCK_OFF_LEN = 16;
export const FLOCK_OFF_PID = 24;

export interface Flock {
  type: number;
  whence: number;
  start: number;
  len: number;
  pid: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putFlock(v: DataView, off: number, s: Flock): void {
  zero(v, off, FLOCK_SIZE);
  v.setInt16(off + FLOCK_OFF_TYPE, s.type, true);
  v.setInt16(off + FLOCK_OFF_WHENCE, s.whence, true);
  setI64(v, off + FLOCK_OFF_START, s.start);
  setI64(v, off + FLOCK_OFF_LEN, s.len);
  v.setInt32(off + FLOCK_OFF_PID, s.pid, true);
}

export function getFlock(v: DataView, off: number): Flock {
  return {
    type: v.getInt16(off + FLOCK_OFF_TYPE, true),
    whence: v.getInt16(off + FLOCK_OFF_WHENCE, true),
    start: getI64(v, off + FLOCK_OFF_START),
    len: getI64(v, off + FLOCK_OFF_LEN),
    pid: v.getInt32(off + FLOCK_OFF_PID, true),
  };
}

/** struct f_owner_ex, for F_SETOWN_EX and F_GETOWN_EX. */
export const FOWNER_EX_SIZE = 8;
export const FOWNER_EX_OFF_TYPE = 0;
export const FOWNER_EX_OFF_PID = 4;

export interface FOwnerEx {
  type: number;
  pid: number;
}

export function putFOwnerEx(v: DataView, off: number, type: number, pid: number): void {
  v.setInt32(off + FOWNER_EX_OFF_TYPE, type, true);
  v.setInt32(off + FOWNER_EX_OFF_PID, pid, true);
}

export function getFOwnerEx(v: DataView, off: number): FOwnerEx {
  return {
    type: v.getInt32(off + FOWNER_EX_OFF_TYPE, true),
    pid: v.getInt32(off + FOWNER_EX_OFF_PID, true),
  };
}

/** struct open_how, for openat2(2). */
export const OPEN_HOW_SIZE = 24;
export const OPEN_HOW_OFF_FLAGS = 0;
export const OPEN_HOW_OFF_MODE = 8;
export const OPEN_HOW_OFF_RESOLVE = 16;

export interface OpenHow {
  flags: number;
  mode: number;
  resolve: number;
}

export function putOpenHow(
  v: DataView,
  off: number,
  flags: number,
  mode: number,
  resolve: number,
): void {
  setU64(v, off + OPEN_HOW_OFF_FLAGS, flags);
  setU64(v, off + OPEN_HOW_OFF_MODE, mode);
  setU64(v, off + OPEN_HOW_OFF_RESOLVE, resolve);
}

export function getOpenHow(v: DataView, off: number): OpenHow {
  return {
    flags: getU64(v, off + OPEN_HOW_OFF_FLAGS),
    mode: getU64(v, off + OPEN_HOW_OFF_MODE),
    resolve: getU64(v, off + OPEN_HOW_OFF_RESOLVE),
  };
}

/** struct file_handle, for name_to_handle_at(2); the handle's bytes follow. */
export const FILE_HANDLE_SIZE = 8;
export const FILE_HANDLE_OFF_BYTES = 0;
export const FILE_HANDLE_OFF_TYPE = 4;
export const FILE_HANDLE_OFF_HANDLE = 8;

export const OPEN_HOW_SIZE_VER0 = 24;
