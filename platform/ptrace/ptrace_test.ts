/** What is ptrace's own. What every platform does is tested by platform/platform_test.ts. */
import { assert, assertEquals } from "@std/assert";
import { SYS_clock_gettime } from "../abi/amd64/syscalls.ts";
import { ENOSYS, ESRCH } from "../abi/errno.ts";
import { CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID } from "../abi/time.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_READ } from "../abi/mman.ts";
import { SIGSTOP, SIGTERM, SIGTRAP, SIGUSR1 } from "../abi/signal.ts";
import {
  getReg,
  REG_ORIG_RAX,
  REG_RAX,
  REG_RBX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  setReg,
} from "../arch/amd64/registers.ts";
import { closeFd, ftruncate, hostSyscall, memfdCreate, monoNs, pwriteFd } from "../host/host.ts";
import {
  type Context,
  EVENT_FAULT,
  EVENT_INTERRUPT,
  EVENT_LOST,
  EVENT_SYSCALL,
} from "../platform.ts";
import {
  back,
  CODE,
  COUNT_LOOP,
  DATA,
  guest,
  PAGE,
  run,
  RW,
  SYSCALL_LOOP,
  withPlatform,
} from "../fixture_test.ts";
import { PtracePlatform } from "./ptrace.ts";
import { ptraceLibrary } from "./native.ts";

const INJECT = ptraceLibrary().dv_pt_address(0);
const SCRATCH = ptraceLibrary().dv_pt_address(1);
const SYS_GETPID = 39;
const SYS_MPROTECT = 10;
const SYS_KILL = 62;

/** Until the host process is not there, or a zombie that nobody will reap. */
function awaitGone(pid: number): void {
  const deadline = monoNs() + 5e9;
  for (;;) {
    try {
      if (/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`))) return;
    } catch {
      return;
    }
    assert(monoNs() < deadline, `process ${pid} lives on`);
  }
}

Deno.test(
  "a stub holds its socket and nothing else",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, SYSCALL_LOOP);
    const fd = memfdCreate("file");
    ftruncate(fd, PAGE);
    ctx.queueMmap(0x60_0000, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    ctx.queueMmap(0x60_0001, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    assert(ctx.flush() < 0);
    closeFd(fd);
    const fds = [...Deno.readDirSync(`/proc/${ctx.addressSpace.hostPid}/fd`)].map((e) => e.name);
    assertEquals(fds, ["3"]);
  }),
);

Deno.test(
  "calls that the stub's filter forbids are not made",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, SYSCALL_LOOP);
    assertEquals(ctx.callNow(SYS_GETPID, 0, 0, 0, 0, 0), -ENOSYS);
    // Of clocks it may read its own thread's alone.
    assertEquals(ctx.callNow(SYS_clock_gettime, CLOCK_REALTIME, DATA, 0, 0, 0), -ENOSYS);
    assertEquals(ctx.callNow(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, DATA, 0, 0, 0), 0);
    ctx.queueCall(SYS_KILL, ctx.addressSpace.hostPid, 9, 0, 0, 0);
    assertEquals(ctx.flush(), -ENOSYS);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
  }),
);

Deno.test(
  "the guest's own use of the injection point is no host call",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, SYSCALL_LOOP);
    setReg(ctx.regs, REG_RIP, INJECT);
    setReg(ctx.regs, REG_RAX, SYS_GETPID);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), SYS_GETPID);
    assertEquals(run(p, ctx), EVENT_FAULT);
    assertEquals(ctx.faultSignal, SIGTRAP);
  }),
);

Deno.test(
  "signals from the host do not reach the guest",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, COUNT_LOOP);
    ctx.resume();
    for (const signal of [SIGTERM, SIGSTOP, SIGUSR1, SIGTRAP]) {
      assertEquals(hostSyscall(SYS_KILL, ctx.addressSpace.hostPid, signal), 0);
      assert(p.wait(2e6) === null);
    }
    ctx.interrupt();
    assertEquals(back(p, ctx), EVENT_INTERRUPT);
    const before = getReg(ctx.regs, REG_RBX);
    const deadline = monoNs() + 5e9;
    do {
      ctx.resume();
      assert(p.wait(2e6) === null && monoNs() < deadline);
      ctx.interrupt();
      assertEquals(back(p, ctx), EVENT_INTERRUPT);
    } while (getReg(ctx.regs, REG_RBX) === before);
  }),
);

Deno.test(
  "host calls are made for a guest in 32-bit mode, and a full load leads out of it",
  withPlatform(PtracePlatform.start, (p) => {
    // pushq $0x23; pushq $to; lretq; to, in 32-bit mode: mov $1,%eax; int $0x80; mov %eax,%edx; jmp .
    const to = CODE + 9;
    const code = [0x6a, 0x23, 0x68, to & 255, to >> 8 & 255, to >> 16 & 255, to >> 24, 0x48, 0xcb];
    code.push(0xb8, 1, 0, 0, 0, 0xcd, 0x80, 0x89, 0xc2, 0xeb, 0xfe);
    const ctx = guest(p, code);
    ctx.resume();
    const got = p.wait(20e6);
    if (got !== null) return assertEquals(ctx.event, EVENT_FAULT); // a host without 32-bit mode
    ctx.interrupt();
    assertEquals(back(p, ctx), EVENT_INTERRUPT);
    assertEquals(getReg(ctx.regs, REG_RDX), 0x1_0000_0000 - ENOSYS);
    assertEquals(getReg(ctx.regs, REG_RIP), to + 9);
    ctx.queueCall(SYS_MPROTECT, DATA, PAGE, PROT_READ, 0, 0);
    assertEquals(ctx.flush(), 0);
    ctx.queueCopyOut(CODE, Uint8Array.from(SYSCALL_LOOP), 0, SYSCALL_LOOP.length);
    setReg(ctx.regs, REG_RIP, CODE);
    setReg(ctx.regs, REG_RAX, 0x1234);
    ctx.setFullRegisters();
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 0x1234);
  }),
);

Deno.test(
  "a guest that scribbles on the scratch page gets no other guest's file",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, [
      ...SYSCALL_LOOP,
      // again: mov %rbx,(%rdi); add $8,%rbx; mov %rbx,0x38(%rdi); jmp again
      ...[0x48, 0x89, 0x1f, 0x48, 0x83, 0xc3, 8, 0x48, 0x89, 0x5f, 0x38, 0xeb, 0xf3],
    ]);
    const scribbler = ctx.addressSpace.newThread(ctx);
    assert(typeof scribbler !== "number");
    const other = guest(p, SYSCALL_LOOP);
    const files = [1, 2].map((n) => {
      const fd = memfdCreate("file");
      ftruncate(fd, PAGE);
      pwriteFd(fd, Uint8Array.of(n), 0, 1, 0);
      return fd;
    });
    const b = new Uint8Array(1);
    for (let i = 0; i < 200; i++) {
      // The header's iovec pointer, its control pointer and what lies behind.
      setReg(scribbler.regs, REG_RIP, CODE + SYSCALL_LOOP.length);
      setReg(scribbler.regs, REG_RDI, SCRATCH + 0x100 + 8 * (i % 8));
      scribbler.setFullRegisters();
      scribbler.resume();
      ctx.queueMmap(0x60_0000, PAGE, RW, MAP_PRIVATE | MAP_FIXED, files[0], 0);
      ctx.flush();
      other.queueMmap(0x60_0000, PAGE, RW, MAP_PRIVATE | MAP_FIXED, files[1], 0);
      assertEquals(other.flush(), 0);
      assertEquals(other.addressSpace.read(0x60_0000, b, 0, 1), 1);
      assertEquals(b[0], 2);
      scribbler.interrupt();
      const event = back(p, scribbler);
      assert(event === EVENT_INTERRUPT || event === EVENT_FAULT);
    }
    for (const fd of files) closeFd(fd);
    for (const c of [ctx, other]) {
      const fds = [...Deno.readDirSync(`/proc/${c.addressSpace.hostPid}/fd`)].map((e) => e.name);
      assertEquals(fds, ["3"]);
    }
  }),
);

Deno.test(
  "a process killed under the Sentry's hands fails its calls and is lost once",
  withPlatform(PtracePlatform.start, (p) => {
    for (let i = 0; i < 20; i++) {
      const ctx = guest(p, SYSCALL_LOOP);
      const thread = ctx.addressSpace.newThread(ctx);
      assert(typeof thread !== "number");
      ctx.addressSpace.kill();
      if (i & 1) assert(typeof ctx.addressSpace.fork(ctx) === "number");
      else assertEquals(ctx.callNow(SYS_MPROTECT, DATA, PAGE, PROT_READ, 0, 0), -ESRCH);
      const lost = new Set<Context>();
      while (lost.size < 2) {
        const got = p.wait(5e9);
        assert(got !== null && !lost.has(got));
        assertEquals(got.event, EVENT_LOST);
        lost.add(got);
      }
      assert(p.wait(0) === null);
      ctx.release();
      thread.release();
    }
    const ctx = guest(p, SYSCALL_LOOP);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
  }),
);

Deno.test(
  "released threads and processes are gone on the host, running ones too",
  withPlatform(PtracePlatform.start, (p) => {
    const ctx = guest(p, COUNT_LOOP);
    const thread = ctx.addressSpace.newThread(ctx);
    assert(typeof thread !== "number");
    const pid = ctx.addressSpace.hostPid;
    thread.resume();
    ctx.resume();
    thread.release();
    const deadline = monoNs() + 5e9;
    while ([...Deno.readDirSync(`/proc/${pid}/task`)].length > 1) {
      assert(p.wait(1e6) === null && monoNs() < deadline);
    }
    ctx.release();
    p.wait(0);
    awaitGone(pid);
  }),
);

Deno.test("the stubs die with their tracer", async () => {
  const code = `
    import { PtracePlatform } from ${JSON.stringify(new URL("./ptrace.ts", import.meta.url).href)};
    const p = PtracePlatform.start({ emptyRootFd: -1, namespaces: 0 });
    const [a, b] = [p.newAddressSpace(""), p.newAddressSpace()];
    console.log(a.addressSpace.hostPid, b.addressSpace.hostPid);
    p.wait(-1);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--unstable-worker-options", code],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = (await reader.read()).value ?? "";
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  const pids = line.trim().split(" ").map(Number);
  assertEquals(pids.length, 2);
  for (const pid of pids) awaitGone(pid);
});
