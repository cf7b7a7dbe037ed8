/** Signals that the command gets go to the guest, and what stops the guest stops the command. */
import {
  SYS_getpid,
  SYS_gettid,
  SYS_kill,
  SYS_rt_sigaction,
  SYS_tgkill,
} from "../platform/abi/amd64/syscalls.ts";
import { bufferAddr, hostCall } from "../platform/host/spawn.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Terminal } from "./terminal.ts";

/** Signals that a terminal sends are for its foreground process group, others for one process. */
const TO_ONE: readonly [Deno.Signal, number][] = [
  ["SIGUSR1", 10],
  ["SIGUSR2", 12],
  ["SIGTERM", 15],
  ["SIGABRT", 6],
  ["SIGALRM", 14],
  ["SIGURG", 23],
  ["SIGXCPU", 24],
  ["SIGVTALRM", 26],
  ["SIGPROF", 27],
  ["SIGIO", 29],
  ["SIGPWR", 30],
];
const SIGHUP = 1;
export const SIGINT = 2;
const SIGCONT = 18;
const SIGTSTP = 20;
const SIGTTIN = 21;
const SIGTTOU = 22;
const SIGWINCH = 28;
const TYPED: readonly [Deno.Signal, number][] = [
  ["SIGINT", SIGINT],
  ["SIGQUIT", 3],
  ["SIGTSTP", SIGTSTP],
];
/** After the terminal is gone, a guest that ignores SIGHUP has this long. */
const HANGUP_GRACE_MS = 2000;
/** SIGCONT comes at once, if the command was stopped at all. */
const RESUME_GRACE_MS = 50;
/** How often a job in the background looks whether it is there still: a console is to be made raw then. */
const CONSOLE_LOOK_MS = 200;
/** Another terminal is good as it is, and of who reads it in vain the command is told. */
const TERMINAL_LOOK_MS = 2000;

/** `terminal`: of the command's standard streams, which are the guest's. */
export function forwardSignals(sandbox: Sandbox, terminal: Terminal | null): void {
  const console = terminal?.isConsole ? terminal : null;
  for (const [name, number] of TO_ONE) {
    Deno.addSignalListener(name, () => sandbox.signal(number));
  }
  for (const [name, number] of TYPED) {
    Deno.addSignalListener(name, () => sandbox.signal(number, isForegroundJob()));
  }
  Deno.addSignalListener("SIGHUP", () => {
    if (console === null || console.size !== null) return sandbox.signal(SIGHUP, true);
    sandbox.hangup();
    setTimeout(() => sandbox.kill(), HANGUP_GRACE_MS);
  });
  Deno.addSignalListener("SIGWINCH", () => {
    if (console === null) sandbox.signal(SIGWINCH, true);
    else resize(sandbox, console);
  });
  const resume = () => {
    if (terminal !== null) attend(sandbox, terminal);
    sandbox.signal(SIGCONT, true);
  };
  let continued = 0;
  Deno.addSignalListener("SIGCONT", () => {
    continued++;
    resume();
  });
  sandbox.onStop = (signal) => {
    const ofBackground = terminal !== null &&
      (signal === SIGTTIN || signal === SIGTTOU && !terminal.isConsole);
    // Who read in vain need not any more: the shell has just made this the foreground job.
    if (ofBackground && terminal.isForeground) return resume();
    const before = continued;
    console?.leave();
    stopSelf(signal, ofBackground || signal === SIGTSTP && console !== null);
    // A job that no shell controls is not stopped, and neither shall the guest be.
    setTimeout(() => {
      if (continued !== before) return;
      isOrphaned = true;
      resume();
    }, RESUME_GRACE_MS);
  };
}

/** A signal of the terminal has not stopped this process: nobody could have continued it. */
let isOrphaned = false;
let nextLook = 0;

/** Gives the guest what is typed, or leaves it to another job while this one is in the background. */
export function attend(sandbox: Sandbox, terminal: Terminal): void {
  clearTimeout(nextLook);
  const isForeground = terminal.isForeground;
  if (isForeground) terminal.enter();
  else {
    terminal.leave();
    lookAgain(sandbox, terminal);
  }
  if (terminal.isConsole) resize(sandbox, terminal);
  sandbox.setInput(isForeground ? "on" : isOrphaned ? "orphaned" : "background");
}

/** Of `fg` a shell tells a job that was stopped, but not one that runs. */
function lookAgain(sandbox: Sandbox, terminal: Terminal): void {
  nextLook = setTimeout(() => {
    if (terminal.isConsole || terminal.isForeground) attend(sandbox, terminal);
    else lookAgain(sandbox, terminal);
  }, terminal.isConsole ? CONSOLE_LOOK_MS : TERMINAL_LOOK_MS);
}

function resize(sandbox: Sandbox, terminal: Terminal): void {
  const size = terminal.size;
  if (size !== null) sandbox.resize(size.rows, size.columns);
}

/** Whether a terminal can have sent a signal: this process is in its foreground group (proc_pid_stat(5)). */
function isForegroundJob(): boolean {
  const fields = Deno.readTextFileSync("/proc/self/stat").replace(/^.*\) /s, "").split(" ");
  const [, , group, , , foreground] = fields;
  return group === foreground;
}

/**
 * Stops or ends this process as `signal` would by default, with `group` the others of its process group, too:
 * the guest's terminal has told it, where without a sandbox theirs would have told all.
 */
function stopSelf(signal: number, group: boolean): void {
  const ours = new Uint8Array(SIGACTION_SIZE);
  if (group) {
    setAction(signal, IGNORE, ours);
    hostCall(SYS_kill, 0, signal);
    setAction(signal, DEFAULT, null);
  } else setAction(signal, DEFAULT, ours);
  const [pid, thread] = [SYS_getpid, SYS_gettid].map((nr) => hostCall(nr));
  hostCall(SYS_tgkill, pid, thread, signal);
  setAction(signal, ours, null);
}

/**
 * Ends this process as Ctrl-C does, if it can: a shell that waits for it ends its loop then, which it does
 * not for an exit status, and a shell that reads a script does if it has got the signal, too: with `group`.
 */
export function endByInterrupt(group: boolean): void {
  stopSelf(SIGINT, group);
}

function setAction(
  signal: number,
  to: Uint8Array<ArrayBuffer>,
  old: Uint8Array<ArrayBuffer> | null,
): void {
  hostCall(SYS_rt_sigaction, signal, bufferAddr(to), old === null ? 0 : bufferAddr(old), 8);
}

/** struct sigaction as the kernel has it: the handler first; SIG_DFL is 0, SIG_IGN 1. */
const SIGACTION_SIZE = 32;
const DEFAULT = new Uint8Array(SIGACTION_SIZE);
const IGNORE = new Uint8Array(SIGACTION_SIZE);
IGNORE[0] = 1;
