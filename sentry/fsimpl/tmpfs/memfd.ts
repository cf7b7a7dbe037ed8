/** memfd_create(2): files of a tmpfs that is mounted nowhere (Linux: shm_mnt). */
import { EINVAL, ENODEV, ENOSPC } from "../../../platform/abi/errno.ts";
import { F_SEAL_SEAL, O_LARGEFILE, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC } from "../../../platform/abi/mman.ts";
import { MFD_HUGE_MASK, MFD_HUGE_SHIFT, MFD_HUGETLB } from "../../../platform/abi/mman.ts";
import { MFD_NOEXEC_SEAL } from "../../../platform/abi/mman.ts";
import { MS_STRICTATIME } from "../../../platform/abi/mount.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { newRootDentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import { type Mount, newMount } from "../../vfs/mount.ts";
import { Tmpfs } from "./filesystem.ts";
import { F_SEAL_EXEC, TmpfsFile } from "./regular.ts";

/** Longest name, without "memfd:" (Linux: MFD_NAME_MAX_LEN). */
export const MFD_NAME_MAX = 249;
const MFD_FLAGS = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
/** The one huge page size there is (2 MiB); that its pages are huge is not promised. */
const HUGE_PAGE_BITS = 21;

let shmMount: Mount | null = null;
ofOneSandbox(() => shmMount = null);

/** memfd_create(2)'s flags: 0, -EINVAL, or -ENODEV for a size of huge pages that there is not. */
export function checkMemfdFlags(flags: number): number {
  const isHuge = (flags & MFD_HUGETLB) !== 0;
  const known = isHuge ? MFD_FLAGS | MFD_HUGETLB | MFD_HUGE_MASK << MFD_HUGE_SHIFT : MFD_FLAGS;
  if ((flags & ~known) !== 0) return -EINVAL;
  if (isHuge) {
    const sizeBits = flags >>> MFD_HUGE_SHIFT;
    if (sizeBits !== 0 && sizeBits !== HUGE_PAGE_BITS) return -ENODEV;
  }
  return (flags & MFD_EXEC) !== 0 && (flags & MFD_NOEXEC_SEAL) !== 0 ? -EINVAL : 0;
}

/** An open memfd called `name`, owned by the caller, or -ENOSPC. `flags` passed checkMemfdFlags. */
export function newMemfdFile(
  name: string,
  flags: number,
  creds: Credentials,
): FileDescription | number {
  const limits = { maxPages: Infinity, maxInodes: Infinity, mode: 0o1777, uid: 0, gid: 0 };
  shmMount ??= newMount(new Tmpfs(limits), "tmpfs", MS_STRICTATIME);
  const fs = shmMount.fs as Tmpfs;
  const ino = fs.reserveInode();
  if (ino < 0) return -ENOSPC;
  const isExecutable = (flags & MFD_NOEXEC_SEAL) === 0;
  const mode = isExecutable ? 0o100777 : 0o100666;
  const inode = new TmpfsFile(fs, mode, creds.fsuid, creds.fsgid, ino);
  inode.nlink = 0;
  if (!isExecutable) inode.setInitialSeals(F_SEAL_EXEC);
  else if ((flags & MFD_ALLOW_SEALING) !== 0) inode.setInitialSeals(0);
  else inode.setInitialSeals(F_SEAL_SEAL);
  const dentry = newRootDentry(fs, inode, "/memfd:" + name);
  dentry.unlinked = true;
  const file = new FileDescription(inode, dentry, shmMount.acquire(), O_RDWR | O_LARGEFILE);
  inode.open(file);
  return file;
}
