/** One file of an overlay: an upper inode, or lower ones until it is copied up. */
import { ELOOP, ENODATA, ENXIO, EOPNOTSUPP, EROFS } from "../../../platform/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../platform/abi/stat.ts";
import { XATTR_NAME_CAPS } from "../../../platform/abi/xattr.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { touchChange } from "../../vfs/attributes.ts";
import { dropInode } from "../../vfs/dentry.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { ATTR_ATIME, ATTR_MTIME, ATTR_SIZE, type Attributes, Inode } from "../../vfs/inode.ts";
import { aclsOf, type AclType, type InodeAcls, pickAcl } from "../../vfs/inode_acls.ts";
import { forgetAttributes } from "../../vfs/path_answers.ts";
import type { PosixAcl } from "../../vfs/posix_acl.ts";
import { copyAcls, copyAttributes, copyData, copyXattrs } from "./copy_up.ts";
import { MOUNTER, OVERLAY_XATTR_PREFIX } from "./copy_up.ts";
import { OverlayFile } from "./file.ts";
import type { OverlayFs } from "./overlayfs.ts";

export class OverlayInode extends Inode {
  override readonly fs: OverlayFs;
  /** One of its places in the tree, where a copy goes; null for the root and without a name. */
  parent: OverlayInode | null;
  name: string;
  upper: Inode | null;
  /** Directory: the lower ones merged into it, topmost first. Else the file until it is copied up. */
  lowers: Inode[];
  /** Names of a file that has several in the lower layer; -1 when the upper or lower inode knows. */
  #links = -1;
  /** The lower inode of a file that has several names there; the key in `byLower`. */
  #linkedLower: Inode | null = null;
  /** Its upper inode's name in `work`, which keeps a file with several lower names alive; or "". */
  #workName = "";

  constructor(
    fs: OverlayFs,
    parent: OverlayInode | null,
    name: string,
    upper: Inode | null,
    lowers: Inode[],
  ) {
    super();
    this.fs = fs;
    this.parent = parent;
    this.name = name;
    this.upper = upper;
    this.lowers = lowers;
    if (upper !== null) upper.refs++;
    for (const lower of lowers) lower.refs++;
    const origin = lowers[0];
    this.ino = origin === undefined ? fs.upperIno(upper!) : fs.lowerIno(origin.fs, origin.ino);
    if (upper === null && origin.nlink > 1 && (origin.mode & S_IFMT) !== S_IFDIR) {
      this.#links = origin.nlink;
      this.#linkedLower = origin;
      fs.byLower.set(origin, this);
    }
    this.sync();
  }

  get isDir(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  /** Copies the attributes from the layer that has them. */
  sync(): void {
    forgetAttributes(this);
    const real = this.upper ?? this.lowers[0];
    this.mode = real.mode;
    this.uid = real.uid;
    this.gid = real.gid;
    this.flags = real.flags;
    this.acls = real.acls;
    this.rdev = real.rdev;
    this.size = real.size;
    this.blocks = real.blocks;
    this.blksize = real.blksize;
    this.atimeSec = real.atimeSec;
    this.atimeNsec = real.atimeNsec;
    this.mtimeSec = real.mtimeSec;
    this.mtimeNsec = real.mtimeNsec;
    this.ctimeSec = real.ctimeSec;
    this.ctimeNsec = real.ctimeNsec;
    this.btimeSec = real.btimeSec;
    this.btimeNsec = real.btimeNsec;
    if (this.#links >= 0) this.nlink = this.#links;
    // A merged directory does not know how many it has: 1 says so (find(1) and others understand it).
    else if (this.upper !== null && this.lowers.length > 0 && this.isDir) {
      this.nlink = real.nlink === 0 ? 0 : 1;
    } else if (this.upper !== null || !this.#deleted) this.nlink = real.nlink;
  }
  /** A lower file without a name. */
  #deleted = false;

  /** A lower file changes only as it is copied up, loses a name or is read. */
  override get isSteady(): boolean {
    return this.upper === null && !this.fs.revalidates;
  }

  override get dataAtHand(): Uint8Array | null {
    return this.upper === null ? this.lowers[0].dataAtHand : null;
  }

  override refresh(): number {
    const { upper } = this;
    if (upper === null && !this.fs.revalidates) return 0;
    const err = (upper ?? this.lowers[0]).refresh();
    if (err < 0) return err;
    this.sync();
    return 0;
  }

  // Copying up

  /**
   * Gives it an upper inode, with the first `dataLength` bytes of its data. Its directories are copied
   * first (empty: a directory's entries stay where they are). Returns 0 or -errno.
   */
  copyUp(dataLength = Infinity): number {
    if (this.upper !== null) return 0;
    const { fs } = this;
    if (!fs.writable) return -EROFS;
    const { parent } = this;
    const named = parent !== null && this.#links < 0;
    let dir = fs.work!, name: string;
    if (named) {
      const err = parent.copyUp();
      if (err < 0) return err;
      dir = parent.upper!;
      name = this.name;
    } else name = fs.workName();
    const lower = this.lowers[0];
    const upper = this.#makeCopy(dir, name, lower);
    if (typeof upper === "number") return upper;
    upper.refs++;
    const err = this.#fillCopy(lower, upper, dataLength);
    if (err < 0) {
      if (this.isDir) dir.rmdir(name, upper);
      else dir.unlink(name, upper);
      dropInode(upper);
      return err;
    }
    if (named) copyTimes(parent, dir);
    else if (this.#links > 0) this.#workName = name;
    else dir.unlink(name, upper);
    this.#copiedUp(upper, lower);
    return 0;
  }

  #makeCopy(dir: Inode, name: string, lower: Inode): Inode | number {
    const creds = { ...MOUNTER, fsuid: lower.uid, fsgid: lower.gid };
    switch (lower.mode & S_IFMT) {
      case S_IFREG:
        return dir.create(name, lower.mode, creds);
      case S_IFDIR:
        return dir.mkdir(name, lower.mode, creds);
      case S_IFLNK: {
        const target = lower.readlink();
        return typeof target === "number" ? target : dir.symlink(name, target, creds);
      }
      default:
        return dir.mknod(name, lower.mode, lower.rdev, creds);
    }
  }

  #fillCopy(lower: Inode, upper: Inode, dataLength: number): number {
    copyXattrs(lower, upper);
    this.hasCapabilities = typeof upper.getxattr(XATTR_NAME_CAPS) !== "number";
    if ((lower.mode & S_IFMT) === S_IFREG) {
      const err = copyData(lower, upper, Math.min(lower.size, dataLength));
      if (err < 0) return err;
    }
    return copyAcls(lower, upper) || copyAttributes(lower, upper);
  }

  #copiedUp(upper: Inode, lower: Inode): void {
    this.upper = upper;
    if (!this.#deleted) this.fs.byUpper.set(upper, this);
    if (!this.isDir) {
      this.lowers = NOTHING;
      dropInode(lower);
    }
    this.sync();
  }

  // Names

  /** It was found again: a file that lost the name it knew has one. */
  foundAt(dir: OverlayInode, name: string): OverlayInode {
    if (this.parent === null && this !== this.fs.root) {
      this.parent = dir;
      this.name = name;
    }
    return this;
  }

  /** Sees to it that the upper directory has this file under `name` (one of several lower names). */
  materialize(dir: OverlayInode, name: string): number {
    const there = dir.upper!.lookup(name);
    if (there === this.upper) return 0;
    return dir.upper!.link(name, this.upper!);
  }

  /** A name was added in the upper layer. */
  linked(dir: OverlayInode, name: string): void {
    if (this.#links >= 0) this.#links++;
    this.foundAt(dir, name);
    this.fs.byUpper.set(this.upper!, this);
    this.sync();
  }

  /** One of its names is gone. */
  unnamed(dir: OverlayInode, name: string): void {
    forgetAttributes(this);
    if (this.parent === dir && this.name === name) this.parent = null;
    if (this.#links > 0 && --this.#links === 0 && this.#workName !== "") {
      this.fs.work!.unlink(this.#workName, this.upper!);
      this.#workName = "";
    }
    if (this.upper !== null) {
      if (!this.isDir) touchChange(this.upper); // The name may have been a lower one.
      this.sync();
      if (this.isDir) this.nlink = 0;
      if (this.nlink === 0) this.fs.byUpper.delete(this.upper);
    } else {
      touchChange(this);
      this.nlink = Math.max(0, this.#links); // -1: it had but one.
      if (this.nlink === 0) this.#deleted = true;
    }
    if (this.#links === 0) this.#forgetLower();
  }

  #forgetLower(): void {
    if (this.#linkedLower !== null) this.fs.byLower.delete(this.#linkedLower);
  }

  override timesChanged(): void {
    const { upper } = this;
    if (upper === null) return;
    upper.atimeSec = this.atimeSec;
    upper.atimeNsec = this.atimeNsec;
    upper.mtimeSec = this.mtimeSec;
    upper.mtimeNsec = this.mtimeNsec;
    upper.ctimeSec = this.ctimeSec;
    upper.ctimeNsec = this.ctimeNsec;
  }

  override readlink(): string | number {
    return (this.upper ?? this.lowers[0]).readlink();
  }

  // Attributes

  override setattr(attr: Attributes, creds: Credentials): number {
    // A truncated file needs no more data than what is left of it.
    const err = this.copyUp((attr.mask & ATTR_SIZE) !== 0 ? attr.size : Infinity);
    if (err < 0) return err;
    const set = this.upper!.setattr(attr, creds);
    this.sync();
    return set;
  }

  override getxattr(name: string): Uint8Array | number {
    if (name.startsWith(OVERLAY_XATTR_PREFIX)) return -ENODATA;
    return (this.upper ?? this.lowers[0]).getxattr(name);
  }

  override setFlags(flags: number): number {
    const err = this.copyUp();
    if (err < 0) return err;
    const set = this.upper!.setFlags?.(flags) ?? -EOPNOTSUPP;
    this.sync();
    return set;
  }

  override setxattr(name: string, value: Uint8Array, flags: number): number {
    if (name.startsWith(OVERLAY_XATTR_PREFIX)) return -EOPNOTSUPP;
    const err = this.copyUp();
    if (err < 0) return err;
    const set = this.upper!.setxattr(name, value, flags);
    this.sync();
    return set;
  }

  override removexattr(name: string): number {
    if (name.startsWith(OVERLAY_XATTR_PREFIX)) return -ENODATA;
    if (this.upper === null) {
      const there = this.getxattr(name);
      if (typeof there === "number") return there;
    }
    const err = this.copyUp();
    if (err < 0) return err;
    const removed = this.upper!.removexattr(name);
    this.sync();
    return removed;
  }

  override listxattr(): string[] | number {
    const names = (this.upper ?? this.lowers[0]).listxattr();
    if (typeof names === "number" || !names.some((n) => n.startsWith(OVERLAY_XATTR_PREFIX))) {
      return names;
    }
    return names.filter((n) => !n.startsWith(OVERLAY_XATTR_PREFIX));
  }

  override loadAcls(): InodeAcls | null {
    return this.acls = aclsOf(this.upper ?? this.lowers[0]);
  }

  override initAcls(acls: InodeAcls): void {
    this.upper!.initAcls(acls);
    this.sync();
  }

  override setAcl(type: AclType, acl: PosixAcl | null): number {
    // Nothing is copied up to take away what a lower file does not have.
    if (acl === null && this.upper === null && pickAcl(aclsOf(this), type) === null) {
      return -ENODATA;
    }
    const err = this.copyUp();
    if (err < 0) return err;
    const set = this.upper!.setAcl(type, acl);
    this.sync();
    return set;
  }

  // Opening and ending

  override open(file: FileDescription): number {
    switch (this.mode & S_IFMT) {
      case S_IFREG: {
        if (!this.fs.writable && (file.flags & 3) !== 0) return -EROFS;
        const impl = new OverlayFile(this);
        const err = impl.start(file);
        if (err === 0) file.impl = impl;
        return err;
      }
      case S_IFLNK:
        return -ELOOP;
      default:
        return -ENXIO; // Devices and FIFOs are the VFS's to open; a socket cannot be.
    }
  }

  override release(): void {
    if (this === this.fs.root) return;
    const { fs, upper } = this;
    const kept = this.nlink > 0 && (upper !== null && fs.byUpper.get(upper) === this ||
      this.#links >= 0 && this.#links !== this.lowers[0]?.nlink);
    if (kept) return;
    this.#forgetLower();
    this.forget();
  }

  /** Lets go of the layers' inodes. */
  forget(): void {
    const { upper, lowers } = this;
    if (upper !== null) dropInode(upper);
    for (const lower of lowers) dropInode(lower);
    this.parent = null;
  }
}

/** No lower inodes. */
export const NOTHING: Inode[] = [];

/** A copied-up child must not change its directory's times. */
function copyTimes(from: Inode, dir: Inode): void {
  dir.setattr({
    mask: ATTR_ATIME | ATTR_MTIME,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSec: from.atimeSec,
    atimeNsec: from.atimeNsec,
    mtimeSec: from.mtimeSec,
    mtimeNsec: from.mtimeNsec,
  }, MOUNTER);
}
