import { assertEquals } from "@std/assert";
import { type KernelTimer, TimerHeap } from "./timers.ts";

function timer(deadlineMonoNs: number, log: number[]): KernelTimer {
  return { deadlineMonoNs, fire: () => log.push(deadlineMonoNs) };
}

Deno.test("timers fire in the order of their deadlines", () => {
  const heap = new TimerHeap();
  const fired: number[] = [];
  for (const deadline of [50, 10, 40, 20, 30, 10]) heap.add(timer(deadline, fired));
  assertEquals(heap.nextDeadlineMonoNs, 10);
  assertEquals(heap.expire(30), 4);
  assertEquals(fired, [10, 10, 20, 30]);
  assertEquals(heap.nextDeadlineMonoNs, 40);
  heap.expire(1000);
  assertEquals(fired, [10, 10, 20, 30, 40, 50]);
  assertEquals(heap.nextDeadlineMonoNs, -1);
});

Deno.test("a cancelled timer does not fire, the others keep their order", () => {
  const heap = new TimerHeap();
  const fired: number[] = [];
  const timers = [5, 3, 8, 1, 9, 2, 7].map((deadline) => timer(deadline, fired));
  for (const each of timers) heap.add(each);
  assertEquals(heap.cancel(timers[3]), true);
  assertEquals(heap.cancel(timers[3]), false);
  assertEquals(heap.cancel(timers[2]), true);
  heap.expire(100);
  assertEquals(fired, [2, 3, 5, 7, 9]);
});

Deno.test("adding an armed timer moves it to its new deadline", () => {
  const heap = new TimerHeap();
  const fired: string[] = [];
  const a: KernelTimer = { deadlineMonoNs: 10, fire: () => fired.push("a") };
  const b: KernelTimer = { deadlineMonoNs: 20, fire: () => fired.push("b") };
  heap.add(a);
  heap.add(b);
  a.deadlineMonoNs = 30;
  heap.add(a);
  assertEquals(heap.size, 2);
  heap.expire(100);
  assertEquals(fired, ["b", "a"]);
});

Deno.test("a timer may arm itself again while it fires", () => {
  const heap = new TimerHeap();
  let fired = 0;
  const periodic: KernelTimer = {
    deadlineMonoNs: 10,
    fire() {
      fired++;
      this.deadlineMonoNs += 10;
      heap.add(this);
    },
  };
  heap.add(periodic);
  assertEquals(heap.expire(35), 3);
  assertEquals(fired, 3);
  assertEquals(heap.nextDeadlineMonoNs, 40);
});

Deno.test("a deadline before the clock began is due now, not none", () => {
  const heap = new TimerHeap();
  const fired: number[] = [];
  heap.add(timer(5, fired));
  heap.add(timer(-7, fired));
  assertEquals(heap.nextDeadlineMonoNs, 0);
  heap.expire(0);
  assertEquals(fired, [-7]);
});
