// A guest program that attacks what is below it may lose itself, and nothing else: its parent, its
// sibling and the sandbox go on. SECURITY.md refers to these.
import { assert, assertEquals } from "@std/assert";
import {
  SYS_arch_prctl,
  SYS_close,
  SYS_futex,
  SYS_futex_waitv,
  SYS_getrusage,
  SYS_gettid,
  SYS_madvise,
  SYS_membarrier,
  SYS_mincore,
  SYS_mmap,
  SYS_mprotect,
  SYS_mremap,
  SYS_msync,
  SYS_munmap,
  SYS_restart_syscall,
  SYS_rseq,
  SYS_sched_yield,
  SYS_sigaltstack,
  SYS_uprobe,
  SYS_uretprobe,
} from "../platform/abi/amd64/syscalls.ts";
import { run, sandboxed } from "./runs.ts";
import { identify, isAlive, programPath, startDo, until } from "./sandbox.ts";

const ATTACKS: Record<string, string> = {
  "overwrites its control region": "control",
  "writes noise into its control region while it makes calls (seed 1)": "control-race 1",
  "writes noise into its control region while it makes calls (seed 2)": "control-race 2",
  "writes to the page that all stubs read": "shared",
  "jumps into the stub's code (seed 1)": "jump 1",
  "jumps into the stub's code (seed 2)": "jump 2",
  "unmaps and maps over the stub's memory": "unmap",
  "makes a call with its stack pointer in the control region": "stack",
  "makes a process that the Sentry does not hear of": "stray",
  "has forks ordered and makes none": "orders",
  "runs on after its end": "undead",
  "sends the Sentry descriptors without end": "flood",
  "takes none of the descriptors that it is sent": "hoard",
  "writes through a mapping of a file that it may only read": "read-only",
  "writes to a sealed file through a mapping that it said was gone": "sealed",
  "says that a fork has failed whose child has come and gone": "unmade",
  "says that it has moved and closed what nobody can": "notes",
  "looks for what others have left in its control region": "remains",
};

const SCRIPT = `
(i=0; while [ $i -lt 40 ]; do i=$((i+1)); /bin/true; done; echo "the sibling counted to $i") &
"$0" "$@" >/dev/null 2>&1
status=$?
wait
[ $status -lt 193 ] && echo "the parent saw it end"
/bin/echo and starts others`;

const STANDING = "the sibling counted to 40\nthe parent saw it end\nand starts others\n";
const hostile = programPath("hostile");

for (const [deed, words] of Object.entries(ATTACKS)) {
  const argv = ["sh", "-c", SCRIPT, hostile, ...words.split(" ")];
  Deno.test(`natively a guest that ${deed} harms nobody`, async () => {
    assertEquals((await run(argv)).stdout, STANDING);
  });
  for (const { platform, command } of sandboxed()) {
    Deno.test(`${platform}: a guest that ${deed} loses itself alone`, async () => {
      const { stdout, stderr, code } = await run([...command, ...argv]);
      assertEquals({ stdout, stderr, code }, { stdout: STANDING, stderr: "", code: 0 });
    });
  }
}

/** What the filter of `platform/native/stub/stub.c` lets pass with any argument. */
const PASSING = [
  ...[SYS_close, SYS_mmap, SYS_mprotect, SYS_munmap, SYS_sched_yield, SYS_mremap, SYS_msync],
  ...[SYS_mincore, SYS_madvise, SYS_getrusage, SYS_sigaltstack, SYS_arch_prctl, SYS_gettid],
  ...[SYS_futex, SYS_restart_syscall, SYS_membarrier, SYS_rseq, SYS_futex_waitv],
];
/** Linux filters neither, and makes nothing of either outside of trampolines of its own. */
const NEVER_FILTERED = [SYS_uretprobe, SYS_uprobe];

Deno.test({
  name: "systrap: from the stub's code the host takes some calls, and no other",
  ignore: !sandboxed().some(({ platform }) => platform === "systrap"),
  async fn() {
    const { command } = sandboxed().find(({ platform }) => platform === "systrap")!;
    const { stdout } = await run([...command, hostile, "calls"]);
    const passing = stdout.trimEnd().split("\n")
      .filter((line) => !NEVER_FILTERED.includes(Number(line)));
    assertEquals(passing, PASSING.map(String));
  },
});

// Of equal credentials, the next program would run in what it has made of that process; here is none.
for (const { platform, command } of sandboxed()) {
  Deno.test(`${platform}: a guest that says that its process is empty, and runs on, is ended`, async () => {
    const { stdout, stderr, code } = await run([...command, hostile, "emptied"]);
    const expected = platform === "systrap" ? "its heart beats\n" : "it has no heart\n";
    assertEquals({ stdout, stderr, code }, { stdout: expected, stderr: "", code: 0 });
  });

  Deno.test(`${platform}: so is one that rests at first, though nothing else happens`, async () => {
    const { stdout, stderr, code } = await run([...command, hostile, "sleeper"]);
    const expected = platform === "systrap" ? "its heart beat\n" : "it has no heart\n";
    assertEquals({ stdout, stderr, code }, { stdout: expected, stderr: "", code: 0 });
  });
}

for (const { platform, command } of sandboxed()) {
  const deeds = { files: "maps files", texts: "maps texts", open: "opens files" };
  for (const [mode, deed] of Object.entries(deeds)) {
    Deno.test(`${platform}: a guest that ${deed} without end leaves others descriptors`, async () => {
      const script =
        `ulimit -n 300; exec "$@" sh -c '"$0" "$1" && /bin/echo on' "$HOSTILE" ${mode}`;
      const argv = ["sh", "-c", `HOSTILE=${hostile}; ${script}`, "sh", ...command];
      const { stdout, stderr, code } = await run(argv);
      assertEquals({ stdout, stderr, code }, { stdout: "on\n", stderr: "", code: 0 });
    });
  }
}

Deno.test("nobody finds in what stubs know of paths what another user, or one with another root, has looked up", async () => {
  const found = async (platform: string) => {
    const { command } = sandboxed().find((each) => each.platform === platform)!;
    return (await run([...command, programPath("hostile"), "answers"])).stdout;
  };
  const others = `a process with another root finds nothing
a process with a thread of another user finds nothing
another user finds nothing
another user's program finds nothing
another user with all mappings finds nothing
a process with such a thread finds nothing
`;
  const platforms = sandboxed().map(({ platform }) => platform);
  if (platforms.includes("systrap")) {
    const expected = `root finds it\nroot's child finds it\n${others}root again finds it\n`;
    assertEquals(await found("systrap"), expected);
  }
  if (platforms.includes("ptrace")) {
    const expected =
      `root finds nothing\nroot's child finds nothing\n${others}root again finds nothing\n`;
    assertEquals(await found("ptrace"), expected);
  }
});

/** What a guest does when the host kills its process: words for bash, which has said that it runs. */
const VICTIMS: Record<string, string> = {
  "waits with a timeout": "read -t 100 word <> /tmp/fifo",
  "waits for another": "read word < /tmp/fifo",
  "computes": "while :; do :; done",
};

for (const { platform } of sandboxed()) {
  for (const [deed, words] of Object.entries(VICTIMS)) {
    Deno.test(`${platform}: when the host kills a guest that ${deed}, it alone dies`, async () => {
      const script = 'mkfifo /tmp/fifo; bash -c "echo started; $0" & wait $!; ' +
        "echo status $?; /bin/echo on";
      const running = await startDo(["--platform", platform, "--", "sh", "-c", script, words]);
      const pid = running.processes().slice(1).find((pid) => mapsFile(pid, "/bash"));
      assert(pid !== undefined, "the victim's stub was not found");
      const [victim] = identify([pid]);
      Deno.kill(pid, "SIGKILL");
      await until("the victim is gone", () => !isAlive(victim));
      const { code } = await running.end("SIGCONT");
      assertEquals({ output: running.output, code }, {
        output: "started\nstatus 137\non\n",
        code: 0,
      });
    });
  }

  Deno.test(`${platform}: a guest that the host stops and continues waits on`, async () => {
    const running = await startDo(["--platform", platform, "--", programPath("timed_wait")]);
    let done = false;
    running.child.status.then(() => done = true);
    const output = running.end("SIGCONT");
    while (!done) {
      for (const signal of ["SIGSTOP", "SIGCONT"] as const) {
        for (const pid of running.processes().slice(1)) send(pid, signal);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    const { code } = await output;
    assertEquals({ output: running.output, code }, {
      output: "started\n" + "-1 ETIMEDOUT\n".repeat(3),
      code: 0,
    });
  });

  Deno.test(`${platform}: when the host kills stubs without a guest, others take their place`, async () => {
    const script = "echo started; read line; for i in 1 2 3 4 5; do /bin/echo $i; done";
    const running = await startDo(["--platform", platform, "--", "bash", "-c", script], "piped");
    const stubs = running.processes().slice(1);
    // The first one makes the others: see below.
    const idle = identify(stubs.slice(1).filter((pid) => !mapsFile(pid, "/bash")));
    for (const each of idle) Deno.kill(parseInt(each), "SIGKILL");
    await until("they are gone", () => !idle.some(isAlive));
    await running.child.stdin.close();
    const { code } = await running.end("SIGCONT");
    assertEquals({ output: running.output, code }, { output: "started\n1\n2\n3\n4\n5\n", code: 0 });
  });

  Deno.test(`${platform}: when the host kills a process while it forks or execs, it dies of that alone`, async () => {
    const script = 'echo started; trap "" CONT; read line; for i in {1..150}; do /bin/true; ' +
      "echo $?; done 2>/dev/null; echo on";
    const running = await startDo(["--platform", platform, "--", "bash", "-c", script], "piped");
    const old = new Set(running.processes());
    let done = false;
    const ended = running.child.status.then(() => done = true);
    await running.child.stdin.close();
    const output = running.end("SIGCONT");
    while (!done) {
      for (const pid of running.processes()) if (!old.has(pid)) send(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await ended;
    const { code } = await output;
    const lines = running.output.trimEnd().split("\n");
    const strange = lines.slice(1, -1).filter((status) => status !== "0" && status !== "137");
    assertEquals({ code, last: lines.at(-1), count: lines.length, strange }, {
      code: 0,
      last: "on",
      count: 152,
      strange: [],
    });
    assert(lines.includes("137"), "nothing was killed");
  });

  Deno.test(`${platform}: when the host kills the first stub, the sandbox ends with a report`, async () => {
    const running = await startDo([
      "--platform",
      platform,
      "--",
      "sh",
      "-c",
      "echo started; sleep 100",
    ]);
    const first = identify(running.processes());
    Deno.kill(parseInt(first[1]), "SIGKILL");
    const { code } = await running.end("SIGCONT");
    assertEquals(code, 128);
    await until("all are gone", () => !first.some(isAlive));
  });
}

/** Sends a signal to a process that may have ended by itself. */
function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch { /* gone */ }
}

function mapsFile(pid: number, ending: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n").some((line) =>
      line.endsWith(ending)
    );
  } catch {
    return false; // It has just ended.
  }
}
