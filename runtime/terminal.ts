/** The host's terminal while it is the guest's: raw, so that the guest's line discipline sees every byte. */
import { spawnLibrary } from "../platform/host/spawn.ts";
import {
  BRKINT,
  CS8,
  CSIZE,
  ECHO,
  ECHONL,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNBRK,
  IGNCR,
  INLCR,
  ISIG,
  ISTRIP,
  IXON,
  OPOST,
  PARENB,
  PARMRK,
  TERMIOS_SIZE,
  VMIN,
  VTIME,
} from "../platform/abi/termios.ts";
import { TCGETS, TCSETSW } from "../platform/abi/ioctl.ts";
import { SYS_ioctl } from "../platform/abi/amd64/syscalls.ts";

export interface RawTerminal {
  /** Puts back what was found. Any number of times. */
  restore(): void;
}

/** Null when `fd` is no terminal any more. */
export function makeRaw(fd: number): RawTerminal | null {
  const saved = new Uint8Array(TERMIOS_SIZE);
  if (ioctl(fd, TCGETS, saved) < 0) return null;
  const raw = saved.slice();
  cfmakeraw(new DataView(raw.buffer));
  ioctl(fd, TCSETSW, raw);
  return { restore: () => void ioctl(fd, TCSETSW, saved) };
}

/** termios(3)'s cfmakeraw. */
function cfmakeraw(t: DataView): void {
  const clear = (offset: number, bits: number, set = 0) =>
    t.setUint32(offset, t.getUint32(offset, true) & ~bits | set, true);
  clear(0, IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  clear(4, OPOST);
  clear(8, CSIZE | PARENB, CS8);
  clear(12, ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  t.setUint8(17 + VMIN, 1);
  t.setUint8(17 + VTIME, 0);
}

function ioctl(fd: number, request: number, buffer: Uint8Array<ArrayBuffer>): number {
  const addr = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
  return spawnLibrary().dv_syscall(SYS_ioctl, fd, request, addr, 0, 0, 0);
}
