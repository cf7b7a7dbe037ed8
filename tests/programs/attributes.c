// build: -static
/* File attributes of ioctl_iflags(2): what chattr(1) sets. */
#include "check.h"
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

static int get(const char *path) {
  int flags = 0, fd = OK(open(path, O_RDONLY));
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) skip_test("the file system here has no attributes");
  close(fd);
  return flags;
}

static int try_to_set(const char *path, int flags) {
  int fd = OK(open(path, O_RDONLY));
  int result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

/* Runs the statements with the attribute set on a file, and takes it away whatever they find. */
#define WITH(path, attribute, ...)                                             \
  do {                                                                         \
    SKIP_UNLESS(geteuid() == 0, "needs root");                                 \
    int plain_ = get(path);                                                    \
    if (try_to_set(path, plain_ | (attribute)) != 0) skip_test("not allowed"); \
    IN_CHILD(pid_, __VA_ARGS__);                                               \
    int status_;                                                               \
    OK(waitpid(pid_, &status_, 0));                                            \
    OK(try_to_set(path, plain_));                                              \
    if (status_ != 0) _exit(FAILED);                                           \
  } while (0)

TEST(extents, "a file that is on no disk has no map of its extents") {
  struct fiemap map = {.fm_length = FIEMAP_MAX_OFFSET};
  int ends[2], memory = OK(memfd_create("memory", 0)), directory = OK(open("/dev/shm", O_RDONLY));
  OK(pipe(ends));
  FAILS(ioctl(memory, FS_IOC_FIEMAP, &map), EOPNOTSUPP);
  FAILS(ioctl(directory, FS_IOC_FIEMAP, &map), EOPNOTSUPP);
  FAILS(ioctl(memory, FS_IOC_FIEMAP, nowhere), EOPNOTSUPP);
  FAILS(ioctl(ends[0], FS_IOC_FIEMAP, &map), EOPNOTSUPP);
}

TEST(immutable, "an immutable file is read, and nothing else") {
  write_file("f", "text");
  WITH("f", FS_IMMUTABLE_FL, {
    EQUAL(get("f") & FS_IMMUTABLE_FL, FS_IMMUTABLE_FL);
    CHECK(strcmp(read_file("f"), "text") == 0);
    FAILS(open("f", O_WRONLY), EPERM);
    FAILS(open("f", O_WRONLY | O_APPEND), EPERM);
    FAILS(truncate("f", 0), EPERM);
    FAILS(unlink("f"), EPERM);
    FAILS(rename("f", "g"), EPERM);
    FAILS(link("f", "g"), EPERM);
    FAILS(chmod("f", 0600), EPERM);
    FAILS(chown("f", 1, 1), EPERM);
    FAILS(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
    FAILS(setxattr("f", "user.a", "b", 1, 0), EPERM);
  });
  OK(unlink("f"));
}

TEST(append_only, "an append-only file only grows") {
  write_file("f", "one");
  WITH("f", FS_APPEND_FL, {
    FAILS(open("f", O_WRONLY), EPERM);
    FAILS(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
    FAILS(truncate("f", 0), EPERM);
    int fd = OK(open("f", O_RDWR | O_APPEND));
    EQUAL(write(fd, "two", 3), 3);
    FAILS(ftruncate(fd, 0), EPERM);
    FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1), EPERM);
    FAILS(fcntl(fd, F_SETFL, 0), EPERM);
    CHECK(strcmp(read_file("f"), "onetwo") == 0);
    FAILS(unlink("f"), EPERM);
    FAILS(chmod("f", 0600), EPERM);
    OK(utimensat(AT_FDCWD, "f", NULL, 0));
  });
  OK(unlink("f"));
}

TEST(fixed_directory, "names in an append-only directory come, and do not go") {
  OK(mkdir("d", 0755));
  write_file("d/old", "");
  WITH("d", FS_APPEND_FL, {
    write_file("d/new", "");
    FAILS(unlink("d/old"), EPERM);
    FAILS(rename("d/old", "d/other"), EPERM);
  });
  WITH("d", FS_IMMUTABLE_FL, {
    FAILS(open("d/more", O_WRONLY | O_CREAT, 0600), EPERM);
    FAILS(mkdir("d/more", 0700), EPERM);
    OK(open("d/old", O_RDWR));
  });
  OK(unlink("d/old"));
}

TEST(who_may, "only CAP_LINUX_IMMUTABLE fixes a file; other attributes are the owner's") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  write_file("f", "");
  int plain = get("f");
  OK(chown("f", 1000, 1000));
  write_file("other", "");
  IN_CHILD(pid, {
    OK(setuid(1000));
    FAILS(try_to_set("f", plain | FS_IMMUTABLE_FL), EPERM);
    OK(try_to_set("f", plain | FS_NODUMP_FL));
    EQUAL(get("f"), plain | FS_NODUMP_FL);
    FAILS(try_to_set("other", plain | FS_NODUMP_FL), EPERM);
  });
  join(pid);
  int devices = OK(open("/dev/null", O_RDONLY));
  FAILS(ioctl(devices, FS_IOC_GETFLAGS, &plain), ENOTTY);
}

static struct timespec changed(const char *path) {
  struct stat st;
  OK(lstat(path, &st));
  return st.st_ctim;
}

static void until_changed(const char *path, void (*change)(const char *path)) {
  struct timespec before = changed(path), now;
  do {
    change(path);
    now = changed(path);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

static void own_as_before(const char *path) { OK(lchown(path, -1, -1)); }

TEST(same_owner, "a chown to nobody else sets the time of change, whoever asks") {
  write_file("f", "");
  OK(mkdir("d", 0755));
  OK(symlink("f", "l"));
  until_changed("f", own_as_before);
  until_changed("d", own_as_before);
  until_changed("l", own_as_before);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  IN_CHILD(pid, {
    OK(setuid(1000));
    until_changed("f", own_as_before);
    FAILS(chown("f", 0, -1), EPERM);
  });
  join(pid);
}

struct attributes {
  uint64_t xflags;
  uint32_t extsize, extents, project, cow;
};

TEST(by_path, "file_getattr and file_setattr do the same by path") {
  write_file("f", "");
  get("f");
  struct attributes a;
  if (syscall(468, AT_FDCWD, "f", &a, sizeof a, 0) != 0) skip_test("the kernel is older than 6.17");
  a.xflags |= FS_XFLAG_NODUMP;
  a.extents = 0;
  OK(syscall(469, AT_FDCWD, "f", &a, sizeof a, 0));
  EQUAL(get("f") & FS_NODUMP_FL, FS_NODUMP_FL);
  FAILS(syscall(468, AT_FDCWD, "f", &a, 8, 0), EINVAL);
  FAILS(syscall(468, AT_FDCWD, "f", &a, 8192, 0), E2BIG);
  FAILS(syscall(468, AT_FDCWD, "none", &a, sizeof a, 0), ENOENT);
  FAILS(syscall(468, AT_FDCWD, "f", &a, sizeof a, 4), EINVAL);
}

static int try_fsx(const char *path, struct fsxattr want) {
  int fd = OK(open(path, O_RDONLY));
  int result = ioctl(fd, FS_IOC_FSSETXATTR, &want);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

TEST(by_number, "FS_IOC_FSSETXATTR sets the same attributes") {
  write_file("f", "");
  OK(mkdir("d", 0755));
  get("f");
  int fd = OK(open("f", O_RDONLY));
  struct fsxattr got;
  OK(ioctl(fd, FS_IOC_FSGETXATTR, &got));
  OK(try_fsx("f", (struct fsxattr){.fsx_xflags = FS_XFLAG_NODUMP | FS_XFLAG_NOATIME}));
  EQUAL(get("f") & (FS_NODUMP_FL | FS_NOATIME_FL), FS_NODUMP_FL | FS_NOATIME_FL);
  OK(ioctl(fd, FS_IOC_FSGETXATTR, &got));
  EQUAL(got.fsx_xflags & (FS_XFLAG_NODUMP | FS_XFLAG_NOATIME), FS_XFLAG_NODUMP | FS_XFLAG_NOATIME);
  EQUAL(got.fsx_projid, 0);
  OK(try_fsx("f", (struct fsxattr){.fsx_xflags = FS_XFLAG_PREALLOC | FS_XFLAG_EXTSIZE}));
  EQUAL(get("f") & (FS_NODUMP_FL | FS_NOATIME_FL), 0);
  FAILS(try_fsx("f", (struct fsxattr){.fsx_xflags = FS_XFLAG_EXTSZINHERIT}), EINVAL);
  FAILS(try_fsx("d", (struct fsxattr){.fsx_xflags = FS_XFLAG_EXTSIZE}), EINVAL);
  FAILS(ioctl(fd, FS_IOC_FSSETXATTR, nowhere), EFAULT);
  FAILS(ioctl(fd, FS_IOC_FSGETXATTR, nowhere), EFAULT);
  FAILS(ioctl(OK(open("/dev/null", O_RDONLY)), FS_IOC_FSGETXATTR, &got), ENOTTY);
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(setresuid(1000, 1000, 1000));
  FAILS(try_fsx("f", (struct fsxattr){0}), EPERM);
}

TEST(no_extents, "a file in memory has attributes, but no extents and no project") {
  int fd = OK(memfd_create("f", 0));
  struct fsxattr got;
  if (ioctl(fd, FS_IOC_FSGETXATTR, &got) != 0) skip_test("the kernel is older than 6.6");
  OK(ioctl(fd, FS_IOC_FSSETXATTR, &(struct fsxattr){.fsx_nextents = 1}));
  FAILS(ioctl(fd, FS_IOC_FSSETXATTR, &(struct fsxattr){.fsx_extsize = 4096}), EOPNOTSUPP);
  FAILS(ioctl(fd, FS_IOC_FSSETXATTR, &(struct fsxattr){.fsx_projid = 1}), EOPNOTSUPP);
  FAILS(ioctl(fd, FS_IOC_FSSETXATTR, &(struct fsxattr){.fsx_xflags = FS_XFLAG_REALTIME}), EOPNOTSUPP);
  FAILS(ioctl(fd, FS_IOC_FSSETXATTR, &(struct fsxattr){.fsx_xflags = FS_XFLAG_SYNC}), EOPNOTSUPP);
}

static double nanoseconds(struct timespec t) { return t.tv_sec % 1000000 * 1e9 + t.tv_nsec; }

TEST(fresh_times, "a file's fresh times lie between the coarse clock before and the wall clock behind") {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), fine = 0;
  double start = monotonic_ms();
  while (monotonic_ms() - start < 100) {
    struct timespec before, after;
    struct stat st;
    OK(clock_gettime(CLOCK_REALTIME_COARSE, &before));
    EQUAL(pwrite(fd, "x", 1, 0), 1);
    OK(fstat(fd, &st));
    OK(clock_gettime(CLOCK_REALTIME, &after));
    CHECK(nanoseconds(before) <= nanoseconds(st.st_mtim));
    CHECK(nanoseconds(st.st_mtim) <= nanoseconds(after));
    EQUAL(st.st_mtim.tv_nsec, st.st_ctim.tv_nsec);
    fine |= st.st_mtim.tv_nsec % 1000000 != 0;
  }
  CHECK(fine);
}
