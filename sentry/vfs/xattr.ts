/** Extended attributes: who may read and change which (xattr(7); Linux: fs/xattr.c). */
import { CAP_SETFCAP, CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import { ENODATA, EOPNOTSUPP, EPERM, EROFS } from "../../platform/abi/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG, S_ISVTX } from "../../platform/abi/stat.ts";
import { XATTR_NAME_CAPS, XATTR_SECURITY_PREFIX } from "../../platform/abi/xattr.ts";
import { XATTR_TRUSTED_PREFIX, XATTR_USER_PREFIX } from "../../platform/abi/xattr.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import type { Inode } from "./inode.ts";
import type { PathRef } from "./mount.ts";
import { inodePermission, isFixed, isOwnerOrCapable, MAY_READ, MAY_WRITE } from "./permission.ts";

function attributePermission(
  creds: Credentials,
  inode: Inode,
  name: string,
  want: number,
): number {
  if (want === MAY_WRITE && isFixed(inode)) return -EPERM;
  if (name.startsWith(XATTR_SECURITY_PREFIX)) {
    if (want === MAY_READ) return 0;
    const cap = name === XATTR_NAME_CAPS ? CAP_SETFCAP : CAP_SYS_ADMIN;
    return hasCapability(creds, cap) ? 0 : -EPERM;
  }
  if (name.startsWith(XATTR_TRUSTED_PREFIX)) {
    if (hasCapability(creds, CAP_SYS_ADMIN)) return 0;
    return want === MAY_READ ? -ENODATA : -EPERM;
  }
  if (!name.startsWith(XATTR_USER_PREFIX) || name.length === XATTR_USER_PREFIX.length) {
    return -EOPNOTSUPP;
  }
  const type = inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return want === MAY_READ ? -ENODATA : -EPERM;
  if (type === S_IFDIR && (inode.mode & S_ISVTX) !== 0 && want === MAY_WRITE) {
    if (!isOwnerOrCapable(creds, inode)) return -EPERM;
  }
  return inodePermission(creds, inode, want);
}

export function getXattr(creds: Credentials, p: PathRef, name: string): Uint8Array | number {
  const inode = p.dentry.inode!;
  const err = attributePermission(creds, inode, name, MAY_READ);
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
  const inode = p.dentry.inode!;
  const err = attributePermission(creds, inode, name, MAY_WRITE);
  return err < 0 ? err : inode.setxattr(name, value, flags);
}

export function removeXattr(creds: Credentials, p: PathRef, name: string): number {
  if (p.mount.isReadOnly) return -EROFS;
  const inode = p.dentry.inode!;
  const err = attributePermission(creds, inode, name, MAY_WRITE);
  return err < 0 ? err : inode.removexattr(name);
}

/** Names the caller may see; trusted.* needs CAP_SYS_ADMIN. */
export function listXattrs(creds: Credentials, p: PathRef): string[] | number {
  const names = p.dentry.inode!.listxattr();
  if (typeof names === "number" || hasCapability(creds, CAP_SYS_ADMIN)) return names;
  return names.filter((name) => !name.startsWith(XATTR_TRUSTED_PREFIX));
}
