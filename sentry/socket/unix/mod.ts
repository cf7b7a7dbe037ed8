/** AF_UNIX: unix(7). */
import { EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../../../platform/abi/errno.ts";
import {
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../../../platform/abi/socket.ts";
import type { Ucred } from "../socket.ts";
import { abstractNames } from "./address.ts";
import { UnixDgram } from "./dgram.ts";
import { UnixSeqpacket } from "./seqpacket.ts";
import { UnixStream } from "./stream.ts";

export type AnyUnixSocket = UnixStream | UnixSeqpacket | UnixDgram;

export function newUnixSocket(
  type: number,
  protocol: number,
  owner: Ucred,
  netNs: object,
): AnyUnixSocket | number {
  if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
  const names = abstractNames(netNs);
  switch (type) {
    case SOCK_STREAM:
      return new UnixStream(owner, names);
    case SOCK_SEQPACKET:
      return new UnixSeqpacket(owner, names);
    case SOCK_RAW: // Linux makes a datagram socket of it.
    case SOCK_DGRAM:
      return new UnixDgram(owner, names);
    default:
      return -ESOCKTNOSUPPORT;
  }
}

/** socketpair(2): two sockets connected to each other. */
export function newUnixPair(
  type: number,
  protocol: number,
  owner: Ucred,
  groups: readonly number[],
  netNs: object,
): [AnyUnixSocket, AnyUnixSocket] | number {
  const a = newUnixSocket(type, protocol, owner, netNs);
  if (typeof a === "number") return a;
  const b = newUnixSocket(type, protocol, owner, netNs) as AnyUnixSocket;
  if (a instanceof UnixDgram) a.pairWith(b as UnixDgram, groups);
  else a.pairWith(b as UnixStream | UnixSeqpacket, groups);
  return [a, b];
}
