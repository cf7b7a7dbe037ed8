// unix(7): kinds, names, messages, descriptors and credentials.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include <sys/xattr.h>

static int s[2];

static void make_pair(int type) { OK(socketpair(AF_UNIX, type, 0, s)); }

/* An address: a path, or with a leading '@' an abstract name. */
static socklen_t address(struct sockaddr_un *a, const char *name) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path, name);
  if (name[0] != '@') return sizeof *a;
  a->sun_path[0] = '\0';
  return offsetof(struct sockaddr_un, sun_path) + strlen(name);
}

static int listener(int type, const char *name) {
  struct sockaddr_un a;
  socklen_t length = address(&a, name);
  int fd = OK(socket(AF_UNIX, type, 0));
  OK(bind(fd, (struct sockaddr *)&a, length));
  if (type != SOCK_DGRAM) OK(listen(fd, 5));
  return fd;
}

static int connect_to(int type, const char *name) {
  struct sockaddr_un a;
  socklen_t length = address(&a, name);
  int fd = socket(AF_UNIX, type, 0);
  if (connect(fd, (struct sockaddr *)&a, length) == 0) return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

TEST(stream, "a stream keeps order, not borders") {
  char text[20];
  make_pair(SOCK_STREAM);
  EQUAL(write(s[0], "abc", 3), 3);
  EQUAL(write(s[0], "defg", 4), 4);
  EQUAL(recv(s[1], text, 5, MSG_PEEK), 5);
  EQUAL(read(s[1], text, sizeof text), 7);
  CHECK(memcmp(text, "abcdefg", 7) == 0);
  FAILS(recv(s[1], text, 1, MSG_DONTWAIT), EAGAIN);
  EQUAL(write(s[1], "back", 4), 4);
  EQUAL(read(s[0], text, 4), 4);
}

TEST(waitall, "MSG_WAITALL waits for all that was asked for") {
  char text[10];
  make_pair(SOCK_STREAM);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    EQUAL(write(s[1], "1234", 4), 4);
    until_asleep(parent);
    EQUAL(write(s[1], "567890", 6), 6);
  });
  EQUAL(recv(s[0], text, 10, MSG_WAITALL), 10);
  CHECK(memcmp(text, "1234567890", 10) == 0);
  join(pid);
}

TEST(datagram, "datagrams and sequenced packets keep borders and are cut") {
  char text[4];
  for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
    make_pair(type);
    EQUAL(send(s[0], "first", 5, 0), 5);
    EQUAL(send(s[0], "", 0, 0), 0);
    EQUAL(send(s[0], "3rd", 3, 0), 3);
    EQUAL(recv(s[1], text, sizeof text, MSG_PEEK | MSG_TRUNC), 5);
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    EQUAL(recvmsg(s[1], &message, 0), 4);
    EQUAL(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
    EQUAL(recv(s[1], text, sizeof text, 0), 0);
    EQUAL(recv(s[1], text, sizeof text, 0), 3);
  }
}

TEST(named, "a stream is connected by path, and both ends know the names") {
  int l = listener(SOCK_STREAM, "sock");
  struct stat st;
  OK(stat("sock", &st));
  CHECK(S_ISSOCK(st.st_mode));
  FAILS(connect_to(SOCK_DGRAM, "sock"), EPROTOTYPE);
  int c = OK(connect_to(SOCK_STREAM, "sock"));
  struct sockaddr_un name;
  socklen_t length = sizeof name;
  int a = OK(accept4(l, (struct sockaddr *)&name, &length, SOCK_CLOEXEC));
  EQUAL(length, sizeof(sa_family_t)); /* The client has no name. */
  CHECK(fcntl(a, F_GETFD) == FD_CLOEXEC);
  length = sizeof name;
  OK(getpeername(c, (struct sockaddr *)&name, &length));
  CHECK(strcmp(name.sun_path, "sock") == 0);
  EQUAL(length, offsetof(struct sockaddr_un, sun_path) + 5);
  length = sizeof name;
  OK(getsockname(a, (struct sockaddr *)&name, &length));
  CHECK(strcmp(name.sun_path, "sock") == 0);
  EQUAL(write(c, "x", 1), 1);
  char byte;
  EQUAL(read(a, &byte, 1), 1);
  struct sockaddr_un again;
  length = address(&again, "sock");
  int other = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(bind(other, (struct sockaddr *)&again, length), EADDRINUSE);
  close(l);
  FAILS(connect_to(SOCK_STREAM, "sock"), ECONNREFUSED);
  OK(unlink("sock"));
  FAILS(connect_to(SOCK_STREAM, "sock"), ENOENT);
  FAILS(connect_to(SOCK_DGRAM, "."), ECONNREFUSED);
}

TEST(abstract, "an abstract name lives as long as its socket and has no file") {
  int l = listener(SOCK_STREAM, "@dvisor-test-name");
  int c = OK(connect_to(SOCK_STREAM, "@dvisor-test-name"));
  FAILS(connect_to(SOCK_DGRAM, "@dvisor-test-name"), ECONNREFUSED);
  struct sockaddr_un name;
  socklen_t length = sizeof name;
  OK(getpeername(c, (struct sockaddr *)&name, &length));
  CHECK(name.sun_path[0] == '\0' && memcmp(name.sun_path + 1, "dvisor-test-name", 16) == 0);
  close(l);
  FAILS(connect_to(SOCK_STREAM, "@dvisor-test-name"), ECONNREFUSED);
}

TEST(autobind, "binding without a name makes an abstract one") {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  OK(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)));
  socklen_t length = sizeof name;
  OK(getsockname(fd, (struct sockaddr *)&name, &length));
  EQUAL(length, sizeof(sa_family_t) + 6);
  EQUAL(name.sun_path[0], 0);
}

TEST(backlog, "a full backlog refuses a non-blocking connect") {
  int l = listener(SOCK_STREAM, "sock");
  OK(listen(l, 0));
  struct sockaddr_un a;
  socklen_t length = address(&a, "sock");
  int refused = 0;
  for (int i = 0; i < 3 && !refused; i++) {
    int c = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    refused = connect(c, (struct sockaddr *)&a, length) == -1;
  }
  CHECK(refused);
  EQUAL(errno, EAGAIN);
  OK(accept(l, NULL, NULL));
}

TEST(shutdown_, "shutdown ends one direction") {
  char byte;
  make_pair(SOCK_STREAM);
  signal(SIGPIPE, SIG_IGN);
  OK(shutdown(s[0], SHUT_WR));
  EQUAL(read(s[1], &byte, 1), 0);
  FAILS(write(s[0], "x", 1), EPIPE);
  EQUAL(write(s[1], "y", 1), 1);
  EQUAL(read(s[0], &byte, 1), 1);
  OK(shutdown(s[0], SHUT_RD));
  FAILS(send(s[1], "z", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(peer_closed, "a closed peer ends reads, and resets when it left something unread") {
  char byte;
  make_pair(SOCK_STREAM);
  EQUAL(write(s[0], "left", 4), 4);
  close(s[1]);
  FAILS(read(s[0], &byte, 1), ECONNRESET);
  EQUAL(read(s[0], &byte, 1), 0);
  FAILS(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void send_fds(int via, int *fds, int count) {
  char control[CMSG_SPACE(10 * sizeof(int))] = {0};
  struct iovec part = {"f", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  *c = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(c), fds, count * sizeof(int));
  EQUAL(sendmsg(via, &message, 0), 1);
}

/* Receives one byte and up to `room` descriptors; returns how many came. */
static int flags_seen;
static int receive_fds(int via, int *fds, int room, int flags) {
  char control[CMSG_SPACE(10 * sizeof(int))] = {0}, byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
  message.msg_controllen = room ? CMSG_LEN(room * sizeof(int)) : 0;
  EQUAL(recvmsg(via, &message, flags), 1);
  flags_seen = message.msg_flags;
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  if (c == NULL) return 0;
  EQUAL(c->cmsg_level, SOL_SOCKET);
  EQUAL(c->cmsg_type, SCM_RIGHTS);
  int count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(c), count * sizeof(int));
  return count;
}

TEST(rights, "SCM_RIGHTS hands open files to another process") {
  int p[2], got[2];
  char byte;
  make_pair(SOCK_STREAM);
  IN_CHILD(pid, {
    close(s[0]);
    OK(pipe(p));
    send_fds(s[1], p, 2);
    EQUAL(read(p[0], &byte, 1), 1);
    EQUAL(byte, 'r');
  });
  EQUAL(receive_fds(s[0], got, 2, MSG_CMSG_CLOEXEC), 2);
  CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
  EQUAL(write(got[1], "r", 1), 1);
  join(pid);
}

TEST(rights_cut, "descriptors that do not fit are closed and MSG_CTRUNC says so") {
  int p[2], got[2];
  char byte;
  make_pair(SOCK_DGRAM);
  OK(pipe2(p, O_NONBLOCK));
  int both[2] = {p[1], p[1]};
  send_fds(s[0], both, 2);
  close(p[1]);
  EQUAL(receive_fds(s[1], got, 1, 0), 1);
  EQUAL(flags_seen & MSG_CTRUNC, MSG_CTRUNC);
  FAILS(read(p[0], &byte, 1), EAGAIN);
  close(got[0]);
  EQUAL(read(p[0], &byte, 1), 0);
}

static int open_files(void) {
  int n = 0;
  for (int fd = 0; fd < 100; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

/* Receives a byte with control data into the last `room` bytes before memory that is not there; its length. */
static int control_at_edge(size_t room) {
  static char *edge;
  if (edge == NULL) {
    edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(edge != MAP_FAILED);
    edge += 4096;
    OK(mprotect(edge, 4096, PROT_NONE));
  }
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = edge - room, .msg_controllen = 100};
  EQUAL(recvmsg(s[1], &message, 0), 1);
  flags_seen = message.msg_flags;
  return (int)message.msg_controllen;
}

TEST(control_faults, "control data that cannot be written is left out, with its descriptors, and the message received") {
  make_pair(SOCK_STREAM);
  int three[3] = {s[0], s[0], s[0]};
  int before = open_files();
  static const struct { size_t room; int length, fds; } cases[] = {
    {8, 0, 0}, {16, 0, 0}, {20, 24, 1}, {24, 24, 2}, {28, 32, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    send_fds(s[0], three, 3);
    EQUAL(control_at_edge(cases[i].room), cases[i].length);
    EQUAL(flags_seen & MSG_CTRUNC, cases[i].fds < 3 ? MSG_CTRUNC : 0);
    EQUAL(open_files() - before, cases[i].fds);
    for (int fd = before; fd < before + 10; fd++) close(fd);
    before = open_files();
  }
  int on = 1;
  OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  EQUAL(send(s[0], "x", 1, 0), 1);
  EQUAL(control_at_edge(20), 0);
  EQUAL(flags_seen & MSG_CTRUNC, 0);
  send_fds(s[0], three, 2);
  EQUAL(control_at_edge(40), 32); /* Of credentials, none of the descriptors. */
  EQUAL(flags_seen & MSG_CTRUNC, MSG_CTRUNC);
  EQUAL(open_files(), before);
}

TEST(rights_unread, "descriptors in a queue that is dropped are closed") {
  int p[2];
  char byte;
  make_pair(SOCK_STREAM);
  OK(pipe2(p, O_NONBLOCK));
  send_fds(s[0], &p[1], 1);
  close(p[1]);
  FAILS(read(p[0], &byte, 1), EAGAIN);
  close(s[0]);
  close(s[1]);
  EQUAL(read(p[0], &byte, 1), 0);
}

TEST(credentials, "SO_PASSCRED shows who sent, SO_PEERCRED who connected") {
  int on = 1;
  make_pair(SOCK_STREAM);
  struct ucred peer;
  socklen_t length = sizeof peer;
  OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
  EQUAL(peer.pid, getpid());
  EQUAL(peer.uid, geteuid());
  OK(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  IN_CHILD(pid, { EQUAL(write(s[1], "x", 1), 1); });
  join(pid);
  char control[CMSG_SPACE(sizeof(struct ucred))], byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
  EQUAL(recvmsg(s[0], &message, 0), 1);
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  CHECK(c != NULL);
  EQUAL(c->cmsg_type, SCM_CREDENTIALS);
  memcpy(&peer, CMSG_DATA(c), sizeof peer);
  EQUAL(peer.pid, pid);
  EQUAL(peer.gid, getegid());
}

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SCM_PIDFD 4
#endif

/* Who sent the one byte that `socket` has, as a pidfd with close-on-exec. */
static int receive_sender(int socket) {
  char control[CMSG_SPACE(sizeof(int))], byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
  EQUAL(recvmsg(socket, &message, 0), 1);
  EQUAL(message.msg_flags & MSG_CTRUNC, 0);
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  CHECK(c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD);
  int fd;
  memcpy(&fd, CMSG_DATA(c), sizeof fd);
  EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
  return fd;
}

TEST(sender_pidfd, "SO_PASSPIDFD shows who sent, as a descriptor of the process") {
  int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}, on = 1;
  for (int i = 0; i < 3; i++) {
    make_pair(types[i]);
    SKIP_UNLESS(setsockopt(s[0], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on) == 0, "no SO_PASSPIDFD");
    IN_CHILD(pid, {
      EQUAL(write(s[1], "x", 1), 1);
      pause();
    });
    int sender = receive_sender(s[0]);
    OK(syscall(SYS_pidfd_send_signal, sender, SIGKILL, NULL, 0));
    siginfo_t info;
    OK(waitid(P_PIDFD, sender, &info, WEXITED));
    EQUAL(info.si_pid, pid);
    char byte, small[CMSG_SPACE(0)];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = small,
                             .msg_controllen = sizeof small};
    EQUAL(write(s[1], "x", 1), 1);
    EQUAL(recvmsg(s[0], &message, 0), 1);
    EQUAL(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  }
}

TEST(connectionless, "a datagram socket answers its sender by name") {
  int server = listener(SOCK_DGRAM, "server"), client = listener(SOCK_DGRAM, "client");
  struct sockaddr_un a, from;
  socklen_t length = address(&a, "server");
  EQUAL(sendto(client, "ask", 3, 0, (struct sockaddr *)&a, length), 3);
  char text[10];
  length = sizeof from;
  EQUAL(recvfrom(server, text, sizeof text, 0, (struct sockaddr *)&from, &length), 3);
  CHECK(strcmp(from.sun_path, "client") == 0);
  EQUAL(sendto(server, "answer", 6, 0, (struct sockaddr *)&from, length), 6);
  EQUAL(recv(client, text, sizeof text, 0), 6);
  FAILS(send(server, "x", 1, 0), ENOTCONN);
}

TEST(queue_full, "a full datagram queue blocks or refuses the sender") {
  make_pair(SOCK_DGRAM);
  OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
  int sent = 0;
  while (sent < 100000 && send(s[0], "x", 1, 0) == 1) sent++;
  EQUAL(errno, EAGAIN);
  CHECK(sent >= 1);
  struct pollfd p = {s[0], POLLOUT, 0};
  EQUAL(poll(&p, 1, 0), 0);
  char byte;
  for (int i = 0; i < sent; i++) EQUAL(recv(s[1], &byte, 1, 0), 1);
  EQUAL(poll(&p, 1, 0), 1);
}

TEST(stream_full, "a writer that fills a stream goes on as the reader takes") {
  static char data[500000], got[sizeof data];
  make_pair(SOCK_STREAM);
  for (size_t i = 0; i < sizeof data; i++) data[i] = i * 13 >> 3;
  IN_CHILD(pid, {
    close(s[1]);
    EQUAL(write(s[0], data, sizeof data), sizeof data);
  });
  close(s[0]);
  EQUAL(recv(s[1], got, sizeof got, MSG_WAITALL), sizeof got);
  CHECK(memcmp(data, got, sizeof data) == 0);
  join(pid);
}

TEST(options, "socket options are told and kept") {
  make_pair(SOCK_SEQPACKET);
  int value = 0;
  socklen_t length = sizeof value;
  OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &length));
  EQUAL(value, SOCK_SEQPACKET);
  OK(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &value, &length));
  EQUAL(value, AF_UNIX);
  OK(getsockopt(s[0], SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
  EQUAL(value, 0);
  struct timeval brief = {0, 20000};
  OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief));
  double start = monotonic_ms();
  char byte;
  FAILS(recv(s[0], &byte, 1, 0), EAGAIN);
  CHECK(monotonic_ms() - start >= 19);
  FAILS(setsockopt(s[0], SOL_SOCKET, 9999, &value, sizeof value), ENOPROTOOPT);
  EQUAL(send(s[1], "abc", 3, 0), 3);
  OK(ioctl(s[0], FIONREAD, &value));
  EQUAL(value, 3);
}

/* Bytes that went into `fd` in pieces of `size` until it was full, and how many the kernel counts for them. */
static int fill(int fd, size_t size, int *counted) {
  static char bytes[100000];
  ssize_t n;
  int total = 0;
  while ((n = send(fd, bytes, size, MSG_DONTWAIT)) > 0) total += n;
  EQUAL(errno, EAGAIN);
  OK(ioctl(fd, TIOCOUTQ, counted));
  return total;
}

TEST(room, "a socket is full by the memory that its messages take, and writable at a quarter of that") {
  int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  for (int i = 0; i < 3; i++) {
    int s[2], limit, counted, left;
    socklen_t length = sizeof limit;
    OK(socketpair(AF_UNIX, types[i], 0, s));
    OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &limit, &length));
    int small = fill(s[0], 1, &counted);
    CHECK(small < limit / 100);
    CHECK(counted >= limit && counted < limit + 2000);
    char byte;
    struct pollfd poll_it = {s[0], POLLOUT, 0};
    while (poll(&poll_it, 1, 0) == 0) EQUAL(recv(s[1], &byte, 1, MSG_DONTWAIT), 1);
    OK(ioctl(s[0], TIOCOUTQ, &left));
    CHECK(left < limit / 4 && left > limit / 4 - 2000);
    while (recv(s[1], &byte, 1, MSG_DONTWAIT) > 0) continue;
    OK(ioctl(s[0], TIOCOUTQ, &left));
    EQUAL(left, 0);
    int large = fill(s[0], types[i] == SOCK_STREAM ? 100000 : 10000, &counted);
    CHECK(large > limit / 3 && counted > large);
  }
}

TEST(waiting_connects, "who waits to connect goes on when there is room, and all are refused when the listener closes") {
  struct sockaddr_un a;
  socklen_t length = address(&a, "listener");
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), first = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, (struct sockaddr *)&a, length));
  OK(listen(listener, 0));
  OK(connect(first, (struct sockaddr *)&a, length));
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      close(listener);
      int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
      if (i == 0) OK(connect(fd, (struct sockaddr *)&a, length));
      else FAILS(connect(fd, (struct sockaddr *)&a, length), ECONNREFUSED);
      _exit(0);
    }
    until_asleep(pids[i]);
  }
  OK(accept(listener, NULL, NULL));
  join(pids[0]);
  close(listener);
  join(pids[1]);
  join(pids[2]);
}

TEST(shut_down_listener, "all who wait in accept hear that the listener is shut down") {
  struct sockaddr_un a;
  socklen_t length = address(&a, "listener");
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, (struct sockaddr *)&a, length));
  OK(listen(listener, 5));
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      FAILS(accept(listener, NULL, NULL), EINVAL);
      _exit(0);
    }
    until_asleep(pids[i]);
  }
  OK(shutdown(listener, SHUT_RDWR));
  for (int i = 0; i < 3; i++) join(pids[i]);
}

TEST(errors, "calls on what is not a socket, or not connected, are refused") {
  char byte;
  FAILS(socket(AF_UNIX, 99, 0), EINVAL);
  FAILS(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
  FAILS(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
  FAILS(listen(0, 1), ENOTSOCK);
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(accept(fd, NULL, NULL), EINVAL);
  FAILS(recv(fd, &byte, 1, 0), EINVAL);
  FAILS(send(fd, &byte, 1, MSG_NOSIGNAL), ENOTCONN);
  FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
  struct sockaddr_un a;
  address(&a, "name");
  FAILS(bind(fd, (struct sockaddr *)&a, 2000), EINVAL);
  FAILS(bind(fd, nowhere, sizeof a), EFAULT);
  struct sockaddr other = {.sa_family = 99};
  FAILS(connect(fd, &other, sizeof other), EINVAL);
}

TEST(many_messages, "sendmmsg and recvmmsg move several messages in one call") {
  make_pair(SOCK_DGRAM);
  struct iovec out[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
  char text[4][4];
  struct mmsghdr messages[4] = {0};
  for (int i = 0; i < 3; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = out + i, .msg_iovlen = 1};
  EQUAL(sendmmsg(s[0], messages, 3, 0), 3);
  struct iovec in[4];
  for (int i = 0; i < 4; i++) {
    in[i] = (struct iovec){text[i], 4};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = in + i, .msg_iovlen = 1};
  }
  EQUAL(recvmmsg(s[1], messages, 4, MSG_DONTWAIT, NULL), 3);
  EQUAL(messages[2].msg_len, 3);
}

TEST(accept_blocks, "a blocked accept is woken by a connection and interrupted by a signal") {
  int l = listener(SOCK_STREAM, "sock");
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    OK(connect_to(SOCK_STREAM, "sock"));
  });
  OK(accept(l, NULL, NULL));
  join(pid);
}

/* Puts the writing end of a pipe into a ring of sockets in flight, lets go of all, and returns the other end. */
static int lost_ring(int type, int length) {
  int pipe_ends[2], from[4], to[4], pair[2];
  OK(pipe(pipe_ends));
  for (int i = 0; i < length; i++) {
    OK(socketpair(AF_UNIX, type, 0, pair));
    from[i] = pair[0];
    to[i] = pair[1];
  }
  /* In the queue of each socket lies the next one; in the first one's also the pipe. */
  for (int i = 0; i < length; i++) {
    int fds[2] = {to[(i + 1) % length], pipe_ends[1]};
    send_fds(from[i], fds, i == 0 ? 2 : 1);
  }
  close(pipe_ends[1]);
  for (int i = 0; i < length; i++) close(to[i]);
  for (int i = 0; i < length; i++) close(from[i]);
  return pipe_ends[0];
}

TEST(rings, "sockets that only hold each other in flight are ended, and what they carry is closed") {
  char byte;
  for (int length = 1; length <= 3; length++) {
    EQUAL(read(lost_ring(SOCK_STREAM, length), &byte, 1), 0);
    EQUAL(read(lost_ring(SOCK_DGRAM, length), &byte, 1), 0);
    EQUAL(read(lost_ring(SOCK_SEQPACKET, length), &byte, 1), 0);
  }
}

TEST(held_ring, "a ring that somebody can still receive from stays") {
  int a[2], b[2], p[2], got[2], itself;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
  OK(pipe(p));
  send_fds(a[0], (int[]){b[1], p[1]}, 2);
  send_fds(b[0], (int[]){b[1]}, 1); /* b[1] holds itself, and is held by a[1], which is ours. */
  close(b[1]);
  close(p[1]);
  close(b[0]);
  close(socket(AF_UNIX, SOCK_STREAM, 0));
  usleep(1000);
  EQUAL(receive_fds(a[1], got, 2, 0), 2);
  EQUAL(receive_fds(got[0], &itself, 1, 0), 1);
  EQUAL(write(got[1], "x", 1), 1);
}

TEST(kept_options, "options without a meaning for local sockets are kept all the same") {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0)), on = 1, value = -1;
  socklen_t length = sizeof value;
  int kept[] = {SO_NOFCS, SO_SELECT_ERR_QUEUE, SO_RXQ_OVFL, SO_WIFI_STATUS};
  for (int i = 0; i < 4; i++) {
    OK(setsockopt(fd, SOL_SOCKET, kept[i], &on, sizeof on));
    OK(getsockopt(fd, SOL_SOCKET, kept[i], &value, &length));
    EQUAL(value, 1);
  }
  OK(setsockopt(fd, SOL_SOCKET, SO_BSDCOMPAT, &on, sizeof on));
  OK(getsockopt(fd, SOL_SOCKET, SO_BSDCOMPAT, &value, &length));
  EQUAL(value, 0);
  OK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &value, &length));
  EQUAL(value, 0);
  if (geteuid() == 0) OK(setuid(1000));
  FAILS(setsockopt(fd, SOL_SOCKET, SO_MARK, &on, sizeof on), EPERM);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_DEBUG, &on, sizeof on), EACCES);
}

static void send_text(const char *text, int flags) {
  EQUAL(send(s[0], text, strlen(text), flags), strlen(text));
}

static void receive_text(const char *text, int flags) {
  char got[64] = "";
  EQUAL(recv(s[1], got, sizeof got - 1, flags | MSG_DONTWAIT), strlen(text));
  CHECK(strcmp(got, text) == 0);
}

static int at_mark(void) {
  int mark = -1;
  OK(ioctl(s[1], SIOCATMARK, &mark));
  return mark;
}

static int polled(void) {
  struct pollfd p = {.fd = s[1], .events = POLLIN | POLLPRI};
  OK(poll(&p, 1, 0));
  return p.revents;
}

TEST(out_of_band, "the last byte sent with MSG_OOB is received by itself, and leaves a mark") {
  char byte;
  make_pair(SOCK_STREAM);
  FAILS(recv(s[1], &byte, 1, MSG_OOB), EINVAL);
  FAILS(send(s[0], "", 0, MSG_OOB), EOPNOTSUPP);
  send_text("hello", MSG_OOB);
  EQUAL(polled(), POLLIN | POLLPRI);
  EQUAL(at_mark(), 0);
  receive_text("o", MSG_OOB | MSG_PEEK);
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  EQUAL(recvmsg(s[1], &message, MSG_OOB), 1);
  EQUAL(byte, 'o');
  EQUAL(message.msg_flags, MSG_OOB);
  EQUAL(polled(), POLLIN);
  FAILS(recv(s[1], &byte, 1, MSG_OOB), EINVAL);
  send_text("world", 0);
  receive_text("hell", 0);
  EQUAL(at_mark(), 1);
  receive_text("world", 0);
  EQUAL(polled(), 0);
}

TEST(mark, "a read ends at the mark, and one that begins there drops the byte out of band") {
  char byte;
  make_pair(SOCK_STREAM);
  send_text("hello", MSG_OOB);
  send_text("world", 0);
  receive_text("hell", MSG_PEEK);
  receive_text("hell", MSG_WAITALL);
  EQUAL(at_mark(), 1);
  EQUAL(polled(), POLLIN | POLLPRI);
  receive_text("world", MSG_PEEK);
  receive_text("world", 0);
  FAILS(recv(s[1], &byte, 1, MSG_OOB), EINVAL);
  send_text("a", MSG_OOB);
  FAILS(recv(s[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
  EQUAL(polled(), 0);
  send_text("b", MSG_OOB);
  OK(shutdown(s[0], SHUT_WR));
  EQUAL(recv(s[1], &byte, 1, 0), 0);
}

TEST(marks, "a byte out of band that another one follows is read with the rest") {
  char byte;
  make_pair(SOCK_STREAM);
  send_text("ab", MSG_OOB);
  send_text("cd", MSG_OOB);
  receive_text("abc", MSG_PEEK);
  receive_text("abc", 0);
  receive_text("d", MSG_OOB);
  FAILS(recv(s[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
  send_text("ab", MSG_OOB);
  receive_text("b", MSG_OOB);
  send_text("cd", MSG_OOB);
  receive_text("d", MSG_OOB);
  receive_text("a", 0);
  receive_text("c", 0);
  send_text("e", MSG_OOB);
  receive_text("e", MSG_OOB);
  send_text("f", MSG_OOB);
  receive_text("f", MSG_OOB);
  EQUAL(at_mark(), 1);
  close(s[1]);
  EQUAL(read(s[0], &byte, 1), 0);
}

TEST(inline_mark, "with SO_OOBINLINE the byte out of band is read where it was sent, after the mark") {
  char byte;
  int on = 1;
  make_pair(SOCK_STREAM);
  OK(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
  send_text("hello", MSG_OOB);
  send_text("world", 0);
  FAILS(recv(s[1], &byte, 1, MSG_OOB), EINVAL);
  receive_text("hell", 0);
  EQUAL(at_mark(), 1);
  receive_text("oworld", MSG_PEEK);
  EQUAL(polled(), POLLIN | POLLPRI);
  receive_text("oworld", 0);
  EQUAL(polled(), 0);
}

static volatile sig_atomic_t urgent_count;
static void count_urgent(int signo) {
  (void)signo;
  urgent_count++;
}

TEST(urgent_signal, "a byte out of band sends SIGURG to the owner of the socket that gets it") {
  make_pair(SOCK_STREAM);
  signal(SIGURG, count_urgent);
  send_text("a", MSG_OOB);
  EQUAL(urgent_count, 0);
  OK(fcntl(s[1], F_SETOWN, getpid()));
  send_text("b", MSG_OOB);
  EQUAL(urgent_count, 1);
  send_text("c", 0);
  EQUAL(urgent_count, 1);
}

TEST(streams_alone, "there is no byte out of band where messages are whole") {
  int types[] = {SOCK_DGRAM, SOCK_SEQPACKET}, mark;
  for (int i = 0; i < 2; i++) {
    make_pair(types[i]);
    FAILS(send(s[0], "x", 1, MSG_OOB), EOPNOTSUPP);
    FAILS(recv(s[1], &mark, 1, MSG_OOB), EOPNOTSUPP);
    FAILS(ioctl(s[1], SIOCATMARK, &mark), EOPNOTSUPP);
  }
}

TEST(protocol_name, "an attribute of a socket tells its protocol; pipes have no attributes") {
  static const struct { int type; const char *name; } kinds[] = {
      {SOCK_STREAM, "UNIX-STREAM"}, {SOCK_DGRAM, "UNIX"}, {SOCK_SEQPACKET, "UNIX"}};
  static const char attribute[] = "system.sockprotoname";
  char text[64];
  for (int i = 0; i < 3; i++) {
    int fd = OK(socket(AF_UNIX, kinds[i].type, 0));
    ssize_t size = strlen(kinds[i].name) + 1;
    EQUAL(fgetxattr(fd, attribute, NULL, 0), size);
    FAILS(fgetxattr(fd, attribute, text, 1), ERANGE);
    EQUAL(fgetxattr(fd, attribute, text, sizeof text), size);
    CHECK(strcmp(text, kinds[i].name) == 0);
    EQUAL(flistxattr(fd, text, sizeof text), sizeof attribute);
    CHECK(strcmp(text, attribute) == 0);
    FAILS(fsetxattr(fd, attribute, "x", 1, 0), EOPNOTSUPP);
    FAILS(fremovexattr(fd, attribute), EOPNOTSUPP);
    FAILS(fgetxattr(fd, "system.sockprotoname.x", text, sizeof text), EOPNOTSUPP);
    FAILS(fgetxattr(fd, "security.x", text, sizeof text), EOPNOTSUPP);
    close(fd);
  }
  int p[2];
  OK(pipe(p));
  FAILS(fgetxattr(p[0], "security.x", text, sizeof text), EOPNOTSUPP);
  FAILS(getxattr("/proc/self/status", "user.x", text, sizeof text), EOPNOTSUPP);
}

static struct msghdr credentials_message(char *control, struct ucred sender) {
  static struct iovec part = {"x", 1};
  struct cmsghdr header = {CMSG_LEN(sizeof sender), SOL_SOCKET, SCM_CREDENTIALS};
  memcpy(control, &header, sizeof header);
  memcpy(control + CMSG_LEN(0), &sender, sizeof sender);
  return (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                         .msg_controllen = CMSG_SPACE(sizeof sender)};
}

TEST(false_credentials, "credentials must be of a process and of ids that there are") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_pair(SOCK_DGRAM);
  char control[CMSG_SPACE(sizeof(struct ucred))];
  struct msghdr message = credentials_message(control, (struct ucred){getppid(), 1, 1});
  EQUAL(sendmsg(s[0], &message, 0), 1);
  message = credentials_message(control, (struct ucred){0x3fffff, 1, 1});
  FAILS(sendmsg(s[0], &message, 0), ESRCH);
  message = credentials_message(control, (struct ucred){getpid(), -1, 1});
  FAILS(sendmsg(s[0], &message, 0), EINVAL);
  message = credentials_message(control, (struct ucred){getpid(), 1, -1});
  FAILS(sendmsg(s[0], &message, 0), EINVAL);
}

TEST(datagram_end, "who would not wait for a datagram is not told that none will come") {
  make_pair(SOCK_DGRAM);
  char byte;
  EQUAL(send(s[1], "x", 1, 0), 1);
  OK(shutdown(s[0], SHUT_RD));
  EQUAL(recv(s[0], &byte, 1, MSG_DONTWAIT), 1);
  FAILS(recv(s[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
  EQUAL(recv(s[0], &byte, 1, 0), 0);
  OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
  FAILS(read(s[0], &byte, 1), EAGAIN);
}

TEST(records, "MSG_EOR is accepted and not received") {
  make_pair(SOCK_SEQPACKET);
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  EQUAL(send(s[0], "a", 1, MSG_EOR), 1);
  EQUAL(write(s[0], "b", 1), 1);
  for (int i = 0; i < 2; i++) {
    EQUAL(recvmsg(s[1], &message, 0), 1);
    EQUAL(message.msg_flags, 0);
  }
}

TEST(sigio_ends, "a peer's shutdown signals POLL_IN, its close POLL_HUP") {
  int signo = SIGRTMIN + 1;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  make_pair(SOCK_STREAM);
  OK(fcntl(s[0], F_SETOWN, getpid()));
  OK(fcntl(s[0], F_SETSIG, signo));
  OK(fcntl(s[0], F_SETFL, O_ASYNC));
  struct timespec now = {0, 0};
  siginfo_t info;
  OK(shutdown(s[1], SHUT_WR));
  EQUAL(sigtimedwait(&set, &info, &now), signo);
  EQUAL(info.si_code, POLL_IN);
  EQUAL(info.si_band, POLLIN | POLLRDNORM);
  close(s[1]);
  EQUAL(sigtimedwait(&set, &info, &now), signo);
  EQUAL(info.si_code, POLL_HUP);
  EQUAL(info.si_band, POLLHUP | POLLERR);
  FAILS(sigtimedwait(&set, &info, &now), EAGAIN);
}


static int option(int fd, int name) {
  int value = -77;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -errno;
}

static int set_option(int fd, int name, int value) {
  return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

TEST(number_options, "options without effect are kept within their bounds, or refused as Linux does") {
  make_pair(SOCK_STREAM);
  EQUAL(option(s[0], SO_LOCK_FILTER), 0);
  OK(set_option(s[0], SO_LOCK_FILTER, 7));
  EQUAL(option(s[0], SO_LOCK_FILTER), 1);
  FAILS(set_option(s[0], SO_LOCK_FILTER, 0), EPERM);
  OK(set_option(s[0], SO_BUSY_POLL, 50));
  EQUAL(option(s[0], SO_BUSY_POLL), 50);
  FAILS(set_option(s[0], SO_BUSY_POLL, -1), EINVAL);
  EQUAL(option(s[0], SO_INCOMING_CPU), -1);
  EQUAL(option(s[0], SO_BPF_EXTENSIONS), 64);
  EQUAL(option(s[0], SO_GET_FILTER), -77); /* Nothing was written. */
  FAILS(set_option(s[0], SO_DETACH_FILTER, 0), EPERM);
  FAILS(set_option(s[1], SO_DETACH_FILTER, 0), ENOENT);
  FAILS(set_option(s[0], SO_ZEROCOPY, 1), EOPNOTSUPP);
  FAILS(setsockopt(s[0], SOL_SOCKET, SO_BINDTODEVICE, "none", 4), ENODEV);
  OK(setsockopt(s[0], SOL_SOCKET, SO_BINDTODEVICE, "", 1));
  FAILS(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, nowhere, 3), EINVAL);
  FAILS(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, nowhere, 4), EFAULT);
  FAILS(setsockopt(s[0], 17, SO_REUSEADDR, nowhere, 4), EOPNOTSUPP);
  uint64_t rate = 0;
  socklen_t length = sizeof rate;
  OK(getsockopt(s[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &length));
  CHECK(rate == UINT64_MAX);
  OK(set_option(s[0], SO_MAX_PACING_RATE, 1000));
  OK(getsockopt(s[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &length));
  EQUAL(rate, 1000);
  OK(set_option(s[0], SO_TIMESTAMPNS, 1));
  EQUAL(option(s[0], SO_TIMESTAMPNS), 1);
  OK(set_option(s[0], SO_TIMESTAMP, 1));
  EQUAL(option(s[0], SO_TIMESTAMPNS), 0);
  uint32_t memory[9];
  length = sizeof memory;
  EQUAL(write(s[0], "x", 1), 1);
  OK(getsockopt(s[0], SOL_SOCKET, SO_MEMINFO, memory, &length));
  EQUAL(length, sizeof memory);
  EQUAL(memory[1], option(s[0], SO_RCVBUF));
  EQUAL(memory[2], 768);
  char room[64];
  length = 3;
  FAILS(getsockopt(s[0], SOL_SOCKET, SO_PEERNAME, room, &length), EINVAL);
  length = 7;
  FAILS(getsockopt(s[0], SOL_SOCKET, SO_COOKIE, room, &length), EINVAL);
  int alone = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  EQUAL(option(alone, SO_PEERGROUPS), -ENODATA);
}

TEST(refusals, "a seqpacket is refused before its control data is looked at") {
  struct msghdr message = {.msg_control = "garbage and more", .msg_controllen = 17};
  int alone = OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  FAILS(sendmsg(alone, &message, 0), ENOTCONN);
  int stream = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(sendmsg(stream, &message, 0), EINVAL);
  make_pair(SOCK_SEQPACKET);
  EQUAL(write(s[0], "x", 1), 1);
  close(s[1]);
  FAILS(send(s[0], "y", 1, MSG_OOB), ECONNRESET);
  FAILS(send(s[0], "y", 1, MSG_OOB), EOPNOTSUPP);
}

TEST(empty_packet, "the close of a socket with nothing but an empty message unread is no reset") {
  char c;
  make_pair(SOCK_SEQPACKET);
  EQUAL(send(s[0], "", 0, 0), 0);
  close(s[1]);
  EQUAL(option(s[0], SO_ERROR), 0);
  EQUAL(read(s[0], &c, 1), 0);
}

TEST(packet_pipe, "messages that nobody can hear raise no SIGPIPE") {
  signal(SIGPIPE, SIG_DFL);
  make_pair(SOCK_DGRAM);
  OK(shutdown(s[0], SHUT_WR));
  FAILS(write(s[0], "x", 1), EPIPE);
  make_pair(SOCK_SEQPACKET);
  close(s[1]);
  FAILS(write(s[0], "x", 1), EPIPE);
}

TEST(dead_peer, "who sends to a datagram socket that is gone loses what it had sent") {
  make_pair(SOCK_DGRAM);
  EQUAL(write(s[1], "lost", 4), 4);
  close(s[1]);
  char text[8];
  FAILS(send(s[0], "x", 1, 0), ECONNREFUSED);
  FAILS(recv(s[0], text, sizeof text, MSG_DONTWAIT), EAGAIN);
}

TEST(shut_listener, "a listener that is shut refuses only who would wait") {
  int fd = listener(SOCK_STREAM, "@shut");
  OK(shutdown(fd, SHUT_RD));
  FAILS(accept(fd, NULL, NULL), EINVAL);
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  FAILS(accept(fd, NULL, NULL), EAGAIN);
}

TEST(early_autobind, "a connect that fails has given the socket that asks for senders a name") {
  struct sockaddr_un a;
  socklen_t length = address(&a, "@nobody");
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(set_option(fd, SO_PASSCRED, 1));
  FAILS(connect(fd, (struct sockaddr *)&a, length), ECONNREFUSED);
  length = sizeof a;
  OK(getsockname(fd, (struct sockaddr *)&a, &length));
  EQUAL(length, 8);
}

static struct msghdr *with_room(void) {
  static char room[200];
  static struct msghdr message;
  message = (struct msghdr){.msg_control = room, .msg_controllen = sizeof room};
  return &message;
}

TEST(empty_reads, "a read of nothing takes files from a stream, and a peek to the end sees those that follow") {
  char text[2];
  struct iovec two = {text, 2};
  make_pair(SOCK_STREAM);
  EQUAL(write(s[0], "ab", 2), 2);
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec one = {"c", 1};
  struct msghdr out = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&out);
  *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  int zero = 0;
  memcpy(CMSG_DATA(c), &zero, sizeof zero);
  EQUAL(sendmsg(s[0], &out, 0), 1);
  struct msghdr *in = with_room();
  in->msg_iov = &two;
  in->msg_iovlen = 1;
  EQUAL(recvmsg(s[1], in, MSG_PEEK), 2);
  EQUAL(in->msg_controllen, CMSG_SPACE(sizeof(int)));
  EQUAL(read(s[1], text, 2), 2);
  EQUAL(recvmsg(s[1], with_room(), 0), 0);
  in = with_room();
  EQUAL(recvmsg(s[1], in, 0), 0);
  EQUAL(in->msg_controllen, 0);
  EQUAL(read(s[1], text, 2), 1);
}

TEST(end_sender, "the end of a connection for messages has no sender") {
  make_pair(SOCK_SEQPACKET);
  OK(set_option(s[0], SO_PASSCRED, 1));
  close(s[1]);
  struct msghdr *in = with_room();
  EQUAL(recvmsg(s[0], in, 0), 0);
  EQUAL(in->msg_controllen, 0);
  EQUAL(in->msg_flags, 0);
}

TEST(error_first, "a socket for messages tells of the reset before what it has received") {
  char text[8];
  make_pair(SOCK_SEQPACKET);
  EQUAL(write(s[0], "lost", 4), 4);
  EQUAL(write(s[1], "kept", 4), 4);
  close(s[1]);
  FAILS(read(s[0], text, sizeof text), ECONNRESET);
  EQUAL(read(s[0], text, sizeof text), 4);
  EQUAL(read(s[0], text, sizeof text), 0);
}

TEST(packet_autobind, "a seqpacket that asks for senders gets a name with its first message") {
  struct sockaddr_un a;
  socklen_t length = sizeof a;
  make_pair(SOCK_SEQPACKET);
  OK(set_option(s[0], SO_PASSCRED, 1));
  EQUAL(write(s[0], "x", 1), 1);
  OK(getpeername(s[1], (struct sockaddr *)&a, &length));
  EQUAL(length, 8);
}

TEST(timestamps, "messages come with the time when SO_TIMESTAMP or SO_TIMESTAMPNS is on") {
  static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
  for (int i = 0; i < 2; i++) {
    struct timespec before, after, then;
    make_pair(types[i]);
    OK(set_option(s[1], SO_TIMESTAMPNS, 1));
    OK(clock_gettime(CLOCK_REALTIME, &before));
    EQUAL(write(s[0], "x", 1), 1);
    OK(clock_gettime(CLOCK_REALTIME, &after));
    struct msghdr *in = with_room();
    EQUAL(recvmsg(s[1], in, 0), 0);
    EQUAL(in->msg_controllen, CMSG_SPACE(sizeof then));
    struct cmsghdr *c = CMSG_FIRSTHDR(in);
    EQUAL(c->cmsg_level, SOL_SOCKET);
    EQUAL(c->cmsg_type, SO_TIMESTAMPNS);
    memcpy(&then, CMSG_DATA(c), sizeof then);
    CHECK(then.tv_sec >= before.tv_sec && then.tv_sec <= after.tv_sec);
    CHECK(then.tv_nsec >= 0 && then.tv_nsec < 1000000000);
    OK(set_option(s[1], SO_TIMESTAMP, 1));
    EQUAL(write(s[0], "x", 1), 1);
    in = with_room();
    in->msg_controllen = 20;
    EQUAL(recvmsg(s[1], in, 0), 0);
    EQUAL(in->msg_flags, MSG_TRUNC | MSG_CTRUNC);
    EQUAL(CMSG_FIRSTHDR(in)->cmsg_type, SO_TIMESTAMP);
    EQUAL(CMSG_FIRSTHDR(in)->cmsg_len, 20);
  }
}
