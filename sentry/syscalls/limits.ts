/** getrlimit(2), setrlimit(2), prlimit(2). */
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import { SYS_getrlimit, SYS_prlimit64, SYS_setrlimit } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_RESOURCE } from "../../platform/abi/capability.ts";
import {
  getRlimit,
  putRlimit,
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_CPU,
  RLIMIT_NOFILE,
  RLIMIT_SIZE,
  RLIMIT_STACK,
} from "../../platform/abi/resource.ts";
import { hasCapability } from "../auth/credentials.ts";
import { cpuLimitChanged } from "../kernel/cpu_limit.ts";
import { NR_OPEN_MAX } from "../kernel/fd_table.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** getrlimit(2). */
export function getrlimit(t: Task, args: SyscallArguments): number {
  const addr = args.addr(1);
  if (addr === 0) return args.u32(0) >= RLIM_NLIMITS ? -EINVAL : -EFAULT;
  return prlimit(t, t, args.u32(0), 0, addr);
}

/** setrlimit(2). */
export function setrlimit(t: Task, args: SyscallArguments): number {
  const addr = args.addr(1);
  if (t.copyIn(addr, t.scratch, 0, RLIMIT_SIZE) < 0) return -EFAULT;
  return prlimit(t, t, args.u32(0), addr, 0);
}

/** prlimit(2). */
export function prlimit64(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const newAddr = args.addr(2);
  if (newAddr !== 0 && t.copyIn(newAddr, t.scratch, 0, RLIMIT_SIZE) < 0) return -EFAULT;
  const target = pid === 0 ? t : t.kernel.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (!mayUse(t, target)) return -EPERM;
  return prlimit(t, target, args.u32(1), newAddr, args.addr(3));
}

function mayUse(t: Task, target: Task): boolean {
  if (t === target) return true;
  const { ruid, rgid } = t.creds;
  const other = target.creds;
  const same = ruid === other.euid && ruid === other.suid && ruid === other.ruid &&
    rgid === other.egid && rgid === other.sgid && rgid === other.rgid;
  return same || hasCapability(t.creds, CAP_SYS_RESOURCE);
}

function prlimit(
  t: Task,
  target: Task,
  resource: number,
  newAddr: number,
  oldAddr: number,
): number {
  let cur = 0;
  let max = 0;
  if (newAddr !== 0) {
    if (t.copyIn(newAddr, t.scratch, 0, RLIMIT_SIZE) < 0) return -EFAULT;
    ({ cur, max } = getRlimit(t.scratchView, 0));
  }
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  const { limits } = target.tg;
  const oldCur = limits.cur[resource];
  const oldMax = limits.max[resource];
  if (newAddr !== 0) {
    if (cur > max) return -EINVAL;
    if (resource === RLIMIT_NOFILE && max > NR_OPEN_MAX) return -EPERM;
    if (max > oldMax && !hasCapability(t.creds, CAP_SYS_RESOURCE)) return -EPERM;
    setLimit(target, resource, cur, max);
  }
  if (oldAddr === 0) return 0;
  putRlimit(t.scratchView, 0, oldCur, oldMax);
  return t.copyOut(oldAddr, t.scratch, 0, RLIMIT_SIZE);
}

function setLimit(target: Task, resource: number, cur: number, max: number): void {
  const { tg } = target;
  // A limit of no CPU time at all is taken as one second.
  const soft = resource === RLIMIT_CPU && cur === 0 ? 1 : cur;
  tg.limits.set(resource, soft, max);
  if (resource === RLIMIT_NOFILE) {
    const limit = cur >= RLIM_INFINITY ? NR_OPEN_MAX : cur;
    for (const each of tg.threads) if (!each.exiting) each.fdTable.noFileLimit = limit;
  }
  if (resource === RLIMIT_CPU) cpuLimitChanged(tg);
  if (resource === RLIMIT_STACK) { for (const each of tg.threads) each.publishStackLimit(); }
}

export const rows: SyscallRow[] = [
  [SYS_getrlimit, "getrlimit", getrlimit, FULL],
  [SYS_setrlimit, "setrlimit", setrlimit, FULL],
  [SYS_prlimit64, "prlimit64", prlimit64, FULL],
];
