import { assertEquals, assertStrictEquals } from "@std/assert";
import { EACCES, EBADF, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT } from "../../platform/abi/errno.ts";
import { ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY } from "../../platform/abi/errno.ts";
import { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOATIME } from "../../platform/abi/fcntl.ts";
import { O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE } from "../../platform/abi/fcntl.ts";
import { O_TRUNC, O_WRONLY } from "../../platform/abi/fcntl.ts";
import { MS_RDONLY } from "../../platform/abi/mount.ts";
import { S_IFSOCK } from "../../platform/abi/stat.ts";
import { contents, ok, opened, ROOT, Tree, USER } from "./fixture_test.ts";
import { KernelDst, KernelSrc } from "./kernel_io.ts";
import { allowWrites, changeMode, changeOwner, linkAt, mknodAt } from "./namei.ts";
import { openForExec, removePrivileges, unlinkAt } from "./namei.ts";

const text = (s: string) => new KernelSrc(new TextEncoder().encode(s));

Deno.test("O_CREAT makes a file through a dangling link, O_EXCL does not", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  tree.symlink("d/new", "/link");
  assertEquals(tree.open("/link", O_RDONLY), -ENOENT);
  assertEquals(tree.open("/link", O_CREAT | O_EXCL), -EEXIST);
  assertEquals(tree.open("/link", O_CREAT | O_NOFOLLOW), -ELOOP);
  opened(tree.open("/link", O_CREAT | O_RDWR)).release();
  assertEquals(tree.names("/d"), ["new"]);
});

Deno.test("O_CREAT on a directory, a trailing slash or dots is EISDIR", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  for (const path of ["/d", "/d/", "/new/", "/d/.", "/d/..", "/"]) {
    assertEquals(tree.open(path, O_CREAT | O_RDWR), -EISDIR, path);
  }
  assertEquals(tree.open("/d/.", O_CREAT | O_EXCL), -EEXIST);
  assertEquals(tree.open("/d", O_CREAT | O_DIRECTORY), -EINVAL);
});

Deno.test("a directory opens for reading alone", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  tree.write("/f", "");
  assertEquals(tree.open("/d", O_WRONLY), -EISDIR);
  assertEquals(tree.open("/d", O_TRUNC), -EISDIR);
  assertEquals(tree.open("/f", O_DIRECTORY), -ENOTDIR);
  opened(tree.open("/d", O_DIRECTORY)).release();
});

Deno.test("O_NOFOLLOW refuses a link unless O_PATH", () => {
  const tree = new Tree();
  tree.write("/f", "");
  tree.symlink("f", "/l");
  assertEquals(tree.open("/l", O_NOFOLLOW), -ELOOP);
  assertEquals(tree.open("/l", O_NOFOLLOW | O_DIRECTORY), -ENOTDIR);
  const link = opened(tree.open("/l", O_NOFOLLOW | O_PATH));
  assertEquals(link.inode.readlink(), "f");
  link.release();
});

Deno.test("O_PATH needs no permission on the file and gives no access to it", () => {
  const tree = new Tree();
  tree.write("/f", "secret", 0);
  tree.creds = USER;
  assertEquals(tree.open("/f", O_RDONLY), -EACCES);
  const file = opened(tree.open("/f", O_PATH | O_RDWR | O_TRUNC));
  assertEquals(file.read(new KernelDst(new Uint8Array(1))), -EBADF);
  assertEquals(file.write(text("x")), -EBADF);
  assertEquals(file.inode.size, 6);
  file.release();
});

Deno.test("access mode decides what the owner, the group and others may open", () => {
  const tree = new Tree();
  tree.write("/f", "", 0o604);
  ok(changeOwner(ROOT, tree.at("/f"), 1, 1000));
  tree.creds = USER;
  assertEquals(tree.open("/f", O_RDONLY), -EACCES, "the group's bits rule for its members");
  ok(changeOwner(ROOT, tree.at("/f"), 1, 1));
  opened(tree.open("/f", O_RDONLY)).release();
  assertEquals(tree.open("/f", O_RDWR), -EACCES);
  assertEquals(tree.open("/f", O_TRUNC), -EACCES);
  assertEquals(tree.open("/f", O_NOATIME), -EPERM);
});

Deno.test("a new file may be written whatever its mode", () => {
  const tree = new Tree();
  ok(changeMode(ROOT, tree.at("/"), 0o777));
  tree.creds = USER;
  const file = opened(tree.open("/f", O_CREAT | O_RDWR, 0o400));
  assertEquals(file.write(text("abc")), 3);
  file.release();
  assertEquals(tree.open("/f", O_RDWR), -EACCES);
  assertEquals(tree.read("/f"), "abc");
});

Deno.test("a read-only mount refuses writing and creating, not reading", () => {
  const tree = new Tree();
  tree.write("/f", "");
  ok(tree.ns.remount(tree.root.mount, MS_RDONLY));
  assertEquals(tree.open("/f", O_RDWR), -EROFS);
  assertEquals(tree.open("/new", O_CREAT), -EROFS);
  opened(tree.open("/f", O_CREAT)).release();
});

Deno.test("O_APPEND writes at the end, also for pwrite", () => {
  const tree = new Tree();
  tree.write("/f", "ab");
  const file = opened(tree.open("/f", O_RDWR | O_APPEND));
  assertEquals(file.write(text("cd")), 2);
  assertEquals(file.offset, 4);
  assertEquals(file.pwrite(text("ef"), 0), 2);
  assertEquals(contents(file), "abcdef");
  file.release();
});

Deno.test("O_TRUNC empties an existing file", () => {
  const tree = new Tree();
  tree.write("/f", "old");
  opened(tree.open("/f", O_WRONLY | O_TRUNC)).release();
  assertEquals(tree.read("/f"), "");
});

Deno.test("an unnamed file can be linked unless O_EXCL", () => {
  const tree = new Tree();
  assertEquals(tree.open("/", O_TMPFILE), -EINVAL);
  const file = opened(tree.open("/", O_TMPFILE | O_RDWR));
  assertEquals(file.write(text("hi")), 2);
  assertEquals(file.inode.nlink, 0);
  assertEquals(linkAt(tree.ctx, file, "", tree.cwd, "/named", 0x1000), 0);
  file.release();
  assertEquals(tree.read("/named"), "hi");
  const hidden = opened(tree.open("/", O_TMPFILE | O_RDWR | O_EXCL));
  assertEquals(linkAt(tree.ctx, hidden, "", tree.cwd, "/other", 0x1000), -ENOENT);
  hidden.release();
});

Deno.test("an open file outlives its name", () => {
  const tree = new Tree();
  tree.write("/f", "data");
  const file = opened(tree.open("/f", O_RDWR));
  ok(unlinkAt(tree.ctx, tree.cwd, "/f"));
  assertEquals(tree.open("/f", O_RDONLY), -ENOENT);
  assertEquals(contents(file), "data");
  file.release();
});

Deno.test("a socket or a device nobody drives is ENXIO", () => {
  const tree = new Tree();
  ok(mknodAt(tree.ctx, tree.cwd, "/s", S_IFSOCK | 0o666, 0));
  assertEquals(tree.open("/s", O_RDWR), -ENXIO);
  ok(mknodAt(tree.ctx, tree.cwd, "/c", 0o020666, 0xfff00));
  assertEquals(tree.open("/c", O_RDWR), -ENXIO);
});

Deno.test("a running program's file is ETXTBSY for writers, and a written file for execve", () => {
  const tree = new Tree();
  tree.write("/prog", "#!", 0o755);
  const program = opened(openForExec(tree.ctx, tree.cwd, "/prog", false, false));
  assertEquals(tree.open("/prog", O_RDWR), -ETXTBSY);
  program.release();
  const writer = opened(tree.open("/prog", O_RDWR));
  assertEquals(openForExec(tree.ctx, tree.cwd, "/prog", false, false), -ETXTBSY);
  writer.release();
  const interpreter = opened(openForExec(tree.ctx, tree.cwd, "/prog", false, false));
  allowWrites(interpreter);
  opened(tree.open("/prog", O_RDWR)).release();
  interpreter.release();
  opened(tree.open("/prog", O_RDWR)).release();
});

Deno.test("execution needs an execute bit even for root", () => {
  const tree = new Tree();
  tree.write("/f", "", 0o644);
  assertEquals(openForExec(tree.ctx, tree.cwd, "/f", false, false), -EACCES);
  tree.mkdir("/d");
  assertEquals(openForExec(tree.ctx, tree.cwd, "/d", false, false), -EACCES);
});

Deno.test("writing takes setuid and setgid away from a file, not for CAP_FSETID", () => {
  const tree = new Tree();
  tree.write("/f", "", 0o6777);
  const file = opened(tree.open("/f", O_RDWR));
  ok(removePrivileges(ROOT, file));
  assertEquals(file.inode.mode & 0o7777, 0o6777);
  ok(removePrivileges(USER, file));
  assertEquals(file.inode.mode & 0o7777, 0o777);
  file.release();
});

Deno.test("files in a setgid directory get its group, directories its bit", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  ok(changeOwner(ROOT, tree.at("/d"), -1, 50));
  ok(changeMode(ROOT, tree.at("/d"), 0o2777));
  tree.write("/d/f", "");
  tree.mkdir("/d/sub");
  assertStrictEquals(tree.at("/d/f").dentry.inode!.gid, 50);
  assertStrictEquals(tree.at("/d/sub").dentry.inode!.gid, 50);
  assertStrictEquals(tree.at("/d/sub").dentry.inode!.mode & 0o2000, 0o2000);
});
