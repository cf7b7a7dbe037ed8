/** Options of SOL_SOCKET that every socket stores: socket(7). */
import {
  EDOM,
  EINVAL,
  ENODATA,
  ENODEV,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPERM,
} from "../../platform/abi/errno.ts";
import { getI64, setI64 } from "../../platform/abi/bytes.ts";
import {
  LINGER_SIZE,
  SO_ACCEPTCONN,
  SO_BINDTODEVICE,
  SO_BPF_EXTENSIONS,
  SO_BSDCOMPAT,
  SO_BUF_LOCK,
  SO_COOKIE,
  SO_DETACH_FILTER,
  SO_DOMAIN,
  SO_ERROR,
  SO_GET_FILTER,
  SO_INCOMING_NAPI_ID,
  SO_LINGER,
  SO_LOCK_FILTER,
  SO_MAX_PACING_RATE,
  SO_MEMINFO,
  SO_NETNS_COOKIE,
  SO_PASSCRED,
  SO_PASSPIDFD,
  SO_PASSRIGHTS,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERNAME,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVTIMEO_NEW,
  SO_RCVTIMEO_OLD,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO_NEW,
  SO_SNDTIMEO_OLD,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPING_NEW,
  SO_TIMESTAMPING_OLD,
  SO_TIMESTAMPNS_NEW,
  SO_TIMESTAMPNS_OLD,
  SO_TXREHASH,
  SO_TXTIME,
  SO_TYPE,
} from "../../platform/abi/socket.ts";
import { CAP_NET_ADMIN } from "../../platform/abi/capability.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI } from "../../platform/abi/time.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import { numberOptions } from "./number_options.ts";
import type { SocketImpl } from "./socket.ts";

/** net.core.wmem_max, rmem_max and their defaults. */
const BUFFER_MAX = 212992;
const SNDBUF_MIN = 4608;
const RCVBUF_MIN = 2304;
const BUFFER_FORCE_MAX = 64 * 1024 * 1024;
/** Longest SO_LINGER, SO_*TIMEO that is kept as a number of seconds; above it never ends. */
const TIMEO_MAX_SEC = 2 ** 31;

/** Which of SO_TIMESTAMP and its like is on: setting one turns the others off. */
const TIMESTAMPS = new Set([
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPNS_OLD,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPNS_NEW,
]);
/** SOF_TIMESTAMPING_*: what there is, and what needs another or a network device. */
const TIMESTAMPING_MASK = 0x3ffff;
const TIMESTAMPING_OPT_ID = 1 << 7;
const TIMESTAMPING_OPT_TSONLY = 1 << 11;
const TIMESTAMPING_OPT_STATS = 1 << 12;
const TIMESTAMPING_BIND_PHC = 1 << 15;
const TIMESTAMPING_OPT_ID_TCP = 1 << 16;
/** What SO_BPF_EXTENSIONS tells: SKF_AD_MAX. */
const BPF_EXTENSIONS = 64;
/** SOCK_SNDBUF_LOCK and SOCK_RCVBUF_LOCK. */
const SNDBUF_LOCK = 1;
const RCVBUF_LOCK = 2;
/** struct sock_txtime: clock and flags. */
const TXTIME_SIZE = 8;
const TXTIME_FLAGS = 3;
/** Of a negative SO_LINGER: what is left in an int of Linux's longest wait, in seconds (4 ms a tick). */
const LINGER_FOREVER_SEC = 0x978d4fdf | 0;

export class SocketOptions {
  sndbuf = BUFFER_MAX;
  rcvbuf = BUFFER_MAX;
  passCred = false;
  passPidfd = false;
  passRights = true;
  lingerOn = 0;
  lingerSec = 0;
  rcvLowat = 1;
  peekOff = -1;
  /** -1: no limit. */
  recvTimeoutNs = -1;
  sendTimeoutNs = -1;
  /** Those of number_options.ts that were set. */
  readonly numbers = new Map<number, number>();
  /** The one of TIMESTAMPS that is on; 0. */
  timestamp = 0;
  timestamping = 0;
  txtimeClock = 0;
  txtimeFlags = 0;
  /** SO_MAX_PACING_RATE, in two halves. */
  pacingLow = 0xffff_ffff;
  pacingHigh = 0xffff_ffff;
  bufferLocks = 0;

  /** Whether messages to it, and from it, say who sent them. */
  get wantsCreds(): boolean {
    return this.passCred || this.passPidfd;
  }
}

function int32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setInt32(0, value, true);
  return out;
}

/** getsockopt(2) of SOL_SOCKET: the value's bytes, which the caller cuts to the guest's `room`. */
export function getSocketOption(s: SocketImpl, name: number, room: number): Uint8Array | number {
  const o = s.options;
  switch (name) {
    case SO_TYPE:
      return int32(s.type);
    case SO_DOMAIN:
      return int32(s.family);
    case SO_PROTOCOL:
      return int32(s.protocol);
    case SO_ERROR:
      return int32(s.takeError());
    case SO_ACCEPTCONN:
      return int32(s.isListening ? 1 : 0);
    case SO_SNDBUF:
      return int32(o.sndbuf);
    case SO_RCVBUF:
      return int32(o.rcvbuf);
    case SO_PASSCRED:
      return int32(o.passCred ? 1 : 0);
    case SO_PASSPIDFD:
      return int32(o.passPidfd ? 1 : 0);
    case SO_PASSRIGHTS:
      return int32(o.passRights ? 1 : 0);
    case SO_RCVLOWAT:
      return int32(o.rcvLowat);
    case SO_SNDLOWAT:
      return int32(1);
    case SO_PEEK_OFF:
      return int32(o.peekOff);
    case SO_BSDCOMPAT:
    case SO_INCOMING_NAPI_ID:
      return int32(0);
    case SO_BPF_EXTENSIONS:
      return int32(BPF_EXTENSIONS);
    case SO_BUF_LOCK:
      return int32(o.bufferLocks);
    case SO_TXREHASH:
      return -EOPNOTSUPP;
    case SO_BINDTODEVICE:
    case SO_GET_FILTER:
      return new Uint8Array(0);
    default: {
      if (TIMESTAMPS.has(name)) return int32(isTimestampOn(o, name) ? 1 : 0);
      const number = numberOptions.get(name);
      if (number === undefined || !number.isShown) return getWideOption(s, name, room);
      return int32(o.numbers.get(name) ?? number.initial);
    }
  }
}

/** The newer form of the one is also on with the newer form of the other, as in Linux. */
function isTimestampOn(o: SocketOptions, name: number): boolean {
  if (o.timestamp === name) return true;
  return name === SO_TIMESTAMP_NEW && o.timestamp === SO_TIMESTAMPNS_NEW;
}

function getWideOption(s: SocketImpl, name: number, room: number): Uint8Array | number {
  const out = new Uint8Array(16);
  const v = new DataView(out.buffer);
  switch (name) {
    case SO_LINGER:
      v.setInt32(0, s.options.lingerOn, true);
      v.setInt32(4, s.options.lingerSec, true);
      return out.subarray(0, LINGER_SIZE);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
      return putTimeout(out, v, s.options.recvTimeoutNs);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
      return putTimeout(out, v, s.options.sendTimeoutNs);
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
      v.setInt32(0, s.options.timestamping, true);
      return out.subarray(0, 8);
    case SO_TXTIME:
      v.setInt32(0, s.options.txtimeClock, true);
      v.setInt32(4, s.options.txtimeFlags, true);
      return out.subarray(0, TXTIME_SIZE);
    case SO_MAX_PACING_RATE: {
      const { pacingLow, pacingHigh } = s.options;
      // In 32 bits a rate that does not fit is the most there is.
      v.setUint32(0, room < 8 && pacingHigh !== 0 ? 0xffff_ffff : pacingLow, true);
      v.setUint32(4, pacingHigh, true);
      return out.subarray(0, room < 8 ? 4 : 8);
    }
    case SO_MEMINFO: {
      const info = new Uint32Array(9);
      info[1] = s.options.rcvbuf;
      info[2] = s.outQueue;
      info[3] = s.options.sndbuf;
      return new Uint8Array(info.buffer);
    }
    case SO_COOKIE:
      if (room < 8) return -EINVAL;
      setI64(v, 0, s.cookie);
      return out.subarray(0, 8);
    case SO_NETNS_COOKIE:
      if (room !== 8) return -EINVAL;
      setI64(v, 0, 1);
      return out.subarray(0, 8);
    case SO_PEERCRED: {
      const peer = s.peerCreds;
      v.setInt32(0, peer.pid, true);
      v.setUint32(4, peer.uid, true);
      v.setUint32(8, peer.gid, true);
      return out.subarray(0, 12);
    }
    case SO_PEERGROUPS: {
      const groups = s.peerGroups;
      if (groups === null) return -ENODATA;
      return new Uint8Array(Uint32Array.from(groups).buffer);
    }
    case SO_PEERNAME: {
      const address = s.getpeername();
      return typeof address !== "number" && address.length < room ? -EINVAL : address;
    }
    default:
      return s.getOption(1, name) === -EINVAL ? -EINVAL : -ENOPROTOOPT;
  }
}

function putTimeout(out: Uint8Array, v: DataView, ns: number): Uint8Array {
  if (ns > 0) {
    const sec = Math.floor(ns / 1e9);
    setI64(v, 0, sec);
    setI64(v, 8, Math.floor((ns - sec * 1e9) / 1000));
  }
  return out;
}

/** setsockopt(2) of SOL_SOCKET. */
export function setSocketOption(
  s: SocketImpl,
  creds: Credentials,
  name: number,
  value: DataView,
): number {
  const o = s.options;
  if (name === SO_RCVTIMEO_OLD || name === SO_RCVTIMEO_NEW) return setTimeout(o, value, true);
  if (name === SO_SNDTIMEO_OLD || name === SO_SNDTIMEO_NEW) return setTimeout(o, value, false);
  if (name === SO_BINDTODEVICE) return bindToDevice(value);
  if (name === SO_LINGER) return setLinger(o, value);
  if (value.byteLength < 4) return -EINVAL;
  const n = value.getInt32(0, true);
  switch (name) {
    case SO_SNDBUF:
      o.sndbuf = Math.max(SNDBUF_MIN, 2 * Math.min(n >>> 0, BUFFER_MAX));
      o.bufferLocks |= SNDBUF_LOCK;
      s.sendBufferChanged();
      return 0;
    case SO_RCVBUF:
      o.rcvbuf = Math.max(RCVBUF_MIN, 2 * Math.min(n >>> 0, BUFFER_MAX));
      o.bufferLocks |= RCVBUF_LOCK;
      return 0;
    case SO_SNDBUFFORCE:
      if (!hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      o.sndbuf = Math.min(BUFFER_FORCE_MAX, Math.max(SNDBUF_MIN, 2 * Math.max(0, n)));
      o.bufferLocks |= SNDBUF_LOCK;
      s.sendBufferChanged();
      return 0;
    case SO_RCVBUFFORCE:
      if (!hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      o.rcvbuf = Math.min(BUFFER_FORCE_MAX, Math.max(RCVBUF_MIN, 2 * Math.max(0, n)));
      o.bufferLocks |= RCVBUF_LOCK;
      return 0;
    case SO_PASSCRED:
      o.passCred = n !== 0;
      return 0;
    case SO_PASSPIDFD:
      o.passPidfd = n !== 0;
      return 0;
    case SO_PASSRIGHTS:
      o.passRights = n !== 0;
      return 0;
    case SO_RCVLOWAT:
      o.rcvLowat = n < 0 ? 0x7fffffff : n === 0 ? 1 : n;
      return 0;
    case SO_PEEK_OFF:
      o.peekOff = n;
      return 0;
    case SO_BSDCOMPAT:
      return 0;
    case SO_BUF_LOCK:
      if ((n & ~(SNDBUF_LOCK | RCVBUF_LOCK)) !== 0) return -EINVAL;
      o.bufferLocks = n;
      return 0;
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
      return setTimestamping(o, n);
    case SO_TXTIME:
      return setTxtime(o, creds, value);
    case SO_MAX_PACING_RATE:
      o.pacingLow = n >>> 0;
      if (value.byteLength >= 8) o.pacingHigh = value.getUint32(4, true);
      else o.pacingHigh = n === -1 ? 0xffff_ffff : 0;
      return 0;
    default:
      return TIMESTAMPS.has(name) ? setTimestamp(o, name, n) : setNumber(o, creds, name, n);
  }
}

function setNumber(o: SocketOptions, creds: Credentials, name: number, n: number): number {
  const option = numberOptions.get(name);
  if (option === undefined) return -ENOPROTOOPT;
  if (name === SO_DETACH_FILTER && o.numbers.get(SO_LOCK_FILTER) === 1) return -EPERM;
  const err = option.check(n, creds, o.numbers.get(name) ?? option.initial);
  if (err < 0) return err;
  o.numbers.set(name, option.isFlag && n !== 0 ? 1 : n);
  return 0;
}

/** There is no device but the loopback one, to which nothing of these families goes. */
function bindToDevice(value: DataView): number {
  return value.byteLength === 0 || value.getUint8(0) === 0 ? 0 : -ENODEV;
}

function setTimestamp(o: SocketOptions, name: number, n: number): number {
  o.timestamp = n !== 0 ? name : 0;
  return 0;
}

function setTimestamping(o: SocketOptions, n: number): number {
  const has = (bit: number) => (n & bit) !== 0;
  if ((n & ~TIMESTAMPING_MASK) !== 0) return -EINVAL;
  if (has(TIMESTAMPING_OPT_ID_TCP) && !has(TIMESTAMPING_OPT_ID)) return -EINVAL;
  if (has(TIMESTAMPING_OPT_STATS) && !has(TIMESTAMPING_OPT_TSONLY)) return -EINVAL;
  if (has(TIMESTAMPING_BIND_PHC)) return -EOPNOTSUPP;
  o.timestamping = n;
  return 0;
}

function setTxtime(o: SocketOptions, creds: Credentials, value: DataView): number {
  if (value.byteLength !== TXTIME_SIZE) return -EINVAL;
  const clock = value.getInt32(0, true), flags = value.getInt32(4, true);
  if ((flags & ~TXTIME_FLAGS) !== 0) return -EINVAL;
  if (clock !== CLOCK_MONOTONIC && !hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
  if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME && clock !== CLOCK_TAI) return -EINVAL;
  o.txtimeClock = clock;
  o.txtimeFlags = flags;
  return 0;
}

function setLinger(o: SocketOptions, value: DataView): number {
  if (value.byteLength < LINGER_SIZE) return -EINVAL;
  o.lingerOn = value.getInt32(0, true) !== 0 ? 1 : 0;
  if (o.lingerOn === 0) return 0;
  const sec = value.getInt32(4, true);
  o.lingerSec = sec < 0 ? LINGER_FOREVER_SEC : sec;
  return 0;
}

function setTimeout(o: SocketOptions, value: DataView, recv: boolean): number {
  if (value.byteLength < 16) return -EINVAL;
  const sec = getI64(value, 0), usec = getI64(value, 8);
  if (usec < 0 || usec >= 1_000_000) return -EDOM;
  let ns = -1;
  if (sec < 0) ns = 0;
  else if ((sec !== 0 || usec !== 0) && sec < TIMEO_MAX_SEC) ns = sec * 1e9 + usec * 1000;
  if (recv) o.recvTimeoutNs = ns;
  else o.sendTimeoutNs = ns;
  return 0;
}
