/**
 * The pages of a large sparse file that have data: for quotas, st_blocks, SEEK_DATA and SEEK_HOLE.
 * A leaf of 32 words stands for 1024 pages (4 MiB); leaves exist where pages do.
 */
const LEAF_PAGES = 1024;
const LEAF_WORDS = LEAF_PAGES / 32;

export class PageSet {
  count = 0;
  readonly #leaves = new Map<number, Int32Array>();

  /** Pages of [first, last] that are in the set; `last` may be Infinity. */
  countPresent(first: number, last: number): number {
    let n = 0;
    for (const [leafIndex, leaf] of this.#leaves) {
      const base = leafIndex * LEAF_PAGES;
      const from = Math.max(first, base) - base;
      const to = Math.min(last, base + LEAF_PAGES - 1) - base;
      if (from <= to) n += countIn(leaf, from, to);
    }
    return n;
  }

  /** Pages of [first, last] that are not in the set. */
  countMissing(first: number, last: number): number {
    let missing = 0;
    for (let page = first; page <= last;) {
      const leafIndex = Math.floor(page / LEAF_PAGES);
      const end = Math.min(last, (leafIndex + 1) * LEAF_PAGES - 1);
      const leaf = this.#leaves.get(leafIndex);
      missing += end - page + 1;
      if (leaf !== undefined) missing -= countIn(leaf, page % LEAF_PAGES, end % LEAF_PAGES);
      page = end + 1;
    }
    return missing;
  }

  /** Adds [first, last]. Returns how many were new. */
  add(first: number, last: number): number {
    let added = 0;
    for (let page = first; page <= last;) {
      const leafIndex = Math.floor(page / LEAF_PAGES);
      const end = Math.min(last, (leafIndex + 1) * LEAF_PAGES - 1);
      let leaf = this.#leaves.get(leafIndex);
      if (leaf === undefined) this.#leaves.set(leafIndex, leaf = new Int32Array(LEAF_WORDS));
      added += change(leaf, page % LEAF_PAGES, end % LEAF_PAGES, true);
      page = end + 1;
    }
    this.count += added;
    return added;
  }

  /** Removes [first, last]; `last` may be Infinity. Returns how many were there. */
  remove(first: number, last: number): number {
    let removed = 0;
    for (const [leafIndex, leaf] of this.#leaves) {
      const base = leafIndex * LEAF_PAGES;
      const from = Math.max(first, base) - base;
      const to = Math.min(last, base + LEAF_PAGES - 1) - base;
      if (from > to) continue;
      removed += change(leaf, from, to, false);
      if (from === 0 && to === LEAF_PAGES - 1) this.#leaves.delete(leafIndex);
    }
    this.count -= removed;
    return removed;
  }

  has(page: number): boolean {
    const leaf = this.#leaves.get(Math.floor(page / LEAF_PAGES));
    return leaf !== undefined && (leaf[(page % LEAF_PAGES) >>> 5] >>> (page & 31) & 1) === 1;
  }

  /** The first page from `page` on that is in the set, or Infinity. */
  next(page: number): number {
    let best = Infinity;
    for (const [leafIndex, leaf] of this.#leaves) {
      const base = leafIndex * LEAF_PAGES;
      if (base + LEAF_PAGES <= page || base >= best) continue;
      for (let i = Math.max(0, page - base); i < LEAF_PAGES && base + i < best; i++) {
        if ((leaf[i >>> 5] >>> (i & 31) & 1) === 1) best = base + i;
        else if (leaf[i >>> 5] === 0) i |= 31;
      }
    }
    return best;
  }

  /** The first page from `page` on that is not in the set. */
  nextMissing(page: number): number {
    while (this.has(page)) page++;
    return page;
  }
}

/** The bits [from, to] of word `w` as a mask. */
function wordMask(w: number, from: number, to: number): number {
  const low = from > w * 32 ? -1 << (from & 31) : -1;
  const high = to < w * 32 + 31 ? -1 >>> (31 - (to & 31)) : -1;
  return low & high;
}

function countIn(leaf: Int32Array, from: number, to: number): number {
  let n = 0;
  for (let w = from >>> 5; w <= to >>> 5; w++) n += popCount(leaf[w] & wordMask(w, from, to));
  return n;
}

function change(leaf: Int32Array, from: number, to: number, set: boolean): number {
  let n = 0;
  for (let w = from >>> 5; w <= to >>> 5; w++) {
    const mask = wordMask(w, from, to);
    n += popCount(mask & (set ? ~leaf[w] : leaf[w]));
    leaf[w] = set ? leaf[w] | mask : leaf[w] & ~mask;
  }
  return n;
}

export function popCount(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
