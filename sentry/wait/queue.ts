/**
 * Wait queues: how a task, an epoll instance or a poll call learns that something may be ready.
 * Linux's word is wait_queue_head. Events are poll(2) masks (EPOLLIN, EPOLLOUT, …); other sources
 * use any non-zero mask they agree on with their waiters.
 */
export interface WaitEntry {
  /** Events this entry is woken for. */
  mask: number;
  /**
   * Called with the events notified; must be short, must not throw, may add or remove entries. An
   * exclusive entry that returns false had nobody to wake, and the next one gets its turn. `signalled`:
   * the events of which an O_ASYNC file's owner is to be told (Linux: kill_fasync), 0 for none.
   */
  wake(events: number, signalled: number): boolean | void;
  /** It stands for the owner of an O_ASYNC file: see `WaitQueue.signal`. */
  isOwner?: boolean;
  /** Exclusive entries (epoll EPOLLEXCLUSIVE, accept, futex) are woken one at a time. */
  exclusive?: boolean;
}

export class WaitQueue {
  #entries: WaitEntry[] = [];
  /** Entries are not removed from the array while it is walked; they become null and are swept after. */
  #walking = 0;
  #holes = false;

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  add(entry: WaitEntry): void {
    this.#entries.push(entry);
  }

  remove(entry: WaitEntry): void {
    // Who waits many times, for a million descriptors of one file, takes out its last entry first.
    const i = this.#entries.lastIndexOf(entry);
    if (i < 0) return;
    if (this.#walking > 0) {
      this.#entries[i] = GONE;
      this.#holes = true;
    } else this.#entries.splice(i, 1);
  }

  /**
   * Wakes the entries that wait for one of `events`; of the exclusive ones, the first alone. The end of
   * a peer wakes for everything, but is `signalled` as one event.
   */
  notify(events: number, signalled = events): void {
    const entries = this.#entries;
    const n = entries.length;
    if (n === 0) return;
    this.#walking++;
    let exclusiveWoken = false;
    for (let i = 0; i < n; i++) {
      const entry = entries[i];
      if ((entry.mask & events) === 0) continue;
      if (!entry.exclusive) entry.wake(events, signalled);
      else if (!exclusiveWoken) exclusiveWoken = entry.wake(events, signalled) !== false;
    }
    if (--this.#walking === 0 && this.#holes) {
      this.#holes = false;
      this.#entries = this.#entries.filter((e) => e !== GONE);
    }
  }

  /** As `notify`, but wakes every exclusive entry, too (Linux: wake_up_all): what is over is so for all. */
  notifyAll(events: number, signalled = events): void {
    for (const entry of [...this.#entries]) {
      if ((entry.mask & events) !== 0) entry.wake(events, signalled);
    }
  }

  /** Tells owners of O_ASYNC files alone (Linux: kill_fasync without a wake-up). */
  signal(events: number): void {
    for (const entry of this.#entries) if (entry.isOwner === true) entry.wake(0, events);
  }
}

const GONE: WaitEntry = { mask: 0, wake() {} };
