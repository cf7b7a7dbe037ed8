/**
 * Sizes of address spaces, and of the sandbox's memory. The page tables are the host's: what is
 * resident is estimated from the mappings, unless the platform's owner sets a better source.
 */
import { MAP_NORESERVE, PROT_EXEC, PROT_WRITE } from "../../../platform/abi/mman.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Vma } from "../../mm/vma.ts";

/** A mapping larger than this is taken for a reservation that is hardly touched. */
const RESERVATION = 64 << 20;
const STACK_GUESS = 132 << 10;

let residentBytes: ((mm: MemoryManager) => number) | null = null;

/** Sets who knows the resident size of an address space; -1 from it means "not now". */
export function setResidentBytes(source: (mm: MemoryManager) => number): void {
  residentBytes = source;
}

/** Bytes of each kind, for stat, statm and status. */
export interface MemorySizes {
  total: number;
  resident: number;
  anonymous: number;
  file: number;
  shmem: number;
  code: number;
  libraries: number;
  data: number;
  stack: number;
}

/** What of a mapping is guessed to be resident. */
export function residentOf(vma: Vma): number {
  const size = vma.end - vma.start;
  if (vma.prot === 0 || (vma.flags & MAP_NORESERVE) !== 0) return 0;
  if (vma.name === "[stack]") return Math.min(size, STACK_GUESS);
  return size > RESERVATION ? 0 : size;
}

export function memorySizes(mm: MemoryManager): MemorySizes {
  const s: MemorySizes = {
    total: mm.totalBytes,
    resident: 0,
    anonymous: 0,
    file: 0,
    shmem: 0,
    code: 0,
    libraries: 0,
    data: 0,
    stack: 0,
  };
  for (const vma of mm.vmas.all) {
    const size = vma.end - vma.start;
    const resident = residentOf(vma);
    if (vma.file !== null) {
      if (vma.file.mount.fs.typeName === "tmpfs") s.shmem += resident;
      else s.file += resident;
    } else if (vma.shared) s.shmem += resident;
    else s.anonymous += resident;
    if (vma.name === "[stack]") s.stack += size;
    else if ((vma.prot & PROT_WRITE) !== 0 && !vma.shared) s.data += size;
    if ((vma.prot & (PROT_EXEC | PROT_WRITE)) === PROT_EXEC) s.libraries += size;
  }
  s.code = Math.max(0, mm.codeEnd - mm.codeStart);
  s.libraries = Math.max(0, s.libraries - s.code);
  s.resident = s.anonymous + s.file + s.shmem;
  const known = residentBytes?.(mm) ?? -1;
  if (known >= 0 && s.resident > 0) {
    const scale = known / s.resident;
    s.anonymous = toPages(s.anonymous * scale);
    s.file = toPages(s.file * scale);
    s.shmem = Math.max(0, known - s.anonymous - s.file);
    s.resident = known;
  }
  return s;
}

function toPages(n: number): number {
  return Math.floor(n / PAGE_SIZE) * PAGE_SIZE;
}

/** Bytes that the sandbox's processes use: each address space once. */
export function usedBytes(kernel: Kernel): number {
  const seen = new Set<MemoryManager>();
  let used = 0;
  for (const t of kernel.tasks.values()) {
    if (t.exiting || seen.has(t.mm)) continue;
    seen.add(t.mm);
    used += memorySizes(t.mm).anonymous;
  }
  return Math.min(used, kernel.memoryBytes / 2);
}

/** /proc/meminfo. */
export function meminfoText(kernel: Kernel): string {
  const kb = (bytes: number): number => Math.floor(bytes / 1024);
  const total = kb(kernel.memoryBytes), anonymous = kb(usedBytes(kernel));
  const free = total - anonymous;
  const rows: [string, number][] = [
    ["MemTotal", total],
    ["MemFree", free],
    ["MemAvailable", free],
    ["Buffers", 0],
    ["Cached", 0],
    ["SwapCached", 0],
    ["Active", anonymous],
    ["Inactive", 0],
    ["Active(anon)", anonymous],
    ["Inactive(anon)", 0],
    ["Active(file)", 0],
    ["Inactive(file)", 0],
    ["Unevictable", 0],
    ["Mlocked", 0],
    ["SwapTotal", 0],
    ["SwapFree", 0],
    ["Dirty", 0],
    ["Writeback", 0],
    ["AnonPages", anonymous],
    ["Mapped", 0],
    ["Shmem", 0],
    ["KReclaimable", 0],
    ["Slab", 0],
    ["SReclaimable", 0],
    ["SUnreclaim", 0],
    ["KernelStack", kernel.tasks.size * 16],
    ["PageTables", 0],
    ["SecPageTables", 0],
    ["NFS_Unstable", 0],
    ["Bounce", 0],
    ["WritebackTmp", 0],
    ["CommitLimit", Math.floor(total / 2)],
    ["Committed_AS", anonymous],
    ["VmallocTotal", 34359738367],
    ["VmallocUsed", 0],
    ["VmallocChunk", 0],
    ["Percpu", 0],
    ["AnonHugePages", 0],
    ["ShmemHugePages", 0],
    ["ShmemPmdMapped", 0],
    ["FileHugePages", 0],
    ["FilePmdMapped", 0],
  ];
  let text = "";
  for (const [name, value] of rows) text += `${(name + ":").padEnd(16)}${pad(value, 8)} kB\n`;
  for (const name of ["HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"]) {
    text += `${name}:${pad(0, 24 - name.length - 1)}\n`;
  }
  return text + `Hugepagesize:       2048 kB\nHugetlb:               0 kB\n` +
    `DirectMap4k:           0 kB\nDirectMap2M:    ${pad(total, 8)} kB\n`;
}

function pad(n: number, width: number): string {
  return String(n).padStart(width);
}
