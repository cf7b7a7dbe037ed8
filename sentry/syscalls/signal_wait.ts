/** Waiting for signals and coming back from them: rt_sigsuspend(2), rt_sigtimedwait(2), sigreturn(2) … */
import { getI64, getU64 } from "../../platform/abi/bytes.ts";
import {
  EAGAIN,
  EFAULT,
  EINTR,
  EINVAL,
  ENOMEM,
  EPERM,
  ERESTARTNOHAND,
} from "../../platform/abi/errno.ts";
import {
  SYS_pause,
  SYS_restart_syscall,
  SYS_rt_sigreturn,
  SYS_rt_sigsuspend,
  SYS_rt_sigtimedwait,
  SYS_sigaltstack,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  MINSIGSTKSZ,
  putStackT,
  SIGINFO_SIZE,
  SIGSEGV,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
  STACK_T_OFF_FLAGS,
  STACK_T_OFF_SIZE_BYTES,
  STACK_T_OFF_SP_ADDR,
  STACK_T_SIZE,
} from "../../platform/abi/signal.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { getReg, REG_RSP } from "../../platform/arch/amd64/registers.ts";
import { onAltStack, popSignalFrame, type RestoredFrame } from "../arch/amd64/signal_frame.ts";
import { BLOCK_TIMEOUT } from "../kernel/block.ts";
import { dequeueFrom, forceSignal, setMask } from "../kernel/signal.ts";
import { UNBLOCKABLE } from "../kernel/signal_actions.ts";
import { putSigInfo, type SigInfo } from "../kernel/signal_info.ts";
import {
  FULL,
  KEEP_REGISTERS,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { SIGSET_SIZE } from "./signal.ts";

/** rt_sigsuspend(2): the handler runs under the mask given, the old one comes back after it. */
export async function rtSigsuspend(t: Task, args: SyscallArguments): Promise<number> {
  if (args.addr(1) !== SIGSET_SIZE) return -EINVAL;
  if (t.copyIn(args.addr(0), t.scratch, 0, SIGSET_SIZE) < 0) return -EFAULT;
  const s = t.signals;
  s.savedLo = s.maskLo;
  s.savedHi = s.maskHi;
  setMask(t, t.scratchView.getUint32(0, true), t.scratchView.getUint32(4, true));
  s.hasSavedMask = true;
  await t.blocking.sleep(-1);
  return -ERESTARTNOHAND;
}

/** pause(2). */
export async function pause(t: Task): Promise<number> {
  await t.blocking.sleep(-1);
  return -ERESTARTNOHAND;
}

/** rt_sigtimedwait(2). */
export function rtSigtimedwait(t: Task, args: SyscallArguments): SyscallReturn {
  if (args.addr(3) !== SIGSET_SIZE) return -EINVAL;
  const infoAddr = args.addr(1);
  const timeoutAddr = args.addr(2);
  if (t.copyIn(args.addr(0), t.scratch, 0, SIGSET_SIZE) < 0) return -EFAULT;
  const lo = (t.scratchView.getUint32(0, true) & ~UNBLOCKABLE) >>> 0;
  const hi = t.scratchView.getUint32(4, true);
  let timeoutNs = -1;
  if (timeoutAddr !== 0) {
    if (t.copyIn(timeoutAddr, t.scratch, 0, 16) < 0) return -EFAULT;
    const sec = getI64(t.scratchView, 0);
    const nsec = getI64(t.scratchView, 8);
    if (sec < 0 || nsec < 0 || nsec >= NSEC_PER_SEC) return -EINVAL;
    timeoutNs = sec * NSEC_PER_SEC + nsec;
  }
  const info = dequeueFrom(t, lo, hi);
  if (info !== null) return giveInfo(t, info, infoAddr);
  if (timeoutNs === 0) return -EAGAIN;
  return blockSigtimedwait(t, lo, hi, infoAddr, timeoutNs);
}

async function blockSigtimedwait(
  t: Task,
  lo: number,
  hi: number,
  infoAddr: number,
  timeoutNs: number,
): Promise<number> {
  const s = t.signals;
  const { maskLo, maskHi } = s;
  // Unblocked for the time of the wait so that they wake it; remembered so that they are not ignored.
  s.realLo = maskLo;
  s.realHi = maskHi;
  setMask(t, maskLo & ~lo, maskHi & ~hi);
  const why = await t.blocking.sleep(timeoutNs < 0 ? -1 : t.kernel.nowMonoNs() + timeoutNs);
  setMask(t, maskLo, maskHi);
  s.realLo = 0;
  s.realHi = 0;
  const info = dequeueFrom(t, lo, hi);
  if (info !== null) return giveInfo(t, info, infoAddr);
  return why === BLOCK_TIMEOUT ? -EAGAIN : -EINTR;
}

function giveInfo(t: Task, info: SigInfo, addr: number): number {
  if (addr === 0) return info.signo;
  putSigInfo(t.scratchView, 0, info);
  return t.copyOut(addr, t.scratch, 0, SIGINFO_SIZE) < 0 ? -EFAULT : info.signo;
}

/** sigaltstack(2). */
export function sigaltstack(t: Task, args: SyscallArguments): number {
  const newAddr = args.addr(0);
  const oldAddr = args.addr(1);
  if (newAddr !== 0 && t.copyIn(newAddr, t.scratch, 0, STACK_T_SIZE) < 0) return -EFAULT;
  const s = t.signals;
  const old = { spAddr: s.altStackAddr, flags: s.altStackFlags, sizeBytes: s.altStackSize };
  const sp = getReg(t.ctx!.regs, REG_RSP);
  const stack = { addr: s.altStackAddr, size: s.altStackSize, flags: s.altStackFlags };
  const isOn = onAltStack(sp, stack);
  // While in use SS_ONSTACK is shown; SS_AUTODISARM is kept beside.
  const shown = (isOn ? SS_ONSTACK : old.sizeBytes === 0 ? SS_DISABLE : 0) |
    (old.flags & SS_AUTODISARM);
  if (newAddr !== 0) {
    const v = t.scratchView;
    const err = setAltStack(
      t,
      getU64(v, STACK_T_OFF_SP_ADDR),
      v.getInt32(STACK_T_OFF_FLAGS, true),
      getU64(v, STACK_T_OFF_SIZE_BYTES),
      isOn,
      MINSIGSTKSZ,
    );
    if (err < 0) return err;
  }
  if (oldAddr === 0) return 0;
  putStackT(t.scratchView, 0, { ...old, flags: shown });
  return t.copyOut(oldAddr, t.scratch, 0, STACK_T_SIZE);
}

function setAltStack(
  t: Task,
  addr: number,
  flags: number,
  size: number,
  isOn: boolean,
  minSize: number,
): number {
  if (isOn) return -EPERM;
  const mode = flags & ~SS_AUTODISARM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  const s = t.signals;
  const isSame = s.altStackAddr === addr && s.altStackSize === size && s.altStackFlags === flags;
  if (isSame) return 0;
  if (mode === SS_DISABLE) {
    s.altStackAddr = 0;
    s.altStackSize = 0;
    s.altStackFlags = flags;
    return 0;
  }
  if (size < minSize) return -ENOMEM;
  s.altStackAddr = addr;
  s.altStackSize = size;
  s.altStackFlags = flags;
  return 0;
}

/** rt_sigreturn(2). */
export function rtSigreturn(t: Task): number {
  const out: RestoredFrame = { maskLo: 0, maskHi: 0, altStack: { addr: 0, size: 0, flags: 0 } };
  const handlerSp = getReg(t.ctx!.regs, REG_RSP);
  const err = popSignalFrame(t.ctx!, t, t.kernel.platform.fpState, out);
  if (err < 0) {
    forceSignal(t, SIGSEGV);
    return KEEP_REGISTERS;
  }
  setMask(t, out.maskLo, out.maskHi);
  // A bad stack in the frame leaves the present one (restore_altstack squashes all but faults), and so does
  // a handler that ran on it: Linux looks at the stack pointer before it is restored, since 6.12.
  const { addr, flags, size } = out.altStack;
  const s = t.signals;
  const now = { addr: s.altStackAddr, size: s.altStackSize, flags: s.altStackFlags };
  setAltStack(t, addr, flags, size, onAltStack(handlerSp, now), MINSIGSTKSZ);
  return KEEP_REGISTERS;
}

/** restart_syscall(2): goes on with what was interrupted. */
export function restartSyscall(t: Task): SyscallReturn {
  const again = t.restartBlock;
  t.restartBlock = null;
  return again === null ? -EINTR : again();
}

export const rows: SyscallRow[] = [
  [SYS_rt_sigreturn, "rt_sigreturn", rtSigreturn, FULL],
  [SYS_pause, "pause", pause, FULL],
  [SYS_rt_sigtimedwait, "rt_sigtimedwait", rtSigtimedwait, FULL],
  [SYS_rt_sigsuspend, "rt_sigsuspend", rtSigsuspend, FULL],
  [SYS_sigaltstack, "sigaltstack", sigaltstack, FULL],
  [SYS_restart_syscall, "restart_syscall", restartSyscall, FULL],
];
