/** CPU time and counts of the whole sandbox: /proc/stat, uptime, loadavg. */
import { nsToTicks, sampleCpuTime } from "../../kernel/cpu_time.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, TASK_RUNNING } from "../../kernel/task.ts";

export interface CpuTotals {
  userNs: number;
  systemNs: number;
  idleNs: number;
}

const last: CpuTotals = { userNs: 0, systemNs: 0, idleNs: 0 };

/** Times since boot over all CPUs; they never go back. */
export function cpuTotals(kernel: Kernel): CpuTotals {
  let user = 0, system = 0;
  for (const tg of kernel.threadGroups()) {
    sampleCpuTime(tg.leader);
    user += tg.utimeNs() + tg.deadChildren.utimeNs;
    system += tg.stimeNs() + tg.deadChildren.stimeNs;
  }
  last.userNs = Math.max(last.userNs, user);
  last.systemNs = Math.max(last.systemNs, system);
  const idle = uptimeNs(kernel) * kernel.cpuCount - last.userNs - last.systemNs;
  last.idleNs = Math.max(last.idleNs, idle);
  return last;
}

export function uptimeNs(kernel: Kernel): number {
  return kernel.nowMonoNs() - kernel.bootMonoNs;
}

export function runningTasks(kernel: Kernel): number {
  let n = 0;
  for (const t of kernel.tasks.values()) if (t.state === TASK_RUNNING && !t.exiting) n++;
  return n;
}

/** /proc/stat. */
export function statText(kernel: Kernel): string {
  const { userNs, systemNs, idleNs } = cpuTotals(kernel);
  const user = nsToTicks(userNs), system = nsToTicks(systemNs), idle = nsToTicks(idleNs);
  let text = `cpu  ${user} 0 ${system} ${idle} 0 0 0 0 0 0\n`;
  const n = kernel.cpuCount;
  const share = (total: number, i: number): number =>
    Math.floor(total / n) + (i < total % n ? 1 : 0);
  for (let i = 0; i < n; i++) {
    text += `cpu${i} ${share(user, i)} 0 ${share(system, i)} ${share(idle, i)} 0 0 0 0 0 0\n`;
  }
  let switches = 0;
  for (const t of kernel.tasks.values()) switches += t.voluntarySwitches;
  return text + `intr 0\nctxt ${switches}\nbtime ${kernel.bootRealtimeSec}\n` +
    `processes ${kernel.forkCount}\nprocs_running ${Math.max(1, runningTasks(kernel))}\n` +
    `procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`;
}

/** /proc/uptime. */
export function uptimeText(kernel: Kernel): string {
  const seconds = (ns: number): string => (Math.floor(ns / 1e7) / 100).toFixed(2);
  return `${seconds(uptimeNs(kernel))} ${seconds(cpuTotals(kernel).idleNs)}\n`;
}

/** /proc/loadavg; nobody samples the run queue, so the averages are zero. */
export function loadavgText(kernel: Kernel): string {
  let lastPid = 0;
  for (const pid of kernel.tasks.keys()) lastPid = Math.max(lastPid, pid);
  return `0.00 0.00 0.00 ${Math.max(1, runningTasks(kernel))}/${kernel.tasks.size} ${lastPid}\n`;
}

/** Start of a task in clock ticks after boot. */
export function startTicks(t: Task): number {
  const ns = t.startBootNs !== 0 ? t.startBootNs : t.tg.startMonoNs - t.kernel.bootMonoNs;
  return Math.max(0, nsToTicks(ns));
}
