import { assertEquals } from "@std/assert";
import { PidAllocator } from "./pid.ts";

Deno.test("numbers ascend, and wrap to 300 at the limit", () => {
  const pids = new PidAllocator(() => false, 305);
  let last = 0;
  for (let i = 1; i < 305; i++) last = pids.allocate();
  assertEquals(last, 304);
  assertEquals(pids.allocate(), 300);
  assertEquals(pids.allocate(), 301);
});

Deno.test("a number in use is skipped, also after the wrap", () => {
  const used = new Set([2, 3, 300]);
  const pids = new PidAllocator((pid) => used.has(pid), 303);
  assertEquals([pids.allocate(), pids.allocate()], [1, 4]);
  for (let i = 5; i < 302; i++) pids.allocate();
  assertEquals(pids.allocate(), 301);
});

Deno.test("no free number gives 0", () => {
  const pids = new PidAllocator(() => true, 400);
  assertEquals(pids.allocate(), 0);
});
