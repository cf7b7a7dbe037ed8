// build: -pthread
// arch_prctl(2): programs that use the segment registers FS and GS for themselves.
#include "check.h"
#include <asm/prctl.h>
#include <pthread.h>

static uint64_t block[8] = {0x1111, 0x2222, 0x3333};
static volatile sig_atomic_t handled;

static uint64_t gs_word(int index) {
  uint64_t value;
  __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"((long)index * 8));
  return value;
}

static uint64_t gs_base(void) {
  uint64_t base = 1;
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  return base;
}

static void use_gs(void) { OK(syscall(SYS_arch_prctl, ARCH_SET_GS, block)); }

TEST(zero, "GS is zero at the start") {
  EQUAL(gs_base(), 0);
}

TEST(kept, "GS keeps what the program set, over hundreds of system calls") {
  use_gs();
  EQUAL(gs_word(1), 0x2222);
  for (int i = 0; i < 500; i++) {
    EQUAL(getppid() > 0, 1);
    EQUAL(gs_word(i % 3), 0x1111 * (i % 3 + 1));
  }
  EQUAL(gs_base(), (uintptr_t)block);
}

static void on_signal(int sig) {
  (void)sig;
  handled += gs_word(2) == 0x3333;
}

TEST(signals_, "a signal handler sees the program's GS") {
  use_gs();
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  EQUAL(handled, 1);
  EQUAL(gs_word(0), 0x1111);
}

TEST(fork_keeps, "fork keeps GS, exec clears it") {
  use_gs();
  IN_CHILD(pid, {
    EQUAL(gs_word(1), 0x2222);
    EQUAL(getppid() > 0, 1);
    EQUAL(gs_word(1), 0x2222);
  });
  join(pid);
  EQUAL(gs_word(1), 0x2222);
}

static void *own_gs(void *argument) {
  uint64_t mine[2] = {(uintptr_t)argument, 0};
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, mine));
  for (int i = 0; i < 300; i++) {
    sched_yield();
    getppid();
    EQUAL(gs_word(0), (uintptr_t)argument);
  }
  return NULL;
}

TEST(threads_own, "each thread has a GS of its own") {
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, own_gs, (void *)(i + 100));
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

TEST(without_prctl, "a program that finds GS zero may load a selector of 0") {
  __asm__ volatile("mov %0, %%gs" ::"r"(0));
  for (int i = 0; i < 100; i++) EQUAL(getppid() > 0, 1);
  EQUAL(gs_base(), 0);
}

TEST(fs, "FS can be moved and read back") {
  uint64_t base = 0;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
  CHECK(base != 0);
  for (int i = 0; i < 5; i++) OK(syscall(SYS_arch_prctl, ARCH_SET_FS, base));
  FAILS(syscall(SYS_arch_prctl, ARCH_SET_FS, 0x800000000000), EPERM);
  uint64_t again;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &again));
  EQUAL(again, base);
  FAILS(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x800000000000), EPERM);
  FAILS(syscall(SYS_arch_prctl, 0x1234, 0), EINVAL);
}

/* wrgsbase, where the kernel lets programs use it (AT_HWCAP2 says so). */
#include <sys/auxv.h>
TEST(fsgsbase, "GS written by wrgsbase is kept as well") {
  SKIP_UNLESS(getauxval(AT_HWCAP2) & 2, "no FSGSBASE");
  __asm__ volatile("wrgsbase %0" ::"r"(block));
  for (int i = 0; i < 200; i++) {
    EQUAL(gs_word(1), 0x2222);
    getppid();
  }
  EQUAL(gs_base(), (uintptr_t)block);
  pid_t pid = OK(fork());
  if (pid == 0) _exit(gs_word(1) == 0x2222 && gs_base() == (uintptr_t)block ? 0 : 1);
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(status, 0);
}
