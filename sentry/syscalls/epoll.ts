/** epoll(7). */
import { EBADF, EFAULT, EINTR, EINVAL, EPERM } from "../../platform/abi/errno.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_EVENT_SIZE,
  EPOLLIN,
  putEpollEvent,
} from "../../platform/abi/epoll.ts";
import { O_RDWR } from "../../platform/abi/fcntl.ts";
import { EpollFile, type EpollItem } from "../fsimpl/anon/epoll.ts";
import { BLOCK_INTERRUPTED, BLOCK_TIMEOUT } from "../kernel/block.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import { newAnonFile } from "../vfs/anon.ts";
import { pollable } from "./poll.ts";
import { deadlineFromTimespec, deadlineInMs, enterSigmask, leaveSigmask } from "./timeout.ts";

/** Events given by one call at most; more stay on the ready list. */
const MAX_BATCH = 65536;
const MAX_EVENTS = Math.floor(0x7fffffff / EPOLL_EVENT_SIZE);
/** Room for the events of one call; grows with the largest instance that is asked for as many. */
let buffer = new Uint8Array(1024 * EPOLL_EVENT_SIZE);
let view = new DataView(buffer.buffer);

export function epollCreate(t: Task, args: SyscallArguments): SyscallReturn {
  return args.i32(0) <= 0 ? -EINVAL : create(t, 0);
}

export function epollCreate1(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(0);
  return (flags & ~EPOLL_CLOEXEC) !== 0 ? -EINVAL : create(t, flags);
}

function create(t: Task, flags: number): number {
  const file = newAnonFile("[eventpoll]", new EpollFile(), O_RDWR);
  const fd = t.fdTable.install(file, flags);
  if (fd < 0) file.release();
  return fd;
}

export function epollCtl(t: Task, args: SyscallArguments): SyscallReturn {
  const op = args.i32(1), fd = args.i32(2);
  if (op !== EPOLL_CTL_DEL && t.copyIn(args.addr(3), t.scratch, 0, EPOLL_EVENT_SIZE) < 0) {
    return -EFAULT;
  }
  const epollFile = pollable(t, args.i32(0));
  const file = pollable(t, fd);
  if (epollFile === null || file === null) return -EBADF;
  const epoll = epollFile.impl;
  const v = t.scratchView;
  const events = v.getUint32(0, true), lo = v.getUint32(4, true), hi = v.getUint32(8, true);
  if (file.impl.waitQueue === null) return -EPERM; // It cannot be waited for.
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  switch (op) {
    case EPOLL_CTL_ADD:
      return epoll.add(fd, file, events, lo, hi);
    case EPOLL_CTL_MOD:
      return epoll.modify(fd, file, events, lo, hi);
    case EPOLL_CTL_DEL:
      return epoll.delete(fd, file);
    default:
      return -EINVAL;
  }
}

export function epollWait(t: Task, args: SyscallArguments): SyscallReturn {
  const ms = args.i32(3);
  // The deadline is worked out only if the call has to wait.
  return doWait(t, args.i32(0), args.addr(1), args.i32(2), ms, deadlineInMs);
}

/** epoll_pwait(2). */
export function epollPwait(t: Task, args: SyscallArguments): SyscallReturn {
  const err = enterSigmask(t, args.addr(4), args.addr(5));
  if (err < 0) return err;
  const r = doWait(t, args.i32(0), args.addr(1), args.i32(2), args.i32(3), deadlineInMs);
  return withSigmask(t, r);
}

/** epoll_pwait2(2): a timespec instead of milliseconds. */
export function epollPwait2(t: Task, args: SyscallArguments): SyscallReturn {
  const deadline = deadlineFromTimespec(t, args.addr(3));
  if (deadline < -1) return deadline;
  const err = enterSigmask(t, args.addr(4), args.addr(5));
  if (err < 0) return err;
  const r = doWait(t, args.i32(0), args.addr(1), args.i32(2), deadline, asIs);
  return withSigmask(t, r);
}

function asIs(_t: Task, deadline: number): number {
  return deadline;
}

function withSigmask(t: Task, r: SyscallReturn): SyscallReturn {
  if (typeof r === "number") {
    leaveSigmask(t, r === -EINTR);
    return r;
  }
  return r.then((n) => {
    leaveSigmask(t, n === -EINTR);
    return n;
  });
}

/** `timeout`: 0 do not wait, below 0 no limit; `toDeadline` makes a deadline of others. */
function doWait(
  t: Task,
  epfd: number,
  eventsAddr: number,
  maxEvents: number,
  timeout: number,
  toDeadline: (t: Task, timeout: number) => number,
): SyscallReturn {
  const file = pollable(t, epfd);
  if (file === null) return -EBADF;
  if (maxEvents <= 0 || maxEvents > MAX_EVENTS) return -EINVAL;
  if (eventsAddr + maxEvents * EPOLL_EVENT_SIZE > TASK_SIZE_MAX) return -EFAULT;
  const epoll = file.impl;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  const n = collect(t, epoll, eventsAddr, maxEvents);
  if (n !== 0 || timeout === 0) return n;
  file.acquire();
  return blockWait(t, epoll, eventsAddr, maxEvents, toDeadline(t, timeout))
    .finally(() => file.release());
}

async function blockWait(
  t: Task,
  epoll: EpollFile,
  eventsAddr: number,
  maxEvents: number,
  deadline: number,
): Promise<number> {
  for (;;) {
    const why = await t.blocking.wait(epoll.waiters, EPOLLIN, deadline, true);
    const n = collect(t, epoll, eventsAddr, maxEvents);
    if (n !== 0 || why === BLOCK_TIMEOUT) return n;
    if (why === BLOCK_INTERRUPTED) return -EINTR;
  }
}

function put(item: EpollItem, events: number, index: number): void {
  putEpollEvent(view, index * EPOLL_EVENT_SIZE, events, item.dataLo, item.dataHi);
}

function collect(t: Task, epoll: EpollFile, eventsAddr: number, maxEvents: number): number {
  if (!epoll.hasCandidates) return 0;
  const most = Math.min(maxEvents, epoll.size, MAX_BATCH);
  if (most * EPOLL_EVENT_SIZE > buffer.length) {
    buffer = new Uint8Array(most * EPOLL_EVENT_SIZE);
    view = new DataView(buffer.buffer);
  }
  const n = epoll.harvest(most, put);
  if (n === 0) return 0;
  const ok = t.copyOut(eventsAddr, buffer, 0, n * EPOLL_EVENT_SIZE) === 0;
  epoll.settle(ok);
  return ok ? n : -EFAULT;
}

export const rows: SyscallRow[] = [
  [213, "epoll_create", epollCreate, FULL],
  [232, "epoll_wait", epollWait, FULL],
  [233, "epoll_ctl", epollCtl, FULL],
  [281, "epoll_pwait", epollPwait, FULL],
  [291, "epoll_create1", epollCreate1, FULL],
  [441, "epoll_pwait2", epollPwait2, FULL],
];
