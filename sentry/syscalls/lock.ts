/** File locks: flock(2), and fcntl(2)'s record locks. */
import { SYS_flock } from "../../platform/abi/amd64/syscalls.ts";
import { EAGAIN, EBADF, EFAULT, EINVAL, EOVERFLOW, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { F_OFD_SETLKW, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK } from "../../platform/abi/fcntl.ts";
import {
  FLOCK_OFF_TYPE,
  FLOCK_SIZE,
  getFlock,
  LOCK_EX,
  LOCK_MAND,
  LOCK_NB,
} from "../../platform/abi/fcntl.ts";
import { F_OFD_GETLK, F_OFD_SETLK, LOCK_SH, LOCK_UN, putFlock } from "../../platform/abi/fcntl.ts";
import type { Flock } from "../../platform/abi/fcntl.ts";
import { OFFSET_END } from "../../platform/abi/limits.ts";
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../../platform/abi/unistd.ts";
import { BLOCK_INTERRUPTED } from "../kernel/block.ts";
import { takeBackQuiet } from "../kernel/fd_table.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { type InodeLocks, LOCK_RELEASED, LOCK_TO_EOF, locksOf } from "../vfs/locks.ts";
import { type RecordLock, startWaiting, stopWaiting } from "../vfs/locks.ts";
import { fileArg } from "./path_args.ts";

/** flock(2). */
export function flock(t: Task, args: SyscallArguments): SyscallReturn {
  const operation = args.i32(1);
  if ((operation & LOCK_MAND) !== 0) return 0; // Linux has none of them since 5.5.
  const kind = operation & ~LOCK_NB;
  if (kind !== LOCK_SH && kind !== LOCK_EX && kind !== LOCK_UN) return -EINVAL;
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  if (kind === LOCK_UN) {
    file.inode.locks?.removeWhole(file);
    return 0;
  }
  if (!file.readable && !file.writable) return -EBADF;
  takeBackQuiet();
  const locks = locksOf(file.inode);
  const err = locks.setWhole(file, kind === LOCK_EX, t.tg.pid);
  if (err !== -EAGAIN || (operation & LOCK_NB) !== 0) return err;
  return blockFlock(t, file, locks, kind === LOCK_EX);
}

async function blockFlock(
  t: Task,
  file: FileDescription,
  locks: InodeLocks,
  isExclusive: boolean,
): Promise<number> {
  file.acquire();
  try {
    for (;;) {
      const why = await t.blocking.wait(locks.queue, LOCK_RELEASED, -1);
      if (why === BLOCK_INTERRUPTED) return -ERESTARTSYS;
      const err = locks.setWhole(file, isExclusive, t.tg.pid);
      if (err !== -EAGAIN) return err;
    }
  } finally {
    file.release();
  }
}

/**
 * F_GETLK and F_OFD_GETLK: the first lock in the way, or F_UNLCK. Asked for F_UNLCK, F_OFD_GETLK tells of
 * the open file's own locks.
 */
export function getLock(t: Task, file: FileDescription, cmd: number, addr: number): number {
  const flock = copyInFlock(t, addr);
  if (typeof flock === "number") return flock;
  const isOfd = cmd === F_OFD_GETLK;
  if (!isOfd && flock.type !== F_RDLCK && flock.type !== F_WRLCK) return -EINVAL;
  const request = toRequest(t, file, flock, isOfd);
  if (typeof request === "number") return request;
  if (isOfd && flock.pid !== 0) return -EINVAL;
  const { scratchView } = t; // It has the guest's struct, of which only the type changes if there is none.
  const found = findLock(file, request);
  if (found === null) scratchView.setInt16(FLOCK_OFF_TYPE, F_UNLCK, true);
  else {
    const { type, start, end, pid } = found;
    const len = end === LOCK_TO_EOF ? 0 : end - start + 1;
    putFlock(scratchView, 0, { type, whence: SEEK_SET, start, len, pid });
  }
  return t.copyOut(addr, t.scratch, 0, FLOCK_SIZE);
}

function findLock(file: FileDescription, request: RecordLock): RecordLock | null {
  const { locks } = file.inode;
  if (locks === null) return null;
  return request.type === F_UNLCK ? locks.ownLock(request) : locks.conflict(request);
}

/** F_SETLK, F_SETLKW and their OFD forms. */
export function setLock(
  t: Task,
  fd: number,
  file: FileDescription,
  cmd: number,
  addr: number,
): SyscallReturn {
  const flock = copyInFlock(t, addr);
  if (typeof flock === "number") return flock;
  const isOfd = cmd === F_OFD_SETLK || cmd === F_OFD_SETLKW;
  const request = toRequest(t, file, flock, isOfd);
  if (typeof request === "number") return request;
  if (request.type === F_RDLCK && !file.readable) return -EBADF;
  if (request.type === F_WRLCK && !file.writable) return -EBADF;
  if (isOfd && flock.pid !== 0) return -EINVAL;
  if (request.type === F_UNLCK) return file.inode.locks?.setRecord(request) ?? 0;
  takeBackQuiet();
  const locks = locksOf(file.inode);
  const err = locks.setRecord(request);
  if (err !== -EAGAIN || (cmd !== F_SETLKW && cmd !== F_OFD_SETLKW)) return err;
  return blockRecord(t, fd, file, locks, request, isOfd);
}

async function blockRecord(
  t: Task,
  fd: number,
  file: FileDescription,
  locks: InodeLocks,
  request: RecordLock,
  isOfd: boolean,
): Promise<number> {
  file.acquire();
  try {
    for (;;) {
      const blocker = locks.conflict(request);
      if (blocker !== null) {
        const deadlock = isOfd ? 0 : startWaiting(request.owner, blocker);
        if (deadlock < 0) return deadlock;
        const why = await t.blocking.wait(locks.queue, LOCK_RELEASED, -1);
        if (!isOfd) stopWaiting(request.owner);
        if (why === BLOCK_INTERRUPTED) return -ERESTARTSYS;
        continue;
      }
      const err = locks.setRecord(request);
      // Another thread closed the descriptor meanwhile: nobody would release the lock.
      if (err === 0 && !isOfd && t.fdTable.get(fd) !== file) {
        locks.setRecord({ ...request, type: F_UNLCK });
        return -EBADF;
      }
      return err;
    }
  } finally {
    file.release();
  }
}

function copyInFlock(t: Task, addr: number): Flock | number {
  if (t.copyIn(addr, t.scratch, 0, FLOCK_SIZE) < 0) return -EFAULT;
  return getFlock(t.scratchView, 0);
}

/**
 * The absolute range of struct flock (fcntl(2); Linux: flock_to_posix_lock). What begins or ends beyond
 * LOCK_TO_EOF begins or ends there.
 */
function toRequest(
  t: Task,
  file: FileDescription,
  flock: Flock,
  isOfd: boolean,
): RecordLock | number {
  const { type, whence, len } = flock;
  let base = 0;
  if (whence === SEEK_CUR) base = file.offset;
  else if (whence === SEEK_END) base = file.inode.size;
  else if (whence !== SEEK_SET) return -EINVAL;
  let start = base + flock.start;
  if (start > OFFSET_END) return -EOVERFLOW;
  if (start < 0) return -EINVAL;
  let end = LOCK_TO_EOF;
  if (len > 0) {
    if (start > 1 && start + len >= OFFSET_END) return -EOVERFLOW;
    end = Math.min(start + len - 1, LOCK_TO_EOF);
  } else if (len < 0) {
    if (start + len < 0) return -EINVAL;
    end = Math.min(start - 1, LOCK_TO_EOF);
    start += len;
  }
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  start = Math.min(start, LOCK_TO_EOF);
  const owner = isOfd ? file : t.fdTable;
  return { owner, pid: isOfd ? -1 : t.tg.pid, type, start, end };
}

export const rows: readonly SyscallRow[] = [[SYS_flock, "flock", flock, FULL]];
