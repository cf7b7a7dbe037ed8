import { assertEquals } from "@std/assert";
import { latin1 } from "../../platform/abi/latin1.ts";
import { seenString } from "./seen_strings.ts";

/** Memory with `text` and its NUL at word 1, other bytes around it. */
function memoryWith(text: string): Int32Array {
  const words = new Int32Array(64).fill(0x7f7f_7f7f);
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < text.length; i++) bytes[4 + i] = text.charCodeAt(i);
  bytes[4 + text.length] = 0;
  return words;
}

Deno.test("strings of all lengths and bytes are found as they are, again and again", () => {
  const every = latin1(Uint8Array.from({ length: 255 }, (_, i) => i + 1), 0, 255);
  for (let round = 0; round < 3; round++) {
    for (let length = 0; length < 96; length++) {
      for (let from = 0; from + length <= 255; from += 13) {
        const text = every.slice(from, from + length);
        assertEquals(seenString(memoryWith(text), 1, length + 1), text);
      }
    }
  }
});

Deno.test("a string without an end within its size, or too long, is not found", () => {
  const text = "/usr/lib/locale";
  for (let size = 0; size <= text.length; size++) {
    assertEquals(seenString(memoryWith(text), 1, size), null);
  }
  assertEquals(seenString(memoryWith(text), 1, text.length + 1), text);
  assertEquals(seenString(memoryWith("a".repeat(95)), 1, 200), "a".repeat(95));
  assertEquals(seenString(memoryWith("a".repeat(96)), 1, 200), null);
});

Deno.test("strings that take each other's place are told apart", () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `/tmp/file${i}`);
  for (const text of [...texts, ...texts.reverse()]) {
    assertEquals(seenString(memoryWith(text), 1, 100), text);
  }
});
