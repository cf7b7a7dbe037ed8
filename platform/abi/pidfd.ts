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

/** _IO(PIDFS_IOCTL_MAGIC, n). */
export const PIDFD_GET_CGROUP_NAMESPACE = 0xff01;
export const PIDFD_GET_IPC_NAMESPACE = 0xff02;
export const PIDFD_GET_MNT_NAMESPACE = 0xff03;
export const PIDFD_GET_NET_NAMESPACE = 0xff04;
export const PIDFD_GET_PID_NAMESPACE = 0xff05;
export const PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE = 0xff06;
export const PIDFD_GET_TIME_NAMESPACE = 0xff07;
export const PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE = 0xff08;
export const PIDFD_GET_USER_NAMESPACE = 0xff09;
export const PIDFD_GET_UTS_NAMESPACE = 0xff0a;
/** _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info), without the size. */
export const PIDFD_GET_INFO_COMMAND = 0xff0b;
export const PIDFD_INFO_PID = 1;
export const PIDFD_INFO_CREDS = 2;
export const PIDFD_INFO_CGROUPID = 4;
export const PIDFD_INFO_EXIT = 8;
/** struct pidfd_info as of Linux 6.13, and with all that came later. */
export const PIDFD_INFO_SIZE_VER0 = 64;
export const PIDFD_INFO_SIZE = 72;
