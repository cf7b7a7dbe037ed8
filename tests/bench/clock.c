/* Times a command where this runs, so also inside a sandbox that is already up.
 *
 *   clock NAME ROUNDS PREPARE -- COMMAND [ARGUMENT...]
 *
 * Runs PREPARE with sh (not timed; "" for nothing), then COMMAND with its output thrown away, ROUNDS
 * times. Prints one JSON object: the wall-clock time of each round in nanoseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void die(const char *what, int status) {
  fprintf(stderr, "clock: %s failed with wait status %#x\n", what, status);
  exit(1);
}

static double run(char **argv) {
  double start_ns = now_ns();
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  if (status != 0) die(argv[0], status);
  return now_ns() - start_ns;
}

int main(int argc, char **argv) {
  if (argc < 6 || strcmp(argv[4], "--") != 0) {
    fprintf(stderr, "usage: clock NAME ROUNDS PREPARE -- COMMAND [ARGUMENT...]\n");
    return 2;
  }
  int rounds = atoi(argv[2]);
  printf("{\"row\":\"%s\",\"rounds_ns\":[", argv[1]);
  for (int i = 0; i < rounds; i++) {
    int status = *argv[3] == '\0' ? 0 : system(argv[3]);
    if (status != 0) die(argv[3], status);
    printf("%s%.0f", i > 0 ? "," : "", run(argv + 5));
  }
  printf("]}\n");
  return 0;
}
