/** What a system call handler gets and gives, and the rows of the table. */
import type { Task } from "./task.ts";
import {
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RDI,
  REG_RDX,
  REG_RSI,
} from "../../platform/arch/amd64/registers.ts";

/** `>= 0`, or `-errno` (also -ERESTARTSYS and friends), now or from the blocking half. */
export type SyscallReturn = number | Promise<number>;
export type SyscallHandler = (t: Task, args: SyscallArguments) => SyscallReturn;

/** Result of a handler that has set the registers itself (rt_sigreturn): rax is left alone. */
export const KEEP_REGISTERS = -0x4000_0000;

/** Result of a handler that has given the thread back before (Kernel.resumeEarly). */
export const RESUMED = -0x4000_0001;

/** Result of a handler that waits: what it gave to BlockState.waitThen says how it went on. */
export const BLOCKED = -0x4000_0002;

/** Support of a call as `dvisor syscalls` shows it. */
export const FULL = 2;
export const PARTIAL = 1;
export const ABSENT = 0;

/** [number, name, handler, support, note] */
export type SyscallRow = readonly [number, string, SyscallHandler, number, string?];

const ORDER = [2 * REG_RDI, 2 * REG_RSI, 2 * REG_RDX, 2 * REG_R10, 2 * REG_R8, 2 * REG_R9];

/** The six arguments of the current call. Each accessor reads the register once. */
export class SyscallArguments {
  constructor(public regs: Int32Array) {}
  i32(i: number): number {
    return this.regs[ORDER[i]];
  }
  u32(i: number): number {
    return this.regs[ORDER[i]] >>> 0;
  }
  /** The high half, for calls that must refuse or keep it. */
  hi32(i: number): number {
    return this.regs[ORDER[i] + 1];
  }
  /** An address or size: exact below 2^53; anything above is larger than every valid value. */
  addr(i: number): number {
    const { regs } = this;
    const at = ORDER[i];
    return (regs[at] >>> 0) + (regs[at + 1] >>> 0) * 0x1_0000_0000;
  }
  /** A signed 64-bit value: exact within ±2^53. */
  i64(i: number): number {
    const { regs } = this;
    const at = ORDER[i];
    return (regs[at] >>> 0) + regs[at + 1] * 0x1_0000_0000;
  }
}
