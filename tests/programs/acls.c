// build: -static
/* POSIX access control lists: acl(5), as the extended attributes that they are. */
#include "check.h"
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NONE ACL_UNDEFINED_ID
#define USER 1000
#define GROUP 2000
#define MAX_ENTRIES 10

/* The value of such an attribute. */
struct acl {
  uint32_t version;
  struct posix_acl_xattr_entry entries[MAX_ENTRIES];
};

#define ENTRY(tag, perm, id) {tag, perm, (uint32_t)(id)}
#define SIZE(count) (4 + 8 * (count))
#define ACL(...)                                            \
  (struct acl) {                                            \
    POSIX_ACL_XATTR_VERSION, { __VA_ARGS__ }                \
  }

/* u::rw-,u:1000:rw-,g::r--,g:2000:-wx,m::rwx,o::--- */
static const struct acl extended = {
    POSIX_ACL_XATTR_VERSION,
    {ENTRY(ACL_USER_OBJ, 6, NONE), ENTRY(ACL_USER, 6, USER), ENTRY(ACL_GROUP_OBJ, 4, NONE),
     ENTRY(ACL_GROUP, 3, GROUP), ENTRY(ACL_MASK, 7, NONE), ENTRY(ACL_OTHER, 0, NONE)}};
#define EXTENDED_SIZE SIZE(6)

/* Sets the list of a path; 0 or -1. */
static int set(const char *path, const char *name, struct acl acl, int count) {
  return setxattr(path, name, &acl, SIZE(count), 0);
}

/* The list of a path, and how many entries it has. */
static struct acl got;
static int get(const char *path, const char *name) {
  memset(&got, 0, sizeof got);
  ssize_t n = OK(getxattr(path, name, &got, sizeof got));
  EQUAL(got.version, POSIX_ACL_XATTR_VERSION);
  EQUAL((n - 4) % 8, 0);
  return (n - 4) / 8;
}

static void expect(int index, int tag, int perm, uint32_t id) {
  EQUAL(got.entries[index].e_tag, tag);
  EQUAL(got.entries[index].e_perm, perm);
  EQUAL(got.entries[index].e_id, id);
}

static int mode_of(const char *path) {
  struct stat st;
  OK(lstat(path, &st));
  return st.st_mode & 07777;
}

/* A file with the extended list; skips the test where there are no lists. */
static void make_extended(const char *path) {
  close(OK(open(path, O_CREAT | O_RDWR, 0600)));
  if (set(path, ACCESS, extended, 6) != 0 && errno == EOPNOTSUPP) {
    skip_test("the file system here has no access control lists");
  }
  EQUAL(get(path, ACCESS), 6);
}

/* Runs the statements in a child with these ids and one supplementary group. */
#define AS(uid, gid, other, ...)            \
  do {                                      \
    IN_CHILD(pid_, {                        \
      gid_t group_ = (other);               \
      OK(setgroups(1, &group_));        \
      OK(setresgid(gid, gid, gid));         \
      OK(setresuid(uid, uid, uid));         \
      __VA_ARGS__;                          \
    });                                     \
    join(pid_);                             \
  } while (0)

/* What access(2), with the effective ids, says to all seven wishes: a bit for each granted. */
static int granted(const char *path) {
  int bits = 0;
  for (int want = 1; want <= 7; want++) {
    if (faccessat(AT_FDCWD, path, want, AT_EACCESS) == 0) bits |= 1 << want;
  }
  return bits;
}
/* The bits of all wishes that lie within `perm`. */
static int within(int perm) {
  int bits = 0;
  for (int want = 1; want <= 7; want++) {
    if ((want & ~perm) == 0) bits |= 1 << want;
  }
  return bits;
}

TEST(value, "a list is read as it was set, ids of nobody in particular undefined") {
  make_extended("f");
  struct acl odd = extended;
  odd.entries[0].e_id = 5;
  odd.entries[5].e_id = 6;
  OK(set("f", ACCESS, odd, 6));
  EQUAL(get("f", ACCESS), 6);
  CHECK(memcmp(&got, &extended, EXTENDED_SIZE) == 0);
  EQUAL(getxattr("f", ACCESS, NULL, 0), EXTENDED_SIZE);
  FAILS(getxattr("f", ACCESS, &odd, EXTENDED_SIZE - 1), ERANGE);
  FAILS(getxattr("f", DEFAULT, &odd, sizeof odd), ENODATA);
  int fd = OK(open("f", O_RDONLY));
  EQUAL(fgetxattr(fd, ACCESS, &odd, sizeof odd), EXTENDED_SIZE);
  OK(fremovexattr(fd, ACCESS));
  FAILS(fgetxattr(fd, ACCESS, &odd, sizeof odd), ENODATA);
}

TEST(mode, "the mode's group bits are the mask, and the other bits the list's") {
  make_extended("f");
  EQUAL(mode_of("f"), 0670);
  struct acl narrow = extended;
  narrow.entries[4].e_perm = 2;
  narrow.entries[5].e_perm = 5;
  OK(set("f", ACCESS, narrow, 6));
  EQUAL(mode_of("f"), 0625);
  OK(removexattr("f", ACCESS));
  EQUAL(mode_of("f"), 0625);
  FAILS(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(minimal, "a list that says no more than a mode becomes the mode") {
  make_extended("f");
  struct acl three = ACL(ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_GROUP_OBJ, 5, NONE),
                         ENTRY(ACL_OTHER, 1, NONE));
  OK(set("f", ACCESS, three, 3));
  EQUAL(mode_of("f"), 0751);
  FAILS(getxattr("f", ACCESS, NULL, 0), ENODATA);
  EQUAL(listxattr("f", NULL, 0), 0);
  struct acl masked = ACL(ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_GROUP_OBJ, 5, NONE),
                          ENTRY(ACL_MASK, 3, NONE), ENTRY(ACL_OTHER, 1, NONE));
  OK(set("f", ACCESS, masked, 4));
  EQUAL(mode_of("f"), 0731);
  EQUAL(get("f", ACCESS), 4);
  OK(setxattr("f", ACCESS, "", 0, 0)); /* An empty value takes the list away, as does one without entries. */
  FAILS(getxattr("f", ACCESS, NULL, 0), ENODATA);
  OK(set("f", ACCESS, masked, 4));
  OK(set("f", ACCESS, masked, 0));
  FAILS(getxattr("f", ACCESS, NULL, 0), ENODATA);
  EQUAL(mode_of("f"), 0731);
}

TEST(chmod_follows, "chmod changes the owner's, the mask's and the others' entries") {
  make_extended("f");
  OK(chmod("f", 0715));
  EQUAL(get("f", ACCESS), 6);
  expect(0, ACL_USER_OBJ, 7, NONE);
  expect(1, ACL_USER, 6, USER);
  expect(2, ACL_GROUP_OBJ, 4, NONE);
  expect(3, ACL_GROUP, 3, GROUP);
  expect(4, ACL_MASK, 1, NONE);
  expect(5, ACL_OTHER, 5, NONE);
  EQUAL(mode_of("f"), 0715);
  OK(chown("f", getuid(), getgid()));
  EQUAL(get("f", ACCESS), 6);
}

TEST(names, "lists are named with the extended attributes") {
  make_extended("f");
  char text[256];
  EQUAL(listxattr("f", NULL, 0), sizeof ACCESS);
  EQUAL(listxattr("f", text, sizeof text), sizeof ACCESS);
  CHECK(strcmp(text, ACCESS) == 0);
  FAILS(listxattr("f", text, sizeof ACCESS - 1), ERANGE);
  OK(mkdir("d", 0700));
  OK(set("d", ACCESS, extended, 6));
  OK(set("d", DEFAULT, extended, 6));
  EQUAL(listxattr("d", text, sizeof text), sizeof ACCESS + sizeof DEFAULT);
}

TEST(invalid, "what is no list is EINVAL, of another version EOPNOTSUPP") {
  make_extended("f");
  struct acl acl = extended;
  acl.version = 1;
  FAILS(set("f", ACCESS, acl, 6), EOPNOTSUPP);
  FAILS(setxattr("f", ACCESS, &acl, SIZE(6) - 1, 0), EOPNOTSUPP);
  FAILS(setxattr("f", ACCESS, &extended, 3, 0), EINVAL);
  FAILS(setxattr("f", ACCESS, &extended, SIZE(6) - 1, 0), EINVAL);
  for (int left_out = 0; left_out < 6; left_out++) { /* Named entries may be missing, the others not. */
    struct acl part = {POSIX_ACL_XATTR_VERSION, {}};
    for (int i = 0, n = 0; i < 6; i++) {
      if (i != left_out) part.entries[n++] = extended.entries[i];
    }
    if (left_out == 1 || left_out == 3) OK(set("f", ACCESS, part, 5));
    else FAILS(set("f", ACCESS, part, 5), EINVAL);
  }
  for (int i = 0; i < 5; i++) { /* Out of order. */
    acl = extended;
    acl.entries[i] = extended.entries[i + 1];
    acl.entries[i + 1] = extended.entries[i];
    FAILS(set("f", ACCESS, acl, 6), EINVAL);
  }
  for (int i = 0; i < 6; i++) {
    acl = extended;
    acl.entries[i].e_perm = 8;
    FAILS(set("f", ACCESS, acl, 6), EINVAL);
    acl.entries[i] = extended.entries[i];
    acl.entries[i].e_tag = 0x40;
    FAILS(set("f", ACCESS, acl, 6), EINVAL);
  }
  acl = extended;
  acl.entries[1].e_id = NONE;
  FAILS(set("f", ACCESS, acl, 6), EINVAL);
  EQUAL(get("f", ACCESS), 5);
}

TEST(twice, "a user may be named twice, the owner may not") {
  make_extended("f");
  struct acl acl = ACL(ENTRY(ACL_USER_OBJ, 6, NONE), ENTRY(ACL_USER, 1, 7), ENTRY(ACL_USER, 2, 7),
                       ENTRY(ACL_GROUP_OBJ, 4, NONE), ENTRY(ACL_MASK, 7, NONE), ENTRY(ACL_OTHER, 0, NONE));
  OK(set("f", ACCESS, acl, 6));
  acl.entries[1] = acl.entries[0];
  FAILS(set("f", ACCESS, acl, 6), EINVAL);
}

TEST(too_large, "a value beyond 64 KiB is E2BIG, a buffer may be larger") {
  make_extended("f");
  static char large[70000];
  FAILS(setxattr("f", ACCESS, large, 65537, 0), E2BIG);
  EQUAL(getxattr("f", ACCESS, large, sizeof large), EXTENDED_SIZE);
}

TEST(flags, "XATTR_CREATE and XATTR_REPLACE make no difference to a list") {
  make_extended("f");
  OK(setxattr("f", ACCESS, &extended, EXTENDED_SIZE, XATTR_CREATE));
  OK(removexattr("f", ACCESS));
  OK(setxattr("f", ACCESS, &extended, EXTENDED_SIZE, XATTR_REPLACE));
  FAILS(setxattr("f", ACCESS, &extended, EXTENDED_SIZE, 8), EINVAL);
}

TEST(defaults_are_of_directories, "only a directory has a default list") {
  make_extended("f");
  FAILS(set("f", DEFAULT, extended, 6), EACCES);
  OK(removexattr("f", DEFAULT));
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  EQUAL(mode_of("d"), 0700);
  EQUAL(get("d", DEFAULT), 6);
  FAILS(getxattr("d", ACCESS, NULL, 0), ENODATA);
  OK(removexattr("d", DEFAULT));
  FAILS(getxattr("d", DEFAULT, NULL, 0), ENODATA);
  OK(removexattr("d", DEFAULT)); /* One that is not there is taken away as well. */
}

TEST(links, "a symbolic link has no list, a FIFO has") {
  make_extended("f");
  OK(symlink("f", "l"));
  FAILS(lgetxattr("l", ACCESS, NULL, 0), EOPNOTSUPP);
  FAILS(lsetxattr("l", ACCESS, &extended, EXTENDED_SIZE, 0), EOPNOTSUPP);
  FAILS(lremovexattr("l", ACCESS), EOPNOTSUPP);
  EQUAL(getxattr("l", ACCESS, NULL, 0), EXTENDED_SIZE);
  OK(mkfifo("p", 0600));
  OK(set("p", ACCESS, extended, 6));
  EQUAL(get("p", ACCESS), 6);
  EQUAL(mode_of("p"), 0670);
}

TEST(elsewhere, "pipes and files of proc have no lists") {
  int ends[2];
  OK(pipe(ends));
  FAILS(fgetxattr(ends[0], ACCESS, NULL, 0), EOPNOTSUPP);
  FAILS(fsetxattr(ends[0], ACCESS, &extended, EXTENDED_SIZE, 0), EOPNOTSUPP);
  FAILS(getxattr("/proc/self/status", ACCESS, NULL, 0), EOPNOTSUPP);
  FAILS(setxattr("/proc/self/status", ACCESS, &extended, EXTENDED_SIZE, 0), EOPNOTSUPP);
}

TEST(who_sets, "only the owner changes a list, and everybody reads it") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("f");
  OK(chmod(".", 0755));
  OK(chmod("f", 0606));
  AS(USER, USER, USER, {
    struct acl bad = extended;
    bad.entries[0].e_perm = 8;
    FAILS(set("f", ACCESS, extended, 6), EPERM);
    FAILS(set("f", ACCESS, bad, 6), EPERM);
    bad.version = 3;
    FAILS(set("f", ACCESS, bad, 6), EOPNOTSUPP);
    FAILS(removexattr("f", ACCESS), EPERM);
    FAILS(set("f", DEFAULT, extended, 6), EACCES);
    EQUAL(get("f", ACCESS), 6);
  });
  OK(chown("f", USER, GROUP));
  AS(USER, USER, USER, {
    OK(set("f", ACCESS, extended, 6));
    OK(removexattr("f", ACCESS));
  });
}

TEST(drops_setgid, "a list set by who is not of the file's group takes the setgid bit") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("f");
  OK(chmod(".", 0755));
  OK(chown("f", USER, GROUP));
  OK(chmod("f", 02770));
  OK(set("f", ACCESS, extended, 6));
  EQUAL(mode_of("f"), 02670);
  AS(USER, USER, GROUP, { OK(set("f", ACCESS, extended, 6)); });
  EQUAL(mode_of("f"), 02670);
  AS(USER, USER, USER, { OK(set("f", ACCESS, extended, 6)); });
  EQUAL(mode_of("f"), 0670);
}

TEST(who_may, "owner, named users, groups and others are looked at in that order") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("f");
  OK(chmod(".", 0755));
  /* u::r--,u:1000:-w-,u:1001:rwx,g::--x,g:2000:r--,g:2001:rw-,m::rw-,o::rwx */
  struct acl acl = ACL(ENTRY(ACL_USER_OBJ, 4, NONE), ENTRY(ACL_USER, 2, USER), ENTRY(ACL_USER, 7, USER + 1),
                       ENTRY(ACL_GROUP_OBJ, 1, NONE), ENTRY(ACL_GROUP, 4, GROUP), ENTRY(ACL_GROUP, 6, GROUP + 1),
                       ENTRY(ACL_MASK, 6, NONE), ENTRY(ACL_OTHER, 7, NONE));
  OK(set("f", ACCESS, acl, 8));
  OK(chown("f", 500, 600));
  EQUAL(mode_of("f"), 0467);
  AS(500, 600, GROUP + 1, EQUAL(granted("f"), within(4)));         /* The owner, whatever else he is. */
  AS(USER, 600, GROUP + 1, EQUAL(granted("f"), within(2)));        /* Named: groups do not count. */
  AS(USER + 1, 9, 9, EQUAL(granted("f"), within(6)));              /* Within the mask. */
  AS(9, 600, 9, EQUAL(granted("f"), 0));                           /* The owning group's x is masked. */
  AS(9, GROUP, 9, EQUAL(granted("f"), within(4)));
  AS(9, 9, GROUP + 1, EQUAL(granted("f"), within(6)));
  AS(9, GROUP, 600, EQUAL(granted("f"), within(4)));               /* Each group alone. */
  AS(9, 9, 9, EQUAL(granted("f"), within(7)));
  OK(chmod("f", 0407)); /* Without a mask's bit the list is not looked at. */
  AS(USER, 9, 9, EQUAL(granted("f"), within(7)));
  AS(9, 600, 9, EQUAL(granted("f"), 0));
  AS(9, GROUP, 9, EQUAL(granted("f"), within(7)));
}

TEST(many, "a long list is looked through for who is in many groups") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  enum { NAMED = 500, GROUPS = 65536, TIMES = 1000 };
  static gid_t groups[GROUPS];
  static struct {
    uint32_t version;
    struct posix_acl_xattr_entry entries[NAMED + 4];
  } list = {POSIX_ACL_XATTR_VERSION, {ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_GROUP_OBJ, 0, NONE)}};
  for (int i = 0; i < NAMED; i++) {
    list.entries[i + 2] = (struct posix_acl_xattr_entry)ENTRY(ACL_GROUP, 4, GROUPS + i);
  }
  list.entries[NAMED + 2] = (struct posix_acl_xattr_entry)ENTRY(ACL_MASK, 4, NONE);
  list.entries[NAMED + 3] = (struct posix_acl_xattr_entry)ENTRY(ACL_OTHER, 2, NONE);
  for (int i = 0; i < GROUPS; i++) groups[i] = GROUPS - i - 1;
  close(OK(open("f", O_CREAT | O_RDWR, 0600)));
  OK(chown("f", 500, GROUPS + NAMED));
  OK(chmod(".", 0755));
  if (setxattr("f", ACCESS, &list, sizeof list, 0) != 0) skip_test("no list of that length here");
  for (int named = 0; named < 2; named++) {
    IN_CHILD(pid, {
      if (named) groups[0] = GROUPS + NAMED - 1;
      OK(setgroups(GROUPS, groups));
      OK(setresgid(70000, 70000, 70000));
      OK(setresuid(USER, USER, USER));
      for (int i = 0; i < TIMES; i++) EQUAL(granted("f"), within(named ? 4 : 2));
    });
    join(pid);
  }
}

TEST(refuses_one, "a user whom a list refuses is refused what all others may") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("probe");
  OK(chmod(".", 0755));
  OK(mkdir("d", 0777));
  write_file("d/f", "text");
  OK(chmod("d/f", 0666));
  struct acl acl = ACL(ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_USER, 0, USER), ENTRY(ACL_GROUP_OBJ, 7, NONE),
                       ENTRY(ACL_MASK, 7, NONE), ENTRY(ACL_OTHER, 7, NONE));
  AS(USER, 9, 9, close(OK(open("d/f", O_RDWR))));
  OK(set("d/f", ACCESS, acl, 5));
  AS(USER, 9, 9, {
    FAILS(open("d/f", O_RDONLY), EACCES);
    FAILS(truncate("d/f", 0), EACCES);
    OK(access("d/f", F_OK));
  });
  AS(9, 9, 9, close(OK(open("d/f", O_RDWR))));
  OK(removexattr("d/f", ACCESS));
  OK(set("d", ACCESS, acl, 5));
  AS(USER, 9, 9, {
    struct stat st;
    FAILS(stat("d/f", &st), EACCES);
    FAILS(stat("d/missing", &st), EACCES);
    FAILS(open("d/new", O_CREAT | O_RDWR, 0600), EACCES);
    FAILS(unlink("d/f"), EACCES);
    FAILS(chdir("d"), EACCES);
    FAILS(open("d", O_RDONLY), EACCES);
  });
  AS(9, 9, 9, unlink("d/f"));
}

TEST(looked_before, "a list that comes or goes counts for paths that were walked before") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("probe");
  OK(chmod(".", 0755));
  OK(mkdir("d", 0755));
  write_file("d/f", "text");
  struct acl acl = ACL(ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_USER, 0, USER), ENTRY(ACL_GROUP_OBJ, 5, NONE),
                       ENTRY(ACL_MASK, 5, NONE), ENTRY(ACL_OTHER, 5, NONE));
  int turns[2], answers[2];
  OK(pipe(turns));
  OK(pipe(answers));
  IN_CHILD(pid, {
    OK(setresuid(USER, USER, USER));
    for (int round = 0; round < 3; round++) {
      struct stat st;
      char turn;
      EQUAL(read(turns[0], &turn, 1), 1);
      for (int i = 0; i < 3; i++) {
        if (round != 1) {
          OK(stat("d/f", &st));
          FAILS(stat("d/missing", &st), ENOENT);
          OK(access("d/f", R_OK));
        } else {
          FAILS(stat("d/f", &st), EACCES);
          FAILS(stat("d/missing", &st), EACCES);
          FAILS(access("d/f", R_OK), EACCES);
        }
      }
      EQUAL(write(answers[1], &turn, 1), 1);
    }
  });
  close(answers[1]); /* Ours would hide the child's end. */
  for (int round = 0; round < 3; round++) {
    char turn = 't';
    if (round == 1) OK(set("d", ACCESS, acl, 5));
    if (round == 2) OK(removexattr("d", ACCESS));
    EQUAL(write(turns[1], &turn, 1), 1);
    if (read(answers[0], &turn, 1) != 1) break;
  }
  join(pid);
}

TEST(capabilities, "root may what a list refuses, but not execute what nobody may") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  make_extended("f");
  struct acl acl = ACL(ENTRY(ACL_USER_OBJ, 0, NONE), ENTRY(ACL_USER, 0, 0), ENTRY(ACL_GROUP_OBJ, 0, NONE),
                       ENTRY(ACL_MASK, 4, NONE), ENTRY(ACL_OTHER, 0, NONE));
  OK(set("f", ACCESS, acl, 5));
  OK(chown("f", USER, GROUP));
  EQUAL(granted("f"), within(6));
}

TEST(inherited, "a new file has its directory's default list, within what was asked for") {
  make_extended("f");
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  umask(077);
  close(OK(open("d/f", O_CREAT | O_RDWR, 0646)));
  EQUAL(mode_of("d/f"), 0640);
  EQUAL(get("d/f", ACCESS), 6);
  expect(0, ACL_USER_OBJ, 6, NONE);
  expect(1, ACL_USER, 6, USER);
  expect(2, ACL_GROUP_OBJ, 4, NONE);
  expect(3, ACL_GROUP, 3, GROUP);
  expect(4, ACL_MASK, 4, NONE);
  expect(5, ACL_OTHER, 0, NONE);
  OK(mkfifo("d/p", 0777));
  EQUAL(mode_of("d/p"), 0670);
  EQUAL(get("d/p", ACCESS), 6);
  OK(mknod("d/n", S_IFREG | 0777, 0));
  EQUAL(get("d/n", ACCESS), 6);
  OK(symlink("f", "d/l"));
  EQUAL(lgetxattr("d/l", ACCESS, NULL, 0), -1);
  EQUAL(mode_of("d/l"), 0777);
  OK(link("f", "d/h"));
  EQUAL(mode_of("d/h"), 0670);
}

TEST(inherited_socket, "a socket's mode is within the umask and the default list") {
  make_extended("f");
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  umask(022);
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un address = {AF_UNIX, "d/s"};
  OK(bind(fd, (struct sockaddr *)&address, sizeof address));
  EQUAL(mode_of("d/s"), 0650);
  EQUAL(get("d/s", ACCESS), 6);
}

TEST(inherited_by_directories, "a new directory has the default list for itself and for what is made in it") {
  make_extended("f");
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  umask(077);
  OK(mkdir("d/e", 0705));
  EQUAL(mode_of("d/e"), 0600);
  EQUAL(get("d/e", ACCESS), 6);
  expect(4, ACL_MASK, 0, NONE);
  EQUAL(get("d/e", DEFAULT), 6);
  CHECK(memcmp(&got, &extended, EXTENDED_SIZE) == 0);
  OK(chmod("d/e", 0700));
  OK(mkdir("d/e/deep", 0777));
  EQUAL(get("d/e/deep", DEFAULT), 6);
  EQUAL(mode_of("d/e/deep"), 0670);
  OK(removexattr("d", DEFAULT));
  EQUAL(get("d/e", DEFAULT), 6);
  umask(027);
  OK(mkdir("d/plain", 0777));
  EQUAL(mode_of("d/plain"), 0750);
  EQUAL(listxattr("d/plain", NULL, 0), 0);
}

TEST(inherited_minimal, "a minimal default list takes the umask's place and gives no list") {
  make_extended("f");
  OK(mkdir("d", 0700));
  struct acl three = ACL(ENTRY(ACL_USER_OBJ, 7, NONE), ENTRY(ACL_GROUP_OBJ, 5, NONE),
                         ENTRY(ACL_OTHER, 2, NONE));
  OK(set("d", DEFAULT, three, 3));
  EQUAL(get("d", DEFAULT), 3);
  umask(077);
  close(OK(open("d/f", O_CREAT | O_RDWR, 0666)));
  EQUAL(mode_of("d/f"), 0642);
  FAILS(getxattr("d/f", ACCESS, NULL, 0), ENODATA);
  OK(mkdir("d/e", 0777));
  EQUAL(mode_of("d/e"), 0752);
  EQUAL(get("d/e", DEFAULT), 3);
}

TEST(inherited_unnamed, "an unnamed file inherits as well") {
  make_extended("f");
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  umask(077);
  int fd = open("d", O_TMPFILE | O_RDWR, 0666);
  if (fd < 0) skip_test("no unnamed files here");
  EQUAL(fgetxattr(fd, ACCESS, &got, sizeof got), EXTENDED_SIZE);
  expect(4, ACL_MASK, 6, NONE);
}

TEST(moved, "a file keeps its list when it is renamed") {
  make_extended("f");
  OK(mkdir("d", 0700));
  OK(set("d", DEFAULT, extended, 6));
  write_file("g", "");
  OK(rename("g", "d/g"));
  EQUAL(listxattr("d/g", NULL, 0), 0);
  OK(rename("f", "d/f"));
  EQUAL(get("d/f", ACCESS), 6);
}

TEST(changed, "a new list is a change of the file, not of its data") {
  write_file("f", "text");
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
  struct stat before, after;
  OK(utimensat(AT_FDCWD, "f", old, 0));
  OK(stat("f", &before));
  usleep(20000); /* A tick of the clock of file times. */
  make_extended("f");
  OK(stat("f", &after));
  EQUAL(after.st_mtime, 1000);
  CHECK(after.st_ctim.tv_sec != before.st_ctim.tv_sec || after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
}
