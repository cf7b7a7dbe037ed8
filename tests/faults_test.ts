// Faults from outside and inside: the sandbox goes on where it can, ends where it must, and leaves
// no process, mount or temporary file. More endings are in leftovers_test.ts.
import { assert, assertEquals } from "@std/assert";
import { corruptions, noise } from "./corrupt_elf.ts";
import { run, sandboxed } from "./runs.ts";
import { DVISOR, programPath, type Running, startDo, until } from "./sandbox.ts";

const TROUBLE = programPath("trouble");
const platforms = sandboxed();

/** Registers a test for each platform; afterwards nothing may be left of its sandboxes. */
function fault(
  name: string,
  body: (start: Start, platform: string, command: string[], directory: string) => Promise<void>,
  ignore = false,
): void {
  for (const { platform, command } of platforms) {
    Deno.test({
      name: `${name} (${platform})`,
      ignore,
      async fn() {
        const before = leftovers();
        const directory = Deno.makeTempDirSync();
        const namespaces: string[] = [];
        const start = async (flags: string[], script: string, ...args: string[]) => {
          const words = ["--platform", platform, ...flags, "--", "bash", "-c", script, ...args];
          const running = await startDo(words);
          namespaces.push(pidNamespace(running.processes()[0]));
          return running;
        };
        try {
          await body(start, platform, command, directory);
        } finally {
          Deno.removeSync(directory, { recursive: true });
        }
        await until("all its processes are gone", () => !namespaces.some(isInhabited));
        assertEquals(leftovers(), before);
      },
    });
  }
}

type Start = (flags: string[], script: string, ...args: string[]) => Promise<Running>;

function leftovers(): { files: string[]; mounts: string } {
  const files = ["/tmp", "/var/tmp", "/dev/shm"].flatMap((directory) =>
    Array.from(Deno.readDirSync(directory), (entry) => `${directory}/${entry.name}`)
  ).filter((path) => /dvisor|libplatform/.test(path)).sort();
  return { files, mounts: Deno.readTextFileSync("/proc/self/mountinfo") };
}

function pidNamespace(pid: number): string {
  try {
    return Deno.readLinkSync(`/proc/${pid}/ns/pid_for_children`);
  } catch {
    return "";
  }
}

function isInhabited(namespace: string): boolean {
  return namespace !== "" && Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name))
    .some((pid) => pid > 0 && pidNamespace(pid) === namespace);
}

/** Waits for the end without a signal. */
async function ended(running: Running): Promise<{ output: string; code: number }> {
  const { code } = await running.end("SIGCONT");
  return { output: running.output, code };
}

fault("programs killed at any moment take nothing along", async (start) => {
  const script = `echo started
    for i in 1 2 3 4 5 6; do
      find /usr/lib >/dev/null 2>&1 & a=$!
      (while :; do /bin/true; done) & b=$!
      python3 -c 'import threading
for _ in range(8): threading.Thread(target=lambda: sum(range(10**9))).start()' 2>/dev/null & c=$!
      sleep 0.0$i; kill -9 $a $b $c; wait
    done 2>/dev/null; /bin/echo standing`;
  assertEquals(await ended(await start([], script)), { output: "started\nstanding\n", code: 0 });
});

// A thread that may run on one processor alone, on which little of its sandbox ran, waited for seconds there.
fault("sandboxes that compute on every processor let each other go on", async (_, __, command) => {
  const burst = "a thread that waits for a processor takes all signals of a burst when it gets one";
  const one = () => run([...command, programPath("threads"), burst]);
  const results = await Promise.all([one(), one(), one()]);
  assertEquals(results.map(({ stdout }) => stdout), [
    `ok ${burst}\n`,
    `ok ${burst}\n`,
    `ok ${burst}\n`,
  ]);
});

fault("a limit on a user's processes stops its fork bomb", async (start) => {
  const script = `echo started
    prlimit --nproc=60:60 setpriv --reuid 12345 --clear-groups "$0" forks; /bin/echo standing`;
  assertEquals(await ended(await start([], script, TROUBLE)), {
    output: "started\nfork ended with EAGAIN\nagain: works\nstanding\n",
    code: 0,
  });
});

fault("a sandbox has 4096 tasks at most, and goes on there", async (start) => {
  const script = 'echo started; "$0" threads; /bin/echo standing';
  const threads = 4096 - 2; // bash, and the first thread
  assertEquals(await ended(await start([], script, TROUBLE)), {
    output: `started\n${threads} threads: EAGAIN\nfork: EAGAIN\njoined, fork: works\nstanding\n`,
    code: 0,
  });
});

fault("a fork bomb without limits dies with its sandbox", async (start) => {
  const running = await start([], "echo started; f() { f | f & }; f; sleep 100");
  await until("it has grown", () => running.processes().length > 60);
  await running.end("SIGKILL");
});

fault("files run out without harm", async (start) => {
  const script = 'echo started; "$0" files; /bin/echo standing';
  assertEquals(await ended(await start([], script, TROUBLE)), {
    output: "started\nno more files\nand works again\nstanding\n",
    code: 0,
  });
});

const RUN_ALL = ["sh", "-c", '"$0" run *; /bin/echo standing', TROUBLE];

fault(
  "executables that fail natively fail",
  async (_start, _platform, command, directory) => {
    for (const [name, bytes] of corruptions(Deno.readFileSync("/bin/true"))) {
      Deno.writeFileSync(`${directory}/${name}`, bytes, { mode: 0o755 });
    }
    // Linux often kills where it is too late to refuse; refusing all that it kills is as good.
    const failing = async (argv: string[]) => {
      const { stdout, code } = await run(argv, { cwd: directory });
      return {
        code,
        text: stdout.replaceAll(/: (?!status 0)(E\w+|signal \d+|status \d+)$/gm, ": fails"),
      };
    };
    assertEquals(await failing([...command, ...RUN_ALL]), await failing(RUN_ALL));
  },
);

fault(
  "executables with noise in their headers end somehow",
  async (_start, _platform, command, directory) => {
    for (const [name, bytes] of noise(Deno.readFileSync("/bin/true"), 60, 7)) {
      Deno.writeFileSync(`${directory}/${name}`, bytes, { mode: 0o755 });
    }
    const { stdout, code } = await run([...command, ...RUN_ALL], { cwd: directory });
    const lines = stdout.trim().split("\n");
    assertEquals({ code, last: lines.at(-1), count: lines.length }, {
      code: 0,
      last: "standing",
      count: 61,
    });
    assertEquals(lines.filter((line) => line.endsWith(": signal 14")), [], "they hang");
  },
);

fault(
  "missing interpreters and interpreters in a ring are refused",
  async (_start, _platform, command, directory) => {
    const files = {
      a: "#!/no/such/program\n",
      b: "#!./b\n",
      c: "#!./d\n",
      d: "#!./c\n",
      e: "#!\n",
      f: `#!${"x".repeat(300)}\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${directory}/${name}`, text, { mode: 0o755 });
    }
    const script = [
      "sh",
      "-c",
      'for f in a b c d f; do "./$f"; echo "$?"; done; /bin/echo standing',
    ];
    const native = await run(script, { cwd: directory });
    assertEquals(await run([...command, ...script], { cwd: directory }), native);
  },
);

for (const [how, result] of [["touch", "status 135\n"], ["call", "EFAULT\nstatus 0\n"]]) {
  const name = how === "touch" ? "is SIGBUS to the guest" : "is EFAULT to its system calls";
  fault(
    `a host file cut short under a mapping ${name}`,
    async (start, _platform, _command, directory) => {
      const path = `${directory}/file`;
      Deno.writeFileSync(path, new Uint8Array(20000));
      const script = `"$0" ${how} /mnt/file; echo "status $?"; /bin/echo standing`;
      const running = await start(["--volume", `${directory}:/mnt:rw`], script, TROUBLE);
      Deno.truncateSync(path, 0);
      assertEquals(await ended(running), { output: `mapped\n${result}standing\n`, code: 0 });
    },
  );
}

/** Mounts a tmpfs of 1 MiB on `directory` for `body`; needs root. */
async function onSmallFilesystem(directory: string, body: () => Promise<void>): Promise<void> {
  const succeeds = (...argv: string[]) =>
    new Deno.Command(argv[0], { args: argv.slice(1) }).outputSync().success;
  assert(succeeds("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory));
  try {
    await body();
  } finally {
    assert(succeeds("umount", directory));
  }
}

/** Fills the file system of the current directory, and makes room again. */
const FILL = `dd if=/dev/zero of=f bs=64k count=100 2>&1 | grep -o "No space.*"
  rm f; echo fits >f && cat f`;
const FILLED = "No space left on device\nfits\n";

fault(
  "a full host file system is ENOSPC to the guest, in a writable volume",
  async (start, _platform, _command, directory) => {
    await onSmallFilesystem(directory, async () => {
      const flags = ["--volume", `${directory}:/mnt:rw`, "--cwd", "/mnt"];
      const running = await start(flags, `echo started; ${FILL}`);
      assertEquals(await ended(running), { output: `started\n${FILLED}`, code: 0 });
    });
  },
  Deno.uid() !== 0,
);

fault(
  "a full host file system is ENOSPC to the guest, in a writable current directory",
  async (_start, platform, _command, directory) => {
    await onSmallFilesystem(directory, async () => {
      const command = [DVISOR, "do", "--platform", platform, "--rw", "--", "bash", "-c", FILL];
      const { stdout, code } = await run(command, { cwd: directory });
      assertEquals({ stdout, code, left: Deno.readTextFileSync(`${directory}/f`) }, {
        stdout: FILLED,
        code: 0,
        left: "fits\n",
      });
    });
  },
  Deno.uid() !== 0,
);

fault("closing the terminal ends the sandbox", async (_start, platform) => {
  const script = new URL("hang_up.py", import.meta.url).pathname;
  const guest = ["sh", "-c", "echo started; sleep 1000"];
  const child = new Deno.Command("python3", {
    args: [script, DVISOR, "do", "--platform", platform, "--", ...guest],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async () => {
    let text = "";
    while (!text.endsWith("\n")) text += (await lines.read()).value;
    return text;
  };
  const pid = Number((await line()).split(" ")[1]);
  const sandbox = Number(
    Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ")[0],
  );
  const namespace = pidNamespace(sandbox);
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode("\n"));
  await stdin.close();
  assertEquals(await line(), "ended True\n");
  await lines.cancel();
  await child.status;
  await until("all its processes are gone", () => !isInhabited(namespace));
});
