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
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";

const READABLE = EPOLLIN | EPOLLRDNORM;
const WRITABLE = EPOLLOUT | EPOLLWRNORM;
const EVERYTHING = READABLE | WRITABLE | EPOLLERR | EPOLLHUP;
const EMPTY = new Uint8Array(0);

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
  /** Bytes in the pipe. */
  used = 0;
  #buf: Uint8Array = EMPTY;
  #head = 0;
  /** Null until the first packet is written, and again when the pipe is empty. */
  #segments: Segment[] | null = null;

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
    const got = this.#drain(dst, n, 0);
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
    const got = this.#fill(src, n);
    if (got > 0) this.queue.notify(READABLE);
    return got;
  }

  /** Copies up to `n` bytes from `skip` on without consuming them: tee(2), splice(2). A packet ends it. */
  peek(dst: IoDst, n: number, skip = 0): number {
    n = Math.min(n, dst.remaining, this.used - skip);
    if (this.#segments !== null) n = Math.min(n, this.#segments[0].length);
    return n <= 0 ? 0 : this.#drain(dst, n, skip);
  }

  /** Drops `n` bytes that were peeked at, and wakes writers when that makes room. */
  consume(n: number): void {
    const wasFull = this.full;
    this.used -= n;
    this.#head = this.used === 0 ? 0 : (this.#head + n) & (this.#buf.length - 1);
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
    this.#reserve(this.used + n);
    const mask = this.#buf.length - 1;
    this.#head = (this.#head - n) & mask;
    for (let i = 0; i < n; i++) this.#buf[(this.#head + i) & mask] = src[start + i];
    this.used += n;
    if (this.#segments !== null) this.#segments.unshift({ length: n, packet: false });
    this.queue.notify(READABLE);
  }

  /** Appends bytes that were already taken from elsewhere, even above the capacity. */
  append(src: IoSrc): number {
    const n = this.#fill(src, src.remaining);
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
      const got = this.#drain(dst, Math.min(length, dst.remaining), 0);
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
      const got = this.#fill(src, n);
      if (got < 0) {
        if (total === 0) {
          if (this.used === 0) this.#segments = null;
          return got;
        }
        break;
      }
      this.#addSegment(got, packet);
      total += got;
      if (got < n) break;
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

  #drain(dst: IoDst, n: number, skip: number): number {
    const buf = this.#buf;
    const start = (this.#head + skip) & (buf.length - 1);
    if (start + n <= buf.length) return dst.put(buf, start, start + n);
    const first = buf.length - start;
    const got = dst.put(buf, start, buf.length);
    if (got !== first) return got;
    const more = dst.put(buf, 0, n - first);
    return more > 0 ? got + more : got;
  }

  #fill(src: IoSrc, n: number): number {
    this.#reserve(this.used + n);
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

  #discardAll(): void {
    this.used = this.#head = 0;
    this.#buf = EMPTY;
    this.#segments = null;
  }
}

/** Linux lets a privileged process take any size; the Sentry's memory is not the guest's. */
const MAX_PRIVILEGED_SIZE = 64 * PIPE_MAX_SIZE;
