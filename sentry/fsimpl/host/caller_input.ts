/**
 * Who reads the caller's terminal while the sandbox is a job of the shell there. The Sentry is in a session of its
 * own, so the host stops nobody for it: the command says whether it is in the foreground, and this stops the guest.
 */
import { EIO, ERESTARTSYS } from "../../../platform/abi/errno.ts";
import { SIGTTIN } from "../../../platform/abi/signal.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import { WaitQueue } from "../../wait/queue.ts";
import { isIgnored, signalGroup } from "../devpts/job_control.ts";

/**
 * What becomes of what is typed. "on": it is the guest's. Else it stays in the caller's terminal, and who reads it
 * waits ("off"), is stopped as a job in the background is ("background"), or, where no shell could continue it,
 * gets EIO ("orphaned").
 */
export type TerminalInput = "on" | "off" | "background" | "orphaned";

/** The input of a sandbox's console, or of the terminals among its standard streams. */
export class CallerInput {
  /** Notified, whatever the event, when the input is another. */
  readonly changes = new WaitQueue();
  /** Called once when somebody wants what is typed while another job gets it, and cannot be stopped for that. */
  onMiss: (() => void) | null = null;
  #state: TerminalInput = "on";
  #hasMissed = false;

  constructor(private readonly kernel: Kernel) {}

  get isOn(): boolean {
    return this.#state === "on";
  }

  /** Whoever reads waits: what is typed is not to wake him. */
  get isWithheld(): boolean {
    return this.#state === "off" || this.#hasMissed;
  }

  set(state: TerminalInput): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#hasMissed = false;
    this.changes.notify(-1);
  }

  /**
   * Before `t` reads the console, of whose session it is in the foreground. Returns 0 to go on, if there is
   * something to read, -ERESTARTSYS when it is stopped, or -EIO. Who ignores SIGTTIN may be a shell with jobs of its
   * own: it waits.
   */
  checkConsole(t: Task): number {
    if (this.#state !== "background" || !isIgnored(t, SIGTTIN)) return this.#check(t, SIGTTIN);
    this.#miss();
    return 0;
  }

  /**
   * Before `t` reads (SIGTTIN) a terminal of the host's or changes it (SIGTTOU), as Linux's __tty_check_change. Returns
   * the same; a reader goes on when the input `isOn`.
   */
  checkTerminal(t: Task | null, signo: number): number {
    if (this.#state !== "background" || t === null || !isIgnored(t, signo)) {
      return this.#check(t, signo);
    }
    return signo === SIGTTIN ? -EIO : 0;
  }

  /** Only the job's first process and its group are stopped, which stops the command; it is told of other readers. */
  #check(t: Task | null, signo: number): number {
    if (this.#state === "orphaned") return -EIO;
    if (this.#state !== "background") return 0;
    const group = t?.tg.pgrp;
    if (group !== undefined && group === this.kernel.init?.pgrp) {
      signalGroup(this.kernel, group, signo);
      return -ERESTARTSYS;
    }
    if (signo === SIGTTIN) this.#miss();
    return 0;
  }

  #miss(): void {
    if (!this.#hasMissed) this.onMiss?.();
    this.#hasMissed = true;
  }
}
