/**
 * Waiting for children (linux/wait.h): wait(2), waitid(2).
 */

// Options
export const WNOHANG = 0x1;
export const WUNTRACED = 0x2;
export const WSTOPPED = 0x2;
export const WEXITED = 0x4;
export const WCONTINUED = 0x8;
export const WNOWAIT = 0x1000000;
export const __WNOTHREAD = 0x20000000;
export const __WALL = 0x40000000;
export const __WCLONE = 0x80000000;

// waitid(2) id types
export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;

/** Status word of a child that called exit(code). */
export function waitStatusExited(code: number): number {
  return (code & 0xff) << 8;
}

/** Status word of a child that a signal ended. */
export function waitStatusSignaled(sig: number, coreDumped: boolean): number {
  return sig | (coreDumped ? 0x80 : 0);
}

/** Status word of a child that a signal stopped; for ptrace the signal may carry event bits. */
export function waitStatusStopped(sig: number): number {
  return (sig << 8) | 0x7f;
}

/** Status word of a child that SIGCONT resumed. */
export const WAIT_STATUS_CONTINUED = 0xffff;

export function WIFEXITED(status: number): boolean {
  return (status & 0x7f) === 0;
}

export function WEXITSTATUS(status: number): number {
  return (status >> 8) & 0xff;
}

export function WIFSIGNALED(status: number): boolean {
  const low = status & 0x7f;
  return low !== 0 && low !== 0x7f;
}

export function WTERMSIG(status: number): number {
  return status & 0x7f;
}

export function WCOREDUMP(status: number): boolean {
  return (status & 0x80) !== 0;
}

export function WIFSTOPPED(status: number): boolean {
  return (status & 0xff) === 0x7f;
}

export function WSTOPSIG(status: number): number {
  return (status >> 8) & 0xff;
}

export function WIFCONTINUED(status: number): boolean {
  return status === WAIT_STATUS_CONTINUED;
}
