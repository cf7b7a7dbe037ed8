/** The promises of SECURITY.md, looked at from the host while a sandbox runs. It refers to these. */
import { assert, assertEquals } from "@std/assert";
import {
  descendants,
  DVISOR,
  dvisor,
  type Running,
  startDo,
  statusField,
  until,
  withCopy,
} from "./sandbox.ts";

const NAMESPACES = ["user", "pid", "mnt", "net", "ipc", "uts"];
/** An ordinary user, who is also in a group. */
const USER = 4242;
const GROUP = 4343;
const LINGER = ["sh", "-c", "echo started; sleep 60; true"];

/** Runs `look` with the host pids of the sandbox process and of the stubs, after start-up has settled. */
async function inside(
  look: (sandbox: number, stubs: number[], running: Running) => void | Promise<void>,
  flags: string[] = [],
): Promise<void> {
  const running = await startDo([...flags, "--", ...LINGER]);
  try {
    await until(
      "start-up is stripped",
      () => list(rootOf(running.processes()[0], "lib64")).length === 0,
    );
    const sandbox = running.processes()[0];
    const stubs = descendants(sandbox);
    assert(stubs.length > 0, "no stub was found");
    await look(sandbox, stubs, running);
  } finally {
    await running.end();
  }
}

const rootOf = (pid: number, path: string) => `/proc/${pid}/root/${path}`;
const list = (path: string) => Array.from(Deno.readDirSync(path), (entry) => entry.name).sort();
const links = (pid: number) =>
  list(`/proc/${pid}/fd`).map((fd) => readLink(`/proc/${pid}/fd/${fd}`));

function readLink(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

Deno.test("the sandbox process shares no namespace with the host", async () => {
  await inside((sandbox) => {
    for (const name of NAMESPACES) {
      const ours = Deno.readLinkSync(`/proc/self/ns/${name}`);
      assertEquals(readLink(`/proc/${sandbox}/ns/${name}`) === ours, false, name);
    }
  });
});

Deno.test("the sandbox process may read files and has no other capability, no new privileges, a filter", async () => {
  await inside((sandbox) => {
    const caps = Deno.uid() === 0 ? "0000000000000004" : "0000000000000000";
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      assertEquals(statusField(sandbox, set), caps, set);
    }
    assertEquals(statusField(sandbox, "NoNewPrivs"), "1");
    assertEquals(statusField(sandbox, "Seccomp"), "2");
    for (const thread of list(`/proc/${sandbox}/task`)) {
      const status = Deno.readTextFileSync(`/proc/${sandbox}/task/${thread}/status`);
      assert(status.includes("\nSeccomp:\t2\n"), `thread ${thread} has no filter`);
    }
  });
});

Deno.test("the sandbox process sees its mounts, read-only, and nothing else of the host", async () => {
  await inside((sandbox) => {
    assertEquals(list(rootOf(sandbox, "")), ["dev", "empty", "lib64", "mounts", "proc"]);
    assertEquals(list(rootOf(sandbox, "mounts")), ["0"]);
    for (const covered of ["proc", "sys", "dev"]) {
      assertEquals(list(rootOf(sandbox, `mounts/0/${covered}`)), [], covered);
    }
    for (const line of Deno.readTextFileSync(`/proc/${sandbox}/mountinfo`).trimEnd().split("\n")) {
      const options = line.split(" ")[5].split(",");
      for (const option of ["ro", "nosuid", "nodev"]) assert(options.includes(option), line);
    }
  });
});

Deno.test("a writable volume is the only thing that can be written", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await inside((sandbox) => {
      const writable = Deno.readTextFileSync(`/proc/${sandbox}/mountinfo`).trimEnd().split("\n")
        .filter((line) => !line.split(" ")[5].split(",").includes("ro"))
        .map((line) => line.split(" ")[4]);
      assertEquals(writable, ["/mounts/1"]);
    }, ["--volume", `${directory}:/mnt:rw`]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the sandbox process holds no descriptor of the host's file system but what it was given", async () => {
  await inside((sandbox) => {
    const files = links(sandbox).filter((link) => link.startsWith("/"));
    const strange = files.filter((link) =>
      !link.startsWith("/mounts/0") && link !== "/empty" && link !== "/dev/null" &&
      !isMemoryFile(link) &&
      link !== "/proc/cpuinfo" &&
      !link.startsWith("/memfd:")
    );
    assertEquals(strange, []);
  });
});

Deno.test("a descriptor that the caller left open reaches neither the sandbox process nor the guest", async () => {
  const script = 'exec 9</etc; exec "$0" do -- sh -c "ls /proc/self/fd; read x"';
  const child = new Deno.Command("sh", {
    args: ["-c", script, DVISOR],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let seen = "";
    while (!/^3\n/m.test(seen)) seen += (await reader.read()).value ?? "3\n";
    assertEquals(seen, "0\n1\n2\n3\n");
    const [sandbox] = descendants(child.pid);
    assert(!links(sandbox).includes("/etc"));
    assertEquals(readLink(`/proc/${child.pid}/fd/9`), "/etc");
  } finally {
    child.kill("SIGKILL");
    await child.stdin.close().catch(() => {});
    await reader.cancel();
    await child.status;
  }
});

Deno.test("a sandbox has no network interface but a dead loopback", async () => {
  await inside((sandbox) => {
    const lines = Deno.readTextFileSync(`/proc/${sandbox}/net/dev`).trimEnd().split("\n").slice(2);
    assertEquals(lines.map((line) => line.trim().split(":")[0]), ["lo"]);
  });
});

Deno.test("V8's helper threads preempt neither the Sentry nor a guest", async () => {
  await inside((sandbox) => {
    const helpers = list(`/proc/${sandbox}/task`).map((tid) => `/proc/${sandbox}/task/${tid}`)
      .filter((task) => Deno.readTextFileSync(`${task}/comm`).startsWith("V8 "));
    assert(helpers.length > 0, "no helper was found");
    for (const task of helpers) {
      const stat = Deno.readTextFileSync(`${task}/stat`);
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      assertEquals({ nice: fields[19 - 3], policy: fields[41 - 3] }, { nice: "10", policy: "3" });
    }
  });
});

Deno.test("a stub has no identity, no capability, no network, an empty root and a filter", async () => {
  await inside((sandbox, stubs) => {
    for (const stub of stubs) {
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        assertEquals(statusField(stub, set), "0000000000000000", set);
      }
      assertEquals(statusField(stub, "NoNewPrivs"), "1");
      assertEquals(statusField(stub, "Seccomp"), "2");
      assertEquals(list(rootOf(stub, "")), []);
      const network = readLink(`/proc/${stub}/ns/net`);
      assertEquals(network === "" || network === Deno.readLinkSync("/proc/self/ns/net"), false);
      const userNs = readLink(`/proc/${stub}/ns/user`);
      assertEquals(userNs === readLink(`/proc/${sandbox}/ns/user`), false);
      assertEquals(Deno.readTextFileSync(`/proc/${stub}/uid_map`), "");
    }
  });
});

Deno.test("a stub holds no descriptor but its socket", async () => {
  // But while it is sent some, as the first of them is whenever it makes another.
  const holdsOne = (stub: number) => {
    const held = links(stub);
    return held.length === 1 && held[0].startsWith("socket:");
  };
  await inside((_sandbox, stubs) =>
    until("each stub holds its socket alone", () => stubs.every(holdsOne))
  );
});

Deno.test("each stub has control memory of its own, and no other's", async () => {
  await inside((_sandbox, stubs) => {
    const seen = stubs.map((stub) => {
      const lines = Deno.readTextFileSync(`/proc/${stub}/maps`).split("\n");
      return lines.filter((line) => line.includes("/memfd:dvisor-control")).map((line) =>
        line.split(/\s+/)[4]
      );
    });
    assertEquals(seen.map((inodes) => inodes.length), stubs.map(() => 1));
    assertEquals(new Set(seen.flat()).size, stubs.length);
  });
});

Deno.test("the guest sees its own processes, mounts and network alone", async () => {
  const inGuest = async (...command: string[]) => (await dvisor("do", "--", ...command)).stdout;
  const stdout = await inGuest("sh", "-c", "echo $$; ls -d /proc/[0-9]* | wc -l");
  const [pid, processes] = stdout.trim().split(/\s+/).map(Number);
  assertEquals(pid, 1);
  assert(processes <= 4, stdout);
  const types = (await inGuest("cat", "/proc/mounts")).trimEnd().split("\n")
    .map((line) => line.split(" ")[2]);
  const own = ["overlay", "proc", "sysfs", "cgroup2", "devtmpfs", "devpts", "tmpfs"];
  assertEquals(types.filter((type) => !own.includes(type)), []);
  assertEquals(types.filter((type) => type === "overlay").length, 1);
  const devices = await inGuest("cat", "/proc/net/dev");
  assertEquals(devices.trimEnd().split("\n").slice(2).map((line) => line.trim().split(":")[0]), [
    "lo",
  ]);
  const name = `\0dvisor-test-${Deno.pid}`; // Of the host's network namespace.
  const listener = Deno.listen({ transport: "unix", path: name });
  try {
    const sockets = await inGuest("cat", "/proc/net/unix");
    assert(!sockets.includes(name.slice(1)), sockets);
    assert(Deno.readTextFileSync("/proc/net/unix").includes(name.slice(1)));
  } finally {
    listener.close();
  }
});

Deno.test("the guest's host name is its own", async () => {
  const before = Deno.hostname();
  const script = "uname -n; ! hostname other || hostname";
  const { stdout } = await dvisor("do", "--", "sh", "-c", script);
  assertEquals(stdout.split("\n")[0], before);
  if (Deno.uid() === 0) assertEquals(stdout, `${before}\nother\n`);
  assertEquals(Deno.hostname(), before);
});

Deno.test("where user namespaces are forbidden, one line says so and how to allow them", async () => {
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" do true';
  const { code, stderr } = await new Deno.Command("unshare", {
    args: ["--user", "--map-root-user", "sh", "-c", forbid, DVISOR],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 125);
  assertEquals(text.split("\n").length, 2, text);
  assert(text.includes("user.max_user_namespaces"), text);
});

Deno.test({
  name: "an ordinary user's sandbox runs as that user, without root's help",
  ignore: Deno.uid() !== 0,
  async fn() {
    await withCopy(async (binary) => {
      const { code, stdout } = await new Deno.Command("setpriv", {
        args: [
          ...["--reuid", "65534", "--regid", "65534", "--clear-groups"],
          ...[binary, "do", "--cwd", "/", "--", "id", "-u"],
        ],
        cwd: "/",
        stdin: "null",
      }).output();
      assertEquals(code, 0);
      assertEquals(new TextDecoder().decode(stdout), "65534\n");
    });
  },
});

Deno.test({
  name: "an ordinary user's sandbox lets that user do what one of its other groups may",
  ignore: Deno.uid() !== 0,
  async fn() {
    const dir = Deno.makeTempDirSync();
    const make = (name: string, mode: number, gid: number) => {
      Deno.writeTextFileSync(`${dir}/${name}`, `${name}\n`);
      Deno.chownSync(`${dir}/${name}`, 0, gid);
      Deno.chmodSync(`${dir}/${name}`, mode);
    };
    make("readable", 0o640, GROUP);
    make("writable", 0o664, GROUP);
    make("foreign", 0o660, GROUP + 1);
    make("public", 0o644, GROUP);
    Deno.mkdirSync(`${dir}/shared`);
    Deno.chownSync(`${dir}/shared`, 0, GROUP);
    Deno.chmodSync(`${dir}/shared`, 0o2770);
    Deno.chmodSync(dir, 0o755);
    const script = "cat readable; echo more >>writable && cat writable; " +
      "touch shared/new && stat -c '%n %u %g' shared/new; stat -c '%n %u %g %a' *; " +
      "cat foreign; echo no >>public; test -w public || echo refused";
    const says = async (binary: string, flags: string[]) => {
      const { stdout, stderr } = await new Deno.Command("setpriv", {
        args: [
          ...["--reuid", `${USER}`, "--regid", `${USER}`, "--groups", `${USER},${GROUP}`],
          ...[binary, "do", ...flags, "--", "sh", "-c", script],
        ],
        cwd: dir,
        stdin: "null",
      }).output();
      const text = new TextDecoder();
      assertEquals(
        text.decode(stdout),
        `readable\nwritable\nmore\nshared/new ${USER} ${GROUP}\n` +
          `foreign 0 0 660\npublic 0 0 644\nreadable 0 ${GROUP} 640\n` +
          `shared 0 ${GROUP} 2770\nwritable 0 ${GROUP} 664\nrefused\n`,
        text.decode(stderr),
      );
    };
    try {
      await withCopy(async (binary) => {
        await says(binary, []);
        await says(binary, ["--rw"]);
      });
      assertEquals(Deno.readTextFileSync(`${dir}/writable`), "writable\nmore\n");
      assertEquals(Deno.statSync(`${dir}/shared/new`).gid, GROUP);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

/** The file system of files in memory that guests map, or one of these: it is mounted nowhere. */
function isMemoryFile(link: string): boolean {
  return /^\/(\d+( \(deleted\))?)?$/.test(link);
}
