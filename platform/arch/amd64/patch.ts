/**
 * Patching of system call sites: the instruction becomes a jump to a trampoline, which enters the
 * stub without a host signal. Pure functions over bytes; sentry/mm/text_image.ts applies them.
 *
 * Two kinds of sites are known:
 *  - `mov $n, %eax; syscall` (or `mov $n, %rax`, as C libraries return from signal handlers): only the
 *    mov is replaced, so that a jump to the syscall itself still works;
 *  - `syscall; cmp $imm, %rax`: both are replaced. Code that was inside the call returns to the cmp,
 *    which is no instruction any more: such returns go to the trampoline's copy of it (`tail`).
 *
 * A trampoline finds the stub through GS. Where programs can write its base without a system call
 * (wrgsbase), it looks first whether GS is still the stub's, and makes the call as it was if not.
 */

/** Offset in the slot at which the stub keeps its entry address (slot.h, SLOT_ENTRY). */
const SLOT_ENTRY = 0xf8;
export const TRAMPOLINE_SIZE = 48;
/** The upper 31 bits of every slot's address (slot.h, CONTROL_BASE), and of nothing that is a guest's. */
const SLOTS_SHIFT = 33;
const SLOTS_BITS = 0x3fff;
const JUMP_SIZE = 5;
/** `mov $imm32, %rax`. */
const LONG_MOV_SIZE = 7;
/** Of leaRcx and enterStub. */
const JUMP_TO_STUB_SIZE = 8;
const ENTRY_SIZE = 7 + JUMP_TO_STUB_SIZE;
const CHECKED_ENTRY_SIZE = ENTRY_SIZE + 5 + 4 + 7 + 2 + 2;

export interface SitePatch {
  /** Where the five bytes of `jump` go, relative to the same base as `site`. */
  at: number;
  jump: Uint8Array;
  trampoline: Uint8Array;
  /** Where a return to site + 2 must go instead, or -1 when that is still an instruction. */
  tail: number;
}

/**
 * The patch for the `syscall` instruction at `site` in `text`, whose trampoline will be at
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
  if (site >= JUMP_SIZE && text[site - 5] === 0xb8 && readI32(text, site - 4) === number) {
    return patchMov(site, trampolineAt, number, site - 5, checksGs);
  }
  if (
    site >= LONG_MOV_SIZE && text[site - 7] === 0x48 && text[site - 6] === 0xc7 &&
    text[site - 5] === 0xc0 && readI32(text, site - 4) === number
  ) return patchMov(site, trampolineAt, number, site - LONG_MOV_SIZE, checksGs);
  if (text[site + 2] === 0x48 && text[site + 3] === 0x3d && site + 8 <= text.length) {
    return patchCmp(site, trampolineAt, readI32(text, site + 4), checksGs);
  }
  return null;
}

/** `at`: where the mov begins. */
function patchMov(
  site: number,
  trampolineAt: number,
  number: number,
  at: number,
  checksGs: boolean,
): SitePatch {
  const w = new Writer(trampolineAt);
  w.byte(0xb8).i32(number).leaRcx(site + 2).enterStub(checksGs);
  if (checksGs) w.byte(0xe9).relative(site + 2);
  return { at, jump: jump(at, trampolineAt), trampoline: w.bytes, tail: -1 };
}

function patchCmp(
  site: number,
  trampolineAt: number,
  immediate: number,
  checksGs: boolean,
): SitePatch {
  const w = new Writer(trampolineAt);
  const tail = trampolineAt + (checksGs ? CHECKED_ENTRY_SIZE : ENTRY_SIZE);
  w.leaRcx(tail).enterStub(checksGs);
  w.byte(0x48).byte(0x3d).i32(immediate);
  w.byte(0xe9).relative(site + 8);
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
