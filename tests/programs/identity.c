// credentials(7) and capabilities(7), as root.
#define AGAIN
#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#define CAP(name) (1u << (name))

static struct __user_cap_data_struct caps[2];

static void get_caps(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  OK(syscall(SYS_capget, &header, caps));
}

static void again(int argc, char **argv) {
  (void)argc;
  if (strcmp(argv[1], "again-ids") == 0) {
    printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    exit(0);
  }
  if (strcmp(argv[1], "again-caps") == 0) {
    get_caps();
    printf("%x\n", caps[0].effective);
    exit(0);
  }
  exit(99);
}

static int set_caps(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, caps);
}

#define NEEDS_ROOT SKIP_UNLESS(geteuid() == 0, "not root")

TEST(three_ids, "setresuid and setresgid set each id, and an ordinary user only swaps") {
  NEEDS_ROOT;
  OK(setresgid(10, 20, 30));
  OK(setresuid(1, 2, 3));
  uid_t r, e, s;
  OK(getresuid(&r, &e, &s));
  EQUAL(r * 100 + e * 10 + s, 123);
  OK(getresgid(&r, &e, &s));
  EQUAL(r * 10000 + e * 100 + s, 102030);
  FAILS(setresuid(-1, 5, -1), EPERM);
  OK(setresuid(2, 3, 1));
  OK(setuid(1)); /* The saved one: only the effective changes. */
  OK(getresuid(&r, &e, &s));
  EQUAL(r * 100 + e * 10 + s, 211);
  FAILS(setuid(0), EPERM);
  FAILS(setgroups(0, NULL), EPERM);
}

TEST(setuid_all, "setuid by root sets all three ids for good") {
  NEEDS_ROOT;
  OK(setuid(1000));
  uid_t r, e, s;
  OK(getresuid(&r, &e, &s));
  CHECK(r == 1000 && e == 1000 && s == 1000);
  FAILS(seteuid(0), EPERM);
}

TEST(groups, "supplementary groups open files") {
  NEEDS_ROOT;
  write_file("file", "for the group");
  OK(chown("file", 0, 555));
  OK(chmod("file", 0640));
  gid_t list[3] = {1, 555, 7}, got[5];
  OK(setgroups(3, list));
  EQUAL(getgroups(0, NULL), 3);
  EQUAL(getgroups(5, got), 3);
  FAILS(getgroups(2, got), EINVAL);
  OK(setresuid(1000, 1000, 1000));
  OK(open("file", O_RDONLY));
  FAILS(open("file", O_WRONLY), EACCES);
}

TEST(groups_gone, "without the group the file stays closed") {
  NEEDS_ROOT;
  write_file("file", "for the group");
  OK(chown("file", 0, 555));
  OK(chmod("file", 0640));
  OK(setgroups(0, NULL));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));
  FAILS(open("file", O_RDONLY), EACCES);
}

TEST(fsuid, "setfsuid changes who opens files") {
  NEEDS_ROOT;
  write_file("file", "root's");
  OK(chmod("file", 0600));
  EQUAL(setfsuid(1000), 0);
  EQUAL(setfsuid(-1), 1000);
  FAILS(open("file", O_RDONLY), EACCES);
  EQUAL(setfsuid(0), 1000);
  OK(open("file", O_RDONLY));
}

TEST(lose_caps, "root's capabilities end when all ids leave 0, and come back with the effective id") {
  NEEDS_ROOT;
  get_caps();
  CHECK(caps[0].effective & CAP(CAP_CHOWN));
  OK(seteuid(1000));
  get_caps();
  EQUAL(caps[0].effective, 0);
  CHECK(caps[0].permitted & CAP(CAP_CHOWN));
  OK(seteuid(0));
  get_caps();
  CHECK(caps[0].effective & CAP(CAP_CHOWN));
  OK(setresuid(1000, 1000, 1000));
  get_caps();
  EQUAL(caps[0].permitted, 0);
}

TEST(keep_caps, "PR_SET_KEEPCAPS keeps the permitted ones over setuid") {
  NEEDS_ROOT;
  OK(prctl(PR_SET_KEEPCAPS, 1));
  OK(setresuid(1000, 1000, 1000));
  get_caps();
  EQUAL(caps[0].effective, 0);
  CHECK(caps[0].permitted & CAP(CAP_CHOWN));
  caps[0].effective = CAP(CAP_CHOWN);
  OK(set_caps());
  write_file("file", "");
  OK(chown("file", 5, 5));
}

TEST(drop, "a dropped capability cannot be used or raised again") {
  NEEDS_ROOT;
  write_file("file", "");
  OK(chmod("file", 0));
  OK(open("file", O_RDONLY));
  get_caps();
  uint32_t lost = CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_CHOWN);
  caps[0].effective &= ~lost;
  OK(set_caps());
  FAILS(open("file", O_RDONLY), EACCES);
  caps[0].effective |= lost;
  OK(set_caps()); /* Still permitted. */
  caps[0].effective &= ~lost;
  caps[0].permitted &= ~lost;
  OK(set_caps());
  FAILS(chown("file", 5, 5), EPERM);
  caps[0].permitted |= lost;
  FAILS(set_caps(), EPERM);
}

TEST(bounding, "a capability outside the bounding set is not gained by exec") {
  NEEDS_ROOT;
  EQUAL(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
  OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
  EQUAL(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
  FAILS(prctl(PR_CAPBSET_READ, 200), EINVAL);
  write_file("file", "");
  IN_CHILD(pid, {
    close(2);
    execl("/bin/chown", "chown", "5", "file", NULL);
    fail("exec: errno %d", errno);
  });
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(WEXITSTATUS(status), 1);
}

TEST(bad_headers, "capget and capset check their header") {
  struct __user_cap_header_struct header = {0x1234, 0};
  FAILS(syscall(SYS_capget, &header, caps), EINVAL);
  EQUAL(header.version, _LINUX_CAPABILITY_VERSION_3);
  header.pid = 999999;
  FAILS(syscall(SYS_capget, &header, caps), ESRCH);
  FAILS(syscall(SYS_capget, nowhere, caps), EFAULT);
}

static void copy_self(void) {
  int from = OK(open(self, O_RDONLY)), to = OK(open("copy", O_WRONLY | O_CREAT, 0700));
  static char block[1 << 16];
  ssize_t n;
  while ((n = read(from, block, sizeof block)) > 0) EQUAL(write(to, block, n), n);
  close(to);
  close(from);
}

/* Copies this program to ./copy with a mode, and runs it as user and group 1000. */
static char *ids_of_copy(mode_t mode, uid_t owner, gid_t group, int no_new_privs) {
  copy_self();
  OK(chown("copy", owner, group));
  OK(chmod("copy", mode));
  IN_CHILD(pid, {
    dup2(OK(open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666)), 1);
    OK(setgroups(0, NULL));
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
    if (no_new_privs) OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    execl("./copy", "copy", "again-ids", NULL);
    fail("exec: errno %d", errno);
  });
  join(pid);
  return read_file("out");
}

TEST(setuid_program, "a setuid program runs with its owner's effective id") {
  NEEDS_ROOT;
  CHECK(strcmp(ids_of_copy(04755, 0, 0, 0), "1000 0 1000 1000\n") == 0);
}

TEST(setgid_program, "a setgid program runs with its group's effective id") {
  NEEDS_ROOT;
  CHECK(strcmp(ids_of_copy(02755, 7, 8, 0), "1000 1000 1000 8\n") == 0);
}

TEST(no_new_privs, "with no_new_privs a setuid program gains nothing") {
  NEEDS_ROOT;
  CHECK(strcmp(ids_of_copy(04755, 0, 0, 1), "1000 1000 1000 1000\n") == 0);
}

/* Gives `file` CAP_CHOWN and CAP_KILL, permitted and effective; for the user namespace of `root`. */
static int set_file_caps(const char *file, uid_t root) {
  struct vfs_ns_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .rootid = root};
  if (root != 0) data.magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = CAP(CAP_CHOWN) | CAP(CAP_KILL);
  return setxattr(file, "security.capability", &data, root != 0 ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2, 0);
}

/* What ./copy says of its capabilities when user 1000 runs it, or the errno of execve. */
static char *caps_of_copy(void) {
  IN_CHILD(pid, {
    dup2(OK(open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666)), 1);
    OK(setresuid(1000, 1000, 1000));
    execl("./copy", "copy", "again-caps", NULL);
    printf("errno %d\n", errno);
    fflush(stdout);
  });
  join(pid);
  return read_file("out");
}

TEST(file_caps, "a program has its file's capabilities, and does not run without one that it counts on") {
  NEEDS_ROOT;
  copy_self();
  OK(chmod("copy", 0755));
  OK(chmod(".", 0755));
  OK(set_file_caps("copy", 0));
  CHECK(strcmp(caps_of_copy(), "21\n") == 0);
  OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
  CHECK(strcmp(caps_of_copy(), "errno 1\n") == 0);
}

TEST(foreign_file_caps, "capabilities for another user namespace give none") {
  NEEDS_ROOT;
  copy_self();
  OK(chmod("copy", 0755));
  OK(chmod(".", 0755));
  OK(set_file_caps("copy", 1000));
  CHECK(strcmp(caps_of_copy(), "0\n") == 0);
}

static int has_file_caps(const char *file) {
  char data[XATTR_CAPS_SZ_3];
  return getxattr(file, "security.capability", data, sizeof data) > 0;
}

TEST(file_caps_go, "who changes a file's owner or content takes its capabilities, root too") {
  NEEDS_ROOT;
  write_file("file", "content");
  int fd = OK(open("file", O_RDWR));
  OK(set_file_caps("file", 0));
  OK(chmod("file", 0755));
  CHECK(has_file_caps("file"));
  OK(chown("file", 0, 0));
  CHECK(!has_file_caps("file"));
  OK(set_file_caps("file", 0));
  EQUAL(write(fd, "", 0), 0);
  CHECK(has_file_caps("file"));
  EQUAL(write(fd, "x", 1), 1);
  CHECK(!has_file_caps("file"));
  OK(set_file_caps("file", 0));
  OK(ftruncate(fd, 3));
  CHECK(!has_file_caps("file"));
  OK(set_file_caps("file", 0));
  OK(truncate("file", 2));
  CHECK(!has_file_caps("file"));
  OK(set_file_caps("file", 0));
  close(OK(open("file", O_WRONLY | O_TRUNC)));
  CHECK(!has_file_caps("file"));
  OK(set_file_caps("file", 0));
  close(OK(open("file", O_WRONLY)));
  CHECK(has_file_caps("file"));
}

TEST(signal_rights, "an ordinary user cannot signal another's process, root can") {
  NEEDS_ROOT;
  IN_CHILD(target, {
    OK(setresuid(1001, 1001, 1001));
    for (;;) pause();
  });
  until_asleep(target);
  IN_CHILD(pid, {
    OK(setresuid(1000, 1000, 1000));
    FAILS(kill(target, SIGTERM), EPERM);
    FAILS(kill(target, 0), EPERM);
  });
  join(pid);
  OK(kill(target, SIGKILL));
}

TEST(priorities, "nice goes up for all, down for root alone") {
  NEEDS_ROOT;
  OK(setpriority(PRIO_PROCESS, 0, 0));
  EQUAL(nice(5), 5);
  EQUAL(getpriority(PRIO_PROCESS, 0), 5);
  OK(setpriority(PRIO_PROCESS, 0, 0));
  OK(setresuid(1000, 1000, 1000));
  EQUAL(nice(3), 3);
  FAILS(setpriority(PRIO_PROCESS, 0, 1), EACCES);
  FAILS(setpriority(9, 0, 1), EINVAL);
}

TEST(priority_of_others, "who sets another's priority needs its effective id to be the other's") {
  NEEDS_ROOT;
  pid_t pid = OK(fork());
  if (pid == 0) for (;;) pause();
  OK(setresuid(0, 1000, 0));
  FAILS(setpriority(PRIO_PROCESS, pid, 10), EPERM);
  OK(setresuid(0, 0, 0));
  OK(setpriority(PRIO_PROCESS, pid, 10));
  OK(kill(pid, SIGKILL));
  OK(waitpid(pid, NULL, 0));
}

TEST(limits, "a soft limit moves below the hard one, and only root raises that") {
  NEEDS_ROOT;
  struct rlimit limit = {50, 100};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  EQUAL(sysconf(_SC_OPEN_MAX), 50);
  limit.rlim_cur = 101;
  FAILS(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
  OK(setresuid(1000, 1000, 1000));
  limit = (struct rlimit){100, 200};
  FAILS(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
  limit = (struct rlimit){80, 90};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  FAILS(getrlimit(99, &limit), EINVAL);
}

TEST(process_limit, "RLIMIT_NPROC ends forks of an ordinary user with EAGAIN") {
  NEEDS_ROOT;
  OK(setresuid(45678, 45678, 45678));
  OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){5, 5}));
  int born = 0;
  pid_t pid;
  while (born < 20 && (pid = fork()) > 0) born++;
  if (born < 20 && pid == 0) {
    for (;;) pause();
  }
  EQUAL(pid, -1);
  EQUAL(errno, EAGAIN);
  EQUAL(born, 4);
}

TEST(cpu_limit, "RLIMIT_CPU sends SIGXCPU and then kills") {
  pid_t pid = OK(fork());
  if (pid == 0) {
    OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
    OK(setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2}));
    for (;;) {}
  }
  int status;
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}
