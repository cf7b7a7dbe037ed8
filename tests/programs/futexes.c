// build: -pthread
// futex(2) itself; what the threads library does with it is in threads.c.
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>

static uint32_t *word; /* In shared memory. */

static long futex(uint32_t *at, int op, uint32_t value, const struct timespec *limit, uint32_t *at2,
                  uint32_t value3) {
  return syscall(SYS_futex, at, op, value, limit, at2, value3);
}

static void do_nothing(int signo) { (void)signo; }

static void share_word(void) {
  word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(word != MAP_FAILED);
}

TEST(mismatch, "wait with another value returns EAGAIN at once") {
  share_word();
  FAILS(futex(word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
  FAILS(futex(word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
  EQUAL(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(bad_arguments, "bad addresses and operations are refused") {
  share_word();
  FAILS(futex((uint32_t *)((char *)word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
  FAILS(futex(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  FAILS(futex(nowhere, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
  EQUAL(futex(nowhere, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
  FAILS(futex(word, 100, 0, NULL, NULL, 0), ENOSYS);
  FAILS(futex(word, FUTEX_WAIT, 0, &(struct timespec){0, 2000000000}, NULL, 0), EINVAL);
  FAILS(futex(word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

TEST(upper_half, "the upper half of an operation is nobody's business") {
  share_word();
  unsigned long garbage = 0xdeadbeef00000000;
  FAILS(syscall(SYS_futex, word, garbage | FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
  FAILS(syscall(SYS_futex, word, garbage | FUTEX_WAIT_PRIVATE, 0, &(struct timespec){0, 1000000}, NULL, 0), ETIMEDOUT);
  EQUAL(syscall(SYS_futex, word, garbage | FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}

TEST(timeouts, "wait times out by relative, monotonic and wall-clock time") {
  share_word();
  struct timespec brief = {0, 20000000}, until;
  double start = monotonic_ms();
  FAILS(futex(word, FUTEX_WAIT, 0, &brief, NULL, 0), ETIMEDOUT);
  CHECK(monotonic_ms() - start >= 19.9);
  clock_gettime(CLOCK_MONOTONIC, &until);
  FAILS(futex(word, FUTEX_WAIT_BITSET, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
  clock_gettime(CLOCK_REALTIME, &until);
  FAILS(futex(word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY),
        ETIMEDOUT);
}

TEST(across_processes, "a shared futex wakes another process, also through another mapping of a file") {
  int fd = OK(memfd_create("futex", 0));
  OK(ftruncate(fd, 8192));
  uint32_t *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  IN_CHILD(pid, {
    char *base = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *theirs = (uint32_t *)(base + 4096);
    while (__atomic_load_n(theirs, __ATOMIC_SEQ_CST) == 0) futex(theirs, FUTEX_WAIT, 0, NULL, NULL, 0);
  });
  until_asleep(pid);
  __atomic_store_n(mine, 1, __ATOMIC_SEQ_CST);
  EQUAL(futex(mine, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 1);
  join(pid);
}

TEST(wake_count, "wake wakes as many as it is told and says how many") {
  share_word();
  pid_t pids[4];
  for (int i = 0; i < 4; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      OK(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0));
      _exit(0);
    }
  }
  for (int i = 0; i < 4; i++) until_asleep(pids[i]);
  EQUAL(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
  EQUAL(futex(word, FUTEX_WAKE, 2, NULL, NULL, 0), 2);
  EQUAL(futex(word, FUTEX_WAKE, 5, NULL, NULL, 0), 1);
  for (int i = 0; i < 4; i++) join(pids[i]);
}

TEST(bitsets, "wake by bitset wakes whose bits meet") {
  share_word();
  pid_t pids[2];
  for (int i = 0; i < 2; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      OK(futex(word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1 << i));
      _exit(0);
    }
    until_asleep(pids[i]);
  }
  EQUAL(futex(word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4), 0);
  EQUAL(futex(word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2), 1);
  join(pids[1]);
  EQUAL(futex(word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 1), 1);
  join(pids[0]);
}

TEST(requeue, "requeue moves waiters without waking them") {
  share_word();
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      OK(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0));
      _exit(0);
    }
  }
  for (int i = 0; i < 3; i++) until_asleep(pids[i]);
  struct timespec *moved = (struct timespec *)2;
  FAILS(futex(word, FUTEX_CMP_REQUEUE, 1, moved, word + 1, 7), EAGAIN);
  EQUAL(futex(word, FUTEX_CMP_REQUEUE, 1, moved, word + 1, 0), 3);
  EQUAL(futex(word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
  EQUAL(futex(word + 1, FUTEX_WAKE, 10, NULL, NULL, 0), 2);
  for (int i = 0; i < 3; i++) join(pids[i]);
}

TEST(wake_op, "FUTEX_WAKE_OP changes one word and wakes by its old value") {
  share_word();
  word[1] = 5;
  uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
  EQUAL(futex(word, FUTEX_WAKE_OP, 1, (struct timespec *)1, word + 1, op), 0);
  EQUAL(word[1], 8);
}

static int interrupted;
static void on_signal(int sig) { (void)sig, interrupted++; }

TEST(signals_, "a signal ends a wait with EINTR, SA_RESTART lets it go on") {
  share_word();
  struct sigaction action = {.sa_handler = on_signal};
  OK(sigaction(SIGUSR1, &action, NULL));
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    kill(parent, SIGUSR1);
  });
  FAILS(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
  join(pid);
  action.sa_flags = SA_RESTART;
  OK(sigaction(SIGUSR1, &action, NULL));
  IN_CHILD(second, {
    until_asleep(parent);
    kill(parent, SIGUSR1);
    until_asleep(parent);
    EQUAL(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
  });
  OK(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0));
  join(second);
  EQUAL(interrupted, 2);
}

static void *clear_tid_thread(void *argument) {
  OK(syscall(SYS_set_tid_address, argument));
  syscall(SYS_exit, 0);
  return NULL;
}

TEST(clear_tid, "the word of set_tid_address is cleared and woken when the thread ends") {
  share_word();
  *word = 1;
  pthread_t thread;
  pthread_create(&thread, NULL, clear_tid_thread, word);
  while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 1) futex(word, FUTEX_WAIT, 1, NULL, NULL, 0);
  EQUAL(*word, 0);
}

TEST(robust, "the robust list marks the locks of a process that died") {
  share_word();
  struct node {
    struct robust_list list;
    uint32_t lock;
  } *node = (struct node *)(word + 16);
  IN_CHILD(pid, {
    static struct robust_list_head head;
    head.list.next = &node->list;
    node->list.next = &head.list;
    head.futex_offset = offsetof(struct node, lock);
    node->lock = gettid() | FUTEX_WAITERS;
    OK(syscall(SYS_set_robust_list, &head, sizeof head));
    raise(SIGKILL);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(node->lock & FUTEX_OWNER_DIED);
  EQUAL(node->lock & FUTEX_TID_MASK, 0);
}

TEST(robust_long, "of a long robust list the first 2048 locks are marked, wherever they lie; another's lock is left alone") {
  enum { NODES = 2060, STRIDE = 44, ANOTHERS = 1000 };
  char *area = mmap(NULL, NODES * STRIDE + 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  enum { LOCK = 16 };
  IN_CHILD(pid, {
    static struct robust_list_head head;
    struct robust_list *last = &head.list;
    for (int i = 0; i < NODES; i++) {
      struct robust_list *node = (void *)(area + i * STRIDE);
      last->next = node;
      node->next = &head.list;
      *(uint32_t *)((char *)node + LOCK) = i == ANOTHERS ? 1 : gettid();
      last = node;
    }
    head.futex_offset = LOCK;
    OK(syscall(SYS_set_robust_list, &head, sizeof head));
    raise(SIGKILL);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  for (int i = 0; i < NODES; i++) {
    uint32_t lock = *(uint32_t *)(area + i * STRIDE + LOCK);
    if (i == ANOTHERS) EQUAL(lock, 1);
    else EQUAL(lock, i < 2048 ? FUTEX_OWNER_DIED : pid);
  }
}

TEST(priority_inheritance, "FUTEX_LOCK_PI takes a free lock, refuses a second time, and unlocks") {
  share_word();
  OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  EQUAL(*word & FUTEX_TID_MASK, gettid());
  FAILS(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
  FAILS(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
  IN_CHILD(pid, {
    FAILS(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
    FAILS(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
    OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    EQUAL(*word & FUTEX_TID_MASK, gettid());
    OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  });
  until_asleep(pid);
  OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  join(pid);
  EQUAL(*word, 0);
}

/* Two words in one page of shared memory: a condition and its mutex. */
static uint32_t *condition, *mutex;
static void share_condition(void) {
  share_word();
  condition = word;
  mutex = word + 1;
}

static long wait_condition(const struct timespec *until) {
  return futex(condition, FUTEX_WAIT_REQUEUE_PI, 0, until, mutex, 0);
}

static long requeue_pi(long count, uint32_t *to, uint32_t expected) {
  return futex(condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)count, to, expected);
}

static void lock_pi(uint32_t *at) { OK(futex(at, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); }
static void unlock_pi(uint32_t *at) { OK(futex(at, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)); }

TEST(pi_order, "FUTEX_*LOCK_PI look at the owner and the time before all else") {
  uint32_t nobody = 0x3ffffff0;
  FAILS(futex(&nobody, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
  EQUAL(nobody, 0x3ffffff0 | FUTEX_WAITERS);
  FAILS(futex(&nobody, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
  static const uint32_t constant[2] = {1, 1};
  FAILS(futex((uint32_t *)constant, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
  FAILS(futex((uint32_t *)((char *)constant + 1), FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
  struct timespec never = {0, 1000000000}, now = {0, 0};
  FAILS(futex(&nobody, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &never, NULL, 0), EINVAL);
  FAILS(futex(&nobody, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, (void *)8, NULL, 0), EFAULT);
  FAILS(futex(&nobody, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &now, NULL, 0), ENOSYS);
}

TEST(handed_over, "a FUTEX_LOCK_PI mutex is handed over to who maps it elsewhere, also by its owner's end") {
  int fd = OK(memfd_create("lock", 0));
  OK(ftruncate(fd, 4096));
  uint32_t *here = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  uint32_t *there = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  lock_pi(here);
  IN_CHILD(first, {
    OK(munmap(here, 4096));
    lock_pi(there);
    EQUAL(*there & FUTEX_TID_MASK, gettid());
    until_asleep(getppid());
  });
  until_asleep(first);
  OK(munmap(there, 4096));
  unlock_pi(here);
  EQUAL(*here & FUTEX_TID_MASK, first);
  lock_pi(here);
  EQUAL(*here & FUTEX_TID_MASK, gettid());
  CHECK(*here & FUTEX_OWNER_DIED);
  join(first);
}

TEST(requeue_pi_, "who waits for a condition comes back with its FUTEX_LOCK_PI mutex, one after the other") {
  share_condition();
  lock_pi(mutex);
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      OK(wait_condition(NULL));
      EQUAL(*mutex & FUTEX_TID_MASK, gettid());
      condition[2]++;
      unlock_pi(mutex);
      _exit(0);
    }
    until_asleep(pids[i]);
  }
  FAILS(requeue_pi(5, mutex, 1), EAGAIN);
  EQUAL(requeue_pi(1, mutex, 0), 2);
  EQUAL(condition[2], 0);
  unlock_pi(mutex);
  join(pids[0]);
  join(pids[1]);
  EQUAL(*mutex, 0);
  EQUAL(requeue_pi(5, mutex, 0), 1);
  join(pids[2]);
  EQUAL(condition[2], 3);
  EQUAL(requeue_pi(5, mutex, 0), 0);
}

TEST(requeue_pi_limits, "a wait for a condition and its mutex ends with its time, or with a signal once it was moved") {
  share_condition();
  struct timespec past = {1, 0}, soon;
  FAILS(wait_condition(&past), ETIMEDOUT);
  FAILS(futex(condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &past, mutex, 0), ETIMEDOUT);
  lock_pi(mutex);
  IN_CHILD(late, {
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += 300000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    FAILS(wait_condition(&soon), ETIMEDOUT);
  });
  IN_CHILD(signalled, {
    signal(SIGUSR1, do_nothing);
    FAILS(wait_condition(NULL), EAGAIN);
  });
  until_asleep(late);
  until_asleep(signalled);
  OK(kill(signalled, SIGUSR1));
  usleep(1000);
  until_asleep(signalled);
  int moved = requeue_pi(5, mutex, 0);
  CHECK(moved >= 1);
  OK(kill(signalled, SIGUSR1));
  join(signalled);
  join(late);
  unlock_pi(mutex);
}

TEST(requeue_pi_errors, "a condition is moved to the mutex that its waiters expect") {
  share_condition();
  FAILS(futex(condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, condition, 0), EINVAL);
  FAILS(futex(condition, FUTEX_WAIT_REQUEUE_PI, 1, NULL, mutex, 0), EAGAIN);
  FAILS(futex(condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, nowhere, 0), EFAULT);
  FAILS(futex(condition, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, mutex, 0), EINVAL);
  FAILS(requeue_pi(-1, mutex, 0), EINVAL);
  FAILS(requeue_pi(1, condition, 0), EINVAL);
  lock_pi(mutex);
  IN_CHILD(pid, {
    OK(wait_condition(NULL));
    unlock_pi(mutex);
  });
  until_asleep(pid);
  FAILS(requeue_pi(1, mutex + 1, 0), EINVAL);
  EQUAL(requeue_pi(0, mutex, 0), 1);
  unlock_pi(mutex);
  join(pid);
}

TEST(beyond_memory, "a wait at an address beyond all memory faults") {
  struct timespec none = {0, 0};
  void *beyond[] = {(void *)0x7ffffffff000, (void *)-4096};
  for (int i = 0; i < 2; i++) {
    FAILS(syscall(SYS_futex, beyond[i], FUTEX_WAIT, 0, &none), EFAULT);
    FAILS(syscall(SYS_futex, beyond[i], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, -1), EFAULT);
    FAILS(syscall(SYS_futex_waitv, beyond[i], 1, 0, NULL, 0), EFAULT);
  }
  FAILS(syscall(SYS_futex, (void *)0x7ffffffff001, FUTEX_WAIT, 0, &none), EINVAL);
}
