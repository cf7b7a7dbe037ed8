/** A stub process under ptrace: one guest address space and its host threads. */
import { EFAULT, ESRCH } from "../abi/errno.ts";
import { native } from "../host/ffi.ts";
import { AddressSpace, type Context } from "../platform.ts";
import type { PtraceContext } from "./context.ts";
import type { PtracePlatform } from "./ptrace.ts";
import { ptraceLibrary } from "./native.ts";

export class PtraceAddressSpace extends AddressSpace {
  readonly contexts = new Set<PtraceContext>();

  constructor(readonly platform: PtracePlatform, readonly hostPid: number) {
    super();
  }

  override get threadCount(): number {
    return this.contexts.size;
  }

  /** A thread through which its memory can be reached: not the leader, which may have ended; or 0. */
  get #anyTid(): number {
    for (const ctx of this.contexts) if (!ctx.lost) return ctx.hostTid;
    return 0;
  }

  override read(addr: number, dst: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const tid = this.#anyTid;
    if (tid === 0) return -ESRCH;
    const n = native.dv_read_guest(
      tid,
      addr,
      dst as Uint8Array<ArrayBuffer>,
      start,
      end - start,
    );
    return n < 0 && n !== -ESRCH ? -EFAULT : n;
  }

  override write(addr: number, src: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const tid = this.#anyTid;
    if (tid === 0) return -ESRCH;
    const n = native.dv_write_guest(
      tid,
      addr,
      src as Uint8Array<ArrayBuffer>,
      start,
      end - start,
    );
    return n < 0 && n !== -ESRCH ? -EFAULT : n;
  }

  override fork(parent: Context): Context | number {
    const handle = ptraceLibrary().dv_pt_clone((parent as PtraceContext).handle, 0);
    return handle < 0 ? handle : this.platform.newContext(handle, null);
  }

  override newThread(parent: Context): Context | number {
    const handle = ptraceLibrary().dv_pt_clone((parent as PtraceContext).handle, 1);
    return handle < 0 ? handle : this.platform.newContext(handle, this);
  }

  dropContext(ctx: PtraceContext): void {
    if (!this.contexts.delete(ctx)) return;
    ptraceLibrary().dv_pt_release(ctx.handle, this.contexts.size === 0 ? 1 : 0);
    this.platform.forgetContext(ctx);
  }

  override kill(): void {
    // Its pid is its own until the last thread was released and reaped.
    if (this.#anyTid !== 0) native.dv_kill(this.hostPid);
  }
}
