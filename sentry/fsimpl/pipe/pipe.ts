/**
 * The pipe object (Linux: pipe_inode_info). Bytes live in one ring that grows on demand; slots say which
 * of them share a page, since it is slots that a pipe has a number of.
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
import { PAGE_SIZE, PIPE_DEF_SIZE, PIPE_MAX_SIZE } from "../../../platform/abi/limits.ts";
import { ByteRing } from "../../vfs/byte_ring.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { WaitQueue } from "../../wait/queue.ts";
import { PipeSlots } from "./slots.ts";

export const READABLE = EPOLLIN | EPOLLRDNORM;
export const WRITABLE = EPOLLOUT | EPOLLWRNORM;
export const HANG_UP = EPOLLERR | EPOLLHUP;
const EVERYTHING = READABLE | WRITABLE | HANG_UP;

export class Pipe {
  readonly queue = new WaitQueue();
  /** Open files that can read or write; the counters only grow (FIFO opens wait for them to move). */
  readers = 0;
  writers = 0;
  readerOpens = 0;
  writerOpens = 0;
  capacity = PIPE_DEF_SIZE;
  readonly #ring = new ByteRing();
  readonly #slots = new PipeSlots();

  /** Bytes in the pipe. */
  get used(): number {
    return this.#ring.used;
  }

  get #freeSlots(): number {
    return this.capacity / PAGE_SIZE - this.#slots.count;
  }

  get full(): boolean {
    return this.#freeSlots <= 0;
  }

  /** The first of a kind wakes who waits for it in open(2), which is among the readers, as on Linux. */
  addReader(): void {
    this.readerOpens++;
    if (this.readers++ === 0) this.queue.notify(READABLE, 0);
  }
  addWriter(): void {
    this.writerOpens++;
    if (this.writers++ === 0) this.queue.notify(READABLE, 0);
  }
  removeReader(): void {
    if (--this.readers === 0) this.queue.notifyAll(EVERYTHING, READABLE | WRITABLE);
    if (this.readers + this.writers === 0) this.#discardAll();
  }
  removeWriter(): void {
    if (--this.writers === 0) this.queue.notifyAll(EVERYTHING, READABLE | WRITABLE);
    if (this.readers + this.writers === 0) this.#discardAll();
  }

  /** Returns the count; 0 when empty without writers; -EAGAIN when empty. */
  read(dst: IoDst): number {
    const want = dst.remaining;
    if (want === 0) return 0;
    if (this.used === 0) return this.writers === 0 ? 0 : -EAGAIN;
    const wasFull = this.full;
    const got = this.#slots.packets > 0 ? this.#readPackets(dst) : this.#readBytes(dst, want);
    if (wasFull && !this.full) this.queue.notify(WRITABLE, 0);
    this.queue.signal(WRITABLE);
    return got;
  }

  #readBytes(dst: IoDst, want: number): number {
    const got = this.#ring.drain(dst, want < this.used ? want : this.used, 0);
    if (got > 0) this.#drop(got);
    return got;
  }

  /**
   * Returns the count, which is short when more than a page does not fit; -EAGAIN or -EPIPE. What is left
   * beyond whole pages goes into the last page if it fits there: up to PIPE_BUF is whole or not at all.
   * Edge-triggered readers are told of every write, also of one that found no room.
   */
  write(src: IoSrc, packet: boolean): number {
    const n = src.remaining;
    if (n === 0) return 0;
    if (this.readers === 0) return -EPIPE;
    const merged = this.#mergeIntoLast(src, n % PAGE_SIZE);
    if (merged < 0) return merged;
    const added = merged === n ? 0 : this.#fillSlots(src, packet);
    this.queue.notify(READABLE);
    if (added < 0 && merged === 0) return added;
    return merged + Math.max(0, added);
  }

  #mergeIntoLast(src: IoSrc, n: number): number {
    if (n === 0 || n > this.#slots.mergeRoom) return 0;
    const got = this.#ring.fillPieces(src, n, PAGE_SIZE);
    if (got > 0) this.#slots.merge(got);
    return got;
  }

  #fillSlots(src: IoSrc, packet: boolean): number {
    const n = Math.min(src.remaining, this.#freeSlots * PAGE_SIZE);
    if (n <= 0) return -EAGAIN;
    const got = this.#ring.fillPieces(src, n, PAGE_SIZE);
    if (got > 0) this.#slots.pushWritten(got, packet);
    return got;
  }

  /** Copies up to `n` bytes from `skip` on without consuming them: splice(2). */
  peek(dst: IoDst, n: number, skip = 0): number {
    n = Math.min(n, dst.remaining, this.used - skip);
    return n <= 0 ? 0 : this.#ring.drain(dst, n, skip);
  }

  /** Drops `n` bytes that were peeked at; each slot that is empty by that is told to writers (splice(2)). */
  consume(n: number): void {
    const before = this.#slots.count;
    this.#drop(n);
    if (this.#slots.count < before) this.queue.notify(WRITABLE);
  }

  #drop(n: number): void {
    this.#ring.consume(n);
    this.#slots.consume(n);
  }

  /** Puts bytes back in front: a splice whose write came out short. May exceed the capacity for a while. */
  unread(src: Uint8Array, start: number, end: number): void {
    const n = end - start;
    if (n === 0) return;
    this.#ring.unread(src, start, end);
    this.#slots.pushFront(n);
    this.queue.notify(READABLE);
  }

  /**
   * Appends bytes that were already taken from elsewhere, even above the capacity; the first was at
   * `pageOffset` of its page.
   */
  append(src: IoSrc, pageOffset = 0): number {
    const n = this.#ring.fill(src, src.remaining);
    if (n > 0) {
      this.#slots.pushPages(n, pageOffset);
      this.queue.notify(READABLE);
    }
    return n;
  }

  /** Bytes that fit now, when the first of them lies at `pageOffset` of its page. */
  room(pageOffset = 0): number {
    return this.full ? 0 : this.#freeSlots * PAGE_SIZE - pageOffset;
  }

  /**
   * Up to `count` bytes go to another pipe, slot by slot while it has free ones; with `keeps` (tee(2))
   * they stay here, too. Returns how many.
   */
  passTo(to: Pipe, count: number, keeps: boolean): number {
    const slots = this.#slots;
    let total = 0;
    for (let i = 0; i < slots.count && total < count && !to.full; i++) {
      const whole = slots.lengthAt(i);
      const length = Math.min(whole, count - total);
      to.#slots.pushFrom(slots, i, length, !keeps && length === whole);
      total += length;
    }
    const bytes = new Uint8Array(total);
    this.#ring.drain(new KernelDst(bytes), total, 0);
    to.#ring.fill(new KernelSrc(bytes), total);
    to.queue.notify(READABLE);
    if (!keeps) this.consume(total);
    return total;
  }

  /** F_SETPIPE_SZ. Returns the size that was set. */
  resize(sizeBytes: number, privileged: boolean): number {
    if (sizeBytes > 0x8000_0000) return -EINVAL;
    let size = PAGE_SIZE;
    while (size < sizeBytes) size *= 2;
    if (size > PIPE_MAX_SIZE && size > this.capacity && !privileged) return -EPERM;
    if (this.#slots.count * PAGE_SIZE > size) return -EBUSY;
    if (size > MAX_PRIVILEGED_SIZE) return -EPERM;
    this.capacity = size;
    this.queue.notify(WRITABLE, 0);
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

  /** A read that meets packets: it ends with the first, the rest of which is thrown away. */
  #readPackets(dst: IoDst): number {
    const slots = this.#slots;
    let total = 0;
    while (slots.count > 0 && dst.remaining > 0) {
      const length = slots.lengthAt(0), isPacket = slots.isPacket(0);
      const got = this.#ring.drain(dst, Math.min(length, dst.remaining), 0);
      if (got < 0) return total > 0 ? total : got;
      total += got;
      this.#drop(isPacket ? length : got);
      if (isPacket) break;
    }
    return total;
  }

  #discardAll(): void {
    this.#ring.clear();
    this.#slots.clear();
  }
}

/** Linux lets a privileged process take any size; the Sentry's memory is not the guest's. */
const MAX_PRIVILEGED_SIZE = 64 * PIPE_MAX_SIZE;
