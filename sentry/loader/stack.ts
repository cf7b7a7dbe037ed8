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
  setU64(view, at, argv.count);
  // Behind each list there is a zero.
  const envAt = putWords(view, at + 8, argv.starts, argStart) + 8;
  const auxAt = putWords(view, envAt, envp.starts, envStart) + 8;
  const end = putWords(view, auxAt, auxWords, 0);
  return {
    bytes: bytes.subarray(at),
    sp,
    argStart,
    argEnd: envStart,
    envStart,
    envEnd,
    auxv: bytes.slice(auxAt, end),
  };
}

/** Stores words, each with `base` added to it, from `at` on. Returns where they end. */
function putWords(view: DataView, at: number, words: ArrayLike<number>, base: number): number {
  for (let i = 0; i < words.length; i++) setU64(view, at + 8 * i, base + words[i]);
  return at + 8 * words.length;
}
