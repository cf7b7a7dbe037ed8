/** Sockets: addresses, options, messages. */
import * as inet from "../../platform/abi/in.ts";
import * as socket from "../../platform/abi/socket.ts";
import { AF_INET, AF_INET6, AF_UNIX, SCM_RIGHTS, SOL_SOCKET } from "../../platform/abi/socket.ts";
import { SOCKADDR_UN_SIZE } from "../../platform/abi/un.ts";
import { type Call, pointer, quote } from "./call.ts";
import {
  type Argument,
  filled,
  given,
  int32,
  named,
  showBoxed,
  type Struct,
  structIn,
  structOut,
} from "./arguments.ts";
import { showIovec } from "./file_arguments.ts";
import { choiceAndFlags, choiceOf, flagsOf, namesOf } from "./names.ts";
import { timeval } from "./time_arguments.ts";

const decimal = (n: number) => `${n}`;
const families = choiceOf(namesOf(socket, /^AF_(?!LOCAL|FILE|ROUTE)/), decimal);
export const family = named(families);
const socketFlags = flagsOf(namesOf(socket, /^SOCK_(CLOEXEC|NONBLOCK)$/));
const socketTypes = choiceOf(
  namesOf(socket, /^SOCK_(STREAM|DGRAM|RAW|RDM|SEQPACKET|DCCP|PACKET)$/),
);
export const socketType = named(choiceAndFlags(0xf, socketTypes, socketFlags));
export const acceptFlags = named(socketFlags);
const protocols = choiceOf(namesOf(inet, /^IPPROTO_(?!HOPOPTS)/), decimal);
export const protocol = given((c, i) => {
  const isInet = [AF_INET, AF_INET6].includes(c.args.i32(0));
  return isInet ? protocols(c.args.i32(i)) : `${c.args.i32(i)}`;
});
export const shutdownHow = named(choiceOf(namesOf(socket, /^SHUT_/)));
const messageFlags = flagsOf(namesOf(socket, /^MSG_(?!TRYHARD)/));
export const sendFlags = named(messageFlags);

// --- Addresses --------------------------------------------------------------------------------------

const ADDRESS_MAX = 128;

function showAddress(c: Call, addr: number, length: number): string {
  const bytes = length < 2 ? null : c.bytes(addr, Math.min(length, ADDRESS_MAX));
  if (bytes === null) return pointer(addr);
  const v = new DataView(bytes.buffer);
  const family = v.getUint16(0, true);
  switch (family) {
    case AF_UNIX:
      return `{sa_family=AF_UNIX${unixName(bytes.subarray(2, SOCKADDR_UN_SIZE))}}`;
    case AF_INET:
      if (length < inet.SOCKADDR_IN_SIZE) break;
      return `{sa_family=AF_INET, sin_port=htons(${v.getUint16(2)}), ` +
        `sin_addr=inet_addr("${bytes.subarray(4, 8).join(".")}")}`;
    case AF_INET6: {
      if (length < inet.SOCKADDR_IN6_SIZE) break;
      const groups = Array.from({ length: 8 }, (_, n) => v.getUint16(8 + 2 * n).toString(16));
      return `{sa_family=AF_INET6, sin6_port=htons(${v.getUint16(2)}), ` +
        `sin6_addr="${groups.join(":")}"}`;
    }
  }
  return `{sa_family=${families(family)}, sa_data=${quote(bytes.subarray(2))}}`;
}

/** A path, or "@" and the bytes of an abstract name; nothing when the socket has no name. */
function unixName(name: Uint8Array): string {
  if (name.length === 0) return "";
  if (name[0] === 0) return `, sun_path=@${quote(name.subarray(1))}`;
  const end = name.indexOf(0);
  return `, sun_path=${quote(end < 0 ? name : name.subarray(0, end))}`;
}

/** Argument `n` is its length. */
export const addressIn = (n: number) =>
  given((c, i) => showAddress(c, c.args.addr(i), c.args.u32(n)));
/** The argument behind it points to its length. */
export const addressOut = filled((c, i) => {
  const length = c.i32At(c.args.addr(i + 1));
  return showAddress(c, c.args.addr(i), length ?? 0);
});
export const lengthOut = filled((c, i) => showBoxed(c, c.args.addr(i), int32));

// --- Options ----------------------------------------------------------------------------------------

const levels = choiceOf([
  ...namesOf(socket, /^SOL_(?!RAW)/),
  ...namesOf(inet, /^IPPROTO_(IP|TCP|UDP|IPV6)$/).map(({ name, value }) => ({
    name: name.replace("IPPROTO", "SOL"),
    value,
  })),
], decimal);
export const level = named(levels);
const options = choiceOf(
  namesOf(socket, /^SO_(?!GET_FILTER|DETACH_BPF|TIMESTAMP(NS|ING)?_OLD|(RCV|SND)TIMEO_OLD)/),
  decimal,
);
export const option = given((c, i) =>
  c.args.i32(i - 1) === SOL_SOCKET ? options(c.args.i32(i)) : `${c.args.i32(i)}`
);

const ucred: Struct = {
  size: socket.UCRED_SIZE,
  show: (v, off) => {
    const u = socket.getUcred(v, off);
    return `{pid=${u.pid}, uid=${u.uid}, gid=${u.gid}}`;
  },
};
const linger: Struct = {
  size: socket.LINGER_SIZE,
  show: (v, off) => {
    const l = socket.getLinger(v, off);
    return `{l_onoff=${l.onoff}, l_linger=${l.lingerSec}}`;
  },
};

function showOption(c: Call, i: number, length: number): string {
  const addr = c.args.addr(i);
  const isSocket = c.args.i32(1) === SOL_SOCKET;
  const name = isSocket ? c.args.i32(2) : -1;
  const type = name === socket.SO_PEERCRED
    ? ucred
    : name === socket.SO_LINGER
    ? linger
    : name === socket.SO_RCVTIMEO || name === socket.SO_SNDTIMEO
    ? timeval
    : null;
  if (type !== null && length >= type.size) {
    const v = c.view(addr, type.size);
    return v === null ? pointer(addr) : type.show(v, 0, c);
  }
  if (length === 4) return showBoxed(c, addr, int32);
  const bytes = c.bytes(addr, Math.min(length, ADDRESS_MAX));
  return bytes === null ? pointer(addr) : quote(bytes);
}
export const optionIn = given((c, i) => showOption(c, i, c.args.u32(i + 1)));
export const optionOut = filled((c, i) => showOption(c, i, c.i32At(c.args.addr(i + 1)) ?? 0));

// --- Messages ---------------------------------------------------------------------------------------

const controlTypes = choiceOf(
  namesOf(socket, /^SCM_(RIGHTS|CREDENTIALS|SECURITY|PIDFD)$/),
  decimal,
);

function showControl(c: Call, addr: number, length: number): string {
  const bytes = c.bytes(addr, Math.min(length, 4096));
  if (bytes === null) return pointer(addr);
  const v = new DataView(bytes.buffer);
  const parts: string[] = [];
  for (let at = 0; at + socket.CMSGHDR_SIZE <= bytes.length;) {
    const h = socket.getCmsghdr(v, at);
    if (h.len < socket.CMSGHDR_SIZE || at + h.len > bytes.length) break;
    parts.push(
      `{cmsg_len=${h.len}, cmsg_level=${levels(h.level)}, cmsg_type=${controlTypes(h.type)}` +
        `${controlData(c, v, at + socket.CMSG_DATA_OFF, at + h.len, h.type)}}`,
    );
    at += socket.cmsgAlign(h.len);
  }
  return `[${parts.join(", ")}]`;
}

function controlData(c: Call, v: DataView, from: number, to: number, type: number): string {
  if (type === SCM_RIGHTS) {
    const fds: number[] = [];
    for (let at = from; at + 4 <= to; at += 4) fds.push(v.getInt32(at, true));
    return `, cmsg_data=[${fds.join(", ")}]`;
  }
  if (type === socket.SCM_CREDENTIALS && to - from >= ucred.size) {
    return `, cmsg_data=${ucred.show(v, from, c)}`;
  }
  return "";
}

/** `limit`: how many bytes of the buffers mean something. */
function message(limit: (c: Call) => number): Struct {
  return {
    size: socket.MSGHDR_SIZE,
    show: (v, off, c) => {
      const m = socket.getMsghdr(v, off);
      const name = m.nameAddr === 0 ? "NULL" : showAddress(c, m.nameAddr, m.nameLen);
      const control = m.controlAddr === 0 || m.controlLen === 0
        ? ""
        : `, msg_control=${showControl(c, m.controlAddr, m.controlLen)}`;
      return `{msg_name=${name}, msg_namelen=${m.nameLen}, ` +
        `msg_iov=${showIovec(c, m.iovAddr, m.iovCount, limit(c))}, msg_iovlen=${m.iovCount}` +
        `${control}, msg_controllen=${m.controlLen}, msg_flags=${messageFlags(m.flags)}}`;
    },
  };
}
export const messageIn = structIn(message(() => Number.MAX_SAFE_INTEGER));
export const messageOut = structOut(message((c) => c.result));

function messages(limit: "all" | "result"): Argument {
  const show = (c: Call, i: number) => {
    const addr = c.args.addr(i);
    const count = limit === "all" ? c.args.u32(i + 1) : c.result;
    const shown: string[] = [];
    for (let n = 0; n < Math.min(count, 8); n++) {
      const v = c.view(addr + n * socket.MMSGHDR_SIZE, socket.MMSGHDR_SIZE);
      if (v === null) return pointer(addr);
      const length = v.getUint32(socket.MMSGHDR_OFF_LEN, true);
      const limitOf = () => limit === "all" ? Number.MAX_SAFE_INTEGER : length;
      const tail = limit === "all" ? "" : `, msg_len=${length}`;
      shown.push(`{msg_hdr=${message(limitOf).show(v, 0, c)}${tail}}`);
    }
    if (count > shown.length) shown.push("...");
    return `[${shown.join(", ")}]`;
  };
  return limit === "all" ? given(show) : filled(show);
}
export const messagesIn = messages("all");
export const messagesOut = messages("result");
