/** Names of constants, found by their prefix in platform/abi. */
import * as clock from "../../platform/abi/time.ts";
import * as closeRange from "../../platform/abi/close_range.ts";
import * as epoll from "../../platform/abi/epoll.ts";
import * as eventfd from "../../platform/abi/eventfd.ts";
import * as fcntl from "../../platform/abi/fcntl.ts";
import * as fs from "../../platform/abi/fs.ts";
import * as futex from "../../platform/abi/futex.ts";
import * as ioctl from "../../platform/abi/ioctl.ts";
import * as mman from "../../platform/abi/mman.ts";
import * as mount from "../../platform/abi/mount.ts";
import * as prctl from "../../platform/abi/prctl.ts";
import * as random from "../../platform/abi/random.ts";
import * as resource from "../../platform/abi/resource.ts";
import * as sched from "../../platform/abi/sched.ts";
import * as signal from "../../platform/abi/signal.ts";
import * as socket from "../../platform/abi/socket.ts";
import * as splice from "../../platform/abi/splice.ts";
import * as uio from "../../platform/abi/uio.ts";
import * as unistd from "../../platform/abi/unistd.ts";
import * as wait from "../../platform/abi/wait.ts";

type Module = Record<string, unknown>;

const at: Module = {
  AT_SYMLINK_NOFOLLOW: fcntl.AT_SYMLINK_NOFOLLOW,
  AT_REMOVEDIR: fcntl.AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW: fcntl.AT_SYMLINK_FOLLOW,
  AT_NO_AUTOMOUNT: fcntl.AT_NO_AUTOMOUNT,
  AT_EMPTY_PATH: fcntl.AT_EMPTY_PATH,
};

/** Sources by prefix; where two constants have one value, the first in the module wins. */
const MODULES: Record<string, Module> = {
  ARCH_: prctl,
  AT_: at,
  AF_: socket,
  CLOCK_: clock,
  CLONE_: sched,
  CLOSE_RANGE_: closeRange,
  EFD_: eventfd,
  EPOLL_: epoll,
  EPOLL_CTL_: epoll,
  F_: fcntl,
  FUTEX_: futex,
  GRND_: random,
  LOCK_: fcntl,
  MADV_: mman,
  MAP_: mman,
  MFD_: mman,
  MREMAP_: mman,
  MS_: mount,
  MSG_: socket,
  O_: fcntl,
  P_: wait,
  PR_: prctl,
  PROT_: mman,
  RENAME_: fs,
  RLIMIT_: resource,
  RWF_: uio,
  SEEK_: fs,
  SFD_: fcntl,
  SHUT_: socket,
  SIG_: signal,
  SOCK_: socket,
  SPLICE_F_: splice,
  TFD_: clock,
  W: wait,
  IOCTL: ioctl,
  UNISTD: unistd,
};

/** Numbers that are no flags or values of their own though they look like it. */
const NOT_VALUES = /_(MASK|SIZE|SHIFT|MAX|TYPE|MSK|VAL|OFF_\w+)$|_HUGE_|^O_ACCMODE$|^MS_ASYNC$|^FUTEX_OP_|^FUTEX_32$/;

const tables = new Map<string, [number, string][]>();

function table(prefix: string): [number, string][] {
  let rows = tables.get(prefix);
  if (rows === undefined) {
    const seen = new Set<number>();
    rows = [];
    for (const [name, value] of Object.entries(MODULES[prefix] ?? {})) {
      if (typeof value !== "number" || NOT_VALUES.test(name)) continue;
      if (prefix !== "IOCTL" && !name.startsWith(prefix) || seen.has(value)) continue;
      seen.add(value);
      rows.push([value, name]);
    }
    tables.set(prefix, rows);
  }
  return rows;
}

/** "MAP_PRIVATE|MAP_FIXED", "0", "MAP_FIXED|0x8000". */
export function flagNames(prefix: string, value: number): string {
  const names: string[] = [];
  let rest = value >>> 0;
  // Constants of several bits first, so that O_SYNC is not O_DSYNC and something.
  const rows = [...table(prefix)].sort((a, b) => bits(b[0]) - bits(a[0]));
  for (const [flag, name] of rows) {
    if (flag === 0 || (rest & flag) >>> 0 !== flag >>> 0) continue;
    names.push(name);
    rest = (rest & ~flag) >>> 0;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? "0" : names.join("|");
}

function bits(n: number): number {
  let count = 0;
  for (let rest = n >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

/** "SEEK_SET", or the number in decimal. */
export function valueName(prefix: string, value: number): string {
  return table(prefix).find(([v]) => v === value)?.[1] ?? `${value}`;
}

/** An ioctl request: its name, or hexadecimal. */
export function ioctlName(request: number): string {
  const row = table("IOCTL").find(([v]) => v >>> 0 === request >>> 0);
  return row?.[1] ?? `0x${(request >>> 0).toString(16)}`;
}
