// Reads into memory that ends too early: they stop there, and lose nothing.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>

#define PAGE 4096
#define MADV_GUARD_INSTALL_ 102

static char zeros[10 * PAGE];

/* A page that can be written, and behind it one that cannot. */
static char *pages(void) {
  return OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static char *before_none(void) {
  char *at = pages();
  OK(mprotect(at + PAGE, PAGE, PROT_NONE));
  return at + PAGE;
}

static char *before_hole(void) {
  char *at = pages();
  OK(munmap(at + PAGE, PAGE));
  return at + PAGE;
}

static char *before_guard(void) {
  char *at = pages();
  if (madvise(at + PAGE, PAGE, MADV_GUARD_INSTALL_) != 0) skip_test("no guards before Linux 6.13");
  return at + PAGE;
}

static char *before_file_end(void) {
  int fd = OK(memfd_create("short", 0));
  OK(ftruncate(fd, 100));
  char *at = OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  return at + PAGE;
}

static void read_up_to(char *end) {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  EQUAL(write(fd, zeros, sizeof zeros), sizeof zeros);
  OK(lseek(fd, 0, SEEK_SET));
  EQUAL(read(fd, end - 10, 20), 10);
  EQUAL(lseek(fd, 0, SEEK_CUR), 10);
  FAILS(read(fd, end, 20), EFAULT);
  EQUAL(lseek(fd, 0, SEEK_CUR), 10);
  EQUAL(read(fd, end - PAGE, 5 * PAGE), PAGE);
  EQUAL(lseek(fd, 0, SEEK_CUR), PAGE + 10);
  EQUAL(pread(fd, end - 10, 20, 100), 10);
  struct iovec parts[2] = {{end - PAGE, 100}, {end - 10, 20}};
  EQUAL(readv(fd, parts, 2), 110);
  EQUAL(lseek(fd, 0, SEEK_CUR), PAGE + 120);
  EQUAL(read(OK(open("/dev/zero", O_RDONLY)), end - 10, 20), 10);
  EQUAL(read(OK(open("/proc/self/stat", O_RDONLY)), end - 10, 20), 10);
}

TEST(no_access, "a read from a file stops where memory cannot be written") { read_up_to(before_none()); }

TEST(hole, "a read from a file stops where nothing is mapped") { read_up_to(before_hole()); }

TEST(guard, "a read from a file stops at a guard") { read_up_to(before_guard()); }

TEST(file_end, "a read from a file stops behind the end of what is mapped") { read_up_to(before_file_end()); }

/* Linux gives whole pages of a pipe or none; what it does not give, it keeps. */
TEST(pipes, "a read from a pipe into memory that ends too early loses nothing") {
  char *ends[] = {before_none(), before_file_end(), before_guard()};
  for (int i = 0; i < 3; i++) {
    int p[2], left = -1;
    OK(pipe2(p, O_NONBLOCK));
    EQUAL(write(p[1], zeros, 3 * PAGE), 3 * PAGE);
    ssize_t n = read(p[0], ends[i] - PAGE, 3 * PAGE);
    CHECK(n >= PAGE);
    OK(ioctl(p[0], FIONREAD, &left));
    EQUAL(n + left, 3 * PAGE);
    n = read(p[0], ends[i], PAGE);
    CHECK(n == -1 && errno == EFAULT);
    int again = -1;
    OK(ioctl(p[0], FIONREAD, &again));
    EQUAL(left, again);
  }
}

TEST(removed_guard, "a read goes on where a guard was removed") {
  char *end = before_guard();
  OK(madvise(end, PAGE, MADV_GUARD_INSTALL_ + 1));
  EQUAL(read(OK(open("/dev/zero", O_RDONLY)), end - PAGE, 2 * PAGE), 2 * PAGE);
}

TEST(fork_guard, "a fork's child has the guards of its parent") {
  char *end = before_guard();
  int zero = OK(open("/dev/zero", O_RDONLY));
  IN_CHILD(pid, EQUAL(read(zero, end - 10, 20), 10));
  join(pid);
}

TEST(entries, "getdents gives the entries that fit before what cannot be written, and the others next") {
  int fd = OK(open("/", O_RDONLY | O_DIRECTORY));
  char *end = before_none();
  long n = OK(syscall(SYS_getdents64, fd, end - 60, PAGE));
  CHECK(n > 0 && n <= 60);
  FAILS(syscall(SYS_getdents64, fd, end - 1, PAGE), EFAULT);
  static char rest[65536];
  long more = OK(syscall(SYS_getdents64, fd, rest, sizeof rest));
  OK(lseek(fd, 0, SEEK_SET));
  EQUAL(syscall(SYS_getdents64, fd, rest, sizeof rest), n + more);
}

TEST(random_bytes, "getrandom gives what fits before what cannot be written") {
  char *end = before_none();
  EQUAL(getrandom(end - 10, 20, 0), 10);
  FAILS(getrandom(end, 20, 0), EFAULT);
}
