/** Credentials after execve(2): set-id bits, file capabilities, ambient ones (cap_bprm_creds_from_file). */
import { CAP_SETUID, getVfsCapData, VFS_CAP_DATA_SIZE } from "../../platform/abi/capability.ts";
import {
  getVfsNsCapData,
  VFS_CAP_FLAGS_EFFECTIVE,
  VFS_CAP_REVISION_2,
  VFS_CAP_REVISION_3,
  VFS_CAP_REVISION_MASK,
  VFS_NS_CAP_DATA_SIZE,
} from "../../platform/abi/capability.ts";
import { EPERM } from "../../platform/abi/errno.ts";
import { MS_NOSUID } from "../../platform/abi/mount.ts";
import { S_ISGID, S_ISUID, S_IXGRP } from "../../platform/abi/stat.ts";
import { type Credentials, hasCapability } from "../auth/credentials.ts";
import type { FileDescription } from "../vfs/file.ts";
import {
  CAPS_NONE,
  capsAnd,
  capsEqual,
  type CapSet,
  capsOr,
  capsSubset,
  SECBIT_KEEP_CAPS,
  SECBIT_NOROOT,
} from "./credentials_change.ts";
import type { Task } from "./task.ts";

interface FileCapabilities {
  permitted: CapSet;
  inheritable: CapSet;
  effective: boolean;
}

/** `secure`: AT_SECURE. */
export interface ExecCredentials {
  creds: Credentials;
  secure: boolean;
}

/** What the task will be once it runs `file`; -EPERM when it would not have all that the file counts on. */
export function credentialsForExec(t: Task, file: FileDescription): ExecCredentials | number {
  const { inode } = file;
  // Of a mount that is not in the task's namespace, say of a memfd, set-id bits count nothing (mnt_may_suid).
  const nosuid = (file.mount.flags & MS_NOSUID) !== 0 || file.mount.ns !== t.fs.mountNs;
  const caps = nosuid ? null : readFileCapabilities(file);
  return credsForExec(t.creds, inode.mode, inode.uid, inode.gid, nosuid, caps, sharesFs(t));
}

/**
 * Whether another process has the same root and current directory, and could change them while this
 * one has more rights (LSM_UNSAFE_SHARE).
 */
export function sharesFs(t: Task): boolean {
  let own = 0;
  for (const thread of t.tg.threads) if (thread.fs === t.fs) own++;
  return t.fs.refs > own;
}

export function credsForExec(
  old: Credentials,
  mode: number,
  uid: number,
  gid: number,
  nosuid: boolean,
  file: FileCapabilities | null,
  shares = false,
): ExecCredentials | number {
  const honoursSetId = !nosuid && !old.noNewPrivs;
  let euid = honoursSetId && (mode & S_ISUID) !== 0 ? uid : old.euid;
  let egid = honoursSetId && (mode & S_ISGID) !== 0 && (mode & S_IXGRP) !== 0 ? gid : old.egid;
  let permitted: CapSet = CAPS_NONE;
  let effective = false;
  if (file !== null) {
    permitted = capsOr(
      capsAnd(old.bounding, file.permitted),
      capsAnd(old.inheritable, file.inheritable),
    );
    effective = file.effective;
    // A program that does not know of capabilities could not tell that some are missing.
    if (effective && !capsSubset(file.permitted, permitted)) return -EPERM;
  }
  // A set-user-id-root program that also has file capabilities gets those alone.
  const onlyFile = file !== null && euid === 0 && old.ruid !== 0;
  if ((old.securebits & SECBIT_NOROOT) === 0 && !onlyFile) {
    if (euid === 0 || old.ruid === 0) permitted = capsOr(old.bounding, old.inheritable);
    if (euid === 0) effective = true;
  }
  const isSetId = euid !== old.ruid || egid !== old.rgid;
  if ((old.noNewPrivs || shares) && (isSetId || !capsSubset(permitted, old.permitted))) {
    if (!hasCapability(old, CAP_SETUID) || old.noNewPrivs) {
      euid = old.ruid;
      egid = old.rgid;
    }
    permitted = capsAnd(permitted, old.permitted);
  }
  const ambient = file !== null || isSetId ? CAPS_NONE : old.ambient;
  permitted = capsOr(permitted, ambient);
  const secure = isSetId ||
    (old.ruid !== 0 && (effective || !capsSubset(permitted, ambient)));
  const creds = {
    ...old,
    euid,
    egid,
    suid: euid,
    sgid: egid,
    fsuid: euid,
    fsgid: egid,
    permitted,
    effective: effective ? permitted : ambient,
    ambient,
    securebits: old.securebits & ~SECBIT_KEEP_CAPS,
  };
  return { creds: isSame(old, creds) ? old : creds, secure };
}

/** Whether an execve has changed nothing. */
function isSame(old: Credentials, now: Credentials): boolean {
  return old.euid === now.euid && old.egid === now.egid && old.suid === now.suid &&
    old.sgid === now.sgid && old.fsuid === now.fsuid && old.fsgid === now.fsgid &&
    old.securebits === now.securebits && capsEqual(old.permitted, now.permitted) &&
    capsEqual(old.effective, now.effective) && capsEqual(old.ambient, now.ambient);
}

/** The extended attribute security.capability, null when there is none that counts. */
function readFileCapabilities(file: FileDescription): FileCapabilities | null {
  const value = file.inode.getxattr("security.capability");
  if (typeof value === "number" || value.length < VFS_CAP_DATA_SIZE) return null;
  const data = getVfsCapData(new DataView(value.buffer, value.byteOffset, value.length), 0);
  const revision = (data.magicEtc & VFS_CAP_REVISION_MASK) >>> 0;
  if (revision === VFS_CAP_REVISION_3) {
    // For the user namespace whose root is that user: there is only the first one.
    if (value.length < VFS_NS_CAP_DATA_SIZE) return null;
    const { rootid } = getVfsNsCapData(new DataView(value.buffer, value.byteOffset), 0);
    if (rootid !== 0) return null;
  } else if (revision !== VFS_CAP_REVISION_2) return null;
  return {
    permitted: [data.permittedLow, data.permittedHigh],
    inheritable: [data.inheritableLow, data.inheritableHigh],
    effective: (data.magicEtc & VFS_CAP_FLAGS_EFFECTIVE) !== 0,
  };
}
