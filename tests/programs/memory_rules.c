// build: -static
/* What is agreed about mappings beyond their protection: locks, seals, growth, nonlinear files. */
#include "check.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#define MDWE_REFUSE 1
#define MDWE_NO_INHERIT 2

static char *anonymous(int pages) {
  char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static int present(char *at, int pages) {
  unsigned char vec[64];
  int count = 0;
  OK(mincore(at, pages * PAGE, vec));
  for (int i = 0; i < pages; i++) count += vec[i] & 1;
  return count;
}

static long locked_kb(void) {
  long kb = -1;
  char *line = strstr(read_file("/proc/self/status"), "VmLck:");
  CHECK(line != NULL);
  EQUAL(sscanf(line, "VmLck: %ld", &kb), 1);
  return kb;
}

TEST(lock, "locked pages are present, and counted once however often they are locked") {
  char *at = anonymous(8);
  EQUAL(present(at, 8), 0);
  OK(mlock(at + PAGE + 5, PAGE)); /* Two pages have a byte of it. */
  EQUAL(present(at, 8), 2);
  EQUAL(locked_kb(), 8);
  OK(mlock(at, 3 * PAGE));
  EQUAL(locked_kb(), 12);
  OK(munlock(at + PAGE, PAGE));
  EQUAL(locked_kb(), 8);
  IN_CHILD(pid, EQUAL(locked_kb(), 0));
  join(pid);
  OK(munmap(at, 8 * PAGE));
  EQUAL(locked_kb(), 0);
}

TEST(lock_on_fault, "MLOCK_ONFAULT counts at once and brings no page") {
  char *at = anonymous(4);
  at[0] = 1;
  OK(mlock2(at, 4 * PAGE, MLOCK_ONFAULT));
  EQUAL(present(at, 4), 1);
  EQUAL(locked_kb(), 16);
  OK(mlock2(at, 4 * PAGE, 0));
  EQUAL(present(at, 4), 4);
  EQUAL(locked_kb(), 16);
  FAILS(mlock2(at, PAGE, 8), EINVAL);
}

TEST(lock_new, "MAP_LOCKED and MCL_FUTURE lock what is mapped then") {
  char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
  CHECK(at != MAP_FAILED);
  EQUAL(present(at, 4), 4);
  EQUAL(locked_kb(), 16);
  OK(mlockall(MCL_FUTURE));
  EQUAL(locked_kb(), 16);
  char *later = anonymous(2);
  EQUAL(present(later, 2), 2);
  EQUAL(locked_kb(), 24);
  OK(munlockall());
  EQUAL(locked_kb(), 0);
  FAILS(mlockall(0), EINVAL);
  FAILS(mlockall(MCL_ONFAULT), EINVAL);
}

TEST(lock_limit, "RLIMIT_MEMLOCK bounds who may not lock without bound") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  char *at = anonymous(4);
  OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){2 * PAGE, 2 * PAGE}));
  IN_CHILD(pid, {
    OK(setresuid(65534, 65534, 65534));
    OK(mlock(at, 2 * PAGE));
    OK(mlock(at, 2 * PAGE));
    FAILS(mlock(at + 2 * PAGE, PAGE), ENOMEM);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED);
    EQUAL(errno, EAGAIN);
    OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}));
    FAILS(mlock(at, PAGE), EPERM);
  });
  join(pid);
}

TEST(lock_refuses, "locked memory is neither invalidated nor thrown away") {
  char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  at[0] = 7;
  OK(mlock(at, PAGE));
  FAILS(msync(at, 2 * PAGE, MS_INVALIDATE), EBUSY);
  FAILS(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
  OK(madvise(at + PAGE, PAGE, MADV_DONTNEED));
  FAILS(mlock(at, 3 * PAGE + (1 << 30)), ENOMEM);
  FAILS(msync(at + PAGE, PAGE, MS_INVALIDATE), EBUSY); /* What lies before the hole is locked. */
  OK(munlock(at, 2 * PAGE));
  OK(msync(at, 2 * PAGE, MS_INVALIDATE));
  EQUAL(at[0], 7);
}

TEST(lock_nowhere, "addresses that no program has cannot be locked, and a length that wraps is none") {
  char *far[] = {(char *)0x7ffffffffffff000, (char *)0xffffffff80000000, (char *)0x800000000000};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    FAILS(mlock(far[i], 8), ENOMEM);
    FAILS(munlock(far[i], 8), ENOMEM);
    FAILS(mlock2(far[i], 8, MLOCK_ONFAULT), ENOMEM);
  }
  FAILS(mlock((char *)-PAGE, 8), EINVAL);
  OK(mlock((char *)PAGE, -1));
  OK(munlock((char *)PAGE, -1));
}

TEST(seal, "a sealed mapping keeps its place, its protection and its contents") {
  char *at = anonymous(4);
  FAILS(syscall(SYS_mseal, at, PAGE, 1), EINVAL);
  FAILS(syscall(SYS_mseal, at + 1, PAGE, 0), EINVAL);
  OK(mprotect(at, PAGE, PROT_READ));
  OK(syscall(SYS_mseal, at, 2 * PAGE, 0));
  OK(syscall(SYS_mseal, at, 2 * PAGE, 0));
  FAILS(munmap(at + PAGE, PAGE), EPERM);
  FAILS(munmap(at, 4 * PAGE), EPERM);
  FAILS(mprotect(at, PAGE, PROT_NONE), EPERM);
  FAILS(madvise(at, PAGE, MADV_DONTNEED), EPERM);
  OK(madvise(at + PAGE, PAGE, MADV_DONTNEED)); /* Its owner could write it. */
  CHECK(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
  EQUAL(errno, EPERM);
  CHECK(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
  EQUAL(errno, EPERM);
  OK(munmap(at + 2 * PAGE, PAGE));
  FAILS(syscall(SYS_mseal, at + PAGE, 2 * PAGE, 0), ENOMEM);
  IN_CHILD(pid, FAILS(munmap(at, PAGE), EPERM));
  join(pid);
}

TEST(shrink_across, "mremap cuts off what lies behind, across mappings") {
  char *at = anonymous(4);
  OK(mprotect(at + 2 * PAGE, PAGE, PROT_READ));
  CHECK(mremap(at, 4 * PAGE, PAGE, 0) == at);
  at[0] = 1;
  FAILS(mincore(at + PAGE, PAGE, (unsigned char[1]){0}), ENOMEM);
}

TEST(nonlinear, "remap_file_pages shows other pages of the same file in a place") {
  int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  char page[PAGE];
  for (int i = 0; i < 4; i++) {
    memset(page, 'a' + i, PAGE);
    EQUAL(write(fd, page, PAGE), PAGE);
  }
  volatile char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(at != MAP_FAILED);
  close(fd);
  OK(remap_file_pages((void *)at, 2 * PAGE, 0, 2, 0));
  EQUAL(at[0], 'c');
  EQUAL(at[PAGE], 'd');
  EQUAL(at[2 * PAGE], 'c');
  at[0] = 'x';
  EQUAL(at[2 * PAGE], 'x');
  FAILS(remap_file_pages((void *)at, 2 * PAGE, PROT_READ, 0, 0), EINVAL);
  FAILS(remap_file_pages(anonymous(1), PAGE, 0, 0, 0), EINVAL);
}

/* A MAP_GROWSDOWN page with 300 free pages below it, of which the lowest is mapped if `blocked`. */
static char *growing(int blocked) {
  char *low = anonymous(301);
  OK(munmap(low, 301 * PAGE));
  char *top = mmap(low + 300 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  CHECK(top == low + 300 * PAGE);
  if (blocked)
    CHECK(mmap(low, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == low);
  return top;
}

TEST(grows_down, "a MAP_GROWSDOWN mapping grows to where it is touched") {
  volatile char *top = growing(0);
  top[-3 * PAGE] = 5;
  EQUAL(top[-3 * PAGE], 5);
  EQUAL(top[-PAGE], 0);
  top[-40 * PAGE] = 6;
  EQUAL(present((char *)top - 40 * PAGE, 41), 3);
  CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == MAP_FAILED);
  EQUAL(errno, EINVAL);
}

TEST(guard_gap, "it does not grow close to another mapping") {
  volatile char *top = growing(1);
  top[-2 * PAGE] = 1;
  pid_t pid = OK(fork());
  if (pid == 0) {
    top[-100 * PAGE] = 1; /* Less than 256 pages would remain. */
    _exit(0);
  }
  int status;
  OK(waitpid(pid, &status, 0));
  CHECK(WIFSIGNALED(status));
  EQUAL(WTERMSIG(status), SIGSEGV);
}

TEST(no_write_exec, "PR_SET_MDWE keeps writable memory from execution, for good") {
  FAILS(prctl(PR_SET_MDWE, MDWE_NO_INHERIT, 0, 0, 0), EINVAL);
  SKIP_UNLESS(prctl(PR_SET_MDWE, MDWE_REFUSE, 0, 0, 0) == 0, "the kernel is older than 6.3");
  FAILS(prctl(PR_SET_MDWE, MDWE_REFUSE, 1, 0, 0), EINVAL);
  FAILS(prctl(PR_SET_MDWE, 4, 0, 0, 0), EINVAL);
  FAILS(prctl(PR_SET_MDWE, 0, 0, 0, 0), EPERM);
  EQUAL(prctl(PR_GET_MDWE, 0, 0, 0, 0), MDWE_REFUSE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  FAILS(mmap(NULL, PAGE, PROT_WRITE | PROT_EXEC, flags, -1, 0), EACCES);
  char *at = anonymous(2), *code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, flags, -1, 0);
  CHECK(code != MAP_FAILED);
  FAILS(mprotect(at, PAGE, PROT_READ | PROT_EXEC), EACCES);
  OK(mprotect(at, PAGE, PROT_READ));
  FAILS(mprotect(at, PAGE, PROT_EXEC), EACCES);
  FAILS(mprotect(code, PAGE, PROT_WRITE | PROT_EXEC), EACCES);
  OK(mprotect(code, PAGE, PROT_EXEC));
  IN_CHILD(pid, FAILS(mprotect(at, PAGE, PROT_EXEC), EACCES));
  join(pid);
}

TEST(no_write_exec_alone, "PR_SET_MDWE with PR_MDWE_NO_INHERIT is not for children") {
  SKIP_UNLESS(prctl(PR_SET_MDWE, MDWE_REFUSE | MDWE_NO_INHERIT, 0, 0, 0) == 0, "the kernel is older than 6.6");
  char *at = anonymous(1);
  FAILS(mprotect(at, PAGE, PROT_EXEC), EACCES);
  IN_CHILD(pid, {
    EQUAL(prctl(PR_GET_MDWE, 0, 0, 0, 0), 0);
    OK(mprotect(at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
  });
  join(pid);
}

TEST(own_text, "code that a static program maps reads as it is in the file, also once it has run") {
  static const unsigned char getpid_code[] = {0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90, 0x90};
  char page[PAGE] = "";
  int fd = OK(open("code", O_RDWR | O_CREAT, 0755));
  memcpy(page, getpid_code, sizeof getpid_code);
  EQUAL(write(fd, page, PAGE), PAGE);
  EQUAL(write(fd, page, PAGE), PAGE);
  char *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(file != MAP_FAILED);
  char *text = mmap(file, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
  CHECK(text == file);
  int (*call)(void) = (int (*)(void))text;
  for (int i = 0; i < 100; i++) EQUAL(call(), getpid());
  CHECK(memcmp(text, page, PAGE) == 0);
}

TEST(refused_mappings, "mmap looks at the descriptor first, then at the length, and at the type last") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  size_t page = 4096;
#define MAPS(length, flags, fd, offset) ((long)mmap(NULL, length, PROT_READ, flags, fd, offset))
  FAILS(MAPS(page, 0, 999, 0), EBADF);
  FAILS(MAPS(page, MAP_SHARED, 999, 1), EINVAL);
  FAILS(MAPS(0, 0, fd, 0), EINVAL);
  FAILS(MAPS(-1, 0, fd, 0), ENOMEM);
  FAILS(MAPS(page, 0, fd, -4096), EOVERFLOW);
  FAILS(MAPS(2 * page, MAP_SHARED_VALIDATE | 0x4000000, fd, INT64_MAX - 4095), EOVERFLOW);
  FAILS(MAPS(page, 0, fd, 0), EINVAL);
  FAILS(MAPS(page, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
}

TEST(refused_protections, "mprotect looks at the range before the protection, and nothing grows up") {
  char *at = OK(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  int unknown = 0x100000;
  FAILS(mprotect(at, 4096, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
  FAILS(mprotect(at + 1, 4096, PROT_READ), EINVAL);
  EQUAL(mprotect(at, 0, unknown), 0);
  FAILS(mprotect(at, -4096, unknown), ENOMEM);
  FAILS(mprotect(at, 4096, unknown), EINVAL);
  FAILS(mprotect(at, 4096, PROT_READ | PROT_GROWSUP), EINVAL);
  FAILS(mprotect(at, 4096, PROT_READ | PROT_GROWSDOWN), EINVAL);
  OK(munmap(at, 4096));
  FAILS(mprotect(at, 4096, PROT_READ | PROT_GROWSUP), ENOMEM);
}

/* The flags that smaps shows of the mapping at an address. */
static char *flags_of(char *at) {
  static char flags[256];
  char begin[32];
  snprintf(begin, sizeof begin, "%lx-", (unsigned long)at);
  char *line = strstr(read_file("/proc/self/smaps"), begin);
  CHECK(line != NULL);
  line = strstr(line, "VmFlags:");
  CHECK(line != NULL);
  snprintf(flags, sizeof flags, "%.*s", (int)strcspn(line, "\n"), line);
  return flags;
}

TEST(advice_stops, "advice goes to what lies before a mapping that refuses it, and around holes") {
  char *at = anonymous(6);
  memset(at, 1, 6 * PAGE);
  OK(mlock(at + 2 * PAGE, PAGE));
  FAILS(madvise(at, 6 * PAGE, MADV_DONTNEED), EINVAL);
  EQUAL(at[0] + at[PAGE], 0);
  EQUAL(at[2 * PAGE] + at[3 * PAGE], 2);
  OK(munlock(at, 6 * PAGE));
  OK(munmap(at + 2 * PAGE, PAGE));
  FAILS(madvise(at + PAGE, 5 * PAGE, MADV_DONTNEED), ENOMEM);
  EQUAL(at[3 * PAGE], 0);
  FAILS(madvise((void *)-PAGE, PAGE, MADV_DONTNEED), EINVAL);
  FAILS(madvise(at, PAGE, MADV_REMOVE), EINVAL);
  int fd = OK(open("file", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, PAGE));
  char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  FAILS(madvise(private, PAGE, MADV_REMOVE), EACCES);
  char *zero = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, OK(open("/dev/zero", O_RDWR)), 0);
  OK(madvise(zero, PAGE, MADV_FREE));
}

TEST(shown_flags, "smaps shows what madvise was told, MAP_STACK, and how a shared mapping may be used") {
  char *at = anonymous(3);
  OK(madvise(at, PAGE, MADV_RANDOM));
  CHECK(strstr(flags_of(at), " rr ") != NULL);
  OK(madvise(at, PAGE, MADV_SEQUENTIAL));
  CHECK(strstr(flags_of(at), " rr ") == NULL && strstr(flags_of(at), " sr ") != NULL);
  OK(madvise(at, PAGE, MADV_NORMAL));
  CHECK(strstr(flags_of(at), " sr ") == NULL);
  OK(mlock2(at + PAGE, PAGE, 0));
  OK(munmap(at + 2 * PAGE, PAGE));
  FAILS(mlock(at + PAGE, 2 * PAGE), ENOMEM);
  CHECK(strstr(flags_of(at + PAGE), " lo ") != NULL && strstr(flags_of(at + PAGE), " lf ") == NULL);
  char *stack = mmap(at, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_FIXED, -1, 0);
  CHECK(stack == at);
  CHECK(strstr(flags_of(stack), " nh ") != NULL);
  write_file("file", "text");
  char *shared = mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, OK(open("file", O_RDONLY)), 0);
  CHECK(shared == at);
  CHECK(strstr(flags_of(shared), " sh ") == NULL && strstr(flags_of(shared), " ms ") != NULL);
}

TEST(shared_offset, "maps shows where in shared anonymous memory a mapping begins") {
  char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  OK(mprotect(at + PAGE, PAGE, PROT_READ));
  char wanted[64];
  snprintf(wanted, sizeof wanted, "%lx-%lx r--s 00001000 00:01 ", (unsigned long)(at + PAGE),
           (unsigned long)(at + 2 * PAGE));
  CHECK(strstr(read_file("/proc/self/maps"), wanted) != NULL);
  OK(mprotect(at, 4 * PAGE, PROT_READ | PROT_WRITE));
  snprintf(wanted, sizeof wanted, "%lx-%lx rw-s 00000000 00:01 ", (unsigned long)at,
           (unsigned long)(at + 4 * PAGE));
  CHECK(strstr(read_file("/proc/self/maps"), wanted) != NULL);
}

TEST(hints, "a hint is rounded up to what may be mapped, and mremap takes one with MREMAP_DONTUNMAP") {
  char *low = mmap((void *)PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EQUAL((unsigned long)low, 65536);
  char *at = anonymous(8);
  OK(munmap(at, 3 * PAGE));
  int keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  EQUAL(syscall(SYS_mremap, at + 4 * PAGE, PAGE, PAGE, keep, at + PAGE), (long)(at + PAGE));
  at[4 * PAGE] = 1;
  at[PAGE] = 2;
}

TEST(refused_remaps, "mremap looks at its arguments before it looks at what is mapped") {
  char *at = anonymous(4);
  char *nothing = anonymous(4);
  OK(munmap(nothing, 4 * PAGE));
  FAILS((long)mremap(nothing, PAGE, -1, MREMAP_MAYMOVE), EINVAL);
  int keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  FAILS(syscall(SYS_mremap, nothing, PAGE, PAGE, keep, (long)-PAGE), EINVAL);
  FAILS(syscall(SYS_mremap, at, PAGE, PAGE, keep, at), EINVAL);
  FAILS((long)mremap(nothing, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at), EFAULT);
  at[0] = 1; /* Still mapped. */
  OK(mlock(at, PAGE));
  OK(syscall(SYS_mremap, at, PAGE, PAGE, keep, 0));
  CHECK(strstr(flags_of(at), " lo ") == NULL);
}

TEST(place_first, "mmap finds a place before it judges flags, and a type before growth") {
  char *at = anonymous(2);
  OK(munmap(at + PAGE, PAGE));
  int dir = OK(open(".", O_RDONLY));
  FAILS((long)mmap(at, PAGE, PROT_READ, 4 | MAP_FIXED_NOREPLACE, dir, 0), EEXIST);
  FAILS((long)mmap(at + 1, PAGE, PROT_READ, 4 | MAP_FIXED | MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, dir, 0), ENODEV);
  FAILS(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, (long)-PAGE), EOVERFLOW);
  int fd = OK(open("file", O_RDWR | O_CREAT, 0644));
  FAILS(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000), EOVERFLOW);
  FAILS((long)mmap(at + PAGE, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE,
                   OK(open("/dev/zero", O_RDWR)), 0), EOPNOTSUPP);
}

TEST(endless_range, "mprotect and msync of more than all memory act on what there is, or on nothing") {
  char *at = anonymous(2);
  at[0] = 1;
  int fd = OK(open("file", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, PAGE));
  CHECK(mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == at);
  OK(munmap(at + PAGE, PAGE));
  FAILS(mprotect(at, 0x800000000000, PROT_READ | PROT_WRITE), ENOMEM);
  at[0] = 1;
  OK(mlock(at, PAGE));
  FAILS(msync(at, (long)-PAGE, MS_INVALIDATE), ENOMEM);
}

TEST(advice_ranges, "process_madvise judges all lengths, then all addresses, then gives the advice") {
  char *at = anonymous(1);
  int self_fd = OK(syscall(SYS_pidfd_open, getpid(), 0));
  struct iovec ranges[] = {{(void *)(1UL << 63), PAGE}, {at, -1}};
  FAILS(syscall(SYS_process_madvise, self_fd, ranges, 2, MADV_COLD, 0), EINVAL);
  ranges[1].iov_len = 0x800000000000;
  ranges[0] = (struct iovec){at, PAGE};
  FAILS(syscall(SYS_process_madvise, self_fd, ranges, 2, MADV_COLD, 0), EFAULT);
}
