/** Dispositions, masks and sending: rt_sigaction(2), rt_sigprocmask(2), kill(2), rt_sigqueueinfo(2) … */
import { EAGAIN, EFAULT, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_kill,
  SYS_rt_sigaction,
  SYS_rt_sigpending,
  SYS_rt_sigprocmask,
  SYS_rt_sigqueueinfo,
  SYS_rt_tgsigqueueinfo,
  SYS_tgkill,
  SYS_tkill,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  _NSIG,
  getSigaction,
  putSigaction,
  SA_EXPOSE_TAGBITS,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SI_TKILL,
  SI_USER,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIGACTION_OFF_FLAGS,
  SIGACTION_SIZE,
  SIGINFO_OFF_CODE,
  SIGINFO_SIZE,
} from "../../platform/abi/signal.ts";
import { maySignal, pendingSet, sendSignal, setMask } from "../kernel/signal.ts";
import { UNBLOCKABLE } from "../kernel/signal_actions.ts";
import { rawSignal, userSignal } from "../kernel/signal_info.ts";
import { bitHi, bitLo, setHas } from "../kernel/signal_queue.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { ThreadGroup } from "../kernel/thread_group.ts";

/** Size of the kernel's sigset_t. */
export const SIGSET_SIZE = 8;
const INT_MIN = -0x8000_0000;
/** Flags that sigaction(2) knows; the others are cleared, so that a program can ask (UAPI_SA_FLAGS). */
const KNOWN_FLAGS = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART |
  SA_NODEFER |
  SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER;

function isSignal(signo: number): boolean {
  return signo >= 1 && signo <= _NSIG;
}

/** rt_sigaction(2). */
export function rtSigaction(t: Task, args: SyscallArguments): number {
  if (args.addr(3) !== SIGSET_SIZE) return -EINVAL;
  const signo = args.i32(0);
  const newAddr = args.addr(1);
  const oldAddr = args.addr(2);
  const { actions } = t.tg;
  if (newAddr !== 0 && t.copyIn(newAddr, t.scratch, 0, SIGACTION_SIZE) < 0) return -EFAULT;
  if (!isSignal(signo)) return -EINVAL;
  if (newAddr !== 0 && setHas(UNBLOCKABLE, 0, signo)) return -EINVAL;
  const old = actions.get(signo);
  if (newAddr !== 0) {
    const action = getSigaction(t.scratchView, 0);
    // The C library extends the sign of its int; the upper half says nothing.
    action.flags = (t.scratchView.getInt32(SIGACTION_OFF_FLAGS, true) & KNOWN_FLAGS) >>> 0;
    action.maskLo = (action.maskLo & ~UNBLOCKABLE) >>> 0;
    const wasUntouched = actions.isUntouched(signo);
    actions.set(signo, action);
    if (wasUntouched) t.publishActions();
    if (actions.ignores(signo)) discardPending(t.tg, signo);
  }
  if (oldAddr === 0) return 0;
  putSigaction(t.scratchView, 0, old);
  return t.copyOut(oldAddr, t.scratch, 0, SIGACTION_SIZE);
}

/** A pending signal that becomes ignored is discarded, even if it is blocked (POSIX). */
function discardPending(tg: ThreadGroup, signo: number): void {
  const lo = bitLo(signo);
  const hi = bitHi(signo);
  tg.pending.flush(lo, hi);
  for (const each of tg.threads) each.signals.pending.flush(lo, hi);
}

/** rt_sigprocmask(2). */
export function rtSigprocmask(t: Task, args: SyscallArguments): number {
  if (args.addr(3) !== SIGSET_SIZE) return -EINVAL;
  const newAddr = args.addr(1);
  const oldAddr = args.addr(2);
  const { maskLo, maskHi } = t.signals;
  if (newAddr !== 0) {
    if (t.copyIn(newAddr, t.scratch, 0, SIGSET_SIZE) < 0) return -EFAULT;
    const lo = t.scratchView.getUint32(0, true);
    const hi = t.scratchView.getUint32(4, true);
    const how = args.i32(0);
    if (how === SIG_BLOCK) setMask(t, maskLo | lo, maskHi | hi);
    else if (how === SIG_UNBLOCK) setMask(t, maskLo & ~lo, maskHi & ~hi);
    else if (how === SIG_SETMASK) setMask(t, lo, hi);
    else return -EINVAL;
  }
  return oldAddr === 0 ? 0 : copyOutSet(t, oldAddr, maskLo, maskHi, SIGSET_SIZE);
}

function copyOutSet(t: Task, addr: number, lo: number, hi: number, size: number): number {
  t.scratchView.setUint32(0, lo, true);
  t.scratchView.setUint32(4, hi, true);
  return t.copyOut(addr, t.scratch, 0, size);
}

/** rt_sigpending(2). */
export function rtSigpending(t: Task, args: SyscallArguments): number {
  const size = args.addr(1);
  if (size > SIGSET_SIZE) return -EINVAL;
  const [lo, hi] = pendingSet(t);
  const { maskLo, maskHi } = t.signals;
  return copyOutSet(t, args.addr(0), lo & maskLo, hi & maskHi, size);
}

/** kill(2). */
export function kill(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const signo = args.i32(1);
  if (pid > 0) {
    const target = t.kernel.tasks.get(pid)?.tg;
    return target === undefined ? -ESRCH : sendTo(t, target, signo);
  }
  if (pid === INT_MIN) return -ESRCH;
  if (pid === -1) return killAll(t, signo);
  const group = pid === 0 ? t.tg.pgrp : t.kernel.processGroups.get(-pid);
  return group === undefined ? -ESRCH : killMany(t, [...group.members], signo);
}

/** Every process but init and the caller's own. */
function killAll(t: Task, signo: number): number {
  const targets = [];
  for (const tg of t.kernel.threadGroups()) if (!tg.isInit && tg !== t.tg) targets.push(tg);
  return killMany(t, targets, signo);
}

/** Success when one was sent; else the last error. */
function killMany(t: Task, targets: ThreadGroup[], signo: number): number {
  let result = -ESRCH;
  let sent = false;
  for (const target of targets) {
    const err = sendTo(t, target, signo);
    if (err === 0) sent = true;
    else if (err !== -EPERM || result === -ESRCH) result = err;
  }
  return sent ? 0 : result;
}

function sendTo(t: Task, target: ThreadGroup | Task, signo: number, code = SI_USER): number {
  if (signo < 0 || signo > _NSIG) return -EINVAL;
  const err = maySignal(t, target instanceof ThreadGroup ? target.leader : target, signo);
  if (err < 0 || signo === 0) return err;
  return sendSignal(target, userSignal(signo, code, t.tg.pid, t.creds.ruid));
}

/** tkill(2). */
export function tkill(t: Task, args: SyscallArguments): number {
  const tid = args.i32(0);
  return tid <= 0 ? -EINVAL : sendToThread(t, 0, tid, args.i32(1));
}

/** tgkill(2). */
export function tgkill(t: Task, args: SyscallArguments): number {
  const tgid = args.i32(0);
  const tid = args.i32(1);
  return tid <= 0 || tgid <= 0 ? -EINVAL : sendToThread(t, tgid, tid, args.i32(2));
}

function sendToThread(t: Task, tgid: number, tid: number, signo: number): number {
  const target = t.kernel.tasks.get(tid);
  if (target === undefined || (tgid > 0 && target.tg.pid !== tgid)) return -ESRCH;
  const err = sendTo(t, target, signo, SI_TKILL);
  // A full queue of a real-time signal is told, as on Linux; see signal.c's do_send_specific.
  return err === -EAGAIN && signo === 0 ? 0 : err;
}

/** The caller's siginfo_t, or -errno. Codes of the kernel may only be sent to oneself. */
function copyInInfo(t: Task, addr: number, signo: number, targetPid: number) {
  const bytes = new Uint8Array(SIGINFO_SIZE);
  if (t.copyIn(addr, bytes, 0, SIGINFO_SIZE) < 0) return -EFAULT;
  const code = new DataView(bytes.buffer).getInt32(SIGINFO_OFF_CODE, true);
  if ((code >= 0 || code === SI_TKILL) && targetPid !== t.tg.pid) return -EPERM;
  return rawSignal(signo, bytes);
}

/** rt_sigqueueinfo(2). */
export function rtSigqueueinfo(t: Task, args: SyscallArguments): number {
  const pid = args.i32(0);
  const signo = args.i32(1);
  const info = copyInInfo(t, args.addr(2), signo, pid);
  if (typeof info === "number") return info;
  const target = t.kernel.tasks.get(pid)?.tg;
  if (target === undefined) return -ESRCH;
  if (signo < 0 || signo > _NSIG) return -EINVAL;
  const err = maySignal(t, target.leader, signo);
  return err < 0 || signo === 0 ? err : sendSignal(target, info);
}

/** rt_tgsigqueueinfo(2). */
export function rtTgsigqueueinfo(t: Task, args: SyscallArguments): number {
  const tgid = args.i32(0);
  const tid = args.i32(1);
  const signo = args.i32(2);
  const info = copyInInfo(t, args.addr(3), signo, tid);
  if (info === -EFAULT) return info;
  if (tid <= 0 || tgid <= 0) return -EINVAL;
  if (typeof info === "number") return info;
  const target = t.kernel.tasks.get(tid);
  if (target === undefined || target.tg.pid !== tgid) return -ESRCH;
  if (signo < 0 || signo > _NSIG) return -EINVAL;
  const err = maySignal(t, target, signo);
  return err < 0 || signo === 0 ? err : sendSignal(target, info);
}

export const rows: SyscallRow[] = [
  [SYS_rt_sigaction, "rt_sigaction", rtSigaction, FULL],
  [SYS_rt_sigprocmask, "rt_sigprocmask", rtSigprocmask, FULL],
  [SYS_rt_sigpending, "rt_sigpending", rtSigpending, FULL],
  [SYS_kill, "kill", kill, FULL],
  [SYS_tkill, "tkill", tkill, FULL],
  [SYS_tgkill, "tgkill", tgkill, FULL],
  [SYS_rt_sigqueueinfo, "rt_sigqueueinfo", rtSigqueueinfo, FULL],
  [SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo", rtTgsigqueueinfo, FULL],
];
