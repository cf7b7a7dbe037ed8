/**
 * Sockets that are held by nothing but messages in each other's queues: SCM_RIGHTS can make such rings,
 * which no close(2) ends (Linux: net/unix/garbage.c). Looked for when a socket ends and when too many
 * are in flight.
 */
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Rights } from "./rights.ts";

/** What the collector needs of a socket that receives files. */
export interface RightsHolder {
  /** Files in messages that nobody has received yet. */
  heldRights(): Iterable<Rights>;
  /** Forgets the messages' files. */
  dropRights(): void;
}

/** Open sockets in flight, and how many messages hold each. */
const inFlight = new Map<FileDescription, number>();
let collecting = false;
ofOneSandbox(() => {
  inFlight.clear();
  collecting = false;
});

export function holderOf(file: FileDescription): RightsHolder | null {
  const impl = file.impl as Partial<RightsHolder>;
  return impl.heldRights === undefined ? null : impl as RightsHolder;
}

/** `file` went into a message (`by` 1), or left one (-1). */
export function countInFlight(file: FileDescription, by: number): void {
  if (holderOf(file) === null) return;
  const count = (inFlight.get(file) ?? 0) + by;
  if (count > 0) inFlight.set(file, count);
  else inFlight.delete(file);
}

/** Ends every ring of sockets that nothing outside of it holds. */
export function collectGarbage(): void {
  if (inFlight.size === 0 || collecting) return;
  // Left: references that are neither outside nor in the queue of a candidate.
  const left = new Map<FileDescription, number>();
  for (const [file, count] of inFlight) if (file.refs === count) left.set(file, count);
  if (left.size === 0) return;
  for (const file of left.keys()) {
    for (const each of filesIn(file)) if (left.has(each)) left.set(each, left.get(each)! - 1);
  }
  const alive = [...left.keys()].filter((file) => left.get(file)! > 0);
  for (const file of alive) { // It grows.
    left.delete(file);
    for (const each of filesIn(file)) if (left.has(each) && !alive.includes(each)) alive.push(each);
  }
  collecting = true;
  const dead = [...left.keys()].map((file) => holderOf(file)!);
  for (const holder of dead) holder.dropRights();
  collecting = false;
}

function* filesIn(file: FileDescription): Iterable<FileDescription> {
  for (const rights of holderOf(file)!.heldRights()) yield* rights.files;
}
