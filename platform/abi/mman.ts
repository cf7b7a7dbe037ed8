/**
 * Memory mappings (linux/mman.h): mmap(2), mprotect(2), madvise(2), mremap(2), memfd_create(2).
 */

// Protection
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const PROT_SEM = 8;
export const PROT_NONE = 0;
export const PROT_GROWSDOWN = 0x1000000;
export const PROT_GROWSUP = 0x2000000;

// mmap(2) flags
export const MAP_32BIT = 0x40;
export const MAP_TYPE = 0xf;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_POPULATE = 0x8000;
export const MAP_NONBLOCK = 0x10000;
export const MAP_STACK = 0x20000;
export const MAP_HUGETLB = 0x40000;
export const MAP_SYNC = 0x80000;
export const MAP_FIXED_NOREPLACE = 0x100000;
export const MAP_UNINITIALIZED = 0x4000000;
export const MAP_FILE = 0x0;
export const MAP_GROWSDOWN = 0x100;
export const MAP_DENYWRITE = 0x800;
export const MAP_EXECUTABLE = 0x1000;
export const MAP_LOCKED = 0x2000;
export const MAP_NORESERVE = 0x4000;
export const MAP_SHARED = 0x1;
export const MAP_PRIVATE = 0x2;
export const MAP_SHARED_VALIDATE = 0x3;
export const MAP_HUGE_SHIFT = 26;
export const MAP_HUGE_MASK = 0x3f;
export const MAP_HUGE_16KB = 0x38000000;
export const MAP_HUGE_64KB = 0x40000000;
export const MAP_HUGE_512KB = 0x4c000000;
export const MAP_HUGE_1MB = 0x50000000;
export const MAP_HUGE_2MB = 0x54000000;
export const MAP_HUGE_8MB = 0x5c000000;
export const MAP_HUGE_16MB = 0x60000000;
export const MAP_HUGE_32MB = 0x64000000;
export const MAP_HUGE_256MB = 0x70000000;
export const MAP_HUGE_512MB = 0x74000000;
export const MAP_HUGE_1GB = 0x78000000;
export const MAP_HUGE_2GB = 0x7c000000;
export const MAP_HUGE_16GB = 0x88000000;
export const MAP_DROPPABLE = 0x8;
export const MAP_ABOVE4G = 0x80;

// madvise(2)
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_HWPOISON = 100;
export const MADV_SOFT_OFFLINE = 101;
export const MADV_MERGEABLE = 12;
export const MADV_UNMERGEABLE = 13;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_DONTDUMP = 16;
export const MADV_DODUMP = 17;
export const MADV_WIPEONFORK = 18;
export const MADV_KEEPONFORK = 19;
export const MADV_COLD = 20;
export const MADV_PAGEOUT = 21;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;
export const MADV_DONTNEED_LOCKED = 24;
export const MADV_COLLAPSE = 25;
export const MADV_GUARD_INSTALL = 102;
export const MADV_GUARD_REMOVE = 103;

// mremap(2)
export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

// mlock(2), mlockall(2)
export const MLOCK_ONFAULT = 1;
export const MCL_CURRENT = 1;
export const MCL_FUTURE = 2;
export const MCL_ONFAULT = 4;

// msync(2)
export const MS_ASYNC = 1;
export const MS_INVALIDATE = 2;
export const MS_SYNC = 4;

// memfd_create(2)
export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const MFD_HUGETLB = 0x4;
export const MFD_HUGE_SHIFT = 26;
export const MFD_HUGE_MASK = 0x3f;
export const MFD_HUGE_64KB = 0x40000000;
export const MFD_HUGE_512KB = 0x4c000000;
export const MFD_HUGE_1MB = 0x50000000;
export const MFD_HUGE_2MB = 0x54000000;
export const MFD_HUGE_8MB = 0x5c000000;
export const MFD_HUGE_16MB = 0x60000000;
export const MFD_HUGE_32MB = 0x64000000;
export const MFD_HUGE_256MB = 0x70000000;
export const MFD_HUGE_512MB = 0x74000000;
export const MFD_HUGE_1GB = 0x78000000;
export const MFD_HUGE_2GB = 0x7c000000;
export const MFD_HUGE_16GB = 0x88000000;
export const MFD_NOEXEC_SEAL = 0x8;
export const MFD_EXEC = 0x10;

// Protection keys
export const PKEY_DISABLE_ACCESS = 1;
export const PKEY_DISABLE_WRITE = 2;
export const PKEY_ACCESS_MASK = 3;

// Overcommit policy
export const OVERCOMMIT_GUESS = 0;
export const OVERCOMMIT_ALWAYS = 1;
export const OVERCOMMIT_NEVER = 2;
