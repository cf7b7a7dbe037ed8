/**
 * Acting on signals before a task goes back to the guest (Linux: get_signal, handle_signal,
 * arch_do_signal_or_restart). The run loop calls deliverSignals after every event.
 */
import {
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../../platform/abi/errno.ts";
import { SYS_restart_syscall } from "../../platform/abi/amd64/syscalls.ts";
import { RLIMIT_CORE } from "../../platform/abi/resource.ts";
import {
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SA_SIGINFO,
  SI_KERNEL,
  SIG_DFL,
  SIG_IGN,
  SIGINFO_SIZE,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SS_AUTODISARM,
  SS_DISABLE,
} from "../../platform/abi/signal.ts";
import { waitStatusSignaled } from "../../platform/abi/wait.ts";
import {
  getReg,
  REG_COUNT,
  REG_ORIG_RAX,
  REG_RAX,
  REG_RIP,
  setReg,
} from "../../platform/arch/amd64/registers.ts";
import { pushSignalFrame, type SignalFrame } from "../arch/amd64/signal_frame.ts";
import { exitGroup, exitTask } from "./exit.ts";
import { participateInStop, startGroupStop } from "./job_control.ts";
import { dequeueFrom, forceSignalInfo, setMask } from "./signal.ts";
import {
  dumpsCore,
  isIgnoredByDefault,
  type SignalAction,
  stopsByDefault,
} from "./signal_actions.ts";
import { faultSignal, putSigInfo, type SigInfo } from "./signal_info.ts";
import { bitHi, bitLo } from "./signal_queue.ts";
import type { Task } from "./task.ts";

/** Bytes of the instruction `syscall`: a restart goes back over it. */
const SYSCALL_LENGTH = 2;

const infoBytes = new Uint8Array(SIGINFO_SIZE);
const infoView = new DataView(infoBytes.buffer);

/**
 * Handles all deliverable signals of a task that is about to return to the guest. The result of an
 * interrupted call must be in REG_RAX, its number in REG_ORIG_RAX (-1: none). Returns true when the
 * task shall resume, false when it has stopped (`kernel.start` comes later) or exited.
 */
export function deliverSignals(t: Task): boolean {
  const { signals: s, tg } = t;
  while (!t.exiting) {
    if (tg.exiting) {
      exitTask(t, tg.exitStatus);
      return false;
    }
    if (s.killed) {
      exitTask(t, SIGKILL);
      return false;
    }
    if (s.stopPending) {
      participateInStop(t);
      return false;
    }
    if (!s.interruptible(t)) break;
    const info = dequeueFrom(t, ~s.maskLo, ~s.maskHi);
    if (info === null) break;
    t.kernel.strace?.signal(t, info);
    if (!act(t, info)) return false;
  }
  if (t.exiting) return false;
  finishWithoutHandler(t);
  return true;
}

/** One signal; false when the task is not to resume. */
function act(t: Task, info: SigInfo): boolean {
  const { tg } = t;
  const signo = info.signo;
  const action = tg.actions.get(signo);
  if (action.handlerAddr === SIG_IGN) return true;
  if (action.handlerAddr !== SIG_DFL) {
    callHandler(t, info, action);
    return true;
  }
  if (isIgnoredByDefault(signo)) return true;
  if (tg.isProtected && !info.privileged) return true;
  if (stopsByDefault(signo)) {
    // A group nobody could continue is not stopped by its terminal.
    if (signo !== SIGSTOP && tg.pgrp.isOrphaned()) return true;
    startGroupStop(t, signo);
    return true;
  }
  const dumped = dumpsCore(signo) && tg.limits.cur[RLIMIT_CORE] > 0 && tg.dumpable === 1;
  exitGroup(t, waitStatusSignaled(signo, dumped));
  return false;
}

function callHandler(t: Task, info: SigInfo, action: SignalAction): void {
  resolveRestart(t, action);
  if ((action.flags & SA_RESETHAND) !== 0) {
    t.tg.actions.set(info.signo, { ...action, handlerAddr: SIG_DFL });
  }
  const { signals: s } = t;
  const err = pushFrame(t, info, action);
  if (err < 0) {
    const below = t.unwrittenFrame;
    t.unwrittenFrame = null;
    if (below !== null) below.fail(t);
    else forceFrameFault(t, info.signo);
    return;
  }
  if ((s.altStackFlags & SS_AUTODISARM) !== 0) {
    s.altStackAddr = 0;
    s.altStackSize = 0;
    s.altStackFlags = SS_DISABLE;
  }
  s.hasSavedMask = false;
  const own = (action.flags & SA_NODEFER) === 0;
  setMask(
    t,
    s.maskLo | action.maskLo | (own ? bitLo(info.signo) : 0),
    s.maskHi | action.maskHi | (own ? bitHi(info.signo) : 0),
  );
}

/** What a task was before the frame of a handler that has yet to be written: see pushFrame. */
export class UnwrittenFrame {
  readonly #regs = new Int32Array(2 * REG_COUNT);
  #signo = 0;
  #maskLo = 0;
  #maskHi = 0;
  #hasSavedMask = false;
  #altStackAddr = 0;
  #altStackSize = 0;
  #altStackFlags = 0;

  keep(t: Task, signo: number): void {
    const { signals: s } = t;
    this.#regs.set(t.ctx!.regs.subarray(0, this.#regs.length));
    this.#signo = signo;
    this.#maskLo = s.maskLo;
    this.#maskHi = s.maskHi;
    this.#hasSavedMask = s.hasSavedMask;
    this.#altStackAddr = s.altStackAddr;
    this.#altStackSize = s.altStackSize;
    this.#altStackFlags = s.altStackFlags;
  }

  /** The host could not write it: what a frame without a place comes to. */
  fail(t: Task): void {
    const { signals: s } = t;
    t.ctx!.regs.set(this.#regs);
    t.ctx!.setFullRegisters();
    s.altStackAddr = this.#altStackAddr;
    s.altStackSize = this.#altStackSize;
    s.altStackFlags = this.#altStackFlags;
    s.hasSavedMask = this.#hasSavedMask;
    setMask(t, this.#maskLo, this.#maskHi);
    forceFrameFault(t, this.#signo);
  }
}

/** SIGSEGV, which kills when it was the one to be delivered. */
function forceFrameFault(t: Task, signo: number): void {
  forceSignalInfo(t, faultSignal(SIGSEGV, SI_KERNEL, 0), signo === SIGSEGV);
}

/**
 * Where other threads share the memory, one of them may make the stack read-only before this one's host thread
 * writes the frame, as it resumes: what was before is kept until then. To have it written at once would have all wait for
 * a host thread that sleeps; only one frame on top of another is.
 */
function pushFrame(t: Task, info: SigInfo, action: SignalAction): number {
  const ctx = t.ctx!;
  const frame = frameFor(t, info, action);
  const { fpState } = t.kernel.platform;
  if (t.mm.refs === 1) return pushSignalFrame(ctx, t, fpState, frame);
  if (t.unwrittenFrame !== null) {
    const err = ctx.flush();
    if (err < 0) return err;
  }
  const before = t.unwrittenFrame ?? new UnwrittenFrame();
  before.keep(t, info.signo);
  const err = pushSignalFrame(ctx, t, fpState, frame);
  t.unwrittenFrame = err === 0 ? before : null;
  return err;
}

function frameFor(t: Task, info: SigInfo, action: SignalAction): SignalFrame {
  const { signals: s } = t;
  if ((action.flags & SA_SIGINFO) !== 0) putSigInfo(infoView, 0, info);
  return {
    signo: info.signo,
    handlerAddr: action.handlerAddr,
    restorerAddr: action.restorerAddr,
    flags: action.flags,
    info: infoBytes,
    maskLo: s.hasSavedMask ? s.savedLo : s.maskLo,
    maskHi: s.hasSavedMask ? s.savedHi : s.maskHi,
    altStack: { addr: s.altStackAddr, size: s.altStackSize, flags: s.altStackFlags },
    trapError: info.trapError,
    trapno: info.trapno,
    faultAddr: info.addr,
  };
}

/** An interrupted call, seen by a handler: fails with EINTR, or starts again after it. */
function resolveRestart(t: Task, action: SignalAction): void {
  const { regs } = t.ctx!;
  if (regs[2 * REG_ORIG_RAX] < 0) return;
  const result = regs[2 * REG_RAX];
  const restarts = result === -ERESTARTNOINTR ||
    (result === -ERESTARTSYS && (action.flags & SA_RESTART) !== 0);
  if (restarts) restart(t, regs[2 * REG_ORIG_RAX]);
  else if (isRestart(result)) {
    t.ctx!.setReturn(-EINTR);
    setReg(regs, REG_RAX, -EINTR);
    setReg(regs, REG_ORIG_RAX, -1);
  }
}

function isRestart(result: number): boolean {
  return result === -ERESTARTSYS || result === -ERESTARTNOINTR || result === -ERESTARTNOHAND ||
    result === -ERESTART_RESTARTBLOCK;
}

/** No handler was called: an interrupted call starts again, and sigsuspend's mask is put back. */
function finishWithoutHandler(t: Task): void {
  const { regs } = t.ctx!;
  if (regs[2 * REG_ORIG_RAX] >= 0 && isRestart(regs[2 * REG_RAX])) {
    const again = regs[2 * REG_RAX] === -ERESTART_RESTARTBLOCK;
    restart(t, again ? SYS_restart_syscall : regs[2 * REG_ORIG_RAX]);
  }
  const { signals: s } = t;
  if (!s.hasSavedMask) return;
  s.hasSavedMask = false;
  setMask(t, s.savedLo, s.savedHi);
}

function restart(t: Task, nr: number): void {
  const { regs } = t.ctx!;
  setReg(regs, REG_RAX, nr);
  setReg(regs, REG_RIP, getReg(regs, REG_RIP) - SYSCALL_LENGTH);
  setReg(regs, REG_ORIG_RAX, -1);
  t.ctx!.setFullRegisters();
}
