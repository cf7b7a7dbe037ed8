/** send(2), recv(2) and their families. */
import { EAGAIN, EFAULT, EINVAL, EMSGSIZE, ENOBUFS, EPIPE } from "../../platform/abi/errno.ts";
import { EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../platform/abi/epoll.ts";
import { IOV_MAX, MAX_RW_COUNT, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import { SIGPIPE } from "../../platform/abi/signal.ts";
import {
  getMsghdr,
  MMSGHDR_OFF_LEN,
  MMSGHDR_SIZE,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_OOB,
  MSG_PEEK,
  MSG_WAITALL,
  MSG_WAITFORONE,
  type Msghdr,
  MSGHDR_OFF_CONTROL_LEN,
  MSGHDR_OFF_FLAGS,
  MSGHDR_OFF_NAME_LEN,
  MSGHDR_SIZE,
  SOCKADDR_STORAGE_SIZE,
} from "../../platform/abi/socket.ts";
import { raiseSignal } from "../kernel/signal.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { userDstIov, userSrcIov } from "../mm/usermem.ts";
import { buildControl, parseControl, salvageControl } from "../socket/control.ts";
import {
  emptyInMessage,
  type InMessage,
  type OutMessage,
  outMessage,
  type SocketImpl,
} from "../socket/socket.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { IoDst, IoSrc } from "../vfs/io.ts";
import {
  callerOf,
  copyInAddress,
  copyOutAddress,
  socketAt,
  socketDeadline,
  ucredOfTask,
  waitSocket,
} from "./socket.ts";
import { deadlineFromTimespec } from "./timeout.ts";

/** Linux's MSG_CMSG_COMPAT, which a guest may not set. */
const MSG_CMSG_COMPAT = 0x8000_0000;
/** net.core.optmem_max. */
const CONTROL_MAX = 131072;

export function sendto(t: Task, args: SyscallArguments): SyscallReturn {
  const count = bufferLength(args);
  if (count < 0) return count;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const { file, impl } = s;
  const msg = outMessage(ucredOfTask(t));
  const addr = args.addr(4);
  if (addr !== 0) {
    const err = setAddress(t, msg, addr, args.i32(5));
    if (err < 0) return err;
  }
  const src = t.userSrc(args.addr(1), count);
  return send(t, file, impl, src, msg, args.i32(3));
}

/** What is to be moved of the buffer in the second and third argument; -EFAULT. */
function bufferLength(args: SyscallArguments): number {
  const count = Math.min(args.addr(2), MAX_RW_COUNT);
  return args.addr(1) + count > TASK_SIZE_MAX ? -EFAULT : count;
}

function setAddress(t: Task, msg: OutMessage, addr: number, length: number): number {
  const address = copyInAddress(t, addr, length);
  if (typeof address === "number") return address;
  if (length > 0) {
    msg.address = address;
    msg.caller = callerOf(t);
  }
  return 0;
}

export function sendmsg(t: Task, args: SyscallArguments): SyscallReturn {
  if ((args.i32(2) & MSG_CMSG_COMPAT) !== 0) return -EINVAL;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  return sendOne(t, s.file, s.impl, args.addr(1), args.i32(2));
}

function sendOne(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  hdrAddr: number,
  flags: number,
): SyscallReturn {
  const hdr = copyInMsghdr(t, hdrAddr);
  if (typeof hdr === "number") return hdr;
  const msg = outMessage(ucredOfTask(t));
  if (hdr.nameLen > 0) {
    const err = setAddress(t, msg, hdr.nameAddr, Math.min(hdr.nameLen, SOCKADDR_STORAGE_SIZE));
    if (err < 0) return err;
  }
  if (hdr.iovCount > IOV_MAX) return -EMSGSIZE;
  const src = userSrcIov(t, hdr.iovAddr, hdr.iovCount);
  if (typeof src === "number") return src;
  if (hdr.controlLen > 0) {
    if (hdr.controlLen > CONTROL_MAX) return -ENOBUFS;
    const control = new Uint8Array(hdr.controlLen);
    if (t.copyIn(hdr.controlAddr, control, 0, control.length) < 0) return -EFAULT;
    let err = impl.refuseToSend();
    if (err === 0) err = parseControl(t, control, msg);
    if (err < 0) return err;
  }
  return send(t, file, impl, src, msg, flags);
}

/** A msghdr, whose name has the length 0 where there is none. */
function copyInMsghdr(t: Task, addr: number): Msghdr | number {
  if (t.copyIn(addr, t.scratch, 0, MSGHDR_SIZE) < 0) return -EFAULT;
  const hdr = getMsghdr(t.scratchView, 0);
  if (hdr.nameAddr === 0) hdr.nameLen = 0;
  return hdr.nameLen > 0x7fffffff ? -EINVAL : hdr;
}

/** Sends; waits for room unless told not to. Drops the files of a message that was not sent. */
function send(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  src: IoSrc,
  msg: OutMessage,
  flags: number,
): SyscallReturn {
  const n = impl.sendMessage(src, msg, flags);
  const mayWait = !file.nonblocking && (flags & MSG_DONTWAIT) === 0;
  const isPartial = n > 0 && impl.isStream && src.remaining > 0;
  if (mayWait && (n === -EAGAIN || isPartial)) {
    return blockSend(t, file, impl, src, msg, flags, Math.max(0, n));
  }
  return finishSend(t, impl, msg, flags, n);
}

function finishSend(
  t: Task,
  impl: SocketImpl,
  msg: OutMessage,
  flags: number,
  n: number,
): number {
  msg.rights?.release();
  if (n === -EPIPE && impl.isStream && (flags & MSG_NOSIGNAL) === 0) raiseSignal(t, SIGPIPE);
  return n;
}

async function blockSend(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  src: IoSrc,
  msg: OutMessage,
  flags: number,
  sent: number,
): Promise<number> {
  const deadline = socketDeadline(t, impl.options.sendTimeoutNs);
  file.acquire();
  try {
    let queue = sent > 0 ? impl.queue : impl.blockedOn;
    for (;;) {
      const err = await waitSocket(t, queue, EPOLLOUT, deadline);
      const n = err < 0 ? err : impl.sendMessage(src, msg, flags);
      if (n > 0) sent += n;
      if (n > 0 && (!impl.isStream || src.remaining === 0)) return sent;
      if (err < 0 || (n <= 0 && n !== -EAGAIN)) {
        return finishSend(t, impl, msg, flags, sent > 0 ? sent : n);
      }
      queue = n > 0 ? impl.queue : impl.blockedOn;
    }
  } finally {
    file.release();
  }
}

export function recvfrom(t: Task, args: SyscallArguments): SyscallReturn {
  const count = bufferLength(args);
  if (count < 0) return count;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const { file, impl } = s;
  const addr = args.addr(4), lengthAddr = args.addr(5);
  const msg = emptyInMessage();
  msg.wantsAddress = addr !== 0;
  const dst = t.userDst(args.addr(1), count);
  const r = receive(t, file, impl, dst, msg, args.i32(3));
  const finish = (n: number): number => {
    msg.rights?.release(); // Without room for control data the files are lost.
    if (n < 0 || addr === 0) return n;
    const err = copyOutAddress(t, msg.address ?? NO_ADDRESS, addr, lengthAddr);
    return err < 0 ? err : n;
  };
  return typeof r === "number" ? finish(r) : r.then(finish);
}

const NO_ADDRESS = new Uint8Array(0);

export function recvmsg(t: Task, args: SyscallArguments): SyscallReturn {
  if ((args.i32(2) & MSG_CMSG_COMPAT) !== 0) return -EINVAL;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  return receiveOne(t, s.file, s.impl, args.addr(1), args.i32(2));
}

function receiveOne(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  hdrAddr: number,
  flags: number,
): SyscallReturn {
  const hdr = copyInMsghdr(t, hdrAddr);
  if (typeof hdr === "number") return hdr;
  if (hdr.iovCount > IOV_MAX) return -EMSGSIZE;
  const dst = userDstIov(t, hdr.iovAddr, hdr.iovCount);
  if (typeof dst === "number") return dst;
  const msg = emptyInMessage();
  msg.wantsAddress = hdr.nameAddr !== 0;
  const r = receive(t, file, impl, dst, msg, flags);
  if (typeof r === "number") return finishReceive(t, impl, hdr, hdrAddr, msg, flags, r);
  return r.then((n) => finishReceive(t, impl, hdr, hdrAddr, msg, flags, n));
}

function finishReceive(
  t: Task,
  impl: SocketImpl,
  hdr: Msghdr,
  hdrAddr: number,
  msg: InMessage,
  flags: number,
  n: number,
): number {
  if (n < 0) {
    msg.rights?.release();
    return n;
  }
  const controlLen = putControl(t, impl, hdr, msg, flags);
  const v = t.scratchView;
  if (hdr.nameAddr !== 0) {
    const address = msg.address ?? NO_ADDRESS;
    const room = Math.min(hdr.nameLen, address.length);
    if (room > 0 && t.copyOut(hdr.nameAddr, address, 0, room) < 0) return -EFAULT;
    if (t.copyOutU32(hdrAddr + MSGHDR_OFF_NAME_LEN, address.length) < 0) return -EFAULT;
  }
  v.setUint32(0, controlLen, true);
  v.setUint32(4, 0, true);
  v.setInt32(8, msg.flags | (flags & MSG_CMSG_CLOEXEC), true);
  const at = hdrAddr + MSGHDR_OFF_CONTROL_LEN;
  const size = MSGHDR_OFF_FLAGS + 4 - MSGHDR_OFF_CONTROL_LEN;
  return t.copyOut(at, t.scratch, 0, size) < 0 ? -EFAULT : n;
}

/** Returns the bytes of control data given to the guest. */
function putControl(
  t: Task,
  impl: SocketImpl,
  hdr: Msghdr,
  msg: InMessage,
  flags: number,
): number {
  const { options } = impl;
  if (msg.isEnd || (!options.wantsCreds && msg.rights === null && msg.time === null)) return 0;
  if (hdr.controlAddr === 0 || hdr.controlLen === 0) {
    msg.flags |= MSG_CTRUNC;
    msg.rights?.release();
    return 0;
  }
  const out = new Uint8Array(2048);
  const room = Math.min(hdr.controlLen, out.length);
  const used = buildControl(t, msg, options, flags, out, room);
  if (used === 0 || t.copyOut(hdr.controlAddr, out, 0, used) === 0) return used;
  return salvageControl(t, hdr.controlAddr, out, used, msg);
}

/** Receives; waits for data unless told not to, for all of it with MSG_WAITALL. */
function receive(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  dst: IoDst,
  msg: InMessage,
  flags: number,
): SyscallReturn {
  const want = dst.remaining;
  if (file.nonblocking) flags |= MSG_DONTWAIT;
  const n = impl.recvMessage(dst, msg, flags);
  if ((flags & MSG_DONTWAIT) !== 0) return n;
  if (n === -EAGAIN || (n > 0 && wantsMore(impl, msg, flags, n, want))) {
    return blockReceive(t, file, impl, dst, msg, flags, Math.max(0, n));
  }
  return n;
}

function wantsMore(
  impl: SocketImpl,
  msg: InMessage,
  flags: number,
  got: number,
  want: number,
): boolean {
  if (!impl.isStream || msg.rights !== null || (flags & (MSG_PEEK | MSG_OOB)) !== 0) return false;
  // What is left belongs to another sender, or there is nothing to come.
  if ((impl.readiness() & EPOLLIN) !== 0) return false;
  return got < ((flags & MSG_WAITALL) !== 0 ? want : Math.min(want, impl.options.rcvLowat));
}

async function blockReceive(
  t: Task,
  file: FileDescription,
  impl: SocketImpl,
  dst: IoDst,
  msg: InMessage,
  flags: number,
  got: number,
): Promise<number> {
  const deadline = socketDeadline(t, impl.options.recvTimeoutNs);
  const want = got + dst.remaining;
  file.acquire();
  try {
    for (;;) {
      const err = await waitSocket(t, impl.queue, EPOLLIN | EPOLLRDHUP, deadline);
      const n = err < 0 ? err : impl.recvMessage(dst, msg, flags);
      if (n > 0) got += n;
      if (n > 0 && !wantsMore(impl, msg, flags, got, want)) return got;
      if (err < 0 || (n <= 0 && n !== -EAGAIN)) return got > 0 ? got : n;
    }
  } finally {
    file.release();
  }
}

/** sendmmsg(2). */
export function sendmmsg(t: Task, args: SyscallArguments): SyscallReturn {
  if ((args.i32(3) & MSG_CMSG_COMPAT) !== 0) return -EINVAL;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const { file, impl } = s;
  const flags = args.i32(3);
  return eachMessage(t, file, args.addr(1), args.u32(2), -1, (at) => {
    return sendOne(t, file, impl, at, flags);
  });
}

/** recvmmsg(2). The timeout is looked at after each message, as the man page's BUGS say. */
export function recvmmsg(t: Task, args: SyscallArguments): SyscallReturn {
  if ((args.i32(3) & MSG_CMSG_COMPAT) !== 0) return -EINVAL;
  const timeoutAddr = args.addr(4);
  const deadline = deadlineFromTimespec(t, timeoutAddr);
  if (deadline < -1) return deadline;
  const s = socketAt(t, args.i32(0));
  if (typeof s === "number") return s;
  const { file, impl } = s;
  let flags = args.i32(3);
  const waitForOne = (flags & MSG_WAITFORONE) !== 0;
  flags &= ~MSG_WAITFORONE;
  const error = impl.takeError();
  if (error !== 0) return -error;
  return eachMessage(t, file, args.addr(1), args.u32(2), deadline, (at, i) => {
    const more = waitForOne && i > 0 ? MSG_DONTWAIT : 0;
    return receiveOne(t, file, impl, at, flags | more);
  });
}

/** Calls `one` for each mmsghdr until it fails; returns how many it did, or the first's error. */
function eachMessage(
  t: Task,
  file: FileDescription,
  vecAddr: number,
  count: number,
  deadline: number,
  one: (hdrAddr: number, index: number) => SyscallReturn,
): SyscallReturn {
  const n = Math.min(count, IOV_MAX);
  const done = (i: number, r: number): number => {
    if (r >= 0 && t.copyOutU32(vecAddr + i * MMSGHDR_SIZE + MMSGHDR_OFF_LEN, r) < 0) r = -EFAULT;
    if (r < 0) return i > 0 ? i : r;
    return deadline >= 0 && t.kernel.nowMonoNs() >= deadline ? i + 1 : CONTINUE;
  };
  for (let i = 0; i < n; i++) {
    const r = one(vecAddr + i * MMSGHDR_SIZE, i);
    if (typeof r !== "number") return restOfMessages(file, vecAddr, n, i, r, one, done);
    const end = done(i, r);
    if (end !== CONTINUE) return end;
  }
  return n;
}

/** Above every result. */
const CONTINUE = 2 ** 31;

async function restOfMessages(
  file: FileDescription,
  vecAddr: number,
  n: number,
  first: number,
  pending: SyscallReturn,
  one: (hdrAddr: number, index: number) => SyscallReturn,
  done: (i: number, r: number) => number,
): Promise<number> {
  file.acquire();
  try {
    for (let i = first;;) {
      const end = done(i, await pending);
      if (end !== CONTINUE) return end;
      if (++i === n) return n;
      pending = one(vecAddr + i * MMSGHDR_SIZE, i);
    }
  } finally {
    file.release();
  }
}

export const rows: SyscallRow[] = [
  [44, "sendto", sendto, FULL],
  [45, "recvfrom", recvfrom, FULL],
  [46, "sendmsg", sendmsg, FULL],
  [47, "recvmsg", recvmsg, FULL],
  [299, "recvmmsg", recvmmsg, FULL],
  [307, "sendmmsg", sendmmsg, FULL],
];
