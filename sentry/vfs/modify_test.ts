import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
} from "../../platform/abi/errno.ts";
import { ENOTEMPTY, EPERM, EXDEV } from "../../platform/abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../../platform/abi/fs.ts";
import { newTmpfs, ok, opened, ROOT, Tree, USER } from "./fixture_test.ts";
import { changeMode, changeOwner, linkAt, mkdirAt, mknodAt, renameAt } from "./namei.ts";
import { rmdirAt, symlinkAt, unlinkAt, WALK_NOFOLLOW } from "./namei.ts";
import { pathOf, pathText } from "./path_text.ts";

const rename = (tree: Tree, from: string, to: string, flags = 0) =>
  renameAt(tree.ctx, tree.cwd, from, tree.cwd, to, flags);
const link = (tree: Tree, from: string, to: string) =>
  linkAt(tree.ctx, tree.cwd, from, tree.cwd, to, 0);

Deno.test("rename replaces a file and keeps the other names", () => {
  const tree = new Tree();
  tree.write("/a", "A");
  tree.write("/b", "B");
  ok(link(tree, "/b", "/keep"));
  ok(rename(tree, "/a", "/b"));
  assertEquals([tree.read("/b"), tree.read("/keep")], ["A", "B"]);
  assertEquals(tree.names("/"), ["b", "keep"]);
});

Deno.test("rename between two names of one file does nothing", () => {
  const tree = new Tree();
  tree.write("/a", "A");
  ok(link(tree, "/a", "/b"));
  ok(rename(tree, "/a", "/b"));
  assertEquals(tree.names("/"), ["a", "b"]);
});

Deno.test("rename of files and directories onto each other", () => {
  const tree = new Tree();
  tree.mkdir("/dir", "/empty", "/full", "/full/x");
  tree.write("/file", "");
  assertEquals(rename(tree, "/file", "/dir"), -EISDIR);
  assertEquals(rename(tree, "/dir", "/file"), -ENOTDIR);
  assertEquals(rename(tree, "/dir", "/full"), -ENOTEMPTY);
  ok(rename(tree, "/dir", "/empty"));
  assertEquals(tree.names("/"), ["empty", "file", "full"]);
});

Deno.test("rename into itself is EINVAL, onto an ancestor ENOTEMPTY", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/a/b", "/a/b/c");
  assertEquals(rename(tree, "/a", "/a/b/x"), -EINVAL);
  assertEquals(rename(tree, "/a/b/c", "/a"), -ENOTEMPTY);
  assertEquals(rename(tree, "/a/b", "/a", RENAME_EXCHANGE), -EINVAL);
});

Deno.test("rename with trailing slashes is for directories", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  tree.write("/f", "");
  assertEquals(rename(tree, "/f/", "/g"), -ENOTDIR);
  assertEquals(rename(tree, "/f", "/g/"), -ENOTDIR);
  ok(rename(tree, "/d/", "/e/"));
});

Deno.test("rename of dots is EBUSY", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  assertEquals(rename(tree, "/d/.", "/x"), -EBUSY);
  assertEquals(rename(tree, "/d", "/d/.."), -EBUSY);
  assertEquals(rename(tree, "/d", "/", RENAME_NOREPLACE), -EEXIST);
});

Deno.test("rename flags: noreplace, exchange, whiteout", () => {
  const tree = new Tree();
  tree.write("/a", "A");
  tree.mkdir("/d");
  tree.write("/d/in", "I");
  assertEquals(rename(tree, "/a", "/d", RENAME_NOREPLACE), -EEXIST);
  assertEquals(rename(tree, "/a", "/none", RENAME_EXCHANGE), -ENOENT);
  assertEquals(rename(tree, "/a", "/b", RENAME_EXCHANGE | RENAME_NOREPLACE), -EINVAL);
  assertEquals(rename(tree, "/a", "/b", 8), -EINVAL);
  ok(rename(tree, "/a", "/d", RENAME_EXCHANGE));
  assertEquals([tree.read("/a/in"), tree.read("/d")], ["I", "A"]);
  ok(rename(tree, "/d", "/e", RENAME_WHITEOUT));
  const whiteout = tree.at("/d").dentry.inode!;
  assertEquals([whiteout.mode & 0o170000, whiteout.rdev], [0o020000, 0]);
  assertEquals(tree.read("/e"), "A");
});

Deno.test("a moved directory has its new parent", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/b", "/a/sub", "/a/sub/deep");
  const deep = tree.at("/a/sub/deep");
  ok(rename(tree, "/a/sub", "/b/sub"));
  assertStrictEquals(tree.at("/b/sub/..").dentry, tree.at("/b").dentry);
  assertEquals(pathOf(deep, tree.root), "/b/sub/deep");
  assertEquals(
    [tree.at("/a").dentry.inode!.nlink, tree.at("/b").dentry.inode!.nlink],
    [2, 3],
  );
});

Deno.test("names in a sticky directory are their owner's alone", () => {
  const tree = new Tree();
  tree.mkdir("/tmp");
  ok(changeMode(ROOT, tree.at("/tmp"), 0o1777));
  tree.write("/tmp/root", "");
  tree.write("/tmp/mine", "");
  ok(changeOwner(ROOT, tree.at("/tmp/mine"), 1000, 1000));
  tree.creds = USER;
  assertEquals(unlinkAt(tree.ctx, tree.cwd, "/tmp/root"), -EPERM);
  assertEquals(rename(tree, "/tmp/root", "/tmp/x"), -EPERM);
  assertEquals(rename(tree, "/tmp/mine", "/tmp/root"), -EPERM);
  ok(rename(tree, "/tmp/mine", "/tmp/moved"));
  ok(unlinkAt(tree.ctx, tree.cwd, "/tmp/moved"));
});

Deno.test("names change in a writable directory alone", () => {
  const tree = new Tree();
  tree.mkdir("/d");
  tree.write("/d/f", "", 0o666);
  tree.creds = USER;
  assertEquals(unlinkAt(tree.ctx, tree.cwd, "/d/f"), -EACCES);
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/d/x", 0o755), -EACCES);
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/d/f", 0o755), -EEXIST);
  assertEquals(symlinkAt(tree.ctx, "f", tree.cwd, "/d/l"), -EACCES);
  assertEquals(link(tree, "/d/f", "/d/g"), -EACCES);
});

Deno.test("unlink and rmdir tell directories from files", () => {
  const tree = new Tree();
  tree.mkdir("/d", "/d/sub");
  tree.write("/f", "");
  const rm = (path: string) => unlinkAt(tree.ctx, tree.cwd, path);
  const rmdir = (path: string) => rmdirAt(tree.ctx, tree.cwd, path);
  assertEquals(rm("/d"), -EISDIR);
  assertEquals(rm("/f/"), -ENOTDIR);
  assertEquals(rm("/none"), -ENOENT);
  assertEquals(rmdir("/f"), -ENOTDIR);
  assertEquals(rmdir("/d"), -ENOTEMPTY);
  assertEquals(rmdir("/d/sub/."), -EINVAL);
  assertEquals(rmdir("/d/sub/.."), -ENOTEMPTY);
  assertEquals(rmdir("/"), -EBUSY);
  ok(rmdir("/d/sub/"));
});

Deno.test("nothing can be made in a removed directory", () => {
  const tree = new Tree();
  tree.mkdir("/gone");
  const cwd = tree.at("/gone");
  cwd.dentry.acquire();
  tree.cwd = cwd;
  ok(rmdirAt(tree.ctx, tree.cwd, "/gone"));
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "x", 0o755), -ENOENT);
  assertEquals(tree.open("x", 0o100), -ENOENT);
  assertEquals(tree.walk("."), 0);
  assertEquals(tree.walk(".."), 0);
  assertEquals(pathText(cwd, tree.root), "/gone (deleted)");
});

Deno.test("what exists, also a dangling link, is not made again", () => {
  const tree = new Tree();
  tree.symlink("nowhere", "/l");
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/l", 0o755), -EEXIST);
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/", 0o755), -EEXIST);
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/l/", 0o755), -EEXIST);
  assertEquals(mkdirAt(tree.ctx, tree.cwd, "/new/", 0o755), 0);
  assertEquals(symlinkAt(tree.ctx, "x", tree.cwd, "/none/"), -ENOENT);
  assertEquals(mknodAt(tree.ctx, tree.cwd, "/x", 0o040755, 0), -EPERM);
  assertEquals(mknodAt(tree.ctx, tree.cwd, "/x", 0o120755, 0), -EINVAL);
});

Deno.test("a hard link shares its file, not across mounts, not of a directory", () => {
  const tree = new Tree();
  tree.mkdir("/d", "/m");
  tree.write("/f", "1");
  tree.symlink("f", "/l");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/m")));
  assertEquals(link(tree, "/d", "/e"), -EPERM);
  assertEquals(link(tree, "/f", "/m/f"), -EXDEV);
  assertEquals(link(tree, "/f", "/l"), -EEXIST);
  ok(link(tree, "/f", "/g"));
  ok(link(tree, "/l", "/l2"));
  assertEquals(tree.at("/l2", WALK_NOFOLLOW).dentry.inode!.readlink(), "f");
  tree.write("/g", "22");
  assertEquals(tree.read("/f"), "22");
  assertEquals(tree.at("/f").dentry.inode!.nlink, 2);
});

Deno.test("a mount point can be neither removed nor moved", () => {
  const tree = new Tree();
  tree.mkdir("/m", "/other");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/m")));
  assertEquals(rmdirAt(tree.ctx, tree.cwd, "/m"), -EBUSY);
  assertEquals(rename(tree, "/m", "/n"), -EBUSY);
  assertEquals(rename(tree, "/other", "/m"), -EBUSY);
  assertEquals(rename(tree, "/other", "/m/x"), -EXDEV);
});

Deno.test("only CAP_MKNOD makes devices, all make FIFOs and whiteouts", () => {
  const tree = new Tree();
  ok(changeMode(ROOT, tree.at("/"), 0o777));
  tree.creds = USER;
  assertEquals(mknodAt(tree.ctx, tree.cwd, "/dev", 0o020666, 0x103), -EPERM);
  ok(mknodAt(tree.ctx, tree.cwd, "/white", 0o020000, 0));
  ok(mknodAt(tree.ctx, tree.cwd, "/fifo", 0o010666, 0));
  ok(mknodAt(tree.ctx, tree.cwd, "/plain", 0o666, 0));
  opened(tree.open("/plain", 0)).release();
});
