import type { Credentials } from "../auth/credentials.ts";
import type { Inode } from "./inode.ts";
import type { Mount } from "./mount.ts";
export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;
/** Whether `creds` may do `want` (MAY_*) to the inode: 0 or -EACCES. Mount flags are not looked at. */
export function inodePermission(_creds: Credentials, _inode: Inode, _want: number): number {
  throw new Error("not yet");
}
/** As inodePermission, with -EROFS for writing and -EACCES for executing through `mount`. */
export function pathPermission(_creds: Credentials, _mount: Mount, _inode: Inode, _want: number): number {
  throw new Error("not yet");
}
