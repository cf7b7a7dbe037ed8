import { assertEquals } from "@std/assert";
import { StringBlock } from "./strings.ts";

Deno.test("a block holds its strings with their NULs, and empty ones", () => {
  const block = StringBlock.of(["ab", "", "c"]);
  assertEquals([...block.bytes], [97, 98, 0, 0, 99, 0]);
  assertEquals([block.count, block.size], [3, 6 + 24]);
  assertEquals(block.toStrings(), ["ab", "", "c"]);
  assertEquals(StringBlock.of([]).toStrings(), []);
});

Deno.test("other strings take the place of the first", () => {
  const block = StringBlock.of(["script", "x", "yz"]).withFirst(["/bin/sh", "-e", "./script"]);
  assertEquals(block.toStrings(), ["/bin/sh", "-e", "./script", "x", "yz"]);
  assertEquals(StringBlock.of(["only"]).withFirst(["/bin/sh", "p"]).toStrings(), ["/bin/sh", "p"]);
});
