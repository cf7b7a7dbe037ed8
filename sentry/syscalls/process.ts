/** fork(2), vfork(2), clone(2), clone3(2), exit(2), exit_group(2), unshare(2). */
import { E2BIG, EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import {
  SYS_clone,
  SYS_clone3,
  SYS_exit,
  SYS_exit_group,
  SYS_fork,
  SYS_unshare,
  SYS_vfork,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  CLONE_ARGS_SIZE,
  CLONE_ARGS_SIZE_VER0,
  CLONE_DETACHED,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWNS,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  type CloneArgs,
  CSIGNAL,
  getCloneArgs,
} from "../../platform/abi/sched.ts";
import { _NSIG, SIGCHLD } from "../../platform/abi/signal.ts";
import { waitStatusExited } from "../../platform/abi/wait.ts";
import {
  CLONE_CLEAR_SIGHAND_HI,
  CLONE_INTO_CGROUP_HI,
  cloneTask,
  newNamespaces,
} from "../kernel/clone.ts";
import { exitGroup, exitThread } from "../kernel/exit.ts";
import { ALL_NAMESPACES } from "../kernel/namespaces.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

const PAGE_SIZE = 4096;

function plainArgs(flags: number, exitSignal: number): CloneArgs {
  return {
    flagsLo: flags,
    flagsHi: 0,
    pidfdAddr: 0,
    childTidAddr: 0,
    parentTidAddr: 0,
    exitSignal,
    stackAddr: 0,
    stackSize: 0,
    tlsAddr: 0,
    setTidAddr: 0,
    setTidCount: 0,
    cgroupFd: 0,
  };
}

/** fork(2). */
export function fork(t: Task): SyscallReturn {
  return cloneTask(t, plainArgs(0, SIGCHLD));
}

/** vfork(2). */
export function vfork(t: Task): SyscallReturn {
  return cloneTask(t, plainArgs(CLONE_VM | CLONE_VFORK, SIGCHLD));
}

/** clone(2) of x86-64: flags, stack, parent_tid, child_tid, tls. */
export function clone(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(0);
  const clone = plainArgs((flags & ~CSIGNAL) >>> 0, flags & CSIGNAL);
  clone.stackAddr = args.addr(1);
  clone.parentTidAddr = args.addr(2);
  clone.pidfdAddr = args.addr(2);
  clone.childTidAddr = args.addr(3);
  clone.tlsAddr = args.addr(4);
  return cloneTask(t, clone);
}

/** clone3(2). */
export function clone3(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const size = args.addr(1);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  const err = copyInStruct(t, addr, size, CLONE_ARGS_SIZE);
  if (err < 0) return err;
  const clone = getCloneArgs(t.scratchView, 0);
  if (!isValidClone3(t, clone)) return -EINVAL;
  return cloneTask(t, clone);
}

/** copy_struct_from_user: into scratch, zero-filled; -E2BIG when what we do not know is not zero. */
export function copyInStruct(t: Task, addr: number, size: number, known: number): number {
  const rest = size > known ? checkZeroed(t, addr + known, addr + size) : 0;
  if (rest < 0) return rest;
  t.scratch.fill(0, 0, known);
  return t.copyIn(addr, t.scratch, 0, Math.min(size, known)) < 0 ? -EFAULT : 0;
}

/** What cannot be read does not count behind what is not zero. */
function checkZeroed(t: Task, from: number, end: number): number {
  for (let addr = from; addr < end;) {
    const bytes = new Uint8Array(Math.min(end - addr, PAGE_SIZE - addr % PAGE_SIZE));
    if (t.copyIn(addr, bytes, 0, bytes.length) < 0) return -EFAULT;
    if (bytes.some((byte) => byte !== 0)) return -E2BIG;
    addr += bytes.length;
  }
  return 0;
}

function isValidClone3(t: Task, c: CloneArgs): boolean {
  const flags = c.flagsLo;
  if ((c.flagsHi & ~(CLONE_CLEAR_SIGHAND_HI | CLONE_INTO_CGROUP_HI)) !== 0) return false;
  if ((flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) !== 0) return false;
  if ((flags & CLONE_SIGHAND) !== 0 && (c.flagsHi & CLONE_CLEAR_SIGHAND_HI) !== 0) return false;
  if ((flags & (CLONE_THREAD | CLONE_PARENT)) !== 0 && c.exitSignal !== 0) return false;
  if (c.exitSignal > CSIGNAL || c.exitSignal > _NSIG) return false;
  if ((c.stackAddr === 0) !== (c.stackSize === 0)) return false;
  if (c.stackAddr + c.stackSize > t.kernel.platform.taskSize) return false;
  if ((c.setTidAddr === 0) !== (c.setTidCount === 0)) return false;
  return (flags & CLONE_NEWTIME) === 0;
}

/** exit(2). */
export function exit(t: Task, args: SyscallArguments): number {
  exitThread(t, args.i32(0));
  return 0;
}

/** exit_group(2). */
export function exitGroupCall(t: Task, args: SyscallArguments): number {
  exitGroup(t, waitStatusExited(args.i32(0)));
  return 0;
}

const UNSHARABLE = CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |
  CLONE_SYSVSEM |
  ALL_NAMESPACES;

/** unshare(2). */
export function unshare(t: Task, args: SyscallArguments): number {
  let flags = args.u32(0);
  if (args.hi32(0) !== 0 || (flags & ~UNSHARABLE) !== 0) return -EINVAL;
  if ((flags & CLONE_NEWTIME) !== 0) {
    t.kernel.stub(t, "unshare CLONE_NEWTIME");
    return -EINVAL;
  }
  if ((flags & CLONE_NEWUSER) !== 0) flags |= CLONE_THREAD | CLONE_FS;
  if ((flags & CLONE_VM) !== 0) flags |= CLONE_SIGHAND;
  if ((flags & CLONE_SIGHAND) !== 0) flags |= CLONE_THREAD;
  if ((flags & CLONE_NEWNS) !== 0) flags |= CLONE_FS;
  const alone = t.tg.liveThreads() === 1;
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0 && !alone) return -EINVAL;
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) !== 0 && t.tg.actions.refs > 1) return -EINVAL;
  if ((flags & CLONE_VM) !== 0 && t.mm.refs > 1) return -EINVAL;
  const unshared = newNamespaces(t, flags);
  if (typeof unshared === "number") return unshared;
  if ((flags & CLONE_FS) !== 0) t.unshareFs();
  if ((flags & CLONE_FILES) !== 0 && t.fdTable.refs > 1) {
    const shared = t.fdTable;
    t.fdTable = shared.fork();
    shared.release();
  }
  if (unshared.translate !== null) t.fs.enterNamespace(unshared.ns.mount, unshared.translate);
  t.publishPlace();
  t.ns.release();
  t.ns = unshared.ns;
  return 0;
}

export const rows: SyscallRow[] = [
  [SYS_clone, "clone", clone, PARTIAL, "no new user, pid or time namespaces, no CLONE_PTRACE"],
  [SYS_fork, "fork", fork, FULL],
  [SYS_vfork, "vfork", vfork, FULL],
  [SYS_exit, "exit", exit, FULL],
  [SYS_exit_group, "exit_group", exitGroupCall, FULL],
  [SYS_unshare, "unshare", unshare, PARTIAL, "no new user, pid or time namespaces"],
  [SYS_clone3, "clone3", clone3, PARTIAL, "as clone; no CLONE_INTO_CGROUP"],
];
