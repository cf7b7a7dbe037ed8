import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { MAP_PRIVATE, PROT_NONE, PROT_READ } from "../../platform/abi/mman.ts";
import { Vma, VmaList } from "./vma.ts";

const LOW = 16 * PAGE_SIZE;
const HIGH = 1024 * PAGE_SIZE;

/** Numbers below `limit`, the same in every run (a linear congruential generator). */
function sequence(): (limit: number) => number {
  let state = 1;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

function mapping(start: number, size: number): Vma {
  return new Vma(start, start + size, PROT_READ, MAP_PRIVATE, null, 0, "");
}

/** Tries every address from the top. */
function highestHole(list: VmaList, length: number): number {
  for (let at = HIGH - length; at >= LOW; at -= PAGE_SIZE) {
    if (!list.overlaps(at, at + length)) return at;
  }
  return -1;
}

Deno.test("a place is the highest that is free, whatever was mapped, unmapped and changed before", () => {
  const random = sequence();
  const list = new VmaList();
  list.insert(mapping(HIGH - PAGE_SIZE, 3 * PAGE_SIZE)); // One that lies across the limit.
  let found = 0, full = 0;
  for (let step = 0; step < 5000; step++) {
    const size = (1 + random(random(8) === 0 ? 200 : 9)) * PAGE_SIZE;
    const at = list.findTopDown(LOW, HIGH, size);
    assertEquals(at, highestHole(list, size));
    if (at < 0) full++;
    else {
      found++;
      const vma = mapping(at, size);
      vma.marks = random(3);
      list.insert(vma);
    }
    const start = LOW + random(1000) * PAGE_SIZE;
    const length = (1 + random(random(3) === 0 ? 60 : 5)) * PAGE_SIZE;
    if (random(4) > 0) list.remove(start, start + length);
    else list.change(start, start + length, (vma) => vma.prot ^= PROT_READ ^ PROT_NONE);
  }
  assert(found > 1000 && full > 100, `${found} places found, ${full} times none`);
});

Deno.test("another range is searched as a whole", () => {
  const list = new VmaList();
  assertEquals(list.findTopDown(LOW, HIGH / 2, PAGE_SIZE), HIGH / 2 - PAGE_SIZE);
  assertEquals(list.findTopDown(LOW, HIGH, PAGE_SIZE), HIGH - PAGE_SIZE);
});
