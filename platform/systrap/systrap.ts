/** The systrap platform: see platform/systrap/README.md. */
import {
  SYS_access,
  SYS_arch_prctl,
  SYS_brk,
  SYS_close,
  SYS_execve,
  SYS_exit_group,
  SYS_faccessat,
  SYS_fstat,
  SYS_futex,
  SYS_futex_requeue,
  SYS_futex_wait,
  SYS_futex_waitv,
  SYS_futex_wake,
  SYS_ioctl,
  SYS_lseek,
  SYS_lstat,
  SYS_madvise,
  SYS_newfstatat,
  SYS_open,
  SYS_openat,
  SYS_pread64,
  SYS_prlimit64,
  SYS_read,
  SYS_readlink,
  SYS_readlinkat,
  SYS_rseq,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_sched_yield,
  SYS_set_robust_list,
  SYS_set_tid_address,
  SYS_stat,
} from "../abi/amd64/syscalls.ts";
import { EAGAIN } from "../abi/errno.ts";
import { native, viewMemory } from "../host/ffi.ts";
import { closeFd, fpState, monoNs } from "../host/host.ts";
import {
  type Context,
  EVENT_LOST,
  IDENTITY_CALLS,
  type Platform,
  type PlatformOptions,
} from "../platform.ts";
import { AnswerTable } from "./answers.ts";
import { SystrapAddressSpace } from "./address_space.ts";
import { SystrapContext } from "./context.ts";
import { ControlRegion, MIXED_TRUST, prepareConnection, type Slot } from "./region.ts";
import {
  ANSWERS_SIZE,
  I_ENTRY,
  I_VDSO,
  LOCAL_ACTION,
  LOCAL_ADVICE,
  LOCAL_BREAK,
  LOCAL_CALL,
  LOCAL_CLEAR_TID,
  LOCAL_FILE,
  LOCAL_FUTEX,
  LOCAL_FUTEX2,
  LOCAL_LIMIT,
  LOCAL_MASK,
  LOCAL_OPEN,
  LOCAL_PATH,
  LOCAL_QUIT,
  LOCAL_ROBUST,
  LOCAL_RSEQ,
  LOCAL_SEGMENT,
  LOCAL_WAIT,
  LOCAL_WORD,
  SHARED_LOCAL,
  SHARED_PREFETCH,
  SHARED_SIZE,
  TASK_SIZE_GUEST,
} from "./slot.ts";
import { prefetchTable } from "./prefetch.ts";
import { Rest } from "./rest.ts";
import { LOOK_NS, StrayHunt } from "./stray_hunt.ts";

/** Calls that `answers` may serve, as stub.c knows them. */
const PATH_CALLS = [
  SYS_stat,
  SYS_lstat,
  SYS_newfstatat,
  SYS_access,
  SYS_faccessat,
  SYS_readlink,
  SYS_readlinkat,
];
/** Calls that fail where `answers` say that there is nothing, and those about an open file. */
const OPEN_CALLS = [SYS_open, SYS_openat, SYS_execve];
const FILE_CALLS = [SYS_close, SYS_fstat, SYS_lseek, SYS_ioctl, SYS_read, SYS_pread64];

const HANDLE_MAX = 16384;
const SPARE_MIN = 2;
/** The dead are looked for when nothing happens, or after so many events or waits: each look is a host call. */
const REAP_AFTER_EVENTS = 256;
const REAP_AFTER_WAITS = 32;
/** More than one fork leaves behind. */
const REAPED_AT_FORK = 2;
/** Processes kept for programs to come: what a shell and the programs it starts leave behind one after the other. */
const KEPT_MAX = 4;
const ZYGOTE_TIMEOUT_MS = 10_000;
/** A process that is to end or to be emptied is ended from outside if it has not done so by then. */
const DUE_NS = 1e9;
/** Each look at one that is to end or is kept costs host calls, and every execve reaps. */
const OVERDUE_EVERY_NS = 5e7;

const FUTEX2_CALLS = [SYS_futex_wake, SYS_futex_wait, SYS_futex_requeue];

export class SystrapPlatform implements Platform {
  readonly name = "systrap";
  readonly taskSize = TASK_SIZE_GUEST;
  readonly fpState = fpState();
  vdsoAddr = 0;
  readonly byPid = new Map<number, SystrapAddressSpace>();
  readonly strays = new StrayHunt((pid) => this.byPid.has(pid));
  #contexts: (SystrapContext | null)[] = [];
  #freeHandles: number[] = [];
  #regions: ControlRegion[] = [];
  #dying = new Set<SystrapAddressSpace>();
  /** The process whose end is being told; its greeting may be there yet. */
  reapedPid = 0;
  /** Stubs that have not greeted when last looked at. */
  #newborn = new Set<SystrapAddressSpace>();
  #lost: SystrapContext[] = [];
  #zygote!: SystrapContext;
  #spares: SystrapContext[] = [];
  /** Emptied processes, or such as are about to be, each for programs of the trust it has had. */
  readonly #kept: SystrapContext[] = [];
  /** The spare that the zygote is about to fork. */
  #coming: SystrapContext | null = null;
  /** Why the last one that failed was not made. */
  #spareError = -EAGAIN;
  #status = new Int32Array(2);
  #sinceReap = 0;
  /** When endOverdue is to look again. */
  #overdueAgainMonoNs = 0;
  #local = new Uint8Array(512);
  answers: AnswerTable | null = null;
  /** Guest threads and the Sentry have a processor each. */
  isParallel = false;

  /** Starts the zygote. Throws with a clear message when the host forbids it. */
  static start(options: PlatformOptions): SystrapPlatform {
    const platform = new SystrapPlatform();
    platform.#startZygote(options);
    return platform;
  }

  #startZygote(options: PlatformOptions): void {
    const shared = native.dv_shared_page();
    if (shared === null) throw new Error("cannot make the shared page (memfd_create)");
    native.dv_place();
    const memory = viewMemory(shared, SHARED_SIZE + ANSWERS_SIZE);
    this.answers = new AnswerTable(memory, SHARED_SIZE, ANSWERS_SIZE);
    const page = new Int32Array(memory, 0, SHARED_SIZE / 4);
    this.#local = new Uint8Array(page.buffer, SHARED_LOCAL, 512);
    this.isParallel = native.dv_cpus() > 1;
    page.set(prefetchTable(), SHARED_PREFETCH / 4);
    const region = this.takeRegion(null);
    if (typeof region === "number") {
      throw new Error(`cannot make control memory (errno ${-region})`);
    }
    const stubEnd = region.connect();
    if (stubEnd < 0) throw new Error(`socketpair failed (errno ${-stubEnd})`);
    const space = new SystrapAddressSpace(this, region, null);
    const zygote = space.addContext();
    if (typeof zygote === "number") throw new Error("no slot for the zygote");
    const pid = native.dv_spawn_zygote(
      region.fd,
      stubEnd,
      options.emptyRootFd,
      options.namespaces,
    );
    closeFd(stubEnd);
    if (pid < 0) throw new Error(`cannot start the stub process (errno ${-pid})`);
    if (space.learnPid(ZYGOTE_TIMEOUT_MS, true) === 0) {
      throw new Error("the stub process did not start");
    }
    this.#zygote = zygote;
    native.dv_background(zygote.handle);
    this.vdsoAddr = (zygote.i32[I_VDSO] >>> 0) + zygote.i32[I_VDSO + 1] * 0x1_0000_0000;
    this.#startSpare();
  }

  /** Whether the slot `i32` names the stub's entry as the zygote's does, which runs no guest. */
  isStubEntry(i32: Int32Array): boolean {
    const zygote = this.#zygote.i32;
    return i32[I_ENTRY] === zygote[I_ENTRY] && i32[I_ENTRY + 1] === zygote[I_ENTRY + 1];
  }

  serveLocally(on: boolean): boolean {
    const local = this.#local;
    local[SYS_futex] = on ? LOCAL_FUTEX : 0;
    local[SYS_futex_waitv] = on ? LOCAL_WAIT : 0;
    for (const nr of FUTEX2_CALLS) local[nr] = on ? LOCAL_FUTEX2 : 0;
    local[SYS_sched_yield] = on ? LOCAL_CALL : 0;
    IDENTITY_CALLS.forEach((nr, i) => local[nr] = on ? LOCAL_WORD + i : 0);
    local[SYS_rt_sigaction] = on ? LOCAL_ACTION : 0;
    local[SYS_rt_sigprocmask] = on ? LOCAL_MASK : 0;
    local[SYS_set_robust_list] = on ? LOCAL_ROBUST : 0;
    local[SYS_set_tid_address] = on ? LOCAL_CLEAR_TID : 0;
    local[SYS_rseq] = on ? LOCAL_RSEQ : 0;
    local[SYS_madvise] = on ? LOCAL_ADVICE : 0;
    for (const nr of PATH_CALLS) local[nr] = on ? LOCAL_PATH : 0;
    for (const nr of OPEN_CALLS) local[nr] = on ? LOCAL_OPEN : 0;
    for (const nr of FILE_CALLS) local[nr] = on ? LOCAL_FILE : 0;
    local[SYS_brk] = on ? LOCAL_BREAK : 0;
    local[SYS_prlimit64] = on ? LOCAL_LIMIT : 0;
    local[SYS_arch_prctl] = on ? LOCAL_SEGMENT : 0;
    local[SYS_exit_group] = on ? LOCAL_QUIT : 0;
    return on;
  }

  /** From now on each madvise comes to the Sentry. */
  watchAdvice(): void {
    this.#local[SYS_madvise] = 0;
  }

  prepareFork(): void {
    prepareConnection();
    // The child before, most likely: its region serves the next.
    if (this.#dying.size > 0) this.#reap(REAPED_AT_FORK);
  }

  /** A stub is about to be made. */
  expectBirth(space: SystrapAddressSpace): void {
    this.#newborn.add(space);
  }

  /** Null for one that only we and the zygote make stubs with. */
  takeRegion(maker: SystrapAddressSpace | null): ControlRegion | number {
    return maker?.childRegions.pop() ?? this.#regions.pop() ?? ControlRegion.create();
  }

  /**
   * Takes back the region of a stub that is dead or was never made. A guest process that forked may have
   * left a mapping of its region in a child, and one that was forked by a guest was handed its region by
   * it: such memory is not another's any more.
   */
  giveRegion(space: SystrapAddressSpace): void {
    const { region, maker } = space;
    region.recycle();
    region.remains = space.hasMixedTrust ? MIXED_TRUST : space.trust;
    if (maker === null && !space.hasForked) this.#regions.push(region);
    else if (maker !== null && !space.hasForked && maker.keepForChildren(region)) return;
    else if (region.renew()) this.#regions.push(region);
  }

  newContext(space: SystrapAddressSpace, slot: Slot): SystrapContext | number {
    const handle = this.#freeHandles.pop() ?? this.#contexts.length;
    if (handle >= HANDLE_MAX) return -EAGAIN;
    const ctx = new SystrapContext(space, slot, handle);
    this.#contexts[handle] = ctx;
    native.dv_slot_register(handle, slot.pointer);
    return ctx;
  }

  freeContext(ctx: SystrapContext): void {
    this.#contexts[ctx.handle] = null;
    this.#freeHandles.push(ctx.handle);
  }

  /** Has the zygote fork a spare stub, so that exec finds one ready; it goes on by itself. */
  #startSpare(): void {
    if (this.#coming !== null) return;
    const spare = this.#zygote.addressSpace.makeChild(this.#zygote, null);
    if (typeof spare === "number") {
      this.#spareError = spare;
      return;
    }
    this.#coming = spare;
    this.#zygote.startFlush(true);
  }

  /** The zygote has done what startSpare told it, or is waited for. */
  #finishSpare(): void {
    const spare = this.#coming;
    if (spare === null) return;
    this.#coming = null;
    const err = this.#zygote.flushed();
    if (err === 0) {
      this.#spares.push(spare);
      return;
    }
    this.#spareError = err;
    spare.release();
  }

  newAddressSpace(trust: string): Context | number {
    this.#reap(); // A spare may have died since.
    const kept = this.#takeKept(trust, this.#spares.length > 0);
    if (kept !== null) return kept;
    for (;;) {
      if (this.#spares.length === 0) {
        this.#startSpare();
        this.#finishSpare();
      }
      const spare = this.#spares.shift();
      if (spare === undefined) return this.#spareError;
      if (spare.lost) spare.release();
      else {
        spare.addressSpace.begin(trust);
        native.dv_foreground(spare.handle, spare.addressSpace.hostPid);
        return spare;
      }
    }
  }

  /** `isDone`: only one that need not be waited for. */
  #takeKept(trust: string, isDone: boolean): SystrapContext | null {
    for (let i = this.#kept.length - 1; i >= 0; i--) {
      const ctx = this.#kept[i];
      if (ctx.keptFor !== trust || (isDone && !ctx.isDone) || !this.#isEmpty(ctx)) continue;
      this.#kept.splice(i, 1);
      ctx.addressSpace.begin(trust);
      ctx.reuse();
      native.dv_foreground(ctx.handle, ctx.addressSpace.hostPid);
      return ctx;
    }
    return null;
  }

  /** Whether as many processes are kept as may be, for programs of this trust, too. */
  hasEnough(trust: string): boolean {
    return this.#kept.length >= KEPT_MAX && this.#kept.some((ctx) => ctx.keptFor === trust);
  }

  /** Whether there is room for one more process that programs of this trust may run in. */
  mayKeep(trust: string): boolean {
    if (this.#kept.length < KEPT_MAX) return true;
    if (this.hasEnough(trust)) return false;
    const oldest = this.#kept[0];
    oldest.isEmpty(); // Waits: not while its thread is at work on the batch that empties it.
    this.#letGo(oldest);
    return true;
  }

  /** Its process is being emptied. */
  keep(ctx: SystrapContext): void {
    ctx.addressSpace.dueMonoNs = monoNs() + DUE_NS;
    ctx.rest = new Rest(ctx.addressSpace.hostPid);
    this.#kept.push(ctx);
  }

  /** Waits, shortly, until a kept process is empty. One that cannot be used again is let go. */
  #isEmpty(ctx: SystrapContext): boolean {
    if (ctx.isEmpty()) return true;
    this.#letGo(ctx);
    return false;
  }

  #letGo(ctx: SystrapContext): void {
    const at = this.#kept.indexOf(ctx);
    if (at < 0) return; // Found dead meanwhile.
    this.#kept.splice(at, 1);
    ctx.release();
  }

  wait(timeoutNs: number): Context | null {
    if (this.#lost.length > 0) return this.#takeLost();
    return this.#receive(native.dv_poll(timeoutNs), timeoutNs);
  }

  resumeAndWait(ctx: Context, value: number, timeoutNs: number): Context | null {
    if (this.#lost.length > 0) {
      ctx.resumeWith(value);
      return this.#takeLost();
    }
    return this.#receive((ctx as SystrapContext).resumeAndPoll(value, timeoutNs), timeoutNs);
  }

  /** The context that dv_poll found, or who comes while this waits. */
  #receive(handle: number, timeoutNs: number): Context | null {
    if (handle === -2 && timeoutNs !== 0) {
      // Nothing to serve: the time for chores.
      if (this.#spares.length < SPARE_MIN) this.#startSpare();
      if (++this.#sinceReap >= REAP_AFTER_WAITS) this.#reap();
      const watchNs = this.#watchNs();
      if (watchNs >= 0 && (timeoutNs < 0 || timeoutNs > watchNs)) timeoutNs = watchNs;
      if (this.#lost.length > 0) return this.#takeLost();
      handle = native.dv_wait(timeoutNs);
      if (handle < 0) this.#reap(); // A death rings the bell when it has been quiet for long.
    } else if (++this.#sinceReap >= REAP_AFTER_EVENTS) this.#reap();
    if (handle < 0) return null;
    const ctx = this.#contexts[handle];
    if (ctx === null) return null;
    if (ctx === this.#zygote) {
      this.#finishSpare();
      return null;
    }
    if (ctx.keptFor !== null) {
      this.#isEmpty(ctx);
      return null;
    }
    ctx.decode();
    if (ctx.event === EVENT_LOST) ctx.lost = true;
    return ctx;
  }

  #takeLost(): SystrapContext {
    const ctx = this.#lost.pop()!;
    ctx.event = EVENT_LOST;
    return ctx;
  }

  /** All contexts of it are gone; its region returns to the pool when the host process is dead. */
  expectDeath(space: SystrapAddressSpace): void {
    if (space.dead) return this.giveRegion(space);
    space.dueMonoNs = monoNs() + DUE_NS;
    this.#dying.add(space);
  }

  /** Guests that their stubs do not get to end. */
  #endOverdue(): void {
    const now = monoNs();
    if (now < this.#overdueAgainMonoNs) return;
    this.#overdueAgainMonoNs = now + OVERDUE_EVERY_NS;
    for (const space of this.#dying) if (space.dueMonoNs < now) space.kill();
    for (const ctx of this.#kept.slice()) {
      const { isDone, addressSpace } = ctx;
      if (!isDone) {
        if (addressSpace.dueMonoNs < now) addressSpace.kill();
      } else if (ctx.rest.runsOn(now)) {
        // Not empty at all: the guest has said so in its stub's place.
        addressSpace.kill();
        this.#letGo(ctx);
      }
    }
  }

  /** After how long something must be looked after though nobody asks; -1: not at all. */
  #watchNs(): number {
    if (this.strays.isOn || this.#dying.size > 0) return LOOK_NS;
    let least = -1;
    for (const ctx of this.#kept) {
      const ns = ctx.isDone ? ctx.rest.waitNs : LOOK_NS;
      if (least < 0 || ns < least) least = ns;
    }
    return least;
  }

  /** Of the dead, `most`. */
  #reap(most = Infinity): void {
    this.#sinceReap = 0;
    // One that ends without a greeting is known by its socket alone, perhaps after it was reaped.
    this.#meetNewborn();
    this.strays.look();
    if (this.#dying.size > 0 || this.#kept.length > 0) this.#endOverdue();
    for (let reaped = 0; reaped < most; reaped++) {
      const pid = native.dv_reap(this.#status);
      if (pid === 0) return;
      this.reapedPid = pid;
      if (!this.byPid.has(pid)) this.#meetNewborn();
      this.reapedPid = 0;
      native.dv_forget_clones(pid);
      const space = this.byPid.get(pid);
      if (space === undefined) continue;
      this.byPid.delete(pid);
      space.died();
      if (space === this.#zygote.addressSpace) {
        throw new Error(`the first stub process ended (wait status ${this.#status[0]})`);
      }
    }
  }

  #meetNewborn(): void {
    for (const space of this.#newborn) if (space.learnPid(0) !== 0) this.#newborn.delete(space);
  }

  /** The stub of `space` is dead: its contexts are lost, its region may be used again. */
  lose(space: SystrapAddressSpace): void {
    for (const ctx of space.contexts) {
      if (ctx.isQuitting) continue;
      native.dv_slot_deactivate(ctx.handle);
      ctx.lost = true;
      if (ctx.keptFor === null) this.#lost.push(ctx);
      else this.#letGo(ctx); // Nobody misses it.
    }
    for (const region of space.childRegions) if (region.renew()) this.#regions.push(region);
    space.childRegions.length = 0;
    if (this.#dying.delete(space)) this.giveRegion(space);
  }

  shutdown(): void {
    for (const ctx of this.#contexts) if (ctx !== null) native.dv_slot_deactivate(ctx.handle);
    for (const space of this.byPid.values()) space.kill();
    if (this.#zygote !== undefined) this.#zygote.addressSpace.kill();
  }
}
