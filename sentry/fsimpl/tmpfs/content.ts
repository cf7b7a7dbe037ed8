/**
 * What a regular file of tmpfs holds. Small content is a Uint8Array; from SMALL_MAX on, or when it is
 * mapped, it becomes a host memfd (host_content.ts). Both forms know which pages have data, so that
 * holes cost nothing and statfs(2), st_blocks and SEEK_HOLE are right.
 */
import { ENOSPC, ENXIO } from "../../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { HostMapping } from "../../vfs/file.ts";
import { HostContent } from "./host_content.ts";
import { popCount } from "./page_set.ts";

/** Bytes from which content moves to a memfd. */
const SMALL_MAX = 65536;
const SMALLEST = 128;

/** Where pages are charged: the file system with its size= limit. */
export interface PageBudget {
  /** Charges up to `pages`; returns how many were granted. */
  reservePages(pages: number): number;
  returnPages(pages: number): void;
}

const EMPTY = new Uint8Array(0);

/**
 * Zeros for a new content. Small ones share buffers, since each costs V8 as much as the rest of a file; one that
 * outlives the others keeps BUFFER_SIZE bytes.
 */
function zeroedBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length > PAGE_SIZE) return new Uint8Array(length);
  if (bufferUsed + length > BUFFER_SIZE) {
    buffer = new ArrayBuffer(BUFFER_SIZE);
    bufferUsed = 0;
  }
  bufferUsed += length;
  return new Uint8Array(buffer, bufferUsed - length, length);
}
const BUFFER_SIZE = 16384;
let buffer = new ArrayBuffer(0);
let bufferUsed = BUFFER_SIZE;

export class Content {
  /** Valid without `#host`. Bytes from the file's end on are zero. */
  #bytes = EMPTY;
  /** Pages of `#bytes` that have data, one bit each. */
  #pages = 0;
  #host: HostContent | null = null;

  constructor(readonly budget: PageBudget) {}

  /** 512-byte blocks in use. */
  get blocks(): number {
    return (this.#host === null ? popCount(this.#pages) : this.#host.pageCount()) * 8;
  }

  /** Pages of [first, last] that have data; `last` may be Infinity. */
  countPages(first: number, last: number): number {
    if (this.#host !== null) return this.#host.countPages(first, last);
    let n = 0;
    for (let page = first; page <= last && page < 32; page++) n += this.#pages >>> page & 1;
    return n;
  }

  /** Copies [offset, offset + n), which lies within the file. Returns the count or -EFAULT. */
  read(dst: IoDst, offset: number, n: number): number {
    if (this.#host !== null) return this.#host.read(dst, offset, n);
    const bytes = this.#bytes;
    const end = offset + n;
    if (end <= bytes.length) return dst.put(bytes, offset, end);
    let done = 0;
    if (offset < bytes.length) {
      done = dst.put(bytes, offset, bytes.length);
      if (done < bytes.length - offset) return done;
    }
    const rest = dst.zero(n - done);
    return rest < 0 ? (done > 0 ? done : rest) : done + rest;
  }

  /** Stores n bytes at `offset`. Returns the count (short when pages run out), -ENOSPC or -EFAULT. */
  write(src: IoSrc, offset: number, n: number): number {
    const end = offset + n;
    if (this.#host === null && end <= SMALL_MAX) {
      const bits = pageBits(offset, end);
      const before = this.#pages;
      if ((bits & ~before) !== 0) {
        const room = this.#charge(bits, offset, end);
        if (room < 0) return room;
        n = room;
      }
      if (end > this.#bytes.length) this.#grow(end);
      const done = src.take(this.#bytes, offset, offset + n);
      if (done < n) this.#returnUnwritten(before, offset + Math.max(done, 0));
      return done;
    }
    const host = this.#toHost();
    if (typeof host === "number") return host;
    return host.write(src, offset, n);
  }

  /** After a fault: pages from `end` on that were not there `before` have no data. */
  #returnUnwritten(before: number, end: number): void {
    const written = (1 << Math.ceil(end / PAGE_SIZE)) - 1;
    const gone = this.#pages & ~before & ~written;
    this.#pages &= ~gone;
    this.budget.returnPages(popCount(gone));
  }

  /** Charges missing pages of [offset, end); returns the bytes that may be written from `offset`. */
  #charge(bits: number, offset: number, end: number): number {
    const missing = popCount(bits & ~this.#pages);
    const granted = this.budget.reservePages(missing);
    if (granted === missing) {
      this.#pages |= bits;
      return end - offset;
    }
    let left = granted;
    let at = offset;
    while (at < end) {
      const bit = 1 << Math.floor(at / PAGE_SIZE);
      if ((this.#pages & bit) === 0) {
        if (left === 0) break;
        left--;
        this.#pages |= bit;
      }
      at = Math.min(end, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE);
    }
    return at > offset ? at - offset : -ENOSPC;
  }

  #grow(needed: number): void {
    let capacity = Math.max(SMALLEST, this.#bytes.length);
    while (capacity < needed) capacity *= 2;
    const bigger = zeroedBytes(capacity);
    bigger.set(this.#bytes);
    this.#bytes = bigger;
  }

  /** The file's size becomes `size`; it was `oldSize`. Returns 0 or -errno. */
  resize(oldSize: number, size: number): number {
    if (this.#host !== null) {
      const err = this.#host.resize(oldSize, size);
      if (err === 0 && size === 0 && !this.#host.wasMapped) this.#dropHost();
      return err;
    }
    if (size > oldSize) return 0;
    if (size < this.#bytes.length) {
      if (size === 0) this.#bytes = EMPTY;
      else this.#bytes.fill(0, size, Math.min(oldSize, this.#bytes.length));
    }
    this.#removePages(Math.ceil(size / PAGE_SIZE), 32);
    return 0;
  }

  /** Small content: pages [first, end) have no data any more. */
  #removePages(first: number, end: number): void {
    let gone = 0;
    for (let page = first; page < end && page < 32; page++) gone |= 1 << page;
    gone &= this.#pages;
    if (gone === 0) return;
    this.#pages &= ~gone;
    this.budget.returnPages(popCount(gone));
  }

  /** fallocate(2): [offset, end) gets pages. Returns 0 or -ENOSPC. */
  allocate(offset: number, end: number): number {
    if (this.#host === null && end <= SMALL_MAX) {
      const bits = pageBits(offset, end);
      const missing = popCount(bits & ~this.#pages);
      const granted = this.budget.reservePages(missing);
      if (granted < missing) {
        this.budget.returnPages(granted);
        return -ENOSPC;
      }
      this.#pages |= bits;
      return 0;
    }
    const host = this.#toHost();
    return typeof host === "number" ? host : host.allocate(offset, end);
  }

  /** [offset, end) reads as zeros; whole pages are given back. */
  punch(offset: number, end: number): number {
    if (this.#host !== null) return this.#host.punch(offset, end);
    this.#bytes.fill(0, Math.min(offset, this.#bytes.length), Math.min(end, this.#bytes.length));
    this.#removePages(Math.ceil(offset / PAGE_SIZE), Math.floor(end / PAGE_SIZE));
    return 0;
  }

  /** lseek(2) SEEK_DATA and SEEK_HOLE for `offset` < `size`; -ENXIO when no data follows. */
  seekData(offset: number, size: number): number {
    if (this.#host !== null) return this.#host.seekData(offset, size);
    for (let page = Math.floor(offset / PAGE_SIZE); page < 32; page++) {
      if ((this.#pages >>> page & 1) === 0) continue;
      const at = Math.max(offset, page * PAGE_SIZE);
      return at < size ? at : -ENXIO;
    }
    return -ENXIO;
  }
  seekHole(offset: number, size: number): number {
    if (this.#host !== null) return this.#host.seekHole(offset, size);
    let page = Math.floor(offset / PAGE_SIZE);
    while (page < 32 && (this.#pages >>> page & 1) === 1) page++;
    return Math.min(size, Math.max(offset, page * PAGE_SIZE));
  }

  /** A host fd for mmap(2) whose size is exactly the file's. The fd stays ours. */
  hostMapping(offset: number, size: number, shared: boolean): HostMapping | number {
    const host = this.#toHost();
    if (typeof host === "number") return host;
    const fd = host.prepareMapping(size, shared);
    return fd < 0 ? fd : { fd, offset };
  }

  /** Nobody may store any more: see HostContent. Returns 0 or -errno. */
  seal(): number {
    return this.#host === null ? 0 : this.#host.seal();
  }

  /** When a guest stored through a mapping, if that is news: see HostContent. */
  takeModification(): { readonly sec: number; readonly nsec: number } | null {
    return this.#host === null ? null : this.#host.takeModification();
  }

  #toHost(): HostContent | number {
    if (this.#host !== null) return this.#host;
    const host = HostContent.create(this.#bytes, this.#pages, this.budget);
    if (typeof host === "number") return host;
    this.#host = host;
    this.#bytes = EMPTY;
    this.#pages = 0;
    return host;
  }

  #dropHost(): void {
    this.#host!.release();
    this.#host = null;
  }

  /** The file is gone. */
  release(): void {
    if (this.#host !== null) this.#dropHost();
    else this.#removePages(0, 32);
    this.#bytes = EMPTY;
  }
}

/** One bit for each page that [offset, end) touches, within SMALL_MAX. */
function pageBits(offset: number, end: number): number {
  const first = offset >>> 12;
  const last = (end - 1) >>> 12;
  return (2 << last) - (1 << first);
}
