/**
 * A guest thread (Linux: task_struct). Concerns live in files of their own, which take the Task:
 * signals in signal.ts, exit and wait in exit.ts, clone in clone.ts, execve in exec.ts,
 * blocking in block.ts, the run loop in run.ts.
 */
import { PR_MCE_KILL_DEFAULT } from "../../platform/abi/prctl.ts";
import {
  type Context,
  IDENTITY_PLACE,
  IDENTITY_ROOM,
  IDENTITY_SOLE,
  IDENTITY_UNTOUCHED,
  IDENTITY_VIEW,
} from "../../platform/platform.ts";
import { RLIMIT_STACK } from "../../platform/abi/resource.ts";
import { IoCounts } from "./io_counts.ts";
import type { Credentials } from "../auth/credentials.ts";
import type { MemoryPolicy } from "../mm/vma.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { UserDst, userDstIov, UserSrc, userSrcIov } from "../mm/usermem.ts";
import { maySeeAnswers, placeNumber } from "../vfs/path_answers.ts";
import type { TimeLooker } from "./cpu_timer.ts";
import type { FdTable } from "./fd_table.ts";
import type { FsContext } from "./fs_context.ts";
import type { Kernel } from "./kernel.ts";
import type { TaskKeyrings } from "./keys/task_keyrings.ts";
import { SyscallArguments } from "./syscall.ts";
import type { ThreadGroup } from "./thread_group.ts";
import { BlockState } from "./block.ts";
import { TaskSignals } from "./signal.ts";
import type { NamespaceProxy } from "./namespaces.ts";
import type { UnwrittenFrame } from "./signal_delivery.ts";

export const TASK_RUNNING = 0;
/** Waiting in block(); a signal or its queue wakes it. */
export const TASK_BLOCKED = 1;
/** Group-stopped by SIGSTOP and friends. */
export const TASK_STOPPED = 2;
export const TASK_ZOMBIE = 3;
export const TASK_DEAD = 4;

/** One for all tasks: handlers run one at a time, and none keeps it across an await. */
const scratch = new Uint8Array(512);
const scratchView = new DataView(scratch.buffer);

/** As Context.setIdentity wants it. */
const identity = new Int32Array(16).fill(-1);

export class Task {
  /** Null from exit on. Another one after execve. */
  ctx: Context | null;
  readonly args: SyscallArguments;
  /** Scratch for handlers; a handler must not keep it across an await. */
  readonly scratch: Uint8Array = scratch;
  readonly scratchView: DataView = scratchView;
  state = TASK_RUNNING;
  /** PR_SET_NAME, at most 15 bytes (latin1). */
  name = "";
  /** Linux's tid in the root pid namespace. */
  tid: number;
  readonly kernel: Kernel;
  tg: ThreadGroup;
  creds: Credentials;
  mm: MemoryManager;
  fdTable: FdTable;
  fs: FsContext;
  ns: NamespaceProxy;
  readonly signals: TaskSignals;
  readonly blocking: BlockState;
  /** Where to clear and futex-wake at exit (set_tid_address), 0 for none. */
  /** Set in a vfork child: called when it execs or exits. */
  vforkDone: (() => void) | null = null;
  exitSignal = 0;
  /** It is ending or has ended (Linux: PF_EXITING); set by exitTask. */
  exiting = false;
  /** Wait status as wait(2) encodes it. */
  exitCode = 0;
  /** CPU times in ns, brought up to date by the kernel (getrusage, /proc). */
  utimeNs = 0;
  stimeNs = 0;
  startBootNs = 0;
  voluntarySwitches = 0;
  /** What read(2), write(2) and their kin moved. */
  readonly io = new IoCounts();
  nice = 0;
  schedPolicy = 0;
  schedPriority = 0;
  schedResetOnFork = false;
  cpuMask = -1;
  ioprio = 0;
  timerSlackNs = 50_000;
  /** What PR_SET_TIMERSLACK of 0 goes back to: the creator's at the time. */
  defaultTimerSlackNs = 50_000;
  parentDeathSignal = 0;
  /** PR_MCE_KILL: when the thread would be told of a memory failure; kept and shown alone. */
  machineCheckPolicy = PR_MCE_KILL_DEFAULT;
  /** set_mempolicy(2); null: the default. */
  memoryPolicy: MemoryPolicy | null = null;
  /** Null while it has none. */
  keyrings: TaskKeyrings | null = null;
  /** Number of the system call being served, -1 outside; for strace, /proc/pid/syscall, reports. */
  sysno = -1;
  /** Restart of a call that keeps state (nanosleep, poll, futex): see ERESTART_RESTARTBLOCK. */
  restartBlock: (() => number | Promise<number>) | null = null;

  /** Who waits until the Sentry has the thread, and knows the CPU time that it has used. */
  timeLookers: Set<TimeLooker> | null = null;

  /** Of the handler that it was resumed in; null once it has come back. */
  unwrittenFrame: UnwrittenFrame | null = null;

  constructor(
    kernel: Kernel,
    tid: number,
    ctx: Context,
    tg: ThreadGroup,
    creds: Credentials,
    mm: MemoryManager,
    fdTable: FdTable,
    fs: FsContext,
    ns: NamespaceProxy,
  ) {
    this.kernel = kernel;
    this.tid = tid;
    this.ctx = ctx;
    this.args = new SyscallArguments(ctx.regs);
    this.tg = tg;
    this.creds = creds;
    this.mm = mm;
    this.fdTable = fdTable;
    this.fs = fs;
    this.ns = ns;
    this.signals = new TaskSignals(ctx);
    this.blocking = new BlockState(this);
    ctx.owner = this;
    this.publishIdentity();
    this.hideAnswers();
  }

  /** It computes nothing until the Sentry lets it. */
  get sleeps(): boolean {
    return this.state === TASK_BLOCKED || this.state === TASK_STOPPED;
  }

  /** It runs as far as the Sentry knows, but waits in a host call that the platform made for it. */
  get sleepsInHost(): boolean {
    return this.sysno < 0 && this.ctx !== null && this.ctx.waiting;
  }

  /** It runs code of its own. */
  get computes(): boolean {
    return this.state === TASK_RUNNING && this.sysno < 0 && !this.exiting && this.ctx !== null &&
      !this.ctx.waiting;
  }

  /** execve: what the old program did by itself is told. */
  leaveProgram(): void {
    this.countReads();
    this.fdTable.dropHolder();
  }

  /** execve: the task goes on in another address space. */
  replaceContext(ctx: Context): void {
    this.leaveProgram();
    this.ctx = ctx;
    this.args.regs = ctx.regs;
    ctx.owner = this;
    this.signals.moveTo(ctx);
    this.publishIdentity();
  }

  /** exit: what its context held is over. */
  takeContext(): Context | null {
    this.countReads();
    const { ctx } = this;
    this.signals.moveTo(null);
    this.ctx = null;
    return ctx;
  }

  /**
   * After a change of numbers, credentials or place: the platform may answer getpid(2), stat(2) and the like itself.
   */
  publishIdentity(): void {
    const { creds } = this;
    identity[0] = this.tg.pid;
    identity[1] = this.tid;
    identity[2] = creds.ruid;
    identity[3] = creds.euid;
    identity[4] = creds.rgid;
    identity[5] = creds.egid;
    const sees = this.seesAnswers(creds);
    identity[IDENTITY_VIEW] = sees ? 1 : 0;
    identity[IDENTITY_PLACE] = sees ? placeNumber(this.fs.cwd) : 0;
    identity[IDENTITY_UNTOUCHED] = this.tg.actions.untouchedLo;
    identity[IDENTITY_UNTOUCHED + 1] = this.tg.actions.untouchedHi;
    identity[IDENTITY_SOLE] = this.tg.actions.isShared ? 0 : 1;
    identity[IDENTITY_ROOM] = this.fdTable.isCrowded ? 0 : 1;
    this.ctx?.setIdentity(identity);
    this.publishStackLimit();
  }

  /** Brings `io` up to date. */
  countReads(): void {
    this.ctx?.takeReads(this.io);
  }

  /** After a change of RLIMIT_STACK. */
  publishStackLimit(): void {
    const { cur, max } = this.tg.limits;
    this.ctx?.tellStackLimit(cur[RLIMIT_STACK], max[RLIMIT_STACK]);
  }

  /** After a signal's action was set for the first time. */
  publishActions(): void {
    const { actions } = this.tg;
    if (actions.refs === 1) { for (const t of this.tg.threads) t.publishIdentity(); }
    else {
      for (const t of this.kernel.tasks.values()) {
        if (t.tg.actions === actions) t.publishIdentity();
      }
    }
  }

  /** Has root, current directory and umask for itself from now on. */
  unshareFs(): void {
    if (this.fs.refs === 1) return;
    const shared = this.fs;
    this.fs = shared.fork();
    shared.release();
  }

  /** After a change of the root or the current directory, which others may share. */
  publishPlace(): void {
    const { fs } = this;
    if (fs.refs === 1) this.publishIdentity();
    else for (const t of this.kernel.tasks.values()) if (t.fs === fs) t.publishIdentity();
    // Those in other processes have them hidden already (FsContext.isShared).
    this.hideAnswers();
  }

  /** Whether with these credentials it may know what the platform's `answers` tell. */
  seesAnswers(creds: Credentials): boolean {
    return !this.fs.isShared && maySeeAnswers(this.fs.root, creds);
  }

  /** After it may have lost the right to see them. */
  hideAnswers(): void {
    if (!this.seesAnswers(this.creds)) this.ctx?.hideAnswers();
  }

  // Guest memory. Addresses are numbers; each function returns 0 (or a count) or -EFAULT.

  /** Copies exactly end-start bytes in. Returns 0 or -EFAULT. */
  copyIn(addr: number, dst: Uint8Array, start: number, end: number): number {
    return this.mm.copyIn(this.ctx!, addr, dst, start, end);
  }
  /** Copies exactly end-start bytes out. Returns 0 or -EFAULT. */
  copyOut(addr: number, src: Uint8Array, start: number, end: number): number {
    return this.mm.copyOut(this.ctx!, addr, src, start, end);
  }
  /** A NUL-terminated path as latin1. -EFAULT; -ENAMETOOLONG from `limit` bytes on. */
  copyInString(addr: number, limit: number): string | number {
    return this.mm.copyInString(this.ctx!, addr, limit);
  }
  /** A u32, or -1 for a fault: use `copyIn` where 0xffffffff matters less than speed does not. */
  copyInU32(addr: number): number {
    const err = this.copyIn(addr, this.scratch, 0, 4);
    return err < 0 ? err : this.scratchView.getUint32(0, true);
  }
  /** Stores a u32 before anything else happens: what another thread is woken to look at. */
  storeU32(addr: number, value: number, beforeQueue = false): number {
    this.scratchView.setUint32(0, value, true);
    return this.mm.writeNow(beforeQueue ? null : this.ctx, addr, this.scratch, 0, 4);
  }
  copyOutU32(addr: number, value: number): number {
    this.scratchView.setUint32(0, value, true);
    return this.copyOut(addr, this.scratch, 0, 4);
  }
  /** copyOut of 8 bytes; two's complement for negative numbers. */
  copyOutI64(addr: number, value: number): number {
    this.scratchView.setInt32(0, value % 0x1_0000_0000, true);
    this.scratchView.setInt32(4, Math.floor(value / 0x1_0000_0000), true);
    return this.copyOut(addr, this.scratch, 0, 8);
  }
  /** One guest buffer as destination or source of I/O. */
  userDst(addr: number, length: number): UserDst {
    return new UserDst(this, addr, length);
  }
  userSrc(addr: number, length: number): UserSrc {
    return new UserSrc(this, addr, length);
  }
  /** A struct iovec array as destination: -EINVAL for a bad count or length, -EFAULT. */
  userDstIov(iovAddr: number, count: number): UserDst | number {
    return userDstIov(this, iovAddr, count);
  }
  userSrcIov(iovAddr: number, count: number): UserSrc | number {
    return userSrcIov(this, iovAddr, count);
  }
}
