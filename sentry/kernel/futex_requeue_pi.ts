/**
 * Waiting for a condition whose mutex is a priority-inheritance one (Linux: kernel/futex/requeue.c): who
 * waits for the condition's word is moved to the mutex's, and comes back with the mutex locked.
 */
import { EAGAIN, EINVAL, ERESTARTNOINTR, ETIMEDOUT } from "../../platform/abi/errno.ts";
import { BLOCK_TIMEOUT } from "./block.ts";
import { type FutexPlace, futexPlace, futexWord } from "./futex.ts";
import { acquirePi, PiWaiter } from "./futex_pi.ts";
import type { Task } from "./task.ts";

interface RequeueWaiter {
  /** The mutex that it must be moved to. */
  readonly mutex: FutexPlace;
  readonly pi: PiWaiter;
  /** It waits for the mutex now, or has it. */
  isMoved: boolean;
}

type Waiters = Map<number | string, RequeueWaiter[]>;

/** Waiters by the map of the condition's place, and its key. */
const conditions = new WeakMap<object, Waiters>();

function waitersOf(place: FutexPlace): Waiters {
  let waiters = conditions.get(place.buckets);
  if (waiters === undefined) conditions.set(place.buckets, waiters = new Map());
  return waiters;
}

function isSamePlace(a: FutexPlace, b: FutexPlace): boolean {
  return a.buckets === b.buckets && a.key === b.key;
}

/** FUTEX_WAIT_REQUEUE_PI: the condition's word is at `addr`, the mutex at `addr2`. */
export function futexWaitRequeuePi(
  t: Task,
  addr: number,
  addr2: number,
  shared: boolean,
  expected: number,
  deadlineMonoNs: number,
): number | Promise<number> {
  if (addr === addr2) return -EINVAL;
  const mutex = futexPlace(t, addr2, shared);
  if (typeof mutex === "number") return mutex;
  const condition = futexPlace(t, addr, shared);
  if (typeof condition === "number") return condition;
  const value = futexWord(t, addr);
  if (value < 0) return value;
  if (value !== expected) return -EAGAIN;
  if (isSamePlace(condition, mutex)) return -EINVAL;
  const waiter = { mutex, pi: new PiWaiter(t, addr2), isMoved: false };
  const waiters = waitersOf(condition);
  const list = waiters.get(condition.key);
  if (list === undefined) waiters.set(condition.key, [waiter]);
  else list.push(waiter);
  return finishWait(t, condition, waiter, deadlineMonoNs);
}

async function finishWait(
  t: Task,
  condition: FutexPlace,
  waiter: RequeueWaiter,
  deadlineMonoNs: number,
): Promise<number> {
  const why = await t.blocking.waitWakeUp(deadlineMonoNs);
  if (waiter.pi.acquired) return 0;
  if (waiter.isMoved) waiter.pi.giveUp();
  else remove(condition, waiter);
  if (why === BLOCK_TIMEOUT) return -ETIMEDOUT;
  // Once moved, the call cannot begin anew: the condition's word has changed.
  return waiter.isMoved ? -EAGAIN : -ERESTARTNOINTR;
}

function remove(condition: FutexPlace, waiter: RequeueWaiter): void {
  const waiters = waitersOf(condition);
  const list = waiters.get(condition.key)!;
  list.splice(list.indexOf(waiter), 1);
  if (list.length === 0) waiters.delete(condition.key);
}

/**
 * FUTEX_CMP_REQUEUE_PI: the first waiter gets the mutex or waits for it, and up to `requeueCount` more wait for
 * it. Returns how many no longer wait for the condition.
 */
export function futexRequeuePi(
  t: Task,
  addr: number,
  addr2: number,
  shared: boolean,
  wakeCount: number,
  requeueCount: number,
  expected: number,
): number {
  if (requeueCount < 0 || wakeCount !== 1 || addr === addr2) return -EINVAL;
  const condition = futexPlace(t, addr, shared);
  if (typeof condition === "number") return condition;
  const mutex = futexPlace(t, addr2, shared);
  if (typeof mutex === "number") return mutex;
  if (isSamePlace(condition, mutex)) return -EINVAL;
  const value = futexWord(t, addr);
  if (value < 0) return value;
  if (value !== expected) return -EAGAIN;
  const list = waitersOf(condition).get(condition.key) ?? [];
  let moved = 0;
  while (list.length > 0 && moved - wakeCount < requeueCount) {
    const waiter = list[0];
    if (!isSamePlace(waiter.mutex, mutex)) return -EINVAL;
    const how = { tryOnly: false, marksWaiters: requeueCount > 0 };
    const r = acquirePi(t, addr2, mutex, waiter.pi, how);
    if (r < 0) return r;
    remove(condition, waiter);
    waiter.isMoved = true;
    if (r === 1) waiter.pi.task.blocking.wakeUp();
    moved++;
  }
  return moved;
}
