/** One mapping (Linux: vm_area_struct), and the sorted list of a process's mappings. */
import {
  MAP_LOCKED,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { TextImage } from "./text_image.ts";

/** What later calls have said of a mapping, in `Vma.marks` (Linux: VM_* flags that no MAP_* has). */
export const MARK_LOCKED_ON_FAULT = 1;
export const MARK_SEALED = 2;
export const MARK_DONTFORK = 4;
export const MARK_WIPEONFORK = 8;
export const MARK_DONTDUMP = 16;

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
    return part;
  }

  /** Whether `next`, which begins at this one's end, is its continuation. */
  continuedBy(next: Vma): boolean {
    if (
      next.start !== this.end || next.prot !== this.prot || next.flags !== this.flags ||
      next.name !== this.name || next.maxProt !== this.maxProt || next.shareId !== this.shareId ||
      next.image !== this.image || next.marks !== this.marks || next.policy !== this.policy
    ) return false;
    if (this.file === null && next.file === null) return this.shareId === 0;
    return this.file === next.file && next.offset === this.offset + (this.end - this.start);
  }
}

/** Linux's sysctl vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;

export class VmaList {
  readonly all: Vma[] = [];
  #last = 0;

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
    this.splitAt(start);
    this.splitAt(end);
    const from = this.indexAbove(start);
    let to = from;
    while (to < this.all.length && this.all[to].start < end) to++;
    return from === to ? [] : this.all.splice(from, to - from);
  }

  /** Applies `change` to what lies in [start, end), cut at its ends, and joins what is alike then. */
  change(start: number, end: number, change: (vma: Vma) => void): void {
    for (const vma of this.remove(start, end)) {
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

  /**
   * The lowest address of a hole of `length` bytes in [low, high), taken from the top; or -1.
   */
  findTopDown(low: number, high: number, length: number): number {
    const all = this.all;
    let top = high;
    for (let i = this.indexAbove(high - 1); i >= 0; i--) {
      const vma = all[i];
      if (vma !== undefined) {
        if (vma.start >= top) continue;
        if (vma.end < top && top - Math.max(vma.end, low) >= length) break;
        top = Math.min(top, vma.start);
        if (top - low < length) return -1;
      }
    }
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
