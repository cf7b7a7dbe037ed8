// build: -pthread
/* A guest that attacks the machinery below it: the memory it shares with the Sentry and the stub's
 * code, both mapped into its address space (platform/native/stub/slot.h). Natively nothing is there.
 * hostile_test.ts says what must be left standing.
 *
 *   hostile control            overwrites the first slots of the control region
 *   hostile control-race SEED  writes noise there while another thread makes calls
 *   hostile shared             writes to the page that all stubs read
 *   hostile jump SEED          jumps into the stub's code at many places, each in a child
 *   hostile calls              makes each system call from the stub's code: which does the host let pass?
 *   hostile unmap              unmaps, protects and maps over both
 *   hostile stack              makes a call with a stack pointer into the control region
 *   hostile stray              makes a process of its own of a fork that the Sentry has ordered
 *   hostile orders             has the Sentry order forks in many processes, and makes none
 *   hostile undead             runs on after its end
 *   hostile emptied            says that its process is empty, and runs on
 *   hostile sleeper            says that its process is empty, and runs on after a while
 *   hostile read-only          writes through a mapping of a file that it may only read
 *   hostile sealed             writes through a mapping that it said was gone when the file was sealed
 *   hostile unmade             says that a fork has failed whose child has come and gone
 *   hostile notes              says that it has moved and closed what nobody can, by itself
 *   hostile flood              sends the Sentry as many descriptors as the host lets a user have on their way
 *   hostile hoard              takes none of the descriptors that it is sent to map
 *   hostile files              maps many files of its own
 *   hostile open               has many files open in many processes, and looks at many directories
 *   hostile texts              maps many parts of a file as code
 *   hostile answers            says who finds a path that root has looked up in what stubs may know of paths
 *   hostile look NAME          says whether NAME finds it
 *   hostile remains            looks, with few rights, for what processes with more have left in the control region
 *   hostile speak [UID]        passes a secret to a call, and becomes UID
 *   hostile listen             looks for the secret
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTROL 0x7ffff7d40000ul /* The first four slots: they are counted from the end. */
#define SLOT 0x40000ul
#define SHARED 0x7ffff7f20000ul
#define STUB 0x7ffff7f00000ul
#define STUB_SPAN 0x4000
#define ANSWERS 0x7ffff8000000ul
#define ANSWERS_SPAN 0x511000ul

static sigjmp_buf escape;
static void on_fault(int sig) { siglongjmp(escape, sig); }

/* Writes a word, and tells whether that was possible. */
static int poke(uintptr_t at, uint64_t value) {
  if (sigsetjmp(escape, 1) != 0) return 0;
  *(volatile uint64_t *)at = value;
  return 1;
}

static uint64_t noise(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 13;
}

static void control(void) {
  int written = 0;
  for (uintptr_t at = CONTROL; at < CONTROL + 4 * SLOT; at += 8) {
    if (poke(at, 0x4141414141414141)) written++;
    else at = (at | 4095) + 1 - 8; /* The rest of the page is not there either. */
  }
  printf("wrote %s\n", written ? "something" : "nothing");
  getppid();
}

static void *many_calls(void *argument) {
  for (int i = 0; i < 100000; i++) getppid();
  return argument;
}

static void shared(void) {
  for (uintptr_t at = SHARED; at < SHARED + 0x2000; at += 8) poke(at, 0x4141414141414141);
  for (uintptr_t at = ANSWERS; at < ANSWERS + ANSWERS_SPAN; at += 512) poke(at, 0x4141414141414141);
  getppid();
}

/* In a child: rubbish in all registers, then the stub's code. */
__attribute__((noreturn)) static void jump(uintptr_t to, uint64_t *seed) {
  static const int numbers[] = {SYS_kill,  SYS_exit, SYS_mmap,   SYS_munmap,  SYS_clone,  SYS_execve, SYS_open,
                                SYS_futex, SYS_tgkill, SYS_recvmsg, SYS_close, SYS_socket, SYS_rt_sigreturn};
  uint64_t rax = numbers[noise(seed) % (sizeof numbers / sizeof *numbers)];
  uint64_t rdi = noise(seed) % 3 ? noise(seed) : -1ul, rsi = noise(seed) % 70, rdx = noise(seed);
  register uint64_t r10 __asm__("r10") = noise(seed);
  register uint64_t r8 __asm__("r8") = noise(seed);
  __asm__ volatile("mov %[to], %%r15; xor %%ebx, %%ebx; xor %%ebp, %%ebp; jmp *%%r15" ::[to] "r"(to), "a"(rax),
                   "D"(rdi), "S"(rsi), "d"(rdx), "r"(r10), "r"(r8)
                   : "r15", "rbx", "memory");
  __builtin_unreachable();
}

/* Waits for a child and kills it then; whatever it does, it must be gone. */
static void end(pid_t pid, int wait_ms) {
  int status;
  for (int waited_ms = 0; waited_ms < wait_ms; waited_ms += 5) {
    if (waitpid(pid, &status, WNOHANG) == pid) return;
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  kill(pid, SIGKILL);
  if (waitpid(pid, &status, 0) != pid) puts("a child cannot be waited for");
}

static __attribute__((noreturn)) void race(uint64_t seed) {
  pthread_t thread;
  pthread_create(&thread, NULL, many_calls, NULL);
  /* Where there is no control region every write is a signal, and some thousand show as much. */
  for (int i = 0, faults = 0; i < 200000 && faults < 3000; i++) {
    uintptr_t at = CONTROL + noise(&seed) % (4 * SLOT);
    if (i % 2) at = CONTROL + noise(&seed) % 4 * SLOT + noise(&seed) % 0x600; /* The busiest part. */
    faults += !poke(at & ~7ul, i % 3 ? noise(&seed) % 64 : noise(&seed));
  }
  _exit(0);
}

/* In a child: what it makes of itself may be a call that waits for ever. */
static void control_race(uint64_t seed) {
  pid_t pid = fork();
  if (pid == 0) race(seed);
  end(pid, 3000);
}

static void jump_around(uint64_t seed) {
  for (int i = 0; i < 120; i++) {
    uintptr_t to = STUB + noise(&seed) % STUB_SPAN;
    pid_t pid = fork();
    if (pid == 0) {
      signal(SIGSEGV, SIG_DFL);
      signal(SIGBUS, SIG_DFL);
      jump(to, &seed);
    }
    noise(&seed);
    if (pid > 0) end(pid, 200);
  }
  puts("jumped");
}

/* `syscall; ret` in the stub's code, as the end of its stub_call; 0 where there is none. */
static uintptr_t host_call(void) {
  static const uint8_t end[] = {0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05, 0xc3};
  if (sigsetjmp(escape, 1) != 0) return 0;
  for (uintptr_t at = STUB; at + sizeof end <= STUB + STUB_SPAN; at++)
    if (memcmp((void *)at, end, sizeof end) == 0) return at + 5;
  return 0;
}

/* In a child: a call from stub text with -1 for each argument. Whether it came back. */
static int passes(uintptr_t from, uint64_t number) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGSEGV, SIG_DFL);
    register uint64_t r10 __asm__("r10") = -1ul, r8 __asm__("r8") = -1ul, r9 __asm__("r9") = -1ul;
    __asm__ volatile("call *%[from]" : "+a"(number) : [from] "r"(from), "D"(-1ul), "S"(-1ul), "d"(-1ul), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    _exit(0);
  }
  waitpid(pid, &status, 0);
  return WIFEXITED(status);
}

static void calls(void) {
  uintptr_t from = host_call();
  if (from == 0) {
    puts("there is no stub");
    return;
  }
  for (int number = 0; number < 480; number++) {
    if (number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn) continue;
    if (!passes(from, number)) continue;
    printf("%d%s\n", number, passes(from, number | 0x40000000) ? ", also of x32" : "");
  }
}

static void unmap(void) {
  static const uintptr_t regions[] = {CONTROL, SHARED, STUB, ANSWERS};
  for (int i = 0; i < 4; i++) {
    void *at = (void *)regions[i];
    munmap(at, SLOT);
    mprotect(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    mmap(at, SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mremap(at, 4096, 8192, MREMAP_MAYMOVE);
    madvise(at, 4096, MADV_DONTNEED);
    getppid();
  }
  puts("unmapped");
}

static const char *const secret = "/nowhere/a-path-of-roots";

/* Whether the path stands in memory that is not the program's own. */
static void look(const char *who) {
  size_t length = strlen(secret);
  int found = 0;
  if (sigsetjmp(escape, 1) == 0)
    for (uintptr_t at = ANSWERS; at < ANSWERS + ANSWERS_SPAN - length && !found; at++)
      found = memcmp((void *)at, secret, length) == 0;
  printf("%s finds %s\n", who, found ? "it" : "nothing");
  fflush(stdout);
}

static void *become_another(void *unused) {
  if (syscall(SYS_setresuid, 1234, 1234, 1234) != 0) puts("cannot become another");
  return unused;
}

/* In a process that can have no more mappings. */
static void *become_another_crowded(void *unused) {
  enum { MOST = 100000, PAGE = 4096 };
  char *at = mmap(NULL, (size_t)MOST * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (long i = 1; i < MOST && mprotect(at + i * PAGE, PAGE, PROT_NONE) == 0; i += 2) {}
  for (int i = 0; mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED && i < 100; i++) {}
  return become_another(unused);
}

static void answers(char *program) {
  for (int i = 0; i < 5; i++)
    if (access(secret, F_OK) == 0) puts("it is there");
  look("root");
  for (int i = 0; i < 6; i++) {
    pid_t pid = fork();
    if (pid > 0) {
      waitpid(pid, NULL, 0);
      continue;
    }
    pthread_t thread;
    if (i == 0) look("root's child");
    if (i == 1 && chroot("/tmp") == 0) look("a process with another root");
    if (i == 2) {
      pthread_create(&thread, NULL, become_another, NULL);
      pthread_join(thread, NULL);
      look("a process with a thread of another user");
    }
    if (i == 4) {
      become_another_crowded(NULL);
      look("another user with all mappings");
    }
    if (i == 5) {
      pthread_create(&thread, NULL, become_another_crowded, NULL);
      pthread_join(thread, NULL);
      look("a process with such a thread");
    }
    if (i == 3) {
      become_another(NULL);
      look("another user");
      execl("/proc/self/exe", program, "look", "another user's program", NULL); /* Its path may be root's alone. */
    }
    _exit(0);
  }
  look("root again");
}

/* The first slot, see slot.h. */
#define SHARED_SLEEPING 0x0
#define SLOT_ZERO (CONTROL + 3 * SLOT)
#define STATE_SENTRY 1
#define STATE_REPLY 2
#define EVENT_SYSCALL 1
#define EVENT_CALL_FAILED 4
#define EVENT_FLUSHED 6
#define REPLY_FLUSH 2
#define REPLY_PARK 4
#define FORK_COMMAND 7
#define COMMANDS 0x280
#define COMMAND_SIZE 64
static volatile long *beats; /* Of the stray's heart. */
static uint64_t stray_stack[512] __attribute__((aligned(64)));

static __attribute__((noreturn)) void stray_heart(void) {
  for (;;) ++*beats;
}

/* Where the stub has a system call that returns to its caller, 0: nowhere. */
static uintptr_t stub_call(void) {
  static uintptr_t known;
  if (known != 0 || sigsetjmp(escape, 1) != 0) return known;
  for (uintptr_t at = STUB; at < STUB + STUB_SPAN && known == 0; at++)
    if (memcmp((void *)at, "\x0f\x05\xc3", 3) == 0) known = at;
  return known;
}

/* There is none natively, nor on another platform. What `publish` needs is looked up before. */
static int has_slot(void) { return poke(SLOT_ZERO + 0x110, 0) && stub_call() != 0; }

/* A host call from the stub's code, which its filter takes for the stub's. */
static long call_as_stub(long number, long a, long b, long c, long d) {
  uintptr_t call = stub_call();
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = 0;
  __asm__ volatile("call *%[call]"
                   : "+a"(number)
                   : [call] "r"(call), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return number;
}

/* Publishes an event of the first slot, and waits until it is answered. */
static void publish(uint32_t event) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  slot[2] = event;
  __atomic_store_n(slot, STATE_SENTRY, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(slot, __ATOMIC_SEQ_CST) == STATE_SENTRY)
    call_as_stub(SYS_futex, SHARED + SHARED_SLEEPING, 1 /* FUTEX_WAKE */, 1, 0);
}

/* Asks for a fork without its stub's help, up to where that would make it. */
static void order_fork(void) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  volatile uint64_t *regs = (void *)(SLOT_ZERO + 0x40);
  if (!has_slot()) _exit(0);
  regs[0] = regs[20] = slot[8] = SYS_fork;
  publish(EVENT_SYSCALL);
  for (;;) {
    for (uint32_t i = 0; i < slot[4]; i++)
      if (*(volatile uint32_t *)(SLOT_ZERO + COMMANDS + i * COMMAND_SIZE) == FORK_COMMAND) return;
    publish(EVENT_FLUSHED); /* Whatever was to be done before. */
  }
}

/* Makes a process of its own of what is let through. */
static __attribute__((noreturn)) void make_stray(void) {
  uintptr_t call = stub_call();
  stray_stack[400] = (uintptr_t)stray_heart;
  order_fork();
  long result = SYS_clone;
  register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0;
  __asm__ volatile("call *%[call]"
                   : "+a"(result)
                   : [call] "r"(call), "D"(0x8000l /* CLONE_PARENT */), "S"(&stray_stack[400]), "d"(0l), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  for (;;) pause();
}

/* Ends for the Sentry, and runs on; says at once that it has done all that it was told with `flags`. */
static __attribute__((noreturn)) void run_on(uint32_t flags) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  volatile uint64_t *regs = (void *)(SLOT_ZERO + 0x40);
  if (!has_slot()) _exit(0);
  regs[0] = regs[20] = slot[8] = SYS_exit_group;
  slot[2] = EVENT_SYSCALL;
  __atomic_store_n(slot, STATE_SENTRY, __ATOMIC_SEQ_CST);
  for (;; ++*beats)
    if (__atomic_load_n(slot, __ATOMIC_SEQ_CST) == STATE_REPLY && (slot[3] & ~flags) == REPLY_FLUSH) {
      slot[2] = EVENT_FLUSHED;
      __atomic_store_n(slot, STATE_SENTRY, __ATOMIC_SEQ_CST);
    }
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Is at rest until the Sentry has looked at it, and then notes when its heart beats. */
static __attribute__((noreturn)) void sleep_first(void) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  volatile uint64_t *regs = (void *)(SLOT_ZERO + 0x40);
  struct timespec look = {0, 700000000};
  uint32_t never = 0;
  if (!has_slot()) _exit(0);
  regs[0] = regs[20] = slot[8] = SYS_exit_group;
  slot[2] = EVENT_SYSCALL;
  __atomic_store_n(slot, STATE_SENTRY, __ATOMIC_SEQ_CST);
  for (int is_last = 0; !is_last;) {
    while (__atomic_load_n(slot, __ATOMIC_SEQ_CST) != STATE_REPLY) continue;
    is_last = slot[3] & REPLY_PARK;
    slot[2] = EVENT_FLUSHED;
    __atomic_store_n(slot, STATE_SENTRY, __ATOMIC_SEQ_CST);
  }
  call_as_stub(SYS_futex, (long)&never, 0 /* FUTEX_WAIT */, 0, (long)&look);
  for (;;) *beats = now_ms();
}

/* Natively it pauses as well. */
static __attribute__((noreturn)) void order_and_wait(void) {
  uint32_t never = 0;
  if (!has_slot())
    for (;;) pause();
  order_fork();
  for (;;) call_as_stub(SYS_futex, (long)&never, 0 /* FUTEX_WAIT */, 0, 0);
}

static __attribute__((noreturn)) void make_undead(void) { run_on(0); }
static __attribute__((noreturn)) void make_emptied(void) { run_on(~REPLY_FLUSH); }

/* When its family has been killed, nothing of it may be left. */
static int outlive(void (*deed)(void)) {
  beats = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    deed();
  }
  setpgid(pid, pid);
  nanosleep(&(struct timespec){0, 500000000}, NULL);
  kill(-pid, SIGKILL);
  waitpid(pid, NULL, 0);
  puts(*beats ? "its heart beats" : "it has no heart");
  for (int i = 0; i < 150; i++) {
    long before = *beats;
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    if (*beats == before) return 0;
  }
  return 200;
}

/* Nothing happens in the sandbox meanwhile. */
static int outlive_idle(void (*deed)(void)) {
  beats = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) deed();
  waitpid(pid, NULL, 0);
  nanosleep(&(struct timespec){3, 0}, NULL);
  if (*beats == 0) return puts("it has no heart") < 0;
  puts("its heart beat");
  return now_ms() - *beats > 500 ? 0 : 200;
}

/* In a child of another user: reads what root has written, and writes. */
static __attribute__((noreturn)) void write_mapped(const char *path, int flags) {
  int fd = open(path, O_RDONLY);
  if (syscall(SYS_setresuid, 1234, 1234, 1234) != 0) _exit(1);
  char *at = mmap(NULL, 4096, PROT_READ, flags, fd, 0);
  if (at == MAP_FAILED) _exit(2);
  if (stub_call() != 0) call_as_stub(SYS_mprotect, (long)at, 4096, PROT_READ | PROT_WRITE, 0);
  if (sigsetjmp(escape, 1) == 0) *(volatile char *)at = 'X';
  _exit(0);
}

static int read_only(void) {
  static const int flags[] = {MAP_SHARED, MAP_PRIVATE};
  char path[] = "/tmp/hostileXXXXXX", text[4] = "";
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, "yes", 3) != 3 || fchmod(fd, 0644) != 0) return 200;
  for (int i = 0; i < 2; i++) {
    pid_t pid = fork();
    if (pid == 0) write_mapped(path, flags[i]);
    int status;
    waitpid(pid, &status, 0);
    if (status != 0) return 201;
  }
  unlink(path);
  return pread(fd, text, 3, 0) == 3 && strcmp(text, "yes") == 0 ? 0 : 202;
}

/* Has the Sentry take a mapping for gone. */
static void pretend_munmap(void *at, size_t length) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  volatile uint64_t *regs = (void *)(SLOT_ZERO + 0x40);
  regs[0] = regs[20] = slot[8] = SYS_munmap;
  regs[1] = (uintptr_t)at, regs[2] = length;
  for (publish(EVENT_SYSCALL); slot[3] & REPLY_FLUSH;) publish(EVENT_FLUSHED);
}

static int sealed(void) {
  char text[4] = "";
  int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, 4096) != 0) return 200;
  char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *place = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED || place == MAP_FAILED) return 201;
  strcpy(at, "yes");
  if (has_slot()) pretend_munmap(at, 4096);
  else munmap(at, 4096);
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0) return 202;
  char *seen = mmap(place, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  if (seen == MAP_FAILED) return 203;
  if (sigsetjmp(escape, 1) == 0) strcpy(at, "no");
  return pread(fd, text, 4, 0) == 4 && strcmp(text, "yes") == 0 && strcmp(seen, "yes") == 0 ? 0 : 204;
}

/* Without a call to the Sentry. */
static void compute_ms(int ms) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

/* In a child: until the socket is full, or the host has enough. */
static __attribute__((noreturn)) void send_descriptors(void) {
  enum { AT_ONCE = 253, SOCKET = 3 };
  static union { char bytes[CMSG_SPACE(AT_ONCE * sizeof(int))]; struct cmsghdr head; } control;
  char byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  control.head = (struct cmsghdr){CMSG_LEN(AT_ONCE * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  for (int i = 0; i < AT_ONCE; i++) ((int *)CMSG_DATA(&control.head))[i] = SOCKET;
  if (stub_call() != 0)
    while (call_as_stub(SYS_sendmsg, SOCKET, (long)&message, MSG_DONTWAIT, 0) >= 0) continue;
  for (;;) pause();
}

/* In a child: asks for mappings, and does not do its part. */
static __attribute__((noreturn)) void take_nothing(void) {
  enum { CALL = 8, PREFETCHED = 5, REPLY = 3 };
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  volatile uint64_t *regs = (void *)(SLOT_ZERO + 0x40);
  int fd = open("/etc/passwd", O_RDONLY);
  uint64_t at = (uint64_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  for (int i = 0; i < 300 && has_slot(); i++) {
    regs[0] = regs[20] = slot[CALL] = SYS_mmap;
    regs[1] = at, regs[2] = 4096, regs[3] = PROT_READ, regs[4] = MAP_PRIVATE | MAP_FIXED, regs[5] = fd, regs[6] = 0;
    slot[PREFETCHED] = 0;
    for (publish(EVENT_SYSCALL); slot[REPLY] & REPLY_FLUSH;) publish(EVENT_FLUSHED);
  }
  for (;;) pause();
}

static int skipped; /* Files that others have open. */

static int open_entry(const char *path, const struct stat *unused, int type, struct FTW *where) {
  (void)unused, (void)where;
  if (type != FTW_F && type != FTW_D) return 0;
  if (--skipped >= 0) return 0;
  return open(path, O_RDONLY | O_NONBLOCK) < 0 && errno != EACCES;
}

static __attribute__((noreturn)) void open_all(void) {
  nftw("/usr", open_entry, 10, FTW_PHYS);
  for (;;) pause();
}

/* While many do the deed, others run programs. */
static int amid(int count, void (*deed)(void)) {
  pid_t children[count];
  int strange = 0;
  for (int i = 0; i < count; i++, skipped += 200)
    if ((children[i] = fork()) == 0) deed();
  nanosleep(&(struct timespec){1, 0}, NULL);
  for (int i = 0; i < 5; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      execl("/bin/true", "true", NULL);
      _exit(1);
    }
    int status;
    strange |= pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
  }
  for (int i = 0; i < count; i++) kill(children[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(children[i], NULL, 0);
  return strange ? 200 : 0;
}

/* Until there can be no more. */
static void files(void) {
  char path[64];
  for (int i = 0; i < 1000; i++) {
    snprintf(path, sizeof path, "/tmp/hostile-%d", i);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0) return;
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED) return;
    close(fd);
  }
}

static void texts(void) {
  enum { PAGE = 4096, PAGES = 1000, ROOM = 17 * PAGE };
  int fd = open("/tmp/hostile-text", O_CREAT | O_RDWR, 0700);
  char *at = mmap(NULL, PAGES * PAGE + ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fd < 0 || ftruncate(fd, PAGES * PAGE) != 0 || at == MAP_FAILED) return;
  for (int i = 0; i < PAGES; i++) {
    munmap(at, PAGES * PAGE + ROOM);
    mmap(at, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    mmap(at + i * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, i * PAGE);
  }
}

static void unmade(void) {
  volatile uint32_t *slot = (void *)SLOT_ZERO;
  if (!has_slot()) return;
  if (fork() == 0) _exit(0);
  compute_ms(300);
  slot[0x10c / 4] = 0;
  *(volatile int64_t *)(SLOT_ZERO + 0x110) = -12; /* ENOMEM */
  publish(EVENT_CALL_FAILED);
}

/* Where a thread says that it has left the file that it was given last, and what it has closed. */
enum { SLOT_CLOSED = 0x25c, SLOT_AT = 0x260, SLOT_KNOWN = 0x268, SLOT_MOVED = 0x26e };

static void note_position(int fd, int64_t at) {
  *(volatile int64_t *)(SLOT_ZERO + SLOT_AT) = at;
  *(volatile uint32_t *)(SLOT_ZERO + SLOT_KNOWN) = fd + 1;
  *(volatile uint16_t *)(SLOT_ZERO + SLOT_MOVED) = 1;
}

static void note_and_read(const char *path, int64_t at) {
  static char text[65536];
  int fd = -1;
  for (int i = 0; i < 8; i++) { /* What is read often is kept by the Sentry. */
    close(fd);
    fd = open(path, O_RDONLY);
    read(fd, text, 100);
  }
  note_position(-1, at);
  getppid();
  note_position(fd, at);
  read(fd, text, 100);
  note_position(fd, at);
  read(fd, text, sizeof text);
  note_position(fd, at);
  lseek(fd, 0, SEEK_CUR);
  note_position(fd, at);
  syscall(SYS_getdents64, fd, text, sizeof text);
  note_position(fd, at);
  *(volatile uint32_t *)(SLOT_ZERO + SLOT_CLOSED) = -1;
  getppid();
  _exit(0);
}

static void notes(const char *self) {
  static const int64_t places[] = {-1, -100, -65536, INT64_MIN, INT64_MAX, INT64_MIN + 1, 1l << 53, (1l << 53) + 2, 1l << 32};
  if (!has_slot()) return;
  for (size_t i = 0; i < 2 * sizeof places / sizeof *places; i++) {
    pid_t pid = fork();
    if (pid == 0) note_and_read(i % 2 ? "/usr/bin" : self, places[i / 2]);
    end(pid, 3000);
  }
}

static void stack(void) {
  uintptr_t at = CONTROL + 0x800;
  long result = SYS_getppid;
  __asm__ volatile("mov %%rsp, %%r12; mov %1, %%rsp; syscall; mov %%r12, %%rsp"
                   : "+a"(result) : "r"(at) : "r12", "rcx", "r11", "memory");
  puts("called");
}

/* What no other call passes. It is put together where it is used, so that it lies nowhere else. */
#define SECRET_LENGTH 4000
static char whispered(int i) { return 'a' + (i * 7 + i / 26) % 26; }

static void speak(const char *uid) {
  char *text = malloc(SECRET_LENGTH);
  for (int i = 0; i < SECRET_LENGTH; i++) text[i] = whispered(i);
  int fd = open("/dev/null", O_WRONLY);
  for (int i = 0; i < 5; i++) write(fd, text, SECRET_LENGTH);
  close(fd);
  memset(text, 0, SECRET_LENGTH);
  if (uid) setuid(atoi(uid));
}

static int listen_for_secret(void) {
  const volatile char *slot = (char *)SLOT_ZERO;
  if (sigsetjmp(escape, 1)) return 0;
  for (long at = 0; at < (long)SLOT - SECRET_LENGTH; at++) {
    int i = 0;
    while (i < SECRET_LENGTH / 4 && slot[at + i] == whispered(i)) i++;
    if (i == SECRET_LENGTH / 4) return 1;
  }
  return 0;
}

static int outcome(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void run_self(int program, const char *mode, const char *uid) {
  char *argv[] = {"hostile", (char *)mode, (char *)uid, NULL};
  syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
  _exit(0);
}

static int remains(const char *self) {
  enum { ROUNDS = 6, ANOTHER = 1000 };
  if (getuid() != 0) return 0;
  int program = open(self, O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = fork(); /* A child, and its sibling. */
    if (pid == 0) speak(NULL), _exit(0);
    outcome(pid);
    if ((pid = fork()) == 0) _exit(setuid(ANOTHER) == 0 && listen_for_secret());
    if (outcome(pid)) return 205;
    if ((pid = fork()) == 0) run_self(program, "speak", NULL); /* A program, and another. */
    outcome(pid);
    if ((pid = fork()) == 0 && setuid(ANOTHER) == 0) run_self(program, "listen", NULL);
    if (outcome(pid)) return 206;
    if ((pid = fork()) == 0) run_self(program, "speak", "1000"); /* One that gives its rights up. */
    outcome(pid);
    if ((pid = fork()) == 0 && setuid(ANOTHER) == 0) run_self(program, "listen", NULL);
    if (outcome(pid)) return 207;
    if ((pid = fork()) == 0) { /* And listens by itself. */
      speak("1000");
      _exit(listen_for_secret());
    }
    if (outcome(pid)) return 208;
  }
  return 0;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (strcmp(mode, "control") == 0) control();
  else if (strcmp(mode, "control-race") == 0) control_race(seed);
  else if (strcmp(mode, "shared") == 0) shared();
  else if (strcmp(mode, "jump") == 0) jump_around(seed);
  else if (strcmp(mode, "calls") == 0) calls();
  else if (strcmp(mode, "unmap") == 0) unmap();
  else if (strcmp(mode, "stack") == 0) stack();
  else if (strcmp(mode, "stray") == 0) return outlive(make_stray);
  else if (strcmp(mode, "undead") == 0) return outlive(make_undead);
  else if (strcmp(mode, "emptied") == 0) return outlive(make_emptied);
  else if (strcmp(mode, "sleeper") == 0) return outlive_idle(sleep_first);
  else if (strcmp(mode, "read-only") == 0) return read_only();
  else if (strcmp(mode, "flood") == 0) return amid(6, send_descriptors);
  else if (strcmp(mode, "sealed") == 0) return sealed();
  else if (strcmp(mode, "orders") == 0) return amid(300, order_and_wait);
  else if (strcmp(mode, "hoard") == 0) return amid(100, take_nothing);
  else if (strcmp(mode, "open") == 0) return amid(3, open_all);
  else if (strcmp(mode, "files") == 0) files();
  else if (strcmp(mode, "texts") == 0) texts();
  else if (strcmp(mode, "unmade") == 0) unmade();
  else if (strcmp(mode, "notes") == 0) notes(argv[0]);
  else if (strcmp(mode, "answers") == 0) answers(argv[0]);
  else if (strcmp(mode, "remains") == 0) return remains(argv[0]);
  else if (strcmp(mode, "speak") == 0) speak(argc > 2 ? argv[2] : NULL);
  else if (strcmp(mode, "listen") == 0) return listen_for_secret();
  else if (strcmp(mode, "look") == 0) look(argv[2]);
  else return 2;
  return 0;
}
