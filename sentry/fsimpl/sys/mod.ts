/** The face of sys: the types sysfs and cgroup2. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { FilesystemType } from "../../vfs/inode.ts";
import { CgroupType } from "./cgroup.ts";
import { SysType } from "./filesystem.ts";

export function sysType(kernel: Kernel): FilesystemType {
  return new SysType(kernel);
}

export function cgroupType(kernel: Kernel): FilesystemType {
  return new CgroupType(kernel);
}
