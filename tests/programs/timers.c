// build: -pthread
// Clocks and timers: nanosleep(2), setitimer(2), timer_create(2), clock_gettime(2).
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile sig_atomic_t fired;
static volatile int timer_value, timer_code;
static void on_alarm(int sig) { (void)sig, fired++; }
static void on_timer(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  fired++;
  timer_value = info->si_value.sival_int;
  timer_code = info->si_code;
}

static void burn_until_fired(int times) {
  while (fired < times) {}
}

TEST(clocks, "clocks go forward and agree with each other") {
  struct timespec a, b, coarse;
  struct timeval tv;
  for (int clock = 0; clock <= 1; clock++) {
    OK(clock_gettime(clock, &a));
    for (int i = 0; i < 1000; i++) {
      OK(clock_gettime(clock, &b));
      CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
      a = b;
    }
  }
  OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &a)); /* Past the vDSO. */
  OK(gettimeofday(&tv, NULL));
  OK(clock_gettime(CLOCK_REALTIME_COARSE, &coarse));
  CHECK(llabs((a.tv_sec - tv.tv_sec) * 1000000ll + a.tv_nsec / 1000 - tv.tv_usec) < 500000);
  CHECK(labs(time(NULL) - a.tv_sec) <= 1);
  CHECK(labs(coarse.tv_sec - a.tv_sec) <= 1);
  OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a));
  OK(clock_gettime(CLOCK_MONOTONIC, &b));
  CHECK(b.tv_sec - a.tv_sec <= 1 && b.tv_sec >= a.tv_sec);
  FAILS(clock_gettime(100, &a), EINVAL);
  FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, nowhere), EFAULT);
  OK(clock_getres(CLOCK_MONOTONIC, &a));
  CHECK(a.tv_sec == 0 && a.tv_nsec >= 1);
}

TEST(cpu_clocks, "CPU-time clocks count work and not sleep") {
  struct timespec process, thread, after;
  OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process));
  OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread));
  usleep(50000);
  OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after));
  CHECK((after.tv_sec - process.tv_sec) * 1e9 + after.tv_nsec - process.tv_nsec < 40e6);
  double start = monotonic_ms();
  do {
    OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after));
  } while ((after.tv_sec - thread.tv_sec) * 1e9 + after.tv_nsec - thread.tv_nsec < 30e6 &&
           monotonic_ms() - start < 10000);
  CHECK(monotonic_ms() - start < 10000);
  struct rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  struct tms t;
  OK(times(&t));
}

TEST(sleeps, "sleeps last at least as long as asked, by every clock") {
  double start = monotonic_ms();
  OK(nanosleep(&(struct timespec){0, 15000000}, NULL));
  CHECK(monotonic_ms() - start >= 15);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  OK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)); /* Past: at once. */
  EQUAL(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 1000000}, NULL), 0);
  EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000000000}, NULL), EINVAL);
  EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){-1, 0}, NULL), EINVAL);
  FAILS(syscall(SYS_nanosleep, nowhere, NULL), EFAULT);
}

TEST(alarm_, "alarm returns what was left and fires once") {
  signal(SIGALRM, on_alarm);
  alarm(0);
  EQUAL(alarm(100), 0);
  EQUAL(alarm(50), 100);
  EQUAL(alarm(0), 50);
  EQUAL(alarm(0), 0);
}

TEST(real_timer, "ITIMER_REAL fires again and again at its interval") {
  signal(SIGALRM, on_alarm);
  struct itimerval value = {{0, 5000}, {0, 5000}}, now;
  double start = monotonic_ms();
  OK(setitimer(ITIMER_REAL, &value, NULL));
  while (fired < 5) pause();
  CHECK(monotonic_ms() - start >= 24);
  OK(getitimer(ITIMER_REAL, &now));
  EQUAL(now.it_interval.tv_usec, 5000);
  CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec <= 5000);
  value = (struct itimerval){{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &value, &now));
  EQUAL(now.it_interval.tv_usec, 5000);
  OK(getitimer(ITIMER_REAL, &now));
  EQUAL(now.it_value.tv_usec, 0);
  FAILS(setitimer(9, &value, NULL), EINVAL);
  value.it_value.tv_usec = 1000000;
  FAILS(setitimer(ITIMER_REAL, &value, NULL), EINVAL);
}

TEST(cpu_timers, "ITIMER_VIRTUAL and ITIMER_PROF interrupt a busy program") {
  signal(SIGVTALRM, on_alarm);
  signal(SIGPROF, on_alarm);
  struct itimerval value = {{0, 0}, {0, 20000}};
  OK(setitimer(ITIMER_VIRTUAL, &value, NULL));
  burn_until_fired(1);
  OK(setitimer(ITIMER_PROF, &value, NULL));
  burn_until_fired(2);
}

TEST(posix_timer, "a POSIX timer sends its value and counts overruns") {
  struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGRTMIN, &action, NULL));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  event.sigev_value.sival_int = 77;
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec value = {{0, 2000000}, {0, 2000000}}, now;
  OK(timer_settime(timer, 0, &value, NULL));
  usleep(50000);
  OK(timer_gettime(timer, &now));
  EQUAL(now.it_interval.tv_nsec, 2000000);
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  CHECK(fired >= 1);
  EQUAL(timer_value, 77);
  EQUAL(timer_code, SI_TIMER);
  OK(timer_delete(timer));
  FAILS(timer_gettime(timer, &now), EINVAL);
}

TEST(already_pending, "a periodic timer goes on although its signal was pending when it went off") {
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &usr1, NULL));
  OK(kill(getpid(), SIGUSR1));
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_t timer;
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  OK(timer_settime(timer, 0, &(struct itimerspec){{0, 2000000}, {0, 2000000}}, NULL));
  usleep(20000);
  siginfo_t info;
  int from_timer = 0;
  while (from_timer < 3) {
    EQUAL(sigwaitinfo(&usr1, &info), SIGUSR1);
    if (info.si_code == SI_TIMER) from_timer++;
  }
}

TEST(absolute_timer, "an absolute time in the past fires at once") {
  signal(SIGUSR1, on_alarm);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  OK(timer_create(CLOCK_REALTIME, &event, &timer));
  struct itimerspec value = {{0, 0}, {1, 0}};
  OK(timer_settime(timer, TIMER_ABSTIME, &value, NULL));
  while (fired == 0) usleep(1000);
  value.it_value.tv_nsec = -1;
  FAILS(timer_settime(timer, 0, &value, NULL), EINVAL);
}

TEST(thread_timer, "SIGEV_THREAD_ID sends the signal to one thread") {
  signal(SIGUSR1, on_alarm);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = gettid();
  timer_t timer;
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec value = {{0, 0}, {0, 1000000}};
  OK(timer_settime(timer, 0, &value, NULL));
  while (fired == 0) usleep(1000);
}

TEST(not_inherited, "fork inherits no timer, exec keeps the alarm") {
  alarm(100);
  IN_CHILD(pid, { EQUAL(alarm(0), 0); });
  join(pid);
  IN_CHILD(second, {
    struct itimerval soon = {{0, 0}, {0, 30000}};
    OK(setitimer(ITIMER_REAL, &soon, NULL));
    execl("/bin/sleep", "sleep", "100", NULL);
    fail("exec: errno %d", errno);
  });
  int status;
  EQUAL(waitpid(second, &status, 0), second);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

enum { PERIOD_MS = 5 };

static double clock_ms(clockid_t clock) {
  struct timespec t;
  OK(clock_gettime(clock, &t));
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static pthread_t start(void *(*run)(void *), void *argument) {
  pthread_t thread;
  EQUAL(pthread_create(&thread, NULL, run, argument), 0);
  return thread;
}

/* What a thread was sent, which timers on its clock sent it, and the periods that these had missed. */
static __thread volatile int ticks;
static __thread timer_t own_timer;
static void on_tick(int sig) { (void)sig, ticks += 1 + OK(timer_getoverrun(own_timer)); }

static void start_own_timer(clockid_t clock) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
  event._sigev_un._tid = gettid();
  OK(timer_create(clock, &event, &own_timer));
  struct itimerspec value = {{0, PERIOD_MS * 1000000}, {0, PERIOD_MS * 1000000}};
  OK(timer_settime(own_timer, 0, &value, NULL));
}

static void *compute_by_own_timer(void *by_own_clock) {
  clockid_t clock = CLOCK_THREAD_CPUTIME_ID;
  if (by_own_clock != NULL) EQUAL(pthread_getcpuclockid(pthread_self(), &clock), 0);
  double before = clock_ms(CLOCK_THREAD_CPUTIME_ID);
  start_own_timer(clock);
  while (ticks < 20) {}
  OK(timer_delete(own_timer));
  CHECK(clock_ms(CLOCK_THREAD_CPUTIME_ID) - before >= ticks * PERIOD_MS);
  return NULL;
}

static void *sleep_by_own_timer(void *end) {
  char byte;
  start_own_timer(CLOCK_THREAD_CPUTIME_ID);
  EQUAL(read(*(int *)end, &byte, 1), 1);
  EQUAL(ticks, 0);
  return NULL;
}

TEST(thread_cpu_timers, "a timer on a thread's CPU clock goes off for what that thread computes") {
  int ends[2];
  OK(pipe(ends));
  signal(SIGPROF, on_tick);
  pthread_t sleeper = start(sleep_by_own_timer, &ends[0]);
  pthread_t first = start(compute_by_own_timer, NULL), second = start(compute_by_own_timer, "");
  EQUAL(pthread_join(first, NULL), 0);
  EQUAL(pthread_join(second, NULL), 0);
  EQUAL(write(ends[1], "x", 1), 1);
  EQUAL(pthread_join(sleeper, NULL), 0);
}

static void *call_by_own_timer(void *unused) {
  (void)unused;
  start_own_timer(CLOCK_THREAD_CPUTIME_ID);
  while (ticks < 20) getppid();
  OK(timer_delete(own_timer));
  return NULL;
}

TEST(calling_thread, "a timer on a thread's CPU clock goes off in a thread that makes system calls") {
  signal(SIGPROF, on_tick);
  EQUAL(pthread_join(start(call_by_own_timer, NULL), NULL), 0);
}

/* Naps between its bursts: each leaves the timer without a thread that computes. */
static void *nap_by_own_timer(void *end) {
  char byte;
  start_own_timer(CLOCK_THREAD_CPUTIME_ID);
  for (int burst = 1; burst <= 5; burst++) {
    ssize_t n = read(*(int *)end, &byte, 1);
    CHECK(n == 1 || (n == -1 && errno == EINTR));
    while (ticks < 2 * burst) {}
  }
  OK(timer_delete(own_timer));
  return NULL;
}

TEST(napping_thread, "a timer on a thread's CPU clock goes on after the thread has slept") {
  int ends[2];
  OK(pipe(ends));
  signal(SIGPROF, on_tick);
  pthread_t thread = start(nap_by_own_timer, &ends[0]);
  for (int i = 0; i < 5; i++) {
    usleep(30000);
    EQUAL(write(ends[1], "x", 1), 1);
  }
  EQUAL(pthread_join(thread, NULL), 0);
}

static volatile int stop;
static volatile pid_t computing;
static void *compute_without_calls(void *unused) {
  (void)unused;
  computing = gettid();
  while (!stop) {}
  return NULL;
}

TEST(another_thread, "another thread's CPU clock can be read, slept on and timed while it computes") {
  signal(SIGUSR1, on_alarm);
  pthread_t thread = start(compute_without_calls, NULL);
  clockid_t clock;
  EQUAL(pthread_getcpuclockid(thread, &clock), 0);
  while (clock_ms(clock) < 50) {}
  double before = clock_ms(clock);
  struct timespec duration = {0, 30000000};
  EQUAL(clock_nanosleep(clock, 0, &duration, NULL), 0);
  double after = clock_ms(clock);
  CHECK(after - before >= 30);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  OK(timer_create(clock, &event, &timer));
  struct itimerspec value = {{0, 0}, {0, 30000000}};
  OK(timer_settime(timer, 0, &value, NULL));
  while (!fired) usleep(1000);
  CHECK(clock_ms(clock) - after >= 30);
  stop = 1;
  EQUAL(pthread_join(thread, NULL), 0);
}

/* Two threads compute until each has had its share; the signals that others had are misplaced. */
static __thread int computes;
static volatile int misplaced, satisfied, sharers;
static void on_share(int sig) {
  (void)sig;
  if (!computes) misplaced++;
  else if (++ticks == 3) satisfied++;
}

static void *compute_for_a_share(void *unused) {
  computes = 1;
  sharers++;
  while (satisfied < 2) {}
  return unused;
}

static void *compute_while_main_sleeps(void *end) {
  until_asleep(getpid());
  pthread_t other = start(compute_for_a_share, NULL);
  struct itimerval value = {{0, PERIOD_MS * 1000}, {0, PERIOD_MS * 1000}}, none = {{0, 0}, {0, 0}};
  while (sharers < 1) {}
  computes = 1;
  OK(setitimer(ITIMER_PROF, &value, NULL));
  compute_for_a_share(NULL);
  OK(setitimer(ITIMER_PROF, &none, NULL));
  EQUAL(pthread_join(other, NULL), 0);
  EQUAL(write(*(int *)end, "x", 1), 1);
  return NULL;
}

/* The main thread may get one that comes while both others, on a busy machine, are in their handlers. */
TEST(shares, "ITIMER_PROF signals go to the threads that compute, and wake none that sleeps") {
  int ends[2];
  char byte;
  OK(pipe(ends));
  struct sigaction action = {.sa_handler = on_share};
  OK(sigaction(SIGPROF, &action, NULL));
  pthread_t thread = start(compute_while_main_sleeps, &ends[1]);
  while (read(ends[0], &byte, 1) < 0) EQUAL(errno, EINTR);
  EQUAL(pthread_join(thread, NULL), 0);
  CHECK(misplaced <= 1);
}

static void *leave_a_timer(void *timer) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = gettid();
  OK(timer_create(CLOCK_MONOTONIC, &event, timer));
  struct itimerspec value = {{0, 0}, {0, 50000000}};
  OK(timer_settime(*(timer_t *)timer, 0, &value, NULL));
  return NULL;
}

TEST(gone_thread, "a timer whose thread is gone sends no signal to the others") {
  timer_t timer;
  EQUAL(pthread_join(start(leave_a_timer, &timer), NULL), 0);
  struct itimerspec now;
  do {
    usleep(1000);
    OK(timer_gettime(timer, &now));
  } while (now.it_value.tv_sec != 0 || now.it_value.tv_nsec != 0);
  usleep(1000);
}

TEST(charged, "a timer needs a place in the queue of signals, whether it will send one or not") {
  IN_CHILD(pid, {
    struct rlimit none = {0, 0};
    struct sigevent silent = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &silent, &timer));
    OK(setrlimit(RLIMIT_SIGPENDING, &none));
    FAILS(timer_create(CLOCK_MONOTONIC, &silent, &timer), EAGAIN);
  });
  join(pid);
}
