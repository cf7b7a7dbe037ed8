// build: -static
/* Propagation of mounts, and the calls that take a mount by descriptor or by number. */
#include "check.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/mount.h>

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif

/* A mount namespace of our own, nothing in it shared with outside, with a tmpfs on "m". */
static void enter(void) {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  if (unshare(CLONE_NEWNS) != 0) skip_test("no new mount namespaces here");
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  OK(mkdir("m", 0755));
  OK(mount("tree", "m", "tmpfs", 0, NULL));
}

static int exists(const char *path) {
  return access(path, F_OK) == 0;
}

/* The optional fields and what is before them of the uppermost mount at "FOLDER/name". */
static char *info(const char *name) {
  static char line[4096];
  char at[PATH_MAX + 64], folder[PATH_MAX];
  CHECK(getcwd(folder, sizeof folder) != NULL);
  snprintf(at, sizeof at, " %s/%s ", folder, name);
  line[0] = '\0';
  for (char *l = strtok(read_file("/proc/self/mountinfo"), "\n"); l != NULL; l = strtok(NULL, "\n"))
    if (strstr(l, at) != NULL) snprintf(line, sizeof line, "%s", strstr(l, at));
  CHECK(line[0] != '\0');
  *strstr(line, " - ") = '\0';
  return line;
}

/* m and peer are copies of each other, and so are the mounts on m/d and peer/d. */
static void enter_with_peer(void) {
  enter();
  OK(mkdir("m/d", 0755));
  OK(mkdir("peer", 0755));
  OK(mount(NULL, "m", NULL, MS_SHARED, NULL));
  OK(mount("m", "peer", NULL, MS_BIND, NULL));
  OK(mount("in", "m/d", "tmpfs", 0, NULL));
}

TEST(detach_copies, "umount with MNT_DETACH takes what is below, and all copies, but no mount of others") {
  enter_with_peer();
  OK(mkdir("m/d/deep", 0755));
  OK(mkdir("m/d/own", 0755));
  OK(mount("below", "m/d/deep", "tmpfs", 0, NULL));
  write_file("m/d/deep/file", "");
  CHECK(exists("peer/d/deep/file"));
  OK(umount2("m/d", MNT_DETACH));
  CHECK(!exists("m/d/deep") && !exists("peer/d/deep"));

  OK(mount("in", "m/d", "tmpfs", 0, NULL));
  OK(mkdir("m/d/own", 0755));
  OK(mount(NULL, "peer/d", NULL, MS_PRIVATE, NULL));
  OK(mount("others", "peer/d/own", "tmpfs", 0, NULL));
  write_file("peer/d/own/file", "");
  OK(umount2("m/d", MNT_DETACH));
  CHECK(!exists("m/d/own") && exists("peer/d/own/file"));
}

TEST(detach_own_copies, "a stack of mounts that are copies of each other can be taken away") {
  enter();
  OK(mount(NULL, "m", NULL, MS_SHARED, NULL));
  write_file("m/file", "");
  for (int i = 0; i < 4; i++) OK(mount("m", "m", NULL, MS_BIND, NULL));
  CHECK(exists("m/file"));
  int layers = 0;
  while (umount2("m", MNT_DETACH) == 0) layers++;
  EQUAL(errno, EINVAL);
  CHECK(layers > 0 && !exists("m/file"));
}

TEST(umount_beneath, "what lies on a copy's root stays when the copy goes") {
  enter_with_peer();
  OK(mount(NULL, "peer/d", NULL, MS_PRIVATE, NULL));
  OK(mount("top", "peer/d", "tmpfs", 0, NULL));
  write_file("peer/d/file", "");
  OK(umount("m/d"));
  CHECK(exists("peer/d/file"));
  OK(umount("peer/d"));
  FAILS(umount("peer/d"), EINVAL);
}

TEST(shared, "what is mounted below a shared mount appears in its peers and slaves") {
  enter();
  OK(mkdir("m/d", 0755));
  OK(mkdir("m/e", 0755));
  OK(mkdir("peer", 0755));
  OK(mkdir("slave", 0755));
  OK(mount(NULL, "m", NULL, MS_SHARED, NULL));
  OK(mount("m", "peer", NULL, MS_BIND, NULL));
  OK(mount("m", "slave", NULL, MS_BIND, NULL));
  OK(mount(NULL, "slave", NULL, MS_SLAVE, NULL));
  CHECK(strstr(info("m"), "shared:") && strstr(info("peer"), "shared:"));
  CHECK(strstr(info("slave"), "master:") && !strstr(info("slave"), "shared:"));
  OK(mount("in", "m/d", "tmpfs", 0, NULL));
  write_file("m/d/file", "");
  CHECK(exists("peer/d/file") && exists("slave/d/file"));
  OK(mount("in", "slave/e", "tmpfs", 0, NULL));
  write_file("slave/e/file", "");
  CHECK(!exists("m/e/file"));
  OK(umount("peer/d"));
  CHECK(!exists("m/d/file") && !exists("slave/d/file"));
  CHECK(exists("slave/e/file"));
}

TEST(across, "a shared mount goes on to be seen in another namespace, a private one does not") {
  enter();
  OK(mkdir("m/s", 0755));
  OK(mkdir("m/s/d", 0755));
  OK(mkdir("m/p", 0755));
  OK(mount("m/s", "m/s", NULL, MS_BIND, NULL));
  OK(mount(NULL, "m/s", NULL, MS_SHARED, NULL));
  int up[2], down[2];
  char byte = 0;
  OK(pipe(up));
  OK(pipe(down));
  IN_CHILD(pid, {
    OK(unshare(CLONE_NEWNS));
    EQUAL(write(up[1], &byte, 1), 1);
    EQUAL(read(down[0], &byte, 1), 1);
    CHECK(exists("m/s/d/file"));
    CHECK(!exists("m/p/file"));
  });
  EQUAL(read(up[0], &byte, 1), 1);
  OK(mount("in", "m/s/d", "tmpfs", 0, NULL));
  write_file("m/s/d/file", "");
  OK(mount("in", "m/p", "tmpfs", 0, NULL));
  write_file("m/p/file", "");
  EQUAL(write(down[1], &byte, 1), 1);
  join(pid);
}

TEST(unbindable, "an unbindable mount is not bound") {
  enter();
  OK(mkdir("b", 0755));
  OK(mount(NULL, "m", NULL, MS_UNBINDABLE, NULL));
  FAILS(mount("m", "b", NULL, MS_BIND, NULL), EINVAL);
  CHECK(strstr(info("m"), "unbindable"));
}

TEST(new_tree, "a file system is opened, configured, and mounted by descriptor") {
  enter();
  OK(mkdir("at", 0755));
  int fs = OK((int)syscall(SYS_fsopen, "tmpfs", 1));
  EQUAL(fcntl(fs, F_GETFD), FD_CLOEXEC);
  FAILS(syscall(SYS_fsopen, "nosuchfs", 0), ENODEV);
  FAILS(syscall(SYS_fsopen, "tmpfs", 2), EINVAL);
  FAILS(syscall(SYS_fsmount, fs, 0, 0), EINVAL); /* Nothing is made yet. */
  OK(syscall(SYS_fsconfig, fs, 1, "source", "from", 0));
  OK(syscall(SYS_fsconfig, fs, 1, "size", "64k", 0));
  OK(syscall(SYS_fsconfig, fs, 1, "mode", "0711", 0));
  FAILS(syscall(SYS_fsconfig, fs, 1, NULL, "x", 0), EINVAL);
  FAILS(syscall(SYS_fsconfig, fs, 2, "size", "64k", 4), EINVAL); /* Binary. */
  FAILS(syscall(SYS_fsconfig, fs, 99, NULL, NULL, 0), EOPNOTSUPP);
  OK(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0));
  FAILS(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), EBUSY);
  int tree = OK((int)syscall(SYS_fsmount, fs, 0, 2 | 8)); /* nosuid, noexec */
  int inside = OK(openat(tree, "early", O_WRONLY | O_CREAT, 0600));
  close(inside);
  OK(syscall(SYS_move_mount, tree, "", AT_FDCWD, "at", 4));
  CHECK(exists("at/early"));
  CHECK(strstr(info("at"), "nosuid") && strstr(info("at"), "noexec"));
  struct stat st;
  OK(stat("at", &st));
  EQUAL(st.st_mode & 0777, 0711);
  close(tree);
  CHECK(exists("at/early"));
  OK(umount("at"));
}

TEST(copy_tree, "open_tree copies what is mounted; unused, the copy goes with its descriptor") {
  enter();
  OK(mkdir("m/in", 0755));
  OK(mkdir("to", 0755));
  OK(mount("in", "m/in", "tmpfs", 0, NULL));
  write_file("m/in/file", "");
  FAILS(syscall(SYS_open_tree, AT_FDCWD, "m", AT_RECURSIVE), EINVAL);
  int place = OK((int)syscall(SYS_open_tree, AT_FDCWD, "m", O_CLOEXEC));
  FAILS(read(place, &place, 1), EBADF);
  close(place);
  int flat = OK((int)syscall(SYS_open_tree, AT_FDCWD, "m", 1));
  FAILS(faccessat(flat, "in/file", F_OK, 0), ENOENT);
  close(flat);
  int deep = OK((int)syscall(SYS_open_tree, AT_FDCWD, "m", 1 | AT_RECURSIVE));
  OK(faccessat(deep, "in/file", F_OK, 0));
  FAILS(syscall(SYS_move_mount, deep, "", AT_FDCWD, "nowhere", 4), ENOENT);
  OK(syscall(SYS_move_mount, deep, "", AT_FDCWD, "to", 4));
  CHECK(exists("to/in/file"));
  close(deep);
  CHECK(exists("to/in/file"));
  OK(umount("m/in"));
  CHECK(exists("to/in/file"));
}

TEST(beneath, "MOVE_MOUNT_BENEATH puts a mount under the one that is there") {
  enter();
  OK(mkdir("over", 0755));
  OK(mount("over", "over", "tmpfs", 0, NULL));
  write_file("over/upper", "");
  write_file("m/lower", "");
  int tree = OK((int)syscall(SYS_open_tree, AT_FDCWD, "m", 1));
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "over", 4 | MOVE_MOUNT_BENEATH) != 0) {
    EQUAL(errno, EINVAL);
    skip_test("the kernel is older than 6.5");
  }
  CHECK(exists("over/upper") && !exists("over/lower"));
  OK(umount("over"));
  CHECK(exists("over/lower"));
}

struct attributes {
  uint64_t set, clear, propagation, userns;
};
#define SETATTR(path, flags, ...) \
  syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &(struct attributes){__VA_ARGS__}, sizeof(struct attributes))

TEST(attributes, "mount_setattr changes flags and propagation, of one mount or all below") {
  enter();
  OK(mkdir("m/in", 0755));
  OK(mount("in", "m/in", "tmpfs", 0, NULL));
  OK(SETATTR("m", 0, .set = 1));
  FAILS(open("m/file", O_WRONLY | O_CREAT, 0600), EROFS);
  write_file("m/in/file", "");
  OK(SETATTR("m", AT_RECURSIVE, .set = 1));
  FAILS(open("m/in/file", O_WRONLY), EROFS);
  OK(SETATTR("m", AT_RECURSIVE, .clear = 1, .set = 4, .propagation = MS_SHARED));
  write_file("m/in/file", "");
  CHECK(strstr(info("m/in"), "nodev") && strstr(info("m/in"), "shared:"));
  FAILS(SETATTR("m", 0, .set = 0x10), EINVAL); /* An access time is chosen by clearing all of it. */
  OK(SETATTR("m", 0, .set = 0x10, .clear = 0x70));
  CHECK(strstr(info("m"), "noatime"));
  FAILS(SETATTR("m", 0, .propagation = MS_SHARED | MS_PRIVATE), EINVAL);
  FAILS(SETATTR("m", 0, .set = 1ull << 40), EINVAL);
  FAILS(SETATTR("m/in/file", 0, .set = 1), EINVAL);
  FAILS(SETATTR("m", 1, .set = 1), EINVAL);
}

TEST(read_only_busy, "a mount becomes read-only when no file on it is open for writing, with others or not at all") {
  enter();
  OK(mkdir("m/d", 0755));
  OK(mount("in", "m/d", "tmpfs", 0, NULL));
  int writer = OK(open("m/d/file", O_CREAT | O_RDWR, 0600));
  OK(ftruncate(writer, 4096));
  FAILS(mount(NULL, "m/d", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  FAILS(mount(NULL, "m/d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
  FAILS(SETATTR("m/d", 0, .set = 1), EBUSY);
  FAILS(SETATTR("m", AT_RECURSIVE, .set = 1), EBUSY);
  write_file("m/other", "");
  char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, writer, 0);
  CHECK(at != MAP_FAILED);
  OK(close(writer));
  FAILS(mount(NULL, "m/d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY); /* It is mapped. */
  OK(munmap(at, 4096));
  OK(open("m/d/file", O_RDONLY));
  OK(SETATTR("m", AT_RECURSIVE, .set = 1));
  FAILS(open("m/d/file", O_WRONLY), EROFS);
  FAILS(open("m/other", O_WRONLY), EROFS);
}

struct request {
  uint32_t size, spare;
  uint64_t id, param;
};

static uint64_t unique_id(const char *path) {
  struct statx sx;
  OK(statx(AT_FDCWD, path, 0, 0x4000, &sx)); /* STATX_MNT_ID_UNIQUE */
  if ((sx.stx_mask & 0x4000) == 0) skip_test("the kernel is older than 6.8");
  return *(uint64_t *)((char *)&sx + 144);
}

TEST(by_number, "listmount and statmount tell of mounts by number") {
  enter();
  OK(mkdir("m/in", 0755));
  OK(mount("source", "m/in", "tmpfs", MS_NOEXEC, NULL));
  uint64_t outer = unique_id("m"), inner = unique_id("m/in"), list[4] = {0};
  struct request list_it = {24, 0, outer, 0};
  long n = syscall(458, &list_it, list, 4, 0);
  SKIP_UNLESS(n >= 0 || errno != ENOSYS, "the kernel is older than 6.8");
  EQUAL(n, 1);
  EQUAL(list[0], inner);
  char buffer[2048];
  uint32_t *words = (uint32_t *)buffer;
  uint64_t *longs = (uint64_t *)buffer;
  struct request tell = {24, 0, inner, 2 | 8 | 16 | 32};
  OK(syscall(457, &tell, buffer, sizeof buffer, 0));
  EQUAL(longs[1], 2 | 8 | 16 | 32);
  EQUAL(longs[5], inner);
  EQUAL(longs[6], outer);
  EQUAL(longs[8] & 8, 8);
  CHECK(strcmp(buffer + 512 + words[9], "tmpfs") == 0);
  CHECK(strcmp(buffer + 512 + words[26], "/") == 0);
  CHECK(strstr(buffer + 512 + words[27], "/m/in") != NULL);
  FAILS(syscall(457, &tell, buffer, 513, 0), EOVERFLOW);
  tell.id = inner + (1ull << 40);
  FAILS(syscall(457, &tell, buffer, sizeof buffer, 0), ENOENT);
  tell.id = 1;
  FAILS(syscall(457, &tell, buffer, sizeof buffer, 0), EINVAL);
  FAILS(syscall(458, &list_it, list, 4, 8), EINVAL);
}

TEST(enter_again, "setns enters the namespaces of another process, by file or by pidfd") {
  enter();
  int up[2], down[2];
  char byte = 0;
  OK(pipe(up));
  OK(pipe(down));
  IN_CHILD(pid, {
    OK(unshare(CLONE_NEWNS | CLONE_NEWUTS));
    OK(mount("in", "m", "tmpfs", 0, NULL));
    write_file("m/file", "");
    OK(sethostname("other", 5));
    EQUAL(write(up[1], &byte, 1), 1);
    EQUAL(read(down[0], &byte, 1), 1);
  });
  EQUAL(read(up[0], &byte, 1), 1);
  CHECK(!exists("m/file"));
  char here[4096], file[8192], path[64];
  CHECK(getcwd(here, sizeof here) != NULL);
  snprintf(file, sizeof file, "%s/m/file", here);
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
  int mine = OK(open("/proc/self/ns/mnt", O_RDONLY)), other = OK(open(path, O_RDONLY));
  int process = OK(syscall(SYS_pidfd_open, pid, 0)), plain = OK(open(".", O_RDONLY));
  FAILS(setns(-1, 0), EBADF);
  FAILS(setns(plain, 0), EINVAL);
  FAILS(setns(other, CLONE_NEWUTS), EINVAL);
  FAILS(setns(process, 0), EINVAL);
  FAILS(setns(process, CLONE_NEWNS | CLONE_VM), EINVAL);
  OK(setns(other, CLONE_NEWNS));
  CHECK(exists(file));
  CHECK(getcwd(here, sizeof here) != NULL && strcmp(here, "/") == 0);
  OK(setns(mine, 0));
  CHECK(!exists(file));
  OK(setns(process, CLONE_NEWNS | CLONE_NEWUTS));
  CHECK(exists(file));
  char name[65];
  OK(gethostname(name, sizeof name));
  CHECK(strcmp(name, "other") == 0);
  EQUAL(write(down[1], &byte, 1), 1);
  join(pid);
  CHECK(exists(file)); /* The namespace lives on with whoever is in it, or has it open. */
  FAILS(setns(process, CLONE_NEWNS), ESRCH);
  OK(setns(mine, CLONE_NEWNS));
  OK(setns(other, CLONE_NEWNS));
  CHECK(exists(file));
  int user = OK(open("/proc/self/ns/user", O_RDONLY)), pids = OK(open("/proc/self/ns/pid", O_RDONLY));
  FAILS(setns(user, 0), EINVAL);
  OK(setns(pids, CLONE_NEWPID));
  IN_CHILD(ordinary, {
    OK(setresuid(1000, 1000, 1000));
    FAILS(setns(other, CLONE_NEWNS), EPERM);
    FAILS(setns(user, 0), EINVAL);
  });
  join(ordinary);
}
