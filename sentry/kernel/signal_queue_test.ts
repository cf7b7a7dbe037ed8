import { assertEquals } from "@std/assert";
import { SIGINT, SIGSEGV, SIGTERM } from "../../platform/abi/signal.ts";
import { SigInfo } from "./signal_info.ts";
import { PendingSignals, setHas } from "./signal_queue.ts";

const ALL = 0xffffffff;

function queue(...infos: SigInfo[]): PendingSignals {
  const pending = new PendingSignals();
  for (const info of infos) pending.add(info.signo, info);
  return pending;
}

Deno.test("signals are taken lowest number first, faults before all others", () => {
  const pending = queue(new SigInfo(SIGTERM, 0), new SigInfo(SIGINT, 0), new SigInfo(SIGSEGV, 1));
  const taken = [1, 2, 3].map(() => pending.take(ALL, ALL)?.signo);
  assertEquals(taken, [SIGSEGV, SIGINT, SIGTERM]);
  assertEquals(pending.take(ALL, ALL), null);
});

Deno.test("real-time signals queue, in the order they were sent", () => {
  const pending = queue(...[3, 1, 2].map((value) => {
    const info = new SigInfo(40, -1);
    info.valueLo = value;
    return info;
  }));
  assertEquals([1, 2, 3].map(() => pending.take(0, ALL)?.valueLo), [3, 1, 2]);
  assertEquals(pending.has(40), false);
});

Deno.test("signal 64 and signal 32 are the ends of their halves", () => {
  const pending = queue(new SigInfo(64, -1), new SigInfo(32, -1), new SigInfo(33, -1));
  assertEquals(pending.lo >>> 0, 0x80000000);
  assertEquals(pending.hi >>> 0, 0x80000001);
  assertEquals(setHas(pending.lo, pending.hi, 64), true);
  assertEquals([1, 2, 3].map(() => pending.take(ALL, ALL)?.signo), [32, 33, 64]);
});

Deno.test("a blocked signal stays, and flushing forgets it", () => {
  const pending = queue(new SigInfo(SIGINT, 0), new SigInfo(SIGTERM, 0));
  assertEquals(pending.take(1 << (SIGTERM - 1), 0)?.signo, SIGTERM);
  assertEquals(pending.has(SIGINT), true);
  pending.flush(1 << (SIGINT - 1), 0);
  assertEquals(pending.has(SIGINT), false);
});

Deno.test("a signal without a queued entry reads as one from kill without a sender", () => {
  const pending = new PendingSignals();
  pending.add(SIGINT, null);
  const info = pending.take(ALL, ALL)!;
  assertEquals([info.signo, info.code, info.pid], [SIGINT, 0, 0]);
});

Deno.test("taking an entry returns its charge to the user", () => {
  const user = { pendingSignals: 1 };
  const info = new SigInfo(34, -1);
  info.charged = user;
  queue(info).take(0, ALL);
  assertEquals(user.pendingSignals, 0);
});
