/**
 * Strings of guest memory that were seen before. A path that comes again costs a comparison of words instead of a new
 * string, which V8 would have to make, to hash and to compare before it finds anything by it.
 */
import { latin1 } from "../../platform/abi/latin1.ts";

/** Of a string with its NUL: longer ones are always made anew. */
const MAX_WORDS = 24;
/** A string has one place, where it takes the last one's. */
const PLACES = 1024;

/** The strings, as little-endian words, zero behind the NUL. */
const words = new Int32Array(PLACES * MAX_WORDS);
const bytes = new Uint8Array(words.buffer);
const strings: string[] = new Array(PLACES).fill("");
/** What is looked for: guests may change their memory meanwhile, so each word is read once. */
const wanted = new Int32Array(MAX_WORDS);

/** The string from memory[at] on, whose NUL is among the next `size` bytes; null where it is not, or too far. */
export function seenString(memory: Int32Array, at: number, size: number): string | null {
  const end = Math.min(size + 3 >> 2, MAX_WORDS);
  let hash = 0;
  for (let n = 0; n < end; n++) {
    const word = memory[at + n];
    // The upper bit of the first byte that is zero, and perhaps of later ones.
    const zeros = (word - 0x0101_0101) & ~word & 0x8080_8080;
    const inString = zeros === 0 ? 4 : 3 - (Math.clz32(zeros & -zeros) >>> 3);
    const kept = zeros === 0 ? word : word & (1 << 8 * inString) - 1;
    wanted[n] = kept;
    hash = (hash << 5) - hash + kept | 0;
    if (zeros === 0) continue;
    const length = 4 * n + inString;
    if (length >= size) return null;
    return stringAt((hash ^ hash >>> 10 ^ hash >>> 20) & PLACES - 1, n + 1, length);
  }
  return null;
}

function stringAt(place: number, count: number, length: number): string {
  const from = place * MAX_WORDS;
  let same = 0;
  while (same < count && words[from + same] === wanted[same]) same++;
  if (same < count) {
    for (let i = same; i < count; i++) words[from + i] = wanted[i];
    strings[place] = latin1(bytes, 4 * from, 4 * from + length);
  }
  return strings[place];
}
