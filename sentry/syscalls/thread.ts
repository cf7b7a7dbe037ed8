/**
 * What a thread sets up for itself: set_tid_address(2), set_robust_list(2), rseq(2), membarrier(2),
 * arch_prctl(2), personality(2).
 */
import { EBUSY, EFAULT, EINVAL, ENODEV, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_arch_prctl,
  SYS_get_robust_list,
  SYS_membarrier,
  SYS_personality,
  SYS_rseq,
  SYS_set_robust_list,
  SYS_set_tid_address,
} from "../../platform/abi/amd64/syscalls.ts";
import { ROBUST_LIST_HEAD_SIZE } from "../../platform/abi/futex.ts";
import { PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import {
  ARCH_GET_CPUID,
  ARCH_GET_FS,
  ARCH_GET_GS,
  ARCH_GET_XCOMP_PERM,
  ARCH_GET_XCOMP_SUPP,
  ARCH_SET_CPUID,
  ARCH_SET_FS,
  ARCH_SET_GS,
} from "../../platform/abi/prctl.ts";
import { RSEQ_FLAG_UNREGISTER, RSEQ_SIZE } from "../../platform/abi/rseq.ts";
import { REG_FS_BASE, REG_GS_BASE, setReg } from "../../platform/arch/amd64/registers.ts";
import { NO_RSEQ } from "../../platform/platform.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { mayAccess } from "./access.ts";

/** set_tid_address(2). */
export function setTidAddress(t: Task, args: SyscallArguments): number {
  t.ctx!.clearTidAddr = args.addr(0);
  return t.tid;
}

/** set_robust_list(2). */
export function setRobustList(t: Task, args: SyscallArguments): number {
  if (args.addr(1) !== ROBUST_LIST_HEAD_SIZE) return -EINVAL;
  t.ctx!.robustListAddr = args.addr(0);
  return 0;
}

/** get_robust_list(2). */
export function getRobustList(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const target = pid === 0 ? t : t.kernel.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  if (t.copyOutI64(args.addr(2), ROBUST_LIST_HEAD_SIZE) < 0) return -EFAULT;
  return t.copyOutI64(args.addr(1), target.ctx?.robustListAddr ?? 0);
}

/** rseq(2): the host kernel keeps the area up to date, so it is registered there. */
export function rseq(t: Task, args: SyscallArguments): number {
  const ctx = t.ctx!;
  const addr = args.addr(0);
  const length = args.u32(1);
  const flags = args.i32(2);
  const signature = args.u32(3);
  const known = ctx.rseq;
  if ((flags & ~RSEQ_FLAG_UNREGISTER) !== 0) return -EINVAL;
  if (flags === RSEQ_FLAG_UNREGISTER) {
    if (known.addr !== addr || addr === 0 || known.lengthBytes !== length) return -EINVAL;
    if (known.signature !== signature) return -EPERM;
    const err = ctx.callNow(SYS_rseq, addr, length, flags, signature, 0);
    if (err === 0) ctx.rseq = NO_RSEQ;
    return err;
  }
  if (known.addr !== 0) {
    if (known.addr !== addr || known.lengthBytes !== length) return -EINVAL;
    return known.signature !== signature ? -EPERM : -EBUSY;
  }
  if (length < RSEQ_SIZE || addr % 32 !== 0) return -EINVAL;
  if (addr + length > t.kernel.platform.taskSize) return -EFAULT;
  if (!t.mm.accessible(addr, length, PROT_READ | PROT_WRITE)) return -EFAULT;
  // Should the host refuse after all, its error becomes the result of this call.
  ctx.queueCall(SYS_rseq, addr, length, 0, signature, 0);
  ctx.rseq = { addr, lengthBytes: length, signature };
  return 0;
}

/** membarrier(2): the threads it is about are the host's. */
export function membarrier(t: Task, args: SyscallArguments): number {
  return t.ctx!.callNow(SYS_membarrier, args.i32(0), args.u32(1), args.i32(2), 0, 0);
}

/** arch_prctl(2). */
export function archPrctl(t: Task, args: SyscallArguments): number {
  const code = args.i32(0);
  const addr = args.addr(1);
  const ctx = t.ctx!;
  switch (code) {
    case ARCH_SET_FS:
      if (addr >= t.kernel.platform.taskSize) return -EPERM;
      ctx.setFsBase(addr);
      return 0;
    case ARCH_GET_FS:
      return t.copyOutI64(addr, ctx.segmentBase(REG_FS_BASE));
    case ARCH_SET_GS: {
      if (addr >= t.kernel.platform.taskSize) return -EPERM;
      t.mm.stopPatching(ctx);
      const err = ctx.callNow(SYS_arch_prctl, ARCH_SET_GS, addr, 0, 0, 0);
      if (err === 0) setReg(ctx.regs, REG_GS_BASE, addr);
      return err;
    }
    case ARCH_GET_GS:
      return t.copyOutI64(addr, ctx.segmentBase(REG_GS_BASE));
    case ARCH_GET_CPUID:
      return 1;
    case ARCH_SET_CPUID:
      return -ENODEV;
    case ARCH_GET_XCOMP_SUPP:
    case ARCH_GET_XCOMP_PERM:
      // x87, SSE, AVX and AVX-512, without the features that need permission.
      return t.copyOutI64(addr, 0xe7);
    default:
      return -EINVAL;
  }
}

/** personality(2). */
export function personality(t: Task, args: SyscallArguments): number {
  const wanted = args.u32(0);
  const old = t.tg.personality;
  if (wanted !== 0xffffffff) t.tg.personality = wanted;
  return old;
}

export const rows: SyscallRow[] = [
  [SYS_set_tid_address, "set_tid_address", setTidAddress, FULL],
  [SYS_set_robust_list, "set_robust_list", setRobustList, FULL],
  [SYS_get_robust_list, "get_robust_list", getRobustList, FULL],
  [SYS_rseq, "rseq", rseq, FULL],
  [
    SYS_membarrier,
    "membarrier",
    membarrier,
    PARTIAL,
    "the host's, for threads of one address space",
  ],
  [SYS_arch_prctl, "arch_prctl", archPrctl, PARTIAL, "no CPUID faulting, no shadow stack"],
  [SYS_personality, "personality", personality, PARTIAL, "only ADDR_NO_RANDOMIZE has an effect"],
];
