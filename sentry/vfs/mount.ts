/**
 * Mounts: where a file system's tree is attached in another's. Linux's words: struct mount, mnt_ns.
 *
 * A mount is pinned by the namespace it is attached in, by open files and by root and working
 * directories. The last one that goes ends it, and with the last mount ends the file system.
 * `propagation.ts` says which other mounts a change reaches.
 */
import { EBUSY, EINVAL, ELOOP, ENOSPC } from "../../platform/abi/errno.ts";
import { MS_PRIVATE, MS_SHARED } from "../../platform/abi/mount.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
} from "../../platform/abi/mount.ts";
import { MS_NOSYMFOLLOW, MS_RDONLY, MS_STRICTATIME } from "../../platform/abi/mount.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { WaitQueue } from "../wait/queue.ts";
import { Dentry, dropDentry, invalidatePaths, isBelow, newRootDentry } from "./dentry.ts";
import type { Filesystem } from "./inode.ts";
import {
  copyPropagation,
  type PeerGroup,
  planCopies,
  type Planned,
  receivers,
  setPropagation,
} from "./propagation.ts";

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

/** Linux's MNT_UNIQUE_ID_OFFSET. */
export const UNIQUE_ID_OFFSET = 2 ** 31;
const FIRST_MOUNT_ID = 20;
let nextMountId = FIRST_MOUNT_ID;

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
  /** Those that see each other's mounts; null unless shared (Linux: mnt_share). */
  peers: PeerGroup | null = null;
  /** Whose mounts it sees as a slave (Linux: mnt_master). */
  master: PeerGroup | null = null;
  unbindable = false;
  /** Marked by umount2(MNT_EXPIRE), cleared by use. */
  expiring = false;
  /** Open files that may write to its regular files. */
  writers = 0;

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

  /** Never used again, also where small numbers are (STATX_MNT_ID_UNIQUE, listmount(2)). */
  get uniqueId(): number {
    return UNIQUE_ID_OFFSET + this.id;
  }

  get isReadOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0 || this.fs.readOnly === true;
  }

  /** Whether `flags` would make it read-only while files are open for writing. */
  refuses(flags: number): boolean {
    return (flags & MS_RDONLY) !== 0 && !this.isReadOnly && this.writers > 0;
  }

  /** A mount of the same file system with the same flags and groups, its root at `root`. Detached. */
  clone(root: Dentry = this.root): Mount {
    const copy = new Mount(this.fs, root, this.flags, this.source);
    copyPropagation(this, copy);
    return copy;
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

/** Whether it is mounted, or held for a mount. */
export function isUsed(fs: Filesystem): boolean {
  return uses.has(fs);
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

let nextNamespaceId = 1;
ofOneSandbox(() => {
  uses.clear();
  nextMountId = FIRST_MOUNT_ID;
  nextNamespaceId = 1;
});

export class MountNamespace {
  /** As statmount(2) gives it. */
  readonly id = nextNamespaceId++;
  root: Mount;
  /** Mounts attached, in the order of their attachment. */
  readonly mounts = new Set<Mount>();
  /** Notified (EPOLLERR | EPOLLPRI by its readers) when the table changes; see /proc/PID/mounts. */
  readonly changed = new WaitQueue();
  event = 0;
  refs = 1;

  /** Takes over the caller's reference to `root`. `anonymous`: of a detached tree, in no task. */
  constructor(root: Mount, readonly anonymous = false) {
    this.root = root;
    forEachBelow(root, (m) => {
      m.ns = this;
      this.mounts.add(m);
    });
  }

  get rootPath(): PathRef {
    return crossMounts(this.root.rootPath);
  }

  /**
   * Attaches a detached mount, with the mounts below it, at `at` (on top of what is mounted there), and
   * copies wherever that is seen. Takes over the caller's reference. Returns 0, -EINVAL, -ENOSPC.
   */
  attach(mount: Mount, at: PathRef): number {
    return this.#attach(mount, crossMounts(at));
  }

  /** `place` is not crossed: what is mounted there comes to lie on top (MOVE_MOUNT_BENEATH). */
  #attach(mount: Mount, place: PathRef): number {
    const { mount: parent, dentry } = place;
    if (parent.ns !== this) return -EINVAL;
    let planned: Planned[] = [];
    if (parent.peers !== null) {
      forEachBelow(mount, (m) => setPropagation(m, MS_SHARED));
      const copy = (tree: Mount): Mount => copyTree(tree, tree.root, true, null, true);
      planned = planCopies(parent, dentry, mount, copy, forEachBelow);
    }
    if (this.mounts.size + planned.length >= MOUNT_MAX) {
      for (const { tree } of planned) releaseTree(tree);
      return -ENOSPC;
    }
    graft(mount, parent, dentry);
    for (const { tree, parent: other } of planned) graft(tree, other, dentry);
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
    const copy = this.copy(from, recursive);
    if (typeof copy === "number") return copy;
    const err = this.attach(copy, at);
    if (err < 0) releaseTree(copy);
    return err;
  }

  /** A detached copy of what is seen at `from`; the caller owns it. */
  copy(from: PathRef, recursive: boolean): Mount | number {
    if (from.mount.ns !== this || from.mount.unbindable) return -EINVAL;
    return copyTree(from.mount, from.dentry, recursive, null, false);
  }

  /** MS_MOVE, or move_mount(2) of a detached tree. `from` must be the root of a mount. */
  move(from: PathRef, at: PathRef, beneath = false): number {
    const { mount } = from;
    const source = mount.ns;
    if (source === null || from.dentry !== mount.root) return -EINVAL;
    if (source.anonymous ? mount !== source.root : source !== this || mount.parent === null) {
      return -EINVAL;
    }
    if (isShared(mount.parent)) return -EINVAL;
    for (let m: Mount | null = at.mount; m !== null; m = m.parent) if (m === mount) return -ELOOP;
    const to = beneath ? placeBeneath(at) : crossMounts(at);
    if (to === null || to.mount.ns !== this) return -EINVAL;
    if (to.mount.peers !== null && containsUnbindable(mount)) return -EINVAL;
    if (source.anonymous) source.mounts.clear(); // The tree is this namespace's from now on.
    unlink(mount);
    return this.#attach(mount, to);
  }

  /**
   * umount2(2): detaches, also where it was propagated to. Without `detach` (MNT_DETACH) a mount in use
   * is -EBUSY. The caller's path must hold no reference of its own.
   */
  unmount(mount: Mount, detach: boolean): number {
    if (mount.ns !== this) return -EINVAL;
    if (mount === this.root) return detach ? -EINVAL : -EBUSY;
    if (!detach && hasChildren(mount)) return -EBUSY;
    const going = withCopies(mount);
    if (!detach) { for (const m of going) if (m.refs > 1) return -EBUSY; }
    for (const gone of going) {
      const ns = gone.ns!;
      takeOut(gone);
      ns.#forget(gone);
      ns.#tableChanged();
    }
    return 0;
  }

  #releaseDetached(mount: Mount): void {
    if (mount.children !== null) {
      for (const child of [...mount.children.values()]) {
        unlink(child);
        this.#releaseDetached(child);
      }
    }
    this.#forget(mount);
  }

  /** `mount`, which is in no tree any more, leaves the namespace. */
  #forget(mount: Mount): void {
    setPropagation(mount, MS_PRIVATE);
    mount.ns = null;
    this.mounts.delete(mount);
    mount.release();
  }

  /** Changes the propagation of `mount`; with `recursive` also of all below. */
  changePropagation(mount: Mount, kind: number, recursive: boolean): number {
    if (mount.ns !== this) return -EINVAL;
    if (recursive) forEachBelow(mount, (m) => setPropagation(m, kind));
    else setPropagation(mount, kind);
    this.#tableChanged();
    return 0;
  }

  /** mount_setattr(2): MS_* flags to clear, then to set, of all or, when one is -EBUSY, of none. */
  changeFlags(mount: Mount, set: number, clear: number, recursive: boolean): number {
    const mounts = [mount];
    if (recursive) forEachBelow(mount, (m) => m !== mount && mounts.push(m));
    if (mounts.some((m) => m.refuses(set))) return -EBUSY;
    for (const m of mounts) m.flags = (m.flags & ~clear) | set;
    this.#tableChanged();
    return 0;
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
    if (isShared(newRoot.parent) || isShared(parent)) return -EINVAL;
    if (isShared(putOld.mount)) return -EINVAL;
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
    const root = copyTree(this.root, this.root.root, true, map, true);
    const ns = new MountNamespace(root);
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
    if (--this.refs !== 0 || this.mounts.size === 0) return;
    this.#releaseDetached(this.root);
  }

  /** Adds a tree that has been linked. */
  adopt(tree: Mount): void {
    forEachBelow(tree, (m) => {
      m.ns = this;
      this.mounts.add(m);
    });
    this.#tableChanged();
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

/**
 * All that goes with `mount`, those below first: its tree, and the copies of that where it was propagated
 * to (propagate_umount). A copy stays that something else is mounted on, unless it is on the copy's root.
 */
function withCopies(mount: Mount): Set<Mount> {
  const tree: Mount[] = [];
  forEachBelow(mount, (m) => tree.push(m));
  tree.reverse();
  const going = new Set(tree);
  for (const m of tree) {
    for (const other of receivers(m.parent!)) {
      const copy = other.children?.get(m.mountpoint!);
      if (copy === undefined) continue;
      const rest = [...copy.children?.values() ?? []].filter((child) => !going.has(child));
      if (rest.every((child) => child.mountpoint === copy.root)) going.add(copy);
    }
  }
  return going;
}

/** Takes `mount` out of its tree; what is still mounted on it comes to lie where it was. */
function takeOut(mount: Mount): void {
  const parent = mount.parent!;
  const mountpoint = mount.mountpoint!;
  unlink(mount);
  if (mount.children === null) return;
  for (const child of [...mount.children.values()]) {
    unlink(child);
    let below = parent, at = mountpoint;
    for (let above; (above = below.children?.get(at)) !== undefined; at = above.root) below = above;
    link(child, below, at);
  }
}

/** Attaches a tree exactly there; a mount that was there comes to lie on the tree's root. */
function graft(tree: Mount, parent: Mount, dentry: Dentry): void {
  const above = parent.children?.get(dentry);
  if (above !== undefined) {
    unlink(above);
    link(above, tree, tree.root);
  }
  link(tree, parent, dentry);
  parent.ns!.adopt(tree);
}

/** Where what lies on top at `p` is mounted; null when nothing is, or a namespace's root. */
function placeBeneath(p: PathRef): PathRef | null {
  const { mount, dentry } = crossMounts(p);
  if (dentry !== mount.root || mount.parent === null) return null;
  return { mount: mount.parent, dentry: mount.mountpoint! };
}

function isShared(mount: Mount | null): boolean {
  return mount !== null && mount.peers !== null;
}

function hasChildren(mount: Mount): boolean {
  return mount.children !== null && mount.children.size > 0;
}

function containsUnbindable(mount: Mount): boolean {
  let found = false;
  forEachBelow(mount, (m) => found ||= m.unbindable);
  return found;
}

function forEachBelow(mount: Mount, visit: (m: Mount) => void): void {
  visit(mount);
  if (mount.children === null) return;
  for (const child of mount.children.values()) forEachBelow(child, visit);
}

/**
 * A detached copy of `mount` from `root` on, with the mounts below `root` when recursive; unbindable ones
 * among these only when `all`.
 */
function copyTree(
  mount: Mount,
  root: Dentry,
  recursive: boolean,
  map: Map<Mount, Mount> | null,
  all: boolean,
): Mount {
  const copy = mount.clone(root);
  map?.set(mount, copy);
  if (recursive && mount.children !== null) {
    for (const child of mount.children.values()) {
      if (!isBelow(child.mountpoint!, root) || (child.unbindable && !all)) continue;
      link(copyTree(child, child.root, true, map, all), copy, child.mountpoint!);
    }
  }
  return copy;
}

export function releaseTree(mount: Mount): void {
  if (mount.children !== null) {
    for (const child of [...mount.children.values()]) {
      unlink(child);
      releaseTree(child);
    }
  }
  setPropagation(mount, MS_PRIVATE);
  mount.release();
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
