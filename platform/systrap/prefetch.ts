/**
 * What the stub copies into the arena before it hands a system call over. Each entry is up to three
 * fields of ten bits, read by prefetch() in platform/native/stub/stub.c: kind, argument, parameter.
 * It only saves time: what is not here, the Sentry fetches itself.
 */
import * as nr from "../abi/amd64/syscalls.ts";

const path = (arg: number) => 1 | arg << 3;
/** A buffer whose length is another argument. */
const buffer = (arg: number, lengthArg: number) => 2 | arg << 3 | lengthArg << 6;
const FIXED = [4, 8, 16, 24, 32, 48, 56, 64, 88, 128, 144, 12, 20, 112, 152, 40];
const fixed = (arg: number, size: number) => 3 | arg << 3 | FIXED.indexOf(size) << 6;
const iovec = (arg: number, countArg: number) => 4 | arg << 3 | countArg << 6;
/** What the process has used; the CPU time of the thread. */
const USAGE = 5;
const CPU_TIME = 6;
/** The head of the thread's robust list. */
const ROBUST = 7;
const both = (a: number, b: number, c = 0) => a | b << 10 | c << 20;

const ROWS: [number, number][] = [
  [nr.SYS_write, buffer(1, 2)],
  [nr.SYS_pwrite64, buffer(1, 2)],
  [nr.SYS_writev, iovec(1, 2)],
  [nr.SYS_pwritev, iovec(1, 2)],
  [nr.SYS_readv, iovec(1, 2)],
  [nr.SYS_open, path(0)],
  [nr.SYS_openat, path(1)],
  [nr.SYS_openat2, both(path(1), buffer(2, 3))],
  [nr.SYS_creat, path(0)],
  [nr.SYS_stat, path(0)],
  [nr.SYS_lstat, path(0)],
  [nr.SYS_newfstatat, path(1)],
  [nr.SYS_statx, path(1)],
  [nr.SYS_access, path(0)],
  [nr.SYS_faccessat, path(1)],
  [nr.SYS_faccessat2, path(1)],
  [nr.SYS_readlink, path(0)],
  [nr.SYS_readlinkat, path(1)],
  [nr.SYS_unlink, path(0)],
  [nr.SYS_unlinkat, path(1)],
  [nr.SYS_mkdir, path(0)],
  [nr.SYS_mkdirat, path(1)],
  [nr.SYS_rmdir, path(0)],
  [nr.SYS_rename, both(path(0), path(1))],
  [nr.SYS_renameat, both(path(1), path(3))],
  [nr.SYS_renameat2, both(path(1), path(3))],
  [nr.SYS_link, both(path(0), path(1))],
  [nr.SYS_linkat, both(path(1), path(3))],
  [nr.SYS_symlink, both(path(0), path(1))],
  [nr.SYS_symlinkat, both(path(0), path(2))],
  [nr.SYS_chdir, path(0)],
  [nr.SYS_chmod, path(0)],
  [nr.SYS_fchmodat, path(1)],
  [nr.SYS_chown, path(0)],
  [nr.SYS_lchown, path(0)],
  [nr.SYS_fchownat, path(1)],
  [nr.SYS_truncate, path(0)],
  [nr.SYS_utimensat, both(path(1), fixed(2, 32))],
  [nr.SYS_statfs, path(0)],
  [nr.SYS_execve, both(path(0), ROBUST)],
  [nr.SYS_rt_sigaction, fixed(1, 32)],
  [nr.SYS_rt_sigprocmask, fixed(1, 8)],
  [nr.SYS_rt_sigsuspend, fixed(0, 8)],
  [nr.SYS_sigaltstack, fixed(0, 24)],
  [nr.SYS_nanosleep, fixed(0, 16)],
  [nr.SYS_clock_nanosleep, fixed(2, 16)],
  // Not the futex word: it must be read when the Sentry has the call, or a wake-up could be lost.
  [nr.SYS_futex, fixed(3, 16)],
  [nr.SYS_clone3, buffer(0, 1)],
  [nr.SYS_poll, fixed(0, 8)],
  [nr.SYS_ppoll, both(fixed(0, 8), fixed(2, 16), fixed(3, 8))],
  [nr.SYS_epoll_ctl, fixed(3, 12)],
  [nr.SYS_sendto, buffer(1, 2)],
  [nr.SYS_sendmsg, fixed(1, 56)],
  [nr.SYS_recvmsg, fixed(1, 56)],
  [nr.SYS_prlimit64, fixed(2, 16)],
  [nr.SYS_getrusage, USAGE],
  [nr.SYS_exit_group, both(USAGE, ROBUST, CPU_TIME)],
  [nr.SYS_exit, both(CPU_TIME, ROBUST)],
];

export function prefetchTable(): Int32Array {
  const table = new Int32Array(512);
  for (const [number, spec] of ROWS) table[number] = spec;
  return table;
}
