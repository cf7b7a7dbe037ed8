/** Dispositions (Linux: sighand_struct), shared by CLONE_SIGHAND; sigaction(2), signal(7). */
import {
  SA_RESTORER,
  SIG_DFL,
  SIG_IGN,
  SIGABRT,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGQUIT,
  SIGSEGV,
  SIGSTOP,
  SIGSYS,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
} from "../../platform/abi/signal.ts";
import type { Defaulted } from "../../platform/platform.ts";
import { bitHi, bitLo, setHas, setOf } from "./signal_queue.ts";

export interface SignalAction {
  /** A guest address, SIG_DFL or SIG_IGN. */
  handlerAddr: number;
  /** SA_*. */
  flags: number;
  restorerAddr: number;
  maskLo: number;
  maskHi: number;
}

/** Default actions (signal(7)); what is in none of these sets ends the process. */
const IGNORED = setOf(SIGCONT, SIGCHLD, SIGWINCH, SIGURG);
const CORE = setOf(
  SIGQUIT,
  SIGILL,
  SIGTRAP,
  SIGABRT,
  SIGFPE,
  SIGSEGV,
  SIGBUS,
  SIGSYS,
  SIGXCPU,
  SIGXFSZ,
);
export const STOP_SIGNALS = setOf(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
/** They can be neither caught, blocked nor ignored. */
export const UNBLOCKABLE = setOf(SIGKILL, SIGSTOP);

export function isIgnoredByDefault(signo: number): boolean {
  return setHas(IGNORED, 0, signo);
}
export function dumpsCore(signo: number): boolean {
  return setHas(CORE, 0, signo);
}
export function stopsByDefault(signo: number): boolean {
  return setHas(STOP_SIGNALS, 0, signo);
}
/** By default it ends the process. */
export function isFatalByDefault(signo: number): boolean {
  return !isIgnoredByDefault(signo) && !stopsByDefault(signo);
}

const DEFAULT: SignalAction = {
  handlerAddr: SIG_DFL,
  flags: 0,
  restorerAddr: 0,
  maskLo: 0,
  maskHi: 0,
};
const IGNORE: SignalAction = { ...DEFAULT, handlerAddr: SIG_IGN };
/** Half of a set of signals, full. */
const ALL_SIGNALS = -1;
const ALL_DEFAULT: readonly SignalAction[] = new Array(65).fill(DEFAULT);

export class SignalActions {
  /** Thread groups that share it. */
  refs = 1;
  /** More than one thread has, or had, it. */
  isShared = false;
  /** By signal number; the objects are never changed, so that copies share them. */
  #actions: readonly SignalAction[];
  /** The array while it is no other's, so that it may be changed. */
  #own: SignalAction[] | null = null;

  /** The signals of `untouchedLo` and `untouchedHi` have had their action since the program began: all zeros. */
  constructor(
    actions: readonly SignalAction[] = ALL_DEFAULT,
    public untouchedLo = ALL_SIGNALS,
    public untouchedHi = ALL_SIGNALS,
  ) {
    this.#actions = actions;
  }

  get(signo: number): SignalAction {
    return this.#actions[signo];
  }

  set(signo: number, action: SignalAction): void {
    this.#own ??= this.#actions.slice();
    this.#own[signo] = action;
    this.#actions = this.#own;
    this.untouchedLo &= ~bitLo(signo);
    this.untouchedHi &= ~bitHi(signo);
  }

  /** SIG_DFL with SA_RESTORER for those of the signals (two halves of a set) that are untouched and can be set. */
  setDefaults(defaulted: Defaulted): void {
    const lo = defaulted.lo & this.untouchedLo & ~UNBLOCKABLE;
    const hi = defaulted.hi & this.untouchedHi;
    const { restorerAddr } = defaulted;
    const action = { ...DEFAULT, flags: SA_RESTORER, restorerAddr };
    for (let signo = 1; signo <= 64; signo++) if (setHas(lo, hi, signo)) this.set(signo, action);
  }

  isUntouched(signo: number): boolean {
    return setHas(this.untouchedLo, this.untouchedHi, signo);
  }

  /** Discarded when sent (unless blocked): SIG_IGN, or SIG_DFL of a signal ignored by default. */
  ignores(signo: number): boolean {
    const handler = this.#actions[signo].handlerAddr;
    return handler === SIG_IGN || (handler === SIG_DFL && isIgnoredByDefault(signo));
  }

  fork(): SignalActions {
    this.#own = null;
    return new SignalActions(this.#actions, this.untouchedLo, this.untouchedHi);
  }

  /** execve(2): handlers become SIG_DFL, SIG_IGN stays. CLONE_CLEAR_SIGHAND keeps SIG_IGN, too. */
  resetHandlers(): void {
    const before = this.#actions;
    this.#actions = ALL_DEFAULT;
    this.#own = null;
    this.isShared = false;
    this.untouchedLo = this.untouchedHi = ALL_SIGNALS;
    if (before === ALL_DEFAULT) return;
    for (let signo = 1; signo <= 64; signo++) {
      if (before[signo].handlerAddr === SIG_IGN) this.set(signo, IGNORE);
    }
  }
}
