// See start.h. The child shares the caller's memory until exec (no page tables are copied) and runs on a
// stack of its own. What it builds, in a tmpfs that becomes its root:
//   /lib64      the dynamic loader, the libraries that the caller itself has loaded, libplatform.so and
//               the executable; a mount of its own, so that dv_sandbox_strip can take it away as a whole
//   /proc/self/exe, /dev/urandom   symbolic links into it: all else that a compiled Deno wants when it starts
//   /empty      the stubs' root
//   /mounts     where dv_sandbox_mount puts the root file system and the volumes
// Besides, attached nowhere, a tmpfs for files in memory that guests map (platform/host/memory_file.ts).
// SECURITY.md says what each step is for. Nothing here uses libc or data that must be relocated: the
// prelude is the same code, linked into a segment without a loader.
#define _GNU_SOURCE
#include "start.h"
#include "mounting.h"
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MS_NOSUID_ 2
#define MS_NODEV_ 4
#define MS_REC_ 16384
#define MS_PRIVATE_ (1 << 18)

// --- The child --------------------------------------------------------------------------------------

// Tells the command, in a control event, which step failed and why; and ends the child.
static _Noreturn void fail(struct sandbox *s, const char *step, long index, long error) {
  char line[160], *at = line;
  at = append(at, "{\"type\":\"failed\",\"step\":\"");
  at = append(at, step);
  at = append(at, "\",\"index\":");
  at = append_number(at, index);
  at = append(at, ",\"errno\":");
  at = append_number(at, -error);
  at = append(at, "}\n");
  CALL(SYS_sendto, s->child_control, line, at - line, MSG_NOSIGNAL, 0, 0);
  for (;;) CALL(SYS_exit_group, 125);
}

static long must(struct sandbox *s, const char *step, long index, long result) {
  if (result < 0) fail(s, step, index, result);
  return result;
}

// From now on the end of the command ends this process too, also if it ended just before.
static void die_with_parent(struct sandbox *s) {
  must(s, "deathsig", 0, CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
  struct pollfd parent = {s->parent, POLLIN, 0};
  if (CALL(SYS_poll, &parent, 1, 0) != 0) CALL(SYS_exit_group, 125);
}

static void make_namespaces(struct sandbox *s) {
  die_with_parent(s);
  while (__atomic_load_n(&s->mapped, __ATOMIC_ACQUIRE) == 0) CALL(SYS_futex, &s->mapped, FUTEX_WAIT, 0, 0, 0, 0);
  // A session of its own: the terminal's signals reach the command alone, which forwards them.
  must(s, "setsid", 0, CALL(SYS_setsid));
  must(s, "namespaces", 0, CALL(SYS_unshare, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS));
  must(s, "private", 0, CALL(SYS_mount, 0, "/", 0, MS_REC_ | MS_PRIVATE_, 0));
}

// Puts one file of the host into the current directory's lib64, read-only.
static void bind_file(struct sandbox *s, const char *step, long index, int tree, const char *name, uint64_t attributes) {
  char path[320], *at = append(path, "lib64/");
  at = append(at, name);
  *at = 0;
  long fd = must(s, step, index, CALL(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0555));
  CALL(SYS_close, fd);
  must(s, step, index, restrict_mount(tree, "", EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | attributes));
  must(s, step, index, attach(tree, AT_FDCWD, path));
  CALL(SYS_close, tree);
}

static void copy_library(struct sandbox *s) {
  long out = must(s, "library", 0, CALL(SYS_openat, AT_FDCWD, "lib64/libplatform.so", O_CREAT | O_WRONLY | O_CLOEXEC, 0555));
  int64_t offset = 0;
  long n;
  do n = must(s, "library", 0, CALL(SYS_sendfile, out, s->library_fd, &offset, 1 << 20));
  while (n > 0);
  CALL(SYS_close, out);
}

// The executable's prelude, from the file.
static int read_prelude(int exe, struct prelude *prelude) {
  ElfW(Ehdr) header;
  ElfW(Phdr) segment;
  if (CALL(SYS_pread64, exe, &header, sizeof header, 0) != sizeof header) return 0;
  for (int i = header.e_phnum - 1; i >= 0; i--) {
    if (CALL(SYS_pread64, exe, &segment, sizeof segment, header.e_phoff + i * sizeof segment) != sizeof segment) return 0;
    if (segment.p_type == PT_LOAD) break;
  }
  return segment.p_type == PT_LOAD &&
         CALL(SYS_pread64, exe, prelude, sizeof *prelude, segment.p_offset) == sizeof *prelude &&
         prelude->magic == PRELUDE_MAGIC;
}

// Where the executable has an image of a process that has started, this one becomes it.
static void copy_restorer(struct sandbox *s) {
  struct prelude prelude;
  long exe = must(s, "image", 0, CALL(SYS_openat, AT_FDCWD, "lib64/dvisor-sandbox", O_RDONLY | O_CLOEXEC, 0));
  if (read_prelude(exe, &prelude) && prelude.image) {
    long out = must(s, "image", 1, CALL(SYS_openat, AT_FDCWD, "lib64/restore", O_CREAT | O_WRONLY | O_CLOEXEC, 0555));
    int64_t offset = prelude.restorer;
    must(s, "image", 2, CALL(SYS_sendfile, out, exe, &offset, prelude.restorer_size));
    CALL(SYS_close, out);
    s->image = prelude.image;
  }
  CALL(SYS_close, exe);
}

// Builds the new root and makes it the root.
static void build_root(struct sandbox *s) {
  int libraries[MAX_LIBRARIES];
  // All of the host that is wanted is cloned first: building starts by covering a part of it.
  for (int i = 0; i < s->library_count; i++)
    libraries[i] = must(s, "libraries", i, clone_mount(AT_FDCWD, s->libraries[i], 0));
  int exe = must(s, "executable", 0, clone_mount(AT_FDCWD, s->exe, 0));
  // V8 takes its seeds (hashes, addresses of code) from here; without it, from the clock.
  int random = must(s, "random", 0, clone_mount(AT_FDCWD, "/dev/urandom", 0));

  // Any directory serves as the place where the new root is built; /proc is one that is there.
  const long flags = MS_NOSUID_ | MS_NODEV_;
  must(s, "tmpfs", 0, CALL(SYS_mount, "dvisor", "/proc", "tmpfs", flags, "mode=755,size=4m"));
  must(s, "tmpfs", 1, CALL(SYS_chdir, "/proc"));
  static const char directories[][12] = {"lib64", "proc", "proc/self", "dev", "empty", "mounts"};
  for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
    must(s, "mkdir", i, CALL(SYS_mkdir, directories[i], 0755));
  must(s, "symlink", 0, CALL(SYS_symlink, DVISOR, "proc/self/exe"));
  must(s, "symlink", 1, CALL(SYS_symlink, "/lib64/urandom", "dev/urandom"));
  must(s, "tmpfs", 2, CALL(SYS_mount, "dvisor", "lib64", "tmpfs", flags, "mode=755,size=16m"));
  for (int i = 0; i < s->library_count; i++)
    bind_file(s, "libraries", i, libraries[i],
              s->libraries[i] == s->loader ? "ld-linux-x86-64.so.2" : basename_of(s->libraries[i]),
              MOUNT_ATTR_NODEV);
  bind_file(s, "executable", 1, exe, "dvisor-sandbox", MOUNT_ATTR_NODEV);
  bind_file(s, "random", 1, random, "urandom", MOUNT_ATTR_NOEXEC);
  copy_library(s);
  copy_restorer(s);

  must(s, "pivot_root", 0, CALL(SYS_pivot_root, ".", "."));
  must(s, "pivot_root", 1, CALL(SYS_umount2, ".", UMOUNT_DETACH));
  must(s, "pivot_root", 2, CALL(SYS_chdir, "/"));
  must(s, "restrict", 100, restrict_mount(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
  must(s, "restrict", 101, restrict_mount(AT_FDCWD, "/lib64", 0, MOUNT_ATTR_RDONLY));
}

// Places descriptors as start.h says; everything else is closed.
static void place_descriptors(struct sandbox *s) {
  int wanted[FD_COUNT];
  wanted[0] = wanted[1] = wanted[2] = s->diagnostics;
  wanted[FD_CONTROL] = s->child_control;
  wanted[FD_EMPTY] = must(s, "empty", 0, CALL(SYS_openat, AT_FDCWD, "/empty", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
  wanted[FD_FILES] = must(s, "files", 0, mount_memory());
  for (int i = 0; i < FD_COUNT; i++)
    wanted[i] = must(s, "descriptors", i, CALL(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, FD_COUNT));
  for (int i = 0; i < FD_COUNT; i++) must(s, "descriptors", 100 + i, CALL(SYS_dup2, wanted[i], i));
  s->child_control = FD_CONTROL;
  must(s, "descriptors", 1000, CALL(SYS_close_range, FD_COUNT, ~0u, 0));
}

static void drop_privileges(struct sandbox *s) {
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

// The guest's limits are the Sentry's own: they can be raised, and hold for each of its processes by itself. The
// stack's is left alone: without a limit the host would place mappings the other way round.
static void set_limits(struct sandbox *s) {
  struct rlimit limit = {0, 0};
  CALL(SYS_prlimit64, 0, RLIMIT_CORE, &limit, 0);
  static const char raised[] = {RLIMIT_NOFILE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_NPROC};
  for (unsigned i = 0; i < sizeof raised; i++) {
    must(s, "limits", raised[i], CALL(SYS_prlimit64, 0, raised[i], 0, &limit));
    if (limit.rlim_cur == limit.rlim_max) continue;
    limit.rlim_cur = limit.rlim_max;
    CALL(SYS_prlimit64, 0, raised[i], &limit, 0);
  }
}

static void reset_signals(void) {
  struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } action = {0, 0, 0, 0};
  for (int signo = 1; signo <= 64; signo++) CALL(SYS_rt_sigaction, signo, &action, 0, 8);
  // The thread that waits for guests lets deaths of stubs in, and no other.
  uint64_t mask = 1ul << (SIGCHLD - 1);
  CALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
}

static void child_main(void *argument) {
  struct sandbox *s = argument;
  make_namespaces(s);
  build_root(s);
  set_limits(s);
  place_descriptors(s);
  drop_privileges(s);
  // Again, since a change of credentials can clear it. The pidfd is closed by now, but so is the copy of
  // the command's end of the socket: an end of file says that the command is gone.
  must(s, "deathsig", 1, CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
  char byte;
  if (CALL(SYS_recvfrom, s->child_control, &byte, 1, MSG_PEEK | MSG_DONTWAIT, 0, 0) == 0) CALL(SYS_exit_group, 125);
  reset_signals();
  __atomic_store_n(&s->rooted, 1, __ATOMIC_RELEASE);
  CALL(SYS_futex, &s->rooted, FUTEX_WAKE, 1, 0, 0, 0);
  if (s->image) execute_restorer(s->image, 0);
  fail(s, "exec", 0, execute_dvisor());
}

// --- The caller's side ------------------------------------------------------------------------------

static int is_wanted_library(const char *name) {
  static const char wanted[][16] = {"libc.so.6",     "libm.so.6",  "libdl.so.2", "libpthread.so.0",
                                    "libgcc_s.so.1", "librt.so.1", "libutil.so.1"};
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
    if (same(name, wanted[i])) return 1;
  return 0;
}

static void find_libraries(struct sandbox *s) {
  for (const struct link_map *l = s->loaded; l && s->library_count < MAX_LIBRARIES; l = l->l_next) {
    const char *name = basename_of(l->l_name);
    int loader = starts_with(name, "ld-linux");
    if (l->l_name[0] != '/' || !(loader || is_wanted_library(name))) continue;
    if (loader) s->loader = l->l_name;
    s->libraries[s->library_count++] = l->l_name;
  }
}

static char *append_pid_path(char *at, int pid, const char *name) {
  at = append_number(append(at, "/proc/"), pid);
  at = append(append(at, "/"), name);
  *at = 0;
  return at;
}

static int write_file(int pid, const char *name, const char *text, const char *end) {
  char path[64];
  append_pid_path(path, pid, name);
  long fd = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long n = CALL(SYS_write, fd, text, end - text);
  CALL(SYS_close, fd);
  return n < 0 ? n : 0;
}

// Room for the text of an id map; the kernel takes no more than a page.
#define MAP_TEXT PAGE

// The next number of a map's text; 0 at its end.
static int next_number(const char **at, long *n) {
  while (**at == ' ' || **at == '\n') ++*at;
  if (**at < '0' || **at > '9') return 0;
  for (*n = 0; **at >= '0' && **at <= '9'; ++*at) *n = *n * 10 + (**at - '0');
  return 1;
}

// Every id that this process has, onto itself: the text of a map. Empty where that cannot be told.
static char *own_ids(char *out, const char *end, const char *name) {
  char text[MAP_TEXT], path[32], *p = append(append(path, "/proc/self/"), name);
  *p = 0;
  long fd = CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return out;
  long n = CALL(SYS_read, fd, text, sizeof text - 1);
  CALL(SYS_close, fd);
  if (n < 0) return out;
  text[n] = 0;
  const char *at = text;
  long inside, outside, count;
  while (out + 64 < end && next_number(&at, &inside) && next_number(&at, &outside) && next_number(&at, &count)) {
    out = append(append_number(out, inside), " ");
    out = append(append_number(out, inside), " ");
    out = append(append_number(out, count), "\n");
  }
  return out;
}

// Maps every id that this process has when it may (root); only its own otherwise.
static int write_map(int pid, const char *name, long own, int root, int *whole) {
  char text[MAP_TEXT], *end = text;
  if (root) end = own_ids(text, text + sizeof text, name);
  *whole = end > text && write_file(pid, name, text, end) == 0;
  if (*whole) return 0;
  end = append(append_number(text, own), " ");
  end = append(append_number(end, own), " 1\n");
  return write_file(pid, name, text, end);
}

static int write_maps(struct sandbox *s) {
  int uids, gids = 0, root = CALL(SYS_geteuid) == 0;
  int err = write_map(s->pid, "uid_map", CALL(SYS_geteuid), root, &uids);
  if (err < 0) return err;
  // An ordinary user may map a group only where setgroups is ruled out.
  static const char deny[] = "deny";
  if (!uids && (err = write_file(s->pid, "setgroups", deny, deny + 4)) < 0) return err;
  err = write_map(s->pid, "gid_map", CALL(SYS_getegid), root, &gids);
  s->all_ids = uids && gids;
  return err;
}

struct sandbox *sandbox_new(void) {
  long p = CALL(SYS_mmap, 0, sizeof(struct sandbox), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p < 0 && p >= -MAX_ERRNO) return 0;
  struct sandbox *s = (struct sandbox *)p;
  s->pid = s->pidfd = s->control = s->child_control = s->parent = s->diagnostics = s->library_fd = -1;
  return s;
}

static void close_at(int *fd) {
  if (*fd >= 0) CALL(SYS_close, *fd);
  *fd = -1;
}

void sandbox_free(struct sandbox *s) { CALL(SYS_munmap, s, sizeof *s); }

void sandbox_abandon(struct sandbox *s) {
  if (s->pid > 0) {
    CALL(SYS_kill, s->pid, SIGKILL);
    while (CALL(SYS_wait4, s->pid, 0, 0, 0) == -EINTR) continue;
  }
  close_at(&s->control);
  close_at(&s->pidfd);
  close_at(&s->diagnostics);
  sandbox_free(s);
}

static int open_resources(struct sandbox *s) {
  if (!s->exe) {
    long n = CALL(SYS_readlink, "/proc/self/exe", s->exe_path, sizeof s->exe_path - 1);
    if (n < 0) return n;
    s->exe_path[n] = 0;
    s->exe = s->exe_path;
  }
  int sockets[2];
  long r = CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
  if (r < 0) return r;
  s->control = sockets[0];
  s->child_control = sockets[1];
  if ((r = s->diagnostics = CALL(SYS_memfd_create, "dvisor-diagnostics", MFD_CLOEXEC)) < 0) return r;
  CALL(SYS_fcntl, s->diagnostics, F_SETFL, O_APPEND);
  if ((r = s->parent = CALL(SYS_pidfd_open, CALL(SYS_getpid), 0)) < 0) return r;
  return 0;
}

int sandbox_start(struct sandbox *s) {
  s->stage = STAGE_RESOURCES;
  find_libraries(s);
  int err = open_resources(s);
  if (err == 0) {
    s->stage = STAGE_CLONE;
    // A handler of ours must not run in the child: signals stay blocked there until exec.
    uint64_t all = ~0ul, old;
    CALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
    long pid = raw_clone(CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD | SIGCHLD, s->stack + START_STACK_SIZE,
                         child_main, s, &s->pidfd, 0, 0);
    CALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
    if (pid < 0) err = pid;
    else s->pid = pid;
  }
  if (err == 0) {
    s->stage = STAGE_MAPS;
    err = write_maps(s);
  }
  // The fields stay: the child reads them, and its descriptors are its own.
  if (s->child_control >= 0) CALL(SYS_close, s->child_control);
  if (s->parent >= 0) CALL(SYS_close, s->parent);
  if (err == 0) {
    __atomic_store_n(&s->mapped, 1, __ATOMIC_RELEASE);
    CALL(SYS_futex, &s->mapped, FUTEX_WAKE, 1, 0, 0, 0);
  }
  return err;
}
