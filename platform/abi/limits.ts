/**
 * Limits a guest can meet (linux/limits.h); the last group is fixed in the kernel's sources.
 */

export const NR_OPEN = 1024;
export const NGROUPS_MAX = 65536;
export const ARG_MAX = 131072;
export const LINK_MAX = 127;
export const MAX_CANON = 255;
export const MAX_INPUT = 255;
export const NAME_MAX = 255;
export const PATH_MAX = 4096;
export const PIPE_BUF = 4096;
export const RTSIG_MAX = 32;

export const IOV_MAX = 1024;
export const MAX_SYMLINKS = 40;
export const MAX_ARG_STRLEN = 131072;
export const MAX_ARG_STRINGS = 2147483647;
export const MAX_RW_COUNT = 2147479552;
/** Where the largest file ends, as nearly as a number can be: the largest loff_t is one less. */
export const OFFSET_END = 2 ** 63;
export const PIPE_DEF_SIZE = 65536;
export const PIPE_MAX_SIZE = 1048576;
export const TASK_COMM_LEN = 16;
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const PID_MAX_DEFAULT = 32768;
export const USER_HZ = 100;
export const BINPRM_BUF_SIZE = 256;

/** First address a guest cannot map: 47 bits less a guard page. */
export const TASK_SIZE_MAX = 0x7ffffffff000;
