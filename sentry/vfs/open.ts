/** open(2) from path to FileDescription (Linux: do_filp_open, may_open, do_dentry_open). */
import {
  EACCES,
  EAGAIN,
  EBADF,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
} from "../../platform/abi/errno.ts";
import { ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY } from "../../platform/abi/errno.ts";
import {
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
} from "../../platform/abi/fcntl.ts";
import { O_NOATIME, O_NOCTTY, O_NOFOLLOW, O_PATH, O_TRUNC } from "../../platform/abi/fcntl.ts";
import { FS_APPEND_FL } from "../../platform/abi/fs.ts";
import { MS_NODEV } from "../../platform/abi/mount.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT } from "../../platform/abi/stat.ts";
import { S_IFREG, S_IFSOCK } from "../../platform/abi/stat.ts";
import { major, minor } from "../../platform/abi/sysmacros.ts";
import type { Credentials } from "../auth/credentials.ts";
import { Dentry } from "./dentry.ts";
import { FileDescription, FileDescriptionImpl, givesWriting } from "./file.ts";
import type { Inode } from "./inode.ts";
import { inheritAcls } from "./inode_acls.ts";
import { breakLeases } from "./leases.ts";
import { setSizeOnOpen } from "./metadata.ts";
import { type Mount, MountNamespace, type PathRef } from "./mount.ts";
import { inodePermission, isOwnerOrCapable, MAY_EXEC, MAY_READ, MAY_WRITE } from "./permission.ts";
import { mayCreate, mayFindInSticky, newFileMode } from "./permission.ts";
import { blockDevices, charDevices, getFifoOpener } from "./special.ts";
import { isDirectory, isLink, LAST_NORMAL, returnWalker, takeWalker, walk } from "./walk.ts";
import {
  WALK_DIRECTORY,
  WALK_EMPTY,
  WALK_NOFOLLOW,
  type WalkContext,
  type Walker,
} from "./walk.ts";

/** O_TMPFILE without O_DIRECTORY. */
export const O_TMPFILE_BIT = 0o20000000;
/** Flags O_PATH leaves meaning to. */
export const O_PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
/** Flags of open(2) alone, not kept in the file. */
const CREATION_FLAGS = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/** By O_ACCMODE; 3 asks for both and gives neither (ioctl only). */
const ACCESS_WANTED = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE];

/** A file opened with O_PATH: a place, not its data. */
class PathOnlyImpl extends FileDescriptionImpl {
  override get seekable(): boolean {
    return false;
  }
  override readiness(): number {
    return 0;
  }
  override seek(): number {
    return -EBADF;
  }
  override iterate(): number {
    return -EBADF;
  }
  override truncate(): number {
    return -EBADF;
  }
  override allocate(): number {
    return -EBADF;
  }
  override fsync(): number {
    return -EBADF;
  }
  override ioctl(): number {
    return -EBADF;
  }
  override hostMapping(): number {
    return -EBADF;
  }
}
const pathOnly = new PathOnlyImpl();

/** A detached tree of mounts: it goes when the last descriptor is closed, unless it was attached. */
class DetachedTreeImpl extends PathOnlyImpl {
  constructor(readonly ns: MountNamespace) {
    super();
  }
  override release(): void {
    this.ns.release();
  }
}

/** What open_tree(2) and fsmount(2) return: `tree`, of which it takes over the reference, as a place. */
export function openDetached(tree: Mount): FileDescription {
  const ns = new MountNamespace(tree, true);
  const { root } = tree;
  const file = new FileDescription(root.inode!, root.acquire(), tree.acquire(), O_PATH);
  file.impl = new DetachedTreeImpl(ns);
  return file;
}

/**
 * open(2), openat2(2). `mode` is not masked by umask yet; `resolve` has RESOLVE_* flags. The caller
 * owns the file. -EAGAIN for a lease in the way, see leases.ts. A FIFO may come back with `openPending` set: then wait on `impl.openQueue` until
 * `impl.openCompleted(file)`.
 */
export function openAt(
  ctx: WalkContext,
  start: PathRef,
  path: string,
  flags: number,
  mode: number,
  resolve = 0,
): FileDescription | number {
  const invalid = checkOpenFlags(flags);
  if (invalid < 0) return invalid;
  if ((flags & O_PATH) !== 0) flags &= O_PATH_FLAGS;
  else if ((flags & O_TMPFILE_BIT) !== 0) {
    return openTmpfile(ctx, start, path, flags, mode, resolve);
  } else if ((flags & O_CREAT) !== 0) {
    if (path.length === 0) return -ENOENT;
    const w = takeWalker();
    const file = openOrCreate(w, ctx, start, path, flags, mode, resolve);
    returnWalker(w);
    return file;
  }
  const follow = (flags & O_NOFOLLOW) !== 0 ? WALK_NOFOLLOW : 0;
  const p = walk(ctx, start, path, follow | resolve);
  if (typeof p === "number") return p;
  return openFound(ctx.creds, p.mount, p.dentry, flags, false);
}

/** -EINVAL for flags that make no sense together, which Linux sees before the path (build_open_flags). */
export function checkOpenFlags(flags: number): number {
  if ((flags & O_PATH) !== 0) return 0;
  if ((flags & O_TMPFILE_BIT) !== 0) {
    if ((flags & O_DIRECTORY) === 0 || (flags & O_CREAT) !== 0) return -EINVAL;
    return (ACCESS_WANTED[flags & 3] & MAY_WRITE) === 0 ? -EINVAL : 0;
  }
  return (flags & O_CREAT) !== 0 && (flags & O_DIRECTORY) !== 0 ? -EINVAL : 0;
}

/** Opens the file at `p` (found before; exec, /proc) with `flags` and checks of permission. */
export function openPath(ctx: WalkContext, p: PathRef, flags: number): FileDescription | number {
  if ((flags & O_PATH) !== 0) flags &= O_PATH_FLAGS;
  return openFound(ctx.creds, p.mount, p.dentry, flags, false);
}

/**
 * Opens a regular file for execution (Linux: do_open_execat): -EACCES when it is not a regular file,
 * not executable or on a noexec mount, -ETXTBSY while someone has it open for writing; then nobody can
 * open it so until it is closed. `nofollow`: AT_SYMLINK_NOFOLLOW, `empty`: AT_EMPTY_PATH.
 */
export function openForExec(
  ctx: WalkContext,
  start: PathRef,
  path: string,
  nofollow: boolean,
  empty: boolean,
): FileDescription | number {
  const p = walk(ctx, start, path, (nofollow ? WALK_NOFOLLOW : 0) | (empty ? WALK_EMPTY : 0));
  if (typeof p === "number") return p;
  const inode = p.dentry.inode!;
  if (isLink(inode)) return -ELOOP;
  if ((inode.mode & S_IFMT) !== S_IFREG || (p.mount.flags & 8) !== 0) return -EACCES; // MS_NOEXEC
  const err = inodePermission(ctx.creds, inode, MAY_EXEC);
  if (err < 0) return err;
  // The kernel reads the file for the caller, who need not be able to.
  const file = openUnchecked(p.mount, p.dentry, O_LARGEFILE);
  if (typeof file === "number") return file;
  const busy = denyWrites(file);
  if (busy < 0) file.release();
  return busy < 0 ? busy : file;
}

function openOrCreate(
  w: Walker,
  ctx: WalkContext,
  start: PathRef,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): FileDescription | number {
  w.begin(ctx, start, resolve);
  let err = w.resolveParent(path);
  let dir: Inode | null = null;
  for (;;) {
    if (err < 0) return err;
    if (err > 0) break; // A magic link led to an existing file.
    if (w.lastKind !== LAST_NORMAL) return (flags & O_EXCL) !== 0 ? -EEXIST : -EISDIR;
    if (w.lastHasSlash) return -EISDIR;
    const child = w.lookupLast();
    if (typeof child === "number") return child;
    if (child.inode === null) return create(ctx, w.mount, child, flags, mode);
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if (isLink(child.inode) && child.mountCount === 0) {
      if ((flags & O_NOFOLLOW) !== 0) return -ELOOP;
      err = w.followLastParent(child);
      continue;
    }
    dir = w.dentry.inode!;
    err = w.stepTo(child);
    if (err < 0) return err;
    break;
  }
  const inode = w.dentry.inode!;
  if (isDirectory(inode)) return -EISDIR;
  if (dir !== null) {
    err = mayFindInSticky(ctx.creds, dir, inode);
    if (err < 0) return err;
  }
  return openFound(ctx.creds, w.mount, w.dentry, flags, false);
}

/** `child` is negative; makes the file and opens it, whatever its mode says. */
function create(
  ctx: WalkContext,
  mount: Mount,
  child: Dentry,
  flags: number,
  mode: number,
): FileDescription | number {
  if (mount.isReadOnly) return -EROFS;
  const dir = child.parent!;
  const err = mayCreate(ctx.creds, dir);
  if (err < 0) return err;
  const dirInode = dir.inode!;
  const fullMode = newFileMode(dirInode, (mode & 0o7777) | S_IFREG, ctx.creds, ctx.umask);
  const inode = dirInode.create(child.name, fullMode, ctx.creds);
  if (typeof inode === "number") return inode;
  inheritAcls(dirInode, inode);
  child.instantiate(inode);
  const file = openFound(ctx.creds, mount, child, flags, true);
  if (typeof file !== "number") file.wasCreated = true;
  return file;
}

function openTmpfile(
  ctx: WalkContext,
  start: PathRef,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): FileDescription | number {
  const follow = (flags & O_NOFOLLOW) !== 0 ? WALK_NOFOLLOW : 0;
  const p = walk(ctx, start, path, follow | WALK_DIRECTORY | resolve);
  if (typeof p === "number") return p;
  if (p.mount.isReadOnly) return -EROFS;
  const dir = p.dentry.inode!;
  const err = inodePermission(ctx.creds, dir, MAY_WRITE | MAY_EXEC);
  if (err < 0) return err;
  const fullMode = newFileMode(dir, (mode & 0o7777) | S_IFREG, ctx.creds, ctx.umask);
  const inode = dir.tmpfile(fullMode, ctx.creds, (flags & O_EXCL) === 0);
  if (typeof inode === "number") return inode;
  inheritAcls(dir, inode);
  const dentry = newUnnamedDentry(p.dentry, inode);
  const file = openFound(ctx.creds, p.mount, dentry, flags & ~O_DIRECTORY, true);
  dentry.release();
  if (typeof file !== "number") file.flags |= O_DIRECTORY;
  return file;
}

/** A pinned dentry for a file without a name; shown as "/dir/#INO (deleted)". */
function newUnnamedDentry(dir: Dentry, inode: Inode): Dentry {
  const dentry = new Dentry(dir.fs, dir, "#" + inode.ino, inode).acquire();
  dentry.unlinked = true;
  return dentry;
}

function openFound(
  creds: Credentials,
  mount: Mount,
  dentry: Dentry,
  flags: number,
  created: boolean,
): FileDescription | number {
  const inode = dentry.inode!;
  const type = inode.mode & S_IFMT;
  if ((flags & O_DIRECTORY) !== 0 && type !== S_IFDIR) return -ENOTDIR;
  if ((flags & O_PATH) !== 0) {
    const file = new FileDescription(inode, dentry.acquire(), mount.acquire(), flags & ~O_CLOEXEC);
    file.impl = pathOnly;
    file.opener = creds;
    return file;
  }
  if (!created) {
    let err = mayOpen(creds, mount, dentry, flags);
    if (err < 0) return err;
    if (inode.locks !== null && type === S_IFREG) {
      err = breakLeases(inode, (flags & (3 | O_TRUNC)) !== 0);
      if (err < 0) return err;
    }
  }
  const file = openUnchecked(mount, dentry, (flags & ~CREATION_FLAGS) | O_LARGEFILE);
  if (typeof file === "number") return file;
  file.opener = creds;
  if (created) return file;
  if ((flags & O_TRUNC) !== 0 && type === S_IFREG) {
    const err = setSizeOnOpen(creds, file);
    if (err < 0) {
      file.release();
      return err;
    }
  }
  return file;
}

function mayOpen(creds: Credentials, mount: Mount, dentry: Dentry, flags: number): number {
  const inode = dentry.inode!;
  if (dentry.fs.revalidates) {
    const err = inode.refresh();
    if (err < 0) return err;
  }
  let want = ACCESS_WANTED[flags & 3];
  switch (inode.mode & S_IFMT) {
    case S_IFLNK:
      return -ELOOP;
    case S_IFDIR:
      if ((want & MAY_WRITE) !== 0 || (flags & O_TRUNC) !== 0) return -EISDIR;
      break;
    case S_IFCHR:
    case S_IFBLK:
      if ((mount.flags & MS_NODEV) !== 0) return -EACCES;
      break;
    case S_IFIFO:
    case S_IFSOCK:
      break;
    default:
      if ((flags & O_TRUNC) !== 0) want |= MAY_WRITE;
      if ((want & MAY_WRITE) !== 0 && mount.isReadOnly) return -EROFS;
  }
  const err = inodePermission(creds, inode, want);
  if (err < 0) return err;
  if ((inode.flags & FS_APPEND_FL) !== 0) {
    if ((want & MAY_WRITE) !== 0 && (flags & (O_APPEND | O_TRUNC)) !== O_APPEND) return -EPERM;
  }
  if ((flags & O_NOATIME) !== 0 && !isOwnerOrCapable(creds, inode)) return -EPERM;
  return 0;
}

/** Makes the FileDescription and lets the file system, device or FIFO install its half. */
function openUnchecked(mount: Mount, dentry: Dentry, flags: number): FileDescription | number {
  const inode = dentry.inode!;
  const type = inode.mode & S_IFMT;
  if ((flags & O_DIRECT) !== 0 && !allowsDirect(type)) return -EINVAL;
  const writes = givesWriting(flags) && type === S_IFREG;
  if (writes && inode.writeCount < 0) return -ETXTBSY;
  const file = new FileDescription(inode, dentry.acquire(), mount.acquire(), flags);
  const err = inode.opensItself ? inode.open(file) : dispatchOpen(file, type);
  if (err < 0) {
    if (err === -EAGAIN && file.impl !== undefined) {
      file.openPending = true;
      return file;
    }
    dentry.release();
    mount.release();
    return err;
  }
  if (writes) {
    inode.writeCount++;
    mount.writers++;
    file.writeCount = 1;
  }
  return file;
}

/** Whether O_DIRECT may be asked for; what cannot be opened at all says so by itself. */
function allowsDirect(type: number): boolean {
  return type === S_IFREG || type === S_IFBLK || type === S_IFSOCK || type === S_IFLNK;
}

function dispatchOpen(file: FileDescription, type: number): number {
  const inode = file.inode;
  switch (type) {
    case S_IFCHR:
      return charDevices.lookup(major(inode.rdev), minor(inode.rdev))?.open(file) ?? -ENXIO;
    case S_IFBLK:
      return blockDevices.lookup(major(inode.rdev), minor(inode.rdev))?.open(file) ?? -ENXIO;
    case S_IFIFO:
      return getFifoOpener()?.(file) ?? -ENXIO;
    case S_IFSOCK:
      return -ENXIO;
    case S_IFLNK:
      return -ELOOP;
    default:
      return inode.open(file);
  }
}

/** Until `allowWrites`, or the file's last release, nobody can write. Returns 0 or -ETXTBSY. */
function denyWrites(file: FileDescription): number {
  if (file.inode.writeCount > 0) return -ETXTBSY;
  file.inode.writeCount--;
  file.writeCount = -1;
  return 0;
}

export function allowWrites(file: FileDescription): void {
  file.inode.writeCount -= file.writeCount;
  file.writeCount = 0;
}
