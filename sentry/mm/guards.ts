/**
 * Where a process has put guards (MADV_GUARD_INSTALL): pages that fault within mappings that say nothing of it. The
 * list may name what has gone meanwhile, with its mapping, and knows no guards that were moved with theirs.
 */

/** What lies behind the so manieth guard is forgotten: writes that end there fail as a whole. */
const GUARDS_MAX = 256;

export class Guards {
  /** start, end, start, end … */
  readonly #ranges: number[] = [];

  add(start: number, end: number): void {
    this.remove(start, end);
    if (this.#ranges.length < 2 * GUARDS_MAX) this.#ranges.push(start, end);
  }

  remove(start: number, end: number): void {
    const ranges = this.#ranges;
    for (let i = ranges.length - 2; i >= 0; i -= 2) {
      const from = ranges[i], to = ranges[i + 1];
      if (from >= end || to <= start) continue;
      ranges.splice(i, 2);
      if (from < start) ranges.push(from, start);
      if (to > end) ranges.push(end, to);
    }
  }

  overlap(start: number, end: number): boolean {
    const ranges = this.#ranges;
    for (let i = 0; i < ranges.length; i += 2) {
      if (ranges[i] < end && ranges[i + 1] > start) return true;
    }
    return false;
  }

  /** The list of a fork's child. */
  copy(): Guards {
    const copy = new Guards();
    for (const each of this.#ranges) copy.#ranges.push(each);
    return copy;
  }
}
