import { assertEquals } from "@std/assert";
import { bytesToString, fromLatin1, oneLine, toLatin1 } from "./bytes.ts";

Deno.test("bytes survive being a string, UTF-8 or not", () => {
  for (
    const bytes of [
      [0x41],
      [0xc3, 0xa4, 0xf0, 0x9f, 0x98, 0x80],
      [0x41, 0xff, 0xc3, 0xa4, 0x80],
      [],
    ]
  ) {
    const latin1 = String.fromCharCode(...bytes);
    assertEquals(toLatin1(bytesToString(Uint8Array.from(bytes))), latin1);
  }
  assertEquals(bytesToString(Uint8Array.of(0xc3, 0xa4)), "ä");
  assertEquals(fromLatin1(toLatin1("ä😀")), "ä😀");
});

Deno.test("a message's control characters show as escapes, and letters as they are", () => {
  assertEquals(oneLine("ä\n\tb\x1b[0m\x9b\x7f"), "ä\\n\\tb\\x1b[0m\\x9b\\x7f");
});
