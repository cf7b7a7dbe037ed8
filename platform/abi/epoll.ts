/**
 * Event polling (linux/eventpoll.h): epoll(7). The data word is opaque: two halves.
 */

// epoll_create1(2)
export const EPOLL_CLOEXEC = 0o2000000;

// epoll_ctl(2)
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;

// Events
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLNVAL = 0x20;
export const EPOLLRDNORM = 0x40;
export const EPOLLRDBAND = 0x80;
export const EPOLLWRNORM = 0x100;
export const EPOLLWRBAND = 0x200;
export const EPOLLMSG = 0x400;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLWAKEUP = 0x20000000;
export const EPOLLONESHOT = 0x40000000;
export const EPOLLET = 0x80000000;

// ioctl(2) of an epoll instance
export const EPIOCSPARAMS = 0x4008_8a01;
export const EPIOCGPARAMS = 0x8008_8a02;

/** struct epoll_event, packed on x86-64. */
export const EPOLL_EVENT_SIZE = 12;
export const EPOLL_EVENT_OFF_EVENTS = 0;
export const EPOLL_EVENT_OFF_DATA = 4;

export interface EpollEvent {
  events: number;
  dataLo: number;
  dataHi: number;
}

export function putEpollEvent(
  v: DataView,
  off: number,
  events: number,
  dataLo: number,
  dataHi: number,
): void {
  v.setUint32(off + EPOLL_EVENT_OFF_EVENTS, events, true);
  v.setUint32(off + EPOLL_EVENT_OFF_DATA, dataLo, true);
  v.setUint32(off + EPOLL_EVENT_OFF_DATA + 4, dataHi, true);
}

export function getEpollEvent(v: DataView, off: number): EpollEvent {
  return {
    events: v.getUint32(off + EPOLL_EVENT_OFF_EVENTS, true),
    dataLo: v.getUint32(off + EPOLL_EVENT_OFF_DATA, true),
    dataHi: v.getUint32(off + EPOLL_EVENT_OFF_DATA + 4, true),
  };
}
