/** Changes of attributes (Linux: fs/attr.c, fs/open.c, fs/utimes.c): who may, and what else changes. */
import { CAP_CHOWN, CAP_FSETID, CAP_LINUX_IMMUTABLE } from "../../platform/abi/capability.ts";
import {
  EACCES,
  EFBIG,
  EINVAL,
  EISDIR,
  EOPNOTSUPP,
  EPERM,
  EROFS,
} from "../../platform/abi/errno.ts";
import { ETXTBSY } from "../../platform/abi/errno.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL } from "../../platform/abi/fs.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID } from "../../platform/abi/stat.ts";
import { S_IXGRP } from "../../platform/abi/stat.ts";
import { XATTR_NAME_CAPS } from "../../platform/abi/xattr.ts";
import { type Credentials, hasCapability, inGroup } from "../auth/credentials.ts";
import { readClock } from "./clock.ts";
import { invalidatePaths } from "./dentry.ts";
import type { FileDescription } from "./file.ts";
import { ATTR_ATIME, ATTR_GID, ATTR_MODE, ATTR_MTIME, ATTR_SIZE, ATTR_UID } from "./inode.ts";
import { type Inode, noAttributes } from "./inode.ts";
import { breakLeases } from "./leases.ts";
import type { PathRef } from "./mount.ts";
import { inodePermission, isFixed, isOwnerOrCapable, MAY_WRITE } from "./permission.ts";

const scratch = noAttributes();

/** chmod(2) on what was found. Returns 0, -EPERM, -EROFS, -EOPNOTSUPP for a symbolic link. */
export function changeMode(creds: Credentials, p: PathRef, mode: number): number {
  const inode = p.dentry.inode!;
  if (p.mount.isReadOnly) return -EROFS;
  if ((inode.mode & S_IFMT) === S_IFLNK) return -EOPNOTSUPP;
  if (isFixed(inode) || !isOwnerOrCapable(creds, inode)) return -EPERM;
  let bits = mode & 0o7777;
  if ((bits & S_ISGID) !== 0 && !inGroup(creds, inode.gid) && !hasCapability(creds, CAP_FSETID)) {
    bits &= ~S_ISGID;
  }
  scratch.mask = ATTR_MODE;
  scratch.mode = (inode.mode & S_IFMT) | bits;
  return setAttributes(inode, creds);
}

/** chown(2); -1 leaves uid or gid as it is. Returns 0, -EPERM, -EROFS. */
export function changeOwner(creds: Credentials, p: PathRef, uid: number, gid: number): number {
  const inode = p.dentry.inode!;
  if (p.mount.isReadOnly) return -EROFS;
  if (isFixed(inode)) return -EPERM;
  const isOwner = creds.fsuid === inode.uid;
  const isCapable = hasCapability(creds, CAP_CHOWN);
  if (uid !== -1 && !(isOwner && uid === inode.uid) && !isCapable) return -EPERM;
  if (gid !== -1 && !(isOwner && (gid === inode.gid || inGroup(creds, gid))) && !isCapable) {
    return -EPERM;
  }
  scratch.mask = 0;
  if (uid !== -1) {
    scratch.mask |= ATTR_UID;
    scratch.uid = uid;
  }
  if (gid !== -1) {
    scratch.mask |= ATTR_GID;
    scratch.gid = gid;
  }
  if ((inode.mode & S_IFMT) !== S_IFDIR) {
    const drop = privilegeBits(creds, inode.mode, inode.gid);
    if (drop !== 0) {
      scratch.mask |= ATTR_MODE;
      scratch.mode = inode.mode & ~drop;
    }
  }
  const err = setAttributes(inode, creds); // The time of change is set even where nothing else is.
  if (err === 0) dropCapabilities(inode);
  return err;
}

/** File capabilities go with the owner and the content that they were given to, whoever changes it (inode_killpriv). */
function dropCapabilities(inode: Inode): void {
  if (!inode.hasCapabilities || (inode.mode & S_IFMT) === S_IFDIR) return;
  inode.hasCapabilities = false;
  inode.removexattr(XATTR_NAME_CAPS);
}

/** Setuid and setgid bits that a change of owner or content takes away (setattr_should_drop_*). */
function privilegeBits(creds: Credentials, mode: number, gid: number): number {
  let bits = mode & S_ISUID;
  if ((mode & S_ISGID) !== 0) {
    const isExecutable = (mode & S_IXGRP) !== 0;
    if (isExecutable || !(inGroup(creds, gid) || hasCapability(creds, CAP_FSETID))) bits |= S_ISGID;
  }
  return bits;
}

/** `nsec` of `changeTimes`: leave as it is, or the present time. */
export const TIME_OMIT = -1;
export const TIME_NOW = -2;

/** utimensat(2). Returns 0, -EACCES (both times now), -EPERM, -EROFS. */
export function changeTimes(
  creds: Credentials,
  p: PathRef,
  atimeSec: number,
  atimeNsec: number,
  mtimeSec: number,
  mtimeNsec: number,
): number {
  const inode = p.dentry.inode!;
  if (atimeNsec === TIME_OMIT && mtimeNsec === TIME_OMIT) return 0;
  if (p.mount.isReadOnly) return -EROFS;
  const setsBothNow = atimeNsec === TIME_NOW && mtimeNsec === TIME_NOW;
  if ((inode.flags & FS_IMMUTABLE_FL) !== 0 || (!setsBothNow && isFixed(inode))) return -EPERM;
  if (!isOwnerOrCapable(creds, inode)) {
    if (atimeNsec !== TIME_NOW || mtimeNsec !== TIME_NOW) return -EPERM;
    if (inodePermission(creds, inode, MAY_WRITE) < 0) return -EACCES;
  }
  const now = readClock();
  scratch.mask = 0;
  if (atimeNsec !== TIME_OMIT) {
    scratch.mask |= ATTR_ATIME;
    scratch.atimeSec = atimeNsec === TIME_NOW ? now.sec : atimeSec;
    scratch.atimeNsec = atimeNsec === TIME_NOW ? now.nsec : atimeNsec;
  }
  if (mtimeNsec !== TIME_OMIT) {
    scratch.mask |= ATTR_MTIME;
    scratch.mtimeSec = mtimeNsec === TIME_NOW ? now.sec : mtimeSec;
    scratch.mtimeNsec = mtimeNsec === TIME_NOW ? now.nsec : mtimeNsec;
  }
  return setAttributes(inode, creds);
}

/**
 * truncate(2): permission, leases (-EAGAIN) and size, -EFBIG for one beyond `limit` that it does not have; for
 * open files see `truncateFile`.
 */
export function truncatePath(
  creds: Credentials,
  p: PathRef,
  size: number,
  limit: number,
): number {
  const inode = p.dentry.inode!;
  const type = inode.mode & S_IFMT;
  if (type === S_IFDIR) return -EISDIR;
  if (type !== S_IFREG) return -EINVAL;
  if (p.mount.isReadOnly) return -EROFS;
  const err = inodePermission(creds, inode, MAY_WRITE);
  if (err < 0) return err;
  if (isFixed(inode)) return -EPERM;
  if (inode.writeCount < 0) return -ETXTBSY;
  const blocked = breakLeases(inode, true);
  if (blocked < 0) return blocked;
  if (exceedsLimit(inode, size, limit)) return -EFBIG;
  return setSize(creds, inode, size, 0);
}

/** ftruncate(2) after the checks of the descriptor: `limit` is looked at, privileges go, then `impl.truncate`. */
export function truncateFile(
  creds: Credentials,
  f: FileDescription,
  size: number,
  limit: number,
): number {
  if ((f.inode.flags & FS_APPEND_FL) !== 0) return -EPERM;
  if (exceedsLimit(f.inode, size, limit)) return -EFBIG;
  const err = removePrivileges(creds, f);
  return err < 0 ? err : f.impl.truncate(f, size);
}

/** Whether a file may not become `size` bytes long (Linux: inode_newsize_ok). */
export function exceedsLimit(inode: Inode, size: number, limit: number): boolean {
  return size > limit && size > inode.size;
}

/** open(2) with O_TRUNC: also an empty file's times change. */
export function setSizeOnOpen(creds: Credentials, f: FileDescription): number {
  const now = readClock();
  scratch.mtimeSec = now.sec;
  scratch.mtimeNsec = now.nsec;
  return setSize(creds, f.inode, 0, ATTR_MTIME);
}

function setSize(creds: Credentials, inode: Inode, size: number, more: number): number {
  scratch.mask = ATTR_SIZE | more;
  scratch.size = size;
  const drop = writeDrops(creds, inode);
  if (drop !== 0) {
    scratch.mask |= ATTR_MODE;
    scratch.mode = inode.mode & ~drop;
  }
  const err = inode.setattr(scratch, creds);
  if (err === 0) dropCapabilities(inode);
  return err;
}

/** Whether `removePrivileges` may have something to do. */
export function hasPrivileges(inode: Inode): boolean {
  return (inode.mode & (S_ISUID | S_ISGID)) !== 0 || inode.hasCapabilities;
}

/** Before data is written: no file capabilities, nor set-id bits unless CAP_FSETID. Returns 0 or -errno. */
export function removePrivileges(creds: Credentials, f: FileDescription): number {
  const inode = f.inode;
  if (!hasPrivileges(inode)) return 0; // The usual way out.
  dropCapabilities(inode);
  const drop = writeDrops(creds, inode);
  if (drop === 0) return 0;
  scratch.mask = ATTR_MODE;
  scratch.mode = inode.mode & ~drop;
  return inode.setattr(scratch, creds);
}

function writeDrops(creds: Credentials, inode: Inode): number {
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0 || (inode.mode & S_IFMT) !== S_IFREG) return 0;
  return hasCapability(creds, CAP_FSETID) ? 0 : privilegeBits(creds, inode.mode, inode.gid);
}

function setAttributes(inode: Inode, creds: Credentials): number {
  const err = inode.setattr(scratch, creds);
  if (err === 0 && (inode.mode & S_IFMT) === S_IFDIR) invalidatePaths();
  return err;
}

/** Whether there are FS_*_FL to read and to set: of regular files and directories of some file systems. */
export function hasFlags(inode: Inode): boolean {
  const type = inode.mode & S_IFMT;
  return inode.setFlags !== undefined && (type === S_IFREG || type === S_IFDIR);
}

/** Whether the flags of a file that `hasFlags` may become `flags`: 0, -EROFS, -EPERM. */
export function mayChangeFlags(creds: Credentials, p: PathRef, flags: number): number {
  const inode = p.dentry.inode!;
  if (p.mount.isReadOnly) return -EROFS;
  if (!isOwnerOrCapable(creds, inode)) return -EPERM;
  const guarded = (flags ^ inode.flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL);
  return guarded !== 0 && !hasCapability(creds, CAP_LINUX_IMMUTABLE) ? -EPERM : 0;
}
