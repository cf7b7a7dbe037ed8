/**
 * The pipe object (Linux: pipe_inode_info). Bytes live in one ring that grows on demand up to the
 * capacity. Linux keeps page slots; what a program can see of them is kept: writes up to PIPE_BUF are
 * atomic, a pipe is writable when a whole page is free, and an O_DIRECT packet takes a slot of its own.
 */
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDNORM,
  EPOLLWRNORM,
} from "../../../platform/abi/epoll.ts";
import { EAGAIN, EBUSY, EINVAL, EPERM, EPIPE } from "../../../platform/abi/errno.ts";
import { PAGE_SIZE, PIPE_BUF, PIPE_DEF_SIZE, PIPE_MAX_SIZE } from "../../../platform/abi/limits.ts";
import { ByteRing } from "../../vfs/byte_ring.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";

const READABLE = EPOLLIN | EPOLLRDNORM;
const WRITABLE = EPOLLOUT | EPOLLWRNORM;
const EVERYTHING = READABLE | WRITABLE | EPOLLERR | EPOLLHUP;

/** A run of bytes in the ring: stream bytes, or one O_DIRECT packet. */
interface Segment {
  length: number;
  packet: boolean;
}

export class Pipe {
  readonly queue = new WaitQueue();
  /** Open files that can read or write; the counters only grow (FIFO opens wait for them to move). */
  readers = 0;
  writers = 0;
  readerOpens = 0;
  writerOpens = 0;
  capacity = PIPE_DEF_SIZE;
  readonly #ring = new ByteRing();
  /** Null until the first packet is written, and again when the pipe is empty. */
  #segments: Segment[] | null = null;

  /** Bytes in the pipe. */
  get used(): number {
    return this.#ring.used;
  }

  get full(): boolean {
    if (this.#segments !== null && this.#segments.length >= this.capacity / PAGE_SIZE) return true;
    return this.capacity - this.used < PAGE_SIZE;
  }

  addReader(): void {
    this.readerOpens++;
    this.readers++;
    this.queue.notify(WRITABLE);
  }
  addWriter(): void {
    this.writerOpens++;
    this.writers++;
    this.queue.notify(READABLE);
  }
  removeReader(): void {
    if (--this.readers === 0) this.queue.notify(EVERYTHING);
    if (this.readers + this.writers === 0) this.#discardAll();
  }
  removeWriter(): void {
    if (--this.writers === 0) this.queue.notify(EVERYTHING);
    if (this.readers + this.writers === 0) this.#discardAll();
  }

  /** Returns the count; 0 when empty without writers; -EAGAIN when empty. */
  read(dst: IoDst): number {
    const want = dst.remaining;
    if (want === 0) return 0;
    if (this.used === 0) return this.writers === 0 ? 0 : -EAGAIN;
    if (this.#segments !== null) return this.#readSegments(dst, this.#segments);
    const n = want < this.used ? want : this.used;
    const got = this.#ring.drain(dst, n, 0);
    if (got > 0) this.consume(got);
    return got;
  }

  /** Returns the count, which is short when more than PIPE_BUF does not fit; -EAGAIN or -EPIPE. */
  write(src: IoSrc, packet: boolean): number {
    let n = src.remaining;
    if (n === 0) return 0;
    if (this.readers === 0) return -EPIPE;
    if (packet || this.#segments !== null) return this.#writeSegments(src, packet);
    const free = this.capacity - this.used;
    if (free < n) {
      if (n <= PIPE_BUF || free <= 0) return -EAGAIN;
      n = free;
    }
    const got = this.#ring.fillPieces(src, n, PAGE_SIZE);
    if (got > 0) this.queue.notify(READABLE);
    return got;
  }

  /** Copies up to `n` bytes from `skip` on without consuming them: tee(2), splice(2). A packet ends it. */
  peek(dst: IoDst, n: number, skip = 0): number {
    n = Math.min(n, dst.remaining, this.used - skip);
    if (this.#segments !== null) n = Math.min(n, this.#segments[0].length);
    return n <= 0 ? 0 : this.#ring.drain(dst, n, skip);
  }

  /** Drops `n` bytes that were peeked at, and wakes writers when that makes room. */
  consume(n: number): void {
    const wasFull = this.full;
    this.#ring.consume(n);
    const segments = this.#segments;
    if (segments !== null) {
      while (n > 0) {
        const first = segments[0];
        if (first.length > n) {
          first.length -= n;
          break;
        }
        n -= first.length;
        segments.shift();
      }
      if (segments.length === 0) this.#segments = null;
    }
    if (wasFull && !this.full) this.queue.notify(WRITABLE);
  }

  /** Puts bytes back in front: a splice whose write came out short. May exceed the capacity for a while. */
  unread(src: Uint8Array, start: number, end: number): void {
    const n = end - start;
    if (n === 0) return;
    this.#ring.unread(src, start, end);
    if (this.#segments !== null) this.#segments.unshift({ length: n, packet: false });
    this.queue.notify(READABLE);
  }

  /** Appends bytes that were already taken from elsewhere, even above the capacity. */
  append(src: IoSrc): number {
    const n = this.#ring.fill(src, src.remaining);
    if (n > 0 && this.#segments !== null) this.#addSegment(n, false);
    if (n > 0) this.queue.notify(READABLE);
    return n;
  }

  /** Stream bytes that fit now. */
  get room(): number {
    if (this.#segments !== null && this.full) return 0;
    return Math.max(0, this.capacity - this.used);
  }

  /** F_SETPIPE_SZ. Returns the size that was set. */
  resize(sizeBytes: number, privileged: boolean): number {
    if (sizeBytes > 0x8000_0000) return -EINVAL;
    let size = PAGE_SIZE;
    while (size < sizeBytes) size *= 2;
    if (size > PIPE_MAX_SIZE && size > this.capacity && !privileged) return -EPERM;
    const slots = this.#segments !== null
      ? this.#segments.length
      : Math.ceil(this.used / PAGE_SIZE);
    if (slots * PAGE_SIZE > size || this.used > size) return -EBUSY;
    if (size > MAX_PRIVILEGED_SIZE) return -EPERM;
    const wasFull = this.full;
    this.capacity = size;
    if (wasFull && !this.full) this.queue.notify(WRITABLE);
    return size;
  }

  /** poll(2) for a file with these directions; `sinceWriter`: a writer has been there since its open. */
  readiness(reads: boolean, writes: boolean, sinceWriter: boolean): number {
    let events = 0;
    if (reads) {
      if (this.used > 0) events |= READABLE;
      if (this.writers === 0 && sinceWriter) events |= EPOLLHUP;
    }
    if (writes) {
      if (!this.full) events |= WRITABLE;
      if (this.readers === 0) events |= EPOLLERR;
    }
    return events;
  }

  #readSegments(dst: IoDst, segments: Segment[]): number {
    let total = 0;
    while (segments.length > 0 && dst.remaining > 0) {
      const { length, packet } = segments[0];
      const got = this.#ring.drain(dst, Math.min(length, dst.remaining), 0);
      if (got < 0) return total > 0 ? total : got;
      total += got;
      this.consume(packet ? length : got); // The rest of a packet is thrown away.
      if (packet) break;
    }
    return total;
  }

  #writeSegments(src: IoSrc, packet: boolean): number {
    this.#segments ??= this.used > 0 ? [{ length: this.used, packet: false }] : [];
    const slots = this.capacity / PAGE_SIZE;
    let total = 0;
    if (!packet && src.remaining <= PIPE_BUF && this.capacity - this.used < src.remaining) {
      return -EAGAIN;
    }
    while (src.remaining > 0 && this.#segments.length < slots) {
      const n = Math.min(src.remaining, PAGE_SIZE, this.capacity - this.used);
      if (n <= 0) break;
      const got = this.#ring.fillPieces(src, n, PAGE_SIZE);
      if (got < 0) {
        if (total === 0) {
          if (this.used === 0) this.#segments = null;
          return got;
        }
        break;
      }
      this.#addSegment(got, packet);
      total += got;
    }
    if (total === 0) return -EAGAIN;
    this.queue.notify(READABLE);
    return total;
  }

  #addSegment(length: number, packet: boolean): void {
    const segments = this.#segments!;
    const last = segments[segments.length - 1];
    if (!packet && last !== undefined && !last.packet) last.length += length;
    else segments.push({ length, packet });
  }

  #discardAll(): void {
    this.#ring.clear();
    this.#segments = null;
  }
}

/** Linux lets a privileged process take any size; the Sentry's memory is not the guest's. */
const MAX_PRIVILEGED_SIZE = 64 * PIPE_MAX_SIZE;
