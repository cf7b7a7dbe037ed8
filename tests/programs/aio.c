// Linux AIO: io_setup(2), io_submit(2), io_getevents(2), io_pgetevents(2), io_cancel(2), io_destroy(2).
#include "check.h"
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

static long io_setup(unsigned events, aio_context_t *id) { return syscall(SYS_io_setup, events, id); }
static long io_destroy(aio_context_t id) { return syscall(SYS_io_destroy, id); }
static long io_submit(aio_context_t id, long n, struct iocb **list) { return syscall(SYS_io_submit, id, n, list); }
static long io_getevents(aio_context_t id, long least, long most, struct io_event *events, struct timespec *limit) {
  return syscall(SYS_io_getevents, id, least, most, events, limit);
}

static aio_context_t set_up(unsigned events) {
  aio_context_t id = 0;
  OK(io_setup(events, &id));
  CHECK(id != 0);
  return id;
}

static struct iocb request(int opcode, int fd, void *buffer, size_t length, long offset) {
  struct iocb cb = {.aio_lio_opcode = opcode, .aio_fildes = fd, .aio_buf = (uintptr_t)buffer, .aio_nbytes = length, .aio_offset = offset};
  return cb;
}

static long submit_one(aio_context_t id, struct iocb *cb) {
  struct iocb *list[] = {cb};
  return io_submit(id, 1, list);
}

/* A request for the moment when something is in the pipe that it makes. */
static struct iocb poll_of_pipe(int *fds) {
  OK(pipe(fds));
  return request(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0);
}

/* The result of one request that is done at once. */
static long long result_of(aio_context_t id, struct iocb *cb) {
  struct io_event event;
  EQUAL(submit_one(id, cb), 1);
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  EQUAL(event.obj, (uintptr_t)cb);
  EQUAL(event.res2, 0);
  return event.res;
}

TEST(contexts, "a context is made once, in a variable that is zero, and destroyed once") {
  aio_context_t id = 0;
  FAILS(io_setup(0, &id), EINVAL);
  FAILS(io_setup(1, nowhere), EFAULT);
  FAILS(io_setup(-1, &id), EINVAL);
  EQUAL(id, 0);
  OK(io_setup(8, &id));
  FAILS(io_setup(8, &id), EINVAL);
  OK(io_destroy(id));
  FAILS(io_destroy(id), EINVAL);
  FAILS(io_destroy(0), EINVAL);
  FAILS(io_submit(id, 0, NULL), EINVAL);
  FAILS(io_getevents(id, 0, 0, NULL, NULL), EINVAL);
}

TEST(context_limit, "all contexts together have no more requests than aio-max-nr") {
  unsigned max = atoi(read_file("/proc/sys/fs/aio-max-nr")), before = atoi(read_file("/proc/sys/fs/aio-nr"));
  aio_context_t id = 0;
  FAILS(io_setup(max + 1, &id), EAGAIN);
  OK(io_setup(100, &id));
  EQUAL(atoi(read_file("/proc/sys/fs/aio-nr")), before + 100);
  OK(io_destroy(id));
}

TEST(memory, "a context is named by a mapping of its process, and gone with it") {
  aio_context_t id = set_up(8);
  char line[64];
  snprintf(line, sizeof line, "\n%lx-", (unsigned long)id);
  char *at = strstr(read_file("/proc/self/maps"), line);
  CHECK(at != NULL);
  CHECK(strstr(strtok(at + 1, "\n"), "/[aio] (deleted)") != NULL);
  OK(io_submit(id, 0, NULL));
  OK(munmap((void *)id, 4096));
  FAILS(io_submit(id, 0, NULL), EINVAL);
}

TEST(not_inherited, "a child of fork has none of its parent's contexts") {
  aio_context_t id = set_up(8);
  IN_CHILD(pid, FAILS(io_submit(id, 0, NULL), EINVAL));
  join(pid);
  EQUAL(io_submit(id, 0, NULL), 0);
}

TEST(write_and_read, "what one request writes another reads, at its own offset") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  char text[8] = "";
  struct iocb cb = request(IOCB_CMD_PWRITE, fd, "abcdef", 6, 2);
  EQUAL(result_of(id, &cb), 6);
  cb = request(IOCB_CMD_PREAD, fd, text, 4, 3);
  EQUAL(result_of(id, &cb), 4);
  EQUAL(strcmp(text, "bcde"), 0);
  EQUAL(lseek(fd, 0, SEEK_CUR), 0);
  cb = request(IOCB_CMD_PREAD, fd, text, 4, 100);
  EQUAL(result_of(id, &cb), 0);
}

TEST(vectors, "PREADV and PWRITEV take a list of buffers") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  char a[3] = "", b[4] = "";
  struct iovec out[] = {{"abc", 3}, {"de", 2}}, in[] = {{a, 2}, {b, 3}};
  struct iocb cb = request(IOCB_CMD_PWRITEV, fd, out, 2, 0);
  EQUAL(result_of(id, &cb), 5);
  cb = request(IOCB_CMD_PREADV, fd, in, 2, 0);
  EQUAL(result_of(id, &cb), 5);
  CHECK(memcmp(a, "ab", 2) == 0 && memcmp(b, "cde", 3) == 0);
  cb = request(IOCB_CMD_PREADV, fd, in, 1025, 0);
  FAILS(submit_one(id, &cb), EINVAL);
  cb = request(IOCB_CMD_PREADV, fd, nowhere, 1, 0);
  FAILS(submit_one(id, &cb), EFAULT);
}

TEST(synchronise, "FSYNC and FDSYNC take no operands") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), fds[2];
  OK(pipe(fds));
  struct iocb cb = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
  EQUAL(result_of(id, &cb), 0);
  cb = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
  EQUAL(result_of(id, &cb), 0);
  cb = request(IOCB_CMD_FSYNC, fd, NULL, 1, 0);
  FAILS(submit_one(id, &cb), EINVAL);
  cb = request(IOCB_CMD_FSYNC, fds[0], NULL, 0, 0);
  FAILS(submit_one(id, &cb), EINVAL);
}

TEST(order_of_events, "events come in the order of their ends, with the data of their requests") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  struct iocb first = request(IOCB_CMD_PWRITE, fd, "1", 1, 0), second = request(IOCB_CMD_PWRITE, fd, "22", 2, 1);
  first.aio_data = 0x1122334455667788;
  second.aio_data = ~0ull;
  struct iocb *list[] = {&first, &second};
  struct io_event events[4];
  EQUAL(io_submit(id, 2, list), 2);
  EQUAL(io_getevents(id, 0, 1, events, NULL), 1);
  EQUAL(events[0].data, 0x1122334455667788);
  EQUAL(events[0].res, 1);
  EQUAL(io_getevents(id, 1, 4, events, NULL), 1);
  EQUAL(events[0].data, ~0ull);
  EQUAL(events[0].res, 2);
  EQUAL(io_getevents(id, 0, 4, events, NULL), 0);
}

TEST(bad_requests, "a bad request is refused, those before it stand") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_WRONLY | O_CREAT, 0600));
  char text[8];
  struct iocb good = request(IOCB_CMD_PWRITE, fd, "x", 1, 0), bad = request(IOCB_CMD_PREAD, fd, text, 1, 0);
  FAILS(submit_one(id, &bad), EBADF);
  struct iocb *list[] = {&good, &bad, &good};
  EQUAL(io_submit(id, 3, list), 1);
  FAILS(io_submit(id, -1, list), EINVAL);
  FAILS(io_submit(id, 1, nowhere), EFAULT);
  list[0] = nowhere;
  FAILS(io_submit(id, 1, list), EFAULT);
  bad = request(IOCB_CMD_PWRITE, 99, "x", 1, 0);
  FAILS(submit_one(id, &bad), EBADF);
  bad = request(IOCB_CMD_PWRITE, fd, "x", 1, -1);
  FAILS(submit_one(id, &bad), EINVAL);
  bad = request(IOCB_CMD_PWRITE, fd, "x", -1, 0);
  FAILS(submit_one(id, &bad), EINVAL);
  bad = request(IOCB_CMD_PWRITE, fd, (void *)-4096, 1, 0);
  FAILS(submit_one(id, &bad), EFAULT);
  bad = request(IOCB_CMD_NOOP, fd, "x", 1, 0);
  FAILS(submit_one(id, &bad), EINVAL);
  bad = request(4, fd, "x", 1, 0);
  FAILS(submit_one(id, &bad), EINVAL);
  bad = good;
  bad.aio_reserved2 = 1;
  FAILS(submit_one(id, &bad), EINVAL);
  bad = good;
  bad.aio_rw_flags = 0x1000000;
  FAILS(submit_one(id, &bad), EOPNOTSUPP);
  bad = request(IOCB_CMD_PREAD, OK(open(".", O_RDONLY)), text, 1, 0);
  FAILS(submit_one(id, &bad), EINVAL);
  bad = request(IOCB_CMD_PREAD, OK(open("f", O_PATH)), text, 1, 0);
  FAILS(submit_one(id, &bad), EBADF);
}

TEST(late_fault, "a buffer that faults is the result of its request") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  EQUAL(write(fd, "text", 4), 4);
  struct iocb cb = request(IOCB_CMD_PREAD, fd, nowhere, 4, 0);
  EQUAL(result_of(id, &cb), -EFAULT);
  struct io_event event;
  cb = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
  EQUAL(submit_one(id, &cb), 1);
  FAILS(io_getevents(id, 1, 1, nowhere, NULL), EFAULT);
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
}

TEST(room, "who takes no events is refused in the end") {
  aio_context_t id = set_up(1);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), n = 0;
  struct iocb cb = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
  while (submit_one(id, &cb) == 1) CHECK(++n < 100000);
  EQUAL(errno, EAGAIN);
  CHECK(n >= 1);
  struct io_event event;
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  EQUAL(submit_one(id, &cb), 1);
}

TEST(counted, "an eventfd counts the requests that are done") {
  aio_context_t id = set_up(8);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), counter = OK(eventfd(0, EFD_NONBLOCK));
  struct iocb cb = request(IOCB_CMD_PWRITE, fd, "x", 1, 0);
  cb.aio_flags = IOCB_FLAG_RESFD;
  cb.aio_resfd = counter;
  EQUAL(result_of(id, &cb), 1);
  EQUAL(result_of(id, &cb), 1);
  uint64_t count;
  EQUAL(read(counter, &count, 8), 8);
  EQUAL(count, 2);
  cb.aio_resfd = fd;
  FAILS(submit_one(id, &cb), EINVAL);
  cb.aio_resfd = 99;
  FAILS(submit_one(id, &cb), EBADF);
}

TEST(limits_of_getevents, "io_getevents wants numbers that can be") {
  aio_context_t id = set_up(8);
  struct io_event event;
  struct timespec none = {0, 0};
  FAILS(io_getevents(id, 2, 1, &event, NULL), EINVAL);
  FAILS(io_getevents(id, -1, 1, &event, NULL), EINVAL);
  FAILS(io_getevents(id, 0, -1, &event, NULL), EINVAL);
  FAILS(io_getevents(id, 1, 1, &event, nowhere), EFAULT);
  EQUAL(io_getevents(id, 1, 1, &event, &none), 0);
  EQUAL(io_getevents(id, 0, 0, &event, NULL), 0);
}

TEST(timeout, "io_getevents waits until its time is over") {
  aio_context_t id = set_up(8);
  struct io_event event;
  struct timespec limit = {0, 30000000};
  double start = monotonic_ms();
  EQUAL(io_getevents(id, 1, 1, &event, &limit), 0);
  CHECK(monotonic_ms() - start >= 30);
}

TEST(poll_request, "a POLL request ends when its file is ready") {
  aio_context_t id = set_up(8);
  int fds[2];
  struct iocb cb = poll_of_pipe(fds);
  struct io_event event;
  struct timespec none = {0, 0};
  EQUAL(submit_one(id, &cb), 1);
  EQUAL(io_getevents(id, 1, 1, &event, &none), 0);
  EQUAL(write(fds[1], "x", 1), 1);
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  CHECK(event.res & POLLIN);
  EQUAL(event.obj, (uintptr_t)&cb);
  EQUAL(result_of(id, &cb), POLLIN);
  cb = request(IOCB_CMD_POLL, fds[0], (void *)0x10001, 0, 0);
  FAILS(submit_one(id, &cb), EINVAL);
  cb = request(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 1, 0);
  FAILS(submit_one(id, &cb), EINVAL);
}

TEST(poll_waiter, "who waits in io_getevents is woken by the end of a request") {
  aio_context_t id = set_up(8);
  int fds[2], main_thread = gettid();
  struct iocb cb = poll_of_pipe(fds);
  struct io_event event;
  EQUAL(submit_one(id, &cb), 1);
  IN_CHILD(pid, {
    until_asleep(main_thread);
    EQUAL(write(fds[1], "x", 1), 1);
  });
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  CHECK(event.res & POLLIN);
  join(pid);
}

TEST(closed_file, "a request keeps its file, whoever closes it") {
  aio_context_t id = set_up(8);
  int fds[2];
  struct iocb cb = poll_of_pipe(fds);
  struct io_event event;
  EQUAL(submit_one(id, &cb), 1);
  OK(close(fds[0]));
  EQUAL(write(fds[1], "x", 1), 1);
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  CHECK(event.res & POLLIN);
}

TEST(cancel, "io_cancel ends a POLL request, and nothing else") {
  aio_context_t id = set_up(8);
  int fds[2];
  struct iocb cb = poll_of_pipe(fds), other = cb;
  struct io_event event;
  EQUAL(submit_one(id, &cb), 1);
  FAILS(syscall(SYS_io_cancel, id, &other, &event), EINVAL);
  FAILS(syscall(SYS_io_cancel, id, nowhere, &event), EFAULT);
  FAILS(syscall(SYS_io_cancel, 0, &cb, &event), EINVAL);
  other.aio_key = 1;
  FAILS(syscall(SYS_io_cancel, id, &other, &event), EINVAL);
  FAILS(syscall(SYS_io_cancel, id, &cb, &event), EINPROGRESS);
  EQUAL(io_getevents(id, 1, 1, &event, NULL), 1);
  EQUAL(event.res, 0);
  EQUAL(event.obj, (uintptr_t)&cb);
  FAILS(syscall(SYS_io_cancel, id, &cb, &event), EINVAL);
}

static aio_context_t shared_id;

static void *wait_for_event(void *tid) {
  struct io_event event;
  *(int *)tid = gettid();
  long n = io_getevents(shared_id, 1, 1, &event, NULL);
  return (void *)(n < 0 ? (long)errno : -n);
}

TEST(destroy_wakes, "the end of a context is EINVAL for who waits there") {
  shared_id = set_up(8);
  volatile int tid = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_event, (void *)&tid);
  while (tid == 0) sched_yield();
  until_asleep(tid);
  OK(io_destroy(shared_id));
  void *result;
  pthread_join(thread, &result);
  EQUAL((long)result, EINVAL);
}

static void on_alarm(int signal) { (void)signal; }

TEST(interrupted, "a signal ends io_getevents with EINTR, whatever SA_RESTART says") {
  aio_context_t id = set_up(8);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  int parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    OK(kill(parent, SIGUSR1));
  });
  struct io_event event;
  FAILS(io_getevents(id, 1, 1, &event, NULL), EINTR);
  join(pid);
}

TEST(pgetevents, "io_pgetevents waits with another signal mask") {
  aio_context_t id = set_up(8);
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  raise(SIGUSR1);
  struct io_event event;
  struct { const void *set; size_t size; } mask = {&none, 8};
  FAILS(syscall(SYS_io_pgetevents, id, 1, 1, &event, NULL, &mask), EINTR);
  sigset_t after;
  sigprocmask(SIG_BLOCK, NULL, &after);
  EQUAL(sigismember(&after, SIGUSR1), 1);
  struct timespec limit = {0, 0};
  EQUAL(syscall(SYS_io_pgetevents, id, 1, 1, &event, &limit, NULL), 0);
  raise(SIGUSR1);
  FAILS(syscall(SYS_io_pgetevents, id, 1, 1, &event, &limit, &mask), EINTR);
  mask.size = 4;
  FAILS(syscall(SYS_io_pgetevents, id, 1, 1, &event, &limit, &mask), EINVAL);
}

TEST(pipes, "requests on a pipe move what read and write would") {
  aio_context_t id = set_up(8);
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK));
  char text[8] = "";
  struct iocb cb = request(IOCB_CMD_PREAD, fds[0], text, 8, 0);
  EQUAL(result_of(id, &cb), -EAGAIN);
  cb = request(IOCB_CMD_PWRITE, fds[1], "pipe", 4, 7);
  EQUAL(result_of(id, &cb), 4);
  cb = request(IOCB_CMD_PREAD, fds[0], text, 8, 3);
  EQUAL(result_of(id, &cb), 4);
  EQUAL(strcmp(text, "pipe"), 0);
}
