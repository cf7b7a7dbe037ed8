/** Bounds the host fds that goferfs keeps open for inodes nobody has open, by the clock algorithm. */
export interface FdHolder {
  /** Position in the cache, -1 outside; owned by FdCache. */
  fdIndex: number;
  /** Set at every use, cleared as the clock's hand passes. */
  fdUsed: boolean;
  /** False while the fds are in use. */
  mayCloseFds(): boolean;
  /** Called after it was taken out of the cache. */
  closeFds(): void;
}

export class FdCache {
  readonly #ring: FdHolder[] = [];
  #hand = 0;

  constructor(readonly limit: number) {}

  get size(): number {
    return this.#ring.length;
  }

  /** Adds a holder (again: nothing). Closes another's fds when full and some are not in use. */
  add(holder: FdHolder): void {
    holder.fdUsed = true;
    if (holder.fdIndex >= 0) return;
    if (this.#ring.length >= this.limit) this.#evict();
    holder.fdIndex = this.#ring.length;
    this.#ring.push(holder);
  }

  remove(holder: FdHolder): void {
    const i = holder.fdIndex;
    if (i < 0) return;
    holder.fdIndex = -1;
    const last = this.#ring.pop()!;
    if (last === holder) return;
    this.#ring[i] = last;
    last.fdIndex = i;
  }

  /** Closes everything that is not in use, or (`all`) everything. */
  clear(all: boolean): void {
    for (let i = this.#ring.length - 1; i >= 0; i--) {
      const holder = this.#ring[i];
      if (!all && !holder.mayCloseFds()) continue;
      this.remove(holder);
      holder.closeFds();
    }
  }

  #evict(): void {
    const ring = this.#ring;
    for (let step = 0; step < 2 * ring.length; step++) {
      if (this.#hand >= ring.length) this.#hand = 0;
      const holder = ring[this.#hand];
      if (!holder.fdUsed && holder.mayCloseFds()) {
        this.remove(holder);
        holder.closeFds();
        return;
      }
      holder.fdUsed = false;
      this.#hand++;
    }
    // All in use: RLIMIT_NOFILE of the guests bounds these.
  }
}
