/** Names, paths and arguments as strings: one char is one byte. */

/** Arguments of one call that V8's stack is sure to hold. */
const PIECE = 4096;
/** Below it an array is filled first: V8 takes the elements of one by itself, those of a view by a slow road. */
const SHORT = 64;
/** By length. */
const chars: number[][] = Array.from({ length: SHORT }, (_, length) => new Array(length).fill(0));

/** Bytes [start, end) of `bytes`. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length < SHORT) {
    const piece = chars[length];
    for (let i = 0; i < length; i++) piece[i] = bytes[start + i];
    return String.fromCharCode.apply(null, piece);
  }
  let text = "";
  for (let at = start; at < end; at += PIECE) {
    const piece = bytes.subarray(at, Math.min(at + PIECE, end));
    text += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return text;
}

export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
