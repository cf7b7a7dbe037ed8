import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  EEXIST,
  ENODATA,
  ENOENT,
  ENOSPC,
  ENOTEMPTY,
  EROFS,
  EXDEV,
} from "../../../platform/abi/errno.ts";
import { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from "../../../platform/abi/fcntl.ts";
import { RENAME_EXCHANGE } from "../../../platform/abi/fs.ts";
import {
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../../platform/abi/stat.ts";
import { ACL_TYPE_ACCESS, ACL_TYPE_DEFAULT } from "../../../platform/abi/posix_acl.ts";
import { preadFd, pwriteFd } from "../../../platform/host/host.ts";
import { type Credentials, initialCredentials } from "../../auth/credentials.ts";
import { byMillisecond, setClockSource } from "../../vfs/clock.ts";
import { Dentry, dropChildren, dropInode } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import {
  ATTR_MODE,
  ATTR_SIZE,
  type Attributes,
  type Filesystem,
  type Inode,
  noAttributes,
} from "../../vfs/inode.ts";
import { EXTENDED_ACL } from "../../vfs/fixture_test.ts";
import { aclsOf } from "../../vfs/inode_acls.ts";
import { KernelDst, KernelSrc, setKernelHostIo } from "../../vfs/kernel_io.ts";
import { type Mount, MountNamespace, newMount } from "../../vfs/mount.ts";
import {
  linkAt,
  mkdirAt,
  openAt,
  renameAt,
  rmdirAt,
  unlinkAt,
  type WalkContext,
} from "../../vfs/namei.ts";
import { decodeAcl, type PosixAcl } from "../../vfs/posix_acl.ts";
import { Tmpfs } from "../tmpfs/mod.ts";
import type { OverlayDirectory } from "./directory.ts";
import type { OverlayInode } from "./inode.ts";
import { newOverlay, newReadOnlyOverlay, OverlayFs } from "./overlayfs.ts";

setKernelHostIo({
  read: (fd, buf, start, end, offset) => preadFd(fd, buf, start, end, offset),
  write: (fd, buf, start, end, offset) => pwriteFd(fd, buf, start, end, offset),
});

const ROOT = initialCredentials(0, 0, []);
const USER: Credentials = initialCredentials(1000, 100, []);
const MOUNT = { flags: 0 } as unknown as Mount;

function newTmpfs(maxPages = 1 << 20, maxInodes = 1 << 20): Tmpfs {
  return new Tmpfs({ maxPages, maxInodes, mode: 0o755, uid: 0, gid: 0 });
}

function openFile(inode: Inode, flags: number): FileDescription {
  const file = new FileDescription(inode, new Dentry(inode.fs, null, "", null), MOUNT, flags);
  assertEquals(inode.open(file), 0);
  return file;
}
function readFile(file: FileDescription, offset = 0): string {
  const buf = new Uint8Array(100);
  const n = file.impl.read(file, new KernelDst(buf), offset);
  assert(typeof n === "number" && n >= 0, `read: ${n}`);
  return new TextDecoder().decode(buf.subarray(0, n));
}
function writeFile(file: FileDescription, text: string, offset = 0): void {
  const bytes = new TextEncoder().encode(text);
  assertEquals(file.impl.write(file, new KernelSrc(bytes), offset), bytes.length);
}
function close(file: FileDescription): void {
  file.impl.release(file);
}
function names(dir: Inode): string[] {
  const file = openFile(dir, O_RDONLY);
  const list: string[] = [];
  assertEquals(file.impl.iterate(file, (e) => list.push(e.name) > 0), 0);
  close(file);
  return list.filter((name) => name !== "." && name !== "..").sort();
}
function get(dir: Inode, path: string): OverlayInode {
  let inode = dir;
  for (const name of path.split("/")) {
    const next = inode.lookup(name);
    assert(typeof next !== "number", `${path}: ${next}`);
    inode = next;
  }
  return inode as OverlayInode;
}
/** As `get`, held as by a dentry. */
function hold(dir: Inode, path: string): OverlayInode {
  const inode = get(dir, path);
  inode.refs++;
  return inode;
}
function content(dir: Inode, path: string): string {
  const file = openFile(get(dir, path), O_RDONLY);
  const text = readFile(file);
  close(file);
  return text;
}

/** Makes files from {"dir/name": "content", "dir/": ""}. */
function fill(fs: Tmpfs, files: Record<string, string>, creds = USER): void {
  for (const [path, text] of Object.entries(files)) {
    let dir: Inode = fs.root;
    const parts = path.split("/");
    const name = parts.pop()!;
    for (const part of parts) {
      const next = dir.lookup(part);
      dir = typeof next === "number" ? dir.mkdir(part, S_IFDIR | 0o755, creds) as Inode : next;
    }
    if (name === "") continue;
    const inode = dir.create(name, S_IFREG | 0o640, creds) as Inode;
    const file = openFile(inode, O_WRONLY);
    if (text !== "") writeFile(file, text);
    close(file);
  }
}

interface Fixture {
  fs: OverlayFs;
  root: OverlayInode;
  lower: Tmpfs;
  upper: Tmpfs;
}

function overlay(files: Record<string, string>, upper = newTmpfs(), lower = newTmpfs()): Fixture {
  fill(lower, files);
  const fs = newOverlay(9, upper, [lower]);
  assert(typeof fs !== "number");
  return { fs, root: fs.root, lower, upper };
}

function attributes(mask: number, more: Partial<Attributes>): Attributes {
  return { ...noAttributes(), mask, ...more };
}

Deno.test("a write copies the file up and leaves the lower one as it was", () => {
  const { root, lower } = overlay({ "a/b/f": "lower data" });
  const low = get(lower.root, "a/b/f");
  low.mtimeSec = 1234;
  const f = hold(root, "a/b/f");
  const ino = f.ino;
  const reader = openFile(f, O_RDONLY);
  const writer = openFile(f, O_RDWR);
  assertEquals(f.upper, null);
  assertEquals(readFile(writer), "lower data");
  writeFile(writer, "UPPER");
  assertEquals(readFile(reader), "UPPER data");
  assertEquals(content(lower.root, "a/b/f"), "lower data");
  assertEquals([f.ino, f.size, f.uid, f.gid, f.mode & 0o7777], [ino, 10, 1000, 100, 0o640]);
  assertStrictEquals(get(root, "a/b/f"), f);
  close(reader);
  close(writer);
});

Deno.test("copy-up keeps mode, owner, times and extended attributes", () => {
  const { root, lower } = overlay({ "d/f": "x" });
  const low = get(lower.root, "d/f");
  low.setxattr("user.k", new Uint8Array([7]), 0);
  low.mode = S_IFREG | 0o4755;
  low.mtimeSec = 1111;
  low.mtimeNsec = 22;
  low.atimeSec = 3333;
  const dir = get(lower.root, "d");
  dir.mtimeSec = 4444;
  const f = hold(root, "d/f");
  assertEquals(f.copyUp(), 0);
  assertEquals(f.mode, S_IFREG | 0o4755);
  assertEquals([f.uid, f.gid, f.mtimeSec, f.mtimeNsec, f.atimeSec], [1000, 100, 1111, 22, 3333]);
  assertEquals(f.getxattr("user.k"), new Uint8Array([7]));
  const d = get(root, "d");
  assert(d.upper !== null);
  assertEquals(d.mtimeSec, 4444);
});

Deno.test("copy-up keeps access control lists, and inherits none", () => {
  const { root, lower, upper } = overlay({ "d/f": "x", "d/plain": "y" });
  const acl = decodeAcl(EXTENDED_ACL) as PosixAcl;
  assertEquals(get(lower.root, "d/f").setAcl(ACL_TYPE_ACCESS, acl), 0);
  assertEquals(get(lower.root, "d").setAcl(ACL_TYPE_DEFAULT, acl), 0);
  const f = hold(root, "d/f");
  assertEquals(aclsOf(f)?.access, acl);
  assertEquals(f.copyUp(), 0);
  assertEquals(aclsOf(f)?.access?.bytes, EXTENDED_ACL);
  assertEquals(f.mode & 0o777, acl.modeBits);
  assertEquals(aclsOf(get(upper.root, "upper/d"))?.inherited, acl);
  const plain = hold(root, "d/plain");
  assertEquals(plain.setAcl(ACL_TYPE_ACCESS, null), -ENODATA);
  assertEquals(plain.upper, null);
  assertEquals(plain.copyUp(), 0);
  assertEquals([aclsOf(plain), plain.mode & 0o777], [null, 0o640]);
});

Deno.test("a removed lower file stays hidden, and its name can be used again", () => {
  const { root, lower } = overlay({ "f": "old", "g": "keep" });
  const f = hold(root, "f");
  assertEquals(root.unlink("f", f), 0);
  assertEquals(f.nlink, 0);
  assertEquals(root.lookup("f"), -ENOENT);
  assertEquals(names(root), ["g"]);
  assertEquals(content(lower.root, "f"), "old");
  const again = root.create("f", S_IFREG | 0o600, ROOT);
  assert(typeof again !== "number");
  assertEquals(names(root), ["f", "g"]);
  assertEquals(content(root, "f"), "");
  assertEquals(root.unlink("f", again), 0);
  assertEquals(root.lookup("f"), -ENOENT);
  assertEquals(names(root), ["g"]);
});

Deno.test("a file removed while open is still read and can be written", () => {
  const { root } = overlay({ "f": "data" });
  const f = hold(root, "f");
  const file = openFile(f, O_RDWR);
  assertEquals(root.unlink("f", f), 0);
  assertEquals(readFile(file), "data");
  writeFile(file, "DA");
  assertEquals(readFile(file), "DAta");
  assertEquals(root.lookup("f"), -ENOENT);
  assertEquals(f.nlink, 0);
  close(file);
  dropInode(f);
});

Deno.test("a removed directory made again does not show the lower entries", () => {
  const { root } = overlay({ "d/f": "1", "d/sub/g": "2" });
  const d = hold(root, "d");
  assertEquals(root.rmdir("d", d), -ENOTEMPTY);
  const sub = get(d, "sub");
  assertEquals(sub.unlink("g", get(sub, "g")), 0);
  assertEquals(d.rmdir("sub", sub), 0);
  assertEquals(d.unlink("f", get(d, "f")), 0);
  assertEquals(names(d), []);
  assertEquals(root.rmdir("d", d), 0);
  assertEquals(d.nlink, 0);
  dropInode(d);
  assert(typeof root.mkdir("d", S_IFDIR | 0o700, ROOT) !== "number");
  assertEquals(names(get(root, "d")), []);
  assertEquals(get(root, "d").lookup("f"), -ENOENT);
});

Deno.test("a merged directory lists both layers once each, with the numbers that stat gives", () => {
  const { root } = overlay({ "d/a": "1", "d/b": "2", "d/c": "3" });
  const d = hold(root, "d");
  d.create("n", S_IFREG | 0o600, ROOT);
  assertEquals(get(d, "b").setattr(attributes(ATTR_MODE, { mode: 0o600 }), ROOT), 0);
  assertEquals(d.unlink("c", get(d, "c")), 0);
  assertEquals(names(d), ["a", "b", "n"]);
  const list = (d as OverlayDirectory).listing();
  assert(typeof list !== "number");
  for (const entry of list) assertEquals(entry.ino, get(d, entry.name).ino);
  assertEquals(new Set(list.map((entry) => entry.ino)).size, 3);
});

Deno.test("truncating copies no more than what is left", () => {
  const { root, upper } = overlay({ "f": "x".repeat(90_000) });
  const before = upper.usedPages;
  const f = hold(root, "f");
  assertEquals(f.setattr(attributes(ATTR_SIZE, { size: 0 }), ROOT), 0);
  assertEquals([f.size, upper.usedPages - before], [0, 0]);
  assertEquals(content(root, "f"), "");
});

Deno.test("a large file is copied whole", () => {
  const text = Array.from({ length: 60_000 }, (_, i) => `${i}`).join(" ");
  const { root } = overlay({ "f": text });
  const f = hold(root, "f");
  const file = openFile(f, O_RDWR);
  writeFile(file, "!", 0);
  assertEquals(f.size, text.length);
  assertEquals(readFile(file, text.length - 30), text.slice(-30));
  close(file);
});

Deno.test("two lower names of one file are one file after copy-up, too", () => {
  const lower = newTmpfs();
  fill(lower, { "d/a": "shared" });
  const low = get(lower.root, "d/a");
  lower.root.link("b", low);
  const { root } = overlay({}, newTmpfs(), lower);
  const a = hold(root, "d/a");
  assertStrictEquals(get(root, "b"), a);
  assertEquals(a.nlink, 2);
  const file = openFile(get(root, "b"), O_WRONLY);
  writeFile(file, "CHANGE");
  close(file);
  assertEquals(content(root, "d/a"), "CHANGE");
  assertEquals([a.nlink, get(root, "b").ino], [2, a.ino]);
  assertEquals(root.link("c", a), 0);
  assertEquals(a.nlink, 3);
  dropInode(a); // The dentries go; the file must be found again as one.
  assertEquals(get(root, "d").unlink("a", a), 0);
  assertEquals(a.nlink, 2);
  assertEquals(content(root, "b"), "CHANGE");
  assertStrictEquals(get(root, "b"), get(root, "c"));
  assertEquals(root.unlink("b", get(root, "b")), 0);
  assertEquals(content(root, "c"), "CHANGE");
  assertEquals(root.unlink("c", get(root, "c")), 0);
  assertEquals(a.nlink, 0);
  assertEquals(names(root), ["d"]);
});

Deno.test("one of two lower names can be moved and removed before any copy-up", () => {
  const lower = newTmpfs();
  fill(lower, { "a": "shared" });
  lower.root.link("b", get(lower.root, "a"));
  const { root } = overlay({}, newTmpfs(), lower);
  const a = hold(root, "a");
  setClockSource((out) => out[0] = 5e9);
  assertEquals(root.unlink("a", a), 0);
  setClockSource(byMillisecond);
  assertEquals([a.nlink, names(root), a.ctimeSec], [1, ["b"], 5e9]);
  assertStrictEquals(get(root, "b"), a);
  assertEquals(root.rename("b", a, root, "c", null, 0, ROOT), 0);
  assertEquals(names(root), ["c"]);
  assertEquals(content(root, "c"), "shared");
  assertEquals(a.nlink, 1);
});

Deno.test("a renamed file leaves its lower name hidden and replaces what was there", () => {
  const { root, lower } = overlay({ "a": "from", "b": "to", "d/": "" });
  const a = hold(root, "a"), b = hold(root, "b");
  const ino = a.ino;
  assertEquals(root.rename("a", a, root, "b", b, 0, ROOT), 0);
  assertEquals([names(root), b.nlink], [["b", "d"], 0]);
  assertEquals([content(root, "b"), get(root, "b").ino], ["from", ino]);
  const d = hold(root, "d");
  assertEquals(root.rename("b", a, d, "x", null, 0, ROOT), 0);
  assertEquals([names(root), names(d)], [["d"], ["x"]]);
  assertEquals(d.rename("x", a, root, "a", null, 0, ROOT), 0); // Over its own whiteout.
  assertEquals([names(root), content(root, "a")], [["a", "d"], "from"]);
  assertEquals(content(lower.root, "b"), "to");
});

Deno.test("a lower directory is renamed with all that is below it, at once", () => {
  const { root, upper } = overlay({ "d/sub/f": "deep", "d/g": "g" });
  const d = hold(root, "d");
  const before = upper.usedInodes;
  assertEquals(root.rename("d", d, root, "e", null, 0, ROOT), 0);
  assert(upper.usedInodes - before <= 2); // A directory and a whiteout: nothing below was copied.
  assertEquals(names(root), ["e"]);
  dropInode(d);
  assertEquals(content(root, "e/sub/f"), "deep");
  const file = openFile(get(root, "e/sub/f"), O_RDWR);
  writeFile(file, "DEEP");
  close(file);
  assertEquals(content(root, "e/sub/f"), "DEEP");
  assertEquals(names(get(root, "e")), ["g", "sub"]);
  assert(typeof root.mkdir("d", S_IFDIR | 0o755, ROOT) !== "number");
  assertEquals(names(get(root, "d")), []);
});

Deno.test("a directory replaces an empty one, and not a full one", () => {
  const { root } = overlay({ "d/f": "1", "full/x": "2", "empty/gone": "3" });
  const d = hold(root, "d"), full = hold(root, "full"), empty = hold(root, "empty");
  assertEquals(root.rename("d", d, root, "full", full, 0, ROOT), -ENOTEMPTY);
  assertEquals(empty.unlink("gone", get(empty, "gone")), 0);
  assertEquals(root.rename("d", d, root, "empty", empty, 0, ROOT), 0);
  assertEquals([names(root), names(get(root, "empty"))], [["empty", "full"], ["f"]]);
});

Deno.test("two files change places", () => {
  const { root } = overlay({ "a": "A", "d/b": "B" });
  const a = hold(root, "a"), d = hold(root, "d"), b = hold(d, "b");
  assertEquals(root.rename("a", a, d, "b", b, RENAME_EXCHANGE, ROOT), 0);
  assertEquals([content(root, "a"), content(root, "d/b")], ["B", "A"]);
  assertEquals(root.rename("a", b, root, "d", d, RENAME_EXCHANGE, ROOT), 0);
  assertEquals([content(root, "d"), content(root, "a/b")], ["B", "A"]);
});

Deno.test("symbolic links, FIFOs and sockets are copied as what they are", () => {
  const lower = newTmpfs();
  lower.root.symlink("l", "some/where", USER);
  lower.root.mknod("p", S_IFIFO | 0o620, 0, USER);
  const { root } = overlay({}, newTmpfs(), lower);
  const l = hold(root, "l"), p = hold(root, "p");
  assertEquals(root.rename("l", l, root, "m", null, 0, ROOT), 0);
  assertEquals(get(root, "m").readlink(), "some/where");
  assertEquals(p.setattr(attributes(ATTR_MODE, { mode: 0o600 }), ROOT), 0);
  assertEquals(get(root, "p").mode, S_IFIFO | 0o600);
  const s = root.mknod("s", S_IFSOCK | 0o755, 0, ROOT) as OverlayInode;
  s.special = {};
  s.refs++;
  dropInode(s); // Its dentry is evicted.
  assertStrictEquals(get(root, "s"), s);
});

Deno.test("a device 0:0 is no device here, and trusted.overlay attributes are not seen", () => {
  const { root } = overlay({ "f": "" });
  assert(typeof root.mknod("w", S_IFCHR | 0o600, 0, ROOT) === "number");
  const f = hold(root, "f");
  assertEquals(f.getxattr("trusted.overlay.opaque"), -ENODATA);
  assert(f.setxattr("trusted.overlay.opaque", new Uint8Array([0x79]), 0) < 0);
  assertEquals(f.upper, null);
});

Deno.test("without room for the copy the write fails and nothing has changed", () => {
  const { root } = overlay({ "f": "y".repeat(40_000) }, newTmpfs(4));
  const f = hold(root, "f");
  const file = openFile(f, O_RDWR);
  assertEquals(file.impl.write(file, new KernelSrc(new Uint8Array(1)), 0), -ENOSPC);
  assertEquals([f.upper, f.size, names(root)], [null, 40_000, ["f"]]);
  assertEquals(readFile(file), "y".repeat(100));
  close(file);
});

Deno.test("without room for a whiteout a file cannot be removed or moved", () => {
  const upper = newTmpfs(100, 3); // The root, "upper" and "work".
  const { root } = overlay({ "f": "f", "g": "g" }, upper);
  const f = hold(root, "f");
  assertEquals(root.unlink("f", f), -ENOSPC);
  assertEquals([content(root, "f"), f.nlink], ["f", 1]);
  upper.options = { ...upper.options, maxInodes: 4 };
  const g = hold(root, "g");
  assertEquals(root.rename("g", g, root, "h", null, 0, ROOT), -ENOSPC);
  assertEquals([names(root), content(root, "g")], [["f", "g"], "g"]);
});

Deno.test("created files belong to their maker and the group of a setgid directory", () => {
  const lower = newTmpfs();
  const dir = lower.root.mkdir("d", S_IFDIR | 0o2775, USER) as Inode;
  dir.gid = 55;
  const { root } = overlay({}, newTmpfs(), lower);
  const d = hold(root, "d");
  const f = d.create("f", S_IFREG | 0o644, USER) as Inode;
  assertEquals([f.uid, f.gid, d.mode & 0o7777, d.gid], [1000, 55, 0o2775, 55]);
});

Deno.test("upper layers hide lower ones, and a layer's own whiteouts and opaque marks hold", () => {
  const top = newTmpfs(), bottom = newTmpfs();
  fill(bottom, { "d/a": "bottom", "d/gone": "x", "o/hidden": "x", "only": "y" });
  fill(top, { "d/a": "top", "d/b": "b", "o/shown": "z" });
  get(top.root, "d").mknod("gone", S_IFCHR, 0, ROOT);
  get(top.root, "o").setxattr("trusted.overlay.opaque", new Uint8Array([0x79]), 0);
  const fs = newReadOnlyOverlay(3, [top, bottom]);
  assert(typeof fs !== "number");
  assertEquals(names(fs.root), ["d", "o", "only"]);
  assertEquals(names(get(fs.root, "d")), ["a", "b"]);
  assertEquals(content(fs.root, "d/a"), "top");
  assertEquals(get(fs.root, "d").lookup("gone"), -ENOENT);
  assertEquals(names(get(fs.root, "o")), ["shown"]);
  assertEquals(fs.root.create("n", S_IFREG, ROOT), -EROFS);
  assertEquals(get(fs.root, "only").mode & S_IFMT, S_IFREG);
});

Deno.test("an upper directory with marks can be mounted again", () => {
  const lower = newTmpfs(), upper = newTmpfs();
  fill(lower, { "d/a": "1", "e/b": "2" });
  const upperDir = upper.root.mkdir("u", S_IFDIR | 0o755, ROOT) as Inode;
  const work = upper.root.mkdir("w", S_IFDIR | 0o755, ROOT) as Inode;
  const options = { dev: 4, lowers: [lower.root], upper: upperDir, work, keepsMarks: true };
  const first = new OverlayFs(options).root;
  const d = hold(first, "d");
  assertEquals(first.rename("d", d, first, "x", null, 0, ROOT), -EXDEV);
  assertEquals(d.unlink("a", get(d, "a")), 0);
  assertEquals(first.rmdir("d", d), 0);
  first.mkdir("d", S_IFDIR | 0o755, ROOT);
  get(first, "e").create("new", S_IFREG | 0o600, ROOT);
  const second = new OverlayFs(options).root;
  assertEquals(names(get(second, "d")), []);
  assertEquals(names(get(second, "e")), ["b", "new"]);
  assertEquals(get(second, "e").create("new", S_IFREG, ROOT), -EEXIST);
});

/** The same random operations on an overlay and on one tmpfs that began with the same files. */
Deno.test("random operations give the same tree as on a single file system", () => {
  const seed = Number(Deno.env.get("DVISOR_FUZZ_SEED") ?? 7);
  console.log(`seed ${seed}`);
  let state = seed;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 0x1_0000_0000 * n);
  };
  const files = { "a/x": "1", "a/y": "2", "b/x": "3", "b/c/z": "4", "f": "5", "g": "6" };
  for (let round = 0; round < 30; round++) {
    const plain = newTmpfs();
    fill(plain, files);
    plain.root.link("h", get(plain.root, "a/x"));
    const lower = newTmpfs();
    fill(lower, files);
    lower.root.link("h", get(lower.root, "a/x"));
    const { root, fs } = overlay({}, newTmpfs(), lower);
    const walkers = [walker(plain), walker(fs)];
    for (let step = 0; step < 60; step++) {
      const op = random(9);
      const [p, q] = [randomPath(random), randomPath(random)];
      const results = walkers.map((ctx) => apply(ctx, op, p, q, `${step}`));
      const what = `round ${round} step ${step}: ${op} ${p} ${q}`;
      assertEquals(results[1], results[0], what);
      assertEquals(tree(root), tree(plain.root), what);
      if (random(4) === 0) walkers.forEach((ctx) => dropChildren(ctx.root.dentry)); // As by eviction.
    }
  }
});

function randomPath(random: (n: number) => number): string {
  const parts: string[] = [];
  const depth = 1 + random(3);
  for (let i = 0; i < depth; i++) parts.push("abcfghxyz"[random(9)]);
  return parts.join("/");
}

/** A file system's tree as a task sees it. */
function walker(fs: Filesystem): WalkContext {
  const mount = newMount(fs, "none", 0);
  const path = { mount, dentry: mount.root };
  return { root: path, cwd: path, creds: ROOT, mountNs: new MountNamespace(mount), umask: 0 };
}

function apply(ctx: WalkContext, op: number, p: string, q: string, text: string): number {
  const start = ctx.cwd;
  switch (op) {
    case 0:
      return mkdirAt(ctx, start, p, 0o755);
    case 1:
      return rmdirAt(ctx, start, p);
    case 2:
      return unlinkAt(ctx, start, p);
    case 3:
      return linkAt(ctx, start, p, start, q, 0);
    case 4:
      return renameAt(ctx, start, p, start, q, RENAME_EXCHANGE);
    case 5:
    case 6:
      return renameAt(ctx, start, p, start, q, 0);
    default: {
      const file = openAt(ctx, start, p, O_RDWR | O_CREAT, 0o644);
      if (typeof file === "number") return file;
      writeFile(file, text, text.length % 3);
      file.release();
      return 0;
    }
  }
}

function tree(dir: Inode, path = ""): string[] {
  const lines: string[] = [];
  for (const name of names(dir)) {
    const inode = dir.lookup(name);
    assert(typeof inode !== "number", `${path}/${name} is listed but not found`);
    if ((inode.mode & S_IFMT) === S_IFDIR) {
      lines.push(`${path}/${name}/`, ...tree(inode, path + "/" + name));
    } else {
      const file = openFile(inode, O_RDONLY);
      lines.push(`${path}/${name} ${inode.nlink} ${readFile(file)}`);
      close(file);
    }
  }
  return lines;
}
