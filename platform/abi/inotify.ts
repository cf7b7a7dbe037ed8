/**
 * inotify(7) (linux/inotify.h).
 */

export const IN_ACCESS = 0x1;
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_CLOSE_WRITE = 0x8;
export const IN_CLOSE_NOWRITE = 0x10;
export const IN_OPEN = 0x20;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_UNMOUNT = 0x2000;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_CLOSE = 0x18;
export const IN_MOVE = 0xc0;
export const IN_ONLYDIR = 0x1000000;
export const IN_DONT_FOLLOW = 0x2000000;
export const IN_EXCL_UNLINK = 0x4000000;
export const IN_MASK_CREATE = 0x10000000;
export const IN_MASK_ADD = 0x20000000;
export const IN_ISDIR = 0x40000000;
export const IN_ONESHOT = 0x80000000;
export const IN_ALL_EVENTS = 0xfff;
export const IN_CLOEXEC = 0x80000;
export const IN_NONBLOCK = 0x800;

/** struct inotify_event; a name of `len` bytes follows. */
export const INOTIFY_EVENT_SIZE = 16;
export const INOTIFY_EVENT_OFF_WD = 0;
export const INOTIFY_EVENT_OFF_MASK = 4;
export const INOTIFY_EVENT_OFF_COOKIE = 8;
export const INOTIFY_EVENT_OFF_LEN = 12;

export interface InotifyEvent {
  wd: number;
  mask: number;
  cookie: number;
  len: number;
}

export function putInotifyEvent(
  v: DataView,
  off: number,
  wd: number,
  mask: number,
  cookie: number,
  len: number,
): void {
  v.setInt32(off + INOTIFY_EVENT_OFF_WD, wd, true);
  v.setUint32(off + INOTIFY_EVENT_OFF_MASK, mask, true);
  v.setUint32(off + INOTIFY_EVENT_OFF_COOKIE, cookie, true);
  v.setUint32(off + INOTIFY_EVENT_OFF_LEN, len, true);
}

export function getInotifyEvent(v: DataView, off: number): InotifyEvent {
  return {
    wd: v.getInt32(off + INOTIFY_EVENT_OFF_WD, true),
    mask: v.getUint32(off + INOTIFY_EVENT_OFF_MASK, true),
    cookie: v.getUint32(off + INOTIFY_EVENT_OFF_COOKIE, true),
    len: v.getUint32(off + INOTIFY_EVENT_OFF_LEN, true),
  };
}
