/** Inodes of /proc/PID: they belong to a task, and are owned by whoever the task is now. */
import { EACCES, ENOENT, ESRCH } from "../../../platform/abi/errno.ts";
import { S_IFDIR } from "../../../platform/abi/stat.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { Attributes, Inode } from "../../vfs/inode.ts";
import type { PathRef } from "../../vfs/mount.ts";
import { currentTask } from "../kernfs/caller.ts";
import { DynamicDir } from "../kernfs/dir.ts";
import type { KernFilesystem, KernInode } from "../kernfs/inode.ts";
import { MagicLink } from "../kernfs/link.ts";
import { type GeneratedText, KernText, type Store } from "../kernfs/text.ts";
import { isDumpable, isGone, mayPtrace } from "./access.ts";

/** task_dump_owner: directories everyone may enter show the owner always. */
export function setOwner(inode: KernInode, t: Task): number {
  const shows = inode.mode === (S_IFDIR | 0o555) || isDumpable(t);
  inode.uid = shows ? t.creds.euid : 0;
  inode.gid = shows ? t.creds.egid : 0;
  return isGone(t) ? -ENOENT : 0;
}

export type TaskGenerate = (t: Task, file: FileDescription) => GeneratedText | number;
export type TaskStore = (t: Task, value: string, file: FileDescription) => number;

/** A generated file of a task. `guarded`: only who may ptrace the task can open it. */
export class TaskText extends KernText {
  constructor(
    fs: KernFilesystem,
    readonly task: Task,
    mode: number,
    generate: TaskGenerate,
    store: TaskStore | null = null,
    readonly guarded = false,
  ) {
    const storeFor: Store | null = store === null
      ? null
      : (value, file) => isGone(task) ? -ESRCH : store(task, value, file);
    super(fs, mode, (file) => isGone(task) ? -ESRCH : generate(task, file), storeFor);
    setOwner(this, task);
  }

  override checkOpen(): number {
    if (isGone(this.task)) return -ESRCH;
    return this.guarded && !mayPtrace(currentTask(), this.task) ? -EACCES : 0;
  }
  override refresh(): number {
    return setOwner(this, this.task);
  }
  override setattr(attr: Attributes, creds: Credentials): number {
    const err = this.refuseModeAndOwner(attr);
    return err < 0 ? err : super.setattr(attr, creds);
  }
}

/** A directory of a task. */
export abstract class TaskDynamicDir extends DynamicDir {
  constructor(fs: KernFilesystem, readonly task: Task, mode = 0o555) {
    super(fs, mode);
    setOwner(this, task);
  }

  /** `find` of a task that still exists. */
  protected abstract findLive(name: string): Inode | number;

  override find(name: string): Inode | number {
    return isGone(this.task) ? -ESRCH : this.findLive(name); // Linux: proc_pid_permission.
  }
  override refresh(): number {
    return setOwner(this, this.task);
  }
  override setattr(attr: Attributes, creds: Credentials): number {
    const err = this.refuseModeAndOwner(attr);
    return err < 0 ? err : super.setattr(attr, creds);
  }
}

/** A magic link of a task, for those who may ptrace it. */
export class TaskLink extends MagicLink {
  constructor(
    fs: KernFilesystem,
    readonly task: Task,
    mode: number,
    text: (t: Task) => string | number,
    follow: (t: Task, creds: Credentials) => PathRef | number,
  ) {
    const check = (): number =>
      isGone(task) ? -ENOENT : mayPtrace(currentTask(), task) ? 0 : -EACCES;
    super(
      fs,
      mode,
      () => {
        const err = check();
        return err < 0 ? err : text(task);
      },
      (creds) => {
        const err = check();
        return err < 0 ? err : follow(task, creds);
      },
    );
    setOwner(this, task);
  }

  override refresh(): number {
    return setOwner(this, this.task);
  }
}
