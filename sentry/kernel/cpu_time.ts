/**
 * CPU time of tasks: getrusage(2), times(2), CPU clocks, ITIMER_PROF. A guest's own time is the CPU
 * time of its stub process, its system time that of the Sentry's thread. Both are read when somebody
 * asks, and what has passed since the last look is booked on the process that is looked at. Of a process
 * with threads it is nobody's at first, and a thread's when that is asked what it has used.
 */
import {
  RUSAGE_OFF_MAJFLT,
  RUSAGE_OFF_MAXRSS_KB,
  RUSAGE_OFF_MINFLT,
  RUSAGE_WORDS,
} from "../../platform/abi/resource.ts";
import { CLOCK_THREAD_CPUTIME_ID, NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { clockNs, processClock } from "../../platform/host/host.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { AddressSpace, Context } from "../../platform/platform.ts";
import { current } from "./current.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup, UsageTotals } from "./thread_group.ts";

/** Clock ticks of times(2), /proc and siginfo_t (USER_HZ). */
export const USER_HZ = 100;
const NSEC_PER_TICK = NSEC_PER_SEC / USER_HZ;

export function nsToTicks(ns: number): number {
  return Math.floor(ns / NSEC_PER_TICK);
}

/** What was seen of each stub process, of each thread of those that have some, and of the Sentry's thread. */
const seen = new WeakMap<AddressSpace, number>();
const seenOfThread = new WeakMap<Context, number>();
let sentrySeen = -1;
ofOneSandbox(() => sentrySeen = -1);
/** Stub processes with more than one thread, now or once. */
const threaded = new WeakSet<AddressSpace>();

/** What the stub of `ctx`, its only thread, has used so far is no guest's. `startThreadTime` follows its first commands. */
export function startCpuTime(ctx: Context): void {
  const space = ctx.addressSpace;
  const ns = stubCpuNs(space);
  if (ns > 0) seen.set(space, ns);
  if (threaded.has(space)) ctx.queueCpuTime();
}

export function startThreadTime(ctx: Context): void {
  if (threaded.has(ctx.addressSpace)) seenOfThread.set(ctx, Math.max(0, ctx.cpuTimeNs()));
}

/** Whether there has been more than one thread in it: which has used what is not known of the process alone. */
export function hadThreads(space: AddressSpace): boolean {
  return threaded.has(space);
}

function stubCpuNs(space: AddressSpace): number {
  const pid = space.hostPid;
  return pid > 0 ? clockNs(processClock(pid)) : -1;
}

/** Brings the times of `t`'s process up to date; its own, too, when it is the only thread and always was. */
export function sampleCpuTime(t: Task): void {
  const { ctx } = t;
  if (ctx === null) return;
  const space = ctx.addressSpace;
  if (t.mm.refs > 1) threaded.add(space);
  const isAlone = !threaded.has(space);
  // The times of those that are gone are what is nobody's.
  const account = isAlone ? t : t.tg.deadThreads;
  const told = ctx.toldCpuNs();
  const now = told >= 0 ? told : stubCpuNs(space);
  if (now >= 0) {
    const delta = now - (seen.get(space) ?? 0);
    seen.set(space, now);
    if (isAlone) seenOfThread.set(ctx, now);
    if (delta > 0) account.utimeNs += delta;
  }
  const sentry = clockNs(CLOCK_THREAD_CPUTIME_ID);
  if (sentry < 0) return;
  if (sentrySeen >= 0 && sentry > sentrySeen) account.stimeNs += sentry - sentrySeen;
  sentrySeen = sentry;
}

/**
 * sampleCpuTime, and gives `t` what it has used of its process's time. Only its host thread can tell, so it is
 * known while the Sentry has that: `isOurs`, or `t` sleeps here or asks itself.
 */
export function sampleThreadTime(t: Task, isOurs = t.sleeps || t === current.task): void {
  sampleCpuTime(t);
  const { ctx } = t;
  if (ctx === null || !isOurs || ctx.queued || !threaded.has(ctx.addressSpace)) return;
  const now = ctx.cpuTimeNs();
  const delta = now - (seenOfThread.get(ctx) ?? 0);
  if (now < 0 || delta <= 0) return;
  seenOfThread.set(ctx, now);
  t.utimeNs += delta;
  t.tg.deadThreads.utimeNs -= delta;
}

const words = new Float64Array(RUSAGE_WORDS);

/** Adds peak memory and page faults of the address space that `t` lives in, as its stub knows them. */
export function addMemoryUse(t: Task, totals: UsageTotals): void {
  if (t.ctx?.usage(0, words)) addUsageWords(totals, words);
}

/** The same from what the platform says, see Context.usage. */
export function addUsageWords(totals: UsageTotals, words: Float64Array): void {
  totals.maxRssKb = Math.max(totals.maxRssKb, words[RUSAGE_OFF_MAXRSS_KB / 8]);
  totals.minorFaults += words[RUSAGE_OFF_MINFLT / 8];
  totals.majorFaults += words[RUSAGE_OFF_MAJFLT / 8];
}

/** Books them on the process for good: `t` is the last to leave the address space. */
export function bookMemoryUse(t: Task): void {
  if (t.mm.refs === 1) addMemoryUse(t, t.tg.deadThreads);
}

/** CPU time of a process, user time alone for ITIMER_VIRTUAL. */
export function processCpuNs(tg: ThreadGroup, userOnly = false): number {
  const t = tg.threads.find((each) => each.ctx !== null);
  if (t !== undefined) sampleCpuTime(t);
  return userOnly ? tg.utimeNs() : tg.utimeNs() + tg.stimeNs();
}

/** Whether threadCpuNs will be what `t` has used, not what it had used when the Sentry last had it. */
export function threadTimeIsKnown(t: Task): boolean {
  const { ctx } = t;
  return ctx === null || t.sleeps || t === current.task || !threaded.has(ctx.addressSpace);
}

export function threadCpuNs(t: Task): number {
  sampleThreadTime(t);
  return t.utimeNs + t.stimeNs;
}
