/** devtmpfs: what boot mounts at /dev. A tmpfs, so that the guest can add to it, with the usual nodes. */
import { ENODEV } from "../../../platform/abi/errno.ts";
import { S_IFCHR, S_IFDIR } from "../../../platform/abi/stat.ts";
import { makedev } from "../../../platform/abi/sysmacros.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import {
  ATTR_GID,
  type Filesystem,
  type FilesystemType,
  type Inode,
  noAttributes,
} from "../../vfs/inode.ts";

const TTY_GID = 5;
const MEM_MAJOR = 1;

/** [name, mode, major, minor, group] */
const NODES: readonly (readonly [string, number, number, number, number])[] = [
  ["null", 0o666, MEM_MAJOR, 3, 0],
  ["zero", 0o666, MEM_MAJOR, 5, 0],
  ["full", 0o666, MEM_MAJOR, 7, 0],
  ["random", 0o666, MEM_MAJOR, 8, 0],
  ["urandom", 0o666, MEM_MAJOR, 9, 0],
  ["tty", 0o666, 5, 0, TTY_GID],
  ["console", 0o620, 5, 1, TTY_GID],
];

/** Where a memory device (null, zero …) has its node; null for another device. */
export function memoryDevicePath(rdev: number): string | null {
  const node = NODES.find(([, , major, minor]) =>
    major === MEM_MAJOR && makedev(major, minor) === rdev
  );
  return node === undefined ? null : `/dev/${node[0]}`;
}

const LINKS: readonly (readonly [string, string])[] = [
  ["ptmx", "pts/ptmx"],
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
];

/** Directories for mounts: devpts, tmpfs, mqueue. */
const DIRECTORIES: readonly (readonly [string, number])[] = [
  ["pts", 0o755],
  ["shm", 0o1777],
  ["mqueue", 0o1777],
];

/** Makes the usual nodes in `root`, a directory of any writable file system. Returns 0 or -errno. */
export function populateDev(root: Inode, creds: Credentials): number {
  for (const [name, mode] of DIRECTORIES) {
    const dir = root.mkdir(name, S_IFDIR | mode, creds);
    if (typeof dir === "number") return dir;
  }
  for (const [name, mode, major, minor, gid] of NODES) {
    const node = root.mknod(name, S_IFCHR | mode, makedev(major, minor), creds);
    if (typeof node === "number") return node;
    if (gid !== 0) node.setattr({ ...noAttributes(), mask: ATTR_GID, gid }, creds);
  }
  for (const [name, target] of LINKS) {
    const link = root.symlink(name, target, creds);
    if (typeof link === "number") return link;
  }
  return 0;
}

export class DevtmpfsType implements FilesystemType {
  readonly name = "devtmpfs";

  constructor(private readonly kernel: Kernel) {}

  mount(_source: string, options: string, creds: Credentials): Filesystem | number {
    const tmpfs = this.kernel.fsTypes.get("tmpfs");
    if (tmpfs === undefined) return -ENODEV;
    const mode = options.includes("mode=") ? "" : (options === "" ? "" : ",") + "mode=755";
    const fs = tmpfs.mount("devtmpfs", options + mode, creds);
    if (typeof fs === "number") return fs;
    const err = populateDev(fs.root, creds);
    return err < 0 ? err : fs;
  }
}
