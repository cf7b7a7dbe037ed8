/** Lines of a trace: as strace(1) writes them with -f, or JSON. */
import type { Outcome } from "./outcome.ts";

export interface Who {
  tid: number;
  pid: number;
  command: string;
}

export type End = { code: number } | { signal: string; dumped: boolean };

export interface Format {
  /** `outcome`: null when the task ended in the call. */
  call(who: Who, name: string, args: string[], outcome: Outcome | null): string;
  signal(who: Who, name: string, info: string): string;
  exit(who: Who, end: End): string;
}

export const TEXT_FORMAT: Format = {
  call: ({ tid }, name, args, outcome) =>
    `[${tid}] ${name}(${args.join(", ")}) = ${outcome?.text ?? "?"}`,
  signal: ({ tid }, name, info) => `[${tid}] --- ${name} ${info} ---`,
  exit: ({ tid }, end) =>
    "code" in end
      ? `[${tid}] +++ exited with ${end.code} +++`
      : `[${tid}] +++ killed by ${end.signal}${end.dumped ? " (core dumped)" : ""} +++`,
};

/** The fields that every line has, in the order of the debug log's. */
function line(who: Who, fields: Record<string, unknown>): string {
  return JSON.stringify({ time: new Date().toISOString(), ...who, ...fields });
}

export const JSON_FORMAT: Format = {
  call: (who, name, args, outcome) =>
    line(who, {
      call: name,
      args,
      result: outcome?.result ?? null,
      errno: outcome?.errno,
      text: outcome?.text,
    }),
  signal: (who, name, info) => line(who, { signal: name, info }),
  exit: (who, end) =>
    line(who, "code" in end ? { exited: end.code } : { killed: end.signal, dumped: end.dumped }),
};
