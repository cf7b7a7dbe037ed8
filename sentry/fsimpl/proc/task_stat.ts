/** /proc/PID/stat and statm (Linux: fs/proc/array.c). */
import { PAGE_SIZE, USER_HZ } from "../../../platform/abi/limits.ts";
import { NSEC_PER_SEC } from "../../../platform/abi/time.ts";
import { RLIM_INFINITY, RLIMIT_RSS } from "../../../platform/abi/resource.ts";
import { SCHED_FIFO, SCHED_RR } from "../../../platform/abi/sched.ts";
import { SIG_DFL, SIG_IGN } from "../../../platform/abi/signal.ts";
import { nsToTicks, sampleCpuTime, sampleThreadTime } from "../../kernel/cpu_time.ts";
import {
  type Task,
  TASK_BLOCKED,
  TASK_DEAD,
  TASK_STOPPED,
  TASK_ZOMBIE,
} from "../../kernel/task.ts";
import type { SignalActions } from "../../kernel/signal_actions.ts";
import { Tty } from "../devpts/tty.ts";
import { currentTask } from "../kernfs/caller.ts";
import { liveMemory, mayPtrace } from "./access.ts";
import { startTicks } from "./cpu.ts";
import { memorySizes } from "./memory.ts";

const ALL_ONES = "18446744073709551615";

/** The letter of proc(5) and ps(1). */
export function stateLetter(t: Task): string {
  switch (t.state) {
    case TASK_BLOCKED:
      return "S";
    case TASK_STOPPED:
      return "T";
    case TASK_ZOMBIE:
      return "Z";
    case TASK_DEAD:
      return "X";
    default:
      if (t.exiting) return "Z";
      // A signal that was sent has woken it, though it may not know yet.
      return t.ctx?.waiting && !t.signals.interruptible(t) ? "S" : "R";
  }
}

/** Name with newline and backslash escaped. */
export function escapedName(t: Task): string {
  return t.name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

export function parentPid(t: Task): number {
  return t.tg.parent?.pid ?? 0;
}

/** Numbers of ignored and of caught signals, as [lo, hi] each. */
export function handledSignals(
  actions: SignalActions,
): { ignored: [number, number]; caught: [number, number] } {
  const ignored: [number, number] = [0, 0], caught: [number, number] = [0, 0];
  for (let signo = 1; signo <= 64; signo++) {
    const handler = actions.get(signo).handlerAddr;
    if (handler === SIG_DFL) continue;
    const set = handler === SIG_IGN ? ignored : caught;
    const half = signo > 32 ? 1 : 0;
    set[half] = (set[half] | (1 << ((signo - 1) & 31))) >>> 0;
  }
  return { ignored, caught };
}

/** `whole`: of the process (/proc/PID/stat), else of the thread alone. */
export function statText(t: Task, whole: boolean): string {
  const { tg } = t;
  const mm = liveMemory(t);
  const sizes = mm === null ? null : memorySizes(mm);
  const shows = mayPtrace(currentTask(), t);
  const session = tg.pgrp.session;
  const tty = tg.tty instanceof Tty ? tg.tty : null;
  if (whole) sampleCpuTime(t);
  else sampleThreadTime(t);
  const utime = nsToTicks(whole ? tg.utimeNs() : t.utimeNs);
  const stime = nsToTicks(whole ? tg.stimeNs() : t.stimeNs);
  const realTime = t.schedPolicy === SCHED_FIFO || t.schedPolicy === SCHED_RR;
  const { ignored, caught } = handledSignals(tg.actions);
  const rssLimit = tg.limits.cur[RLIMIT_RSS];
  const address = (addr: number | undefined): number => shows ? addr ?? 0 : 0;
  const fields: (number | string)[] = [
    stateLetter(t),
    parentPid(t),
    tg.pgrp.id,
    session.id,
    tty?.rdev ?? 0,
    tty === null ? -1 : tty.foreground?.id ?? 0,
    0x400000, // PF_RANDOMIZE
    0, // Page faults are the host's.
    0,
    0,
    0,
    utime,
    stime,
    nsToTicks(tg.deadChildren.utimeNs),
    nsToTicks(tg.deadChildren.stimeNs),
    realTime ? -1 - t.schedPriority : 20 + t.nice,
    t.nice,
    tg.threads.length,
    0,
    startTicks(t),
    sizes?.total ?? 0,
    sizes === null ? 0 : Math.floor(sizes.resident / PAGE_SIZE),
    rssLimit >= RLIM_INFINITY ? ALL_ONES : rssLimit,
    mm === null ? 0 : shows ? mm.codeStart : 1,
    mm === null ? 0 : shows ? mm.codeEnd : 1,
    address(mm?.stackTop),
    0, // kstkesp and kstkeip are told of a process that dumps core alone.
    0,
    t.signals.pending.lo & 0x7fffffff,
    t.signals.maskLo & 0x7fffffff,
    ignored[0] & 0x7fffffff,
    caught[0] & 0x7fffffff,
    t.state === TASK_BLOCKED && shows ? 1 : 0,
    0,
    0,
    whole && t === tg.leader ? tg.exitSignal : -1,
    0,
    realTime ? t.schedPriority : 0,
    t.schedPolicy,
    0,
    0,
    0,
    address(mm?.dataStart),
    address(mm?.dataEnd),
    address(mm?.brkStart),
    address(mm?.argStart),
    address(mm?.argEnd),
    address(mm?.envStart),
    address(mm?.envEnd),
    shows ? t.exitCode : 0,
  ];
  return `${t.tid} (${escapedName(t)}) ${fields.join(" ")}\n`;
}

/** Pages: total, resident, shared, text, 0, data and stack, 0. */
export function statmText(t: Task): string {
  const mm = liveMemory(t);
  if (mm === null) return "0 0 0 0 0 0 0\n";
  const s = memorySizes(mm);
  const pages = (n: number): number => Math.ceil(n / PAGE_SIZE);
  return `${pages(s.total)} ${pages(s.resident)} ${pages(s.file + s.shmem)} ${pages(s.code)} 0 ` +
    `${pages(s.data + s.stack)} 0\n`;
}

/** /proc/PID/schedstat: run time, wait time, slices. */
export function schedstatText(t: Task): string {
  sampleThreadTime(t);
  return `${Math.floor(t.utimeNs + t.stimeNs)} 0 ${t.voluntarySwitches}\n`;
}

/** /proc/PID/sched: the rows that programs look for. */
export function schedText(t: Task): string {
  sampleThreadTime(t);
  const ms = (ns: number): string => (ns / (NSEC_PER_SEC / 1000)).toFixed(6);
  const row = (name: string, value: string | number): string =>
    `${name.padEnd(45)}:${String(value).padStart(21)}\n`;
  const title = `${t.name} (${t.tid}, #threads: ${t.tg.threads.length})\n`;
  return title + "-".repeat(67) + "\n" +
    row("se.exec_start", ms((startTicks(t) * NSEC_PER_SEC) / USER_HZ)) +
    row("se.vruntime", ms(t.utimeNs + t.stimeNs)) +
    row("se.sum_exec_runtime", ms(t.utimeNs + t.stimeNs)) +
    row("se.nr_migrations", 0) +
    row("nr_switches", t.voluntarySwitches) +
    row("nr_voluntary_switches", t.voluntarySwitches) +
    row("nr_involuntary_switches", 0) +
    row("policy", t.schedPolicy) +
    row("prio", 120 + t.nice);
}
