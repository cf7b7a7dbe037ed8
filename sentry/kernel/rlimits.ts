/** Resource limits of a thread group (Linux: signal_struct.rlim); getrlimit(2). */
import {
  _STK_LIM,
  MLOCK_LIMIT,
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../../platform/abi/resource.ts";
import { NR_OPEN_MAX } from "./fd_table.ts";

/** Linux's INR_OPEN_CUR and INR_OPEN_MAX. */
const NOFILE_CUR = 1024;
const NOFILE_MAX = 4096;
const MSGQUEUE_BYTES = 819200;

export class Rlimits {
  /** Soft and hard limits by RLIMIT_*; RLIM_INFINITY is 2^64. */
  constructor(
    readonly cur: number[] = new Array(RLIM_NLIMITS).fill(RLIM_INFINITY),
    readonly max: number[] = new Array(RLIM_NLIMITS).fill(RLIM_INFINITY),
  ) {}

  set(resource: number, cur: number, max: number): this {
    this.cur[resource] = cur;
    this.max[resource] = max;
    return this;
  }

  /** A copy for a child process. */
  fork(): Rlimits {
    return new Rlimits(this.cur.slice(), this.max.slice());
  }
}

/**
 * The limits of a fresh init; `maxProcesses` is what RLIMIT_NPROC allows at most.
 * `inherited`: the caller's by RLIMIT_*, soft and hard, -1 for none.
 */
export function initialRlimits(
  maxProcesses: number,
  inherited: readonly [number, number][] = [],
): Rlimits {
  const limits = new Rlimits()
    .set(RLIMIT_STACK, _STK_LIM, RLIM_INFINITY)
    .set(RLIMIT_CORE, 0, RLIM_INFINITY)
    .set(RLIMIT_NPROC, maxProcesses, maxProcesses)
    .set(RLIMIT_NOFILE, NOFILE_CUR, NOFILE_MAX)
    .set(RLIMIT_MEMLOCK, MLOCK_LIMIT, MLOCK_LIMIT)
    .set(RLIMIT_SIGPENDING, maxProcesses, maxProcesses)
    .set(RLIMIT_MSGQUEUE, MSGQUEUE_BYTES, MSGQUEUE_BYTES)
    .set(RLIMIT_NICE, 0, 0)
    .set(RLIMIT_RTPRIO, 0, 0);
  inherited.forEach(([cur, max], resource) => {
    if (resource >= RLIM_NLIMITS) return;
    let most = RLIM_INFINITY;
    if (resource === RLIMIT_NPROC) most = maxProcesses;
    if (resource === RLIMIT_NOFILE) most = NR_OPEN_MAX;
    const hard = bounded(max, most);
    limits.set(resource, bounded(cur, hard), hard);
  });
  return limits;
}

function bounded(limit: number, most: number): number {
  return limit < 0 || limit > most ? most : limit;
}
