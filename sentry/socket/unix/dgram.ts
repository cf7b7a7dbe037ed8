/** SOCK_DGRAM: messages to a named or connected socket. */
import { EPOLLERR, EPOLLHUP, EPOLLRDHUP } from "../../../platform/abi/epoll.ts";
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
} from "../../../platform/abi/errno.ts";
import {
  AF_UNSPEC,
  MSG_DONTWAIT,
  MSG_OOB,
  MSG_PEEK,
  SOCK_DGRAM,
} from "../../../platform/abi/socket.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";
import {
  type InMessage,
  NO_PEER,
  NOBODY,
  type OutMessage,
  type SocketCaller,
  timeNow,
  type Ucred,
} from "../socket.ts";
import type { Rights } from "../rights.ts";
import { type AbstractNames, checkAddress, nameAddress } from "./address.ts";
import { messageCost } from "./charge.ts";
import { MessageQueue, takeBytes } from "./messages.ts";
import {
  EVERYTHING,
  READABLE,
  SHUTDOWN_BOTH,
  SHUTDOWN_RECV,
  SHUTDOWN_SEND,
  UnixSocket,
  WRITABLE,
} from "./unix.ts";

/** net.unix.max_dgram_qlen: messages a socket holds from those it is not connected to. */
const MAX_QUEUED = 10;

export class UnixDgram extends UnixSocket {
  readonly isStream = false;
  readonly #messages = new MessageQueue();
  /** The peer's queue was found full. */
  #wantsPeerRoom = false;
  /** Sockets connected to this one. */
  readonly #clients = new Set<UnixDgram>();
  /** Senders that found the queue full (Linux: peer_wait). */
  readonly #roomQueue = new WaitQueue();
  #peerIdentity: Ucred = NO_PEER;
  #peerGroups: readonly number[] | null = null;

  constructor(owner: Ucred, names: AbstractNames) {
    super(SOCK_DGRAM, owner, names);
  }
  protected override get inQueue(): number {
    return this.#messages.firstLength;
  }
  override get peerCreds(): Ucred {
    return this.#peerIdentity;
  }
  override get peerGroups(): readonly number[] | null {
    return this.#peerGroups;
  }
  /** Whether `sender` must wait for this queue: Linux's unix_recvq_full and its exception. */
  #isFullFor(sender: UnixDgram): boolean {
    return this !== sender && this.peer !== sender && this.#messages.length > MAX_QUEUED;
  }

  override readiness(): number {
    let events = 0;
    if (this.error !== 0) events |= EPOLLERR;
    if (this.shutdownMask === SHUTDOWN_BOTH) events |= EPOLLHUP;
    if ((this.shutdownMask & SHUTDOWN_RECV) !== 0) events |= EPOLLRDHUP | READABLE;
    if (this.#messages.length > 0) events |= READABLE;
    if (this.isWritable && !this.#awaitsPeer()) events |= WRITABLE;
    return events;
  }

  /** Whether the peer's queue is full; then this side is told once when it no longer is. */
  #awaitsPeer(): boolean {
    const peer = this.peer as UnixDgram | null;
    if (peer === null || peer.dead || !peer.#isFullFor(this)) return false;
    this.#wantsPeerRoom = true;
    return true;
  }

  /** The peer has room, or is no more (Linux: unix_dgram_peer_wake_relay). */
  #tellOfPeer(): void {
    if (!this.#wantsPeerRoom) return;
    this.#wantsPeerRoom = false;
    this.queue.notify(WRITABLE);
  }

  /** socketpair(2). */
  pairWith(other: UnixDgram, groups: readonly number[]): void {
    this.#setPeer(other);
    other.#setPeer(this);
    this.#peerIdentity = other.owner;
    other.#peerIdentity = this.owner;
    this.#peerGroups = other.#peerGroups = groups;
  }

  connect(caller: SocketCaller, address: Uint8Array): number {
    if (address.length < 2) return -EINVAL;
    let other: UnixSocket | number | null = null;
    if ((address[0] | address[1] << 8) !== AF_UNSPEC) {
      const err = checkAddress(address);
      if (err < 0) return err;
      if (this.options.wantsCreds) this.autobind();
      other = this.find(caller, address);
      if (typeof other === "number") return other;
      if (!(other instanceof UnixDgram) || other.dead) return -ECONNREFUSED;
      if (!other.#accepts(this)) return -EPERM;
    }
    const before = this.peer as UnixDgram | null;
    this.#setPeer(other);
    if (before !== null) {
      if (before !== other) this.#disconnectedFrom(before);
      this.queue.notify(WRITABLE);
    }
    return 0;
  }

  /** What the old peer sent is gone, and it learns that it was left (unix_dgram_disconnected). */
  #disconnectedFrom(before: UnixDgram): void {
    if (this.#messages.length === 0) return;
    this.#messages.clear();
    if (before.dead || before.peer !== this) return;
    before.error = ECONNRESET;
    before.queue.notify(EPOLLERR);
  }

  #accepts(sender: UnixDgram): boolean {
    return this.peer === null || this.peer === sender;
  }

  #setPeer(peer: UnixDgram | null): void {
    const before = this.peer as UnixDgram | null;
    if (before !== null) before.#clients.delete(this);
    this.peer = peer;
    if (peer !== null) peer.#clients.add(this);
  }

  shutdown(how: number): number {
    if (how < 0 || how > 2) return -EINVAL;
    this.shutdownMask |= how + 1;
    this.queue.notifyAll(EVERYTHING, 0);
    for (const client of this.#clients) client.#tellOfPeer();
    this.#roomQueue.notify(WRITABLE);
    return 0;
  }

  /** Whom a message goes to, unless it is refused. */
  #target(msg: OutMessage): UnixDgram | number {
    let target = this.peer as UnixDgram | null;
    if (msg.address !== null) {
      if (msg.caller === null) return -EINVAL;
      const found = this.find(msg.caller, msg.address);
      if (typeof found === "number") return found;
      target = found as UnixDgram;
    }
    if (target === null) return -ENOTCONN;
    if (target.dead) {
      this.#setPeer(null);
      this.#disconnectedFrom(target);
      return -ECONNREFUSED;
    }
    if (!target.#accepts(this)) return -EPERM;
    if ((target.shutdownMask & SHUTDOWN_RECV) !== 0) return -EPIPE;
    if (!target.#isFullFor(this)) return target;
    if (target === this.peer) this.#wantsPeerRoom = true;
    this.blockedOn = target.#roomQueue;
    return -EAGAIN;
  }

  sendMessage(src: IoSrc, msg: OutMessage, flags: number): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (msg.address !== null) {
      const err = checkAddress(msg.address);
      if (err < 0) return err;
    }
    if (this.options.wantsCreds) this.autobind();
    const n = src.remaining;
    if (n > this.options.sndbuf - 32) return -EMSGSIZE;
    if (this.error !== 0) return -this.takeError();
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0) return -EPIPE;
    if (this.isFull()) {
      this.blockedOn = this.queue;
      return -EAGAIN;
    }
    const target = this.#target(msg);
    if (typeof target === "number") {
      this.uncharge(0); // Linux gives up a buffer by now, as if it were read.
      return target;
    }
    const data = takeBytes(src);
    if (typeof data === "number") return data;
    const marked = msg.credsExplicit || this.options.wantsCreds || target.options.wantsCreds;
    target.#messages.push({
      data,
      creds: marked ? msg.creds : NOBODY,
      rights: msg.rights,
      from: this,
      sender: this,
      cost: messageCost(n),
      time: target.options.timestamp !== 0 ? timeNow() : null,
    });
    msg.rights = null;
    target.queue.notify(READABLE);
    return n;
  }

  recvMessage(dst: IoDst, msg: InMessage, flags: number): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const options = this.options;
    const wasFull = this.#messages.length > MAX_QUEUED;
    if (this.error !== 0) return -this.takeError();
    const r = this.#messages.length === 0
      ? null
      : this.#messages.receive(dst, msg, flags, options.peekOff);
    if (r === null) {
      // Only who would wait for it learns of the end (Linux: __skb_wait_for_more_packets).
      msg.isEnd = (this.shutdownMask & SHUTDOWN_RECV) !== 0 && (flags & MSG_DONTWAIT) === 0;
      return msg.isEnd ? 0 : -EAGAIN;
    }
    const { message, stored, count } = r;
    if (options.timestamp !== 0) msg.time = message.time ?? timeNow();
    if (options.wantsCreds) msg.creds = message.creds;
    const name = msg.wantsAddress ? message.from!.name : null;
    if (name !== null) msg.address = nameAddress(name);
    if ((flags & MSG_PEEK) !== 0) {
      if (options.peekOff >= 0) options.peekOff += Math.max(0, stored);
    } else if (options.peekOff > 0) {
      options.peekOff = Math.max(0, options.peekOff - message.data.length);
    }
    if (wasFull && this.#messages.length <= MAX_QUEUED) this.#announceRoom();
    return count;
  }

  #announceRoom(): void {
    this.#roomQueue.notify(WRITABLE);
    for (const client of this.#clients) client.#tellOfPeer();
  }

  override heldRights(): Iterable<Rights> {
    return this.#messages.heldRights();
  }
  override dropRights(): void {
    this.#messages.dropRights();
  }

  override release(): void {
    if (this.dead) return;
    super.release();
    this.shutdownMask = SHUTDOWN_BOTH;
    this.#setPeer(null);
    this.#messages.clear();
    this.#roomQueue.notifyAll(EVERYTHING);
    for (const client of this.#clients) client.#tellOfPeer();
  }
}
