/** The receive queue of sockets that keep message boundaries (Linux: sk_receive_queue of skbs). */
import { EFAULT } from "../../../platform/abi/errno.ts";
import { MSG_PEEK, MSG_TRUNC } from "../../../platform/abi/socket.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { Timespec } from "../../../platform/abi/time.ts";
import { type InMessage, type Ucred } from "../socket.ts";
import type { Rights } from "../rights.ts";
import type { UnixSocket } from "./unix.ts";

/** Who pays for a message until it is read: the sender, out of SO_SNDBUF. */
export interface Charged {
  charge(bytes: number): void;
  /** May wake the sender's waiters. */
  uncharge(bytes: number): void;
}

export interface QueuedMessage {
  data: Uint8Array;
  creds: Ucred;
  rights: Rights | null;
  /** The sender, for its name at the time of the receive; null when it does not matter. */
  from: UnixSocket | null;
  sender: Charged;
  cost: number;
  /** When it was sent, if the receiver asked for that by then. */
  time: Timespec | null;
}

/** Takes a message's bytes; -EFAULT leaves nothing behind. */
export function takeBytes(src: IoSrc): Uint8Array | number {
  const n = src.remaining;
  const data = new Uint8Array(n);
  let at = 0;
  while (at < n) {
    const got = src.take(data, at, n);
    if (got <= 0) return got < 0 ? got : -EFAULT;
    at += got;
  }
  return data;
}

export class MessageQueue {
  readonly #messages: QueuedMessage[] = [];
  /** Bytes of data in all of them. */
  bytes = 0;

  get length(): number {
    return this.#messages.length;
  }
  /** Length of the first message, for SIOCINQ. */
  get firstLength(): number {
    return this.#messages.length === 0 ? 0 : this.#messages[0].data.length;
  }

  push(m: QueuedMessage): void {
    m.sender.charge(m.cost);
    this.bytes += m.data.length;
    this.#messages.push(m);
  }

  /**
   * Receives the first message (with MSG_PEEK: that at `peekOff`). Returns the bytes stored, or with
   * MSG_TRUNC the message's length, or -EFAULT. Null when there is no message for a peek.
   */
  receive(dst: IoDst, msg: InMessage, flags: number, peekOff: number): QueuedResult | null {
    const peek = (flags & MSG_PEEK) !== 0;
    let skip = peek && peekOff > 0 ? peekOff : 0;
    let i = 0;
    if (skip > 0) {
      while (i < this.#messages.length && skip >= this.#messages[i].data.length) {
        skip -= this.#messages[i++].data.length;
      }
      if (i === this.#messages.length) return null;
    }
    const m = this.#messages[i];
    const length = m.data.length - skip;
    const n = Math.min(length, dst.remaining);
    const stored = n === 0 ? 0 : dst.put(m.data, skip, skip + n);
    result.message = m;
    result.stored = stored;
    if (stored < n) result.count = -EFAULT;
    else {
      result.count = (flags & MSG_TRUNC) !== 0 ? length : n;
      if (n < length) msg.flags |= MSG_TRUNC;
    }
    if (peek) {
      if (m.rights !== null) msg.rights = m.rights.copy();
    } else {
      msg.rights = m.rights;
      this.#drop();
    }
    return result;
  }

  *heldRights(): Iterable<Rights> {
    for (const { rights } of this.#messages) if (rights !== null) yield rights;
  }

  dropRights(): void {
    for (const m of this.#messages) {
      m.rights?.release();
      m.rights = null;
    }
  }

  clear(): void {
    while (this.#messages.length > 0) {
      this.#messages[0].rights?.release();
      this.#drop();
    }
  }

  #drop(): void {
    const m = this.#messages.shift()!;
    this.bytes -= m.data.length;
    m.sender.uncharge(m.cost);
  }
}

interface QueuedResult {
  message: QueuedMessage;
  /** What the call returns. */
  count: number;
  /** Bytes that reached the destination. */
  stored: number;
}
const result: QueuedResult = { message: null as unknown as QueuedMessage, count: 0, stored: 0 };
