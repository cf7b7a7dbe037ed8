import { assertEquals, assertThrows } from "@std/assert";
import { DO } from "./commands.ts";
import { commandHelp, parseFlags, UsageError } from "./flags.ts";

Deno.test("a value may follow its flag or stand after an equals sign", () => {
  const parsed = parseFlags(DO, ["--root", "/srv", "--hostname=box", "ls"]);
  assertEquals(parsed.get("root"), "/srv");
  assertEquals(parsed.get("hostname"), "box");
  assertEquals(parsed.operands, ["ls"]);
});

Deno.test("the first word that is no flag ends the flags", () => {
  const parsed = parseFlags(DO, ["ls", "--rw"]);
  assertEquals(parsed.has("rw"), false);
  assertEquals(parsed.operands, ["ls", "--rw"]);
});

Deno.test("two dashes end the flags and are not an operand", () => {
  assertEquals(parseFlags(DO, ["--rw", "--", "--root", "x"]).operands, ["--root", "x"]);
});

Deno.test("a repeatable flag keeps every value in order", () => {
  const parsed = parseFlags(DO, ["--env", "A=1", "--env=B=2", "true"]);
  assertEquals(parsed.all("env"), ["A=1", "B=2"]);
});

Deno.test("an optional value is taken only after an equals sign", () => {
  assertEquals(parseFlags(DO, ["--strace", "ls"]).operands, ["ls"]);
  assertEquals(parseFlags(DO, ["--strace=read,write", "ls"]).get("strace"), "read,write");
});

Deno.test("an empty value is a value", () => {
  assertEquals(parseFlags(DO, ["--cwd=", "ls"]).get("cwd"), "");
});

for (
  const [what, args] of [
    ["an unknown flag", ["--nope", "ls"]],
    ["a missing value", ["--root"]],
    ["a missing value before the end of the flags", ["--debug-log", "--", "ls"]],
    ["a value for a switch", ["--rw=yes", "ls"]],
    ["a flag given twice", ["--root", "/a", "--root", "/b", "ls"]],
  ] as [string, string[]][]
) {
  Deno.test(`${what} is refused`, () => {
    assertThrows(() => parseFlags(DO, args), UsageError);
  });
}

Deno.test("the help names every flag", () => {
  const text = commandHelp(DO);
  for (const flag of DO.flags) assertEquals(text.includes(`--${flag.name}`), true);
});
