/**
 * The search for processes that a guest has made of a fork that was let through, and that have not greeted: nobody
 * knows their number, so that nobody could end them. Whoever is the Sentry's child, is known to nobody and stays so is
 * ended. The host gives numbers out in ascending order: a stray's is behind all that were known when its fork was
 * ordered, by no more than have been made since.
 */
import { native } from "../host/ffi.ts";
import { monoNs } from "../host/host.ts";

/** Between two looks. */
export const LOOK_NS = 2e8;
/** A fork's child that has been let through and has no processor yet is not made; so many looks are enough. */
const LOOKS = 25;
/** A child that nobody means harm with greets before it has been seen so often. */
const SIGHTINGS = 5;
/** Threads of the Sentry's own process, which take numbers, too. */
const OWN_THREADS = 64;

/** Where in the order of births something was: the newest process that was known, and how many had been ordered. */
export interface Moment {
  readonly pid: number;
  readonly ordered: number;
}

export class StrayHunt {
  #newestPid = 0;
  #ordered = 0;
  #from: Moment | null = null;
  #looksLeft = 0;
  #nextMonoNs = 0;
  readonly #sightings = new Map<number, number>();

  /** `isKnown`: whether the process is one of the Sentry's stubs. */
  constructor(readonly isKnown: (pid: number) => boolean) {}

  /** A process or thread is about to be made. */
  order(): Moment {
    return { pid: this.#newestPid, ordered: this.#ordered++ };
  }

  /** A process has said its number. */
  met(pid: number): void {
    this.#newestPid = pid;
  }

  get isOn(): boolean {
    return this.#from !== null;
  }

  /** What was ordered at `moment` has not greeted, and will not. */
  start(moment: Moment): void {
    if (this.#from === null || moment.ordered < this.#from.ordered) this.#from = moment;
    this.#looksLeft = LOOKS;
  }

  /** Looks, if it is time to. */
  look(): void {
    if (this.#from === null || monoNs() < this.#nextMonoNs) return;
    this.#nextMonoNs = monoNs() + LOOK_NS;
    const { pid, ordered } = this.#from;
    const span = this.#ordered - ordered + OWN_THREADS;
    this.#search(pid + 1, pid + 1 + span);
    // The numbers have begun anew.
    if (this.#newestPid < pid) this.#search(1, this.#newestPid + OWN_THREADS);
    if (--this.#looksLeft > 0) return;
    this.#from = null;
    this.#sightings.clear();
  }

  #search(from: number, end: number): void {
    for (let pid = from; (pid = native.dv_next_child(pid, end)) > 0; pid++) {
      if (this.isKnown(pid)) continue;
      const sightings = (this.#sightings.get(pid) ?? 0) + 1;
      this.#sightings.set(pid, sightings);
      if (sightings >= SIGHTINGS) native.dv_kill(pid);
    }
  }
}
