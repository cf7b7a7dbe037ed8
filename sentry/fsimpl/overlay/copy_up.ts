/** Copies a lower file's attributes, extended attributes and data to its new upper inode. */
import { EIO } from "../../../platform/abi/errno.ts";
import { O_RDONLY, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { PROT_READ } from "../../../platform/abi/mman.ts";
import { MS_NOATIME } from "../../../platform/abi/mount.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../platform/abi/stat.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../platform/abi/unistd.ts";
import { hostData, hostLseek, hostPreadData } from "../../../platform/host/files.ts";
import { type Credentials, initialCredentials } from "../../auth/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import {
  ATTR_ATIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_UID,
  type Attributes,
  type DirEntry,
  type Inode,
} from "../../vfs/inode.ts";
import { ACL_NAMES, aclsOf, pickAcl } from "../../vfs/inode_acls.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import type { Mount } from "../../vfs/mount.ts";

export const OVERLAY_XATTR_PREFIX = "trusted.overlay.";

/** What the overlay itself does to the upper file system, it does as root. */
export const MOUNTER: Credentials = initialCredentials(0, 0, []);

/** An open file of a layer that no guest descriptor leads to. End it with `closeReal`. */
export function openReal(
  inode: Inode,
  flags: number,
  dentry: Dentry,
  mount: Mount,
): FileDescription | number {
  const file = new FileDescription(inode, dentry, mount, flags);
  const err = inode.open(file);
  return err < 0 ? err : file;
}

/** Ends a file of `openReal`. It never held its dentry and mount. */
export function closeReal(file: FileDescription): void {
  file.impl.release(file);
}

/** For files that only the overlay sees: reading them is no access. */
const NO_MOUNT = { flags: MS_NOATIME } as Mount;
const NO_DENTRY = { parent: null, name: "" } as unknown as Dentry;

/** Mode, owner and times. */
export function copyAttributes(from: Inode, to: Inode): number {
  const link = (from.mode & S_IFMT) === S_IFLNK;
  const attr: Attributes = {
    mask: (link ? 0 : ATTR_MODE) | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME,
    mode: from.mode & 0o7777,
    uid: from.uid,
    gid: from.gid,
    size: 0,
    atimeSec: from.atimeSec,
    atimeNsec: from.atimeNsec,
    mtimeSec: from.mtimeSec,
    mtimeNsec: from.mtimeNsec,
  };
  return to.setattr(attr, MOUNTER);
}

/** What the upper file system cannot keep is left behind, as Linux does for unsupported ones. */
export function copyXattrs(from: Inode, to: Inode): void {
  const type = from.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return;
  const names = from.listxattr();
  if (typeof names === "number") return;
  for (const name of names) {
    if (name.startsWith(OVERLAY_XATTR_PREFIX)) continue;
    const value = from.getxattr(name);
    if (typeof value !== "number") to.setxattr(name, value, 0);
  }
}

/** Access control lists, which are not to be left behind. Returns 0 or -errno. */
export function copyAcls(from: Inode, to: Inode): number {
  const wanted = aclsOf(from);
  const there = aclsOf(to); // The host's file system may have made it with its directory's default.
  for (const [type] of ACL_NAMES) {
    const acl = pickAcl(wanted, type);
    if (acl === pickAcl(there, type)) continue;
    const err = to.setAcl(type, acl);
    if (err < 0) return err;
  }
  return 0;
}

/** The first `length` bytes. Blocks on the disk; holes stay holes where the host copies. */
export function copyData(from: Inode, to: Inode, length: number): number {
  if (length === 0) return 0;
  const src = openReal(from, O_RDONLY, NO_DENTRY, NO_MOUNT);
  if (typeof src === "number") return src;
  const dst = openReal(to, O_RDWR, NO_DENTRY, NO_MOUNT);
  if (typeof dst === "number") {
    closeReal(src);
    return dst;
  }
  const err = copyOpenFiles(src, dst, length);
  closeReal(src);
  closeReal(dst);
  return err;
}

function copyOpenFiles(src: FileDescription, dst: FileDescription, length: number): number {
  const from = src.impl.hostMapping(src, 0, length, PROT_READ, false);
  const err = typeof from === "number"
    ? copyThroughBuffer(src, dst, length)
    : copyFromHost(from.fd, from.offset, dst, length);
  // A hole at the end, or a host file that has become shorter meanwhile.
  return err < 0 || dst.inode.size >= length ? err : dst.impl.truncate(dst, length);
}

/** Reads the host file in place, since `read` would leave to the Gofer what is not in memory. */
function copyFromHost(
  fd: number,
  offset: number,
  dst: FileDescription,
  length: number,
): number {
  for (let at = 0; at < length;) {
    const data = hostLseek(fd, offset + at, SEEK_DATA);
    if (data < 0) return 0; // ENXIO: a hole up to the end.
    at = data - offset;
    const hole = hostLseek(fd, data, SEEK_HOLE);
    const end = hole < 0 ? length : Math.min(length, hole - offset);
    while (at < end) {
      const n = hostPreadData(fd, end - at, offset + at, 0);
      if (n <= 0) return n;
      for (let done = 0; done < n;) {
        const put = dst.impl.write(dst, new KernelSrc(hostData, done, n), at + done);
        if (typeof put !== "number") return -EIO;
        if (put < 0) return put;
        done += put;
      }
      at += n;
    }
  }
  return 0;
}

/** For lower files without a host fd: these live in the Sentry, so nothing waits. */
function copyThroughBuffer(src: FileDescription, dst: FileDescription, length: number): number {
  const buffer = new Uint8Array(Math.min(length, 1 << 20));
  for (let done = 0; done < length;) {
    const n = src.impl.read(
      src,
      new KernelDst(buffer, 0, Math.min(buffer.length, length - done)),
      done,
    );
    if (typeof n !== "number") return -EIO;
    if (n <= 0) return n;
    for (let at = 0; at < n;) {
      const put = dst.impl.write(dst, new KernelSrc(buffer, at, n), done + at);
      if (typeof put !== "number") return -EIO;
      if (put < 0) return put;
      at += put;
    }
    done += n;
  }
  return 0;
}

/** A file system that can list a directory at once (goferfs). */
interface ListsItself {
  listing(): DirEntry[] | number;
}

/** The entries of a directory of a layer, without "." and "..". Not the caller's to change. */
export function listLayer(dir: Inode): DirEntry[] | number {
  if ("listing" in dir) return (dir as unknown as ListsItself).listing();
  const file = openReal(dir, O_RDONLY, NO_DENTRY, NO_MOUNT);
  if (typeof file === "number") return file;
  const entries: DirEntry[] = [];
  const err = file.impl.iterate(file, (entry) => {
    const { name } = entry;
    if (name !== "." && name !== "..") entries.push({ name, ino: entry.ino, type: entry.type });
    return true;
  });
  closeReal(file);
  return err < 0 ? err : entries;
}
