/** What all unix(7) sockets have: a name, a peer, shutdown, options. */
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  EPOLLRDNORM,
  EPOLLWRBAND,
  EPOLLWRNORM,
} from "../../../platform/abi/epoll.ts";
import {
  EADDRINUSE,
  EINVAL,
  ENOSPC,
  ENOTCONN,
  ENOTTY,
  EOPNOTSUPP,
} from "../../../platform/abi/errno.ts";
import { SIOCATMARK, SIOCINQ, SIOCOUTQ } from "../../../platform/abi/ioctl.ts";
import { AF_UNIX, SOCK_STREAM } from "../../../platform/abi/socket.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import type { FileDescription, IoctlCaller } from "../../vfs/file.ts";
import { type PathRef, releasePath } from "../../vfs/mount.ts";
import { collectGarbage, type RightsHolder } from "../garbage.ts";
import type { Rights } from "../rights.ts";
import { type SocketCaller, SocketImpl, type Ucred } from "../socket.ts";
import {
  type AbstractNames,
  bindPath,
  findSocket,
  nameAddress,
  parseName,
  refuseSecondName,
} from "./address.ts";
import { hasRoom } from "./charge.ts";
import type { Charged } from "./messages.ts";

export const SHUTDOWN_RECV = 1;
export const SHUTDOWN_SEND = 2;
export const SHUTDOWN_BOTH = 3;
export const READABLE = EPOLLIN | EPOLLRDNORM;
export const WRITABLE = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
export const EVERYTHING = READABLE | WRITABLE | EPOLLERR | EPOLLHUP | EPOLLRDHUP;

/** __SO_ACCEPTCON. */
const ACCEPTS_CONNECTIONS = 0x10000;
/** Those with a file. */
const live = new Set<UnixSocket>();
ofOneSandbox(() => live.clear());

/** /proc/net/unix, below its head. */
export function unixSocketsText(): string {
  let text = "";
  for (const socket of live) text += socket.tableLine + "\n";
  return text;
}

export abstract class UnixSocket extends SocketImpl implements Charged, RightsHolder {
  /** Bound name: a path, or an abstract name with its zero byte; null when unbound. */
  name: string | null = null;
  peer: UnixSocket | null = null;
  shutdownMask = 0;
  /** Pending error, positive. */
  error = 0;
  /** Its file is closed. */
  dead = false;
  /** What the peer has not read, see charge.ts. */
  #charged = 0;
  /** A send found no room (Linux: SOCKWQ_ASYNC_NOSPACE). */
  protected lacksRoom = false;
  #file: FileDescription | null = null;
  /** Pins the inode it is bound to. */
  #path: PathRef | null = null;

  constructor(type: number, owner: Ucred, readonly names: AbstractNames) {
    super(AF_UNIX, type, 0, owner);
  }

  /** As on Linux, where SOCK_SEQPACKET has none of its own. */
  override get protocolName(): string {
    return this.type === SOCK_STREAM ? "UNIX-STREAM" : "UNIX";
  }

  /** Bytes a SIOCINQ shows. */
  protected abstract get inQueue(): number;

  override get outQueue(): number {
    return this.#charged;
  }
  /** Whether nothing more may be sent now; who is refused is signalled when there is room again. */
  protected isFull(): boolean {
    if (this.roomLeft > 0) return false;
    this.lacksRoom = true;
    return true;
  }
  /** Bytes that may be charged before the socket is full. */
  protected get roomLeft(): number {
    return this.options.sndbuf - this.#charged;
  }
  protected get isWritable(): boolean {
    return hasRoom(this.#charged, this.options.sndbuf);
  }
  charge(bytes: number): void {
    this.#charged += bytes;
  }
  /** Edge-triggered writers are told each time that something was read (Linux: unix_write_space). */
  uncharge(bytes: number): void {
    this.#charged -= bytes;
    if (!this.isWritable) return;
    this.queue.notify(WRITABLE, this.lacksRoom ? WRITABLE : 0);
    this.lacksRoom = false;
  }
  override sendBufferChanged(): void {
    if (this.isWritable) this.queue.notify(WRITABLE);
  }

  bind(caller: SocketCaller, address: Uint8Array): number {
    if (address.length === 2 && (address[0] | address[1] << 8) === AF_UNIX) return this.autobind();
    const name = parseName(address);
    if (typeof name === "number") return name;
    if (this.name !== null) return refuseSecondName(caller, name);
    if (name.charCodeAt(0) === 0) {
      const err = this.names.bind(name, this);
      if (err < 0) return err;
    } else {
      const path = bindPath(caller, name, this);
      if (typeof path === "number") return path;
      this.#path = path;
    }
    this.name = name;
    return 0;
  }

  /** Gives an unbound socket an abstract name. */
  autobind(): number {
    if (this.name !== null) return 0;
    const name = this.names.freeName(this.type);
    if (name === null) return -ENOSPC;
    if (this.names.bind(name, this) < 0) return -EADDRINUSE;
    this.name = name;
    return 0;
  }

  protected find(caller: SocketCaller, address: Uint8Array): UnixSocket | number {
    const name = parseName(address);
    return typeof name === "number" ? name : findSocket(caller, this.names, name, this.type);
  }

  getsockname(): Uint8Array {
    return nameAddress(this.name);
  }
  getpeername(): Uint8Array | number {
    return this.peer === null ? -ENOTCONN : nameAddress(this.peer.name);
  }
  override takeError(): number {
    const error = this.error;
    this.error = 0;
    return error;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd === SIOCATMARK) return -EOPNOTSUPP;
    if (cmd !== SIOCINQ && cmd !== SIOCOUTQ) return -ENOTTY;
    if (cmd === SIOCINQ && this.isListening) return -EINVAL;
    const out = new Uint8Array(4);
    const value = cmd === SIOCINQ ? this.inQueue : this.outQueue;
    new DataView(out.buffer).setInt32(0, value, true);
    return caller.copyOut(arg, out, 0, 4);
  }

  override filed(file: FileDescription): void {
    this.#file = file;
    live.add(this);
  }

  /** SIGURG to the owner of its file: a byte came out of band. */
  protected signalUrgent(): void {
    this.#file?.owner?.signalUrgent();
  }

  abstract heldRights(): Iterable<Rights>;
  abstract dropRights(): void;

  override release(): void {
    this.dead = true;
    live.delete(this);
    this.releaseName();
    collectGarbage();
  }

  /** Its line in /proc/net/unix, where no kernel address is told. */
  get tableLine(): string {
    const hex = (n: number, width: number): string =>
      n.toString(16).toUpperCase().padStart(width, "0");
    const references = 2 + (this.peer !== null ? 1 : 0);
    const name = this.name === null ? "" : " " + this.name.replaceAll("\0", "@");
    return `0000000000000000: ${hex(references, 8)} 00000000 ${
      hex(this.isListening ? ACCEPTS_CONNECTIONS : 0, 8)
    } ${hex(this.type, 4)} ${this.peer !== null ? "03" : "01"} ${
      String(this.#file?.inode.ino ?? 0).padStart(5)
    }${name}`;
  }

  protected releaseName(): void {
    if (this.name === null) return;
    if (this.#path !== null) {
      const inode = this.#path.dentry.inode;
      if (inode !== null && inode.special === this) inode.special = null;
      releasePath(this.#path);
      this.#path = null;
    } else this.names.release(this.name, this);
  }
}
