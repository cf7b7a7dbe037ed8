/** /proc/sys: sysctl(8), proc_sys(5). The rows are in sysctl_table.ts. */
import { EACCES, EINVAL } from "../../../platform/abi/errno.ts";
import { inGroup } from "../../auth/credentials.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { MAY_READ, MAY_WRITE } from "../../vfs/permission.ts";
import { currentTask } from "../kernfs/caller.ts";
import { KernDir } from "../kernfs/dir.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { KernText, parseInteger } from "../kernfs/text.ts";
import { type Row, sysctlRows } from "./sysctl_table.ts";

export function newSysctlDir(fs: KernFilesystem): KernDir {
  const root = new KernDir(fs);
  for (const row of sysctlRows(fs.kernel)) addRow(fs, root, row);
  return root;
}

/** A value that not even root opens for what its mode does not say (Linux: proc_sys_permission). */
class SysctlText extends KernText {
  override get writesBuffers(): boolean {
    return false;
  }
  override checkOpen(file: FileDescription): number {
    const wanted = (file.readable ? MAY_READ : 0) | (file.writable ? MAY_WRITE : 0);
    const creds = currentTask()?.creds;
    const isRoot = creds === undefined || creds.euid === 0;
    const allowed = isRoot ? this.mode >> 6 : inGroup(creds, 0) ? this.mode >> 3 : this.mode;
    return (wanted & ~allowed) !== 0 ? -EACCES : 0;
  }
}

function addRow(fs: KernFilesystem, root: KernDir, row: Row): void {
  const slash = row.path.lastIndexOf("/");
  const dir = root.path(row.path.slice(0, slash));
  const name = row.path.slice(slash + 1);
  if (row.read !== undefined) {
    const read = row.read;
    dir.addFile(
      name,
      () =>
        new SysctlText(
          fs,
          row.mode ?? (row.write ? 0o644 : 0o444),
          () => read() + "\n",
          row.write ?? null,
        ),
    );
    return;
  }
  // A value nobody looks at: kept, so that it reads as it was written.
  let value = String(row.value);
  const check = row.range;
  const store = (text: string): number => {
    const written = text.replace(/\n$/, "");
    if (check !== undefined) {
      const n = parseInteger(written);
      if (!(n >= check[0] && n <= check[1])) return -EINVAL;
      value = String(n);
    } else value = written;
    return 0;
  };
  const isFixed = row.fixed === true;
  dir.addFile(
    name,
    () =>
      new SysctlText(
        fs,
        row.mode ?? (isFixed ? 0o444 : 0o644),
        () => value + "\n",
        isFixed ? null : store,
      ),
  );
}
