// Start-up of the sandbox process is page faults, and nearly all are first touches of anonymous memory:
// V8's heap and malloc's. A fault costs 11 µs where the kernel populates a page in 0.7 µs when it is
// asked to beforehand. So libplatform.so is preloaded there (LD_PRELOAD, set by the command beside
// DVISOR_PREFAULT), and asks: for small private mappings when they become writable, and for the heap.
// Everywhere else this file only passes calls on.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POPULATE_WRITE 23
// V8 works in pages of 256 KiB, which it aligns in a mapping of nearly two, and gives back the rest.
#define V8_PAGE (256ul << 10)
#define V8_MAPPING (2 * V8_PAGE - 4096)
// Larger mappings are reservations, or stacks, whose pages may never be used.
#define LARGEST (1ul << 20)
#define SMALLEST (16ul << 10)
#define HEAP (12 << 20)

static int active;

static void populate(uintptr_t addr, size_t length) {
  int err = errno;
  syscall(SYS_madvise, addr, length, POPULATE_WRITE);
  errno = err;
}

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset) {
  long r = syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
  void *p = (void *)r;
  const int kind = MAP_ANONYMOUS | MAP_PRIVATE;
  if (!active || r == -1 || !(prot & PROT_WRITE) || (flags & kind) != kind || length > LARGEST) return p;
  if (length == V8_MAPPING) populate(((uintptr_t)p + V8_PAGE - 1) & ~(V8_PAGE - 1), V8_PAGE);
  else populate((uintptr_t)p, length);
  return p;
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

int mprotect(void *addr, size_t length, int prot) {
  int r = syscall(SYS_mprotect, addr, length, prot);
  if (active && r == 0 && prot == (PROT_READ | PROT_WRITE) && length >= SMALLEST && length <= LARGEST)
    populate((uintptr_t)addr, length);
  return r;
}

__attribute__((constructor)) static void prefault(void) {
  if (!getenv("DVISOR_PREFAULT")) return;
  active = 1;
  // One heap for all threads, grown at once by what start-up uses.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TOP_PAD, HEAP);
  void *p = malloc(64 << 10);
  uintptr_t start = (uintptr_t)p & ~4095ul, end = (uintptr_t)sbrk(0) & ~4095ul;
  if (p && start < end && end - start <= 2 * HEAP) populate(start, end - start);
  free(p);
  mallopt(M_TOP_PAD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 * HEAP);
}
