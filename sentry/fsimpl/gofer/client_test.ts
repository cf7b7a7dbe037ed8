import { receiveMessageOnPort } from "node:worker_threads";
import { assert, assertEquals } from "@std/assert";
import { EAGAIN, EBADF, ENOENT } from "../../../platform/abi/errno.ts";
import { O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { hostOpenat2 } from "../../../platform/host/files.ts";
import { closeFd, pwriteFd } from "../../../platform/host/host.ts";
import { Dentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import { KernelDst, KernelSrc, setKernelHostIo } from "../../vfs/kernel_io.ts";
import type { Mount } from "../../vfs/mount.ts";
import { GoferClient } from "./client.ts";
import { GoferFs } from "./goferfs.ts";

interface Fixture {
  client: GoferClient;
  dir: string;
  /** What the run loop does: polls until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
}

/** A real Gofer in a Worker; this thread plays the Sentry. */
async function withGofer(test: (f: Fixture) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${dir}/file`, "0123456789");
  const fd = hostOpenat2(-100, dir, O_PATH | O_DIRECTORY, 0, 0);
  const channel = new MessageChannel();
  const worker = new Worker(new URL("../../../gofer/worker.ts", import.meta.url), {
    type: "module",
  });
  worker.postMessage(
    { port: channel.port2, roots: [{ id: 0, fd, readonly: false }] },
    [channel.port2],
  );
  const client = new GoferClient(channel.port1, (port) => receiveMessageOnPort(port as never));
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    promise.finally(() => settled = true);
    while (!settled) {
      client.poll();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return await promise;
  };
  try {
    await test({ client, dir, run });
  } finally {
    worker.terminate();
    client.close();
    closeFd(fd);
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("requests are answered under their tags, whatever their order of settling", async () => {
  await withGofer(async ({ client, run }) => {
    const root = client.attachNow(0);
    assert(typeof root !== "number");
    assertEquals(root.readonly, false);
    const fd = hostOpenat2(root.fd, "file", O_RDWR, 0, 0);
    const file = await run(client.adopt(fd));
    assert(file > 0);
    const reads = [0, 3, 6, 9].map((offset) => client.pread(file, offset, 2));
    assertEquals(client.pending, 4);
    const texts = (await run(Promise.all(reads))).map((data) =>
      typeof data === "number" ? data : new TextDecoder().decode(data)
    );
    assertEquals(texts, ["01", "34", "67", "9"]);
    assertEquals(await run(client.pwrite(file, 4, new TextEncoder().encode("XY").buffer)), 2);
    assertEquals(await run(client.fsync(file, false)), 0);
    client.forget(file);
    assertEquals(await run(client.pread(file, 0, 1)), -EBADF);
    assertEquals(await run(client.attach(5)), -ENOENT);
    closeFd(fd);
    closeFd(root.fd);
  });
});

Deno.test("a read that would wait for the disk goes to the Gofer and is whole", async () => {
  await withGofer(async ({ client, dir, run }) => {
    const text = "abcdefghij".repeat(200_000); // More than one message carries.
    Deno.writeTextFileSync(`${dir}/big`, text);
    let asked = 0;
    setKernelHostIo({
      read: () => {
        asked++;
        return -EAGAIN;
      },
      write: (fd, buf, start, end, offset) => pwriteFd(fd, buf, start, end, offset),
    });
    const root = client.attachNow(0);
    assert(typeof root !== "number");
    const fs = new GoferFs({ rootFd: root.fd, dev: 1, exclusive: true, readonly: false, client });
    const inode = fs.root.lookup("big");
    assert(typeof inode !== "number");
    inode.refs++;
    const file = new FileDescription(
      inode,
      new Dentry(fs, null, "", null),
      { flags: 0 } as unknown as Mount,
      O_RDONLY,
    );
    assertEquals(inode.open(file), 0);
    const buf = new Uint8Array(text.length + 10);
    const pending = file.impl.read(file, new KernelDst(buf), 5);
    assert(pending instanceof Promise);
    file.impl.release(file); // The read goes on.
    assertEquals(await run(pending), text.length - 5);
    assertEquals(new TextDecoder().decode(buf.subarray(0, 10)), "fghijabcde");
    assertEquals(asked, 1);
    fs.release();
  });
});

Deno.test("fsync is done by the Gofer", async () => {
  await withGofer(async ({ client, dir, run }) => {
    setKernelHostIo({
      read: () => -EAGAIN,
      write: (fd, buf, start, end, offset) => pwriteFd(fd, buf, start, end, offset),
    });
    const root = client.attachNow(0);
    assert(typeof root !== "number");
    const fs = new GoferFs({ rootFd: root.fd, dev: 1, exclusive: false, readonly: false, client });
    const inode = fs.root.lookup("file");
    assert(typeof inode !== "number");
    inode.refs++;
    const file = new FileDescription(
      inode,
      new Dentry(fs, null, "", null),
      { flags: 0 } as unknown as Mount,
      O_RDWR,
    );
    assertEquals(inode.open(file), 0);
    assertEquals(file.impl.write(file, new KernelSrc(new Uint8Array([65, 66])), 0), 2);
    assertEquals(await run(Promise.resolve(file.impl.fsync(file, false))), 0);
    assertEquals(Deno.readTextFileSync(`${dir}/file`), "AB23456789");
    file.impl.release(file);
    fs.release();
  });
});
