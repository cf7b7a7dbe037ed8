/** Sockets that connect, listen and accept: the common half of SOCK_STREAM and SOCK_SEQPACKET. */
import { EPOLLERR, EPOLLHUP, EPOLLRDHUP } from "../../../platform/abi/epoll.ts";
import { EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, EISCONN } from "../../../platform/abi/errno.ts";
import { SOMAXCONN } from "../../../platform/abi/socket.ts";
import { WaitQueue } from "../../wait/queue.ts";
import { NO_PEER, type SocketCaller, type Ucred, ucredOf } from "../socket.ts";
import type { Rights } from "../rights.ts";
import { type AbstractNames, checkAddress } from "./address.ts";
import {
  EVERYTHING,
  READABLE,
  SHUTDOWN_BOTH,
  SHUTDOWN_RECV,
  SHUTDOWN_SEND,
  UnixSocket,
  WRITABLE,
} from "./unix.ts";

export const STATE_CLOSED = 0;
export const STATE_LISTENING = 1;
export const STATE_CONNECTED = 2;

export abstract class ConnectionSocket extends UnixSocket {
  state = STATE_CLOSED;
  /** Connections not accepted yet. */
  readonly #pending: ConnectionSocket[] = [];
  /** Who found the backlog full (Linux: peer_wait). */
  readonly #connectors = new WaitQueue();
  #backlog = 0;
  /** True until accepted. */
  isEmbryo = false;
  /** Identity of the other side at connect or listen, for SO_PEERCRED. */
  protected peerIdentity: Ucred = NO_PEER;
  protected peerGroupList: readonly number[] | null = null;
  #listenGroups: readonly number[] = [];

  constructor(type: number, owner: Ucred, names: AbstractNames) {
    super(type, owner, names);
  }

  protected abstract sibling(owner: Ucred): ConnectionSocket;
  protected abstract get hasData(): boolean;
  /** Whether closing it loses bytes, which the peer hears of as ECONNRESET. */
  protected get hasUnread(): boolean {
    return this.inQueue > 0;
  }
  /** As heldRights and dropRights, without the connections that wait to be accepted. */
  protected abstract ownRights(): Iterable<Rights>;
  protected abstract dropOwnRights(): void;
  /** Frees what was received and not read. */
  protected abstract discard(): void;

  override get peerCreds(): Ucred {
    return this.peerIdentity;
  }
  override get peerGroups(): readonly number[] | null {
    return this.peerGroupList;
  }
  override get isListening(): boolean {
    return this.state === STATE_LISTENING;
  }

  override readiness(): number {
    let events = 0;
    if (this.error !== 0) events |= EPOLLERR;
    if (this.shutdownMask === SHUTDOWN_BOTH) events |= EPOLLHUP;
    if ((this.shutdownMask & SHUTDOWN_RECV) !== 0) events |= EPOLLRDHUP | READABLE;
    if (this.#pending.length > 0 || this.hasData) events |= READABLE;
    if (this.state === STATE_CLOSED) events |= EPOLLHUP;
    if (this.state !== STATE_LISTENING && this.isWritable) events |= WRITABLE;
    return events;
  }

  /** socketpair(2). */
  pairWith(other: ConnectionSocket, groups: readonly number[]): void {
    this.#establish(other, other.owner, groups);
    other.#establish(this, this.owner, groups);
  }

  #establish(peer: ConnectionSocket, identity: Ucred, groups: readonly number[]): void {
    this.peer = peer;
    this.state = STATE_CONNECTED;
    this.peerIdentity = identity;
    this.peerGroupList = groups;
  }

  override listen(caller: SocketCaller, backlog: number): number {
    if (this.name === null || this.state === STATE_CONNECTED) return -EINVAL;
    this.#backlog = backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : backlog;
    this.state = STATE_LISTENING;
    // Those who connect see who listened: listen(2) renews it.
    this.peerIdentity = identityOf(caller);
    this.#listenGroups = caller.creds.groups;
    this.#connectors.notifyAll(WRITABLE);
    return 0;
  }

  connect(caller: SocketCaller, address: Uint8Array): number {
    const err = checkAddress(address);
    if (err < 0) return err;
    if (this.options.wantsCreds) this.autobind();
    const other = this.find(caller, address);
    if (typeof other === "number") return other;
    if (!(other instanceof ConnectionSocket) || other.state !== STATE_LISTENING) {
      return -ECONNREFUSED;
    }
    if ((other.shutdownMask & SHUTDOWN_RECV) !== 0) return -ECONNREFUSED;
    if (this.state === STATE_CONNECTED) return -EISCONN;
    if (this.state !== STATE_CLOSED) return -EINVAL;
    if (other.#pending.length > other.#backlog) {
      this.blockedOn = other.#connectors;
      return -EAGAIN;
    }
    const embryo = this.sibling(other.owner);
    embryo.isEmbryo = true;
    embryo.name = other.name;
    embryo.#establish(this, identityOf(caller), caller.creds.groups);
    this.#establish(embryo, other.peerIdentity, other.#listenGroups);
    other.#pending.push(embryo);
    other.queue.notify(READABLE);
    return 0;
  }

  override accept(nonblocking: boolean): ConnectionSocket | number {
    if (this.state !== STATE_LISTENING) return -EINVAL;
    const embryo = this.#pending.shift();
    if (embryo === undefined) {
      // Only who would wait for one learns that none will come.
      return (this.shutdownMask & SHUTDOWN_RECV) !== 0 && !nonblocking ? -EINVAL : -EAGAIN;
    }
    embryo.isEmbryo = false;
    embryo.options.passCred = this.options.passCred;
    embryo.options.passPidfd = this.options.passPidfd;
    this.#connectors.notify(WRITABLE);
    return embryo;
  }

  override abandon(): void {
    this.release();
  }

  shutdown(how: number): number {
    if (how < 0 || how > 2) return -EINVAL;
    const mask = how + 1;
    this.shutdownMask |= mask;
    const peer = this.peer as ConnectionSocket | null;
    if (peer !== null) {
      if ((mask & SHUTDOWN_RECV) !== 0) peer.shutdownMask |= SHUTDOWN_SEND;
      if ((mask & SHUTDOWN_SEND) !== 0) peer.shutdownMask |= SHUTDOWN_RECV;
    }
    this.queue.notifyAll(EVERYTHING, 0);
    peer?.queue.notifyAll(EVERYTHING, signalOfShutdown(mask));
    return 0;
  }

  override *heldRights(): Iterable<Rights> {
    yield* this.ownRights();
    for (const embryo of this.#pending) yield* embryo.ownRights();
  }
  override dropRights(): void {
    this.dropOwnRights();
    for (const embryo of this.#pending) embryo.dropOwnRights();
  }

  override release(): void {
    if (this.dead) return;
    super.release();
    const unread = this.hasUnread || this.isEmbryo;
    this.shutdownMask = SHUTDOWN_BOTH;
    const peer = this.peer as ConnectionSocket | null;
    if (peer !== null && !peer.dead) {
      peer.shutdownMask = SHUTDOWN_BOTH;
      if (unread) peer.error = ECONNRESET;
    }
    this.discard();
    if (this.state === STATE_LISTENING) {
      for (const embryo of this.#pending) embryo.release();
      this.#pending.length = 0;
      this.queue.notifyAll(EVERYTHING);
      this.#connectors.notifyAll(EVERYTHING);
    }
    peer?.queue.notifyAll(EVERYTHING, EPOLLHUP);
  }
}

/** What an O_ASYNC peer is told of a shutdown: the end of what it can read, or of all. */
function signalOfShutdown(mask: number): number {
  if (mask === SHUTDOWN_BOTH) return EPOLLHUP;
  return (mask & SHUTDOWN_SEND) !== 0 ? READABLE : 0;
}

export function identityOf(caller: SocketCaller): Ucred {
  return ucredOf(caller.pid, caller.creds.euid, caller.creds.egid);
}
