/** What all inodes of tmpfs share: owner, times, extended attributes; and links and special files. */
import { EEXIST, ENODATA, ENOSPC, ENXIO, EOPNOTSUPP } from "../../../platform/abi/errno.ts";
import {
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  FS_NOATIME_FL,
  FS_NODUMP_FL,
} from "../../../platform/abi/fs.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../../platform/abi/xattr.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { applyAttributes, touchChange } from "../../vfs/attributes.ts";
import { readClock } from "../../vfs/clock.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { type Attributes, Inode } from "../../vfs/inode.ts";
import { type AclType, storeAcl } from "../../vfs/inode_acls.ts";
import type { PosixAcl } from "../../vfs/posix_acl.ts";
import type { Tmpfs } from "./filesystem.ts";

/** Bytes of names and values that one inode's extended attributes may take. */
const XATTRS_MAX = 128 * 1024;

const KEPT_FLAGS = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL;

export abstract class TmpfsInode extends Inode {
  #xattrs: Map<string, Uint8Array> | null = null;
  #xattrBytes = 0;
  /** Removed for good; set once. */
  isGone = false;

  /** `ino` comes from `fs.reserveInode()`; without it one is taken whatever the limit. */
  constructor(readonly fs: Tmpfs, mode: number, uid: number, gid: number, ino = 0) {
    super();
    this.ino = ino === 0 ? Math.max(1, fs.reserveInode()) : ino;
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    const { sec, nsec } = readClock();
    this.atimeSec =
      this.mtimeSec =
      this.ctimeSec =
      this.btimeSec =
        sec;
    this.atimeNsec =
      this.mtimeNsec =
      this.ctimeNsec =
      this.btimeNsec =
        nsec;
  }

  override setattr(attr: Attributes, _creds: Credentials): number {
    applyAttributes(this, attr);
    return 0;
  }

  override setFlags(flags: number): number {
    if ((flags & ~KEPT_FLAGS) !== 0) return -EOPNOTSUPP;
    this.flags = flags;
    touchChange(this);
    return 0;
  }

  override getxattr(name: string): Uint8Array | number {
    return this.#xattrs?.get(name) ?? -ENODATA;
  }

  override setxattr(name: string, value: Uint8Array, flags: number): number {
    const xattrs = this.#xattrs ??= new Map();
    const old = xattrs.get(name);
    if (old !== undefined && (flags & XATTR_CREATE) !== 0) return -EEXIST;
    if (old === undefined && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
    const before = old === undefined ? 0 : name.length + old.length;
    const bytes = this.#xattrBytes - before + name.length + value.length;
    if (bytes > XATTRS_MAX) return -ENOSPC;
    this.#xattrBytes = bytes;
    xattrs.set(name, value.slice());
    touchChange(this);
    return 0;
  }

  override removexattr(name: string): number {
    const old = this.#xattrs?.get(name);
    if (old === undefined) return -ENODATA;
    this.#xattrs!.delete(name);
    this.#xattrBytes -= name.length + old.length;
    touchChange(this);
    return 0;
  }

  override listxattr(): string[] {
    return this.#xattrs === null ? [] : [...this.#xattrs.keys()];
  }

  override setAcl(type: AclType, acl: PosixAcl | null): number {
    storeAcl(this, type, acl);
    touchChange(this);
    return 0;
  }

  override release(): void {
    if (this.nlink > 0 || this.isGone) return;
    this.isGone = true;
    this.fs.returnInode();
    this.releaseContent();
  }

  /** The last name and the last user are gone. */
  protected releaseContent(): void {}
}

export class TmpfsSymlink extends TmpfsInode {
  constructor(fs: Tmpfs, readonly target: string, uid: number, gid: number, ino: number) {
    super(fs, 0o120777, uid, gid, ino);
    this.size = target.length;
  }
  override readlink(): string {
    return this.target;
  }
  override open(_file: FileDescription): number {
    return -ENXIO;
  }
}

/** FIFO, socket or device node: vfs knows whom to ask for its behaviour. */
export class TmpfsSpecial extends TmpfsInode {
  constructor(fs: Tmpfs, mode: number, rdev: number, uid: number, gid: number, ino: number) {
    super(fs, mode, uid, gid, ino);
    this.rdev = rdev;
  }
  override open(_file: FileDescription): number {
    return -ENXIO;
  }
}
