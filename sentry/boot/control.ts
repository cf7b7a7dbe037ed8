/** The control socket to the command: requests in, events out, both lines of JSON. */
import { EAGAIN } from "../../platform/abi/errno.ts";
import { EPOLLIN } from "../../platform/abi/epoll.ts";
import { hostSyscall, pwriteFd } from "../../platform/host/host.ts";
import { hostAlloc } from "../../platform/host/host.ts";
import { SYS_recvfrom } from "../../platform/abi/amd64/syscalls.ts";
import { MSG_DONTWAIT } from "../../platform/abi/socket.ts";
import type { ControlEvent, ControlRequest } from "../config.ts";
import type { HostEvents } from "../kernel/kernel.ts";

const READ_SIZE = 4096;
const LINE_MAX = 65536;

export class ControlSocket {
  readonly #buffer = hostAlloc(READ_SIZE);
  readonly #decoder = new TextDecoder();
  #pending = "";

  constructor(readonly fd: number) {}

  send(event: ControlEvent): void {
    const bytes = new TextEncoder().encode(JSON.stringify(event) + "\n");
    for (let at = 0; at < bytes.length;) {
      const n = pwriteFd(this.fd, bytes, at, bytes.length, -1);
      if (n < 0) return; // The command is gone; the sandbox follows it.
      at += n;
    }
  }

  /** Calls `handle` for each request from now on, `gone` when the command is no more. */
  listen(events: HostEvents, handle: (request: ControlRequest) => void, gone: () => void): void {
    const ready = () => {
      if (this.#read(handle)) events.modify(this.fd, EPOLLIN);
      else {
        events.remove(this.fd);
        gone();
      }
    };
    if (events.add(this.fd, EPOLLIN, ready) < 0) gone();
  }

  /** False at the end of the stream. */
  #read(handle: (request: ControlRequest) => void): boolean {
    for (;;) {
      const n = hostSyscall(SYS_recvfrom, this.fd, this.#buffer.addr, READ_SIZE, MSG_DONTWAIT);
      if (n === -EAGAIN) return true;
      if (n <= 0) return false;
      this.#pending += this.#decoder.decode(this.#buffer.u8.slice(0, n), { stream: true });
      const lines = this.#pending.split("\n");
      this.#pending = lines.pop()!;
      if (this.#pending.length > LINE_MAX) return false;
      for (const line of lines) handle(JSON.parse(line) as ControlRequest);
    }
  }
}
