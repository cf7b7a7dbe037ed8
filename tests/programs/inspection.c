// build: -static
/* What a program may learn of mappings, processes, namespaces and file systems by calls of their own. */
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#define PAGE 4096

struct procmap {
  uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
  uint32_t major, minor, name_size, build_id_size;
  uint64_t name_addr, build_id_addr;
};
#define PROCMAP_QUERY_ _IOWR('f', 17, struct procmap)

TEST(procmap, "PROCMAP_QUERY finds the mapping of an address, or the next that fits") {
  int maps = OK(open("/proc/self/maps", O_RDONLY));
  struct procmap q = {.size = sizeof q, .addr = 1};
  SKIP_UNLESS(ioctl(maps, PROCMAP_QUERY_, &q) == 0 || errno == ENOENT, "the kernel is older than 6.11");
  int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 2 * PAGE));
  char *at = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mmap(at + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, PAGE) == at + PAGE);
  char name[256] = "";
  q = (struct procmap){.size = sizeof q, .addr = (uintptr_t)at + PAGE + 7,
                       .name_size = sizeof name, .name_addr = (uintptr_t)name};
  OK(ioctl(maps, PROCMAP_QUERY_, &q));
  EQUAL(q.start, (uintptr_t)at + PAGE);
  EQUAL(q.end, (uintptr_t)at + 2 * PAGE);
  EQUAL(q.offset, PAGE);
  EQUAL(q.vma_flags, 1 | 8);
  struct stat st;
  OK(fstat(fd, &st));
  EQUAL(q.inode, st.st_ino);
  EQUAL(q.name_size, strlen(name) + 1);
  CHECK(strstr(name, "/file") != NULL);
  q = (struct procmap){.size = sizeof q, .addr = (uintptr_t)at, .flags = 1};
  FAILS(ioctl(maps, PROCMAP_QUERY_, &q), ENOENT); /* It is not readable. */
  q = (struct procmap){.size = sizeof q, .addr = (uintptr_t)at, .flags = 1 | 0x10};
  OK(ioctl(maps, PROCMAP_QUERY_, &q));
  EQUAL(q.start, (uintptr_t)at + PAGE);
  q = (struct procmap){.size = sizeof q, .addr = (uintptr_t)at, .flags = 1 << 20};
  FAILS(ioctl(maps, PROCMAP_QUERY_, &q), EINVAL);
  q = (struct procmap){.size = sizeof q, .addr = (uintptr_t)at + PAGE, .name_size = 2,
                       .name_addr = (uintptr_t)name};
  FAILS(ioctl(maps, PROCMAP_QUERY_, &q), ENAMETOOLONG);
}

struct pidfd_info_ {
  uint64_t mask, cgroupid;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
};
#define PIDFD_GET_INFO_ _IOWR(0xff, 11, struct pidfd_info_)

TEST(pidfd_info, "PIDFD_GET_INFO tells who a process is, then how it ended") {
  IN_CHILD(pid, raise(SIGSTOP); _exit(7));
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  struct pidfd_info_ info = {.mask = 8};
  OK(waitpid(pid, NULL, WUNTRACED));
  int supported = ioctl(fd, PIDFD_GET_INFO_, &info) == 0;
  OK(kill(pid, SIGCONT));
  int status;
  OK(waitpid(pid, &status, 0));
  SKIP_UNLESS(supported, "the kernel is older than 6.13");
  EQUAL(info.mask & (1 | 2 | 8), 1 | 2);
  EQUAL(info.pid, pid);
  EQUAL(info.ppid, getpid());
  EQUAL(info.fsuid, geteuid());
  info = (struct pidfd_info_){.mask = 1};
  FAILS(ioctl(fd, PIDFD_GET_INFO_, &info), ESRCH);
  info.mask = 8;
  if (ioctl(fd, PIDFD_GET_INFO_, &info) != 0) skip_test("the kernel is older than 6.15");
  EQUAL(info.mask & (1 | 8), 8);
  EQUAL(info.exit_code, status);
  FAILS(ioctl(fd, PIDFD_GET_INFO_, NULL), EINVAL);
}

TEST(pidfd_namespaces, "a pidfd gives the namespaces of its process to who may look into it, while it is alive") {
  static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid", "time", "time", "user", "uts"};
  IN_CHILD(pid, pause());
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  if (ioctl(fd, _IO(0xff, 1), 0) < 0) skip_test("the kernel is older than 6.11");
  for (int i = 0; i < 10; i++) {
    int ns = OK(ioctl(fd, _IO(0xff, i + 1), 0));
    char path[64];
    struct stat opened, named;
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, names[i]);
    OK(fstat(ns, &opened));
    OK(stat(path, &named));
    EQUAL(opened.st_ino, named.st_ino);
    EQUAL(fcntl(ns, F_GETFD), FD_CLOEXEC);
    EQUAL(fcntl(ns, F_GETFL), O_RDONLY);
    FAILS(read(ns, path, 1), EINVAL);
  }
  FAILS(ioctl(fd, _IO(0xff, 1), 1), EINVAL);
  FAILS(ioctl(fd, _IO(0xff, 12), 0), ENOTTY);
  if (geteuid() == 0) {
    IN_CHILD(stranger, {
      OK(setresuid(1000, 1000, 1000));
      FAILS(ioctl(fd, _IO(0xff, 10), 0), EACCES);
    });
    join(stranger);
  }
  OK(kill(pid, SIGKILL));
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  FAILS(ioctl(fd, _IO(0xff, 10), 0), ESRCH);
  OK(waitpid(pid, NULL, 0));
  FAILS(ioctl(fd, _IO(0xff, 10), 1), ESRCH);
}

TEST(namespaces, "a namespace file tells its kind and its owner") {
  int uts = OK(open("/proc/self/ns/uts", O_RDONLY));
  EQUAL(ioctl(uts, _IO(0xb7, 3)), 0x04000000);
  FAILS(ioctl(uts, _IO(0xb7, 2)), EINVAL); /* NS_GET_PARENT */
  uid_t owner;
  FAILS(ioctl(uts, _IO(0xb7, 4), &owner), EINVAL);
  int user = OK(open("/proc/self/ns/user", O_RDONLY));
  OK(ioctl(user, _IO(0xb7, 4), &owner));
  struct stat a, b;
  OK(fstat(user, &a));
  int fd = OK(ioctl(uts, _IO(0xb7, 1)));
  OK(fstat(fd, &b));
  EQUAL(a.st_ino, b.st_ino);
}

TEST(sysfs_, "sysfs numbers the file system types") {
  char name[64];
  long count = OK(syscall(SYS_sysfs, 3));
  long proc = OK(syscall(SYS_sysfs, 1, "proc"));
  CHECK(proc < count);
  OK(syscall(SYS_sysfs, 2, proc, name));
  CHECK(strcmp(name, "proc") == 0);
  FAILS(syscall(SYS_sysfs, 1, "ext0"), EINVAL);
  FAILS(syscall(SYS_sysfs, 2, count, name), EINVAL);
  FAILS(syscall(SYS_sysfs, 4, 0, name), EINVAL);
  FAILS(syscall(SYS_sysfs, 1, nowhere), EFAULT);
}

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL };

TEST(numa, "a memory policy is checked, kept, and inherited by a child") {
  unsigned long nodes = 1, got = 9;
  int mode = -1;
  SKIP_UNLESS(syscall(SYS_get_mempolicy, &mode, &got, 64ul, NULL, 0) == 0, "a kernel without NUMA");
  EQUAL(mode, DEFAULT);
  EQUAL(got, 0);
  OK(syscall(SYS_set_mempolicy, BIND, &nodes, 64ul));
  IN_CHILD(pid, {
    OK(syscall(SYS_get_mempolicy, &mode, &got, 64ul, NULL, 0));
    EQUAL(mode, BIND);
    EQUAL(got, 1);
  });
  join(pid);
  char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(syscall(SYS_mbind, at, PAGE, INTERLEAVE, &nodes, 64ul, 0));
  OK(syscall(SYS_get_mempolicy, &mode, &got, 64ul, at, 2));
  EQUAL(mode, INTERLEAVE);
  OK(syscall(SYS_get_mempolicy, &mode, &got, 64ul, at + PAGE, 2));
  EQUAL(mode, DEFAULT);
  EQUAL(got, 0);
  OK(syscall(SYS_get_mempolicy, NULL, &got, 64ul, NULL, 4));
  EQUAL(got & 1, 1);
  FAILS(syscall(SYS_set_mempolicy, BIND, NULL, 0), EINVAL);
  FAILS(syscall(SYS_set_mempolicy, 99, &nodes, 64ul), EINVAL);
  FAILS(syscall(SYS_set_mempolicy, LOCAL, &nodes, 64ul), EINVAL);
  FAILS(syscall(SYS_get_mempolicy, &mode, NULL, 0, nowhere, 0), EINVAL);
  FAILS(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 2), EFAULT);
  FAILS(syscall(SYS_mbind, at + 1, PAGE, DEFAULT, NULL, 0, 0), EINVAL);
}

TEST(home_node, "a home node is taken by the mappings that bind memory to nodes, and refused by others with a policy") {
  enum { HOME_NODE = 450 };
  unsigned long nodes = 1;
  char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long supported = syscall(HOME_NODE, at, 0ul, 0ul, 0ul);
  SKIP_UNLESS(supported == 0 || errno != ENOSYS, "a kernel without NUMA, or before 5.17");
  FAILS(syscall(HOME_NODE, at, PAGE + 0ul, 0ul, 0ul), ENOENT);
  FAILS(syscall(HOME_NODE, at + 1, PAGE + 0ul, 0ul, 0ul), EINVAL);
  FAILS(syscall(HOME_NODE, at, PAGE + 0ul, 1000000ul, 0ul), EINVAL);
  FAILS(syscall(HOME_NODE, at, PAGE + 0ul, 0ul, 1ul), EINVAL);
  FAILS(syscall(HOME_NODE, at, -5000l, 0ul, 0ul), EINVAL);
  OK(syscall(HOME_NODE, at, -1l, 0ul, 0ul));
  OK(syscall(SYS_mbind, at, PAGE, INTERLEAVE, &nodes, 64ul, 0));
  OK(syscall(SYS_mbind, at + 2 * PAGE, PAGE, BIND, &nodes, 64ul, 0));
  FAILS(syscall(HOME_NODE, at, 4ul * PAGE, 0ul, 0ul), EOPNOTSUPP);
  OK(syscall(HOME_NODE, at + PAGE, 3ul * PAGE, 0ul, 0ul));
}

enum { MOVE = 2, MOVE_ALL = 4 };

static long move_pages(pid_t pid, size_t count, void **pages, int *nodes, int *status, int flags) {
  return syscall(SYS_move_pages, pid, count, pages, nodes, status, flags);
}

TEST(pages_move, "move_pages tells of each page on which node it is, or why not") {
  char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at[5] = 1;
  void *pages[] = {at + 5, at + PAGE, NULL};
  int status[3] = {77, 77, 77}, nodes[3] = {0}, none[3] = {9999, 0, 0};
  SKIP_UNLESS(move_pages(0, 3, pages, NULL, status, 0) == 0, "a kernel without NUMA");
  EQUAL(status[0], 0);
  EQUAL(status[1], -ENOENT);
  EQUAL(status[2], -EFAULT);
  memset(status, 7, sizeof status);
  OK(move_pages(getpid(), 3, pages, nodes, status, MOVE));
  EQUAL(status[0], 0);
  EQUAL(status[1], -ENOENT);
  EQUAL(status[2], -EFAULT);
  IN_CHILD(pid, OK(move_pages(getppid(), 1, pages, nodes, status, MOVE)););
  join(pid);
  FAILS(move_pages(0, 1, pages, none, status, MOVE), ENODEV);
  FAILS(move_pages(0, 1, pages, nodes, status, 1), EINVAL);
  FAILS(move_pages(0, 1, nowhere, nodes, status, MOVE), EFAULT);
  FAILS(move_pages(0, 1, pages, nodes, nowhere, MOVE), EFAULT);
  FAILS(move_pages(0x3fffffff, 1, pages, nodes, status, MOVE), ESRCH);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(setresuid(1000, 1000, 1000));
  FAILS(move_pages(0, 1, pages, nodes, status, MOVE_ALL), EPERM);
  FAILS(move_pages(getppid(), 1, pages, nodes, status, MOVE), EPERM);
}

static long migrate_pages(pid_t pid, unsigned long from, unsigned long to) {
  return syscall(SYS_migrate_pages, pid, 64ul, &from, &to);
}

TEST(pages_migrate, "migrate_pages leaves no page where there is one node, and checks the rest") {
  SKIP_UNLESS(migrate_pages(0, 1, 1) == 0, "a kernel without NUMA");
  SKIP_UNLESS(access("/sys/devices/system/node/node1", F_OK) != 0, "there are more nodes");
  EQUAL(migrate_pages(getpid(), 2, 1), 0);
  EQUAL(migrate_pages(0, 1, 3), 0);
  FAILS(migrate_pages(0, 1, 0), EINVAL);
  FAILS(migrate_pages(0, 1, 2), EINVAL);
  FAILS(migrate_pages(0x3fffffff, 1, 1), ESRCH);
  FAILS(syscall(SYS_migrate_pages, 0, 64ul, nowhere, nowhere), EFAULT);
  FAILS(syscall(SYS_migrate_pages, 0, 1ul << 20, nowhere, nowhere), EINVAL);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(setresuid(1000, 1000, 1000));
  FAILS(migrate_pages(0, 1, 3), EPERM);
  FAILS(migrate_pages(getppid(), 1, 1), EPERM);
}

static char *fdinfo(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  return read_file(path);
}

/* The rest of the line that begins so, white space squeezed. */
static char *field(char *text, const char *name) {
  static char value[512];
  char *line = text;
  while (line != NULL && strncmp(line, name, strlen(name)) != 0) {
    line = strchr(line, '\n');
    if (line != NULL) line++;
  }
  if (line == NULL) fail("no line %s in: %s", name, text);
  int n = 0;
  for (char *c = line + strlen(name); *c != '\n' && *c != '\0'; c++) {
    if (*c != ' ' && *c != '\t') value[n++] = *c;
    else if (n > 0 && value[n - 1] != ' ') value[n++] = ' ';
  }
  value[n] = '\0';
  return value;
}

TEST(fdinfo_kinds, "fdinfo tells the state of event, timer, signal, epoll and process files") {
  int event = OK(eventfd(0x1234, EFD_SEMAPHORE));
  CHECK(strcmp(field(fdinfo(event), "eventfd-count:"), "1234") == 0);
  CHECK(strcmp(field(fdinfo(event), "eventfd-semaphore:"), "1") == 0);
  int timer = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec spec = {.it_value = {5000, 0}, .it_interval = {7, 250}};
  OK(timerfd_settime(timer, 0, &spec, NULL));
  CHECK(strcmp(field(fdinfo(timer), "clockid:"), "1") == 0);
  CHECK(strcmp(field(fdinfo(timer), "ticks:"), "0") == 0);
  CHECK(strncmp(field(fdinfo(timer), "it_value:"), "(4999, ", 7) == 0);
  CHECK(strcmp(field(fdinfo(timer), "it_interval:"), "(7, 250)") == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGRTMAX);
  int signals = OK(signalfd(-1, &set, 0));
  CHECK(strcmp(field(fdinfo(signals), "sigmask:"), "8000000000000001") == 0);
  int epoll = OK(epoll_create1(0));
  struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = 0xabcdef0123};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted));
  char expected[64];
  snprintf(expected, sizeof expected, "%d events: 19 data: abcdef0123 pos:0 ino:", event);
  CHECK(strncmp(field(fdinfo(epoll), "tfd:"), expected, strlen(expected)) == 0);
  int self_fd = OK((int)syscall(SYS_pidfd_open, getpid(), 0));
  EQUAL(atoi(field(fdinfo(self_fd), "Pid:")), getpid());
}

TEST(locks_file, "/proc/locks and fdinfo list who holds which lock") {
  int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  struct stat st;
  OK(fstat(fd, &st));
  OK(flock(fd, LOCK_SH));
  struct flock range = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
  OK(fcntl(fd, F_SETLK, &range));
  char where[64], flocked[128], posix[128];
  snprintf(where, sizeof where, "%02x:%02x:%lu", major(st.st_dev), minor(st.st_dev), (long)st.st_ino);
  snprintf(flocked, sizeof flocked, "FLOCK  ADVISORY  READ %d %s 0 EOF\n", getpid(), where);
  snprintf(posix, sizeof posix, "POSIX  ADVISORY  WRITE %d %s 10 14\n", getpid(), where);
  char *all = read_file("/proc/locks");
  CHECK(strstr(all, flocked) != NULL && strstr(all, posix) != NULL);
  char *mine = fdinfo(fd);
  CHECK(strstr(mine, flocked) != NULL && strstr(mine, posix) != NULL);
  CHECK(strstr(mine, "lock:\t1: ") != NULL);
  close(fd);
  CHECK(strstr(read_file("/proc/locks"), where) == NULL);
}

TEST(unix_table, "/proc/net/unix lists sockets, their names and states") {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
  OK(bind(fd, (struct sockaddr *)&name, sizeof name));
  OK(listen(fd, 1));
  struct stat st;
  OK(fstat(fd, &st));
  char line[128];
  snprintf(line, sizeof line, " 00000000 00010000 0001 01 %5lu listener\n", (long)st.st_ino);
  CHECK(strstr(read_file("/proc/net/unix"), line) != NULL);
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  OK(fstat(pair[1], &st));
  snprintf(line, sizeof line, " 00000000 00000000 0005 03 %5lu\n", (long)st.st_ino);
  CHECK(strstr(read_file("/proc/net/unix"), line) != NULL);
  close(pair[1]);
  CHECK(strstr(read_file("/proc/net/unix"), line) == NULL);
}

TEST(receive_timeout, "SO_RCVTIMEO and SO_SNDTIMEO bound read and write, too") {
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  struct timeval limit = {0, 50000};
  OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  OK(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
  char block[65536] = {0};
  double before = monotonic_ms();
  FAILS(read(pair[0], block, 1), EAGAIN);
  FAILS(readv(pair[0], &(struct iovec){block, 1}, 1), EAGAIN);
  FAILS(recv(pair[0], block, 1, 0), EAGAIN);
  CHECK(monotonic_ms() - before >= 150);
  long total = 0, n;
  while ((n = write(pair[0], block, sizeof block)) > 0) total += n;
  EQUAL(errno, EAGAIN);
  CHECK(total > 0);
}

TEST(modules, "lsm_list_modules names the capability module") {
  uint64_t ids[64];
  uint32_t size = sizeof ids;
  long count = syscall(461, ids, &size, 0);
  SKIP_UNLESS(count >= 0 || errno != ENOSYS, "the kernel is older than 6.8");
  CHECK(count >= 1);
  EQUAL(size, count * sizeof ids[0]);
  int found = 0;
  for (long i = 0; i < count; i++) found |= ids[i] == 100;
  CHECK(found);
  size = 0;
  FAILS(syscall(461, ids, &size, 0), E2BIG);
  EQUAL(size, count * sizeof ids[0]);
  FAILS(syscall(461, ids, &size, 1), EINVAL);
  size = sizeof ids;
  FAILS(syscall(461, NULL, &size, 0), EFAULT);
}

TEST(module_attributes, "a module without attributes has none to be read or set") {
  struct {
    uint64_t id, flags, length, context_length;
  } ctx[4] = {0};
  uint64_t ids[8];
  uint32_t size = sizeof ids;
  long count = syscall(461, ids, &size, 0);
  SKIP_UNLESS(count >= 0 || errno != ENOSYS, "the kernel is older than 6.8");
  FAILS(syscall(459, 0, ctx, &size, 0), EINVAL);
  FAILS(syscall(459, 100, ctx, NULL, 0), EINVAL);
  FAILS(syscall(459, 100, ctx, (void *)8, 0), EFAULT);
  FAILS(syscall(459, 100, ctx, &size, 2), EINVAL);
  size = sizeof ctx;
  FAILS(syscall(459, 100, ctx, &size, 1), EINVAL);
  FAILS(syscall(459, 100, NULL, &size, 1), EINVAL);
  FAILS(syscall(460, 100, ctx, sizeof ctx[0], 1), EINVAL);
  FAILS(syscall(460, 100, ctx, 8, 0), EINVAL);
  FAILS(syscall(460, 100, ctx, 5000, 0), E2BIG);
  FAILS(syscall(460, 100, (void *)8, sizeof ctx[0], 0), EFAULT);
  FAILS(syscall(460, 100, ctx, sizeof ctx[0], 0), EINVAL);
  ctx[0].length = sizeof ctx[0];
  ctx[0].context_length = 1;
  FAILS(syscall(460, 100, ctx, sizeof ctx[0], 0), EINVAL);
  ctx[0].id = 100;
  size = sizeof ctx;
  FAILS(syscall(459, 100, ctx, &size, 1), EOPNOTSUPP);
  EQUAL(size, 0);
  ctx[0].context_length = 0;
  FAILS(syscall(460, 100, ctx, sizeof ctx[0], 0), EOPNOTSUPP);
}

TEST(pidfd_info_size, "PIDFD_GET_INFO with less than its first struct is no command of a pidfd") {
  int fd = OK(syscall(434, getpid(), 0));
  char info[64] = {0};
  FAILS(ioctl(fd, _IOC(3, 0xff, 11, 8), info), ENOTTY);
}
