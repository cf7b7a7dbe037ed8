/**
 * The layout of struct prelude (../../platform/native/sandbox/start.h) and of an image
 * (../../platform/native/image/image.h); and how files are read and written.
 */
import { getU64 } from "../../platform/abi/bytes.ts";
import {
  ELF64_EHDR_OFF_PHNUM,
  ELF64_EHDR_OFF_PHOFF,
  ELF64_PHDR_SIZE,
  type Elf64Phdr,
  getElf64Phdr,
} from "../../platform/abi/elf.ts";

export const PAGE = 4096;
export const roundUp = (n: number) => Math.ceil(n / PAGE) * PAGE;
export const decoder = new TextDecoder();

export function must(what: string, result: number): number {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

export const PRELUDE_RESTORER = 56;
export const PRELUDE_MAGIC = 0x3165_6475_6c65_7270n;
export const IMAGE_MAGIC = 0x3165_676d_6976_6400n;
export const CPU_WORDS = 12;
export const VDSO_FUNCTIONS = 16;
export const VDSO_NAME = 32;
export const IMAGE_SIZE = 24 + CPU_WORDS * 4 + 24 + VDSO_FUNCTIONS * (VDSO_NAME + 8) +
  64 * 32 +
  11 * 8;
export const REGION_SIZE = 32;
export const THREAD_SIZE = 26 * 8 + 16;
export const DESCRIPTOR_SIZE = 24;
export const WATCH_SIZE = 24;
export const RANGE_SIZE = 16;
export const RANGES_MAX = 2048;
/** In struct image, of `regions`. */
export const COUNTS = 24 + CPU_WORDS * 4;
export const REGION_MEMORY = 0;
export const REGION_VDSO = 1;
export const REGION_STACK = 2;
export const REGION_NO_HUGE_PAGES = 1;
export const [FD_KEPT, FD_DUP, FD_EPOLL, FD_EVENTFD, FD_SOCKET] = [0, 1, 2, 3, 4];
/** Descriptors that start.c has placed. */
export const PLACED = 6;

/** Writes numbers one after the other. */
export class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }
  u16(value: number): void {
    this.#view.setUint16(this.at, value, true);
    this.at += 2;
  }
  u32(value: number): void {
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
  }
  u64(value: number | bigint): void {
    this.#view.setBigInt64(this.at, BigInt.asIntN(64, BigInt(value)), true);
    this.at += 8;
  }
  text(value: string, size: number): void {
    this.bytes.set(new TextEncoder().encode(value).subarray(0, size - 1), this.at);
    this.at += size;
  }
}

export function readText(path: string): string {
  return decoder.decode(Deno.readFileSync(path));
}

/** The names in a folder of /proc that are numbers, in order. */
export function numbersIn(path: string): number[] {
  return [...Deno.readDirSync(path)].map(({ name }) => Number(name)).sort((a, b) => a - b);
}

/** The segments of an ELF file, from its beginning. */
export function segmentsOf(head: DataView): Elf64Phdr[] {
  const first = getU64(head, ELF64_EHDR_OFF_PHOFF);
  const count = head.getUint16(ELF64_EHDR_OFF_PHNUM, true);
  return Array.from({ length: count }, (_, i) => getElf64Phdr(head, first + i * ELF64_PHDR_SIZE));
}

export function readAt(file: Deno.FsFile, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const n = file.readSync(bytes.subarray(at));
    if (n === null) throw new Error(`nothing to read at ${(offset + at).toString(16)}`);
    at += n;
  }
  return bytes;
}

export function writeAt(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
