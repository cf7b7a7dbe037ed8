/** A bounded queue of bytes (a ring), between the two sides of a terminal. */
export class ByteQueue {
  readonly #ring: Uint8Array;
  #head = 0;
  #size = 0;

  /** `capacity` is a power of two. */
  constructor(readonly capacity: number) {
    this.#ring = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#size;
  }
  get room(): number {
    return this.capacity - this.#size;
  }

  /** There must be room. */
  push(byte: number): void {
    this.#ring[(this.#head + this.#size++) & (this.capacity - 1)] = byte;
  }

  /** Hands up to two contiguous runs of at most `limit` bytes to `take`, which returns how many it took. */
  drain(limit: number, take: (src: Uint8Array, start: number, end: number) => number): number {
    let total = 0;
    while (this.#size > 0 && total < limit) {
      const end = Math.min(this.capacity, this.#head + Math.min(this.#size, limit - total));
      const n = take(this.#ring, this.#head, end);
      if (n < 0) return total > 0 ? total : n;
      const wanted = end - this.#head;
      this.#head = (this.#head + n) & (this.capacity - 1);
      this.#size -= n;
      total += n;
      if (n < wanted) break;
    }
    return total;
  }

  pushAll(src: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) this.push(src[i]);
  }

  /** Drops all but the first `n` bytes. */
  truncate(n: number): void {
    if (this.#size > n) this.#size = n;
  }
}
