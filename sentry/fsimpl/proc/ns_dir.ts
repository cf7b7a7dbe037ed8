/** /proc/PID/ns and the files behind it (Linux: nsfs); namespaces(7). */
import { EINVAL, ENOENT, ENOTTY, EPERM } from "../../../platform/abi/errno.ts";
import { O_CLOEXEC, O_RDONLY } from "../../../platform/abi/fcntl.ts";
import { DT_LNK } from "../../../platform/abi/dirent.ts";
import { CLONE_NEWPID, CLONE_NEWUSER } from "../../../platform/abi/sched.ts";
import { NSFS_MAGIC } from "../../../platform/abi/mount.ts";
import {
  NS_GET_NSTYPE,
  NS_GET_OWNER_UID,
  NS_GET_PARENT,
  NS_GET_USERNS,
} from "../../../platform/abi/ioctl.ts";
import { S_IFREG } from "../../../platform/abi/stat.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import { CLONE_FLAGS, type NamespaceSet } from "../../kernel/namespaces.ts";
import type { Task } from "../../kernel/task.ts";
import { PseudoFilesystem, PseudoInode } from "../../vfs/anon.ts";
import { type Dentry, newRootDentry } from "../../vfs/dentry.ts";
import { type FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import { MountNamespace } from "../../vfs/mount.ts";
import { openPath } from "../../vfs/namei.ts";
import { currentTask } from "../kernfs/caller.ts";
import type { KeyedEntry } from "../kernfs/dir.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { isGone } from "./access.ts";
import { TaskDynamicDir, TaskLink } from "./task_inode.ts";

type Kind = keyof NamespaceSet;

/** [name in ns/, field of NamespaceProxy, what the link reads before the number] */
const LINKS: readonly (readonly [string, Kind, string])[] = [
  ["cgroup", "cgroup", "cgroup"],
  ["ipc", "ipc", "ipc"],
  ["mnt", "mount", "mnt"],
  ["net", "net", "net"],
  ["pid", "pid", "pid"],
  ["pid_for_children", "pid", "pid"],
  ["time", "time", "time"],
  ["time_for_children", "time", "time"],
  ["user", "user", "user"],
  ["uts", "uts", "uts"],
];

const nsFs = new PseudoFilesystem("nsfs", NSFS_MAGIC);
const dentries = new WeakMap<object, Dentry>();
const FIRST_MOUNT_NAMESPACE = 0xefff0000;
let nextMountNamespace = FIRST_MOUNT_NAMESPACE;
ofOneSandbox(() => nextMountNamespace = FIRST_MOUNT_NAMESPACE);

/** An open namespace, for setns(2). One of mounts stays as long as it is open. */
export class NamespaceFile extends FileDescriptionImpl {
  constructor(readonly namespace: object, readonly kind: Kind) {
    super();
    if (namespace instanceof MountNamespace) namespace.acquire();
  }
  get cloneFlag(): number {
    return CLONE_FLAGS[this.kind];
  }
  override release(_f: FileDescription): void {
    if (this.namespace instanceof MountNamespace) this.namespace.release();
  }
  override read(): number {
    return -EINVAL;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    switch (cmd) {
      case NS_GET_NSTYPE:
        return this.cloneFlag;
      case NS_GET_PARENT: // There is one namespace of these kinds, and it has no parent.
        return this.cloneFlag === CLONE_NEWUSER || this.cloneFlag === CLONE_NEWPID
          ? -EPERM
          : -EINVAL;
      case NS_GET_USERNS:
        return this.cloneFlag === CLONE_NEWUSER ? -EPERM : openNamespace(currentTask()!, "user");
      case NS_GET_OWNER_UID:
        if (this.cloneFlag !== CLONE_NEWUSER) return -EINVAL;
        return caller.copyOut(arg, new Uint8Array(4), 0, 4);
      default:
        return -ENOTTY;
    }
  }
}

/** A new descriptor of `t`'s for a namespace that `owner` is in, or -errno. There is one of users, which owns all others. */
export function openNamespace(t: Task, kind: Kind, owner = t): number {
  const [, , prefix] = LINKS.find((link) => link[1] === kind)!;
  const dentry = dentryOf(owner.ns[kind], kind, prefix);
  const file = openPath(t.fs.walkContext(t.creds), { mount: nsFs.mount, dentry }, O_RDONLY);
  if (typeof file === "number") return file;
  file.flags = O_RDONLY; // No open(2) made it, so it lacks O_LARGEFILE.
  const fd = t.fdTable.install(file, O_CLOEXEC);
  if (fd < 0) file.release();
  return fd;
}

class NamespaceInode extends PseudoInode {
  constructor(ino: number, readonly namespace: object, readonly kind: Kind) {
    super(nsFs, ino, S_IFREG | 0o444, 0, 0);
  }
  override open(file?: FileDescription): number {
    const { namespace } = this;
    if (namespace instanceof MountNamespace && namespace.refs === 0) return -ENOENT; // Only its name is kept.
    file!.impl = new NamespaceFile(namespace, this.kind);
    return 0;
  }
}

/** The dentry that stands for a namespace; it lives as long as the namespace does. */
function dentryOf(namespace: object, kind: Kind, prefix: string): Dentry {
  let dentry = dentries.get(namespace);
  if (dentry === undefined) {
    const ino = (namespace as { inode?: number }).inode ?? nextMountNamespace++;
    const inode = new NamespaceInode(ino, namespace, kind);
    dentry = newRootDentry(nsFs, inode, `${prefix}:[${ino}]`);
    dentries.set(namespace, dentry);
  }
  return dentry;
}

export class NsDir extends TaskDynamicDir {
  readonly #links = new Map<string, TaskLink>();

  constructor(fs: KernFilesystem, task: Task) {
    super(fs, task, 0o511);
    for (const [name, kind, prefix] of LINKS) {
      const dentry = (t: Task): Dentry => dentryOf(t.ns[kind], kind, prefix);
      this.#links.set(
        name,
        new TaskLink(fs, task, 0o777, (t) => dentry(t).name, (t) => {
          return { mount: nsFs.mount, dentry: dentry(t) };
        }),
      );
    }
  }

  protected override findLive(name: string): Inode | number {
    return this.#links.get(name) ?? -ENOENT;
  }

  override list(fromKey: number): Iterable<KeyedEntry> | number {
    if (isGone(this.task)) return -ENOENT;
    const entries: KeyedEntry[] = [];
    let key = 2;
    for (const [name, link] of this.#links) {
      entries.push({ name, ino: link.ino, type: DT_LNK, key: key++ });
    }
    return entries.filter((e) => e.key >= fromKey);
  }
}
