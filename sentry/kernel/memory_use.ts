/** Memory of the machine as guests see it: sysinfo(2), /proc/meminfo. */
import { hostSysinfo } from "../../platform/host/sysinfo.ts";
import type { Kernel } from "./kernel.ts";

export interface MemoryUse {
  totalBytes: number;
  freeBytes: number;
  sharedBytes: number;
  bufferBytes: number;
}

/** The host's figures, within what the sandbox was given. */
export function memoryUse(kernel: Kernel): MemoryUse {
  const limit = kernel.memoryBytes;
  const host = hostSysinfo();
  if (host === null) {
    return { totalBytes: limit, freeBytes: limit / 2, sharedBytes: 0, bufferBytes: 0 };
  }
  const total = Math.min(limit, host.totalram * host.memUnit);
  return {
    totalBytes: total,
    freeBytes: Math.min(total, host.freeram * host.memUnit),
    sharedBytes: Math.min(total, host.sharedram * host.memUnit),
    bufferBytes: Math.min(total, host.bufferram * host.memUnit),
  };
}
