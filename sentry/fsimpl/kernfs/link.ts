/** Symbolic links of kernel file systems. */
import { ELOOP } from "../../../platform/abi/errno.ts";
import { S_IFLNK } from "../../../platform/abi/stat.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { FileDescription } from "../../vfs/file.ts";
import type { PathRef } from "../../vfs/mount.ts";
import { type KernFilesystem, KernInode } from "./inode.ts";

export class KernSymlink extends KernInode {
  readonly #target: string | (() => string | number);

  constructor(fs: KernFilesystem, target: string | (() => string | number), mode = 0o777) {
    super(fs, S_IFLNK | mode);
    this.#target = target;
    if (typeof target === "string" && fs.typeName !== "proc") this.size = target.length;
  }

  override readlink(): string | number {
    return typeof this.#target === "string" ? this.#target : this.#target();
  }

  override open(_file: FileDescription): number {
    return -ELOOP;
  }
}

/** A link to an object: `follow` says which; `text` is only what readlink(2) shows. */
export class MagicLink extends KernInode {
  constructor(
    fs: KernFilesystem,
    mode: number,
    readonly text: () => string | number,
    readonly follow: (creds: Credentials) => PathRef | FileDescription | number,
    uid = 0,
    gid = 0,
  ) {
    super(fs, S_IFLNK | mode, uid, gid);
  }

  override readlink(): string | number {
    return this.text();
  }

  override followMagic(creds: Credentials): PathRef | FileDescription | number {
    return this.follow(creds);
  }

  override open(_file: FileDescription): number {
    return -ELOOP;
  }
}
