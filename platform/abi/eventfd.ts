/**
 * eventfd(2) flags (linux/eventfd.h).
 */

export const EFD_SEMAPHORE = 0o1;
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

export const EVENTFD_SIZE = 8;
/** The counter's highest value, 2^64 - 2, in halves. */
export const EVENTFD_MAX_LO = 0xfffffffe;
export const EVENTFD_MAX_HI = 0xffffffff;
