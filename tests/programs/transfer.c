// Moving data between descriptors: sendfile(2), splice(2), tee(2), copy_file_range(2), vmsplice(2).
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int p[2];
static char text[100];

static int file_with(const char *path, const char *data) {
  write_file(path, data);
  return OK(open(path, O_RDWR));
}

TEST(sendfile_, "sendfile copies to a socket or file from the offset given or the file's own") {
  int from = file_with("from", "0123456789"), s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  off_t offset = 2;
  EQUAL(sendfile(s[0], from, &offset, 3), 3);
  EQUAL(offset, 5);
  EQUAL(lseek(from, 0, SEEK_CUR), 0);
  EQUAL(sendfile(s[0], from, NULL, 4), 4);
  EQUAL(lseek(from, 0, SEEK_CUR), 4);
  EQUAL(read(s[1], text, sizeof text), 7);
  CHECK(memcmp(text, "2340123", 7) == 0);
  int to = file_with("to", "");
  EQUAL(sendfile(to, from, NULL, 100), 6);
  EQUAL(sendfile(to, from, NULL, 100), 0);
  CHECK(strcmp(read_file("to"), "456789") == 0);
  FAILS(sendfile(to, s[1], NULL, 1), EINVAL);
  FAILS(sendfile(OK(open("to", O_RDONLY)), from, NULL, 1), EBADF);
}

TEST(splice_in, "splice moves from a file to a pipe and on to a file") {
  int from = file_with("from", "spliced data"), to = file_with("to", "");
  OK(pipe(p));
  loff_t offset = 8;
  EQUAL(splice(from, &offset, p[1], NULL, 100, 0), 4);
  EQUAL(offset, 12);
  EQUAL(splice(p[0], NULL, to, NULL, 100, 0), 4);
  CHECK(strcmp(read_file("to"), "data") == 0);
  FAILS(splice(p[0], NULL, to, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
  FAILS(splice(from, NULL, to, NULL, 1, 0), EINVAL);
  FAILS(splice(p[0], &offset, to, NULL, 1, 0), ESPIPE);
  close(p[1]);
  EQUAL(splice(p[0], NULL, to, NULL, 1, 0), 0);
}

TEST(splice_order, "from pipe to pipe, what to wait for comes before nobody to read it, and that before the end") {
  int from[2], to[2];
  OK(pipe(from));
  OK(pipe(to));
  signal(SIGPIPE, SIG_IGN);
  close(to[0]);
  FAILS(splice(from[0], NULL, to[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
  FAILS(tee(from[0], to[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
  close(from[1]);
  FAILS(splice(from[0], NULL, to[1], NULL, 1, 0), EPIPE);
}

TEST(splice_socket, "splice moves between a socket and a pipe") {
  int s[2];
  OK(pipe(p));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  EQUAL(write(s[0], "through", 7), 7);
  EQUAL(splice(s[1], NULL, p[1], NULL, 100, 0), 7);
  EQUAL(splice(p[0], NULL, s[1], NULL, 7, 0), 7);
  EQUAL(read(s[0], text, sizeof text), 7);
}

TEST(tee_, "tee copies between pipes and leaves the data") {
  int q[2];
  OK(pipe(p));
  OK(pipe(q));
  EQUAL(write(p[1], "twice", 5), 5);
  EQUAL(tee(p[0], q[1], 100, 0), 5);
  EQUAL(read(p[0], text, sizeof text), 5);
  EQUAL(read(q[0], text, sizeof text), 5);
  CHECK(memcmp(text, "twice", 5) == 0);
  FAILS(tee(p[0], q[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
  FAILS(tee(p[0], p[1], 1, 0), EINVAL);
}

TEST(vmsplice_, "vmsplice puts memory into a pipe") {
  OK(pipe(p));
  struct iovec parts[2] = {{"from ", 5}, {"memory", 6}};
  EQUAL(vmsplice(p[1], parts, 2, 0), 11);
  EQUAL(read(p[0], text, sizeof text), 11);
  CHECK(memcmp(text, "from memory", 11) == 0);
}

TEST(copy_range, "copy_file_range copies within and between files") {
  int from = file_with("from", "abcdefgh"), to = file_with("to", "");
  loff_t in = 2, out = 1;
  EQUAL(copy_file_range(from, &in, to, &out, 3, 0), 3);
  EQUAL(in, 5);
  EQUAL(out, 4);
  EQUAL(pread(to, text, 10, 0), 4);
  CHECK(memcmp(text, "\0cde", 4) == 0);
  EQUAL(copy_file_range(from, NULL, to, NULL, 100, 0), 8);
  EQUAL(copy_file_range(from, NULL, to, NULL, 100, 0), 0);
  in = 0, out = 2;
  FAILS(copy_file_range(from, &in, from, &out, 4, 0), EINVAL); /* They overlap. */
  in = 0, out = 4;
  EQUAL(copy_file_range(from, &in, from, &out, 4, 0), 4);
  CHECK(strcmp(read_file("from"), "abcdabcd") == 0);
  FAILS(copy_file_range(from, &in, to, &out, 1, 1), EINVAL);
  FAILS(copy_file_range(from, NULL, OK(open(".", O_RDONLY)), NULL, 1, 0), EISDIR);
}

TEST(big, "a megabyte goes through a pipe by splice unchanged") {
  static char data[1 << 20], got[sizeof data];
  for (size_t i = 0; i < sizeof data; i++) data[i] = i * 31 >> 4;
  int from = OK(open("from", O_RDWR | O_CREAT, 0600)), to = OK(open("to", O_RDWR | O_CREAT, 0600));
  EQUAL(write(from, data, sizeof data), sizeof data);
  EQUAL(lseek(from, 0, SEEK_SET), 0);
  OK(pipe(p));
  IN_CHILD(pid, {
    close(p[0]);
    ssize_t n;
    while ((n = splice(from, NULL, p[1], NULL, 100000, 0)) > 0) {}
    EQUAL(n, 0);
  });
  close(p[1]);
  ssize_t n;
  while ((n = splice(p[0], NULL, to, NULL, 70000, 0)) > 0) {}
  EQUAL(n, 0);
  join(pid);
  EQUAL(pread(to, got, sizeof got, 0), sizeof got);
  CHECK(memcmp(data, got, sizeof data) == 0);
}

TEST(placeless, "sendfile and splice take nothing from /dev/null, and move no offset of /dev/zero") {
  int p[2], null = OK(open("/dev/null", O_RDONLY)), zero = OK(open("/dev/zero", O_RDONLY));
  OK(pipe(p));
  off_t offset = 2;
  FAILS(sendfile(p[1], null, NULL, 5), EINVAL);
  FAILS(splice(null, NULL, p[1], NULL, 5, 0), EINVAL);
  EQUAL(sendfile(p[1], zero, &offset, 5), 5);
  EQUAL(offset, 2);
  EQUAL(splice(zero, &offset, p[1], NULL, 5, 0), 5);
  EQUAL(offset, 2);
  FAILS(splice(OK(eventfd(1, 0)), NULL, p[1], NULL, 8, 0), EINVAL);
}

TEST(tee_packets, "tee and splice pass on what is in all slots, and packets keep their borders") {
  int q[2];
  OK(pipe2(p, O_DIRECT | O_NONBLOCK));
  OK(pipe2(q, O_NONBLOCK));
  EQUAL(write(p[1], "one", 3), 3);
  EQUAL(write(p[1], "more", 4), 4);
  EQUAL(tee(p[0], q[1], 100, 0), 7);
  EQUAL(read(q[0], text, sizeof text), 3);
  EQUAL(read(q[0], text, sizeof text), 4);
  EQUAL(splice(p[0], NULL, q[1], NULL, 5, 0), 5);
  EQUAL(read(q[0], text, 1), 1);
  EQUAL(read(q[0], text, sizeof text), 2);
  EQUAL(read(p[0], text, sizeof text), 2);
  CHECK(memcmp(text, "re", 2) == 0);
}

TEST(spliced_pages, "a file's pages take slots of a pipe as they lie in the file") {
  static char data[3 * 4096];
  int from = OK(open("from", O_RDWR | O_CREAT, 0600));
  EQUAL(write(from, data, sizeof data), sizeof data);
  OK(pipe2(p, O_NONBLOCK));
  OK(fcntl(p[0], F_SETPIPE_SZ, 2 * 4096));
  loff_t offset = 4096 - 100;
  EQUAL(splice(from, &offset, p[1], NULL, sizeof data, 0), 4096 + 100);
  FAILS(write(p[1], "x", 1), EAGAIN);
}

TEST(splice_refusals, "splice waits for input first, then sees that nobody reads, then what cannot be spliced") {
  int a[2], b[2];
  signal(SIGPIPE, SIG_IGN);
  OK(pipe2(a, O_NONBLOCK));
  OK(pipe(b));
  close(b[0]);
  FAILS(splice(a[0], NULL, b[1], NULL, 1, 0), EAGAIN);
  EQUAL(write(a[1], "x", 1), 1);
  FAILS(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
  int events = OK(eventfd(0, 0));
  FAILS(splice(events, NULL, b[1], NULL, 1, 0), EPIPE);
  FAILS(splice(events, NULL, a[1], NULL, 1, 0), EINVAL);
}

static volatile sig_atomic_t too_big;
static void on_sigxfsz(int sig) { (void)sig, too_big++; }

/* What lies below the limit of 100 bytes is moved; the signal comes where more was tried. */
TEST(size_limit, "sendfile, splice and copy_file_range stop at RLIMIT_FSIZE, with EFBIG and SIGXFSZ from there on") {
  static char data[300];
  int from = OK(open("from", O_RDWR | O_CREAT, 0600)), to = OK(open("to", O_RDWR | O_CREAT, 0600));
  EQUAL(write(from, data, sizeof data), sizeof data);
  signal(SIGXFSZ, on_sigxfsz);
  struct rlimit limit = {100, RLIM_INFINITY};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  off_t in = 0;
  EQUAL(sendfile(to, from, &in, 60), 60);
  EQUAL(too_big, 0);
  EQUAL(sendfile(to, from, &in, 60), 40);
  EQUAL(too_big, 1);
  EQUAL(in, 100);
  FAILS(sendfile(to, from, &in, 60), EFBIG);
  EQUAL(too_big, 2);
  EQUAL(sendfile(to, from, &in, 0), 0);
  EQUAL(lseek(to, 0, SEEK_CUR), 100);

  OK(pipe(p));
  EQUAL(write(p[1], data, 200), 200);
  loff_t out = 50;
  EQUAL(splice(p[0], NULL, to, &out, 100, 0), 50);
  EQUAL(too_big, 3);
  EQUAL(out, 100);
  FAILS(splice(p[0], NULL, to, &out, 100, 0), EFBIG);
  EQUAL(too_big, 4);
  EQUAL(read(p[0], data, sizeof data), 150);

  in = 0, out = 50;
  EQUAL(copy_file_range(from, &in, to, &out, 100, 0), 50);
  EQUAL(too_big, 4); /* It was cut before it began. */
  FAILS(copy_file_range(from, &in, to, &out, 0, 0), EFBIG);
  EQUAL(too_big, 5);
  in = 0, out = 90; /* What is left to be copied does not overlap. */
  EQUAL(copy_file_range(to, &in, to, &out, 95, 0), 10);
  in = 0, out = 100;
  FAILS(copy_file_range(to, &in, to, &out, 95, 0), EFBIG);
}

TEST(takers, "only files that take data without a buffer are spliced to, which is seen before there is any") {
  static const char *const refusing[] = {"/proc/self/comm", "/proc/self/mem", "/dev/full"};
  OK(pipe2(p, O_NONBLOCK));
  int from = file_with("from", "12345678");
  for (int full = 0; full < 2; full++) {
    FAILS(splice(p[0], NULL, OK(epoll_create1(0)), NULL, 1, 0), EINVAL);
    FAILS(splice(p[0], NULL, OK(eventfd(0, 0)), NULL, 8, 0), EINVAL);
    for (int i = 0; i < 3; i++) {
      int to = OK(open(refusing[i], O_RDWR));
      FAILS(splice(p[0], NULL, to, NULL, 1, 0), EINVAL);
      EQUAL(lseek(from, 0, SEEK_SET), 0);
      FAILS(sendfile(to, from, NULL, 1), EINVAL);
      EQUAL(lseek(from, 0, SEEK_CUR), 0);
    }
    if (!full) FAILS(splice(p[0], NULL, OK(open("/dev/null", O_WRONLY)), NULL, 1, 0), EAGAIN);
    EQUAL(write(p[1], "12345678", 8), 8);
  }
  EQUAL(splice(p[0], NULL, OK(open("/dev/null", O_WRONLY)), NULL, 1, 0), 1);
  FAILS(splice(OK(open(".", O_RDONLY)), NULL, p[1], NULL, 1, 0), EINVAL);
}

TEST(single_buffers, "a file of /proc/PID takes each buffer of a vector by itself") {
  struct iovec parts[2] = {{"first", 5}, {"last", 4}};
  EQUAL(writev(OK(open("/proc/self/comm", O_WRONLY)), parts, 2), 9);
  CHECK(strcmp(read_file("/proc/self/comm"), "last\n") == 0);
}
