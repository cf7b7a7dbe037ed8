/** Who may look into a process: ptrace(2), "Ptrace access mode checking"; proc(5). */
import { CAP_SYS_PTRACE } from "../../../platform/abi/capability.ts";
import { hasCapability } from "../../auth/credentials.ts";
import { type Task, TASK_DEAD } from "../../kernel/task.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";

const SUID_DUMP_USER = 1;

/** ptrace_may_access with PTRACE_MODE_READ_FSCREDS. The kernel itself (null) may. */
export function mayPtrace(caller: Task | null, target: Task): boolean {
  if (caller === null || caller.tg === target.tg) return true;
  const c = caller.creds, o = target.creds;
  if (hasCapability(c, CAP_SYS_PTRACE)) return true;
  if (
    c.fsuid !== o.euid || c.fsuid !== o.suid || c.fsuid !== o.ruid ||
    c.fsgid !== o.egid || c.fsgid !== o.sgid || c.fsgid !== o.rgid
  ) return false;
  if (target.tg.dumpable !== SUID_DUMP_USER) return false;
  return (o.permitted[0] & ~c.permitted[0]) === 0 && (o.permitted[1] & ~c.permitted[1]) === 0;
}

/** Whose files in /proc/PID are: the process's, or root's when it must not dump. */
export function isDumpable(t: Task): boolean {
  return t.tg.dumpable === SUID_DUMP_USER;
}

export function isGone(t: Task): boolean {
  return t.state === TASK_DEAD;
}

/** The memory of a task that has not begun to exit. */
export function liveMemory(t: Task): MemoryManager | null {
  return t.exiting || t.ctx === null ? null : t.mm;
}

/** Reads guest memory of another task (or one's own) into `dst`. Returns the count, short at a hole. */
export function readMemory(
  caller: Task | null,
  mm: MemoryManager,
  addr: number,
  dst: Uint8Array,
  start: number,
  end: number,
): number {
  if (addr < mm.taskSize) end = Math.min(end, start + mm.taskSize - addr);
  if (!mm.mayRead(addr, end - start)) return 0;
  const ctx = caller !== null && caller.mm === mm ? caller.ctx : null;
  const n = ctx !== null
    ? mm.copyInSome(ctx, addr, dst, start, end)
    : mm.space.read(addr, dst, start, end);
  return Math.max(0, n);
}

/** The bytes [start, end) of guest memory, fewer when not all can be read; at most `limit`. */
export function memoryBytes(
  caller: Task | null,
  mm: MemoryManager,
  start: number,
  end: number,
  limit = 4 << 20,
): Uint8Array {
  const length = Math.max(0, Math.min(end - start, limit));
  const bytes = new Uint8Array(length);
  let got = 0;
  while (got < length) {
    const n = readMemory(caller, mm, start + got, bytes, got, Math.min(length, got + 65536));
    if (n === 0) break;
    got += n;
  }
  return bytes.subarray(0, got);
}
