// System calls and strings without a libc: for code that runs where there is none to rely on, in the
// prelude, between clone and exec, and in children that share their parent's memory.
#ifndef DVISOR_RAW_H
#define DVISOR_RAW_H

#include <sys/syscall.h>

#define PAGE 4096ul
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
