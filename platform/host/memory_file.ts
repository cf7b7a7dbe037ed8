/**
 * Files in memory that guests map. A stub keeps what it is sent as long as it likes, and maps it as it likes: who may
 * only read is sent a descriptor that cannot write. A memfd has no other one where there is no /proc, so these are
 * files of a directory that nobody else has.
 */
import { SYS_openat, SYS_unlinkat } from "../abi/amd64/syscalls.ts";
import { ENAMETOOLONG } from "../abi/errno.ts";
import { O_CLOEXEC, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } from "../abi/fcntl.ts";
import { settleFileFd } from "./file_fds.ts";
import { closeFd, hostPath, hostSyscall, memfdCreate } from "./host.ts";

/** -1: there is none, but there is a /proc. */
let directory = -1;
let lastName = 0;

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
      ? settleFileFd(memfdCreate("dvisor-tmpfs"))
      : open(`${name}`, O_RDWR | O_CREAT | O_EXCL);
    if (fd >= 0) return new MemoryFile(fd, name);
    // It may have been made, and then been one too many.
    if (directory >= 0) hostSyscall(SYS_unlinkat, directory, hostPath(`${name}`), 0);
    return fd;
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
  return settleFileFd(hostSyscall(SYS_openat, directory, addr, flags | O_CLOEXEC, 0o600));
}
