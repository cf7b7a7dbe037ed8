/** A cgroup2 of one group that holds every process and has no limits: cgroups(7). */
import { EOPNOTSUPP } from "../../../platform/abi/errno.ts";
import { CGROUP2_SUPER_MAGIC } from "../../../platform/abi/mount.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { allocateAnonymousDev } from "../../vfs/anon.ts";
import { type Filesystem, type FilesystemType, STORED_XATTRS } from "../../vfs/inode.ts";
import { KernDir } from "../kernfs/dir.ts";
import { KernFilesystem } from "../kernfs/inode.ts";
import { KernText } from "../kernfs/text.ts";
import { cpuTotals } from "../proc/cpu.ts";
import { usedBytes } from "../proc/memory.ts";

const NSEC_PER_USEC = 1000;

export class CgroupFilesystem extends KernFilesystem {
  override readonly typeName = "cgroup2";
  override readonly xattrNames = STORED_XATTRS;
  override readonly magic = CGROUP2_SUPER_MAGIC;
  override readonly root: KernDir;

  constructor(kernel: Kernel) {
    super(kernel, allocateAnonymousDev());
    this.root = new KernDir(this, 0o755);
    const file = (name: string, generate: () => string, writable = false): void => {
      const store = writable ? () => -EOPNOTSUPP : null;
      this.root.addFile(name, () => new KernText(this, writable ? 0o644 : 0o444, generate, store));
    };
    file("cgroup.controllers", () => "cpu memory pids\n");
    file("cgroup.subtree_control", () => "\n", true);
    file(
      "cgroup.procs",
      () => [...kernel.threadGroups()].map((tg) => `${tg.pid}\n`).join(""),
      true,
    );
    file("cgroup.threads", () => [...kernel.tasks.keys()].map((tid) => `${tid}\n`).join(""), true);
    file("cgroup.events", () => "populated 1\nfrozen 0\n");
    file("cgroup.max.depth", () => "max\n", true);
    file("cgroup.max.descendants", () => "max\n", true);
    file("cgroup.stat", () => "nr_descendants 0\nnr_dying_descendants 0\n");
    file("cpu.max", () => "max 100000\n", true);
    file("cpu.weight", () => "100\n", true);
    file("cpu.stat", () => {
      const { userNs, systemNs } = cpuTotals(kernel);
      const us = (ns: number): number => Math.floor(ns / NSEC_PER_USEC);
      return `usage_usec ${us(userNs + systemNs)}\nuser_usec ${us(userNs)}\nsystem_usec ${
        us(systemNs)
      }\n` +
        "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n";
    });
    file("memory.max", () => "max\n", true);
    file("memory.high", () => "max\n", true);
    file("memory.low", () => "0\n", true);
    file("memory.min", () => "0\n", true);
    file("memory.current", () => `${usedBytes(kernel)}\n`);
    file("memory.swap.max", () => "max\n", true);
    file("memory.swap.current", () => "0\n");
    file("memory.events", () => "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
    file("memory.stat", () => `anon ${usedBytes(kernel)}\nfile 0\nkernel 0\nshmem 0\n`);
    file("pids.max", () => `${kernel.maxTasks}\n`, true);
    file("pids.current", () => `${kernel.tasks.size}\n`);
  }
}

export class CgroupType implements FilesystemType {
  readonly name = "cgroup2";

  constructor(private readonly kernel: Kernel) {}

  mount(_source: string, _options: string, _creds: Credentials): Filesystem | number {
    return new CgroupFilesystem(this.kernel);
  }
}
