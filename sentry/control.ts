/**
 * The Sentry's end of the control socket: requests of the command come in, events go out. The socket
 * is read here, without the main thread: its readiness rings the doorbell like any host descriptor's.
 */
import { EAGAIN } from "../platform/abi/errno.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../platform/abi/socket.ts";
import { SYS_exit_group, SYS_recvfrom, SYS_sendto } from "../platform/abi/amd64/syscalls.ts";
import { hostAlloc, hostSyscall } from "../platform/host/host.ts";
import type { ControlEvent, ControlRequest } from "./config.ts";

const BUFFER_SIZE = 65536;

export class ControlSocket {
  readonly #buffer = hostAlloc(BUFFER_SIZE);
  readonly #decoder = new TextDecoder();
  #pending = "";
  /** The command is gone: the sandbox must end. */
  closed = false;

  constructor(readonly fd: number) {}

  /** Requests that have arrived, in order. Never blocks; call it when `fd` is readable. */
  receive(): ControlRequest[] {
    const requests: ControlRequest[] = [];
    for (;;) {
      const n = hostSyscall(SYS_recvfrom, this.fd, this.#buffer.addr, BUFFER_SIZE, MSG_DONTWAIT);
      if (n === -EAGAIN) return requests;
      if (n <= 0) {
        this.closed = true;
        return requests;
      }
      this.#pending += this.#decoder.decode(this.#buffer.u8.subarray(0, n), { stream: true });
      const lines = this.#pending.split("\n");
      this.#pending = lines.pop()!;
      for (const line of lines) requests.push(JSON.parse(line));
    }
  }

  /** Blocks while the command does not read, which it always does. */
  send(event: ControlEvent): void {
    const line = new TextEncoder().encode(JSON.stringify(event) + "\n");
    for (let from = 0; from < line.length;) {
      const n = Math.min(line.length - from, BUFFER_SIZE);
      this.#buffer.u8.set(line.subarray(from, from + n));
      const sent = hostSyscall(SYS_sendto, this.fd, this.#buffer.addr, n, MSG_NOSIGNAL);
      if (sent < 0) return;
      from += sent;
    }
  }

  /**
   * Ends the sandbox with the init's wait status, as wait(2) encodes it. The process is the init of
   * its pid namespace: every stub goes with it.
   */
  exit(status: number): never {
    this.send({ type: "exit", status });
    const signal = status & 0x7f;
    hostSyscall(SYS_exit_group, signal !== 0 ? 128 + signal : status >> 8 & 0xff);
    throw new Error("unreachable");
  }

  /** Ends the sandbox because of a bug of ours, with a report for the person who runs it. */
  panic(report: string): never {
    this.send({ type: "panic", report });
    hostSyscall(SYS_exit_group, 128);
    throw new Error("unreachable");
  }
}
