// build: -ldl
// Seals a child as the sandbox process is sealed (dv_seal of libplatform.so, beside this program's
// folder) and tries one system call after the other there. Prints "NAME: what happened" a line.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*seal)(int);

static long int80(void) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
  return r;
}

static int thread_main(void *unused) {
  (void)unused;
  return 0;
}

static long thread(int flags) {
  char *stack = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return clone(thread_main, stack + 65536, flags, 0);
}

struct attempt {
  const char *name;
  long (*call)(void);
};

#define ATTEMPT(name, expression) \
  static long try_##name(void) { return expression; }
ATTEMPT(getpid, syscall(SYS_getpid))
ATTEMPT(memfd, syscall(SYS_memfd_create, "x", 0))
ATTEMPT(thread, thread(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES))
ATTEMPT(unix_pair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (int[2]){0}))
ATTEMPT(execve, syscall(SYS_execve, "/bin/true", (char *[]){"true", 0}, (char *[]){0}))
ATTEMPT(execveat, syscall(SYS_execveat, AT_FDCWD, "/bin/true", (char *[]){"true", 0}, (char *[]){0}, 0))
ATTEMPT(fork, syscall(SYS_fork))
ATTEMPT(vfork, syscall(SYS_vfork))
ATTEMPT(clone_process, syscall(SYS_clone, 17, 0, 0, 0, 0))
ATTEMPT(clone_user_namespace, thread(CLONE_VM | CLONE_NEWUSER))
ATTEMPT(clone3, syscall(SYS_clone3, 0, 0))
ATTEMPT(unshare, syscall(SYS_unshare, CLONE_NEWUSER))
ATTEMPT(setns, syscall(SYS_setns, 0, 0))
ATTEMPT(mount, syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0))
ATTEMPT(umount, syscall(SYS_umount2, "/tmp", 0))
ATTEMPT(open_tree, syscall(428, AT_FDCWD, "/", 1))
ATTEMPT(pivot_root, syscall(SYS_pivot_root, ".", "."))
ATTEMPT(chroot, syscall(SYS_chroot, "/tmp"))
ATTEMPT(ptrace, syscall(SYS_ptrace, 16, 1, 0, 0))
ATTEMPT(bpf, syscall(SYS_bpf, 0, 0, 0))
ATTEMPT(perf_event_open, syscall(SYS_perf_event_open, 0, 0, 0, 0, 0))
ATTEMPT(io_uring, syscall(425, 1, 0))
ATTEMPT(userfaultfd, syscall(SYS_userfaultfd, 0))
ATTEMPT(keyctl, syscall(SYS_keyctl, 0, -1, 0))
ATTEMPT(open_by_handle, syscall(SYS_open_by_handle_at, AT_FDCWD, 0, 0))
ATTEMPT(inet_socket, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
ATTEMPT(unix_socket, syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
ATTEMPT(inet_pair, syscall(SYS_socketpair, AF_INET, SOCK_STREAM, 0, (int[2]){0}))
ATTEMPT(ioctl_type_for_user, ioctl(0, TIOCSTI, "x"))
ATTEMPT(set_dumpable, syscall(SYS_prctl, 4, 0))
ATTEMPT(setuid, syscall(SYS_setuid, 0))
ATTEMPT(settime, syscall(SYS_settimeofday, 0, 0))
ATTEMPT(x32_getpid, syscall(0x40000000 | SYS_getpid))
ATTEMPT(int80_getpid, int80())

#define ROW(name) {#name, try_##name}
static const struct attempt attempts[] = {
    ROW(getpid), ROW(memfd), ROW(thread), ROW(unix_pair), ROW(execve), ROW(execveat), ROW(fork),
    ROW(vfork), ROW(clone_process), ROW(clone_user_namespace), ROW(clone3), ROW(unshare), ROW(setns),
    ROW(mount), ROW(umount), ROW(open_tree), ROW(pivot_root), ROW(chroot), ROW(ptrace), ROW(bpf),
    ROW(perf_event_open), ROW(io_uring), ROW(userfaultfd), ROW(keyctl), ROW(open_by_handle),
    ROW(inet_socket), ROW(unix_socket), ROW(inet_pair), ROW(ioctl_type_for_user), ROW(set_dumpable),
    ROW(setuid), ROW(settime), ROW(x32_getpid), ROW(int80_getpid),
};

static void run(const struct attempt *a) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    if (seal(0) < 0) _exit(255);
    errno = 0;
    long r = a->call();
    _exit(r < 0 ? errno : 0);
  }
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) printf("%s: %s\n", a->name, WTERMSIG(status) == 31 ? "killed" : strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status) == 255) printf("%s: not sealed\n", a->name);
  else if (WEXITSTATUS(status) == 0) printf("%s: done\n", a->name);
  else printf("%s: %s\n", a->name, strerrorname_np(WEXITSTATUS(status)));
}

int main(void) {
  char self[PATH_MAX] = {0}, path[PATH_MAX + 32];
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
  snprintf(path, sizeof path, "%s/../libplatform.so", dirname(self));
  void *library = dlopen(path, RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  seal = (int (*)(int))dlsym(library, "dv_seal");
  for (unsigned i = 0; i < sizeof attempts / sizeof *attempts; i++) run(&attempts[i]);
  return 0;
}
