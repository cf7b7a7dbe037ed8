/**
 * One host file: where it is (a directory and a name) and its attributes. Links, FIFOs, sockets and
 * devices are no more than that; directories and regular files have classes of their own.
 */
import {
  EINVAL,
  ELOOP,
  ENODATA,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ESTALE,
} from "../../../platform/abi/errno.ts";
import {
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../../platform/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID } from "../../../platform/abi/stat.ts";
import { makedev } from "../../../platform/abi/sysmacros.ts";
import { settleFileFd } from "../../../platform/host/file_fds.ts";
import {
  hostFchmodat,
  hostFchownat,
  hostFgetxattr,
  hostFlistxattr,
  hostFremovexattr,
  hostFsetxattr,
  hostFstatx,
  hostOpenat2,
  hostReadlinkat,
  hostStatx,
  hostUtimensat,
  statxWords,
  UTIME_OMIT,
} from "../../../platform/host/files.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { touchChange } from "../../vfs/attributes.ts";
import type { FileDescription } from "../../vfs/file.ts";
import {
  ATTR_ATIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_SIZE,
  ATTR_UID,
  type Attributes,
  Inode,
} from "../../vfs/inode.ts";
import {
  ACL_NAMES,
  type AclType,
  aclTypeOf,
  type InodeAcls,
  replaceAcl,
} from "../../vfs/inode_acls.ts";
import { decodeAcl, type PosixAcl } from "../../vfs/posix_acl.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./goferfs.ts";

/** A name is opened as it is: nothing on the way, no link at its end. Host mounts may be entered. */
export const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/** Another place of a file with several names. */
interface Place {
  dir: GoferDirectory;
  name: string;
}

export class GoferInode extends Inode {
  override readonly fs: GoferFs;
  /** Null for the root, and when no name is left. */
  parent: GoferDirectory | null;
  name: string;
  /** Further names known of a file with hard links. */
  #places: Place[] | null = null;
  /** Open file descriptions, and operations that need the fds to stay. */
  opens = 0;
  /** Host device, as `GoferFs.ino` takes it. */
  protected device = 0;
  /** The fields need a statx, also in exclusive mode. */
  protected isStale = false;
  /** It changes without a system call (a shared, writable mapping): attributes are never cached. */
  protected isVolatile = false;
  /** uid and gid are the guest's wish, which the host refused. */
  #overridesOwner = false;
  /** What does not change in exclusive mode: a link's target, the names of extended attributes. */
  #target: string | null = null;
  #xattrNames: string[] | null = null;

  /** The fields come from `statxWords`. */
  constructor(fs: GoferFs, parent: GoferDirectory | null, name: string) {
    super();
    this.fs = fs;
    this.parent = parent;
    this.name = name;
    this.fill();
  }

  /** Sets the fields from `statxWords`. */
  fill(): void {
    const w = statxWords;
    this.mode = w[7] & 0xffff;
    this.nlink = w[4];
    if (!this.#overridesOwner) {
      this.uid = this.fs.ownerOf(w[5]);
      if (!this.fs.mayBeOfUnmappedGroup(w[5], w[6])) this.gid = this.fs.ownerOf(w[6]);
    }
    this.device = w[34] * 0x10_0000 + w[35];
    this.ino = this.fs.ino(this.device, w[8], w[9]);
    this.size = u64(w[10], w[11]);
    this.blocks = u64(w[12], w[13]);
    this.blksize = w[1];
    this.rdev = makedev(w[32], w[33]);
    this.atimeSec = i64(w[16], w[17]);
    this.atimeNsec = w[18];
    this.btimeSec = i64(w[20], w[21]);
    this.btimeNsec = w[22];
    const ctimeSec = i64(w[24], w[25]);
    const isChanged = ctimeSec !== this.ctimeSec || w[26] !== this.ctimeNsec;
    if (isChanged) this.acls = undefined;
    const asksForGroup = isChanged && this.fs.mayBeOfUnmappedGroup(w[5], w[6]);
    this.ctimeSec = ctimeSec;
    this.ctimeNsec = w[26];
    this.mtimeSec = i64(w[28], w[29]);
    this.mtimeNsec = w[30];
    this.isStale = false;
    if (asksForGroup && !this.#overridesOwner) this.#askForGroup();
  }

  /** Sets the group that the host does not show. Called while subclasses have no fields yet: by the name alone. */
  #askForGroup(): void {
    const { fs, parent } = this;
    const isRoot = (fs.root ?? this) === this;
    const fd = isRoot ? fs.rootFd : parent === null ? -ESTALE : parent.dirFd();
    if (fd >= 0) this.gid = fs.unmappedGroupOf(fd, this.name, this.mode);
  }

  /** Whether `statxWords` describes this very file; host inode numbers are used again, birth times not. */
  isInStatx(): boolean {
    const w = statxWords;
    return (w[7] & S_IFMT) === this.type && w[20] === this.btimeSec >>> 0 &&
      w[22] === this.btimeNsec && this.fs.inoFromStatx() === this.ino;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  // Names

  addName(dir: GoferDirectory, name: string): void {
    if (this.parent === dir && this.name === name) return;
    if (this.parent === null && this !== this.fs.root) {
      this.parent = dir;
      this.name = name;
      return;
    }
    const places = this.#places ??= [];
    if (!places.some((p) => p.dir === dir && p.name === name)) places.push({ dir, name });
  }

  removeName(dir: GoferDirectory, name: string): void {
    const places = this.#places;
    if (this.parent === dir && this.name === name) {
      const next = places?.pop();
      this.parent = next?.dir ?? null;
      this.name = next?.name ?? "";
    } else if (places !== null) {
      this.#places = places.filter((p) => p.dir !== dir || p.name !== name);
    }
  }

  /** A name is gone from the host. */
  unnamed(dir: GoferDirectory, name: string): void {
    this.removeName(dir, name);
    this.nlink = Math.max(0, this.nlink - 1);
    touchChange(this); // Where the host cannot be asked any more.
    this.isStale = true;
    if (this.nlink === 0) this.#forgetNumber();
  }

  /** A name or the place of one was added. */
  touched(): void {
    this.isStale = true;
  }

  /** Opens it by its name, or -errno. The fd is the caller's. */
  protected openSelf(flags: number): number {
    const { parent } = this;
    if (parent === null) return -ESTALE;
    const dirFd = parent.dirFd();
    if (dirFd < 0) return dirFd;
    const fd = hostOpenat2(dirFd, this.name, flags, 0, RESOLVE);
    return this.fs.reopens ? fd : settleFileFd(fd);
  }

  /** Some open fd of this very file, or -1. */
  protected anyFd(): number {
    return -1;
  }

  /** Closes what is kept open or cached: nobody uses it. */
  protected drop(): void {}

  opened(): void {
    this.opens++;
  }

  /** An open file is gone; its fds stay for the next one if they may. */
  closed(): void {
    if (--this.opens === 0 && (this.parent === null || this.refs === 0)) this.drop();
  }

  override release(): void {
    if (this.opens === 0) this.drop();
    if (this.special !== null) return; // A bound socket must be found again as this object.
    if (this.nlink <= 1 || !this.fs.exclusive) this.#forgetNumber();
  }

  #forgetNumber(): void {
    if (this.fs.inodes.get(this.ino) === this) this.fs.inodes.delete(this.ino);
  }

  // Attributes

  override refresh(): number {
    if (this.fs.exclusive && !this.isStale && !this.isVolatile) return 0;
    return this.restat();
  }

  protected restat(): number {
    const fd = this.anyFd();
    if (fd >= 0) {
      const err = hostFstatx(fd);
      if (err === 0) this.fill();
      return err;
    }
    const { parent } = this;
    if (parent === null) return 0; // No name and not open: the last known attributes.
    const dirFd = parent.dirFd();
    if (dirFd < 0) return dirFd;
    const err = hostStatx(dirFd, this.name);
    if (err < 0) return err;
    if (!this.isInStatx()) return -ESTALE;
    this.fill();
    return 0;
  }

  override setattr(attr: Attributes, _creds: Credentials): number {
    if (this.fs.readonly) return -EROFS;
    const err = this.#change(attr);
    const restat = this.restat();
    return err < 0 ? err : restat;
  }

  #change(attr: Attributes): number {
    const { mask } = attr;
    let err = (mask & ATTR_SIZE) !== 0 ? this.truncate(attr.size) : 0;
    // chown clears setuid bits, so it comes before chmod.
    if (err === 0 && (mask === 0 || (mask & (ATTR_UID | ATTR_GID)) !== 0)) {
      const uid = (mask & ATTR_UID) !== 0 ? attr.uid : -1;
      const gid = (mask & ATTR_GID) !== 0 ? attr.gid : -1;
      err = this.#chown(uid, gid);
    }
    if (err === 0 && (mask & ATTR_MODE) !== 0) err = this.chmod(attr.mode & 0o7777);
    if (err < 0 || (mask & (ATTR_ATIME | ATTR_MTIME)) === 0) return err;
    const setsAtime = (mask & ATTR_ATIME) !== 0, setsMtime = (mask & ATTR_MTIME) !== 0;
    const fd = this.#placeFd();
    if (fd < 0) return fd;
    return hostUtimensat(
      fd,
      this.#placeName(),
      setsAtime ? attr.atimeSec : 0,
      setsAtime ? attr.atimeNsec : UTIME_OMIT,
      setsMtime ? attr.mtimeSec : 0,
      setsMtime ? attr.mtimeNsec : UTIME_OMIT,
    );
  }

  truncate(_size: number): number {
    return this.fs.readonly ? -EROFS : -EINVAL;
  }

  protected chmod(mode: number): number {
    if (this.type === S_IFLNK) return -EOPNOTSUPP;
    if (this.parent === null) return -ESTALE;
    const dirFd = this.parent.dirFd();
    return dirFd < 0 ? dirFd : hostFchmodat(dirFd, this.name, mode);
  }

  /** A chown that the host does not grant (an unprivileged sandbox) is kept for the guest to see. */
  #chown(uid: number, gid: number): number {
    const fd = this.#placeFd();
    if (fd < 0) return fd;
    const err = hostFchownat(fd, this.#placeName(), uid, gid);
    if (err !== -EPERM && err !== -EINVAL) {
      if (err === 0) this.#overridesOwner = false;
      return err;
    }
    this.#overridesOwner = true;
    if (uid !== -1) this.uid = uid;
    if (gid !== -1) this.gid = gid;
    return 0;
  }

  /** Gives a new file to the guest's user; the host made it the Sentry's. */
  own(dir: GoferDirectory, mode: number, creds: Credentials): void {
    const gid = (dir.mode & S_ISGID) !== 0 ? dir.gid : creds.fsgid;
    if (this.uid === creds.fsuid && this.gid === gid) return;
    this.#chown(creds.fsuid, gid);
    if ((mode & 0o6000) !== 0) this.chmod(mode & 0o7777);
    this.restat();
  }

  /** fd and name for calls that take both: an own fd and "", or the directory's and the name. */
  #placeFd(): number {
    const fd = this.anyFd();
    if (fd >= 0) return fd;
    return this.parent === null ? -ESTALE : this.parent.dirFd();
  }
  #placeName(): string {
    return this.anyFd() >= 0 ? "" : this.name;
  }

  override readlink(): string | number {
    if (this.type !== S_IFLNK) return -EINVAL;
    if (this.#target !== null) return this.#target;
    const dirFd = this.parent === null ? -ESTALE : this.parent.dirFd();
    if (dirFd < 0) return dirFd;
    const target = hostReadlinkat(dirFd, this.name);
    if (typeof target === "string" && this.fs.exclusive) this.#target = target;
    return target;
  }

  // Extended attributes: of regular files and directories, through an fd.

  /** Calls with an fd that was opened for reading; -EPERM for what is never opened. */
  protected withXattrFd<T>(_call: (fd: number) => T): T | number {
    return -EPERM;
  }

  override getxattr(name: string): Uint8Array | number {
    if (this.fs.exclusive) {
      if (!this.#hostXattrNames().includes(name)) return -ENODATA;
    }
    const value = this.withXattrFd((fd) => hostFgetxattr(fd, name));
    return value === -EPERM || value === -EOPNOTSUPP ? -ENODATA : value;
  }

  override listxattr(): string[] {
    return this.#hostXattrNames().filter((name) => aclTypeOf(name) === 0);
  }

  #hostXattrNames(): string[] {
    if (this.#xattrNames !== null) return this.#xattrNames;
    let names = this.withXattrFd(hostFlistxattr);
    // Linux needs no permission for this call, but an fd does; and what is unsupported is not there.
    if (typeof names === "number") names = [];
    if (this.fs.exclusive) this.#xattrNames = names;
    return names;
  }

  override setxattr(name: string, value: Uint8Array, flags: number): number {
    if (this.fs.readonly) return -EROFS;
    this.#xattrNames = null;
    this.isStale = true;
    return this.withXattrFd((fd) => hostFsetxattr(fd, name, value, flags)) as number;
  }

  override removexattr(name: string): number {
    if (this.fs.readonly) return -EROFS;
    this.#xattrNames = null;
    this.isStale = true;
    return this.withXattrFd((fd) => hostFremovexattr(fd, name)) as number;
  }

  // Access control lists: the host's, which it also inherits and keeps in step with the mode.

  override loadAcls(): InodeAcls | null {
    const names = this.#hostXattrNames();
    let acls: InodeAcls | null = null;
    for (const [type, name] of ACL_NAMES) {
      if (names.includes(name)) acls = replaceAcl(acls, type, this.#hostAcl(name));
    }
    return this.acls = acls;
  }

  #hostAcl(name: string): PosixAcl | null {
    const value = this.withXattrFd((fd) => hostFgetxattr(fd, name));
    const acl = typeof value === "number" ? null : decodeAcl(value);
    return acl !== null && typeof acl !== "number" && acl.isValid ? acl : null;
  }

  override initAcls(): void {}

  override setAcl(type: AclType, acl: PosixAcl | null): number {
    if (this.type !== S_IFREG && this.type !== S_IFDIR) return -EOPNOTSUPP; // Never opened.
    const [, name] = ACL_NAMES.find((row) => row[0] === type)!;
    const err = acl === null ? this.removexattr(name) : this.setxattr(name, acl.bytes, 0);
    const restat = this.restat();
    return err < 0 ? err : restat;
  }

  /** Devices and FIFOs are the VFS's to open; a host socket cannot be. */
  override open(_file: FileDescription): number {
    return this.type === S_IFLNK ? -ELOOP : -ENXIO;
  }
}

// Small numbers stay small integers, which V8 keeps in the object itself.

function u64(low: number, high: number): number {
  return high === 0 ? low : high * 0x1_0000_0000 + low;
}

function i64(low: number, high: number): number {
  return high === 0 ? low : (high | 0) * 0x1_0000_0000 + low;
}
