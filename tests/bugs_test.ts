// A bug of ours ends the sandbox, with one report and status 128: nothing hangs, nothing goes on half broken.
// The binary is one with bugs (tests/faulty), since no guest must be able to provoke any in the real one.
import { assertEquals, assertRejects } from "@std/assert";
import { Sandbox, SandboxError } from "../mod.ts";
import { SYS_getpriority, SYS_pause } from "../platform/abi/amd64/syscalls.ts";
import { spawnLibrary } from "../platform/host/spawn.ts";
import { run, sandboxed } from "./runs.ts";
import { programPath } from "./sandbox.ts";

spawnLibrary(); // Loaded for good: no leak of the first test.

const FAULTY = programPath("faulty");
const TROUBLE = programPath("trouble");
const ENDED = "dvisor: a bug in dvisor ended the sandbox, ";

/** A guest with a thread and a process besides the one that does `deed`. */
const among = (deed: string) => `sleep 1000 & while :; do :; done & ${deed}; echo and goes on`;

/** Runs `script` to its end; the first line of what is reported, without the stack. */
async function report(platform: string, script: string, ...flags: string[]) {
  const command = [FAULTY, "do", "--platform", platform, ...flags, "--", "bash", "-c", script];
  const { code, stdout, stderr } = await run(command);
  const lines = stderr.trimEnd().split("\n");
  const more = lines.slice(1).filter((line) => !line.startsWith("    at "));
  return { code, stdout, first: lines[0], more };
}

for (const { platform } of sandboxed()) {
  Deno.test(`${platform}: without a bug on its way a guest of the faulty binary goes on`, async () => {
    const { stdout, code } = await run([FAULTY, "do", "--platform", platform, "--", "echo", "on"]);
    assertEquals({ stdout, code }, { stdout: "on\n", code: 0 });
  });

  Deno.test(`${platform}: an exception in a system call is reported with the call, the task and a stack`, async () => {
    const got = await report(platform, among(`${TROUBLE} call-number ${SYS_getpriority}`));
    const call =
      /^dvisor: .*, in getpriority\(0x1, 0x2, 0x3, 0x4, 0x5, 0x6\) of trouble\[\d+\]: (.*)$/;
    assertEquals({ ...got, first: call.exec(got.first)?.[1] ?? got.first }, {
      code: 128,
      stdout: "",
      first: "TypeError: a bug at once",
      more: [],
    });
  });

  Deno.test(`${platform}: so is one after the call has waited`, async () => {
    const got = await report(platform, among(`${TROUBLE} call-number ${SYS_pause}`));
    const call = /^dvisor: .*, in pause\(0x1, 0x2, 0x3, 0x4, 0x5, 0x6\) of trouble\[\d+\]: (.*)$/;
    assertEquals({ ...got, first: call.exec(got.first)?.[1] ?? got.first }, {
      code: 128,
      stdout: "",
      first: "RangeError: a bug after a while",
      more: [],
    });
  });

  Deno.test(`${platform}: an exception in the Gofer is reported, too`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      const volume = `${directory}:/mnt:rw`;
      const script = among("echo data >/mnt/file; sync /mnt/file");
      assertEquals(await report(platform, script, "--volume", volume), {
        code: 128,
        stdout: "",
        first: `${ENDED}gofer: Uncaught TypeError: a bug in the Gofer`,
        more: [],
      });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("to a user of the library it is an error with that report", async () => {
  const sandbox = Sandbox.start({
    command: [TROUBLE, "call-number", String(SYS_getpriority)],
    binary: FAULTY,
    stdin: "null",
  });
  const error = await assertRejects(() => sandbox.status, SandboxError, "in getpriority(0x1");
  assertEquals(error.code, 128);
});
