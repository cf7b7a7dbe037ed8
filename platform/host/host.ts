/**
 * Host system calls for Sentry and Gofer: plain functions that return n or -errno. Paths are latin1
 * strings (one char, one byte). Nothing here may be called with guest-controlled descriptors.
 */
import {
  SYS_close,
  SYS_ftruncate,
  SYS_memfd_create,
  SYS_mmap,
  SYS_preadv2,
  SYS_prlimit64,
  SYS_pwritev2,
} from "../abi/amd64/syscalls.ts";
import { EFAULT, ENAMETOOLONG, ENOMEM } from "../abi/errno.ts";
import { MAP_FIXED, MAP_SHARED, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { CLOCK_REALTIME, CLOCK_REALTIME_COARSE } from "../abi/time.ts";
import { IOVEC_SIZE } from "../abi/uio.ts";
import { addressOf, native, viewMemory } from "./ffi.ts";

/** Any host system call; numbers are exact up to 2^53. Returns n or -errno. */
export function hostSyscall(nr: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): number {
  return native.dv_syscall(nr, a0, a1, a2, a3, a4, a5);
}

/** What an XSAVE image of a program holds. */
export interface FpState {
  /** Bytes of the image, in the standard format. */
  readonly size: number;
  /** Its state components, as in XCR0. */
  readonly featuresLo: number;
  readonly featuresHi: number;
  /** The bits that MXCSR has. */
  readonly mxcsrMask: number;
}

export interface HostBuffer {
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** Its address, for hostSyscall. */
  readonly addr: number;
}

/** Memory that stays put, for arguments of hostSyscall. Never freed: allocate once. */
export function hostAlloc(size: number): HostBuffer {
  const pointer = native.dv_alloc(size);
  if (pointer === null) throw new Error("out of memory");
  const buffer = viewMemory(pointer, size);
  return { u8: new Uint8Array(buffer), view: new DataView(buffer), addr: addressOf(pointer) };
}

const PATH_SIZE = 4352;
const path = hostAlloc(PATH_SIZE);
const vector = hostAlloc(IOVEC_SIZE);

/** Writes a NUL-terminated path to `path`. Returns its address or -ENAMETOOLONG. */
export function hostPath(s: string): number {
  if (s.length > 4096) return -ENAMETOOLONG;
  for (let i = 0; i < s.length; i++) path.u8[i] = s.charCodeAt(i);
  path.u8[s.length] = 0;
  return path.addr;
}

/** The FP state of programs on this processor. */
export function fpState(): FpState {
  const words = new Uint32Array(4);
  native.dv_fp_state(words);
  return { size: words[0], featuresLo: words[1], featuresHi: words[2], mxcsrMask: words[3] };
}

export function closeFd(fd: number): number {
  return native.dv_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

/**
 * How many descriptors this process may have. All guests share them: what one may use without end leaves some to the
 * others.
 */
export function descriptorLimit(): number {
  const RLIMIT_NOFILE = 7;
  if (native.dv_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limit.addr, 0, 0) < 0) return 0;
  return limit.view.getUint32(0, true) + limit.view.getUint32(4, true) * 0x1_0000_0000;
}
const limit = hostAlloc(16);

/** A close-on-exec memfd of size 0; flags are MFD_* (MFD_CLOEXEC is added). */
export function memfdCreate(name: string, flags = 0): number {
  const addr = hostPath(name);
  if (addr < 0) return addr;
  return native.dv_syscall(SYS_memfd_create, addr, flags | 1, 0, 0, 0, 0);
}

export function ftruncate(fd: number, size: number): number {
  return native.dv_syscall(SYS_ftruncate, fd, size, 0, 0, 0, 0);
}

interface Mapping {
  pointer: Deno.PointerObject;
  length: number;
}
const mappings = new WeakMap<ArrayBufferLike, Mapping>();

/** Maps [offset, offset + length) of a descriptor, shared and writable; unmap with `unmap`. */
export function mapShared(fd: number, offset: number, length: number): Uint8Array | number {
  const pointer = native.dv_map_shared(fd, offset, length);
  if (pointer === null) return -ENOMEM;
  const buffer = viewMemory(pointer, length);
  mappings.set(buffer, { pointer, length });
  return new Uint8Array(buffer);
}

/** Puts `fd`'s memory from `offset` on where `mapped`, of mapShared, lies. Returns 0 or -errno. */
export function remapShared(mapped: Uint8Array, fd: number, offset: number): number {
  const flags = MAP_SHARED | MAP_FIXED;
  const at = mappingAddr(mapped);
  const r = hostSyscall(SYS_mmap, at, mapped.length, PROT_READ | PROT_WRITE, flags, fd, offset);
  return r < 0 ? r : 0;
}

/** The address of a mapping made by mapShared, for hostSyscall. */
export function mappingAddr(mapped: Uint8Array): number {
  const m = mappings.get(mapped.buffer);
  return m === undefined ? -EFAULT : addressOf(m.pointer);
}

/** The caller drops every view of it first: touching one afterwards is fatal. */
export function unmap(mapped: Uint8Array): void {
  const m = mappings.get(mapped.buffer);
  if (m === undefined) return;
  mappings.delete(mapped.buffer);
  native.dv_unmap(m.pointer, m.length);
}

/** pread(2) into u8[start, end); offset -1 reads at the descriptor's own position. */
export function preadFd(
  fd: number,
  u8: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number {
  return native.dv_pread(fd, u8 as Uint8Array<ArrayBuffer>, start, end - start, offset);
}

export function pwriteFd(
  fd: number,
  u8: Uint8Array,
  start: number,
  end: number,
  offset: number,
): number {
  return native.dv_pwrite(fd, u8 as Uint8Array<ArrayBuffer>, start, end - start, offset);
}

/** preadv2(2) of one range at a fixed address, with RWF_* flags; offset -1: the file position. */
export function preadv2(
  fd: number,
  addr: number,
  length: number,
  offset: number,
  rwf: number,
): number {
  iovec(addr, length);
  return native.dv_syscall(SYS_preadv2, fd, vector.addr, 1, offset, 0, rwf);
}

export function pwritev2(
  fd: number,
  addr: number,
  length: number,
  offset: number,
  rwf: number,
): number {
  iovec(addr, length);
  return native.dv_syscall(SYS_pwritev2, fd, vector.addr, 1, offset, 0, rwf);
}

function iovec(addr: number, length: number): void {
  vector.view.setUint32(0, addr >>> 0, true);
  vector.view.setUint32(4, Math.floor(addr / 0x1_0000_0000), true);
  vector.view.setUint32(8, length >>> 0, true);
  vector.view.setUint32(12, Math.floor(length / 0x1_0000_0000), true);
}

/** Fills u8[start, end) with random bytes of the host's. */
export function fillRandom(u8: Uint8Array, start = 0, end = u8.length): void {
  const err = native.dv_random(u8 as Uint8Array<ArrayBuffer>, start, end - start);
  if (err < 0) throw new Error(`no random bytes (errno ${-err})`);
}

/** CLOCK_MONOTONIC in nanoseconds. */
export function monoNs(): number {
  return native.dv_clock_ns(1);
}

/** Any clock that the host can tell for this process (CLOCK_BOOTTIME 7, CLOCK_REALTIME inexactly); -1 of none. */
export function clockNs(clock: number): number {
  return native.dv_clock_ns(clock);
}

/** CPUCLOCK_SCHED of a process (include/linux/posix-timers_types.h). */
const CPUCLOCK_SCHED = 2;

/** The clock of the processor time of a process (clock_getcpuclockid(3)). */
export function processClock(pid: number): number {
  return (~pid << 3) | CPUCLOCK_SCHED;
}

const clock = new Float64Array(2);

/** Wall clock: fills out[0] with seconds and out[1] with nanoseconds. */
export function realtime(out: Float64Array): void {
  readClock(CLOCK_REALTIME, out);
}

/** The same as it was at the host's last tick. */
export function coarseRealtime(out: Float64Array): void {
  readClock(CLOCK_REALTIME_COARSE, out);
}

function readClock(id: number, out: Float64Array): void {
  native.dv_clock(id, clock as Float64Array<ArrayBuffer>);
  out[0] = clock[0];
  out[1] = clock[1];
}

/** Wakes the Sentry out of Platform.wait: a message is waiting for it. */
export function ring(): void {
  native.dv_ring();
}
