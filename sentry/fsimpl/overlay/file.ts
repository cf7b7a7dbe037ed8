/** Open files and directories of an overlay. */
import { EINVAL } from "../../../platform/abi/errno.ts";
import { O_ACCMODE, O_RDONLY, O_WRONLY } from "../../../platform/abi/fcntl.ts";
import {
  type DirSink,
  type FileDescription,
  FileDescriptionImpl,
  type HostMapping,
  type IoctlCaller,
} from "../../vfs/file.ts";
import { touchAccess } from "../../vfs/attributes.ts";
import { ListedDirectoryFile } from "../../vfs/directory_file.ts";
import type { DirEntry } from "../../vfs/inode.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { closeReal, openReal } from "./copy_up.ts";
import type { OverlayDirectory } from "./directory.ts";
import type { OverlayInode } from "./inode.ts";

/**
 * A regular file. It works on the layer's own open file (Linux: the real file). A lower file opened for
 * writing is copied up by the first change, not by open(2), so that O_TRUNC copies nothing; after a
 * copy-up, whoever caused it, the next call goes to the upper file, and mappings stay as they are.
 */
export class OverlayFile extends FileDescriptionImpl {
  #real: FileDescription | null = null;
  #realIsUpper = false;

  constructor(readonly inode: OverlayInode) {
    super();
  }

  /** Opens the layer's file. Returns 0 or -errno. */
  start(f: FileDescription): number {
    // One of the lower layer for writing only is opened when it is copied up, or asked for something.
    if (this.inode.upper === null && (f.flags & O_ACCMODE) === O_WRONLY) return 0;
    const real = this.#open(f);
    return typeof real === "number" ? real : 0;
  }

  #open(f: FileDescription): FileDescription | number {
    const { upper, lowers } = this.inode;
    const flags = upper === null ? (f.flags & ~O_ACCMODE) | O_RDONLY : f.flags;
    const opened = openReal(upper ?? lowers[0], flags, f.dentry, f.mount);
    if (typeof opened === "number") return opened;
    if (this.#real !== null) closeReal(this.#real);
    this.#real = opened;
    this.#realIsUpper = upper !== null;
    return opened;
  }

  /** The file to read from now, or -errno. */
  #current(f: FileDescription): FileDescription | number {
    const real = this.#real;
    if (real !== null && (this.#realIsUpper || this.inode.upper === null)) return real;
    return this.#open(f);
  }

  /** The upper file, copied up if need be with `dataLength` bytes; or -errno. */
  #writable(f: FileDescription, dataLength = Infinity): FileDescription | number {
    if (!this.#realIsUpper) {
      const err = this.inode.copyUp(dataLength);
      if (err < 0) return err;
    }
    return this.#current(f);
  }

  override read(f: FileDescription, dst: IoDst, offset: number): number | Promise<number> {
    const real = this.#current(f);
    if (typeof real === "number") return real;
    return real.impl.read(real, dst, offset);
  }

  override write(f: FileDescription, src: IoSrc, offset: number): number | Promise<number> {
    const real = this.#writable(f);
    if (typeof real === "number") return real;
    const n = real.impl.write(real, src, offset);
    if (typeof n !== "number") return this.#written(n);
    this.inode.size = real.inode.size;
    return n;
  }

  async #written(pending: Promise<number>): Promise<number> {
    const n = await pending;
    this.inode.sync();
    return n;
  }

  override seek(f: FileDescription, offset: number, whence: number): number {
    if (whence === 0) return offset < 0 ? -EINVAL : offset;
    if (whence === 1) return f.offset + offset < 0 ? -EINVAL : f.offset + offset;
    const real = this.#current(f);
    if (typeof real === "number") {
      if (whence !== 2) return real;
      return this.inode.size + offset < 0 ? -EINVAL : this.inode.size + offset;
    }
    real.offset = f.offset;
    return real.impl.seek(real, offset, whence);
  }

  override truncate(f: FileDescription, size: number): number {
    const real = this.#writable(f, size);
    if (typeof real === "number") return real;
    const err = real.impl.truncate(real, size);
    this.inode.sync();
    return err;
  }

  override allocate(f: FileDescription, mode: number, offset: number, length: number): number {
    const real = this.#writable(f);
    if (typeof real === "number") return real;
    const err = real.impl.allocate(real, mode, offset, length);
    this.inode.sync();
    return err;
  }

  override fsync(f: FileDescription, dataOnly: boolean): number | Promise<number> {
    if (this.inode.upper === null) return 0;
    const real = this.#current(f);
    return typeof real === "number" ? real : real.impl.fsync(real, dataOnly);
  }

  override ioctl(
    f: FileDescription,
    caller: IoctlCaller,
    cmd: number,
    arg: number,
  ): number | Promise<number> {
    const real = this.#current(f);
    return typeof real === "number" ? real : real.impl.ioctl(real, caller, cmd, arg);
  }

  /** A shared mapping of a file open for writing may be written at any time: it needs the upper file. */
  override hostMapping(
    f: FileDescription,
    offset: number,
    length: number,
    prot: number,
    shared: boolean,
  ): HostMapping | number {
    const real = shared && f.writable ? this.#writable(f) : this.#current(f);
    if (typeof real === "number") return real;
    return real.impl.hostMapping(real, offset, length, prot, shared);
  }

  override flagsChanged(f: FileDescription, old: number): void {
    const real = this.#real;
    if (real === null) return;
    real.flags = (f.flags & ~O_ACCMODE) | (real.flags & O_ACCMODE);
    real.impl.flagsChanged(real, old);
  }

  override flush(): void {
    if (this.#real !== null) this.#real.impl.flush(this.#real);
  }

  override release(): void {
    if (this.#real !== null) closeReal(this.#real);
    this.#real = null;
  }
}

export class OverlayDirFile extends ListedDirectoryFile {
  constructor(readonly inode: OverlayDirectory) {
    super();
  }

  override iterate(f: FileDescription, sink: DirSink): number {
    if (this.inode.upper !== null) touchAccess(f);
    return super.iterate(f, sink);
  }

  protected override list(): DirEntry[] | number {
    return this.inode.listing();
  }
}
