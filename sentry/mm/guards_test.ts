import { assertEquals } from "@std/assert";
import { Guards } from "./guards.ts";

Deno.test("a part of a guard is removed, and what is left of it stays", () => {
  const guards = new Guards();
  guards.add(10, 50);
  guards.remove(20, 30);
  assertEquals([10, 19, 20, 29, 30, 49].map((at) => guards.overlap(at, at + 1)), [
    true,
    true,
    false,
    false,
    true,
    true,
  ]);
  assertEquals(guards.overlap(0, 10), false);
  assertEquals(guards.overlap(0, 11), true);
  guards.remove(0, 100);
  assertEquals(guards.overlap(0, 100), false);
});

Deno.test("a copy has the guards, and goes its own way", () => {
  const guards = new Guards();
  guards.add(10, 20);
  const copy = guards.copy();
  guards.remove(10, 20);
  assertEquals([guards.overlap(10, 20), copy.overlap(10, 20)], [false, true]);
});

Deno.test("guards beyond a number are forgotten, the same one again is none more", () => {
  const guards = new Guards();
  for (let i = 0; i < 1000; i++) guards.add(10, 20);
  for (let i = 1; i < 1000; i++) guards.add(100 * i, 100 * i + 10);
  assertEquals(guards.overlap(10, 20), true);
  assertEquals(guards.overlap(99_900, 99_910), false);
});
