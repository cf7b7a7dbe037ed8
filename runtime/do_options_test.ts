import { assertEquals, assertThrows } from "@std/assert";
import { DO } from "./commands.ts";
import { makeOptions } from "./do_options.ts";
import { parseFlags, UsageError } from "./flags.ts";

const options = (...args: string[]) => makeOptions(parseFlags(DO, args));

Deno.test("without flags the command sees the host's root and current directory", () => {
  const o = options("ls", "-l");
  assertEquals(o.command, ["ls", "-l"]);
  assertEquals(o.root, "/");
  assertEquals(o.cwd, Deno.cwd());
  assertEquals(o.volumes, []);
  assertEquals(o.user, undefined);
});

Deno.test("with a root of its own the command starts in it", () => {
  assertEquals(options("--root", "/usr", "ls").cwd, "/");
});

Deno.test("--rw shows the current directory writable at its own path, also under another root", () => {
  const o = options("--root", "/usr", "--rw", "ls");
  assertEquals(o.volumes, [{ source: Deno.cwd(), target: Deno.cwd(), writable: true }]);
  assertEquals(o.cwd, Deno.cwd());
});

Deno.test("a volume is read-only unless it says :rw", () => {
  assertEquals(options("--volume", "/etc:/e", "ls").volumes![0].writable, false);
  assertEquals(options("--volume", "/etc:/e:ro", "ls").volumes![0].writable, false);
  assertEquals(options("--volume", "/etc:/e:rw", "ls").volumes![0].writable, true);
});

Deno.test("--env sets a variable of the caller's environment, or removes it", () => {
  assertEquals(options("--env", "PATH=a=b", "ls").env!.PATH, "a=b");
  assertEquals(options("--env", "PATH", "ls").env!.PATH, undefined);
  assertEquals(options("ls").env!.PATH, Deno.env.get("PATH"));
});

Deno.test("--user gives the group or takes the user's number for it", () => {
  assertEquals(options("--user", "7", "ls").user, { uid: 7, gid: 7 });
  assertEquals(options("--user", "7:8", "ls").user, { uid: 7, gid: 8 });
});

Deno.test("--strace is all calls or those named", () => {
  assertEquals(options("--strace", "ls").strace, true);
  assertEquals(options("--strace=read,write", "ls").strace, ["read", "write"]);
});

for (
  const args of [
    [],
    ["--root", "/no/such/directory", "ls"],
    ["--root", "/etc/passwd", "ls"],
    ["--cwd", "relative", "ls"],
    ["--volume", "/etc", "ls"],
    ["--volume", "/etc:relative", "ls"],
    ["--volume", "/no/such/file:/x", "ls"],
    ["--volume", "/etc:/e:wr", "ls"],
    ["--volume", "/dev/zero:/e", "ls"],
    ["--env", "=x", "ls"],
    ["--user", "root", "ls"],
    ["--user", "4294967295", "ls"],
    ["--hostname", "a b", "ls"],
    ["--platform", "kvm", "ls"],
    ["--log-format", "xml", "ls"],
  ]
) {
  Deno.test(`refused: do ${args.join(" ")}`, () => {
    assertThrows(() => options(...args), UsageError);
  });
}
