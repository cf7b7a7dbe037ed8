/**
 * Signals (linux/signal.h, linux/signalfd.h): signal(7), sigaction(2), sigaltstack(2), signalfd(2).
 * A signal set is two u32 halves; signal n is bit n - 1. SIGRTMIN and SIGRTMAX are the kernel's.
 */

import { getU64, setU64, zero } from "./bytes.ts";

// Signal numbers
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGIOT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPOLL = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
export const SIGRTMIN = 32;
export const SIGRTMAX = 64;
export const _NSIG = 64;

// rt_sigprocmask(2)
export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

// Handlers that are no address
export const SIG_DFL = 0;
export const SIG_IGN = 1;
export const SIG_ERR = -1;

// sa_flags
export const SA_RESTORER = 0x4000000;
export const SA_NOCLDSTOP = 0x1;
export const SA_NOCLDWAIT = 0x2;
export const SA_SIGINFO = 0x4;
export const SA_UNSUPPORTED = 0x400;
export const SA_EXPOSE_TAGBITS = 2048;
export const SA_ONSTACK = 0x8000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;
export const SA_NOMASK = 0x40000000;
export const SA_ONESHOT = 0x80000000;

// sigaltstack(2)
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;
export const SS_FLAG_BITS = 2147483648;
export const MINSIGSTKSZ = 2048;
export const SIGSTKSZ = 8192;

// si_code: who sent it
export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_QUEUE = -1;
export const SI_TIMER = -2;
export const SI_MESGQ = -3;
export const SI_ASYNCIO = -4;
export const SI_SIGIO = -5;
export const SI_TKILL = -6;
export const SI_DETHREAD = -7;
export const SI_ASYNCNL = -60;

// si_code of SIGILL
export const ILL_ILLOPC = 1;
export const ILL_ILLOPN = 2;
export const ILL_ILLADR = 3;
export const ILL_ILLTRP = 4;
export const ILL_PRVOPC = 5;
export const ILL_PRVREG = 6;
export const ILL_COPROC = 7;
export const ILL_BADSTK = 8;
export const ILL_BADIADDR = 9;

// si_code of SIGFPE
export const FPE_INTDIV = 1;
export const FPE_INTOVF = 2;
export const FPE_FLTDIV = 3;
export const FPE_FLTOVF = 4;
export const FPE_FLTUND = 5;
export const FPE_FLTRES = 6;
export const FPE_FLTINV = 7;
export const FPE_FLTSUB = 8;
export const FPE_FLTUNK = 14;
export const FPE_CONDTRAP = 15;

// si_code of SIGSEGV
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const SEGV_BNDERR = 3;
export const SEGV_PKUERR = 4;
export const SEGV_ACCADI = 5;
export const SEGV_ADIDERR = 6;
export const SEGV_ADIPERR = 7;
export const SEGV_MTEAERR = 8;
export const SEGV_MTESERR = 9;
export const SEGV_CPERR = 10;

// si_code of SIGBUS
export const BUS_ADRALN = 1;
export const BUS_ADRERR = 2;
export const BUS_OBJERR = 3;
export const BUS_MCEERR_AR = 4;
export const BUS_MCEERR_AO = 5;

// si_code of SIGTRAP
export const TRAP_BRKPT = 1;
export const TRAP_TRACE = 2;
export const TRAP_BRANCH = 3;
export const TRAP_HWBKPT = 4;
export const TRAP_UNK = 5;
export const TRAP_PERF = 6;
export const TRAP_PERF_FLAG_ASYNC = 1;

// si_code of SIGCHLD
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_TRAPPED = 4;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

// si_code of SIGPOLL
export const POLL_IN = 1;
export const POLL_OUT = 2;
export const POLL_MSG = 3;
export const POLL_ERR = 4;
export const POLL_PRI = 5;
export const POLL_HUP = 6;

// si_code of SIGSYS
export const SYS_SECCOMP = 1;
export const SYS_USER_DISPATCH = 2;

// sigevent
export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;
export const SIGEV_MAX_SIZE = 64;
export const SIGEV_PAD_SIZE = 12;
export const SI_MAX_SIZE = 128;

// signalfd(2)
export const SFD_CLOEXEC = 0o2000000;
export const SFD_NONBLOCK = 0o4000;

/** The kernel's struct sigaction, as rt_sigaction(2) takes it. */
export const SIGACTION_SIZE = 32;
export const SIGACTION_OFF_HANDLER_ADDR = 0;
export const SIGACTION_OFF_FLAGS = 8;
export const SIGACTION_OFF_RESTORER_ADDR = 16;
export const SIGACTION_OFF_MASK = 24;

export interface Sigaction {
  handlerAddr: number;
  flags: number;
  restorerAddr: number;
  maskLo: number;
  maskHi: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSigaction(v: DataView, off: number, s: Sigaction): void {
  zero(v, off, SIGACTION_SIZE);
  setU64(v, off + SIGACTION_OFF_HANDLER_ADDR, s.handlerAddr);
  setU64(v, off + SIGACTION_OFF_FLAGS, s.flags);
  setU64(v, off + SIGACTION_OFF_RESTORER_ADDR, s.restorerAddr);
  v.setUint32(off + SIGACTION_OFF_MASK, s.maskLo, true);
  v.setUint32(off + SIGACTION_OFF_MASK + 4, s.maskHi, true);
}

export function getSigaction(v: DataView, off: number): Sigaction {
  return {
    handlerAddr: getU64(v, off + SIGACTION_OFF_HANDLER_ADDR),
    flags: getU64(v, off + SIGACTION_OFF_FLAGS),
    restorerAddr: getU64(v, off + SIGACTION_OFF_RESTORER_ADDR),
    maskLo: v.getUint32(off + SIGACTION_OFF_MASK, true),
    maskHi: v.getUint32(off + SIGACTION_OFF_MASK + 4, true),
  };
}

/** stack_t, for sigaltstack(2) and in a signal frame. */
export const STACK_T_SIZE = 24;
export const STACK_T_OFF_SP_ADDR = 0;
export const STACK_T_OFF_FLAGS = 8;
export const STACK_T_OFF_SIZE_BYTES = 16;

export interface StackT {
  spAddr: number;
  flags: number;
  sizeBytes: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putStackT(v: DataView, off: number, s: StackT): void {
  zero(v, off, STACK_T_SIZE);
  setU64(v, off + STACK_T_OFF_SP_ADDR, s.spAddr);
  v.setInt32(off + STACK_T_OFF_FLAGS, s.flags, true);
  setU64(v, off + STACK_T_OFF_SIZE_BYTES, s.sizeBytes);
}

export function getStackT(v: DataView, off: number): StackT {
  return {
    spAddr: getU64(v, off + STACK_T_OFF_SP_ADDR),
    flags: v.getInt32(off + STACK_T_OFF_FLAGS, true),
    sizeBytes: getU64(v, off + STACK_T_OFF_SIZE_BYTES),
  };
}

/** siginfo_t: a head, then a union by signal and code (sigaction(2)); si_ptr, si_int at VALUE. */
export const SIGINFO_SIZE = 128;
export const SIGINFO_OFF_SIGNO = 0;
export const SIGINFO_OFF_ERRNO = 4;
export const SIGINFO_OFF_CODE = 8;
export const SIGINFO_OFF_PID = 16;
export const SIGINFO_OFF_UID = 20;
export const SIGINFO_OFF_STATUS = 24;
export const SIGINFO_OFF_UTIME = 32;
export const SIGINFO_OFF_STIME = 40;
export const SIGINFO_OFF_VALUE = 24;
export const SIGINFO_OFF_TIMERID = 16;
export const SIGINFO_OFF_OVERRUN = 20;
export const SIGINFO_OFF_ADDR = 16;
export const SIGINFO_OFF_ADDR_LSB = 24;
export const SIGINFO_OFF_LOWER = 32;
export const SIGINFO_OFF_UPPER = 40;
export const SIGINFO_OFF_PKEY = 32;
export const SIGINFO_OFF_BAND = 16;
export const SIGINFO_OFF_FD = 24;
export const SIGINFO_OFF_CALL_ADDR = 16;
export const SIGINFO_OFF_SYSCALL = 24;
export const SIGINFO_OFF_ARCH = 28;

/** struct sigevent, for timer_create(2). */
export const SIGEVENT_SIZE = 64;
export const SIGEVENT_OFF_VALUE = 0;
export const SIGEVENT_OFF_SIGNO = 8;
export const SIGEVENT_OFF_NOTIFY = 12;
export const SIGEVENT_OFF_THREAD_ID = 16;

export interface Sigevent {
  valueLo: number;
  valueHi: number;
  signo: number;
  notify: number;
  threadId: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSigevent(v: DataView, off: number, s: Sigevent): void {
  zero(v, off, SIGEVENT_SIZE);
  v.setUint32(off + SIGEVENT_OFF_VALUE, s.valueLo, true);
  v.setUint32(off + SIGEVENT_OFF_VALUE + 4, s.valueHi, true);
  v.setInt32(off + SIGEVENT_OFF_SIGNO, s.signo, true);
  v.setInt32(off + SIGEVENT_OFF_NOTIFY, s.notify, true);
  v.setInt32(off + SIGEVENT_OFF_THREAD_ID, s.threadId, true);
}

export function getSigevent(v: DataView, off: number): Sigevent {
  return {
    valueLo: v.getUint32(off + SIGEVENT_OFF_VALUE, true),
    valueHi: v.getUint32(off + SIGEVENT_OFF_VALUE + 4, true),
    signo: v.getInt32(off + SIGEVENT_OFF_SIGNO, true),
    notify: v.getInt32(off + SIGEVENT_OFF_NOTIFY, true),
    threadId: v.getInt32(off + SIGEVENT_OFF_THREAD_ID, true),
  };
}

/** struct signalfd_siginfo, what read(2) on a signalfd gives. */
export const SIGNALFD_SIGINFO_SIZE = 128;
export const SIGNALFD_SIGINFO_OFF_SIGNO = 0;
export const SIGNALFD_SIGINFO_OFF_ERRNO = 4;
export const SIGNALFD_SIGINFO_OFF_CODE = 8;
export const SIGNALFD_SIGINFO_OFF_PID = 12;
export const SIGNALFD_SIGINFO_OFF_UID = 16;
export const SIGNALFD_SIGINFO_OFF_FD = 20;
export const SIGNALFD_SIGINFO_OFF_TID = 24;
export const SIGNALFD_SIGINFO_OFF_BAND = 28;
export const SIGNALFD_SIGINFO_OFF_OVERRUN = 32;
export const SIGNALFD_SIGINFO_OFF_TRAPNO = 36;
export const SIGNALFD_SIGINFO_OFF_STATUS = 40;
export const SIGNALFD_SIGINFO_OFF_INT = 44;
export const SIGNALFD_SIGINFO_OFF_PTR = 48;
export const SIGNALFD_SIGINFO_OFF_UTIME = 56;
export const SIGNALFD_SIGINFO_OFF_STIME = 64;
export const SIGNALFD_SIGINFO_OFF_ADDR = 72;
export const SIGNALFD_SIGINFO_OFF_ADDR_LSB = 80;
export const SIGNALFD_SIGINFO_OFF_SYSCALL = 84;
export const SIGNALFD_SIGINFO_OFF_CALL_ADDR = 88;
export const SIGNALFD_SIGINFO_OFF_ARCH = 96;

export interface SignalfdSiginfo {
  signo: number;
  errno: number;
  code: number;
  pid: number;
  uid: number;
  fd: number;
  tid: number;
  band: number;
  overrun: number;
  trapno: number;
  status: number;
  int: number;
  ptrLo: number;
  ptrHi: number;
  utime: number;
  stime: number;
  addr: number;
  addrLsb: number;
  syscall: number;
  callAddr: number;
  arch: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSignalfdSiginfo(v: DataView, off: number, s: SignalfdSiginfo): void {
  zero(v, off, SIGNALFD_SIGINFO_SIZE);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_SIGNO, s.signo, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_ERRNO, s.errno, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_CODE, s.code, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_PID, s.pid, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_UID, s.uid, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_FD, s.fd, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_TID, s.tid, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_BAND, s.band, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_OVERRUN, s.overrun, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_TRAPNO, s.trapno, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_STATUS, s.status, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_INT, s.int, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_PTR, s.ptrLo, true);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_PTR + 4, s.ptrHi, true);
  setU64(v, off + SIGNALFD_SIGINFO_OFF_UTIME, s.utime);
  setU64(v, off + SIGNALFD_SIGINFO_OFF_STIME, s.stime);
  setU64(v, off + SIGNALFD_SIGINFO_OFF_ADDR, s.addr);
  v.setUint16(off + SIGNALFD_SIGINFO_OFF_ADDR_LSB, s.addrLsb, true);
  v.setInt32(off + SIGNALFD_SIGINFO_OFF_SYSCALL, s.syscall, true);
  setU64(v, off + SIGNALFD_SIGINFO_OFF_CALL_ADDR, s.callAddr);
  v.setUint32(off + SIGNALFD_SIGINFO_OFF_ARCH, s.arch, true);
}

export function getSignalfdSiginfo(v: DataView, off: number): SignalfdSiginfo {
  return {
    signo: v.getUint32(off + SIGNALFD_SIGINFO_OFF_SIGNO, true),
    errno: v.getInt32(off + SIGNALFD_SIGINFO_OFF_ERRNO, true),
    code: v.getInt32(off + SIGNALFD_SIGINFO_OFF_CODE, true),
    pid: v.getUint32(off + SIGNALFD_SIGINFO_OFF_PID, true),
    uid: v.getUint32(off + SIGNALFD_SIGINFO_OFF_UID, true),
    fd: v.getInt32(off + SIGNALFD_SIGINFO_OFF_FD, true),
    tid: v.getUint32(off + SIGNALFD_SIGINFO_OFF_TID, true),
    band: v.getUint32(off + SIGNALFD_SIGINFO_OFF_BAND, true),
    overrun: v.getUint32(off + SIGNALFD_SIGINFO_OFF_OVERRUN, true),
    trapno: v.getUint32(off + SIGNALFD_SIGINFO_OFF_TRAPNO, true),
    status: v.getInt32(off + SIGNALFD_SIGINFO_OFF_STATUS, true),
    int: v.getInt32(off + SIGNALFD_SIGINFO_OFF_INT, true),
    ptrLo: v.getUint32(off + SIGNALFD_SIGINFO_OFF_PTR, true),
    ptrHi: v.getUint32(off + SIGNALFD_SIGINFO_OFF_PTR + 4, true),
    utime: getU64(v, off + SIGNALFD_SIGINFO_OFF_UTIME),
    stime: getU64(v, off + SIGNALFD_SIGINFO_OFF_STIME),
    addr: getU64(v, off + SIGNALFD_SIGINFO_OFF_ADDR),
    addrLsb: v.getUint16(off + SIGNALFD_SIGINFO_OFF_ADDR_LSB, true),
    syscall: v.getInt32(off + SIGNALFD_SIGINFO_OFF_SYSCALL, true),
    callAddr: getU64(v, off + SIGNALFD_SIGINFO_OFF_CALL_ADDR),
    arch: v.getUint32(off + SIGNALFD_SIGINFO_OFF_ARCH, true),
  };
}

const NAMES = `
  - SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2
  SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG
  SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS
`.trim().split(/\s+/);

/** "SIGINT"; "SIGRT_3" for SIGRTMIN + 3, counted from the kernel's 32; the digits otherwise. */
export function signalName(sig: number): string {
  if (sig >= SIGRTMIN && sig <= SIGRTMAX) return `SIGRT_${sig - SIGRTMIN}`;
  return sig >= 1 && sig < SIGRTMIN ? NAMES[sig]! : `${sig}`;
}
