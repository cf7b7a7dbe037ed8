/**
 * Signal frames of x86-64 (Linux: arch/x86/kernel/signal_64.c, asm/sigframe.h). From low to high:
 *
 *     struct rt_sigframe { pretcode; struct ucontext uc; siginfo_t info; }   rsp of the handler
 *     the XSAVE image, 64-byte aligned; FP_XSTATE_MAGIC2
 *     128 bytes of red zone (not on a fresh alternate stack)                 rsp of the interrupted code
 */
import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FPX_SW_BYTES_OFF_EXTENDED_SIZE,
  FPX_SW_BYTES_OFF_MAGIC1,
  FPX_SW_BYTES_OFF_XFEATURES,
  FPX_SW_BYTES_OFF_XSTATE_SIZE,
  FPX_SW_BYTES_SIZE,
  SIGCONTEXT_OFF_CR2,
  SIGCONTEXT_OFF_CS,
  SIGCONTEXT_OFF_EFLAGS,
  SIGCONTEXT_OFF_ERR,
  SIGCONTEXT_OFF_FPSTATE_ADDR,
  SIGCONTEXT_OFF_OLDMASK,
  SIGCONTEXT_OFF_R10,
  SIGCONTEXT_OFF_R11,
  SIGCONTEXT_OFF_R12,
  SIGCONTEXT_OFF_R13,
  SIGCONTEXT_OFF_R14,
  SIGCONTEXT_OFF_R15,
  SIGCONTEXT_OFF_R8,
  SIGCONTEXT_OFF_R9,
  SIGCONTEXT_OFF_RAX,
  SIGCONTEXT_OFF_RBP,
  SIGCONTEXT_OFF_RBX,
  SIGCONTEXT_OFF_RCX,
  SIGCONTEXT_OFF_RDI,
  SIGCONTEXT_OFF_RDX,
  SIGCONTEXT_OFF_RIP,
  SIGCONTEXT_OFF_RSI,
  SIGCONTEXT_OFF_RSP,
  SIGCONTEXT_OFF_SS,
  SIGCONTEXT_OFF_TRAPNO,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
  UCONTEXT_OFF_FLAGS,
  UCONTEXT_OFF_LINK_ADDR,
  UCONTEXT_OFF_MCONTEXT,
  UCONTEXT_OFF_SIGMASK,
  UCONTEXT_OFF_STACK,
  UCONTEXT_SIZE,
} from "../../../platform/abi/amd64/sigcontext.ts";
import { setU64 } from "../../../platform/abi/bytes.ts";
import { EFAULT } from "../../../platform/abi/errno.ts";
import {
  SA_ONSTACK,
  SA_RESTORER,
  SA_SIGINFO,
  SIGINFO_SIZE,
  SS_AUTODISARM,
  SS_DISABLE,
  STACK_T_OFF_FLAGS,
  STACK_T_OFF_SIZE_BYTES,
  STACK_T_OFF_SP_ADDR,
} from "../../../platform/abi/signal.ts";
import {
  getReg,
  REG_ORIG_RAX,
  REG_R10,
  REG_R11,
  REG_R12,
  REG_R13,
  REG_R14,
  REG_R15,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RBP,
  REG_RBX,
  REG_RCX,
  REG_RDI,
  REG_RDX,
  REG_RFLAGS,
  REG_RIP,
  REG_RSI,
  REG_RSP,
  setReg,
} from "../../../platform/arch/amd64/registers.ts";
import type { FpState } from "../../../platform/host/host.ts";
import type { Context } from "../../../platform/platform.ts";

/** Guest memory of the task (Task implements it). Both return 0 or -EFAULT. */
export interface FrameMemory {
  copyIn(addr: number, dst: Uint8Array, start: number, end: number): number;
  copyOut(addr: number, src: Uint8Array, start: number, end: number): number;
}

export interface AltStack {
  addr: number;
  size: number;
  /** SS_DISABLE, SS_AUTODISARM or 0. */
  flags: number;
}

export interface SignalFrame {
  signo: number;
  handlerAddr: number;
  restorerAddr: number;
  /** SA_*. */
  flags: number;
  /** 128 bytes of siginfo_t; looked at only with SA_SIGINFO. */
  info: Uint8Array;
  /** The mask that sigreturn puts back. */
  maskLo: number;
  maskHi: number;
  altStack: AltStack;
  /** Of the last fault: sigcontext's err, trapno, cr2. */
  trapError: number;
  trapno: number;
  faultAddr: number;
}

const RED_ZONE = 128;
const PRETCODE_SIZE = 8;
const FRAME_OFF_INFO = PRETCODE_SIZE + UCONTEXT_SIZE;
const FRAME_SIZE = FRAME_OFF_INFO + SIGINFO_SIZE;
const FXSAVE_SIZE = 512;
const XSAVE_HEADER_SIZE = 64;
const FXSAVE_OFF_SW_BYTES = FXSAVE_SIZE - FPX_SW_BYTES_SIZE;
const FXSAVE_OFF_MXCSR = 24;
const MAGIC2_SIZE = 4;
const MAX_USER_ADDR = 0x7fff_ffff_ffff;
const USER_CS = 0x33;
/** The bits of a selector that the kernel sets whatever a frame says: the privilege level of user code. */
const USER_RING = 3;
const USER_SS = 0x2b;

const FLAG_TF = 0x100;
const FLAG_DF = 0x400;
const FLAG_RF = 0x10000;
/** What sigreturn takes from the frame (FIX_EFLAGS): AC OF DF TF SF ZF AF PF CF RF. */
const RESTORED_FLAGS = 0x50dd5;

const SAVED: readonly (readonly [number, number])[] = [
  [SIGCONTEXT_OFF_R8, REG_R8],
  [SIGCONTEXT_OFF_R9, REG_R9],
  [SIGCONTEXT_OFF_R10, REG_R10],
  [SIGCONTEXT_OFF_R11, REG_R11],
  [SIGCONTEXT_OFF_R12, REG_R12],
  [SIGCONTEXT_OFF_R13, REG_R13],
  [SIGCONTEXT_OFF_R14, REG_R14],
  [SIGCONTEXT_OFF_R15, REG_R15],
  [SIGCONTEXT_OFF_RDI, REG_RDI],
  [SIGCONTEXT_OFF_RSI, REG_RSI],
  [SIGCONTEXT_OFF_RBP, REG_RBP],
  [SIGCONTEXT_OFF_RBX, REG_RBX],
  [SIGCONTEXT_OFF_RDX, REG_RDX],
  [SIGCONTEXT_OFF_RAX, REG_RAX],
  [SIGCONTEXT_OFF_RCX, REG_RCX],
  [SIGCONTEXT_OFF_RSP, REG_RSP],
  [SIGCONTEXT_OFF_RIP, REG_RIP],
  [SIGCONTEXT_OFF_EFLAGS, REG_RFLAGS],
];

const frameBytes = new Uint8Array(FRAME_SIZE);
const frameView = new DataView(frameBytes.buffer);
const fpBytes = new Uint8Array(FXSAVE_SIZE + XSAVE_HEADER_SIZE);
const fpView = new DataView(fpBytes.buffer);

/** `sp` lies on the alternate stack (on_sig_stack); with SS_AUTODISARM never. */
export function onAltStack(sp: number, stack: AltStack): boolean {
  if ((stack.flags & SS_AUTODISARM) !== 0) return false;
  return inAltStack(sp, stack);
}

function inAltStack(sp: number, stack: AltStack): boolean {
  return sp > stack.addr && sp - stack.addr <= stack.size;
}

/**
 * Builds the frame and sets the registers for the handler; the FP state is saved into it when the
 * guest resumes. Returns 0, or -EFAULT when the stack cannot take it (nothing was changed then).
 */
export function pushSignalFrame(
  ctx: Context,
  memory: FrameMemory,
  fp: FpState,
  frame: SignalFrame,
): number {
  if ((frame.flags & SA_RESTORER) === 0) return -EFAULT;
  const regs = ctx.regs;
  const sp = getReg(regs, REG_RSP);
  const { altStack } = frame;
  const nested = onAltStack(sp, altStack);
  const usable = (altStack.flags & SS_DISABLE) === 0 && altStack.size !== 0;
  const entering = (frame.flags & SA_ONSTACK) !== 0 && usable && !nested;
  let top = sp - RED_ZONE;
  if (entering) top = altStack.addr + altStack.size;
  const fpAddr = floorTo(top - (fp.size + MAGIC2_SIZE), 64);
  const frameAddr = floorTo(fpAddr - FRAME_SIZE, 16) - 8;
  if (frameAddr < 0) return -EFAULT;
  if ((nested || entering) && !inAltStack(frameAddr, altStack)) return -EFAULT;
  fillFrame(regs, frame, fpAddr);
  if (memory.copyOut(frameAddr, frameBytes, 0, FRAME_SIZE) < 0) return -EFAULT;
  const err = queueFpState(ctx, memory, fp, fpAddr);
  if (err < 0) return err;
  setHandlerRegisters(ctx, frame, frameAddr);
  return 0;
}

function fillFrame(regs: Int32Array, frame: SignalFrame, fpAddr: number): void {
  const v = frameView;
  frameBytes.fill(0);
  setU64(v, 0, frame.restorerAddr);
  const uc = PRETCODE_SIZE;
  v.setUint32(
    uc + UCONTEXT_OFF_FLAGS,
    UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
    true,
  );
  setU64(v, uc + UCONTEXT_OFF_LINK_ADDR, 0);
  setU64(v, uc + UCONTEXT_OFF_STACK + STACK_T_OFF_SP_ADDR, frame.altStack.addr);
  v.setInt32(uc + UCONTEXT_OFF_STACK + STACK_T_OFF_FLAGS, frame.altStack.flags, true);
  setU64(v, uc + UCONTEXT_OFF_STACK + STACK_T_OFF_SIZE_BYTES, frame.altStack.size);
  const mc = uc + UCONTEXT_OFF_MCONTEXT;
  for (const [off, reg] of SAVED) {
    v.setInt32(mc + off, regs[2 * reg], true);
    v.setInt32(mc + off + 4, regs[2 * reg + 1], true);
  }
  v.setUint16(mc + SIGCONTEXT_OFF_CS, USER_CS, true);
  v.setUint16(mc + SIGCONTEXT_OFF_SS, USER_SS, true);
  setU64(v, mc + SIGCONTEXT_OFF_ERR, frame.trapError);
  setU64(v, mc + SIGCONTEXT_OFF_TRAPNO, frame.trapno);
  v.setUint32(mc + SIGCONTEXT_OFF_OLDMASK, frame.maskLo, true);
  v.setUint32(mc + SIGCONTEXT_OFF_OLDMASK + 4, frame.maskHi, true);
  setU64(v, mc + SIGCONTEXT_OFF_CR2, frame.faultAddr);
  setU64(v, mc + SIGCONTEXT_OFF_FPSTATE_ADDR, fpAddr);
  v.setUint32(uc + UCONTEXT_OFF_SIGMASK, frame.maskLo, true);
  v.setUint32(uc + UCONTEXT_OFF_SIGMASK + 4, frame.maskHi, true);
  if ((frame.flags & SA_SIGINFO) !== 0) frameBytes.set(frame.info, FRAME_OFF_INFO);
}

/** The words around the image: sw_reserved of its FXSAVE part, then the end mark. */
const fpWords = new Uint8Array(FPX_SW_BYTES_SIZE + MAGIC2_SIZE);
let fpWordsOf: FpState | null = null;

function fillFpWords(fp: FpState): void {
  if (fpWordsOf === fp) return;
  fpWordsOf = fp;
  const v = new DataView(fpWords.buffer);
  v.setUint32(FPX_SW_BYTES_OFF_MAGIC1, FP_XSTATE_MAGIC1, true);
  v.setUint32(FPX_SW_BYTES_OFF_EXTENDED_SIZE, fp.size + MAGIC2_SIZE, true);
  v.setUint32(FPX_SW_BYTES_OFF_XFEATURES, fp.featuresLo, true);
  v.setUint32(FPX_SW_BYTES_OFF_XFEATURES + 4, fp.featuresHi, true);
  v.setUint32(FPX_SW_BYTES_OFF_XSTATE_SIZE, fp.size, true);
  v.setUint32(FPX_SW_BYTES_SIZE, FP_XSTATE_MAGIC2, true);
}

/**
 * The image is written by the guest's own thread when it resumes. The end mark is checked at once, as
 * the frame below was: between the two lies nothing but stack.
 */
function queueFpState(ctx: Context, memory: FrameMemory, fp: FpState, fpAddr: number): number {
  fillFpWords(fp);
  const end = FPX_SW_BYTES_SIZE + MAGIC2_SIZE;
  if (memory.copyOut(fpAddr + fp.size, fpWords, FPX_SW_BYTES_SIZE, end) < 0) return -EFAULT;
  ctx.queueSaveFp(fpAddr);
  ctx.queueCopyOut(fpAddr + FXSAVE_OFF_SW_BYTES, fpWords, 0, FPX_SW_BYTES_SIZE);
  // Last: when something before it fails, the state is still the program's.
  ctx.queueLoadFp(0);
  return 0;
}

function setHandlerRegisters(ctx: Context, frame: SignalFrame, frameAddr: number): void {
  const regs = ctx.regs;
  setReg(regs, REG_RDI, frame.signo);
  setReg(regs, REG_RAX, 0);
  setReg(regs, REG_RSI, frameAddr + FRAME_OFF_INFO);
  setReg(regs, REG_RDX, frameAddr + PRETCODE_SIZE);
  setReg(regs, REG_RIP, frame.handlerAddr);
  setReg(regs, REG_RSP, frameAddr);
  setReg(regs, REG_ORIG_RAX, -1);
  regs[2 * REG_RFLAGS] &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
  ctx.setFullRegisters();
}

function floorTo(addr: number, step: number): number {
  return Math.floor(addr / step) * step;
}

/** What sigreturn found in the frame, besides registers and FP state. */
export interface RestoredFrame {
  maskLo: number;
  maskHi: number;
  altStack: AltStack;
}

/**
 * rt_sigreturn(2): restores the registers and FP state from the frame below rsp and fills `out`.
 * Returns 0 or -EFAULT for a frame that cannot be read or an FP state that cannot be loaded.
 */
export function popSignalFrame(
  ctx: Context,
  memory: FrameMemory,
  fp: FpState,
  out: RestoredFrame,
): number {
  const regs = ctx.regs;
  const frameAddr = getReg(regs, REG_RSP) - PRETCODE_SIZE;
  if (memory.copyIn(frameAddr, frameBytes, 0, FRAME_OFF_INFO) < 0) return -EFAULT;
  const v = frameView;
  const uc = PRETCODE_SIZE;
  const mc = uc + UCONTEXT_OFF_MCONTEXT;
  out.maskLo = v.getUint32(uc + UCONTEXT_OFF_SIGMASK, true);
  out.maskHi = v.getUint32(uc + UCONTEXT_OFF_SIGMASK + 4, true);
  out.altStack.addr = readU64(v, uc + UCONTEXT_OFF_STACK + STACK_T_OFF_SP_ADDR);
  out.altStack.flags = v.getInt32(uc + UCONTEXT_OFF_STACK + STACK_T_OFF_FLAGS, true);
  out.altStack.size = readU64(v, uc + UCONTEXT_OFF_STACK + STACK_T_OFF_SIZE_BYTES);
  // A code segment that is not the 64-bit one: the processor would not return to it.
  if ((v.getUint16(mc + SIGCONTEXT_OFF_CS, true) | USER_RING) !== USER_CS) return -EFAULT;
  const oldFlags = regs[2 * REG_RFLAGS];
  for (const [off, reg] of SAVED) {
    regs[2 * reg] = v.getInt32(mc + off, true);
    regs[2 * reg + 1] = v.getInt32(mc + off + 4, true);
  }
  const flags = regs[2 * REG_RFLAGS];
  regs[2 * REG_RFLAGS] = (oldFlags & ~RESTORED_FLAGS) | (flags & RESTORED_FLAGS);
  regs[2 * REG_RFLAGS + 1] = 0;
  setReg(regs, REG_ORIG_RAX, -1);
  ctx.setFullRegisters();
  // Returning to an address that is none faults; better here than in the stub.
  const rip = getReg(regs, REG_RIP);
  if (rip < 0 || rip > MAX_USER_ADDR) return -EFAULT;
  return queueFpLoad(ctx, memory, fp, readU64(v, mc + SIGCONTEXT_OFF_FPSTATE_ADDR));
}

function queueFpLoad(ctx: Context, memory: FrameMemory, fp: FpState, fpAddr: number): number {
  if (fpAddr === 0) {
    ctx.queueLoadFp(0);
    return 0;
  }
  // XRSTOR takes only aligned images whose header and MXCSR are valid: a bad one is the guest's fault
  // (SIGSEGV), and must not fault in the stub.
  if (fpAddr % 64 !== 0 || !isLoadable(memory, fp, fpAddr)) return -EFAULT;
  ctx.queueLoadFp(fpAddr);
  return 0;
}

function isLoadable(memory: FrameMemory, fp: FpState, fpAddr: number): boolean {
  if (memory.copyIn(fpAddr, fpBytes, 0, fpBytes.length) < 0) return false;
  if ((fpView.getUint32(FXSAVE_OFF_MXCSR, true) & ~fp.mxcsrMask) !== 0) return false;
  if ((fpView.getUint32(FXSAVE_SIZE, true) & ~fp.featuresLo) !== 0) return false;
  if ((fpView.getUint32(FXSAVE_SIZE + 4, true) & ~fp.featuresHi) !== 0) return false;
  // XCOMP_BV and the reserved words: the standard format has zeros.
  for (let i = FXSAVE_SIZE + 8; i < fpBytes.length; i++) if (fpBytes[i] !== 0) return false;
  // The whole image must be readable, up to its end mark.
  return memory.copyIn(fpAddr + fp.size, fpBytes, 0, MAGIC2_SIZE) === 0;
}

function readU64(v: DataView, off: number): number {
  return v.getUint32(off, true) + v.getUint32(off + 4, true) * 0x1_0000_0000;
}
