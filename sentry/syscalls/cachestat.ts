/** cachestat(2): how much of a file is in memory. */
import { SYS_cachestat } from "../../platform/abi/amd64/syscalls.ts";
import { getU64, setU64 } from "../../platform/abi/bytes.ts";
import { EFAULT, EINVAL, EPERM } from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { inodePermission, isOwnerOrCapable, MAY_WRITE } from "../vfs/namei.ts";
import { fileArg } from "./path_args.ts";

/** struct cachestat_range: off, len. */
const RANGE_SIZE = 16;
/** struct cachestat: nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted. */
const CACHESTAT_SIZE = 40;

/** cachestat(2). Nothing in memory waits to be written elsewhere, and nothing was evicted. */
export function cachestat(t: Task, args: SyscallArguments): number {
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  if (t.copyIn(args.addr(1), t.scratch, 0, RANGE_SIZE) < 0) return -EFAULT;
  const offset = getU64(t.scratchView, 0);
  const length = getU64(t.scratchView, 8);
  if (!maySee(t, file)) return -EPERM;
  if (args.u32(3) !== 0) return -EINVAL;
  const pages = cachedPages(file, offset, length);
  if (pages < 0) return pages;
  const bytes = new Uint8Array(CACHESTAT_SIZE);
  setU64(new DataView(bytes.buffer), 0, pages);
  return t.copyOut(args.addr(2), bytes, 0, CACHESTAT_SIZE);
}

/** Who could change the file: others must not learn what is read of it. */
function maySee(t: Task, file: FileDescription): boolean {
  return file.writable || isOwnerOrCapable(t.creds, file.inode) ||
    inodePermission(t.creds, file.inode, MAY_WRITE) === 0;
}

/** A length of 0 is all from the offset on; what ends beyond all offsets is nothing. */
function cachedPages(file: FileDescription, offset: number, length: number): number {
  if (offset + length > 2 ** 64) return 0;
  const last = length === 0 ? Infinity : Math.floor((offset + length - 1) / PAGE_SIZE);
  return file.impl.cachedPages?.(Math.floor(offset / PAGE_SIZE), last) ?? 0;
}

export const rows: readonly SyscallRow[] = [
  [SYS_cachestat, "cachestat", cachestat, PARTIAL, "not of host files"],
];
