/**
 * Asks the poller thread for one wake-up per lack of readiness: whoever finds a descriptor not ready
 * calls `arm`; when it becomes ready the watch ends and `ready` is called. So a descriptor that is
 * ready and that nobody reads costs nothing.
 */
import { EPOLLERR, EPOLLHUP } from "../../../platform/abi/epoll.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export class HostWatch {
  #armed = 0;

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
    const err = this.#armed === 0
      ? hostEvents.add(this.fd, wanted, (now) => this.#fire(now))
      : hostEvents.modify(this.fd, wanted);
    if (err < 0) return false;
    this.#armed = wanted;
    return true;
  }

  disarm(): void {
    if (this.#armed === 0) return;
    this.#armed = 0;
    this.kernel.hostEvents?.remove(this.fd);
  }

  #fire(events: number): void {
    const left = this.#armed & ~events;
    if (left === 0 || (events & (EPOLLERR | EPOLLHUP)) !== 0) this.disarm();
    else {
      this.#armed = left;
      this.kernel.hostEvents?.modify(this.fd, left);
    }
    this.ready(events);
  }
}
