import type { FileDescription } from "./file.ts";
import type { PathRef } from "./mount.ts";
import type { WalkContext } from "./walk.ts";
/**
 * open(2), openat2(2). `mode` is already masked by umask; `resolve` has RESOLVE_* flags. The caller
 * owns the file. A FIFO may come back with `openPending` set: then wait on `impl.openQueue`.
 */
export function openAt(_c: WalkContext, _start: PathRef, _path: string, _flags: number, _mode: number, _resolve = 0): FileDescription | number {
  throw new Error("not yet");
}
/** Opens the file at `p` (found before; exec, /proc) with `flags` and checks of permission. */
export function openPath(_c: WalkContext, _p: PathRef, _flags: number): FileDescription | number {
  throw new Error("not yet");
}
