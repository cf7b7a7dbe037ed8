/** ioctl(2): what every file understands; the rest is the file implementation's. */
import { CAP_SYS_RAWIO } from "../../platform/abi/capability.ts";
import { EBADF, EINVAL, ENOTTY, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import { O_NONBLOCK, O_PATH } from "../../platform/abi/fcntl.ts";
import {
  FIBMAP,
  FICLONE,
  FICLONERANGE,
  FIDEDUPERANGE,
  FIGETBSZ,
  FIOASYNC,
  FIOCLEX,
  FIOGETOWN,
  FIONBIO,
  FIONCLEX,
  FIONREAD,
  FIOQSIZE,
  FIOSETOWN,
  FS_IOC_FIEMAP,
  FS_IOC_FSGETXATTR,
  FS_IOC_FSSETXATTR,
  FS_IOC_GETFLAGS,
  FS_IOC_SETFLAGS,
  SIOCGPGRP,
  SIOCSPGRP,
} from "../../platform/abi/ioctl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../platform/abi/stat.ts";
import { hasCapability } from "../auth/credentials.ts";
import { FD_CLOEXEC } from "../kernel/fd_table.ts";
import {
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { hasFlags, mayChangeFlags } from "../vfs/namei.ts";
import { getOwnerAt, O_ASYNC, sendsSigio, setOwnerAt } from "./async_owner.ts";
import { getFsxattrOf, setFsxattrOf } from "./file_attr.ts";

/** ioctl(2). */
export function ioctl(t: Task, args: SyscallArguments): SyscallReturn {
  const fd = args.i32(0);
  const file = t.fdTable.get(fd);
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  const cmd = args.u32(1);
  const arg = args.addr(2);
  switch (cmd) {
    case FIOCLEX:
      return t.fdTable.setFlags(fd, FD_CLOEXEC);
    case FIONCLEX:
      return t.fdTable.setFlags(fd, 0);
    case FIONBIO:
      return setFlag(t, file, arg, O_NONBLOCK);
    case FIOASYNC:
      return setAsync(t, file, arg);
    case FIOQSIZE:
      return putDataSize(t, file, arg);
    case FIGETBSZ:
      return file.inode.blksize === 0 ? -EINVAL : t.copyOutU32(arg, file.inode.blksize);
    case FICLONE:
    case FICLONERANGE:
    case FIDEDUPERANGE:
      if ((file.inode.mode & S_IFMT) === S_IFREG) return -EOPNOTSUPP;
      break;
    case FIBMAP:
      if ((file.inode.mode & S_IFMT) === S_IFREG) {
        return hasCapability(t.creds, CAP_SYS_RAWIO) ? -EINVAL : -EPERM;
      }
      break;
    case FS_IOC_FIEMAP:
      return -EOPNOTSUPP; // Of any file, as on a file system that does not tell.
    case FS_IOC_GETFLAGS:
      if (!hasFlags(file.inode)) break;
      return t.copyOutU32(arg, file.inode.flags);
    case FS_IOC_SETFLAGS:
      if (!hasFlags(file.inode)) break;
      return setFlagsOf(t, file, arg);
    case FS_IOC_FSGETXATTR:
      if (!hasFlags(file.inode)) break;
      return getFsxattrOf(t, file.inode, arg);
    case FS_IOC_FSSETXATTR:
      if (!hasFlags(file.inode)) break;
      return setFsxattrOf(t, file, arg);
    case FIOSETOWN:
    case SIOCSPGRP:
      if ((file.inode.mode & S_IFMT) === S_IFSOCK) return setOwnerAt(t, fd, file, arg);
      break;
    case FIOGETOWN:
    case SIOCGPGRP:
      if ((file.inode.mode & S_IFMT) === S_IFSOCK) return getOwnerAt(t, file, arg);
      break;
    case FIONREAD:
      if ((file.inode.mode & S_IFMT) === S_IFREG) return putBytesLeft(t, file, arg);
      break;
  }
  const r = file.impl.ioctl(file, t, cmd, arg);
  return typeof r === "number" ? r : held(file, r);
}

/** Keeps the file open while a call that was put off goes on. */
async function held(file: FileDescription, pending: Promise<number>): Promise<number> {
  file.acquire();
  try {
    return await pending;
  } finally {
    file.release();
  }
}

function setFlag(t: Task, file: FileDescription, arg: number, flag: number): number {
  const err = t.copyIn(arg, t.scratch, 0, 4);
  if (err < 0) return err;
  const old = file.flags;
  const wanted = t.scratchView.getInt32(0, true) !== 0 ? old | flag : old & ~flag;
  if (wanted === old) return 0;
  file.flags = wanted;
  file.impl.flagsChanged(file, old);
  return 0;
}

function setAsync(t: Task, file: FileDescription, arg: number): number {
  if (sendsSigio(file)) return setFlag(t, file, arg, O_ASYNC);
  const err = t.copyIn(arg, t.scratch, 0, 4);
  if (err < 0) return err;
  const wanted = t.scratchView.getInt32(0, true) !== 0;
  return wanted === ((file.flags & O_ASYNC) !== 0) ? 0 : -ENOTTY;
}

/** FS_IOC_SETFLAGS: what chattr(1) does. */
function setFlagsOf(t: Task, file: FileDescription, arg: number): number {
  const err = t.copyIn(arg, t.scratch, 0, 4);
  if (err < 0) return err;
  const flags = t.scratchView.getUint32(0, true);
  const refusal = mayChangeFlags(t.creds, file, flags);
  return refusal < 0 ? refusal : file.inode.setFlags!(flags);
}

/** FIOQSIZE: the bytes a file's blocks take, of files that have some. */
function putDataSize(t: Task, file: FileDescription, arg: number): number {
  const type = file.inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR && type !== S_IFLNK) return -ENOTTY;
  const err = file.inode.refresh();
  return err < 0 ? err : t.copyOutI64(arg, file.inode.blocks * 512);
}

/** FIONREAD of a regular file. */
function putBytesLeft(t: Task, file: FileDescription, arg: number): number {
  const err = file.inode.refresh();
  if (err < 0) return err;
  return t.copyOutU32(
    arg,
    Math.max(-0x8000_0000, Math.min(file.inode.size - file.offset, 0x7fff_ffff)),
  );
}

export const rows: SyscallRow[] = [
  [16, "ioctl", ioctl, PARTIAL, "requests of the devices that there are"],
];
