import { assertEquals } from "@std/assert";
import { latin1 } from "../../platform/abi/latin1.ts";
import { StringBlock } from "./strings.ts";

function strings({ bytes, starts }: StringBlock): string[] {
  return starts.map((from, i) => latin1(bytes, from, (starts[i + 1] ?? bytes.length) - 1));
}

Deno.test("a block holds its strings with their NULs, and empty ones", () => {
  const block = StringBlock.of(["ab", "", "c"]);
  assertEquals([...block.bytes], [97, 98, 0, 0, 99, 0]);
  assertEquals([block.count, block.size], [3, 6 + 24]);
  assertEquals(strings(block), ["ab", "", "c"]);
  assertEquals(strings(StringBlock.of([])), []);
});

Deno.test("other strings take the place of the first", () => {
  const block = StringBlock.of(["script", "x", "yz"]).withFirst(["/bin/sh", "-e", "./script"]);
  assertEquals(strings(block), ["/bin/sh", "-e", "./script", "x", "yz"]);
  assertEquals(strings(StringBlock.of(["only"]).withFirst(["/bin/sh", "p"])), ["/bin/sh", "p"]);
});
