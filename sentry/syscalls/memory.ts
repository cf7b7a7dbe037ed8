/** mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), madvise(2), msync(2), mincore(2), mlock(2). */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import {
  EBADF,
  EBUSY,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EPERM,
} from "../../platform/abi/errno.ts";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_READ,
  PROT_WRITE,
} from "../../platform/abi/mman.ts";
import { CAP_IPC_LOCK } from "../../platform/abi/capability.ts";
import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK } from "../../platform/abi/resource.ts";
import { hasCapability } from "../auth/credentials.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { PAGE_SIZE, pageUp } from "../mm/memory_manager.ts";

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** PROT_SEM, which no architecture we run on gives a meaning. */
const PROT_SEM = 8;

function mmap(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(3);
  const offset = args.addr(5);
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  const type = flags & MAP_TYPE;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return -EINVAL;
  if (type === MAP_SHARED_VALIDATE && (flags & ~KNOWN_MAP_FLAGS) !== 0) return -EOPNOTSUPP;
  if ((flags & MAP_HUGETLB) !== 0) {
    t.kernel.stub(t, "mmap MAP_HUGETLB");
    return -ENOMEM;
  }
  const anonymous = (flags & MAP_ANONYMOUS) !== 0;
  const file = anonymous ? null : t.fdTable.get(args.i32(4));
  if (!anonymous && file === null) return -EBADF;
  if (file !== null && (file.flags & 0o10000000) !== 0) return -EBADF;
  if ((flags & MAP_LOCKED) !== 0) t.kernel.stub(t, "mmap MAP_LOCKED");
  const kept = type === MAP_SHARED_VALIDATE ? (flags & ~MAP_TYPE) | MAP_SHARED : flags;
  const prot = args.i32(2) & PROT_ALL;
  const limit = t.tg.limits.cur[RLIMIT_AS];
  const r = t.mm.mmap(t.ctx!, args.addr(0), args.addr(1), prot, kept, file, offset, limit);
  // A device such as /dev/zero has no host file: its private mapping is anonymous memory.
  return r === -ENODEV && file?.impl.mapsAnonymous === true
    ? t.mm.mmap(t.ctx!, args.addr(0), args.addr(1), prot, kept | MAP_ANONYMOUS, null, 0, limit)
    : r;
}

/** Those that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK). */
const KNOWN_MAP_FLAGS = 0x0013_f9f3 | MAP_SHARED_VALIDATE;

function munmap(t: Task, args: SyscallArguments): SyscallReturn {
  return t.mm.munmap(t.ctx!, args.addr(0), args.addr(1));
}

function mprotect(t: Task, args: SyscallArguments): SyscallReturn {
  const prot = args.i32(2);
  const grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if ((prot & ~(PROT_ALL | PROT_SEM | grows)) !== 0) return -EINVAL;
  let addr = args.addr(0);
  let length = args.addr(1);
  if ((prot & PROT_GROWSDOWN) !== 0) {
    const vma = t.mm.vmas.at(addr);
    if (vma === null || vma.name !== "[stack]") return -EINVAL;
    length += addr - vma.start;
    addr = vma.start;
  }
  return t.mm.mprotect(t.ctx!, addr, length, prot & PROT_ALL);
}

function mremap(t: Task, args: SyscallArguments): SyscallReturn {
  return t.mm.mremap(
    t.ctx!,
    args.addr(0),
    args.addr(1),
    args.addr(2),
    args.i32(3),
    args.addr(4),
    t.tg.limits.cur[RLIMIT_AS],
  );
}

function brk(t: Task, args: SyscallArguments): SyscallReturn {
  const { cur } = t.tg.limits;
  return t.mm.setBrk(t.ctx!, args.addr(0), cur[RLIMIT_DATA], cur[RLIMIT_AS]);
}

/** Advice that only the host's memory management acts on. */
const PASSED_ADVICE = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_COLLAPSE,
  MADV_DONTDUMP,
  MADV_DODUMP,
]);
const IGNORED_ADVICE = new Set([MADV_MERGEABLE, MADV_UNMERGEABLE]);

function madvise(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const advice = args.i32(2);
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (advice === MADV_DONTFORK || advice === MADV_DOFORK) {
    t.kernel.stub(t, "madvise MADV_DONTFORK");
    return 0;
  }
  if (!PASSED_ADVICE.has(advice) && !IGNORED_ADVICE.has(advice)) {
    if (advice === 100 || advice === 101) return -EPERM;
    return -EINVAL;
  }
  const length = pageUp(args.addr(1));
  if (addr + length > t.mm.taskSize) return length === 0 ? 0 : -ENOMEM;
  if (length === 0 || IGNORED_ADVICE.has(advice)) return 0;
  if (advice === MADV_DONTNEED || advice === MADV_FREE) {
    // The common case cannot fail for us where every page is mapped: no round trip.
    if (t.mm.accessible(addr, length, 0) && advice === MADV_DONTNEED && !isLocked(t)) {
      t.ctx!.queueCall(nr.SYS_madvise, addr, length, advice, 0, 0);
      return 0;
    }
  }
  return t.ctx!.callNow(nr.SYS_madvise, addr, length, advice, 0, 0);
}

function isLocked(t: Task): boolean {
  return t.mm.lockedBytes > 0;
}

function msync(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const flags = args.i32(2);
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || addr % PAGE_SIZE !== 0) {
    return -EINVAL;
  }
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const length = pageUp(args.addr(1));
  if (length === 0) return 0;
  if (!t.mm.accessible(addr, length, 0)) return -ENOMEM;
  if ((flags & MS_INVALIDATE) !== 0 && isLocked(t)) return -EBUSY;
  return (flags & MS_SYNC) === 0 ? 0 : t.ctx!.callNow(nr.SYS_msync, addr, length, flags, 0, 0);
}

function mincore(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const length = pageUp(args.addr(1));
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (!t.mm.accessible(addr, length, 0)) return -ENOMEM;
  return t.ctx!.callNow(nr.SYS_mincore, addr, length, args.addr(2), 0, 0);
}

/** Memory is the host's and cannot be pinned for a guest: the limits are kept, the pages are not held. */
function lock(t: Task, addr: number, length: number): number {
  const end = pageUp(addr + length);
  const start = addr - addr % PAGE_SIZE;
  const limit = t.tg.limits.cur[RLIMIT_MEMLOCK];
  if (!hasCapability(t.creds, CAP_IPC_LOCK)) {
    if (limit === 0) return -EPERM;
    if (t.mm.lockedBytes + end - start > limit) return -ENOMEM;
  }
  if (end > start && !t.mm.accessible(start, end - start, 0)) return -ENOMEM;
  t.kernel.stub(t, "mlock");
  t.mm.lockedBytes += end - start;
  return 0;
}

function mlock(t: Task, args: SyscallArguments): SyscallReturn {
  return lock(t, args.addr(0), args.addr(1));
}

function mlock2(t: Task, args: SyscallArguments): SyscallReturn {
  return (args.i32(2) & ~1) !== 0 ? -EINVAL : lock(t, args.addr(0), args.addr(1));
}

function munlock(t: Task, args: SyscallArguments): SyscallReturn {
  const addr = args.addr(0);
  const start = addr - addr % PAGE_SIZE;
  const size = pageUp(addr + args.addr(1)) - start;
  if (size > 0 && !t.mm.accessible(start, size, 0)) return -ENOMEM;
  t.mm.lockedBytes = Math.max(0, t.mm.lockedBytes - size);
  return 0;
}

function mlockall(t: Task, args: SyscallArguments): SyscallReturn {
  const flags = args.i32(0);
  if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  if (flags === MCL_ONFAULT) return -EINVAL;
  const limit = t.tg.limits.cur[RLIMIT_MEMLOCK];
  if (!hasCapability(t.creds, CAP_IPC_LOCK)) {
    if (limit === 0) return -EPERM;
    if ((flags & MCL_CURRENT) !== 0 && t.mm.totalBytes > limit) return -ENOMEM;
  }
  t.kernel.stub(t, "mlockall");
  if ((flags & MCL_CURRENT) !== 0) t.mm.lockedBytes = t.mm.totalBytes;
  return 0;
}

function munlockall(t: Task): SyscallReturn {
  t.mm.lockedBytes = 0;
  return 0;
}

function remapFilePages(t: Task): SyscallReturn {
  t.kernel.stub(t, "remap_file_pages");
  return -EINVAL;
}

export const rows: SyscallRow[] = [
  [nr.SYS_mmap, "mmap", mmap, PARTIAL, "no huge pages; MAP_LOCKED does not lock"],
  [nr.SYS_munmap, "munmap", munmap, FULL],
  [nr.SYS_mprotect, "mprotect", mprotect, FULL],
  [nr.SYS_mremap, "mremap", mremap, FULL],
  [nr.SYS_brk, "brk", brk, FULL],
  [nr.SYS_madvise, "madvise", madvise, PARTIAL, "MADV_DONTFORK has no effect"],
  [nr.SYS_msync, "msync", msync, FULL],
  [nr.SYS_mincore, "mincore", mincore, FULL],
  [nr.SYS_mlock, "mlock", mlock, PARTIAL, "limits are kept, pages are not pinned"],
  [nr.SYS_mlock2, "mlock2", mlock2, PARTIAL, "limits are kept, pages are not pinned"],
  [nr.SYS_munlock, "munlock", munlock, PARTIAL, "limits are kept, pages are not pinned"],
  [nr.SYS_mlockall, "mlockall", mlockall, PARTIAL, "limits are kept, pages are not pinned"],
  [nr.SYS_munlockall, "munlockall", munlockall, FULL],
  [nr.SYS_remap_file_pages, "remap_file_pages", remapFilePages, PARTIAL, "refused"],
];
