/** pidfd_open(2): a file that names a process or thread, readable once it has exited. */
import { EPOLLHUP, EPOLLIN, EPOLLRDNORM } from "../../../platform/abi/epoll.ts";
import { O_NONBLOCK, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { PIDFD_NONBLOCK, PIDFD_THREAD } from "../../../platform/abi/pidfd.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, TASK_DEAD, TASK_ZOMBIE } from "../../kernel/task.ts";
import type { ThreadGroup } from "../../kernel/thread_group.ts";
import { newAnonFile } from "../../vfs/anon.ts";
import { FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import type { WaitQueue } from "../../wait/queue.ts";

export class PidFd extends FileDescriptionImpl {
  constructor(readonly target: Task, readonly isThread: boolean) {
    super();
  }
  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.target.tg.exitQueue;
  }
  override readiness(): number {
    const t = this.target;
    if (t.state === TASK_DEAD) return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
    const gone = this.isThread ? t.state === TASK_ZOMBIE : t.tg.exited;
    return gone ? EPOLLIN | EPOLLRDNORM : 0;
  }
}

function open(target: Task, thread: boolean, nonblocking: boolean): FileDescription {
  const flags = O_RDWR | (nonblocking ? O_NONBLOCK : 0);
  return newAnonFile("[pidfd]", new PidFd(target, thread), flags);
}

/** A pidfd for a process; `flags`: PIDFD_NONBLOCK, PIDFD_THREAD. The caller owns the file. */
export function newPidfd(_kernel: Kernel, tg: ThreadGroup, flags: number): FileDescription {
  return open(tg.leader, (flags & PIDFD_THREAD) !== 0, (flags & PIDFD_NONBLOCK) !== 0);
}

/** Tells the kernel how pidfds are made; at boot. */
export function installPidFiles(kernel: Kernel): void {
  kernel.pidFiles = {
    open,
    target: (file) => file.impl instanceof PidFd ? file.impl.target : null,
  };
}
