/** User and group ids: getuid(2), setuid(2), setresuid(2), setgroups(2) … (Linux: kernel/sys.c). */
import { EFAULT, EINVAL, EPERM } from "../../platform/abi/errno.ts";
import {
  SYS_getegid,
  SYS_geteuid,
  SYS_getgid,
  SYS_getgroups,
  SYS_getresgid,
  SYS_getresuid,
  SYS_getuid,
  SYS_setfsgid,
  SYS_setfsuid,
  SYS_setgid,
  SYS_setgroups,
  SYS_setregid,
  SYS_setresgid,
  SYS_setresuid,
  SYS_setreuid,
  SYS_setuid,
} from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SETGID, CAP_SETUID } from "../../platform/abi/capability.ts";
import { NGROUPS_MAX } from "../../platform/abi/limits.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import { commitCredentials, fixupSetfsuid, fixupSetuid } from "../kernel/credentials_change.ts";
import { FULL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** As an argument: leave this id as it is. No id has this number. */
const KEEP = 0xffffffff;

export function getuid(t: Task): number {
  return t.creds.ruid;
}
export function geteuid(t: Task): number {
  return t.creds.euid;
}
export function getgid(t: Task): number {
  return t.creds.rgid;
}
export function getegid(t: Task): number {
  return t.creds.egid;
}

/** Installs user ids that were found allowed; the file system id follows the effective one. */
function changeUids(t: Task, ruid: number, euid: number, suid: number): number {
  const old = t.creds;
  if (old.ruid === ruid && old.euid === euid && old.suid === suid && old.fsuid === euid) return 0;
  const next: Credentials = { ...old, ruid, euid, suid, fsuid: euid };
  commitCredentials(t, fixupSetuid(old, next));
  return 0;
}

/** setuid(2). */
export function setuid(t: Task, args: SyscallArguments): number {
  const uid = args.u32(0);
  if (uid === KEEP) return -EINVAL;
  const c = t.creds;
  if (hasCapability(c, CAP_SETUID)) return changeUids(t, uid, uid, uid);
  if (uid !== c.ruid && uid !== c.suid) return -EPERM;
  return changeUids(t, c.ruid, uid, c.suid);
}

/** setreuid(2). */
export function setreuid(t: Task, args: SyscallArguments): number {
  const ruid = args.u32(0);
  const euid = args.u32(1);
  const c = t.creds;
  const capable = hasCapability(c, CAP_SETUID);
  if (ruid !== KEEP && ruid !== c.ruid && ruid !== c.euid && !capable) return -EPERM;
  if (euid !== KEEP && euid !== c.ruid && euid !== c.euid && euid !== c.suid && !capable) {
    return -EPERM;
  }
  const newReal = ruid === KEEP ? c.ruid : ruid;
  const newEffective = euid === KEEP ? c.euid : euid;
  const setsSaved = ruid !== KEEP || (euid !== KEEP && euid !== c.ruid);
  return changeUids(t, newReal, newEffective, setsSaved ? newEffective : c.suid);
}

/** setresuid(2). */
export function setresuid(t: Task, args: SyscallArguments): number {
  const wanted = [args.u32(0), args.u32(1), args.u32(2)];
  const c = t.creds;
  if (!hasCapability(c, CAP_SETUID)) {
    const allowed = (id: number) => id === KEEP || id === c.ruid || id === c.euid || id === c.suid;
    if (!wanted.every(allowed)) return -EPERM;
  }
  const [ruid, euid, suid] = wanted;
  return changeUids(
    t,
    ruid === KEEP ? c.ruid : ruid,
    euid === KEEP ? c.euid : euid,
    suid === KEEP ? c.suid : suid,
  );
}

/** getresuid(2). */
export function getresuid(t: Task, args: SyscallArguments): number {
  const { ruid, euid, suid } = t.creds;
  return copyOutIds(t, args, ruid, euid, suid);
}

function copyOutIds(t: Task, args: SyscallArguments, r: number, e: number, s: number): number {
  if (t.copyOutU32(args.addr(0), r) < 0) return -EFAULT;
  if (t.copyOutU32(args.addr(1), e) < 0) return -EFAULT;
  return t.copyOutU32(args.addr(2), s);
}

/** setfsuid(2): returns the old one, whether it was changed or not. */
export function setfsuid(t: Task, args: SyscallArguments): number {
  const fsuid = args.u32(0);
  const c = t.creds;
  const allowed = fsuid === c.ruid || fsuid === c.euid || fsuid === c.suid || fsuid === c.fsuid ||
    hasCapability(c, CAP_SETUID);
  if (fsuid !== KEEP && allowed && fsuid !== c.fsuid) {
    commitCredentials(t, fixupSetfsuid(c, { ...c, fsuid }));
  }
  return c.fsuid;
}

function changeGids(t: Task, rgid: number, egid: number, sgid: number): number {
  const old = t.creds;
  if (old.rgid === rgid && old.egid === egid && old.sgid === sgid && old.fsgid === egid) return 0;
  commitCredentials(t, { ...old, rgid, egid, sgid, fsgid: egid });
  return 0;
}

/** setgid(2). */
export function setgid(t: Task, args: SyscallArguments): number {
  const gid = args.u32(0);
  if (gid === KEEP) return -EINVAL;
  const c = t.creds;
  if (hasCapability(c, CAP_SETGID)) return changeGids(t, gid, gid, gid);
  if (gid !== c.rgid && gid !== c.sgid) return -EPERM;
  return changeGids(t, c.rgid, gid, c.sgid);
}

/** setregid(2). */
export function setregid(t: Task, args: SyscallArguments): number {
  const rgid = args.u32(0);
  const egid = args.u32(1);
  const c = t.creds;
  const capable = hasCapability(c, CAP_SETGID);
  if (rgid !== KEEP && rgid !== c.rgid && rgid !== c.egid && !capable) return -EPERM;
  if (egid !== KEEP && egid !== c.rgid && egid !== c.egid && egid !== c.sgid && !capable) {
    return -EPERM;
  }
  const newReal = rgid === KEEP ? c.rgid : rgid;
  const newEffective = egid === KEEP ? c.egid : egid;
  const setsSaved = rgid !== KEEP || (egid !== KEEP && egid !== c.rgid);
  return changeGids(t, newReal, newEffective, setsSaved ? newEffective : c.sgid);
}

/** setresgid(2). */
export function setresgid(t: Task, args: SyscallArguments): number {
  const wanted = [args.u32(0), args.u32(1), args.u32(2)];
  const c = t.creds;
  if (!hasCapability(c, CAP_SETGID)) {
    const allowed = (id: number) => id === KEEP || id === c.rgid || id === c.egid || id === c.sgid;
    if (!wanted.every(allowed)) return -EPERM;
  }
  const [rgid, egid, sgid] = wanted;
  return changeGids(
    t,
    rgid === KEEP ? c.rgid : rgid,
    egid === KEEP ? c.egid : egid,
    sgid === KEEP ? c.sgid : sgid,
  );
}

/** getresgid(2). */
export function getresgid(t: Task, args: SyscallArguments): number {
  const { rgid, egid, sgid } = t.creds;
  return copyOutIds(t, args, rgid, egid, sgid);
}

/** setfsgid(2). */
export function setfsgid(t: Task, args: SyscallArguments): number {
  const fsgid = args.u32(0);
  const c = t.creds;
  const allowed = fsgid === c.rgid || fsgid === c.egid || fsgid === c.sgid || fsgid === c.fsgid ||
    hasCapability(c, CAP_SETGID);
  if (fsgid !== KEEP && allowed && fsgid !== c.fsgid) commitCredentials(t, { ...c, fsgid });
  return c.fsgid;
}

/** getgroups(2). */
export function getgroups(t: Task, args: SyscallArguments): number {
  const size = args.i32(0);
  const { groups } = t.creds;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  const bytes = new Uint8Array(Uint32Array.from(groups).buffer);
  if (t.copyOut(args.addr(1), bytes, 0, bytes.length) < 0) return -EFAULT;
  return groups.length;
}

/** setgroups(2). */
export function setgroups(t: Task, args: SyscallArguments): number {
  if (!hasCapability(t.creds, CAP_SETGID)) return -EPERM;
  const count = args.u32(0);
  if (count > NGROUPS_MAX) return -EINVAL;
  const groups = new Uint32Array(count);
  const bytes = new Uint8Array(groups.buffer);
  if (count > 0 && t.copyIn(args.addr(1), bytes, 0, bytes.length) < 0) return -EFAULT;
  if (groups.includes(KEEP)) return -EINVAL;
  commitCredentials(t, { ...t.creds, groups: [...groups.sort()] });
  return 0;
}

export const rows: SyscallRow[] = [
  [SYS_getuid, "getuid", getuid, FULL],
  [SYS_getgid, "getgid", getgid, FULL],
  [SYS_setuid, "setuid", setuid, FULL],
  [SYS_setgid, "setgid", setgid, FULL],
  [SYS_geteuid, "geteuid", geteuid, FULL],
  [SYS_getegid, "getegid", getegid, FULL],
  [SYS_setreuid, "setreuid", setreuid, FULL],
  [SYS_setregid, "setregid", setregid, FULL],
  [SYS_getgroups, "getgroups", getgroups, FULL],
  [SYS_setgroups, "setgroups", setgroups, FULL],
  [SYS_setresuid, "setresuid", setresuid, FULL],
  [SYS_getresuid, "getresuid", getresuid, FULL],
  [SYS_setresgid, "setresgid", setresgid, FULL],
  [SYS_getresgid, "getresgid", getresgid, FULL],
  [SYS_setfsuid, "setfsuid", setfsuid, FULL],
  [SYS_setfsgid, "setfsgid", setfsgid, FULL],
];
