/** The files at the top of /proc: proc(5). */
import { EPERM } from "../../../platform/abi/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernDir } from "../kernfs/dir.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { KernText } from "../kernfs/text.ts";
import { loadavgText, statText, uptimeText } from "./cpu.ts";
import { keysText, keyUsersText } from "./keys.ts";
import { cpuinfoText } from "./host_info.ts";
import { meminfoText, usedBytes } from "./memory.ts";

/** /proc/version. */
export function versionText(kernel: Kernel): string {
  return `Linux version ${kernel.release} (dvisor@dvisor) (dvisor) ${kernel.version}\n`;
}

function filesystemsText(kernel: Kernel): string {
  // Types that are only ever mounted by the kernel are listed, too.
  const names = new Set([...kernel.fsTypes.keys(), "pipefs", "sockfs", "anon_inodefs"]);
  return [...names].map((name) => `nodev\t${name}\n`).join("");
}

const DEVICES = `Character devices:
  1 mem
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
128 ptm
136 pts

Block devices:
`;

const TTY_DRIVERS = `/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
`;

const PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" +
  "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";

const VMSTAT_ZERO = [
  "nr_mlock",
  "nr_dirty",
  "nr_writeback",
  "nr_shmem",
  "pgpgin",
  "pgpgout",
  "pswpin",
  "pswpout",
  "pgalloc_normal",
  "pgfree",
  "pgfault",
  "pgmajfault",
  "pgscan_kswapd",
  "pgscan_direct",
  "pgsteal_kswapd",
  "pgsteal_direct",
  "oom_kill",
  "thp_fault_alloc",
];

function vmstatText(kernel: Kernel): string {
  const total = Math.floor(kernel.memoryBytes / 4096);
  const anonymous = Math.floor(usedBytes(kernel) / 4096);
  return `nr_free_pages ${total - anonymous}\nnr_active_anon ${anonymous}\nnr_inactive_anon 0\n` +
    `nr_active_file 0\nnr_inactive_file 0\nnr_anon_pages ${anonymous}\nnr_mapped 0\nnr_file_pages 0\n` +
    VMSTAT_ZERO.map((name) => `${name} 0\n`).join("");
}

function perCpuHead(kernel: Kernel, indent: number): string {
  let text = " ".repeat(indent);
  for (let i = 0; i < kernel.cpuCount; i++) text += `CPU${i}`.padEnd(11);
  return text.trimEnd() + "\n";
}

/** Texts of other owners at the top of /proc ("locks"), by name. */
const providers = new Map<string, () => string>();

/** Sets what /proc/NAME shows, for a file listed here without a text of its own. */
export function setSystemText(name: string, generate: () => string): void {
  providers.set(name, generate);
}

export function addSystemFiles(fs: KernFilesystem, root: KernDir): void {
  const { kernel } = fs;
  const file = (name: string, generate: () => string, mode = 0o444): void => {
    const slash = name.lastIndexOf("/");
    const dir = slash < 0 ? root : root.path(name.slice(0, slash));
    dir.addFile(
      name.slice(slash + 1),
      () => new KernText(fs, mode, () => providers.get(name)?.() ?? generate()),
    );
  };
  const empty = (): string => "";
  file("version", () => versionText(kernel));
  file("cpuinfo", () => cpuinfoText(kernel));
  file("meminfo", () => meminfoText(kernel));
  file("stat", () => statText(kernel));
  file("uptime", () => uptimeText(kernel));
  file("loadavg", () => loadavgText(kernel));
  file("vmstat", () => vmstatText(kernel));
  file("filesystems", () => filesystemsText(kernel));
  file("cmdline", () => "BOOT_IMAGE=/dvisor quiet\n");
  file("devices", () => DEVICES);
  file("partitions", () => "major minor  #blocks  name\n\n");
  file("diskstats", empty);
  file("swaps", () => "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  file("modules", empty);
  file("misc", empty);
  file("locks", empty);
  file("consoles", empty);
  file("crypto", empty);
  file("execdomains", () => "0-0\tLinux           \t[kernel]\n");
  file("cgroups", () => "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  file("interrupts", () => perCpuHead(kernel, 11));
  file("softirqs", () => perCpuHead(kernel, 20));
  file("iomem", empty, 0o400);
  file("ioports", empty, 0o400);
  file("buddyinfo", empty);
  file("zoneinfo", empty);
  file("slabinfo", () => "slabinfo - version: 2.1\n", 0o400);
  file("kallsyms", empty);
  file("key-users", () => keyUsersText(kernel));
  file("keys", () => keysText(kernel));
  file("timer_list", empty, 0o400);
  file(
    "sysvipc/msg",
    () =>
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid" +
      "      stime      rtime      ctime\n",
  );
  file(
    "sysvipc/sem",
    () => "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
  );
  file(
    "sysvipc/shm",
    () =>
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid" +
      "      atime      dtime      ctime                   rss                  swap\n",
  );
  file("pressure/cpu", () => PRESSURE, 0o644);
  file("pressure/io", () => PRESSURE, 0o644);
  file("pressure/memory", () => PRESSURE, 0o644);
  file("tty/drivers", () => TTY_DRIVERS);
  file("tty/ldiscs", () => "n_tty       0\n");
  for (const dir of ["acpi", "bus", "driver", "fs", "irq"]) root.path(dir);
  root.add("sysrq-trigger", new KernText(fs, 0o200, empty, () => -EPERM));
  root.add("kmsg", new KernText(fs, 0o400, empty));
}
