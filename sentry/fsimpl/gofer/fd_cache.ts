/** Bounds the host fds that goferfs keeps open, by the clock algorithm. */
export interface FdHolder {
  /** Position in the cache, -1 outside; owned by FdCache. */
  fdIndex: number;
  /** Set at every use, cleared as the clock's hand passes. */
  fdUsed: boolean;
  /** False while the fds are in use. `evenOpen`: a guest having it open counts for nothing if that can be. */
  mayCloseFds(evenOpen: boolean): boolean;
  /** Called after it was taken out of the cache. */
  closeFds(): void;
}

/** Looks at others for one that is added; who is left is looked at with the next one. */
const STEPS = 64;

export class FdCache {
  readonly #ring: FdHolder[] = [];
  #hand = 0;

  /** `limit`: of those that nobody has open; `openLimit`, which is no less: of all, as far as they may be closed. */
  constructor(readonly limit: number, readonly openLimit: number) {}

  get size(): number {
    return this.#ring.length;
  }

  /** Adds a holder (again: nothing). Closes another's fds when full and some may be closed. */
  add(holder: FdHolder): void {
    holder.fdUsed = true;
    if (holder.fdIndex >= 0) return;
    const { length } = this.#ring;
    if (length >= this.limit && !this.#evict(false) && length >= this.openLimit) this.#evict(true);
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

  /** Closes everything. */
  clear(): void {
    for (let i = this.#ring.length - 1; i >= 0; i--) {
      const holder = this.#ring[i];
      this.remove(holder);
      holder.closeFds();
    }
  }

  #evict(evenOpen: boolean): boolean {
    const ring = this.#ring;
    for (let left = Math.min(STEPS, 2 * ring.length); left > 0; left--) {
      if (this.#hand >= ring.length) this.#hand = 0;
      const holder = ring[this.#hand];
      if (!holder.fdUsed && holder.mayCloseFds(evenOpen)) {
        this.remove(holder);
        holder.closeFds();
        return true;
      }
      holder.fdUsed = false;
      this.#hand++;
    }
    return false;
  }
}
