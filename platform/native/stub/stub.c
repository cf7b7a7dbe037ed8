// The code that runs inside every guest address space: it turns the guest's system calls and faults
// into events for the Sentry, and carries out the Sentry's commands. It decides nothing.
//
// Compiled without FP or vector registers (-mgeneral-regs-only), so that the guest's stay live in
// the CPU while it runs. It has no data of its own; everything it knows is in the slot, which the
// guest can write: a guest that does so harms itself alone.
#include "slot.h"

#include <stddef.h>  // Before <asm/signal.h>: older ones take size_t from it.
#include <linux/types.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/time.h>

typedef uint64_t u64;
typedef int64_t i64;
typedef uint32_t u32;
typedef int32_t i32;

_Static_assert(offsetof(struct slot, regs) == SLOT_REGS, "regs");
_Static_assert(offsetof(struct slot, fp_image) == SLOT_FP, "fp_image");
_Static_assert(offsetof(struct slot, entry) == SLOT_ENTRY, "entry");
_Static_assert(offsetof(struct slot, self) == SLOT_SELF, "self");
_Static_assert(offsetof(struct slot, interrupted) == SLOT_INTR, "interrupted");
_Static_assert(offsetof(struct slot, commands) == SLOT_COMMANDS, "commands");
_Static_assert(sizeof(struct slot) <= SLOT_ALTSTACK, "slot header");
_Static_assert(ANSWERS_FIRST + ANSWER_COUNT * sizeof(struct answer) <= ANSWERS_SIZE, "answers");

extern char stub_text_begin[], stub_text_end[], stub_entry[], resume_begin[], resume_end[];
extern char copy_begin[], copy_fixup[], copy_end[], string_load[], string_fixup[], fp_begin[], fp_fixup[];
extern char futex_begin[], futex_syscall[], futex_abort[], signal_return[];
u64 stub_call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
i64 futex_call(struct slot *s);
u64 guest_copy(void *dst, const void *src, u64 n);
u64 guest_zero(void *dst, u64 n);
i64 guest_string(void *dst, const void *src, u64 limit);
u64 fp_save(u64 addr, u64 components), fp_load(u64 addr);
void fp_load_trusted(u64 addr);
i64 stub_fork(u64 memfd, u64 sock);
i64 stub_thread(u64 flags, struct slot *slot, volatile u32 *alive);
_Noreturn void resume_full(struct slot *s);

enum {
  SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_stat = 4, SYS_fstat = 5, SYS_lstat = 6, SYS_lseek = 8, SYS_mmap = 9, SYS_mprotect = 10, SYS_munmap = 11, SYS_brk = 12, SYS_rt_sigaction = 13,
  SYS_rt_sigreturn = 15, SYS_ioctl = 16, SYS_pread64 = 17, SYS_sched_yield = 24, SYS_mremap = 25, SYS_msync = 26, SYS_mincore = 27,
  SYS_access = 21, SYS_madvise = 28, SYS_sendto = 44, SYS_sendmsg = 46, SYS_recvmsg = 47, SYS_clone = 56, SYS_execve = 59, SYS_exit = 60,
  SYS_readlink = 89, SYS_getrusage = 98, SYS_sigaltstack = 131, SYS_prctl = 157, SYS_arch_prctl = 158, SYS_gettid = 186, SYS_futex = 202,
  SYS_restart_syscall = 219, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_openat = 257, SYS_newfstatat = 262, SYS_readlinkat = 267, SYS_faccessat = 269, SYS_dup3 = 292, SYS_prlimit64 = 302, SYS_seccomp = 317, SYS_membarrier = 324, SYS_rseq = 334,
  SYS_futex_waitv = 449, SYS_futex_wake = 454, SYS_futex_wait = 455, SYS_futex_requeue = 456,
};
// A host signal came before the gate saw the clone.
#define EINTR_RESULT -4
#define EINVAL_RESULT -22
#define EFAULT_RESULT -14
#define ENOTTY_RESULT -25
enum { AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_NO_AUTOMOUNT = 0x800, AT_EMPTY_PATH = 0x1000, ANSWER_STAT_MODE = 24, ANSWER_STAT_SIZE_OFF = 48 };
enum { O_CREAT = 0100, O_NOFOLLOW = 0400000, O_TMPFILE_BIT = 020000000, SEEK_SET = 0, SEEK_CUR = 1, TCGETS = 0x5401 };
enum { S_IFMT = 0170000, S_IFREG = 0100000, S_IFLNK = 0120000, RLIMIT_STACK = 3, ARCH_SET_FS = 0x1002, READ_MAX = 0x7ffff000 };
enum { PR_SET_PDEATHSIG = 1, ROBUST_LIST_HEAD_SIZE = 24, SIGSET_SIZE = 8, RSEQ_SIZE = 32, MADV_DONTNEED = 4 };
// Long: what it is for hardly ever happens, and a timer can cost the host 10 us and more.
enum { UNHEARD_NAP_NS = 2000000 };
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, INTERRUPT_SIGNAL = 34 };
#define THREAD_FLAGS 0x00250f00  // VM FS FILES SIGHAND THREAD SYSVSEM CHILD_CLEARTID

#define SHARED32(offset) (*(volatile u32 *)(SHARED_BASE + (offset)))
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

static inline void cpu_pause(void) { __builtin_ia32_pause(); }

static _Noreturn void die(void) {
  for (;;) stub_call(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

// --- Hand-off -------------------------------------------------------------------------------------

// Wakes the Sentry if it sleeps. The word that says so is read-only here, so a Sentry that has set it and
// is not yet in the futex is not kept from it. Nonzero: it said that it sleeps, and nobody was woken.
// Then it is about to sleep, or somebody else has woken it and it has not run yet.
static u32 knock(void) {
  return __atomic_load_n(&SHARED32(SHARED_SLEEPING), __ATOMIC_SEQ_CST) &&
         (i64)stub_call(SYS_futex, SHARED_BASE + SHARED_SLEEPING, FUTEX_WAKE, 0x7fffffff, 0, 0, 0) <= 0;
}

// What the Sentry polls is written at once: it takes the cache line away as soon as it can.
static void publish_with(struct slot *s, u32 event, u32 nprefetched) {
  s->nr = s->regs[20];
  s->event = event;
  s->interrupted = 0;
  s->nprefetched = nprefetched;
  __atomic_store_n(&s->state, STATE_SENTRY, __ATOMIC_SEQ_CST);
  // On another processor it is in the futex in no time. On this one it needs this thread to sleep.
  u32 knocks = SHARED32(SHARED_CPU) == current_cpu() ? 1 : 3;
  for (; knocks > 0 && LOAD(s->state) == STATE_SENTRY; knocks--)
    if (!knock()) return;
  s->unheard = 1;
}

static void nap(struct slot *s, u32 state) {
  const struct { i64 seconds, ns; } length = {0, UNHEARD_NAP_NS};
  stub_call(SYS_futex, (u64)&s->state, FUTEX_WAIT, state, s->unheard ? (u64)&length : 0, 0, 0);
  if (s->unheard) s->unheard = knock();
}

static void publish(struct slot *s, u32 event) { publish_with(s, event, 0); }

// There is one processor: the Sentry answers when this thread leaves it.
static void yield_for_reply(struct slot *s) {
  for (int i = 0; i < YIELDS_MAX && LOAD(s->state) != STATE_REPLY && !(s->reply & REPLY_PARK); i++)
    stub_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static void await_reply(struct slot *s) {
  u32 spin = SHARED32(SHARED_SPIN);
  // On the Sentry's own processor it cannot answer while this thread spins.
  if (spin == SPIN_YIELDS) {
    yield_for_reply(s);
    spin = 0;
  } else if (SHARED32(SHARED_CPU) == current_cpu() || s->unheard) spin = 0;
  for (u32 i = 0; i < spin; i++) {
    if (LOAD(s->state) == STATE_REPLY) return;
    if (s->reply & REPLY_PARK) break;
    cpu_pause();
  }
  for (;;) {
    __atomic_store_n(&s->sleeping, 1 + current_cpu(), __ATOMIC_SEQ_CST);
    u32 state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);
    if (state == STATE_REPLY) break;
    nap(s, state);
  }
  s->up = __builtin_ia32_rdtsc();
  s->sleeping = 0;
  s->unheard = 0;
}

// --- Commands -------------------------------------------------------------------------------------

struct msghdr { void *name; u32 namelen, p0; struct iov { void *base; u64 len; } *iov; u64 iovlen; void *control; u64 controllen; u32 flags, p1; };
struct cmsg { u64 len; u32 level, type; int fds[FDS_MAX]; };

// Slots are counted from the end of the region.
static inline struct slot *slot_at(u32 index) {
  return (struct slot *)(CONTROL_BASE + ((u64)(SLOT_MAX - 1 - index) << SLOT_SHIFT));
}

// Every message carries the slot index it is for: threads of one process share the socket, so the
// one that receives hands the descriptors to the slot they belong to.
static void receive_fds(struct slot *s, int *fds) {
  struct slot *lock = slot_at(0);
  for (;;) {
    if (LOAD(s->fd_ready[0]) >= 0) break;
    u32 expected = 0;
    if (!__atomic_compare_exchange_n(&lock->fd_lock, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      stub_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
      continue;
    }
    if (LOAD(s->fd_ready[0]) < 0) {
      u32 index = 0xffffffff;
      struct iov iov = {&index, sizeof index};
      struct cmsg control = {0};
      struct msghdr msg = {0, 0, 0, &iov, 1, &control, sizeof control, 0, 0};
      i64 n = stub_call(SYS_recvmsg, FD_SOCKET, (u64)&msg, 0x40000000 /* MSG_CMSG_CLOEXEC */, 0, 0, 0);
      if (n == sizeof index && index < SLOT_MAX && control.len >= 20) {
        struct slot *to = slot_at(index);
        for (u32 i = 1; i < FDS_MAX; i++) to->fd_ready[i] = control.len >= 20 + 4 * i ? control.fds[i] : -1;
        STORE(to->fd_ready[0], control.fds[0]);
      } else if (n != -4 /* EINTR */) {
        die();
      }
    }
    STORE(lock->fd_lock, 0);
  }
  for (u32 i = 0; i < FDS_MAX; i++) {
    fds[i] = s->fd_ready[i];
    s->fd_ready[i] = -1;
  }
}

static void close_mapped(int *mapped) {
  for (u32 i = 0; i < FDS_MAX && mapped[i] >= 0; i++) {
    stub_call(SYS_close, mapped[i], 0, 0, 0, 0, 0);
    mapped[i] = -1;
  }
}

static void settle_fp(struct slot *s) {
  if (s->fp_image == 0) return;
  fp_load_trusted(s->fp_image);
  s->fp_image = 0;
}

static i64 do_fork(struct slot *s) {
  int fds[FDS_MAX];
  receive_fds(s, fds);
  if (fds[1] < 0) return -9;
  settle_fp(s);
  i64 r;
  do r = stub_fork(fds[0], fds[1]); while (r == EINTR_RESULT);
  stub_call(SYS_close, fds[0], 0, 0, 0, 0, 0);
  stub_call(SYS_close, fds[1], 0, 0, 0, 0, 0);
  return r;
}

static i64 do_thread(struct slot *s, u32 index) {
  if (index >= SLOT_MAX) return -22;
  settle_fp(s);
  struct slot *child = slot_at(index);
  child->alive = 1;
  i64 r;
  do r = stub_thread(THREAD_FLAGS, child, &child->alive); while (r == EINTR_RESULT);
  if (r < 0) child->alive = 0;
  return r;
}

// The initial FP state, as XRSTOR takes it: an empty header makes every component initial.
static void reset_fp(struct slot *s, u32 mxcsr, u32 fcw) {
  u64 *image = (u64 *)((char *)s + SLOT_ALTSTACK_END);
  for (int i = 0; i < 72; i++) image[i] = 0;
  // Bits that MXCSR does not have would fault: the mask of all processors with SSE2 is enough.
  ((uint16_t *)image)[0] = fcw ? fcw : 0x37f;
  ((u32 *)image)[6] = mxcsr ? mxcsr & 0xffff : 0x1f80;
  fp_load_trusted((u64)image);
  s->fp_image = 0;
}

static i64 save_fp(struct slot *s, u64 addr, u64 size, u64 components) {
  if (s->fp_image) {
    // The kernel's signal frame holds a standard-format image of the same size; its software bytes
    // (offset 464) are the caller's to overwrite.
    if (guest_copy((void *)addr, (void *)s->fp_image, size)) return -14;
  } else {
    if (guest_zero((void *)(addr + 512), 64)) return -14;
    if (fp_save(addr, components)) return -14;
  }
  return 0;
}

static i64 load_fp(struct slot *s, u64 addr, u32 mxcsr, u32 fcw) {
  if (addr == 0) {
    reset_fp(s, mxcsr, fcw);
    return 0;
  }
  // In place and at once; a malformed image faults here and fails the command.
  if ((addr & 63) || fp_load(addr)) return -14;
  s->fp_image = 0;
  return 0;
}

// mapped: the descriptors that were received last, then -1.
static i64 perform(struct slot *s, const struct command *c, int *mapped) {
  switch (c->op) {
    case CMD_CALL:
      return stub_call(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
    case CMD_CALL_RESULT:
      s->result = stub_call(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
      return 0;
    case CMD_MMAP_FD:
      close_mapped(mapped);
      receive_fds(s, mapped);
      __attribute__((fallthrough));
    case CMD_MMAP_SAME:
      return stub_call(SYS_mmap, c->a[0], c->a[1], c->a[2], c->a[3], mapped[c->a[4] % FDS_MAX], c->a[5]);
    case CMD_COPY_OUT:
      if (c->a[2] > SLOT_SIZE || c->a[1] > SLOT_SIZE) return -22;
      return guest_copy((void *)c->a[0], (char *)s + c->a[2], c->a[1]) ? -14 : 0;
    case CMD_COPY_IN:
      if (c->a[2] > SLOT_SIZE || c->a[1] > SLOT_SIZE) return -22;
      s->result = c->a[1] - guest_copy((char *)s + c->a[2], (void *)c->a[0], c->a[1]);
      return 0;
    case CMD_ZERO:
      return guest_zero((void *)c->a[0], c->a[1]) ? -14 : 0;
    case CMD_SAVE_FP:
      return save_fp(s, c->a[0], c->a[1], c->a[2]);
    case CMD_LOAD_FP:
      return load_fp(s, c->a[0], c->a[1], c->a[2]);
    case CMD_FORK:
      close_mapped(mapped);
      return do_fork(s);
    case CMD_THREAD:
      return do_thread(s, c->a[0]);
    case CMD_EXIT:
      stub_call(c->a[0] ? SYS_exit_group : SYS_exit, 0, 0, 0, 0, 0, 0);
      die();
  }
  return -38;
}

// Carries out replies until one gives the thread back to the guest. Returns that reply's flags.
static u32 serve(struct slot *s) {
  for (;;) {
    await_reply(s);
    u32 flags = s->reply, n = s->ncommands, i = s->first;
    if (!(flags & (REPLY_FULL | REPLY_FLUSH))) s->regs[0] = s->rax;
    // The usual reply: the state stays as it is, since a store to it would fetch the line back.
    if (n == 0 && !(flags & (REPLY_FLUSH | REPLY_PARK))) return flags;
    // A flush that parks: nobody will answer soon, and others want the processor.
    s->reply = flags & REPLY_FLUSH ? flags & REPLY_PARK : 0;
    s->ncommands = s->first = 0;
    u32 event = EVENT_FLUSHED;
    int mapped[FDS_MAX] = {-1, -1, -1, -1};
    if (n > SLOT_COMMAND_MAX) n = SLOT_COMMAND_MAX;
    for (; i < n; i++) {
      i64 r = perform(s, &s->commands[i], mapped);
      if (r < 0 && r >= -4095) {
        s->failed = i;
        s->result = r;
        event = EVENT_CALL_FAILED;
        break;
      }
    }
    close_mapped(mapped);
    if (event == EVENT_FLUSHED && !(flags & REPLY_FLUSH)) {
      // Before the look at `interrupted` that follows: the Sentry stores and looks the other way round.
      __atomic_store_n(&s->state, STATE_GUEST, __ATOMIC_SEQ_CST);
      return flags;
    }
    publish(s, event);
  }
}

// --- Prefetch: the call's memory operands go into the arena before the Sentry looks -------------------

// A descriptor is up to three fields of ten bits: kind (3), argument (3), parameter (4).
enum { PREFETCH_PATH = 1, PREFETCH_BUFFER = 2, PREFETCH_FIXED = 3, PREFETCH_IOVEC = 4, PREFETCH_USAGE = 5, PREFETCH_CPU_TIME = 6, PREFETCH_ROBUST = 7 };
#define ARENA_IN_SIZE (SLOT_ARENA_OUT - SLOT_ARENA_IN)
// Bytes of a write beyond this are left to the slow road, which moves them once.
#define BUFFER_MAX 65536

static u32 prefetch_range(struct slot *s, u32 *count, u32 used, u64 addr, u64 length) {
  if (length == 0 || used + length > ARENA_IN_SIZE || *count >= SLOT_PREFETCH_MAX) return used;
  if (addr >= TASK_SIZE_GUEST || guest_copy((char *)s + SLOT_ARENA_IN + used, (void *)addr, length)) return used;
  struct prefetched *p = &s->prefetched[(*count)++];
  p->addr = addr;
  p->length = length;
  p->offset = SLOT_ARENA_IN + used;
  return used + ((length + 63) & ~63ul);
}

static u32 prefetch_path(struct slot *s, u32 *count, u32 used, u64 addr) {
  if (addr >= TASK_SIZE_GUEST || used + 4096 > ARENA_IN_SIZE || *count >= SLOT_PREFETCH_MAX) return used;
  i64 n = guest_string((char *)s + SLOT_ARENA_IN + used, (void *)addr, 4096);
  if (n < 0 || n >= 4096) return used;
  struct prefetched *p = &s->prefetched[(*count)++];
  p->addr = addr;
  p->length = n + 1;
  p->offset = SLOT_ARENA_IN + used;
  return used + ((n + 64) & ~63ul);
}

static u32 prefetch_iovec(struct slot *s, u32 *count, u32 used, u64 addr, u64 vectors) {
  if (vectors == 0 || vectors > 64) return used;
  u32 at = used;
  used = prefetch_range(s, count, used, addr, vectors * 16);
  if (used == at) return used;
  const u64 *iov = (const u64 *)((char *)s + SLOT_ARENA_IN + at);
  for (u64 i = 0; i < vectors && i < SLOT_PREFETCH_MAX - 1; i++)
    if (iov[2 * i + 1] <= BUFFER_MAX) used = prefetch_range(s, count, used, iov[2 * i], iov[2 * i + 1]);
  return used;
}

// The answer of a host call about the process or thread, which ends: its second argument is filled.
static u32 prefetch_call(struct slot *s, u32 *count, u32 used, u64 nr, u64 what, u32 size, u64 addr) {
  if (used + size > ARENA_IN_SIZE || *count >= SLOT_PREFETCH_MAX) return used;
  if (stub_call(nr, what, (u64)s + SLOT_ARENA_IN + used, 0, 0, 0, 0)) return used;
  struct prefetched *p = &s->prefetched[(*count)++];
  p->addr = addr;
  p->length = size;
  p->offset = SLOT_ARENA_IN + used;
  return used + ((size + 63) & ~63u);
}

// Returns how many ranges it copied.
static u32 prefetch(struct slot *s, u32 spec) {
  static const uint8_t fixed[16] = {4, 8, 16, 24, 32, 48, 56, 64, 88, 128, 144, 12, 20, 112, 152, 40};
  u32 used = 0, n = 0;
  for (; spec; spec >>= 10) {
    u32 kind = spec & 7, arg = spec >> 3 & 7, param = spec >> 6 & 15;
    // Argument order rdi, rsi, rdx, r10, r8, r9 is registers 1..6 of the slot.
    if (kind == PREFETCH_USAGE) {
      used = prefetch_call(s, &n, used, SYS_getrusage, 0 /* RUSAGE_SELF */, 144, USAGE_ADDR);
      continue;
    }
    if (kind == PREFETCH_CPU_TIME) {
      used = prefetch_call(s, &n, used, SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, 16, CPU_TIME_ADDR);
      continue;
    }
    if (kind == PREFETCH_ROBUST) {
      used = prefetch_range(s, &n, used, s->robust, ROBUST_LIST_HEAD_SIZE);
      continue;
    }
    u64 addr = s->regs[1 + (arg < 6 ? arg : 0)];
    if (addr == 0) continue;
    if (kind == PREFETCH_PATH) used = prefetch_path(s, &n, used, addr);
    else if (kind == PREFETCH_FIXED) used = prefetch_range(s, &n, used, addr, fixed[param]);
    else {
      u64 count = s->regs[1 + (param < 6 ? param : 0)];
      if (kind == PREFETCH_BUFFER) {
        if (count <= BUFFER_MAX) used = prefetch_range(s, &n, used, addr, count);
      } else used = prefetch_iovec(s, &n, used, addr, count);
    }
  }
  return n;
}

// --- What needs no Sentry ---------------------------------------------------------------------------

// Waiting and waking without an owner: the host's futexes work on the same memory.
static int is_plain_futex(u32 op) {
  const u32 plain = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 10;
  u32 command = op & 127;
  return (op & ~(127u | 128 | 256)) == 0 && command < 11 && (plain >> command & 1);
}

static int is_futex_wait(u32 op) {
  u32 command = op & 127;
  return command == 0 /* FUTEX_WAIT */ || command == 9 /* FUTEX_WAIT_BITSET */;
}

// The guest's futex call, which may wait; -4 when a signal ended it.
static i64 wait_in_host(struct slot *s) {
  s->waiting = 1;
  i64 r = futex_call(s);
  s->waiting = 0;
  return r;
}

static i64 call_as_asked(const struct slot *s, u64 nr) {
  return (i64)stub_call(nr, s->regs[1], s->regs[2], s->regs[3], s->regs[4], s->regs[5], s->regs[6]);
}

// --- The futex calls of Linux 6.7 --------------------------------------------------------------------

enum { FUTEX_CMP_REQUEUE = 4, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10, FUTEX_CLOCK_REALTIME = 256 };
enum { FUTEX2_SIZE_U32 = 2, FUTEX2_PRIVATE = 128 /* FUTEX_PRIVATE_FLAG, too */ };
struct futex_waitv { u64 value, addr; u32 flags, reserved; };

// Fill in regs[1..6] of the call of futex that does what was asked; return its flags, or 0, which are none,
// for what the Sentry refuses (or does, if the guest has changed it by then: it knows of no waiter).

static u32 as_futex_requeue(const u64 *asked, u64 *regs) {
  struct futex_waitv from_to[2], *from = &from_to[0], *to = &from_to[1];
  if (asked[1] >= TASK_SIZE_GUEST || (u32)asked[2]) return 0;
  if (guest_copy(from_to, (const void *)asked[1], sizeof from_to)) return 0;
  if (from->flags != to->flags || from->reserved | to->reserved || (from->value | to->value) >> 32) return 0;
  regs[1] = from->addr; regs[2] = FUTEX_CMP_REQUEUE; regs[3] = asked[3];
  regs[4] = asked[4]; regs[5] = to->addr; regs[6] = from->value;
  return from->flags;
}

static u32 as_futex_wake(const u64 *asked, u64 *regs) {
  // None are woken: futex cannot do it.
  if (asked[2] >> 32 || (u32)asked[3] == 0) return 0;
  regs[1] = asked[1]; regs[2] = FUTEX_WAKE_BITSET; regs[3] = asked[3];
  regs[4] = regs[5] = 0; regs[6] = asked[2];
  return asked[4];
}

static u32 as_futex_wait(const u64 *asked, u64 *regs) {
  u64 limit = asked[5];
  u32 clock = asked[6];
  if ((asked[2] | asked[3]) >> 32 || (limit && clock > CLOCK_MONOTONIC)) return 0;
  u32 wall = limit && clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
  regs[1] = asked[1]; regs[2] = FUTEX_WAIT_BITSET | wall; regs[3] = asked[2];
  regs[4] = limit; regs[5] = 0; regs[6] = asked[3];
  return asked[4];
}

// As serve_locally.
static int serve_futex2(struct slot *s, u64 nr) {
  enum { OPERANDS = 7 };
  u64 asked[OPERANDS], regs[OPERANDS];
  for (u32 i = 1; i < OPERANDS; i++) asked[i] = s->regs[i];
  u32 flags = nr == SYS_futex_wait ? as_futex_wait(asked, regs)
            : nr == SYS_futex_wake ? as_futex_wake(asked, regs) : as_futex_requeue(asked, regs);
  if ((flags & ~FUTEX2_PRIVATE) != FUTEX2_SIZE_U32 || regs[1] >= TASK_SIZE_GUEST) return 0;
  regs[2] |= flags & FUTEX2_PRIVATE;
  for (u32 i = 1; i < OPERANDS; i++) s->regs[i] = regs[i];
  s->regs[20] = SYS_futex;
  i64 r = nr == SYS_futex_wait ? wait_in_host(s) : call_as_asked(s, SYS_futex);
  for (u32 i = 1; i < OPERANDS; i++) s->regs[i] = asked[i];
  s->regs[20] = nr;
  if (r == -4) return 0;
  s->regs[0] = r;
  return 1;
}

// --- Answers: what the Sentry has found a path to be ------------------------------------------------
// The guest may write what is copied into the arena here while it is read: it may misinform itself so.

#define ANSWERS(type, offset) ((const volatile type *)(ANSWERS_BASE + (offset)))

// A call about what a path is, as find_answer wants it.
struct question {
  u64 path;
  i32 dir;     // the descriptor at which a relative path starts
  u32 follow;  // ANSWER_FOLLOW or ANSWER_NOFOLLOW
};

static u32 answer_hash(u32 place, const uint8_t *path, u32 length) {
  u32 hash = (ANSWER_HASH_START ^ place) * ANSWER_HASH_STEP;
  for (u32 i = 0; i < length; i++) hash = (hash ^ path[i]) * ANSWER_HASH_STEP;
  return hash ^ hash >> 15;
}

static int is_path(const volatile struct answer *a, const uint8_t *path, u32 length) {
  if (a->length != length) return 0;
  for (u32 i = 0; i < length; i++)
    if (a->path[i] != path[i]) return 0;
  return 1;
}

// A serial of 0 is nobody's, so an answer that has become void is not `still_true`.
static int still_true(const volatile struct answer *a, u32 serial) {
  return LOAD(a->serial) == serial && a->generation == *ANSWERS(u32, ANSWERS_GENERATION);
}

static const volatile struct answer *find_answer(struct slot *s, const struct question *q, u32 *serial) {
  uint8_t *path = (uint8_t *)s + SLOT_ARENA_IN;
  if (s->words[WORD_VIEW] != 1 || q->path >= TASK_SIZE_GUEST) return 0;
  i64 length = guest_string(path, (void *)q->path, ANSWER_PATH_MAX + 1);
  if (length <= 0 || length > ANSWER_PATH_MAX) return 0;
  u32 place = 0;
  if (path[0] != '/') {
    place = s->words[WORD_PLACE];
    if (q->dir != AT_FDCWD || place == 0) return 0;
  }
  u32 hash = answer_hash(place, path, length);
  const volatile uint16_t *way = ANSWERS(uint16_t, ANSWERS_INDEX) + hash % ANSWER_BUCKETS * ANSWER_WAYS;
  for (u32 i = 0; i < ANSWER_WAYS; i++) {
    u32 number = way[i];
    if (number == 0 || number > ANSWER_COUNT) continue;
    const volatile struct answer *a = ANSWERS(struct answer, ANSWERS_FIRST) + number - 1;
    *serial = LOAD(a->serial);
    if (*serial == 0 || a->hash != hash || a->place != place || !(a->follow & q->follow)) continue;
    if (is_path(a, path, length) && still_true(a, *serial)) return a;
  }
  return 0;
}

// Each of these: nonzero when the call is done, its result in regs[0].

static int tell_stat(struct slot *s, const volatile struct answer *a, u32 serial, u64 out) {
  if (out >= TASK_SIZE_GUEST) return 0;
  i64 error = a->error;
  u64 *copy = (u64 *)((char *)s + SLOT_ARENA_IN);
  for (u32 i = 0; i < ANSWER_STAT_SIZE / 8; i++) copy[i] = ((const volatile u64 *)a->stat)[i];
  if (!still_true(a, serial)) return 0;
  if (error == 0 && guest_copy((void *)out, copy, ANSWER_STAT_SIZE)) return 0;
  s->regs[0] = error;
  return 1;
}

static int stat_locally(struct slot *s, const struct question *q, u64 out) {
  u32 serial;
  const volatile struct answer *a = find_answer(s, q, &serial);
  return a ? tell_stat(s, a, serial, out) : 0;
}

// What opens a file of no such name.
static int miss_locally(struct slot *s, const struct question *q) {
  u32 serial;
  const volatile struct answer *a = find_answer(s, q, &serial);
  if (!a) return 0;
  i64 error = a->error;
  if (!still_true(a, serial) || error == 0) return 0;
  s->regs[0] = error;
  return 1;
}

static int open_locally(struct slot *s, u64 nr) {
  const u64 *a = &s->regs[1];
  struct question q = {a[0], AT_FDCWD, ANSWER_FOLLOW};
  if (nr != SYS_execve) {
    if (nr == SYS_openat) q = (struct question){a[1], (i32)a[0], ANSWER_FOLLOW};
    u32 flags = nr == SYS_openat ? a[2] : a[1];
    if (s->words[WORD_ROOM] != 1 || (flags & (O_CREAT | O_TMPFILE_BIT))) return 0;
    if (flags & O_NOFOLLOW) q.follow = ANSWER_NOFOLLOW;
  }
  return miss_locally(s, &q);
}

static int access_locally(struct slot *s, const struct question *q, u64 mode) {
  u32 serial;
  const volatile struct answer *a = (u32)mode & ~7u ? 0 : find_answer(s, q, &serial);
  if (!a) return 0;
  i64 error = a->error;
  if (!still_true(a, serial) || (error == 0 && (u32)mode != 0)) return 0;
  s->regs[0] = error;
  return 1;
}

static int readlink_locally(struct slot *s, const struct question *q, i32 size) {
  u32 serial;
  const volatile struct answer *a = size <= 0 ? 0 : find_answer(s, q, &serial);
  if (!a) return 0;
  i64 error = a->error;
  u32 mode = *(const volatile u32 *)(a->stat + ANSWER_STAT_MODE);
  if (!still_true(a, serial) || (error == 0 && (mode & S_IFMT) == S_IFLNK)) return 0;
  s->regs[0] = error ? error : EINVAL_RESULT;
  return 1;
}

// --- Descriptors that are nobody else's business -----------------------------------------------------

static int is_quiet(struct slot *s, u32 fd) {
  return fd < QUIET_FDS && (LOAD(s->quiet) >> fd & 1);
}

// Each side tells the other before it looks: the Sentry takes back what is open before it looks at what is closed. So
// a descriptor that was taken back meanwhile is closed by the Sentry, or by nobody yet.
static int close_locally(struct slot *s, u32 fd) {
  if (!is_quiet(s, fd)) return 0;
  u32 bit = 1u << fd;
  __atomic_fetch_or(&s->closed, bit, __ATOMIC_SEQ_CST);
  int was_quiet = __atomic_fetch_and(&s->quiet, ~bit, __ATOMIC_SEQ_CST) & bit;
  if (!was_quiet && (__atomic_fetch_and(&s->closed, ~bit, __ATOMIC_SEQ_CST) & bit)) return 0;
  s->regs[0] = 0;
  return 1;
}

static int is_known(struct slot *s, u32 fd) {
  return s->known == fd + 1 && is_quiet(s, fd);
}

static const volatile struct answer *answer_of(struct slot *s, u32 fd, u32 *serial) {
  if (!is_known(s, fd) || s->words[WORD_VIEW] != 1) return 0;
  u32 number = s->answer;
  *serial = s->serial;
  if (number == 0 || number > ANSWER_COUNT || *serial == 0) return 0;
  const volatile struct answer *a = ANSWERS(struct answer, ANSWERS_FIRST) + number - 1;
  return still_true(a, *serial) ? a : 0;
}

static int fstat_locally(struct slot *s, u32 fd, u64 out) {
  u32 serial;
  const volatile struct answer *a = answer_of(s, fd, &serial);
  return a ? tell_stat(s, a, serial, out) : 0;
}

// Of a regular file: what lies in the slot, and at its end nothing. Nonzero when that is all that is asked for.
static int read_locally(struct slot *s, u32 fd, u64 buffer, u64 count, u64 at) {
  u32 serial;
  const volatile struct answer *a = answer_of(s, fd, &serial);
  if (!a || count > READ_MAX || buffer >= TASK_SIZE_GUEST || count > TASK_SIZE_GUEST - buffer) return 0;
  u32 mode = *(const volatile u32 *)(a->stat + ANSWER_STAT_MODE);
  u64 size = *(const volatile u64 *)(a->stat + ANSWER_STAT_SIZE_OFF);
  if ((mode & S_IFMT) != S_IFREG) return 0;
  u64 n = at >= size ? 0 : size - at < count ? size - at : count;
  if (n && (at >= SLOT_HEAD_SIZE || at + n > s->head)) return 0;
  if (!still_true(a, serial) || (n && guest_copy((void *)buffer, (char *)s + SLOT_HEAD + at, n))) return 0;
  s->reads++;
  s->read_bytes += n;
  s->regs[0] = n;
  return 1;
}

static int read_on(struct slot *s, u32 fd, u64 buffer, u64 count) {
  if (!s->fresh || !read_locally(s, fd, buffer, count, s->at)) return 0;
  if (s->regs[0]) {
    s->at += s->regs[0];
    STORE(s->moved, 1);
  }
  return 1;
}

static int seek_locally(struct slot *s, u32 fd, u64 offset, u32 whence) {
  u64 at = s->at;
  if (!s->fresh || !is_known(s, fd) || offset != 0 || !(whence == SEEK_CUR || (whence == SEEK_SET && at == 0))) return 0;
  s->regs[0] = at;
  return 1;
}

static int file_locally(struct slot *s, u64 nr) {
  const u64 *a = &s->regs[1];
  u32 fd = a[0];
  if (nr == SYS_close) return close_locally(s, fd);
  if (nr == SYS_fstat) return fstat_locally(s, fd, a[1]);
  if (nr == SYS_read) return read_on(s, fd, a[1], a[2]);
  if (nr == SYS_pread64) return a[3] <= INT64_MAX - READ_MAX && read_locally(s, fd, a[1], a[2], a[3]);
  if (nr == SYS_lseek) return seek_locally(s, fd, a[1], a[2]);
  if (!is_quiet(s, fd) || (u32)a[1] != TCGETS) return 0;
  s->regs[0] = ENOTTY_RESULT;
  return 1;
}

// Whether a call that the Sentry serves leaves the file that is known where it is, or moves it by its result.
static int keeps_fresh(const struct slot *s, u64 nr) {
  return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_brk || nr == SYS_pread64 ||
         (nr == SYS_read && (u32)s->regs[1] + 1 == s->known);
}

static int is_empty_path(u64 path) {
  char first;
  return path < TASK_SIZE_GUEST && guest_copy(&first, (const void *)path, 1) == 0 && first == 0;
}

static int answer_locally(struct slot *s, u64 nr) {
  const u64 *a = &s->regs[1];
  struct question direct = {a[0], AT_FDCWD, ANSWER_FOLLOW}, at = {a[1], (i32)a[0], ANSWER_FOLLOW};
  switch (nr) {
    case SYS_stat:
      return stat_locally(s, &direct, a[1]);
    case SYS_lstat:
      direct.follow = ANSWER_NOFOLLOW;
      return stat_locally(s, &direct, a[1]);
    case SYS_newfstatat:
      if ((u32)a[3] == AT_EMPTY_PATH && is_empty_path(a[1])) return fstat_locally(s, a[0], a[2]);
      if (a[3] & AT_SYMLINK_NOFOLLOW) at.follow = ANSWER_NOFOLLOW;
      return ((u32)a[3] & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) ? 0 : stat_locally(s, &at, a[2]);
    case SYS_access:
      return access_locally(s, &direct, a[1]);
    case SYS_faccessat:
      return access_locally(s, &at, a[2]);
    case SYS_readlink:
      direct.follow = ANSWER_NOFOLLOW;
      return readlink_locally(s, &direct, a[2]);
    case SYS_readlinkat:
      at.follow = ANSWER_NOFOLLOW;
      return readlink_locally(s, &at, a[3]);
  }
  return 0;
}

#define SIGNAL_BIT(signal) (1ul << ((signal) - 1))

// SIG_DFL, as the C library sets it, for a signal whose action it is: nothing changes but what later questions are
// answered, so the Sentry, which the next call tells, needs to know it no sooner. Where SIG_DFL discards what is
// pending, or fails, the Sentry sets it.
static int default_again(struct slot *s, u64 index, u64 from) {
  const u64 for_sentry = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |
                         SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP);
  struct { u64 handler, flags, restorer, mask; } action;
  if (s->words[WORD_SOLE] != 1 || (for_sentry >> index & 1) || from >= TASK_SIZE_GUEST) return 0;
  if (guest_copy(&action, (const void *)from, sizeof action)) return 0;
  if (action.handler != 0 || action.flags != SA_RESTORER || action.mask != 0) return 0;
  if (s->defaulted && s->restorer != action.restorer) return 0;
  s->restorer = action.restorer;
  s->defaulted |= 1ul << index;
  s->words[WORD_UNTOUCHED + index / 32] &= ~(1u << index % 32);
  return 1;
}

// About an action that nobody has set. Programs ask for all signals when they start, and ask for all, or set them
// to their default, when they start another.
static int serve_action(struct slot *s) {
  enum { SIGACTION_SIZE = 32, SIGNALS = 64 };
  u64 index = (u32)s->regs[1] - 1, new = s->regs[2], old = s->regs[3];
  if (index >= SIGNALS || s->regs[4] != SIGSET_SIZE) return 0;
  if (!(s->words[WORD_UNTOUCHED + index / 32] >> index % 32 & 1) || old >= TASK_SIZE_GUEST) return 0;
  if (new && !default_again(s, index, new)) return 0;
  if (old && guest_zero((void *)old, SIGACTION_SIZE)) return 0;
  s->regs[0] = 0;
  return 1;
}

// The mask is set before the look at `pending`; the Sentry, who sends a signal, sets that before it looks at the mask.
static int serve_mask(struct slot *s) {
  const u64 unblockable = SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP);
  u64 from = s->regs[2], old = s->regs[3], was = s->blocked, now = was, given;
  if (s->regs[4] != SIGSET_SIZE || old >= TASK_SIZE_GUEST) return 0;
  if (from) {
    if (from >= TASK_SIZE_GUEST || guest_copy(&given, (const void *)from, SIGSET_SIZE)) return 0;
    switch ((i32)s->regs[1]) {
      case SIG_BLOCK: now = was | given; break;
      case SIG_UNBLOCK: now = was & ~given; break;
      case SIG_SETMASK: now = given; break;
      default: return 0;
    }
    now &= ~unblockable;
  }
  if (now != was) {
    __atomic_exchange_n(&s->blocked, now, __ATOMIC_SEQ_CST);
    if (LOAD(s->pending)) {
      STORE(s->blocked, was);
      return 0;
    }
  }
  s->regs[0] = old && guest_copy((void *)old, &was, SIGSET_SIZE) ? EFAULT_RESULT : 0;
  return 1;
}

static int serve_robust(struct slot *s) {
  if (s->regs[2] != ROBUST_LIST_HEAD_SIZE) return 0;
  s->robust = s->regs[1];
  s->regs[0] = 0;
  return 1;
}

// The kernel writes the area when this thread goes on, and would kill it if that failed: so it is written here before.
static int serve_rseq(struct slot *s) {
  u64 area = s->regs[1], copy[RSEQ_SIZE / 8];
  u32 length = s->regs[2], signature = s->regs[4];
  if (s->rseq || (u32)s->regs[3] != 0 || length < RSEQ_SIZE || area == 0 || area % RSEQ_SIZE != 0) return 0;
  if (area >= TASK_SIZE_GUEST || length > TASK_SIZE_GUEST - area) return 0;
  if (guest_copy(copy, (const void *)area, RSEQ_SIZE) || guest_copy((void *)area, copy, RSEQ_SIZE)) return 0;
  if (stub_call(SYS_rseq, area, length, 0, signature, 0, 0)) return 0;
  s->rseq = area;
  s->rseq_length = length;
  s->rseq_signature = signature;
  s->regs[0] = 0;
  return 1;
}

static int serve_clear_tid(struct slot *s) {
  u32 tid = s->words[WORD_TID];
  if (tid == ~0u) return 0;
  s->clear_tid = s->regs[1];
  s->regs[0] = tid;
  return 1;
}

// What the host refuses is asked again, by the Sentry, who knows why.
static int serve_advice(struct slot *s) {
  u64 addr = s->regs[1], length = s->regs[2];
  if ((u32)s->regs[3] != MADV_DONTNEED || addr % 4096 || addr >= TASK_SIZE_GUEST || length > TASK_SIZE_GUEST - addr) return 0;
  if (stub_call(SYS_madvise, addr, length, MADV_DONTNEED, 0, 0, 0)) return 0;
  s->regs[0] = 0;
  return 1;
}

static int serve_break(struct slot *s) {
  u64 at = s->brk;
  if (s->regs[1] != 0 || at == 0) return 0;
  s->regs[0] = at;
  return 1;
}

static int serve_limit(struct slot *s) {
  u64 limit[2] = {s->stack_limit[0], s->stack_limit[1]}, out = s->regs[4];
  if ((i32)s->regs[1] != 0 || (u32)s->regs[2] != RLIMIT_STACK || s->regs[3] != 0 || limit[1] == 0) return 0;
  if (out == 0 || out >= TASK_SIZE_GUEST || guest_copy((void *)out, limit, sizeof limit)) return 0;
  s->regs[0] = 0;
  return 1;
}

static int serve_segment(struct slot *s) {
  u64 addr = s->regs[2];
  if ((i32)s->regs[1] != ARCH_SET_FS || addr >= TASK_SIZE_GUEST) return 0;
  if (stub_call(SYS_arch_prctl, ARCH_SET_FS, addr, 0, 0, 0, 0)) return 0;
  s->regs[18] = addr;
  s->regs[0] = 0;
  return 1;
}

// exit_group: the Sentry has nothing to do in the process any more, unless locks are held.
static int quit_locally(struct slot *s) {
  u64 head[ROBUST_LIST_HEAD_SIZE / 8];
  if (s->quits != 1) return 0;
  if (s->robust) {
    if (s->robust >= TASK_SIZE_GUEST || guest_copy(head, (const void *)s->robust, sizeof head)) return 0;
    if (head[0] != s->robust || head[2] != 0) return 0;
  }
  publish_with(s, EVENT_QUIT, prefetch(s, SHARED32(SHARED_PREFETCH + 4 * SYS_exit_group)));
  while (s->unheard) nap(s, STATE_SENTRY);
  die();
}

// Nonzero when the call is done, its result in regs[0]. A wait that a signal ended goes to the Sentry,
// which decides whether it starts again.
static int serve_locally(struct slot *s, u64 nr) {
  u32 kind = *(volatile uint8_t *)(SHARED_BASE + SHARED_LOCAL + nr);
  if (kind == LOCAL_NONE) return 0;
  // A site that has not been patched: the Sentry must see it, to do so. It could not serve futexes, though.
  if (s->signal_path && kind != LOCAL_FUTEX && kind != LOCAL_WAIT && kind != LOCAL_FUTEX2) return 0;
  if (kind == LOCAL_PATH) return answer_locally(s, nr);
  if (kind == LOCAL_FILE) return file_locally(s, nr);
  if (kind == LOCAL_OPEN) return open_locally(s, nr);
  if (kind == LOCAL_BREAK) return serve_break(s);
  if (kind == LOCAL_LIMIT) return serve_limit(s);
  if (kind == LOCAL_SEGMENT) return serve_segment(s);
  if (kind == LOCAL_ACTION) return serve_action(s);
  if (kind == LOCAL_MASK) return serve_mask(s);
  if (kind == LOCAL_ROBUST) return serve_robust(s);
  if (kind == LOCAL_RSEQ) return serve_rseq(s);
  if (kind == LOCAL_CLEAR_TID) return serve_clear_tid(s);
  if (kind == LOCAL_ADVICE) return serve_advice(s);
  if (kind == LOCAL_QUIT) return quit_locally(s);
  if (kind == LOCAL_FUTEX2) return serve_futex2(s, nr);
  i64 r;
  if (kind >= LOCAL_WORD) {
    u32 word = s->words[(kind - LOCAL_WORD) & 15];
    if (word == ~0u) return 0;
    r = word;
  } else if (kind == LOCAL_CALL) {
    r = call_as_asked(s, nr);
  } else {
    if (kind == LOCAL_FUTEX && !is_plain_futex(s->regs[2])) return 0;
    if (s->regs[1] >= TASK_SIZE_GUEST) return 0;
    if (kind == LOCAL_FUTEX && !is_futex_wait(s->regs[2])) {
      // The Sentry does not know who waits in the host: such a call is made whoever interrupts.
      r = call_as_asked(s, nr);
    } else {
      r = wait_in_host(s);
      if (r == -4) return 0;
    }
  }
  s->regs[0] = r;
  return 1;
}

// --- Entries ----------------------------------------------------------------------------------------

static u32 syscall_event(struct slot *s) {
  u64 nr = s->regs[20];
  u32 n = 0;
  if (nr < SHARED_PREFETCH_COUNT) {
    if (serve_locally(s, nr)) return 0;
    u32 spec = SHARED32(SHARED_PREFETCH + 4 * nr);
    if (spec) n = prefetch(s, spec);
  }
  u32 fresh = s->fresh && keeps_fresh(s, nr);
  if (s->fresh != fresh) s->fresh = 0;
  publish_with(s, s->defaulted || s->moved || LOAD(s->closed) ? EVENT_NOTED : EVENT_SYSCALL, n);
  u32 flags = serve(s);
  if (fresh && nr == SYS_read) {
    if ((flags & REPLY_FULL) || (i64)s->regs[0] < 0) s->fresh = 0;
    else s->at += s->regs[0];
  }
  return flags;
}

// From stub_entry. Returns nonzero when every register must be loaded.
u32 stub_syscall(struct slot *s) {
  if (s->signal_path) s->signal_path = 0;
  return syscall_event(s) & REPLY_FULL;
}

_Noreturn void stub_late_interrupt(struct slot *s) {
  s->regs[20] = -1ul;
  publish(s, EVENT_INTERRUPT);
  serve(s);
  resume_full(s);
}

static void save_context(struct slot *s, const struct sigcontext_64 *c) {
  u64 *r = s->regs;
  r[0] = c->ax; r[1] = c->di; r[2] = c->si; r[3] = c->dx; r[4] = c->r10; r[5] = c->r8; r[6] = c->r9;
  r[7] = c->bx; r[8] = c->bp; r[9] = c->r12; r[10] = c->r13; r[11] = c->r14; r[12] = c->r15;
  r[13] = c->sp; r[14] = c->ip; r[15] = c->flags; r[16] = c->cx; r[17] = c->r11;
  r[20] = -1ul;
  s->fp_image = c->fpstate;
  s->fcw = *(const uint16_t *)c->fpstate;
  s->mxcsr = ((const u32 *)c->fpstate)[6];
  s->signal_path = 1;
}

#define WITHIN(ip, from, to) ((ip) >= (u64)(from) && (ip) < (u64)(to))

// Handler of every host signal, on the slot's alternate stack; nothing is blocked meanwhile, and it
// is left by resume_full, not by sigreturn, unless the stub itself was interrupted.
static void on_signal(int signal, const int *info, struct ucontext *uc) {
  struct slot *s = (struct slot *)((u64)__builtin_frame_address(0) & ~(u64)(SLOT_SIZE - 1));
  struct sigcontext_64 *c = (struct sigcontext_64 *)&uc->uc_mcontext;
  u64 ip = c->ip;
  if (WITHIN(ip, stub_text_begin, stub_text_end)) {
    if (signal == INTERRUPT_SIGNAL) {
      if (WITHIN(ip, resume_begin, resume_end)) {
        // The slot still holds the guest's state; only live FP registers are in this frame.
        if (s->fp_image == 0) s->fp_image = c->fpstate;
        stub_late_interrupt(s);
      }
      s->interrupted = 1;
      if (WITHIN(ip, futex_begin, futex_syscall + 1)) c->ip = (u64)futex_abort;
      return;
    }
    if (signal == SIGSEGV || signal == SIGBUS) {
      if (ip == (u64)string_load) { c->ip = (u64)string_fixup; return; }
      if (WITHIN(ip, copy_begin, copy_end)) { c->ip = (u64)copy_fixup; return; }
      if (WITHIN(ip, fp_begin, fp_fixup)) { c->ip = (u64)fp_fixup; return; }
    }
    s->fault_signal = signal;
    publish(s, EVENT_LOST);
    die();
  }
  save_context(s, c);
  u32 event = EVENT_INTERRUPT;
  if (signal == SIGSYS) {
    // si_arch: a 32-bit entry has other numbers, which must not be taken for ours.
    if ((u32)info[7] == AUDIT_ARCH_X86_64) {
      s->regs[20] = s->regs[0];
      syscall_event(s);
      resume_full(s);
    }
    s->regs[0] = -38;
    resume_full(s);
  }
  if (signal != INTERRUPT_SIGNAL) {
    event = EVENT_FAULT;
    s->fault_signal = signal;
    s->fault_code = info[2];
    s->fault_addr = *(const u64 *)(info + 4);
    s->fault_trapno = c->trapno;
    s->fault_error = c->err;
  }
  publish(s, event);
  serve(s);
  resume_full(s);
}

static void adopt_slot(struct slot *s) {
  struct { void *sp; u32 flags, pad; u64 size; } stack = {(char *)s + SLOT_ALTSTACK, 0, 0, SLOT_ALTSTACK_END - SLOT_ALTSTACK};
  stub_call(SYS_sigaltstack, (u64)&stack, 0, 0, 0, 0, 0);
  stub_call(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, (u64)s, 0, 0, 0, 0);
  s->self = (u64)s;
  s->entry = (u64)stub_entry;
  s->host_tid = stub_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

_Noreturn void thread_child(struct slot *s) {
  adopt_slot(s);
  serve(s);
  resume_full(s);
}

// The kernel vouches for the sender's pid (SCM_CREDENTIALS): the Sentry believes no other word of it.
static void greet(void) {
  char hello = 1;
  stub_call(SYS_sendto, FD_SOCKET, (u64)&hello, 1, 0x4000 /* MSG_NOSIGNAL */, 0, 0);
}

// The zygote sends the gate's descriptor along, and keeps none.
static void greet_with(int gate, int socket) {
  char hello = 1;
  struct iov iov = {&hello, 1};
  struct cmsg control = {20, 1 /* SOL_SOCKET */, 1 /* SCM_RIGHTS */, {gate, 0}};
  struct msghdr msg = {0, 0, 0, &iov, 1, &control, 24, 0, 0};
  stub_call(SYS_sendmsg, socket, (u64)&msg, 0x4000, 0, 0, 0);
  stub_call(SYS_close, gate, 0, 0, 0, 0, 0);
  stub_call(SYS_close, socket, 0, 0, 0, 0, 0);
}

_Noreturn void fork_child(struct slot *s, u64 memfd, u64 sock) {
  stub_call(SYS_dup3, sock, FD_SOCKET, 0x80000, 0, 0, 0);
  stub_call(SYS_close, sock, 0, 0, 0, 0, 0);
  stub_call(SYS_close, memfd, 0, 0, 0, 0, 0);
  // A fork's child does not inherit this. It is the Sentry's child, whoever forked it.
  stub_call(SYS_prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0, 0);
  greet();
  thread_child(s);
}

// --- The zygote: the first stub, from which all others are forked ------------------------------------

#define STMT BPF_STMT
#define JUMP BPF_JUMP
#define ARG(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define ALLOW STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define TRAP STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define LD(off) STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define IS(nr) JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), ALLOW

// SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: a clone that the gate has seen is not interrupted.
#define WAIT_KILLABLE 32

// Who sends descriptors may have as many on their way as the limit of open files says, over all processes of the
// host user: a stub that did so would keep the Sentry from it. So only one number may be used for it, and no stub can
// have a descriptor of that number. Returns it: the socket, once more.
static int reserve_socket(void) {
  enum { RLIMIT_NOFILE = 7, MOST = 16384 };  // each thread may have FDS_MAX for a moment
  struct { u64 soft, hard; } limit;
  if (stub_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (u64)&limit, 0, 0)) die();
  u64 number = limit.soft - 1 < MOST ? limit.soft - 1 : MOST;
  if (stub_call(SYS_dup3, FD_SOCKET, number, 0x80000, 0, 0, 0) != number) die();
  limit.soft = limit.hard = number;
  if (stub_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (u64)&limit, 0, 0, 0)) die();
  return number;
}

// Returns the descriptor at which clone calls are asked for, when they are gated: `socket` is what it may be sent by
// then, else -1.
static int lock_down(int socket) {
  int gated = socket >= 0;
  // A call is the stub's only when it comes from stub text, in the 64-bit ABI; guest code may jump
  // there, so what is allowed must be harmless with any argument.
  struct sock_filter code[] = {
      LD(offsetof(struct seccomp_data, arch)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), TRAP,
      LD(offsetof(struct seccomp_data, instruction_pointer) + 4),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, STUB_BASE >> 32, 1, 0), TRAP,
      LD(offsetof(struct seccomp_data, instruction_pointer)),
      JUMP(BPF_JMP | BPF_JGE | BPF_K, (u32)STUB_BASE, 1, 0), TRAP,
      JUMP(BPF_JMP | BPF_JGT | BPF_K, (u32)(u64)stub_text_end, 0, 1), TRAP,
      LD(offsetof(struct seccomp_data, nr)),
      IS(SYS_futex), IS(SYS_mmap), IS(SYS_munmap), IS(SYS_mprotect), IS(SYS_rt_sigreturn),
      IS(SYS_madvise), IS(SYS_mremap), IS(SYS_msync), IS(SYS_mincore), IS(SYS_sched_yield),
      IS(SYS_exit), IS(SYS_exit_group), IS(SYS_gettid), IS(SYS_rseq), IS(SYS_membarrier),
      IS(SYS_arch_prctl), IS(SYS_sigaltstack), IS(SYS_close), IS(SYS_futex_waitv),
      IS(SYS_getrusage),
      // How the host goes on with a timed wait for a futex after it has stopped and continued the process.
      IS(SYS_restart_syscall),
      // Only the socket: messages to and from the Sentry, and its replacement in a fork's child.
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 1, 0),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 3),
      LD(ARG(0)), IS(FD_SOCKET),
      JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
      LD(offsetof(struct seccomp_data, nr)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 3),
      LD(ARG(0)), IS((u32)socket),
      LD(offsetof(struct seccomp_data, nr)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup3, 0, 3),
      LD(ARG(1)), IS(FD_SOCKET),
      LD(offsetof(struct seccomp_data, nr)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
      LD(ARG(0)), IS(PR_SET_PDEATHSIG),
      // Its own thread's CPU time; the clocks of other processes are none of its business.
      LD(offsetof(struct seccomp_data, nr)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 3),
      LD(ARG(0)), IS(CLOCK_THREAD_CPUTIME_ID),
      LD(offsetof(struct seccomp_data, nr)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
      // A stub does not multiply by itself: the Sentry's gate lets through what it has just ordered.
      LD(ARG(0)),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00008000, 1, 0),
      JUMP(BPF_JMP | BPF_JEQ | BPF_K, THREAD_FLAGS, 0, 1),
      STMT(BPF_RET | BPF_K, gated ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW),
      TRAP,
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (stub_call(SYS_prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0, 0)) die();
  i64 gate = stub_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                       gated ? SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE : 0, (u64)&program, 0, 0, 0);
  if (gate < 0) die();
  return gate;
}

static void catch_signals(void) {
  struct { void *handler; u64 flags; void *restorer; u64 mask; } action = {
      (void *)on_signal, 0x4c000004 /* SIGINFO ONSTACK NODEFER RESTORER */, signal_return, 0};
  static const uint8_t caught[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, INTERRUPT_SIGNAL};
  for (u32 i = 0; i < sizeof caught; i++)
    if (stub_call(SYS_rt_sigaction, caught[i], (u64)&action, 0, 8, 0, 0)) die();
}

static void unmap_between(u64 from, u64 to) {
  if (to > from) stub_call(SYS_munmap, from, to - from, 0, 0, 0, 0);
}

static _Noreturn void zygote_continue(struct slot *s) {
  u64 vdso = s->vdso;
  // Nothing but the stub's own mappings and the vDSO (with its data pages below) stays.
  unmap_between(0x1000, CONTROL_BASE);
  unmap_between(CONTROL_BASE + CONTROL_SIZE, STUB_BASE);
  unmap_between((u64)stub_text_end, SHARED_BASE);
  unmap_between(SHARED_BASE + SHARED_SIZE, vdso ? vdso - 0x10000 : ANSWERS_BASE);
  if (vdso) unmap_between(vdso + 0x4000, ANSWERS_BASE);
  unmap_between(ANSWERS_BASE + ANSWERS_SIZE, 0x7ffffffff000);
  int socket = reserve_socket();
  greet_with(lock_down(socket), socket);
  thread_child(s);
}

// Under ptrace: no slot, no handlers. The filter stays, for the vsyscall page and as a second wall.
// The Sentry reads the vDSO's address from the scratch page, then takes the thread out of recvmsg.
static _Noreturn void zygote_traced(u64 vdso) {
  unmap_between(0x1000, STUB_BASE);
  unmap_between((u64)stub_text_end, SCRATCH_BASE);
  unmap_between(SCRATCH_BASE + SHARED_SIZE, vdso ? vdso - 0x10000 : 0x7ffffffff000);
  if (vdso) unmap_between(vdso + 0x4000, 0x7ffffffff000);
  // The tracer sees every call of the guest: what comes here is the tracer's own.
  lock_down(-1);
  *(volatile u64 *)SCRATCH_BASE = vdso;
  greet();
  for (;;) {
    struct msghdr msg = {0};
    stub_call(SYS_recvmsg, FD_SOCKET, (u64)&msg, 0, 0, 0, 0);
  }
}

// fds: 3 the socket, 4 the control memfd, 5 the shared page (read-only). With an argument (any): the
// ptrace platform's zygote, which has the socket only.
_Noreturn void zygote_main(u64 *sp) {
  u64 argc = sp[0], *aux = sp + 1 + argc + 1, vdso = 0;
  while (*aux) aux++;
  for (aux++; aux[0]; aux += 2)
    if (aux[0] == 33 /* AT_SYSINFO_EHDR */) vdso = aux[1];
  if (argc > 1) {
    if (stub_call(SYS_mmap, SCRATCH_BASE, SHARED_SIZE, 3, 0x32, -1, 0) != SCRATCH_BASE) die();
    __asm__ volatile("mov %0, %%rsp; mov %1, %%rdi; call *%2"
                     :: "r"(SCRATCH_BASE + SHARED_SIZE), "r"(vdso), "r"(zygote_traced) : "rdi", "memory");
    __builtin_unreachable();
  }
  if (stub_call(SYS_mmap, CONTROL_BASE, CONTROL_SIZE, 3, 0x4011, 4, 0) != CONTROL_BASE) die();
  if (stub_call(SYS_mmap, SHARED_BASE, SHARED_SIZE, 1, 0x11, 5, 0) != SHARED_BASE) die();
  if (stub_call(SYS_mmap, ANSWERS_BASE, ANSWERS_SIZE, 1, 0x11, 5, SHARED_SIZE) != ANSWERS_BASE) die();
  stub_call(SYS_close, 4, 0, 0, 0, 0, 0);
  stub_call(SYS_close, 5, 0, 0, 0, 0, 0);
  struct slot *s = slot_at(0);
  s->vdso = vdso;
  catch_signals();
  __asm__ volatile("mov %0, %%rsp; mov %1, %%rdi; call *%2"
                   :: "r"((char *)s + SLOT_STACK_TOP), "r"(s), "r"(zygote_continue) : "rdi", "memory");
  __builtin_unreachable();
}
