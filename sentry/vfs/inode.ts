/**
 * Inodes: what every file system implements. Linux's words: struct inode, inode_operations,
 * super_block. Names reaching these methods are single, valid components (no '/', not '.' or '..',
 * 1..255 bytes); permission, read-only-mount and existence checks were made by the caller
 * (sentry/vfs/namei.ts), which also keeps the dentry cache. All of them are synchronous.
 *
 * Names are JS strings in which every char is one byte (latin1), so that any byte sequence survives.
 */
import { EINVAL, ENODATA, ENOTDIR, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import { NAME_MAX, PAGE_SIZE } from "../../platform/abi/limits.ts";
import {
  XATTR_SECURITY_PREFIX,
  XATTR_TRUSTED_PREFIX,
  XATTR_USER_PREFIX,
} from "../../platform/abi/xattr.ts";
import type { Credentials } from "../auth/credentials.ts";
import type { FileDescription } from "./file.ts";
import type { AclType, InodeAcls } from "./inode_acls.ts";
import type { InodeLocks } from "./locks.ts";
import type { PathRef } from "./mount.ts";
import type { PosixAcl } from "./posix_acl.ts";

/** A file system instance (Linux: super_block). */
export interface Filesystem {
  readonly typeName: string;
  /** st_dev of its inodes. */
  readonly dev: number;
  /** f_type of statfs(2). */
  readonly magic: number;
  readonly root: Inode;
  /** True when names can appear or change without the Sentry: dentries are revalidated. */
  readonly revalidates: boolean;
  /**
   * Names of extended attributes that it serves, or prefixes of such, which end in a period (Linux:
   * s_xattr); without, it serves none.
   */
  readonly xattrNames?: readonly string[];
  /** Its inodes, but for symbolic links, have access control lists (Linux: SB_POSIXACL). */
  readonly hasAcls?: boolean;
  /**
   * Read-only wherever it is mounted (Linux: SB_RDONLY), as mount(2) made it. Undefined where that is left
   * to its one mount.
   */
  readOnly?: boolean;
  statfs(out: StatFs): number;
  /** Called when the last mount is gone. */
  release(): void;
  /** mount(2) with MS_REMOUNT: new options of the file system. Returns 0 or -errno. */
  remount?(options: string): number;
  /** Mount options as /proc/mounts shows them, after "rw,". */
  optionsText?(): string;
}

/** `xattrNames` of file systems that keep what they are given. */
export const STORED_XATTRS: readonly string[] = [
  XATTR_USER_PREFIX,
  XATTR_TRUSTED_PREFIX,
  XATTR_SECURITY_PREFIX,
];

export interface StatFs {
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  namelen: number;
}

/** What statfs(2) says of a file system without blocks. */
export function statNoBlocks(out: StatFs): number {
  out.bsize = PAGE_SIZE;
  out.blocks =
    out.bfree =
    out.bavail =
    out.files =
    out.ffree =
      0;
  out.namelen = NAME_MAX;
  return 0;
}

/** A mountable type: `mount -t NAME`. An embedder registers its own the same way. */
export interface FilesystemType {
  readonly name: string;
  /** Returns an instance or -errno. `ctx` is the file system context that the kernel gives all types. */
  mount(source: string, options: string, creds: Credentials): Filesystem | number;
  /** What is wrong with options, before a file system is made; 0 or -errno. */
  checkOptions?(options: string): number;
}

/** Which attributes `setattr` changes; with none, the time of change alone. */
export const ATTR_MODE = 1;
export const ATTR_UID = 2;
export const ATTR_GID = 4;
export const ATTR_SIZE = 8;
export const ATTR_ATIME = 16;
export const ATTR_MTIME = 32;

export interface Attributes {
  mask: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
}

/** Attributes of which none is to change. */
export function noAttributes(): Attributes {
  return {
    mask: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSec: 0,
    atimeNsec: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
  };
}

export interface DirEntry {
  name: string;
  ino: number;
  /** DT_* */
  type: number;
}

export abstract class Inode {
  abstract readonly fs: Filesystem;
  ino = 0;
  /** S_IFMT and permission bits. */
  mode = 0;
  uid = 0;
  gid = 0;
  nlink = 1;
  rdev = 0;
  size = 0;
  /** 512-byte blocks. */
  blocks = 0;
  blksize = 4096;
  atimeSec = 0;
  atimeNsec = 0;
  mtimeSec = 0;
  mtimeNsec = 0;
  ctimeSec = 0;
  ctimeNsec = 0;
  btimeSec = 0;
  btimeNsec = 0;
  /** FS_IMMUTABLE_FL, FS_APPEND_FL … as chattr(1) sets them. */
  flags = 0;
  /** It may have security.capability; unknown while nobody has written to it (see metadata.ts). */
  hasCapabilities = false;
  /** See path_answers.ts: what depends on the attributes. */
  answer = -1;
  moreAnswers: number[] | null = null;
  /** Access control lists; null for none, undefined where `loadAcls` must ask for them. See inode_acls.ts. */
  acls: InodeAcls | null | undefined = null;
  /** Dentries that hold it; owned by sentry/vfs/dentry.ts. */
  refs = 0;
  /** Files open for writing (> 0), or programs that deny writing (< 0). See sentry/vfs/open.ts. */
  writeCount = 0;
  /** Locks (flock, POSIX, OFD) on this inode; owned by sentry/vfs/locks.ts. */
  locks: InodeLocks | null = null;
  /** The pipe of a FIFO or the socket bound here; owned by sentry/fsimpl/pipe and socket/unix. */
  special: unknown = null;
  /** Its data do not change, and its attributes only where `forgetAttributes` (path_answers.ts) is called. */
  get isSteady(): boolean {
    return false;
  }
  /** While it `isSteady`: what its data begin with, or all of them, if they have been read often; else null. */
  get dataAtHand(): Uint8Array | null {
    return null;
  }
  /** True when `open` serves a device node or FIFO itself, see sentry/vfs/special.ts. */
  get opensItself(): boolean {
    return false;
  }
  /** Sets `flags`, where a file system keeps them; -EOPNOTSUPP for those it does not. */
  setFlags?(flags: number): number;
  /** memfd seals: F_SEAL_*; -1 where fcntl(F_GET_SEALS) gives EINVAL. */
  get seals(): number {
    return -1;
  }
  /** F_ADD_SEALS where there are seals. Returns 0 or -errno. */
  addSeals?(_seals: number): number;

  /** Whether the running task may do everything to it, where its bits and owner say no. */
  permitsCaller?(): boolean;

  /** Brings the fields above up to date (gofer in shared mode, proc). Returns 0 or -errno. */
  refresh(): number {
    return 0;
  }

  /** Directory: the child called `name`, or -ENOENT. */
  lookup(_name: string): Inode | number {
    return -ENOTDIR;
  }
  /**
   * Directory of a file system that revalidates: whether `name` still leads to `child` (null: still
   * to nothing). Without this method `lookup` is called again and must return the same object.
   */
  revalidate?(name: string, child: Inode | null): boolean;
  /** `mode` has S_IFMT bits and is already masked by umask or default ACL; owner is creds.fsuid/fsgid (setgid dirs too). */
  create(_name: string, _mode: number, _creds: Credentials): Inode | number {
    return -EPERM;
  }
  mkdir(_name: string, _mode: number, _creds: Credentials): Inode | number {
    return -EPERM;
  }
  mknod(_name: string, _mode: number, _rdev: number, _creds: Credentials): Inode | number {
    return -EPERM;
  }
  symlink(_name: string, _target: string, _creds: Credentials): Inode | number {
    return -EPERM;
  }
  link(_name: string, _target: Inode): number {
    return -EPERM;
  }
  unlink(_name: string, _child: Inode): number {
    return -EPERM;
  }
  rmdir(_name: string, _child: Inode): number {
    return -EPERM;
  }
  /**
   * Both directories are of this file system; `replaced` is the inode at the new name, if any. `creds` are
   * whose a whiteout becomes (RENAME_WHITEOUT).
   */
  rename(
    _name: string,
    _child: Inode,
    _newDir: Inode,
    _newName: string,
    _replaced: Inode | null,
    _flags: number,
    _creds: Credentials,
  ): number {
    return -EPERM;
  }
  /** An unnamed regular file (O_TMPFILE); `linkable` unless O_EXCL: link(2) may give it a name. */
  tmpfile(_mode: number, _creds: Credentials, _linkable: boolean): Inode | number {
    return -EOPNOTSUPP;
  }

  readlink(): string | number {
    return -EINVAL;
  }
  /** proc's magic links: where they really lead, instead of a walk of readlink's text; or -errno. */
  followMagic?(creds: Credentials): PathRef | FileDescription | number;

  setattr(_attr: Attributes, _creds: Credentials): number {
    return -EPERM;
  }

  /** Use has set its times: a file system over others passes them on. */
  timesChanged(): void {}

  getxattr(_name: string): Uint8Array | number {
    return -ENODATA;
  }
  /** `flags`: XATTR_CREATE, XATTR_REPLACE. */
  setxattr(_name: string, _value: Uint8Array, _flags: number): number {
    return -EOPNOTSUPP;
  }
  removexattr(_name: string): number {
    return -EOPNOTSUPP;
  }
  listxattr(): string[] | number {
    return [];
  }

  /** Sets `acls` where they are undefined. */
  loadAcls(): InodeAcls | null {
    return this.acls ?? null;
  }
  /** What a new inode inherits; unless the file system's host sees to that. */
  initAcls(acls: InodeAcls): void {
    this.acls = acls;
  }
  /**
   * `acl`, which is valid, becomes the list of that kind; null removes it. The permission bits become
   * those of an access list, which is not kept where they say all that it does. Returns 0 or -errno.
   */
  setAcl(_type: AclType, _acl: PosixAcl | null): number {
    return -EOPNOTSUPP;
  }

  /**
   * Opens it: installs `file.impl`. Returns 0 or -errno; -EAGAIN from a FIFO that must wait for a
   * peer, whose open(2) then blocks on `openQueue`. Special files are dispatched by the caller.
   */
  abstract open(file: FileDescription): number;

  /**
   * The last dentry (and so the last open file) is gone. With `nlink` 0 the file ends; else it may be
   * looked up again, as the same object or as a new one.
   */
  release(): void {}
}
