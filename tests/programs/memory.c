// mmap(2) and its family.
#include "check.h"
#include <linux/capability.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096
static sigjmp_buf escape;
static void *volatile fault_address;
static volatile int fault_signal, fault_code;

static void on_fault(int sig, siginfo_t *info, void *context) {
  (void)context;
  fault_signal = sig;
  fault_address = info->si_addr;
  fault_code = info->si_code;
  siglongjmp(escape, 1);
}

/* The signal that reading (or writing) a byte raises, or 0. */
static int touch(volatile char *at, int write_it) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &action, NULL));
  OK(sigaction(SIGBUS, &action, NULL));
  fault_signal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    char byte = *at;
    if (write_it) *at = byte;
  }
  return fault_signal;
}

static char *map(size_t pages, int protection, int flags, int fd) {
  char *at = mmap(NULL, pages * PAGE, protection, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static char *anonymous(size_t pages) {
  return map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int file_of(size_t size) {
  int fd = OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
  OK(ftruncate(fd, size));
  return fd;
}

TEST(zeroed, "anonymous memory is zero and its own") {
  char *at = anonymous(4);
  for (int i = 0; i < 4 * PAGE; i++) EQUAL(at[i], 0);
  memset(at, 1, 4 * PAGE);
  OK(munmap(at + PAGE, PAGE));
  EQUAL(touch(at + PAGE, 0), SIGSEGV);
  EQUAL(touch(at + 2 * PAGE, 1), 0);
}

TEST(private_file, "a private mapping shows the file and keeps writes to itself") {
  write_file("file", "hello");
  int fd = OK(open("file", O_RDONLY));
  char *at = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  close(fd);
  CHECK(memcmp(at, "hello", 6) == 0);
  at[0] = 'J';
  CHECK(strcmp(read_file("file"), "hello") == 0);
}

TEST(shared_file, "a shared mapping and read and write see each other at once") {
  int fd = file_of(2 * PAGE);
  char *at = map(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  strcpy(at + PAGE, "by memory");
  char text[10];
  EQUAL(pread(fd, text, 10, PAGE), 10);
  CHECK(strcmp(text, "by memory") == 0);
  EQUAL(pwrite(fd, "by write!", 10, PAGE), 10);
  CHECK(strcmp(at + PAGE, "by write!") == 0);
  IN_CHILD(pid, { strcpy(at, "by child"); });
  join(pid);
  CHECK(strcmp(at, "by child") == 0);
  OK(msync(at, PAGE, MS_SYNC));
  FAILS(msync(at + 1, PAGE, MS_SYNC), EINVAL);
  FAILS(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
}

TEST(shared_anonymous, "shared anonymous memory is one for parent and child, private is two") {
  volatile char *shared = map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  volatile char *private = anonymous(1);
  private[0] = 1;
  IN_CHILD(pid, {
    EQUAL(private[0], 1);
    private[0] = 2;
    shared[0] = 3;
  });
  join(pid);
  EQUAL(private[0], 1);
  EQUAL(shared[0], 3);
}

TEST(copy_on_write, "after fork each side keeps its own copy of a megabyte") {
  const int pages = 256;
  char *at = anonymous(pages);
  for (int i = 0; i < pages; i++) at[i * PAGE] = i;
  IN_CHILD(pid, {
    for (int i = 0; i < pages; i++) {
      EQUAL((unsigned char)at[i * PAGE], i & 255);
      at[i * PAGE] = ~i;
    }
  });
  for (int i = 0; i < pages; i++) at[i * PAGE + 1] = 7;
  join(pid);
  for (int i = 0; i < pages; i++) EQUAL((unsigned char)at[i * PAGE], i & 255);
}

TEST(past_end, "touching a mapping past the file's end is SIGBUS at that address") {
  int fd = file_of(100);
  char *at = map(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  EQUAL(at[200], 0); /* The rest of the last page is zero. */
  EQUAL(touch(at + PAGE + 5, 0), SIGBUS);
  CHECK(fault_address == at + PAGE + 5);
  EQUAL(fault_code, BUS_ADRERR);
  OK(ftruncate(fd, 2 * PAGE));
  EQUAL(touch(at + PAGE + 5, 1), 0);
  OK(ftruncate(fd, 0));
  EQUAL(touch(at, 0), SIGBUS);
}

TEST(bus_in_call, "a system call on a page past the file's end fails with EFAULT") {
  int fd = file_of(0), p[2];
  char *at = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  OK(pipe(p));
  FAILS(write(p[1], at, 10), EFAULT);
}

TEST(protection, "mprotect takes rights away and gives them back") {
  char *at = anonymous(3);
  at[PAGE] = 5;
  OK(mprotect(at + PAGE, PAGE, PROT_READ));
  EQUAL(touch(at + PAGE, 0), 0);
  EQUAL(touch(at + PAGE, 1), SIGSEGV);
  EQUAL(fault_code, SEGV_ACCERR);
  OK(mprotect(at + PAGE, PAGE, PROT_NONE));
  EQUAL(touch(at + PAGE, 0), SIGSEGV);
  OK(mprotect(at, 3 * PAGE, PROT_READ | PROT_WRITE));
  EQUAL(at[PAGE], 5);
  FAILS(mprotect(at + 1, PAGE, PROT_READ), EINVAL);
  OK(munmap(at + PAGE, PAGE));
  FAILS(mprotect(at, 3 * PAGE, PROT_READ), ENOMEM);
  FAILS(mprotect(at, PAGE, 0x1000), EINVAL);
}

TEST(protection_stops, "mprotect changes what lies before a hole, or before what refuses, and fails") {
  char *at = anonymous(4);
  OK(munmap(at + 2 * PAGE, PAGE));
  FAILS(mprotect(at, 4 * PAGE, PROT_READ), ENOMEM);
  EQUAL(touch(at, 1), SIGSEGV);
  EQUAL(touch(at + PAGE, 1), SIGSEGV);
  EQUAL(touch(at + 3 * PAGE, 1), 0);
  FAILS(mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ), ENOMEM);
  EQUAL(touch(at + 3 * PAGE, 1), 0);
  file_of(PAGE);
  int fd = OK(open("file", O_RDONLY));
  OK(mmap(at + 2 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ? -1 : 0);
  FAILS(mprotect(at, 4 * PAGE, PROT_READ | PROT_WRITE), EACCES);
  EQUAL(touch(at + PAGE, 1), 0);
  EQUAL(touch(at + 2 * PAGE, 1), SIGSEGV);
}

TEST(write_rights, "a shared mapping cannot become writable when the file was opened to read") {
  file_of(PAGE);
  int fd = OK(open("file", O_RDONLY));
  FAILS(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  char *at = map(1, PROT_READ, MAP_SHARED, fd);
  FAILS(mprotect(at, PAGE, PROT_READ | PROT_WRITE), EACCES);
  fd = OK(open("file", O_WRONLY));
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
}

TEST(execute, "code written into memory runs once it is executable") {
  static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
  char *at = anonymous(1);
  memcpy(at, code, sizeof code);
  OK(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
  EQUAL(((int (*)(void))at)(), 42);
  OK(mprotect(at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
  at[1] = 43;
  EQUAL(((int (*)(void))at)(), 43);
}

TEST(new_code_calls, "system calls from freshly written code work, also after it is overwritten") {
  /* mov $nr, %eax; syscall; ret: the form that is patched, twice in the same place. */
  static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
  unsigned char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK((void *)at != MAP_FAILED);
  memcpy(at, code, sizeof code);
  for (int i = 0; i < 100; i++) EQUAL(((int (*)(void))at)(), getppid());
  memcpy(at, code, sizeof code);
  at[1] = SYS_getpid;
  for (int i = 0; i < 100; i++) EQUAL(((int (*)(void))at)(), getpid());
}

TEST(fixed, "MAP_FIXED replaces, MAP_FIXED_NOREPLACE refuses") {
  char *at = anonymous(3);
  at[PAGE] = 1;
  char *again = mmap(at + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(again == at + PAGE);
  EQUAL(at[PAGE], 0);
  FAILS(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  OK(munmap(at, PAGE));
  again = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(again == at);
  FAILS(mmap(at + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
}

/* The seconds of its modification, which must be those of its change unless `set`. */
static time_t modified(int fd, int set) {
  struct stat st;
  OK(fstat(fd, &st));
  if (!set) EQUAL(st.st_mtim.tv_sec, st.st_ctim.tv_sec);
  return st.st_mtim.tv_sec;
}

TEST(segments, "a fixed mapping over one of the same file brings its pages, whatever was there") {
  int fd = OK(open("/proc/self/exe", O_RDONLY));
  static char file[4 * PAGE];
  CHECK(pread(fd, file, sizeof file, 0) == sizeof file);
  char *at = map(4, PROT_READ, MAP_PRIVATE, fd);
  const int fixed = MAP_PRIVATE | MAP_FIXED;
  char *second = at + PAGE, *third = at + 2 * PAGE, *fourth = at + 3 * PAGE;
  CHECK(mmap(second, PAGE, PROT_READ | PROT_WRITE, fixed, fd, PAGE) == second);
  CHECK(memcmp(at, file, sizeof file) == 0);
  CHECK(touch(at, 1) == SIGSEGV && touch(third, 1) == SIGSEGV);
  memset(second, 'x', PAGE);
  CHECK(mmap(second, PAGE, PROT_READ, fixed, fd, PAGE) == second);
  CHECK(memcmp(at, file, sizeof file) == 0 && touch(second, 1) == SIGSEGV);
  OK(mprotect(third, PAGE, PROT_READ | PROT_WRITE));
  memset(third, 'x', PAGE);
  OK(mprotect(third, PAGE, PROT_READ));
  CHECK(third[1] == 'x' && mmap(third, PAGE, PROT_READ, fixed, fd, 2 * PAGE) == third);
  CHECK(memcmp(at, file, sizeof file) == 0);
  CHECK(mmap(fourth, PAGE, PROT_NONE, fixed, fd, 3 * PAGE) == fourth);
  CHECK(touch(fourth, 0) == SIGSEGV);
  CHECK(mmap(fourth, PAGE, PROT_READ, fixed, fd, 0) == fourth);
  CHECK(memcmp(fourth, file, PAGE) == 0 && memcmp(at, file, 3 * PAGE) == 0);
}

TEST(mapped_times, "a store through a shared mapping modifies the file") {
  int fd = file_of(2 * PAGE);
  struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
  char *at = map(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  OK(futimens(fd, old));
  EQUAL(modified(fd, 1), 1000);
  *at = 1;
  OK(msync(at, PAGE, MS_SYNC));
  CHECK(modified(fd, 0) > 1000);
  OK(futimens(fd, old));
  EQUAL(modified(fd, 1), 1000);
  at[PAGE] = 1;
  OK(munmap(at, 2 * PAGE));
  CHECK(modified(fd, 0) > 1000);
}

TEST(bad_arguments, "mmap and munmap refuse nonsense") {
  int fd = file_of(PAGE), p[2];
  OK(pipe(p));
  FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0), ENODEV);
  FAILS(mmap(NULL, 1ul << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  FAILS(munmap((void *)1, PAGE), EINVAL);
  OK(munmap(anonymous(1) - 0, PAGE));
  OK(munmap((void *)0x100000000, PAGE)); /* Nothing there: no error. */
  FAILS(mmap((void *)0x7ffffffff000, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

TEST(remap, "mremap grows, shrinks, moves and keeps what was there") {
  char *at = anonymous(2);
  strcpy(at, "kept");
  OK(munmap(at + PAGE, PAGE));
  char *wall = mmap(at + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  FAILS(mremap(at, PAGE, 2 * PAGE, 0), ENOMEM); /* The wall is in the way. */
  char *moved = mremap(at, PAGE, 16 * PAGE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved != at);
  CHECK(strcmp(moved, "kept") == 0);
  EQUAL(moved[15 * PAGE], 0);
  EQUAL(touch(at, 0), SIGSEGV);
  CHECK(mremap(moved, 16 * PAGE, PAGE, 0) == moved);
  EQUAL(touch(moved + PAGE, 0), SIGSEGV);
  char *target = anonymous(1);
  CHECK(mremap(moved, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  CHECK(strcmp(target, "kept") == 0);
  FAILS(mremap(target + 1, PAGE, PAGE, 0), EINVAL);
  FAILS(mremap((void *)0x200000000, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
  (void)wall;
}

TEST(remap_file, "a moved and grown file mapping still is the file") {
  int fd = file_of(3 * PAGE);
  EQUAL(pwrite(fd, "third", 5, 2 * PAGE), 5);
  char *at = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  char *grown = mremap(at, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
  CHECK(grown != MAP_FAILED);
  CHECK(memcmp(grown + 2 * PAGE, "third", 5) == 0);
  grown[0] = 'w';
  char byte;
  EQUAL(pread(fd, &byte, 1, 0), 1);
  EQUAL(byte, 'w');
}

TEST(dont_need, "MADV_DONTNEED makes private memory zero again, and shared keeps its data") {
  char *private = anonymous(1);
  private[0] = 1;
  OK(madvise(private, PAGE, MADV_DONTNEED));
  EQUAL(private[0], 0);
  char *shared = map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  shared[0] = 1;
  OK(madvise(shared, PAGE, MADV_DONTNEED));
  EQUAL(shared[0], 1);
  FAILS(madvise(private, PAGE, 9999), EINVAL);
  FAILS(madvise(private + 1, PAGE, MADV_DONTNEED), EINVAL);
}

TEST(dont_fork, "MADV_DONTFORK and MADV_WIPEONFORK change what a child gets") {
  char *missing = anonymous(1), *wiped = anonymous(1);
  missing[0] = wiped[0] = 1;
  OK(madvise(missing, PAGE, MADV_DONTFORK));
  OK(madvise(wiped, PAGE, MADV_WIPEONFORK));
  IN_CHILD(pid, {
    EQUAL(wiped[0], 0);
    EQUAL(touch(missing, 0), SIGSEGV);
  });
  join(pid);
  EQUAL(missing[0], 1);
}

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif

TEST(droppable, "MAP_DROPPABLE memory is not inherited, not locked, and cannot be made to be") {
  char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
  SKIP_UNLESS(at != MAP_FAILED || errno != EINVAL, "the kernel is older than 6.11");
  CHECK(at != MAP_FAILED);
  at[0] = 1;
  IN_CHILD(pid, EQUAL(at[0], 0));
  join(pid);
  FAILS(madvise(at, PAGE, MADV_KEEPONFORK), EINVAL);
  FAILS(madvise(at, PAGE, MADV_DODUMP), EINVAL);
  OK(mlock(at, PAGE));
  CHECK(strstr(read_file("/proc/self/status"), "VmLck:\t       0 kB") != NULL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL);
  int fd = file_of(PAGE);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_DROPPABLE, fd, 0), EINVAL);
  OK(munmap(at, 2 * PAGE));
}

TEST(brk_, "the program break grows, is zero, shrinks and is inherited") {
  char *start = sbrk(0);
  CHECK(sbrk(10 * PAGE) == start);
  EQUAL(start[9 * PAGE], 0);
  start[9 * PAGE] = 4;
  IN_CHILD(pid, {
    EQUAL(start[9 * PAGE], 4);
    CHECK(sbrk(0) == start + 10 * PAGE);
  });
  join(pid);
  CHECK(sbrk(-5 * PAGE) == start + 10 * PAGE);
  CHECK(sbrk(5 * PAGE) == start + 5 * PAGE);
  EQUAL(start[9 * PAGE], 0);
}

TEST(limit, "RLIMIT_AS ends in ENOMEM") {
  OK(setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, 64 << 20}));
  FAILS(mmap(NULL, 100 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  OK(munmap(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1 << 20));
}

TEST(overcommit, "nobody gets more memory at once than the machine has") {
  const size_t much = 1ul << 40;
  char policy = '0';
  int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY);
  SKIP_UNLESS(fd < 0 || read(fd, &policy, 1) != 1 || policy == '0', "the machine gives what it has not");
  struct sysinfo info;
  OK(sysinfo(&info));
  SKIP_UNLESS((info.totalram + info.totalswap) * info.mem_unit < much, "the machine has so much");
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  FAILS(sbrk(much), ENOMEM);
  FAILS(mmap(NULL, much, PROT_READ | PROT_WRITE, flags, -1, 0), ENOMEM);
  FAILS(mmap(NULL, much, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
  void *some = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0));
  FAILS(mremap(some, PAGE, much, MREMAP_MAYMOVE), ENOMEM);
  OK(munmap(OK(mmap(NULL, much, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0)), much));
  char *none = OK(mmap(NULL, much, PROT_NONE, flags, -1, 0));
  FAILS(mprotect(none, much, PROT_READ | PROT_WRITE), ENOMEM);
  OK(mprotect(none, PAGE, PROT_READ | PROT_WRITE));
  none[0] = 1;
}

TEST(data_limit, "RLIMIT_DATA bounds private memory that can be written") {
  size_t much = 100 << 20, half = 40 << 20;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  OK(setrlimit(RLIMIT_DATA, &(struct rlimit){64 << 20, 64 << 20}));
  FAILS(mmap(NULL, much, PROT_READ | PROT_WRITE, flags, -1, 0), ENOMEM);
  OK(munmap(mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), much));
  char *at = mmap(NULL, much, PROT_READ, flags, -1, 0);
  CHECK(at != MAP_FAILED);
  FAILS(mprotect(at, much, PROT_READ | PROT_WRITE), ENOMEM);
  OK(mprotect(at, half, PROT_READ | PROT_WRITE));
  OK(mprotect(at, half, PROT_READ | PROT_WRITE | PROT_EXEC)); /* It counts already. */
  FAILS(mmap(NULL, half, PROT_WRITE, flags, -1, 0), ENOMEM);
  CHECK(mmap(at, half, PROT_WRITE, flags | MAP_FIXED, -1, 0) == at); /* The old one makes room. */
  FAILS(mremap(at, half, much, MREMAP_MAYMOVE), ENOMEM);
  FAILS(sbrk(half), ENOMEM);
  OK(munmap(at, half));
  CHECK(sbrk(half) != (void *)-1);
}

TEST(growsdown, "the stack grows by itself, far below what was used so far") {
  volatile char here;
  volatile char *deep = &here - (2 << 20);
  __asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push $1; mov %%rbx, %%rsp" ::"r"(deep) : "rbx", "memory");
  EQUAL(deep[-8], 1);
}

TEST(memfd, "a memfd is a file without a name that can be shared and sealed") {
  int fd = OK(memfd_create("some name", MFD_ALLOW_SEALING));
  OK(ftruncate(fd, PAGE));
  char *at = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  strcpy(at, "shared");
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  OK(munmap(at, PAGE));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL));
  FAILS(write(fd, "x", 1), EPERM);
  FAILS(ftruncate(fd, 0), EPERM);
  FAILS(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  at = map(1, PROT_READ, MAP_PRIVATE, fd);
  CHECK(strcmp(at, "shared") == 0);
  FAILS(memfd_create("x", 0x1000), EINVAL);
}

TEST(other_process, "process_vm_readv and writev reach a child's memory") {
  char *at = anonymous(2);
  strcpy(at, "old");
  IN_CHILD(pid, {
    strcpy(at, "child's");
    raise(SIGSTOP);
    CHECK(strcmp(at, "written") == 0);
  });
  int status;
  EQUAL(waitpid(pid, &status, WUNTRACED), pid);
  char text[8];
  struct iovec local = {text, 8}, remote = {at, 8};
  EQUAL(process_vm_readv(pid, &local, 1, &remote, 1, 0), 8);
  CHECK(strcmp(text, "child's") == 0);
  strcpy(text, "written");
  EQUAL(process_vm_writev(pid, &local, 1, &remote, 1, 0), 8);
  remote.iov_base = nowhere;
  FAILS(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT);
  FAILS(process_vm_readv(999999, &local, 1, &remote, 1, 0), ESRCH);
  OK(kill(pid, SIGCONT));
  join(pid);
  CHECK(strcmp(at, "old") == 0);
}

TEST(mincore_and_locks, "mincore tells what is there, mlock makes it so") {
  char *at = anonymous(4);
  unsigned char in[4];
  at[0] = 1;
  OK(mincore(at, 4 * PAGE, in));
  EQUAL(in[0] & 1, 1);
  OK(mlock(at, 4 * PAGE));
  OK(munlock(at, 4 * PAGE));
  OK(munmap(at + PAGE, PAGE));
  FAILS(mincore(at, 4 * PAGE, in), ENOMEM);
  FAILS(mincore(at, PAGE, (void *)0x7ffff7e00000), EFAULT); /* Above what a guest of dvisor may map. */
  FAILS(mlock(at, 4 * PAGE), ENOMEM);
}

TEST(fork_many_mappings, "a thousand mappings survive fork and exec of a child") {
  char *at[1000];
  for (int i = 0; i < 1000; i++) {
    at[i] = map(1, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (i % 2 == 0) at[i][0] = i;
  }
  IN_CHILD(pid, {
    for (int i = 0; i < 1000; i += 2) EQUAL((unsigned char)at[i][0], i & 255);
    execl("/bin/true", "true", NULL);
    fail("exec: errno %d", errno);
  });
  join(pid);
}

enum { COLD = 20, SELF = -10001 };

static long advise(int process, struct iovec *ranges, size_t count, int advice) {
  return syscall(SYS_process_madvise, process, ranges, count, advice, 0);
}

TEST(advice_to_self, "process_madvise advises on many ranges, up to the first that is refused") {
  char *at = anonymous(4);
  int self_fd = OK(syscall(SYS_pidfd_open, getpid(), 0));
  memset(at, 1, 4 * PAGE);
  struct iovec ranges[] = {{at, PAGE}, {at + 2 * PAGE, 100}, {at + 1, PAGE}};
  EQUAL(advise(self_fd, ranges, 2, COLD), PAGE + 100);
  EQUAL(advise(self_fd, ranges, 3, MADV_WILLNEED), PAGE + 100);
  EQUAL(advise(self_fd, ranges, 0, COLD), 0);
  FAILS(advise(self_fd, ranges + 2, 1, COLD), EINVAL);
  FAILS(syscall(SYS_process_madvise, self_fd, ranges, 1, COLD, 1), EINVAL);
  FAILS(advise(self_fd, nowhere, 1, COLD), EFAULT);
  FAILS(advise(self_fd, ranges, 2000, COLD), EINVAL);
  FAILS(advise(-1, ranges, 1, COLD), EBADF);
  FAILS(advise(OK(open("/dev/null", O_RDONLY)), ranges, 1, COLD), EBADF);
  OK(munmap(at + 3 * PAGE, PAGE));
  FAILS(advise(self_fd, &(struct iovec){at + 3 * PAGE, PAGE}, 1, COLD), ENOMEM);
  SKIP_UNLESS(advise(SELF, ranges, 1, MADV_DONTNEED) == PAGE, "the kernel is older than 6.14");
  EQUAL(at[0], 0);
  EQUAL(at[PAGE], 1);
}

TEST(advice_to_others, "process_madvise gives others hints, if it may look at them and is privileged") {
  char *at = anonymous(2);
  OK(munmap(at + PAGE, PAGE));
  struct iovec range = {at, PAGE}, hole = {at + PAGE, PAGE};
  int end[2];
  OK(pipe(end));
  IN_CHILD(pid, {
    close(end[1]);
    EQUAL(read(end[0], at, 1), 0);
  });
  int child = OK(syscall(SYS_pidfd_open, pid, 0));
  SKIP_UNLESS(geteuid() == 0, "needs root");
  EQUAL(advise(child, &range, 1, COLD), PAGE);
  EQUAL(advise(child, &range, 1, MADV_WILLNEED), PAGE);
  FAILS(advise(child, &hole, 1, COLD), ENOMEM);
  FAILS(advise(child, &range, 1, MADV_DONTNEED), EINVAL);
  IN_CHILD(other, {
    OK(setresuid(1000, 1000, 1000));
    FAILS(advise(child, &range, 1, COLD), EACCES);
  });
  join(other);
  IN_CHILD(weak, {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    OK(syscall(SYS_capget, &header, sets));
    sets[0].effective &= ~(1u << CAP_SYS_NICE);
    OK(syscall(SYS_capset, &header, sets));
    FAILS(advise(child, &range, 1, COLD), EPERM);
  });
  join(weak);
  close(end[1]);
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  FAILS(advise(child, &range, 1, COLD), ESRCH);
}

struct range {
  uint64_t offset, length;
};
struct cached {
  uint64_t pages, dirty, writeback, evicted, recently;
};

static long cachestat(int fd, struct range *range, struct cached *cached, unsigned flags) {
  return syscall(451, fd, range, cached, flags);
}

/* The pages in memory of `length` bytes from `offset` on. */
static uint64_t cached_pages(int fd, uint64_t offset, uint64_t length) {
  struct cached cached;
  memset(&cached, 7, sizeof cached);
  OK(cachestat(fd, &(struct range){offset, length}, &cached, 0));
  EQUAL(cached.dirty + cached.writeback, 0);
  return cached.pages;
}

TEST(cached, "cachestat counts the pages of a file in memory") {
  static char pages[32 * PAGE];
  int fd = OK(memfd_create("cached", 0));
  if (cachestat(fd, &(struct range){0, 0}, &(struct cached){0}, 0) != 0) skip_test("a kernel without cachestat");
  EQUAL(cached_pages(fd, 0, 0), 0);
  for (int i = 0; i < 2; i++) {
    size_t size = i == 0 ? 4 * PAGE : sizeof pages;
    EQUAL(pwrite(fd, pages, size, 0), size);
    EQUAL(cached_pages(fd, 0, 0), size / PAGE);
    EQUAL(cached_pages(fd, PAGE + 100, 1), 1);
    EQUAL(cached_pages(fd, PAGE, 2 * PAGE), 2);
    EQUAL(cached_pages(fd, 1 << 20, 0), 0);
  }
  OK(ftruncate(fd, 1 << 20));
  EQUAL(cached_pages(fd, 0, 0), 32);
  EQUAL(cached_pages(fd, -1, 5), 0);
  EQUAL(cached_pages(fd, PAGE, -1), 0);
  EQUAL(cached_pages(fd, -1, 0), 0);
  char *at = map(256, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  at[100 * PAGE] = 1;
  EQUAL(cached_pages(fd, 0, 0), 33);
  EQUAL(cached_pages(fd, 90 * PAGE, 20 * PAGE), 1);
  EQUAL(cached_pages(fd, 31 * PAGE, 2 * PAGE), 1);
}

TEST(cached_errors, "cachestat is for who could write the file") {
  struct range all = {0, 0};
  struct cached cached;
  int p[2], fd = OK(open("/etc/passwd", O_RDONLY));
  OK(pipe(p));
  if (cachestat(p[0], &all, &cached, 0) != 0) skip_test("a kernel without cachestat");
  EQUAL(cached.pages, 0);
  FAILS(cachestat(-1, &all, &cached, 0), EBADF);
  FAILS(cachestat(OK(open("/", O_PATH)), &all, &cached, 0), EBADF);
  FAILS(cachestat(p[0], nowhere, &cached, 0), EFAULT);
  FAILS(cachestat(p[0], &all, nowhere, 0), EFAULT);
  FAILS(cachestat(p[0], &all, &cached, 1), EINVAL);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(setresuid(1000, 1000, 1000));
  FAILS(cachestat(fd, &all, &cached, 0), EPERM);
}

TEST(shared_zero, "shared memory of /dev/zero is a new object each time, whose file is gone") {
  int zero = OK(open("/dev/zero", O_RDWR));
  char *at = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0));
  char *other = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0));
  IN_CHILD(pid, at[0] = 'x');
  join(pid);
  EQUAL(at[0], 'x');
  EQUAL(other[0], 0);
  char start[32], *line = read_file("/proc/self/maps");
  snprintf(start, sizeof start, "%lx-", (unsigned long)at);
  line = strstr(line, start);
  CHECK(line != NULL);
  *strchr(line, '\n') = '\0';
  CHECK(strstr(line, "/dev/zero (deleted)") != NULL);
}
