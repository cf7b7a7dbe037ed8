/** prctl(2). */
import { EFAULT, EINVAL, ENODEV, ENXIO, EPERM } from "../../platform/abi/errno.ts";
import { SYS_prctl } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_LAST_CAP, CAP_SETPCAP, CAP_SYS_RESOURCE } from "../../platform/abi/capability.ts";
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_GET_AUXV,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_IO_FLUSHER,
  PR_GET_KEEPCAPS,
  PR_GET_MDWE,
  PR_GET_MEMORY_MERGE,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_SECUREBITS,
  PR_GET_SPECULATION_CTRL,
  PR_GET_THP_DISABLE,
  PR_GET_TID_ADDRESS,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_GET_TSC,
  PR_MCE_KILL,
  PR_MCE_KILL_CLEAR,
  PR_MCE_KILL_DEFAULT,
  PR_MCE_KILL_GET,
  PR_MCE_KILL_SET,
  PR_MDWE_NO_INHERIT,
  PR_MDWE_REFUSE_EXEC_GAIN,
  PR_SCHED_CORE,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_IO_FLUSHER,
  PR_SET_KEEPCAPS,
  PR_SET_MDWE,
  PR_SET_MEMORY_MERGE,
  PR_SET_MM,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_PTRACER,
  PR_SET_SECCOMP,
  PR_SET_SECUREBITS,
  PR_SET_SPECULATION_CTRL,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_SET_TSC,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  PR_TASK_PERF_EVENTS_DISABLE,
  PR_TASK_PERF_EVENTS_ENABLE,
  PR_TIMING_STATISTICAL,
  PR_TSC_ENABLE,
} from "../../platform/abi/prctl.ts";
import { _NSIG } from "../../platform/abi/signal.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import {
  capBit,
  CAPS_NONE,
  capsOr,
  capsSubset,
  capsWithout,
  commitCredentials,
  SECBIT_KEEP_CAPS,
  SECBIT_NO_CAP_AMBIENT_RAISE,
} from "../kernel/credentials_change.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

const COMM_SIZE = 16;
/** All securebits, and those of them that are locks. */
const SECURE_ALL = 0xff;
const SECURE_LOCKS = 0xaa;
const SECBIT_KEEP_CAPS_LOCKED = SECBIT_KEEP_CAPS << 1;

/** prctl(2). */
export function prctl(t: Task, args: SyscallArguments): number {
  const option = args.i32(0);
  switch (option) {
    case PR_SET_PDEATHSIG:
    case PR_GET_PDEATHSIG:
    case PR_SET_NAME:
    case PR_GET_NAME:
    case PR_GET_TID_ADDRESS:
    case PR_SET_TIMERSLACK:
    case PR_GET_TIMERSLACK:
      return ofThread(t, option, args);
    case PR_GET_DUMPABLE:
    case PR_SET_DUMPABLE:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_CHILD_SUBREAPER:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_SET_MDWE:
    case PR_GET_MDWE:
      return ofProcess(t, option, args);
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
      return ofCredentials(t, option, args);
    case PR_CAP_AMBIENT:
      return ambient(t, args);
    default:
      return other(t, option, args);
  }
}

function ofThread(t: Task, option: number, args: SyscallArguments): number {
  switch (option) {
    case PR_SET_PDEATHSIG: {
      const signo = args.addr(1);
      if (signo > _NSIG) return -EINVAL;
      t.parentDeathSignal = signo;
      return 0;
    }
    case PR_GET_PDEATHSIG:
      return t.copyOutU32(args.addr(1), t.parentDeathSignal);
    case PR_SET_NAME:
      return setName(t, args.addr(1));
    case PR_GET_NAME: {
      t.scratch.fill(0, 0, COMM_SIZE);
      for (let i = 0; i < t.name.length; i++) t.scratch[i] = t.name.charCodeAt(i);
      return t.copyOut(args.addr(1), t.scratch, 0, COMM_SIZE);
    }
    case PR_GET_TID_ADDRESS:
      return t.copyOutI64(args.addr(1), t.ctx!.clearTidAddr);
    case PR_SET_TIMERSLACK: {
      const ns = args.i64(1);
      t.timerSlackNs = ns <= 0 ? t.defaultTimerSlackNs : ns;
      return 0;
    }
    default:
      return t.timerSlackNs;
  }
}

function setName(t: Task, addr: number): number {
  const n = t.mm.copyInSome(t.ctx!, addr, t.scratch, 0, COMM_SIZE - 1);
  if (n <= 0) return -EFAULT;
  const end = t.scratch.subarray(0, n).indexOf(0);
  if (end < 0 && n < COMM_SIZE - 1) return -EFAULT;
  t.name = String.fromCharCode(...t.scratch.subarray(0, end < 0 ? n : end));
  return 0;
}

function ofProcess(t: Task, option: number, args: SyscallArguments): number {
  const { tg } = t;
  const value = args.addr(1);
  switch (option) {
    case PR_GET_DUMPABLE:
      return tg.dumpable;
    case PR_SET_DUMPABLE:
      if (value > 1) return -EINVAL;
      tg.dumpable = value;
      return 0;
    case PR_SET_CHILD_SUBREAPER:
      tg.isSubreaper = value !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return t.copyOutU32(value, tg.isSubreaper ? 1 : 0);
    case PR_SET_THP_DISABLE:
      if (!areZero(args, 2)) return -EINVAL;
      tg.thpDisabled = value !== 0;
      return 0;
    case PR_GET_THP_DISABLE:
      if (!areZero(args, 1)) return -EINVAL;
      return tg.thpDisabled ? 1 : 0;
    case PR_SET_MDWE:
      return areZero(args, 2) ? denyWriteExec(t, value) : -EINVAL;
    default:
      return areZero(args, 1) ? t.mm.denyWriteExec : -EINVAL;
  }
}

/** PR_SET_MDWE: set once, it stays. */
function denyWriteExec(t: Task, bits: number): number {
  const known = [0, PR_MDWE_REFUSE_EXEC_GAIN, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT];
  if (!known.includes(bits)) return -EINVAL;
  const { mm } = t;
  if (mm.denyWriteExec !== 0 && mm.denyWriteExec !== bits) return -EPERM;
  mm.denyWriteExec = bits;
  return 0;
}

function areZero(args: SyscallArguments, from: number): boolean {
  for (let i = from; i < 5; i++) if (args.addr(i) !== 0) return false;
  return true;
}

function ofCredentials(t: Task, option: number, args: SyscallArguments): number {
  const c = t.creds;
  const value = args.addr(1);
  switch (option) {
    case PR_GET_KEEPCAPS:
      return (c.securebits & SECBIT_KEEP_CAPS) !== 0 ? 1 : 0;
    case PR_SET_KEEPCAPS:
      if (value > 1) return -EINVAL;
      if ((c.securebits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
      return setSecurebits(t, (c.securebits & ~SECBIT_KEEP_CAPS) | (value ? SECBIT_KEEP_CAPS : 0));
    case PR_CAPBSET_READ:
      if (value > CAP_LAST_CAP) return -EINVAL;
      return capsSubset(capBit(value), c.bounding) ? 1 : 0;
    case PR_CAPBSET_DROP:
      if (!hasCapability(c, CAP_SETPCAP)) return -EPERM;
      if (value > CAP_LAST_CAP) return -EINVAL;
      commitCredentials(t, { ...c, bounding: capsWithout(c.bounding, capBit(value)) });
      return 0;
    case PR_GET_SECUREBITS:
      return c.securebits;
    case PR_SET_SECUREBITS:
      return checkSecurebits(c, value) ? setSecurebits(t, value) : -EPERM;
    case PR_SET_NO_NEW_PRIVS:
      if (value !== 1 || !areZero(args, 2)) return -EINVAL;
      commitCredentials(t, { ...c, noNewPrivs: true });
      return 0;
    default:
      if (!areZero(args, 1)) return -EINVAL;
      return c.noNewPrivs ? 1 : 0;
  }
}

function setSecurebits(t: Task, securebits: number): number {
  commitCredentials(t, { ...t.creds, securebits });
  return 0;
}

/** A locked bit stays, a lock stays, nothing unknown, and CAP_SETPCAP is needed (cap_task_prctl). */
function checkSecurebits(c: Credentials, value: number): boolean {
  if (value > SECURE_ALL || !hasCapability(c, CAP_SETPCAP)) return false;
  const locked = (c.securebits & SECURE_LOCKS) >> 1;
  if ((locked & (c.securebits ^ value)) !== 0) return false;
  return (c.securebits & SECURE_LOCKS & ~value) === 0;
}

/** PR_CAP_AMBIENT. */
function ambient(t: Task, args: SyscallArguments): number {
  const c = t.creds;
  const operation = args.addr(1);
  const cap = args.addr(2);
  if (operation === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (!areZero(args, 2)) return -EINVAL;
    commitCredentials(t, { ...c, ambient: CAPS_NONE });
    return 0;
  }
  if (!areZero(args, 3) || cap > CAP_LAST_CAP) return -EINVAL;
  const bit = capBit(cap);
  switch (operation) {
    case PR_CAP_AMBIENT_IS_SET:
      return capsSubset(bit, c.ambient) ? 1 : 0;
    case PR_CAP_AMBIENT_RAISE:
      if (!capsSubset(bit, c.permitted) || !capsSubset(bit, c.inheritable)) return -EPERM;
      if ((c.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
      commitCredentials(t, { ...c, ambient: capsOr(c.ambient, bit) });
      return 0;
    case PR_CAP_AMBIENT_LOWER:
      commitCredentials(t, { ...c, ambient: capsWithout(c.ambient, bit) });
      return 0;
    default:
      return -EINVAL;
  }
}

/** What has no state here. */
function other(t: Task, option: number, args: SyscallArguments): number {
  const value = args.addr(1);
  switch (option) {
    case PR_GET_TIMING:
      return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
      return value === PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_GET_TSC:
      return t.copyOutU32(value, PR_TSC_ENABLE);
    case PR_SET_TSC:
      return value === PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
      return 0;
    case PR_MCE_KILL:
      return setMachineCheckPolicy(t, args);
    case PR_MCE_KILL_GET:
      return areZero(args, 1) ? t.machineCheckPolicy : -EINVAL;
    case PR_GET_SECCOMP:
      return 0;
    case PR_GET_IO_FLUSHER:
      if (!hasCapability(t.creds, CAP_SYS_RESOURCE)) return -EPERM;
      return areZero(args, 1) ? 0 : -EINVAL;
    case PR_SET_IO_FLUSHER:
      if (!hasCapability(t.creds, CAP_SYS_RESOURCE)) return -EPERM;
      return value > 1 || !areZero(args, 2) ? -EINVAL : 0;
    case PR_GET_AUXV:
      return getAuxv(t, args);
    default:
      return unsupported(t, option, args);
  }
}

function setMachineCheckPolicy(t: Task, args: SyscallArguments): number {
  if (!areZero(args, 3)) return -EINVAL;
  const how = args.addr(1);
  const value = args.addr(2);
  const isClear = how === PR_MCE_KILL_CLEAR && value === 0;
  if (!isClear && (how !== PR_MCE_KILL_SET || value > PR_MCE_KILL_DEFAULT)) return -EINVAL;
  t.machineCheckPolicy = isClear ? PR_MCE_KILL_DEFAULT : value;
  return 0;
}

function getAuxv(t: Task, args: SyscallArguments): number {
  if (!areZero(args, 3)) return -EINVAL;
  const { auxv } = t.mm;
  const n = Math.min(args.addr(2), auxv.length);
  if (n > 0 && t.copyOut(args.addr(1), auxv, 0, n) < 0) return -EFAULT;
  return auxv.length;
}

function unsupported(t: Task, option: number, args: SyscallArguments): number {
  switch (option) {
    case PR_SET_VMA:
      // Names of anonymous mappings: without CONFIG_ANON_VMA_NAME it is -EINVAL, which libraries expect.
      if (args.addr(1) !== PR_SET_VMA_ANON_NAME) return -EINVAL;
      t.kernel.stub(t, "prctl PR_SET_VMA_ANON_NAME");
      return -EINVAL;
    case PR_SET_PTRACER:
    case PR_GET_MEMORY_MERGE:
    case PR_SET_MEMORY_MERGE:
    case PR_SET_SECCOMP:
      t.kernel.stub(t, `prctl ${option}`);
      return -EINVAL;
    case PR_SET_MM:
      if (!hasCapability(t.creds, CAP_SYS_RESOURCE)) return -EPERM;
      t.kernel.stub(t, "prctl PR_SET_MM");
      return -EINVAL;
    case PR_GET_SPECULATION_CTRL:
      return areZero(args, 2) ? -ENODEV : -EINVAL;
    case PR_SET_SPECULATION_CTRL:
      return areZero(args, 3) ? -ENXIO : -EINVAL;
    case PR_SCHED_CORE:
      return -ENODEV;
    default:
      return -EINVAL;
  }
}

export const rows: SyscallRow[] = [
  [
    SYS_prctl,
    "prctl",
    prctl,
    PARTIAL,
    "no PR_SET_SECCOMP, PR_SET_MM, PR_SET_VMA, speculation control",
  ],
];
