/**
 * Reads and writes of many MiB of a regular file: piece by piece, in turns with all others. As on Linux others may see
 * such a write half done. Appending is not among them: nothing may come in between.
 */
import { S_IFMT, S_IFREG } from "../../platform/abi/stat.ts";
import type { Task } from "../kernel/task.ts";
import { Turn } from "../kernel/turn.ts";
import type { UserDst, UserSrc } from "../mm/usermem.ts";
import type { FileDescription } from "../vfs/file.ts";

/** A piece takes some milliseconds at most. */
const PIECE = 1 << 20;
/** What is no longer than this is moved at once. */
const SHORT = 4 * PIECE;

/** Whether `length` bytes of `file` should be moved in pieces. */
export function isLong(file: FileDescription, length: number): boolean {
  return length > SHORT && (file.inode.mode & S_IFMT) === S_IFREG;
}

/** read(2) and its kin; `offset` below 0: the file's own. */
export function readInPieces(
  t: Task,
  file: FileDescription,
  dst: UserDst,
  offset: number,
): Promise<number> {
  const expected = Math.max(0, Math.min(dst.remaining, file.inode.size - file.offset));
  return inPieces(t, file, dst, offset, expected, (at) => file.impl.read(file, dst, at));
}

/** write(2) and its kin to where they say, not to the end; `offset` below 0: the file's own. */
export function writeInPieces(
  t: Task,
  file: FileDescription,
  src: UserSrc,
  offset: number,
): Promise<number> {
  return inPieces(t, file, src, offset, src.remaining, (at) => file.impl.write(file, src, at));
}

/**
 * Moves all of `user` by `move`, until a piece is not moved whole or the task is killed. The file's own offset is
 * where the call is expected to leave it from the beginning on, so that other calls go on behind it (Linux: f_pos_lock).
 */
async function inPieces(
  t: Task,
  file: FileDescription,
  user: UserDst | UserSrc,
  offset: number,
  expected: number,
  move: (at: number) => number | Promise<number>,
): Promise<number> {
  const start = offset < 0 ? file.offset : offset;
  const from = offset < 0 ? file.ownOffset : offset;
  const expectedEnd = start + expected;
  if (offset < 0) file.offset = expectedEnd;
  file.acquire();
  try {
    const n = await movePieces(t, user, (moved) => move(from < 0 ? from : from + moved));
    if (offset < 0 && file.offset === expectedEnd) file.offset = start + Math.max(n, 0);
    return n;
  } finally {
    file.release();
  }
}

async function movePieces(
  t: Task,
  user: UserDst | UserSrc,
  move: (moved: number) => number | Promise<number>,
): Promise<number> {
  const turn = new Turn(t);
  let moved = 0;
  while (user.remaining > 0) {
    if (turn.isOver && !await turn.next()) break;
    const left = user.remaining;
    const wanted = Math.min(left, PIECE);
    user.limit(wanted);
    const tried = move(moved);
    const n = typeof tried === "number" ? tried : await t.blocking.awaitHost(tried);
    if (n < 0) return moved > 0 ? moved : n;
    moved += n;
    if (n < wanted) break;
    user.extend(left - wanted);
  }
  return moved;
}
