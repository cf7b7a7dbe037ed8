import { assertEquals, assertRejects } from "@std/assert";
import { SYS_getpid, SYS_pause } from "../../platform/abi/amd64/syscalls.ts";
import { REG_COUNT } from "../../platform/arch/amd64/registers.ts";
import { type Context, EVENT_SYSCALL, type Platform } from "../../platform/platform.ts";
import { Kernel } from "./kernel.ts";
import { Panic, RunLoop } from "./run.ts";
import { FULL, SyscallArguments, type SyscallHandler, type SyscallRow } from "./syscall.ts";

function runLoop(numbers: number[], rows: readonly SyscallRow[]) {
  const ctx = {
    owner: null as unknown,
    event: EVENT_SYSCALL,
    callNumber: -1,
    regs: new Int32Array(2 * REG_COUNT),
    enteredBySignal: false,
    park() {},
  };
  const platform = {
    wait: () => {
      const number = numbers.shift();
      if (number === undefined) loop.stop();
      else ctx.callNumber = number;
      return number === undefined ? null : ctx as unknown as Context;
    },
  };
  const kernel = new Kernel({ platform: platform as unknown as Platform, hostname: "test" });
  ctx.owner = {
    ctx,
    tid: 3,
    name: "cat",
    args: new SyscallArguments(ctx.regs),
    sysno: -1,
    timeLookers: null,
    unwrittenFrame: null,
    exiting: true, // What becomes of the results is none of these tests' business.
    blocking: {
      started: () => kernel.inflight++,
      settled: () => kernel.inflight = 0,
    },
  };
  const loop = new RunLoop(kernel, rows);
  return { kernel, loop };
}

/** Runs a loop whose one guest thread makes one call, to its end. */
async function serveOne(number: number, handler: SyscallHandler): Promise<void> {
  await runLoop([number], [[number, "call", handler, FULL]]).loop.run();
}

Deno.test("of calls that Linux does not have one line is kept, whatever their numbers", async () => {
  const { kernel, loop } = runLoop([1000, 1001, -5, 2 ** 31 - 1, SYS_getpid], []);
  await loop.run();
  assertEquals([...kernel.stubs], [["system calls of other numbers", 4], ["getpid", 1]]);
});

Deno.test("users who have nothing any more are forgotten, and others are not", () => {
  const { kernel } = runLoop([], []);
  kernel.user(1).tasks++;
  for (let uid = 2; uid < 10_000; uid++) kernel.user(uid);
  assertEquals([kernel.user(1).tasks, kernel.users.size < 2000], [1, true]);
});

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
