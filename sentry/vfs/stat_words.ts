/** struct stat of an inode, written without an object in between. */
import {
  STAT_OFF_ATIME_NSEC,
  STAT_OFF_ATIME_SEC,
  STAT_OFF_BLKSIZE,
  STAT_OFF_BLOCKS,
  STAT_OFF_CTIME_NSEC,
  STAT_OFF_CTIME_SEC,
  STAT_OFF_DEV,
  STAT_OFF_GID,
  STAT_OFF_INO,
  STAT_OFF_MODE,
  STAT_OFF_MTIME_NSEC,
  STAT_OFF_MTIME_SEC,
  STAT_OFF_NLINK,
  STAT_OFF_RDEV,
  STAT_OFF_SIZE,
  STAT_OFF_UID,
  STAT_SIZE,
} from "../../platform/abi/stat.ts";
import type { Inode } from "./inode.ts";

const TWO_32 = 0x1_0000_0000;

/** struct stat of an inode, from the word `at` on: putStat without an object in between. */
export function putInodeStat(w: Int32Array, at: number, inode: Inode): void {
  w.fill(0, at, at + STAT_SIZE / 4);
  w[at + STAT_OFF_DEV / 4] = inode.fs.dev;
  putWords(w, at + STAT_OFF_INO / 4, inode.ino);
  w[at + STAT_OFF_NLINK / 4] = inode.nlink;
  w[at + STAT_OFF_MODE / 4] = inode.mode;
  w[at + STAT_OFF_UID / 4] = inode.uid;
  w[at + STAT_OFF_GID / 4] = inode.gid;
  putWords(w, at + STAT_OFF_RDEV / 4, inode.rdev);
  putWords(w, at + STAT_OFF_SIZE / 4, inode.size);
  w[at + STAT_OFF_BLKSIZE / 4] = inode.blksize;
  putWords(w, at + STAT_OFF_BLOCKS / 4, inode.blocks);
  putWords(w, at + STAT_OFF_ATIME_SEC / 4, inode.atimeSec);
  w[at + STAT_OFF_ATIME_NSEC / 4] = inode.atimeNsec;
  putWords(w, at + STAT_OFF_MTIME_SEC / 4, inode.mtimeSec);
  w[at + STAT_OFF_MTIME_NSEC / 4] = inode.mtimeNsec;
  putWords(w, at + STAT_OFF_CTIME_SEC / 4, inode.ctimeSec);
  w[at + STAT_OFF_CTIME_NSEC / 4] = inode.ctimeNsec;
}

/** Whether `putInodeStat` of this inode, or of another with the same numbers, wrote what is there. */
export function isStatOf(w: Int32Array, at: number, inode: Inode): boolean {
  const ino = at + STAT_OFF_INO / 4;
  return w[at + STAT_OFF_DEV / 4] === inode.fs.dev && w[ino] === (inode.ino | 0) &&
    w[ino + 1] === (Math.floor(inode.ino / TWO_32) | 0);
}

/** A whole number in 64 bits. */
function putWords(w: Int32Array, at: number, n: number): void {
  w[at] = n;
  if (n < 0 || n >= TWO_32) w[at + 1] = Math.floor(n / TWO_32);
}
