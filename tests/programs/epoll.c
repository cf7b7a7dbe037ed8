// epoll(7), poll(2) and select(2).
#include "check.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

static int p[2], ep;

static void watch(int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static void rearm(int fd, uint32_t events) {
  struct epoll_event event = {.events = events};
  OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event));
}

/* How many events there are now; the first one's bits and data. */
static uint32_t bits;
static uint64_t data;
static int now(void) {
  struct epoll_event events[10];
  int n = OK(epoll_wait(ep, events, 10, 0));
  bits = n > 0 ? events[0].events : 0;
  data = n > 0 ? events[0].data.u64 : 0;
  return n;
}

static void set_up(void) {
  OK(pipe(p));
  ep = OK(epoll_create1(EPOLL_CLOEXEC));
}

static void send_byte(void) { EQUAL(write(p[1], "x", 1), 1); }
static void take_byte(void) {
  char byte;
  EQUAL(read(p[0], &byte, 1), 1);
}

TEST(level, "level-triggered: ready as long as there is something") {
  set_up();
  watch(p[0], EPOLLIN, 0x1122334455667788);
  EQUAL(now(), 0);
  send_byte();
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLIN);
  EQUAL(data, 0x1122334455667788);
  EQUAL(now(), 1);
  take_byte();
  EQUAL(now(), 0);
}

TEST(edge, "edge-triggered: ready once for each arrival") {
  set_up();
  watch(p[0], EPOLLIN | EPOLLET, 1);
  send_byte();
  EQUAL(now(), 1);
  EQUAL(now(), 0);
  send_byte();
  EQUAL(now(), 1);
  EQUAL(now(), 0);
  take_byte();
  EQUAL(now(), 0);
  rearm(p[0], EPOLLIN | EPOLLET);
  EQUAL(now(), 1);
}

static void fill(int fd) {
  static char page[4096];
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  while (write(fd, page, sizeof page) > 0) continue;
}

static void take(int fd, size_t length) {
  static char bytes[65536];
  EQUAL(read(fd, bytes, length), length);
}

TEST(edge_writer, "an edge-triggered writer of a pipe is told when a full one has a free page, and no more") {
  set_up();
  watch(p[1], EPOLLIN | EPOLLOUT | EPOLLET, 1);
  EQUAL(now(), 1);
  EQUAL(now(), 0);
  send_byte();
  EQUAL(now(), 0);
  take_byte();
  EQUAL(now(), 0);
  fill(p[1]);
  EQUAL(now(), 0);
  take(p[0], 1);
  EQUAL(now(), 0);
  take(p[0], 4095);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLOUT);
  take(p[0], 4096);
  EQUAL(now(), 0);
  OK(fcntl(p[1], F_SETPIPE_SZ, 65536));
  EQUAL(now(), 1);
  int null = OK(open("/dev/null", O_WRONLY));
  EQUAL(splice(p[0], NULL, null, NULL, 100, 0), 100);
  EQUAL(now(), 0);
  EQUAL(splice(p[0], NULL, null, NULL, 8192, 0), 8192);
  EQUAL(now(), 1);
  close(p[0]);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLOUT | EPOLLERR);
}

TEST(edge_reader, "an edge-triggered reader of a pipe is told of each write, also of one without room, and of no read") {
  set_up();
  watch(p[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
  fill(p[1]);
  EQUAL(now(), 1);
  take(p[0], 4096);
  EQUAL(now(), 0);
  fill(p[1]);
  EQUAL(now(), 1);
  FAILS(write(p[1], "x", 1), EAGAIN);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLIN);
}

TEST(edge_fifo, "edge-triggered ends of a FIFO are told of the first peer, and of the last") {
  OK(mkfifo("f", 0600));
  ep = OK(epoll_create1(0));
  int reader = OK(open("f", O_RDONLY | O_NONBLOCK)), writer = OK(open("f", O_WRONLY));
  watch(reader, EPOLLIN | EPOLLET, 1);
  watch(writer, EPOLLOUT | EPOLLET, 2);
  EQUAL(now(), 1);
  EQUAL(write(writer, "x", 1), 1);
  EQUAL(now(), 1);
  EQUAL(data, 1);
  int second = OK(open("f", O_WRONLY));
  close(second);
  EQUAL(now(), 0);
  close(reader);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLOUT | EPOLLERR);
  reader = OK(open("f", O_RDONLY));
  EQUAL(now(), 0);
  watch(reader, EPOLLIN | EPOLLET, 3);
  EQUAL(now(), 1);
  close(writer);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLIN | EPOLLHUP);
  OK(open("f", O_WRONLY));
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLIN);
}

TEST(edge_socket, "an edge-triggered writer of a socket is told whenever its peer has read what it sent at once") {
  int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  for (int i = 0; i < 3; i++) {
    int s[2];
    OK(socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, s));
    ep = OK(epoll_create1(0));
    watch(s[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
    EQUAL(now(), 1);
    EQUAL(write(s[0], "one", 3), 3);
    EQUAL(write(s[0], "two", 3), 3);
    EQUAL(now(), 0);
    take(s[1], 3);
    EQUAL(now(), 1);
    EQUAL(bits, EPOLLOUT);
    if (types[i] == SOCK_STREAM) {
      take(s[1], 2);
      EQUAL(now(), 0);
      take(s[1], 1);
    } else {
      take(s[1], 3);
    }
    EQUAL(now(), 1);
    char byte;
    FAILS(read(s[1], &byte, 1), EAGAIN);
    EQUAL(now(), 0);
  }
}

TEST(edge_connections, "edges of listening and connecting sockets, and of both ends of a shutdown") {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "edges of %d", getpid());
  ep = OK(epoll_create1(0));
  uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, (struct sockaddr *)&a, sizeof a));
  OK(listen(listener, 5));
  watch(listener, events, 1);
  watch(client, events, 2);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLOUT | EPOLLHUP);
  OK(connect(client, (struct sockaddr *)&a, sizeof a));
  EQUAL(now(), 1);
  EQUAL(data, 1);
  int accepted = OK(accept(listener, NULL, NULL));
  EQUAL(now(), 0);
  watch(accepted, events, 3);
  EQUAL(now(), 1);
  OK(shutdown(client, SHUT_WR));
  EQUAL(now(), 2);
  EQUAL(data, 2);
  EQUAL(bits, EPOLLOUT);
}

TEST(edge_terminal, "an edge-triggered end of a terminal is told of its own writes, and of reads that leave little") {
  int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(grantpt(master));
  OK(unlockpt(master));
  int slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
  struct termios raw;
  OK(tcgetattr(slave, &raw));
  cfmakeraw(&raw);
  OK(tcsetattr(slave, TCSANOW, &raw));
  ep = OK(epoll_create1(0));
  watch(master, EPOLLOUT | EPOLLET, 1);
  watch(slave, EPOLLOUT | EPOLLET, 2);
  EQUAL(now(), 2);
  EQUAL(now(), 0);
  EQUAL(write(master, "abc", 3), 3);
  EQUAL(now(), 1);
  EQUAL(data, 1);
  take(slave, 3);
  EQUAL(now(), 1);
  EQUAL(data, 1);
  EQUAL(write(slave, "abc", 3), 3);
  EQUAL(now(), 1);
  EQUAL(data, 2);
}

TEST(edge_pidfd, "a pidfd is told of the end of its process, and of its being waited for") {
  IN_CHILD(pid, pause());
  int fd = syscall(SYS_pidfd_open, pid, 0);
  ep = OK(epoll_create1(0));
  watch(fd, EPOLLIN | EPOLLET, 1);
  EQUAL(now(), 0);
  OK(kill(pid, SIGKILL));
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  EQUAL(now(), 1);
  EQUAL(now(), 0);
  OK(waitid(P_PID, pid, &info, WEXITED));
  int more = now();
  SKIP_UNLESS(more == 1, "the kernel is older than 6.9");
  EQUAL(bits, EPOLLIN | EPOLLHUP);
}

TEST(exclusive_end, "nobody who watches with EPOLLEXCLUSIVE misses the end") {
  OK(pipe(p));
  int instances[3], with_event = 0;
  for (int i = 0; i < 3; i++) {
    ep = instances[i] = OK(epoll_create1(0));
    watch(p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, i);
  }
  close(p[1]);
  for (int i = 0; i < 3; i++) {
    ep = instances[i];
    with_event += now();
    EQUAL(bits, EPOLLHUP);
  }
  EQUAL(with_event, 3);
}

TEST(oneshot, "EPOLLONESHOT disarms until it is set again") {
  set_up();
  watch(p[0], EPOLLIN | EPOLLONESHOT, 1);
  send_byte();
  EQUAL(now(), 1);
  send_byte();
  EQUAL(now(), 0);
  rearm(p[0], EPOLLIN | EPOLLONESHOT);
  EQUAL(now(), 1);
}

TEST(nested, "an epoll within an epoll is ready when something in it is") {
  set_up();
  watch(p[0], EPOLLIN, 1);
  int inner = ep;
  ep = OK(epoll_create1(0));
  watch(inner, EPOLLIN, 2);
  EQUAL(now(), 0);
  send_byte();
  EQUAL(now(), 1);
  EQUAL(data, 2);
  struct pollfd poll_it = {inner, POLLIN, 0};
  EQUAL(poll(&poll_it, 1, 0), 1);
  take_byte();
  EQUAL(now(), 0);
}

TEST(loops, "epolls that watch themselves or each other are refused") {
  set_up();
  struct epoll_event event = {.events = EPOLLIN};
  FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
  int other = OK(epoll_create1(0));
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, other, &event));
  FAILS(epoll_ctl(other, EPOLL_CTL_ADD, ep, &event), ELOOP);
}

TEST(paths, "an event has a limited number of ways through epolls within epolls") {
  set_up();
  struct rlimit files = {2000, 2000};
  OK(setrlimit(RLIMIT_NOFILE, &files));
  struct epoll_event event = {.events = EPOLLIN};
  int inner[101];
  for (int i = 0; i < 100; i++) { /* Each of 100 is watched by each of 5: 500 ways of two. */
    inner[i] = OK(epoll_create1(0));
    OK(epoll_ctl(inner[i], EPOLL_CTL_ADD, p[0], &event));
  }
  for (int k = 0; k < 5; k++) {
    int outer = OK(epoll_create1(0));
    for (int i = 0; i < 100; i++) OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner[i], &event));
  }
  int more = OK(epoll_create1(0));
  FAILS(epoll_ctl(more, EPOLL_CTL_ADD, inner[0], &event), EINVAL);
  OK(epoll_ctl(more, EPOLL_CTL_ADD, p[0], &event)); /* One that nobody watches has no limit. */
  int top = OK(epoll_create1(0));
  FAILS(epoll_ctl(top, EPOLL_CTL_ADD, more, &event), EINVAL);
  OK(epoll_ctl(more, EPOLL_CTL_DEL, p[0], &event));
  OK(epoll_ctl(top, EPOLL_CTL_ADD, more, &event));
  FAILS(epoll_ctl(more, EPOLL_CTL_ADD, p[0], &event), EINVAL);
}

TEST(layers, "layers of epolls that all watch each other are judged at once") {
  set_up();
  enum { WIDTH = 60, LAYERS = 5 };
  struct rlimit files = {2000, 2000};
  OK(setrlimit(RLIMIT_NOFILE, &files));
  struct epoll_event event = {.events = EPOLLIN};
  static int layer[LAYERS][WIDTH];
  for (int k = 0; k < LAYERS; k++) {
    for (int i = 0; i < WIDTH; i++) {
      layer[k][i] = OK(epoll_create1(0));
      for (int j = 0; k > 0 && j < WIDTH; j++) {
        OK(epoll_ctl(layer[k][i], EPOLL_CTL_ADD, layer[k - 1][j], &event));
      }
    }
  }
  int over = OK(epoll_create1(0));
  FAILS(epoll_ctl(over, EPOLL_CTL_ADD, layer[LAYERS - 1][0], &event), ELOOP);
}

TEST(errors, "epoll_ctl and epoll_wait refuse what makes no sense") {
  set_up();
  struct epoll_event event = {.events = EPOLLIN};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event));
  FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event), EEXIST);
  FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &event), ENOENT);
  FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL), ENOENT);
  FAILS(epoll_ctl(ep, 9, p[1], &event), EINVAL);
  FAILS(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &event), EINVAL);
  FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &event), EBADF);
  write_file("file", "");
  FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, OK(open("file", O_RDONLY)), &event), EPERM);
  FAILS(epoll_wait(ep, &event, 0, 0), EINVAL);
  FAILS(epoll_wait(p[0], &event, 1, 0), EINVAL);
  send_byte();
  FAILS(epoll_wait(ep, nowhere, 1, 0), EFAULT);
  FAILS(epoll_create(0), EINVAL);
}

TEST(closed, "closing the last descriptor takes a file out of the set") {
  set_up();
  watch(p[0], EPOLLIN, 1);
  send_byte();
  int copy = OK(dup(p[0]));
  close(p[0]);
  EQUAL(now(), 1); /* The file is still open. */
  close(copy);
  EQUAL(now(), 0);
}

TEST(hang_up, "EPOLLHUP and EPOLLERR are told without being asked for") {
  set_up();
  watch(p[0], 0, 1);
  EQUAL(now(), 0);
  close(p[1]);
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLHUP);
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  ep = OK(epoll_create1(0));
  watch(s[0], EPOLLIN | EPOLLRDHUP, 1);
  OK(shutdown(s[1], SHUT_WR));
  EQUAL(now(), 1);
  EQUAL(bits, EPOLLIN | EPOLLRDHUP);
}

TEST(fair, "more ready files than room come in turn") {
  ep = OK(epoll_create1(0));
  int counts[6] = {0};
  for (int i = 0; i < 6; i++) {
    OK(pipe(p));
    send_byte();
    watch(p[0], EPOLLIN, i);
  }
  for (int round = 0; round < 6; round++) {
    struct epoll_event events[2];
    EQUAL(epoll_wait(ep, events, 2, 0), 2);
    for (int i = 0; i < 2; i++) counts[events[i].data.u64]++;
  }
  for (int i = 0; i < 6; i++) EQUAL(counts[i], 2);
}

TEST(wakes, "a blocked epoll_wait is woken by another process and ends at its timeout") {
  set_up();
  watch(p[0], EPOLLIN, 3);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    send_byte();
  });
  struct epoll_event event;
  EQUAL(epoll_wait(ep, &event, 1, -1), 1);
  take_byte();
  double start = monotonic_ms();
  EQUAL(epoll_wait(ep, &event, 1, 20), 0);
  CHECK(monotonic_ms() - start >= 19.9);
  join(pid);
}

TEST(exclusive, "EPOLLEXCLUSIVE wakes at least one of several waiters") {
  set_up();
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      ep = OK(epoll_create1(0));
      watch(p[0], EPOLLIN | EPOLLEXCLUSIVE, 1);
      struct epoll_event event;
      EQUAL(epoll_wait(ep, &event, 1, -1), 1);
      take_byte();
      _exit(0);
    }
  }
  for (int i = 0; i < 3; i++) until_asleep(pids[i]);
  for (int i = 0; i < 3; i++) send_byte();
  for (int i = 0; i < 3; i++) join(pids[i]);
}

static volatile sig_atomic_t signals;
static void on_signal(int sig) { (void)sig, signals++; }

TEST(signal_masks, "epoll_pwait, ppoll and pselect open the mask while they wait, the last two also if they do not") {
  set_up();
  signal(SIGUSR1, on_signal);
  sigset_t set, none;
  sigemptyset(&none);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct epoll_event event;
  raise(SIGUSR1);
  FAILS(epoll_pwait(ep, &event, 1, -1, &none), EINTR);
  EQUAL(signals, 1);
  raise(SIGUSR1);
  FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
  EQUAL(signals, 2);
  raise(SIGUSR1);
  FAILS(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
  EQUAL(signals, 3);
  raise(SIGUSR1);
  EQUAL(signals, 3); /* Blocked again. */

  struct timespec at_once = {0, 0}, soon = {0, 1};
  fd_set set_of_one;
  FD_ZERO(&set_of_one);
  FD_SET(p[0], &set_of_one);
  EQUAL(epoll_pwait(ep, &event, 1, 0, &none), 0); /* The one that does not look at signals if it need not wait. */
  EQUAL(signals, 3);
  FAILS(ppoll(NULL, 0, &at_once, &none), EINTR);
  EQUAL(signals, 4);
  raise(SIGUSR1);
  FAILS(ppoll(NULL, 0, &soon, &none), EINTR);
  EQUAL(signals, 5);
  raise(SIGUSR1);
  FAILS(pselect(p[0] + 1, &set_of_one, NULL, NULL, &at_once, &none), EINTR);
  EQUAL(signals, 6);
  CHECK(FD_ISSET(p[0], &set_of_one)); /* Nothing was reported. */
  send_byte();
  raise(SIGUSR1);
  EQUAL(pselect(p[0] + 1, &set_of_one, NULL, NULL, &at_once, &none), 1);
  EQUAL(signals, 6); /* What is ready comes first. */
}

TEST(poll_, "poll reports bad descriptors, skips negative ones and times out") {
  set_up();
  struct pollfd list[3] = {{p[0], POLLIN, 0}, {-5, POLLIN, 7}, {999, POLLIN, 0}};
  EQUAL(poll(list, 3, 1000), 1);
  EQUAL(list[1].revents, 0);
  EQUAL(list[2].revents, POLLNVAL);
  double start = monotonic_ms();
  EQUAL(poll(list, 2, 15), 0);
  CHECK(monotonic_ms() - start >= 14.9);
  FAILS(poll(nowhere, 1, 0), EFAULT);
  write_file("file", "");
  list[0].fd = OK(open("file", O_RDWR));
  list[0].events = POLLIN | POLLOUT;
  EQUAL(poll(list, 1, 0), 1);
  EQUAL(list[0].revents, POLLIN | POLLOUT);
}

TEST(poll_revents, "poll writes revents and nothing else, and refuses a list that it cannot write") {
  set_up();
  enum { PAGE = 4096 };
  struct pollfd *list = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(list != MAP_FAILED);
  for (int i = 0; i < 3; i++) { /* The first call of a site goes another way. */
    list[0] = (struct pollfd){p[0], POLLIN, 0};
    list[1] = (struct pollfd){p[1], POLLOUT, POLLERR};
    OK(mprotect(list, PAGE, PROT_READ));
    FAILS(poll(list, 1, 0), EFAULT);
    FAILS(poll(list, 2, 0), EFAULT);
    EQUAL(poll(list, 0, 0), 0);
    OK(mprotect(list, PAGE, PROT_READ | PROT_WRITE));
    EQUAL(poll(list, 1, 0), 0);
    EQUAL(list[0].revents, 0);
    EQUAL(poll(list, 2, 0), 1);
    EQUAL(list[1].revents, POLLOUT);
  }
  list[1] = (struct pollfd){-1, 0, POLLERR};
  IN_CHILD(pid, {
    poll(NULL, 0, 20);
    list[1].fd = 1234;
    list[1].events = POLLPRI;
    send_byte();
  });
  EQUAL(poll(list, 2, 10000), 1);
  EQUAL(list[0].revents, POLLIN);
  CHECK(list[1].fd == 1234 && list[1].events == POLLPRI && list[1].revents == 0);
  join(pid);
}

TEST(select_, "select reports each set, leaves the time that was left, refuses bad ones") {
  set_up();
  fd_set in, out;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_SET(p[0], &in);
  FD_SET(p[1], &out);
  struct timeval limit = {5, 0};
  EQUAL(select(p[1] + 1, &in, &out, NULL, &limit), 1);
  CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
  CHECK(limit.tv_sec == 4 || limit.tv_sec == 5);
  send_byte();
  FD_SET(p[0], &in);
  EQUAL(select(p[1] + 1, &in, &out, NULL, NULL), 2);
  FD_SET(60, &in);
  FAILS(select(61, &in, NULL, NULL, &limit), EBADF);
  FAILS(select(-1, NULL, NULL, NULL, &limit), EINVAL);
  limit = (struct timeval){0, 10000};
  EQUAL(select(0, NULL, NULL, NULL, &limit), 0);
  EQUAL(limit.tv_usec, 0);
}

TEST(select_places, "select has nothing to wait for in a file that is open as a place alone") {
  int place = OK(open(".", O_PATH));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(place, &set);
  fd_set out = set, other = set;
  struct timeval none = {0, 0};
  EQUAL(select(place + 1, &set, &out, &other, &none), 3);
  CHECK(FD_ISSET(place, &set) && FD_ISSET(place, &out) && FD_ISSET(place, &other));
  close(place);
  FAILS(select(place + 1, &set, NULL, NULL, &none), EBADF);
}

TEST(select_times, "select takes microseconds beyond a second, but none below zero") {
  struct timeval second = {-1, 1000000}, negative = {1, -1};
  EQUAL(syscall(SYS_select, 0, NULL, NULL, NULL, &second), 0);
  FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &negative), EINVAL);
}

TEST(refusals, "epoll judges the room for events before its descriptor, and what is added before the command") {
  int epoll = OK(epoll_create1(0));
  int file = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct epoll_event event = {EPOLLIN, {0}};
  FAILS(epoll_wait(epoll, (void *)-1, 1, 0), EFAULT);
  FAILS(epoll_wait(epoll, &event, 0, 0), EINVAL);
  FAILS(epoll_ctl(epoll, 9, file, &event), EPERM);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, file, &event), EPERM);
  FAILS(epoll_ctl(epoll, 9, epoll, &event), EINVAL);
}

/* struct epoll_params, and the ioctls of linux/eventpoll.h. */
struct params {
  uint32_t usecs;
  uint16_t budget;
  uint8_t prefers, pad;
};
#define SET_PARAMS _IOW(0x8a, 1, struct params)
#define GET_PARAMS _IOR(0x8a, 2, struct params)

TEST(busy_poll, "EPIOCSPARAMS checks and keeps how to poll") {
  set_up();
  struct params got, params = {.usecs = 100, .budget = 64, .prefers = 1};
  memset(&got, 7, sizeof got);
  if (ioctl(ep, GET_PARAMS, &got) != 0) skip_test("the kernel is older than 6.9");
  EQUAL(got.usecs, 0);
  EQUAL(got.pad, 0);
  OK(ioctl(ep, SET_PARAMS, &params));
  OK(ioctl(ep, GET_PARAMS, &got));
  CHECK(memcmp(&got, &params, sizeof got) == 0);
  FAILS(ioctl(ep, SET_PARAMS, &(struct params){.pad = 1}), EINVAL);
  FAILS(ioctl(ep, SET_PARAMS, &(struct params){.prefers = 2}), EINVAL);
  FAILS(ioctl(ep, SET_PARAMS, &(struct params){.usecs = 0x80000000}), EINVAL);
  FAILS(ioctl(ep, SET_PARAMS, nowhere), EFAULT);
  FAILS(ioctl(ep, GET_PARAMS, nowhere), EFAULT);
  FAILS(ioctl(ep, FIONREAD, &got), EINVAL);
  FAILS(ioctl(p[0], GET_PARAMS, &got), ENOTTY);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(ioctl(ep, SET_PARAMS, &(struct params){.budget = 65}));
  OK(setresuid(1000, 1000, 1000));
  FAILS(ioctl(ep, SET_PARAMS, &(struct params){.budget = 65}), EPERM);
}

TEST(wait_order, "epoll_wait asks for the descriptor before it asks for room") {
  struct epoll_event event;
  FAILS(epoll_wait(-1, &event, 0, 0), EBADF);
  FAILS(epoll_wait(OK(epoll_create1(0)), &event, 0, 0), EINVAL);
}
