/** Files in flight: the payload of SCM_RIGHTS, with the references it holds and the limit on them. */
import { ETOOMANYREFS } from "../../platform/abi/errno.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { FileDescription } from "../vfs/file.ts";
import { collectGarbage, countInFlight } from "./garbage.ts";

/** Files a user may have in flight regardless of privilege, so that a leak stays bounded. */
const HARD_LIMIT = 65536;
const inFlight = new Map<number, number>();
ofOneSandbox(() => inFlight.clear());

function count(uid: number, n: number): void {
  const now = (inFlight.get(uid) ?? 0) + n;
  if (now > 0) inFlight.set(uid, now);
  else inFlight.delete(uid);
}

export class Rights {
  #files: FileDescription[];

  /** Takes a reference of each file. */
  private constructor(files: readonly FileDescription[], readonly uid: number) {
    this.#files = files.map((file) => file.acquire());
    for (const file of files) countInFlight(file, 1);
    count(uid, files.length);
  }

  /** -ETOOMANYREFS when the user has more than `limit` files in flight (unix(7): RLIMIT_NOFILE). */
  static send(files: readonly FileDescription[], uid: number, limit: number): Rights | number {
    const most = Math.min(limit, HARD_LIMIT);
    if ((inFlight.get(uid) ?? 0) > most) {
      collectGarbage();
      if ((inFlight.get(uid) ?? 0) > most) return -ETOOMANYREFS;
    }
    return new Rights(files, uid);
  }

  /** For MSG_PEEK, which receives the files without taking them from the queue. */
  copy(): Rights {
    return new Rights(this.#files, this.uid);
  }

  get length(): number {
    return this.#files.length;
  }

  get files(): readonly FileDescription[] {
    return this.#files;
  }

  /** Gives the files, with their references, to the caller. */
  take(): FileDescription[] {
    const files = this.#files;
    for (const file of files) countInFlight(file, -1);
    count(this.uid, -files.length);
    this.#files = [];
    return files;
  }

  release(): void {
    for (const file of this.take()) file.release();
  }
}
