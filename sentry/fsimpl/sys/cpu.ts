/** /sys/devices/system/cpu and node. */
import type { Kernel } from "../../kernel/kernel.ts";
import { KernSymlink } from "../kernfs/link.ts";
import { cpuField } from "../proc/host_info.ts";
import { usedBytes } from "../proc/memory.ts";
import { maskText, rangesText } from "../proc/task_status.ts";
import type { SysFilesystem } from "./filesystem.ts";

const CPU = "devices/system/cpu";
const NODE = "devices/system/node";

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Processors with the same numbers in these fields of cpuinfo. */
function siblings(kernel: Kernel, i: number, ...fields: string[]): number[] {
  const of = (cpu: number): string =>
    fields.map((f) => cpuField(kernel, cpu, f, f === "core id" ? cpu : 0)).join(":");
  const mine = of(i);
  return upTo(kernel.cpuCount).filter((cpu) => of(cpu) === mine);
}

export function addCpus(fs: SysFilesystem): void {
  const { kernel } = fs;
  const n = kernel.cpuCount;
  const all = rangesText(upTo(n)) + "\n";
  for (const name of ["online", "possible", "present", "enabled"]) {
    fs.file(`${CPU}/${name}`, () => all);
  }
  fs.file(`${CPU}/offline`, () => "\n");
  fs.file(`${CPU}/isolated`, () => "\n");
  fs.file(`${CPU}/kernel_max`, () => "8191\n");
  fs.file(`${CPU}/smt/active`, () => "0\n");
  fs.file(`${CPU}/smt/control`, () => "notsupported\n");
  for (let i = 0; i < n; i++) {
    const dir = `${CPU}/cpu${i}`;
    if (i > 0) fs.file(`${dir}/online`, () => "1\n", 0o644);
    const topology = `${dir}/topology`;
    const number = (name: string, field: string, fallback: number): void =>
      fs.file(`${topology}/${name}`, () => cpuField(kernel, i, field, fallback) + "\n");
    number("physical_package_id", "physical id", 0);
    number("core_id", "core id", i);
    fs.file(`${topology}/die_id`, () => "0\n");
    fs.file(`${topology}/cluster_id`, () => "65535\n");
    const group = (names: string[], ...fields: string[]): void => {
      for (const name of names) {
        fs.file(`${topology}/${name}`, () => maskText(siblings(kernel, i, ...fields), n) + "\n");
        fs.file(
          `${topology}/${name}_list`,
          () => rangesText(siblings(kernel, i, ...fields)) + "\n",
        );
      }
    };
    group(["thread_siblings", "core_cpus"], "physical id", "core id");
    group(["core_siblings", "package_cpus", "die_cpus"], "physical id");
    fs.root.path(dir).add("subsystem", new KernSymlink(fs, "../../../../bus/cpu"));
    fs.root.path("bus/cpu/devices").add(
      `cpu${i}`,
      new KernSymlink(fs, `../../../devices/system/cpu/cpu${i}`),
    );
  }
}

/** One memory node with all processors. */
export function addNode(fs: SysFilesystem): void {
  const { kernel } = fs;
  const n = kernel.cpuCount;
  for (const name of ["online", "possible", "has_cpu", "has_memory", "has_normal_memory"]) {
    fs.file(`${NODE}/${name}`, () => "0\n");
  }
  const dir = `${NODE}/node0`;
  fs.file(`${dir}/cpumap`, () => maskText(upTo(n), n) + "\n");
  fs.file(`${dir}/cpulist`, () => rangesText(upTo(n)) + "\n");
  fs.file(`${dir}/distance`, () => "10\n");
  fs.file(
    `${dir}/numastat`,
    () => "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0\n",
  );
  fs.file(`${dir}/meminfo`, () => {
    const total = Math.floor(kernel.memoryBytes / 1024);
    const used = Math.floor(usedBytes(kernel) / 1024);
    const row = (name: string, kb: number): string =>
      `Node 0 ${(name + ":").padEnd(15)}${String(kb).padStart(8)} kB\n`;
    return row("MemTotal", total) + row("MemFree", total - used) + row("MemUsed", used) +
      row("AnonPages", used) +
      "Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\nNode 0 HugePages_Surp:      0\n";
  });
  for (let i = 0; i < n; i++) {
    fs.root.path(dir).add(`cpu${i}`, new KernSymlink(fs, `../../cpu/cpu${i}`));
    fs.root.path(`${CPU}/cpu${i}`).add("node0", new KernSymlink(fs, "../../node/node0"));
  }
}
