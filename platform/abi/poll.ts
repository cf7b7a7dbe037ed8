/**
 * poll(2) and select(2) (asm/poll.h, linux/posix_types.h).
 */

// Events
export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLRDBAND = 0x80;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLREMOVE = 0x1000;
export const POLLRDHUP = 0x2000;
export const POLLFREE = 0x4000;

export const FD_SETSIZE = 1024;

/** struct pollfd. */
export const POLLFD_SIZE = 8;
export const POLLFD_OFF_FD = 0;
export const POLLFD_OFF_EVENTS = 4;
export const POLLFD_OFF_REVENTS = 6;

export interface Pollfd {
  fd: number;
  events: number;
  revents: number;
}

export function putPollfd(
  v: DataView,
  off: number,
  fd: number,
  events: number,
  revents: number,
): void {
  v.setInt32(off + POLLFD_OFF_FD, fd, true);
  v.setInt16(off + POLLFD_OFF_EVENTS, events, true);
  v.setInt16(off + POLLFD_OFF_REVENTS, revents, true);
}

export function getPollfd(v: DataView, off: number): Pollfd {
  return {
    fd: v.getInt32(off + POLLFD_OFF_FD, true),
    events: v.getInt16(off + POLLFD_OFF_EVENTS, true),
    revents: v.getInt16(off + POLLFD_OFF_REVENTS, true),
  };
}

/** select(2)'s set: one bit per descriptor. */
export const FD_SET_SIZE = 128;
