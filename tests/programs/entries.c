// Ways into a kernel besides the 64-bit `syscall`: none may reach another kernel than this one.
// Natively they may work; in a sandbox they may fail, but not tell the host's secrets.
#include "check.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>

static sigjmp_buf escape;
static void on_signal(int sig) { siglongjmp(escape, sig); }

/* Runs `attempt` and gives its result, or -1000 - SIGNAL. */
static long guarded(long (*attempt)(void)) {
  int sig = sigsetjmp(escape, 1);
  if (sig != 0) return -1000 - sig;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGSYS, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  return attempt();
}

static int refused(long result) {
  return result == -ENOSYS || result == -EPERM || result == -1000 - SIGSEGV || result == -1000 - SIGSYS;
}

static long int80(long nr, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

static char *low; /* Memory that a 32-bit call can name. */

static long int80_getpid(void) { return int80(20, 0, 0, 0); }
static long int80_uname(void) { return int80(122, (long)low, 0, 0); }
static long int80_open(void) { return int80(5, (long)low, O_RDONLY, 0); }
static long int80_fork(void) { return int80(2, 0, 0, 0); }

static void map_low(void) {
  low = mmap((void *)0x20000000, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  CHECK(low != MAP_FAILED);
}

TEST(int80_identity, "int 0x80 tells no other kernel's pid or name") {
  map_low();
  long pid = guarded(int80_getpid);
  CHECK(pid == getpid() || refused(pid));
  long result = guarded(int80_uname);
  struct utsname name;
  OK(uname(&name));
  if (result == 0) CHECK(memcmp(low, &name, sizeof name) == 0);
  else CHECK(refused(result));
}

TEST(int80_files, "int 0x80 opens no file that the 64-bit call does not") {
  map_low();
  write_file("only-here", "x");
  strcpy(low, "only-here");
  long result = guarded(int80_open);
  CHECK(result >= 0 || refused(result));
  strcpy(low, "/proc/1/ns/../../../../../dvisor-no-such-file");
  result = guarded(int80_open);
  CHECK(result == -ENOENT || refused(result));
}

TEST(int80_process, "int 0x80 makes no process that this kernel does not know") {
  long pid = guarded(int80_fork);
  if (pid == 0) _exit(0);
  if (pid > 0) join(pid);
  else CHECK(refused(pid));
}

static long x32_getpid(void) { return syscall(0x40000000 | SYS_getpid) < 0 ? -errno : getpid(); }
static long x32_execve(void) {
  char *argv[] = {"sh", "-c", "exit 3", NULL};
  return syscall(0x40000000 | 520, "/bin/sh", argv, NULL) < 0 ? -errno : 0;
}
static long unknown(void) { return syscall(100000) < 0 ? -errno : 0; }
static long negative(void) { return syscall(-5L) < 0 ? -errno : 0; }
static long high_bits(void) { return syscall(0x500000000l | SYS_getpid) < 0 ? -errno : 1; }

TEST(x32, "x32 numbers are refused or served by this kernel") {
  long pid = guarded(x32_getpid);
  CHECK(pid == getpid() || refused(pid));
  CHECK(refused(guarded(x32_execve)));
}

TEST(numbers, "numbers that no call has give ENOSYS, and the high half counts or does not as on Linux") {
  EQUAL(guarded(unknown), -ENOSYS);
  EQUAL(guarded(negative), -ENOSYS);
  long high = guarded(high_bits); /* Linux looks at the low half only. */
  CHECK(high == 1 || high == -ENOSYS);
}

static long vsyscall_time(void) { return ((long (*)(long *))0xffffffffff600400)(NULL); }
static struct timeval tv;
static long vsyscall_gettimeofday(void) {
  return ((long (*)(struct timeval *, void *))0xffffffffff600000)(&tv, NULL);
}
static long vsyscall_getcpu(void) { return ((long (*)(unsigned *, void *, void *))0xffffffffff600800)((unsigned *)&tv, NULL, NULL); }

#define EFLAGS_NT 0x4000L

static volatile sig_atomic_t noted;
static void note(int sig) { noted = sig; }

/* A system call with flags changed; returns those after it. */
static long flags_after_call(long number, long first, long second, long set) {
  long flags, result;
  __asm__ volatile(
      "pushfq\n"
      "orq %[set], (%%rsp)\n"
      "popfq\n"
      "syscall\n"
      "pushfq\n"
      "popq %[flags]\n"
      "pushfq\n"
      "andq $~0x4000, (%%rsp)\n"
      "popfq"
      : "=a"(result), [flags] "=&r"(flags)
      : "a"(number), "D"(first), "S"(second), [set] "r"(set)
      : "rcx", "r11", "rdx", "memory", "cc");
  CHECK(result >= 0);
  return flags;
}

TEST(nested_task, "a system call with the NT flag returns with it, also from a signal") {
  signal(SIGUSR1, note);
  for (int i = 0; i < 3; i++) {
    CHECK(flags_after_call(SYS_getppid, 0, 0, EFLAGS_NT) & EFLAGS_NT);
    CHECK(flags_after_call(SYS_sched_yield, 0, 0, EFLAGS_NT) & EFLAGS_NT);
    noted = 0;
    flags_after_call(SYS_kill, getpid(), SIGUSR1, EFLAGS_NT);
    EQUAL(noted, SIGUSR1);
  }
}

TEST(vsyscall, "the vsyscall page tells the time or faults") {
  long now = guarded(vsyscall_time);
  CHECK(refused(now) || labs(now - time(NULL)) <= 1);
  long result = guarded(vsyscall_gettimeofday);
  CHECK(refused(result) || (result == 0 && labs(tv.tv_sec - time(NULL)) <= 1));
  result = guarded(vsyscall_getcpu);
  CHECK(refused(result) || result == 0);
}

static long sysenter(void) {
  long result;
  __asm__ volatile("mov %%rsp, %%rbp; sysenter" : "=a"(result) : "a"(20) : "rbp", "rcx", "rdx", "memory");
  return result;
}

TEST(sysenter_, "sysenter from 64-bit code does not get through") {
  pid_t pid = OK(fork());
  if (pid == 0) {
    guarded(sysenter);
    _exit(0);
  }
  int status;
  EQUAL(waitpid(pid, &status, 0), pid); /* However it ends, it is this kernel's child. */
}

/* A far jump to 32-bit code, which does int 0x80 there. */
static long compatibility_mode(void) {
  static const unsigned char code[] = {0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xcb}; /* mov $20, %eax; int $0x80; lret */
  memcpy(low, code, sizeof code);
  OK(mprotect(low, 4096, PROT_READ | PROT_EXEC));
  char *stack = low + 65536 - 64;
  struct __attribute__((packed)) {
    uint32_t offset;
    uint16_t selector;
  } target = {(uint32_t)(uintptr_t)low, 0x23};
  uint32_t result;
  __asm__ volatile(
      "mov %%rsp, %%r12; mov %[stack], %%rsp; lcall *%[target]; mov %%r12, %%rsp"
      : "=a"(result)
      : [stack] "r"(stack), [target] "m"(target)
      : "r12", "rbx", "rcx", "rdx", "memory");
  return (int)result;
}

TEST(compatibility, "32-bit code in a 64-bit process gets this kernel's answers or a signal") {
  map_low();
  pid_t pid = OK(fork());
  if (pid == 0) {
    long result = guarded(compatibility_mode);
    _exit(result == getpid() || refused(result) ? 0 : 5);
  }
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}
