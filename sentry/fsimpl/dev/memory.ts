/** Memory devices: null(4), zero, full(4), random(4). */
import { EFAULT, EINVAL, ENODEV, ENOSPC, EPERM } from "../../../platform/abi/errno.ts";
import { CAP_SYS_ADMIN } from "../../../platform/abi/capability.ts";
import {
  RNDADDENTROPY,
  RNDADDTOENTCNT,
  RNDCLEARPOOL,
  RNDGETENTCNT,
  RNDRESEEDCRNG,
  RNDZAPENTCNT,
} from "../../../platform/abi/ioctl.ts";
import { fillRandom } from "../../../platform/host/host.ts";
import { hasCapability } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import {
  type FileDescription,
  FileDescriptionImpl,
  type HostMapping,
  type IoctlCaller,
} from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { charDevices, type Device } from "../../vfs/special.ts";

/** Linux's random pool, always full. */
export const ENTROPY_BITS = 256;
const MEM_MAJOR = 1;

abstract class MemoryFile extends FileDescriptionImpl implements Device {
  /** The files have no state: the device is every one's implementation. */
  open(file: FileDescription): number {
    file.impl = this;
    return 0;
  }
  override get isPlaceless(): boolean {
    return true;
  }
  override seek(_f: FileDescription): number {
    return 0;
  }
  override fsync(): number {
    return -EINVAL;
  }
}

class NullFile extends MemoryFile {
  override get splices(): boolean {
    return false;
  }
  override read(_f: FileDescription, _dst: IoDst): number {
    return 0;
  }
  override write(_f: FileDescription, src: IoSrc): number {
    return src.remaining; // Not even looked at, as on Linux.
  }
}

/** Memory mapped from it is anonymous. */
const ANONYMOUS: HostMapping = { fd: -1, offset: 0 };

class ZeroFile extends NullFile {
  override get splices(): boolean {
    return true;
  }
  override read(_f: FileDescription, dst: IoDst): number {
    return dst.zero(dst.remaining);
  }
  override hostMapping(): HostMapping | number {
    return ANONYMOUS;
  }
  override get mapsAnonymous(): boolean {
    return true;
  }
}

class FullFile extends MemoryFile {
  override get writesBuffers(): boolean {
    return true;
  }
  override read(_f: FileDescription, dst: IoDst): number {
    return dst.zero(dst.remaining);
  }
  override write(): number {
    return -ENOSPC;
  }
}

/** What is asked of the host at once. */
const randomChunk = new Uint8Array(65536);
/** What one read gives at most (Linux: 32 MiB, but stops for signals; here nobody else runs meanwhile). */
const RANDOM_READ_MAX = 4 << 20;

/** Random bytes for getrandom(2) and the devices. Returns the count, or -EFAULT. */
export function readRandom(dst: IoDst): number {
  let total = 0;
  while (dst.remaining > 0 && total < RANDOM_READ_MAX) {
    const n = Math.min(dst.remaining, randomChunk.length);
    fillRandom(randomChunk, 0, n);
    const put = dst.put(randomChunk, 0, n);
    if (put < 0) return total > 0 ? total : put;
    total += put;
    if (put < n) break;
  }
  return total;
}

class RandomFile extends MemoryFile {
  override read(_f: FileDescription, dst: IoDst): number {
    return readRandom(dst);
  }
  /** Mixed into the pool on Linux; the host's generator needs none. */
  override write(_f: FileDescription, src: IoSrc): number {
    const n = Math.min(src.remaining, randomChunk.length);
    const taken = src.take(randomChunk, 0, n);
    randomChunk.fill(0, 0, n);
    return taken;
  }
  override seek(f: FileDescription): number {
    return f.offset;
  }
  override ioctl(_f: FileDescription, caller: IoctlCaller, cmd: number, arg: number): number {
    switch (cmd) {
      case RNDGETENTCNT:
        return caller.copyOut(
            arg,
            Uint8Array.of(ENTROPY_BITS & 0xff, ENTROPY_BITS >>> 8, 0, 0),
            0,
            4,
          ) < 0
          ? -EFAULT
          : 0;
      case RNDADDTOENTCNT:
      case RNDADDENTROPY:
      case RNDZAPENTCNT:
      case RNDCLEARPOOL:
      case RNDRESEEDCRNG:
        return hasCapability((caller as Task).creds, CAP_SYS_ADMIN) ? 0 : -EPERM;
      default:
        return -EINVAL;
    }
  }
  override hostMapping(): number {
    return -ENODEV;
  }
}

/** Registers the memory devices. */
export function registerMemoryDevices(): void {
  charDevices.register(MEM_MAJOR, 3, new NullFile());
  charDevices.register(MEM_MAJOR, 5, new ZeroFile());
  charDevices.register(MEM_MAJOR, 7, new FullFile());
  charDevices.register(MEM_MAJOR, 8, new RandomFile());
  charDevices.register(MEM_MAJOR, 9, new RandomFile());
}
