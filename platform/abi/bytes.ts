/**
 * Bytes of a C struct in a DataView: 64-bit fields by halves, little-endian.
 *
 * A 64-bit value is a `number`, exact up to 2^53. Larger values read are rounded; the one that
 * matters, all ones (RLIM_INFINITY, ~0), reads as 2^64 and is written back as all ones. Where every
 * bit counts (signal masks, epoll data, clone flags) read the two halves instead.
 */

const TWO_32 = 0x1_0000_0000;
const TWO_64 = 2 ** 64;

/** Reads an unsigned 64-bit field. */
export function getU64(v: DataView, off: number): number {
  return v.getUint32(off, true) + v.getUint32(off + 4, true) * TWO_32;
}

/** Reads a signed 64-bit field. */
export function getI64(v: DataView, off: number): number {
  return v.getUint32(off, true) + v.getInt32(off + 4, true) * TWO_32;
}

/** Writes an integer below 2^53 in size; a negative one as two's complement; 2^64 as all ones. */
export function setU64(v: DataView, off: number, n: number): void {
  if (n >= TWO_64) {
    v.setUint32(off, 0xffffffff, true);
    v.setUint32(off + 4, 0xffffffff, true);
    return;
  }
  v.setUint32(off, n, true); // ToUint32 keeps the low half, also of a negative number.
  v.setUint32(off + 4, Math.floor(n / TWO_32), true);
}

/** Writes an integer below 2^53 in size, negative ones as two's complement. */
export function setI64(v: DataView, off: number, n: number): void {
  v.setUint32(off, n, true);
  v.setInt32(off + 4, Math.floor(n / TWO_32), true);
}

/** Sets `size` bytes at `off` to zero. */
export function zero(v: DataView, off: number, size: number): void {
  let i = off;
  const end = off + size;
  for (; i + 4 <= end; i += 4) v.setUint32(i, 0);
  for (; i < end; i++) v.setUint8(i, 0);
}
