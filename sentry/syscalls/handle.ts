/**
 * File handles: name_to_handle_at(2), open_by_handle_at(2). A handle is a number that we gave to a
 * dentry; it is good while the dentry is cached or in use, then -ESTALE.
 */
import { SYS_name_to_handle_at, SYS_open_by_handle_at } from "../../platform/abi/amd64/syscalls.ts";
import { setU64 } from "../../platform/abi/bytes.ts";
import { CAP_DAC_READ_SEARCH } from "../../platform/abi/capability.ts";
import { EFAULT, EINVAL, EOPNOTSUPP, EOVERFLOW, EPERM } from "../../platform/abi/errno.ts";
import { ESTALE } from "../../platform/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_HANDLE_CONNECTABLE } from "../../platform/abi/fcntl.ts";
import {
  AT_HANDLE_FID,
  AT_HANDLE_MNT_ID_UNIQUE,
  AT_SYMLINK_FOLLOW,
} from "../../platform/abi/fcntl.ts";
import {
  FILE_HANDLE_OFF_HANDLE,
  FILE_HANDLE_OFF_TYPE,
  MAX_HANDLE_SZ,
} from "../../platform/abi/fcntl.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { hasCapability } from "../auth/credentials.ts";
import { PARTIAL, type SyscallArguments, type SyscallReturn } from "../kernel/syscall.ts";
import type { SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { Dentry } from "../vfs/dentry.ts";
import type { PathRef } from "../vfs/mount.ts";
import { openPath, WALK_EMPTY, WALK_NOFOLLOW } from "../vfs/namei.ts";
import { fileArg, walkArg } from "./path_args.ts";

const HANDLE_BYTES = 8;
const HANDLE_TYPE = 0x64;
/** Handles remembered; the oldest go. */
const HANDLES_MAX = 65536;

const byNumber = new Map<number, WeakRef<Dentry>>();
const numbers = new WeakMap<Dentry, number>();
let nextNumber = 1;
ofOneSandbox(() => byNumber.clear());

function numberOf(dentry: Dentry): number {
  const known = numbers.get(dentry);
  if (known !== undefined && byNumber.has(known)) return known;
  const number = nextNumber++;
  numbers.set(dentry, number);
  byNumber.set(number, new WeakRef(dentry));
  if (byNumber.size > HANDLES_MAX) byNumber.delete(byNumber.keys().next().value!);
  return number;
}

/** File systems whose files have no handles that can be opened (no export_operations). */
function isExportable(p: PathRef): boolean {
  const { typeName } = p.dentry.fs;
  return typeName !== "proc" && typeName !== "devpts" && p.mount.ns !== null;
}

/** name_to_handle_at(2). */
export function nameToHandleAt(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.u32(4);
  const known = AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID | AT_HANDLE_CONNECTABLE |
    AT_HANDLE_MNT_ID_UNIQUE;
  if ((flags & ~known) !== 0) return -EINVAL;
  if ((flags & AT_HANDLE_CONNECTABLE) !== 0 && (flags & (AT_HANDLE_FID | AT_EMPTY_PATH)) !== 0) {
    return -EINVAL;
  }
  const walkFlags = ((flags & AT_SYMLINK_FOLLOW) !== 0 ? 0 : WALK_NOFOLLOW) |
    ((flags & AT_EMPTY_PATH) !== 0 ? WALK_EMPTY : 0);
  const p = walkArg(t, args.i32(0), args.addr(1), walkFlags);
  if (typeof p === "number") return p;
  if ((flags & AT_HANDLE_FID) === 0 && !isExportable(p)) return -EOPNOTSUPP;
  return giveHandle(t, p, args.addr(2), args.addr(3), (flags & AT_HANDLE_MNT_ID_UNIQUE) !== 0);
}

function giveHandle(
  t: Task,
  p: PathRef,
  handleAddr: number,
  mountIdAddr: number,
  isUnique: boolean,
): number {
  const v = t.scratchView;
  if (t.copyIn(handleAddr, t.scratch, 0, 4) < 0) return -EFAULT;
  const room = v.getUint32(0, true);
  if (room > MAX_HANDLE_SZ) return -EINVAL;
  const fits = room >= HANDLE_BYTES;
  v.setUint32(0, HANDLE_BYTES, true);
  v.setUint32(FILE_HANDLE_OFF_TYPE, fits ? HANDLE_TYPE : 0xff, true);
  setU64(v, FILE_HANDLE_OFF_HANDLE, fits ? numberOf(p.dentry) : 0);
  const size = FILE_HANDLE_OFF_HANDLE + (fits ? HANDLE_BYTES : 0);
  if (t.copyOut(handleAddr, t.scratch, 0, size) < 0) return -EFAULT;
  const err = isUnique
    ? t.copyOutI64(mountIdAddr, p.mount.uniqueId)
    : t.copyOutU32(mountIdAddr, p.mount.id);
  return err < 0 ? err : fits ? 0 : -EOVERFLOW;
}

/** open_by_handle_at(2). */
export function openByHandleAt(t: Task, args: SyscallArguments): SyscallReturn {
  const mountFd = args.i32(0);
  const flags = args.i32(2);
  const v = t.scratchView;
  const handleAddr = args.addr(1);
  if (t.copyIn(handleAddr, t.scratch, 0, FILE_HANDLE_OFF_HANDLE) < 0) return -EFAULT;
  const size = v.getUint32(0, true);
  const type = v.getUint32(FILE_HANDLE_OFF_TYPE, true);
  if (size === 0 || size > MAX_HANDLE_SZ) return -EINVAL;
  const at = mountFd === AT_FDCWD ? t.fs.cwd : fileArg(t, mountFd);
  if (typeof at === "number") return at;
  if (!hasCapability(t.creds, CAP_DAC_READ_SEARCH)) return -EPERM;
  if (size !== HANDLE_BYTES || type !== HANDLE_TYPE) return -ESTALE;
  if (t.copyIn(handleAddr + FILE_HANDLE_OFF_HANDLE, t.scratch, 0, HANDLE_BYTES) < 0) return -EFAULT;
  const dentry = byNumber.get(v.getUint32(0, true))?.deref();
  if (dentry === undefined || dentry.inode === null || dentry.fs !== at.mount.fs) return -ESTALE;
  const file = openPath(t.fs.walkContext(t.creds), { mount: at.mount, dentry }, flags);
  if (typeof file === "number") return file;
  const fd = t.fdTable.install(file, flags);
  if (fd < 0) file.release();
  return fd;
}

export const rows: readonly SyscallRow[] = [
  [
    SYS_name_to_handle_at,
    "name_to_handle_at",
    nameToHandleAt,
    PARTIAL,
    "handles do not last for ever",
  ],
  [
    SYS_open_by_handle_at,
    "open_by_handle_at",
    openByHandleAt,
    PARTIAL,
    "handles do not last for ever",
  ],
];
