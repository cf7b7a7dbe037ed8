/** Paths and descriptors as arguments: what *at(2) calls have in common. */
import { EBADF, EINVAL, ENAMETOOLONG, ENOENT } from "../../platform/abi/errno.ts";
import { AT_FDCWD, O_PATH } from "../../platform/abi/fcntl.ts";
import { PATH_MAX } from "../../platform/abi/limits.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { PathRef } from "../vfs/mount.ts";
import { walk, WALK_EMPTY, WALK_NOFOLLOW } from "../vfs/namei.ts";

const SLASH = 47;

/** A path; it may be empty only where AT_EMPTY_PATH or the walk says so. -EFAULT, -ENAMETOOLONG. */
export function copyInPath(t: Task, addr: number): string | number {
  return t.copyInString(addr, PATH_MAX);
}

/** Any string that takes at most `limit` bytes with its end (Linux: strndup_user); -EFAULT, -EINVAL for a longer one. */
export function copyInText(t: Task, addr: number, limit: number): string | number {
  const text = t.copyInString(addr, limit);
  return text === -ENAMETOOLONG ? -EINVAL : text;
}

/** Where `path` starts when it is relative: the working directory or `dirFd`. -EBADF. */
export function startOf(t: Task, dirFd: number, path: string): PathRef | number {
  if (dirFd === AT_FDCWD) return t.fs.cwd;
  // V8 gives up code that asked for a char beyond the end.
  if (path.length > 0 && path.charCodeAt(0) === SLASH) return t.fs.cwd;
  return t.fdTable.get(dirFd) ?? -EBADF; // An open file is a place, too.
}

/** The path at `addr`, walked with `walkFlags` (WALK_*) under the task's credentials. */
export function walkArg(
  t: Task,
  dirFd: number,
  addr: number,
  walkFlags: number,
): PathRef | number {
  const path = t.copyInString(addr, PATH_MAX);
  if (typeof path === "number") return path;
  if (path.length === 0 && (walkFlags & WALK_EMPTY) === 0) return -ENOENT;
  const start = startOf(t, dirFd, path);
  if (typeof start === "number") return start;
  return walk(t.fs.walkContext(t.creds), start, path, walkFlags);
}

/** WALK_* for AT_SYMLINK_NOFOLLOW (0x100) and AT_EMPTY_PATH (0x1000). */
export function walkFlagsOf(atFlags: number): number {
  return ((atFlags & 0x100) !== 0 ? WALK_NOFOLLOW : 0) |
    ((atFlags & 0x1000) !== 0 ? WALK_EMPTY : 0);
}

/** An open file for anything but its place: -EBADF also for one opened with O_PATH. */
export function fileArg(t: Task, fd: number): FileDescription | number {
  const file = t.fdTable.get(fd);
  return file === null || (file.flags & O_PATH) !== 0 ? -EBADF : file;
}
