/** Readiness of host descriptors without blocking. */
import { SYS_poll } from "../../../platform/abi/amd64/syscalls.ts";
import { hostAlloc, hostSyscall } from "../../../platform/host/host.ts";

const pollfd = hostAlloc(8);

/** poll(2) of one descriptor with timeout 0: the events that hold, POLLERR and POLLHUP among them. */
export function pollNow(fd: number, events: number): number {
  pollfd.view.setInt32(0, fd, true);
  pollfd.view.setInt16(4, events, true);
  pollfd.view.setInt16(6, 0, true);
  const n = hostSyscall(SYS_poll, pollfd.addr, 1, 0);
  return n <= 0 ? 0 : pollfd.view.getUint16(6, true);
}
