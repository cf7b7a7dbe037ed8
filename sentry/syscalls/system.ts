/** The machine as a whole: uname(2), sethostname(2), sysinfo(2), getrandom(2), and what is refused. */
import { EFAULT, EINVAL, ENOSYS, EPERM, ERESTARTSYS } from "../../platform/abi/errno.ts";
import {
  SYS_acct,
  SYS_delete_module,
  SYS_finit_module,
  SYS_getrandom,
  SYS_init_module,
  SYS_ioperm,
  SYS_iopl,
  SYS_kexec_load,
  SYS_quotactl,
  SYS_reboot,
  SYS_setdomainname,
  SYS_sethostname,
  SYS_swapoff,
  SYS_swapon,
  SYS_sysinfo,
  SYS_syslog,
  SYS_uname,
  SYS_vhangup,
} from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYSLOG } from "../../platform/abi/capability.ts";
import { PROT_WRITE } from "../../platform/abi/mman.ts";
import { fillRandom } from "../../platform/host/host.ts";
import { PER_LINUX32, PER_MASK, UNAME26 } from "../../platform/abi/personality.ts";
import { GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM } from "../../platform/abi/random.ts";
import { putSysinfo, SYSINFO_SIZE } from "../../platform/abi/sysinfo.ts";
import {
  SYSLOG_ACTION_CLEAR,
  SYSLOG_ACTION_CLOSE,
  SYSLOG_ACTION_CONSOLE_LEVEL,
  SYSLOG_ACTION_CONSOLE_OFF,
  SYSLOG_ACTION_CONSOLE_ON,
  SYSLOG_ACTION_OPEN,
  SYSLOG_ACTION_READ,
  SYSLOG_ACTION_READ_ALL,
  SYSLOG_ACTION_READ_CLEAR,
  SYSLOG_ACTION_SIZE_BUFFER,
  SYSLOG_ACTION_SIZE_UNREAD,
} from "../../platform/abi/syslog.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { __NEW_UTS_LEN, NEW_UTSNAME_SIZE, putNewUtsname } from "../../platform/abi/utsname.ts";
import { hasCapability } from "../auth/credentials.ts";
import { memoryUse } from "../kernel/memory_use.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** uname(2). */
export function uname(t: Task, args: SyscallArguments): number {
  const { personality } = t.tg;
  putNewUtsname(t.scratchView, 0, {
    sysname: "Linux",
    nodename: t.ns.uts.hostname,
    release: (personality & UNAME26) !== 0 ? uname26(t.kernel.release) : t.kernel.release,
    version: t.kernel.version,
    machine: (personality & PER_MASK) === PER_LINUX32 ? "i686" : "x86_64",
    domainname: t.ns.uts.domainname,
  });
  return t.copyOut(args.addr(0), t.scratch, 0, NEW_UTSNAME_SIZE);
}

/** Version 4.x and later as 2.6.(60 + x), for programs that cannot count to three (override_release). */
function uname26(release: string): string {
  const match = /^(\d+)\.(\d+)(.*)$/.exec(release);
  return match === null ? release : `2.6.${Number(match[2]) + 60}${match[3]}`;
}

function copyInName(t: Task, args: SyscallArguments): string | number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const length = args.i32(1);
  if (length < 0 || length > __NEW_UTS_LEN) return -EINVAL;
  if (t.copyIn(args.addr(0), t.scratch, 0, length) < 0) return -EFAULT;
  let end = t.scratch.indexOf(0);
  if (end < 0 || end > length) end = length;
  return String.fromCharCode(...t.scratch.subarray(0, end));
}

/** sethostname(2). */
export function sethostname(t: Task, args: SyscallArguments): number {
  const name = copyInName(t, args);
  if (typeof name === "number") return name;
  t.ns.uts.hostname = name;
  return 0;
}

/** setdomainname(2). */
export function setdomainname(t: Task, args: SyscallArguments): number {
  const name = copyInName(t, args);
  if (typeof name === "number") return name;
  t.ns.uts.domainname = name;
  return 0;
}

/** sysinfo(2). */
export function sysinfo(t: Task, args: SyscallArguments): number {
  const memory = memoryUse(t.kernel);
  putSysinfo(t.scratchView, 0, {
    uptimeSec: Math.floor((t.kernel.nowMonoNs() - t.kernel.bootMonoNs) / NSEC_PER_SEC),
    load1: 0,
    load5: 0,
    load15: 0,
    totalram: memory.totalBytes,
    freeram: memory.freeBytes,
    sharedram: memory.sharedBytes,
    bufferram: memory.bufferBytes,
    totalswap: 0,
    freeswap: 0,
    procs: Math.min(t.kernel.tasks.size, 0xffff),
    totalhigh: 0,
    freehigh: 0,
    memUnit: 1,
  });
  return t.copyOut(args.addr(0), t.scratch, 0, SYSINFO_SIZE);
}

/** What is asked of the host at once. */
const RANDOM_CHUNK = 65536;
/** Longer reads are cut, so that no call holds the Sentry for long. */
const RANDOM_MAX = 33554431;
const randomChunk = new Uint8Array(RANDOM_CHUNK);

/** getrandom(2). */
export function getrandom(t: Task, args: SyscallArguments): number {
  const flags = args.u32(2);
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) !== 0) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) === (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  const addr = args.addr(0);
  const length = Math.min(args.addr(1), RANDOM_MAX);
  let done = 0;
  while (done < length) {
    const n = Math.min(RANDOM_CHUNK, length - done);
    fillRandom(randomChunk, 0, n);
    if (t.copyOut(addr + done, randomChunk, 0, n) < 0) {
      const run = t.mm.accessibleRun(addr + done, n, PROT_WRITE);
      if (run > 0) t.copyOut(addr + done, randomChunk, 0, run);
      return done + run > 0 ? done + run : -EFAULT;
    }
    done += n;
  }
  return done;
}

/** What `SYSLOG_ACTION_SIZE_BUFFER` tells: Linux's usual size. */
const LOG_BYTES = 1 << 17;

/** syslog(2) of a log in which nothing is ever written, and with dmesg_restrict. */
export function syslog(t: Task, args: SyscallArguments): SyscallReturn {
  if (!hasCapability(t.creds, CAP_SYSLOG)) return -EPERM;
  const addr = args.addr(1);
  const length = args.i32(2);
  switch (args.i32(0)) {
    case SYSLOG_ACTION_CLOSE:
    case SYSLOG_ACTION_OPEN:
    case SYSLOG_ACTION_CLEAR:
    case SYSLOG_ACTION_CONSOLE_OFF:
    case SYSLOG_ACTION_CONSOLE_ON:
    case SYSLOG_ACTION_SIZE_UNREAD:
      return 0;
    case SYSLOG_ACTION_READ:
    case SYSLOG_ACTION_READ_ALL:
    case SYSLOG_ACTION_READ_CLEAR:
      if (addr === 0 || length < 0) return -EINVAL;
      if (length === 0) return 0;
      if (addr + length > t.mm.taskSize) return -EFAULT;
      return args.i32(0) === SYSLOG_ACTION_READ ? awaitLine(t) : 0;
    case SYSLOG_ACTION_CONSOLE_LEVEL:
      return length >= 1 && length <= 8 ? 0 : -EINVAL;
    case SYSLOG_ACTION_SIZE_BUFFER:
      return LOG_BYTES;
  }
  return -EINVAL;
}

async function awaitLine(t: Task): Promise<number> {
  await t.blocking.sleep(-1);
  return -ERESTARTSYS;
}

/** reboot(2): refused, in a sandbox there is nothing to reboot. */
export function reboot(t: Task): number {
  if (hasCapability(t.creds, CAP_SYS_BOOT)) t.kernel.stub(t, "reboot");
  return -EPERM;
}

function refuse(): number {
  return -EPERM;
}

function absent(): number {
  return -ENOSYS;
}

/** iopl(2), ioperm(2): port access never is given. */
const REFUSED = "refused";
export const rows: SyscallRow[] = [
  [SYS_uname, "uname", uname, FULL],
  [SYS_sysinfo, "sysinfo", sysinfo, PARTIAL, "no load averages"],
  [SYS_syslog, "syslog", syslog, PARTIAL, "the log stays empty"],
  [SYS_vhangup, "vhangup", refuse, PARTIAL, REFUSED],
  [SYS_acct, "acct", refuse, PARTIAL, REFUSED],
  [SYS_swapon, "swapon", refuse, PARTIAL, REFUSED],
  [SYS_swapoff, "swapoff", refuse, PARTIAL, REFUSED],
  [SYS_reboot, "reboot", reboot, PARTIAL, REFUSED],
  [SYS_sethostname, "sethostname", sethostname, FULL],
  [SYS_setdomainname, "setdomainname", setdomainname, FULL],
  [SYS_iopl, "iopl", refuse, PARTIAL, REFUSED],
  [SYS_ioperm, "ioperm", refuse, PARTIAL, REFUSED],
  [SYS_init_module, "init_module", refuse, PARTIAL, REFUSED],
  [SYS_finit_module, "finit_module", refuse, PARTIAL, REFUSED],
  [SYS_delete_module, "delete_module", refuse, PARTIAL, REFUSED],
  [SYS_kexec_load, "kexec_load", refuse, PARTIAL, REFUSED],
  [SYS_quotactl, "quotactl", absent, PARTIAL, "as a kernel without quotas"],
  [SYS_getrandom, "getrandom", getrandom, FULL],
];
