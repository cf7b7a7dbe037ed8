/** `dvisor do --strace`: what a trace shows. */
import { assertEquals, assertMatch } from "@std/assert";
import { dvisor } from "./sandbox.ts";

async function trace(names: string, ...command: string[]): Promise<string[]> {
  const { stderr } = await dvisor("do", `--strace${names}`, "--", ...command);
  return stderr.trimEnd().split("\n");
}

Deno.test("a trace shows arguments, flags, results and the end", async () => {
  const lines = await trace("", "cat", "/etc/passwd");
  const open = lines.find((line) => line.includes('"/etc/passwd"'))!;
  assertMatch(open, /^\[1\] openat\(AT_FDCWD, "\/etc\/passwd", O_RDONLY\) = \d+$/);
  assertMatch(lines.find((line) => line.includes('"root:'))!, /^\[1\] (read|write)\(/);
  assertEquals(lines.slice(-2), ["[1] exit_group(0) = ?", "[1] +++ exited with 0 +++"]);
});

Deno.test("a failing call shows its error by name", async () => {
  const lines = await trace("", "cat", "/no/such/file");
  const open = lines.find((line) => line.includes('"/no/such/file"'))!;
  assertMatch(open, / = -1 ENOENT$/);
});

Deno.test("only the named calls are shown", async () => {
  const lines = await trace("=execve,exit_group", "sh", "-c", "true; exit 0");
  assertEquals(lines, ["[1] exit_group(0) = ?", "[1] +++ exited with 0 +++"]);
});

Deno.test("what the kernel writes is shown, also when the call had to wait", async () => {
  const lines = await trace("=wait4", "sh", "-c", "(sleep 0.1; exit 3); true");
  const exited =
    /^\[1\] wait4\(-1, \[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 3\}\], \w+, NULL\) = \d+$/;
  assertMatch(lines.find((line) => line.startsWith("[1] wait4"))!, exited);
});

Deno.test("a task that is killed says by what", async () => {
  const lines = await trace("=pause,kill", "sh", "-c", "kill -9 $$");
  assertEquals(lines, ["[1] kill(1, SIGKILL) = 0", "[1] +++ killed by SIGKILL +++"]);
});

Deno.test("a trace of an unknown call is refused", async () => {
  const { code, stderr } = await dvisor("do", "--strace=opn", "true");
  assertEquals(code, 2);
  assertMatch(stderr, /^dvisor: --strace: no system call is named opn\n$/);
});

Deno.test("a trace has lines of JSON where asked", async () => {
  const { stderr } = await dvisor("do", "--strace=exit_group", "--log-format", "json", "true");
  const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map((line) => line.call ?? line.exited), ["exit_group", 0]);
  assertEquals(lines[0].args, ["0"]);
});

Deno.test("with a debug log the trace goes there and stderr stays the command's", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { stderr } = await dvisor("do", "--strace", "--debug-log", directory, "true");
    assertEquals(stderr, "");
    assertMatch(await Deno.readTextFile(`${directory}/strace.log`), /exited with 0 \+\+\+\n$/);
    assertMatch(await Deno.readTextFile(`${directory}/cli.log`), /started the sandbox process/);
    const log = await Deno.readTextFile(`${directory}/sentry.log`);
    assertMatch(log, / sentry start: \["true"\] in /);
    assertMatch(log, / sentry code: precompiled\n/);
    assertMatch(log, / sentry platform (systrap|ptrace): /);
    assertMatch(log, / sentry end: init exited with 0\n/);
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
