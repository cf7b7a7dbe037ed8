/**
 * Contents of small, hot, unchanging host files, so that reading them again costs no host call.
 * Bounded by bytes; the clock algorithm chooses what goes.
 */
export interface ContentHolder {
  content: Uint8Array | null;
  contentUsed: boolean;
}

export class ContentCache {
  readonly #ring: ContentHolder[] = [];
  #hand = 0;
  #bytes = 0;

  constructor(readonly limitBytes: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  put(holder: ContentHolder, content: Uint8Array): void {
    this.drop(holder);
    holder.content = content;
    holder.contentUsed = true;
    this.#bytes += content.length;
    this.#ring.push(holder);
    while (this.#bytes > this.limitBytes && this.#ring.length > 1) this.#evict();
  }

  drop(holder: ContentHolder): void {
    if (holder.content === null) return;
    this.#removeAt(this.#ring.indexOf(holder));
  }

  clear(): void {
    while (this.#ring.length > 0) this.#removeAt(this.#ring.length - 1);
  }

  #evict(): void {
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const holder = this.#ring[this.#hand];
      if (!holder.contentUsed) return this.#removeAt(this.#hand);
      holder.contentUsed = false;
      this.#hand++;
    }
  }

  #removeAt(i: number): void {
    const holder = this.#ring[i];
    this.#bytes -= holder.content!.length;
    holder.content = null;
    const last = this.#ring.pop()!;
    if (i < this.#ring.length) this.#ring[i] = last;
  }
}
