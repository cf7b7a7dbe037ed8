/** What the command's own process opens, is allowed and has: host calls as plain functions. */
import {
  SYS_close,
  SYS_exit_group,
  SYS_getgroups,
  SYS_lseek,
  SYS_open,
  SYS_pipe2,
  SYS_prlimit64,
  SYS_read,
  SYS_umask,
} from "../platform/abi/amd64/syscalls.ts";
import { O_CLOEXEC } from "../platform/abi/fcntl.ts";
import { RLIM_NLIMITS } from "../platform/abi/resource.ts";
import { SEEK_END, SEEK_SET } from "../platform/abi/unistd.ts";
import { bufferAddr, hostCall } from "../platform/host/spawn.ts";
import { SandboxError } from "./errors.ts";

const MAX_GROUPS = 1024;
const DIAGNOSTICS_SIZE = 16384;

/** Ends this process as exit_group(2) does: nothing of the runtime is put away first, which takes 10 ms. */
export function exitNow(code: number): never {
  hostCall(SYS_exit_group, code);
  throw new Error("exit_group returned");
}

/** Throws a {@link SandboxError} where it cannot. */
export function openHost(path: string, flags: number): number {
  const bytes = new TextEncoder().encode(path + "\0");
  const fd = hostCall(SYS_open, bufferAddr(bytes), flags | O_CLOEXEC, 0o644);
  if (fd < 0) throw new SandboxError(`cannot open ${path} (errno ${-fd})`, 2);
  return fd;
}

/** What was written to a memfd; its end, if that is much. */
export function readMemfd(fd: number): string {
  const size = hostCall(SYS_lseek, fd, 0, SEEK_END);
  hostCall(SYS_lseek, fd, Math.max(0, size - DIAGNOSTICS_SIZE), SEEK_SET);
  const bytes = new Uint8Array(DIAGNOSTICS_SIZE);
  const n = hostCall(SYS_read, fd, bufferAddr(bytes), bytes.length);
  return n <= 0 ? "" : new TextDecoder().decode(bytes.subarray(0, n)).trim();
}

/** The end to read from and the one to write to. */
export function openPipe(): [number, number] {
  const fds = new Int32Array(2);
  const err = hostCall(SYS_pipe2, bufferAddr(fds), O_CLOEXEC, 0);
  if (err < 0) throw new SandboxError(`cannot make a pipe (errno ${-err})`, 125);
  return [fds[0], fds[1]];
}

export function closeFd(fd: number): void {
  hostCall(SYS_close, fd, 0, 0);
}

export function ownUmask(): number {
  const umask = hostCall(SYS_umask, 0);
  hostCall(SYS_umask, umask);
  return umask;
}

/** Soft and hard limits by RLIMIT_*, -1 for none. */
export function ownLimits(): [number, number][] {
  const pair = new Int32Array(4);
  const limit = (at: number) => pair[at + 1] < 0 ? -1 : (pair[at] >>> 0) + pair[at + 1] * 2 ** 32;
  const limits: [number, number][] = [];
  for (let resource = 0; resource < RLIM_NLIMITS; resource++) {
    if (hostCall(SYS_prlimit64, 0, resource, 0, bufferAddr(pair)) < 0) return [];
    limits.push([limit(0), limit(2)]);
  }
  return limits;
}

export function ownGroups(): number[] {
  const groups = new Int32Array(MAX_GROUPS);
  const n = hostCall(SYS_getgroups, MAX_GROUPS, bufferAddr(groups), 0);
  return n < 0 ? [] : Array.from(groups.subarray(0, n));
}
