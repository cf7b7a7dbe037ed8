/** The system as a whole, and what a task may do: capabilities, memory policies, I/O priorities, modes. */
import * as capability from "../../platform/abi/capability.ts";
import * as fcntl from "../../platform/abi/fcntl.ts";
import * as fs from "../../platform/abi/fs.ts";
import * as ioprio from "../../platform/abi/ioprio.ts";
import * as keyctl from "../../platform/abi/keyctl.ts";
import * as mempolicy from "../../platform/abi/mempolicy.ts";
import * as personality from "../../platform/abi/personality.ts";
import * as ptrace from "../../platform/abi/ptrace.ts";
import * as rseq from "../../platform/abi/rseq.ts";
import * as seccomp from "../../platform/abi/seccomp.ts";
import * as sysinfo from "../../platform/abi/sysinfo.ts";
import * as times from "../../platform/abi/times.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { type Call, hexOf, pointer, quote, STRING_MAX } from "./call.ts";
import {
  type Argument,
  filled,
  given,
  named,
  type Show,
  showString,
  showStruct,
  type Struct,
  structIn,
  structOut,
} from "./arguments.ts";
import { choiceAndFlags, choiceOf, flagsOf, namesOf } from "./names.ts";

// --- sysfs(2): the kinds of file systems ---------------------------------------------------------------

const SYSFS_INDEX_OF = 1;
const SYSFS_NAME_OF = 2;
/** A name to be numbered, or a number to be named: neither where they are to be counted. */
export const sysfsName = given((c, i) => {
  const option = c.args.i32(0);
  if (option === SYSFS_INDEX_OF) return showString(c, c.args.addr(i), STRING_MAX);
  return option === SYSFS_NAME_OF ? `${c.args.u32(i)}` : null;
});
export const sysfsPlace = filled((c, i) =>
  c.args.i32(0) === SYSFS_NAME_OF ? showString(c, c.args.addr(i), STRING_MAX) : null
);

// --- Figures ----------------------------------------------------------------------------------------

export const sysinfoOut = structOut({
  size: sysinfo.SYSINFO_SIZE,
  show: (v, off) => {
    const s = sysinfo.getSysinfo(v, off);
    return `{uptime=${s.uptimeSec}, loads=[${s.load1}, ${s.load5}, ${s.load15}], ` +
      `totalram=${s.totalram}, freeram=${s.freeram}, sharedram=${s.sharedram}, ` +
      `bufferram=${s.bufferram}, totalswap=${s.totalswap}, freeswap=${s.freeswap}, ` +
      `procs=${s.procs}, totalhigh=${s.totalhigh}, freehigh=${s.freehigh}, mem_unit=${s.memUnit}}`;
  },
});

export const timesOut = structOut({
  size: times.TMS_SIZE,
  show: (v, off) => {
    const t = times.getTms(v, off);
    return `{tms_utime=${t.utime}, tms_stime=${t.stime}, tms_cutime=${t.cutime}, ` +
      `tms_cstime=${t.cstime}}`;
  },
});

// --- Capabilities -----------------------------------------------------------------------------------

const versions = choiceOf(namesOf(capability, /^_LINUX_CAPABILITY_VERSION_\d$/));
export const capabilityHeader = structIn({
  size: capability.CAP_USER_HEADER_SIZE,
  show: (v, off) => {
    const { version, pid } = capability.getCapUserHeader(v, off);
    return `{version=${versions(version)}, pid=${pid}}`;
  },
});

const bits = namesOf(capability, /^CAP_(?!LAST_CAP|USER_)/);
/** "1<<CAP_CHOWN|1<<CAP_KILL" */
function capabilitySet(low: number, high: number): string {
  const held = bits.filter(({ value }) => ((value < 32 ? low : high) >>> value % 32 & 1) !== 0);
  if (held.length === 0) return "0";
  return held.map(({ name }) => `1<<${name}`).join("|");
}

/** One set of three for 32 capabilities, and since the second version another for the rest. */
const capabilityData = (words: number): Struct => ({
  size: words * capability.CAP_USER_DATA_SIZE,
  show: (v, off) => {
    const low = capability.getCapUserData(v, off);
    const high = words < 2
      ? { effective: 0, permitted: 0, inheritable: 0 }
      : capability.getCapUserData(v, off + capability.CAP_USER_DATA_SIZE);
    const sets = (["effective", "permitted", "inheritable"] as const).map((name) =>
      `${name}=${capabilitySet(low[name], high[name])}`
    );
    return `{${sets.join(", ")}}`;
  },
});
const showCapabilities: Show = (c, i) => {
  const version = c.view(c.args.addr(i - 1), 4)?.getUint32(0, true);
  const words = version === capability._LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
  return showStruct(c, c.args.addr(i), capabilityData(words));
};
export const capabilitiesIn = given(showCapabilities);
export const capabilitiesOut = filled(showCapabilities);

// --- Memory policies --------------------------------------------------------------------------------

const policies = choiceOf(
  namesOf(mempolicy, /^MPOL_(DEFAULT|PREFERRED|BIND|INTERLEAVE|LOCAL|PREFERRED_MANY)$/),
);
const policyFlags = flagsOf(
  namesOf(mempolicy, /^MPOL_F_(STATIC_NODES|RELATIVE_NODES|NUMA_BALANCING)$/),
);
const showPolicy = choiceAndFlags(~mempolicy.MPOL_MODE_FLAGS, policies, policyFlags);
export const memoryPolicy = named(showPolicy);
export const memoryPolicyOut = structOut({
  size: 4,
  show: (v, off) => `[${showPolicy(v.getInt32(off, true))}]`,
});

const NODES_MAX = 1024;
/** A mask of nodes, in words; the argument behind it counts its bits, and one more. */
const showNodes: Show = (c, i) => {
  const addr = c.args.addr(i);
  const words = Math.ceil((Math.min(c.args.addr(i + 1), NODES_MAX) - 1) / 64);
  const v = words > 0 ? c.view(addr, 8 * words) : null;
  if (v === null) return pointer(addr);
  return `[${Array.from({ length: words }, (_, n) => hexOf(getU64(v, 8 * n))).join(", ")}]`;
};
export const nodesIn = given(showNodes);
export const nodesOut = filled(showNodes);
export const policyQuery = named(flagsOf(namesOf(mempolicy, /^MPOL_F_(NODE|ADDR|MEMS_ALLOWED)$/)));
export const bindFlags = named(flagsOf(namesOf(mempolicy, /^MPOL_MF_(STRICT|MOVE|MOVE_ALL)$/)));

// --- Keys -------------------------------------------------------------------------------------------

export const keyring = named(choiceOf(namesOf(keyctl, /^KEY_SPEC_/), String));
export const keyOperation = named(
  choiceOf(namesOf(keyctl, /^KEYCTL_(?!CAPS[01]_|MOVE_EXCL$)/), String),
);

// --- Modes ------------------------------------------------------------------------------------------

const classes = choiceOf(namesOf(ioprio, /^IOPRIO_CLASS_(NONE|RT|BE|IDLE)$/));
const showPriority = (n: number) =>
  `IOPRIO_PRIO_VALUE(${classes(n >>> ioprio.IOPRIO_CLASS_SHIFT)}, ${n & ioprio.IOPRIO_PRIO_MASK})`;
export const ioPriority = named(showPriority);
export const ioPriorityResult = (c: Call) => `${hexOf(c.result)} (${showPriority(c.result)})`;
export const ioPriorityWhich = named(choiceOf(namesOf(ioprio, /^IOPRIO_WHO_/)));

const domains = choiceOf(namesOf(personality, /^PER_(LINUX|LINUX32|BSD|SVR4)$/));
const domainFlags = flagsOf(namesOf(personality, /^(?!PER_)/));
const showPersonality = choiceAndFlags(personality.PER_MASK, domains, domainFlags);
const ASK = -1;
/** All ones asks for the present one. */
export const domain = named((n) => n === ASK ? "0xffffffff" : showPersonality(n));
export const domainResult = (c: Call) => `${hexOf(c.result)} (${showPersonality(c.result)})`;

export const rseqFlags = named(flagsOf(namesOf(rseq, /^RSEQ_FLAG_/)));
export const seccompOperation = named(
  choiceOf(namesOf(seccomp, /^SECCOMP_(SET_MODE|GET_ACTION|GET_NOTIF)_/)),
);
export const seccompFlags = named(flagsOf(namesOf(seccomp, /^SECCOMP_FILTER_FLAG_/)));
export const ptraceRequest = named(
  choiceOf(namesOf(ptrace, /^PTRACE_(?!O_|EVENT|SYSCALL_|PEEKSIGINFO_|OLD)/)),
);

// --- Files by handle, and their flags ---------------------------------------------------------------

const showHandle: Show = (c, i) => {
  const addr = c.args.addr(i);
  const head = c.view(addr, fcntl.FILE_HANDLE_SIZE);
  if (head === null) return pointer(addr);
  const length = head.getUint32(fcntl.FILE_HANDLE_OFF_BYTES, true);
  const bytes = c.bytes(addr + fcntl.FILE_HANDLE_OFF_HANDLE, Math.min(length, HANDLE_MAX));
  return `{handle_bytes=${length}, handle_type=${
    head.getInt32(fcntl.FILE_HANDLE_OFF_TYPE, true)
  }, f_handle=${bytes === null ? "?" : quote(bytes)}}`;
};
const HANDLE_MAX = 128;
export const handleIn = given(showHandle);
export const handleOut = filled(showHandle);
export const handleFlags = named(flagsOf(namesOf(
  fcntl,
  /^AT_(SYMLINK_FOLLOW|EMPTY_PATH|HANDLE_\w+)$/,
)));

const xflags = flagsOf(namesOf(fs, /^FS_XFLAG_/));
const fileAttr: Struct = {
  size: fs.FILE_ATTR_SIZE_VER0,
  show: (v, off) => `{fa_xflags=${xflags(v.getUint32(off, true))}, ...}`,
};
export const fileAttrIn: Argument = structIn(fileAttr);
export const fileAttrOut: Argument = structOut(fileAttr);
