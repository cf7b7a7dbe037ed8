/** A stub process: one guest address space and its host threads. */
import { SYS_arch_prctl } from "../abi/amd64/syscalls.ts";
import { EAGAIN, EFAULT, ENOMEM, ESRCH } from "../abi/errno.ts";
import { ARCH_SET_GS } from "../abi/prctl.ts";
import { getReg, REG_GS_BASE } from "../arch/amd64/registers.ts";
import { native } from "../host/ffi.ts";
import { closeFd } from "../host/host.ts";
import { AddressSpace, type Context, type Reuse } from "../platform.ts";
import { SystrapContext } from "./context.ts";
import { unreadBytes } from "./hoards.ts";
import { type ControlRegion, MIXED_TRUST, type Slot } from "./region.ts";
import { Patience } from "./patience.ts";
import type { Moment } from "./stray_hunt.ts";
import { CMD_FORK, CMD_THREAD, I_STATE, STATE_SENTRY } from "./slot.ts";
import type { SystrapPlatform } from "./systrap.ts";

/** Host threads kept for reuse in one address space. */
const PARKED_MAX = 16;
/** Regions kept for the children to come of one process. */
const CHILD_REGIONS_MAX = 16;
/** A fork's child greets within microseconds of its start; the host may be slow. */
const patience = new Patience(5e9);
/** For the pid of a process that is no more: nothing is done to it. */
const DEAD = -1;

export class SystrapAddressSpace extends AddressSpace {
  readonly contexts = new Set<SystrapContext>();
  /** Of the programs that run in it (see Reuse); empty before the first. */
  trust: string;
  /** It was another before. */
  hasMixedTrust = false;
  /** It was forked while it ran guest code. */
  hasForked = false;
  /** Instead of the platform's answers it has zeros; inherited by a fork's child. */
  hidesAnswers = false;
  /** Regions that its children have left: it knows them, and no other guest does. */
  readonly childRegions: ControlRegion[] = [];
  /** The host keeps more about the process than memory and threads, or its socket is not empty. */
  isUsedUp = false;
  /** By when the process must be dead, or empty. */
  dueMonoNs = Infinity;
  #pid = 0;
  /** When it was ordered of whom, for a fork's child. */
  #birth: { parent: number; moment: Moment } | null = null;
  /** Slots of host threads that wait for another guest thread. */
  #parked: Slot[] = [];

  /** `maker`: the guest process that is forked for it; null for the zygote, which runs none. */
  constructor(
    readonly platform: SystrapPlatform,
    readonly region: ControlRegion,
    readonly maker: SystrapAddressSpace | null,
  ) {
    super();
    this.trust = maker?.trust ?? "";
    if (maker !== null) this.hidesAnswers = maker.hidesAnswers;
  }

  /** As Context.changeTrust, for `caller`. False if nothing changes. */
  changeTrust(trust: string, caller: SystrapContext): boolean {
    if (trust === this.trust) return false;
    this.trust = trust;
    this.hasMixedTrust = true;
    const busy = new Set<number>();
    for (const ctx of this.contexts) if (ctx !== caller) busy.add(ctx.slot.index);
    this.region.wipeArenas(busy);
    return true;
  }

  /** Programs of `trust` run in it next: its thread is idle. */
  begin(trust: string): void {
    if (this.hasMixedTrust) this.region.remains = MIXED_TRUST;
    this.region.wipe(trust, true);
    this.trust = trust;
    this.hasMixedTrust = false;
  }

  /** Takes a child's region for the next child, if there is to be one. */
  keepForChildren(region: ControlRegion): boolean {
    const keeps = !this.dead && this.childRegions.length < CHILD_REGIONS_MAX;
    if (keeps) this.childRegions.push(region);
    return keeps;
  }

  /** The stub's pid, which the kernel vouches for; below 0 when it is dead or never came to life. */
  override get hostPid(): number {
    if (this.#pid !== 0 || this.learnPid(patience.ns / 1e6) !== 0) return this.#pid;
    patience.exhaust();
    this.died();
    return this.#pid;
  }

  get dead(): boolean {
    return this.#pid === DEAD;
  }

  /** It was reaped, so that its pid may be another's by now, or never came to life. */
  died(): void {
    if (this.#pid === 0 && this.#birth !== null) {
      // Its guest may have made something else of the fork.
      if (this.maker !== null) this.maker.isUsedUp = true;
      native.dv_unexpect_clone(this.#birth.parent, 0);
      this.platform.strays.start(this.#birth.moment);
    }
    this.#pid = DEAD;
    this.platform.lose(this);
  }

  override get threadCount(): number {
    return this.contexts.size;
  }

  /**
   * Takes the stub's greeting, for which it waits up to `timeoutMs`. Returns its pid; 0 when it has not
   * greeted; below 0 when it is dead.
   */
  learnPid(timeoutMs: number, isZygote = false): number {
    if (this.#pid !== 0) return this.#pid;
    const { sock } = this.region;
    const pid = isZygote
      ? native.dv_receive_zygote(sock, timeoutMs)
      : native.dv_receive_pid(sock, timeoutMs, this.platform.reapedPid);
    if (pid === -ESRCH) this.died();
    else if (this.platform.byPid.has(pid)) {
      // A guest has greeted for another.
      native.dv_kill(pid);
      this.died();
    } else if (pid > 0) {
      this.#pid = pid;
      this.platform.byPid.set(pid, this);
      this.platform.strays.met(pid);
    }
    return this.#pid;
  }

  override read(addr: number, dst: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const n = native.dv_read_guest(
      this.hostPid,
      addr,
      dst as Uint8Array<ArrayBuffer>,
      start,
      end - start,
    );
    return n < 0 ? (n === -ESRCH ? n : -EFAULT) : n;
  }

  override write(addr: number, src: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const n = native.dv_write_guest(
      this.hostPid,
      addr,
      src as Uint8Array<ArrayBuffer>,
      start,
      end - start,
    );
    return n < 0 ? (n === -ESRCH ? n : -EFAULT) : n;
  }

  /** Adds a context on a fresh slot, or -errno. */
  addContext(): SystrapContext | number {
    const slot = this.region.allocate();
    if (typeof slot === "number") return -EAGAIN;
    const ctx = this.platform.newContext(this, slot);
    if (typeof ctx !== "number") this.contexts.add(ctx);
    else this.region.free(slot);
    return ctx;
  }

  override fork(parent: Context): Context | number {
    this.hasForked = true;
    return this.makeChild(parent as SystrapContext, this);
  }

  /** Has `from`'s thread fork its process; `maker` as in the constructor. As `fork`. */
  makeChild(from: SystrapContext, maker: SystrapAddressSpace | null): SystrapContext | number {
    const region = this.platform.takeRegion(maker);
    if (typeof region === "number") return -ENOMEM;
    if (maker !== null) region.wipe(maker.trust, false);
    const space = new SystrapAddressSpace(this.platform, region, maker);
    const stubEnd = region.connect();
    if (stubEnd < 0) {
      this.platform.giveRegion(space);
      return -EAGAIN;
    }
    from.roomForFds();
    const sent = from.sendFds([region.fd, stubEnd]);
    closeFd(stubEnd);
    const child = sent < 0 ? -EAGAIN : space.addContext();
    if (typeof child === "number") {
      this.platform.giveRegion(space);
      return -EAGAIN;
    }
    inherit(from, child);
    if (maker !== null) child.setQuits();
    space.#birth = { parent: this.hostPid, moment: this.platform.strays.order() };
    this.platform.expectBirth(space);
    from.queueChild(CMD_FORK, 0, child);
    from.fdsQueued++;
    return child;
  }

  override newThread(parent: Context): Context | number {
    const from = parent as SystrapContext;
    for (const ctx of this.contexts) ctx.unsetQuits();
    const parked = this.#takeParked();
    if (parked !== null) {
      const again = this.platform.newContext(this, parked);
      if (typeof again === "number") return again;
      this.contexts.add(again);
      again.startFrom(from);
      inherit(from, again);
      return again;
    }
    const child = this.addContext();
    if (typeof child === "number") return child;
    inherit(from, child);
    this.platform.strays.order();
    from.queueChild(CMD_THREAD, child.slot.index, child);
    return child;
  }

  /** A slot whose host thread has done its last commands and waits. */
  #takeParked(): Slot | null {
    for (let i = this.#parked.length - 1; i >= 0; i--) {
      const slot = this.#parked[i];
      if (slot.i32[I_STATE] !== STATE_SENTRY) continue;
      this.#parked.splice(i, 1);
      this.region.reuse(slot);
      return slot;
    }
    return null;
  }

  dropContext(ctx: SystrapContext, reuse: Reuse | null): void {
    if (!this.contexts.has(ctx)) return;
    if (reuse !== null && this.#isReusable(ctx) && this.platform.mayKeep(reuse.trust)) {
      return this.#keep(ctx, reuse);
    }
    ctx.reportUsage(reuse);
    this.contexts.delete(ctx);
    const last = this.contexts.size === 0;
    if (last) {
      this.learnPid(0);
      if (ctx.lost) this.kill();
    }
    if (!last && ctx.slot.index === 0) {
      // The process's first thread: the host reaches its memory through this one, so it stays parked.
      if (!ctx.lost) ctx.sendPark();
      return this.platform.freeContext(ctx);
    }
    if (!last && !ctx.lost && this.#parked.length < PARKED_MAX) {
      // Making a host thread costs more than waking one.
      ctx.sendPark();
      this.#parked.push(ctx.slot);
      this.platform.freeContext(ctx);
      return;
    }
    ctx.sendExit(last);
    this.platform.freeContext(ctx);
    if (last) this.platform.expectDeath(this);
    else this.region.free(ctx.slot);
  }

  /** Whether its process, emptied, is as good as a new one. */
  #isReusable(ctx: SystrapContext): boolean {
    return this.contexts.size === 1 && ctx.slot.index === 0 && !ctx.lost && !this.isUsedUp &&
      this.learnPid(0) > 0 && ctx.isIntact && unreadBytes(this.region.sock) === 0;
  }

  /** As Context.mayStartAnew. */
  mayStartAnew(ctx: SystrapContext, trust: string): boolean {
    return trust === this.trust && !this.hasMixedTrust && this.#parked.length === 0 &&
      this.#isReusable(ctx);
  }

  #keep(ctx: SystrapContext, reuse: Reuse): void {
    for (const slot of this.#parked) {
      const thread = this.platform.newContext(this, slot);
      if (typeof thread === "number") continue; // It stays, and does no harm.
      thread.sendExit(false);
      this.platform.freeContext(thread);
      this.region.free(slot);
    }
    this.#parked.length = 0;
    ctx.owner = null;
    ctx.sendEmpty(reuse);
    this.platform.keep(ctx);
  }

  override kill(): void {
    const pid = this.learnPid(0);
    if (pid > 0) native.dv_kill(pid);
    else if (pid === 0) this.died();
  }

  override watchAdvice(): void {
    this.platform.watchAdvice();
  }
}

/** The stub of a new thread takes GS for itself; a guest that has set it gets it back. */
function inherit(from: SystrapContext, child: SystrapContext): void {
  // By way of a trampoline GS was the stub's.
  if (from.enteredBySignal) from.segmentBase(REG_GS_BASE);
  child.regs.set(from.regs);
  const gsBase = getReg(from.regs, REG_GS_BASE);
  if (gsBase !== 0) child.queueCall(SYS_arch_prctl, ARCH_SET_GS, gsBase, 0, 0, 0);
}
