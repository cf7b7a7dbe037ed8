/**
 * How long the Sentry, and with it every guest, waits for a stub that is to do something at once. A busy host may
 * keep a stub from its processor for seconds; one whose guest keeps it from answering is ended when the wait is
 * over, and the next is waited for a tenth of that, as long as such guests keep coming.
 */
import { monoNs } from "../host/host.ts";

const LEAST_NS = 1e8;
/** So long after the last of them all is as at first. */
const FORGOTTEN_NS = 60e9;

export class Patience {
  #exhausted = 0;
  #lastMonoNs = 0;

  constructor(readonly firstNs: number, readonly clock: () => number = monoNs) {}

  get ns(): number {
    if (this.#exhausted > 0 && this.clock() - this.#lastMonoNs > FORGOTTEN_NS) this.#exhausted = 0;
    return Math.max(LEAST_NS, this.firstNs / 10 ** this.#exhausted);
  }

  /** A wait was in vain. */
  exhaust(): void {
    this.#exhausted++;
    this.#lastMonoNs = this.clock();
  }
}
