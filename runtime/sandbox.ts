/**
 * A sandbox: options in, streams and exit status out. The command's `do` is the first user of it.
 *
 * The sandbox process is started before anything else happens (in the command by the prelude, before
 * this code runs); its mounts and its configuration follow while it boots.
 */
import { SYS_open } from "../platform/abi/amd64/syscalls.ts";
import { ESRCH } from "../platform/abi/errno.ts";
import {
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../platform/abi/fcntl.ts";
import type { ControlEvent, SandboxConfig, VolumeConfig } from "../sentry/config.ts";
import type { TerminalInput } from "../sentry/fsimpl/host/caller_input.ts";
import { fromLatin1, oneLine, toLatin1 } from "./bytes.ts";
import { libraryFile } from "../platform/host/library.ts";
import { bufferAddr, hostCall, MAX_MOUNTS, spawnLibrary } from "../platform/host/spawn.ts";
import {
  CONTROL_FD,
  ControlConnection,
  EMPTY_ROOT_FD,
  MEMORY_FILES_FD,
  SENTRY_BUG_STATUS,
} from "./control.ts";
import { SandboxError } from "./errors.ts";
import type { Log } from "./log.ts";
import {
  closeFd,
  openHost,
  openPipe,
  ownGroups,
  ownLimits,
  ownUmask,
  readMemfd,
} from "./process.ts";

/** A directory or file of the host that the guest sees at `target`. */
export interface Volume {
  /** Path on the host. */
  source: string;
  /** Absolute path in the sandbox. */
  target: string;
  /** True: the guest's writes go to the host. Default: read-only. */
  writable?: boolean;
}

/** Where a standard stream of the guest leads. */
export type Stdio = "inherit" | "null" | "piped";

/** What {@link Sandbox.start} is told. */
export interface SandboxOptions {
  /** The program and its arguments; a name without a slash is looked up in the guest's PATH. */
  command: string[];
  /** Host directory that is the guest's root file system, under an in-memory overlay. Default "/". */
  root?: string;
  /** Working directory in the sandbox. Default "/". */
  cwd?: string;
  /** The guest's environment, whole. Default: a PATH and nothing else. */
  env?: Record<string, string>;
  /** User and group of the first process; default: the caller's, with its groups. */
  user?: { uid: number; gid: number };
  volumes?: Volume[];
  hostname?: string;
  /** How guest code runs. Default: systrap where the host allows it, else ptrace. */
  platform?: "systrap" | "ptrace";
  /** Trace system calls: true for all, or names. Lines go to the caller's stderr or the debug log. */
  strace?: boolean | string[];
  stdin?: Stdio;
  stdout?: Stdio;
  stderr?: Stdio;
  /** The caller's terminal becomes the guest's: stdin and stdout must be "inherit", and it in raw mode. */
  console?: { rows: number; cols: number };
  /** What becomes of what is typed on the caller's terminal at first; see {@link Sandbox.setInput}. Default "on". */
  input?: TerminalInput;
  /** A directory for logs, which exists. */
  debugLog?: string;
  logFormat?: "text" | "json";
  /** The dvisor executable; needed only where the caller is not one itself. */
  binary?: string;
}

/** How the guest's first process ended. */
export interface SandboxStatus {
  success: boolean;
  /** Exit status; 128 + n when signal n ended it. */
  code: number;
  /** Number of the signal that ended it, or null. */
  signal: number | null;
}

const SIGCONT = 18;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Of the name that dv_sandbox_mount gives what failed. */
const STEP_SIZE = 32;
/** What host files of unmapped owners show as (/proc/sys/kernel/overflowuid). */
const OVERFLOW_ID = 65534;

/** A running sandbox. */
export class Sandbox {
  /** Host pid of the sandbox process. Killing it ends the sandbox and leaves nothing behind. */
  readonly pid: number;
  /** Settles when the sandbox is gone. Rejects with a {@link SandboxError} when it could not start. */
  readonly status: Promise<SandboxStatus>;
  /** The guest's standard streams where they are "piped", else null. */
  readonly stdin: WritableStream<Uint8Array> | null = null;
  readonly stdout: ReadableStream<Uint8Array> | null = null;
  readonly stderr: ReadableStream<Uint8Array> | null = null;
  /**
   * Called when a signal (Ctrl-Z …) has stopped the guest's first process, and the input of a terminal is "off" from
   * then on; or with SIGTTIN when somebody reads one whose input is in the "background". Without it the guest is
   * continued, since nobody else would.
   */
  onStop: ((signal: number) => void) | null = null;
  readonly #control: ControlConnection;
  readonly #pidfd: number;
  readonly #diagnostics: number;
  readonly #log: Log | null;

  /** Starts it. Returns at once, while it boots; throws a {@link SandboxError} if it cannot. */
  static start(options: SandboxOptions, log: Log | null = null): Sandbox {
    return new Sandbox(options, log);
  }

  private constructor(options: SandboxOptions, log: Log | null) {
    const files = openFiles(options);
    const writable = options.volumes?.some((v) => v.writable) ?? false;
    const process = startProcess(executable(options), writable, files);
    this.pid = process.pid;
    this.#log = log;
    this.#control = process.control;
    this.#pidfd = process.pidfd;
    this.#diagnostics = process.diagnostics;
    const { pid, allIdsMapped } = process;
    log?.debug("started the sandbox process", { pid, allIdsMapped });
    this.status = this.#follow(options, configure(process, options, files));
    // Who never asks for the status has no error to handle.
    this.status.catch(() => {});
    if (files.pipes !== null) {
      this.stdin = files.pipes.stdin;
      this.stdout = files.pipes.stdout;
      this.stderr = files.pipes.stderr;
    }
  }

  /** Sends a signal to the guest's first process, or with `group` to its whole process group. */
  signal(signal: number, group = false): void {
    this.#control.send({ type: "signal", signal, foreground: group });
  }

  /** Tells a sandbox with a console that its window has another size. */
  resize(rows: number, cols: number): void {
    this.#control.send({ type: "resize", rows, cols });
  }

  /** Tells a sandbox with a terminal among its standard streams what becomes of what is typed. */
  setInput(input: TerminalInput): void {
    this.#control.send({ type: "input", input });
  }

  /** Tells a sandbox with a console that its window is gone. */
  hangup(): void {
    this.#control.send({ type: "hangup" });
  }

  /** Ends the sandbox at once. */
  kill(): void {
    try {
      Deno.kill(this.pid, "SIGKILL");
    } catch { /* gone already */ }
  }

  async #follow(
    options: SandboxOptions,
    failure: SandboxError | null,
  ): Promise<SandboxStatus> {
    const native = spawnLibrary();
    let status: SandboxStatus | null = null;
    let error = failure;
    for await (const event of failure === null ? this.#control.events() : []) {
      this.#log?.debug("event", event as unknown as Record<string, unknown>);
      if (event.type === "ready") {
        native.dv_sandbox_strip(this.#pidfd);
        continue;
      }
      if (event.type === "stopped") {
        this.#stopped(event.signal);
        continue;
      }
      if (event.type === "exit") status = decodeStatus(event.status);
      else error = errorOf(event, options);
      break;
    }
    // It has said its last word, or closed the socket: there is nothing to wait for.
    this.kill();
    const hostStatus = await native.dv_sandbox_wait(this.pid);
    const diagnostics = readMemfd(this.#diagnostics);
    if (diagnostics !== "") this.#log?.debug("the sandbox process wrote", { diagnostics });
    for (const fd of [this.#control.fd, this.#pidfd, this.#diagnostics]) closeFd(fd);
    if (error !== null) throw error;
    if (status !== null) return status;
    throw SandboxError.ofLoss(hostStatus, diagnostics);
  }

  #stopped(signal: number): void {
    if (this.onStop !== null) return this.onStop(signal);
    this.setInput("on");
    this.signal(SIGCONT, true);
  }
}

function decodeStatus(status: number): SandboxStatus {
  const signal = status & 0x7f;
  if (signal !== 0) return { success: false, code: 128 + signal, signal };
  const code = status >> 8 & 0xff;
  return { success: code === 0, code, signal: null };
}

function errorOf(event: ControlEvent, options: SandboxOptions): SandboxError | null {
  switch (event.type) {
    case "failed":
      return SandboxError.ofStep(event, mountSources(options));
    case "refused":
      return new SandboxError(oneLine(fromLatin1(event.message)), event.code);
    case "panic":
      return new SandboxError(
        `a bug in dvisor ended the sandbox, ${event.report}`,
        SENTRY_BUG_STATUS,
      );
    default:
      return null;
  }
}

function mountSources(options: SandboxOptions): string[] {
  return [options.root ?? "/", ...(options.volumes ?? []).map((v) => v.source)];
}

// --- The process: also for the build, which runs sandboxes without the class (scripts/image) -------------

/** One that has no configuration yet. */
export interface SandboxProcess {
  readonly pid: number;
  readonly control: ControlConnection;
  readonly pidfd: number;
  /** A memfd: what the process writes to its standard streams. */
  readonly diagnostics: number;
  readonly allIdsMapped: boolean;
}

/** `exe`: empty for this one. Closes `files`, and throws a {@link SandboxError}, when it cannot. */
export function startProcess(exe: string, writable: boolean, files: Files): SandboxProcess {
  const out = new Int32Array(5);
  const path = new TextEncoder().encode(`${exe}\0`);
  const pid = spawnLibrary().dv_sandbox_start(writable ? 1 : 0, path, files.library, out);
  if (pid < 0) {
    for (const fd of files.close) closeFd(fd);
    throw SandboxError.ofSpawn(out[4], -pid);
  }
  return {
    pid,
    control: new ControlConnection(out[0]),
    pidfd: out[1],
    diagnostics: out[3],
    allIdsMapped: out[2] !== 0,
  };
}

/**
 * Sends mounts and configuration, and closes `files`. A process that is gone has said why, or has no more to say.
 * `rehearsal`: see SandboxConfig.
 */
export function configure(
  { pid, control, allIdsMapped }: SandboxProcess,
  options: SandboxOptions,
  files: Files,
  rehearsal: SandboxConfig["rehearsal"] = null,
): SandboxError | null {
  const mounts = mountSandbox(pid, options);
  if (mounts instanceof Int32Array) {
    const fds = new Int32Array([...mounts, ...files.extra]);
    const config = makeConfig(options, files, mounts.length, allIdsMapped);
    control.sendConfig({ ...config, rehearsal }, fds);
    for (const fd of mounts) closeFd(fd);
  }
  for (const fd of files.close) closeFd(fd);
  return mounts instanceof SandboxError ? mounts : null;
}

// --- Before the clone -------------------------------------------------------------------------------

interface Pipes {
  stdin: WritableStream<Uint8Array> | null;
  stdout: ReadableStream<Uint8Array> | null;
  stderr: ReadableStream<Uint8Array> | null;
}

/** What is opened for a sandbox. */
export interface Files {
  pipes: Pipes | null;
  library: number;
  /** The guest's standard streams. The process's own are others, so that the guest can close its. */
  stdio: [number, number, number];
  stdioIsTerminal: [boolean, boolean, boolean];
  /** Descriptors that the sandbox is sent after its mounts, in order. */
  extra: number[];
  /** Their positions in `extra`, or -1. */
  sentryLog: number;
  strace: number;
  cpuinfo: number;
  /** Ours until they are sent. */
  close: number[];
}

export function openFiles(options: SandboxOptions): Files {
  const files: Files = {
    pipes: null,
    library: openHost(libraryFile(), O_RDONLY),
    stdio: [0, 1, 2],
    stdioIsTerminal: [false, false, false],
    extra: [],
    sentryLog: -1,
    strace: -1,
    cpuinfo: -1,
    close: [],
  };
  files.close.push(files.library);
  const kinds = [options.stdin, options.stdout, options.stderr];
  if (kinds.includes("null") || kinds.includes("piped")) openStdio(kinds, files);
  files.stdioIsTerminal = [
    files.stdio[0] === 0 && Deno.stdin.isTerminal(),
    files.stdio[1] === 1 && Deno.stdout.isTerminal(),
    files.stdio[2] === 2 && Deno.stderr.isTerminal(),
  ];
  files.extra.push(...files.stdio);
  if (options.console) reopenTerminal(files);
  if (options.debugLog !== undefined) {
    files.sentryLog = openLog(`${options.debugLog}/sentry.log`, files);
    if (options.strace) files.strace = openLog(`${options.debugLog}/strace.log`, files);
  } else if (options.strace) files.strace = files.extra.push(2) - 1;
  const path = new TextEncoder().encode("/proc/cpuinfo\0");
  const cpuinfo = hostCall(SYS_open, bufferAddr(path), O_RDONLY | O_CLOEXEC, 0);
  if (cpuinfo >= 0) {
    files.close.push(cpuinfo);
    files.cpuinfo = files.extra.push(cpuinfo) - 1;
  }
  return files;
}

/**
 * The sandbox gets the terminal by open files of its own that never block it: O_NONBLOCK on ours would be
 * seen by every process that shares them. Where that is refused (after su(1)) it gets ours.
 */
function reopenTerminal(files: Files): void {
  for (const i of [0, 1]) {
    const mode = (i === 0 ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const path = new TextEncoder().encode(`/proc/self/fd/${files.stdio[i]}\0`);
    const fd = hostCall(SYS_open, bufferAddr(path), mode, 0);
    if (fd < 0) continue;
    files.extra[i] = fd;
    files.close.push(fd);
  }
}

function openLog(path: string, files: Files): number {
  const fd = openHost(path, O_WRONLY | O_CREAT | O_APPEND);
  files.close.push(fd);
  return files.extra.push(fd) - 1;
}

function openStdio(kinds: (Stdio | undefined)[], files: Files): void {
  const pipes: Pipes = { stdin: null, stdout: null, stderr: null };
  kinds.forEach((kind, i) => {
    if (kind === "null") files.stdio[i] = openHost("/dev/null", O_RDWR);
    else if (kind === "piped") {
      const [readEnd, writeEnd] = openPipe();
      files.stdio[i] = i === 0 ? readEnd : writeEnd;
      const ours = i === 0 ? writeEnd : readEnd;
      const file = Deno.openSync(`/proc/self/fd/${ours}`, { read: i !== 0, write: i === 0 });
      closeFd(ours);
      if (i === 0) pipes.stdin = file.writable;
      else if (i === 1) pipes.stdout = file.readable;
      else pipes.stderr = file.readable;
    } else return;
    files.close.push(files.stdio[i]);
  });
  files.pipes = pipes;
}

/** The dvisor executable that the sandbox process runs; empty: this one. */
function executable(options: SandboxOptions): string {
  if (options.binary !== undefined) return options.binary;
  if (Deno.build.standalone) return "";
  const binary = Deno.env.get("DVISOR_BINARY");
  if (binary !== undefined) return binary;
  throw new SandboxError("set `binary` (or DVISOR_BINARY) to the dvisor executable", 2);
}

// --- After it ---------------------------------------------------------------------------------------

/** Descriptors of the root and of the volumes; null when the process is gone. */
function mountSandbox(
  pid: number,
  options: SandboxOptions,
): Int32Array<ArrayBuffer> | SandboxError | null {
  const requests = [
    `ro=${options.root ?? "/"}`,
    ...(options.volumes ?? []).map((v) => `${v.writable ? "rw" : "ro"}=${v.source}`),
  ];
  const fds = new Int32Array(MAX_MOUNTS);
  const failed = new Uint8Array(STEP_SIZE);
  const request = new TextEncoder().encode(requests.join("\0") + "\0\0");
  const n = spawnLibrary().dv_sandbox_mount(pid, request, fds, failed);
  if (n >= 0) return fds.subarray(0, n);
  if (n === -ESRCH) return null;
  const step = new TextDecoder().decode(failed.subarray(0, failed.indexOf(0)));
  const event = { type: "failed" as const, step, index: fds[0], errno: -n };
  return SandboxError.ofStep(event, mountSources(options));
}

function makeConfig(
  options: SandboxOptions,
  files: Files,
  mounts: number,
  allIdsMapped: boolean,
): Omit<SandboxConfig, "rehearsal"> {
  const volumes = options.volumes ?? [];
  const extraFd = (i: number) => i < 0 ? -1 : mounts + i;
  const env = options.env ?? { PATH: DEFAULT_PATH };
  const user = options.user ?? { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  const strace = options.strace === true ? [] : options.strace || null;
  return {
    rootFd: 0,
    emptyRootFd: EMPTY_ROOT_FD,
    memoryFilesFd: MEMORY_FILES_FD,
    volumes: volumes.map((v, i): VolumeConfig => ({
      fd: 1 + i,
      dst: toLatin1(v.target),
      rw: v.writable ?? false,
      isDirectory: isDirectory(v.source),
    })),
    argv: options.command.map(toLatin1),
    env: Object.keys(env).map((key) => toLatin1(`${key}=${env[key]}`)),
    cwd: toLatin1(options.cwd ?? "/"),
    uid: user.uid,
    gid: user.gid,
    groups: options.user === undefined ? ownGroups() : [],
    umask: ownUmask(),
    limits: ownLimits(),
    unmappedId: allIdsMapped ? -1 : OVERFLOW_ID,
    hostname: toLatin1(options.hostname ?? "dvisor"),
    platform: options.platform ?? "auto",
    strace,
    straceFd: extraFd(files.strace),
    debugLogFd: extraFd(files.sentryLog),
    logFormat: options.logFormat ?? "text",
    stdio: [extraFd(0), extraFd(1), extraFd(2)],
    stdioIsTerminal: files.stdioIsTerminal,
    cpuinfoFd: extraFd(files.cpuinfo),
    console: options.console ?? null,
    input: options.input ?? "on",
    controlFd: CONTROL_FD,
  };
}

/** A source that is not there is reported by the child, which fails to clone it. */
function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return true;
  }
}
