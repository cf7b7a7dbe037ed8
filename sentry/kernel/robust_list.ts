/** Robust futexes at exit and exec (Linux: exit_robust_list); set_robust_list(2). */
import {
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  getRobustListHead,
  ROBUST_LIST_HEAD_SIZE,
  ROBUST_LIST_LIMIT,
} from "../../platform/abi/futex.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { futexWord, kernelWake } from "./futex.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import type { Task } from "./task.ts";

/** Walks the list the thread registered, marks the locks it held and wakes one waiter of each. */
export function exitRobustList(t: Task): void {
  const headAddr = t.ctx?.robustListAddr ?? 0;
  if (headAddr === 0) return;
  t.ctx!.robustListAddr = 0;
  if (t.copyIn(headAddr, t.scratch, 0, ROBUST_LIST_HEAD_SIZE) < 0) return;
  const head = getRobustListHead(t.scratchView, 0);
  const pendingAddr = clearBit0(head.pendingAddr);
  let entry = head.listNextAddr;
  seenAddr = -1;
  for (let i = 0; i < ROBUST_LIST_LIMIT && clearBit0(entry) !== headAddr; i++) {
    const addr = clearBit0(entry);
    const lockAddr = addr + head.futexOffset;
    // The next pointer is read first: the woken thread may reuse the entry.
    const next = readPointer(t, addr);
    if (addr !== pendingAddr && !isSeenAsAnothers(t, lockAddr)) {
      if (!lockDied(t, lockAddr, entry % 2 === 1, false)) return;
    }
    if (next < 0) return;
    entry = next;
  }
  if (pendingAddr !== 0) {
    lockDied(t, pendingAddr + head.futexOffset, head.pendingAddr % 2 === 1, true);
  }
}

function clearBit0(addr: number): number {
  return addr - addr % 2;
}

/** A page of the list as it was when the walk came to it: a long list takes few reads of the guest's memory. */
const seen = new Uint8Array(PAGE_SIZE);
const seenView = new DataView(seen.buffer);
let seenAddr = -1;
ofOneSandbox(() => seenAddr = -1);

/** Offset in `seen` of `size` bytes at `addr`; -1 when they lie on two pages or cannot be read. */
function see(t: Task, addr: number, size: number): number {
  const at = addr % PAGE_SIZE;
  if (at > PAGE_SIZE - size) return -1;
  if (addr - at === seenAddr) return at;
  seenAddr = -1;
  if (t.copyIn(addr - at, seen, 0, PAGE_SIZE) < 0) return -1;
  seenAddr = addr - at;
  return at;
}

function readPointer(t: Task, addr: number): number {
  const at = see(t, addr, 8);
  if (at >= 0) return getU64(seenView, at);
  const err = t.copyIn(addr, t.scratch, 0, 8);
  return err < 0 ? err : getU64(t.scratchView, 0);
}

/** Others change the word of a lock meanwhile, but none makes this thread its owner. */
function isSeenAsAnothers(t: Task, addr: number): boolean {
  if (addr % 4 !== 0 || addr - addr % PAGE_SIZE !== seenAddr) return false;
  return (seenView.getUint32(addr % PAGE_SIZE, true) & FUTEX_TID_MASK) !== t.tid;
}

/** handle_futex_death; false when the walk must end. */
function lockDied(t: Task, addr: number, isPi: boolean, isPending: boolean): boolean {
  if (addr % 4 !== 0) return false;
  const word = futexWord(t, addr);
  if (word < 0) return false;
  // Between unlocking and waking the thread was killed: the waiter must not sleep for ever.
  if (isPending && !isPi && word === 0) {
    kernelWake(t, addr, 1);
    return true;
  }
  if ((word & FUTEX_TID_MASK) !== t.tid) return true;
  if (t.storeU32(addr, ((word & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0) < 0) return false;
  if (!isPi && (word & FUTEX_WAITERS) !== 0) kernelWake(t, addr, 1);
  return true;
}
