/** What the debug log says of a sandbox: how it was started, how it ended, what it lacked. */
import { syscallName } from "../../platform/abi/amd64/syscalls.ts";
import { signalName } from "../../platform/abi/signal.ts";
import { WEXITSTATUS, WIFEXITED, WTERMSIG } from "../../platform/abi/wait.ts";
import type { SandboxConfig } from "../config.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { LogLine } from "./log.ts";

const TASKS_SHOWN = 64;

/** One line; the environment is left out, since secrets lie there. */
export function describeConfig(config: SandboxConfig): string {
  const volumes = config.volumes.map(({ dst, rw }) => `${dst}:${rw ? "rw" : "ro"}`);
  return `${JSON.stringify(config.argv)} in ${config.cwd} as ${config.uid}:${config.gid}, ` +
    `host name ${config.hostname}, ${config.console === null ? "no terminal" : "a terminal"}, ` +
    `volumes ${volumes.length === 0 ? "none" : volumes.join(" ")}`;
}

/** "exited with 3", "killed by SIGSEGV" */
export function describeStatus(status: number): string {
  return WIFEXITED(status)
    ? `exited with ${WEXITSTATUS(status)}`
    : `killed by ${signalName(WTERMSIG(status))}`;
}

/** Gaps that the guest has met, the most frequent first. */
export function logStubs(kernel: Kernel, log: LogLine): void {
  const met = [...kernel.stubs].sort((a, b) => b[1] - a[1]);
  for (const [what, count] of met) log(`stub: ${what}: ${count} times`);
}

/** What every task is doing. */
export function logTasks(kernel: Kernel, log: LogLine): void {
  let left = TASKS_SHOWN;
  for (const t of kernel.tasks.values()) {
    if (left-- === 0) return log("task: and others");
    const call = t.sysno >= 0 ? `in ${syscallName(t.sysno)}` : "in its program";
    log(`task: ${t.name}[${t.tid}] of process ${t.tg.pid}: ${t.exiting ? "ended" : call}`);
  }
}
