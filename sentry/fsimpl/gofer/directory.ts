/** Host directories: looking up, listing, and (write-through) changing names. */
import { EINVAL, EISDIR, ENOENT, EPERM, EROFS } from "../../../platform/abi/errno.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
} from "../../../platform/abi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../platform/abi/fs.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../../platform/abi/stat.ts";
import { settleFileFd } from "../../../platform/host/file_fds.ts";
import {
  hostFchmodat,
  hostFstatx,
  hostLinkat,
  hostMkdirat,
  hostMknodat,
  hostOpenat2,
  hostReadDir,
  hostRenameat2,
  hostStatx,
  hostSymlinkat,
  hostUnlinkat,
} from "../../../platform/host/files.ts";
import { closeFd } from "../../../platform/host/host.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { DirEntry, Inode } from "../../vfs/inode.ts";
import type { FdHolder } from "./fd_cache.ts";
import { GoferDirFile } from "./file.ts";
import { GoferInode, RESOLVE } from "./inode.ts";
import type { GoferRegular } from "./regular.ts";

/** Missed names in a directory before its list of names is read, to answer later misses from it. */
const LISTING_AFTER = 3;
/** Longest listing that is kept. */
const LISTING_MAX = 4096;

export class GoferDirectory extends GoferInode implements FdHolder {
  fdIndex = -1;
  fdUsed = false;
  /** O_PATH; the root's is as it was donated, and is the file system's. */
  #fd = -1;
  #misses = 0;
  /** What is known of the entries in exclusive mode. */
  #entries: DirEntry[] | null = null;
  #names: Set<string> | null = null;

  /** The root alone. */
  useRootFd(fd: number): void {
    this.#fd = fd;
  }

  /** The fd to look up names with, or -errno. Stays this inode's, and open until another is asked for. */
  dirFd(): number {
    if (this.#fd >= 0) {
      this.fdUsed = true;
      return this.#fd;
    }
    const fd = this.openSelf(O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) return fd;
    this.#fd = fd;
    this.fs.dirFds.add(this);
    return fd;
  }

  mayCloseFds(evenOpen: boolean): boolean {
    return this.opens === 0 || (evenOpen && this.fs.reopens);
  }
  closeFds(): void {
    if (this === this.fs.root || this.#fd < 0) return;
    closeFd(this.#fd);
    this.#fd = -1;
  }
  protected override anyFd(): number {
    return this.#fd;
  }
  protected override drop(): void {
    this.fs.dirFds.remove(this);
    this.closeFds();
    this.#entries = null;
    this.#names = null;
  }

  /** A directory has one name: another means that the host moved it. */
  override addName(dir: GoferDirectory, name: string): void {
    this.parent = dir;
    this.name = name;
  }
  override unnamed(dir: GoferDirectory, name: string): void {
    super.unnamed(dir, name);
    this.nlink = 0;
  }

  override truncate(): number {
    return this.fs.readonly ? -EROFS : -EISDIR;
  }

  protected override chmod(mode: number): number {
    const fd = this.dirFd();
    return fd < 0 ? fd : hostFchmodat(fd, ".", mode);
  }

  /** A new fd that reads the directory, or -errno. */
  #openForReading(): number {
    const fd = this.dirFd();
    return fd < 0 ? fd : hostOpenat2(fd, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE);
  }

  protected override withXattrFd<T>(call: (fd: number) => T): T | number {
    const fd = this.#openForReading();
    if (fd < 0) return fd;
    const result = call(fd);
    closeFd(fd);
    return result;
  }

  override open(file: FileDescription): number {
    file.impl = new GoferDirFile(this);
    this.opened();
    return 0;
  }

  // Looking up

  override lookup(name: string): Inode | number {
    if (this.#names !== null && !this.#names.has(name)) return -ENOENT;
    const fd = this.dirFd();
    if (fd < 0) return fd;
    const err = hostStatx(fd, name);
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
    const fd = this.dirFd();
    if (fd < 0) return false;
    const err = hostStatx(fd, name);
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
    const fd = this.#openForReading();
    if (fd < 0) return fd;
    const entries: DirEntry[] = [];
    const err = hostReadDir(fd, (name, low, high, type) => {
      entries.push({ name, ino: this.fs.ino(this.device, low, high), type });
    });
    closeFd(fd);
    if (err < 0) return err;
    if (this.fs.exclusive && entries.length <= LISTING_MAX) this.#entries = entries;
    return entries;
  }

  // Changing names

  /** Names were added or removed by the guest. */
  #entriesChanged(): void {
    this.#entries = null;
    this.#names = null;
    this.#misses = 0;
    this.isStale = true;
  }

  #writableFd(): number {
    return this.fs.readonly ? -EROFS : this.dirFd();
  }

  override create(name: string, mode: number, creds: Credentials): Inode | number {
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    const made = hostOpenat2(dirFd, name, flags, mode & 0o7777, RESOLVE);
    const fd = settleFileFd(made);
    if (fd < 0 && made >= 0) hostUnlinkat(dirFd, name, false);
    if (fd < 0) return fd;
    this.#entriesChanged();
    return this.#createdFile(fd, name, mode, creds);
  }

  override tmpfile(mode: number, creds: Credentials, linkable: boolean): Inode | number {
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const flags = O_TMPFILE | O_RDWR | (linkable ? 0 : O_EXCL);
    const fd = settleFileFd(hostOpenat2(dirFd, ".", flags, mode & 0o7777, RESOLVE));
    return fd < 0 ? fd : this.#createdFile(fd, "", mode, creds);
  }

  /** `name` is "" for a file without one. */
  #createdFile(fd: number, name: string, mode: number, creds: Credentials): Inode | number {
    const err = hostFstatx(fd);
    if (err < 0) {
      closeFd(fd);
      return err;
    }
    const inode = name === "" ? this.fs.unnamedFile() : this.fs.inodeAt(this, name);
    (inode as GoferRegular).useCreatedFd(fd);
    inode.own(this, mode, creds);
    return inode;
  }

  override mkdir(name: string, mode: number, creds: Credentials): Inode | number {
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const err = hostMkdirat(dirFd, name, mode & 0o7777);
    return err < 0 ? err : this.#created(dirFd, name, mode, creds);
  }

  override mknod(name: string, mode: number, rdev: number, creds: Credentials): Inode | number {
    const type = mode & S_IFMT;
    if (type === S_IFREG || type === 0) return this.create(name, mode, creds);
    // A device node on the host would be the host's device. A FIFO or socket is a name and no more,
    // since the guest's FIFOs and sockets are the Sentry's.
    if (type === S_IFCHR || type === S_IFBLK) return -EPERM;
    if (type !== S_IFIFO && type !== S_IFSOCK) return -EINVAL;
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const err = hostMknodat(dirFd, name, mode, rdev);
    return err < 0 ? err : this.#created(dirFd, name, mode, creds);
  }

  override symlink(name: string, target: string, creds: Credentials): Inode | number {
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const err = hostSymlinkat(target, dirFd, name);
    return err < 0 ? err : this.#created(dirFd, name, 0, creds);
  }

  #created(dirFd: number, name: string, mode: number, creds: Credentials): Inode | number {
    this.#entriesChanged();
    const err = hostStatx(dirFd, name);
    if (err < 0) return err;
    const inode = this.fs.inodeAt(this, name);
    inode.own(this, mode, creds);
    return inode;
  }

  /** Two directories' fds: this one's stays open while the other's is made. -errno of either. */
  #fdBeside(other: GoferDirectory): number {
    this.opens++;
    const fd = other.dirFd();
    this.opens--;
    return fd;
  }

  override link(name: string, target: Inode): number {
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const file = target as GoferInode;
    const from = file.parent;
    if (from === null) return -ENOENT; // O_TMPFILE: the host lets only the privileged name it by fd.
    const fromFd = this.#fdBeside(from);
    if (fromFd < 0) return fromFd;
    const err = hostLinkat(fromFd, file.name, dirFd, name, 0);
    if (err < 0) return err;
    this.#entriesChanged();
    file.addName(this, name);
    file.nlink++;
    file.touched();
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
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const err = hostUnlinkat(dirFd, name, directory);
    if (err < 0) return err;
    this.#entriesChanged();
    child.unnamed(this, name);
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
    const to = newDir as GoferDirectory;
    const file = child as GoferInode;
    const other = replaced as GoferInode | null;
    const dirFd = this.#writableFd();
    if (dirFd < 0) return dirFd;
    const toFd = this.#fdBeside(to);
    if (toFd < 0) return toFd;
    const err = hostRenameat2(dirFd, name, toFd, newName, flags);
    if (err < 0) return err;
    if (file === other) return 0; // Two names of one file: rename(2) does nothing.
    this.#entriesChanged();
    to.#entriesChanged();
    file.removeName(this, name);
    if ((flags & RENAME_EXCHANGE) !== 0 && other !== null) {
      other.removeName(to, newName);
      other.addName(this, name);
      other.touched();
    } else if (other !== null) other.unnamed(to, newName);
    file.addName(to, newName);
    file.touched();
    return 0;
  }
}
