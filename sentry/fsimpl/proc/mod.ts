/** The face of proc: its type, and what others add to it. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { FilesystemType } from "../../vfs/inode.ts";
import { ProcType } from "./filesystem.ts";

export { type HostInfo, hostInfoFrom, setHostInfo } from "./host_info.ts";
export { setResidentBytes } from "./memory.ts";
export { netTableHead, setNetText } from "./net.ts";
export { NamespaceFile } from "./ns_dir.ts";
export { setSystemText } from "./system.ts";

export function procType(kernel: Kernel): FilesystemType {
  return new ProcType(kernel);
}
