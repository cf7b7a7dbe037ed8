import { assertEquals } from "@std/assert";
import { forgetReading, readClock, setClockSource } from "./clock.ts";

Deno.test("the clock is read anew for every stamp, until a loop says when to", () => {
  let ms = 1_000_250;
  setClockSource((out) => {
    out[0] = Math.floor(ms / 1000);
    out[1] = ms % 1000 * 1e6;
  });
  assertEquals({ ...readClock() }, { sec: 1000, nsec: 250e6 });
  ms += 1;
  assertEquals({ ...readClock() }, { sec: 1000, nsec: 251e6 });
  forgetReading();
  ms += 1000;
  assertEquals({ ...readClock() }, { sec: 1001, nsec: 251e6 });
  ms += 1;
  assertEquals({ ...readClock() }, { sec: 1001, nsec: 251e6 });
  forgetReading();
  assertEquals({ ...readClock() }, { sec: 1001, nsec: 252e6 });
});
