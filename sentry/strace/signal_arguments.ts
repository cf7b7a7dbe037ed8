/** Signals: sets, actions, stacks, and what a signal carries. */
import * as signal from "../../platform/abi/signal.ts";
import { signalName } from "../../platform/abi/signal.ts";
import type { SigInfo } from "../kernel/signal_info.ts";
import { type Call, hexOf, pointer } from "./call.ts";
import { named, type Struct, structIn, structOut } from "./arguments.ts";
import { choiceOf, flagsOf, namesOf } from "./names.ts";

export const signo = named((n) => n === 0 ? "0" : signalName(n));
export const how = named(choiceOf(namesOf(signal, /^SIG_(BLOCK|UNBLOCK|SETMASK)$/)));
export const signalfdFlags = named(flagsOf(namesOf(signal, /^SFD_(CLOEXEC|NONBLOCK)$/)));
const actionFlags = flagsOf(
  namesOf(signal, /^SA_(?!UNSUPPORTED|EXPOSE|NOMASK|ONESHOT)/),
);
const stackFlags = flagsOf(namesOf(signal, /^SS_(ONSTACK|DISABLE|AUTODISARM)$/));
const notification = choiceOf(namesOf(signal, /^SIGEV_(SIGNAL|NONE|THREAD|THREAD_ID)$/));

/** "[INT CHLD]"; with more than half of them set the others, as "~[KILL]". */
export function signalSet(lo: number, hi: number): string {
  const inside: string[] = [];
  const outside: string[] = [];
  for (let n = 1; n <= signal._NSIG; n++) {
    const bit = (n <= 32 ? lo >>> (n - 1) : hi >>> (n - 33)) & 1;
    (bit ? inside : outside).push(signalName(n).replace(/^SIG/, ""));
  }
  return inside.length > signal._NSIG / 2 ? `~[${outside.join(" ")}]` : `[${inside.join(" ")}]`;
}

const set: Struct = {
  size: 8,
  show: (v, off) => signalSet(v.getUint32(off, true), v.getUint32(off + 4, true)),
};
export const setIn = structIn(set);
export const setOut = structOut(set);

export function showSet(c: Call, addr: number): string {
  const v = c.view(addr, 8);
  return v === null ? pointer(addr) : set.show(v, 0, c);
}

const action: Struct = {
  size: signal.SIGACTION_SIZE,
  show: (v, off) => {
    const a = signal.getSigaction(v, off);
    const handler = a.handlerAddr === signal.SIG_DFL
      ? "SIG_DFL"
      : a.handlerAddr === signal.SIG_IGN
      ? "SIG_IGN"
      : hexOf(a.handlerAddr);
    const restorer = a.restorerAddr === 0 ? "" : `, sa_restorer=${hexOf(a.restorerAddr)}`;
    return `{sa_handler=${handler}, sa_mask=${signalSet(a.maskLo, a.maskHi)}, ` +
      `sa_flags=${actionFlags(a.flags)}${restorer}}`;
  },
};
export const actionIn = structIn(action);
export const actionOut = structOut(action);

const stack: Struct = {
  size: signal.STACK_T_SIZE,
  show: (v, off) => {
    const s = signal.getStackT(v, off);
    return `{ss_sp=${pointer(s.spAddr)}, ss_flags=${stackFlags(s.flags)}, ss_size=${s.sizeBytes}}`;
  },
};
export const stackIn = structIn(stack);
export const stackOut = structOut(stack);

const event: Struct = {
  size: signal.SIGEVENT_SIZE,
  show: (v, off) => {
    const e = signal.getSigevent(v, off);
    const thread = e.notify === signal.SIGEV_THREAD_ID
      ? `, sigev_notify_thread_id=${e.threadId}`
      : "";
    return `{sigev_signo=${signalName(e.signo)}, sigev_notify=${notification(e.notify)}${thread}}`;
  },
};
export const eventIn = structIn(event);

// --- siginfo_t --------------------------------------------------------------------------------------

const generalCodes = choiceOf(namesOf(signal, /^SI_(?!MAX_SIZE|PAD_SIZE)/), (n) => `${n}`);
const codesBySignal = new Map([
  [signal.SIGILL, /^ILL_/],
  [signal.SIGFPE, /^FPE_/],
  [signal.SIGSEGV, /^SEGV_/],
  [signal.SIGBUS, /^BUS_/],
  [signal.SIGTRAP, /^TRAP_(?!PERF_FLAG)/],
  [signal.SIGCHLD, /^CLD_/],
  [signal.SIGIO, /^POLL_/],
  [signal.SIGSYS, /^SYS_/],
].map(([signo, names]) => [
  signo as number,
  choiceOf(namesOf(signal, names as RegExp), (n) => `${n}`),
]));

function codeName(signo: number, code: number): string {
  const own = code > signal.SI_USER && code < signal.SI_KERNEL ? codesBySignal.get(signo) : null;
  return (own ?? generalCodes)(code);
}

const FAULTS = [
  signal.SIGILL,
  signal.SIGFPE,
  signal.SIGSEGV,
  signal.SIGBUS,
  signal.SIGTRAP,
];

/** "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL}" */
export function showSigInfo(info: SigInfo): string {
  const { signo, code } = info;
  const fields = [`si_signo=${signalName(signo)}`, `si_code=${codeName(signo, code)}`];
  if (code > signal.SI_USER && code < signal.SI_KERNEL) {
    if (signo === signal.SIGCHLD) {
      const status = code === 1 ? `${info.status}` : signalName(info.status);
      fields.push(`si_pid=${info.pid}`, `si_uid=${info.uid}`, `si_status=${status}`);
    } else if (FAULTS.includes(signo)) fields.push(`si_addr=${pointer(info.addr)}`);
    else if (signo === signal.SIGSYS) fields.push(`si_syscall=${info.syscall}`);
    else fields.push(`si_band=${info.band}`, `si_fd=${info.fd}`);
  } else if (code === signal.SI_TIMER) {
    fields.push(`si_timerid=${info.timerId}`, `si_overrun=${info.overrun}`);
  } else if (code !== signal.SI_KERNEL) {
    fields.push(`si_pid=${info.pid}`, `si_uid=${info.uid}`);
    if (code < 0 && code !== signal.SI_TKILL) fields.push(`si_value=${hexOf(info.valueLo)}`);
  }
  return `{${fields.join(", ")}}`;
}

/** siginfo_t in memory: number, code and the sender or child where there is one. */
const info: Struct = {
  size: signal.SIGINFO_SIZE,
  show: (v, off) => {
    const signo = v.getInt32(off + signal.SIGINFO_OFF_SIGNO, true);
    const code = v.getInt32(off + signal.SIGINFO_OFF_CODE, true);
    if (signo === 0) return "{}";
    const fields = [
      `si_signo=${signalName(signo)}`,
      `si_code=${codeName(signo, code)}`,
      `si_pid=${v.getInt32(off + signal.SIGINFO_OFF_PID, true)}`,
      `si_uid=${v.getUint32(off + signal.SIGINFO_OFF_UID, true)}`,
    ];
    if (signo === signal.SIGCHLD) {
      const status = v.getInt32(off + signal.SIGINFO_OFF_STATUS, true);
      fields.push(`si_status=${code === 1 ? status : signalName(status)}`);
    }
    return `{${fields.join(", ")}}`;
  },
};
export const infoIn = structIn(info);
export const infoOut = structOut(info);
