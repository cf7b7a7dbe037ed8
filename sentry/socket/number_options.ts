/** Options of SOL_SOCKET that are one number: kept, given back, and without effect on the families there are. */
import { EACCES, EBADF, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import { CAP_NET_ADMIN, CAP_NET_RAW } from "../../platform/abi/capability.ts";
import {
  SO_BINDTOIFINDEX,
  SO_BROADCAST,
  SO_BUSY_POLL,
  SO_BUSY_POLL_BUDGET,
  SO_CNX_ADVICE,
  SO_DEBUG,
  SO_DETACH_FILTER,
  SO_DETACH_REUSEPORT_BPF,
  SO_DEVMEM_DONTNEED,
  SO_DONTROUTE,
  SO_INCOMING_CPU,
  SO_KEEPALIVE,
  SO_LOCK_FILTER,
  SO_MARK,
  SO_NO_CHECK,
  SO_NOFCS,
  SO_OOBINLINE,
  SO_PASSSEC,
  SO_PREFER_BUSY_POLL,
  SO_PRIORITY,
  SO_RCVMARK,
  SO_RCVPRIORITY,
  SO_RESERVE_MEM,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_TXREHASH,
  SO_WIFI_STATUS,
  SO_ZEROCOPY,
} from "../../platform/abi/socket.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";

export interface NumberOption {
  readonly initial: number;
  /** It is on or off: what is kept is 1 or 0. */
  readonly isFlag: boolean;
  /** Whether getsockopt(2) knows it. */
  readonly isShown: boolean;
  /** Why a value is refused, as -errno, or 0. */
  check(value: number, creds: Credentials, now: number): number;
}

const anything = () => 0;
const notNegative = (n: number) => n < 0 ? -EINVAL : 0;
const mayMark = (_: number, creds: Credentials) =>
  hasCapability(creds, CAP_NET_ADMIN) || hasCapability(creds, CAP_NET_RAW) ? 0 : -EPERM;

function flag(check: NumberOption["check"] = anything): NumberOption {
  return { initial: 0, isFlag: true, isShown: true, check };
}
function int(check: NumberOption["check"], initial = 0): NumberOption {
  return { initial, isFlag: false, isShown: true, check };
}
/** One that getsockopt(2) does not know. */
function unseen(check: NumberOption["check"]): NumberOption {
  return { initial: 0, isFlag: false, isShown: false, check };
}

export const numberOptions: ReadonlyMap<number, NumberOption> = new Map([
  [SO_DEBUG, flag((n, creds) => n === 0 || hasCapability(creds, CAP_NET_ADMIN) ? 0 : -EACCES)],
  [SO_REUSEADDR, flag()],
  [SO_REUSEPORT, flag((n) => n === 0 ? 0 : -EOPNOTSUPP)],
  [SO_DONTROUTE, flag()],
  [SO_BROADCAST, flag()],
  [SO_KEEPALIVE, flag()],
  [SO_OOBINLINE, flag()],
  [SO_NO_CHECK, flag()],
  [SO_PASSSEC, flag()],
  [SO_NOFCS, flag()],
  [SO_SELECT_ERR_QUEUE, flag()],
  [SO_RCVMARK, flag(mayMark)],
  [SO_RCVPRIORITY, flag(mayMark)],
  [SO_RXQ_OVFL, flag()],
  [SO_WIFI_STATUS, flag()],
  [SO_LOCK_FILTER, flag((n, _, now) => now === 1 && n === 0 ? -EPERM : 0)],
  [
    SO_PREFER_BUSY_POLL,
    flag((n, creds) => n === 0 || hasCapability(creds, CAP_NET_ADMIN) ? 0 : -EPERM),
  ],
  [
    SO_PRIORITY,
    int((n, creds) => (n >= 0 && n <= 6) || mayMark(n, creds) === 0 ? 0 : -EPERM),
  ],
  [SO_MARK, int(mayMark)],
  [SO_BUSY_POLL, int(notNegative)],
  [SO_INCOMING_CPU, int(anything, -1)],
  [SO_BINDTOIFINDEX, int(notNegative)],
  // Where a socket's memory is not accounted for, none can be reserved.
  [SO_RESERVE_MEM, int((n) => n < 0 ? -EINVAL : -EOPNOTSUPP)],
  // For sockets of the Internet alone.
  [SO_ZEROCOPY, int(() => -EOPNOTSUPP)],
  [
    SO_BUSY_POLL_BUDGET,
    unseen((n, creds) => {
      if (n > 8 && !hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      return n < 0 || n > 0xffff ? -EINVAL : 0;
    }),
  ],
  [SO_CNX_ADVICE, unseen(anything)],
  [SO_DETACH_FILTER, unseen(() => -ENOENT)],
  [SO_DETACH_REUSEPORT_BPF, unseen(() => -EINVAL)],
  [SO_TXREHASH, unseen(() => -EOPNOTSUPP)],
  [SO_DEVMEM_DONTNEED, unseen(() => -EBADF)],
]);
