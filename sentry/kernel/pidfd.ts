/** New pidfds: pidfd_open(2), clone(2)'s CLONE_PIDFD, sockets that tell of a peer. */
import { EINVAL } from "../../platform/abi/errno.ts";
import { O_CLOEXEC } from "../../platform/abi/fcntl.ts";
import type { Task } from "./task.ts";

/** A new descriptor of `t`'s for `target`, or -errno. `isThread`: PIDFD_THREAD. */
export function installPidfd(
  t: Task,
  target: Task,
  isThread: boolean,
  nonblocking: boolean,
): number {
  const { pidFiles } = t.kernel;
  if (pidFiles === null) return -EINVAL;
  const file = pidFiles.open(target, isThread, nonblocking);
  const fd = t.fdTable.install(file, O_CLOEXEC);
  if (fd < 0) file.release();
  return fd;
}
