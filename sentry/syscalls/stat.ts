/** stat(2) and its kin, statx(2), statfs(2). */
import {
  SYS_fstat,
  SYS_fstatfs,
  SYS_lstat,
  SYS_newfstatat,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_stat, SYS_statfs, SYS_statx, SYS_ustat } from "../../platform/abi/amd64/syscalls.ts";
import { zero } from "../../platform/abi/bytes.ts";
import { EBADF, EINVAL } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT } from "../../platform/abi/fcntl.ts";
import { AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW } from "../../platform/abi/fcntl.ts";
import { MS_NOATIME, MS_NOSYMFOLLOW, MS_STRICTATIME } from "../../platform/abi/mount.ts";
import { putStatfs, ST_NOATIME, ST_NODEV, ST_NODIRATIME } from "../../platform/abi/mount.ts";
import { ST_NOEXEC, ST_NOSUID, ST_NOSYMFOLLOW, ST_RDONLY } from "../../platform/abi/mount.ts";
import { ST_RELATIME, ST_VALID, STATFS_SIZE } from "../../platform/abi/mount.ts";
import { major, minor } from "../../platform/abi/sysmacros.ts";
import {
  putStatx,
  STAT_SIZE,
  type Statx,
  STATX__RESERVED,
  STATX_ATTR_APPEND,
  STATX_ATTR_AUTOMOUNT,
  STATX_ATTR_DAX,
  STATX_ATTR_IMMUTABLE,
  STATX_ATTR_MOUNT_ROOT,
  STATX_ATTR_NODUMP,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_BUF_SIZE,
  STATX_MNT_ID,
  STATX_MNT_ID_UNIQUE,
} from "../../platform/abi/stat.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { Inode, StatFs } from "../vfs/inode.ts";
import type { Mount, PathRef } from "../vfs/mount.ts";
import { hasFlags, walk, WALK_NOFOLLOW } from "../vfs/namei.ts";
import { putInodeStat } from "../vfs/stat_words.ts";
import { copyInPath, startOf, walkArg, walkFlagsOf } from "./path_args.ts";

const TWO_32 = 0x1_0000_0000;
const STATX_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;

/** stat(2). */
export function stat(t: Task, args: SyscallArguments): SyscallReturn {
  return statPath(t, AT_FDCWD, args.addr(0), 0, args.addr(1));
}

/** lstat(2). */
export function lstat(t: Task, args: SyscallArguments): SyscallReturn {
  return statPath(t, AT_FDCWD, args.addr(0), WALK_NOFOLLOW, args.addr(1));
}

/** fstat(2). */
export function fstat(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  return file === null ? -EBADF : statInode(t, file.inode, args.addr(1));
}

/** newfstatat(2), which glibc also uses as fstat with an empty path. */
export function newfstatat(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(3);
  if ((flags & ~STATX_FLAGS) !== 0) return -EINVAL;
  const dirFd = args.i32(0);
  const pathAddr = args.addr(1);
  if (pathAddr === 0 && (flags & AT_EMPTY_PATH) !== 0) return statStart(t, dirFd, args.addr(2));
  return statPath(t, dirFd, pathAddr, walkFlagsOf(flags), args.addr(2));
}

function statPath(
  t: Task,
  dirFd: number,
  pathAddr: number,
  walkFlags: number,
  outAddr: number,
): number {
  const p = walkArg(t, dirFd, pathAddr, walkFlags);
  return typeof p === "number" ? p : statInode(t, p.dentry.inode!, outAddr);
}

/** A null path with AT_EMPTY_PATH (Linux 6.11): the descriptor itself. */
function statStart(t: Task, dirFd: number, outAddr: number): number {
  const start = startOf(t, dirFd, "");
  return typeof start === "number" ? start : statInode(t, start.dentry.inode!, outAddr);
}

/** Where a struct stat is put together that has no place in an arena. */
const statWords = new Int32Array(STAT_SIZE / 4);
const statBytes = new Uint8Array(statWords.buffer);

function statInode(t: Task, inode: Inode, outAddr: number): number {
  const err = inode.refresh();
  if (err < 0) return err;
  const ctx = t.ctx!;
  const words = ctx.arenaWords;
  if (words === null) {
    putInodeStat(statWords, 0, inode);
    return t.copyOut(outAddr, statBytes, 0, STAT_SIZE);
  }
  const at = t.mm.placeOut(ctx, outAddr, STAT_SIZE);
  if (at < 0) return at;
  putInodeStat(words, at / 4, inode);
  return 0;
}

function put64(v: DataView, off: number, n: number): void {
  v.setUint32(off, n, true);
  v.setInt32(off + 4, n >= 0 && n < TWO_32 ? 0 : Math.floor(n / TWO_32), true);
}

/** statx(2). */
export function statx(t: Task, args: SyscallArguments): SyscallReturn {
  const dirFd = args.i32(0);
  const pathAddr = args.addr(1);
  const flags = args.u32(2);
  const mask = args.u32(3);
  if ((mask & STATX__RESERVED) !== 0) return -EINVAL;
  if ((flags & ~STATX_FLAGS) !== 0) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  const path = pathAddr === 0 && (flags & AT_EMPTY_PATH) !== 0 ? "" : copyInPath(t, pathAddr);
  if (typeof path === "number") return path;
  const start = startOf(t, dirFd, path);
  if (typeof start === "number") return start;
  const p = walk(t.fs.walkContext(t.creds), start, path, walkFlagsOf(flags));
  if (typeof p === "number") return p;
  const inode = p.dentry.inode!;
  const err = inode.refresh();
  if (err < 0) return err;
  putStatx(t.scratchView, 0, statxOf(p, inode, mask));
  return t.copyOut(args.addr(4), t.scratch, 0, STATX_BUF_SIZE);
}

/** Flags of an inode that statx tells; FS_*_FL has the same values. */
const FLAG_ATTRIBUTES = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
/** What the VFS itself knows of any file (vfs_getattr_nosec). */
const KNOWN_ATTRIBUTES = STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;

function statxOf(p: PathRef, inode: Inode, wanted: number): Statx {
  const givesBirth = (wanted & STATX_BTIME) !== 0 && inode.btimeSec !== 0;
  const isUnique = (wanted & STATX_MNT_ID_UNIQUE) !== 0;
  const mountId = isUnique ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID;
  return {
    mask: STATX_BASIC_STATS | (givesBirth ? STATX_BTIME : 0) | mountId,
    blksize: inode.blksize,
    attributes: (p.dentry === p.mount.root ? STATX_ATTR_MOUNT_ROOT : 0) |
      (inode.flags & FLAG_ATTRIBUTES),
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    mode: inode.mode,
    ino: inode.ino,
    size: inode.size,
    blocks: inode.blocks,
    attributesMask: KNOWN_ATTRIBUTES | (hasFlags(inode) ? FLAG_ATTRIBUTES : 0),
    atimeSec: inode.atimeSec,
    atimeNsec: inode.atimeNsec,
    btimeSec: givesBirth ? inode.btimeSec : 0,
    btimeNsec: givesBirth ? inode.btimeNsec : 0,
    ctimeSec: inode.ctimeSec,
    ctimeNsec: inode.ctimeNsec,
    mtimeSec: inode.mtimeSec,
    mtimeNsec: inode.mtimeNsec,
    rdevMajor: major(inode.rdev),
    rdevMinor: minor(inode.rdev),
    devMajor: major(inode.fs.dev),
    devMinor: minor(inode.fs.dev),
    mntId: isUnique ? p.mount.uniqueId : p.mount.id,
    dioMemAlign: 0,
    dioOffsetAlign: 0,
  };
}

const statFs: StatFs = { bsize: 0, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, namelen: 0 };
/** Mount flags whose ST_* flag has the same value. */
const SAME_FLAGS = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME;

/** statfs(2). */
export function statfs(t: Task, args: SyscallArguments): SyscallReturn {
  const p = walkArg(t, AT_FDCWD, args.addr(0), 0);
  return typeof p === "number" ? p : statMount(t, p.mount, args.addr(1));
}

/** fstatfs(2). */
export function fstatfs(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  return file === null ? -EBADF : statMount(t, file.mount, args.addr(1));
}

function statMount(t: Task, mount: Mount, outAddr: number): number {
  const { fs, flags } = mount;
  const err = fs.statfs(statFs);
  if (err < 0) return err;
  let st = ST_VALID | (flags & SAME_FLAGS);
  if ((flags & MS_NOSYMFOLLOW) !== 0) st |= ST_NOSYMFOLLOW;
  if ((flags & (MS_NOATIME | MS_STRICTATIME)) === 0) st |= ST_RELATIME;
  putStatfs(t.scratchView, 0, {
    type: fs.magic,
    ...statFs,
    fsidLow: fs.dev,
    fsidHigh: 0,
    frsize: statFs.bsize,
    flags: st,
  });
  return t.copyOut(outAddr, t.scratch, 0, STATFS_SIZE);
}

const USTAT_SIZE = 32;

/** ustat(2): free blocks and inodes of the mounted file system with this device number. */
export function ustat(t: Task, args: SyscallArguments): SyscallReturn {
  const dev = args.u32(0);
  for (const mount of t.fs.mountNs.mounts) {
    if (mount.fs.dev !== dev) continue;
    const err = mount.fs.statfs(statFs);
    if (err < 0) return err;
    zero(t.scratchView, 0, USTAT_SIZE);
    t.scratchView.setUint32(0, statFs.bfree, true);
    put64(t.scratchView, 8, statFs.ffree);
    return t.copyOut(args.addr(1), t.scratch, 0, USTAT_SIZE);
  }
  return -EINVAL;
}

export const rows: readonly SyscallRow[] = [
  [SYS_stat, "stat", stat, FULL],
  [SYS_fstat, "fstat", fstat, FULL],
  [SYS_lstat, "lstat", lstat, FULL],
  [SYS_newfstatat, "newfstatat", newfstatat, FULL],
  [SYS_statx, "statx", statx, FULL],
  [SYS_statfs, "statfs", statfs, FULL],
  [SYS_fstatfs, "fstatfs", fstatfs, FULL],
  [SYS_ustat, "ustat", ustat, FULL],
];
