// build: -static
#define _GNU_SOURCE
// Waits for a futex that nobody wakes, half a second each time: stop and continue it meanwhile.
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  puts("started");
  fflush(stdout);
  for (int i = 0; i < 3; i++) {
    int word = 0;
    struct timespec timeout = {.tv_nsec = 500000000};
    long r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0);
    printf("%ld %s\n", r, strerrorname_np(errno));
  }
  return 0;
}
