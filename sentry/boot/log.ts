/** The Sentry's own output: the debug log (--debug-log) and the trace (--strace). */
import { SYS_poll } from "../../platform/abi/amd64/syscalls.ts";
import { EAGAIN } from "../../platform/abi/errno.ts";
import { POLLFD_SIZE, POLLOUT, putPollfd } from "../../platform/abi/poll.ts";
import { hostAlloc, hostSyscall, pwriteFd } from "../../platform/host/host.ts";
import type { SandboxConfig } from "../config.ts";

export type LogLine = (message: string) => void;

/** The debug log: a line of text or JSON per event. Does nothing when it is off. */
export function openLog(config: SandboxConfig): LogLine {
  if (config.debugLogFd < 0) return () => {};
  const write = lineWriter(config.debugLogFd, "\n");
  return (message) => {
    const time = new Date().toISOString();
    write(
      config.logFormat === "json"
        ? JSON.stringify({ time, role: "sentry", message })
        : `${time} sentry ${message}`,
    );
  };
}

/** Writes whole lines and waits for whoever reads them; once nobody does, they are dropped. */
export function lineWriter(fd: number, end: "\n" | "\r\n"): LogLine {
  const encoder = new TextEncoder();
  const pollfd = hostAlloc(POLLFD_SIZE);
  return (line) => {
    const bytes = encoder.encode(line + end);
    for (let at = 0; at < bytes.length;) {
      const n = pwriteFd(fd, bytes, at, bytes.length, -1);
      if (n === -EAGAIN) {
        putPollfd(pollfd.view, 0, fd, POLLOUT, 0);
        hostSyscall(SYS_poll, pollfd.addr, 1, -1);
      } else if (n <= 0) return;
      else at += n;
    }
  };
}
