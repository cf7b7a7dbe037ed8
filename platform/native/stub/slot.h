// The memory that a stub process and the Sentry share: one control region per guest address space,
// cut into slots, one per host thread. platform/systrap/slot.ts mirrors the offsets, and a test
// compares the two. Guest code can write all of it: the Sentry reads each value once and checks it.
#ifndef DVISOR_SLOT_H
#define DVISOR_SLOT_H

// Where things lie in every guest address space. All of it is at or above TASK_SIZE_GUEST.
#define TASK_SIZE_GUEST 0x7ffd00000000
// Slot 0 (the last of the control region), text, shared page and vDSO lie within 2 MiB: one page table.
#define CONTROL_BASE 0x7ffef7e40000
#define CONTROL_SIZE 0x100000000
#define SHARED_BASE 0x7ffff7f20000
#define SHARED_SIZE 0x2000
#define STUB_BASE 0x7ffff7f00000
// Under ptrace: `syscall; int3` for injected calls, and a private scratch page for their operands,
// the zygote's stack at first.
#define INJECT_ADDR STUB_BASE
#define SCRATCH_BASE SHARED_BASE

#define SLOT_SHIFT 18
#define SLOT_SIZE (1 << SLOT_SHIFT)
#define SLOT_MAX (CONTROL_SIZE >> SLOT_SHIFT)

// Ownership of a slot (field `state`).
#define STATE_GUEST 0   // the host thread runs guest code, or the stub on its behalf
#define STATE_SENTRY 1  // published: the Sentry may read and write the slot
#define STATE_REPLY 2   // the Sentry's answer is complete

#define EVENT_SYSCALL 1
#define EVENT_FAULT 2
#define EVENT_INTERRUPT 3
#define EVENT_CALL_FAILED 4
#define EVENT_LOST 5
#define EVENT_FLUSHED 6
#define EVENT_NOTED 7 // as EVENT_SYSCALL; before it, what `defaulted`, `moved` and `closed` say was done
#define EVENT_QUIT 8 // as EVENT_NOTED, of exit_group(2): no answer is waited for

#define REPLY_FULL 1   // load every register, not rax alone
#define REPLY_FLUSH 2  // perform the commands and come back
#define REPLY_PARK 4   // sleep at once: no answer is near

// Commands: operation and up to six arguments.
#define CMD_CALL 1      // host system call nr(a0..a5); negative result fails the batch
#define CMD_MMAP_FD 2   // receives descriptors; mmap(a0..a3, the a4th of them, a5); they are closed at the end of the batch
#define CMD_COPY_OUT 3  // copy a1 bytes from slot offset a2 to guest address a0
#define CMD_ZERO 4      // zero a1 bytes at guest address a0
#define CMD_SAVE_FP 5   // XSAVE image of a1 bytes with components a2 to guest address a0
#define CMD_LOAD_FP 6   // XSAVE image from guest address a0, 0: initial state with control words a1, a2
#define CMD_FORK 7      // fork; two fds (control memfd, socket) are waiting on the socket
#define CMD_THREAD 8    // new thread on the slot with index a0
#define CMD_EXIT 9      // a0: 0 this thread, 1 the process
#define CMD_CALL_RESULT 10  // as CMD_CALL, any result, stored in `result`
#define CMD_MMAP_SAME 11    // as CMD_MMAP_FD, of those that the last one received
#define CMD_COPY_IN 12      // copy a1 bytes from guest address a0 to slot offset a2; `result` is how many were

// The first 64 bytes are one cache line, and all that a call without operands in memory moves: between
// processors each line costs twice 100 ns.
#define SLOT_REGS 0x40
#define REG(n) (SLOT_REGS + 8 * (n))
#define SLOT_ENTRY 0xf8
#define SLOT_SELF 0x100
#define SLOT_INTR 0x28
#define SLOT_MXCSR 0xe8
#define SLOT_FCW 0xec
#define SLOT_FP 0xf0
#define SLOT_COMMANDS 0x280
#define SLOT_COMMAND_MAX 48
#define SLOT_ALTSTACK 0x1000
#define SLOT_STACK_TOP 0x6000
#define SLOT_ALTSTACK_END 0xa000
#define SLOT_HEAD 0xa000        // the beginning of the file opened last
#define SLOT_HEAD_SIZE 0x6000
#define SLOT_ARENA_IN 0x10000
#define SLOT_ARENA_OUT 0x28000
#define SLOT_PREFETCH_MAX 8
// Addresses, among what is prefetched, where no guest memory is:
#define USAGE_ADDR 0x100    // getrusage(2) of the process
#define CPU_TIME_ADDR 0x200 // the thread's CPU time

#define FD_SOCKET 3
#define FDS_MAX 4       // in one message

// Shared page: written by the Sentry, read-only in every stub.
#define SHARED_SLEEPING 0x0     // u32 futex: 1 while the Sentry sleeps
#define SHARED_SPIN 0x40        // u32: pause iterations a stub spins for its answer, or SPIN_YIELDS
#define SHARED_CPU 0x44         // u32: where the Sentry runs or last ran
#define SHARED_PREFETCH 0x400   // u32[512] by system call number, see prefetch() in stub.c
#define SHARED_PREFETCH_COUNT 512
#define SHARED_LOCAL 0xc00      // u8[512] by system call number: what the stub does without the Sentry

// Answers, behind the shared page in its file, as read-only in every stub: what paths were found to be by those who
// have the sandbox's first credentials and root. Others have zeros there (Context.hideAnswers).
#define ANSWERS_BASE 0x7ffff8000000
#define ANSWERS_SIZE 0x511000
#define ANSWERS_GENERATION 0x0  // u32: answers of another one are void
#define ANSWERS_INDEX 0x1000    // u16[ANSWER_BUCKETS][ANSWER_WAYS]: 1 + the answer's number, 0 none; by hash
#define ANSWERS_FIRST 0x11000   // struct answer[ANSWER_COUNT]
#define ANSWER_BUCKETS 8192
#define ANSWER_WAYS 4
#define ANSWER_COUNT 16384
#define ANSWER_PATH_MAX 144
#define ANSWER_STAT_SIZE 144
#define ANSWER_HASH_START 0x811c9dc5u
#define ANSWER_HASH_STEP 0x01000193u
#define ANSWER_FOLLOW 1         // for calls that follow a symbolic link in the last component
#define ANSWER_NOFOLLOW 2       // for the others
#define WORD_TID 1              // words[]: what gettid(2) answers
#define WORD_VIEW 6             // words[]: 1 when the answers are this thread's
#define WORD_PLACE 7            // words[]: the number of its current directory, 0 none
#define WORD_UNTOUCHED 8        // words[] and the next: the signals whose action is all zeros
#define WORD_SOLE 10            // words[]: 1 when no other thread has the same signal actions
#define WORD_ROOM 11            // words[]: 1 when there is a free descriptor

#define QUIET_FDS 32            // the first descriptors: a bit each

#define SPIN_YIELDS 0xffffffffu // it yields the processor instead
#define YIELDS_MAX 4            // so often, then it sleeps

// Values of the local table; LOCAL_WORD + i: the answer is words[i].
#define LOCAL_NONE 0
#define LOCAL_FUTEX 1  // futex operations that need no owner go to the host
#define LOCAL_WAIT 2   // the call goes to the host; a signal ends it
#define LOCAL_CALL 3   // the call goes to the host and cannot block
#define LOCAL_PATH 4   // what the path is may be among the answers
#define LOCAL_ACTION 5 // sigaction(2) of a signal of WORD_UNTOUCHED: a question, or the default set once more
#define LOCAL_FUTEX2 6 // the futex calls of Linux 6.7: as operations of futex, which every host has
#define LOCAL_MASK 7   // sigprocmask(2)
#define LOCAL_ROBUST 8 // set_robust_list(2)
#define LOCAL_RSEQ 9    // rseq(2) of a thread that has no area yet
#define LOCAL_CLEAR_TID 10  // set_tid_address(2)
#define LOCAL_ADVICE 11 // madvise(2): MADV_DONTNEED of what is mapped
#define LOCAL_OPEN 12   // open(2), execve(2): the path may be known to lead nowhere
#define LOCAL_FILE 13   // close(2), fstat(2), lseek(2), ioctl(2), read(2), pread(2) of a descriptor of `quiet`
#define LOCAL_BREAK 14  // brk(2): where it is
#define LOCAL_LIMIT 15  // prlimit(2): RLIMIT_STACK, which the C library asks for
#define LOCAL_SEGMENT 16    // arch_prctl(2): ARCH_SET_FS
#define LOCAL_QUIT 17   // exit_group(2): the process ends at once
#define LOCAL_WORD 32

#ifndef __ASSEMBLER__
#include <stdint.h>

// The processor this thread runs on, from the segment limit that the kernel keeps for getcpu(2).
static inline uint32_t current_cpu(void) {
  uint32_t limit = 0;
  __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(0x7b) : "cc");
  return limit & 0xfff;
}

struct command {
  uint32_t op, nr;
  uint64_t a[6];
  uint64_t bytes;  // for CMD_COPY_OUT of a few
};

struct prefetched {
  uint64_t addr;
  uint32_t length, offset;
};

struct answer {
  uint32_t serial;      // another one for each use of the place; 0: no answer
  uint32_t hash;        // of place and path
  uint32_t generation;
  uint32_t place;       // the number of the directory in which a relative path starts, 0 for an absolute one
  uint32_t follow;      // ANSWER_*: whom it is for
  uint32_t length;      // of the path
  int32_t error;        // 0 or -ENOENT
  uint32_t pad;
  uint8_t stat[ANSWER_STAT_SIZE];  // struct stat, when there is no error
  uint8_t path[ANSWER_PATH_MAX];
};

struct slot {
  uint32_t state, sleeping, event, reply;   // 0x00 sleeping: 1 + the processor
  uint32_t ncommands, nprefetched;          // 0x10
  uint64_t rax;                             // 0x18 the guest's, when the reply is not REPLY_FULL
  uint32_t nr, signal_path;                 // 0x20 the call's number; 1: entered by a host signal
  uint32_t interrupted, waiting;            // 0x28 waiting: in a futex call of its own
  uint32_t unheard;                         // 0x30 the stub's own: the Sentry may not know of this slot yet
  uint32_t first;                           // the next batch begins with this command
  uint64_t up;                              // 0x38 time-stamp counter when it was up again after a sleep, 0: it did not sleep
  uint64_t regs[21];                        // 0x40
  uint32_t mxcsr, fcw;                      // 0xe8 FP control words at the last entry
  uint64_t fp_image;                        // 0xf0 address of the FP image, 0: live in the CPU
  uint64_t entry;                           // 0xf8 address of stub_entry, for trampolines
  uint64_t self;                            // 0x100
  uint32_t alive;                           // 0x108 cleared by the kernel at exit
  int32_t failed;                           // 0x10c index of the command that failed
  int64_t result;                           // 0x110 its errno, or CMD_CALL_RESULT's value
  struct prefetched prefetched[SLOT_PREFETCH_MAX];  // 0x118
  uint32_t host_tid, inherit_fp;            // 0x198
  int32_t fd_ready[FDS_MAX];                // 0x1a0 received for this slot, -1 none
  uint64_t vdso;                            // 0x1b0 set by the zygote
  uint32_t fd_lock, pad4;                   // 0x1b8 in slot 0: lock around recvmsg
  uint32_t words[16];                       // 0x1c0 answers the stub may give itself, ~0: none
  uint32_t fault_signal, fault_code;        // 0x200
  uint64_t fault_addr;                      // 0x208
  uint32_t fault_trapno, fault_error;       // 0x210
  uint64_t defaulted, restorer;             // 0x218 signals set to SIG_DFL, with this restorer: the Sentry is told later
  uint64_t blocked;                         // 0x228 the thread's signal mask, which either side changes while it has the slot
  uint64_t robust;                          // 0x230 the address of its robust list, 0 none; likewise
  uint32_t pending;                         // 0x238 1: a signal may be pending, so the Sentry must see each change of the mask
  uint32_t quits;                           // 1: it is its process's only thread, and the Sentry has no use for the process after it
  // Likewise, each 0 for none: the word to clear when the thread ends, its rseq area.
  uint64_t clear_tid, rseq;                 // 0x240
  uint32_t rseq_length, rseq_signature;     // 0x250
  // Descriptors, a bit each, of files open for reading whose closing nobody notices, in a table that no other thread
  // has; the Sentry may take bits back at any time. Then those that the thread has closed: the Sentry is told later.
  uint32_t quiet, closed;                   // 0x258
  // Of the one opened last: where it is, if `fresh` says that nothing has moved it but reads; 1 + its number; whether the
  // thread has moved it by itself, which the Sentry is told later, too; the answer,
  // 1 + its number, 0 none, that has its attributes; what of its data lies at SLOT_HEAD, while the answer is true.
  uint64_t at;                              // 0x260
  uint32_t known;                           // 0x268
  uint16_t fresh, moved;
  uint16_t answer, head;                    // 0x270
  uint32_t serial;
  uint64_t brk;                             // 0x278 where the break is, 0: not known
  struct command commands[SLOT_COMMAND_MAX];
  uint64_t stack_limit[2];                  // RLIMIT_STACK; a hard limit of 0: not known
  uint64_t read_bytes;                      // that the thread has read by itself, and in how many calls, since the
  uint32_t reads, pad7;                     // Sentry has asked
};
#endif
#endif
