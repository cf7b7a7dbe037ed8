/** Whether a process that has said that it is empty, and waits for a program, is indeed at rest. */
import { clockNs, processClock } from "../host/host.ts";
import { LOOK_NS } from "./stray_hunt.ts";

/** What a stub may take to fall asleep, on a host that has little time for it. */
const GRACE_NS = 2e7;
/** When an idle sandbox looks, after the first look; then each minute. */
const LOOKS_NS = [LOOK_NS, 1e9, 10e9];
const SELDOM_NS = 60e9;

export class Rest {
  readonly #clock: number;
  /** Its first reading; -1 before. */
  #usedNs = -1;
  #sinceMonoNs = 0;
  /** After how long to look again though nothing happens: one that was believed may have waited for that. */
  waitNs = LOOK_NS;

  constructor(pid: number) {
    this.#clock = processClock(pid);
  }

  /** Looks, at `now`: whether it has used a processor since the first look. */
  runsOn(now: number): boolean {
    const usedNs = clockNs(this.#clock);
    if (this.#usedNs < 0) {
      this.#usedNs = usedNs;
      this.#sinceMonoNs = now;
    } else {
      const restedNs = now - this.#sinceMonoNs;
      this.waitNs = LOOKS_NS.find((ns) => ns > restedNs) ?? SELDOM_NS;
    }
    return usedNs - this.#usedNs > GRACE_NS;
  }
}
