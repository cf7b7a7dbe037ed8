/**
 * epoll(7). Every watched file has one EpollItem, which lies in the file's wait queue for as long as it
 * is watched. A notification puts the item on the ready list; waiting takes from that list alone, so
 * a wait costs O(ready). Items on the list are re-polled before they are reported (Linux: ep_send_events).
 */
import {
  EPIOCGPARAMS,
  EPIOCSPARAMS,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDNORM,
  EPOLLWAKEUP,
} from "../../../platform/abi/epoll.ts";
import { EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from "../../../platform/abi/errno.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import { type FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import { type WaitEntry, WaitQueue } from "../../wait/queue.ts";
import { copyInParams, EPOLL_PARAMS_SIZE } from "./epoll_params.ts";

/** Linux's EP_MAX_NESTS: epoll instances in one chain. */
const MAX_CHAIN = 5;
/**
 * How many ways an event may take from a file through 1, 2 ... instances to one that nobody watches (Linux's
 * path_limits): a notification goes all of them.
 */
const PATH_LIMITS = [Infinity, 500, 100, 50, 10];
/** Sandbox-wide limit of watches: /proc/sys/fs/epoll/max_user_watches. */
const MAX_WATCHES = 1_000_000;
/** Bits that say how to watch, not what for. */
const MODE_BITS = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
const ALWAYS = EPOLLERR | EPOLLHUP;
const EXCLUSIVE_ALLOWED = EPOLLIN | EPOLLOUT | ALWAYS | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
const FD_SPAN = 0x100000;

let watches = 0;
ofOneSandbox(() => watches = 0);

export class EpollItem implements WaitEntry {
  /** Events to be woken for: 0 while a ONESHOT item is spent. */
  mask = 0;
  exclusive = false;
  events = 0;
  dataLo = 0;
  dataHi = 0;
  ready = false;
  next: EpollItem | null = null;
  prev: EpollItem | null = null;

  constructor(
    readonly epoll: EpollFile,
    readonly file: FileDescription,
    readonly key: number,
    /** Where it is queued: that of a signalfd depends on who asks. */
    readonly queue: WaitQueue,
  ) {}

  set(events: number, dataLo: number, dataHi: number): void {
    this.events = events;
    this.mask = ((events & ~MODE_BITS) | ALWAYS) & this.file.impl.notifiedEvents;
    this.exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    this.dataLo = dataLo;
    this.dataHi = dataHi;
  }
  wake(_events: number): boolean {
    return this.epoll.itemReady(this);
  }
  poll(): number {
    return this.mask === 0 ? 0 : this.file.impl.readiness() & this.mask;
  }
}

export class EpollFile extends FileDescriptionImpl {
  /** Pollers of this instance: poll(2), other epolls. */
  readonly #queue = new WaitQueue();
  /** Tasks in epoll_wait(2); one is woken for an event. */
  readonly waiters = new WaitQueue();
  readonly #items = new Map<number, EpollItem>();
  #first: EpollItem | null = null;
  #last: EpollItem | null = null;
  /** Instances that watch this one, once per watch. */
  readonly parents: EpollFile[] = [];
  /** struct epoll_params. */
  #params: Uint8Array = new Uint8Array(EPOLL_PARAMS_SIZE);
  /** The items of the last harvest, until `settle`. */
  readonly #harvest: EpollItem[] = [];

  /** What EPIOCSPARAMS sets is kept and told; there are no devices to poll. */
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd === EPIOCGPARAMS) return caller.copyOut(arg, this.#params, 0, EPOLL_PARAMS_SIZE);
    if (cmd !== EPIOCSPARAMS) return -EINVAL;
    const params = copyInParams(caller, arg);
    if (typeof params === "number") return params;
    this.#params = params;
    return 0;
  }
  override get seekable(): boolean {
    return false;
  }
  override get ignoresSeeks(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.#queue;
  }
  /** Readable when some item on the list really is ready; the others are taken off it. */
  override readiness(): number {
    for (let item = this.#first; item !== null; item = this.#first) {
      if (item.poll() !== 0) return EPOLLIN | EPOLLRDNORM;
      this.#unlink(item);
    }
    return 0;
  }
  /** Files watched. */
  get size(): number {
    return this.#items.size;
  }
  get hasCandidates(): boolean {
    return this.#first !== null;
  }

  add(
    fd: number,
    file: FileDescription,
    events: number,
    dataLo: number,
    dataHi: number,
  ): number {
    const queue = file.impl.waitQueue;
    if (queue === null) return -EPERM;
    const target = file.impl instanceof EpollFile ? file.impl : null;
    if (target === this) return -EINVAL;
    if ((events & EPOLLEXCLUSIVE) !== 0) {
      if (target !== null || (events & ~EXCLUSIVE_ALLOWED) !== 0) return -EINVAL;
    }
    const key = file.id * FD_SPAN + fd;
    if (this.#items.has(key)) return -EEXIST;
    if (watches >= MAX_WATCHES) return -ENOSPC;
    if (target !== null) {
      const below = target.#below();
      if (below.has(this)) return -ELOOP;
      if (this.#chainUp() + below.get(target)! > MAX_CHAIN) return -ELOOP;
      target.parents.push(this);
    }
    const item = new EpollItem(this, file, key, queue);
    item.set(events, dataLo, dataHi);
    this.#items.set(key, item);
    watches++;
    watch(file, item);
    queue.add(item);
    if ((target !== null || this.parents.length > 0) && hasTooManyPaths(file, target)) {
      this.delete(fd, file);
      return -EINVAL;
    }
    if (item.poll() !== 0) this.itemReady(item);
    return 0;
  }

  modify(
    fd: number,
    file: FileDescription,
    events: number,
    dataLo: number,
    dataHi: number,
  ): number {
    if (file.impl.waitQueue === null) return -EPERM;
    if (file.impl === this || (events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    const item = this.#items.get(file.id * FD_SPAN + fd);
    if (item === undefined) return -ENOENT;
    if (item.exclusive) return -EINVAL;
    item.set(events, dataLo, dataHi);
    if (item.poll() !== 0) this.itemReady(item);
    return 0;
  }

  delete(fd: number, file: FileDescription): number {
    if (file.impl.waitQueue === null) return -EPERM;
    if (file.impl === this) return -EINVAL;
    const item = this.#items.get(file.id * FD_SPAN + fd);
    if (item === undefined) return -ENOENT;
    unwatch(file, item);
    this.forget(item);
    return 0;
  }

  /** Drops an item whose file's watch list was dealt with. */
  forget(item: EpollItem): void {
    if (!this.#items.delete(item.key)) return;
    watches--;
    item.queue.remove(item);
    item.mask = 0;
    if (item.ready) this.#unlink(item);
    const target = item.file.impl;
    if (target instanceof EpollFile) {
      target.parents.splice(target.parents.indexOf(this), 1);
    }
  }

  /** Whether a task that waited in epoll_wait(2) was woken. */
  itemReady(item: EpollItem): boolean {
    if (!item.ready) this.#append(item);
    const waited = !this.waiters.empty;
    this.waiters.notify(EPOLLIN);
    this.#queue.notify(EPOLLIN | EPOLLRDNORM);
    return waited;
  }

  /**
   * Takes up to `max` ready items and gives them to `emit`. Then comes `settle(true)`, or
   * `settle(false)` when the events could not be delivered and must be reported again.
   */
  harvest(max: number, emit: (item: EpollItem, events: number, index: number) => void): number {
    const taken = this.#harvest;
    const stop = this.#last;
    let n = 0;
    while (n < max) {
      const item = this.#first;
      if (item === null) break;
      this.#unlink(item);
      const events = item.poll();
      if (events !== 0) {
        taken.push(item);
        emit(item, events, n++);
      }
      if (item === stop) break;
    }
    return n;
  }

  settle(delivered: boolean): void {
    const taken = this.#harvest;
    for (let i = 0; i < taken.length; i++) {
      const item = taken[i];
      if (delivered && (item.events & EPOLLONESHOT) !== 0) item.mask = 0;
      else if (!delivered || (item.events & EPOLLET) === 0) {
        if (!item.ready && this.#items.get(item.key) === item) this.#append(item);
      }
    }
    taken.length = 0;
    this.wakeNext();
  }

  /** What is on the list is there for the next waiter too: leftovers, or a waiter that was interrupted. */
  wakeNext(): void {
    if (this.#first !== null) this.waiters.notify(EPOLLIN);
  }

  override fdinfo(): string {
    let text = "";
    const hex = (n: number): string => (n >>> 0).toString(16);
    for (const { key, events, dataLo, dataHi, file } of this.#items.values()) {
      const data = dataHi === 0 ? hex(dataLo) : hex(dataHi) + hex(dataLo).padStart(8, "0");
      text +=
        `tfd: ${String(key % FD_SPAN).padStart(8)} events: ${hex(events | ALWAYS).padStart(8)} ` +
        `data: ${data.padStart(16)}  pos:${file.offset} ino:${hex(file.inode.ino)} ` +
        `sdev:${hex(file.inode.fs.dev)}\n`;
    }
    return text;
  }

  override release(): void {
    for (const item of this.#items.values()) {
      unwatch(item.file, item);
      this.forget(item);
    }
  }

  #append(item: EpollItem): void {
    item.ready = true;
    item.prev = this.#last;
    item.next = null;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
  }

  #unlink(item: EpollItem): void {
    item.ready = false;
    if (item.prev === null) this.#first = item.next;
    else item.prev.next = item.next;
    if (item.next === null) this.#last = item.prev;
    else item.next.prev = item.prev;
    item.next = item.prev = null;
  }

  /** Instances in the longest chain that ends here, this one included. */
  #chainUp(known = new Map<EpollFile, number>()): number {
    let longest = known.get(this) ?? 0;
    if (longest > 0) return longest;
    for (const parent of this.parents) longest = Math.max(longest, parent.#chainUp(known));
    known.set(this, ++longest);
    return longest;
  }
  /** This one and all instances below it, each with the length of the longest chain that starts there. */
  #below(known = new Map<EpollFile, number>()): Map<EpollFile, number> {
    let longest = 0;
    for (const { file: { impl } } of this.#items.values()) {
      if (!(impl instanceof EpollFile)) continue;
      if (!known.has(impl)) impl.#below(known);
      longest = Math.max(longest, known.get(impl)!);
    }
    return known.set(this, longest + 1);
  }
  /** The files that this one and all below it watch, without the instances. */
  leaves(): Set<FileDescription> {
    const files = new Set<FileDescription>();
    for (const instance of this.#below().keys()) {
      for (const { file } of instance.#items.values()) {
        if (!(file.impl instanceof EpollFile)) files.add(file);
      }
    }
    return files;
  }
}

/** Whether some file that `target`, or if it is null `file` itself, has to tell of goes more ways than PATH_LIMITS. */
function hasTooManyPaths(file: FileDescription, target: EpollFile | null): boolean {
  const counts = new Int32Array(PATH_LIMITS.length);
  const exceeds = (instance: EpollFile, depth: number): boolean => {
    const { parents } = instance;
    if (parents.length === 0) return ++counts[depth] > PATH_LIMITS[depth];
    return parents.some((parent) => exceeds(parent, depth + 1));
  };
  for (const leaf of target === null ? [file] : target.leaves()) {
    counts.fill(0);
    for (const item of watched.get(leaf) ?? []) {
      if (exceeds(item.epoll, 0)) return true;
    }
  }
  return false;
}

/** Items by watched file: when its last reference goes, they go too (Linux: eventpoll_release). */
const watched = new WeakMap<FileDescription, Set<EpollItem>>();

function watch(file: FileDescription, item: EpollItem): void {
  let items = watched.get(file);
  if (items === undefined) {
    items = new Set();
    watched.set(file, items);
    const before = file.onLastRelease;
    file.onLastRelease = (f) => {
      before?.(f);
      for (const each of items!) each.epoll.forget(each);
      items!.clear();
    };
  }
  items.add(item);
}

function unwatch(file: FileDescription, item: EpollItem): void {
  watched.get(file)?.delete(item);
}
