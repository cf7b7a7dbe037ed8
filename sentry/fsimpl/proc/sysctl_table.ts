/** The rows of /proc/sys, with Linux's defaults. */
import { EINVAL } from "../../../platform/abi/errno.ts";
import { fillRandom } from "../../../platform/host/host.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Keys } from "../../kernel/keys/key.ts";
import { NR_OPEN_MAX } from "../../kernel/fd_table.ts";
import { PID_MAX_LIMIT } from "../../kernel/pid.ts";
import { invalidatePaths } from "../../vfs/dentry.ts";
import { leaseSettings } from "../../vfs/leases.ts";
import { protections } from "../../vfs/permission.ts";
import { aioRequests } from "../anon/aio.ts";
import { ENTROPY_BITS } from "../dev/memory.ts";
import { PTY_MAX } from "../devpts/filesystem.ts";
import { terminalsOf } from "../dev/terminals.ts";
import { currentTask } from "../kernfs/caller.ts";
import { parseInteger } from "../kernfs/text.ts";

export interface Row {
  /** Below /proc/sys. */
  path: string;
  /** A value that is kept as it is written, within `range` if there is one. */
  value?: string | number;
  range?: readonly [number, number];
  /** It cannot be written. */
  fixed?: boolean;
  /** A value that means something here: without its newline. */
  read?: () => string;
  write?: (text: string) => number;
  mode?: number;
}

const INT_MAX = 2147483647;
const HOST_NAME_MAX = 64;

export function sysctlRows(kernel: Kernel): Row[] {
  return [...kernelRows(kernel), ...randomRows(), ...fsRows(kernel), ...VM, ...NET, ...USER];
}

/** "a/b", value, max: an integer from 0 on. */
function int(path: string, value: number, max = INT_MAX, min = 0): Row {
  return { path, value, range: [min, max] };
}
function fixed(path: string, value: string | number): Row {
  return { path, value, fixed: true };
}

/** An integer from 0 to `max` that others look at. */
function variable(path: string, max: number, get: () => number, set: (n: number) => void): Row {
  return {
    path,
    read: () => String(get()),
    write: (text) => {
      const n = parseInteger(text.trim());
      if (!(n >= 0 && n <= max)) return -EINVAL;
      set(n);
      return 0;
    },
  };
}

/** A random one: RFC 9562, version 4. */
function uuid(): string {
  const bytes = new Uint8Array(16);
  fillRandom(bytes);
  bytes[6] = bytes[6] & 0x0f | 0x40;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function protection(what: keyof typeof protections, max: number): Row {
  const set = (n: number) => {
    protections[what] = n;
    invalidatePaths(); // Which links were followed may be known.
  };
  return variable(`fs/protected_${what}`, max, () => protections[what], set);
}

function keyRows({ limits }: Keys): Row[] {
  const limit = (name: string, field: keyof typeof limits): Row =>
    variable(`kernel/keys/${name}`, INT_MAX, () => limits[field], (n) => limits[field] = n);
  return [
    limit("maxkeys", "maxKeys"),
    limit("maxbytes", "maxBytes"),
    limit("root_maxkeys", "rootMaxKeys"),
    limit("root_maxbytes", "rootMaxBytes"),
  ];
}

function kernelRows(kernel: Kernel): Row[] {
  const uts = (field: "hostname" | "domainname", fallback: string): Row => ({
    path: `kernel/${field}`,
    read: () => currentTask()?.ns.uts[field] ?? fallback,
    write: (text) => {
      const t = currentTask();
      if (t !== null) t.ns.uts[field] = text.split("\n", 1)[0].slice(0, HOST_NAME_MAX);
      return 0;
    },
  });
  return [
    fixed("kernel/ostype", "Linux"),
    fixed("kernel/osrelease", kernel.release),
    fixed("kernel/version", kernel.version),
    uts("hostname", kernel.initialHostname),
    uts("domainname", kernel.initialDomainname),
    {
      path: "kernel/pid_max",
      read: () => String(kernel.pids.pidMax),
      write: (text) => {
        const n = parseInteger(text);
        if (!(n > 300 && n <= PID_MAX_LIMIT)) return -EINVAL;
        kernel.pids.pidMax = n;
        return 0;
      },
    },
    int("kernel/threads-max", kernel.maxTasks),
    ...keyRows(kernel.keys),
    fixed("kernel/cap_last_cap", 40),
    fixed("kernel/ngroups_max", 65536),
    { path: "kernel/shmmax", value: "18446744073692774399" },
    { path: "kernel/shmall", value: "18446744073692774399" },
    int("kernel/shmmni", 4096),
    int("kernel/shm_rmid_forced", 0, 1),
    { path: "kernel/sem", value: "32000\t1024000000\t500\t32000" },
    int("kernel/msgmax", 8192),
    int("kernel/msgmnb", 16384),
    int("kernel/msgmni", 32000),
    int("kernel/overflowuid", 65534, 65535),
    int("kernel/overflowgid", 65534, 65535),
    { path: "kernel/printk", value: "4\t4\t1\t7" },
    { path: "kernel/core_pattern", value: "core" },
    int("kernel/core_uses_pid", 0, 1),
    int("kernel/core_pipe_limit", 0),
    { path: "kernel/tainted", value: 0 },
    int("kernel/yama/ptrace_scope", 0, 3),
    int("kernel/randomize_va_space", 2, 2),
    int("kernel/kptr_restrict", 1, 2),
    int("kernel/dmesg_restrict", 1, 1),
    int("kernel/perf_event_paranoid", 2, INT_MAX, -1),
    int("kernel/perf_event_max_sample_rate", 100000),
    int("kernel/unprivileged_bpf_disabled", 2, 2),
    int("kernel/panic", 0),
    int("kernel/panic_on_oops", 0, 1),
    int("kernel/sysrq", 0),
    int("kernel/modules_disabled", 1, 1),
    int("kernel/ctrl-alt-del", 0),
    int("kernel/auto_msgmni", 0),
    int("kernel/sched_rt_period_us", 1000000),
    int("kernel/sched_rt_runtime_us", 950000, INT_MAX, -1),
    int("kernel/sched_rr_timeslice_ms", 100),
    int("kernel/sched_autogroup_enabled", 1, 1),
    int("kernel/sched_child_runs_first", 0, 1),
    int("kernel/timer_migration", 1, 1),
    int("kernel/numa_balancing", 0, 1),
    int("kernel/io_uring_disabled", 2, 2),
    { path: "kernel/seccomp/actions_avail", value: SECCOMP_ACTIONS, fixed: true },
    { path: "kernel/seccomp/actions_logged", value: SECCOMP_ACTIONS.replace(" allow", "") },
    int("kernel/pty/max", PTY_MAX, PTY_MAX),
    int("kernel/pty/reserve", 1024),
    { path: "kernel/pty/nr", read: () => String(terminalsOf(kernel).devpts.ttys.size) },
    int("kernel/keys/maxkeys", 200),
    int("kernel/keys/maxbytes", 20000),
    int("kernel/keys/root_maxkeys", 1000000),
    int("kernel/keys/root_maxbytes", 25000000),
    int("kernel/keys/gc_delay", 300),
  ];
}

const SECCOMP_ACTIONS = "kill_process kill_thread trap errno user_notif trace log allow";

function randomRows(): Row[] {
  const bootId = uuid();
  return [
    fixed("kernel/random/boot_id", bootId),
    { path: "kernel/random/uuid", read: uuid },
    fixed("kernel/random/entropy_avail", ENTROPY_BITS),
    fixed("kernel/random/poolsize", ENTROPY_BITS),
    int("kernel/random/urandom_min_reseed_secs", 60),
    int("kernel/random/write_wakeup_threshold", ENTROPY_BITS),
  ];
}

function fsRows(kernel: Kernel): Row[] {
  const openFiles = (): number => {
    const seen = new Set<object>();
    let n = 0;
    for (const t of kernel.tasks.values()) {
      if (t.exiting || seen.has(t.fdTable)) continue;
      seen.add(t.fdTable);
      n += t.fdTable.settle().count;
    }
    return n;
  };
  return [
    { path: "fs/file-max", value: "9223372036854775807" },
    { path: "fs/file-nr", read: () => `${openFiles()}\t0\t9223372036854775807` },
    int("fs/nr_open", NR_OPEN_MAX),
    fixed("fs/inode-nr", "1000\t0"),
    fixed("fs/inode-state", "1000\t0\t0\t0\t0\t0\t0"),
    fixed("fs/dentry-state", "1000\t0\t45\t0\t0\t0"),
    int("fs/pipe-max-size", 1048576),
    int("fs/pipe-user-pages-soft", 16384),
    int("fs/pipe-user-pages-hard", 0),
    variable(
      "fs/lease-break-time",
      INT_MAX,
      () => leaseSettings.breakTimeSec,
      (n) => leaseSettings.breakTimeSec = n,
    ),
    int("fs/leases-enable", 1, 1),
    { path: "fs/aio-nr", read: () => String(aioRequests.used), fixed: true },
    variable("fs/aio-max-nr", Infinity, () => aioRequests.max, (n) => aioRequests.max = n),
    protection("hardlinks", 1),
    protection("symlinks", 1),
    protection("fifos", 2),
    protection("regular", 2),
    int("fs/suid_dumpable", 0, 2),
    int("fs/mount-max", 100000),
    int("fs/dir-notify-enable", 1, 1),
    int("fs/overflowuid", 65534, 65535),
    int("fs/overflowgid", 65534, 65535),
    int("fs/mqueue/queues_max", 256),
    int("fs/mqueue/msg_max", 10, 65536),
    int("fs/mqueue/msgsize_max", 8192, 16777216),
    int("fs/mqueue/msg_default", 10),
    int("fs/mqueue/msgsize_default", 8192),
    int("fs/inotify/max_queued_events", 16384),
    int("fs/inotify/max_user_instances", 128),
    int("fs/inotify/max_user_watches", 65536),
    int("fs/epoll/max_user_watches", 1048576),
    int("fs/fanotify/max_queued_events", 16384),
    int("fs/fanotify/max_user_groups", 128),
    int("fs/fanotify/max_user_marks", 65536),
  ];
}

const VM: readonly Row[] = [
  int("vm/overcommit_memory", 0, 2),
  int("vm/overcommit_ratio", 50),
  int("vm/overcommit_kbytes", 0),
  int("vm/max_map_count", 65530),
  int("vm/mmap_min_addr", 65536),
  int("vm/swappiness", 60, 200),
  int("vm/dirty_ratio", 20, 100),
  int("vm/dirty_background_ratio", 10, 100),
  int("vm/dirty_bytes", 0),
  int("vm/dirty_background_bytes", 0),
  int("vm/dirty_expire_centisecs", 3000),
  int("vm/dirty_writeback_centisecs", 500),
  int("vm/min_free_kbytes", 67584),
  int("vm/nr_hugepages", 0, 0),
  int("vm/nr_overcommit_hugepages", 0, 0),
  int("vm/hugetlb_shm_group", 0),
  { path: "vm/drop_caches", value: 0, range: [1, 4], mode: 0o200 },
  { path: "vm/compact_memory", value: 0, range: [1, 1], mode: 0o200 },
  int("vm/panic_on_oom", 0, 2),
  int("vm/oom_kill_allocating_task", 0),
  int("vm/oom_dump_tasks", 1),
  int("vm/legacy_va_layout", 0),
  int("vm/page-cluster", 3),
  int("vm/vfs_cache_pressure", 100),
  int("vm/zone_reclaim_mode", 0),
  int("vm/admin_reserve_kbytes", 8192),
  int("vm/user_reserve_kbytes", 131072),
  int("vm/unprivileged_userfaultfd", 0, 1),
  int("vm/stat_interval", 1),
  int("vm/memfd_noexec", 0, 2),
];

function confRows(family: "ipv4" | "ipv6", names: readonly [string, number][]): Row[] {
  return ["all", "default", "lo"].flatMap((device) =>
    names.map(([name, value]) => int(`net/${family}/conf/${device}/${name}`, value, INT_MAX, -1))
  );
}

const NET: readonly Row[] = [
  int("net/core/somaxconn", 4096),
  int("net/core/rmem_default", 212992),
  int("net/core/rmem_max", 212992),
  int("net/core/wmem_default", 212992),
  int("net/core/wmem_max", 212992),
  int("net/core/optmem_max", 131072),
  int("net/core/netdev_max_backlog", 1000),
  int("net/core/netdev_budget", 300),
  int("net/core/busy_poll", 0),
  int("net/core/busy_read", 0),
  { path: "net/core/default_qdisc", value: "pfifo_fast" },
  int("net/unix/max_dgram_qlen", 10),
  int("net/ipv4/ip_forward", 0, 1),
  int("net/ipv4/ip_default_ttl", 64, 255),
  int("net/ipv4/ip_nonlocal_bind", 0, 1),
  int("net/ipv4/ip_unprivileged_port_start", 1024, 65535),
  { path: "net/ipv4/ip_local_port_range", value: "32768\t60999" },
  { path: "net/ipv4/ip_local_reserved_ports", value: "" },
  { path: "net/ipv4/ping_group_range", value: "1\t0" },
  { path: "net/ipv4/tcp_rmem", value: "4096\t131072\t6291456" },
  { path: "net/ipv4/tcp_wmem", value: "4096\t16384\t4194304" },
  { path: "net/ipv4/tcp_mem", value: "88500\t118001\t177000" },
  { path: "net/ipv4/udp_mem", value: "177003\t236005\t354006" },
  { path: "net/ipv4/tcp_congestion_control", value: "cubic" },
  fixed("net/ipv4/tcp_available_congestion_control", "reno cubic"),
  { path: "net/ipv4/tcp_allowed_congestion_control", value: "reno cubic" },
  int("net/ipv4/tcp_fin_timeout", 60),
  int("net/ipv4/tcp_keepalive_time", 7200),
  int("net/ipv4/tcp_keepalive_intvl", 75),
  int("net/ipv4/tcp_keepalive_probes", 9),
  int("net/ipv4/tcp_syncookies", 1, 2),
  int("net/ipv4/tcp_max_syn_backlog", 4096),
  int("net/ipv4/tcp_max_tw_buckets", 65536),
  int("net/ipv4/tcp_tw_reuse", 2, 2),
  int("net/ipv4/tcp_timestamps", 1, 2),
  int("net/ipv4/tcp_sack", 1, 1),
  int("net/ipv4/tcp_window_scaling", 1, 1),
  int("net/ipv4/tcp_fastopen", 1),
  int("net/ipv4/tcp_retries1", 3),
  int("net/ipv4/tcp_retries2", 15),
  int("net/ipv4/tcp_syn_retries", 6),
  int("net/ipv4/tcp_synack_retries", 5),
  int("net/ipv4/tcp_slow_start_after_idle", 1, 1),
  int("net/ipv4/tcp_mtu_probing", 0, 2),
  int("net/ipv4/tcp_ecn", 2, 2),
  int("net/ipv4/icmp_echo_ignore_all", 0, 1),
  int("net/ipv4/icmp_echo_ignore_broadcasts", 1, 1),
  ...confRows("ipv4", [["forwarding", 0], ["rp_filter", 0], ["accept_redirects", 1], [
    "arp_ignore",
    0,
  ]]),
  int("net/ipv6/bindv6only", 0, 1),
  ...confRows("ipv6", [["disable_ipv6", 0], ["forwarding", 0], ["accept_ra", 1]]),
];

const USER: readonly Row[] = [
  "cgroup",
  "ipc",
  "mnt",
  "net",
  "pid",
  "time",
  "user",
  "uts",
].map((kind) => int(`user/max_${kind}_namespaces`, 15000));
