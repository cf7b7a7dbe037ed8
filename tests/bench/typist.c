/* Types at an interactive shell on a terminal of its own and measures how long each prompt takes.
 *
 *   typist ROUNDS SHELL [ARGUMENT...]
 *
 * The shell's prompt must be "@@ " (PS1). Prints JSON objects: "first_prompt" from the start of
 * SHELL to its prompt; then, ROUNDS times each, from the Enter key to the next prompt of a builtin
 * ("typed_builtin") and of a program ("typed_program"). Nanoseconds; medians.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROMPT "@@ "
#define MAX_ROUNDS 101

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int open_terminal(char **argv, pid_t *pid) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) die("posix_openpt");
  const char *name = ptsname(master);
  *pid = fork();
  if (*pid < 0) die("fork");
  if (*pid > 0) return master;
  setsid();
  int terminal = open(name, O_RDWR);
  if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0) die(name);
  for (int fd = 0; fd < 3; fd++) dup2(terminal, fd);
  if (terminal > 2) close(terminal);
  setenv("PS1", PROMPT, 1);
  setenv("TERM", "dumb", 1);
  execvp(argv[0], argv);
  perror(argv[0]);
  _exit(127);
}

/* Reads until the prompt is the last thing on the terminal. */
static void wait_for_prompt(int master) {
  static char seen[1 << 16];
  size_t length = 0;
  for (;;) {
    struct pollfd p = {.fd = master, .events = POLLIN};
    if (poll(&p, 1, 30000) != 1) break;
    ssize_t n = read(master, seen + length, sizeof seen - length - 1);
    if (n <= 0) break;
    length += n;
    if (length >= strlen(PROMPT) && memcmp(seen + length - strlen(PROMPT), PROMPT, strlen(PROMPT)) == 0)
      return;
  }
  fprintf(stderr, "typist: no prompt, but: %.*s\n", (int)length, seen);
  exit(1);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void type_rounds(int master, const char *row, const char *line, int rounds) {
  double results[MAX_ROUNDS];
  for (int i = 0; i < rounds; i++) {
    double start_ns = now_ns();
    if (write(master, line, strlen(line)) < 0) die("write");
    wait_for_prompt(master);
    results[i] = now_ns() - start_ns;
  }
  qsort(results, rounds, sizeof *results, by_value);
  printf("{\"row\":\"%s\",\"ns\":%.0f}\n", row, results[rounds / 2]);
}

int main(int argc, char **argv) {
  int rounds = argc < 3 ? 0 : atoi(argv[1]);
  if (rounds < 1 || rounds > MAX_ROUNDS) {
    fprintf(stderr, "usage: typist ROUNDS SHELL [ARGUMENT...]\n");
    return 2;
  }
  pid_t pid;
  double start_ns = now_ns();
  int master = open_terminal(argv + 2, &pid);
  wait_for_prompt(master);
  printf("{\"row\":\"first_prompt\",\"ns\":%.0f}\n", now_ns() - start_ns);
  type_rounds(master, "typed_builtin", ":\n", rounds);
  type_rounds(master, "typed_program", "/bin/true\n", rounds);
  if (write(master, "exit\n", 5) != 5) die("write");
  int status = 0;
  waitpid(pid, &status, 0);
  return status == 0 ? 0 : 1;
}
