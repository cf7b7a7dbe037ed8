#include "slot.h"

// Register numbers of slot.h, in the order of platform/arch/amd64/registers.ts.
#define RAX REG(0)
#define RDI REG(1)
#define RSI REG(2)
#define RDX REG(3)
#define R10 REG(4)
#define R8 REG(5)
#define R9 REG(6)
#define RBX REG(7)
#define RBP REG(8)
#define R12 REG(9)
#define R13 REG(10)
#define R14 REG(11)
#define R15 REG(12)
#define RSP REG(13)
#define RIP REG(14)
#define RFLAGS REG(15)
#define RCX REG(16)
#define R11 REG(17)
#define ORIG_RAX REG(20)

#define SYS_mmap 9
#define SYS_rt_sigreturn 15
#define SYS_close 3
#define SYS_clone 56
#define SYS_dup3 292
#define SYS_arch_prctl 158

.section .text.first, "ax"
.globl stub_start, stub_entry, resume_begin, resume_end, copy_begin, copy_fixup, copy_end

// At STUB_BASE: where the ptrace platform injects host calls (platform/native/host/ptrace.c).
inject:
  syscall
  int3

// The zygote starts here, exec'ed by libplatform; rsp is the kernel's initial stack.
stub_start:
  mov %rsp, %rdi
  and $-16, %rsp
  call zygote_main
  ud2

// A patched call site arrives here by way of its trampoline: rax is the system call number, rcx the
// return address, r11 free; GS points to the slot. Nothing may be pushed below the guest's rsp.
stub_entry:
  mov %rdi, %gs:RDI
  mov %gs:SLOT_SELF, %rdi
  mov %rsp, RSP(%rdi)
  lea SLOT_STACK_TOP(%rdi), %rsp
  pushfq
  popq RFLAGS(%rdi)
  cld
  mov %rax, RAX(%rdi)
  mov %rax, ORIG_RAX(%rdi)
  mov %rsi, RSI(%rdi)
  mov %rdx, RDX(%rdi)
  mov %r10, R10(%rdi)
  mov %r8, R8(%rdi)
  mov %r9, R9(%rdi)
  mov %rbx, RBX(%rdi)
  mov %rbp, RBP(%rdi)
  mov %r12, R12(%rdi)
  mov %r13, R13(%rdi)
  mov %r14, R14(%rdi)
  mov %r15, R15(%rdi)
  mov %rcx, RIP(%rdi)
  mov %rcx, RCX(%rdi)
  movq $0, SLOT_FP(%rdi)
  stmxcsr SLOT_MXCSR(%rdi)
  fnstcw SLOT_FCW(%rdi)
  mov %rdi, %rbx
  call stub_syscall
  mov %rbx, %rdi
  test %eax, %eax
  jnz resume_full
// From here to resume_end the slot holds the guest's whole state: a host signal that arrives in
// between abandons the resume and reports from the slot (see on_signal in stub.c).
resume_begin:
  cmpl $0, SLOT_INTR(%rbx)
  jne late_interrupt
  mov RDI(%rbx), %rdi
  mov RSI(%rbx), %rsi
  mov RDX(%rbx), %rdx
  mov R10(%rbx), %r10
  mov R8(%rbx), %r8
  mov R9(%rbx), %r9
  mov RAX(%rbx), %rax
  mov RFLAGS(%rbx), %r11
  mov RIP(%rbx), %rcx
  mov RSP(%rbx), %rsp
  mov RBX(%rbx), %rbx
  jmp *%rcx

// rdi: the slot. Loads the FP state if it is in memory, then every register, without a system call.
.globl resume_full
resume_full:
  cmpl $0, SLOT_INTR(%rdi)
  jne late_interrupt
  mov SLOT_FP(%rdi), %rcx
  test %rcx, %rcx
  jz 2f
  mov $-1, %eax
  mov $-1, %edx
  xrstor64 (%rcx)
2:pushfq
  andq $-0x4001, (%rsp)   // iretq faults while the guest's NT is set, now; the one to come may be
  popfq
  pushq $0x2b
  pushq RSP(%rdi)
  mov RFLAGS(%rdi), %rax
  and $0x254dd5, %eax
  or $0x202, %eax
  push %rax
  pushq $0x33
  pushq RIP(%rdi)
  mov RAX(%rdi), %rax
  mov RSI(%rdi), %rsi
  mov RDX(%rdi), %rdx
  mov R10(%rdi), %r10
  mov R8(%rdi), %r8
  mov R9(%rdi), %r9
  mov RBX(%rdi), %rbx
  mov RBP(%rdi), %rbp
  mov R12(%rdi), %r12
  mov R13(%rdi), %r13
  mov R14(%rdi), %r14
  mov R15(%rdi), %r15
  mov RCX(%rdi), %rcx
  mov R11(%rdi), %r11
  mov RDI(%rdi), %rdi
  iretq
resume_end:
// A host interrupt came while the stub was at work: report before the guest runs on.
late_interrupt:
  call stub_late_interrupt
  ud2

.globl signal_return
signal_return:
  mov $SYS_rt_sigreturn, %eax
  syscall
  ud2

// uint64_t stub_call(nr, a0, a1, a2, a3, a4, [rsp+8] a5): a host system call from stub text.
.globl stub_call
stub_call:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
  ret

// int64_t futex_call(slot): the guest's own call, by the host. A signal that arrives between the check
// and the call turns it into -EINTR: on_signal moves rip to the abort.
.globl futex_call, futex_begin, futex_syscall, futex_abort
futex_call:
  push %rbx
  mov %rdi, %rbx
  mov RDI(%rbx), %rdi
  mov RSI(%rbx), %rsi
  mov RDX(%rbx), %rdx
  mov R10(%rbx), %r10
  mov R8(%rbx), %r8
  mov R9(%rbx), %r9
  mov ORIG_RAX(%rbx), %eax
futex_begin:
  cmpl $0, SLOT_INTR(%rbx)
  jne futex_abort
futex_syscall:
  syscall
  pop %rbx
  ret
futex_abort:
  mov $-4, %rax
  pop %rbx
  ret

// uint64_t guest_copy(dst, src, n): returns the bytes NOT copied. A fault lands at copy_fixup.
.globl guest_copy, guest_zero
guest_copy:
  mov %rdx, %rcx
copy_begin:
  rep movsb
  jmp copy_fixup
guest_zero:
  mov %rsi, %rcx
  xor %eax, %eax
zero_begin:
  rep stosb
  jmp copy_fixup
// int64_t guest_string(dst, src, limit): copies up to and with the NUL. Returns its length without
// the NUL, `limit` when there was none, or -1 - copied at a fault.
.globl guest_string
guest_string:
  xor %eax, %eax
3:cmp %rdx, %rax
  jae 4f
string_load:
  movzbl (%rsi,%rax), %ecx
  mov %cl, (%rdi,%rax)
  test %ecx, %ecx
  jz 4f
  inc %rax
  jmp 3b
4:ret
.globl string_load, string_fixup
string_fixup:
  not %rax
  ret
copy_fixup:
  mov %rcx, %rax
  ret
copy_end:
// void fp_save(addr, components) / fp_load(addr): XSAVE images in guest memory; faults land at fp_fixup.
.globl fp_save, fp_load, fp_load_trusted, fp_begin, fp_fixup
fp_begin:
fp_save:
  mov %esi, %eax
  mov %rsi, %rdx
  shr $32, %rdx
  xsave64 (%rdi)
  xor %eax, %eax
  ret
fp_load:
  mov $-1, %eax
  mov $-1, %edx
  xrstor64 (%rdi)
  xor %eax, %eax
  ret
fp_fixup:
  mov $1, %eax
  ret
fp_load_trusted:
  mov $-1, %eax
  mov $-1, %edx
  xrstor64 (%rdi)
  ret

// int64_t stub_fork(memfd, sock): the child gives up the parent's control region before it touches
// any memory of it, since the stack lies there.
.globl stub_fork
stub_fork:
  push %r12
  push %r13
  mov %rdi, %r12
  mov %rsi, %r13
  mov $SYS_clone, %eax
  mov $0x00008000, %edi   // CLONE_PARENT, no exit signal
  xor %esi, %esi
  xor %edx, %edx
  xor %r10d, %r10d
  xor %r8d, %r8d
  syscall
  test %rax, %rax
  jz 5f
  pop %r13
  pop %r12
  ret
5:mov $SYS_mmap, %eax
  movabs $CONTROL_BASE, %rdi
  movabs $CONTROL_SIZE, %rsi
  mov $3, %edx
  mov $0x4011, %r10d      // MAP_SHARED|MAP_FIXED|MAP_NORESERVE
  mov %r12, %r8
  xor %r9d, %r9d
  syscall
  movabs $CONTROL_BASE, %rbx
  cmp %rbx, %rax
  jne 6f
  movabs $(CONTROL_BASE + CONTROL_SIZE - SLOT_SIZE), %rbx  // slot 0
  mov (%rbx), %eax        // Not a store: then the host maps the stack along with it, and what lies between.
  lea SLOT_STACK_TOP(%rbx), %rsp
  mov %rbx, %rdi
  mov %r12, %rsi
  mov %r13, %rdx
  call fork_child
6:ud2

// int64_t stub_thread(flags, slot, alive*): a new host thread that starts in thread_child on `slot`.
.globl stub_thread
stub_thread:
  mov %rdx, %r10          // child_tid: cleared at exit
  xor %edx, %edx
  xor %r8d, %r8d
  mov %rsi, %r9
  lea SLOT_STACK_TOP(%rsi), %rsi
  mov $SYS_clone, %eax
  syscall
  test %rax, %rax
  jz 7f
  ret
7:mov %r9, %rdi
  call thread_child
  ud2
.section .note.GNU-stack,"",@progbits
