/** Extended attributes: who may read and change which (xattr(7); Linux: fs/xattr.c). */
import { CAP_SETFCAP, CAP_SYS_ADMIN, getVfsCapData } from "../../platform/abi/capability.ts";
import {
  VFS_CAP_DATA_SIZE,
  VFS_CAP_REVISION_2,
  VFS_CAP_REVISION_3,
  VFS_CAP_REVISION_MASK,
  XATTR_CAPS_SZ_3,
} from "../../platform/abi/capability.ts";
import { EINVAL, ENODATA, EOPNOTSUPP, EPERM, EROFS } from "../../platform/abi/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG, S_ISVTX } from "../../platform/abi/stat.ts";
import { XATTR_NAME_CAPS, XATTR_SECURITY_PREFIX } from "../../platform/abi/xattr.ts";
import {
  XATTR_SYSTEM_PREFIX,
  XATTR_TRUSTED_PREFIX,
  XATTR_USER_PREFIX,
} from "../../platform/abi/xattr.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import { aclNames, getAcl, removeAcl, setAcl } from "./acl_xattr.ts";
import type { Inode } from "./inode.ts";
import { aclTypeOf } from "./inode_acls.ts";
import type { PathRef } from "./mount.ts";
import { inodePermission, isFixed, isOwnerOrCapable, MAY_READ, MAY_WRITE } from "./permission.ts";

function attributePermission(
  creds: Credentials,
  inode: Inode,
  name: string,
  want: number,
): number {
  if (want === MAY_WRITE && isFixed(inode)) return -EPERM;
  if (name.startsWith(XATTR_SYSTEM_PREFIX)) return 0;
  if (name.startsWith(XATTR_SECURITY_PREFIX)) {
    if (want === MAY_READ) return 0;
    const cap = name === XATTR_NAME_CAPS ? CAP_SETFCAP : CAP_SYS_ADMIN;
    return hasCapability(creds, cap) ? 0 : -EPERM;
  }
  if (name.startsWith(XATTR_TRUSTED_PREFIX)) {
    if (hasCapability(creds, CAP_SYS_ADMIN)) return 0;
    return want === MAY_READ ? -ENODATA : -EPERM;
  }
  if (!name.startsWith(XATTR_USER_PREFIX)) return inodePermission(creds, inode, want);
  const type = inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return want === MAY_READ ? -ENODATA : -EPERM;
  if (type === S_IFDIR && (inode.mode & S_ISVTX) !== 0 && want === MAY_WRITE) {
    if (!isOwnerOrCapable(creds, inode)) return -EPERM;
  }
  return inodePermission(creds, inode, want);
}

/**
 * 0, -EOPNOTSUPP for a name that the file system does not serve, -EINVAL for a prefix alone (Linux:
 * xattr_resolve_name).
 */
function checkName(inode: Inode, name: string): number {
  for (const served of inode.fs.xattrNames ?? []) {
    if (!served.endsWith(".")) {
      if (name === served) return 0;
    } else if (name.startsWith(served)) return name.length === served.length ? -EINVAL : 0;
  }
  return -EOPNOTSUPP;
}

/** Whether the bytes are a value that security.capability may have (Linux: validheader). */
function isCapabilityData(value: Uint8Array): boolean {
  if (value.length < VFS_CAP_DATA_SIZE) return false;
  const { magicEtc } = getVfsCapData(new DataView(value.buffer, value.byteOffset), 0);
  const revision = (magicEtc & VFS_CAP_REVISION_MASK) >>> 0;
  return revision === VFS_CAP_REVISION_2
    ? value.length === VFS_CAP_DATA_SIZE
    : revision === VFS_CAP_REVISION_3 && value.length === XATTR_CAPS_SZ_3;
}

export function getXattr(creds: Credentials, p: PathRef, name: string): Uint8Array | number {
  const inode = p.dentry.inode!;
  const acl = aclTypeOf(name);
  if (acl !== 0) return getAcl(inode, acl);
  const err = attributePermission(creds, inode, name, MAY_READ) || checkName(inode, name);
  return err < 0 ? err : inode.getxattr(name);
}

/** `flags`: XATTR_CREATE, XATTR_REPLACE. */
export function setXattr(
  creds: Credentials,
  p: PathRef,
  name: string,
  value: Uint8Array,
  flags: number,
): number {
  if (p.mount.isReadOnly) return -EROFS;
  if (name === XATTR_NAME_CAPS && value.length > 0 && !isCapabilityData(value)) return -EINVAL;
  const inode = p.dentry.inode!;
  const acl = aclTypeOf(name);
  if (acl !== 0) return setAcl(creds, inode, acl, value);
  const err = attributePermission(creds, inode, name, MAY_WRITE) || checkName(inode, name);
  if (err < 0) return err;
  if (name === XATTR_NAME_CAPS) inode.hasCapabilities = true;
  return inode.setxattr(name, value, flags);
}

export function removeXattr(creds: Credentials, p: PathRef, name: string): number {
  if (p.mount.isReadOnly) return -EROFS;
  const inode = p.dentry.inode!;
  const acl = aclTypeOf(name);
  if (acl !== 0) return removeAcl(creds, inode, acl);
  const err = attributePermission(creds, inode, name, MAY_WRITE) || checkName(inode, name);
  return err < 0 ? err : inode.removexattr(name);
}

/** Names the caller may see; trusted.* needs CAP_SYS_ADMIN. */
export function listXattrs(creds: Credentials, p: PathRef): string[] | number {
  const inode = p.dentry.inode!;
  const others = inode.listxattr();
  if (typeof others === "number") return others;
  const names = [...aclNames(inode), ...others];
  return hasCapability(creds, CAP_SYS_ADMIN)
    ? names
    : names.filter((name) => !name.startsWith(XATTR_TRUSTED_PREFIX));
}
