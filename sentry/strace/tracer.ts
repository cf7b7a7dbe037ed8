/**
 * --strace: a line for each system call, as strace(1) writes it, with the guest's task number before
 * it. A call that is still under way when something else happens is shown unfinished, and resumed.
 */
import { syscallName } from "../../platform/abi/amd64/syscalls.ts";
import { errnoName } from "../../platform/abi/errno.ts";
import { signalName } from "../../platform/abi/signal.ts";
import type { Strace } from "../kernel/strace.ts";
import { KEEP_REGISTERS } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { SIGNATURES } from "./signatures.ts";
import { type Call, isIdle, showArgument } from "./values.ts";

const ALL_REGISTERS = "x x x x x x";
const ERRNO_MAX = 4095;
/** Results that are addresses. */
const ADDRESSES = new Set(["mmap", "brk", "mremap"]);
/** Calls that change the address space or do not come back: their arguments are read at once. */
const READ_FIRST = new Set(["execve", "execveat", "exit", "exit_group", "rt_sigreturn"]);

interface Open {
  name: string;
  kinds: string[];
  call: Call;
  /** What was already written of it. */
  written: boolean;
  /** The arguments, when they had to be read before the call. */
  text: string | null;
}

export class Tracer implements Strace {
  readonly #names: ReadonlySet<string> | null;
  readonly #calls = new Map<Task, Open>();
  /** The one call that has begun last and has neither returned nor been shown. */
  #latest: Task | null = null;

  /** `names`: empty for all calls. `write` gets whole lines. */
  constructor(names: readonly string[], readonly write: (line: string) => void) {
    this.#names = names.length === 0 ? null : new Set(names);
  }

  enter(t: Task, number: number): void {
    this.flush();
    const name = syscallName(number) ?? `syscall_${number}`;
    if (this.#names !== null && !this.#names.has(name)) return;
    const call: Call = { low: [], wide: [] };
    for (let i = 0; i < 6; i++) {
      call.low.push(t.args.i32(i));
      call.wide.push(t.args.addr(i));
    }
    const words = SIGNATURES[name] ?? ALL_REGISTERS;
    const kinds = words === "" ? [] : words.split(" ");
    const open: Open = { name, kinds, call, written: false, text: null };
    if (READ_FIRST.has(name)) open.text = this.#arguments(t, open, null);
    if (name === "exit" || name === "exit_group") {
      this.#line(t, `${name}(${open.text}) = ?`);
      return;
    }
    this.#calls.set(t, open);
    this.#latest = t;
  }

  blocked(t: Task): void {
    if (this.#latest === t) this.flush();
  }

  leave(t: Task, _number: number, result: number): void {
    const open = this.#calls.get(t);
    if (open === undefined) return this.flush();
    if (this.#latest === t) this.#latest = null;
    else this.flush();
    this.#calls.delete(t);
    const end = ` = ${showResult(open.name, result)}`;
    if (open.written) {
      this.#line(t, `<... ${open.name} resumed>${this.#outputs(t, open, result)})${end}`);
    } else this.#line(t, `${open.name}(${open.text ?? this.#arguments(t, open, result)})${end}`);
  }

  signal(t: Task, signo: number, addr: number): void {
    this.flush();
    this.#line(t, `--- ${signalName(signo)} {si_addr=0x${addr.toString(16)}} ---`);
  }

  /** Shows a call that has begun and is not done, for instance because nothing else goes on. */
  flush(): void {
    const t = this.#latest;
    if (t === null) return;
    this.#latest = null;
    const open = this.#calls.get(t);
    if (open === undefined) return;
    open.written = true;
    this.#line(t, `${open.name}(${open.text ?? this.#arguments(t, open, null)} <unfinished ...>`);
  }

  #arguments(t: Task, open: Open, result: number | null): string {
    const shown: string[] = [];
    open.kinds.forEach((kind, i) => {
      if (!isIdle(open.kinds, open.call, i)) {
        shown.push(showArgument(t, kind, open.call, i, result));
      }
    });
    return shown.join(", ");
  }

  /** What a resumed call has brought: the arguments that were not known before. */
  #outputs(t: Task, open: Open, result: number): string {
    const at = open.kinds.findIndex((kind) => ["out", "stat", "pipe", "status"].includes(kind));
    if (at < 0 || t.ctx === null) return "";
    return ` ${showArgument(t, open.kinds[at], open.call, at, result)}`;
  }

  #line(t: Task, text: string): void {
    this.write(`[${t.tid}] ${text}\n`);
  }
}

function showResult(name: string, result: number): string {
  if (result === KEEP_REGISTERS) return "0";
  if (result < 0 && result >= -ERRNO_MAX) {
    return Number.isInteger(result) ? `-1 ${errnoName(result)}` : `${result}`;
  }
  return ADDRESSES.has(name) ? `0x${result.toString(16)}` : `${result}`;
}
