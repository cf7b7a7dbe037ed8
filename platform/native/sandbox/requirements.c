#include "requirements.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>

enum { WRONG_USE = 2, CANNOT_START = 125 };

static _Noreturn void refuse(int status, char *line, char *end) {
  *end++ = '\n';
  CALL(SYS_write, 2, line, end - line);
  for (;;) CALL(SYS_exit_group, status);
}

// --- Limits -----------------------------------------------------------------------------------------

#define KIB (1ul << 10)
#define MIB (1ul << 20)
#define GIB (1ul << 30)

// `soft` is for the command, `hard` for the sandbox process, which raises its limits (start.c). V8 reserves 32 GiB
// of addresses in each, at a multiple of as much: it reserves twice as much first where they do not lie well at once.
static const struct requirement {
  int resource;
  char flag;  // of ulimit
  char what[22];
  uint64_t unit, soft, hard;
} requirements[] = {
    {RLIMIT_NOFILE, 'n', "open files", 1, 32, 128},
    {RLIMIT_AS, 'v', "virtual memory", KIB, 72 * GIB, 72 * GIB},
    {RLIMIT_DATA, 'd', "data", KIB, 2 * GIB, 2 * GIB},
    {RLIMIT_STACK, 's', "stack", KIB, 256 * KIB, 256 * KIB},
    {RLIMIT_FSIZE, 'f', "file sizes", KIB, 1 * MIB, 16 * MIB},
};

static char *append_amount(char *at, const struct requirement *r, uint64_t amount) {
  return append(append_number(at, amount / r->unit), r->unit == KIB ? " KiB" : "");
}

static _Noreturn void refuse_limit(const struct requirement *r, int is_hard, uint64_t limit, uint64_t needed,
                                   const char *of_what) {
  char line[160], *at = append(line, "dvisor: the limit of ");
  at = append(append(at, r->what), is_hard ? " (ulimit -H" : " (ulimit -");
  *at++ = r->flag;
  at = append_amount(append(at, ") is "), r, limit);
  at = append_amount(append(at, ", and dvisor needs "), r, needed);
  refuse(CANNOT_START, line, append(at, of_what));
}

static void check_limit(const struct requirement *r, int is_hard, uint64_t limit) {
  uint64_t needed = is_hard ? r->hard : r->soft;
  if (limit < needed) refuse_limit(r, is_hard, limit, needed, "");
}

static void check_limits(int is_sandbox_wanted) {
  for (unsigned i = 0; i < sizeof requirements / sizeof *requirements; i++) {
    struct rlimit limit;
    if (CALL(SYS_prlimit64, 0, requirements[i].resource, 0, &limit) < 0) continue;
    check_limit(&requirements[i], 0, limit.rlim_cur);
    if (is_sandbox_wanted) check_limit(&requirements[i], 1, limit.rlim_max);
  }
}

// Threads count, too. Where the limit is high nobody is near it, and to find out takes time.
static const struct requirement processes = {RLIMIT_NPROC, 'u', "processes and threads", 1, 0, 0};
enum { COMMAND_PROCESSES = 7, SANDBOX_PROCESSES = 18, V8_THREADS_MAX = 16, MANY_PROCESSES = 1024 };

// The threads that V8 starts in each process: one a processor but the first.
static int v8_threads(void) {
  uint64_t processors[128] = {0};
  long bytes = CALL(SYS_sched_getaffinity, 0, sizeof processors, processors);
  int count = -1;
  for (long i = 0; i < bytes / 8; i++)
    for (uint64_t mask = processors[i]; mask; mask &= mask - 1) count++;
  return count < 1 ? 1 : count > V8_THREADS_MAX ? V8_THREADS_MAX : count;
}

// How many processes up to `wanted` the user may have besides those there are, which only making them tells.
static int spare_processes(int wanted) {
  int go[2], made = 0;
  if (CALL(SYS_pipe2, go, O_CLOEXEC) < 0) return wanted;
  for (; made < wanted; made++) {
    long pid = CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) break;
    if (pid > 0) continue;
    char byte;
    CALL(SYS_close, go[1]);
    CALL(SYS_read, go[0], &byte, 1);
    for (;;) CALL(SYS_exit_group, 0);
  }
  CALL(SYS_close, go[1]);
  for (int i = 0; i < made; i++) CALL(SYS_wait4, -1, 0, 0, 0);
  CALL(SYS_close, go[0]);
  return made;
}

static void check_processes(int is_sandbox_wanted) {
  struct rlimit limit;
  if (CALL(SYS_prlimit64, 0, processes.resource, 0, &limit) < 0 || limit.rlim_cur >= MANY_PROCESSES) return;
  int needed = is_sandbox_wanted ? SANDBOX_PROCESSES + 2 * v8_threads() : COMMAND_PROCESSES + v8_threads();
  if (spare_processes(needed) < needed) refuse_limit(&processes, 0, limit.rlim_cur, needed, " more than there are");
}

// --- Text -------------------------------------------------------------------------------------------

// How many bytes follow the first one of a character, and which second ones there are: overlong forms, surrogates
// and what is beyond U+10FFFF are none.
static int following(unsigned char first, unsigned char *from, unsigned char *to) {
  *from = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  *to = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if ((first & 0xf0) == 0xe0) return 2;
  return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

static int is_utf8(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p;) {
    unsigned char from, to;
    int more = following(*p++, &from, &to);
    if (more < 0) return 0;
    for (; more > 0; more--, p++) {
      if (*p < from || *p > to) return 0;
      from = 0x80;
      to = 0xbf;
    }
  }
  return 1;
}

static void check_text(long argc, char **argv) {
  char line[160], *at = append(line, "dvisor: ");
  for (long i = 1; i < argc; i++)
    if (!is_utf8(argv[i])) refuse(WRONG_USE, line, append(append_number(append(at, "argument "), i), " is not UTF-8"));
  char cwd[PATH_MAX];
  long n = CALL(SYS_getcwd, cwd, sizeof cwd);
  if (n == -ENOENT || (n > 0 && cwd[0] != '/'))
    refuse(WRONG_USE, line, append(at, "the current directory is gone"));
  if (n > 0 && !is_utf8(cwd)) refuse(WRONG_USE, line, append(at, "the current directory's name is not UTF-8"));
}

void check_requirements(long argc, char **argv) {
  int is_sandbox_wanted = argc > 1 && same(argv[1], "do");
  check_limits(is_sandbox_wanted);
  check_processes(is_sandbox_wanted);
  check_text(argc, argv);
}
