/** signalfd(2). */
import { EBADF, EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { O_RDWR } from "../../platform/abi/fcntl.ts";
import { SFD_CLOEXEC, SFD_NONBLOCK } from "../../platform/abi/signal.ts";
import { newSignalFd, SignalFd } from "../fsimpl/anon/signalfd.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { pollable } from "./poll.ts";

export function signalfd(t: Task, args: SyscallArguments): SyscallReturn {
  return doSignalfd(t, args.i32(0), args.addr(1), args.addr(2), 0);
}

export function signalfd4(t: Task, args: SyscallArguments): SyscallReturn {
  return doSignalfd(t, args.i32(0), args.addr(1), args.addr(2), args.i32(3));
}

function doSignalfd(t: Task, fd: number, maskAddr: number, size: number, flags: number): number {
  if (size !== 8) return -EINVAL;
  if (t.copyIn(maskAddr, t.scratch, 0, 8) < 0) return -EFAULT;
  const lo = t.scratchView.getUint32(0, true), hi = t.scratchView.getUint32(4, true);
  if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) !== 0) return -EINVAL;
  if (fd !== -1) {
    const file = pollable(t, fd);
    if (file === null) return -EBADF;
    if (!(file.impl instanceof SignalFd)) return -EINVAL;
    file.impl.setMask(lo, hi);
    return fd;
  }
  const file = newSignalFd(t, lo, hi, O_RDWR | (flags & SFD_NONBLOCK));
  const newFd = t.fdTable.install(file, flags & SFD_CLOEXEC);
  if (newFd < 0) file.release();
  return newFd;
}

export const rows: SyscallRow[] = [
  [282, "signalfd", signalfd, FULL],
  [289, "signalfd4", signalfd4, FULL],
];
