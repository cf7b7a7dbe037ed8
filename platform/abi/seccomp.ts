/**
 * Secure computing (linux/seccomp.h), seccomp(2).
 */

import { getI64, setI64, zero } from "./bytes.ts";

export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;
export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_KILL = 0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_ACTION = 0x7fff0000;
export const SECCOMP_RET_DATA = 0xffff;
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
export const SECCOMP_ADDFD_FLAG_SETFD = 1;
export const SECCOMP_ADDFD_FLAG_SEND = 2;

// ioctl(2) on the notification descriptor
export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;

// Architectures
export const AUDIT_ARCH_AARCH64 = 0xc00000b7;
export const AUDIT_ARCH_I386 = 0x40000003;
export const AUDIT_ARCH_X86_64 = 0xc000003e;

/** struct seccomp_data, what a filter reads; ARGS are six u64. */
export const SECCOMP_DATA_SIZE = 64;
export const SECCOMP_DATA_OFF_NR = 0;
export const SECCOMP_DATA_OFF_ARCH = 4;
export const SECCOMP_DATA_OFF_INSTRUCTION_POINTER = 8;
export const SECCOMP_DATA_OFF_ARGS = 16;

/** struct seccomp_notif; ID is an opaque u64, DATA a struct seccomp_data. */
export const SECCOMP_NOTIF_SIZE = 80;
export const SECCOMP_NOTIF_OFF_ID = 0;
export const SECCOMP_NOTIF_OFF_PID = 8;
export const SECCOMP_NOTIF_OFF_FLAGS = 12;
export const SECCOMP_NOTIF_OFF_DATA = 16;

/** struct seccomp_notif_resp. */
export const SECCOMP_NOTIF_RESP_SIZE = 24;
export const SECCOMP_NOTIF_RESP_OFF_ID = 0;
export const SECCOMP_NOTIF_RESP_OFF_VAL = 8;
export const SECCOMP_NOTIF_RESP_OFF_ERROR = 16;
export const SECCOMP_NOTIF_RESP_OFF_FLAGS = 20;

export interface SeccompNotifResp {
  idLo: number;
  idHi: number;
  val: number;
  error: number;
  flags: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSeccompNotifResp(v: DataView, off: number, s: SeccompNotifResp): void {
  zero(v, off, SECCOMP_NOTIF_RESP_SIZE);
  v.setUint32(off + SECCOMP_NOTIF_RESP_OFF_ID, s.idLo, true);
  v.setUint32(off + SECCOMP_NOTIF_RESP_OFF_ID + 4, s.idHi, true);
  setI64(v, off + SECCOMP_NOTIF_RESP_OFF_VAL, s.val);
  v.setInt32(off + SECCOMP_NOTIF_RESP_OFF_ERROR, s.error, true);
  v.setUint32(off + SECCOMP_NOTIF_RESP_OFF_FLAGS, s.flags, true);
}

export function getSeccompNotifResp(v: DataView, off: number): SeccompNotifResp {
  return {
    idLo: v.getUint32(off + SECCOMP_NOTIF_RESP_OFF_ID, true),
    idHi: v.getUint32(off + SECCOMP_NOTIF_RESP_OFF_ID + 4, true),
    val: getI64(v, off + SECCOMP_NOTIF_RESP_OFF_VAL),
    error: v.getInt32(off + SECCOMP_NOTIF_RESP_OFF_ERROR, true),
    flags: v.getUint32(off + SECCOMP_NOTIF_RESP_OFF_FLAGS, true),
  };
}

/** struct seccomp_notif_addfd. */
export const SECCOMP_NOTIF_ADDFD_SIZE = 24;
export const SECCOMP_NOTIF_ADDFD_OFF_ID = 0;
export const SECCOMP_NOTIF_ADDFD_OFF_FLAGS = 8;
export const SECCOMP_NOTIF_ADDFD_OFF_SRCFD = 12;
export const SECCOMP_NOTIF_ADDFD_OFF_NEWFD = 16;
export const SECCOMP_NOTIF_ADDFD_OFF_NEWFD_FLAGS = 20;

export interface SeccompNotifAddfd {
  idLo: number;
  idHi: number;
  flags: number;
  srcfd: number;
  newfd: number;
  newfdFlags: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSeccompNotifAddfd(v: DataView, off: number, s: SeccompNotifAddfd): void {
  zero(v, off, SECCOMP_NOTIF_ADDFD_SIZE);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_ID, s.idLo, true);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_ID + 4, s.idHi, true);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_FLAGS, s.flags, true);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_SRCFD, s.srcfd, true);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_NEWFD, s.newfd, true);
  v.setUint32(off + SECCOMP_NOTIF_ADDFD_OFF_NEWFD_FLAGS, s.newfdFlags, true);
}

export function getSeccompNotifAddfd(v: DataView, off: number): SeccompNotifAddfd {
  return {
    idLo: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_ID, true),
    idHi: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_ID + 4, true),
    flags: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_FLAGS, true),
    srcfd: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_SRCFD, true),
    newfd: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_NEWFD, true),
    newfdFlags: v.getUint32(off + SECCOMP_NOTIF_ADDFD_OFF_NEWFD_FLAGS, true),
  };
}
