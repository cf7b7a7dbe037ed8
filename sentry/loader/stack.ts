/** The initial stack: argument and environment strings, auxiliary vector (Linux: create_elf_tables). */
import { setU64 } from "../../platform/abi/bytes.ts";
import { latin1Bytes } from "../../platform/abi/latin1.ts";
import type { StringBlock } from "./strings.ts";

export interface InitialStack {
  /** Bytes from `sp` up to the stack's top. */
  bytes: Uint8Array;
  sp: number;
  argStart: number;
  argEnd: number;
  envStart: number;
  envEnd: number;
  auxv: Uint8Array;
}

/** An auxv entry's value, or a string or bytes that are put on the stack and pointed to. */
export type AuxEntry = [number, number | string | Uint8Array];

/** Lays the stack out below `top` (page-aligned). `execfn` is AT_EXECFN's string. */
export function buildStack(
  top: number,
  argv: StringBlock,
  envp: StringBlock,
  aux: AuxEntry[],
  execfn: string,
): InitialStack {
  let size = 64 + execfn.length + 1 + 16 * (aux.length + 2) + 8 * 3 + argv.size + envp.size;
  for (const entry of aux) if (typeof entry[1] !== "number") size += entry[1].length + 17;
  size = (size + 127) & ~15;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const base = top - size;
  let at = size - 8;
  const put = (s: Uint8Array): number => {
    at -= s.length + 1;
    bytes.set(s, at);
    return base + at;
  };
  const putAligned = (s: Uint8Array): number => {
    at = (at - s.length) & ~15;
    bytes.set(s, at);
    return base + at;
  };
  const execfnAddr = put(latin1Bytes(execfn));
  const envEnd = base + at;
  const putAll = (strings: StringBlock): number => {
    at -= strings.bytes.length;
    bytes.set(strings.bytes, at);
    return base + at;
  };
  const envStart = putAll(envp);
  const argStart = putAll(argv);
  const auxWords: number[] = [];
  for (const entry of aux) {
    const type = entry[0]; // Taken apart at once, V8 would make iterators until it compiles this.
    const value = entry[1];
    if (typeof value === "number") auxWords.push(type, value);
    else if (typeof value === "string") auxWords.push(type, put(latin1Bytes(value)));
    else auxWords.push(type, putAligned(value));
  }
  auxWords.push(31, /* AT_EXECFN */ execfnAddr, 0, 0);
  const words = 1 + argv.count + 1 + envp.count + 1 + auxWords.length;
  at = (at - 8 * words) & ~15;
  const sp = base + at;
  let w = at;
  const word = (n: number) => {
    setU64(view, w, n);
    w += 8;
  };
  word(argv.count);
  for (const start of argv.starts) word(argStart + start);
  word(0);
  for (const start of envp.starts) word(envStart + start);
  word(0);
  const auxAt = w;
  for (const a of auxWords) word(a);
  return {
    bytes: bytes.subarray(at),
    sp,
    argStart,
    argEnd: envStart,
    envStart,
    envEnd,
    auxv: bytes.slice(auxAt, w),
  };
}
