// Runs before the program itself: prefault.c makes its start quicker, and in the command, for `dvisor do`,
// the sandbox process is started, so that both start at once. scripts/prelude.ts adds it to the base binary as a segment of its own and makes it
// the entry point; here the dynamic loader has done its work, and libc's start code has not.
//
// It looks at no more of the command line than it must. What the command then finds not to fit
// (dv_sandbox_start) is thrown away and started anew.
#define _GNU_SOURCE
#include "prefault.h"
#include "raw.h"
#include "requirements.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

// The first page of the segment; scripts/prelude.ts fills in the numbers.
__attribute__((section(".header"), aligned(PAGE))) struct prelude prelude_header = {.magic = PRELUDE_MAGIC};

// What malloc uses until the program is up, in the command and in the sandbox process.
enum { COMMAND_HEAP = 3 << 20, SANDBOX_HEAP = 5 << 20 };

__asm__(
    ".section .text.entry, \"ax\"\n"
    ".globl prelude_entry\n"
    "prelude_entry:\n"
    "  mov %rsp, %rdi\n"
    "  push %rdx\n"  // the loader's, for the program
    "  push %rdx\n"
    "  call prelude_main\n"
    "  pop %rdx\n"
    "  pop %rdx\n"
    "  jmp *%rax\n"
    ".text\n");

static const struct link_map *loaded_objects(const ElfW(auxv_t) *auxv) {
  const ElfW(Phdr) *phdr = 0;
  size_t count = 0;
  for (; auxv->a_type != AT_NULL; auxv++) {
    if (auxv->a_type == AT_PHDR) phdr = (const ElfW(Phdr) *)auxv->a_un.a_val;
    if (auxv->a_type == AT_PHNUM) count = auxv->a_un.a_val;
  }
  uintptr_t base = 0;
  for (size_t i = 0; i < count; i++)
    if (phdr[i].p_type == PT_PHDR) base = (uintptr_t)phdr - phdr[i].p_vaddr;
  for (size_t i = 0; i < count; i++) {
    if (phdr[i].p_type != PT_DYNAMIC) continue;
    for (const ElfW(Dyn) *d = (const ElfW(Dyn) *)(base + phdr[i].p_vaddr); d->d_tag != DT_NULL; d++)
      if (d->d_tag == DT_DEBUG && d->d_un.d_ptr) return ((const struct r_debug *)d->d_un.d_ptr)->r_map;
  }
  return 0;
}

// Whether an argument may ask for something writable: --rw or a volume's :rw.
static int may_write(char **argv) {
  for (; *argv && !same(*argv, "--"); argv++)
    for (const char *p = *argv; *p; p++)
      if (p[0] == 'r' && p[1] == 'w') return 1;
  return 0;
}

static int library_file(void) {
  const char *bytes = (const char *)&prelude_header + prelude_header.library;
  long fd = CALL(SYS_memfd_create, "libplatform.so", MFD_CLOEXEC);
  for (uint64_t at = 0; fd >= 0 && at < prelude_header.library_size;) {
    long n = CALL(SYS_write, fd, bytes + at, prelude_header.library_size - at);
    if (n <= 0) {
      CALL(SYS_close, fd);
      return -1;
    }
    at += n;
  }
  return fd;
}

static void start(long argc, char **argv, const struct link_map *loaded) {
  if (argc < 3 || !same(argv[1], "do") || same(argv[2], "--help") || same(argv[2], "-h")) return;
  struct sandbox *s = sandbox_new();
  if (!s) return;
  s->loaded = loaded;
  if (CALL(SYS_geteuid) == 0) s->keep_caps = may_write(argv + 2) ? CAPS_READ | CAPS_WRITE : CAPS_READ;
  s->library_fd = library_file();
  int ok = s->library_fd >= 0 && sandbox_start(s) == 0;
  if (s->library_fd >= 0) CALL(SYS_close, s->library_fd);
  // What went wrong is for the command to find out and to report.
  if (ok) prelude_header.started = s;
  else sandbox_abandon(s);
}

// `sp`: the initial stack. Returns the program's own entry.
__attribute__((used)) static uintptr_t prelude_main(long *sp) {
  char **argv = (char **)(sp + 1), **envp = argv + *sp + 1;
  while (*envp) envp++;
  const struct link_map *loaded = loaded_objects((const ElfW(auxv_t) *)(envp + 1));
  int in_sandbox = *sp > 1 && same(argv[1], "boot");
  if (!in_sandbox) check_requirements(*sp, argv);
  if (loaded && CALL(SYS_mprotect, &prelude_header, PAGE, PROT_READ | PROT_WRITE) == 0) {
    start(*sp, argv, loaded);
    if (in_sandbox) make_room_for_descriptors();
    prefault(loaded, in_sandbox ? SANDBOX_HEAP : COMMAND_HEAP);
  }
  return (uintptr_t)&prelude_header + prelude_header.entry;
}
