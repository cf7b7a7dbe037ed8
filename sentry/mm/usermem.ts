/** Guest buffers as destination and source of I/O (sentry/vfs/io.ts). */
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import { IOV_MAX, MAX_RW_COUNT, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import { hostAlloc, type HostBuffer, preadv2, pwritev2 } from "../../platform/host/host.ts";
import { type Context, COPY_IN_MAX } from "../../platform/platform.ts";
import type { IoDst, IoSrc } from "../vfs/io.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** Whose memory it is: a Task. */
export interface MemoryUser {
  readonly mm: MemoryManager;
  readonly ctx: Context | null;
}

/** Longest piece that goes through the arena; longer ones are moved by process_vm_*. */
const ARENA_PIECE = 65536;
const STAGE_SIZE = 262144;
/** From here on it pays to have the guest's thread copy what is written (UserSrc). */
const ASIDE_MIN = 131072;
let staging: HostBuffer | null = null;
const zeros = new Uint8Array(65536);

function stage(): HostBuffer {
  return staging ??= hostAlloc(STAGE_SIZE);
}

/** One guest range, or a list of them. */
abstract class UserRange {
  protected addr: number;
  /** Left in the current range. */
  protected left: number;
  /** Further ranges, as addr, length pairs from `next` on. */
  protected more: Float64Array | null;
  protected next = 0;
  #total: number;

  constructor(
    protected readonly user: MemoryUser,
    addr: number,
    length: number,
    more: Float64Array | null = null,
    total = length,
  ) {
    this.addr = addr;
    this.left = length;
    this.more = more;
    this.#total = total;
  }

  get remaining(): number {
    return this.#total;
  }

  /** At most `n` bytes from here on (RLIMIT_FSIZE); an implementation asks `remaining`. */
  limit(n: number): void {
    if (n < this.#total) this.#total = n;
  }

  /** Gives back `n` bytes that `limit` has taken. */
  extend(n: number): void {
    this.#total += n;
  }

  protected advance(n: number): void {
    this.addr += n;
    this.left -= n;
    this.#total -= n;
    while (this.left === 0 && this.more !== null && this.next < this.more.length) {
      this.addr = this.more[this.next];
      this.left = this.more[this.next + 1];
      this.next += 2;
    }
  }

  /** Whether the current range is used up and no other follows. */
  protected get done(): boolean {
    return this.left === 0;
  }
}

export class UserDst extends UserRange implements IoDst {
  put(src: Uint8Array, start: number, end: number): number {
    let stored = 0;
    while (start + stored < end && !this.done) {
      const n = this.#store(src, start + stored, Math.min(end - start - stored, this.left));
      if (n <= 0) return stored > 0 ? stored : -EFAULT;
      stored += n;
    }
    return stored;
  }

  #store(src: Uint8Array, start: number, length: number): number {
    const { mm, ctx } = this.user;
    const run = mm.accessibleRun(this.addr, length, PROT_WRITE);
    if (run === 0) return -EFAULT;
    if (mm.runMayFault) return this.#storeSome(src, start, run);
    if (mm.copyOut(ctx!, this.addr, src, start, start + run) < 0) return -EFAULT;
    this.advance(run);
    return run;
  }

  /** Stores at once, and as much as does not fault. */
  #storeSome(src: Uint8Array, start: number, length: number): number {
    const { mm, ctx } = this.user;
    const n = mm.writeSome(ctx, this.addr, src, start, start + length);
    if (n > 0) this.advance(n);
    return n;
  }

  zero(n: number): number {
    let stored = 0;
    while (stored < n && !this.done) {
      const { mm, ctx } = this.user;
      const run = mm.accessibleRun(this.addr, Math.min(n - stored, this.left), PROT_WRITE);
      if (run === 0) return stored > 0 ? stored : -EFAULT;
      if (mm.runMayFault) {
        const n = this.#storeSome(zeros, 0, Math.min(run, zeros.length));
        if (n <= 0) return stored > 0 ? stored : -EFAULT;
        stored += n;
        continue;
      }
      if (ctx!.arena !== null) ctx!.queueZero(this.addr, run);
      else {
        for (let at = 0; at < run; at += zeros.length) {
          const end = Math.min(zeros.length, run - at);
          if (mm.copyOut(ctx!, this.addr + at, zeros, 0, end) < 0) return -EFAULT;
        }
      }
      this.advance(run);
      stored += run;
    }
    return stored;
  }

  readHost(fd: number, n: number, offset: number, rwf: number): number {
    let done = 0;
    n = Math.min(n, this.remaining);
    while (done < n && !this.done) {
      const want = Math.min(n - done, this.left);
      const got = this.#readPiece(fd, want, offset < 0 ? -1 : offset + done, rwf);
      if (got <= 0) return done > 0 ? done : got;
      done += got;
      if (got < Math.min(want, STAGE_SIZE) && got !== ARENA_PIECE) break;
    }
    return done;
  }

  #readPiece(fd: number, want: number, offset: number, rwf: number): number {
    const { mm, ctx } = this.user;
    const length = mm.accessibleRun(this.addr, Math.min(want, STAGE_SIZE), PROT_WRITE);
    // Nothing is looked at where there is nothing to read.
    if (length === 0) {
      return offset >= 0 && preadv2(fd, stage().addr, 1, offset, rwf) === 0 ? 0 : -EFAULT;
    }
    const isCertain = !mm.runMayFault;
    if (isCertain && length <= ARENA_PIECE && length <= ctx!.arenaLeft) {
      const at = ctx!.reserve(length);
      const got = preadv2(fd, ctx!.arenaAddr + at, length, offset, rwf);
      if (got <= 0) return got;
      ctx!.queueArenaOut(this.addr, at, got);
      this.advance(got);
      return got;
    }
    const buffer = stage();
    const got = preadv2(fd, buffer.addr, length, offset, rwf);
    if (got <= 0) return got;
    return this.#storeSome(buffer.u8, 0, got);
  }
}

export class UserSrc extends UserRange implements IoSrc {
  take(dst: Uint8Array, start: number, end: number): number {
    let taken = 0;
    while (start + taken < end && !this.done) {
      const want = Math.min(end - start - taken, this.left);
      const { mm, ctx } = this.user;
      const n = mm.copyInSome(ctx!, this.addr, dst, start + taken, start + taken + want);
      if (n <= 0) return taken > 0 ? taken : -EFAULT;
      this.advance(n);
      taken += n;
      if (n < want) break;
    }
    return taken;
  }

  writeHost(fd: number, n: number, offset: number, rwf: number): number {
    let done = 0;
    n = Math.min(n, this.remaining);
    while (done < n && !this.done) {
      const want = Math.min(n - done, this.left);
      const at = offset < 0 ? -1 : offset + done;
      const isAside = this.#canWriteAside(want);
      const length = isAside ? want : Math.min(want, STAGE_SIZE);
      const put = isAside
        ? this.#writeAside(fd, length, at, rwf)
        : this.#writePiece(fd, length, at, rwf);
      if (put <= 0) return done > 0 ? done : put;
      done += put;
      if (put < length && !isAside) break;
    }
    return done;
  }

  #canWriteAside(length: number): boolean {
    const { mm, ctx } = this.user;
    return length >= ASIDE_MIN && ctx!.isAwake && mm.mayRead(this.addr, length);
  }

  /**
   * In pieces: while one is written, the guest's thread, in whose processor's caches they may lie, copies the next. It
   * ends early when that thread has gone to sleep.
   */
  #writeAside(fd: number, length: number, offset: number, rwf: number): number {
    const ctx = this.user.ctx!;
    const begin = (done: number, place: 0 | 1): number =>
      ctx.startCopyIn(this.addr + done, Math.min(length - done, COPY_IN_MAX), place);
    let place: 0 | 1 = 0;
    let from = begin(0, place);
    let done = 0;
    for (;;) {
      const got = ctx.copiedIn();
      if (got <= 0) return this.#wrote(done, -EFAULT);
      const goesOn = got === COPY_IN_MAX && done + got < length && ctx.isAwake;
      const next = goesOn ? begin(done + got, place = place === 0 ? 1 : 0) : -1;
      const put = pwritev2(fd, ctx.arenaAddr + from, got, offset < 0 ? -1 : offset + done, rwf);
      if (put > 0) done += put;
      if (put === got && goesOn) {
        from = next;
        continue;
      }
      if (goesOn) ctx.copiedIn();
      return this.#wrote(done, put);
    }
  }

  /** `done` bytes, and if that is nothing, `otherwise`. */
  #wrote(done: number, otherwise: number): number {
    if (done === 0) return otherwise;
    this.advance(done);
    return done;
  }

  #writePiece(fd: number, want: number, offset: number, rwf: number): number {
    const { mm, ctx } = this.user;
    const at = ctx!.prefetchedAt(this.addr, want);
    let from = ctx!.arenaAddr + at;
    let length = want;
    if (at < 0) {
      const buffer = stage();
      length = mm.copyInSome(ctx!, this.addr, buffer.u8, 0, want);
      if (length <= 0) return -EFAULT;
      from = buffer.addr;
    }
    const put = pwritev2(fd, from, length, offset, rwf);
    if (put > 0) this.advance(put);
    return put;
  }
}

/** Reads an iovec array. Returns [addr, length, …] with the total in `total`, or -errno. */
function copyInIovec(
  user: MemoryUser,
  iovAddr: number,
  count: number,
): { pairs: Float64Array; total: number } | number {
  if (count < 0 || count > IOV_MAX) return -EINVAL;
  const raw = new Uint8Array(16 * count);
  if (user.mm.copyIn(user.ctx!, iovAddr, raw, 0, raw.length) < 0) return -EFAULT;
  const view = new DataView(raw.buffer);
  for (let i = 0; i < count; i++) if (view.getInt32(16 * i + 12, true) < 0) return -EINVAL;
  const pairs = new Float64Array(2 * count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const addr = getU64(view, 16 * i), length = getU64(view, 16 * i + 8);
    const kept = Math.min(length, MAX_RW_COUNT - total);
    // Linux cuts a single range before it looks where it ends, several ones after.
    if (addr + (count === 1 ? kept : length) > TASK_SIZE_MAX) return -EFAULT;
    if (kept > 0 && !user.mm.mayRead(addr, kept)) return -EFAULT;
    pairs[2 * i] = addr;
    pairs[2 * i + 1] = kept;
    total += kept;
  }
  return { pairs, total };
}

export function userDstIov(user: MemoryUser, iovAddr: number, count: number): UserDst | number {
  const iov = copyInIovec(user, iovAddr, count);
  return typeof iov === "number" ? iov : build(UserDst, user, iov.pairs, iov.total);
}

export function userSrcIov(user: MemoryUser, iovAddr: number, count: number): UserSrc | number {
  const iov = copyInIovec(user, iovAddr, count);
  return typeof iov === "number" ? iov : build(UserSrc, user, iov.pairs, iov.total);
}

type RangeClass<T> = new (
  user: MemoryUser,
  addr: number,
  length: number,
  more: Float64Array | null,
  total: number,
) => T;

function build<T extends UserRange>(
  type: RangeClass<T>,
  user: MemoryUser,
  pairs: Float64Array,
  total: number,
): T {
  let first = 0;
  while (first < pairs.length && pairs[first + 1] === 0) first += 2;
  if (first >= pairs.length) return new type(user, 0, 0, null, 0);
  return new type(user, pairs[first], pairs[first + 1], pairs.subarray(first + 2), total);
}
