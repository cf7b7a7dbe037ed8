/**
 * A process's address space as the Sentry keeps it (Linux: mm_struct): the list of mappings. The
 * memory itself, copy-on-write and page faults are the host's. Every change is decided here first
 * and performed by the calling thread's stub, in order, before the guest runs on.
 */
import {
  EACCES,
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  ENOMEM,
  EPERM,
} from "../../platform/abi/errno.ts";
import { latin1 } from "../../platform/abi/latin1.ts";
import {
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_STACK,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import { MS_NOEXEC } from "../../platform/abi/mount.ts";
import { SYS_mprotect, SYS_mremap, SYS_munmap } from "../../platform/abi/amd64/syscalls.ts";
import { RLIMIT_DATA } from "../../platform/abi/resource.ts";
import { PR_MDWE_NO_INHERIT } from "../../platform/abi/prctl.ts";
import type { AddressSpace, Context } from "../../platform/platform.ts";
import { F_SEAL_FUTURE_WRITE, F_SEAL_WRITE } from "../../platform/abi/fcntl.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Guards } from "./guards.ts";
import { isData, mayCommit, mayExpand, mayHaveMoreData, type MemoryLimits } from "./limits.ts";
import { lockedBytes, populate, unlockRange } from "./locking.ts";
import { seenString } from "./seen_strings.ts";
import { type ImageCache, type TextImage, TRAMPOLINE_SPACE } from "./text_image.ts";
import { MARK_DONTFORK, MARK_LOCKED_ON_FAULT, MARK_NOHUGEPAGE, MARK_SEALED } from "./vma.ts";
import { MAX_MAP_COUNT, Vma, VmaList } from "./vma.ts";

export const PAGE_SIZE = 4096;
/** Linux's vm.mmap_min_addr. */
export const MMAP_MIN_ADDR = 65536;
/** A copy this long goes by process_vm_writev at once instead of through the arena. */
const DIRECT_COPY = 32768;
/** Linux's stack_guard_gap: what stays free below a mapping that grows down. */
const STACK_GUARD_GAP = 256 * PAGE_SIZE;
/** What a mapping keeps of mmap's flags (Linux: calc_vm_flag_bits). */
const KEPT_FLAGS = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_LOCKED |
  MAP_NORESERVE;
/** What the host's mapping takes of mmap's flags. */
const HOST_FLAGS = MAP_NORESERVE | MAP_STACK | MAP_POPULATE;
/** Name of the mappings of trampolines, as /proc/PID/maps shows them. */
export const TRAMPOLINES = "[dvisor]";
/** At most: what is not mapped of it faults. */
const VDSO_SIZE = 2 * PAGE_SIZE;

/** Changes of other threads that may not have been performed yet, see `settle`. */
interface Pending {
  ctx: Context;
  start: number;
  end: number;
}

export const pageUp = (n: number): number => Math.ceil(n / PAGE_SIZE) * PAGE_SIZE;
export const pageDown = (n: number): number => Math.floor(n / PAGE_SIZE) * PAGE_SIZE;

/** As Linux's PAGE_ALIGN of 64 bits: what rounds up to 2^64 is nothing. */
function wrappedPageUp(n: number): number {
  const size = pageUp(n);
  return size >= 2 ** 64 ? 0 : size;
}

let nextShareId = 1;
const found = new Int32Array(2);
const chunk = new Uint8Array(PAGE_SIZE);

/** What an address of a process's memory names, and what ends with it. */
export interface MemoryBound {
  end(): void;
}

export class MemoryManager {
  /** Tasks that share it. */
  refs = 1;
  readonly vmas = new VmaList();
  /** Where mmap looks for room, downwards. */
  mmapBase = 0;
  brkStart = 0;
  brk = 0;
  codeStart = 0;
  codeEnd = 0;
  dataStart = 0;
  dataEnd = 0;
  stackTop = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  auxv: Uint8Array = new Uint8Array(0);
  exeFile: FileDescription | null = null;
  /** The host's vDSO, which the program was told of; 0: none. It lies above the task's end. */
  vdsoAddr = 0;
  /** What mlockall(MCL_FUTURE) asked for: MAP_LOCKED, or 0. */
  futureFlags = 0;
  /** With `futureFlags`: MARK_LOCKED_ON_FAULT, or 0. */
  futureMarks = 0;
  /** PR_MDWE_*: what prctl(PR_SET_MDWE) asked for, or 0. */
  denyWriteExec = 0;
  /** modify_ldt(2) has written an entry, which can only be an empty one. */
  hasLdt = false;
  /** Null until there is a guard. */
  guards: Guards | null = null;
  /** Set by `accessibleRun`: some of what it found may fault all the same, at a guard or behind a file's end. */
  runMayFault = false;
  /** By address: contexts of io_setup(2). Null until there is one. */
  bound: Map<number, MemoryBound> | null = null;
  /** mseal(2) was used. */
  #hasSeals = false;
  #unsettled: Pending[] = [];
  #totalBytes = 0;
  /** False once the guest uses GS, which trampolines need. */
  #patching = true;
  /** Whether texts are patched that the program maps by mmap(2); set by execve. */
  patchesLibraries = true;

  constructor(
    readonly space: AddressSpace,
    readonly taskSize: number,
    readonly images: ImageCache,
  ) {}

  get vdsoEnd(): number {
    return this.vdsoAddr + VDSO_SIZE;
  }

  /** `denyWriteExec` of a fork's child, and of the next program. */
  get inheritedDenyWriteExec(): number {
    return (this.denyWriteExec & PR_MDWE_NO_INHERIT) !== 0 ? 0 : this.denyWriteExec;
  }

  /** Whether a mapping that had `before` may not have `after` under PR_SET_MDWE (map_deny_write_exec). */
  #isDenied(before: number, after: number): boolean {
    return this.denyWriteExec !== 0 && (after & PROT_EXEC) !== 0 &&
      ((after & PROT_WRITE) !== 0 || (before & PROT_EXEC) === 0);
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Tasks that share it (Linux: mm_users). */
  get users(): number {
    return this.refs;
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  /** The last user is gone: files are let go; the host memory goes with its last context. */
  release(): void {
    if (--this.refs !== 0) return;
    for (const vma of this.vmas.all) vma.file?.release();
    this.vmas.all.length = 0;
    this.exeFile?.release();
    this.exeFile = null;
    for (const each of this.bound?.values() ?? []) each.end();
    this.bound = null;
  }

  /** The list of a fork's child, whose host memory `child` is a copy already. */
  fork(child: AddressSpace): MemoryManager {
    const mm = new MemoryManager(child, this.taskSize, this.images);
    let missing = 0;
    for (const vma of this.vmas.all) {
      if ((vma.marks & MARK_DONTFORK) !== 0) {
        missing += vma.end - vma.start;
        continue;
      }
      const copy = vma.slice(vma.start, vma.end);
      copy.flags &= ~MAP_LOCKED;
      copy.marks &= ~MARK_LOCKED_ON_FAULT;
      mm.vmas.all.push(copy);
    }
    mm.hasLdt = this.hasLdt;
    mm.guards = this.guards?.copy() ?? null;
    mm.denyWriteExec = this.inheritedDenyWriteExec;
    mm.mmapBase = this.mmapBase;
    mm.brkStart = this.brkStart;
    mm.brk = this.brk;
    mm.codeStart = this.codeStart;
    mm.codeEnd = this.codeEnd;
    mm.dataStart = this.dataStart;
    mm.dataEnd = this.dataEnd;
    mm.stackTop = this.stackTop;
    mm.argStart = this.argStart;
    mm.argEnd = this.argEnd;
    mm.envStart = this.envStart;
    mm.envEnd = this.envEnd;
    mm.auxv = this.auxv;
    mm.vdsoAddr = this.vdsoAddr;
    mm.exeFile = this.exeFile?.acquire() ?? null;
    mm.#totalBytes = this.#totalBytes - missing;
    mm.#hasSeals = this.#hasSeals;
    mm.#patching = this.#patching;
    mm.patchesLibraries = this.patchesLibraries;
    return mm;
  }

  // --- Guest memory ---------------------------------------------------------------------------------

  /** Whether the guest may name the range as a source: below the task's end, or in the vDSO above it. */
  mayRead(addr: number, length: number): boolean {
    return addr + length <= this.taskSize ||
      (this.vdsoAddr !== 0 && addr >= this.vdsoAddr && addr + length <= this.vdsoEnd);
  }

  /** Whether the range lies in mappings that have all of `prot`. */
  accessible(addr: number, length: number, prot: number): boolean {
    return this.accessibleRun(addr, length, prot) === length;
  }

  /** How many bytes from `addr` on lie in mappings that have all of `prot`, at most `length`. */
  accessibleRun(addr: number, length: number, prot: number): number {
    const all = this.vmas.all;
    let at = addr;
    const end = addr + length;
    this.runMayFault = this.guards !== null && this.guards.overlap(addr, end);
    for (let i = this.vmas.indexAbove(addr); i < all.length && at < end; i++) {
      const vma = all[i];
      if (vma.start > at || (vma.prot & prot) !== prot) break;
      if (vma.file !== null && vma.passesFileEnd) this.runMayFault = true;
      at = vma.end;
    }
    return Math.min(at, end) - addr;
  }

  copyIn(ctx: Context, addr: number, dst: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length === 0) return 0;
    const at = ctx.prefetchedAt(addr, length);
    if (at >= 0) {
      const arena = ctx.arena!;
      if (length <= 64) { for (let i = 0; i < length; i++) dst[start + i] = arena[at + i]; }
      else dst.set(arena.subarray(at, at + length), start);
      return 0;
    }
    if (!this.mayRead(addr, length)) return -EFAULT;
    return this.#settledRead(ctx, addr, dst, start, end) === length ? 0 : -EFAULT;
  }

  /** Reads what is there, for I/O that may stop short. Returns a count or -EFAULT. */
  copyInSome(ctx: Context, addr: number, dst: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const at = ctx.prefetchedAt(addr, length);
    if (at >= 0) {
      dst.set(ctx.arena!.subarray(at, at + length), start);
      return length;
    }
    if (!this.mayRead(addr, length)) return -EFAULT;
    return this.#settledRead(ctx, addr, dst, start, end);
  }

  #settledRead(ctx: Context, addr: number, dst: Uint8Array, start: number, end: number): number {
    if (ctx.queued) ctx.flush();
    return this.space.read(addr, dst, start, end);
  }

  copyOut(ctx: Context, addr: number, src: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length === 0) return 0;
    if (!this.accessible(addr, length, PROT_WRITE)) return -EFAULT;
    if (length > DIRECT_COPY) {
      if (ctx.queued) ctx.flush();
      return this.space.write(addr, src, start, end) === length ? 0 : -EFAULT;
    }
    ctx.queueCopyOut(addr, src, start, end);
    return 0;
  }

  /**
   * Room in the arena for `length` bytes that are in guest memory when the guest runs on: the caller puts them
   * there at once. Returns their offset, a multiple of 8, or -EFAULT. For contexts that have an arena.
   */
  placeOut(ctx: Context, addr: number, length: number): number {
    if (!this.accessible(addr, length, PROT_WRITE)) return -EFAULT;
    if (length > ctx.arenaLeft) ctx.flush();
    const at = ctx.reserve(length);
    ctx.queueArenaOut(addr, at, length);
    return at;
  }

  /** Stores now, past other threads' eyes and page protections of the VMA list alone. */
  writeNow(ctx: Context | null, addr: number, src: Uint8Array, start: number, end: number): number {
    return this.writeSome(ctx, addr, src, start, end) === end - start ? 0 : -EFAULT;
  }

  /** As `writeNow`, as far as there are pages. Returns a count or -EFAULT. */
  writeSome(
    ctx: Context | null,
    addr: number,
    src: Uint8Array,
    start: number,
    end: number,
  ): number {
    if (addr + (end - start) > this.taskSize) {
      if (addr >= this.taskSize) return -EFAULT;
      end = start + this.taskSize - addr;
    }
    if (ctx !== null && ctx.queued) ctx.flush();
    return this.space.write(addr, src, start, end);
  }

  copyInString(ctx: Context, addr: number, limit: number): string | number {
    if (ctx.prefetchedFrom(addr, found)) {
      const at = found[0];
      const size = Math.min(found[1], limit);
      const seen = (at & 3) === 0 ? seenString(ctx.arenaWords!, at >> 2, size) : null;
      const s = seen ?? this.#stringIn(ctx.arena!, at, size);
      if (s !== null) return s;
    }
    if (ctx.queued) ctx.flush();
    let text = "";
    for (let at = addr; text.length < limit;) {
      const n = Math.min(
        PAGE_SIZE - at % PAGE_SIZE,
        limit - text.length,
        at === addr ? 256 : PAGE_SIZE,
      );
      if (at + n > this.taskSize) return -EFAULT;
      const got = this.space.read(at, chunk, 0, n);
      if (got <= 0) return -EFAULT;
      const s = this.#stringIn(chunk, 0, got);
      if (s !== null) return text + s;
      if (got < n) return -EFAULT;
      text += latin1(chunk, 0, got);
      at += got;
    }
    return -ENAMETOOLONG;
  }

  #stringIn(bytes: Uint8Array, at: number, available: number): string | null {
    const end = bytes.indexOf(0, at);
    return end < 0 || end >= at + available ? null : latin1(bytes, at, end);
  }

  /**
   * Identity of a shared futex word, or null when the word is private to this address space. -EFAULT where nothing is
   * mapped that may be read or written, or what never changes: as in Linux's get_futex_key.
   */
  futexKey(addr: number): string | number | null {
    const vma = this.vmas.at(addr);
    if (vma === null || (vma.prot & (PROT_READ | PROT_WRITE)) === 0) return -EFAULT;
    const changes = vma.file !== null || (vma.prot & PROT_WRITE) !== 0;
    if (!vma.shared) return changes ? null : -EFAULT;
    const offset = vma.offset + (addr - vma.start);
    if (vma.file !== null) {
      const { inode } = vma.file;
      return `${inode.fs.dev}:${inode.ino}:${offset}`;
    }
    return `anon:${vma.shareId}:${offset}`;
  }

  // --- Mapping --------------------------------------------------------------------------------------

  /**
   * mmap(2). `file` is borrowed. Returns the address or -errno. The offset and flags were checked by the
   * caller. `fileEnd`: where the mappings of the whole file will end, if
   * the caller (the loader) knows; trampolines of patched call sites go there.
   */
  mmap(
    ctx: Context,
    addr: number,
    length: number,
    prot: number,
    flags: number,
    file: FileDescription | null,
    offset: number,
    limits: MemoryLimits,
    fileEnd?: number,
  ): number {
    if (length === 0) return -EINVAL;
    const size = pageUp(length);
    if (size > this.taskSize) return -ENOMEM;
    // Behind a file that is mapped as a whole first (as ld.so does), room for trampolines stays free.
    const room = file !== null && offset === 0 && (flags & MAP_PRIVATE) !== 0
      ? TRAMPOLINE_SPACE
      : 0;
    const at = this.#place(addr, size, flags, room);
    if (at < 0) return at;
    if (this.vmas.all.length >= MAX_MAP_COUNT) return -ENOMEM;
    const shared = (flags & MAP_SHARED) !== 0;
    if (file !== null) {
      if (shared && (prot & PROT_WRITE) !== 0 && !file.writable) return -EACCES;
      if (!file.readable) return -EACCES;
      if (isOnNoexec(file) && (prot & PROT_EXEC) !== 0) return -EPERM;
    }
    if (this.#isDenied(prot, prot)) return -EACCES;
    if (!this.#hasRoom(at, size, prot, flags, limits)) return -ENOMEM;
    if (this.isSealed(at, at + size)) return -EPERM;
    let maxProt = PROT_READ | PROT_WRITE | PROT_EXEC;
    let hostFd = -1;
    let hostOffset = 0;
    let image: TextImage | null = null;
    if (file !== null) {
      if (shared && (!file.writable || isSealedAgainstWrites(file))) maxProt &= ~PROT_WRITE;
      if (isOnNoexec(file)) maxProt &= ~PROT_EXEC;
      const mapping = file.impl.hostMapping(file, offset, size, prot, shared);
      if (typeof mapping === "number") return mapping;
      if ((flags & MAP_GROWSDOWN) !== 0) return -EINVAL;
      hostFd = mapping.fd;
      hostOffset = mapping.offset;
      const isText = hostFd >= 0 && !shared && (prot & PROT_EXEC) !== 0;
      if (isText && this.#patching && (fileEnd !== undefined || this.patchesLibraries)) {
        const end = fileEnd ?? this.#endOfFile(at, file);
        image = this.#textImage(file, offset, size, hostFd, hostOffset, at, end);
        if (image !== null) {
          hostFd = image.fd;
          hostOffset = 0;
        }
      }
    }
    this.#settle(ctx, at, at + size);
    const same = file !== null && image === null
      ? this.#sameMapping(at, size, flags, file, offset)
      : null;
    this.#drop(at, at + size);
    if (image !== null) this.#mapTrampolines(ctx, image, at);
    let hostFlags = MAP_FIXED | (flags & HOST_FLAGS) | (shared ? MAP_SHARED : MAP_PRIVATE);
    if (hostFd < 0) hostFlags |= MAP_ANONYMOUS;
    let marks = (flags & MAP_LOCKED) !== 0 ? this.futureMarks : 0;
    if ((flags & MAP_LOCKED) !== 0 && marks === 0) hostFlags |= MAP_POPULATE;
    if ((flags & MAP_STACK) !== 0) marks |= MARK_NOHUGEPAGE;
    if (same === null) {
      ctx.queueMmap(at, size, prot, hostFlags, hostFd, hostOffset, image ?? file?.inode ?? null);
    } else if (prot !== same.prot) ctx.queueCall(SYS_mprotect, at, size, prot, 0, 0);
    this.#note(ctx, at, at + size);
    // Shared memory of /dev/zero is an object of its own each time, as that of no file.
    const isObject = shared && (file === null || file.impl.mapsAnonymous);
    const shareId = isObject ? nextShareId++ : 0;
    const vma = new Vma(
      at,
      at + size,
      prot,
      flags & KEPT_FLAGS,
      isObject ? null : file?.acquire() ?? null,
      file === null ? 0 : offset,
      "",
      maxProt,
      shareId,
      image,
    );
    vma.marks = marks;
    vma.isFileOnly = hostFd >= 0 && !shared && (prot & PROT_WRITE) === 0;
    this.vmas.insert(vma);
    this.#totalBytes += size;
    return at;
  }

  /**
   * The mapping in which the host has at `at` already what a private one of `file` brings there, but for its protection;
   * else null. Loaders map a library as a whole, and then its segments over that.
   */
  #sameMapping(
    at: number,
    size: number,
    flags: number,
    file: FileDescription,
    offset: number,
  ): Vma | null {
    const { inode } = file;
    if ((flags & (MAP_PRIVATE | MAP_FIXED)) !== (MAP_PRIVATE | MAP_FIXED)) return null;
    if ((flags & (HOST_FLAGS | MAP_LOCKED)) !== 0 || !inode.isSteady) return null;
    if (this.guards !== null) return null;
    const vma = this.vmas.at(at);
    if (vma === null || !vma.isFileOnly || vma.image !== null || at + size > vma.end) return null;
    if (vma.marks !== 0 || vma.locked || vma.file!.inode !== inode) return null;
    return vma.offset + (at - vma.start) === offset ? vma : null;
  }

  /** Whether the limits leave room for a mapping, for which goes what is at its place. */
  #hasRoom(
    start: number,
    size: number,
    prot: number,
    flags: number,
    limits: MemoryLimits,
  ): boolean {
    if (mayExpand(this, limits, size, prot, flags)) return true;
    const end = start + size;
    let more = size;
    this.vmas.some(start, end, (vma) => {
      if (vma.name !== TRAMPOLINES) more -= Math.min(end, vma.end) - Math.max(start, vma.start);
      return false;
    });
    return more < size && mayExpand(this, limits, more, prot, flags);
  }

  /** The error that mmap has for the place alone, or 0. */
  placeError(addr: number, length: number, flags: number): number {
    return Math.min(0, this.#place(addr, pageUp(length), flags, 0));
  }

  #place(addr: number, size: number, flags: number, room: number): number {
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0) {
      if (addr % PAGE_SIZE !== 0) return -EINVAL;
      if (addr + size > this.taskSize) return -ENOMEM;
      if (addr < MMAP_MIN_ADDR) return -EPERM;
      if ((flags & MAP_FIXED_NOREPLACE) !== 0 && this.vmas.overlaps(addr, addr + size)) {
        return -EEXIST;
      }
      return addr;
    }
    if (addr >= PAGE_SIZE) {
      const hint = Math.max(pageDown(addr), MMAP_MIN_ADDR);
      const next = this.vmas.all[this.vmas.indexAbove(hint)];
      const isStack = next !== undefined && (next.flags & MAP_GROWSDOWN) !== 0;
      const top = next === undefined ? Infinity : next.start - (isStack ? STACK_GUARD_GAP : 0);
      if (hint + size <= Math.min(top, this.taskSize)) return hint;
    }
    if ((flags & MAP_32BIT) !== 0) {
      const low = this.vmas.findBottomUp(0x4000_0000, 0x8000_0000, size);
      return low < 0 ? -ENOMEM : low;
    }
    let at = this.vmas.findTopDown(MMAP_MIN_ADDR, this.mmapBase, size + room);
    if (at < 0) at = this.vmas.findBottomUp(this.mmapBase, this.taskSize, size);
    return at < 0 ? -ENOMEM : at;
  }

  /** The end of the run of mappings of `file` around `addr`. */
  #endOfFile(addr: number, file: FileDescription): number {
    const all = this.vmas.all;
    let end = 0;
    for (let i = this.vmas.indexAbove(addr); i < all.length; i++) {
      const vma = all[i];
      if (vma.file?.inode !== file.inode || (end !== 0 && vma.start !== end)) break;
      end = vma.end;
    }
    return end;
  }

  #textImage(
    file: FileDescription,
    offset: number,
    size: number,
    hostFd: number,
    hostOffset: number,
    at: number,
    fileEnd: number,
  ): TextImage | null {
    if (fileEnd < at + size || this.vmas.overlaps(fileEnd, fileEnd + TRAMPOLINE_SPACE)) return null;
    if (fileEnd + TRAMPOLINE_SPACE > this.taskSize) return null;
    return this.images.get(file, offset, size, hostFd, hostOffset, fileEnd - at);
  }

  #mapTrampolines(ctx: Context, image: TextImage, textStart: number): void {
    const at = textStart + image.delta;
    const prot = PROT_READ | PROT_EXEC;
    const flags = MAP_FIXED | MAP_PRIVATE;
    ctx.queueMmap(at, TRAMPOLINE_SPACE, prot, flags, image.fd, image.textSize, image);
    const vma = new Vma(at, at + TRAMPOLINE_SPACE, prot, MAP_PRIVATE, null, 0, TRAMPOLINES, prot);
    vma.image = image;
    vma.imageOffset = image.delta;
    this.vmas.insert(vma);
  }

  /**
   * Maps every text from its file again, and from now on all others: call sites stay as they are. The
   * trampolines stay, since a thread may be inside.
   */
  stopPatching(ctx: Context): void {
    if (!this.#patching) return;
    this.#patching = false;
    for (const vma of this.vmas.all) {
      if (vma.image === null || vma.name === TRAMPOLINES) continue;
      const length = vma.end - vma.start;
      const mapping = vma.file!.impl.hostMapping(vma.file!, vma.offset, length, vma.prot, false);
      if (typeof mapping === "number") continue;
      const flags = MAP_FIXED | MAP_PRIVATE;
      ctx.queueMmap(vma.start, length, vma.prot, flags, mapping.fd, mapping.offset);
      vma.image = null;
    }
  }

  /** A system call came the slow way from before `rip`: its site is patched if that is possible. */
  noteSlowCall(ctx: Context, rip: number, number: number): void {
    if (!this.#patching) return;
    const vma = this.vmas.at(rip - 2);
    if (vma === null || vma.image === null) return;
    // A trampoline found that GS is the guest's now.
    if (vma.name === TRAMPOLINES) return this.stopPatching(ctx);
    vma.image.patch(rip - 2 - (vma.start - vma.imageOffset), number);
  }

  /** Whether `rip` is in a trampoline. */
  isTrampoline(rip: number): boolean {
    return this.vmas.at(rip)?.name === TRAMPOLINES;
  }

  /** The address behind the system call instruction, for a return address in a trampoline. */
  callAddress(rip: number): number {
    const vma = this.vmas.at(rip);
    if (vma === null || vma.name !== TRAMPOLINES) return rip;
    const text = vma.start - vma.imageOffset;
    const site = vma.image!.siteOf(rip - text);
    return site < 0 ? rip : text + site + 2;
  }

  /** Where the guest must really go on when it returns to `rip` behind a system call. */
  returnAddress(rip: number): number {
    const vma = this.vmas.at(rip - 2);
    if (vma === null || vma.image === null) return rip;
    const text = vma.start - vma.imageOffset;
    const tail = vma.image.tailOf(rip - 2 - text);
    return tail < 0 ? rip : text + tail;
  }

  munmap(ctx: Context, addr: number, length: number): number {
    if (addr % PAGE_SIZE !== 0 || length === 0) return -EINVAL;
    const end = addr + pageUp(length);
    if (end > this.taskSize) return -EINVAL;
    if (!this.vmas.overlaps(addr, end)) return 0;
    if (this.isSealed(addr, end)) return -EPERM;
    this.#settle(ctx, addr, end);
    this.#dropTrampolines(ctx, addr, end);
    this.#drop(addr, end);
    ctx.queueCall(SYS_munmap, addr, end - addr, 0, 0, 0);
    this.#note(ctx, addr, end);
    return 0;
  }

  /** mprotect(2). `addr` is a page's, and there is something to change: the caller has looked. */
  mprotect(
    ctx: Context,
    addr: number,
    length: number,
    prot: number,
    limits: MemoryLimits,
  ): number {
    const end = addr + pageUp(length);
    if (end >= 2 ** 64) return -ENOMEM;
    // What comes before a hole, or before a mapping that refuses, is changed.
    let err = 0;
    let stop = addr;
    let newData = 0;
    const { all } = this.vmas;
    for (let i = this.vmas.indexAbove(addr); stop < end && err === 0; i++) {
      if (i === all.length || all[i].start > stop) err = -ENOMEM;
      else {
        const vma = all[i];
        const next = Math.min(vma.end, end);
        err = this.#refusesProtection(vma, prot);
        if (err === 0 && isData(prot, vma.flags) && !isData(vma.prot, vma.flags)) {
          newData += next - stop;
          if (!mayHaveMoreData(this, limits, newData)) err = -ENOMEM;
        }
        if (err === 0) stop = next;
      }
    }
    if (stop === addr) return err;
    this.#settle(ctx, addr, stop);
    this.vmas.change(addr, stop, (vma) => {
      vma.prot = prot;
      if ((prot & PROT_WRITE) !== 0) vma.isFileOnly = false;
    });
    ctx.queueCall(SYS_mprotect, addr, stop - addr, prot, 0, 0);
    this.#note(ctx, addr, stop);
    return err;
  }

  #refusesProtection(vma: Vma, prot: number): number {
    if (vma.sealed) return -EPERM;
    return (prot & ~vma.maxProt) !== 0 || this.#isDenied(vma.prot, prot) ? -EACCES : 0;
  }

  /** mremap(2), with Linux's order of checks. `lockLimit` in bytes. */
  mremap(
    ctx: Context,
    oldAddr: number,
    oldLength: number,
    newLength: number,
    flags: number,
    newAddr: number,
    limits: MemoryLimits,
    lockLimit: number,
  ): number {
    let oldSize = wrappedPageUp(oldLength);
    const newSize = wrappedPageUp(newLength);
    const bad = this.#refusesRemap(oldAddr, oldSize, newSize, flags, newAddr);
    if (bad < 0) return bad;
    const fixed = (flags & MREMAP_FIXED) !== 0;
    const keepOld = (flags & MREMAP_DONTUNMAP) !== 0;
    let vma = this.vmas.at(oldAddr);
    if (vma === null) return -EFAULT;
    if (vma.sealed) return -EPERM;
    const grows = newSize > oldSize;
    if (grows || fixed || keepOld) {
      if (oldSize === 0 && !vma.shared) return -EINVAL;
      if (oldAddr + Math.min(oldSize, newSize) > vma.end) return -EFAULT;
    }
    const more = newSize - oldSize;
    if (grows) {
      if (vma.locked && lockedBytes(this) + more > lockLimit) return -EAGAIN;
      if (!mayExpand(this, limits, more, vma.prot, vma.flags)) return -ENOMEM;
    }
    if (fixed) {
      const err = this.munmap(ctx, newAddr, newSize);
      if (err < 0) return err;
    }
    if (newSize < oldSize) { // What is cut off may be of other mappings, too.
      const err = this.munmap(ctx, oldAddr + newSize, oldSize - newSize);
      if (err < 0) return err;
      oldSize = newSize;
    }
    vma = this.vmas.at(oldAddr); // It may have been cut.
    if (vma === null) return -EFAULT;
    if (!fixed && !keepOld && !grows) return oldAddr;
    if (keepOld && !mayExpand(this, limits, oldSize, vma.prot, vma.flags)) return -ENOMEM;
    const inPlace = !fixed && !keepOld && oldAddr + oldSize === vma.end &&
      oldAddr + newSize <= this.taskSize &&
      !this.vmas.overlaps(vma.end, oldAddr + newSize);
    if (inPlace) return this.#growInPlace(ctx, vma, oldAddr, oldSize, newSize);
    if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
    const hint = fixed || keepOld ? newAddr : 0;
    const at = this.#place(hint, newSize, fixed ? MAP_FIXED : 0, 0);
    return at < 0 ? at : this.#move(ctx, vma, oldAddr, oldSize, newSize, at, keepOld);
  }

  /** What is wrong with mremap's arguments whatever is mapped: 0, -EINVAL. */
  #refusesRemap(
    oldAddr: number,
    oldSize: number,
    newSize: number,
    flags: number,
    newAddr: number,
  ): number {
    if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
    if (oldAddr % PAGE_SIZE !== 0 || newSize === 0 || newSize > this.taskSize) return -EINVAL;
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) === 0) return 0;
    if (newAddr > this.taskSize - newSize || newAddr % PAGE_SIZE !== 0) return -EINVAL;
    if ((flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
    if ((flags & MREMAP_DONTUNMAP) !== 0 && oldSize !== newSize) return -EINVAL;
    return newAddr < oldAddr + oldSize && oldAddr < newAddr + newSize ? -EINVAL : 0;
  }

  #growInPlace(ctx: Context, vma: Vma, addr: number, oldSize: number, newSize: number): number {
    this.#settle(ctx, addr, addr + newSize);
    ctx.queueCall(SYS_mremap, addr, oldSize, newSize, 0, 0);
    this.#note(ctx, addr, addr + newSize);
    this.vmas.insert(
      (() => {
        const more = vma.slice(vma.start, vma.end);
        more.offset = vma.offset + (vma.end - vma.start);
        if (vma.file === null && vma.shareId === 0) more.offset = vma.offset;
        more.start = addr + oldSize;
        more.end = addr + newSize;
        return more;
      })(),
    );
    this.#totalBytes += newSize - oldSize;
    if (vma.locked) this.#populateLocked(ctx, vma, addr + oldSize, addr + newSize);
    return addr;
  }

  /** The new part of a locked mapping that has grown; what cannot be had now comes by a fault. */
  #populateLocked(ctx: Context, vma: Vma, start: number, end: number): void {
    if ((vma.marks & MARK_LOCKED_ON_FAULT) === 0) populate(ctx, vma, start, end);
  }

  #move(
    ctx: Context,
    vma: Vma,
    oldAddr: number,
    oldSize: number,
    newSize: number,
    at: number,
    keepOld: boolean,
  ): number {
    this.#settle(ctx, oldAddr, oldAddr + oldSize);
    this.#settle(ctx, at, at + newSize);
    const moved = vma.slice(oldAddr, oldAddr + Math.max(oldSize, PAGE_SIZE));
    moved.start = at;
    moved.end = at + newSize;
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    if (keepOld) flags |= MREMAP_DONTUNMAP;
    ctx.queueCall(SYS_mremap, oldAddr, oldSize, newSize, flags, at);
    this.#note(ctx, at, at + newSize);
    if (!keepOld && oldSize > 0) {
      this.#drop(oldAddr, oldAddr + oldSize);
      this.#note(ctx, oldAddr, oldAddr + oldSize);
    } else if (keepOld && vma.locked) unlockRange(this, oldAddr, oldAddr + oldSize);
    this.vmas.insert(moved);
    this.#totalBytes += newSize;
    if (moved.locked && newSize > oldSize) {
      this.#populateLocked(ctx, moved, at + oldSize, at + newSize);
    }
    return at;
  }

  /** brk(2): returns the new or the unchanged break. `lockLimit` in bytes. */
  setBrk(ctx: Context, to: number, limits: MemoryLimits, lockLimit: number): number {
    if (to < this.brkStart) return this.brk;
    const oldEnd = pageUp(this.brk);
    const newEnd = pageUp(to);
    if (newEnd > oldEnd) {
      const data = to - this.brkStart + this.dataEnd - this.dataStart;
      if (data > limits.cur[RLIMIT_DATA] || newEnd > this.taskSize) return this.brk;
      if (!mayExpand(this, limits, newEnd - oldEnd, PROT_READ | PROT_WRITE, MAP_PRIVATE)) {
        return this.brk;
      }
      if (this.futureFlags !== 0 && lockedBytes(this) + newEnd - oldEnd > lockLimit) {
        return this.brk;
      }
      if (this.vmas.overlaps(oldEnd, newEnd + PAGE_SIZE)) return this.brk;
      if (!mayCommit(newEnd - oldEnd)) return this.brk;
      this.mapAnonymous(ctx, oldEnd, newEnd - oldEnd, PROT_READ | PROT_WRITE, "[heap]");
    } else if (newEnd < oldEnd && this.munmap(ctx, newEnd, oldEnd - newEnd) < 0) return this.brk;
    this.brk = to;
    return to;
  }

  /** Private anonymous memory at a fixed, free place: heap, stack, bss. */
  mapAnonymous(ctx: Context, addr: number, size: number, prot: number, name: string): void {
    this.#settle(ctx, addr, addr + size);
    this.#drop(addr, addr + size);
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | (name === "[stack]" ? MAP_GROWSDOWN : 0);
    let hostFlags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (this.futureFlags !== 0 && this.futureMarks === 0) hostFlags |= MAP_POPULATE;
    ctx.queueMmap(addr, size, prot, hostFlags, -1, 0);
    this.#note(ctx, addr, addr + size);
    const vma = new Vma(addr, addr + size, prot, flags | this.futureFlags, null, 0, name);
    vma.marks = this.futureMarks;
    this.vmas.insert(vma);
    this.#totalBytes += size;
  }

  /** Trampolines of texts that are about to go as a whole go with them. */
  #dropTrampolines(ctx: Context, start: number, end: number): void {
    const all = this.vmas.all;
    const gone: number[] = [];
    for (let i = this.vmas.indexAbove(start); i < all.length && all[i].start < end; i++) {
      const { image, imageOffset } = all[i];
      const text = all[i].start - imageOffset;
      if (image !== null && text >= start && text + image.textSize <= end) {
        gone.push(text + image.delta);
      }
    }
    for (const at of gone) {
      if (this.vmas.at(at)?.name !== TRAMPOLINES) continue;
      this.#drop(at, at + TRAMPOLINE_SPACE);
      ctx.queueCall(SYS_munmap, at, TRAMPOLINE_SPACE, 0, 0, 0);
    }
  }

  /** Forgets [start, end) in the list. */
  #drop(start: number, end: number): void {
    for (const vma of this.vmas.remove(start, end)) {
      if (vma.name !== TRAMPOLINES) this.#totalBytes -= vma.end - vma.start;
      vma.file?.release();
    }
  }

  // --- Sealed and growing mappings ------------------------------------------------------------------

  /** mseal(2) on a range without holes. */
  seal(start: number, end: number): void {
    this.#hasSeals = true;
    this.vmas.change(start, end, (vma) => vma.marks |= MARK_SEALED);
  }

  isSealed(start: number, end: number): boolean {
    return this.#hasSeals && this.vmas.some(start, end, (vma) => vma.sealed);
  }

  /**
   * A fault at `addr`, where nothing is mapped: the MAP_GROWSDOWN mapping above it grows down to it
   * (Linux: expand_downwards). False when there is none, or it may not.
   */
  growDown(ctx: Context, addr: number, stackLimit: number, limitBytes: number): boolean {
    const { all } = this.vmas;
    const i = this.vmas.indexAbove(addr);
    const vma = all[i];
    if (vma === undefined || vma.start <= addr || (vma.flags & MAP_GROWSDOWN) === 0) return false;
    const start = pageDown(addr);
    if (start < MMAP_MIN_ADDR || vma.end - start > stackLimit) return false;
    if (this.#totalBytes + vma.start - start > limitBytes) return false;
    const below = i > 0 ? all[i - 1] : null;
    if (
      below !== null && below.prot !== 0 && (below.flags & MAP_GROWSDOWN) === 0 &&
      start - below.end < STACK_GUARD_GAP
    ) return false;
    this.#settle(ctx, start, vma.start);
    const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
    ctx.queueMmap(start, vma.start - start, vma.prot, flags, -1, 0);
    this.#note(ctx, start, vma.start);
    this.#totalBytes += vma.start - start;
    vma.start = start;
    return true;
  }

  // Threads of one process perform their changes in parallel: what one was told and may not have
  // done yet must not meet what another is told about the same addresses.

  #note(ctx: Context, start: number, end: number): void {
    if (this.space.threadCount > 1) this.#unsettled.push({ ctx, start, end });
  }

  /** Waits until other threads have performed what they were told about [start, end). */
  #settle(ctx: Context, start: number, end: number): void {
    if (this.#unsettled.length === 0) return;
    this.#unsettled = this.#unsettled.filter((p) => {
      if (p.ctx.performed) return false;
      if (p.ctx !== ctx && p.start < end && start < p.end) {
        p.ctx.awaitPerformed();
        return false;
      }
      return true;
    });
  }
}

/** Nothing of its mount may be run, by mmap as little as by execve (path_noexec). */
function isOnNoexec(file: FileDescription): boolean {
  return (file.mount.flags & MS_NOEXEC) !== 0;
}

/** F_SEAL_WRITE or F_SEAL_FUTURE_WRITE: no new mapping may ever be written. */
function isSealedAgainstWrites(file: FileDescription): boolean {
  const { seals } = file.inode;
  return seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0;
}
