/** Builds the kernel of one sandbox and runs it until its first process is gone. */
import { syscallName, syscallNumbers } from "../../platform/abi/amd64/syscalls.ts";
import { SIGHUP, SIGKILL, SIGTTIN } from "../../platform/abi/signal.ts";
import { native } from "../../platform/host/ffi.ts";
import { coarseRealtime, preadFd, pwriteFd } from "../../platform/host/host.ts";
import { setMemoryFiles } from "../../platform/host/memory_file.ts";
import type { Platform } from "../../platform/platform.ts";
import { PtracePlatform } from "../../platform/ptrace/ptrace.ts";
import { SystrapPlatform } from "../../platform/systrap/systrap.ts";
import type { ControlRequest, SandboxConfig, SentryStart, WorkerScope } from "../config.ts";
import { GoferClient } from "../fsimpl/gofer/client.ts";
import { terminalsOf } from "../fsimpl/dev/terminals.ts";
import type { Console } from "../fsimpl/devpts/console.ts";
import { hostInfoFrom, setHostInfo } from "../fsimpl/proc/mod.ts";
import { setMachineInfo } from "../kernel/exec.ts";
import { PollerEvents } from "../kernel/host_events.ts";
import { Kernel } from "../kernel/kernel.ts";
import { Panic, RunLoop } from "../kernel/run.ts";
import type { Strace } from "../kernel/strace.ts";
import { sendSignal, signalProcessGroup } from "../kernel/signal.ts";
import { kernelSignal } from "../kernel/signal_info.ts";
import { installKernelParts } from "./parts.ts";
import { table } from "../syscalls/table.ts";
import { setClockSource } from "../vfs/clock.ts";
import { setKernelHostIo } from "../vfs/kernel_io.ts";
import { ControlSocket } from "./control.ts";
import { BootError } from "./error.ts";
import { buildMounts, registerFilesystems } from "./filesystems.ts";
import { createInit } from "./init.ts";
import { lineWriter, type LogLine, openLog } from "./log.ts";
import { takeSamples } from "./samples.ts";
import { describeConfig, describeStatus, logStubs, logTasks } from "./report.ts";

/** Exit status when a bug of ours ended the sandbox. */
const BUG_STATUS = 128;
/** CLONE_NEW* of the stubs: mount, uts, ipc, user, net. */
const STUB_NAMESPACES = 0x0002_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x4000_0000;
const AT_HWCAP = 16;
const AT_HWCAP2 = 26;
const AT_MINSIGSTKSZ = 51;
/** Flag of dv_seal (platform/native/host/seccomp.c). */
const SEAL_ALLOW_PTRACE = 1;
/** How long output that a terminal has not taken is waited for at the end. */
const DRAIN_NS = 500_000_000;

/** Returns the exit status of the sandbox process. */
export async function sandboxMain(start: SentryStart, worker: WorkerScope): Promise<number> {
  const { config } = start;
  const control = new ControlSocket(config.controlFd);
  const log = openLog(config);
  try {
    return await runSandbox(
      start,
      new GoferClient(start.gofer, worker.receive, () => worker.post({ type: "gofer" })),
      control,
      worker,
      log,
    );
  } catch (error) {
    if (error instanceof BootError) {
      log(`refused: ${error.message}`);
      control.send({ type: "refused", code: error.code, message: error.message });
      return error.code;
    }
    const report = error instanceof Panic
      ? error.message
      : error instanceof Error
      ? error.stack ?? error.message
      : String(error);
    log(`panic: ${report}`);
    control.send({ type: "panic", report });
    return BUG_STATUS;
  }
}

async function runSandbox(
  start: SentryStart,
  gofer: GoferClient,
  control: ControlSocket,
  worker: WorkerScope,
  log: LogLine,
): Promise<number> {
  const { config } = start;
  setKernelHostIo({
    read: (fd, buf, from, to, offset) => preadFd(fd, buf, from, to, offset),
    write: (fd, buf, from, to, offset) => pwriteFd(fd, buf, from, to, offset),
  });
  setClockSource(coarseRealtime);
  setMachineInfo({
    hwcap: native.dv_auxval(AT_HWCAP),
    hwcap2: native.dv_auxval(AT_HWCAP2),
    minSigStackSize: native.dv_auxval(AT_MINSIGSTKSZ),
  });
  setMemoryFiles(config.memoryFilesFd);
  log(`start: ${describeConfig(config)}`);
  log(`code: ${worker.precompiled ? "precompiled" : "compiled as it runs"}`);
  const platform = startPlatform(config, log);
  const kernel = new Kernel({ platform, hostname: config.hostname });
  // A trace shows every call, so then every call comes here.
  kernel.hostFutexes = platform.serveLocally(config.strace === null);
  kernel.log = log;
  const events = new PollerEvents();
  kernel.hostEvents = events;
  installKernelParts(kernel);
  setHostInfo(kernel, hostInfoFrom(config.cpuinfoFd));
  registerFilesystems(kernel);
  const mounts = buildMounts(kernel, config, gofer);
  if (config.strace !== null) kernel.strace = openTrace(start, config.strace, worker);
  const { task, console } = await createInit(kernel, config, mounts);
  worker.post({ type: "ready" });

  const loop = new RunLoop(kernel, table);
  let status = 0;
  kernel.onSandboxExit = (waitStatus) => {
    status = waitStatus;
    loop.stop();
  };
  const { input } = terminalsOf(kernel);
  input.onMiss = () => control.send({ type: "stopped", signal: SIGTTIN });
  kernel.onInitStop = (signal) => {
    input.set("off");
    control.send({ type: "stopped", signal });
  };
  loop.addPoll(() => events.drain());
  loop.addPoll(() => gofer.poll());
  control.listen(
    events,
    (request) => handleRequest(kernel, console, request),
    () => sendSignal(task.tg, kernelSignal(SIGKILL), true),
  );
  console?.start();
  if (config.rehearsal === null) seal(platform);
  else loop.addPoll(() => takeSamples(kernel));
  kernel.start(task);
  await loop.run().catch((error) => {
    logTasks(kernel, log);
    throw error;
  });
  drain(console, events);
  log(`end: init ${describeStatus(status)}`);
  logStubs(kernel, log);
  worker.ended?.();
  control.send({ type: "exit", status });
  platform.shutdown();
  return (status & 0x7f) !== 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

/** No guest instruction has run yet; after this the process can do little more than serve them. */
function seal(platform: Platform): void {
  const err = native.dv_seal(platform.name === "ptrace" ? SEAL_ALLOW_PTRACE : 0);
  if (err < 0) throw new BootError(`cannot seal the sandbox process (errno ${-err})`, BUG_STATUS);
}

/** Without a choice: systrap where the host allows it, else ptrace. */
function startPlatform(config: SandboxConfig, log: LogLine): Platform {
  const options = { emptyRootFd: config.emptyRootFd, namespaces: STUB_NAMESPACES };
  let refused = "";
  if (config.platform === "ptrace") log("platform ptrace: asked for");
  else {
    try {
      const platform = SystrapPlatform.start(options);
      const why = config.platform === "auto" ? "the host allows it" : "asked for";
      log(`platform systrap: ${why}`);
      return platform;
    } catch (error) {
      refused = `systrap does not start: ${(error as Error).message}`;
    }
    if (config.platform === "systrap") {
      throw new BootError(
        `${refused}; try --platform ptrace, or allow it seccomp(2) with a listener`,
      );
    }
    log(`platform ptrace: ${refused}`);
    refused += "; ";
  }
  try {
    return PtracePlatform.start(options);
  } catch (error) {
    throw new BootError(`${refused}ptrace does not start: ${(error as Error).message}`);
  }
}

function openTrace(
  { config, tracer }: SentryStart,
  names: string[],
  worker: WorkerScope,
): Strace {
  const known = new Set(syscallNumbers().map(syscallName));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new BootError(`--strace: no system call is named ${unknown || "nothing"}`, 2);
  }
  // By itself: an import that the bundler sees would turn constants of shared modules into variables.
  const { Tracer } = worker.runScript(tracer!, "tracer.js") as typeof import("../strace/tracer.ts");
  // The host's terminal is raw while the guest has one of its own.
  const isRaw = config.console !== null && config.debugLogFd < 0 && config.stdioIsTerminal[2];
  const write = lineWriter(config.straceFd, isRaw ? "\r\n" : "\n");
  return new Tracer({ names, format: config.logFormat, write });
}

function handleRequest(kernel: Kernel, console: Console | null, request: ControlRequest): void {
  switch (request.type) {
    case "resize":
      return console?.setWinsize(request.rows, request.cols);
    case "input":
      return terminalsOf(kernel).input.set(request.input);
    case "hangup":
      return hangUp(kernel, console);
    case "signal":
      return signalGuest(kernel, console, request.signal, request.foreground);
  }
}

/** The shell outside tells its whole job, which is the process group that the command began; the terminal its leader alone. */
function hangUp(kernel: Kernel, console: Console | null): void {
  console?.hangup();
  const { init } = kernel;
  if (init !== null) signalProcessGroup(init.pgrp, () => kernelSignal(SIGHUP), true, init);
}

function signalGuest(kernel: Kernel, console: Console | null, signo: number, group: boolean): void {
  const { init } = kernel;
  if (init === null) return;
  if (!group) return void sendSignal(init, kernelSignal(signo), true);
  signalProcessGroup(console?.tty.foreground ?? init.pgrp, () => kernelSignal(signo), true);
}

/** What the guest wrote to its terminal last shall be seen. */
function drain(console: Console | null, events: PollerEvents): void {
  if (console === null) return;
  const end = performance.now() + DRAIN_NS / 1e6;
  while (!console.drained && performance.now() < end) {
    native.dv_wait(10_000_000);
    events.drain();
  }
}
