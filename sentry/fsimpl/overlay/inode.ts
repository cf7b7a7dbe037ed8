/** One file of an overlay: an upper inode, lower ones, or a directory merged of both. */
import {
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  EXDEV,
} from "../../../platform/abi/errno.ts";
import { DT_CHR, DT_UNKNOWN } from "../../../platform/abi/dirent.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../platform/abi/fs.ts";
import {
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../../platform/abi/stat.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { dropInode } from "../../vfs/dentry.ts";
import type { FileDescription } from "../../vfs/file.ts";
import {
  ATTR_ATIME,
  ATTR_MTIME,
  ATTR_SIZE,
  type Attributes,
  type DirEntry,
  Inode,
} from "../../vfs/inode.ts";
import {
  copyAttributes,
  copyData,
  copyXattrs,
  listLayer,
  MOUNTER,
  OVERLAY_XATTR_PREFIX,
} from "./copy_up.ts";
import { OverlayDirFile, OverlayFile } from "./file.ts";
import type { OverlayFs } from "./overlayfs.ts";

const OPAQUE = OVERLAY_XATTR_PREFIX + "opaque";
const YES = new Uint8Array([0x79]);

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

  get #isDir(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  /** Copies the attributes from the layer that has them. */
  sync(): void {
    const real = this.upper ?? this.lowers[0];
    this.mode = real.mode;
    this.uid = real.uid;
    this.gid = real.gid;
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
    else if (this.upper !== null && this.lowers.length > 0 && this.#isDir) {
      this.nlink = real.nlink === 0 ? 0 : 1;
    } else if (this.upper !== null || !this.#deleted) this.nlink = real.nlink;
  }
  /** A lower file without a name. */
  #deleted = false;

  override refresh(): number {
    const { upper } = this;
    if (upper === null && !this.fs.revalidates) return 0;
    const err = (upper ?? this.lowers[0]).refresh();
    if (err < 0) return err;
    this.sync();
    return 0;
  }

  // Looking up

  override lookup(name: string): Inode | number {
    const { fs, upper: dir } = this;
    let merged: Inode | null = null;
    if (dir !== null) {
      const found = dir.lookup(name);
      if (typeof found !== "number") {
        if (isWhiteout(found)) return -ENOENT;
        const known = fs.byUpper.get(found);
        if (known !== undefined) return known.#foundAt(this, name);
        const joins = fs.keepsMarks && (found.mode & S_IFMT) === S_IFDIR && !isOpaque(found);
        if (!joins) return new OverlayInode(fs, this, name, found, []);
        merged = found;
      } else if (found !== -ENOENT) return found;
    }
    const lowers = this.#lookupLowers(name, merged !== null);
    if (typeof lowers === "number") return lowers;
    if (merged !== null) {
      const inode = new OverlayInode(fs, this, name, merged, lowers);
      if (lowers.length > 0) fs.byUpper.set(merged, inode);
      return inode;
    }
    if (lowers.length === 0) return -ENOENT;
    const known = fs.byLower.get(lowers[0]);
    if (known !== undefined) return known.#foundAt(this, name);
    return new OverlayInode(fs, this, name, null, lowers);
  }

  #foundAt(dir: OverlayInode, name: string): OverlayInode {
    if (this.parent === null && this !== this.fs.root) {
      this.parent = dir;
      this.name = name;
    }
    return this;
  }

  /** What the lower layers have under `name`: one file, or directories to merge; or -errno. */
  #lookupLowers(name: string, onlyDirs: boolean): Inode[] | number {
    const dirs = this.lowers;
    let found: Inode[] = NOTHING;
    for (let i = 0; i < dirs.length; i++) {
      const lower = dirs[i].lookup(name);
      if (typeof lower === "number") {
        if (lower === -ENOENT || lower === -ENOTDIR) continue;
        return lower;
      }
      if (isWhiteout(lower)) break;
      if ((lower.mode & S_IFMT) !== S_IFDIR) {
        if (found.length === 0 && !onlyDirs) found = [lower];
        break;
      }
      if (found.length === 0) found = [lower];
      else found.push(lower);
      if (dirs.length > 1 && isOpaque(lower)) break;
    }
    return found;
  }

  #lowersHave(name: string): boolean {
    if (this.lowers.length === 0) return false;
    const found = this.#lookupLowers(name, false);
    return typeof found === "number" || found.length > 0;
  }

  override revalidate(name: string, child: Inode | null): boolean {
    const inode = child as OverlayInode | null;
    if (inode !== null && inode.upper !== null) return true; // Nobody else changes the upper layer.
    if (this.upper !== null && typeof this.upper.lookup(name) !== "number") return inode === null;
    for (const dir of this.lowers) {
      if (!dir.fs.revalidates) continue;
      const lower = inode?.lowers.find((l) => l.fs === dir.fs) ?? null;
      if (dir.revalidate !== undefined && !dir.revalidate(name, lower)) return false;
    }
    if (inode !== null) inode.sync();
    return true;
  }

  /** The merged entries without "." and ".."; not the caller's to change. Or -errno. */
  listing(): DirEntry[] | number {
    const { fs, upper, lowers } = this;
    if (upper === null && lowers.length === 1) return this.#lowerListing(lowers[0]);
    const entries: DirEntry[] = [];
    const seen = new Set<string>();
    if (upper !== null) {
      const list = listLayer(upper);
      if (typeof list === "number") return list;
      for (const entry of list) {
        seen.add(entry.name);
        const child = upper.lookup(entry.name);
        if (typeof child === "number" || isWhiteout(child)) continue;
        const ino = fs.byUpper.get(child)?.ino ?? fs.upperIno(child);
        entries.push({ name: entry.name, ino, type: entry.type });
      }
    }
    for (const dir of lowers) {
      const list = listLayer(dir);
      if (typeof list === "number") return list;
      for (const entry of list) {
        if (seen.has(entry.name)) continue;
        seen.add(entry.name);
        if (hidden(dir, entry)) continue;
        entries.push({ ...entry, ino: fs.lowerIno(dir.fs, entry.ino) });
      }
    }
    return entries;
  }

  #lowerListing(dir: Inode): DirEntry[] | number {
    const list = listLayer(dir);
    if (typeof list === "number") return list;
    const plain = this.fs.lowerIno(dir.fs, 1) === 1;
    if (plain && !list.some((entry) => hidden(dir, entry))) return list;
    return list.filter((entry) => !hidden(dir, entry))
      .map((entry) => ({ ...entry, ino: this.fs.lowerIno(dir.fs, entry.ino) }));
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
      if (this.#isDir) dir.rmdir(name, upper);
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
    if ((lower.mode & S_IFMT) === S_IFREG) {
      const err = copyData(lower, upper, Math.min(lower.size, dataLength));
      if (err < 0) return err;
    }
    return copyAttributes(lower, upper);
  }

  #copiedUp(upper: Inode, lower: Inode): void {
    this.upper = upper;
    if (!this.#deleted) this.fs.byUpper.set(upper, this);
    if (!this.#isDir) {
      this.lowers = NOTHING;
      dropInode(lower);
    }
    this.sync();
  }

  /** Sees to it that the upper directory has this file under `name` (one of several lower names). */
  #materialize(dir: OverlayInode, name: string): number {
    const there = dir.upper!.lookup(name);
    if (there === this.upper) return 0;
    return dir.upper!.link(name, this.upper!);
  }

  // Changing directories

  /** Readies the upper directory for a new `name`. Returns 1 if a whiteout was taken away, 0, or -errno. */
  #prepareName(name: string): number {
    const err = this.copyUp();
    if (err < 0) return err;
    const old = this.upper!.lookup(name);
    if (typeof old === "number") return old === -ENOENT ? 0 : old;
    if (!isWhiteout(old)) return -EEXIST;
    const gone = this.upper!.unlink(name, old);
    return gone < 0 ? gone : 1;
  }

  #finishName(name: string, made: Inode | number, whitedOut: number): Inode | number {
    if (typeof made === "number") {
      if (whitedOut === 1) this.#whiteOut(name);
      return made;
    }
    this.sync();
    return new OverlayInode(this.fs, this, name, made, NOTHING);
  }

  #whiteOut(name: string): number {
    const node = this.upper!.mknod(name, S_IFCHR, 0, MOUNTER);
    return typeof node === "number" ? node : 0;
  }

  override create(name: string, mode: number, creds: Credentials): Inode | number {
    const ready = this.#prepareName(name);
    if (ready < 0) return ready;
    return this.#finishName(name, this.upper!.create(name, mode, creds), ready);
  }

  override mkdir(name: string, mode: number, creds: Credentials): Inode | number {
    const ready = this.#prepareName(name);
    if (ready < 0) return ready;
    const made = this.upper!.mkdir(name, mode, creds);
    if (typeof made !== "number" && this.fs.keepsMarks && this.#lowersHave(name)) {
      made.setxattr(OPAQUE, YES, 0);
    }
    return this.#finishName(name, made, ready);
  }

  override mknod(name: string, mode: number, rdev: number, creds: Credentials): Inode | number {
    if ((mode & S_IFMT) === S_IFCHR && rdev === 0) return -EPERM; // It would be a whiteout.
    const ready = this.#prepareName(name);
    if (ready < 0) return ready;
    const made = this.#finishName(name, this.upper!.mknod(name, mode, rdev, creds), ready);
    // A socket may be bound to the inode: it must stay this object.
    if (typeof made !== "number" && (mode & S_IFMT) === S_IFSOCK) {
      this.fs.byUpper.set((made as OverlayInode).upper!, made as OverlayInode);
    }
    return made;
  }

  override symlink(name: string, target: string, creds: Credentials): Inode | number {
    const ready = this.#prepareName(name);
    if (ready < 0) return ready;
    return this.#finishName(name, this.upper!.symlink(name, target, creds), ready);
  }

  override tmpfile(mode: number, creds: Credentials, linkable: boolean): Inode | number {
    const err = this.copyUp();
    if (err < 0) return err;
    const made = this.upper!.tmpfile(mode, creds, linkable);
    return typeof made === "number" ? made : new OverlayInode(this.fs, null, "", made, NOTHING);
  }

  override link(name: string, target: Inode): number {
    const file = target as OverlayInode;
    const err = file.copyUp();
    if (err < 0) return err;
    const ready = this.#prepareName(name);
    if (ready < 0) return ready;
    const linked = this.upper!.link(name, file.upper!);
    if (linked < 0) {
      if (ready === 1) this.#whiteOut(name);
      return linked;
    }
    if (file.#links >= 0) file.#links++;
    file.#foundAt(this, name);
    this.fs.byUpper.set(file.upper!, file);
    file.sync();
    this.sync();
    return 0;
  }

  override unlink(name: string, child: Inode): number {
    return this.#remove(name, child as OverlayInode, false);
  }

  override rmdir(name: string, child: Inode): number {
    const dir = child as OverlayInode;
    if (!dir.#isDir) return -ENOTDIR;
    const entries = dir.listing();
    if (typeof entries === "number") return entries;
    if (entries.length > 0) return -ENOTEMPTY;
    return this.#remove(name, dir, true);
  }

  #remove(name: string, child: OverlayInode, directory: boolean): number {
    const err = this.copyUp();
    if (err < 0) return err;
    const dir = this.upper!;
    const inLower = this.#lowersHave(name);
    const entry = dir.lookup(name);
    if (typeof entry !== "number") {
      if (directory) {
        const cleared = clearWhiteouts(entry);
        if (cleared < 0) return cleared;
      }
      const removed = directory ? dir.rmdir(name, entry) : dir.unlink(name, entry);
      if (removed < 0) return removed;
    } else if (entry !== -ENOENT) return entry;
    if (inLower) {
      const hidden = this.#whiteOut(name);
      if (hidden < 0) return hidden;
    }
    child.#unnamed(this, name);
    this.sync();
    return 0;
  }

  /** One of its names is gone. */
  #unnamed(dir: OverlayInode, name: string): void {
    if (this.parent === dir && this.name === name) this.parent = null;
    if (this.#links > 0 && --this.#links === 0 && this.#workName !== "") {
      this.fs.work!.unlink(this.#workName, this.upper!);
      this.#workName = "";
    }
    if (this.upper !== null) {
      this.sync();
      if (this.#isDir) this.nlink = 0;
      if (this.nlink === 0) this.fs.byUpper.delete(this.upper);
    } else if (this.#links > 0) this.nlink = this.#links;
    else {
      this.nlink = 0;
      this.#deleted = true;
    }
    if (this.#links === 0) this.#forgetLower();
  }

  #forgetLower(): void {
    if (this.#linkedLower !== null) this.fs.byLower.delete(this.#linkedLower);
  }

  override rename(
    name: string,
    child: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
  ): number {
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) return -EINVAL;
    const file = child as OverlayInode;
    const to = newDir as OverlayInode;
    const other = replaced as OverlayInode | null;
    if (file === other) return 0; // Two names of one file: rename(2) does nothing.
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    if (exchange && other === null) return -ENOENT;
    if (other !== null && (flags & RENAME_NOREPLACE) !== 0) return -EEXIST;
    const err = this.#prepareRename(name, file, to, newName, other, exchange);
    if (err < 0) return err;
    return exchange
      ? this.#exchange(name, file, to, newName, other!)
      : this.#move(name, file, to, newName, other);
  }

  /** Checks, and copies up whatever the move touches. */
  #prepareRename(
    name: string,
    file: OverlayInode,
    to: OverlayInode,
    newName: string,
    other: OverlayInode | null,
    exchange: boolean,
  ): number {
    if (this.fs.keepsMarks) {
      if (file.#isDir && file.lowers.length > 0) return -EXDEV;
      if (exchange && other!.#isDir && other!.lowers.length > 0) return -EXDEV;
    }
    if (other !== null && !exchange) {
      if (other.#isDir !== file.#isDir) return other.#isDir ? -EISDIR : -ENOTDIR;
      if (other.#isDir) {
        const entries = other.listing();
        if (typeof entries === "number") return entries;
        if (entries.length > 0) return -ENOTEMPTY;
      }
    }
    let err = this.copyUp();
    if (err === 0) err = to.copyUp();
    if (err === 0) err = file.copyUp();
    if (err === 0) err = file.#materialize(this, name);
    if (err === 0 && exchange) err = other!.copyUp();
    if (err === 0 && exchange) err = other!.#materialize(to, newName);
    return err;
  }

  #move(
    name: string,
    file: OverlayInode,
    to: OverlayInode,
    newName: string,
    other: OverlayInode | null,
  ): number {
    const covers = this.#lowersHave(name);
    let target: Inode | number = to.upper!.lookup(newName);
    let whitedOut = false;
    if (typeof target !== "number") {
      let err = 0;
      if (isWhiteout(target)) {
        err = to.upper!.unlink(newName, target);
        whitedOut = true;
        target = -ENOENT;
      } else if (other !== null && other.#isDir) err = clearWhiteouts(target);
      if (err < 0) return err;
    }
    const err = this.upper!.rename(
      name,
      file.upper!,
      to.upper!,
      newName,
      typeof target === "number" ? null : target,
      0,
    );
    if (err < 0) {
      if (whitedOut) to.#whiteOut(newName);
      return err;
    }
    if (covers) {
      const hidden = this.#whiteOut(name);
      if (hidden < 0) { // No room: as if nothing had happened, but for a replaced file.
        to.upper!.rename(newName, file.upper!, this.upper!, name, null, 0);
        if (to.#lowersHave(newName)) to.#whiteOut(newName);
        if (other !== null) other.#unnamed(to, newName);
        return hidden;
      }
    }
    if (this.fs.keepsMarks && file.#isDir && to.#lowersHave(newName)) {
      file.upper!.setxattr(OPAQUE, YES, 0);
    }
    if (other !== null) other.#unnamed(to, newName);
    file.parent = to;
    file.name = newName;
    file.sync();
    this.sync();
    to.sync();
    return 0;
  }

  #exchange(
    name: string,
    file: OverlayInode,
    to: OverlayInode,
    newName: string,
    other: OverlayInode,
  ): number {
    const err = this.upper!.rename(
      name,
      file.upper!,
      to.upper!,
      newName,
      other.upper!,
      RENAME_EXCHANGE,
    );
    if (err < 0) return err;
    file.parent = to;
    file.name = newName;
    other.parent = this;
    other.name = name;
    file.sync();
    other.sync();
    this.sync();
    to.sync();
    return 0;
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
      case S_IFDIR:
        file.impl = new OverlayDirFile(this);
        return 0;
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

const NOTHING: Inode[] = [];

/** A character device 0:0 hides what lower layers have under its name. */
export function isWhiteout(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === 0;
}

function isOpaque(dir: Inode): boolean {
  const value = dir.getxattr(OPAQUE);
  return typeof value !== "number" && value.length === 1 && value[0] === YES[0];
}

/** Whether a lower layer's entry is a whiteout of its own. */
function hidden(dir: Inode, entry: DirEntry): boolean {
  if (entry.type !== DT_CHR && entry.type !== DT_UNKNOWN) return false;
  const inode = dir.lookup(entry.name);
  return typeof inode !== "number" && isWhiteout(inode);
}

/** Empties an upper directory that has nothing but whiteouts. */
function clearWhiteouts(dir: Inode): number {
  const entries = listLayer(dir);
  if (typeof entries === "number") return entries;
  for (const entry of [...entries]) {
    const node = dir.lookup(entry.name);
    if (typeof node === "number" || !isWhiteout(node)) continue;
    const err = dir.unlink(entry.name, node);
    if (err < 0) return err;
  }
  return 0;
}

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
