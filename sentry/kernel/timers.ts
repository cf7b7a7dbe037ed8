/**
 * The kernel's timers: a binary min-heap on the monotonic deadline. A timer lies in the heap at most
 * once; it knows its place, so that cancelling is O(log n).
 */
export interface KernelTimer {
  deadlineMonoNs: number;
  /** Called once when the deadline has passed, after the timer left the heap; it may add itself again. */
  fire(): void;
  /** Place in the heap, kept by TimerHeap; undefined or -1 outside. */
  heapIndex?: number;
}

export class TimerHeap {
  #heap: KernelTimer[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The nearest deadline, or -1 when no timer is armed. One before the clock began is due now. */
  get nextDeadlineMonoNs(): number {
    return this.#heap.length === 0 ? -1 : Math.max(0, this.#heap[0].deadlineMonoNs);
  }

  /** Arms a timer; one that is armed already is moved to its new deadline. */
  add(timer: KernelTimer): void {
    const i = timer.heapIndex ?? -1;
    if (i >= 0) {
      this.#siftDown(this.#siftUp(i));
      return;
    }
    this.#heap.push(timer);
    timer.heapIndex = this.#heap.length - 1;
    this.#siftUp(timer.heapIndex);
  }

  /** Disarms it; false when it was not armed. */
  cancel(timer: KernelTimer): boolean {
    const i = timer.heapIndex ?? -1;
    if (i < 0) return false;
    timer.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last !== timer) {
      this.#place(last, i);
      this.#siftDown(this.#siftUp(i));
    }
    return true;
  }

  /** Fires every timer whose deadline is not after `nowMonoNs`; returns how many. */
  expire(nowMonoNs: number): number {
    let fired = 0;
    // A periodic timer with a tiny period could feed this loop for ever: its owner arms it at a
    // deadline after `nowMonoNs`, and this bound holds against one that does not.
    let budget = this.#heap.length + 1024;
    while (this.#heap.length > 0 && budget-- > 0) {
      const first = this.#heap[0];
      if (first.deadlineMonoNs > nowMonoNs) break;
      this.cancel(first);
      first.fire();
      fired++;
    }
    return fired;
  }

  #place(timer: KernelTimer, i: number): void {
    this.#heap[i] = timer;
    timer.heapIndex = i;
  }

  #siftUp(start: number): number {
    let i = start;
    const timer = this.#heap[i];
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = this.#heap[up];
      if (parent.deadlineMonoNs <= timer.deadlineMonoNs) break;
      this.#place(parent, i);
      i = up;
    }
    this.#place(timer, i);
    return i;
  }

  #siftDown(start: number): void {
    let i = start;
    const timer = this.#heap[i];
    const n = this.#heap.length;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (
        child + 1 < n &&
        this.#heap[child + 1].deadlineMonoNs < this.#heap[child].deadlineMonoNs
      ) child++;
      if (this.#heap[child].deadlineMonoNs >= timer.deadlineMonoNs) break;
      this.#place(this.#heap[child], i);
      i = child;
    }
    this.#place(timer, i);
  }
}
