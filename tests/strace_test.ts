/** `dvisor do --strace`: what a trace shows. */
import { assertEquals, assertMatch } from "@std/assert";
import { dvisor } from "./sandbox.ts";

async function trace(names: string, ...command: string[]): Promise<string[]> {
  const { stderr } = await dvisor("do", `--strace${names}`, "--", ...command);
  return stderr.trimEnd().split("\n");
}

Deno.test("a trace shows arguments, flags and results by name", async () => {
  const lines = await trace("", "cat", "/etc/passwd");
  const open = lines.find((line) => line.includes('"/etc/passwd"'))!;
  assertMatch(open, /^\[1\] openat\(AT_FDCWD, "\/etc\/passwd", O_RDONLY\) = 3$/);
  assertMatch(lines.find((line) => line.includes('"root:'))!, /^\[1\] (read|write)\(/);
  assertMatch(lines.at(-1)!, /^\[1\] exit_group\(0\) = \?$/);
});

Deno.test("a failing call shows its error by name", async () => {
  const lines = await trace("", "cat", "/no/such/file");
  const open = lines.find((line) => line.includes('"/no/such/file"'))!;
  assertMatch(open, / = -1 ENOENT$/);
});

Deno.test("only the named calls are shown", async () => {
  const lines = await trace("=execve,exit_group", "sh", "-c", "true; exit 0");
  assertEquals(lines, ["[1] exit_group(0) = ?"]);
});

Deno.test("a call that waits is shown before it returns", async () => {
  const lines = await trace("=wait4", "sh", "-c", "sleep 0.1; true");
  assertMatch(lines[0], /^\[1\] wait4\(-1, 0x[0-9a-f]+, .* <unfinished \.\.\.>$/);
  assertEquals(lines.some((line) => line.includes("[exit 0]")), true);
});

Deno.test("with a debug log the trace goes there and stderr stays the command's", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { stderr } = await dvisor("do", "--strace", "--debug-log", directory, "true");
    assertEquals(stderr, "");
    assertMatch(await Deno.readTextFile(`${directory}/strace.log`), /exit_group\(0\) = \?\n$/);
    assertMatch(await Deno.readTextFile(`${directory}/cli.log`), /cloned the sandbox process/);
    assertMatch(await Deno.readTextFile(`${directory}/sentry.log`), /platform/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("debug logs are lines of JSON where asked", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await dvisor("do", "--debug-log", directory, "--log-format", "json", "true");
    for (const role of ["cli", "sentry"]) {
      const lines = (await Deno.readTextFile(`${directory}/${role}.log`)).trimEnd().split("\n");
      for (const line of lines) assertEquals(JSON.parse(line).role, role);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
