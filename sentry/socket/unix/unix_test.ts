import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../../platform/abi/epoll.ts";
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOTCONN,
  EPERM,
  EPIPE,
} from "../../../platform/abi/errno.ts";
import {
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_RD,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../../../platform/abi/socket.ts";
import { initialCredentials } from "../../auth/credentials.ts";
import { newPipe } from "../../fsimpl/pipe/mod.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { Rights } from "../rights.ts";
import { emptyInMessage, NOBODY, outMessage, type SocketCaller } from "../socket.ts";
import { type AnyUnixSocket, newUnixPair, newUnixSocket } from "./mod.ts";

const me = { pid: 10, uid: 0, gid: 0 };
const caller: SocketCaller = {
  creds: initialCredentials(0, 0, [5]),
  pid: 10,
  umask: 0o22,
  walkContext: () => {
    throw new Error("no paths here");
  },
};

function eq(actual: unknown, expected: unknown): void {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  if (a !== b) throw new Error(`got ${a}, want ${b}`);
}
const bytes = (s: string) => new TextEncoder().encode(s);
const abstract = (name: string) => Uint8Array.of(1, 0, 0, ...bytes(name));
function pair(type: number): [AnyUnixSocket, AnyUnixSocket] {
  return newUnixPair(type, 0, me, [], {}) as [AnyUnixSocket, AnyUnixSocket];
}
function make(type: number, ns: object): AnyUnixSocket {
  return newUnixSocket(type, 0, me, ns) as AnyUnixSocket;
}
function send(
  s: AnyUnixSocket,
  data: string | Uint8Array,
  to: Uint8Array | null = null,
  flags = 0,
) {
  const msg = { ...outMessage(me), address: to, caller };
  return s.sendMessage(new KernelSrc(typeof data === "string" ? bytes(data) : data), msg, flags);
}
function recv(s: AnyUnixSocket, n: number, flags = 0, msg = emptyInMessage()): string | number {
  const buf = new Uint8Array(n);
  const dst = new KernelDst(buf);
  const r = s.recvMessage(dst, msg, flags);
  return r < 0 ? r : new TextDecoder().decode(buf.subarray(0, dst.position));
}

Deno.test("a stream joins what was sent and splits it as it is read", () => {
  const [a, b] = pair(SOCK_STREAM);
  eq(send(a, "hello "), 6);
  eq(send(a, "world"), 5);
  eq(recv(b, 3), "hel");
  eq(recv(b, 100), "lo world");
  eq(recv(b, 1), -EAGAIN);
});

Deno.test("a stream is full at its send buffer and writable again at a quarter", () => {
  const [a, b] = pair(SOCK_STREAM);
  const big = new Uint8Array(1 << 20);
  const sent = send(a, big);
  eq(sent >= a.options.sndbuf, true);
  eq(send(a, "x"), -EAGAIN);
  eq(a.readiness() & EPOLLOUT, 0);
  let woken = 0;
  a.queue.add({ mask: EPOLLOUT, wake: () => void woken++ });
  recv(b, sent / 2);
  eq(woken, 0);
  recv(b, sent / 2);
  eq(woken, 1);
});

Deno.test("files end a read, and plain bytes around them do not mix", () => {
  const [a, b] = pair(SOCK_STREAM);
  const [r] = newPipe(0, 0, 0);
  send(a, "ab");
  const msg = { ...outMessage(me), rights: Rights.send([r], 0, 10) as Rights };
  eq(a.sendMessage(new KernelSrc(bytes("cd")), msg, 0), 2);
  eq(msg.rights, null);
  eq(r.refs, 2);
  send(a, "ef");
  const got = emptyInMessage();
  eq(recv(b, 100, 0, got), "abcd");
  eq(got.rights!.length, 1);
  got.rights!.release();
  eq(r.refs, 1);
  eq(recv(b, 100), "ef");
});

Deno.test("files of a message that is never read are released with the socket", () => {
  const [a, b] = pair(SOCK_STREAM);
  const [r] = newPipe(0, 0, 0);
  const msg = { ...outMessage(me), rights: Rights.send([r], 0, 10) as Rights };
  a.sendMessage(new KernelSrc(bytes("x")), msg, 0);
  b.release();
  eq(r.refs, 1);
});

Deno.test("a peek leaves the data and copies the files", () => {
  const [a, b] = pair(SOCK_STREAM);
  const [r] = newPipe(0, 0, 0);
  const msg = { ...outMessage(me), rights: Rights.send([r], 0, 10) as Rights };
  a.sendMessage(new KernelSrc(bytes("xyz")), msg, 0);
  const peeked = emptyInMessage();
  eq(recv(b, 2, MSG_PEEK, peeked), "xy");
  eq(r.refs, 3);
  peeked.rights!.release();
  eq(recv(b, 10), "xyz");
});

Deno.test("readiness of a stream follows shutdown and close", () => {
  const [a, b] = pair(SOCK_STREAM);
  eq(a.readiness() & (EPOLLIN | EPOLLOUT | EPOLLHUP), EPOLLOUT);
  eq(b.shutdown(SHUT_WR), 0);
  eq(a.readiness() & (EPOLLIN | EPOLLRDHUP | EPOLLHUP), EPOLLIN | EPOLLRDHUP);
  eq(recv(a, 1), "");
  eq(send(b, "x"), -EPIPE);
  eq(send(a, "x"), 1);
  b.release();
  eq(a.readiness() & (EPOLLHUP | EPOLLERR), EPOLLHUP | EPOLLERR);
  eq(recv(a, 1), -ECONNRESET);
  eq(recv(a, 1), "");
  eq(send(a, "x"), -EPIPE);
});

Deno.test("shutdown for reading makes the peer's writes fail", () => {
  const [a, b] = pair(SOCK_STREAM);
  a.shutdown(SHUT_RD);
  eq(send(b, "x"), -EPIPE);
  eq(recv(a, 1), "");
});

Deno.test("connect, accept and names", () => {
  const ns = {};
  const server = make(SOCK_STREAM, ns);
  const client = make(SOCK_STREAM, ns);
  eq(client.readiness() & (EPOLLOUT | EPOLLHUP), EPOLLOUT | EPOLLHUP);
  eq(client.connect(caller, abstract("s")), -ECONNREFUSED);
  eq(server.listen(caller, 1), -EINVAL);
  eq(server.bind(caller, abstract("s")), 0);
  eq(make(SOCK_STREAM, ns).bind(caller, abstract("s")), -EADDRINUSE);
  eq(client.connect(caller, abstract("s")), -ECONNREFUSED);
  eq(make(SOCK_DGRAM, ns).connect(caller, abstract("s")), -ECONNREFUSED);
  eq(make(SOCK_DGRAM, ns).bind(caller, abstract("s")), 0);
  eq(server.listen(caller, 1), 0);
  eq(server.accept(true), -EAGAIN);
  eq(client.connect(caller, abstract("s")), 0);
  eq(client.connect(caller, abstract("s")), -EISCONN);
  eq(server.readiness() & EPOLLIN, EPOLLIN);
  eq(send(client, "early"), 5);
  const accepted = server.accept(true) as AnyUnixSocket;
  eq(recv(accepted, 10), "early");
  eq([...client.getpeername() as Uint8Array], [...abstract("s")]);
  eq([...accepted.getsockname()], [...abstract("s")]);
  eq([...accepted.getpeername() as Uint8Array], [1, 0]);
  eq(accepted.peerCreds, { pid: 10, uid: 0, gid: 0 });
  eq(accepted.peerGroups, [5]);
});

Deno.test("a full backlog makes connect wait for accept", () => {
  const ns = {};
  const server = make(SOCK_SEQPACKET, ns);
  server.bind(caller, abstract("s"));
  server.listen(caller, 0);
  eq(make(SOCK_SEQPACKET, ns).connect(caller, abstract("s")), 0);
  const late = make(SOCK_SEQPACKET, ns);
  eq(late.connect(caller, abstract("s")), -EAGAIN);
  let woken = 0;
  late.blockedOn.add({ mask: EPOLLOUT, wake: () => void woken++ });
  server.accept(true);
  eq(woken, 1);
  eq(late.connect(caller, abstract("s")), 0);
});

Deno.test("closing a listener resets those who wait in its backlog", () => {
  const ns = {};
  const server = make(SOCK_STREAM, ns);
  server.bind(caller, abstract("s"));
  server.listen(caller, 5);
  const client = make(SOCK_STREAM, ns);
  client.connect(caller, abstract("s"));
  server.release();
  eq(recv(client, 1), -ECONNRESET);
  eq(make(SOCK_STREAM, ns).connect(caller, abstract("s")), -ECONNREFUSED);
});

Deno.test("seqpackets keep their boundaries and say what was cut", () => {
  const [a, b] = pair(SOCK_SEQPACKET);
  eq(send(a, "first"), 5);
  eq(send(a, "second"), 6);
  const msg = emptyInMessage();
  eq(recv(b, 2, 0, msg), "fi");
  eq(msg.flags, MSG_TRUNC);
  eq(recv(b, 10), "second");
  eq(send(a, new Uint8Array(1 << 20)), -EMSGSIZE);
  a.release();
  eq(recv(b, 10), "");
});

Deno.test("datagrams reach named sockets with the sender's name", () => {
  const ns = {};
  const server = make(SOCK_DGRAM, ns), client = make(SOCK_DGRAM, ns);
  server.bind(caller, abstract("d"));
  eq(send(client, "x"), -ENOTCONN);
  eq(send(client, "x", abstract("d")), 1);
  client.bind(caller, abstract("c"));
  eq(send(client, "", abstract("d")), 0);
  const msg = { ...emptyInMessage(), wantsAddress: true };
  eq(recv(server, 10, 0, msg), "x");
  eq([...msg.address!], [...abstract("c")]);
  eq(recv(server, 10), "");
  eq(recv(server, 10), -EAGAIN);
});

Deno.test("a datagram queue is full for strangers, and its readers make room", () => {
  const ns = {};
  const server = make(SOCK_DGRAM, ns), client = make(SOCK_DGRAM, ns);
  server.bind(caller, abstract("d"));
  client.connect(caller, abstract("d"));
  let n = 0;
  while (send(client, "x") === 1) n++;
  eq(n, 11);
  eq(client.readiness() & EPOLLOUT, 0);
  let isWoken = false;
  client.queue.add({ mask: EPOLLOUT, wake: () => void (isWoken = true) });
  recv(server, 1);
  eq(isWoken, true);
  eq(send(client, "x"), 1);
});

Deno.test("a connected datagram socket hears its peer alone", () => {
  const ns = {};
  const a = make(SOCK_DGRAM, ns), b = make(SOCK_DGRAM, ns), c = make(SOCK_DGRAM, ns);
  a.bind(caller, abstract("a"));
  b.bind(caller, abstract("b"));
  a.connect(caller, abstract("b"));
  eq(send(c, "x", abstract("a")), -EPERM);
  eq(send(b, "x", abstract("a")), 1);
  b.release();
  eq(send(a, "x"), -ECONNREFUSED);
  eq(send(a, "x"), -ENOTCONN);
});

Deno.test("credentials come with SO_PASSCRED, and nobody's without", () => {
  const [a, b] = pair(SOCK_STREAM);
  send(a, "1");
  b.options.passCred = true;
  send(a, "2");
  const first = emptyInMessage(), second = emptyInMessage();
  eq(recv(b, 10, 0, first), "1");
  eq(first.creds, NOBODY);
  eq(recv(b, 10, 0, second), "2");
  eq(second.creds, me);
});

Deno.test("autobind gives an abstract name of five digits", () => {
  const s = make(SOCK_STREAM, {});
  eq(s.bind(caller, Uint8Array.of(1, 0)), 0);
  const name = s.getsockname();
  eq(name.length, 8);
  eq(name[2], 0);
});
