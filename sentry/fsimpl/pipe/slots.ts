/**
 * The slots of a pipe (Linux: struct pipe_buffer): which of its bytes lie in one page together. A pipe is
 * full when its slots are taken, however few bytes are in them.
 */
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";

/** A slot in one number: its length, the end of its bytes in the page, and flags. */
type Slot = number;
const LENGTH_MASK = 0x1fff;
const END_SHIFT = 13;
const END_MASK = 0x1fff << END_SHIFT;
/** A later write may add to the page. */
const MERGES = 1 << 26;
/** A read takes it alone, and drops what it does not take: O_DIRECT. */
const PACKET = 1 << 27;
const FIRST_SIZE = 16;

export class PipeSlots {
  count = 0;
  /** Slots that are packets. */
  packets = 0;
  /** A ring, whose length is a power of two. */
  #slots = new Int32Array(FIRST_SIZE);
  #head = 0;

  /** Bytes in slot `i`, counted from the first. */
  lengthAt(i: number): number {
    return this.#at(i) & LENGTH_MASK;
  }
  isPacket(i: number): boolean {
    return (this.#at(i) & PACKET) !== 0;
  }

  /** Bytes that the last slot can still take. */
  get mergeRoom(): number {
    if (this.count === 0) return 0;
    const last = this.#at(this.count - 1);
    return (last & MERGES) === 0 ? 0 : PAGE_SIZE - (last >>> END_SHIFT & LENGTH_MASK);
  }

  /** The last slot takes `n` more bytes, at most `mergeRoom`. */
  merge(n: number): void {
    this.#slots[this.#index(this.count - 1)] += n | n << END_SHIFT;
  }

  /** Slots for `n` bytes of one write(2). */
  pushWritten(n: number, packet: boolean): void {
    const flags = packet ? PACKET : MERGES;
    for (; n > PAGE_SIZE; n -= PAGE_SIZE) this.#push(pack(PAGE_SIZE, PAGE_SIZE, flags));
    this.#push(pack(n, n, flags));
  }

  /** Slots for `n` bytes of another file, the first of which lies at `pageOffset` of its page. */
  pushPages(n: number, pageOffset: number): void {
    for (let room = PAGE_SIZE - pageOffset; n > 0; room = PAGE_SIZE) {
      const length = Math.min(n, room);
      this.#push(pack(length, PAGE_SIZE, 0));
      n -= length;
    }
  }

  /** The first `length` bytes of slot `i` of another pipe: moved whole, or a reference to its page. */
  pushFrom(other: PipeSlots, i: number, length: number, isMoved: boolean): void {
    const slot = other.#at(i);
    const kept = isMoved ? END_MASK | MERGES | PACKET : PACKET;
    this.#push(length | slot & kept);
  }

  /** Slots for `n` bytes before all others. */
  pushFront(n: number): void {
    while (n > 0) {
      const length = Math.min(n, PAGE_SIZE);
      this.#reserve();
      this.#head = (this.#head - 1) & (this.#slots.length - 1);
      this.#slots[this.#head] = pack(length, PAGE_SIZE, 0);
      this.count++;
      n -= length;
    }
  }

  /** Takes `n` bytes from the front: slots that become empty are free. */
  consume(n: number): void {
    while (n > 0) {
      const slot = this.#slots[this.#head];
      const length = slot & LENGTH_MASK;
      if (length > n) {
        this.#slots[this.#head] = slot - n;
        return;
      }
      n -= length;
      this.#shift(slot);
    }
  }

  clear(): void {
    this.count = this.packets = 0;
  }

  #shift(slot: Slot): void {
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.count--;
    if ((slot & PACKET) !== 0) this.packets--;
  }

  #push(slot: Slot): void {
    this.#reserve();
    this.#slots[this.#index(this.count++)] = slot;
    if ((slot & PACKET) !== 0) this.packets++;
  }

  #at(i: number): Slot {
    return this.#slots[this.#index(i)];
  }
  #index(i: number): number {
    return (this.#head + i) & (this.#slots.length - 1);
  }

  /** Makes room for one more. */
  #reserve(): void {
    const old = this.#slots;
    if (this.count < old.length) return;
    this.#slots = new Int32Array(2 * old.length);
    this.#slots.set(old.subarray(this.#head));
    this.#slots.set(old.subarray(0, this.#head), old.length - this.#head);
    this.#head = 0;
  }
}

function pack(length: number, end: number, flags: number): Slot {
  return length | end << END_SHIFT | flags;
}
