/**
 * Console requests that programs probe for (linux/kd.h).
 */

export const KDMKTONE = 0x4b30;
export const KDGETLED = 0x4b31;
export const KDGKBTYPE = 0x4b33;
export const KDSETMODE = 0x4b3a;
export const KDGETMODE = 0x4b3b;
export const KDGKBMODE = 0x4b44;
export const KDSKBMODE = 0x4b45;
export const KDGKBLED = 0x4b64;
export const KDGKBENT = 0x4b46;
export const KDSIGACCEPT = 0x4b4e;
export const KIOCSOUND = 0x4b2f;
export const KB_84 = 0x1;
export const KB_101 = 0x2;
export const KB_OTHER = 0x3;
export const KD_TEXT = 0x0;
export const KD_GRAPHICS = 0x1;
export const K_RAW = 0x0;
export const K_XLATE = 0x1;
export const K_MEDIUMRAW = 0x2;
export const K_UNICODE = 0x3;
export const K_OFF = 0x4;
export const GIO_FONT = 0x4b60;
export const GIO_UNIMAP = 0x4b66;
