/** Mount options of proc, and whom they hide from whom: proc(5). */
import { EINVAL } from "../../../platform/abi/errno.ts";
import { inGroup } from "../../auth/credentials.ts";
import type { Task } from "../../kernel/task.ts";
import { currentTask } from "../kernfs/caller.ts";
import { mayPtrace } from "./access.ts";

/** Values of hidepid=: what is in /proc/PID of others cannot be reached, PID itself is not there. */
export const HIDEPID_NO_ACCESS = 1;
export const HIDEPID_INVISIBLE = 2;
/** As invisible, for all who may not ptrace the process, whatever their groups. */
export const HIDEPID_NOT_PTRACEABLE = 4;

const HIDEPID_NAMES = new Map([
  ["off", 0],
  ["noaccess", HIDEPID_NO_ACCESS],
  ["invisible", HIDEPID_INVISIBLE],
  ["ptraceable", HIDEPID_NOT_PTRACEABLE],
]);

export interface ProcOptions {
  /** 0 or HIDEPID_*. */
  hidePid: number;
  /** The group from which nothing is hidden. */
  gid: number;
  /** subset=pid: nothing but processes. */
  onlyProcesses: boolean;
}

export const defaultProcOptions: ProcOptions = { hidePid: 0, gid: 0, onlyProcesses: false };

/** Parses "hidepid=2,gid=5" over `base`. Returns the options or -EINVAL. */
export function parseProcOptions(text: string, base: ProcOptions): ProcOptions | number {
  const out = { ...base };
  for (const option of text.split(",")) {
    const [key, value] = option.split("=", 2);
    switch (key) {
      case "":
      case "defaults":
        break;
      case "gid":
        if (!/^[0-9]{1,10}$/.test(value)) return -EINVAL;
        out.gid = Number(value);
        break;
      case "hidepid": {
        const level = /^[0124]$/.test(value) ? Number(value) : HIDEPID_NAMES.get(value);
        if (level === undefined) return -EINVAL;
        out.hidePid = level;
        break;
      }
      case "subset":
        if (value !== "pid") return -EINVAL;
        out.onlyProcesses = true;
        break;
      default:
        return -EINVAL;
    }
  }
  return out;
}

export function procOptionsText(o: ProcOptions): string {
  const parts: string[] = [];
  if (o.gid !== 0) parts.push(`gid=${o.gid}`);
  for (const [name, level] of HIDEPID_NAMES) {
    if (level === o.hidePid && level !== 0) parts.push(`hidepid=${name}`);
  }
  if (o.onlyProcesses) parts.push("subset=pid");
  return parts.join(",");
}

/** Whether `level` of hiding is in force between the caller and the process of `t`. */
export function isHidden(o: ProcOptions, t: Task, level: number): boolean {
  if (o.hidePid < level) return false;
  const caller = currentTask();
  if (caller === null) return false;
  if (o.hidePid !== HIDEPID_NOT_PTRACEABLE && inGroup(caller.creds, o.gid)) return false;
  return !mayPtrace(caller, t);
}
