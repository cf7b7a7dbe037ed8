import { assert, assertEquals } from "@std/assert";
import { EBADF, EEXIST, EINVAL, EMFILE, ENOENT, EPERM, EROFS } from "../platform/abi/errno.ts";
import { O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, O_WRONLY } from "../platform/abi/fcntl.ts";
import { hostOpenat2, hostPreadData } from "../platform/host/files.ts";
import { closeFd } from "../platform/host/host.ts";
import {
  type GoferReply,
  MAX_FILES,
  MAX_IO,
  MAX_TAG,
  OP_ADOPT,
  OP_ATTACH,
  OP_FORGET,
  OP_FSYNC,
  OP_OPEN,
  OP_PING,
  OP_PREAD,
  OP_PWRITE,
  OP_READLINK,
  OP_STAT,
} from "./protocol.ts";
import { GoferServer, parseRoots } from "./server.ts";

interface Fixture {
  server: GoferServer;
  dir: string;
  /** Sends a request with a fresh tag. */
  ask(request: Record<string, unknown>): GoferReply;
}

function withServer(run: (f: Fixture) => void): void {
  const dir = Deno.makeTempDirSync();
  Deno.mkdirSync(`${dir}/root`);
  Deno.writeTextFileSync(`${dir}/root/file`, "0123456789");
  Deno.writeTextFileSync(`${dir}/outside`, "secret");
  Deno.symlinkSync("/outside", `${dir}/root/absolute`);
  Deno.symlinkSync("../outside", `${dir}/root/relative`);
  const fd = hostOpenat2(-100, `${dir}/root`, O_PATH | O_DIRECTORY, 0, 0);
  assert(fd >= 0);
  const server = new GoferServer([
    { id: 1, fd, readonly: false },
    { id: 2, fd, readonly: true },
  ]);
  let tag = 0;
  const ask = (request: Record<string, unknown>) => server.handle({ tag: ++tag, ...request })!;
  try {
    run({ server, dir, ask });
  } finally {
    server.close();
    closeFd(fd);
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("attach donates an fd of the root and says whether it is read only", () => {
  withServer(({ ask }) => {
    const reply = ask({ op: OP_ATTACH, root: 2 });
    assertEquals([reply.result, reply.readonly], [0, true]);
    const file = hostOpenat2(reply.fd!, "file", O_RDONLY, 0, 0);
    assert(file >= 0);
    closeFd(file);
    closeFd(reply.fd!);
    for (const root of [0, 3, -1, "1", null, undefined, {}]) {
      assertEquals(ask({ op: OP_ATTACH, root }).result, -ENOENT);
    }
  });
});

Deno.test("a path does not leave its root, by dots or by links", () => {
  withServer(({ ask }) => {
    for (const path of ["../outside", "absolute", "relative", "/../../outside"]) {
      assertEquals(ask({ op: OP_OPEN, root: 1, path, flags: O_RDONLY }).result, -ENOENT);
      assertEquals(ask({ op: OP_STAT, root: 1, path }).result, -ENOENT);
    }
    assertEquals(ask({ op: OP_READLINK, root: 1, path: "relative" }).target, "../outside");
    const stat = ask({ op: OP_STAT, root: 1, path: "file" });
    assertEquals(new DataView(stat.data!).getUint32(40, true), 10);
  });
});

Deno.test("open refuses unknown flags, writing in a read-only root, and host devices", () => {
  withServer(({ ask, dir }) => {
    const path = "file";
    assertEquals(ask({ op: OP_OPEN, root: 1, path, flags: 0o100 }).result, -EINVAL);
    assertEquals(ask({ op: OP_OPEN, root: 2, path, flags: O_WRONLY }).result, -EROFS);
    const device = `${dir}/root/null`;
    const made = new Deno.Command("mknod", { args: [device, "c", "1", "3"] }).outputSync();
    if (made.success) {
      assertEquals(ask({ op: OP_OPEN, root: 1, path: "null", flags: O_RDONLY }).result, -EPERM);
    }
  });
});

Deno.test("an adopted file is read, written and synced under its number until it is forgotten", () => {
  withServer(({ ask }) => {
    const { fd } = ask({ op: OP_OPEN, root: 1, path: "file", flags: O_RDWR });
    assertEquals(ask({ op: OP_ADOPT, file: 7, fd }).result, 0);
    assertEquals(ask({ op: OP_ADOPT, file: 7, fd }).result, -EEXIST);
    assertEquals(ask({ op: OP_ADOPT, file: 0, fd }).result, -EMFILE);
    assertEquals(ask({ op: OP_ADOPT, file: MAX_FILES + 1, fd }).result, -EMFILE);
    closeFd(fd!); // The Gofer has its own.
    const read = ask({ op: OP_PREAD, file: 7, offset: 3, length: 4 });
    assertEquals(new TextDecoder().decode(read.data), "3456");
    const data = new TextEncoder().encode("abc").buffer;
    assertEquals(ask({ op: OP_PWRITE, file: 7, offset: 8, data }).result, 3);
    assertEquals(ask({ op: OP_PWRITE, file: 7, offset: -1, data }).result, 3);
    assertEquals(ask({ op: OP_FSYNC, file: 7, dataOnly: true }).result, 0);
    const all = ask({ op: OP_PREAD, file: 7, offset: 0, length: 100 });
    assertEquals(new TextDecoder().decode(all.data), "01234567abcabc");
    assertEquals(ask({ op: OP_PREAD, file: 7, offset: 0, length: MAX_IO + 1 }).result, -EINVAL);
    assertEquals(ask({ op: OP_PREAD, file: 7, offset: -1, length: 1 }).result, -EINVAL);
    assertEquals(ask({ op: OP_FORGET, file: 7 }).result, 0);
    assertEquals(ask({ op: OP_PREAD, file: 7, offset: 0, length: 1 }).result, -EBADF);
  });
});

Deno.test("the main thread's list of roots is checked", () => {
  const root = { id: 1, fd: 5, readonly: true };
  assertEquals(parseRoots([root]), [root]);
  assertEquals(parseRoots([root, root]), null);
  for (
    const bad of [null, {}, [null], [{ ...root, fd: -1 }], [{ ...root, id: 0.5 }], [{ id: 1 }]]
  ) {
    assertEquals(parseRoots(bad), null);
  }
});

/** A small generator (mulberry32), so that a failure can be repeated. */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

Deno.test("random messages get an error or an answer, and never an fd outside the root", () => {
  const seed = Number(Deno.env.get("DVISOR_FUZZ_SEED") ?? 20240711);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const values = [
    0,
    1,
    2,
    3,
    7,
    -1,
    0.5,
    NaN,
    Infinity,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    "",
    "file",
    "../outside",
    "a\0b",
    "\u{1f600}",
    "x".repeat(5000),
    null,
    undefined,
    true,
    [],
    {},
    new Uint8Array(3),
    new Uint8Array(MAX_IO + 1),
    new ArrayBuffer(3),
    new ArrayBuffer(MAX_IO + 1),
    () => 0,
    Symbol("s"),
    10n,
  ];
  // Not the host fds 0 to 2, nor others of this process: the one adopted below, and closed ones.
  const fields = [
    "tag",
    "op",
    "root",
    "file",
    "offset",
    "length",
    "dataOnly",
    "path",
    "flags",
    "data",
  ];
  withServer(({ server, dir }) => {
    const probe = hostOpenat2(-100, `${dir}/root/file`, O_RDWR, 0, 0);
    for (let i = 0; i < 20_000; i++) {
      const message: Record<string, unknown> = {
        tag: 1 + Math.floor(random() * MAX_TAG),
        op: Math.floor(random() * (OP_PING + 2)),
      };
      const n = Math.floor(random() * fields.length);
      for (let k = 0; k < n; k++) message[pick(fields)] = pick(values);
      if (message.op === OP_ADOPT) message.fd = pick([probe, 1 << 20, -1, 2 ** 40, "1", null]);
      const reply = server.handle(random() < 0.02 ? pick(values) : message);
      if (reply === null) continue;
      assert(Number.isInteger(reply.result) && reply.result > -4096);
      if (reply.fd !== undefined) {
        const got = hostPreadData(reply.fd, 6, 0, 0);
        assert(got !== 6 || reply.result === 0);
        closeFd(reply.fd);
      }
    }
    closeFd(probe);
    assertEquals(Deno.readTextFileSync(`${dir}/outside`), "secret");
  });
});
