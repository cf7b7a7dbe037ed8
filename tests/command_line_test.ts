/** What the command says and returns for right and wrong command lines. */
import { assertEquals, assertMatch } from "@std/assert";
import { run, sandboxed } from "./runs.ts";
import { DVISOR, dvisor } from "./sandbox.ts";

for (
  const [what, args, says] of [
    ["no command", [], "no command"],
    ["an unknown command", ["nope"], "nope"],
    ["an unknown flag before the command", ["--nope"], "--nope"],
    ["an unknown flag of do", ["do", "--nope", "true"], "--nope"],
    ["do without a command", ["do"], "command"],
    ["a flag without its value", ["do", "--root"], "--root"],
    ["a flag whose value was forgotten", ["do", "--debug-log", "--", "true"], "--debug-log needs"],
    ["a root that is not there", ["do", "--root", "/no/such", "true"], "/no/such"],
    ["a root that is a file", ["do", "--root", "/etc/passwd", "true"], "/etc/passwd"],
    ["a volume that is not there", ["do", "--volume", "/no/such:/x", "true"], "/no/such"],
    ["a user that is no number", ["do", "--user", "me", "true"], "me"],
    ["a platform that there is not", ["do", "--platform", "kvm", "true"], "kvm"],
    ["a format that there is not", ["syscalls", "--format", "xml"], "xml"],
    ["a volume below a file", ["do", "--volume", "/etc:/etc/passwd/x", "true"], "/etc/passwd/x"],
    ["a file over a directory", ["do", "--volume", "/etc/passwd:/etc", "true"], "/etc"],
    ["a working directory that is not there", ["do", "--cwd", "/no/such", "true"], "/no/such"],
    ["a working directory that is a file", ["do", "--cwd", "/etc/passwd", "true"], "/etc/passwd"],
    ["a working directory that is not absolute", ["do", "--cwd", "etc", "true"], "etc"],
    ["an environment variable without a name", ["do", "--env", "=x", "true"], "=x"],
    ["a host name that is too long", ["do", "--hostname", "h".repeat(65), "true"], "64"],
    ["a log format that there is not", ["do", "--log-format", "xml", "true"], "xml"],
    ["a trace of no system call", ["do", "--strace=nosuchcall", "true"], "nosuchcall"],
    ["the internal command", ["boot"], "boot"],
    ["a debug log that has no name", ["do", "--debug-log", "", "true"], "--debug-log"],
    ["a debug log that cannot be", ["do", "--debug-log", "/proc/x", "true"], "/proc/x"],
    ["a path that is not ASCII", ["do", "--cwd", "/é", "true"], "/é:"],
    ["a path of two lines", ["do", "--root", "/no\nsuch", "true"], "/no\\nsuch"],
    ["a path that clears the screen", ["do", "--cwd", "/\x1bc", "true"], "/\\x1bc"],
    ["a device for a volume", ["do", "--volume", "/dev/null:/x", "true"], "/dev/null"],
    ["a volume at a place with ..", ["do", "--volume", "/etc:/x/../y", "true"], "/x/../y"],
    ["too many volumes", ["do", ...Array(64).fill("--volume=/etc:/x"), "true"], "63"],
  ] as [string, string[], string][]
) {
  Deno.test(`${what}: one line on stderr, exit status 2`, async () => {
    const { code, stdout, stderr } = await dvisor(...args);
    assertEquals(code, 2);
    assertEquals(stdout, "");
    assertMatch(stderr, /^dvisor: .*\n$/);
    assertEquals(stderr.includes(says), true, stderr);
  });
}

for (
  const [what, script, status, says] of [
    ["few open files", 'ulimit -n 20; "$0" do true', 125, /\(ulimit -n\) is 20/],
    ["few open files for the sandbox", 'ulimit -n 100; "$0" do true', 125, /\(ulimit -Hn\) is 100/],
    [
      "little address space",
      'ulimit -v 9000000; "$0" do true',
      125,
      /\(ulimit -v\) is 9000000 KiB/,
    ],
    ["little data", 'ulimit -d 300000; "$0" do true', 125, /\(ulimit -d\) is 300000 KiB/],
    ["little stack", 'ulimit -s 128; "$0" do true', 125, /\(ulimit -s\) is 128 KiB/],
    ["small files", 'ulimit -f 1024; "$0" do true', 125, /\(ulimit -Hf\) is/],
    [
      "few processes",
      '[ $UID != 0 ] || as="setpriv --reuid 54321 --clear-groups"; ' +
      'chmod 755 "$1"; cp "$0" "$1/dvisor"; cd "$1"; ' +
      "$as bash -c 'ulimit -u 8; exec ./dvisor do true'",
      125,
      /\(ulimit -u\) is 8, and dvisor needs \d+ more/,
    ],
    ["few open files for the help", 'ulimit -n 20; "$0" --help', 125, /\(ulimit -n\) is 20/],
    ["no current directory", 'cd "$1"; rmdir "$1"; "$0" do true', 2, /directory is gone/],
    [
      "a directory that is not UTF-8",
      'cd "$1/$(printf "\\377")"; "$0" do true',
      2,
      /directory's name/,
    ],
    [
      "an argument that is not UTF-8",
      '"$0" do -- echo "$(printf "\\355\\240\\200")"',
      2,
      /argument 4/,
    ],
    ["a full device for stderr", '"$0" do -- no-such-command 2>/dev/full', 127, /^$/],
    ["a wrong use and a full device", '"$0" do --nope 2>/dev/full', 2, /^$/],
  ] as [string, string, number, RegExp][]
) {
  Deno.test(`${what}: one line on stderr, exit status ${status}`, async () => {
    const directory = await Deno.makeTempDir();
    const unnamed = 'mkdir "$1/$(printf "\\377")"';
    const args = ["-c", what.startsWith("a directory") ? `${unnamed}; ${script}` : script];
    try {
      const { code, stderr } = await run(["bash", ...args, DVISOR, directory]);
      assertMatch(stderr.replace(/^dvisor: (.*)\n$/, "$1"), says);
      assertEquals(code, status);
    } finally {
      await run(["rm", "-rf", directory]);
    }
  });
}

Deno.test("characters of every length are UTF-8", async () => {
  const text = "a\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}";
  assertEquals((await dvisor("do", "--", "printf", "%s", text)).stdout, text);
});

Deno.test("a soft limit of the caller's is one that the guest may raise", async () => {
  const guest =
    "ulimit -f; ulimit -f unlimited; head -c 20M /dev/zero | dd of=/tmp/f status=none; echo $?";
  const { stdout } = await run([
    "bash",
    "-c",
    `ulimit -Sf 10000; "$0" do -- bash -c '${guest}'`,
    DVISOR,
  ]);
  assertEquals(stdout, "10000\n0\n");
});

Deno.test("a full disk for the debug log does not end the sandbox", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["cli", "sentry", "strace"]) {
      Deno.symlinkSync("/dev/full", `${directory}/${name}.log`);
    }
    const { code, stdout } = await dvisor("do", "--debug-log", directory, "--strace", "echo", "on");
    assertEquals([code, stdout], [0, "on\n"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("help and version go to stdout", async () => {
  assertMatch((await dvisor("--help")).stdout, /^Usage: dvisor COMMAND/);
  assertMatch((await dvisor("do", "--help")).stdout, /--volume SRC:DST/);
  assertMatch((await dvisor("syscalls", "--help")).stdout, /--format/);
  assertMatch((await dvisor("--version")).stdout, /^dvisor \d+\.\d+\.\d+\n$/);
});

Deno.test("the table of system calls comes as a table, JSON and CSV", async () => {
  const rows = JSON.parse((await dvisor("syscalls", "--format", "json")).stdout);
  assertEquals(rows[0].name, "read");
  const csv = (await dvisor("syscalls", "--format", "csv")).stdout.trimEnd().split("\n");
  assertEquals(csv.length, rows.length + 1);
  assertMatch((await dvisor("syscalls")).stdout, /^ {2}0 {2}read/);
});

Deno.test("the exit status is the command's", async () => {
  assertEquals((await dvisor("do", "--", "sh", "-c", "exit 7")).code, 7);
});

Deno.test("a command that a signal ended gives 128 and its number", async () => {
  assertEquals((await dvisor("do", "--", "sh", "-c", "kill -TERM $$")).code, 143);
});

Deno.test("signals that end a process are the command's, not dvisor's", async () => {
  const signals = ["HUP", "USR1", "USR2", "TERM", "INT", "QUIT", "ABRT", "ALRM", "XCPU", "VTALRM"]
    .concat("PROF", "IO", "PWR");
  const script = signals.map((s) => `trap "echo ${s}" ${s}`).join("; ") +
    "; echo ready; while :; do sleep 0.01; done";
  for (const { command: [file, ...args] } of sandboxed()) {
    const child = new Deno.Command(file, {
      args: [...args, "sh", "-c", script],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await lines.read()).value, "ready\n");
    for (const name of signals) {
      child.kill(`SIG${name}` as Deno.Signal);
      assertEquals((await lines.read()).value, `${name}\n`);
    }
    child.kill("SIGKILL");
    await child.status;
    await lines.cancel();
  }
});

Deno.test("a command that is not found gives 127", async () => {
  const { code, stderr } = await dvisor("do", "--", "no-such-command");
  assertEquals(code, 127);
  assertMatch(stderr, /^dvisor: .*no-such-command.*\n$/);
});

Deno.test("a command that cannot be executed gives 126", async () => {
  const { code, stderr } = await dvisor("do", "--", "/etc/passwd");
  assertEquals(code, 126);
  assertMatch(stderr, /^dvisor: .*\/etc\/passwd.*\n$/);
});

Deno.test("a command without a name is not found", async () => {
  assertEquals((await dvisor("do", "--", "")).code, 127);
});

const STREAMS = [
  // Descriptors that are open for reading and writing, or for the other of both.
  `echo abc >g; "$@" sh -c 'echo hello >&0; read x <&1; echo $x; grep flags /proc/self/fdinfo/1' 0<>f 1<>g; cat f g`,
  `"$@" sh -c 'grep flags /proc/self/fdinfo/1 >&2' >>f`,
  // A regular file's offset is shared by all who have it: long reads and writes move it, pread(2) does not.
  `"$@" sh -c 'dd if=/dev/zero bs=8M count=1 status=none; echo after' >f; wc -c <f; tail -c 6 f`,
  `head -c 8M /dev/zero >f; echo after >>f; "$@" sh -c 'dd bs=8M count=1 status=none | wc -c; cat' <f`,
  `echo abcdef >f; "$@" python3 -c 'import os; print(os.pread(0, 3, 0), os.read(0, 2), os.pread(0, 3, 2), os.read(0, 2))' <f`,
  `"$@" python3 -c 'import os; os.write(1, b"abc"); os.pwrite(1, b"x", 3); os.write(1, b"d")' >f; cat f`,
  // The host's memory devices are devices in the sandbox, too.
  `"$@" sh -c 'readlink /proc/self/fd/0; dd bs=1 skip=5 count=0 status=none; cat; echo $?' </dev/null`,
  `"$@" sh -c 'readlink /proc/self/fd/0; head -c 3 | od -c' </dev/zero`,
  `"$@" sh -c 'to=$(readlink /proc/$$/fd/1); echo $to >&2; echo x' >/dev/full; echo $?`,
];

for (const { platform, command } of sandboxed()) {
  Deno.test(`standard streams are what the caller has opened (${platform})`, async () => {
    const inEmptyFolder = async (script: string, before: string[]) => {
      const cwd = Deno.makeTempDirSync({ prefix: "dvisor-test-" });
      try {
        return await run(["sh", "-c", script, "sh", ...before], { cwd });
      } finally {
        Deno.removeSync(cwd, { recursive: true });
      }
    };
    for (const script of STREAMS) {
      const native = await inEmptyFolder(script, ["env"]);
      assertEquals(await inEmptyFolder(script, command), native, script);
    }
  });
}

Deno.test("the environment reaches the command in its order, byte for byte", async () => {
  const script = `export B=$(printf 'b\\377') A=a; env -i B="$B" A="$A" "$0" do -- env`;
  const args = ["-c", script, DVISOR];
  const { stdout } = await new Deno.Command("sh", { args, stdin: "null" }).output();
  assertEquals(stdout, Uint8Array.from("B=b\xff\nA=a\n", (char) => char.charCodeAt(0)));
});

Deno.test("environment, user, host name and directory are as the flags say", async () => {
  const script = 'echo "$A $(id -u) $(id -g) $(hostname) $(pwd)"';
  const { stdout } = await dvisor(
    ...["do", "--env", "A=1 2", "--user", "1234:567", "--hostname", "box", "--cwd", "/usr"],
    ...["sh", "-c", script],
  );
  assertEquals(stdout, "1 2 1234 567 box /usr\n");
});

Deno.test("what the command writes does not reach the host, but with --rw below the directory", async () => {
  const directory = await Deno.makeTempDir();
  const write = ["sh", "-c", "echo covered > file; cat file"];
  const run = async (...flags: string[]) => {
    const dvisorPath = (await import("./sandbox.ts")).DVISOR;
    const { stdout } = await new Deno.Command(dvisorPath, {
      args: ["do", ...flags, "--", ...write],
      cwd: directory,
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  };
  const hostFiles = () => Array.from(Deno.readDirSync(directory), (entry) => entry.name);
  try {
    assertEquals(await run(), "covered\n");
    assertEquals(hostFiles(), []);
    assertEquals(await run("--rw"), "covered\n");
    assertEquals(hostFiles(), ["file"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a write to a volume leaves set-id bits where the writer is privileged, and only there", async () => {
  const directory = await Deno.makeTempDir();
  const isRoot = Deno.uid() === 0; // Others do not have two users in a sandbox.
  const script = `cd /mnt; chmod 777 .; touch a b; chmod 6777 a b; echo x > a; stat -c %a a
    chroot --userspec=1000:1000 / sh -c "echo x > /mnt/b"; stat -c %a b; truncate -s 9 a; stat -c %a a`;
  try {
    const ran = await dvisor("do", "--volume", `${directory}:/mnt:rw`, "sh", "-c", script);
    if (isRoot) assertEquals(ran.stdout, "6777\n777\n6777\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a volume is read-only, or writable where it says so", async () => {
  const directory = await Deno.makeTempDir();
  const write = (mode: string) =>
    dvisor("do", "--volume", `${directory}:/mnt${mode}`, "sh", "-c", "echo x > /mnt/file");
  try {
    assertEquals((await write("")).code === 0, false);
    assertEquals(Array.from(Deno.readDirSync(directory)).length, 0);
    assertEquals((await write(":rw")).code, 0);
    assertEquals(await Deno.readTextFile(`${directory}/file`), "x\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
