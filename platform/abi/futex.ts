/**
 * Futexes (linux/futex.h): futex(2), set_robust_list(2), futex_waitv(2).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// Operations
export const FUTEX_WAIT = 0;
export const FUTEX_WAKE = 1;
export const FUTEX_FD = 2;
export const FUTEX_REQUEUE = 3;
export const FUTEX_CMP_REQUEUE = 4;
export const FUTEX_WAKE_OP = 5;
export const FUTEX_LOCK_PI = 6;
export const FUTEX_UNLOCK_PI = 7;
export const FUTEX_TRYLOCK_PI = 8;
export const FUTEX_WAIT_BITSET = 9;
export const FUTEX_WAKE_BITSET = 10;
export const FUTEX_WAIT_REQUEUE_PI = 11;
export const FUTEX_CMP_REQUEUE_PI = 12;
export const FUTEX_LOCK_PI2 = 13;

// Operation flags
export const FUTEX_PRIVATE_FLAG = 128;
export const FUTEX_CLOCK_REALTIME = 256;
export const FUTEX_CMD_MASK = -385;

// Word bits and limits
export const FUTEX_WAITERS = 0x80000000;
export const FUTEX_OWNER_DIED = 0x40000000;
export const FUTEX_TID_MASK = 0x3fffffff;
export const FUTEX_BITSET_MATCH_ANY = 0xffffffff;
export const ROBUST_LIST_LIMIT = 2048;

// FUTEX_WAKE_OP
export const FUTEX_OP_SET = 0;
export const FUTEX_OP_ADD = 1;
export const FUTEX_OP_OR = 2;
export const FUTEX_OP_ANDN = 3;
export const FUTEX_OP_XOR = 4;
export const FUTEX_OP_OPARG_SHIFT = 8;
export const FUTEX_OP_CMP_EQ = 0;
export const FUTEX_OP_CMP_NE = 1;
export const FUTEX_OP_CMP_LT = 2;
export const FUTEX_OP_CMP_LE = 3;
export const FUTEX_OP_CMP_GT = 4;
export const FUTEX_OP_CMP_GE = 5;

// futex_waitv(2) and the futex2 calls
export const FUTEX_32 = 2;
export const FUTEX_WAITV_MAX = 128;
export const FUTEX2_SIZE_U8 = 0;
export const FUTEX2_SIZE_U16 = 1;
export const FUTEX2_SIZE_U32 = 2;
export const FUTEX2_SIZE_U64 = 3;
export const FUTEX2_NUMA = 4;
export const FUTEX2_MPOL = 8;
export const FUTEX2_PRIVATE = 128;
export const FUTEX2_SIZE_MASK = 3;

/** struct robust_list_head; an entry is one pointer to the next, bit 0 of it means PI. */
export const ROBUST_LIST_HEAD_SIZE = 24;
export const ROBUST_LIST_HEAD_OFF_LIST_NEXT_ADDR = 0;
export const ROBUST_LIST_HEAD_OFF_FUTEX_OFFSET = 8;
export const ROBUST_LIST_HEAD_OFF_PENDING_ADDR = 16;

export interface RobustListHead {
  listNextAddr: number;
  futexOffset: number;
  pendingAddr: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putRobustListHead(v: DataView, off: number, s: RobustListHead): void {
  zero(v, off, ROBUST_LIST_HEAD_SIZE);
  setU64(v, off + ROBUST_LIST_HEAD_OFF_LIST_NEXT_ADDR, s.listNextAddr);
  setI64(v, off + ROBUST_LIST_HEAD_OFF_FUTEX_OFFSET, s.futexOffset);
  setU64(v, off + ROBUST_LIST_HEAD_OFF_PENDING_ADDR, s.pendingAddr);
}

export function getRobustListHead(v: DataView, off: number): RobustListHead {
  return {
    listNextAddr: getU64(v, off + ROBUST_LIST_HEAD_OFF_LIST_NEXT_ADDR),
    futexOffset: getI64(v, off + ROBUST_LIST_HEAD_OFF_FUTEX_OFFSET),
    pendingAddr: getU64(v, off + ROBUST_LIST_HEAD_OFF_PENDING_ADDR),
  };
}

/** struct futex_waitv, one element of futex_waitv(2)'s vector. */
export const FUTEX_WAITV_SIZE = 24;
export const FUTEX_WAITV_OFF_VAL = 0;
export const FUTEX_WAITV_OFF_UADDR = 8;
export const FUTEX_WAITV_OFF_FLAGS = 16;

export interface FutexWaitv {
  val: number;
  uaddr: number;
  flags: number;
}

export function putFutexWaitv(
  v: DataView,
  off: number,
  val: number,
  uaddr: number,
  flags: number,
): void {
  setU64(v, off + FUTEX_WAITV_OFF_VAL, val);
  setU64(v, off + FUTEX_WAITV_OFF_UADDR, uaddr);
  v.setUint32(off + FUTEX_WAITV_OFF_FLAGS, flags, true);
}

export function getFutexWaitv(v: DataView, off: number): FutexWaitv {
  return {
    val: getU64(v, off + FUTEX_WAITV_OFF_VAL),
    uaddr: getU64(v, off + FUTEX_WAITV_OFF_UADDR),
    flags: v.getUint32(off + FUTEX_WAITV_OFF_FLAGS, true),
  };
}
