/** Instances and inodes common to the file systems that the kernel makes up. */
import { EPERM } from "../../../platform/abi/errno.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { readClock } from "../../vfs/clock.ts";
import {
  ATTR_ATIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_UID,
  type Attributes,
  type Filesystem,
  Inode,
  type StatFs,
  statNoBlocks,
} from "../../vfs/inode.ts";

/** Inode numbers of all kernel file systems come from one counter; stable while the inode lives. */
let nextIno = 1;

export function newKernIno(): number {
  return nextIno++;
}

export abstract class KernFilesystem implements Filesystem {
  abstract readonly typeName: string;
  abstract readonly magic: number;
  abstract readonly root: Inode;
  readonly revalidates: boolean = false;
  readonly xattrNames?: readonly string[];
  /** Permissions of its directories, unless they say otherwise. */
  readonly dirMode: number = 0o555;
  /** What whoever would make a new name in it gets: on Linux the look-up of the name may fail before. */
  readonly creationError: number = -EPERM;

  constructor(readonly kernel: Kernel, readonly dev: number) {}

  statfs(out: StatFs): number {
    return statNoBlocks(out);
  }

  release(): void {}
}

/** An inode without bytes on any disk; the times are those of its making. */
export abstract class KernInode extends Inode {
  constructor(readonly fs: KernFilesystem, mode: number, uid = 0, gid = 0) {
    super();
    this.ino = newKernIno();
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    const now = readClock();
    this.atimeSec =
      this.mtimeSec =
      this.ctimeSec =
      this.btimeSec =
        now.sec;
    this.atimeNsec =
      this.mtimeNsec =
      this.ctimeNsec =
      this.btimeNsec =
        now.nsec;
  }

  /** Mode and owner may be changed and last while the inode does; truncation is accepted and ignored. */
  override setattr(attr: Attributes, _creds: Credentials): number {
    if (attr.mask & ATTR_MODE) this.mode = (this.mode & ~0o7777) | (attr.mode & 0o7777);
    if (attr.mask & ATTR_UID) this.uid = attr.uid;
    if (attr.mask & ATTR_GID) this.gid = attr.gid;
    if (attr.mask & ATTR_ATIME) {
      this.atimeSec = attr.atimeSec;
      this.atimeNsec = attr.atimeNsec;
    }
    if (attr.mask & ATTR_MTIME) {
      this.mtimeSec = attr.mtimeSec;
      this.mtimeNsec = attr.mtimeNsec;
    }
    const now = readClock();
    this.ctimeSec = now.sec;
    this.ctimeNsec = now.nsec;
    return 0;
  }

  /** For inodes whose mode and owner mirror something else. */
  protected refuseModeAndOwner(attr: Attributes): number {
    return (attr.mask & (ATTR_MODE | ATTR_UID | ATTR_GID)) !== 0 ? -EPERM : 0;
  }
}
