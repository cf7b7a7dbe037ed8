/** Values of a guest's call as text. Everything is bounded: a trace line stays a line. */
import { AT_FDCWD, O_ACCMODE, O_CREAT } from "../../platform/abi/fcntl.ts";
import { signalName } from "../../platform/abi/signal.ts";
import { AF_UNIX } from "../../platform/abi/socket.ts";
import { STAT_OFF_MODE, STAT_OFF_SIZE } from "../../platform/abi/stat.ts";
import type { Task } from "../kernel/task.ts";
import { flagNames, ioctlName, valueName } from "./constants.ts";

const MAX_STRING = 32;
const MAX_PATH = 256;
const MAX_ARGUMENTS = 16;
const bytes = new Uint8Array(MAX_PATH);
const view = new DataView(bytes.buffer);

/** The registers of a call, as the accessors of SyscallArguments gave them when it began. */
export interface Call {
  /** Low 32 bits, signed. */
  low: number[];
  /** All 64 bits, unsigned, exact below 2^53. */
  wide: number[];
}

/** Argument `i` of `call`, shown as `kind` says; `result` is there once the call has returned. */
export function showArgument(
  t: Task,
  kind: string,
  call: Call,
  i: number,
  result: number | null,
): string {
  const low = call.low[i];
  const wide = call.wide[i];
  const [word, parameter] = kind.split(":");
  switch (word) {
    case "d":
    case "fd":
      return `${low}`;
    case "u":
      return `${wide}`;
    case "l":
      return `${wide >= 2 ** 63 ? wide - 2 ** 64 : wide}`;
    case "x":
      return hex(wide);
    case "o":
      return `0${(low >>> 0).toString(8)}`;
    case "p":
      return pointer(wide);
    case "dirfd":
      return low === AT_FDCWD ? "AT_FDCWD" : `${low}`;
    case "path":
    case "str":
      return showString(t, wide, MAX_PATH - 1);
    case "in":
      return showBytes(t, wide, call.wide[Number(parameter)]);
    case "out":
      return result === null || result < 0 ? pointer(wide) : showBytes(t, wide, result);
    case "open":
      return openFlags(low);
    case "sig":
      return low === 0 ? "0" : signalName(low);
    case "ioctl":
      return ioctlName(low);
    case "access":
      return low === 0
        ? "F_OK"
        : [[4, "R_OK"], [2, "W_OK"], [1, "X_OK"]].filter(([bit]) => low & Number(bit))
          .map(([, name]) => name).join("|");
    case "sock":
      return [valueName("SOCK_", low & 0xf), ...(low & ~0xf ? [flagNames("O_", low & ~0xf)] : [])]
        .join("|").replaceAll("O_", "SOCK_");
    case "clone":
      return flagNames("CLONE_", low & ~0xff) + (low & 0xff ? `|${signalName(low & 0xff)}` : "");
    case "futex":
      return valueName("FUTEX_", low & 0x7f) + (low & 0x80 ? "|FUTEX_PRIVATE_FLAG" : "") +
        (low & 0x100 ? "|FUTEX_CLOCK_REALTIME" : "");
    case "stat":
      return result === 0 ? showStat(t, wide) : pointer(wide);
    case "pipe":
      return result === 0 ? showInts(t, wide, 2) : pointer(wide);
    case "status":
      return result !== null && result > 0 ? showStatus(t, wide) : pointer(wide);
    case "timespec":
      return showTimespec(t, wide);
    case "argv":
      return showArgv(t, wide);
    case "sockaddr":
      return showSockaddr(t, wide, call.wide[Number(parameter)]);
    default:
      return word.endsWith("|")
        ? flagNames(word.slice(0, -1), low)
        : valueName(word.slice(0, -1), low);
  }
}

/** Whether argument `i` means nothing: the mode of an open that makes no file. */
export function isIdle(kinds: string[], call: Call, i: number): boolean {
  return kinds[i - 1] === "open" && (call.low[i - 1] & O_CREAT) === 0;
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function pointer(addr: number): string {
  return addr === 0 ? "NULL" : hex(addr);
}

function openFlags(flags: number): string {
  const mode = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][flags & O_ACCMODE];
  const rest = flags & ~O_ACCMODE;
  return rest === 0 ? mode : `${mode}|${flagNames("O_", rest)}`;
}

function showString(t: Task, addr: number, limit: number): string {
  if (addr === 0) return "NULL";
  for (let n = 0; n < limit; n++) {
    if (t.copyIn(addr + n, bytes, n, n + 1) < 0) return hex(addr);
    if (bytes[n] === 0) return quote(n);
  }
  return `${quote(limit)}...`;
}

function showBytes(t: Task, addr: number, length: number): string {
  const n = Math.min(length, MAX_STRING);
  if (n > 0 && t.copyIn(addr, bytes, 0, n) < 0) return pointer(addr);
  return quote(n) + (length > n ? "..." : "");
}

const ESCAPES: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };

/** The first `length` of `bytes` as strace(1) writes strings. */
function quote(length: number): string {
  let s = '"';
  for (let i = 0; i < length; i++) {
    const c = bytes[i];
    s += ESCAPES[c] ??
      (c >= 32 && c < 127 ? String.fromCharCode(c) : `\\${c.toString(8).padStart(3, "0")}`);
  }
  return s + '"';
}

function showInts(t: Task, addr: number, count: number): string {
  if (t.copyIn(addr, bytes, 0, 4 * count) < 0) return pointer(addr);
  return `[${Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true)).join(", ")}]`;
}

function showStat(t: Task, addr: number): string {
  if (t.copyIn(addr, bytes, 0, 144) < 0) return pointer(addr);
  const mode = view.getUint32(STAT_OFF_MODE, true);
  const size = view.getUint32(STAT_OFF_SIZE, true) +
    view.getUint32(STAT_OFF_SIZE + 4, true) * 0x1_0000_0000;
  return `{st_mode=0${mode.toString(8)}, st_size=${size}, ...}`;
}

function showStatus(t: Task, addr: number): string {
  if (addr === 0 || t.copyIn(addr, bytes, 0, 4) < 0) return pointer(addr);
  const status = view.getInt32(0, true);
  const signal = status & 0x7f;
  if (signal === 0) return `[exit ${status >> 8 & 0xff}]`;
  if (signal === 0x7f) {
    return status === 0xffff ? "[continued]" : `[stop ${signalName(status >> 8 & 0xff)}]`;
  }
  return `[${signalName(signal)}]`;
}

function showTimespec(t: Task, addr: number): string {
  if (addr === 0 || t.copyIn(addr, bytes, 0, 16) < 0) return pointer(addr);
  const sec = view.getUint32(0, true) + view.getInt32(4, true) * 0x1_0000_0000;
  return `{${sec}, ${view.getUint32(8, true)}}`;
}

function showArgv(t: Task, addr: number): string {
  if (addr === 0) return "NULL";
  const words: string[] = [];
  for (let i = 0; i < MAX_ARGUMENTS; i++) {
    if (t.copyIn(addr + 8 * i, bytes, 0, 8) < 0) return pointer(addr);
    const at = view.getUint32(0, true) + view.getUint32(4, true) * 0x1_0000_0000;
    if (at === 0) return `[${words.join(", ")}]`;
    words.push(showString(t, at, MAX_STRING));
  }
  return `[${words.join(", ")}, ...]`;
}

function showSockaddr(t: Task, addr: number, length: number): string {
  const n = Math.min(length, 110);
  if (addr === 0 || n < 2 || t.copyIn(addr, bytes, 0, n) < 0) return pointer(addr);
  const family = view.getUint16(0, true);
  if (family !== AF_UNIX) return `{${valueName("AF_", family)}, ...}`;
  const path = String.fromCharCode(...bytes.subarray(2, n));
  const end = path.indexOf("\0", 1);
  const text = (end < 0 ? path : path.slice(0, end)).replace(/^\0/, "@");
  return `{AF_UNIX, ${JSON.stringify(text)}}`;
}
