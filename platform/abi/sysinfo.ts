/**
 * sysinfo(2) (linux/sysinfo.h).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

export const SI_LOAD_SHIFT = 16;

/** struct sysinfo; loads are fixed point, 1 << SI_LOAD_SHIFT being 1.0; sizes in memUnit bytes. */
export const SYSINFO_SIZE = 112;
export const SYSINFO_OFF_UPTIME_SEC = 0;
export const SYSINFO_OFF_LOAD1 = 8;
export const SYSINFO_OFF_LOAD5 = 16;
export const SYSINFO_OFF_LOAD15 = 24;
export const SYSINFO_OFF_TOTALRAM = 32;
export const SYSINFO_OFF_FREERAM = 40;
export const SYSINFO_OFF_SHAREDRAM = 48;
export const SYSINFO_OFF_BUFFERRAM = 56;
export const SYSINFO_OFF_TOTALSWAP = 64;
export const SYSINFO_OFF_FREESWAP = 72;
export const SYSINFO_OFF_PROCS = 80;
export const SYSINFO_OFF_TOTALHIGH = 88;
export const SYSINFO_OFF_FREEHIGH = 96;
export const SYSINFO_OFF_MEM_UNIT = 104;

export interface Sysinfo {
  uptimeSec: number;
  load1: number;
  load5: number;
  load15: number;
  totalram: number;
  freeram: number;
  sharedram: number;
  bufferram: number;
  totalswap: number;
  freeswap: number;
  procs: number;
  totalhigh: number;
  freehigh: number;
  memUnit: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putSysinfo(v: DataView, off: number, s: Sysinfo): void {
  zero(v, off, SYSINFO_SIZE);
  setI64(v, off + SYSINFO_OFF_UPTIME_SEC, s.uptimeSec);
  setU64(v, off + SYSINFO_OFF_LOAD1, s.load1);
  setU64(v, off + SYSINFO_OFF_LOAD5, s.load5);
  setU64(v, off + SYSINFO_OFF_LOAD15, s.load15);
  setU64(v, off + SYSINFO_OFF_TOTALRAM, s.totalram);
  setU64(v, off + SYSINFO_OFF_FREERAM, s.freeram);
  setU64(v, off + SYSINFO_OFF_SHAREDRAM, s.sharedram);
  setU64(v, off + SYSINFO_OFF_BUFFERRAM, s.bufferram);
  setU64(v, off + SYSINFO_OFF_TOTALSWAP, s.totalswap);
  setU64(v, off + SYSINFO_OFF_FREESWAP, s.freeswap);
  v.setUint16(off + SYSINFO_OFF_PROCS, s.procs, true);
  setU64(v, off + SYSINFO_OFF_TOTALHIGH, s.totalhigh);
  setU64(v, off + SYSINFO_OFF_FREEHIGH, s.freehigh);
  v.setUint32(off + SYSINFO_OFF_MEM_UNIT, s.memUnit, true);
}

export function getSysinfo(v: DataView, off: number): Sysinfo {
  return {
    uptimeSec: getI64(v, off + SYSINFO_OFF_UPTIME_SEC),
    load1: getU64(v, off + SYSINFO_OFF_LOAD1),
    load5: getU64(v, off + SYSINFO_OFF_LOAD5),
    load15: getU64(v, off + SYSINFO_OFF_LOAD15),
    totalram: getU64(v, off + SYSINFO_OFF_TOTALRAM),
    freeram: getU64(v, off + SYSINFO_OFF_FREERAM),
    sharedram: getU64(v, off + SYSINFO_OFF_SHAREDRAM),
    bufferram: getU64(v, off + SYSINFO_OFF_BUFFERRAM),
    totalswap: getU64(v, off + SYSINFO_OFF_TOTALSWAP),
    freeswap: getU64(v, off + SYSINFO_OFF_FREESWAP),
    procs: v.getUint16(off + SYSINFO_OFF_PROCS, true),
    totalhigh: getU64(v, off + SYSINFO_OFF_TOTALHIGH),
    freehigh: getU64(v, off + SYSINFO_OFF_FREEHIGH),
    memUnit: v.getUint32(off + SYSINFO_OFF_MEM_UNIT, true),
  };
}
