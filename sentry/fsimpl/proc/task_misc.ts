/** The smaller files of /proc/PID. */
import { EACCES, EINVAL, EPERM } from "../../../platform/abi/errno.ts";
import { CAP_SYS_NICE, CAP_SYS_RESOURCE } from "../../../platform/abi/capability.ts";
import {
  RLIM_INFINITY,
  RLIMIT_AS,
  RLIMIT_CORE,
  RLIMIT_CPU,
  RLIMIT_DATA,
  RLIMIT_FSIZE,
  RLIMIT_LOCKS,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RSS,
  RLIMIT_RTPRIO,
  RLIMIT_RTTIME,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../../../platform/abi/resource.ts";
import {
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
} from "../../../platform/arch/amd64/registers.ts";
import { hasCapability } from "../../auth/credentials.ts";
import { type Task, TASK_BLOCKED } from "../../kernel/task.ts";
import { currentTask } from "../kernfs/caller.ts";
import { parseInteger } from "../kernfs/text.ts";
import { liveMemory, memoryBytes } from "./access.ts";

const OOM_ADJ_MIN = -17;
const OOM_ADJ_MAX = 15;
const OOM_SCORE_ADJ_MAX = 1000;

/** Arguments; a program that wrote over them (setproctitle) is shown up to the first NUL. */
export function cmdlineBytes(t: Task): Uint8Array {
  const mm = liveMemory(t);
  if (mm === null || mm.argEnd <= mm.argStart) return new Uint8Array(0);
  const caller = currentTask();
  const args = memoryBytes(caller, mm, mm.argStart, mm.argEnd);
  if (args.length === 0 || args[args.length - 1] === 0) return args;
  const end = args.indexOf(0);
  if (end >= 0) return args.subarray(0, end + 1);
  const more = memoryBytes(caller, mm, mm.argStart, Math.max(mm.envEnd, mm.argEnd));
  const stop = more.indexOf(0);
  return stop < 0 ? more : more.subarray(0, stop + 1);
}

export function environBytes(t: Task): Uint8Array {
  const mm = liveMemory(t);
  return mm === null ? new Uint8Array(0) : memoryBytes(currentTask(), mm, mm.envStart, mm.envEnd);
}

export function auxvBytes(t: Task): Uint8Array {
  return liveMemory(t)?.auxv ?? new Uint8Array(0);
}

/** Only threads of the same process may rename each other. */
export function storeComm(t: Task, value: string): number {
  if (currentTask()?.tg !== t.tg) return -EINVAL;
  const end = value.indexOf("\0");
  t.name = value.slice(0, Math.min(15, end < 0 ? value.length : end));
  return 0;
}

const LIMITS: readonly (readonly [string, number, string])[] = [
  ["Max cpu time", RLIMIT_CPU, "seconds"],
  ["Max file size", RLIMIT_FSIZE, "bytes"],
  ["Max data size", RLIMIT_DATA, "bytes"],
  ["Max stack size", RLIMIT_STACK, "bytes"],
  ["Max core file size", RLIMIT_CORE, "bytes"],
  ["Max resident set", RLIMIT_RSS, "bytes"],
  ["Max processes", RLIMIT_NPROC, "processes"],
  ["Max open files", RLIMIT_NOFILE, "files"],
  ["Max locked memory", RLIMIT_MEMLOCK, "bytes"],
  ["Max address space", RLIMIT_AS, "bytes"],
  ["Max file locks", RLIMIT_LOCKS, "locks"],
  ["Max pending signals", RLIMIT_SIGPENDING, "signals"],
  ["Max msgqueue size", RLIMIT_MSGQUEUE, "bytes"],
  ["Max nice priority", RLIMIT_NICE, ""],
  ["Max realtime priority", RLIMIT_RTPRIO, ""],
  ["Max realtime timeout", RLIMIT_RTTIME, "us"],
];

export function limitsText(t: Task): string {
  const { cur, max } = t.tg.limits;
  const value = (n: number): string => (n >= RLIM_INFINITY ? "unlimited" : String(n)).padEnd(20);
  const line = (name: string, soft: string, hard: string, units: string): string =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${units.padEnd(10)}\n`;
  let text = line("Limit", "Soft Limit", "Hard Limit", "Units");
  for (const [name, resource, units] of LIMITS) {
    // A limit without a unit ends after its hard value (lnames in fs/proc/base.c).
    text += units === ""
      ? `${name.padEnd(25)} ${value(cur[resource])} ${value(max[resource])} \n`
      : line(name, value(cur[resource]), value(max[resource]), units);
  }
  return text;
}

/** A task that reads its own is in that call. */
export function syscallText(t: Task): string {
  const isInCall = t.state === TASK_BLOCKED || t === currentTask();
  if (t.ctx === null || !isInCall || t.sysno < 0) return "running\n";
  const regs = t.ctx.regs;
  const reg = (i: number): string => {
    const hi = regs[2 * i + 1] >>> 0, lo = regs[2 * i] >>> 0;
    return "0x" + (hi === 0 ? lo.toString(16) : hi.toString(16) + lo.toString(16).padStart(8, "0"));
  };
  const args = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9, REG_RSP, REG_RIP].map(reg);
  return `${t.sysno} ${args.join(" ")}\n`;
}

/** 0 to 2000; half of it for a process that uses nothing (oom_badness). */
export function oomScoreText(t: Task): string {
  const points = Math.floor((1000 + t.tg.oomScoreAdj) * 2 / 3);
  return `${Math.max(0, points)}\n`;
}

export function oomAdjText(t: Task): string {
  const adj = t.tg.oomScoreAdj;
  const scaled = adj === OOM_SCORE_ADJ_MAX
    ? OOM_ADJ_MAX
    : Math.trunc(adj * -OOM_ADJ_MIN / OOM_SCORE_ADJ_MAX);
  return `${Math.min(OOM_ADJ_MAX, scaled)}\n`;
}

export function storeOomScoreAdj(t: Task, value: string): number {
  const n = parseInteger(value);
  if (!(n >= -OOM_SCORE_ADJ_MAX && n <= OOM_SCORE_ADJ_MAX)) return -EINVAL;
  return setOomScoreAdj(t, n);
}

export function storeOomAdj(t: Task, value: string): number {
  const n = parseInteger(value);
  if (!(n >= OOM_ADJ_MIN && n <= OOM_ADJ_MAX)) return -EINVAL;
  const scaled = n === OOM_ADJ_MAX
    ? OOM_SCORE_ADJ_MAX
    : Math.trunc(n * OOM_SCORE_ADJ_MAX / -OOM_ADJ_MIN);
  return setOomScoreAdj(t, scaled);
}

function setOomScoreAdj(t: Task, n: number): number {
  const caller = currentTask();
  if (n < t.tg.oomScoreAdj && caller !== null && !hasCapability(caller.creds, CAP_SYS_RESOURCE)) {
    return -EACCES;
  }
  t.tg.oomScoreAdj = n;
  return 0;
}

export function timerSlack(t: Task): string | number {
  return maySchedule(currentTask(), t) ? `${t.timerSlackNs}\n` : -EPERM;
}

function maySchedule(caller: Task | null, target: Task): boolean {
  return caller === null || caller === target || hasCapability(caller.creds, CAP_SYS_NICE);
}

export function storeTimerSlack(t: Task, value: string): number {
  if (!maySchedule(currentTask(), t)) return -EPERM;
  const n = parseInteger(value);
  if (!(n >= 0)) return -EINVAL;
  t.timerSlackNs = n === 0 ? 50_000 : n;
  return 0;
}

/** /proc/PID/io, `whole`, or that of a thread. What goes to a disk is the host's to count. */
export function ioText(t: Task, whole: boolean): string {
  t.countReads();
  const sum = whole ? t.tg.ioCounts() : t.io;
  return `rchar: ${sum.readBytes}\nwchar: ${sum.writtenBytes}\n` +
    `syscr: ${sum.reads}\nsyscw: ${sum.writes}\n` +
    "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";
}

/** The bits of /proc/PID/coredump_filter. */
const COREDUMP_FILTER_MASK = 0x1ff;

export function storeCoredumpFilter(t: Task, value: string): number {
  const n = parseInteger(value);
  if (!(n >= 0 && n <= 0xffff_ffff)) return -EINVAL;
  t.tg.coredumpFilter = n & COREDUMP_FILTER_MASK;
  return 0;
}

/** /proc/PID/clear_refs takes what to clear, of which there is nothing here. */
export function storeClearRefs(_t: Task, value: string): number {
  const n = parseInteger(value);
  return n >= CLEAR_REFS_ALL && n <= CLEAR_REFS_MM_HIWATER_RSS ? 0 : -EINVAL;
}

const CLEAR_REFS_ALL = 1;
const CLEAR_REFS_MM_HIWATER_RSS = 5;

/** /proc/PID/timers, the newest first: proc_pid_timers(5). */
export function timersText(t: Task): string {
  let text = "";
  for (const { id, clockId, event } of [...t.tg.posixTimers ?? []].reverse()) {
    const value = (event.valueHi * 2 ** 32 + event.valueLo).toString(16).padStart(16, "0");
    const to = event.thread === null ? `pid.${t.tg.pid}` : `tid.${event.thread.tid}`;
    text += `ID: ${id}\nsignal: ${event.signo}/${value}\n` +
      `notify: ${NOTIFICATIONS[event.notify]}/${to}\nClockID: ${clockId}\n`;
  }
  return text;
}

/** By SIGEV_*. */
const NOTIFICATIONS = ["signal", "none", "thread"];

/** The only user namespace maps all ids to themselves. */
export const ID_MAP_TEXT = "         0          0 4294967295\n";

export function childrenText(t: Task): string {
  let text = "";
  for (const child of t.tg.children) if (child.parentThread === t) text += child.pid + " ";
  return text;
}
