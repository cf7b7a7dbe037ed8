/**
 * The dentry cache. Linux's word is the same: a Dentry is one name in one directory, leading to an
 * inode (positive) or known to lead nowhere (negative).
 *
 * References: open files, mount points, working directories and children pin a dentry. An unpinned
 * one stays cached while it is hashed (found in its parent's `children`), until the clock in
 * {@link shrinkDcache} takes it. An inode lives as long as a dentry holds it, see `Inode.refs`.
 *
 * What a path walk returns is borrowed: good until the handler returns or awaits. Nothing is evicted
 * but at the start of a walk, so a handler that walks two paths pins the first result.
 */
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { Filesystem, Inode } from "./inode.ts";
import { forgetAllAnswers, forgetAnswers } from "./path_answers.ts";

/** Dentries kept before the clock starts to take unused ones. */
const DEFAULT_LIMIT = 20_000;
/** Most dentries looked at by one call of the clock. */
const SCAN_LIMIT = 512;

export class Dentry {
  /** Directory: the names known so far, of existing and of missing files. */
  children: Map<string, Dentry> | null = null;
  refs = 0;
  /** Found by its name in its parent; the root of a file system is always hashed. */
  hashed = false;
  /** Its name was removed (unlink, rmdir, renamed over): shown as " (deleted)". */
  unlinked = false;
  /** Mounts, in all namespaces, whose mount point this is. */
  mountCount = 0;
  /** Changes when this dentry ceases to be what a cached path found: creation, unlink, rename, eviction. */
  seq = 0;
  /** See path_answers.ts: what depends on `seq`. */
  answer = -1;
  moreAnswers: number[] | null = null;
  /** Second chance for the clock. */
  used = true;
  /** Index in the clock's ring, -1 outside. */
  ringIndex = -1;

  constructor(
    readonly fs: Filesystem,
    /** Null for the root of a file system and for pseudo files. */
    public parent: Dentry | null,
    public name: string,
    /** Null when negative. */
    public inode: Inode | null,
  ) {
    if (parent !== null) parent.refs++;
    if (inode !== null) inode.refs++;
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs === 0 && !this.hashed) free(this);
  }

  /** Makes a negative dentry positive: its name was created. */
  instantiate(inode: Inode): void {
    inode.refs++;
    this.inode = inode;
    this.changed();
    this.used = true;
  }

  /** It is no longer what a cached path found. */
  changed(): void {
    this.seq++;
    if (this.answer >= 0) forgetAnswers(this);
  }

  /** True for a directory that was removed: nothing can be created or found in it. */
  get isDead(): boolean {
    return this.unlinked;
  }
}

class Dcache {
  /** Part of every cached path's validity: see {@link invalidatePaths}. */
  generation = 1;
  readonly ring: Dentry[] = [];
  hand = 0;
  limit = DEFAULT_LIMIT;
}
export const dcache = new Dcache();
ofOneSandbox(() => {
  dcache.ring.length = 0;
  dcache.hand = 0;
  dcache.limit = DEFAULT_LIMIT;
});

/**
 * Forgets every cached whole path. To be called when a name that may be in the middle of a path, or
 * the permission to search a directory, changes: mounts, directories and symbolic links renamed or
 * removed, chmod and chown of directories. Callers of namei's functions need not.
 */
export function invalidatePaths(): void {
  dcache.generation++;
  forgetAllAnswers();
}

export function setDentryLimit(limit: number): void {
  dcache.limit = limit;
}

/** The root of a file system or a pseudo file; owned (one reference) by the caller. */
export function newRootDentry(fs: Filesystem, inode: Inode, name = "/"): Dentry {
  const d = new Dentry(fs, null, name, inode);
  d.refs = 1;
  return d;
}

/** Adds `name` to the cache of `dir`; negative without an inode. Nothing of that name may be hashed. */
export function addDentry(dir: Dentry, name: string, inode: Inode | null): Dentry {
  const d = new Dentry(dir.fs, dir, name, inode);
  hash(d);
  return d;
}

/**
 * The dentry of `name` in the directory `dir`, negative when there is no such file, or -errno of
 * the file system's lookup. Knows nothing of permissions, mounts, "." and "..".
 */
export function lookupDentry(dir: Dentry, name: string): Dentry | number {
  const children = dir.children;
  if (children !== null) {
    const d = children.get(name);
    if (d !== undefined) {
      if (!d.fs.revalidates || revalidate(dir, d)) {
        d.used = true;
        return d;
      }
    }
  }
  if (dir.unlinked) return -2; // ENOENT: nothing is found in a removed directory.
  const inode = dir.inode!.lookup(name);
  if (typeof inode !== "number") return addDentry(dir, name, inode);
  return inode === -2 ? addDentry(dir, name, null) : inode;
}

/** Whether `d` is still what the file system would find; if not, it is dropped from the cache. */
function revalidate(dir: Dentry, d: Dentry): boolean {
  const dirInode = dir.inode!;
  if (dirInode.revalidate !== undefined) {
    if (dirInode.revalidate(d.name, d.inode)) return true;
  } else {
    const inode = dirInode.lookup(d.name);
    if (inode === d.inode || (d.inode === null && inode === -2)) return true;
    if (typeof inode !== "number" && d.inode === null) {
      d.instantiate(inode);
      return true;
    }
    if (typeof inode !== "number" && d.mountCount > 0) return true;
  }
  if (d.mountCount > 0) return true; // Linux: a mount point does not go away under its mount.
  dropDentry(d);
  return false;
}

/** Takes `d`, and what is cached below it, out of the cache; pinned dentries live on unhashed. */
export function dropDentry(d: Dentry): void {
  dropChildren(d);
  if (!d.hashed) return;
  unhash(d);
  if (d.refs === 0) free(d);
}

/** Drops every unpinned dentry below `d`. */
export function dropChildren(d: Dentry): void {
  if (d.children === null) return;
  for (const child of d.children.values()) {
    dropChildren(child);
    if (child.refs === 0) {
      unhash(child);
      free(child);
    }
  }
}

/** The name of `d` was removed from the file system (unlink, rmdir). */
export function dentryRemoved(d: Dentry): void {
  d.changed();
  dropChildren(d);
  if (d.refs === 0 && d.hashed) { // Keep the object as a negative dentry.
    const inode = d.inode;
    d.inode = null;
    if (inode !== null) dropInode(inode);
    return;
  }
  d.unlinked = true;
  if (d.hashed) unhash(d);
  if (d.refs === 0) free(d);
}

/** `d` now is `newName` in `newDir`; `replaced` is the dentry cached under that name before. */
export function dentryRenamed(
  d: Dentry,
  newDir: Dentry,
  newName: string,
  replaced: Dentry | null,
): void {
  if (replaced !== null && replaced !== d) {
    dropChildren(replaced);
    if (replaced.inode !== null) replaced.unlinked = true;
    if (replaced.hashed) unhash(replaced);
    if (replaced.refs === 0) free(replaced);
  }
  d.changed();
  const wasHashed = d.hashed;
  const oldDir = d.parent!;
  if (wasHashed) oldDir.children!.delete(d.name);
  newDir.refs++;
  d.parent = newDir;
  d.name = newName;
  if (wasHashed) (newDir.children ??= new Map()).set(newName, d);
  oldDir.release();
}

/** RENAME_EXCHANGE: both names live on, each with the other's file. */
export function dentriesExchanged(a: Dentry, b: Dentry): void {
  a.changed();
  b.changed();
  const aDir = a.parent!, aName = a.name;
  aDir.children!.delete(aName);
  b.parent!.children!.delete(b.name);
  a.parent = b.parent;
  a.name = b.name;
  b.parent = aDir;
  b.name = aName;
  (a.parent!.children ??= new Map()).set(a.name, a);
  (aDir.children ??= new Map()).set(aName, b);
}

/** Takes unused dentries when there are too many. Called at the start of a walk. */
export function shrinkDcache(): void {
  const ring = dcache.ring;
  let surplus = ring.length - dcache.limit;
  for (let scanned = 0; surplus > 0 && scanned < SCAN_LIMIT && ring.length > 0; scanned++) {
    if (dcache.hand >= ring.length) dcache.hand = 0;
    const d = ring[dcache.hand];
    if (d.refs > 0 || d.used) {
      d.used = false;
      dcache.hand++;
      continue;
    }
    unhash(d); // Puts the ring's last one where the hand is.
    free(d);
    surplus--;
  }
}

function hash(d: Dentry): void {
  const dir = d.parent!;
  (dir.children ??= new Map()).set(d.name, d);
  d.hashed = true;
  d.ringIndex = dcache.ring.length;
  dcache.ring.push(d);
}

function unhash(d: Dentry): void {
  if (d.parent === null) return;
  d.changed();
  d.hashed = false;
  const children = d.parent.children!;
  children.delete(d.name);
  const last = dcache.ring.pop()!;
  if (last !== d) {
    dcache.ring[d.ringIndex] = last;
    last.ringIndex = d.ringIndex;
  }
  d.ringIndex = -1;
}

/** Nothing refers to `d` any more. */
function free(d: Dentry): void {
  const inode = d.inode;
  d.inode = null;
  if (inode !== null) dropInode(inode);
  d.parent?.release();
}

/** Ends a dentry's hold of an inode. */
export function dropInode(inode: Inode): void {
  if (--inode.refs === 0) inode.release();
}

/** Whether `d` is `ancestor` or below it, within one file system. */
export function isBelow(d: Dentry, ancestor: Dentry): boolean {
  for (let x: Dentry | null = d; x !== null; x = x.parent) if (x === ancestor) return true;
  return false;
}
