/**
 * Asks the poller thread for one wake-up per lack of readiness: whoever finds a descriptor not ready
 * calls `arm`; when it becomes ready the watch ends and `ready` is called. So a descriptor that is
 * ready and that nobody reads costs nothing.
 */
import { EPOLLERR, EPOLLHUP } from "../../../platform/abi/epoll.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export class HostWatch {
  #armed = 0;
  /** The poller knows the descriptor; its watches are one-shot, so it may be silent. */
  #added = false;

  constructor(
    readonly kernel: Kernel,
    readonly fd: number,
    readonly ready: (events: number) => void,
  ) {}

  /** Watches for `events` in addition to those armed. False when the host cannot watch it (a file). */
  arm(events: number): boolean {
    const hostEvents = this.kernel.hostEvents;
    if (hostEvents === null) return false;
    const wanted = this.#armed | events;
    if (wanted === this.#armed) return true;
    const err = this.#added
      ? hostEvents.modify(this.fd, wanted)
      : hostEvents.add(this.fd, wanted, (now) => this.#fire(now));
    if (err < 0) return false;
    this.#added = true;
    this.#armed = wanted;
    return true;
  }

  /** Before the descriptor is closed. */
  disarm(): void {
    this.#armed = 0;
    if (!this.#added) return;
    this.#added = false;
    this.kernel.hostEvents?.remove(this.fd);
  }

  #fire(events: number): void {
    const over = (events & (EPOLLERR | EPOLLHUP)) !== 0;
    this.#armed = over ? 0 : this.#armed & ~events;
    if (this.#armed !== 0) this.kernel.hostEvents?.modify(this.fd, this.#armed);
    this.ready(events);
  }
}
