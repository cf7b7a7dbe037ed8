// build: -pthread
/* close(2), fstat(2), lseek(2), read(2) and ioctl(2) of files that were just opened for reading, whose closing nobody
 * else may notice late. */
#include "fixtures.h"
#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <termios.h>

static void is_closed(int fd) {
  struct stat st;
  struct termios term;
  char text[4];
  FAILS(fstat(fd, &st), EBADF);
  FAILS(lseek(fd, 0, SEEK_CUR), EBADF);
  FAILS(read(fd, text, 4), EBADF);
  FAILS(ioctl(fd, TCGETS, &term), EBADF);
  FAILS(fcntl(fd, F_GETFD), EBADF);
  FAILS(dup(fd), EBADF);
  FAILS(close(fd), EBADF);
}

TEST(numbers, "a closed descriptor is none, and its number the next one's") {
  enter("numbers");
  int first = OK(open("file", O_RDONLY));
  OK(close(first));
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(fd, first);
    int second = OK(open("dir", O_RDONLY | O_DIRECTORY));
    EQUAL(second, first + 1);
    OK(close(fd));
    is_closed(fd);
    EQUAL(OK(dup(second)), fd);
    OK(close(fd));
    OK(close(second));
    is_closed(second);
    is_closed(fd);
  }
  int p[2];
  for (int i = 0; i < TIMES; i++) {
    OK(close(OK(open("file", O_RDONLY))));
    OK(pipe(p));
    EQUAL(p[0], first);
    struct stat st;
    OK(fstat(first, &st));
    CHECK(S_ISFIFO(st.st_mode));
    FAILS(lseek(first, 0, SEEK_CUR), ESPIPE);
    OK(close(p[0]));
    OK(close(p[1]));
  }
}

TEST(replaced_number, "another file at the same number is that file, however it came there") {
  enter("replaced_number");
  int inner = OK(open("dir/inner", O_RDWR)), fd = -1;
  struct stat st, want;
  OK(fstat(inner, &want));
  for (int i = 0; i < TIMES; i++) {
    fd = OK(open("file", O_RDONLY));
    OK(dup2(inner, fd));
    OK(fstat(fd, &st));
    EQUAL(st.st_ino, want.st_ino);
    OK(lseek(fd, 3, SEEK_SET));
    EQUAL(lseek(fd, 0, SEEK_CUR), 3);
    OK(close(fd));
    is_closed(fd);
  }
  int terminal = OK(posix_openpt(O_RDWR | O_NOCTTY));
  struct termios term;
  for (int i = 0; i < TIMES; i++) {
    fd = OK(open("file", O_RDONLY));
    FAILS(ioctl(fd, TCGETS, &term), ENOTTY);
    OK(dup2(terminal, fd));
    OK(ioctl(fd, TCGETS, &term));
    OK(syscall(SYS_close_range, fd, fd, 0));
    is_closed(fd);
  }
}

TEST(attributes, "fstat tells every change since the file was opened") {
  enter("attributes");
  struct stat st;
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    OK(fstat(fd, &st));
    EQUAL(st.st_size, 5);
    OK(close(fd));
  }
  int fd = OK(open("file", O_RDONLY));
  OK(fstat(fd, &st));
  EQUAL(st.st_nlink, 2);
  OK(unlink("hard"));
  OK(fstat(fd, &st));
  EQUAL(st.st_nlink, 1);
  IN_CHILD(pid, OK(chmod("file", 0600)));
  join(pid);
  OK(fstat(fd, &st));
  EQUAL(st.st_mode & 07777, 0600);
  int writer = OK(open("file", O_WRONLY | O_APPEND));
  EQUAL(write(writer, "67", 2), 2);
  OK(fstat(fd, &st));
  EQUAL(st.st_size, 7);
  OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
  EQUAL(st.st_size, 7);
  OK(rename("dir/inner", "file"));
  OK(fstat(fd, &st));
  EQUAL(st.st_nlink, 0);
}

TEST(position, "a file is where reading has left it, also at its end") {
  enter("position");
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(lseek(fd, 0, SEEK_CUR), 0);
    EQUAL(read(fd, text, 2), 2);
    EQUAL(lseek(fd, 0, SEEK_CUR), 2);
    EQUAL(read(fd, text, 16), 3);
    EQUAL(lseek(fd, 0, SEEK_CUR), 5);
    EQUAL(read(fd, text, 16), 0);
    EQUAL(read(fd, text, 0), 0);
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    EQUAL(read(fd, text, 16), 5);
    EQUAL(pread(fd, text, 3, 1), 3);
    EQUAL(lseek(fd, 0, SEEK_CUR), 5);
    EQUAL(lseek(fd, -4, SEEK_END), 1);
    struct iovec vector = {text, 2};
    EQUAL(readv(fd, &vector, 1), 2);
    EQUAL(lseek(fd, 0, SEEK_CUR), 3);
    OK(close(fd));
  }
}

TEST(shared_position, "whoever else reads the open file moves it for all") {
  enter("shared_position");
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    int copy = OK(dup(fd));
    EQUAL(read(copy, text, 2), 2);
    EQUAL(lseek(fd, 0, SEEK_CUR), 2);
    OK(close(copy));
    OK(close(fd));
    fd = OK(open("file", O_RDONLY));
    IN_CHILD(pid, EQUAL(read(fd, text, 3), 3));
    join(pid);
    EQUAL(lseek(fd, 0, SEEK_CUR), 3);
    EQUAL(read(fd, text, 16), 2);
    OK(close(fd));
    fd = OK(open("file", O_RDONLY));
    int p[2];
    OK(pipe(p));
    EQUAL(sendfile(p[1], fd, NULL, 4), 4);
    EQUAL(lseek(fd, 0, SEEK_CUR), 4);
    OK(close(p[0]));
    OK(close(p[1]));
    OK(close(fd));
  }
}

TEST(growing, "what was appended behind the end is read") {
  enter("growing");
  char text[16];
  int fd = OK(open("file", O_RDONLY));
  EQUAL(read(fd, text, 16), 5);
  for (int i = 0; i < TIMES; i++) {
    EQUAL(read(fd, text, 16), 0);
    IN_CHILD(pid, {
      int writer = OK(open("file", O_WRONLY | O_APPEND));
      EQUAL(write(writer, "ab", 2), 2);
    });
    join(pid);
    EQUAL(read(fd, text, 16), 2);
  }
  OK(truncate("file", 1));
  EQUAL(read(fd, text, 16), 0);
  EQUAL(lseek(fd, 0, SEEK_CUR), 5 + 2 * TIMES);
}

TEST(bad_reads, "reading at the end looks at nothing, and a directory is not read") {
  enter("bad_reads");
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(read(fd, text, 16), 5);
    EQUAL(read(fd, nowhere, 16), 0);
    FAILS(read(fd, (void *)-4096L, 16), EFAULT);
    OK(close(fd));
    fd = OK(open("dir", O_RDONLY));
    EQUAL(lseek(fd, 0, SEEK_CUR), 0);
    FAILS(read(fd, text, 16), EISDIR);
    OK(close(fd));
  }
}

/* A process that closes what it has opened, says so, and makes no call from then on until it is told to. */
struct silent {
  volatile int fd, goes_on;
};

static struct silent *silent;
static void expect_silence(void) {
  silent = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(silent != MAP_FAILED);
  silent->fd = -1;
}
static void be_silent(int fd) {
  silent->fd = fd;
  while (!silent->goes_on) {}
}
static void until_silent(void) {
  while (silent->fd < 0) usleep(1000);
}

static pid_t closes_silently(const char *path) {
  expect_silence();
  IN_CHILD(pid, {
    for (int i = 0; i < TIMES; i++) OK(close(OK(open(path, O_RDONLY))));
    int fd = OK(open(path, O_RDONLY));
    OK(close(fd));
    be_silent(fd);
  });
  until_silent();
  return pid;
}

static void let_go_on(pid_t pid) {
  silent->goes_on = 1;
  join(pid);
}

TEST(listed, "what a process has closed is not in its /proc/PID/fd, whatever it does") {
  enter("listed");
  pid_t pid = closes_silently("file");
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, silent->fd);
  FAILS(lstat(path, &st), ENOENT);
  snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, silent->fd);
  FAILS(open(path, O_RDONLY), ENOENT);
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *dir = opendir(path);
  CHECK(dir != NULL);
  for (struct dirent *e; (e = readdir(dir)) != NULL;) CHECK(atoi(e->d_name) != silent->fd || e->d_name[0] == '.');
  closedir(dir);
  let_go_on(pid);
}

TEST(not_taken, "what a process has closed cannot be taken from it") {
  enter("not_taken");
  pid_t pid = closes_silently("file");
  int pidfd = OK(syscall(SYS_pidfd_open, pid, 0));
  FAILS(syscall(SYS_pidfd_getfd, pidfd, silent->fd, 0), EBADF);
  let_go_on(pid);
}

TEST(taken, "who takes a descriptor from a process shares its position, whatever that one does") {
  enter("taken");
  expect_silence();
  char text[4];
  IN_CHILD(pid, {
    int fd = -1;
    for (int i = 0; i < TIMES; i++) {
      if (fd >= 0) OK(close(fd));
      fd = OK(open("file", O_RDONLY));
      EQUAL(read(fd, text, 1), 1);
    }
    be_silent(fd);
    EQUAL(read(fd, text, 1), 1);
    EQUAL(text[0], '4');
    EQUAL(lseek(fd, 0, SEEK_CUR), 4);
  });
  until_silent();
  int pidfd = OK(syscall(SYS_pidfd_open, pid, 0));
  int fd = OK(syscall(SYS_pidfd_getfd, pidfd, silent->fd, 0));
  EQUAL(lseek(fd, 0, SEEK_CUR), 1);
  EQUAL(lseek(fd, 3, SEEK_SET), 3);
  let_go_on(pid);
  EQUAL(lseek(fd, 0, SEEK_CUR), 4);
}

TEST(compared, "what a process has closed is like nothing") {
  enter("compared");
  pid_t pid = closes_silently("file");
  FAILS(syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, 0, silent->fd), EBADF);
  let_go_on(pid);
}

TEST(leases, "a lease for writing is given once nobody else has the file open") {
  enter("leases");
  pid_t pid = closes_silently("file");
  int fd = OK(open("file", O_RDWR));
  OK(fcntl(fd, F_SETLEASE, F_WRLCK));
  OK(fcntl(fd, F_SETLEASE, F_UNLCK));
  let_go_on(pid);
}

TEST(locks, "closing any descriptor of a file gives up the process's locks on it at once") {
  enter("locks");
  expect_silence();
  IN_CHILD(pid, {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = OK(open("file", O_RDWR));
    int before = OK(open("file", O_RDONLY));
    OK(fcntl(fd, F_SETLK, &all));
    OK(close(before));
    all.l_type = F_WRLCK;
    OK(fcntl(fd, F_SETLK, &all));
    int after = OK(open("file", O_RDONLY));
    OK(close(after));
    be_silent(fd);
  });
  until_silent();
  struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int fd = OK(open("file", O_RDWR));
  OK(fcntl(fd, F_GETLK, &asked));
  EQUAL(asked.l_type, F_UNLCK);
  let_go_on(pid);
}

TEST(whole_locks, "a lock of an open file goes with its last descriptor") {
  enter("whole_locks");
  expect_silence();
  IN_CHILD(pid, {
    int fd = OK(open("file", O_RDONLY));
    OK(flock(fd, LOCK_EX));
    OK(close(fd));
    fd = OK(open("file", O_RDONLY));
    IN_CHILD(locker, OK(flock(fd, LOCK_EX)));
    join(locker);
    OK(close(fd));
    be_silent(fd);
  });
  until_silent();
  int fd = OK(open("file", O_RDONLY));
  OK(flock(fd, LOCK_EX | LOCK_NB));
  let_go_on(pid);
}

TEST(meanwhile, "who locks files while another process reads and closes some disturbs it at no moment") {
  enter("meanwhile");
  expect_silence();
  IN_CHILD(pid, {
    char text[8];
    int first = silent->fd = OK(open("file", O_RDONLY));
    OK(close(first));
    while (!silent->goes_on) {
      EQUAL(OK(open("file", O_RDONLY)), first);
      EQUAL(read(first, text, 2), 2);
      EQUAL(read(first, text + 2, 6), 3);
      CHECK(memcmp(text, "12345", 5) == 0);
      EQUAL(read(first, text, 8), 0);
      OK(close(first));
      FAILS(close(first), EBADF);
    }
  });
  until_silent();
  int fd = OK(open("dir/inner", O_RDONLY));
  for (double end = monotonic_ms() + 1000; monotonic_ms() < end;) {
    for (int i = 0; i < 100; i++) OK(flock(fd, i % 2 ? LOCK_UN : LOCK_SH));
  }
  let_go_on(pid);
}

static void *close_it(void *fd) {
  return (void *)(intptr_t)close((intptr_t)fd);
}
static void *open_it(void *path) {
  return (void *)(intptr_t)open(path, O_RDONLY);
}
static intptr_t in_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  void *result;
  EQUAL(pthread_create(&thread, NULL, run, argument), 0);
  EQUAL(pthread_join(thread, &result), 0);
  return (intptr_t)result;
}

TEST(threads, "threads share what is open, before and after there are several") {
  enter("threads");
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(in_thread(close_it, (void *)(intptr_t)fd), 0);
    is_closed(fd);
    fd = in_thread(open_it, "file");
    struct stat st;
    OK(fstat(fd, &st));
    EQUAL(st.st_size, 5);
    OK(close(fd));
    is_closed(fd);
    EQUAL(in_thread(open_it, "file"), fd);
    OK(close(fd));
  }
}

static int forked(int fd) {
  IN_CHILD(pid, {
    struct stat st;
    OK(fstat(fd, &st));
    OK(close(fd));
    is_closed(fd);
  });
  return pid;
}

TEST(forks, "a child has what was open at the fork, and closes it for itself") {
  enter("forks");
  struct stat st;
  for (int i = 0; i < TIMES; i++) {
    int closed = OK(open("file", O_RDONLY)), fd = OK(open("file", O_RDONLY));
    OK(close(closed));
    pid_t pid = forked(fd);
    OK(fstat(fd, &st));
    join(pid);
    OK(fstat(fd, &st));
    pid = forked(fd);
    OK(close(fd));
    join(pid);
    is_closed(fd);
  }
}

TEST(programs, "a program has what was open when it was started") {
  enter("programs");
  for (int i = 0; i < 12; i++) OK(dup(0));
  for (int i = 0; i < TIMES; i++) {
    int closed = OK(open("file", O_RDONLY)), kept = OK(open("file", O_RDONLY)), lost = OK(open("file", O_RDONLY | O_CLOEXEC));
    OK(close(closed));
    char script[128];
    snprintf(script, sizeof script, "cd /proc/self/fd && test ! -e %d && test -e %d && test ! -e %d || exit 3", closed, kept, lost);
    IN_CHILD(pid, execl("/bin/sh", "sh", "-c", script, NULL));
    join(pid);
    OK(close(kept));
    OK(close(lost));
  }
}

TEST(full, "opening what is not there is EMFILE when there is no descriptor for it") {
  enter("full");
  for (int i = 0; i < TIMES; i++) FAILS(open("nothing", O_RDONLY), ENOENT);
  struct rlimit limit = {20, 20};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  int last = -1, fd;
  while ((fd = open("file", O_RDONLY)) >= 0) last = fd;
  EQUAL(errno, EMFILE);
  EQUAL(last, 19);
  FAILS(open("nothing", O_RDONLY), EMFILE);
  OK(close(last));
  FAILS(open("nothing", O_RDONLY), ENOENT);
  OK(open("file", O_RDONLY));
  FAILS(open("nothing", O_RDONLY), EMFILE);
}

TEST(lowered, "a limit below what is open leaves no descriptor") {
  enter("lowered");
  for (int i = 0; i < TIMES; i++) FAILS(open("nothing", O_RDONLY), ENOENT);
  struct rlimit limit = {3, 100};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  while (dup(0) >= 0) {}
  FAILS(open("nothing", O_RDONLY), EMFILE);
  limit.rlim_cur = 100;
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  FAILS(open("nothing", O_RDONLY), ENOENT);
}

static struct stat in_handler;
static int handled_fd;
static void read_in_handler(int signal) {
  (void)signal;
  char text[4];
  if (read(handled_fd, text, 2) != 2 || fstat(handled_fd, &in_handler) != 0) in_handler.st_size = -1;
}

TEST(handlers, "a handler that reads the file moves it") {
  enter("handlers");
  OK((intptr_t)signal(SIGUSR1, read_in_handler));
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    handled_fd = OK(open("file", O_RDONLY));
    OK(raise(SIGUSR1));
    EQUAL(in_handler.st_size, 5);
    EQUAL(lseek(handled_fd, 0, SEEK_CUR), 2);
    EQUAL(read(handled_fd, text, 16), 3);
    EQUAL(read(handled_fd, text, 16), 0);
    OK(close(handled_fd));
  }
}

TEST(unmounting, "what a process has closed does not keep a file system mounted") {
  SKIP_UNLESS(geteuid() == 0 && unshare(CLONE_NEWNS) == 0, "needs mounts");
  enter("unmounting");
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  OK(mkdir("place", 0755));
  if (mount("dir", "place", NULL, MS_BIND, NULL) != 0) skip_test("cannot mount");
  pid_t pid = closes_silently("place/inner");
  OK(umount("place"));
  let_go_on(pid);
}

TEST(contents, "reads of any size and place give what is there") {
  static char text[70000];
  struct stat st;
  int fd = OK(open(self, O_RDONLY));
  OK(fstat(fd, &st));
  const char *data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(data != MAP_FAILED && st.st_size > 20000);
  OK(close(fd));
  static const size_t sizes[] = {832, 1, 3263, 64, 100, 4096, 5000, 70000};
  for (int i = 0; i < 2 * TIMES; i++) {
    fd = OK(open(self, O_RDONLY));
    off_t at = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      off_t left = st.st_size - at, want = left < (off_t)sizes[k] ? left : (off_t)sizes[k];
      EQUAL(read(fd, text, sizes[k]), want);
      CHECK(memcmp(text, data + at, want) == 0);
      at += want;
      EQUAL(pread(fd, text, 64, 4064), 64);
      CHECK(memcmp(text, data + 4064, 64) == 0);
      EQUAL(lseek(fd, 0, SEEK_CUR), at);
    }
    EQUAL(pread(fd, text, 10, st.st_size - 4), 4);
    EQUAL(pread(fd, text, 10, st.st_size), 0);
    FAILS(pread(fd, text, 10, INT64_MAX), EINVAL);
    FAILS(pread(fd, text, 10, -1), EINVAL);
    OK(close(fd));
    is_closed(fd);
    FAILS(pread(fd, text, 1, 0), EBADF);
  }
}

TEST(bad_places, "a read that has no place for the data leaves the file where it was") {
  enter("bad_places");
  char text[16];
  for (int i = 0; i < 2 * TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(read(fd, text, 2), 2);
    FAILS(read(fd, nowhere, 3), EFAULT);
    FAILS(read(fd, (void *)-4096L, 3), EFAULT);
    FAILS(pread(fd, nowhere, 3, 0), EFAULT);
    EQUAL(read(fd, text, 0), 0);
    EQUAL(lseek(fd, 0, SEEK_CUR), 2);
    memset(text, 0, sizeof text);
    EQUAL(read(fd, text, 16), 3);
    CHECK(strcmp(text, "345") == 0);
    OK(close(fd));
  }
}

TEST(rewritten, "what somebody has written into the open file is read") {
  enter("rewritten");
  char text[16];
  for (int i = 0; i < TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(read(fd, text, 5), 5);
    OK(close(fd));
  }
  int fd = OK(open("file", O_RDONLY));
  IN_CHILD(pid, {
    int writer = OK(open("file", O_WRONLY));
    EQUAL(pwrite(writer, "abc", 3, 1), 3);
  });
  join(pid);
  memset(text, 0, sizeof text);
  EQUAL(read(fd, text, 16), 5);
  CHECK(strcmp(text, "1abc5") == 0);
  EQUAL(pread(fd, text, 2, 2), 2);
  CHECK(memcmp(text, "bc", 2) == 0);
}

static long reads_so_far(void) {
  const char *text = strstr(read_file("/proc/self/io"), "syscr: ");
  CHECK(text != NULL);
  return atol(text + strlen("syscr: "));
}

TEST(counted, "each read is counted in /proc/self/io") {
  enter("counted");
  char text[16];
  long first = reads_so_far(), second = reads_so_far(), own = second - first;
  for (int i = 0; i < 2 * TIMES; i++) {
    int fd = OK(open("file", O_RDONLY));
    EQUAL(read(fd, text, 16), 5);
    EQUAL(read(fd, text, 16), 0);
    OK(close(fd));
  }
  EQUAL(reads_so_far() - second, own + 4 * TIMES);
}

TEST(written_only, "a file that is open for writing alone is asked what it is, before and after it was written") {
  enter("written_only");
  struct termios term;
  char text[4];
  int fd = OK(open("file", O_WRONLY));
  for (int i = 0; i < 2; i++) {
    FAILS(ioctl(fd, TCGETS, &term), ENOTTY);
    EQUAL(lseek(fd, 0, SEEK_HOLE), 5);
    EQUAL(lseek(fd, -1, SEEK_END), 4);
    OK(fsync(fd));
    FAILS(read(fd, text, 4), EBADF);
    FAILS((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
    EQUAL(pwrite(fd, "x", 1, 0), 1);
  }
}
