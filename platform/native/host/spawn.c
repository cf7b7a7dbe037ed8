// The command's part of a sandbox's life: it starts the process (../sandbox/start.c), or takes over the one
// that the prelude has started; gives it its mounts and its configuration; takes away what it needed to
// start; waits for its end.
#define _GNU_SOURCE
#include "../sandbox/start.h"
#include "../sandbox/mounting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MOUNTS = 64, MAX_FDS = MAX_MOUNTS + 16 };

static struct sandbox *started;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void remember(struct sandbox *s) {
  pthread_mutex_lock(&lock);
  s->next = started;
  started = s;
  pthread_mutex_unlock(&lock);
}

static struct sandbox *find(int pid, int forget) {
  pthread_mutex_lock(&lock);
  struct sandbox **at = &started;
  while (*at && (*at)->pid != pid) at = &(*at)->next;
  struct sandbox *s = *at;
  if (s && forget) *at = s->next;
  pthread_mutex_unlock(&lock);
  return s;
}

// --- Starting ---------------------------------------------------------------------------------------

static int find_prelude(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  for (int i = info->dlpi_phnum - 1; i >= 0; i--) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type != PT_LOAD) continue;
    struct prelude *prelude = (struct prelude *)(info->dlpi_addr + p->p_vaddr);
    if (p->p_memsz >= sizeof *prelude && prelude->magic == PRELUDE_MAGIC) *(struct prelude **)data = prelude;
    break;
  }
  return 1;  // The program itself comes first; nothing else is looked at.
}

// What the prelude has started, once.
static struct sandbox *take_early(void) {
  struct prelude *prelude = 0;
  dl_iterate_phdr(find_prelude, &prelude);
  if (!prelude || !prelude->started) return 0;
  struct sandbox *s = prelude->started;
  prelude->started = 0;
  return s;
}

// Starts a sandbox process and returns its pid at once, while it still builds its root. `writable`: it may
// change files of every owner, for volumes. `exe`: the executable, empty for the caller's own. out[0]: our
// end of the control socket, out[1]: a pidfd, out[2]: whether all ids are mapped, out[3]: a memfd with what
// the process writes to its standard streams, out[4]: for a negative errno, the STAGE_* that failed.
int dv_sandbox_start(int writable, const char *exe, int library_fd, int *out) {
  uint64_t caps = geteuid() != 0 ? 0 : writable ? CAPS_READ | CAPS_WRITE : CAPS_READ;
  struct sandbox *s = take_early();
  if (s && (s->keep_caps != caps || *exe)) {
    sandbox_abandon(s);
    s = 0;
  }
  out[4] = STAGE_RESOURCES;
  if (!s) {
    if (!(s = sandbox_new())) return -ENOMEM;
    s->keep_caps = caps;
    s->library_fd = library_fd;
    s->loaded = _r_debug.r_map;
    if (*exe) s->exe = strncpy(s->exe_path, exe, sizeof s->exe_path - 1);
    int err = sandbox_start(s);
    out[4] = s->stage;
    if (err < 0) {
      sandbox_abandon(s);
      return err;
    }
  }
  remember(s);
  out[0] = s->control;
  out[1] = s->pidfd;
  out[2] = s->all_ids;
  out[3] = s->diagnostics;
  return s->pid;
}

// --- Mounts -----------------------------------------------------------------------------------------

struct mounts {
  int pidfd, count;
  const char *paths[MAX_MOUNTS];
  int writable[MAX_MOUNTS];
  int *fds;
  // What failed.
  const char *step;
  int index;
};

static long note(struct mounts *m, const char *step, int index, long result) {
  if (result < 0) {
    m->step = step;
    m->index = index;
  }
  return result;
}
#define TRY(step, index, call) \
  do { \
    long r_ = note(m, step, index, (call)); \
    if (r_ < 0) return r_; \
  } while (0)

// The mounts of the host, as they may be used. Cloned by the sandbox's own right: what a user of its
// namespace could not undo stays as it is.
static long clone_mounts(struct mounts *m) {
  TRY("namespaces", 1, CALL(SYS_setns, m->pidfd, CLONE_NEWUSER));
  TRY("namespaces", 2, CALL(SYS_unshare, CLONE_NEWNS));
  TRY("private", 1, CALL(SYS_mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0));
  for (int i = 0; i < m->count; i++) {
    TRY("mount", i, m->fds[i] = clone_mount(AT_FDCWD, m->paths[i], AT_RECURSIVE));
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (m->writable[i] ? 0 : MOUNT_ATTR_RDONLY);
    TRY("restrict", i, restrict_mount(m->fds[i], "", EMPTY_PATH | AT_RECURSIVE, attributes));
  }
  return 0;
}

static long attach_mount(struct mounts *m, int i) {
  char path[32];
  *append_number(append(path, "/mounts/"), i) = 0;
  struct stat st;
  TRY("stat", i, CALL(SYS_newfstatat, m->fds[i], "", &st, EMPTY_PATH));
  if (S_ISDIR(st.st_mode)) {
    TRY("mkdir", 100 + i, CALL(SYS_mkdir, path, 0755));
    TRY("attach", i, attach(m->fds[i], AT_FDCWD, path));
    return 0;
  }
  long fd = CALL(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
  TRY("mkdir", 100 + i, fd);
  CALL(SYS_close, fd);
  TRY("attach", i, attach(m->fds[i], AT_FDCWD, path));
  CALL(SYS_close, m->fds[i]);
  // A file is opened now as it will be used: an O_PATH descriptor cannot be reopened without /proc.
  int flags = (m->writable[i] ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  TRY("volume", i, m->fds[i] = CALL(SYS_openat, AT_FDCWD, path, flags, 0));
  return 0;
}

// The guest sees the Sentry's own /proc, /sys and /dev; the host's are no business of the sandbox.
static long cover(struct mounts *m) {
  static const char covered[][8] = {"proc", "sys", "dev"};
  for (unsigned i = 0; i < sizeof covered / sizeof *covered; i++) {
    struct stat st;
    long r = CALL(SYS_newfstatat, m->fds[0], covered[i], &st, AT_SYMLINK_NOFOLLOW);
    if (r < 0 || !S_ISDIR(st.st_mode)) continue;  // nothing, or nothing to be mounted on
    long empty = clone_mount(AT_FDCWD, "/empty", 0);
    TRY("cover", i, empty);
    r = attach(empty, m->fds[0], covered[i]);
    CALL(SYS_close, empty);
    TRY("cover", i, r);
  }
  return 0;
}

static long place_mounts(struct mounts *m) {
  TRY("namespaces", 3, CALL(SYS_setns, m->pidfd, CLONE_NEWNS));
  TRY("tmpfs", 3, CALL(SYS_mount, "dvisor", "/mounts", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m"));
  for (int i = 0; i < m->count; i++) {
    long r = attach_mount(m, i);
    if (r < 0) return r;
  }
  TRY("restrict", 102, restrict_mount(AT_FDCWD, "/mounts", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
  return cover(m);
}

// In a child that shares the caller's memory and descriptors; its namespaces are its own.
static int mounts_child(void *argument) {
  struct mounts *m = argument;
  long r = clone_mounts(m);
  if (r == 0) r = place_mounts(m);
  return r < 0 ? -r : 0;
}

// Runs `f` in a child beside the caller, raw calls alone. Its exit status, or -errno.
static int run_beside(int (*f)(void *), void *argument, int flags) {
  char stack[16384] __attribute__((aligned(16)));
  int status;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pid = clone(f, stack + sizeof stack, CLONE_VM | CLONE_VFORK | flags, argument);
  int err = errno;
  pthread_sigmask(SIG_SETMASK, &old, 0);
  if (pid < 0) return -err;
  while (waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

// Waits until the process has its root. False when it ended before.
static int await_root(struct sandbox *s) {
  while (!__atomic_load_n(&s->rooted, __ATOMIC_ACQUIRE)) {
    struct pollfd ended = {s->pidfd, POLLIN, 0};
    if (poll(&ended, 1, 0) > 0) return __atomic_load_n(&s->rooted, __ATOMIC_ACQUIRE);
    struct timespec while_ = {0, 20000000};
    syscall(SYS_futex, &s->rooted, FUTEX_WAIT, 0, &while_, 0, 0);
  }
  return 1;
}

static void close_all(const int *fds, int count) {
  for (int i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

// Gives a sandbox process what it sees of the host, under /mounts. `request`: a sequence of strings "ro=PATH"
// or "rw=PATH", an empty one ends it. Returns how many there are, with a descriptor of each in `fds`
// (MAX_MOUNTS of them); -ESRCH when the process has ended; or another negative errno, with the step
// that failed in `failed` (32 bytes) and which mount in fds[0].
int dv_sandbox_mount(int pid, const char *request, int *fds, char *failed) {
  struct sandbox *s = find(pid, 0);
  if (!s || !await_root(s)) return -ESRCH;
  struct mounts m = {.pidfd = s->pidfd, .fds = fds, .step = "request"};
  int err = 0;
  for (const char *p = request; *p; p += strlen(p) + 1) {
    if (m.count == MAX_MOUNTS || p[0] != 'r' || !p[1] || p[2] != '=') {
      err = -E2BIG;
      break;
    }
    m.writable[m.count] = p[1] == 'w';
    fds[m.count] = -1;
    m.paths[m.count++] = p + 3;
  }
  if (err == 0) err = -run_beside(mounts_child, &m, CLONE_FILES);
  if (err == 0) return m.count;
  close_all(fds, m.count);
  strncpy(failed, m.step, 31);
  failed[31] = 0;
  fds[0] = m.index;
  return err;
}

static int strip_child(void *argument) {
  int pidfd = *(int *)argument;
  if (CALL(SYS_setns, pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0) return 1;
  return CALL(SYS_umount2, "/lib64", UMOUNT_DETACH) < 0 ? 2 : 0;
}

// Takes away what a sandbox needed to start: its /lib64. The process itself has no right to, so a child
// of the caller, who owns the sandbox's user namespace, goes in and does it. Returns 0 or -EPERM.
int dv_sandbox_strip(int pidfd) {
  int status = run_beside(strip_child, &pidfd, 0);
  return status > 0 ? -EPERM : status;
}

// Waits for the end of a sandbox process. Returns its wait status or -errno. Blocks: call it off the main thread.
int dv_sandbox_wait(int pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  struct sandbox *s = find(pid, 1);
  if (s) sandbox_free(s);
  return status;
}

// --- The control socket -------------------------------------------------------------------------------

// Blocking read(2) and write(2), for calls off the main thread and at start.
int dv_read(int fd, void *buffer, uint32_t length) {
  ssize_t n;
  do n = read(fd, buffer, length);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (int)n;
}

// Gives the free pages of malloc's heap back to the host.
void dv_trim(void) { malloc_trim(0); }

int dv_write(int fd, const uint8_t *buffer, uint32_t start, uint32_t length) {
  ssize_t n;
  do n = send(fd, buffer + start, length, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (int)n;
}

union fd_message {
  char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
  struct cmsghdr align;
};

// Sends bytes, and with the first of them up to MAX_FDS descriptors. The number of bytes sent, or -errno.
int dv_send_with_fds(int fd, const uint8_t *buffer, uint32_t length, const int *fds, uint32_t count) {
  if (count > MAX_FDS) return -E2BIG;
  struct iovec iov = {(void *)buffer, length};
  union fd_message control;
  memset(&control, 0, sizeof control);
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(c), fds, count * sizeof(int));
  ssize_t n;
  do n = sendmsg(fd, &msg, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (int)n;
}

// Receives exactly `length` bytes, and the descriptors that come with them, MAX_FDS at most. How many
// descriptors, or -errno; -EPIPE at the end of the file.
int dv_receive_with_fds(int fd, uint8_t *buffer, uint32_t length, int *fds) {
  struct iovec iov = {buffer, length};
  union fd_message control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n;
  do n = recvmsg(fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t)length) return n < 0 ? -errno : -EPIPE;
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return 0;
  int count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(c), count * sizeof(int));
  return count;
}
