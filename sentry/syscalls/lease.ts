/** Leases: fcntl(2)'s F_SETLEASE, and waiting for a lease that is in the way. */
import { CAP_LEASE } from "../../platform/abi/capability.ts";
import { EPOLLIN } from "../../platform/abi/epoll.ts";
import { EACCES, EAGAIN, EINVAL, ERESTARTSYS } from "../../platform/abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "../../platform/abi/fcntl.ts";
import { S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import { hasCapability } from "../auth/credentials.ts";
import { BLOCK_INTERRUPTED, BLOCK_TIMEOUT } from "../kernel/block.ts";
import { takeBackQuiet } from "../kernel/fd_table.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { expireLeases, leaseSettings, removeLease, setLease } from "../vfs/leases.ts";
import { takePendingBreak } from "../vfs/leases.ts";
import { type InodeLocks, LOCK_RELEASED } from "../vfs/locks.ts";
import { ensureOwner } from "./async_owner.ts";

/** F_SETLEASE. */
export function doSetLease(t: Task, fd: number, file: FileDescription, type: number): number {
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  takeBackQuiet();
  const { inode } = file;
  if (t.creds.fsuid !== inode.uid && !hasCapability(t.creds, CAP_LEASE)) return -EACCES;
  if ((inode.mode & S_IFMT) !== S_IFREG) return -EINVAL;
  if (type === F_UNLCK) return removeLease(file);
  if (type === F_RDLCK && inode.writeCount > 0) return -EAGAIN;
  if (type === F_WRLCK && isOpenElsewhere(t, file)) return -EAGAIN;
  const owner = ensureOwner(t, fd, file);
  return setLease(file, type, t.tg.pid, () => owner.wake(EPOLLIN, EPOLLIN));
}

/** Whether another open file shares the inode. */
function isOpenElsewhere(t: Task, file: FileDescription): boolean {
  const seen = new Set<object>();
  for (const other of t.kernel.tasks.values()) {
    if (other.exiting || seen.has(other.fdTable)) continue;
    seen.add(other.fdTable);
    for (const [, each] of other.fdTable) {
      if (each !== file && each.inode === file.inode) return true;
    }
  }
  return false;
}

/**
 * Runs `attempt`; when a lease stops it (-EAGAIN with a pending break) and `mayBlock`, waits until the
 * lease is gone or its time over, and tries again.
 */
export function withLeaseBreak(
  t: Task,
  mayBlock: boolean,
  attempt: () => number | Promise<number>,
): number | Promise<number> {
  takePendingBreak(); // Of an earlier call that did not ask.
  const result = attempt();
  if (result !== -EAGAIN) return result;
  const locks = takePendingBreak();
  return locks === null || !mayBlock ? result : waitForLease(t, locks, attempt);
}

async function waitForLease(
  t: Task,
  first: InodeLocks,
  attempt: () => number | Promise<number>,
): Promise<number> {
  let locks = first;
  for (;;) {
    const deadline = t.kernel.nowMonoNs() + leaseSettings.breakTimeSec * 1e9;
    const why = await t.blocking.wait(locks.queue, LOCK_RELEASED, deadline);
    if (why === BLOCK_INTERRUPTED) return -ERESTARTSYS;
    if (why === BLOCK_TIMEOUT) expireLeases(locks);
    takePendingBreak();
    const result = await attempt();
    const pending = result === -EAGAIN ? takePendingBreak() : null;
    if (pending === null) return result;
    locks = pending;
  }
}
