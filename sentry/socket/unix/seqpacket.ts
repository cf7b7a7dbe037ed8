/** SOCK_SEQPACKET: connections that keep message boundaries. */
import { EAGAIN, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE } from "../../../platform/abi/errno.ts";
import { MSG_OOB, SOCK_SEQPACKET } from "../../../platform/abi/socket.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { type InMessage, NOBODY, type OutMessage, timeNow, type Ucred } from "../socket.ts";
import type { Rights } from "../rights.ts";
import { type AbstractNames, nameAddress } from "./address.ts";
import { messageCost } from "./charge.ts";
import { ConnectionSocket, STATE_CONNECTED } from "./connection.ts";
import { MessageQueue, takeBytes } from "./messages.ts";
import { READABLE, SHUTDOWN_RECV, SHUTDOWN_SEND } from "./unix.ts";

export class UnixSeqpacket extends ConnectionSocket {
  readonly isStream = false;
  readonly #messages = new MessageQueue();

  constructor(owner: Ucred, names: AbstractNames) {
    super(SOCK_SEQPACKET, owner, names);
  }
  protected override sibling(owner: Ucred): UnixSeqpacket {
    return new UnixSeqpacket(owner, this.names);
  }
  protected override get hasData(): boolean {
    return this.#messages.length > 0;
  }
  protected override get inQueue(): number {
    return this.#messages.bytes;
  }

  override refuseToSend(): number {
    if (this.error !== 0) return -this.takeError();
    return this.state === STATE_CONNECTED ? 0 : -ENOTCONN;
  }

  sendMessage(src: IoSrc, msg: OutMessage, flags: number): number {
    const refused = this.refuseToSend();
    if (refused < 0) return refused;
    const peer = this.peer as UnixSeqpacket;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.options.wantsCreds) this.autobind();
    const n = src.remaining;
    if (n > this.options.sndbuf - 32) return -EMSGSIZE;
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0) return -EPIPE;
    if (this.isFull()) return -EAGAIN;
    if (peer.dead || (peer.shutdownMask & SHUTDOWN_RECV) !== 0) {
      this.uncharge(0); // Linux gives up a buffer by now, as if it were read.
      return -EPIPE;
    }
    const data = takeBytes(src);
    if (typeof data === "number") return data;
    const marked = msg.credsExplicit || this.options.wantsCreds || peer.options.wantsCreds ||
      peer.isEmbryo;
    peer.#messages.push({
      data,
      creds: marked ? msg.creds : NOBODY,
      rights: msg.rights,
      from: null,
      sender: this,
      cost: messageCost(n),
      time: peer.options.timestamp !== 0 ? timeNow() : null,
    });
    msg.rights = null;
    peer.queue.notify(READABLE);
    return n;
  }

  recvMessage(dst: IoDst, msg: InMessage, flags: number): number {
    if (this.state !== STATE_CONNECTED) return -ENOTCONN;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const options = this.options;
    if (this.error !== 0) return -this.takeError();
    const r = this.#messages.length === 0
      ? null
      : this.#messages.receive(dst, msg, flags, options.peekOff);
    if (r === null) {
      if ((this.shutdownMask & SHUTDOWN_RECV) === 0) return -EAGAIN;
      msg.isEnd = true;
      return 0;
    }
    const name = msg.wantsAddress ? this.peer!.name : null;
    if (name !== null) msg.address = nameAddress(name);
    if (options.timestamp !== 0) msg.time = r.message.time ?? timeNow();
    if (options.wantsCreds) msg.creds = r.message.creds;
    return r.count;
  }

  protected override ownRights(): Iterable<Rights> {
    return this.#messages.heldRights();
  }
  protected override dropOwnRights(): void {
    this.#messages.dropRights();
  }
  protected override discard(): void {
    this.#messages.clear();
  }
}
