/** socket(2) and the calls that name, connect and configure. Messages are in socket_message.ts. */
import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  ENODATA,
  ENOTSOCK,
  ERANGE,
  ERESTARTSYS,
} from "../../platform/abi/errno.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../../platform/abi/epoll.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../../platform/abi/fcntl.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import {
  AF_UNIX,
  SO_BINDTODEVICE,
  SO_PEERGROUPS,
  SO_PEERPIDFD,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_PACKET,
  SOCKADDR_STORAGE_SIZE,
  SOL_SOCKET,
} from "../../platform/abi/socket.ts";
import { BLOCK_INTERRUPTED, BLOCK_TIMEOUT } from "../kernel/block.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { installPeerPidfd } from "../socket/control.ts";
import { getSocketOption, setSocketOption } from "../socket/options.ts";
import { type SocketCaller, SocketImpl, type Ucred, ucredOf } from "../socket/socket.ts";
import { newUnixPair, newUnixSocket } from "../socket/unix/mod.ts";
import { newSocketFile } from "../vfs/anon.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { WaitQueue } from "../wait/queue.ts";
import { installPair } from "./pipe.ts";
import { pollable } from "./poll.ts";
import { deadlineIn, NO_DEADLINE } from "./timeout.ts";

const TYPE_MASK = 0xf;
/** Families Linux has numbers for. */
const AF_MAX = 46;
/** Longest option value that is read from the guest. */
const OPTION_MAX = 256;

/** An open socket and its file. The result of `socketAt` is reused by the next call. */
class SocketRef {
  file!: FileDescription;
  impl!: SocketImpl;
}
const ref = new SocketRef();

/** 0 with the result in the returned object's fields, or -EBADF, -ENOTSOCK. */
export function socketAt(t: Task, fd: number): SocketRef | number {
  const file = pollable(t, fd);
  if (file === null) return -EBADF;
  if (!(file.impl instanceof SocketImpl)) return -ENOTSOCK;
  ref.file = file;
  ref.impl = file.impl;
  return ref;
}

export function ucredOfTask(t: Task): Ucred {
  return ucredOf(t.tg.pid, t.creds.euid, t.creds.egid);
}

export function callerOf(t: Task): SocketCaller {
  return {
    creds: t.creds,
    pid: t.tg.pid,
    umask: t.fs.umask,
    walkContext: () => t.fs.walkContext(t.creds),
  };
}

/**
 * Waits on a socket's queue. Returns 0 when something may have changed, -EAGAIN after SO_*TIMEO, or
 * what an interruption means: a call with a timeout is not restarted.
 */
export async function waitSocket(
  t: Task,
  queue: WaitQueue,
  events: number,
  deadline: number,
  exclusive = false,
): Promise<number> {
  const mask = events | EPOLLERR | EPOLLHUP;
  const why = await t.blocking.wait(queue, mask, deadline, exclusive);
  if (why === BLOCK_TIMEOUT) return -EAGAIN;
  if (why === BLOCK_INTERRUPTED) return deadline < 0 ? -ERESTARTSYS : -EINTR;
  return 0;
}

export function socketDeadline(t: Task, timeoutNs: number): number {
  return timeoutNs < 0 ? NO_DEADLINE : deadlineIn(t, timeoutNs);
}

/** A sockaddr from the guest; -EINVAL, -EFAULT. */
export function copyInAddress(t: Task, addr: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_STORAGE_SIZE) return -EINVAL;
  const out = new Uint8Array(length);
  return length > 0 && t.copyIn(addr, out, 0, length) < 0 ? -EFAULT : out;
}

/** Gives an address to the guest, cut to the length at `lengthAddr`, which becomes the full one. */
export function copyOutAddress(
  t: Task,
  address: Uint8Array,
  addr: number,
  lengthAddr: number,
): number {
  if (t.copyIn(lengthAddr, t.scratch, 0, 4) < 0) return -EFAULT;
  const room = t.scratchView.getInt32(0, true);
  if (room < 0) return -EINVAL;
  const n = Math.min(room, address.length);
  if (n > 0 && t.copyOut(addr, address, 0, n) < 0) return -EFAULT;
  return t.copyOutU32(lengthAddr, address.length);
}

/** The O_* flags of SOCK_CLOEXEC and SOCK_NONBLOCK, or -EINVAL for others. */
function fileFlags(type: number): number {
  const flags = type & ~TYPE_MASK;
  if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  return ((flags & SOCK_CLOEXEC) !== 0 ? O_CLOEXEC : 0) |
    ((flags & SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0);
}

function checkFamily(t: Task, family: number, type: number): number {
  if (family < 0 || family >= AF_MAX) return -EAFNOSUPPORT;
  if ((type & TYPE_MASK) > SOCK_PACKET) return -EINVAL;
  if (family === AF_UNIX) return 0;
  t.kernel.stub(t, `socket of family ${family}`);
  return -EAFNOSUPPORT;
}

function fileOf(t: Task, impl: SocketImpl, flags: number): FileDescription {
  const file = newSocketFile(
    impl,
    flags & O_NONBLOCK,
    t.creds.fsuid,
    t.creds.fsgid,
    impl.protocolName,
  );
  impl.filed(file);
  return file;
}

function installSocket(t: Task, impl: SocketImpl, flags: number): number {
  const file = fileOf(t, impl, flags);
  const fd = t.fdTable.install(file, flags);
  if (fd < 0) file.release();
  return fd;
}

export function socket(t: Task, args: SyscallArguments): SyscallReturn {
  const family = args.i32(0), type = args.i32(1);
  const flags = fileFlags(type);
  if (flags < 0) return flags;
  const err = checkFamily(t, family, type);
  if (err < 0) return err;
  const impl = newUnixSocket(type & TYPE_MASK, args.i32(2), ucredOfTask(t), t.ns.net);
  return typeof impl === "number" ? impl : installSocket(t, impl, flags);
}

export function socketpair(t: Task, args: SyscallArguments): SyscallReturn {
  const family = args.i32(0), type = args.i32(1);
  const flags = fileFlags(type);
  if (flags < 0) return flags;
  const addr = args.addr(3); // Linux writes the numbers there before it makes the sockets.
  if (!t.mm.accessible(addr, 8, PROT_WRITE)) return -EFAULT;
  const err = checkFamily(t, family, type);
  if (err < 0) return err;
  const owner = ucredOfTask(t);
  const pair = newUnixPair(type & TYPE_MASK, args.i32(2), owner, t.creds.groups, t.ns.net);
  if (typeof pair === "number") return pair;
  return installPair(t, fileOf(t, pair[0], flags), fileOf(t, pair[1], flags), flags, addr);
}

export function bind(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const address = copyInAddress(t, args.addr(1), args.i32(2));
  return typeof address === "number" ? address : s.impl.bind(callerOf(t), address);
}

export function listen(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  return typeof s === "number" ? s : s.impl.listen(callerOf(t), args.i32(1));
}

export function connect(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  if (s === -EBADF) return s;
  const address = copyInAddress(t, args.addr(1), args.i32(2));
  if (typeof address === "number") return address;
  if (typeof s === "number") return s;
  const { file, impl } = s;
  const r = impl.connect(callerOf(t), address);
  return r !== -EAGAIN || file.nonblocking ? r : blockConnect(t, file, impl, address);
}

async function blockConnect(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  address: Uint8Array,
): Promise<number> {
  const deadline = socketDeadline(t, impl.options.sendTimeoutNs);
  file.acquire();
  try {
    for (;;) {
      const err = await waitSocket(t, impl.blockedOn, EPOLLOUT, deadline, true);
      if (err < 0) return err;
      const r = impl.connect(callerOf(t), address);
      if (r !== -EAGAIN) return r;
    }
  } finally {
    file.release();
  }
}

export function accept(t: Task, args: SyscallArguments): SyscallReturn {
  return doAccept(t, args.i32(0), args.addr(1), args.addr(2), 0);
}

/** accept4(2). */
export function accept4(t: Task, args: SyscallArguments): SyscallReturn {
  return doAccept(t, args.i32(0), args.addr(1), args.addr(2), args.i32(3));
}

function doAccept(
  t: Task,
  fd: number,
  addr: number,
  lengthAddr: number,
  sockFlags: number,
): SyscallReturn {
  if (pollable(t, fd) === null) return -EBADF;
  const flags = (sockFlags & TYPE_MASK) !== 0 ? -EINVAL : fileFlags(sockFlags);
  if (flags < 0) return flags;
  const s = socketAt(t, fd);
  if (typeof s === "number") return s;
  const { file, impl } = s;
  const made = impl.accept(file.nonblocking);
  if (typeof made !== "number") return finishAccept(t, made, addr, lengthAddr, flags);
  if (made !== -EAGAIN || file.nonblocking) return made;
  return blockAccept(t, file, impl, addr, lengthAddr, flags);
}

async function blockAccept(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  addr: number,
  lengthAddr: number,
  flags: number,
): Promise<number> {
  const deadline = socketDeadline(t, impl.options.recvTimeoutNs);
  file.acquire();
  try {
    for (;;) {
      const err = await waitSocket(t, impl.queue, EPOLLIN, deadline, true);
      if (err < 0) return err;
      const made = impl.accept(file.nonblocking);
      if (typeof made !== "number") return finishAccept(t, made, addr, lengthAddr, flags);
      if (made !== -EAGAIN) return made;
    }
  } finally {
    file.release();
  }
}

function finishAccept(
  t: Task,
  made: SocketImpl,
  addr: number,
  lengthAddr: number,
  flags: number,
): number {
  const fd = installSocket(t, made, flags);
  if (fd < 0 || addr === 0) return fd;
  const name = made.getpeername();
  const err = typeof name === "number" ? name : copyOutAddress(t, name, addr, lengthAddr);
  if (err < 0) t.fdTable.close(fd);
  return err < 0 ? err : fd;
}

export function getsockname(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const name = s.impl.getsockname();
  return typeof name === "number" ? name : copyOutAddress(t, name, args.addr(1), args.addr(2));
}

export function getpeername(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const name = s.impl.getpeername();
  return typeof name === "number" ? name : copyOutAddress(t, name, args.addr(1), args.addr(2));
}

export function shutdown(t: Task, args: SyscallArguments): SyscallReturn {
  const s = socketAt(t, args.i32(0));
  return typeof s === "number" ? s : s.impl.shutdown(args.i32(1));
}

export function setsockopt(t: Task, args: SyscallArguments): SyscallReturn {
  const level = args.i32(1), name = args.i32(2), length = args.i32(4);
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  if (length < 0) return -EINVAL;
  if (level !== SOL_SOCKET) return s.impl.setOption(level, name);
  if (length < 4 && name !== SO_BINDTODEVICE) return -EINVAL;
  const value = new Uint8Array(Math.min(length, OPTION_MAX));
  if (value.length > 0 && t.copyIn(args.addr(3), value, 0, value.length) < 0) return -EFAULT;
  return setSocketOption(s.impl, t.creds, name, new DataView(value.buffer));
}

export function getsockopt(t: Task, args: SyscallArguments): SyscallReturn {
  const level = args.i32(1), name = args.i32(2), lengthAddr = args.addr(4);
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  if (t.copyIn(lengthAddr, t.scratch, 0, 4) < 0) return -EFAULT;
  const room = t.scratchView.getInt32(0, true);
  if (room < 0 && level === SOL_SOCKET) return -EINVAL;
  if (level === SOL_SOCKET && name === SO_PEERPIDFD) {
    return getPeerPidfd(t, s.impl, args.addr(3), room, lengthAddr);
  }
  const value = level === SOL_SOCKET
    ? getSocketOption(s.impl, name, room)
    : s.impl.getOption(level, name);
  if (typeof value === "number") return value;
  if (level === SOL_SOCKET && name === SO_PEERGROUPS && room < value.length) {
    const err = t.copyOutU32(lengthAddr, value.length);
    return err < 0 ? err : -ERANGE;
  }
  const n = Math.min(room, value.length);
  if (n > 0 && t.copyOut(args.addr(3), value, 0, n) < 0) return -EFAULT;
  return t.copyOutU32(lengthAddr, n);
}

function getPeerPidfd(
  t: Task,
  impl: SocketImpl,
  addr: number,
  room: number,
  lengthAddr: number,
): number {
  const { pid } = impl.peerCreds;
  if (pid === 0) return -ENODATA;
  const fd = installPeerPidfd(t, pid);
  if (fd < 0) return fd;
  const n = Math.min(room, 4);
  t.scratchView.setInt32(0, fd, true);
  if (t.copyOut(addr, t.scratch, 0, n) < 0 || t.copyOutU32(lengthAddr, n) < 0) {
    t.fdTable.close(fd);
    return -EFAULT;
  }
  return 0;
}

export const rows: SyscallRow[] = [
  [41, "socket", socket, PARTIAL, "AF_UNIX only"],
  [42, "connect", connect, FULL],
  [43, "accept", accept, FULL],
  [48, "shutdown", shutdown, FULL],
  [49, "bind", bind, FULL],
  [50, "listen", listen, FULL],
  [51, "getsockname", getsockname, FULL],
  [52, "getpeername", getpeername, FULL],
  [53, "socketpair", socketpair, FULL],
  [54, "setsockopt", setsockopt, PARTIAL, "socket filters are refused"],
  [55, "getsockopt", getsockopt, FULL],
  [288, "accept4", accept4, FULL],
];
