/** eventfd(2). */
import { EINVAL } from "../../platform/abi/errno.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from "../../platform/abi/eventfd.ts";
import { O_RDWR } from "../../platform/abi/fcntl.ts";
import { newEventFd } from "../fsimpl/anon/eventfd.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

export function eventfd(t: Task, args: SyscallArguments): SyscallReturn {
  return doEventfd(t, args.u32(0), 0);
}

export function eventfd2(t: Task, args: SyscallArguments): SyscallReturn {
  return doEventfd(t, args.u32(0), args.i32(1));
}

function doEventfd(t: Task, initial: number, flags: number): number {
  if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) !== 0) return -EINVAL;
  const semaphore = (flags & EFD_SEMAPHORE) !== 0;
  const file = newEventFd(initial, semaphore, O_RDWR | (flags & EFD_NONBLOCK));
  const fd = t.fdTable.install(file, flags & EFD_CLOEXEC);
  if (fd < 0) file.release();
  return fd;
}

export const rows: SyscallRow[] = [
  [284, "eventfd", eventfd, FULL],
  [290, "eventfd2", eventfd2, FULL],
];
