/**
 * Regular host files. Their fds are opened when needed, kept by the file system's cache, and shared by
 * all open files of the inode, since all I/O names its offset.
 */
import { EACCES, EROFS, ESTALE } from "../../../platform/abi/errno.ts";
import {
  O_ACCMODE,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../platform/abi/fcntl.ts";
import { S_ISGID, S_ISUID } from "../../../platform/abi/stat.ts";
import { RWF_NOWAIT } from "../../../platform/abi/uio.ts";
import {
  HOST_DATA_SIZE,
  hostData,
  hostFchmod,
  hostFstatx,
  hostPreadData,
} from "../../../platform/host/files.ts";
import { closeFd, ftruncate } from "../../../platform/host/host.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { ContentHolder } from "./content_cache.ts";
import type { FdHolder } from "./fd_cache.ts";
import { GoferFile } from "./file.ts";
import { GoferInode } from "./inode.ts";

/** Files up to this size may be kept whole in the Sentry. */
const CONTENT_MAX = 1 << 20;
/** Small reads of a file before its content is kept. */
const CONTENT_AFTER = 2;
/** Of larger files: where an ELF file has its headers. */
export const HEAD_SIZE = 4096;

export class GoferRegular extends GoferInode implements FdHolder, ContentHolder {
  fdIndex = -1;
  fdUsed = false;
  #readFd = -1;
  /** For reading and writing, or for writing alone where the mode forbids reading. */
  #writeFd = -1;
  #writeFdReads = false;
  /** Number under which the Gofer knows the fd that reads; 0 for none. */
  #goferNumber = 0;
  content: Uint8Array | null = null;
  contentUsed = false;
  #head: ContentHolder | null = null;
  #smallReads = 0;
  /** Reads by the Gofer that are under way. */
  reads = 0;
  /** One for all open files: it has no state of its own. */
  #file: GoferFile | null = null;

  /** The root alone (a volume of one file): the fd is the file system's. */
  useRootFd(fd: number): void {
    this.#readFd = this.#writeFd = fd;
    this.#writeFdReads = true;
  }

  useCreatedFd(fd: number): void {
    this.#writeFd = fd;
    this.#writeFdReads = true;
    this.fs.fileFds.add(this);
  }

  /** An fd for reading (maybe one that could write), or -errno. Stays this inode's. */
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
    const fd = this.#open(O_RDONLY);
    if (fd < 0) return fd;
    this.#readFd = fd;
    this.fs.fileFds.add(this);
    return fd;
  }

  /** An fd for writing (and reading if `reads`), or -errno. */
  writeFd(reads: boolean): number {
    if (this.#writeFd >= 0 && (this.#writeFdReads || !reads)) return this.#writeFd;
    let fd = this.#open(O_RDWR);
    const readsToo = fd >= 0;
    if (fd === -EACCES && !reads) fd = this.#open(O_WRONLY);
    if (fd < 0) return fd;
    if (this.#writeFd >= 0) closeFd(this.#writeFd); // For writing alone until now.
    this.#writeFd = fd;
    this.#writeFdReads = readsToo;
    this.fs.fileFds.add(this);
    return fd;
  }

  /** Opens it; what has become another file (shared mode, or since a guest has opened it) is not kept. */
  #open(access: number): number {
    const fd = this.openSelf(access | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || (this.fs.exclusive && this.opens === 0)) return fd;
    const err = hostFstatx(fd);
    if (err === 0 && this.isInStatx()) return fd;
    closeFd(fd);
    return err < 0 ? err : -ESTALE;
  }

  protected override anyFd(): number {
    return this.#readFd >= 0 ? this.#readFd : this.#writeFd;
  }

  /** The Gofer's number for this file, for what may block; or -errno. Needs the file to be open. */
  async goferNumber(): Promise<number> {
    if (this.#goferNumber > 0) return this.#goferNumber;
    const fd = this.#readFd >= 0 || !this.#writeFdReads ? this.readFd() : this.#writeFd;
    const usable = fd < 0 && this.#writeFd >= 0 ? this.#writeFd : fd; // fsync needs no reading.
    if (usable < 0) return usable;
    const client = this.fs.client!;
    const number = await client.adopt(usable);
    if (number < 0 || this.#goferNumber === 0) {
      if (number > 0) this.#goferNumber = number;
      return number;
    }
    client.forget(number); // Another call was faster.
    return this.#goferNumber;
  }

  mayCloseFds(evenOpen: boolean): boolean {
    return this.opens === 0 || (evenOpen && this.fs.reopens && this.reads === 0);
  }
  closeFds(): void {
    if (this === this.fs.root) return;
    if (this.#readFd >= 0) closeFd(this.#readFd);
    if (this.#writeFd >= 0) closeFd(this.#writeFd);
    if (this.#goferNumber > 0) this.fs.client!.forget(this.#goferNumber);
    this.#readFd = this.#writeFd = -1;
    this.#writeFdReads = false;
    this.#goferNumber = 0;
  }
  protected override drop(): void {
    this.fs.fileFds.remove(this);
    this.closeFds();
    this.#dropContent();
  }

  protected override chmod(mode: number): number {
    const fd = this.anyFd();
    return fd >= 0 ? hostFchmod(fd, mode) : super.chmod(mode);
  }

  protected override withXattrFd<T>(call: (fd: number) => T): T | number {
    const fd = this.readFd();
    return fd < 0 ? fd : call(fd);
  }

  override truncate(size: number): number {
    if (this.fs.readonly) return -EROFS;
    const fd = this.writeFd(false);
    if (fd < 0) return fd;
    const err = ftruncate(fd, size);
    if (err < 0) return err;
    this.size = size;
    this.#keepSetId();
    this.#changed();
    return 0;
  }

  /** The guest wrote up to `end`: the size is known, the rest at the next refresh. */
  wrote(end: number): void {
    if (end > this.size) this.size = end;
    this.#keepSetId();
    this.#changed();
  }

  /**
   * A change of the content takes set-id bits away on the host, where no capability of ours counts. The VFS
   * has taken those that must go; the others come back.
   */
  #keepSetId(): void {
    if ((this.mode & (S_ISUID | S_ISGID)) !== 0) this.chmod(this.mode & 0o7777);
  }

  #changed(): void {
    this.isStale = true;
    this.#dropContent();
  }

  /** The guest can write to it without a system call from now on. */
  mappedShared(): void {
    this.isVolatile = true;
    this.#changed();
  }

  override open(file: FileDescription): number {
    const access = file.flags & O_ACCMODE;
    if (access === O_RDONLY) {
      const fd = this.readFd();
      if (fd < 0) return fd;
    } else {
      if (this.fs.readonly) return -EROFS;
      const fd = this.writeFd(access === O_RDWR);
      if (fd < 0) return fd;
    }
    this.opens++;
    file.impl = this.#file ??= new GoferFile(this);
    return 0;
  }

  /**
   * The whole content if it is, or now becomes, cached; else null. Called for each small read; reads
   * the file when it is hot enough and in the host's page cache.
   */
  cachedContent(): Uint8Array | null {
    const { content } = this;
    if (content !== null) {
      this.contentUsed = true;
      return content;
    }
    if (this.size > CONTENT_MAX || !this.#isHot()) return null;
    return this.#load(this, this.size);
  }

  /** The same of the beginning of a large file, for reads that ask for no more than HEAD_SIZE bytes of it. */
  cachedHead(): Uint8Array | null {
    const head = this.#head;
    if (head !== null && head.content !== null) {
      head.contentUsed = true;
      return head.content;
    }
    if (this.size <= CONTENT_MAX || !this.#isHot()) return null;
    return this.#load(this.#head ??= { content: null, contentUsed: false }, HEAD_SIZE);
  }

  override get dataAtHand(): Uint8Array | null {
    const holder = this.content === null ? this.#head : this;
    if (holder === null || holder.content === null) return null;
    holder.contentUsed = true;
    return holder.content;
  }

  #dropContent(): void {
    const { contents } = this.fs;
    if (this.content !== null) contents.drop(this);
    if (this.#head !== null) contents.drop(this.#head);
  }

  #isHot(): boolean {
    if (!this.fs.exclusive || this.isVolatile) return false;
    if (this.#writeFd >= 0 && this.opens > 0) return false; // May be written at any moment.
    if (++this.#smallReads <= CONTENT_AFTER) return false;
    this.#smallReads = 0;
    return true;
  }

  /** The first `size` bytes. */
  #load(holder: ContentHolder, size: number): Uint8Array | null {
    const fd = this.readFd();
    if (fd < 0) return null;
    const content = new Uint8Array(size);
    const rwf = this.fs.readsWithoutWaiting ? RWF_NOWAIT : 0;
    for (let at = 0; at < size;) {
      const n = hostPreadData(fd, Math.min(size - at, HOST_DATA_SIZE), at, rwf);
      if (n <= 0) return null;
      content.set(n === HOST_DATA_SIZE ? hostData : hostData.subarray(0, n), at);
      at += n;
    }
    this.fs.contents.put(holder, content);
    return content;
  }
}
