/** One mapping (Linux: vm_area_struct), and the sorted list of a process's mappings. */
import {
  MAP_LOCKED,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { TextImage } from "./text_image.ts";

/** What later calls have said of a mapping, in `Vma.marks` (Linux: VM_* flags that no MAP_* has). */
export const MARK_LOCKED_ON_FAULT = 1;
export const MARK_SEALED = 2;
export const MARK_DONTFORK = 4;
export const MARK_WIPEONFORK = 8;
export const MARK_DONTDUMP = 16;
export const MARK_DROPPABLE = 32;
export const MARK_RANDOM = 64;
export const MARK_SEQUENTIAL = 128;
export const MARK_HUGEPAGE = 256;
export const MARK_NOHUGEPAGE = 512;

/** A NUMA policy as mbind(2) and set_mempolicy(2) give it; null stands for the default. */
export interface MemoryPolicy {
  readonly mode: number;
  readonly flags: number;
  readonly nodes: number;
}

export class Vma {
  /** MARK_* bits. */
  marks = 0;
  policy: MemoryPolicy | null = null;
  /** A private mapping of a file that could never be written: its pages are the file's. */
  isFileOnly = false;

  constructor(
    public start: number,
    public end: number,
    public prot: number,
    /** MAP_* of mmap(2), without MAP_FIXED; MAP_LOCKED also after mlock(2). */
    public flags: number,
    /** Holds a reference. */
    public file: FileDescription | null,
    public offset: number,
    /** "[heap]", "[stack]", …; "" for the file's path or nothing. */
    public name: string,
    /** What mprotect may still give. */
    public maxProt: number = PROT_READ | PROT_WRITE | PROT_EXEC,
    /** Identity of shared anonymous memory, for shared futexes; 0 otherwise. */
    public shareId = 0,
    /** The patched copy that is mapped instead of the file; `start - imageOffset` is the text's start. */
    public image: TextImage | null = null,
    public imageOffset = 0,
  ) {}

  get shared(): boolean {
    return (this.flags & MAP_SHARED) !== 0;
  }

  get locked(): boolean {
    return (this.flags & MAP_LOCKED) !== 0;
  }

  get sealed(): boolean {
    return (this.marks & MARK_SEALED) !== 0;
  }

  /** Whether pages of it lie behind the end of its file, where they fault. */
  get passesFileEnd(): boolean {
    return this.offset + (this.end - this.start) >= this.file!.inode.size + PAGE_SIZE;
  }

  /** The part [start, end) of this mapping; takes its own reference to the file. */
  slice(start: number, end: number): Vma {
    const part = new Vma(
      start,
      end,
      this.prot,
      this.flags,
      this.file?.acquire() ?? null,
      this.offset + (start - this.start),
      this.name,
      this.maxProt,
      this.shareId,
      this.image,
      this.imageOffset + (start - this.start),
    );
    part.marks = this.marks;
    part.policy = this.policy;
    part.isFileOnly = this.isFileOnly;
    return part;
  }

  /** Whether `next`, which begins at this one's end, is its continuation. */
  continuedBy(next: Vma): boolean {
    if (
      next.start !== this.end || next.prot !== this.prot || next.flags !== this.flags ||
      next.name !== this.name || next.maxProt !== this.maxProt || next.shareId !== this.shareId ||
      next.image !== this.image || next.marks !== this.marks || next.policy !== this.policy ||
      next.isFileOnly !== this.isFileOnly
    ) return false;
    if (this.file === null && this.shareId === 0) return next.file === null;
    return this.file === next.file && next.offset === this.offset + (this.end - this.start);
  }
}

/** Sizes of holes are told apart by powers of two: 1 page, 2, 4 … and 2^31 pages or more. */
const SIZE_CLASSES = 32;

/** The class of `size`, a number of bytes in whole pages: that of the greatest power of two in it. */
function sizeClass(size: number): number {
  return 31 - Math.clz32(Math.min(size / PAGE_SIZE, 2 ** 31));
}

/** Linux's sysctl vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;

export class VmaList {
  readonly all: Vma[] = [];
  #last = 0;
  /** The range that `findTopDown` searched last. */
  #low = 0;
  #high = 0;
  /**
   * For every size class, no hole of its size or more ends above this and below #high: the search need not
   * pass all mappings each time.
   */
  readonly #holesBelow: number[] = new Array(SIZE_CLASSES).fill(0);

  /** The index of the first mapping that ends above `addr`; the length when there is none. */
  indexAbove(addr: number): number {
    const all = this.all;
    let i = this.#last;
    if (i < all.length && addr < all[i].end && (i === 0 || addr >= all[i - 1].end)) return i;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (all[middle].end > addr) high = middle;
      else low = middle + 1;
    }
    i = low;
    this.#last = i;
    return i;
  }

  /** The mapping that holds `addr`, or null. */
  at(addr: number): Vma | null {
    const vma = this.all[this.indexAbove(addr)];
    return vma !== undefined && vma.start <= addr ? vma : null;
  }

  overlaps(start: number, end: number): boolean {
    const vma = this.all[this.indexAbove(start)];
    return vma !== undefined && vma.start < end;
  }

  /** Inserts where nothing is; joins neighbours that it continues. Takes over `vma`'s reference. */
  insert(vma: Vma): void {
    const all = this.all;
    const i = this.indexAbove(vma.start);
    const before = all[i - 1];
    if (before !== undefined && before.continuedBy(vma)) {
      before.end = vma.end;
      vma.file?.release();
      this.#joinNext(i - 1);
      return;
    }
    all.splice(i, 0, vma);
    this.#joinNext(i);
  }

  #joinNext(i: number): void {
    const vma = this.all[i];
    const next = this.all[i + 1];
    if (next === undefined || !vma.continuedBy(next)) return;
    vma.end = next.end;
    next.file?.release();
    this.all.splice(i + 1, 1);
  }

  /** Cuts mappings at `addr`, so that none crosses it. */
  splitAt(addr: number): void {
    const i = this.indexAbove(addr);
    const vma = this.all[i];
    if (vma === undefined || vma.start >= addr) return;
    const upper = vma.slice(addr, vma.end);
    vma.end = addr;
    this.all.splice(i + 1, 0, upper);
  }

  /** Takes everything out of [start, end). Returns what was there; the caller releases the files. */
  remove(start: number, end: number): Vma[] {
    const removed = this.#take(start, end);
    if (removed.length > 0) this.#noteHole(this.indexAbove(start));
    return removed;
  }

  #take(start: number, end: number): Vma[] {
    this.splitAt(start);
    this.splitAt(end);
    const from = this.indexAbove(start);
    let to = from;
    while (to < this.all.length && this.all[to].start < end) to++;
    return from === to ? [] : this.all.splice(from, to - from);
  }

  /** The hole before the mapping at index `i` has become larger. */
  #noteHole(i: number): void {
    const { all } = this;
    const top = i < all.length ? Math.min(all[i].start, this.#high) : this.#high;
    const size = top - (i > 0 ? all[i - 1].end : this.#low);
    if (size <= 0) return;
    const tops = this.#holesBelow;
    for (let k = sizeClass(size); k >= 0; k--) if (tops[k] < top) tops[k] = top;
  }

  /** Applies `change` to what lies in [start, end), cut at its ends, and joins what is alike then. */
  change(start: number, end: number, change: (vma: Vma) => void): void {
    for (const vma of this.#take(start, end)) {
      change(vma);
      this.insert(vma);
    }
  }

  /** Whether a mapping in [start, end) satisfies `test`. */
  some(start: number, end: number, test: (vma: Vma) => boolean): boolean {
    for (let i = this.indexAbove(start); i < this.all.length; i++) {
      if (this.all[i].start >= end) break;
      if (test(this.all[i])) return true;
    }
    return false;
  }

  /** The highest address in [low, high) from which on `length` bytes, whole pages, are free; or -1. */
  findTopDown(low: number, high: number, length: number): number {
    if (low !== this.#low || high !== this.#high) {
      this.#low = low;
      this.#high = high;
      this.#holesBelow.fill(high);
    }
    const all = this.all;
    const k = sizeClass(length);
    const classSize = 2 ** k * PAGE_SIZE;
    let top = this.#holesBelow[k];
    /** Where the first hole of the class ends, or the search. */
    let classTop = -1;
    for (let i = this.indexAbove(top - 1); i >= 0 && top - low >= length; i--) {
      const vma = all[i];
      if (vma === undefined || vma.start >= top) continue;
      const size = top - Math.max(vma.end, low);
      if (size >= classSize && classTop < 0) classTop = top;
      if (size >= length) break;
      top = Math.min(top, vma.start);
    }
    this.#holesBelow[k] = classTop < 0 ? top : classTop;
    return top - low >= length ? top - length : -1;
  }

  /** The lowest hole at or above `low`; or -1. */
  findBottomUp(low: number, high: number, length: number): number {
    let at = low;
    for (let i = this.indexAbove(low); i < this.all.length; i++) {
      if (this.all[i].start - at >= length) break;
      at = Math.max(at, this.all[i].end);
    }
    return at + length <= high ? at : -1;
  }
}
