// What we use of @std/cli/parse-args, typed: the npm package of it has no declarations (see deno.json).
import * as std from "deno-std/cli/parse_args.js";

export interface ParseOptions {
  "--"?: boolean;
  alias?: Record<string, string | string[]>;
  boolean?: boolean | string[];
  string?: string[];
  collect?: string[];
  negatable?: string[];
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  /** Called for a name that no option lists; false leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The options by name, what is left in `_`, and what followed `--` if that was asked for. */
export type Args = { _: (string | number)[]; "--"?: string[] } & { [name: string]: unknown };

export const parseArgs: (args: string[], options?: ParseOptions) => Args = std.parseArgs;
