/** Tasks: clone, waiting, limits, scheduling, futexes, prctl; and memory mappings. */
import * as closeRange from "../../platform/abi/close_range.ts";
import * as futex from "../../platform/abi/futex.ts";
import * as kcmp from "../../platform/abi/kcmp.ts";
import * as membarrier from "../../platform/abi/membarrier.ts";
import * as mman from "../../platform/abi/mman.ts";
import * as pidfd from "../../platform/abi/pidfd.ts";
import * as prctl from "../../platform/abi/prctl.ts";
import * as random from "../../platform/abi/random.ts";
import * as resource from "../../platform/abi/resource.ts";
import * as sched from "../../platform/abi/sched.ts";
import * as splice from "../../platform/abi/splice.ts";
import * as utsname from "../../platform/abi/utsname.ts";
import * as wait from "../../platform/abi/wait.ts";
import * as capability from "../../platform/abi/capability.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { signalName } from "../../platform/abi/signal.ts";
import { type Call, hexOf, pointer, quote } from "./call.ts";
import {
  type Argument,
  arrayIn,
  arrayInOf,
  boxedOut,
  filled,
  given,
  named,
  showString,
  showStruct,
  type Struct,
  structIn,
  structOut,
} from "./arguments.ts";
import { choiceAndFlags, choiceOf, flagsOf, namesOf } from "./names.ts";
import { timespec, timeval } from "./time_arguments.ts";

const decimal = (n: number) => `${n}`;

// --- Memory -----------------------------------------------------------------------------------------

export const protection = named(flagsOf(namesOf(mman, /^PROT_/), "PROT_NONE"));
const mapTypes = choiceOf(namesOf(mman, /^MAP_(SHARED|PRIVATE|SHARED_VALIDATE|DROPPABLE)$/));
const restOfMap = flagsOf(
  namesOf(mman, /^MAP_(?!TYPE|FILE|SHARED|PRIVATE|DROPPABLE|HUGE_|UNINITIALIZED)/),
);
export const mapFlags = named(choiceAndFlags(mman.MAP_TYPE, mapTypes, restOfMap));
export const remapFlags = named(flagsOf(namesOf(mman, /^MREMAP_/)));
/** Where to, in a call that says so. */
export const remapTarget = given((c, i) =>
  (c.args.i32(i - 1) & (mman.MREMAP_FIXED | mman.MREMAP_DONTUNMAP)) === 0
    ? null
    : pointer(c.args.addr(i))
);
export const memoryAdvice = named(choiceOf(namesOf(mman, /^MADV_/)));
export const syncFlags = named(flagsOf(namesOf(mman, /^MS_/)));
export const lockAllFlags = named(flagsOf(namesOf(mman, /^MCL_/)));
export const lockFlags = named(flagsOf(namesOf(mman, /^MLOCK_/)));
export const memfdFlags = named(flagsOf(namesOf(mman, /^MFD_(?!HUGE_)/)));
export const randomFlags = named(flagsOf(namesOf(random, /^GRND_/)));
export const spliceFlags = named(flagsOf(namesOf(splice, /^SPLICE_F_/)));

// --- Clone and wait ---------------------------------------------------------------------------------

const cloneNames = flagsOf(
  namesOf(sched, /^CLONE_(?!ARGS_|CLEAR_SIGHAND|INTO_CGROUP|NEWTIME)/),
);
export const namespaces = named(cloneNames);

function showCloneFlags(value: number): string {
  const signo = value & sched.CSIGNAL;
  const flags = value & ~sched.CSIGNAL;
  const words = [
    ...(flags !== 0 ? [cloneNames(flags)] : []),
    ...(signo !== 0 ? [signalName(signo)] : []),
  ];
  return words.length === 0 ? "0" : words.join("|");
}
export const cloneFlags = named(showCloneFlags);

const highCloneFlags = ["CLONE_CLEAR_SIGHAND", "CLONE_INTO_CGROUP"];
export const cloneArgsIn = structIn({
  size: sched.CLONE_ARGS_SIZE_VER0,
  show: (v, off) => {
    const whole = new DataView(new ArrayBuffer(sched.CLONE_ARGS_SIZE));
    new Uint8Array(whole.buffer).set(
      new Uint8Array(v.buffer, v.byteOffset + off, sched.CLONE_ARGS_SIZE_VER0),
    );
    const a = sched.getCloneArgs(whole, 0);
    const flags = [cloneNames(a.flagsLo), ...highCloneFlags.filter((_, n) => a.flagsHi >> n & 1)];
    const signo = a.exitSignal === 0 ? "0" : signalName(a.exitSignal);
    return `{flags=${flags.filter((f, n) => n > 0 || f !== "0").join("|") || "0"}, ` +
      `exit_signal=${signo}, stack=${pointer(a.stackAddr)}, stack_size=${hexOf(a.stackSize)}, ` +
      `tls=${pointer(a.tlsAddr)}}`;
  },
});

export const waitOptions = named(
  flagsOf(namesOf(wait, /^(WNOHANG|WEXITED|WCONTINUED|WSTOPPED|WNOWAIT|__W\w+)$/)),
);
export const wait4Options = named(
  flagsOf(namesOf(wait, /^(WNOHANG|WUNTRACED|WCONTINUED|__W\w+)$/)),
);
export const idType = named(choiceOf(namesOf(wait, /^P_/)));

/** "[{WIFEXITED(s) && WEXITSTATUS(s) == 1}]" */
export const waitStatus = boxedOut({
  size: 4,
  show: (v, off) => {
    const s = v.getInt32(off, true);
    if (wait.WIFEXITED(s)) return `{WIFEXITED(s) && WEXITSTATUS(s) == ${wait.WEXITSTATUS(s)}}`;
    if (wait.WIFSTOPPED(s)) {
      return `{WIFSTOPPED(s) && WSTOPSIG(s) == ${signalName(wait.WSTOPSIG(s))}}`;
    }
    if (wait.WIFCONTINUED(s)) return "{WIFCONTINUED(s)}";
    const core = wait.WCOREDUMP(s) ? " && WCOREDUMP(s)" : "";
    return `{WIFSIGNALED(s) && WTERMSIG(s) == ${signalName(wait.WTERMSIG(s))}${core}}`;
  },
});
/** Nothing was waited for: nothing was written. */
export const waitStatusIfAny: Argument = {
  late: true,
  show: (c, i) => c.result > 0 ? waitStatus.show(c, i) : pointer(c.args.addr(i)),
};

export const usageOut = structOut({
  size: resource.RUSAGE_SIZE,
  show: (v, off, c) =>
    `{ru_utime=${timeval.show(v, off + resource.RUSAGE_OFF_UTIME_SEC, c)}, ` +
    `ru_stime=${timeval.show(v, off + resource.RUSAGE_OFF_STIME_SEC, c)}, ...}`,
});
export const usageOfChild: Argument = {
  late: true,
  show: (c, i) => c.result > 0 ? usageOut.show(c, i) : pointer(c.args.addr(i)),
};
export const usageWho = named(choiceOf(namesOf(resource, /^RUSAGE_(SELF|CHILDREN|THREAD)$/)));
export const priorityWhich = named(choiceOf(namesOf(resource, /^PRIO_(PROCESS|PGRP|USER)$/)));

// --- Limits and scheduling --------------------------------------------------------------------------

export const limit = named(choiceOf(namesOf(resource, /^RLIMIT_(?!SIZE|OFF_)/)));
function limitValue(n: number): string {
  if (n >= resource.RLIM_INFINITY) return "RLIM64_INFINITY";
  return n >= 1024 && n % 1024 === 0 ? `${n / 1024}*1024` : `${n}`;
}
const rlimit: Struct = {
  size: resource.RLIMIT_SIZE,
  show: (v, off) => {
    const l = resource.getRlimit(v, off);
    return `{rlim_cur=${limitValue(l.cur)}, rlim_max=${limitValue(l.max)}}`;
  },
};
export const limitIn = structIn(rlimit);
export const limitOut = structOut(rlimit);

const policies = choiceOf(namesOf(sched, /^SCHED_(OTHER|FIFO|RR|BATCH|IDLE|DEADLINE)$/));
export const policy = named(
  choiceAndFlags(
    ~sched.SCHED_RESET_ON_FORK,
    policies,
    flagsOf(namesOf(sched, /^SCHED_RESET_ON_FORK$/)),
  ),
);
export const policyResult = (c: Call) => `${hexOf(c.result)} (${policies(c.result)})`;
const parameter: Struct = {
  size: sched.SCHED_PARAM_SIZE,
  show: (v, off) => `[${v.getInt32(off, true)}]`,
};
export const parameterIn = structIn(parameter);
export const parameterOut = structOut(parameter);

const attributeFlags = flagsOf(
  namesOf(sched, /^SCHED_FLAG_(RESET_ON_FORK|RECLAIM|DL_OVERRUN|KEEP_\w+|UTIL_CLAMP_\w+)$/)
    .filter(({ name }) => name !== "SCHED_FLAG_KEEP_ALL"),
);
const attributes: Struct = {
  size: sched.SCHED_ATTR_SIZE_VER0,
  show: (v, off) => {
    const at = (field: number) => getU64(v, off + field);
    const size = v.getUint32(off + sched.SCHED_ATTR_OFF_SIZE, true);
    return `{size=${size}, ` +
      `sched_policy=${policies(v.getUint32(off + sched.SCHED_ATTR_OFF_POLICY, true))}, ` +
      `sched_flags=${attributeFlags(at(sched.SCHED_ATTR_OFF_FLAGS))}, ` +
      `sched_nice=${v.getInt32(off + sched.SCHED_ATTR_OFF_NICE, true)}, ` +
      `sched_priority=${v.getUint32(off + sched.SCHED_ATTR_OFF_PRIORITY, true)}, ` +
      `sched_runtime=${at(sched.SCHED_ATTR_OFF_RUNTIME_NS)}, ` +
      `sched_deadline=${at(sched.SCHED_ATTR_OFF_DEADLINE_NS)}, ` +
      `sched_period=${at(sched.SCHED_ATTR_OFF_PERIOD_NS)}${
        size > sched.SCHED_ATTR_SIZE_VER0 ? ", ..." : ""
      }}`;
  },
};
export const attributesIn = structIn(attributes);
export const attributesOut = structOut(attributes);

function showCpus(bytes: Uint8Array): string {
  const cpus: number[] = [];
  bytes.forEach((byte, n) => {
    for (let bit = 0; bit < 8; bit++) if (byte >> bit & 1) cpus.push(8 * n + bit);
  });
  return `[${cpus.join(" ")}]`;
}
const CPU_SET_MAX = 128;
export const cpusIn = given((c, i) => {
  const bytes = c.bytes(c.args.addr(i), Math.min(c.args.u32(i - 1), CPU_SET_MAX));
  return bytes === null ? pointer(c.args.addr(i)) : showCpus(bytes);
});
export const cpusOut = filled((c, i) => {
  const bytes = c.bytes(c.args.addr(i), Math.min(c.result, CPU_SET_MAX));
  return bytes === null ? pointer(c.args.addr(i)) : showCpus(bytes);
});

// --- Futexes ----------------------------------------------------------------------------------------

const futexCommands = choiceOf(
  namesOf(
    futex,
    /^FUTEX_(WAIT|WAKE|FD|REQUEUE|CMP_REQUEUE|WAKE_OP|(UN|TRY)?LOCK_PI2?|WAIT_BITSET|WAKE_BITSET|WAIT_REQUEUE_PI|CMP_REQUEUE_PI)$/,
  ),
);
export const futexOperation = given((c, i) => {
  const op = c.args.i32(i);
  return futexCommands(op & futex.FUTEX_CMD_MASK) +
    ((op & futex.FUTEX_PRIVATE_FLAG) !== 0 ? "_PRIVATE" : "") +
    ((op & futex.FUTEX_CLOCK_REALTIME) !== 0 ? "|FUTEX_CLOCK_REALTIME" : "");
});

/** Which of a futex call's last three arguments its operation has: a timeout or a count, … */
const FUTEX_OPERANDS: Record<number, string> = {
  [futex.FUTEX_WAIT]: "t",
  [futex.FUTEX_LOCK_PI]: "t",
  [futex.FUTEX_LOCK_PI2]: "t",
  [futex.FUTEX_WAIT_BITSET]: "t-x",
  [futex.FUTEX_WAKE_BITSET]: "--x",
  [futex.FUTEX_REQUEUE]: "np",
  [futex.FUTEX_CMP_REQUEUE]: "npd",
  [futex.FUTEX_CMP_REQUEUE_PI]: "npd",
  [futex.FUTEX_WAIT_REQUEUE_PI]: "tp",
  [futex.FUTEX_WAKE_OP]: "npx",
};
export const futexOperand = given((c, i) => {
  const operands = FUTEX_OPERANDS[c.args.i32(1) & futex.FUTEX_CMD_MASK] ?? "";
  switch (operands[i - 3]) {
    case "t":
      return showStruct(c, c.args.addr(i), timespec);
    case "n":
    case "d":
      return `${c.args.u32(i)}`;
    case "p":
      return pointer(c.args.addr(i));
    case "x":
      return c.args.u32(i) === futex.FUTEX_BITSET_MATCH_ANY
        ? "FUTEX_BITSET_MATCH_ANY"
        : hexOf(c.args.u32(i));
    case "-":
      return c.hex(i) === "0" ? "NULL" : c.hex(i);
    default:
      return null;
  }
});

const showFutexFlags = choiceAndFlags(
  futex.FUTEX2_SIZE_MASK,
  choiceOf(namesOf(futex, /^FUTEX2_SIZE_U/)),
  flagsOf(namesOf(futex, /^FUTEX2_(NUMA|MPOL|PRIVATE)$/)),
);
export const futexFlags = named(showFutexFlags);
const waiter: Struct = {
  size: futex.FUTEX_WAITV_SIZE,
  show: (v, off) => {
    const w = futex.getFutexWaitv(v, off);
    return `{val=${hexOf(w.val)}, uaddr=${pointer(w.uaddr)}, flags=${showFutexFlags(w.flags)}}`;
  },
};
/** Argument 1 is their count. */
export const futexWaiters = arrayIn(waiter, 1);
export const futexPair = arrayInOf(waiter, 2);

// --- The rest ---------------------------------------------------------------------------------------

const options = choiceOf(
  namesOf(
    prctl,
    /^PR_(SET|GET|CAPBSET|CAP_AMBIENT$|TASK|MCE_KILL$|MCE_KILL_GET|SVE_[SG]ET_VL$|SME_[SG]ET_VL$|SCHED_CORE$|LOCK|TIMER_CREATE|FUTEX_HASH)(?!_MM_)/,
  )
    .filter(({ name }) => !/^PR_SET_(MM_|PTRACER_ANY)/.test(name)),
);
export const prctlOption = named(options);
const capabilities = choiceOf(namesOf(capability, /^CAP_(?!LAST_CAP|USER_)/), decimal);
export const prctlValue: Argument = {
  late: true,
  show: (c, i) => {
    const option = c.args.i32(0);
    if (i > 1) return option === prctl.PR_SET_VMA || option === prctl.PR_SET_MM ? c.hex(i) : null;
    switch (option) {
      case prctl.PR_SET_NAME:
      case prctl.PR_GET_NAME:
        return showString(c, c.args.addr(i), 16);
      case prctl.PR_SET_PDEATHSIG:
        return c.args.i32(i) === 0 ? "0" : signalName(c.args.i32(i));
      case prctl.PR_CAPBSET_READ:
      case prctl.PR_CAPBSET_DROP:
        return capabilities(c.args.i32(i));
      case prctl.PR_GET_DUMPABLE:
      case prctl.PR_GET_KEEPCAPS:
      case prctl.PR_GET_SECCOMP:
      case prctl.PR_GET_SECUREBITS:
      case prctl.PR_GET_TIMERSLACK:
      case prctl.PR_GET_NO_NEW_PRIVS:
      case prctl.PR_GET_THP_DISABLE:
        return null;
      default:
        return c.hex(i);
    }
  },
};
export const archCode = named(choiceOf(namesOf(prctl, /^ARCH_/)));
export const membarrierCommand = named(
  choiceOf(namesOf(membarrier, /^MEMBARRIER_CMD_(?!SHARED|FLAG_)/)),
);
export const closeRangeFlags = named(flagsOf(namesOf(closeRange, /^CLOSE_RANGE_/)));
export const pidfdFlags = named(flagsOf(namesOf(pidfd, /^PIDFD_(NONBLOCK|THREAD)$/)));
export const kcmpType = named(choiceOf(namesOf(kcmp, /^KCMP_/)));

export const unameOut = structOut({
  size: utsname.NEW_UTSNAME_SIZE,
  show: (v, off) => {
    const field = (at: number) => {
      const bytes = new Uint8Array(v.buffer, v.byteOffset + off + at, utsname.__NEW_UTS_LEN + 1);
      return quote(bytes.subarray(0, bytes.indexOf(0)));
    };
    return `{sysname=${field(utsname.NEW_UTSNAME_OFF_SYSNAME)}, ` +
      `nodename=${field(utsname.NEW_UTSNAME_OFF_NODENAME)}, ` +
      `release=${field(utsname.NEW_UTSNAME_OFF_RELEASE)}, ...}`;
  },
});
