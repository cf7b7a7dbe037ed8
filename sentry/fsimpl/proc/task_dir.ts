/** /proc/PID and /proc/PID/task/TID, from one table (Linux: tgid_base_stuff, tid_base_stuff). */
import { EINVAL, ENOENT, EPERM } from "../../../platform/abi/errno.ts";
import { DT_DIR } from "../../../platform/abi/dirent.ts";
import type { Task } from "../../kernel/task.ts";
import type { FileDescription, IoctlCaller } from "../../vfs/file.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { PathRef } from "../../vfs/mount.ts";
import { linkText, mountinfoText, mountstatsText, mountsText } from "../../vfs/path_text.ts";
import { currentTask } from "../kernfs/caller.ts";
import { direntType, KernDir, type KeyedEntry } from "../kernfs/dir.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { isGone, liveMemory } from "./access.ts";
import { FdDir, FdInfoDir } from "./fd_dir.ts";
import { NsDir } from "./ns_dir.ts";
import { HIDEPID_INVISIBLE, HIDEPID_NO_ACCESS, isHidden, type ProcOptions } from "./options.ts";
import { mapsIoctl } from "./maps_query.ts";
import { mapsText, numaMapsText, smapsRollupText, smapsText } from "./task_maps.ts";
import { MountsInode } from "./mounts_file.ts";
import { MemInode, PagemapInode } from "./task_mem.ts";
import * as misc from "./task_misc.ts";
import { schedstatText, schedText, statmText, statText } from "./task_stat.ts";
import { statusText } from "./task_status.ts";
import {
  TaskDynamicDir,
  type TaskGenerate,
  TaskLink,
  type TaskStore,
  TaskText,
} from "./task_inode.ts";

/** What the directories need of the file system they are in. */
export interface ProcContext extends KernFilesystem {
  readonly netDir: KernDir;
  readonly options: ProcOptions;
}

type Maker = (fs: ProcContext, t: Task) => Inode;
/** Where an entry is: in both directories, the process's alone, or the thread's alone. */
const BOTH = 0, PROCESS = 1, THREAD = 2;
type Entry = readonly [name: string, make: Maker, where?: number];

function text(mode: number, generate: TaskGenerate, store: TaskStore | null = null): Maker {
  return (fs, t) => new TaskText(fs, t, mode, generate, store);
}
/** Only for those who may ptrace the task. */
function guarded(mode: number, generate: TaskGenerate, store: TaskStore | null = null): Maker {
  return (fs, t) => new TaskText(fs, t, mode, generate, store, true);
}
function fixed(mode: number, content: string, store: TaskStore | null = null): Maker {
  return text(mode, () => content, store);
}
function link(where: (t: Task) => PathRef | null): Maker {
  return (fs, t) =>
    new TaskLink(
      fs,
      t,
      0o777,
      (task) => {
        const path = where(task);
        return path === null ? -ENOENT : linkText(path, (currentTask() ?? task).fs.root);
      },
      (task) => where(task) ?? -ENOENT,
    );
}

/** Also answers for single mappings. */
class MapsFile extends TaskText {
  constructor(fs: ProcContext, t: Task) {
    super(fs, t, 0o444, mapsText, null, true);
  }
  override ioctl(caller: IoctlCaller, cmd: number, arg: number): number {
    return mapsIoctl(this.task, caller, cmd, arg);
  }
}

const accept: TaskStore = () => 0;
/** The first user namespace's maps are what they are. */
const refuse: TaskStore = () => -EPERM;

function placeOf(file: FileDescription | null | undefined): PathRef | null {
  return file === null || file === undefined ? null : { mount: file.mount, dentry: file.dentry };
}

const ENTRIES: readonly Entry[] = [
  ["task", (fs, t) => new ThreadsDir(fs, t), PROCESS],
  ["fd", (fs, t) => new FdDir(fs, t)],
  ["fdinfo", (fs, t) => new FdInfoDir(fs, t)],
  ["ns", (fs, t) => new NsDir(fs, t)],
  ["net", (fs) => fs.netDir],
  ["environ", guarded(0o400, misc.environBytes)],
  ["auxv", guarded(0o400, misc.auxvBytes)],
  ["status", text(0o444, statusText)],
  ["personality", guarded(0o400, (t) => t.tg.personality.toString(16).padStart(8, "0") + "\n")],
  ["limits", text(0o444, misc.limitsText)],
  ["sched", text(0o644, schedText, accept)],
  [
    "autogroup",
    (fs, t) => new TaskText(fs, t, 0o644, () => "/autogroup-1 nice 0\n", accept),
    PROCESS,
  ],
  [
    "timens_offsets",
    fixed(0o644, "monotonic           0         0\nboottime            0         0\n"),
    PROCESS,
  ],
  ["comm", text(0o644, (t) => t.name + "\n", misc.storeComm)],
  ["syscall", guarded(0o400, misc.syscallText)],
  ["cmdline", text(0o444, misc.cmdlineBytes)],
  ["stat", text(0o444, (t) => statText(t, true)), PROCESS],
  ["stat", text(0o444, (t) => statText(t, false)), THREAD],
  ["statm", text(0o444, statmText)],
  ["maps", (fs, t) => new MapsFile(fs, t)],
  ["children", text(0o444, misc.childrenText), THREAD],
  ["numa_maps", guarded(0o444, numaMapsText)],
  ["mem", (fs, t) => new MemInode(fs, t)],
  ["cwd", link((t) => t.exiting ? null : t.fs.cwd)],
  ["root", link((t) => t.exiting ? null : t.fs.root)],
  ["exe", link((t) => placeOf(liveMemory(t)?.exeFile))],
  ["mounts", (fs, t) => new MountsInode(fs, t, mountsText)],
  ["mountinfo", (fs, t) => new MountsInode(fs, t, mountinfoText)],
  [
    "mountstats",
    text(0o400, (t) => t.exiting ? -EINVAL : mountstatsText(t.ns.mount, t.fs.root)),
    PROCESS,
  ],
  ["clear_refs", text(0o200, () => -EINVAL, misc.storeClearRefs)],
  ["smaps", guarded(0o444, smapsText)],
  ["smaps_rollup", guarded(0o444, smapsRollupText)],
  ["pagemap", (fs, t) => new PagemapInode(fs, t)],
  ["attr", (fs, t) => securityDir(fs, t)],
  ["wchan", fixed(0o444, "0")],
  ["stack", guarded(0o400, () => "")],
  ["schedstat", text(0o444, schedstatText)],
  ["cpuset", fixed(0o444, "/\n")],
  ["cgroup", fixed(0o444, "0::/\n")],
  ["oom_score", text(0o444, misc.oomScoreText)],
  ["oom_adj", text(0o644, misc.oomAdjText, misc.storeOomAdj)],
  ["oom_score_adj", text(0o644, (t) => `${t.tg.oomScoreAdj}\n`, misc.storeOomScoreAdj)],
  ["loginuid", fixed(0o644, "4294967295", accept)],
  ["sessionid", fixed(0o444, "4294967295")],
  [
    "coredump_filter",
    text(
      0o644,
      (t) => t.tg.coredumpFilter.toString(16).padStart(8, "0") + "\n",
      misc.storeCoredumpFilter,
    ),
    PROCESS,
  ],
  ["io", guarded(0o400, (t) => misc.ioText(t, true)), PROCESS],
  ["io", guarded(0o400, (t) => misc.ioText(t, false)), THREAD],
  ["uid_map", fixed(0o644, misc.ID_MAP_TEXT, refuse)],
  ["gid_map", fixed(0o644, misc.ID_MAP_TEXT, refuse)],
  ["projid_map", fixed(0o644, misc.ID_MAP_TEXT, refuse)],
  ["setgroups", fixed(0o644, "allow\n", refuse)],
  ["timers", text(0o444, misc.timersText), PROCESS],
  ["timerslack_ns", text(0o666, misc.timerSlack, misc.storeTimerSlack), PROCESS],
];

function entriesOf(where: number): Map<string, { make: Maker; key: number }> {
  const map = new Map<string, { make: Maker; key: number }>();
  let key = 2;
  for (const [name, make, only] of ENTRIES) {
    if ((only ?? BOTH) === BOTH || only === where) map.set(name, { make, key: key++ });
  }
  return map;
}

const PROCESS_ENTRIES = entriesOf(PROCESS);
const THREAD_ENTRIES = entriesOf(THREAD);

/** /proc/PID (of a process, or by the number of any thread) or /proc/PID/task/TID. */
class TaskDir extends TaskDynamicDir {
  readonly #made = new Map<string, Inode>();

  constructor(override readonly fs: ProcContext, task: Task, readonly isThread: boolean) {
    super(fs, task);
  }

  get #entries(): Map<string, { make: Maker; key: number }> {
    return this.isThread ? THREAD_ENTRIES : PROCESS_ENTRIES;
  }

  /** What hidepid= says to the caller of this process's directory (proc_pid_permission): 0 or -errno. */
  #checkHidden(): number {
    const { options } = this.fs;
    if (this.isThread || !isHidden(options, this.task, HIDEPID_NO_ACCESS)) return 0;
    return options.hidePid === HIDEPID_INVISIBLE ? -ENOENT : -EPERM;
  }

  override open(file: FileDescription): number {
    const err = this.#checkHidden();
    return err < 0 ? err : super.open(file);
  }

  protected override findLive(name: string): Inode | number {
    const err = this.#checkHidden();
    if (err < 0) return err;
    let inode = this.#made.get(name);
    if (inode !== undefined) return inode;
    const entry = this.#entries.get(name);
    if (entry === undefined) return -ENOENT;
    inode = entry.make(this.fs, this.task);
    this.#made.set(name, inode);
    return inode;
  }

  override list(fromKey: number): Iterable<KeyedEntry> | number {
    return isGone(this.task) ? -ENOENT : this.#list(fromKey);
  }

  *#list(fromKey: number): Iterable<KeyedEntry> {
    for (const [name, { key }] of this.#entries) {
      if (key < fromKey) continue;
      const inode = this.findLive(name);
      if (typeof inode === "number") return;
      yield { name, ino: inode.ino, type: direntType(inode.mode), key };
    }
  }
}

/** The process whose directory /proc/PID this is, null for another inode (pidfd_send_signal(2)). */
export function processOfDirectory(inode: Inode): Task | null {
  return inode instanceof TaskDir && !inode.isThread ? inode.task : null;
}

/** /proc/PID/task. */
class ThreadsDir extends TaskDynamicDir {
  constructor(override readonly fs: ProcContext, task: Task) {
    super(fs, task);
  }

  protected override findLive(name: string): Inode | number {
    const t = taskNamed(this.fs, name);
    return t === null || t.tg !== this.task.tg ? -ENOENT : threadDir(this.fs, t);
  }

  override refresh(): number {
    this.nlink = 2 + this.task.tg.threads.length;
    return super.refresh();
  }

  override list(fromKey: number): Iterable<KeyedEntry> | number {
    if (isGone(this.task)) return -ENOENT;
    return this.task.tg.threads
      .map((t) => ({
        name: String(t.tid),
        ino: threadDir(this.fs, t).ino,
        type: DT_DIR,
        key: t.tid + 2,
      }))
      .filter((e) => e.key >= fromKey)
      .sort((a, b) => a.key - b.key);
  }
}

/** Directories made so far; each file system instance has its own. */
class Made {
  readonly processes = new WeakMap<Task, TaskDir>();
  readonly threads = new WeakMap<Task, TaskDir>();
}
const made = new WeakMap<ProcContext, Made>();

function madeOf(fs: ProcContext): Made {
  let m = made.get(fs);
  if (m === undefined) made.set(fs, m = new Made());
  return m;
}

export function processDir(fs: ProcContext, t: Task): Inode {
  const { processes } = madeOf(fs);
  let dir = processes.get(t);
  if (dir === undefined) processes.set(t, dir = new TaskDir(fs, t, false));
  return dir;
}

function threadDir(fs: ProcContext, t: Task): Inode {
  const { threads } = madeOf(fs);
  let dir = threads.get(t);
  if (dir === undefined) threads.set(t, dir = new TaskDir(fs, t, true));
  return dir;
}

/** The task whose number `name` is, or null. */
export function taskNamed(fs: ProcContext, name: string): Task | null {
  if (!/^[1-9][0-9]{0,8}$/.test(name)) return null;
  return fs.kernel.tasks.get(Number(name)) ?? null;
}

/** attr/: there is no security module. */
function securityDir(fs: ProcContext, t: Task): Inode {
  const dir = new KernDir(fs);
  const none: TaskGenerate = () => -EINVAL;
  const refuse: TaskStore = () => -EINVAL;
  for (const name of ["current", "prev", "exec", "fscreate", "keycreate", "sockcreate"]) {
    dir.add(name, new TaskText(fs, t, name === "prev" ? 0o444 : 0o666, none, refuse));
  }
  return dir;
}
