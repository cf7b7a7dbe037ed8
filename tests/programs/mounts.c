// mount(2), umount2(2), pivot_root(2), mount_namespaces(7), tmpfs(5).
#include "check.h"
#include <grp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

/* A mount namespace of its own with a tmpfs on "m". */
static void begin(void) {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  SKIP_UNLESS(unshare(CLONE_NEWNS) == 0, "no mount namespaces here");
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  OK(mkdir("m", 0755));
  OK(mount("src", "m", "tmpfs", 0, "size=64k,nr_inodes=10,mode=750"));
}

static int exists(const char *path) { return access(path, F_OK) == 0; }

/* The line of a mount point in /proc/self/mounts, or NULL. */
static char *table_line(const char *end) {
  static char text[65536];
  strcpy(text, read_file("/proc/self/mounts"));
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char *point = strchr(line, ' ') + 1;
    char *after = strchr(point, ' ');
    size_t n = strlen(end);
    if ((size_t)(after - point) >= n && memcmp(after - n, end, n) == 0) return line;
  }
  return NULL;
}

TEST(covers, "a mount covers its directory until it is unmounted") {
  OK(mkdir("x", 0755));
  begin();
  write_file("m/f", "inside");
  struct stat st;
  OK(stat("m", &st));
  EQUAL(st.st_mode, S_IFDIR | 0750);
  struct stat up, here;
  OK(stat("m/..", &up));
  OK(stat(".", &here));
  EQUAL(up.st_ino, here.st_ino);
  CHECK(st.st_dev != here.st_dev);
  OK(umount("m"));
  CHECK(!exists("m/f"));
  FAILS(umount("m"), EINVAL);
}

TEST(limits, "tmpfs ends with ENOSPC at its size and its number of files") {
  begin();
  int fd = OK(open("m/f", O_RDWR | O_CREAT, 0644));
  char block[4096];
  memset(block, 1, sizeof block);
  int blocks = 0;
  while (write(fd, block, sizeof block) == (int)sizeof block) blocks++;
  EQUAL(errno, ENOSPC);
  EQUAL(blocks, 16);
  struct statfs sf;
  OK(statfs("m", &sf));
  EQUAL(sf.f_blocks, 16);
  EQUAL(sf.f_bfree, 0);
  EQUAL(sf.f_type, 0x01021994);
  OK(ftruncate(fd, 0));
  EQUAL(write(fd, "x", 1), 1);
  char name[16];
  int files = 0;
  for (; files < 100; files++) {
    snprintf(name, sizeof name, "m/%d", files);
    int next = open(name, O_CREAT | O_WRONLY, 0644);
    if (next < 0) break;
    close(next);
  }
  EQUAL(errno, ENOSPC);
  EQUAL(files, 8);
  FAILS(mount("x", "m", "tmpfs", 0, "bogus=1"), EINVAL);
}

TEST(ramfs, "ramfs has no limits and minds no options but mode") {
  begin();
  OK(mkdir("r", 0755));
  OK(mount("r", "r", "ramfs", MS_NODEV, "size=64k,nonsense,mode=700"));
  struct statfs sf;
  OK(statfs("r", &sf));
  EQUAL((unsigned)sf.f_type, 0x858458f6u);
  CHECK(sf.f_blocks == 0 && sf.f_files == 0);
  struct stat st;
  OK(stat("r", &st));
  EQUAL(st.st_mode, S_IFDIR | 0700);
  int fd = OK(open("r/f", O_CREAT | O_RDWR, 0600));
  static char bytes[128 << 10];
  EQUAL(write(fd, bytes, sizeof bytes), (ssize_t)sizeof bytes);
  CHECK(strstr(table_line("/r"), " ramfs rw,nodev") && strstr(table_line("/r"), "mode=700"));
  OK(mount(NULL, "r", NULL, MS_REMOUNT, "nonsense"));
}

TEST(proc_hides, "hidepid keeps others from a process, gid is the group of those who see all") {
  begin();
  OK(mkdir("p", 0755));
  OK(mount("p", "p", "proc", 0, "hidepid=invisible,gid=77"));
  CHECK(strstr(table_line("/p"), "gid=77,hidepid=invisible") != NULL);
  char directory[32], file[48], name[16];
  snprintf(name, sizeof name, "%d", getpid());
  snprintf(directory, sizeof directory, "p/%s", name);
  snprintf(file, sizeof file, "%s/comm", directory);
  CHECK(exists(directory) && lists("p", name));
  for (int member = 0; member < 2; member++) {
    IN_CHILD(pid, {
      gid_t group = 77;
      OK(setgroups(member, &group));
      OK(setresgid(65534, 65534, 65534));
      OK(setresuid(65534, 65534, 65534));
      EQUAL(exists(directory), member);
      EQUAL(lists("p", name), member);
      EQUAL(exists(file), member);
      CHECK(exists("p/self/comm") && exists("p/uptime"));
    });
    join(pid);
  }
  OK(mount(NULL, "p", NULL, MS_REMOUNT, "hidepid=1"));
  IN_CHILD(pid, {
    OK(setgroups(0, NULL));
    OK(setresgid(65534, 65534, 65534));
    OK(setresuid(65534, 65534, 65534));
    struct stat st;
    OK(stat(directory, &st));
    CHECK(lists("p", name));
    FAILS(open(file, O_RDONLY), EPERM);
    FAILS(open(directory, O_RDONLY), EPERM);
  });
  join(pid);
  FAILS(mount("p", "p", "proc", 0, "hidepid=3"), EINVAL);
  FAILS(mount("p", "p", "proc", 0, "nonsense"), EINVAL);
}

TEST(proc_subset, "subset=pid leaves the processes and the links to oneself") {
  begin();
  OK(mkdir("p", 0755));
  OK(mount("p", "p", "proc", 0, "subset=pid"));
  CHECK(exists("p/self/comm") && exists("p/thread-self/comm") && lists("p", "self"));
  CHECK(!exists("p/uptime") && !exists("p/sys") && !lists("p", "uptime"));
}

TEST(busy, "a mount in use is EBUSY, MNT_DETACH takes it away") {
  begin();
  write_file("m/f", "still");
  int fd = OK(open("m/f", O_RDONLY));
  FAILS(umount("m"), EBUSY);
  FAILS(rmdir("m"), EBUSY);
  FAILS(rename("m", "n"), EBUSY);
  OK(umount2("m", MNT_DETACH));
  CHECK(!exists("m/f"));
  char text[8];
  EQUAL(read(fd, text, 8), 5);
  FAILS(umount2("m", 0x4000), EINVAL);
}

TEST(expiry, "MNT_EXPIRE unmounts what was not used since it was marked") {
  begin();
  FAILS(umount2("m", MNT_EXPIRE), EAGAIN);
  OK(mkdir("m/d", 0755));
  FAILS(umount2("m", MNT_EXPIRE), EAGAIN);
  OK(umount2("m", MNT_EXPIRE));
  FAILS(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
}

TEST(read_only, "a read-only mount refuses changes, a bind has its own flags") {
  begin();
  OK(mkdir("b", 0755));
  write_file("m/f", "x");
  OK(mount("m", "b", NULL, MS_BIND, NULL));
  OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, NULL));
  FAILS(open("b/f", O_WRONLY), EROFS);
  FAILS(open("b/new", O_CREAT | O_WRONLY, 0644), EROFS);
  FAILS(mkdir("b/d", 0755), EROFS);
  FAILS(unlink("b/f"), EROFS);
  FAILS(rename("b/f", "b/g"), EROFS);
  FAILS(chmod("b/f", 0600), EROFS);
  FAILS(access("b/f", W_OK), EROFS);
  FAILS(truncate("b/f", 0), EROFS);
  FAILS(symlink("x", "b/l"), EROFS);
  FAILS(mkdir("b/f", 0755), EEXIST);
  write_file("m/f", "yy");
  CHECK(strcmp(read_file("b/f"), "yy") == 0);
  struct statfs sf;
  OK(statfs("b", &sf));
  CHECK((sf.f_flags & (MS_RDONLY | MS_NOEXEC)) == (MS_RDONLY | MS_NOEXEC));
  char *line = table_line("/b");
  CHECK(line != NULL && strstr(line, " tmpfs ro,noexec") != NULL);
}

TEST(no_code, "nothing of a noexec mount is mapped as code, nor becomes code") {
  begin();
  write_file("m/f", "x");
  int before = OK(open("m/f", O_RDWR));
  void *code = OK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, before, 0));
  OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
  int fd = OK(open("m/f", O_RDWR));
  for (int shared = 0; shared < 2; shared++) {
    int flags = shared ? MAP_SHARED : MAP_PRIVATE;
    FAILS(mmap(NULL, 4096, PROT_READ | PROT_EXEC, flags, fd, 0), EPERM);
    FAILS(mmap(NULL, 4096, PROT_EXEC, flags, before, 0), EPERM);
    void *at = OK(mmap(NULL, 4096, PROT_READ, flags, fd, 0));
    FAILS(mprotect(at, 4096, PROT_READ | PROT_EXEC), EACCES);
    OK(mprotect(at, 4096, PROT_READ | PROT_WRITE));
  }
  OK(mprotect(code, 4096, PROT_READ)); /* What has been mapped stays as it is. */
  OK(mprotect(code, 4096, PROT_READ | PROT_EXEC));
}

TEST(no_device, "nodev and nosuid mounts") {
  begin();
  OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_NODEV, "size=64k"));
  OK(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
  FAILS(open("m/null", O_RDONLY), EACCES);
  OK(mount(NULL, "m", NULL, MS_REMOUNT, "size=64k"));
  close(OK(open("m/null", O_RDONLY)));
}

TEST(recursion, "MS_REC takes along what is mounted below") {
  begin();
  OK(mkdir("m/in", 0755));
  OK(mount("u", "m/in", "tmpfs", 0, NULL));
  write_file("m/in/f", "");
  OK(mkdir("flat", 0755));
  OK(mkdir("deep", 0755));
  OK(mount("m", "flat", NULL, MS_BIND, NULL));
  OK(mount("m", "deep", NULL, MS_BIND | MS_REC, NULL));
  CHECK(!exists("flat/in/f") && exists("deep/in/f"));
  FAILS(umount("deep"), EBUSY);
  OK(umount2("deep", MNT_DETACH));
}

TEST(file_bind, "a file is bound over a file, not over a directory") {
  begin();
  write_file("a", "A");
  write_file("b", "B");
  OK(mount("a", "b", NULL, MS_BIND, NULL));
  CHECK(strcmp(read_file("b"), "A") == 0);
  FAILS(unlink("b"), EBUSY);
  FAILS(mount("a", "m", NULL, MS_BIND, NULL), ENOTDIR);
  FAILS(mount("none", "m", NULL, MS_BIND, NULL), ENOENT);
  OK(umount("b"));
  CHECK(strcmp(read_file("b"), "B") == 0);
}

TEST(moves, "MS_MOVE moves a mount, not into itself") {
  begin();
  OK(mkdir("to", 0755));
  OK(mkdir("m/in", 0755));
  FAILS(mount("m", "m/in", NULL, MS_MOVE, NULL), ELOOP);
  OK(mount("m", "to", NULL, MS_MOVE, NULL));
  CHECK(!exists("m/in") && exists("to/in"));
  FAILS(mount("m", "to", NULL, MS_MOVE, NULL), EINVAL);
}

TEST(links_across, "rename and link do not cross mounts") {
  begin();
  write_file("f", "");
  FAILS(rename("f", "m/f"), EXDEV);
  FAILS(link("f", "m/f"), EXDEV);
}

TEST(namespaces, "a mount in a new namespace is not seen in the old one") {
  begin();
  IN_CHILD(pid, {
    OK(unshare(CLONE_NEWNS));
    OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    OK(mount("t", "m", "tmpfs", 0, NULL));
    write_file("m/hidden", "");
    CHECK(exists("m/hidden"));
  });
  join(pid);
  CHECK(!exists("m/hidden"));
}

TEST(pivots, "pivot_root makes another mount the root") {
  begin();
  OK(mkdir("m/old", 0755));
  write_file("m/new", "");
  IN_CHILD(pid, {
    OK(syscall(SYS_pivot_root, "m", "m/old"));
    OK(chdir("/"));
    CHECK(exists("/new") && exists("/old/proc"));
    OK(umount2("/old", MNT_DETACH));
    CHECK(!exists("/old/proc"));
  });
  FAILS(syscall(SYS_pivot_root, "m", "m/none"), ENOENT);
  join(pid);
}

TEST(stacked_pivot, "pivot_root(\".\", \".\") stacks the old root on the new one") {
  begin();
  write_file("m/new", "");
  OK(chdir("m"));
  OK(syscall(SYS_pivot_root, ".", "."));
  OK(umount2(".", MNT_DETACH));
  OK(chdir("/"));
  CHECK(exists("/new") && !exists("/proc"));
}

TEST(permission, "mounting needs CAP_SYS_ADMIN") {
  begin();
  IN_CHILD(pid, {
    OK(setuid(1000));
    FAILS(mount("t", "/tmp", "tmpfs", 0, NULL), EPERM);
    FAILS(umount("/proc"), EPERM);
  });
  join(pid);
  FAILS(mount("t", "m", "nosuchfs", 0, NULL), ENODEV);
  FAILS(mount("t", "none", "tmpfs", 0, NULL), ENOENT);
  write_file("f", "");
  FAILS(mount("t", "f", "tmpfs", 0, NULL), ENOTDIR);
  FAILS(mount("t", "m", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
}

TEST(table_polled, "a change of the mounts is told once to who polls the table, and to epoll") {
  begin();
  const char *tables[] = {"/proc/self/mounts", "/proc/self/mountinfo"};
  for (int i = 0; i < 2; i++) {
    int fd = OK(open(tables[i], O_RDONLY)), epoll = OK(epoll_create1(0));
    struct pollfd table = {fd, POLLIN | POLLPRI, 0};
    struct epoll_event event = {.events = EPOLLPRI};
    EQUAL(poll(&table, 1, 0), 1);
    EQUAL(table.revents, POLLIN);
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    EQUAL(epoll_wait(epoll, &event, 1, 0), 0);
    OK(mount("none", "m", "tmpfs", 0, NULL));
    EQUAL(epoll_wait(epoll, &event, 1, 5000), 1);
    CHECK(event.events & EPOLLPRI);
    OK(umount("m"));
    EQUAL(poll(&table, 1, 0), 1);
    EQUAL(table.revents, POLLIN | POLLPRI | POLLERR);
    EQUAL(poll(&table, 1, 0), 1);
    EQUAL(table.revents, POLLIN);
    close(fd);
    close(epoll);
  }
}

/* The line of a mount point in /proc/self/mountinfo, from the type of its file system on. */
static const char *filesystem_of(const char *point) {
  char *line = strstr(read_file("/proc/self/mountinfo"), point);
  CHECK(line != NULL);
  line[strcspn(line, "\n")] = '\0';
  return strstr(line, " - ") + 3;
}

TEST(read_only_whole, "a file system that is read-only is so wherever it is mounted, unlike a mount") {
  begin();
  OK(mkdir("n", 0755));
  OK(mount("m", "n", NULL, MS_BIND, NULL));
  OK(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  FAILS(mkdir("n/d", 0755), EROFS);
  OK(mkdir("m/d", 0755));
  CHECK(strncmp(filesystem_of("/n ro,relatime"), "tmpfs src rw", 12) == 0);
  OK(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND, NULL));
  OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, "size=64k"));
  FAILS(rmdir("m/d"), EROFS);
  FAILS(rmdir("n/d"), EROFS);
  CHECK(strncmp(filesystem_of("/n rw,relatime"), "tmpfs src ro", 12) == 0);
  OK(mount(NULL, "m", NULL, MS_REMOUNT, "size=64k"));
  OK(rmdir("n/d"));
}

TEST(usual_sizes, "the table tells a tmpfs's limits where they are not the usual ones") {
  begin();
  CHECK(strstr(filesystem_of("/m rw"), ",size=64k,nr_inodes=10,mode=750") != NULL);
  OK(mkdir("n", 0755));
  OK(mount("src", "n", "tmpfs", 0, "mode=700"));
  CHECK(strstr(filesystem_of("/n rw"), "size=") == NULL);
  CHECK(strstr(filesystem_of("/n rw"), "nr_inodes=") == NULL);
}
