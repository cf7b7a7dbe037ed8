// pipe(7): ends, atomicity, limits, signals.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <limits.h>

static volatile sig_atomic_t broken;
static void on_sigpipe(int sig) { (void)sig, broken++; }

TEST(epipe, "write to a pipe without readers returns EPIPE and raises SIGPIPE") {
  int p[2];
  OK(pipe(p));
  signal(SIGPIPE, on_sigpipe);
  close(p[0]);
  FAILS(write(p[1], "x", 1), EPIPE);
  EQUAL(broken, 1);
  signal(SIGPIPE, SIG_IGN);
  FAILS(write(p[1], "x", 1), EPIPE);
}

TEST(sigpipe_kills, "SIGPIPE kills a writer that does not handle it") {
  int p[2];
  OK(pipe(p));
  pid_t pid = OK(fork());
  if (pid == 0) {
    close(p[0]);
    write(p[1], "x", 1);
    _exit(0);
  }
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  close(p[0]);
  CHECK(WIFEXITED(status)); /* The parent's read end was still open. */
  pid = OK(fork());
  if (pid == 0) {
    write(p[1], "x", 1);
    _exit(0);
  }
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

TEST(end_of_file, "read returns 0 when the last writer has closed") {
  int p[2];
  char byte;
  OK(pipe(p));
  int second = OK(dup(p[1]));
  close(p[1]);
  OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
  FAILS(read(p[0], &byte, 1), EAGAIN);
  close(second);
  EQUAL(read(p[0], &byte, 1), 0);
}

TEST(capacity, "a pipe holds 64 KiB and then refuses without blocking") {
  int p[2];
  static char block[4096];
  OK(pipe2(p, O_NONBLOCK));
  EQUAL(fcntl(p[1], F_GETPIPE_SZ), 65536);
  int blocks = 0;
  while (write(p[1], block, sizeof block) == sizeof block) blocks++;
  EQUAL(errno, EAGAIN);
  EQUAL(blocks, 16);
  int queued;
  OK(ioctl(p[0], FIONREAD, &queued));
  EQUAL(queued, 65536);
}

TEST(resize, "F_SETPIPE_SZ rounds up to a power of two and refuses to lose data") {
  int p[2];
  static char block[8192];
  OK(pipe2(p, O_NONBLOCK));
  EQUAL(fcntl(p[1], F_SETPIPE_SZ, 5000), 8192);
  EQUAL(write(p[1], block, sizeof block), sizeof block);
  FAILS(write(p[1], block, 1), EAGAIN);
  FAILS(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
  EQUAL(fcntl(p[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
}

TEST(atomic_refused, "a non-blocking write up to PIPE_BUF is all or nothing") {
  int p[2];
  static char block[65536];
  OK(pipe2(p, O_NONBLOCK));
  EQUAL(write(p[1], block, 65536 - 100), 65536 - 100);
  FAILS(write(p[1], block, PIPE_BUF), EAGAIN);
  EQUAL(read(p[0], block, 61440), 61440);
  EQUAL(write(p[1], block, PIPE_BUF), PIPE_BUF);
}

TEST(atomic_writes, "writes of PIPE_BUF bytes by two processes do not mix") {
  int p[2];
  char block[PIPE_BUF];
  pid_t writers[2];
  OK(pipe(p));
  for (int who = 0; who < 2; who++) {
    writers[who] = OK(fork());
    if (writers[who] == 0) {
      memset(block, 'a' + who, sizeof block);
      for (int i = 0; i < 40; i++) EQUAL(write(p[1], block, sizeof block), sizeof block);
      _exit(0);
    }
  }
  close(p[1]);
  int blocks = 0;
  for (;;) {
    size_t got = 0;
    ssize_t n = 0;
    while (got < sizeof block && (n = read(p[0], block + got, sizeof block - got)) > 0) got += n;
    if (got == 0) break;
    EQUAL(got, sizeof block);
    for (size_t i = 1; i < sizeof block; i++) EQUAL(block[i], block[0]);
    blocks++;
  }
  EQUAL(blocks, 80);
  join(writers[0]);
  join(writers[1]);
}

TEST(blocking_writer, "a blocked writer goes on as the reader takes") {
  int p[2];
  static char data[300000], got[300000];
  OK(pipe(p));
  for (size_t i = 0; i < sizeof data; i++) data[i] = i * 7;
  IN_CHILD(pid, {
    close(p[0]);
    EQUAL(write(p[1], data, sizeof data), sizeof data);
  });
  close(p[1]);
  size_t length = 0;
  ssize_t n;
  while ((n = read(p[0], got + length, sizeof got - length)) > 0) length += n;
  EQUAL(length, sizeof data);
  CHECK(memcmp(data, got, sizeof data) == 0);
  join(pid);
}

TEST(packets, "O_DIRECT keeps the borders of writes") {
  int p[2];
  char buffer[100];
  OK(pipe2(p, O_DIRECT));
  EQUAL(write(p[1], "first", 5), 5);
  EQUAL(write(p[1], "second", 6), 6);
  EQUAL(read(p[0], buffer, 3), 3); /* What did not fit is gone. */
  EQUAL(read(p[0], buffer, sizeof buffer), 6);
  CHECK(memcmp(buffer, "second", 6) == 0);
}

TEST(poll_ends, "poll tells each end of a pipe what it can do") {
  int p[2];
  static char block[65536];
  OK(pipe2(p, O_NONBLOCK));
  struct pollfd both[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
  EQUAL(poll(both, 2, 0), 1);
  EQUAL(both[1].revents, POLLOUT);
  EQUAL(write(p[1], block, sizeof block), sizeof block);
  EQUAL(poll(both, 2, 0), 1);
  EQUAL(both[0].revents, POLLIN);
  close(p[1]);
  EQUAL(poll(both, 1, 0), 1);
  EQUAL(both[0].revents, POLLIN | POLLHUP);
  OK(pipe(p));
  close(p[0]);
  both[1].fd = p[1];
  EQUAL(poll(both + 1, 1, 0), 1);
  EQUAL(both[1].revents, POLLOUT | POLLERR);
}

TEST(wrong_end, "reading the write end and seeking fail") {
  int p[2];
  char byte;
  OK(pipe(p));
  FAILS(read(p[1], &byte, 1), EBADF);
  FAILS(write(p[0], &byte, 1), EBADF);
  FAILS(lseek(p[0], 0, SEEK_CUR), ESPIPE);
  FAILS(pread(p[0], &byte, 1, 0), ESPIPE);
  FAILS(ftruncate(p[1], 0), EINVAL);
}

TEST(bad_memory, "pipe gives no descriptors away when it cannot say their numbers") {
  int before = OK(dup(0));
  close(before);
  FAILS(syscall(SYS_pipe2, nowhere, 0), EFAULT);
  FAILS(syscall(SYS_pipe2, &before, 0x10), EINVAL);
  int after = OK(dup(0));
  EQUAL(after, before);
}

TEST(fault_in_middle, "a bad address fails with EFAULT and takes nothing") {
  int p[2];
  OK(pipe(p));
  EQUAL(write(p[1], "abcdef", 6), 6);
  FAILS(read(p[0], nowhere, 6), EFAULT);
  FAILS(write(p[1], nowhere, 6), EFAULT);
  char got[10];
  EQUAL(read(p[0], got, sizeof got), 6);
}

TEST(vectors, "readv and writev use every part") {
  int p[2];
  char a[3], b[5];
  OK(pipe(p));
  struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdefg", 5}};
  struct iovec in[2] = {{a, 3}, {b, 5}};
  EQUAL(writev(p[1], out, 3), 7);
  EQUAL(readv(p[0], in, 2), 7);
  CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
}

TEST(fifo, "opening a FIFO waits for the other side") {
  OK(mkfifo("fifo", 0600));
  FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  IN_CHILD(pid, {
    int out = OK(open("fifo", O_WRONLY));
    EQUAL(write(out, "through", 7), 7);
  });
  int in = OK(open("fifo", O_RDONLY));
  char text[10];
  EQUAL(read(in, text, sizeof text), 7);
  EQUAL(read(in, text, sizeof text), 0);
  join(pid);
}

/* SIGIO is blocked from now on, and what sigtimedwait asks for. */
static sigset_t block_sigio(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  return set;
}

TEST(sigio_writer, "O_ASYNC of a pipe's writing end sends a signal for each read that takes something") {
  int p[2];
  OK(pipe(p));
  sigset_t set = block_sigio();
  OK(fcntl(p[1], F_SETOWN, getpid()));
  OK(fcntl(p[1], F_SETFL, O_ASYNC));
  struct timespec none = {0, 0};
  char byte;
  EQUAL(write(p[1], "xy", 2), 2);
  FAILS(sigtimedwait(&set, NULL, &none), EAGAIN);
  for (int i = 0; i < 2; i++) {
    EQUAL(read(p[0], &byte, 1), 1);
    EQUAL(sigtimedwait(&set, NULL, &none), SIGIO);
    EQUAL(read(p[0], &byte, 0), 0);
    FAILS(sigtimedwait(&set, NULL, &none), EAGAIN);
  }
}

TEST(sigio, "O_ASYNC sends the owner a signal when data comes") {
  int p[2];
  OK(pipe(p));
  sigset_t set = block_sigio();
  OK(fcntl(p[0], F_SETOWN, getpid()));
  EQUAL(fcntl(p[0], F_GETOWN), getpid());
  OK(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  EQUAL(write(p[1], "x", 1), 1);
  struct timespec limit = {5, 0};
  EQUAL(sigtimedwait(&set, NULL, &limit), SIGIO);
}

TEST(faults, "a write from memory that ends too early leaves whole pages in a pipe, and nothing in a socket") {
  int page = 4096, p[2], s[2], left;
  char *at = OK(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *end = at + 2 * page;
  OK(munmap(end, page));
  OK(pipe2(p, O_NONBLOCK));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  FAILS(write(p[1], end - 5, 10), EFAULT);
  FAILS(write(s[1], end - page, 2 * page), EFAULT);
  OK(ioctl(p[0], FIONREAD, &left));
  EQUAL(left, 0);
  OK(ioctl(s[0], FIONREAD, &left));
  EQUAL(left, 0);
  EQUAL(write(p[1], end - page - 100, 2 * page), page);
  EQUAL(write(p[1], "x", 1), 1);
  FAILS(write(p[1], end - 5, 10), EFAULT);
  OK(ioctl(p[0], FIONREAD, &left));
  EQUAL(left, page + 1);
  struct iovec iov[] = {{"abc", 3}, {end - 5, 10}};
  FAILS(writev(p[1], iov, 2), EFAULT);
  FAILS(writev(s[1], iov, 2), EFAULT);
  OK(fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
  FAILS(write(p[1], end - 5, 10), EFAULT);
}

TEST(fifo_times, "what goes into a FIFO sets the time of its modification, what is taken that of its reading") {
  struct timespec old[2] = {{1000, 0}, {2000, 0}};
  struct stat st;
  char byte;
  OK(mkfifo("p", 0644));
  int fd = OK(open("p", O_RDWR | O_NONBLOCK));
  OK(utimensat(AT_FDCWD, "p", old, 0));
  FAILS(read(fd, &byte, 1), EAGAIN);
  OK(stat("p", &st));
  EQUAL(st.st_atime, 1000);
  EQUAL(st.st_mtime, 2000);
  EQUAL(write(fd, "x", 1), 1);
  OK(stat("p", &st));
  EQUAL(st.st_atime, 1000);
  CHECK(st.st_mtime > 2000);
  EQUAL(read(fd, &byte, 1), 1);
  OK(fstat(fd, &st));
  CHECK(st.st_atime > 1000);
}

TEST(slots, "a pipe has as many slots as pages, and small writes share one where they fit") {
  static char data[8192];
  int p[2];
  OK(pipe2(p, O_NONBLOCK));
  OK(fcntl(p[0], F_SETPIPE_SZ, 4 * 4096));
  for (int i = 0; i < 4; i++) EQUAL(write(p[1], data, 3000), 3000);
  FAILS(write(p[1], data, 3000), EAGAIN);
  struct pollfd end = {p[1], POLLOUT, 0};
  EQUAL(poll(&end, 1, 0), 0);
  EQUAL(write(p[1], data, 1000), 1000);
  FAILS(write(p[1], data, 1000), EAGAIN);
  FAILS(fcntl(p[0], F_SETPIPE_SZ, 2 * 4096), EBUSY);
  EQUAL(read(p[0], data, 2999), 2999);
  EQUAL(poll(&end, 1, 0), 0);
  EQUAL(read(p[0], data, 1), 1);
  EQUAL(poll(&end, 1, 0), 1);
  EQUAL(write(p[1], data, 4096 + 100), 4096);
}

/* The code and the events of the signal that a file with O_ASYNC and F_SETSIG has sent; -1 for none. */
static int signalled(int signo, long *band) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  siginfo_t info;
  struct timespec now = {0, 0};
  if (sigtimedwait(&set, &info, &now) < 0) return -1;
  *band = info.si_band;
  return info.si_code;
}

TEST(sigio_ends, "the end of the writers signals POLL_IN to a reader, and a write signals no writer") {
  int p[2], signo = SIGRTMIN + 1;
  long band;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(pipe(p));
  for (int i = 0; i < 2; i++) {
    OK(fcntl(p[i], F_SETOWN, getpid()));
    OK(fcntl(p[i], F_SETSIG, signo));
    OK(fcntl(p[i], F_SETFL, O_ASYNC));
  }
  EQUAL(write(p[1], "x", 1), 1);
  EQUAL(signalled(signo, &band), POLL_IN);
  EQUAL(signalled(signo, &band), -1);
  close(p[1]);
  EQUAL(signalled(signo, &band), POLL_IN);
  EQUAL(band, POLLIN | POLLRDNORM);
}

TEST(no_times, "a pipe's times tell nothing of its use, and its file system no way of keeping them") {
  struct timespec none[2] = {{1000, 0}, {2000, 0}};
  struct stat st;
  struct statfs fs;
  char byte;
  int p[2];
  OK(pipe(p));
  OK(futimens(p[0], none));
  EQUAL(write(p[1], "xy", 2), 2);
  EQUAL(read(p[0], &byte, 1), 1);
  OK(fstat(p[0], &st));
  EQUAL(st.st_atime, 1000);
  EQUAL(st.st_mtime, 2000);
  OK(fstatfs(p[0], &fs));
  EQUAL(fs.f_flags & ~0x20 /* ST_VALID */, 0);
}
