/**
 * File content in a host memfd: large files, and all that a guest maps. Transfers from 8 KiB on, and
 * writes to new pages, are one host call straight to or from guest memory (no page fault of ours);
 * smaller ones go through mappings of 4 MiB, made when touched, where there are enough of them.
 */
import { EIO, ENOMEM, ENOSPC, ENXIO, EOPNOTSUPP } from "../../../platform/abi/errno.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../../../platform/abi/fs.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../platform/abi/unistd.ts";
import {
  STATX_BUF_OFF_BLOCKS,
  STATX_BUF_OFF_MTIME_NSEC,
  STATX_BUF_OFF_MTIME_SEC,
} from "../../../platform/abi/stat.ts";
import { MADV_POPULATE_WRITE } from "../../../platform/abi/mman.ts";
import { SYS_fallocate, SYS_lseek, SYS_madvise } from "../../../platform/abi/amd64/syscalls.ts";
import {
  hostFstatx,
  hostLseek,
  hostPreadData,
  hostPwriteData,
  statxWords,
} from "../../../platform/host/files.ts";
import {
  ftruncate,
  hostSyscall,
  mappingAddr,
  mapShared,
  pwriteFd,
  unmap,
} from "../../../platform/host/host.ts";
import { MemoryFile } from "../../../platform/host/memory_file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { PageBudget } from "./content.ts";
import { PageSet } from "./page_set.ts";

const CHUNK_SIZE = 4 * 1024 * 1024;
/** From here on a host call is cheaper than copying through a mapping with its page faults. */
const DIRECT_MIN = 8192;
/** How far the memfd may run ahead of the file that grows by small writes. */
const AHEAD_MAX = 1024 * 1024;
/** Small writes that a window takes by host calls before it is written through a mapping. */
const WINDOW_SIZE = 65536;
const HOT = 32;

const NO_HEAT: Uint8Array = new Uint8Array(0);

export class HostContent {
  /** Once mapped by a guest, the memfd's size is the file's, so that it gets SIGBUS where it should. */
  wasMapped = false;
  /** A guest may write behind our back: pages are counted by the host. */
  #sharedWritable = false;
  #hostSize = 0;
  /** The memfd's time of modification when `takeModification` last looked. */
  readonly #modified = { sec: 0, nsec: 0 };
  readonly #pages = new PageSet();
  readonly #chunks = new Map<number, Uint8Array>();
  /** Writes to each window of a chunk so far, at most HOT + 1. */
  readonly #heat = new Map<number, Uint8Array>();
  #lastHeatIndex = -1;
  #lastHeat: Uint8Array = NO_HEAT;
  #lastChunk = -1;
  #lastBytes: Uint8Array | null = null;

  #file: MemoryFile;

  private constructor(file: MemoryFile, readonly budget: PageBudget) {
    this.#file = file;
  }

  private get fd(): number {
    return this.#file.fd;
  }

  /** Takes over small content: `bytes`, and the pages charged for it (a bit each). */
  static create(bytes: Uint8Array, pages: number, budget: PageBudget): HostContent | number {
    const file = MemoryFile.create();
    if (typeof file === "number") return -ENOMEM;
    const { fd } = file;
    const host = new HostContent(file, budget);
    const isPresent = (at: number) => (pages >>> (at / PAGE_SIZE) & 1) === 1;
    for (let at = 0, end = 0; at < bytes.length; at = end) { // Run by run: holes stay holes.
      const present = isPresent(at);
      while (end < bytes.length && isPresent(end) === present) end += PAGE_SIZE;
      end = Math.min(end, bytes.length);
      if (!present) continue;
      if (pwriteFd(fd, bytes, at, end, at) !== end - at) {
        file.close();
        return -ENOMEM;
      }
      host.#hostSize = end;
    }
    for (let page = 0; page < 32; page++) {
      if ((pages >>> page & 1) === 1) host.#pages.add(page, page);
    }
    return host;
  }

  pageCount(): number {
    if (!this.#sharedWritable) return this.#pages.count;
    if (hostFstatx(this.fd) < 0) return this.#pages.count;
    return Math.ceil(statxWords[STATX_BUF_OFF_BLOCKS / 4] / 8);
  }

  /** Pages of [first, last] that have data; `last` may be Infinity. */
  countPages(first: number, last: number): number {
    return this.#sharedWritable
      ? this.#countInHost(first, last)
      : this.#pages.countPresent(first, last);
  }

  /** Guests store through mappings: only the host knows. */
  #countInHost(first: number, last: number): number {
    let n = 0;
    for (let page = first; page <= last;) {
      const data = hostSyscall(SYS_lseek, this.fd, page * PAGE_SIZE, SEEK_DATA);
      if (data < 0) break;
      const from = Math.floor(data / PAGE_SIZE);
      page = Math.ceil(hostSyscall(SYS_lseek, this.fd, data, SEEK_HOLE) / PAGE_SIZE);
      n += Math.max(0, Math.min(page, last + 1) - from);
    }
    return n;
  }

  /**
   * The memfd's time of modification if it is another than at the last call. Guests' stores through
   * writable shared mappings set it, at the first one to each page; null where there is no such mapping.
   */
  takeModification(): { readonly sec: number; readonly nsec: number } | null {
    if (!this.#sharedWritable || hostFstatx(this.fd) < 0) return null;
    const modified = this.#modified;
    const low = statxWords[STATX_BUF_OFF_MTIME_SEC / 4];
    const sec = low + statxWords[STATX_BUF_OFF_MTIME_SEC / 4 + 1] * 2 ** 32;
    const nsec = statxWords[STATX_BUF_OFF_MTIME_NSEC / 4];
    if (sec === modified.sec && nsec === modified.nsec) return null;
    modified.sec = sec;
    modified.nsec = nsec;
    return modified;
  }

  read(dst: IoDst, offset: number, n: number): number {
    let done = 0;
    while (done < n) {
      const moved = this.#readPiece(dst, offset + done, n - done);
      if (moved < 0) return done > 0 ? done : moved;
      if (moved === 0) break;
      done += moved;
    }
    return done;
  }

  /** Moves some of the bytes at `at`: those the memfd has in one go, or zeros beyond its end. */
  #readPiece(dst: IoDst, at: number, want: number): number {
    const within = Math.min(want, this.#hostSize - at);
    if (within <= 0) return dst.zero(want);
    if (within >= DIRECT_MIN) {
      const got = dst.readHost(this.fd, within, at, 0);
      if (got !== -EOPNOTSUPP) return got;
    }
    const bytes = this.#chunk(at);
    if (bytes === null) return -ENOMEM;
    const start = at % CHUNK_SIZE;
    return dst.put(bytes, start, Math.min(start + within, CHUNK_SIZE));
  }

  write(src: IoSrc, offset: number, n: number): number {
    const before = this.#pages.count;
    const room = this.#charge(offset, n);
    if (room < 0) return room;
    const isNew = this.#pages.count !== before;
    const done = this.#store(src, offset, room, isNew);
    if (isNew && done < room) this.#returnUnwritten(offset + Math.max(done, 0), offset + room);
    return done;
  }

  /** After a fault: pages of [offset, end) without data were charged in vain. */
  #returnUnwritten(offset: number, end: number): void {
    let page = Math.ceil(offset / PAGE_SIZE);
    while (page * PAGE_SIZE < end) {
      const data = hostSyscall(SYS_lseek, this.fd, page * PAGE_SIZE, SEEK_DATA);
      const stop = data < 0 ? end : Math.min(data, end);
      const gone = this.#pages.remove(page, Math.ceil(stop / PAGE_SIZE) - 1);
      if (gone > 0) this.budget.returnPages(gone);
      if (data < 0) return;
      // The end of the file, which need not be that of a page, is a hole, too.
      page = Math.ceil(hostSyscall(SYS_lseek, this.fd, data, SEEK_HOLE) / PAGE_SIZE);
    }
  }

  /** `isNew`: some of the pages have no data yet. */
  #store(src: IoSrc, offset: number, n: number, isNew: boolean): number {
    if (n >= DIRECT_MIN || isNew || this.#isCold(offset)) {
      const put = src.writeHost(this.fd, n, offset, 0);
      if (put !== -EOPNOTSUPP) {
        if (put > 0 && offset + put > this.#hostSize) this.#hostSize = offset + put;
        return put;
      }
    }
    const err = this.#reach(offset + n);
    if (err < 0) return err;
    let done = 0;
    while (done < n) {
      const at = offset + done;
      const start = at % CHUNK_SIZE;
      const want = Math.min(n - done, CHUNK_SIZE - start);
      const bytes = this.#chunk(at);
      const moved = bytes === null ? -ENOMEM : src.take(bytes, start, start + want);
      if (moved < 0) return done > 0 ? done : moved;
      done += moved;
      if (moved < want) break;
    }
    return done;
  }

  /**
   * Whether the pages around `at` were written too seldom for a mapping to pay: a page fault takes as
   * long as ten host calls. Those that became hot are mapped at once, if all of them are there.
   */
  #isCold(at: number): boolean {
    const index = Math.floor(at / CHUNK_SIZE);
    const heat = index === this.#lastHeatIndex ? this.#lastHeat : this.#heatOf(index);
    const window = Math.floor(at % CHUNK_SIZE / WINDOW_SIZE);
    if (heat[window] > HOT) return false;
    if (heat[window]++ < HOT) return true;
    const start = index * CHUNK_SIZE + window * WINDOW_SIZE;
    const first = start / PAGE_SIZE;
    const bytes = this.#chunk(at);
    if (
      bytes !== null && this.#pages.countMissing(first, first + WINDOW_SIZE / PAGE_SIZE - 1) === 0
    ) {
      const addr = mappingAddr(bytes) + window * WINDOW_SIZE;
      hostSyscall(SYS_madvise, addr, WINDOW_SIZE, MADV_POPULATE_WRITE);
    }
    return false;
  }

  #heatOf(index: number): Uint8Array {
    let heat = this.#heat.get(index);
    if (heat === undefined) this.#heat.set(index, heat = new Uint8Array(CHUNK_SIZE / WINDOW_SIZE));
    this.#lastHeatIndex = index;
    return this.#lastHeat = heat;
  }

  /** Charges missing pages of [offset, offset + n); returns the bytes that may be written. */
  #charge(offset: number, n: number): number {
    const first = Math.floor(offset / PAGE_SIZE);
    const last = Math.floor((offset + n - 1) / PAGE_SIZE);
    const missing = this.#pages.countMissing(first, last);
    if (missing === 0) return n;
    let granted = this.budget.reservePages(missing);
    if (granted === missing) {
      this.#pages.add(first, last);
      return n;
    }
    let page = first;
    for (; page <= last; page++) {
      if (this.#pages.has(page)) continue;
      if (granted-- === 0) break;
      this.#pages.add(page, page);
    }
    return page === first ? -ENOSPC : Math.min(n, page * PAGE_SIZE - offset);
  }

  /** The memfd is at least `end` long. */
  #reach(end: number): number {
    if (end <= this.#hostSize) return 0;
    const ahead = this.wasMapped ? 0 : Math.min(AHEAD_MAX, Math.max(PAGE_SIZE, end >> 1));
    const size = end + ahead;
    const err = ftruncate(this.fd, size);
    if (err < 0) return err;
    this.#hostSize = size;
    return 0;
  }

  #chunk(at: number): Uint8Array | null {
    const index = Math.floor(at / CHUNK_SIZE);
    if (index === this.#lastChunk) return this.#lastBytes;
    let bytes = this.#chunks.get(index);
    if (bytes === undefined) {
      const mapped = mapShared(this.fd, index * CHUNK_SIZE, CHUNK_SIZE);
      if (typeof mapped === "number") return null;
      this.#chunks.set(index, bytes = mapped);
    }
    this.#lastChunk = index;
    this.#lastBytes = bytes;
    return bytes;
  }

  /** A file that grows keeps the pages that fallocate(2) gave it behind its end. */
  resize(oldSize: number, size: number): number {
    const first = Math.ceil(size / PAGE_SIZE);
    const losesPages = size <= oldSize && this.#pages.next(first) < Infinity;
    if (size < this.#hostSize || this.wasMapped || losesPages) {
      const err = ftruncate(this.fd, size);
      if (err < 0) return err;
      this.#hostSize = size;
    }
    if (losesPages) this.budget.returnPages(this.#pages.remove(first, Infinity));
    return 0;
  }

  allocate(offset: number, end: number): number {
    const first = Math.floor(offset / PAGE_SIZE);
    const last = Math.floor((end - 1) / PAGE_SIZE);
    const missing = this.#pages.countMissing(first, last);
    const granted = this.budget.reservePages(missing);
    if (granted < missing) {
      this.budget.returnPages(granted);
      return -ENOSPC;
    }
    const err = hostSyscall(SYS_fallocate, this.fd, FALLOC_FL_KEEP_SIZE, offset, end - offset);
    if (err < 0) {
      this.budget.returnPages(granted);
      return err;
    }
    this.#pages.add(first, last);
    return 0;
  }

  punch(offset: number, end: number): number {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const err = hostSyscall(SYS_fallocate, this.fd, mode, offset, end - offset);
    if (err < 0) return err;
    const first = Math.ceil(offset / PAGE_SIZE);
    const last = Math.floor(end / PAGE_SIZE) - 1;
    if (first <= last) this.budget.returnPages(this.#pages.remove(first, last));
    return 0;
  }

  seekData(offset: number, size: number): number {
    if (this.#sharedWritable) return hostSyscall(SYS_lseek, this.fd, offset, SEEK_DATA);
    const page = this.#pages.next(Math.floor(offset / PAGE_SIZE));
    const at = Math.max(offset, page * PAGE_SIZE);
    return at < size ? at : -ENXIO;
  }

  seekHole(offset: number, size: number): number {
    if (this.#sharedWritable) return hostSyscall(SYS_lseek, this.fd, offset, SEEK_HOLE);
    const page = this.#pages.nextMissing(Math.floor(offset / PAGE_SIZE));
    return Math.min(size, Math.max(offset, page * PAGE_SIZE));
  }

  /** The memfd is about to be mapped by a guest: the descriptor for it, or -errno. `shared`: it may write. */
  prepareMapping(size: number, shared: boolean): number {
    if (!this.wasMapped || this.#hostSize !== size) {
      const err = ftruncate(this.fd, size);
      if (err < 0) return err;
      this.wasMapped = true;
      this.#hostSize = size;
    }
    if (shared && !this.#sharedWritable) {
      this.#sharedWritable = true;
      this.takeModification(); // Up to here it was us.
    }
    return shared ? this.fd : this.#file.readOnlyFd();
  }

  /**
   * Nobody may store any more. Who could before may have kept a mapping that it said was gone: it is left alone with
   * that memory, and the content is a copy. Returns 0 or -errno.
   */
  seal(): number {
    if (!this.#sharedWritable) return 0;
    const file = MemoryFile.create();
    if (typeof file === "number") return -ENOMEM;
    const err = copyData(this.fd, file.fd, this.#hostSize);
    if (err < 0) {
      file.close();
      return err;
    }
    this.#unmapChunks();
    this.#file.close();
    this.#file = file;
    this.takeModification(); // It was us.
    return 0;
  }

  #unmapChunks(): void {
    this.#lastChunk = -1;
    this.#lastBytes = null;
    for (const bytes of this.#chunks.values()) unmap(bytes);
    this.#chunks.clear();
  }

  release(): void {
    this.budget.returnPages(this.#pages.count);
    this.#unmapChunks();
    this.#file.close();
  }
}

/** Fills an empty file of which nobody else knows; holes stay holes. Returns 0 or -errno. */
function copyData(from: number, to: number, size: number): number {
  const err = ftruncate(to, size);
  if (err < 0) return err;
  for (let at = 0; at < size;) {
    const data = hostLseek(from, at, SEEK_DATA);
    if (data === -ENXIO) return 0; // A hole up to the end.
    if (data < 0) return data;
    const end = Math.min(size, hostLseek(from, data, SEEK_HOLE));
    for (at = data; at < end;) {
      const n = hostPreadData(from, end - at, at, 0);
      if (n <= 0) return n < 0 ? n : -EIO;
      const put = hostPwriteData(to, n, at, 0);
      if (put < 0) return put;
      at += put;
    }
  }
  return 0;
}
