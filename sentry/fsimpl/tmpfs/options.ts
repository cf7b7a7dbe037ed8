/** Mount options of tmpfs(5). */
import { EINVAL } from "../../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";

export interface TmpfsOptions {
  /** Pages of data; Infinity for no limit. */
  maxPages: number;
  maxInodes: number;
  mode: number;
  uid: number;
  gid: number;
}

/** Options that change nothing here. */
const IGNORED = ["huge", "mpol", "inode32", "inode64", "noswap", "nosuid", "nodev", "noexec"];

/**
 * Parses "size=10%,mode=1777" over `base`. Returns the options or -EINVAL. `memoryBytes` is what a
 * percentage is of.
 */
export function parseTmpfsOptions(
  text: string,
  memoryBytes: number,
  base: TmpfsOptions,
): TmpfsOptions | number {
  const out = { ...base };
  for (const option of text.split(",")) {
    if (option === "") continue;
    const eq = option.indexOf("=");
    const key = eq < 0 ? option : option.slice(0, eq);
    const value = eq < 0 ? "" : option.slice(eq + 1);
    if (IGNORED.includes(key)) continue;
    const n = key === "mode" ? parseOctal(value) : parseAmount(value, memoryBytes);
    if (!(n >= 0)) return -EINVAL;
    switch (key) {
      case "size":
        out.maxPages = n === 0 ? Infinity : Math.ceil(n / PAGE_SIZE);
        break;
      case "nr_blocks":
        out.maxPages = n === 0 ? Infinity : n;
        break;
      case "nr_inodes":
        out.maxInodes = n === 0 ? Infinity : n;
        break;
      case "mode":
        out.mode = n & 0o7777;
        break;
      case "uid":
        out.uid = n;
        break;
      case "gid":
        out.gid = n;
        break;
      default:
        return -EINVAL;
    }
  }
  return out;
}

function parseOctal(s: string): number {
  return /^[0-7]+$/.test(s) ? parseInt(s, 8) : NaN;
}

function parseAmount(s: string, memoryBytes: number): number {
  const match = /^(\d+)([kmgtKMGT%]?)$/.exec(s);
  if (match === null) return NaN;
  const n = Number(match[1]);
  switch (match[2].toLowerCase()) {
    case "%":
      return Math.floor(memoryBytes * n / 100);
    case "k":
      return n * 1024;
    case "m":
      return n * 1024 ** 2;
    case "g":
      return n * 1024 ** 3;
    case "t":
      return n * 1024 ** 4;
    default:
      return n;
  }
}
