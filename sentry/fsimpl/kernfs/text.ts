/** Files whose text is generated when it is read (Linux: seq_file), and stored value by value. */
import { EINVAL, EIO, ENOTTY } from "../../../platform/abi/errno.ts";
import { latin1, latin1Bytes } from "../../../platform/abi/latin1.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { S_IFREG } from "../../../platform/abi/stat.ts";
import { type FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { type KernFilesystem, KernInode } from "./inode.ts";

/** The text in parts, each made when a reader comes to it: for what may be long. */
export type TextParts = Iterator<string, void>;
/** Latin1 strings, or bytes. */
export type GeneratedText = string | Uint8Array | TextParts;
/** -errno when there is none. */
export type Generate = (file: FileDescription) => GeneratedText | number;
/** Takes one written value. Returns 0 (all of it was taken) or -errno. */
export type Store = (value: string, file: FileDescription) => number;

export class KernText extends KernInode {
  constructor(
    fs: KernFilesystem,
    mode: number,
    readonly generate: Generate,
    readonly store: Store | null = null,
    uid = 0,
    gid = 0,
  ) {
    super(fs, S_IFREG | mode, uid, gid);
  }

  /** ioctl(2) of an open one. */
  ioctl(_caller: IoctlCaller, _cmd: number, _arg: number): number {
    return -ENOTTY;
  }

  /** See FileDescriptionImpl. Linux's kernfs, unlike procfs, takes what is written as it takes that of a disk. */
  get writesBuffers(): boolean {
    return this.fs.typeName === "proc";
  }

  /** Checks beyond the permission bits, when the file is opened. */
  checkOpen(_file: FileDescription): number {
    return 0;
  }

  override open(file: FileDescription): number {
    const err = this.checkOpen(file);
    if (err < 0) return err;
    file.impl = new TextFile(this.writesBuffers);
    return 0;
  }
}

/** At most so much of a text in parts is made for one read. */
const READ_AHEAD = 256 << 10;

/** One open generated file and its snapshot. */
export class TextFile extends FileDescriptionImpl {
  #snapshot: Uint8Array | null = null;
  /** Bytes of the snapshot that hold text; more come while there are parts. */
  #length = 0;
  #parts: TextParts | null = null;

  constructor(readonly buffersAlone = true) {
    super();
  }
  override get isSizeLimited(): boolean {
    return false;
  }
  override get writesBuffers(): boolean {
    return this.buffersAlone;
  }

  override read(f: FileDescription, dst: IoDst, offset: number): number {
    if (this.#snapshot === null || offset === 0) {
      const text = (f.inode as KernText).generate(f);
      if (typeof text === "number") return text;
      this.#start(text);
    }
    const bytes = this.#upTo(offset + dst.remaining, Math.max(this.#length, offset) + READ_AHEAD);
    if (offset >= this.#length) return 0;
    return dst.put(bytes, offset, Math.min(this.#length, offset + dst.remaining));
  }

  #start(text: GeneratedText): void {
    const whole = typeof text === "string" ? latin1Bytes(text) : text;
    const isWhole = whole instanceof Uint8Array;
    this.#parts = isWhole ? null : whole;
    this.#snapshot = isWhole ? whole : new Uint8Array(PAGE_SIZE);
    this.#length = isWhole ? whole.length : 0;
  }

  /** The snapshot with `end` bytes, if there are so many and they are not more than `most`. */
  #upTo(end: number, most: number): Uint8Array {
    let bytes = this.#snapshot!;
    while (this.#parts !== null && this.#length < Math.min(end, most)) {
      const next = this.#parts.next();
      if (next.done) {
        this.#parts = null;
        break;
      }
      const part = latin1Bytes(next.value);
      const length = this.#length + part.length;
      if (length > bytes.length) {
        this.#snapshot = new Uint8Array(Math.max(length, 2 * bytes.length));
        this.#snapshot.set(bytes.subarray(0, this.#length));
        bytes = this.#snapshot;
      }
      bytes.set(part, this.#length);
      this.#length = length;
    }
    return bytes;
  }

  override write(f: FileDescription, src: IoSrc, _offset: number): number {
    const store = (f.inode as KernText).store;
    if (store === null) return -EIO;
    const n = Math.min(src.remaining, PAGE_SIZE);
    const bytes = new Uint8Array(n);
    const taken = src.take(bytes, 0, n);
    if (taken < 0) return taken;
    const err = store(latin1(bytes, 0, taken), f);
    return err < 0 ? err : taken;
  }

  override seek(f: FileDescription, offset: number, whence: number): number {
    const base = whence === 0 ? 0 : whence === 1 ? f.offset : -1;
    return base < 0 || base + offset < 0 ? -EINVAL : base + offset;
  }

  override truncate(): number {
    return 0;
  }

  override ioctl(f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    return (f.inode as KernText).ioctl(caller, cmd, arg);
  }
}

/** A decimal integer as Linux's kstrtol takes it: optional sign, surrounding white space; NaN if bad. */
export function parseInteger(value: string): number {
  const text = value.trim();
  if (!/^[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text)) return NaN;
  return text[0] === "-" ? -Number(text.slice(1)) : Number(text[0] === "+" ? text.slice(1) : text);
}
