/**
 * Pending signals of a task or a thread group (Linux: struct sigpending), and arithmetic on signal
 * sets, which are two u32 halves: signal n is bit n - 1.
 */
import {
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGRTMIN,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
} from "../../platform/abi/signal.ts";
import { SigInfo } from "./signal_info.ts";

export type SignalSet = [lo: number, hi: number];

export function setHas(lo: number, hi: number, signo: number): boolean {
  return signo <= 32 ? (lo >>> (signo - 1) & 1) !== 0 : (hi >>> (signo - 33) & 1) !== 0;
}

export function bitLo(signo: number): number {
  return signo <= 32 ? 1 << (signo - 1) >>> 0 : 0;
}

export function bitHi(signo: number): number {
  return signo <= 32 ? 0 : 1 << (signo - 33) >>> 0;
}

/** The low half of a set of signals below 33. */
export function setOf(...signals: number[]): number {
  let lo = 0;
  for (const signo of signals) lo |= 1 << (signo - 1);
  return lo >>> 0;
}

/** Delivered before all others: they report the instruction that was just run. */
const SYNCHRONOUS = setOf(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);

export class PendingSignals {
  /** The set of pending signals. */
  lo = 0;
  hi = 0;
  /** Waiting entries by signal number; of a standard signal one at most. */
  readonly #queues: (SigInfo[] | undefined)[] = [];

  /** True when a standard signal is pending already: a second one is dropped. */
  has(signo: number): boolean {
    return setHas(this.lo, this.hi, signo);
  }

  /** Adds an entry; `info` null marks the signal pending without one (the queue's limit was reached). */
  add(signo: number, info: SigInfo | null): void {
    this.lo = (this.lo | bitLo(signo)) >>> 0;
    this.hi = (this.hi | bitHi(signo)) >>> 0;
    if (info === null) return;
    info.isQueued = true;
    const queue = this.#queues[signo];
    if (queue === undefined) this.#queues[signo] = [info];
    else queue.push(info);
  }

  /** Takes the next of the signals in the set, lowest first, synchronous ones before. */
  take(lo: number, hi: number): SigInfo | null {
    const ready = this.lo & lo;
    const first = (ready & SYNCHRONOUS) !== 0 ? ready & SYNCHRONOUS : ready;
    let signo: number;
    if (first !== 0) signo = 32 - Math.clz32(first & -first);
    else {
      const high = this.hi & hi;
      if (high === 0) return null;
      signo = 64 - Math.clz32(high & -high);
    }
    return this.takeSignal(signo);
  }

  /** Takes one entry of a pending signal. */
  takeSignal(signo: number): SigInfo {
    const queue = this.#queues[signo];
    const info = queue?.shift();
    if (queue === undefined || queue.length === 0) this.#clear(signo);
    if (info === undefined) return new SigInfo(signo, 0);
    release(info);
    return info;
  }

  /** Forgets the signals of a set. */
  flush(lo: number, hi: number): void {
    if (((this.lo & lo) | (this.hi & hi)) === 0) return;
    for (let signo = 1; signo <= 64; signo++) {
      if (!setHas(lo, hi, signo) || !this.has(signo)) continue;
      this.#queues[signo]?.forEach(release);
      this.#queues[signo] = undefined;
      this.#clear(signo);
    }
  }

  /** Forgets the entries of a timer. */
  remove(signo: number, timer: unknown): void {
    const queue = this.#queues[signo];
    const i = queue?.findIndex((info) => info.timer === timer) ?? -1;
    if (queue === undefined || i < 0) return;
    release(queue[i]);
    queue.splice(i, 1);
    if (queue.length === 0) this.#clear(signo);
  }

  #clear(signo: number): void {
    this.lo = (this.lo & ~bitLo(signo)) >>> 0;
    this.hi = (this.hi & ~bitHi(signo)) >>> 0;
  }
}

function release(info: SigInfo): void {
  if (info.charged === null) return;
  info.charged.pendingSignals--;
  info.charged = null;
}

export function isRealTime(signo: number): boolean {
  return signo >= SIGRTMIN;
}
