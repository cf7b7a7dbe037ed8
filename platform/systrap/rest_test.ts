import { assert, assertEquals } from "@std/assert";
import { monoNs } from "../host/host.ts";
import { Rest } from "./rest.ts";
import { LOOK_NS } from "./stray_hunt.ts";

Deno.test("a process that uses a processor is not at rest, one that sleeps is", async () => {
  const [busy, asleep] = ["while :; do :; done", "exec sleep 1000"].map((script) =>
    new Deno.Command("sh", { args: ["-c", script], stdin: "null" }).spawn()
  );
  try {
    const working = new Rest(busy.pid);
    const deadline = monoNs() + 10e9;
    while (!working.runsOn(monoNs())) assert(monoNs() < deadline, "it is said to rest");
    const resting = new Rest(asleep.pid);
    const now = monoNs();
    assertEquals(resting.runsOn(now), false);
    const waits: number[] = [];
    for (let at = now; at < now + 200e9; at += resting.waitNs) {
      assertEquals(resting.runsOn(at), false);
      waits.push(resting.waitNs);
    }
    assertEquals(waits, [LOOK_NS, 1e9, 10e9, 60e9, 60e9, 60e9, 60e9]);
  } finally {
    for (const child of [busy, asleep]) child.kill("SIGKILL");
    await Promise.all([busy.status, asleep.status]);
  }
});

Deno.test("a process that is dead uses nothing", async () => {
  const child = new Deno.Command("true").spawn();
  await child.status;
  const rest = new Rest(child.pid);
  assertEquals(rest.runsOn(0), false);
  assertEquals(rest.runsOn(LOOK_NS), false);
});
