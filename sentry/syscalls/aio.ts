/**
 * Linux AIO: io_setup(2), io_submit(2), io_getevents(2) and their kin. As Linux does with buffered files, io_submit
 * reads and writes at once, and waits where read(2) and write(2) would; IOCB_CMD_POLL alone is over later.
 */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import {
  IO_EVENT_SIZE,
  IOCB_CMD_FDSYNC,
  IOCB_CMD_FSYNC,
  IOCB_CMD_POLL,
  IOCB_CMD_PREAD,
  IOCB_CMD_PREADV,
  IOCB_CMD_PWRITE,
  IOCB_CMD_PWRITEV,
  IOCB_FLAG_IOPRIO,
  IOCB_FLAG_RESFD,
  IOCB_OFF_BUF,
  IOCB_OFF_DATA,
  IOCB_OFF_FD,
  IOCB_OFF_FLAGS,
  IOCB_OFF_KEY,
  IOCB_OFF_NBYTES,
  IOCB_OFF_OFFSET,
  IOCB_OFF_OPCODE,
  IOCB_OFF_REQPRIO,
  IOCB_OFF_RESERVED2,
  IOCB_OFF_RESFD,
  IOCB_OFF_RW_FLAGS,
  IOCB_SIZE,
} from "../../platform/abi/aio.ts";
import { getI64, getU64, setU64 } from "../../platform/abi/bytes.ts";
import { EPOLLIN } from "../../platform/abi/epoll.ts";
import { EAGAIN, EBADF, EFAULT, EINPROGRESS, EINTR, EINVAL } from "../../platform/abi/errno.ts";
import { ERESTARTNOHAND, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { MAP_ANONYMOUS, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import { S_IFDIR, S_IFMT } from "../../platform/abi/stat.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { RWF_NOWAIT } from "../../platform/abi/uio.ts";
import { AioContext, AioRequest, aioRequests } from "../fsimpl/anon/aio.ts";
import { EventFd } from "../fsimpl/anon/eventfd.ts";
import { BLOCK_INTERRUPTED, BLOCK_READY } from "../kernel/block.ts";
import {
  BLOCKED,
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { pageUp } from "../mm/memory_manager.ts";
import type { UserDst, UserSrc } from "../mm/usermem.ts";
import type { FileDescription } from "../vfs/file.ts";
import { pollable } from "./poll.ts";
import { ioprioError } from "./priority.ts";
import { AT_OFFSET, checkFlags, checkRange, doRead, doWrite, passesEnd, settle } from "./rw.ts";
import { deadlineIn, enterSigmask, leaveSigmask, NO_DEADLINE } from "./timeout.ts";

/** sizeof(struct aio_ring) without its events. */
const RING_HEADER = 32;
/** More events than a ring of 256 MiB holds are not asked for. */
const MAX_RING_EVENTS = 0x1000_0000 / IO_EVENT_SIZE;
/** Events copied at once; more take another round. */
const BATCH = 128;

const iocb = new Uint8Array(IOCB_SIZE);
const iocbView = new DataView(iocb.buffer);
const events = new Uint8Array(BATCH * IO_EVENT_SIZE);
const eventsView = new DataView(events.buffer);

/** The context that the mapping at `id` names; null where there is none, or no memory any more. */
function contextAt(t: Task, id: number): AioContext | null {
  const bound = t.mm.bound?.get(id);
  if (!(bound instanceof AioContext) || t.copyIn(id, t.scratch, 0, 4) < 0) return null;
  return bound;
}

/** io_setup(2). */
export function ioSetup(t: Task, args: SyscallArguments): SyscallReturn {
  const asked = args.u32(0);
  const idAddr = args.addr(1);
  if (t.copyIn(idAddr, t.scratch, 0, 8) < 0) return -EFAULT;
  if (asked === 0 || getU64(t.scratchView, 0) !== 0) return -EINVAL;
  // As many requests for each processor may wait for their turn unseen (Linux: req_batch).
  const wanted = 2 * Math.max(asked, 4 * t.kernel.cpuCount);
  if (wanted > MAX_RING_EVENTS) return -EINVAL;
  if (aioRequests.used + asked > aioRequests.max) return -EAGAIN;
  const bytes = pageUp(RING_HEADER + (wanted + 2) * IO_EVENT_SIZE);
  const id = mapRing(t, bytes);
  if (id < 0) return id;
  setU64(t.scratchView, 0, id);
  if (t.mm.writeNow(t.ctx, idAddr, t.scratch, 0, 8) < 0) {
    t.mm.munmap(t.ctx!, id, bytes);
    return -EFAULT;
  }
  const capacity = Math.floor((bytes - RING_HEADER) / IO_EVENT_SIZE) - 1;
  (t.mm.bound ??= new Map()).set(id, new AioContext(asked, bytes, capacity));
  return 0;
}

/** The memory whose address names a context, or -errno. */
function mapRing(t: Task, bytes: number): number {
  const prot = PROT_READ | PROT_WRITE;
  const flags = MAP_SHARED | MAP_ANONYMOUS;
  const at = t.mm.mmap(t.ctx!, 0, bytes, prot, flags, null, 0, t.tg.limits);
  if (at > 0) t.mm.vmas.change(at, at + bytes, (vma) => vma.name = "/[aio] (deleted)");
  return at;
}

/** io_destroy(2). */
export function ioDestroy(t: Task, args: SyscallArguments): SyscallReturn {
  const id = args.addr(0);
  const context = contextAt(t, id);
  if (context === null) return -EINVAL;
  t.mm.bound!.delete(id);
  context.end();
  t.mm.munmap(t.ctx!, id, context.mappedBytes);
  return 0;
}

/** io_submit(2). */
export function ioSubmit(t: Task, args: SyscallArguments): SyscallReturn {
  const count = args.i64(1);
  if (count < 0) return -EINVAL;
  const context = contextAt(t, args.addr(0));
  if (context === null) return -EINVAL;
  return submitFrom(t, context, args.addr(2), 0, Math.min(count, context.capacity + 1));
}

/** Submits requests `from` to `count` of the list at `list`. Returns how many there are now, or the first one's error. */
function submitFrom(
  t: Task,
  context: AioContext,
  list: number,
  from: number,
  count: number,
): SyscallReturn {
  for (let i = from; i < count; i++) {
    const done = submitAt(t, context, list + 8 * i);
    if (typeof done !== "number") {
      return done.then(() => submitFrom(t, context, list, i + 1, count));
    }
    if (done < 0) return i > 0 ? i : done;
  }
  return count;
}

/** The request whose address is at `slot`: 0, -errno where it is refused, or a promise of 0. */
function submitAt(t: Task, context: AioContext, slot: number): number | Promise<number> {
  if (t.copyIn(slot, t.scratch, 0, 8) < 0) return -EFAULT;
  const obj = getU64(t.scratchView, 0);
  if (t.copyIn(obj, iocb, 0, IOCB_SIZE) < 0) return -EFAULT;
  const v = iocbView;
  if (getU64(v, IOCB_OFF_RESERVED2) !== 0 || v.getInt32(IOCB_OFF_NBYTES + 4, true) < 0) {
    return -EINVAL;
  }
  if (context.isFull) return -EAGAIN;
  const file = pollable(t, v.getInt32(IOCB_OFF_FD, true));
  if (file === null) return -EBADF;
  const counter = counterOf(t);
  if (typeof counter === "number") return counter;
  if (t.storeU32(obj + IOCB_OFF_KEY, 0) < 0) return -EFAULT;
  const dataLo = v.getUint32(IOCB_OFF_DATA, true), dataHi = v.getUint32(IOCB_OFF_DATA + 4, true);
  const request = new AioRequest(dataLo, dataHi, obj, counter);
  context.begin();
  const res = perform(t, context, request, file);
  if (typeof res === "number" && res < 0) context.refuse(request);
  return res;
}

/** The eventfd that the request in `iocb` names, null for none, or -errno. */
function counterOf(t: Task): FileDescription | null | number {
  if ((iocbView.getUint32(IOCB_OFF_FLAGS, true) & IOCB_FLAG_RESFD) === 0) return null;
  const file = pollable(t, iocbView.getInt32(IOCB_OFF_RESFD, true));
  if (file === null) return -EBADF;
  return file.impl instanceof EventFd ? file : -EINVAL;
}

/** Does what `iocb` says: 0, at once or later, when `request` has been or will be completed; -errno when not. */
function perform(
  t: Task,
  context: AioContext,
  request: AioRequest,
  file: FileDescription,
): number | Promise<number> {
  switch (iocbView.getUint16(IOCB_OFF_OPCODE, true)) {
    case IOCB_CMD_PREAD:
      return completeWith(context, request, read(t, file, false));
    case IOCB_CMD_PREADV:
      return completeWith(context, request, read(t, file, true));
    case IOCB_CMD_PWRITE:
      return completeWith(context, request, write(t, file, false));
    case IOCB_CMD_PWRITEV:
      return completeWith(context, request, write(t, file, true));
    case IOCB_CMD_FSYNC:
      return completeWith(context, request, sync(t, file, false));
    case IOCB_CMD_FDSYNC:
      return completeWith(context, request, sync(t, file, true));
    case IOCB_CMD_POLL:
      return poll(context, request, file);
    default:
      return -EINVAL;
  }
}

/** The outcome of a transfer: refused before it began, or what its event will say. */
type Outcome = { refused: number } | { result: SyscallReturn };

function completeWith(
  context: AioContext,
  request: AioRequest,
  outcome: Outcome,
): number | Promise<number> {
  if ("refused" in outcome) return outcome.refused;
  const { result } = outcome;
  const end = (n: number): number => {
    context.complete(request, n === -ERESTARTSYS ? -EINTR : n);
    return 0;
  };
  return typeof result === "number" ? end(result) : result.then(end);
}

function read(t: Task, file: FileDescription, isVector: boolean): Outcome {
  const bufferAt = (addr: number, length: number): UserDst | number =>
    isVector ? t.userDstIov(addr, length) : t.userDst(addr, length);
  return transfer(
    t,
    file,
    file.readable,
    isVector,
    bufferAt,
    (dst, offset, rwf) => {
      const n = doRead(t, file, dst, offset, (rwf & RWF_NOWAIT) !== 0);
      return n === BLOCKED ? t.blocking.afterBlocked() : n;
    },
  );
}

function write(t: Task, file: FileDescription, isVector: boolean): Outcome {
  const bufferAt = (addr: number, length: number): UserSrc | number =>
    isVector ? t.userSrcIov(addr, length) : t.userSrc(addr, length);
  return transfer(
    t,
    file,
    file.writable,
    isVector,
    bufferAt,
    (src, offset, rwf) => doWrite(t, file, src, offset, rwf),
  );
}

/** Moves what `iocb` says, after Linux's checks in their order. `bufferAt` takes a vector's count for its length. */
function transfer<Buffer extends UserDst | UserSrc>(
  t: Task,
  file: FileDescription,
  isAllowed: boolean,
  isVector: boolean,
  bufferAt: (addr: number, length: number) => Buffer | number,
  move: (buffer: Buffer, offset: number, rwf: number) => SyscallReturn,
): Outcome {
  const err = checkTransfer(t, file, isAllowed);
  if (err < 0) return { refused: err };
  const addr = getU64(iocbView, IOCB_OFF_BUF), size = getU64(iocbView, IOCB_OFF_NBYTES);
  const length = isVector ? size : checkRange(addr, size);
  const buffer = length < 0 ? length : bufferAt(addr, length);
  if (typeof buffer === "number") return { refused: buffer };
  const offset = offsetOf(file, buffer.remaining);
  if (offset < AT_OFFSET) return { refused: -EINVAL };
  return { result: move(buffer, offset, iocbView.getUint32(IOCB_OFF_RW_FLAGS, true)) };
}

/** What aio_prep_rw and aio_read ask before they look at the buffers: 0 or -errno. */
function checkTransfer(t: Task, file: FileDescription, isAllowed: boolean): number {
  if ((iocbView.getUint32(IOCB_OFF_FLAGS, true) & IOCB_FLAG_IOPRIO) !== 0) {
    const err = ioprioError(t, iocbView.getUint16(IOCB_OFF_REQPRIO, true));
    if (err < 0) return err;
  }
  const err = checkFlags(iocbView.getUint32(IOCB_OFF_RW_FLAGS, true));
  if (err < 0) return err;
  if (!isAllowed) return -EBADF;
  return (file.inode.mode & S_IFMT) === S_IFDIR ? -EINVAL : 0;
}

/** Where `length` bytes are to be moved: AT_OFFSET in a file without places; less when that cannot be. */
function offsetOf(file: FileDescription, length: number): number {
  const offset = getI64(iocbView, IOCB_OFF_OFFSET);
  if (offset < 0 || passesEnd(offset, length)) return AT_OFFSET - 1;
  return file.impl.seekable ? offset : AT_OFFSET;
}

function hasOperands(): boolean {
  return getU64(iocbView, IOCB_OFF_NBYTES) !== 0 || getU64(iocbView, IOCB_OFF_OFFSET) !== 0 ||
    iocbView.getUint32(IOCB_OFF_RW_FLAGS, true) !== 0;
}

function sync(t: Task, file: FileDescription, dataOnly: boolean): Outcome {
  if (hasOperands() || getU64(iocbView, IOCB_OFF_BUF) !== 0) return { refused: -EINVAL };
  const result = file.impl.fsync(file, dataOnly);
  if (result === -EINVAL) return { refused: -EINVAL };
  return { result: typeof result === "number" ? result : settle(t, file, result) };
}

function poll(context: AioContext, request: AioRequest, file: FileDescription): number {
  const wanted = getU64(iocbView, IOCB_OFF_BUF);
  if (hasOperands() || wanted > 0xffff) return -EINVAL;
  return context.poll(request, file, wanted) ? 0 : -EINVAL;
}

/** io_cancel(2): the event comes as any other. */
export function ioCancel(t: Task, args: SyscallArguments): SyscallReturn {
  const obj = args.addr(1);
  if (t.copyIn(obj + IOCB_OFF_KEY, t.scratch, 0, 4) < 0) return -EFAULT;
  if (t.scratchView.getUint32(0, true) !== 0) return -EINVAL;
  return contextAt(t, args.addr(0))?.cancel(obj) ? -EINPROGRESS : -EINVAL;
}

/** io_getevents(2). */
export function ioGetevents(t: Task, args: SyscallArguments): SyscallReturn {
  const deadline = deadlineAt(t, args.addr(4));
  return deadline < NO_DEADLINE ? deadline : getEvents(t, args, deadline, -EINTR);
}

/** io_pgetevents(2): with the signal mask of a struct __aio_sigset. */
export function ioPgetevents(t: Task, args: SyscallArguments): SyscallReturn {
  const deadline = deadlineAt(t, args.addr(4));
  if (deadline < NO_DEADLINE) return deadline;
  const setAddr = args.addr(5);
  if (setAddr !== 0) {
    if (t.copyIn(setAddr, t.scratch, 0, 16) < 0) return -EFAULT;
    const err = enterSigmask(t, getU64(t.scratchView, 0), getU64(t.scratchView, 8));
    if (err < 0) return err;
  }
  const leave = (n: number): number => {
    if (n === 0 && t.signals.interruptible(t)) n = -ERESTARTNOHAND; // Also if it did not wait.
    leaveSigmask(t, n === -ERESTARTNOHAND);
    return n;
  };
  const n = getEvents(t, args, deadline, -ERESTARTNOHAND);
  return typeof n === "number" ? leave(n) : n.then(leave);
}

/** Of a struct timespec, in which any numbers are a time; -EFAULT. */
function deadlineAt(t: Task, addr: number): number {
  if (addr === 0) return NO_DEADLINE;
  if (t.copyIn(addr, t.scratch, 0, 16) < 0) return -EFAULT;
  const ns = getI64(t.scratchView, 0) * NSEC_PER_SEC + getI64(t.scratchView, 8);
  return ns <= 0 ? 0 : deadlineIn(t, ns);
}

/** `interrupted`: what a signal makes of a wait that brought nothing. */
function getEvents(
  t: Task,
  args: SyscallArguments,
  deadline: number,
  interrupted: number,
): SyscallReturn {
  const least = args.i64(1), most = args.i64(2), addr = args.addr(3);
  const context = contextAt(t, args.addr(0));
  if (context === null || least < 0 || least > most) return -EINVAL;
  const n = collect(t, context, addr, most);
  if (n < 0 || n >= least || deadline === 0) return n;
  return waitForEvents(t, context, addr, n, least, most, deadline, interrupted);
}

async function waitForEvents(
  t: Task,
  context: AioContext,
  addr: number,
  had: number,
  least: number,
  most: number,
  deadline: number,
  interrupted: number,
): Promise<number> {
  let got = had;
  for (;;) {
    const why = await t.blocking.wait(context.waiters, EPOLLIN, deadline);
    if (context.ended) return got > 0 ? got : -EINVAL;
    const n = collect(t, context, addr + got * IO_EVENT_SIZE, most - got);
    if (n < 0) return got > 0 ? got : n;
    got += n;
    if (got >= least) return got;
    if (why !== BLOCK_READY) return got === 0 && why === BLOCK_INTERRUPTED ? interrupted : got;
  }
}

/** Gives up to `most` events to the guest. Returns how many, or -EFAULT when not one could be given. */
function collect(t: Task, context: AioContext, addr: number, most: number): number {
  let done = 0;
  while (done < most && context.eventCount > 0) {
    const n = Math.min(most - done, context.eventCount, BATCH);
    context.put(eventsView, n);
    if (t.copyOut(addr + done * IO_EVENT_SIZE, events, 0, n * IO_EVENT_SIZE) < 0) {
      return done > 0 ? done : -EFAULT;
    }
    context.take(n);
    done += n;
  }
  return done;
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_io_setup, "io_setup", ioSetup, FULL],
  [nr.SYS_io_destroy, "io_destroy", ioDestroy, FULL],
  [nr.SYS_io_getevents, "io_getevents", ioGetevents, FULL],
  [nr.SYS_io_submit, "io_submit", ioSubmit, FULL],
  [nr.SYS_io_cancel, "io_cancel", ioCancel, FULL],
  [nr.SYS_io_pgetevents, "io_pgetevents", ioPgetevents, FULL],
];
