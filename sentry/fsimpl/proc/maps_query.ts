/** PROCMAP_QUERY of /proc/PID/maps: one mapping, by address (Linux: do_procmap_query). */
import { setU64 } from "../../../platform/abi/bytes.ts";
import {
  E2BIG,
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  ENOENT,
  ENOTTY,
  ESRCH,
} from "../../../platform/abi/errno.ts";
import {
  PROCMAP_QUERY,
  PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
  PROCMAP_QUERY_FILE_BACKED_VMA,
  PROCMAP_QUERY_VMA_EXECUTABLE,
  PROCMAP_QUERY_VMA_READABLE,
  PROCMAP_QUERY_VMA_SHARED,
  PROCMAP_QUERY_VMA_WRITABLE,
} from "../../../platform/abi/fs.ts";
import { getU64 } from "../../../platform/abi/bytes.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../../platform/abi/mman.ts";
import { major, minor } from "../../../platform/abi/sysmacros.ts";
import type { Task } from "../../kernel/task.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Vma } from "../../mm/vma.ts";
import type { IoctlCaller } from "../../vfs/file.ts";
import { fileText } from "../../vfs/path_text.ts";
import { latin1Bytes } from "../../../platform/abi/latin1.ts";
import { liveMemory } from "./access.ts";
import { readerRoot } from "./task_maps.ts";

/** struct procmap_query. */
const QUERY_SIZE = 104;
const OFF_FLAGS = 8;
const OFF_ADDR = 16;
const OFF_START = 24;
const OFF_END = 32;
const OFF_VMA_FLAGS = 40;
const OFF_PAGE_SIZE = 48;
const OFF_OFFSET = 56;
const OFF_INODE = 64;
const OFF_MAJOR = 72;
const OFF_MINOR = 76;
const OFF_NAME_SIZE = 80;
const OFF_BUILD_ID_SIZE = 84;
const OFF_NAME_ADDR = 88;
const OFF_BUILD_ID_ADDR = 96;

const PERMISSIONS = PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE |
  PROCMAP_QUERY_VMA_EXECUTABLE | PROCMAP_QUERY_VMA_SHARED;
const KNOWN_FLAGS = PERMISSIONS | PROCMAP_QUERY_COVERING_OR_NEXT_VMA |
  PROCMAP_QUERY_FILE_BACKED_VMA;

export function mapsIoctl(t: Task, caller: IoctlCaller, cmd: number, arg: number): number {
  if (cmd !== PROCMAP_QUERY) return -ENOTTY;
  const bytes = new Uint8Array(QUERY_SIZE);
  const v = new DataView(bytes.buffer);
  if (caller.copyIn(arg, bytes, 0, 8) < 0) return -EFAULT;
  const size = getU64(v, 0);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < OFF_START) return -EINVAL;
  const used = Math.min(size, QUERY_SIZE);
  if (caller.copyIn(arg, bytes, 0, used) < 0) return -EFAULT;
  const flags = v.getUint32(OFF_FLAGS, true);
  if ((flags & ~KNOWN_FLAGS) !== 0 || v.getUint32(OFF_FLAGS + 4, true) !== 0) return -EINVAL;
  const nameAddr = getU64(v, OFF_NAME_ADDR);
  const nameSize = v.getUint32(OFF_NAME_SIZE, true);
  const hasBuildId = v.getUint32(OFF_BUILD_ID_SIZE, true) !== 0;
  if ((nameSize !== 0) !== (nameAddr !== 0)) return -EINVAL;
  if (hasBuildId !== (getU64(v, OFF_BUILD_ID_ADDR) !== 0)) return -EINVAL;
  const mm = liveMemory(t);
  if (mm === null) return -ESRCH;
  const vma = matching(mm, getU64(v, OFF_ADDR), flags);
  if (vma === null) return -ENOENT;
  putVma(v, vma);
  if (nameSize !== 0) {
    const n = putName(caller, t, vma, nameAddr, Math.min(nameSize, PAGE_SIZE));
    if (n < 0) return n;
    v.setUint32(OFF_NAME_SIZE, n, true);
  }
  return caller.copyOut(arg, bytes, 0, used) < 0 ? -EFAULT : 0;
}

function matching(mm: MemoryManager, addr: number, flags: number): Vma | null {
  const { all } = mm.vmas;
  const takesNext = (flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) !== 0;
  for (let i = mm.vmas.indexAbove(addr); i < all.length; i++) {
    const vma = all[i];
    if (!takesNext && vma.start > addr) return null;
    const wanted = flags & PERMISSIONS;
    const isBacked = vma.file !== null || (flags & PROCMAP_QUERY_FILE_BACKED_VMA) === 0;
    if (isBacked && (flagsOf(vma) & wanted) === wanted) return vma;
    if (!takesNext) return null;
  }
  return null;
}

function flagsOf(vma: Vma): number {
  return ((vma.prot & PROT_READ) !== 0 ? PROCMAP_QUERY_VMA_READABLE : 0) |
    ((vma.prot & PROT_WRITE) !== 0 ? PROCMAP_QUERY_VMA_WRITABLE : 0) |
    ((vma.prot & PROT_EXEC) !== 0 ? PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
    (vma.shared ? PROCMAP_QUERY_VMA_SHARED : 0);
}

function putVma(v: DataView, vma: Vma): void {
  const inode = vma.file?.inode;
  setU64(v, OFF_START, vma.start);
  setU64(v, OFF_END, vma.end);
  setU64(v, OFF_VMA_FLAGS, flagsOf(vma));
  setU64(v, OFF_PAGE_SIZE, PAGE_SIZE);
  setU64(v, OFF_OFFSET, inode === undefined ? 0 : vma.offset);
  setU64(v, OFF_INODE, inode?.ino ?? 0);
  v.setUint32(OFF_MAJOR, inode === undefined ? 0 : major(inode.fs.dev), true);
  v.setUint32(OFF_MINOR, inode === undefined ? 0 : minor(inode.fs.dev), true);
  v.setUint32(OFF_BUILD_ID_SIZE, 0, true); // As of a file without one.
}

/** Copies the name with its NUL. Returns its length, 0 for none, or an error. */
function putName(
  caller: IoctlCaller,
  t: Task,
  vma: Vma,
  addr: number,
  room: number,
): number {
  const name = vma.file !== null ? fileText(vma.file, readerRoot(t)) : vma.name;
  if (name === "") return 0;
  const bytes = latin1Bytes(name + "\0");
  if (bytes.length > room) return -ENAMETOOLONG;
  return caller.copyOut(addr, bytes, 0, bytes.length) < 0 ? -EFAULT : bytes.length;
}
