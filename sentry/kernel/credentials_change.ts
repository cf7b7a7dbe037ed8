/** Installing changed credentials (Linux: commit_creds) and the rules of capabilities(7). */
import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LAST_CAP,
  CAP_LINUX_IMMUTABLE,
  CAP_MAC_OVERRIDE,
  CAP_MKNOD,
  CAP_SETPCAP,
} from "../../platform/abi/capability.ts";
import { type Credentials, hasCapability, trustOf } from "../auth/credentials.ts";
import type { Task } from "./task.ts";

// securebits (linux/securebits.h); each has a lock bit one higher.
export const SECBIT_NOROOT = 1 << 0;
export const SECBIT_NO_SETUID_FIXUP = 1 << 2;
export const SECBIT_KEEP_CAPS = 1 << 4;
export const SECBIT_NO_CAP_AMBIENT_RAISE = 1 << 6;

export type CapSet = readonly [lo: number, hi: number];
export const CAPS_NONE: CapSet = [0, 0];
/** Every capability that exists. */
export const CAPS_ALL: CapSet = [0xffffffff, 2 ** (CAP_LAST_CAP - 31) - 1];

export function capsAnd(a: CapSet, b: CapSet): CapSet {
  return [(a[0] & b[0]) >>> 0, (a[1] & b[1]) >>> 0];
}
export function capsOr(a: CapSet, b: CapSet): CapSet {
  return [(a[0] | b[0]) >>> 0, (a[1] | b[1]) >>> 0];
}
export function capsWithout(a: CapSet, b: CapSet): CapSet {
  return [(a[0] & ~b[0]) >>> 0, (a[1] & ~b[1]) >>> 0];
}
export function capsSubset(a: CapSet, of: CapSet): boolean {
  return (a[0] & ~of[0]) === 0 && (a[1] & ~of[1]) === 0;
}
export function capsEqual(a: CapSet, b: CapSet): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
export function capBit(cap: number): CapSet {
  return cap < 32 ? [1 << cap >>> 0, 0] : [0, 1 << (cap - 32) >>> 0];
}

/** The capabilities that file access by fsuid is about (CAP_FS_SET). */
const CAP_FS_SET = [
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LINUX_IMMUTABLE,
  CAP_MKNOD,
  CAP_MAC_OVERRIDE,
].map(capBit).reduce(capsOr);

/** Makes `creds` the task's: counts by user, and what a change of identity ends. */
export function commitCredentials(t: Task, creds: Credentials): void {
  const old = t.creds;
  if (old === creds) return;
  if (old.ruid !== creds.ruid) {
    t.kernel.user(old.ruid).tasks--;
    t.kernel.user(creds.ruid).tasks++;
  }
  if (
    old.euid !== creds.euid || old.egid !== creds.egid || old.fsuid !== creds.fsuid ||
    old.fsgid !== creds.fsgid || !capsSubset(creds.permitted, old.permitted)
  ) {
    t.tg.dumpable = 0;
    t.parentDeathSignal = 0;
  }
  t.creds = creds;
  t.publishIdentity();
  t.hideAnswers();
  t.ctx?.changeTrust(trustOf(creds));
}

/** What changing user ids does to capabilities (cap_task_fix_setuid for setuid, setreuid, setresuid). */
export function fixupSetuid(old: Credentials, next: Credentials): Credentials {
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return next;
  let { permitted, effective, ambient } = next;
  const wasRoot = old.ruid === 0 || old.euid === 0 || old.suid === 0;
  const isRoot = next.ruid === 0 || next.euid === 0 || next.suid === 0;
  if (wasRoot && !isRoot) {
    if ((old.securebits & SECBIT_KEEP_CAPS) === 0) {
      permitted = CAPS_NONE;
      effective = CAPS_NONE;
    }
    ambient = CAPS_NONE;
  }
  if (old.euid === 0 && next.euid !== 0) effective = CAPS_NONE;
  if (old.euid !== 0 && next.euid === 0) effective = permitted;
  return { ...next, permitted, effective, ambient };
}

/** The same for setfsuid(2). */
export function fixupSetfsuid(old: Credentials, next: Credentials): Credentials {
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return next;
  if (old.fsuid === 0 && next.fsuid !== 0) {
    return { ...next, effective: capsWithout(next.effective, CAP_FS_SET) };
  }
  if (old.fsuid !== 0 && next.fsuid === 0) {
    return { ...next, effective: capsOr(next.effective, capsAnd(next.permitted, CAP_FS_SET)) };
  }
  return next;
}

/** capset(2) (cap_capset): the new sets, or null for EPERM. */
export function capset(
  old: Credentials,
  effective: CapSet,
  inheritable: CapSet,
  permitted: CapSet,
): Credentials | null {
  const mayAddInheritable = hasCapability(old, CAP_SETPCAP);
  if (!mayAddInheritable && !capsSubset(inheritable, capsOr(old.inheritable, old.permitted))) {
    return null;
  }
  if (!capsSubset(inheritable, capsOr(old.inheritable, old.bounding))) return null;
  if (!capsSubset(permitted, old.permitted)) return null;
  if (!capsSubset(effective, permitted)) return null;
  const ambient = capsAnd(old.ambient, capsAnd(permitted, inheritable));
  return { ...old, effective, inheritable, permitted, ambient };
}
