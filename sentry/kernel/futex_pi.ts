/**
 * Priority-inheritance futexes (Linux: kernel/futex/pi.c). There are no priorities to inherit here;
 * what counts is the protocol of the word: owner's tid, FUTEX_WAITERS, FUTEX_OWNER_DIED, and that the
 * kernel hands the lock over. Once FUTEX_WAITERS is set no fast path of user space touches the word.
 * Setting it must be atomic: the host does it (FUTEX_WAKE_OP with FUTEX_OP_OR, which wakes nobody).
 */
import {
  EAGAIN,
  EDEADLK,
  EINVAL,
  EPERM,
  ERESTARTNOINTR,
  ESRCH,
  ETIMEDOUT,
} from "../../platform/abi/errno.ts";
import {
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_OR,
  FUTEX_OWNER_DIED,
  FUTEX_PRIVATE_FLAG,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  FUTEX_WAKE_OP,
} from "../../platform/abi/futex.ts";
import { SYS_futex } from "../../platform/abi/amd64/syscalls.ts";
import { BLOCK_TIMEOUT } from "./block.ts";
import { type FutexPlace, futexPlace, futexWord } from "./futex.ts";
import type { Task } from "./task.ts";

/** A task that waits for a lock, or has been given it. */
export class PiWaiter {
  acquired = false;
  /** The lock whose waiter it is. */
  state: PiState | null = null;

  /** `addr`: where the lock's word is in the task's memory. */
  constructor(readonly task: Task, readonly addr: number) {}

  /** Waits no longer: the time is over, or a signal has come. */
  giveUp(): void {
    const { state } = this;
    if (state === null) return;
    this.state = null;
    state.waiters.splice(state.waiters.indexOf(this), 1);
    if (state.waiters.length === 0) state.forget();
  }
}

/** A lock that has waiters (Linux: futex_pi_state). */
class PiState {
  readonly waiters: PiWaiter[] = [];
  constructor(
    public owner: Task,
    private readonly map: Map<number | string, PiState>,
    private readonly key: number | string,
  ) {
    map.set(key, this);
    ownedBy(owner).add(this);
  }

  /** Nobody waits any more. */
  forget(): void {
    if (this.map.get(this.key) === this) this.map.delete(this.key);
    ownedBy(this.owner).delete(this);
  }
}

/** Locks with waiters, by the map of their place; and those each task owns, for its exit. */
const states = new WeakMap<object, Map<number | string, PiState>>();
const owned = new WeakMap<Task, Set<PiState>>();

function ownedBy(t: Task): Set<PiState> {
  let set = owned.get(t);
  if (set === undefined) owned.set(t, set = new Set());
  return set;
}

/** FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI. */
export function futexLockPi(
  t: Task,
  addr: number,
  shared: boolean,
  deadlineMonoNs: number,
  tryOnly: boolean,
): number | Promise<number> {
  const place = futexPlace(t, addr, shared);
  if (typeof place === "number") return place;
  const waiter = new PiWaiter(t, addr);
  const r = acquirePi(t, addr, place, waiter, { tryOnly, marksWaiters: false });
  if (r !== 0) return r < 0 ? r : 0;
  return waitPi(t, waiter, deadlineMonoNs);
}

/**
 * Takes the lock at `place` for the task of `waiter`, or makes it one of the lock's waiters (Linux:
 * futex_lock_pi_atomic). `t`, in whose memory the word is at `addr`, asks for that. Returns 1 when taken,
 * 0 when it has to wait, -EAGAIN instead with `tryOnly`, or another -errno.
 */
export function acquirePi(
  t: Task,
  addr: number,
  place: FutexPlace,
  waiter: PiWaiter,
  how: { tryOnly: boolean; marksWaiters: boolean },
): number {
  let map = states.get(place.buckets);
  if (map === undefined) states.set(place.buckets, map = new Map());
  let word = futexWord(t, addr);
  if (word < 0) return word;
  if ((word & FUTEX_TID_MASK) === waiter.task.tid) return -EDEADLK;
  if ((word & FUTEX_TID_MASK) !== 0) {
    // From here on the owner's unlock comes to us.
    const err = setWaiters(t, addr, word);
    if (err < 0) return err;
    word = futexWord(t, addr);
    if (word < 0) return word;
  }
  const state = map.get(place.key);
  if ((word & FUTEX_TID_MASK) === 0) {
    if (state !== undefined && state.waiters.length > 0) return -EAGAIN;
    const bits = (word & FUTEX_OWNER_DIED) | (how.marksWaiters ? FUTEX_WAITERS : 0);
    const err = t.storeU32(addr, (waiter.task.tid | bits) >>> 0);
    if (err < 0) return err;
    waiter.acquired = true;
    return 1;
  }
  const owner = t.kernel.tasks.get(word & FUTEX_TID_MASK);
  if (owner === undefined || owner.exiting) return -ESRCH;
  if (state !== undefined && state.owner !== owner) return -EINVAL;
  if (how.tryOnly) return -EAGAIN;
  waiter.state = state ?? new PiState(owner, map, place.key);
  waiter.state.waiters.push(waiter);
  return 0;
}

async function waitPi(t: Task, waiter: PiWaiter, deadlineMonoNs: number): Promise<number> {
  const why = await t.blocking.waitWakeUp(deadlineMonoNs);
  if (waiter.acquired) return 0;
  waiter.giveUp();
  return why === BLOCK_TIMEOUT ? -ETIMEDOUT : -ERESTARTNOINTR;
}

/** FUTEX_UNLOCK_PI. */
export function futexUnlockPi(t: Task, addr: number, shared: boolean): number {
  const word = futexWord(t, addr);
  if (word < 0) return word;
  if ((word & FUTEX_TID_MASK) !== t.tid) return -EPERM;
  const place = futexPlace(t, addr, shared);
  if (typeof place === "number") return place;
  const state = states.get(place.buckets)?.get(place.key);
  if (state === undefined || state.waiters.length === 0) {
    return t.storeU32(addr, 0);
  }
  if (state.owner !== t) return -EINVAL;
  return handOver(state, 0);
}

/** Gives the lock to the first waiter, in whose memory its word surely is; its unlock comes to us, too. */
function handOver(state: PiState, died: number): number {
  const next = state.waiters[0];
  const more = state.waiters.length > 1;
  const value = (next.task.tid | died | FUTEX_WAITERS) >>> 0;
  const err = next.task.storeU32(next.addr, value);
  if (err < 0) return err;
  state.waiters.shift();
  next.state = null;
  if (!more) state.forget();
  ownedBy(state.owner).delete(state);
  state.owner = next.task;
  if (more) ownedBy(next.task).add(state);
  next.acquired = true;
  next.task.blocking.wakeUp();
  return 0;
}

/** The task exits: locks it holds that have waiters go to them, marked FUTEX_OWNER_DIED. */
export function exitPiStates(t: Task): void {
  const set = owned.get(t);
  if (set === undefined) return;
  for (const state of [...set]) {
    if (state.waiters.length > 0) handOver(state, FUTEX_OWNER_DIED);
  }
  owned.delete(t);
}

/** OR with 1 << 31; the comparison (word == 0) is of no matter. */
const OR_WAITERS = ((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT) << 28 | 31 << 12) >>> 0;

function setWaiters(t: Task, addr: number, word: number): number {
  if ((word & FUTEX_WAITERS) !== 0) return 0;
  const op = FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG;
  if (t.ctx!.callNow(SYS_futex, addr, op, 0, 0, addr, OR_WAITERS) >= 0) return 0;
  // A platform that cannot: a guest thread that unlocks right now is missed.
  return t.storeU32(addr, (word | FUTEX_WAITERS) >>> 0);
}
