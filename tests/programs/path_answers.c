// build: -pthread
/* stat(2), access(2), readlink(2), open(2) and execve(2) of what was looked at before, after everything that may change
 * the answer. */
#include "fixtures.h"
#include <pthread.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static struct stat seen(const char *path) {
  struct stat st;
  for (int i = 0; i < TIMES; i++) OK(stat(path, &st));
  return st;
}

static struct stat seen_itself(const char *path) {
  struct stat st;
  for (int i = 0; i < TIMES; i++) OK(lstat(path, &st));
  return st;
}

static void missed(const char *path) {
  struct stat st;
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    FAILS(stat(path, &st), ENOENT);
    FAILS(lstat(path, &st), ENOENT);
    FAILS(fstatat(AT_FDCWD, path, &st, 0), ENOENT);
    FAILS(access(path, R_OK), ENOENT);
    FAILS(readlink(path, text, sizeof text), ENOENT);
    FAILS(open(path, O_RDONLY | O_CLOEXEC), ENOENT);
    FAILS(openat(AT_FDCWD, path, O_RDWR | O_NOFOLLOW | O_TRUNC), ENOENT);
    FAILS(execv(path, (char *[]){"x", NULL}), ENOENT);
  }
}

static const char *absolute(const char *name) {
  static char path[4400];
  char cwd[4096];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  snprintf(path, sizeof path, "%s/%s", cwd, name);
  return path;
}

TEST(made, "a file is found as soon as somebody has made it") {
  enter("made");
  missed("new");
  missed(absolute("new"));
  IN_CHILD(pid, write_file("new", "123"));
  join(pid);
  EQUAL(seen("new").st_size, 3);
  EQUAL(seen(absolute("new")).st_size, 3);
  missed("dir/new");
  OK(rename("new", "dir/new"));
  missed("new");
  EQUAL(seen("dir/new").st_size, 3);
  missed("made");
  OK(mkdir("made", 0700));
  CHECK(S_ISDIR(seen("made").st_mode));
  missed("far/away");
  OK(mkdir("far", 0755));
  missed("far/away");
  OK(link("dir/new", "far/away"));
  EQUAL(seen("far/away").st_nlink, 2);
}

TEST(removed, "a file is gone as soon as somebody has removed it") {
  enter("removed");
  EQUAL(seen("file").st_nlink, 2);
  EQUAL(seen("hard").st_nlink, 2);
  IN_CHILD(pid, OK(unlink("file")));
  join(pid);
  missed("file");
  EQUAL(seen("hard").st_nlink, 1);
  seen("dir/inner");
  OK(unlink("dir/inner"));
  missed("dir/inner");
  OK(rmdir("dir"));
  missed("dir");
  missed("dir/inner");
  OK(mkdir("dir", 0755));
  missed("dir/inner");
  CHECK(S_ISDIR(seen("dir").st_mode));
}

TEST(replaced, "a renamed file is under its new name alone, in the place of what was there") {
  enter("replaced");
  ino_t inner = seen("dir/inner").st_ino, file = seen("file").st_ino;
  CHECK(inner != file);
  OK(rename("dir/inner", "file"));
  EQUAL(seen("file").st_ino, inner);
  missed("dir/inner");
  seen("dir");
  OK(rename("dir", "moved"));
  missed("dir");
  CHECK(S_ISDIR(seen("moved").st_mode));
  write_file("moved/inner", "");
  EQUAL(seen("moved/inner").st_size, 0);
  if (syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "file", 2 /* RENAME_EXCHANGE */) == 0) {
    CHECK(S_ISDIR(seen("file").st_mode));
    EQUAL(seen("file/inner").st_size, 0);
    CHECK(S_ISREG(seen("moved").st_mode));
  }
}

TEST(attributes, "every change of a file's attributes is seen, under each of its names") {
  enter("attributes");
  seen("file"), seen("hard");
  OK(chmod("file", 0600));
  EQUAL(seen("hard").st_mode & 07777, 0600);
  EQUAL(seen("file").st_mode & 07777, 0600);
  OK(truncate("hard", 2));
  EQUAL(seen("file").st_size, 2);
  int fd = OK(open("file", O_WRONLY | O_APPEND));
  EQUAL(write(fd, "abc", 3), 3);
  EQUAL(seen("hard").st_size, 5);
  close(fd);
  struct timespec times[2] = {{1000, 5}, {2000, 7}};
  OK(utimensat(AT_FDCWD, "file", times, 0));
  EQUAL(seen("hard").st_atim.tv_sec, 1000);
  EQUAL(seen("file").st_mtim.tv_nsec, 7);
  if (geteuid() == 0) {
    OK(chown("hard", 12, 34));
    EQUAL(seen("file").st_uid, 12);
    EQUAL(seen("file").st_gid, 34);
  }
  OK(link("hard", "third"));
  EQUAL(seen("file").st_nlink, 3);
  OK(unlink("third"));
  EQUAL(seen("file").st_nlink, 2);
  seen("dir");
  OK(chmod("dir", 0711));
  EQUAL(seen("dir").st_mode & 07777, 0711);
  nlink_t links = seen("dir").st_nlink;
  OK(mkdir("dir/sub", 0755));
  CHECK(seen("dir").st_nlink >= 1 && seen("dir").st_nlink <= links + 1);
}

TEST(written, "a write through a mapping or another process changes what is seen of a file") {
  enter("written");
  seen("file");
  IN_CHILD(pid, {
    int fd = OK(open("file", O_WRONLY));
    OK(ftruncate(fd, 100));
  });
  join(pid);
  EQUAL(seen("file").st_size, 100);
  EQUAL(seen_itself("hard").st_size, 100);
}

TEST(reading, "the time of the last reading is seen") {
  enter("reading");
  struct stat before = seen("file");
  char text[8];
  usleep(20000);
  int fd = OK(open("file", O_RDONLY));
  CHECK(read(fd, text, sizeof text) == 5);
  struct stat by_fd, after = seen("file");
  OK(fstat(fd, &by_fd));
  EQUAL(after.st_atim.tv_sec, by_fd.st_atim.tv_sec);
  EQUAL(after.st_atim.tv_nsec, by_fd.st_atim.tv_nsec);
  CHECK(after.st_atim.tv_sec >= before.st_atim.tv_sec);
}

TEST(links, "a symbolic link is told from what it leads to, also after it was made anew") {
  enter("links");
  char text[16];
  CHECK(S_ISLNK(seen_itself("link").st_mode));
  EQUAL(seen("link").st_ino, seen("file").st_ino);
  for (int i = 0; i < TIMES; i++) EQUAL(readlink("link", text, sizeof text), 4);
  for (int i = 0; i < TIMES; i++) FAILS(readlink("file", text, sizeof text), EINVAL);
  for (int i = 0; i < TIMES; i++) FAILS(readlink("dir/", text, sizeof text), EINVAL);
  OK(unlink("link"));
  missed("link");
  OK(symlink("dir", "link"));
  EQUAL(seen("link").st_ino, seen("dir").st_ino);
  EQUAL(seen("link/inner").st_size, 5);
  CHECK(S_ISDIR(seen_itself("link/").st_mode));
  OK(unlink("link"));
  OK(symlink("nowhere", "link"));
  struct stat st;
  for (int i = 0; i < TIMES; i++) {
    FAILS(stat("link", &st), ENOENT);
    FAILS(access("link", F_OK), ENOENT);
    OK(lstat("link", &st));
  }
  missed("link/inner");
}

TEST(arguments, "bad arguments get their errors for paths that are known, too") {
  enter("arguments");
  seen("file");
  missed("nope");
  struct stat st;
  char text[4];
  char *volatile none = (char *)8;
  for (int i = 0; i < TIMES; i++) {
    FAILS(stat("file", (struct stat *)none), EFAULT);
    FAILS(stat("nope", (struct stat *)none), ENOENT);
    FAILS(stat((char *)none, &st), EFAULT);
    FAILS(stat("", &st), ENOENT);
    FAILS(fstatat(AT_FDCWD, "file", &st, 0x8000), EINVAL);
    FAILS(fstatat(AT_FDCWD, "nope", &st, 0x8000), EINVAL);
    FAILS(fstatat(-5, "file", &st, 0), EBADF);
    OK(fstatat(-5, absolute("file"), &st, 0));
    FAILS(access("file", 8), EINVAL);
    FAILS(access("nope", 8), EINVAL);
    FAILS(syscall(SYS_readlink, "file", text, 0), EINVAL);
    FAILS(syscall(SYS_readlink, "nope", text, 0), EINVAL);
    FAILS(syscall(SYS_readlink, "nope", text, -1), EINVAL);
    FAILS(stat("file/", &st), ENOTDIR);
    FAILS(stat("file/inner", &st), ENOTDIR);
    OK(access("file", F_OK));
    OK(access("file", R_OK));
  }
}

TEST(names, "long names and names of any bytes are told apart") {
  enter("names");
  char longest[256], path[600];
  memset(longest, 'a', 255);
  longest[255] = 0;
  write_file(longest, "long");
  EQUAL(seen(longest).st_size, 4);
  longest[254] = 'b';
  missed(longest);
  snprintf(path, sizeof path, "dir/../%s", longest);
  missed(path);
  for (int i = 0; i < 4; i++) {
    char name[8] = {'x', (char)(0xfc + i), 0};
    missed(name);
    OK(mkdir(name, 0700));
    CHECK(S_ISDIR(seen(name).st_mode));
  }
  for (int i = 0; i < 3000; i++) {
    snprintf(path, sizeof path, "dir/%d", i);
    struct stat st;
    FAILS(stat(path, &st), ENOENT);
  }
  write_file("dir/1234", "1");
  EQUAL(seen("dir/1234").st_size, 1);
  missed("dir/1233");
  missed("dir/1235");
}

TEST(places, "relative paths start where the process is") {
  enter("places");
  missed("inner");
  EQUAL(seen("dir/inner").st_size, 5);
  int top = OK(open(".", O_RDONLY | O_DIRECTORY));
  OK(chdir("dir"));
  EQUAL(seen("inner").st_size, 5);
  EQUAL(seen("../file").st_size, 5);
  missed("file");
  IN_CHILD(pid, {
    OK(chdir(".."));
    missed("inner");
    seen("file");
  });
  join(pid);
  EQUAL(seen("inner").st_size, 5);
  missed("file");
  OK(rename("../dir", "../other"));
  EQUAL(seen("inner").st_size, 5);
  OK(unlink("inner"));
  missed("inner");
  struct stat st;
  for (int i = 0; i < TIMES; i++) OK(fstatat(top, "file", &st, 0));
  OK(fchdir(top));
  EQUAL(seen("file").st_size, 5);
  missed("dir");
  OK(mkdir("gone", 0755));
  OK(chdir("gone"));
  missed("x");
  OK(rmdir(absolute("")));
  missed("x");
}

static void *move_to_dir(void *unused) {
  (void)unused;
  OK(chdir("dir"));
  EQUAL(seen("inner").st_size, 5);
  return NULL;
}

TEST(shared_place, "a thread's chdir moves all threads") {
  enter("shared_place");
  missed("inner");
  pthread_t thread;
  EQUAL(pthread_create(&thread, NULL, move_to_dir, NULL), 0);
  pthread_join(thread, NULL);
  EQUAL(seen("inner").st_size, 5);
  missed("file");
}

static volatile int stop;
static void *look_on(void *unused) {
  (void)unused;
  struct stat st;
  while (!stop) {
    if (stat("file", &st) == 0) CHECK(st.st_size == 5 || st.st_size == 7);
    else EQUAL(errno, ENOENT);
  }
  return NULL;
}

TEST(meanwhile, "who looks while a file is changed sees it as it was or as it is") {
  enter("meanwhile");
  write_file("five", "12345");
  write_file("seven", "1234567");
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) EQUAL(pthread_create(&threads[i], NULL, look_on, NULL), 0);
  for (int i = 0; i < 300; i++) {
    OK(unlink("file"));
    missed("file");
    OK(link(i % 2 ? "five" : "seven", "file"));
    EQUAL(seen("file").st_size, i % 2 ? 5 : 7);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

TEST(strangers, "who may not search a directory learns nothing of what is in it") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enter("strangers");
  OK(chmod("dir", 0700));
  seen("dir/inner");
  seen(absolute("dir/inner"));
  missed("dir/nope");
  IN_CHILD(pid, {
    struct stat st;
    OK(setgid(1234));
    OK(setuid(1234));
    for (int i = 0; i < TIMES; i++) {
      FAILS(stat("dir/inner", &st), EACCES);
      FAILS(stat("dir/nope", &st), EACCES);
      FAILS(access("dir/inner", F_OK), EACCES);
    }
    seen("dir");
  });
  join(pid);
  seen("dir/inner");
  IN_CHILD(other, {
    struct stat st;
    OK(syscall(SYS_setresuid, -1, 1234, -1));
    FAILS(stat("dir/inner", &st), EACCES);
    OK(syscall(SYS_setresuid, -1, 0, -1));
    seen("dir/inner");
  });
  join(other);
  EQUAL(seen("dir/inner").st_size, 5);
}

TEST(permission, "a directory that is closed to a process is closed at once, and open again") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enter("permission");
  OK(chmod("dir", 0755));
  IN_CHILD(pid, {
    OK(setuid(1234));
    seen("dir/inner");
    OK(kill(getpid(), SIGSTOP));
    struct stat st;
    for (int i = 0; i < TIMES; i++) FAILS(stat("dir/inner", &st), EACCES);
  });
  int status;
  EQUAL(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  OK(chmod("dir", 0700));
  OK(kill(pid, SIGCONT));
  join(pid);
}

TEST(access_lists, "an access control list that is set or taken away counts at once") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enter("access_lists");
  /* u::rwx,u:1000:---,g::r-x,m::rwx,o::r-x */
  static const unsigned acl[] = {2, 7 << 16 | 1, -1u, 2, 1000, 5 << 16 | 4, -1u, 7 << 16 | 0x10, -1u, 5 << 16 | 0x20, -1u};
  EQUAL(seen("file").st_mode & 0777, 0644);
  missed("dir/none");
  seen("dir/inner");
  if (setxattr("file", "system.posix_acl_access", acl, sizeof acl, 0) != 0) skip_test("no lists here");
  EQUAL(seen("file").st_mode & 0777, 0775);
  EQUAL(seen("hard").st_mode & 0777, 0775);
  OK(setxattr("dir", "system.posix_acl_access", acl, sizeof acl, 0));
  EQUAL(seen("dir").st_mode & 0777, 0775);
  IN_CHILD(pid, {
    struct stat st;
    OK(setresuid(1000, 1000, 1000));
    for (int i = 0; i < TIMES; i++) {
      FAILS(stat("dir/inner", &st), EACCES);
      FAILS(stat("dir/none", &st), EACCES);
      FAILS(access("file", R_OK), EACCES);
    }
  });
  join(pid);
  missed("dir/none");
  OK(removexattr("dir", "system.posix_acl_access"));
  IN_CHILD(allowed, {
    OK(setresuid(1000, 1000, 1000));
    seen("dir/inner");
    missed("dir/none");
  });
  join(allowed);
}

TEST(jail, "who has another root sees its files alone") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enter("jail");
  seen("file");
  struct stat outside = seen("/etc");
  missed("/inner");
  IN_CHILD(pid, {
    OK(chroot("dir"));
    EQUAL(seen("/inner").st_size, 5);
    missed("/etc");
    OK(chdir("/"));
    EQUAL(seen("inner").st_size, 5);
    IN_CHILD(deeper, {
      EQUAL(seen("/inner").st_size, 5);
      missed("/file");
    });
    join(deeper);
  });
  join(pid);
  missed("/inner");
  EQUAL(seen("/etc").st_ino, outside.st_ino);
}

static int in_jail(void *unused) {
  (void)unused;
  OK(chroot("dir"));
  EQUAL(seen("/inner").st_size, 5);
  return 0;
}

TEST(shared_root, "a process that shares its root with another follows it") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enter("shared_root");
  missed("/inner");
  static char stack[65536] __attribute__((aligned(16)));
  pid_t pid = OK(clone(in_jail, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL));
  join(pid);
  EQUAL(seen("/inner").st_size, 5);
  missed("/etc");
}

TEST(mounted, "what is mounted over a directory is seen in its place, and no longer when it is unmounted") {
  SKIP_UNLESS(geteuid() == 0 && unshare(CLONE_NEWNS) == 0, "needs mounts");
  enter("mounted");
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  ino_t inner = seen("dir/inner").st_ino;
  if (mount("none", "dir", "tmpfs", 0, NULL) != 0) skip_test("cannot mount");
  missed("dir/inner");
  write_file("dir/inner", "");
  EQUAL(seen("dir/inner").st_size, 0);
  OK(umount("dir"));
  EQUAL(seen("dir/inner").st_ino, inner);
  EQUAL(seen("dir/inner").st_size, 5);
}
