import { assertEquals } from "@std/assert";
import { EAGAIN, EDEADLK } from "../../platform/abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "../../platform/abi/fcntl.ts";
import { opened, Tree } from "./fixture_test.ts";
import type { Inode } from "./inode.ts";
import { closeFile, InodeLocks, LOCK_RELEASED, LOCK_TO_EOF, locksOf } from "./locks.ts";
import { startWaiting, stopWaiting } from "./locks.ts";

const { inode } = new Tree().at("/").dentry as { inode: Inode };
const A = { name: "A" };
const B = { name: "B" };

function lock(owner: object, type: number, start: number, end = LOCK_TO_EOF) {
  return { owner, pid: owner === A ? 1 : 2, type, start, end };
}
const ranges = (locks: InodeLocks) => locks.records.map((l) => [l.pid, l.type, l.start, l.end]);

Deno.test("readers share a range, a writer has it alone", () => {
  const locks = new InodeLocks(inode);
  assertEquals(locks.setRecord(lock(A, F_RDLCK, 0, 9)), 0);
  assertEquals(locks.setRecord(lock(B, F_RDLCK, 5, 14)), 0);
  assertEquals(locks.setRecord(lock(B, F_WRLCK, 9, 9)), -EAGAIN);
  assertEquals(locks.setRecord(lock(B, F_WRLCK, 10, 20)), 0);
  assertEquals(locks.conflict(lock(A, F_RDLCK, 0))?.pid, 2);
});

Deno.test("unlocking the middle splits a lock", () => {
  const locks = new InodeLocks(inode);
  locks.setRecord(lock(A, F_WRLCK, 0, 99));
  locks.setRecord(lock(A, F_UNLCK, 40, 59));
  assertEquals(ranges(locks), [[1, F_WRLCK, 0, 39], [1, F_WRLCK, 60, 99]]);
  assertEquals(locks.setRecord(lock(B, F_WRLCK, 40, 59)), 0);
});

Deno.test("a lock of the same owner replaces, and neighbours of one type merge", () => {
  const locks = new InodeLocks(inode);
  locks.setRecord(lock(A, F_WRLCK, 0, 99));
  locks.setRecord(lock(A, F_RDLCK, 50, 149));
  assertEquals(ranges(locks), [[1, F_WRLCK, 0, 49], [1, F_RDLCK, 50, 149]]);
  locks.setRecord(lock(A, F_RDLCK, 0, 49));
  assertEquals(ranges(locks), [[1, F_RDLCK, 0, 149]]);
  locks.setRecord(lock(A, F_RDLCK, 150));
  assertEquals(ranges(locks), [[1, F_RDLCK, 0, LOCK_TO_EOF]]);
});

Deno.test("a lock that goes or weakens wakes the waiters", () => {
  const locks = new InodeLocks(inode);
  let wakeUps = 0;
  locks.queue.add({ mask: LOCK_RELEASED, wake: () => void wakeUps++ });
  locks.setRecord(lock(A, F_WRLCK, 0, 9));
  assertEquals(wakeUps, 0);
  locks.setRecord(lock(A, F_RDLCK, 0, 9));
  assertEquals(wakeUps, 1);
  locks.removeOwner(A);
  assertEquals(wakeUps, 2);
});

Deno.test("a circle of waiters is EDEADLK", () => {
  const first = new InodeLocks(inode);
  const second = new InodeLocks(inode);
  first.setRecord(lock(A, F_WRLCK, 0));
  second.setRecord(lock(B, F_WRLCK, 0));
  const byB = second.conflict(lock(A, F_WRLCK, 0))!;
  const byA = first.conflict(lock(B, F_WRLCK, 0))!;
  assertEquals(startWaiting(A, byB), 0);
  assertEquals(startWaiting(B, byA), -EDEADLK);
  stopWaiting(A);
  assertEquals(startWaiting(B, byA), 0);
  stopWaiting(B);
});

Deno.test("flock is shared or exclusive, and converting gives the old lock up", () => {
  const tree = new Tree();
  tree.write("/f", "");
  const one = opened(tree.open("/f", 0));
  const two = opened(tree.open("/f", 0));
  const locks = locksOf(one.inode);
  assertEquals(locks.setWhole(one, false, 1), 0);
  assertEquals(locks.setWhole(two, false, 1), 0);
  assertEquals(locks.setWhole(one, true, 1), -EAGAIN);
  assertEquals(locks.setWhole(two, true, 1), 0, "the first one lost its lock in trying");
  two.release();
  assertEquals(locks.setWhole(one, true, 1), 0, "the last close releases");
  one.release();
});

Deno.test("closing any descriptor of a file drops the table's POSIX locks, not OFD ones", () => {
  const tree = new Tree();
  tree.write("/f", "");
  const one = opened(tree.open("/f", 2));
  const two = opened(tree.open("/f", 2));
  const locks = locksOf(one.inode);
  const table = {};
  locks.setRecord(lock(table, F_WRLCK, 0, 9));
  locks.setRecord(lock(one, F_WRLCK, 10, 19));
  closeFile(two, table);
  assertEquals(ranges(locks), [[2, F_WRLCK, 10, 19]]);
  closeFile(one, table);
  assertEquals(ranges(locks), []);
});
