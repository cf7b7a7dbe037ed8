// What a user may not do to those who run with more rights, nor gain by running their programs.
#define AGAIN
#include "check.h"
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#define USER 12345
#define NEEDS_ROOT SKIP_UNLESS(geteuid() == 0, "not root")

static void again(int argc, char **argv) {
  if (strcmp(argv[1], "again-euid") == 0) exit(geteuid() == 0 ? 10 : 20);
  if (strcmp(argv[1], "again-wait") == 0 && argc > 2) {
    char byte = geteuid() == 0;
    if (write(atoi(argv[2]), &byte, 1) != 1) exit(1);
    pause();
  }
  exit(99);
}

static void become(uid_t id) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
}

static void copy_self(int to) {
  char bytes[4096];
  int from = OK(open(self, O_RDONLY));
  ssize_t n;
  while ((n = OK(read(from, bytes, sizeof bytes))) > 0) EQUAL(write(to, bytes, n), n);
  close(from);
}

/* This program once more, as "root", which is set-user-ID. */
static void make_root_program(void) {
  int fd = OK(open("root", O_WRONLY | O_CREAT | O_EXCL, 0700));
  copy_self(fd);
  OK(fchmod(fd, 04755));
  close(fd);
}

static int exec_root(void *unused) {
  (void)unused;
  execl("./root", "root", "again-euid", NULL);
  return 30;
}

static char stack[65536] __attribute__((aligned(16)));

static int status_of(pid_t pid) {
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int with_flags(int flags) {
  return status_of(OK(clone(exec_root, stack + sizeof stack, flags | SIGCHLD, NULL)));
}

TEST(shared_root, "set-user-ID counts nothing while another process shares the current directory") {
  NEEDS_ROOT;
  make_root_program();
  become(USER);
  EQUAL(with_flags(0), 10);
  EQUAL(with_flags(CLONE_FILES), 10);
  EQUAL(with_flags(CLONE_VM | CLONE_VFORK), 10);
  EQUAL(with_flags(CLONE_FS), 20);
  EQUAL(with_flags(CLONE_FS | CLONE_VM), 20);
}

TEST(shared_root_capable, "who may change ids anyway gets the file's also then") {
  NEEDS_ROOT;
  make_root_program();
  OK(chown("root", USER, 0));
  OK(chmod("root", 04755));
  EQUAL(with_flags(CLONE_FS), 20); /* Root becomes the user. */
}

static int sleeper(void *unused) {
  (void)unused;
  pause();
  return 0;
}

TEST(shared_by_threads, "threads of the process do not count as others") {
  NEEDS_ROOT;
  make_root_program();
  become(USER);
  pid_t pid = OK(fork());
  if (pid == 0) {
    OK(clone(sleeper, stack + sizeof stack,
             CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL));
    exec_root(NULL);
    _exit(30);
  }
  EQUAL(status_of(pid), 10);
}

TEST(memory_program, "set-user-ID counts nothing of a file that no mount of the process holds") {
  NEEDS_ROOT;
  char path[40];
  int fd = OK(memfd_create("program", 0));
  copy_self(fd);
  OK(fchmod(fd, 04755));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int program = OK(open(path, O_RDONLY));
  close(fd);
  become(USER);
  pid_t pid = OK(fork());
  if (pid == 0) {
    char *argv[] = {"program", "again-euid", NULL};
    syscall(SYS_execveat, program, "", argv, NULL, AT_EMPTY_PATH);
    _exit(30);
  }
  EQUAL(status_of(pid), 20);
}

/* A set-user-ID and set-group-ID file of root's that anybody may write. */
static void make_set_ids(const char *path) {
  unlink(path);
  write_file(path, "xxxx");
  OK(chmod(path, 06777));
}

static int mode_of(const char *path) {
  struct stat st;
  OK(stat(path, &st));
  return st.st_mode & 07777;
}

TEST(copied_over, "sendfile, splice and copy_file_range take set-id bits away as write does") {
  NEEDS_ROOT;
  write_file("source", "bytes");
  OK(chmod("source", 0644));
  for (int how = 0; how < 3; how++) {
    make_set_ids("file");
    IN_CHILD(pid, {
      become(USER);
      int in = OK(open("source", O_RDONLY)), out = OK(open("file", O_WRONLY));
      int p[2];
      OK(pipe(p));
      if (how == 0) EQUAL(sendfile(out, in, NULL, 3), 3);
      if (how == 1) EQUAL(copy_file_range(in, NULL, out, NULL, 3, 0), 3);
      EQUAL(write(p[1], "abc", 3), 3);
      if (how == 2) EQUAL(splice(p[0], NULL, out, NULL, 3, 0), 3);
    });
    join(pid);
    EQUAL(mode_of("file"), 0777);
  }
  make_set_ids("file"); /* Root keeps them. */
  int in = OK(open("source", O_RDONLY)), out = OK(open("file", O_WRONLY));
  EQUAL(sendfile(out, in, NULL, 3), 3);
  EQUAL(mode_of("file"), 06777);
}

TEST(not_slowed_down, "a user does not change how a program runs that has root's capabilities by a set-id bit") {
  NEEDS_ROOT;
  make_root_program();
  become(USER);
  int p[2];
  char byte, number[12], path[40];
  OK(pipe(p));
  snprintf(number, sizeof number, "%d", p[1]);
  pid_t pid = OK(fork());
  if (pid == 0) {
    execl("./root", "root", "again-wait", number, NULL);
    _exit(30);
  }
  EQUAL(read(p[0], &byte, 1), 1);
  EQUAL(byte, 1);
  struct sched_param param = {0};
  cpu_set_t cpus;
  OK(sched_getaffinity(pid, sizeof cpus, &cpus));
  FAILS(sched_setscheduler(pid, SCHED_BATCH, &param), EPERM);
  FAILS(sched_setparam(pid, &param), EPERM);
  FAILS(sched_setaffinity(pid, sizeof cpus, &cpus), EPERM);
  FAILS(setpriority(PRIO_PROCESS, pid, 5), EPERM);
  FAILS(syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 4), EPERM);
  snprintf(path, sizeof path, "/proc/%d/timerslack_ns", pid);
  int slack = OK(open(path, O_RDWR));
  FAILS(read(slack, number, sizeof number), EPERM);
  FAILS(write(slack, "1", 1), EPERM);
  OK(kill(pid, SIGKILL)); /* The real id is the user's. */
}

TEST(own_descriptors, "who has changed its ids finds its own descriptors in /proc, and nobody else's") {
  NEEDS_ROOT;
  write_file("file", "root's");
  OK(chmod("file", 0644));
  int fd = OK(open("file", O_RDONLY));
  char path[40], target[100];
  struct stat st;
  become(USER);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OK(readlink(path, target, sizeof target));
  OK(open(path, O_RDONLY));
  OK(access("/proc/self/fd", X_OK));
  CHECK(lists("/proc/self/fd", strrchr(path, '/') + 1));
  OK(stat("/proc/self/fd", &st));
  EQUAL(st.st_uid, 0);
  FAILS(open("/proc/self/environ", O_RDONLY), EACCES);
  pid_t parent = getpid();
  IN_CHILD(pid, {
    snprintf(path, sizeof path, "/proc/%d/fd/%d", parent, fd);
    FAILS(open(path, O_RDONLY), EACCES);
  });
  join(pid);
}
