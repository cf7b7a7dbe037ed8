/** Open files and directories of goferfs. Regular files share their inode's host fds. */
import { EAGAIN, EBADF, EINVAL, ENXIO, EOPNOTSUPP } from "../../../platform/abi/errno.ts";
import { O_APPEND, O_DSYNC, O_SYNC } from "../../../platform/abi/fcntl.ts";
import { RWF_APPEND, RWF_NOWAIT } from "../../../platform/abi/uio.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../platform/abi/unistd.ts";
import { hostFallocate, hostFsync, hostLseek } from "../../../platform/host/files.ts";
import { type FileDescription, FileDescriptionImpl, type HostMapping } from "../../vfs/file.ts";
import { ListedDirectoryFile } from "../../vfs/directory_file.ts";
import type { DirEntry } from "../../vfs/inode.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { GoferDirectory } from "./directory.ts";
import { type GoferRegular, HEAD_SIZE } from "./regular.ts";

/** Reads up to this size may come from the content cache. */
const SMALL_READ = 65_536;

const MAPPING: HostMapping = { fd: -1, offset: 0 };

export class GoferFile extends FileDescriptionImpl {
  constructor(readonly inode: GoferRegular) {
    super();
  }

  override read(_f: FileDescription, dst: IoDst, offset: number): number | Promise<number> {
    const inode = this.inode;
    const wanted = dst.remaining;
    if (wanted === 0) return 0;
    if (wanted <= SMALL_READ) {
      const content = inode.cachedContent();
      if (content !== null) {
        if (offset >= content.length) return 0;
        return dst.put(content, offset, Math.min(content.length, offset + wanted));
      }
      if (offset + wanted <= HEAD_SIZE) {
        const head = inode.cachedHead();
        if (head !== null) return dst.put(head, offset, offset + wanted);
      }
    }
    const fd = inode.readFd();
    if (fd < 0) return fd;
    const fs = inode.fs;
    const nowait = fs.client !== null && fs.readsWithoutWaiting;
    const n = dst.readHost(fd, wanted, offset, nowait ? RWF_NOWAIT : 0);
    if (n === wanted || !nowait) return n;
    if (n === -EOPNOTSUPP) {
      fs.readsWithoutWaiting = false;
      return dst.readHost(fd, wanted, offset, 0);
    }
    if (n === -EAGAIN) return this.#readBlocking(dst, offset, 0);
    // Short: the end of the file, or of what the page cache has. Linux gives all that there is.
    if (n > 0 && offset + n < inode.size) return this.#readBlocking(dst, offset + n, n);
    return n;
  }

  /** The rest of a read, by the Gofer, which may wait for the disk. */
  async #readBlocking(dst: IoDst, offset: number, done: number): Promise<number> {
    const { inode } = this;
    const client = inode.fs.client!;
    inode.opened(); // Its fds stay until the end.
    inode.reads++;
    try {
      const file = await inode.goferNumber();
      if (file < 0) {
        // It takes no more of them: better that everybody waits than that nobody reads.
        const fd = inode.readFd();
        const n = fd < 0 ? fd : dst.readHost(fd, dst.remaining, offset, 0);
        return n >= 0 ? done + n : done > 0 ? done : n;
      }
      while (dst.remaining > 0) {
        const data = await client.pread(file, offset, dst.remaining);
        if (typeof data === "number") return done > 0 ? done : data;
        if (data.length === 0) break;
        const n = dst.put(data, 0, data.length);
        if (n < 0) return done > 0 ? done : n;
        done += n;
        offset += n;
        if (n < data.length) break;
      }
      return done;
    } finally {
      inode.reads--;
      inode.closed();
    }
  }

  /**
   * Writes go to the host's page cache in place: few host file systems can say whether that would
   * wait, and only a full page cache makes it.
   */
  override write(f: FileDescription, src: IoSrc, offset: number): number | Promise<number> {
    const inode = this.inode;
    const wanted = src.remaining;
    if (wanted === 0) return 0;
    const fd = inode.writeFd(false);
    if (fd < 0) return fd;
    // The caller has set `offset` to the end; in shared mode that may be another one by now.
    const append = (f.flags & O_APPEND) !== 0 && !inode.fs.exclusive;
    const n = src.writeHost(fd, wanted, offset, append ? RWF_APPEND : 0);
    if (n <= 0) return n;
    inode.wrote(offset + n);
    if ((f.flags & (O_SYNC | O_DSYNC)) === 0) return n;
    return this.#syncWritten((f.flags & O_SYNC) !== O_SYNC, n);
  }

  #syncWritten(dataOnly: boolean, n: number): number | Promise<number> {
    const r = this.#fsync(dataOnly);
    if (typeof r === "number") return r < 0 ? r : n;
    return r.then((err) => err < 0 ? err : n);
  }

  override fsync(_f: FileDescription, dataOnly: boolean): number | Promise<number> {
    return this.#fsync(dataOnly);
  }

  #fsync(dataOnly: boolean): number | Promise<number> {
    const inode = this.inode;
    if (inode.fs.readonly) return 0; // Nothing of ours can be dirty.
    if (inode.fs.client !== null) return this.#fsyncBlocking(dataOnly);
    const fd = inode.readFd();
    return fd < 0 ? fd : hostFsync(fd, dataOnly);
  }

  async #fsyncBlocking(dataOnly: boolean): Promise<number> {
    const { inode } = this;
    inode.opened();
    try {
      // Either fd will do; a file never written through here is synced through its reading one.
      const file = await inode.goferNumber();
      if (file >= 0) return await inode.fs.client!.fsync(file, dataOnly);
      const fd = inode.readFd();
      return fd < 0 ? fd : hostFsync(fd, dataOnly);
    } finally {
      inode.closed();
    }
  }

  override seek(f: FileDescription, offset: number, whence: number): number {
    if (whence === SEEK_DATA || whence === SEEK_HOLE) {
      if (offset < 0 || offset >= this.inode.size) return -ENXIO;
      const fd = this.inode.readFd();
      return fd < 0 ? fd : hostLseek(fd, offset, whence);
    }
    if (whence === 2) {
      const err = this.inode.refresh();
      if (err < 0) return err;
    }
    const base = whence === 0 ? 0 : whence === 1 ? f.offset : whence === 2 ? this.inode.size : -1;
    if (base < 0 || base + offset < 0) return -EINVAL;
    return base + offset;
  }

  /** They are in the host's memory, or not: that is not told. */
  override cachedPages(): number {
    return -EOPNOTSUPP;
  }

  override truncate(_f: FileDescription, size: number): number {
    return this.inode.truncate(size);
  }

  override allocate(
    _f: FileDescription,
    mode: number,
    offset: number,
    length: number,
  ): number {
    const fd = this.inode.writeFd(false);
    if (fd < 0) return fd;
    const err = hostFallocate(fd, mode, offset, length);
    if (err < 0) return err;
    this.inode.wrote(0);
    return this.inode.refresh();
  }

  /** A file open for reading only is mapped through an fd that cannot write, whatever the flags. */
  override hostMapping(
    f: FileDescription,
    offset: number,
    _length: number,
    _prot: number,
    shared: boolean,
  ): HostMapping | number {
    const inode = this.inode;
    const writable = shared && f.writable;
    if (!f.readable && !writable) return -EBADF;
    const fd = writable ? inode.writeFd(true) : inode.readOnlyFd();
    if (fd < 0) return fd;
    if (writable) inode.mappedShared();
    MAPPING.fd = fd;
    MAPPING.offset = offset;
    return MAPPING;
  }

  override release(): void {
    this.inode.closed();
  }
}

export class GoferDirFile extends ListedDirectoryFile {
  constructor(readonly inode: GoferDirectory) {
    super();
  }

  protected override list(): DirEntry[] | number {
    return this.inode.listing();
  }

  override release(): void {
    this.inode.closed();
  }
}
