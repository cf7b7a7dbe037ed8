// Seals the Sentry/Gofer process: from then on the host kernel takes from it, in every thread, only the
// calls below. Installed after the zygote and before the first guest instruction; the stubs have a
// filter of their own (they descend from the zygote).
//
// What is not listed is refused with EPERM. What no bug of ours could ask for ends the process.
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_futex_waitv  // Headers of before Linux 5.16 do not have it.
#define SYS_futex_waitv 449
#endif
#define X32_BIT 0x40000000
#define SEAL_ALLOW_PTRACE 1

static const uint16_t allowed[] = {
    // The runtime: memory, threads, waiting, clocks.
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_msync, SYS_mincore,
    SYS_pkey_alloc, SYS_pkey_free, SYS_pkey_mprotect, SYS_membarrier, SYS_rseq, SYS_set_robust_list,
    SYS_set_tid_address, SYS_futex, SYS_futex_waitv, SYS_restart_syscall, SYS_exit, SYS_exit_group,
    SYS_gettid, SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_getpgid, SYS_getpgrp, SYS_getsid,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_getpriority,
    SYS_getcpu, SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_times, SYS_getrusage, SYS_prlimit64,
    SYS_getrlimit, SYS_setrlimit, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep,
    SYS_nanosleep, SYS_gettimeofday, SYS_time, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_sigaltstack,
    SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_eventfd2,
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_poll,
    SYS_ppoll, SYS_select, SYS_pselect6,
    // Stubs: all of this pid namespace are ours.
    SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_wait4,
    SYS_waitid, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_memfd_create, SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom,
    SYS_getsockopt, SYS_setsockopt, SYS_shutdown, SYS_getsockname, SYS_getpeername,
    // Open files.
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev,
    SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_close, SYS_close_range, SYS_dup, SYS_dup2, SYS_dup3,
    SYS_pipe, SYS_pipe2, SYS_fcntl, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_fdatasync, SYS_sync_file_range,
    SYS_syncfs, SYS_ftruncate, SYS_fallocate, SYS_fadvise64, SYS_readahead, SYS_fchmod, SYS_fchown,
    SYS_getdents64, SYS_sendfile, SYS_copy_file_range, SYS_splice, SYS_tee, SYS_vmsplice,
    SYS_fgetxattr, SYS_fsetxattr, SYS_flistxattr, SYS_fremovexattr,
    // Names below a directory descriptor: this process sees the mounts it was given and no others.
    SYS_openat2, SYS_openat, SYS_readlink, SYS_getcwd, SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_faccessat2, SYS_readlinkat,
    SYS_mkdirat, SYS_mknodat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_fchmodat,
    SYS_fchownat, SYS_utimensat, SYS_umask,
#ifdef SYS_fchmodat2
    SYS_fchmodat2,
#else
    452,
#endif
};

// No program of ours makes these: whoever does has taken the process over.
static const uint16_t hostile[] = {
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns,
    SYS_unshare, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_mount_setattr, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
    SYS_kexec_file_load, SYS_bpf, SYS_perf_event_open, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
    SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
    SYS_quotactl, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_process_mrelease,
    SYS_pidfd_getfd, SYS_kcmp, SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    SYS_fork, SYS_vfork,
};

// Requests on the descriptors of the standard streams (a terminal's state and size), on files (clone
// for copy-up) and on the stubs' notification descriptor. TIOCSTI, which types for the user, is not one.
static const uint32_t ioctls[] = {
    TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCOUTQ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX,
    FICLONE, FICLONERANGE, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ID_VALID,
};

static const uint32_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_TIMERSLACK, 0x53564d41 /* PR_SET_VMA */};

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARG(i) LOAD(args[i])
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
// Skips `n` instructions unless the loaded word equals `value`.
#define UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)

struct program {
  struct sock_filter code[1024];
  unsigned length;
};

static void add(struct program *p, struct sock_filter instruction) {
  if (p->length < COUNT(p->code)) p->code[p->length++] = instruction;
}

// For call `nr`: allowed when argument `arg` is one of `values`, else EPERM.
static void add_argument_list(struct program *p, int nr, int arg, const uint32_t *values, unsigned count) {
  add(p, (struct sock_filter)UNLESS(nr, 2 * count + 2));
  add(p, (struct sock_filter)LOAD_ARG(arg));
  for (unsigned i = 0; i < count; i++) {
    add(p, (struct sock_filter)UNLESS(values[i], 1));
    add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
  }
  add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

// Threads, but no processes and no namespaces. glibc falls back to clone when clone3, whose flags a
// filter cannot see, is not there.
static void add_clone(struct program *p) {
  const uint32_t wanted = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
  const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                              CLONE_NEWUTS | CLONE_NEWCGROUP;
  add(p, (struct sock_filter)UNLESS(SYS_clone3, 1));
  add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
  add(p, (struct sock_filter)UNLESS(SYS_clone, 5));
  add(p, (struct sock_filter)LOAD_ARG(0));
  add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, wanted | namespaces));
  add(p, (struct sock_filter)UNLESS(wanted, 1));
  add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
  add(p, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
}

static void add_all(struct program *p, const uint16_t *numbers, unsigned count, uint32_t action) {
  for (unsigned i = 0; i < count; i++) {
    add(p, (struct sock_filter)UNLESS(numbers[i], 1));
    add(p, (struct sock_filter)RETURN(action));
  }
}

// Installs the filter in every thread. Returns 0 or -errno.
int dv_seal(int flags) {
  static struct program p;
  p.length = 0;
  add(&p, (struct sock_filter)LOAD(arch));
  add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  add(&p, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
  add(&p, (struct sock_filter)LOAD(nr));
  add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
  add(&p, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
  if (flags & SEAL_ALLOW_PTRACE) {
    add(&p, (struct sock_filter)UNLESS(SYS_ptrace, 1));
    add(&p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
  }
  // Calls without a look at their arguments cost nothing: the kernel keeps a bitmap of them.
  add_all(&p, allowed, COUNT(allowed), SECCOMP_RET_ALLOW);
  static const uint32_t unix_only[] = {AF_UNIX};
  add_argument_list(&p, SYS_socketpair, 0, unix_only, 1);
  add_argument_list(&p, SYS_ioctl, 1, ioctls, COUNT(ioctls));
  add_argument_list(&p, SYS_prctl, 0, prctls, COUNT(prctls));
  add_clone(&p);
  add_all(&p, hostile, COUNT(hostile), SECCOMP_RET_KILL_PROCESS);
  add(&p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
  if (p.length >= COUNT(p.code)) return -E2BIG;
  struct sock_fprog program = {p.length, p.code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  return r < 0 ? -errno : r > 0 ? -EBUSY : 0;
}
