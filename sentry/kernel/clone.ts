/** Making tasks (Linux: kernel/fork.c); clone(2), clone3(2), fork(2), vfork(2). */
import { EAGAIN, EEXIST, EINVAL, EPERM, ERESTARTNOINTR } from "../../platform/abi/errno.ts";
import {
  CAP_CHECKPOINT_RESTORE,
  CAP_SYS_ADMIN,
  CAP_SYS_RESOURCE,
} from "../../platform/abi/capability.ts";
import { RLIMIT_NPROC } from "../../platform/abi/resource.ts";
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_DETACHED,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  type CloneArgs,
  SCHED_DEADLINE,
  SCHED_NORMAL,
} from "../../platform/abi/sched.ts";
import { SS_DISABLE } from "../../platform/abi/signal.ts";
import { REG_ORIG_RAX, REG_RSP, setReg } from "../../platform/arch/amd64/registers.ts";
import type { Context } from "../../platform/platform.ts";
import { hasCapability } from "../auth/credentials.ts";
import type { PathRef } from "../vfs/mount.ts";
import { BLOCK_INTERRUPTED } from "./block.ts";
import { cpuLimitChanged } from "./cpu_limit.ts";
import { sampleCpuTime } from "./cpu_time.ts";
import type { FdTable } from "./fd_table.ts";
import type { FsContext } from "./fs_context.ts";
import { ALL_NAMESPACES, Namespace, type NamespaceProxy, type NamespaceSet } from "./namespaces.ts";
import { exitKeyrings, inheritKeyrings } from "./keys/task_keyrings.ts";
import { installPidfd } from "./pidfd.ts";
import { joinGroup, leaveGroup } from "./session.ts";
import { RESUMED, type SyscallReturn } from "./syscall.ts";
import { Task } from "./task.ts";
import { ThreadGroup } from "./thread_group.ts";

/** In CloneArgs.flagsHi: CLONE_CLEAR_SIGHAND and CLONE_INTO_CGROUP are bits 32 and 33. */
export const CLONE_CLEAR_SIGHAND_HI = 1;
export const CLONE_INTO_CGROUP_HI = 2;

const NEW_NAMESPACES = ALL_NAMESPACES & ~CLONE_NEWTIME;

/**
 * Makes a task as `args` says and starts it. Returns its tid in the parent; with CLONE_VFORK when the
 * child has execed or exited.
 */
export function cloneTask(t: Task, args: CloneArgs): SyscallReturn {
  const err = checkFlags(t, args);
  if (err < 0) return err;
  // A fork must not escape a signal that is sent to a whole group meanwhile.
  if (t.signals.interruptible(t)) return -ERESTARTNOINTR;
  const quota = checkLimits(t);
  if (quota < 0) return quota;
  const tid = allocateTid(t, args);
  if (tid < 0) return tid;
  const unshared = newNamespaces(t, args.flagsLo);
  if (typeof unshared === "number") return unshared;
  shareFs(t, args.flagsLo);
  shareActions(t, args.flagsLo);
  // A vfork child shares the stub's clock: what has passed until now is the parent's.
  if ((args.flagsLo & CLONE_VFORK) !== 0) sampleCpuTime(t);
  const ctx = newContext(t, args);
  if (typeof ctx === "number") {
    unshared.ns.release();
    return ctx;
  }
  storeParentTid(t, tid, args);
  const isVfork = (args.flagsLo & CLONE_VFORK) !== 0;
  const hasPidfd = (args.flagsLo & CLONE_PIDFD) !== 0;
  const parent = t.ctx!;
  // The host makes the thread or process while the rest is done here.
  const isFlushing = isVfork && !hasPidfd && parent.queued;
  if (isFlushing) parent.startFlush();
  const isResumed = !isVfork && !hasPidfd;
  if (isResumed) t.kernel.resumeEarly(t, tid);
  const child = newTask(t, tid, ctx, args, unshared);
  if (hasPidfd) {
    const failed = givePidfd(t, child, args);
    if (failed < 0) {
      abandon(child);
      return failed;
    }
  }
  publish(t, child, args);
  if (isVfork) return waitForVfork(t, child, isFlushing ? parent.flushed() : parent.flush());
  t.kernel.start(child);
  if (isResumed && (args.flagsLo & CLONE_VM) === 0) t.kernel.platform.prepareFork();
  return isResumed ? RESUMED : tid;
}

function checkFlags(t: Task, args: CloneArgs): number {
  const f = args.flagsLo;
  const has = (flags: number) => (f & flags) !== 0;
  // Both would be written to the same address.
  if (has(CLONE_PIDFD) && has(CLONE_PARENT_SETTID) && args.pidfdAddr === args.parentTidAddr) {
    return -EINVAL;
  }
  if (has(CLONE_FS) && has(CLONE_NEWNS | CLONE_NEWUSER)) return -EINVAL;
  if (has(CLONE_THREAD) && !has(CLONE_SIGHAND)) return -EINVAL;
  if (has(CLONE_SIGHAND) && !has(CLONE_VM)) return -EINVAL;
  if (has(CLONE_SIGHAND) && (args.flagsHi & CLONE_CLEAR_SIGHAND_HI) !== 0) return -EINVAL;
  if (has(CLONE_PARENT) && t.tg.isInit) return -EINVAL;
  if (has(CLONE_THREAD) && has(CLONE_NEWUSER | CLONE_NEWPID)) return -EINVAL;
  if (has(CLONE_PIDFD) && has(CLONE_DETACHED)) return -EINVAL;
  if (has(CLONE_SETTLS) && args.tlsAddr >= t.kernel.platform.taskSize) return -EPERM;
  if ((args.flagsHi & CLONE_INTO_CGROUP_HI) !== 0) {
    t.kernel.stub(t, "clone3 CLONE_INTO_CGROUP");
    return -EINVAL;
  }
  return 0;
}

/** The child of another process may change the root that both have: see Task.publishPlace. */
function shareFs(t: Task, flags: number): void {
  if ((flags & (CLONE_FS | CLONE_THREAD)) !== CLONE_FS || t.fs.isShared) return;
  t.fs.isShared = true;
  t.publishPlace();
}

/** A thread that has them for itself may set defaults without telling at once. */
function shareActions(t: Task, flags: number): void {
  const { actions } = t.tg;
  if ((flags & CLONE_SIGHAND) === 0 || actions.isShared) return;
  actions.isShared = true;
  t.publishIdentity();
}

function checkLimits(t: Task): number {
  const { kernel, creds, tg } = t;
  if (kernel.tasks.size >= kernel.maxTasks) return -EAGAIN;
  if (t.schedPolicy === SCHED_DEADLINE && !t.schedResetOnFork) return -EAGAIN;
  if (
    kernel.user(creds.ruid).tasks >= tg.limits.cur[RLIMIT_NPROC] && creds.ruid !== 0 &&
    !hasCapability(creds, CAP_SYS_RESOURCE) && !hasCapability(creds, CAP_SYS_ADMIN)
  ) return -EAGAIN;
  return 0;
}

function allocateTid(t: Task, args: CloneArgs): number {
  const { kernel, creds } = t;
  if (args.setTidCount === 0) return kernel.pids.allocate() || -EAGAIN;
  // There is one pid namespace, so one number at most.
  if (args.setTidCount > 1) return -EINVAL;
  const wanted = t.copyInU32(args.setTidAddr);
  if (wanted < 0) return wanted;
  if (wanted === 0 || wanted >= kernel.pids.pidMax) return -EINVAL;
  if (!hasCapability(creds, CAP_SYS_ADMIN) && !hasCapability(creds, CAP_CHECKPOINT_RESTORE)) {
    return -EPERM;
  }
  return kernel.isPidUsed(wanted) ? -EEXIST : wanted;
}

export interface Unshared {
  /** The caller owns this reference. */
  ns: NamespaceProxy;
  /** With a new mount namespace: where a place of the old one is in it. */
  translate: ((p: PathRef) => PathRef) | null;
}

/** The namespaces for CLONE_NEW* flags, also unshare(2)'s. */
export function newNamespaces(t: Task, flags: number): Unshared | number {
  const old = t.ns;
  if ((flags & NEW_NAMESPACES) === 0) return { ns: old.acquire(), translate: null };
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & (CLONE_NEWUSER | CLONE_NEWPID)) !== 0) {
    t.kernel.stub(t, "CLONE_NEWUSER or CLONE_NEWPID");
    return -EPERM;
  }
  const changed: Partial<NamespaceSet> = {};
  let translate = null;
  if ((flags & CLONE_NEWUTS) !== 0) changed.uts = old.uts.fork();
  if ((flags & CLONE_NEWIPC) !== 0) changed.ipc = new Namespace("ipc");
  if ((flags & CLONE_NEWNET) !== 0) changed.net = new Namespace("net");
  if ((flags & CLONE_NEWCGROUP) !== 0) changed.cgroup = new Namespace("cgroup");
  if ((flags & CLONE_NEWNS) !== 0) {
    const copy = old.mount.clone();
    changed.mount = copy.ns;
    translate = copy.translate;
  }
  return { ns: old.with(changed), translate };
}

function newContext(t: Task, args: CloneArgs): Context | number {
  const parent = t.ctx!;
  // What it may do, or knows, by itself as long as it is alone: it may go on before the child's task is made.
  t.fdTable.endQuiet();
  if ((args.flagsLo & CLONE_VM) !== 0) parent.tellBreak(0);
  const ctx = (args.flagsLo & CLONE_VM) !== 0
    ? parent.addressSpace.newThread(parent)
    : parent.addressSpace.fork(parent);
  if (typeof ctx === "number") return ctx;
  ctx.setReturn(0);
  // Now, since the parent may go on, and change its mask, before the child's task is made.
  ctx.blockedLo = parent.blockedLo;
  ctx.blockedHi = parent.blockedHi;
  setReg(ctx.regs, REG_ORIG_RAX, -1);
  if (args.stackAddr !== 0) setReg(ctx.regs, REG_RSP, args.stackAddr + args.stackSize);
  ctx.setFullRegisters();
  if ((args.flagsLo & CLONE_SETTLS) !== 0) ctx.setFsBase(args.tlsAddr);
  return ctx;
}

function newTask(t: Task, tid: number, ctx: Context, args: CloneArgs, unshared: Unshared): Task {
  const flags = args.flagsLo;
  const tg = (flags & CLONE_THREAD) !== 0 ? t.tg : newThreadGroup(t, tid, args);
  const mm = (flags & CLONE_VM) !== 0 ? t.mm.acquire() : t.mm.fork(ctx.addressSpace);
  const child = new Task(
    t.kernel,
    tid,
    ctx,
    tg,
    t.creds,
    mm,
    childFdTable(t, flags),
    childFs(t, flags, unshared),
    unshared.ns,
  );
  inherit(t, child, args);
  if (tg !== t.tg) tg.leader = child;
  return child;
}

function newThreadGroup(t: Task, tid: number, args: CloneArgs): ThreadGroup {
  const flags = args.flagsLo;
  const old = t.tg;
  let actions = old.actions;
  if ((flags & CLONE_SIGHAND) !== 0) actions.refs++;
  else {
    actions = actions.fork();
    if ((args.flagsHi & CLONE_CLEAR_SIGHAND_HI) !== 0) actions.resetHandlers();
  }
  const tg = new ThreadGroup(t.kernel, tid, actions, old.limits.fork());
  tg.exitSignal = (flags & CLONE_PARENT) !== 0 ? old.exitSignal : args.exitSignal;
  tg.dumpable = old.dumpable;
  tg.personality = old.personality;
  tg.oomScoreAdj = old.oomScoreAdj;
  tg.coredumpFilter = old.coredumpFilter;
  tg.thpDisabled = old.thpDisabled;
  return tg;
}

function childFdTable(t: Task, flags: number): FdTable {
  return (flags & CLONE_FILES) !== 0 ? t.fdTable.acquire() : t.fdTable.fork();
}

function childFs(t: Task, flags: number, unshared: Unshared): FsContext {
  if ((flags & CLONE_FS) !== 0) return t.fs.acquire();
  const fs = t.fs.fork();
  if (unshared.translate !== null) fs.enterNamespace(unshared.ns.mount, unshared.translate);
  return fs;
}

function inherit(t: Task, child: Task, args: CloneArgs): void {
  const flags = args.flagsLo;
  child.name = t.name;
  if (child.tg === t.tg && (t.tg.pending.lo | t.tg.pending.hi) !== 0) child.signals.flag();
  if ((flags & (CLONE_VM | CLONE_VFORK)) !== CLONE_VM) {
    child.signals.altStackAddr = t.signals.altStackAddr;
    child.signals.altStackSize = t.signals.altStackSize;
    child.signals.altStackFlags = t.signals.altStackFlags;
  } else child.signals.altStackFlags = SS_DISABLE;
  if ((flags & CLONE_VM) === 0) {
    child.ctx!.rseq = t.ctx!.rseq;
  }
  inheritScheduling(t, child);
  inheritKeyrings(t, child, (flags & CLONE_THREAD) !== 0);
  child.machineCheckPolicy = t.machineCheckPolicy;
  child.timerSlackNs = child.defaultTimerSlackNs = t.timerSlackNs;
  child.startBootNs = t.kernel.nowMonoNs() - t.kernel.bootMonoNs;
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.ctx!.clearTidAddr = args.childTidAddr;
}

function inheritScheduling(t: Task, child: Task): void {
  child.cpuMask = t.cpuMask;
  child.ioprio = t.ioprio;
  child.memoryPolicy = t.memoryPolicy;
  if (t.schedResetOnFork) {
    child.nice = Math.max(t.nice, 0);
    const special = t.schedPriority > 0 || t.schedPolicy === SCHED_DEADLINE;
    child.schedPolicy = special ? SCHED_NORMAL : t.schedPolicy;
    return;
  }
  child.nice = t.nice;
  child.schedPolicy = t.schedPolicy;
  child.schedPriority = t.schedPriority;
}

function givePidfd(t: Task, child: Task, args: CloneArgs): number {
  const fd = installPidfd(t, child, (args.flagsLo & CLONE_THREAD) !== 0, false);
  if (fd < 0) return fd;
  const err = t.copyOutU32(args.pidfdAddr, fd);
  if (err < 0) t.fdTable.close(fd);
  return err;
}

/** The child never was: gives back what it holds. */
function abandon(child: Task): void {
  if (child.tg.leader === child) child.tg.actions.refs--;
  child.fdTable.release();
  child.fs.release();
  child.ns.release();
  exitKeyrings(child);
  child.mm.release();
  child.takeContext()!.release();
}

/** The host could not make the child after all: it disappears without a trace. */
export function unmakeTask(child: Task): void {
  const { tg, kernel } = child;
  // The platform may have told first that it is dead, so that it has exited and perhaps been waited for.
  if (child.ctx !== null) {
    child.exiting = true;
    abandon(child);
  }
  if (kernel.tasks.get(child.tid) !== child) return;
  kernel.removeTask(child);
  const i = tg.threads.indexOf(child);
  if (i >= 0) tg.threads.splice(i, 1);
  if (tg.leader !== child) return;
  tg.parent?.children.delete(tg);
  leaveGroup(kernel, tg);
}

function storeParentTid(t: Task, tid: number, args: CloneArgs): void {
  if ((args.flagsLo & CLONE_PARENT_SETTID) === 0) return;
  // A thread may have ended, and cleared this word, before its maker runs on: now, not at its resume.
  if ((args.flagsLo & CLONE_VM) !== 0) t.storeU32(args.parentTidAddr, tid, true);
  else t.copyOutU32(args.parentTidAddr, tid);
}

function publish(t: Task, child: Task, args: CloneArgs): void {
  const { tg, kernel } = child;
  const flags = args.flagsLo;
  tg.threads.push(child);
  kernel.addTask(child);
  if (tg !== t.tg) {
    const inheritsParent = (flags & CLONE_PARENT) !== 0;
    tg.parent = inheritsParent ? t.tg.parent : t.tg;
    tg.parentThread = inheritsParent ? t.tg.parentThread : t;
    tg.parent?.children.add(tg);
    joinGroup(tg, t.tg.pgrp);
    tg.tty = t.tg.tty;
    cpuLimitChanged(tg);
  }
  if ((flags & CLONE_CHILD_SETTID) !== 0) child.copyOutU32(args.childTidAddr, child.tid);
}

/**
 * The parent sleeps until the child no longer uses its memory; only a fatal signal ends that. `flushed`: 0, or -errno
 * when the host did not make the child.
 */
async function waitForVfork(t: Task, child: Task, flushed: number): Promise<number> {
  let done = false;
  child.vforkDone = () => {
    done = true;
    t.blocking.wakeUp();
  };
  // The thread is made now: this one does not run before the child is done.
  if (flushed < 0) {
    unmakeTask(child);
    return -EAGAIN;
  }
  t.kernel.start(child);
  while (!done) {
    if (await t.blocking.waitKillable() === BLOCK_INTERRUPTED) break;
  }
  if (!done) child.vforkDone = null;
  return child.tid;
}
