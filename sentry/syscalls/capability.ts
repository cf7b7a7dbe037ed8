/** capget(2), capset(2), and what there is to know of security modules: lsm_list_modules(2) and the like. */
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_capget,
  SYS_capset,
  SYS_lsm_get_self_attr,
  SYS_lsm_list_modules,
  SYS_lsm_set_self_attr,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  _LINUX_CAPABILITY_VERSION_1,
  _LINUX_CAPABILITY_VERSION_2,
  _LINUX_CAPABILITY_VERSION_3,
  CAP_USER_DATA_SIZE,
  CAP_USER_HEADER_SIZE,
  getCapUserData,
  getCapUserHeader,
  putCapUserData,
} from "../../platform/abi/capability.ts";
import {
  CAPS_ALL,
  capsAnd,
  capset as changeCaps,
  commitCredentials,
} from "../kernel/credentials_change.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

interface Header {
  pid: number;
  /** 32-bit words of each set: 1 or 2. */
  words: number;
}

/** The header; an unknown version is answered with the preferred one and -EINVAL. */
function copyInHeader(t: Task, addr: number): Header | number {
  if (t.copyIn(addr, t.scratch, 0, CAP_USER_HEADER_SIZE) < 0) return -EFAULT;
  const { version, pid } = getCapUserHeader(t.scratchView, 0);
  switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
      return { pid, words: 1 };
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return { pid, words: 2 };
    default:
      return t.copyOutU32(addr, _LINUX_CAPABILITY_VERSION_3) < 0 ? -EFAULT : -EINVAL;
  }
}

/** capget(2). */
export function capget(t: Task, args: SyscallArguments): number {
  const dataAddr = args.addr(1);
  const header = copyInHeader(t, args.addr(0));
  // Without data it is a question for the version alone.
  if (typeof header === "number") return header === -EINVAL && dataAddr === 0 ? 0 : header;
  if (dataAddr === 0) return 0;
  if (header.pid < 0) return -EINVAL;
  const target = header.pid === 0 ? t : t.kernel.tasks.get(header.pid);
  if (target === undefined) return -ESRCH;
  const { effective, permitted, inheritable } = target.creds;
  for (let i = 0; i < header.words; i++) {
    putCapUserData(
      t.scratchView,
      i * CAP_USER_DATA_SIZE,
      effective[i],
      permitted[i],
      inheritable[i],
    );
  }
  return t.copyOut(dataAddr, t.scratch, 0, header.words * CAP_USER_DATA_SIZE);
}

/** capset(2): for the calling thread only. */
export function capset(t: Task, args: SyscallArguments): number {
  const header = copyInHeader(t, args.addr(0));
  if (typeof header === "number") return header;
  if (header.pid !== 0 && header.pid !== t.tid) return -EPERM;
  const size = header.words * CAP_USER_DATA_SIZE;
  if (t.copyIn(args.addr(1), t.scratch, 0, size) < 0) return -EFAULT;
  const lo = getCapUserData(t.scratchView, 0);
  const hi = header.words === 2
    ? getCapUserData(t.scratchView, CAP_USER_DATA_SIZE)
    : { effective: 0, permitted: 0, inheritable: 0 };
  const creds = changeCaps(
    t.creds,
    capsAnd([lo.effective, hi.effective], CAPS_ALL),
    capsAnd([lo.inheritable, hi.inheritable], CAPS_ALL),
    capsAnd([lo.permitted, hi.permitted], CAPS_ALL),
  );
  if (creds === null) return -EPERM;
  commitCredentials(t, creds);
  return 0;
}

/** LSM_ID_CAPABILITY (linux/lsm.h): the one security module that there is. */
const LSM_ID_CAPABILITY = 100;
const LSM_ID_SIZE = 8;

/** lsm_list_modules(2). */
export function lsmListModules(t: Task, args: SyscallArguments): number {
  const sizeAddr = args.addr(1);
  if (args.u32(2) !== 0) return -EINVAL;
  if (t.copyIn(sizeAddr, t.scratch, 0, 4) < 0) return -EFAULT;
  const room = t.scratchView.getUint32(0, true);
  if (t.copyOutU32(sizeAddr, LSM_ID_SIZE) < 0) return -EFAULT;
  if (room < LSM_ID_SIZE) return -E2BIG;
  return t.copyOutI64(args.addr(0), LSM_ID_CAPABILITY) < 0 ? -EFAULT : 1;
}

const LSM_FLAG_SINGLE = 1;
/** struct lsm_ctx: id, flags, its whole length, that of the context behind it; 64 bits each. */
const LSM_CTX_SIZE = 32;
const MAX_LSM_CTX_SIZE = 4096;

/** lsm_get_self_attr(2): the one module has no attributes. */
export function lsmGetSelfAttr(t: Task, args: SyscallArguments): number {
  const [attr, ctxAddr, sizeAddr, flags] = [args.u32(0), args.addr(1), args.addr(2), args.u32(3)];
  if (attr === 0 || sizeAddr === 0) return -EINVAL;
  if (t.copyIn(sizeAddr, t.scratch, 0, 4) < 0) return -EFAULT;
  const room = t.scratchView.getUint32(0, true);
  if (flags !== 0) {
    if (flags !== LSM_FLAG_SINGLE || ctxAddr === 0) return -EINVAL;
    t.scratch.fill(0, 0, 8);
    if (t.copyIn(ctxAddr, t.scratch, 0, Math.min(room, 8)) < 0) return -EFAULT;
    if (t.scratchView.getUint32(0, true) === 0 && t.scratchView.getUint32(4, true) === 0) {
      return -EINVAL;
    }
  }
  return t.copyOutU32(sizeAddr, 0) < 0 ? -EFAULT : -EOPNOTSUPP;
}

/** lsm_set_self_attr(2). */
export function lsmSetSelfAttr(t: Task, args: SyscallArguments): number {
  const [ctxAddr, size, flags] = [args.addr(1), args.u32(2), args.u32(3)];
  if (flags !== 0 || size < LSM_CTX_SIZE) return -EINVAL;
  if (size > MAX_LSM_CTX_SIZE) return -E2BIG;
  const ctx = new Uint8Array(size);
  if (t.copyIn(ctxAddr, ctx, 0, size) < 0) return -EFAULT;
  const v = new DataView(ctx.buffer);
  const u64 = (at: number) => v.getUint32(at, true) + v.getUint32(at + 4, true) * 2 ** 32;
  const [length, contextLength] = [u64(16), u64(24)];
  if (size < length || length < LSM_CTX_SIZE + contextLength) return -EINVAL;
  return -EOPNOTSUPP;
}

export const rows: SyscallRow[] = [
  [SYS_lsm_get_self_attr, "lsm_get_self_attr", lsmGetSelfAttr, FULL],
  [SYS_lsm_set_self_attr, "lsm_set_self_attr", lsmSetSelfAttr, FULL],
  [SYS_lsm_list_modules, "lsm_list_modules", lsmListModules, FULL],
  [SYS_capget, "capget", capget, FULL],
  [SYS_capset, "capset", capset, FULL],
];
