// build: -pthread
/* Guests that use up what there is, for faults_test.ts.
 *
 *   trouble forks            forks sleepers until it cannot, kills them, forks once more
 *   trouble threads          starts threads until it cannot, tries to fork, joins them, forks once more
 *   trouble files            opens files until it cannot, closes them, opens once more
 *   trouble run FILE...      executes each, five seconds at most, and says how that went
 *   trouble touch FILE       reads the last byte of a mapping of FILE for ever
 *   trouble call-number N    makes system call N with the arguments 1 to 6
 *   trouble call FILE        makes a system call on that byte for ever, until EFAULT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 200000

static void fork_once(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  if (pid < 0) puts(strerrorname_np(errno));
  else puts(waitpid(pid, NULL, 0) == pid ? "works" : "is lost");
}

static void forks(void) {
  static pid_t pids[MOST];
  int count = 0;
  while (count < MOST && (pids[count] = fork()) > 0) count++;
  if (count < MOST && pids[count] == 0) {
    for (;;) pause();
  }
  printf("fork ended with %s\n", count < MOST ? strerrorname_np(errno) : "nothing");
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
  printf("again: ");
  fork_once();
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *argument) {
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return argument;
}

static void threads(void) {
  static pthread_t started[MOST];
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 32 << 10);
  pthread_mutex_lock(&gate);
  int count = 0, err = 0;
  while (count < MOST && (err = pthread_create(&started[count], &small, wait_at_gate, NULL)) == 0) count++;
  printf("%d threads: %s\nfork: ", count, strerrorname_np(err));
  fork_once();
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < count; i++) pthread_join(started[i], NULL);
  printf("joined, fork: ");
  fork_once();
}

static void files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int fd = 0, last = 0;
  while (last < MOST && (fd = open("/etc/passwd", O_RDONLY)) >= 0) last = fd;
  puts(last >= MOST || errno == EMFILE || errno == ENFILE ? "no more files" : strerrorname_np(errno));
  for (fd = 3; fd <= last; fd++) close(fd);
  puts(open("/etc/passwd", O_RDONLY) == 3 ? "and works again" : "and is lost");
}

static void run(char **paths) {
  char *argv[] = {"trouble-run", NULL}, *env[] = {NULL};
  for (; *paths != NULL; paths++) {
    int status, refused[2] = {-1, -1}, error = 0;
    if (pipe2(refused, O_CLOEXEC) != 0) exit(9);
    pid_t pid = fork();
    if (pid == 0) {
      alarm(5);
      execve(*paths, argv, env);
      error = errno;
      if (write(refused[1], &error, sizeof error) < 0) _exit(9);
      _exit(0);
    }
    close(refused[1]);
    if (waitpid(pid, &status, 0) != pid) exit(9);
    if (read(refused[0], &error, sizeof error) > 0) printf("%s: %s\n", *paths, strerrorname_np(error));
    else if (WIFSIGNALED(status)) printf("%s: signal %d\n", *paths, WTERMSIG(status));
    else printf("%s: status %d\n", *paths, WEXITSTATUS(status));
    close(refused[0]);
  }
}

static void mapping(const char *path, int by_call) {
  int fd = open(path, O_RDWR);
  struct stat st;
  fstat(fd, &st);
  volatile char *at = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if ((void *)at == MAP_FAILED) exit(9);
  char byte = at[st.st_size - 1];
  puts("mapped");
  int p[2];
  if (pipe(p) != 0) exit(9);
  for (;;) {
    usleep(5000);
    if (!by_call) byte += at[st.st_size - 1];
    else if (write(p[1], (char *)at + st.st_size - 1, 1) != 1) break;
    else if (read(p[0], &byte, 1) != 1) exit(9);
  }
  puts(strerrorname_np(errno));
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "forks") == 0) forks();
  else if (strcmp(mode, "threads") == 0) threads();
  else if (strcmp(mode, "files") == 0) files();
  else if (strcmp(mode, "run") == 0) run(argv + 2);
  else if (strcmp(mode, "call-number") == 0 && argc > 2) syscall(atoi(argv[2]), 1, 2, 3, 4, 5, 6);
  else if (strcmp(mode, "touch") == 0 && argc > 2) mapping(argv[2], 0);
  else if (strcmp(mode, "call") == 0 && argc > 2) mapping(argv[2], 1);
  else return 2;
  return 0;
}
