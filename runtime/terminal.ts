/**
 * The command's terminal. While it is the guest's console it is raw, so that the guest's line discipline sees every
 * byte, but only while the command is the foreground job of the shell that started it.
 */
import { hostCall, hostIoctl, spawnLibrary } from "../platform/host/spawn.ts";
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
import { TCGETS, TCSETSW, TIOCGPGRP } from "../platform/abi/ioctl.ts";
import { SYS_getpgid } from "../platform/abi/amd64/syscalls.ts";

export class Terminal {
  readonly #fd: number;
  /** How it was found. */
  readonly #found = new Uint8Array(TERMIOS_SIZE);
  #isRaw = false;

  /**
   * `isConsole`: else the guest reads and writes it as it is. The event loop of this process does not watch its
   * terminals any more: what the guest writes is none of its business.
   */
  constructor(fd: number, readonly isConsole: boolean) {
    this.#fd = fd;
    spawnLibrary().dv_terminal_unwatch();
  }

  /** Whether what is typed is for this process. A terminal that controls no session is for all. */
  get isForeground(): boolean {
    const group = new Uint8Array(4);
    if (hostIoctl(this.#fd, TIOCGPGRP, group) < 0) return true;
    const own = hostCall(SYS_getpgid);
    return new DataView(group.buffer).getInt32(0, true) === own;
  }

  /** Null when the terminal is gone. */
  get size(): { rows: number; columns: number } | null {
    try {
      return Deno.consoleSize();
    } catch {
      return null;
    }
  }

  /** A console becomes raw, until `leave`; also if the command is killed it is put back. */
  enter(): void {
    if (!this.isConsole || this.#isRaw || hostIoctl(this.#fd, TCGETS, this.#found) < 0) return;
    const raw = this.#found.slice();
    cfmakeraw(new DataView(raw.buffer));
    spawnLibrary().dv_terminal_guard(this.#fd, this.#found, raw);
    hostIoctl(this.#fd, TCSETSW, raw);
    this.#isRaw = true;
  }

  /** Puts back what was found. Any number of times. */
  leave(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    hostIoctl(this.#fd, TCSETSW, this.#found);
  }

  /** To be called before the command ends. */
  release(): void {
    this.leave();
    spawnLibrary().dv_terminal_release();
  }
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
