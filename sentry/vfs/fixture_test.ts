/** A tree in memory for the tests of this folder; has no tests of its own. */
import { assert } from "@std/assert";
import { O_CREAT, O_RDWR } from "../../platform/abi/fcntl.ts";
import {
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_UNDEFINED_ID,
  ACL_USER,
  ACL_USER_OBJ,
  POSIX_ACL_XATTR_VERSION,
} from "../../platform/abi/posix_acl.ts";
import { type Credentials, initialCredentials } from "../auth/credentials.ts";
import { Tmpfs } from "../fsimpl/tmpfs/mod.ts";
import type { FileDescription } from "./file.ts";
import { KernelDst, KernelSrc } from "./kernel_io.ts";
import { MountNamespace, newMount, type PathRef } from "./mount.ts";
import { mkdirAt, openAt, symlinkAt, walk, type WalkContext } from "./namei.ts";

export const ROOT: Credentials = initialCredentials(0, 0, []);
export const USER: Credentials = initialCredentials(1000, 1000, []);

export function newTmpfs(mode = 0o755): Tmpfs {
  return new Tmpfs({ maxPages: 1 << 20, maxInodes: 1 << 20, mode, uid: 0, gid: 0 });
}

export class Tree {
  readonly ns = new MountNamespace(newMount(newTmpfs(), "tmpfs", 0));
  creds = ROOT;
  umask = 0;
  root: PathRef = this.ns.rootPath;
  cwd: PathRef = this.root;

  get ctx(): WalkContext {
    const { root, cwd, creds, ns: mountNs, umask } = this;
    return { root, cwd, creds, mountNs, umask };
  }
  mkdir(...paths: string[]): void {
    for (const path of paths) ok(mkdirAt(this.ctx, this.cwd, path, 0o755));
  }
  symlink(target: string, path: string): void {
    ok(symlinkAt(this.ctx, target, this.cwd, path));
  }
  open(path: string, flags: number, mode = 0o644): FileDescription | number {
    return openAt(this.ctx, this.cwd, path, flags, mode);
  }
  /** A file with `text` in it. */
  write(path: string, text: string, mode = 0o644): void {
    const file = opened(this.open(path, O_CREAT | O_RDWR, mode));
    const bytes = new TextEncoder().encode(text);
    ok(file.write(new KernelSrc(bytes)) as number);
    file.release();
  }
  read(path: string): string | number {
    const file = this.open(path, 0);
    if (typeof file === "number") return file;
    const text = contents(file);
    file.release();
    return text;
  }
  at(path: string, flags = 0): PathRef {
    const p = walk(this.ctx, this.cwd, path, flags);
    assert(typeof p !== "number", `${path}: errno ${p}`);
    return p;
  }
  /** 0 when it is there, else -errno. */
  walk(path: string, flags = 0): number {
    const p = walk(this.ctx, this.cwd, path, flags);
    return typeof p === "number" ? p : 0;
  }
  names(path: string): string[] {
    const file = opened(this.open(path, 0));
    const names: string[] = [];
    file.impl.iterate(file, (entry) => names.push(entry.name) > 0);
    file.release();
    return names.filter((name) => name !== "." && name !== "..").sort();
  }
}

export function contents(file: FileDescription): string {
  const bytes = new Uint8Array(4096);
  const n = file.pread(new KernelDst(bytes), 0) as number;
  return n < 0 ? `errno ${n}` : new TextDecoder().decode(bytes.subarray(0, n));
}

export function ok(result: number): void {
  assert(result >= 0, `errno ${result}`);
}

export function opened(file: FileDescription | number): FileDescription {
  assert(typeof file !== "number", `errno ${file}`);
  return file;
}

export type AclEntry = [tag: number, perm: number, id?: number];

/** An access control list as its extended attribute has it. */
export function aclValue(
  entries: AclEntry[],
  version = POSIX_ACL_XATTR_VERSION,
): Uint8Array<ArrayBuffer> {
  const words = entries.flatMap(([tag, perm, id]) => [tag | perm << 16, id ?? ACL_UNDEFINED_ID]);
  return new Uint8Array(Uint32Array.of(version, ...words).buffer);
}

export const EXTENDED_ACL = aclValue([
  [ACL_USER_OBJ, 6],
  [ACL_USER, 4, 1000],
  [ACL_GROUP_OBJ, 4],
  [ACL_MASK, 5],
  [ACL_OTHER, 0],
]);
