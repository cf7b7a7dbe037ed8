/** mount(2), umount2(2), pivot_root(2). */
import { SYS_mount, SYS_pivot_root, SYS_umount2 } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import { EAGAIN, EBUSY, EINVAL, ENODEV, ENOENT, ENOTDIR, EPERM } from "../../platform/abi/errno.ts";
import { AT_FDCWD } from "../../platform/abi/fcntl.ts";
import { PAGE_SIZE, PATH_MAX } from "../../platform/abi/limits.ts";
import { MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND } from "../../platform/abi/mount.ts";
import {
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_NOATIME,
  MS_NOUSER,
} from "../../platform/abi/mount.ts";
import { MS_NODIRATIME, MS_PRIVATE, MS_REC, MS_RELATIME } from "../../platform/abi/mount.ts";
import { MS_RDONLY, MS_REMOUNT, MS_SHARED, MS_SILENT, MS_SLAVE } from "../../platform/abi/mount.ts";
import { MS_STRICTATIME, MS_UNBINDABLE, UMOUNT_NOFOLLOW } from "../../platform/abi/mount.ts";
import { hasCapability } from "../auth/credentials.ts";
import { takeBackQuiet } from "../kernel/fd_table.ts";
import { FULL, type SyscallArguments } from "../kernel/syscall.ts";
import type { SyscallReturn, SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FsContext } from "../kernel/fs_context.ts";
import { invalidatePaths } from "../vfs/dentry.ts";
import {
  acquirePath,
  crossMounts,
  isPathBelow,
  isUsed,
  type Mount,
  MOUNT_FLAGS_MASK,
  newMount,
} from "../vfs/mount.ts";
import type { PathRef } from "../vfs/mount.ts";
import {
  isDirectory,
  isLink,
  WALK_DIRECTORY,
  WALK_KEEP_EXPIRY,
  WALK_NOFOLLOW,
} from "../vfs/namei.ts";
import { stopPathAnswers } from "../vfs/path_answers.ts";
import { copyInText, walkArg } from "./path_args.ts";

const PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
const ATIME_FLAGS = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;

/** mount(2). */
export function mount(t: Task, args: SyscallArguments): SyscallReturn {
  const type = copyInOptional(t, args.addr(2));
  if (typeof type === "number") return type;
  const source = copyInOptional(t, args.addr(0));
  if (typeof source === "number") return source;
  const options = copyInOptional(t, args.addr(4));
  if (typeof options === "number") return options;
  const target = walkArg(t, AT_FDCWD, args.addr(1), 0);
  if (typeof target === "number") return target;
  let flags = args.u32(3);
  if (((flags & MS_MGC_MSK) >>> 0) === MS_MGC_VAL) flags &= ~MS_MGC_MSK;
  if ((flags & MS_NOUSER) !== 0) return -EINVAL;
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if (isLink(target.dentry.inode!)) return -ENOENT; // By /proc/PID/fd of an O_PATH descriptor.
  return doMount(t, source, target, type, flags, options, args.addr(0));
}

/** A string that may be null. -EFAULT, -EINVAL when it is too long. */
function copyInOptional(t: Task, addr: number): string | null | number {
  return addr === 0 ? null : copyInText(t, addr, Math.max(PATH_MAX, PAGE_SIZE));
}

function doMount(
  t: Task,
  source: string | null,
  target: PathRef,
  type: string | null,
  flags: number,
  options: string | null,
  sourceAddr: number,
): number {
  const ns = t.fs.mountNs;
  if ((flags & MS_REMOUNT) !== 0) return remount(t, target, flags, options ?? "");
  if ((flags & MS_BIND) !== 0) return bind(t, sourceAddr, target, (flags & MS_REC) !== 0);
  if ((flags & PROPAGATION) !== 0) return changePropagation(t, target, flags);
  if ((flags & MS_MOVE) !== 0) {
    const from = walkArg(t, AT_FDCWD, sourceAddr, 0);
    if (typeof from === "number") return from;
    const err = checkMountpoint(from, target);
    return err < 0 ? err : ns.move(from, target);
  }
  if (type === null) return -EINVAL;
  const fsType = t.kernel.fsTypes.get(type);
  if (fsType === undefined) return -ENODEV;
  if (target.dentry.unlinked) return -ENOENT;
  const fs = fsType.mount(source ?? "", options ?? "", t.creds);
  if (typeof fs === "number") return fs;
  if (isDirectory(fs.root) !== isDirectory(target.dentry.inode!)) {
    newMount(fs, source ?? "", 0).release();
    return -ENOTDIR;
  }
  if (!isUsed(fs)) fs.readOnly = (flags & MS_RDONLY) !== 0;
  return ns.mount(fs, source ?? "none", flags & MOUNT_FLAGS_MASK, target);
}

/** A directory is mounted on a directory, another file on another file. */
function checkMountpoint(from: PathRef, target: PathRef): number {
  if (target.dentry.unlinked) return -ENOENT;
  const same = isDirectory(from.dentry.inode!) === isDirectory(target.dentry.inode!);
  return same ? 0 : -ENOTDIR;
}

function bind(t: Task, sourceAddr: number, target: PathRef, recursive: boolean): number {
  if (sourceAddr === 0) return -EINVAL;
  const from = walkArg(t, AT_FDCWD, sourceAddr, 0);
  if (typeof from === "number") return from;
  const err = checkMountpoint(from, target);
  return err < 0 ? err : t.fs.mountNs.bind(from, recursive, target);
}

/** MS_REMOUNT; with MS_BIND the flags of the mount alone. */
function remount(t: Task, target: PathRef, flags: number, options: string): number {
  const { mount } = target;
  if (target.dentry !== mount.root) return -EINVAL;
  let kept = flags & MOUNT_FLAGS_MASK;
  if ((flags & ATIME_FLAGS) === 0) kept |= mount.flags & ATIME_FLAGS;
  if (mount.refuses(kept)) return -EBUSY;
  if ((flags & MS_BIND) === 0) {
    const err = mount.fs.remount?.(options) ?? 0;
    if (err < 0) return err;
    mount.fs.readOnly = (flags & MS_RDONLY) !== 0;
  }
  return t.fs.mountNs.remount(mount, kept);
}

/** MS_SHARED and friends. */
function changePropagation(t: Task, target: PathRef, flags: number): number {
  const kind = flags & PROPAGATION;
  if ((kind & (kind - 1)) !== 0) return -EINVAL;
  if ((flags & ~(PROPAGATION | MS_REC | MS_SILENT)) !== 0) return -EINVAL;
  if (target.dentry !== target.mount.root) return -EINVAL;
  return t.fs.mountNs.changePropagation(target.mount, kind, (flags & MS_REC) !== 0);
}

/** umount2(2). */
export function umount2(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(1);
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  takeBackQuiet();
  const nofollow = (flags & UMOUNT_NOFOLLOW) !== 0 ? WALK_NOFOLLOW : 0;
  const found = walkArg(t, AT_FDCWD, args.addr(0), nofollow | WALK_KEEP_EXPIRY);
  if (typeof found === "number") return found;
  const p = crossMounts(found); // Also "." means what is stacked there (LOOKUP_MOUNTPOINT).
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if (p.dentry !== p.mount.root || p.mount.ns !== t.fs.mountNs) return -EINVAL;
  if ((flags & MNT_EXPIRE) !== 0) {
    if ((flags & (MNT_FORCE | MNT_DETACH)) !== 0) return -EINVAL;
    return expire(t, p.mount);
  }
  return t.fs.mountNs.unmount(p.mount, (flags & MNT_DETACH) !== 0);
}

/** MNT_EXPIRE: the first call marks, the second unmounts what was not used in between. */
function expire(t: Task, mount: Mount): number {
  if (mount.refs > 1 || mount === t.fs.root.mount) return -EBUSY;
  if (!mount.expiring) {
    mount.expiring = true;
    invalidatePaths(); // A cached path would pass it unseen.
    return -EAGAIN;
  }
  return t.fs.mountNs.unmount(mount, false);
}

/** pivot_root(2). */
export function pivotRoot(t: Task, args: SyscallArguments): SyscallReturn {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const newRoot = walkArg(t, AT_FDCWD, args.addr(0), WALK_DIRECTORY);
  if (typeof newRoot === "number") return newRoot;
  acquirePath(newRoot);
  const err = pivotTo(t, newRoot, args.addr(1));
  newRoot.dentry.release();
  newRoot.mount.release();
  return err;
}

function pivotTo(t: Task, newRoot: PathRef, putOldAddr: number): number {
  const putOld = walkArg(t, AT_FDCWD, putOldAddr, WALK_DIRECTORY);
  if (typeof putOld === "number") return putOld;
  const ns = t.fs.mountNs;
  const root = t.fs.root;
  if (newRoot.mount.ns !== ns || root.mount.ns !== ns) return -EINVAL;
  if (newRoot.dentry.unlinked) return -ENOENT;
  if (newRoot.mount === root.mount || putOld.mount === root.mount) return -EBUSY;
  if (root.dentry !== root.mount.root || newRoot.dentry !== newRoot.mount.root) return -EINVAL;
  if (newRoot.mount.parent === null) return -EINVAL;
  if (!isPathBelow(putOld, newRoot) || !isPathBelow(newRoot, root)) return -EINVAL;
  const err = ns.pivot(newRoot.mount, root.mount, putOld);
  if (err < 0) return err;
  stopPathAnswers(); // Others run on with a root that was another's.
  const seen = new Set<FsContext>();
  for (const other of t.kernel.tasks.values()) if (other.fs !== null) seen.add(other.fs);
  for (const fs of seen) {
    if (isSame(fs.root, root)) fs.setRoot(acquirePath(newRoot));
    if (isSame(fs.cwd, root)) fs.setCwd(acquirePath(newRoot));
  }
  return 0;
}

function isSame(a: PathRef, b: PathRef): boolean {
  return a.mount === b.mount && a.dentry === b.dentry;
}

export const rows: readonly SyscallRow[] = [
  [SYS_mount, "mount", mount, FULL],
  [SYS_umount2, "umount2", umount2, FULL],
  [SYS_pivot_root, "pivot_root", pivotRoot, FULL],
];
