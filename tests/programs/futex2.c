// build: -pthread
// The futex calls of Linux 6.7, one for each operation; futex(2) itself is in futexes.c.
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>

enum { FUTEX_WAKE2 = 454, FUTEX_WAIT2 = 455, FUTEX_REQUEUE2 = 456 };
enum { U32 = 2, U64 = 3, PRIVATE = 128 };
enum { ALL = 0x7fffffff };
static const uint64_t ANY = 0xffffffff;

struct waiter {
  uint64_t value, at;
  uint32_t flags, reserved;
};

static uint32_t *word; /* In shared memory, as are those beside it. */

static void share_words(void) {
  word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(word != MAP_FAILED);
  SKIP_UNLESS(syscall(FUTEX_WAKE2, word, ANY, 0, U32) == 0, "the kernel is older than 6.7");
}

static long wake(void *at, uint64_t mask, int count, unsigned flags) {
  return syscall(FUTEX_WAKE2, at, mask, count, flags);
}

static long wait_for(void *at, uint64_t value, uint64_t mask, unsigned flags, const struct timespec *until, int clock) {
  return syscall(FUTEX_WAIT2, at, value, mask, flags, until, clock);
}

static long requeue(void *from, void *to, uint64_t value, unsigned flags, int to_wake, int to_move) {
  struct waiter two[2] = {{value, (uintptr_t)from, flags, 0}, {0, (uintptr_t)to, flags, 0}};
  return syscall(FUTEX_REQUEUE2, two, 0, to_wake, to_move);
}

/* Starts `count` processes that wait for the word, the i-th with the mask 1 << i, and waits until they sleep. */
static void start_waiting(pid_t *pids, int count) {
  for (int i = 0; i < count; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      OK(wait_for(word, 0, 1ul << i, U32, NULL, 0));
      _exit(0);
    }
    until_asleep(pids[i]);
  }
}

TEST(flags, "only words of 32 bits are there, private or not") {
  share_words();
  unsigned wrong[] = {0, 1, U64, U32 | 16, U32 | PRIVATE | 256, 1u << 31 | U32};
  for (int i = 0; i < 6; i++) {
    FAILS(wake(word, ANY, 1, wrong[i]), EINVAL);
    FAILS(wait_for(word, 1, ANY, wrong[i], NULL, 0), EINVAL);
    FAILS(requeue(word, word + 1, 0, wrong[i], 1, 1), EINVAL);
  }
  EQUAL(wake(word, ANY, 1, U32), 0);
  EQUAL(wake(word, ANY, 1, U32 | PRIVATE), 0);
  EQUAL(syscall(FUTEX_WAKE2, word, ANY, 1, 0xdeadbeef00000000 | U32), 0);
}

TEST(values, "values and masks are of 32 bits, and a mask has one") {
  share_words();
  uint64_t high = 1ul << 32;
  FAILS(wake(word, 0, 1, U32), EINVAL);
  FAILS(wake(word, 0, 0, U32), EINVAL);
  FAILS(wake(word, high | 1, 1, U32), EINVAL);
  FAILS(wait_for(word, 0, 0, U32, NULL, 0), EINVAL);
  FAILS(wait_for(word, 0, high, U32, NULL, 0), EINVAL);
  FAILS(wait_for(word, high, ANY, U32, NULL, 0), EINVAL);
  FAILS(requeue(word, word + 1, high, U32, 1, 1), EINVAL);
  FAILS(wait_for(word, 1, ANY, U32, NULL, 0), EAGAIN);
  FAILS(wait_for(word, 1, ANY, U32 | PRIVATE, NULL, 0), EAGAIN);
  FAILS(requeue(word, word + 1, 1, U32, 1, 1), EAGAIN);
  FAILS(requeue(word, word + 1, 0, U32, -1, 1), EINVAL);
  FAILS(requeue(word, word + 1, 0, U32, 1, -1), EINVAL);
}

TEST(addresses, "addresses that are not aligned, or not there, are refused") {
  share_words();
  void *odd = (char *)word + 1, *beyond[] = {(void *)0x7ffffffff000, (void *)-4096ul, nowhere};
  FAILS(wake(odd, ANY, 1, U32), EINVAL);
  FAILS(wake(odd, ANY, 0, U32), EINVAL);
  FAILS(wait_for(odd, 0, ANY, U32, NULL, 0), EINVAL);
  FAILS(requeue(odd, word, 0, U32, 1, 1), EINVAL);
  FAILS(requeue(word, odd, 0, U32, 1, 1), EINVAL);
  void *constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FAILS(wake(constant, ANY, 1, U32), EFAULT);
  FAILS(wait_for(constant, 0, ANY, U32, NULL, 0), EFAULT);
  FAILS(requeue(word, constant, 0, U32, 1, 1), EFAULT);
  for (int i = 0; i < 3; i++) {
    FAILS(wait_for(beyond[i], 0, ANY, U32, NULL, 0), EFAULT);
    FAILS(wait_for(beyond[i], 0, ANY, U32 | PRIVATE, NULL, 0), EFAULT);
    FAILS(wake(beyond[i], ANY, 1, U32), EFAULT);
    FAILS(wake(beyond[i], ANY, 0, U32), EFAULT);
    FAILS(requeue(beyond[i], word, 0, U32, 1, 1), EFAULT);
    FAILS(requeue(word, beyond[i], 0, U32, 1, 1), EFAULT);
    FAILS(syscall(FUTEX_REQUEUE2, beyond[i], 0, 1, 1), EFAULT);
    FAILS(syscall(SYS_futex_waitv, beyond[i], 1, 0, NULL, 0), EFAULT);
  }
  FAILS(wake((void *)-4096ul, ANY, 1, U32 | PRIVATE), EFAULT);
  EQUAL(wake(nowhere, ANY, 1, U32 | PRIVATE), 0);
}

TEST(pairs, "requeue takes two words of one kind, and reads them one after the other") {
  share_words();
  struct waiter two[2] = {{0, (uintptr_t)word, U32, 0}, {0, (uintptr_t)(word + 1), U32, 0}};
  FAILS(syscall(FUTEX_REQUEUE2, NULL, 0, 1, 1), EINVAL);
  FAILS(syscall(FUTEX_REQUEUE2, two, 1, 1, 1), EINVAL);
  OK(syscall(FUTEX_REQUEUE2, two, 0xdeadbeef00000000, 1, 1));
  two[1].flags = U32 | PRIVATE;
  FAILS(syscall(FUTEX_REQUEUE2, two, 0, 1, 1), EINVAL);
  two[1].flags = U32;
  two[1].value = 1ul << 32;
  FAILS(syscall(FUTEX_REQUEUE2, two, 0, 1, 1), EINVAL);
  two[1].value = 99; // Nobody's business.
  OK(syscall(FUTEX_REQUEUE2, two, 0, 1, 1));
  two[0].reserved = 1;
  FAILS(syscall(FUTEX_REQUEUE2, two, 0, 1, 1), EINVAL);
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(munmap(pages + 4096, 4096));
  struct waiter *last = (struct waiter *)(pages + 4096) - 1;
  *last = (struct waiter){0, (uintptr_t)word, U32, 0};
  FAILS(syscall(FUTEX_REQUEUE2, last, 0, 1, 1), EFAULT);
  FAILS(syscall(SYS_futex_waitv, last, 2, 0, NULL, 0), EFAULT);
  last->flags = U64;
  FAILS(syscall(FUTEX_REQUEUE2, last, 0, 1, 1), EINVAL);
  FAILS(syscall(SYS_futex_waitv, last, 2, 0, NULL, 0), EINVAL);
}

TEST(counts, "wake wakes as many as it is told, none for 0, and one for fewer") {
  share_words();
  pid_t pids[5];
  start_waiting(pids, 5);
  EQUAL(wake(word, ANY, 0, U32), 0);
  EQUAL(wake(word, ANY, 2, U32), 2);
  EQUAL(wake(word, ANY, -1, U32), 1);
  EQUAL(wake(word, ANY, ALL, U32), 2);
  EQUAL(wake(word, ANY, ALL, U32), 0);
  for (int i = 0; i < 5; i++) join(pids[i]);
}

TEST(masks, "wake by mask wakes whose bits meet") {
  share_words();
  pid_t pids[3];
  start_waiting(pids, 3);
  EQUAL(wake(word, 8, ALL, U32), 0);
  EQUAL(wake(word, 2, ALL, U32), 1);
  join(pids[1]);
  EQUAL(wake(word, 5, ALL, U32), 2);
  join(pids[0]);
  join(pids[2]);
}

TEST(with_futex, "they meet those who use futex(2) and futex_waitv(2)") {
  share_words();
  pid_t pids[1];
  start_waiting(pids, 1);
  EQUAL(syscall(SYS_futex, word, FUTEX_WAKE, ALL), 1);
  join(pids[0]);
  IN_CHILD(plain, OK(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL)));
  until_asleep(plain);
  EQUAL(wake(word, ANY, 1, U32), 1);
  join(plain);
  IN_CHILD(several, {
    struct waiter two[2] = {{0, (uintptr_t)word, U32, 0}, {0, (uintptr_t)(word + 1), U32, 0}};
    EQUAL(syscall(SYS_futex_waitv, two, 2, 0, NULL, 0), 1);
  });
  until_asleep(several);
  EQUAL(wake(word + 1, ANY, 1, U32), 1);
  join(several);
}

TEST(moves, "requeue wakes some and moves some of the others") {
  share_words();
  pid_t pids[5];
  start_waiting(pids, 5);
  EQUAL(requeue(word, word + 1, 0, U32, 1, 2), 3);
  EQUAL(wake(word + 1, ANY, ALL, U32), 2);
  EQUAL(requeue(word, word + 1, 0, U32, 0, 1), 1);
  EQUAL(wake(word, ANY, ALL, U32), 1);
  EQUAL(wake(word + 1, ANY, ALL, U32), 1);
  for (int i = 0; i < 5; i++) join(pids[i]);
}

static volatile int started;
static void *wait_privately(void *at) {
  started = gettid();
  OK(wait_for(at, 0, ANY, U32 | PRIVATE, NULL, 0));
  return NULL;
}

TEST(threads, "private words are for the threads of a process") {
  share_words();
  static uint32_t own;
  pthread_t thread;
  pthread_create(&thread, NULL, wait_privately, &own);
  while (!started) sched_yield();
  until_asleep(started);
  IN_CHILD(pid, EQUAL(wake(&own, ANY, 1, U32 | PRIVATE), 0));
  join(pid);
  EQUAL(wake(&own, ANY, 1, U32 | PRIVATE), 1);
  pthread_join(thread, NULL);
}

TEST(timeouts, "wait ends at a time of the monotonic or the wall clock") {
  share_words();
  int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
  for (int i = 0; i < 2; i++) {
    struct timespec until, now;
    clock_gettime(clocks[i], &until);
    FAILS(wait_for(word, 0, ANY, U32, &until, clocks[i]), ETIMEDOUT);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    FAILS(wait_for(word, 0, ANY, U32 | PRIVATE, &until, clocks[i]), ETIMEDOUT);
    clock_gettime(clocks[i], &now);
    CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
  }
  struct timespec none = {0, 0};
  FAILS(wait_for(word, 0, ANY, U32, &none, CLOCK_BOOTTIME), EINVAL);
  FAILS(wait_for(word, 0, ANY, U32, &none, -1), EINVAL);
  FAILS(wait_for(word, 1, ANY, U32, NULL, -1), EAGAIN); // Nobody asks for the clock.
  FAILS(wait_for(word, 0, ANY, U32, &(struct timespec){0, 1000000000}, CLOCK_MONOTONIC), EINVAL);
  FAILS(wait_for(word, 0, ANY, U32, &(struct timespec){-1, 0}, CLOCK_MONOTONIC), EINVAL);
  FAILS(wait_for(word, 0, 0, U32, nowhere, CLOCK_MONOTONIC), EFAULT); // The time is read before the mask is.
}

static int interrupted;
static void on_signal(int sig) { (void)sig, interrupted++; }

static void handle(int flags) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  OK(sigaction(SIGUSR1, &action, NULL));
}

TEST(signals_, "a signal ends a wait with EINTR; with SA_RESTART it goes on, also until a time") {
  share_words();
  pid_t parent = getpid();
  struct timespec late;
  clock_gettime(CLOCK_MONOTONIC, &late);
  late.tv_sec += 1000;
  struct waiter one = {0, (uintptr_t)word, U32, 0};
  for (int i = 0; i < 3; i++) {
    interrupted = 0;
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
      handle(flags);
      IN_CHILD(pid, {
        until_asleep(parent);
        kill(parent, SIGUSR1);
        if (flags == 0) _exit(0);
        until_asleep(parent);
        EQUAL(wake(word, ANY, 1, U32), 1);
      });
      long r = i == 2 ? syscall(SYS_futex_waitv, &one, 1, 0, &late, CLOCK_MONOTONIC)
                      : wait_for(word, 0, ANY, U32, i ? &late : NULL, CLOCK_MONOTONIC);
      EQUAL(r, flags ? 0 : -1);
      if (!flags) EQUAL(errno, EINTR);
      join(pid);
    }
    EQUAL(interrupted, 2);
  }
}
