import { assert, assertEquals } from "@std/assert";
import { syscallName, syscallNumbers } from "../platform/abi/amd64/syscalls.ts";
import { FULL } from "../sentry/kernel/syscall.ts";
import { table } from "../sentry/syscalls/table.ts";
import { render } from "./syscalls.ts";

interface Row {
  number: number;
  name: string;
  support: string;
  note: string;
}
const rows: Row[] = JSON.parse(render("json"));
const rowOf = (name: string) => rows.find((row) => row.name === name);

Deno.test("no system call is in the table twice", () => {
  const numbers = table.map(([number]) => number);
  assertEquals(numbers.filter((number, i) => numbers.indexOf(number) !== i), []);
});

Deno.test("a row's number and name are the same call's", () => {
  assertEquals(table.filter(([number, name]) => syscallName(number) !== name), []);
});

Deno.test("a row that is not full support says what is missing", () => {
  assertEquals(table.filter(([, , , support, note]) => support !== FULL && !note), []);
});

Deno.test("every system call of Linux is listed once, in order", () => {
  assertEquals(rows.map((row) => row.number), syscallNumbers());
  assertEquals(rowOf("read"), { number: 0, name: "read", support: "full", note: "" });
});

Deno.test("a call that is not served is listed as absent, with its error", () => {
  assertEquals(rowOf("io_uring_setup")!.support, "absent");
  assertEquals(rowOf("io_uring_setup")!.note, "ENOSYS");
  assertEquals(rowOf("create_module")!.note, "ENOSYS, as in Linux");
});

Deno.test("the table and the CSV have a line for each", () => {
  const lines = render("table").trimEnd().split("\n");
  assertEquals(lines.length, rows.length);
  assert(lines[0].startsWith("  0  read "));
  const csv = render("csv").trimEnd().split("\n");
  assertEquals(csv.length, rows.length + 1);
  assertEquals(csv[0], "number,name,support,note");
});
