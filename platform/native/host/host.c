// Host system calls for TypeScript. Numbers travel as double, which V8's fast calls pass unboxed;
// every address and size the Sentry uses is exact in one. Results are n or -errno.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define XTILE_DATA 0x40000

static inline long word(double d) { return d < 0 ? (long)d : (long)(uint64_t)d; }

double dv_syscall(int nr, double a0, double a1, double a2, double a3, double a4, double a5) {
  long r = syscall(nr, word(a0), word(a1), word(a2), word(a3), word(a4), word(a5));
  return r == -1 ? -errno : (double)r;
}

// Page-aligned zeroed memory that stays put; never freed (static scratch buffers).
void *dv_alloc(uint32_t size) {
  void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? 0 : p;
}

void *dv_map_shared(int fd, double offset, double length) {
  void *p = mmap(0, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
  return p == MAP_FAILED ? 0 : p;
}

int dv_unmap(void *p, double length) { return munmap(p, (size_t)length); }

// buffer + start: a typed array's memory, which does not move during the call.
int dv_pread(int fd, uint8_t *buffer, uint32_t start, uint32_t length, double offset) {
  long r = offset < 0 ? read(fd, buffer + start, length) : pread(fd, buffer + start, length, (off_t)offset);
  return r < 0 ? -errno : (int)r;
}

int dv_pwrite(int fd, const uint8_t *buffer, uint32_t start, uint32_t length, double offset) {
  long r = offset < 0 ? write(fd, buffer + start, length) : pwrite(fd, buffer + start, length, (off_t)offset);
  return r < 0 ? -errno : (int)r;
}

// Random bytes of the host's. Not by libc or Deno, which keep generators: those of an image (../image) would give each
// sandbox the same.
int dv_random(uint8_t *buffer, uint32_t start, uint32_t length) {
  for (uint32_t at = 0; at < length;) {
    long n = syscall(SYS_getrandom, buffer + start + at, length - at, 0);
    if (n < 0 && errno != EINTR) return -errno;
    if (n > 0) at += n;
  }
  return 0;
}

// -1 of a clock that there is not, as that of a process that is dead.
double dv_clock_ns(int clock) {
  struct timespec t = {0, -1};
  clock_gettime(clock, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

// A clock as two exact parts: out[0] seconds, out[1] nanoseconds.
void dv_clock(int clock, double *out) {
  struct timespec t;
  clock_gettime(clock, &t);
  out[0] = t.tv_sec;
  out[1] = t.tv_nsec;
}

static void cpuid(unsigned leaf, unsigned index, unsigned out[4]) {
  __asm__("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(index));
}

// As the kernel gave it. glibc's getauxval has a word of its own for AT_HWCAP, for its library paths.
double dv_auxval(int type) {
  static unsigned long aux[64];
  if (aux[0] == 0 && prctl(0x41555856 /* PR_GET_AUXV, 6.4 */, aux, sizeof aux, 0, 0) < 0) aux[0] = AT_NULL;
  for (int i = 0; i < 64 && aux[i] != AT_NULL; i += 2)
    if (aux[i] == (unsigned long)type) return aux[i + 1];
  if (type != AT_HWCAP) return getauxval(type);
  unsigned features[4];
  cpuid(1, 0, features);
  return features[3];
}

// The FP state that programs have without asking for more (AMX tiles take arch_prctl): the size of its XSAVE
// image in the standard format, its components (two words), and the bits that MXCSR has.
void dv_fp_state(uint32_t out[4]) {
  static uint8_t image[512] __attribute__((aligned(16)));
  unsigned size = 512 + 64, part[4];
  __asm__("xgetbv" : "=a"(out[1]), "=d"(out[2]) : "c"(0));
  out[1] &= ~XTILE_DATA;
  for (int i = 2; i < 63; i++) {
    if (!((i < 32 ? out[1] >> i : out[2] >> (i - 32)) & 1)) continue;
    cpuid(0xd, i, part);
    if (part[1] + part[0] > size) size = part[1] + part[0];
  }
  out[0] = size;
  __asm__("fxsave64 %0" : "=m"(image));
  memcpy(&out[3], image + 28, 4);
  if (out[3] == 0) out[3] = 0xffbf;
}
