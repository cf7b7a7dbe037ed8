/**
 * pidfd_open(2), pidfd_send_signal(2) flags (linux/pidfd.h).
 */

export const PIDFD_NONBLOCK = 0o4000;
export const PIDFD_THREAD = 0o200;
export const PIDFD_SIGNAL_THREAD = 0o1;
export const PIDFD_SIGNAL_THREAD_GROUP = 0o2;
export const PIDFD_SIGNAL_PROCESS_GROUP = 0o4;
