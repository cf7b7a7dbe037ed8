/** Looking into other processes: process_vm_readv(2), process_vm_writev(2), kcmp(2). */
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from "../../platform/abi/errno.ts";
import {
  SYS_kcmp,
  SYS_process_vm_readv,
  SYS_process_vm_writev,
} from "../../platform/abi/amd64/syscalls.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import {
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
} from "../../platform/abi/kcmp.ts";
import { IOV_MAX, MAX_RW_COUNT, OFFSET_END, TASK_SIZE_MAX } from "../../platform/abi/limits.ts";
import {
  FULL,
  PARTIAL,
  type SyscallArguments,
  type SyscallReturn,
  type SyscallRow,
} from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { Turn } from "../kernel/turn.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { mayAccess } from "./access.ts";

const IOVEC_SIZE = 16;
const CHUNK = 65536;
const chunk = new Uint8Array(CHUNK);

export interface Range {
  addr: number;
  length: number;
}

/** `checks`: what lies beyond a task's memory is -EFAULT; the other process's ranges fault when used. */
export function copyInIovec(
  t: Task,
  addr: number,
  count: number,
  checks: boolean,
): Range[] | number {
  if (count > IOV_MAX) return -EINVAL;
  const bytes = new Uint8Array(count * IOVEC_SIZE);
  if (count > 0 && t.copyIn(addr, bytes, 0, bytes.length) < 0) return -EFAULT;
  const view = new DataView(bytes.buffer);
  const ranges: Range[] = [];
  for (let i = 0; i < count; i++) {
    const start = getU64(view, i * IOVEC_SIZE), length = getU64(view, i * IOVEC_SIZE + 8);
    if (length >= OFFSET_END) return -EINVAL;
    ranges.push({ addr: start, length });
  }
  let total = 0;
  for (const range of ranges) {
    // Of several ranges each counts as a whole, also what is beyond the limit; a single one is cut first.
    const judged = count === 1 ? Math.min(range.length, MAX_RW_COUNT) : range.length;
    if (checks && range.addr + judged > TASK_SIZE_MAX) return -EFAULT;
    range.length = Math.min(range.length, MAX_RW_COUNT - total);
    total += range.length;
  }
  return ranges;
}

function processVm(t: Task, args: SyscallArguments, writes: boolean): SyscallReturn {
  if (args.addr(5) !== 0) return -EINVAL;
  const local = copyInIovec(t, args.addr(1), args.u32(2), true);
  if (typeof local === "number") return local;
  if (local.every((r) => r.length === 0)) return 0;
  const remote = copyInIovec(t, args.addr(3), args.addr(4), false);
  if (typeof remote === "number") return remote;
  if (remote.every((r) => r.length === 0)) return 0;
  const target = t.kernel.tasks.get(args.i32(0));
  if (target === undefined || target.exiting) return -ESRCH;
  if (!mayAccess(t, target)) return -EPERM;
  if (t.ctx!.queued) t.ctx!.flush();
  return new VmTransfer(t, target, local, remote, writes).run(new Turn(t));
}

/** The ranges of one side, used up from the front. */
class Ranges {
  #index = 0;
  #offset = 0;

  constructor(private readonly ranges: readonly Range[]) {}

  /** Left in the first range that is not used up; 0 at the end. */
  get left(): number {
    while (this.#index < this.ranges.length) {
      const left = this.ranges[this.#index].length - this.#offset;
      if (left > 0) return left;
      this.#index++;
      this.#offset = 0;
    }
    return 0;
  }

  get addr(): number {
    return this.ranges[this.#index].addr + this.#offset;
  }

  advance(n: number): void {
    this.#offset += n;
  }
}

/** Bytes on their way between the memories of two tasks. */
class VmTransfer {
  #moved = 0;
  readonly #local: Ranges;
  readonly #remote: Ranges;
  /** The target's memory when the call began. */
  readonly #mm: MemoryManager;

  constructor(
    private readonly t: Task,
    private readonly target: Task,
    local: Range[],
    remote: Range[],
    private readonly writes: boolean,
  ) {
    this.#local = new Ranges(local);
    this.#remote = new Ranges(remote);
    this.#mm = target.mm;
  }

  /** Moves bytes until either side ends or faults; what was moved counts. */
  run(turn: Turn): SyscallReturn {
    for (;;) {
      const want = Math.min(this.#local.left, this.#remote.left, CHUNK);
      if (want === 0) return this.#moved;
      if (turn.isOver) return this.#runLater(turn);
      const n = this.#move(want);
      if (n <= 0) return this.#moved || -EFAULT;
      this.#moved += n;
      this.#local.advance(n);
      this.#remote.advance(n);
      if (n < want) return this.#moved;
    }
  }

  async #runLater(turn: Turn): Promise<number> {
    if (!await turn.next()) return this.#moved;
    // Of a process that has ended or runs another program, nothing is left.
    const isGone = this.target.exiting || this.target.mm !== this.#mm;
    return isGone ? this.#moved : this.run(turn);
  }

  #move(n: number): number {
    const here = this.#local.addr, there = this.#remote.addr;
    if (Math.max(here, there) + n > this.t.kernel.platform.taskSize) return -EFAULT;
    const own = this.t.mm.space, other = this.#mm.space;
    const got = this.writes ? own.read(here, chunk, 0, n) : other.read(there, chunk, 0, n);
    if (got <= 0) return got;
    return this.writes ? other.write(there, chunk, 0, got) : own.write(here, chunk, 0, got);
  }
}

/** process_vm_readv(2). */
export function processVmReadv(t: Task, args: SyscallArguments): SyscallReturn {
  return processVm(t, args, false);
}

/** process_vm_writev(2). */
export function processVmWritev(t: Task, args: SyscallArguments): SyscallReturn {
  return processVm(t, args, true);
}

/** A stable order of objects, without telling anything about addresses. */
const order = new WeakMap<object, number>();
let nextOrder = 1;

function orderOf(object: object): number {
  let n = order.get(object);
  if (n === undefined) order.set(object, n = nextOrder++);
  return n;
}

function compare(a: object, b: object): number {
  const x = orderOf(a);
  const y = orderOf(b);
  return x === y ? 0 : x < y ? 1 : 2;
}

/** kcmp(2). */
export function kcmp(t: Task, args: SyscallArguments): number {
  const a = t.kernel.tasks.get(args.i32(0));
  const b = t.kernel.tasks.get(args.i32(1));
  if (a === undefined || b === undefined) return -ESRCH;
  if (!mayAccess(t, a) || !mayAccess(t, b)) return -EPERM;
  switch (args.i32(2)) {
    case KCMP_FILE: {
      const x = a.exiting ? null : a.fdTable.settle().get(args.u32(3));
      const y = b.exiting ? null : b.fdTable.settle().get(args.u32(4));
      return x === null || y === null ? -EBADF : compare(x, y);
    }
    case KCMP_VM:
      return compare(a.mm, b.mm);
    case KCMP_FILES:
      return compare(a.fdTable, b.fdTable);
    case KCMP_FS:
      return compare(a.fs, b.fs);
    case KCMP_SIGHAND:
      return compare(a.tg.actions, b.tg.actions);
    case KCMP_IO:
    case KCMP_SYSVSEM:
      // No task has an I/O context or undo operations of semaphores, and none is like none.
      return 0;
    default:
      return -EINVAL;
  }
}

export const rows: SyscallRow[] = [
  [SYS_process_vm_readv, "process_vm_readv", processVmReadv, FULL],
  [SYS_process_vm_writev, "process_vm_writev", processVmWritev, FULL],
  [SYS_kcmp, "kcmp", kcmp, PARTIAL, "no KCMP_EPOLL_TFD"],
];
