/**
 * Futexes (Linux: kernel/futex/); futex(2). Waiters queue by key: the address within a
 * MemoryManager for private ones, what the mapping's backing says (`mm.futexKey`) for shared ones.
 *
 * The Sentry serves calls one at a time, so that check-and-queue is atomic against every other call;
 * against guest threads that change the word meanwhile it need not be: they call FUTEX_WAKE after.
 * Priority-inheritance futexes are in futex_pi.ts.
 */
import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ERESTART_RESTARTBLOCK,
  ERESTARTSYS,
  ETIMEDOUT,
} from "../../platform/abi/errno.ts";
import { FUTEX_BITSET_MATCH_ANY, FUTEX_WAKE } from "../../platform/abi/futex.ts";
import { SYS_futex } from "../../platform/abi/amd64/syscalls.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { BLOCK_READY, BLOCK_TIMEOUT } from "./block.ts";
import type { Task } from "./task.ts";

type Key = number | string;
type Buckets = Map<Key, FutexWaiter[]>;

/** One place that a task waits at. */
export interface FutexWaiter {
  readonly task: Task;
  buckets: Buckets;
  key: Key;
  bitset: number;
  woken: boolean;
}

export class FutexTable {
  readonly shared: Buckets = new Map();
  readonly #private = new WeakMap<MemoryManager, Buckets>();

  privateOf(mm: MemoryManager): Buckets {
    let own = this.#private.get(mm);
    if (own === undefined) this.#private.set(mm, own = new Map());
    return own;
  }
}

/** A place resolved; -EFAULT, -EINVAL for a bad address. */
export interface FutexPlace {
  buckets: Buckets;
  key: Key;
}

export function futexPlace(t: Task, addr: number, shared: boolean): FutexPlace | number {
  if (addr % 4 !== 0) return -EINVAL;
  if (addr >= t.kernel.platform.taskSize) return -EFAULT;
  // Without FUTEX_PRIVATE_FLAG a word in private memory is found under the same key as with it.
  const key = shared ? t.mm.futexKey(addr) : null;
  if (typeof key === "number") return key;
  const { futexes } = t.kernel;
  if (key !== null) return { buckets: futexes.shared, key };
  return { buckets: futexes.privateOf(t.mm), key: addr };
}

const word = new Uint8Array(4);
const wordView = new DataView(word.buffer);

/**
 * The futex word as u32, or -EFAULT. It is read now, not taken from what the stub copied when the call
 * was made: a wake-up that came in between must be seen.
 */
export function futexWord(t: Task, addr: number): number {
  const ctx = t.ctx;
  if (ctx !== null && ctx.queued) ctx.flush();
  return t.mm.space.read(addr, word, 0, 4) === 4 ? wordView.getUint32(0, true) : -EFAULT;
}

function enqueue(task: Task, place: FutexPlace, bitset: number): FutexWaiter {
  const waiter: FutexWaiter = { task, ...place, bitset, woken: false };
  push(place, waiter);
  return waiter;
}

function push(place: FutexPlace, waiter: FutexWaiter): void {
  const list = place.buckets.get(place.key);
  if (list === undefined) place.buckets.set(place.key, [waiter]);
  else list.push(waiter);
}

function dequeue(waiter: FutexWaiter): void {
  const list = waiter.buckets.get(waiter.key);
  if (list === undefined) return;
  const i = list.indexOf(waiter);
  if (i >= 0) list.splice(i, 1);
  if (list.length === 0) waiter.buckets.delete(waiter.key);
}

/**
 * FUTEX_WAIT and FUTEX_WAIT_BITSET. `deadlineMonoNs` -1: no limit. `startsAnew`: a wait that a signal ends may be made
 * once more by the same call, with a limit, too.
 */
export function futexWait(
  t: Task,
  addr: number,
  shared: boolean,
  expected: number,
  bitset: number,
  deadlineMonoNs: number,
  startsAnew = false,
): number | Promise<number> {
  if (bitset === 0) return -EINVAL;
  const place = futexPlace(t, addr, shared);
  if (typeof place === "number") return place;
  const value = futexWord(t, addr);
  if (value < 0) return value;
  if (value !== expected) return -EAGAIN;
  const waiter = enqueue(t, place, bitset);
  const again = deadlineMonoNs < 0 || startsAnew
    ? null
    : () => futexWait(t, addr, shared, expected, bitset, deadlineMonoNs);
  return finishWait(t, waiter, again, deadlineMonoNs);
}

async function finishWait(
  t: Task,
  waiter: FutexWaiter,
  again: (() => number | Promise<number>) | null,
  deadlineMonoNs: number,
): Promise<number> {
  const why = await t.blocking.waitWakeUp(deadlineMonoNs);
  if (waiter.woken) return 0;
  dequeue(waiter);
  if (why === BLOCK_TIMEOUT) return -ETIMEDOUT;
  if (again === null) return -ERESTARTSYS;
  t.restartBlock = again;
  return -ERESTART_RESTARTBLOCK;
}

/** FUTEX_WAKE and FUTEX_WAKE_BITSET; returns how many were woken. */
export function futexWake(
  t: Task,
  addr: number,
  shared: boolean,
  count: number,
  bitset: number,
): number {
  if (bitset === 0) return -EINVAL;
  const place = futexPlace(t, addr, shared);
  if (typeof place === "number") return place;
  return wakeAt(place, count, bitset);
}

function wakeAt(place: FutexPlace, count: number, bitset: number): number {
  const list = place.buckets.get(place.key);
  if (list === undefined) return 0;
  let woken = 0;
  for (let i = 0; i < list.length && woken < count;) {
    const waiter = list[i];
    if ((waiter.bitset & bitset) === 0) {
      i++;
      continue;
    }
    list.splice(i, 1);
    waiter.woken = true;
    waiter.task.blocking.wakeUp();
    woken++;
  }
  if (list.length === 0) place.buckets.delete(place.key);
  return woken;
}

/** FUTEX_REQUEUE (`expected` null) and FUTEX_CMP_REQUEUE. */
export function futexRequeue(
  t: Task,
  addr: number,
  addr2: number,
  shared: boolean,
  wakeCount: number,
  requeueCount: number,
  expected: number | null,
): number {
  if (wakeCount < 0 || requeueCount < 0) return -EINVAL;
  const from = futexPlace(t, addr, shared);
  if (typeof from === "number") return from;
  const to = futexPlace(t, addr2, shared);
  if (typeof to === "number") return to;
  if (expected !== null) {
    const value = futexWord(t, addr);
    if (value < 0) return value;
    if (value !== expected) return -EAGAIN;
  }
  const woken = wakeAt(from, wakeCount, FUTEX_BITSET_MATCH_ANY);
  const list = from.buckets.get(from.key);
  if (list === undefined || (from.buckets === to.buckets && from.key === to.key)) {
    return expected === null ? woken : woken + Math.min(requeueCount, list?.length ?? 0);
  }
  const moved = list.splice(0, requeueCount);
  if (list.length === 0) from.buckets.delete(from.key);
  for (const waiter of moved) {
    waiter.buckets = to.buckets;
    waiter.key = to.key;
    push(to, waiter);
  }
  return woken + moved.length;
}

/** FUTEX_WAKE_OP: `operate` changes the word at addr2 and tells whether its waiters are woken, too. */
export function futexWakeOp(
  t: Task,
  addr: number,
  addr2: number,
  shared: boolean,
  count: number,
  count2: number,
  operate: () => boolean | number,
): number {
  const place = futexPlace(t, addr, shared);
  if (typeof place === "number") return place;
  const place2 = futexPlace(t, addr2, shared);
  if (typeof place2 === "number") return place2;
  const matches = operate();
  if (typeof matches === "number") return matches;
  const woken = wakeAt(place, count, FUTEX_BITSET_MATCH_ANY);
  return matches ? woken + wakeAt(place2, count2, FUTEX_BITSET_MATCH_ANY) : woken;
}

export interface FutexWaitItem {
  addr: number;
  shared: boolean;
  expected: number;
}

/** futex_waitv(2): returns the index of a futex that was woken. */
export function futexWaitMany(
  t: Task,
  items: readonly FutexWaitItem[],
  deadlineMonoNs: number,
): number | Promise<number> {
  const places: FutexPlace[] = [];
  for (const item of items) {
    const place = futexPlace(t, item.addr, item.shared);
    if (typeof place === "number") return place;
    const value = futexWord(t, item.addr);
    if (value < 0) return value;
    if (value !== item.expected) return -EAGAIN;
    places.push(place);
  }
  const waiters = places.map((place) => enqueue(t, place, FUTEX_BITSET_MATCH_ANY));
  return finishWaitMany(t, waiters, deadlineMonoNs);
}

async function finishWaitMany(
  t: Task,
  waiters: FutexWaiter[],
  deadlineMonoNs: number,
): Promise<number> {
  const why = await t.blocking.waitWakeUp(deadlineMonoNs);
  let woken = -1;
  for (let i = 0; i < waiters.length; i++) {
    if (waiters[i].woken) woken = woken < 0 ? i : woken;
    else dequeue(waiters[i]);
  }
  if (woken >= 0) return woken;
  return why === BLOCK_TIMEOUT ? -ETIMEDOUT : why === BLOCK_READY ? -EAGAIN : -ERESTARTSYS;
}

/** A wake-up by the kernel itself (exit): reaches waiters here and those that wait in the host. */
export function kernelWake(t: Task, addr: number, count: number): void {
  futexWake(t, addr, true, count, FUTEX_BITSET_MATCH_ANY);
  // The store was made before; the wake-up may follow when the thread ends.
  if (t.kernel.hostFutexes) t.ctx?.queueCall(SYS_futex, addr, FUTEX_WAKE, count, 0, 0);
}
