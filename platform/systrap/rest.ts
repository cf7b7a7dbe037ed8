/** Whether a process that has said that it is empty, and waits for a program, is indeed at rest. */
import { clockNs, processClock } from "../host/host.ts";
import { LOOK_NS } from "./stray_hunt.ts";

/** What a stub may take to fall asleep, on a host that has little time for it. */
const GRACE_NS = 2e7;

export class Rest {
  readonly #clock: number;
  /** Its first reading; -1 before. */
  #usedNs = -1;
  #sinceMonoNs = 0;
  /** It has rested while nobody looked, for long enough. Who looks later still looks again. */
  isSeen = false;

  constructor(pid: number) {
    this.#clock = processClock(pid);
  }

  /** Looks, at `now`: whether it has used a processor since the first look. */
  runsOn(now: number): boolean {
    const usedNs = clockNs(this.#clock);
    if (this.#usedNs < 0) {
      this.#usedNs = usedNs;
      this.#sinceMonoNs = now;
    } else if (now - this.#sinceMonoNs >= LOOK_NS) this.isSeen = true;
    return usedNs - this.#usedNs > GRACE_NS;
  }
}
