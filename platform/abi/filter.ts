/**
 * Classic BPF (linux/filter.h, linux/bpf_common.h), the language of seccomp filters.
 */

import { getU64, setU64 } from "./bytes.ts";

export const BPF_LD = 0x0;
export const BPF_LDX = 0x1;
export const BPF_ST = 0x2;
export const BPF_STX = 0x3;
export const BPF_ALU = 0x4;
export const BPF_JMP = 0x5;
export const BPF_RET = 0x6;
export const BPF_MISC = 0x7;
export const BPF_W = 0x0;
export const BPF_H = 0x8;
export const BPF_B = 0x10;
export const BPF_IMM = 0x0;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;
export const BPF_ADD = 0x0;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_JA = 0x0;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_K = 0x0;
export const BPF_X = 0x8;
export const BPF_MAXINSNS = 0x1000;
export const BPF_A = 0x10;
export const BPF_TAX = 0x0;
export const BPF_TXA = 0x80;
export const BPF_MEMWORDS = 0x10;

/** struct sock_filter, one instruction. */
export const SOCK_FILTER_SIZE = 8;
export const SOCK_FILTER_OFF_CODE = 0;
export const SOCK_FILTER_OFF_JT = 2;
export const SOCK_FILTER_OFF_JF = 3;
export const SOCK_FILTER_OFF_K = 4;

export interface SockFilter {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

export function putSockFilter(
  v: DataView,
  off: number,
  code: number,
  jt: number,
  jf: number,
  k: number,
): void {
  v.setUint16(off + SOCK_FILTER_OFF_CODE, code, true);
  v.setUint8(off + SOCK_FILTER_OFF_JT, jt);
  v.setUint8(off + SOCK_FILTER_OFF_JF, jf);
  v.setUint32(off + SOCK_FILTER_OFF_K, k, true);
}

export function getSockFilter(v: DataView, off: number): SockFilter {
  return {
    code: v.getUint16(off + SOCK_FILTER_OFF_CODE, true),
    jt: v.getUint8(off + SOCK_FILTER_OFF_JT),
    jf: v.getUint8(off + SOCK_FILTER_OFF_JF),
    k: v.getUint32(off + SOCK_FILTER_OFF_K, true),
  };
}

/** struct sock_fprog, a program. */
export const SOCK_FPROG_SIZE = 16;
export const SOCK_FPROG_OFF_LEN = 0;
export const SOCK_FPROG_OFF_FILTER_ADDR = 8;

export interface SockFprog {
  len: number;
  filterAddr: number;
}

export function putSockFprog(v: DataView, off: number, len: number, filterAddr: number): void {
  v.setUint16(off + SOCK_FPROG_OFF_LEN, len, true);
  setU64(v, off + SOCK_FPROG_OFF_FILTER_ADDR, filterAddr);
}

export function getSockFprog(v: DataView, off: number): SockFprog {
  return {
    len: v.getUint16(off + SOCK_FPROG_OFF_LEN, true),
    filterAddr: getU64(v, off + SOCK_FPROG_OFF_FILTER_ADDR),
  };
}
