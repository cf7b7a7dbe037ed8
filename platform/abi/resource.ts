/**
 * Limits and usage (linux/resource.h): getrlimit(2), getrusage(2), getpriority(2).
 * RLIM_INFINITY is all ones; as a number it is 2^64, which bytes.ts reads and writes as such.
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// Resources
export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;
export const RLIMIT_RTTIME = 15;
export const RLIM_NLIMITS = 16;
export const RLIM_INFINITY = 2 ** 64;

// getrusage(2)
export const RUSAGE_SELF = 0;
export const RUSAGE_CHILDREN = -1;
export const RUSAGE_BOTH = -2;
export const RUSAGE_THREAD = 1;

// getpriority(2)
export const PRIO_MIN = -20;
export const PRIO_MAX = 20;
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;

// Defaults
export const _STK_LIM = 8388608;
export const MLOCK_LIMIT = 8388608;

/** struct rlimit and struct rlimit64, which are alike on x86-64. */
export const RLIMIT_SIZE = 16;
export const RLIMIT_OFF_CUR = 0;
export const RLIMIT_OFF_MAX = 8;

export interface Rlimit {
  cur: number;
  max: number;
}

export function putRlimit(v: DataView, off: number, cur: number, max: number): void {
  setU64(v, off + RLIMIT_OFF_CUR, cur);
  setU64(v, off + RLIMIT_OFF_MAX, max);
}

export function getRlimit(v: DataView, off: number): Rlimit {
  return {
    cur: getU64(v, off + RLIMIT_OFF_CUR),
    max: getU64(v, off + RLIMIT_OFF_MAX),
  };
}

/** struct rusage. */
export const RUSAGE_SIZE = 144;
/** It is made of 64-bit words alone. */
export const RUSAGE_WORDS = RUSAGE_SIZE / 8;
export const RUSAGE_OFF_UTIME_SEC = 0;
export const RUSAGE_OFF_UTIME_USEC = 8;
export const RUSAGE_OFF_STIME_SEC = 16;
export const RUSAGE_OFF_STIME_USEC = 24;
export const RUSAGE_OFF_MAXRSS_KB = 32;
export const RUSAGE_OFF_IXRSS = 40;
export const RUSAGE_OFF_IDRSS = 48;
export const RUSAGE_OFF_ISRSS = 56;
export const RUSAGE_OFF_MINFLT = 64;
export const RUSAGE_OFF_MAJFLT = 72;
export const RUSAGE_OFF_NSWAP = 80;
export const RUSAGE_OFF_INBLOCK = 88;
export const RUSAGE_OFF_OUBLOCK = 96;
export const RUSAGE_OFF_MSGSND = 104;
export const RUSAGE_OFF_MSGRCV = 112;
export const RUSAGE_OFF_NSIGNALS = 120;
export const RUSAGE_OFF_NVCSW = 128;
export const RUSAGE_OFF_NIVCSW = 136;

export interface Rusage {
  utimeSec: number;
  utimeUsec: number;
  stimeSec: number;
  stimeUsec: number;
  maxrssKb: number;
  ixrss: number;
  idrss: number;
  isrss: number;
  minflt: number;
  majflt: number;
  nswap: number;
  inblock: number;
  oublock: number;
  msgsnd: number;
  msgrcv: number;
  nsignals: number;
  nvcsw: number;
  nivcsw: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putRusage(v: DataView, off: number, s: Rusage): void {
  zero(v, off, RUSAGE_SIZE);
  setI64(v, off + RUSAGE_OFF_UTIME_SEC, s.utimeSec);
  setI64(v, off + RUSAGE_OFF_UTIME_USEC, s.utimeUsec);
  setI64(v, off + RUSAGE_OFF_STIME_SEC, s.stimeSec);
  setI64(v, off + RUSAGE_OFF_STIME_USEC, s.stimeUsec);
  setI64(v, off + RUSAGE_OFF_MAXRSS_KB, s.maxrssKb);
  setI64(v, off + RUSAGE_OFF_IXRSS, s.ixrss);
  setI64(v, off + RUSAGE_OFF_IDRSS, s.idrss);
  setI64(v, off + RUSAGE_OFF_ISRSS, s.isrss);
  setI64(v, off + RUSAGE_OFF_MINFLT, s.minflt);
  setI64(v, off + RUSAGE_OFF_MAJFLT, s.majflt);
  setI64(v, off + RUSAGE_OFF_NSWAP, s.nswap);
  setI64(v, off + RUSAGE_OFF_INBLOCK, s.inblock);
  setI64(v, off + RUSAGE_OFF_OUBLOCK, s.oublock);
  setI64(v, off + RUSAGE_OFF_MSGSND, s.msgsnd);
  setI64(v, off + RUSAGE_OFF_MSGRCV, s.msgrcv);
  setI64(v, off + RUSAGE_OFF_NSIGNALS, s.nsignals);
  setI64(v, off + RUSAGE_OFF_NVCSW, s.nvcsw);
  setI64(v, off + RUSAGE_OFF_NIVCSW, s.nivcsw);
}

export function getRusage(v: DataView, off: number): Rusage {
  return {
    utimeSec: getI64(v, off + RUSAGE_OFF_UTIME_SEC),
    utimeUsec: getI64(v, off + RUSAGE_OFF_UTIME_USEC),
    stimeSec: getI64(v, off + RUSAGE_OFF_STIME_SEC),
    stimeUsec: getI64(v, off + RUSAGE_OFF_STIME_USEC),
    maxrssKb: getI64(v, off + RUSAGE_OFF_MAXRSS_KB),
    ixrss: getI64(v, off + RUSAGE_OFF_IXRSS),
    idrss: getI64(v, off + RUSAGE_OFF_IDRSS),
    isrss: getI64(v, off + RUSAGE_OFF_ISRSS),
    minflt: getI64(v, off + RUSAGE_OFF_MINFLT),
    majflt: getI64(v, off + RUSAGE_OFF_MAJFLT),
    nswap: getI64(v, off + RUSAGE_OFF_NSWAP),
    inblock: getI64(v, off + RUSAGE_OFF_INBLOCK),
    oublock: getI64(v, off + RUSAGE_OFF_OUBLOCK),
    msgsnd: getI64(v, off + RUSAGE_OFF_MSGSND),
    msgrcv: getI64(v, off + RUSAGE_OFF_MSGRCV),
    nsignals: getI64(v, off + RUSAGE_OFF_NSIGNALS),
    nvcsw: getI64(v, off + RUSAGE_OFF_NVCSW),
    nivcsw: getI64(v, off + RUSAGE_OFF_NIVCSW),
  };
}
