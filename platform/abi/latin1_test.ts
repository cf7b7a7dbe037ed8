import { assertEquals } from "@std/assert";
import { latin1, latin1Bytes } from "./latin1.ts";

Deno.test("every byte is one char, at every length", () => {
  for (const length of [0, 1, 63, 64, 4096, 4097, 20_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    const text = latin1(bytes, 0, length);
    assertEquals(text.length, length);
    assertEquals(latin1Bytes(text), bytes);
  }
});

Deno.test("a part of the bytes is a part of the text", () => {
  assertEquals(
    latin1(latin1Bytes("/usr/lib/x86_64-linux-gnu\xff"), 5, 26),
    "lib/x86_64-linux-gnu\xff",
  );
  assertEquals(latin1(latin1Bytes("/bin/true"), 5, 9), "true");
});
