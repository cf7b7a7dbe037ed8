/** pidfd_open(2): a file that names a process or thread, readable once it has exited. */
import { EACCES, EFAULT, EINVAL, ENOTTY, ESRCH } from "../../../platform/abi/errno.ts";
import { EPOLLHUP, EPOLLIN, EPOLLRDNORM } from "../../../platform/abi/epoll.ts";
import { O_NONBLOCK, O_RDWR } from "../../../platform/abi/fcntl.ts";
import {
  PIDFD_GET_CGROUP_NAMESPACE,
  PIDFD_GET_INFO_COMMAND,
  PIDFD_GET_IPC_NAMESPACE,
  PIDFD_GET_MNT_NAMESPACE,
  PIDFD_GET_NET_NAMESPACE,
  PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE,
  PIDFD_GET_PID_NAMESPACE,
  PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE,
  PIDFD_GET_TIME_NAMESPACE,
  PIDFD_GET_USER_NAMESPACE,
  PIDFD_GET_UTS_NAMESPACE,
  PIDFD_INFO_CREDS,
  PIDFD_INFO_EXIT,
  PIDFD_INFO_PID,
  PIDFD_INFO_SIZE,
  PIDFD_INFO_SIZE_VER0,
  PIDFD_NONBLOCK,
  PIDFD_THREAD,
} from "../../../platform/abi/pidfd.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { NamespaceSet } from "../../kernel/namespaces.ts";
import { type Task, TASK_DEAD, TASK_ZOMBIE } from "../../kernel/task.ts";
import type { ThreadGroup } from "../../kernel/thread_group.ts";
import { PseudoFilesystem } from "../../vfs/anon.ts";
import { FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { WaitQueue } from "../../wait/queue.ts";
import { isGone, mayPtrace } from "../proc/access.ts";
import { openNamespace } from "../proc/ns_dir.ts";

const PID_FS_MAGIC = 0x50494446;
const pidFs = new PseudoFilesystem("pidfs", PID_FS_MAGIC);
const inodes = new WeakMap<Task, Inode>();

/** The direction bits of _IOWR. */
const IOC_READ_WRITE = 3;

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
  override fdinfo(): string {
    const pid = this.target.state === TASK_DEAD ? -1 : this.target.tid;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if ((cmd & 0xffff) === PIDFD_GET_INFO_COMMAND && cmd >>> 30 === IOC_READ_WRITE) {
      return pidfdInfo(this.target, caller, cmd >>> 16 & 0x3fff, arg);
    }
    const kind = NAMESPACES.get(cmd);
    return kind === undefined ? -ENOTTY : openNamespaceOf(this.target, caller as Task, kind, arg);
  }
}

const NAMESPACES = new Map<number, keyof NamespaceSet>([
  [PIDFD_GET_CGROUP_NAMESPACE, "cgroup"],
  [PIDFD_GET_IPC_NAMESPACE, "ipc"],
  [PIDFD_GET_MNT_NAMESPACE, "mount"],
  [PIDFD_GET_NET_NAMESPACE, "net"],
  [PIDFD_GET_PID_NAMESPACE, "pid"],
  [PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, "pid"],
  [PIDFD_GET_TIME_NAMESPACE, "time"],
  [PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE, "time"],
  [PIDFD_GET_USER_NAMESPACE, "user"],
  [PIDFD_GET_UTS_NAMESPACE, "uts"],
]);

/** PIDFD_GET_*_NAMESPACE: a descriptor, as by opening a file of /proc/PID/ns. */
function openNamespaceOf(
  target: Task,
  caller: Task,
  kind: keyof NamespaceSet,
  arg: number,
): number {
  if (isGone(target)) return -ESRCH;
  if (arg !== 0) return -EINVAL;
  if (target.state === TASK_ZOMBIE) return -ESRCH;
  return mayPtrace(caller, target) ? openNamespace(caller, kind, target) : -EACCES;
}

/** PIDFD_GET_INFO: what /proc/PID/status would say, in a struct that grows (Linux: pidfd_info). */
function pidfdInfo(t: Task, caller: IoctlCaller, size: number, arg: number): number {
  if (size < PIDFD_INFO_SIZE_VER0) return -ENOTTY;
  if (arg === 0) return -EINVAL;
  const bytes = new Uint8Array(PIDFD_INFO_SIZE);
  const v = new DataView(bytes.buffer);
  if (caller.copyIn(arg, bytes, 0, 8) < 0) return -EFAULT;
  const asked = v.getUint32(0, true);
  bytes.fill(0);
  let mask = 0;
  const isReaped = t.state === TASK_DEAD;
  if (isReaped && (asked & PIDFD_INFO_EXIT) === 0) return -ESRCH;
  if (isReaped) {
    mask |= PIDFD_INFO_EXIT;
    v.setInt32(60, t === t.tg.leader ? t.tg.exitStatus : t.exitCode, true);
  } else {
    const { creds: c, tg } = t;
    mask |= PIDFD_INFO_PID | PIDFD_INFO_CREDS;
    const words = [t.tid, tg.pid, tg.parent?.pid ?? 0, c.ruid, c.rgid, c.euid, c.egid];
    words.push(c.suid, c.sgid, c.fsuid, c.fsgid);
    words.forEach((word, i) => v.setUint32(16 + 4 * i, word, true));
  }
  v.setUint32(0, mask, true);
  return caller.copyOut(arg, bytes, 0, Math.min(size, PIDFD_INFO_SIZE)) < 0 ? -EFAULT : 0;
}

function open(target: Task, thread: boolean, nonblocking: boolean): FileDescription {
  const flags = O_RDWR | (nonblocking ? O_NONBLOCK : 0);
  return pidFs.newFile(inodeOf(target), "anon_inode:[pidfd]", new PidFd(target, thread), flags);
}

/** Pidfds of one task are one file to stat(2), so that a program can compare them. */
function inodeOf(target: Task): Inode {
  let inode = inodes.get(target);
  if (inode === undefined) inodes.set(target, inode = pidFs.newInode(0o700, 0, 0));
  return inode;
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
    isThread: (file) => file.impl instanceof PidFd && file.impl.isThread,
  };
}
