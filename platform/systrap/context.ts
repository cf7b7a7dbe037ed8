/** A guest thread under systrap: its slot, and the commands queued for its host thread. */
import {
  SYS_arch_prctl,
  SYS_clock_gettime,
  SYS_exit_group,
  SYS_getrusage,
  SYS_membarrier,
  SYS_mmap,
  SYS_munmap,
  SYS_sched_yield,
} from "../abi/amd64/syscalls.ts";
import { EFAULT, ESRCH, ETIMEDOUT } from "../abi/errno.ts";
import { ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS } from "../abi/prctl.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ } from "../abi/mman.ts";
import {
  RLIM_INFINITY,
  RUSAGE_OFF_MAJFLT,
  RUSAGE_OFF_MAXRSS_KB,
  RUSAGE_OFF_MINFLT,
  RUSAGE_OFF_STIME_SEC,
  RUSAGE_OFF_STIME_USEC,
  RUSAGE_OFF_UTIME_SEC,
  RUSAGE_OFF_UTIME_USEC,
  RUSAGE_SELF,
  RUSAGE_SIZE,
  RUSAGE_WORDS,
} from "../abi/resource.ts";
import { CLOCK_THREAD_CPUTIME_ID, NSEC_PER_SEC, TIMESPEC_SIZE } from "../abi/time.ts";
import { PAGE_SIZE } from "../abi/limits.ts";
import { getReg, REG_FS_BASE, REG_GS_BASE, setReg } from "../arch/amd64/registers.ts";
import { native } from "../host/ffi.ts";
import { hostSyscall, monoNs } from "../host/host.ts";
import {
  type CallArguments,
  Context,
  COPY_IN_MAX,
  type Defaulted,
  EVENT_CALL_FAILED,
  EVENT_FAULT,
  EVENT_INTERRUPT,
  EVENT_LOST,
  EVENT_NOTED,
  EVENT_SYSCALL,
  type Moved,
  type ReadCounts,
  type Reuse,
  type RseqArea,
} from "../platform.ts";
import type { SystrapAddressSpace } from "./address_space.ts";
import { MESSAGE_BYTES, sendFds } from "./hoards.ts";
import { Patience } from "./patience.ts";
import type { Slot } from "./region.ts";
import type { Rest } from "./rest.ts";
import {
  ANSWERS_BASE,
  ANSWERS_SIZE,
  ARENA_IN,
  ARENA_OUT,
  CMD_CALL,
  CMD_CALL_RESULT,
  CMD_COPY_IN,
  CMD_COPY_OUT,
  CMD_EXIT,
  CMD_LOAD_FP,
  CMD_MMAP_FD,
  CMD_MMAP_SAME,
  CMD_SAVE_FP,
  CMD_THREAD,
  CMD_ZERO,
  COMMAND_MAX,
  COMMAND_WORDS,
  CONTROL_BASE,
  CPU_TIME_ADDR,
  EVENT_QUIT,
  FDS_MAX,
  HEAD,
  HEAD_SIZE,
  I_ALIVE,
  I_ANSWER,
  I_AT,
  I_BLOCKED,
  I_BRK,
  I_CLEAR_TID,
  I_CLOSED,
  I_COMMANDS,
  I_DEFAULTED,
  I_EVENT,
  I_FAILED,
  I_FAULT_ADDR,
  I_FAULT_CODE,
  I_FAULT_ERROR,
  I_FAULT_SIGNAL,
  I_FAULT_TRAPNO,
  I_FCW,
  I_FD_LOCK,
  I_FD_READY,
  I_FIRST,
  I_FRESH,
  I_HOST_TID,
  I_INTERRUPTED,
  I_KNOWN,
  I_MXCSR,
  I_NPREFETCHED,
  I_NR,
  I_PENDING,
  I_PREFETCHED,
  I_QUIET,
  I_QUITS,
  I_READ_BYTES,
  I_READS,
  I_REPLY,
  I_RESTORER,
  I_RESULT,
  I_ROBUST,
  I_RSEQ,
  I_RSEQ_LENGTH,
  I_RSEQ_SIGNATURE,
  I_SELF,
  I_SERIAL,
  I_SIGNAL_PATH,
  I_SLEEPING,
  I_STACK_LIMIT,
  I_STATE,
  I_WAITING,
  I_WORDS,
  PREFETCH_MAX,
  REPLY_FLUSH,
  REPLY_FULL,
  REPLY_PARK,
  SLOT_SIZE,
  slotOffset,
  STATE_REPLY,
  STATE_SENTRY,
  USAGE_ADDR,
  WORD_UNTOUCHED,
} from "./slot.ts";

/** Of rusage, as 64-bit words. */
const WORD_MAXRSS = RUSAGE_OFF_MAXRSS_KB / 8;
const FAULT_WORDS = [RUSAGE_OFF_MINFLT / 8, RUSAGE_OFF_MAJFLT / 8];
/** Behind the arguments of a command. */
const COMMAND_ARGUMENT_WORDS = 12;
const IN_COMMAND_MAX = 8;
/** For isEmpty. */
const usageWords = new Float64Array(RUSAGE_WORDS);
/** Guests and stubs map nothing below. */
const LOWEST_PAGE = 0x1000;
/** The peak stays with a process: one that had more would give a small program after it away. */
const KEPT_MAXRSS_KIB = 8192;
const PRIVATE_ZEROS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const HIGH = 0x1_0000_0000;
/**
 * A stub answers in microseconds; one that does not is lost to its guest's own doing. But the host's scheduler has been
 * seen to keep one of several sandboxes that compute on every processor from running for seconds (sched_autogroup).
 */
const patience = new Patience(10e9);
const LONGEST_YIELD_NS = 2e6;
/** Messages in flight on one stub's socket: an execve's, and far below what the send buffer of a pair holds. */
const SOCKET_QUEUE = 24;

export class SystrapContext extends Context {
  readonly regs: Int32Array;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  /** Address of the slot in this process, for host calls straight into the arena. */
  readonly slotAddr: number;
  override get arena(): Uint8Array {
    return this.u8;
  }
  override get arenaWords(): Int32Array {
    return this.i32;
  }
  override get arenaAddr(): number {
    return this.slotAddr;
  }
  override get enteredBySignal(): boolean {
    return this.i32[I_SIGNAL_PATH] !== 0;
  }
  override get loadsAll(): boolean {
    return this.#full !== 0 || this.i32[I_SIGNAL_PATH] !== 0;
  }
  lost = false;
  #commands = 0;
  #arenaUsed = ARENA_OUT;
  #full = 0;
  /** CPU time that its host thread has used for other guest threads before. */
  readonly #cpuTimeBefore: number;
  /** Its host thread was sent the order to exit. */
  #leaving = false;

  constructor(
    readonly addressSpace: SystrapAddressSpace,
    readonly slot: Slot,
    readonly handle: number,
  ) {
    super();
    this.u8 = slot.u8;
    this.i32 = slot.i32;
    this.regs = slot.regs;
    this.slotAddr = slot.addr;
    this.#cpuTimeBefore = slot.cpuTimeNs;
    slot.user = this;
  }

  /** Reads what the stub published. The guest may have forged it: only ranges are trusted. */
  decode(): void {
    this.#signalled = false;
    const i32 = this.i32;
    const event = i32[I_EVENT];
    switch (event) {
      case EVENT_SYSCALL:
      case EVENT_NOTED:
        this.callNumber = i32[I_NR];
        this.#child = null;
        this.event = event;
        return;
      case EVENT_QUIT:
        // The process is ending, and is killed if it is not (dropContext).
        this.#child = null;
        this.lost = true;
        this.callNumber = SYS_exit_group;
        this.event = this.addressSpace.threadCount === 1 ? EVENT_NOTED : EVENT_LOST;
        return;
      case EVENT_INTERRUPT:
        this.#child = null;
        this.event = event;
        return;
      case EVENT_FAULT:
        this.event = event;
        this.faultSignal = i32[I_FAULT_SIGNAL];
        this.faultCode = i32[I_FAULT_CODE];
        this.faultAddr = (i32[I_FAULT_ADDR] >>> 0) + (i32[I_FAULT_ADDR + 1] >>> 0) * HIGH;
        this.faultTrapno = i32[I_FAULT_TRAPNO];
        this.faultError = i32[I_FAULT_ERROR];
        if (this.faultSignal < 1 || this.faultSignal > 31) this.faultSignal = 11;
        return;
      case EVENT_CALL_FAILED:
        this.event = event;
        this.failedCall = i32[I_FAILED];
        this.failedErrno = i32[I_RESULT];
        if (!(this.failedErrno < 0 && this.failedErrno >= -4095)) this.failedErrno = -EFAULT;
        this.failedChild = this.#childUnmade(this.failedCall);
        this.addressSpace.isUsedUp = true;
        return;
      default:
        this.event = EVENT_LOST;
    }
  }

  override setReturn(value: number): void {
    this.regs[0] = value % HIGH;
    this.regs[1] = Math.floor(value / HIGH);
  }

  override setFullRegisters(): void {
    this.#full = REPLY_FULL;
  }

  override setFsBase(addr: number): void {
    setReg(this.regs, 18, addr);
    this.queueCall(SYS_arch_prctl, ARCH_SET_FS, addr, 0, 0, 0);
  }

  override segmentBase(register: number): number {
    const code = register === REG_FS_BASE ? ARCH_GET_FS : ARCH_GET_GS;
    const at = this.#callFilling(SYS_arch_prctl, code, 8);
    if (at >= 0) {
      const base = this.#wordAt(at);
      setReg(this.regs, register, base === this.#stubAddr ? 0 : base);
    }
    return getReg(this.regs, register);
  }

  override setIdentity(words: Int32Array): void {
    const { i32 } = this;
    i32.set(words, I_WORDS);
    // It may have set some to their default, and not told yet.
    i32[I_WORDS + WORD_UNTOUCHED] &= ~i32[I_DEFAULTED];
    i32[I_WORDS + WORD_UNTOUCHED + 1] &= ~i32[I_DEFAULTED + 1];
  }

  override get blockedLo(): number {
    return this.i32[I_BLOCKED];
  }
  override set blockedLo(lo: number) {
    this.i32[I_BLOCKED] = lo;
  }
  override get blockedHi(): number {
    return this.i32[I_BLOCKED + 1];
  }
  override set blockedHi(hi: number) {
    this.i32[I_BLOCKED + 1] = hi;
  }
  override get robustListAddr(): number {
    return this.#wordAt(4 * I_ROBUST);
  }
  override set robustListAddr(addr: number) {
    this.#word(I_ROBUST, addr);
  }

  override get clearTidAddr(): number {
    return this.#wordAt(4 * I_CLEAR_TID);
  }
  override set clearTidAddr(addr: number) {
    this.#word(I_CLEAR_TID, addr);
  }
  override get rseq(): RseqArea {
    const { i32 } = this;
    return {
      addr: this.#wordAt(4 * I_RSEQ),
      lengthBytes: i32[I_RSEQ_LENGTH] >>> 0,
      signature: i32[I_RSEQ_SIGNATURE] >>> 0,
    };
  }
  override set rseq({ addr, lengthBytes, signature }: RseqArea) {
    this.#word(I_RSEQ, addr);
    this.i32[I_RSEQ_LENGTH] = lengthBytes;
    this.i32[I_RSEQ_SIGNATURE] = signature;
  }

  override setPending(isPending: boolean): void {
    // Before whatever is read after it.
    Atomics.exchange(this.i32, I_PENDING, isPending ? 1 : 0);
  }

  override takeDefaulted(): Defaulted | null {
    const { i32 } = this;
    const lo = i32[I_DEFAULTED];
    const hi = i32[I_DEFAULTED + 1];
    if ((lo | hi) === 0) return null;
    i32[I_DEFAULTED] = i32[I_DEFAULTED + 1] = 0;
    return { lo, hi, restorerAddr: this.#wordAt(4 * I_RESTORER) };
  }

  override letClose(fd: number, answer: number, serial: number, data: Uint8Array | null): void {
    const { i32 } = this;
    i32[I_KNOWN] = fd + 1;
    i32[I_FRESH] = 1;
    i32[I_AT] = i32[I_AT + 1] = 0;
    let head = 0;
    if (data !== null && serial !== 0) {
      head = data.length <= HEAD_SIZE ? data.length : PAGE_SIZE;
      this.u8.set(data.length === head ? data : data.subarray(0, head), HEAD);
    }
    i32[I_ANSWER] = answer + 1 | head << 16;
    i32[I_SERIAL] = serial;
    i32[I_QUIET] |= 1 << fd;
  }
  override takeBack(fds: number): void {
    Atomics.and(this.i32, I_QUIET, ~fds);
  }
  override takeClosed(): number {
    return Atomics.exchange(this.i32, I_CLOSED, 0);
  }

  override takeMoved(): Moved | null {
    const { i32 } = this;
    if (Atomics.and(i32, I_FRESH, 0xffff) >>> 16 === 0) return null;
    const at = this.#wordAt(4 * I_AT);
    return at >= 0 && at <= Number.MAX_SAFE_INTEGER ? { fd: i32[I_KNOWN] - 1, at } : null;
  }
  override takeReads(counts: ReadCounts): void {
    const { i32 } = this;
    if (i32[I_READS] === 0) return;
    counts.reads += i32[I_READS] >>> 0;
    counts.readBytes += this.#wordAt(4 * I_READ_BYTES);
    i32.fill(0, I_READ_BYTES, I_READS + 1);
  }
  override tellBreak(addr: number): void {
    this.#word(I_BRK, addr);
  }
  override tellStackLimit(cur: number, max: number): void {
    this.#limit(I_STACK_LIMIT, cur);
    this.#limit(I_STACK_LIMIT + 2, max);
  }
  #limit(at: number, limit: number): void {
    if (limit === RLIM_INFINITY) this.i32[at] = this.i32[at + 1] = -1;
    else this.#word(at, limit);
  }

  override changeTrust(trust: string): void {
    if (!this.addressSpace.changeTrust(trust, this)) return;
    this.i32[I_KNOWN] = 0;
    this.i32[I_ANSWER] = 0;
  }

  /**
   * Zeros in their place: a thread of the process may be looking at them. In a process that can have no more mappings
   * they go first, as where there is no other thread.
   */
  override hideAnswers(): void {
    const space = this.addressSpace;
    if (space.hidesAnswers) return;
    space.hidesAnswers = true;
    const isAlone = space.threadCount === 1;
    if (!isAlone) {
      this.#mapZeros();
      // Another thread may have the process forked before this one runs.
      if (this.event === 0 || this.flush() === 0) return;
    }
    this.queueCall(SYS_munmap, ANSWERS_BASE, ANSWERS_SIZE, 0, 0, 0);
    this.#mapZeros();
    if (!isAlone) this.flush();
  }

  #mapZeros(): void {
    this.queueCall(SYS_mmap, ANSWERS_BASE, ANSWERS_SIZE, PROT_READ, PRIVATE_ZEROS, -1);
  }

  #queue(op: number, nr: number): number {
    if (this.#commands === COMMAND_MAX) this.flush();
    const at = I_COMMANDS + COMMAND_WORDS * this.#commands++;
    if (op !== CMD_CALL_RESULT) this.#mayFail = true;
    this.i32[at] = op;
    this.i32[at + 1] = nr;
    return at + 2;
  }

  #word(at: number, value: number): void {
    this.i32[at] = value % HIGH;
    this.i32[at + 1] = Math.floor(value / HIGH);
  }

  /** For AddressSpace: a fork or thread command, which makes `child`. */
  queueChild(op: number, a0: number, child: SystrapContext): void {
    this.#word(this.#queue(op, 0), a0);
    this.#child = child;
    this.#childCommand = this.#commands - 1;
    native.dv_expect_clone(this.addressSpace.hostPid, op === CMD_THREAD ? 1 : 0);
  }
  #child: SystrapContext | null = null;
  #childCommand = 0;

  /** The child that the last batch should have made, if its command was not reached or failed. */
  #childUnmade(failedCommand: number): Context | null {
    const child = this.#child;
    this.#child = null;
    if (child === null || failedCommand > this.#childCommand || child.#isMade(this)) return null;
    child.lost = true;
    // A process is forgotten when it turns out that it does not greet.
    if (child.addressSpace === this.addressSpace) {
      native.dv_unexpect_clone(this.addressSpace.hostPid, 1);
    }
    return child;
  }

  /** It has said so itself, whatever its maker says. */
  #isMade(maker: SystrapContext): boolean {
    const space = this.addressSpace;
    return this.event !== 0 || (space !== maker.addressSpace && space.learnPid(0) > 0);
  }

  override queueMmap(
    addr: number,
    length: number,
    prot: number,
    flags: number,
    hostFd: number,
    offset: number,
    holder: unknown = null,
  ): void {
    // A flush ends the batch, and with it the descriptor that could be mapped again.
    if (this.#commands === COMMAND_MAX) this.flush();
    let op = CMD_CALL;
    if (hostFd >= 0) op = this.#gathers ? this.#gather(hostFd) : this.#sendToMap(hostFd, holder);
    const at = this.#queue(op, SYS_mmap);
    this.#word(at, addr);
    this.#word(at + 2, length);
    this.#word(at + 4, prot);
    this.#word(at + 6, flags);
    this.#word(at + 8, hostFd < 0 ? -1 : this.#gathers ? this.#gathered.indexOf(hostFd) : 0);
    this.#word(at + 10, offset);
  }

  /** Returns how it is mapped. */
  #sendToMap(hostFd: number, holder: unknown): number {
    if (holder !== null && holder === this.#holder && hostFd === this.#mappedFd) {
      return CMD_MMAP_SAME;
    }
    this.roomForFds();
    this.#sendMapped([hostFd]);
    this.#mappedFd = hostFd;
    this.#holder = holder;
    return CMD_MMAP_FD;
  }

  #sendMapped(fds: readonly number[]): void {
    if (this.sendFds(fds) < 0) {
      this.lost = true;
      this.addressSpace.kill();
    }
    this.fdsQueued++;
  }

  override gatherFiles(): void {
    this.#gathers = true;
    this.#holder = null;
  }
  /** The descriptors of the batch go in one message when it is sent. */
  #gathers = false;
  readonly #gathered: number[] = [];

  /** The same where `gatherFiles` was called. */
  #gather(hostFd: number): number {
    const gathered = this.#gathered;
    if (gathered.includes(hostFd)) return CMD_MMAP_SAME;
    if (gathered.length === FDS_MAX) this.flush();
    return gathered.push(hostFd) === 1 ? CMD_MMAP_FD : CMD_MMAP_SAME;
  }
  /** The last descriptor that was sent in this batch, and who holds it. */
  #mappedFd = -1;
  #holder: unknown = null;
  /** Descriptors on their way with the queued commands. */
  fdsQueued = 0;

  /**
   * Makes room for one more descriptor. Threads that share the socket take each other's messages, and
   * a slot keeps one message; a process's only thread takes them in order, up to the socket's limit.
   */
  roomForFds(): void {
    const limit = this.addressSpace.contexts.size === 1 ? SOCKET_QUEUE : 1;
    if (this.fdsQueued >= limit) this.flush();
  }

  /** Sends this thread descriptors, for a command that is queued behind or before. Returns 0 or -errno. */
  sendFds(fds: readonly number[]): number {
    const { region, platform, contexts, isUsedUp } = this.addressSpace;
    // Who comes back has taken all that was sent, unless a batch has failed.
    const queued = contexts.size === 1 ? this.fdsQueued : this.fdsQueued + contexts.size;
    const mostUnread = MESSAGE_BYTES * (isUsedUp ? queued + SOCKET_QUEUE : queued);
    const receivers = platform.byPid.values();
    return sendFds(receivers, region.sock, this.slot.index, fds, mostUnread);
  }

  override queueCall(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5 = 0,
  ): void {
    this.#call(CMD_CALL, nr, a0, a1, a2, a3, a4, a5);
  }

  override queueAttempt(nr: number, ...args: CallArguments): void {
    this.#call(CMD_CALL_RESULT, nr, ...args, 0);
  }

  #call(
    op: number,
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
  ): void {
    const at = this.#queue(op, nr);
    this.#word(at, a0);
    this.#word(at + 2, a1);
    this.#word(at + 4, a2);
    this.#word(at + 6, a3);
    this.#word(at + 8, a4);
    this.#word(at + 10, a5);
  }

  /** Room in the outgoing arena, without a flush. */
  override get arenaLeft(): number {
    return SLOT_SIZE - this.#arenaUsed;
  }

  /**
   * Reserves outgoing arena bytes, at most `arenaLeft`, and room for the command that will name them: a flush
   * in between would give them to others. Returns the offset in the slot.
   */
  override reserve(length: number): number {
    if (this.#commands === COMMAND_MAX) this.flush();
    const at = this.#arenaUsed;
    this.#arenaUsed += (length + 7) & ~7;
    return at;
  }

  /** Queues a copy of `length` bytes, already at slot offset `at`, to guest memory. */
  override queueArenaOut(addr: number, at: number, length: number): void {
    const w = this.#queue(CMD_COPY_OUT, 0);
    this.#word(w, addr);
    this.#word(w + 2, length);
    this.#word(w + 4, at);
  }

  override queueCopyOut(addr: number, src: Uint8Array, start: number, end: number): void {
    for (let from = start; from < end;) {
      const n = Math.min(end - from, SLOT_SIZE - ARENA_OUT);
      if (n <= IN_COMMAND_MAX) return this.#queueInCommand(addr + (from - start), src, from, end);
      if (n > this.arenaLeft) this.flush();
      const at = this.reserve(n);
      if (n <= 64) { for (let i = 0; i < n; i++) this.u8[at + i] = src[from + i]; }
      else this.u8.set(src.subarray(from, from + n), at);
      this.queueArenaOut(addr + (from - start), at, n);
      from += n;
    }
  }

  override get isAwake(): boolean {
    return this.i32[I_SLEEPING] === 0 && this.addressSpace.platform.isParallel;
  }

  override startCopyIn(addr: number, length: number, place: 0 | 1): number {
    if (this.#commands > 0) this.flush();
    this.#copyingIn = length;
    const to = ARENA_IN + place * COPY_IN_MAX;
    const at = this.#queue(CMD_COPY_IN, 0);
    this.#word(at, addr);
    this.#word(at + 2, length);
    this.#word(at + 4, to);
    this.startFlush();
    return to;
  }

  override copiedIn(): number {
    const err = this.flushed();
    if (err < 0) return err;
    const copied = this.i32[I_RESULT];
    return copied >= 0 && copied <= this.#copyingIn && this.i32[I_RESULT + 1] === 0
      ? copied
      : -EFAULT;
  }
  #copyingIn = 0;

  /** A few bytes travel in the command, and touch no page of the arena. */
  #queueInCommand(addr: number, src: Uint8Array, from: number, end: number): void {
    const w = this.#queue(CMD_COPY_OUT, 0);
    const at = 4 * (w + COMMAND_ARGUMENT_WORDS);
    for (let i = from; i < end; i++) this.u8[at + i - from] = src[i];
    this.#word(w, addr);
    this.#word(w + 2, end - from);
    this.#word(w + 4, at);
  }

  override queueZero(addr: number, length: number): void {
    const at = this.#queue(CMD_ZERO, 0);
    this.#word(at, addr);
    this.#word(at + 2, length);
  }

  override queueSaveFp(addr: number): void {
    const at = this.#queue(CMD_SAVE_FP, 0);
    this.#word(at, addr);
    const { size, featuresLo, featuresHi } = this.addressSpace.platform.fpState;
    this.#word(at + 2, size);
    this.i32[at + 4] = featuresLo;
    this.i32[at + 5] = featuresHi;
  }

  override queueLoadFp(addr: number): void {
    const at = this.#queue(CMD_LOAD_FP, 0);
    this.#word(at, addr);
    this.#word(at + 2, 0);
    this.#word(at + 4, 0);
  }

  #send(reply: number, raxLow: number, raxHigh: number): void {
    if (this.#gathered.length > 0) {
      this.#sendMapped(this.#gathered);
      this.#gathered.length = 0;
    }
    if (this.#first > 0 && !this.#endEmptying()) return;
    native.dv_resume(this.handle, reply, this.#takeBatch(), raxLow, raxHigh);
  }

  /** Ends the batch. Returns how many commands of it are in the slot. */
  #takeBatch(): number {
    const commands = this.#commands;
    this.#sent = commands;
    this.#mayFail = false;
    this.#commands = 0;
    this.#arenaUsed = ARENA_OUT;
    this.fdsQueued = 0;
    this.#mappedFd = -1;
    this.#holder = null;
    return commands;
  }
  /** A command of the batch may fail, so that those behind it are not carried out. */
  #mayFail = false;
  /** Commands of the last reply. A stub that got none leaves the state as the Sentry set it. */
  #sent = 0;

  override flush(): number {
    if (this.lost) return -ESRCH;
    if (!this.queued) return 0;
    this.#send(REPLY_FLUSH, this.regs[0], this.regs[1]);
    return this.flushed();
  }

  /** `park`: no answer to its end is near; the handle comes back then, or `flushed` waits. */
  override startFlush(park = false): void {
    this.#send(REPLY_FLUSH | (park ? REPLY_PARK : 0), this.regs[0], this.regs[1]);
    this.#gathers = false;
  }

  override flushed(): number {
    const { addressSpace } = this;
    const { sock } = addressSpace.region;
    const pid = addressSpace.learnPid(0);
    const err = native.dv_wait_slot(this.handle, pid, sock, patience.ns);
    if (err < 0) {
      if (err === -ETIMEDOUT) patience.exhaust();
      native.dv_slot_deactivate(this.handle);
      this.lost = true;
      addressSpace.kill();
      return -ESRCH;
    }
    if (this.i32[I_EVENT] !== EVENT_CALL_FAILED) {
      this.#child = null;
      return 0;
    }
    this.failedChild = this.#childUnmade(this.i32[I_FAILED]);
    this.addressSpace.isUsedUp = true;
    const errno = this.i32[I_RESULT];
    return errno < 0 && errno >= -4095 ? errno : -EFAULT;
  }

  override get queued(): boolean {
    return this.#commands > 0;
  }

  override get performed(): boolean {
    // A thread that was sent its exit says no more; the kernel clears `alive` when it is gone. A slot
    // is given to another context when all is done, and then it is the other's state that stands there.
    return this.lost || this.#sent === 0 || this.i32[I_STATE] !== STATE_REPLY ||
      this.slot.user !== this ||
      (this.#leaving && this.i32[I_ALIVE] === 0);
  }

  override awaitPerformed(): void {
    // A thread at work on its queue never blocks for long; a killed one is found by its death.
    let waitedNs = 0;
    const limitNs = patience.ns;
    for (let last = monoNs(); !this.performed;) {
      if (waitedNs >= limitNs) return patience.exhaust();
      hostSyscall(SYS_sched_yield); // Without a processor to spare it needs this one.
      const now = monoNs();
      // The clock runs on while a whole sandbox is stopped.
      waitedNs += Math.min(now - last, LONGEST_YIELD_NS);
      last = now;
    }
  }

  override get waiting(): boolean {
    return this.i32[I_WAITING] !== 0;
  }

  override usage(who: number, out: Float64Array): boolean {
    const known = who === RUSAGE_SELF ? this.prefetchedAt(USAGE_ADDR, RUSAGE_SIZE) : -1;
    const at = known >= 0 ? known : this.#callFilling(SYS_getrusage, who, RUSAGE_SIZE);
    if (at < 0) return false;
    this.#readUsage(at, out);
    return true;
  }

  override toldCpuNs(): number {
    const at = this.prefetchedAt(USAGE_ADDR, RUSAGE_SIZE);
    if (at < 0) return -1;
    const seconds = this.#wordAt(at + RUSAGE_OFF_UTIME_SEC) +
      this.#wordAt(at + RUSAGE_OFF_STIME_SEC);
    const us = this.#wordAt(at + RUSAGE_OFF_UTIME_USEC) + this.#wordAt(at + RUSAGE_OFF_STIME_USEC);
    return seconds * NSEC_PER_SEC + us * 1000;
  }

  override cpuTimeNs(): number {
    const known = this.#isCpuTimeKnown ? ARENA_IN : this.prefetchedAt(CPU_TIME_ADDR, TIMESPEC_SIZE);
    this.#isCpuTimeKnown = false;
    const at = known >= 0
      ? known
      : this.#callFilling(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, TIMESPEC_SIZE);
    if (at < 0) return -1;
    this.slot.cpuTimeNs = this.#wordAt(at) * NSEC_PER_SEC + this.#wordAt(at + 8);
    return this.slot.cpuTimeNs - this.#cpuTimeBefore;
  }

  /** Where a call's operands would lie; there is no call while commands are queued for a new program. */
  override queueCpuTime(): void {
    const addr = this.#stubAddr + ARENA_IN;
    this.queueCall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, addr, 0, 0, 0);
    this.#isCpuTimeKnown = true;
  }
  #isCpuTimeKnown = false;

  /** A host call whose second argument is filled. Returns where that is in the slot, or -errno. */
  #callFilling(nr: number, a0: number, size: number): number {
    if (this.lost) return -ESRCH;
    if (this.arenaLeft < size) this.flush();
    const at = this.reserve(size);
    return this.callNow(nr, a0, this.#stubAddr + at, 0, 0, 0) !== 0 ? -EFAULT : at;
  }

  /** The 64-bit word at slot offset `at`. */
  #wordAt(at: number): number {
    return (this.i32[at >> 2] >>> 0) + this.i32[(at >> 2) + 1] * HIGH;
  }

  /** The slot's address in the stub. */
  get #stubAddr(): number {
    return CONTROL_BASE + slotOffset(this.slot.index);
  }

  /** The rusage at slot offset `at`, less what earlier programs in this process have used. */
  #readUsage(at: number, out: Float64Array): void {
    for (let i = 0; i < RUSAGE_WORDS; i++) out[i] = this.#wordAt(at + 8 * i);
    for (let i = 0; i < FAULT_WORDS.length; i++) out[FAULT_WORDS[i]] -= this.#faultsBefore[i];
  }
  readonly #faultsBefore = [0, 0];

  override callNow(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5 = 0,
  ): number {
    if (nr === SYS_membarrier) this.addressSpace.isUsedUp = true; // Registrations stay.
    this.#call(CMD_CALL_RESULT, nr, a0, a1, a2, a3, a4, a5);
    const err = this.flush();
    if (err < 0) return err;
    return (this.i32[I_RESULT] >>> 0) + this.i32[I_RESULT + 1] * HIGH;
  }

  override resume(): void {
    const full = this.#full;
    this.#full = 0;
    this.#send(full, this.regs[0], this.regs[1]);
  }

  override resumeWith(value: number): void {
    this.#send(0, value | 0, upperHalf(value));
  }

  /** resumeWith, and dv_poll for whoever comes next, whose result is returned. */
  resumeAndPoll(value: number, timeoutNs: number): number {
    const commands = this.#takeBatch();
    return native.dv_resume_and_poll(
      this.handle,
      commands,
      value | 0,
      upperHalf(value),
      timeoutNs,
    );
  }

  override park(): void {
    this.i32[I_REPLY] = REPLY_PARK;
  }

  override interrupt(): void {
    const i32 = this.i32;
    if (i32[I_STATE] === STATE_SENTRY) return;
    // A thread still at work on commands looks at the flag before it leaves; a signal could only disturb
    // what it does there (clone starts again, and would have to be let through again).
    Atomics.store(i32, I_INTERRUPTED, 1);
    if (this.#sent > 0 && Atomics.load(i32, I_STATE) === STATE_REPLY) return;
    // The host keeps every signal, and hands a thread that gets no processor all of them at once, each on
    // top of the other: more than the stub's stack takes.
    if (this.#signalled) return;
    const tid = i32[I_HOST_TID];
    // One that has not greeted has not run its guest, either, and looks at the flag before.
    const pid = this.addressSpace.learnPid(0);
    if (tid > 0 && pid > 0) this.#signalled = native.dv_interrupt(pid, tid) === 0;
  }
  /** The host thread was sent a signal, and has not come back since. */
  #signalled = false;

  override release(reuse: Reuse | null = null): void {
    this.addressSpace.dropContext(this, reuse);
  }

  /** A new guest thread on a host thread that another has left: takes over `from`'s FP control words. */
  startFrom(from: SystrapContext): void {
    const at = this.#queue(CMD_LOAD_FP, 0);
    this.#word(at, 0);
    this.#word(at + 2, from.i32[I_MXCSR]);
    this.#word(at + 4, from.i32[I_FCW]);
    this.setFsBase(getReg(from.regs, REG_FS_BASE));
    if (getReg(from.regs, REG_GS_BASE) === 0) {
      this.queueCall(SYS_arch_prctl, ARCH_SET_GS, this.#stubAddr, 0, 0, 0);
    }
    this.#full = REPLY_FULL;
  }

  /** For dropContext: performs what is queued, and leaves the host thread waiting for another user. */
  sendPark(): void {
    if (this.#commands === 0) {
      this.park();
      return;
    }
    this.#send(REPLY_FLUSH | REPLY_PARK, this.regs[0], this.regs[1]);
    native.dv_slot_deactivate(this.handle);
  }

  /** Nothing is seen of a guest that has tampered with what outlives its program in the slot. */
  get isIntact(): boolean {
    const { i32 } = this;
    return this.#wordAt(4 * I_SELF) === this.#stubAddr &&
      this.addressSpace.platform.isStubEntry(i32) &&
      i32[I_HOST_TID] === this.addressSpace.hostPid && i32[I_FD_LOCK] === 0 &&
      i32.subarray(I_FD_READY, I_FD_READY + FDS_MAX).every((fd) => fd === -1);
  }

  override mayStartAnew(trust: string): boolean {
    return this.addressSpace.mayStartAnew(this, trust);
  }

  override startAnew(): void {
    const { i32, blockedLo, blockedHi } = this;
    const isPending = i32[I_PENDING];
    this.addressSpace.region.reuse(this.slot);
    this.blockedLo = blockedLo;
    this.blockedHi = blockedHi;
    i32[I_PENDING] = isPending;
    this.setQuits();
    this.#queueEmptying();
    const emptying = this.#commands;
    this.startFlush();
    this.#commands = this.#first = emptying;
  }
  /** At the end of its program its process would not be kept, as it seems: then it need not be told to end. */
  setQuits(): void {
    const { platform, trust } = this.addressSpace;
    this.i32[I_QUITS] = platform.hasEnough(trust) ? 1 : 0;
  }
  /** There are other threads. */
  unsetQuits(): void {
    this.i32[I_QUITS] = 0;
  }
  /** Its thread has told the end of its process, and that has not been taken notice of. */
  get isQuitting(): boolean {
    const { i32 } = this;
    return i32[I_EVENT] === EVENT_QUIT && i32[I_STATE] === STATE_SENTRY &&
      native.dv_slot_is_active(this.handle) === 1;
  }

  /** While the process is being emptied by so many commands, others are queued behind them; else 0. */
  #first = 0;

  /** False: it is lost. */
  #endEmptying(): boolean {
    const first = this.#first;
    this.#first = 0;
    if (this.flushed() < 0) {
      this.lost = true;
      this.addressSpace.kill();
      return false;
    }
    this.i32[I_FIRST] = first;
    return true;
  }

  #queueEmptying(): void {
    this.queueCall(SYS_munmap, LOWEST_PAGE, CONTROL_BASE - LOWEST_PAGE, 0, 0, 0);
    this.setFsBase(0);
    this.queueCall(SYS_arch_prctl, ARCH_SET_GS, this.#stubAddr, 0, 0, 0);
    this.queueLoadFp(0);
  }

  /** For dropContext: has the process give up the guest's memory, and wait. */
  sendEmpty({ trust, usage }: Reuse): void {
    native.dv_chore(this.handle);
    this.keptFor = trust;
    this.#reportUsage = usage ?? null;
    if (this.arenaLeft < RUSAGE_SIZE) this.flush();
    this.#usageAt = this.reserve(RUSAGE_SIZE);
    this.#call(CMD_CALL, SYS_getrusage, 0, this.#stubAddr + this.#usageAt, 0, 0, 0, 0);
    this.#queueEmptying();
    this.#send(REPLY_FLUSH | REPLY_PARK, 0, 0);
  }
  /** The trust (see Reuse) of the programs that its process is kept for; null while it is in use. */
  keptFor: string | null = null;
  /** Looked at while it is kept. */
  rest!: Rest;
  /** Where the batch of sendEmpty leaves the rusage; -1 when it has been looked at. */
  #usageAt = -1;
  #reportUsage: ((words: Float64Array) => void) | null = null;

  /** Whether isEmpty need not wait. */
  get isDone(): boolean {
    return this.i32[I_STATE] === STATE_SENTRY;
  }

  /** Waits until the process is empty; false when it may not be used again. Once true, always. */
  isEmpty(): boolean {
    const at = this.#usageAt;
    if (at < 0) return !this.lost;
    this.#usageAt = -1;
    if (this.lost || this.flushed() < 0) return false;
    this.#readUsage(at, usageWords);
    this.#reportUsage?.(usageWords);
    this.#reportUsage = null;
    for (let i = 0; i < FAULT_WORDS.length; i++) {
      this.#faultsBefore[i] += usageWords[FAULT_WORDS[i]];
    }
    return usageWords[WORD_MAXRSS] <= KEPT_MAXRSS_KIB;
  }

  /** Another program is about to be loaded into the emptied process. */
  reuse(): void {
    this.keptFor = null;
    this.addressSpace.region.reuse(this.slot);
    this.regs.fill(0);
  }

  /** For dropContext: orders the host thread's end. */
  sendExit(wholeProcess: boolean): void {
    if (this.#mayFail) this.flush(); // A failure of what is queued must not keep it.
    if (this.lost) return;
    this.#word(this.#queue(CMD_EXIT, 0), wholeProcess ? 1 : 0);
    this.#leaving = true;
    this.#send(0, 0, 0);
    native.dv_slot_deactivate(this.handle);
  }

  /**
   * The slot offset at which the stub has already put guest bytes [addr, addr + length), or -1.
   * The ranges are the guest's word, so they are checked against the arena.
   */
  override prefetchedAt(addr: number, length: number): number {
    const i32 = this.i32;
    const n = Math.min(i32[I_NPREFETCHED] >>> 0, PREFETCH_MAX);
    for (let i = 0, at = I_PREFETCHED; i < n; i++, at += 4) {
      const base = (i32[at] >>> 0) + (i32[at + 1] >>> 0) * HIGH;
      const delta = addr - base;
      if (delta < 0) continue;
      const size = i32[at + 2] >>> 0;
      if (delta + length > size) continue;
      const offset = (i32[at + 3] >>> 0) + delta;
      if (offset < ARENA_IN || offset + length > ARENA_OUT) return -1;
      return offset;
    }
    return -1;
  }

  /** As prefetchedAt, for a string of unknown length: [offset, bytes available] in `out`. */
  override prefetchedFrom(addr: number, out: Int32Array): boolean {
    const i32 = this.i32;
    const n = Math.min(i32[I_NPREFETCHED] >>> 0, PREFETCH_MAX);
    for (let i = 0, at = I_PREFETCHED; i < n; i++, at += 4) {
      const base = (i32[at] >>> 0) + (i32[at + 1] >>> 0) * HIGH;
      const size = i32[at + 2] >>> 0;
      const delta = addr - base;
      if (delta < 0 || delta >= size) continue;
      const offset = (i32[at + 3] >>> 0) + delta;
      if (offset < ARENA_IN || offset + (size - delta) > ARENA_OUT) return false;
      out[0] = offset;
      out[1] = size - delta;
      return true;
    }
    return false;
  }
}

/** Bits 32 to 63 of a whole number; `value | 0` are the lower ones. */
function upperHalf(value: number): number {
  const low = value | 0;
  return low === value ? low >> 31 : Math.floor(value / HIGH) | 0;
}
