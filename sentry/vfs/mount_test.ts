import { assertEquals, assertStrictEquals } from "@std/assert";
import { EBUSY, EINVAL, ELOOP } from "../../platform/abi/errno.ts";
import { MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_RDONLY } from "../../platform/abi/mount.ts";
import { MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from "../../platform/abi/mount.ts";
import { newTmpfs, ok, opened, Tree } from "./fixture_test.ts";
import { crossMounts } from "./mount.ts";
import { mountinfoText, mountsText, pathOf } from "./path_text.ts";

Deno.test("a bind mount shows the same files, with its own flags", () => {
  const tree = new Tree();
  tree.mkdir("/src", "/dst");
  tree.write("/src/f", "x");
  ok(tree.ns.bind(tree.at("/src"), false, tree.at("/dst")));
  assertEquals(tree.read("/dst/f"), "x");
  ok(tree.ns.remount(tree.at("/dst").mount, MS_RDONLY));
  assertEquals(tree.open("/dst/f", 2), -30);
  tree.write("/src/f", "yy");
  assertEquals(tree.read("/dst/f"), "yy");
  assertEquals(pathOf(tree.at("/dst/f"), tree.root), "/dst/f");
});

Deno.test("a recursive bind takes the mounts below along", () => {
  const tree = new Tree();
  tree.mkdir("/src", "/src/m", "/flat", "/deep");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/src/m")));
  tree.write("/src/m/f", "in");
  ok(tree.ns.bind(tree.at("/src"), false, tree.at("/flat")));
  ok(tree.ns.bind(tree.at("/src"), true, tree.at("/deep")));
  assertEquals(tree.walk("/flat/m/f"), -2);
  assertEquals(tree.read("/deep/m/f"), "in");
});

Deno.test("a busy mount is unmounted lazily alone", () => {
  const tree = new Tree();
  tree.mkdir("/m");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/m")));
  tree.write("/m/f", "still");
  const { mount } = tree.at("/m");
  const file = opened(tree.open("/m/f", 0));
  assertEquals(tree.ns.unmount(mount, false), -EBUSY);
  ok(tree.ns.unmount(mount, true));
  assertEquals(tree.walk("/m/f"), -2);
  assertEquals(tree.ns.unmount(mount, true), -EINVAL);
  file.release();
  assertEquals(mount.refs, 0);
});

Deno.test("a mount with mounts below is busy", () => {
  const tree = new Tree();
  tree.mkdir("/m");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/m")));
  tree.mkdir("/m/n");
  ok(tree.ns.mount(newTmpfs(), "u", 0, tree.at("/m/n")));
  const { mount } = tree.at("/m");
  assertEquals(tree.ns.unmount(mount, false), -EBUSY);
  ok(tree.ns.unmount(mount, true));
  assertEquals(tree.ns.mounts.size, 1);
});

Deno.test("a mount moves with what is below, not into itself", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/b");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/a")));
  tree.mkdir("/a/in");
  assertEquals(tree.ns.move(tree.at("/a"), tree.at("/a/in")), -ELOOP);
  ok(tree.ns.move(tree.at("/a"), tree.at("/b")));
  assertEquals([tree.walk("/a/in"), tree.walk("/b/in")], [-2, 0]);
  assertEquals(tree.ns.move(tree.at("/a"), tree.at("/b")), -EINVAL);
});

Deno.test("pivot puts the old root below the new one", () => {
  const tree = new Tree();
  tree.mkdir("/new");
  tree.write("/oldfile", "");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/new")));
  tree.mkdir("/new/old");
  const newRoot = tree.at("/new");
  ok(tree.ns.pivot(newRoot.mount, tree.root.mount, tree.at("/new/old")));
  tree.root = tree.cwd = newRoot;
  assertEquals(tree.walk("/old/oldfile"), 0);
  ok(tree.ns.unmount(tree.at("/old").mount, true));
  assertEquals(tree.names("/old"), []);
  assertStrictEquals(tree.ns.root, newRoot.mount);
});

Deno.test("a namespace's copy has its own mounts of the same files", () => {
  const tree = new Tree();
  tree.mkdir("/m");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/m")));
  tree.write("/m/f", "shared");
  const { ns, translate } = tree.ns.clone();
  const root = translate(tree.root);
  const copy = crossMounts({ mount: root.mount, dentry: tree.at("/").dentry.children!.get("m")! });
  ok(tree.ns.unmount(tree.at("/m").mount, false));
  assertEquals(tree.walk("/m/f"), -2);
  assertEquals(copy.mount.ns, ns);
  assertEquals(copy.dentry.children!.has("f"), true);
  ns.release();
  assertEquals(copy.mount.refs, 0);
});

Deno.test("the mount table shows what the root reaches", () => {
  const tree = new Tree();
  tree.mkdir("/a b", "/a b/in");
  ok(tree.ns.mount(newTmpfs(), "src", MS_NOSUID | MS_NODEV, tree.at("/a b")));
  const lines = mountsText(tree.ns, tree.root).trimEnd().split("\n");
  assertEquals(lines.length, 2);
  assertEquals(lines[1].startsWith("src /a\\040b tmpfs rw,nosuid,nodev,relatime,size="), true);
  const info = mountinfoText(tree.ns, tree.root).trimEnd().split("\n")[1].split(" ");
  assertEquals([info[3], info[4], info[6], info[7]], ["/", "/a\\040b", "-", "tmpfs"]);
});

/** Mounts a tmpfs with a file "f" at `path`. */
function mountWithFile(tree: Tree, path: string): void {
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at(path)));
  tree.write(path + "/f", path);
}

function optionalFields(tree: Tree, mountPoint: string): string[] {
  const line = mountinfoText(tree.ns, tree.root).split("\n").find((l) =>
    l.includes(` ${mountPoint} `)
  );
  const fields = line!.split(" ");
  return fields.slice(6, fields.indexOf("-"));
}

Deno.test("what is mounted in a shared mount appears in its peers and slaves", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/peer", "/slave", "/private");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/a")));
  tree.mkdir("/a/d", "/a/e");
  ok(tree.ns.changePropagation(tree.at("/a").mount, MS_SHARED, false));
  for (const name of ["/peer", "/slave", "/private"]) {
    ok(tree.ns.bind(tree.at("/a"), false, tree.at(name)));
  }
  ok(tree.ns.changePropagation(tree.at("/slave").mount, MS_SLAVE, false));
  ok(tree.ns.changePropagation(tree.at("/private").mount, MS_PRIVATE, false));
  mountWithFile(tree, "/a/d");
  assertEquals(tree.read("/peer/d/f"), "/a/d");
  assertEquals(tree.read("/slave/d/f"), "/a/d");
  assertEquals(tree.walk("/private/d/f"), -2);
  mountWithFile(tree, "/slave/e");
  assertEquals(tree.walk("/a/e/f"), -2);
  assertEquals(optionalFields(tree, "/a"), optionalFields(tree, "/peer"));
  assertEquals(optionalFields(tree, "/slave")[0].startsWith("master:"), true);
  assertEquals(optionalFields(tree, "/slave/d")[0].startsWith("master:"), true);
  ok(tree.ns.unmount(tree.at("/peer/d").mount, false));
  for (const name of ["/a/d/f", "/peer/d/f", "/slave/d/f"]) assertEquals(tree.walk(name), -2);
});

Deno.test("a shared mount can be bound into itself", () => {
  const tree = new Tree();
  tree.mkdir("/a");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/a")));
  tree.mkdir("/a/in");
  ok(tree.ns.changePropagation(tree.at("/a").mount, MS_SHARED, false));
  ok(tree.ns.bind(tree.at("/a"), false, tree.at("/a/in")));
  assertEquals(tree.ns.mounts.size, 3);
  ok(tree.ns.unmount(tree.at("/a/in").mount, false));
  assertEquals(tree.ns.mounts.size, 2);
});

Deno.test("namespaces see each other's mounts while these are shared", () => {
  const tree = new Tree();
  tree.mkdir("/m");
  ok(tree.ns.changePropagation(tree.ns.root, MS_SHARED, true));
  const { ns } = tree.ns.clone();
  mountWithFile(tree, "/m");
  assertEquals(ns.mounts.size, 2);
  ok(ns.changePropagation(ns.root, MS_PRIVATE, true));
  ok(tree.ns.unmount(tree.at("/m").mount, false));
  assertEquals(ns.mounts.size, 2);
  ns.release();
});

Deno.test("an unbindable mount is not bound, nor taken along", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/b");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/a")));
  tree.mkdir("/a/m");
  ok(tree.ns.mount(newTmpfs(), "u", 0, tree.at("/a/m")));
  ok(tree.ns.changePropagation(tree.at("/a/m").mount, MS_UNBINDABLE, false));
  assertEquals(tree.ns.bind(tree.at("/a/m"), false, tree.at("/b")), -EINVAL);
  ok(tree.ns.bind(tree.at("/a"), true, tree.at("/b")));
  assertEquals(tree.ns.mounts.size, 4);
  assertEquals(optionalFields(tree, "/a/m"), ["unbindable"]);
});

Deno.test("the last peer hands its slaves to its own master", () => {
  const tree = new Tree();
  tree.mkdir("/a", "/b", "/c");
  ok(tree.ns.mount(newTmpfs(), "t", 0, tree.at("/a")));
  tree.mkdir("/a/d");
  ok(tree.ns.changePropagation(tree.at("/a").mount, MS_SHARED, false));
  ok(tree.ns.bind(tree.at("/a"), false, tree.at("/b")));
  const b = tree.at("/b").mount;
  ok(tree.ns.changePropagation(b, MS_SLAVE, false));
  ok(tree.ns.changePropagation(b, MS_SHARED, false));
  ok(tree.ns.bind(tree.at("/b"), false, tree.at("/c")));
  ok(tree.ns.changePropagation(tree.at("/c").mount, MS_SLAVE, false));
  mountWithFile(tree, "/a/d");
  assertEquals(tree.read("/c/d/f"), "/a/d");
  ok(tree.ns.unmount(tree.at("/a/d").mount, false));
  ok(tree.ns.unmount(b, true));
  assertEquals(
    optionalFields(tree, "/c"),
    optionalFields(tree, "/a").map((f) => f.replace("shared", "master")),
  );
});
