/** `dvisor syscalls`: the Sentry's own table, so that it cannot be out of date. */
import { syscallName, syscallNumbers } from "../platform/abi/amd64/syscalls.ts";
import { table } from "../sentry/syscalls/table.ts";
import { ABSENT, FULL } from "../sentry/kernel/syscall.ts";

/** [number, name, support, note] */
type Row = readonly [number, string, number, string?];

/** Numbers that Linux, too, has no call behind, at least on x86-64. */
const GONE = new Set(
  ("uselib _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg " +
    "afs_syscall tuxcall security set_thread_area get_thread_area lookup_dcookie epoll_ctl_old " +
    "epoll_wait_old vserver").split(" "),
);

/** Every system call of Linux, by number; one that the table does not have fails with ENOSYS. */
function allRows(): Row[] {
  const served = new Map(table.map(([number, name, , support, note]): [number, Row] => [
    number,
    [number, name, support, note],
  ]));
  return syscallNumbers().map((number) => served.get(number) ?? absentRow(number));
}

function absentRow(number: number): Row {
  const name = syscallName(number);
  return [number, name, ABSENT, GONE.has(name) ? "ENOSYS, as in Linux" : "ENOSYS"];
}

export function render(format: "table" | "json" | "csv"): string {
  const rows = allRows();
  switch (format) {
    case "json":
      return JSON.stringify(rows.map(asObject), null, 2) + "\n";
    case "csv":
      return "number,name,support,note\n" +
        rows.map((r) => [r[0], r[1], support(r), csv(r[3] ?? "")].join(",") + "\n").join("");
    case "table":
      return rows.map((r) =>
        `${String(r[0]).padStart(3)}  ${r[1].padEnd(24)}${support(r).padEnd(9)}${r[3] ?? ""}`
          .trimEnd() + "\n"
      ).join("");
  }
}

function asObject(row: Row): Record<string, unknown> {
  return { number: row[0], name: row[1], support: support(row), note: row[3] ?? "" };
}

function support(row: Row): string {
  return row[2] === FULL ? "full" : row[2] === ABSENT ? "absent" : "partial";
}

function csv(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
