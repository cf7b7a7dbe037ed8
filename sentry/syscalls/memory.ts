/** mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), mseal(2), remap_file_pages(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { EBADF, EINVAL, ENOMEM, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import { EOVERFLOW } from "../../platform/abi/errno.ts";
import { OFFSET_END, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import {
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import { S_IFMT, S_IFREG, S_IFSOCK } from "../../platform/abi/stat.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import type { FileDescription } from "../vfs/file.ts";
import { PAGE_SIZE, pageDown, pageUp } from "../mm/memory_manager.ts";
import { MARK_DONTDUMP, MARK_DROPPABLE, MARK_WIPEONFORK, type Vma } from "../mm/vma.ts";
import { lockLimit, mayLockMore } from "./mlock.ts";
import { pollable } from "./poll.ts";

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** PROT_SEM, which no architecture we run on gives a meaning. */
const PROT_SEM = 8;

function mmap(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(3);
  const offset = args.addr(5);
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  const anonymous = (flags & MAP_ANONYMOUS) !== 0;
  const file = anonymous ? null : pollable(t, args.i32(4));
  if (!anonymous && file === null) return -EBADF;
  const length = args.addr(1);
  if (length === 0) return -EINVAL;
  if (length > TASK_SIZE_MAX) return -ENOMEM;
  const type = flags & MAP_TYPE;
  const addr = args.addr(0), prot = args.i32(2) & PROT_ALL;
  if ((flags & MAP_HUGETLB) !== 0) {
    t.kernel.stub(t, "mmap MAP_HUGETLB");
    return -ENOMEM;
  }
  const err = refusesFlags(t, flags, length, file, offset);
  if (err < 0) return t.mm.placeError(addr, length, flags) || err;
  if (type === MAP_DROPPABLE) return mapDroppable(t, args);
  const kept = (type === MAP_SHARED_VALIDATE ? (flags & ~MAP_TYPE) | MAP_SHARED : flags) |
    t.mm.futureFlags;
  return t.mm.mmap(t.ctx!, addr, length, prot, kept, file, offset, t.tg.limits);
}

/** What is wrong with mmap's flags, were there a place: 0 or -errno. */
function refusesFlags(
  t: Task,
  flags: number,
  length: number,
  file: FileDescription | null,
  offset: number,
): number {
  const type = flags & MAP_TYPE;
  if (((flags | t.mm.futureFlags) & MAP_LOCKED) !== 0) {
    const err = mayLockMore(t, pageUp(length));
    if (err < 0) return err;
  }
  if (file === null) {
    const never = type === MAP_PRIVATE
      ? 0
      : type === MAP_SHARED
      ? MAP_GROWSDOWN
      : type === MAP_DROPPABLE
      ? MAP_LOCKED | MAP_GROWSDOWN
      : flags;
    return type === 0 || (flags & never) !== 0 ? -EINVAL : 0;
  }
  if (offset + pageUp(length) >= (isBounded(file) ? OFFSET_END : 2 ** 64)) return -EOVERFLOW;
  if (type === MAP_SHARED_VALIDATE) return (flags & ~KNOWN_MAP_FLAGS) !== 0 ? -EOPNOTSUPP : 0;
  return type === MAP_SHARED || type === MAP_PRIVATE ? 0 : -EINVAL;
}

/** Whether its mappings must lie before the largest offset; devices may be mapped anywhere. */
function isBounded(file: FileDescription): boolean {
  const type = file.inode.mode & S_IFMT;
  return type === S_IFREG || type === S_IFSOCK;
}

/**
 * MAP_DROPPABLE: private memory of which pages may turn to zeros at any time. Here they do so in the
 * child of a fork alone; memory pressure is the host's matter, which swaps them like all others.
 */
function mapDroppable(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(3);
  const kept = (flags & ~MAP_TYPE) | MAP_PRIVATE | MAP_NORESERVE;
  const size = pageUp(args.addr(1));
  const prot = args.i32(2) & PROT_ALL;
  const { limits } = t.tg;
  const at = t.mm.mmap(t.ctx!, args.addr(0), size, prot, kept, null, 0, limits);
  if (at < 0) return at;
  t.ctx!.queueCall(nr.SYS_madvise, at, size, MADV_WIPEONFORK, 0, 0);
  const marks = MARK_DROPPABLE | MARK_WIPEONFORK | MARK_DONTDUMP;
  t.mm.vmas.change(at, at + size, (vma) => vma.marks |= marks);
  return at;
}

/** Those that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK). */
const KNOWN_MAP_FLAGS = 0x7c07_f9f3;

function munmap(t: Task, args: SyscallArguments): SyscallReturn {
  return t.mm.munmap(t.ctx!, args.addr(0), args.addr(1));
}

function mprotect(t: Task, args: SyscallArguments): SyscallReturn {
  return protect(t, args, false);
}

/** pkey_mprotect(2) on a processor without protection keys: -1 asks for none, and there are no others. */
function pkeyMprotect(t: Task, args: SyscallArguments): SyscallReturn {
  return protect(t, args, args.i32(3) !== -1);
}

/** pkey_alloc(2) and pkey_free(2) on a processor without protection keys. */
function noProtectionKeys(): SyscallReturn {
  return -EINVAL;
}

function protect(t: Task, args: SyscallArguments, asksForKey: boolean): SyscallReturn {
  const prot = args.i32(2);
  const grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  let addr = args.addr(0);
  let length = args.addr(1);
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (length === 0) return 0;
  if (addr + pageUp(length) >= 2 ** 64) return -ENOMEM;
  if ((prot & ~(PROT_ALL | PROT_SEM | grows)) !== 0 || asksForKey) return -EINVAL;
  if (grows !== 0) {
    const vma = t.mm.vmas.at(addr);
    if (vma === null) return -ENOMEM;
    // Nothing grows up on x86.
    if (grows === PROT_GROWSUP || (vma.flags & MAP_GROWSDOWN) === 0) return -EINVAL;
    length += addr - vma.start;
    addr = vma.start;
  }
  return t.mm.mprotect(t.ctx!, addr, length, prot & PROT_ALL, t.tg.limits);
}

function mremap(t: Task, args: SyscallArguments): SyscallReturn {
  return t.mm.mremap(
    t.ctx!,
    args.addr(0),
    args.addr(1),
    args.addr(2),
    args.i32(3),
    args.addr(4),
    t.tg.limits,
    lockLimit(t),
  );
}

function brk(t: Task, args: SyscallArguments): SyscallReturn {
  const ctx = t.ctx!;
  const at = t.mm.setBrk(ctx, args.addr(0), t.tg.limits, lockLimit(t));
  if (t.mm.refs === 1) ctx.tellBreak(at);
  return at;
}

/** mseal(2). */
function mseal(t: Task, args: SyscallArguments): SyscallReturn {
  if (args.u32(2) !== 0 || args.hi32(2) !== 0) return -EINVAL;
  if (args.u32(0) % PAGE_SIZE !== 0) return -EINVAL;
  const addr = args.addr(0);
  const end = addr + pageUp(args.addr(1));
  if (end >= 2 ** 64) return -EINVAL;
  if (end === addr) return 0;
  if (!t.mm.accessible(addr, end - addr, 0)) return -ENOMEM;
  t.ctx!.addressSpace.watchAdvice();
  t.mm.seal(addr, end);
  return 0;
}

/** remap_file_pages(2), as Linux has it since 4.0: a mapping of its own in the place of the old one. */
function remapFilePages(t: Task, args: SyscallArguments): SyscallReturn {
  const start = pageDown(args.addr(0));
  const size = pageDown(args.addr(1));
  const pageOffset = args.addr(3);
  if (args.addr(2) !== 0 || size === 0 || pageOffset * PAGE_SIZE + size >= OFFSET_END) {
    return -EINVAL;
  }
  const { mm } = t;
  const vma = mm.vmas.at(start);
  if (vma === null || !vma.shared || vma.file?.writable === false) return -EINVAL;
  if (vma.file === null) {
    t.kernel.stub(t, "remap_file_pages of anonymous memory");
    return -EINVAL;
  }
  const isOther = (v: Vma) => v.file !== vma.file || v.flags !== vma.flags || v.prot !== vma.prot;
  if (!mm.accessible(start, size, 0) || mm.vmas.some(start, start + size, isOther)) return -EINVAL;
  const flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE | (vma.flags & MAP_LOCKED);
  const { prot } = vma;
  const file = vma.file.acquire(); // The old mapping, which goes, may be all that holds it.
  const { limits } = t.tg;
  const r = mm.mmap(t.ctx!, start, size, prot, flags, file, pageOffset * PAGE_SIZE, limits);
  file.release();
  return r < 0 ? r : 0;
}

const NO_KEYS = "as on a processor without protection keys";
export const rows: SyscallRow[] = [
  [nr.SYS_mmap, "mmap", mmap, PARTIAL, "no huge pages; MAP_LOCKED does not pin"],
  [nr.SYS_munmap, "munmap", munmap, FULL],
  [nr.SYS_mprotect, "mprotect", mprotect, FULL],
  [nr.SYS_pkey_mprotect, "pkey_mprotect", pkeyMprotect, PARTIAL, NO_KEYS],
  [nr.SYS_pkey_alloc, "pkey_alloc", noProtectionKeys, PARTIAL, NO_KEYS],
  [nr.SYS_pkey_free, "pkey_free", noProtectionKeys, PARTIAL, NO_KEYS],
  [nr.SYS_mremap, "mremap", mremap, FULL],
  [nr.SYS_brk, "brk", brk, FULL],
  [nr.SYS_mseal, "mseal", mseal, FULL],
  [nr.SYS_remap_file_pages, "remap_file_pages", remapFilePages, PARTIAL, "not of anonymous memory"],
];
