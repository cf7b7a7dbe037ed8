/** Regular files of tmpfs, and the files that memfd_create(2) makes. */
import { EFBIG, EINVAL, ENXIO, EOPNOTSUPP, EPERM } from "../../../platform/abi/errno.ts";
import { F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL } from "../../../platform/abi/fcntl.ts";
import { F_SEAL_SHRINK, F_SEAL_WRITE } from "../../../platform/abi/fcntl.ts";
import { PROT_WRITE } from "../../../platform/abi/mman.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../../../platform/abi/fs.ts";
import {
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../../../platform/abi/unistd.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { touchAccess, touchModify } from "../../vfs/attributes.ts";
import { type FileDescription, FileDescriptionImpl, type HostMapping } from "../../vfs/file.ts";
import { ATTR_MTIME, ATTR_SIZE, type Attributes } from "../../vfs/inode.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { Content } from "./content.ts";
import type { Tmpfs } from "./filesystem.ts";
import { TmpfsInode } from "./inode.ts";

/** Largest file: where numbers are exact. */
export const TMPFS_FILE_MAX = Number.MAX_SAFE_INTEGER;
export const F_SEAL_EXEC = 0x20;

/** Whether a time is before another, each in seconds and nanoseconds. */
function isBefore(sec: number, nsec: number, otherSec: number, otherNsec: number): boolean {
  return sec < otherSec || (sec === otherSec && nsec < otherNsec);
}

export class TmpfsFile extends TmpfsInode {
  readonly content: Content;
  /** O_TMPFILE without O_EXCL: link(2) may give it a name. */
  isLinkable = false;
  /** F_SEAL_*; F_SEAL_SEAL alone where sealing is not allowed. */
  #seals = F_SEAL_SEAL;
  #impl: TmpfsFileImpl | null = null;

  constructor(fs: Tmpfs, mode: number, uid: number, gid: number, ino: number) {
    super(fs, mode, uid, gid, ino);
    this.content = new Content(fs);
  }

  override get seals(): number {
    return this.#seals;
  }
  /** memfd_create(2) with MFD_ALLOW_SEALING, or another first set. */
  setInitialSeals(seals: number): void {
    this.#seals = seals;
  }
  override addSeals(seals: number): number {
    if ((this.#seals & F_SEAL_SEAL) !== 0) return -EPERM;
    if ((seals & ~this.#seals & F_SEAL_WRITE) !== 0) {
      this.#noteMappedStores();
      const err = this.content.seal();
      if (err < 0) return err;
    }
    if ((seals & F_SEAL_EXEC) !== 0 && (this.mode & 0o111) !== 0) {
      seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    }
    this.#seals |= seals;
    return 0;
  }

  override refresh(): number {
    this.blocks = this.content.blocks;
    this.#noteMappedStores();
    return 0;
  }

  /** Stores through shared mappings modify the file, too. */
  #noteMappedStores(): void {
    const at = this.content.takeModification();
    if (at === null || isBefore(at.sec, at.nsec, this.mtimeSec, this.mtimeNsec)) return;
    this.mtimeSec = this.ctimeSec = at.sec;
    this.mtimeNsec = this.ctimeNsec = at.nsec;
  }

  override setattr(attr: Attributes, creds: Credentials): number {
    this.#noteMappedStores();
    if ((attr.mask & ATTR_SIZE) !== 0) {
      const err = this.resize(attr.size);
      if (err < 0 || (attr.mask & ~(ATTR_SIZE | ATTR_MTIME)) === 0) return err;
    }
    if ((this.#seals & F_SEAL_EXEC) !== 0 && (attr.mask & 1) !== 0) {
      if (((attr.mode ^ this.mode) & 0o111) !== 0) return -EPERM;
    }
    return super.setattr(attr, creds);
  }

  /** truncate(2): even to the present size it changes the times, and drops pages kept behind the end. */
  resize(size: number): number {
    if (size > TMPFS_FILE_MAX) return -EFBIG;
    const seal = size < this.size ? F_SEAL_SHRINK : size > this.size ? F_SEAL_GROW : 0;
    if ((this.#seals & seal) !== 0) return -EPERM;
    const err = this.content.resize(this.size, size);
    if (err < 0) return err;
    this.size = size;
    touchModify(this);
    return 0;
  }

  override open(file: FileDescription): number {
    file.impl = this.#impl ??= new TmpfsFileImpl(this);
    return 0;
  }

  protected override releaseContent(): void {
    this.content.release();
  }
}

/** One for each inode: it keeps nothing of an open file. */
class TmpfsFileImpl extends FileDescriptionImpl {
  constructor(readonly inode: TmpfsFile) {
    super();
  }

  override read(f: FileDescription, dst: IoDst, offset: number): number {
    const { inode } = this;
    let n = dst.remaining;
    const left = inode.size - offset;
    if (n > left) n = left;
    touchAccess(f);
    return n <= 0 ? 0 : inode.content.read(dst, offset, n);
  }

  override write(_f: FileDescription, src: IoSrc, offset: number): number {
    const { inode } = this;
    let n = src.remaining;
    if (n === 0) return 0;
    if (offset + n > TMPFS_FILE_MAX) {
      n = TMPFS_FILE_MAX - offset;
      if (n <= 0) return -EFBIG;
    }
    const { seals } = inode;
    if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW)) !== 0) {
      if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
      if (offset + n > inode.size) {
        n = inode.size - offset;
        if (n <= 0) return -EPERM;
      }
    }
    const done = inode.content.write(src, offset, n);
    if (done > 0) {
      if (offset + done > inode.size) inode.size = offset + done;
      touchModify(inode);
    }
    return done;
  }

  override seek(f: FileDescription, offset: number, whence: number): number {
    const { inode } = this;
    switch (whence) {
      case SEEK_SET:
        return offset < 0 ? -EINVAL : offset;
      case SEEK_CUR:
        return f.offset + offset < 0 ? -EINVAL : f.offset + offset;
      case SEEK_END:
        return inode.size + offset < 0 ? -EINVAL : inode.size + offset;
      case SEEK_DATA:
      case SEEK_HOLE:
        if (offset < 0 || offset >= inode.size) return -ENXIO;
        return whence === SEEK_DATA
          ? inode.content.seekData(offset, inode.size)
          : inode.content.seekHole(offset, inode.size);
      default:
        return -EINVAL;
    }
  }

  override cachedPages(first: number, last: number): number {
    return this.inode.content.countPages(first, last);
  }

  override truncate(_f: FileDescription, size: number): number {
    return this.inode.resize(size);
  }

  override allocate(_f: FileDescription, mode: number, offset: number, length: number): number {
    const { inode } = this;
    const end = offset + length;
    const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    const kind = mode & ~FALLOC_FL_KEEP_SIZE;
    if (kind !== 0 && kind !== FALLOC_FL_PUNCH_HOLE) return -EOPNOTSUPP;
    if (end > TMPFS_FILE_MAX) return -EFBIG;
    if (kind === FALLOC_FL_PUNCH_HOLE) return this.#punch(offset, end);
    if (end > inode.size && (inode.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const err = inode.content.allocate(offset, end);
    if (err < 0) return err;
    if (!keepsSize && end > inode.size) return inode.resize(end);
    touchModify(inode);
    return 0;
  }

  #punch(offset: number, end: number): number {
    const { inode } = this;
    if ((inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    const err = inode.content.punch(offset, end);
    if (err === 0) touchModify(inode);
    return err;
  }

  override fsync(): number {
    return 0;
  }

  override hostMapping(
    f: FileDescription,
    offset: number,
    _length: number,
    prot: number,
    shared: boolean,
  ): HostMapping | number {
    const { inode } = this;
    const isSealed = (inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0;
    const isWritable = shared && f.writable;
    if (isWritable && isSealed && (prot & PROT_WRITE) !== 0) return -EPERM;
    touchAccess(f);
    return inode.content.hostMapping(offset, inode.size, isWritable && !isSealed);
  }
}
