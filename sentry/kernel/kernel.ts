/** The kernel of one sandbox: its tables, clocks and timers, and the doors to what others own. */
import type { Platform } from "../../platform/platform.ts";
import { monoNs, realtime } from "../../platform/host/host.ts";
import type { FilesystemType } from "../vfs/inode.ts";
import type { FileDescription } from "../vfs/file.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import type { Timespec } from "../../platform/abi/time.ts";
import type { BlockState } from "./block.ts";
import { FutexTable } from "./futex.ts";
import { Keys } from "./keys/key.ts";
import { PID_MAX_DEFAULT, PidAllocator } from "./pid.ts";
import type { ProcessGroup, Session } from "./session.ts";
import type { Strace } from "./strace.ts";
import { type Task, TASK_DEAD } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";
import { TimerHeap } from "./timers.ts";

export interface KernelOptions {
  platform: Platform;
  hostname: string;
  domainname?: string;
  /** uname(2)'s release and version. */
  release?: string;
  version?: string;
  /** Tasks the whole sandbox may have. */
  maxTasks?: number;
  pidMax?: number;
  cpuCount?: number;
  memoryBytes?: number;
  /**
   * As in a container of Linux, init ignores signals of its own sandbox that it has no handler for.
   * Off by default: a command run by itself (`dvisor do`) must die of them.
   */
  initIsProtected?: boolean;
}

/** Readiness of host descriptors, from the poller thread. The run loop's owner installs it. */
export interface HostEvents {
  /** Calls `ready` with EPOLL* bits whenever the descriptor has some of `events`. Returns 0 or -errno. */
  add(hostFd: number, events: number, ready: (events: number) => void): number;
  modify(hostFd: number, events: number): number;
  remove(hostFd: number): void;
}

/** How pidfds are made and recognised; fsimpl/anon/pidfd.ts installs it. */
export interface PidFiles {
  /** `thread`: PIDFD_THREAD. The caller owns the file. */
  open(target: Task, thread: boolean, nonblocking: boolean): FileDescription;
  /** The task that a pidfd names, null for another file. */
  target(file: FileDescription): Task | null;
  /** Whether it is a pidfd of a thread. */
  isThread(file: FileDescription): boolean;
}

/** More than the deepest chain of async functions between a handler and the Gofer's port. */
const HOST_ROUNDS = 64;

/** What is counted by real user id. */
export class UserAccount {
  tasks = 0;
  pendingSignals = 0;
  constructor(readonly uid: number) {}
}

/** Tasks of a whole sandbox, whatever RLIMIT_NPROC says: each is a host thread. */
const MAX_TASKS = 4096;
/** Accounts that are kept without a look at whose they are. */
const USERS_MIN = 1000;

export class Kernel {
  readonly platform: Platform;
  /** Every task that has not been released, zombies included, by tid. */
  readonly tasks = new Map<number, Task>();
  readonly processGroups = new Map<number, ProcessGroup>();
  readonly sessions = new Map<number, Session>();
  readonly users = new Map<number, UserAccount>();
  readonly pids: PidAllocator;
  readonly timers = new TimerHeap();
  readonly futexes = new FutexTable();
  readonly keys = new Keys();
  readonly fsTypes = new Map<string, FilesystemType>();
  readonly stubs = new Map<string, number>();
  /** Tasks whose handler was woken and has not come to rest: the run loop spins microtasks. */
  inflight = 0;
  /** Of these, those who wait without a promise (BlockState.waitThen): the run loop lets them go on. */
  woken: BlockState[] = [];
  /** Rounds of microtasks still due to handlers that wait for the host, which inflight does not count. */
  hostRounds = 0;
  /** Tasks in the middle of long work, which let others be served first. */
  readonly givingWay = new Set<BlockState>();
  init: ThreadGroup | null = null;
  initIsProtected: boolean;
  rootMountNs: MountNamespace | null = null;
  hostEvents: HostEvents | null = null;
  pidFiles: PidFiles | null = null;
  /** Null unless system calls are traced. */
  strace: Strace | null = null;
  /** The guest's futex calls may go from the stub to the host: wake-ups of ours must go there, too. */
  hostFutexes = false;
  readonly release: string;
  readonly version: string;
  readonly initialHostname: string;
  readonly initialDomainname: string;
  readonly maxTasks: number;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly bootMonoNs: number;
  readonly bootRealtimeSec: number;
  /** Processes made since boot (/proc/stat). */
  forkCount = 0;

  /** Makes a task resume (after its signals): run.ts installs it. */
  start: (t: Task) => void = notInstalled;
  /** Ends a task's call with `result` now: its handler goes on, and returns RESUMED. run.ts installs it. */
  resumeEarly: (t: Task, result: number) => void = notInstalled;
  /** Init is gone, all others are being killed; `status` is a wait status. */
  onSandboxExit: (status: number) => void = () => {};
  /** Init was stopped by `signal`: its parent is the command. */
  onInitStop: (signal: number) => void = () => {};
  /** A line for the debug log. */
  log: (line: string) => void = () => {};

  readonly #now = new Float64Array(2);
  readonly #timespec: Timespec = { sec: 0, nsec: 0 };

  constructor(options: KernelOptions) {
    this.platform = options.platform;
    this.initialHostname = options.hostname;
    this.initialDomainname = options.domainname ?? "(none)";
    this.release = options.release ?? "6.12.0-dvisor";
    this.version = options.version ?? "#1 SMP PREEMPT_DYNAMIC dvisor";
    this.maxTasks = options.maxTasks ?? MAX_TASKS;
    this.cpuCount = options.cpuCount ?? navigator.hardwareConcurrency;
    this.memoryBytes = options.memoryBytes ?? 4 * 2 ** 30;
    this.initIsProtected = options.initIsProtected ?? false;
    this.pids = new PidAllocator((pid) => this.isPidUsed(pid), options.pidMax ?? PID_MAX_DEFAULT);
    this.bootMonoNs = monoNs();
    this.bootRealtimeSec = this.nowRealtime().sec;
  }

  /** A handler waits for the host, or an answer came: some microtasks must run before the next wait. */
  hostWork(): void {
    this.hostRounds = HOST_ROUNDS;
  }

  nowMonoNs(): number {
    return monoNs();
  }

  /** The wall clock. The object is reused: read it before the next call. */
  nowRealtime(): Timespec {
    realtime(this.#now);
    this.#timespec.sec = this.#now[0];
    this.#timespec.nsec = this.#now[1];
    return this.#timespec;
  }

  isPidUsed(pid: number): boolean {
    return this.tasks.has(pid) || this.processGroups.has(pid) || this.sessions.has(pid);
  }

  /** The process numbered `pid`; a thread's number is not one. */
  threadGroup(pid: number): ThreadGroup | null {
    const t = this.tasks.get(pid);
    return t !== undefined && t.tg.pid === pid ? t.tg : null;
  }

  /** Processes, zombies included. */
  *threadGroups(): Generator<ThreadGroup> {
    for (const t of this.tasks.values()) if (t.tg.leader === t) yield t.tg;
  }

  user(uid: number): UserAccount {
    let account = this.users.get(uid);
    if (account === undefined) {
      if (this.users.size >= this.#usersMax) this.#forgetUsers();
      this.users.set(uid, account = new UserAccount(uid));
    }
    return account;
  }

  /** Who has nothing any more: a task may have been every user there is. */
  #forgetUsers(): void {
    for (const [uid, { tasks, pendingSignals }] of this.users) {
      if (tasks === 0 && pendingSignals === 0) this.users.delete(uid);
    }
    this.#usersMax = Math.max(USERS_MIN, 2 * this.users.size);
  }
  #usersMax = USERS_MIN;

  addTask(t: Task): void {
    this.tasks.set(t.tid, t);
    this.user(t.creds.ruid).tasks++;
    this.forkCount++;
  }

  /** Releases a task's number (Linux: release_task). */
  removeTask(t: Task): void {
    if (!this.tasks.delete(t.tid)) return;
    this.user(t.creds.ruid).tasks--;
    t.state = TASK_DEAD;
  }

  /** Counts a gap that a guest has met; `what` as in "mmap MAP_LOCKED". */
  stub(t: Task | null, what: string): void {
    const n = (this.stubs.get(what) ?? 0) + 1;
    this.stubs.set(what, n);
    if (n === 1) this.log(`stub: ${what}${t === null ? "" : ` (${t.name}[${t.tid}])`}`);
  }
}

function notInstalled(): never {
  throw new Error("there is no run loop");
}
