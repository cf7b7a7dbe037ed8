/** What only systrap has: stubs that greet, and control memory. What every platform does is tested by platform_test.ts. */
import { assert, assertEquals } from "@std/assert";
import { SYS_exit_group, SYS_membarrier, SYS_sched_yield } from "../abi/amd64/syscalls.ts";
import { EFAULT } from "../abi/errno.ts";
import { MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED } from "../abi/membarrier.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_POPULATE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../abi/mman.ts";
import { RUSAGE_WORDS } from "../abi/resource.ts";
import { native } from "../host/ffi.ts";
import { closeFd, ftruncate, memfdCreate, monoNs, pwriteFd } from "../host/host.ts";
import { EVENT_LOST, EVENT_NOTED } from "../platform.ts";
import {
  ANON,
  back,
  COUNT_LOOP,
  DATA,
  guest,
  next,
  PAGE,
  RW,
  withPlatform,
} from "../fixture_test.ts";
import { SystrapAddressSpace } from "./address_space.ts";
import type { SystrapContext } from "./context.ts";
import { FDS_MAX, I_QUITS } from "./slot.ts";
import { SystrapPlatform } from "./systrap.ts";

/** Longer than any test may take. */
const FOREVER_MS = 1_000_000;

/** A stub that nobody makes, and its end of the socket. */
function unborn(p: SystrapPlatform): { space: SystrapAddressSpace; stubEnd: number } {
  const region = p.takeRegion(null);
  assert(typeof region !== "number");
  const stubEnd = region.connect();
  assert(stubEnd >= 0);
  return { space: new SystrapAddressSpace(p, region, null), stubEnd };
}

Deno.test(
  "a stub that ends before it greets is known to be dead, and its thread is lost",
  withPlatform(SystrapPlatform.start, (p) => {
    const { space, stubEnd } = unborn(p);
    const ctx = space.addContext();
    assert(typeof ctx !== "number");
    assertEquals(space.learnPid(0), 0, "it may greet yet");
    closeFd(stubEnd);
    assert(space.learnPid(FOREVER_MS) < 0);
    assertEquals(p.wait(0), ctx);
    assertEquals(ctx.event, EVENT_LOST);
    ctx.release();
  }),
);

Deno.test(
  "a greeting of who is not our child makes nobody known under its number",
  withPlatform(SystrapPlatform.start, (p) => {
    const { space, stubEnd } = unborn(p);
    const ctx = space.addContext();
    assert(typeof ctx !== "number");
    assertEquals(native.dv_send_fds(stubEnd, 0, stubEnd, -1, -1, -1), 0); // From here.
    assert(space.learnPid(0) < 0 && !p.byPid.has(Deno.pid));
    closeFd(stubEnd);
    ctx.release();
  }),
);

Deno.test(
  "control memory that a process could have kept beyond its end is not another's later",
  withPlatform(SystrapPlatform.start, (p) => {
    const seen = new Set<number | null>();
    for (let round = 0; round < 8; round++) {
      const parent = p.newAddressSpace("") as SystrapContext;
      // It runs guest code, so it could keep its own memory in its child, and the child's in another.
      const child = parent.addressSpace.fork(parent) as SystrapContext;
      assertEquals(parent.flush(), 0);
      const spaces = [parent.addressSpace, child.addressSpace];
      for (const { region } of spaces) {
        const { ino } = Deno.statSync(`/proc/self/fd/${region.fd}`);
        assert(!seen.has(ino), "this memory was another's");
        seen.add(ino);
      }
      for (const ctx of round % 2 ? [parent, child] : [child, parent]) ctx.release();
      const deadline = monoNs() + 10e9;
      while (!spaces.every((space) => space.dead)) {
        assert(monoNs() < deadline, "they live on");
        p.wait(1e6);
      }
    }
  }),
);

Deno.test(
  "a greeting is not waited for while the whole sandbox is stopped",
  withPlatform(SystrapPlatform.start, (p) => {
    const { space, stubEnd } = unborn(p);
    const start = monoNs();
    const stop = `sleep 0.5; kill -STOP ${Deno.pid}; sleep 2.5; kill -CONT ${Deno.pid}`;
    new Deno.Command("sh", { args: ["-c", stop], stdin: "null" }).spawn().unref();
    assertEquals(space.learnPid(2000), 0, "nobody greets");
    assert(monoNs() - start > 4e9, "the time in which it was stopped has been counted");
    closeFd(stubEnd);
    p.giveRegion(space);
  }),
);

Deno.test(
  "an emptied process is used again where the trust is the same, and nowhere else",
  withPlatform(SystrapPlatform.start, (p) => {
    const PAGE = 0x10_0000;
    const first = p.newAddressSpace("a") as SystrapContext;
    const pid = first.addressSpace.hostPid;
    const byte = Uint8Array.of(7);
    first.queueMmap(
      PAGE,
      4096,
      PROT_READ | PROT_WRITE,
      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
      -1,
      0,
    );
    first.queueCopyOut(PAGE, byte, 0, 1);
    assertEquals(first.flush(), 0);
    assertEquals(first.addressSpace.read(PAGE, byte, 0, 1), 1);
    let usage: Float64Array | null = null;
    first.release({ trust: "a", usage: (words) => usage = words });
    const other = p.newAddressSpace("b") as SystrapContext;
    assert(other.addressSpace.hostPid !== pid);
    const again = p.newAddressSpace("a") as SystrapContext;
    assertEquals(again.addressSpace.hostPid, pid);
    assertEquals(again.addressSpace.read(PAGE, byte, 0, 1), -EFAULT);
    assert(usage !== null);
    const words = new Float64Array(RUSAGE_WORDS);
    assert(again.usage(0, words));
    assert(words.every((n) => n >= 0), "less than nothing was used");
    again.release();
    other.release();
    assert((p.newAddressSpace("a") as SystrapContext).addressSpace.hostPid !== pid);
  }),
);

Deno.test(
  "a process that the host knows more of than its memory is not used again",
  withPlatform(SystrapPlatform.start, (p) => {
    const first = p.newAddressSpace("a") as SystrapContext;
    const pid = first.addressSpace.hostPid;
    first.callNow(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0);
    first.release({ trust: "a" });
    assert((p.newAddressSpace("a") as SystrapContext).addressSpace.hostPid !== pid);
  }),
);

Deno.test(
  "a process that makes room for others while it is still being emptied ends all the same",
  withPlatform(SystrapPlatform.start, (p) => {
    const SIZE = 256 << 20;
    const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    const contexts = ["a", "b", "c", "d", "e"].map((trust) =>
      p.newAddressSpace(trust) as SystrapContext
    );
    const [first] = contexts;
    first.queueMmap(0x1000_0000, SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    assertEquals(first.flush(), 0);
    for (const [i, ctx] of contexts.entries()) ctx.release({ trust: "abcde"[i] });
    const deadline = monoNs() + 10e9;
    while (!first.addressSpace.dead) {
      assert(monoNs() < deadline, "it lives on");
      p.wait(1e6);
    }
  }),
);

Deno.test(
  "what a thread has performed stays so when another runs in its slot",
  withPlatform(SystrapPlatform.start, (p) => {
    const leader = guest(p, COUNT_LOOP) as SystrapContext;
    const space = leader.addressSpace;
    const thread = space.newThread(leader) as SystrapContext;
    assertEquals(leader.flush(), 0);
    thread.queueMmap(DATA + PAGE, PAGE, RW, ANON, -1, 0);
    assertEquals(thread.flush(), 0);
    thread.release();
    const next = space.newThread(leader) as SystrapContext;
    assert(next.slot === thread.slot, "the parked host thread is not used again");
    assertEquals(next.flush(), 0);
    next.setFullRegisters();
    next.resume(); // It counts, and says nothing.
    assert(thread.performed);
    next.interrupt();
    back(p, next);
    next.release();
    leader.release();
  }),
);

Deno.test(
  "a process that is kept and killed by the host leaves its place to another",
  withPlatform(SystrapPlatform.start, (p) => {
    const contexts = [1, 2, 3, 4].map(() => p.newAddressSpace("a") as SystrapContext);
    for (const ctx of contexts) {
      ctx.callNow(SYS_sched_yield, 0, 0, 0, 0, 0, 0); // Its stub has come to life.
      ctx.release({ trust: "a" });
    }
    assertEquals(p.mayKeep("a"), false);
    const [{ addressSpace }] = contexts;
    Deno.kill(addressSpace.hostPid, "SIGKILL");
    const deadline = monoNs() + 10e9;
    while (!addressSpace.dead) {
      assert(monoNs() < deadline, "it lives on");
      assertEquals(p.wait(1e6), null, "nobody's thread is lost");
    }
    assertEquals(p.mayKeep("a"), true);
  }),
);

Deno.test(
  "a program in the process of another finds nothing of it, and what is queued for it stays",
  withPlatform(SystrapPlatform.start, (p) => {
    const ctx = p.newAddressSpace("a") as SystrapContext;
    const { addressSpace } = ctx;
    const byte = Uint8Array.of(7);
    ctx.queueMmap(DATA, PAGE, RW, ANON, -1, 0);
    ctx.queueCopyOut(DATA, byte, 0, 1);
    assertEquals(ctx.flush(), 0);
    ctx.blockedLo = 5;
    assert(!ctx.mayStartAnew("b"), "one of another trust may not");
    assert(ctx.mayStartAnew("a"));
    ctx.startAnew();
    ctx.queueMmap(DATA + PAGE, PAGE, RW, ANON, -1, 0);
    ctx.queueCopyOut(DATA + PAGE, byte, 0, 1);
    assertEquals(ctx.flush(), 0);
    assertEquals(addressSpace.read(DATA, byte, 0, 1), -EFAULT);
    assertEquals(addressSpace.read(DATA + PAGE, byte, 0, 1), 1);
    assertEquals(byte[0], 7);
    assertEquals(ctx.blockedLo, 5);
    // At once again, with nothing to do for the program but that.
    ctx.startAnew();
    assertEquals(ctx.flush(), 0);
    assertEquals(addressSpace.read(DATA + PAGE, byte, 0, 1), -EFAULT);
    const thread = addressSpace.newThread(ctx) as SystrapContext;
    assertEquals(ctx.flush(), 0);
    assert(!ctx.mayStartAnew("a"), "one of two threads may not");
    thread.release();
    ctx.release();
  }),
);

Deno.test(
  "a process that ends while it is being emptied for another program is lost",
  withPlatform(SystrapPlatform.start, (p) => {
    const ctx = p.newAddressSpace("a") as SystrapContext;
    ctx.callNow(SYS_sched_yield, 0, 0, 0, 0, 0);
    Deno.kill(ctx.addressSpace.hostPid, "SIGKILL");
    ctx.startAnew();
    ctx.queueMmap(DATA, PAGE, RW, ANON, -1, 0);
    ctx.startFlush();
    assert(ctx.flushed() < 0);
    ctx.release();
  }),
);

/** A file of one page that begins with `byte`. */
function file(byte: number): number {
  const fd = memfdCreate("test");
  assertEquals(ftruncate(fd, PAGE), 0);
  assertEquals(pwriteFd(fd, Uint8Array.of(byte), 0, 1, 0), 1);
  return fd;
}

Deno.test(
  "files that are gathered are mapped in any order, and more than fit in one message",
  withPlatform(SystrapPlatform.start, (p) => {
    const ctx = p.newAddressSpace("a") as SystrapContext;
    const files = Array.from({ length: 2 * FDS_MAX + 1 }, (_, i) => file(i + 1));
    const order = [...files, ...files.toReversed()];
    ctx.gatherFiles();
    order.forEach((fd, i) =>
      ctx.queueMmap(DATA + i * PAGE, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE, fd, 0)
    );
    ctx.startFlush();
    assertEquals(ctx.flushed(), 0);
    const byte = new Uint8Array(1);
    for (let i = 0; i < order.length; i++) {
      assertEquals(ctx.addressSpace.read(DATA + i * PAGE, byte, 0, 1), 1);
      assertEquals(byte[0], files.indexOf(order[i]) + 1);
    }
    const kept = [...Deno.readDirSync(`/proc/${ctx.addressSpace.hostPid}/fd`)];
    assertEquals(kept.map(({ name }) => name), ["3"], "its socket alone is left");
    files.forEach(closeFd);
    ctx.release();
  }),
);

/** As a trampoline calls: mov $231,%eax; mov $CODE,%rcx; jmp *%gs:0xf8 (SLOT_ENTRY) */
const EXIT_GROUP = [
  [0xb8, SYS_exit_group, 0, 0, 0],
  [0x48, 0xc7, 0xc1, 0, 0, 0x40, 0],
  [0x65, 0xff, 0x24, 0x25, 0xf8, 0, 0, 0],
].flat();

for (const isReapedFirst of [false, true]) {
  const when = isReapedFirst ? ", and is told of when it is gone" : "";
  Deno.test(
    `a process that nobody has a use for ends without an answer${when}`,
    withPlatform(SystrapPlatform.start, (p) => {
      p.serveLocally(true);
      const ctx = guest(p, EXIT_GROUP) as SystrapContext;
      const { addressSpace } = ctx;
      ctx.i32[I_QUITS] = 1;
      ctx.resume();
      const deadline = monoNs() + 10e9;
      if (isReapedFirst) {
        const stat = `/proc/${addressSpace.hostPid}/stat`;
        while (!/ Z /.test(Deno.readTextFileSync(stat))) assert(monoNs() < deadline);
        (p.newAddressSpace("other") as SystrapContext).release();
        assert(addressSpace.dead);
      }
      assert(next(p) === ctx);
      assertEquals([ctx.event, ctx.callNumber], [EVENT_NOTED, SYS_exit_group]);
      assert(ctx.usage(0, new Float64Array(RUSAGE_WORDS)), "what it has used came along");
      ctx.release({ trust: "" });
      while (!addressSpace.dead) {
        assert(monoNs() < deadline, "it lives on");
        assert(p.wait(1e6) === null, "it is lost once more");
      }
    }),
  );
}

Deno.test(
  "a fork's child gets the memory of one that has ended, though nobody has waited since",
  withPlatform(SystrapPlatform.start, (p) => {
    const parent = p.newAddressSpace("") as SystrapContext;
    const regions = new Set<unknown>();
    for (let round = 0; round < 10; round++) {
      const child = parent.addressSpace.fork(parent) as SystrapContext;
      assertEquals(parent.flush(), 0);
      regions.add(child.addressSpace.region);
      const stat = `/proc/${child.addressSpace.hostPid}/stat`;
      child.release();
      const deadline = monoNs() + 10e9;
      while (!/ Z /.test(Deno.readTextFileSync(stat))) assert(monoNs() < deadline);
      p.prepareFork();
    }
    assertEquals(regions.size, 1);
    parent.release();
  }),
);
