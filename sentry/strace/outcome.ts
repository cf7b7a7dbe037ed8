/** What a system call came to. */
import { ERESTARTSYS, errnoName } from "../../platform/abi/errno.ts";
import { KEEP_REGISTERS } from "../kernel/syscall.ts";
import type { Call } from "./call.ts";
import type { Signature } from "./calls.ts";

export interface Outcome {
  /** After " = ". */
  text: string;
  /** Null when the call has none of its own: it starts again, or has set the registers itself. */
  result: number | null;
  /** "ENOENT" */
  errno?: string;
}

const ERRNO_MAX = 4095;

export function outcomeOf(call: Call, signature: Signature): Outcome {
  const { result } = call;
  if (result === KEEP_REGISTERS) return { text: "?", result: null };
  if (result < 0 && result >= -ERRNO_MAX) {
    const errno = errnoName(result);
    // Whether it fails with EINTR or starts again is decided when the signal is delivered.
    return result <= -ERESTARTSYS
      ? { text: `? ${errno}`, result: null, errno }
      : { text: `-1 ${errno}`, result: -1, errno };
  }
  const note = signature.note?.(call) ?? null;
  const text = signature.result?.(call) ?? `${result}`;
  return { text: note === null ? text : `${text} (${note})`, result };
}
