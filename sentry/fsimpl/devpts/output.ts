/** Output processing (c_oflag) and the column that erasing tabs needs. */
import {
  IUTF8,
  OCRNL,
  OLCUC,
  ONLCR,
  ONLRET,
  ONOCR,
  OPOST,
  TABDLY,
  type Termios,
  XTABS,
} from "../../../platform/abi/termios.ts";

export interface OutputDevice {
  outputRoom(): number;
  emit(byte: number): void;
}

/** True for the bytes of Linux's iscntrl. */
export function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

/** Letters of Latin-1 as Linux's ctype.h knows them. */
export function isLower(c: number): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0xdf && c !== 0xf7);
}
export function isUpper(c: number): boolean {
  return (c >= 0x41 && c <= 0x5a) || (c >= 0xc0 && c <= 0xde && c !== 0xd7);
}

export class OutputProcessor {
  column = 0;
  canonColumn = 0;

  constructor(private readonly termios: Termios, private readonly device: OutputDevice) {}

  get processes(): boolean {
    return (this.termios.oflag & OPOST) !== 0;
  }

  /** Puts out one byte with OPOST's rules (or as it is). False when there was no room: nothing was done. */
  put(c: number): boolean {
    const room = this.device.outputRoom();
    if (room <= 0) return false;
    const oflag = this.termios.oflag;
    if ((oflag & OPOST) === 0) {
      this.device.emit(c);
      return true;
    }
    switch (c) {
      case 10:
        if ((oflag & ONLRET) !== 0) this.column = 0;
        if ((oflag & ONLCR) !== 0) {
          if (room < 2) return false;
          this.canonColumn = this.column = 0;
          this.device.emit(13);
          break;
        }
        this.canonColumn = this.column;
        break;
      case 13:
        if ((oflag & ONOCR) !== 0 && this.column === 0) return true;
        if ((oflag & OCRNL) !== 0) {
          c = 10;
          if ((oflag & ONLRET) !== 0) this.canonColumn = this.column = 0;
          break;
        }
        this.canonColumn = this.column = 0;
        break;
      case 9: {
        const spaces = 8 - (this.column & 7);
        if ((oflag & TABDLY) === XTABS) {
          if (room < spaces) return false;
          this.column += spaces;
          for (let i = 0; i < spaces; i++) this.device.emit(32);
          return true;
        }
        this.column += spaces;
        break;
      }
      case 8:
        if (this.column > 0) this.column--;
        break;
      default:
        if (!isControl(c)) {
          if ((oflag & OLCUC) !== 0 && isLower(c)) c -= 32;
          if (!this.isContinuation(c)) this.column++;
        }
    }
    this.device.emit(c);
    return true;
  }

  /** Puts out src[start..end) while there is room; returns how many bytes were taken. */
  write(src: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.put(src[at])) at++;
    return at - start;
  }

  /** A later byte of a UTF-8 sequence, which takes no column. */
  isContinuation(c: number): boolean {
    return (this.termios.iflag & IUTF8) !== 0 && (c & 0xc0) === 0x80;
  }
}
