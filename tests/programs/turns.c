// build: -static -pthread
// Calls that move or look at much memory: others are served meanwhile, and a fatal signal ends them.
#include "check.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define MIB ((size_t)1 << 20)
#define LENGTH (64 * MIB)
#define PAGES ((size_t)1 << 17)

/* What the process of the long call tells the other. */
static volatile struct {
  int begun, over;
} *shared;

static char *fresh(size_t length) {
  return OK(mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static char *filled(size_t length) {
  char *at = fresh(length);
  for (size_t i = 0; i < length; i += 8) *(size_t *)(at + i) = i;
  return at;
}

static int file_of(char *bytes, size_t length) {
  int fd = OK(memfd_create("long", 0));
  for (size_t i = 0; i < length; i += MIB) EQUAL(write(fd, bytes + i, MIB), MIB);
  OK(lseek(fd, 0, SEEK_SET));
  return fd;
}

/* The statement in a child, with how many calls of this process were served from its begin to its end. */
#define SERVED_DURING(served, prepare, call)                                                    \
  shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));      \
  IN_CHILD(pid_##served, {                                                                      \
    prepare;                                                                                    \
    shared->begun = 1;                                                                          \
    call;                                                                                       \
    shared->over = 1;                                                                           \
  });                                                                                           \
  while (!shared->begun) usleep(1000);                                                          \
  int served = 0;                                                                               \
  for (char name[16]; !shared->over; served++) OK(prctl(PR_GET_NAME, name));                    \
  join(pid_##served)

/* More than those that the end of the call lets through before it is known. */
#define MANY 4

TEST(move_pages_turns, "others are served while move_pages looks at many pages") {
  void **pages = (void **)fresh(8 * PAGES);
  int *status = (int *)fresh(4 * PAGES);
  SKIP_UNLESS(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0) == 0, "a kernel without NUMA");
  SERVED_DURING(served, for (size_t i = 0; i < PAGES; i++) pages[i] = &pages[512 * (i % 256)], {
    OK(syscall(SYS_move_pages, 0, PAGES, pages, NULL, status, 0));
    for (size_t i = 0; i < PAGES; i++) EQUAL(status[i], 0);
  });
  CHECK(served > MANY);
}

TEST(killed, "a signal that kills ends a move_pages of many pages at once") {
  size_t count = 128 * PAGES;
  void *pages = OK(mmap(NULL, 8 * count, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  void *status = OK(mmap(NULL, 4 * count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  SKIP_UNLESS(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0) == 0, "a kernel without NUMA");
  shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t pid = OK(fork());
  if (pid == 0) {
    shared->begun = 1;
    syscall(SYS_move_pages, 0, count, pages, NULL, status, 0);
    shared->over = 1;
    _exit(0);
  }
  while (!shared->begun) usleep(1000);
  usleep(1000);
  OK(kill(pid, SIGKILL));
  int how;
  EQUAL(waitpid(pid, &how, 0), pid);
  CHECK(WIFSIGNALED(how));
  EQUAL(shared->over, 0);
}

TEST(process_vm_turns, "others are served while process_vm_readv and process_vm_writev copy many MiB") {
  char *from = filled(LENGTH), *to = fresh(LENGTH);
  struct iovec source = {from, LENGTH}, destination = {to, LENGTH};
  SERVED_DURING(read, , {
    EQUAL(process_vm_readv(getpid(), &destination, 1, &source, 1, 0), LENGTH);
    CHECK(memcmp(from, to, LENGTH) == 0);
  });
  CHECK(read > MANY);
  SERVED_DURING(written, , {
    EQUAL(process_vm_writev(getpid(), &source, 1, &destination, 1, 0), LENGTH);
    CHECK(memcmp(from, to, LENGTH) == 0);
  });
  CHECK(written > MANY);
}

TEST(file_turns, "others are served while many MiB are written to a file and read from it") {
  char *from = filled(LENGTH), *to = fresh(LENGTH);
  int fd = OK(memfd_create("long", 0));
  SERVED_DURING(written, , EQUAL(write(fd, from, LENGTH), LENGTH));
  CHECK(written > MANY);
  EQUAL(lseek(fd, 0, SEEK_CUR), LENGTH);
  SERVED_DURING(read, , {
    EQUAL(pread(fd, to, LENGTH, 0), LENGTH);
    CHECK(memcmp(from, to, LENGTH) == 0);
  });
  CHECK(read > MANY);
}

TEST(copy_turns, "others are served while sendfile and copy_file_range copy many MiB") {
  int from = file_of(filled(LENGTH), LENGTH), to = OK(memfd_create("to", 0));
  SERVED_DURING(sent, , EQUAL(sendfile(to, from, NULL, LENGTH), LENGTH));
  CHECK(sent > MANY);
  loff_t in = 0, out = 0;
  SERVED_DURING(copied, , EQUAL(copy_file_range(from, &in, to, &out, LENGTH, 0), LENGTH));
  CHECK(copied > MANY);
}

TEST(present_turns, "others are served while mlock and MADV_POPULATE_WRITE make many MiB present") {
  char *at = fresh(2 * LENGTH);
  SERVED_DURING(populated, , OK(madvise(at, LENGTH, MADV_POPULATE_WRITE)));
  CHECK(populated > MANY);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  SERVED_DURING(locked, , OK(mlock(at + LENGTH, LENGTH)));
  CHECK(locked > MANY);
}

TEST(offsets, "a long read or write leaves the offset behind what it moved") {
  char *from = filled(LENGTH), *to = fresh(LENGTH + 4096);
  int fd = file_of(from, LENGTH);
  EQUAL(lseek(fd, 5, SEEK_SET), 5);
  EQUAL(read(fd, to, LENGTH), LENGTH - 5);
  CHECK(memcmp(from + 5, to, LENGTH - 5) == 0);
  EQUAL(lseek(fd, 0, SEEK_CUR), LENGTH);
  EQUAL(lseek(fd, 3, SEEK_SET), 3);
  struct iovec ranges[] = {{from, 3}, {from + 3, 9 * MIB}, {from + 3 + 9 * MIB, LENGTH - 3 - 9 * MIB}};
  EQUAL(writev(fd, ranges, 3), LENGTH);
  EQUAL(lseek(fd, 0, SEEK_CUR), LENGTH + 3);
  memset(to, 0, LENGTH);
  EQUAL(pread(fd, to, LENGTH + 4096, 3), LENGTH);
  CHECK(memcmp(from, to, LENGTH) == 0);
}

TEST(faults, "a long read or write stops where memory ends, and has moved what came before") {
  char *at = filled(LENGTH);
  int fd = file_of(at, LENGTH);
  OK(munmap(at + 16 * MIB, MIB));
  EQUAL(read(fd, at, LENGTH), 16 * MIB);
  EQUAL(lseek(fd, 0, SEEK_CUR), 16 * MIB);
  EQUAL(write(fd, at, LENGTH), 16 * MIB);
  EQUAL(lseek(fd, 0, SEEK_CUR), 32 * MIB);
}

TEST(appended, "long writes with O_APPEND are not mixed") {
  int fd = OK(open("log", O_CREAT | O_RDWR | O_APPEND, 0600));
  size_t length = 8 * MIB;
  char *line = fresh(length);
  pid_t pids[2];
  for (int i = 0; i < 2; i++) {
    pids[i] = OK(fork());
    if (pids[i] != 0) continue;
    memset(line, 'a' + i, length);
    EQUAL(write(fd, line, length), length);
    _exit(0);
  }
  for (int i = 0; i < 2; i++) join(pids[i]);
  for (int i = 0; i < 2; i++) {
    EQUAL(pread(fd, line, length, i * length), length);
    CHECK(memcmp(line, line + 1, length - 1) == 0);
  }
}
