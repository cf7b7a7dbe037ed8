/** What the contract of platform.ts promises, on every platform. Guest code is assembled by hand. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { EFAULT, EPERM } from "./abi/errno.ts";
import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "./abi/mman.ts";
import { PROT_READ } from "./abi/mman.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP } from "./abi/signal.ts";
import { SYS_arch_prctl } from "./abi/amd64/syscalls.ts";
import { ARCH_SET_GS } from "./abi/prctl.ts";
import { CLOCK_THREAD_CPUTIME_ID } from "./abi/time.ts";
import {
  getReg,
  REG_COUNT,
  REG_FS_BASE,
  REG_GS_BASE,
  REG_ORIG_RAX,
  REG_R12,
  REG_RAX,
  REG_RBX,
  REG_RCX,
  REG_RDI,
  REG_RDX,
  REG_RFLAGS,
  REG_RIP,
  REG_RSI,
  setReg,
} from "./arch/amd64/registers.ts";
import {
  ANON,
  back,
  CODE,
  COUNT_LOOP,
  DATA,
  guest,
  next,
  PAGE,
  run,
  RW,
  SYSCALL_LOOP,
  withPlatform,
} from "./fixture_test.ts";
import { clockNs, closeFd, ftruncate, memfdCreate, monoNs, pwriteFd, ring } from "./host/host.ts";
import {
  type Context,
  EVENT_CALL_FAILED,
  EVENT_FAULT,
  EVENT_INTERRUPT,
  EVENT_LOST,
  EVENT_SYSCALL,
  type Platform,
  type PlatformOptions,
} from "./platform.ts";
import { ptraceLibrary } from "./ptrace/native.ts";
import { PtracePlatform } from "./ptrace/ptrace.ts";
import { SystrapPlatform } from "./systrap/systrap.ts";

const SYS_MUNMAP = 11;
const SYS_MPROTECT = 10;
const SYS_MREMAP = 25;

/** again: mov %eax,%edi; mov $39,%eax; syscall; jmp again */
const GETPID_LOOP = [0x89, 0xc7, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf5];
/** again: movq %rdi,%xmm0; then as the next */
const SET_XMM = [0x66, 0x48, 0x0f, 0x6e, 0xc7];
/** again: movq %xmm0,%rsi; syscall; jmp again */
const SHOW_XMM = [0x66, 0x48, 0x0f, 0x7e, 0xc6, 0x0f, 0x05, 0xeb, 0xf7];
/** lock incl (%rdi); jmp to itself */
const COUNT_IN_MEMORY = [0xf0, 0xff, 0x07, 0xeb, 0xfb];

ptraceLibrary(); // Bound at its first use, which would count as a leak of the test that comes first.

const platforms: Record<string, (options: PlatformOptions) => Platform> = {
  systrap: SystrapPlatform.start,
  ptrace: PtracePlatform.start,
};

function onEveryPlatform(name: string, fn: (p: Platform) => void): void {
  for (const [kind, start] of Object.entries(platforms)) {
    Deno.test(`${kind}: ${name}`, withPlatform(start, fn));
  }
}

function peek(ctx: Context, addr: number): number {
  const b = new Uint8Array(4);
  assertEquals(ctx.addressSpace.read(addr, b, 0, 4), 4);
  return new DataView(b.buffer).getUint32(0, true);
}

function poke(ctx: Context, addr: number, value: number): void {
  const b = new Uint8Array(4);
  new DataView(b.buffer).setUint32(0, value, true);
  assertEquals(ctx.addressSpace.write(addr, b, 0, 4), 4);
}

onEveryPlatform("a system call shows its registers and takes its return value", (p) => {
  const ctx = guest(p, GETPID_LOOP);
  setReg(ctx.regs, REG_R12, -2);
  for (let i = 0; i < 100; i++) {
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 39);
    assertEquals(getReg(ctx.regs, REG_RAX), 39);
    assertEquals(getReg(ctx.regs, REG_RDI), i === 0 ? 0 : i + 0x8000_0000 - 1);
    assertEquals(getReg(ctx.regs, REG_R12), -2);
    assertEquals(getReg(ctx.regs, REG_RIP), CODE + 9);
    ctx.setReturn(i + 0x8000_0000);
  }
});

onEveryPlatform("a full register load sets every register", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  const values = [];
  for (let r = 0; r < REG_COUNT; r++) {
    if (r === REG_RIP || r >= REG_FS_BASE - 2) continue;
    if (r === REG_RFLAGS || r === REG_RAX) continue;
    values.push(r);
    setReg(ctx.regs, r, 0x1234_0000_0000 + r);
  }
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  for (const r of values) assertEquals(getReg(ctx.regs, r), 0x1234_0000_0000 + r, `register ${r}`);
});

onEveryPlatform("the FS base is set alone", (p) => {
  // again: mov %fs:8,%rax; syscall; jmp again
  const code = [0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf3];
  const ctx = guest(p, code);
  poke(ctx, DATA + 8, 0x777);
  poke(ctx, DATA + 108, 0x778);
  ctx.setFsBase(DATA);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 0x777);
  assertEquals(getReg(ctx.regs, REG_FS_BASE), DATA);
  ctx.setFsBase(DATA + 100);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 0x778);
  ctx.setFsBase(0x7000_0000_0000_0000);
  assertEquals(run(p, ctx), EVENT_CALL_FAILED);
  assertEquals(ctx.failedErrno, -EPERM);
});

onEveryPlatform("a GS base set by a host call stays", (p) => {
  // again: mov %gs:8,%rax; syscall; jmp again
  const ctx = guest(p, [0x65, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf3]);
  poke(ctx, DATA + 8, 0x777);
  assertEquals(ctx.callNow(SYS_arch_prctl, ARCH_SET_GS, DATA, 0, 0, 0), 0);
  setReg(ctx.regs, REG_GS_BASE, DATA);
  for (let i = 0; i < 3; i++) {
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 0x777);
    assertEquals(getReg(ctx.regs, REG_GS_BASE), DATA);
    ctx.setReturn(0);
    if (i === 1) ctx.setFullRegisters();
  }
  const child = ctx.addressSpace.fork(ctx);
  assert(typeof child !== "number");
  assertEquals(ctx.flush(), 0);
  assertEquals(run(p, child), EVENT_SYSCALL);
  assertEquals(getReg(child.regs, REG_ORIG_RAX), 0x777);
});

interface Fault {
  what: string;
  code: number[];
  rdi?: number;
  signal: number;
  siCode: number;
  addr: number;
  trapno: number;
  error?: number;
  /** Where rip stands, after CODE. */
  rip?: number;
}
const SI_KERNEL = 0x80;
const FAULTS: Fault[] = [
  {
    what: "reading unmapped memory",
    code: [0x8b, 0x07],
    rdi: 0x123456,
    signal: SIGSEGV,
    siCode: 1,
    addr: 0x123456,
    trapno: 14,
    error: 4,
  },
  {
    what: "writing to read-only memory",
    code: [0x89, 0x07],
    rdi: DATA + 8,
    signal: SIGSEGV,
    siCode: 2,
    addr: DATA + 8,
    trapno: 14,
    error: 7,
  },
  {
    what: "a non-canonical address",
    code: [0x8b, 0x07],
    rdi: 0x1_0000_0000_0000_00,
    signal: SIGSEGV,
    siCode: SI_KERNEL,
    addr: 0,
    trapno: 13,
  },
  { what: "hlt", code: [0xf4], signal: SIGSEGV, siCode: SI_KERNEL, addr: 0, trapno: 13 },
  {
    what: "division by zero",
    code: [0xf7, 0xf7],
    signal: SIGFPE,
    siCode: 1,
    addr: CODE,
    trapno: 0,
  },
  { what: "ud2", code: [0x0f, 0x0b], signal: SIGILL, siCode: 2, addr: CODE, trapno: 6 },
  { what: "int3", code: [0xcc], signal: SIGTRAP, siCode: SI_KERNEL, addr: 0, trapno: 3, rip: 1 },
  {
    what: "a jump to nowhere",
    code: [0xff, 0xe7],
    rdi: 0x654321,
    signal: SIGSEGV,
    siCode: 1,
    addr: 0x654321,
    trapno: 14,
    error: 0x14,
    rip: 0x654321 - CODE,
  },
];

onEveryPlatform("faults tell signal, code, address and trap", (p) => {
  for (const f of FAULTS) {
    const ctx = guest(p, f.code);
    poke(ctx, DATA, 0); // the page is there
    ctx.queueCall(SYS_MPROTECT, DATA, PAGE, PROT_READ, 0, 0);
    setReg(ctx.regs, REG_RDI, f.rdi ?? 0);
    assertEquals(run(p, ctx), EVENT_FAULT, f.what);
    assertEquals(ctx.faultSignal, f.signal, f.what);
    assertEquals(ctx.faultCode, f.siCode, f.what);
    assertEquals(ctx.faultAddr, f.addr, f.what);
    assertEquals(ctx.faultTrapno, f.trapno, f.what);
    if (f.error !== undefined) assertEquals(ctx.faultError, f.error, f.what);
    assertEquals(getReg(ctx.regs, REG_RIP), CODE + (f.rip ?? 0), f.what);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), -1, f.what);
    ctx.release();
  }
});

onEveryPlatform("a page beyond the end of a file raises SIGBUS", (p) => {
  const ctx = guest(p, [0x8b, 0x07]);
  const fd = memfdCreate("empty");
  ctx.queueMmap(0x60_0000, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  closeFd(fd);
  setReg(ctx.regs, REG_RDI, 0x60_0000);
  assertEquals(run(p, ctx), EVENT_FAULT);
  assertEquals(ctx.faultSignal, SIGBUS);
  assertEquals(ctx.faultAddr, 0x60_0000);
});

onEveryPlatform("a guest's trap flag steps it", (p) => {
  const ctx = guest(p, [0x90, 0x90, 0x90]);
  setReg(ctx.regs, REG_RFLAGS, 0x302);
  for (let i = 1; i < 3; i++) {
    assertEquals(run(p, ctx), EVENT_FAULT);
    assertEquals(ctx.faultSignal, SIGTRAP);
    assertEquals(ctx.faultTrapno, 1);
    assertEquals(getReg(ctx.regs, REG_RIP), CODE + i);
    ctx.setFullRegisters();
  }
});

onEveryPlatform("after a fault is mended the guest goes on", (p) => {
  const ctx = guest(p, [0x8b, 0x07, ...SYSCALL_LOOP]); // mov (%rdi),%eax
  setReg(ctx.regs, REG_RDI, 0x70_0000);
  assertEquals(run(p, ctx), EVENT_FAULT);
  ctx.queueMmap(0x70_0000, PAGE, RW, ANON, -1, 0);
  ctx.queueCopyOut(0x70_0000, Uint8Array.of(99, 0, 0, 0), 0, 4);
  ctx.setFullRegisters();
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 99);
});

onEveryPlatform("an interrupt stops a loop between two instructions, again and again", (p) => {
  const ctx = guest(p, COUNT_LOOP);
  let last = 0;
  for (let i = 0; i < 20; i++) {
    ctx.resume();
    // The second of two interrupts may be told of later, but then as such.
    if (p.wait(1e5) === null) {
      ctx.interrupt();
      ctx.interrupt();
      assert(next(p) === ctx);
    }
    assertEquals(ctx.event, EVENT_INTERRUPT);
    const count = getReg(ctx.regs, REG_RBX);
    assert(count >= last, "no registers were lost");
    last = count;
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), -1);
    // Without a word about registers all of them are as they were.
  }
  assert(last > 0);
});

onEveryPlatform("an interrupt that meets a system call does not change it", (p) => {
  const ctx = guest(p, GETPID_LOOP);
  let calls = 0;
  for (let i = 0; i < 10_000 && calls < 200; i++) {
    ctx.resume();
    if (i % 3 === 0) ctx.interrupt();
    if (back(p, ctx) === EVENT_INTERRUPT) continue;
    assertEquals(ctx.event, EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 39);
    assertEquals(getReg(ctx.regs, REG_RDI), calls === 0 ? 0 : 1000 + calls);
    ctx.interrupt(); // of no effect: the Sentry owns it
    calls++;
    ctx.setReturn(1000 + calls);
  }
  assertEquals(calls, 200);
});

onEveryPlatform("memory reads and writes may be short, and fail with EFAULT", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  const space = ctx.addressSpace;
  const b = new Uint8Array(100).fill(7);
  assertEquals(space.write(DATA + 10, b, 20, 70), 50);
  assertEquals(space.read(DATA + 8, b, 0, 4), 4);
  assertEquals([...b.subarray(0, 4)], [0, 0, 7, 7]);
  assertEquals(space.read(DATA + PAGE - 30, b, 0, 100), 30);
  assertEquals(space.write(DATA + PAGE - 30, b, 0, 100), 30);
  assertEquals(space.read(DATA + PAGE, b, 0, 1), -EFAULT);
  assertEquals(space.write(DATA + PAGE, b, 0, 1), -EFAULT);
  assertEquals(space.read(DATA, b, 5, 5), 0);
});

onEveryPlatform("queued operations take place in order", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  ctx.queueCopyOut(DATA, new Uint8Array(PAGE).fill(0xaa), 0, PAGE);
  ctx.queueZero(DATA + 4, 8);
  ctx.queueCopyOut(DATA + 8, Uint8Array.of(1, 2, 3, 4), 1, 4);
  ctx.queueMmap(0x60_0000, 2 * PAGE, RW, ANON, -1, 0);
  ctx.queueCopyOut(0x60_0000, new Uint8Array(2 * PAGE).fill(0xbb), 0, 2 * PAGE);
  ctx.queueCall(SYS_MUNMAP, 0x60_0000, PAGE, 0, 0, 0);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(peek(ctx, DATA), 0xaaaaaaaa);
  assertEquals(peek(ctx, DATA + 4), 0);
  assertEquals(peek(ctx, DATA + 8), 0x00040302);
  assertEquals(peek(ctx, DATA + 12), 0xaaaaaaaa);
  assertEquals(ctx.addressSpace.read(0x60_0000, new Uint8Array(1), 0, 1), -EFAULT);
  assertEquals(peek(ctx, 0x60_0000 + PAGE), 0xbbbbbbbb);
  assert(!ctx.queued);
  ctx.awaitPerformed();
  assert(ctx.performed);
});

onEveryPlatform("a failed operation is reported at resume, and none after it ran", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  ctx.queueCopyOut(DATA, Uint8Array.of(5), 0, 1);
  ctx.queueCall(SYS_MPROTECT, 0x9_0000_0000, PAGE, PROT_READ, 0, 0);
  ctx.queueCopyOut(DATA, Uint8Array.of(6), 0, 1);
  assert(ctx.queued);
  assertEquals(run(p, ctx), EVENT_CALL_FAILED);
  assertEquals(ctx.failedCall, 1);
  assertEquals(ctx.failedErrno, -12);
  assertEquals(peek(ctx, DATA), 5);
  // The guest has not run.
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RIP), CODE + 2);
});

onEveryPlatform("flush returns the first error, callNow the call's result", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  assertEquals(ctx.flush(), 0);
  ctx.queueZero(0x9_0000_0000, 8);
  assertEquals(ctx.flush(), -EFAULT);
  assertEquals(ctx.flush(), 0);
  ctx.queueCopyOut(0x9_0000_0000, Uint8Array.of(1), 0, 1);
  assertEquals(ctx.flush(), -EFAULT);
  const at = ctx.callNow(SYS_MREMAP, DATA, PAGE, PAGE, 3, 0x7f12_3456_7000);
  assertEquals(at, 0x7f12_3456_7000);
  poke(ctx, at, 1);
  assertEquals(ctx.callNow(SYS_MREMAP, DATA, PAGE, 2 * PAGE, 0, 0), -EFAULT);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
});

onEveryPlatform("many host files are mapped, privately and shared", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  const fd = memfdCreate("file");
  ftruncate(fd, 40 * PAGE);
  for (let i = 0; i < 40; i++) pwriteFd(fd, Uint8Array.of(i, 1, 1, 1), 0, 4, i * PAGE);
  for (let i = 0; i < 40; i++) {
    const flags = (i & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED;
    ctx.queueMmap(0x60_0000 + i * PAGE, PAGE, RW, flags, fd, i * PAGE);
  }
  closeFd(fd);
  assertEquals(ctx.flush(), 0);
  for (let i = 0; i < 40; i++) assertEquals(peek(ctx, 0x60_0000 + i * PAGE), 0x01010100 + i);
});

onEveryPlatform("fork copies memory and registers, and both go on", (p) => {
  const parent = guest(p, GETPID_LOOP);
  assertEquals(run(p, parent), EVENT_SYSCALL);
  poke(parent, DATA, 1);
  const child = parent.addressSpace.fork(parent);
  assert(typeof child !== "number");
  assertEquals(parent.flush(), 0);
  assertNotEquals(child.addressSpace.hostPid, parent.addressSpace.hostPid);
  assertEquals(child.regs.subarray(0, 36), parent.regs.subarray(0, 36));
  poke(child, DATA, 2);
  assertEquals([peek(parent, DATA), peek(child, DATA)], [1, 2]);
  parent.setReturn(41);
  child.setReturn(0);
  parent.resume();
  child.resume();
  const both = new Set([next(p), next(p)]);
  assert(both.has(parent) && both.has(child));
  assertEquals(getReg(parent.regs, REG_RDI), 41);
  assertEquals(getReg(child.regs, REG_RDI), 0);
  // A child of a child, after the parent is gone.
  parent.release();
  const grandchild = child.addressSpace.fork(child);
  assert(typeof grandchild !== "number");
  assertEquals(child.flush(), 0);
  child.release();
  assertEquals(peek(grandchild, DATA), 2);
  assertEquals(run(p, grandchild), EVENT_SYSCALL);
});

onEveryPlatform("threads share memory and run at once; a leader may go first", (p) => {
  const leader = guest(p, [...SYSCALL_LOOP, ...COUNT_IN_MEMORY]);
  assertEquals(run(p, leader), EVENT_SYSCALL);
  const threads: Context[] = [];
  for (let i = 0; i < 3; i++) {
    const t = leader.addressSpace.newThread(leader);
    assert(typeof t !== "number");
    setReg(t.regs, REG_RIP, CODE + SYSCALL_LOOP.length);
    setReg(t.regs, REG_RDI, DATA + 4 * i);
    t.setFullRegisters();
    threads.push(t);
  }
  assertEquals(leader.flush(), 0);
  assertEquals(leader.addressSpace.threadCount, 4);
  for (const t of threads) t.resume();
  const space = leader.addressSpace;
  leader.release();
  assertEquals(space.threadCount, 3);
  const deadline = monoNs() + 5e9;
  for (let i = 0; i < 3; i++) {
    while (peek(threads[0], DATA + 4 * i) === 0) {
      assert(monoNs() < deadline, "a thread stands still");
    }
  }
  for (const t of threads) t.interrupt();
  for (let i = 0; i < 3; i++) {
    const t = next(p);
    assertEquals(t.event, EVENT_INTERRUPT);
    t.release();
  }
});

onEveryPlatform("a thread inherits the FS base and FP state", (p) => {
  const ctx = guest(p, [...SET_XMM, ...SHOW_XMM]);
  setReg(ctx.regs, REG_RDI, 1234);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  const thread = ctx.addressSpace.newThread(ctx);
  const child = ctx.addressSpace.fork(ctx);
  assert(typeof thread !== "number" && typeof child !== "number");
  assertEquals(ctx.flush(), 0);
  for (const c of [thread, child]) {
    setReg(c.regs, REG_RSI, 0);
    c.setFullRegisters();
    assertEquals(run(p, c), EVENT_SYSCALL);
    assertEquals(getReg(c.regs, REG_RSI), 1234);
  }
});

const FP_AT = 0x68_0000;

onEveryPlatform(
  "FP state that was saved is still there when what is queued behind it fails",
  (p) => {
    const ctx = guest(p, [...SET_XMM, ...SHOW_XMM]);
    ctx.queueMmap(FP_AT, 8 * PAGE, RW, ANON, -1, 0);
    setReg(ctx.regs, REG_RDI, 4711);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    ctx.queueSaveFp(FP_AT);
    ctx.queueCopyOut(0x9_0000_0000, Uint8Array.of(1), 0, 1);
    ctx.queueLoadFp(0);
    assertEquals(ctx.flush(), -EFAULT);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_RSI), 4711);
  },
);

onEveryPlatform("FP state is saved, reset, and loaded again", (p) => {
  const ctx = guest(p, [...SET_XMM, ...SHOW_XMM]);
  ctx.queueMmap(FP_AT, 8 * PAGE, RW, ANON, -1, 0);
  assert(p.fpState.size >= 576 && p.fpState.size <= 8 * PAGE);
  setReg(ctx.regs, REG_RDI, 0x1_2345_6789);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RSI), 0x1_2345_6789);
  ctx.queueSaveFp(FP_AT);
  ctx.queueLoadFp(0);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RSI), 0, "reset");
  const image = new Uint8Array(p.fpState.size);
  assertEquals(ctx.addressSpace.read(FP_AT, image, 0, image.length), image.length);
  const view = new DataView(image.buffer);
  assertEquals(view.getUint16(0, true), 0x37f, "FCW");
  assertEquals(view.getUint32(24, true), 0x1f80, "MXCSR");
  assertEquals(view.getUint32(160, true), 0x2345_6789, "XMM0");
  assertEquals(view.getUint32(512, true) & 2, 2, "SSE state is there");
  view.setUint32(160, 77, true);
  ctx.queueCopyOut(FP_AT, image, 0, image.length);
  ctx.queueLoadFp(FP_AT);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RSI), 0x1_0000_0000 + 77);
  ctx.queueLoadFp(0);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RSI), 0);
});

onEveryPlatform("FP state survives faults and interrupts", (p) => {
  const ctx = guest(p, [...SET_XMM, 0xcc, ...COUNT_LOOP]);
  setReg(ctx.regs, REG_RDI, 4711);
  assertEquals(run(p, ctx), EVENT_FAULT);
  ctx.setFullRegisters();
  ctx.resume();
  ctx.interrupt();
  assertEquals(back(p, ctx), EVENT_INTERRUPT);
  ctx.queueMmap(FP_AT, 8 * PAGE, RW, ANON, -1, 0);
  ctx.queueSaveFp(FP_AT);
  assertEquals(ctx.flush(), 0);
  assertEquals(peek(ctx, FP_AT + 160), 4711);
  ctx.queueCopyOut(CODE, Uint8Array.from(SHOW_XMM), 0, SHOW_XMM.length);
  ctx.queueLoadFp(FP_AT);
  setReg(ctx.regs, REG_RIP, CODE);
  ctx.setFullRegisters();
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RSI), 4711);
});

onEveryPlatform("a malformed FP image is refused", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  ctx.queueMmap(FP_AT, 8 * PAGE, RW, ANON, -1, 0);
  ctx.queueSaveFp(FP_AT);
  assertEquals(ctx.flush(), 0);
  poke(ctx, FP_AT + 24, 0xffff_ffff); // MXCSR
  ctx.queueLoadFp(FP_AT);
  assertEquals(run(p, ctx), EVENT_CALL_FAILED);
  assertEquals(ctx.failedErrno, -EFAULT);
  poke(ctx, FP_AT + 24, 0x1f80);
  poke(ctx, FP_AT + 512 + 16, 1); // a reserved byte of the header
  ctx.queueLoadFp(FP_AT);
  assertEquals(ctx.flush(), -EFAULT);
  ctx.queueLoadFp(FP_AT + 8);
  assertEquals(ctx.flush(), -EFAULT);
  ctx.queueSaveFp(0x9_0000_0000);
  assertEquals(ctx.flush(), -EFAULT);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
});

onEveryPlatform("a killed process comes back as lost", (p) => {
  const ctx = guest(p, COUNT_LOOP);
  const thread = ctx.addressSpace.newThread(ctx);
  assert(typeof thread !== "number");
  assertEquals(ctx.flush(), 0);
  ctx.resume();
  thread.resume();
  ctx.addressSpace.kill();
  const both = new Set([next(p), next(p)]);
  assert(both.has(ctx) && both.has(thread));
  for (const c of both) {
    assertEquals(c.event, EVENT_LOST);
    assertNotEquals(c.flush(), 0);
    c.release();
  }
  // The next one may have its handle.
  const other = guest(p, SYSCALL_LOOP);
  assertEquals(run(p, other), EVENT_SYSCALL);
});

/** Waits until `ns` are over: a platform may return early a few times, for chores of its own. */
function waitOut(p: Platform, ns: number): void {
  const end = monoNs() + ns;
  let early = 0;
  for (let left = ns; left > 0; left = end - monoNs()) {
    assert(p.wait(left) === null);
    if (monoNs() < end) early++;
  }
  assert(early < 5, `${early} early returns`);
}

onEveryPlatform("wait ends at its time, and when the doorbell rings", (p) => {
  const ctx = guest(p, COUNT_LOOP);
  assert(p.wait(0) === null);
  waitOut(p, 3e6);
  ctx.resume();
  waitOut(p, 3e6);
  const start = monoNs();
  ring();
  assert(p.wait(60e9) === null);
  assert(monoNs() - start < 30e9);
  ctx.addressSpace.kill();
  assertEquals(back(p, ctx), EVENT_LOST);
});

onEveryPlatform("resumeAndWait gives one thread its result, and returns who comes next", (p) => {
  const [a, b] = [guest(p, SYSCALL_LOOP), guest(p, SYSCALL_LOOP)];
  for (const ctx of [a, b]) assertEquals(run(p, ctx), EVENT_SYSCALL);
  for (const result of [0, 4242, 39]) {
    const got = p.resumeAndWait(a, result, 1e9) ?? next(p);
    assert(got === a && a.event === EVENT_SYSCALL);
    assertEquals(a.callNumber, result); // Its next call has what it got in rax.
  }
  b.resumeWith(1);
  const first = p.resumeAndWait(a, 2, 1e9) ?? next(p);
  assertEquals(new Set([first, next(p)]), new Set([a, b]));
  assertEquals([a.callNumber, b.callNumber], [2, 1]);
});

onEveryPlatform("waiting costs no CPU", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  const before = clockNs(CLOCK_THREAD_CPUTIME_ID);
  waitOut(p, 200e6);
  const usedNs = clockNs(CLOCK_THREAD_CPUTIME_ID) - before;
  assert(usedNs < 10e6, `${usedNs} ns of 200 ms`);
});

onEveryPlatform("the vDSO is there and nothing of the host's calls is", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  assert(p.vdsoAddr >= p.taskSize);
  assertEquals(peek(ctx, p.vdsoAddr), 0x464c457f);
  // A call that the platform did not make must not reach the host: munmap of the data page.
  setReg(ctx.regs, REG_RAX, SYS_MUNMAP);
  setReg(ctx.regs, REG_RDI, DATA);
  setReg(ctx.regs, REG_RSI, PAGE);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_ORIG_RAX), SYS_MUNMAP);
  assertEquals(peek(ctx, DATA), 0);
});

onEveryPlatform("x32 numbers and impossible ones arrive as they are", (p) => {
  const ctx = guest(p, SYSCALL_LOOP);
  for (const nr of [0x4000_0027, -1, 0x7fff_ffff, 0x1_0000_0027]) {
    ctx.setReturn(nr);
    assertEquals(run(p, ctx), EVENT_SYSCALL);
    assertEquals(getReg(ctx.regs, REG_ORIG_RAX), nr);
  }
});

onEveryPlatform("32-bit entries are answered with ENOSYS", (p) => {
  // mov $20,%eax; int $0x80; mov %rax,%rdx; syscall
  const ctx = guest(p, [0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x48, 0x89, 0xc2, 0x0f, 0x05]);
  const event = run(p, ctx);
  if (event === EVENT_FAULT) return; // a host without 32-bit emulation
  assertEquals(event, EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RIP), CODE + 12);
  assertEquals(getReg(ctx.regs, REG_RDX), -38);
});

onEveryPlatform("calls to the vsyscall page are reported", (p) => {
  // mov $-10<<20|0x400,%rax (time); call *%rax; mov %rax,%rdx; syscall
  const code = [0x48, 0xc7, 0xc0, 0, 4, 0x60, 0xff, 0xff, 0xd0, 0x48, 0x89, 0xc2, 0x0f, 0x05];
  const ctx = guest(p, code);
  if (run(p, ctx) === EVENT_FAULT) return; // a host without the page
  assertEquals(getReg(ctx.regs, REG_ORIG_RAX), 201);
  assertEquals(getReg(ctx.regs, REG_RIP), CODE + 9);
  ctx.setReturn(4242);
  assertEquals(run(p, ctx), EVENT_SYSCALL);
  assertEquals(getReg(ctx.regs, REG_RDX), 4242);
  assertEquals(getReg(ctx.regs, REG_RCX) > 0, true);
});

onEveryPlatform("sixty processes come and go", (p) => {
  const first = guest(p, GETPID_LOOP);
  assertEquals(run(p, first), EVENT_SYSCALL);
  for (let i = 0; i < 60; i++) {
    const child = first.addressSpace.fork(first);
    assert(typeof child !== "number");
    assertEquals(first.flush(), 0);
    child.setReturn(i);
    assertEquals(run(p, child), EVENT_SYSCALL);
    assertEquals(getReg(child.regs, REG_RDI), i);
    child.release();
  }
});
