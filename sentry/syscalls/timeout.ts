/** Timeouts as system calls take them, and the signal mask that ppoll(2) and friends swap in. */
import { getI64, setI64 } from "../../platform/abi/bytes.ts";
import { EFAULT, EINVAL } from "../../platform/abi/errno.ts";
import { STICKY_TIMEOUTS } from "../../platform/abi/personality.ts";
import { NSEC_PER_SEC } from "../../platform/abi/time.ts";
import { setMask } from "../kernel/signal.ts";
import type { Task } from "../kernel/task.ts";

export const NO_DEADLINE = -1;
/** The longest relative time that is not "for ever" (Linux: KTIME_MAX). */
const MAX_NS = 2 ** 63;

/** The monotonic deadline `ns` from now. */
export function deadlineIn(t: Task, ns: number): number {
  return Math.min(MAX_NS, t.kernel.nowMonoNs() + ns);
}

export function deadlineInMs(t: Task, ms: number): number {
  return ms < 0 ? NO_DEADLINE : ms === 0 ? 0 : deadlineIn(t, ms * 1e6);
}

/** Deadline from a struct timespec; a null address means none. 0 for "do not wait"; -EINVAL, -EFAULT below -1. */
export function deadlineFromTimespec(t: Task, addr: number): number {
  if (addr === 0) return NO_DEADLINE;
  if (t.copyIn(addr, t.scratch, 0, 16) < 0) return -EFAULT;
  const sec = getI64(t.scratchView, 0), nsec = getI64(t.scratchView, 8);
  if (sec < 0 || nsec < 0 || nsec >= NSEC_PER_SEC) return -EINVAL;
  return sec === 0 && nsec === 0 ? 0 : deadlineIn(t, sec * NSEC_PER_SEC + nsec);
}

/** Writes what is left of a timeout back (select(2), ppoll(2)); failures are not reported, as on Linux. */
export function putRemaining(t: Task, addr: number, deadline: number, unitNs: number): void {
  if (addr === 0 || deadline < 0 || (t.tg.personality & STICKY_TIMEOUTS) !== 0) return;
  const left = deadline === 0 ? 0 : Math.max(0, deadline - t.kernel.nowMonoNs());
  const sec = Math.floor(left / NSEC_PER_SEC);
  setI64(t.scratchView, 0, sec);
  setI64(t.scratchView, 8, Math.floor((left - sec * NSEC_PER_SEC) / unitNs));
  t.copyOut(addr, t.scratch, 0, 16);
}

/** Swaps in the mask at `addr` (0: none) for this call. Returns 0 or -errno. */
export function enterSigmask(t: Task, addr: number, size: number): number {
  if (addr === 0) return 0;
  if (size !== 8) return -EINVAL;
  if (t.copyIn(addr, t.scratch, 0, 8) < 0) return -EFAULT;
  const s = t.signals;
  s.savedLo = s.maskLo;
  s.savedHi = s.maskHi;
  s.hasSavedMask = true;
  setMask(t, t.scratchView.getUint32(0, true), t.scratchView.getUint32(4, true));
  return 0;
}

/**
 * The call is over. After an interruption the saved mask stays: delivery runs the handler under the
 * temporary one and goes back to it then.
 */
export function leaveSigmask(t: Task, interrupted: boolean): void {
  const s = t.signals;
  if (interrupted || !s.hasSavedMask) return;
  s.hasSavedMask = false;
  setMask(t, s.savedLo, s.savedHi);
}
