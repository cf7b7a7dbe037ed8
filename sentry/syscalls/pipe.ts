/** pipe(2). */
import { EFAULT, EINVAL, ENOPKG } from "../../platform/abi/errno.ts";
import { O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK } from "../../platform/abi/fcntl.ts";
import { newPipe } from "../fsimpl/pipe/mod.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";

/** Linux's O_NOTIFICATION_PIPE. */
const O_NOTIFICATION_PIPE = O_EXCL;
const fds = new Int32Array(2);

export function pipe(t: Task, args: SyscallArguments): SyscallReturn {
  return doPipe2(t, args.addr(0), 0);
}

/** pipe2(2). */
export function pipe2(t: Task, args: SyscallArguments): SyscallReturn {
  return doPipe2(t, args.addr(0), args.i32(1));
}

function doPipe2(t: Task, fdsAddr: number, flags: number): number {
  const known = O_NONBLOCK | O_CLOEXEC | O_DIRECT | O_NOTIFICATION_PIPE;
  if ((flags & ~known) !== 0) return -EINVAL;
  if ((flags & O_NOTIFICATION_PIPE) !== 0) return -ENOPKG;
  const [reader, writer] = newPipe(flags, t.creds.fsuid, t.creds.fsgid);
  return installPair(t, reader, writer, flags, fdsAddr);
}

/** Gives two new files numbers and tells the guest; leaves nothing behind when one of it fails. */
export function installPair(
  t: Task,
  a: FileDescription,
  b: FileDescription,
  flags: number,
  fdsAddr: number,
): number {
  const err = t.fdTable.installPair(a, b, flags & O_CLOEXEC, fds);
  if (err < 0) {
    a.release();
    b.release();
    return err;
  }
  t.scratchView.setInt32(0, fds[0], true);
  t.scratchView.setInt32(4, fds[1], true);
  if (t.copyOut(fdsAddr, t.scratch, 0, 8) < 0) {
    // Linux leaks no descriptor the caller was not told about.
    t.fdTable.close(fds[0]);
    t.fdTable.close(fds[1]);
    return -EFAULT;
  }
  return 0;
}

export const rows: SyscallRow[] = [
  [22, "pipe", pipe, FULL],
  [293, "pipe2", pipe2, FULL],
];
