/** Who may do what: generic_permission, may_create, may_delete of Linux; see path_resolution(7), acl(5). */
import { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH } from "../../platform/abi/capability.ts";
import { CAP_FOWNER, CAP_FSETID } from "../../platform/abi/capability.ts";
import { EACCES, EBUSY, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS } from "../../platform/abi/errno.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL } from "../../platform/abi/fs.ts";
import { MS_NOEXEC } from "../../platform/abi/mount.ts";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_ISGID } from "../../platform/abi/stat.ts";
import { S_IRWXG, S_ISUID, S_ISVTX, S_IXGRP } from "../../platform/abi/stat.ts";
import { type Credentials, hasCapability, inGroup } from "../auth/credentials.ts";
import type { Dentry } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { aclsOf, inheritedAcl } from "./inode_acls.ts";
import type { Mount } from "./mount.ts";

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/**
 * Whether `creds` may do `want` (MAY_*) to the inode: 0, -EACCES, or -EPERM when it is immutable. Mount
 * flags are not looked at.
 */
export function inodePermission(creds: Credentials, inode: Inode, want: number): number {
  if ((want & MAY_WRITE) !== 0 && (inode.flags & FS_IMMUTABLE_FL) !== 0) return -EPERM;
  const mode = inode.mode;
  const everyone = mode & (mode >>> 3) & (mode >>> 6);
  if ((want & ~everyone & 7) === 0 && inode.acls === null) return 0; // Nobody is refused this.
  const isOwner = creds.fsuid === inode.uid;
  if (!isOwner && inode.acls !== null && (mode & S_IRWXG) !== 0) {
    return listPermission(creds, inode, want);
  }
  const bits = isOwner ? mode >>> 6 : inGroup(creds, inode.gid) ? mode >>> 3 : mode;
  if ((want & ~bits & 7) === 0 || overridesMode(creds, mode, want)) return 0;
  return inode.permitsCaller?.() ? 0 : -EACCES;
}

/**
 * The same of an inode that has access control lists, or may have. They are not asked for where a
 * capability decides.
 */
function listPermission(creds: Credentials, inode: Inode, want: number): number {
  const { mode } = inode;
  if (overridesMode(creds, mode, want)) return 0;
  const acl = aclsOf(inode)?.access ?? null;
  const isGranted = acl === null
    ? (want & ~(inGroup(creds, inode.gid) ? mode >>> 3 : mode) & 7) === 0
    : acl.permits(creds, inode.uid, inode.gid, want & 7);
  return isGranted ? 0 : -EACCES;
}

function overridesMode(creds: Credentials, mode: number, want: number): boolean {
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  const readsOnly = isDirectory ? (want & MAY_WRITE) === 0 : want === MAY_READ;
  if (readsOnly && hasCapability(creds, CAP_DAC_READ_SEARCH)) return true;
  if (!isDirectory && (want & MAY_EXEC) !== 0 && (mode & 0o111) === 0) return false;
  return hasCapability(creds, CAP_DAC_OVERRIDE);
}

/** Search permission on a directory, for each step of a walk. */
export function maySearch(creds: Credentials, inode: Inode): boolean {
  return ((inode.mode & 0o111) === 0o111 && inode.acls === null) ||
    inodePermission(creds, inode, MAY_EXEC) === 0;
}

/** As inodePermission, with -EROFS for writing and -EACCES for executing through `mount`. */
export function pathPermission(
  creds: Credentials,
  mount: Mount,
  inode: Inode,
  want: number,
): number {
  const type = inode.mode & S_IFMT;
  if ((want & MAY_WRITE) !== 0 && mount.isReadOnly) {
    if (type === S_IFREG || type === S_IFDIR || type === S_IFLNK) return -EROFS;
  }
  if ((want & MAY_EXEC) !== 0 && type === S_IFREG && (mount.flags & MS_NOEXEC) !== 0) {
    return -EACCES;
  }
  return inodePermission(creds, inode, want);
}

/** Whether `creds` owns the inode or has CAP_FOWNER. */
export function isOwnerOrCapable(creds: Credentials, inode: Inode): boolean {
  return creds.fsuid === inode.uid || hasCapability(creds, CAP_FOWNER);
}

/** Whether a name may be created in `dir`: 0, -ENOENT (removed directory), -EACCES. */
export function mayCreate(creds: Credentials, dir: Dentry): number {
  if (dir.unlinked) return -ENOENT;
  return inodePermission(creds, dir.inode!, MAY_WRITE | MAY_EXEC);
}

/** Whether the existing name `victim` may be removed from `dir` or replaced by a (non-)directory. */
export function mayDelete(
  creds: Credentials,
  dir: Dentry,
  victim: Dentry,
  wantsDirectory: boolean,
): number {
  const err = inodePermission(creds, dir.inode!, MAY_WRITE | MAY_EXEC);
  if (err < 0) return err;
  if ((dir.inode!.flags & FS_APPEND_FL) !== 0 || isFixed(victim.inode!)) return -EPERM;
  if (refusedBySticky(creds, dir.inode!, victim.inode!)) return -EPERM;
  const isDirectory = (victim.inode!.mode & S_IFMT) === S_IFDIR;
  if (wantsDirectory && !isDirectory) return -ENOTDIR;
  if (!wantsDirectory && isDirectory) return -EISDIR;
  if (victim.parent === null) return -EBUSY;
  return dir.unlinked ? -ENOENT : 0;
}

/** Immutable or append-only (chattr(1)): its names and attributes stay as they are. */
export function isFixed(inode: Inode): boolean {
  return (inode.flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) !== 0;
}

/** /proc/sys/fs/protected_*: what may not be done with what others have put into directories of everyone. */
export const protections = { hardlinks: 1, symlinks: 1, fifos: 1, regular: 2 };

const S_IWOTH = 0o002;
const S_IWGRP = 0o020;

/** Whether it matters whose a link in `dir` is: where everyone may make one, and others cannot remove it. */
export function protectsLinks(dir: Inode): boolean {
  return (dir.mode & (S_ISVTX | S_IWOTH)) === (S_ISVTX | S_IWOTH) && protections.symlinks !== 0;
}

/** Whether a link in such a directory may be followed at the end of a path (Linux: may_follow_link). */
export function mayFollow(creds: Credentials, dir: Inode, link: Inode): boolean {
  return creds.fsuid === link.uid || dir.uid === link.uid;
}

/** Whether a file may be given another name: 0 or -EPERM (Linux: may_linkat). */
export function mayLink(creds: Credentials, inode: Inode): number {
  if (protections.hardlinks === 0 || isOwnerOrCapable(creds, inode)) return 0;
  const { mode } = inode;
  const isSafe = (mode & S_IFMT) === S_IFREG && (mode & S_ISUID) === 0 &&
    (mode & (S_ISGID | S_IXGRP)) !== (S_ISGID | S_IXGRP);
  return isSafe && inodePermission(creds, inode, MAY_READ | MAY_WRITE) === 0 ? 0 : -EPERM;
}

/** Whether open(2) with O_CREAT may find `inode` in `dir`: 0 or -EACCES (Linux: may_create_in_sticky). */
export function mayFindInSticky(creds: Credentials, dir: Inode, inode: Inode): number {
  if ((dir.mode & S_ISVTX) === 0) return 0;
  const type = inode.mode & S_IFMT;
  const { regular, fifos } = protections;
  const level = type === S_IFREG ? regular : type === S_IFIFO ? fifos : 1;
  if (level === 0 || inode.uid === dir.uid || creds.fsuid === inode.uid) return 0;
  const refuses = (dir.mode & S_IWOTH) !== 0 || (level >= 2 && (dir.mode & S_IWGRP) !== 0);
  return refuses ? -EACCES : 0;
}

function refusedBySticky(creds: Credentials, dir: Inode, inode: Inode): boolean {
  if ((dir.mode & S_ISVTX) === 0) return false;
  if (creds.fsuid === inode.uid || creds.fsuid === dir.uid) return false;
  return !hasCapability(creds, CAP_FOWNER);
}

/** Group of a new file in `dir`: the directory's when that is setgid, else the creator's. */
export function newFileGid(dir: Inode, creds: Credentials): number {
  return (dir.mode & S_ISGID) !== 0 ? dir.gid : creds.fsgid;
}

/**
 * Mode of a new file in `dir`: what the umask leaves of `mode`, or the default list where there is one.
 * Directories inherit setgid, others may lose it.
 */
export function newFileMode(
  dir: Inode,
  mode: number,
  creds: Credentials,
  umask: number,
): number {
  const acl = inheritedAcl(dir);
  const refused = acl === null ? umask : ~acl.modeBits & 0o777;
  return setgidMode(dir, mode, creds) & ~refused;
}

function setgidMode(dir: Inode, mode: number, creds: Credentials): number {
  if ((dir.mode & S_ISGID) === 0) return mode;
  if ((mode & S_IFMT) === S_IFDIR) return mode | S_ISGID;
  if ((mode & (S_ISGID | S_IXGRP)) !== (S_ISGID | S_IXGRP)) return mode;
  return inGroup(creds, dir.gid) || hasCapability(creds, CAP_FSETID) ? mode : mode & ~S_ISGID;
}
