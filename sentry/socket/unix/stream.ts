/**
 * SOCK_STREAM: a byte ring, and a list of runs that says which bytes carry files or another sender, and
 * which were sent out of band.
 */
import { EPOLLPRI, EPOLLRDBAND } from "../../../platform/abi/epoll.ts";
import {
  EAGAIN,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../../platform/abi/errno.ts";
import { SIOCATMARK } from "../../../platform/abi/ioctl.ts";
import { MSG_OOB, MSG_PEEK, SO_OOBINLINE, SOCK_STREAM } from "../../../platform/abi/socket.ts";
import { ByteRing } from "../../vfs/byte_ring.ts";
import type { FileDescription, IoctlCaller } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { type InMessage, NOBODY, type OutMessage, sameUcred, type Ucred } from "../socket.ts";
import type { Rights } from "../rights.ts";
import { type AbstractNames, nameAddress } from "./address.ts";
import { streamBufferMax, StreamBuffers, streamCost } from "./charge.ts";
import { ConnectionSocket, STATE_CONNECTED } from "./connection.ts";
import { READABLE, SHUTDOWN_RECV, SHUTDOWN_SEND } from "./unix.ts";

/** A run's band: sent with others, sent out of band, or that and already received out of band. */
const IN_BAND = 0;
const OUT_OF_BAND = 1;
/** Its bytes stay in the ring, and keep the socket readable, until a read passes them. */
const TAKEN = 2;

interface Run {
  length: number;
  creds: Ucred;
  rights: Rights | null;
  /** Runs of another band than IN_BAND are never joined by what is sent later. */
  band: number;
}

export class UnixStream extends ConnectionSocket {
  readonly isStream = true;
  readonly #ring = new ByteRing();
  readonly #buffers = new StreamBuffers();
  /** See `#consume`. */
  #freed = 0;
  readonly #runs: Run[] = [];
  /** The mark: the run of the byte that was sent out of band last, until it is received or passed. */
  #urgent: Run | null = null;
  /** Bytes in runs that are TAKEN. */
  #takenBytes = 0;

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
    return this.#ring.used - this.#takenBytes;
  }

  override readiness(): number {
    return this.#urgent === null ? super.readiness() : super.readiness() | EPOLLPRI;
  }

  override ioctl(f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd !== SIOCATMARK) return super.ioctl(f, caller, cmd, arg);
    return caller.copyOut(arg, Uint8Array.of(this.#isAtMark ? 1 : 0, 0, 0, 0), 0, 4);
  }

  /** sockatmark(3): the next read begins with the byte out of band, or where one was. */
  get #isAtMark(): boolean {
    const runs = this.#runs;
    if (this.#ring.used === 0) return false;
    if (runs[0] === this.#urgent) return true;
    return runs[0].band === TAKEN && (this.#urgent === null || runs[1] === this.#urgent);
  }

  sendMessage(src: IoSrc, msg: OutMessage, flags: number): number {
    const isUrgent = (flags & MSG_OOB) !== 0;
    if (isUrgent && src.remaining === 0) return -EOPNOTSUPP;
    if (msg.address !== null) return this.state === STATE_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    const peer = this.peer as UnixStream | null;
    if (peer === null) return -ENOTCONN;
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0) return -EPIPE;
    if (peer.dead || (peer.shutdownMask & SHUTDOWN_RECV) !== 0) return -EPIPE;
    if (src.remaining === 0) return 0;
    if (this.isFull()) return -EAGAIN;
    if (isUrgent) return this.#sendUrgent(src, msg, peer);
    return this.#sendInBand(src, msg, peer, src.remaining);
  }

  /** As many of `count` bytes as there is room for; a fault loses the buffer that it comes in. */
  #sendInBand(src: IoSrc, msg: OutMessage, peer: UnixStream, count: number): number {
    const most = streamBufferMax(this.options.sndbuf);
    const n = peer.#ring.fillPieces(src, this.#fitting(count, most), most);
    if (n <= 0) return n;
    for (let at = 0; at < n; at += most) this.#queued(peer, Math.min(most, n - at));
    peer.#addRun(n, this.#credsFor(peer, msg), msg.rights);
    msg.rights = null;
    peer.queue.notify(READABLE);
    return n;
  }

  /** Bytes that go, in buffers of `most`: one is begun while there is room at all. */
  #fitting(count: number, most: number): number {
    let room = this.roomLeft;
    let n = 0;
    while (n < count && room > 0) {
      const length = Math.min(most, count - n);
      room -= streamCost(length);
      n += length;
    }
    if (n < count) this.lacksRoom = true;
    return n;
  }

  /** A buffer of this side is in the peer's ring. */
  #queued(peer: UnixStream, length: number): void {
    const cost = streamCost(length);
    peer.#buffers.push(length, cost);
    this.charge(cost);
  }

  /** Drops bytes that were read; what is paid back for them is in `#freed` until `#payBack`. */
  #consume(n: number): void {
    this.#ring.consume(n);
    this.#freed += this.#buffers.consume(n);
  }

  #payBack(): void {
    const freed = this.#freed;
    if (freed === 0) return;
    this.#freed = 0;
    this.peer!.uncharge(freed);
  }

  #credsFor(peer: UnixStream, msg: OutMessage): Ucred {
    const marked = msg.credsExplicit || this.options.wantsCreds || peer.options.wantsCreds ||
      peer.isEmbryo;
    return marked ? msg.creds : NOBODY;
  }

  /** MSG_OOB: the last byte out of band, once there is room for those before it. */
  #sendUrgent(src: IoSrc, msg: OutMessage, peer: UnixStream): number {
    const before = src.remaining - 1;
    const n = before > 0 ? this.#sendInBand(src, msg, peer, before) : 0;
    if (n < before) return n;
    const err = peer.#ring.fill(src, 1);
    if (err < 0) return n > 0 ? n : err;
    this.#queued(peer, 1);
    peer.#runs.push(
      peer.#urgent = {
        length: 1,
        creds: this.#credsFor(peer, msg),
        rights: msg.rights,
        band: OUT_OF_BAND,
      },
    );
    msg.rights = null;
    peer.signalUrgent();
    peer.queue.notify(EPOLLPRI | EPOLLRDBAND);
    peer.queue.notify(READABLE);
    return n + 1;
  }

  recvMessage(dst: IoDst, msg: InMessage, flags: number): number {
    if (this.state !== STATE_CONNECTED) return -EINVAL;
    if ((flags & MSG_OOB) !== 0) return this.#receiveUrgent(dst, msg, flags);
    if (this.#ring.used === 0) return this.#nothingToReceive();
    if ((flags & MSG_PEEK) !== 0) return this.#peek(dst, msg);
    const n = this.#receive(dst, msg);
    this.#payBack();
    return n;
  }

  #nameSender(msg: InMessage): void {
    if (!msg.wantsAddress || msg.address !== null) return;
    const name = this.peer!.name;
    if (name !== null) msg.address = nameAddress(name);
  }

  #nothingToReceive(): number {
    if (this.error !== 0) return -this.takeError();
    return (this.shutdownMask & SHUTDOWN_RECV) !== 0 ? 0 : -EAGAIN;
  }

  /** MSG_OOB: the byte out of band, unless SO_OOBINLINE leaves it where it was sent. */
  #receiveUrgent(dst: IoDst, msg: InMessage, flags: number): number {
    const run = this.#urgent;
    if (run === null || this.#isInline) return -EINVAL;
    const index = this.#runs.indexOf(run);
    let at = 0;
    for (let i = 0; i < index; i++) at += this.#runs[i].length;
    if ((flags & MSG_PEEK) === 0) this.#markTaken(run, index);
    if (dst.remaining > 0) {
      const err = this.#ring.drain(dst, 1, at);
      if (err < 0) return err;
    }
    msg.flags |= MSG_OOB;
    return 1;
  }

  /** `run`, the mark, was received out of band. Of such runs in a row one is left. */
  #markTaken(run: Run, index: number): void {
    this.#urgent = null;
    run.band = TAKEN;
    this.#takenBytes += run.length;
    const before = index > 0 ? this.#runs[index - 1] : null;
    if (before === null || before.band !== TAKEN) return;
    before.rights?.release();
    run.length += before.length;
    this.#runs.splice(index - 1, 1);
  }

  get #isInline(): boolean {
    return this.options.numbers.get(SO_OOBINLINE) === 1;
  }

  /**
   * Which run a read that has `total` bytes goes on with, from run `i` on; -1 where it ends, which is
   * before a mark. A read that begins at one passes it; unless it peeks, what it passes is gone.
   */
  #runToRead(i: number, total: number, peeks: boolean): number {
    const runs = this.#runs;
    if (i < runs.length && runs[i].band === TAKEN) {
      if (total > 0 && this.#urgent === null) return -1;
      i = this.#pass(i, peeks);
    }
    if (i < runs.length && runs[i] === this.#urgent) {
      if (total > 0) return -1;
      if (!peeks) this.#urgent = null;
      if (!this.#isInline) i = this.#pass(i, peeks);
    }
    return i < runs.length ? i : -1;
  }

  /** The index of the run after run `i`, which is dropped (and is the first) unless the read peeks. */
  #pass(i: number, peeks: boolean): number {
    if (peeks) return i + 1;
    const run = this.#runs.shift()!;
    this.#consume(run.length);
    if (run.band === TAKEN) this.#takenBytes -= run.length;
    run.rights?.release();
    return i;
  }

  #receive(dst: IoDst, msg: InMessage): number {
    const runs = this.#runs;
    const wantsCreds = this.options.wantsCreds;
    let total = 0;
    // Also a read of no bytes passes a mark and takes files.
    do {
      if (runs[0].band !== IN_BAND && this.#runToRead(0, total, false) < 0) {
        if (total === 0) return this.#nothingToReceive();
        break;
      }
      const run = runs[0];
      this.#nameSender(msg);
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
      this.#consume(got);
      total += got;
      run.length -= got;
      if (run.length > 0) break;
      if (runs.length === 1 && msg.rights === null) break; // The empty run is used again.
      runs.shift();
      if (msg.rights !== null) break;
    } while (dst.remaining > 0 && runs.length > 0);
    if (this.options.peekOff > 0) {
      this.options.peekOff = Math.max(0, this.options.peekOff - total);
    }
    return total;
  }

  /** MSG_PEEK: files are received too, as copies (unix(7)). */
  #peek(dst: IoDst, msg: InMessage): number {
    let skip = Math.max(0, this.options.peekOff);
    let at = 0, total = 0;
    let isReached = false;
    let next = this.#runToRead(0, 0, true);
    // Where the destination is full it goes on, too, to files that come next.
    for (let i = 0; next >= 0 && i < this.#runs.length; i++) {
      const run = this.#runs[i];
      const length = run.band === TAKEN ? 0 : run.length;
      if (i < next || skip >= length) {
        if (i >= next) skip -= length;
        at += run.length;
        continue;
      }
      isReached = true;
      this.#nameSender(msg);
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
      next = this.#runToRead(i + 1, total, true);
    }
    if (!isReached) return this.#nothingToReceive();
    if (this.options.peekOff >= 0) this.options.peekOff += total;
    return total;
  }

  #addRun(length: number, creds: Ucred, rights: Rights | null): void {
    const runs = this.#runs;
    const last = runs.length > 0 ? runs[runs.length - 1] : null;
    if (last !== null && last.band === IN_BAND && last.length === 0) {
      last.length = length;
      last.creds = creds;
      last.rights = rights;
    } else if (
      last !== null && last.band === IN_BAND && last.rights === null && rights === null &&
      sameUcred(last.creds, creds)
    ) last.length += length;
    else runs.push({ length, creds, rights, band: IN_BAND });
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
    this.#consume(this.#ring.used);
    this.#ring.clear();
    this.#payBack();
    for (const run of this.#runs) run.rights?.release();
    this.#runs.length = 0;
    this.#urgent = null;
    this.#takenBytes = 0;
  }
}
