/**
 * Names made, removed and moved (Linux: filename_create, do_unlinkat, do_renameat2 and their vfs_*
 * halves). `mode` arguments are not masked by umask yet. All return 0 or -errno.
 */
import { CAP_DAC_READ_SEARCH, CAP_MKNOD } from "../../platform/abi/capability.ts";
import {
  EADDRINUSE,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENAMETOOLONG,
} from "../../platform/abi/errno.ts";
import { ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_FOLLOW } from "../../platform/abi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../../platform/abi/fs.ts";
import { NAME_MAX } from "../../platform/abi/limits.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { S_IFSOCK } from "../../platform/abi/stat.ts";
import { hasCapability } from "../auth/credentials.ts";
import { dentriesExchanged, type Dentry, dentryRemoved, dentryRenamed } from "./dentry.ts";
import { dropChildren, dropDentry, invalidatePaths, lookupDentry } from "./dentry.ts";
import { FileDescription } from "./file.ts";
import type { Inode } from "./inode.ts";
import { inheritAcls } from "./inode_acls.ts";
import { isBelow } from "./dentry.ts";
import { acquirePath, type PathRef, releasePath } from "./mount.ts";
import {
  inodePermission,
  isFixed,
  MAY_WRITE,
  mayCreate,
  mayDelete,
  mayLink,
  newFileMode,
} from "./permission.ts";
import { isDirectory, isLink, LAST_DOT, LAST_DOTDOT, LAST_NORMAL, type Parent } from "./walk.ts";
import {
  walk,
  WALK_EMPTY,
  WALK_NOFOLLOW,
  type WalkContext,
  walkParent,
  type WalkStart,
} from "./walk.ts";

export function mkdirAt(ctx: WalkContext, start: WalkStart, path: string, mode: number): number {
  const parent = walkParent(ctx, start, path);
  if (typeof parent === "number") return parent;
  const child = lookupNew(ctx, parent, true);
  if (typeof child === "number") return child;
  const dir = parent.dir.inode!;
  const fullMode = newFileMode(dir, (mode & 0o1777) | S_IFDIR, ctx.creds, ctx.umask);
  return instantiateHeir(child, dir.mkdir(child.name, fullMode, ctx.creds));
}

/** mknod(2) of S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK. */
export function mknodAt(
  ctx: WalkContext,
  start: WalkStart,
  path: string,
  mode: number,
  rdev: number,
): number {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return -EPERM;
  if (type !== 0 && !NODE_TYPES.includes(type)) return -EINVAL;
  const parent = walkParent(ctx, start, path);
  if (typeof parent === "number") return parent;
  const child = lookupNew(ctx, parent, false);
  if (typeof child === "number") return child;
  return makeNode(ctx, parent, child, mode, rdev);
}

const NODE_TYPES = [S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK];

function makeNode(
  ctx: WalkContext,
  parent: Parent,
  child: Dentry,
  mode: number,
  rdev: number,
): number {
  const dir = parent.dir.inode!;
  const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
  const fullMode = newFileMode(dir, type | (mode & 0o7777), ctx.creds, ctx.umask);
  if (type === S_IFREG) return instantiateHeir(child, dir.create(child.name, fullMode, ctx.creds));
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  const isWhiteout = type === S_IFCHR && rdev === 0;
  if (isDevice && !isWhiteout && !hasCapability(ctx.creds, CAP_MKNOD)) return -EPERM;
  return instantiateHeir(child, dir.mknod(child.name, fullMode, isDevice ? rdev : 0, ctx.creds));
}

/** bind(2) of a unix socket: the node made, borrowed, whose inode's `special` is the caller's. */
export function bindSocketAt(ctx: WalkContext, path: string, mode: number): PathRef | number {
  const parent = walkParent(ctx, ctx.cwd, path);
  if (typeof parent === "number") return parent;
  const child = lookupNew(ctx, parent, false);
  if (typeof child === "number") return child === -EEXIST ? -EADDRINUSE : child;
  const err = makeNode(ctx, parent, child, (mode & 0o7777) | S_IFSOCK, 0);
  return err < 0 ? err : { mount: parent.mount, dentry: child };
}

export function symlinkAt(
  ctx: WalkContext,
  target: string,
  start: WalkStart,
  path: string,
): number {
  if (target.length === 0) return -ENOENT;
  const parent = walkParent(ctx, start, path);
  if (typeof parent === "number") return parent;
  const child = lookupNew(ctx, parent, false);
  if (typeof child === "number") return child;
  return instantiate(child, parent.dir.inode!.symlink(child.name, target, ctx.creds));
}

/** `flags`: AT_SYMLINK_FOLLOW, AT_EMPTY_PATH. */
export function linkAt(
  ctx: WalkContext,
  oldStart: PathRef,
  oldPath: string,
  newStart: WalkStart,
  newPath: string,
  flags: number,
): number {
  if ((flags & AT_EMPTY_PATH) !== 0 && oldPath === "") {
    // Who opened the file may name it, unless it is another by now.
    const isOpener = oldStart instanceof FileDescription && oldStart.opener === ctx.creds;
    if (!isOpener && !hasCapability(ctx.creds, CAP_DAC_READ_SEARCH)) return -ENOENT;
  }
  const walkFlags = ((flags & AT_SYMLINK_FOLLOW) === 0 ? WALK_NOFOLLOW : 0) |
    ((flags & AT_EMPTY_PATH) !== 0 ? WALK_EMPTY : 0);
  const old = walk(ctx, oldStart, oldPath, walkFlags);
  if (typeof old === "number") return old;
  acquirePath(old);
  const err = linkTo(ctx, old, newStart, newPath);
  releasePath(old);
  return err;
}

function linkTo(ctx: WalkContext, old: PathRef, newStart: WalkStart, newPath: string): number {
  const parent = walkParent(ctx, newStart, newPath);
  if (typeof parent === "number") return parent;
  const child = lookupNew(ctx, parent, false);
  if (typeof child === "number") return child;
  if (old.mount !== parent.mount || old.dentry.fs !== parent.dir.fs) return -EXDEV;
  const inode = old.dentry.inode!;
  let err = mayLink(ctx.creds, inode);
  if (err < 0) return err;
  if (isDirectory(inode) || isFixed(inode)) return -EPERM;
  err = parent.dir.inode!.link(child.name, inode);
  if (err < 0) return err;
  // A negative dentry's file system may see the new name as an object of its own.
  if (parent.dir.fs.revalidates) dropDentry(child);
  else child.instantiate(inode);
  return 0;
}

/**
 * The negative dentry for a name to be made (Linux: filename_create), all permissions checked.
 * -EEXIST for whatever exists, also a dangling symbolic link, "." and "..".
 */
function lookupNew(ctx: WalkContext, parent: Parent, asDirectory: boolean): Dentry | number {
  if (parent.kind !== LAST_NORMAL) return -EEXIST;
  const child = lookupLast(parent);
  if (typeof child === "number") return child;
  if (child.inode !== null) return -EEXIST;
  if (parent.hasTrailingSlash && !asDirectory) return -ENOENT;
  if (parent.mount.isReadOnly) return -EROFS;
  const err = mayCreate(ctx.creds, parent.dir);
  return err < 0 ? err : child;
}

function lookupLast(parent: Parent): Dentry | number {
  if (parent.name.length > NAME_MAX) return -ENAMETOOLONG;
  return lookupDentry(parent.dir, parent.name);
}

/** The same of what inherits the default ACL of its directory. */
function instantiateHeir(child: Dentry, made: Inode | number): number {
  if (typeof made !== "number") inheritAcls(child.parent!.inode!, made);
  return instantiate(child, made);
}

function instantiate(child: Dentry, made: Inode | number): number {
  if (typeof made === "number") return made;
  child.instantiate(made);
  return 0;
}

export function unlinkAt(ctx: WalkContext, start: WalkStart, path: string): number {
  const parent = walkParent(ctx, start, path);
  if (typeof parent === "number") return parent;
  if (parent.kind !== LAST_NORMAL) return -EISDIR;
  if (parent.mount.isReadOnly) return -EROFS;
  const victim = lookupLast(parent);
  if (typeof victim === "number") return victim;
  const inode = victim.inode;
  if (inode === null) return -ENOENT;
  if (parent.hasTrailingSlash) return isDirectory(inode) ? -EISDIR : -ENOTDIR;
  let err = mayDelete(ctx.creds, parent.dir, victim, false);
  if (err < 0) return err;
  if (victim.mountCount > 0) return -EBUSY;
  err = parent.dir.inode!.unlink(victim.name, inode);
  if (err < 0) return err;
  if (isLink(inode)) invalidatePaths();
  dentryRemoved(victim);
  return 0;
}

export function rmdirAt(ctx: WalkContext, start: WalkStart, path: string): number {
  const parent = walkParent(ctx, start, path);
  if (typeof parent === "number") return parent;
  if (parent.kind === LAST_DOTDOT) return -ENOTEMPTY;
  if (parent.kind === LAST_DOT) return -EINVAL;
  if (parent.kind !== LAST_NORMAL) return -EBUSY;
  if (parent.mount.isReadOnly) return -EROFS;
  const victim = lookupLast(parent);
  if (typeof victim === "number") return victim;
  const inode = victim.inode;
  if (inode === null) return -ENOENT;
  let err = mayDelete(ctx.creds, parent.dir, victim, true);
  if (err < 0) return err;
  if (victim.mountCount > 0) return -EBUSY;
  err = parent.dir.inode!.rmdir(victim.name, inode);
  if (err < 0) return err;
  invalidatePaths();
  dentryRemoved(victim);
  return 0;
}

/** `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT. */
export function renameAt(
  ctx: WalkContext,
  oldStart: WalkStart,
  oldPath: string,
  newStart: WalkStart,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_EXCHANGE) !== 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0) {
    return -EINVAL;
  }
  const from = walkParent(ctx, oldStart, oldPath);
  if (typeof from === "number") return from;
  from.dir.acquire();
  const to = walkParent(ctx, newStart, newPath);
  const err = typeof to === "number" ? to : renameBetween(ctx, from, to, flags);
  from.dir.release();
  return err;
}

function renameBetween(ctx: WalkContext, from: Parent, to: Parent, flags: number): number {
  if (from.mount !== to.mount) return -EXDEV;
  if (from.kind !== LAST_NORMAL) return -EBUSY;
  if (to.kind !== LAST_NORMAL) return (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
  if (from.mount.isReadOnly) return -EROFS;
  const source = lookupLast(from);
  if (typeof source === "number") return source;
  if (source.inode === null) return -ENOENT;
  source.acquire(); // The second look-up may revalidate it away.
  const target = lookupLast(to);
  const err = typeof target === "number"
    ? target
    : renameDentry(ctx, from, source, to, target, flags);
  source.release();
  return err;
}

function renameDentry(
  ctx: WalkContext,
  from: Parent,
  source: Dentry,
  to: Parent,
  target: Dentry,
  flags: number,
): number {
  const exchanges = (flags & RENAME_EXCHANGE) !== 0;
  const inode = source.inode!;
  const replaced = target.inode;
  const movesDirectory = isDirectory(inode);
  if ((flags & RENAME_NOREPLACE) !== 0 && replaced !== null) return -EEXIST;
  if (exchanges && replaced === null) return -ENOENT;
  if (exchanges && to.hasTrailingSlash && !isDirectory(replaced!)) return -ENOTDIR;
  if (!movesDirectory) {
    if (from.hasTrailingSlash || (!exchanges && to.hasTrailingSlash)) return -ENOTDIR;
  }
  if (isBelow(to.dir, source)) return -EINVAL;
  if (isBelow(from.dir, target)) return exchanges ? -EINVAL : -ENOTEMPTY;
  if (inode === replaced) return 0; // Two names of one file: nothing happens, see rename(2).

  let err = mayDelete(ctx.creds, from.dir, source, movesDirectory);
  if (err < 0) return err;
  err = replaced === null
    ? mayCreate(ctx.creds, to.dir)
    : mayDelete(ctx.creds, to.dir, target, exchanges ? isDirectory(replaced) : movesDirectory);
  if (err < 0) return err;
  if (from.dir !== to.dir) { // ".." of a moved directory changes.
    if (movesDirectory) err = inodePermission(ctx.creds, inode, MAY_WRITE);
    if (err === 0 && exchanges && isDirectory(replaced!)) {
      err = inodePermission(ctx.creds, replaced!, MAY_WRITE);
    }
    if (err < 0) return err;
  }
  if (source.mountCount > 0 || target.mountCount > 0) return -EBUSY;
  if (replaced !== null && !exchanges && isDirectory(replaced)) dropChildren(target);
  const newDir = to.dir.inode!;
  err = from.dir.inode!.rename(
    source.name,
    inode,
    newDir,
    target.name,
    replaced,
    flags,
    ctx.creds,
  );
  if (err < 0) return err;
  moved(source, target, to.dir, exchanges);
  return 0;
}

function moved(source: Dentry, target: Dentry, newDir: Dentry, exchanges: boolean): void {
  const moves = (d: Dentry) => d.inode !== null && (isDirectory(d.inode) || isLink(d.inode));
  if (moves(source) || moves(target)) invalidatePaths();
  if (exchanges) dentriesExchanged(source, target);
  else dentryRenamed(source, newDir, target.name, target);
}
