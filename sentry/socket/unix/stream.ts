/** SOCK_STREAM: a byte ring, and a list of runs that says which bytes carry files or another sender. */
import {
  EAGAIN,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../../platform/abi/errno.ts";
import { MSG_OOB, MSG_PEEK, SOCK_STREAM } from "../../../platform/abi/socket.ts";
import { ByteRing } from "../../vfs/byte_ring.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { type InMessage, NOBODY, type OutMessage, sameUcred, type Ucred } from "../socket.ts";
import type { Rights } from "../rights.ts";
import { type AbstractNames, nameAddress } from "./address.ts";
import { ConnectionSocket, STATE_CONNECTED } from "./connection.ts";
import { READABLE, SHUTDOWN_RECV, SHUTDOWN_SEND } from "./unix.ts";

/** Bytes that Linux copies from the guest at once, into one buffer: a fault loses them all. */
const COPIED_AT_ONCE = 36544;

interface Run {
  length: number;
  creds: Ucred;
  rights: Rights | null;
}

export class UnixStream extends ConnectionSocket {
  readonly isStream = true;
  readonly #ring = new ByteRing();
  readonly #runs: Run[] = [];

  constructor(owner: Ucred, names: AbstractNames) {
    super(SOCK_STREAM, owner, names);
  }
  protected override sibling(owner: Ucred): UnixStream {
    return new UnixStream(owner, this.names);
  }
  protected override get hasData(): boolean {
    return this.#ring.used > 0;
  }
  protected override get inQueue(): number {
    return this.#ring.used;
  }
  protected override get outQueue(): number {
    return this.peer === null ? 0 : (this.peer as UnixStream).#ring.used;
  }
  protected override get isWritable(): boolean {
    return this.outQueue * 4 <= this.options.sndbuf;
  }

  sendMessage(src: IoSrc, msg: OutMessage, flags: number): number {
    if (msg.address !== null) return this.state === STATE_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    const peer = this.peer as UnixStream | null;
    if (peer === null) return -ENOTCONN;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0) return -EPIPE;
    if (peer.dead || (peer.shutdownMask & SHUTDOWN_RECV) !== 0) return -EPIPE;
    const room = this.options.sndbuf - peer.#ring.used;
    if (src.remaining === 0) return 0;
    if (room <= 0) return -EAGAIN;
    const n = peer.#ring.fillPieces(src, Math.min(room, src.remaining), COPIED_AT_ONCE);
    if (n <= 0) return n;
    const marked = msg.credsExplicit || this.options.wantsCreds || peer.options.wantsCreds ||
      peer.isEmbryo;
    peer.#addRun(n, marked ? msg.creds : NOBODY, msg.rights);
    msg.rights = null;
    peer.queue.notify(READABLE);
    return n;
  }

  recvMessage(dst: IoDst, msg: InMessage, flags: number): number {
    if (this.state !== STATE_CONNECTED || (flags & MSG_OOB) !== 0) return -EINVAL;
    if (this.#ring.used === 0) {
      if (this.error !== 0) return -this.takeError();
      return (this.shutdownMask & SHUTDOWN_RECV) !== 0 ? 0 : -EAGAIN;
    }
    const peer = this.peer as UnixStream;
    if (msg.wantsAddress && peer.name !== null) msg.address = nameAddress(peer.name);
    if ((flags & MSG_PEEK) !== 0) return this.#peek(dst, msg);
    const wasWritable = peer.writableNow;
    const n = this.#receive(dst, msg);
    peer.roomMade(wasWritable);
    return n;
  }

  #receive(dst: IoDst, msg: InMessage): number {
    const runs = this.#runs;
    const wantsCreds = this.options.wantsCreds;
    let total = 0;
    while (runs.length > 0 && dst.remaining > 0) {
      const run = runs[0];
      if (wantsCreds) {
        if (msg.creds === null) msg.creds = run.creds;
        else if (!sameUcred(msg.creds, run.creds)) break;
      }
      const want = Math.min(run.length, dst.remaining);
      const got = this.#ring.drain(dst, want, 0);
      if (got < 0) return total > 0 ? total : got;
      if (run.rights !== null) {
        msg.rights = run.rights;
        run.rights = null;
      }
      this.#ring.consume(got);
      total += got;
      run.length -= got;
      if (run.length > 0) break;
      if (runs.length === 1 && msg.rights === null) break; // The empty run is used again.
      runs.shift();
      if (msg.rights !== null) break;
    }
    if (this.options.peekOff > 0) {
      this.options.peekOff = Math.max(0, this.options.peekOff - total);
    }
    return total;
  }

  /** MSG_PEEK: files are received too, as copies (unix(7)). */
  #peek(dst: IoDst, msg: InMessage): number {
    let skip = Math.max(0, this.options.peekOff);
    let at = 0, total = 0;
    for (const run of this.#runs) {
      if (skip >= run.length) {
        skip -= run.length;
        at += run.length;
        continue;
      }
      if (dst.remaining === 0) break;
      if (this.options.wantsCreds) {
        if (msg.creds === null) msg.creds = run.creds;
        else if (!sameUcred(msg.creds, run.creds)) break;
      }
      const got = this.#ring.drain(dst, Math.min(run.length - skip, dst.remaining), at + skip);
      if (got < 0) return total > 0 ? total : got;
      total += got;
      at += run.length;
      skip = 0;
      if (run.rights !== null) {
        msg.rights = run.rights.copy();
        break;
      }
    }
    if (total === 0 && dst.remaining > 0) return -EAGAIN;
    if (this.options.peekOff >= 0) this.options.peekOff += total;
    return total;
  }

  #addRun(length: number, creds: Ucred, rights: Rights | null): void {
    const runs = this.#runs;
    const last = runs.length > 0 ? runs[runs.length - 1] : null;
    if (last === null || (last.length > 0 && (last.rights !== null || rights !== null))) {
      runs.push({ length, creds, rights });
    } else if (last.length === 0) {
      last.length = length;
      last.creds = creds;
      last.rights = rights;
    } else if (sameUcred(last.creds, creds)) last.length += length;
    else runs.push({ length, creds, rights });
  }

  protected override *ownRights(): Iterable<Rights> {
    for (const { rights } of this.#runs) if (rights !== null) yield rights;
  }
  protected override dropOwnRights(): void {
    for (const run of this.#runs) {
      const { rights } = run;
      run.rights = null;
      rights?.release();
    }
  }
  protected override discard(): void {
    this.#ring.clear();
    for (const run of this.#runs) run.rights?.release();
    this.#runs.length = 0;
  }
}
