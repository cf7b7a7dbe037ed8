/** Times, timers and clocks. */
import * as time from "../../platform/abi/time.ts";
import { getI64 } from "../../platform/abi/bytes.ts";
import { type Call, hexOf } from "./call.ts";
import { named, type Struct, structIn, structOut } from "./arguments.ts";
import { choiceOf, flagsOf, namesOf } from "./names.ts";

export const clock = named(choiceOf(namesOf(time, /^CLOCK_(?!T_SIZE)/), (n) => `${n}`));
export const timerFlags = named(flagsOf(namesOf(time, /^TIMER_ABSTIME$/)));
export const timerfdCreateFlags = named(flagsOf(namesOf(time, /^TFD_(CLOEXEC|NONBLOCK)$/)));
export const timerfdFlags = named(flagsOf(namesOf(time, /^TFD_TIMER_/)));
export const itimer = named(choiceOf(namesOf(time, /^ITIMER_(REAL|VIRTUAL|PROF)$/)));

function seconds(v: DataView, off: number, unit: string): string {
  return `{tv_sec=${getI64(v, off)}, tv_${unit}=${getI64(v, off + 8)}}`;
}

export const timespec: Struct = {
  size: time.TIMESPEC_SIZE,
  show: (v, off) => seconds(v, off, "nsec"),
};

export const timeval: Struct = {
  size: time.TIMEVAL_SIZE,
  show: (v, off) => seconds(v, off, "usec"),
};

/** A time of utimensat(2), whose nanoseconds may be a word. */
const fileTime: Struct = {
  size: time.TIMESPEC_SIZE,
  show: (v, off) => {
    const nsec = v.getUint32(off + 8, true);
    return nsec === time.UTIME_NOW
      ? "UTIME_NOW"
      : nsec === time.UTIME_OMIT
      ? "UTIME_OMIT"
      : timespecAt(v, off);
  },
};

function timespecAt(v: DataView, off: number): string {
  return seconds(v, off, "nsec");
}

function pair(type: Struct): Struct {
  return {
    size: 2 * type.size,
    show: (v, off, c) => `[${type.show(v, off, c)}, ${type.show(v, off + type.size, c)}]`,
  };
}

function timer(type: Struct): Struct {
  return {
    size: 2 * type.size,
    show: (v, off, c) =>
      `{it_interval=${type.show(v, off, c)}, it_value=${type.show(v, off + type.size, c)}}`,
  };
}

export const timespecIn = structIn(timespec);
export const timespecOut = structOut(timespec);
export const timevalIn = structIn(timeval);
export const timevalOut = structOut(timeval);
export const fileTimesIn = structIn(pair(fileTime));
export const timevalsIn = structIn(pair(timeval));
export const itimerspecIn = structIn(timer(timespec));
export const itimerspecOut = structOut(timer(timespec));
export const itimervalIn = structIn(timer(timeval));
export const itimervalOut = structOut(timer(timeval));

export const timezone: Struct = {
  size: time.TIMEZONE_SIZE,
  show: (v, off) =>
    `{tz_minuteswest=${v.getInt32(off, true)}, tz_dsttime=${v.getInt32(off + 4, true)}}`,
};

/** struct utimbuf */
export const utimbufIn = structIn({
  size: 16,
  show: (v, off) => `{actime=${getI64(v, off)}, modtime=${getI64(v, off + 8)}}`,
});

const modes = flagsOf(namesOf(time, /^ADJ_(?!OFFSET_S)/));
const states = choiceOf(namesOf(time, /^TIME_(OK|INS|DEL|OOP|WAIT|ERROR)$/));
export const clockState = (c: Call) => `${c.result} (${states(c.result)})`;
export const timexOut = structOut({
  size: time.TIMEX_SIZE,
  show: (v, off) => {
    const t = time.getTimex(v, off);
    return `{modes=${modes(t.modes)}, offset=${t.offset}, freq=${t.freq}, status=${
      hexOf(t.status)
    }, ...}`;
  },
});
