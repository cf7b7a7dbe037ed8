/**
 * times(2) (linux/times.h), in clock ticks of USER_HZ.
 */

import { getI64, setI64 } from "./bytes.ts";

/** struct tms. */
export const TMS_SIZE = 32;
export const TMS_OFF_UTIME = 0;
export const TMS_OFF_STIME = 8;
export const TMS_OFF_CUTIME = 16;
export const TMS_OFF_CSTIME = 24;

export interface Tms {
  utime: number;
  stime: number;
  cutime: number;
  cstime: number;
}

export function putTms(
  v: DataView,
  off: number,
  utime: number,
  stime: number,
  cutime: number,
  cstime: number,
): void {
  setI64(v, off + TMS_OFF_UTIME, utime);
  setI64(v, off + TMS_OFF_STIME, stime);
  setI64(v, off + TMS_OFF_CUTIME, cutime);
  setI64(v, off + TMS_OFF_CSTIME, cstime);
}

export function getTms(v: DataView, off: number): Tms {
  return {
    utime: getI64(v, off + TMS_OFF_UTIME),
    stime: getI64(v, off + TMS_OFF_STIME),
    cutime: getI64(v, off + TMS_OFF_CUTIME),
    cstime: getI64(v, off + TMS_OFF_CSTIME),
  };
}
