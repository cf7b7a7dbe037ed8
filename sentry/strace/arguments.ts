/** The plain kinds of arguments, and how arguments of structs and arrays are made. */
import { getI64 } from "../../platform/abi/bytes.ts";
import { AT_FDCWD } from "../../platform/abi/fcntl.ts";
import { type Call, MEMBERS_MAX, PATH_MAX, pointer, quote, STRING_MAX } from "./call.ts";
import type { Formatter } from "./names.ts";

/** How argument `i` is shown; null: it and what follows is not there. */
export type Show = (c: Call, i: number) => string | null;

export interface Argument {
  show: Show;
  /** Read when the call has returned: the kernel fills it. */
  late: boolean;
}

/** What the guest passes: read as the call begins. */
export function given(show: Show): Argument {
  return { show, late: false };
}

/** What the kernel fills: shown as an address when the call has failed. */
export function filled(show: Show): Argument {
  return { show: (c, i) => c.result < 0 ? pointer(c.args.addr(i)) : show(c, i), late: true };
}

/** A number in the register, low 32 bits, by a formatter of names. */
export const named = (format: Formatter) => given((c, i) => format(c.args.i32(i)));

export const int = given((c, i) => `${c.args.i32(i)}`);
export const uint = given((c, i) => `${c.args.u32(i)}`);
export const long = given((c, i) => `${c.args.i64(i)}`);
export const size = given((c, i) => c.args.addr(i) < 2 ** 53 ? `${c.args.addr(i)}` : c.hex(i));
export const hex = given((c, i) => c.hex(i));
export const octal = given((c, i) => octalOf(c.args.u32(i)));
export const ptr = given((c, i) => c.args.addr(i) === 0 ? "NULL" : c.hex(i));
export const fd = int;
export const pid = int;
/** A user or group id; -1 leaves it as it is. */
export const id = given((c, i) => c.args.u32(i) === 0xffffffff ? "-1" : `${c.args.u32(i)}`);
export const dirfd = given((c, i) => c.args.i32(i) === AT_FDCWD ? "AT_FDCWD" : `${c.args.i32(i)}`);

export const path = given((c, i) => showString(c, c.args.addr(i), PATH_MAX));
export const string = given((c, i) => showString(c, c.args.addr(i), STRING_MAX));
/** Bytes to be read; argument `n` is their count. */
export const buffer = (n: number) => given((c, i) => showBytes(c, c.args.addr(i), c.args.addr(n)));
/** Bytes that came; the result is their count. */
export const filledBuffer = filled((c, i) => showBytes(c, c.args.addr(i), c.result));

/** A path that came, its NUL counted by the result. */
export const filledPath = filled((c, i) => showString(c, c.args.addr(i), PATH_MAX));

export function octalOf(n: number): string {
  return n === 0 ? "0" : `0${n.toString(8)}`;
}

export function showString(c: Call, addr: number, limit: number): string {
  const s = addr === 0 ? null : c.string(addr, limit);
  return s === null ? pointer(addr) : quote(s.bytes, s.whole);
}

export function showBytes(c: Call, addr: number, length: number): string {
  const bytes = c.bytes(addr, Math.min(length, STRING_MAX));
  return bytes === null ? pointer(addr) : quote(bytes, length <= STRING_MAX);
}

/** Argument lists and environments. */
export const strings = given((c, i) => showStrings(c, c.args.addr(i)));
/** An environment is long and seldom what one looks for. */
export const environment = given((c, i) => {
  const addr = c.args.addr(i);
  let count = 0;
  for (; count < PATH_MAX; count++) {
    const word = c.u64(addr + 8 * count);
    if (word === null) return pointer(addr);
    if (word === 0) break;
  }
  return `${pointer(addr)} /* ${count} vars */`;
});

function showStrings(c: Call, addr: number): string {
  if (addr === 0) return "NULL";
  const words: string[] = [];
  for (let n = 0; n < MEMBERS_MAX; n++) {
    const word = c.u64(addr + 8 * n);
    if (word === null) return pointer(addr);
    if (word === 0) return `[${words.join(", ")}]`;
    words.push(showString(c, word, STRING_MAX));
  }
  return `[${words.join(", ")}, ...]`;
}

// --- Structs ----------------------------------------------------------------------------------------

export interface Struct {
  size: number;
  show(v: DataView, off: number, c: Call): string;
}

export const int32: Struct = { size: 4, show: (v, off) => `${v.getInt32(off, true)}` };
export const uint32: Struct = { size: 4, show: (v, off) => `${v.getUint32(off, true)}` };
export const int64: Struct = { size: 8, show: (v, off) => `${getI64(v, off)}` };

export function showStruct(c: Call, addr: number, type: Struct): string {
  const v = c.view(addr, type.size);
  return v === null ? pointer(addr) : type.show(v, 0, c);
}

export const structIn = (type: Struct) => given((c, i) => showStruct(c, c.args.addr(i), type));
export const structOut = (type: Struct) => filled((c, i) => showStruct(c, c.args.addr(i), type));
/** A number behind a pointer, in brackets: wait status, lengths, offsets. */
export const boxedIn = (type: Struct) => given((c, i) => showBoxed(c, c.args.addr(i), type));
export const boxedOut = (type: Struct) => filled((c, i) => showBoxed(c, c.args.addr(i), type));

export function showBoxed(c: Call, addr: number, type: Struct): string {
  const v = c.view(addr, type.size);
  return v === null ? pointer(addr) : `[${type.show(v, 0, c)}]`;
}

export function showArray(c: Call, addr: number, count: number, type: Struct): string {
  if (count === 0 && addr !== 0) return "[]";
  const shown = Math.max(0, Math.min(count, MEMBERS_MAX));
  const v = c.view(addr, shown * type.size);
  if (v === null || addr === 0) return pointer(addr);
  const members = Array.from({ length: shown }, (_, n) => type.show(v, n * type.size, c));
  if (count > shown) members.push("...");
  return `[${members.join(", ")}]`;
}

/** Argument `n` is the count. */
export const arrayIn = (type: Struct, n: number) =>
  given((c, i) => showArray(c, c.args.addr(i), c.args.u32(n), type));
/** The result is the count. */
export const arrayOut = (type: Struct) =>
  filled((c, i) => showArray(c, c.args.addr(i), c.result, type));
/** Always so many. */
export const arrayInOf = (type: Struct, count: number) =>
  given((c, i) => showArray(c, c.args.addr(i), count, type));
export const arrayOutOf = (type: Struct, count: number) =>
  filled((c, i) => showArray(c, c.args.addr(i), count, type));
