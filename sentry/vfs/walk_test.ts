import { assertEquals, assertStrictEquals } from "@std/assert";
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from "../../platform/abi/errno.ts";
import { RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from "../../platform/abi/fcntl.ts";
import { RESOLVE_NO_XDEV } from "../../platform/abi/fcntl.ts";
import { S_IFDIR } from "../../platform/abi/stat.ts";
import { initialCredentials } from "../auth/credentials.ts";
import { newTmpfs, ok, ROOT, Tree, USER } from "./fixture_test.ts";
import { changeMode, protections, renameAt, rmdirAt, unlinkAt, WALK_DIRECTORY } from "./namei.ts";
import { WALK_EMPTY, WALK_NOFOLLOW } from "./namei.ts";
import { pathOf } from "./path_text.ts";
import { dcache, setDentryLimit } from "./dentry.ts";

const OTHER = initialCredentials(1001, 1001, []);

Deno.test("dot-dot at the root stays there", () => {
  const tree = new Tree();
  tree.mkdir("/a");
  assertStrictEquals(tree.at("/../../a/..").dentry, tree.root.dentry);
});

Deno.test("dot-dot stays within a changed root", () => {
  const tree = new Tree();
  tree.mkdir("/jail", "/jail/in", "/out");
  tree.root = tree.at("/jail");
  tree.cwd = tree.root;
  assertEquals(tree.walk("in/../../out"), -ENOENT);
  assertEquals(tree.walk("/../in"), 0);
});

Deno.test("an empty path is ENOENT, or the start with WALK_EMPTY", () => {
  const tree = new Tree();
  assertEquals(tree.walk(""), -ENOENT);
  assertStrictEquals(tree.at("", WALK_EMPTY), tree.cwd);
});

Deno.test("a trailing slash asks for a directory and follows a link", () => {
  const tree = new Tree();
  tree.mkdir("/dir");
  tree.write("/file", "");
  tree.symlink("dir", "/link");
  assertEquals(tree.walk("/file/"), -ENOTDIR);
  assertEquals(tree.walk("/dir//"), 0);
  assertStrictEquals(tree.at("/link/", WALK_NOFOLLOW).dentry, tree.at("/dir").dentry);
  assertEquals(tree.walk("/file", WALK_DIRECTORY), -ENOTDIR);
  assertEquals(tree.walk("/link", WALK_DIRECTORY | WALK_NOFOLLOW), -ENOTDIR);
});

Deno.test("a file in the middle of a path is ENOTDIR, also before dot-dot", () => {
  const tree = new Tree();
  tree.write("/file", "");
  assertEquals(tree.walk("/file/x"), -ENOTDIR);
  assertEquals(tree.walk("/file/.."), -ENOTDIR);
  assertEquals(tree.walk("/none/.."), -ENOENT);
});

Deno.test("a component of 256 bytes is ENAMETOOLONG, one of 255 is not", () => {
  const tree = new Tree();
  assertEquals(tree.walk("/" + "n".repeat(256)), -ENAMETOOLONG);
  assertEquals(tree.walk("/" + "n".repeat(255)), -ENOENT);
});

Deno.test("40 symbolic links are followed, 41 are ELOOP", () => {
  const tree = new Tree();
  tree.write("/l0", "");
  for (let i = 1; i <= 41; i++) tree.symlink(`l${i - 1}`, `/l${i}`);
  assertEquals(tree.walk("/l40"), 0);
  assertEquals(tree.walk("/l41"), -ELOOP);
  tree.symlink("loop", "/loop");
  assertEquals(tree.walk("/loop"), -ELOOP);
  assertEquals(tree.walk("/loop", WALK_NOFOLLOW), 0);
});

Deno.test("links lead relative to their directory or from the root", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/a/b", "/c");
  tree.write("/a/b/f", "");
  tree.symlink("../a/b", "/c/rel");
  tree.symlink("/a/b/", "/c/abs");
  const file = tree.at("/a/b/f").dentry;
  assertStrictEquals(tree.at("/c/rel/f").dentry, file);
  assertStrictEquals(tree.at("/c/abs/../b/./f").dentry, file);
});

Deno.test("each directory on the way must be searchable", () => {
  const tree = new Tree();
  tree.mkdir("/shut", "/shut/in");
  ok(changeMode(ROOT, tree.at("/shut"), 0o700));
  tree.creds = USER;
  assertEquals(tree.walk("/shut"), 0);
  assertEquals(tree.walk("/shut/in"), -EACCES);
  assertEquals(tree.walk("/shut/none"), -EACCES);
  tree.creds = ROOT;
  ok(changeMode(ROOT, tree.at("/shut"), 0o600));
  assertEquals(tree.walk("/shut/in"), 0, "CAP_DAC_READ_SEARCH");
});

Deno.test("a path walked before is not found after a directory on its way changed", () => {
  const tree = new Tree();
  tree.mkdir("/d", "/d/e");
  tree.write("/d/e/f", "");
  const find = () => tree.walk("/d/e/f");
  assertEquals([find(), find()], [0, 0]);
  ok(renameAt(tree.ctx, tree.cwd, "/d/e", tree.cwd, "/d/g", 0));
  assertEquals(find(), -ENOENT);
  assertEquals(tree.walk("/d/g/f"), 0);
  ok(renameAt(tree.ctx, tree.cwd, "/d/g", tree.cwd, "/d/e", 0));
  assertEquals([find(), find()], [0, 0]);
  ok(unlinkAt(tree.ctx, tree.cwd, "/d/e/f"));
  assertEquals(find(), -ENOENT);
  tree.write("/d/e/f", "");
  assertEquals([find(), find()], [0, 0]);
  ok(changeMode(ROOT, tree.at("/d"), 0));
  tree.creds = USER;
  assertEquals(find(), -EACCES);
});

Deno.test("a path walked before leads where its link leads now", () => {
  const tree = new Tree();
  tree.mkdir("/one", "/two");
  tree.symlink("one", "/link");
  assertStrictEquals(tree.at("/link").dentry, tree.at("/one").dentry);
  assertStrictEquals(tree.at("/link").dentry, tree.at("/one").dentry);
  assertEquals(tree.at("/link", WALK_NOFOLLOW).dentry.name, "link");
  ok(unlinkAt(tree.ctx, tree.cwd, "/link"));
  tree.symlink("two", "/link");
  assertStrictEquals(tree.at("/link").dentry, tree.at("/two").dentry);
});

Deno.test("a path through a removed directory is gone, also with dot-dot", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/a/b");
  assertEquals([tree.walk("/a/b/.."), tree.walk("/a/b/..")], [0, 0]);
  ok(rmdirAt(tree.ctx, tree.cwd, "/a/b"));
  assertEquals(tree.walk("/a/b/.."), -ENOENT);
});

Deno.test("a relative path is cached for its directory alone", () => {
  const tree = new Tree();
  tree.mkdir("/x", "/y");
  tree.write("/x/f", "");
  tree.cwd = tree.at("/x");
  assertEquals([tree.walk("f"), tree.walk("f")], [0, 0]);
  tree.cwd = tree.at("/y");
  assertEquals(tree.walk("f"), -ENOENT);
});

Deno.test("mounts are crossed downwards and by dot-dot, newest on top", () => {
  const tree = new Tree();
  tree.mkdir("/mnt", "/mnt/below");
  const { mount, dentry } = tree.at("/mnt/below");
  assertEquals(tree.walk("/mnt/below"), 0);
  ok(tree.ns.mount(newTmpfs(), "one", 0, tree.at("/mnt")));
  assertEquals(tree.walk("/mnt/below"), -ENOENT);
  tree.mkdir("/mnt/first");
  ok(tree.ns.mount(newTmpfs(), "two", 0, tree.at("/mnt")));
  assertEquals(tree.walk("/mnt/first"), -ENOENT);
  assertStrictEquals(tree.at("/mnt/..").dentry, tree.root.dentry);
  assertEquals(pathOf(tree.at("/mnt"), tree.root), "/mnt");
  ok(tree.ns.unmount(tree.at("/mnt").mount, false));
  assertEquals(tree.walk("/mnt/first"), 0);
  ok(tree.ns.unmount(tree.at("/mnt").mount, false));
  assertStrictEquals(tree.at("/mnt/below").dentry, dentry);
  assertStrictEquals(tree.at("/mnt/below").mount, mount);
});

Deno.test("RESOLVE_ flags keep a walk where it may go", () => {
  const tree = new Tree();
  tree.mkdir("/in", "/in/sub", "/out", "/in/mnt");
  tree.symlink("/out", "/in/abs");
  tree.symlink("..", "/in/up");
  tree.symlink("sub", "/in/good");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/in/mnt")));
  tree.cwd = tree.at("/in");
  assertEquals(tree.walk("sub/..", RESOLVE_BENEATH), 0);
  assertEquals(tree.walk("..", RESOLVE_BENEATH), -EXDEV);
  assertEquals(tree.walk("abs", RESOLVE_BENEATH), -EXDEV);
  assertEquals(tree.walk("up", RESOLVE_BENEATH), -EXDEV);
  assertEquals(tree.walk("/in", RESOLVE_BENEATH), -EXDEV);
  assertStrictEquals(tree.at("../../..", RESOLVE_IN_ROOT).dentry, tree.cwd.dentry);
  assertStrictEquals(tree.at("/sub", RESOLVE_IN_ROOT).dentry, tree.at("sub").dentry);
  assertEquals(tree.walk("abs", RESOLVE_IN_ROOT), -ENOENT);
  assertEquals(tree.walk("good", RESOLVE_NO_SYMLINKS), -ELOOP);
  assertEquals(tree.walk("mnt", RESOLVE_NO_XDEV), -EXDEV);
  assertEquals(tree.walk("/in/sub", RESOLVE_NO_XDEV), 0);
  assertEquals(tree.walk("abs", RESOLVE_NO_XDEV), -EXDEV);
  assertEquals(tree.walk("/in/abs", RESOLVE_NO_XDEV), 0);
  assertEquals(tree.walk("../in/abs", RESOLVE_NO_XDEV), 0);
});

Deno.test("the dentry cache stays bounded and finds everything again", () => {
  const tree = new Tree();
  const before = dcache.limit;
  setDentryLimit(64);
  try {
    tree.mkdir("/many");
    for (let i = 0; i < 500; i++) tree.write(`/many/${i}`, `${i}`);
    for (let i = 0; i < 500; i++) tree.walk(`/many/none${i}`);
    for (let i = 0; i < 500; i++) assertEquals(tree.read(`/many/${i}`), `${i}`);
    assertEquals(dcache.ring.length < 200, true);
    assertEquals(tree.at("/many").dentry.inode!.mode & S_IFDIR, S_IFDIR);
  } finally {
    setDentryLimit(before);
  }
});

Deno.test("another's link in a sticky directory of everyone ends no path, unless that is allowed", () => {
  const tree = new Tree();
  tree.mkdir("/shared", "/target");
  ok(changeMode(ROOT, tree.at("/shared"), 0o1777));
  tree.creds = OTHER;
  tree.symlink("/target", "/shared/link");
  tree.creds = USER;
  const walks = () => [tree.walk("/shared/link"), tree.walk("/shared/link/.")];
  assertEquals(walks(), [-EACCES, 0]);
  protections.symlinks = 0;
  assertEquals(walks(), [0, 0]);
  protections.symlinks = 1;
  assertEquals(tree.walk("/shared/link", WALK_NOFOLLOW), 0);
});
