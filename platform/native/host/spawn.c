// Starts a sandbox process: clone with its own namespaces, a minimal root, no privilege, exec.
//
// The child shares the caller's memory until exec (no page tables are copied) and runs on a stack of
// its own beside the caller's threads, so it makes raw system calls only and touches no libc state.
// What it builds, in a tmpfs that becomes its root:
//   /lib64      the dynamic loader, the libraries that the caller itself has loaded, libplatform.so and
//               the executable; a mount of its own, so that dv_sandbox_strip can take it away as a whole
//   /proc/self/exe, /dev/urandom   symbolic links into it: all else that a compiled Deno wants when it starts
//   /empty      the stubs' root
//   /mounts/N   clones of the root file system (0) and the volumes (1…); no set-user-ID, no devices,
//               read-only unless asked otherwise; /proc, /sys and /dev in the first one are covered
// Descriptors after exec: 0–2 as they were or as the request says, 3 the control socket, 4 /empty, 5+N the mounts, then the
// extra ones of the request. SECURITY.md says what each step is for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS_NOSUID_ 2
#define MS_NODEV_ 4
#define MS_REC_ 16384
#define MS_PRIVATE_ (1 << 18)
#define UMOUNT_DETACH 2
#define EMPTY_PATH 0x1000

enum { MAX_MOUNTS = 64, MAX_LIBRARIES = 16, MAX_STRINGS = 64, MAX_FDS = 16 };
enum { FD_CONTROL = 3, FD_EMPTY = 4, FD_MOUNTS = 5 };

struct mount_request {
  const char *path;
  int writable;
};

struct spawn {
  struct spawn *next;
  int pid;
  char *text;
  char *stack;
  int control;         // the child's end
  int parent;          // pidfd of the caller
  int library_fd;      // memfd with libplatform.so
  uint64_t keep_caps;  // capabilities that survive exec
  const char *exe;
  struct mount_request mounts[MAX_MOUNTS];
  int mount_count;
  const char *libraries[MAX_LIBRARIES];
  const char *loader;
  int library_count;
  char *argv[MAX_STRINGS];
  int argc;
  char *envp[MAX_STRINGS];
  int envc;
  int stdio[3];
  int fds[MAX_FDS];
  int fd_count;
  uint32_t mapped;  // futex: 1 when the id maps are written
  char exe_path[4096];
};

static const size_t STACK_SIZE = 32 << 10;
static struct spawn *spawned;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// --- The child: raw calls alone ---------------------------------------------------------------------

static inline long call(long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long r;
  asm volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}
#define CALL6(nr, a, b, c, d, e, f, ...) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

static char *append(char *at, const char *text) {
  while (*text) *at++ = *text++;
  return at;
}

static char *append_number(char *at, long n) {
  char digits[20];
  int i = 0;
  do digits[i++] = '0' + n % 10; while (n /= 10);
  while (i) *at++ = digits[--i];
  return at;
}

// Tells the CLI, in a control event, which step failed and why; and ends the child.
static _Noreturn void fail(struct spawn *s, const char *step, long index, long error) {
  char line[160], *at = line;
  at = append(at, "{\"type\":\"failed\",\"step\":\"");
  at = append(at, step);
  at = append(at, "\",\"index\":");
  at = append_number(at, index);
  at = append(at, ",\"errno\":");
  at = append_number(at, -error);
  at = append(at, "}\n");
  CALL(SYS_sendto, s->control, line, at - line, MSG_NOSIGNAL, 0, 0);
  CALL(SYS_exit_group, 125);
  __builtin_unreachable();
}

static long must(struct spawn *s, const char *step, long index, long result) {
  if (result < 0) fail(s, step, index, result);
  return result;
}

static long restrict_mount(int dirfd, const char *path, unsigned flags, uint64_t attributes) {
  struct mount_attr attr = {.attr_set = attributes};
  return CALL(SYS_mount_setattr, dirfd, path, flags, &attr, sizeof attr);
}

// A clone of the mount at `path`, not attached anywhere yet.
static long clone_mount(int dirfd, const char *path, unsigned flags) {
  return CALL(SYS_open_tree, dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

static long attach(int tree, int dirfd, const char *path) {
  return CALL(SYS_move_mount, tree, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static const char *basename_of(const char *path) {
  const char *name = path;
  for (; *path; path++)
    if (*path == '/') name = path + 1;
  return name;
}

// From now on the end of the command ends this process too, also if it ended just before.
static void die_with_parent(struct spawn *s) {
  must(s, "deathsig", 0, CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
  struct pollfd parent = {s->parent, POLLIN, 0};
  if (CALL(SYS_poll, &parent, 1, 0) != 0) CALL(SYS_exit_group, 125);
}

static void make_namespaces(struct spawn *s) {
  die_with_parent(s);
  while (__atomic_load_n(&s->mapped, __ATOMIC_ACQUIRE) == 0)
    CALL(SYS_futex, &s->mapped, FUTEX_WAIT, 0, 0, 0, 0);
  // A session of its own: the terminal's signals reach the CLI alone, which forwards them.
  must(s, "setsid", 0, CALL(SYS_setsid));
  must(s, "namespaces", 0, CALL(SYS_unshare, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS));
  must(s, "private", 0, CALL(SYS_mount, 0, "/", 0, MS_REC_ | MS_PRIVATE_, 0));
}

// Puts one file of the host into the current directory's lib64, read-only.
static void bind_file(struct spawn *s, const char *step, long index, int tree, const char *name, uint64_t attributes) {
  char path[320], *at = append(path, "lib64/");
  at = append(at, name);
  *at = 0;
  long fd = must(s, step, index, CALL(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0555));
  CALL(SYS_close, fd);
  must(s, step, index, restrict_mount(tree, "", EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | attributes));
  must(s, step, index, attach(tree, AT_FDCWD, path));
  CALL(SYS_close, tree);
}

static void copy_library(struct spawn *s) {
  long out = must(s, "library", 0, CALL(SYS_openat, AT_FDCWD, "lib64/libplatform.so", O_CREAT | O_WRONLY | O_CLOEXEC, 0555));
  int64_t offset = 0;
  long n;
  do n = must(s, "library", 0, CALL(SYS_sendfile, out, s->library_fd, &offset, 1 << 20));
  while (n > 0);
  CALL(SYS_close, out);
}

// Builds the new root and makes it the root. Fills mounts[] with descriptors of the cloned trees.
static void build_root(struct spawn *s, int *mounts) {
  int libraries[MAX_LIBRARIES];
  // All of the host that is wanted is cloned first: building starts by covering a part of it.
  for (int i = 0; i < s->mount_count; i++) {
    long tree = must(s, "mount", i, clone_mount(AT_FDCWD, s->mounts[i].path, AT_RECURSIVE));
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (s->mounts[i].writable ? 0 : MOUNT_ATTR_RDONLY);
    must(s, "restrict", i, restrict_mount(tree, "", EMPTY_PATH | AT_RECURSIVE, attributes));
    mounts[i] = tree;
  }
  for (int i = 0; i < s->library_count; i++)
    libraries[i] = must(s, "libraries", i, clone_mount(AT_FDCWD, s->libraries[i], 0));
  int exe = must(s, "executable", 0, clone_mount(AT_FDCWD, s->exe, 0));
  // V8 takes its seeds (hashes, addresses of code) from here; without it, from the clock.
  int random = must(s, "random", 0, clone_mount(AT_FDCWD, "/dev/urandom", 0));

  // Any directory serves as the place where the new root is built; /proc is one that is there.
  const long flags = MS_NOSUID_ | MS_NODEV_;
  must(s, "tmpfs", 0, CALL(SYS_mount, "dvisor", "/proc", "tmpfs", flags, "mode=755,size=4m"));
  must(s, "tmpfs", 1, CALL(SYS_chdir, "/proc"));
  static const char *const directories[] = {"lib64", "proc", "proc/self", "dev", "empty", "mounts"};
  for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
    must(s, "mkdir", i, CALL(SYS_mkdir, directories[i], 0755));
  must(s, "symlink", 0, CALL(SYS_symlink, "/lib64/dvisor-sandbox", "proc/self/exe"));
  must(s, "symlink", 1, CALL(SYS_symlink, "/lib64/urandom", "dev/urandom"));
  must(s, "tmpfs", 2, CALL(SYS_mount, "dvisor", "lib64", "tmpfs", flags, "mode=755,size=16m"));
  for (int i = 0; i < s->library_count; i++)
    bind_file(s, "libraries", i, libraries[i],
              s->libraries[i] == s->loader ? "ld-linux-x86-64.so.2" : basename_of(s->libraries[i]),
              MOUNT_ATTR_NODEV);
  bind_file(s, "executable", 1, exe, "dvisor-sandbox", MOUNT_ATTR_NODEV);
  bind_file(s, "random", 1, random, "urandom", MOUNT_ATTR_NOEXEC);
  copy_library(s);

  for (int i = 0; i < s->mount_count; i++) {
    char path[32], *at = append(path, "mounts/");
    at = append_number(at, i);
    *at = 0;
    struct stat st;
    must(s, "stat", i, CALL(SYS_newfstatat, mounts[i], "", &st, EMPTY_PATH));
    if (S_ISDIR(st.st_mode)) must(s, "mkdir", 100 + i, CALL(SYS_mkdir, path, 0755));
    else CALL(SYS_close, must(s, "mkdir", 100 + i, CALL(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444)));
    must(s, "attach", i, attach(mounts[i], AT_FDCWD, path));
    // A file is opened now as it will be used: an O_PATH descriptor cannot be reopened without /proc.
    if (S_ISDIR(st.st_mode)) continue;
    int flags = (s->mounts[i].writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    mounts[i] = must(s, "volume", i, CALL(SYS_openat, AT_FDCWD, path, flags, 0));
  }

  must(s, "pivot_root", 0, CALL(SYS_pivot_root, ".", "."));
  must(s, "pivot_root", 1, CALL(SYS_umount2, ".", UMOUNT_DETACH));
  must(s, "pivot_root", 2, CALL(SYS_chdir, "/"));
  must(s, "restrict", 100, restrict_mount(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
  must(s, "restrict", 101, restrict_mount(AT_FDCWD, "/lib64", 0, MOUNT_ATTR_RDONLY));

  // The guest sees the Sentry's own /proc, /sys and /dev; the host's are no business of this process.
  static const char *const covered[] = {"proc", "sys", "dev"};
  for (unsigned i = 0; i < sizeof covered / sizeof *covered; i++) {
    struct stat st;
    long r = CALL(SYS_newfstatat, mounts[0], covered[i], &st, AT_SYMLINK_NOFOLLOW);
    if (r < 0 || !S_ISDIR(st.st_mode)) continue;  // nothing, or nothing to be mounted on
    long empty = must(s, "cover", i, clone_mount(AT_FDCWD, "/empty", 0));
    must(s, "cover", i, attach(empty, mounts[0], covered[i]));
    CALL(SYS_close, empty);
  }
}

// Places descriptors 3 and up as the head of this file says; everything else is closed.
static void place_descriptors(struct spawn *s, const int *mounts) {
  int wanted[2 + MAX_MOUNTS + MAX_FDS], n = 0;
  wanted[n++] = s->control;
  wanted[n++] = must(s, "empty", 0, CALL(SYS_openat, AT_FDCWD, "/empty", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
  for (int i = 0; i < s->mount_count; i++) wanted[n++] = mounts[i];
  for (int i = 0; i < s->fd_count; i++) wanted[n++] = s->fds[i];
  for (int i = 0; i < n; i++)
    wanted[i] = must(s, "descriptors", i, CALL(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, FD_CONTROL + n));
  for (int i = 0; i < 3; i++)
    if (s->stdio[i] != i) s->stdio[i] = CALL(SYS_fcntl, s->stdio[i], F_DUPFD_CLOEXEC, FD_CONTROL + n);
  for (int i = 0; i < 3; i++)
    if (s->stdio[i] != i) must(s, "stdio", i, CALL(SYS_dup2, s->stdio[i], i));
  for (int i = 0; i < n; i++)
    must(s, "descriptors", i, CALL(SYS_dup2, wanted[i], FD_CONTROL + i));
  s->control = FD_CONTROL;
  must(s, "descriptors", 1000, CALL(SYS_close_range, FD_CONTROL + n, ~0u, 0));
}

static void drop_privileges(struct spawn *s) {
  for (int cap = 0; cap < 64; cap++) {
    if (s->keep_caps >> cap & 1) continue;
    long r = CALL(SYS_prctl, PR_CAPBSET_DROP, cap);
    if (r == -EINVAL) break;  // past the host's last capability
    if (r < 0) fail(s, "capabilities", cap, r);
  }
  // Root gets nothing for being root; what is kept survives exec as ambient.
  must(s, "capabilities", 100, CALL(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i].effective = data[i].permitted = data[i].inheritable = s->keep_caps >> (32 * i);
  must(s, "capabilities", 101, CALL(SYS_capset, &header, data));
  for (int cap = 0; cap < 64; cap++)
    if (s->keep_caps >> cap & 1)
      must(s, "capabilities", 200 + cap, CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
  must(s, "no_new_privs", 0, CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void set_limits(struct spawn *s) {
  struct rlimit core = {0, 0}, files;
  CALL(SYS_prlimit64, 0, RLIMIT_CORE, &core, 0);
  must(s, "limits", 0, CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &files));
  files.rlim_cur = files.rlim_max;
  CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, 0);
}

static void reset_signals(void) {
  struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } action = {0};
  for (int signo = 1; signo <= 64; signo++) CALL(SYS_rt_sigaction, signo, &action, 0, 8);
  uint64_t none = 0;
  CALL(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
}

static int child_main(void *argument) {
  struct spawn *s = argument;
  int mounts[MAX_MOUNTS];
  make_namespaces(s);
  build_root(s, mounts);
  set_limits(s);
  place_descriptors(s, mounts);
  drop_privileges(s);
  // Again, since a change of credentials can clear it. The pidfd is closed by now, but so is the copy of
  // the command's end of the socket: an end of file says that the command is gone.
  must(s, "deathsig", 1, CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
  char byte;
  if (CALL(SYS_recvfrom, s->control, &byte, 1, MSG_PEEK | MSG_DONTWAIT, 0, 0) == 0) CALL(SYS_exit_group, 125);
  reset_signals();
  fail(s, "exec", 0, CALL(SYS_execve, "/lib64/dvisor-sandbox", s->argv, s->envp));
}

// --- The caller's side ------------------------------------------------------------------------------

static int starts(const char *text, const char *key, const char **value) {
  size_t n = strlen(key);
  if (strncmp(text, key, n)) return 0;
  *value = text + n;
  return 1;
}

// The request is "key=value" strings, each ending in NUL, an empty one ends it. Returns 0 or -E2BIG/-EINVAL.
static int parse_request(struct spawn *s) {
  for (char *p = s->text; *p; p += strlen(p) + 1) {
    const char *value;
    if (starts(p, "ro=", &value) || starts(p, "rw=", &value)) {
      if (s->mount_count == MAX_MOUNTS) return -E2BIG;
      s->mounts[s->mount_count++] = (struct mount_request){value, p[1] == 'w'};
    } else if (starts(p, "arg=", &value)) {
      if (s->argc == MAX_STRINGS - 1) return -E2BIG;
      s->argv[s->argc++] = (char *)value;
    } else if (starts(p, "env=", &value)) {
      if (s->envc == MAX_STRINGS - 1) return -E2BIG;
      s->envp[s->envc++] = (char *)value;
    } else if (starts(p, "fd=", &value)) {
      if (s->fd_count == MAX_FDS) return -E2BIG;
      s->fds[s->fd_count++] = atoi(value);
    } else if (starts(p, "stdio=", &value)) {
      if (sscanf(value, "%d,%d,%d", s->stdio, s->stdio + 1, s->stdio + 2) != 3) return -EINVAL;
    } else if (starts(p, "exe=", &value)) {
      s->exe = value;
    } else if (starts(p, "library=", &value)) {
      s->library_fd = atoi(value);
    } else if (starts(p, "caps=", &value)) {
      s->keep_caps = strtoull(value, 0, 16);
    } else {
      return -EINVAL;
    }
  }
  return s->mount_count > 0 && s->argc > 0 ? 0 : -EINVAL;
}

static int is_wanted_library(const char *name) {
  static const char *const wanted[] = {"libc.so.6",   "libm.so.6",  "libdl.so.2", "libpthread.so.0",
                                       "libgcc_s.so.1", "librt.so.1", "libutil.so.1"};
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
    if (!strcmp(name, wanted[i])) return 1;
  return 0;
}

static int add_library(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct spawn *s = data;
  const char *path = info->dlpi_name, *name = basename_of(path);
  int loader = !strncmp(name, "ld-linux", 8);
  if (path[0] != '/' || s->library_count == MAX_LIBRARIES || !(loader || is_wanted_library(name))) return 0;
  if (loader) s->loader = path;
  s->libraries[s->library_count++] = path;
  return 0;
}

static int write_file(int pid, const char *name, const char *text, size_t length) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int err = write(fd, text, length) == (ssize_t)length ? 0 : -errno;
  close(fd);
  return err;
}

// Maps every id that this process has onto itself when it may (root); only its own otherwise.
static int write_map(int pid, const char *name, unsigned own, int *whole) {
  char path[32], line[96], text[4096];
  size_t length = 0;
  snprintf(path, sizeof path, "/proc/self/%s", name);
  FILE *mine = fopen(path, "re");
  if (mine && geteuid() == 0) {
    unsigned inside, outside, count;
    while (length < sizeof text - 64 && fscanf(mine, "%u %u %u", &inside, &outside, &count) == 3)
      length += snprintf(text + length, sizeof text - length, "%u %u %u\n", inside, inside, count);
  }
  if (mine) fclose(mine);
  *whole = length > 0 && write_file(pid, name, text, length) == 0;
  if (*whole) return 0;
  int n = snprintf(line, sizeof line, "%u %u 1\n", own, own);
  return write_file(pid, name, line, n);
}

static int write_maps(int pid, int *whole) {
  int uids, gids = 0;
  int err = write_map(pid, "uid_map", geteuid(), &uids);
  if (err < 0) return err;
  // An ordinary user may map a group only where setgroups is ruled out.
  if (!uids && (err = write_file(pid, "setgroups", "deny", 4)) < 0) return err;
  err = write_map(pid, "gid_map", getegid(), &gids);
  *whole = uids && gids;
  return err;
}

static void free_spawn(struct spawn *s) {
  if (s->stack) munmap(s->stack, STACK_SIZE);
  free(s->text);
  free(s);
}

// Starts a sandbox process as `request` says and returns its pid at once, while it still builds its
// root; what fails there arrives as a control event. out[0]: our end of the control socket, out[1]: a
// pidfd, out[2]: whether all ids are mapped, out[3]: for a negative errno, the step that failed
// (1 request, 2 resources, 3 clone, 4 id maps).
int dv_sandbox_spawn(const char *request, uint32_t length, int *out) {
  struct spawn *s = calloc(1, sizeof *s);
  out[3] = 2;
  if (!s || !(s->text = malloc(length + 1))) { free(s); return -ENOMEM; }
  memcpy(s->text, request, length);
  s->text[length] = 0;
  out[3] = 1;
  for (int i = 0; i < 3; i++) s->stdio[i] = i;
  int err = parse_request(s);
  if (err < 0) { free_spawn(s); return err; }
  dl_iterate_phdr(add_library, s);
  out[3] = 2;
  if (!s->exe) {
    ssize_t n = readlink("/proc/self/exe", s->exe_path, sizeof s->exe_path - 1);
    if (n < 0) { err = -errno; free_spawn(s); return err; }
    s->exe = s->exe_path;
  }
  int sockets[2];
  s->stack = mmap(0, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (s->stack == MAP_FAILED) { s->stack = 0; free_spawn(s); return -ENOMEM; }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) { err = -errno; free_spawn(s); return err; }
  s->control = sockets[1];
  s->parent = syscall(SYS_pidfd_open, getpid(), 0);

  // A handler of ours must not run in the child: signals stay blocked there until exec.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pidfd = -1;
  int pid = clone(child_main, s->stack + STACK_SIZE, CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD | SIGCHLD, s, &pidfd);
  err = pid < 0 ? -errno : 0;
  pthread_sigmask(SIG_SETMASK, &old, 0);
  out[3] = 3;
  if (err == 0) {
    out[3] = 4;
    err = write_maps(pid, &out[2]);
    if (err < 0) {
      kill(pid, SIGKILL);
      waitpid(pid, 0, 0);
      close(pidfd);
    }
  }
  close(sockets[1]);
  if (s->parent >= 0) close(s->parent);
  if (err < 0) {
    close(sockets[0]);
    free_spawn(s);
    return err;
  }
  __atomic_store_n(&s->mapped, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &s->mapped, FUTEX_WAKE, 1, 0, 0, 0);
  s->pid = pid;
  pthread_mutex_lock(&lock);
  s->next = spawned;
  spawned = s;
  pthread_mutex_unlock(&lock);
  out[0] = sockets[0];
  out[1] = pidfd;
  return pid;
}

// Waits for the end of a sandbox process. Returns its wait status or -errno. Blocks: call it off the main thread.
int dv_sandbox_wait(int pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  pthread_mutex_lock(&lock);
  for (struct spawn **at = &spawned; *at; at = &(*at)->next) {
    struct spawn *s = *at;
    if (s->pid != pid) continue;
    *at = s->next;
    free_spawn(s);
    break;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

static int strip_child(void *argument) {
  int pidfd = *(int *)argument;
  if (CALL(SYS_setns, pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0) return 1;
  return CALL(SYS_umount2, "/lib64", UMOUNT_DETACH) < 0 ? 2 : 0;
}

// Takes away what a sandbox needed to start: its /lib64. The process itself has no right to, so a child
// of the caller, who owns the sandbox's user namespace, goes in and does it. Returns 0 or -EPERM.
int dv_sandbox_strip(int pidfd) {
  char stack[8192] __attribute__((aligned(16)));
  int status;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pid = clone(strip_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &pidfd);
  pthread_sigmask(SIG_SETMASK, &old, 0);
  if (pid < 0) return -errno;
  while (waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) return -errno;
  return status == 0 ? 0 : -EPERM;
}

// Blocking read(2) and write(2) of the control socket, for calls off the main thread and at start.
int dv_read(int fd, void *buffer, uint32_t length) {
  ssize_t n;
  do n = read(fd, buffer, length);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (int)n;
}

int dv_write(int fd, const uint8_t *buffer, uint32_t start, uint32_t length) {
  ssize_t n;
  do n = send(fd, buffer + start, length, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (int)n;
}
