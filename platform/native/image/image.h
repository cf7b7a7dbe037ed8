// An image of a sandbox process that has started and waits for its configuration: all of its memory, its
// threads and its descriptors. scripts/image.ts takes it while dvisor is built; restore.c makes a process of it.
// In the binary it lies at a multiple of a page: this structure, then the tables, then memory.
#ifndef DVISOR_IMAGE_H
#define DVISOR_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC 0x3165676d69766400  // "\0dvimge1"

// Mappings in order of their addresses. Offsets count from the binary's first byte.
// REGION_STACK: has the command line, which the kernel shows where it lies in memory without a file alone.
enum { REGION_MEMORY, REGION_VDSO, REGION_STACK };
#define REGION_NO_HUGE_PAGES 1
struct region {
  uint64_t start, end;
  int64_t offset;  // of what is mapped; -1: zeros
  uint32_t prot;
  uint16_t kind, flags;
};

// What the kernel keeps of a thread that waits in a system call, which it begins anew.
struct thread {
  uint64_t rax, rbx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r12, r13, r14, r15, rip;
  uint64_t fs_base;
  uint64_t tid_address;  // set and, at its end, cleared
  uint64_t robust_list, robust_size;
  uint64_t rseq, rseq_size, rseq_signature;  // rseq: 0 without
  uint64_t signal_mask;
  uint64_t altstack, altstack_flags, altstack_size;
  char name[16];
};

// Descriptors in order. Those of start.h are there already.
enum { FD_KIND_KEPT, FD_KIND_DUP, FD_KIND_EPOLL, FD_KIND_EVENTFD, FD_KIND_SOCKET };
struct descriptor {
  int32_t fd, kind;
  int32_t cloexec;
  int32_t value;  // dup: of which one; eventfd: its count; socket: its peer, if that is to come
  int32_t flags;  // O_NONBLOCK
  int32_t unused;
};

struct watch {
  int32_t epoll, fd;
  uint32_t events, unused;
  uint64_t data;
};

// Pages that a sandbox writes to soon: populated while it waits for its configuration.
struct range {
  uint64_t start, end;
};
#define RANGES_MAX 2048

struct action {
  uint64_t handler, flags, restorer, mask;
};

enum { CPU_WORDS = 12, VDSO_FUNCTIONS = 16, VDSO_NAME = 32 };
struct vdso_function {
  char name[VDSO_NAME];
  uint64_t address;  // 0: none
};

struct image {
  uint64_t magic;
  uint64_t tables;       // bytes of this structure and of the tables, whole pages
  uint64_t monotonic_ns; // CLOCK_MONOTONIC when it was taken
  uint32_t cpu[CPU_WORDS];
  uint32_t regions, threads, descriptors, watches;
  uint32_t ranges, unused;
  struct vdso_function functions[VDSO_FUNCTIONS];
  struct action actions[64];
  // As prctl(PR_SET_MM_MAP) takes them.
  uint64_t memory[11];
  // Then struct region[regions], struct thread[threads], the first thread first, struct descriptor[descriptors],
  // struct watch[watches], struct range[RANGES_MAX] of which `ranges` are used.
};

// scripts/image.ts writes by these.
_Static_assert(sizeof(struct image) == 2872, "struct image");
_Static_assert(sizeof(struct region) == 32, "struct region");
_Static_assert(sizeof(struct thread) == 224, "struct thread");
_Static_assert(sizeof(struct descriptor) == 24, "struct descriptor");
_Static_assert(sizeof(struct watch) == 24, "struct watch");
#endif
