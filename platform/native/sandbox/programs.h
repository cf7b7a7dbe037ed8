// The programs of a sandbox process's root, and how they are executed: by start.c first, and by each other.
#ifndef DVISOR_PROGRAMS_H
#define DVISOR_PROGRAMS_H

#include "raw.h"

#define DVISOR "/lib64/dvisor-sandbox"
#define RESTORE "/lib64/restore"

// dvisor's boot role, from the beginning. Returns a negative errno.
static inline long execute_dvisor(void) {
  char *argv[3], *envp[2];
  argv[0] = "dvisor-sandbox";
  argv[1] = "boot";
  argv[2] = 0;
  envp[0] = "LD_LIBRARY_PATH=/lib64";
  envp[1] = 0;
  return CALL(SYS_execve, DVISOR, argv, envp);
}

// What makes a process of the image at `offset` of dvisor (../image/restore.c). Returns where it cannot be executed.
static inline void execute_restorer(long offset, long tries) {
  char texts[2][24], *argv[4], *envp[1];
  *append_number(texts[0], offset) = 0;
  *append_number(texts[1], tries) = 0;
  argv[0] = "restore";
  argv[1] = texts[0];
  argv[2] = texts[1];
  argv[3] = envp[0] = 0;
  CALL(SYS_execve, RESTORE, argv, envp);
}
#endif
