/**
 * Capabilities (linux/capability.h): capabilities(7), capget(2).
 */

import { zero } from "./bytes.ts";

// Capabilities
export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_FSETID = 4;
export const CAP_KILL = 5;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_SETPCAP = 8;
export const CAP_LINUX_IMMUTABLE = 9;
export const CAP_NET_BIND_SERVICE = 10;
export const CAP_NET_BROADCAST = 11;
export const CAP_NET_ADMIN = 12;
export const CAP_NET_RAW = 13;
export const CAP_IPC_LOCK = 14;
export const CAP_IPC_OWNER = 15;
export const CAP_SYS_MODULE = 16;
export const CAP_SYS_RAWIO = 17;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_PTRACE = 19;
export const CAP_SYS_PACCT = 20;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_BOOT = 22;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;
export const CAP_SYS_TIME = 25;
export const CAP_SYS_TTY_CONFIG = 26;
export const CAP_MKNOD = 27;
export const CAP_LEASE = 28;
export const CAP_AUDIT_WRITE = 29;
export const CAP_AUDIT_CONTROL = 30;
export const CAP_SETFCAP = 31;
export const CAP_MAC_OVERRIDE = 32;
export const CAP_MAC_ADMIN = 33;
export const CAP_SYSLOG = 34;
export const CAP_WAKE_ALARM = 35;
export const CAP_BLOCK_SUSPEND = 36;
export const CAP_AUDIT_READ = 37;
export const CAP_PERFMON = 38;
export const CAP_BPF = 39;
export const CAP_CHECKPOINT_RESTORE = 40;
export const CAP_LAST_CAP = 40;

// Versions
export const _LINUX_CAPABILITY_VERSION_1 = 0x19980330;
export const _LINUX_CAPABILITY_VERSION_2 = 0x20071026;
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
export const _LINUX_CAPABILITY_U32S_1 = 1;
export const _LINUX_CAPABILITY_U32S_2 = 2;
export const _LINUX_CAPABILITY_U32S_3 = 2;

// security.capability
export const VFS_CAP_REVISION_MASK = 0xff000000;
export const VFS_CAP_REVISION_SHIFT = 24;
export const VFS_CAP_FLAGS_MASK = 0xffffff;
export const VFS_CAP_FLAGS_EFFECTIVE = 1;
export const VFS_CAP_REVISION_1 = 0x1000000;
export const VFS_CAP_U32_1 = 1;
export const VFS_CAP_REVISION_2 = 0x2000000;
export const VFS_CAP_U32_2 = 2;
export const VFS_CAP_REVISION_3 = 0x3000000;
export const VFS_CAP_U32_3 = 2;
export const VFS_CAP_U32 = 2;
export const VFS_CAP_REVISION = 0x3000000;
export const XATTR_CAPS_SZ_1 = 12;
export const XATTR_CAPS_SZ_2 = 20;
export const XATTR_CAPS_SZ_3 = 24;
export const XATTR_CAPS_SZ = 24;

/** struct __user_cap_header_struct. */
export const CAP_USER_HEADER_SIZE = 8;
export const CAP_USER_HEADER_OFF_VERSION = 0;
export const CAP_USER_HEADER_OFF_PID = 4;

export interface CapUserHeader {
  version: number;
  pid: number;
}

export function putCapUserHeader(v: DataView, off: number, version: number, pid: number): void {
  v.setUint32(off + CAP_USER_HEADER_OFF_VERSION, version, true);
  v.setInt32(off + CAP_USER_HEADER_OFF_PID, pid, true);
}

export function getCapUserHeader(v: DataView, off: number): CapUserHeader {
  return {
    version: v.getUint32(off + CAP_USER_HEADER_OFF_VERSION, true),
    pid: v.getInt32(off + CAP_USER_HEADER_OFF_PID, true),
  };
}

/** struct __user_cap_data_struct: 32 capabilities each; version 3 takes two. */
export const CAP_USER_DATA_SIZE = 12;
export const CAP_USER_DATA_OFF_EFFECTIVE = 0;
export const CAP_USER_DATA_OFF_PERMITTED = 4;
export const CAP_USER_DATA_OFF_INHERITABLE = 8;

export interface CapUserData {
  effective: number;
  permitted: number;
  inheritable: number;
}

export function putCapUserData(
  v: DataView,
  off: number,
  effective: number,
  permitted: number,
  inheritable: number,
): void {
  v.setUint32(off + CAP_USER_DATA_OFF_EFFECTIVE, effective, true);
  v.setUint32(off + CAP_USER_DATA_OFF_PERMITTED, permitted, true);
  v.setUint32(off + CAP_USER_DATA_OFF_INHERITABLE, inheritable, true);
}

export function getCapUserData(v: DataView, off: number): CapUserData {
  return {
    effective: v.getUint32(off + CAP_USER_DATA_OFF_EFFECTIVE, true),
    permitted: v.getUint32(off + CAP_USER_DATA_OFF_PERMITTED, true),
    inheritable: v.getUint32(off + CAP_USER_DATA_OFF_INHERITABLE, true),
  };
}

/** struct vfs_cap_data, revision 2, the value of the security.capability attribute. */
export const VFS_CAP_DATA_SIZE = 20;
export const VFS_CAP_DATA_OFF_MAGIC_ETC = 0;
export const VFS_CAP_DATA_OFF_PERMITTED_LOW = 4;
export const VFS_CAP_DATA_OFF_INHERITABLE_LOW = 8;
export const VFS_CAP_DATA_OFF_PERMITTED_HIGH = 12;
export const VFS_CAP_DATA_OFF_INHERITABLE_HIGH = 16;

export interface VfsCapData {
  magicEtc: number;
  permittedLow: number;
  inheritableLow: number;
  permittedHigh: number;
  inheritableHigh: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putVfsCapData(v: DataView, off: number, s: VfsCapData): void {
  zero(v, off, VFS_CAP_DATA_SIZE);
  v.setUint32(off + VFS_CAP_DATA_OFF_MAGIC_ETC, s.magicEtc, true);
  v.setUint32(off + VFS_CAP_DATA_OFF_PERMITTED_LOW, s.permittedLow, true);
  v.setUint32(off + VFS_CAP_DATA_OFF_INHERITABLE_LOW, s.inheritableLow, true);
  v.setUint32(off + VFS_CAP_DATA_OFF_PERMITTED_HIGH, s.permittedHigh, true);
  v.setUint32(off + VFS_CAP_DATA_OFF_INHERITABLE_HIGH, s.inheritableHigh, true);
}

export function getVfsCapData(v: DataView, off: number): VfsCapData {
  return {
    magicEtc: v.getUint32(off + VFS_CAP_DATA_OFF_MAGIC_ETC, true),
    permittedLow: v.getUint32(off + VFS_CAP_DATA_OFF_PERMITTED_LOW, true),
    inheritableLow: v.getUint32(off + VFS_CAP_DATA_OFF_INHERITABLE_LOW, true),
    permittedHigh: v.getUint32(off + VFS_CAP_DATA_OFF_PERMITTED_HIGH, true),
    inheritableHigh: v.getUint32(off + VFS_CAP_DATA_OFF_INHERITABLE_HIGH, true),
  };
}

/** struct vfs_ns_cap_data, revision 3. */
export const VFS_NS_CAP_DATA_SIZE = 24;
export const VFS_NS_CAP_DATA_OFF_MAGIC_ETC = 0;
export const VFS_NS_CAP_DATA_OFF_PERMITTED_LOW = 4;
export const VFS_NS_CAP_DATA_OFF_INHERITABLE_LOW = 8;
export const VFS_NS_CAP_DATA_OFF_PERMITTED_HIGH = 12;
export const VFS_NS_CAP_DATA_OFF_INHERITABLE_HIGH = 16;
export const VFS_NS_CAP_DATA_OFF_ROOTID = 20;

export interface VfsNsCapData {
  magicEtc: number;
  permittedLow: number;
  inheritableLow: number;
  permittedHigh: number;
  inheritableHigh: number;
  rootid: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putVfsNsCapData(v: DataView, off: number, s: VfsNsCapData): void {
  zero(v, off, VFS_NS_CAP_DATA_SIZE);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_MAGIC_ETC, s.magicEtc, true);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_PERMITTED_LOW, s.permittedLow, true);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_INHERITABLE_LOW, s.inheritableLow, true);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_PERMITTED_HIGH, s.permittedHigh, true);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_INHERITABLE_HIGH, s.inheritableHigh, true);
  v.setUint32(off + VFS_NS_CAP_DATA_OFF_ROOTID, s.rootid, true);
}

export function getVfsNsCapData(v: DataView, off: number): VfsNsCapData {
  return {
    magicEtc: v.getUint32(off + VFS_NS_CAP_DATA_OFF_MAGIC_ETC, true),
    permittedLow: v.getUint32(off + VFS_NS_CAP_DATA_OFF_PERMITTED_LOW, true),
    inheritableLow: v.getUint32(off + VFS_NS_CAP_DATA_OFF_INHERITABLE_LOW, true),
    permittedHigh: v.getUint32(off + VFS_NS_CAP_DATA_OFF_PERMITTED_HIGH, true),
    inheritableHigh: v.getUint32(off + VFS_NS_CAP_DATA_OFF_INHERITABLE_HIGH, true),
    rootid: v.getUint32(off + VFS_NS_CAP_DATA_OFF_ROOTID, true),
  };
}
