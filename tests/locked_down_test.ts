/** Hosts that forbid something: one line says what, and how to allow it; where there is another way it is taken. */
import { assertEquals, assertMatch } from "@std/assert";
import { SECCOMP_FILTER_FLAG_NEW_LISTENER } from "../platform/abi/seccomp.ts";
import { CLONE_NEWUSER } from "../platform/abi/sched.ts";
import { EINVAL, ENOSYS, EPERM } from "../platform/abi/errno.ts";
import {
  SYS_clone,
  SYS_mount,
  SYS_open_tree,
  SYS_ptrace,
  SYS_seccomp,
  SYS_unshare,
} from "../platform/abi/amd64/syscalls.ts";
import { DVISOR, programPath, type Result } from "./sandbox.ts";

/** [system call, errno, flags]; see tests/programs/forbid.c. */
type Forbidden = [number, number, number];

async function runWhere(forbidden: Forbidden[], ...args: string[]): Promise<Result> {
  const words = forbidden.flatMap((each) => [programPath("forbid"), ...each.map(String)]);
  const [program, ...rest] = [...words, DVISOR, "do", ...args];
  const { code, stdout, stderr } = await new Deno.Command(program, { args: rest, stdin: "null" })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const NO_LISTENER: Forbidden = [SYS_seccomp, EINVAL, SECCOMP_FILTER_FLAG_NEW_LISTENER];
const NO_PTRACE: Forbidden = [SYS_ptrace, EPERM, 0];

for (
  const [what, forbidden, args, says] of [
    ["user namespaces", [[SYS_clone, EPERM, CLONE_NEWUSER]], [], /user namespaces.*sysctl/],
    [
      "user namespaces, as if unknown",
      [[SYS_clone, ENOSYS, CLONE_NEWUSER]],
      [],
      /user namespaces.*sysctl/,
    ],
    ["other namespaces", [[SYS_unshare, EPERM, 0]], [], /new user namespace.*seccomp=unconfined/],
    ["mounting", [[SYS_mount, EPERM, 0]], [], /new user namespace.*seccomp=unconfined/],
    ["the calls of new kernels", [[SYS_open_tree, ENOSYS, 0]], [], /kernel is too old/],
    [
      "systrap, which was asked for",
      [NO_LISTENER],
      ["--platform", "systrap"],
      /systrap.*--platform ptrace/,
    ],
    ["ptrace, which was asked for", [NO_PTRACE], ["--platform", "ptrace"], /ptrace/],
    ["both platforms", [NO_LISTENER, NO_PTRACE], [], /systrap.*ptrace/],
  ] as [string, Forbidden[], string[], RegExp][]
) {
  Deno.test(`the host forbids ${what}: one line, exit status 125`, async () => {
    const { code, stderr } = await runWhere(forbidden, ...args, "true");
    assertMatch(stderr, /^dvisor: [^\n]*\n$/);
    assertMatch(stderr, says);
    assertEquals(code, 125);
  });
}

Deno.test("where systrap cannot be, ptrace is taken, and the debug log says why", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { code, stdout } = await runWhere(
      [NO_LISTENER],
      "--debug-log",
      directory,
      "echo",
      "here",
    );
    assertEquals([code, stdout], [0, "here\n"]);
    const log = await Deno.readTextFile(`${directory}/sentry.log`);
    assertMatch(log, /platform ptrace: systrap does not start: /);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
