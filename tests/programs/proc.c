// What /proc, /sys and /dev tell: proc(5), null(4), full(4), random(4).
#include "check.h"
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

static char *link_text(const char *path) {
  static char text[4096];
  ssize_t n = OK(readlink(path, text, sizeof text - 1));
  text[n] = '\0';
  return text;
}

static char *line_of(const char *path, const char *key) {
  char *line = strstr(read_file(path), key);
  if (line == NULL) fail("%s has no %s", path, key);
  line[strcspn(line, "\n")] = '\0';
  return line + strlen(key);
}

TEST(own_call, "/proc/thread-self/syscall shows the read of itself") {
  char text[128] = "", expected[128];
  int fd = OK(open("/proc/thread-self/syscall", O_RDONLY));
  CHECK(syscall(SYS_read, fd, text, sizeof text - 1) > 0);
  snprintf(expected, sizeof expected, "%d 0x%x 0x%lx 0x%zx ", SYS_read, fd, (long)text, sizeof text - 1);
  EQUAL(strncmp(text, expected, strlen(expected)), 0);
}

TEST(self_link, "/proc/self and thread-self lead to the caller") {
  char expected[64];
  snprintf(expected, sizeof expected, "%d", getpid());
  EQUAL(strcmp(link_text("/proc/self"), expected), 0);
  snprintf(expected, sizeof expected, "%d/task/%d", getpid(), gettid());
  EQUAL(strcmp(link_text("/proc/thread-self"), expected), 0);
  snprintf(expected, sizeof expected, "%d", getpid());
  CHECK(lists("/proc", expected));
  CHECK(lists("/proc/self/task", expected));
}

TEST(gone, "files and folder of a process that is gone give ESRCH, its name ENOENT") {
  char path[64];
  char b[8];
  int p[2];
  OK(pipe(p));
  IN_CHILD(child, {
    close(p[1]);
    EQUAL(read(p[0], b, 1), 0);
  });
  snprintf(path, sizeof path, "/proc/%d", child);
  int folder = OK(open(path, O_RDONLY | O_DIRECTORY));
  int stat_fd = OK(openat(folder, "stat", O_RDONLY));
  close(p[1]);
  join(child);
  FAILS(read(stat_fd, b, sizeof b), ESRCH);
  FAILS(openat(folder, "status", O_RDONLY), ESRCH);
  FAILS(access(path, F_OK), ENOENT);
}

TEST(fresh, "reading from the start again gives fresh text") {
  int fd = OK(open("/proc/self/comm", O_RDONLY));
  char b[32] = "";
  OK(prctl(PR_SET_NAME, "first"));
  EQUAL(read(fd, b, sizeof b), 6);
  EQUAL(memcmp(b, "first\n", 6), 0);
  OK(prctl(PR_SET_NAME, "second"));
  EQUAL(read(fd, b, sizeof b), 0);
  EQUAL(lseek(fd, 0, SEEK_SET), 0);
  EQUAL(read(fd, b, sizeof b), 7);
  EQUAL(pread(fd, b, 3, 2), 3);
  EQUAL(memcmp(b, "con", 3), 0);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(st.st_size, 0);
}

TEST(comm, "comm can be written by the process itself alone") {
  write_file("/proc/self/comm", "a name longer than fifteen");
  char name[16];
  OK(prctl(PR_GET_NAME, name));
  EQUAL(strcmp(name, "a name longer t"), 0);
  IN_CHILD(child, {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", getppid());
    int fd = OK(open(path, O_WRONLY));
    FAILS(write(fd, "x", 1), EINVAL);
  });
  join(child);
}

TEST(cmdline, "cmdline, environ, exe, cwd and root are the process's") {
  char *text = read_file("/proc/self/cmdline");
  CHECK(strstr(text, "proc") != NULL);
  EQUAL(strcmp(link_text("/proc/self/exe"), self), 0);
  char cwd[4096];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  EQUAL(strcmp(link_text("/proc/self/cwd"), cwd), 0);
  EQUAL(strcmp(link_text("/proc/self/root"), "/"), 0);
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rmdir("../d"));
  text = link_text("/proc/self/cwd");
  EQUAL(strcmp(text + strlen(text) - 10, " (deleted)"), 0);
}

TEST(stat_fields, "stat has 52 fields, with the name in parentheses") {
  OK(prctl(PR_SET_NAME, "a) b"));
  char *text = read_file("/proc/self/stat");
  CHECK(strstr(text, " (a) b) R ") != NULL);
  int fields = 2;
  for (char *s = strrchr(text, ')') + 1; *s != '\0' && *s != '\n'; s++) fields += *s == ' ';
  EQUAL(fields, 52);
  int ppid, pgrp, session;
  EQUAL(sscanf(strrchr(text, ')') + 4, "%d %d %d", &ppid, &pgrp, &session), 3);
  EQUAL(ppid, getppid());
  EQUAL(pgrp, getpgrp());
  EQUAL(session, getsid(0));
}

TEST(status, "status tells ids, signals and threads") {
  char expected[64];
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_SETMASK, &set, NULL);
  /* A parent may have ignored some: a shell's job in the background, or posix_spawn those that libc keeps. */
  unsigned long defaults[4] = {0};
  for (int sig = 1; sig <= 64; sig++) syscall(SYS_rt_sigaction, sig, defaults, NULL, 8);
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR1);
  EQUAL(strcmp(line_of("/proc/self/status", "SigBlk:\t"), "0000000000000200"), 0);
  EQUAL(strcmp(line_of("/proc/self/status", "SigIgn:\t"), "0000000000000800"), 0);
  EQUAL(strcmp(line_of("/proc/self/status", "Threads:\t"), "1"), 0);
  EQUAL(strcmp(line_of("/proc/self/status", "State:\t"), "R (running)"), 0);
  snprintf(expected, sizeof expected, "%d\t%d\t%d\t%d", getuid(), geteuid(), geteuid(), geteuid());
  EQUAL(strcmp(line_of("/proc/self/status", "Uid:\t"), expected), 0);
  umask(027);
  EQUAL(strcmp(line_of("/proc/self/status", "Umask:\t"), "0027"), 0);
}

TEST(states, "a stopped process is T, a zombie Z") {
  char path[64];
  int status;
  pid_t child = OK(fork());
  if (child == 0) {
    raise(SIGSTOP);
    _exit(0);
  }
  EQUAL(waitpid(child, &status, WUNTRACED), child);
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  CHECK(strstr(read_file(path), ") T ") != NULL);
  kill(child, SIGCONT);
  siginfo_t info;
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  CHECK(strstr(read_file(path), ") Z ") != NULL);
  snprintf(path, sizeof path, "/proc/%d/cmdline", child);
  EQUAL(strlen(read_file(path)), 0);
  snprintf(path, sizeof path, "/proc/%d/exe", child);
  char b[8];
  FAILS(readlink(path, b, sizeof b), ENOENT);
  waitpid(child, &status, 0);
}

TEST(maps, "maps shows a mapping with its protection and file") {
  write_file("mapped", "x");
  int fd = OK(open("mapped", O_RDWR));
  char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096);
  CHECK(p != MAP_FAILED);
  char start[64], cwd[4096], *line = NULL;
  snprintf(start, sizeof start, "%lx-%lx r--s 00001000 ", (long)p, (long)p + 8192);
  line = line_of("/proc/self/maps", start);
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK(strstr(line, "/mapped") != NULL);
  line_of("/proc/self/maps", "[stack]");
  line_of("/proc/self/smaps", "VmFlags:");
  line_of("/proc/self/smaps_rollup", "[rollup]");
}

static int mappings_between(const char *path, char *from, char *to, int piece) {
  int fd = OK(open(path, O_RDONLY)), count = 0, used = 0;
  static char text[1 << 16];
  unsigned long last = 0;
  for (ssize_t n; (n = OK(read(fd, text + used, piece))) > 0;) {
    used += n;
    char *line = text, *end;
    for (; (end = memchr(line, '\n', text + used - line)) != NULL; line = end + 1) {
      unsigned long start, stop;
      *end = 0;
      if (sscanf(line, "%lx-%lx ", &start, &stop) != 2) continue;
      CHECK(start >= last);
      last = stop;
      if (start >= (unsigned long)from && stop <= (unsigned long)to) count++;
    }
    used = text + used - line;
    memmove(text, line, used);
  }
  OK(close(fd));
  return count;
}

TEST(many_maps, "maps and smaps read in pieces show thousands of mappings, each once and in order") {
  enum { MAPPINGS = 3000 };
  char *area = mmap(NULL, MAPPINGS * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (int i = 0; i < MAPPINGS; i += 2) OK(mprotect(area + i * 4096L, 4096, PROT_READ | PROT_WRITE));
  char *end = area + MAPPINGS * 4096L;
  EQUAL(mappings_between("/proc/self/maps", area, end, 1000), MAPPINGS);
  EQUAL(mappings_between("/proc/self/maps", area, end, 60000), MAPPINGS);
  EQUAL(mappings_between("/proc/self/smaps", area, end, 4096), MAPPINGS);
}

TEST(unmapped_meanwhile, "what is unmapped while maps is read is not shown afterwards") {
  enum { MAPPINGS = 3000 };
  char *area = mmap(NULL, MAPPINGS * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (int i = 0; i < MAPPINGS; i += 2) OK(mprotect(area + i * 4096L, 4096, PROT_READ | PROT_WRITE));
  int fd = OK(open("/proc/self/maps", O_RDONLY));
  static char text[1 << 20];
  int used = OK(read(fd, text, 1000));
  OK(munmap(area + MAPPINGS / 2 * 4096L, MAPPINGS / 2 * 4096L));
  for (int n; (n = OK(read(fd, text + used, 1000))) > 0;) used += n;
  char line[64];
  snprintf(line, sizeof line, "\n%lx-", (long)area);
  CHECK(strstr(text, line) != NULL);
  snprintf(line, sizeof line, "\n%lx-", (long)area + (MAPPINGS - 1) * 4096L);
  CHECK(strstr(text, line) == NULL);
}

TEST(mem, "mem reads and writes the process's memory") {
  static volatile int word = 42;
  int fd = OK(open("/proc/self/mem", O_RDWR)), value = 0;
  EQUAL(pread(fd, &value, 4, (off_t)&word), 4);
  EQUAL(value, 42);
  value = 43;
  EQUAL(pwrite(fd, &value, 4, (off_t)&word), 4);
  EQUAL(word, 43);
  FAILS(pread(fd, &value, 4, 8), EIO);
}

TEST(fd_links, "fd/ lists open files, tells their kind and opens them anew") {
  int p[2];
  char path[64];
  struct stat st;
  OK(pipe(p));
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
  CHECK(strncmp(link_text(path), "pipe:[", 6) == 0);
  write_file("f", "content");
  int fd = OK(open("f", O_RDONLY));
  OK(unlink("f"));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char *text = link_text(path);
  EQUAL(strcmp(text + strlen(text) - 12, "/f (deleted)"), 0);
  OK(lstat(path, &st));
  EQUAL(st.st_mode, S_IFLNK | 0500);
  char b[16];
  int again = OK(open(path, O_RDONLY));
  EQUAL(read(again, b, sizeof b), 7);
  EQUAL(lseek(fd, 0, SEEK_CUR), 0);
  close(fd);
  FAILS(readlink(path, b, sizeof b), ENOENT);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", again);
  CHECK(strstr(read_file(path), "pos:\t7\nflags:\t0") != NULL);
}

TEST(no_place, "fdinfo tells no place in a pipe") {
  int p[2];
  char b[16], path[64];
  OK(pipe(p));
  EQUAL(write(p[1], "bytes", 5), 5);
  EQUAL(read(p[0], b, 5), 5);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", p[0]);
  CHECK(strstr(read_file(path), "pos:\t0\n") != NULL);
}

/* In dvisor's address spaces lie there: control memory, the stub's code, a page of the Sentry's, what paths are. */
static const off_t above_memory[] = {0x7ffd00000000, 0x7ffef7e40000, 0x7ffff7e00000, 0x7ffff7f00000, 0x7ffff7f20000, 0x7ffff8000000};

TEST(mem_end, "mem has nothing above what a process may map, of itself or of another") {
  char path[64], data[8] = "", *big = malloc(1 << 20);
  IN_CHILD(pid, pause());
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const char *names[] = {path, "/proc/self/mem"};
  for (int k = 0; k < 2; k++) {
    int fd = OK(open(names[k], O_RDWR));
    for (size_t i = 0; i < sizeof above_memory / sizeof *above_memory; i++) {
      FAILS(pread(fd, data, sizeof data, above_memory[i]), EIO);
      FAILS(pwrite(fd, data, sizeof data, above_memory[i]), EIO);
    }
    ssize_t n = pread(fd, big, 1 << 20, (uintptr_t)data); /* The stack, to its end. */
    CHECK(n > (ssize_t)sizeof data && n < 1 << 20);
    OK(close(fd));
  }
  OK(kill(pid, SIGKILL));
}

TEST(guarded, "environ, mem and fd of another user's process are closed") {
  SKIP_UNLESS(geteuid() == 0, "needs root, to become an ordinary user");
  pid_t parent = getpid();
  IN_CHILD(child, {
    char path[64], b[8];
    OK(setgid(12345));
    OK(setuid(12345));
    const char *names[] = {"environ", "mem", "maps", "fd", "auxv", "io"};
    for (int i = 0; i < 6; i++) {
      snprintf(path, sizeof path, "/proc/%d/%s", parent, names[i]);
      FAILS(open(path, O_RDONLY), EACCES);
    }
    snprintf(path, sizeof path, "/proc/%d/exe", parent);
    FAILS(readlink(path, b, sizeof b), EACCES);
    snprintf(path, sizeof path, "/proc/%d/status", parent);
    close(OK(open(path, O_RDONLY)));
  });
  join(child);
}

TEST(limits, "limits shows what setrlimit set") {
  struct rlimit limit = {.rlim_cur = 123, .rlim_max = 456};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  line_of("/proc/self/limits", "Max open files            123                  456                  files     ");
}

TEST(oom, "oom_score_adj keeps what is written within its range") {
  write_file("/proc/self/oom_score_adj", "500\n");
  EQUAL(strcmp(read_file("/proc/self/oom_score_adj"), "500\n"), 0);
  int fd = OK(open("/proc/self/oom_score_adj", O_WRONLY));
  FAILS(write(fd, "1001", 4), EINVAL);
  FAILS(write(fd, "x", 1), EINVAL);
}

TEST(auxv, "auxv holds what getauxval tells") {
  unsigned long words[128];
  int fd = OK(open("/proc/self/auxv", O_RDONLY));
  ssize_t n = OK(read(fd, words, sizeof words));
  int found = 0;
  for (int i = 0; i + 1 < n / 8; i += 2)
    if (words[i] == AT_ENTRY) found = words[i + 1] == getauxval(AT_ENTRY);
  CHECK(found);
}

TEST(threads, "task/TID tells of one thread, children of its children") {
  char path[64];
  IN_CHILD(child, pause());
  snprintf(path, sizeof path, "/proc/self/task/%d/children", gettid());
  CHECK(atoi(read_file(path)) == child);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
  read_file(path);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

TEST(namespaces, "ns/ links name namespaces that can be opened") {
  char text[64];
  struct stat st;
  strcpy(text, link_text("/proc/self/ns/uts"));
  CHECK(strncmp(text, "uts:[", 5) == 0);
  OK(stat("/proc/self/ns/uts", &st));
  EQUAL(st.st_ino, strtoul(text + 5, NULL, 10));
  OK(open("/proc/self/ns/uts", O_RDONLY));
}

TEST(mounts, "mounts and mountinfo show the root and proc") {
  line_of("/proc/mounts", " / ");
  line_of("/proc/mounts", "proc /proc proc rw");
  line_of("/proc/self/mountinfo", " / /proc ");
}

TEST(system_files, "the files at the top have the shapes programs read") {
  unsigned long n;
  double up, idle;
  struct utsname u;
  EQUAL(sscanf(line_of("/proc/meminfo", "MemTotal:"), "%lu kB", &n), 1);
  EQUAL(sscanf(line_of("/proc/meminfo", "MemAvailable:"), "%lu kB", &n), 1);
  EQUAL(sscanf(read_file("/proc/uptime"), "%lf %lf", &up, &idle), 2);
  EQUAL(sscanf(line_of("/proc/stat", "btime "), "%lu", &n), 1);
  line_of("/proc/stat", "cpu0 ");
  line_of("/proc/cpuinfo", "processor\t: 0");
  line_of("/proc/filesystems", "nodev\tproc");
  line_of("/proc/net/dev", "    lo:");
  OK(uname(&u));
  CHECK(strstr(read_file("/proc/version"), u.release) != NULL);
  CHECK(strncmp(read_file("/proc/version"), "Linux version ", 14) == 0);
  EQUAL(sscanf(read_file("/proc/loadavg"), "%lf", &up), 1);
}

TEST(sysctl, "sysctls read as Linux's do") {
  struct utsname u;
  OK(uname(&u));
  char *text = read_file("/proc/sys/kernel/osrelease");
  text[strcspn(text, "\n")] = '\0';
  EQUAL(strcmp(text, u.release), 0);
  text = read_file("/proc/sys/kernel/hostname");
  text[strcspn(text, "\n")] = '\0';
  EQUAL(strcmp(text, u.nodename), 0);
  EQUAL(strcmp(read_file("/proc/sys/kernel/ostype"), "Linux\n"), 0);
  EQUAL(strlen(read_file("/proc/sys/kernel/random/uuid")), 37);
  char first[64];
  strcpy(first, read_file("/proc/sys/kernel/random/boot_id"));
  EQUAL(strcmp(first, read_file("/proc/sys/kernel/random/boot_id")), 0);
  CHECK(atoi(read_file("/proc/sys/kernel/pid_max")) > 0);
  CHECK(atoi(read_file("/proc/sys/vm/max_map_count")) > 0);
}

TEST(null_zero, "null, zero and full behave") {
  char b[16] = "xxxx";
  int fd = OK(open("/dev/null", O_RDWR));
  EQUAL(read(fd, b, 4), 0);
  EQUAL(write(fd, b, 4), 4);
  EQUAL(write(fd, nowhere, 4), 4);
  FAILS((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
  fd = OK(open("/dev/zero", O_RDWR));
  EQUAL(read(fd, b, 4), 4);
  EQUAL(memcmp(b, "\0\0\0\0", 4), 0);
  FAILS(read(fd, nowhere, 4), EFAULT);
  char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  EQUAL(p[100], 0);
  p[100] = 1;
  p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(p != MAP_FAILED);
  IN_CHILD(child, p[0] = 7);
  join(child);
  EQUAL(p[0], 7);
  fd = OK(open("/dev/full", O_RDWR));
  EQUAL(read(fd, b, 4), 4);
  FAILS(write(fd, b, 4), ENOSPC);
  EQUAL(lseek(fd, 100, SEEK_SET), 0);
}

TEST(random_, "random and urandom give bytes at once") {
  unsigned char a[64], b[64];
  int fd = OK(open("/dev/urandom", O_RDONLY));
  EQUAL(read(fd, a, sizeof a), sizeof a);
  EQUAL(read(fd, b, sizeof b), sizeof b);
  CHECK(memcmp(a, b, sizeof a) != 0);
  fd = OK(open("/dev/random", O_RDONLY | O_NONBLOCK));
  EQUAL(read(fd, a, sizeof a), sizeof a);
}

TEST(node, "a device node works wherever it lies") {
  SKIP_UNLESS(geteuid() == 0, "needs root for mknod");
  if (mknod("null", S_IFCHR | 0666, 0x103) != 0 && errno == EPERM) skip_test("mknod is forbidden");
  int fd = open("null", O_WRONLY);
  SKIP_UNLESS(fd >= 0, "the folder is mounted nodev");
  EQUAL(write(fd, "x", 1), 1);
}

TEST(stdio_links, "/dev/fd and /dev/stdin lead to open files") {
  write_file("in", "text");
  int fd = OK(open("in", O_RDONLY));
  OK(dup2(fd, 0));
  EQUAL(strcmp(read_file("/dev/stdin"), "text"), 0);
  OK(access("/dev/fd/0", R_OK));
}

TEST(sys_tree, "sysfs tells of processors and has the usual folders") {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  CHECK(n >= 1);
  char expected[32];
  if (n == 1) strcpy(expected, "0\n");
  else snprintf(expected, sizeof expected, "0-%ld\n", n - 1);
  EQUAL(strcmp(read_file("/sys/devices/system/cpu/online"), expected), 0);
  OK(access("/sys/devices/system/cpu/cpu0/topology/core_id", R_OK));
  OK(access("/sys/class/net/lo/mtu", R_OK));
  OK(access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK));
  OK(access("/sys/fs/cgroup", X_OK));
}

TEST(requests, "ioctl: FIOCLEX, FIONBIO, FIONREAD and unknown requests") {
  int p[2], n = 1;
  OK(pipe(p));
  OK(ioctl(p[0], 0x5451 /* FIOCLEX */));
  EQUAL(fcntl(p[0], F_GETFD), FD_CLOEXEC);
  OK(ioctl(p[0], 0x5450 /* FIONCLEX */));
  EQUAL(fcntl(p[0], F_GETFD), 0);
  OK(ioctl(p[0], 0x5421 /* FIONBIO */, &n));
  char b;
  FAILS(read(p[0], &b, 1), EAGAIN);
  write_file("f", "12345");
  int fd = OK(open("f", O_RDONLY));
  EQUAL(read(fd, &b, 1), 1);
  OK(ioctl(fd, 0x541b /* FIONREAD */, &n));
  EQUAL(n, 4);
  FAILS(ioctl(fd, 0x12345678), ENOTTY);
  FAILS(ioctl(99, 0x5451), EBADF);
  FAILS(ioctl(OK(open("f", O_PATH)), 0x5451), EBADF);
}

static long long counted(const char *key) {
  return atoll(strchr(line_of("/proc/self/io", key), ':') + 1);
}

TEST(io, "io counts calls and bytes of reads, writes and copies, and those of children that were waited for") {
  char data[100];
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), copy = OK(open("g", O_RDWR | O_CREAT, 0600));
  loff_t start = 0;
  long long written = counted("wchar"), writes = counted("syscw");
  EQUAL(write(fd, data, 100), 100);
  FAILS(pwrite(fd, nowhere, 1, 0), EFAULT);
  EQUAL(counted("wchar") - written, 100);
  EQUAL(counted("syscw") - writes, 2);
  IN_CHILD(pid, { EQUAL(write(fd, data, 7), 7); });
  join(pid);
  EQUAL(copy_file_range(fd, &start, copy, NULL, 20, 0), 20);
  EQUAL(counted("wchar") - written, 127);
  /* Looking reads, too: as much each time, but for a digit. */
  long long first = counted("rchar"), looking = counted("rchar") - first;
  first = counted("rchar");
  EQUAL(pread(fd, data, 100, 0), 100);
  EQUAL(copy_file_range(fd, &start, copy, NULL, 80, 0), 80);
  CHECK(llabs(counted("rchar") - first - looking - 180) < 8);
}

TEST(dump_filter, "coredump_filter keeps its bits, over fork and for children") {
  const char *path = "/proc/self/coredump_filter";
  CHECK(strcmp(read_file(path), "00000033\n") == 0);
  write_file(path, "0x17f\n");
  IN_CHILD(pid, { CHECK(strcmp(read_file(path), "0000017f\n") == 0); });
  join(pid);
  int fd = OK(open(path, O_WRONLY));
  FAILS(write(fd, "x", 1), EINVAL);
}

TEST(clear_refs, "clear_refs takes what there is to clear, and cannot be read") {
  int fd = OK(open("/proc/self/clear_refs", O_RDWR));
  char byte;
  EQUAL(write(fd, "1", 1), 1);
  FAILS(write(fd, "9", 1), EINVAL);
  FAILS(write(fd, "0", 1), EINVAL);
  FAILS(read(fd, &byte, 1), EINVAL);
}

TEST(timers, "timers lists the timers of the process, the newest first, with what they send") {
  struct sigevent event = {.sigev_notify = SIGEV_NONE, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 0x2a};
  timer_t timer;
  SKIP_UNLESS(access("/proc/self/timers", F_OK) == 0, "a kernel without checkpoints");
  CHECK(strcmp(read_file("/proc/self/timers"), "") == 0);
  OK(timer_create(CLOCK_REALTIME, NULL, &timer));
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  char expected[200];
  snprintf(expected, sizeof expected,
           "ID: 1\nsignal: 10/000000000000002a\nnotify: none/pid.%d\nClockID: 1\n"
           "ID: 0\nsignal: 14/0000000000000000\nnotify: signal/pid.%d\nClockID: 0\n",
           getpid(), getpid());
  CHECK(strcmp(read_file("/proc/self/timers"), expected) == 0);
}

TEST(no_new_names, "below /proc a name that is not there cannot be made, since it cannot be looked up") {
  FAILS(open("/proc/self/new", O_RDWR | O_CREAT, 0600), ENOENT);
  FAILS(mkdir("/proc/new", 0700), ENOENT);
  FAILS(symlink("a", "/proc/new"), ENOENT);
  FAILS(link("/proc/version", "/proc/new"), ENOENT);
  FAILS(rename("/proc/self/stat", "/proc/self/new"), ENOENT);
  FAILS(unlink("/proc/self/stat"), EPERM);
}

TEST(sysctl_mode, "not even root opens a sysctl for what its mode does not say") {
  FAILS(open("/proc/sys/kernel/ostype", O_WRONLY), EACCES);
  FAILS(open("/proc/sys/kernel/ostype", O_RDWR), EACCES);
  OK(open("/proc/sys/kernel/ostype", O_RDONLY));
}

TEST(fixed_maps, "the maps of the first user namespace cannot be written") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const char *files[] = {"uid_map", "gid_map", "setgroups"};
  for (int i = 0; i < 3; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/%s", files[i]);
    int fd = OK(open(path, O_WRONLY));
    FAILS(write(fd, i < 2 ? "0 0 1" : "deny", i < 2 ? 5 : 4), EPERM);
  }
}

TEST(sizes, "fd/ is as large as it has files, a link in it 64, other links 0") {
  struct stat st;
  SKIP_UNLESS(stat("/proc/self/fd", &st) == 0 && st.st_size > 0, "an older kernel");
  int fd = OK(dup(0)), before = st.st_size;
  OK(dup(fd));
  OK(stat("/proc/self/fd", &st));
  EQUAL(st.st_size, before + 2);
  OK(lstat("/proc/self/fd/0", &st));
  EQUAL(st.st_size, 64);
  OK(lstat("/proc/self/exe", &st));
  EQUAL(st.st_size, 0);
  OK(lstat("/proc/self/ns/uts", &st));
  EQUAL(st.st_size, 0);
}
