// Makes this process the one of an image (image.h): start.c executes it in the place of a dvisor that would
// first have to start. A program of its own, without a loader or libc, so that nothing is in the way of the image's
// addresses but what the kernel put there. Where that is in the way, or the processor lacks what the image's has,
// it executes dvisor itself, which then starts from the beginning.
//   restore OFFSET TRY      OFFSET: of the image in dvisor; TRY: how often the kernel's choice of addresses was bad
//   restore                 writes to stdout what an image needs of this processor (struct image, cpu)
#define _GNU_SOURCE
#include "image.h"
#include "../sandbox/programs.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define TABLES_AT 0x400000ul
#define ARCH_SET_FS 0x1002
enum { TRIES = 8, THREADS = 32, BINARY_FD = 1000 };

static uint8_t stacks[THREADS][2048] __attribute__((aligned(16)));

__asm__(
    ".section .text.entry, \"ax\"\n"
    ".globl restore_entry\n"
    "restore_entry:\n"
    "  mov %rsp, %rdi\n"
    "  call restore_main\n"
    "  ud2\n"
    // continue_thread(struct thread *): rcx and r11 are what a system call, which comes next, does not keep.
    "continue_thread:\n"
    "  mov %rdi, %rcx\n"
    "  mov 0(%rcx), %rax\n"
    "  mov 8(%rcx), %rbx\n"
    "  mov 16(%rcx), %rdx\n"
    "  mov 24(%rcx), %rsi\n"
    "  mov 32(%rcx), %rdi\n"
    "  mov 40(%rcx), %rbp\n"
    "  mov 48(%rcx), %rsp\n"
    "  mov 56(%rcx), %r8\n"
    "  mov 64(%rcx), %r9\n"
    "  mov 72(%rcx), %r10\n"
    "  mov 80(%rcx), %r12\n"
    "  mov 88(%rcx), %r13\n"
    "  mov 96(%rcx), %r14\n"
    "  mov 104(%rcx), %r15\n"
    "  mov 112(%rcx), %r11\n"
    "  jmp *%r11\n"
    ".text\n");
_Noreturn void continue_thread(const struct thread *t);

// Starts from the beginning. What has been opened goes with exec.
static _Noreturn void start_dvisor(void) {
  execute_dvisor();
  for (;;) CALL(SYS_exit_group, 125);
}

// The kernel will choose other addresses.
static _Noreturn void try_again(long offset, long tries) {
  if (tries < TRIES) execute_restorer(offset, tries + 1);
  start_dvisor();
}

static long parse(const char *text) {
  long n = 0;
  while (*text >= '0' && *text <= '9') n = n * 10 + (*text++ - '0');
  return n;
}

// --- Whether it can be ------------------------------------------------------------------------------

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
// Of the words: the size of a signal frame, for which the image's threads have stacks. Less is right, too.
enum { FRAME_SIZE = 9 };

static uint64_t auxv_value(const Elf64_auxv_t *auxv, uint64_t type) {
  for (; auxv->a_type != AT_NULL; auxv++)
    if (auxv->a_type == type) return auxv->a_un.a_val;
  return 0;
}

// What compiled code and libc were chosen by: what the image's processor had must all be here.
static void read_cpu(uint32_t *words, const Elf64_auxv_t *auxv) {
  uint32_t a, b, c, d, low, high;
  for (int i = 0; i < CPU_WORDS; i++) words[i] = 0;
  // SSE3 … RDRAND, without what the kernel or a hypervisor says of itself.
  __cpuid(1, a, b, c, d);
  words[0] = c & 0x7fd83203;
  words[1] = d & 0x07808111;
  if (__get_cpuid_max(0, 0) >= 7) {
    __cpuid_count(7, 0, a, b, c, d);
    words[2] = b & 0xf4ad0b38;
    words[3] = c & 0x00005f5e;
    words[4] = d & 0x0381410c;
  }
  __cpuid(0x80000001, a, b, c, d);
  words[5] = c & 0x00210961;
  words[6] = d & 0x28100800;
  if (words[0] >> 27 & 1) {
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    words[7] = low & 0xe7;
  }
  words[8] = auxv_value(auxv, AT_HWCAP2);
  words[FRAME_SIZE] = auxv_value(auxv, AT_MINSIGSTKSZ);
}

static int fits_cpu(const uint32_t *needed, const Elf64_auxv_t *auxv) {
  uint32_t words[CPU_WORDS];
  read_cpu(words, auxv);
  for (int i = 0; i < CPU_WORDS; i++)
    if (i != FRAME_SIZE && (words[i] & needed[i]) != needed[i]) return 0;
  return words[FRAME_SIZE] <= needed[FRAME_SIZE];
}

// Clocks may go forward, which looks like a long wait; back they do not go.
static int is_later(uint64_t monotonic_ns) {
  struct timespec now;
  CALL(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ul + now.tv_nsec >= monotonic_ns;
}

// --- Memory -----------------------------------------------------------------------------------------

static int map_region(const struct region *r) {
  uint64_t size = r->end - r->start;
  int is_anonymous = r->offset < 0 || r->kind == REGION_STACK;
  int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_NORESERVE | (is_anonymous ? MAP_ANONYMOUS : 0);
  int prot = r->kind == REGION_VDSO ? PROT_READ | PROT_WRITE : (int)r->prot;
  long p = CALL(SYS_mmap, r->start, size, prot, flags, is_anonymous ? -1 : BINARY_FD, is_anonymous ? 0 : r->offset);
  if (p != (long)r->start) return 0;
  if (r->offset >= 0 && is_anonymous && CALL(SYS_pread64, BINARY_FD, r->start, size, r->offset) != (long)size) return 0;
  if (r->flags & REGION_NO_HUGE_PAGES) CALL(SYS_madvise, r->start, r->end - r->start, MADV_NOHUGEPAGE);
  return 1;
}

// Where the kernel's own vDSO has a function; 0: it has not.
static uintptr_t vdso_function(uintptr_t vdso, const char *name) {
  const Elf64_Ehdr *e = (const Elf64_Ehdr *)vdso;
  const Elf64_Phdr *p = (const Elf64_Phdr *)(vdso + e->e_phoff);
  uintptr_t bias = vdso;
  const Elf64_Dyn *d = 0;
  for (int i = 0; i < e->e_phnum; i++) {
    if (p[i].p_type == PT_LOAD) bias = vdso + p[i].p_offset - p[i].p_vaddr;
    if (p[i].p_type == PT_DYNAMIC) d = (const Elf64_Dyn *)(vdso + p[i].p_offset);
  }
  if (!d) return 0;
  const Elf64_Sym *symbols = 0;
  const char *strings = 0;
  uintptr_t end = 0;
  for (; d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)(bias + d->d_un.d_ptr);
    if (d->d_tag == DT_STRTAB) strings = (const char *)(bias + d->d_un.d_ptr), end = bias + d->d_un.d_ptr;
  }
  // Its strings follow its symbols.
  if (!symbols || !strings) return 0;
  for (const Elf64_Sym *s = symbols; (uintptr_t)(s + 1) <= end; s++)
    if (s->st_value && same(strings + s->st_name, name)) return bias + s->st_value;
  return 0;
}

// What libc knows of the image's vDSO leads to the kernel's, or makes the system call.
static void divert_vdso(const struct image *image, uintptr_t vdso) {
  static const struct { char name[24]; int nr; } calls[] = {
      {"__vdso_clock_gettime", SYS_clock_gettime}, {"__vdso_gettimeofday", SYS_gettimeofday},
      {"__vdso_time", SYS_time},                   {"__vdso_getcpu", SYS_getcpu},
      {"__vdso_clock_getres", SYS_clock_getres},
  };
  for (int i = 0; i < VDSO_FUNCTIONS && image->functions[i].address; i++) {
    const struct vdso_function *f = &image->functions[i];
    uint8_t *at = (uint8_t *)f->address;
    uintptr_t to = vdso ? vdso_function(vdso, f->name) : 0;
    if (to) {
      // mov $to, %rax; jmp *%rax
      *at++ = 0x48, *at++ = 0xb8;
      for (int byte = 0; byte < 8; byte++) *at++ = to >> 8 * byte;
      *at++ = 0xff, *at++ = 0xe0;
      continue;
    }
    // mov $nr, %eax; syscall; ret. What has no number fails with ENOSYS.
    int nr = -1;
    for (unsigned k = 0; k < sizeof calls / sizeof *calls; k++)
      if (same(f->name, calls[k].name)) nr = calls[k].nr;
    if (nr < 0) nr = -ENOSYS;
    *at++ = 0x48, *at++ = 0xc7, *at++ = 0xc0;  // mov $imm32, %rax
    for (int byte = 0; byte < 4; byte++) *at++ = nr >> 8 * byte;
    if (nr >= 0) *at++ = 0x0f, *at++ = 0x05;
    *at++ = 0xc3;
  }
}

static int map_memory(const struct image *image, const struct region *regions, uintptr_t vdso) {
  for (uint32_t i = 0; i < image->regions; i++)
    if (!map_region(&regions[i])) return 0;
  divert_vdso(image, vdso);
  for (uint32_t i = 0; i < image->regions; i++) {
    const struct region *r = &regions[i];
    if (r->kind == REGION_VDSO) CALL(SYS_mprotect, r->start, r->end - r->start, r->prot);
  }
  // The break goes on where the image's was. A kernel without this gives malloc other memory.
  struct prctl_mm_map map = {0};
  const uint64_t *m = image->memory;
  map.start_code = m[0], map.end_code = m[1], map.start_data = m[2], map.end_data = m[3];
  map.start_brk = m[4], map.brk = m[5], map.start_stack = m[6];
  map.arg_start = m[7], map.arg_end = m[8], map.env_start = m[9], map.env_end = m[10];
  map.exe_fd = -1;
  CALL(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  return 1;
}

// In one go a page takes a quarter of what its first touch takes. A kernel that does not know how lets them be touched.
static void populate(const struct range *ranges, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (CALL(SYS_madvise, ranges[i].start, ranges[i].end - ranges[i].start, POPULATE_WRITE) < 0) return;
}

// --- Descriptors ------------------------------------------------------------------------------------

static int place(int fd, const struct descriptor *d) {
  if (fd < 0) return 0;
  if (fd == d->fd) {
    CALL(SYS_fcntl, fd, F_SETFD, d->cloexec ? FD_CLOEXEC : 0);
    return 1;
  }
  int ok = CALL(SYS_dup3, fd, d->fd, d->cloexec ? O_CLOEXEC : 0) >= 0;
  CALL(SYS_close, fd);
  return ok;
}

static int make_descriptor(const struct descriptor *d) {
  int pair[2];
  switch (d->kind) {
    case FD_KIND_KEPT:
      return CALL(SYS_fcntl, d->fd, F_SETFD, d->cloexec ? FD_CLOEXEC : 0) >= 0;
    case FD_KIND_DUP:
      return CALL(SYS_dup3, d->value, d->fd, d->cloexec ? O_CLOEXEC : 0) >= 0;
    case FD_KIND_EPOLL:
      return place(CALL(SYS_epoll_create1, 0), d);
    case FD_KIND_EVENTFD:
      return place(CALL(SYS_eventfd2, d->value, d->flags), d);
    case FD_KIND_SOCKET: {
      if (d->value < 0) return 1;  // It came with its peer.
      if (CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM | d->flags, 0, pair) < 0) return 0;
      // Out of the way of both numbers.
      for (int i = 0; i < 2; i++) {
        int fd = CALL(SYS_fcntl, pair[i], F_DUPFD, BINARY_FD + 1);
        CALL(SYS_close, pair[i]);
        pair[i] = fd;
      }
      struct descriptor peer = *d;
      peer.fd = d->value;
      return place(pair[0], d) && place(pair[1], &peer);
    }
  }
  return 0;
}

static int make_descriptors(const struct image *image, const struct descriptor *d, const struct watch *w) {
  for (uint32_t i = 0; i < image->descriptors; i++)
    if (!make_descriptor(&d[i])) return 0;
  for (uint32_t i = 0; i < image->watches; i++) {
    struct epoll_event event = {.events = w[i].events, .data.u64 = w[i].data};
    if (CALL(SYS_epoll_ctl, w[i].epoll, EPOLL_CTL_ADD, w[i].fd, &event) < 0) return 0;
  }
  return 1;
}

// --- Threads ----------------------------------------------------------------------------------------

static void resume(void *argument) {
  const struct thread *t = argument;
  if (t->rseq) CALL(SYS_rseq, t->rseq, t->rseq_size, 0, t->rseq_signature);
  if (t->robust_list) CALL(SYS_set_robust_list, t->robust_list, t->robust_size);
  stack_t altstack = {.ss_sp = (void *)t->altstack, .ss_flags = t->altstack_flags, .ss_size = t->altstack_size};
  CALL(SYS_sigaltstack, &altstack, 0);
  CALL(SYS_prctl, PR_SET_NAME, t->name);
  CALL(SYS_rt_sigprocmask, SIG_SETMASK, &t->signal_mask, 0, 8);
  continue_thread(t);
}

static long clone_thread(const struct thread *t, uint8_t *stack) {
  const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                     CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  return raw_clone(flags, stack, resume, t, 0, t->tid_address, t->fs_base);
}

static _Noreturn void start_threads(const struct image *image, const struct thread *threads) {
  for (int signo = 1; signo <= 64; signo++) {
    const struct action *a = &image->actions[signo - 1];
    if (a->handler) CALL(SYS_rt_sigaction, signo, a, 0, 8);
  }
  for (uint32_t i = 1; i < image->threads; i++)
    if (clone_thread(&threads[i], stacks[i] + sizeof stacks[i]) < 0) CALL(SYS_exit_group, 125);
  CALL(SYS_arch_prctl, ARCH_SET_FS, threads[0].fs_base);
  *(int *)threads[0].tid_address = CALL(SYS_set_tid_address, threads[0].tid_address);
  resume((void *)&threads[0]);
  __builtin_unreachable();
}

static long map_tables(long offset, uint64_t size) {
  return CALL(SYS_mmap, TABLES_AT, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, BINARY_FD, offset);
}

__attribute__((used)) static _Noreturn void restore_main(long *sp) {
  char **argv = (char **)(sp + 1), **envp = argv + *sp + 1;
  while (*envp) envp++;
  const Elf64_auxv_t *auxv = (const Elf64_auxv_t *)(envp + 1);
  if (*sp < 3) {
    uint32_t words[CPU_WORDS];
    read_cpu(words, auxv);
    CALL(SYS_write, 1, words, sizeof words);
    for (;;) CALL(SYS_exit_group, 0);
  }
  long offset = parse(argv[1]), tries = parse(argv[2]);
  uintptr_t vdso = auxv_value(auxv, AT_SYSINFO_EHDR);

  long fd = CALL(SYS_open, DVISOR, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || CALL(SYS_dup3, fd, BINARY_FD, O_CLOEXEC) < 0) start_dvisor();
  CALL(SYS_close, fd);
  const struct image *image = (const struct image *)TABLES_AT;
  if (map_tables(offset, PAGE) != (long)TABLES_AT || image->magic != IMAGE_MAGIC) start_dvisor();
  if (map_tables(offset, image->tables) != (long)TABLES_AT) start_dvisor();
  if (image->threads > THREADS || !fits_cpu(image->cpu, auxv) || !is_later(image->monotonic_ns)) start_dvisor();

  const struct region *regions = (const struct region *)(image + 1);
  const struct thread *threads = (const struct thread *)(regions + image->regions);
  const struct descriptor *descriptors = (const struct descriptor *)(threads + image->threads);
  if (!map_memory(image, regions, vdso)) try_again(offset, tries);
  const struct watch *watches = (const struct watch *)(descriptors + image->descriptors);
  populate((const struct range *)(watches + image->watches), image->ranges);
  make_room_for_descriptors();
  if (!make_descriptors(image, descriptors, watches)) start_dvisor();
  CALL(SYS_close, BINARY_FD);
  start_threads(image, threads);
}
