/** --debug-log: the Sentry's file, a line of text or JSON per event. */
import { pwriteFd } from "../../platform/host/host.ts";
import type { SandboxConfig } from "../config.ts";

export type LogLine = (message: string) => void;

/** Does nothing when debug logging is off. */
export function openLog(config: SandboxConfig): LogLine {
  const fd = config.debugLogFd;
  if (fd < 0) return () => {};
  const encoder = new TextEncoder();
  return (message) => {
    const time = new Date().toISOString();
    const line = config.logFormat === "json"
      ? JSON.stringify({ time, role: "sentry", message })
      : `${time} sentry ${message}`;
    const bytes = encoder.encode(line + "\n");
    pwriteFd(fd, bytes, 0, bytes.length, -1);
  };
}
