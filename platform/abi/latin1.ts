/** Names, paths and arguments as strings: one char is one byte. */

/** Arguments of one call that V8's stack is sure to hold. */
const PIECE = 4096;
/** Below it a loop is quicker than a view. */
const SHORT = 12;

/** Bytes [start, end) of `bytes`. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  if (end - start <= SHORT) {
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
    return text;
  }
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
