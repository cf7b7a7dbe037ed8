import { assertEquals } from "@std/assert";
import { patchSite, TRAMPOLINE_SIZE } from "./patch.ts";

const FAR = 0x10000;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.trim().split(/\s+/), (byte) => parseInt(byte, 16));
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** The patch of the first `syscall` of a text, and where that is. */
function patchOf(hex: string, number: number, checksGs = false) {
  const text = bytesOf(hex);
  const site = text.findIndex((byte, i) => byte === 0x0f && text[i + 1] === 0x05);
  return { site, patch: patchSite(text, site, FAR, number, checksGs) };
}

/** Where a jump or lea that ends with `relative` at [at, at + 4) of the trampoline leads. */
function targetOf(trampoline: Uint8Array, at: number): number {
  return FAR + at + 4 + new DataView(trampoline.buffer).getInt32(at, true);
}

Deno.test("of mov and syscall the mov becomes a jump, and the trampoline comes back behind the call", () => {
  const { patch } = patchOf("90 b8 0e 00 00 00 0f 05 c3", 14);
  assertEquals([patch!.at, patch!.tail, patch!.jump[0]], [1, -1, 0xe9]);
  assertEquals(new DataView(patch!.jump.buffer).getInt32(1, true), FAR - 6);
  assertEquals(hexOf(patch!.trampoline.subarray(0, 8)), "b8 0e 00 00 00 48 8d 0d");
  assertEquals(targetOf(patch!.trampoline, 8), 8);
});

Deno.test("what lies between mov and syscall is done by the trampoline, too", () => {
  const between = [
    "48 8d b3 f0 08 00 00", // lea 0x8f0(%rbx), %rsi
    "48 89 1b 48 89 5b 10", // mov %rbx, (%rbx); mov %rbx, 0x10(%rbx)
    "48 89 fe bf 9c ff ff ff", // mov %rdi, %rsi; mov $-100, %edi
    "66 48 0f 6e c7 66 0f 6c c0 0f 11 83 d8 02 00 00", // movq, punpcklqdq, movups
    "48 8d 74 24 0c 31 d2 66 90", // lea 0xc(%rsp), %rsi; xor %edx, %edx; nop
    "8b 7c 24 04 83 c7 01", // mov 4(%rsp), %edi; add $1, %edi
  ];
  for (const code of between) {
    const { site, patch } = patchOf(`b8 0e 00 00 00 ${code} 0f 05 c3`, 14, true);
    const size = bytesOf(code).length;
    assertEquals([patch!.at, patch!.tail], [0, -1], code);
    assertEquals(hexOf(patch!.trampoline.subarray(5, 5 + size)), code);
    assertEquals(hexOf(patch!.trampoline.subarray(5 + size, 8 + size)), "48 8d 0d");
    assertEquals(targetOf(patch!.trampoline, 8 + size), site + 2);
  }
});

Deno.test("an address relative to the instruction is the same address in the trampoline", () => {
  const { patch } = patchOf("b8 0e 00 00 00 48 8d 35 dd 78 11 00 0f 05 c3", 14);
  assertEquals(hexOf(patch!.trampoline.subarray(5, 8)), "48 8d 35");
  assertEquals(targetOf(patch!.trampoline, 8), 12 + 0x1178dd);
});

Deno.test("a comparison behind the call goes, and returns find its copy", () => {
  for (const cmp of ["48 3d 00 f0 ff ff", "3d 00 f0 ff ff"]) {
    const { patch } = patchOf(`0f 05 ${cmp} c3`, 14);
    const { at, tail, trampoline } = patch!;
    const size = bytesOf(cmp).length;
    assertEquals(at, 0);
    assertEquals(hexOf(trampoline.subarray(tail - FAR, tail - FAR + size)), cmp);
    assertEquals(trampoline[tail - FAR + size], 0xe9);
    assertEquals(targetOf(trampoline, tail - FAR + size + 1), 2 + size);
  }
});

Deno.test("where a jump over the mov would begin with the last byte of a cache line, the comparison goes", () => {
  const { site, patch } = patchOf(
    `${"90 ".repeat(63)} b8 0e 00 00 00 0f 05 48 3d 00 f0 ff ff c3`,
    14,
  );
  assertEquals([patch!.at, patch!.tail > 0], [site, true]);
});

Deno.test("sites of no known kind stay as they are", () => {
  const texts = [
    "b8 0f 00 00 00 0f 05 c3", // Another number: something else jumped there.
    "41 b8 0e 00 00 00 4c 89 c0 0f 05 c3", // mov $14, %r8d; mov %r8, %rax.
    "b8 0e 00 00 00 eb 00 0f 05 c3", // A jump between.
    "b8 0e 00 00 00 e8 00 00 00 00 0f 05 c3", // A call.
    "b8 0e 00 00 00 48 8d 0f 05 c3", // The syscall is part of another instruction.
    "b8 0e 00 00 00 48 8d 84 24 00 00 00 00 48 8d 84 24 00 00 00 00 48 8d 84 24 00 00 00 00 0f 05 c3", // Too much.
    "0f 05 85 c0 75 1e", // A test, not a comparison.
    "0f 05 3d 0a 10 09 02 0a", // A table, or a comparison with what no call returns.
    "0f 05 48 3d ff ef ff ff c3",
    "0f 05 48 3d 00", // Cut off.
  ];
  for (const text of texts) assertEquals(patchOf(text, 14).patch, null, text);
  assertEquals(patchSite(bytesOf("b8 0e"), 1, FAR, 14, false), null);
});

Deno.test("every trampoline fits its place", () => {
  const longest = `b8 0e 00 00 00 ${"90 ".repeat(19)} 0f 05 c3`;
  for (const checksGs of [false, true]) {
    assertEquals(patchOf(longest, 14, checksGs).patch!.trampoline.length, TRAMPOLINE_SIZE);
  }
});
