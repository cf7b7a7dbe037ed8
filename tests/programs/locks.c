// flock(2), fcntl(2): record locks, open file description locks, status flags.
#include "check.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/sockios.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len) {
  struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &f);
}

static struct flock query(int fd, int cmd, int type, off_t start, off_t len) {
  struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  OK(fcntl(fd, cmd, &f));
  return f;
}

static int file(void) { return OK(open("f", O_RDWR | O_CREAT, 0644)); }

TEST(records, "a record lock keeps other processes out, not its own") {
  int fd = file();
  OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
  OK(lock(file(), F_SETLK, F_WRLCK, 10, 10));
  OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
  pid_t self_pid = getpid();
  IN_CHILD(pid, {
    FAILS(lock(fd, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
    OK(lock(fd, F_SETLK, F_WRLCK, 20, 0));
    struct flock f = query(fd, F_GETLK, F_WRLCK, 0, 0);
    EQUAL(f.l_type, F_WRLCK);
    EQUAL(f.l_start, 10);
    EQUAL(f.l_len, 10);
    EQUAL(f.l_pid, self_pid);
    EQUAL(query(fd, F_GETLK, F_WRLCK, 0, 10).l_type, F_UNLCK);
  });
  join(pid);
}

TEST(split, "unlocking the middle leaves both ends locked") {
  int fd = file();
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
  OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
  OK(lock(fd, F_SETLK, F_RDLCK, 80, 20));
  IN_CHILD(pid, {
    EQUAL(query(fd, F_GETLK, F_WRLCK, 0, 0).l_len, 40);
    EQUAL(query(fd, F_GETLK, F_WRLCK, 50, 0).l_start, 60);
    EQUAL(query(fd, F_GETLK, F_RDLCK, 80, 0).l_type, F_UNLCK);
    OK(lock(fd, F_SETLK, F_WRLCK, 40, 20));
  });
  join(pid);
}

TEST(ranges, "ranges are counted from where they say and must begin at 0 or later") {
  int fd = file();
  OK(ftruncate(fd, 100));
  OK(lseek(fd, 50, SEEK_SET));
  struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 10, .l_len = -20};
  OK(fcntl(fd, F_SETLK, &f));
  IN_CHILD(pid, {
    struct flock g = query(fd, F_GETLK, F_WRLCK, 0, 0);
    EQUAL(g.l_start, 40);
    EQUAL(g.l_len, 20);
  });
  join(pid);
  FAILS(lock(fd, F_SETLK, F_WRLCK, 5, -10), EINVAL);
  FAILS(lock(fd, F_SETLK, 77, 0, 1), EINVAL);
  int reader = OK(open("f", O_RDONLY));
  FAILS(lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
}

TEST(close_drops, "closing any descriptor of the file drops the process's locks") {
  int fd = file();
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  close(file());
  IN_CHILD(pid, OK(lock(fd, F_SETLK, F_WRLCK, 0, 0)));
  join(pid);
}

TEST(waits, "F_SETLKW waits until the lock is gone") {
  int fd = file(), p[2];
  OK(pipe(p));
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  IN_CHILD(pid, {
    OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
    EQUAL(write(p[1], "c", 1), 1);
  });
  until_asleep(pid);
  EQUAL(write(p[1], "p", 1), 1);
  OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  join(pid);
  char order[2];
  EQUAL(read(p[0], order, 2), 2);
  CHECK(memcmp(order, "pc", 2) == 0);
}

TEST(exit_drops, "a process that dies leaves no lock") {
  int fd = file(), p[2];
  OK(pipe(p));
  pid_t pid = OK(fork());
  if (pid == 0) {
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    EQUAL(write(p[1], "x", 1), 1);
    pause();
  }
  char byte;
  EQUAL(read(p[0], &byte, 1), 1);
  FAILS(lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
  OK(kill(pid, SIGKILL));
  OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
  OK(waitpid(pid, NULL, 0));
}

static void on_alarm(int sig) { (void)sig; }

TEST(interrupted, "a signal ends the wait with EINTR") {
  int fd = file();
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  IN_CHILD(pid, {
    struct sigaction sa = {.sa_handler = on_alarm};
    OK(sigaction(SIGUSR1, &sa, NULL));
    pid_t me = getpid();
    if (fork() == 0) {
      until_asleep(me);
      kill(me, SIGUSR1);
      _exit(0);
    }
    FAILS(lock(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
    wait(NULL);
  });
  join(pid);
}

TEST(deadlock, "two processes that wait for each other: one gets EDEADLK") {
  int fd = file(), p[2];
  OK(pipe(p));
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
  IN_CHILD(pid, {
    OK(lock(fd, F_SETLK, F_WRLCK, 1, 1));
    EQUAL(write(p[1], "x", 1), 1);
    OK(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
  });
  char byte;
  EQUAL(read(p[0], &byte, 1), 1);
  until_asleep(pid);
  FAILS(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
  OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
  join(pid);
}

TEST(ofd, "open file description locks belong to the open file") {
  int fd = file(), other = file();
  OK(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
  FAILS(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
  EQUAL(query(other, F_OFD_GETLK, F_WRLCK, 5, 1).l_pid, -1);
  FAILS(lock(other, F_SETLK, F_WRLCK, 5, 1), EAGAIN);
  int second = OK(dup(fd));
  OK(lock(second, F_OFD_SETLK, F_RDLCK, 0, 10));
  close(fd);
  FAILS(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
  close(second);
  OK(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1));
  struct flock bad = {.l_type = F_WRLCK, .l_pid = 1};
  FAILS(fcntl(other, F_OFD_SETLK, &bad), EINVAL);
}

TEST(flocks, "flock is shared or exclusive by open file") {
  int a = file(), b = file();
  OK(flock(a, LOCK_SH));
  OK(flock(b, LOCK_SH | LOCK_NB));
  FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  OK(flock(a, LOCK_UN));
  OK(flock(b, LOCK_EX | LOCK_NB));
  OK(lock(a, F_SETLK, F_WRLCK, 0, 0));
  int c = OK(dup(b));
  close(b);
  FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  close(c);
  OK(flock(a, LOCK_SH | LOCK_NB));
  FAILS(flock(a, LOCK_NB), EINVAL);
  FAILS(flock(999, LOCK_SH), EBADF);
}

TEST(flock_waits, "flock waits, and is inherited by fork") {
  int fd = file(), p[2];
  OK(pipe(p));
  OK(flock(fd, LOCK_EX));
  IN_CHILD(pid, {
    OK(flock(fd, LOCK_EX | LOCK_NB));
    int own = file();
    close(fd);
    OK(flock(own, LOCK_EX));
    EQUAL(write(p[1], "c", 1), 1);
  });
  until_asleep(pid);
  EQUAL(write(p[1], "p", 1), 1);
  close(fd);
  join(pid);
  char order[2];
  EQUAL(read(p[0], order, 2), 2);
  CHECK(memcmp(order, "pc", 2) == 0);
}

TEST(status_flags, "F_SETFL changes what it may, for all descriptors of the file") {
  int fd = file();
  int second = OK(dup(fd));
  EQUAL(fcntl(fd, F_GETFL) & ~0100000, O_RDWR);
  OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_TRUNC));
  EQUAL(fcntl(second, F_GETFL) & ~0100000, O_RDWR | O_APPEND | O_NONBLOCK);
  OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
  EQUAL(fcntl(second, F_GETFD), 0);
  FAILS(fcntl(fd, 12345), EINVAL);
  FAILS(fcntl(999, F_GETFD), EBADF);
  FAILS(fcntl(fd, F_GETPIPE_SZ), EBADF);
}

static volatile sig_atomic_t signals_got;
static void on_io(int sig) { (void)sig, signals_got++; }

TEST(async, "O_ASYNC sends SIGIO to the owner when data comes") {
  int p[2];
  OK(pipe(p));
  signal(SIGIO, on_io);
  OK(fcntl(p[0], F_SETOWN, getpid()));
  EQUAL(fcntl(p[0], F_GETOWN), getpid());
  OK(fcntl(p[0], F_SETFL, O_ASYNC));
  EQUAL(write(p[1], "x", 1), 1);
  CHECK(signals_got >= 1);
  FAILS(fcntl(p[0], F_SETOWN, 99999999), ESRCH);
  FAILS(fcntl(p[0], F_SETSIG, 99), EINVAL);
}

TEST(own_locks, "F_OFD_GETLK of F_UNLCK tells of the open file's own lock, and nothing but the type if there is none") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  int other = OK(open("f", O_RDWR));
  struct flock ask = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1ll << 60};
  if (fcntl(fd, F_OFD_GETLK, &ask) < 0) skip_test("not before Linux 6.5");
  EQUAL(ask.l_type, F_UNLCK);
  EQUAL(ask.l_len, 1ll << 60);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
  OK(fcntl(fd, F_OFD_SETLK, &lock));
  OK(fcntl(fd, F_OFD_GETLK, &ask));
  EQUAL(ask.l_type, F_WRLCK);
  EQUAL(ask.l_start, 10);
  EQUAL(ask.l_len, 20);
  ask = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET};
  OK(fcntl(other, F_OFD_GETLK, &ask));
  EQUAL(ask.l_type, F_UNLCK);
  FAILS(fcntl(fd, F_GETLK, &ask), EINVAL);
}

TEST(owners, "sockets tell and take the owner of their signals by ioctl, and F_GETOWNER_UIDS whose it is") {
  int pair[2], owner = -1;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  OK(ioctl(pair[0], FIOGETOWN, &owner));
  EQUAL(owner, 0);
  owner = getpid();
  OK(ioctl(pair[0], SIOCSPGRP, &owner));
  EQUAL(fcntl(pair[0], F_GETOWN), getpid());
  owner = 99999999;
  FAILS(ioctl(pair[0], FIOSETOWN, &owner), ESRCH);
  OK(ioctl(pair[0], SIOCGPGRP, &owner));
  EQUAL(owner, getpid());
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  FAILS(ioctl(fd, FIOGETOWN, &owner), ENOTTY);
  unsigned ids[2] = {9, 9};
  if (fcntl(fd, 17, ids) < 0) skip_test("a kernel without CONFIG_CHECKPOINT_RESTORE");
  EQUAL(ids[0], 0);
  if (geteuid() != 0) return;
  OK(setresuid(5, 6, 0));
  OK(fcntl(pair[1], F_SETOWN, getpid()));
  OK(fcntl(pair[1], 17, ids));
  EQUAL(ids[0], 5);
  EQUAL(ids[1], 6);
}
