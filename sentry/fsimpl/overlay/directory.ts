/** Directories of an overlay: merged look-ups and listings, and names made, removed and moved. */
import {
  EEXIST,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from "../../../platform/abi/errno.ts";
import { DT_CHR, DT_UNKNOWN } from "../../../platform/abi/dirent.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../platform/abi/fs.ts";
import { S_IFCHR, S_IFDIR, S_IFMT, S_IFSOCK } from "../../../platform/abi/stat.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { DirEntry, Inode } from "../../vfs/inode.ts";
import { listLayer, MOUNTER, OVERLAY_XATTR_PREFIX } from "./copy_up.ts";
import { OverlayDirFile } from "./file.ts";
import { NOTHING, OverlayInode } from "./inode.ts";

const OPAQUE = OVERLAY_XATTR_PREFIX + "opaque";
const YES = new Uint8Array([0x79]);

export class OverlayDirectory extends OverlayInode {
  override open(file: FileDescription): number {
    file.impl = new OverlayDirFile(this);
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
        if (known !== undefined) return known.foundAt(this, name);
        const joins = fs.keepsMarks && (found.mode & S_IFMT) === S_IFDIR && !isOpaque(found);
        if (!joins) return fs.newInode(this, name, found, []);
        merged = found;
      } else if (found !== -ENOENT) return found;
    }
    const lowers = this.#lookupLowers(name, merged !== null);
    if (typeof lowers === "number") return lowers;
    if (merged !== null) {
      const inode = fs.newInode(this, name, merged, lowers);
      if (lowers.length > 0) fs.byUpper.set(merged, inode);
      return inode;
    }
    if (lowers.length === 0) return -ENOENT;
    const known = fs.byLower.get(lowers[0]);
    if (known !== undefined) return known.foundAt(this, name);
    return fs.newInode(this, name, null, lowers);
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
    return this.fs.newInode(this, name, made, NOTHING);
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
    return typeof made === "number" ? made : this.fs.newInode(null, "", made, NOTHING);
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
    file.linked(this, name);
    this.sync();
    return 0;
  }

  override unlink(name: string, child: Inode): number {
    return this.#remove(name, child as OverlayInode, false);
  }

  override rmdir(name: string, child: Inode): number {
    const dir = child as OverlayDirectory;
    if (!dir.isDir) return -ENOTDIR;
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
    child.unnamed(this, name);
    this.sync();
    return 0;
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
    const to = newDir as OverlayDirectory;
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
    to: OverlayDirectory,
    newName: string,
    other: OverlayInode | null,
    exchange: boolean,
  ): number {
    if (this.fs.keepsMarks) {
      if (file.isDir && file.lowers.length > 0) return -EXDEV;
      if (exchange && other!.isDir && other!.lowers.length > 0) return -EXDEV;
    }
    if (other !== null && !exchange) {
      if (other.isDir !== file.isDir) return other.isDir ? -EISDIR : -ENOTDIR;
      if (other.isDir) {
        const entries = (other as OverlayDirectory).listing();
        if (typeof entries === "number") return entries;
        if (entries.length > 0) return -ENOTEMPTY;
      }
    }
    let err = this.copyUp();
    if (err === 0) err = to.copyUp();
    if (err === 0) err = file.copyUp();
    if (err === 0) err = file.materialize(this, name);
    if (err === 0 && exchange) err = other!.copyUp();
    if (err === 0 && exchange) err = other!.materialize(to, newName);
    return err;
  }

  #move(
    name: string,
    file: OverlayInode,
    to: OverlayDirectory,
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
      } else if (other !== null && other.isDir) err = clearWhiteouts(target);
      if (err < 0) return err;
    }
    const err = this.upper!.rename(
      name,
      file.upper!,
      to.upper!,
      newName,
      typeof target === "number" ? null : target,
      0,
      MOUNTER,
    );
    if (err < 0) {
      if (whitedOut) to.#whiteOut(newName);
      return err;
    }
    if (covers) {
      const hidden = this.#whiteOut(name);
      if (hidden < 0) { // No room: as if nothing had happened, but for a replaced file.
        to.upper!.rename(newName, file.upper!, this.upper!, name, null, 0, MOUNTER);
        if (to.#lowersHave(newName)) to.#whiteOut(newName);
        if (other !== null) other.unnamed(to, newName);
        return hidden;
      }
    }
    if (this.fs.keepsMarks && file.isDir && to.#lowersHave(newName)) {
      file.upper!.setxattr(OPAQUE, YES, 0);
    }
    if (other !== null) other.unnamed(to, newName);
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
    to: OverlayDirectory,
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
      MOUNTER,
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
}

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
