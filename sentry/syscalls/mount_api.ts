/** Mounts by descriptor: open_tree(2), move_mount(2), mount_setattr(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import { E2BIG, EFAULT, EINVAL, ENOENT, ENOTDIR, EPERM } from "../../platform/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
} from "../../platform/abi/fcntl.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_SIZE_VER0,
  MOUNT_ATTR_STRICTATIME,
  MOVE_MOUNT_BENEATH,
  MOVE_MOUNT_F_AUTOMOUNTS,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_F_SYMLINKS,
  MOVE_MOUNT_T_AUTOMOUNTS,
  MOVE_MOUNT_T_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  OPEN_TREE_CLONE,
} from "../../platform/abi/mount.ts";
import { hasCapability } from "../auth/credentials.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { PathRef } from "../vfs/mount.ts";
import { isDirectory, openDetached, openPath, WALK_EMPTY, WALK_NOFOLLOW } from "../vfs/namei.ts";
import { walkArg, walkFlagsOf } from "./path_args.ts";

const OPEN_TREE_CLOEXEC = O_CLOEXEC;

/** Gives `file` a number; it is let go when there is none. */
export function installNew(t: Task, file: FileDescription, cloexec: boolean): number {
  const fd = t.fdTable.install(file, cloexec ? O_CLOEXEC : 0);
  if (fd < 0) file.release();
  return fd;
}

/** open_tree(2). */
export function openTree(t: Task, args: SyscallArguments): number {
  const flags = args.u32(2);
  const known = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if ((flags & ~known) !== 0) return -EINVAL;
  const clones = (flags & OPEN_TREE_CLONE) !== 0;
  if ((flags & AT_RECURSIVE) !== 0 && !clones) return -EINVAL;
  if (clones && !hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const p = walkArg(t, args.i32(0), args.addr(1), walkFlagsOf(flags));
  if (typeof p === "number") return p;
  const cloexec = (flags & OPEN_TREE_CLOEXEC) !== 0;
  if (!clones) {
    const file = openPath(t.fs.walkContext(t.creds), p, O_PATH);
    return typeof file === "number" ? file : installNew(t, file, cloexec);
  }
  const tree = t.fs.mountNs.copy(p, (flags & AT_RECURSIVE) !== 0);
  return typeof tree === "number" ? tree : installNew(t, openDetached(tree), cloexec);
}

/** move_mount(2). */
export function moveMount(t: Task, args: SyscallArguments): number {
  const flags = args.u32(4);
  const known = MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS | MOVE_MOUNT_F_EMPTY_PATH |
    MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS | MOVE_MOUNT_T_EMPTY_PATH |
    MOVE_MOUNT_BENEATH;
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & ~known) !== 0) return -EINVAL;
  const has = (flag: number) => (flags & flag) !== 0;
  const to = walkArg(
    t,
    args.i32(2),
    args.addr(3),
    walkFlags(has(MOVE_MOUNT_T_SYMLINKS), has(MOVE_MOUNT_T_EMPTY_PATH)),
  );
  if (typeof to === "number") return to;
  const from = walkArg(
    t,
    args.i32(0),
    args.addr(1),
    walkFlags(has(MOVE_MOUNT_F_SYMLINKS), has(MOVE_MOUNT_F_EMPTY_PATH)),
  );
  if (typeof from === "number") return from;
  if (from.dentry !== from.mount.root) return -EINVAL;
  if (to.dentry.unlinked) return -ENOENT;
  if (isDirectory(from.dentry.inode!) !== isDirectory(to.dentry.inode!)) return -ENOTDIR;
  return t.fs.mountNs.move(from, to, has(MOVE_MOUNT_BENEATH));
}

function walkFlags(follows: boolean, mayBeEmpty: boolean): number {
  return (follows ? 0 : WALK_NOFOLLOW) | (mayBeEmpty ? WALK_EMPTY : 0);
}

/** [MOUNT_ATTR_*, MS_*] */
const ATTRIBUTES: readonly (readonly [number, number])[] = [
  [MOUNT_ATTR_RDONLY, MS_RDONLY],
  [MOUNT_ATTR_NOSUID, MS_NOSUID],
  [MOUNT_ATTR_NODEV, MS_NODEV],
  [MOUNT_ATTR_NOEXEC, MS_NOEXEC],
  [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME],
  [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW],
];
const KNOWN_ATTRIBUTES = ATTRIBUTES.reduce((all, [attr]) => all | attr, MOUNT_ATTR__ATIME);

/** MOUNT_ATTR_* as a mount's MS_* flags; -EINVAL for what is not known. */
export function flagsOfAttributes(attributes: number): number {
  const atime = attributes & MOUNT_ATTR__ATIME;
  if ((attributes & ~KNOWN_ATTRIBUTES) !== 0) return -EINVAL;
  let flags = atime === MOUNT_ATTR_NOATIME ? MS_NOATIME : 0;
  if (atime === MOUNT_ATTR_STRICTATIME) flags |= MS_STRICTATIME;
  else if (atime !== MOUNT_ATTR_NOATIME && atime !== 0) return -EINVAL;
  for (const [attr, flag] of ATTRIBUTES) if ((attributes & attr) !== 0) flags |= flag;
  return flags;
}

/** A mount's MS_* flags as MOUNT_ATTR_*. */
export function attributesOfFlags(flags: number): number {
  let attributes = (flags & MS_NOATIME) !== 0 ? MOUNT_ATTR_NOATIME : 0;
  if ((flags & MS_STRICTATIME) !== 0) attributes |= MOUNT_ATTR_STRICTATIME;
  for (const [attr, flag] of ATTRIBUTES) if ((flags & flag) !== 0) attributes |= attr;
  return attributes;
}

/** What mount_setattr(2) changes of each mount. */
interface Change {
  set: number;
  clear: number;
  /** MS_SHARED …, or 0. */
  propagation: number;
}

/** mount_setattr(2). */
export function mountSetattr(t: Task, args: SyscallArguments): number {
  const flags = args.u32(2);
  const known = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if ((flags & ~known) !== 0) return -EINVAL;
  const size = args.addr(4);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < MOUNT_ATTR_SIZE_VER0) return -EINVAL;
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const change = copyInChange(t, args.addr(3), size);
  if (change === null || typeof change === "number") return change ?? 0;
  const p = walkArg(t, args.i32(0), args.addr(1), walkFlagsOf(flags));
  return typeof p === "number" ? p : applyChange(p, t, change, (flags & AT_RECURSIVE) !== 0);
}

/** struct mount_attr; null when it asks for nothing. */
function copyInChange(t: Task, addr: number, size: number): Change | null | number {
  const bytes = new Uint8Array(size);
  if (t.copyIn(addr, bytes, 0, size) < 0) return -EFAULT;
  if (bytes.subarray(MOUNT_ATTR_SIZE_VER0).some((b) => b !== 0)) return -E2BIG;
  if (bytes.every((b) => b === 0)) return null;
  const words = new Uint32Array(bytes.buffer, 0, MOUNT_ATTR_SIZE_VER0 / 4);
  const [set, setHigh, clear, clearHigh, propagation, propagationHigh] = words;
  const kinds = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  if ((setHigh | clearHigh | propagationHigh | words[6] | words[7]) !== 0) return -EINVAL;
  if ((propagation & ~kinds) !== 0 || (propagation & (propagation - 1)) !== 0) return -EINVAL;
  if (((set | clear) & ~KNOWN_ATTRIBUTES) !== 0) return -EINVAL;
  const setFlags = flagsOfAttributes(set);
  if (setFlags < 0) return setFlags;
  // The access time is one choice of several: to choose, all of it is cleared.
  const clearsAtime = (clear & MOUNT_ATTR__ATIME) === MOUNT_ATTR__ATIME;
  if (((set | clear) & MOUNT_ATTR__ATIME) !== 0 && !clearsAtime) return -EINVAL;
  let clearFlags = clearsAtime ? MS_NOATIME | MS_STRICTATIME : 0;
  for (const [attr, flag] of ATTRIBUTES) if ((clear & attr) !== 0) clearFlags |= flag;
  return { set: setFlags, clear: clearFlags, propagation };
}

function applyChange(p: PathRef, t: Task, change: Change, recursive: boolean): number {
  const ns = p.mount.ns;
  if (p.dentry !== p.mount.root || ns === null) return -EINVAL;
  if (ns !== t.fs.mountNs && !ns.anonymous) return -EINVAL;
  if ((change.set | change.clear) !== 0) {
    const err = ns.changeFlags(p.mount, change.set, change.clear, recursive);
    if (err < 0) return err;
  }
  if (change.propagation === 0) return 0;
  return ns.changePropagation(p.mount, change.propagation, recursive);
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_open_tree, "open_tree", openTree, FULL],
  [nr.SYS_move_mount, "move_mount", moveMount, PARTIAL, "no MOVE_MOUNT_SET_GROUP"],
  [nr.SYS_mount_setattr, "mount_setattr", mountSetattr, PARTIAL, "no MOUNT_ATTR_IDMAP"],
];
