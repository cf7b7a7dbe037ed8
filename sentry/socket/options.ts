/** Options of SOL_SOCKET that every socket stores: socket(7). */
import { EACCES, EDOM, EINVAL, ENOPROTOOPT, EPERM } from "../../platform/abi/errno.ts";
import { getI64, setI64 } from "../../platform/abi/bytes.ts";
import {
  LINGER_SIZE,
  SO_ACCEPTCONN,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_BSDCOMPAT,
  SO_BUSY_POLL,
  SO_COOKIE,
  SO_DEBUG,
  SO_DOMAIN,
  SO_DONTROUTE,
  SO_ERROR,
  SO_INCOMING_NAPI_ID,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_NO_CHECK,
  SO_NOFCS,
  SO_OOBINLINE,
  SO_PASSCRED,
  SO_PASSPIDFD,
  SO_PASSRIGHTS,
  SO_PASSSEC,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERNAME,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVMARK,
  SO_RCVTIMEO_NEW,
  SO_RCVTIMEO_OLD,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO_NEW,
  SO_SNDTIMEO_OLD,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPNS_NEW,
  SO_TIMESTAMPNS_OLD,
  SO_TYPE,
  SO_WIFI_STATUS,
  SO_ZEROCOPY,
} from "../../platform/abi/socket.ts";
import { CAP_NET_ADMIN, CAP_NET_RAW } from "../../platform/abi/capability.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import type { SocketImpl } from "./socket.ts";

/** net.core.wmem_max, rmem_max and their defaults. */
const BUFFER_MAX = 212992;
const SNDBUF_MIN = 4608;
const RCVBUF_MIN = 2304;
const BUFFER_FORCE_MAX = 64 * 1024 * 1024;
/** Longest SO_LINGER, SO_*TIMEO that is kept as a number of seconds; above it never ends. */
const TIMEO_MAX_SEC = 2 ** 31;

/** Flags that are stored and given back and mean nothing to the families there are. */
const STORED = new Set([
  SO_DEBUG,
  SO_REUSEADDR,
  SO_DONTROUTE,
  SO_BROADCAST,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_NO_CHECK,
  SO_REUSEPORT,
  SO_PASSSEC,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPNS_OLD,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPNS_NEW,
  SO_NOFCS,
  SO_SELECT_ERR_QUEUE,
  SO_RCVMARK,
  SO_RXQ_OVFL,
  SO_WIFI_STATUS,
]);

export class SocketOptions {
  sndbuf = BUFFER_MAX;
  rcvbuf = BUFFER_MAX;
  passCred = false;
  passPidfd = false;
  passRights = true;
  lingerOn = 0;
  lingerSec = 0;
  rcvLowat = 1;
  priority = 0;
  mark = 0;
  peekOff = -1;
  /** -1: no limit. */
  recvTimeoutNs = -1;
  sendTimeoutNs = -1;
  readonly stored = new Map<number, number>();

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

/** getsockopt(2) of SOL_SOCKET: the value's bytes (the caller cuts them to the guest's length). */
export function getSocketOption(s: SocketImpl, name: number): Uint8Array | number {
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
    case SO_PRIORITY:
      return int32(o.priority);
    case SO_MARK:
      return int32(o.mark);
    case SO_PEEK_OFF:
      return int32(o.peekOff);
    case SO_BSDCOMPAT:
    case SO_INCOMING_NAPI_ID:
    case SO_ZEROCOPY:
    case SO_BUSY_POLL:
      return int32(0);
    case SO_BINDTODEVICE:
      return new Uint8Array(0);
    default:
      return STORED.has(name) ? int32(o.stored.get(name) ?? 0) : getWideOption(s, name);
  }
}

function getWideOption(s: SocketImpl, name: number): Uint8Array | number {
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
    case SO_COOKIE:
      setI64(v, 0, s.cookie);
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
      if (groups === null) return -ENOPROTOOPT;
      return new Uint8Array(Uint32Array.from(groups).buffer);
    }
    case SO_PEERNAME:
      return s.getpeername();
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
  if (name === SO_LINGER) return setLinger(o, value);
  if (name === SO_BINDTODEVICE) return 0;
  if (value.byteLength < 4) return -EINVAL;
  const n = value.getInt32(0, true);
  switch (name) {
    case SO_SNDBUF:
      o.sndbuf = Math.max(SNDBUF_MIN, 2 * Math.min(n >>> 0, BUFFER_MAX));
      s.sendBufferChanged();
      return 0;
    case SO_RCVBUF:
      o.rcvbuf = Math.max(RCVBUF_MIN, 2 * Math.min(n >>> 0, BUFFER_MAX));
      return 0;
    case SO_SNDBUFFORCE:
      if (!hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      o.sndbuf = Math.min(BUFFER_FORCE_MAX, Math.max(SNDBUF_MIN, 2 * Math.max(0, n)));
      s.sendBufferChanged();
      return 0;
    case SO_RCVBUFFORCE:
      if (!hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      o.rcvbuf = Math.min(BUFFER_FORCE_MAX, Math.max(RCVBUF_MIN, 2 * Math.max(0, n)));
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
    case SO_PRIORITY:
      if ((n < 0 || n > 6) && !hasCapability(creds, CAP_NET_ADMIN)) return -EPERM;
      o.priority = n;
      return 0;
    case SO_MARK:
      if (!mayMark(creds)) return -EPERM;
      o.mark = n;
      return 0;
    case SO_PEEK_OFF:
      o.peekOff = n;
      return 0;
    case SO_BSDCOMPAT:
      return 0;
    default:
      return setStored(s, creds, name, n);
  }
}

function mayMark(creds: Credentials): boolean {
  return hasCapability(creds, CAP_NET_ADMIN) || hasCapability(creds, CAP_NET_RAW);
}

function setStored(s: SocketImpl, creds: Credentials, name: number, n: number): number {
  if (!STORED.has(name)) return -ENOPROTOOPT;
  if (name === SO_DEBUG && n !== 0 && !hasCapability(creds, CAP_NET_ADMIN)) return -EACCES;
  if (name === SO_RCVMARK && !mayMark(creds)) return -EPERM;
  s.options.stored.set(name, n !== 0 ? 1 : 0);
  return 0;
}

function setLinger(o: SocketOptions, value: DataView): number {
  if (value.byteLength < LINGER_SIZE) return -EINVAL;
  o.lingerOn = value.getInt32(0, true) !== 0 ? 1 : 0;
  if (o.lingerOn !== 0) o.lingerSec = value.getInt32(4, true);
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
