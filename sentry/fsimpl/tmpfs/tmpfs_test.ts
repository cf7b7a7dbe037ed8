import { assertEquals, assertStrictEquals } from "@std/assert";
import { EEXIST, EINVAL, ENODATA, ENOSPC, ENXIO, EOPNOTSUPP } from "../../../platform/abi/errno.ts";
import { EPERM } from "../../../platform/abi/errno.ts";
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
} from "../../../platform/abi/fcntl.ts";
import { O_CREAT, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_KEEP_SIZE } from "../../../platform/abi/fs.ts";
import { FALLOC_FL_PUNCH_HOLE } from "../../../platform/abi/fs.ts";
import { MFD_ALLOW_SEALING } from "../../../platform/abi/mman.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../platform/abi/unistd.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../../platform/abi/xattr.ts";
import { preadFd } from "../../../platform/host/host.ts";
import { opened, ROOT, Tree } from "../../vfs/fixture_test.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { rmdirAt, unlinkAt } from "../../vfs/namei.ts";
import { fileText } from "../../vfs/path_text.ts";
import type { Tmpfs } from "./filesystem.ts";
import { checkMemfdFlags } from "./memfd.ts";
import { newMemfdFile, tmpfsType } from "./mod.ts";

const PAGE = 4096;

function put(file: FileDescription, offset: number, ...bytes: number[]): number {
  return file.pwrite(new KernelSrc(Uint8Array.from(bytes)), offset) as number;
}
function get(file: FileDescription, offset: number, n: number): number[] {
  const bytes = new Uint8Array(n).fill(0xee);
  const got = file.pread(new KernelDst(bytes), offset) as number;
  return [...bytes.subarray(0, Math.max(0, got))];
}
function newFile(tree = new Tree()): FileDescription {
  return opened(tree.open("/f", O_CREAT | O_RDWR));
}
function blocksOf(file: FileDescription): number {
  file.inode.refresh();
  return file.inode.blocks;
}

Deno.test("a directory's size tells how many names are in it, its own two among them", () => {
  const tree = new Tree();
  const root = opened(tree.open("/", 0)).inode;
  assertEquals(root.size, 40);
  newFile(tree);
  assertEquals(root.size, 60);
  assertEquals(unlinkAt(tree.ctx, tree.root, "/f"), 0);
  assertEquals(root.size, 40);
});

Deno.test("what was never written reads as zeros, small and large", () => {
  const file = newFile();
  for (const at of [10, 5000, 70_000, 9_000_000]) {
    put(file, at, 1, 2, 3);
    assertEquals(get(file, at - 2, 9), [0, 0, 1, 2, 3], `at ${at}`);
    assertEquals(file.inode.size, at + 3);
  }
  assertEquals(get(file, 10, 3), [1, 2, 3]);
  assertEquals(get(file, 9_000_003, 1), []);
  file.release();
});

Deno.test("content survives growth from one form to the other", () => {
  const file = newFile();
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7 & 255);
  for (let at = 0; at < bytes.length; at += 1000) {
    file.pwrite(new KernelSrc(bytes, at, at + 1000), at);
  }
  const back = new Uint8Array(bytes.length);
  assertEquals(file.pread(new KernelDst(back), 0), bytes.length);
  assertEquals(back, bytes);
  file.release();
});

Deno.test("what is cut off comes back as zeros", () => {
  for (const size of [3000, 150_000]) {
    const file = newFile();
    file.pwrite(new KernelSrc(new Uint8Array(size).fill(9)), 0);
    assertEquals(file.impl.truncate(file, 100), 0);
    assertEquals(file.impl.truncate(file, size), 0);
    assertEquals(get(file, 98, 4), [9, 9, 0, 0]);
    assertEquals(get(file, size - 1, 1), [0]);
    file.release();
  }
});

Deno.test("holes take no blocks and are found by lseek", () => {
  for (const base of [0, 1 << 20]) {
    const file = newFile();
    put(file, base + 2 * PAGE, 1);
    const size = base + 2 * PAGE + 1;
    assertEquals(blocksOf(file), 8);
    assertEquals(file.impl.seek(file, 0, SEEK_DATA), base + 2 * PAGE);
    assertEquals(file.impl.seek(file, 0, SEEK_HOLE), 0);
    assertEquals(file.impl.seek(file, base + 2 * PAGE, SEEK_HOLE), size);
    assertEquals(file.impl.seek(file, size, SEEK_DATA), -ENXIO);
    file.impl.truncate(file, base + 8 * PAGE);
    assertEquals(file.impl.seek(file, base + 2 * PAGE, SEEK_HOLE), base + 3 * PAGE);
    assertEquals(file.impl.seek(file, base + 3 * PAGE, SEEK_DATA), -ENXIO);
    file.release();
  }
});

Deno.test("fallocate reserves and punches", () => {
  for (const pages of [8, 64]) {
    const file = newFile();
    file.pwrite(new KernelSrc(new Uint8Array(pages * PAGE).fill(5)), 0);
    const punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    assertEquals(file.impl.allocate(file, punch, 100, 2 * PAGE), 0);
    assertEquals(get(file, 99, 2), [5, 0]);
    assertEquals(get(file, 2 * PAGE + 99, 2), [0, 5]);
    assertEquals(blocksOf(file), (pages - 1) * 8);
    assertEquals(file.impl.allocate(file, FALLOC_FL_KEEP_SIZE, pages * PAGE, PAGE), 0);
    assertEquals([file.inode.size, blocksOf(file)], [pages * PAGE, pages * 8]);
    assertEquals(file.impl.allocate(file, 0, 0, (pages + 2) * PAGE), 0);
    assertEquals(file.inode.size, (pages + 2) * PAGE);
    assertEquals(file.impl.allocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), -EOPNOTSUPP);
    file.release();
  }
});

Deno.test("size= and nr_inodes= end in ENOSPC, and what goes makes room", () => {
  const tree = new Tree();
  tree.mkdir("/m");
  const fs = tmpfsType(1 << 30).mount("t", "size=40k,nr_inodes=4,mode=700", ROOT) as Tmpfs;
  assertEquals(tree.ns.mount(fs, "t", 0, tree.at("/m")), 0);
  assertEquals(fs.root.mode & 0o7777, 0o700);
  const file = opened(tree.open("/m/a", O_CREAT | O_RDWR));
  assertEquals(file.pwrite(new KernelSrc(new Uint8Array(30_000)), 0), 30_000);
  assertEquals(file.pwrite(new KernelSrc(new Uint8Array(30_000)), 30_000), 40 * 1024 - 30_000);
  assertEquals(put(file, 50_000, 1), -ENOSPC);
  assertEquals(put(file, 10, 1), 1);
  file.release();
  tree.write("/m/b", "");
  tree.write("/m/c", "");
  assertEquals(tree.open("/m/d", O_CREAT), -ENOSPC);
  assertEquals(unlinkAt(tree.ctx, tree.cwd, "/m/a"), 0);
  assertEquals([fs.usedPages, fs.usedInodes], [0, 3]);
  tree.write("/m/d", "x");
  assertEquals([fs.usedPages, fs.usedInodes], [1, 4]);
  assertEquals(fs.remount("nr_inodes=2"), -EINVAL);
  assertEquals(fs.remount("size=1m"), 0);
});

Deno.test("unknown or malformed options are EINVAL", () => {
  for (const text of ["size=x", "bogus", "mode=9", "uid=-1", "size=10q"]) {
    assertEquals(tmpfsType(1 << 30).mount("t", text, ROOT), -EINVAL, text);
  }
  const fs = tmpfsType(1 << 30).mount("t", "size=50%,huge=never,gid=7", ROOT) as Tmpfs;
  assertEquals([fs.options.maxPages, fs.options.gid], [(1 << 29) / PAGE, 7]);
});

Deno.test("a directory read goes on rightly while its entries are removed", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  for (let i = 0; i < 100; i++) tree.write(`/d/${i}`, "");
  const dir = opened(tree.open("/d", 0));
  const seen: string[] = [];
  for (;;) {
    const batch: string[] = [];
    dir.impl.iterate(dir, (e) => batch.length < 7 && batch.push(e.name) > 0);
    if (batch.length === 0) break;
    for (const name of batch) {
      if (name === "." || name === "..") continue;
      seen.push(name);
      assertEquals(unlinkAt(tree.ctx, tree.cwd, `/d/${name}`), 0);
    }
  }
  dir.release();
  assertEquals(seen.length, 100);
  assertEquals(rmdirAt(tree.ctx, tree.cwd, "/d"), 0);
});

Deno.test("a directory reader can go back and sees each entry once", () => {
  const tree = new Tree();
  for (const name of ["a", "b", "c", "d"]) tree.write("/" + name, "");
  const dir = opened(tree.open("/", 0));
  const offsets: number[] = [];
  const read = () => {
    const names: string[] = [];
    dir.impl.iterate(dir, (e, next) => (offsets.push(next), names.push(e.name) > 0));
    return names.join("");
  };
  assertEquals(read(), "...abcd");
  assertEquals(read(), "");
  tree.write("/e", "");
  assertEquals(read(), "e");
  dir.offset = offsets[3]; // After "b".
  assertEquals(read(), "cde");
  dir.offset = 0;
  assertEquals(read(), "...abcde");
  dir.release();
});

Deno.test("an unlinked file gives its memory back at the last close", () => {
  const tree = new Tree();
  const file = newFile(tree);
  const fs = file.inode.fs as Tmpfs;
  file.pwrite(new KernelSrc(new Uint8Array(10 * PAGE)), 0);
  assertEquals(unlinkAt(tree.ctx, tree.cwd, "/f"), 0);
  assertEquals(fs.usedPages, 10);
  file.release();
  assertEquals([fs.usedPages, fs.usedInodes], [0, 1]);
});

Deno.test("a mapping's host file has exactly the file's size and bytes", () => {
  const file = newFile();
  put(file, 0, 1, 2, 3);
  const mapping = file.impl.hostMapping(file, 0, PAGE, 3, true);
  assertEquals(typeof mapping, "object");
  const { fd } = mapping as { fd: number };
  const bytes = new Uint8Array(8);
  assertEquals(preadFd(fd, bytes, 0, 8, 0), 3);
  put(file, 3, 4);
  assertEquals(preadFd(fd, bytes, 0, 8, 0), 4);
  assertEquals([...bytes.subarray(0, 4)], [1, 2, 3, 4]);
  file.impl.truncate(file, 1);
  assertEquals(preadFd(fd, bytes, 0, 8, 0), 1);
  file.release();
});

Deno.test("extended attributes: create, replace, remove", () => {
  const { inode } = newFile();
  const value = Uint8Array.of(1, 2);
  assertEquals(inode.setxattr("user.a", value, XATTR_REPLACE), -ENODATA);
  assertEquals(inode.setxattr("user.a", value, XATTR_CREATE), 0);
  assertEquals(inode.setxattr("user.a", value, XATTR_CREATE), -EEXIST);
  value[0] = 9;
  assertEquals(inode.getxattr("user.a"), Uint8Array.of(1, 2));
  assertEquals(inode.listxattr(), ["user.a"]);
  assertEquals(inode.removexattr("user.a"), 0);
  assertEquals(inode.getxattr("user.a"), -ENODATA);
  assertEquals(inode.setxattr("user.big", new Uint8Array(200_000), 0), -ENOSPC);
});

Deno.test("seals of a memfd hold", () => {
  const file = opened(newMemfdFile("x", MFD_ALLOW_SEALING, ROOT));
  const { inode } = file;
  assertEquals(put(file, 0, 1, 2, 3, 4), 4);
  assertEquals(inode.addSeals!(F_SEAL_GROW | F_SEAL_SHRINK), 0);
  assertEquals(put(file, 3, 5, 6), 1);
  assertEquals(put(file, 4, 7), -EPERM);
  assertEquals(file.impl.truncate(file, 2), -EPERM);
  assertEquals(file.impl.truncate(file, 4), 0);
  assertEquals(inode.addSeals!(F_SEAL_WRITE | F_SEAL_SEAL), 0);
  assertEquals(put(file, 0, 1), -EPERM);
  assertEquals(inode.addSeals!(F_SEAL_GROW), -EPERM);
  assertEquals(file.impl.hostMapping(file, 0, PAGE, 3, true), -EPERM);
  file.release();
});

Deno.test("a memfd shows as deleted and cannot be sealed unless asked for", () => {
  const tree = new Tree();
  const file = opened(newMemfdFile("name", 0, ROOT));
  assertEquals(fileText(file, tree.root), "/memfd:name (deleted)");
  assertStrictEquals(file.inode.seals, F_SEAL_SEAL);
  assertEquals(file.inode.addSeals!(F_SEAL_GROW), -EPERM);
  assertEquals(checkMemfdFlags(0x40), -EINVAL);
  file.release();
});
