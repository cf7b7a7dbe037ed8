/** mod.ts: what the command itself uses to run a sandbox. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Sandbox, SandboxError, type SandboxOptions } from "../mod.ts";
import { spawnLibrary } from "../platform/host/spawn.ts";
import { DVISOR } from "./sandbox.ts";

spawnLibrary(); // Loaded for good: no leak of the first test.

const start = (options: SandboxOptions) => Sandbox.start({ binary: DVISOR, ...options });
const text = (stream: ReadableStream<Uint8Array> | null) => new Response(stream).text();

Deno.test("piped streams carry the guest's output and input", async () => {
  const sandbox = start({
    command: ["sh", "-c", "read line; echo got $line; echo oops >&2; exit 3"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const writer = sandbox.stdin!.getWriter();
  await writer.write(new TextEncoder().encode("this\n"));
  await writer.close();
  assertEquals(await text(sandbox.stdout), "got this\n");
  assertEquals(await text(sandbox.stderr), "oops\n");
  assertEquals(await sandbox.status, { success: false, code: 3, signal: null });
});

Deno.test("a signal is delivered and reported", async () => {
  const sandbox = start({
    command: ["sh", "-c", "echo up; sleep 60"],
    stdout: "piped",
    stdin: "null",
  });
  const reader = sandbox.stdout!.getReader();
  await reader.read();
  sandbox.signal(15, true);
  assertEquals(await sandbox.status, { success: false, code: 143, signal: 15 });
  await reader.cancel();
});

Deno.test("kill ends a sandbox at once and rejects its status", async () => {
  const sandbox = start({ command: ["sleep", "60"], stdin: "null" });
  sandbox.kill();
  await assertRejects(() => sandbox.status, SandboxError);
});

Deno.test("several sandboxes run side by side", async () => {
  const sandboxes = [1, 2, 3].map((n) =>
    start({ command: ["sh", "-c", `echo ${n}`], stdin: "null", stdout: "piped" })
  );
  assertEquals(await Promise.all(sandboxes.map((s) => text(s.stdout))), ["1\n", "2\n", "3\n"]);
  for (const sandbox of sandboxes) assertEquals((await sandbox.status).code, 0);
});

Deno.test("the guest has the environment it is given and no other", async () => {
  const sandbox = start({
    command: ["env"],
    env: { PATH: "/bin", A: "ä" },
    stdin: "null",
    stdout: "piped",
  });
  assertEquals(await text(sandbox.stdout), "PATH=/bin\nA=ä\n");
  await sandbox.status;
});

Deno.test("a root that is not there rejects the status with a word about it", async () => {
  const sandbox = start({ command: ["true"], root: "/no/such/root", stdin: "null" });
  const error = await assertRejects(() => sandbox.status, SandboxError);
  assertEquals(error.message.includes("/no/such/root"), true);
  assertEquals(error.code, 2);
});

Deno.test("without a dvisor executable there is no sandbox", () => {
  Deno.env.delete("DVISOR_BINARY");
  assertThrows(() => Sandbox.start({ command: ["true"] }), SandboxError);
});
