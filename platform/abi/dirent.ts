/**
 * Directory entries (getdents(2)): linux_dirent64 and the older linux_dirent.
 */

import { setI64, setU64 } from "./bytes.ts";

// Types
export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

/** struct linux_dirent64; the name ends with a zero byte, the record at a multiple of 8. */
export const DIRENT64_SIZE = 280;
export const DIRENT64_OFF_INO = 0;
export const DIRENT64_OFF_OFF = 8;
export const DIRENT64_OFF_RECLEN = 16;
export const DIRENT64_OFF_TYPE = 18;
export const DIRENT64_OFF_NAME = 19;

// struct linux_dirent of getdents(2): the type is the record's last byte.
export const DIRENT_OFF_INO = 0;
export const DIRENT_OFF_OFF = 8;
export const DIRENT_OFF_RECLEN = 16;
export const DIRENT_OFF_NAME = 18;

/** Record length of linux_dirent64 for a name of `nameLen` bytes. */
export function dirent64Reclen(nameLen: number): number {
  return (DIRENT64_OFF_NAME + nameLen + 1 + 7) & ~7;
}

/** Record length of linux_dirent for a name of `nameLen` bytes. */
export function direntReclen(nameLen: number): number {
  return (DIRENT_OFF_NAME + nameLen + 2 + 7) & ~7;
}

/** Writes one linux_dirent64 with its name and padding; returns its length. There must be room. */
export function putDirent64(
  v: DataView,
  off: number,
  ino: number,
  next: number,
  type: number,
  name: Uint8Array,
): number {
  const reclen = dirent64Reclen(name.length);
  setU64(v, off + DIRENT64_OFF_INO, ino);
  setI64(v, off + DIRENT64_OFF_OFF, next);
  v.setUint16(off + DIRENT64_OFF_RECLEN, reclen, true);
  v.setUint8(off + DIRENT64_OFF_TYPE, type);
  putName(v, off + DIRENT64_OFF_NAME, off + reclen, name);
  return reclen;
}

/** Writes one linux_dirent with name, padding and type; returns its length. There must be room. */
export function putDirent(
  v: DataView,
  off: number,
  ino: number,
  next: number,
  type: number,
  name: Uint8Array,
): number {
  const reclen = direntReclen(name.length);
  setU64(v, off + DIRENT_OFF_INO, ino);
  setI64(v, off + DIRENT_OFF_OFF, next);
  v.setUint16(off + DIRENT_OFF_RECLEN, reclen, true);
  putName(v, off + DIRENT_OFF_NAME, off + reclen, name);
  v.setUint8(off + reclen - 1, type);
  return reclen;
}

function putName(v: DataView, start: number, end: number, name: Uint8Array): void {
  let at = start;
  for (let i = 0; i < name.length; i++) v.setUint8(at++, name[i]!);
  while (at < end) v.setUint8(at++, 0);
}
