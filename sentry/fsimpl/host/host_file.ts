/** An open file of the host that the sandbox was given: a pipe, a regular file, a socket, a device. */
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  EPOLLRDNORM,
  EPOLLWRNORM,
} from "../../../platform/abi/epoll.ts";
import {
  EAGAIN,
  EINVAL,
  ENODEV,
  ENOTTY,
  ENXIO,
  EOPNOTSUPP,
  ESPIPE,
} from "../../../platform/abi/errno.ts";
import { O_ACCMODE } from "../../../platform/abi/fcntl.ts";
import {
  FIONREAD,
  TCGETS,
  TCSETS,
  TCSETSF,
  TCSETSW,
  TIOCGWINSZ,
} from "../../../platform/abi/ioctl.ts";
import { SIGTTIN, SIGTTOU } from "../../../platform/abi/signal.ts";
import { TERMIOS_SIZE, WINSIZE_SIZE } from "../../../platform/abi/termios.ts";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "../../../platform/abi/stat.ts";
import { RWF_NOWAIT } from "../../../platform/abi/uio.ts";
import {
  SYS_fdatasync,
  SYS_fsync,
  SYS_ftruncate,
  SYS_ioctl,
  SYS_lseek,
} from "../../../platform/abi/amd64/syscalls.ts";
import { closeFd, hostAlloc, hostSyscall } from "../../../platform/host/host.ts";
import { hostFstatx, statxWords } from "../../../platform/host/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import { PseudoFilesystem, PseudoInode } from "../../vfs/anon.ts";
import {
  type FileDescription,
  FileDescriptionImpl,
  type HostMapping,
  type IoctlCaller,
} from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { type WaitEntry, WaitQueue } from "../../wait/queue.ts";
import { ioCaller } from "../kernfs/caller.ts";
import type { CallerInput } from "./caller_input.ts";
import { pollNow } from "./host_poll.ts";
import { HostWatch } from "./watch.ts";

const HOSTFS_MAGIC = 0x00c0ffee;
/** What poll(2)'s "writable" promises of a pipe: a write of this size does not block. */
const PIPE_CHUNK = 4096;
/** Most that is moved by one call of a file, which may be slow. */
const FILE_CHUNK = 1 << 20;

const hostFs = new PseudoFilesystem("host", HOSTFS_MAGIC);
const answer = hostAlloc(64);

/**
 * Makes an open file of host descriptor `fd`, which it takes over, with O_* `flags`. Its /proc/PID/fd
 * link reads `name`. Of a terminal, `input` says who reads it. Returns -errno when the descriptor is not open.
 */
export function newHostFile(
  kernel: Kernel,
  fd: number,
  flags: number,
  name: string,
  input: CallerInput | null,
): FileDescription | number {
  const inode = new HostInode(fd);
  const err = inode.refresh();
  if (err < 0) return err;
  const isRegular = (inode.mode & S_IFMT) === S_IFREG;
  inode.impl = isRegular ? new HostRegularFile(fd) : new HostStream(kernel, fd, input);
  if ((inode.mode & S_IFMT) === S_IFDIR) flags &= ~O_ACCMODE;
  const file = hostFs.newFile(inode, linkText(inode, name), inode.impl, flags);
  setPosition(file, fd);
  return file;
}

function setPosition(file: FileDescription, fd: number): void {
  if ((file.inode.mode & S_IFMT) !== S_IFREG) return;
  file.offset = Math.max(0, hostSyscall(SYS_lseek, fd, 0, 1));
  file.hasHostOffset = true;
}

/** What Linux shows for such a file, where it is known. */
function linkText(inode: HostInode, name: string): string {
  switch (inode.mode & S_IFMT) {
    case S_IFIFO:
      return `pipe:[${inode.ino}]`;
    case S_IFSOCK:
      return `socket:[${inode.ino}]`;
    default:
      return name;
  }
}

/** Attributes are the host's; they cannot be changed from inside. */
class HostInode extends PseudoInode {
  /** Of every open file on it: the state is the host's. */
  impl!: HostFile;

  /** Owns `fd`. */
  constructor(readonly fd: number) {
    super(hostFs, 0, 0, 0, 0);
  }
  override get opensItself(): boolean {
    return true;
  }
  /** Reached through /dev/stdout and /proc/PID/fd: the same open file of the host once more. */
  override open(file?: FileDescription): number {
    if ((this.mode & S_IFMT) === S_IFSOCK) return -ENXIO;
    file!.impl = this.impl;
    setPosition(file!, this.fd);
    return 0;
  }
  /** The last file and its last name are gone. */
  override release(): void {
    this.impl.dispose();
    closeFd(this.fd);
  }
  override refresh(): number {
    const err = hostFstatx(this.fd);
    if (err < 0) return err;
    const w = statxWords;
    const u64 = (i: number): number => w[i] + w[i + 1] * 0x1_0000_0000;
    this.blksize = w[1];
    this.nlink = w[4];
    this.mode = w[7] & 0xffff;
    this.ino = u64(8);
    this.size = u64(10);
    this.blocks = u64(12);
    this.rdev = ((w[33] & 0xff) | ((w[32] & 0xfff) << 8) | ((w[33] & 0xfff00) << 12)) >>> 0;
    this.atimeSec = u64(16);
    this.atimeNsec = w[18];
    this.ctimeSec = u64(24);
    this.ctimeNsec = w[26];
    this.mtimeSec = u64(28);
    this.mtimeNsec = w[30];
    return 0;
  }
  override setattr(): number {
    return 0; // fchmod and fchown of a stdio file: taken, without effect outside.
  }
}

abstract class HostFile extends FileDescriptionImpl {
  constructor(readonly fd: number) {
    super();
  }
  /** Before the descriptor is closed. */
  dispose(): void {}

  protected fionread(caller: IoctlCaller, arg: number): number {
    const err = hostSyscall(SYS_ioctl, this.fd, FIONREAD, answer.addr);
    return err < 0 ? err : caller.copyOut(arg, answer.u8, 0, 4);
  }

  override fsync(_f: FileDescription, dataOnly: boolean): number {
    return hostSyscall(dataOnly ? SYS_fdatasync : SYS_fsync, this.fd);
  }
}

/** Its position is the host's, which other descriptors and processes share (2>&1). */
class HostRegularFile extends HostFile {
  override read(_f: FileDescription, dst: IoDst, offset: number): number {
    return dst.readHost(this.fd, Math.min(dst.remaining, FILE_CHUNK), offset, 0);
  }

  override write(_f: FileDescription, src: IoSrc, offset: number): number {
    return src.writeHost(this.fd, Math.min(src.remaining, FILE_CHUNK), offset, 0);
  }

  override seek(_f: FileDescription, offset: number, whence: number): number {
    return hostSyscall(SYS_lseek, this.fd, offset, whence);
  }

  override truncate(_f: FileDescription, size: number): number {
    return hostSyscall(SYS_ftruncate, this.fd, size);
  }

  override ioctl(f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    if (cmd !== FIONREAD || f.inode.refresh() < 0) return -ENOTTY;
    return this.fionread(caller, arg);
  }

  override hostMapping(_f: FileDescription, offset: number): HostMapping | number {
    return { fd: this.fd, offset };
  }
}

/** A pipe, socket or character device. */
class HostStream extends HostFile {
  readonly #queue = new WaitQueue();
  readonly #watch: HostWatch;
  readonly #inputEntry: WaitEntry = {
    mask: -1,
    wake: () => this.#queue.notify(EPOLLIN | EPOLLRDNORM),
  };
  /** The host takes RWF_NOWAIT for it, as far as is known. */
  #nowait = true;

  /** `input`: of a terminal, else null. */
  constructor(kernel: Kernel, fd: number, private readonly input: CallerInput | null) {
    super(fd);
    input?.changes.add(this.#inputEntry);
    this.#watch = new HostWatch(kernel, fd, (events) => {
      if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) !== 0) events |= EPOLLRDNORM;
      if ((events & (EPOLLOUT | EPOLLERR)) !== 0) events |= EPOLLWRNORM;
      this.#queue.notify(events);
    });
  }

  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.#queue;
  }

  override readiness(): number {
    const ways = this.input?.isWithheld ? EPOLLOUT : EPOLLIN | EPOLLOUT;
    let events = pollNow(this.fd, ways | EPOLLRDHUP);
    if ((events & EPOLLIN) !== 0) events |= EPOLLRDNORM;
    if ((events & EPOLLOUT) !== 0) events |= EPOLLWRNORM;
    const lacking = ways & ~events;
    // Only one direction may exist: waiting for the other in vain costs nothing.
    if (lacking !== 0 && (events & (EPOLLHUP | EPOLLERR)) === 0) this.#watch.arm(lacking);
    return events;
  }

  override read(_f: FileDescription, dst: IoDst, _offset: number): number {
    if (this.input !== null) {
      const err = this.input.checkTerminal(ioCaller(dst), SIGTTIN);
      if (err < 0) return err;
      if (!this.input.isOn) return -EAGAIN; // The change will tell.
    }
    if (this.#nowait) {
      const n = dst.readHost(this.fd, dst.remaining, -1, RWF_NOWAIT);
      if (n === -EAGAIN) return this.#lacks(EPOLLIN);
      if (!isUnsupported(n)) return n;
      this.#nowait = false;
    }
    if (pollNow(this.fd, EPOLLIN) === 0) return this.#lacks(EPOLLIN);
    const n = dst.readHost(this.fd, dst.remaining, -1, 0);
    // Somebody outside has made it non-blocking, and another reader was quicker.
    return n === -EAGAIN ? this.#lacks(EPOLLIN) : n;
  }

  override write(_f: FileDescription, src: IoSrc, _offset: number): number {
    if (this.#nowait) {
      const n = src.writeHost(this.fd, src.remaining, -1, RWF_NOWAIT);
      if (n === -EAGAIN) return this.#lacks(EPOLLOUT);
      if (!isUnsupported(n)) return n;
      this.#nowait = false;
    }
    let total = 0;
    while (src.remaining > 0) {
      if (pollNow(this.fd, EPOLLOUT) === 0) break;
      const n = src.writeHost(this.fd, Math.min(src.remaining, PIPE_CHUNK), -1, 0);
      if (n === -EAGAIN) break;
      if (n <= 0) return total > 0 ? total : n;
      total += n;
    }
    return total === 0 && src.remaining > 0 ? this.#lacks(EPOLLOUT) : total;
  }

  #lacks(events: number): number {
    // A descriptor that cannot be watched is always ready by poll's account: try once more then.
    this.#watch.arm(events);
    return -EAGAIN;
  }

  override seek(): number {
    return -ESPIPE;
  }
  override hostMapping(): number {
    return -ENODEV;
  }
  override fsync(): number {
    return -EINVAL;
  }

  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    switch (cmd) {
      case FIONREAD:
        return this.fionread(caller, arg);
      // A terminal of the host that is not the console: its line discipline is the host's.
      case TCGETS:
        return this.#query(caller, cmd, arg, TERMIOS_SIZE);
      case TCSETS:
      case TCSETSW:
      case TCSETSF:
        return this.#change(caller, cmd, arg, TERMIOS_SIZE);
      case TIOCGWINSZ:
        return this.#query(caller, cmd, arg, WINSIZE_SIZE);
      default:
        return -ENOTTY;
    }
  }

  #query(caller: IoctlCaller, cmd: number, arg: number, size: number): number {
    const err = hostSyscall(SYS_ioctl, this.fd, cmd, answer.addr);
    return err < 0 ? err : caller.copyOut(arg, answer.u8, 0, size);
  }

  #change(caller: IoctlCaller, cmd: number, arg: number, size: number): number {
    let err = this.input?.checkTerminal(caller as Task, SIGTTOU) ?? 0;
    if (err < 0) return err;
    err = caller.copyIn(arg, answer.u8, 0, size);
    return err < 0 ? err : hostSyscall(SYS_ioctl, this.fd, cmd, answer.addr);
  }

  override dispose(): void {
    this.input?.changes.remove(this.#inputEntry);
    this.#watch.disarm();
  }
}

function isUnsupported(n: number): boolean {
  return n === -EOPNOTSUPP || n === -EINVAL;
}
