/**
 * Clocks and timers (linux/time.h, linux/time_types.h, linux/timerfd.h, linux/timex.h).
 */

import { getI64, setI64, zero } from "./bytes.ts";

// Clock ids
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_SGI_CYCLE = 10;
export const CLOCK_TAI = 11;

// Timers
export const TIMER_ABSTIME = 1;
export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;

// timerfd(2)
export const TFD_TIMER_ABSTIME = 1;
export const TFD_TIMER_CANCEL_ON_SET = 2;
export const TFD_IOC_SET_TICKS = 0x40085400;

export const TFD_CLOEXEC = 0o2000000;
export const TFD_NONBLOCK = 0o4000;

// utimensat(2)
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

// adjtimex(2)
export const ADJ_OFFSET = 1;
export const ADJ_FREQUENCY = 2;
export const ADJ_MAXERROR = 4;
export const ADJ_ESTERROR = 8;
export const ADJ_STATUS = 0x10;
export const ADJ_TIMECONST = 0x20;
export const ADJ_TAI = 0x80;
export const ADJ_SETOFFSET = 0x100;
export const ADJ_MICRO = 0x1000;
export const ADJ_NANO = 0x2000;
export const ADJ_TICK = 0x4000;
export const ADJ_OFFSET_SINGLESHOT = 0x8001;
export const ADJ_OFFSET_SS_READ = 0xa001;
export const TIME_OK = 0;
export const TIME_INS = 1;
export const TIME_DEL = 2;
export const TIME_OOP = 3;
export const TIME_WAIT = 4;
export const TIME_ERROR = 5;
export const STA_PLL = 1;
export const STA_PPSFREQ = 2;
export const STA_PPSTIME = 4;
export const STA_FLL = 8;
export const STA_INS = 0x10;
export const STA_DEL = 0x20;
export const STA_UNSYNC = 0x40;
export const STA_FREQHOLD = 0x80;
export const STA_PPSSIGNAL = 0x100;
export const STA_PPSJITTER = 0x200;
export const STA_PPSWANDER = 0x400;
export const STA_PPSERROR = 0x800;
export const STA_CLOCKERR = 0x1000;
export const STA_NANO = 0x2000;
export const STA_MODE = 0x4000;
export const STA_CLK = 0x8000;
export const STA_RONLY = 0xff00;

/** struct timespec with 64-bit fields. */
export const TIMESPEC_SIZE = 16;
export const TIMESPEC_OFF_SEC = 0;
export const TIMESPEC_OFF_NSEC = 8;

export interface Timespec {
  sec: number;
  nsec: number;
}

export function putTimespec(v: DataView, off: number, sec: number, nsec: number): void {
  setI64(v, off + TIMESPEC_OFF_SEC, sec);
  setI64(v, off + TIMESPEC_OFF_NSEC, nsec);
}

export function getTimespec(v: DataView, off: number): Timespec {
  return {
    sec: getI64(v, off + TIMESPEC_OFF_SEC),
    nsec: getI64(v, off + TIMESPEC_OFF_NSEC),
  };
}

/** struct timeval. */
export const TIMEVAL_SIZE = 16;
export const TIMEVAL_OFF_SEC = 0;
export const TIMEVAL_OFF_USEC = 8;

export interface Timeval {
  sec: number;
  usec: number;
}

export function putTimeval(v: DataView, off: number, sec: number, usec: number): void {
  setI64(v, off + TIMEVAL_OFF_SEC, sec);
  setI64(v, off + TIMEVAL_OFF_USEC, usec);
}

export function getTimeval(v: DataView, off: number): Timeval {
  return {
    sec: getI64(v, off + TIMEVAL_OFF_SEC),
    usec: getI64(v, off + TIMEVAL_OFF_USEC),
  };
}

/** struct itimerspec, for timer_settime(2) and timerfd_settime(2). */
export const ITIMERSPEC_SIZE = 32;
export const ITIMERSPEC_OFF_INTERVAL_SEC = 0;
export const ITIMERSPEC_OFF_INTERVAL_NSEC = 8;
export const ITIMERSPEC_OFF_VALUE_SEC = 16;
export const ITIMERSPEC_OFF_VALUE_NSEC = 24;

export interface Itimerspec {
  intervalSec: number;
  intervalNsec: number;
  valueSec: number;
  valueNsec: number;
}

export function putItimerspec(
  v: DataView,
  off: number,
  intervalSec: number,
  intervalNsec: number,
  valueSec: number,
  valueNsec: number,
): void {
  setI64(v, off + ITIMERSPEC_OFF_INTERVAL_SEC, intervalSec);
  setI64(v, off + ITIMERSPEC_OFF_INTERVAL_NSEC, intervalNsec);
  setI64(v, off + ITIMERSPEC_OFF_VALUE_SEC, valueSec);
  setI64(v, off + ITIMERSPEC_OFF_VALUE_NSEC, valueNsec);
}

export function getItimerspec(v: DataView, off: number): Itimerspec {
  return {
    intervalSec: getI64(v, off + ITIMERSPEC_OFF_INTERVAL_SEC),
    intervalNsec: getI64(v, off + ITIMERSPEC_OFF_INTERVAL_NSEC),
    valueSec: getI64(v, off + ITIMERSPEC_OFF_VALUE_SEC),
    valueNsec: getI64(v, off + ITIMERSPEC_OFF_VALUE_NSEC),
  };
}

/** struct itimerval, for setitimer(2). */
export const ITIMERVAL_SIZE = 32;
export const ITIMERVAL_OFF_INTERVAL_SEC = 0;
export const ITIMERVAL_OFF_INTERVAL_USEC = 8;
export const ITIMERVAL_OFF_VALUE_SEC = 16;
export const ITIMERVAL_OFF_VALUE_USEC = 24;

export interface Itimerval {
  intervalSec: number;
  intervalUsec: number;
  valueSec: number;
  valueUsec: number;
}

export function putItimerval(
  v: DataView,
  off: number,
  intervalSec: number,
  intervalUsec: number,
  valueSec: number,
  valueUsec: number,
): void {
  setI64(v, off + ITIMERVAL_OFF_INTERVAL_SEC, intervalSec);
  setI64(v, off + ITIMERVAL_OFF_INTERVAL_USEC, intervalUsec);
  setI64(v, off + ITIMERVAL_OFF_VALUE_SEC, valueSec);
  setI64(v, off + ITIMERVAL_OFF_VALUE_USEC, valueUsec);
}

export function getItimerval(v: DataView, off: number): Itimerval {
  return {
    intervalSec: getI64(v, off + ITIMERVAL_OFF_INTERVAL_SEC),
    intervalUsec: getI64(v, off + ITIMERVAL_OFF_INTERVAL_USEC),
    valueSec: getI64(v, off + ITIMERVAL_OFF_VALUE_SEC),
    valueUsec: getI64(v, off + ITIMERVAL_OFF_VALUE_USEC),
  };
}

/** struct timezone, gettimeofday(2)'s second result. */
export const TIMEZONE_SIZE = 8;
export const TIMEZONE_OFF_MINUTES_WEST = 0;
export const TIMEZONE_OFF_DST_TIME = 4;

export interface Timezone {
  minutesWest: number;
  dstTime: number;
}

export function putTimezone(v: DataView, off: number, minutesWest: number, dstTime: number): void {
  v.setInt32(off + TIMEZONE_OFF_MINUTES_WEST, minutesWest, true);
  v.setInt32(off + TIMEZONE_OFF_DST_TIME, dstTime, true);
}

export function getTimezone(v: DataView, off: number): Timezone {
  return {
    minutesWest: v.getInt32(off + TIMEZONE_OFF_MINUTES_WEST, true),
    dstTime: v.getInt32(off + TIMEZONE_OFF_DST_TIME, true),
  };
}

/** struct timex, for adjtimex(2). */
export const TIMEX_SIZE = 208;
export const TIMEX_OFF_MODES = 0;
export const TIMEX_OFF_OFFSET = 8;
export const TIMEX_OFF_FREQ = 16;
export const TIMEX_OFF_MAXERROR = 24;
export const TIMEX_OFF_ESTERROR = 32;
export const TIMEX_OFF_STATUS = 40;
export const TIMEX_OFF_CONSTANT = 48;
export const TIMEX_OFF_PRECISION = 56;
export const TIMEX_OFF_TOLERANCE = 64;
export const TIMEX_OFF_TIME_SEC = 72;
export const TIMEX_OFF_TIME_USEC = 80;
export const TIMEX_OFF_TICK = 88;
export const TIMEX_OFF_PPSFREQ = 96;
export const TIMEX_OFF_JITTER = 104;
export const TIMEX_OFF_SHIFT = 112;
export const TIMEX_OFF_STABIL = 120;
export const TIMEX_OFF_JITCNT = 128;
export const TIMEX_OFF_CALCNT = 136;
export const TIMEX_OFF_ERRCNT = 144;
export const TIMEX_OFF_STBCNT = 152;
export const TIMEX_OFF_TAI = 160;

export interface Timex {
  modes: number;
  offset: number;
  freq: number;
  maxerror: number;
  esterror: number;
  status: number;
  constant: number;
  precision: number;
  tolerance: number;
  timeSec: number;
  timeUsec: number;
  tick: number;
  ppsfreq: number;
  jitter: number;
  shift: number;
  stabil: number;
  jitcnt: number;
  calcnt: number;
  errcnt: number;
  stbcnt: number;
  tai: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putTimex(v: DataView, off: number, s: Timex): void {
  zero(v, off, TIMEX_SIZE);
  v.setUint32(off + TIMEX_OFF_MODES, s.modes, true);
  setI64(v, off + TIMEX_OFF_OFFSET, s.offset);
  setI64(v, off + TIMEX_OFF_FREQ, s.freq);
  setI64(v, off + TIMEX_OFF_MAXERROR, s.maxerror);
  setI64(v, off + TIMEX_OFF_ESTERROR, s.esterror);
  v.setInt32(off + TIMEX_OFF_STATUS, s.status, true);
  setI64(v, off + TIMEX_OFF_CONSTANT, s.constant);
  setI64(v, off + TIMEX_OFF_PRECISION, s.precision);
  setI64(v, off + TIMEX_OFF_TOLERANCE, s.tolerance);
  setI64(v, off + TIMEX_OFF_TIME_SEC, s.timeSec);
  setI64(v, off + TIMEX_OFF_TIME_USEC, s.timeUsec);
  setI64(v, off + TIMEX_OFF_TICK, s.tick);
  setI64(v, off + TIMEX_OFF_PPSFREQ, s.ppsfreq);
  setI64(v, off + TIMEX_OFF_JITTER, s.jitter);
  v.setInt32(off + TIMEX_OFF_SHIFT, s.shift, true);
  setI64(v, off + TIMEX_OFF_STABIL, s.stabil);
  setI64(v, off + TIMEX_OFF_JITCNT, s.jitcnt);
  setI64(v, off + TIMEX_OFF_CALCNT, s.calcnt);
  setI64(v, off + TIMEX_OFF_ERRCNT, s.errcnt);
  setI64(v, off + TIMEX_OFF_STBCNT, s.stbcnt);
  v.setInt32(off + TIMEX_OFF_TAI, s.tai, true);
}

export function getTimex(v: DataView, off: number): Timex {
  return {
    modes: v.getUint32(off + TIMEX_OFF_MODES, true),
    offset: getI64(v, off + TIMEX_OFF_OFFSET),
    freq: getI64(v, off + TIMEX_OFF_FREQ),
    maxerror: getI64(v, off + TIMEX_OFF_MAXERROR),
    esterror: getI64(v, off + TIMEX_OFF_ESTERROR),
    status: v.getInt32(off + TIMEX_OFF_STATUS, true),
    constant: getI64(v, off + TIMEX_OFF_CONSTANT),
    precision: getI64(v, off + TIMEX_OFF_PRECISION),
    tolerance: getI64(v, off + TIMEX_OFF_TOLERANCE),
    timeSec: getI64(v, off + TIMEX_OFF_TIME_SEC),
    timeUsec: getI64(v, off + TIMEX_OFF_TIME_USEC),
    tick: getI64(v, off + TIMEX_OFF_TICK),
    ppsfreq: getI64(v, off + TIMEX_OFF_PPSFREQ),
    jitter: getI64(v, off + TIMEX_OFF_JITTER),
    shift: v.getInt32(off + TIMEX_OFF_SHIFT, true),
    stabil: getI64(v, off + TIMEX_OFF_STABIL),
    jitcnt: getI64(v, off + TIMEX_OFF_JITCNT),
    calcnt: getI64(v, off + TIMEX_OFF_CALCNT),
    errcnt: getI64(v, off + TIMEX_OFF_ERRCNT),
    stbcnt: getI64(v, off + TIMEX_OFF_STBCNT),
    tai: v.getInt32(off + TIMEX_OFF_TAI, true),
  };
}

/** time_t and clock_t. */
export const TIME_T_SIZE = 8;
export const CLOCK_T_SIZE = 8;
export const NSEC_PER_SEC = 1_000_000_000;
export const USEC_PER_SEC = 1_000_000;
export const NSEC_PER_USEC = 1_000;
export const NSEC_PER_MSEC = 1_000_000;
