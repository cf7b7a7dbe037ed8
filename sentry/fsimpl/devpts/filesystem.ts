/** devpts: /dev/pts with its ptmx and one file for each pseudo terminal. */
import { EINVAL, ENOENT, ENOSPC } from "../../../platform/abi/errno.ts";
import { O_ACCMODE, O_NONBLOCK } from "../../../platform/abi/fcntl.ts";
import { DEVPTS_SUPER_MAGIC } from "../../../platform/abi/mount.ts";
import { S_IFCHR } from "../../../platform/abi/stat.ts";
import { makedev } from "../../../platform/abi/sysmacros.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import { allocateAnonymousDev } from "../../vfs/anon.ts";
import { lookupDentry } from "../../vfs/dentry.ts";
import { FileDescription } from "../../vfs/file.ts";
import type { Filesystem, FilesystemType, Inode } from "../../vfs/inode.ts";
import type { Mount } from "../../vfs/mount.ts";
import { currentTask } from "../kernfs/caller.ts";
import { direntType, DynamicDir, type KeyedEntry } from "../kernfs/dir.ts";
import { KernFilesystem, KernInode } from "../kernfs/inode.ts";
import { MasterFile } from "./master.ts";
import { openSlave } from "./slave.ts";
import { Tty } from "./tty.ts";

export const PTMX_RDEV = makedev(5, 2);
export const UNIX98_PTY_SLAVE_MAJOR = 136;
/** /proc/sys/kernel/pty/max. */
export const PTY_MAX = 4096;

const OPEN_FLAGS = O_ACCMODE | O_NONBLOCK;

export interface DevptsOptions {
  /** Owner of new terminals; -1: the opener's. */
  uid: number;
  gid: number;
  mode: number;
  ptmxMode: number;
  max: number;
}

export class DevptsFilesystem extends KernFilesystem {
  override readonly typeName = "devpts";
  override readonly magic = DEVPTS_SUPER_MAGIC;
  override readonly root: PtsDir;
  override readonly revalidates = true;
  readonly ttys = new Map<number, PtyInode>();

  constructor(kernel: Kernel, readonly options: DevptsOptions) {
    super(kernel, allocateAnonymousDev());
    this.root = new PtsDir(this);
  }

  /** A new terminal for a master that is about to be opened, or -ENOSPC. It begins locked. */
  newTty(creds: Credentials | null): Tty | number {
    const { uid, gid, mode, max } = this.options;
    let index = 0;
    while (this.ttys.has(index)) index++;
    if (index >= max) return -ENOSPC;
    const tty = new Tty(this.kernel, index, makedev(UNIX98_PTY_SLAVE_MAJOR, index));
    const inode = new PtyInode(this, tty, mode);
    inode.uid = uid >= 0 ? uid : creds?.fsuid ?? 0;
    inode.gid = gid >= 0 ? gid : creds?.fsgid ?? 0;
    this.ttys.set(index, inode);
    tty.onGone = () => this.forget(tty);
    return tty;
  }

  /** Removes the name of a terminal whose master is closed. */
  forget(tty: Tty): void {
    if (this.ttys.get(tty.index)?.tty === tty) this.ttys.delete(tty.index);
  }

  openMaster(file: FileDescription): number {
    const tty = this.newTty(currentTask()?.creds ?? null);
    if (typeof tty === "number") return tty;
    file.impl = new MasterFile(tty, this);
    return 0;
  }

  /** TIOCGPTPEER: opens the slave without a path. Returns a descriptor or -errno. */
  openPeer(t: Task, tty: Tty, flags: number): number {
    const file = this.openSlaveFile(tty, flags);
    if (typeof file === "number") return file;
    file.impl.opened?.(file, t, flags);
    const fd = t.fdTable.install(file, flags);
    if (fd < 0) file.release();
    return fd;
  }

  /** An open slave whose path is where this instance is mounted. The caller owns it. */
  openSlaveFile(tty: Tty, flags: number): FileDescription | number {
    const inode = this.ttys.get(tty.index);
    const mount = this.#findMount();
    if (inode === undefined || mount === null) return -ENOENT;
    const dentry = lookupDentry(mount.root, String(tty.index));
    if (typeof dentry === "number") return dentry;
    const file = new FileDescription(inode, dentry.acquire(), mount.acquire(), flags & OPEN_FLAGS);
    const err = openSlave(tty, file);
    if (err < 0) {
      dentry.release();
      mount.release();
      return err;
    }
    return file;
  }

  /** A mount of this whole instance that the caller can see. */
  #findMount(): Mount | null {
    const ns = currentTask()?.ns.mount ?? this.kernel.rootMountNs;
    if (ns === null) return null;
    for (const m of ns.mounts) if (m.fs === this && m.root.inode === this.root) return m;
    return null;
  }

  optionsText(): string {
    const { uid, gid, mode, ptmxMode, max } = this.options;
    return (uid >= 0 ? `uid=${uid},` : "") + (gid >= 0 ? `gid=${gid},` : "") +
      `mode=${mode.toString(8).padStart(3, "0")},ptmxmode=${
        ptmxMode.toString(8).padStart(3, "0")
      }` +
      (max !== PTY_MAX ? `,max=${max}` : "");
  }
}

class PtsDir extends DynamicDir {
  readonly ptmx: PtmxInode;

  constructor(override readonly fs: DevptsFilesystem) {
    super(fs, 0o755);
    this.ptmx = new PtmxInode(fs, fs.options.ptmxMode);
  }

  override find(name: string): Inode | number {
    if (name === "ptmx") return this.ptmx;
    if (!/^(0|[1-9][0-9]{0,6})$/.test(name)) return -ENOENT;
    return this.fs.ttys.get(Number(name)) ?? -ENOENT;
  }

  override *list(fromKey: number): Iterable<KeyedEntry> {
    const entry = (name: string, inode: Inode, key: number): KeyedEntry => {
      return { name, ino: inode.ino, type: direntType(inode.mode), key };
    };
    if (fromKey <= 2) yield entry("ptmx", this.ptmx, 2);
    const indices = [...this.fs.ttys.keys()].sort((a, b) => a - b);
    for (const i of indices) {
      if (3 + i >= fromKey) yield entry(String(i), this.fs.ttys.get(i)!, 3 + i);
    }
  }
}

/** Opening it makes a terminal in its own instance, wherever that is mounted. */
class PtmxInode extends KernInode {
  override get opensItself(): boolean {
    return true;
  }

  constructor(override readonly fs: DevptsFilesystem, mode: number) {
    super(fs, S_IFCHR | mode);
    this.rdev = PTMX_RDEV;
  }

  override open(file: FileDescription): number {
    return this.fs.openMaster(file);
  }
}

/** The slave's name. */
export class PtyInode extends KernInode {
  override get opensItself(): boolean {
    return true;
  }

  constructor(fs: DevptsFilesystem, readonly tty: Tty, mode: number) {
    super(fs, S_IFCHR | mode);
    this.rdev = tty.rdev;
  }

  override open(file: FileDescription): number {
    return openSlave(this.tty, file);
  }
}

/** mount -t devpts -o uid=,gid=,mode=,ptmxmode=,max=,newinstance */
export class DevptsType implements FilesystemType {
  readonly name = "devpts";

  constructor(private readonly kernel: Kernel) {}

  checkOptions(text: string): number {
    const options = parseOptions(text);
    return typeof options === "number" ? options : 0;
  }

  mount(_source: string, text: string, _creds: Credentials): Filesystem | number {
    const options = parseOptions(text);
    return typeof options === "number" ? options : new DevptsFilesystem(this.kernel, options);
  }
}

function parseOptions(text: string): DevptsOptions | number {
  const options: DevptsOptions = { uid: -1, gid: -1, mode: 0o600, ptmxMode: 0, max: PTY_MAX };
  for (const option of text.split(",")) {
    if (option === "" || option === "newinstance") continue;
    const [key, value = ""] = option.split("=", 2);
    const octal = key === "mode" || key === "ptmxmode";
    if (!(octal ? /^[0-7]{1,6}$/ : /^[0-9]{1,10}$/).test(value)) return -EINVAL;
    const n = parseInt(value, octal ? 8 : 10);
    if (key === "uid") options.uid = n;
    else if (key === "gid") options.gid = n;
    else if (key === "mode") options.mode = n & 0o777;
    else if (key === "ptmxmode") options.ptmxMode = n & 0o777;
    else if (key === "max") options.max = Math.min(n, PTY_MAX);
    else return -EINVAL;
  }
  return options;
}
