/** /proc/PID/mounts and mountinfo: poll(2) tells of a change of the mounts once (proc(5)). */
import { EPOLLERR, EPOLLIN, EPOLLPRI, EPOLLRDNORM } from "../../../platform/abi/epoll.ts";
import { EINVAL } from "../../../platform/abi/errno.ts";
import type { Task } from "../../kernel/task.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { MountNamespace, PathRef } from "../../vfs/mount.ts";
import type { WaitQueue } from "../../wait/queue.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { TextFile } from "../kernfs/text.ts";
import { TaskText } from "./task_inode.ts";

export class MountsInode extends TaskText {
  constructor(
    fs: KernFilesystem,
    t: Task,
    describe: (ns: MountNamespace, root: PathRef) => string,
  ) {
    super(fs, t, 0o444, (task) => task.exiting ? -EINVAL : describe(task.ns.mount, task.fs.root));
  }

  override open(file: FileDescription): number {
    if (this.task.exiting) return -EINVAL;
    const err = this.checkOpen();
    if (err < 0) return err;
    file.impl = new MountsFile(this.task.ns.mount);
    return 0;
  }
}

class MountsFile extends TextFile {
  /** The namespace's last change that a poll has told of. */
  #toldEvent: number;

  constructor(readonly ns: MountNamespace) {
    super();
    this.#toldEvent = ns.event;
  }
  override get waitQueue(): WaitQueue {
    return this.ns.changed;
  }
  override readiness(): number {
    const always = EPOLLIN | EPOLLRDNORM;
    if (this.#toldEvent === this.ns.event) return always;
    this.#toldEvent = this.ns.event;
    return always | EPOLLERR | EPOLLPRI;
  }
}
