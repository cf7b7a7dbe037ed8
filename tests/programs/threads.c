// build: -pthread
// pthreads(7): what glibc's threads need of the kernel.
#include "check.h"
#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/wait.h>

#define THREADS 8

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread long own = 7;

static pthread_t start(void *(*run)(void *), void *argument) {
  pthread_t thread;
  EQUAL(pthread_create(&thread, NULL, run, argument), 0);
  return thread;
}

static void *count_up(void *argument) {
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    own++;
  }
  EQUAL(own, 5007);
  return argument;
}

static double cpu_ms(clockid_t clock) {
  struct timespec t;
  OK(clock_gettime(clock, &t));
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double used_ms(const struct rusage *u) {
  return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 + (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

/* User and system time of the calling thread, as its stat file has it. */
static double stat_ms(void) {
  char path[64];
  unsigned long user, system;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", gettid());
  EQUAL(sscanf(strrchr(read_file(path), ')'), ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system), 2);
  return (user + system) * 1e3 / sysconf(_SC_CLK_TCK);
}

enum { COMPUTED_MS = 100 };

static void *compute(void *argument) {
  struct rusage usage;
  CHECK(cpu_ms(CLOCK_THREAD_CPUTIME_ID) < COMPUTED_MS / 2);
  double start = monotonic_ms();
  while (cpu_ms(CLOCK_THREAD_CPUTIME_ID) < COMPUTED_MS) {
    for (volatile int i = 0; i < 10000000; i++) {}
    CHECK(monotonic_ms() - start < 10000);
  }
  OK(getrusage(RUSAGE_THREAD, &usage));
  CHECK(used_ms(&usage) > COMPUTED_MS / 2);
  CHECK(stat_ms() > COMPUTED_MS / 2);
  return argument;
}

TEST(cpu_times, "a thread's CPU times are its own, those of the process all of them") {
  struct rusage usage;
  double before = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < 3; i++) {
    pthread_t thread = start(compute, NULL);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
      usleep(1000);
      CHECK(cpu_ms(CLOCK_THREAD_CPUTIME_ID) - before < COMPUTED_MS);
    }
  }
  OK(getrusage(RUSAGE_THREAD, &usage));
  CHECK(used_ms(&usage) < COMPUTED_MS + before);
  CHECK(cpu_ms(CLOCK_PROCESS_CPUTIME_ID) >= 3 * COMPUTED_MS);
  OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(used_ms(&usage) >= 2.5 * COMPUTED_MS);
}

TEST(mutex_, "a mutex keeps eight threads apart and TLS is each one's own") {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) threads[i] = start(count_up, (void *)i);
  for (long i = 0; i < THREADS; i++) {
    void *result;
    EQUAL(pthread_join(threads[i], &result), 0);
    EQUAL((long)result, i);
  }
  EQUAL(counter, THREADS * 5000);
  EQUAL(own, 7);
}

static void *take_turns(void *argument) {
  long me = (long)argument;
  for (int i = 0; i < 200; i++) {
    pthread_mutex_lock(&mutex);
    while (counter % THREADS != me) pthread_cond_wait(&condition, &mutex);
    counter++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

TEST(condition_, "condition variables pass turns around") {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) threads[i] = start(take_turns, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  EQUAL(counter, THREADS * 200);
}

TEST(condition_timeout, "a timed wait ends after its time") {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 20000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  pthread_mutex_lock(&mutex);
  EQUAL(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
}

static pthread_barrier_t barrier;
static void *meet(void *argument) {
  long serial = 0;
  for (int i = 0; i < 50; i++) serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
  __atomic_add_fetch(&counter, serial, __ATOMIC_SEQ_CST);
  return argument;
}

TEST(barrier_, "a barrier lets all pass and names one of them each time") {
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) threads[i] = start(meet, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  EQUAL(counter, 50);
}

TEST(robust_mutex, "a robust mutex tells the next owner that the last one died") {
  pthread_mutex_t *shared =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  EQUAL(pthread_mutex_init(shared, &attributes), 0);
  IN_CHILD(pid, {
    EQUAL(pthread_mutex_lock(shared), 0);
    raise(SIGKILL);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(pthread_mutex_lock(shared), EOWNERDEAD);
  EQUAL(pthread_mutex_consistent(shared), 0);
  EQUAL(pthread_mutex_unlock(shared), 0);
  EQUAL(pthread_mutex_lock(shared), 0);
}

static void *die_with_lock(void *argument) {
  pthread_mutex_lock(argument);
  return NULL;
}

TEST(robust_thread, "a robust mutex notices a thread that ended while holding it") {
  static pthread_mutex_t robust;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  EQUAL(pthread_mutex_init(&robust, &attributes), 0);
  pthread_join(start(die_with_lock, &robust), NULL);
  EQUAL(pthread_mutex_lock(&robust), EOWNERDEAD);
}

TEST(shared_semaphore, "a semaphore in shared memory wakes another process") {
  sem_t *semaphore = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  OK(sem_init(semaphore, 1, 0));
  IN_CHILD(pid, {
    for (int i = 0; i < 100; i++) OK(sem_wait(semaphore));
  });
  for (int i = 0; i < 100; i++) OK(sem_post(semaphore));
  join(pid);
}

static volatile pid_t handler_tid;
static void on_signal(int sig) { (void)sig, handler_tid = gettid(); }
static void *wait_for_signal(void *argument) {
  *(volatile pid_t *)argument = gettid();
  while (handler_tid == 0) usleep(1000);
  return NULL;
}

TEST(directed_signal, "pthread_kill reaches the thread it names") {
  static volatile pid_t tid;
  signal(SIGUSR1, on_signal);
  pthread_t thread = start(wait_for_signal, (void *)&tid);
  while (tid == 0) usleep(1000);
  EQUAL(pthread_kill(thread, SIGUSR1), 0);
  pthread_join(thread, NULL);
  EQUAL(handler_tid, tid);
}

TEST(unblocked_thread, "a signal for the process goes to a thread that does not block it") {
  static volatile pid_t tid;
  signal(SIGUSR1, on_signal);
  pthread_t thread = start(wait_for_signal, (void *)&tid);
  while (tid == 0) usleep(1000);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  OK(kill(getpid(), SIGUSR1));
  pthread_join(thread, NULL);
  EQUAL(handler_tid, tid);
}

#define ROUNDS 20
#define BURST 64
static volatile int received;
static volatile int finished;

static void receive(int sig) { (void)sig, __atomic_add_fetch(&received, 1, __ATOMIC_RELAXED); }

static void *count_on(void *argument) {
  for (volatile long n = 0; !finished; n++) continue;
  return argument;
}

static void *send_bursts(void *argument) {
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < BURST; i++) OK(kill(getpid(), SIGRTMIN + i % 16));
    usleep(1000);
  }
  return argument;
}

TEST(bursts, "a thread that waits for a processor takes all signals of a burst when it gets one") {
  sigset_t every, none;
  pthread_t threads[5];
  for (int i = 0; i < 16; i++) signal(SIGRTMIN + i, receive);
  sigfillset(&every);
  sigemptyset(&none);
  pthread_sigmask(SIG_BLOCK, &every, NULL);
  for (int i = 0; i < 4; i++) threads[i] = start(count_on, NULL);
  threads[4] = start(send_bursts, NULL);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  for (volatile long n = 0; received < ROUNDS * BURST; n++) continue;
  finished = 1;
  for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
  EQUAL(received, ROUNDS * BURST);
}

/* Whose turn it is, 0 or 1. Each waits with a limit: a wake-up that is lost shows. */
static volatile int turn, turns_end;

static void await_turn(int mine) {
  const struct timespec limit = {20, 0};
  while (turn != mine) {
    long r = syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, &limit, NULL, 0);
    CHECK(r == 0 || errno != ETIMEDOUT);
  }
}

static void *wake_in_turn(void *argument) {
  int mine = argument != NULL;
  for (int i = 0; i < 2000; i++) {
    await_turn(mine);
    turn = !mine;
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
  turns_end = 1;
  return NULL;
}

TEST(signalled_waker, "a thread that signals interrupt while it wakes another loses no wake-up") {
  struct sigaction action = {.sa_handler = receive, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR2, &action, NULL));
  pthread_t threads[2] = {start(wake_in_turn, NULL), start(wake_in_turn, (void *)&turn)};
  // The other gets none: a signal would make it look again.
  while (!turns_end) pthread_kill(threads[0], SIGUSR2);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

static void *read_forever(void *argument) {
  char byte;
  read(*(int *)argument, &byte, 1);
  return NULL;
}

TEST(cancel, "a thread blocked in read can be cancelled") {
  int p[2];
  OK(pipe(p));
  pthread_t thread = start(read_forever, &p[0]);
  void *result;
  EQUAL(pthread_cancel(thread), 0);
  EQUAL(pthread_join(thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
}

static void *change_identity(void *argument) {
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  EQUAL(getuid(), 1000);
  EQUAL(geteuid(), 1000);
  return argument;
}

TEST(setuid_all, "setuid of one thread changes all, through signals") {
  SKIP_UNLESS(getuid() == 0, "not root");
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_t thread = start(change_identity, NULL);
  pthread_barrier_wait(&barrier);
  OK(setuid(1000));
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
}

static void *nothing(void *argument) { return argument; }

TEST(many, "a thousand threads come and go, fifty at a time") {
  pthread_t threads[50];
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 50; i++) threads[i] = start(nothing, NULL);
    for (int i = 0; i < 50; i++) pthread_join(threads[i], NULL);
  }
}

static void *fork_in_thread(void *argument) {
  for (int i = 0; i < 10; i++) {
    IN_CHILD(pid, _exit(0));
    join(pid);
  }
  return argument;
}

TEST(fork_from_threads, "threads fork at the same time") {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start(fork_in_thread, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void *map_and_unmap(void *argument) {
  for (int i = 0; i < 200; i++) {
    char *at = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    for (int page = 0; page < 16; page++) at[page * 4096] = i;
    for (int page = 0; page < 16; page++) EQUAL((unsigned char)at[page * 4096], i & 255);
    OK(munmap(at, 65536));
  }
  return argument;
}

TEST(mappings, "threads map and unmap at the same time without seeing each other's pages") {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start(map_and_unmap, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void *same_site(void *argument) {
  for (int i = 0; i < 20000; i++) EQUAL(getppid(), *(pid_t *)argument);
  return NULL;
}

TEST(same_call_site, "four threads make the same call from the same instruction at once") {
  pid_t parent = getppid();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start(same_site, &parent);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void *return_at_once(void *argument) {
  return argument;
}

TEST(memory_gone, "a joined thread's stack and thread area may be unmapped at once") {
  size_t size = 256 * 1024;
  for (int i = 0; i < 300; i++) {
    pthread_t threads[3];
    void *stacks[3];
    for (int k = 0; k < 3; k++) {
      stacks[k] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      CHECK(stacks[k] != MAP_FAILED);
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      EQUAL(pthread_attr_setstack(&attributes, stacks[k], size), 0);
      EQUAL(pthread_create(&threads[k], &attributes, return_at_once, NULL), 0);
    }
    for (int k = 0; k < 3; k++) {
      EQUAL(pthread_join(threads[k], NULL), 0);
      OK(munmap(stacks[k], size));
    }
  }
}

static pid_t waited_for, waiting;
static void *end_when_waited_for(void *unused) {
  (void)unused;
  waited_for = gettid();
  until_asleep(waiting);
  return NULL;
}

TEST(thread_pidfd, "who polls the pidfd of a thread wakes up when that ends") {
  waiting = gettid();
  pthread_t thread = start(end_when_waited_for, NULL);
  while (__atomic_load_n(&waited_for, __ATOMIC_SEQ_CST) == 0) sched_yield();
  struct pollfd watched = {syscall(SYS_pidfd_open, waited_for, O_EXCL), POLLIN, 0};
  if (watched.fd < 0) skip_test("the kernel is older than 6.9");
  EQUAL(poll(&watched, 1, 10000), 1);
  CHECK(watched.revents & POLLIN);
  pthread_join(thread, NULL);
}

static long register_area(struct rseq *area, unsigned length, int flags, unsigned signature) {
  return syscall(SYS_rseq, area, length, flags, signature);
}

static struct rseq *libc_area(void) {
  return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Twice at the same sites: the first calls find them as the linker left them. */
static void *exchange_areas(void *argument) {
  struct rseq *old = libc_area();
  static __thread struct rseq own __attribute__((aligned(32)));
  for (int i = 0; i < 2; i++) {
    FAILS(register_area(old, 32, 0, RSEQ_SIG), EBUSY);
    FAILS(register_area(&own, 32, 0, RSEQ_SIG), EINVAL);
    FAILS(register_area(old, 32, 0, RSEQ_SIG + 1), EPERM);
    FAILS(register_area(old, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG + 1), EPERM);
    FAILS(register_area(&own, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG), EINVAL);
    OK(register_area(old, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG));
    FAILS(register_area(old, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG), EINVAL);
    FAILS(register_area((void *)((char *)&own + 8), 32, 0, RSEQ_SIG), EINVAL);
    FAILS(register_area(&own, 16, 0, RSEQ_SIG), EINVAL);
    FAILS(register_area(&own, 32, 2, RSEQ_SIG), EINVAL);
    own.cpu_id = RSEQ_CPU_ID_UNINITIALIZED;
    OK(register_area(&own, 32, 0, RSEQ_SIG));
    CHECK((int)own.cpu_id >= 0);
    pid_t child = fork();
    if (child == 0) _exit(register_area(&own, 32, 0, RSEQ_SIG) == -1 && errno == EBUSY ? 0 : 1);
    int status;
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 0);
    OK(register_area(&own, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG));
    OK(register_area(old, 32, 0, RSEQ_SIG));
  }
  return argument;
}

TEST(rseq, "a thread has one rseq area, which it may exchange, and a child of fork keeps it") {
  SKIP_UNLESS(__rseq_size != 0, "the kernel has no rseq");
  exchange_areas(NULL);
  for (int i = 0; i < 3; i++) EQUAL(pthread_join(start(exchange_areas, NULL), NULL), 0);
}

static int clear_tid;

static void *change_clear_tid(void *argument) {
  EQUAL(syscall(SYS_set_tid_address, &clear_tid), gettid());
  __atomic_store_n((int *)argument, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_exit, 0);
  return NULL;
}

TEST(set_tid_address, "the word of set_tid_address is cleared, and who waits for it woken, as the thread ends") {
  for (int i = 0; i < 3; i++) {
    int began = 0;
    clear_tid = 5;
    start(change_clear_tid, &began);
    while (__atomic_load_n(&clear_tid, __ATOMIC_SEQ_CST) == 5) syscall(SYS_futex, &clear_tid, FUTEX_WAIT, 5, NULL, NULL, 0);
    EQUAL(clear_tid, 0);
    EQUAL(began, 1);
  }
}

TEST(advice, "MADV_DONTNEED follows mlock and munlock of the same pages, call after call from one site") {
  char *at = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  for (int i = 0; i < 4; i++) {
    memset(at, 7, 3 * 4096);
    if (i == 2) OK(mlock(at + 4096, 4096));
    if (i == 3) OK(munlock(at + 4096, 4096));
    int err = madvise(at, 3 * 4096, MADV_DONTNEED) == 0 ? 0 : errno;
    EQUAL(err, i == 2 ? EINVAL : 0);
    EQUAL(at[4096], i == 2 ? 7 : 0);
  }
  OK(munmap(at + 4096, 4096));
  at[2 * 4096] = 7;
  FAILS(madvise(at, 3 * 4096, MADV_DONTNEED), ENOMEM);
  EQUAL(at[2 * 4096], 0);
  FAILS(madvise(at + 1, 4096, MADV_DONTNEED), EINVAL);
  OK(madvise(at, 0, MADV_DONTNEED));
}

/* Often enough that the call's site is known, see fixtures.h. */
static void *program_break(void) {
  void *at = NULL;
  for (int i = 0; i < 5; i++) at = (void *)syscall(SYS_brk, 0);
  return at;
}

static void *grow_break(void *by) {
  char *at = program_break();
  return (void *)syscall(SYS_brk, at + (intptr_t)by);
}

TEST(one_break, "threads have one program break, whoever moves it, a child of fork its own") {
  char *start = program_break();
  for (int i = 1; i <= 5; i++) {
    pthread_t thread;
    void *moved;
    EQUAL(pthread_create(&thread, NULL, grow_break, (void *)4096), 0);
    EQUAL(pthread_join(thread, &moved), 0);
    CHECK(moved == start + 8192 * i - 4096);
    CHECK(program_break() == moved);
    CHECK(grow_break((void *)4096) == start + 8192 * i);
    IN_CHILD(pid, {
      CHECK(program_break() == start + 8192 * i);
      CHECK(grow_break((void *)65536) == start + 8192 * i + 65536);
      CHECK(program_break() == start + 8192 * i + 65536);
    });
    join(pid);
    CHECK(program_break() == start + 8192 * i);
  }
}
