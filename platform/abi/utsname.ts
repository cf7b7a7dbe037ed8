/**
 * uname(2) (linux/utsname.h): six fields of 65 bytes, each ended by a zero byte.
 */

import { zero } from "./bytes.ts";

export const __NEW_UTS_LEN = 64;

/** struct new_utsname. */
export const NEW_UTSNAME_SIZE = 390;
export const NEW_UTSNAME_OFF_SYSNAME = 0;
export const NEW_UTSNAME_OFF_NODENAME = 65;
export const NEW_UTSNAME_OFF_RELEASE = 130;
export const NEW_UTSNAME_OFF_VERSION = 195;
export const NEW_UTSNAME_OFF_MACHINE = 260;
export const NEW_UTSNAME_OFF_DOMAINNAME = 325;

export interface NewUtsname {
  sysname: string;
  nodename: string;
  release: string;
  version: string;
  machine: string;
  domainname: string;
}

/** Writes every field, cut at 64 bytes of UTF-8. */
export function putNewUtsname(v: DataView, off: number, s: NewUtsname): void {
  zero(v, off, NEW_UTSNAME_SIZE);
  putField(v, off + NEW_UTSNAME_OFF_SYSNAME, s.sysname);
  putField(v, off + NEW_UTSNAME_OFF_NODENAME, s.nodename);
  putField(v, off + NEW_UTSNAME_OFF_RELEASE, s.release);
  putField(v, off + NEW_UTSNAME_OFF_VERSION, s.version);
  putField(v, off + NEW_UTSNAME_OFF_MACHINE, s.machine);
  putField(v, off + NEW_UTSNAME_OFF_DOMAINNAME, s.domainname);
}

const encoder = new TextEncoder();

function putField(v: DataView, off: number, text: string): void {
  const field = new Uint8Array(v.buffer, v.byteOffset + off, __NEW_UTS_LEN);
  field.set(encoder.encode(text).subarray(0, __NEW_UTS_LEN));
}
