/** Directories of kernel file systems, with fixed or with found children. */
import { ENOENT, EPERM } from "../../../platform/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../../platform/abi/stat.ts";
import { DirectoryFile } from "../../vfs/directory_file.ts";
import type { DirSink, FileDescription } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import { type KernFilesystem, KernInode } from "./inode.ts";

/** A directory entry with its place: offsets grow with `key` (>= 2) and survive other entries' going. */
export interface KeyedEntry {
  name: string;
  ino: number;
  /** DT_* */
  type: number;
  key: number;
}

/** DT_* of a mode. */
export function direntType(mode: number): number {
  return (mode >>> 12) & 15;
}

/** A directory whose children are found by `find` and listed by `list`. */
export abstract class DynamicDir extends KernInode {
  constructor(fs: KernFilesystem, mode = fs.dirMode, uid = 0, gid = 0) {
    super(fs, S_IFDIR | mode, uid, gid);
    this.nlink = 2;
  }

  /** The child, the same object for the same thing, or -ENOENT (or another error). */
  abstract find(name: string): Inode | number;
  /** All entries with keys from `fromKey` on, by key; or -errno. May stop early when `enough` of them are made. */
  abstract list(fromKey: number): Iterable<KeyedEntry> | number;

  override lookup(name: string): Inode | number {
    return this.find(name);
  }

  override open(file: FileDescription): number {
    file.impl = DIR_FILE;
    return 0;
  }

  override create(): number {
    return this.fs.creationError;
  }
  override mkdir(): number {
    return this.fs.creationError;
  }
  override mknod(): number {
    return this.fs.creationError;
  }
  override symlink(): number {
    return this.fs.creationError;
  }
  override link(): number {
    return this.fs.creationError;
  }
  override rename(
    _name: string,
    _child: Inode,
    _newDir: Inode,
    _newName: string,
    replaced: Inode | null,
  ): number {
    return replaced === null ? this.fs.creationError : -EPERM;
  }
}

/** A directory whose children the kernel adds; no system call adds or removes one. */
export class KernDir extends DynamicDir {
  readonly #children = new Map<string, Inode | (() => Inode)>();
  readonly #keys = new Map<string, number>();
  #nextKey = 2;

  add<T extends Inode>(name: string, child: T): T {
    this.#set(name, child);
    if ((child.mode & S_IFMT) === S_IFDIR) this.nlink++;
    return child;
  }

  /** What is no directory can be made when it is first looked for: a start waits for it, and few are. */
  addFile(name: string, make: () => Inode): void {
    this.#set(name, make);
  }

  #set(name: string, child: Inode | (() => Inode)): void {
    if (!this.#children.has(name)) this.#keys.set(name, this.#nextKey++);
    this.#children.set(name, child);
  }

  protected child(name: string): Inode | undefined {
    const found = this.#children.get(name);
    if (typeof found !== "function") return found;
    const made = found();
    this.#children.set(name, made);
    return made;
  }

  /** Adds a chain of directories as needed: `path("kernel/random")`. */
  path(path: string): KernDir {
    const slash = path.indexOf("/");
    const name = slash < 0 ? path : path.slice(0, slash);
    const child = this.child(name);
    const dir = child instanceof KernDir ? child : this.add(name, new KernDir(this.fs));
    return slash < 0 ? dir : dir.path(path.slice(slash + 1));
  }

  remove(name: string): void {
    const child = this.child(name);
    if (child === undefined) return;
    if ((child.mode & S_IFMT) === S_IFDIR) this.nlink--;
    this.#children.delete(name);
    this.#keys.delete(name);
  }

  override find(name: string): Inode | number {
    return this.child(name) ?? -ENOENT;
  }

  override *list(fromKey: number): Iterable<KeyedEntry> {
    for (const name of this.#children.keys()) {
      const key = this.#keys.get(name)!;
      if (key < fromKey) continue;
      const { ino, mode } = this.child(name)!;
      yield { name, ino, type: direntType(mode), key };
    }
  }
}

/** An open directory; its only state is the file's offset. */
class DirFile extends DirectoryFile {
  protected override iterateEntries(f: FileDescription, sink: DirSink): number {
    const entries = (f.inode as DynamicDir).list(f.offset);
    if (typeof entries === "number") return entries;
    for (const entry of entries) {
      if (!sink(entry, entry.key + 1)) return 0;
      f.offset = entry.key + 1;
    }
    return 0;
  }
}

const DIR_FILE = new DirFile();
