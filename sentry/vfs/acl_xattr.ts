/** Access control lists as extended attributes (Linux: vfs_get_acl, vfs_set_acl, vfs_remove_acl). */
import { CAP_FSETID } from "../../platform/abi/capability.ts";
import { EACCES, EINVAL, ENODATA, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import { ACL_TYPE_ACCESS, ACL_TYPE_DEFAULT } from "../../platform/abi/posix_acl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_ISGID } from "../../platform/abi/stat.ts";
import { type Credentials, hasCapability, inGroup } from "../auth/credentials.ts";
import { invalidatePaths } from "./dentry.ts";
import { ATTR_MODE, type Inode, noAttributes } from "./inode.ts";
import { ACL_NAMES, aclsOf, type AclType, pickAcl } from "./inode_acls.ts";
import { isFixed, isOwnerOrCapable } from "./permission.ts";
import { decodeAcl, type PosixAcl } from "./posix_acl.ts";

function hasAcls(inode: Inode): boolean {
  return inode.fs.hasAcls === true && (inode.mode & S_IFMT) !== S_IFLNK;
}

/** Names of the lists that an inode has. */
export function aclNames(inode: Inode): string[] {
  const acls = aclsOf(inode);
  if (acls === null) return [];
  return ACL_NAMES.filter(([type]) => pickAcl(acls, type) !== null).map(([, name]) => name);
}

/** getxattr(2) of a list, which needs no permission. */
export function getAcl(inode: Inode, type: AclType): Uint8Array | number {
  if (!hasAcls(inode)) return -EOPNOTSUPP;
  return pickAcl(aclsOf(inode), type)?.bytes ?? -ENODATA;
}

/** setxattr(2) of a list. Its flags, XATTR_CREATE and XATTR_REPLACE, do not count on Linux. */
export function setAcl(
  creds: Credentials,
  inode: Inode,
  type: AclType,
  value: Uint8Array,
): number {
  const acl = decodeAcl(value);
  if (typeof acl === "number") return acl;
  if (acl !== null && acl.hasUndefinedId) return -EINVAL;
  return changeAcl(creds, inode, type, acl);
}

/** removexattr(2) of a list: one that is not there is no error. */
export function removeAcl(creds: Credentials, inode: Inode, type: AclType): number {
  return changeAcl(creds, inode, type, null);
}

function changeAcl(
  creds: Credentials,
  inode: Inode,
  type: AclType,
  acl: PosixAcl | null,
): number {
  if (isFixed(inode)) return -EPERM;
  if (!hasAcls(inode)) return -EOPNOTSUPP;
  const isDirectory = (inode.mode & S_IFMT) === S_IFDIR;
  if (type === ACL_TYPE_DEFAULT && !isDirectory) return acl === null ? 0 : -EACCES;
  if (!isOwnerOrCapable(creds, inode)) return -EPERM;
  if (acl !== null && !acl.isValid) return -EINVAL;
  let err = inode.setAcl(type, acl);
  if (err === 0 && type === ACL_TYPE_ACCESS) err = dropSetgid(creds, inode);
  if (err === 0 && isDirectory) invalidatePaths();
  return err;
}

/** As chmod(2) by who is not of the file's group does. */
function dropSetgid(creds: Credentials, inode: Inode): number {
  if ((inode.mode & S_ISGID) === 0) return 0;
  if (inGroup(creds, inode.gid) || hasCapability(creds, CAP_FSETID)) return 0;
  const mode = inode.mode & ~S_ISGID;
  return inode.setattr({ ...noAttributes(), mask: ATTR_MODE, mode }, creds);
}
