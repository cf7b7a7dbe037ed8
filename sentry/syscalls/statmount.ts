/** The mount table by number: statmount(2), listmount(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { getU64, setU64 } from "../../platform/abi/bytes.ts";
import { CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import { E2BIG, EFAULT, EINVAL, ENOENT, EOVERFLOW, EPERM } from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import {
  LISTMOUNT_REVERSE,
  MNT_ID_REQ_MNT_ID,
  MNT_ID_REQ_MNT_NS_ID,
  MNT_ID_REQ_PARAM,
  MNT_ID_REQ_SIZE_VER0,
  MNT_ID_REQ_SIZE_VER1,
  STATMOUNT_AT_FS_TYPE,
  STATMOUNT_AT_MNT_POINT,
  STATMOUNT_FS_TYPE,
  STATMOUNT_MASK,
  STATMOUNT_MNT_BASIC,
  STATMOUNT_MNT_NS_ID,
  STATMOUNT_MNT_OPTS,
  STATMOUNT_MNT_POINT,
  STATMOUNT_MNT_ROOT,
  STATMOUNT_PROPAGATE_FROM,
  STATMOUNT_SB_BASIC,
  STATMOUNT_SB_SOURCE,
  STATMOUNT_SIZE,
} from "../../platform/abi/mount.ts";
import { major, minor } from "../../platform/abi/sysmacros.ts";
import { hasCapability } from "../auth/credentials.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { isPathBelow, type Mount, UNIQUE_ID_OFFSET } from "../vfs/mount.ts";
import { mountRootText, pathOf } from "../vfs/path_text.ts";
import { propagationOf } from "../vfs/propagation.ts";
import { attributesOfFlags } from "./mount_api.ts";

/** Most that listmount(2) gives at once. */
const LIST_MAX = 1_000_000;
/** The mount at the caller's root (LSMT_ROOT). */
const ROOT = -1;

interface Request {
  /** ROOT, or a unique number. */
  mountId: number;
  param: number;
}

/** struct mnt_id_req. */
function copyInRequest(t: Task, addr: number): Request | number {
  const bytes = new Uint8Array(MNT_ID_REQ_SIZE_VER1);
  const v = new DataView(bytes.buffer);
  if (t.copyIn(addr, bytes, 0, 4) < 0) return -EFAULT;
  const size = v.getUint32(0, true);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < MNT_ID_REQ_SIZE_VER0) return -EINVAL;
  if (t.copyIn(addr, bytes, 0, Math.min(size, MNT_ID_REQ_SIZE_VER1)) < 0) return -EFAULT;
  if (v.getUint32(4, true) !== 0) return -EINVAL;
  const low = v.getUint32(MNT_ID_REQ_MNT_ID, true);
  const high = v.getUint32(MNT_ID_REQ_MNT_ID + 4, true);
  const isRoot = low === 0xffff_ffff && high === 0xffff_ffff;
  const mountId = isRoot ? ROOT : high * 2 ** 32 + low;
  if (!isRoot && mountId <= UNIQUE_ID_OFFSET) return -EINVAL;
  const ns = getU64(v, MNT_ID_REQ_MNT_NS_ID);
  if (ns !== 0 && ns !== t.fs.mountNs.id) return -ENOENT;
  return { mountId, param: getU64(v, MNT_ID_REQ_PARAM) };
}

function mountWithId(t: Task, id: number): Mount | null {
  for (const mount of t.fs.mountNs.mounts) if (mount.uniqueId === id) return mount;
  return null;
}

/** What lies outside the caller's root is shown to those who could leave it. */
function isVisible(t: Task, mount: Mount): boolean {
  return isPathBelow(mount.rootPath, t.fs.root) || hasCapability(t.creds, CAP_SYS_ADMIN);
}

/** listmount(2). */
export function listmount(t: Task, args: SyscallArguments): number {
  const flags = args.u32(3);
  if ((flags & ~LISTMOUNT_REVERSE) !== 0) return -EINVAL;
  const room = args.addr(2);
  if (room > LIST_MAX) return -EOVERFLOW;
  const request = copyInRequest(t, args.addr(0));
  if (typeof request === "number") return request;
  const last = request.param;
  if (last !== 0 && last <= UNIQUE_ID_OFFSET) return -EINVAL;
  let from = t.fs.root;
  if (request.mountId !== ROOT) {
    const mount = mountWithId(t, request.mountId);
    if (mount === null) return -ENOENT;
    if (!isVisible(t, mount)) return -EPERM;
    from = mount.rootPath;
  }
  const isReverse = (flags & LISTMOUNT_REVERSE) !== 0;
  const ids = [...t.fs.mountNs.mounts]
    .filter((m) => m.uniqueId !== request.mountId && isPathBelow(m.rootPath, from))
    .map((m) => m.uniqueId)
    .filter((id) => last === 0 || (isReverse ? id < last : id > last))
    .sort((a, b) => isReverse ? b - a : a - b)
    .slice(0, room);
  const bytes = new Uint8Array(8 * ids.length);
  const v = new DataView(bytes.buffer);
  ids.forEach((id, i) => setU64(v, 8 * i, id));
  return t.copyOut(args.addr(1), bytes, 0, bytes.length) < 0 ? -EFAULT : ids.length;
}

/** statmount(2). */
export function statmount(t: Task, args: SyscallArguments): number {
  if (args.u32(3) !== 0) return -EINVAL;
  const request = copyInRequest(t, args.addr(0));
  if (typeof request === "number") return request;
  const mount = mountWithId(t, request.mountId);
  if (mount === null) return -ENOENT;
  if (!isVisible(t, mount)) return -EPERM;
  const out = new Answer();
  describe(t, mount, request.param % 2 ** 32, out);
  const bytes = out.finish();
  const room = args.addr(2);
  // Without room for the strings nothing is said at all; a shorter struct is an older program's.
  if (bytes.length > STATMOUNT_SIZE && room < bytes.length) return -EOVERFLOW;
  return t.copyOut(args.addr(1), bytes, 0, Math.min(room, bytes.length)) < 0 ? -EFAULT : 0;
}

/** struct statmount and the strings behind it. */
class Answer {
  readonly #bytes = new Uint8Array(STATMOUNT_SIZE);
  readonly view = new DataView(this.#bytes.buffer);
  #strings = "";
  mask = 0;

  /** The offset of a string goes to `at`. */
  string(at: number, text: string): void {
    this.view.setUint32(at, this.#strings.length, true);
    this.#strings += text + "\0";
  }

  finish(): Uint8Array {
    const all = new Uint8Array(STATMOUNT_SIZE + this.#strings.length);
    this.view.setUint32(0, all.length, true);
    setU64(this.view, STATMOUNT_MASK, this.mask);
    all.set(this.#bytes);
    for (let i = 0; i < this.#strings.length; i++) {
      all[STATMOUNT_SIZE + i] = this.#strings.charCodeAt(i);
    }
    return all;
  }
}

function describe(t: Task, m: Mount, mask: number, out: Answer): void {
  const v = out.view;
  const wants = (bit: number): boolean => {
    if ((mask & bit) === 0) return false;
    out.mask |= bit;
    return true;
  };
  if (wants(STATMOUNT_SB_BASIC)) {
    v.setUint32(16, major(m.fs.dev), true);
    v.setUint32(20, minor(m.fs.dev), true);
    setU64(v, 24, m.fs.magic);
  }
  if (wants(STATMOUNT_MNT_BASIC)) describeMount(m, v);
  if (wants(STATMOUNT_PROPAGATE_FROM)) setU64(v, 96, 0);
  if (wants(STATMOUNT_FS_TYPE)) out.string(STATMOUNT_AT_FS_TYPE, m.fs.typeName);
  if (wants(STATMOUNT_MNT_ROOT)) out.string(104, mountRootText(m));
  if (wants(STATMOUNT_MNT_POINT)) out.string(STATMOUNT_AT_MNT_POINT, pathOf(m.rootPath, t.fs.root));
  if (wants(STATMOUNT_MNT_NS_ID)) setU64(v, 112, t.fs.mountNs.id);
  const options = m.fs.optionsText?.() ?? "";
  if (options !== "" && wants(STATMOUNT_MNT_OPTS)) out.string(4, options);
  if (wants(STATMOUNT_SB_SOURCE)) out.string(124, m.source);
}

function describeMount(m: Mount, v: DataView): void {
  const parent = m.parent ?? m;
  setU64(v, 40, m.uniqueId);
  setU64(v, 48, parent.uniqueId);
  v.setUint32(56, m.id, true);
  v.setUint32(60, parent.id, true);
  setU64(v, 64, attributesOfFlags(m.flags));
  setU64(v, 72, propagationOf(m));
  setU64(v, 80, m.peers?.id ?? 0);
  setU64(v, 88, m.master?.id ?? 0);
}

export const rows: readonly SyscallRow[] = [
  [nr.SYS_statmount, "statmount", statmount, PARTIAL, "of the caller's own mount namespace"],
  [nr.SYS_listmount, "listmount", listmount, PARTIAL, "of the caller's own mount namespace"],
];
