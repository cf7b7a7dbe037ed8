/** Extended attributes of inodes by number: FS_IOC_FSGETXATTR, file_getattr(2) (Linux: fs/file_attr.c). */
import { SYS_file_getattr, SYS_file_setattr } from "../../platform/abi/amd64/syscalls.ts";
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../../platform/abi/fcntl.ts";
import {
  FILE_ATTR_SIZE_VER0,
  FS_APPEND_FL,
  FS_DAX_FL,
  FS_IMMUTABLE_FL,
  FS_NOATIME_FL,
  FS_NODUMP_FL,
  FS_PROJINHERIT_FL,
  FS_SYNC_FL,
  FS_XFLAG_APPEND,
  FS_XFLAG_COWEXTSIZE,
  FS_XFLAG_DAX,
  FS_XFLAG_EXTSIZE,
  FS_XFLAG_EXTSZINHERIT,
  FS_XFLAG_FILESTREAM,
  FS_XFLAG_HASATTR,
  FS_XFLAG_IMMUTABLE,
  FS_XFLAG_NOATIME,
  FS_XFLAG_NODEFRAG,
  FS_XFLAG_NODUMP,
  FS_XFLAG_NOSYMLINKS,
  FS_XFLAG_PREALLOC,
  FS_XFLAG_PROJINHERIT,
  FS_XFLAG_REALTIME,
  FS_XFLAG_RTINHERIT,
  FS_XFLAG_SYNC,
  type Fsxattr,
  FSXATTR_SIZE,
  getFsxattr,
  putFsxattr,
} from "../../platform/abi/fs.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { PathRef } from "../vfs/mount.ts";
import { hasFlags, mayChangeFlags } from "../vfs/namei.ts";
import { walkArg, walkFlagsOf } from "./path_args.ts";

/** [FS_*_FL, FS_XFLAG_*] */
const XFLAGS: readonly (readonly [number, number])[] = [
  [FS_SYNC_FL, FS_XFLAG_SYNC],
  [FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE],
  [FS_APPEND_FL, FS_XFLAG_APPEND],
  [FS_NODUMP_FL, FS_XFLAG_NODUMP],
  [FS_NOATIME_FL, FS_XFLAG_NOATIME],
  [FS_DAX_FL, FS_XFLAG_DAX],
  [FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT],
];
const COMMON = XFLAGS.reduce((all, [, xflag]) => all | xflag, 0);
/** What is told and cannot be set: setting it does nothing. */
const READ_ONLY = FS_XFLAG_PREALLOC | FS_XFLAG_HASATTR;
/** Flags that say what a size is for, and are nothing without one. */
const SIZE_FLAGS = FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT | FS_XFLAG_COWEXTSIZE;
const KNOWN = COMMON | READ_ONLY | SIZE_FLAGS | FS_XFLAG_REALTIME | FS_XFLAG_RTINHERIT |
  FS_XFLAG_NOSYMLINKS | FS_XFLAG_NODEFRAG | FS_XFLAG_FILESTREAM;

/** FS_XFLAG_* of an inode that `hasFlags`. */
function xflagsOf(inode: Inode): number {
  let xflags = 0;
  for (const [flag, xflag] of XFLAGS) if ((inode.flags & flag) !== 0) xflags |= xflag;
  return xflags;
}

/** Sets the flags among `wanted`; there are no extents and no project quotas. */
function setAttributes(t: Task, p: PathRef, wanted: Fsxattr): number {
  const { xflags } = wanted;
  let flags = 0;
  for (const [flag, xflag] of XFLAGS) if ((xflags & xflag) !== 0) flags |= flag;
  const err = mayChangeFlags(t.creds, p, flags);
  if (err < 0) return err;
  const inode = p.dentry.inode!;
  const type = inode.mode & S_IFMT;
  if ((xflags & FS_XFLAG_EXTSIZE) !== 0 && type !== S_IFREG) return -EINVAL;
  if ((xflags & FS_XFLAG_EXTSZINHERIT) !== 0 && type !== S_IFDIR) return -EINVAL;
  const others = xflags & ~(COMMON | READ_ONLY | SIZE_FLAGS);
  if ((others | wanted.extsize | wanted.projid | wanted.cowextsize) !== 0) return -EOPNOTSUPP;
  return inode.setFlags!(flags);
}

/** FS_IOC_FSGETXATTR of a file that `hasFlags`. */
export function getFsxattrOf(t: Task, inode: Inode, addr: number): number {
  const err = inode.refresh();
  if (err < 0) return err;
  const attributes = { xflags: xflagsOf(inode), extsize: 0, nextents: 0, projid: 0, cowextsize: 0 };
  putFsxattr(t.scratchView, 0, attributes);
  return t.copyOut(addr, t.scratch, 0, FSXATTR_SIZE);
}

/** FS_IOC_FSSETXATTR of a file that `hasFlags`. */
export function setFsxattrOf(t: Task, p: PathRef, addr: number): number {
  if (t.copyIn(addr, t.scratch, 0, FSXATTR_SIZE) < 0) return -EFAULT;
  return setAttributes(t, p, getFsxattr(t.scratchView, 0));
}

/** The place and size that file_getattr(2) and file_setattr(2) name. */
function fileAttrArgs(t: Task, args: SyscallArguments): PathRef | number {
  const flags = args.u32(4);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const size = args.addr(3);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < FILE_ATTR_SIZE_VER0) return -EINVAL;
  return walkArg(t, args.i32(0), args.addr(1), walkFlagsOf(flags));
}

/** file_getattr(2). */
export function fileGetattr(t: Task, args: SyscallArguments): SyscallReturn {
  const p = fileAttrArgs(t, args);
  if (typeof p === "number") return p;
  const inode = p.dentry.inode!;
  if (!hasFlags(inode)) return -EOPNOTSUPP;
  const err = inode.refresh();
  if (err < 0) return err;
  const bytes = new Uint8Array(args.addr(3));
  new DataView(bytes.buffer).setUint32(0, xflagsOf(inode), true);
  return t.copyOut(args.addr(2), bytes, 0, bytes.length);
}

/** file_setattr(2). */
export function fileSetattr(t: Task, args: SyscallArguments): SyscallReturn {
  const p = fileAttrArgs(t, args);
  if (typeof p === "number") return p;
  const bytes = new Uint8Array(args.addr(3));
  if (t.copyIn(args.addr(2), bytes, 0, bytes.length) < 0) return -EFAULT;
  if (bytes.subarray(FILE_ATTR_SIZE_VER0).some((b) => b !== 0)) return -E2BIG;
  const v = new DataView(bytes.buffer);
  const xflags = v.getUint32(0, true);
  if ((xflags & ~KNOWN) !== 0 || v.getUint32(4, true) !== 0) return -EINVAL;
  if (!hasFlags(p.dentry.inode!)) return -EOPNOTSUPP;
  return setAttributes(t, p, fieldsOf(v, xflags));
}

/** struct file_attr: a struct fsxattr whose flags take 64 bits. */
function fieldsOf(v: DataView, xflags: number): Fsxattr {
  return {
    xflags,
    extsize: v.getUint32(8, true),
    nextents: v.getUint32(12, true),
    projid: v.getUint32(16, true),
    cowextsize: v.getUint32(20, true),
  };
}

export const rows: readonly SyscallRow[] = [
  [SYS_file_getattr, "file_getattr", fileGetattr, FULL],
  [SYS_file_setattr, "file_setattr", fileSetattr, FULL],
];
