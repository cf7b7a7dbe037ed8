/** What an image has of a thread, by ptrace(2). */
import {
  SYS_get_robust_list,
  SYS_prctl,
  SYS_ptrace,
  SYS_sigaltstack,
  SYS_wait4,
} from "../../platform/abi/amd64/syscalls.ts";
import {
  USER_REGS_OFF_FS_BASE,
  USER_REGS_OFF_GS_BASE,
  USER_REGS_OFF_ORIG_RAX,
  USER_REGS_OFF_R10,
  USER_REGS_OFF_R12,
  USER_REGS_OFF_R13,
  USER_REGS_OFF_R14,
  USER_REGS_OFF_R15,
  USER_REGS_OFF_R8,
  USER_REGS_OFF_R9,
  USER_REGS_OFF_RAX,
  USER_REGS_OFF_RBP,
  USER_REGS_OFF_RBX,
  USER_REGS_OFF_RDI,
  USER_REGS_OFF_RDX,
  USER_REGS_OFF_RIP,
  USER_REGS_OFF_RSI,
  USER_REGS_OFF_RSP,
  USER_REGS_SIZE,
} from "../../platform/abi/amd64/user.ts";
import {
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../../platform/abi/errno.ts";
import { PR_GET_TID_ADDRESS } from "../../platform/abi/prctl.ts";
import {
  PTRACE_GET_RSEQ_CONFIGURATION,
  PTRACE_GETREGS,
  PTRACE_GETSIGMASK,
  PTRACE_INTERRUPT,
  PTRACE_SEIZE,
  PTRACE_SETREGS,
  PTRACE_SINGLESTEP,
} from "../../platform/abi/ptrace.ts";
import { __WALL } from "../../platform/abi/wait.ts";
import { bufferAddr, hostCall } from "../../platform/host/spawn.ts";
import { must, readText, Writer } from "./layout.ts";
import { type Memory } from "./memory.ts";

/** The call begins anew when the thread runs on, or may. */
const RESTARTS = [ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK, EINTR];
/** Of registers as PTRACE_GETREGS gives them. */
const [RAX, RBX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, R12, R13, R14, R15, RIP] = [
  USER_REGS_OFF_RAX,
  USER_REGS_OFF_RBX,
  USER_REGS_OFF_RDX,
  USER_REGS_OFF_RSI,
  USER_REGS_OFF_RDI,
  USER_REGS_OFF_RBP,
  USER_REGS_OFF_RSP,
  USER_REGS_OFF_R8,
  USER_REGS_OFF_R9,
  USER_REGS_OFF_R10,
  USER_REGS_OFF_R12,
  USER_REGS_OFF_R13,
  USER_REGS_OFF_R14,
  USER_REGS_OFF_R15,
  USER_REGS_OFF_RIP,
].map((offset) => offset / 8);
const ORIG_RAX = USER_REGS_OFF_ORIG_RAX / 8;
const FS_BASE = USER_REGS_OFF_FS_BASE / 8;
const GS_BASE = USER_REGS_OFF_GS_BASE / 8;

export class Tracee {
  readonly regs = new BigUint64Array(USER_REGS_SIZE / 8);
  constructor(readonly tid: number) {
    must(`seize ${tid}`, hostCall(SYS_ptrace, PTRACE_SEIZE, tid, 0, 0));
    must(`interrupt ${tid}`, hostCall(SYS_ptrace, PTRACE_INTERRUPT, tid, 0, 0));
    this.#wait();
    this.#transfer(PTRACE_GETREGS, this.regs);
    const result = -Number(BigInt.asIntN(64, this.regs[RAX]));
    const inCall = BigInt.asIntN(64, this.regs[ORIG_RAX]) >= 0n;
    if (!inCall || !RESTARTS.includes(result)) {
      throw new Error(`thread ${tid} does not wait in a system call (${result})`);
    }
    if (this.regs[GS_BASE] !== 0n) throw new Error(`thread ${tid} uses GS`);
  }

  #wait(): void {
    const status = new Int32Array(1);
    must(`wait ${this.tid}`, hostCall(SYS_wait4, this.tid, bufferAddr(status), __WALL, 0));
    if ((status[0] & 0xff) !== 0x7f) throw new Error(`thread ${this.tid} ended`);
  }

  #transfer(request: number, regs: BigUint64Array<ArrayBuffer>): void {
    must("registers", hostCall(SYS_ptrace, request, this.tid, 0, bufferAddr(regs)));
  }

  /** Makes it do a system call. Its registers are spoiled for good. */
  call(nr: number, ...args: (number | bigint)[]): number {
    const regs = this.regs.slice();
    regs[RIP] -= 2n; // That of the call it waits in.
    regs[RAX] = BigInt(nr);
    regs[ORIG_RAX] = -1n;
    [RDI, RSI, RDX, R10].forEach((register, i) => regs[register] = BigInt(args[i] ?? 0));
    this.#transfer(PTRACE_SETREGS, regs);
    must("step", hostCall(SYS_ptrace, PTRACE_SINGLESTEP, this.tid, 0, 0));
    this.#wait();
    this.#transfer(PTRACE_GETREGS, regs);
    return Number(BigInt.asIntN(64, regs[RAX]));
  }

  /** Below its stack pointer and what leaf functions use there. */
  get scratch(): number {
    return Number((this.regs[RSP] - 4096n) & -64n);
  }
}

export function writeThread(out: Writer, pid: number, tracee: Tracee, memory: Memory): void {
  const { regs, tid } = tracee;
  const order = [RBX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, R12, R13, R14, R15];
  out.u64(regs[ORIG_RAX]);
  for (const register of order) out.u64(regs[register]);
  out.u64(regs[RIP] - 2n);
  out.u64(regs[FS_BASE]);

  const buffer = new BigUint64Array(4);
  const { scratch } = tracee;
  const readU64 = (address: number) => new BigUint64Array(memory.read(address, 8).buffer)[0];
  must("tid address", tracee.call(SYS_prctl, PR_GET_TID_ADDRESS, scratch));
  out.u64(readU64(scratch));
  must(
    "robust list",
    hostCall(SYS_get_robust_list, tid, bufferAddr(buffer), bufferAddr(buffer) + 8),
  );
  out.u64(buffer[0]);
  out.u64(buffer[1]);
  buffer.fill(0n);
  must(
    "rseq",
    hostCall(SYS_ptrace, PTRACE_GET_RSEQ_CONFIGURATION, tid, 24, bufferAddr(buffer)),
  );
  out.u64(buffer[0]);
  out.u64(buffer[1] & 0xffff_ffffn);
  out.u64(buffer[1] >> 32n);
  must("mask", hostCall(SYS_ptrace, PTRACE_GETSIGMASK, tid, 8, bufferAddr(buffer)));
  out.u64(buffer[0]);
  must("altstack", tracee.call(SYS_sigaltstack, 0, scratch));
  for (let i = 0; i < 3; i++) out.u64(readU64(scratch + 8 * i));
  out.text(readText(`/proc/${pid}/task/${tid}/comm`).trim(), 16);
}
