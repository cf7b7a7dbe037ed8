/** Sandboxes that begin as the process of an image, and those that cannot (platform/native/image). */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { DVISOR, startDo, withCopy } from "./sandbox.ts";

/** struct prelude and struct image (platform/native/sandbox/start.h, ../platform/native/image/image.h). */
const PRELUDE_IMAGE = 72;
const IMAGE_MONOTONIC = 16;
const IMAGE_CPU = 24;
const PAGE = 4096;

/** Where the sandbox process has the executable's first page. */
async function place(binary: string): Promise<string> {
  const running = await startDo(["--", "sh", "-c", "echo started; sleep 60"], "null", binary);
  try {
    const maps = await Deno.readTextFile(`/proc/${running.processes()[0]}/maps`);
    const line = maps.split("\n").find((line) => /^5\S+ r--p 00000000 /.test(line));
    return line?.split("-")[0] ?? maps;
  } finally {
    await running.end();
  }
}

async function output(binary: string, ...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(binary, {
    args: ["do", "--", ...command],
  })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([code, text(stderr)], [0, ""]);
  return text(stdout);
}

Deno.test("each sandbox process lies where that of the image lay", async () => {
  assertEquals(await place(DVISOR), await place(DVISOR));
});

/** A copy of dvisor in which `change` has been at work on its prelude and its image. */
async function withChanged(
  change: (prelude: DataView, image: DataView) => void,
  use: (binary: string) => Promise<void>,
): Promise<void> {
  await withCopy(async (binary) => {
    using file = await Deno.open(binary, { read: true, write: true });
    const read = (at: number) => {
      const bytes = new Uint8Array(PAGE);
      file.seekSync(at, Deno.SeekMode.Start);
      file.readSync(bytes);
      return new DataView(bytes.buffer);
    };
    const write = (at: number, view: DataView) => {
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(view.buffer));
    };
    const head = read(0);
    const headers = Array.from({ length: head.getUint16(56, true) }, (_, i) => 64 + 56 * i);
    const last = headers.findLast((at) => head.getUint32(at, true) === 1)!;
    const preludeAt = Number(head.getBigUint64(last + 8, true));
    const prelude = read(preludeAt);
    const imageAt = Number(prelude.getBigUint64(PRELUDE_IMAGE, true));
    assert(imageAt > 0, "there is no image");
    const image = read(imageAt);
    change(prelude, image);
    write(preludeAt, prelude);
    write(imageAt, image);
    file.close();
    await use(binary);
  });
}

const startsAnew = async (binary: string) => {
  assertNotEquals(await place(binary), await place(binary));
  assertEquals(await output(binary, "echo", "hi"), "hi\n");
};

Deno.test("a processor that lacks what the image's has: the sandbox starts from the beginning", async () => {
  const change = (_: DataView, image: DataView) => image.setUint32(IMAGE_CPU + 44, 1, true);
  await withChanged(change, startsAnew);
});

Deno.test("a clock that is behind the image's: the sandbox starts from the beginning", async () => {
  const change = (_: DataView, image: DataView) =>
    image.setBigUint64(IMAGE_MONOTONIC, 1n << 62n, true);
  await withChanged(change, startsAnew);
});

// Where the build could have a clock of its own.
const hasTimeNamespaces = await Deno.lstat("/proc/self/ns/time").then(() => true, () => false);
Deno.test({
  name: "the image's clock is no older than the build",
  ignore: !hasTimeNamespaces,
  async fn() {
    let seconds = Infinity;
    const read = (_: DataView, image: DataView) => {
      seconds = Number(image.getBigUint64(IMAGE_MONOTONIC, true) / 1_000_000_000n);
    };
    await withChanged(read, () => Promise.resolve());
    assert(seconds < 1200, `${seconds} s`);
  },
});

Deno.test("no image, or what is none: the sandbox starts from the beginning", async () => {
  await withChanged((prelude) => prelude.setBigUint64(PRELUDE_IMAGE, 0n, true), startsAnew);
  await withChanged((_, image) => image.setBigUint64(0, 0n, true), startsAnew);
});

Deno.test("no two sandboxes are told the same random numbers", async () => {
  const script = `head -c 32 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/boot_id
    cat /proc/sys/kernel/random/uuid; od -An -tx1 -j0 /proc/self/auxv | tail -3
    grep -E 'stack|heap' /proc/self/maps | cut -d- -f1`;
  const [one, other] = [
    await output(DVISOR, "sh", "-c", script),
    await output(DVISOR, "sh", "-c", script),
  ];
  const words = (text: string) => text.split(/\s+/).filter((word) => word.length > 8);
  const common = words(one).filter((word) => words(other).includes(word));
  assertEquals(common, []);
  assertNotEquals(one.split("\n").slice(0, 2), other.split("\n").slice(0, 2));
});

Deno.test("nothing is left of the sandboxes that the image's process has run", async () => {
  const script =
    `ls /rehearsal /tmp/training 2>&1; ls -d /proc/[0-9]*; cat /proc/locks /proc/net/unix | wc -l
    cut -d. -f1 /proc/uptime; grep -c . /proc/self/mountinfo; cat /proc/sys/fs/aio-nr`;
  const text = await output(DVISOR, "sh", "-c", script);
  const lines = text.trim().split("\n");
  assert(lines[0].includes("No such file") && lines[1].includes("No such file"), text);
  const [processes, tables, uptime, , aio] = lines.slice(2);
  assertEquals([processes, tables, aio], ["/proc/1", "1", "0"], text);
  assert(Number(uptime) < 60, text);
});
