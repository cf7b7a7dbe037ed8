/** `dvisor syscalls`: the Sentry's own table, so that it cannot be out of date. */
import { table } from "../sentry/syscalls/table.ts";
import { ABSENT, FULL, type SyscallRow } from "../sentry/kernel/syscall.ts";

export function render(format: "table" | "json" | "csv"): string {
  const rows = [...table].sort((a, b) => a[0] - b[0]);
  switch (format) {
    case "json":
      return JSON.stringify(rows.map(asObject), null, 2) + "\n";
    case "csv":
      return "number,name,support,note\n" +
        rows.map((r) => [r[0], r[1], support(r), csv(r[4] ?? "")].join(",") + "\n").join("");
    case "table":
      return rows.map((r) =>
        `${String(r[0]).padStart(3)}  ${r[1].padEnd(24)}${support(r).padEnd(9)}${r[4] ?? ""}`
          .trimEnd() + "\n"
      ).join("");
  }
}

function asObject(row: SyscallRow): Record<string, unknown> {
  return { number: row[0], name: row[1], support: support(row), note: row[4] ?? "" };
}

function support(row: SyscallRow): string {
  return row[3] === FULL ? "full" : row[3] === ABSENT ? "absent" : "partial";
}

function csv(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
