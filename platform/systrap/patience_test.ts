import { assertEquals } from "@std/assert";
import { Patience } from "./patience.ts";

Deno.test("who has waited in vain waits less, down to a tenth of a second, until a minute has passed", () => {
  let nowNs = 1e9;
  const patience = new Patience(10e9, () => nowNs);
  const waits = [];
  for (let i = 0; i < 4; i++) {
    waits.push(patience.ns);
    patience.exhaust();
  }
  assertEquals(waits, [10e9, 1e9, 1e8, 1e8]);
  nowNs += 59e9;
  assertEquals(patience.ns, 1e8);
  nowNs += 2e9;
  assertEquals(patience.ns, 10e9);
});
