/** Commands and flags that start no sandbox. */
import { oneLine } from "./bytes.ts";
import { readEmbedded } from "./embedded.ts";
import { complain } from "./errors.ts";
import { commandHelp, parseFlags, UsageError } from "./flags.ts";
import { COMMANDS, generalHelp, SYSCALLS } from "./commands.ts";
import { VERSION } from "./version.ts";

export async function run(args: string[]): Promise<void> {
  try {
    await dispatch(args);
  } catch (error) {
    failUsage(error);
  }
}

/** One line on stderr and exit status 2 for a wrong command line; anything else is thrown on. */
export function failUsage(error: unknown): never {
  if (!(error instanceof UsageError)) throw error;
  complain(`${oneLine(error.message)}; see dvisor --help`);
  Deno.exit(2);
}

async function dispatch(args: string[]): Promise<void> {
  const [name, ...rest] = args;
  switch (name) {
    case undefined:
      throw new UsageError("no command is given");
    case "--help":
    case "-h":
    case "help":
      return help(rest[0]);
    case "--version":
    case "-v":
    case "version":
      return print(`dvisor ${VERSION}\n`);
    case "syscalls":
      return await syscalls(rest);
    default:
      throw new UsageError(
        name.startsWith("-") ? `unknown flag ${name}` : `unknown command ${name || "(empty)"}`,
      );
  }
}

function help(name: string | undefined): void {
  if (name === undefined) return print(generalHelp());
  const command = COMMANDS.find((c) => c.name === name);
  if (command === undefined) throw new UsageError(`unknown command ${name}`);
  print(commandHelp(command));
}

async function syscalls(args: string[]): Promise<void> {
  const parsed = parseFlags(SYSCALLS, args);
  if (parsed.has("help")) return print(commandHelp(SYSCALLS));
  if (parsed.operands.length > 0) throw new UsageError(`syscalls takes no argument`);
  const format = parsed.get("format") ?? "table";
  if (format !== "table" && format !== "json" && format !== "csv") {
    throw new UsageError(`--format is table, json or csv, not ${format || "empty"}`);
  }
  // A file of its own in the binary, which no other role reads.
  const { scriptOf, runScript } = await import("../platform/host/script.ts");
  const script = scriptOf(readEmbedded("syscalls.code")!, "syscalls.js");
  const { render } = runScript(script, import.meta.url) as typeof import("./syscalls.ts");
  print(render(format));
}

/** All of it, also to a pipe. A reader that went away is no error of ours. */
export function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    complain(`cannot write to stdout: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
