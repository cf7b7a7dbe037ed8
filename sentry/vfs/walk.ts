/**
 * The path walk (path_resolution(7); Linux: link_path_walk and what is around it in fs/namei.c).
 */
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from "../../platform/abi/errno.ts";
import {
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../platform/abi/fcntl.ts";
import { RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from "../../platform/abi/fcntl.ts";
import { MAX_SYMLINKS, NAME_MAX } from "../../platform/abi/limits.ts";
import { MS_NOSYMFOLLOW } from "../../platform/abi/mount.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../platform/abi/stat.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { ANSWER_BOTH, ANSWER_FOLLOW, ANSWER_NOFOLLOW } from "../../platform/platform.ts";
import type { Credentials } from "../auth/credentials.ts";
import { touchAccessed } from "./attributes.ts";
import { dcache, type Dentry, lookupDentry, shrinkDcache } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { Mount, MountNamespace, PathRef } from "./mount.ts";
import { isTold, tellPath } from "./path_answers.ts";
import { lookupPath, type PathCacheEntry, rememberPath } from "./path_cache.ts";
import { mayFollow, maySearch, protectsLinks } from "./permission.ts";

/** Whose walk it is. `creds.fsuid`, `fsgid`, groups and effective capabilities decide. */
export interface WalkContext {
  readonly root: PathRef;
  readonly cwd: PathRef;
  readonly creds: Credentials;
  readonly mountNs: MountNamespace;
  /** For what is made where the walk ends. */
  readonly umask: number;
}

/** Do not follow a symbolic link in the last component. */
export const WALK_NOFOLLOW = 0x100;
/** The result must be a directory (-ENOTDIR). */
export const WALK_DIRECTORY = 0x200;
/** AT_EMPTY_PATH: an empty path is `start` itself. */
export const WALK_EMPTY = 0x400;
/** umount2(MNT_EXPIRE): passing a mount does not count as its use. */
export const WALK_KEEP_EXPIRY = 0x800;
/** The low byte holds openat2's RESOLVE_* flags. */
const WALK_RESOLVE_MASK = 0xff;

/** What the last component of a parent walk is. */
export const LAST_NORMAL = 0;
/** The path was "/" alone. */
export const LAST_ROOT = 1;
export const LAST_DOT = 2;
export const LAST_DOTDOT = 3;

const SLASH = 47;
const DOT = 46;

/**
 * Borrowed result, see dentry.ts. `start` serves relative paths (ctx.cwd, or a dirfd's path).
 * Errors: -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EXDEV, and those of the file system.
 */
export function walk(
  ctx: WalkContext,
  start: PathRef,
  path: string,
  flags: number,
): PathRef | number {
  const follow = (flags & WALK_NOFOLLOW) === 0;
  const known = (flags & WALK_RESOLVE_MASK) === 0
    ? lookupPath(path, ctx.root, start, ctx.creds, follow)
    : null;
  if (known !== null) {
    const { ref } = known;
    const { inode } = ref.dentry;
    if (!isTold(known)) {
      const isOfLink = known.followedLast || known.endsInLink;
      tellPath(ctx, start, path, toldTo(follow, isOfLink), ref, known);
    }
    if (inode === null) return -ENOENT;
    return (flags & WALK_DIRECTORY) === 0 || isDirectory(inode) ? ref : -ENOTDIR;
  }
  if (path.length === 0) return (flags & WALK_EMPTY) === 0 ? -ENOENT : start;
  const w = takeWalker();
  const result = fullWalk(w, ctx, start, path, flags, follow);
  returnWalker(w);
  return result;
}

function fullWalk(
  w: Walker,
  ctx: WalkContext,
  start: PathRef,
  path: string,
  flags: number,
  follow: boolean,
): PathRef | number {
  w.begin(ctx, start, flags);
  const err = w.resolve(path, follow);
  if (err < 0) {
    if (w.missing !== null) tellWalk(w, path, follow, { mount: w.mount, dentry: w.missing });
    return err;
  }
  const dentry = w.dentry;
  if ((flags & WALK_DIRECTORY) !== 0 && !isDirectory(dentry.inode!)) return -ENOTDIR;
  const ref = { mount: w.mount, dentry };
  tellWalk(w, path, follow, ref);
  return ref;
}

/** Remembers where a walk led, for the Sentry and for those who may know it. */
function tellWalk(w: Walker, path: string, follow: boolean, ref: PathRef): void {
  const entry = w.remember(path, ref);
  if (entry === null) return;
  const isOfLink = entry.followedLast || entry.endsInLink;
  tellPath(w.context, w.start, path, toldTo(follow, isOfLink), ref, entry);
}

/** Whom the result of a walk is for (ANSWER_*): where no link was last, it makes no difference. */
function toldTo(follow: boolean, isOfLink: boolean): number {
  if (!isOfLink) return ANSWER_BOTH;
  return follow ? ANSWER_FOLLOW : ANSWER_NOFOLLOW;
}

/** The directory that holds the last component, and that component, not looked up yet. */
export interface Parent {
  readonly mount: Mount;
  readonly dir: Dentry;
  readonly name: string;
  /** LAST_* */
  readonly kind: number;
  readonly hasTrailingSlash: boolean;
}

/**
 * Where a relative path starts, or the -errno of an argument that tells no place: it becomes the
 * error of the walk, so that it comes when the path's turn has come.
 */
export type WalkStart = PathRef | number;

/** Walks to the parent of the last component. `flags`: RESOLVE_*. */
export function walkParent(
  ctx: WalkContext,
  start: WalkStart,
  path: string,
  flags = 0,
): Parent | number {
  if (typeof start === "number") return start;
  if (path.length === 0) return -ENOENT;
  const w = takeWalker();
  w.begin(ctx, start, flags);
  const err = w.resolveParent(path);
  const parent = err < 0 ? err : {
    mount: w.mount,
    dir: w.dentry,
    name: w.lastName,
    kind: w.lastKind,
    hasTrailingSlash: w.lastHasSlash,
  };
  returnWalker(w);
  return parent;
}

export function isDirectory(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

export function isLink(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFLNK;
}

/** The first `cut` characters of a path: the same string as last time, where it can be, which V8 has hashed. */
function directoryOf(path: string, cut: number): string {
  if (lastDirectory.length !== cut || !path.startsWith(lastDirectory)) {
    lastDirectory = path.substring(0, cut);
  }
  return lastDirectory;
}
let lastDirectory = "";

/** State of one walk. open.ts drives it by hand; all others use the functions above. */
export class Walker {
  /** Where the walk is. */
  mount!: Mount;
  dentry!: Dentry;
  lastName = "";
  lastKind = LAST_NORMAL;
  lastHasSlash = false;
  /** Whether the last component was a symbolic link that was followed. */
  followedLast = false;
  /** The negative dentry at which the walk ended. */
  missing: Dentry | null = null;
  #isCacheable = true;
  #ctx!: WalkContext;
  #root!: PathRef;
  #start!: PathRef;
  #flags = 0;
  #links = 0;
  /** Whether a walk with RESOLVE_NO_XDEV has needed the root: an absolute link counts as another mount until then. */
  #metRoot = false;
  /** Links that are followed and are not at the end. */
  #nested = 0;
  /** Where the last component of the path itself, not of a link's text, was looked for; null: not known. */
  #lastDir: PathRef | null = null;
  #linksToLastDir = 0;

  begin(ctx: WalkContext, start: PathRef, flags: number): void {
    if (dcache.ring.length > dcache.limit) shrinkDcache();
    this.#ctx = ctx;
    this.#flags = flags & (WALK_RESOLVE_MASK | WALK_KEEP_EXPIRY);
    this.#root = (flags & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0 ? start : ctx.root;
    this.#start = start;
    this.#links = 0;
    this.#metRoot = this.#root === start;
    this.#nested = 0;
    this.mount = start.mount;
    this.dentry = start.dentry;
    this.#isCacheable = !start.dentry.fs.revalidates;
    this.followedLast = false;
    this.missing = null;
  }

  /** Drops references to what was walked, so that an idle walker keeps nothing alive. */
  end(): void {
    this.mount = this.#ctx.root.mount;
    this.dentry = this.#ctx.root.dentry;
    this.#start = this.#ctx.root;
    this.#lastDir = null;
    this.missing = null;
  }

  /** Walks all of `path`. `follow`: also a symbolic link in the last component. */
  resolve(path: string, follow: boolean): number {
    return this.#whole(path, follow, false);
  }

  /** Walks to the last component's directory and sets `lastName`, `lastKind`, `lastHasSlash`. */
  resolveParent(path: string): number {
    return this.#whole(path, false, true);
  }

  /** Whose walk it is. */
  get context(): WalkContext {
    return this.#ctx;
  }
  /** Where a relative path starts. */
  get start(): PathRef {
    return this.#start;
  }

  /** Remembers that `path` led to `ref`. Null if the walk was none that can be remembered. */
  remember(path: string, ref: PathRef): PathCacheEntry | null {
    const { inode } = ref.dentry;
    const endsInLink = inode !== null && isLink(inode);
    return this.#remember(path, ref, this.followedLast, endsInLink, this.#links);
  }

  #remember(
    path: string,
    ref: PathRef,
    followedLast: boolean,
    endsInLink: boolean,
    links: number,
  ): PathCacheEntry | null {
    if (!this.#isCacheable || (this.#flags & WALK_RESOLVE_MASK) !== 0) return null;
    const { root, creds } = this.#ctx;
    const isAbsolute = path.charCodeAt(0) === SLASH;
    const entry = {
      rootDentry: root.dentry,
      rootMount: root.mount,
      startDentry: isAbsolute ? null : this.#start.dentry,
      startMount: isAbsolute ? null : this.#start.mount,
      creds,
      generation: dcache.generation,
      seq: ref.dentry.seq,
      followedLast,
      endsInLink,
      links,
      ref,
      answer: -1,
      serial: 0,
    };
    rememberPath(path, entry);
    return entry;
  }

  /** Walks a path from where it starts, or from the directory of its last component if that is known. */
  #whole(path: string, follow: boolean, parentOnly: boolean): number {
    const cut = path.lastIndexOf("/");
    if (cut <= 0 || cut === path.length - 1 || (this.#flags & WALK_RESOLVE_MASK) !== 0) {
      return this.#components(path, 0, follow, parentOnly, false);
    }
    const dirPath = directoryOf(path, cut);
    const known = lookupPath(dirPath, this.#ctx.root, this.#start, this.#ctx.creds, true);
    if (known !== null) {
      const { ref } = known;
      this.mount = ref.mount;
      if (ref.dentry.inode === null) {
        this.missing = ref.dentry;
        return -ENOENT;
      }
      this.dentry = ref.dentry;
      this.#links = known.links;
      return this.#components(path, cut + 1, follow, parentOnly, false);
    }
    this.#lastDir = null;
    const err = this.#components(path, 0, follow, parentOnly, true);
    const dir = this.#lastDir as PathRef | null;
    if (dir !== null) this.#remember(dirPath, dir, true, false, this.#linksToLastDir);
    return err;
  }

  /**
   * After `resolveParent`: the last component is the symbolic link `link`; walks to the parent of
   * what it leads to. Returns 1 when a magic link led to its end already, else 0 or -errno.
   */
  followLastParent(link: Dentry): number {
    const target = this.#readLink(link, true);
    if (typeof target === "number") return target;
    return target.length === 0 ? -ENOENT : this.#components(target, 0, false, true, false);
  }

  /** Looks up a name in the directory the walk is in. */
  lookupLast(): Dentry | number {
    if (this.lastName.length > NAME_MAX) return -ENAMETOOLONG;
    return lookupDentry(this.dentry, this.lastName);
  }

  /** Goes to `child`, found in the present directory, and over mounts on it. */
  stepTo(child: Dentry): number {
    this.dentry = child;
    return child.mountCount === 0 ? 0 : this.#crossMounts();
  }

  /** Walks the components from index `i` on. `noteDir`: sets `#lastDir`. */
  #components(
    path: string,
    i: number,
    follow: boolean,
    parentOnly: boolean,
    noteDir: boolean,
  ): number {
    const n = path.length;
    if (i === 0 && path.charCodeAt(0) === SLASH) {
      const err = this.#jumpToRoot();
      if (err < 0) return err;
    }
    for (;;) {
      while (i < n && path.charCodeAt(i) === SLASH) i++;
      if (i === n) { // Nothing but slashes.
        this.lastKind = LAST_ROOT;
        this.lastHasSlash = false;
        return isDirectory(this.dentry.inode!) ? 0 : -ENOTDIR;
      }
      let end = path.indexOf("/", i);
      if (end < 0) end = n;
      let next = end;
      while (next < n && path.charCodeAt(next) === SLASH) next++;
      const isLast = next === n;
      const dirInode = this.dentry.inode!;
      if (!isDirectory(dirInode)) return -ENOTDIR;
      if (!maySearch(this.#ctx.creds, dirInode)) {
        // The permission bits may be old news.
        if (!this.dentry.fs.revalidates || dirInode.refresh() < 0) return -EACCES;
        if (!maySearch(this.#ctx.creds, dirInode)) return -EACCES;
      }
      const kind = componentKind(path, i, end);
      if (isLast && noteDir) {
        this.#lastDir = { mount: this.mount, dentry: this.dentry };
        this.#linksToLastDir = this.#links;
      }
      if (isLast && parentOnly) {
        this.lastKind = kind;
        this.lastName = path.substring(i, end);
        this.lastHasSlash = next > end;
        return 0;
      }
      let err = 0;
      if (kind === LAST_DOTDOT) err = this.#up();
      else if (kind === LAST_NORMAL) {
        const name = path.substring(i, end);
        err = this.#step(name, !isLast || follow || next > end, isLast);
      }
      if (err < 0) return err;
      i = next;
      if (isLast) return next === end || isDirectory(this.dentry.inode!) ? 0 : -ENOTDIR;
    }
  }

  #step(name: string, follow: boolean, isLast: boolean): number {
    if (name.length > NAME_MAX) return -ENAMETOOLONG;
    const dir = this.dentry;
    if (dir.fs.revalidates) this.#isCacheable = false;
    const child = lookupDentry(dir, name);
    if (typeof child === "number") return child;
    const inode = child.inode;
    if (inode === null) {
      this.missing = child;
      return -ENOENT;
    }
    if (follow && (inode.mode & S_IFMT) === S_IFLNK && child.mountCount === 0) {
      if (isLast) this.followedLast = true;
      return this.#follow(child, isLast);
    }
    this.dentry = child;
    return child.mountCount === 0 ? 0 : this.#crossMounts();
  }

  /**
   * The walk is in the link's directory; goes to what the link leads to. `isLast`: it is the last of its path, or of
   * the link that led to it.
   */
  #follow(link: Dentry, isLast: boolean): number {
    const target = this.#readLink(link, isLast && this.#nested === 0);
    if (typeof target === "number") return target < 0 ? target : 0;
    if (target.length === 0) return -ENOENT;
    if (isLast) return this.#components(target, 0, true, false, false);
    this.#nested++;
    const err = this.#components(target, 0, true, false, false);
    this.#nested--;
    return err;
  }

  /** The link's text, -errno, or 1 when it is a magic link and the walk has jumped. `ends`: nothing follows it. */
  #readLink(link: Dentry, ends: boolean): string | number {
    const inode = link.inode!;
    if (++this.#links > MAX_SYMLINKS) return -ELOOP;
    const dir = this.dentry.inode!;
    if (protectsLinks(dir)) {
      this.#isCacheable = false; // Owners may change, and who only passes it is not asked.
      if (ends && !mayFollow(this.#ctx.creds, dir, inode)) return -EACCES;
    }
    if ((this.#flags & RESOLVE_NO_SYMLINKS) !== 0) return -ELOOP;
    if ((this.mount.flags & MS_NOSYMFOLLOW) !== 0) return -ELOOP;
    if (inode.followMagic !== undefined) return this.#jump(inode);
    touchAccessed(inode, this.mount);
    return inode.readlink();
  }

  #jump(inode: Inode): number {
    if ((this.#flags & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
    const to = inode.followMagic!(this.#ctx.creds);
    if (typeof to === "number") return to;
    if ((this.#flags & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) return -EXDEV;
    if ((this.#flags & RESOLVE_NO_XDEV) !== 0 && to.mount !== this.mount) return -EXDEV;
    this.#isCacheable = false;
    this.mount = to.mount;
    this.dentry = to.dentry;
    return 1;
  }

  #jumpToRoot(): number {
    if ((this.#flags & RESOLVE_BENEATH) !== 0) return -EXDEV;
    const root = this.#root;
    if ((this.#flags & RESOLVE_NO_XDEV) !== 0 && this.#links > 0) { // Of a link only; a path may start anywhere.
      if (!this.#metRoot || root.mount !== this.mount) return -EXDEV; // Linux: nd_jump_root.
    }
    this.#metRoot = true;
    this.mount = root.mount;
    this.dentry = root.dentry;
    if (root.dentry.fs.revalidates) this.#isCacheable = false;
    return 0;
  }

  #up(): number {
    const root = this.#root;
    this.#metRoot = true;
    let mount = this.mount;
    let dentry = this.dentry;
    for (;;) {
      if (dentry === root.dentry && mount === root.mount) {
        if ((this.#flags & RESOLVE_BENEATH) !== 0) return -EXDEV;
        break;
      }
      if (dentry !== mount.root) {
        dentry = dentry.parent ?? dentry;
        break;
      }
      if (mount.parent === null) break;
      if ((this.#flags & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      dentry = mount.mountpoint!;
      mount = mount.parent;
    }
    this.mount = mount;
    this.dentry = dentry;
    return dentry.mountCount === 0 ? 0 : this.#crossMounts();
  }

  #crossMounts(): number {
    while (this.dentry.mountCount > 0) {
      const child = this.mount.children?.get(this.dentry);
      if (child === undefined) break;
      if ((this.#flags & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      if ((this.#flags & WALK_KEEP_EXPIRY) === 0) child.expiring = false;
      this.mount = child;
      this.dentry = child.root;
    }
    return 0;
  }
}

function componentKind(path: string, start: number, end: number): number {
  if (path.charCodeAt(start) !== DOT) return LAST_NORMAL;
  if (end === start + 1) return LAST_DOT;
  return end === start + 2 && path.charCodeAt(start + 1) === DOT ? LAST_DOTDOT : LAST_NORMAL;
}

let idleWalker: Walker | null = new Walker();
ofOneSandbox(() => idleWalker = new Walker());

/** A walker for one walk; magic links may walk inside of a walk. */
export function takeWalker(): Walker {
  const w = idleWalker;
  if (w === null) return new Walker();
  idleWalker = null;
  return w;
}

export function returnWalker(w: Walker): void {
  w.end();
  idleWalker = w;
}
