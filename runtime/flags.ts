/**
 * Command lines: a table of flags per command gives the strict parser and the help text. Flags are
 * `--name value`, `--name=value` or, without a value, `--name`; the first other word ends them.
 */

/** A line for stderr and exit status 2. */
export class UsageError extends Error {}

export interface Flag {
  name: string;
  /** What the value is called in the help; absent for a switch. */
  value?: string;
  /** The value may be left out, and is only taken after "=". */
  optional?: boolean;
  repeats?: boolean;
  help: string;
}

export interface Command {
  name: string;
  /** What follows the flags, for the usage line. */
  operands: string;
  summary: string;
  details?: string;
  flags: readonly Flag[];
}

export class Parsed {
  readonly #values = new Map<string, string[]>();
  operands: string[] = [];

  add(name: string, value: string): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }
  has(name: string): boolean {
    return this.#values.has(name);
  }
  /** The last value given. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }
  all(name: string): string[] {
    return this.#values.get(name) ?? [];
  }
}

const HELP: Flag = { name: "help", help: "show this text" };

export function parseFlags(command: Command, args: readonly string[]): Parsed {
  const parsed = new Parsed();
  let i = 0;
  for (; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      i++;
      break;
    }
    if (!arg.startsWith("-") || arg === "-") break;
    const [name, given] = splitFlag(arg);
    const flag = name === "help" || name === "h"
      ? HELP
      : command.flags.find((f) => f.name === name);
    if (flag === undefined) throw new UsageError(`unknown flag ${arg.split("=")[0]}`);
    if (parsed.has(flag.name) && !flag.repeats) throw new UsageError(`--${name} is given twice`);
    if (flag.value === undefined) {
      if (given !== null) throw new UsageError(`--${name} takes no value`);
      parsed.add(flag.name, "");
    } else if (given !== null || flag.optional) {
      parsed.add(name, given ?? "");
    } else {
      // "--" would be a strange one: somebody forgot the value.
      if (++i >= args.length || args[i] === "--") {
        throw new UsageError(`--${name} needs a value: ${flag.value}`);
      }
      parsed.add(name, args[i]);
    }
  }
  parsed.operands = args.slice(i);
  return parsed;
}

function splitFlag(arg: string): [string, string | null] {
  const text = arg.startsWith("--") ? arg.slice(2) : arg.slice(1);
  const at = text.indexOf("=");
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

export function commandHelp(command: Command): string {
  const flags = [...command.flags, HELP].map((f): [string, string] => [
    `--${f.name}` + (f.value === undefined ? "" : f.optional ? `[=${f.value}]` : ` ${f.value}`),
    f.help + (f.repeats ? " (may be repeated)" : ""),
  ]);
  const width = Math.max(...flags.map(([left]) => left.length));
  const lines = flags.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  const details = command.details === undefined ? "" : `\n\n${command.details}`;
  return `Usage: dvisor ${command.name} [flags] ${command.operands}`.trimEnd() +
    `\n\n${command.summary}${details}\n\nFlags:\n${lines.join("\n")}\n`;
}
