/**
 * Echo of input. Operations are queued and run in order at the end of each batch of input: a signal
 * character later in the batch drops them, ^S holds them back (Linux: echo_buf, process_echoes).
 */
import { ECHOCTL, type Termios } from "../../../platform/abi/termios.ts";
import { isControl, type OutputDevice, type OutputProcessor } from "./output.ts";

/** Operations waiting at most; older ones are dropped beyond it, as Linux does. */
const ECHO_LIMIT = 4096;

/** Waiting operations are run early at every multiple of this (Linux: ECHO_COMMIT_WATERMARK). */
const COMMIT_WATERMARK = 256;

// An operation is a byte (0..255), or one of these with an argument below.
const OP_CONTROL = 0x100;
const OP_ERASE_TAB = 0x200;
const OP_SET_CANON_COLUMN = 0x300;
const OP_MOVE_BACK = 0x400;

export class Echo {
  #ops: number[] = [];

  constructor(
    private readonly termios: Termios,
    private readonly device: OutputDevice,
    private readonly output: OutputProcessor,
  ) {}

  /** Echoes a byte; control characters as ^X with ECHOCTL. */
  char(c: number): void {
    if ((this.termios.lflag & ECHOCTL) !== 0 && isControl(c) && c !== 9) this.#add(OP_CONTROL | c);
    else this.#add(c);
  }
  raw(c: number): void {
    this.#add(c);
  }
  setCanonColumn(): void {
    this.#add(OP_SET_CANON_COLUMN);
  }
  moveBackColumn(): void {
    this.#add(OP_MOVE_BACK);
  }
  /** Takes a tab back; `columns` were used since the start of the input or the tab before. */
  eraseTab(columns: number, afterTab: boolean): void {
    this.#add(OP_ERASE_TAB | (columns & 7) | (afterTab ? 0x80 : 0));
  }

  clear(): void {
    this.#ops.length = 0;
  }

  /** Runs what there is room for. */
  flush(): void {
    const ops = this.#ops;
    let done = 0;
    while (done < ops.length && this.#run(ops[done])) done++;
    if (done > 0) ops.splice(0, done);
  }

  #add(op: number): void {
    const ops = this.#ops;
    ops.push(op);
    if (ops.length % COMMIT_WATERMARK === 0) this.flush();
    if (ops.length > ECHO_LIMIT) ops.shift();
  }

  #run(op: number): boolean {
    const out = this.output;
    const room = this.device.outputRoom();
    switch (op & 0xf00) {
      case OP_CONTROL:
        if (room < 2) return false;
        this.device.emit(0x5e);
        this.device.emit((op & 0xff) ^ 0o100);
        out.column += 2;
        return true;
      case OP_ERASE_TAB: {
        let columns = op & 0x7f;
        if ((op & 0x80) === 0) columns += out.canonColumn;
        const back = 8 - (columns & 7);
        if (room < back) return false;
        for (let i = 0; i < back; i++) {
          this.device.emit(8);
          if (out.column > 0) out.column--;
        }
        return true;
      }
      case OP_SET_CANON_COLUMN:
        if (room <= 0) return false;
        out.canonColumn = out.column;
        return true;
      case OP_MOVE_BACK:
        if (room <= 0) return false;
        if (out.column > 0) out.column--;
        return true;
      default:
        // Linux escapes this byte in its queue, and so puts it out as it is.
        if (op === 0xff) {
          if (room <= 0) return false;
          this.device.emit(op);
          out.column++;
          return true;
        }
        return out.put(op);
    }
  }
}
