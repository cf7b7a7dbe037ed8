/** Bytes of the host that need not be UTF-8, in strings: such a byte is a lone surrogate, U+DC80 to U+DCFF. */

const RAW = 0xdc00;

export function bytesToString(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : RAW + byte)).join(
      "",
    );
  }
}

/** What {@link toLatin1} has made of a string. */
export function fromLatin1(s: string): string {
  return bytesToString(Uint8Array.from(s, (char) => char.charCodeAt(0)));
}

/** For a message of one line: what would end the line or move the cursor shows as an escape. */
export function oneLine(s: string): string {
  // deno-lint-ignore no-control-regex
  return s.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => {
    const code = char.charCodeAt(0);
    return char === "\n"
      ? "\\n"
      : char === "\t"
      ? "\\t"
      : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

/** The string's bytes, one char each. */
export function toLatin1(s: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(s)) return s;
  let out = "";
  for (const char of s) {
    const code = char.codePointAt(0)!;
    if (code >= RAW + 0x80 && code <= RAW + 0xff) out += String.fromCharCode(code - RAW);
    else for (const byte of new TextEncoder().encode(char)) out += String.fromCharCode(byte);
  }
  return out;
}
