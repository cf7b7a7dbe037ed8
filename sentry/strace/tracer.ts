/**
 * --strace: a line for each system call when it is over, for each signal when it is delivered, and for
 * the end of each task. Loaded by URL and bundled by itself: a sandbox without a trace never reads it.
 */
import { syscallName } from "../../platform/abi/amd64/syscalls.ts";
import { signalName } from "../../platform/abi/signal.ts";
import { WCOREDUMP, WEXITSTATUS, WIFEXITED, WTERMSIG } from "../../platform/abi/wait.ts";
import type { SigInfo } from "../kernel/signal_info.ts";
import type { Strace } from "../kernel/strace.ts";
import { SyscallArguments } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { Call, pointer } from "./call.ts";
import { type Signature, signatureOf } from "./calls.ts";
import { type Format, JSON_FORMAT, TEXT_FORMAT, type Who } from "./format.ts";
import { outcomeOf } from "./outcome.ts";
import { showSigInfo } from "./signal_arguments.ts";

export interface TracerOptions {
  /** Calls to show; empty for all. */
  names: readonly string[];
  format: "text" | "json";
  /** Gets whole lines, without their end. */
  write: (line: string) => void;
}

/** A call under way. */
interface Open {
  name: string;
  signature: Signature;
  call: Call;
  /** Text of the arguments; null for those that are read when the call is over. */
  shown: (string | null)[];
}

export class Tracer implements Strace {
  readonly #names: ReadonlySet<string> | null;
  readonly #format: Format;
  readonly #write: (line: string) => void;
  readonly #open = new Map<Task, Open>();

  constructor(options: TracerOptions) {
    this.#names = options.names.length === 0 ? null : new Set(options.names);
    this.#format = options.format === "json" ? JSON_FORMAT : TEXT_FORMAT;
    this.#write = options.write;
  }

  enter(t: Task, number: number): void {
    const name = syscallName(number);
    if (this.#names !== null && !this.#names.has(name)) return;
    const signature = signatureOf(name);
    // Copied: execve and rt_sigreturn leave other registers behind.
    const args = new SyscallArguments(t.args.regs.slice());
    const call = new Call(args, (addr, dst, start, end) => t.mm.space.read(addr, dst, start, end));
    this.#open.set(t, { name, signature, call, shown: showEarly(signature, call) });
  }

  leave(t: Task, _number: number, result: number): number {
    const open = this.#open.get(t);
    if (open === undefined) return result;
    this.#open.delete(t);
    const { call, signature } = open;
    const looksLate = signature.note !== undefined || signature.args.some((a) => a.late);
    if (t.ctx !== null && t.ctx.queued && result >= 0 && looksLate) {
      // What the guest is to find in its memory is not there yet.
      const err = t.ctx.flush();
      if (err < 0) result = err;
    }
    call.result = result;
    const args = showLate(open, (i) => signature.args[i].show(call, i));
    this.#write(this.#format.call(who(t), open.name, args, outcomeOf(call, signature)));
    return result;
  }

  signal(t: Task, info: SigInfo): void {
    this.#write(this.#format.signal(who(t), signalName(info.signo), showSigInfo(info)));
  }

  exit(t: Task): void {
    const open = this.#open.get(t);
    if (open !== undefined) {
      // exit(2), or a call that its task's end has cut short.
      this.#open.delete(t);
      const args = showLate(open, (i) => pointer(open.call.args.addr(i)));
      this.#write(this.#format.call(who(t), open.name, args, null));
    }
    const status = t.exitCode;
    this.#write(this.#format.exit(
      who(t),
      WIFEXITED(status)
        ? { code: WEXITSTATUS(status) }
        : { signal: signalName(WTERMSIG(status)), dumped: WCOREDUMP(status) },
    ));
  }
}

function who(t: Task): Who {
  return { tid: t.tid, pid: t.tg.pid, command: t.name };
}

/** Stops at an argument that is not there. */
function showEarly(signature: Signature, call: Call): (string | null)[] {
  const shown: (string | null)[] = [];
  for (const [i, argument] of signature.args.entries()) {
    const text = argument.late ? null : argument.show(call, i);
    if (text === null && !argument.late) break;
    shown.push(text);
  }
  return shown;
}

function showLate(open: Open, show: (i: number) => string | null): string[] {
  const args: string[] = [];
  for (const [i, text] of open.shown.entries()) {
    const late = text ?? show(i);
    if (late === null) break;
    args.push(late);
  }
  return args;
}
