// build: -pthread
// fork(2), wait(2), clone(2) and execve(2).
#define AGAIN
#include "check.h"
#include <elf.h>
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;
static volatile int shared_word;

#define STALE_PAGE ((char *)0x600000000000)

/* Whether nothing is left of a program that went before: control words of the FPU, GS, rseq, memory. */
static int is_fresh(void) {
  unsigned mxcsr;
  unsigned short fcw;
  unsigned long gs = 1;
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
  syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &gs);
  unsigned char resident;
  int mapped = mincore(STALE_PAGE, 4096, &resident) == 0 || errno != ENOMEM;
  return mxcsr == 0x1f80 && fcw == 0x37f && gs == 0 && !mapped;
}

static void make_stale(void) {
  unsigned mxcsr = 0x7f80;
  unsigned short fcw = 0x27f;
  CHECK(mmap(STALE_PAGE, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == STALE_PAGE);
  memset(STALE_PAGE, 7, 1 << 20);
  OK(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, STALE_PAGE));
  __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mxcsr), "m"(fcw));
}

/* This program, started anew: "again-exit N", "again-args ...", "again-thread". */
static void again(int argc, char **argv) {
  if (strcmp(argv[1], "again-exit") == 0) exit(atoi(argv[2]));
  if (strcmp(argv[1], "again-args") == 0) {
    for (int i = 2; i < argc; i++) puts(argv[i]);
    for (char **e = environ; *e; e++) puts(*e);
    exit(0);
  }
  if (strcmp(argv[1], "again-read") == 0) {
    char byte;
    if (read(0, &byte, 1) == 1 && fork() == 0) read(0, &byte, 1);
    exit(0);
  }
  if (strcmp(argv[1], "again-fresh") == 0) exit(is_fresh() ? 0 : 5);
  if (strcmp(argv[1], "again-stale") == 0) {
    make_stale();
    exit(0);
  }
  if (strcmp(argv[1], "again-thread") == 0) exit(getpid() == gettid() ? 0 : 3);
  exit(99);
}

static int ends_at_once(void *unused) {
  (void)unused;
  return 0;
}

static void write_program(const char *name, const char *text) {
  write_file(name, text);
  OK(chmod(name, 0755));
}

TEST(shared_actions, "whoever shared signal actions is no longer in the way of unshare once it was waited for") {
  static char stack[65536] __attribute__((aligned(16)));
  OK(unshare(CLONE_SIGHAND));
  pid_t child = OK(clone(ends_at_once, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL));
  siginfo_t info;
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  FAILS(unshare(CLONE_SIGHAND), EINVAL);
  EQUAL(waitpid(child, NULL, 0), child);
  OK(unshare(CLONE_SIGHAND));
}

TEST(exit_status, "wait gives the low eight bits of the exit status") {
  int status;
  IN_CHILD(pid, _exit(0x1ff));
  EQUAL(wait(&status), pid);
  CHECK(WIFEXITED(status));
  EQUAL(WEXITSTATUS(status), 0xff);
  FAILS(wait(&status), ECHILD);
}

TEST(wait_options, "waitpid selects by pid and process group and does not block with WNOHANG") {
  int status, p[2];
  char byte;
  OK(pipe(p));
  IN_CHILD(first, {
    close(p[1]);
    read(p[0], &byte, 1);
    _exit(1);
  });
  IN_CHILD(second, _exit(2));
  OK(setpgid(first, first));
  EQUAL(waitpid(second, &status, 0), second);
  EQUAL(WEXITSTATUS(status), 2);
  EQUAL(waitpid(-1, &status, WNOHANG), 0);
  EQUAL(waitpid(-first, &status, WNOHANG), 0);
  FAILS(waitpid(0, &status, WNOHANG), ECHILD); /* It has left our group. */
  FAILS(waitpid(second, &status, 0), ECHILD);
  FAILS(waitpid(-1, &status, 0x100), EINVAL);
  close(p[1]);
  EQUAL(waitpid(-first, &status, 0), first);
  EQUAL(WEXITSTATUS(status), 1);
}

TEST(waitid_, "waitid looks without taking with WNOWAIT and fills siginfo") {
  siginfo_t info = {0};
  IN_CHILD(pid, _exit(7));
  EQUAL(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
  EQUAL(info.si_status, 7);
  EQUAL(info.si_code, CLD_EXITED);
  EQUAL(info.si_pid, pid);
  EQUAL(info.si_signo, SIGCHLD);
  EQUAL(waitid(P_ALL, 0, &info, WEXITED), 0);
  FAILS(waitid(P_PID, pid, &info, WEXITED), ECHILD);
  FAILS(waitid(P_ALL, 0, &info, 0), EINVAL);
  IN_CHILD(killed, { raise(SIGKILL); });
  OK(waitid(P_PID, killed, &info, WEXITED));
  EQUAL(info.si_code, CLD_KILLED);
  EQUAL(info.si_status, SIGKILL);
  info.si_pid = 1;
  IN_CHILD(sleeper, pause());
  OK(waitid(P_PID, sleeper, &info, WEXITED | WNOHANG));
  EQUAL(info.si_pid, 0);
  kill(sleeper, SIGKILL);
}

TEST(usage, "wait4 reports what the child used") {
  struct rusage usage;
  int status;
  IN_CHILD(pid, {
    struct timespec used;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_nsec < 60000000);
    volatile char *memory = malloc(4 << 20); /* The host's count of a process with little may still be 0. */
    for (int i = 0; i < 4 << 20; i += 4096) memory[i] = 1;
  });
  EQUAL(wait4(pid, &status, 0, &usage), pid);
  CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 20000);
  CHECK(usage.ru_maxrss > 2048);
}

TEST(orphan, "an orphan gets a new parent") {
  int p[2];
  OK(pipe(p));
  IN_CHILD(middle, {
    pid_t parent = getpid();
    if (OK(fork()) == 0) {
      while (getppid() == parent) usleep(1000);
      pid_t now = getppid();
      write(p[1], &now, sizeof now);
      _exit(0);
    }
  });
  join(middle);
  pid_t adopted = -1;
  EQUAL(read(p[0], &adopted, sizeof adopted), sizeof adopted);
  CHECK(adopted > 0 && adopted != middle && adopted != getpid());
}

TEST(subreaper, "a subreaper adopts its grandchildren and can wait for them") {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int p[2];
  OK(pipe(p));
  IN_CHILD(middle, {
    pid_t grandchild = OK(fork());
    if (grandchild == 0) {
      char byte;
      close(p[1]);
      read(p[0], &byte, 1); /* Until the subreaper closes its end. */
      _exit(9);
    }
    _exit(0);
  });
  join(middle);
  close(p[1]);
  int status;
  CHECK(waitpid(-1, &status, 0) > 0);
  EQUAL(WEXITSTATUS(status), 9);
}

TEST(death_signal, "PR_SET_PDEATHSIG arrives when the parent ends") {
  int p[2];
  char byte;
  OK(pipe(p));
  IN_CHILD(middle, {
    int q[2];
    OK(pipe(q));
    if (OK(fork()) == 0) {
      OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
      write(q[1], "x", 1);
      for (;;) pause();
    }
    read(q[0], &byte, 1);
  });
  join(middle);
  close(p[1]);
  EQUAL(read(p[0], &byte, 1), 0); /* The last holder of the write end is gone. */
}

/* A child of a middle process that ends with the given user id; what it was sent, or 0. */
static int death_signal_from(uid_t uid, siginfo_t *info, pid_t *sender) {
  int p[2], q[2];
  char byte;
  sigset_t set;
  siginfo_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int *result = (int *)(shared + 1);
  OK(pipe(p));
  OK(pipe(q));
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  *sender = OK(fork());
  if (*sender == 0) {
    if (OK(fork()) == 0) {
      OK(sigprocmask(SIG_BLOCK, &set, NULL));
      OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
      OK(write(p[1], "x", 1));
      OK(read(q[0], &byte, 1));
      struct timespec none = {0, 0};
      *result = sigtimedwait(&set, shared, &none);
      _exit(0);
    }
    OK(read(p[0], &byte, 1));
    OK(setresuid(uid, uid, uid));
    _exit(0);
  }
  join(*sender);
  OK(write(q[1], "x", 1));
  OK(wait(NULL));
  *info = *shared;
  return *result;
}

TEST(death_sender, "PR_SET_PDEATHSIG is sent by the parent, who must be allowed to") {
  siginfo_t info;
  pid_t sender;
  EQUAL(death_signal_from(getuid(), &info, &sender), SIGUSR1);
  EQUAL(info.si_code, SI_USER);
  EQUAL(info.si_pid, sender);
  EQUAL(info.si_uid, getuid());
  if (getuid() == 0) EQUAL(death_signal_from(1000, &info, &sender), -1);
}

TEST(wait_for_changes, "a child that has ended is none to who waits for stops and continuations alone") {
  siginfo_t info;
  pid_t pid = OK(fork());
  if (pid == 0) _exit(0);
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  FAILS(waitid(P_PID, pid, &info, WSTOPPED), ECHILD);
  FAILS(waitid(P_ALL, 0, &info, WCONTINUED | WNOHANG), ECHILD);
  join(pid);
}

TEST(vfork_, "vfork suspends the parent until the child has exec'd or ended") {
  shared_word = 1;
  pid_t pid = vfork();
  if (pid == 0) {
    shared_word = 2;
    _exit(0);
  }
  EQUAL(shared_word, 2);
  join(pid);
}

TEST(fork_copies, "fork copies memory and shares file offsets") {
  write_file("data", "abcdef");
  int fd = OK(open("data", O_RDONLY));
  shared_word = 1;
  char byte;
  IN_CHILD(pid, {
    shared_word = 2;
    EQUAL(read(fd, &byte, 1), 1);
  });
  join(pid);
  EQUAL(shared_word, 1);
  EQUAL(read(fd, &byte, 1), 1);
  EQUAL(byte, 'b');
}

static int clone_child(void *argument) {
  shared_word = 5;
  close(*(int *)argument);
  return 3;
}

static pid_t clone_with(int flags, int *fd) {
  char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return clone(clone_child, stack + 65536, flags, fd);
}

TEST(clone_vm, "CLONE_VM shares memory and CLONE_FILES the descriptor table") {
  int fd = OK(dup(0)), status;
  shared_word = 0;
  pid_t pid = OK(clone_with(SIGCHLD, &fd));
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(shared_word, 0);
  OK(fcntl(fd, F_GETFD));
  pid = OK(clone_with(CLONE_VM | CLONE_FILES | SIGCHLD, &fd));
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 3);
  EQUAL(shared_word, 5);
  FAILS(fcntl(fd, F_GETFD), EBADF);
}

TEST(clone_no_signal, "a clone without SIGCHLD is waited for with __WCLONE or __WALL") {
  int fd = OK(dup(0)), status;
  pid_t pid = OK(clone_with(CLONE_VM, &fd));
  FAILS(waitpid(pid, &status, 0), ECHILD);
  EQUAL(waitpid(pid, &status, __WCLONE), pid);
  pid = OK(clone_with(CLONE_VM, &fd));
  EQUAL(waitpid(pid, &status, __WALL), pid);
}

TEST(clone_bad_flags, "clone refuses sets of flags that make no sense") {
  FAILS(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
  FAILS(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
  FAILS(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0), EINVAL);
  struct clone_args args = {.exit_signal = 65};
  FAILS(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  FAILS(syscall(SYS_clone3, &args, 8), EINVAL);
  int word = 0;
  struct clone_args both = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .exit_signal = SIGCHLD};
  both.pidfd = both.parent_tid = (uintptr_t)&word;
  FAILS(syscall(SYS_clone3, &both, sizeof both), EINVAL);
  FAILS(syscall(SYS_clone, both.flags | SIGCHLD, 0, &word, 0, 0), EINVAL);
}

TEST(clone_unknown_fields, "clone3 refuses fields that it does not know, readable or not, unless they are zero") {
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(mprotect(page + 4096, 4096, PROT_NONE));
  struct clone_args *args = (void *)(page + 4096 - 128);
  args->exit_signal = 65;
  FAILS(syscall(SYS_clone3, args, 128), EINVAL);
  FAILS(syscall(SYS_clone3, args, 129), EFAULT);
  page[4095] = 1;
  FAILS(syscall(SYS_clone3, args, 128), E2BIG);
  FAILS(syscall(SYS_clone3, args, 4096), E2BIG);
}

TEST(clone_no_signal_number, "a clone whose exit signal is no signal ends without one") {
  int fd = OK(dup(0)), status;
  for (int sig = 65; sig < 256; sig += 95) {
    pid_t pid = OK(clone_with(CLONE_VM | sig, &fd));
    EQUAL(waitpid(pid, &status, __WCLONE), pid);
    EQUAL(WEXITSTATUS(status), 3);
  }
}

TEST(clone_tids, "clone writes the thread ids where it is told to") {
  pid_t parent_tid = -1;
  pid_t *child_tid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct clone_args args = {.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
                            .exit_signal = SIGCHLD,
                            .parent_tid = (uintptr_t)&parent_tid,
                            .child_tid = (uintptr_t)child_tid};
  pid_t pid = OK((pid_t)syscall(SYS_clone3, &args, sizeof args));
  if (pid == 0) _exit(*child_tid == (pid_t)syscall(SYS_getpid) ? 0 : 4);
  join(pid);
  EQUAL(parent_tid, pid);
  EQUAL(*child_tid, pid);
}

TEST(exec_arguments, "exec hands over arguments and environment") {
  IN_CHILD(pid, {
    char *argv[] = {"any name", "again-args", "one", "", "th ree", NULL};
    char *env[] = {"A=1", "B=", NULL};
    dup2(OK(open("out", O_WRONLY | O_CREAT, 0600)), 1);
    execve(self, argv, env);
    fail("execve: errno %d", errno);
  });
  join(pid);
  CHECK(strcmp(read_file("out"), "one\n\nth ree\nA=1\nB=\n") == 0);
}

TEST(exec_strings, "exec takes strings wherever they lie, also twice, backwards and across pages") {
  char *pages = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(munmap(pages + 4 * 4096, 4096));
  char *end = pages + 4 * 4096;
  memset(pages, 'x', 4 * 4096);
  strcpy(pages + 4096 - 3, "across");       // the first page's end
  memcpy(pages + 3 * 4096 - 1, "", 1);      // a string of more than a page before it
  strcpy(end - 5, "last");                  // up to where nothing is
  char *longest = pages + 4096 + 16;
  char *others = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char **vector = (char **)(others + 4096 - 36);  // a pointer of it lies in two pages
  char *argv[] = {"name", "again-args", end - 5, pages + 4096 - 3, longest, end - 5, pages + 4096, end - 1, NULL};
  memcpy(vector, argv, sizeof argv);
  IN_CHILD(pid, {
    dup2(OK(open("out", O_WRONLY | O_CREAT, 0600)), 1);
    execve(self, vector, argv + 8);
    fail("execve: errno %d", errno);
  });
  join(pid);
  char wanted[3 * 4096], got[3 * 4096] = "";
  snprintf(wanted, sizeof wanted, "last\nacross\n%s\nlast\noss\n\n", longest);
  EQUAL(read(OK(open("out", O_RDONLY)), got, sizeof got - 1), strlen(wanted));
  CHECK(strcmp(got, wanted) == 0);
  end[-1] = 'x';
  argv[3] = NULL;
  FAILS(execve(self, argv, argv + 3), EFAULT);
}

TEST(exec_by_descriptor, "a script is found by its descriptor, unless that closes") {
  write_program("script", "#!/bin/sh\nexit 7\n");
  char *argv[] = {"script", NULL};
  int stays = open("script", O_RDONLY), closes = open("script", O_RDONLY | O_CLOEXEC);
  int status;
  IN_CHILD(pid, OK(syscall(SYS_execveat, stays, "", argv, environ, AT_EMPTY_PATH)));
  OK(waitpid(pid, &status, 0));
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  FAILS(syscall(SYS_execveat, closes, "", argv, environ, AT_EMPTY_PATH), ENOENT);
  int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  FAILS(syscall(SYS_execveat, dir, "script", argv, environ, 0), ENOENT);
}

/* Writes the file "headers": this one and those of two segments, and nothing else. */
static void write_headers(const Elf64_Ehdr *header, const Elf64_Phdr segments[2]) {
  int fd = OK(open("headers", O_WRONLY | O_CREAT | O_TRUNC, 0755));
  EQUAL(write(fd, header, sizeof *header), sizeof *header);
  EQUAL(write(fd, segments, 2 * sizeof *segments), 2 * sizeof *segments);
  close(fd);
}

TEST(places_in_elf, "exec of an ELF file whose parts are not in the file tells which") {
  char *argv[] = {"headers", NULL};
  Elf64_Phdr segments[] = {
      {.p_type = PT_INTERP, .p_offset = 1L << 40, .p_filesz = 10},
      {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 64, .p_memsz = 4096, .p_align = 4096},
  };
  Elf64_Ehdr header = {
      .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
      .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
      .e_phoff = sizeof header, .e_ehsize = sizeof header, .e_phentsize = sizeof *segments, .e_phnum = 2,
  };
  write_headers(&header, segments);
  FAILS(execve("headers", argv, environ), EIO); /* The interpreter's name. */
  header.e_phoff = 1L << 40;
  write_headers(&header, segments);
  FAILS(execve("headers", argv, environ), ENOEXEC);
  header.e_phoff = -8L;
  write_headers(&header, segments);
  FAILS(execve("headers", argv, environ), ENOEXEC);
  header.e_phoff = (1UL << 63) - 8;
  write_headers(&header, segments);
  FAILS(execve("headers", argv, environ), ENOEXEC);
}

TEST(exec_errors, "exec fails as execve(2) says") {
  char *argv[] = {"x", NULL};
  FAILS(execve("missing", argv, environ), ENOENT);
  write_file("plain", "text\n");
  FAILS(execve("plain", argv, environ), EACCES);
  OK(chmod("plain", 0755));
  FAILS(execve("plain", argv, environ), ENOEXEC);
  FAILS(execve("/", argv, environ), EACCES);
  FAILS(execve("plain/x", argv, environ), ENOTDIR);
  write_program("script", "#!/no/such/interpreter\n");
  FAILS(execve("script", argv, environ), ENOENT);
  write_program("loop", "#!./loop\n");
  FAILS(execve("loop", argv, environ), ELOOP);
  write_program("nameless", "#!\n");
  FAILS(execve("nameless", argv, environ), ENOEXEC);
  write_program("endless", "#! ");
  FAILS(execve("endless", argv, environ), EACCES);
  FAILS(execve(nowhere, argv, environ), EFAULT);
  OK(symlink("ring", "ring"));
  FAILS(execve("ring", argv, environ), ELOOP);
  char name[300];
  memset(name, 'n', sizeof name);
  name[299] = '\0';
  FAILS(execve(name, argv, environ), ENAMETOOLONG);
}

static int copy_of_self(void) {
  int from = OK(open(self, O_RDONLY)), to = OK(open("copy", O_WRONLY | O_CREAT, 0755));
  char block[65536];
  ssize_t n;
  while ((n = read(from, block, sizeof block)) > 0) EQUAL(write(to, block, n), n);
  close(from);
  return to;
}

TEST(exec_busy, "a program that is open for writing cannot be executed") {
  int to = copy_of_self();
  char *argv[] = {"x", "again-exit", "4", NULL};
  FAILS(execve("copy", argv, environ), ETXTBSY);
  close(to);
  pid_t pid;
  int status;
  EQUAL(posix_spawn(&pid, "./copy", NULL, NULL, argv, environ), 0);
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 4);
  write_program("script", "#!/bin/sh\n");
  int writer = OK(open("script", O_WRONLY));
  FAILS(execve("script", argv, environ), ETXTBSY);
  close(writer);
}

TEST(exec_deny, "a program that runs cannot be written, before and after a fork, until it has ended") {
  close(copy_of_self());
  int p[2], status;
  OK(pipe(p));
  char *argv[] = {"x", "again-read", NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, p[0], 0);
  posix_spawn_file_actions_addclose(&actions, p[1]);
  pid_t pid;
  EQUAL(posix_spawn(&pid, "./copy", &actions, NULL, argv, environ), 0);
  FAILS(open("copy", O_WRONLY), ETXTBSY);
  FAILS(open("copy", O_RDWR | O_TRUNC), ETXTBSY);
  FAILS(truncate("copy", 0), ETXTBSY);
  close(OK(open("copy", O_RDONLY)));
  OK(rename("copy", "other"));
  EQUAL(write(p[1], "x", 1), 1); /* Its child lives on. */
  EQUAL(waitpid(pid, &status, 0), pid);
  FAILS(open("other", O_WRONLY), ETXTBSY);
  close(p[1]);
  int fd;
  while ((fd = open("other", O_WRONLY)) < 0) {
    EQUAL(errno, ETXTBSY);
    usleep(1000);
  }
}

TEST(exec_big, "arguments beyond the limit are refused with E2BIG") {
  static char big[140000];
  memset(big, 'a', sizeof big - 1);
  char *one[] = {"x", big, NULL};
  FAILS(execve("/bin/true", one, environ), E2BIG);
  big[100000] = '\0';
  char *many[102] = {"x"};
  for (int i = 1; i < 101; i++) many[i] = big;
  OK(setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY}));
  FAILS(execve("/bin/true", many, environ), E2BIG);
}

TEST(exec_closes, "exec closes what is marked close-on-exec and nothing else") {
  int kept = OK(fcntl(0, F_DUPFD, 100)), closed = OK(fcntl(0, F_DUPFD_CLOEXEC, 101));
  EQUAL(kept, 100);
  IN_CHILD(pid, {
    dup2(OK(open("out", O_WRONLY | O_CREAT, 0600)), 1);
    execl("/bin/sh", "sh", "-c", "for n in 100 101; do [ -e /proc/self/fd/$n ] && echo $n; done; :", NULL);
    fail("exec: errno %d", errno);
  });
  join(pid);
  (void)closed;
  CHECK(strcmp(read_file("out"), "100\n") == 0);
}

static void *exec_from_thread(void *argument) {
  char *argv[] = {"x", "again-thread", NULL};
  execve(self, argv, environ);
  return argument;
}

static void *sleep_forever(void *argument) {
  for (;;) pause();
  return argument;
}

TEST(exec_threads, "exec from a second thread ends the others and takes the leader's id") {
  IN_CHILD(pid, {
    pthread_t a;
    pthread_t b;
    pthread_create(&a, NULL, sleep_forever, NULL);
    pthread_create(&b, NULL, exec_from_thread, NULL);
    for (;;) pause();
  });
  join(pid);
}

TEST(exit_group_, "exit_group from one thread ends all") {
  IN_CHILD(pid, {
    pthread_t a;
    for (int i = 0; i < 5; i++) pthread_create(&a, NULL, sleep_forever, NULL);
    syscall(SYS_exit_group, 6);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 6);
}

static void *outlive(void *argument) {
  while (kill(getpid(), 0) == 0 && *(volatile int *)argument == 0) usleep(1000);
  _exit(8);
}

TEST(leader_first, "a process lives on when its first thread exits") {
  IN_CHILD(pid, {
    pthread_t a;
    static volatile int go;
    pthread_create(&a, NULL, outlive, (void *)&go);
    go = 1;
    syscall(SYS_exit, 0);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 8);
}

TEST(spawn, "posix_spawn reports what exec could not do") {
  pid_t pid;
  char *argv[] = {"x", "again-exit", "12", NULL};
  EQUAL(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ), ENOENT);
  EQUAL(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 12);
}

TEST(groups_and_sessions, "setsid and setpgid follow their rules") {
  IN_CHILD(pid, {
    EQUAL(getpgrp(), getppid()); /* The test leads a group. */
    OK(setpgid(0, 0));
    EQUAL(getpgrp(), getpid());
    FAILS(setsid(), EPERM); /* A group's leader. */
    FAILS(setpgid(1, 0), ESRCH);
    FAILS(setpgid(0, 999999), EPERM);
    FAILS(setpgid(0, -1), EINVAL);
    IN_CHILD(child, {
      EQUAL(setsid(), getpid());
      EQUAL(getsid(0), getpid());
      EQUAL(getpgrp(), getpid());
      FAILS(setpgid(0, 0), EPERM);
    });
    join(child);
  });
  join(pid);
}

TEST(many, "five hundred children are born and reaped") {
  for (int round = 0; round < 10; round++) {
    pid_t pids[50];
    for (int i = 0; i < 50; i++) {
      pids[i] = OK(fork());
      if (pids[i] == 0) _exit(i);
    }
    for (int i = 49; i >= 0; i--) {
      int status;
      EQUAL(waitpid(pids[i], &status, 0), pids[i]);
      EQUAL(WEXITSTATUS(status), i);
    }
  }
}

TEST(exec_fresh, "a new program finds nothing of those that ended before it") {
  for (int round = 0; round < 12; round++) {
    char *argv[] = {"x", round % 3 == 2 ? "again-fresh" : "again-stale", NULL};
    pid_t pid;
    int status;
    if (round % 2) EQUAL(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    else {
      pid = OK(fork());
      if (pid == 0) {
        execve(self, argv, environ);
        _exit(99);
      }
    }
    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(WEXITSTATUS(status), 0);
  }
}

TEST(exec_missing, "exec looks for the file before it looks at the arguments") {
  FAILS(execve("missing", nowhere, nowhere), ENOENT);
  FAILS(execve("/bin/true", nowhere, environ), EFAULT);
  char *argv[] = {nowhere, NULL};
  FAILS(execve("/bin/true", argv, environ), EFAULT);
}

/* Twice the machine's memory, as mappings that merge: the kernel checks each by itself, a fork the whole. */
TEST(fork_huge, "a process that is too large to be forked goes on, and can fork when it is smaller") {
  enum { GIB = 1 << 30 };
  struct sysinfo info;
  OK(sysinfo(&info));
  int count = 2 * (info.totalram * info.mem_unit / GIB) + 2, status;
  void **maps = calloc(count, sizeof *maps);
  for (int i = 0; i < count; i++) {
    maps[i] = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(maps[i] != MAP_FAILED);
  }
  for (int i = 0; i < 5; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    if (pid < 0) EQUAL(errno, ENOMEM);
    else EQUAL(waitpid(pid, &status, 0), pid);
  }
  for (int i = 0; i < count; i++) OK(munmap(maps[i], GIB));
  pid_t pid = OK(fork());
  if (pid == 0) _exit(3);
  EQUAL(waitpid(-1, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 3);
  FAILS(waitpid(-1, &status, 0), ECHILD);
}

#define CROWD 32

TEST(exec_crowd, "many processes that exec at one moment all get there") {
  int start[2];
  char byte;
  for (int round = 0; round < 3; round++) {
    OK(pipe(start));
    for (int i = 0; i < CROWD; i++) {
      IN_CHILD(pid, {
        close(start[1]);
        read(start[0], &byte, 1); /* until the parent closes its end */
        execl(self, self, "again-exit", "7", NULL);
        _exit(99);
      });
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < CROWD; i++) {
      int status;
      CHECK(wait(&status) > 0);
      EQUAL(WEXITSTATUS(status), 7);
    }
  }
}

static struct rlimit stack_limit(void) {
  struct rlimit limit;
  for (int i = 0; i < 5; i++) OK(getrlimit(RLIMIT_STACK, &limit));
  return limit;
}

TEST(stack_limits, "the limit of the stack is what anybody last set, also in threads, children and programs") {
  struct rlimit first = stack_limit(), set = {first.rlim_cur == RLIM_INFINITY ? 8 << 20 : first.rlim_cur / 2, first.rlim_max};
  OK(setrlimit(RLIMIT_STACK, &set));
  EQUAL(stack_limit().rlim_cur, set.rlim_cur);
  EQUAL(stack_limit().rlim_max, set.rlim_max);
  set.rlim_cur /= 2;
  pid_t parent = getpid();
  IN_CHILD(pid, {
    EQUAL(stack_limit().rlim_cur, set.rlim_cur * 2);
    OK(prlimit(parent, RLIMIT_STACK, &set, NULL));
    EQUAL(stack_limit().rlim_cur, set.rlim_cur * 2);
  });
  join(pid);
  EQUAL(stack_limit().rlim_cur, set.rlim_cur);
  FAILS(syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, nowhere), EFAULT);
  struct rlimit old;
  OK(prlimit(0, RLIMIT_STACK, &first, &old));
  EQUAL(old.rlim_cur, set.rlim_cur);
  EQUAL(stack_limit().rlim_cur, first.rlim_cur);
}
