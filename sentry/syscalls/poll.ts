/** poll(2). select(2) is in select.ts. */
import { EFAULT, EINVAL, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from "../../platform/abi/errno.ts";
import { O_PATH } from "../../platform/abi/fcntl.ts";
import {
  POLLERR,
  POLLFD_OFF_EVENTS,
  POLLFD_OFF_FD,
  POLLFD_OFF_REVENTS,
  POLLFD_SIZE,
  POLLHUP,
  POLLNVAL,
} from "../../platform/abi/poll.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import { RLIMIT_NOFILE } from "../../platform/abi/resource.ts";
import { BLOCK_INTERRUPTED, BLOCK_TIMEOUT } from "../kernel/block.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { WaitEntry, WaitQueue } from "../wait/queue.ts";
import {
  deadlineFromTimespec,
  deadlineInMs,
  enterSigmask,
  leaveSigmask,
  putRemaining,
} from "./timeout.ts";

const REVENTS_SIZE = 2;
const ALWAYS = POLLERR | POLLHUP;
/** An interruption, before the caller decides what it means. */
const INTERRUPTED = -ERESTARTNOHAND;

/** The pollfd array of the call being served; copied when the call blocks. */
let buffer = new Uint8Array(64 * POLLFD_SIZE);
let view = new DataView(buffer.buffer);

export function poll(t: Task, args: SyscallArguments): SyscallReturn {
  const fdsAddr = args.addr(0), nfds = args.u32(1);
  const deadline = deadlineInMs(t, args.i32(2));
  return restartablePoll(t, fdsAddr, nfds, deadline);
}

/** poll(2) goes on after a stop or an ignored signal with the deadline it had. */
function restartablePoll(t: Task, fdsAddr: number, nfds: number, deadline: number): SyscallReturn {
  const r = doPoll(t, fdsAddr, nfds, deadline);
  if (typeof r === "number") return r;
  return r.then((n) => {
    if (n !== INTERRUPTED) return n;
    t.restartBlock = () => restartablePoll(t, fdsAddr, nfds, deadline);
    return -ERESTART_RESTARTBLOCK;
  });
}

/** ppoll(2). */
export function ppoll(t: Task, args: SyscallArguments): SyscallReturn {
  const fdsAddr = args.addr(0), nfds = args.u32(1), timeoutAddr = args.addr(2);
  const deadline = deadlineFromTimespec(t, timeoutAddr);
  if (deadline < -1) return deadline;
  const err = enterSigmask(t, args.addr(3), args.addr(4));
  if (err < 0) return err;
  const finish = (n: number): number => {
    // A signal that the mask lets in ends the call even if it does not wait.
    if (n === 0 && deadline === 0 && t.signals.interruptible(t)) n = INTERRUPTED;
    leaveSigmask(t, n === INTERRUPTED);
    putRemaining(t, timeoutAddr, deadline, 1);
    return n;
  };
  const r = doPoll(t, fdsAddr, nfds, deadline);
  return typeof r === "number" ? finish(r) : r.then(finish);
}

/** `deadline`: -1 none, 0 do not wait. Returns the count, -errno, or -ERESTARTNOHAND. */
function doPoll(t: Task, fdsAddr: number, nfds: number, deadline: number): SyscallReturn {
  if (nfds > t.tg.limits.cur[RLIMIT_NOFILE]) return -EINVAL;
  const size = nfds * POLLFD_SIZE;
  if (size > buffer.length) {
    buffer = new Uint8Array(2 * size);
    view = new DataView(buffer.buffer);
  }
  if (size > 0 && t.copyIn(fdsAddr, buffer, 0, size) < 0) return -EFAULT;
  const changed: number[] = [];
  const n = scan(t, view, nfds, changed);
  if (n === 0 && deadline !== 0) {
    return blockPoll(t, fdsAddr, buffer.slice(0, size), nfds, deadline, changed);
  }
  return report(t, fdsAddr, buffer, size, changed) < 0 ? -EFAULT : n;
}

/** Stores the revents at the `changed` offsets of `bytes`. The others stand there already, if they can be written. */
function report(
  t: Task,
  fdsAddr: number,
  bytes: Uint8Array,
  size: number,
  changed: readonly number[],
): number {
  for (const at of changed) {
    if (t.copyOut(fdsAddr + at, bytes, at, at + REVENTS_SIZE) < 0) return -EFAULT;
  }
  return t.mm.accessible(fdsAddr, size, PROT_WRITE) ? 0 : -EFAULT;
}

/** The file of a descriptor that can be polled; O_PATH ones are as good as closed. */
export function pollable(t: Task, fd: number): FileDescription | null {
  const file = t.fdTable.get(fd);
  return file === null || (file.flags & O_PATH) !== 0 ? null : file;
}

/** Puts the revents into `v`, and the offsets of those that are others than before into `changed`. Returns the count. */
function scan(t: Task, v: DataView, nfds: number, changed: number[]): number {
  let n = 0;
  for (let i = 0, at = 0; i < nfds; i++, at += POLLFD_SIZE) {
    const fd = v.getInt32(at + POLLFD_OFF_FD, true);
    let revents = 0;
    if (fd >= 0) {
      const file = pollable(t, fd);
      if (file === null) revents = POLLNVAL;
      else {
        const events = v.getUint16(at + POLLFD_OFF_EVENTS, true) | ALWAYS;
        revents = file.impl.readiness() & events;
      }
      if (revents !== 0) n++;
    }
    const place = at + POLLFD_OFF_REVENTS;
    if (v.getUint16(place, true) === revents) continue;
    v.setUint16(place, revents, true);
    changed.push(place);
  }
  return n;
}

async function blockPoll(
  t: Task,
  fdsAddr: number,
  bytes: Uint8Array,
  nfds: number,
  deadline: number,
  changed: number[],
): Promise<number> {
  const v = new DataView(bytes.buffer);
  const waits = new PollWaits();
  for (let i = 0, at = 0; i < nfds; i++, at += POLLFD_SIZE) {
    const file = pollable(t, v.getInt32(at + POLLFD_OFF_FD, true));
    if (file !== null) waits.add(file, v.getUint16(at + POLLFD_OFF_EVENTS, true) | ALWAYS);
  }
  try {
    for (;;) {
      const why = await waits.wait(t, deadline);
      const n = scan(t, v, nfds, changed);
      if (n > 0 || why === BLOCK_TIMEOUT) {
        return report(t, fdsAddr, bytes, bytes.length, changed) < 0 ? -EFAULT : n;
      }
      if (why === BLOCK_INTERRUPTED) return INTERRUPTED;
    }
  } finally {
    waits.release();
  }
}

/** The wait queues of one blocked poll or select. Holds a reference of each file. */
export class PollWaits {
  readonly #files: FileDescription[] = [];
  readonly #queues: WaitQueue[] = [];
  readonly #entries: WaitEntry[] = [];
  #target: WaitEntry | null = null;

  add(file: FileDescription, mask: number): void {
    const queue = file.impl.waitQueue;
    if (queue === null) return;
    this.#files.push(file.acquire());
    this.#queues.push(queue);
    this.#entries.push({
      mask,
      wake: (events, signalled) => this.#target?.wake(events, signalled),
    });
  }

  /** Returns BLOCK_*; there must be no await between the last look at readiness and this. */
  wait(t: Task, deadline: number): Promise<number> {
    return t.blocking.waitMany(this.#register, this.#unregister, deadline);
  }

  readonly #register = (target: WaitEntry): void => {
    this.#target = target;
    for (let i = 0; i < this.#queues.length; i++) this.#queues[i].add(this.#entries[i]);
  };
  readonly #unregister = (): void => {
    this.#target = null;
    for (let i = this.#queues.length - 1; i >= 0; i--) this.#queues[i].remove(this.#entries[i]);
  };

  release(): void {
    for (const file of this.#files) file.release();
  }
}

export const rows: SyscallRow[] = [
  [7, "poll", poll, FULL],
  [271, "ppoll", ppoll, FULL],
];
