/**
 * Descriptors that are sent to stubs and that their guests do not take. The host counts those on their way over all
 * processes of a user, and lets us send none when there are too many.
 */
import { SYS_ioctl, SYS_poll } from "../abi/amd64/syscalls.ts";
import { EPROTO, ETOOMANYREFS } from "../abi/errno.ts";
import { TIOCOUTQ } from "../abi/ioctl.ts";
import { native } from "../host/ffi.ts";
import { hostAlloc, hostSyscall } from "../host/host.ts";

/** A killed process gives up its socket within milliseconds. */
const END_MS = 100;
/** One of them has hundreds, and one send needs four at most. */
const ENDS_MAX = 8;
/** What the host counts for one message, and somewhat more. */
export const MESSAGE_BYTES = 1280;
const memory = hostAlloc(8);

/** A stub process, as far as it matters here. */
export interface Receiver {
  readonly region: { readonly sock: number };
  kill(): void;
}

/**
 * As dv_send_fds. `mostUnread`: with more bytes that have not been taken, -EPROTO. `receivers` are all there are, of
 * which those with most unread are ended if there must be room.
 */
export function sendFds(
  receivers: Iterable<Receiver>,
  sock: number,
  slot: number,
  fds: readonly number[],
  mostUnread: number,
): number {
  if (unreadBytes(sock) > mostUnread) return -EPROTO;
  const [first, second = -1, third = -1, fourth = -1] = fds;
  let err = native.dv_send_fds(sock, slot, first, second, third, fourth);
  for (let ends = 0; err === -ETOOMANYREFS && ends < ENDS_MAX; ends++) {
    endLargest(receivers);
    err = native.dv_send_fds(sock, slot, first, second, third, fourth);
  }
  return err;
}

function endLargest(receivers: Iterable<Receiver>): void {
  let largest: Receiver | null = null;
  let most = 0;
  for (const each of receivers) {
    const bytes = unreadBytes(each.region.sock);
    if (bytes <= most) continue;
    most = bytes;
    largest = each;
  }
  if (largest === null) return;
  const { sock } = largest.region;
  largest.kill();
  for (let waited = 0; waited < END_MS && unreadBytes(sock) > 0; waited++) {
    hostSyscall(SYS_poll, memory.addr, 0, 1);
  }
}

/** What we have sent and nobody has taken. */
export function unreadBytes(sock: number): number {
  return hostSyscall(SYS_ioctl, sock, TIOCOUTQ, memory.addr) < 0
    ? 0
    : memory.view.getInt32(0, true);
}
