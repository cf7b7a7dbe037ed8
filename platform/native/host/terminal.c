// Puts a terminal back that the command has made raw, if the command is killed before it can.
//
// The guard is a process that shares the command's memory (nothing is copied, it costs some 50 us) in a
// session of its own, where the signals of the command's group and terminal do not reach it. It sleeps
// until the command's end of a pipe is closed, and then looks whether the terminal is still as the
// command had set it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sandbox/raw.h"

enum { SETTINGS_SIZE = 36 };  // struct termios as the kernel has it

static struct {
  char found[SETTINGS_SIZE], set[SETTINGS_SIZE];
  int terminal, pipe[2], pid;
  char stack[8192] __attribute__((aligned(16)));
} guard = {.pipe = {-1, -1}};

static int guard_main(void *unused) {
  (void)unused;
  char byte, now[SETTINGS_SIZE];
  CALL(SYS_prctl, PR_SET_NAME, "dvisor-terminal");
  CALL(SYS_setsid);
  CALL(SYS_dup2, guard.terminal, 0);
  CALL(SYS_dup2, guard.pipe[0], 1);
  CALL(SYS_close_range, 2, ~0u, 0);
  CALL(SYS_read, 1, &byte, 1);
  int is_ours = CALL(SYS_ioctl, 0, TCGETS, now) == 0 && memcmp(now, guard.set, SETTINGS_SIZE) == 0;
  if (is_ours) CALL(SYS_ioctl, 0, TCSETS, guard.found);
  return 0;
}

// From now on the end of this process turns the terminal `fd` from `set` back to `found`. Calls after the
// first change these two. Returns 0 or -errno.
int dv_terminal_guard(int fd, const void *found, const void *set) {
  memcpy(guard.found, found, SETTINGS_SIZE);
  memcpy(guard.set, set, SETTINGS_SIZE);
  if (guard.pid > 0) return 0;
  guard.terminal = fd;
  if (pipe2(guard.pipe, O_CLOEXEC) < 0) return -errno;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pid = clone(guard_main, guard.stack + sizeof guard.stack, CLONE_VM, 0);
  int err = pid < 0 ? -errno : 0;
  pthread_sigmask(SIG_SETMASK, &old, 0);
  close(guard.pipe[0]);
  if (pid < 0) close(guard.pipe[1]);
  else guard.pid = pid;
  return err;
}

// Ends the guard; nothing is left of it afterwards.
void dv_terminal_release(void) {
  if (guard.pid <= 0) return;
  close(guard.pipe[1]);
  while (waitpid(guard.pid, 0, __WALL) < 0 && errno == EINTR);
  guard.pid = 0;
}

// Deno's event loop has terminals among the standard streams watched, by descriptors of its own, and all that a guest
// writes there would wake it, though nobody is to be told. Those that it opens at its start are the first ones.
void dv_terminal_unwatch(void) {
  enum { FIRST = 3, LAST = 40 };
  for (int fd = FIRST; fd <= LAST; fd++) {
    if (!isatty(fd)) continue;
    for (int loop = FIRST; loop <= LAST; loop++) epoll_ctl(loop, EPOLL_CTL_DEL, fd, 0);
  }
}
