// What the benchmark measures: one row of the table each, with its goal.

/** How a figure is judged: `limit` computes the most it may be from the other columns, in ns. */
export interface Goal {
  text: string;
  limit: (columns: Columns) => number | undefined;
}

/** Nanoseconds by target's name; missing where it was not run or failed. */
export type Columns = Record<string, number | undefined>;

/** How a row is run; see the functions of `measure.ts` named so. */
export type Way =
  | { kind: "micro"; row: string; pinned?: boolean }
  | { kind: "outside"; script: string; prepare?: string; nativeOnly?: boolean }
  | { kind: "inside"; argv: string[]; prepare?: string }
  | { kind: "warm"; argv: string[]; prepare?: string; warmUp: number; measured: number }
  | { kind: "typed"; row: string }
  | { kind: "idle"; figure: "cpu" | "pss" };

export interface Row {
  id: string;
  group: string;
  label: string;
  unit: "ns" | "%" | "MiB";
  /** Part of `--quick`. */
  quick: boolean;
  way: Way;
  goal?: Goal;
}

const us = (most: number): Goal => ({ text: `≤ ${most} µs`, limit: () => most * 1000 });
const timesNative = (factor: number): Goal => ({
  text: `≤ ${factor} × native`,
  limit: ({ native }) => native === undefined ? undefined : native * factor,
});
const aheadOfPeer: Goal = { text: "ahead of the peer", limit: ({ peer }) => peer };

function micro(id: string, label: string, goal: Goal): Row {
  const way: Way = { kind: "micro", row: id };
  return { id, group: "System calls", label, unit: "ns", quick: true, way, goal };
}

const MICRO: readonly Row[] = [
  micro("getppid", "getppid", us(1)),
  micro("pread_1", "pread 1 B, tmpfs", us(2)),
  micro("pread_4k", "pread 4 KiB, tmpfs", us(2)),
  micro("pwrite_1", "pwrite 1 B, tmpfs", us(2)),
  micro("pwrite_4k", "pwrite 4 KiB, tmpfs", us(2)),
  micro("fstat", "fstat", us(1.5)),
  micro("lseek", "lseek", us(1.5)),
  micro("poll_0", "poll, no timeout", us(1.5)),
  micro("epoll_wait_0", "epoll_wait, no timeout", us(1.5)),
  micro("stat", "stat of a rootfs file", us(2.5)),
  micro("open_close", "open + close of a rootfs file", us(6)),
  micro("creat_unlink", "creat + unlink, tmpfs", us(12)),
  micro("pipe_ping_pong", "pipe ping-pong, two processes", timesNative(2)),
  micro("futex_ping_pong", "futex ping-pong, two threads", timesNative(1.2)),
  micro("thread_create_join", "pthread create + join", timesNative(2)),
  micro("mmap_munmap", "mmap + munmap", timesNative(3)),
  micro("page_fault", "anonymous page fault", timesNative(1.1)),
  micro("fork_wait", "fork + exit + wait", timesNative(1.5)),
  micro("spawn_true", "posix_spawn /bin/true", timesNative(2)),
  micro("getppid_4_threads", "getppid, 4 threads, per call", us(2)),
  {
    ...micro("getppid_4_pinned", "the same on one core", us(4)),
    way: { kind: "micro", row: "getppid_4_threads", pinned: true },
  },
];

interface Program {
  id: string;
  label: string;
  /** For sh; $WORK is the fixtures' folder. */
  script: string;
  /** Run before, and not timed. */
  prepare?: string;
  quick?: boolean;
  /** Runs in a sandbox before one is timed there, for those who are measured so, too. */
  warmUp?: number;
}

const PROGRAMS: readonly Program[] = [
  { id: "true", label: "/bin/true", script: "exec /bin/true", quick: true, warmUp: 500 },
  {
    id: "python",
    label: "python3 -c pass",
    script: "exec python3 -c pass",
    quick: true,
    warmUp: 60,
  },
  { id: "node", label: "node -e 0", script: "exec node -e 0", warmUp: 30 },
  {
    id: "gcc",
    label: "gcc of one file",
    script: 'cd "$WORK/project" && exec gcc -O1 -c -o part1.o part1.c',
    quick: true,
    warmUp: 40,
  },
  {
    id: "make",
    label: "make -j2 of 20 files",
    script: 'exec make -s -j2 -C "$WORK/project"',
    prepare: 'make -s -C "$WORK/project" clean',
    warmUp: 6,
  },
  {
    id: "git_status",
    label: "git status over 10,000 files",
    script: 'exec git -C "$WORK/repository" status -s',
  },
  { id: "find", label: "find /usr", script: "exec find /usr" },
  {
    id: "untar",
    label: "untar 5,000 small files, tmpfs",
    script: 'mkdir /dev/shm/bench.untar && exec tar xf "$WORK/files.tar" -C /dev/shm/bench.untar',
    prepare: "rm -rf /dev/shm/bench.untar",
  },
  {
    id: "dd",
    label: "dd 1 GiB to tmpfs",
    script: "exec dd if=/dev/zero of=/dev/shm/bench.dd bs=1M count=1024 status=none",
    prepare: "rm -f /dev/shm/bench.dd",
  },
];

const OUTSIDE = PROGRAMS.map(({ id, label, script, prepare, quick = false }): Row => ({
  id: `outside_${id}`,
  group: "Programs, with the sandbox's start",
  label,
  unit: "ns",
  quick,
  way: { kind: "outside", script, prepare },
  goal: aheadOfPeer,
}));

/** What a program made by `deno compile` takes for itself; a sandbox cannot start sooner. */
const COMPILED_HELLO: Row = {
  id: "outside_hello",
  group: OUTSIDE[0].group,
  label: "a compiled hello-world",
  unit: "ns",
  quick: true,
  way: { kind: "outside", script: 'exec "$WORK/../hello"', nativeOnly: true },
};

const INSIDE = PROGRAMS.map(({ id, label, script, prepare, quick = false }): Row => ({
  id: `inside_${id}`,
  group: "Programs in a sandbox that is up",
  label,
  unit: "ns",
  quick,
  way: { kind: "inside", argv: ["sh", "-c", script], prepare },
  goal: timesNative(1.5),
}));

const WARM = PROGRAMS.filter(({ warmUp }) => warmUp !== undefined).map((program): Row => ({
  id: `warm_${program.id}`,
  group: "Programs in a sandbox that has run for seconds",
  label: program.label,
  unit: "ns",
  quick: false,
  way: {
    kind: "warm",
    argv: ["sh", "-c", program.script],
    prepare: program.prepare,
    warmUp: program.warmUp!,
    measured: 9,
  },
  goal: timesNative(1.5),
}));

function typed(row: string, label: string, goal?: Goal): Row {
  const way: Way = { kind: "typed", row };
  return {
    id: row,
    group: "At a terminal",
    label,
    unit: "ns",
    quick: row === "first_prompt",
    way,
    goal,
  };
}

const OTHERS: readonly Row[] = [
  typed("first_prompt", "bash, first prompt", aheadOfPeer),
  typed("typed_builtin", "a builtin, Enter to prompt"),
  typed("typed_program", "/bin/true, Enter to prompt", timesNative(2)),
  {
    id: "idle_cpu",
    group: "Idle sandbox",
    label: "CPU",
    unit: "%",
    quick: true,
    way: { kind: "idle", figure: "cpu" },
    goal: { text: "0 %", limit: () => 0.05 },
  },
  {
    id: "idle_pss",
    group: "Idle sandbox",
    label: "PSS beyond the shared binary",
    unit: "MiB",
    quick: true,
    way: { kind: "idle", figure: "pss" },
    goal: { text: "≤ 60 MiB", limit: () => 60 },
  },
];

export const ROWS: readonly Row[] = [
  ...MICRO,
  OUTSIDE[0],
  COMPILED_HELLO,
  ...OUTSIDE.slice(1),
  ...INSIDE,
  ...WARM,
  ...OTHERS,
];

/** What is removed from the machine's tmpfs after a run without a sandbox. */
export const LEFTOVERS = ["/dev/shm/bench.untar", "/dev/shm/bench.dd"];
