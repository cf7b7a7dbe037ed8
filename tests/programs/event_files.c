// eventfd(2), timerfd_create(2), signalfd(2), pidfd_open(2).
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static uint64_t read_u64(int fd) {
  uint64_t value = 0;
  EQUAL(read(fd, &value, sizeof value), 8);
  return value;
}

static void write_u64(int fd, uint64_t value) { EQUAL(write(fd, &value, sizeof value), 8); }

static int ready(int fd, short events) {
  struct pollfd p = {fd, events, 0};
  OK(poll(&p, 1, 0));
  return p.revents;
}

TEST(eventfd_counter, "an eventfd adds up and is emptied by a read") {
  int fd = OK(eventfd(3, EFD_NONBLOCK));
  write_u64(fd, 4);
  EQUAL(read_u64(fd), 7);
  uint64_t value;
  FAILS(read(fd, &value, 8), EAGAIN);
  FAILS(read(fd, &value, 7), EINVAL);
  FAILS(write(fd, &value, 7), EINVAL);
  FAILS(eventfd(0, 0x10), EINVAL);
}

TEST(seek_nowhere, "files of events let themselves be sought in, and stay where they are") {
  sigset_t set;
  sigemptyset(&set);
  int fds[] = {eventfd(1, 0), epoll_create1(0), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &set, 0)};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    EQUAL(lseek(fds[i], 5, SEEK_SET), 0);
    EQUAL(lseek(fds[i], -5, SEEK_END), 0);
    FAILS(lseek(fds[i], 0, 9), EINVAL);
    FAILS(pread(fds[i], &set, 8, 0), ESPIPE);
  }
}

TEST(eventfd_semaphore, "EFD_SEMAPHORE gives one at a time") {
  int fd = OK(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
  EQUAL(read_u64(fd), 1);
  EQUAL(read_u64(fd), 1);
  uint64_t value;
  FAILS(read(fd, &value, 8), EAGAIN);
}

TEST(eventfd_limit, "an eventfd refuses to overflow and poll knows it") {
  int fd = OK(eventfd(0, EFD_NONBLOCK));
  EQUAL(ready(fd, POLLIN | POLLOUT), POLLOUT);
  write_u64(fd, UINT64_MAX - 1);
  EQUAL(ready(fd, POLLIN | POLLOUT), POLLIN);
  uint64_t one = 1, all = UINT64_MAX;
  FAILS(write(fd, &one, 8), EAGAIN);
  FAILS(write(fd, &all, 8), EINVAL);
  EQUAL(read_u64(fd), UINT64_MAX - 1);
}

TEST(eventfd_blocks, "a blocked reader of an eventfd is woken by another process") {
  int fd = OK(eventfd(0, 0));
  IN_CHILD(pid, { EQUAL(read_u64(fd), 9); });
  until_asleep(pid);
  write_u64(fd, 9);
  join(pid);
}

TEST(timerfd_counts, "a timerfd counts expirations") {
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec value = {{0, 5000000}, {0, 5000000}}, now;
  OK(timerfd_settime(fd, 0, &value, NULL));
  usleep(30000);
  CHECK(read_u64(fd) >= 5);
  OK(timerfd_gettime(fd, &now));
  EQUAL(now.it_interval.tv_nsec, 5000000);
  CHECK(read_u64(fd) >= 1); /* It goes on. */
  value = (struct itimerspec){{0, 0}, {0, 0}};
  OK(timerfd_settime(fd, 0, &value, &now));
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  uint64_t count;
  FAILS(read(fd, &count, 8), EAGAIN);
  EQUAL(ready(fd, POLLIN), 0);
  FAILS(timerfd_create(99, 0), EINVAL);
  FAILS(timerfd_settime(0, 0, &value, NULL), EINVAL);
}

TEST(timerfd_absolute, "a timerfd with a time in the past is ready at once") {
  int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
  struct itimerspec value = {{0, 0}, {1, 0}};
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &value, NULL));
  EQUAL(read_u64(fd), 1);
}

static int signal_file(int flags, sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGUSR1);
  sigaddset(set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, set, NULL));
  return OK(signalfd(-1, set, flags));
}

TEST(signalfd_reads, "a signalfd gives pending signals with their details") {
  sigset_t set;
  int fd = signal_file(SFD_NONBLOCK, &set);
  struct signalfd_siginfo info[3];
  FAILS(read(fd, info, sizeof info), EAGAIN);
  FAILS(read(fd, info, 10), EINVAL);
  EQUAL(ready(fd, POLLIN), 0);
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
  OK(kill(getpid(), SIGUSR1));
  EQUAL(ready(fd, POLLIN), POLLIN);
  EQUAL(read(fd, info, sizeof info), 2 * sizeof *info);
  EQUAL(info[0].ssi_signo, SIGUSR1);
  EQUAL(info[0].ssi_pid, getpid());
  EQUAL(info[1].ssi_signo, SIGRTMIN);
  EQUAL(info[1].ssi_int, 5);
  EQUAL(info[1].ssi_code, SI_QUEUE);
}

TEST(signalfd_blocks, "a blocked reader of a signalfd is woken by a signal") {
  sigset_t set;
  int fd = signal_file(0, &set);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    kill(parent, SIGUSR1);
  });
  struct signalfd_siginfo info;
  EQUAL(read(fd, &info, sizeof info), sizeof info);
  EQUAL(info.ssi_pid, pid);
  join(pid);
}

TEST(signalfd_mask, "the set of a signalfd can be changed") {
  sigset_t set;
  int fd = signal_file(SFD_NONBLOCK, &set);
  OK(kill(getpid(), SIGUSR1));
  sigdelset(&set, SIGUSR1);
  EQUAL(signalfd(fd, &set, 0), fd);
  struct signalfd_siginfo info;
  FAILS(read(fd, &info, sizeof info), EAGAIN);
  FAILS(signalfd(0, &set, 0), EINVAL);
}

TEST(pidfd_ready, "a pidfd becomes readable when its process ends, and takes signals") {
  IN_CHILD(pid, pause());
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EQUAL(ready(fd, POLLIN), 0);
  OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  struct pollfd p = {fd, POLLIN, 0};
  EQUAL(poll(&p, 1, 5000), 1);
  siginfo_t info;
  OK(waitid(P_PIDFD, fd, &info, WEXITED));
  EQUAL(info.si_pid, pid);
  EQUAL(info.si_status, SIGTERM);
  FAILS(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
  FAILS(syscall(SYS_pidfd_open, 999999, 0), ESRCH);
  FAILS(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
}

enum { SELF_THREAD = -10000, SELF_PROCESS = -10001 };

TEST(pidfd_scopes, "a signal through a pidfd is for the process or the thread that it was opened for") {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int process = OK(syscall(SYS_pidfd_open, getpid(), 0));
  int thread = syscall(SYS_pidfd_open, getpid(), O_EXCL);
  if (thread < 0) skip_test("the kernel is older than 6.9");
  int has_self = syscall(SYS_pidfd_send_signal, SELF_PROCESS, 0, NULL, 0) == 0;
  struct {
    int fd, flags, code;
  } rows[] = {
      {process, 0, SI_USER}, {thread, 0, SI_TKILL},      {process, 1, SI_TKILL},
      {thread, 2, SI_USER},  {SELF_PROCESS, 0, SI_USER}, {SELF_THREAD, 0, SI_TKILL},
  };
  for (int i = 0; i < (has_self ? 6 : 4); i++) {
    siginfo_t info;
    OK(syscall(SYS_pidfd_send_signal, rows[i].fd, SIGUSR1, NULL, rows[i].flags));
    /* Not sigwaitinfo(3), for which a thread's signals are like others. */
    EQUAL(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGUSR1);
    EQUAL(info.si_code, rows[i].code);
  }
}

TEST(pidfd_getfd_, "pidfd_getfd takes a descriptor of another process") {
  int p[2], q[2];
  OK(pipe(p));
  OK(pipe(q));
  IN_CHILD(pid, {
    int own = OK(open("/dev/null", O_RDONLY));
    dup2(p[1], 200);
    close(own);
    write(q[1], "x", 1);
    pause();
  });
  char byte;
  EQUAL(read(q[0], &byte, 1), 1);
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  int taken = OK((int)syscall(SYS_pidfd_getfd, fd, 200, 0));
  EQUAL(write(taken, "y", 1), 1);
  EQUAL(read(p[0], &byte, 1), 1);
  EQUAL(byte, 'y');
  FAILS(syscall(SYS_pidfd_getfd, fd, 201, 0), EBADF);
}

TEST(eventfd_events, "an eventfd has no events but the plain ones") {
  int fd = OK(eventfd(1, 0));
  EQUAL(ready(fd, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDBAND), POLLIN | POLLOUT);
}

TEST(event_requests, "event files send no SIGIO, and epoll refuses every request") {
  sigset_t none;
  sigemptyset(&none);
  int fds[] = {epoll_create1(0), eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &none, 0)};
  for (int i = 0; i < 4; i++) {
    int on = 1;
    OK(fds[i]);
    FAILS(ioctl(fds[i], FIOASYNC, &on), ENOTTY);
    OK(fcntl(fds[i], F_SETFL, O_ASYNC));
    EQUAL(fcntl(fds[i], F_GETFL) & O_ASYNC, 0);
    FAILS(ioctl(fds[i], FIONREAD, &on), i == 0 ? EINVAL : ENOTTY);
  }
}

TEST(pidfd_identity, "pidfds of one process are one file, those of two are not") {
  pid_t pid = fork();
  if (pid == 0) _exit(pause());
  int fds[] = {
    OK((int)syscall(SYS_pidfd_open, pid, 0)),
    OK((int)syscall(SYS_pidfd_open, pid, 0)),
    OK((int)syscall(SYS_pidfd_open, getpid(), 0)),
  };
  struct stat stats[3];
  for (int i = 0; i < 3; i++) OK(fstat(fds[i], &stats[i]));
  EQUAL(stats[0].st_mode, 0700);
  EQUAL(stats[0].st_ino, stats[1].st_ino);
  CHECK(stats[0].st_ino != stats[2].st_ino);
  OK(kill(pid, SIGKILL));
  EQUAL(waitpid(pid, NULL, 0), pid);
}

TEST(memory_release, "process_mrelease is for processes that are being killed") {
  int event = OK(eventfd(0, 0));
  FAILS(syscall(SYS_process_mrelease, event, 0), EBADF);
  pid_t pid = fork();
  if (pid == 0) _exit(pause());
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  FAILS(syscall(SYS_process_mrelease, fd, 1), EINVAL);
  FAILS(syscall(SYS_process_mrelease, fd, 0), EINVAL);
  OK(kill(pid, SIGKILL));
  if (syscall(SYS_process_mrelease, fd, 0) != 0) EQUAL(errno, ESRCH); /* It is gone already. */
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  FAILS(syscall(SYS_process_mrelease, fd, 0), ESRCH);
  EQUAL(waitpid(pid, NULL, 0), pid);
  FAILS(syscall(SYS_process_mrelease, fd, 0), ESRCH);
}

TEST(ticks_set, "TFD_IOC_SET_TICKS sets the expirations of a timerfd and wakes its readers") {
  const unsigned long set_ticks = _IOW('T', 0, uint64_t);
  uint64_t ticks = 5;
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  if (ioctl(fd, set_ticks, &ticks) != 0 && errno == ENOTTY) skip_test("a kernel without checkpoints");
  CHECK(ready(fd, POLLIN));
  EQUAL(read_u64(fd), 5);
  ticks = 0;
  FAILS(ioctl(fd, set_ticks, &ticks), EINVAL);
  FAILS(ioctl(fd, set_ticks, nowhere), EFAULT);
}

TEST(plain_events, "signalfds and timerfds have no events but the plain ones") {
  sigset_t set;
  int fds[2] = {signal_file(0, &set), OK(timerfd_create(CLOCK_MONOTONIC, 0))};
  struct itimerspec soon = {.it_value = {0, 1}};
  OK(timerfd_settime(fds[1], 0, &soon, NULL));
  OK(kill(getpid(), SIGUSR1));
  for (int i = 0; i < 2; i++) {
    struct pollfd all = {fds[i], -1, 0};
    EQUAL(poll(&all, 1, 5000), 1);
    EQUAL(all.revents, POLLIN);
  }
}

TEST(eventfd_vectors, "each buffer of a vector is a write of its own to an eventfd, without flags") {
  uint64_t values[2] = {2, 3};
  int fd = OK(eventfd(0, EFD_NONBLOCK));
  struct iovec whole[] = {{&values[0], 8}, {&values[1], 8}}, halves[] = {{&values[0], 4}, {(char *)values + 4, 4}};
  EQUAL(writev(fd, whole, 2), 16);
  EQUAL(read_u64(fd), 5);
  FAILS(writev(fd, halves, 2), EINVAL);
  FAILS(pwritev2(fd, whole, 1, -1, RWF_NOWAIT), EOPNOTSUPP);
  EQUAL(pwritev2(fd, whole, 1, -1, RWF_HIPRI), 8);
  values[1] = -1;
  EQUAL(writev(fd, whole, 2), 8);
  EQUAL(read_u64(fd), 4);
}
