/** A guest of a few instructions, for tests of platforms. */
import { assert, assertEquals } from "@std/assert";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "./abi/mman.ts";
import { REG_RFLAGS, REG_RIP, REG_RSP, setReg } from "./arch/amd64/registers.ts";
import { monoNs } from "./host/host.ts";
import type { Context, Platform, PlatformOptions } from "./platform.ts";

export const CODE = 0x40_0000;
export const DATA = 0x50_0000;
export const PAGE = 4096;
export const ANON = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
export const RW = PROT_READ | PROT_WRITE;

/** again: syscall; jmp again */
export const SYSCALL_LOOP = [0x0f, 0x05, 0xeb, 0xfc];
/** again: inc %rbx; jmp again */
export const COUNT_LOOP = [0x48, 0xff, 0xc3, 0xeb, 0xfb];

/** Starts with `start`, runs `test` and shuts down: what Deno.test calls. */
export function withPlatform<P extends Platform>(
  start: (options: PlatformOptions) => P,
  test: (p: P) => void,
): () => void {
  return () => {
    const p = start({ emptyRootFd: -1, namespaces: 0 });
    try {
      test(p);
    } finally {
      p.shutdown();
    }
  };
}

/** A fresh address space that will run `code` at CODE; a page of data at DATA. */
export function guest(p: Platform, code: number[]): Context {
  const ctx = p.newAddressSpace("");
  assert(typeof ctx !== "number");
  ctx.queueMmap(CODE, PAGE, RW | PROT_EXEC, ANON, -1, 0);
  ctx.queueMmap(DATA, PAGE, RW, ANON, -1, 0);
  ctx.queueCopyOut(CODE, Uint8Array.from(code), 0, code.length);
  assertEquals(ctx.flush(), 0);
  ctx.regs.fill(0);
  setReg(ctx.regs, REG_RIP, CODE);
  setReg(ctx.regs, REG_RSP, DATA + PAGE);
  setReg(ctx.regs, REG_RFLAGS, 0x202);
  ctx.setFullRegisters();
  return ctx;
}

/** Waits for `ctx`, which was resumed. Fails at another context or after seconds. */
export function back(p: Platform, ctx: Context): number {
  const got = next(p);
  assert(got === ctx, "another context came back");
  return ctx.event;
}

export function next(p: Platform): Context {
  const deadline = monoNs() + 5e9;
  while (monoNs() < deadline) {
    const ctx = p.wait(1e9);
    if (ctx !== null) return ctx;
  }
  throw new Error("no context came back");
}

export function run(p: Platform, ctx: Context): number {
  ctx.resume();
  return back(p, ctx);
}
