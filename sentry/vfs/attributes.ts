/** Attribute changes and file times, shared by file systems whose inodes live in the Sentry. */
import { O_NOATIME } from "../../platform/abi/fcntl.ts";
import { MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_STRICTATIME } from "../../platform/abi/mount.ts";
import { clock, readClock } from "./clock.ts";
import type { FileDescription } from "./file.ts";
import { ATTR_ATIME, ATTR_GID, ATTR_MODE, ATTR_MTIME, ATTR_UID } from "./inode.ts";
import type { Attributes, Inode } from "./inode.ts";
import { modeChanged } from "./inode_acls.ts";
import type { Mount } from "./mount.ts";
import { forgetAttributes } from "./path_answers.ts";

const DAY_SEC = 86_400;

/** Stores what `attr` says, but ATTR_SIZE, into the inode, and sets ctime. */
export function applyAttributes(inode: Inode, attr: Attributes): void {
  const mask = attr.mask;
  if ((mask & ATTR_MODE) !== 0) {
    inode.mode = (inode.mode & ~0o7777) | (attr.mode & 0o7777);
    modeChanged(inode);
  }
  if ((mask & ATTR_UID) !== 0) inode.uid = attr.uid;
  if ((mask & ATTR_GID) !== 0) inode.gid = attr.gid;
  if ((mask & ATTR_ATIME) !== 0) {
    inode.atimeSec = attr.atimeSec;
    inode.atimeNsec = attr.atimeNsec;
  }
  if ((mask & ATTR_MTIME) !== 0) {
    inode.mtimeSec = attr.mtimeSec;
    inode.mtimeNsec = attr.mtimeNsec;
  }
  touchChange(inode);
}

/** ctime becomes now. */
export function touchChange(inode: Inode): void {
  const now = readClock();
  inode.ctimeSec = now.sec;
  inode.ctimeNsec = now.nsec;
}

/** mtime and ctime become now: the data or the entries changed. */
export function touchModify(inode: Inode): void {
  const now = readClock();
  inode.mtimeSec = inode.ctimeSec = now.sec;
  inode.mtimeNsec = inode.ctimeNsec = now.nsec;
}

/** Whether a read through `mount` shall set atime (relatime, noatime …; mount(2)). */
function wantsAtime(inode: Inode, mount: Mount): boolean {
  const flags = mount.flags;
  if ((flags & (MS_NOATIME | MS_RDONLY)) !== 0) return false;
  if ((flags & MS_NODIRATIME) !== 0 && (inode.mode & 0o170000) === 0o040000) return false;
  if ((flags & MS_STRICTATIME) !== 0) return true;
  const s = inode.atimeSec, ns = inode.atimeNsec;
  return s < inode.mtimeSec || (s === inode.mtimeSec && ns <= inode.mtimeNsec) ||
    s < inode.ctimeSec || (s === inode.ctimeSec && ns <= inode.ctimeNsec) ||
    clock.sec - s >= DAY_SEC; // The last reading is near enough.
}

/** The file was read: atime becomes now if the mount and O_NOATIME let it. */
export function touchAccess(f: FileDescription): void {
  if ((f.flags & O_NOATIME) === 0) touchAccessed(f.inode, f.mount);
}

/** The same of an inode that was read without an open file: a symbolic link. */
export function touchAccessed(inode: Inode, mount: Mount): void {
  if (!wantsAtime(inode, mount)) return;
  forgetAttributes(inode);
  const now = readClock();
  inode.atimeSec = now.sec;
  inode.atimeNsec = now.nsec;
  inode.timesChanged();
}

/** Something went into a pipe or FIFO: mtime and ctime become now. */
export function touchFed(inode: Inode): void {
  forgetAttributes(inode);
  touchModify(inode);
  inode.timesChanged();
}
