// What the kernel tells of itself and small calls without a family.
#include "check.h"
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname_, "uname names a Linux of this century") {
  struct utsname name;
  OK(uname(&name));
  CHECK(strcmp(name.sysname, "Linux") == 0);
  CHECK(strcmp(name.machine, "x86_64") == 0);
  CHECK(atoi(name.release) >= 4);
  FAILS(syscall(SYS_uname, nowhere), EFAULT);
}

static long getpid_by_way_of_r8(void) {
  long result;
  __asm__ volatile("mov $-1, %%r8; mov %[number], %%r8d; mov %%r8, %%rax; syscall"
                   : "=a"(result)
                   : [number] "i"(SYS_getpid)
                   : "r8", "rcx", "r11", "memory");
  return result;
}

TEST(syslog_, "syslog is for who may see the log, and judges what it is asked") {
  char text[16];
  SKIP_UNLESS(syscall(SYS_syslog, 9, NULL, 0) >= 0, "who is root here may not see the log");
  CHECK(syscall(SYS_syslog, 10, NULL, 0) > 0); /* How large the log may be. */
  OK(syscall(SYS_syslog, 1, NULL, 0));
  OK(syscall(SYS_syslog, 0, NULL, 0));
  for (int action = 2; action <= 4; action++) {
    FAILS(syscall(SYS_syslog, action, NULL, 1), EINVAL);
    FAILS(syscall(SYS_syslog, action, text, -1), EINVAL);
    FAILS(syscall(SYS_syslog, action, -1L, 1), EFAULT);
    EQUAL(syscall(SYS_syslog, action, text, 0), 0);
  }
  FAILS(syscall(SYS_syslog, 8, NULL, 0), EINVAL);
  FAILS(syscall(SYS_syslog, 8, NULL, 9), EINVAL);
  FAILS(syscall(SYS_syslog, -1, NULL, 0), EINVAL);
  FAILS(syscall(SYS_syslog, 11, NULL, 0), EINVAL);
  IN_CHILD(pid, {
    OK(setresuid(1000, 1000, 1000));
    FAILS(syscall(SYS_syslog, 2, text, 1), EPERM);
    FAILS(syscall(SYS_syslog, 9, NULL, 0), EPERM);
  });
  join(pid);
}

TEST(number_by_way_of_r8, "the number of a system call may come by way of another register") {
  for (int i = 0; i < 100; i++) EQUAL(getpid_by_way_of_r8(), getpid());
}

TEST(hostname, "root sets the host name for itself, others may not") {
  SKIP_UNLESS(geteuid() == 0, "not root");
  OK(unshare(CLONE_NEWUTS));
  OK(sethostname("renamed", 7));
  struct utsname name;
  OK(uname(&name));
  CHECK(strcmp(name.nodename, "renamed") == 0);
  FAILS(sethostname((char[65]){"x"}, 65), EINVAL);
  OK(setresuid(1000, 1000, 1000));
  FAILS(sethostname("no", 2), EPERM);
}

TEST(random_, "getrandom fills memory with differing bytes") {
  unsigned char a[300] = {0}, b[300] = {0};
  EQUAL(getrandom(a, sizeof a, 0), sizeof a);
  EQUAL(getrandom(b, sizeof b, GRND_NONBLOCK), sizeof b);
  CHECK(memcmp(a, b, sizeof a) != 0);
  FAILS(getrandom(a, 1, 0x80), EINVAL);
  FAILS(syscall(SYS_getrandom, nowhere, 10, 0), EFAULT);
}

TEST(sysinfo_, "sysinfo is consistent with itself") {
  struct sysinfo info;
  OK(sysinfo(&info));
  CHECK(info.totalram >= info.freeram && info.totalram > 0);
  CHECK(info.procs >= 1 && info.uptime >= 0 && info.mem_unit > 0);
}

TEST(machine_checks, "PR_MCE_KILL keeps a policy, which children have too") {
  OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
  IN_CHILD(pid, { EQUAL(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY); });
  join(pid);
  OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
  EQUAL(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
}

TEST(prctl_, "prctl names threads and keeps flags") {
  char name[16];
  OK(prctl(PR_SET_NAME, "a rather long name"));
  OK(prctl(PR_GET_NAME, name));
  CHECK(strcmp(name, "a rather long n") == 0);
  EQUAL(prctl(PR_GET_DUMPABLE), 1);
  OK(prctl(PR_SET_DUMPABLE, 0));
  EQUAL(prctl(PR_GET_DUMPABLE), 0);
  OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
  int sig;
  OK(prctl(PR_GET_PDEATHSIG, &sig));
  EQUAL(sig, SIGTERM);
  FAILS(prctl(9999), EINVAL);
  FAILS(prctl(PR_SET_PDEATHSIG, 100), EINVAL);
}

TEST(affinity, "affinity tells and sets the processors") {
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof set, &set));
  int count = CPU_COUNT(&set);
  CHECK(count >= 1);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= count);
  cpu_set_t none;
  CPU_ZERO(&none);
  FAILS(sched_setaffinity(0, sizeof none, &none), EINVAL);
  OK(sched_setaffinity(0, sizeof set, &set));
  FAILS(sched_getaffinity(999999, sizeof set, &set), ESRCH);
  unsigned cpu;
  OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
  CHECK(CPU_ISSET(cpu, &set));
}

TEST(scheduling, "the scheduling policy is read and its ranges are Linux's") {
  EQUAL(sched_getscheduler(0), SCHED_OTHER);
  EQUAL(sched_get_priority_max(SCHED_FIFO), 99);
  EQUAL(sched_get_priority_min(SCHED_OTHER), 0);
  OK(sched_yield());
  struct sched_param parameter = {0};
  OK(sched_setscheduler(0, SCHED_BATCH, &parameter));
  EQUAL(sched_getscheduler(0), SCHED_BATCH);
  parameter.sched_priority = 5;
  FAILS(sched_setscheduler(0, SCHED_OTHER, &parameter), EINVAL);
}

/* What sched_setattr(2) takes; the C library has no name for it. */
struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t clamp_min, clamp_max;
};

static long set_attributes(struct attributes attributes) {
  return syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static long set_deadline(uint64_t runtime, uint64_t deadline, uint64_t period) {
  return set_attributes((struct attributes){.size = 48, .policy = 6 /* SCHED_DEADLINE */,
                                            .runtime = runtime, .deadline = deadline, .period = period});
}

TEST(kept_parameters, "SCHED_FLAG_KEEP_PARAMS keeps what the policy has, and clamps need room in the structure") {
  const int keep = 0x18 /* the policy, too */, clamp = 0x20, nice = getpriority(PRIO_PROCESS, 0);
  FAILS(set_attributes((struct attributes){.size = 48, .flags = keep, .priority = 100}), EINVAL);
  FAILS(set_attributes((struct attributes){.size = 48, .flags = keep, .priority = 1}), EINVAL);
  OK(set_attributes((struct attributes){.size = 48, .flags = keep, .nice = nice + 5}));
  EQUAL(getpriority(PRIO_PROCESS, 0), nice);
  OK(set_attributes((struct attributes){.size = 48, .policy = SCHED_BATCH, .flags = 0x10}));
  EQUAL(sched_getscheduler(0), SCHED_OTHER);
  FAILS(set_attributes((struct attributes){.size = 48, .flags = clamp}), EINVAL);
}

TEST(deadline_periods, "the period of SCHED_DEADLINE is between 100 us and 4.2 s") {
  FAILS(set_deadline(2000, 13000, 13000), EINVAL);
  FAILS(set_deadline(2000, 99999, 0), EINVAL);
  FAILS(set_deadline(2000, 100000, (1ull << 22) * 1000 + 1), EINVAL);
  FAILS(set_deadline(2000, 1ull << 63, 0), EINVAL);
  /* Who may not have it hears another error. */
  CHECK(set_deadline(2000, 50000, 100000) == 0 || errno != EINVAL);
}

TEST(membarrier_, "membarrier tells what it can and does it") {
  int commands = OK((int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
  CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
  OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  FAILS(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
}

TEST(auxv, "the auxiliary vector is complete") {
  EQUAL(getauxval(AT_PAGESZ), 4096);
  EQUAL(getauxval(AT_CLKTCK), 100);
  CHECK(getauxval(AT_RANDOM) != 0);
  CHECK(getauxval(AT_SYSINFO_EHDR) != 0);
  EQUAL(getauxval(AT_UID), getuid());
  EQUAL(getauxval(AT_EGID), getegid());
  EQUAL(getauxval(AT_SECURE), 0);
  CHECK(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0);
  CHECK(strstr((char *)getauxval(AT_EXECFN), "machine") != NULL);
  CHECK(getauxval(AT_PHDR) != 0 && getauxval(AT_ENTRY) != 0);
}

TEST(usage, "getrusage counts time and refuses unknown ones") {
  struct rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(usage.ru_maxrss > 0);
  OK(getrusage(RUSAGE_CHILDREN, &usage));
  EQUAL(usage.ru_utime.tv_sec, 0);
  FAILS(getrusage(5, &usage), EINVAL);
}

TEST(personality_, "personality is read and set") {
  EQUAL(syscall(SYS_personality, 0xffffffff), 0);
  EQUAL(syscall(SYS_personality, 0x0040000), 0);
  EQUAL(syscall(SYS_personality, 0xffffffff), 0x0040000);
}

TEST(close_ranges, "close_range closes or marks a range") {
  for (int fd = 50; fd < 60; fd++) EQUAL(dup2(0, fd), fd);
  OK(syscall(SYS_close_range, 52, 54, 0));
  CHECK(fcntl(51, F_GETFD) == 0);
  FAILS(fcntl(53, F_GETFD), EBADF);
  OK(syscall(SYS_close_range, 55, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */));
  EQUAL(fcntl(57, F_GETFD), FD_CLOEXEC);
  FAILS(syscall(SYS_close_range, 5, 4, 0), EINVAL);
  FAILS(syscall(SYS_close_range, 5, 6, 0x100), EINVAL);
}

TEST(dup_, "dup2 and dup3 replace, refuse and mark as they should") {
  EQUAL(dup2(0, 70), 70);
  EQUAL(dup2(70, 70), 70);
  FAILS(dup3(70, 70, 0), EINVAL);
  FAILS(dup2(999, 70), EBADF);
  EQUAL(fcntl(70, F_GETFD), 0);
  EQUAL(dup3(0, 70, O_CLOEXEC), 70);
  EQUAL(fcntl(70, F_GETFD), FD_CLOEXEC);
  FAILS(dup3(0, 71, O_APPEND), EINVAL);
  FAILS(dup2(0, -1), EBADF);
  EQUAL(fcntl(0, F_DUPFD, 80), 80);
  FAILS(fcntl(0, F_DUPFD, -1), EINVAL);
}

TEST(kcmp_like, "two descriptors of one open file share flags") {
  int p[2];
  OK(pipe(p));
  int copy = OK(dup(p[0]));
  OK(fcntl(copy, F_SETFL, O_NONBLOCK));
  CHECK(fcntl(p[0], F_GETFL) & O_NONBLOCK);
}

TEST(ioprio, "I/O priorities are kept") {
  EQUAL(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3), 0);
  EQUAL(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 3);
}

TEST(ioprio_given, "an I/O priority that nobody set follows the nice value, where several are asked for") {
  OK(setpgid(0, 0));
  OK(setpriority(PRIO_PROCESS, 0, 10));
  EQUAL(syscall(SYS_ioprio_get, 1, 0), 0);
  EQUAL(syscall(SYS_ioprio_get, 2, 0), 2 << 13 | 6);
  int hinted = 2 << 13 | 1 << 3 | 5;
  if (syscall(SYS_ioprio_set, 1, 0, hinted) < 0) skip_test("no hints before Linux 6.5");
  EQUAL(syscall(SYS_ioprio_get, 2, 0), hinted);
  FAILS(syscall(SYS_ioprio_set, 1, 0, 7 << 13), EINVAL);
  FAILS(syscall(SYS_ioprio_set, 1, 0, 3), EINVAL);
}

/* struct user_desc of asm/ldt.h. */
struct segment {
  uint32_t entry, base, limit, bits;
};
enum { EMPTY = 0x28, GATE = 0x6, NOT_PRESENT = 0x20 };

static long modify_ldt(int func, void *at, size_t bytes) {
  return syscall(SYS_modify_ldt, func, at, bytes);
}

/* As the call returns it: 32 bits. */
static long low(int error) { return (uint32_t)-error; }

TEST(segments, "modify_ldt reads a table of empty entries once one was written, in a child, too") {
  SKIP_UNLESS(modify_ldt(99, NULL, 0) == low(ENOSYS), "no modify_ldt");
  SKIP_UNLESS(modify_ldt(0, NULL, 8) == 0, "there are segments");
  unsigned char table[65536 + 8];
  memset(table, 7, sizeof table);
  EQUAL(modify_ldt(2, table, 8), 8);
  EQUAL(table[7], 0);
  EQUAL(table[8], 7);
  EQUAL(modify_ldt(2, table, 500), 128);
  EQUAL(modify_ldt(2, nowhere, 8), low(EFAULT));
  EQUAL(modify_ldt(0x11, &(struct segment){.entry = 5, .bits = EMPTY}, 16), 0);
  IN_CHILD(pid, {
    memset(table, 7, sizeof table);
    EQUAL(modify_ldt(0, table, sizeof table), 65536);
    EQUAL(table[65535], 0);
    EQUAL(table[65536], 7);
    EQUAL(modify_ldt(0, nowhere, 8), low(EFAULT));
  });
  join(pid);
}

TEST(segment_errors, "modify_ldt refuses what is no segment") {
  SKIP_UNLESS(modify_ldt(99, NULL, 0) == low(ENOSYS), "no modify_ldt");
  struct segment s = {.bits = EMPTY};
  EQUAL(modify_ldt(1, &s, 15), low(EINVAL));
  EQUAL(modify_ldt(1, nowhere, 16), low(EFAULT));
  s.entry = 8192;
  EQUAL(modify_ldt(0x11, &s, 16), low(EINVAL));
  s = (struct segment){.bits = GATE};
  EQUAL(modify_ldt(0x11, &s, 16), low(EINVAL));
  s.bits |= NOT_PRESENT;
  EQUAL(modify_ldt(1, &s, 16), low(EINVAL));
}
