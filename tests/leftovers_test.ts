/** However a sandbox ends, nothing of it is left on the host. */
import { assertEquals } from "@std/assert";
import { descendants, DVISOR, identify, isAlive, startDo, until } from "./sandbox.ts";

const SPAWNING = [
  "--",
  "sh",
  "-c",
  "echo started; while :; do sleep 0.01 & sleep 0.02; : > /tmp/file.$$; done",
];

function temporaryFiles(): string[] {
  return ["/tmp", "/var/tmp", "/dev/shm"].flatMap((directory) => {
    try {
      return Array.from(Deno.readDirSync(directory), (entry) => `${directory}/${entry.name}`);
    } catch {
      return [];
    }
  }).filter((path) => /dvisor|libplatform|deno/.test(path)).sort();
}

const mounts = () => Deno.readTextFileSync("/proc/self/mountinfo");

Deno.test("killing the command ends every process of its sandbox", async () => {
  const running = await startDo(SPAWNING);
  const processes = identify(running.processes());
  await running.end("SIGKILL");
  await until("all are gone", () => !processes.some(isAlive));
});

Deno.test("killing the command ends its sandbox also while that is stopped", async () => {
  const running = await startDo(SPAWNING);
  const processes = identify(running.processes());
  const sandbox = running.processes()[0];
  Deno.kill(sandbox, "SIGSTOP");
  running.child.kill("SIGKILL");
  try {
    await until("all are gone", () => !processes.some(isAlive));
  } finally {
    if (processes.some(isAlive)) Deno.kill(sandbox, "SIGCONT");
    await running.end("SIGKILL");
  }
});

Deno.test("killing the sandbox process ends its stubs and the command", async () => {
  const running = await startDo(SPAWNING);
  const processes = identify(running.processes());
  Deno.kill(running.processes()[0], "SIGKILL");
  const { code } = await running.end("SIGCONT");
  assertEquals(code, 128);
  await until("all are gone", () => !processes.some(isAlive));
});

Deno.test("a command killed at any moment of its start leaves no process, mount or file", async () => {
  const before = { files: temporaryFiles(), mounts: mounts() };
  for (let delayMs = 0; delayMs <= 600; delayMs += 60) {
    const child = new Deno.Command(DVISOR, {
      args: ["do", "sleep", "60"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const processes = identify(descendants(child.pid));
    child.kill("SIGKILL");
    await child.status;
    await until("all are gone", () => !processes.some(isAlive));
  }
  assertEquals({ files: temporaryFiles(), mounts: mounts() }, before);
});

Deno.test("a sandbox that ended by itself leaves no file and no mount", async () => {
  const before = { files: temporaryFiles(), mounts: mounts() };
  await new Deno.Command(DVISOR, { args: ["do", "true"], stdin: "null" }).output();
  assertEquals({ files: temporaryFiles(), mounts: mounts() }, before);
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  Deno.test(`${signal} reaches the guest, and its trap decides`, async () => {
    const name = signal.slice(3);
    const script =
      `trap 'echo got ${name}; exit 9' ${name}; echo started; while :; do sleep 0.05; done`;
    const running = await startDo(["--", "sh", "-c", script]);
    const { code } = await running.end(signal);
    assertEquals(running.output, `started\ngot ${name}\n`);
    assertEquals(code, 9);
  });
}
