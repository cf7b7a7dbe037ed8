import { assertEquals } from "@std/assert";
import { REG_COUNT } from "../arch/amd64/registers.ts";
import * as slot from "./slot.ts";

const HEADER = new URL("../native/stub/slot.h", import.meta.url).pathname;

/** What a C program that includes slot.h prints for each expression. */
function inC(expressions: string[]): number[] {
  const directory = Deno.makeTempDirSync();
  try {
    const source = `${directory}/print.c`;
    const lines = expressions.map((e) => `  printf("%lld\\n", (long long)(${e}));`);
    Deno.writeTextFileSync(
      source,
      `#include <stddef.h>\n#include <stdio.h>\n#include "${HEADER}"\nint main(void) {\n` +
        `${lines.join("\n")}\n}\n`,
    );
    run("gcc", "-o", `${directory}/print`, source);
    return run(`${directory}/print`).trim().split("\n").map(Number);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Names that slot.h has under another name, or that are made of its own. */
const RENAMED: Record<string, string> = {
  STUB_EVENT_LOST: "EVENT_LOST",
  STUB_EVENT_CALL_FAILED: "EVENT_CALL_FAILED",
  COMMAND_WORDS: "sizeof(struct command) / 4",
  COMMAND_MAX: "SLOT_COMMAND_MAX",
  PREFETCH_MAX: "SLOT_PREFETCH_MAX",
  STACK_TOP: "SLOT_STACK_TOP",
  HEAD: "SLOT_HEAD",
  HEAD_SIZE: "SLOT_HEAD_SIZE",
  ARENA_IN: "SLOT_ARENA_IN",
  ARENA_OUT: "SLOT_ARENA_OUT",
  ANSWER_BYTES: "sizeof(struct answer)",
};

/** I_FD_READY is the field fd_ready, counted in words; ANSWER_OFF_PLACE the field place of an answer, in bytes. */
function expressionOf(name: string): string {
  const field = /^ANSWER_OFF_(\w+)$/.exec(name)?.[1];
  if (field !== undefined) return `offsetof(struct answer, ${field.toLowerCase()})`;
  if (!name.startsWith("I_")) return RENAMED[name] ?? name;
  return `offsetof(struct slot, ${name.slice(2).toLowerCase()}) / 4`;
}

Deno.test("the Sentry's offsets and numbers are those of slot.h", () => {
  const names = Object.entries(slot).filter(([, v]) => typeof v === "number").map(([n]) => n);
  const values = inC(names.map(expressionOf));
  const inTypeScript = slot as unknown as Record<string, number>;
  assertEquals(
    Object.fromEntries(names.map((name) => [name, inTypeScript[name]])),
    Object.fromEntries(names.map((name, i) => [name, values[i]])),
  );
});

Deno.test("a slot has a place for every register", () => {
  assertEquals(inC(["sizeof(((struct slot *)0)->regs) / 8"]), [REG_COUNT]);
});
