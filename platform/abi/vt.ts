/**
 * Virtual terminal requests that programs probe for (linux/vt.h).
 */

export const VT_OPENQRY = 0x5600;
export const VT_GETMODE = 0x5601;
export const VT_SETMODE = 0x5602;
export const VT_GETSTATE = 0x5603;
export const VT_RELDISP = 0x5605;
export const VT_ACTIVATE = 0x5606;
export const VT_WAITACTIVE = 0x5607;
export const VT_DISALLOCATE = 0x5608;
