/**
 * The clock of file times: wall clock, coarse as Linux's (current_time uses the tick, not the
 * hardware clock): it is read once for all that a system call stamps.
 */
class Clock {
  sec = 0;
  nsec = 0;
}
/** The result of the last `readClock`. */
export const clock = new Clock();

let lastMs = 0;
/** The reading stands until `forgetReading`. */
let isRead = false;
/** There is a loop that calls `forgetReading`; without one every reading is new. */
let loopForgets = false;
let source: () => number = Date.now;

/** Another source of milliseconds since the epoch (tests, time namespaces). */
export function setClockSource(nowMs: () => number): void {
  source = nowMs;
}

/** For the kernel's loop: what is stamped from now on is later than what was. */
export function forgetReading(): void {
  loopForgets = true;
  isRead = false;
}

export function readClock(): Clock {
  if (isRead) return clock;
  isRead = loopForgets;
  const ms = source();
  if (ms !== lastMs) {
    lastMs = ms;
    clock.sec = Math.floor(ms / 1000);
    clock.nsec = Math.floor((ms - clock.sec * 1000) * 1e6);
  }
  return clock;
}
