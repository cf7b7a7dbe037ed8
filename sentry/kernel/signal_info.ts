/** What a signal carries (siginfo_t): sigaction(2). One shape for all, so that its users stay fast. */
import {
  SI_KERNEL,
  SI_SIGIO,
  SI_TIMER,
  SI_TKILL,
  SI_USER,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGINFO_OFF_ADDR,
  SIGINFO_OFF_ADDR_LSB,
  SIGINFO_OFF_ARCH,
  SIGINFO_OFF_BAND,
  SIGINFO_OFF_CALL_ADDR,
  SIGINFO_OFF_CODE,
  SIGINFO_OFF_ERRNO,
  SIGINFO_OFF_FD,
  SIGINFO_OFF_LOWER,
  SIGINFO_OFF_OVERRUN,
  SIGINFO_OFF_PID,
  SIGINFO_OFF_SIGNO,
  SIGINFO_OFF_STATUS,
  SIGINFO_OFF_STIME,
  SIGINFO_OFF_SYSCALL,
  SIGINFO_OFF_TIMERID,
  SIGINFO_OFF_UID,
  SIGINFO_OFF_UTIME,
  SIGINFO_OFF_VALUE,
  SIGINFO_SIZE,
  SIGIO,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
} from "../../platform/abi/signal.ts";
import { setI64, setU64, zero } from "../../platform/abi/bytes.ts";

export class SigInfo {
  errno = 0;
  pid = 0;
  uid = 0;
  /** SIGCHLD: exit code or signal; times in clock ticks. */
  status = 0;
  utime = 0;
  stime = 0;
  /** si_value. */
  valueLo = 0;
  valueHi = 0;
  /** Faults. */
  addr = 0;
  addrLsb = 0;
  /** SIGBUS/SIGSEGV: hardware state for the frame's sigcontext. */
  trapno = 0;
  trapError = 0;
  /** SIGIO. */
  band = 0;
  fd = 0;
  /** SI_TIMER. */
  timerId = 0;
  overrun = 0;
  /** SIGSYS. */
  callAddr = 0;
  syscall = 0;
  arch = 0;
  /** The bytes a process gave to rt_sigqueueinfo(2), passed on as they are. */
  raw: Uint8Array | null = null;
  /** Sent by the kernel itself or from outside of the sandbox: acts on init, too. */
  privileged = false;
  /** SI_TIMER: asked for the overrun, and re-armed, when the signal is taken from the queue. */
  timer: { signalTaken(info: SigInfo): void } | null = null;
  /** It was added to a queue; a signal that is pending already takes no second entry. */
  isQueued = false;
  /** The user charged for this entry (RLIMIT_SIGPENDING), null for none. */
  charged: { pendingSignals: number } | null = null;

  constructor(public signo: number, public code: number) {}
}

/** kill(2)'s. */
export function userSignal(signo: number, code: number, pid: number, uid: number): SigInfo {
  const info = new SigInfo(signo, code);
  info.pid = pid;
  info.uid = uid;
  return info;
}

/** A signal from the kernel, as SIGINT of a terminal, SIGPIPE or SIGALRM. */
export function kernelSignal(signo: number): SigInfo {
  const info = new SigInfo(signo, SI_KERNEL);
  info.privileged = true;
  return info;
}

/** SIGIO (or F_SETSIG's) for a file; `code` is POLL_*. */
export function pollSignal(signo: number, code: number, band: number, fd: number): SigInfo {
  const info = new SigInfo(signo, code);
  info.band = band;
  info.fd = fd;
  info.privileged = true;
  return info;
}

/** A fault of the guest's own code. */
export function faultSignal(signo: number, code: number, addr: number): SigInfo {
  const info = new SigInfo(signo, code);
  info.addr = addr;
  info.privileged = true;
  return info;
}

function isFault(signo: number): boolean {
  return signo === SIGILL || signo === SIGFPE || signo === SIGSEGV || signo === SIGBUS ||
    signo === SIGTRAP;
}

/** Writes all 128 bytes; the union's member is chosen as kernel/signal.c's siginfo_layout does. */
export function putSigInfo(v: DataView, off: number, info: SigInfo): void {
  if (info.raw !== null) {
    new Uint8Array(v.buffer, v.byteOffset + off, SIGINFO_SIZE).set(info.raw);
    v.setInt32(off + SIGINFO_OFF_SIGNO, info.signo, true);
    return;
  }
  zero(v, off, SIGINFO_SIZE);
  v.setInt32(off + SIGINFO_OFF_SIGNO, info.signo, true);
  v.setInt32(off + SIGINFO_OFF_ERRNO, info.errno, true);
  v.setInt32(off + SIGINFO_OFF_CODE, info.code, true);
  const { signo, code } = info;
  if (code > SI_USER && code < SI_KERNEL) {
    if (signo === SIGCHLD) return putChild(v, off, info);
    if (isFault(signo)) return putFault(v, off, info);
    if (signo === SIGSYS) return putSeccomp(v, off, info);
    // POLL_IN and so on, also under a real-time signal of F_SETSIG.
    return putPoll(v, off, info);
  }
  if (code === SI_TIMER) {
    v.setInt32(off + SIGINFO_OFF_TIMERID, info.timerId, true);
    v.setInt32(off + SIGINFO_OFF_OVERRUN, info.overrun, true);
    putValue(v, off, info);
  } else if (code === SI_SIGIO && signo === SIGIO) putPoll(v, off, info);
  else {
    v.setInt32(off + SIGINFO_OFF_PID, info.pid, true);
    v.setUint32(off + SIGINFO_OFF_UID, info.uid, true);
    if (code < 0 && code !== SI_TKILL) putValue(v, off, info);
  }
}

function putValue(v: DataView, off: number, info: SigInfo): void {
  v.setUint32(off + SIGINFO_OFF_VALUE, info.valueLo, true);
  v.setUint32(off + SIGINFO_OFF_VALUE + 4, info.valueHi, true);
}

function putChild(v: DataView, off: number, info: SigInfo): void {
  v.setInt32(off + SIGINFO_OFF_PID, info.pid, true);
  v.setUint32(off + SIGINFO_OFF_UID, info.uid, true);
  v.setInt32(off + SIGINFO_OFF_STATUS, info.status, true);
  setI64(v, off + SIGINFO_OFF_UTIME, info.utime);
  setI64(v, off + SIGINFO_OFF_STIME, info.stime);
}

function putFault(v: DataView, off: number, info: SigInfo): void {
  setU64(v, off + SIGINFO_OFF_ADDR, info.addr);
  if (info.signo === SIGBUS) v.setInt16(off + SIGINFO_OFF_ADDR_LSB, info.addrLsb, true);
  else if (info.signo === SIGTRAP) setU64(v, off + SIGINFO_OFF_LOWER, 0);
}

function putSeccomp(v: DataView, off: number, info: SigInfo): void {
  setU64(v, off + SIGINFO_OFF_CALL_ADDR, info.callAddr);
  v.setInt32(off + SIGINFO_OFF_SYSCALL, info.syscall, true);
  v.setUint32(off + SIGINFO_OFF_ARCH, info.arch, true);
}

function putPoll(v: DataView, off: number, info: SigInfo): void {
  setI64(v, off + SIGINFO_OFF_BAND, info.band);
  v.setInt32(off + SIGINFO_OFF_FD, info.fd, true);
}

/** What rt_sigqueueinfo(2) was given, read as the kernel's SI_QUEUE layout for signalfd and waiters. */
export function rawSignal(signo: number, bytes: Uint8Array): SigInfo {
  const v = new DataView(bytes.buffer, bytes.byteOffset, SIGINFO_SIZE);
  const info = new SigInfo(signo, v.getInt32(SIGINFO_OFF_CODE, true));
  info.errno = v.getInt32(SIGINFO_OFF_ERRNO, true);
  info.pid = v.getInt32(SIGINFO_OFF_PID, true);
  info.uid = v.getUint32(SIGINFO_OFF_UID, true);
  info.valueLo = v.getUint32(SIGINFO_OFF_VALUE, true);
  info.valueHi = v.getUint32(SIGINFO_OFF_VALUE + 4, true);
  info.raw = bytes;
  return info;
}
