/** Offsets of struct thread in platform/native/host/ptrace.c, as indexes into an Int32Array. */
import { REG_COUNT } from "../arch/amd64/registers.ts";

export const R_EVENT = 2 * REG_COUNT;
export const R_SIGNAL = R_EVENT + 1;
export const R_CODE = R_EVENT + 2;
export const R_TRAPNO = R_EVENT + 3;
export const R_ERROR = R_EVENT + 4;
export const R_STATE = R_EVENT + 5;
export const R_ADDR = R_EVENT + 6;
export const R_TID = R_EVENT + 8;
export const R_PID = R_EVENT + 9;
export const RECORD_SIZE = 4 * (R_EVENT + 10);

/** R_STATE: the host thread died without having been released. */
export const STATE_DEAD = 6;

// Flags of dv_pt_resume.
export const RESUME_FULL = 1;
export const RESUME_FS_BASE = 2;
