/**
 * goferfs: host files as a file system, with directfs: the Sentry opens below a root's directory fd, one
 * name at a time, and never follows a host link. What could block on the disk goes to the Gofer. See README.md.
 */
import {
  hostFaccessat,
  hostFstatfs,
  hostFstatx,
  hostUmask,
  statfsView,
  statxWords,
} from "../../../platform/host/files.ts";
import { spareFds } from "../../../platform/host/file_fds.ts";
import { closeFd } from "../../../platform/host/host.ts";
import { getI64 } from "../../../platform/abi/bytes.ts";
import { EROFS } from "../../../platform/abi/errno.ts";
import {
  STATFS_OFF_BAVAIL,
  STATFS_OFF_BFREE,
  STATFS_OFF_BLOCKS,
  STATFS_OFF_BSIZE,
  STATFS_OFF_FFREE,
  STATFS_OFF_FILES,
  STATFS_OFF_NAMELEN,
  STATFS_OFF_TYPE,
  V9FS_MAGIC,
} from "../../../platform/abi/mount.ts";
import { S_IFDIR, S_IFMT, S_IFREG, S_IFSOCK } from "../../../platform/abi/stat.ts";
import { R_OK, W_OK, X_OK } from "../../../platform/abi/unistd.ts";
import { type Filesystem, type StatFs, STORED_XATTRS } from "../../vfs/inode.ts";
import type { GoferClient } from "./client.ts";
import { ContentCache } from "./content_cache.ts";
import { FdCache } from "./fd_cache.ts";
import { GoferDirectory } from "./directory.ts";
import { GoferInode } from "./inode.ts";
import { GoferRegular } from "./regular.ts";

export interface GoferFsOptions {
  /** The root: a directory, or a file open as the volume shall be used. Owned from now on. */
  rootFd: number;
  /** st_dev as the guest sees it. */
  dev: number;
  /** Nobody but this sandbox changes the files: attributes, names and contents may be cached. */
  exclusive: boolean;
  readonly: boolean;
  /** Files of owners that the host shows as this id are shown as root's; -1 (the default): none. */
  unmappedId?: number;
  /** One of the caller's groups that the host shows as that id; -1 (the default): there is none. */
  unmappedGroup?: number;
  /** Takes the I/O that would block; without it (unit tests) such I/O blocks. */
  client?: GoferClient;
  dirFdLimit?: number;
  fileFdLimit?: number;
  openFdLimit?: number;
  contentLimitBytes?: number;
}

/** Inode numbers of other host devices below the root get a base of their own, this far apart. */
const DEVICE_STRIDE = 2 ** 40;
/** Most devices with a base; numbers of later ones, and large ones, are mapped one by one. */
const MAX_BASES = 1024;
const MAPPED_BASE = DEVICE_STRIDE * MAX_BASES;

function fdCache(limit: number, openLimit = spareFds()): FdCache {
  return new FdCache(Math.min(limit, openLimit), openLimit);
}

export class GoferFs implements Filesystem {
  readonly typeName = "9p"; // What gVisor shows; programs know it as a remote file system.
  readonly xattrNames = STORED_XATTRS;
  readonly hasAcls = true;
  readonly dev: number;
  readonly magic = V9FS_MAGIC;
  readonly root: GoferInode;
  readonly revalidates: boolean;
  readonly exclusive: boolean;
  readonly readonly: boolean;
  /** What is open may be closed on the host and opened again, since its name stays. */
  readonly reopens: boolean;
  readonly client: GoferClient | null;
  readonly #unmappedId: number;
  readonly #unmappedGroup: number;
  readonly dirFds: FdCache;
  readonly fileFds: FdCache;
  readonly contents: ContentCache;
  /** Inodes that can be met under several names, or (shared mode) again: by inode number. */
  readonly inodes = new Map<number, GoferInode>();
  /** False once a read with RWF_NOWAIT was refused: the host file system cannot tell. */
  readsWithoutWaiting = true;
  readonly #deviceBases = new Map<number, number>();
  readonly #mapped = new Map<string, number>();
  readonly rootFd: number;

  constructor(options: GoferFsOptions) {
    this.dev = options.dev;
    this.exclusive = options.exclusive;
    this.revalidates = !options.exclusive;
    this.readonly = options.readonly;
    this.client = options.client ?? null;
    this.#unmappedId = options.unmappedId ?? -1;
    this.#unmappedGroup = options.unmappedGroup ?? -1;
    this.reopens = options.exclusive && options.readonly;
    this.dirFds = fdCache(options.dirFdLimit ?? 2048, options.openFdLimit);
    this.fileFds = fdCache(options.fileFdLimit ?? 1024, options.openFdLimit);
    this.contents = new ContentCache(options.contentLimitBytes ?? 16 << 20);
    this.rootFd = options.rootFd;
    if (!options.readonly) hostUmask(0); // The guest's own has been applied already.
    const err = hostFstatx(options.rootFd);
    if (err < 0) throw new Error(`goferfs: the root's fd is not usable (errno ${-err})`);
    this.root = this.#newInode(null, "");
    if (this.root instanceof GoferDirectory || this.root instanceof GoferRegular) {
      this.root.useRootFd(options.rootFd);
    }
  }

  /** A host file's owner or group as the guest sees it. */
  ownerOf(id: number): number {
    return id === this.#unmappedId ? 0 : id;
  }

  /**
   * The group of a file of others whose group the host does not show, at a directory fd and a name (or an fd and ""):
   * the caller's where its bits grant what others may not do and the host grants just that, else root's.
   */
  unmappedGroupOf(fd: number, name: string, mode: number): number {
    const granted = (mode >> 3) & ~mode & 0o7;
    if (granted === 0) return 0;
    // Execution comes last: a mount may refuse it.
    const asked = (granted & R_OK) !== 0 ? R_OK : (granted & W_OK) !== 0 ? W_OK : X_OK;
    const err = hostFaccessat(fd, name, asked);
    return err === 0 || err === -EROFS ? this.#unmappedGroup : 0;
  }

  /** Whether `unmappedGroupOf` can tell more of a file than its owner's and its group's ids as the host shows them. */
  mayBeOfUnmappedGroup(uid: number, gid: number): boolean {
    return this.#unmappedGroup >= 0 && gid === this.#unmappedId && uid === this.#unmappedId;
  }

  /** The guest's inode number for a host inode in `statxWords`. */
  inoFromStatx(): number {
    const device = statxWords[34] * 0x10_0000 + statxWords[35];
    return this.ino(device, statxWords[8], statxWords[9]);
  }

  /** The guest's inode number; the first device met (the root's) keeps its numbers. */
  ino(device: number, low: number, high: number): number {
    let base = this.#deviceBases.get(device);
    if (base === undefined && this.#deviceBases.size < MAX_BASES) {
      base = this.#deviceBases.size * DEVICE_STRIDE;
      this.#deviceBases.set(device, base);
    }
    if (base !== undefined && high < 0x100) {
      return base === 0 && high === 0 ? low : base + high * 0x1_0000_0000 + low;
    }
    const key = `${device}:${high}:${low}`;
    let ino = this.#mapped.get(key);
    if (ino === undefined) {
      ino = MAPPED_BASE + this.#mapped.size;
      this.#mapped.set(key, ino);
    }
    return ino;
  }

  /** The inode at `name` in `dir` that `statxWords` describes: the known object or a new one. */
  inodeAt(dir: GoferDirectory, name: string): GoferInode {
    const type = statxWords[7] & S_IFMT;
    // A socket of the guest may be bound to the inode: it must stay this object.
    const keeps = !this.exclusive || type === S_IFSOCK || (statxWords[4] > 1 && type !== S_IFDIR);
    if (!keeps) return this.#newInode(dir, name);
    const known = this.inodes.get(this.inoFromStatx());
    if (known !== undefined && known.isInStatx()) {
      known.addName(dir, name);
      known.fill();
      return known;
    }
    const inode = this.#newInode(dir, name);
    this.inodes.set(inode.ino, inode);
    return inode;
  }

  /** The regular file that `statxWords` describes, which has no name. */
  unnamedFile(): GoferInode {
    return this.#newInode(null, "");
  }

  #newInode(dir: GoferDirectory | null, name: string): GoferInode {
    switch (statxWords[7] & S_IFMT) {
      case S_IFDIR:
        return new GoferDirectory(this, dir, name);
      case S_IFREG:
        return new GoferRegular(this, dir, name);
      default:
        return new GoferInode(this, dir, name);
    }
  }

  statfs(out: StatFs): number {
    const err = hostFstatfs(this.rootFd);
    if (err < 0) return err;
    out.bsize = getI64(statfsView, STATFS_OFF_BSIZE);
    out.blocks = getI64(statfsView, STATFS_OFF_BLOCKS);
    out.bfree = getI64(statfsView, STATFS_OFF_BFREE);
    out.bavail = getI64(statfsView, STATFS_OFF_BAVAIL);
    out.files = getI64(statfsView, STATFS_OFF_FILES);
    out.ffree = getI64(statfsView, STATFS_OFF_FFREE);
    out.namelen = getI64(statfsView, STATFS_OFF_NAMELEN);
    return 0;
  }

  /** f_type of the host, for those that ask. */
  hostMagic(): number {
    const err = hostFstatfs(this.rootFd);
    return err < 0 ? err : getI64(statfsView, STATFS_OFF_TYPE);
  }

  optionsText(): string {
    return this.exclusive ? "trans=fd,directfs,cache=exclusive" : "trans=fd,directfs,cache=none";
  }

  /** Closes every fd; open files of it must be gone. */
  release(): void {
    this.dirFds.clear();
    this.fileFds.clear();
    this.contents.clear();
    this.inodes.clear();
    closeFd(this.rootFd);
  }
}
