// open(2), read(2), write(2), lseek(2), truncate(2), fallocate(2), memfd_create(2), xattr(7).
#include "check.h"
#include <limits.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

TEST(offset, "read and write move the offset that dup shares and open does not") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  int second = OK(dup(fd));
  int other = OK(open("f", O_RDWR));
  EQUAL(write(fd, "abcdef", 6), 6);
  EQUAL(lseek(second, 0, SEEK_CUR), 6);
  EQUAL(lseek(other, 0, SEEK_CUR), 0);
  char text[4];
  EQUAL(read(other, text, 3), 3);
  EQUAL(lseek(other, -2, SEEK_CUR), 1);
  EQUAL(lseek(other, 4, SEEK_END), 10);
  EQUAL(read(other, text, 3), 0);
  FAILS(lseek(other, -1, SEEK_SET), EINVAL);
  FAILS(lseek(other, 0, 99), EINVAL);
}

TEST(append, "O_APPEND writes at the end whatever the offset") {
  write_file("f", "one");
  int fd = OK(open("f", O_WRONLY | O_APPEND));
  EQUAL(write(fd, "two", 3), 3);
  EQUAL(pwrite(fd, "three", 5, 0), 5);
  CHECK(strcmp(read_file("f"), "onetwothree") == 0);
}

TEST(positioned, "pread and pwrite leave the offset alone") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(pwrite(fd, "xyz", 3, 5), 3);
  char text[8];
  EQUAL(pread(fd, text, 8, 0), 8);
  CHECK(memcmp(text, "\0\0\0\0\0xyz", 8) == 0);
  EQUAL(lseek(fd, 0, SEEK_CUR), 0);
  FAILS(pread(fd, text, 1, -1), EINVAL);
  int p[2];
  OK(pipe(p));
  FAILS(pread(p[0], text, 1, 0), ESPIPE);
  FAILS(lseek(p[0], 0, SEEK_CUR), ESPIPE);
}

TEST(many_vectors, "preadv fills many short ranges and long ones behind them") {
  enum { SIZE = 1 << 20, SHORT = 49, RANGES = 60 };
  static char data[SIZE], filled[SIZE];
  for (int i = 0; i < SIZE; i++) data[i] = i * 31 + i / 977;
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(write(fd, data, SIZE), SIZE);
  struct iovec ranges[RANGES];
  size_t total = 0;
  for (int i = 0; i < RANGES; i++) {
    ranges[i] = (struct iovec){filled + total, i < SHORT ? 8 : 4096};
    total += ranges[i].iov_len;
  }
  EQUAL(preadv(fd, ranges, RANGES, 0), total);
  CHECK(memcmp(data, filled, total) == 0);
}

TEST(vectors, "readv and writev go through all their ranges") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct iovec out[3] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
  EQUAL(writev(fd, out, 3), 7);
  char a[2], b[10];
  struct iovec in[2] = {{a, 2}, {b, 10}};
  EQUAL(preadv(fd, in, 2, 0), 7);
  CHECK(memcmp(a, "ab", 2) == 0 && memcmp(b, "cdefg", 5) == 0);
  EQUAL(pwritev(fd, out, 1, 20), 3);
  EQUAL(readv(fd, in, 0), 0);
  FAILS(syscall(SYS_readv, fd, in, -1), EINVAL);
  FAILS(syscall(SYS_readv, fd, in, IOV_MAX + 1), EINVAL);
  EQUAL(preadv2(fd, in, 1, -1, 0), 2);
  EQUAL(lseek(fd, 0, SEEK_CUR), 9);
  FAILS(preadv2(fd, in, 1, 0, 0x40000000), EOPNOTSUPP);
}

TEST(long_write, "a long write takes all that its ranges have") {
  enum { SIZE = 3000001, LONG = 1000001, SHORT = 5000, GAP = 77 };
  static char data[SIZE], read_back[SIZE];
  for (int i = 0; i < SIZE; i++) data[i] = i * 31 + i / 977;
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(write(fd, data, SIZE), SIZE);
  EQUAL(pread(fd, read_back, SIZE, 0), SIZE);
  CHECK(memcmp(data, read_back, SIZE) == 0);
  /* In another order than they lie in memory, with a short one between two long ones. */
  struct iovec ranges[3] = {{data + LONG, LONG}, {data + GAP, SHORT}, {data, LONG}};
  EQUAL(pwritev(fd, ranges, 3, GAP), 2 * LONG + SHORT);
  EQUAL(pread(fd, read_back, 2 * LONG + SHORT, GAP), 2 * LONG + SHORT);
  CHECK(memcmp(read_back, data + LONG, LONG) == 0);
  CHECK(memcmp(read_back + LONG, data + GAP, SHORT) == 0);
  CHECK(memcmp(read_back + LONG + SHORT, data, LONG) == 0);
  EQUAL(lseek(fd, 0, SEEK_CUR), SIZE);
}

TEST(long_faulting_write, "a long write stops where its memory ends") {
  enum { SIZE = 1 << 20, END = 101 * 4096, START = 1001 };
  char *at = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static char read_back[SIZE];
  for (int i = 0; i < END; i++) at[i] = i * 31 + i / 977;
  OK(mprotect(at + END, SIZE - END, PROT_NONE));
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(write(fd, at + START, SIZE - START), END - START);
  EQUAL(lseek(fd, 0, SEEK_CUR), END - START);
  FAILS(write(fd, at + END, SIZE - END), EFAULT);
  EQUAL(read(fd, read_back, SIZE), 0);
  EQUAL(pread(fd, read_back, SIZE, 0), END - START);
  CHECK(memcmp(read_back, at + START, END - START) == 0);
}

TEST(faults, "a bad buffer is EFAULT, and what was good of it is counted") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  FAILS(write(fd, nowhere, 10), EFAULT);
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  OK(munmap(pages + 4096, 4096));
  memset(pages, 'x', 4096);
  EQUAL(write(fd, pages + 4090, 100), 6);
  EQUAL(pread(fd, pages + 4095, 6, 0), 1);
  FAILS(pread(fd, nowhere, 1, 0), EFAULT);
  FAILS(open((char *)nowhere, O_RDONLY), EFAULT);
  FAILS(syscall(SYS_read, fd, pages, -1L), EFAULT);
}

TEST(directions, "a descriptor gives only the access it was opened for") {
  write_file("f", "x");
  char byte;
  int fd = OK(open("f", O_RDONLY));
  FAILS(write(fd, "x", 1), EBADF);
  FAILS(ftruncate(fd, 0), EINVAL);
  close(fd);
  FAILS(read(fd, &byte, 1), EBADF);
  fd = OK(open("f", O_WRONLY));
  FAILS(read(fd, &byte, 1), EBADF);
  fd = OK(open(".", O_RDONLY));
  FAILS(read(fd, &byte, 1), EISDIR);
  FAILS(open(".", O_WRONLY), EISDIR);
  fd = OK(open("f", O_PATH));
  FAILS(read(fd, &byte, 1), EBADF);
  FAILS(fchmod(fd, 0600), EBADF);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(fcntl(fd, F_GETFL), O_PATH);
}

TEST(neither, "the access mode 3 asks for both permissions and gives neither reading nor writing") {
  write_file("f", "text");
  char byte;
  int fd = OK(open("f", 3));
  EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, 3);
  FAILS(read(fd, &byte, 1), EBADF);
  FAILS(write(fd, "x", 1), EBADF);
  FAILS(pread(fd, &byte, 1, 0), EBADF);
  FAILS(pwrite(fd, "x", 1, 0), EBADF);
  FAILS(ftruncate(fd, 0), EINVAL);
  FAILS(fallocate(fd, 0, 0, 1), EBADF);
  FAILS(readahead(fd, 0, 1), EBADF);
  CHECK(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EACCES);
  OK(fsync(fd));
  close(OK(open("f", 3 | O_TRUNC)));
  EQUAL(lseek(fd, 0, SEEK_END), 0);
}

TEST(lowest, "open, dup and fcntl give the lowest free descriptor") {
  int a = OK(dup(0));
  int b = OK(dup(0));
  close(a);
  EQUAL(open("/", O_RDONLY), a);
  EQUAL(fcntl(0, F_DUPFD, b), b + 1);
  EQUAL(dup2(0, b + 5), b + 5);
  EQUAL(dup2(0, 0), 0);
  FAILS(dup2(0, 1 << 20), EBADF);
  FAILS(dup3(0, 0, 0), EINVAL);
  EQUAL(fcntl(OK(dup3(0, a, O_CLOEXEC)), F_GETFD), FD_CLOEXEC);
  EQUAL(fcntl(dup(a), F_GETFD), 0);
  OK(close_range(a, b + 5, 0));
  FAILS(close(a), EBADF);
  FAILS(close_range(5, 4, 0), EINVAL);
}

TEST(emfile, "RLIMIT_NOFILE ends in EMFILE and creates nothing") {
  struct rlimit limit = {20, 20};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  while (dup(0) >= 0) {}
  EQUAL(errno, EMFILE);
  FAILS(open("new", O_CREAT | O_WRONLY, 0644), EMFILE);
  FAILS(access("new", F_OK), ENOENT);
  FAILS(fcntl(0, F_DUPFD, 20), EINVAL);
}

TEST(creation, "open creates as its flags say") {
  umask(027);
  struct stat st;
  close(OK(open("f", O_CREAT | O_WRONLY, 0666)));
  OK(stat("f", &st));
  EQUAL(st.st_mode, S_IFREG | 0640);
  FAILS(open("f", O_CREAT | O_EXCL, 0666), EEXIST);
  FAILS(open("d/", O_CREAT, 0666), EISDIR);
  FAILS(open(".", O_CREAT, 0666), EISDIR);
  FAILS(open("", O_CREAT, 0666), ENOENT);
  FAILS(open("no/f", O_CREAT, 0666), ENOENT);
  FAILS(open("f/f", O_CREAT, 0666), ENOTDIR);
  OK(symlink("target", "l"));
  FAILS(open("l", O_CREAT | O_EXCL, 0666), EEXIST);
  FAILS(open("l", O_CREAT | O_NOFOLLOW, 0666), ELOOP);
  close(OK(open("l", O_CREAT | O_WRONLY, 0666)));
  OK(lstat("target", &st));
  char name[300];
  memset(name, 'n', 299);
  name[299] = 0;
  FAILS(open(name, O_CREAT, 0666), ENAMETOOLONG);
}

TEST(tmpfile_, "O_TMPFILE makes a file without a name that linkat can name") {
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  SKIP_UNLESS(fd >= 0 || errno != EOPNOTSUPP, "this file system has no O_TMPFILE");
  CHECK(fd >= 0);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_nlink, 0);
  EQUAL(fcntl(fd, F_GETFL) & O_TMPFILE, O_TMPFILE);
  EQUAL(write(fd, "hi", 2), 2);
  char link_path[64];
  snprintf(link_path, sizeof link_path, "/proc/self/fd/%d", fd);
  OK(linkat(AT_FDCWD, link_path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  CHECK(strcmp(read_file("named"), "hi") == 0);
  FAILS(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

TEST(truncation, "truncate cuts, extends with zeros, and refuses what is no file") {
  write_file("f", "abcdef");
  OK(truncate("f", 2));
  OK(truncate("f", 4));
  struct stat st;
  OK(stat("f", &st));
  EQUAL(st.st_size, 4);
  int fd = OK(open("f", O_RDWR));
  char text[5];
  EQUAL(read(fd, text, 5), 4);
  CHECK(memcmp(text, "ab\0\0", 4) == 0);
  FAILS(truncate("f", -1), EINVAL);
  FAILS(truncate(".", 0), EISDIR);
  FAILS(truncate("none", 0), ENOENT);
  int p[2];
  OK(pipe(p));
  FAILS(ftruncate(p[1], 0), EINVAL);
  close(OK(open("f", O_WRONLY | O_TRUNC)));
  OK(stat("f", &st));
  EQUAL(st.st_size, 0);
}

static volatile sig_atomic_t too_big;
static void on_sigxfsz(int sig) { (void)sig, too_big++; }

TEST(fsize, "RLIMIT_FSIZE cuts a write short, then EFBIG and SIGXFSZ") {
  signal(SIGXFSZ, on_sigxfsz);
  struct rlimit limit = {10, 10};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(write(fd, "12345678", 8), 8);
  EQUAL(write(fd, "12345678", 8), 2);
  FAILS(write(fd, "x", 1), EFBIG);
  EQUAL(too_big, 1);
  FAILS(ftruncate(fd, 11), EFBIG);
  EQUAL(too_big, 2);
  OK(ftruncate(fd, 10));
}

TEST(fsize_order, "who may not truncate a file is told so before it is too long") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  write_file("f", "x");
  struct rlimit limit = {100, RLIM_INFINITY};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  signal(SIGXFSZ, SIG_IGN);
  FAILS(truncate("f", 101), EFBIG);
  OK(truncate("f", 100));
  OK(seteuid(1000));
  FAILS(truncate("f", 101), EACCES);
  OK(seteuid(0));
}

TEST(fsize_privileges, "a file keeps its set-id bits when RLIMIT_FSIZE forbids what would take them") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(fchmod(fd, 06777));
  struct rlimit limit = {100, RLIM_INFINITY};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  signal(SIGXFSZ, SIG_IGN);
  OK(seteuid(1000));
  FAILS(pwrite(fd, "x", 1, 100), EFBIG);
  FAILS(ftruncate(fd, 101), EFBIG);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_mode & 07777, 06777);
  OK(seteuid(0));
}

TEST(fsize_generated, "RLIMIT_FSIZE does not bound what is written to files that the kernel generates") {
  struct rlimit limit = {0, RLIM_INFINITY};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  int fd = OK(open("/proc/self/comm", O_RDWR));
  EQUAL(write(fd, "renamed", 7), 7);
  int memory = OK(open("/proc/self/mem", O_RDWR));
  static char byte;
  EQUAL(pwrite(memory, "x", 1, (off_t)&byte), 1);
  EQUAL(byte, 'x');
}

TEST(holes, "a hole reads as zeros and lseek finds data") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  EQUAL(pwrite(fd, "x", 1, 1 << 20), 1);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_size, (1 << 20) + 1);
  CHECK(st.st_blocks < 200);
  off_t data = OK(lseek(fd, 0, SEEK_DATA));
  CHECK(data > 0 && data <= 1 << 20);
  EQUAL(lseek(fd, 0, SEEK_HOLE), 0);
  EQUAL(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
  FAILS(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
}

TEST(space, "fallocate extends, keeps the size, punches and refuses nonsense") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct stat st;
  OK(fallocate(fd, 0, 0, 10000));
  OK(fstat(fd, &st));
  EQUAL(st.st_size, 10000);
  CHECK(st.st_blocks >= 20);
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000));
  OK(fstat(fd, &st));
  EQUAL(st.st_size, 10000);
  char text[8192];
  memset(text, 7, sizeof text);
  EQUAL(pwrite(fd, text, sizeof text, 0), (int)sizeof text);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10, 4096));
  EQUAL(pread(fd, text, sizeof text, 0), (int)sizeof text);
  CHECK(text[9] == 7 && text[10] == 0 && text[4105] == 0 && text[4106] == 7);
  FAILS(fallocate(fd, 0, -1, 1), EINVAL);
  FAILS(fallocate(fd, 0, 0, 0), EINVAL);
  FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
  FAILS(fallocate(OK(open("f", O_RDONLY)), 0, 0, 1), EBADF);
  int p[2];
  OK(pipe(p));
  FAILS(fallocate(p[1], 0, 0, 1), ESPIPE);
}

TEST(space_appended, "O_APPEND does not forbid to punch holes") {
  int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
  EQUAL(write(fd, "text", 4), 4);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
  char text[4];
  EQUAL(pread(fd, text, 4, 0), 4);
  CHECK(memcmp(text, "t\0\0t", 4) == 0);
}

TEST(space_mapped, "mapping a file gives its holes no pages") {
  int fd = OK(memfd_create("m", 0));
  EQUAL(pwrite(fd, "x", 1, 8192), 1);
  CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_blocks, 8);
  EQUAL(lseek(fd, 0, SEEK_DATA), 8192);
}

TEST(space_behind, "holes are punched across the end of a file and behind it") {
  static const int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  int sizes[] = {5000, 200000};
  for (int i = 0; i < 2; i++) {
    int fd = OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
    struct stat full, punched;
    OK(ftruncate(fd, sizes[i]));
    OK(fallocate(fd, hole, sizes[i], 1 << 20));
    OK(fallocate(fd, hole, 1 << 20, 4096));
    OK(fallocate(fd, 0, 0, sizes[i]));
    OK(fstat(fd, &full));
    CHECK(full.st_blocks > 0);
    OK(fallocate(fd, hole, 0, 1 << 20));
    OK(fstat(fd, &punched));
    EQUAL(punched.st_size, sizes[i]);
    EQUAL(punched.st_blocks, 0);
  }
}

TEST(unlinked, "an open file outlives its name") {
  write_file("f", "still here");
  int fd = OK(open("f", O_RDWR));
  OK(unlink("f"));
  FAILS(open("f", O_RDONLY), ENOENT);
  char text[20];
  EQUAL(read(fd, text, 20), 10);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_nlink, 0);
}

TEST(mapped, "a shared mapping and the file's data are one") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, 8192));
  char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(m != MAP_FAILED);
  m[5000] = 'm';
  char byte;
  EQUAL(pread(fd, &byte, 1, 5000), 1);
  EQUAL(byte, 'm');
  EQUAL(pwrite(fd, "w", 1, 5001), 1);
  EQUAL(m[5001], 'w');
  IN_CHILD(pid, m[0] = 'c');
  join(pid);
  EQUAL(m[0], 'c');
  char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  private[0] = 'p';
  EQUAL(m[0], 'c');
}

TEST(memfds, "a memfd is sealed against what its seals say") {
  int fd = OK(memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  EQUAL(write(fd, "data", 4), 4);
  EQUAL(fcntl(fd, F_GET_SEALS), 0);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  FAILS(ftruncate(fd, 2), EPERM);
  FAILS(ftruncate(fd, 20), EPERM);
  FAILS(pwrite(fd, "x", 1, 4), EPERM);
  EQUAL(pwrite(fd, "x", 1, 0), 1);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
  FAILS(pwrite(fd, "x", 1, 0), EPERM);
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  CHECK(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  int plain = OK(memfd_create("plain", 0));
  EQUAL(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
  char path[64], target[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", plain);
  OK(readlink(path, target, sizeof target - 1));
  CHECK(strcmp(target, "/memfd:plain (deleted)") == 0);
  FAILS(memfd_create("x", 0x8000), EINVAL);
}

TEST(memfd_space, "fallocate of a memfd takes room or makes holes and nothing else, and none behind a sealed end") {
  int fd = OK(memfd_create("m", MFD_ALLOW_SEALING)), hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  OK(fallocate(fd, 0, 0, 100));
  FAILS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 50), EOPNOTSUPP);
  FAILS(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 50), EOPNOTSUPP);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  OK(fallocate(fd, hole, 0, 5000));
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
  FAILS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 101), EPERM);
  FAILS(fallocate(fd, 0, 0, 101), EPERM);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  FAILS(fallocate(fd, hole, 0, 50), EPERM);
}

TEST(attributes, "extended attributes are set, listed, read and removed") {
  write_file("f", "");
  if (setxattr("f", "user.one", "1", 1, 0) != 0) {
    SKIP_UNLESS(errno != EOPNOTSUPP, "this file system has no user attributes");
    CHECK(0);
  }
  FAILS(setxattr("f", "user.one", "2", 1, XATTR_CREATE), EEXIST);
  FAILS(setxattr("f", "user.two", "2", 1, XATTR_REPLACE), ENODATA);
  OK(setxattr("f", "user.two", "", 0, XATTR_CREATE));
  char text[100];
  EQUAL(getxattr("f", "user.one", NULL, 0), 1);
  EQUAL(getxattr("f", "user.one", text, sizeof text), 1);
  EQUAL(text[0], '1');
  ssize_t n = OK(listxattr("f", text, sizeof text));
  CHECK(memmem(text, n, "user.one", 9) && memmem(text, n, "user.two", 9));
  FAILS(listxattr("f", text, 3), ERANGE);
  OK(removexattr("f", "user.one"));
  FAILS(getxattr("f", "user.one", text, 1), ENODATA);
  FAILS(setxattr("f", "bad.name", "", 0, 0), EOPNOTSUPP);
  FAILS(setxattr("f", "", "", 0, 0), ERANGE);
  FAILS(setxattr("f", "user.x", "", 0, 4), EINVAL);
  FAILS(syscall(SYS_setxattr, "f", "user.x", text, 65537, 0), E2BIG);
  OK(symlink("f", "l"));
  EQUAL(getxattr("l", "user.two", NULL, 0), 0);
  FAILS(lsetxattr("l", "user.x", "", 0, 0), EPERM);
}

TEST(times, "reading, writing and changing set the times they should") {
  struct timespec old[2] = {{1000, 5}, {2000, 7}};
  write_file("f", "x");
  OK(utimensat(AT_FDCWD, "f", old, 0));
  struct stat st;
  OK(stat("f", &st));
  EQUAL(st.st_atim.tv_sec, 1000);
  EQUAL(st.st_atim.tv_nsec, 5);
  EQUAL(st.st_mtim.tv_sec, 2000);
  EQUAL(st.st_mtim.tv_nsec, 7);
  CHECK(st.st_ctim.tv_sec > 1000000);
  int fd = OK(open("f", O_RDWR));
  EQUAL(write(fd, "y", 1), 1);
  OK(fstat(fd, &st));
  CHECK(st.st_mtim.tv_sec > 1000000);
  EQUAL(st.st_atim.tv_sec, 1000);
  struct timespec omit[2] = {{0, UTIME_OMIT}, {3000, 0}};
  OK(futimens(fd, omit));
  OK(fstat(fd, &st));
  EQUAL(st.st_atim.tv_sec, 1000);
  EQUAL(st.st_mtim.tv_sec, 3000);
  struct timespec bad[2] = {{0, 0}, {0, 1000000000}};
  FAILS(futimens(fd, bad), EINVAL);
  OK(symlink("f", "l"));
  OK(utimensat(AT_FDCWD, "l", old, AT_SYMLINK_NOFOLLOW));
  OK(lstat("l", &st));
  EQUAL(st.st_mtim.tv_sec, 2000);
}

TEST(modes, "chmod and chown change what they may") {
  write_file("f", "");
  struct stat st;
  OK(chmod("f", 06755));
  OK(stat("f", &st));
  EQUAL(st.st_mode & 07777, 06755);
  if (getuid() == 0) {
    OK(chown("f", 12, 34));
    OK(stat("f", &st));
    EQUAL(st.st_uid, 12);
    EQUAL(st.st_gid, 34);
    EQUAL(st.st_mode & 07777, 0755);
    OK(chown("f", -1, 35));
    OK(stat("f", &st));
    EQUAL(st.st_uid, 12);
    IN_CHILD(pid, {
      OK(setgid(1000));
      OK(setuid(1000));
      FAILS(chmod("f", 0777), EPERM);
      FAILS(chown("f", 1000, 1000), EPERM);
      FAILS(open("f", O_WRONLY), EACCES);
    });
    join(pid);
  }
  FAILS(chmod("none", 0644), ENOENT);
  FAILS(fchmodat(AT_FDCWD, "f", 0644, 0x4000), EINVAL);
}

TEST(setid_write, "an ordinary user's write takes setuid away") {
  SKIP_UNLESS(getuid() == 0, "needs root");
  write_file("f", "x");
  OK(chmod("f", 06777));
  IN_CHILD(pid, {
    OK(setgid(1000));
    OK(setuid(1000));
    int fd = OK(open("f", O_WRONLY));
    EQUAL(write(fd, "y", 1), 1);
  });
  join(pid);
  struct stat st;
  OK(stat("f", &st));
  EQUAL(st.st_mode & 07777, 0777);
}

TEST(statx_, "statx and statfs agree with stat") {
  write_file("f", "12345");
  struct stat st;
  struct statx stx;
  OK(stat("f", &st));
  OK(statx(AT_FDCWD, "f", 0, STATX_ALL, &stx));
  EQUAL(stx.stx_size, 5);
  EQUAL(stx.stx_ino, st.st_ino);
  EQUAL(stx.stx_mode, st.st_mode);
  EQUAL(stx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
  CHECK((stx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  int fd = OK(open("f", O_RDONLY));
  OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
  FAILS(statx(fd, "", 0, STATX_SIZE, &stx), ENOENT);
  FAILS(statx(fd, "", 0x40000, STATX_SIZE, &stx), EINVAL);
  FAILS(statx(AT_FDCWD, "f", 0, STATX__RESERVED, &stx), EINVAL);
  struct statfs sf;
  OK(statfs(".", &sf));
  CHECK(sf.f_bsize > 0 && sf.f_namelen >= 143);
  OK(fstatfs(fd, &sf));
  FAILS(statfs("none", &sf), ENOENT);
}

TEST(openat2_, "openat2 keeps below its directory and refuses what it does not know") {
  struct { uint64_t flags, mode, resolve, more; } how = {O_RDONLY, 0, 0x08, 0};
  OK(mkdir("d", 0755));
  write_file("d/f", "x");
  OK(symlink("../d/f", "d/out"));
  OK(symlink("f", "d/in"));
  int dir = OK(open("d", O_PATH));
  OK(syscall(SYS_openat2, dir, "in", &how, 24));
  FAILS(syscall(SYS_openat2, dir, "out", &how, 24), EXDEV);
  FAILS(syscall(SYS_openat2, dir, "/etc", &how, 24), EXDEV);
  FAILS(syscall(SYS_openat2, 999, "/etc", &how, 24), EXDEV);
  FAILS(syscall(SYS_openat2, 999, "etc", &how, 24), EBADF);
  how.resolve = 0x10;
  FAILS(syscall(SYS_openat2, dir, "/d/f", &how, 24), ENOENT);
  OK(syscall(SYS_openat2, dir, "/f", &how, 24));
  how.resolve = 0x04;
  FAILS(syscall(SYS_openat2, dir, "in", &how, 24), ELOOP);
  how.resolve = 0x1000;
  FAILS(syscall(SYS_openat2, dir, "in", &how, 24), EINVAL);
  how.resolve = 0;
  OK(syscall(SYS_openat2, dir, "in", &how, 32));
  how.more = 1;
  FAILS(syscall(SYS_openat2, dir, "in", &how, 32), E2BIG);
  FAILS(syscall(SYS_openat2, dir, "in", &how, 8), EINVAL);
  how.mode = 0644;
  FAILS(syscall(SYS_openat2, dir, "in", &how, 24), EINVAL);
}

TEST(advice, "advice and synchronisation are checked") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  int p[2];
  OK(pipe(p));
  EQUAL(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
  EQUAL(posix_fadvise(fd, 0, 0, 77), EINVAL);
  EQUAL(posix_fadvise(p[0], 0, 0, 0), ESPIPE);
  EQUAL(posix_fadvise(999, 0, 0, 0), EBADF);
  OK(fsync(fd));
  OK(fdatasync(fd));
  FAILS(fsync(p[0]), EINVAL);
  FAILS(fsync(999), EBADF);
  OK(syncfs(fd));
  OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  FAILS(sync_file_range(fd, 0, 0, 64), EINVAL);
  FAILS(readahead(OK(open("f", O_WRONLY)), 0, 1), EBADF);
}

TEST(sealed_maps, "a seal against writes needs that nobody can write through a mapping") {
  int fd = OK(memfd_create("m", MFD_ALLOW_SEALING));
  OK(ftruncate(fd, 4096));
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(m != MAP_FAILED);
  FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  OK(munmap(m, 4096));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(m != MAP_FAILED);
  CHECK(mprotect(m, 4096, PROT_READ | PROT_WRITE) != 0);
  m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(m != MAP_FAILED);
  m[0] = 1;
}

static volatile sig_atomic_t leases_broken;
static void on_lease(int sig) { (void)sig, leases_broken++; }

TEST(leases, "a lease is broken by an open that waits until it is given up") {
  write_file("f", "x");
  int fd = OK(open("f", O_RDONLY));
  if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) {
    SKIP_UNLESS(errno != EAGAIN, "this file system has no leases");
    CHECK(0);
  }
  EQUAL(fcntl(fd, F_GETLEASE), F_WRLCK);
  struct sigaction sa = {.sa_handler = on_lease};
  OK(sigaction(SIGIO, &sa, NULL));
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  OK(sigprocmask(SIG_BLOCK, &set, &old));
  IN_CHILD(pid, {
    FAILS(open("f", O_RDWR | O_NONBLOCK), EWOULDBLOCK);
    close(OK(open("f", O_RDWR)));
  });
  while (leases_broken == 0) sigsuspend(&old);
  EQUAL(fcntl(fd, F_GETLEASE), F_UNLCK);
  until_asleep(pid);
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));
  join(pid);
  FAILS(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
}

TEST(lease_rules, "what has no leases and whose file it is not come before that there is none") {
  int p[2];
  OK(pipe(p));
  FAILS(fcntl(p[0], F_SETLEASE, F_UNLCK), EINVAL);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  write_file("f", "x");
  int fd = OK(open("f", O_RDONLY));
  OK(seteuid(1000));
  FAILS(fcntl(fd, F_SETLEASE, F_UNLCK), EACCES);
  OK(seteuid(0));
}

TEST(directory_flags, "flags of preadv2 are for files that could heed them") {
  char byte;
  struct iovec one = {&byte, 1};
  int fd = OK(open(".", O_RDONLY));
  FAILS(preadv2(fd, &one, 1, 0, 0), EISDIR);
  FAILS(preadv2(fd, &one, 1, 0, RWF_SYNC), EOPNOTSUPP);
}

TEST(append_or_not, "RWF_NOAPPEND writes at its place in a file that is appended to") {
  int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
  EQUAL(write(fd, "abcdef", 6), 6);
  struct iovec iov = {"X", 1};
  if (pwritev2(fd, &iov, 1, 1, 0x20) < 0) {
    EQUAL(errno, EOPNOTSUPP);
    skip_test("no RWF_NOAPPEND before Linux 6.9");
  }
  EQUAL(pwritev2(fd, &iov, 1, 2, 0), 1);
  EQUAL(lseek(fd, 3, SEEK_SET), 3);
  EQUAL(pwritev2(fd, &iov, 1, -1, 0x20), 1);
  EQUAL(lseek(fd, 0, SEEK_CUR), 4);
  FAILS(pwritev2(fd, &iov, 1, 0, RWF_APPEND | 0x20), EINVAL);
  CHECK(strcmp(read_file("f"), "aXcXefX") == 0);
}

TEST(beyond_the_end, "nothing is read or written beyond the largest offset") {
  int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
  char byte = 'x';
  struct iovec iov = {&byte, 1};
  FAILS(pread(fd, &byte, 1, INT64_MAX), EINVAL);
  FAILS(pwrite(fd, &byte, 1, INT64_MAX), EINVAL);
  FAILS(preadv(fd, &iov, 1, INT64_MAX), EINVAL);
  FAILS(pwritev(fd, &iov, 1, INT64_MAX), EINVAL);
  EQUAL(pread(fd, &byte, 0, INT64_MAX), 0);
}

TEST(stat_flags, "stat takes statx's flags of synchronisation, and statx tells the birth to who asks") {
  write_file("f", "x");
  struct stat st;
  OK(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x6000));
  FAILS(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x8000), EINVAL);
  struct statx stx;
  OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx));
  EQUAL(stx.stx_mask & STATX_BTIME, 0);
  EQUAL(stx.stx_btime.tv_sec, 0);
}

TEST(full_device, "a full device has no room even for nothing") {
  int fd = OK(open("/dev/full", O_WRONLY));
  FAILS(write(fd, "", 0), ENOSPC);
}

TEST(direct, "O_DIRECT is for files that have data of their own, and packets of pipes") {
  OK(mkfifo("p", 0644));
  FAILS(open("p", O_RDONLY | O_NONBLOCK | O_DIRECT), EINVAL);
  FAILS(open(".", O_RDONLY | O_DIRECT), EINVAL);
  FAILS(open("/dev/null", O_RDONLY | O_DIRECT), EINVAL);
  int fd = OK(open("/dev/null", O_RDONLY));
  FAILS(fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
  OK(fcntl(OK(open("p", O_RDWR)), F_SETFL, O_DIRECT));
}

static long blocks(int fd) {
  struct stat st;
  OK(fstat(fd, &st));
  return st.st_blocks;
}

TEST(kept_pages, "pages behind the end of a file go when it is truncated, also to the size it has") {
  int fd = OK(memfd_create("kept", 0)), keep = FALLOC_FL_KEEP_SIZE;
  OK(fallocate(fd, keep, 0, 5 * 4096));
  EQUAL(blocks(fd), 40);
  OK(ftruncate(fd, 0));
  EQUAL(blocks(fd), 0);
  EQUAL(write(fd, "x", 1), 1);
  OK(fallocate(fd, keep, 0, 1 << 22));
  OK(ftruncate(fd, 1));
  EQUAL(blocks(fd), 8);
  OK(fallocate(fd, keep, 0, 1 << 22));
  OK(ftruncate(fd, 70000));
  EQUAL(blocks(fd), 8192);
  OK(ftruncate(fd, 60000));
  EQUAL(blocks(fd), 120);
}

TEST(named_by_opener, "linkat names an open file for its opener, not for who the opener has become") {
  if (geteuid() == 0) OK(setresuid(1000, 1000, 1001));
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0 && errno == EOPNOTSUPP) skip_test("a file system without O_TMPFILE");
  CHECK(fd >= 0);
  if (linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH) < 0) {
    EQUAL(errno, ENOENT);
    skip_test("not before Linux 6.10");
  }
  CHECK(lists(".", "named"));
  OK(setresuid(-1, -1, 1000));
  FAILS(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH), ENOENT);
}

TEST(faulting_write, "a write from memory that ends too early takes a page more than it fills at most") {
  size_t size = 1 << 20;
  char *at = OK(mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(at + size, size));
  int fd = OK(memfd_create("faulting", 0));
  EQUAL(write(fd, at + size - 4096, 8 * 4096), 4096);
  CHECK(blocks(fd) == 8 || blocks(fd) == 16);
  EQUAL(pwrite(fd, at, 1 << 30, 0), size);
  CHECK(blocks(fd) == 2048 || blocks(fd) == 2056);
  EQUAL(pwrite(fd, "x", 1, 3 * size), 1);
  EQUAL(pwrite(fd, at, 1 << 30, size), size);
  CHECK(blocks(fd) == 4104 || blocks(fd) == 4112);
}

TEST(sync_flags, "the bit of O_SYNC alone is O_SYNC") {
  int fd = OK(open("f", O_RDWR | O_CREAT | (O_SYNC & ~O_DSYNC), 0600));
  EQUAL(fcntl(fd, F_GETFL) & O_SYNC, O_SYNC);
}

TEST(known_attributes, "statx knows of any file whether it is automounted or direct-access") {
  write_file("f", "x");
  struct statx stx;
  OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx));
  const uint64_t known = 0x1000 /* STATX_ATTR_AUTOMOUNT */ | 0x200000 /* STATX_ATTR_DAX */;
  EQUAL(stx.stx_attributes_mask & known, known);
  EQUAL(stx.stx_attributes & known, 0);
}

TEST(same_size, "truncating a file to the size that it has sets its times") {
  struct timespec old[2] = {{1000, 0}, {2000, 0}};
  struct stat st;
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  for (int i = 0; i < 2; i++) {
    OK(futimens(fd, old));
    if (i == 0) OK(ftruncate(fd, 0));
    if (i == 1) OK(truncate("f", 0));
    OK(fstat(fd, &st));
    CHECK(st.st_mtime > 2000);
    EQUAL(st.st_atime, 1000);
  }
}

TEST(memfd_times, "every read of a memfd sets the time of its reading") {
  struct timespec later[2] = {{4000000000, 0}, {1000, 0}};
  struct stat st;
  char byte;
  int fd = OK(memfd_create("m", 0));
  EQUAL(write(fd, "x", 1), 1);
  OK(futimens(fd, later));
  EQUAL(pread(fd, &byte, 1, 0), 1);
  OK(fstat(fd, &st));
  CHECK(st.st_atime < 4000000000);
}

TEST(by_handle, "a handle leads back to its file, and with O_PATH most flags count for nothing") {
  union {
    struct file_handle head;
    char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
  int mount_id;
  char text[4];
  write_file("f", "text");
  SKIP_UNLESS(geteuid() == 0, "only root may open by a handle");
  int made = name_to_handle_at(AT_FDCWD, "f", &handle.head, &mount_id, 0);
  SKIP_UNLESS(made == 0 || errno != EOPNOTSUPP, "the file system knows no handles");
  OK(made);
  OK(rename("f", "g"));
  int fd = OK(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY | O_NONBLOCK));
  EQUAL(fcntl(fd, F_GETFL) & ~0100000, O_NONBLOCK);
  EQUAL(read(fd, text, 4), 4);
  fd = OK(open_by_handle_at(AT_FDCWD, &handle.head, O_PATH | O_NONBLOCK | O_APPEND));
  EQUAL(fcntl(fd, F_GETFL), O_PATH);
  FAILS(read(fd, text, 4), EBADF);
  handle.bytes[sizeof handle.head] ^= 0x55;
  FAILS(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY), ESTALE);
}
