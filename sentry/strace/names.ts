/** Constants by name: what platform/abi declares is what a trace shows. */
import { hexOf } from "./call.ts";

export interface Name {
  name: string;
  value: number;
}

/**
 * The constants of an abi module whose names match, by value. Of several with one value the pattern
 * must leave one.
 */
export function namesOf(module: object, pattern: RegExp): Name[] {
  return Object.entries(module)
    .filter(([name, value]) => typeof value === "number" && pattern.test(name))
    .map(([name, value]): Name => ({ name, value: value as number }))
    .sort((a, b) => a.value - b.value);
}

/** Turns a number into text. */
export type Formatter = (value: number) => string;

/** One of the names; a number that has none as itself. */
export function choiceOf(names: readonly Name[], other: Formatter = hexOf): Formatter {
  const byValue = new Map(names.map(({ name, value }) => [value, name]));
  return (value) => byValue.get(value) ?? byValue.get(value >>> 0) ?? other(value);
}

/** Bits of the low 32 by name, "A|B|0x40"; `none` when there are none. */
export function flagsOf(names: readonly Name[], none = "0"): Formatter {
  const flags = names.filter(({ value }) => value !== 0)
    .map(({ name, value }) => ({ name, value: value >>> 0 }));
  // Names of several bits are tried first, so that O_SYNC is not O_DSYNC and something.
  const widestFirst = [...flags].sort((a, b) => bitCount(b.value) - bitCount(a.value));
  return (value) => {
    let rest = value >>> 0;
    if (rest === 0) return none;
    const found: Name[] = [];
    for (const flag of widestFirst) {
      if ((rest & flag.value) >>> 0 !== flag.value) continue;
      found.push(flag);
      rest = (rest & ~flag.value) >>> 0;
    }
    const words = found.sort((a, b) => a.value - b.value).map(({ name }) => name);
    if (rest !== 0) words.push(hexOf(rest));
    return words.join("|");
  };
}

/** A field of several bits below flags: "SOCK_STREAM|SOCK_CLOEXEC". */
export function choiceAndFlags(mask: number, choice: Formatter, flags: Formatter): Formatter {
  return (value) => {
    const rest = value & ~mask;
    return choice(value & mask) + (rest === 0 ? "" : `|${flags(rest)}`);
  };
}

function bitCount(n: number): number {
  let count = 0;
  for (let rest = n >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}
