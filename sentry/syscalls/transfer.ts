/** Moving bytes from one file to another inside the kernel: the engine of sendfile(2) and splice(2). */
import { getI64 } from "../../platform/abi/bytes.ts";
import { EAGAIN, EFAULT, EINVAL, EPIPE, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../platform/abi/epoll.ts";
import { SIGPIPE } from "../../platform/abi/signal.ts";
import { S_IFDIR, S_IFMT } from "../../platform/abi/stat.ts";
import { BLOCK_INTERRUPTED } from "../kernel/block.ts";
import { raiseSignal } from "../kernel/signal.ts";
import type { SyscallReturn } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { Turn } from "../kernel/turn.ts";
import { isUntyped } from "../vfs/anon.ts";
import type { FileDescription } from "../vfs/file.ts";
import { KernelDst, KernelSrc } from "../vfs/kernel_io.ts";
import "../vfs/kernel_io_host.ts";
import { removePrivileges } from "../vfs/namei.ts";
import type { WaitQueue } from "../wait/queue.ts";
import { canWrite } from "./rw.ts";
import { limitWrite } from "./size_limit.ts";

const CHUNK = 65536;

/** A transfer goes step by step; it is done when a step gives 0, an error, or `total` reached `count`. */
export interface Transfer {
  readonly count: number;
  total: number;
  /** Stop after the first step that moved something. */
  readonly oneStep: boolean;
  /** Moves some bytes. Returns how many (already in `total`), 0 at the end, or -errno. */
  step(): number | Promise<number>;
  /** After -EAGAIN: where to wait and for what; null when the call must not wait. */
  blockedOn(): { queue: WaitQueue; events: number } | null;
  /** Both files, held while the call waits. */
  readonly files: readonly FileDescription[];
}

/** Runs a transfer to its end; `finish` writes offsets back. */
export function runTransfer(
  t: Task,
  x: Transfer,
  finish: (result: number) => number,
): SyscallReturn {
  const turn = new Turn(t);
  for (;;) {
    const n = x.step();
    if (typeof n !== "number") return continueTransfer(t, x, n, finish);
    if (isOver(x, n)) return end(t, x, n, finish);
    if (n === -EAGAIN || turn.isOver) return continueTransfer(t, x, n, finish);
  }
}

function isOver(x: Transfer, n: number): boolean {
  if (n > 0) return x.oneStep || x.total >= x.count;
  return n !== -EAGAIN || x.total > 0 || x.blockedOn() === null;
}

function end(t: Task, x: Transfer, n: number, finish: (result: number) => number): number {
  if (n === -EPIPE && x.total === 0) raiseSignal(t, SIGPIPE);
  return finish(x.total > 0 ? x.total : n);
}

async function continueTransfer(
  t: Task,
  x: Transfer,
  first: number | Promise<number>,
  finish: (result: number) => number,
): Promise<number> {
  for (const file of x.files) file.acquire();
  const turn = new Turn(t);
  try {
    let pending = first;
    for (;;) {
      const n = typeof pending === "number" ? pending : await t.blocking.awaitHost(pending);
      if (isOver(x, n)) return end(t, x, n, finish);
      if (n === -EAGAIN) {
        const { queue, events } = x.blockedOn()!;
        const why = await t.blocking.wait(queue, events | EPOLLERR | EPOLLHUP | EPOLLRDHUP, -1);
        if (why === BLOCK_INTERRUPTED) return end(t, x, -ERESTARTSYS, finish);
      } else if (turn.isOver && !await turn.next()) return end(t, x, n, finish);
      pending = x.step();
    }
  } finally {
    for (const file of x.files) file.release();
  }
}

/** Whether bytes may be taken from `file` without a guest's buffer. */
export function isSpliceable(file: FileDescription): boolean {
  return file.impl.splices && !isUntyped(file.inode) && (file.inode.mode & S_IFMT) !== S_IFDIR;
}

/** Whether bytes may be written to `file` from no guest's buffer (Linux: f_op->splice_write). */
export function takesMoved(file: FileDescription): boolean {
  return canWrite(file) && !file.impl.writesBuffers;
}

/**
 * Writes `length` bytes of `buf` that came from another file, at `offset` or below 0 at the file's own. As a write(2),
 * it heeds RLIMIT_FSIZE, and takes set-id bits and file capabilities away.
 */
export function writeMoved(
  t: Task,
  output: FileDescription,
  buf: Uint8Array,
  length: number,
  offset: number,
): number | Promise<number> {
  if (!takesMoved(output)) return -EINVAL;
  const n = limitWrite(t, output, offset < 0 ? output.offset : offset, length);
  if (n < 0) return n;
  const err = removePrivileges(t.creds, output);
  if (err < 0) return err;
  return output.impl.write(
    output,
    new KernelSrc(buf, 0, n),
    offset < 0 ? output.ownOffset : offset,
  );
}

/** From a seekable file to any file. Offsets below 0 stand for the files' own positions. */
export class FileTransfer implements Transfer {
  total = 0;
  readonly oneStep = false;
  readonly files: readonly FileDescription[];
  readonly #buf: Uint8Array;
  #writing = false;

  constructor(
    readonly t: Task,
    readonly input: FileDescription,
    public inOffset: number,
    readonly output: FileDescription,
    public outOffset: number,
    readonly count: number,
  ) {
    this.files = [input, output];
    this.#buf = new Uint8Array(Math.min(CHUNK, count));
  }

  step(): number | Promise<number> {
    this.#writing = false;
    const want = Math.min(this.#buf.length, this.count - this.total);
    const offset = this.inOffset < 0 ? this.input.ownOffset : this.inOffset;
    const n = this.input.impl.read(this.input, new KernelDst(this.#buf, 0, want), offset);
    return typeof n === "number" ? this.#write(n) : n.then((k) => this.#write(k));
  }

  #write(n: number): number | Promise<number> {
    if (n <= 0) return n;
    this.#writing = true;
    const put = writeMoved(this.t, this.output, this.#buf, n, this.outOffset);
    return typeof put === "number" ? this.#moved(put) : put.then((k) => this.#moved(k));
  }

  #moved(n: number): number {
    if (n <= 0) return n;
    this.total += n;
    if (this.inOffset < 0) this.input.offset += n;
    else if (!this.input.impl.isPlaceless) this.inOffset += n;
    if (this.outOffset < 0) this.output.offset += n;
    else this.outOffset += n;
    return n;
  }

  blockedOn(): { queue: WaitQueue; events: number } | null {
    const file = this.#writing ? this.output : this.input;
    const queue = file.impl.waitQueue;
    if (queue === null || file.nonblocking) return null;
    return { queue, events: this.#writing ? EPOLLOUT : EPOLLIN };
  }
}

/** A file offset in guest memory: -1 for a null address, or -EFAULT, -EINVAL below that. */
export function copyInOffset(t: Task, addr: number): number {
  if (addr === 0) return -1;
  if (t.copyIn(addr, t.scratch, 0, 8) < 0) return -EFAULT;
  const offset = getI64(t.scratchView, 0);
  return offset < 0 ? -EINVAL : offset;
}
