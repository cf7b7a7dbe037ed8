import { assert, assertEquals } from "@std/assert";
import { LOOK_NS, StrayHunt } from "./stray_hunt.ts";

/** Others of the host take numbers, too. */
const ORDERED = 5000;

Deno.test("a child that nobody knows is ended, but not before it could have greeted, and no other is", async () => {
  const known = new Set<number>();
  const hunt = new StrayHunt((pid) => known.has(pid));
  const start = () => new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
  const before = start();
  hunt.met(before.pid);
  const moment = hunt.order();
  for (let i = 0; i < ORDERED; i++) hunt.order();
  const stray = start();
  const other = start();
  known.add(other.pid);
  hunt.start(moment);
  hunt.look();
  assert(hunt.isOn);
  const ended = stray.status.then(() => performance.now());
  const startMs = performance.now();
  while (hunt.isOn) {
    hunt.look();
    await new Promise((resolve) => setTimeout(resolve, LOOK_NS / 1e6));
  }
  assert(await ended - startMs > 2 * LOOK_NS / 1e6, "it had no time to greet");
  assertEquals((await stray.status).signal, "SIGKILL");
  for (const left of [before, other]) {
    left.kill("SIGTERM");
    assertEquals((await left.status).signal, "SIGTERM");
  }
});
