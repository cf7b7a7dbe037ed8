/** getrusage(2), times(2), and the rusage that the wait family gives. */
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { SYS_getrusage, SYS_times } from "../../platform/abi/amd64/syscalls.ts";
import {
  putRusage,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_SIZE,
  RUSAGE_THREAD,
} from "../../platform/abi/resource.ts";
import { NSEC_PER_SEC, NSEC_PER_USEC } from "../../platform/abi/time.ts";
import { putTms, TMS_SIZE } from "../../platform/abi/times.ts";
import { addMemoryUse, nsToTicks, sampleCpuTime, sampleThreadTime } from "../kernel/cpu_time.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { UsageTotals } from "../kernel/thread_group.ts";

export function copyOutRusage(t: Task, addr: number, usage: UsageTotals): number {
  const utime = split(usage.utimeNs);
  const stime = split(usage.stimeNs);
  putRusage(t.scratchView, 0, {
    utimeSec: utime.sec,
    utimeUsec: utime.usec,
    stimeSec: stime.sec,
    stimeUsec: stime.usec,
    maxrssKb: usage.maxRssKb,
    ixrss: 0,
    idrss: 0,
    isrss: 0,
    minflt: usage.minorFaults,
    majflt: usage.majorFaults,
    nswap: 0,
    inblock: 0,
    oublock: 0,
    msgsnd: 0,
    msgrcv: 0,
    nsignals: 0,
    nvcsw: usage.voluntarySwitches,
    nivcsw: 0,
  });
  return t.copyOut(addr, t.scratch, 0, RUSAGE_SIZE);
}

function split(ns: number): { sec: number; usec: number } {
  const sec = Math.floor(ns / NSEC_PER_SEC);
  return { sec, usec: Math.floor((ns - sec * NSEC_PER_SEC) / NSEC_PER_USEC) };
}

function threadUsage(t: Task): UsageTotals {
  const usage = new UsageTotals();
  usage.utimeNs = t.utimeNs;
  usage.stimeNs = t.stimeNs;
  usage.voluntarySwitches = t.voluntarySwitches;
  return usage;
}

/** getrusage(2). */
export function getrusage(t: Task, args: SyscallArguments): number {
  const who = args.i32(0);
  let usage: UsageTotals;
  switch (who) {
    case RUSAGE_SELF:
      sampleCpuTime(t);
      usage = new UsageTotals();
      usage.add(t.tg.deadThreads);
      for (const each of t.tg.threads) usage.add(threadUsage(each));
      addMemoryUse(t, usage);
      break;
    case RUSAGE_THREAD:
      sampleThreadTime(t);
      usage = threadUsage(t);
      addMemoryUse(t, usage);
      break;
    case RUSAGE_CHILDREN:
      usage = t.tg.deadChildren;
      break;
    default:
      return -EINVAL;
  }
  return copyOutRusage(t, args.addr(1), usage);
}

/** times(2). */
export function times(t: Task, args: SyscallArguments): number {
  const addr = args.addr(0);
  if (addr !== 0) {
    sampleCpuTime(t);
    const { tg } = t;
    putTms(
      t.scratchView,
      0,
      nsToTicks(tg.utimeNs()),
      nsToTicks(tg.stimeNs()),
      nsToTicks(tg.deadChildren.utimeNs),
      nsToTicks(tg.deadChildren.stimeNs),
    );
    if (t.copyOut(addr, t.scratch, 0, TMS_SIZE) < 0) return -EFAULT;
  }
  return nsToTicks(t.kernel.nowMonoNs());
}

const ESTIMATES = "system times are estimates";
export const rows: SyscallRow[] = [
  [SYS_getrusage, "getrusage", getrusage, PARTIAL, `${ESTIMATES}; I/O is not counted`],
  [SYS_times, "times", times, PARTIAL, ESTIMATES],
];
