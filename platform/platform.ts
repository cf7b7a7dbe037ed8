/**
 * The one door between the Sentry and the ways of running guest code (systrap, ptrace, later KVM).
 * A platform knows registers, pages and host threads; it knows nothing of Linux semantics.
 *
 * Ownership: a {@link Context} belongs either to the guest (its host thread runs guest code) or to
 * the Sentry (its host thread is parked in the stub). Everything here but `interrupt` and `kill`
 * may be called only while the Sentry owns the context.
 */

import { ESRCH } from "./abi/errno.ts";
import { RUSAGE_WORDS } from "./abi/resource.ts";
import type { FpState } from "./host/host.ts";
import { getReg } from "./arch/amd64/registers.ts";

const usageWords = new Float64Array(RUSAGE_WORDS);

/** The guest asked for a system call; number and arguments are in the registers. */
export const EVENT_SYSCALL = 1;
/** The guest's code faulted; `faultSignal`, `faultCode`, `faultAddr`, `faultTrapno`, `faultError`. */
export const EVENT_FAULT = 2;
/** `interrupt()` took effect between two guest instructions. */
export const EVENT_INTERRUPT = 3;
/** A queued host call failed: `failedCall` is its index, `failedErrno` negative. Later ones did not run. */
export const EVENT_CALL_FAILED = 4;
/** The host thread or its process is gone, or broke the protocol; the context is dead. */
export const EVENT_LOST = 5;
/** As EVENT_SYSCALL; before it, the guest did by itself what `takeDefaulted`, `takeMoved` and `takeClosed` say. */
export const EVENT_NOTED = 7;

/** What `Context.startCopyIn` takes at once. */
export const COPY_IN_MAX = 49152;

/** System calls whose answer is one of `Context.setIdentity`'s words, by position; other words follow. */
export const IDENTITY_CALLS: readonly number[] = [
  39, // getpid
  186, // gettid
  102, // getuid
  107, // geteuid
  104, // getgid
  108, // getegid
];

/** Of gettid(2) among them. */
export const IDENTITY_TID = 1;
/** What `Context.setIdentity` takes behind them: positions of single words, and of the first of two halves. */
export const IDENTITY_VIEW = 6;
export const IDENTITY_PLACE = 7;
export const IDENTITY_UNTOUCHED = 8;
export const IDENTITY_SOLE = 10;
export const IDENTITY_ROOM = 11;

/** Descriptors below it may be quiet (Context.letClose): a bit each. */
export const QUIET_FDS = 32;

/** Of a host call that takes at most five. */
export type CallArguments = readonly [number, number, number, number, number];

/** As rseq(2) was given it; an address of 0: none. */
export interface RseqArea {
  readonly addr: number;
  readonly lengthBytes: number;
  readonly signature: number;
}
export const NO_RSEQ: RseqArea = { addr: 0, lengthBytes: 0, signature: 0 };

/** `at`: bytes from the beginning of the file. */
export interface Moved {
  readonly fd: number;
  readonly at: number;
}
export interface ReadCounts {
  reads: number;
  readBytes: number;
}

/** Signals, all zeros before, that got SIG_DFL with SA_RESTORER and this address of a restorer: two halves of a set. */
export interface Defaulted {
  readonly lo: number;
  readonly hi: number;
  readonly restorerAddr: number;
}

/** In place of a call number. No system call has it. */
export const NO_CALL = -1;

export abstract class Context {
  /** The Sentry's Task. */
  owner: unknown = null;
  /** One of EVENT_*, set when `Platform.wait` returns this context. */
  event = 0;
  /** The number of the last call, any 32-bit value; NO_CALL before a program's first. */
  callNumber = 0;
  faultSignal = 0;
  faultCode = 0;
  faultAddr = 0;
  faultTrapno = 0;
  faultError = 0;
  failedCall = 0;
  failedErrno = 0;
  /** With EVENT_CALL_FAILED: a child of fork or newThread that so was not made; dead. */
  failedChild: Context | null = null;

  /** The system call came the slow way, by a host signal: patching its site would pay. */
  get enteredBySignal(): boolean {
    return false;
  }

  /** Every register will be loaded at the next resume, the instruction pointer among them. */
  get loadsAll(): boolean {
    return true;
  }

  abstract readonly addressSpace: AddressSpace;
  /** Registers, layout in arch/amd64/registers.ts. Writes reach the guest after `setFullRegisters`. */
  abstract readonly regs: Int32Array;

  /** Sets rax alone: the usual end of a system call. */
  abstract setReturn(value: number): void;
  /** `setReturn` and `resume`, for one that does not load all its registers. */
  resumeWith(value: number): void {
    this.setReturn(value);
    this.resume();
  }
  /** All of `regs` (but FS/GS base) is loaded at the next resume, not only rax. */
  abstract setFullRegisters(): void;
  /** Sets the FS base (thread pointer) at the next resume. */
  abstract setFsBase(addr: number): void;
  /** REG_FS_BASE or REG_GS_BASE as it is now: where the host lets them, programs write it without a call. */
  segmentBase(register: number): number {
    return getReg(this.regs, register);
  }

  /**
   * Numbers that getpid(2) and the like answer: a platform may let the thread read them by itself.
   * In the order of IDENTITY_CALLS; then 1 when it may use the platform's `answers`, and the number of the
   * directory in which its relative paths start, 0 for none; then two halves of the set of signals whose action, as
   * sigaction(2) tells it, is all zeros; then 1 when no other thread has the same signal actions; and 1 when there is a
   * free descriptor.
   */
  setIdentity(_words: Int32Array): void {}

  // What the thread may change by itself while it runs, with sigprocmask(2), set_robust_list(2), set_tid_address(2) and
  // rseq(2), where a platform lets it. It is the guest's word.
  #blockedLo = 0;
  #blockedHi = 0;
  #robustListAddr = 0;
  #clearTidAddr = 0;
  #rseq: RseqArea = NO_RSEQ;
  /** The signals that it blocks, as two halves of a set. */
  get blockedLo(): number {
    return this.#blockedLo;
  }
  set blockedLo(lo: number) {
    this.#blockedLo = lo;
  }
  get blockedHi(): number {
    return this.#blockedHi;
  }
  set blockedHi(hi: number) {
    this.#blockedHi = hi;
  }
  /** The guest address of the head of its robust list, 0 for none. */
  get robustListAddr(): number {
    return this.#robustListAddr;
  }
  set robustListAddr(addr: number) {
    this.#robustListAddr = addr;
  }
  /** The guest address of the word that is cleared when it ends, 0 for none. */
  get clearTidAddr(): number {
    return this.#clearTidAddr;
  }
  set clearTidAddr(addr: number) {
    this.#clearTidAddr = addr;
  }
  /** The rseq area that the host writes for it. */
  get rseq(): RseqArea {
    return this.#rseq;
  }
  set rseq(area: RseqArea) {
    this.#rseq = area;
  }
  /**
   * Whether a signal may be pending for it: then it does not change its mask by itself. Who sets it and finds a
   * signal blocked after that can rely on being asked before it is not.
   */
  setPending(_isPending: boolean): void {}

  /** With EVENT_NOTED: what it set to the default, null for nothing. It is the guest's word. */
  takeDefaulted(): Defaulted | null {
    return null;
  }
  /**
   * From now on the thread may by itself close the descriptor `fd`, just opened, of a regular file or a directory; know
   * that it is no terminal, and where it is as long as it only reads it; and know its attributes from the answer
   * `answer` (-1: none) while `serialOf` it is `serial`. `data`: what the file begins with, or all, if that is at hand;
   * true as long as the answer is. `fd` is below QUIET_FDS.
   */
  letClose(_fd: number, _answer: number, _serial: number, _data: Uint8Array | null): void {}
  /** Ends that for the descriptors of `fds`, a bit each. */
  takeBack(_fds: number): void {}
  /** Which ones it has closed since this was asked: a bit each. It is the guest's word. */
  takeClosed(): number {
    return 0;
  }
  /** Where it has moved a descriptor to by itself since this was asked; null: none. It is the guest's word. */
  takeMoved(): Moved | null {
    return null;
  }
  /** Adds what it has read by itself since this was asked. It is the guest's word. */
  takeReads(_counts: ReadCounts): void {}
  /** What brk(2) of 0 answers until it is told anew; 0: it is asked. */
  tellBreak(_addr: number): void {}
  /** RLIMIT_STACK of the thread's process, in bytes or RLIM_INFINITY. */
  tellStackLimit(_cur: number, _max: number): void {}
  /** The thread, which makes a call, has other credentials from now on: those of programs of `trust` (see Reuse). */
  changeTrust(_trust: string): void {}
  /** Takes the platform's `answers` out of its address space for good, before the thread runs on. */
  hideAnswers(): void {}

  // Host calls, performed in order by the guest's own host thread at the next `resume` or `flush`.
  /**
   * `hostFd` is -1 for anonymous memory; the caller keeps its fd. `flags` must contain MAP_FIXED. `holder`: what
   * holds `hostFd`, if that is no other file's as long as `holder` names it; several mappings in a row cost less.
   */
  abstract queueMmap(
    addr: number,
    length: number,
    prot: number,
    flags: number,
    hostFd: number,
    offset: number,
    holder?: unknown,
  ): void;
  /** The descriptors of what `queueMmap` queues until `startFlush` stay open until then: they may be sent at once. */
  gatherFiles(): void {}
  /** Any other allowed call by number (munmap, mprotect, mremap, madvise, msync, rseq, membarrier …). */
  abstract queueCall(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5?: number,
  ): void;
  /** The same, whatever it returns. */
  abstract queueAttempt(nr: number, ...args: CallArguments): void;
  /** Copies bytes into guest memory after the calls queued before it. */
  abstract queueCopyOut(addr: number, src: Uint8Array, start: number, end: number): void;
  /** Zeroes guest memory after the calls queued before it. */
  abstract queueZero(addr: number, length: number): void;
  /** Stores the FP state as an XSAVE image (`Platform.fpState.size` bytes, 64-byte aligned). */
  abstract queueSaveFp(addr: number): void;
  /** Loads the FP state from an XSAVE image in guest memory; 0 resets it to the initial state. */
  abstract queueLoadFp(addr: number): void;
  /**
   * Runs the queue now and waits for it, without resuming the guest. Returns 0, the first call's
   * negative errno, or -ESRCH when the host thread is gone.
   */
  abstract flush(): number;
  /** Begins a flush: until `flushed` has said how it ended, nothing may be queued. */
  abstract startFlush(): void;
  /** Waits for the end of `startFlush`. Returns what `flush` does. */
  abstract flushed(): number;
  /** Whether anything is queued. */
  abstract readonly queued: boolean;
  /** Whether the host thread has performed all that it was resumed with. */
  abstract readonly performed: boolean;
  /** Waits (shortly) until `performed`. */
  abstract awaitPerformed(): void;
  /** Like `flush` for one call, whose result is returned (mincore, membarrier, mremap …). */
  abstract callNow(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5?: number,
  ): number;

  // The arena: memory shared with the stub, where a call's operands already lie and results may be left.
  // A platform without one keeps these defaults.
  /** All of it, or null. Offsets below are into this. */
  get arena(): Uint8Array | null {
    return null;
  }
  /** Where guest bytes [addr, addr + length) already lie, or -1. */
  prefetchedAt(_addr: number, _length: number): number {
    return -1;
  }
  /** As prefetchedAt for a string: fills [offset, bytes there]. */
  prefetchedFrom(_addr: number, _out: Int32Array): boolean {
    return false;
  }
  /** The arena as 32-bit words, or null when there is none. */
  get arenaWords(): Int32Array | null {
    return null;
  }
  /** Bytes that `reserve` can still give before a flush. */
  get arenaLeft(): number {
    return 0;
  }
  reserve(_length: number): number {
    return -1;
  }
  /** Copies `length` reserved bytes at offset `at` to guest memory at the next resume. */
  queueArenaOut(_addr: number, _at: number, _length: number): void {}
  /** Address of the arena in this process, for host calls straight into it. */
  get arenaAddr(): number {
    return 0;
  }

  /** Whether the guest's thread is awake on a processor of its own, so that it copies at once what it is told to. */
  get isAwake(): boolean {
    return false;
  }
  /**
   * Has the guest's thread copy `length` bytes of its memory, at most COPY_IN_MAX, to one of two places in the arena, while
   * the caller does something else. Returns the offset. Until `copiedIn` has said how it ended, nothing may be queued.
   */
  startCopyIn(_addr: number, _length: number, _place: 0 | 1): number {
    return -1;
  }
  /** Waits for the end of `startCopyIn`. Returns how many bytes were copied before one was not there, or -errno. */
  copiedIn(): number {
    return -ESRCH;
  }

  /** The guest's thread sleeps in a host call that the platform made for it without the Sentry. */
  get waiting(): boolean {
    return false;
  }
  /** CPU time of the guest's process in ns, if the thread has told it with the call that it is in; else -1. */
  toldCpuNs(): number {
    return -1;
  }
  /**
   * getrusage(2) of the guest's own process (0) or thread (1), its RUSAGE_WORDS words into `out`; false when the
   * platform cannot tell. May be called while the Sentry owns the context.
   */
  usage(_who: number, _out: Float64Array): boolean {
    return false;
  }

  /** For a process that is about to end: what `reuse` wants to know of it. */
  reportUsage(reuse: Reuse | null): void {
    if (reuse?.usage !== undefined && this.usage(0, usageWords)) reuse.usage(usageWords);
  }

  /**
   * CPU time of the guest's thread in ns, or -1 when the platform cannot tell. May be called while the Sentry
   * owns the context.
   */
  cpuTimeNs(): number {
    return -1;
  }
  /** Has the queued commands find out what the next cpuTimeNs, after them, then says at once. */
  queueCpuTime(): void {}

  /** Whether `startAnew` may follow, for a program of `trust` (see Reuse): the thread is the only one of its process. */
  mayStartAnew(_trust: string): boolean {
    return false;
  }
  /**
   * Begins to give up the guest's memory, and what else its program has made of the thread, for another program in the
   * same process. What is queued from now on follows that.
   */
  startAnew(): void {}

  /** Gives the thread back to the guest. */
  abstract resume(): void;
  /** The task will block: the host thread may sleep at once instead of spinning for the reply. */
  abstract park(): void;
  /** Makes a running context return with EVENT_INTERRUPT (or another event) soon. Idempotent. */
  abstract interrupt(): void;
  /**
   * Ends the host thread (the process with the last one). The context must not be used after. `reuse`
   * allows the platform to empty the process instead, and to keep it for another program.
   */
  abstract release(reuse?: Reuse | null): void;
}

/** For a process whose program is gone. */
export interface Reuse {
  /** Whoever may run in it later: the program may have tampered with what of the platform lies in it. */
  trust: string;
  /** Called at once or later, but once, with what `Context.usage(0)` would say, if the platform can tell. */
  usage?: (words: Float64Array) => void;
}

export abstract class AddressSpace {
  /** Copies guest memory into `dst[start..end)`. Returns the bytes copied, which may be short, or -EFAULT. */
  abstract read(addr: number, dst: Uint8Array, start: number, end: number): number;
  /** Copies `src[start..end)` into guest memory. Returns the bytes copied, may be short, or -EFAULT. */
  abstract write(addr: number, src: Uint8Array, start: number, end: number): number;
  /**
   * Forks the address space, with the thread of `parent` (owned by the Sentry) as its only one.
   * The child context is owned by the Sentry at once; its registers start as a copy of the parent's.
   * Returns the child's context, or -ENOMEM / -EAGAIN.
   */
  abstract fork(parent: Context): Context | number;
  /**
   * Makes one more thread (or vfork child) in this address space; registers and FP state start as
   * copies of `parent`'s. Returns its context, owned by the Sentry, or -EAGAIN.
   */
  abstract newThread(parent: Context): Context | number;
  /** Host threads in it: with one, nothing happens behind the Sentry's back. */
  abstract readonly threadCount: number;
  /** Host pid of the stub process; for debugging only. */
  abstract readonly hostPid: number;
  /** Kills every thread of it at once. */
  abstract kill(): void;
  /** From now on a platform whose threads call madvise(2) by themselves lets the Sentry see each: it has refusals of its own. */
  watchAdvice(): void {}
}

/** How a platform is started. */
export interface PlatformOptions {
  /** Directory fd of an empty directory that becomes the stubs' root; -1 keeps the current one. */
  emptyRootFd: number;
  /** CLONE_NEW* flags for the zygote. */
  namespaces: number;
}

/** For calls that follow a symbolic link in the last component of a path; for those that do not; for both. */
export const ANSWER_FOLLOW = 1;
export const ANSWER_NOFOLLOW = 2;
export const ANSWER_BOTH = 3;

/**
 * What paths are, for guest threads that may know it (Context.setIdentity) to answer stat(2), access(2) and
 * readlink(2) by themselves. An answer is made by `begin`, filled at `statAt`, and there from `publish` on; any may
 * be forgotten at any time.
 */
export interface PathAnswers {
  /** Where struct stat goes, from `statAt` on. */
  readonly words: Int32Array;
  /**
   * Takes the place of the oldest answer; its number, or -1 when the path is too long. `path`: a byte a char.
   * `place`: the number of the directory in which it starts, 0 for an absolute path. `follow`: whom it is for,
   * ANSWER_*.
   */
  begin(path: string, place: number, follow: number): number;
  /** Index into `words`; all of STAT_SIZE bytes are to be written. */
  statAt(number: number): number;
  /** `error`: -ENOENT, or 0 for what is at `statAt`. */
  publish(number: number, error: number): void;
  /** Names what `number` tells now; 0 when it is true no longer. */
  serialOf(number: number): number;
  /** It is true no longer. */
  drop(number: number): void;
  /** None is true any longer. */
  dropAll(): void;
}

export interface Platform {
  readonly name: "systrap" | "ptrace";
  /** What the XSAVE image holds that queueSaveFp writes. */
  readonly fpState: FpState;
  /** The lowest address the guest cannot map: it and all above belong to the stub. */
  readonly taskSize: number;
  /** Address of the vDSO in every address space, for AT_SYSINFO_EHDR; 0 when there is none. */
  readonly vdsoAddr: number;
  /**
   * An empty address space with one thread, owned by the Sentry; or -errno. No program of another
   * `trust` (see Reuse) has ever run in it.
   */
  newAddressSpace(trust: string): Context | number;
  /**
   * Waits until a context comes back, the doorbell rings (poller, control message), or
   * `timeoutNs` is over (-1: no limit; 0: only look). Returns the context, or null for the others.
   */
  wait(timeoutNs: number): Context | null;
  /** `ctx.resumeWith(value)`, then `wait`: what happens at most calls, so a platform may do it in one go. */
  resumeAndWait(ctx: Context, value: number, timeoutNs: number): Context | null;
  /**
   * Lets guest threads serve by themselves what needs no Sentry: plain futex calls, sched_yield, the
   * identity calls, what `answers` tells. Off while system calls are traced. False: the platform cannot.
   */
  serveLocally(on: boolean): boolean;
  /** There is time, while the host forks: makes ready what the next `AddressSpace.fork` needs. */
  prepareFork(): void;
  /** Null where guest threads can answer nothing about paths. */
  readonly answers: PathAnswers | null;
  shutdown(): void;
}
