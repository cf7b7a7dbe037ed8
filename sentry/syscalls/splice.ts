/** splice(2), tee(2), vmsplice(2). Pages are not moved: the bytes are copied within the Sentry. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE } from "../../platform/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../platform/abi/epoll.ts";
import { O_APPEND } from "../../platform/abi/fcntl.ts";
import { IOV_MAX, MAX_RW_COUNT, PAGE_SIZE } from "../../platform/abi/limits.ts";
import { SIGPIPE } from "../../platform/abi/signal.ts";
import {
  SPLICE_F_GIFT,
  SPLICE_F_MORE,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from "../../platform/abi/splice.ts";
import { type Pipe, pipeOf } from "../fsimpl/pipe/mod.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import { raiseSignal } from "../kernel/signal.ts";
import type { Task } from "../kernel/task.ts";
import { userDstIov, userSrcIov } from "../mm/usermem.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { IoDst, IoSrc } from "../vfs/io.ts";
import { KernelDst, KernelSrc } from "../vfs/kernel_io.ts";
import type { WaitQueue } from "../wait/queue.ts";
import { pollable } from "./poll.ts";
import { copyInOffset, isSpliceable, runTransfer, takesMoved } from "./transfer.ts";
import { type Transfer, writeMoved } from "./transfer.ts";

const KNOWN = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
const CHUNK = 65536;

/** What all transfers with a pipe share: where they wait. */
abstract class PipeTransfer implements Transfer {
  total = 0;
  abstract readonly oneStep: boolean;
  /** Set by a step that gives -EAGAIN. */
  protected waitFor: { queue: WaitQueue; events: number } | null = null;

  constructor(
    readonly files: readonly FileDescription[],
    readonly count: number,
    protected readonly nonblocking: boolean,
  ) {}
  abstract step(): number | Promise<number>;

  protected again(queue: WaitQueue | null, events: number, nonblocking = this.nonblocking): number {
    this.waitFor = queue === null || nonblocking ? null : { queue, events };
    return -EAGAIN;
  }
  blockedOn(): { queue: WaitQueue; events: number } | null {
    return this.waitFor;
  }
}

/** Pipe to pipe; with `keeps` (tee) the bytes stay in the first. */
class PipeToPipe extends PipeTransfer {
  readonly oneStep = true;
  constructor(
    files: readonly FileDescription[],
    readonly from: Pipe,
    readonly to: Pipe,
    count: number,
    nonblocking: boolean,
    readonly keeps: boolean,
  ) {
    super(files, count, nonblocking);
  }
  step(): number {
    const { from, to } = this;
    if (from.used === 0 && from.writers > 0) return this.again(from.queue, EPOLLIN);
    if (to.readers === 0) return -EPIPE;
    if (from.used === 0) return 0;
    if (to.full) return this.again(to.queue, EPOLLOUT);
    return this.total = from.passTo(to, this.count, this.keeps);
  }
}

/** A pipe's bytes to a file or socket. */
class PipeToFile extends PipeTransfer {
  readonly oneStep = false;
  constructor(
    readonly t: Task,
    readonly from: Pipe,
    readonly input: FileDescription,
    readonly output: FileDescription,
    public outOffset: number,
    count: number,
    nonblocking: boolean,
  ) {
    super([input, output], count, nonblocking);
  }
  step(): number | Promise<number> {
    const { from, output } = this;
    if (from.used === 0) {
      return from.writers === 0 || this.total > 0 ? 0 : this.again(from.queue, EPOLLIN);
    }
    const want = Math.min(this.count - this.total, from.used, CHUNK);
    const buf = new Uint8Array(want);
    const got = from.peek(new KernelDst(buf), want);
    const put = writeMoved(this.t, output, buf, got, this.outOffset);
    if (typeof put === "number") {
      if (put > 0) from.consume(put);
      return this.#moved(put);
    }
    from.consume(got); // Nobody else may take them meanwhile; what is not written goes back.
    return put.then((n) => {
      from.unread(buf, Math.max(0, n), got);
      return this.#moved(n);
    });
  }
  #moved(n: number): number {
    if (n === -EAGAIN) {
      const { output } = this;
      return this.again(output.impl.waitQueue, EPOLLOUT, output.nonblocking);
    }
    if (n <= 0) return n;
    this.total += n;
    if (this.outOffset < 0) this.output.offset += n;
    else this.outOffset += n;
    return n;
  }
}

/** A file's or socket's bytes into a pipe: as many as there is room for, once. */
class FileToPipe extends PipeTransfer {
  readonly oneStep = true;
  constructor(
    readonly input: FileDescription,
    public inOffset: number,
    readonly to: Pipe,
    output: FileDescription,
    count: number,
    nonblocking: boolean,
  ) {
    super([input, output], count, nonblocking);
  }
  step(): number | Promise<number> {
    const { to, input } = this;
    if (to.readers === 0) return -EPIPE;
    if (to.full) return this.again(to.queue, EPOLLOUT);
    const offset = this.inOffset < 0 ? input.offset : this.inOffset;
    // The pages of a file go as they are, what a file generates is read into new ones.
    const pageOffset = offset < input.inode.size ? offset % PAGE_SIZE : 0;
    const buf = new Uint8Array(Math.min(this.count, to.room(pageOffset)));
    const from = this.inOffset < 0 ? input.ownOffset : offset;
    const n = input.impl.read(input, new KernelDst(buf), from);
    return typeof n === "number"
      ? this.#moved(n, buf, pageOffset)
      : n.then((k) => this.#moved(k, buf, pageOffset));
  }
  #moved(n: number, buf: Uint8Array, pageOffset: number): number {
    if (n === -EAGAIN) {
      const { input } = this;
      return this.again(input.impl.waitQueue, EPOLLIN, input.nonblocking || this.nonblocking);
    }
    if (n <= 0) return n;
    this.to.append(new KernelSrc(buf, 0, n), pageOffset);
    this.total += n;
    if (this.inOffset < 0) this.input.offset += n;
    else if (!this.input.impl.isPlaceless) this.inOffset += n;
    return n;
  }
}

export function splice(t: Task, args: SyscallArguments): SyscallReturn {
  const count = Math.min(args.addr(4), MAX_RW_COUNT), flags = args.i32(5);
  if (count === 0) return 0;
  if ((flags & ~KNOWN) !== 0) return -EINVAL;
  const input = pollable(t, args.i32(0)), output = pollable(t, args.i32(2));
  if (input === null || output === null) return -EBADF;
  const inAddr = args.addr(1), outAddr = args.addr(3);
  const from = pipeOf(input), to = pipeOf(output);
  if ((from !== null && inAddr !== 0) || (to !== null && outAddr !== 0)) return -ESPIPE;
  const inOffset = copyInOffset(t, inAddr), outOffset = copyInOffset(t, outAddr);
  if (inOffset < -1) return inOffset;
  if (outOffset < -1) return outOffset;
  if (!input.readable || !output.writable) return -EBADF;
  let nonblocking = (flags & SPLICE_F_NONBLOCK) !== 0;
  if (from !== null && to !== null) {
    if (from === to) return -EINVAL;
    nonblocking ||= input.nonblocking || output.nonblocking;
    const x = new PipeToPipe([input, output], from, to, count, nonblocking, false);
    return runTransfer(t, x, (n) => n);
  }
  if (from !== null) {
    if (outOffset >= 0 && !output.impl.seekable) return -EINVAL;
    if ((output.flags & O_APPEND) !== 0 || !takesMoved(output)) return -EINVAL;
    nonblocking ||= input.nonblocking;
    const x = new PipeToFile(t, from, input, output, outOffset, count, nonblocking);
    return runTransfer(t, x, (n) => putOffset(t, outAddr, x.outOffset, n));
  }
  if (to !== null) {
    if (inOffset >= 0 && !input.impl.seekable) return -EINVAL;
    nonblocking ||= output.nonblocking;
    if (!isSpliceable(input)) return refuseInput(t, to, nonblocking);
    const x = new FileToPipe(input, inOffset, to, output, count, nonblocking);
    return runTransfer(t, x, (n) => putOffset(t, inAddr, x.inOffset, n));
  }
  return -EINVAL;
}

/** What is wrong with the pipe comes before what cannot be spliced. */
function refuseInput(t: Task, to: Pipe, nonblocking: boolean): number {
  if (to.readers === 0) {
    raiseSignal(t, SIGPIPE);
    return -EPIPE;
  }
  return to.full && nonblocking ? -EAGAIN : -EINVAL;
}

function putOffset(t: Task, addr: number, offset: number, n: number): number {
  if (addr === 0 || n < 0) return n;
  return t.copyOutI64(addr, offset) < 0 ? -EFAULT : n;
}

export function tee(t: Task, args: SyscallArguments): SyscallReturn {
  const count = Math.min(args.addr(2), MAX_RW_COUNT), flags = args.i32(3);
  if ((flags & ~KNOWN) !== 0) return -EINVAL;
  if (count === 0) return 0;
  const input = pollable(t, args.i32(0)), output = pollable(t, args.i32(1));
  if (input === null || output === null) return -EBADF;
  if (!input.readable || !output.writable) return -EBADF;
  const from = pipeOf(input), to = pipeOf(output);
  if (from === null || to === null || from === to) return -EINVAL;
  const nonblocking = (flags & SPLICE_F_NONBLOCK) !== 0 || input.nonblocking || output.nonblocking;
  const x = new PipeToPipe([input, output], from, to, count, nonblocking, true);
  return runTransfer(t, x, (n) => n);
}

/** vmsplice(2): guest memory into a pipe, or a pipe's bytes into guest memory. */
class UserToPipe extends PipeTransfer {
  readonly oneStep = true;
  constructor(
    file: FileDescription,
    readonly pipe: Pipe,
    readonly src: IoSrc,
    nonblocking: boolean,
  ) {
    super([file], src.remaining, nonblocking);
  }
  step(): number {
    const { pipe, src } = this;
    if (pipe.readers === 0) return -EPIPE;
    if (pipe.full) return this.again(pipe.queue, EPOLLOUT);
    const buf = new Uint8Array(Math.min(pipe.room(), src.remaining));
    const n = src.take(buf, 0, buf.length);
    if (n <= 0) return n;
    pipe.append(new KernelSrc(buf, 0, n));
    this.total += n;
    return n;
  }
}

class PipeToUser extends PipeTransfer {
  readonly oneStep = false;
  constructor(
    file: FileDescription,
    readonly pipe: Pipe,
    readonly dst: IoDst,
    nonblocking: boolean,
  ) {
    super([file], dst.remaining, nonblocking);
  }
  step(): number {
    const { pipe } = this;
    if (pipe.used === 0) {
      return pipe.writers === 0 || this.total > 0 ? 0 : this.again(pipe.queue, EPOLLIN);
    }
    const n = pipe.read(this.dst);
    if (n > 0) this.total += n;
    return n;
  }
}

export function vmsplice(t: Task, args: SyscallArguments): SyscallReturn {
  const iovAddr = args.addr(1), iovCount = args.u32(2), flags = args.i32(3);
  if ((flags & ~KNOWN) !== 0) return -EINVAL;
  const file = pollable(t, args.i32(0));
  if (file === null) return -EBADF;
  if (iovCount > IOV_MAX) return -EINVAL;
  const pipe = pipeOf(file);
  const nonblocking = (flags & SPLICE_F_NONBLOCK) !== 0;
  if (file.writable) {
    const src = userSrcIov(t, iovAddr, iovCount);
    if (typeof src === "number" || src.remaining === 0) return typeof src === "number" ? src : 0;
    if (pipe === null) return -EBADF;
    return runTransfer(t, new UserToPipe(file, pipe, src, nonblocking), (n) => n);
  }
  const dst = userDstIov(t, iovAddr, iovCount);
  if (typeof dst === "number" || dst.remaining === 0) return typeof dst === "number" ? dst : 0;
  if (pipe === null) return -EBADF;
  return runTransfer(t, new PipeToUser(file, pipe, dst, nonblocking), (n) => n);
}

export const rows: SyscallRow[] = [
  [275, "splice", splice, FULL],
  [276, "tee", tee, FULL],
  [278, "vmsplice", vmsplice, FULL],
];
