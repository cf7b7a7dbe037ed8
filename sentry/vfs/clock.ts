/**
 * The clock of file times: wall clock, coarse as Linux's (current_time uses the tick, not the
 * hardware clock). `now` stamps are read after `readClock`.
 */
class Clock {
  sec = 0;
  nsec = 0;
}
/** The result of the last `readClock`. */
export const clock = new Clock();

let lastMs = 0;
let source: () => number = Date.now;

/** Another source of milliseconds since the epoch (tests, time namespaces). */
export function setClockSource(nowMs: () => number): void {
  source = nowMs;
}

export function readClock(): Clock {
  const ms = source();
  if (ms !== lastMs) {
    lastMs = ms;
    clock.sec = Math.floor(ms / 1000);
    clock.nsec = Math.floor((ms - clock.sec * 1000) * 1e6);
  }
  return clock;
}
