import { assertEquals } from "@std/assert";
import { EBADF, EMFILE } from "../../platform/abi/errno.ts";
import { newAnonFile } from "../vfs/anon.ts";
import { type FileDescription, FileDescriptionImpl } from "../vfs/file.ts";
import { FdTable, type QuietHolder, takeBackQuiet } from "./fd_table.ts";

const O_CLOEXEC = 0o2000000;
const closed: FileDescription[] = [];

class Impl extends FileDescriptionImpl {
  override release(file: FileDescription): void {
    closed.push(file);
  }
}

function file(): FileDescription {
  return newAnonFile("[test]", new Impl(), 2);
}

Deno.test("the lowest free number is given, across words of the bitmap", () => {
  const table = new FdTable();
  for (let fd = 0; fd < 200; fd++) assertEquals(table.install(file(), 0), fd);
  for (const fd of [130, 64, 31]) table.close(fd);
  assertEquals([1, 2, 3, 4].map(() => table.install(file(), 0)), [31, 64, 130, 200]);
  table.close(5);
  assertEquals(table.install(file(), 0, 100), 201);
  assertEquals(table.install(file(), 0), 5);
  assertEquals(table.count, 202);
});

Deno.test("a minimum beyond everything in use is taken as it is", () => {
  const table = new FdTable();
  assertEquals(table.install(file(), 0, 700), 700);
  assertEquals(table.install(file(), 0, 700), 701);
  assertEquals(table.install(file(), 0), 0);
});

Deno.test("RLIMIT_NOFILE bounds numbers, not the count", () => {
  const table = new FdTable();
  table.noFileLimit = 3;
  for (let fd = 0; fd < 3; fd++) table.install(file(), 0);
  assertEquals(table.install(file(), 0), -EMFILE);
  table.close(1);
  assertEquals(table.install(file(), 0, 2), -EMFILE);
  assertEquals(table.install(file(), 0), 1);
  assertEquals(table.installAt(3, file(), 0), -EBADF);
  table.noFileLimit = 2;
  assertEquals(table.full, true);
  table.close(0);
  assertEquals(table.full, false); // As many are open as the limit says, but 0 is free.
});

Deno.test("a pair is installed whole or not at all", () => {
  const table = new FdTable();
  table.noFileLimit = 2;
  table.install(file(), 0);
  const out = new Int32Array(2);
  assertEquals(table.installPair(file(), file(), 0, out), -EMFILE);
  assertEquals(table.get(1), null);
});

Deno.test("installAt closes what was there", () => {
  const table = new FdTable();
  const old = file();
  table.install(old, 0);
  assertEquals(table.installAt(0, file(), O_CLOEXEC), 0);
  assertEquals(closed.includes(old), true);
  assertEquals(table.getFlags(0), 1);
});

Deno.test("close-on-exec closes the marked ones, a forked table keeps its own", () => {
  const table = new FdTable();
  const kept = file();
  const dropped = file();
  table.install(kept, 0);
  table.install(dropped, O_CLOEXEC);
  const child = table.fork();
  child.closeOnExec();
  assertEquals([child.get(0), child.get(1)], [kept, null]);
  assertEquals(table.get(1), dropped);
  assertEquals(closed.includes(dropped), false);
  table.closeRange(0, 0xffffffff);
  assertEquals(closed.includes(dropped), true);
  assertEquals(closed.includes(kept), false);
  child.release();
  assertEquals(closed.includes(kept), true);
});

Deno.test("the descriptors are walked in order", () => {
  const table = new FdTable();
  for (const fd of [7, 3, 100]) table.installAt(fd, file(), 0);
  assertEquals([...table].map(([fd]) => fd), [3, 7, 100]);
  assertEquals([table.next(0), table.next(4), table.next(101)], [3, 7, -1]);
});

/** A thread that acts by itself where a test says so. */
class Holder implements QuietHolder {
  quiet = 0;
  closed = 0;
  moved: { fd: number; at: number } | null = null;
  letClose(fd: number): void {
    this.quiet |= 1 << fd;
  }
  takeBack(fds: number): void {
    this.quiet &= ~fds;
  }
  takeClosed(): number {
    const { closed } = this;
    this.closed = 0;
    return closed;
  }
  takeMoved() {
    const { moved } = this;
    this.moved = null;
    return moved;
  }
}

Deno.test("what a thread was just reading when its descriptors were taken back is where it has left it", () => {
  const table = new FdTable();
  const holder = new Holder();
  const read = file();
  const fd = table.install(read, 0);
  table.setQuiet(fd, holder, -1, 0, null);
  takeBackQuiet();
  assertEquals(holder.quiet, 0);
  holder.moved = { fd, at: 5 };
  table.settle();
  assertEquals(read.offset, 5);
});

Deno.test("a thread moves the file alone that it was given last, as long as it has it", () => {
  const table = new FdTable();
  const holder = new Holder();
  const files = [file(), file(), file()];
  for (const each of files) table.setQuiet(table.install(each, 0), holder, -1, 0, null);
  for (const fd of [-1, 0, 1, 3, 99]) {
    holder.moved = { fd, at: 5 };
    table.settle();
  }
  const other = file();
  table.installAt(2, other, 0);
  holder.moved = { fd: 2, at: 5 };
  table.settle();
  holder.moved = { fd: -1, at: 5 };
  table.settle();
  assertEquals([...files, other].map(({ offset }) => offset), [0, 0, 0, 0]);
});

Deno.test("a thread closes by itself what it may, and nothing else that it says it has closed", () => {
  const table = new FdTable();
  const holder = new Holder();
  const quiet = table.install(file(), 0), taken = table.install(file(), 0);
  const loud = table.install(file(), 0);
  table.setQuiet(taken, holder, -1, 0, null);
  takeBackQuiet();
  table.setQuiet(quiet, holder, -1, 0, null);
  holder.closed = -1;
  table.settle();
  assertEquals([...table].map(([fd]) => fd), [loud]);
  table.install(file(), 0);
  holder.closed = -1;
  table.settle();
  assertEquals([...table].map(([fd]) => fd), [quiet, loud]);
});
