/** select(2). */
import { getI64, getU64 } from "../../platform/abi/bytes.ts";
import { EBADF, EFAULT, EINVAL, ERESTARTNOHAND } from "../../platform/abi/errno.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../platform/abi/poll.ts";
import { O_PATH } from "../../platform/abi/fcntl.ts";
import { BLOCK_INTERRUPTED, BLOCK_TIMEOUT } from "../kernel/block.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { pollable, PollWaits } from "./poll.ts";
import {
  deadlineFromTimespec,
  deadlineIn,
  enterSigmask,
  leaveSigmask,
  NO_DEADLINE,
  putRemaining,
} from "./timeout.ts";

const IN_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const OUT_SET = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const EX_SET = POLLPRI;
const INTERRUPTED = -ERESTARTNOHAND;

/** The three sets and their results: in, out, ex, then the same again. */
class Sets {
  readonly inputs: Uint8Array[];
  readonly results: Uint8Array[];
  constructor(readonly nfds: number, readonly addrs: readonly number[], readonly bytes: number) {
    this.inputs = addrs.map(() => new Uint8Array(bytes));
    this.results = addrs.map(() => new Uint8Array(bytes));
  }
}

export function select(t: Task, args: SyscallArguments): SyscallReturn {
  const timeoutAddr = args.addr(4);
  const addrs = [args.addr(1), args.addr(2), args.addr(3)];
  let deadline = NO_DEADLINE;
  if (timeoutAddr !== 0) {
    if (t.copyIn(timeoutAddr, t.scratch, 0, 16) < 0) return -EFAULT;
    const given = getI64(t.scratchView, 8);
    const usec = given % 1e6;
    const sec = getI64(t.scratchView, 0) + Math.trunc(given / 1e6);
    if (sec < 0 || usec < 0) return -EINVAL;
    deadline = sec === 0 && usec === 0 ? 0 : deadlineIn(t, sec * 1e9 + usec * 1000);
  }
  const r = doSelect(t, args.i32(0), addrs, deadline);
  const finish = (n: number): number => {
    putRemaining(t, timeoutAddr, deadline, 1000);
    return n;
  };
  return typeof r === "number" ? finish(r) : r.then(finish);
}

/** pselect6(2): the sixth argument leads to the mask and its size. */
export function pselect6(t: Task, args: SyscallArguments): SyscallReturn {
  const timeoutAddr = args.addr(4), packAddr = args.addr(5);
  const addrs = [args.addr(1), args.addr(2), args.addr(3)];
  let maskAddr = 0, maskSize = 0;
  if (packAddr !== 0) {
    if (t.copyIn(packAddr, t.scratch, 0, 16) < 0) return -EFAULT;
    maskAddr = getU64(t.scratchView, 0);
    maskSize = getU64(t.scratchView, 8);
  }
  const deadline = deadlineFromTimespec(t, timeoutAddr);
  if (deadline < -1) return deadline;
  const err = enterSigmask(t, maskAddr, maskSize);
  if (err < 0) return err;
  const r = doSelect(t, args.i32(0), addrs, deadline);
  const finish = (n: number): number => {
    leaveSigmask(t, n === INTERRUPTED);
    putRemaining(t, timeoutAddr, deadline, 1);
    return n;
  };
  return typeof r === "number" ? finish(r) : r.then(finish);
}

function doSelect(
  t: Task,
  nfds: number,
  addrs: readonly number[],
  deadline: number,
): SyscallReturn {
  if (nfds < 0) return -EINVAL;
  // Linux looks at no more than its descriptor table has room for.
  nfds = Math.min(nfds, Math.max(64, (t.fdTable.limit + 63) & ~63));
  const sets = new Sets(nfds, addrs, Math.ceil(nfds / 64) * 8);
  for (let k = 0; k < 3; k++) {
    if (addrs[k] === 0 || sets.bytes === 0) continue;
    if (t.copyIn(addrs[k], sets.inputs[k], 0, sets.bytes) < 0) return -EFAULT;
  }
  const n = scan(t, sets);
  if (n === 0 && deadline === 0 && t.signals.interruptible(t)) return INTERRUPTED;
  if (n === 0 && deadline !== 0) return blockSelect(t, sets, deadline);
  return n < 0 ? n : report(t, sets, n);
}

function report(t: Task, sets: Sets, n: number): number {
  for (let k = 0; k < 3; k++) {
    if (sets.addrs[k] === 0 || sets.bytes === 0) continue;
    if (t.copyOut(sets.addrs[k], sets.results[k], 0, sets.bytes) < 0) return -EFAULT;
  }
  return n;
}

function scan(t: Task, sets: Sets): number {
  const [inSet, outSet, exSet] = sets.inputs;
  for (const result of sets.results) result.fill(0);
  let n = 0;
  for (let at = 0; at < sets.bytes; at++) {
    const wanted = inSet[at] | outSet[at] | exSet[at];
    for (let left = wanted; left !== 0; left &= left - 1) {
      const bit = left & -left;
      const fd = at * 8 + 31 - Math.clz32(bit);
      if (fd >= sets.nfds) break;
      const file = t.fdTable.get(fd);
      if (file === null) return -EBADF;
      // A mere place has POLLNVAL, which is in each of Linux's sets.
      const events = (file.flags & O_PATH) !== 0 ? -1 : file.impl.readiness();
      n += mark(sets, 0, at, bit, events & IN_SET);
      n += mark(sets, 1, at, bit, events & OUT_SET);
      n += mark(sets, 2, at, bit, events & EX_SET);
    }
  }
  return n;
}

function mark(sets: Sets, k: number, at: number, bit: number, events: number): number {
  if (events === 0 || (sets.inputs[k][at] & bit) === 0) return 0;
  sets.results[k][at] |= bit;
  return 1;
}

async function blockSelect(t: Task, sets: Sets, deadline: number): Promise<number> {
  const waits = new PollWaits();
  for (let fd = 0; fd < sets.nfds; fd++) {
    const at = fd >> 3, bit = 1 << (fd & 7);
    let mask = 0;
    if ((sets.inputs[0][at] & bit) !== 0) mask |= IN_SET;
    if ((sets.inputs[1][at] & bit) !== 0) mask |= OUT_SET;
    if ((sets.inputs[2][at] & bit) !== 0) mask |= EX_SET;
    if (mask === 0) continue;
    const file = pollable(t, fd);
    if (file !== null) waits.add(file, mask);
  }
  try {
    for (;;) {
      const why = await waits.wait(t, deadline);
      const n = scan(t, sets);
      if (n < 0) return n;
      if (n > 0 || why === BLOCK_TIMEOUT) return report(t, sets, n);
      if (why === BLOCK_INTERRUPTED) return INTERRUPTED;
    }
  } finally {
    waits.release();
  }
}

export const rows: SyscallRow[] = [
  [23, "select", select, FULL],
  [270, "pselect6", pselect6, FULL],
];
