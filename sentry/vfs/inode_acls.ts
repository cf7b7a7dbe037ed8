/** The two access control lists of an inode (acl(5)): the one that decides, and the one to inherit. */
import { ACL_TYPE_ACCESS, ACL_TYPE_DEFAULT } from "../../platform/abi/posix_acl.ts";
import { S_IFDIR, S_IFMT } from "../../platform/abi/stat.ts";
import {
  XATTR_NAME_POSIX_ACL_ACCESS,
  XATTR_NAME_POSIX_ACL_DEFAULT,
} from "../../platform/abi/xattr.ts";
import type { Inode } from "./inode.ts";
import type { PosixAcl } from "./posix_acl.ts";

/** At least one is there. */
export interface InodeAcls {
  /** Never minimal: the mode would say the same. */
  readonly access: PosixAcl | null;
  /** Of directories: for what is made in them. */
  readonly inherited: PosixAcl | null;
}

export type AclType = typeof ACL_TYPE_ACCESS | typeof ACL_TYPE_DEFAULT;

/** Each kind of list with the name of its extended attribute, in the order of listxattr(2). */
export const ACL_NAMES: readonly (readonly [AclType, string])[] = [
  [ACL_TYPE_ACCESS, XATTR_NAME_POSIX_ACL_ACCESS],
  [ACL_TYPE_DEFAULT, XATTR_NAME_POSIX_ACL_DEFAULT],
];

/** The kind of list that an extended attribute's name is of, or 0. */
export function aclTypeOf(name: string): AclType | 0 {
  return ACL_NAMES.find((row) => row[1] === name)?.[0] ?? 0;
}

/** An inode's lists; asks its file system where they are not known. */
export function aclsOf(inode: Inode): InodeAcls | null {
  const { acls } = inode;
  return acls === undefined ? inode.loadAcls() : acls;
}

/** One of the lists. */
export function pickAcl(acls: InodeAcls | null, type: AclType): PosixAcl | null {
  if (acls === null) return null;
  return type === ACL_TYPE_ACCESS ? acls.access : acls.inherited;
}

/** The same lists with `acl` for the one of that kind. */
export function replaceAcl(
  acls: InodeAcls | null,
  type: AclType,
  acl: PosixAcl | null,
): InodeAcls | null {
  const access = type === ACL_TYPE_ACCESS ? acl : acls?.access ?? null;
  const inherited = type === ACL_TYPE_DEFAULT ? acl : acls?.inherited ?? null;
  return access === null && inherited === null ? null : { access, inherited };
}

/** `Inode.setAcl` without its time of change, for inodes that live in the Sentry (Linux: simple_set_acl). */
export function storeAcl(inode: Inode, type: AclType, acl: PosixAcl | null): void {
  if (type === ACL_TYPE_ACCESS && acl !== null) {
    inode.mode = (inode.mode & ~0o777) | acl.modeBits;
    if (acl.isMinimal) acl = null;
  }
  inode.acls = replaceAcl(inode.acls ?? null, type, acl);
}

/** The mode of an inode that lives in the Sentry was changed: its list follows. */
export function modeChanged(inode: Inode): void {
  const { acls } = inode;
  if (!acls || acls.access === null) return;
  inode.acls = { access: acls.access.withMode(inode.mode), inherited: acls.inherited };
}

/** A directory's default list. */
export function inheritedAcl(dir: Inode): PosixAcl | null {
  return dir.acls === null ? null : aclsOf(dir)?.inherited ?? null;
}

/** Gives `inode`, just made in `dir`, the lists that it inherits (Linux: posix_acl_create). */
export function inheritAcls(dir: Inode, inode: Inode): void {
  const acl = inheritedAcl(dir);
  if (acl === null) return;
  const access = acl.isMinimal ? null : acl.forNewFile(inode.mode);
  const inherited = (inode.mode & S_IFMT) === S_IFDIR ? acl : null;
  if (access !== null || inherited !== null) inode.initAcls({ access, inherited });
}
