/** /proc/keys and /proc/key-users (Linux: security/keys/proc.c): keys that the reader may see, and quotas. */
import type { Kernel } from "../../kernel/kernel.ts";
import { type Key, keyPermission, NEED_VIEW, NO_GROUP } from "../../kernel/keys/key.ts";
import { possessedKeys } from "../../kernel/keys/task_keyrings.ts";
import { currentTask } from "../kernfs/caller.ts";

const OVERFLOW_GID = 65534;
/** [seconds of a unit, its letter] */
const UNITS = [[604_800, "w"], [86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]] as const;

export function keysText(kernel: Kernel): string {
  const reader = currentTask();
  if (reader === null) return "";
  const nowSec = kernel.nowRealtime().sec;
  const possessed = possessedKeys(reader);
  const maySee = (key: Key): boolean =>
    keyPermission({ key, isPossessed: possessed.has(key) }, reader.creds, NEED_VIEW) === 0;
  return [...kernel.keys.bySerial.values()]
    .filter(maySee)
    .sort((a, b) => a.serial - b.serial)
    .map((key) => lineOf(key, nowSec))
    .join("");
}

function lineOf(key: Key, nowSec: number): string {
  const hex = (n: number): string => n.toString(16).padStart(8, "0");
  const flags = `I${key.isRevoked ? "R" : "-"}-Q-${key.isNegative ? "N" : "-"}${
    key.isInvalidated ? "i" : "-"
  }`;
  const gid = key.gid === NO_GROUP ? OVERFLOW_GID : key.gid;
  const size = key.links === null ? key.payload.length : key.links.size || "empty";
  const name = key.isNegative ? key.description : `${key.description}: ${size}`;
  return `${hex(key.serial)} ${flags} ${String(key.refs).padStart(5)} ` +
    `${timeLeft(key, nowSec).padStart(4)} ${hex(key.permissions)} ${String(key.uid).padStart(5)} ` +
    `${String(gid).padStart(5)} ${key.type.padEnd(9)} ${name}\n`;
}

function timeLeft(key: Key, nowSec: number): string {
  if (key.expirySec === Infinity) return "perm";
  const left = Math.ceil(key.expirySec - nowSec);
  if (left <= 0) return "expd";
  const [seconds, letter] = UNITS.find(([unit]) => left >= unit)!;
  return `${Math.floor(left / seconds)}${letter}`;
}

export function keyUsersText(kernel: Kernel): string {
  const { quotas, limits } = kernel.keys;
  let text = "";
  for (const [uid, { keys, bytes }] of [...quotas].sort(([a], [b]) => a - b)) {
    const [maxKeys, maxBytes] = uid === 0
      ? [limits.rootMaxKeys, limits.rootMaxBytes]
      : [limits.maxKeys, limits.maxBytes];
    text += `${String(uid).padStart(5)}: ${String(keys).padStart(5)} ${keys}/${keys} ` +
      `${keys}/${maxKeys} ${bytes}/${maxBytes}\n`;
  }
  return text;
}
