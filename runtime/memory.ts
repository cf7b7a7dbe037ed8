/** The memory of a main thread that only waits: here the command's and, in the sandbox process, that of its Workers. */
import { spawnLibrary } from "../platform/host/spawn.ts";

/** By then a short command has ended, and the start of a long one is over. */
const WAITED_MS = 1000;

/** V8's, which --expose-gc shows. */
declare const gc: (options: { type: "major"; flavor: "last-resort" }) => void;

/** Gives back what the start has left behind, in a while. What was compiled goes, too: call where nothing is in a hurry. */
export function trimLater(): void {
  const timer = setTimeout(() => {
    gc({ type: "major", flavor: "last-resort" });
    spawnLibrary().dv_trim();
  }, WAITED_MS);
  Deno.unrefTimer(timer);
}
