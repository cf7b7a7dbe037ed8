/** /proc/PID/status (Linux: fs/proc/array.c, proc_pid_status). */
import { RLIMIT_SIGPENDING } from "../../../platform/abi/resource.ts";
import type { Task } from "../../kernel/task.ts";
import { liveMemory } from "./access.ts";
import { lockedBytes } from "../../mm/locking.ts";
import { memorySizes } from "./memory.ts";
import { escapedName, handledSignals, parentPid, stateLetter } from "./task_stat.ts";

const STATE_NAMES: Readonly<Record<string, string>> = {
  R: "R (running)",
  S: "S (sleeping)",
  T: "T (stopped)",
  Z: "Z (zombie)",
  X: "X (dead)",
};

/** Descriptors that Linux's table would have room for. */
function fdTableSize(highest: number): number {
  let size = 64;
  while (size < highest) size *= 2;
  return size;
}

function hex64(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

/** CPUs as Linux prints a mask: groups of 32 bits in hexadecimal. */
export function maskText(cpus: readonly number[], count: number): string {
  const words = new Array<number>(Math.max(1, Math.ceil(count / 32))).fill(0);
  for (const i of cpus) words[i >>> 5] = (words[i >>> 5] | (1 << (i & 31))) >>> 0;
  const width = Math.ceil((count % 32 === 0 ? 32 : count % 32) / 4);
  return words.reverse().map((w, i) => w.toString(16).padStart(i === 0 ? width : 8, "0")).join(",");
}

/** The CPUs of an affinity mask, of which only the first 32 are told apart. */
function cpusOf(mask: number, count: number): number[] {
  const cpus: number[] = [];
  for (let i = 0; i < count; i++) if (i >= 32 || (mask >>> i & 1) === 1) cpus.push(i);
  return cpus;
}

/** "0-3,8". */
export function rangesText(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    let j = i;
    while (j + 1 < numbers.length && numbers[j + 1] === numbers[j] + 1) j++;
    parts.push(i === j ? String(numbers[i]) : `${numbers[i]}-${numbers[j]}`);
    i = j + 1;
  }
  return parts.join(",");
}

export function statusText(t: Task): string {
  const { tg, creds, signals } = t;
  const session = tg.pgrp.session;
  const letter = stateLetter(t);
  const { ignored, caught } = handledSignals(tg.actions);
  const user = t.kernel.user(creds.ruid);
  const { cpuCount } = t.kernel;
  const cpus = cpusOf(t.cpuMask, cpuCount);
  const groups = creds.groups.length === 0 ? "" : creds.groups.join(" ");
  return `Name:\t${escapedName(t)}\n` +
    (t.exiting ? "" : `Umask:\t${t.fs.umask.toString(8).padStart(4, "0")}\n`) +
    `State:\t${STATE_NAMES[letter]}\nTgid:\t${tg.pid}\nNgid:\t0\nPid:\t${t.tid}\n` +
    `PPid:\t${parentPid(t)}\nTracerPid:\t0\n` +
    `Uid:\t${creds.ruid}\t${creds.euid}\t${creds.suid}\t${creds.fsuid}\n` +
    `Gid:\t${creds.rgid}\t${creds.egid}\t${creds.sgid}\t${creds.fsgid}\n` +
    `FDSize:\t${t.exiting ? 0 : fdTableSize(t.fdTable.limit)}\nGroups:\t${groups} \n` +
    `NStgid:\t${tg.pid}\nNSpid:\t${t.tid}\nNSpgid:\t${tg.pgrp.id}\nNSsid:\t${session.id}\n` +
    `Kthread:\t0\n` + memoryText(t) +
    `Threads:\t${tg.threads.length}\n` +
    `SigQ:\t${user.pendingSignals}/${Math.min(tg.limits.cur[RLIMIT_SIGPENDING], 2 ** 53)}\n` +
    `SigPnd:\t${hex64(signals.pending.lo, signals.pending.hi)}\n` +
    `ShdPnd:\t${hex64(tg.pending.lo, tg.pending.hi)}\n` +
    `SigBlk:\t${hex64(signals.maskLo, signals.maskHi)}\n` +
    `SigIgn:\t${hex64(...ignored)}\nSigCgt:\t${hex64(...caught)}\n` +
    `CapInh:\t${hex64(...creds.inheritable)}\nCapPrm:\t${hex64(...creds.permitted)}\n` +
    `CapEff:\t${hex64(...creds.effective)}\nCapBnd:\t${hex64(...creds.bounding)}\n` +
    `CapAmb:\t${hex64(...creds.ambient)}\nNoNewPrivs:\t${creds.noNewPrivs ? 1 : 0}\n` +
    `Seccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tvulnerable\n` +
    `SpeculationIndirectBranch:\talways enabled\n` +
    `Cpus_allowed:\t${maskText(cpus, cpuCount)}\nCpus_allowed_list:\t${
      rangesText(cpus)
    }\nMems_allowed:\t1\nMems_allowed_list:\t0\n` +
    `voluntary_ctxt_switches:\t${t.voluntarySwitches}\nnonvoluntary_ctxt_switches:\t0\n`;
}

function memoryText(t: Task): string {
  const mm = liveMemory(t);
  if (mm === null) return "";
  const s = memorySizes(mm);
  const row = (name: string, bytes: number): string =>
    `${name}:\t${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`;
  return row("VmPeak", s.total) + row("VmSize", s.total) + row("VmLck", lockedBytes(mm)) +
    row("VmPin", 0) + row("VmHWM", s.resident) + row("VmRSS", s.resident) +
    row("RssAnon", s.anonymous) + row("RssFile", s.file) + row("RssShmem", s.shmem) +
    row("VmData", s.data) + row("VmStk", s.stack) + row("VmExe", s.code) +
    row("VmLib", s.libraries) + row("VmPTE", 4096 * (1 + mm.vmas.all.length)) + row("VmSwap", 0) +
    `HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t${t.tg.thpDisabled ? 0 : 1}\n` +
    `untag_mask:\t0xffffffffffffffff\n`;
}
