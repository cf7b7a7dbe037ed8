/**
 * Files without a name in any tree: pipes, sockets, eventfds, epoll instances … Linux's words:
 * pseudo file systems (pipefs, sockfs, anon_inodefs), alloc_file_pseudo, anon_inode_getfile.
 */
import { ENXIO, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import { O_ACCMODE } from "../../platform/abi/fcntl.ts";
import {
  ANON_INODE_FS_MAGIC,
  MS_STRICTATIME,
  PIPEFS_MAGIC,
  SOCKFS_MAGIC,
} from "../../platform/abi/mount.ts";
import { S_IFMT } from "../../platform/abi/stat.ts";
import { XATTR_NAME_SOCKPROTONAME } from "../../platform/abi/xattr.ts";
import { readClock } from "./clock.ts";
import { newRootDentry } from "./dentry.ts";
import { FileDescription, type FileDescriptionImpl } from "./file.ts";
import { type Attributes, type Filesystem, Inode, type StatFs, statNoBlocks } from "./inode.ts";
import { type Mount, newMount } from "./mount.ts";
import { applyAttributes } from "./attributes.ts";

let nextPseudoMinor = 1;
/** st_dev for a file system without a device: major 0 and a minor of its own. */
export function allocateAnonymousDev(): number {
  const minor = nextPseudoMinor++;
  return ((minor & 0xff) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** Whether it is of an event file (anon_inode) or a pidfd, which have no type of file. */
export function isUntyped(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === 0;
}

export class PseudoInode extends Inode {
  constructor(readonly fs: PseudoFilesystem, ino: number, mode: number, uid: number, gid: number) {
    super();
    this.ino = ino;
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    const now = readClock();
    this.atimeSec = this.mtimeSec = this.ctimeSec = now.sec;
    this.atimeNsec = this.mtimeNsec = this.ctimeNsec = now.nsec;
  }
  override setattr(attr: Attributes): number {
    if (isUntyped(this)) return -EOPNOTSUPP;
    applyAttributes(this, attr);
    return 0;
  }
  /** Reached through /proc/PID/fd; FIFOs are dispatched before this. */
  override open(): number {
    return -ENXIO;
  }
}

export class PseudoFilesystem implements Filesystem {
  readonly dev = allocateAnonymousDev();
  readonly revalidates = false;
  readonly root: Inode;
  readonly mount: Mount;
  #nextIno = 1;

  constructor(
    readonly typeName: string,
    readonly magic: number,
    readonly xattrNames?: readonly string[],
  ) {
    this.root = this.newInode(0o040555, 0, 0);
    this.mount = newMount(this, "none", MS_STRICTATIME); // As kern_mount: without MNT_RELATIME.
  }

  newIno(): number {
    return this.#nextIno++;
  }

  newInode(mode: number, uid: number, gid: number): PseudoInode {
    return new PseudoInode(this, this.newIno(), mode, uid, gid);
  }

  /**
   * An open file on `inode`, whose /proc/PID/fd link reads `name`. `flags`: O_ACCMODE and O_NONBLOCK …
   * The caller owns the file.
   */
  newFile(
    inode: Inode,
    name: string,
    impl: FileDescriptionImpl,
    flags: number,
  ): FileDescription {
    const dentry = newRootDentry(this, inode, name);
    const file = new FileDescription(inode, dentry, this.mount.acquire(), flags);
    file.impl = impl;
    return file;
  }

  statfs(out: StatFs): number {
    return statNoBlocks(out);
  }
  release(): void {}
}

export const anonFs = new PseudoFilesystem("anon_inodefs", ANON_INODE_FS_MAGIC);
export const pipeFs = new PseudoFilesystem("pipefs", PIPEFS_MAGIC);
export const sockFs = new PseudoFilesystem("sockfs", SOCKFS_MAGIC, [
  XATTR_NAME_SOCKPROTONAME,
]);

/** All anonymous inode files share this one inode, as on Linux: no type, mode 0600. */
const sharedInode = anonFs.newInode(0o600, 0, 0);
sharedInode.refs = 1;

/** `name` as in "[eventfd]", "[eventpoll]", "[timerfd]", "[signalfd]", "[pidfd]". */
export function newAnonFile(
  name: string,
  impl: FileDescriptionImpl,
  flags: number,
): FileDescription {
  return anonFs.newFile(sharedInode, "anon_inode:" + name, impl, flags);
}

/** One end of a pipe; both ends share `inode` (`pipeFs.newInode(S_IFIFO | 0o600, uid, gid)`). */
export function newPipeFile(
  inode: Inode,
  impl: FileDescriptionImpl,
  flags: number,
): FileDescription {
  return pipeFs.newFile(inode, `pipe:[${inode.ino}]`, impl, flags);
}

/** A socket's inode, of which an attribute tells the protocol. Linux gives it no times (sock_alloc). */
class SocketInode extends PseudoInode {
  constructor(ino: number, uid: number, gid: number, readonly protocol: string) {
    super(sockFs, ino, 0o140777, uid, gid);
    this.atimeSec = this.mtimeSec = this.ctimeSec = 0;
    this.atimeNsec = this.mtimeNsec = this.ctimeNsec = 0;
  }
  override getxattr(): Uint8Array {
    return new TextEncoder().encode(this.protocol + "\0");
  }
  override listxattr(): string[] {
    return [XATTR_NAME_SOCKPROTONAME];
  }
}

/** A socket; makes its inode. `protocol` is its name, as in /proc/net/protocols. */
export function newSocketFile(
  impl: FileDescriptionImpl,
  flags: number,
  uid: number,
  gid: number,
  protocol: string,
): FileDescription {
  const inode = new SocketInode(sockFs.newIno(), uid, gid, protocol);
  return sockFs.newFile(inode, `socket:[${inode.ino}]`, impl, (flags & ~O_ACCMODE) | 2);
}
