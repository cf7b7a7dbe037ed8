/** fcntl(2). Its locks are in lock.ts, its signals in async_owner.ts. */
import { SYS_fcntl } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_RESOURCE } from "../../platform/abi/capability.ts";
import { EBADF, EBUSY, EINVAL, ENOTDIR, EPERM } from "../../platform/abi/errno.ts";
import {
  F_ADD_SEALS,
  F_CREATED_QUERY,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GET_RW_HINT,
  F_GET_SEALS,
  F_GETFD,
  F_GETFL,
  F_GETLEASE,
  F_GETLK,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETOWNER_UIDS,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_NOTIFY,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  F_SET_RW_HINT,
  F_SETFD,
  F_SETFL,
  F_SETLEASE,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  O_APPEND,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  RWH_WRITE_LIFE_EXTREME,
} from "../../platform/abi/fcntl.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { hasCapability } from "../auth/credentials.ts";
import { PARTIAL, type SyscallArguments, type SyscallReturn } from "../kernel/syscall.ts";
import type { SyscallRow } from "../kernel/syscall.ts";
import { FS_APPEND_FL } from "../../platform/abi/fs.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";
import { getLease } from "../vfs/leases.ts";
import { isOwnerOrCapable } from "../vfs/namei.ts";
import {
  asyncChanged,
  getOwner,
  getOwnerEx,
  getOwnerIds,
  getSignal,
  O_ASYNC,
  sendsSigio,
} from "./async_owner.ts";
import { setOwner, setOwnerEx, setSignal } from "./async_owner.ts";
import { installDuplicate } from "./file.ts";
import { doSetLease } from "./lease.ts";
import { getLock, setLock } from "./lock.ts";

const SETTABLE = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
const F_SEAL_EXEC = 0x20;
const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |
  F_SEAL_EXEC;

/** fcntl(2). */
export function fcntl(t: Task, args: SyscallArguments): SyscallReturn {
  const fd = args.i32(0);
  const cmd = args.i32(1);
  const file = t.fdTable.get(fd);
  if (file === null) return -EBADF;
  switch (cmd) {
    case F_GETFD:
      return t.fdTable.getFlags(fd);
    case F_SETFD:
      return t.fdTable.setFlags(fd, args.i32(2));
    case F_GETFL:
      return file.flags;
    case F_DUPFD:
      return duplicate(t, file, args.u32(2), 0);
    case F_DUPFD_CLOEXEC:
      return duplicate(t, file, args.u32(2), O_CLOEXEC);
    case F_CREATED_QUERY:
      return file.wasCreated ? 1 : 0;
    case F_DUPFD_QUERY: {
      const other = t.fdTable.get(args.i32(2));
      return other === null ? -EBADF : other === file ? 1 : 0;
    }
  }
  if ((file.flags & O_PATH) !== 0) return -EBADF;
  return openFileCommand(t, args, fd, cmd, file);
}

/** Commands for what O_PATH does not give. */
function openFileCommand(
  t: Task,
  args: SyscallArguments,
  fd: number,
  cmd: number,
  file: FileDescription,
): SyscallReturn {
  switch (cmd) {
    case F_SETFL:
      return setStatusFlags(t, fd, file, args.i32(2));
    case F_GETLK:
    case F_OFD_GETLK:
      return getLock(t, file, cmd, args.addr(2));
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return setLock(t, fd, file, cmd, args.addr(2));
    case F_SETOWN:
      return setOwner(t, fd, file, args.i32(2));
    case F_GETOWN:
      return getOwner(file);
    case F_SETOWN_EX:
      return setOwnerEx(t, fd, file, args.addr(2));
    case F_GETOWN_EX:
      return getOwnerEx(t, file, args.addr(2));
    case F_SETSIG:
      return setSignal(t, fd, file, args.i32(2));
    case F_GETSIG:
      return getSignal(file);
    case F_GETOWNER_UIDS:
      return getOwnerIds(t, file, args.addr(2));
    case F_GETPIPE_SZ:
      return file.impl.pipeSize?.() ?? -EBADF;
    case F_SETPIPE_SZ:
      return file.impl.setPipeSize?.(args.u32(2), hasCapability(t.creds, CAP_SYS_RESOURCE)) ??
        -EBADF;
    case F_GET_SEALS:
      return file.inode.seals < 0 ? -EINVAL : file.inode.seals;
    case F_ADD_SEALS:
      return addSeals(t, file, args.u32(2));
    case F_GETLEASE:
      return getLease(file);
    case F_SETLEASE:
      return doSetLease(t, fd, file, args.i32(2));
    case F_NOTIFY:
      t.kernel.stub(t, "fcntl F_NOTIFY");
      return (file.inode.mode & S_IFMT) === S_IFDIR ? -EINVAL : -ENOTDIR;
    case F_GET_RW_HINT:
      return t.copyOutI64(args.addr(2), writeHints.get(file.inode) ?? 0);
    case F_SET_RW_HINT:
      return setWriteHint(t, file.inode, args.addr(2));
    default:
      return -EINVAL;
  }
}

function duplicate(t: Task, file: FileDescription, minFd: number, flags: number): number {
  return minFd >= t.fdTable.noFileLimit ? -EINVAL : installDuplicate(t, file, flags, minFd);
}

function setStatusFlags(t: Task, fd: number, file: FileDescription, flags: number): number {
  const old = file.flags;
  const isAppendOnly = (file.inode.flags & FS_APPEND_FL) !== 0;
  if (isAppendOnly && ((flags ^ old) & O_APPEND) !== 0) return -EPERM;
  if ((flags & ~old & O_NOATIME) !== 0 && !isOwnerOrCapable(t.creds, file.inode)) return -EPERM;
  const type = file.inode.mode & S_IFMT;
  // Of a pipe it asks for packets.
  if ((flags & O_DIRECT) !== 0 && type !== S_IFREG && type !== S_IFIFO) return -EINVAL;
  const settable = sendsSigio(file) ? SETTABLE | O_ASYNC : SETTABLE;
  const changed = (old & ~settable) | (flags & settable);
  if (changed === old) return 0;
  file.flags = changed;
  file.impl.flagsChanged(file, old);
  if (((old ^ changed) & O_ASYNC) !== 0) asyncChanged(t, fd, file);
  return 0;
}

function addSeals(t: Task, file: FileDescription, seals: number): number {
  if (!file.writable) return -EPERM;
  const { inode } = file;
  if ((seals & ~ALL_SEALS) !== 0 || inode.seals < 0) return -EINVAL;
  if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
  if ((seals & ~inode.seals & F_SEAL_WRITE) !== 0 && isMappedWritable(t, inode)) return -EBUSY;
  return file.inode.addSeals!(seals);
}

/** Whether some process has a shared mapping of the file that it may write. */
function isMappedWritable(t: Task, inode: Inode): boolean {
  const seen = new Set<object>();
  for (const other of t.kernel.tasks.values()) {
    if (other.exiting || seen.has(other.mm)) continue;
    seen.add(other.mm);
    for (const vma of other.mm.vmas.all) {
      if (!vma.shared) continue;
      if (vma.file?.inode === inode && (vma.maxProt & PROT_WRITE) !== 0) return true;
    }
  }
  return false;
}

/** RWH_*: remembered and given back, nothing else. */
const writeHints = new WeakMap<Inode, number>();

function setWriteHint(t: Task, inode: Inode, addr: number): number {
  if (!isOwnerOrCapable(t.creds, inode)) return -EPERM;
  const err = t.copyIn(addr, t.scratch, 0, 8);
  if (err < 0) return err;
  const hint = t.scratchView.getUint32(0, true);
  if (t.scratchView.getUint32(4, true) !== 0 || hint > RWH_WRITE_LIFE_EXTREME) return -EINVAL;
  writeHints.set(inode, hint);
  return 0;
}

export const rows: readonly SyscallRow[] = [
  [SYS_fcntl, "fcntl", fcntl, PARTIAL, "no F_NOTIFY"],
];
