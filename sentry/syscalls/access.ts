/** Who may look into another task (ptrace(2), "Ptrace access mode checking", without an LSM). */
import { CAP_SYS_PTRACE } from "../../platform/abi/capability.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import { capsSubset } from "../kernel/credentials_change.ts";
import type { Task } from "../kernel/task.ts";

/** PTRACE_MODE_READ_REALCREDS and ATTACH_REALCREDS, or by fsuid with `byFsIds`. */
export function mayAccess(t: Task, target: Task, byFsIds = false): boolean {
  if (t.tg === target.tg) return true;
  const c = t.creds;
  const uid = byFsIds ? c.fsuid : c.ruid;
  const gid = byFsIds ? c.fsgid : c.rgid;
  const capable = hasCapability(c, CAP_SYS_PTRACE);
  if (!hasAllIds(target.creds, uid, gid) && !capable) return false;
  if (target.tg.dumpable !== 1 && !capable) return false;
  return capable || capsSubset(target.creds.permitted, c.permitted);
}

function hasAllIds(c: Credentials, uid: number, gid: number): boolean {
  return c.euid === uid && c.suid === uid && c.ruid === uid &&
    c.egid === gid && c.sgid === gid && c.rgid === gid;
}
