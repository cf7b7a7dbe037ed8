/** Reads an ELF64 executable's headers (Linux: fs/binfmt_elf.c). Everything in a file is hostile. */
import { ENOEXEC } from "../../platform/abi/errno.ts";
import {
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  PF_R,
  PF_W,
  PF_X,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  PT_PHDR,
} from "../../platform/abi/elf.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import { getU64 } from "../../platform/abi/bytes.ts";

export interface Segment {
  offset: number;
  vaddr: number;
  fileSize: number;
  memSize: number;
  prot: number;
}

export interface ElfImage {
  /** ET_EXEC or ET_DYN. */
  type: number;
  entry: number;
  segments: Segment[];
  /** [offset, size] of PT_INTERP's string, or null. */
  interp: [number, number] | null;
  phdrVaddr: number;
  phnum: number;
  /** Alignment that the whole image asks for. */
  align: number;
  executableStack: boolean;
}

const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const PHNUM_MAX = 1170; // 64 KiB of headers, as Linux.
const PAGE = 4096;

export function isElf(head: Uint8Array, length: number): boolean {
  return length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c &&
    head[3] === 0x46;
}

/** Where the program headers lie: [offset, count], or -ENOEXEC. */
export function programHeaders(head: Uint8Array, length: number): [number, number] | number {
  if (length < EHDR_SIZE) return -ENOEXEC;
  const v = new DataView(head.buffer, head.byteOffset);
  if (head[4] !== 2 || head[5] !== 1) return -ENOEXEC;
  if (v.getUint16(18, true) !== EM_X86_64) return -ENOEXEC;
  const type = v.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) return -ENOEXEC;
  if (v.getUint16(54, true) !== PHDR_SIZE) return -ENOEXEC;
  const count = v.getUint16(56, true);
  if (count < 1 || count > PHNUM_MAX) return -ENOEXEC;
  return [getU64(v, 32), count];
}

/** `taskSize` bounds every address; anything out of order is -ENOEXEC. */
export function parseElf(
  head: Uint8Array,
  phdrs: Uint8Array,
  phnum: number,
  taskSize: number,
): ElfImage | number {
  const h = new DataView(head.buffer, head.byteOffset);
  const v = new DataView(phdrs.buffer, phdrs.byteOffset);
  const image: ElfImage = {
    type: h.getUint16(16, true),
    entry: getU64(h, 24),
    segments: [],
    interp: null,
    phdrVaddr: 0,
    phnum,
    align: PAGE,
    executableStack: false,
  };
  const phoff = getU64(h, 32);
  let previousEnd = 0;
  for (let i = 0; i < phnum; i++) {
    const at = i * PHDR_SIZE;
    const type = v.getUint32(at, true);
    const flags = v.getUint32(at + 4, true);
    const s = segmentAt(v, at, flags);
    if (type === PT_INTERP && image.interp === null) image.interp = [s.offset, s.fileSize];
    else if (type === PT_PHDR) image.phdrVaddr = s.vaddr;
    else if (type === PT_GNU_STACK) image.executableStack = (flags & PF_X) !== 0;
    if (type !== PT_LOAD) continue;
    if (!isSound(s, previousEnd, taskSize)) return -ENOEXEC;
    if (s.memSize === 0) continue;
    previousEnd = s.vaddr + s.memSize;
    const align = getU64(v, at + 48);
    if (align > image.align && Number.isInteger(Math.log2(align)) && align <= 0x4000_0000) {
      image.align = align;
    }
    if (phoff >= s.offset && phoff < s.offset + s.fileSize && image.phdrVaddr === 0) {
      image.phdrVaddr = phoff - s.offset + s.vaddr;
    }
    image.segments.push(s);
  }
  return image.segments.length === 0 ? -ENOEXEC : image;
}

function segmentAt(v: DataView, at: number, flags: number): Segment {
  return {
    offset: getU64(v, at + 8),
    vaddr: getU64(v, at + 16),
    fileSize: getU64(v, at + 32),
    memSize: getU64(v, at + 40),
    prot: ((flags & PF_R) !== 0 ? PROT_READ : 0) | ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
      ((flags & PF_X) !== 0 ? PROT_EXEC : 0),
  };
}

function isSound(s: Segment, previousEnd: number, taskSize: number): boolean {
  return s.fileSize <= s.memSize && s.memSize <= taskSize && s.vaddr <= taskSize - s.memSize &&
    s.offset <= 0x7fff_ffff_ffff && s.vaddr % PAGE === s.offset % PAGE &&
    s.vaddr - s.vaddr % PAGE >= previousEnd - previousEnd % PAGE;
}
