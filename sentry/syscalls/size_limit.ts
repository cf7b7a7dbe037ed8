/** RLIMIT_FSIZE, which bounds where a file may be written and how long it may be made. */
import { EFBIG } from "../../platform/abi/errno.ts";
import { RLIM_INFINITY, RLIMIT_FSIZE } from "../../platform/abi/resource.ts";
import { SIGXFSZ } from "../../platform/abi/signal.ts";
import { S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { raiseSignal } from "../kernel/signal.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";

/**
 * How many of `count` bytes may be written to `file` at `offset`; -EFBIG, with SIGXFSZ, from the limit on (Linux:
 * generic_write_check_limits).
 */
export function limitWrite(
  t: Task,
  file: FileDescription,
  offset: number,
  count: number,
): number {
  const limit = sizeLimit(t);
  if (limit === RLIM_INFINITY || !file.impl.isSizeLimited) return count;
  if ((file.inode.mode & S_IFMT) !== S_IFREG) return count;
  return offset >= limit ? fileTooBig(t) : Math.min(count, limit - offset);
}

/** No file may be made longer than this; RLIM_INFINITY without a limit. */
export function sizeLimit(t: Task): number {
  return t.tg.limits.cur[RLIMIT_FSIZE];
}

/** The result of making a file `size` bytes long: where that was refused for the limit, a signal says so. */
export function resized(t: Task, size: number, result: number): number {
  return result === -EFBIG && size > sizeLimit(t) ? fileTooBig(t) : result;
}

function fileTooBig(t: Task): number {
  raiseSignal(t, SIGXFSZ);
  return -EFBIG;
}
