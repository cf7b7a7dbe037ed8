/**
 * Restartable sequences (linux/rseq.h), rseq(2).
 */

import { getU64, setU64, zero } from "./bytes.ts";

export const RSEQ_CPU_ID_UNINITIALIZED = -1;
export const RSEQ_CPU_ID_REGISTRATION_FAILED = -2;
export const RSEQ_FLAG_UNREGISTER = 1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT_BIT = 0;
export const RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL_BIT = 1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE_BIT = 2;
export const RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT = 1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL = 2;
export const RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE = 4;

/** struct rseq as first published, 32 bytes; later kernels append (AT_RSEQ_FEATURE_SIZE). */
export const RSEQ_SIZE = 32;
export const RSEQ_OFF_CPU_ID_START = 0;
export const RSEQ_OFF_CPU_ID = 4;
export const RSEQ_OFF_RSEQ_CS_ADDR = 8;
export const RSEQ_OFF_FLAGS = 16;

/** struct rseq_cs, a critical section. */
export const RSEQ_CS_SIZE = 32;
export const RSEQ_CS_OFF_VERSION = 0;
export const RSEQ_CS_OFF_FLAGS = 4;
export const RSEQ_CS_OFF_START_IP = 8;
export const RSEQ_CS_OFF_POST_COMMIT_OFFSET = 16;
export const RSEQ_CS_OFF_ABORT_IP = 24;

export interface RseqCs {
  version: number;
  flags: number;
  startIp: number;
  postCommitOffset: number;
  abortIp: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putRseqCs(v: DataView, off: number, s: RseqCs): void {
  zero(v, off, RSEQ_CS_SIZE);
  v.setUint32(off + RSEQ_CS_OFF_VERSION, s.version, true);
  v.setUint32(off + RSEQ_CS_OFF_FLAGS, s.flags, true);
  setU64(v, off + RSEQ_CS_OFF_START_IP, s.startIp);
  setU64(v, off + RSEQ_CS_OFF_POST_COMMIT_OFFSET, s.postCommitOffset);
  setU64(v, off + RSEQ_CS_OFF_ABORT_IP, s.abortIp);
}

export function getRseqCs(v: DataView, off: number): RseqCs {
  return {
    version: v.getUint32(off + RSEQ_CS_OFF_VERSION, true),
    flags: v.getUint32(off + RSEQ_CS_OFF_FLAGS, true),
    startIp: getU64(v, off + RSEQ_CS_OFF_START_IP),
    postCommitOffset: getU64(v, off + RSEQ_CS_OFF_POST_COMMIT_OFFSET),
    abortIp: getU64(v, off + RSEQ_CS_OFF_ABORT_IP),
  };
}
