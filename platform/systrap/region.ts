/**
 * The control memory of one stub process: a memfd cut into slots, and the socket over which it gets
 * descriptors. A region outlives its stub and is used again, since making one costs five calls.
 */
import { EMFILE } from "../abi/errno.ts";
import { native } from "../host/ffi.ts";
import {
  closeFd,
  ftruncate,
  hostSyscall,
  mappingAddr,
  mapShared,
  memfdCreate,
  remapShared,
} from "../host/host.ts";
import { SYS_fallocate } from "../abi/amd64/syscalls.ts";
import { ofOneSandbox } from "../host/one_sandbox.ts";
import {
  CONTROL_SIZE,
  FDS_MAX,
  HEAD,
  I_ALIVE,
  I_COMMANDS,
  I_DEFAULTED,
  I_FD_READY,
  I_INTERRUPTED,
  I_NPREFETCHED,
  I_READS,
  I_REGS,
  I_REPLY,
  I_SIGNAL_PATH,
  I_STACK_LIMIT,
  I_WORDS,
  SLOT_MAX,
  SLOT_SIZE,
  slotOffset,
  STACK_TOP,
} from "./slot.ts";
import { REG_COUNT } from "../arch/amd64/registers.ts";

/** One host thread's slot, as the Sentry sees it. */
export class Slot {
  readonly i32: Int32Array;
  readonly regs: Int32Array;
  /** CPU time of its host thread, when it was last looked at. */
  cpuTimeNs = 0;
  /** The context it serves, or served last; which are told apart, no more. */
  user: object | null = null;

  /** Where it is in this process: for host calls, and for native code. */
  readonly addr: number;
  readonly pointer: Deno.PointerValue;

  constructor(readonly index: number, readonly u8: Uint8Array) {
    this.addr = mappingAddr(u8);
    this.pointer = Deno.UnsafePointer.create(BigInt(this.addr));
    this.i32 = new Int32Array(u8.buffer, 0, SLOT_SIZE / 4);
    this.regs = new Int32Array(u8.buffer, 4 * I_REGS, 2 * REG_COUNT);
  }

  /** Makes it ready for a new host thread, owned by the Sentry. */
  reset(): void {
    this.i32.fill(0, 0, I_COMMANDS);
    this.i32[0] = 1; // STATE_SENTRY
    this.forgetAnswers();
    this.i32.fill(-1, I_FD_READY, I_FD_READY + FDS_MAX);
    this.cpuTimeNs = 0;
  }

  /** What a guest thread may know by itself is not known of the next. */
  forgetAnswers(): void {
    this.i32.fill(-1, I_WORDS, I_WORDS + 16);
    this.i32.fill(0, I_STACK_LIMIT, I_READS + 1);
  }
}

/** A memfd of CONTROL_SIZE bytes, or -errno. */
function controlMemory(): number {
  const fd = memfdCreate("dvisor-control");
  const err = fd < 0 ? fd : ftruncate(fd, CONTROL_SIZE);
  if (err < 0 && fd >= 0) closeFd(fd);
  return err < 0 ? err : fd;
}

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE */
const PUNCH_HOLE = 3;
const pair = new Int32Array(2);
/** Whether `pair` holds a socketpair that nobody has taken. */
let hasPair = false;
ofOneSandbox(() => hasPair = false);

/** Makes ready what the next `connect` needs: a socketpair takes a fork 11 us. */
export function prepareConnection(): void {
  if (!hasPair) hasPair = native.dv_socketpair(pair) === 0;
}

/** No program's trust. */
export const MIXED_TRUST = "mixed";

export class ControlRegion {
  /** Whose data lie in its slots (the trust of Reuse); empty for nobody's. */
  remains = "";
  /** The Sentry's end of the socketpair; -1 while unused. */
  sock = -1;
  #slots: (Slot | undefined)[] = [];
  #free: number[] = [];
  #next = 0;

  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static create(): ControlRegion | number {
    const fd = controlMemory();
    return fd < 0 ? fd : new ControlRegion(fd);
  }

  /** Its memory; sent to the stub. */
  get fd(): number {
    return this.#fd;
  }

  /** Opens a fresh socketpair. Returns the stub's end, which the caller sends and closes, or -errno. */
  connect(): number {
    const err = hasPair ? 0 : native.dv_socketpair(pair);
    if (err < 0) return err;
    hasPair = false;
    this.sock = pair[0];
    return pair[1];
  }

  /** A slot for a new host thread, or -EMFILE / -ENOMEM. */
  allocate(): Slot | number {
    for (let i = 0; i < this.#free.length; i++) {
      // The kernel clears `alive` when the thread that had the slot is really gone.
      const slot = this.#slots[this.#free[i]]!;
      if (slot.i32[I_ALIVE] !== 0) continue;
      this.#free.splice(i, 1);
      slot.reset();
      return slot;
    }
    if (this.#next >= SLOT_MAX) return -EMFILE;
    const index = this.#next;
    let slot = this.#slots[index];
    if (slot === undefined) {
      const u8 = mapShared(this.fd, slotOffset(index), SLOT_SIZE);
      if (typeof u8 === "number") return u8;
      slot = this.#slots[index] = new Slot(index, u8);
    }
    this.#next++;
    slot.reset();
    return slot;
  }

  /** Makes a slot whose host thread is parked ready for another guest thread. */
  reuse(slot: Slot): void {
    const { i32 } = slot;
    i32[I_REPLY] = 0;
    i32[I_NPREFETCHED] = 0;
    i32[I_INTERRUPTED] = 0;
    i32[I_SIGNAL_PATH] = 1;
    i32.fill(0, I_DEFAULTED, I_COMMANDS); // and what lies between: what the thread changes by itself
    slot.forgetAnswers();
  }

  free(slot: Slot): void {
    this.#free.push(slot.index);
  }

  /**
   * Programs of `trust` are to run with it: they must not find what others have left. `isInUse`: by a stub that is
   * idle; the slots' headers and the stub's own stacks stay as they are.
   */
  wipe(trust: string, isInUse: boolean): void {
    if (this.remains === "" || this.remains === trust) return;
    for (let i = 0; i < this.#slots.length; i++) this.#punch(i, isInUse ? STACK_TOP : 0);
    this.remains = "";
  }

  /** What lies in the arenas of all slots but `busy` ones is nobody's from now on. */
  wipeArenas(busy: ReadonlySet<number>): void {
    for (let i = 0; i < this.#slots.length; i++) if (!busy.has(i)) this.#punch(i, HEAD);
  }

  /** Makes slot `index` zero from offset `from` on. */
  #punch(index: number, from: number): void {
    hostSyscall(SYS_fallocate, this.fd, PUNCH_HOLE, slotOffset(index) + from, SLOT_SIZE - from);
  }

  /**
   * Replaces its memory, which others than the stub may have mapped. Its slots stay where they are. False
   * when the host has none to give: then the region is of no more use.
   */
  renew(): boolean {
    closeFd(this.#fd);
    this.#fd = controlMemory();
    this.remains = "";
    if (this.#fd < 0) return false;
    for (const [index, slot] of this.#slots.entries()) {
      const err = remapShared(slot!.u8, this.#fd, slotOffset(index));
      if (err < 0) return false;
    }
    return true;
  }

  /** Its stub is dead: everything may be used again. */
  recycle(): void {
    if (this.sock >= 0) closeFd(this.sock);
    this.sock = -1;
    // A guest may have filled what no thread of ours used.
    const unused = slotOffset(this.#slots.length - 1);
    hostSyscall(SYS_fallocate, this.fd, PUNCH_HOLE, 0, unused);
    this.#free.length = 0;
    this.#next = 0;
  }
}
