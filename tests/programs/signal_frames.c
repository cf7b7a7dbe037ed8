// What a signal handler sees of the interrupted program, and what sigreturn gives back.
#include "check.h"
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/utsname.h>

static volatile sig_atomic_t seen;
static void *volatile fault_address;
static volatile int fault_code, fault_signal;
static volatile uintptr_t handler_stack;
static sigjmp_buf escape;

static void on_fault(int sig, siginfo_t *info, void *context) {
  (void)context;
  fault_signal = sig;
  fault_address = info->si_addr;
  fault_code = info->si_code;
  int here;
  handler_stack = (uintptr_t)&here;
  siglongjmp(escape, 1);
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  OK(sigaction(sig, &action, NULL));
}

TEST(segv_unmapped, "SIGSEGV of an unmapped address tells the address and SEGV_MAPERR") {
  install(SIGSEGV, on_fault, 0);
  char *volatile bad = (char *)0x123456000;
  if (sigsetjmp(escape, 1) == 0) *bad = 1;
  EQUAL(fault_signal, SIGSEGV);
  CHECK(fault_address == bad);
  EQUAL(fault_code, SEGV_MAPERR);
}

TEST(segv_protected, "SIGSEGV of a read-only page tells SEGV_ACCERR and the program goes on") {
  install(SIGSEGV, on_fault, 0);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sigsetjmp(escape, 1) == 0) page[100] = 1;
  CHECK(fault_address == page + 100);
  EQUAL(fault_code, SEGV_ACCERR);
  EQUAL(page[100], 0);
  if (sigsetjmp(escape, 1) == 0) ((void (*)(void))page)();
  CHECK(fault_address == page);
}

TEST(segv_non_canonical, "a non-canonical address is SIGSEGV from the kernel without an address") {
  install(SIGSEGV, on_fault, 0);
  char *volatile bad = (char *)0x8000000000000000;
  if (sigsetjmp(escape, 1) == 0) *bad = 1;
  EQUAL(fault_signal, SIGSEGV);
  EQUAL(fault_code, SI_KERNEL);
  CHECK(fault_address == NULL);
}

TEST(fpe, "division by zero is SIGFPE with FPE_INTDIV at the instruction") {
  install(SIGFPE, on_fault, 0);
  if (sigsetjmp(escape, 1) == 0)
    __asm__ volatile("idivl %0" ::"r"(0), "a"(1), "d"(0));
  EQUAL(fault_signal, SIGFPE);
  EQUAL(fault_code, FPE_INTDIV);
  CHECK(fault_address != NULL);
}

TEST(ill, "an undefined instruction is SIGILL with ILL_ILLOPN") {
  install(SIGILL, on_fault, 0);
  if (sigsetjmp(escape, 1) == 0) __asm__ volatile("ud2");
  EQUAL(fault_signal, SIGILL);
  EQUAL(fault_code, ILL_ILLOPN);
}

TEST(trap, "int3 is SIGTRAP") {
  install(SIGTRAP, on_fault, 0);
  if (sigsetjmp(escape, 1) == 0) __asm__ volatile("int3");
  EQUAL(fault_signal, SIGTRAP);
  EQUAL(fault_code, SI_KERNEL);
}

TEST(privileged, "a privileged instruction is SIGSEGV") {
  install(SIGSEGV, on_fault, 0);
  if (sigsetjmp(escape, 1) == 0) __asm__ volatile("hlt");
  EQUAL(fault_signal, SIGSEGV);
}

TEST(blocked_fault, "a fault whose signal is blocked kills") {
  pid_t pid = OK(fork());
  if (pid == 0) {
    install(SIGSEGV, on_fault, 0);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    *(volatile char *)nowhere = 1;
    _exit(0);
  }
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static volatile int altstack_flags;
static void on_altstack(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  int here;
  handler_stack = (uintptr_t)&here;
  stack_t now;
  sigaltstack(NULL, &now);
  altstack_flags = now.ss_flags;
}

TEST(altstack, "SA_ONSTACK runs the handler on the alternate stack") {
  static char stack[65536];
  stack_t set = {.ss_sp = stack, .ss_size = sizeof stack}, now;
  OK(sigaltstack(&set, NULL));
  install(SIGUSR1, on_altstack, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(handler_stack > (uintptr_t)stack && handler_stack < (uintptr_t)stack + sizeof stack);
  EQUAL(altstack_flags, SS_ONSTACK);
  OK(sigaltstack(NULL, &now));
  EQUAL(now.ss_flags, 0);
  set.ss_size = 100;
  FAILS(sigaltstack(&set, NULL), ENOMEM);
  set.ss_flags = SS_DISABLE;
  OK(sigaltstack(&set, NULL));
  install(SIGUSR1, on_altstack, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(!(handler_stack > (uintptr_t)stack && handler_stack < (uintptr_t)stack + sizeof stack));
}

static volatile int endless = 1;
static int overflow(int n) {
  volatile char block[4096];
  block[0] = n;
  return endless ? overflow(n + 1) + block[0] : 0;
}

TEST(stack_overflow, "a stack overflow is handled on the alternate stack") {
  static char stack[65536];
  stack_t set = {.ss_sp = stack, .ss_size = sizeof stack};
  OK(sigaltstack(&set, NULL));
  install(SIGSEGV, on_fault, SA_ONSTACK);
  volatile int result = 0;
  if (sigsetjmp(escape, 1) == 0) result = overflow(0);
  EQUAL(result, 0);
  EQUAL(fault_signal, SIGSEGV);
}

static void skip_instruction(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  ucontext_t *uc = context;
  seen++;
  uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
  uc->uc_mcontext.gregs[REG_R12] = 0x1234567890abcdef;
  sigaddset(&uc->uc_sigmask, SIGUSR2);
}

TEST(edited_context, "sigreturn takes the registers and the mask that the handler wrote") {
  install(SIGILL, skip_instruction, 0);
  register uint64_t r12 __asm__("r12") = 1;
  __asm__ volatile("ud2" : "+r"(r12)::"memory");
  EQUAL(r12, 0x1234567890abcdef);
  EQUAL(seen, 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK(sigismember(&now, SIGUSR2));
}

static void clobber(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  seen++;
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; xor %%ebx, %%ebx;"
      "xor %%r12d, %%r12d; xor %%r15d, %%r15d; fninit; std; cld" ::
          : "rbx", "r12", "r15", "xmm0", "xmm7", "xmm15", "memory", "cc");
}

/* kill(self, SIGUSR1) by a bare system call with known values in every register that it keeps. */
TEST(registers, "a handler changes no register of the program, whichever it uses itself") {
  install(SIGUSR1, clobber, 0);
  uint64_t kept[16]; /* 0-7: before, 8-15: after. */
  uint64_t x[2] = {0x1122334455667788, 0x99aabbccddeeff00}, y[2] = {0, 0};
  for (int i = 0; i < 8; i++) kept[i] = 0x0101010101010101ull * (i + 1);
  __asm__ volatile(
      "movdqu %[x], %%xmm0; movdqu %[x], %%xmm7; movdqu %[x], %%xmm15;"
      "mov 0(%%rdx), %%rbx; mov 8(%%rdx), %%r12; mov 16(%%rdx), %%r13; mov 24(%%rdx), %%r14;"
      "mov 32(%%rdx), %%r15; mov 40(%%rdx), %%r8; mov 48(%%rdx), %%r9; mov 56(%%rdx), %%r10;"
      "syscall;"
      "mov %%rbx, 64(%%rdx); mov %%r12, 72(%%rdx); mov %%r13, 80(%%rdx); mov %%r14, 88(%%rdx);"
      "mov %%r15, 96(%%rdx); mov %%r8, 104(%%rdx); mov %%r9, 112(%%rdx); mov %%r10, 120(%%rdx);"
      "pand %%xmm7, %%xmm0; pand %%xmm15, %%xmm0; movdqu %%xmm0, %[y]"
      : [y] "=m"(y)
      : [x] "m"(x), "d"(kept), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
      : "rcx", "r11", "rbx", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "xmm0", "xmm7", "xmm15",
        "memory", "cc");
  EQUAL(seen, 1);
  CHECK(memcmp(kept, kept + 8, 64) == 0);
  CHECK(memcmp(x, y, sizeof x) == 0);
}

TEST(x87_and_mxcsr, "the floating-point control words survive a handler") {
  install(SIGUSR1, clobber, 0);
  uint16_t control = 0x0f7f, after = 0;
  unsigned csr = _mm_getcsr() | 0x6000; /* Round towards zero. */
  _mm_setcsr(csr);
  __asm__ volatile("fldcw %0" ::"m"(control));
  raise(SIGUSR1);
  __asm__ volatile("fnstcw %0" : "=m"(after));
  EQUAL(seen, 1);
  EQUAL(after, control);
  EQUAL(_mm_getcsr(), csr);
}

__attribute__((target("avx"))) static void clobber_ymm(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  seen++;
  __asm__ volatile("vzeroall" ::: "memory");
}

TEST(ymm, "a handler that clears the ymm registers does not clear the program's") {
  SKIP_UNLESS(__builtin_cpu_supports("avx"), "no AVX");
  install(SIGUSR1, clobber_ymm, 0);
  uint8_t in[32], out[32];
  for (int i = 0; i < 32; i++) in[i] = i + 1;
  __asm__ volatile("vmovdqu %[in], %%ymm3; vmovdqu %[in], %%ymm12; syscall;"
                   "vpand %%ymm3, %%ymm12, %%ymm3; vmovdqu %%ymm3, %[out]; vzeroupper"
                   : [out] "=m"(out)
                   : [in] "m"(in), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                   : "rcx", "r11", "memory", "xmm3", "xmm12");
  EQUAL(seen, 1);
  CHECK(memcmp(in, out, sizeof in) == 0);
}

__attribute__((target("avx512f"))) static void clobber_zmm(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  seen++;
  __asm__ volatile("vpxorq %%zmm5, %%zmm5, %%zmm5; vpxorq %%zmm20, %%zmm20, %%zmm20;"
                   "kxorw %%k3, %%k3, %%k3" ::: "memory");
}

static int zmm_round(int sig, long nr, long a, long b) {
  uint8_t in[64], low[64], high[64];
  uint16_t mask = 0xa5c3, mask_after = 0;
  (void)sig;
  for (int i = 0; i < 64; i++) in[i] = i ^ 0x5a;
  __asm__ volatile("vmovdqu64 %[in], %%zmm5; vmovdqu64 %[in], %%zmm20; kmovw %[mask], %%k3; syscall;"
                   "vmovdqu64 %%zmm5, %[low]; vmovdqu64 %%zmm20, %[high]; kmovw %%k3, %[after];"
                   "vzeroupper"
                   : [low] "=m"(low), [high] "=m"(high), [after] "=m"(mask_after), "+a"(nr)
                   : [in] "m"(in), [mask] "m"(mask), "D"(a), "S"(b)
                   : "rcx", "r11", "memory", "xmm5");
  return memcmp(in, low, 64) == 0 && memcmp(in, high, 64) == 0 && mask == mask_after;
}

TEST(zmm, "a handler that clears zmm and mask registers does not clear the program's") {
  SKIP_UNLESS(__builtin_cpu_supports("avx512f"), "no AVX-512");
  install(SIGUSR1, clobber_zmm, 0);
  CHECK(zmm_round(SIGUSR1, SYS_kill, getpid(), SIGUSR1));
  EQUAL(seen, 1);
}

TEST(zmm_calls, "system calls keep zmm and mask registers") {
  SKIP_UNLESS(__builtin_cpu_supports("avx512f"), "no AVX-512");
  for (int i = 0; i < 100; i++) {
    CHECK(zmm_round(0, SYS_getppid, 0, 0));
    CHECK(zmm_round(0, SYS_sched_yield, 0, 0));
    CHECK(zmm_round(0, SYS_close, -1, 0));
  }
}

/* What the kernel tells of the image behind the registers (struct _fpx_sw_bytes), and its header. */
static struct _fpx_sw_bytes told;
static uint64_t components;
static void note_image(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  char *image = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;
  memcpy(&told, image + 464, sizeof told);
  memcpy(&components, image + 512, 8);
}

TEST(image, "a frame names the state components that the processor has, and their size") {
  unsigned lo, hi, a, b, c, d;
  __cpuid(1, a, b, c, d);
  SKIP_UNLESS(c & bit_OSXSAVE, "no XSAVE");
  __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  install(SIGUSR1, note_image, 0);
  OK(raise(SIGUSR1));
  EQUAL(told.magic1, FP_XSTATE_MAGIC1);
  EQUAL(told.xstate_bv, ((uint64_t)hi << 32 | lo) & ~(1ull << 18)); /* AMX tiles are asked for. */
  CHECK((components & ~told.xstate_bv) == 0);
  EQUAL(told.extended_size, told.xstate_size + 4);
  __cpuid_count(0xd, 0, a, b, c, d);
  CHECK(lo & 1 << 18 ? told.xstate_size < b : told.xstate_size == b);
}

static unsigned mxcsr_mask;
static void set_mxcsr(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr = mxcsr_mask;
}

TEST(every_mxcsr_bit, "sigreturn takes each bit of MXCSR that the processor has") {
  static char image[512] __attribute__((aligned(16)));
  __asm__("fxsave64 %0" : "=m"(image));
  memcpy(&mxcsr_mask, image + 28, 4);
  SKIP_UNLESS(mxcsr_mask, "a processor that does not tell them");
  install(SIGUSR1, set_mxcsr, 0);
  OK(raise(SIGUSR1));
  EQUAL(_mm_getcsr(), mxcsr_mask);
}

static void set_foreign_component(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  uint64_t *bits = (uint64_t *)((char *)((ucontext_t *)context)->uc_mcontext.fpregs + 512);
  *bits |= 1ull << 61;
}

TEST(foreign_component, "a frame with a state component that the processor lacks ends in SIGSEGV") {
  IN_CHILD(pid, {
    install(SIGUSR1, set_foreign_component, 0);
    raise(SIGUSR1);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static volatile int looping = 1;
static void stop_loop(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  seen++;
  if (seen == 200) looping = 0;
}

/* Arithmetic that needs several registers over thousands of steps. */
__attribute__((noinline)) static uint64_t scramble(void) {
  uint64_t a = 1, b = 2, c = 3, d = 4;
  double e = 1;
  for (int i = 0; i < 5000; i++) {
    a = a * 6364136223846793005u + b;
    b ^= a >> 17;
    c += b << 3;
    d = (d ^ c) * 31;
    e = e * 1.0000001 + (d & 1);
  }
  return a ^ b ^ c ^ d ^ (uint64_t)e;
}

TEST(busy_loop, "a program that makes no system call gets its signals, registers intact") {
  install(SIGALRM, stop_loop, 0);
  struct itimerspec every = {{0, 500000}, {0, 500000}};
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  OK(timer_settime(timer, 0, &every, NULL));
  uint64_t expected = scramble();
  long rounds = 0;
  for (; looping; rounds++) EQUAL(scramble(), expected);
  CHECK(rounds > 0);
}

static volatile int stack_flags;
static void note_stack(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  stack_flags = ((ucontext_t *)context)->uc_stack.ss_flags;
}

TEST(no_stack, "a frame shows the flags that sigaltstack was given last, and none before") {
  install(SIGUSR1, note_stack, 0);
  OK(raise(SIGUSR1));
  EQUAL(stack_flags, 0);
  stack_t off = {.ss_flags = SS_DISABLE};
  OK(sigaltstack(&off, NULL));
  OK(raise(SIGUSR1));
  EQUAL(stack_flags, SS_DISABLE);
}

static void enter_kernel_segment(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS] = 0x10;
}

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
static char other_stack[65536];

static void on_other_stack(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  stack_t same = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
  OK(sigaltstack(&same, NULL)); /* SS_AUTODISARM took it away, so it can be set from there. */
}

TEST(stack_again, "a handler that sets the stack that it runs on again keeps what it has set") {
  struct utsname host;
  OK(uname(&host));
  int major = 0, minor = 0;
  sscanf(host.release, "%d.%d", &major, &minor);
  SKIP_UNLESS(major > 6 || (major == 6 && minor >= 12), "Linux 6.12 changed it");
  stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack, .ss_flags = (int)SS_AUTODISARM};
  OK(sigaltstack(&stack, NULL));
  install(SIGUSR1, on_other_stack, SA_ONSTACK);
  OK(raise(SIGUSR1));
  OK(sigaltstack(NULL, &stack));
  EQUAL(stack.ss_flags, 0);
  CHECK(stack.ss_sp == other_stack);
}

TEST(false_segment, "a frame that names another code segment ends in SIGSEGV") {
  IN_CHILD(pid, {
    install(SIGUSR1, enter_kernel_segment, 0);
    raise(SIGUSR1);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status));
  EQUAL(WTERMSIG(status), SIGSEGV);
}

static char *stack_area;
enum { STACK_AREA = 1 << 20, FROZEN = STACK_AREA - (128 << 10) };
static volatile int rounds, asleep, interrupted, thawed;
static volatile pid_t sleeper_tid;
static void count(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  interrupted++;
}
static void thaw(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  thawed++;
  OK(mprotect(stack_area, FROZEN, PROT_READ | PROT_WRITE));
}

static __attribute__((noinline)) void sleep_often(void) {
  char deep[192 << 10]; // What follows lies in the part that gets read-only.
  asm volatile("" ::"r"(deep) : "memory");
  static uint64_t none;
  while (rounds < 300) {
    register uint64_t kept asm("r12") = 0x0123456789abcdef ^ rounds;
    register long size asm("rsi") = 8;
    long r = SYS_rt_sigsuspend;
    asleep = 1;
    asm volatile("syscall" : "+a"(r), "+r"(kept), "+r"(size) : "D"(&none) : "rcx", "r11", "memory");
    EQUAL(r, -EINTR);
    EQUAL(kept, 0x0123456789abcdef ^ rounds);
    rounds++;
  }
}

static void *sleeper(void *arg) {
  static char alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  OK(sigaltstack(&stack, NULL));
  sleeper_tid = gettid();
  sleep_often();
  sigset_t mask;
  EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
  CHECK(sigismember(&mask, SIGUSR1));
  CHECK(!sigismember(&mask, SIGSEGV));
  return arg;
}

TEST(frozen_stack, "a thread whose stack gets read-only as a handler is called there goes on, or gets SIGSEGV, as it was") {
  stack_area = mmap(NULL, STACK_AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack_area != MAP_FAILED);
  install(SIGUSR1, count, 0);
  install(SIGSEGV, thaw, SA_ONSTACK);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  EQUAL(pthread_sigmask(SIG_BLOCK, &mask, NULL), 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EQUAL(pthread_attr_setstack(&attributes, stack_area, STACK_AREA), 0);
  pthread_t thread;
  EQUAL(pthread_create(&thread, &attributes, sleeper, NULL), 0);
  for (int done = 0; done < 300; done++) {
    while (!asleep) sched_yield();
    asleep = 0;
    OK(tgkill(getpid(), sleeper_tid, SIGUSR1));
    OK(mprotect(stack_area, FROZEN, PROT_READ));
    while (rounds == done) sched_yield();
  }
  EQUAL(pthread_join(thread, NULL), 0);
  CHECK(interrupted > 0 || thawed > 0);
}
