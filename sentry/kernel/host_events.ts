/** Readiness of host descriptors, told by the poller thread (platform/native/host/poller.c). */
import { EBUSY } from "../../platform/abi/errno.ts";
import { native } from "../../platform/host/ffi.ts";
import type { HostEvents } from "./kernel.ts";

interface Watch {
  fd: number;
  ready: (events: number) => void;
}

export class PollerEvents implements HostEvents {
  readonly #byId = new Map<number, Watch>();
  readonly #ids = new Map<number, number>();
  readonly #out = new Uint32Array(2);
  #nextId = 1;
  #started = false;

  add(hostFd: number, events: number, ready: (events: number) => void): number {
    if (!this.#started) {
      const err = native.dv_poller_start();
      if (err < 0) return err;
      this.#started = true;
    }
    if (this.#ids.has(hostFd)) return -EBUSY;
    const id = this.#nextId++ >>> 0;
    const err = native.dv_poller_watch(hostFd, events, id);
    if (err < 0) return err;
    this.#byId.set(id, { fd: hostFd, ready });
    this.#ids.set(hostFd, id);
    return 0;
  }

  modify(hostFd: number, events: number): number {
    const id = this.#ids.get(hostFd);
    return id === undefined ? 0 : native.dv_poller_watch(hostFd, events, id);
  }

  remove(hostFd: number): void {
    const id = this.#ids.get(hostFd);
    if (id === undefined) return;
    this.#ids.delete(hostFd);
    this.#byId.delete(id);
    native.dv_poller_forget(hostFd);
  }

  /** Calls what became ready; the number of events. */
  drain(): number {
    let n = 0;
    while (native.dv_poller_take(this.#out) === 1) {
      n++;
      const watch = this.#byId.get(this.#out[0]);
      watch?.ready(this.#out[1]);
    }
    return n;
  }
}
