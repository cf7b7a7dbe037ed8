/**
 * pidfd_open(2), pidfd_send_signal(2), ioctl(2) of a pidfd (linux/pidfd.h).
 */

export const PIDFD_NONBLOCK = 0o4000;
export const PIDFD_THREAD = 0o200;
/** Instead of a pidfd: the calling thread, the calling process. */
export const PIDFD_SELF_THREAD = -10000;
export const PIDFD_SELF_THREAD_GROUP = -10001;
export const PIDFD_SIGNAL_THREAD = 0o1;
export const PIDFD_SIGNAL_THREAD_GROUP = 0o2;
export const PIDFD_SIGNAL_PROCESS_GROUP = 0o4;

/** _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info), without the size. */
export const PIDFD_GET_INFO_COMMAND = 0xff0b;
export const PIDFD_INFO_PID = 1;
export const PIDFD_INFO_CREDS = 2;
export const PIDFD_INFO_CGROUPID = 4;
export const PIDFD_INFO_EXIT = 8;
/** struct pidfd_info as of Linux 6.13, and with all that came later. */
export const PIDFD_INFO_SIZE_VER0 = 64;
export const PIDFD_INFO_SIZE = 72;
