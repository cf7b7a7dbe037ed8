/** A guest thread under ptrace. Queued operations are performed at once: the thread is stopped. */
import { SYS_clock_gettime, SYS_getrusage } from "../abi/amd64/syscalls.ts";
import { getU64 } from "../abi/bytes.ts";
import { EFAULT, EPERM, ESRCH } from "../abi/errno.ts";
import { CLOCK_THREAD_CPUTIME_ID, NSEC_PER_SEC, TIMESPEC_SIZE } from "../abi/time.ts";
import { REG_COUNT, REG_FS_BASE, REG_ORIG_RAX, setReg } from "../arch/amd64/registers.ts";
import { viewMemory } from "../host/ffi.ts";
import { type CallArguments, Context, type Reuse } from "../platform.ts";
import type { PtraceAddressSpace } from "./address_space.ts";
import type { PtracePlatform } from "./ptrace.ts";
import {
  R_ADDR,
  R_CODE,
  R_ERROR,
  R_EVENT,
  R_SIGNAL,
  R_STATE,
  R_TID,
  R_TRAPNO,
  RECORD_SIZE,
  RESUME_FS_BASE,
  RESUME_FULL,
  STATE_DEAD,
} from "./record.ts";
import { ptraceLibrary, SCRATCH_BASE } from "./native.ts";

const SYS_MMAP = 9;
/** In the scratch page, beyond what passing a descriptor needs (dv_pt_mmap_fd). */
const RESULT_OFFSET = 0x800;
const HIGH = 0x1_0000_0000;
const zeros = new Uint8Array(0x1_0000);

export class PtraceContext extends Context {
  readonly regs: Int32Array;
  readonly #record: Int32Array;
  #flags = 0;
  /** Operations since the last resume or flush; the first that failed; its errno, or 0. */
  #performed = 0;
  #failedAt = 0;
  #failedErrno = 0;

  constructor(
    readonly platform: PtracePlatform,
    readonly addressSpace: PtraceAddressSpace,
    readonly handle: number,
  ) {
    super();
    const record = ptraceLibrary().dv_pt_record(handle);
    if (record === null) throw new Error("a handle without a record");
    const memory = viewMemory(record, RECORD_SIZE);
    this.#record = new Int32Array(memory);
    this.regs = new Int32Array(memory, 0, 2 * REG_COUNT);
  }

  get hostTid(): number {
    return this.#record[R_TID];
  }

  get lost(): boolean {
    return this.#record[R_STATE] === STATE_DEAD;
  }

  /** After dv_pt_wait named this context. */
  decode(): void {
    const r = this.#record;
    this.event = r[R_EVENT];
    this.callNumber = this.regs[2 * REG_ORIG_RAX];
    this.faultSignal = r[R_SIGNAL];
    this.faultCode = r[R_CODE];
    this.faultAddr = (r[R_ADDR] >>> 0) + (r[R_ADDR + 1] >>> 0) * HIGH;
    this.faultTrapno = r[R_TRAPNO];
    this.faultError = r[R_ERROR];
  }

  override setReturn(value: number): void {
    this.regs[0] = value % HIGH;
    this.regs[1] = Math.floor(value / HIGH);
  }

  override setFullRegisters(): void {
    this.#flags |= RESUME_FULL;
  }

  override setFsBase(addr: number): void {
    if (!this.#begin()) return;
    // The host would refuse all registers for the sake of this one.
    if (!(addr >= 0 && addr < 0x7fff_ffff_f000)) return this.#end(-EPERM);
    setReg(this.regs, REG_FS_BASE, addr);
    this.#flags |= RESUME_FS_BASE;
  }

  override get loadsAll(): boolean {
    return (this.#flags & RESUME_FULL) !== 0;
  }

  /** Whether the next operation is to run: none before it has failed. */
  #begin(): boolean {
    this.#performed++;
    return this.#failedErrno === 0;
  }

  #end(result: number): void {
    if (result >= 0 || result < -4095) return;
    this.#failedErrno = result;
    this.#failedAt = this.#performed - 1;
  }

  override queueMmap(
    addr: number,
    length: number,
    prot: number,
    flags: number,
    hostFd: number,
    offset: number,
  ): void {
    if (!this.#begin()) return;
    this.#end(
      hostFd < 0
        ? ptraceLibrary().dv_pt_call(this.handle, SYS_MMAP, addr, length, prot, flags, -1, offset)
        : ptraceLibrary().dv_pt_mmap_fd(this.handle, addr, length, prot, flags, hostFd, offset),
    );
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
    if (this.#begin()) {
      this.#end(ptraceLibrary().dv_pt_call(this.handle, nr, a0, a1, a2, a3, a4, a5));
    }
  }

  override queueAttempt(nr: number, ...args: CallArguments): void {
    if (this.#begin()) ptraceLibrary().dv_pt_call(this.handle, nr, ...args, 0);
  }

  override queueCopyOut(addr: number, src: Uint8Array, start: number, end: number): void {
    if (this.#begin()) this.#end(this.#copyOut(addr, src, start, end));
  }

  #copyOut(addr: number, src: Uint8Array, start: number, end: number): number {
    const n = this.addressSpace.write(addr, src, start, end);
    return n === end - start || n === -ESRCH ? n : -EFAULT;
  }

  override queueZero(addr: number, length: number): void {
    if (!this.#begin()) return;
    for (let done = 0; done < length; done += zeros.length) {
      const err = this.#copyOut(addr + done, zeros, 0, Math.min(length - done, zeros.length));
      if (err < 0) return this.#end(err);
    }
  }

  override queueSaveFp(addr: number): void {
    if (this.#begin()) this.#end(ptraceLibrary().dv_pt_save_fp(this.handle, addr));
  }

  override queueLoadFp(addr: number): void {
    if (this.#begin()) this.#end(ptraceLibrary().dv_pt_load_fp(this.handle, addr));
  }

  /** Takes what went wrong since the last resume or flush: 0 or -errno. */
  override flush(): number {
    const err = this.#failedErrno;
    this.failedCall = this.#failedAt;
    this.failedErrno = err;
    this.#failedErrno = 0;
    this.#performed = 0;
    return this.lost ? -ESRCH : err;
  }

  /** Only a failure is still to be told of. */
  override startFlush(): void {}

  override flushed(): number {
    return this.flush();
  }

  override get queued(): boolean {
    return this.#failedErrno !== 0;
  }

  override get performed(): boolean {
    return true;
  }

  override awaitPerformed(): void {}

  override callNow(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5 = 0,
  ): number {
    const err = this.flush();
    return err < 0 ? err : ptraceLibrary().dv_pt_call(this.handle, nr, a0, a1, a2, a3, a4, a5);
  }

  override usage(who: number, out: Float64Array): boolean {
    return this.#callFilling(SYS_getrusage, who, out);
  }

  override cpuTimeNs(): number {
    const timespec = new Float64Array(TIMESPEC_SIZE / 8);
    if (!this.#callFilling(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, timespec)) return -1;
    return timespec[0] * NSEC_PER_SEC + timespec[1];
  }

  /** A host call whose second argument is filled, with words that go to `out`; by way of the scratch page. */
  #callFilling(nr: number, a0: number, out: Float64Array): boolean {
    const addr = ptraceLibrary().dv_pt_address(SCRATCH_BASE) + RESULT_OFFSET;
    if (this.callNow(nr, a0, addr, 0, 0, 0) !== 0) return false;
    const bytes = new Uint8Array(8 * out.length);
    if (this.addressSpace.read(addr, bytes, 0, bytes.length) !== bytes.length) return false;
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < out.length; i++) out[i] = getU64(view, 8 * i);
    return true;
  }

  override resume(): void {
    const err = this.flush();
    if (err < 0) return this.platform.reportFailure(this);
    const flags = this.#flags;
    this.#flags = 0;
    ptraceLibrary().dv_pt_resume(this.handle, flags);
  }

  override park(): void {}

  override interrupt(): void {
    ptraceLibrary().dv_pt_interrupt(this.handle);
  }

  override release(reuse: Reuse | null = null): void {
    this.reportUsage(reuse);
    this.addressSpace.dropContext(this);
  }
}
