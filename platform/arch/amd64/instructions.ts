/**
 * Copying of straight-line code: what compilers put between the number of a system call and the call (Intel SDM
 * volume 2, chapter 2: prefixes, opcode, ModRM, SIB, displacement, immediate).
 */

/** One-byte opcodes with a ModRM byte and no immediate: add, or, and, sub, xor, cmp, test, mov, lea. */
const PLAIN = new Set([
  0x01,
  0x03,
  0x09,
  0x0b,
  0x21,
  0x23,
  0x29,
  0x2b,
  0x31,
  0x33,
  0x39,
  0x3b,
  0x85,
  0x89,
  0x8b,
  0x8d,
]);
/** Opcodes behind 0x0f with a ModRM byte and no immediate: moves to, from and between XMM registers, nop, movzx. */
const PLAIN_0F = new Set([
  0x10,
  0x11,
  0x16,
  0x1f,
  0x28,
  0x29,
  0x57,
  0x6c,
  0x6e,
  0x6f,
  0x7e,
  0x7f,
  0xb6,
  0xb7,
  0xd6,
  0xef,
]);
/** With an immediate of one byte (add … cmp) and of four (mov to memory or a register). */
const IMMEDIATE_8 = 0x83;
const IMMEDIATE_32 = 0xc7;
/** mov $imm32, %eax; the next seven are of the other registers. */
const MOV_IMMEDIATE = 0xb8;
const NOP = 0x90;
const OPERAND_SIZE = 0x66;

interface Instruction {
  size: number;
  /** Where its displacement relative to the next instruction is, from its begin; -1: it has none. */
  relativeAt: number;
}

/**
 * The instructions of text[from..to), as they must be at `at` (relative to the same base) to do the same; null when one is
 * not known, or may jump, or does not end at `to`.
 */
export function copyInstructions(
  text: Uint8Array,
  from: number,
  to: number,
  at: number,
): Uint8Array | null {
  const copy = text.slice(from, to);
  for (let here = from; here < to;) {
    const found = instructionAt(text, here);
    if (found === null || here + found.size > to) return null;
    if (found.relativeAt >= 0) {
      const place = new DataView(copy.buffer, here - from + found.relativeAt);
      const moved = place.getInt32(0, true) + (from - at);
      if (moved !== (moved | 0)) return null;
      place.setInt32(0, moved, true);
    }
    here += found.size;
  }
  return copy;
}

function instructionAt(text: Uint8Array, start: number): Instruction | null {
  let at = start;
  const isShort = text[at] === OPERAND_SIZE;
  if (isShort) at++;
  const isWide = (text[at] & 0xf8) === 0x48;
  if ((text[at] & 0xf0) === 0x40) at++;
  const opcode = text[at++];
  if (opcode === NOP) return { size: at - start, relativeAt: -1 };
  if ((opcode & 0xf8) === MOV_IMMEDIATE && !isWide && !isShort) {
    return { size: at + 4 - start, relativeAt: -1 };
  }
  let immediate = 0;
  if (opcode === 0x0f) {
    if (!PLAIN_0F.has(text[at++])) return null;
  } else if (opcode === IMMEDIATE_8) immediate = 1;
  else if (opcode === IMMEDIATE_32 && !isShort) immediate = 4;
  else if (!PLAIN.has(opcode)) return null;
  const modrm = text[at++];
  const mode = modrm >> 6;
  const rm = modrm & 7;
  let relativeAt = -1;
  let displacement = [0, 1, 4, 0][mode];
  if (mode !== 3 && rm === 4) {
    if (mode === 0 && (text[at] & 7) === 5) displacement = 4; // No base.
    at++;
  } else if (mode === 0 && rm === 5) {
    relativeAt = at - start;
    displacement = 4;
  }
  return { size: at + displacement + immediate - start, relativeAt };
}
