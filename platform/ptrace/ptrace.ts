/** The ptrace platform: simple and complete, slower than systrap. See README.md. */
import { native, viewMemory } from "../host/ffi.ts";
import { closeFd, fpState } from "../host/host.ts";
import {
  type Context,
  EVENT_CALL_FAILED,
  EVENT_LOST,
  type Platform,
  type PlatformOptions,
} from "../platform.ts";
import { PtraceAddressSpace } from "./address_space.ts";
import { PtraceContext } from "./context.ts";
import { R_PID, RECORD_SIZE } from "./record.ts";
import { ptraceLibrary, SCRATCH_BASE, TASK_SIZE_GUEST } from "./native.ts";

const GREETING_TIMEOUT_MS = 5000;

export class PtracePlatform implements Platform {
  readonly name = "ptrace";
  readonly taskSize = ptraceLibrary().dv_pt_address(TASK_SIZE_GUEST);
  readonly fpState = fpState();
  vdsoAddr = 0;
  #contexts: (PtraceContext | null)[] = [];
  #failed: PtraceContext[] = [];
  #zygote!: PtraceContext;
  #sockets = new Int32Array(2);

  /** Starts the zygote. Throws with a clear message when the host forbids it. */
  static start(options: PlatformOptions): PtracePlatform {
    const platform = new PtracePlatform();
    platform.#startZygote(options);
    return platform;
  }

  #startZygote(options: PlatformOptions): void {
    if (native.dv_shared_page() === null) {
      throw new Error("cannot make the doorbell (memfd_create)");
    }
    const err = native.dv_socketpair(this.#sockets as Int32Array<ArrayBuffer>);
    if (err < 0) throw new Error(`socketpair failed (errno ${-err})`);
    const [sock, peer] = this.#sockets;
    const pid = ptraceLibrary().dv_spawn_zygote_traced(
      peer,
      options.emptyRootFd,
      options.namespaces,
    );
    if (pid < 0) throw new Error(`cannot start the stub process (errno ${-pid})`);
    if (native.dv_receive_pid(sock, GREETING_TIMEOUT_MS, 0) !== pid) {
      native.dv_kill(pid);
      throw new Error("the stub process did not start");
    }
    const handle = ptraceLibrary().dv_pt_start(pid, sock, peer);
    if (handle < 0) throw new Error(`cannot trace the stub process (errno ${-handle})`);
    this.#zygote = this.newContext(handle, null);
    const word = new Uint8Array(8);
    this.#zygote.addressSpace.read(ptraceLibrary().dv_pt_address(SCRATCH_BASE), word, 0, 8);
    const view = new DataView(word.buffer);
    this.vdsoAddr = view.getUint32(0, true) + view.getUint32(4, true) * 0x1_0000_0000;
  }

  /** The context of a new host thread; `space` is null for that of a new process. */
  newContext(handle: number, space: PtraceAddressSpace | null): PtraceContext {
    if (space === null) {
      const record = new Int32Array(viewMemory(ptraceLibrary().dv_pt_record(handle)!, RECORD_SIZE));
      space = new PtraceAddressSpace(this, record[R_PID]);
    }
    const ctx = new PtraceContext(this, space, handle);
    space.contexts.add(ctx);
    this.#contexts[handle] = ctx;
    return ctx;
  }

  forgetContext(ctx: PtraceContext): void {
    this.#contexts[ctx.handle] = null;
    const at = this.#failed.indexOf(ctx);
    if (at >= 0) this.#failed.splice(at, 1);
  }

  newAddressSpace(_trust: string): Context | number {
    return this.#zygote.addressSpace.fork(this.#zygote);
  }

  /** `wait` returns `ctx`, whose resume did not take place. */
  reportFailure(ctx: PtraceContext): void {
    // A lost context is reported by its death.
    if (!ctx.lost) this.#failed.push(ctx);
  }

  wait(timeoutNs: number): Context | null {
    const failed = this.#failed.shift();
    if (failed !== undefined) {
      failed.event = failed.lost ? EVENT_LOST : EVENT_CALL_FAILED;
      return failed;
    }
    for (;;) {
      const handle = ptraceLibrary().dv_pt_wait(timeoutNs);
      if (handle < 0) return null;
      const ctx = this.#contexts[handle];
      if (ctx === null) continue;
      ctx.decode();
      if (ctx !== this.#zygote) return ctx;
      if (ctx.event === EVENT_LOST) throw new Error("the first stub process ended");
    }
  }

  resumeAndWait(ctx: Context, value: number, timeoutNs: number): Context | null {
    ctx.resumeWith(value);
    return this.wait(timeoutNs);
  }

  /** Every call comes to the Sentry: that makes it the oracle. */
  readonly answers = null;

  prepareFork(): void {}

  serveLocally(): boolean {
    return false;
  }

  shutdown(): void {
    ptraceLibrary().dv_pt_shutdown();
    for (const fd of this.#sockets) closeFd(fd);
  }
}
