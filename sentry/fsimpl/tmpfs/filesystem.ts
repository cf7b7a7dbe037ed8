/** tmpfs: files in memory (tmpfs(5); Linux: mm/shmem.c). */
import { EINVAL } from "../../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { RAMFS_MAGIC, TMPFS_MAGIC } from "../../../platform/abi/mount.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { allocateAnonymousDev } from "../../vfs/anon.ts";
import {
  type Filesystem,
  type FilesystemType,
  type StatFs,
  STORED_XATTRS,
} from "../../vfs/inode.ts";
import type { PageBudget } from "./content.ts";
import { TmpfsDirectory } from "./directory.ts";
import { parseTmpfsOptions, type TmpfsOptions } from "./options.ts";

/** Linux's default: half of the memory, one inode for each page of it. */
export function defaultTmpfsOptions(memoryBytes: number): TmpfsOptions {
  const pages = Math.floor(memoryBytes / 2 / PAGE_SIZE);
  return { maxPages: pages, maxInodes: pages, mode: 0o1777, uid: 0, gid: 0 };
}

export class Tmpfs implements Filesystem, PageBudget {
  readonly typeName: string = "tmpfs";
  readonly xattrNames = STORED_XATTRS;
  readonly hasAcls: boolean = true;
  readonly dev = allocateAnonymousDev();
  readonly magic: number = TMPFS_MAGIC;
  readonly revalidates = false;
  readonly root: TmpfsDirectory;
  usedPages = 0;
  usedInodes = 0;
  #nextIno = 1;

  constructor(public options: TmpfsOptions, readonly memoryBytes = 0) {
    this.root = new TmpfsDirectory(this, 0o040000 | options.mode, options.uid, options.gid);
    this.root.nlink = 2;
    this.root.parent = this.root;
  }

  /** A number for a new inode, or -1 when there are too many. Given back by `returnInode`. */
  reserveInode(): number {
    if (this.usedInodes >= this.options.maxInodes) return -1;
    this.usedInodes++;
    return this.#nextIno++;
  }
  returnInode(): void {
    this.usedInodes--;
  }

  reservePages(pages: number): number {
    const granted = Math.max(0, Math.min(pages, this.options.maxPages - this.usedPages));
    this.usedPages += granted;
    return granted;
  }
  returnPages(pages: number): void {
    this.usedPages -= pages;
  }

  /** MS_REMOUNT: new limits, which may not be below what is in use. */
  remount(text: string): number {
    const options = parseTmpfsOptions(text, this.memoryBytes, this.options);
    if (typeof options === "number") return options;
    if (options.maxPages < this.usedPages || options.maxInodes < this.usedInodes) return -EINVAL;
    this.options = { ...options, mode: this.options.mode };
    return 0;
  }

  statfs(out: StatFs): number {
    const { maxPages, maxInodes } = this.options;
    const isLimited = maxPages !== Infinity;
    out.bsize = PAGE_SIZE;
    out.blocks = isLimited ? maxPages : 0;
    out.bfree = out.bavail = isLimited ? maxPages - this.usedPages : 0;
    out.files = maxInodes === Infinity ? 0 : maxInodes;
    out.ffree = maxInodes === Infinity ? 0 : maxInodes - this.usedInodes;
    out.namelen = 255;
    return 0;
  }

  /** Everything goes; open files hold the file system, so that there are none. */
  release(): void {
    this.root.releaseTree();
  }

  optionsText(): string {
    const { maxPages, maxInodes, mode, uid, gid } = this.options;
    const usual = defaultTmpfsOptions(this.memoryBytes);
    const parts: string[] = [];
    if (maxPages !== usual.maxPages) parts.push(`size=${limitOf(maxPages) * (PAGE_SIZE / 1024)}k`);
    if (maxInodes !== usual.maxInodes) parts.push(`nr_inodes=${limitOf(maxInodes)}`);
    if (mode !== 0o1777) parts.push(`mode=${mode.toString(8)}`);
    if (uid !== 0) parts.push(`uid=${uid}`);
    if (gid !== 0) parts.push(`gid=${gid}`);
    parts.push("inode64");
    return parts.join(",");
  }
}

/** A limit as an option tells it: 0 for none. */
function limitOf(n: number): number {
  return n === Infinity ? 0 : n;
}

/** `mount -t tmpfs`. */
export function tmpfsType(memoryBytes: number): FilesystemType {
  return {
    name: "tmpfs",
    checkOptions(text: string): number {
      const options = parseTmpfsOptions(text, memoryBytes, defaultTmpfsOptions(memoryBytes));
      return typeof options === "number" ? options : 0;
    },
    mount(_source: string, text: string, creds: Credentials): Filesystem | number {
      const base = defaultTmpfsOptions(memoryBytes);
      base.uid = creds.fsuid;
      base.gid = creds.fsgid;
      const options = parseTmpfsOptions(text, memoryBytes, base);
      return typeof options === "number" ? options : new Tmpfs(options, memoryBytes);
    },
  };
}

/** ramfs: a tmpfs without limits, which knows one option and takes all others without a word. */
class Ramfs extends Tmpfs {
  override readonly typeName = "ramfs";
  override readonly magic = RAMFS_MAGIC;
  override readonly hasAcls = false;

  override remount(): number {
    return 0;
  }

  override optionsText(): string {
    const { mode } = this.options;
    return mode === RAMFS_MODE ? "" : `mode=${mode.toString(8)}`;
  }
}

const RAMFS_MODE = 0o755;

/** `mount -t ramfs`. */
export const ramfsType: FilesystemType = {
  name: "ramfs",
  mount(_source: string, text: string, creds: Credentials): Filesystem | number {
    const modes = text.split(",").filter((option) => option.startsWith("mode="));
    const base: TmpfsOptions = {
      maxPages: Infinity,
      maxInodes: Infinity,
      mode: RAMFS_MODE,
      uid: creds.fsuid,
      gid: creds.fsgid,
    };
    const options = parseTmpfsOptions(modes.join(","), 0, base);
    return typeof options === "number" ? options : new Ramfs(options);
  },
};
