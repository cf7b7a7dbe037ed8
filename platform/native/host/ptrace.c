// The ptrace platform's native half: it stops guest threads at their system calls and faults, and has
// them make host calls. Everything here but the watcher runs on the one thread that traces.
//
// A guest thread runs under PTRACE_SYSEMU only, so no call of its own ever reaches the host. A host
// call is injected with PTRACE_CONT at `syscall; int3` in the stub's text (INJECT_ADDR), which the
// guest cannot change; the int3 brings the thread back.
#define _GNU_SOURCE
#include "../stub/slot.h"
#include "thread.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/ptrace.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *dv_shared_page(void);
void dv_fp_state(uint32_t out[4]);
int dv_take_ring(void);
int dv_cpus(void);
int dv_send_fds(int sock, uint32_t slot, int fd0, int fd1, int fd2, int fd3);

#define THREAD_FLAGS 0x00250f00  // as the stub's own, see THREAD_FLAGS in stub.c
#define FORK_FLAGS 0x00008000    // CLONE_PARENT, no exit signal
#define FD_RECEIVED 0            // a stub holds its socket and nothing below it

enum {
  FREE,     // not in use
  NEWBORN,  // a clone's child that nobody has claimed yet
  GUEST,    // runs guest code
  SENTRY,   // stopped, the Sentry owns it
  BUSY,     // makes an injected host call
  EXITING,  // released: all that is left is to reap it
  DEAD,     // gone without having been released
};

// One guest thread. TypeScript maps the first part (platform/ptrace/record.ts).
struct thread {
  uint64_t regs[21];  // order of platform/arch/amd64/registers.ts
  int32_t event, signal, code, trapno, error, state;
  uint64_t addr;
  int32_t tid, pid;
  // From here on C's own.
  int status;  // of the last stop
  uint8_t stopped, wanted, full, queued, released;
  int next;  // in the list of ready or of free records
  struct user_regs_struct user;
};

#define THREAD_MAX 16384
#define TID_MAX (1 << 22)
static struct thread *threads;   // reserved at once, touched as used
static int32_t by_tid[TID_MAX];  // index + 1
static int used, free_list = -1, first_ready = -1, last_ready = -1;
static int running;    // threads in state GUEST
static int claiming;   // an injected clone is under way
static int pgid;       // the stubs' process group: what is waited for
static int sock = -1, sock_peer = -1;

static long pt(long request, const struct thread *t, unsigned long addr, unsigned long data) {
  return syscall(SYS_ptrace, request, t->tid, addr, data);
}

static void set_state(struct thread *t, int state) {
  running += (state == GUEST) - (t->state == GUEST);
  t->state = state;
}

static struct thread *new_thread(int tid) {
  int i = free_list;
  if (i >= 0) free_list = threads[i].next;
  else if (used < THREAD_MAX) i = used++;
  else return 0;
  struct thread *t = &threads[i];
  memset(t, 0, sizeof *t);
  t->tid = t->pid = tid;
  t->state = NEWBORN;
  by_tid[tid] = i + 1;
  return t;
}

static struct thread *find_thread(int tid) {
  return tid > 0 && tid < TID_MAX && by_tid[tid] ? &threads[by_tid[tid] - 1] : 0;
}

static void free_thread(struct thread *t) {
  t->released = 1;
  if (t->queued) return;  // the list of ready ones is where it is found again
  t->state = FREE;
  t->next = free_list;
  free_list = t - threads;
}

static void push_ready(struct thread *t, int event) {
  t->event = event;
  t->wanted = 0;
  if (t->queued) return;
  t->queued = 1;
  t->next = -1;
  if (last_ready >= 0) threads[last_ready].next = t - threads;
  else first_ready = t - threads;
  last_ready = t - threads;
}

static struct thread *pop_ready(void) {
  while (first_ready >= 0) {
    struct thread *t = &threads[first_ready];
    first_ready = t->next;
    if (first_ready < 0) last_ready = -1;
    t->queued = 0;
    if (!t->released) return t;
    free_thread(t);
  }
  return 0;
}

// --- Stops ------------------------------------------------------------------------------------------

static void publish_registers(struct thread *t) {
  const struct user_regs_struct *u = &t->user;
  const uint64_t r[21] = {u->rax, u->rdi, u->rsi, u->rdx, u->r10, u->r8, u->r9, u->rbx, u->rbp, u->r12, u->r13,
                          u->r14, u->r15, u->rsp, u->rip, u->eflags, u->rcx, u->r11, u->fs_base, u->gs_base, -1ul};
  memcpy(t->regs, r, sizeof r);
}

static void stop_with(struct thread *t, int event) {
  set_state(t, SENTRY);
  push_ready(t, event);
}

static void run_guest(struct thread *t) { pt(PTRACE_SYSEMU, t, 0, 0); }

static int memory_readable(const struct thread *t, uint64_t addr) {
  char byte;
  struct iovec local = {&byte, 1}, remote = {(void *)addr, 1};
  return process_vm_readv(t->tid, &local, 1, &remote, 1, 0) == 1;
}

// ptrace does not tell trap number and error code; they are guessed from what it does tell.
static void guess_trap(struct thread *t) {
  t->error = 0;
  switch (t->signal) {
    case SIGFPE: t->trapno = t->code == FPE_INTDIV ? 0 : 19; break;
    case SIGTRAP: t->trapno = t->code == SI_KERNEL ? 3 : 1; break;
    case SIGILL: t->trapno = 6; break;
    case SIGBUS: t->trapno = t->code == BUS_ADRALN ? 17 : t->code == SI_KERNEL ? 12 : 14; break;
    default: t->trapno = t->code == SI_KERNEL ? 13 : 14;
  }
  if (t->trapno != 14) return;
  t->error = 4;  // in user mode
  if (t->signal == SIGSEGV && t->code == SEGV_ACCERR) t->error |= 1 | (memory_readable(t, t->addr) ? 2 : 0);
  if (t->addr == t->user.rip) t->error = (t->error & ~2) | 16;
}

static void stopped_by_signal(struct thread *t, int signal) {
  siginfo_t info;
  if (pt(PTRACE_GETREGS, t, 0, (unsigned long)&t->user) < 0 || pt(PTRACE_GETSIGINFO, t, 0, (unsigned long)&info) < 0)
    return;  // killed meanwhile: its death follows
  int fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP;
  if (signal == SIGSYS && info.si_code == 1 /* SYS_SECCOMP */) {
    // The vsyscall page: the host has already returned to its caller.
    publish_registers(t);
    if (info.si_arch == AUDIT_ARCH_X86_64) {
      t->regs[0] = t->regs[20] = info.si_syscall;
      stop_with(t, EVENT_SYSCALL);
      return;
    }
  } else if (fault && info.si_code > 0) {
    publish_registers(t);
    t->signal = signal;
    t->code = info.si_code;
    t->addr = (uint64_t)info.si_addr;
    guess_trap(t);
    stop_with(t, EVENT_FAULT);
    return;
  }
  run_guest(t);  // sent by someone on the host: not the guest's business
}

static void stopped_by_syscall(struct thread *t) {
  struct ptrace_syscall_info info;
  if (pt(PTRACE_GETREGS, t, 0, (unsigned long)&t->user) < 0) return;
  if (pt(PTRACE_GET_SYSCALL_INFO, t, sizeof info, (unsigned long)&info) < 0) return;
  if (info.arch != AUDIT_ARCH_X86_64) {
    // int 0x80 and its like have other numbers, which must not be taken for ours.
    t->user.rax = -ENOSYS;
    t->user.orig_rax = -1;
    pt(PTRACE_SETREGS, t, 0, (unsigned long)&t->user);
    run_guest(t);
    return;
  }
  publish_registers(t);
  t->regs[0] = t->regs[20] = t->user.orig_rax;
  stop_with(t, EVENT_SYSCALL);
}

static void guest_stopped(struct thread *t) {
  int signal = WSTOPSIG(t->status), event = t->status >> 16;
  if (event == PTRACE_EVENT_STOP) {
    // A stop that was asked for before another event came is of no use any more.
    if (!t->wanted) { run_guest(t); return; }
    if (pt(PTRACE_GETREGS, t, 0, (unsigned long)&t->user) < 0) return;
    publish_registers(t);
    stop_with(t, EVENT_INTERRUPT);
  } else if (event != 0) {
    kill(t->pid, SIGKILL);  // a guest cannot clone
  } else if (signal == (SIGTRAP | 0x80)) {
    stopped_by_syscall(t);
  } else {
    stopped_by_signal(t, signal);
  }
}

static void died(struct thread *t) {
  by_tid[t->tid] = 0;
  int was = t->state;
  if (was == NEWBORN && claiming) by_tid[t->tid] = t - threads + 1;  // until it is claimed
  set_state(t, DEAD);
  if (was == EXITING || (was == NEWBORN && !claiming)) free_thread(t);
  else if (was != NEWBORN) push_ready(t, EVENT_LOST);
}

// Sets rip to the injection point for call `nr`, with clean flags and segments: the guest may have
// gone to 32-bit mode.
static void aim(struct user_regs_struct *u, long nr) {
  u->rax = nr;
  u->orig_rax = -1;
  u->rip = INJECT_ADDR;
  u->eflags = 0x202;
  u->cs = 0x33;
  u->ss = 0x2b;
}

static void order_exit(struct thread *t) {
  struct user_regs_struct u = t->user;
  aim(&u, SYS_exit);
  u.rdi = 0;
  pt(PTRACE_SETREGS, t, 0, (unsigned long)&u);
  pt(PTRACE_CONT, t, 0, 0);
}

// Takes one report of the kernel and acts on it. 1, 0 for none there, or -errno.
static int pump(int options) {
  int status, pid = wait4(-pgid, &status, __WALL | __WNOTHREAD | options, 0);
  if (pid == 0) return 0;
  if (pid < 0) return errno == EINTR ? 1 : -errno;
  struct thread *t = find_thread(pid);
  if (!t && pid < TID_MAX) t = new_thread(pid);
  if (!t) { kill(pid, SIGKILL); return 1; }
  if (!WIFSTOPPED(status)) { died(t); return 1; }
  t->status = status;
  switch (t->state) {
    case GUEST: guest_stopped(t); break;
    case EXITING: order_exit(t); break;
    case NEWBORN:
      if (claiming) { t->stopped = 1; break; }
      kill(pid, SIGKILL);  // its parent died before it could be claimed
      set_state(t, EXITING);
      break;
    default: t->stopped = 1;
  }
  return 1;
}

// Waits until `t`, which is BUSY or NEWBORN, stops. 0, or -ESRCH.
static int await_stop(struct thread *t) {
  while (!t->stopped && t->state != DEAD)
    if (pump(0) < 0) return -ESRCH;
  t->stopped = 0;
  return t->state == DEAD ? -ESRCH : 0;
}

// --- Injected calls ---------------------------------------------------------------------------------

struct call { long nr; uint64_t a[6]; };

// The host call, made by thread `t`. A clone's child goes to *child. Returns its result; -ESRCH when
// the thread is gone.
static long inject(struct thread *t, const struct call *c, struct thread **child) {
  if (t->state != SENTRY) return -ESRCH;
  struct user_regs_struct u = t->user;
  aim(&u, c->nr);
  u.rdi = c->a[0]; u.rsi = c->a[1]; u.rdx = c->a[2]; u.r10 = c->a[3]; u.r8 = c->a[4]; u.r9 = c->a[5];
  long result = -ESRCH;
  set_state(t, BUSY);
  if (pt(PTRACE_SETREGS, t, 0, (unsigned long)&u) < 0) { set_state(t, SENTRY); return -ESRCH; }
  for (;;) {
    pt(PTRACE_CONT, t, 0, 0);
    if (await_stop(t) < 0) return -ESRCH;
    int signal = WSTOPSIG(t->status), event = t->status >> 16;
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK) {
      unsigned long tid = 0;
      if (child && pt(PTRACE_GETEVENTMSG, t, 0, (unsigned long)&tid) == 0) {
        struct thread *n = find_thread(tid);
        if (!n && tid < TID_MAX) n = new_thread(tid);
        *child = n;
      }
      continue;
    }
    if (event != 0) continue;  // an interrupt that came too late
    if (signal == SIGSYS) { result = -ENOSYS; break; }
    if (signal == SIGTRAP) {
      if (pt(PTRACE_GETREGS, t, 0, (unsigned long)&u) < 0) break;
      if (u.rip != INJECT_ADDR + 3) continue;
      result = u.rax;
      t->user.fs_base = u.fs_base;  // arch_prctl is a call like any other
      t->user.gs_base = u.gs_base;
      break;
    }
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL) {  // the stub's text is gone
      kill(t->pid, SIGKILL);
      break;
    }
  }
  set_state(t, SENTRY);
  return result;
}

// Numbers of f64: addresses are exact, negative ones are two's complement.
static inline uint64_t word(double d) { return d < 0 ? (uint64_t)(long)d : (uint64_t)d; }

double dv_pt_call(int handle, int nr, double a0, double a1, double a2, double a3, double a4, double a5) {
  struct call c = {nr, {word(a0), word(a1), word(a2), word(a3), word(a4), word(a5)}};
  return inject(&threads[handle], &c, 0);
}

struct scratch {
  struct msghdr msg;
  struct iovec iov;
  uint64_t data;
  union { char bytes[CMSG_SPACE(sizeof(int))]; uint64_t align; } control;
};

// mmap of a descriptor of this process: sent over the socket, received and closed by injected calls.
// Other threads of the guest can write the scratch page, so nothing is read back from it: a received
// descriptor can only be FD_RECEIVED, or it is none and the mapping fails.
double dv_pt_mmap_fd(int handle, double addr, double length, int prot, int flags, int fd, double offset) {
  struct thread *t = &threads[handle];
  const uint64_t at = SCRATCH_BASE + 0x100;
  struct scratch s;
  memset(&s, 0, sizeof s);
  s.iov = (struct iovec){(void *)(at + offsetof(struct scratch, data)), sizeof s.data};
  s.msg.msg_iov = (void *)(at + offsetof(struct scratch, iov));
  s.msg.msg_iovlen = 1;
  s.msg.msg_control = (void *)(at + offsetof(struct scratch, control));
  s.msg.msg_controllen = sizeof s.control;
  struct iovec local = {&s, sizeof s}, remote = {(void *)at, sizeof s};
  if (process_vm_writev(t->tid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof s) return -ESRCH;
  int sent = dv_send_fds(sock, 0, fd, -1, -1, -1);
  if (sent < 0) return sent;
  struct call receive = {SYS_recvmsg, {FD_SOCKET, at, MSG_DONTWAIT | MSG_CMSG_CLOEXEC}};
  long r = inject(t, &receive, 0);
  // A message that was not taken must not be found by another guest.
  char drop[8];
  while (recv(sock_peer, drop, sizeof drop, MSG_DONTWAIT) > 0)
    if (r != -ESRCH) r = -EBADF;
  if (r < 0) return r;
  struct call map = {SYS_mmap, {word(addr), word(length), (uint32_t)prot, (uint32_t)flags, FD_RECEIVED, word(offset)}};
  r = inject(t, &map, 0);
  struct call close = {SYS_close, {FD_RECEIVED}};
  inject(t, &close, 0);
  return r;
}

// A new thread of the same process, or a forked one; its registers start as the parent's. Returns its
// handle or -errno.
int dv_pt_clone(int handle, int thread) {
  struct thread *t = &threads[handle], *child = 0;
  struct call c = {SYS_clone, {thread ? THREAD_FLAGS : FORK_FLAGS}};
  claiming = 1;
  long r = inject(t, &c, &child);
  if (r > 0 && child) {
    int killed = await_stop(child) < 0;
    claiming = 0;
    child->pid = thread ? t->pid : child->tid;
    child->user = t->user;
    memcpy(child->regs, t->regs, sizeof child->regs);
    child->full = 1;
    set_state(child, killed ? DEAD : SENTRY);
    if (killed) {
      by_tid[child->tid] = 0;
      push_ready(child, EVENT_LOST);
    }
    return child - threads;
  }
  claiming = 0;
  // The parent was killed half-way, so that there may be a child without a claim; one that has not been
  // seen yet is killed by pump.
  for (int i = 0; r > 0 || r == -ESRCH ? i < used : 0; i++) {
    struct thread *n = &threads[i];
    if (n->state == DEAD && by_tid[n->tid] == i + 1) {
      by_tid[n->tid] = 0;
      free_thread(n);
    } else if (n->state == NEWBORN) {
      syscall(SYS_tkill, n->tid, SIGKILL);
      set_state(n, EXITING);
    }
  }
  return r < 0 && r >= -4095 && r != -ESRCH ? r : -EAGAIN;
}

// --- FP state: images in the XSAVE standard format ----------------------------------------------------

static uint8_t fp_image[16384] __attribute__((aligned(64)));
static uint32_t fp_state[4];
#define fp_size ((int)fp_state[0])
#define mxcsr_mask fp_state[3]
static int regset_size;  // what the kernel takes and gives: with AMX more than fp_size

static int set_fp(const struct thread *t) {
  struct iovec iov = {fp_image, regset_size};
  return pt(PTRACE_SETREGSET, t, NT_X86_XSTATE, (unsigned long)&iov) < 0 ? (errno == ESRCH ? -ESRCH : -EFAULT) : 0;
}

static int reset_fp(const struct thread *t) {
  memset(fp_image, 0, regset_size);
  *(uint16_t *)fp_image = 0x37f;
  *(uint32_t *)(fp_image + 24) = 0x1f80;
  fp_image[512] = 3;  // x87 and SSE are given, all else is in its initial state
  return set_fp(t);
}

// Stores the FP state at guest address `addr`, then resets it.
int dv_pt_save_fp(int handle, double addr) {
  const struct thread *t = &threads[handle];
  struct iovec iov = {fp_image, sizeof fp_image}, remote = {(void *)word(addr), fp_size};
  if (word(addr) & 63) return -EFAULT;
  if (pt(PTRACE_GETREGSET, t, NT_X86_XSTATE, (unsigned long)&iov) < 0) return -ESRCH;
  iov.iov_len = fp_size;
  return process_vm_writev(t->tid, &iov, 1, &remote, 1, 0) == fp_size ? 0 : -EFAULT;
}

// Loads it from guest address `addr`; 0 resets it. A malformed image is -EFAULT.
int dv_pt_load_fp(int handle, double addr) {
  const struct thread *t = &threads[handle];
  if (addr == 0) return reset_fp(t);
  if (word(addr) & 63) return -EFAULT;
  struct iovec local = {fp_image, fp_size}, remote = {(void *)word(addr), fp_size};
  if (process_vm_readv(t->tid, &local, 1, &remote, 1, 0) != fp_size) return -EFAULT;
  // As XRSTOR does: MXCSR counts even where the SSE registers are said to be in their initial state.
  if (*(uint32_t *)(fp_image + 24) & ~mxcsr_mask) return -EFAULT;
  if (!(fp_image[512] & 2)) {
    fp_image[512] |= 2;
    memset(fp_image + 160, 0, 256);
  }
  return set_fp(t);
}

// --- Ownership --------------------------------------------------------------------------------------

// Addresses of slot.h in every stub: 0 the injection point, 1 the scratch page, 2 the guest's end.
double dv_pt_address(int which) { return which == 0 ? INJECT_ADDR : which == 1 ? SCRATCH_BASE : TASK_SIZE_GUEST; }

void *dv_pt_record(int handle) { return &threads[handle]; }

// Gives the thread to the guest. flags: 1 every register but FS and GS base, not rax alone; 2 FS base.
void dv_pt_resume(int handle, int flags) {
  struct thread *t = &threads[handle];
  if (t->state != SENTRY) return;  // dead: that is reported
  struct user_regs_struct *u = &t->user;
  const uint64_t *r = t->regs;
  u->rax = r[0];
  if (flags & 1 || t->full) {
    u->rdi = r[1]; u->rsi = r[2]; u->rdx = r[3]; u->r10 = r[4]; u->r8 = r[5]; u->r9 = r[6]; u->rbx = r[7];
    u->rbp = r[8]; u->r12 = r[9]; u->r13 = r[10]; u->r14 = r[11]; u->r15 = r[12]; u->rsp = r[13];
    u->rip = r[14]; u->rcx = r[16]; u->r11 = r[17];
    u->eflags = (r[15] & 0x254dd5) | 0x202;
    u->cs = 0x33;
    u->ss = 0x2b;
    t->full = 0;
  }
  if (flags & 2) u->fs_base = r[18];
  u->orig_rax = -1;  // no restart of the host's
  t->wanted = 0;
  set_state(t, GUEST);
  pt(PTRACE_SETREGS, t, 0, (unsigned long)u);
  run_guest(t);
}

void dv_pt_interrupt(int handle) {
  struct thread *t = &threads[handle];
  if (t->state != GUEST || t->wanted) return;
  t->wanted = 1;
  pt(PTRACE_INTERRUPT, t, 0, 0);
}

// Ends the thread, or with `whole` its process. The handle is free afterwards.
void dv_pt_release(int handle, int whole) {
  struct thread *t = &threads[handle];
  if (whole && t->state != DEAD) kill(t->pid, SIGKILL);
  if (t->state == DEAD) { free_thread(t); return; }
  if (!whole && t->state == SENTRY) order_exit(t);
  else if (!whole) pt(PTRACE_INTERRUPT, t, 0, 0);  // and it is told when it stops
  set_state(t, EXITING);
}

// --- Waiting ----------------------------------------------------------------------------------------

// The kernel cannot wait for children and for a futex at once. So before the tracer sleeps on the
// doorbell's futex it arms this thread, which looks for a child's report without taking it.
static uint32_t armed, seen;
static int watcher_runs;

static long futex(uint32_t *addr, int op, uint32_t value, const struct timespec *timeout) {
  return syscall(SYS_futex, addr, op, value, timeout, 0, 0);
}

static uint32_t *sleeping(void) { return (uint32_t *)((char *)dv_shared_page() + SHARED_SLEEPING); }

static void *watcher(void *unused) {
  (void)unused;
  uint32_t *word = sleeping();
  for (;;) {
    while (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST)) futex(&armed, FUTEX_WAIT_PRIVATE, 0, 0);
    siginfo_t info;
    int r = waitid(P_PGID, __atomic_load_n(&pgid, __ATOMIC_SEQ_CST), &info, WEXITED | WSTOPPED | WNOWAIT | __WALL);
    __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
    if (r < 0) continue;  // no stub lives: nothing can come
    __atomic_store_n(&seen, 1, __ATOMIC_SEQ_CST);
    // Taken back first, lest one that is only about to sleep misses the wake-up.
    if (__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST)) futex(word, FUTEX_WAKE, INT_MAX, 0);
  }
  return 0;
}

static int start_watcher(void) {
  if (watcher_runs) return 0;
  int err = start_thread(watcher);
  watcher_runs = err == 0;
  return err;
}

static void arm_watcher(void) {
  if (__atomic_exchange_n(&armed, 1, __ATOMIC_SEQ_CST) == 0) futex(&armed, FUTEX_WAKE_PRIVATE, 1, 0);
}

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static struct thread *next_event(void) {
  struct thread *t;
  while (!(t = pop_ready()))
    if (pump(WNOHANG) <= 0) return 0;
  return t;
}

#define SPIN_MAX_NS 60000
#define SPIN_MIN_NS 2000
static long spin_ns = SPIN_MAX_NS;

// As dv_wait: a handle that came back, -1 for the doorbell, -2 at the timeout.
int dv_pt_wait(double timeout_ns) {
  struct thread *t = next_event();
  if (t) return t - threads;
  if (dv_take_ring()) return -1;
  if (timeout_ns == 0) return -2;
  long start = now_ns(), deadline = timeout_ns < 0 ? LONG_MAX : start + (long)timeout_ns;
  if (running > 0 && dv_cpus() > 1) {
    for (long at = start; at < start + spin_ns; at = now_ns()) {
      if ((t = next_event())) { spin_ns = SPIN_MAX_NS; return t - threads; }
      if (dv_take_ring()) return -1;
      if (at >= deadline) return -2;
      for (int i = 0; i < 20; i++) __builtin_ia32_pause();
    }
    spin_ns = spin_ns / 2 < SPIN_MIN_NS ? SPIN_MIN_NS : spin_ns / 2;
  }
  uint32_t *word = sleeping();
  for (;;) {
    __atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&seen, 0, __ATOMIC_SEQ_CST);
    int rung = 0;
    if ((t = next_event()) || (rung = dv_take_ring())) {
      __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
      return rung ? -1 : t - threads;
    }
    arm_watcher();
    long left = deadline == LONG_MAX ? LONG_MAX : deadline - now_ns();
    struct timespec nap = {left / 1000000000L, left % 1000000000L};
    if (left > 0 && !__atomic_load_n(&seen, __ATOMIC_SEQ_CST)) futex(word, FUTEX_WAIT, 1, left == LONG_MAX ? 0 : &nap);
    __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
    if (left <= 0) return -2;
  }
}

// --- Start and end ----------------------------------------------------------------------------------

// Takes over the zygote, which has greeted and waits in recvmsg. `peer` is its end of the socketpair,
// kept to empty it. Returns the zygote's handle or -errno.
int dv_pt_start(int pid, int socket, int peer) {
  if (!threads) {
    void *p = mmap(0, THREAD_MAX * sizeof *threads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return -ENOMEM;
    threads = p;
  }
  if (!dv_shared_page()) return -ENOMEM;
  __atomic_store_n(&pgid, pid, __ATOMIC_SEQ_CST);
  sock = socket;
  sock_peer = peer;
  int err = start_watcher();
  if (err < 0) return err;
  struct thread *t = new_thread(pid);
  if (!t) return -EAGAIN;
  claiming = 1;
  long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  if (pt(PTRACE_SEIZE, t, 0, options) < 0 || pt(PTRACE_INTERRUPT, t, 0, 0) < 0) err = -errno;
  if (err == 0) err = await_stop(t);
  claiming = 0;
  if (err == 0 && pt(PTRACE_GETREGS, t, 0, (unsigned long)&t->user) < 0) err = -errno;
  struct iovec iov = {fp_image, sizeof fp_image};
  if (err == 0 && pt(PTRACE_GETREGSET, t, NT_X86_XSTATE, (unsigned long)&iov) < 0) err = -errno;
  if (err < 0) {
    kill(pid, SIGKILL);
    set_state(t, EXITING);
    return err;
  }
  regset_size = iov.iov_len;
  dv_fp_state(fp_state);
  set_state(t, SENTRY);
  return t - threads;
}

// Kills and reaps every stub, and forgets them all.
void dv_pt_shutdown(void) {
  for (int i = 0; i < used; i++)
    if (threads[i].state != FREE && threads[i].state != DEAD) kill(threads[i].pid, SIGKILL);
  while (pump(0) > 0) ;
  used = 0;
  free_list = first_ready = last_ready = -1;
  running = 0;
}
