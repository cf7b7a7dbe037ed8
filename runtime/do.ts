/** `dvisor do`: runs one command in a sandbox, with the caller's streams, signals and terminal. */
import { commandHelp, parseFlags, UsageError } from "./flags.ts";
import { DO } from "./commands.ts";
import { makeOptions } from "./do_options.ts";
import { complain, SandboxError } from "./errors.ts";
import { trimLater } from "./memory.ts";
import { exitNow } from "./process.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";
import type { Log } from "./log.ts";
import type { Terminal } from "./terminal.ts";

export async function run(args: string[]): Promise<void> {
  let options: SandboxOptions;
  let log: Log | null = null;
  try {
    const parsed = parseFlags(DO, args);
    if (parsed.has("help")) return (await import("./cli.ts")).print(commandHelp(DO));
    options = makeOptions(parsed);
    if (options.debugLog !== undefined) log = await openLog(options);
  } catch (error) {
    return (await import("./cli.ts")).failUsage(error);
  }
  exitNow(await runSandbox(options, log));
}

/** Returns the exit status; does not return where the guest was interrupted. */
async function runSandbox(options: SandboxOptions, log: Log | null): Promise<number> {
  const terminal = await findTerminal(options);
  let interrupted: (() => void) | null = null;
  try {
    const sandbox = Sandbox.start(options, log);
    const signals = await import("./signals.ts");
    signals.forwardSignals(sandbox, terminal);
    if (terminal !== null) signals.attend(sandbox, terminal);
    trimLater();
    const { code, signal } = await sandbox.status;
    if (signal === signals.SIGINT) {
      // Typed at a console, most likely, which is raw: the host has told nobody.
      const group = terminal !== null && terminal.isConsole && terminal.isForeground;
      interrupted = () => signals.endByInterrupt(group);
    }
    return code;
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    terminal?.leave();
    log?.debug("failed", { message: error.message });
    complain(error.message);
    return error.code;
  } finally {
    terminal?.release();
    interrupted?.();
  }
}

/** The terminal among the standard streams, null without one. Where it is stdin and stdout, it is the guest's console. */
async function findTerminal(options: SandboxOptions): Promise<Terminal | null> {
  const fd = [Deno.stdin, Deno.stdout, Deno.stderr].findIndex((stream) => stream.isTerminal());
  if (fd < 0) return null;
  const isConsole = fd === 0 && Deno.stdout.isTerminal();
  const terminal = new (await import("./terminal.ts")).Terminal(fd, isConsole);
  if (isConsole) {
    const { columns, rows } = Deno.consoleSize();
    options.console = { rows, cols: columns };
    options.input = "off"; // Until it is raw.
  } else options.input = terminal.isForeground ? "on" : "background";
  return terminal;
}

async function openLog(options: SandboxOptions): Promise<Log> {
  const directory = options.debugLog!;
  try {
    Deno.mkdirSync(directory, { recursive: true });
    return new (await import("./log.ts")).Log(directory, "cli", options.logFormat ?? "text");
  } catch (error) {
    throw new UsageError(`--debug-log ${directory}: ${(error as Error).message}`);
  }
}
