/** File systems made step by step: fsopen(2), fsconfig(2), fsmount(2), fspick(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import {
  EBADF,
  EBUSY,
  EINVAL,
  ENODATA,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
} from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { AT_FDCWD, O_RDWR } from "../../platform/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_CMD_CREATE_EXCL,
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_BINARY,
  FSCONFIG_SET_FD,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_PATH,
  FSCONFIG_SET_PATH_EMPTY,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  FSPICK_NO_AUTOMOUNT,
  FSPICK_SYMLINK_NOFOLLOW,
  MS_RDONLY,
} from "../../platform/abi/mount.ts";
import { hasCapability } from "../auth/credentials.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { newAnonFile } from "../vfs/anon.ts";
import { FileDescriptionImpl } from "../vfs/file.ts";
import type { Filesystem, FilesystemType } from "../vfs/inode.ts";
import { isUsed, newMount, unuseFilesystem, useFilesystem } from "../vfs/mount.ts";
import { openDetached, WALK_EMPTY, WALK_NOFOLLOW } from "../vfs/namei.ts";
import { flagsOfAttributes, installNew } from "./mount_api.ts";
import { copyInPath, copyInText, walkArg } from "./path_args.ts";

const NAME_MAX = 256;
/** Longest FSCONFIG_SET_BINARY. */
const BINARY_MAX = 1024 * 1024;

/** Linux: struct fs_context. */
class FsContextFile extends FileDescriptionImpl {
  source = "";
  options = "";
  readOnly = false;
  /** What was made, or picked; held until this is closed. */
  fs: Filesystem | null = null;
  mounted = false;

  /** `type`: null when it is there to reconfigure `fs`. */
  constructor(readonly type: FilesystemType | null) {
    super();
  }
  override get seekable(): boolean {
    return false;
  }
  /** Messages of the file system: there are none. */
  override read(): number {
    return -ENODATA;
  }
  hold(fs: Filesystem): void {
    this.fs = fs;
    useFilesystem(fs);
  }
  override release(): void {
    if (this.fs !== null) unuseFilesystem(this.fs);
    this.fs = null;
  }
}

/** fsopen(2). */
export function fsopen(t: Task, args: SyscallArguments): number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const flags = args.u32(1);
  if ((flags & ~FSOPEN_CLOEXEC) !== 0) return -EINVAL;
  const name = t.copyInString(args.addr(0), PAGE_SIZE);
  if (typeof name === "number") return name;
  const type = t.kernel.fsTypes.get(name);
  return type === undefined ? -ENODEV : install(t, new FsContextFile(type), flags !== 0);
}

function install(t: Task, context: FsContextFile, cloexec: boolean): number {
  return installNew(t, newAnonFile("[fscontext]", context, O_RDWR), cloexec);
}

/** fspick(2). */
export function fspick(t: Task, args: SyscallArguments): number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const flags = args.u32(2);
  const known = FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH;
  if ((flags & ~known) !== 0) return -EINVAL;
  const walkFlags = ((flags & FSPICK_SYMLINK_NOFOLLOW) !== 0 ? WALK_NOFOLLOW : 0) |
    ((flags & FSPICK_EMPTY_PATH) !== 0 ? WALK_EMPTY : 0);
  const p = walkArg(t, args.i32(0), args.addr(1), walkFlags);
  if (typeof p === "number") return p;
  if (p.dentry !== p.mount.root) return -EINVAL;
  const context = new FsContextFile(null);
  context.hold(p.mount.fs);
  return install(t, context, (flags & FSPICK_CLOEXEC) !== 0);
}

function contextOf(t: Task, fd: number): FsContextFile | number {
  const file = t.fdTable.get(fd);
  if (file === null) return -EBADF;
  return file.impl instanceof FsContextFile ? file.impl : -EINVAL;
}

/** fsconfig(2). */
export function fsconfig(t: Task, args: SyscallArguments): number {
  const fd = args.i32(0);
  const command = args.u32(1);
  if (fd < 0) return -EINVAL;
  const err = checkShape(command, args.addr(2) !== 0, args.addr(3) !== 0, args.i32(4));
  if (err < 0) return err;
  const context = contextOf(t, fd);
  if (typeof context === "number") return context;
  switch (command) {
    case FSCONFIG_CMD_CREATE:
    case FSCONFIG_CMD_CREATE_EXCL:
      return create(t, context);
    case FSCONFIG_CMD_RECONFIGURE:
      return reconfigure(t, context);
    default:
      return configure(t, context, args);
  }
}

/** Which arguments a command wants: -EINVAL for others, -EOPNOTSUPP for commands that nobody knows. */
function checkShape(command: number, hasKey: boolean, hasValue: boolean, aux: number): number {
  const fits = (key: boolean, value: boolean, auxFits: boolean): number =>
    hasKey === key && hasValue === value && auxFits ? 0 : -EINVAL;
  switch (command) {
    case FSCONFIG_SET_FLAG:
      return fits(true, false, aux === 0);
    case FSCONFIG_SET_STRING:
      return fits(true, true, aux === 0);
    case FSCONFIG_SET_BINARY:
      return fits(true, true, aux > 0 && aux <= BINARY_MAX);
    case FSCONFIG_SET_PATH:
    case FSCONFIG_SET_PATH_EMPTY:
      return fits(true, true, aux === AT_FDCWD || aux >= 0);
    case FSCONFIG_SET_FD:
      return fits(true, false, aux >= 0);
    case FSCONFIG_CMD_CREATE:
    case FSCONFIG_CMD_CREATE_EXCL:
    case FSCONFIG_CMD_RECONFIGURE:
      return fits(false, false, aux === 0);
    default:
      return -EOPNOTSUPP;
  }
}

/** FSCONFIG_SET_*. */
function configure(t: Task, context: FsContextFile, args: SyscallArguments): number {
  const command = args.u32(1), valueAddr = args.addr(3), aux = args.i32(4);
  const key = copyInText(t, args.addr(2), NAME_MAX);
  if (typeof key === "number") return key;
  let value: string | null | number = null;
  if (command === FSCONFIG_SET_STRING) value = copyInText(t, valueAddr, NAME_MAX);
  else if (command === FSCONFIG_SET_BINARY) {
    value = t.copyIn(valueAddr, new Uint8Array(aux), 0, aux);
  } else if (command === FSCONFIG_SET_FD) value = t.fdTable.get(aux) === null ? -EBADF : 0;
  else if (command !== FSCONFIG_SET_FLAG) value = copyInPath(t, valueAddr);
  if (typeof value === "number" && value < 0) return value;
  if (context.type !== null && context.fs !== null && !context.mounted) return -EBUSY;
  // Binary values, paths and descriptors: no file system of ours takes one.
  if (command !== FSCONFIG_SET_FLAG && command !== FSCONFIG_SET_STRING) return -EINVAL;
  return setOption(context, key, value as string | null);
}

/** `value` null: a flag. */
function setOption(context: FsContextFile, key: string, value: string | null): number {
  if (key === "ro" || key === "rw") {
    context.readOnly = key === "ro";
    return 0;
  }
  if (key === "source") {
    if (value === null || context.source !== "") return -EINVAL;
    context.source = value;
    return 0;
  }
  if (key === "" || key.includes(",") || value?.includes(",")) return -EINVAL;
  const option = value === null ? key : `${key}=${value}`;
  const options = context.options === "" ? option : `${context.options},${option}`;
  const err = context.type?.checkOptions?.(options) ?? 0;
  if (err === 0) context.options = options;
  return err;
}

function create(t: Task, context: FsContextFile): number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if (context.type === null || context.fs !== null) return -EBUSY;
  const fs = context.type.mount(context.source, context.options, t.creds);
  if (typeof fs === "number") return fs;
  if (!isUsed(fs)) fs.readOnly = context.readOnly;
  context.hold(fs);
  context.options = ""; // What is set from now on is for FSCONFIG_CMD_RECONFIGURE.
  return 0;
}

function reconfigure(t: Task, context: FsContextFile): number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  if (context.fs === null) return -EBUSY;
  const { options } = context;
  context.options = "";
  return context.fs.remount?.(options) ?? 0;
}

/** fsmount(2). */
export function fsmount(t: Task, args: SyscallArguments): number {
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) return -EPERM;
  const flags = args.u32(1);
  if ((flags & ~FSMOUNT_CLOEXEC) !== 0) return -EINVAL;
  const mountFlags = flagsOfAttributes(args.u32(2));
  if (mountFlags < 0) return mountFlags;
  const context = contextOf(t, args.i32(0));
  if (typeof context === "number") return context;
  if (context.type === null || context.fs === null) return -EINVAL;
  if (context.mounted) return -EBUSY;
  context.mounted = true;
  const readOnly = context.readOnly ? MS_RDONLY : 0;
  const source = context.source === "" ? "none" : context.source;
  const mount = newMount(context.fs, source, mountFlags | readOnly);
  return installNew(t, openDetached(mount), flags !== 0);
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_fsopen, "fsopen", fsopen, FULL],
  [nr.SYS_fspick, "fspick", fspick, FULL],
  [nr.SYS_fsconfig, "fsconfig", fsconfig, PARTIAL, "no option takes bytes, a path or a descriptor"],
  [nr.SYS_fsmount, "fsmount", fsmount, FULL],
];
