/**
 * A signal frame's machine context (asm/sigcontext.h, asm/ucontext.h).
 */

// uc_flags
export const UC_FP_XSTATE = 0x1;
export const UC_SIGCONTEXT_SS = 0x2;
export const UC_STRICT_RESTORE_SS = 0x4;

// Extended FP state
export const FP_XSTATE_MAGIC1 = 0x46505853;
export const FP_XSTATE_MAGIC2 = 0x46505845;

/** struct sigcontext: u64 each, but CS, GS, FS and SS are u16. */
export const SIGCONTEXT_SIZE = 256;
export const SIGCONTEXT_OFF_R8 = 0;
export const SIGCONTEXT_OFF_R9 = 8;
export const SIGCONTEXT_OFF_R10 = 16;
export const SIGCONTEXT_OFF_R11 = 24;
export const SIGCONTEXT_OFF_R12 = 32;
export const SIGCONTEXT_OFF_R13 = 40;
export const SIGCONTEXT_OFF_R14 = 48;
export const SIGCONTEXT_OFF_R15 = 56;
export const SIGCONTEXT_OFF_RDI = 64;
export const SIGCONTEXT_OFF_RSI = 72;
export const SIGCONTEXT_OFF_RBP = 80;
export const SIGCONTEXT_OFF_RBX = 88;
export const SIGCONTEXT_OFF_RDX = 96;
export const SIGCONTEXT_OFF_RAX = 104;
export const SIGCONTEXT_OFF_RCX = 112;
export const SIGCONTEXT_OFF_RSP = 120;
export const SIGCONTEXT_OFF_RIP = 128;
export const SIGCONTEXT_OFF_EFLAGS = 136;
export const SIGCONTEXT_OFF_CS = 144;
export const SIGCONTEXT_OFF_GS = 146;
export const SIGCONTEXT_OFF_FS = 148;
export const SIGCONTEXT_OFF_SS = 150;
export const SIGCONTEXT_OFF_ERR = 152;
export const SIGCONTEXT_OFF_TRAPNO = 160;
export const SIGCONTEXT_OFF_OLDMASK = 168;
export const SIGCONTEXT_OFF_CR2 = 176;
export const SIGCONTEXT_OFF_FPSTATE_ADDR = 184;

/** struct ucontext; MCONTEXT is a struct sigcontext. */
export const UCONTEXT_SIZE = 304;
export const UCONTEXT_OFF_FLAGS = 0;
export const UCONTEXT_OFF_LINK_ADDR = 8;
export const UCONTEXT_OFF_STACK = 16;
export const UCONTEXT_OFF_MCONTEXT = 40;
export const UCONTEXT_OFF_SIGMASK = 296;

/** struct _fpx_sw_bytes, at byte 464 of the FXSAVE image in a frame. */
export const FPX_SW_BYTES_SIZE = 48;
export const FPX_SW_BYTES_OFF_MAGIC1 = 0;
export const FPX_SW_BYTES_OFF_EXTENDED_SIZE = 4;
export const FPX_SW_BYTES_OFF_XFEATURES = 8;
export const FPX_SW_BYTES_OFF_XSTATE_SIZE = 16;
