/** Extended attributes: getxattr(2), setxattr(2), listxattr(2), removexattr(2) in all forms. */
import {
  SYS_fgetxattr,
  SYS_flistxattr,
  SYS_fremovexattr,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_fsetxattr, SYS_getxattr, SYS_lgetxattr } from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_listxattr,
  SYS_llistxattr,
  SYS_lremovexattr,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_lsetxattr, SYS_removexattr, SYS_setxattr } from "../../platform/abi/amd64/syscalls.ts";
import { E2BIG, EINVAL, ENAMETOOLONG, ERANGE } from "../../platform/abi/errno.ts";
import { AT_FDCWD } from "../../platform/abi/fcntl.ts";
import { XATTR_CREATE, XATTR_NAME_MAX, XATTR_REPLACE } from "../../platform/abi/xattr.ts";
import { XATTR_SIZE_MAX } from "../../platform/abi/xattr.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { PathRef } from "../vfs/mount.ts";
import { getXattr, listXattrs, removeXattr, setXattr, WALK_NOFOLLOW } from "../vfs/namei.ts";
import { fileArg, walkArg } from "./path_args.ts";

/** How a call names its file: by a path, by a path whose last link is not followed, by descriptor. */
type Target = (t: Task, args: SyscallArguments) => PathRef | number;

const byPath: Target = (t, args) => walkArg(t, AT_FDCWD, args.addr(0), 0);
const byLink: Target = (t, args) => walkArg(t, AT_FDCWD, args.addr(0), WALK_NOFOLLOW);
const byFile: Target = (t, args) => fileArg(t, args.i32(0));

function get(target: Target) {
  return (t: Task, args: SyscallArguments): SyscallReturn => {
    const p = target(t, args);
    if (typeof p === "number") return p;
    const name = copyInName(t, args.addr(1));
    if (typeof name === "number") return name;
    const value = getXattr(t.creds, p, name);
    return typeof value === "number" ? value : give(t, value, args.addr(2), args.addr(3));
  };
}

function set(target: Target) {
  return (t: Task, args: SyscallArguments): SyscallReturn => {
    const flags = args.u32(4);
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
    const name = copyInName(t, args.addr(1));
    if (typeof name === "number") return name;
    const size = args.addr(3);
    if (size > XATTR_SIZE_MAX) return -E2BIG;
    const value = new Uint8Array(size);
    if (size > 0) {
      const err = t.copyIn(args.addr(2), value, 0, size);
      if (err < 0) return err;
    }
    const p = target(t, args);
    return typeof p === "number" ? p : setXattr(t.creds, p, name, value, flags);
  };
}

function list(target: Target) {
  return (t: Task, args: SyscallArguments): SyscallReturn => {
    const p = target(t, args);
    if (typeof p === "number") return p;
    const names = listXattrs(t.creds, p);
    if (typeof names === "number") return names;
    let size = 0;
    for (const name of names) size += name.length + 1;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const name of names) {
      for (let i = 0; i < name.length; i++) bytes[at++] = name.charCodeAt(i);
      bytes[at++] = 0;
    }
    return give(t, bytes, args.addr(1), args.addr(2));
  };
}

function remove(target: Target) {
  return (t: Task, args: SyscallArguments): SyscallReturn => {
    const name = copyInName(t, args.addr(1));
    if (typeof name === "number") return name;
    const p = target(t, args);
    return typeof p === "number" ? p : removeXattr(t.creds, p, name);
  };
}

/** The name with its prefix; -ERANGE when it is empty or too long. */
function copyInName(t: Task, addr: number): string | number {
  const name = t.copyInString(addr, XATTR_NAME_MAX + 1);
  if (typeof name === "number") return name === -ENAMETOOLONG ? -ERANGE : name;
  return name.length === 0 ? -ERANGE : name;
}

/** Size 0 asks how large the buffer must be. */
function give(t: Task, bytes: Uint8Array, addr: number, size: number): number {
  if (size === 0) return bytes.length;
  if (bytes.length > size) return -ERANGE;
  const err = bytes.length === 0 ? 0 : t.copyOut(addr, bytes, 0, bytes.length);
  return err < 0 ? err : bytes.length;
}

export const rows: readonly SyscallRow[] = [
  [SYS_setxattr, "setxattr", set(byPath), FULL],
  [SYS_lsetxattr, "lsetxattr", set(byLink), FULL],
  [SYS_fsetxattr, "fsetxattr", set(byFile), FULL],
  [SYS_getxattr, "getxattr", get(byPath), FULL],
  [SYS_lgetxattr, "lgetxattr", get(byLink), FULL],
  [SYS_fgetxattr, "fgetxattr", get(byFile), FULL],
  [SYS_listxattr, "listxattr", list(byPath), FULL],
  [SYS_llistxattr, "llistxattr", list(byLink), FULL],
  [SYS_flistxattr, "flistxattr", list(byFile), FULL],
  [SYS_removexattr, "removexattr", remove(byPath), FULL],
  [SYS_lremovexattr, "lremovexattr", remove(byLink), FULL],
  [SYS_fremovexattr, "fremovexattr", remove(byFile), FULL],
];
