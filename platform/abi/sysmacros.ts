/**
 * Device numbers (sys/sysmacros.h), makedev(3). The 32-bit encoding the kernel gives to user space:
 * minor bits 0-7, major bits 8-19, minor bits 8-19 in bits 20-31. Both halves fit: 12 and 20 bits.
 */

/** Encodes a device number, an unsigned 32-bit value. */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

export function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}
