/**
 * The register file of a guest thread as every platform shows it: an Int32Array in which register
 * `r` is the pair (low, high) at `2 * r` and `2 * r + 1`. The order is that of the systrap slot
 * (platform/native/stub/slot.h), so that there the Sentry reads registers where the stub saved them.
 */
export const REG_RAX = 0;
export const REG_RDI = 1;
export const REG_RSI = 2;
export const REG_RDX = 3;
export const REG_R10 = 4;
export const REG_R8 = 5;
export const REG_R9 = 6;
export const REG_RBX = 7;
export const REG_RBP = 8;
export const REG_R12 = 9;
export const REG_R13 = 10;
export const REG_R14 = 11;
export const REG_R15 = 12;
export const REG_RSP = 13;
export const REG_RIP = 14;
export const REG_RFLAGS = 15;
export const REG_RCX = 16;
export const REG_R11 = 17;
export const REG_FS_BASE = 18;
export const REG_GS_BASE = 19;
/** The system call number at entry; -1 when the thread did not enter by a system call. */
export const REG_ORIG_RAX = 20;
export const REG_COUNT = 21;

/** Reads register `r` as a number; exact up to 2^53, which covers every user address. */
export function getReg(regs: Int32Array, r: number): number {
  return (regs[2 * r] >>> 0) + regs[2 * r + 1] * 0x1_0000_0000;
}

/** Writes register `r`; negative numbers become two's complement. */
export function setReg(regs: Int32Array, r: number, value: number): void {
  regs[2 * r] = value % 0x1_0000_0000;
  regs[2 * r + 1] = Math.floor(value / 0x1_0000_0000);
}
