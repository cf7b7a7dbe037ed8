/**
 * Registers as PTRACE_GETREGS gives them (sys/user.h).
 */

/** struct user_regs_struct: u64 each. */
export const USER_REGS_SIZE = 216;
export const USER_REGS_OFF_R15 = 0;
export const USER_REGS_OFF_R14 = 8;
export const USER_REGS_OFF_R13 = 16;
export const USER_REGS_OFF_R12 = 24;
export const USER_REGS_OFF_RBP = 32;
export const USER_REGS_OFF_RBX = 40;
export const USER_REGS_OFF_R11 = 48;
export const USER_REGS_OFF_R10 = 56;
export const USER_REGS_OFF_R9 = 64;
export const USER_REGS_OFF_R8 = 72;
export const USER_REGS_OFF_RAX = 80;
export const USER_REGS_OFF_RCX = 88;
export const USER_REGS_OFF_RDX = 96;
export const USER_REGS_OFF_RSI = 104;
export const USER_REGS_OFF_RDI = 112;
export const USER_REGS_OFF_ORIG_RAX = 120;
export const USER_REGS_OFF_RIP = 128;
export const USER_REGS_OFF_CS = 136;
export const USER_REGS_OFF_EFLAGS = 144;
export const USER_REGS_OFF_RSP = 152;
export const USER_REGS_OFF_SS = 160;
export const USER_REGS_OFF_FS_BASE = 168;
export const USER_REGS_OFF_GS_BASE = 176;
export const USER_REGS_OFF_DS = 184;
export const USER_REGS_OFF_ES = 192;
export const USER_REGS_OFF_FS = 200;
export const USER_REGS_OFF_GS = 208;

/** struct user_fpregs_struct, the FXSAVE image. */
export const USER_FPREGS_SIZE = 512;
export const USER_FPREGS_OFF_CWD = 0;
export const USER_FPREGS_OFF_SWD = 2;
export const USER_FPREGS_OFF_FTW = 4;
export const USER_FPREGS_OFF_FOP = 6;
export const USER_FPREGS_OFF_RIP = 8;
export const USER_FPREGS_OFF_RDP = 16;
export const USER_FPREGS_OFF_MXCSR = 24;
export const USER_FPREGS_OFF_MXCR_MASK = 28;
export const USER_FPREGS_OFF_ST_SPACE = 32;
export const USER_FPREGS_OFF_XMM_SPACE = 160;
