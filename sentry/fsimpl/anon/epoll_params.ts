/** EPIOCSPARAMS: how an epoll instance polls network devices (Linux: ep_eventpoll_bp_ioctl). */
import { CAP_NET_ADMIN } from "../../../platform/abi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../../platform/abi/errno.ts";
import { hasCapability } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import type { IoctlCaller } from "../../vfs/file.ts";

/** struct epoll_params. */
export const EPOLL_PARAMS_SIZE = 8;
const OFF_USECS = 0;
const OFF_BUDGET = 4;
const OFF_PREFER = 6;
const OFF_PAD = 7;

/** Packets of one poll that anybody may ask for (Linux: NAPI_POLL_WEIGHT). */
const BUDGET_MAX = 64;

/** Reads and checks a struct epoll_params; -EFAULT, -EINVAL, -EPERM. */
export function copyInParams(caller: IoctlCaller, addr: number): Uint8Array | number {
  const params = new Uint8Array(EPOLL_PARAMS_SIZE);
  if (caller.copyIn(addr, params, 0, EPOLL_PARAMS_SIZE) < 0) return -EFAULT;
  const v = new DataView(params.buffer);
  if (v.getUint8(OFF_PAD) !== 0 || v.getUint8(OFF_PREFER) > 1) return -EINVAL;
  if (v.getInt32(OFF_USECS, true) < 0) return -EINVAL;
  const isLarge = v.getUint16(OFF_BUDGET, true) > BUDGET_MAX;
  return isLarge && !hasCapability((caller as Task).creds, CAP_NET_ADMIN) ? -EPERM : params;
}
