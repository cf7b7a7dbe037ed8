/** The task's place in the tree and what it may reach: chdir(2), chroot(2), umask(2), access(2). */
import {
  SYS_access,
  SYS_chdir,
  SYS_chroot,
  SYS_faccessat,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_faccessat2,
  SYS_fchdir,
  SYS_getcwd,
  SYS_umask,
} from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_CHROOT } from "../../platform/abi/capability.ts";
import {
  EBADF,
  EINVAL,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EPERM,
  ERANGE,
} from "../../platform/abi/errno.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
} from "../../platform/abi/fcntl.ts";
import { PATH_MAX } from "../../platform/abi/limits.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { acquirePath } from "../vfs/mount.ts";
import { inodePermission, isDirectory, MAY_EXEC, pathPermission, walk } from "../vfs/namei.ts";
import { WALK_DIRECTORY } from "../vfs/namei.ts";
import { lastPathReached, pathOf } from "../vfs/path_text.ts";
import { copyInPath, startOf, walkArg, walkFlagsOf } from "./path_args.ts";

/** chdir(2). */
export function chdir(t: Task, args: SyscallArguments): SyscallReturn {
  const p = walkArg(t, AT_FDCWD, args.addr(0), WALK_DIRECTORY);
  if (typeof p === "number") return p;
  const err = inodePermission(t.creds, p.dentry.inode!, MAY_EXEC);
  if (err < 0) return err;
  t.fs.setCwd(acquirePath(p));
  t.publishPlace();
  return 0;
}

/** fchdir(2); a descriptor opened with O_PATH will do. */
export function fchdir(t: Task, args: SyscallArguments): SyscallReturn {
  const file = t.fdTable.get(args.i32(0));
  if (file === null) return -EBADF;
  if (!isDirectory(file.inode)) return -ENOTDIR;
  const err = inodePermission(t.creds, file.inode, MAY_EXEC);
  if (err < 0) return err;
  t.fs.setCwd(acquirePath({ mount: file.mount, dentry: file.dentry }));
  t.publishPlace();
  return 0;
}

/** chroot(2). */
export function chroot(t: Task, args: SyscallArguments): SyscallReturn {
  const p = walkArg(t, AT_FDCWD, args.addr(0), WALK_DIRECTORY);
  if (typeof p === "number") return p;
  const err = inodePermission(t.creds, p.dentry.inode!, MAY_EXEC);
  if (err < 0) return err;
  if (!hasCapability(t.creds, CAP_SYS_CHROOT)) return -EPERM;
  t.fs.setRoot(acquirePath(p));
  t.publishPlace();
  return 0;
}

/** umask(2). */
export function umask(t: Task, args: SyscallArguments): SyscallReturn {
  const old = t.fs.umask;
  t.fs.umask = args.i32(0) & 0o777;
  return old;
}

/** getcwd(2): the length with its NUL. */
export function getcwd(t: Task, args: SyscallArguments): SyscallReturn {
  const size = args.addr(1);
  if (t.fs.cwd.dentry.unlinked) return -ENOENT;
  let path = pathOf(t.fs.cwd, t.fs.root);
  if (!lastPathReached()) path = "(unreachable)" + path;
  const length = path.length + 1;
  if (length > PATH_MAX) return -ENAMETOOLONG;
  if (length > size) return -ERANGE;
  const bytes = length <= t.scratch.length ? t.scratch : new Uint8Array(length);
  for (let i = 0; i < path.length; i++) bytes[i] = path.charCodeAt(i);
  bytes[path.length] = 0;
  const err = t.copyOut(args.addr(0), bytes, 0, length);
  return err < 0 ? err : length;
}

/** access(2). */
export function access(t: Task, args: SyscallArguments): SyscallReturn {
  return doAccess(t, AT_FDCWD, args.addr(0), args.u32(1), 0);
}

/** faccessat(2), the call without flags. */
export function faccessat(t: Task, args: SyscallArguments): SyscallReturn {
  return doAccess(t, args.i32(0), args.addr(1), args.u32(2), 0);
}

/** faccessat2(2). */
export function faccessat2(t: Task, args: SyscallArguments): SyscallReturn {
  return doAccess(t, args.i32(0), args.addr(1), args.u32(2), args.u32(3));
}

function doAccess(
  t: Task,
  dirFd: number,
  pathAddr: number,
  mode: number,
  flags: number,
): SyscallReturn {
  if ((mode & ~7) !== 0) return -EINVAL;
  if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const creds = (flags & AT_EACCESS) !== 0 ? t.creds : realCredentials(t.creds);
  const path = copyInPath(t, pathAddr);
  if (typeof path === "number") return path;
  if (path.length === 0 && (flags & AT_EMPTY_PATH) === 0) return -ENOENT;
  const start = startOf(t, dirFd, path);
  if (typeof start === "number") return start;
  const base = t.fs.walkContext(t.creds);
  const ctx = creds === t.creds ? base : { ...base, creds };
  const p = walk(ctx, start, path, walkFlagsOf(flags));
  if (typeof p === "number") return p;
  const inode = p.dentry.inode!;
  const err = inode.refresh();
  if (err < 0) return err;
  return mode === 0 ? 0 : pathPermission(creds, p.mount, inode, mode);
}

const NO_CAPS: readonly [number, number] = [0, 0];
const SECBIT_NO_SETUID_FIXUP = 4;
const realOnes = new WeakMap<Credentials, Credentials>();

/** What access(2) asks for: the real ids, and root's capabilities if that is the real user. */
function realCredentials(creds: Credentials): Credentials {
  const { ruid, rgid } = creds;
  let caps = creds.effective;
  if ((creds.securebits & SECBIT_NO_SETUID_FIXUP) === 0) {
    caps = ruid === 0 ? creds.permitted : NO_CAPS;
  }
  const sameCaps = caps[0] === creds.effective[0] && caps[1] === creds.effective[1];
  if (ruid === creds.fsuid && rgid === creds.fsgid && sameCaps) return creds;
  let real = realOnes.get(creds);
  if (real === undefined) {
    real = { ...creds, fsuid: ruid, fsgid: rgid, effective: caps };
    realOnes.set(creds, real);
  }
  return real;
}

export const rows: readonly SyscallRow[] = [
  [SYS_access, "access", access, FULL],
  [SYS_getcwd, "getcwd", getcwd, FULL],
  [SYS_chdir, "chdir", chdir, FULL],
  [SYS_fchdir, "fchdir", fchdir, FULL],
  [SYS_umask, "umask", umask, FULL],
  [SYS_chroot, "chroot", chroot, FULL],
  [SYS_faccessat, "faccessat", faccessat, FULL],
  [SYS_faccessat2, "faccessat2", faccessat2, FULL],
];
