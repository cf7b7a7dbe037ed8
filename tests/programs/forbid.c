// build: -static
/* Runs a command where the host forbids a system call, as a container's seccomp profile does:
 *
 *   forbid NUMBER ERRNO FLAGS COMMAND [ARGUMENT...]
 *
 * Call NUMBER fails with ERRNO. FLAGS other than 0: only if its first argument, of seccomp(2) the
 * second, has one of them.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  unsigned number = atoi(argv[1]), error = atoi(argv[2]), flags = strtoul(argv[3], 0, 0);
  unsigned argument = number == SYS_seccomp ? 1 : 0;
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument])),
      BPF_JUMP(BPF_JMP | (flags ? BPF_JSET : BPF_JGE) | BPF_K, flags, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
    perror("seccomp");
    return 1;
  }
  execvp(argv[4], argv + 4);
  perror(argv[4]);
  return 127;
}
