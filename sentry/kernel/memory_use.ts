/** Memory of the machine as guests see it: sysinfo(2), /proc/meminfo. */
import { hostAlloc, type HostBuffer, hostSyscall } from "../../platform/host/host.ts";
import { getSysinfo, SYSINFO_SIZE } from "../../platform/abi/sysinfo.ts";
import type { Kernel } from "./kernel.ts";

const SYS_SYSINFO = 99;
let buffer: HostBuffer | null = null;

export interface MemoryUse {
  totalBytes: number;
  freeBytes: number;
  sharedBytes: number;
  bufferBytes: number;
}

/** The host's figures, within what the sandbox was given. */
export function memoryUse(kernel: Kernel): MemoryUse {
  const limit = kernel.memoryBytes;
  buffer ??= hostAlloc(SYSINFO_SIZE);
  if (hostSyscall(SYS_SYSINFO, buffer.addr) < 0) {
    return { totalBytes: limit, freeBytes: limit / 2, sharedBytes: 0, bufferBytes: 0 };
  }
  const host = getSysinfo(buffer.view, 0);
  const total = Math.min(limit, host.totalram * host.memUnit);
  return {
    totalBytes: total,
    freeBytes: Math.min(total, host.freeram * host.memUnit),
    sharedBytes: Math.min(total, host.sharedram * host.memUnit),
    bufferBytes: Math.min(total, host.bufferram * host.memUnit),
  };
}
