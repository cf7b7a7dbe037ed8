/**
 * The clock of file times: wall clock, coarse as Linux's (current_time uses the tick, not the
 * hardware clock): it is read once for all that a system call stamps. A file is never older than what
 * CLOCK_REALTIME_COARSE was before it was made.
 */
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";

class Clock {
  sec = 0;
  nsec = 0;
}
/** The result of the last `readClock`. */
export const clock = new Clock();

/** The reading stands until `forgetReading`. */
let isRead = false;
/** There is a loop that calls `forgetReading`; without one every reading is new. */
let loopForgets = false;
/** Fills in seconds since the epoch, and nanoseconds. */
type TimeSource = (out: Float64Array) => void;

/** Where there is no host to ask. */
export const byMillisecond: TimeSource = (out) => {
  const ms = Date.now();
  out[0] = Math.floor(ms / 1000);
  out[1] = ms % 1000 * 1e6;
};
let source = byMillisecond;
const reading = new Float64Array(2);
ofOneSandbox(() => isRead = false);

export function setClockSource(read: TimeSource): void {
  source = read;
}

/** For the kernel's loop: what is stamped from now on is later than what was. */
export function forgetReading(): void {
  loopForgets = true;
  isRead = false;
}

export function readClock(): Clock {
  if (isRead) return clock;
  isRead = loopForgets;
  source(reading);
  clock.sec = reading[0];
  clock.nsec = reading[1];
  return clock;
}
