// path_resolution(7), mkdir(2), unlink(2), rename(2), link(2), symlink(2), getdents(2), chroot(2).
#include "check.h"
#include <dirent.h>
#include <limits.h>
#include <sys/sysmacros.h>

static int exists(const char *path) { return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

TEST(components, "components are directories, short enough and not too many") {
  write_file("f", "");
  FAILS(access("f/", F_OK), ENOTDIR);
  FAILS(access("f/x", F_OK), ENOTDIR);
  FAILS(access("f/..", F_OK), ENOTDIR);
  FAILS(access("none/..", F_OK), ENOENT);
  FAILS(access("", F_OK), ENOENT);
  char long_name[257], long_path[PATH_MAX + 2];
  memset(long_name, 'x', 256);
  long_name[256] = 0;
  FAILS(access(long_name, F_OK), ENAMETOOLONG);
  long_name[255] = 0;
  FAILS(access(long_name, F_OK), ENOENT);
  memset(long_path, '/', PATH_MAX);
  long_path[PATH_MAX] = 0;
  FAILS(access(long_path, F_OK), ENAMETOOLONG);
  long_path[PATH_MAX - 1] = 0;
  OK(access(long_path, F_OK));
  OK(access("/../../..", F_OK));
}

TEST(links, "forty symbolic links are followed, more are ELOOP") {
  char from[16], to[16];
  write_file("l0", "end");
  for (int i = 1; i <= 41; i++) {
    snprintf(from, sizeof from, "l%d", i);
    snprintf(to, sizeof to, "l%d", i - 1);
    OK(symlink(to, from));
  }
  CHECK(strcmp(read_file("l40"), "end") == 0);
  FAILS(open("l41", O_RDONLY), ELOOP);
  OK(symlink("self", "self"));
  FAILS(access("self", F_OK), ELOOP);
  CHECK(exists("self"));
  OK(mkdir("d", 0755));
  OK(symlink("d", "dl"));
  struct stat st;
  OK(lstat("dl/", &st));
  CHECK(S_ISDIR(st.st_mode));
  FAILS(unlink("dl/"), ENOTDIR);
  FAILS(rmdir("dl"), ENOTDIR);
  FAILS(open("dl", O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
}

/* Each path is asked for twice: what is known of it must not outlive what is. */
static int twice(const char *path) {
  int first = access(path, F_OK) == 0 ? 0 : errno;
  EQUAL(access(path, F_OK) == 0 ? 0 : errno, first);
  return first;
}

TEST(missing_made, "a path that led nowhere is found once one of its names is made") {
  EQUAL(twice("a/b/f"), ENOENT);
  OK(mkdir("a", 0755));
  EQUAL(twice("a/b/f"), ENOENT);
  OK(mkdir("a/b", 0755));
  EQUAL(twice("a/b/f"), ENOENT);
  write_file("a/b/f", "x");
  EQUAL(twice("a/b/f"), 0);
  OK(unlink("a/b/f"));
  EQUAL(twice("a/b/f"), ENOENT);
  OK(symlink("target", "a/b/f"));
  EQUAL(twice("a/b/f"), ENOENT);
  CHECK(exists("a/b/f"));
  write_file("a/b/target", "x");
  EQUAL(twice("a/b/f"), 0);
  OK(rename("a/b", "a/c"));
  EQUAL(twice("a/b/f"), ENOENT);
  EQUAL(twice("a/c/f"), 0);
  write_file("g", "x");
  EQUAL(twice("a/c/g"), ENOENT);
  OK(rename("g", "a/c/g"));
  EQUAL(twice("a/c/g"), 0);
  EQUAL(twice("a/c/h"), ENOENT);
  OK(link("a/c/g", "a/c/h"));
  EQUAL(twice("a/c/h"), 0);
}

TEST(missing_trailing, "a missing last name is ENOENT, with a slash and without, but below a file ENOTDIR") {
  write_file("f", "x");
  EQUAL(twice("none"), ENOENT);
  EQUAL(twice("none/"), ENOENT);
  EQUAL(twice("./none"), ENOENT);
  EQUAL(twice("./none/"), ENOENT);
  EQUAL(twice("./f/none"), ENOTDIR);
  EQUAL(twice("./f/"), ENOTDIR);
  FAILS(open("./none", O_RDONLY), ENOENT);
  OK(open("./none", O_RDWR | O_CREAT, 0644));
  EQUAL(twice("./none"), 0);
}

TEST(known_directory, "a name is looked for in the directory that its path leads to now") {
  OK(mkdir("one", 0755));
  OK(mkdir("two", 0755));
  OK(mkdir("one/d", 0755));
  OK(mkdir("two/d", 0755));
  write_file("one/d/f", "one");
  write_file("two/d/f", "two");
  OK(symlink("one", "way"));
  CHECK(strcmp(read_file("way/d/f"), "one") == 0);
  write_file("way/d/g", "g1");
  OK(unlink("way"));
  EQUAL(twice("way/d/g"), ENOENT);
  OK(symlink("two", "way"));
  CHECK(strcmp(read_file("way/d/f"), "two") == 0);
  EQUAL(twice("way/d/g"), ENOENT);
  write_file("way/d/g", "g2");
  CHECK(strcmp(read_file("one/d/g"), "g1") == 0);
  CHECK(strcmp(read_file("two/d/g"), "g2") == 0);
  OK(chdir("one"));
  CHECK(strcmp(read_file("./d/g"), "g1") == 0);
  OK(chdir("../two"));
  CHECK(strcmp(read_file("./d/g"), "g2") == 0);
  OK(rename("d", "e"));
  FAILS(open("./d/h", O_RDWR | O_CREAT, 0644), ENOENT);
  OK(mkdir("d", 0755));
  FAILS(access("./d/g", F_OK), ENOENT);
  OK(rmdir("d"));
  FAILS(mkdir("./d/x", 0755), ENOENT);
}

TEST(link_count, "links on the way to a known directory count") {
  char from[16], to[16];
  OK(mkdir("l0", 0755));
  write_file("l0/f", "end");
  for (int i = 1; i <= 40; i++) {
    snprintf(from, sizeof from, "l%d", i);
    snprintf(to, sizeof to, "l%d", i - 1);
    OK(symlink(to, from));
  }
  OK(symlink("f", "l0/g"));
  for (int i = 0; i < 3; i++) {
    CHECK(strcmp(read_file("./l40/f"), "end") == 0);
    CHECK(strcmp(read_file("./l39/g"), "end") == 0);
    FAILS(open("./l40/g", O_RDONLY), ELOOP);
  }
}

TEST(readlinks, "readlink cuts its text and fails for what is no link") {
  char text[8] = "........";
  OK(symlink("abcdef", "l"));
  EQUAL(readlink("l", text, 3), 3);
  CHECK(memcmp(text, "abc.", 4) == 0);
  EQUAL(readlink("l", text, 8), 6);
  FAILS(readlink("l", text, 0), EINVAL);
  FAILS(readlink(".", text, 8), EINVAL);
  int fd = OK(open("l", O_PATH | O_NOFOLLOW));
  EQUAL(readlinkat(fd, "", text, 8), 6);
  FAILS(symlink("", "e"), ENOENT);
  FAILS(symlink("x", "l"), EEXIST);
}

TEST(directories, "mkdir and rmdir") {
  umask(022);
  OK(mkdir("d", 0777));
  struct stat st;
  OK(stat("d", &st));
  EQUAL(st.st_mode, S_IFDIR | 0755);
  FAILS(mkdir("d", 0777), EEXIST);
  FAILS(mkdir("a/b", 0777), ENOENT);
  OK(mkdir("d/e/", 0777));
  FAILS(rmdir("d"), ENOTEMPTY);
  FAILS(rmdir("d/."), EINVAL);
  FAILS(rmdir("d/e/.."), ENOTEMPTY);
  FAILS(unlink("d"), EISDIR);
  FAILS(rmdir("/"), EBUSY);
  OK(rmdir("d/e"));
  int fd = OK(open("d", O_RDONLY));
  OK(rmdir("d"));
  FAILS(openat(fd, "x", O_CREAT | O_WRONLY, 0644), ENOENT);
  FAILS(mkdirat(fd, "x", 0755), ENOENT);
}

TEST(relative, "a relative path starts at its descriptor") {
  OK(mkdir("d", 0755));
  write_file("d/f", "x");
  int fd = OK(open("d", O_RDONLY | O_DIRECTORY));
  OK(faccessat(fd, "f", R_OK, 0));
  OK(faccessat(-5, "/", R_OK, 0));
  FAILS(faccessat(-5, "f", R_OK, 0), EBADF);
  int file = OK(openat(fd, "f", O_RDONLY));
  FAILS(faccessat(file, "f", R_OK, 0), ENOTDIR);
  OK(renameat(fd, "f", AT_FDCWD, "moved"));
  OK(linkat(AT_FDCWD, "moved", fd, "again", 0));
  OK(unlinkat(fd, "again", 0));
  FAILS(unlinkat(fd, "again", 99), EINVAL);
  OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
}

TEST(renames, "rename replaces like with like") {
  OK(mkdir("d", 0755));
  OK(mkdir("e", 0755));
  OK(mkdir("full", 0755));
  write_file("full/x", "");
  write_file("a", "A");
  write_file("b", "B");
  OK(rename("a", "b"));
  CHECK(strcmp(read_file("b"), "A") == 0 && !exists("a"));
  FAILS(rename("b", "d"), EISDIR);
  FAILS(rename("d", "b"), ENOTDIR);
  FAILS(rename("d", "full"), ENOTEMPTY);
  FAILS(rename("d", "d/in"), EINVAL);
  FAILS(rename("full/x", "full"), ENOTEMPTY);
  FAILS(rename("none", "x"), ENOENT);
  FAILS(rename("b", "b/"), ENOTDIR);
  FAILS(rename("d/.", "x"), EBUSY);
  OK(rename("d", "e"));
  OK(link("b", "c"));
  OK(rename("b", "c"));
  CHECK(exists("b") && exists("c"));
}

TEST(readlink_time, "reading a symbolic link sets the time of its last reading") {
  struct timespec old[2] = {{1000, 0}, {2000, 0}};
  struct stat st;
  char text[8];
  OK(symlink("target", "l"));
  OK(utimensat(AT_FDCWD, "l", old, AT_SYMLINK_NOFOLLOW));
  OK(lstat("l", &st));
  EQUAL(st.st_atime, 1000);
  EQUAL(readlink("l", text, sizeof text), 6);
  OK(lstat("l", &st));
  CHECK(st.st_atime > 1000);
  EQUAL(st.st_mtime, 2000);
}

TEST(rename_flags, "renameat2 keeps, exchanges") {
  write_file("a", "A");
  OK(mkdir("d", 0755));
  FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_NOREPLACE), EEXIST);
  OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
  OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE));
  CHECK(strcmp(read_file("d"), "A") == 0);
  OK(rmdir("b"));
  FAILS(renameat2(AT_FDCWD, "d", AT_FDCWD, "x", RENAME_EXCHANGE), ENOENT);
  FAILS(renameat2(AT_FDCWD, "d", AT_FDCWD, "x", 64), EINVAL);
}

TEST(whiteout_owner, "a whiteout that a rename leaves is the caller's") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(mkdir("/dev/shm/whiteouts", 0777));
  OK(chdir("/dev/shm/whiteouts"));
  write_file("a", "A");
  OK(chmod(".", 0777));
  OK(setegid(2000));
  OK(seteuid(1000));
  int renamed = renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT);
  struct stat st = {0};
  stat("a", &st);
  OK(seteuid(0));
  unlink("a");
  unlink("b");
  OK(rmdir("/dev/shm/whiteouts"));
  EQUAL(renamed, 0);
  CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0);
  EQUAL(st.st_uid, 1000);
  EQUAL(st.st_gid, 2000);
}

TEST(moved_directory, "a moved directory's dot-dot is its new parent, links count") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("a/s", 0755));
  struct stat a, b, up;
  OK(stat("a", &a));
  OK(rename("a/s", "b/s"));
  OK(stat("b", &b));
  OK(stat("b/s/..", &up));
  EQUAL(up.st_ino, b.st_ino);
}

TEST(hard_links, "hard links are one file") {
  write_file("a", "1");
  OK(link("a", "b"));
  write_file("b", "22");
  CHECK(strcmp(read_file("a"), "22") == 0);
  struct stat a, b;
  OK(stat("a", &a));
  OK(stat("b", &b));
  EQUAL(a.st_ino, b.st_ino);
  EQUAL(a.st_nlink, 2);
  OK(unlink("a"));
  OK(stat("b", &b));
  EQUAL(b.st_nlink, 1);
  OK(mkdir("d", 0755));
  FAILS(link("d", "e"), EPERM);
  FAILS(link("b", "d"), EEXIST);
  FAILS(link("none", "x"), ENOENT);
  OK(symlink("b", "l"));
  OK(linkat(AT_FDCWD, "l", AT_FDCWD, "ll", 0));
  OK(lstat("ll", &a));
  CHECK(S_ISLNK(a.st_mode));
  OK(linkat(AT_FDCWD, "l", AT_FDCWD, "lb", AT_SYMLINK_FOLLOW));
  OK(lstat("lb", &a));
  CHECK(S_ISREG(a.st_mode));
}

TEST(listing, "a directory lists each name once, also while names go") {
  char name[32];
  OK(mkdir("d", 0755));
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof name, "d/file-%d", i);
    write_file(name, "");
  }
  DIR *dir = opendir("d");
  struct dirent *entry;
  int files = 0, dots = 0;
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') {
      dots++;
      continue;
    }
    files++;
    EQUAL(entry->d_type, DT_REG);
    OK(unlinkat(dirfd(dir), entry->d_name, 0));
  }
  EQUAL(files, 500);
  EQUAL(dots, 2);
  rewinddir(dir);
  while ((entry = readdir(dir)) != NULL) CHECK(entry->d_name[0] == '.');
  OK(rmdir("d"));
  char buffer[8];
  int fd = OK(open(".", O_RDONLY));
  FAILS(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
  FAILS(syscall(SYS_getdents64, OK(open("/dev/null", O_RDONLY)), buffer, 8), ENOTDIR);
}

TEST(positions, "telldir and seekdir come back to the same entry") {
  char name[16];
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "n%d", i);
    write_file(name, "");
  }
  DIR *dir = opendir(".");
  for (int i = 0; i < 10; i++) readdir(dir);
  long at = telldir(dir);
  char next[256];
  strcpy(next, readdir(dir)->d_name);
  while (readdir(dir) != NULL) {}
  seekdir(dir, at);
  CHECK(strcmp(readdir(dir)->d_name, next) == 0);
}

TEST(cwd, "getcwd follows renames and ends with the directory") {
  char text[PATH_MAX], before[PATH_MAX];
  CHECK(getcwd(before, sizeof before) != NULL);
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rename("../d", "../e"));
  CHECK(getcwd(text, sizeof text) != NULL);
  CHECK(strncmp(text, before, strlen(before)) == 0 && strcmp(text + strlen(before), "/e") == 0);
  FAILS(syscall(SYS_getcwd, text, 3), ERANGE);
  OK(rmdir("../e"));
  FAILS(syscall(SYS_getcwd, text, sizeof text), ENOENT);
  FAILS(open("new", O_CREAT | O_WRONLY, 0644), ENOENT);
  OK(chdir(".."));
  FAILS(chdir("none"), ENOENT);
  write_file("f", "");
  FAILS(chdir("f"), ENOTDIR);
  FAILS(fchdir(OK(open("f", O_RDONLY))), ENOTDIR);
  OK(fchdir(OK(open("/", O_PATH))));
}

TEST(deep, "a working directory whose path is longer than PATH_MAX has no name") {
  char text[2 * PATH_MAX], name[256];
  memset(name, 'd', 255);
  name[255] = 0;
  for (int i = 0; i < 20; i++) {
    OK(mkdir(name, 0755));
    OK(chdir(name));
  }
  FAILS(syscall(SYS_getcwd, text, sizeof text), ENAMETOOLONG);
  FAILS(syscall(SYS_getcwd, text, 10), ENAMETOOLONG);
  FAILS(readlink("/proc/self/cwd", text, sizeof text), ENAMETOOLONG);
  CHECK(getcwd(text, sizeof text) != NULL);
  CHECK(strlen(text) > 20 * 255);
}

TEST(roots, "chroot confines paths") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(mkdir("jail", 0755));
  OK(mkdir("jail/in", 0755));
  write_file("out", "");
  IN_CHILD(pid, {
    OK(chroot("jail"));
    OK(chdir("/"));
    OK(access("/in", F_OK));
    OK(access("/../in", F_OK));
    FAILS(access("/../out", F_OK), ENOENT);
    FAILS(access("/in/../../out", F_OK), ENOENT);
    char text[64];
    CHECK(getcwd(text, sizeof text) != NULL && strcmp(text, "/") == 0);
  });
  join(pid);
}

TEST(searching, "each directory on the way must be searchable") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(mkdir("shut", 0700));
  OK(mkdir("open", 0777));
  OK(chmod("open", 0777));
  OK(mkdir("read", 0744));
  write_file("shut/f", "");
  write_file("read/f", "");
  OK(access("shut/f", F_OK));
  IN_CHILD(pid, {
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(access("shut/f", F_OK), EACCES);
    FAILS(access("shut/none", F_OK), EACCES);
    OK(access("shut", F_OK));
    FAILS(access("read/f", F_OK), EACCES);
    CHECK(opendir("read") != NULL);
    CHECK(opendir("shut") == NULL && errno == EACCES);
    write_file("open/mine", "");
    FAILS(mkdir("read/x", 0755), EACCES);
  });
  join(pid);
  OK(chmod("shut", 0755));
  IN_CHILD(again_pid, {
    OK(setuid(1000));
    OK(access("shut/f", F_OK));
  });
  join(again_pid);
}

TEST(access_ids, "access asks with the real ids, faccessat with AT_EACCESS the effective") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  write_file("f", "");
  OK(chmod("f", 0600));
  IN_CHILD(pid, {
    OK(setreuid(1000, 0));
    FAILS(access("f", R_OK), EACCES);
    OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    OK(access("f", F_OK));
  });
  join(pid);
  FAILS(access("f", X_OK), EACCES);
  FAILS(access("f", 8), EINVAL);
}

TEST(sticky, "names in a sticky directory are their owner's alone") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(mkdir("t", 0777));
  OK(chmod("t", 01777));
  write_file("t/root", "");
  write_file("t/mine", "");
  OK(chown("t/mine", 1000, 1000));
  IN_CHILD(pid, {
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(unlink("t/root"), EPERM);
    FAILS(rename("t/root", "t/x"), EPERM);
    FAILS(rename("t/mine", "t/root"), EPERM);
    OK(rename("t/mine", "t/x"));
    OK(unlink("t/x"));
  });
  join(pid);
}

TEST(setgid_directory, "what is made in a setgid directory has its group") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(mkdir("g", 0777));
  OK(chown("g", -1, 77));
  OK(chmod("g", 02777));
  write_file("g/f", "");
  OK(mkdir("g/d", 0755));
  struct stat st;
  OK(stat("g/f", &st));
  EQUAL(st.st_gid, 77);
  OK(stat("g/d", &st));
  EQUAL(st.st_gid, 77);
  CHECK(st.st_mode & S_ISGID);
}

TEST(nodes, "mknod makes FIFOs, sockets and files, and knows its types") {
  umask(0);
  struct stat st;
  OK(mknod("fifo", S_IFIFO | 0600, 0));
  OK(stat("fifo", &st));
  EQUAL(st.st_mode, S_IFIFO | 0600);
  OK(mknod("sock", S_IFSOCK | 0600, 0));
  FAILS(open("sock", O_RDWR), ENXIO);
  OK(mknod("plain", 0600, 0));
  OK(stat("plain", &st));
  CHECK(S_ISREG(st.st_mode));
  FAILS(mknod("d", S_IFDIR | 0755, 0), EPERM);
  FAILS(mknod("x", S_IFLNK | 0755, 0), EINVAL);
  FAILS(mknod("fifo", S_IFIFO, 0), EEXIST);
  FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

TEST(fifo_open, "a FIFO's open waits for the other end") {
  OK(mkfifo("fifo", 0600));
  IN_CHILD(pid, {
    int fd = OK(open("fifo", O_WRONLY));
    EQUAL(write(fd, "hi", 2), 2);
  });
  int fd = OK(open("fifo", O_RDONLY));
  char text[4];
  EQUAL(read(fd, text, 4), 2);
  join(pid);
  EQUAL(read(fd, text, 4), 0);
}

TEST(magic, "a descriptor's link in /proc opens the file itself") {
  write_file("f", "deleted");
  int fd = OK(open("f", O_RDONLY));
  OK(unlink("f"));
  char path[64], target[PATH_MAX] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OK(readlink(path, target, sizeof target - 1));
  CHECK(strcmp(target + strlen(target) - 12, "/f (deleted)") == 0);
  CHECK(strcmp(read_file(path), "deleted") == 0);
  struct stat a, b;
  OK(fstat(fd, &a));
  OK(stat(path, &b));
  EQUAL(a.st_ino, b.st_ino);
}

TEST(listing_time, "a listing sets the directory's access time, also one that gives nothing") {
  OK(mkdir("d", 0755));
  int fd = OK(open("d", O_RDONLY | O_DIRECTORY));
  struct timespec past[2] = {{1000, 0}, {2000, 0}};
  char buffer[1024];
  size_t sizes[] = {0, 1, sizeof buffer, sizeof buffer}; /* The last is at the end. */
  for (int i = 0; i < 4; i++) {
    struct stat st;
    OK(futimens(fd, past));
    if (sizes[i] < 24) FAILS(syscall(SYS_getdents64, fd, buffer, sizes[i]), EINVAL);
    else OK(syscall(SYS_getdents64, fd, buffer, sizes[i]));
    OK(fstat(fd, &st));
    CHECK(st.st_atime != 1000);
  }
}
