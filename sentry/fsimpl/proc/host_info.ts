/**
 * What the guest may know of the host's processors: the host's own /proc/cpuinfo, read once before
 * the sandbox loses sight of it, or made up from the count.
 */
import { preadFd } from "../../../platform/host/host.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { latin1 } from "../../../platform/abi/latin1.ts";

const CPUINFO_MAX = 1 << 20;

export interface HostInfo {
  /** The text of /proc/cpuinfo. */
  cpuinfo(): string;
}

const infos = new WeakMap<Kernel, HostInfo>();

/** Boot gives what it has of the host. */
export function setHostInfo(kernel: Kernel, info: HostInfo): void {
  infos.set(kernel, info);
}

/** `fd` is the host's file (-1: none), opened before the sandbox lost sight of it; read when first asked. */
export function hostInfoFrom(fd: number): HostInfo {
  let text: string | null = fd < 0 ? "" : null;
  return { cpuinfo: () => text ??= readWhole(fd) };
}

function readWhole(fd: number): string {
  let text = "";
  const chunk = new Uint8Array(16384);
  while (text.length < CPUINFO_MAX) {
    const n = preadFd(fd, chunk, 0, chunk.length, text.length);
    if (n <= 0) break;
    text += latin1(chunk, 0, n);
  }
  return text;
}

/** /proc/cpuinfo with as many processors as the sandbox has. */
export function cpuinfoText(kernel: Kernel): string {
  const text = infos.get(kernel)?.cpuinfo() ?? "";
  const blocks = text.split(/\n\n+/).filter((b) => b.startsWith("processor"));
  if (blocks.length >= kernel.cpuCount) {
    return blocks.slice(0, kernel.cpuCount).join("\n\n") + "\n\n";
  }
  let made = "";
  for (let i = 0; i < kernel.cpuCount; i++) made += plainBlock(i, kernel.cpuCount) + "\n\n";
  return made;
}

function plainBlock(i: number, count: number): string {
  return `processor\t: ${i}\nvendor_id\t: unknown\ncpu family\t: 6\nmodel\t\t: 0\n` +
    `model name\t: dvisor virtual processor\nstepping\t: 0\nphysical id\t: 0\nsiblings\t: ${count}\n` +
    `core id\t\t: ${i}\ncpu cores\t: ${count}\nfpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\n` +
    `flags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm\n` +
    `clflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 48 bits physical, 48 bits virtual\n` +
    `power management:`;
}

/** A number of processor `i` in cpuinfo ("physical id", "core id"), or `fallback`. */
export function cpuField(kernel: Kernel, i: number, field: string, fallback: number): number {
  const block = cpuinfoText(kernel).split("\n\n")[i] ?? "";
  const match = new RegExp(`^${field}\\s*: (\\d+)$`, "m").exec(block);
  return match === null ? fallback : Number(match[1]);
}
