/** The path walk. Stub of the signatures; see the next commit. */
import type { Credentials } from "../auth/credentials.ts";
import type { MountNamespace, PathRef } from "./mount.ts";

/** Whose walk it is. `creds.fsuid`, `fsgid`, groups and effective capabilities decide. */
export interface WalkContext {
  readonly root: PathRef;
  readonly cwd: PathRef;
  readonly creds: Credentials;
  readonly mountNs: MountNamespace;
}

/** Do not follow a symbolic link in the last component. */
export const WALK_NOFOLLOW = 0x100;
/** The result must be a directory (-ENOTDIR). */
export const WALK_DIRECTORY = 0x200;
/** AT_EMPTY_PATH: an empty path is `start` itself. */
export const WALK_EMPTY = 0x400;
// The low byte holds openat2's RESOLVE_* flags.

/** Borrowed result, see dentry.ts. `start` serves relative paths (ctx.cwd, or a dirfd's path). */
export function walk(_c: WalkContext, _start: PathRef, _path: string, _flags: number): PathRef | number {
  throw new Error("not yet");
}
