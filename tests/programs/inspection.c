// build: -static
/* What a program may learn of mappings, processes, namespaces and file systems by calls of their own. */
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>

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
