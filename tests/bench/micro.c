/* The cost of single operations, measured inside one process, so that it can run anywhere: natively,
 * in dvisor, in another sandbox. Prints one JSON object per row: nanoseconds per operation, the median
 * and the least of several rounds. Static, so that the libc is the same everywhere.
 *
 *   micro [--rounds=N] [--round-ms=N] [--tmpfs=DIR] [ROW...]   no ROW: all of them
 *   micro --list
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS 101
#define PAGE 4096
#define ROOTFS_FILE "/etc/passwd"

/* Does n operations and returns how many nanoseconds they took, without their preparation. */
typedef double (*Measure)(long n);

extern char **environ;

static const char *tmpfs_dir = "/dev/shm";
static int tmpfs_fd, epoll_fd;
static char tmpfs_path[256];
static char buffer[PAGE];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long check(long result, const char *what) {
  if (result < 0) die(what);
  return result;
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

#define TIMED(n, operation)                                                                          \
  double start_ns = now_ns();                                                                        \
  for (long i = 0; i < (n); i++) check((long)(operation), __func__);                                 \
  return now_ns() - start_ns

/* ---- One process, one thread */

static double getppid_(long n) { TIMED(n, getppid()); }
static double pread_1(long n) { TIMED(n, pread(tmpfs_fd, buffer, 1, 0)); }
static double pread_4k(long n) { TIMED(n, pread(tmpfs_fd, buffer, PAGE, 0)); }
static double pwrite_1(long n) { TIMED(n, pwrite(tmpfs_fd, buffer, 1, 0)); }
static double pwrite_4k(long n) { TIMED(n, pwrite(tmpfs_fd, buffer, PAGE, 0)); }
static double lseek_(long n) { TIMED(n, lseek(tmpfs_fd, i & 1023, SEEK_SET)); }

static double fstat_(long n) {
  struct stat st;
  TIMED(n, fstat(tmpfs_fd, &st));
}

static double poll_0(long n) {
  struct pollfd p = {.fd = tmpfs_fd, .events = POLLIN};
  TIMED(n, poll(&p, 1, 0));
}

static double epoll_wait_0(long n) {
  struct epoll_event event;
  TIMED(n, epoll_wait(epoll_fd, &event, 1, 0));
}

static double stat_(long n) {
  struct stat st;
  TIMED(n, stat(ROOTFS_FILE, &st));
}

static double open_close(long n) { TIMED(n, close(check(open(ROOTFS_FILE, O_RDONLY), "open"))); }

static double creat_unlink(long n) {
  char path[300];
  snprintf(path, sizeof path, "%s.new", tmpfs_path);
  TIMED(n, (close(check(creat(path, 0600), "creat")), unlink(path)));
}

static void *map_pages(long pages) {
  void *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) die("mmap");
  return at;
}

static double mmap_munmap(long n) { TIMED(n, munmap(map_pages(16), 16 * PAGE)); }

static double page_fault(long n) {
  const long chunk = 4096;
  double total_ns = 0;
  while (n > 0) {
    long pages = n < chunk ? n : chunk;
    char *at = map_pages(pages);
    madvise(at, pages * PAGE, MADV_NOHUGEPAGE);
    double start_ns = now_ns();
    for (long i = 0; i < pages; i++) at[i * PAGE] = 1;
    total_ns += now_ns() - start_ns;
    munmap(at, pages * PAGE);
    n -= pages;
  }
  return total_ns;
}

/* ---- Processes */

static void wait_for(pid_t pid) {
  int status;
  check(waitpid(pid, &status, 0), "waitpid");
  if (status != 0) die("a child failed");
}

static int fork_once(void) {
  pid_t pid = check(fork(), "fork");
  if (pid == 0) _exit(0);
  wait_for(pid);
  return 0;
}

static double fork_wait(long n) { TIMED(n, fork_once()); }

static int spawn_once(void) {
  pid_t pid;
  char *argv[] = {"true", NULL};
  if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) != 0) die("posix_spawn");
  wait_for(pid);
  return 0;
}

static double spawn_true(long n) { TIMED(n, spawn_once()); }

static double pipe_ping_pong(long n) {
  int there[2], back[2];
  char byte = 0;
  check(pipe(there), "pipe");
  check(pipe(back), "pipe");
  pid_t pid = check(fork(), "fork");
  if (pid == 0) {
    close(there[1]);
    while (read(there[0], &byte, 1) == 1) check(write(back[1], &byte, 1), "write");
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  check(write(there[1], &byte, 1), "write"); /* The child runs before the clock does. */
  check(read(back[0], &byte, 1), "read");
  double start_ns = now_ns();
  for (long i = 0; i < n; i++) {
    check(write(there[1], &byte, 1), "write");
    check(read(back[0], &byte, 1), "read");
  }
  double total_ns = now_ns() - start_ns;
  close(there[1]);
  close(back[0]);
  wait_for(pid);
  return total_ns;
}

/* ---- Threads */

static pthread_t start_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, argument) != 0) die("pthread_create");
  return thread;
}

static void *nothing(void *argument) { return argument; }

static double thread_create_join(long n) {
  TIMED(n, pthread_join(start_thread(nothing, NULL), NULL));
}

static _Atomic int turn; /* 0: the main thread's, 1: the other's. */

static void take_turn(int mine, int next) {
  while (atomic_load(&turn) != mine)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, next, NULL, NULL, 0);
  atomic_store(&turn, next);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other_turns(void *argument) {
  for (long i = *(long *)argument; i > 0; i--) take_turn(1, 0);
  return NULL;
}

static double futex_ping_pong(long n) {
  long turns = n + 1;
  turn = 0;
  pthread_t other = start_thread(other_turns, &turns);
  take_turn(0, 1); /* The other thread runs before the clock does. */
  while (atomic_load(&turn) != 0) sched_yield();
  double start_ns = now_ns();
  for (long i = 0; i < n; i++) take_turn(0, 1);
  while (atomic_load(&turn) != 0)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
  double total_ns = now_ns() - start_ns;
  pthread_join(other, NULL);
  return total_ns;
}

static pthread_barrier_t barrier;

static void *getppid_many(void *argument) {
  pthread_barrier_wait(&barrier);
  for (long i = *(long *)argument; i > 0; i--) getppid();
  pthread_barrier_wait(&barrier);
  return NULL;
}

/* Wall-clock time over the calls of all four threads. */
static double getppid_4_threads(long n) {
  pthread_t threads[4];
  long each = n / 4 + 1;
  pthread_barrier_init(&barrier, NULL, 5);
  for (int i = 0; i < 4; i++) threads[i] = start_thread(getppid_many, &each);
  pthread_barrier_wait(&barrier);
  double start_ns = now_ns();
  pthread_barrier_wait(&barrier);
  double total_ns = now_ns() - start_ns;
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  return total_ns * n / (each * 4);
}

/* ---- The table and its rounds */

static const struct {
  const char *name;
  Measure measure;
} rows[] = {
    {"getppid", getppid_},
    {"pread_1", pread_1},
    {"pread_4k", pread_4k},
    {"pwrite_1", pwrite_1},
    {"pwrite_4k", pwrite_4k},
    {"fstat", fstat_},
    {"lseek", lseek_},
    {"poll_0", poll_0},
    {"epoll_wait_0", epoll_wait_0},
    {"stat", stat_},
    {"open_close", open_close},
    {"creat_unlink", creat_unlink},
    {"pipe_ping_pong", pipe_ping_pong},
    {"futex_ping_pong", futex_ping_pong},
    {"thread_create_join", thread_create_join},
    {"mmap_munmap", mmap_munmap},
    {"page_fault", page_fault},
    {"fork_wait", fork_wait},
    {"spawn_true", spawn_true},
    {"getppid_4_threads", getppid_4_threads},
};
#define ROWS (sizeof rows / sizeof *rows)

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* How many operations fill a round: doubled until a try takes a quarter of it, then scaled. */
static long calibrate(Measure measure, double round_ns) {
  long n = 1;
  double took_ns = measure(n);
  while (took_ns < round_ns / 4) {
    n *= 2;
    took_ns = measure(n);
  }
  long scaled = n * (round_ns / took_ns);
  return scaled < 1 ? 1 : scaled;
}

static void run_row(const char *name, Measure measure, int rounds, double round_ns) {
  double results[MAX_ROUNDS];
  long n = calibrate(measure, round_ns);
  for (int i = 0; i < rounds; i++) results[i] = measure(n) / n;
  qsort(results, rounds, sizeof *results, by_value);
  printf("{\"row\":\"%s\",\"ns\":%.1f,\"min_ns\":%.1f,\"rounds\":%d,\"operations\":%ld}\n", name,
         results[rounds / 2], results[0], rounds, n);
  fflush(stdout);
}

static void set_up(void) {
  snprintf(tmpfs_path, sizeof tmpfs_path, "%s/dvisor-micro.%d", tmpfs_dir, getpid());
  tmpfs_fd = check(open(tmpfs_path, O_RDWR | O_CREAT | O_TRUNC, 0600), tmpfs_path);
  unlink(tmpfs_path);
  check(pwrite(tmpfs_fd, buffer, PAGE, 0), "pwrite");
  int pipe_fds[2];
  check(pipe(pipe_fds), "pipe");
  epoll_fd = check(epoll_create1(0), "epoll_create1");
  struct epoll_event event = {.events = EPOLLIN};
  check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &event), "epoll_ctl");
}

static int wanted(const char *name, char **names) {
  if (*names == NULL) return 1;
  for (; *names != NULL; names++)
    if (strcmp(*names, name) == 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  int rounds = 7;
  double round_ms = 40;
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; at++) {
    if (strcmp(argv[at], "--list") == 0) {
      for (size_t i = 0; i < ROWS; i++) puts(rows[i].name);
      return 0;
    } else if (sscanf(argv[at], "--rounds=%d", &rounds) == 1 && rounds > 0 && rounds < MAX_ROUNDS) {
    } else if (sscanf(argv[at], "--round-ms=%lf", &round_ms) == 1) {
    } else if (strncmp(argv[at], "--tmpfs=", 8) == 0) {
      tmpfs_dir = argv[at] + 8;
    } else {
      fprintf(stderr, "micro: what is %s?\n", argv[at]);
      return 2;
    }
  }
  set_up();
  for (size_t i = 0; i < ROWS; i++)
    if (wanted(rows[i].name, argv + at)) run_row(rows[i].name, rows[i].measure, rounds, round_ms * 1e6);
  return 0;
}
