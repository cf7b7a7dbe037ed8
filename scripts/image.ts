// Adds to the base binary an image of a sandbox process that has started (platform/native/image): the process of
// BINARY, which was compiled from that base, is started, stopped when it waits, and written down.
//   image.ts add BASE BINARY RESTORER FOLDER OUT    FOLDER has the script `rehearsal`, which is run in it before
//   image.ts warm BINARY                            notes in BINARY, which has an image, what is to be populated
import { SYS_clock_gettime } from "../platform/abi/amd64/syscalls.ts";
import { PT_LOAD } from "../platform/abi/elf.ts";
import { PROT_WRITE } from "../platform/abi/mman.ts";
import { CLOCK_MONOTONIC } from "../platform/abi/time.ts";
import { bufferAddr, hostCall } from "../platform/host/spawn.ts";
import { closeFd } from "../runtime/process.ts";
import { openFiles, type SandboxProcess, startProcess } from "../runtime/sandbox.ts";
import {
  COUNTS,
  DESCRIPTOR_SIZE,
  IMAGE_SIZE,
  must,
  PAGE,
  PRELUDE_MAGIC,
  PRELUDE_RESTORER,
  RANGE_SIZE,
  RANGES_MAX,
  readAt,
  REGION_SIZE,
  roundUp,
  segmentsOf,
  THREAD_SIZE,
  WATCH_SIZE,
  writeAt,
  Writer,
} from "./image/layout.ts";
import { partsOf } from "./image/memory.ts";
import {
  COLLECTED_MS,
  REHEARSAL,
  rehearse,
  SETTLED_MS,
  type Streams,
  untilIdle,
} from "./image/process.ts";
import { assemble, beginningOf, take } from "./image/take.ts";

/** What is thrown away at the end of the first is not taken for granted afterwards. Many: the way to a guest's start, too. */
const REHEARSALS = 24;

/** What runs in the `round`th. */
function rehearsal(round: number): [streams: Streams, ...argv: string[]] {
  switch (round % 8) {
    case 1:
      return ["file", "sh", "/rehearsal/rehearsal"];
    case 2:
      return ["terminal", "sh", "-c", "command -v bash && exec bash --norc -i; exec sh -i"];
    default:
      return ["null", "sh", "/rehearsal/short_rehearsal"];
  }
}

function monotonicNs(): bigint {
  const now = new BigInt64Array(2);
  must("clock", hostCall(SYS_clock_gettime, CLOCK_MONOTONIC, bufferAddr(now)));
  return now[0] * 1_000_000_000n + now[1];
}

/** Where a binary's last segment lies in it, at whose beginning struct prelude is. */
function lastSegment(head: DataView): number {
  return segmentsOf(head).findLast(({ type }) => type === PT_LOAD)!.offset;
}

/** The sandbox process of a binary, which waits for a configuration. */
function start(binary: string): SandboxProcess {
  const files = openFiles(REHEARSAL);
  const process = startProcess(binary, false, files);
  for (const fd of files.close) closeFd(fd);
  return process;
}

async function add([basePath, binary, restorerPath, volume, out]: string[]): Promise<void> {
  const base = Deno.readFileSync(basePath);
  const restorer = Deno.readFileSync(restorerPath);
  const cpu = new Deno.Command(restorerPath).outputSync().stdout;
  const restorerAt = roundUp(base.length);
  const imageAt = restorerAt + roundUp(restorer.length);
  const sandbox = start(binary);
  const { pid } = sandbox;
  let parts: Uint8Array[];
  try {
    await untilIdle(pid, SETTLED_MS);
    const beginning = beginningOf(pid);
    for (let round = 1; round <= REHEARSALS; round++) {
      const [streams, ...argv] = rehearsal(round);
      const restMs = round < REHEARSALS ? 0 : COLLECTED_MS;
      await rehearse(sandbox, volume, argv, { restMs, streams });
      await untilIdle(pid, SETTLED_MS, beginning.threads);
    }
    parts = assemble(take(pid, beginning, base), cpu, monotonicNs(), imageAt);
  } finally {
    Deno.kill(pid, "SIGKILL");
  }
  const prelude = new DataView(base.buffer, lastSegment(new DataView(base.buffer)));
  if (prelude.getBigUint64(0, true) !== PRELUDE_MAGIC) throw new Error("a binary without prelude");
  [restorerAt, restorer.length, imageAt].forEach((value, i) =>
    prelude.setBigUint64(PRELUDE_RESTORER + 8 * i, BigInt(value), true)
  );
  using file = Deno.openSync(out, { write: true, create: true, truncate: true, mode: 0o755 });
  writeAt(file, 0, base);
  writeAt(file, restorerAt, restorer);
  let at = imageAt;
  for (const part of parts) {
    writeAt(file, at, part);
    at += part.length;
  }
}

/** It ends after it has been looked at. */
const SOME_PROGRAMS = `ls /proc/self | cat
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sh -c 'exec /bin/true'
    ls -l / | sort
  done
  sleep 3
  exit 1`;

/** Notes in the image of BINARY which pages a sandbox writes to in its first moments: they are memory of its own then. */
async function warm([binary]: string[]): Promise<void> {
  using file = Deno.openSync(binary, { read: true, write: true });
  const image = readImage(file);
  if (image === null) return;
  const sandbox = start(binary);
  let ranges: [number, number][];
  try {
    const up = rehearse(sandbox, "/", ["sh", "-c", SOME_PROGRAMS]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    // Those that are the process's own; with a few between them, since each range is a call.
    const isOwn = (entry: bigint) => entry >> 63n === 1n && (entry >> 61n & 1n) === 0n;
    ranges = image.regions.flatMap(([start, end]) =>
      partsOf(sandbox.pid, start, end, 2 * PAGE, isOwn)
    );
    await up.catch(() => {});
  } finally {
    Deno.kill(sandbox.pid, "SIGKILL");
  }
  const out = new Writer(RANGES_MAX * RANGE_SIZE);
  ranges = ranges.slice(0, RANGES_MAX);
  for (const [start, end] of ranges) {
    out.u64(start);
    out.u64(end);
  }
  writeAt(file, image.rangesAt, out.bytes);
  const count = new Writer(4);
  count.u32(ranges.length);
  writeAt(file, image.countAt, count.bytes);
}

interface Image {
  /** Where its regions that can be written to lie in memory. */
  regions: [number, number][];
  /** In the file. */
  rangesAt: number;
  countAt: number;
}

function readImage(file: Deno.FsFile): Image | null {
  const head = new DataView(readAt(file, 0, PAGE).buffer);
  const last = lastSegment(head);
  const prelude = new DataView(readAt(file, last, 128).buffer);
  const at = Number(prelude.getBigUint64(PRELUDE_RESTORER + 16, true));
  if (at === 0) return null;
  const size = Number(new DataView(readAt(file, at, 16).buffer).getBigUint64(8, true));
  const view = new DataView(readAt(file, at, size).buffer);
  const [regions, threads, descriptors, watches] = [0, 4, 8, 12].map((offset) =>
    view.getUint32(COUNTS + offset, true)
  );
  const ranges = IMAGE_SIZE + regions * REGION_SIZE + threads * THREAD_SIZE +
    descriptors * DESCRIPTOR_SIZE + watches * WATCH_SIZE;
  const word = (offset: number) => Number(view.getBigInt64(offset, true));
  return {
    regions: Array.from({ length: regions }, (_, i) => IMAGE_SIZE + i * REGION_SIZE)
      .filter((region) => (view.getUint32(region + 24, true) & PROT_WRITE) !== 0)
      .map((region) => [word(region), word(region + 8)]),
    rangesAt: at + ranges,
    countAt: at + COUNTS + 16,
  };
}

const [what, ...args] = Deno.args;
try {
  await (what === "add" ? add(args) : warm(args));
} catch (error) {
  console.error(`image: ${(error as Error).message}`);
  Deno.exit(1);
}
