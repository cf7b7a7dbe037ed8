/**
 * What a sandbox is told when it starts, and what it says and hears afterwards. Written by the
 * runtime as JSON on the control socket; read once by the boot role and posted to the Workers.
 * All strings that become guest bytes (paths, arguments, environment) are latin1: one char, one byte.
 */
import type { ReceiveMessage } from "./fsimpl/gofer/client.ts";
import type { TerminalInput } from "./fsimpl/host/caller_input.ts";

/** A directory or file of the host that the guest sees. */
export interface VolumeConfig {
  /** O_PATH descriptor of the mount's root, opened before pivot_root. */
  fd: number;
  /** Absolute guest path. */
  dst: string;
  /** Writes go to the host; otherwise the mount is read-only, in the host kernel too. */
  rw: boolean;
  /** False: `fd` is a file, to be bound over a file. */
  isDirectory: boolean;
}

export interface ConsoleConfig {
  rows: number;
  cols: number;
}

export interface SandboxConfig {
  /** O_PATH descriptor of the root file system: the read-only lower of the overlay. */
  rootFd: number;
  /** O_PATH descriptor of an empty directory: the root of the stubs. */
  emptyRootFd: number;
  /** A directory in memory of nobody else's: for files that guests map (platform/host/memory_file.ts). */
  memoryFilesFd: number;
  volumes: VolumeConfig[];
  /** At least one; argv[0] is looked up in PATH unless it has a slash. */
  argv: string[];
  /** "K=V". */
  env: string[];
  cwd: string;
  uid: number;
  gid: number;
  groups: number[];
  umask: number;
  /** Soft and hard resource limits of the caller by RLIMIT_*, -1 for none; empty: the defaults. */
  limits: [number, number][];
  /**
   * Host files owned by ids that the sandbox's user namespace does not map show as this id (65534).
   * An ordinary user's sandbox maps that user alone, so there nearly all of them are root's in
   * truth, and they are shown as root's; but see goferfs, "Owners", for groups. -1: everything is mapped.
   */
  unmappedId: number;
  hostname: string;
  platform: "auto" | "systrap" | "ptrace";
  /** Null: no trace. Empty: all calls; otherwise these names. */
  strace: string[] | null;
  /** Where the trace goes; -1 without one. */
  straceFd: number;
  /** -1: debug logging is off. */
  debugLogFd: number;
  logFormat: "text" | "json";
  /** Host descriptors that become the init's 0, 1 and 2; -1 for a closed one. */
  stdio: [number, number, number];
  /** Which of them are host terminals. */
  stdioIsTerminal: [boolean, boolean, boolean];
  /** The host's /proc/cpuinfo, open for reading; -1 without one. */
  cpuinfoFd: number;
  /**
   * Set when stdin and stdout are one terminal, in raw mode on the host: 0, 1, and 2 where it is a
   * terminal, become a guest terminal whose line discipline is the Sentry's, pumped through stdio[0] and stdio[1].
   */
  console: ConsoleConfig | null;
  /** What becomes of what is typed on a terminal among the standard streams, until a ControlRequest says otherwise. */
  input: TerminalInput;
  /**
   * Not null in the build: guests are no strangers, the process is not sealed, and reads another configuration `restMs`
   * after they have ended. What V8 has compiled by then is what an image of it has (platform/native/image).
   */
  rehearsal: { restMs: number } | null;
  /** Socket of control messages, newline-delimited JSON: {@link ControlRequest} in, {@link ControlEvent} out. */
  controlFd: number;
}

/** From the CLI to the sandbox, after the configuration. End of file: the CLI is gone. */
export type ControlRequest =
  /** To the init, or when `foreground` to the console's foreground process group, without one the init's. */
  | { type: "signal"; signal: number; foreground: boolean }
  | { type: "resize"; rows: number; cols: number }
  /** What becomes of what is typed, and of who reads it. */
  | { type: "input"; input: TerminalInput }
  /** The caller's terminal is gone. */
  | { type: "hangup" };

/** From the sandbox to the CLI. */
export type ControlEvent =
  /** Between clone and exec something failed; `step` names it (platform/native/sandbox/start.c). */
  | { type: "failed"; step: string; index: number; errno: number }
  /** All is loaded that will be: what start-up needed can be unmounted. The Gofer is in memory already. */
  | { type: "ready" }
  /** The init could not be started: the command exits with `code` (127 not found, 126 not executable, 2). */
  | { type: "refused"; code: number; message: string }
  /** A signal stopped the init, and nobody reads the caller's terminal any more: the command stops as well, or continues it. */
  | { type: "stopped"; signal: number }
  /** The init's wait status, as wait(2) encodes it. */
  | { type: "exit"; status: number }
  /** A bug of ours ended the sandbox; the report says where. Exit status 128. */
  | { type: "panic"; report: string };

/** The first message from the main thread to the Sentry Worker: sentry.ts as one script, all ASCII. */
export interface SentryCode {
  source: Uint8Array<ArrayBuffer>;
  /** What V8 had compiled of it when a sandbox of the build ended; null: nothing is known. */
  cache: Uint8Array<ArrayBuffer> | null;
}

/**
 * The second, and in the build more of the kind. The Gofer knows the root file system as root 0 and volume i as root 1 + i.
 */
export interface SentryStart {
  config: SandboxConfig;
  /** strace/tracer.ts as one script, when there is something to trace. */
  tracer: Uint8Array<ArrayBuffer> | null;
  gofer: MessagePort;
}

/** From the Sentry Worker to the main thread. */
export interface WorkerReady {
  /**
   * "ready", once: it has loaded all it needs. "gofer": it waits for the Gofer, which may not have been started before.
   * "over": a rehearsal has ended.
   */
  type: "ready" | "gofer" | "over";
}

/** What the Sentry needs of the Worker that it runs in. */
export interface WorkerScope {
  post(message: WorkerReady): void;
  readonly receive: ReceiveMessage;
  /** What the module exports that was bundled as a script (platform/host/script.ts). */
  runScript(source: Uint8Array, filename: string): unknown;
  /** V8 had bytecode of the Sentry's code and took it. */
  precompiled: boolean;
  /** The guest is gone; the command has not been told yet. */
  ended?(): void;
}
