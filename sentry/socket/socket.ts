/**
 * What every socket family implements. Linux's words: struct socket with proto_ops. A socket is an open
 * file (FileDescriptionImpl) with more calls; like all of them it never blocks: -EAGAIN, and the
 * system call waits. Addresses are the raw bytes of a sockaddr, family included.
 */
import { EOPNOTSUPP, ESPIPE } from "../../platform/abi/errno.ts";
import { MSG_DONTWAIT } from "../../platform/abi/socket.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { Credentials } from "../auth/credentials.ts";
import { current } from "../kernel/current.ts";
import { type FileDescription, FileDescriptionImpl } from "../vfs/file.ts";
import type { IoDst, IoSrc } from "../vfs/io.ts";
import type { WalkContext } from "../vfs/namei.ts";
import type { Timespec } from "../../platform/abi/time.ts";
import { WaitQueue } from "../wait/queue.ts";
import { SocketOptions } from "./options.ts";
import type { Rights } from "./rights.ts";

/** Identity of a sender or peer (struct ucred). Immutable. */
export interface Ucred {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}
/** What SO_PEERCRED shows of a socket without a peer. */
export const NO_PEER: Ucred = { pid: 0, uid: 0xffffffff, gid: 0xffffffff };
/** What SCM_CREDENTIALS shows of a message without credentials: the overflow ids. */
export const NOBODY: Ucred = { pid: 0, uid: 65534, gid: 65534 };

/** Who makes a call on a socket, as far as sockets need to know. */
export interface SocketCaller {
  readonly creds: Credentials;
  /** Process id. */
  readonly pid: number;
  readonly umask: number;
  walkContext(): WalkContext;
}

/** The ancillary part of a message to be sent. */
export interface OutMessage {
  /** Destination, for unconnected datagram sockets. */
  address: Uint8Array | null;
  creds: Ucred;
  /** The sender gave SCM_CREDENTIALS itself: they are passed on whether asked for or not. */
  credsExplicit: boolean;
  /** Files in flight (SCM_RIGHTS); null once a socket has taken them over. */
  rights: Rights | null;
  caller: SocketCaller | null;
}

/** A message of data alone. */
export function outMessage(creds: Ucred): OutMessage {
  return { address: null, creds, credsExplicit: false, rights: null, caller: null };
}

/** What a receive fills in. */
export interface InMessage {
  /** MSG_TRUNC, MSG_CTRUNC, MSG_OOB. */
  flags: number;
  /** Sender's address; null when the call has none to give. */
  address: Uint8Array | null;
  /** Set when the receiver has SO_PASSCRED or SO_PASSPIDFD. */
  creds: Ucred | null;
  /** Files; the caller's to take or release. */
  rights: Rights | null;
  /** Whether `address` is asked for. */
  wantsAddress: boolean;
  /** There was no message but the end: then no control data tells of a sender. */
  isEnd: boolean;
  /** When the message was sent, for SO_TIMESTAMP and its like. */
  time: Timespec | null;
}

export function emptyInMessage(): InMessage {
  return {
    flags: 0,
    address: null,
    creds: null,
    rights: null,
    wantsAddress: false,
    isEnd: false,
    time: null,
  };
}

let nextCookie = 1;
ofOneSandbox(() => nextCookie = 1);

export abstract class SocketImpl extends FileDescriptionImpl {
  /** SO_COOKIE. */
  readonly cookie = nextCookie++;
  readonly queue = new WaitQueue();
  readonly options = new SocketOptions();
  /** Where a send or connect that returned -EAGAIN waits for EPOLLOUT. */
  blockedOn: WaitQueue = this.queue;

  constructor(
    readonly family: number,
    readonly type: number,
    readonly protocol: number,
    /** Who made it: the sender of plain writes when nobody else is known. */
    public owner: Ucred,
  ) {
    super();
  }
  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.queue;
  }
  override seek(): number {
    return -ESPIPE;
  }
  override waitLimitNs(writes: boolean): number {
    return writes ? this.options.sendTimeoutNs : this.options.recvTimeoutNs;
  }
  /** What the system.sockprotoname attribute of its file tells. */
  abstract get protocolName(): string;
  /** Its file was made. */
  filed(_file: FileDescription): void {}

  abstract bind(caller: SocketCaller, address: Uint8Array): number;
  /** -EAGAIN: wait on `blockedOn` and call again. */
  abstract connect(caller: SocketCaller, address: Uint8Array): number;
  listen(_caller: SocketCaller, _backlog: number): number {
    return -EOPNOTSUPP;
  }
  /** The next connection, not yet a file; -EAGAIN. */
  accept(_nonblocking: boolean): SocketImpl | number {
    return -EOPNOTSUPP;
  }
  /** What was sent and is not read yet, as it is charged (SIOCOUTQ). */
  get outQueue(): number {
    return 0;
  }
  /** SO_SNDBUF changed: there may be room now. */
  sendBufferChanged(): void {}
  /** Undoes an accept whose file could not be made. */
  abandon(): void {}
  abstract getsockname(): Uint8Array | number;
  abstract getpeername(): Uint8Array | number;
  /** `how` is SHUT_*. */
  abstract shutdown(how: number): number;
  /** What a send fails with before its control data is looked at; 0. */
  refuseToSend(): number {
    return 0;
  }
  abstract sendMessage(src: IoSrc, msg: OutMessage, flags: number): number;
  abstract recvMessage(dst: IoDst, msg: InMessage, flags: number): number;
  /** Options beyond those of SocketOptions. Returns the value or -errno. */
  getOption(_level: number, _name: number): Uint8Array | number {
    return -EOPNOTSUPP;
  }
  setOption(_level: number, _name: number): number {
    return -EOPNOTSUPP;
  }
  /** SO_PEERCRED. */
  get peerCreds(): Ucred {
    return NO_PEER;
  }
  get peerGroups(): readonly number[] | null {
    return null;
  }
  get isListening(): boolean {
    return false;
  }
  /** Takes the pending error (SO_ERROR), a positive errno or 0. */
  takeError(): number {
    return 0;
  }
  /** Messages are lost in silence. */
  override get raisesSigpipe(): boolean {
    return this.isStream;
  }
  /** Whether a blocked send goes on until all is sent. */
  abstract readonly isStream: boolean;

  override read(f: FileDescription, dst: IoDst): number {
    if (dst.remaining === 0) return 0;
    const msg = emptyInMessage();
    const n = this.recvMessage(dst, msg, f.nonblocking ? MSG_DONTWAIT : 0);
    msg.rights?.release();
    return n;
  }
  override write(_f: FileDescription, src: IoSrc): number {
    const creds = currentUcred() ?? this.owner;
    return this.sendMessage(src, outMessage(creds), 0);
  }
}

let lastUcred: Ucred = NO_PEER;

/** A Ucred with these ids; the same object again for the same sender, so that senders compare fast. */
export function ucredOf(pid: number, uid: number, gid: number): Ucred {
  if (lastUcred.pid !== pid || lastUcred.uid !== uid || lastUcred.gid !== gid) {
    lastUcred = { pid, uid, gid };
  }
  return lastUcred;
}

/** The time of day, of which the caller may keep the object. */
export function timeNow(): Timespec | null {
  const t = current.task;
  return t === null ? null : { ...t.kernel.nowRealtime() };
}

function currentUcred(): Ucred | null {
  const t = current.task;
  return t === null ? null : ucredOf(t.tg.pid, t.creds.euid, t.creds.egid);
}

export function sameUcred(a: Ucred, b: Ucred): boolean {
  return a === b || (a.pid === b.pid && a.uid === b.uid && a.gid === b.gid);
}
