/** Reading from a line discipline's buffer (Linux: canon_copy_from_read_buf, copy_from_read_buf). */
import { EAGAIN } from "../../../platform/abi/errno.ts";
import type { IoDst } from "../../vfs/io.ts";
import { DISABLED_CHAR, type LineDiscipline } from "./line_discipline.ts";

/** Reads from one line, or a part of it; 0 for a VEOF. -EAGAIN when no line is complete. */
export function readLine(l: LineDiscipline, dst: IoDst): number {
  const available = l.canonHead - l.tail;
  if (available === 0) return -EAGAIN;
  const mask = l.buf.length - 1;
  const end = l.tail + Math.min(available, dst.remaining);
  let eol = l.tail;
  while (eol < end && l.lineEnds[eol & mask] === 0) eol++;
  const found = eol < end;
  const isEof = found && l.buf[eol & mask] === DISABLED_CHAR;
  const n = copyOut(l, dst, eol - l.tail + (found && !isEof ? 1 : 0));
  if (n < 0) return n;
  if (found && n === eol - l.tail + (isEof ? 0 : 1)) {
    l.lineEnds[eol & mask] = 0;
    l.tail = eol + 1;
    return n;
  }
  l.tail += n;
  // The buffer was filled up to a VEOF: it must not read as an end of file next time.
  if (
    n > 0 && l.tail !== l.canonHead && l.lineEnds[l.tail & mask] === 1 &&
    l.buf[l.tail & mask] === DISABLED_CHAR
  ) {
    l.lineEnds[l.tail & mask] = 0;
    l.tail++;
  }
  return n;
}

/** Reads what there is, whatever the lines. */
export function readRaw(l: LineDiscipline, dst: IoDst): number {
  const n = copyOut(l, dst, Math.min(l.head - l.tail, dst.remaining));
  if (n > 0) {
    l.tail += n;
    if (l.canonHead < l.tail) l.canonHead = l.tail;
  }
  return n;
}

/** Copies `n` bytes from the tail on, which it leaves. */
function copyOut(l: LineDiscipline, dst: IoDst, n: number): number {
  const start = l.tail & (l.buf.length - 1);
  const first = Math.min(n, l.buf.length - start);
  if (n === 0) return 0;
  const put = dst.put(l.buf, start, start + first);
  if (put < first || first === n) return put;
  const more = dst.put(l.buf, 0, n - first);
  return more < 0 ? put : put + more;
}
