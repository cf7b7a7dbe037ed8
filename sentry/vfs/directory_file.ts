/** Open directories: what all have in common, and those that list their entries in one go. */
import { EINVAL, EISDIR, ENODEV } from "../../platform/abi/errno.ts";
import { DT_DIR } from "../../platform/abi/dirent.ts";
import { SEEK_CUR, SEEK_SET } from "../../platform/abi/unistd.ts";
import {
  type DirSink,
  type FileDescription,
  FileDescriptionImpl,
  type HostMapping,
} from "./file.ts";
import type { DirEntry } from "./inode.ts";

/** Offsets 0 and 1 are those of "." and "..". */
const FIRST_ENTRY = 2;

export abstract class DirectoryFile extends FileDescriptionImpl {
  override read(): number {
    return -EISDIR;
  }

  override iterate(f: FileDescription, sink: DirSink): number {
    if (f.offset === 0) {
      this.rewound();
      if (!sink({ name: ".", ino: f.inode.ino, type: DT_DIR }, 1)) return 0;
      f.offset = 1;
    }
    if (f.offset === 1) {
      const parent = f.dentry.parent?.inode ?? f.inode;
      if (!sink({ name: "..", ino: parent.ino, type: DT_DIR }, FIRST_ENTRY)) return 0;
      f.offset = FIRST_ENTRY;
    }
    return this.iterateEntries(f, sink);
  }

  /** It is read from the beginning. */
  protected rewound(): void {}

  /** `iterate` from FIRST_ENTRY on. */
  protected abstract iterateEntries(f: FileDescription, sink: DirSink): number;

  override seek(f: FileDescription, offset: number, whence: number): number {
    const base = whence === SEEK_SET ? 0 : whence === SEEK_CUR ? f.offset : -1;
    return base < 0 || base + offset < 0 ? -EINVAL : base + offset;
  }

  /** The host's directory is written when its file system likes; the guest sees it at once. */
  override fsync(): number {
    return 0;
  }

  override hostMapping(): HostMapping | number {
    return -ENODEV;
  }
}

/** Its entries are as they were when reading began. */
export abstract class ListedDirectoryFile extends DirectoryFile {
  #entries: DirEntry[] | null = null;

  /** The entries but "." and "..", or -errno. */
  protected abstract list(f: FileDescription): DirEntry[] | number;

  protected override rewound(): void {
    this.#entries = null;
  }

  protected override iterateEntries(f: FileDescription, sink: DirSink): number {
    if (this.#entries === null) {
      const listing = this.list(f);
      if (typeof listing === "number") return listing;
      this.#entries = listing;
    }
    const entries = this.#entries;
    for (let i = f.offset - FIRST_ENTRY; i < entries.length; i++) {
      const next = i + FIRST_ENTRY + 1;
      if (!sink(entries[i], next)) return 0;
      f.offset = next;
    }
    return 0;
  }
}
