/** Control messages of sendmsg(2) and recvmsg(2): cmsg(3), unix(7). */
import {
  CAP_SETGID,
  CAP_SETUID,
  CAP_SYS_ADMIN,
  CAP_SYS_RESOURCE,
} from "../../platform/abi/capability.ts";
import { EBADF, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import { O_CLOEXEC } from "../../platform/abi/fcntl.ts";
import { getU64, setI64 } from "../../platform/abi/bytes.ts";
import { TIMESPEC_SIZE } from "../../platform/abi/time.ts";
import { RLIMIT_NOFILE } from "../../platform/abi/resource.ts";
import {
  CMSG_DATA_OFF,
  cmsgAlign,
  CMSGHDR_OFF_LEVEL,
  CMSGHDR_OFF_TYPE,
  CMSGHDR_SIZE,
  cmsgLen,
  cmsgSpace,
  getUcred,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  putCmsghdr,
  putUcred,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_PIDFD,
  SCM_RIGHTS,
  SO_TIMESTAMPNS_NEW,
  SO_TIMESTAMPNS_OLD,
  SOL_SOCKET,
  UCRED_SIZE,
} from "../../platform/abi/socket.ts";
import { hasCapability } from "../auth/credentials.ts";
import { installPidfd } from "../kernel/pidfd.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { SocketOptions } from "./options.ts";
import { Rights } from "./rights.ts";
import type { InMessage, OutMessage, Ucred } from "./socket.ts";

/** Who a stream's end comes from: what Linux leaves cleared. */
const NO_SENDER: Ucred = { pid: 0, uid: 0, gid: 0 };
/** Of no user and no group: (uid_t)-1. */
const NO_ID = 0xffff_ffff;

/** Reads the control data of a message to be sent into `msg`. Returns 0 or -errno, then without rights. */
export function parseControl(t: Task, control: Uint8Array, msg: OutMessage): number {
  const v = new DataView(control.buffer, control.byteOffset, control.length);
  const files: FileDescription[] = [];
  let hasRights = false;
  for (let at = 0; at + CMSGHDR_SIZE <= control.length;) {
    const length = getU64(v, at);
    if (length < CMSGHDR_SIZE || length > control.length - at) return -EINVAL;
    if (v.getInt32(at + CMSGHDR_OFF_LEVEL, true) === SOL_SOCKET) {
      const type = v.getInt32(at + CMSGHDR_OFF_TYPE, true);
      let err = -EINVAL;
      if (type === SCM_RIGHTS) {
        hasRights = true;
        err = collectFiles(t, v, at + CMSG_DATA_OFF, length - CMSGHDR_SIZE, files);
      } else if (type === SCM_CREDENTIALS && length === cmsgLen(UCRED_SIZE)) {
        err = checkCreds(t, msg, getUcred(v, at + CMSG_DATA_OFF));
      }
      if (err < 0) return err;
    }
    at += cmsgAlign(length);
  }
  if (!hasRights || files.length === 0) return 0;
  const privileged = hasCapability(t.creds, CAP_SYS_RESOURCE) ||
    hasCapability(t.creds, CAP_SYS_ADMIN);
  const limit = privileged ? Infinity : t.tg.limits.cur[RLIMIT_NOFILE];
  const rights = Rights.send(files, t.creds.ruid, limit);
  if (typeof rights === "number") return rights;
  msg.rights = rights;
  return 0;
}

function collectFiles(
  t: Task,
  v: DataView,
  off: number,
  length: number,
  files: FileDescription[],
): number {
  const n = Math.floor(length / 4);
  if (files.length + n > SCM_MAX_FD) return -EINVAL;
  for (let i = 0; i < n; i++) {
    const file = t.fdTable.get(v.getInt32(off + 4 * i, true));
    if (file === null) return -EBADF;
    files.push(file);
  }
  return 0;
}

/** A process may give its own ids, a privileged one any that are some process's. */
function checkCreds(t: Task, msg: OutMessage, given: Ucred): number {
  const c = t.creds;
  if (given.uid === NO_ID || given.gid === NO_ID) return -EINVAL;
  const pidOk = given.pid === t.tg.pid || hasCapability(c, CAP_SYS_ADMIN);
  const uidOk = given.uid === c.ruid || given.uid === c.euid || given.uid === c.suid ||
    hasCapability(c, CAP_SETUID);
  const gidOk = given.gid === c.rgid || given.gid === c.egid || given.gid === c.sgid ||
    hasCapability(c, CAP_SETGID);
  if (!pidOk || !uidOk || !gidOk) return -EPERM;
  const { tasks, processGroups } = t.kernel;
  if (!tasks.has(given.pid) && !processGroups.has(given.pid)) return -ESRCH;
  msg.creds = given;
  msg.credsExplicit = true;
  return 0;
}

/**
 * Writes what was received into `room` bytes of control data: `out` has at least that many. Gives the
 * files numbers. Returns the bytes used; `msg.flags` gets MSG_CTRUNC when something did not fit.
 */
export function buildControl(
  t: Task,
  msg: InMessage,
  options: SocketOptions,
  flags: number,
  out: Uint8Array,
  room: number,
): number {
  const v = new DataView(out.buffer, out.byteOffset, out.length);
  let used = 0;
  if (msg.time !== null) used = putTime(v, msg, options.timestamp, room);
  if (options.passCred) used = putCreds(v, msg, used, room);
  if (msg.rights !== null) used = putRights(t, v, msg, flags, used, room);
  if (options.passPidfd) used = putPidfd(t, v, msg, used, room);
  return used;
}

/**
 * Gives the guest what can be written of the `used` bytes that buildControl made; takes the descriptors back of
 * which it cannot be told. What cannot be written is no error (Linux: put_cmsg's result is not looked at).
 */
export function salvageControl(
  t: Task,
  addr: number,
  out: Uint8Array,
  used: number,
  msg: InMessage,
): number {
  const v = new DataView(out.buffer, out.byteOffset, out.length);
  let given = 0;
  for (let at = 0; at < used;) {
    const length = getU64(v, at);
    const next = Math.min(used, at + cmsgAlign(length));
    const type = v.getInt32(at + CMSGHDR_OFF_TYPE, true);
    if (type === SCM_RIGHTS) {
      given += salvageRights(t, v, at, length, addr + given, msg);
    } else if (t.copyOut(addr + given, out, at, at + length) === 0) {
      given += next - at;
    } else if (type === SCM_PIDFD) {
      t.fdTable.close(v.getInt32(at + CMSG_DATA_OFF, true));
    }
    at = next;
  }
  return given;
}

/** Numbers first, one by one, then the header (Linux: scm_detach_fds). Returns the bytes given at `addr`. */
function salvageRights(
  t: Task,
  v: DataView,
  at: number,
  length: number,
  addr: number,
  msg: InMessage,
): number {
  const count = (length - CMSGHDR_SIZE) / 4;
  let n = 0;
  while (n < count) {
    const fd = v.getInt32(at + CMSG_DATA_OFF + 4 * n, true);
    if (t.copyOutU32(addr + CMSG_DATA_OFF + 4 * n, fd) < 0) break;
    n++;
  }
  for (let i = n; i < count; i++) t.fdTable.close(v.getInt32(at + CMSG_DATA_OFF + 4 * i, true));
  if (n < count) msg.flags |= MSG_CTRUNC;
  if (n === 0) return 0;
  putCmsghdr(v, at, cmsgLen(4 * n), SOL_SOCKET, SCM_RIGHTS);
  const header = new Uint8Array(v.buffer, v.byteOffset + at, CMSGHDR_SIZE);
  return t.copyOut(addr, header, 0, CMSGHDR_SIZE) < 0 ? 0 : cmsgSpace(4 * n);
}

/** struct timeval or timespec, as `option` has it, whose number is the message's type. */
function putTime(v: DataView, msg: InMessage, option: number, room: number): number {
  const { sec, nsec } = msg.time!;
  const isFine = option === SO_TIMESTAMPNS_OLD || option === SO_TIMESTAMPNS_NEW;
  setI64(v, CMSG_DATA_OFF, sec);
  setI64(v, CMSG_DATA_OFF + 8, isFine ? nsec : Math.floor(nsec / 1000));
  return finishCmsg(v, msg, option, TIMESPEC_SIZE, 0, room);
}

function putCreds(v: DataView, msg: InMessage, at: number, room: number): number {
  const { pid, uid, gid } = msg.creds ?? NO_SENDER;
  putUcred(v, at + CMSG_DATA_OFF, pid, uid, gid);
  return finishCmsg(v, msg, SCM_CREDENTIALS, UCRED_SIZE, at, room);
}

/** The header of a message whose `size` bytes are there; what has no room is cut (Linux: put_cmsg). */
function finishCmsg(
  v: DataView,
  msg: InMessage,
  type: number,
  size: number,
  at: number,
  room: number,
): number {
  const left = room - at;
  if (left < cmsgLen(size)) msg.flags |= MSG_CTRUNC;
  if (left < CMSGHDR_SIZE) return at;
  putCmsghdr(v, at, Math.min(left, cmsgLen(size)), SOL_SOCKET, type);
  return at + Math.min(left, cmsgSpace(size));
}

function putRights(
  t: Task,
  v: DataView,
  msg: InMessage,
  flags: number,
  at: number,
  room: number,
): number {
  const files = msg.rights!.take();
  msg.rights = null;
  const fits = Math.max(0, Math.floor((room - at - CMSGHDR_SIZE) / 4));
  const cloexec = (flags & MSG_CMSG_CLOEXEC) !== 0 ? O_CLOEXEC : 0;
  let n = 0;
  while (n < files.length && n < fits) {
    const fd = t.fdTable.install(files[n], cloexec);
    if (fd < 0) break;
    v.setInt32(at + CMSG_DATA_OFF + 4 * n, fd, true);
    n++;
  }
  if (n < files.length) {
    msg.flags |= MSG_CTRUNC;
    for (let i = n; i < files.length; i++) files[i].release();
  }
  if (n === 0) return at;
  putCmsghdr(v, at, cmsgLen(4 * n), SOL_SOCKET, SCM_RIGHTS);
  return at + Math.min(room - at, cmsgSpace(4 * n));
}

/** The sender as a pidfd, or -errno in its place; nothing where no sender is known. */
function putPidfd(t: Task, v: DataView, msg: InMessage, at: number, room: number): number {
  if (room - at < cmsgLen(4)) {
    msg.flags |= MSG_CTRUNC;
    return at;
  }
  const { pid } = msg.creds ?? NO_SENDER;
  if (pid === 0) return at;
  putCmsghdr(v, at, cmsgLen(4), SOL_SOCKET, SCM_PIDFD);
  v.setInt32(at + CMSG_DATA_OFF, installPeerPidfd(t, pid), true);
  return at + Math.min(room - at, cmsgSpace(4));
}

/** A new descriptor of the caller's for the process `pid`; -ESRCH when there is none. */
export function installPeerPidfd(t: Task, pid: number): number {
  const tg = t.kernel.threadGroup(pid);
  return tg === null ? -ESRCH : installPidfd(t, tg.leader, false, false);
}
