/** procfs: an instance and its root directory. */
import { ENOENT } from "../../../platform/abi/errno.ts";
import { DT_DIR } from "../../../platform/abi/dirent.ts";
import { PROC_SUPER_MAGIC } from "../../../platform/abi/mount.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { allocateAnonymousDev } from "../../vfs/anon.ts";
import type { Filesystem, FilesystemType, Inode } from "../../vfs/inode.ts";
import { currentTask } from "../kernfs/caller.ts";
import { KernDir, type KeyedEntry } from "../kernfs/dir.ts";
import { KernFilesystem } from "../kernfs/inode.ts";
import { KernSymlink } from "../kernfs/link.ts";
import { newNetDir } from "./net.ts";
import {
  defaultProcOptions,
  HIDEPID_INVISIBLE,
  isHidden,
  parseProcOptions,
  type ProcOptions,
  procOptionsText,
} from "./options.ts";
import { newSysctlDir } from "./sysctl.ts";
import { addSystemFiles } from "./system.ts";
import { type ProcContext, processDir, taskNamed } from "./task_dir.ts";

/** Directory offsets of processes begin here (Linux: FIRST_PROCESS_ENTRY). */
const FIRST_PROCESS = 256;

export class ProcFilesystem extends KernFilesystem implements ProcContext {
  override readonly typeName = "proc";
  override readonly magic = PROC_SUPER_MAGIC;
  override readonly creationError = -ENOENT;
  override readonly revalidates = true;
  readonly netDir: KernDir;
  override readonly root: RootDir;

  constructor(kernel: Kernel, public options: ProcOptions) {
    super(kernel, allocateAnonymousDev());
    this.netDir = newNetDir(this);
    this.root = new RootDir(this);
  }

  /** MS_REMOUNT: what is not given stays. */
  remount(text: string): number {
    const options = parseProcOptions(text, this.options);
    if (typeof options === "number") return options;
    this.options = options;
    return 0;
  }

  optionsText(): string {
    return procOptionsText(this.options);
  }
}

class RootDir extends KernDir {
  /** Its links without the processes'. */
  readonly #fixedLinks: number;

  constructor(override readonly fs: ProcFilesystem) {
    super(fs);
    this.add(
      "self",
      new KernSymlink(fs, () => {
        const t = currentTask();
        return t === null ? -ENOENT : String(t.tg.pid);
      }),
    );
    this.add(
      "thread-self",
      new KernSymlink(fs, () => {
        const t = currentTask();
        return t === null ? -ENOENT : `${t.tg.pid}/task/${t.tid}`;
      }),
    );
    this.add("net", new KernSymlink(fs, "self/net"));
    this.add("mounts", new KernSymlink(fs, "self/mounts"));
    this.add("sys", newSysctlDir(fs));
    addSystemFiles(fs, this);
    this.#fixedLinks = this.nlink;
  }

  override find(name: string): Inode | number {
    const child = this.child(name);
    if (child !== undefined) return this.#isShown(name) ? child : -ENOENT;
    const t = taskNamed(this.fs, name);
    if (t === null || isHidden(this.fs.options, t, HIDEPID_INVISIBLE)) return -ENOENT;
    return processDir(this.fs, t);
  }

  /** Of what is no process, subset=pid leaves the links to the caller. */
  #isShown(name: string): boolean {
    return !this.fs.options.onlyProcesses || name === "self" || name === "thread-self";
  }

  override refresh(): number {
    let processes = 0;
    for (const _ of this.fs.kernel.threadGroups()) processes++;
    this.nlink = this.#fixedLinks + processes;
    return 0;
  }

  override *list(fromKey: number): Iterable<KeyedEntry> {
    if (fromKey < FIRST_PROCESS) {
      for (const entry of super.list(fromKey)) if (this.#isShown(entry.name)) yield entry;
    }
    const pids: number[] = [];
    for (const tg of this.fs.kernel.threadGroups()) {
      if (FIRST_PROCESS + tg.pid >= fromKey) pids.push(tg.pid);
    }
    pids.sort((a, b) => a - b);
    for (const pid of pids) {
      const tg = this.fs.kernel.threadGroup(pid);
      if (tg === null || isHidden(this.fs.options, tg.leader, HIDEPID_INVISIBLE)) continue;
      const { ino } = processDir(this.fs, tg.leader);
      yield { name: String(pid), ino, type: DT_DIR, key: FIRST_PROCESS + pid };
    }
  }
}

/** mount -t proc. */
export class ProcType implements FilesystemType {
  readonly name = "proc";

  constructor(private readonly kernel: Kernel) {}

  checkOptions(text: string): number {
    const options = parseProcOptions(text, defaultProcOptions);
    return typeof options === "number" ? options : 0;
  }

  mount(_source: string, text: string, _creds: Credentials): Filesystem | number {
    const options = parseProcOptions(text, defaultProcOptions);
    return typeof options === "number" ? options : new ProcFilesystem(this.kernel, options);
  }
}
