// System calls and strings without a libc: for code that runs where there is none to rely on, in the
// prelude, between clone and exec, and in children that share their parent's memory.
#ifndef DVISOR_RAW_H
#define DVISOR_RAW_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE 4096ul
#define POPULATE_WRITE 23  // MADV_POPULATE_WRITE, which older headers lack
// What a failed call returns is -1 to -MAX_ERRNO.
#define MAX_ERRNO 4095

static inline long raw_call(long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}
#define CALL6(nr, a, b, c, d, e, f, ...) raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

// clone(2) onto a stack of its own: the child's first instructions pop what it is to call, and an argument for that.
static inline long raw_clone(long flags, void *stack, void (*entry)(void *), const void *argument, const void *parent_tid,
                             uint64_t child_tid, uint64_t tls) {
  const void **top = (const void **)stack;
  *--top = argument;
  *--top = (const void *)entry;
  register long r10 __asm__("r10") = child_tid;
  register long r8 __asm__("r8") = tls;
  long r;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "pop %%rax\n\t"
      "pop %%rdi\n\t"
      "call *%%rax\n\t"
      "ud2\n"
      "1:"
      : "=a"(r)
      : "a"(SYS_clone), "D"(flags), "S"(top), "d"(parent_tid), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return r;
}

// A table of descriptors that grows while several threads share it waits for a grace period of RCU, some 10 ms.
static inline void make_room_for_descriptors(void) {
  enum { DESCRIPTORS = 8192 };
  struct rlimit limit = {0, 0};
  CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
  long last = (limit.rlim_cur < DESCRIPTORS ? limit.rlim_cur : DESCRIPTORS) - 1;
  long fd = CALL(SYS_fcntl, 0, F_DUPFD_CLOEXEC, last);
  if (fd >= 0) CALL(SYS_close, fd);
}

static inline char *append(char *at, const char *text) {
  while (*text) *at++ = *text++;
  return at;
}

static inline char *append_number(char *at, long n) {
  char digits[20];
  int i = 0;
  do digits[i++] = '0' + n % 10; while (n /= 10);
  while (i) *at++ = digits[--i];
  return at;
}

static inline const char *basename_of(const char *path) {
  const char *name = path;
  for (; *path; path++)
    if (*path == '/') name = path + 1;
  return name;
}

static inline int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static inline int starts_with(const char *text, const char *start) {
  while (*start && *text == *start) text++, start++;
  return *start == 0;
}
#endif
