/** One system call as a trace sees it: the registers it began with, and the guest's memory. */
import type { SyscallArguments } from "../kernel/syscall.ts";
import { getU64 } from "../../platform/abi/bytes.ts";

/** Guest memory. Returns the bytes read, which may be fewer, or -errno. */
export type ReadMemory = (addr: number, dst: Uint8Array, start: number, end: number) => number;

/** Strings are shown up to here, as strace(1) shows them. */
export const STRING_MAX = 32;
/** Paths are shown whole. */
export const PATH_MAX = 4096;
/** Members of an array, words of an argument list. */
export const MEMBERS_MAX = 32;

const PAGE_SIZE = 4096;

export class Call {
  /** 0 while the call is under way; then what it returned, or -errno. */
  result = 0;

  constructor(readonly args: SyscallArguments, readonly read: ReadMemory) {}

  /** Exactly `length` bytes at `addr`, or null. */
  bytes(addr: number, length: number): Uint8Array | null {
    const bytes = new Uint8Array(length);
    if (length === 0) return bytes;
    return addr !== 0 && this.read(addr, bytes, 0, length) === length ? bytes : null;
  }

  view(addr: number, size: number): DataView | null {
    const bytes = this.bytes(addr, size);
    return bytes === null ? null : new DataView(bytes.buffer);
  }

  u64(addr: number): number | null {
    const v = this.view(addr, 8);
    return v === null ? null : getU64(v, 0);
  }

  i32At(addr: number): number | null {
    return this.view(addr, 4)?.getInt32(0, true) ?? null;
  }

  /** The bytes before the NUL, at most `limit`; null where memory cannot be read. */
  string(addr: number, limit: number): { bytes: Uint8Array; whole: boolean } | null {
    const bytes = new Uint8Array(limit);
    for (let n = 0; n < limit;) {
      // What lies beyond the string's page may not be there.
      const want = Math.min(limit - n, PAGE_SIZE - (addr + n) % PAGE_SIZE);
      const got = this.read(addr + n, bytes, n, n + want);
      const end = got <= 0 ? -1 : bytes.subarray(0, n + got).indexOf(0, n);
      if (end >= 0) return { bytes: bytes.subarray(0, end), whole: true };
      if (got < want) return null;
      n += got;
    }
    return { bytes, whole: false };
  }

  /** Argument `i`, all 64 bits of it. */
  hex(i: number): string {
    const lo = this.args.u32(i);
    const hi = this.args.hi32(i) >>> 0;
    return hi === 0 ? hexOf(lo) : `0x${hi.toString(16)}${lo.toString(16).padStart(8, "0")}`;
  }
}

export function hexOf(n: number): string {
  return n === 0 ? "0" : `0x${n.toString(16)}`;
}

export function pointer(addr: number): string {
  return addr === 0 ? "NULL" : `0x${addr.toString(16)}`;
}

const ESCAPES: Record<number, string> = {
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** Bytes as a C string: octal escapes are as short as what follows allows. */
export function quote(bytes: Uint8Array, whole = true): string {
  let s = "";
  bytes.forEach((b, i) => {
    const next = bytes[i + 1];
    const digitFollows = next >= 0x30 && next <= 0x39;
    s += ESCAPES[b] ??
      (b >= 0x20 && b < 0x7f
        ? String.fromCharCode(b)
        : `\\${b.toString(8).padStart(digitFollows ? 3 : 1, "0")}`);
  });
  return `"${s}"${whole ? "" : "..."}`;
}
