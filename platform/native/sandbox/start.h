// The first half of starting a sandbox: a process in namespaces of its own, with a minimal root, without
// privilege, that executes the boot role. It needs nothing of what the user asked for; mounts and
// configuration follow (spawn.c), so that the process can start before the command has.
#ifndef DVISOR_START_H
#define DVISOR_START_H

#include <limits.h>
#include <link.h>
#include <stdint.h>

enum { MAX_LIBRARIES = 16, START_STACK_SIZE = 32 << 10 };
// Descriptors of the process after exec: 0 to 2 are the diagnostics.
enum { FD_CONTROL = 3, FD_EMPTY = 4, FD_FILES = 5, FD_COUNT };

// One anonymous mapping; it lives until the process was waited for.
struct sandbox {
  // Set by the caller, zero otherwise.
  uint64_t keep_caps;  // capabilities that survive exec
  const char *exe;     // the executable; 0: the caller's own
  int library_fd;      // a file with libplatform.so
  const struct link_map *loaded;  // what the caller has loaded: the process gets the same libraries

  // The result.
  int pid, pidfd;
  int control;      // our end of the control socket
  int diagnostics;  // memfd: what the process writes to its 1 and 2
  int all_ids;      // whether every id of the caller is mapped
  int stage;        // when it failed: what failed, see STAGE_*

  // Between the two processes, which share this memory until exec.
  uint32_t mapped;  // futex: 1 when the id maps are written
  uint32_t rooted;  // futex: 1 when the root is built
  int child_control, parent;
  const char *libraries[MAX_LIBRARIES], *loader;
  int library_count;
  uint64_t image;  // where in the executable; 0: it has none
  char exe_path[PATH_MAX];
  struct sandbox *next;
  char stack[START_STACK_SIZE] __attribute__((aligned(16)));
};

// An owner of all files may read them: CAP_DAC_READ_SEARCH.
#define CAPS_READ (1ul << 2)
// Writable volumes: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID besides.
#define CAPS_WRITE (1ul << 0 | 1ul << 1 | 1ul << 3 | 1ul << 4)

enum { STAGE_RESOURCES = 2, STAGE_CLONE = 3, STAGE_MAPS = 4 };

// A sandbox with nothing set, or 0.
struct sandbox *sandbox_new(void);

// Starts it and returns at once, while the process still builds its root; what fails there arrives as a
// control event. 0, or a negative errno and `stage`. Makes raw system calls only.
int sandbox_start(struct sandbox *s);

void sandbox_free(struct sandbox *s);

// Ends a process that nobody wants, waits for it and frees it.
void sandbox_abandon(struct sandbox *s);

// Where the prelude leaves what it started: the head of its segment, see prelude.c.
#define PRELUDE_MAGIC 0x316564756c657270  // "prelude1"
struct prelude {
  uint64_t magic;
  int64_t entry;  // of the program itself, from the segment's start
  uint64_t library, library_size;  // libplatform.so, from the segment's start
  struct sandbox *started;
  uintptr_t libc_mmap, libc_mprotect;  // see prefault.c
  // In the executable: the program that makes a process of an image, and the image; 0: none (../image).
  uint64_t restorer, restorer_size, image;
};
#endif
