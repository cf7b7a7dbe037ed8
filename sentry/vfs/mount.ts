/**
 * Mounts: where a file system's tree is attached in another's. Linux's words: struct mount, mnt_ns.
 *
 * A mount is pinned by the namespace it is attached in, by open files and by root and working
 * directories. The last one that goes ends it, and with the last mount ends the file system.
 * Propagation is not done: every mount behaves as private.
 */
import { EBUSY, EINVAL } from "../../platform/abi/errno.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
} from "../../platform/abi/mount.ts";
import { MS_NOSYMFOLLOW, MS_RDONLY, MS_STRICTATIME } from "../../platform/abi/mount.ts";
import { WaitQueue } from "../wait/queue.ts";
import { Dentry, dropDentry, invalidatePaths, newRootDentry } from "./dentry.ts";
import type { Filesystem } from "./inode.ts";

/** Flags a mount may carry. Without MS_NOATIME and MS_STRICTATIME it is relatime, as on Linux. */
export const MOUNT_FLAGS_MASK = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME |
  MS_NODIRATIME | MS_STRICTATIME | MS_NOSYMFOLLOW;

/** Limit of mounts in one namespace (Linux: /proc/sys/fs/mount-max). */
const MOUNT_MAX = 100_000;

/** A place in the tree (Linux: struct path). Immutable; holds no references unless said. */
export interface PathRef {
  readonly mount: Mount;
  readonly dentry: Dentry;
}

/** Takes references for a path that is kept (root, working directory). */
export function acquirePath(p: PathRef): PathRef {
  p.mount.refs++;
  p.dentry.refs++;
  return p;
}

export function releasePath(p: PathRef): void {
  p.dentry.release();
  p.mount.release();
}

let nextMountId = 20;

export class Mount {
  readonly id = nextMountId++;
  /** The mount it is attached in; null for a namespace's root and when detached. */
  parent: Mount | null = null;
  /** Where in `parent`. */
  mountpoint: Dentry | null = null;
  /** Mounts attached here, by mount point. */
  children: Map<Dentry, Mount> | null = null;
  /** Null when detached. */
  ns: MountNamespace | null = null;
  refs = 1;
  /** Marked by umount2(MNT_EXPIRE), cleared by use. */
  expiring = false;

  /** The caller owns the one reference. `root` is pinned by the mount. */
  constructor(
    readonly fs: Filesystem,
    readonly root: Dentry,
    /** MS_* flags of MOUNT_FLAGS_MASK. */
    public flags: number,
    /** Source as /proc/mounts shows it. */
    readonly source: string,
  ) {
    root.acquire();
    useFilesystem(fs);
  }

  get isReadOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0;
  }

  /** A mount of the same file system with the same flags, its root at `root`. Detached. */
  clone(root: Dentry = this.root): Mount {
    return new Mount(this.fs, root, this.flags, this.source);
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs !== 0) return;
    this.root.release();
    unuseFilesystem(this.fs);
  }

  /** The PathRef of its root. */
  get rootPath(): PathRef {
    return { mount: this, dentry: this.root };
  }
}

interface FilesystemUse {
  root: Dentry;
  mounts: number;
}
const uses = new Map<Filesystem, FilesystemUse>();

/** Keeps a file system alive; every Mount does, and so may a kernel-internal user. */
export function useFilesystem(fs: Filesystem): Dentry {
  let use = uses.get(fs);
  if (use === undefined) uses.set(fs, use = { root: newRootDentry(fs, fs.root), mounts: 0 });
  use.mounts++;
  return use.root;
}

export function unuseFilesystem(fs: Filesystem): void {
  const use = uses.get(fs)!;
  if (--use.mounts > 0) return;
  uses.delete(fs);
  dropDentry(use.root);
  use.root.hashed = false;
  use.root.release();
  fs.release();
}

/** A detached mount of a whole file system; the caller owns it. */
export function newMount(fs: Filesystem, source: string, flags: number): Mount {
  const root = useFilesystem(fs);
  const mount = new Mount(fs, root, flags & MOUNT_FLAGS_MASK, source);
  unuseFilesystem(fs);
  return mount;
}

/** The uppermost mount at a mount point, `p` itself when nothing is mounted there. */
export function crossMounts(p: PathRef): PathRef {
  let { mount, dentry } = p;
  if (dentry.mountCount === 0) return p;
  let crossed = false;
  while (dentry.mountCount > 0) {
    const child = mount.children?.get(dentry);
    if (child === undefined) break;
    mount = child;
    dentry = child.root;
    crossed = true;
  }
  return crossed ? { mount, dentry } : p;
}

export class MountNamespace {
  root: Mount;
  /** Mounts attached, in the order of their attachment. */
  readonly mounts = new Set<Mount>();
  /** Notified (EPOLLERR | EPOLLPRI by its readers) when the table changes; see /proc/PID/mounts. */
  readonly changed = new WaitQueue();
  event = 0;
  refs = 1;

  /** Takes over the caller's reference to `root`. */
  constructor(root: Mount) {
    this.root = root;
    root.ns = this;
    this.mounts.add(root);
  }

  get rootPath(): PathRef {
    return crossMounts(this.root.rootPath);
  }

  /**
   * Attaches a detached mount, with the mounts below it, at `at` (on top of what is mounted there).
   * Takes over the caller's reference. Returns 0, -EINVAL, -ENOSPC.
   */
  attach(mount: Mount, at: PathRef): number {
    const { mount: parent, dentry } = crossMounts(at);
    if (parent.ns !== this) return -EINVAL;
    if (this.mounts.size >= MOUNT_MAX) return -28; // ENOSPC
    link(mount, parent, dentry);
    forEachBelow(mount, (m) => {
      m.ns = this;
      this.mounts.add(m);
    });
    this.#tableChanged();
    return 0;
  }

  /** mount(2) of a file system instance. Takes over nothing: `fs` lives as long as it is mounted. */
  mount(fs: Filesystem, source: string, flags: number, at: PathRef): number {
    const m = newMount(fs, source, flags);
    const err = this.attach(m, at);
    if (err < 0) m.release();
    return err;
  }

  /** MS_BIND, with `recursive` MS_REC. */
  bind(from: PathRef, recursive: boolean, at: PathRef): number {
    if (from.mount.ns !== this) return -EINVAL;
    const copy = copyTree(from.mount, from.dentry, recursive, null);
    const err = this.attach(copy, at);
    if (err < 0) releaseTree(copy);
    return err;
  }

  /** MS_MOVE. `from` must be the root of a mount. */
  move(from: PathRef, at: PathRef): number {
    const mount = from.mount;
    if (mount.ns !== this || from.dentry !== mount.root || mount.parent === null) return -EINVAL;
    for (let m: Mount | null = at.mount; m !== null; m = m.parent) if (m === mount) return -40;
    const to = crossMounts(at);
    if (to.mount.ns !== this) return -EINVAL;
    unlink(mount);
    link(mount, to.mount, to.dentry);
    this.#tableChanged();
    return 0;
  }

  /**
   * umount2(2): detaches. Without `detach` (MNT_DETACH) a mount in use is -EBUSY. The caller's path
   * must hold no reference of its own.
   */
  unmount(mount: Mount, detach: boolean): number {
    if (mount.ns !== this) return -EINVAL;
    if (mount === this.root) return detach ? -EINVAL : -EBUSY;
    if (!detach && (mount.refs > 1 || (mount.children !== null && mount.children.size > 0))) {
      return -EBUSY;
    }
    unlink(mount);
    this.#releaseDetached(mount);
    this.#tableChanged();
    return 0;
  }

  #releaseDetached(mount: Mount): void {
    if (mount.children !== null) {
      for (const child of [...mount.children.values()]) {
        unlink(child);
        this.#releaseDetached(child);
      }
    }
    mount.ns = null;
    this.mounts.delete(mount);
    mount.release();
  }

  /** MS_REMOUNT | MS_BIND, and the mount's part of MS_REMOUNT. */
  remount(mount: Mount, flags: number): number {
    if (mount.ns !== this) return -EINVAL;
    mount.flags = flags & MOUNT_FLAGS_MASK;
    this.#tableChanged();
    return 0;
  }

  /**
   * pivot_root(2) after the checks of its caller: `newRoot` (a mount's root, not the current root)
   * becomes the namespace's root, the old root is attached at `putOld`, below the new one.
   */
  pivot(newRoot: Mount, oldRoot: Mount, putOld: PathRef): number {
    const parent = oldRoot.parent;
    const at = oldRoot.mountpoint;
    unlink(newRoot);
    if (parent !== null) unlink(oldRoot);
    link(oldRoot, putOld.mount, putOld.dentry);
    if (parent !== null) link(newRoot, parent, at!);
    else this.root = newRoot;
    this.#tableChanged();
    return 0;
  }

  /**
   * CLONE_NEWNS: a copy of all mounts. `translate` gives the place in the copy for one in this
   * namespace (for root and working directory), itself for others. The caller owns the copy.
   */
  clone(): { ns: MountNamespace; translate: (p: PathRef) => PathRef } {
    const map = new Map<Mount, Mount>();
    const root = copyTree(this.root, this.root.root, true, map);
    const ns = new MountNamespace(root);
    forEachBelow(root, (m) => {
      m.ns = ns;
      ns.mounts.add(m);
    });
    const translate = (p: PathRef): PathRef => {
      const mount = map.get(p.mount);
      return mount === undefined ? p : { mount, dentry: p.dentry };
    };
    return { ns, translate };
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  /** The last task that uses it is gone: everything is unmounted lazily. */
  release(): void {
    if (--this.refs !== 0) return;
    this.#releaseDetached(this.root);
  }

  #tableChanged(): void {
    this.event++;
    invalidatePaths();
    this.changed.notify(0x2 | 0x8); // EPOLLPRI | EPOLLERR
  }
}

function link(mount: Mount, parent: Mount, dentry: Dentry): void {
  mount.parent = parent;
  mount.mountpoint = dentry.acquire();
  dentry.mountCount++;
  (parent.children ??= new Map()).set(dentry, mount);
}

function unlink(mount: Mount): void {
  const dentry = mount.mountpoint;
  if (dentry === null) return;
  mount.parent!.children!.delete(dentry);
  mount.parent = null;
  mount.mountpoint = null;
  dentry.mountCount--;
  dentry.release();
}

function forEachBelow(mount: Mount, visit: (m: Mount) => void): void {
  visit(mount);
  if (mount.children === null) return;
  for (const child of mount.children.values()) forEachBelow(child, visit);
}

/** A detached copy of `mount` from `root` on, with the mounts below `root` when recursive. */
function copyTree(
  mount: Mount,
  root: Dentry,
  recursive: boolean,
  map: Map<Mount, Mount> | null,
): Mount {
  const copy = mount.clone(root);
  map?.set(mount, copy);
  if (recursive && mount.children !== null) {
    for (const child of mount.children.values()) {
      if (!isBelow(child.mountpoint!, root)) continue;
      link(copyTree(child, child.root, true, map), copy, child.mountpoint!);
    }
  }
  return copy;
}

function releaseTree(mount: Mount): void {
  if (mount.children !== null) {
    for (const child of [...mount.children.values()]) {
      unlink(child);
      releaseTree(child);
    }
  }
  mount.release();
}

/** Whether `d` is `ancestor` or below it, within one file system. */
export function isBelow(d: Dentry, ancestor: Dentry): boolean {
  for (let x: Dentry | null = d; x !== null; x = x.parent) if (x === ancestor) return true;
  return false;
}

/** Whether the place `p` is `ancestor` or below it, across mounts. */
export function isPathBelow(p: PathRef, ancestor: PathRef): boolean {
  let { mount, dentry } = p;
  while (mount !== ancestor.mount) {
    if (mount.parent === null) return false;
    dentry = mount.mountpoint!;
    mount = mount.parent;
  }
  return isBelow(dentry, ancestor.dentry);
}
