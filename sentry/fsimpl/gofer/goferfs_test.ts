import { assert, assertEquals } from "@std/assert";
import {
  EEXIST,
  EIO,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EOPNOTSUPP,
  EROFS,
  ESTALE,
} from "../../../platform/abi/errno.ts";
import { O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { ACL_TYPE_ACCESS, ACL_TYPE_DEFAULT } from "../../../platform/abi/posix_acl.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../platform/abi/stat.ts";
import { hostOpenat2 } from "../../../platform/host/files.ts";
import { preadFd, pwriteFd } from "../../../platform/host/host.ts";
import { initialCredentials } from "../../auth/credentials.ts";
import { Dentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import { ATTR_MODE, ATTR_MTIME, ATTR_SIZE, type Inode } from "../../vfs/inode.ts";
import { EXTENDED_ACL } from "../../vfs/fixture_test.ts";
import { aclsOf } from "../../vfs/inode_acls.ts";
import { KernelDst, KernelSrc, setKernelHostIo } from "../../vfs/kernel_io.ts";
import type { Mount } from "../../vfs/mount.ts";
import { decodeAcl, type PosixAcl } from "../../vfs/posix_acl.ts";
import { GoferFs, type GoferFsOptions } from "./goferfs.ts";
import type { GoferInode } from "./inode.ts";

let hostCalls = 0;
setKernelHostIo({
  read: (fd, buf, start, end, offset) => {
    hostCalls++;
    return preadFd(fd, buf, start, end, offset);
  },
  write: (fd, buf, start, end, offset) => pwriteFd(fd, buf, start, end, offset),
});

const ME = initialCredentials(Deno.uid() ?? 0, Deno.gid() ?? 0, []);

function withFs(
  options: Partial<GoferFsOptions>,
  run: (fs: GoferFs, dir: string) => void,
): void {
  const dir = Deno.makeTempDirSync();
  Deno.mkdirSync(`${dir}/sub/deep`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/hello`, "hello, world");
  Deno.symlinkSync("/etc/passwd", `${dir}/link`);
  const rootFd = hostOpenat2(-100, dir, O_PATH | O_DIRECTORY, 0, 0);
  const fs = new GoferFs({ rootFd, dev: 7, exclusive: true, readonly: false, ...options });
  try {
    run(fs, dir);
  } finally {
    fs.release();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** As the VFS does: a dentry holds what is found. */
function find(fs: GoferFs, path: string): GoferInode {
  let inode = fs.root;
  for (const name of path.split("/")) {
    const next: Inode | number = inode.lookup(name);
    assert(typeof next !== "number", `${path}: ${next}`);
    next.refs++;
    inode = next as GoferInode;
  }
  return inode;
}

function open(inode: Inode, flags: number): FileDescription {
  const dentry = new Dentry(inode.fs, null, "", inode);
  const file = new FileDescription(inode, dentry, { flags: 0 } as Mount, flags);
  assertEquals(inode.open(file), 0);
  return file;
}

function read(file: FileDescription, offset: number, length: number): string {
  const buf = new Uint8Array(length);
  const n = file.impl.read(file, new KernelDst(buf), offset);
  assert(typeof n === "number" && n >= 0);
  return new TextDecoder().decode(buf.subarray(0, n));
}

function write(file: FileDescription, offset: number, text: string): void {
  const src = new KernelSrc(new TextEncoder().encode(text));
  assertEquals(file.impl.write(file, src, offset), text.length);
}

function names(inode: Inode): string[] {
  const file = open(inode, O_RDONLY);
  const list: string[] = [];
  assertEquals(file.impl.iterate(file, (e) => list.push(e.name) > 0), 0);
  file.impl.release(file);
  return list.sort();
}

Deno.test("attributes, links and entries are the host's", () => {
  withFs({}, (fs, dir) => {
    const hello = find(fs, "hello");
    const stat = Deno.statSync(`${dir}/hello`);
    assertEquals(hello.size, 12);
    assertEquals(hello.ino, stat.ino!);
    assertEquals(hello.mode & 0o7777, stat.mode! & 0o7777);
    assertEquals(hello.mtimeSec, Math.floor(stat.mtime!.getTime() / 1000));
    assertEquals(find(fs, "link").readlink(), "/etc/passwd");
    assertEquals(find(fs, "sub/deep").mode & S_IFMT, S_IFDIR);
    assertEquals(fs.root.lookup("none"), -ENOENT);
    assertEquals(names(fs.root), [".", "..", "hello", "link", "sub"]);
  });
});

Deno.test("a link that the host puts in the place of a directory or file leads nowhere", () => {
  withFs({ exclusive: false }, (fs, dir) => {
    const outside = Deno.makeTempDirSync();
    try {
      Deno.writeTextFileSync(`${outside}/secret`, "secret");
      const deep = find(fs, "sub");
      const hello = find(fs, "hello");
      Deno.removeSync(`${dir}/sub`, { recursive: true });
      Deno.symlinkSync(outside, `${dir}/sub`);
      Deno.removeSync(`${dir}/hello`);
      Deno.symlinkSync(`${outside}/secret`, `${dir}/hello`);
      assertEquals(deep.lookup("secret"), -ENOTDIR);
      const dentry = new Dentry(fs, null, "", hello);
      const file = new FileDescription(hello, dentry, { flags: 0 } as Mount, O_RDONLY);
      assertEquals(hello.open(file), -ELOOP);
    } finally {
      Deno.removeSync(outside, { recursive: true });
    }
  });
});

Deno.test("a small file read often is read from the host no more", () => {
  withFs({}, (fs) => {
    const file = open(find(fs, "hello"), O_RDONLY);
    for (let i = 0; i < 5; i++) assertEquals(read(file, 7, 5), "world");
    const before = hostCalls;
    for (let i = 0; i < 5; i++) assertEquals(read(file, 7, 100), "world");
    assertEquals(read(file, 12, 5), "");
    assertEquals(hostCalls, before);
    file.impl.release(file);
  });
});

Deno.test("a write is seen by the host, by open files and in the attributes", () => {
  withFs({}, (fs, dir) => {
    const inode = find(fs, "hello");
    const reader = open(inode, O_RDONLY);
    for (let i = 0; i < 5; i++) read(reader, 0, 12);
    const writer = open(inode, O_RDWR);
    write(writer, 7, "there, all");
    assertEquals(inode.size, 17);
    assertEquals(read(reader, 0, 100), "hello, there, all");
    assertEquals(Deno.readTextFileSync(`${dir}/hello`), "hello, there, all");
    assertEquals(writer.impl.truncate(writer, 5), 0);
    assertEquals(read(reader, 0, 100), "hello");
    writer.impl.release(writer);
    reader.impl.release(reader);
  });
});

Deno.test("names are made, renamed, linked and removed on the host", () => {
  withFs({}, (fs, dir) => {
    const { root } = fs;
    const made = root.create("new", S_IFREG | 0o662, ME) as GoferInode;
    made.refs++;
    assertEquals(Deno.statSync(`${dir}/new`).mode! & 0o7777, 0o662);
    assertEquals(root.create("new", S_IFREG | 0o640, ME), -EEXIST);
    assertEquals(root.link("second", made), 0);
    assertEquals(made.nlink, 2);
    assertEquals(root.lookup("second"), made);
    const sub = find(fs, "sub");
    assertEquals(root.rename("new", made, sub, "moved", null, 0, ME), 0);
    assertEquals(root.lookup("new"), -ENOENT);
    assertEquals(sub.lookup("moved"), made);
    assertEquals(sub.unlink("moved", made), 0);
    assertEquals(made.refresh(), 0);
    assertEquals([made.nlink, made.name], [1, "second"]);
    assertEquals(root.rmdir("sub", sub), -ENOTEMPTY);
    assert(typeof root.symlink("sym", "a/b", ME) !== "number");
    assertEquals(Deno.readLinkSync(`${dir}/sym`), "a/b");
    assert(typeof root.mkdir("dir", S_IFDIR | 0o700, ME) !== "number");
    assertEquals(names(root), [".", "..", "dir", "hello", "link", "second", "sub", "sym"]);
  });
});

Deno.test("an open file without a name is read, written and ends with its last fd", () => {
  withFs({}, (fs, dir) => {
    const inode = find(fs, "hello");
    const file = open(inode, O_RDWR);
    assertEquals(fs.root.unlink("hello", inode), 0);
    write(file, 0, "HELLO");
    assertEquals(read(file, 0, 12), "HELLO, world");
    assertEquals([inode.refresh(), inode.nlink, inode.size], [0, 0, 12]);
    file.impl.release(file);
    assertEquals(fs.fileFds.size, 0);
    assertEquals([...Deno.readDirSync(dir)].length, 2);
  });
});

Deno.test("setattr changes mode, size and times", () => {
  withFs({}, (fs, dir) => {
    const inode = find(fs, "hello");
    const attr = {
      mask: ATTR_MODE | ATTR_SIZE | ATTR_MTIME,
      mode: 0o600,
      uid: 0,
      gid: 0,
      size: 3,
      atimeSec: 0,
      atimeNsec: 0,
      mtimeSec: 1_000_000_000,
      mtimeNsec: 5,
    };
    assertEquals(inode.setattr(attr, ME), 0);
    assertEquals([inode.mode & 0o7777, inode.size], [0o600, 3]);
    assertEquals([inode.mtimeSec, inode.mtimeNsec], [1_000_000_000, 5]);
    assertEquals(Deno.statSync(`${dir}/hello`).mtime!.getTime(), 1e12);
    const sub = find(fs, "sub");
    assertEquals(sub.setattr({ ...attr, mask: ATTR_MODE | ATTR_MTIME, mode: 0o711 }, ME), 0);
    assertEquals([sub.mode & 0o7777, sub.mtimeSec], [0o711, 1_000_000_000]);
  });
});

Deno.test("a read-only file system changes nothing", () => {
  withFs({ readonly: true }, (fs) => {
    const { root } = fs;
    const hello = find(fs, "hello");
    assertEquals(root.create("x", S_IFREG | 0o600, ME), -EROFS);
    assertEquals(root.mkdir("x", S_IFDIR | 0o700, ME), -EROFS);
    assertEquals(root.unlink("hello", hello), -EROFS);
    assertEquals(root.rename("hello", hello, root, "x", null, 0, ME), -EROFS);
    const file = new FileDescription(
      hello,
      new Dentry(fs, null, "", hello),
      { flags: 0 } as Mount,
      O_RDWR,
    );
    assertEquals(hello.open(file), -EROFS);
  });
});

Deno.test("shared mode sees what the host changes", () => {
  withFs({ exclusive: false }, (fs, dir) => {
    const { root } = fs;
    const hello = find(fs, "hello");
    assertEquals(root.revalidate!("hello", hello), true);
    Deno.writeTextFileSync(`${dir}/hello`, "longer than before");
    assertEquals([hello.refresh(), hello.size], [0, 18]);
    assertEquals(root.revalidate!("none", null), true);
    Deno.writeTextFileSync(`${dir}/none`, "");
    assertEquals(root.revalidate!("none", null), false);
    Deno.removeSync(`${dir}/hello`);
    Deno.writeTextFileSync(`${dir}/other`, "x");
    Deno.renameSync(`${dir}/other`, `${dir}/hello`);
    assertEquals(root.revalidate!("hello", hello), false);
    assert(root.lookup("hello") !== hello);
  });
});

Deno.test("host fds of closed files and unused directories are bounded", () => {
  withFs({ fileFdLimit: 8, dirFdLimit: 4 }, (fs, dir) => {
    for (let i = 0; i < 50; i++) {
      Deno.mkdirSync(`${dir}/d${i}`);
      Deno.writeTextFileSync(`${dir}/d${i}/f`, `${i}`);
    }
    const inodes: GoferInode[] = [];
    for (let i = 0; i < 50; i++) inodes.push(find(fs, `d${i}/f`));
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 50; i++) {
        const file = open(inodes[i], O_RDONLY);
        assertEquals(read(file, 0, 10), `${i}`);
        file.impl.release(file);
      }
    }
    assert(fs.fileFds.size <= 8 && fs.dirFds.size <= 4);
  });
});

Deno.test("host fds of open files and directories are bounded where names stay", () => {
  withFs({ readonly: true, openFdLimit: 16 }, (fs, dir) => {
    for (let i = 0; i < 50; i++) {
      Deno.mkdirSync(`${dir}/d${i}`);
      Deno.writeTextFileSync(`${dir}/d${i}/f`, `${i}`);
    }
    const files: FileDescription[] = [];
    for (let i = 0; i < 50; i++) {
      files.push(open(find(fs, `d${i}/f`), O_RDONLY));
      files.push(open(find(fs, `d${i}`), O_RDONLY | O_DIRECTORY));
    }
    assert(fs.fileFds.size <= 16 && fs.dirFds.size <= 16);
    for (let i = 0; i < 50; i++) assertEquals(read(files[2 * i], 0, 10), `${i}`);
    // The host keeps no name after all.
    Deno.removeSync(`${dir}/d0/f`);
    Deno.writeTextFileSync(`${dir}/d0/f`, "another");
    const n = files[0].impl.read(files[0], new KernelDst(new Uint8Array(9)), 0);
    assertEquals(n, -ESTALE);
    for (const file of files) file.impl.release(file);
  });
});

Deno.test("extended attributes go to the host where it keeps them", () => {
  withFs({}, (fs) => {
    const inode = find(fs, "hello");
    const err = inode.setxattr("user.a", new Uint8Array([1, 2]), 0);
    if (err < 0) {
      assert(err !== -EIO);
      return;
    }
    assertEquals(inode.listxattr(), ["user.a"]);
    assertEquals(inode.getxattr("user.a"), new Uint8Array([1, 2]));
    assertEquals(inode.removexattr("user.a"), 0);
    assertEquals(inode.listxattr(), []);
  });
});

Deno.test("access control lists are the host's, also those that it changes", () => {
  withFs({ exclusive: false }, (fs, dir) => {
    const f = find(fs, "hello");
    const acl = decodeAcl(EXTENDED_ACL) as PosixAcl;
    const set = f.setAcl(ACL_TYPE_ACCESS, acl);
    if (set === -EOPNOTSUPP) return; // Not kept here.
    assertEquals(set, 0);
    assertEquals(f.mode & 0o777, 0o650);
    assertEquals(aclsOf(f)?.access?.bytes, EXTENDED_ACL);
    assertEquals(f.listxattr(), []);
    Deno.chmodSync(`${dir}/hello`, 0o604);
    assertEquals(f.refresh(), 0);
    assertEquals(aclsOf(f)?.access?.modeBits, 0o604);

    const sub = find(fs, "sub");
    assertEquals(sub.setAcl(ACL_TYPE_DEFAULT, acl), 0);
    const made = sub.create("made", S_IFREG | 0o600, ME) as GoferInode;
    assertEquals(aclsOf(made)?.access?.modeBits, 0o600);
    assertEquals(made.setAcl(ACL_TYPE_ACCESS, null), 0);
    assertEquals(aclsOf(made), null);
    made.release();
  });
});
