// A program's start here is page faults, and nearly all are first touches of anonymous memory: V8's heap
// and malloc's. A fault costs 11 us and more where the kernel populates a page in 0.7 us when it is asked
// to beforehand. So the prelude asks: for malloc's heap, and for small private mappings when they become
// writable. For that it puts itself between the program and libc's mmap and mprotect, in the table
// through which the program calls them.
#define _GNU_SOURCE
#include "prefault.h"
#include "raw.h"

#include <elf.h>
#include <malloc.h>
#include <sys/mman.h>

// V8 works in pages of 256 KiB, which it aligns in a mapping of nearly two, and gives back the rest.
#define V8_PAGE (256ul << 10)
#define V8_MAPPING (2 * V8_PAGE - PAGE)
// Larger mappings are reservations, or stacks, whose pages may never be used.
#define LARGEST (1ul << 20)
#define SMALLEST (16ul << 10)

typedef void *(*mmap_fn)(void *, size_t, int, int, int, off_t);
typedef int (*mprotect_fn)(void *, size_t, int);

static void populate(uintptr_t addr, size_t length) { CALL(SYS_madvise, addr, length, POPULATE_WRITE); }

static void *mmap_populated(void *addr, size_t length, int prot, int flags, int fd, off_t offset) {
  void *p = ((mmap_fn)prelude_header.libc_mmap)(addr, length, prot, flags, fd, offset);
  const int kind = MAP_ANONYMOUS | MAP_PRIVATE;
  if (p == MAP_FAILED || !(prot & PROT_WRITE) || (flags & kind) != kind || length > LARGEST) return p;
  if (length == V8_MAPPING) populate(((uintptr_t)p + V8_PAGE - 1) & ~(V8_PAGE - 1), V8_PAGE);
  else populate((uintptr_t)p, length);
  return p;
}

static int mprotect_populated(void *addr, size_t length, int prot) {
  int r = ((mprotect_fn)prelude_header.libc_mprotect)(addr, length, prot);
  if (r == 0 && prot == (PROT_READ | PROT_WRITE) && length >= SMALLEST && length <= LARGEST)
    populate((uintptr_t)addr, length);
  return r;
}

// --- What the loader has loaded ---------------------------------------------------------------------

static uintptr_t dynamic(const struct link_map *l, ElfW(Sxword) tag) {
  for (const ElfW(Dyn) *d = l->l_ld; d->d_tag != DT_NULL; d++)
    if (d->d_tag == tag) return d->d_un.d_ptr;
  return 0;
}

// A function of a library by its name, through its GNU hash table; 0: not there.
static uintptr_t function(const struct link_map *l, const char *name) {
  const uint32_t *table = (const uint32_t *)dynamic(l, DT_GNU_HASH);
  const ElfW(Sym) *symbols = (const ElfW(Sym) *)dynamic(l, DT_SYMTAB);
  const char *strings = (const char *)dynamic(l, DT_STRTAB);
  if (!table || !symbols || !strings || table[0] == 0) return 0;
  uint32_t hash = 5381;
  for (const char *p = name; *p; p++) hash = hash * 33 + (uint8_t)*p;
  const uint32_t *buckets = table + 4 + table[2] * (sizeof(ElfW(Addr)) / 4), *chain = buckets + table[0];
  uint32_t i = buckets[hash % table[0]];
  if (i < table[1]) return 0;
  for (;; i++) {
    uint32_t other = chain[i - table[1]];
    const ElfW(Sym) *s = &symbols[i];
    if ((other | 1) == (hash | 1) && ELF64_ST_TYPE(s->st_info) == STT_FUNC && same(strings + s->st_name, name))
      return l->l_addr + s->st_value;
    if (other & 1) return 0;
  }
}

// One heap for all threads, grown at once by `size`.
static void populate_heap(const struct link_map *libc, size_t size) {
  int (*set_option)(int, int) = (int (*)(int, int))function(libc, "mallopt");
  void *(*allocate)(size_t) = (void *(*)(size_t))function(libc, "malloc");
  void (*release)(void *) = (void (*)(void *))function(libc, "free");
  if (!set_option || !allocate || !release) return;
  set_option(M_ARENA_MAX, 1);
  set_option(M_TOP_PAD, size);
  void *p = allocate(64 << 10);
  uintptr_t start = (uintptr_t)p & -PAGE, end = CALL(SYS_brk, 0) & -PAGE;
  if (p && start < end && end - start <= 2 * size) populate(start, end - start);
  release(p);
  set_option(M_TOP_PAD, 1 << 20);
  set_option(M_TRIM_THRESHOLD, 4 * size);
}

// Lets the program call `to` where it would call libc's `name`. Returns what it would have called, or 0.
static uintptr_t divert(const struct link_map *program, const char *name, uintptr_t to) {
  const ElfW(Rela) *rela = (const ElfW(Rela) *)dynamic(program, DT_JMPREL);
  const ElfW(Sym) *symbols = (const ElfW(Sym) *)dynamic(program, DT_SYMTAB);
  const char *strings = (const char *)dynamic(program, DT_STRTAB);
  size_t count = dynamic(program, DT_PLTRELSZ) / sizeof *rela;
  for (size_t i = 0; rela && i < count; i++) {
    if (ELF64_R_TYPE(rela[i].r_info) != R_X86_64_JUMP_SLOT) continue;
    if (!same(strings + symbols[ELF64_R_SYM(rela[i].r_info)].st_name, name)) continue;
    uintptr_t *slot = (uintptr_t *)(program->l_addr + rela[i].r_offset), was = *slot;
    uintptr_t page = (uintptr_t)slot & -PAGE;
    if (CALL(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE) < 0) return 0;
    *slot = to;
    CALL(SYS_mprotect, page, PAGE, PROT_READ);
    return was;
  }
  return 0;
}

void prefault(const struct link_map *program, size_t heap_size) {
  const struct link_map *libc = program;
  while (libc && !same(basename_of(libc->l_name), "libc.so.6")) libc = libc->l_next;
  if (!libc) return;
  populate_heap(libc, heap_size);
  // Known before it can be called.
  prelude_header.libc_mmap = function(libc, "mmap64");
  prelude_header.libc_mprotect = function(libc, "mprotect");
  if (!prelude_header.libc_mmap || !prelude_header.libc_mprotect) return;
  divert(program, "mmap", (uintptr_t)mmap_populated);
  divert(program, "mmap64", (uintptr_t)mmap_populated);
  divert(program, "mprotect", (uintptr_t)mprotect_populated);
}
