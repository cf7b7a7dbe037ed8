/**
 * One host file: where it is (directory and name) and its attributes. Host fds are opened when
 * needed, kept by the caches of the file system, and shared by all open files of the inode, since all
 * I/O names its offset.
 */
import {
  EACCES,
  EINVAL,
  EISDIR,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ESTALE,
} from "../../../platform/abi/errno.ts";
import {
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../../platform/abi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../platform/abi/fs.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
} from "../../../platform/abi/stat.ts";
import { makedev } from "../../../platform/abi/sysmacros.ts";
import { RWF_NOWAIT } from "../../../platform/abi/uio.ts";
import {
  HOST_DATA_SIZE,
  hostClose,
  hostData,
  hostFchmod,
  hostFchmodat,
  hostFchownat,
  hostFgetxattr,
  hostFlistxattr,
  hostFremovexattr,
  hostFsetxattr,
  hostFstatx,
  hostFtruncate,
  hostLinkat,
  hostMkdirat,
  hostMknodat,
  hostOpenat2,
  hostPreadData,
  hostReadDir,
  hostReadlinkat,
  hostRenameat2,
  hostStatx,
  hostSymlinkat,
  hostUnlinkat,
  hostUtimensat,
  statxWords,
  UTIME_OMIT,
} from "../../../platform/host/files.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { FileDescription } from "../../vfs/file.ts";
import {
  ATTR_ATIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_SIZE,
  ATTR_UID,
  type Attributes,
  type DirEntry,
  Inode,
} from "../../vfs/inode.ts";
import type { ContentHolder } from "./content_cache.ts";
import type { FdHolder } from "./fd_cache.ts";
import { GoferDirFile, GoferFile } from "./file.ts";
import type { GoferFs } from "./goferfs.ts";

/** A name is opened as it is: nothing on the way, no link at its end. Host mounts may be entered. */
const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
/** Files up to this size may be kept whole in the Sentry. */
const CONTENT_MAX = 1 << 20;
/** Small reads of a file before its content is kept. */
const CONTENT_AFTER = 2;
/** Missed names in a directory before its list of names is read, to answer later misses from it. */
const LISTING_AFTER = 3;
/** Longest listing that is kept. */
const LISTING_MAX = 4096;

/** Another place of a file with several names. */
interface Place {
  dir: GoferInode;
  name: string;
}

export class GoferInode extends Inode implements FdHolder, ContentHolder {
  override readonly fs: GoferFs;
  /** Null for the root, and when no name is left. */
  parent: GoferInode | null;
  name: string;
  /** Further names known of a file with hard links. */
  #places: Place[] | null = null;
  /** Open file descriptions. */
  opens = 0;

  fdIndex = -1;
  fdUsed = false;
  /** Directory: O_PATH (the root: as donated). */
  #dirFd = -1;
  /** Regular file: read only. */
  #readFd = -1;
  /** Regular file: read and write, or write only where the mode forbids reading. */
  #writeFd = -1;
  #writeFdReads = false;
  /** Number under which the Gofer knows `#readFd` or `#writeFd`; 0 for none. */
  #goferRead = 0;
  #goferWrite = 0;

  content: Uint8Array | null = null;
  contentUsed = false;
  #smallReads = 0;
  /** The guest writes or maps it shared: content and attributes are not cached. */
  #volatile = false;

  /** The fields need a statx, also in exclusive mode. */
  #stale = false;
  /** uid and gid are the guest's wish, which the host refused. */
  #ownerOverride = false;
  #device = 0;
  #target: string | null = null;
  #xattrNames: string[] | null = null;

  #misses = 0;
  #entries: DirEntry[] | null = null;
  #names: Set<string> | null = null;

  constructor(fs: GoferFs, parent: GoferInode | null, name: string) {
    super();
    this.fs = fs;
    this.parent = parent;
    this.name = name;
  }

  /** Sets the fields from `statxWords`. */
  fill(): void {
    const w = statxWords;
    this.mode = w[7] & 0xffff;
    this.nlink = w[4];
    if (!this.#ownerOverride) {
      this.uid = w[5];
      this.gid = w[6];
    }
    this.#device = w[34] * 0x10_0000 + w[35];
    this.ino = this.fs.ino(this.#device, w[8], w[9]);
    this.size = w[10] + w[11] * 0x1_0000_0000;
    this.blocks = w[12] + w[13] * 0x1_0000_0000;
    this.blksize = w[1];
    this.rdev = makedev(w[32], w[33]);
    this.atimeSec = w[16] + (w[17] | 0) * 0x1_0000_0000;
    this.atimeNsec = w[18];
    this.btimeSec = w[20] + (w[21] | 0) * 0x1_0000_0000;
    this.btimeNsec = w[22];
    this.ctimeSec = w[24] + (w[25] | 0) * 0x1_0000_0000;
    this.ctimeNsec = w[26];
    this.mtimeSec = w[28] + (w[29] | 0) * 0x1_0000_0000;
    this.mtimeNsec = w[30];
    this.#stale = false;
  }

  /** Whether `statxWords` describes this very file; host inode numbers are used again, birth times not. */
  isInStatx(): boolean {
    const w = statxWords;
    return (w[7] & S_IFMT) === this.#type && w[20] === this.btimeSec >>> 0 &&
      w[22] === this.btimeNsec && this.fs.inoFromStatx() === this.ino;
  }

  get #type(): number {
    return this.mode & S_IFMT;
  }

  /** The root alone: its fd is the file system's and is closed with it. */
  adoptRootFd(fd: number): void {
    if (this.#type === S_IFDIR) this.#dirFd = fd;
    else {
      this.#readFd = fd;
      this.#writeFd = fd;
      this.#writeFdReads = true;
    }
  }

  // Names

  addName(dir: GoferInode, name: string): void {
    if (this.parent === dir && this.name === name) return;
    if (this.parent === null && this !== this.fs.root) {
      this.parent = dir;
      this.name = name;
      return;
    }
    if (this.#type === S_IFDIR) { // A directory has one name: it was moved by the host.
      this.parent = dir;
      this.name = name;
      return;
    }
    const places = this.#places ??= [];
    if (!places.some((p) => p.dir === dir && p.name === name)) places.push({ dir, name });
  }

  #removeName(dir: GoferInode, name: string): void {
    const places = this.#places;
    if (this.parent === dir && this.name === name) {
      const next = places?.pop();
      this.parent = next?.dir ?? null;
      this.name = next?.name ?? "";
    } else if (places !== null) {
      this.#places = places.filter((p) => p.dir !== dir || p.name !== name);
    }
  }

  // Host fds

  mayCloseFds(): boolean {
    return this.opens === 0;
  }

  closeFds(): void {
    if (this === this.fs.root) return;
    if (this.#dirFd >= 0) hostClose(this.#dirFd);
    if (this.#readFd >= 0) hostClose(this.#readFd);
    if (this.#writeFd >= 0) hostClose(this.#writeFd);
    const client = this.fs.client;
    if (this.#goferRead > 0) client!.forget(this.#goferRead);
    if (this.#goferWrite > 0) client!.forget(this.#goferWrite);
    this.#dirFd = this.#readFd = this.#writeFd = -1;
    this.#goferRead = this.#goferWrite = 0;
  }

  /** The fd to look up names with, or -errno. Stays this inode's. */
  dirFd(): number {
    if (this.#dirFd >= 0) {
      this.fdUsed = true;
      return this.#dirFd;
    }
    if (this.#type !== S_IFDIR) return -ENOTDIR;
    const fd = this.#openSelf(O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) return fd;
    this.#dirFd = fd;
    this.fs.dirFds.add(this);
    return fd;
  }

  #openSelf(flags: number): number {
    const parent = this.parent;
    if (parent === null) return -ESTALE;
    const dirFd = parent.dirFd();
    return dirFd < 0 ? dirFd : hostOpenat2(dirFd, this.name, flags, 0, RESOLVE);
  }

  /** An fd for reading (also through a writable one), or -errno. */
  readFd(): number {
    if (this.#readFd >= 0) {
      this.fdUsed = true;
      return this.#readFd;
    }
    if (this.#writeFd >= 0 && this.#writeFdReads) return this.#writeFd;
    return this.readOnlyFd();
  }

  /** An fd that cannot write, for mappings of files opened read only; or -errno. */
  readOnlyFd(): number {
    if (this.#readFd >= 0) return this.#readFd;
    const fd = this.#openRegular(O_RDONLY);
    if (fd < 0) return fd;
    this.#readFd = fd;
    this.fs.fileFds.add(this);
    return fd;
  }

  /** An fd for writing (and reading if `reads`), or -errno. */
  writeFd(reads: boolean): number {
    if (this.#writeFd >= 0 && (this.#writeFdReads || !reads)) return this.#writeFd;
    let fd = this.#openRegular(O_RDWR);
    const readsToo = fd >= 0;
    if (fd === -EACCES && !reads) fd = this.#openRegular(O_WRONLY);
    if (fd < 0) return fd;
    if (this.#writeFd >= 0) hostClose(this.#writeFd); // Write only until now.
    if (this.#goferWrite > 0) this.fs.client!.forget(this.#goferWrite);
    this.#goferWrite = 0;
    this.#writeFd = fd;
    this.#writeFdReads = readsToo;
    this.fs.fileFds.add(this);
    return fd;
  }

  /** Opens it; what is not a regular file any more (shared mode) is not kept open. */
  #openRegular(access: number): number {
    const fd = this.#openSelf(access | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || this.fs.exclusive) return fd;
    const err = hostFstatx(fd);
    if (err === 0 && this.isInStatx()) return fd;
    hostClose(fd);
    return err < 0 ? err : -ESTALE;
  }

  /** Some fd of this very file, or -1. */
  #anyFd(): number {
    if (this.#readFd >= 0) return this.#readFd;
    if (this.#writeFd >= 0) return this.#writeFd;
    return this.#dirFd;
  }

  /** The Gofer's number for the fd that reads (or writes), for I/O that blocks; or -errno. */
  async goferFile(write: boolean): Promise<number> {
    const known = write ? this.#goferWrite : this.#goferRead;
    if (known > 0) return known;
    const fd = write ? this.#writeFd : this.readFd();
    if (fd < 0) return fd;
    const file = await this.fs.client!.adopt(fd);
    if (file < 0) return file;
    const meanwhile = write ? this.#goferWrite : this.#goferRead;
    if (meanwhile > 0) {
      this.fs.client!.forget(file);
      return meanwhile;
    }
    if (write) this.#goferWrite = file;
    else this.#goferRead = file;
    return file;
  }

  opened(): void {
    this.opens++;
  }

  /** An open file is gone; its fds stay for the next, if they may. */
  closed(): void {
    if (--this.opens > 0) return;
    if (this.parent === null || this.refs === 0) this.#drop();
  }

  override release(): void {
    if (this.opens === 0) this.#drop();
    if (this.special !== null) return; // A bound socket.
    if (this.nlink <= 1 || !this.fs.exclusive) {
      if (this.fs.inodes.get(this.ino) === this) this.fs.inodes.delete(this.ino);
    }
  }

  #drop(): void {
    if (this === this.fs.root) return;
    const cache = this.#type === S_IFDIR ? this.fs.dirFds : this.fs.fileFds;
    cache.remove(this);
    this.closeFds();
    this.fs.contents.drop(this);
    this.#entries = null;
    this.#names = null;
  }

  // Attributes

  override refresh(): number {
    if (this.fs.exclusive && !this.#stale) return 0;
    return this.#restat();
  }

  #restat(): number {
    const fd = this.#anyFd();
    let err: number;
    if (fd >= 0) err = hostFstatx(fd);
    else {
      const parent = this.parent;
      if (parent === null) return 0; // No name and not open: the last known attributes.
      const dirFd = parent.dirFd();
      if (dirFd < 0) return dirFd;
      err = hostStatx(dirFd, this.name);
      if (err === 0 && !this.isInStatx()) return -ESTALE;
    }
    if (err === 0) this.fill();
    return err;
  }

  /** The guest wrote: the size at least, the rest at the next refresh. */
  wrote(end: number): void {
    if (end > this.size) this.size = end;
    this.#changed();
  }

  #changed(): void {
    this.#stale = true;
    if (this.content !== null) this.fs.contents.drop(this);
  }

  /** It can change without a system call from now on. */
  mappedShared(): void {
    this.#volatile = true;
    this.#changed();
  }

  override setattr(attr: Attributes, _creds: Credentials): number {
    if (this.fs.readonly) return -EROFS;
    const mask = attr.mask;
    let err = 0;
    if ((mask & ATTR_SIZE) !== 0) err = this.truncate(attr.size);
    // chown clears setuid bits, so it comes before chmod.
    if (err === 0 && (mask & (ATTR_UID | ATTR_GID)) !== 0) {
      const uid = (mask & ATTR_UID) !== 0 ? attr.uid : -1;
      const gid = (mask & ATTR_GID) !== 0 ? attr.gid : -1;
      err = this.#chown(uid, gid);
    }
    if (err === 0 && (mask & ATTR_MODE) !== 0) err = this.#chmod(attr.mode & 0o7777);
    if (err === 0 && (mask & (ATTR_ATIME | ATTR_MTIME)) !== 0) {
      const at = (mask & ATTR_ATIME) !== 0, mt = (mask & ATTR_MTIME) !== 0;
      const fd = this.#placeFd();
      if (fd < 0) return fd;
      err = hostUtimensat(
        fd,
        this.#placeName(),
        at ? attr.atimeSec : 0,
        at ? attr.atimeNsec : UTIME_OMIT,
        mt ? attr.mtimeSec : 0,
        mt ? attr.mtimeNsec : UTIME_OMIT,
      );
    }
    const restat = this.#restat();
    return err < 0 ? err : restat;
  }

  truncate(size: number): number {
    if (this.fs.readonly) return -EROFS;
    if (this.#type === S_IFDIR) return -EISDIR;
    if (this.#type !== S_IFREG) return -EINVAL;
    const fd = this.writeFd(false);
    if (fd < 0) return fd;
    const err = hostFtruncate(fd, size);
    if (err < 0) return err;
    this.size = size;
    this.#changed();
    return 0;
  }

  #chmod(mode: number): number {
    if (this.#type === S_IFLNK) return -EOPNOTSUPP;
    if (this.#readFd >= 0) return hostFchmod(this.#readFd, mode);
    if (this.#writeFd >= 0) return hostFchmod(this.#writeFd, mode);
    const parent = this.parent;
    if (parent === null) return this === this.fs.root ? this.#chmodRoot(mode) : -ESTALE;
    const dirFd = parent.dirFd();
    return dirFd < 0 ? dirFd : hostFchmodat(dirFd, this.name, mode);
  }

  #chmodRoot(mode: number): number {
    return hostFchmodat(this.#dirFd, ".", mode);
  }

  /** A chown that the host does not grant (an unprivileged sandbox) is kept for the guest to see. */
  #chown(uid: number, gid: number): number {
    const fd = this.#placeFd();
    if (fd < 0) return fd;
    const err = hostFchownat(fd, this.#placeName(), uid, gid);
    if (err !== -EPERM && err !== -EINVAL) {
      if (err === 0) this.#ownerOverride = false;
      return err;
    }
    this.#ownerOverride = true;
    if (uid !== -1) this.uid = uid;
    if (gid !== -1) this.gid = gid;
    return 0;
  }

  /** fd and name for calls that take both: an own fd and "", or the directory's and the name. */
  #placeFd(): number {
    const fd = this.#anyFd();
    if (fd >= 0) return fd;
    return this.parent === null ? -ESTALE : this.parent.dirFd();
  }
  #placeName(): string {
    return this.#anyFd() >= 0 ? "" : this.name;
  }

  // Directories

  override lookup(name: string): Inode | number {
    if (this.#names !== null && !this.#names.has(name)) return -ENOENT;
    const dirFd = this.dirFd();
    if (dirFd < 0) return dirFd;
    const err = hostStatx(dirFd, name);
    if (err === 0) return this.fs.inodeAt(this, name);
    if (err === -ENOENT && this.fs.exclusive && this.#names === null) this.#missed();
    return err;
  }

  /** Many misses (PATH, library and module search): read all names once. */
  #missed(): void {
    if (++this.#misses !== LISTING_AFTER) return;
    const entries = this.listing();
    if (typeof entries === "number" || entries.length > LISTING_MAX) return;
    this.#names = new Set(entries.map((e) => e.name));
  }

  override revalidate(name: string, child: Inode | null): boolean {
    const dirFd = this.dirFd();
    if (dirFd < 0) return false;
    const err = hostStatx(dirFd, name);
    if (child === null) return err === -ENOENT;
    if (err < 0) return false;
    const inode = child as GoferInode;
    if (!inode.isInStatx()) return false;
    inode.fill();
    return true;
  }

  /** All entries but "." and "..": a list that is not changed any more; or -errno. */
  listing(): DirEntry[] | number {
    if (this.#entries !== null) return this.#entries;
    const dirFd = this.dirFd();
    if (dirFd < 0) return dirFd;
    const fd = hostOpenat2(dirFd, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE);
    if (fd < 0) return fd;
    const entries: DirEntry[] = [];
    const err = hostReadDir(fd, (name, low, high, type) => {
      entries.push({ name, ino: this.fs.ino(this.#device, low, high), type });
    });
    hostClose(fd);
    if (err < 0) return err;
    if (this.fs.exclusive && entries.length <= LISTING_MAX) this.#entries = entries;
    return entries;
  }

  /** Names were added or removed by the guest. */
  #entriesChanged(): void {
    this.#entries = null;
    this.#names = null;
    this.#misses = 0;
    this.#stale = true;
  }

  override create(name: string, mode: number, creds: Credentials): Inode | number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    const fd = hostOpenat2(dirFd, name, flags, mode & 0o7777, RESOLVE);
    if (fd < 0) return fd;
    this.#entriesChanged();
    const err = hostFstatx(fd);
    if (err < 0) {
      hostClose(fd);
      return err;
    }
    const inode = this.fs.inodeAt(this, name);
    inode.#keepCreated(fd, this, mode, creds);
    return inode;
  }

  #keepCreated(fd: number, dir: GoferInode, mode: number, creds: Credentials): void {
    this.#writeFd = fd;
    this.#writeFdReads = true;
    this.fs.fileFds.add(this);
    this.#own(dir, mode, creds);
  }

  override tmpfile(mode: number, creds: Credentials, linkable: boolean): Inode | number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const flags = O_TMPFILE | O_RDWR | (linkable ? 0 : O_EXCL);
    const fd = hostOpenat2(dirFd, ".", flags, mode & 0o7777, RESOLVE);
    if (fd < 0) return fd;
    const err = hostFstatx(fd);
    if (err < 0) {
      hostClose(fd);
      return err;
    }
    const inode = new GoferInode(this.fs, null, "");
    inode.fill();
    inode.#keepCreated(fd, this, mode, creds);
    return inode;
  }

  override mkdir(name: string, mode: number, creds: Credentials): Inode | number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const err = hostMkdirat(dirFd, name, mode & 0o7777);
    return err < 0 ? err : this.#created(dirFd, name, mode, creds);
  }

  override mknod(name: string, mode: number, rdev: number, creds: Credentials): Inode | number {
    const type = mode & S_IFMT;
    if (type === S_IFREG || type === 0) return this.create(name, mode, creds);
    // A device node on the host would be the host's device; a FIFO or socket is a name and no more,
    // since the guest's FIFOs and sockets are the Sentry's.
    if (type === S_IFCHR || type === S_IFBLK) return -EPERM;
    if (type !== S_IFIFO && type !== S_IFSOCK) return -EINVAL;
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const err = hostMknodat(dirFd, name, mode, rdev);
    return err < 0 ? err : this.#created(dirFd, name, mode, creds);
  }

  override symlink(name: string, target: string, creds: Credentials): Inode | number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const err = hostSymlinkat(target, dirFd, name);
    return err < 0 ? err : this.#created(dirFd, name, 0, creds);
  }

  #writableDirFd(): number {
    return this.fs.readonly ? -EROFS : this.dirFd();
  }

  #created(dirFd: number, name: string, mode: number, creds: Credentials): Inode | number {
    this.#entriesChanged();
    const err = hostStatx(dirFd, name);
    if (err < 0) return err;
    const inode = this.fs.inodeAt(this, name);
    inode.#own(this, mode, creds);
    return inode;
  }

  /** Gives a new file to the guest's user; the host made it the Sentry's. */
  #own(dir: GoferInode, mode: number, creds: Credentials): void {
    const gid = (dir.mode & S_ISGID) !== 0 ? dir.gid : creds.fsgid;
    if (this.uid !== creds.fsuid || this.gid !== gid) {
      this.#chown(creds.fsuid, gid);
      if ((mode & 0o6000) !== 0) this.#chmod(mode & 0o7777);
      this.#restat();
    }
  }

  override link(name: string, target: Inode): number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const file = target as GoferInode;
    const from = file.parent;
    if (from === null) return -ENOENT; // O_TMPFILE: the host lets only the privileged name it by fd.
    this.opens++; // The cache must not close this directory's fd while the other's is opened.
    const fromFd = from.dirFd();
    this.opens--;
    if (fromFd < 0) return fromFd;
    const err = hostLinkat(fromFd, file.name, dirFd, name, 0);
    if (err < 0) return err;
    this.#entriesChanged();
    file.addName(this, name);
    file.nlink++;
    file.#stale = true;
    this.fs.inodes.set(file.ino, file);
    return 0;
  }

  override unlink(name: string, child: Inode): number {
    return this.#remove(name, child as GoferInode, false);
  }

  override rmdir(name: string, child: Inode): number {
    return this.#remove(name, child as GoferInode, true);
  }

  #remove(name: string, child: GoferInode, directory: boolean): number {
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    const err = hostUnlinkat(dirFd, name, directory);
    if (err < 0) return err;
    this.#entriesChanged();
    child.#unnamed(this, name);
    return 0;
  }

  /** Its name is gone from the host. */
  #unnamed(dir: GoferInode, name: string): void {
    this.#removeName(dir, name);
    this.nlink = this.#type === S_IFDIR ? 0 : Math.max(0, this.nlink - 1);
    this.#stale = true;
    if (this.nlink === 0 && this.fs.inodes.get(this.ino) === this) this.fs.inodes.delete(this.ino);
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
    const to = newDir as GoferInode;
    const file = child as GoferInode;
    const other = replaced as GoferInode | null;
    const dirFd = this.#writableDirFd();
    if (dirFd < 0) return dirFd;
    this.opens++; // The cache must not close this directory's fd while the other's is opened.
    const toFd = to.dirFd();
    this.opens--;
    if (toFd < 0) return toFd;
    const err = hostRenameat2(dirFd, name, toFd, newName, flags);
    if (err < 0) return err;
    if (file === other) return 0; // Two names of one file: rename(2) does nothing.
    this.#entriesChanged();
    to.#entriesChanged();
    file.#removeName(this, name);
    file.#stale = true;
    if ((flags & RENAME_EXCHANGE) !== 0 && other !== null) {
      other.#removeName(to, newName);
      other.addName(this, name);
      other.#stale = true;
    } else if (other !== null) other.#unnamed(to, newName);
    file.addName(to, newName);
    return 0;
  }

  override readlink(): string | number {
    if (this.#type !== S_IFLNK) return -EINVAL;
    if (this.#target !== null) return this.#target;
    const dirFd = this.parent === null ? -ESTALE : this.parent.dirFd();
    if (dirFd < 0) return dirFd;
    const target = hostReadlinkat(dirFd, this.name);
    if (typeof target === "string" && this.fs.exclusive) this.#target = target;
    return target;
  }

  // Extended attributes: of regular files and directories, through an fd.

  override getxattr(name: string): Uint8Array | number {
    if (this.fs.exclusive) {
      const names = this.listxattr();
      if (typeof names === "number") return names === -EOPNOTSUPP ? names : -ENODATA;
      if (!names.includes(name)) return -ENODATA;
    }
    return this.#withXattrFd((fd) => hostFgetxattr(fd, name));
  }

  override listxattr(): string[] | number {
    if (this.#xattrNames !== null) return this.#xattrNames;
    if (this.#type !== S_IFREG && this.#type !== S_IFDIR) return [];
    const names = this.#withXattrFd(hostFlistxattr);
    if (names === -EOPNOTSUPP || names === -EACCES) return [];
    if (typeof names !== "number" && this.fs.exclusive) this.#xattrNames = names;
    return names;
  }

  override setxattr(name: string, value: Uint8Array, flags: number): number {
    if (this.fs.readonly) return -EROFS;
    this.#xattrNames = null;
    this.#stale = true;
    return this.#withXattrFd((fd) => hostFsetxattr(fd, name, value, flags)) as number;
  }

  override removexattr(name: string): number {
    if (this.fs.readonly) return -EROFS;
    this.#xattrNames = null;
    this.#stale = true;
    return this.#withXattrFd((fd) => hostFremovexattr(fd, name)) as number;
  }

  #withXattrFd<T>(call: (fd: number) => T): T | number {
    if (this.#type === S_IFREG) {
      const fd = this.readFd();
      return fd < 0 ? fd : call(fd);
    }
    if (this.#type !== S_IFDIR) return -EPERM;
    const dirFd = this.dirFd();
    if (dirFd < 0) return dirFd;
    const fd = hostOpenat2(dirFd, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE);
    if (fd < 0) return fd;
    const result = call(fd);
    hostClose(fd);
    return result;
  }

  // Open files and content

  override open(file: FileDescription): number {
    switch (this.#type) {
      case S_IFREG:
        return this.#openFile(file);
      case S_IFDIR:
        file.impl = new GoferDirFile(this);
        this.opened();
        return 0;
      case S_IFLNK:
        return -ELOOP;
      default:
        return -ENXIO; // Devices and FIFOs are the VFS's to open; a host socket cannot be.
    }
  }

  #openFile(file: FileDescription): number {
    const access = file.flags & O_ACCMODE;
    if (access === O_RDONLY) {
      if (this.#readFd < 0) {
        const fd = this.readFd();
        if (fd < 0) return fd;
      } else this.fdUsed = true;
    } else {
      if (this.fs.readonly) return -EROFS;
      const fd = this.writeFd(access === O_RDWR);
      if (fd < 0) return fd;
    }
    this.opens++;
    file.impl = this.#file ??= new GoferFile(this);
    return 0;
  }
  /** One for all open files: it has no state of its own. */
  #file: GoferFile | null = null;

  /**
   * The whole content if it is, or now becomes, cached; else null. Called for each small read; reads
   * the file when it is hot enough and in the host's page cache.
   */
  cachedContent(): Uint8Array | null {
    const content = this.content;
    if (content !== null) {
      this.contentUsed = true;
      return content;
    }
    if (!this.fs.exclusive || this.#volatile || this.size > CONTENT_MAX) return null;
    if (this.#writeFd >= 0 && this.opens > 0) return null; // May be written at any moment.
    if (++this.#smallReads <= CONTENT_AFTER) return null;
    this.#smallReads = 0;
    return this.#loadContent();
  }

  #loadContent(): Uint8Array | null {
    const fd = this.readFd();
    if (fd < 0) return null;
    const size = this.size;
    const content = new Uint8Array(size);
    const rwf = this.fs.readsWithoutWaiting ? RWF_NOWAIT : 0;
    for (let at = 0; at < size;) {
      const n = hostPreadData(fd, Math.min(size - at, HOST_DATA_SIZE), at, rwf);
      if (n <= 0) return null;
      content.set(n === HOST_DATA_SIZE ? hostData : hostData.subarray(0, n), at);
      at += n;
    }
    this.fs.contents.put(this, content);
    return content;
  }
}
