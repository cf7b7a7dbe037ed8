/* The frame of a black-box program: a list of tests whose names are behaviours, each run in a child
 * process of its own, in an empty folder of its own. Prints "ok NAME", "skip NAME: WHY" or
 * "not ok NAME: WHERE" for each; exit status 1 if one failed. What is printed must be the same natively
 * and in dvisor.
 *
 *   PROGRAM              all tests
 *   PROGRAM --list       their names
 *   PROGRAM PART...      those with a PART in their name
 */
#ifndef CHECK_H
#define CHECK_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What headers of before Linux 5.16 and glibc 2.36 do not have. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define P_PIDFD ((idtype_t)3)

#define MAX_TESTS 100
#define FAILED 1
#define SKIPPED 77
#define LIMIT_SECONDS 20

struct test {
  const char *name;
  void (*run)(void);
};

static struct test tests[MAX_TESTS];
static int test_count;
static int report_fd; /* Where a failing child says why, whatever it did to its standard output. */
static char self[4096];
__attribute__((unused)) static void *volatile nowhere = (void *)8; /* An address that faults; hidden from the compiler. */

/* TEST(id, "behaviour") { ... } registers itself, in the order of the file. */
#define TEST(id, behaviour)                                            \
  static void id(void);                                                \
  __attribute__((constructor)) static void register_##id(void) {       \
    tests[test_count++] = (struct test){behaviour, id};                \
  }                                                                    \
  static void id(void)

#define CHECK(condition)                                                                       \
  do {                                                                                         \
    int saved_ = errno;                                                                        \
    if (!(condition)) fail("%s:%d: %s (errno %d)", __FILE__, __LINE__, #condition, saved_);    \
  } while (0)

/* Equality of two integers, with both shown. */
#define EQUAL(left, right)                                                                      \
  do {                                                                                          \
    long long left_ = (long long)(left);                                                        \
    int saved_ = errno;                                                                         \
    long long right_ = (long long)(right);                                                      \
    if (left_ != right_)                                                                        \
      fail("%s:%d: %s is %lld, not %s = %lld (errno %d)", __FILE__, __LINE__, #left, left_,     \
           #right, right_, saved_);                                                             \
  } while (0)

/* A call that must fail with an errno, and one that must not fail. */
#define FAILS(call, expected)                                                                   \
  do {                                                                                          \
    errno = 0;                                                                                  \
    long long result_ = (long long)(call);                                                      \
    if (result_ != -1 || errno != (expected))                                                   \
      fail("%s:%d: %s returned %lld, errno %d, not -1, %s", __FILE__, __LINE__, #call, result_, \
           errno, #expected);                                                                   \
  } while (0)
#define OK(call)                                                                                \
  ({                                                                                            \
    errno = 0;                                                                                  \
    __typeof__(call) result_ = (call);                                                          \
    if ((long long)result_ == -1)                                                               \
      fail("%s:%d: %s failed with errno %d", __FILE__, __LINE__, #call, errno);                 \
    result_;                                                                                    \
  })

#define SKIP_UNLESS(condition, why)    \
  do {                                 \
    if (!(condition)) skip_test(why);  \
  } while (0)

__attribute__((format(printf, 1, 2), noreturn, unused)) static void fail(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (length >= (int)sizeof text) length = sizeof text - 1;
  if (write(report_fd, text, length) != length) _exit(FAILED);
  _exit(FAILED);
}

__attribute__((noreturn, unused)) static void skip_test(const char *why) {
  if (write(report_fd, why, strlen(why)) < 0) _exit(FAILED);
  _exit(SKIPPED);
}

/* A child that runs the statements given; what its CHECKs find fails the test, see join(). */
#define IN_CHILD(pid, ...)     \
  pid_t pid = OK(fork());      \
  if (pid == 0) {              \
    __VA_ARGS__;               \
    _exit(0);                  \
  }

/* Waits for a child of which success is expected; what it found wrong has been said. */
__attribute__((unused)) static void join(pid_t pid) {
  int status;
  pid_t got = waitpid(pid, &status, 0);
  if (got != pid) fail("waitpid(%d) returned %d, errno %d", pid, got, errno);
  if (WIFSIGNALED(status)) fail("a child was killed by signal %d", WTERMSIG(status));
  if (WEXITSTATUS(status) == FAILED) _exit(FAILED);
  if (WEXITSTATUS(status) != 0) fail("a child ended with %d", WEXITSTATUS(status));
}

__attribute__((unused)) static double monotonic_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Waits, without a fixed time, until another process or thread is asleep in the kernel. */
__attribute__((unused)) static void until_asleep(pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", tid);
  for (;;) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) fail("%s: errno %d", path, errno);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) fail("%s cannot be read", path);
    text[n] = '\0';
    char state = strrchr(text, ')')[2];
    if (state == 'S' || state == 'D' || state == 'T') return;
    if (state == 'Z' || state == 'X') fail("process %d ended early", tid);
    usleep(1000);
  }
}

__attribute__((unused)) static void write_file(const char *path, const char *text) {
  int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  EQUAL(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

/* A whole small file as a string that lasts until the next call. */
__attribute__((unused)) static char *read_file(const char *path) {
  static char text[65536];
  int fd = OK(open(path, O_RDONLY));
  size_t length = 0;
  ssize_t n;
  while ((n = read(fd, text + length, sizeof text - 1 - length)) > 0) length += n;
  CHECK(n == 0);
  text[length] = '\0';
  close(fd);
  return text;
}

/* Whether the directory has an entry of that name for readdir(3). */
__attribute__((unused)) static int lists(const char *path, const char *name) {
  DIR *dir = opendir(path);
  CHECK(dir != NULL);
  struct dirent *entry;
  int found = 0;
  while ((entry = readdir(dir)) != NULL) found |= strcmp(entry->d_name, name) == 0;
  closedir(dir);
  return found;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  remove(path);
  return 0;
}

/* The child's half of a test: in its folder, leading a process group, with a limit. */
static void run_in_child(const struct test *test, const char *folder) {
  setpgid(0, 0);
  if (chdir(folder) != 0) fail("chdir: errno %d", errno);
  alarm(LIMIT_SECONDS);
  test->run();
  _exit(0);
}

static int run_test(const struct test *test) {
  char folder[] = "/tmp/dvisor-test-XXXXXX";
  int report[2];
  char why[600] = "";
  if (mkdtemp(folder) == NULL || pipe2(report, O_CLOEXEC) != 0) {
    printf("not ok %s: no folder or no pipe: errno %d\n", test->name, errno);
    return 1;
  }
  chmod(folder, 0777);
  fflush(stdout);
  report_fd = report[1];
  pid_t pid = fork();
  if (pid == 0) run_in_child(test, folder);
  int status = -1;
  waitpid(pid, &status, 0);
  kill(-pid, SIGKILL); /* What it left behind. */
  fcntl(report[0], F_SETFL, O_NONBLOCK);
  if (read(report[0], why, sizeof why - 1) < 0) why[0] = '\0';
  close(report[0]);
  close(report[1]);
  nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  if (status == 0) {
    printf("ok %s\n", test->name);
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
    printf("skip %s: %s\n", test->name, why);
  } else if (WIFSIGNALED(status)) {
    printf("not ok %s: killed by signal %d%s %s\n", test->name, WTERMSIG(status),
           WTERMSIG(status) == SIGALRM ? " (it took too long)" : "", why);
    return 1;
  } else {
    printf("not ok %s: %s\n", test->name, why[0] ? why : "no reason given");
    return 1;
  }
  return 0;
}

static int chosen(const char *name, char **parts) {
  if (*parts == NULL) return 1;
  for (; *parts != NULL; parts++)
    if (strstr(name, *parts) != NULL) return 1;
  return 0;
}

/* A program that is also started anew by its own tests defines AGAIN, and gets its argv first. */
#ifdef AGAIN
static void again(int argc, char **argv);
#endif

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) self[0] = '\0';
#ifdef AGAIN
  if (argc > 1 && strncmp(argv[1], "again", 5) == 0) again(argc, argv);
#endif
  if (argc > 1 && strcmp(argv[1], "--list") == 0) {
    for (int i = 0; i < test_count; i++) puts(tests[i].name);
    return 0;
  }
  int failed = 0;
  for (int i = 0; i < test_count; i++)
    if (chosen(tests[i].name, argv + 1)) failed += run_test(&tests[i]);
  return failed > 0;
}
#endif
