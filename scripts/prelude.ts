// Adds the prelude (platform/native/sandbox/prelude.c) to the base binary of `deno compile`: a segment at
// its end, and the entry point in it. What `deno compile` appends later lies behind it.
//   prelude.ts BASE PRELUDE LIBRARY OUT
// A program header must be had for the segment: that of the build's notes, which nothing reads at run time.

const PAGE = 4096;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_RX = 5;
// Elf64_Ehdr and Elf64_Phdr
const E_ENTRY = 24;
const E_PHOFF = 32;
const E_PHENTSIZE = 54;
const E_PHNUM = 56;
const P_FLAGS = 4;
const P_OFFSET = 8;
const P_VADDR = 16;
const P_PADDR = 24;
const P_FILESZ = 32;
const P_MEMSZ = 40;
const P_ALIGN = 48;
/** struct prelude of platform/native/sandbox/start.h; prelude.ld puts the code on the second page. */
const HEADER_ENTRY = 8;
const HEADER_LIBRARY = 16;
const HEADER_LIBRARY_SIZE = 24;

const roundUp = (n: number) => Math.ceil(n / PAGE) * PAGE;

function withPrelude(base: Uint8Array, prelude: Uint8Array, library: Uint8Array): Uint8Array {
  const offset = roundUp(base.length);
  const libraryAt = roundUp(prelude.length);
  const size = libraryAt + library.length;
  const out = new Uint8Array(offset + size);
  out.set(base);
  out.set(prelude, offset);
  out.set(library, offset + libraryAt);
  const view = new DataView(out.buffer);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const setU64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  const headers = Array.from(
    { length: view.getUint16(E_PHNUM, true) },
    (_, i) => u64(E_PHOFF) + i * view.getUint16(E_PHENTSIZE, true),
  );
  const kind = (at: number) => view.getUint32(at, true);
  const loads = headers.filter((at) => kind(at) === PT_LOAD);
  const note = headers.findLast((at) => kind(at) === PT_NOTE);
  // Segments to load must be in order.
  if (note === undefined || loads.length === 0 || note < loads[loads.length - 1]) {
    throw new Error("the base binary has no program header to spare");
  }
  const vaddr = roundUp(Math.max(...loads.map((at) => u64(at + P_VADDR) + u64(at + P_MEMSZ))));
  view.setUint32(note, PT_LOAD, true);
  view.setUint32(note + P_FLAGS, PF_RX, true);
  setU64(note + P_OFFSET, offset);
  setU64(note + P_VADDR, vaddr);
  setU64(note + P_PADDR, vaddr);
  setU64(note + P_FILESZ, size);
  setU64(note + P_MEMSZ, size);
  setU64(note + P_ALIGN, PAGE);
  view.setBigInt64(offset + HEADER_ENTRY, BigInt(u64(E_ENTRY) - vaddr), true);
  setU64(offset + HEADER_LIBRARY, libraryAt);
  setU64(offset + HEADER_LIBRARY_SIZE, library.length);
  setU64(E_ENTRY, vaddr + PAGE);
  return out;
}

const [base, prelude, library, out] = Deno.args;
Deno.writeFileSync(
  out,
  withPrelude(
    Deno.readFileSync(base),
    Deno.readFileSync(prelude),
    Deno.readFileSync(library),
  ),
  { mode: 0o755 },
);
