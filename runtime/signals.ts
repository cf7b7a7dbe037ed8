/** Signals that the command gets go to the guest. */
import type { Sandbox } from "./sandbox.ts";

/**
 * Numbers, and whether the whole process group gets them: those that a terminal sends do, as they
 * would natively; the others were meant for one process.
 */
const FORWARDED: readonly [Deno.Signal, number, boolean][] = [
  ["SIGHUP", 1, true],
  ["SIGINT", 2, true],
  ["SIGQUIT", 3, true],
  ["SIGUSR1", 10, false],
  ["SIGUSR2", 12, false],
  ["SIGTERM", 15, false],
  ["SIGCONT", 18, true],
];
const SIGTSTP = 20;
const SIGWINCH = 28;
/** After the terminal is gone, a guest that ignores SIGHUP has this long. */
const HANGUP_GRACE_MS = 2000;

export function forwardSignals(sandbox: Sandbox, withConsole: boolean): void {
  for (const [name, number, group] of FORWARDED) {
    Deno.addSignalListener(name, () => sandbox.signal(number, group));
  }
  Deno.addSignalListener("SIGTSTP", () => {
    sandbox.signal(SIGTSTP, true);
    Deno.kill(Deno.pid, "SIGSTOP"); // Ours is the job that the caller's shell sees.
  });
  Deno.addSignalListener("SIGWINCH", () => {
    if (!withConsole) return sandbox.signal(SIGWINCH, true);
    const size = terminalSize();
    if (size !== null) sandbox.resize(size.rows, size.columns);
  });
  if (withConsole) {
    Deno.addSignalListener("SIGHUP", () => {
      if (terminalSize() === null) setTimeout(() => sandbox.kill(), HANGUP_GRACE_MS);
    });
  }
}

function terminalSize(): { rows: number; columns: number } | null {
  try {
    return Deno.consoleSize();
  } catch {
    return null;
  }
}
