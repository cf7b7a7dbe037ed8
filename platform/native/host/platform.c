// The systrap platform's native half: starting the zygote, handing slots over, and the wait loop.
// It knows slots and descriptors; what the events mean is the Sentry's business.
#define _GNU_SOURCE
#include "../stub/slot.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const char dv_stub_begin[], dv_stub_end[];

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static inline long sys_futex(volatile uint32_t *addr, int op, uint32_t val, const struct timespec *timeout) {
  return syscall(SYS_futex, addr, op, val, timeout, 0, 0);
}

// --- Control memory ---------------------------------------------------------------------------------

// Writable here, read-only in the stubs (see shared_ro_fd).
static uint8_t *shared;
static int shared_ro_fd = -1;
static uint32_t doorbell;  // set by dv_ring, taken by dv_wait
static int cpus;

void *dv_shared_page(void) {
  if (shared) return shared;
  int fd = memfd_create("dvisor-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, SHARED_SIZE + ANSWERS_SIZE) < 0) return 0;
  shared = mmap(0, SHARED_SIZE + ANSWERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  // From here on nobody can map it writable, nor make a mapping of it writable later.
  if (shared == MAP_FAILED || fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
    shared = 0;
    return 0;
  }
  shared_ro_fd = fd;
  cpu_set_t set;
  cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return shared;
}

int dv_cpus(void) { return cpus; }

// --- Deaths ---------------------------------------------------------------------------------------
// A stub that the host kills rings no bell. The kernel tells of it by SIGCHLD, which is let in only
// while the Sentry sleeps for long: anywhere else it would end host calls with EINTR.

void dv_ring(void);

static void on_death(int signal) {
  (void)signal;
  int err = errno;
  dv_ring();
  errno = err;
}

static void let_deaths_in(int how) {
  sigset_t deaths;
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  pthread_sigmask(how, &deaths, 0);
}

// The sandbox process starts with SIGCHLD blocked, so no other thread takes it (start.c).
static void catch_deaths(void) {
  struct sigaction action = {.sa_handler = on_death, .sa_flags = SA_NOCLDSTOP | SA_RESTART | SA_ONSTACK};
  let_deaths_in(SIG_BLOCK);
  sigaction(SIGCHLD, &action, 0);
}

// --- Places ---------------------------------------------------------------------------------------
// The Sentry stays on one processor. A guest thread that makes call after call is kept off it: two
// threads that hand over to each other within microseconds must not share one, and the host's scheduler
// would keep them together. All other guest threads run where the scheduler likes.

static int home = -1;  // the Sentry's processor
static cpu_set_t everywhere, elsewhere;

// The threads of this process that are older than the caller: V8's, which compile and collect garbage. They preempt
// neither a guest nor the Sentry, and get a tenth of a processor that one of these uses.
static void lower_helpers(void) {
  enum { HELPER_NICE = 10 };
  struct sched_param batch = {0};
  // By number: there is no /proc here. Numbers run on, since the process is the first of its pid namespace.
  if (getpid() != 1) return;
  for (int tid = 2, own = gettid(); tid < own; tid++) {
    if (syscall(SYS_tgkill, 1, tid, 0) < 0) continue;
    sched_setscheduler(tid, SCHED_BATCH, &batch);
    setpriority(PRIO_PROCESS, tid, HELPER_NICE);
  }
}

// Called by the thread that will wait for guests.
void dv_place(void) {
  catch_deaths();
  lower_helpers();
  if (cpus < 2 || sched_getaffinity(0, sizeof everywhere, &everywhere) < 0) return;
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(current_cpu(), &here);
  if (sched_setaffinity(0, sizeof here, &here) < 0) return;
  home = current_cpu();
  elsewhere = everywhere;
  CPU_CLR(home, &elsewhere);
}

// For our other threads, which begin where their maker is.
static void leave_home(void) {
  if (home >= 0) sched_setaffinity(0, sizeof elsewhere, &elsewhere);
}

// --- Zygote -----------------------------------------------------------------------------------------

struct zygote_args {
  int stub_fd, sock, control, shared, empty_root, new_user;
  char *mode;  // an argument for the stub, or none
};

static int place_fd(int fd, int at) { return fd == at ? fcntl(fd, F_SETFD, 0) : dup2(fd, at); }

// Runs in the child: gives up everything, then becomes the stub. No libc state is relied on.
static int zygote_child(void *p) {
  struct zygote_args *a = p;
  int stub = fcntl(a->stub_fd, F_DUPFD, 100), sock = fcntl(a->sock, F_DUPFD, 100);
  int control = a->mode ? -1 : fcntl(a->control, F_DUPFD, 100), page = a->mode ? -1 : fcntl(a->shared, F_DUPFD, 100);
  if (stub < 0 || sock < 0 || (!a->mode && (control < 0 || page < 0))) _exit(120);
  if (a->empty_root >= 0 && (fchdir(a->empty_root) < 0 || chroot(".") < 0)) _exit(121);
  // A group of its own, but not a session: to the host's scheduler each session is one group (sched_autogroup), and
  // the Sentry as a group of one would run after each guest thread that gives the only processor away.
  if (setpgid(0, 0) < 0) _exit(122);
  struct sigaction dfl = {.sa_handler = SIG_DFL};
  for (int i = 1; i < 65; i++) sigaction(i, &dfl, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, 0);
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  struct rlimit stack = {8 << 20, 8 << 20};
  setrlimit(RLIMIT_STACK, &stack);
  // Guest threads do not preempt the Sentry when it wakes them on its own processor: they would spin
  // there for an answer that it then cannot give. It preempts them.
  struct sched_param batch = {0};
  sched_setscheduler(0, SCHED_BATCH, &batch);
  if (home >= 0) sched_setaffinity(0, sizeof everywhere, &everywhere);
  personality(ADDR_NO_RANDOMIZE);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int cap = 0; cap < 64; cap++) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  uint32_t data[6] = {0};
  syscall(SYS_capset, &header, data);
  if (place_fd(sock, FD_SOCKET) < 0) _exit(123);
  if (!a->mode && (place_fd(control, 4) < 0 || place_fd(page, 5) < 0)) _exit(123);
  if (place_fd(stub, 6) < 0) _exit(123);
  fcntl(6, F_SETFD, FD_CLOEXEC);
  syscall(SYS_close_range, 7, ~0u, 0);
  close(0); close(1); close(2);
  if (a->mode) { close(4); close(5); }
  char *argv[] = {"dvisor-stub", a->mode, 0}, *envp[] = {0};
  syscall(SYS_execveat, 6, "", argv, envp, AT_EMPTY_PATH);
  _exit(124);
}

static int spawn_zygote(int control, int sock, int empty_root, int flags, char *mode) {
  if (!dv_shared_page()) return -ENOMEM;
  int stub = memfd_create("dvisor-stub", MFD_CLOEXEC | 0x10 /* MFD_EXEC */);
  if (stub < 0) stub = memfd_create("dvisor-stub", MFD_CLOEXEC);
  if (stub < 0) return -errno;
  size_t size = dv_stub_end - dv_stub_begin;
  if (write(stub, dv_stub_begin, size) != (ssize_t)size) { close(stub); return -EIO; }
  struct zygote_args args = {stub, sock, control, shared_ro_fd, empty_root, 0, mode};
  size_t stack_size = 64 << 10;
  char *stack = mmap(0, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) { close(stub); return -ENOMEM; }
  // No exit signal: the Sentry reaps stubs when it looks, with __WALL.
  int pid = clone(zygote_child, stack + stack_size, CLONE_VFORK | CLONE_VM | flags, &args);
  int err = errno;
  munmap(stack, stack_size);
  close(stub);
  return pid < 0 ? -err : pid;
}

// Starts the zygote on `control` (a control memfd) and `sock` (its end of the socketpair).
// `flags`: CLONE_NEW* for it. Returns its pid or -errno.
int dv_spawn_zygote(int control, int sock, int empty_root, int flags) {
  return spawn_zygote(control, sock, empty_root, flags, 0);
}

// The same for the ptrace platform (ptrace.c): there is no control memory.
int dv_spawn_zygote_traced(int sock, int empty_root, int flags) {
  return spawn_zygote(-1, sock, empty_root, flags, "ptrace");
}

// --- Sockets ----------------------------------------------------------------------------------------

// out[0] the Sentry's end, which learns the sender's pid from the kernel; out[1] the stub's. A pair that is
// connected: when a stub is gone, so is the last copy of its end, and the other hangs up.
int dv_socketpair(int *out) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) < 0) return -errno;
  int on = 1;
  setsockopt(out[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  return 0;
}

// The descriptors end with the first that is below 0; there is one at least.
int dv_send_fds(int sock, uint32_t slot, int fd0, int fd1, int fd2, int fd3) {
  struct iovec iov = {&slot, sizeof slot};
  union { char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))]; struct cmsghdr align; } control;
  memset(&control, 0, sizeof control);
  int fds[FDS_MAX] = {fd0, fd1, fd2, fd3}, n = 1;
  while (n < FDS_MAX && fds[n] >= 0) n++;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(n * sizeof(int));
  memcpy(CMSG_DATA(c), fds, n * sizeof(int));
  return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hung_up(int sock) {
  struct pollfd p = {sock, 0, 0};
  return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

// poll(2) of one descriptor in short naps: the clock runs on while a whole sandbox is stopped, and a poll that is
// stopped goes on to the end that it had at first. A nap that took longer counts as a short one.
static int poll_awake(struct pollfd *p, int timeout_ms) {
  enum { NAP_MS = 50 };
  for (;;) {
    int nap = timeout_ms < NAP_MS ? timeout_ms : NAP_MS;
    int r = poll(p, 1, nap);
    timeout_ms -= nap;
    if (r != 0 || timeout_ms <= 0) return r;
  }
}

// A greeting outlives who sent it, and the number is another's some day.
static int is_child(int pid) {
  siginfo_t info;
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

// The pid of the stub at the other end, vouched for by the kernel; -ESRCH when it ended without a greeting, or has been
// reaped before now, another -errno when none came in time. `reaped` is the one whose end is being told.
int dv_receive_pid(int sock, int timeout_ms, int reaped) {
  struct pollfd p = {sock, POLLIN, 0};
  int r = poll_awake(&p, timeout_ms);
  if (r <= 0) return r < 0 ? -errno : -ETIMEDOUT;
  if (!(p.revents & POLLIN)) return -ESRCH;
  char hello;
  struct iovec iov = {&hello, 1};
  union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT);
  if (n <= 0) return n < 0 ? -errno : -ESRCH;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
      int pid = ((struct ucred *)CMSG_DATA(c))->pid;
      return pid == reaped || is_child(pid) ? pid : -ESRCH;
    }
  return -EPROTO;
}

// --- The gate: stubs clone only when told to ---------------------------------------------------------

// Clones that the Sentry has ordered and that have not been made, by stub process: of processes and of threads. One for
// the other would give a guest a process that nobody looks for.
enum { A_PROCESS, A_THREAD, KINDS };
#define EXPECTED_MAX 16384  // no more processes than slots (ACTIVE_MAX)
#define BUCKETS 4096
#define SEARCHED 64
struct expected {
  int pid, count[KINDS];
  struct expected *beside;        // in its bucket, or of the free
  struct expected *older, *newer;
};
static struct expected room[EXPECTED_MAX], *unused, *bucket[BUCKETS], *newest;
static int room_used;
static pthread_mutex_t expected_lock = PTHREAD_MUTEX_INITIALIZER;
static int gate = -1;

static struct expected **find_expected(int pid) {
  struct expected **at = &bucket[(unsigned)pid % BUCKETS];
  while (*at && (*at)->pid != pid) at = &(*at)->beside;
  return at;
}

static struct expected *add_expected(int pid) {
  struct expected *e = unused;
  if (e) unused = e->beside;
  else if (room_used < EXPECTED_MAX) e = &room[room_used++];
  else return 0;
  struct expected **head = &bucket[(unsigned)pid % BUCKETS];
  *e = (struct expected){.pid = pid, .beside = *head};
  return *head = e;
}

static void put_first(struct expected *e) {
  e->older = newest;
  e->newer = 0;
  if (newest) newest->newer = e;
  newest = e;
}

static void take_out(struct expected *e) {
  if (e->older) e->older->newer = e->newer;
  if (e->newer) e->newer->older = e->older;
  else newest = e->older;
}

static void drop_expected(struct expected **at) {
  struct expected *e = *at;
  take_out(e);
  *at = e->beside;
  e->beside = unused;
  unused = e;
}

// Takes one off, of who is at `at`. 0: it has none of that kind.
static int count_down(struct expected **at, int kind) {
  struct expected *e = *at;
  if (!e || e->count[kind] == 0) return 0;
  e->count[kind]--;
  if (e->count[A_PROCESS] + e->count[A_THREAD] == 0) drop_expected(at);
  return 1;
}

// Adds a clone by process `pid`. -ENOSPC when too many stubs are about to clone.
int dv_expect_clone(int pid, int is_thread) {
  if (pid <= 0) return -ESRCH;
  pthread_mutex_lock(&expected_lock);
  struct expected *e = *find_expected(pid);
  if (e) take_out(e);
  else e = add_expected(pid);
  if (e) put_first(e);
  if (e) e->count[is_thread ? A_THREAD : A_PROCESS]++;
  pthread_mutex_unlock(&expected_lock);
  return e ? 0 : -ENOSPC;
}

// Takes one back, if it has not been made.
void dv_unexpect_clone(int pid, int is_thread) {
  pthread_mutex_lock(&expected_lock);
  count_down(find_expected(pid), is_thread ? A_THREAD : A_PROCESS);
  pthread_mutex_unlock(&expected_lock);
}

// The process is dead.
void dv_forget_clones(int pid) {
  pthread_mutex_lock(&expected_lock);
  struct expected **at = find_expected(pid);
  if (*at) drop_expected(at);
  pthread_mutex_unlock(&expected_lock);
}

// A first thread has its process's number. Of others the process must be searched: it was among the last that were told
// to clone, unless others have been told that do not.
static int take_expected(int tid, uint64_t flags) {
  int kind = flags & CLONE_THREAD ? A_THREAD : A_PROCESS;
  pthread_mutex_lock(&expected_lock);
  int found = count_down(find_expected(tid), kind), left = SEARCHED;
  for (struct expected *e = newest; e && !found && left > 0; e = e->older, left--)
    if (e->count[kind] > 0 && syscall(SYS_tgkill, e->pid, tid, 0) == 0) {
      count_down(find_expected(e->pid), kind);
      found = 1;
      break;
    }
  pthread_mutex_unlock(&expected_lock);
  return found;
}

static void *keep_gate(void *unused) {
  (void)unused;
  leave_home();
  for (;;) {
    // The kernel may know a larger struct; what it adds stays zero.
    union { struct seccomp_notif n; char room[256]; } request;
    memset(&request, 0, sizeof request);
    if (ioctl(gate, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) {
      struct pollfd last = {gate, 0, 0};
      if (errno == EINTR || (errno == ENOENT && poll(&last, 1, 0) == 0)) continue;
      return 0;  // No stub is left.
    }
    // The filter has compared the flags, which are scalars: nothing can change behind the check.
    struct seccomp_notif_resp response = {.id = request.n.id};
    if (take_expected(request.n.pid, request.n.data.args[0])) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else response.error = -EPERM;
    ioctl(gate, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
}

// Takes the zygote's greeting, which brings the gate. The pid, or -errno: -ECHILD when it has ended, since
// the host forbids something.
int dv_receive_zygote(int sock, int timeout_ms) {
  enum { LOOK_MS = 20 };
  struct pollfd p = {sock, POLLIN, 0};
  int r;
  while ((r = poll(&p, 1, LOOK_MS)) == 0) {
    siginfo_t ended = {0};  // No other child is there yet.
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && ended.si_pid > 0) return -ECHILD;
    if ((timeout_ms -= LOOK_MS) <= 0) return -ETIMEDOUT;
  }
  if (r < 0) return -errno;
  char hello;
  struct iovec iov = {&hello, 1};
  union { char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) return -errno;
  int pid = -EPROTO;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_CREDENTIALS) pid = ((struct ucred *)CMSG_DATA(c))->pid;
    if (c->cmsg_type == SCM_RIGHTS) memcpy(&gate, CMSG_DATA(c), sizeof gate);
  }
  if (gate < 0) return -EPROTO;
  // The answer runs on the asker's processor at once, where the kernel knows how (6.6).
  ioctl(gate, _IOW('!', 4, uint64_t), 1UL);
  int err = start_thread(keep_gate);
  return err < 0 ? err : pid;
}

// --- Hand-off ---------------------------------------------------------------------------------------

// Slots that the guest owns: the wait loop looks at these and no others.
#define ACTIVE_MAX 16384
static struct slot *slots[ACTIVE_MAX];   // by handle
static int active[ACTIVE_MAX], position[ACTIVE_MAX], nactive;

// Stubs at work for nobody: they count as nobody.
static uint8_t is_chore[ACTIVE_MAX];
void dv_chore(int handle) { is_chore[handle] = 1; }

// The zygote forks spares when there is time. That time is the Sentry's own, so it works on the Sentry's processor.
void dv_background(int handle) {
  is_chore[handle] = 1;
  cpu_set_t here;
  CPU_ZERO(&here);
  if (home < 0) return;
  CPU_SET(home, &here);
  sched_setaffinity(slots[handle]->host_tid, sizeof here, &here);
}

static int busy_threads(int limit);
static int is_computed_everywhere(void) { return busy_threads(cpus + 1) > cpus; }
// May use `home`: 0 no, 1 yes, 2 perhaps (as its maker may). Quick calls in a row.
static uint8_t wide[ACTIVE_MAX], quick[ACTIVE_MAX];
static int8_t policy[ACTIVE_MAX];                   // SCHED_*, -1: not known
static uint64_t resumed[ACTIVE_MAX];                // time stamp counter

static void allow_thread(int handle, pid_t tid, int at_home) {
  wide[handle] = at_home;
  quick[handle] = 0;
  if (tid > 0) sched_setaffinity(tid, sizeof everywhere, at_home ? &everywhere : &elsewhere);
}

// The thread number is the guest's word; a wrong one moves one of our own processes about.
static void allow(int handle, int at_home) { allow_thread(handle, slots[handle]->host_tid, at_home); }

// The Sentry goes to sleep. Guest threads that have kept it idle for a while may run on its processor, too:
// all of them after IDLE_NS; where there are more than other processors, those that compute after COMPUTES_TSC.
// Returns after how many ns to look again.
#define IDLE_NS 10000000L
#define LOOK_NS 1000000L
#define COMPUTES_TSC 1000000
static long idle_since;
static long open_home(void) {
  int kept = 0, busy = busy_threads(cpus);
  for (int i = 0; i < nactive; i++)
    if (!is_chore[active[i]] && wide[active[i]] != 1) kept++;
  if (home < 0 || kept == 0 || busy == 0) {
    idle_since = 0;
    return LONG_MAX;
  }
  long now = now_ns();
  if (idle_since == 0) idle_since = now;
  int all = now - idle_since >= IDLE_NS;
  if (!all && busy < cpus) return IDLE_NS;
  uint64_t tsc = __builtin_ia32_rdtsc();
  for (int i = 0; i < nactive; i++) {
    int handle = active[i];
    if (is_chore[handle] || wide[handle] == 1 || (!all && tsc - resumed[handle] < COMPUTES_TSC)) continue;
    allow(handle, 1);
    kept--;
  }
  return kept == 0 ? LONG_MAX : LOOK_NS;
}

// Others of the host want the processors, too: guest threads that were woken got none for long, though no other of
// ours computes, and that several times in short time: V8's helpers keep them waiting now and then. Then who is woken
// preempts them for a while (see choose_policy).
#define LATE_TSC 2500000
#define LATE_TIMES 4
#define LATE_WITHIN_TSC 200000000
#define CONTENDED_TSC 2500000000
static uint64_t late[LATE_TIMES], contended_until;
static unsigned nlate;

static void note_wake_up(int handle) {
  struct slot *s = slots[handle];
  uint64_t up = s->up;
  s->up = 0;
  if (up <= resumed[handle] + LATE_TSC || busy_threads(1) > 0) return;
  late[nlate++ % LATE_TIMES] = up;
  if (nlate >= LATE_TIMES && up < late[nlate % LATE_TIMES] + LATE_WITHIN_TSC) contended_until = up + CONTENDED_TSC;
}

// A guest thread came back. One that makes call after call must not be on the Sentry's processor.
#define QUICK_TSC 100000
#define QUICK_CALLS 16
static void came_back(int handle) {
  idle_since = 0;
  if (slots[handle]->up) note_wake_up(handle);
  if (home < 0 || !wide[handle]) return;
  if (__builtin_ia32_rdtsc() - resumed[handle] > QUICK_TSC) quick[handle] = 0;
  else if (++quick[handle] >= QUICK_CALLS && !is_computed_everywhere()) allow(handle, 0);
}

// A process is taken for a new program, which begins with call after call; where others are busy, the scheduler
// decides. A spare has been kept on `home` like its maker, and may not have said its number yet: `pid` is what
// the kernel says.
void dv_foreground(int handle, int pid) {
  is_chore[handle] = 0;
  int at_home = busy_threads(cpus) < cpus - 1 ? 0 : 2;
  if (home >= 0 && (at_home || wide[handle])) allow_thread(handle, pid, at_home);
}

int dv_slot_register(int handle, struct slot *s) {
  if (handle < 0 || handle >= ACTIVE_MAX) return -EINVAL;
  slots[handle] = s;
  position[handle] = -1;
  wide[handle] = 2;
  quick[handle] = 0;
  policy[handle] = -1;
  is_chore[handle] = 0;
  return 0;
}

static void activate(int handle) {
  if (position[handle] >= 0) return;
  position[handle] = nactive;
  active[nactive++] = handle;
}

int dv_slot_is_active(int handle) { return position[handle] >= 0; }

void dv_slot_deactivate(int handle) {
  int at = position[handle];
  if (at < 0) return;
  int last = active[--nactive];
  active[at] = last;
  position[last] = at;
  position[handle] = -1;
}

// Spinning pays when the answer comes sooner than a sleep and a wake-up across processors would cost,
// which is 30 to 50 us. Both sides must spin that long, or neither finds the other awake again. Where
// guest threads need all processors it only takes time from them; after many failures in a row it is
// tried now and then.
#define SPIN_NS 200000
#define SPIN_CROWDED_NS 4000
#define STUB_SPIN 8000  // pauses of some 20 ns
#define STUB_SPIN_CROWDED 150
#define FAILURES 16
static int failures;

// A sleeping stub was woken elsewhere: it is up when its `sleeping` is 0 again, and the spin begins only then.
#define WAKE_UP_NS 100000
static const struct slot *woke;

// One that is likely to be queued on this very processor does not run before we sleep, whatever else comes
// meanwhile. After a while it is no longer believed.
#define SPIN_BEFORE_QUEUED_NS 5000
#define QUEUED_NS 2000000L
static const struct slot *queued_here;
static long queued_since;

static int is_queued_here(void) {
  const struct slot *s = queued_here;
  if (!s) return 0;
  // One that has run and sleeps again waits for another answer.
  if (__atomic_load_n(&s->sleeping, __ATOMIC_RELAXED) && __atomic_load_n(&s->state, __ATOMIC_RELAXED) == STATE_REPLY &&
      now_ns() - queued_since < QUEUED_NS) return 1;
  queued_here = 0;
  return 0;
}

// Whether it wants a processor: one in a futex call of its own does not, nor one that is yet to be made.
static int is_busy(int handle) {
  const struct slot *s = slots[handle];
  return !is_chore[handle] && !__atomic_load_n(&s->waiting, __ATOMIC_RELAXED) && __atomic_load_n(&s->host_tid, __ATOMIC_RELAXED);
}

// Counted up to `limit`.
static int busy_threads(int limit) {
  int n = 0;
  for (int i = 0; i < nactive && n < limit; i++) n += is_busy(active[i]);
  return n;
}

// Woken where another guest thread runs, and not up yet: a sleep of the Sentry would not give it a processor.
static int is_queued_elsewhere(int handle) {
  const struct slot *s = slots[handle];
  uint32_t sleeping = __atomic_load_n(&s->sleeping, __ATOMIC_RELAXED);
  return sleeping && (int)sleeping - 1 != home && __atomic_load_n(&s->state, __ATOMIC_RELAXED) == STATE_REPLY;
}

// Whether guest threads could use the Sentry's processor, too.
static int is_crowded(void) {
  int n = 0;
  for (int i = 0; i < nactive && n < cpus; i++) n += is_busy(active[i]) && !is_queued_elsewhere(active[i]);
  return n >= cpus;
}

static long spin_budget(void) {
  if (is_crowded() || failures >= FAILURES) return SPIN_CROWDED_NS;
  return is_queued_here() ? SPIN_BEFORE_QUEUED_NS : woke ? WAKE_UP_NS : SPIN_NS;
}

// True once, when who was woken elsewhere is up.
static int is_up(void) {
  if (!woke || __atomic_load_n(&woke->sleeping, __ATOMIC_RELAXED)) return 0;
  woke = 0;
  return 1;
}

// Where guests compute on every processor, a thread that slept for its answer preempts one of them, or each of
// its calls would cost a time slice, and runs on any: to a processor on which little of a sandbox runs, Linux gives a
// share of next to nothing (sched_autogroup), so one that may run there alone can wait for seconds. It also preempts
// others of the host. Else it preempts nobody (see zygote_child).
static void choose_policy(int handle) {
  int crowded = is_computed_everywhere();
  if (crowded && home >= 0 && wide[handle] != 1) allow(handle, 1);
  int8_t wanted = crowded || __builtin_ia32_rdtsc() < contended_until ? SCHED_OTHER : SCHED_BATCH;
  if (policy[handle] == wanted) return;
  policy[handle] = wanted;
  struct sched_param none = {0};
  sched_setscheduler(slots[handle]->host_tid, wanted, &none);
}

static void spin_result(int found) {
  woke = 0;
  if (found) failures = 0;
  else if (!queued_here && ++failures >= 3 * FAILURES) failures = FAILURES - 2;
}

// Where there is one processor for all, who waits yields it: that costs half of a sleep and a wake-up. It pays
// while the others hand over soon. One that computes keeps the processor for a time slice, and whoever has
// yielded comes last, so after that it is left off for some times as long as that took (one of V8's helpers takes
// a tenth of a slice); for a shorter while when it was of no use.
#define YIELDS_SOON_TSC 400000
#define YIELDS_OFF_TIMES 4
#define YIELDS_OFF_MOST_TSC 30000000
#define YIELDS_USELESS_TSC 300000
static uint64_t yields_again;  // by the time-stamp counter

static void no_yields_for(uint64_t tsc) { yields_again = __builtin_ia32_rdtsc() + tsc; }

static int may_yield(void) { return cpus < 2 && __builtin_ia32_rdtsc() >= yields_again; }

static void yield_once(void) {
  uint64_t start = __builtin_ia32_rdtsc();
  sched_yield();
  uint64_t took = __builtin_ia32_rdtsc() - start;
  if (took < YIELDS_SOON_TSC) return;
  no_yields_for(took < YIELDS_OFF_MOST_TSC / YIELDS_OFF_TIMES ? took * YIELDS_OFF_TIMES : YIELDS_OFF_MOST_TSC);
}

// Tells the stubs how to wait for the answer.
static void tell_stubs(void) {
  uint32_t *where = (uint32_t *)(shared + SHARED_CPU), here = current_cpu();
  if (*where != here) *where = here;
  uint32_t *spin = (uint32_t *)(shared + SHARED_SPIN);
  uint32_t want = may_yield() ? SPIN_YIELDS : cpus < 2 ? 0 : nactive > cpus ? STUB_SPIN_CROWDED : STUB_SPIN;
  if (*spin != want) *spin = want;
}

// Replies, with the commands that are in the slot and rax in two halves. One store after the other: the
// stub polls their cache line.
void dv_resume(int handle, uint32_t reply, uint32_t ncommands, uint32_t rax_low, uint32_t rax_high) {
  struct slot *s = slots[handle];
  activate(handle);
  resumed[handle] = __builtin_ia32_rdtsc();
  tell_stubs();
  s->reply = reply;
  s->ncommands = ncommands;
  s->rax = (uint64_t)rax_high << 32 | rax_low;
  __atomic_store_n(&s->state, STATE_REPLY, __ATOMIC_SEQ_CST);
  uint32_t sleeping = __atomic_load_n(&s->sleeping, __ATOMIC_SEQ_CST);
  if (!sleeping) return;
  if ((int)sleeping - 1 != home) woke = s;
  else if (wide[handle] && busy_threads(cpus) < cpus) {
    allow(handle, 0); // There is another processor for it.
    woke = s;
  } else {
    queued_here = s;
    queued_since = now_ns();
  }
  choose_policy(handle);
  sys_futex(&s->state, FUTEX_WAKE, 1, 0);
}

void dv_ring(void) {
  __atomic_store_n(&doorbell, 1, __ATOMIC_SEQ_CST);
  // The word is taken back before the wake-up, lest one that is only about to sleep misses it.
  if (shared && __atomic_exchange_n((uint32_t *)(shared + SHARED_SLEEPING), 0, __ATOMIC_SEQ_CST))
    sys_futex((uint32_t *)(shared + SHARED_SLEEPING), FUTEX_WAKE, INT_MAX, 0);
}

// For other wait loops: whether the doorbell rang since it was last taken.
int dv_take_ring(void) { return __atomic_exchange_n(&doorbell, 0, __ATOMIC_SEQ_CST); }

static int find_ready(void) {
  for (int i = nactive - 1; i >= 0; i--) {
    int handle = active[i];
    const struct slot *s = slots[handle];
    if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) == STATE_SENTRY) {
      __builtin_prefetch((const char *)s + SLOT_REGS);
      // Looking from the end and moving what was found to the front keeps it fair.
      dv_slot_deactivate(handle);
      came_back(handle);
      return handle;
    }
  }
  return -1;
}

// Lets the guests run on the only processor until one comes back, as long as that is soon; -1 when none did.
static int yield_to_guests(void) {
  for (int i = 0; i < YIELDS_MAX && may_yield(); i++) {
    yield_once();
    int h = find_ready();
    if (h >= 0) return h;
  }
  if (may_yield()) no_yields_for(YIELDS_USELESS_TSC);
  return -1;
}

// Looks and spins, but does not sleep. Returns a handle whose slot came back, -1 for the doorbell, -2
// when there was nothing within the budget (or at once, for timeout 0): the time for chores.
int dv_poll(double timeout_ns) {
  // Guests that are always there must not drown the bell.
  static unsigned turn;
  if (++turn % 64 == 0 && __atomic_load_n(&doorbell, __ATOMIC_RELAXED) &&
      __atomic_exchange_n(&doorbell, 0, __ATOMIC_SEQ_CST)) return -1;
  int h = find_ready();
  if (h >= 0) {
    woke = 0;
    return h;
  }
  if (__atomic_load_n(&doorbell, __ATOMIC_RELAXED) && __atomic_exchange_n(&doorbell, 0, __ATOMIC_SEQ_CST)) return -1;
  if (timeout_ns == 0 || nactive == 0) return -2;
  if (cpus < 2) return (h = yield_to_guests()) >= 0 ? h : -2;
  long until = 0;
  for (;;) {
    for (int i = 0; i < 64; i++) {
      if ((h = find_ready()) >= 0) {
        spin_result(1);
        return h;
      }
      __builtin_ia32_pause();
    }
    if (__atomic_load_n(&doorbell, __ATOMIC_RELAXED) && __atomic_exchange_n(&doorbell, 0, __ATOMIC_SEQ_CST)) return -1;
    long t = now_ns();
    if (until == 0) {
      long budget = spin_budget();
      until = t + (timeout_ns > 0 && timeout_ns < budget ? (long)timeout_ns : budget);
    } else if (is_up()) until = t + spin_budget();
    else if (t >= until) break;
  }
  spin_result(0);
  return -2;
}

// Both at once: a call from TypeScript costs more than what either does, until V8 has optimized the caller.
int dv_resume_and_poll(int handle, uint32_t ncommands, uint32_t rax_low, uint32_t rax_high, double timeout_ns) {
  dv_resume(handle, 0, ncommands, rax_low, rax_high);
  return dv_poll(timeout_ns);
}

// Short sleeps cost no more for it: between them the Sentry looks for the dead anyhow. One that follows
// a whole nap without news is without end, and deaths are let in.
#define FIRST_NAP_NS 100000000L
static int quiet;

// Sleeps until a slot comes back, the bell rings (-1) or the timeout (-2; -1 ns: none).
int dv_wait(double timeout_ns) {
  volatile uint32_t *sleeping = (uint32_t *)(shared + SHARED_SLEEPING);
  long deadline = timeout_ns < 0 ? LONG_MAX : now_ns() + (long)timeout_ns;
  long open_after = open_home();
  for (;;) {
    __atomic_store_n(sleeping, 1, __ATOMIC_SEQ_CST);
    int h = find_ready();
    int rung = __atomic_exchange_n(&doorbell, 0, __ATOMIC_SEQ_CST);
    if (h >= 0 || rung) {
      *sleeping = 0;
      if (h >= 0 && rung) __atomic_store_n(&doorbell, 1, __ATOMIC_SEQ_CST);
      return h >= 0 ? h : -1;
    }
    long left = deadline == LONG_MAX ? LONG_MAX : deadline - now_ns();
    if (left <= 0) {
      *sleeping = 0;
      return -2;
    }
    long limit = quiet ? LONG_MAX : FIRST_NAP_NS;
    if (open_after < limit) limit = open_after;
    long nap = left < limit ? left : limit;
    struct timespec t = {nap / 1000000000L, nap % 1000000000L};
    if (quiet) let_deaths_in(SIG_UNBLOCK);
    long r = sys_futex(sleeping, FUTEX_WAIT, 1, nap == LONG_MAX ? 0 : &t);
    int timed_out = r == -1 && errno == ETIMEDOUT;
    if (quiet) let_deaths_in(SIG_BLOCK);
    *sleeping = 0;
    if (timed_out) {
      h = find_ready();
      quiet = h < 0 && nap == FIRST_NAP_NS;
      return h >= 0 ? h : -2;
    }
    quiet = 0;
  }
}

static int has_ended(int pid) {
  siginfo_t info = {0};
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || info.si_pid == pid;
}

// Waits for one slot alone (a command batch) of process `pid` (0: not known yet), whose socket is `sock`, at
// most timeout_ns. 0, -ESRCH when it died, or -ETIMEDOUT.
int dv_wait_slot(int handle, int pid, int sock, double timeout_ns) {
  struct slot *s = slots[handle];
  volatile uint32_t *sleeping = (uint32_t *)(shared + SHARED_SLEEPING);
  long start = now_ns(), last = start, waited = 0;
  long spin = cpus < 2 ? 0 : is_queued_here() ? SPIN_BEFORE_QUEUED_NS : SPIN_NS;
  woke = 0;
  for (int i = 0; i < YIELDS_MAX && may_yield() && __atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != STATE_SENTRY; i++)
    yield_once();
  for (;;) {
    for (int i = 0; i < 64 && spin; i++) {
      if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) == STATE_SENTRY) break;
      __builtin_ia32_pause();
    }
    long now = now_ns();
    if (now - start >= spin) __atomic_store_n(sleeping, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&s->state, __ATOMIC_SEQ_CST) == STATE_SENTRY) {
      *sleeping = 0;
      dv_slot_deactivate(handle);
      return 0;
    }
    if (now - start < spin) continue;
    int dead = waited > 0 && (pid > 0 ? has_ended(pid) : hung_up(sock));
    // The clock runs on while a whole sandbox is stopped; a nap that took longer counts as a short one.
    waited += now - last < 2000000 ? now - last : 2000000;
    last = now;
    if (dead || waited > timeout_ns) {
      *sleeping = 0;
      return dead ? -ESRCH : -ETIMEDOUT;
    }
    struct timespec t = {0, 1000000};
    sys_futex(sleeping, FUTEX_WAIT, 1, &t);
    *sleeping = 0;
  }
}

// --- Guest memory -----------------------------------------------------------------------------------

int dv_read_guest(int pid, double addr, uint8_t *buffer, uint32_t start, uint32_t length) {
  struct iovec local = {buffer + start, length}, remote = {(void *)(uint64_t)addr, length};
  ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return n < 0 ? -errno : (int)n;
}

int dv_write_guest(int pid, double addr, const uint8_t *buffer, uint32_t start, uint32_t length) {
  struct iovec local = {(uint8_t *)buffer + start, length}, remote = {(void *)(uint64_t)addr, length};
  ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);
  return n < 0 ? -errno : (int)n;
}

// Reaps one dead child without waiting: its pid, 0 for none; status in out[0].
int dv_reap(int *out) {
  int pid = waitpid(-1, out, WNOHANG | __WALL);
  return pid < 0 ? 0 : pid;
}

// The first living child of ours from number `pid` on and below `end`, 0: none.
int dv_next_child(int pid, int end) {
  for (; pid < end; pid++) {
    siginfo_t info = {0};
    if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && info.si_pid == 0) return pid;
  }
  return 0;
}

int dv_interrupt(int pid, int tid) { return syscall(SYS_tgkill, pid, tid, 34) < 0 ? -errno : 0; }

int dv_kill(int pid) { return kill(pid, SIGKILL) < 0 ? -errno : 0; }

// Whether no guest thread that runs can be about to run the instruction at this offset in a page. Only the Sentry, or its
// own stub behind a call of its own, sends it behind a call that was no trampoline's, and then the slot says where to.
int dv_nobody_at(int page_offset) {
  for (int i = 0; i < nactive; i++)
    if (!is_chore[active[i]] && (int)(slots[active[i]]->regs[14] & 4095) == page_offset) return 0;
  return 1;
}

// Replaces five bytes of code that other processors may be executing. Whoever fetches sees the old
// instruction, the new one, or (across a cache line) a jump to itself meanwhile. Returns 0, or
// -EINVAL when not even that can be stored at once.
int dv_patch(double at, const uint8_t *jump) {
  uint8_t *p = (uint8_t *)(uint64_t)at;
  uint64_t line = (uint64_t)p & 63;
  if (line <= 59) {
    uint8_t *window = line > 56 ? p - (line - 56) : p;
    uint64_t word;
    memcpy(&word, window, 8);
    memcpy((uint8_t *)&word + (p - window), jump, 5);
    *(volatile uint64_t *)window = word;
    return 0;
  }
  if (line == 63) return -EINVAL;
  *(volatile uint16_t *)p = 0xfeeb;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  memcpy(p + 2, jump + 2, 3);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  uint16_t head;
  memcpy(&head, jump, 2);
  *(volatile uint16_t *)p = head;
  return 0;
}
