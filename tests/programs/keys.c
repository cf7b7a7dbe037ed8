// Keyrings: add_key(2), request_key(2), keyctl(2).
#define AGAIN
#include "check.h"
#include <linux/keyctl.h>
#include <sys/resource.h>

typedef int32_t key;

static long add(const char *type, const char *name, const void *payload, size_t length, key ring) {
  return syscall(SYS_add_key, type, name, payload, length, ring);
}
static long request(const char *type, const char *name, key destination) {
  return syscall(SYS_request_key, type, name, NULL, destination);
}
static long control(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  return syscall(SYS_keyctl, operation, a, b, c, d);
}
#define CONTROL(operation, a, b, c, d) \
  control(operation, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), (unsigned long)(d))

enum {
  THREAD = KEY_SPEC_THREAD_KEYRING,
  PROCESS = KEY_SPEC_PROCESS_KEYRING,
  SESSION = KEY_SPEC_SESSION_KEYRING,
  USER = KEY_SPEC_USER_KEYRING,
};

/* A session keyring of the test's own, so that nothing is left in the user's. */
static key new_session(void) {
  long serial = CONTROL(KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
  if (serial < 0 && errno == ENOSYS) skip_test("a kernel without keys");
  return OK(serial);
}

static key user_key(const char *name, const char *text, key ring) {
  return OK(add("user", name, text, strlen(text), ring));
}

static char *described(key id) {
  static char text[4200];
  OK(CONTROL(KEYCTL_DESCRIBE, id, text, sizeof text, 0));
  return text;
}

static int holds(key id, const char *text) {
  char bytes[100];
  long length = OK(CONTROL(KEYCTL_READ, id, bytes, sizeof bytes, 0));
  return length == (long)strlen(text) && memcmp(bytes, text, length) == 0;
}

TEST(user_type, "a user key is added, read, updated by its name and by its number") {
  key ring = new_session();
  key id = user_key("name", "payload", ring);
  CHECK(holds(id, "payload"));
  EQUAL(user_key("name", "other", ring), id);
  CHECK(holds(id, "other"));
  OK(CONTROL(KEYCTL_UPDATE, id, "third", 5, 0));
  CHECK(holds(id, "third"));
  char small[3] = "xyz";
  EQUAL(CONTROL(KEYCTL_READ, id, small, 2, 0), 5);
  EQUAL(small[0], 'x');
  EQUAL(CONTROL(KEYCTL_READ, id, NULL, 0, 0), 5);
  CHECK(user_key("another", "payload", ring) != id);
}

TEST(description, "a key is described by its type, owner, permissions and name") {
  new_session();
  char expected[100], text[100];
  key id = user_key("a name", "x", SESSION);
  snprintf(expected, sizeof expected, "user;%d;%d;3f010000;a name", geteuid(), getegid());
  CHECK(strcmp(described(id), expected) == 0);
  EQUAL(CONTROL(KEYCTL_DESCRIBE, id, text, 5, 0), strlen(expected) + 1);
  id = OK(add("logon", "service:name", "x", 1, SESSION));
  snprintf(expected, sizeof expected, "logon;%d;%d;3d010000;service:name", geteuid(), getegid());
  CHECK(strcmp(described(id), expected) == 0);
  FAILS(CONTROL(KEYCTL_READ, id, text, sizeof text, 0), EOPNOTSUPP);
  snprintf(expected, sizeof expected, "keyring;%d;%d;3f030000;_ses", geteuid(), getegid());
  CHECK(strcmp(described(SESSION), expected) == 0);
  EQUAL(CONTROL(KEYCTL_GET_SECURITY, id, text, sizeof text, 0), strlen(text) + 1);
}

TEST(bad_keys, "what is no key is refused") {
  new_session();
  static char long_name[5000];
  memset(long_name, 'x', sizeof long_name - 1);
  FAILS(add("nothing", "name", "x", 1, SESSION), ENODEV);
  FAILS(add(".hidden", "name", "x", 1, SESSION), EPERM);
  FAILS(add("", "name", "x", 1, SESSION), EINVAL);
  FAILS(add(long_name, "name", "x", 1, SESSION), EINVAL);
  FAILS(add(nowhere, "name", "x", 1, SESSION), EFAULT);
  FAILS(add("user", "", "x", 1, SESSION), EINVAL);
  FAILS(add("user", NULL, "x", 1, SESSION), EINVAL);
  FAILS(add("user", long_name, "x", 1, SESSION), EINVAL);
  FAILS(add("user", "name", "x", 0, SESSION), EINVAL);
  FAILS(add("user", "name", NULL, 1, SESSION), EFAULT);
  FAILS(add("user", "name", "x", 1 << 20, SESSION), EINVAL);
  FAILS(add("logon", "no service", "x", 1, SESSION), EINVAL);
  FAILS(add("keyring", "name", "x", 1, SESSION), EINVAL);
  FAILS(add("keyring", ".name", NULL, 0, SESSION), EPERM);
  FAILS(add("user", "name", "x", 1, 0), EINVAL);
  FAILS(add("user", "name", "x", 1, -99), EINVAL);
  FAILS(add("user", "name", "x", 1, 1), ENOKEY);
  key id = user_key("name", "x", SESSION);
  FAILS(add("user", "name", "x", 1, id), ENOTDIR);
  FAILS(CONTROL(999, 0, 0, 0, 0), EOPNOTSUPP);
}

TEST(special, "a task's own keyrings are made when they are first needed") {
  new_session();
  FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 0, 0, 0), ENOKEY);
  FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, PROCESS, 0, 0, 0), ENOKEY);
  key thread = OK(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 1, 0, 0));
  EQUAL(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 0, 0, 0), thread);
  key process = OK(CONTROL(KEYCTL_GET_KEYRING_ID, PROCESS, 1, 0, 0));
  CHECK(thread != process);
  CHECK(strstr(described(process), "keyring;") != NULL && strstr(described(process), ";_pid") != NULL);
  FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 1, 0, 0), EINVAL);
  FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 1, 0, 0), ENOKEY);
  key session = OK(CONTROL(KEYCTL_GET_KEYRING_ID, SESSION, 0, 0, 0));
  IN_CHILD(pid, {
    FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 0, 0, 0), ENOKEY);
    FAILS(CONTROL(KEYCTL_GET_KEYRING_ID, PROCESS, 0, 0, 0), ENOKEY);
    EQUAL(CONTROL(KEYCTL_GET_KEYRING_ID, SESSION, 0, 0, 0), session);
  });
  join(pid);
}

/* A new program, which is told the session keyring of the old one. */
static void again(int argc, char **argv) {
  if (argc < 3 || CONTROL(KEYCTL_GET_KEYRING_ID, SESSION, 0, 0, 0) != atoi(argv[2])) _exit(1);
  if (CONTROL(KEYCTL_GET_KEYRING_ID, PROCESS, 0, 0, 0) != -1 || errno != ENOKEY) _exit(2);
  if (CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 0, 0, 0) != -1 || errno != ENOKEY) _exit(3);
  _exit(0);
}

TEST(exec_, "a new program keeps the session keyring alone") {
  char session[20];
  snprintf(session, sizeof session, "%d", new_session());
  IN_CHILD(pid, {
    OK(CONTROL(KEYCTL_GET_KEYRING_ID, PROCESS, 1, 0, 0));
    OK(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 1, 0, 0));
    OK(execl(self, self, "again", session, NULL));
  });
  join(pid);
}

TEST(gone_with_owner, "a key that nobody links to is gone with the keyring that held it") {
  new_session();
  int ends[2];
  OK(pipe(ends));
  IN_CHILD(pid, {
    key id = user_key("name", "x", PROCESS);
    EQUAL(write(ends[1], &id, sizeof id), sizeof id);
  });
  key id;
  EQUAL(read(ends[0], &id, sizeof id), sizeof id);
  join(pid);
  long result;
  while ((result = CONTROL(KEYCTL_DESCRIBE, id, NULL, 0, 0)) >= 0) usleep(1000);
  CHECK(errno == ENOKEY || errno == EACCES);
}

TEST(links, "a key lives in as many keyrings as link to it, and its number lists it") {
  key ring = new_session();
  key other = OK(add("keyring", "other", NULL, 0, ring));
  key id = user_key("name", "x", ring), listed[4];
  OK(CONTROL(KEYCTL_LINK, id, other, 0, 0));
  EQUAL(CONTROL(KEYCTL_READ, other, listed, sizeof listed, 0), sizeof(key));
  EQUAL(listed[0], id);
  OK(CONTROL(KEYCTL_UNLINK, id, ring, 0, 0));
  FAILS(CONTROL(KEYCTL_UNLINK, id, ring, 0, 0), ENOENT);
  CHECK(holds(id, "x"));
  key same = user_key("name", "y", ring);
  CHECK(same != id);
  OK(CONTROL(KEYCTL_LINK, same, other, 0, 0));
  EQUAL(CONTROL(KEYCTL_READ, other, listed, sizeof listed, 0), sizeof(key));
  EQUAL(listed[0], same);
  FAILS(CONTROL(KEYCTL_LINK, other, same, 0, 0), ENOTDIR);
  OK(CONTROL(KEYCTL_CLEAR, other, 0, 0, 0));
  EQUAL(CONTROL(KEYCTL_READ, other, listed, sizeof listed, 0), 0);
  FAILS(CONTROL(KEYCTL_CLEAR, same, 0, 0, 0), ENOTDIR);
}

TEST(moves, "a key moves from one keyring to another, and displaces another only if it may") {
  key ring = new_session();
  key other = OK(add("keyring", "other", NULL, 0, ring)), id = user_key("name", "x", ring);
  if (CONTROL(KEYCTL_MOVE, id, ring, other, 0) != 0) skip_test("the kernel is older than 5.3");
  FAILS(CONTROL(KEYCTL_MOVE, id, ring, other, 0), ENOENT);
  user_key("name", "y", ring);
  FAILS(CONTROL(KEYCTL_MOVE, id, other, ring, KEYCTL_MOVE_EXCL), EEXIST);
  OK(CONTROL(KEYCTL_MOVE, id, other, ring, 0));
  EQUAL(request("user", "name", 0), id);
  FAILS(CONTROL(KEYCTL_MOVE, id, other, ring, 2), EINVAL);
}

TEST(cycles, "a keyring does not come to lie within itself, nor too deep") {
  key ring = new_session();
  key outer = OK(add("keyring", "outer", NULL, 0, ring)), inner = OK(add("keyring", "inner", NULL, 0, outer));
  FAILS(CONTROL(KEYCTL_LINK, outer, outer, 0, 0), EDEADLK);
  FAILS(CONTROL(KEYCTL_LINK, outer, inner, 0, 0), EDEADLK);
  key levels[9];
  for (int i = 0; i < 9; i++) {
    char name[20];
    snprintf(name, sizeof name, "level %d", i);
    levels[i] = OK(add("keyring", name, NULL, 0, PROCESS));
    if (i > 0) OK(CONTROL(KEYCTL_LINK, levels[i], levels[i - 1], 0, 0));
  }
  FAILS(CONTROL(KEYCTL_LINK, levels[0], ring, 0, 0), ELOOP);
  OK(CONTROL(KEYCTL_LINK, levels[2], ring, 0, 0));
  FAILS(CONTROL(KEYCTL_LINK, levels[1], ring, 0, 0), ELOOP);
}

TEST(searches, "a key is searched for in keyrings of keyrings, and in all that a task has") {
  key ring = new_session();
  key other = OK(add("keyring", "other", NULL, 0, ring)), id = user_key("name", "x", other);
  EQUAL(CONTROL(KEYCTL_SEARCH, ring, "user", "name", 0), id);
  EQUAL(request("user", "name", 0), id);
  FAILS(CONTROL(KEYCTL_SEARCH, ring, "user", "none", 0), ENOKEY);
  FAILS(CONTROL(KEYCTL_SEARCH, ring, "nothing", "name", 0), ENOKEY);
  FAILS(CONTROL(KEYCTL_SEARCH, id, "user", "name", 0), ENOTDIR);
  FAILS(request("user", "none", 0), ENOKEY);
  FAILS(request("nothing", "name", 0), ENOKEY);
  FAILS(request(".hidden", "name", 0), EPERM);
  EQUAL(request("user", "name", PROCESS), id);
  key listed[2];
  EQUAL(CONTROL(KEYCTL_READ, PROCESS, listed, sizeof listed, 0), sizeof(key));
  EQUAL(listed[0], id);
  EQUAL(request("keyring", "other", 0), other);
}

TEST(negative, "a key that is asked for in vain is remembered as negative, until it is added") {
  new_session();
  SKIP_UNLESS(access("/sbin/request-key", X_OK) != 0, "there is who makes keys");
  key id, other;
  char byte;
  CHECK(syscall(SYS_request_key, "user", "name", "please", PROCESS) == -1);
  CHECK(errno == ENOKEY || errno == ENOENT);
  EQUAL(CONTROL(KEYCTL_READ, PROCESS, &id, sizeof id, 0), sizeof id);
  FAILS(CONTROL(KEYCTL_READ, id, &byte, 1, 0), ENOKEY);
  FAILS(CONTROL(KEYCTL_UPDATE, id, "x", 1, 0), ENOKEY);
  FAILS(request("user", "name", 0), ENOKEY);
  CHECK(strstr(described(id), ";name") != NULL);
  EQUAL(user_key("name", "x", PROCESS), id);
  EQUAL(request("user", "name", 0), id);
  FAILS(syscall(SYS_request_key, "keyring", "none", "please", PROCESS), EPERM);
  OK(CONTROL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0));
  CHECK(syscall(SYS_request_key, "user", "other", "please", 0) == -1);
  EQUAL(CONTROL(KEYCTL_READ, SESSION, &other, sizeof other, 0), sizeof other);
  OK(CONTROL(KEYCTL_UNLINK, other, SESSION, 0, 0));
  OK(CONTROL(KEYCTL_SETPERM, SESSION, 0x1b0b0000, 0, 0));
  FAILS(syscall(SYS_request_key, "user", "third", "please", 0), EACCES);
}

TEST(revoked, "a revoked key is of no use, but can be unlinked") {
  key ring = new_session();
  key id = user_key("name", "x", ring);
  char byte;
  OK(CONTROL(KEYCTL_REVOKE, id, 0, 0, 0));
  FAILS(CONTROL(KEYCTL_READ, id, &byte, 1, 0), EKEYREVOKED);
  FAILS(CONTROL(KEYCTL_DESCRIBE, id, NULL, 0, 0), EKEYREVOKED);
  FAILS(CONTROL(KEYCTL_UPDATE, id, "y", 1, 0), EKEYREVOKED);
  FAILS(CONTROL(KEYCTL_SET_TIMEOUT, id, 5, 0, 0), EKEYREVOKED);
  FAILS(CONTROL(KEYCTL_SEARCH, ring, "user", "name", 0), EKEYREVOKED);
  FAILS(request("user", "name", 0), EKEYREVOKED);
  OK(CONTROL(KEYCTL_UNLINK, id, ring, 0, 0));
  key fresh = user_key("name", "y", ring);
  OK(CONTROL(KEYCTL_REVOKE, fresh, 0, 0, 0));
  CHECK(user_key("name", "z", ring) != fresh);
  OK(CONTROL(KEYCTL_REVOKE, ring, 0, 0, 0));
  FAILS(add("user", "name", "z", 1, ring), EKEYREVOKED);
}

TEST(times_out, "a key expires, unless it is updated before") {
  key ring = new_session();
  key id = user_key("name", "x", ring), kept = user_key("kept", "x", ring);
  OK(CONTROL(KEYCTL_SET_TIMEOUT, id, 1, 0, 0));
  OK(CONTROL(KEYCTL_SET_TIMEOUT, kept, 1, 0, 0));
  OK(CONTROL(KEYCTL_UPDATE, kept, "y", 1, 0));
  char byte;
  while (CONTROL(KEYCTL_READ, id, &byte, 1, 0) == 1) usleep(10000);
  EQUAL(errno, EKEYEXPIRED);
  FAILS(CONTROL(KEYCTL_SEARCH, ring, "user", "name", 0), EKEYEXPIRED);
  FAILS(request("user", "name", 0), ENOKEY);
  CHECK(holds(kept, "y"));
}

TEST(invalidated, "an invalidated key leaves its keyrings") {
  key ring = new_session();
  key id = user_key("name", "x", ring), listed[2];
  if (CONTROL(KEYCTL_INVALIDATE, id, 0, 0, 0) != 0) skip_test("the kernel is older than 3.5");
  FAILS(CONTROL(KEYCTL_DESCRIBE, id, NULL, 0, 0), ENOKEY);
  while (CONTROL(KEYCTL_READ, ring, listed, sizeof listed, 0) != 0) usleep(1000);
}

TEST(permissions, "a key's permissions say what its possessor, owner and others may") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  key ring = new_session();
  key id = user_key("name", "x", ring), open = user_key("open", "x", ring);
  char byte;
  FAILS(CONTROL(KEYCTL_SETPERM, id, 0x80000000, 0, 0), EINVAL);
  OK(CONTROL(KEYCTL_SETPERM, open, 0x3f3f0002, 0, 0));
  OK(CONTROL(KEYCTL_SETPERM, id, 0x293f0000, 0, 0));
  OK(CONTROL(KEYCTL_UPDATE, id, "y", 1, 0));
  IN_CHILD(pid, {
    OK(setresuid(1000, 1000, 1000));
    OK(CONTROL(KEYCTL_DESCRIBE, id, NULL, 0, 0));
    FAILS(CONTROL(KEYCTL_UPDATE, id, "y", 1, 0), EACCES);
    FAILS(CONTROL(KEYCTL_SETPERM, id, 0x3f3f3f3f, 0, 0), EACCES);
    FAILS(CONTROL(KEYCTL_CHOWN, id, 1000, -1, 0), EACCES);
    new_session();
    FAILS(CONTROL(KEYCTL_READ, id, &byte, 1, 0), EACCES);
    EQUAL(CONTROL(KEYCTL_READ, open, &byte, 1, 0), 1);
    FAILS(CONTROL(KEYCTL_LINK, open, SESSION, 0, 0), EACCES);
  });
  join(pid);
  OK(CONTROL(KEYCTL_CHOWN, id, 1000, 1000, 0));
  CHECK(strncmp(described(id), "user;1000;1000;", 15) == 0);
}

TEST(named_session, "a named session keyring is joined by who may search it") {
  new_session();
  char name[40];
  snprintf(name, sizeof name, "session of %d", getpid());
  key session = OK(CONTROL(KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0));
  OK(CONTROL(KEYCTL_SETPERM, session, 0x3f1f0000, 0, 0));
  IN_CHILD(pid, {
    CHECK(new_session() != session);
    EQUAL(CONTROL(KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0), session);
    EQUAL(CONTROL(KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0), 0);
  });
  join(pid);
  FAILS(CONTROL(KEYCTL_JOIN_SESSION_KEYRING, ".name", 0, 0, 0), EPERM);
}

TEST(session_to_parent, "a child gives its session keyring to its parent") {
  key before = new_session();
  int ends[2];
  OK(pipe(ends));
  IN_CHILD(pid, {
    EQUAL(CONTROL(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0), 0);
    key own = new_session();
    OK(CONTROL(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0));
    EQUAL(write(ends[1], &own, sizeof own), sizeof own);
  });
  key theirs;
  EQUAL(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
  join(pid);
  CHECK(theirs != before);
  EQUAL(CONTROL(KEYCTL_GET_KEYRING_ID, SESSION, 0, 0, 0), theirs);
}

TEST(restricted, "a keyring that takes no links refuses them") {
  key ring = new_session();
  key id = user_key("name", "x", PROCESS);
  if (CONTROL(KEYCTL_RESTRICT_KEYRING, ring, NULL, NULL, 0) != 0) skip_test("the kernel is older than 4.12");
  FAILS(add("user", "name", "x", 1, ring), EPERM);
  FAILS(CONTROL(KEYCTL_LINK, id, ring, 0, 0), EPERM);
  FAILS(CONTROL(KEYCTL_RESTRICT_KEYRING, ring, NULL, NULL, 0), EEXIST);
  FAILS(CONTROL(KEYCTL_RESTRICT_KEYRING, PROCESS, "user", "x", 0), ENOENT);
  FAILS(CONTROL(KEYCTL_RESTRICT_KEYRING, PROCESS, "nothing", "x", 0), ENOKEY);
  FAILS(CONTROL(KEYCTL_RESTRICT_KEYRING, PROCESS, NULL, "x", 0), EINVAL);
  FAILS(CONTROL(KEYCTL_RESTRICT_KEYRING, id, NULL, NULL, 0), ENOTDIR);
}

/* The keys and bytes that /proc/key-users charges a user for. */
static int charged(unsigned uid, int *bytes) {
  char *line = strtok(read_file("/proc/key-users"), "\n");
  for (; line != NULL; line = strtok(NULL, "\n")) {
    unsigned user;
    int keys;
    if (sscanf(line, "%u: %*d %*d/%*d %d/%*d %d/", &user, &keys, bytes) == 3 && user == uid) return keys;
  }
  *bytes = 0;
  return 0;
}

TEST(quota, "a user's keys have a number and a size in all") {
  SKIP_UNLESS(geteuid() == 0 && access("/proc/key-users", R_OK) == 0, "needs root and /proc/key-users");
  new_session();
  unsigned uid = 40000 + getpid() % 20000;
  OK(setresuid(uid, uid, uid));
  new_session();
  int before, bytes, keys = charged(uid, &before);
  key id = user_key("name", "0123456789", SESSION);
  EQUAL(charged(uid, &bytes), keys + 1);
  EQUAL(bytes - before, 5 + 10 + 4);
  OK(CONTROL(KEYCTL_UPDATE, id, "01", 2, 0));
  charged(uid, &bytes);
  EQUAL(bytes - before, 5 + 2 + 4);
  static char large[19000];
  FAILS(add("user", "large", large, sizeof large + 1000, SESSION), EDQUOT);
  int added = 1;
  for (char name[20]; added < 300; added++) {
    snprintf(name, sizeof name, "%d", added);
    if (add("user", name, "x", 1, SESSION) < 0) break;
  }
  EQUAL(errno, EDQUOT);
  EQUAL(charged(uid, &bytes), atoi(read_file("/proc/sys/kernel/keys/maxkeys")));
  OK(CONTROL(KEYCTL_CLEAR, SESSION, 0, 0, 0));
  while (charged(uid, &bytes) != keys) usleep(1000);
  EQUAL(bytes, before);
}

TEST(request_keyring, "KEYCTL_SET_REQKEY_KEYRING keeps where requested keys go") {
  new_session();
  EQUAL(CONTROL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE, 0, 0, 0), KEY_REQKEY_DEFL_DEFAULT);
  EQUAL(CONTROL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_THREAD_KEYRING, 0, 0, 0), KEY_REQKEY_DEFL_DEFAULT);
  OK(CONTROL(KEYCTL_GET_KEYRING_ID, THREAD, 0, 0, 0));
  EQUAL(CONTROL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_USER_KEYRING, 0, 0, 0),
        KEY_REQKEY_DEFL_THREAD_KEYRING);
  FAILS(CONTROL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0, 0), EINVAL);
  FAILS(CONTROL(KEYCTL_SET_REQKEY_KEYRING, 99, 0, 0, 0), EINVAL);
}

TEST(authority, "nobody instantiates a key that was not asked for") {
  new_session();
  key id = user_key("name", "x", SESSION);
  FAILS(CONTROL(KEYCTL_INSTANTIATE, id, "x", 1, 0), EPERM);
  FAILS(CONTROL(KEYCTL_INSTANTIATE, id, "x", 1 << 20, 0), EINVAL);
  FAILS(CONTROL(KEYCTL_NEGATE, id, 5, 0, 0), EPERM);
  FAILS(CONTROL(KEYCTL_REJECT, id, 5, ENOKEY, 0), EPERM);
  FAILS(CONTROL(KEYCTL_REJECT, id, 5, 0, 0), EINVAL);
  FAILS(CONTROL(KEYCTL_ASSUME_AUTHORITY, id, 0, 0, 0), ENOKEY);
  OK(CONTROL(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
}

TEST(proc_keys, "/proc/keys lists the keys that may be viewed") {
  SKIP_UNLESS(access("/proc/keys", R_OK) == 0, "no /proc/keys");
  new_session();
  key id = user_key("a name to find", "1234", SESSION);
  char expected[100], *line = strtok(read_file("/proc/keys"), "\n");
  while (line != NULL && strstr(line, "a name to find") == NULL) line = strtok(NULL, "\n");
  CHECK(line != NULL);
  snprintf(expected, sizeof expected, "%08x I--Q---     1 perm 3f010000 %5d %5d user      a name to find: 4", id,
           geteuid(), getegid());
  CHECK(strcmp(line, expected) == 0);
}

TEST(user_keyrings, "the user's keyrings are the same for all its processes, the one in the other") {
  new_session();
  key user = OK(CONTROL(KEYCTL_GET_KEYRING_ID, USER, 0, 0, 0)), listed[16];
  key session = OK(CONTROL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0));
  char expected[100];
  snprintf(expected, sizeof expected, "keyring;%d;65534;1f3f0000;_uid.%d", getuid(), getuid());
  CHECK(strcmp(described(user), expected) == 0);
  long length = OK(CONTROL(KEYCTL_READ, session, listed, sizeof listed, 0));
  int found = 0;
  for (long i = 0; i < length / (long)sizeof(key); i++) found |= listed[i] == user;
  CHECK(found);
  IN_CHILD(pid, { EQUAL(CONTROL(KEYCTL_GET_KEYRING_ID, USER, 0, 0, 0), user); });
  join(pid);
}

TEST(abilities, "KEYCTL_CAPABILITIES fills what it is given") {
  unsigned char bytes[4] = {9, 9, 9, 9};
  long length = CONTROL(KEYCTL_CAPABILITIES, bytes, 4, 0, 0);
  SKIP_UNLESS(length >= 2, "the kernel is older than 5.3");
  CHECK(bytes[0] & KEYCTL_CAPS0_MOVE);
  EQUAL(bytes[3], 0);
  EQUAL(CONTROL(KEYCTL_CAPABILITIES, NULL, 0, 0, 0), length);
  FAILS(CONTROL(KEYCTL_CAPABILITIES, NULL, 4, 0, 0), EFAULT);
  FAILS(CONTROL(KEYCTL_CAPABILITIES, bytes, 1L << 40, 0, 0), EFAULT);
  FAILS(CONTROL(KEYCTL_CAPABILITIES, bytes, -1L, 0, 0), EFAULT);
}
