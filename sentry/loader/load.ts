/** Finds out what a file is, follows #! lines, and maps an ELF image (Linux: fs/exec.c, binfmt_*). */
import {
  EACCES,
  EINVAL,
  EIO,
  ELIBBAD,
  ELOOP,
  ENOENT,
  ENOEXEC,
  ENOMEM,
} from "../../platform/abi/errno.ts";
import { ET_DYN } from "../../platform/abi/elf.ts";
import { latin1 } from "../../platform/abi/latin1.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import type { Context } from "../../platform/platform.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";
import { KernelDst } from "../vfs/kernel_io.ts";
import { NO_LIMITS } from "../mm/limits.ts";
import { type MemoryManager, PAGE_SIZE, pageDown, pageUp } from "../mm/memory_manager.ts";
import { type ElfImage, isElf, parseElf, programHeaders } from "./elf.ts";
import type { StringBlock } from "./strings.ts";

/** Linux's BINPRM_BUF_SIZE and its limit of nested interpreters. */
const HEAD_SIZE = 256;
const SCRIPT_DEPTH = 5;
const PHDR_SIZE = 56;

/** Opens a path for execution; checks what execve(2) checks of a file. */
export type ExecOpener = (path: string) => FileDescription | number;

export interface Program {
  /** The caller owns both. */
  file: FileDescription;
  image: ElfImage;
  interpFile: FileDescription | null;
  interpImage: ElfImage | null;
  /** Rewritten by #! lines. */
  argv: StringBlock;
}

/** Reads exactly `length` bytes or up to the end of the file. Returns the count or -errno. */
export async function readAt(
  file: FileDescription,
  buffer: Uint8Array,
  offset: number,
): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const r = file.impl.read(file, new KernelDst(buffer, done), offset + done);
    const n = typeof r === "number" ? r : await r;
    if (n < 0) return n;
    if (n === 0) break;
    done += n;
  }
  return done;
}

/**
 * Loads the headers of `file` (owned) and of all it asks for. `path` is what the interpreter of a script
 * is given, or null when none leads to it: -ENOENT then. On an error everything opened is closed.
 */
export async function loadProgram(
  file: FileDescription,
  path: string | null,
  argv: StringBlock,
  open: ExecOpener,
  taskSize: number,
): Promise<Program | number> {
  for (let depth = 0;; depth++) {
    const known = knownImage(file);
    if (known !== null) return await loadElfProgram(file, known, argv, open, taskSize);
    const head = new Uint8Array(HEAD_SIZE);
    const n = await readAt(file, head, 0);
    if (n < 0) return close(file, n);
    if (isElf(head, n)) {
      const image = await imageOf(file, head, n, taskSize);
      if (typeof image === "number") return close(file, image);
      return await loadElfProgram(file, image, argv, open, taskSize);
    }
    if (n < 2 || head[0] !== 0x23 || head[1] !== 0x21) return close(file, -ENOEXEC);
    if (depth === SCRIPT_DEPTH) return close(file, -ELOOP);
    const line = parseScriptLine(head, n);
    if (line === null) return close(file, -ENOEXEC);
    if (path === null) return close(file, -ENOENT);
    file.release();
    if (line.interpreter === "") return close(file, -EACCES); // Linux opens "", a directory.
    const before = [line.interpreter, ...(line.argument === null ? [] : [line.argument]), path];
    argv = argv.withFirst(before);
    path = line.interpreter;
    const next = open(path);
    if (typeof next === "number") return next;
    file = next;
  }
}

function close(file: FileDescription, err: number): number {
  file.release();
  return err;
}

/** "#! interpreter [one argument]"; null when there is none, or a cut-off interpreter. */
export function parseScriptLine(
  head: Uint8Array,
  length: number,
): { interpreter: string; argument: string | null } | null {
  let end = head.indexOf(10, 2);
  const complete = end >= 0 && end < length;
  if (!complete) end = length;
  const isSpace = (c: number) => c === 32 || c === 9;
  let from = 2;
  while (from < end && isSpace(head[from])) from++;
  let to = from;
  while (to < end && !isSpace(head[to]) && head[to] !== 0) to++;
  // Behind a last line without an end there are zeros, which end an empty name.
  if (from === end && (complete || length === HEAD_SIZE)) return null;
  // The kernel sees the first 256 bytes: an interpreter cut off there is refused.
  if (!complete && to === end && length === HEAD_SIZE) return null;
  const interpreter = latin1(head, from, to);
  while (to < end && isSpace(head[to])) to++;
  let last = end;
  while (last > to && (isSpace(head[last - 1]) || head[last - 1] === 0)) last--;
  return { interpreter, argument: last > to ? latin1(head, to, last) : null };
}

/** What ELF files that do not change say of themselves: their headers, and the interpreter of a program. */
const images = new WeakMap<Inode, ElfImage>();
const interpreters = new WeakMap<Inode, string>();

/** `head`: the file's first bytes. */
async function imageOf(
  file: FileDescription,
  head: Uint8Array,
  headLength: number,
  taskSize: number,
): Promise<ElfImage | number> {
  const image = await readImage(file, head, headLength, taskSize);
  if (typeof image !== "number" && file.inode.isSteady) images.set(file.inode, image);
  return image;
}

function knownImage({ inode }: FileDescription): ElfImage | null {
  return inode.isSteady ? images.get(inode) ?? null : null;
}

/** The interpreter that `image` of `file` asks for. -ENOEXEC, or what reading says. */
async function interpreterOf(
  file: FileDescription,
  [offset, size]: [offset: number, size: number],
): Promise<string | number> {
  const { inode } = file;
  const known = inode.isSteady ? interpreters.get(inode) : undefined;
  if (known !== undefined) return known;
  const name = await readInterpreter(file, offset, size);
  if (typeof name === "string" && inode.isSteady) interpreters.set(inode, name);
  return name;
}

async function readInterpreter(
  file: FileDescription,
  offset: number,
  size: number,
): Promise<string | number> {
  if (size < 2 || size > PAGE_SIZE) return -ENOEXEC;
  const name = new Uint8Array(size);
  const n = await readAt(file, name, offset);
  if (n < size) return n < 0 ? n : -EIO; // Linux: elf_read.
  if (name[size - 1] !== 0) return -ENOEXEC;
  return latin1(name, 0, name.indexOf(0));
}

async function loadElfProgram(
  file: FileDescription,
  image: ElfImage,
  argv: StringBlock,
  open: ExecOpener,
  taskSize: number,
): Promise<Program | number> {
  const program: Program = { file, image, interpFile: null, interpImage: null, argv };
  if (image.interp === null) return program;
  const interpreter = await interpreterOf(file, image.interp);
  if (typeof interpreter === "number") return close(file, interpreter);
  const err = await loadInterpreter(program, interpreter, open, taskSize);
  return err < 0 ? close(file, err) : program;
}

async function readImage(
  file: FileDescription,
  head: Uint8Array,
  headLength: number,
  taskSize: number,
): Promise<ElfImage | number> {
  const where = programHeaders(head, headLength);
  if (typeof where === "number") return where;
  const [offset, count] = where;
  const phdrs = new Uint8Array(count * PHDR_SIZE);
  if (offset + phdrs.length <= headLength) phdrs.set(head.subarray(offset, offset + phdrs.length));
  else {
    const n = await readAt(file, phdrs, offset);
    if (n < phdrs.length) return -ENOEXEC;
  }
  return parseElf(head, phdrs, count, taskSize);
}

async function loadInterpreter(
  program: Program,
  name: string,
  open: ExecOpener,
  taskSize: number,
): Promise<number> {
  const file = open(name);
  if (typeof file === "number") return file;
  const image = knownImage(file) ?? await readInterpreterImage(file, taskSize);
  if (typeof image === "number") return close(file, image);
  program.interpFile = file;
  program.interpImage = image;
  return 0;
}

/** -ELIBBAD when it is no interpreter. */
async function readInterpreterImage(
  file: FileDescription,
  taskSize: number,
): Promise<ElfImage | number> {
  const head = new Uint8Array(HEAD_SIZE);
  const length = await readAt(file, head, 0);
  if (length < 0) return length;
  if (!isElf(head, length)) return -ELIBBAD;
  const image = await imageOf(file, head, length, taskSize);
  return typeof image === "number" ? -ELIBBAD : image;
}

/** What the program sees of its image. */
export interface Placed {
  /** Added to every vaddr. */
  bias: number;
  entry: number;
  /** End of the last segment: the heap begins behind it. */
  end: number;
  codeStart: number;
  codeEnd: number;
  dataStart: number;
  dataEnd: number;
  phdrAddr: number;
}

/**
 * Maps an image. `base` is where the first page of a position-independent one goes (ET_EXEC goes
 * where it says). Returns where things lie, or -errno.
 */
export function mapImage(
  ctx: Context,
  mm: MemoryManager,
  file: FileDescription,
  image: ElfImage,
  base: number,
): Placed | number {
  const first = image.segments[0];
  const last = image.segments[image.segments.length - 1];
  const bias = image.type === ET_DYN ? base - pageDown(first.vaddr) : 0;
  const end = bias + last.vaddr + last.memSize;
  if (pageDown(bias + first.vaddr) < 0 || end > mm.taskSize) return -ENOMEM;
  const placed: Placed = {
    bias,
    entry: bias + image.entry,
    end,
    codeStart: Infinity,
    codeEnd: 0,
    dataStart: 0,
    dataEnd: 0,
    phdrAddr: image.phdrVaddr === 0 ? 0 : bias + image.phdrVaddr,
  };
  if (placed.entry >= mm.taskSize) return -EINVAL;
  for (const s of image.segments) {
    const start = bias + s.vaddr;
    const pageStart = pageDown(start);
    const fileEnd = start + s.fileSize;
    if (s.fileSize > 0) {
      const length = fileEnd - pageStart;
      const offset = s.offset - (start - pageStart);
      const r = mm.mmap(
        ctx,
        pageStart,
        length,
        s.prot,
        MAP_PRIVATE | MAP_FIXED,
        file,
        offset,
        NO_LIMITS,
        pageUp(end),
      );
      if (r < 0) return r === -EACCES ? r : -ENOEXEC;
    }
    const mapped = s.fileSize > 0 ? pageUp(fileEnd) : pageStart;
    const memEnd = pageUp(start + s.memSize);
    if (memEnd > mapped) mm.mapAnonymous(ctx, mapped, memEnd - mapped, s.prot, "");
    // The rest of the last file page is the program's zeroes, all of it: ld.so allocates there.
    if (
      s.memSize > s.fileSize && s.fileSize > 0 && fileEnd < mapped && (s.prot & PROT_WRITE) !== 0
    ) {
      ctx.queueZero(fileEnd, mapped - fileEnd);
    }
    placed.codeStart = Math.min(placed.codeStart, start);
    if ((s.prot & ~(PROT_READ | PROT_WRITE)) !== 0) {
      placed.codeEnd = Math.max(placed.codeEnd, fileEnd);
    }
    if (start > placed.dataStart) placed.dataStart = start;
    placed.dataEnd = Math.max(placed.dataEnd, fileEnd);
  }
  return placed;
}

/** Bytes from the first to the last page of the image. */
export function imageSpan(image: ElfImage): number {
  const first = image.segments[0];
  const last = image.segments[image.segments.length - 1];
  return pageUp(last.vaddr + last.memSize) - pageDown(first.vaddr);
}
