import { assertEquals, assertRejects } from "@std/assert";
import { SYS_getpid, SYS_pause } from "../../platform/abi/amd64/syscalls.ts";
import { REG_COUNT } from "../../platform/arch/amd64/registers.ts";
import { type Context, EVENT_SYSCALL, type Platform } from "../../platform/platform.ts";
import { Kernel } from "./kernel.ts";
import { Panic, RunLoop } from "./run.ts";
import { FULL, SyscallArguments, type SyscallHandler } from "./syscall.ts";

/** Runs a loop whose one guest thread makes one call, to its end. */
async function serveOne(number: number, handler: SyscallHandler): Promise<void> {
  const ctx = {
    owner: null as unknown,
    event: EVENT_SYSCALL,
    callNumber: number,
    regs: new Int32Array(2 * REG_COUNT),
    enteredBySignal: false,
    park() {},
  };
  let waits = 0;
  const platform = { wait: () => waits++ === 0 ? ctx as unknown as Context : null };
  const kernel = new Kernel({ platform: platform as unknown as Platform, hostname: "test" });
  ctx.owner = {
    ctx,
    tid: 3,
    name: "cat",
    args: new SyscallArguments(ctx.regs),
    sysno: -1,
    timeLookers: null,
    unwrittenFrame: null,
    blocking: {
      started: () => kernel.inflight++,
      settled: () => kernel.inflight = 0,
    },
  };
  await new RunLoop(kernel, [[number, "call", handler, FULL]]).run();
}

Deno.test("a handler that throws ends the loop with a report of the call and the task", async () => {
  const panic = await assertRejects(
    () =>
      serveOne(SYS_getpid, () => {
        throw new TypeError("no such thing");
      }),
    Panic,
  );
  assertEquals(
    panic.message.split("\n")[0],
    "in getpid(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) of cat[3]: TypeError: no such thing",
  );
});

Deno.test("so does one that throws after it has waited", async () => {
  const panic = await assertRejects(
    () => serveOne(SYS_pause, () => Promise.reject(new Error("later"))),
    Panic,
  );
  assertEquals(panic.message.startsWith("in pause(0x0"), true);
});
