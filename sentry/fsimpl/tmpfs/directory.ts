/**
 * Directories of tmpfs. Entries are in a Map for look-up and in a list for reading: each has a cookie
 * that only grows, so that a reader goes on rightly whatever is removed meanwhile (rm -r).
 */
import { EEXIST, EMLINK, ENOENT, ENOSPC, ENOTEMPTY } from "../../../platform/abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from "../../../platform/abi/fs.ts";
import { S_IFDIR, S_IFMT } from "../../../platform/abi/stat.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { touchAccess, touchChange, touchModify } from "../../vfs/attributes.ts";
import { type DirSink, type FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import type { DirEntry, Inode } from "../../vfs/inode.ts";
import { newFileGid } from "../../vfs/permission.ts";
import { TmpfsInode, TmpfsSpecial, TmpfsSymlink } from "./inode.ts";
import { TmpfsFile } from "./regular.ts";

/** What one entry adds to a directory's size (Linux: BOGO_DIRENT_SIZE). */
const ENTRY_SIZE = 20;
const LINK_MAX = 0x7fffffff;
const S_IFCHR = 0o020000;

interface Entry {
  name: string;
  inode: TmpfsInode;
  /** Its offset in the directory, from FIRST_COOKIE on. */
  cookie: number;
  isRemoved: boolean;
  previous: Entry | null;
  /** A removed entry keeps it: a reader that stands there finds its way. */
  next: Entry | null;
}

const DOT_COOKIE = 0;
const DOTDOT_COOKIE = 1;
const FIRST_COOKIE = 2;

export class TmpfsDirectory extends TmpfsInode {
  /** Of "." and "..". */
  override size = 2 * ENTRY_SIZE;
  /** Null once removed. */
  parent: TmpfsDirectory | null = null;
  readonly #entries = new Map<string, Entry>();
  #first: Entry | null = null;
  #last: Entry | null = null;
  #nextCookie = FIRST_COOKIE;

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get first(): Entry | null {
    return this.#first;
  }

  override lookup(name: string): TmpfsInode | number {
    return this.#entries.get(name)?.inode ?? -ENOENT;
  }

  override create(name: string, mode: number, creds: Credentials): Inode | number {
    const ino = this.#prepare(name);
    if (ino < 0) return ino;
    return this.#insert(
      name,
      new TmpfsFile(this.fs, mode, creds.fsuid, newFileGid(this, creds), ino),
    );
  }

  override mkdir(name: string, mode: number, creds: Credentials): Inode | number {
    if (this.nlink >= LINK_MAX) return -EMLINK;
    const ino = this.#prepare(name);
    if (ino < 0) return ino;
    const dir = new TmpfsDirectory(this.fs, mode, creds.fsuid, newFileGid(this, creds), ino);
    dir.nlink = 2;
    dir.parent = this;
    this.nlink++;
    return this.#insert(name, dir);
  }

  override mknod(name: string, mode: number, rdev: number, creds: Credentials): Inode | number {
    const ino = this.#prepare(name);
    if (ino < 0) return ino;
    const gid = newFileGid(this, creds);
    return this.#insert(name, new TmpfsSpecial(this.fs, mode, rdev, creds.fsuid, gid, ino));
  }

  override symlink(name: string, target: string, creds: Credentials): Inode | number {
    const ino = this.#prepare(name);
    if (ino < 0) return ino;
    const gid = newFileGid(this, creds);
    return this.#insert(name, new TmpfsSymlink(this.fs, target, creds.fsuid, gid, ino));
  }

  override tmpfile(mode: number, creds: Credentials, linkable: boolean): Inode | number {
    const ino = this.fs.reserveInode();
    if (ino < 0) return -ENOSPC;
    const file = new TmpfsFile(this.fs, mode, creds.fsuid, newFileGid(this, creds), ino);
    file.nlink = 0;
    file.isLinkable = linkable;
    return file;
  }

  override link(name: string, target: Inode): number {
    if (!(target instanceof TmpfsInode) || target.isGone) return -ENOENT;
    if (target.nlink === 0 && !(target instanceof TmpfsFile && target.isLinkable)) return -ENOENT;
    if (target.nlink >= LINK_MAX) return -EMLINK;
    if (this.#entries.has(name)) return -EEXIST;
    if (this.nlink === 0) return -ENOENT;
    target.nlink++;
    touchChange(target);
    this.#insert(name, target);
    return 0;
  }

  override unlink(name: string, _child: Inode): number {
    const entry = this.#entries.get(name);
    if (entry === undefined) return -ENOENT;
    this.#remove(entry);
    entry.inode.nlink--;
    touchChange(entry.inode);
    return 0;
  }

  override rmdir(name: string, _child: Inode): number {
    const entry = this.#entries.get(name);
    if (entry === undefined) return -ENOENT;
    const dir = entry.inode as TmpfsDirectory;
    if (!dir.isEmpty) return -ENOTEMPTY;
    this.#remove(entry);
    this.#directoryGone(dir);
    return 0;
  }

  #directoryGone(dir: TmpfsDirectory): void {
    dir.nlink = 0;
    dir.parent = null;
    this.nlink--;
    touchChange(dir);
  }

  override rename(
    name: string,
    _child: Inode,
    newDir: Inode,
    newName: string,
    _replaced: Inode | null,
    flags: number,
    creds: Credentials,
  ): number {
    const to = newDir as TmpfsDirectory;
    const entry = this.#entries.get(name);
    if (entry === undefined) return -ENOENT;
    const target = to.#entries.get(newName);
    if ((flags & RENAME_EXCHANGE) !== 0) {
      return target === undefined ? -ENOENT : this.#exchange(entry, to, target);
    }
    if (target !== undefined && target.inode instanceof TmpfsDirectory && !target.inode.isEmpty) {
      return -ENOTEMPTY;
    }
    const whiteoutIno = (flags & RENAME_WHITEOUT) !== 0 ? this.fs.reserveInode() : 0;
    if (whiteoutIno < 0) return -ENOSPC;
    if (target !== undefined) {
      to.#remove(target);
      if (target.inode instanceof TmpfsDirectory) to.#directoryGone(target.inode);
      else {
        target.inode.nlink--;
        touchChange(target.inode);
      }
    }
    this.#remove(entry);
    to.#insert(newName, entry.inode);
    this.#moved(entry.inode, to);
    if (whiteoutIno > 0) {
      const gid = newFileGid(this, creds);
      this.#insert(name, new TmpfsSpecial(this.fs, S_IFCHR, 0, creds.fsuid, gid, whiteoutIno));
    }
    return 0;
  }

  #moved(inode: TmpfsInode, to: TmpfsDirectory): void {
    touchChange(inode);
    if (!(inode instanceof TmpfsDirectory) || to === this) return;
    inode.parent = to;
    this.nlink--;
    to.nlink++;
  }

  #exchange(entry: Entry, to: TmpfsDirectory, target: Entry): number {
    const inode = entry.inode;
    entry.inode = target.inode;
    target.inode = inode;
    this.#moved(inode, to);
    to.#moved(entry.inode, this);
    touchModify(this);
    touchModify(to);
    return 0;
  }

  /** A number for a new inode called `name`, or -errno. */
  #prepare(name: string): number {
    if (this.nlink === 0) return -ENOENT;
    if (this.#entries.has(name)) return -EEXIST;
    const ino = this.fs.reserveInode();
    return ino < 0 ? -ENOSPC : ino;
  }

  #insert(name: string, inode: TmpfsInode): TmpfsInode {
    const previous = this.#last;
    const entry: Entry = {
      name,
      inode,
      cookie: this.#nextCookie++,
      isRemoved: false,
      previous,
      next: null,
    };
    if (previous === null) this.#first = entry;
    else previous.next = entry;
    this.#last = entry;
    this.#entries.set(name, entry);
    this.size += ENTRY_SIZE;
    touchModify(this);
    return inode;
  }

  #remove(entry: Entry): void {
    const { previous, next } = entry;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    entry.isRemoved = true;
    this.#entries.delete(entry.name);
    this.size -= ENTRY_SIZE;
    touchModify(this);
  }

  /** The first entry whose cookie is at least `offset`. */
  findFrom(offset: number): Entry | null {
    let entry = this.#first;
    while (entry !== null && entry.cookie < offset) entry = entry.next;
    return entry;
  }

  /** The file system ends: everything below gives back what it holds. */
  releaseTree(): void {
    for (let entry = this.#first; entry !== null; entry = entry.next) {
      const inode = entry.inode;
      if (inode instanceof TmpfsDirectory) inode.releaseTree();
      inode.nlink = 0;
      inode.release();
    }
  }

  override open(file: FileDescription): number {
    file.impl = new TmpfsDirectoryImpl(this);
    return 0;
  }
}

class TmpfsDirectoryImpl extends FileDescriptionImpl {
  /** Where the last `iterate` stopped: valid while the file's offset is `#offset`. */
  #next: Entry | null = null;
  #offset = 0;
  readonly #out: DirEntry = { name: "", ino: 0, type: 0 };

  constructor(readonly dir: TmpfsDirectory) {
    super();
  }

  override seek(f: FileDescription, offset: number, whence: number): number {
    const to = whence === 0 ? offset : whence === 1 ? f.offset + offset : -1;
    return to < 0 ? -22 : to; // EINVAL
  }

  override iterate(f: FileDescription, sink: DirSink): number {
    touchAccess(f);
    if (f.offset <= DOTDOT_COOKIE && !this.#dots(f, sink)) return 0;
    let entry = f.offset === this.#offset ? this.#next : this.dir.findFrom(f.offset);
    while (entry !== null) {
      if (!entry.isRemoved) {
        if (!this.#emit(sink, entry.name, entry.inode.ino, entry.inode.mode, entry.cookie + 1)) {
          break;
        }
        f.offset = entry.cookie + 1;
      }
      if (entry.next === null) { // Stay here: entries may yet be added behind.
        this.#next = null;
        this.#offset = -1;
        return 0;
      }
      entry = entry.next;
    }
    this.#next = entry;
    this.#offset = entry === null ? -1 : f.offset;
    return 0;
  }

  /** "." and ".."; false when the buffer is full. */
  #dots(f: FileDescription, sink: DirSink): boolean {
    const { dir } = this;
    if (f.offset === DOT_COOKIE) {
      if (!this.#emit(sink, ".", dir.ino, S_IFDIR, DOTDOT_COOKIE)) return false;
      f.offset = DOTDOT_COOKIE;
    }
    const parentIno = f.dentry.parent?.inode?.ino ?? dir.parent?.ino ?? dir.ino;
    if (!this.#emit(sink, "..", parentIno, S_IFDIR, FIRST_COOKIE)) return false;
    f.offset = FIRST_COOKIE;
    return true;
  }

  #emit(sink: DirSink, name: string, ino: number, mode: number, nextOffset: number): boolean {
    const out = this.#out;
    out.name = name;
    out.ino = ino;
    out.type = (mode & S_IFMT) >>> 12;
    return sink(out, nextOffset);
  }

  override fsync(): number {
    return 0;
  }
}
