/** sysinfo(2) of the host. */
import { SYS_sysinfo } from "../abi/amd64/syscalls.ts";
import { getSysinfo, type Sysinfo, SYSINFO_SIZE } from "../abi/sysinfo.ts";
import { hostAlloc, type HostBuffer, hostSyscall } from "./host.ts";

let buffer: HostBuffer | null = null;

/** Null where the host does not say. */
export function hostSysinfo(): Sysinfo | null {
  buffer ??= hostAlloc(SYSINFO_SIZE);
  return hostSyscall(SYS_sysinfo, buffer.addr) < 0 ? null : getSysinfo(buffer.view, 0);
}
