import type { Inode } from "./inode.ts";
import type { PathRef } from "./mount.ts";
import type { WalkContext } from "./walk.ts";
// `mode` is already masked by umask. All return 0 or -errno.
export function mkdirAt(_c: WalkContext, _start: PathRef, _path: string, _mode: number): number {
  throw new Error("not yet");
}
/** mknod(2) of S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK. */
export function mknodAt(_c: WalkContext, _start: PathRef, _path: string, _mode: number, _rdev: number): number {
  throw new Error("not yet");
}
/** bind(2) of a unix socket: mknod, and the inode made (borrowed) for its `special`; -EADDRINUSE. */
export function bindSocketAt(_c: WalkContext, _path: string, _mode: number): { path: PathRef; inode: Inode } | number {
  throw new Error("not yet");
}
export function symlinkAt(_c: WalkContext, _target: string, _start: PathRef, _path: string): number {
  throw new Error("not yet");
}
/** `flags`: AT_SYMLINK_FOLLOW, AT_EMPTY_PATH. */
export function linkAt(_c: WalkContext, _oldStart: PathRef, _oldPath: string, _newStart: PathRef, _newPath: string, _flags: number): number {
  throw new Error("not yet");
}
export function unlinkAt(_c: WalkContext, _start: PathRef, _path: string): number {
  throw new Error("not yet");
}
export function rmdirAt(_c: WalkContext, _start: PathRef, _path: string): number {
  throw new Error("not yet");
}
/** `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT. */
export function renameAt(_c: WalkContext, _oldStart: PathRef, _oldPath: string, _newStart: PathRef, _newPath: string, _flags: number): number {
  throw new Error("not yet");
}
