/** modify_ldt(2): a table of segments of the guest's own (Linux: arch/x86/kernel/ldt.c), which stays empty. */
import { SYS_modify_ldt } from "../../platform/abi/amd64/syscalls.ts";
import { EFAULT, EINVAL, ENOSYS } from "../../platform/abi/errno.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";

/** What is asked for: `func` of the call. */
const READ = 0;
const WRITE_OLD = 1;
const READ_DEFAULT = 2;
const WRITE = 0x11;

/** struct user_desc: entry_number, base_addr, limit, and bits. */
const USER_DESC_SIZE = 16;
const CONTENTS_MASK = 0x6;
const NOT_PRESENT = 0x20;
/** The bits of an empty entry: read_exec_only and seg_not_present (Linux: LDT_empty). */
const EMPTY_BITS = 0x28;
const ALL_BITS = 0xff;

const LDT_ENTRIES = 8192;
const LDT_BYTES_MAX = LDT_ENTRIES * 8;
const DEFAULT_LDT_BYTES = 128;

/** modify_ldt(2). Errors come in 32 bits, which no caller that looks at all 64 takes for one. */
export function modifyLdt(t: Task, args: SyscallArguments): number {
  return doModifyLdt(t, args.i32(0), args.addr(1), args.addr(2)) >>> 0;
}

function doModifyLdt(t: Task, func: number, addr: number, bytes: number): number {
  switch (func) {
    case READ:
      return t.mm.hasLdt ? clear(t, addr, Math.min(bytes, LDT_BYTES_MAX)) : 0;
    case READ_DEFAULT:
      return clear(t, addr, Math.min(bytes, DEFAULT_LDT_BYTES));
    case WRITE_OLD:
    case WRITE:
      return bytes === USER_DESC_SIZE ? writeEntry(t, addr, func === WRITE_OLD) : -EINVAL;
    default:
      return -ENOSYS;
  }
}

function clear(t: Task, addr: number, length: number): number {
  return t.copyOut(addr, new Uint8Array(length), 0, length) < 0 ? -EFAULT : length;
}

/** An entry is cleared; one that would be a segment has no place in the host's table. */
function writeEntry(t: Task, addr: number, isOld: boolean): number {
  if (t.copyIn(addr, t.scratch, 0, USER_DESC_SIZE) < 0) return -EFAULT;
  const word = (i: number) => t.scratchView.getUint32(4 * i, true);
  const [entry, base, limit, bits] = [word(0), word(1), word(2), word(3) & ALL_BITS];
  if (entry >= LDT_ENTRIES) return -EINVAL;
  const isGate = (bits & CONTENTS_MASK) === CONTENTS_MASK;
  if (isGate && (isOld || (bits & NOT_PRESENT) === 0)) return -EINVAL;
  const isEmpty = base === 0 && limit === 0 && (isOld || bits === EMPTY_BITS);
  if (!isEmpty) {
    t.kernel.stub(t, "modify_ldt of a segment");
    return -ENOSYS;
  }
  t.mm.hasLdt = true;
  return 0;
}

export const rows: readonly SyscallRow[] = [
  [SYS_modify_ldt, "modify_ldt", modifyLdt, PARTIAL, "entries are read and cleared, not made"],
];
