/** What RLIMIT_AS and RLIMIT_DATA leave room for (Linux: may_expand_vm). */
import { MAP_GROWSDOWN, MAP_SHARED, PROT_WRITE } from "../../platform/abi/mman.ts";
import {
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_AS,
  RLIMIT_DATA,
} from "../../platform/abi/resource.ts";
import { hostSysinfo } from "../../platform/host/sysinfo.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** A process's limits by RLIMIT_*, in bytes: in force, and how far it may raise them itself. */
export interface MemoryLimits {
  readonly cur: readonly number[];
  readonly max: readonly number[];
}

const endless: readonly number[] = new Array(RLIM_NLIMITS).fill(RLIM_INFINITY);
export const NO_LIMITS: MemoryLimits = { cur: endless, max: endless };

/** Whether RLIMIT_DATA counts such a mapping: private, writable and no stack (is_data_mapping). */
export function isData(prot: number, flags: number): boolean {
  return (prot & PROT_WRITE) !== 0 && (flags & (MAP_SHARED | MAP_GROWSDOWN)) === 0;
}

/** No machine has less. */
const SMALL_BYTES = 256 << 20;

/** Whether there could be `bytes` more of memory at all, by the policy of OVERCOMMIT_GUESS (Linux: __vm_enough_memory). */
export function mayCommit(bytes: number): boolean {
  if (bytes <= SMALL_BYTES) return true;
  const host = hostSysinfo();
  return host === null || bytes <= (host.totalram + host.totalswap) * host.memUnit;
}

/** Linux: mm->data_vm, in bytes. */
function dataBytes(mm: MemoryManager): number {
  let bytes = 0;
  for (const vma of mm.vmas.all) if (isData(vma.prot, vma.flags)) bytes += vma.end - vma.start;
  return bytes;
}

/** Whether `bytes` of what is mapped, or is to be, may become data. */
export function mayHaveMoreData(mm: MemoryManager, limits: MemoryLimits, bytes: number): boolean {
  const limit = limits.cur[RLIMIT_DATA];
  if (limit >= RLIM_INFINITY) return true;
  const data = dataBytes(mm) + bytes;
  // Valgrind sets the limit to 0 and does not mean it: so Linux takes the other one then.
  return data <= (limit === 0 ? limits.max[RLIMIT_DATA] : limit);
}

/** Whether there may be `bytes` more, with the protection and flags of mmap(2). */
export function mayExpand(
  mm: MemoryManager,
  limits: MemoryLimits,
  bytes: number,
  prot: number,
  flags: number,
): boolean {
  if (mm.totalBytes + bytes > limits.cur[RLIMIT_AS]) return false;
  return !isData(prot, flags) || mayHaveMoreData(mm, limits, bytes);
}
