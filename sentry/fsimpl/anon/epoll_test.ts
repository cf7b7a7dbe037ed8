import {
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from "../../../platform/abi/epoll.ts";
import { EEXIST, EINVAL, ELOOP, ENOENT } from "../../../platform/abi/errno.ts";
import { newAnonFile } from "../../vfs/anon.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { newPipe } from "../pipe/mod.ts";
import { EpollFile } from "./epoll.ts";
import { newEventFd } from "./eventfd.ts";

function eq(actual: unknown, expected: unknown): void {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  if (a !== b) throw new Error(`got ${a}, want ${b}`);
}

/** [data, events] of what epoll_wait would give. */
function wait(epoll: EpollFile, max = 100): number[][] {
  const out: number[][] = [];
  epoll.harvest(max, (item, events) => out.push([item.dataLo, events]));
  epoll.settle(true);
  return out;
}
const write = (f: FileDescription, n = 1) => f.write(new KernelSrc(new Uint8Array(n)));
const read = (f: FileDescription, n = 1) => f.read(new KernelDst(new Uint8Array(n)));

Deno.test("level-triggered items are reported until they are drained", () => {
  const ep = new EpollFile();
  const [r, w] = newPipe(0, 0, 0);
  eq(ep.add(3, r, EPOLLIN, 7, 0), 0);
  eq(wait(ep), []);
  write(w, 2);
  eq(wait(ep), [[7, EPOLLIN]]);
  read(r);
  eq(wait(ep), [[7, EPOLLIN]]);
  read(r);
  eq(wait(ep), []);
  eq(ep.hasCandidates, false);
});

Deno.test("edge-triggered items are reported once for each arrival", () => {
  const ep = new EpollFile();
  const [r, w] = newPipe(0, 0, 0);
  ep.add(3, r, EPOLLIN | EPOLLET, 7, 0);
  write(w);
  eq(wait(ep).length, 1);
  eq(wait(ep).length, 0);
  write(w);
  eq(wait(ep).length, 1);
});

Deno.test("a oneshot item is silent until it is modified", () => {
  const ep = new EpollFile();
  const [r, w] = newPipe(0, 0, 0);
  ep.add(3, r, EPOLLIN | EPOLLONESHOT, 7, 0);
  write(w);
  eq(wait(ep).length, 1);
  write(w);
  eq(wait(ep).length, 0);
  eq(ep.modify(3, r, EPOLLIN | EPOLLONESHOT, 8, 0), 0);
  eq(wait(ep), [[8, EPOLLIN]]);
});

Deno.test("events that could not be delivered are reported again", () => {
  const ep = new EpollFile();
  const [r, w] = newPipe(0, 0, 0);
  ep.add(3, r, EPOLLIN | EPOLLET | EPOLLONESHOT, 7, 0);
  write(w);
  eq(ep.harvest(1, () => {}), 1);
  ep.settle(false);
  eq(wait(ep).length, 1);
});

Deno.test("closing the last reference removes the item", () => {
  const ep = new EpollFile();
  const [r, w] = newPipe(0, 0, 0);
  ep.add(3, r, EPOLLIN, 7, 0);
  write(w);
  r.acquire();
  r.release();
  eq(wait(ep).length, 1);
  r.release();
  eq(ep.size, 0);
  eq(wait(ep), []);
});

Deno.test("add, modify and delete check what is there", () => {
  const ep = new EpollFile();
  const [r] = newPipe(0, 0, 0);
  eq(ep.modify(3, r, EPOLLIN, 0, 0), -ENOENT);
  eq(ep.add(3, r, EPOLLIN, 0, 0), 0);
  eq(ep.add(3, r, EPOLLIN, 0, 0), -EEXIST);
  eq(ep.add(4, r, EPOLLIN, 0, 0), 0);
  eq(ep.delete(3, r), 0);
  eq(ep.delete(3, r), -ENOENT);
  eq(ep.add(3, r, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0, 0), -EINVAL);
  eq(ep.add(3, r, EPOLLIN | EPOLLEXCLUSIVE, 0, 0), 0);
  eq(ep.modify(3, r, EPOLLIN, 0, 0), -EINVAL);
});

Deno.test("an instance is readable for another while something is ready", () => {
  const inner = new EpollFile(), outer = new EpollFile();
  const file = newAnonFile("[eventpoll]", inner, 2);
  const event = newEventFd(0, false, 2);
  inner.add(3, event, EPOLLIN, 1, 0);
  eq(outer.add(4, file, EPOLLIN, 2, 0), 0);
  eq(wait(outer), []);
  event.write(new KernelSrc(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)));
  eq(wait(outer), [[2, EPOLLIN]]);
  read(event, 8);
  eq(wait(outer), []);
});

Deno.test("loops and chains of more than five are refused", () => {
  const files = Array.from({ length: 6 }, () => newAnonFile("[eventpoll]", new EpollFile(), 2));
  const at = (i: number) => files[i].impl as EpollFile;
  for (let i = 1; i < 5; i++) eq(at(i).add(3, files[i - 1], EPOLLIN, 0, 0), 0);
  eq(at(5).add(3, files[4], EPOLLIN, 0, 0), -ELOOP);
  eq(at(0).add(3, files[4], EPOLLIN, 0, 0), -ELOOP);
  eq(at(0).add(3, files[0], EPOLLIN, 0, 0), -EINVAL);
});

Deno.test("one waiter is woken for an event, and the next for what is left", () => {
  const ep = new EpollFile();
  const woken: number[] = [];
  for (const id of [1, 2]) {
    const entry = {
      mask: EPOLLIN,
      exclusive: true,
      wake: () => {
        woken.push(id);
        ep.waiters.remove(entry);
      },
    };
    ep.waiters.add(entry);
  }
  const [r, w] = newPipe(0, 0, 0);
  const [r2, w2] = newPipe(0, 0, 0);
  ep.add(3, r, EPOLLIN | EPOLLET, 7, 0);
  ep.add(4, r2, EPOLLIN | EPOLLET, 8, 0);
  write(w);
  eq(woken, [1]);
  ep.harvest(1, () => {});
  ep.settle(true);
  eq(woken, [1]);
  write(w2);
  eq(woken, [1, 2]);
});

Deno.test("an exclusive item without a waiter leaves the event to the next", () => {
  const [r, w] = newPipe(0, 0, 0);
  const woken: number[] = [];
  for (const id of [1, 2]) {
    const ep = new EpollFile();
    const entry = {
      mask: EPOLLIN,
      exclusive: true,
      wake: () => {
        woken.push(id);
        ep.waiters.remove(entry);
      },
    };
    ep.waiters.add(entry);
    ep.add(3, r, EPOLLIN | EPOLLEXCLUSIVE, 0, 0);
  }
  write(w);
  eq(woken, [1]);
  write(w);
  eq(woken, [1, 2]);
});

Deno.test("an eventfd counts, blocks at the top and takes one as a semaphore", () => {
  const all = Uint8Array.of(0xfe, 255, 255, 255, 255, 255, 255, 255);
  const f = newEventFd(0, false, 2);
  eq(f.write(new KernelSrc(all)), 8);
  eq(f.impl.readiness() & EPOLLOUT, 0);
  eq(f.write(new KernelSrc(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))), -11);
  const out = new Uint8Array(8);
  eq(f.read(new KernelDst(out)), 8);
  eq([...out], [...all]);
  const s = newEventFd(2, true, 2);
  eq(s.read(new KernelDst(out)), 8);
  eq(out[0], 1);
  eq(s.read(new KernelDst(out)), 8);
  eq(s.read(new KernelDst(out)), -11);
});
