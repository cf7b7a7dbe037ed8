/**
 * personality(2) (linux/personality.h).
 */

export const UNAME26 = 0x20000;
export const ADDR_NO_RANDOMIZE = 0x40000;
export const ADDR_COMPAT_LAYOUT = 0x200000;
export const ADDR_LIMIT_32BIT = 0x800000;
export const ADDR_LIMIT_3GB = 0x8000000;
export const FDPIC_FUNCPTRS = 0x80000;
export const MMAP_PAGE_ZERO = 0x100000;
export const READ_IMPLIES_EXEC = 0x400000;
export const SHORT_INODE = 0x1000000;
export const WHOLE_SECONDS = 0x2000000;
export const STICKY_TIMEOUTS = 0x4000000;

export const PER_CLEAR_ON_SETID = 0x740000;
export const PER_LINUX = 0x0;
export const PER_LINUX_32BIT = 0x800000;
export const PER_LINUX_FDPIC = 0x80000;
export const PER_SVR4 = 0x4100001;
export const PER_SVR3 = 0x5000002;
export const PER_SCOSVR3 = 0x7000003;
export const PER_OSR5 = 0x6000003;
export const PER_WYSEV386 = 0x5000004;
export const PER_ISCR4 = 0x4000005;
export const PER_BSD = 0x6;
export const PER_SUNOS = 0x4000006;
export const PER_XENIX = 0x5000007;
export const PER_LINUX32 = 0x8;
export const PER_LINUX32_3GB = 0x8000008;
export const PER_IRIX32 = 0x4000009;
export const PER_IRIXN32 = 0x400000a;
export const PER_IRIX64 = 0x400000b;
export const PER_RISCOS = 0xc;
export const PER_SOLARIS = 0x400000d;
export const PER_UW7 = 0x410000e;
export const PER_OSF4 = 0xf;
export const PER_HPUX = 0x10;
export const PER_MASK = 0xff;
