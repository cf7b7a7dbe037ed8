/** What an image has of a process's memory. */
import { getU64 } from "../../platform/abi/bytes.ts";
import {
  DT_NULL,
  DT_STRTAB,
  DT_SYMTAB,
  ELF64_SYM_OFF_NAME,
  ELF64_SYM_OFF_VALUE,
  ELF64_SYM_SIZE,
  PT_DYNAMIC,
  PT_LOAD,
} from "../../platform/abi/elf.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import {
  decoder,
  PAGE,
  readAt,
  readText,
  REGION_MEMORY,
  REGION_NO_HUGE_PAGES,
  REGION_STACK,
  REGION_VDSO,
  segmentsOf,
} from "./layout.ts";

export interface Memory {
  read(address: number, length: number): Uint8Array<ArrayBuffer>;
}

/** A range of memory as it was before. */
export interface Former {
  start: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The memory of a process, but for `former`. */
export function memoryOf(pid: number, former: Former | null = null): Memory {
  const file = Deno.openSync(`/proc/${pid}/mem`);
  return {
    read(address, length) {
      const bytes = readAt(file, address, length);
      if (former === null) return bytes;
      const from = Math.max(address, former.start);
      const to = Math.min(address + length, former.start + former.bytes.length);
      if (from < to) {
        bytes.set(former.bytes.subarray(from - former.start, to - former.start), from - address);
      }
      return bytes;
    },
  };
}

export interface Mapping {
  start: number;
  end: number;
  perms: string;
  offset: number;
  name: string;
  flags: string[];
}

export function mappingsOf(pid: number): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of readText(`/proc/${pid}/smaps`).split("\n")) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$/.exec(line);
    if (header !== null) {
      const [start, end, offset] = [header[1], header[2], header[4]].map((hex) =>
        parseInt(hex, 16)
      );
      mappings.push({ start, end, perms: header[3], offset, name: header[5], flags: [] });
    } else if (line.startsWith("VmFlags:")) {
      mappings.at(-1)!.flags = line.slice(8).trim().split(" ");
    }
  }
  return mappings;
}

interface Region {
  start: number;
  end: number;
  /** In the binary where `ofBase`, else in what is written; -1: zeros. */
  offset: number;
  ofBase: boolean;
  prot: number;
  kind: number;
  flags: number;
}

/** Zeros between two pages that have something are written down, when there are not more: a mapping costs, too. */
const GAP = 16 * PAGE;
/** The stack of the first thread may grow to this. */
const STACK = 8 << 20;

export class MemoryWriter {
  readonly regions: Region[] = [];
  readonly parts: Uint8Array[] = [];
  size = 0;

  constructor(
    readonly pid: number,
    readonly memory: Memory,
    readonly base: Uint8Array,
  ) {}

  add(mapping: Mapping): void {
    const { start, end, perms, name } = mapping;
    if (name === "[vsyscall]" || name.startsWith("[vvar")) return;
    if (perms[3] === "s") return; // With stubs that an image does not have.
    const prot = (perms[0] === "r" ? PROT_READ : 0) | (perms[1] === "w" ? PROT_WRITE : 0) |
      (perms[2] === "x" ? PROT_EXEC : 0);
    const flags = mapping.flags.includes("nh") ? REGION_NO_HUGE_PAGES : 0;
    const kind = name === "[vdso]"
      ? REGION_VDSO
      : name === "[stack]"
      ? REGION_STACK
      : REGION_MEMORY;
    const region: Region = { start, end, offset: -1, ofBase: false, prot, kind, flags };
    if (name === "[stack]") this.regions.push({ ...region, start: end - STACK, end: start });
    // Generators of random numbers ask for zeros where there is a copy of them.
    if (prot === 0 || mapping.flags.includes("wf") || mapping.flags.includes("dp")) {
      this.regions.push(region);
      return;
    }
    if (this.#isOfBase(mapping)) {
      this.regions.push({ ...region, offset: mapping.offset, ofBase: true });
      return;
    }
    const used = name !== "" && !name.startsWith("[") || kind === REGION_VDSO
      ? [[start, end]]
      : this.#usedParts(start, end);
    let at = start;
    for (const [from, to] of used) {
      if (from > at) this.regions.push({ ...region, start: at, end: from });
      this.regions.push({ ...region, start: from, end: to, offset: this.size });
      this.parts.push(this.memory.read(from, to - from));
      this.size += to - from;
      at = to;
    }
    if (end > at) this.regions.push({ ...region, start: at });
  }

  /** What nobody has written to is in the binary that the image will be a part of. */
  #isOfBase({ start, end, offset, name, perms }: Mapping): boolean {
    const size = end - start;
    if (name !== "/lib64/dvisor-sandbox" || perms[1] === "w" || offset + size > this.base.length) {
      return false;
    }
    const bytes = this.memory.read(start, size);
    return bytes.every((byte, i) => byte === this.base[offset + i]);
  }

  #usedParts(start: number, end: number): [number, number][] {
    return partsOf(this.pid, start, end, GAP, (entry, page) => {
      const isThere = entry >> 62n !== 0n;
      return isThere && this.memory.read(page, PAGE).some((byte) => byte !== 0);
    });
  }
}

/**
 * Runs of pages that are `wanted` by what /proc/PID/pagemap tells of them; together with what lies between, where that is
 * not more than `gap`.
 */
export function partsOf(
  pid: number,
  start: number,
  end: number,
  gap: number,
  wanted: (entry: bigint, page: number) => boolean,
): [number, number][] {
  using file = Deno.openSync(`/proc/${pid}/pagemap`);
  const bytes = readAt(file, start / PAGE * 8, (end - start) / PAGE * 8);
  const parts: [number, number][] = [];
  new BigUint64Array(bytes.buffer).forEach((entry, i) => {
    const page = start + i * PAGE;
    if (!wanted(entry, page)) return;
    const last = parts.at(-1);
    if (last !== undefined && page - last[1] <= gap) last[1] = page + PAGE;
    else parts.push([page, page + PAGE]);
  });
  return parts;
}

/** struct Elf64_Dyn. */
const DYN_SIZE = 16;

/** Names and addresses of what the vDSO has. */
export function vdsoFunctions(bytes: Uint8Array<ArrayBuffer>, start: number): [string, number][] {
  const view = new DataView(bytes.buffer);
  const ofType = (type: number) => segmentsOf(view).find((segment) => segment.type === type)!;
  const load = ofType(PT_LOAD);
  const bias = load.offset - load.vaddr;
  let symbols = 0;
  let strings = 0;
  for (let at = ofType(PT_DYNAMIC).offset; getU64(view, at) !== DT_NULL; at += DYN_SIZE) {
    const tag = getU64(view, at);
    if (tag === DT_STRTAB) strings = bias + getU64(view, at + 8);
    if (tag === DT_SYMTAB) symbols = bias + getU64(view, at + 8);
  }
  const functions: [string, number][] = [];
  for (let at = symbols; at + ELF64_SYM_SIZE <= strings; at += ELF64_SYM_SIZE) {
    const from = strings + view.getUint32(at + ELF64_SYM_OFF_NAME, true);
    const name = decoder.decode(bytes.subarray(from, bytes.indexOf(0, from)));
    const value = getU64(view, at + ELF64_SYM_OFF_VALUE);
    if (name.startsWith("__vdso_")) functions.push([name, start + bias + value]);
  }
  return functions;
}
