/**
 * What Linux charges a sender for bytes that are not read yet: not their number, but the memory of the
 * buffers they lie in (struct sk_buff's truesize), which decides when a socket is full and when it has room.
 */
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { pageUp } from "../../mm/memory_manager.ts";

/** The size of a struct sk_buff, and of the struct skb_shared_info behind a buffer's bytes. */
const SK_BUFF = 256;
const SHARED_INFO = 320;
/** Bytes of a message before its rest is put in pages (SKB_MAX_ALLOC), and pages that a buffer can have. */
const MESSAGE_HEAD_MAX = 4 * PAGE_SIZE - SHARED_INFO;
const MAX_PAGES = 17;
/** The same of a stream (SKB_MAX_HEAD), where a buffer's pages are 32 KiB at most. */
const STREAM_HEAD_MAX = PAGE_SIZE - SHARED_INFO;
const STREAM_BUFFER_MAX = STREAM_HEAD_MAX + 32768;

/** `head` bytes of one allocation, which the host rounds up to a power of two, and pages for `rest`. */
function bufferCost(head: number, rest: number): number {
  const wanted = (head + 63 & ~63) + SHARED_INFO;
  return SK_BUFF + 2 ** (32 - Math.clz32(wanted - 1)) + pageUp(rest);
}

/** The cost of a message of `length` bytes. */
export function messageCost(length: number): number {
  const over = Math.max(0, length - MESSAGE_HEAD_MAX);
  const rest = pageUp(Math.min(over, MAX_PAGES * PAGE_SIZE));
  return bufferCost(length - rest, rest);
}

/** The most bytes of a stream in one buffer, so that two fit. */
export function streamBufferMax(sndbuf: number): number {
  return Math.min((sndbuf >>> 1) - 64, STREAM_BUFFER_MAX);
}

/** The cost of a buffer with `length` bytes of a stream. */
export function streamCost(length: number): number {
  const rest = Math.min(length, pageUp(Math.max(0, length - STREAM_HEAD_MAX)));
  return bufferCost(length - rest, rest);
}

/** Whether a socket with `charged` bytes is writable (unix_writable; Linux counts from 1). */
export function hasRoom(charged: number, sndbuf: number): boolean {
  return (charged + 1) * 4 <= sndbuf;
}

/** The buffers of a stream's bytes that are not read, in order. */
export class StreamBuffers {
  /** A ring of pairs: bytes left, and the cost. Its length is a power of two. */
  #pairs = new Int32Array(16);
  #head = 0;
  #count = 0;

  push(length: number, cost: number): void {
    if (2 * this.#count === this.#pairs.length) this.#grow();
    const at = this.#at(this.#count++);
    this.#pairs[at] = length;
    this.#pairs[at + 1] = cost;
  }

  /** Takes `n` bytes from the front. Returns the cost of the buffers that are empty by that. */
  consume(n: number): number {
    const pairs = this.#pairs;
    let freed = 0;
    while (n > 0) {
      const at = this.#head;
      const taken = Math.min(n, pairs[at]);
      n -= taken;
      if ((pairs[at] -= taken) > 0) break;
      freed += pairs[at + 1];
      this.#head = this.#at(1);
      this.#count--;
    }
    return freed;
  }

  #at(i: number): number {
    return (this.#head + 2 * i) & (this.#pairs.length - 1);
  }

  #grow(): void {
    const old = this.#pairs;
    this.#pairs = new Int32Array(2 * old.length);
    this.#pairs.set(old.subarray(this.#head));
    this.#pairs.set(old.subarray(0, this.#head), old.length - this.#head);
    this.#head = 0;
  }
}
