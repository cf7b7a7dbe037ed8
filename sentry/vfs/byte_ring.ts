/** A byte queue that grows on demand: pipes and stream sockets. Its owner sets the limits. */
import { EFAULT } from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import type { IoDst, IoSrc } from "./io.ts";

const EMPTY = new Uint8Array(0);

export class ByteRing {
  /** Bytes in the ring. */
  used = 0;
  /** Its length is 0 or a power of two. */
  #buf: Uint8Array = EMPTY;
  #head = 0;

  /** Copies `n` bytes (at most used - skip) from `skip` on to `dst`. Returns the count or -EFAULT. */
  drain(dst: IoDst, n: number, skip: number): number {
    const buf = this.#buf;
    const start = (this.#head + skip) & (buf.length - 1);
    if (start + n <= buf.length) return dst.put(buf, start, start + n);
    const first = buf.length - start;
    const got = dst.put(buf, start, buf.length);
    if (got !== first) return got;
    const more = dst.put(buf, 0, n - first);
    return more > 0 ? got + more : got;
  }

  /** Appends `n` bytes of `src`. Returns the count, which is short after a fault, or -EFAULT. */
  fill(src: IoSrc, n: number): number {
    if (this.used + n > this.#buf.length) this.#reserve(this.used + n);
    const buf = this.#buf;
    const tail = (this.#head + this.used) & (buf.length - 1);
    const first = buf.length - tail;
    let got: number;
    if (n <= first) got = src.take(buf, tail, tail + n);
    else {
      got = src.take(buf, tail, buf.length);
      if (got === first) {
        const more = src.take(buf, 0, n - first);
        if (more > 0) got += more;
      }
    }
    if (got > 0) this.used += got;
    return got;
  }

  /**
   * As `fill`, in pieces of `piece` bytes, each of which is taken as a whole or not at all: what a fault
   * cuts short is not in the ring.
   */
  fillPieces(src: IoSrc, n: number, piece: number): number {
    const got = this.fill(src, n);
    if (got === n || got < 0) return got;
    const rest = got % piece;
    this.used -= rest;
    return got > rest ? got - rest : -EFAULT;
  }

  /** Drops the first `n` bytes. */
  consume(n: number): void {
    this.used -= n;
    this.#head = this.used === 0 ? 0 : (this.#head + n) & (this.#buf.length - 1);
  }

  /** Puts bytes back in front. */
  unread(src: Uint8Array, start: number, end: number): void {
    const n = end - start;
    this.#reserve(this.used + n);
    const mask = this.#buf.length - 1;
    this.#head = (this.#head - n) & mask;
    for (let i = 0; i < n; i++) this.#buf[(this.#head + i) & mask] = src[start + i];
    this.used += n;
  }

  clear(): void {
    this.used = this.#head = 0;
    this.#buf = EMPTY;
  }

  #reserve(n: number): void {
    const old = this.#buf;
    if (n <= old.length) return;
    let size = Math.max(PAGE_SIZE, old.length);
    while (size < n) size *= 2;
    const buf = new Uint8Array(size);
    const first = Math.min(this.used, old.length - this.#head);
    buf.set(old.subarray(this.#head, this.#head + first));
    buf.set(old.subarray(0, this.used - first), first);
    this.#buf = buf;
    this.#head = 0;
  }
}
