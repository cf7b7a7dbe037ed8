/** sysfs(2): the file system types by number, which programs of old ask before they mount. */
import { SYS_sysfs } from "../../platform/abi/amd64/syscalls.ts";
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** sysfs(2). */
export function sysfs(t: Task, args: SyscallArguments): number {
  const names = [...t.kernel.fsTypes.keys()];
  switch (args.i32(0)) {
    case 1:
      return indexOf(t, names, args.addr(1));
    case 2:
      return putName(t, names[args.u32(1)], args.addr(2));
    case 3:
      return names.length;
    default:
      return -EINVAL;
  }
}

function indexOf(t: Task, names: string[], addr: number): number {
  const name = t.copyInString(addr, PAGE_SIZE);
  if (typeof name === "number") return name;
  const index = names.indexOf(name);
  return index < 0 ? -EINVAL : index;
}

function putName(t: Task, name: string | undefined, addr: number): number {
  if (name === undefined) return -EINVAL;
  const bytes = new Uint8Array(name.length + 1);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return t.copyOut(addr, bytes, 0, bytes.length) < 0 ? -EFAULT : 0;
}

export const rows: readonly SyscallRow[] = [[SYS_sysfs, "sysfs", sysfs, FULL]];
