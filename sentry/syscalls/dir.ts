/** Names: mkdir(2), unlink(2), rename(2), link(2), symlink(2), mknod(2), readlink(2), getdents(2). */
import {
  SYS_getdents,
  SYS_getdents64,
  SYS_link,
  SYS_linkat,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_mkdir,
  SYS_mkdirat,
  SYS_mknod,
  SYS_mknodat,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_readlink, SYS_readlinkat, SYS_rename } from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_renameat,
  SYS_renameat2,
  SYS_rmdir,
  SYS_symlink,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_symlinkat, SYS_unlink, SYS_unlinkat } from "../../platform/abi/amd64/syscalls.ts";
import { EFAULT, EINVAL, ENOENT, ENOTDIR } from "../../platform/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
} from "../../platform/abi/fcntl.ts";
import {
  DIRENT64_OFF_NAME,
  DIRENT64_OFF_RECLEN,
  DIRENT64_OFF_TYPE,
  dirent64Reclen,
  DIRENT_OFF_NAME,
  DIRENT_OFF_RECLEN,
  direntReclen,
} from "../../platform/abi/dirent.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { DirEntry } from "../vfs/inode.ts";
import { linkAt, mkdirAt, mknodAt, renameAt, rmdirAt, symlinkAt, unlinkAt } from "../vfs/namei.ts";
import { touchAccessed } from "../vfs/attributes.ts";
import { isDirectory, isLink, walk, WALK_EMPTY, WALK_NOFOLLOW } from "../vfs/namei.ts";
import type { WalkStart } from "../vfs/namei.ts";
import { copyInPath, fileArg, startOf } from "./path_args.ts";

const TWO_32 = 0x1_0000_0000;

/** A path argument. What is wrong with it is the start's -errno, which the walk returns. */
interface PathArg {
  path: string;
  start: WalkStart;
}

function pathArg(t: Task, dirFd: number, addr: number): PathArg {
  const path = copyInPath(t, addr);
  if (typeof path === "number") return { path: "", start: path };
  return { path, start: path.length === 0 ? -ENOENT : startOf(t, dirFd, path) };
}

/** mkdir(2). */
export function mkdir(t: Task, args: SyscallArguments): SyscallReturn {
  return doMkdir(t, AT_FDCWD, args.addr(0), args.u32(1));
}

/** mkdirat(2). */
export function mkdirat(t: Task, args: SyscallArguments): SyscallReturn {
  return doMkdir(t, args.i32(0), args.addr(1), args.u32(2));
}

function doMkdir(t: Task, dirFd: number, addr: number, mode: number): number {
  const at = pathArg(t, dirFd, addr);
  return mkdirAt(t.fs.walkContext(t.creds), at.start, at.path, mode);
}

/** mknod(2). */
export function mknod(t: Task, args: SyscallArguments): SyscallReturn {
  return doMknod(t, AT_FDCWD, args.addr(0), args.u32(1), args.u32(2));
}

/** mknodat(2). */
export function mknodat(t: Task, args: SyscallArguments): SyscallReturn {
  return doMknod(t, args.i32(0), args.addr(1), args.u32(2), args.u32(3));
}

function doMknod(t: Task, dirFd: number, addr: number, mode: number, rdev: number): number {
  const at = pathArg(t, dirFd, addr);
  return mknodAt(t.fs.walkContext(t.creds), at.start, at.path, mode, rdev);
}

/** rmdir(2). */
export function rmdir(t: Task, args: SyscallArguments): SyscallReturn {
  return doUnlink(t, AT_FDCWD, args.addr(0), true);
}

/** unlink(2). */
export function unlink(t: Task, args: SyscallArguments): SyscallReturn {
  return doUnlink(t, AT_FDCWD, args.addr(0), false);
}

/** unlinkat(2). */
export function unlinkat(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(2);
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  return doUnlink(t, args.i32(0), args.addr(1), flags !== 0);
}

function doUnlink(t: Task, dirFd: number, addr: number, directory: boolean): number {
  const at = pathArg(t, dirFd, addr);
  const ctx = t.fs.walkContext(t.creds);
  return directory ? rmdirAt(ctx, at.start, at.path) : unlinkAt(ctx, at.start, at.path);
}

/** rename(2). */
export function rename(t: Task, args: SyscallArguments): SyscallReturn {
  return doRename(t, AT_FDCWD, args.addr(0), AT_FDCWD, args.addr(1), 0);
}

/** renameat(2). */
export function renameat(t: Task, args: SyscallArguments): SyscallReturn {
  return doRename(t, args.i32(0), args.addr(1), args.i32(2), args.addr(3), 0);
}

/** renameat2(2). */
export function renameat2(t: Task, args: SyscallArguments): SyscallReturn {
  return doRename(t, args.i32(0), args.addr(1), args.i32(2), args.addr(3), args.u32(4));
}

function doRename(
  t: Task,
  oldFd: number,
  oldAddr: number,
  newFd: number,
  newAddr: number,
  flags: number,
): number {
  const from = pathArg(t, oldFd, oldAddr);
  const to = pathArg(t, newFd, newAddr);
  const ctx = t.fs.walkContext(t.creds);
  return renameAt(ctx, from.start, from.path, to.start, to.path, flags);
}

/** link(2). */
export function link(t: Task, args: SyscallArguments): SyscallReturn {
  return doLink(t, AT_FDCWD, args.addr(0), AT_FDCWD, args.addr(1), 0);
}

/** linkat(2). */
export function linkat(t: Task, args: SyscallArguments): SyscallReturn {
  return doLink(t, args.i32(0), args.addr(1), args.i32(2), args.addr(3), args.u32(4));
}

function doLink(
  t: Task,
  oldFd: number,
  oldAddr: number,
  newFd: number,
  newAddr: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const oldPath = copyInPath(t, oldAddr);
  if (typeof oldPath === "number") return oldPath;
  if (oldPath.length === 0 && (flags & AT_EMPTY_PATH) === 0) return -ENOENT;
  const oldStart = startOf(t, oldFd, oldPath);
  if (typeof oldStart === "number") return oldStart;
  const to = pathArg(t, newFd, newAddr);
  return linkAt(t.fs.walkContext(t.creds), oldStart, oldPath, to.start, to.path, flags);
}

/** symlink(2). */
export function symlink(t: Task, args: SyscallArguments): SyscallReturn {
  return doSymlink(t, args.addr(0), AT_FDCWD, args.addr(1));
}

/** symlinkat(2). */
export function symlinkat(t: Task, args: SyscallArguments): SyscallReturn {
  return doSymlink(t, args.addr(0), args.i32(1), args.addr(2));
}

function doSymlink(t: Task, targetAddr: number, dirFd: number, addr: number): number {
  const target = copyInPath(t, targetAddr);
  if (typeof target === "number") return target;
  if (target.length === 0) return -ENOENT;
  const at = pathArg(t, dirFd, addr);
  return symlinkAt(t.fs.walkContext(t.creds), target, at.start, at.path);
}

/** readlink(2). */
export function readlink(t: Task, args: SyscallArguments): SyscallReturn {
  return doReadlink(t, AT_FDCWD, args.addr(0), args.addr(1), args.i32(2));
}

/** readlinkat(2): an empty path means the link that the descriptor itself is. */
export function readlinkat(t: Task, args: SyscallArguments): SyscallReturn {
  return doReadlink(t, args.i32(0), args.addr(1), args.addr(2), args.i32(3));
}

function doReadlink(
  t: Task,
  dirFd: number,
  addr: number,
  bufAddr: number,
  size: number,
): number {
  if (size <= 0) return -EINVAL;
  const path = copyInPath(t, addr);
  if (typeof path === "number") return path;
  if (path.length === 0 && dirFd === AT_FDCWD) return -ENOENT;
  const start = startOf(t, dirFd, path);
  if (typeof start === "number") return start;
  const p = walk(t.fs.walkContext(t.creds), start, path, WALK_NOFOLLOW | WALK_EMPTY);
  if (typeof p === "number") return p;
  const inode = p.dentry.inode!;
  if (!isLink(inode)) return path.length === 0 ? -ENOENT : -EINVAL;
  touchAccessed(inode, p.mount);
  const text = inode.readlink();
  if (typeof text === "number") return text;
  const n = Math.min(size, text.length);
  const bytes = n <= t.scratch.length ? t.scratch : new Uint8Array(n);
  for (let i = 0; i < n; i++) bytes[i] = text.charCodeAt(i);
  const err = t.copyOut(bufAddr, bytes, 0, n);
  return err < 0 ? err : n;
}

/** getdents64(2). */
export function getdents64(t: Task, args: SyscallArguments): SyscallReturn {
  return doGetdents(t, args.i32(0), args.addr(1), args.u32(2), true);
}

/** getdents(2). */
export function getdents(t: Task, args: SyscallArguments): SyscallReturn {
  return doGetdents(t, args.i32(0), args.addr(1), args.u32(2), false);
}

/** Most bytes that one call gives, whatever the guest's buffer. */
const DIRENTS_MAX = 65536;
const dirents = new Uint8Array(DIRENTS_MAX);
const direntsView = new DataView(dirents.buffer);

class DirentWriter {
  used = 0;
  room = 0;
  is64 = true;
  /** An entry did not fit. */
  isFull = false;

  readonly sink = (entry: DirEntry, nextOffset: number): boolean => {
    const { name } = entry;
    const reclen = this.is64 ? dirent64Reclen(name.length) : direntReclen(name.length);
    if (this.used + reclen > this.room) {
      this.isFull = true;
      return false;
    }
    const at = this.used;
    const v = direntsView;
    v.setUint32(at, entry.ino, true);
    v.setUint32(at + 4, Math.floor(entry.ino / TWO_32), true);
    v.setUint32(at + 8, nextOffset, true);
    v.setUint32(at + 12, Math.floor(nextOffset / TWO_32), true);
    v.setUint16(at + (this.is64 ? DIRENT64_OFF_RECLEN : DIRENT_OFF_RECLEN), reclen, true);
    let to = at + (this.is64 ? DIRENT64_OFF_NAME : DIRENT_OFF_NAME);
    for (let i = 0; i < name.length; i++) dirents[to++] = name.charCodeAt(i);
    dirents.fill(0, to, at + reclen);
    dirents[this.is64 ? at + DIRENT64_OFF_TYPE : at + reclen - 1] = entry.type;
    this.used += reclen;
    return true;
  };
}
const writer = new DirentWriter();

function doGetdents(t: Task, fd: number, addr: number, size: number, is64: boolean): number {
  const file = fileArg(t, fd);
  if (typeof file === "number") return file;
  if (!isDirectory(file.inode)) return -ENOTDIR;
  if (file.dentry.unlinked) return -ENOENT;
  const before = file.offset;
  writer.is64 = is64;
  const used = fillDirents(file, Math.min(size, DIRENTS_MAX));
  if (used <= 0 || t.copyOut(addr, dirents, 0, used) === 0) return used;
  file.offset = before;
  const run = t.mm.accessibleRun(addr, used, PROT_WRITE);
  if (run === used || run === 0) return -EFAULT;
  const fewer = fillDirents(file, run);
  return fewer <= 0 || t.copyOut(addr, dirents, 0, fewer) < 0 ? -EFAULT : fewer;
}

/** Entries from the file's offset on in `room` bytes of `dirents`: how many bytes, 0 at the end, or -errno. */
function fillDirents(file: FileDescription, room: number): number {
  writer.used = 0;
  writer.room = room;
  writer.isFull = false;
  const err = file.impl.iterate(file, writer.sink);
  if (writer.used > 0) return writer.used;
  return err < 0 ? err : writer.isFull ? -EINVAL : 0;
}

export const rows: readonly SyscallRow[] = [
  [SYS_getdents, "getdents", getdents, FULL],
  [SYS_rename, "rename", rename, FULL],
  [SYS_mkdir, "mkdir", mkdir, FULL],
  [SYS_rmdir, "rmdir", rmdir, FULL],
  [SYS_link, "link", link, FULL],
  [SYS_unlink, "unlink", unlink, FULL],
  [SYS_symlink, "symlink", symlink, FULL],
  [SYS_readlink, "readlink", readlink, FULL],
  [SYS_mknod, "mknod", mknod, FULL],
  [SYS_getdents64, "getdents64", getdents64, FULL],
  [SYS_mkdirat, "mkdirat", mkdirat, FULL],
  [SYS_mknodat, "mknodat", mknodat, FULL],
  [SYS_unlinkat, "unlinkat", unlinkat, FULL],
  [SYS_renameat, "renameat", renameat, FULL],
  [SYS_linkat, "linkat", linkat, FULL],
  [SYS_symlinkat, "symlinkat", symlinkat, FULL],
  [SYS_readlinkat, "readlinkat", readlinkat, FULL],
  [SYS_renameat2, "renameat2", renameat2, FULL],
];
