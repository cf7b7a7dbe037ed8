/** setns(2); namespaces(7). */
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from "../../platform/abi/capability.ts";
import { EBADF, EINVAL, EPERM, ESRCH, EUSERS } from "../../platform/abi/errno.ts";
import { CLONE_NEWNS, CLONE_NEWTIME, CLONE_NEWUSER } from "../../platform/abi/sched.ts";
import { SYS_setns } from "../../platform/abi/amd64/syscalls.ts";
import { hasCapability } from "../auth/credentials.ts";
import { PidFd } from "../fsimpl/anon/pidfd.ts";
import { isGone, mayPtrace } from "../fsimpl/proc/access.ts";
import { NamespaceFile } from "../fsimpl/proc/ns_dir.ts";
import { ALL_NAMESPACES, CLONE_FLAGS, type NamespaceSet } from "../kernel/namespaces.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

const KINDS = Object.keys(CLONE_FLAGS) as (keyof NamespaceSet)[];

/** setns(2): by a file of /proc/PID/ns, or some or all of another process's namespaces by its pidfd. */
export function setns(t: Task, args: SyscallArguments): number {
  const file = t.fdTable.get(args.i32(0));
  if (file === null) return -EBADF;
  const flags = args.i32(1);
  const { impl } = file;
  if (impl instanceof NamespaceFile) {
    if (flags !== 0 && flags !== impl.cloneFlag) return -EINVAL;
    return enter(t, { [impl.kind]: impl.namespace }, impl.cloneFlag);
  }
  if (!(impl instanceof PidFd) || flags === 0 || (flags & ~ALL_NAMESPACES) !== 0) return -EINVAL;
  const { target } = impl;
  if (isGone(target)) return -ESRCH;
  return mayPtrace(t, target) ? enter(t, target.ns, flags) : -EPERM;
}

function enter(t: Task, from: Partial<NamespaceSet>, flags: number): number {
  const changed: Partial<NamespaceSet> = {};
  for (const kind of KINDS) {
    const flag = CLONE_FLAGS[kind];
    if ((flags & flag) === 0) continue;
    const err = mayEnter(t, flag);
    if (err < 0) return err;
    Object.assign(changed, { [kind]: from[kind] });
  }
  const { mount } = changed;
  const old = t.ns;
  mount?.acquire();
  t.ns = old.with(changed);
  if (mount !== undefined) {
    t.fs.enterNamespace(mount, () => mount.rootPath);
    t.publishPlace();
  }
  old.release();
  return 0;
}

function mayEnter(t: Task, flag: number): number {
  if (flag === CLONE_NEWUSER) return -EINVAL; // There is one, and who is in it cannot enter it again.
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if (flag === CLONE_NEWTIME && t.tg.liveThreads() > 1) return -EUSERS;
  if (flag !== CLONE_NEWNS) return 0;
  if (!hasCapability(t.creds, CAP_SYS_CHROOT)) return -EPERM;
  return t.fs.refs > 1 ? -EINVAL : 0;
}

export const rows: SyscallRow[] = [
  [SYS_setns, "setns", setns, FULL],
];
