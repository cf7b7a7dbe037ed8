import { assertEquals } from "@std/assert";
import { EINVAL, EIO, ENOENT } from "../../../platform/abi/errno.ts";
import { latin1, latin1Bytes } from "../../../platform/abi/latin1.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PseudoFilesystem } from "../../vfs/anon.ts";
import { newRootDentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import { KernDir } from "./dir.ts";
import { KernFilesystem } from "./inode.ts";
import { KernSymlink } from "./link.ts";
import { KernText, parseInteger } from "./text.ts";

class TestFs extends KernFilesystem {
  override readonly typeName = "test";
  override readonly magic = 1;
  override readonly root: KernDir = new KernDir(this);
  constructor() {
    super({} as Kernel, 1);
  }
}
const { mount } = new PseudoFilesystem("other", 2);

function open(fs: KernFilesystem, inode: Inode): FileDescription {
  const file = new FileDescription(inode, newRootDentry(fs, inode), mount.acquire(), 2);
  assertEquals(inode.open(file), 0);
  return file;
}
function read(file: FileDescription, n: number): string | number {
  const dst = new KernelDst(new Uint8Array(n));
  const got = file.read(dst) as number;
  return got < 0 ? got : latin1(dst.buf, 0, got);
}
function names(file: FileDescription, max: number): string[] {
  const found: string[] = [];
  file.impl.iterate(file, (entry) => found.length < max && found.push(entry.name) > 0);
  return found;
}

Deno.test("an open file keeps its text until it is read from the start again", () => {
  const fs = new TestFs();
  let n = 0;
  const file = open(fs, new KernText(fs, 0o444, () => `value ${n++}\n`));
  assertEquals(read(file, 3), "val");
  assertEquals(read(file, 100), "ue 0\n");
  assertEquals(read(file, 100), "");
  file.offset = file.impl.seek(file, 0, 0);
  assertEquals(read(file, 100), "value 1\n");
  assertEquals(file.impl.seek(file, 0, 2), -EINVAL);
});

Deno.test("each write is one value, and a file without a store refuses it", () => {
  const fs = new TestFs();
  const stored: string[] = [];
  const store = (value: string): number => value === "bad" ? -EINVAL : stored.push(value) && 0;
  const file = open(fs, new KernText(fs, 0o644, () => "", store));
  assertEquals(file.impl.write(file, new KernelSrc(latin1Bytes("12\n")), 0), 3);
  assertEquals(file.impl.write(file, new KernelSrc(latin1Bytes("bad")), 0), -EINVAL);
  assertEquals(stored, ["12\n"]);
  const fixed = open(fs, new KernText(fs, 0o444, () => ""));
  assertEquals(fixed.impl.write(fixed, new KernelSrc(latin1Bytes("x")), 0), -EIO);
});

Deno.test("a directory is listed in pieces, also when entries go meanwhile", () => {
  const fs = new TestFs();
  const { root } = fs;
  for (const name of ["a", "b", "c"]) root.add(name, new KernSymlink(fs, name));
  const file = open(fs, root);
  assertEquals(names(file, 3), [".", "..", "a"]);
  root.remove("a");
  root.remove("b");
  assertEquals(names(file, 3), ["c"]);
  assertEquals(names(file, 3), []);
  assertEquals(root.lookup("b"), -ENOENT);
});

Deno.test("a file is made once, when it is first looked for or listed", () => {
  const fs = new TestFs();
  const { root } = fs;
  const made: string[] = [];
  for (const name of ["a", "b"]) {
    root.addFile(name, () => {
      made.push(name);
      return new KernSymlink(fs, name);
    });
  }
  assertEquals([root.nlink, made], [2, []]);
  const a = root.lookup("a");
  assertEquals(made, ["a"]);
  assertEquals(names(open(fs, root), 4), [".", "..", "a", "b"]);
  assertEquals([root.lookup("a") === a, made], [true, ["a", "b"]]);
  root.remove("a");
  assertEquals(root.lookup("a"), -ENOENT);
});

Deno.test("paths of directories are made as needed and counted as links", () => {
  const { root } = new TestFs();
  const deep = root.path("x/y/z");
  assertEquals(root.path("x/y/z"), deep);
  assertEquals(root.nlink, 3);
  assertEquals(root.path("x").nlink, 3);
});

Deno.test("integers are read as the kernel reads them", () => {
  assertEquals(parseInteger("12\n"), 12);
  assertEquals(parseInteger(" -5 "), -5);
  assertEquals(parseInteger("0x1f"), 31);
  for (const bad of ["", "x", "1 2", "1.5", "--1"]) assertEquals(parseInteger(bad), NaN);
});
