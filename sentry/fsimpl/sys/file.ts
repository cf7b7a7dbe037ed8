/** A file of sysfs: its size is a page, and what is written to it is taken and forgotten. */
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { KernText } from "../kernfs/text.ts";

export class SysFile extends KernText {
  constructor(fs: KernFilesystem, mode: number, generate: () => string) {
    super(fs, mode, generate, (mode & 0o222) !== 0 ? () => 0 : null);
    this.size = PAGE_SIZE;
  }
}
