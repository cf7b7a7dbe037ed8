/**
 * Files in memory that guests map. A stub keeps what it is sent as long as it likes, and maps it as it likes: who may
 * only read is sent a descriptor that cannot write. A memfd has no other one where there is no /proc, so these are
 * files of a directory that nobody else has.
 */
import { SYS_openat, SYS_unlinkat } from "../abi/amd64/syscalls.ts";
import { ENAMETOOLONG, ENFILE } from "../abi/errno.ts";
import { O_CLOEXEC, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } from "../abi/fcntl.ts";
import { closeFd, descriptorLimit, hostPath, hostSyscall, memfdCreate } from "./host.ts";

/** -1: there is none, but there is a /proc. */
let directory = -1;
let lastName = 0;
/** Guests make files without end; the rest is for processes and files of the host. The host gives the lowest first. */
const mostFds = descriptorLimit() * 3 / 4;

export function setMemoryFiles(directoryFd: number): void {
  directory = directoryFd;
}

export class MemoryFile {
  #readOnlyFd = -1;
  #hasName = directory >= 0;

  /** `fd`: open for reading and writing; ours. */
  private constructor(readonly fd: number, readonly name: number) {}

  /** An empty one, or -errno. */
  static create(): MemoryFile | number {
    const name = ++lastName;
    const fd = directory < 0
      ? memfdCreate("dvisor-tmpfs")
      : open(`${name}`, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0) return fd;
    const file = new MemoryFile(fd, name);
    if (fd < mostFds) return file;
    file.close();
    return -ENFILE;
  }

  /** Open for reading alone, as long as the file; or -errno. */
  readOnlyFd(): number {
    if (this.#readOnlyFd < 0) {
      const fd = open(directory < 0 ? `/proc/self/fd/${this.fd}` : `${this.name}`, O_RDONLY);
      if (fd < 0) return fd;
      this.#readOnlyFd = fd;
      this.#dropName();
    }
    return this.#readOnlyFd;
  }

  #dropName(): void {
    if (this.#hasName) hostSyscall(SYS_unlinkat, directory, hostPath(`${this.name}`), 0);
    this.#hasName = false;
  }

  close(): void {
    this.#dropName();
    if (this.#readOnlyFd >= 0) closeFd(this.#readOnlyFd);
    closeFd(this.fd);
  }
}

function open(path: string, flags: number): number {
  const addr = hostPath(path);
  if (addr < 0) return -ENAMETOOLONG;
  return hostSyscall(SYS_openat, directory, addr, flags | O_CLOEXEC, 0o600);
}
