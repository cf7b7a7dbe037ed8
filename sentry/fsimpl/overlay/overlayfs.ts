/**
 * overlay: a writable file system over read-only ones, at the level of inodes (Linux: overlayfs). See
 * README.md for what is kept where.
 */
import { ENOTDIR, EROFS } from "../../../platform/abi/errno.ts";
import { OVERLAYFS_SUPER_MAGIC } from "../../../platform/abi/mount.ts";
import { S_IFDIR, S_IFMT } from "../../../platform/abi/stat.ts";
import { type Filesystem, type Inode, type StatFs, STORED_XATTRS } from "../../vfs/inode.ts";
import { copyAcls, copyAttributes, MOUNTER } from "./copy_up.ts";
import { OverlayDirectory } from "./directory.ts";
import { OverlayInode } from "./inode.ts";

export interface OverlayOptions {
  /** st_dev as the guest sees it. */
  dev: number;
  /** Directories, topmost first; read only. */
  lowers: Inode[];
  /** A directory of a file system that nobody else changes; null for a read-only overlay. */
  upper: Inode | null;
  /** A directory of the same file system, for files without a name in `upper`. */
  work: Inode | null;
  /**
   * `upper` was filled before (mount -t overlay in the guest): its marks (trusted.overlay.opaque) are
   * read and written, and a merged directory cannot be renamed (EXDEV, as without redirect_dir).
   */
  keepsMarks?: boolean;
}

/** Inode numbers of upper files start here, those of the layers below the first lower one further up. */
const UPPER_BASE = 2 ** 38;
const LAYER_STRIDE = 2 ** 45;

export class OverlayFs implements Filesystem {
  readonly typeName = "overlay";
  readonly xattrNames = STORED_XATTRS;
  readonly hasAcls = true;
  readonly dev: number;
  readonly magic = OVERLAYFS_SUPER_MAGIC;
  readonly root: OverlayInode;
  readonly revalidates: boolean;
  readonly work: Inode | null;
  readonly writable: boolean;
  readonly keepsMarks: boolean;
  /**
   * Overlay inodes that must stay the same object, and whose origin must not be forgotten, as long as
   * they have a name: copied up ones and those with several names.
   */
  readonly byUpper = new Map<Inode, OverlayInode>();
  /** Lower files with several names: these are one file after copy-up, too. */
  readonly byLower = new Map<Inode, OverlayInode>();
  readonly #layers: readonly Filesystem[];
  readonly #filesystems: Set<Filesystem>;
  #nextWorkName = 1;

  constructor(options: OverlayOptions) {
    const { upper, lowers, work } = options;
    this.dev = options.dev;
    this.work = work;
    this.writable = upper !== null;
    this.keepsMarks = options.keepsMarks ?? false;
    this.#layers = lowers.map((lower) => lower.fs);
    this.#filesystems = new Set(this.#layers);
    if (upper !== null) this.#filesystems.add(upper.fs);
    this.revalidates = this.#layers.some((fs) => fs.revalidates);
    this.root = new OverlayDirectory(this, null, "", upper, lowers);
    if (upper !== null && lowers.length > 0) this.byUpper.set(upper, this.root);
  }

  newInode(
    parent: OverlayDirectory | null,
    name: string,
    upper: Inode | null,
    lowers: Inode[],
  ): OverlayInode {
    return ((upper ?? lowers[0]).mode & S_IFMT) === S_IFDIR
      ? new OverlayDirectory(this, parent, name, upper, lowers)
      : new OverlayInode(this, parent, name, upper, lowers);
  }

  /** st_ino of a file that the upper file system brought. */
  upperIno(upper: Inode): number {
    return UPPER_BASE + upper.ino;
  }

  /** st_ino of a lower file; the topmost layer's numbers are kept. */
  lowerIno(fs: Filesystem, ino: number): number {
    const layer = this.#layers.indexOf(fs);
    return layer <= 0 ? ino : ino + layer * LAYER_STRIDE;
  }

  /** A name in `work` that is not in use. */
  workName(): string {
    return `#${this.#nextWorkName++}`;
  }

  statfs(out: StatFs): number {
    return (this.root.upper ?? this.root.lowers[0]).fs.statfs(out);
  }

  optionsText(): string {
    return this.writable ? "lowerdir=/,upperdir=/,workdir=/" : "lowerdir=/";
  }

  release(): void {
    for (const inode of this.byUpper.values()) inode.forget();
    this.byUpper.clear();
    this.byLower.clear();
    for (const fs of this.#filesystems) fs.release();
  }
}

/**
 * The usual overlay: a fresh `upperFs` (tmpfs) over `lowerFs`, topmost first. It owns them all. Returns
 * -errno if the upper file system cannot take its two directories.
 */
export function newOverlay(
  dev: number,
  upperFs: Filesystem,
  lowerFs: Filesystem[],
): OverlayFs | number {
  const lowers = lowerFs.map((fs) => fs.root);
  if (lowers.some((root) => (root.mode & S_IFMT) !== S_IFDIR)) return -ENOTDIR;
  const upper = upperFs.root.mkdir("upper", S_IFDIR | 0o755, MOUNTER);
  if (typeof upper === "number") return upper;
  const work = upperFs.root.mkdir("work", S_IFDIR | 0o700, MOUNTER);
  if (typeof work === "number") return work;
  if (lowers.length > 0) {
    const err = copyAcls(lowers[0], upper) || copyAttributes(lowers[0], upper);
    if (err < 0) return err;
  }
  work.refs++;
  return new OverlayFs({ dev, lowers, upper, work });
}

/** A read-only overlay of several layers. */
export function newReadOnlyOverlay(dev: number, lowerFs: Filesystem[]): OverlayFs | number {
  if (lowerFs.length === 0) return -EROFS;
  return new OverlayFs({ dev, lowers: lowerFs.map((fs) => fs.root), upper: null, work: null });
}
