// build: -pthread
// signal(7): dispositions, masks, queues, restarts.
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>

static volatile sig_atomic_t seen, depth, deepest, order[16];
static volatile sig_atomic_t code, sender, value;

static void count(int sig) { (void)sig, seen++; }

static void note(int sig) {
  order[seen++] = sig;
}

static void note_info(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  code = info->si_code;
  sender = info->si_pid;
  value = info->si_value.sival_int;
  order[seen++] = value;
}

static void install(int sig, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  OK(sigaction(sig, &action, NULL));
}

static void install_info(int sig, int flags) {
  struct sigaction action = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO | flags};
  OK(sigaction(sig, &action, NULL));
}

static sigset_t block(int first, int second) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, first);
  if (second) sigaddset(&set, second);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  return set;
}

TEST(handler, "a handler runs before kill of oneself returns") {
  install(SIGUSR1, count, 0);
  OK(kill(getpid(), SIGUSR1));
  EQUAL(seen, 1);
  OK(raise(SIGUSR1));
  EQUAL(seen, 2);
}

static volatile pid_t taker;

static void note_thread(int sig) { (void)sig, taker = gettid(); }

static void *send_to_process(void *sleeper) {
  until_asleep((pid_t)(intptr_t)sleeper);
  kill(getpid(), SIGUSR1);
  return NULL;
}

TEST(main_thread_first, "what a thread sends to its process interrupts the main thread") {
  pthread_t thread;
  struct timespec left, second = {5, 0};
  install(SIGUSR1, note_thread, 0);
  EQUAL(pthread_create(&thread, NULL, send_to_process, (void *)(intptr_t)gettid()), 0);
  EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &second, &left), EINTR);
  EQUAL(pthread_join(thread, NULL), 0);
  EQUAL(taker, getpid());
}

TEST(sender_info, "SA_SIGINFO tells who sent the signal and how") {
  install_info(SIGUSR1, 0);
  OK(kill(getpid(), SIGUSR1));
  EQUAL(code, SI_USER);
  EQUAL(sender, getpid());
  union sigval v = {.sival_int = 42};
  OK(sigqueue(getpid(), SIGUSR1, v));
  EQUAL(code, SI_QUEUE);
  EQUAL(value, 42);
  OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
  EQUAL(code, SI_TKILL);
}

TEST(masked, "a blocked signal waits, once, until it is unblocked") {
  install(SIGUSR1, count, 0);
  sigset_t set = block(SIGUSR1, 0), pending;
  for (int i = 0; i < 3; i++) OK(kill(getpid(), SIGUSR1));
  EQUAL(seen, 0);
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  EQUAL(seen, 1);
}

TEST(real_time_order, "real-time signals queue in order, lowest number first") {
  install_info(SIGRTMIN, 0);
  install_info(SIGRTMIN + 1, 0);
  sigset_t set = block(SIGRTMIN, SIGRTMIN + 1);
  for (int i = 0; i < 3; i++) {
    OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
    OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
  }
  struct timespec none = {0, 0};
  siginfo_t info;
  for (int i = 0; i < 3; i++) {
    EQUAL(sigtimedwait(&set, &info, &none), SIGRTMIN);
    EQUAL(info.si_value.sival_int, i);
  }
  for (int i = 0; i < 3; i++) {
    EQUAL(sigtimedwait(&set, &info, &none), SIGRTMIN + 1);
    EQUAL(info.si_value.sival_int, 10 + i);
  }
  FAILS(sigtimedwait(&set, &info, &none), EAGAIN);
}

TEST(queue_limit, "the queue of real-time signals ends at RLIMIT_SIGPENDING") {
  block(SIGRTMIN, 0);
  struct rlimit limit = {5, 5};
  OK(setrlimit(RLIMIT_SIGPENDING, &limit));
  int sent = 0;
  while (sent < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) sent++;
  EQUAL(errno, EAGAIN);
  CHECK(sent <= 5);
}

TEST(standard_first, "pending signals are delivered lowest number first") {
  install(SIGUSR1, note, 0);
  install(SIGUSR2, note, 0);
  sigset_t set = block(SIGUSR1, SIGUSR2);
  struct sigaction action = {.sa_handler = note};
  action.sa_mask = set; /* So that they do not nest: each runs to its end. */
  OK(sigaction(SIGUSR1, &action, NULL));
  OK(sigaction(SIGUSR2, &action, NULL));
  OK(kill(getpid(), SIGUSR2));
  OK(kill(getpid(), SIGUSR1));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  EQUAL(seen, 2);
  EQUAL(order[0], SIGUSR1);
  EQUAL(order[1], SIGUSR2);
}

static void nest(int sig) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (sig == SIGUSR1) kill(getpid(), SIGUSR2);
  if (sig == SIGUSR2 && ++seen == 1) kill(getpid(), SIGUSR1); /* Blocked: its handler is active. */
  depth--;
}

TEST(nested, "a handler is interrupted by another signal, not by its own") {
  install(SIGUSR1, nest, 0);
  install(SIGUSR2, nest, 0);
  OK(kill(getpid(), SIGUSR1));
  EQUAL(deepest, 2);
  EQUAL(seen, 2);
}

static void nest_self(int sig) {
  if (++depth < 3) raise(sig);
  if (depth > deepest) deepest = depth;
}

TEST(nodefer, "SA_NODEFER lets a handler be entered again") {
  install(SIGUSR1, nest_self, SA_NODEFER);
  raise(SIGUSR1);
  EQUAL(deepest, 3);
}

TEST(resethand, "SA_RESETHAND gives one signal to the handler") {
  install(SIGUSR1, count, SA_RESETHAND);
  raise(SIGUSR1);
  EQUAL(seen, 1);
  struct sigaction now;
  OK(sigaction(SIGUSR1, NULL, &now));
  CHECK(now.sa_handler == SIG_DFL);
}

static int interrupted_read(int flags) {
  int p[2];
  char byte;
  OK(pipe(p));
  install(SIGUSR1, count, flags);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    kill(parent, SIGUSR1);
    if (flags & SA_RESTART) {
      until_asleep(parent);
      EQUAL(write(p[1], "x", 1), 1);
    }
  });
  ssize_t n = read(p[0], &byte, 1);
  int error = errno;
  join(pid);
  return n < 0 ? -error : n;
}

TEST(eintr, "a handler without SA_RESTART ends a blocked read with EINTR") {
  EQUAL(interrupted_read(0), -EINTR);
  EQUAL(seen, 1);
}

TEST(restart, "a handler with SA_RESTART lets a blocked read go on") {
  EQUAL(interrupted_read(SA_RESTART), 1);
  EQUAL(seen, 1);
}

TEST(never_restarted, "poll and nanosleep end with EINTR whatever SA_RESTART says") {
  install(SIGALRM, count, SA_RESTART);
  struct itimerval soon = {.it_value = {0, 20000}};
  OK(setitimer(ITIMER_REAL, &soon, NULL));
  FAILS(poll(NULL, 0, 10000), EINTR);
  OK(setitimer(ITIMER_REAL, &soon, NULL));
  struct timespec long_time = {10, 0}, left = {0, 0};
  FAILS(nanosleep(&long_time, &left), EINTR);
  CHECK(left.tv_sec == 9);
  EQUAL(seen, 2);
}

TEST(ignored_and_stopped, "an ignored signal does not interrupt a sleep") {
  signal(SIGUSR1, SIG_IGN);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    for (int i = 0; i < 5; i++) kill(parent, SIGUSR1);
  });
  struct timespec nap = {0, 100000000}, left;
  OK(nanosleep(&nap, &left));
  join(pid);
}

TEST(sigsuspend_, "sigsuspend swaps the mask and restores it") {
  install(SIGUSR1, count, 0);
  block(SIGUSR1, 0);
  OK(kill(getpid(), SIGUSR1));
  sigset_t none, now;
  sigemptyset(&none);
  FAILS(sigsuspend(&none), EINTR);
  EQUAL(seen, 1);
  OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK(sigismember(&now, SIGUSR1));
}

TEST(sigtimedwait_waits, "sigtimedwait takes a signal that comes later and times out otherwise") {
  sigset_t set = block(SIGUSR1, 0);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    until_asleep(parent);
    kill(parent, SIGUSR1);
  });
  struct timespec limit = {10, 0}, brief = {0, 20000000};
  siginfo_t info;
  EQUAL(sigtimedwait(&set, &info, &limit), SIGUSR1);
  EQUAL(info.si_pid, pid);
  double start = monotonic_ms();
  FAILS(sigtimedwait(&set, &info, &brief), EAGAIN);
  CHECK(monotonic_ms() - start >= 19);
  join(pid);
}

static void *set_user_actions(void *unused) {
  struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR1, &action, NULL));
  signal(SIGUSR2, SIG_IGN);
  return unused;
}

/* Asked more than once: the first call of a site goes another way. */
static int told_default(int signo) {
  struct sigaction old;
  for (int i = 0; i < 3; i++) {
    memset(&old, 0xff, sizeof old);
    if (syscall(SYS_rt_sigaction, signo, NULL, &old, 8) != 0) fail("sigaction(%d): errno %d", signo, errno);
    for (size_t at = 0; at < 32; at++)
      if (((char *)&old)[at] != 0) return 0;
  }
  return 1;
}

TEST(told_actions, "sigaction tells each action as it is, whoever has set it") {
  SKIP_UNLESS(told_default(SIGUSR1) && told_default(SIGUSR2) && told_default(SIGRTMAX), "something is set already");
  pthread_t thread;
  EQUAL(pthread_create(&thread, NULL, set_user_actions, NULL), 0);
  pthread_join(thread, NULL);
  CHECK(!told_default(SIGUSR1) && !told_default(SIGUSR2) && told_default(SIGRTMAX));
  struct sigaction old;
  OK(sigaction(SIGUSR1, NULL, &old));
  CHECK(old.sa_handler == count && (old.sa_flags & SA_RESTART));
  IN_CHILD(pid, {
    CHECK(!told_default(SIGUSR1) && !told_default(SIGUSR2));
    signal(SIGRTMAX, SIG_IGN);
    CHECK(!told_default(SIGRTMAX));
  });
  join(pid);
  CHECK(told_default(SIGRTMAX));
  CHECK(told_default(SIGKILL) && told_default(SIGSTOP));
  char *volatile none = (char *)8;
  for (int i = 0; i < 3; i++) {
    FAILS(syscall(SYS_rt_sigaction, 65, NULL, &old, 8), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, 0, NULL, &old, 8), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, SIGRTMAX, NULL, &old, 4), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, SIGRTMAX, NULL, none, 8), EFAULT);
    OK(syscall(SYS_rt_sigaction, SIGRTMAX, NULL, NULL, 8));
  }
}

/* As the kernel takes it: the C library chooses the restorer and hides it. */
struct raw_action {
  uint64_t handler, flags, restorer, mask;
};
enum { HAS_RESTORER = 0x04000000 };

static long set_raw(int signo, struct raw_action action) {
  return syscall(SYS_rt_sigaction, signo, &action, NULL, 8);
}

static int is_told(int signo, struct raw_action expected) {
  struct raw_action told;
  OK(syscall(SYS_rt_sigaction, signo, NULL, &told, 8));
  return memcmp(&told, &expected, sizeof told) == 0;
}

static const struct raw_action one = {.flags = HAS_RESTORER, .restorer = 0x1000};
static const struct raw_action other = {.flags = HAS_RESTORER, .restorer = 0x2000};

static void *check_and_set(void *unused) {
  CHECK(is_told(SIGUSR1, one) && is_told(SIGUSR2, other));
  OK(set_raw(SIGIO, one));
  CHECK(is_told(SIGIO, one));
  return unused;
}

/* After told_default, which asks from the same place in the C library. */
TEST(default_again, "SIG_DFL set for a signal that has it is remembered with its flags, restorer and mask") {
  SKIP_UNLESS(told_default(SIGUSR1) && told_default(SIGUSR2) && told_default(SIGIO), "something is set already");
  OK(set_raw(SIGUSR1, one));
  OK(set_raw(SIGUSR2, other));
  CHECK(is_told(SIGUSR1, one) && is_told(SIGUSR2, other) && told_default(SIGIO));
  OK(set_raw(SIGUSR1, other));
  CHECK(is_told(SIGUSR1, other));
  OK(set_raw(SIGUSR1, one));
  OK(set_raw(SIGRTMAX, one));
  IN_CHILD(pid, CHECK(is_told(SIGUSR1, one) && is_told(SIGUSR2, other) && is_told(SIGRTMAX, one)));
  join(pid);
  struct raw_action strange = {.flags = SA_RESTART | HAS_RESTORER, .restorer = 0x1000, .mask = 1 << (SIGHUP - 1)};
  OK(set_raw(SIGVTALRM, strange));
  CHECK(is_told(SIGVTALRM, strange));
  FAILS(set_raw(SIGKILL, one), EINVAL);
  FAILS(syscall(SYS_rt_sigaction, SIGHUP, nowhere, NULL, 8), EFAULT);
  CHECK(told_default(SIGHUP));
  FAILS(syscall(SYS_rt_sigaction, SIGHUP, &one, nowhere, 8), EFAULT);
  CHECK(is_told(SIGHUP, one));
  pthread_t thread;
  OK(set_raw(SIGPROF, other));
  EQUAL(pthread_create(&thread, NULL, check_and_set, NULL), 0);
  pthread_join(thread, NULL);
  CHECK(is_told(SIGIO, one) && is_told(SIGPROF, other));
}

TEST(default_discards, "SIG_DFL discards what is pending of a signal that is ignored by default, and nothing else") {
  block(SIGURG, SIGUSR1);
  raise(SIGURG);
  raise(SIGUSR1);
  CHECK(told_default(SIGURG) && told_default(SIGUSR1));
  OK(set_raw(SIGURG, one));
  OK(set_raw(SIGUSR1, one));
  sigset_t pending;
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGURG) && sigismember(&pending, SIGUSR1));
}

/* Of parent and child. */
static volatile struct { int taken, sending, done; } *between;

static void take(int sig) { (void)sig, __atomic_fetch_add(&between->taken, 1, __ATOMIC_SEQ_CST); }

static void share(void) {
  between = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(between != MAP_FAILED);
}

TEST(default_kept, "SIG_DFL is remembered whatever others change of the process meanwhile") {
  SKIP_UNLESS(told_default(SIGUSR1) && told_default(SIGUSR2) && told_default(SIGIO), "something is set already");
  share();
  IN_CHILD(pid, {
    OK(set_raw(SIGUSR1, one));
    OK(set_raw(SIGRTMAX, one));
    between->taken = 1;
    while (!between->done) {}
    CHECK(is_told(SIGUSR1, one) && is_told(SIGRTMAX, one) && told_default(SIGUSR2));
  });
  while (!between->taken) usleep(1000);
  struct rlimit limit = {1, 100};
  OK(prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
  between->done = 1;
  join(pid);
}

/* Changes the mask, and asks for it, until all is done. */
static void *toggle(void *unused) {
  sigset_t set, now;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  while (!between->done) {
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGRTMIN));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  }
  return unused;
}

/* Sends, and waits until each was taken. */
static void send_to(pid_t pid) {
  enum { SIGNALS = 300, AT_ONCE = 5 };
  int sent = 0;
  for (int i = 0; i < SIGNALS; i++) {
    if (i % 2) {
      for (int k = 0; k < AT_ONCE; k++) OK(sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = i}));
      sent += AT_ONCE;
    } else {
      OK(kill(pid, SIGUSR1));
      sent++;
    }
    while (between->taken < sent) sched_yield();
    EQUAL(between->taken, sent);
  }
  between->done = 1;
}

TEST(mask_races, "a signal that comes while its thread changes the mask is taken as soon as it is not blocked") {
  share();
  install(SIGUSR1, take, 0);
  install(SIGRTMIN, take, 0);
  IN_CHILD(pid, toggle(NULL));
  send_to(pid);
  join(pid);
}

TEST(mask_races_of_threads, "of threads that change their masks at any moment one takes what is sent to their process") {
  share();
  install(SIGUSR1, take, 0);
  install(SIGRTMIN, take, 0);
  IN_CHILD(pid, {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) EQUAL(pthread_create(&threads[i], NULL, toggle, NULL), 0);
    toggle(NULL);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  });
  send_to(pid);
  join(pid);
}

static void *compute(void *unused) {
  while (!between->done) {}
  return unused;
}

TEST(mask_handed_on, "what the first thread blocks at the last moment another one takes") {
  share();
  install(SIGUSR1, take, 0);
  enum { SIGNALS = 400 };
  IN_CHILD(pid, {
    pthread_t thread;
    EQUAL(pthread_create(&thread, NULL, compute, NULL), 0);
    for (int i = 1; i <= SIGNALS; i++) {
      while (between->sending < i) {}
      for (volatile int k = i % 100 * 20; k > 0; k--) {}
      sigset_t blocked = block(SIGUSR1, 0);
      while (between->taken < i) {}
      OK(sigprocmask(SIG_UNBLOCK, &blocked, NULL));
    }
    between->done = 1;
    pthread_join(thread, NULL);
  });
  for (int i = 1; i <= SIGNALS; i++) {
    between->sending = i;
    OK(kill(pid, SIGUSR1));
    while (between->taken < i) sched_yield();
  }
  join(pid);
}

TEST(new_thread_mask, "a new thread has the mask of its maker at that moment") {
  sigset_t none, now;
  sigemptyset(&none);
  for (int i = 0; i < 200; i++) {
    sigset_t blocked = block(SIGUSR1, SIGUSR2);
    IN_CHILD(pid, {
      OK(sigprocmask(SIG_BLOCK, NULL, &now));
      CHECK(memcmp(&now, &blocked, 8) == 0);
    });
    OK(sigprocmask(SIG_SETMASK, &none, NULL)); /* The child may not have started yet. */
    join(pid);
  }
}

TEST(mask_arguments, "sigprocmask refuses a bad way and size, and sets the mask although it cannot tell the old one") {
  unsigned long set = 1ul << (SIGUSR1 - 1) | 1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1), now = 0;
  for (int i = 0; i < 3; i++) { /* The first call of a site goes another way. */
    OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &(unsigned long){0}, NULL, 8));
    FAILS(syscall(SYS_rt_sigprocmask, 7, &set, NULL, 8), EINVAL);
    OK(syscall(SYS_rt_sigprocmask, 7, NULL, &now, 8));
    EQUAL(now, 0);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, nowhere, NULL, 8), EFAULT);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, nowhere, 8), EFAULT);
    OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8));
    EQUAL(now, 1ul << (SIGUSR1 - 1));
  }
}

TEST(unkillable_mask, "SIGKILL and SIGSTOP cannot be caught or blocked") {
  struct sigaction action = {.sa_handler = count};
  FAILS(sigaction(SIGKILL, &action, NULL), EINVAL);
  FAILS(sigaction(SIGSTOP, &action, NULL), EINVAL);
  FAILS(sigaction(65, &action, NULL), EINVAL);
  sigset_t all, now;
  sigfillset(&all);
  OK(sigprocmask(SIG_SETMASK, &all, NULL));
  OK(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
}

TEST(kill_targets, "kill reaches a process group and says what it cannot reach") {
  install(SIGUSR1, count, 0);
  FAILS(kill(999999, 0), ESRCH);
  FAILS(kill(getpid(), 65), EINVAL);
  OK(kill(getpid(), 0));
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      signal(SIGUSR1, SIG_DFL);
      for (;;) pause();
    }
    OK(setpgid(pids[i], pids[0]));
  }
  for (int i = 0; i < 3; i++) until_asleep(pids[i]);
  OK(kill(-pids[0], SIGUSR1));
  for (int i = 0; i < 3; i++) {
    int status;
    EQUAL(waitpid(pids[i], &status, 0), pids[i]);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
  }
  EQUAL(seen, 0);
  FAILS(kill(-pids[0], 0), ESRCH);
}

TEST(stop_continue, "SIGSTOP stops, SIGCONT goes on, and the parent is told of both") {
  IN_CHILD(pid, { for (;;) pause(); });
  int status;
  until_asleep(pid);
  OK(kill(pid, SIGSTOP));
  EQUAL(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  EQUAL(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* Told once. */
  OK(kill(pid, SIGCONT));
  EQUAL(waitpid(pid, &status, WCONTINUED), pid);
  CHECK(WIFCONTINUED(status));
  OK(kill(pid, SIGSTOP));
  OK(kill(pid, SIGKILL)); /* Kills the stopped, too. */
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static uint64_t mask_of(const char *status, const char *field) {
  const char *line = strstr(status, field);
  if (line == NULL) fail("no %s", field);
  return strtoull(line + strlen(field) + 1, NULL, 16);
}

TEST(inheritance, "exec resets handlers, keeps the ignored and the mask") {
  signal(SIGUSR1, count);
  signal(SIGUSR2, SIG_IGN);
  block(SIGTERM, 0);
  IN_CHILD(pid, {
    dup2(OK(open("status", O_WRONLY | O_CREAT, 0600)), 1);
    execl("/bin/cat", "cat", "/proc/self/status", NULL);
    fail("exec: errno %d", errno);
  });
  join(pid);
  char *status = read_file("status");
  EQUAL(mask_of(status, "SigBlk"), 1ull << (SIGTERM - 1));
  EQUAL(mask_of(status, "SigIgn") & 0xa00, 1ull << (SIGUSR2 - 1));
  EQUAL(mask_of(status, "SigCgt"), 0);
}

TEST(wait_notice, "SIGCHLD names the child, and SA_NOCLDWAIT leaves no zombie") {
  struct sigaction action = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGCHLD, &action, NULL));
  sigset_t set = block(SIGCHLD, 0);
  IN_CHILD(pid, _exit(5));
  siginfo_t info;
  EQUAL(sigwaitinfo(&set, &info), SIGCHLD);
  EQUAL(info.si_code, CLD_EXITED);
  EQUAL(info.si_pid, pid);
  EQUAL(info.si_status, 5);
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  signal(SIGCHLD, SIG_IGN);
  IN_CHILD(second, _exit(0));
  FAILS(waitpid(second, &status, 0), ECHILD);
}

TEST(core_signals, "the default action of each signal is what signal(7) says") {
  static const int killers[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,
                                SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,
                                SIGPWR, SIGSYS, 64};
  for (size_t i = 0; i < sizeof killers / sizeof *killers; i++) {
    pid_t pid = OK(fork());
    if (pid == 0) {
      setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
      kill(getpid(), killers[i]);
      _exit(0);
    }
    int status;
    EQUAL(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), killers[i]);
  }
  raise(SIGCHLD);
  raise(SIGURG);
  raise(SIGWINCH);
  raise(SIGCONT);
}

/* All from one place in the program, as a library's syscall() is. */
__attribute__((noinline)) static long call(long number, long a, long b) {
  return syscall(number, a, b);
}

TEST(orphaned_group, "a terminal's stop signals leave an orphaned process group alone, time and again") {
  IN_CHILD(pid, {
    OK(setsid());
    for (int i = 0; i < 50; i++) {
      EQUAL(call(SYS_kill, getpid(), i % 2 ? SIGTSTP : SIGTTIN), 0);
      EQUAL(call(SYS_getpgid, 0, 0), getpid());
    }
  });
  join(pid);
}

TEST(stopped_pending, "what would end a stopped process waits until it goes on; SIGKILL does not") {
  int fatal[] = {SIGTERM, SIGSEGV, SIGRTMIN, SIGKILL}, status;
  for (int i = 0; i < 4; i++) {
    IN_CHILD(pid, {
      for (;;) pause();
    });
    OK(kill(pid, SIGSTOP));
    EQUAL(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    OK(kill(pid, fatal[i]));
    if (fatal[i] != SIGKILL) {
      usleep(20000);
      EQUAL(waitpid(pid, &status, WNOHANG), 0);
      OK(kill(pid, SIGCONT));
    }
    EQUAL(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), fatal[i]);
  }
}
