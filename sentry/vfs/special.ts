/**
 * Files whose behaviour is not their file system's: devices, by number, and FIFOs. Linux's words:
 * cdev_map, bdev, def_fifo_fops. The owners register themselves here, since vfs knows none of them.
 */
import type { FileDescription } from "./file.ts";

/** A character or block device. */
export interface Device {
  /** Installs `file.impl`. Returns 0 or -errno. `file.inode.rdev` tells which one of a range it is. */
  open(file: FileDescription): number;
}

export class DeviceTable {
  readonly #exact = new Map<number, Device>();
  readonly #majors = new Map<number, Device>();

  /** `minor` -1 stands for every minor number without a device of its own. */
  register(major: number, minor: number, device: Device): void {
    if (minor < 0) this.#majors.set(major, device);
    else this.#exact.set(major * 0x100000 + minor, device);
  }
  lookup(major: number, minor: number): Device | null {
    return this.#exact.get(major * 0x100000 + minor) ?? this.#majors.get(major) ?? null;
  }
}

export const charDevices = new DeviceTable();
export const blockDevices = new DeviceTable();

/**
 * Opens a FIFO: finds or makes the pipe in `file.inode.special`, installs `file.impl` and counts the
 * new end. Returns 0; -ENXIO for a non-blocking writer without reader; -EAGAIN when the open must wait
 * for its peer: open(2) then waits on `file.impl.openQueue` until `file.impl.openCompleted(file)`.
 */
export type FifoOpener = (file: FileDescription) => number;

let fifoOpener: FifoOpener | null = null;

export function setFifoOpener(opener: FifoOpener): void {
  fifoOpener = opener;
}
export function getFifoOpener(): FifoOpener | null {
  return fifoOpener;
}
