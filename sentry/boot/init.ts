/** Starting the sandbox's first process. */
import { EACCES, ENOENT, ENOTDIR, errnoName } from "../../platform/abi/errno.ts";
import { F_GETFL, O_ACCMODE, O_APPEND, O_LARGEFILE, O_RDWR } from "../../platform/abi/fcntl.ts";
import { RLIMIT_NOFILE } from "../../platform/abi/resource.ts";
import { S_IFCHR, S_IFMT } from "../../platform/abi/stat.ts";
import { SYS_fcntl } from "../../platform/abi/amd64/syscalls.ts";
import { hostSyscall } from "../../platform/host/host.ts";
import { initialCredentials, trustOf } from "../auth/credentials.ts";
import type { SandboxConfig } from "../config.ts";
import { memoryDevicePath } from "../fsimpl/dev/filesystem.ts";
import { terminalsOf } from "../fsimpl/dev/terminals.ts";
import { type Console, newConsole } from "../fsimpl/devpts/console.ts";
import { newHostFile } from "../fsimpl/host/host_file.ts";
import { cpuLimitChanged } from "../kernel/cpu_limit.ts";
import { execProgram, programsCanWriteGs } from "../kernel/exec.ts";
import { FdTable } from "../kernel/fd_table.ts";
import { FsContext } from "../kernel/fs_context.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { initialNamespaces } from "../kernel/namespaces.ts";
import { initialRlimits } from "../kernel/rlimits.ts";
import { joinGroup, newGroup, newSession } from "../kernel/session.ts";
import { SignalActions } from "../kernel/signal_actions.ts";
import { Task } from "../kernel/task.ts";
import { ThreadGroup } from "../kernel/thread_group.ts";
import { StringBlock } from "../loader/strings.ts";
import { MemoryManager } from "../mm/memory_manager.ts";
import { ImageCache } from "../mm/text_image.ts";
import type { FileDescription } from "../vfs/file.ts";
import { acquirePath, type MountNamespace } from "../vfs/mount.ts";
import { startPathAnswers } from "../vfs/path_answers.ts";
import { inodePermission, MAY_EXEC, openForExec, walk, WALK_DIRECTORY } from "../vfs/namei.ts";
import { openAt } from "../vfs/open.ts";
import { BootError } from "./error.ts";

const NOT_FOUND = 127;
/** A flag (--cwd) that cannot be. */
const BAD_USE = 2;
const NOT_EXECUTABLE = 126;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface FirstProcess {
  task: Task;
  console: Console | null;
}

/** Makes process 1, with its program loaded; it is not started yet. Throws BootError. */
export async function createInit(
  kernel: Kernel,
  config: SandboxConfig,
  mounts: MountNamespace,
): Promise<FirstProcess> {
  const task = createTask(kernel, config, mounts);
  const console = await openStdio(kernel, config, task);
  enterCwd(task, config.cwd);
  await execFirst(task, config);
  return { task, console };
}

function createTask(kernel: Kernel, config: SandboxConfig, mounts: MountNamespace): Task {
  const creds = initialCredentials(config.uid, config.gid, config.groups);
  const ctx = kernel.platform.newAddressSpace(trustOf(creds));
  if (typeof ctx === "number") {
    throw new BootError(`the host makes no process for the first program (${errnoName(-ctx)})`);
  }
  const pid = kernel.pids.allocate();
  const limits = initialRlimits(kernel.maxTasks, config.limits);
  const tg = new ThreadGroup(kernel, pid, new SignalActions(), limits);
  const mm = new MemoryManager(
    ctx.addressSpace,
    kernel.platform.taskSize,
    new ImageCache(programsCanWriteGs()),
  );
  const root = mounts.rootPath;
  const fs = new FsContext(acquirePath(root), acquirePath(root), config.umask, mounts);
  const ns = initialNamespaces(mounts, kernel.initialHostname, kernel.initialDomainname);
  ns.acquire(); // Like Linux's init_nsproxy they outlive every task: the sandbox ends without unmounting.
  const fdTable = new FdTable((crowded) => {
    for (const each of kernel.tasks.values()) {
      if (each.fdTable === crowded) each.publishIdentity();
    }
  });
  fdTable.noFileLimit = limits.cur[RLIMIT_NOFILE];
  const { answers } = kernel.platform;
  if (answers !== null && kernel.hostFutexes) startPathAnswers(answers, root, creds);
  const task = new Task(kernel, pid, ctx, tg, creds, mm, fdTable, fs, ns);
  tg.leader = task;
  tg.threads.push(task);
  kernel.init = tg;
  const session = newSession(kernel, tg);
  joinGroup(tg, newGroup(kernel, pid, session));
  kernel.addTask(task);
  cpuLimitChanged(tg);
  return task;
}

function openStdio(kernel: Kernel, config: SandboxConfig, task: Task): Console | null {
  const console = openConsole(kernel, config, task);
  terminalsOf(kernel).input.set(config.input);
  for (let fd = 0; fd < 3; fd++) {
    if (console !== null && config.stdioIsTerminal[fd]) install(task, console.openSlave(), fd);
    else if (config.stdio[fd] >= 0) openStream(kernel, config, task, fd);
  }
  return console;
}

/** Gives `task` a standard stream of the host that is not the console, as descriptor `fd`. */
function openStream(kernel: Kernel, config: SandboxConfig, task: Task, fd: number): void {
  const hostFd = config.stdio[fd];
  const isTerminal = config.stdioIsTerminal[fd];
  const input = isTerminal ? terminalsOf(kernel).input : null;
  const flags = isTerminal ? O_RDWR : openFlags(hostFd);
  const file = newHostFile(kernel, hostFd, flags, `host:[${fd}]`, input);
  install(task, typeof file === "number" ? file : ownDevice(task, file) ?? file, fd);
  if (isTerminal && typeof file !== "number") terminalsOf(kernel).setHostTerminal(file);
}

/** How the host opened it, but for what other processes may have changed since (O_NONBLOCK). */
function openFlags(hostFd: number): number {
  const flags = hostSyscall(SYS_fcntl, hostFd, F_GETFL);
  return flags < 0 ? O_RDWR : flags & (O_ACCMODE | O_APPEND | O_LARGEFILE);
}

/** For /dev/null and its kin of the host, which is closed then, the sandbox's own; null for other files. */
function ownDevice(task: Task, file: FileDescription): FileDescription | null {
  const { mode, rdev } = file.inode;
  const path = (mode & S_IFMT) === S_IFCHR ? memoryDevicePath(rdev) : null;
  if (path === null) return null;
  const own = openAt(task.fs.walkContext(task.creds), task.fs.root, path, file.flags, 0);
  if (typeof own === "number") return null;
  if (own.inode.rdev !== rdev) {
    own.release();
    return null;
  }
  file.release();
  return own;
}

function openConsole(kernel: Kernel, config: SandboxConfig, task: Task): Console | null {
  if (config.console === null) return null;
  const { rows, cols } = config.console;
  const { devpts, input } = terminalsOf(kernel);
  const console = newConsole(kernel, devpts, config.stdio[0], config.stdio[1], input);
  if (typeof console === "number") throw new BootError("cannot make the console");
  console.setWinsize(rows, cols);
  terminalsOf(kernel).console = console.tty;
  console.attach(task);
  return console;
}

function install(task: Task, file: FileDescription | number, fd: number): void {
  if (typeof file === "number") throw new BootError(`cannot open descriptor ${fd}`);
  task.fdTable.installAt(fd, file, 0);
}

function enterCwd(task: Task, cwd: string): void {
  const p = walk(task.fs.walkContext(task.creds), task.fs.root, cwd, WALK_DIRECTORY);
  const err = typeof p === "number" ? p : inodePermission(task.creds, p.dentry.inode!, MAY_EXEC);
  if (typeof p === "number" || err < 0) {
    throw new BootError(`cannot enter ${cwd}: ${WORDS[-err] ?? errnoName(-err)}`, BAD_USE);
  }
  task.fs.setCwd(acquirePath(p));
  task.publishPlace();
}

const WORDS: Record<number, string> = {
  [ENOENT]: "no such directory",
  [ENOTDIR]: "not a directory",
  [EACCES]: "permission denied",
};

async function execFirst(task: Task, config: SandboxConfig): Promise<void> {
  const [name] = config.argv;
  const open = (path: string) =>
    openForExec(task.fs.walkContext(task.creds), task.fs.cwd, path, false, false);
  let failure = -ENOENT;
  for (const path of candidates(name, config.env)) {
    const file = open(path);
    if (typeof file === "number") {
      if (file !== -ENOENT && file !== -ENOTDIR) failure = file;
      continue;
    }
    const argv = StringBlock.of(config.argv);
    const envp = StringBlock.of(config.env);
    const err = await execProgram(task, file, path, argv, envp, open);
    if (err === 0) return;
    failure = err;
    break;
  }
  if (failure === -ENOENT) throw new BootError(`${name}: not found`, NOT_FOUND);
  const why = failure === -EACCES ? "permission denied" : errnoName(-failure);
  throw new BootError(`${name}: cannot execute: ${why}`, NOT_EXECUTABLE);
}

function candidates(name: string, env: string[]): string[] {
  if (name === "") return [];
  if (name.includes("/")) return [name];
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((dir) => `${dir === "" ? "." : dir}/${name}`);
}
