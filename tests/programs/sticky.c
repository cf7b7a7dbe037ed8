// Other people's links and files in directories of everyone, as /proc/sys/fs/protected_* says; proc_sys_fs(5).
#include "check.h"

enum { OWNER = 1000, OTHER = 1001 };

static int setting(const char *what) {
  char path[64];
  snprintf(path, sizeof path, "/proc/sys/fs/protected_%s", what);
  return atoi(read_file(path));
}

/* The call must be refused where that is set, else succeed. */
#define REFUSED_IF(set, call, expected)  \
  do {                                   \
    if (set) FAILS(call, expected);      \
    else OK(call);                       \
  } while (0)

static void become(uid_t uid) {
  OK(setresgid(uid, uid, uid));
  OK(setresuid(uid, uid, uid));
}

/* In a folder that others reach: a directory of OWNER's with that mode, and the folder where it is. */
static void make_directory(const char *name, mode_t mode) {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  OK(chmod(".", 0755));
  OK(mkdir(name, 0700));
  OK(chown(name, OWNER, OWNER));
  OK(chmod(name, mode));
}

static void make_file(const char *path, uid_t owner, mode_t mode) {
  write_file(path, "x");
  OK(chown(path, owner, owner));
  OK(chmod(path, mode));
}

TEST(links, "in a sticky directory of everyone a link of another ends no path, but may be passed") {
  int set = setting("symlinks");
  make_directory("shared", 01777);
  make_directory("plain", 0777);
  make_directory("target", 0755);
  make_file("target/file", OWNER, 0644);
  OK(symlink("../target", "shared/dir"));
  OK(symlink("../target/file", "shared/file"));
  OK(symlink("shared/file", "to-link"));
  OK(symlink("../target/file", "plain/file"));
  OK(symlink("../target/file", "shared/owned"));
  OK(lchown("shared/owned", OWNER, OWNER));
  IN_CHILD(pid, {
    become(OTHER);
    struct stat st;
    for (int i = 0; i < 2; i++) {
      REFUSED_IF(set, stat("shared/file", &st), EACCES);
      OK(lstat("shared/file", &st));
      REFUSED_IF(set, open("shared/file", O_RDONLY), EACCES);
      REFUSED_IF(set, stat("to-link", &st), EACCES);
      OK(stat("shared/dir/file", &st));
      REFUSED_IF(set, stat("shared/dir", &st), EACCES);
      REFUSED_IF(set, stat("shared/dir/", &st), EACCES);
      OK(stat("shared/dir/../target/file", &st));
      OK(stat("shared/owned", &st)); /* The directory's owner made it. */
      OK(stat("plain/file", &st));
    }
    OK(symlink("../target/file", "shared/mine"));
    OK(stat("shared/mine", &st));
  });
  join(pid);
  struct stat st;
  OK(stat("shared/file", &st));
  REFUSED_IF(set, stat("shared/mine", &st), EACCES); /* root is no exception. */
  OK(lchown("shared/mine", 0, 0));
  OK(stat("shared/mine", &st));
}

TEST(hard_links, "another's file gets a name of a stranger only where it could be written and gives no rights") {
  int set = setting("hardlinks");
  make_directory("shared", 01777);
  make_file("open", OWNER, 0666);
  make_file("readable", OWNER, 0644);
  make_file("setuid", OWNER, 04777);
  make_file("setgid", OWNER, 02777);
  make_file("locked", OWNER, 02767);
  OK(mkfifo("fifo", 0666));
  OK(chmod("fifo", 0666));
  IN_CHILD(pid, {
    become(OTHER);
    OK(link("open", "shared/1"));
    REFUSED_IF(set, link("readable", "shared/2"), EPERM);
    REFUSED_IF(set, link("setuid", "shared/3"), EPERM);
    REFUSED_IF(set, link("setgid", "shared/4"), EPERM);
    OK(link("locked", "shared/5"));
    REFUSED_IF(set, link("fifo", "shared/6"), EPERM);
  });
  join(pid);
  IN_CHILD(owner, {
    become(OWNER);
    OK(link("setuid", "shared/7"));
  });
  join(owner);
  OK(link("readable", "shared/8"));
}

TEST(files, "open with O_CREAT finds no file or FIFO of another in a sticky directory of everyone") {
  int regular = setting("regular"), fifos = setting("fifos");
  make_directory("shared", 01777);
  make_directory("group", 01775);
  make_directory("plain", 0777);
  static const char *const dirs[] = {"shared", "group", "plain"};
  for (int i = 0; i < 3; i++) {
    OK(chdir(dirs[i]));
    make_file("file", OTHER, 0666);
    make_file("owned", OWNER, 0666);
    make_file("root", 0, 0666);
    OK(mkfifo("fifo", 0666));
    OK(chown("fifo", OTHER, OTHER));
    OK(chmod("fifo", 0666));
    OK(chdir(".."));
  }
  REFUSED_IF(regular, open("shared/file", O_WRONLY | O_CREAT, 0666), EACCES);
  OK(open("shared/file", O_WRONLY));
  OK(open("shared/owned", O_WRONLY | O_CREAT, 0666));
  OK(open("shared/root", O_WRONLY | O_CREAT, 0666));
  REFUSED_IF(fifos, open("shared/fifo", O_RDWR | O_CREAT, 0666), EACCES);
  REFUSED_IF(regular > 1, open("group/file", O_WRONLY | O_CREAT, 0666), EACCES);
  REFUSED_IF(fifos > 1, open("group/fifo", O_RDWR | O_CREAT, 0666), EACCES);
  OK(open("plain/file", O_WRONLY | O_CREAT, 0666));
  OK(open("shared/new", O_WRONLY | O_CREAT, 0666));
  FAILS(open("shared/file", O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
  OK(symlink("shared/file", "link"));
  REFUSED_IF(regular, open("link", O_WRONLY | O_CREAT, 0666), EACCES);
}

TEST(fdinfo, "only who may look into a process enters its fdinfo") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  IN_CHILD(pid, pause());
  char dir[64], file[96];
  snprintf(dir, sizeof dir, "/proc/%d/fdinfo", pid);
  snprintf(file, sizeof file, "%s/0", dir);
  int fd = OK(open(dir, O_RDONLY | O_DIRECTORY));
  struct stat st;
  OK(stat(file, &st));
  IN_CHILD(stranger, {
    become(OTHER);
    OK(stat(dir, &st));
    FAILS(stat(file, &st), EACCES);
    FAILS(open(file, O_RDONLY), EACCES);
    FAILS(open(dir, O_RDONLY | O_DIRECTORY), EACCES);
    FAILS(openat(fd, "0", O_RDONLY), EACCES);
    FAILS(openat(fd, "none", O_RDONLY), EACCES);
  });
  join(stranger);
  OK(kill(pid, SIGKILL));
}
