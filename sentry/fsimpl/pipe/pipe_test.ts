import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../../../platform/abi/epoll.ts";
import { EAGAIN, EBUSY, EPERM, EPIPE } from "../../../platform/abi/errno.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { Pipe } from "./pipe.ts";

function eq(actual: unknown, expected: unknown): void {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  if (a !== b) throw new Error(`got ${a}, want ${b}`);
}

function open(): Pipe {
  const pipe = new Pipe();
  pipe.addReader();
  pipe.addWriter();
  return pipe;
}
const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => i & 255);
const write = (p: Pipe, b: Uint8Array, packet = false) => p.write(new KernelSrc(b), packet);
function read(p: Pipe, n: number): number[] | number {
  const buf = new Uint8Array(n);
  const got = p.read(new KernelDst(buf));
  return got < 0 ? got : [...buf.subarray(0, got)];
}

Deno.test("bytes come out in order across the ring's end", () => {
  const p = open();
  let next = 0, seen = 0;
  for (let i = 0; i < 500; i++) {
    const n = 1 + i * 37 % 3000;
    const b = Uint8Array.from({ length: n }, (_, j) => (next + j) & 255);
    eq(write(p, b), n);
    next += n;
    const got = read(p, i % 2 === 0 ? n : n - 1 || 1) as number[];
    for (const x of got) eq(x, seen++ & 255);
  }
  eq(p.used, next - seen);
});

Deno.test("a write of up to PIPE_BUF is whole or not at all", () => {
  const p = open();
  eq(write(p, bytes(65536 - 100)), 65436);
  eq(write(p, bytes(101)), -EAGAIN);
  eq(write(p, bytes(5000)), -EAGAIN);
  eq(write(p, bytes(4196)), 100);
  eq(write(p, bytes(1)), -EAGAIN);
});

Deno.test("a write goes on in the last page if what is beyond whole pages fits, else in a new one", () => {
  const p = open();
  for (let i = 0; i < 16; i++) eq(write(p, bytes(3000)), 3000);
  eq(write(p, bytes(3000)), -EAGAIN);
  eq(write(p, bytes(1000)), 1000);
  eq(write(p, bytes(97)), -EAGAIN);
  eq(p.used, 49000);
});

Deno.test("passTo moves whole slots, packets too, and keeps them for tee", () => {
  const a = open(), b = open();
  write(a, bytes(2), true);
  write(a, bytes(3), true);
  eq(a.passTo(b, 100, true), 5);
  eq(read(b, 100), [0, 1]);
  eq(a.passTo(b, 4, false), 4);
  eq(read(b, 100), [0, 1, 2]);
  eq(read(b, 100), [0, 1]);
  eq(read(b, 100), [0, 1]);
  eq(read(a, 100), [2]);
});

Deno.test("an empty pipe gives EAGAIN with writers and the end of file without", () => {
  const p = open();
  eq(read(p, 1), -EAGAIN);
  p.removeWriter();
  eq(read(p, 1), []);
});

Deno.test("write to a pipe without readers returns EPIPE", () => {
  const p = open();
  p.removeReader();
  eq(write(p, bytes(1)), -EPIPE);
  eq(write(p, bytes(0)), 0);
});

Deno.test("packets are read one at a time and cut short", () => {
  const p = open();
  eq(write(p, bytes(10), true), 10);
  eq(write(p, bytes(3), true), 3);
  eq(read(p, 4), [0, 1, 2, 3]);
  eq(read(p, 100), [0, 1, 2]);
  eq(read(p, 1), -EAGAIN);
});

Deno.test("each packet takes a slot", () => {
  const p = open();
  for (let i = 0; i < 16; i++) eq(write(p, bytes(1), true), 1);
  eq(write(p, bytes(1), true), -EAGAIN);
  eq(p.readiness(false, true, true), 0);
});

Deno.test("readiness follows contents and peers", () => {
  const p = open();
  eq(p.readiness(true, false, true), 0);
  write(p, bytes(1));
  eq(p.readiness(true, false, true) & EPOLLIN, EPOLLIN);
  write(p, bytes(61440));
  eq(p.readiness(false, true, true) & EPOLLOUT, 0);
  p.removeWriter();
  eq(p.readiness(true, false, true) & EPOLLHUP, EPOLLHUP);
  p.removeReader();
  eq(p.readiness(false, true, true) & EPOLLERR, EPOLLERR);
});

Deno.test("a full pipe tells writers once a page is free", () => {
  const p = open();
  let woken = 0;
  p.queue.add({ mask: EPOLLOUT, wake: () => void woken++ });
  write(p, bytes(65536));
  read(p, 4095);
  eq(woken, 0);
  read(p, 1);
  eq(woken, 1);
  read(p, 1);
  eq(woken, 1);
});

Deno.test("the size is rounded up, bounded by the contents and the limit", () => {
  const p = open();
  eq(p.resize(5000, false), 8192);
  eq(p.resize(0, false), 4096);
  eq(p.resize(1048577, false), -EPERM);
  eq(p.resize(1048577, true), 2097152);
  write(p, bytes(5000));
  eq(p.resize(4096, true), -EBUSY);
});

Deno.test("peek, consume and unread leave the stream as it was", () => {
  const p = open();
  write(p, bytes(10));
  const buf = new Uint8Array(10);
  eq(p.peek(new KernelDst(buf), 4, 2), 4);
  eq([...buf.subarray(0, 4)], [2, 3, 4, 5]);
  p.consume(3);
  p.unread(Uint8Array.of(1, 2), 0, 2);
  eq(read(p, 100), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
