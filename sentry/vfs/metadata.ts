import type { Credentials } from "../auth/credentials.ts";
import type { FileDescription } from "./file.ts";
import type { PathRef } from "./mount.ts";
export function changeMode(_creds: Credentials, _p: PathRef, _mode: number): number {
  throw new Error("not yet");
}
/** -1 leaves uid or gid as it is. */
export function changeOwner(_creds: Credentials, _p: PathRef, _uid: number, _gid: number): number {
  throw new Error("not yet");
}
/** truncate(2): permission and size; open files use `impl.truncate`. */
export function truncatePath(_creds: Credentials, _p: PathRef, _size: number): number {
  throw new Error("not yet");
}
/** Before data is written: clears setuid and setgid bits unless CAP_FSETID. Returns 0 or -errno. */
export function removePrivileges(_creds: Credentials, _f: FileDescription): number {
  throw new Error("not yet");
}
