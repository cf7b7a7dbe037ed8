/**
 * Mounts and file systems (linux/mount.h, asm/statfs.h, linux/magic.h): mount(2), umount2(2),
 * statfs(2).
 * MNT_ and UMOUNT_ flags are umount2's; MOUNT_ATTR_ and the rest belong to the newer mount calls.
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// mount(2) flags
export const MS_RDONLY = 0x1;
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_SYNCHRONOUS = 0x10;
export const MS_REMOUNT = 0x20;
export const MS_MANDLOCK = 0x40;
export const MS_DIRSYNC = 0x80;
export const MS_NOSYMFOLLOW = 0x100;
export const MS_NOATIME = 0x400;
export const MS_NODIRATIME = 0x800;
export const MS_BIND = 0x1000;
export const MS_MOVE = 0x2000;
export const MS_REC = 0x4000;
export const MS_VERBOSE = 0x8000;
export const MS_SILENT = 0x8000;
export const MS_POSIXACL = 0x10000;
export const MS_UNBINDABLE = 0x20000;
export const MS_PRIVATE = 0x40000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
export const MS_RELATIME = 0x200000;
export const MS_KERNMOUNT = 0x400000;
export const MS_I_VERSION = 0x800000;
export const MS_STRICTATIME = 0x1000000;
export const MS_LAZYTIME = 0x2000000;
export const MS_SUBMOUNT = 0x4000000;
export const MS_NOREMOTELOCK = 0x8000000;
export const MS_NOSEC = 0x10000000;
export const MS_BORN = 0x20000000;
export const MS_ACTIVE = 0x40000000;
export const MS_NOUSER = -2147483648;
export const MS_RMT_MASK = 0x2800051;
export const MS_MGC_VAL = 0xc0ed0000;
export const MS_MGC_MSK = 0xffff0000;

// umount2(2) flags
export const MNT_FORCE = 0x1;
export const MNT_DETACH = 0x2;
export const MNT_EXPIRE = 0x4;
export const UMOUNT_NOFOLLOW = 0x8;

// fsopen(2), fsmount(2), fspick(2), move_mount(2), open_tree(2)
export const FSOPEN_CLOEXEC = 1;
export const FSMOUNT_CLOEXEC = 1;
export const FSPICK_CLOEXEC = 1;
export const FSPICK_SYMLINK_NOFOLLOW = 2;
export const FSPICK_NO_AUTOMOUNT = 4;
export const FSPICK_EMPTY_PATH = 8;
export const MOVE_MOUNT_F_SYMLINKS = 1;
export const MOVE_MOUNT_F_AUTOMOUNTS = 2;
export const MOVE_MOUNT_F_EMPTY_PATH = 4;
export const MOVE_MOUNT_T_SYMLINKS = 0x10;
export const MOVE_MOUNT_T_AUTOMOUNTS = 0x20;
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
export const MOVE_MOUNT_SET_GROUP = 0x100;
export const MOVE_MOUNT_BENEATH = 0x200;
export const OPEN_TREE_CLONE = 1;
export const FSCONFIG_SET_FLAG = 0;
export const FSCONFIG_SET_STRING = 1;
export const FSCONFIG_SET_BINARY = 2;
export const FSCONFIG_SET_PATH = 3;
export const FSCONFIG_SET_PATH_EMPTY = 4;
export const FSCONFIG_SET_FD = 5;
export const FSCONFIG_CMD_CREATE = 6;
export const FSCONFIG_CMD_RECONFIGURE = 7;
export const FSCONFIG_CMD_CREATE_EXCL = 8;
export const MOUNT_ATTR_RDONLY = 1;
export const MOUNT_ATTR_NOSUID = 2;
export const MOUNT_ATTR_NODEV = 4;
export const MOUNT_ATTR_NOEXEC = 8;
export const MOUNT_ATTR__ATIME = 0x70;
export const MOUNT_ATTR_RELATIME = 0;
export const MOUNT_ATTR_NOATIME = 0x10;
export const MOUNT_ATTR_STRICTATIME = 0x20;
export const MOUNT_ATTR_NODIRATIME = 0x80;
export const MOUNT_ATTR_IDMAP = 0x100000;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000;
export const MOUNT_ATTR_SIZE_VER0 = 32;

// f_flags of statfs(2)
export const ST_RDONLY = 0x1;
export const ST_NOSUID = 0x2;
export const ST_NODEV = 0x4;
export const ST_NOEXEC = 0x8;
export const ST_SYNCHRONOUS = 0x10;
export const ST_MANDLOCK = 0x40;
export const ST_WRITE = 0x80;
export const ST_APPEND = 0x100;
export const ST_IMMUTABLE = 0x200;
export const ST_NOATIME = 0x400;
export const ST_NODIRATIME = 0x800;
export const ST_RELATIME = 0x1000;
export const ST_VALID = 0x20;
export const ST_NOSYMFOLLOW = 0x2000;

// f_type of statfs(2)
export const ADFS_SUPER_MAGIC = 0xadf5;
export const AFFS_SUPER_MAGIC = 0xadff;
export const AFS_SUPER_MAGIC = 0x5346414f;
export const AUTOFS_SUPER_MAGIC = 0x187;
export const CEPH_SUPER_MAGIC = 0xc36400;
export const CODA_SUPER_MAGIC = 0x73757245;
export const CRAMFS_MAGIC = 0x28cd3d45;
export const CRAMFS_MAGIC_WEND = 0x453dcd28;
export const DEBUGFS_MAGIC = 0x64626720;
export const SECURITYFS_MAGIC = 0x73636673;
export const SELINUX_MAGIC = 0xf97cff8c;
export const SMACK_MAGIC = 0x43415d53;
export const RAMFS_MAGIC = 0x858458f6;
export const TMPFS_MAGIC = 0x1021994;
export const HUGETLBFS_MAGIC = 0x958458f6;
export const SQUASHFS_MAGIC = 0x73717368;
export const ECRYPTFS_SUPER_MAGIC = 0xf15f;
export const EFS_SUPER_MAGIC = 0x414a53;
export const EROFS_SUPER_MAGIC_V1 = 0xe0f5e1e2;
export const EXT2_SUPER_MAGIC = 0xef53;
export const EXT3_SUPER_MAGIC = 0xef53;
export const XENFS_SUPER_MAGIC = 0xabba1974;
export const EXT4_SUPER_MAGIC = 0xef53;
export const BTRFS_SUPER_MAGIC = 0x9123683e;
export const NILFS_SUPER_MAGIC = 0x3434;
export const F2FS_SUPER_MAGIC = 0xf2f52010;
export const HPFS_SUPER_MAGIC = 0xf995e849;
export const ISOFS_SUPER_MAGIC = 0x9660;
export const JFFS2_SUPER_MAGIC = 0x72b6;
export const XFS_SUPER_MAGIC = 0x58465342;
export const PSTOREFS_MAGIC = 0x6165676c;
export const EFIVARFS_MAGIC = 0xde5e81e4;
export const HOSTFS_SUPER_MAGIC = 0xc0ffee;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const FUSE_SUPER_MAGIC = 0x65735546;
export const MINIX_SUPER_MAGIC = 0x137f;
export const MINIX_SUPER_MAGIC2 = 0x138f;
export const MINIX2_SUPER_MAGIC = 0x2468;
export const MINIX2_SUPER_MAGIC2 = 0x2478;
export const MINIX3_SUPER_MAGIC = 0x4d5a;
export const MSDOS_SUPER_MAGIC = 0x4d44;
export const EXFAT_SUPER_MAGIC = 0x2011bab0;
export const NCP_SUPER_MAGIC = 0x564c;
export const NFS_SUPER_MAGIC = 0x6969;
export const OCFS2_SUPER_MAGIC = 0x7461636f;
export const OPENPROM_SUPER_MAGIC = 0x9fa1;
export const QNX4_SUPER_MAGIC = 0x2f;
export const QNX6_SUPER_MAGIC = 0x68191122;
export const AFS_FS_MAGIC = 0x6b414653;
export const REISERFS_SUPER_MAGIC = 0x52654973;
export const SMB_SUPER_MAGIC = 0x517b;
export const CIFS_SUPER_MAGIC = 0xff534d42;
export const SMB2_SUPER_MAGIC = 0xfe534d42;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
export const RDTGROUP_SUPER_MAGIC = 0x7655821;
export const STACK_END_MAGIC = 0x57ac6e9d;
export const TRACEFS_MAGIC = 0x74726163;
export const V9FS_MAGIC = 0x1021997;
export const BDEVFS_MAGIC = 0x62646576;
export const DAXFS_MAGIC = 0x64646178;
export const BINFMTFS_MAGIC = 0x42494e4d;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const BINDERFS_SUPER_MAGIC = 0x6c6f6f70;
export const FUTEXFS_SUPER_MAGIC = 0xbad1dea;
export const PIPEFS_MAGIC = 0x50495045;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SOCKFS_MAGIC = 0x534f434b;
export const SYSFS_MAGIC = 0x62656572;
export const USBDEVICE_SUPER_MAGIC = 0x9fa2;
export const MTD_INODE_FS_MAGIC = 0x11307854;
export const ANON_INODE_FS_MAGIC = 0x9041934;
export const BTRFS_TEST_MAGIC = 0x73727279;
export const NSFS_MAGIC = 0x6e736673;
export const BPF_FS_MAGIC = 0xcafe4a11;
export const AAFS_MAGIC = 0x5a3c69f0;
export const ZONEFS_MAGIC = 0x5a4f4653;
export const UDF_SUPER_MAGIC = 0x15013346;
export const DMA_BUF_MAGIC = 0x444d4142;
export const DEVMEM_MAGIC = 0x454d444d;
export const SECRETMEM_MAGIC = 0x5345434d;
export const MQUEUE_MAGIC = 0x19800202;

/** struct statfs. */
export const STATFS_SIZE = 120;
export const STATFS_OFF_TYPE = 0;
export const STATFS_OFF_BSIZE = 8;
export const STATFS_OFF_BLOCKS = 16;
export const STATFS_OFF_BFREE = 24;
export const STATFS_OFF_BAVAIL = 32;
export const STATFS_OFF_FILES = 40;
export const STATFS_OFF_FFREE = 48;
export const STATFS_OFF_FSID_LOW = 56;
export const STATFS_OFF_FSID_HIGH = 60;
export const STATFS_OFF_NAMELEN = 64;
export const STATFS_OFF_FRSIZE = 72;
export const STATFS_OFF_FLAGS = 80;

export interface Statfs {
  type: number;
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  fsidLow: number;
  fsidHigh: number;
  namelen: number;
  frsize: number;
  flags: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putStatfs(v: DataView, off: number, s: Statfs): void {
  zero(v, off, STATFS_SIZE);
  setI64(v, off + STATFS_OFF_TYPE, s.type);
  setI64(v, off + STATFS_OFF_BSIZE, s.bsize);
  setI64(v, off + STATFS_OFF_BLOCKS, s.blocks);
  setI64(v, off + STATFS_OFF_BFREE, s.bfree);
  setI64(v, off + STATFS_OFF_BAVAIL, s.bavail);
  setI64(v, off + STATFS_OFF_FILES, s.files);
  setI64(v, off + STATFS_OFF_FFREE, s.ffree);
  v.setInt32(off + STATFS_OFF_FSID_LOW, s.fsidLow, true);
  v.setInt32(off + STATFS_OFF_FSID_HIGH, s.fsidHigh, true);
  setI64(v, off + STATFS_OFF_NAMELEN, s.namelen);
  setI64(v, off + STATFS_OFF_FRSIZE, s.frsize);
  setI64(v, off + STATFS_OFF_FLAGS, s.flags);
}

export function getStatfs(v: DataView, off: number): Statfs {
  return {
    type: getI64(v, off + STATFS_OFF_TYPE),
    bsize: getI64(v, off + STATFS_OFF_BSIZE),
    blocks: getI64(v, off + STATFS_OFF_BLOCKS),
    bfree: getI64(v, off + STATFS_OFF_BFREE),
    bavail: getI64(v, off + STATFS_OFF_BAVAIL),
    files: getI64(v, off + STATFS_OFF_FILES),
    ffree: getI64(v, off + STATFS_OFF_FFREE),
    fsidLow: v.getInt32(off + STATFS_OFF_FSID_LOW, true),
    fsidHigh: v.getInt32(off + STATFS_OFF_FSID_HIGH, true),
    namelen: getI64(v, off + STATFS_OFF_NAMELEN),
    frsize: getI64(v, off + STATFS_OFF_FRSIZE),
    flags: getI64(v, off + STATFS_OFF_FLAGS),
  };
}

/** struct mount_attr, for mount_setattr(2). */
export const MOUNT_ATTR_SIZE = 32;
export const MOUNT_ATTR_OFF_ATTR_SET = 0;
export const MOUNT_ATTR_OFF_ATTR_CLR = 8;
export const MOUNT_ATTR_OFF_PROPAGATION = 16;
export const MOUNT_ATTR_OFF_USERNS_FD = 24;

export interface MountAttr {
  attrSet: number;
  attrClr: number;
  propagation: number;
  usernsFd: number;
}

export function putMountAttr(
  v: DataView,
  off: number,
  attrSet: number,
  attrClr: number,
  propagation: number,
  usernsFd: number,
): void {
  setU64(v, off + MOUNT_ATTR_OFF_ATTR_SET, attrSet);
  setU64(v, off + MOUNT_ATTR_OFF_ATTR_CLR, attrClr);
  setU64(v, off + MOUNT_ATTR_OFF_PROPAGATION, propagation);
  setU64(v, off + MOUNT_ATTR_OFF_USERNS_FD, usernsFd);
}

export function getMountAttr(v: DataView, off: number): MountAttr {
  return {
    attrSet: getU64(v, off + MOUNT_ATTR_OFF_ATTR_SET),
    attrClr: getU64(v, off + MOUNT_ATTR_OFF_ATTR_CLR),
    propagation: getU64(v, off + MOUNT_ATTR_OFF_PROPAGATION),
    usernsFd: getU64(v, off + MOUNT_ATTR_OFF_USERNS_FD),
  };
}

// statmount(2), listmount(2)
export const LISTMOUNT_REVERSE = 1;
export const STATMOUNT_SB_BASIC = 0x1;
export const STATMOUNT_MNT_BASIC = 0x2;
export const STATMOUNT_PROPAGATE_FROM = 0x4;
export const STATMOUNT_MNT_ROOT = 0x8;
export const STATMOUNT_MNT_POINT = 0x10;
export const STATMOUNT_FS_TYPE = 0x20;
export const STATMOUNT_MNT_NS_ID = 0x40;
export const STATMOUNT_MNT_OPTS = 0x80;
export const STATMOUNT_SB_SOURCE = 0x200;
export const MNT_ID_REQ_SIZE_VER0 = 24;
export const MNT_ID_REQ_SIZE_VER1 = 32;
/** Where struct mnt_id_req has its fields, behind its size. */
export const MNT_ID_REQ_MNT_ID = 8;
export const MNT_ID_REQ_PARAM = 16;
export const MNT_ID_REQ_MNT_NS_ID = 24;
/** A mnt_id of all ones (exact as a number is 2^64): the mount at the caller's root. */
export const LSMT_ROOT = 2 ** 64;
/** struct statmount, without the strings behind it. */
export const STATMOUNT_SIZE = 512;
/** Where it has the parts that it fills, and the offsets of two strings. */
export const STATMOUNT_MASK = 8;
export const STATMOUNT_AT_FS_TYPE = 36;
export const STATMOUNT_AT_MNT_POINT = 108;
