/**
 * Vectored I/O (linux/uio.h, linux/fs.h): readv(2), preadv2(2).
 */

import { getU64, setU64 } from "./bytes.ts";

export const UIO_FASTIOV = 8;
export const UIO_MAXIOV = 1024;

// preadv2(2) flags
export const RWF_HIPRI = 0x1;
export const RWF_DSYNC = 0x2;
export const RWF_SYNC = 0x4;
export const RWF_NOWAIT = 0x8;
export const RWF_APPEND = 0x10;
export const RWF_NOAPPEND = 0x20;
export const RWF_ATOMIC = 0x40;
export const RWF_DONTCACHE = 0x80;

/** struct iovec. */
export const IOVEC_SIZE = 16;
export const IOVEC_OFF_BASE_ADDR = 0;
export const IOVEC_OFF_LEN = 8;

export interface Iovec {
  baseAddr: number;
  len: number;
}

export function putIovec(v: DataView, off: number, baseAddr: number, len: number): void {
  setU64(v, off + IOVEC_OFF_BASE_ADDR, baseAddr);
  setU64(v, off + IOVEC_OFF_LEN, len);
}

export function getIovec(v: DataView, off: number): Iovec {
  return {
    baseAddr: getU64(v, off + IOVEC_OFF_BASE_ADDR),
    len: getU64(v, off + IOVEC_OFF_LEN),
  };
}
