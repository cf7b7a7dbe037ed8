/** Owner, mode and times: chmod(2), chown(2), utimensat(2) and their kin. */
import {
  SYS_chmod,
  SYS_chown,
  SYS_fchmod,
  SYS_fchmodat,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_fchmodat2, SYS_fchown, SYS_fchownat } from "../../platform/abi/amd64/syscalls.ts";
import {
  SYS_futimesat,
  SYS_lchown,
  SYS_utime,
  SYS_utimensat,
} from "../../platform/abi/amd64/syscalls.ts";
import { SYS_utimes } from "../../platform/abi/amd64/syscalls.ts";
import { getI64 } from "../../platform/abi/bytes.ts";
import { EINVAL } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../platform/abi/fcntl.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import {
  FULL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { PathRef } from "../vfs/mount.ts";
import { changeMode, changeOwner, changeTimes, TIME_NOW, TIME_OMIT } from "../vfs/namei.ts";
import { WALK_NOFOLLOW } from "../vfs/namei.ts";
import { fileArg, walkArg, walkFlagsOf } from "./path_args.ts";

/** chmod(2). */
export function chmod(t: Task, args: SyscallArguments): SyscallReturn {
  return doChmod(t, AT_FDCWD, args.addr(0), args.u32(1), 0);
}

/** fchmod(2). */
export function fchmod(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  return typeof file === "number" ? file : changeMode(t.creds, file, args.u32(1));
}

/** fchmodat(2), the call without flags. */
export function fchmodat(t: Task, args: SyscallArguments): SyscallReturn {
  return doChmod(t, args.i32(0), args.addr(1), args.u32(2), 0);
}

/** fchmodat2(2). */
export function fchmodat2(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  return doChmod(t, args.i32(0), args.addr(1), args.u32(2), walkFlagsOf(flags));
}

function doChmod(t: Task, dirFd: number, addr: number, mode: number, walkFlags: number): number {
  const p = walkArg(t, dirFd, addr, walkFlags);
  return typeof p === "number" ? p : changeMode(t.creds, p, mode);
}

/** chown(2). */
export function chown(t: Task, args: SyscallArguments): SyscallReturn {
  return doChown(t, AT_FDCWD, args.addr(0), args.u32(1), args.u32(2), 0);
}

/** lchown(2). */
export function lchown(t: Task, args: SyscallArguments): SyscallReturn {
  return doChown(t, AT_FDCWD, args.addr(0), args.u32(1), args.u32(2), WALK_NOFOLLOW);
}

/** fchown(2). */
export function fchown(t: Task, args: SyscallArguments): SyscallReturn {
  const file = fileArg(t, args.i32(0));
  if (typeof file === "number") return file;
  return changeOwner(t.creds, file, idArg(args.u32(1)), idArg(args.u32(2)));
}

/** fchownat(2). */
export function fchownat(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(4);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const walkFlags = walkFlagsOf(flags);
  return doChown(t, args.i32(0), args.addr(1), args.u32(2), args.u32(3), walkFlags);
}

function doChown(
  t: Task,
  dirFd: number,
  addr: number,
  uid: number,
  gid: number,
  walkFlags: number,
): number {
  const p = walkArg(t, dirFd, addr, walkFlags);
  return typeof p === "number" ? p : changeOwner(t.creds, p, idArg(uid), idArg(gid));
}

/** (uid_t)-1 leaves the owner as it is. */
function idArg(id: number): number {
  return id === 0xffffffff ? -1 : id;
}

const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;
/** Nanoseconds that are none. */
const INVALID = -3;

/** Two times as changeTimes takes them. */
class TimesArg {
  atimeSec = 0;
  atimeNsec = TIME_NOW;
  mtimeSec = 0;
  mtimeNsec = TIME_NOW;

  setNow(): number {
    this.atimeNsec = this.mtimeNsec = TIME_NOW;
    return 0;
  }
}
const times = new TimesArg();

/** utimensat(2): a null path is the descriptor itself. */
export function utimensat(t: Task, args: SyscallArguments): SyscallReturn {
  const timesAddr = args.addr(2);
  const flags = args.u32(3);
  const err = timesAddr === 0 ? times.setNow() : copyInTimespecs(t, timesAddr);
  if (err < 0) return err;
  if (times.atimeNsec === TIME_OMIT && times.mtimeNsec === TIME_OMIT) return 0;
  const dirFd = args.i32(0);
  const pathAddr = args.addr(1);
  if (pathAddr === 0 && dirFd !== AT_FDCWD) {
    if (flags !== 0) return -EINVAL;
    const file = fileArg(t, dirFd);
    return typeof file === "number" ? file : applyTimes(t, file);
  }
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  return setTimes(t, dirFd, pathAddr, walkFlagsOf(flags));
}

function copyInTimespecs(t: Task, addr: number): number {
  const err = t.copyIn(addr, t.scratch, 0, 32);
  if (err < 0) return err;
  const v = t.scratchView;
  times.atimeSec = getI64(v, 0);
  times.atimeNsec = nsecArg(getI64(v, 8));
  times.mtimeSec = getI64(v, 16);
  times.mtimeNsec = nsecArg(getI64(v, 24));
  return 0;
}

function nsecArg(nsec: number): number {
  if (nsec === UTIME_NOW) return TIME_NOW;
  if (nsec === UTIME_OMIT) return TIME_OMIT;
  return nsec >= 0 && nsec < NSEC_PER_SEC ? nsec : INVALID;
}

/** utimes(2). */
export function utimes(t: Task, args: SyscallArguments): SyscallReturn {
  return doUtimes(t, AT_FDCWD, args.addr(0), args.addr(1));
}

/** futimesat(2): a null path is the descriptor itself. */
export function futimesat(t: Task, args: SyscallArguments): SyscallReturn {
  return doUtimes(t, args.i32(0), args.addr(1), args.addr(2));
}

function doUtimes(t: Task, dirFd: number, pathAddr: number, timesAddr: number): number {
  if (timesAddr === 0) times.setNow();
  else {
    const err = t.copyIn(timesAddr, t.scratch, 0, 32);
    if (err < 0) return err;
    const v = t.scratchView;
    const atimeUsec = getI64(v, 8);
    const mtimeUsec = getI64(v, 24);
    if (!(atimeUsec >= 0 && atimeUsec < 1e6 && mtimeUsec >= 0 && mtimeUsec < 1e6)) return -EINVAL;
    times.atimeSec = getI64(v, 0);
    times.atimeNsec = atimeUsec * 1000;
    times.mtimeSec = getI64(v, 16);
    times.mtimeNsec = mtimeUsec * 1000;
  }
  if (pathAddr === 0 && dirFd !== AT_FDCWD) {
    const file = fileArg(t, dirFd);
    return typeof file === "number" ? file : applyTimes(t, file);
  }
  return setTimes(t, dirFd, pathAddr, 0);
}

/** utime(2). */
export function utime(t: Task, args: SyscallArguments): SyscallReturn {
  const timesAddr = args.addr(1);
  if (timesAddr === 0) times.setNow();
  else {
    const err = t.copyIn(timesAddr, t.scratch, 0, 16);
    if (err < 0) return err;
    times.atimeSec = getI64(t.scratchView, 0);
    times.mtimeSec = getI64(t.scratchView, 8);
    times.atimeNsec = times.mtimeNsec = 0;
  }
  return setTimes(t, AT_FDCWD, args.addr(0), 0);
}

function setTimes(t: Task, dirFd: number, pathAddr: number, walkFlags: number): number {
  const p = walkArg(t, dirFd, pathAddr, walkFlags);
  return typeof p === "number" ? p : applyTimes(t, p);
}

/** Gives the file at `p` the `times`, which are judged now that it is found. */
function applyTimes(t: Task, p: PathRef): number {
  const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = times;
  if (atimeNsec === INVALID || mtimeNsec === INVALID) return -EINVAL;
  return changeTimes(t.creds, p, atimeSec, atimeNsec, mtimeSec, mtimeNsec);
}

export const rows: readonly SyscallRow[] = [
  [SYS_chmod, "chmod", chmod, FULL],
  [SYS_fchmod, "fchmod", fchmod, FULL],
  [SYS_chown, "chown", chown, FULL],
  [SYS_fchown, "fchown", fchown, FULL],
  [SYS_lchown, "lchown", lchown, FULL],
  [SYS_utime, "utime", utime, FULL],
  [SYS_utimes, "utimes", utimes, FULL],
  [SYS_fchownat, "fchownat", fchownat, FULL],
  [SYS_futimesat, "futimesat", futimesat, FULL],
  [SYS_fchmodat, "fchmodat", fchmodat, FULL],
  [SYS_utimensat, "utimensat", utimensat, FULL],
  [SYS_fchmodat2, "fchmodat2", fchmodat2, FULL],
];
