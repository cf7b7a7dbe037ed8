/** /proc/PID/fd and fdinfo. */
import { EACCES, ENOENT } from "../../../platform/abi/errno.ts";
import { O_CLOEXEC } from "../../../platform/abi/fcntl.ts";
import { DT_LNK, DT_REG } from "../../../platform/abi/dirent.ts";
import { S_IFLNK } from "../../../platform/abi/stat.ts";
import type { Task } from "../../kernel/task.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import { linkText } from "../../vfs/path_text.ts";
import { currentTask } from "../kernfs/caller.ts";
import type { KeyedEntry } from "../kernfs/dir.ts";
import { lockLines } from "../../vfs/locks.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { isGone, mayPtrace } from "./access.ts";
import { TaskDynamicDir, TaskLink, TaskText } from "./task_inode.ts";

/** The open file of a descriptor, null when the task has none any more. */
function fileOf(t: Task, fd: number): FileDescription | null {
  return t.exiting ? null : t.fdTable.settle().get(fd);
}

/** A directory with an entry for each open descriptor. */
abstract class DescriptorDir<T extends Inode> extends TaskDynamicDir {
  /** Inodes made so far, by descriptor. They stand for the number, whatever file it is. */
  readonly #made = new Map<number, T>();

  protected abstract make(fd: number): T;
  protected abstract readonly entryType: number;
  /** Brings what depends on the file up to date. */
  protected update(_inode: T, _file: FileDescription): void {}

  protected override findLive(name: string): Inode | number {
    if (!/^(0|[1-9][0-9]{0,8})$/.test(name)) return -ENOENT;
    const fd = Number(name);
    const file = fileOf(this.task, fd);
    if (file === null) {
      this.#made.delete(fd);
      return -ENOENT;
    }
    let inode = this.#made.get(fd);
    if (inode === undefined) this.#made.set(fd, inode = this.make(fd));
    this.update(inode, file);
    return inode;
  }

  override list(fromKey: number): Iterable<KeyedEntry> | number {
    if (isGone(this.task)) return -ENOENT;
    if (!mayPtrace(currentTask(), this.task)) return -EACCES;
    return this.#entries(fromKey);
  }

  *#entries(fromKey: number): Iterable<KeyedEntry> {
    if (this.task.exiting) return;
    const table = this.task.fdTable.settle();
    for (let fd = table.next(fromKey - 2); fd >= 0; fd = table.next(fd + 1)) {
      const name = String(fd);
      const inode = this.findLive(name);
      if (typeof inode === "number") continue;
      yield { name, ino: inode.ino, type: this.entryType, key: fd + 2 };
    }
  }
}

/** What lstat(2) tells of every link to an open file (Linux: proc_fd_instantiate). */
const LINK_SIZE = 64;

export class FdDir extends DescriptorDir<TaskLink> {
  constructor(fs: KernFilesystem, task: Task) {
    super(fs, task, 0o500);
  }
  protected override readonly entryType = DT_LNK;

  /** proc_fd_permission: a process has its own, also when it changed its ids or must not dump. */
  override permitsCaller(): boolean {
    return currentTask()?.tg === this.task.tg;
  }

  /** The number of open files is its size: proc_pid_fd(5). */
  override refresh(): number {
    this.size = this.task.exiting ? 0 : this.task.fdTable.settle().count;
    return super.refresh();
  }

  protected override make(fd: number): TaskLink {
    const link = new TaskLink(
      this.fs,
      this.task,
      0o700,
      (t) => {
        const file = fileOf(t, fd);
        return file === null ? -ENOENT : linkText(file, (currentTask() ?? t).fs.root);
      },
      (t) => {
        const file = fileOf(t, fd);
        return file === null ? -ENOENT : { mount: file.mount, dentry: file.dentry };
      },
    );
    link.size = LINK_SIZE;
    return link;
  }

  protected override update(link: TaskLink, file: FileDescription): void {
    link.mode = S_IFLNK | (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0);
  }
}

export class FdInfoDir extends DescriptorDir<TaskText> {
  constructor(fs: KernFilesystem, task: Task) {
    super(fs, task, 0o555);
  }
  protected override readonly entryType = DT_REG;

  /** proc_fdinfo_permission: whatever the mode says, only who may look into the process enters. */
  #mayEnter(): boolean {
    return mayPtrace(currentTask(), this.task);
  }
  protected override findLive(name: string): Inode | number {
    return this.#mayEnter() ? super.findLive(name) : -EACCES;
  }
  override open(file: FileDescription): number {
    return this.#mayEnter() ? super.open(file) : -EACCES;
  }

  protected override make(fd: number): TaskText {
    return new TaskText(
      this.fs,
      this.task,
      0o444,
      (t) => {
        const file = fileOf(t, fd);
        return file === null ? -ENOENT : fdinfoText(t, fd, file);
      },
      null,
      true,
    );
  }
}

export function fdinfoText(t: Task, fd: number, file: FileDescription): string {
  const flags = file.flags | (t.fdTable.getCloseOnExec(fd) ? O_CLOEXEC : 0);
  const { locks } = file.inode;
  const held = locks === null ? [] : lockLines(locks, { file, table: t.fdTable });
  const pos = file.impl.seekable ? Math.max(0, file.offset) : 0;
  return `pos:\t${pos}\nflags:\t0${(flags >>> 0).toString(8)}\n` +
    `mnt_id:\t${file.mount.id}\nino:\t${file.inode.ino}\n` +
    held.map((line, i) => `lock:\t${i + 1}: ${line}\n`).join("") + (file.impl.fdinfo?.(file) ?? "");
}
