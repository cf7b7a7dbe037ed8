/**
 * Patching of system call sites: the instruction becomes a jump to a trampoline, which enters the
 * stub without a host signal. Pure functions over bytes; sentry/mm/text_image.ts applies them.
 *
 * Two kinds of sites are known:
 *  - `mov $n, %eax; …; syscall` (or `mov $n, %rax; syscall`, as C libraries return from signal handlers): only the
 *    mov is replaced, so that a jump to what follows it still works. What lies between (instructions.ts) is in the
 *    trampoline once more;
 *  - `syscall; cmp $imm, %rax` (or %eax), as C libraries look for an error: both are replaced. Code that was inside the call returns to the cmp,
 *    which is no instruction any more: such returns go to the trampoline's copy of it (`tail`).
 *
 * A trampoline finds the stub through GS. Where programs can write its base without a system call
 * (wrgsbase), it looks first whether GS is still the stub's, and makes the call as it was if not.
 */

import { copyInstructions } from "./instructions.ts";

/** Offset in the slot at which the stub keeps its entry address (slot.h, SLOT_ENTRY). */
const SLOT_ENTRY = 0xf8;
export const TRAMPOLINE_SIZE = 64;
/** The upper 31 bits of every slot's address (slot.h, CONTROL_BASE), and of nothing that is a guest's. */
const SLOTS_SHIFT = 33;
const SLOTS_BITS = 0x3fff;
const JUMP_SIZE = 5;
/** `mov $imm32, %rax`. */
const LONG_MOV_SIZE = 7;
const CACHE_LINE = 64;
const MAX_ERRNO = 4095;
const NOTHING = new Uint8Array(0);
/** Of leaRcx and enterStub. */
const JUMP_TO_STUB_SIZE = 8;
const ENTRY_SIZE = 7 + JUMP_TO_STUB_SIZE;
const CHECKED_ENTRY_SIZE = ENTRY_SIZE + 5 + 4 + 7 + 2 + 2;
/** What fits in a trampoline with the mov before it and the jump back behind it. */
const BETWEEN_MAX = TRAMPOLINE_SIZE - CHECKED_ENTRY_SIZE - 2 * JUMP_SIZE;

export interface SitePatch {
  /** Where the five bytes of `jump` go, relative to the same base as `site`. */
  at: number;
  jump: Uint8Array;
  trampoline: Uint8Array;
  /** Where a return to site + 2 must go instead, or -1 when that is still an instruction. */
  tail: number;
}

/**
 * The patch for the `syscall` instruction at `site` in `text`, which begins with a page, whose trampoline will be at
 * `trampolineAt` (relative to the same base). `number` is the call that was just made there. Null for
 * a site of no known kind. `checksGs`: programs can write the base of GS.
 */
export function patchSite(
  text: Uint8Array,
  site: number,
  trampolineAt: number,
  number: number,
  checksGs: boolean,
): SitePatch | null {
  if (site < 0 || text[site] !== 0x0f || text[site + 1] !== 0x05) return null;
  if (
    site >= LONG_MOV_SIZE && text[site - 7] === 0x48 && text[site - 6] === 0xc7 &&
    text[site - 5] === 0xc0 && readI32(text, site - 4) === number
  ) return patchMov(site, trampolineAt, number, site - LONG_MOV_SIZE, NOTHING, checksGs);
  for (let between = 0; between <= BETWEEN_MAX; between++) {
    const at = site - between - JUMP_SIZE;
    if (at < 0) break;
    if (text[at] !== 0xb8 || readI32(text, at + 1) !== number || !isStorable(at)) continue;
    if (mayBePrefixed(text, at)) continue;
    const copy = copyInstructions(text, at + JUMP_SIZE, site, trampolineAt + JUMP_SIZE);
    if (copy !== null) return patchMov(site, trampolineAt, number, at, copy, checksGs);
  }
  const isWide = text[site + 2] === 0x48;
  if (text[site + (isWide ? 3 : 2)] !== 0x3d) return null;
  const end = site + (isWide ? 8 : 7);
  if (end > text.length || !isError(readI32(text, end - 4))) return null;
  return patchCmp(site, trampolineAt, text.subarray(site + 2, end), checksGs);
}

/**
 * What is patched is so for all who map the text, and where a call comes from is the guest's word. So no bytes will do
 * that may mean something else to others, in a table or across instructions: a site of the second kind is eight of them.
 */
function isError(immediate: number): boolean {
  return immediate < 0 && immediate >= -MAX_ERRNO - 1;
}

/** Whether what looks like `mov $n, %eax` may have a REX prefix, and be `mov $n, %r8d`. */
function mayBePrefixed(text: Uint8Array, at: number): boolean {
  return at > 0 && (text[at - 1] & 0xf0) === 0x40;
}

/** Whether the jump can be stored while others may execute what is there: see dv_patch (platform.c). */
function isStorable(at: number): boolean {
  return at % CACHE_LINE !== CACHE_LINE - 1;
}

/** `at`: where the mov begins; `between`: what runs after it, as it must be in the trampoline. */
function patchMov(
  site: number,
  trampolineAt: number,
  number: number,
  at: number,
  between: Uint8Array,
  checksGs: boolean,
): SitePatch {
  const w = new Writer(trampolineAt);
  w.byte(0xb8).i32(number).put(...between).leaRcx(site + 2).enterStub(checksGs);
  if (checksGs) w.byte(0xe9).relative(site + 2);
  return { at, jump: jump(at, trampolineAt), trampoline: w.bytes, tail: -1 };
}

function patchCmp(
  site: number,
  trampolineAt: number,
  cmp: Uint8Array,
  checksGs: boolean,
): SitePatch {
  const w = new Writer(trampolineAt);
  const tail = trampolineAt + (checksGs ? CHECKED_ENTRY_SIZE : ENTRY_SIZE);
  w.leaRcx(tail).enterStub(checksGs);
  w.put(...cmp);
  w.byte(0xe9).relative(site + 2 + cmp.length);
  return { at: site, jump: jump(site, trampolineAt), trampoline: w.bytes, tail };
}

function jump(from: number, to: number): Uint8Array {
  const w = new Writer(from);
  w.byte(0xe9).relative(to);
  return w.bytes.slice(0, JUMP_SIZE);
}

function readI32(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

class Writer {
  readonly bytes = new Uint8Array(TRAMPOLINE_SIZE).fill(0xcc);
  #at = 0;
  constructor(readonly base: number) {}

  byte(b: number): this {
    this.bytes[this.#at++] = b;
    return this;
  }
  i32(n: number): this {
    return this.byte(n & 255).byte(n >> 8 & 255).byte(n >> 16 & 255).byte(n >>> 24);
  }
  /** A rel32 that ends the instruction. */
  relative(target: number): this {
    return this.i32(target - (this.base + this.#at + 4));
  }
  /** lea target(%rip), %rcx: what `syscall` would have left there. */
  leaRcx(target: number): this {
    return this.byte(0x48).byte(0x8d).byte(0x0d).relative(target);
  }
  /** jmp *%gs:SLOT_ENTRY, where GS is the stub's; else the instruction that the trampoline stands for. */
  enterStub(checksGs: boolean): this {
    if (checksGs) {
      this.put(0xf3, 0x49, 0x0f, 0xae, 0xcb); // rdgsbase %r11
      this.put(0x49, 0xc1, 0xeb, SLOTS_SHIFT); // shr $SLOTS_SHIFT, %r11
      this.put(0x41, 0x81, 0xfb).i32(SLOTS_BITS); // cmp $SLOTS_BITS, %r11d
      this.put(0x75, JUMP_TO_STUB_SIZE); // jne behind the jump
    }
    this.put(0x65, 0xff, 0x24, 0x25).i32(SLOT_ENTRY);
    return checksGs ? this.put(0x0f, 0x05) : this;
  }
  put(...bytes: number[]): this {
    for (const b of bytes) this.byte(b);
    return this;
  }
}
