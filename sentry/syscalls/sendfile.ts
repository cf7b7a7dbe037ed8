/** sendfile(2), copy_file_range(2). */
import { EBADF, EFAULT, EINVAL, EISDIR, ESPIPE, EXDEV } from "../../platform/abi/errno.ts";
import { O_APPEND } from "../../platform/abi/fcntl.ts";
import { MAX_RW_COUNT } from "../../platform/abi/limits.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { pollable } from "./poll.ts";
import { passesEnd } from "./rw.ts";
import { limitWrite } from "./size_limit.ts";
import { copyInOffset, FileTransfer, isSpliceable, runTransfer } from "./transfer.ts";

export function sendfile(t: Task, args: SyscallArguments): SyscallReturn {
  const offsetAddr = args.addr(2);
  const offset = copyInOffset(t, offsetAddr);
  if (offset === -EFAULT) return offset;
  const input = pollable(t, args.i32(1));
  if (input === null || !input.readable) return -EBADF;
  if (offsetAddr !== 0 && !input.impl.seekable) return -ESPIPE;
  if (offset < -1) return offset;
  if (passesEnd(offset, args.addr(3))) return -EINVAL;
  const output = pollable(t, args.i32(0));
  if (output === null || !output.writable) return -EBADF;
  if (!input.impl.seekable || (output.flags & O_APPEND) !== 0) return -EINVAL;
  const count = Math.min(args.addr(3), MAX_RW_COUNT);
  if (count === 0) return 0;
  if (!isSpliceable(input)) return -EINVAL;
  const x = new FileTransfer(t, input, offset, output, -1, count);
  return runTransfer(t, x, (n) => {
    t.io.countCopy(n);
    if (offset < 0) return n;
    return t.copyOutI64(offsetAddr, x.inOffset) < 0 ? -EFAULT : n;
  });
}

/** copy_file_range(2). */
export function copyFileRange(t: Task, args: SyscallArguments): SyscallReturn {
  const inAddr = args.addr(1), outAddr = args.addr(3);
  const input = pollable(t, args.i32(0)), output = pollable(t, args.i32(2));
  if (input === null || output === null) return -EBADF;
  const inOffset = copyInOffset(t, inAddr), outOffset = copyInOffset(t, outAddr);
  if (inOffset < -1) return inOffset;
  if (outOffset < -1) return outOffset;
  if (args.u32(5) !== 0) return -EINVAL;
  const err = checkCopy(input, output);
  if (err < 0) return err;
  const start = inOffset < 0 ? input.offset : inOffset;
  const target = outOffset < 0 ? output.offset : outOffset;
  if (input.inode.fs.revalidates) input.inode.refresh();
  const wanted = Math.min(args.addr(4), MAX_RW_COUNT, Math.max(0, input.inode.size - start));
  const count = limitWrite(t, output, target, wanted);
  if (count < 0) return count;
  if (input.inode === output.inode && start < target + count && target < start + count) {
    return -EINVAL;
  }
  if (count === 0) return 0;
  const x = new FileTransfer(t, input, inOffset, output, outOffset, count);
  return runTransfer(t, x, (n) => {
    t.io.countCopy(n);
    if (inOffset >= 0 && t.copyOutI64(inAddr, x.inOffset) < 0) return -EFAULT;
    if (outOffset >= 0 && t.copyOutI64(outAddr, x.outOffset) < 0) return -EFAULT;
    return n;
  });
}

function checkCopy(input: FileDescription, output: FileDescription): number {
  const inType = input.inode.mode & S_IFMT, outType = output.inode.mode & S_IFMT;
  if (inType === S_IFDIR || outType === S_IFDIR) return -EISDIR;
  if (inType !== S_IFREG || outType !== S_IFREG) return -EINVAL;
  if (!input.readable || !output.writable || (output.flags & O_APPEND) !== 0) return -EBADF;
  return input.inode.fs === output.inode.fs ? 0 : -EXDEV;
}

export const rows: SyscallRow[] = [
  [40, "sendfile", sendfile, FULL],
  [326, "copy_file_range", copyFileRange, FULL],
];
