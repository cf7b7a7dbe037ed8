/**
 * File status (asm/stat.h, linux/stat.h): inode(7), stat(2), statx(2).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// File type and mode bits
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o60000;
export const S_IFDIR = 0o40000;
export const S_IFCHR = 0o20000;
export const S_IFIFO = 0o10000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IRWXU = 0o700;
export const S_IRUSR = 0o400;
export const S_IWUSR = 0o200;
export const S_IXUSR = 0o100;
export const S_IRWXG = 0o70;
export const S_IRGRP = 0o40;
export const S_IWGRP = 0o20;
export const S_IXGRP = 0o10;
export const S_IRWXO = 0o7;
export const S_IROTH = 0o4;
export const S_IWOTH = 0o2;
export const S_IXOTH = 0o1;
export const S_IRWXUGO = 0o777;
export const S_IALLUGO = 0o7777;

// statx(2) mask
export const STATX_TYPE = 0x1;
export const STATX_MODE = 0x2;
export const STATX_NLINK = 0x4;
export const STATX_UID = 0x8;
export const STATX_GID = 0x10;
export const STATX_ATIME = 0x20;
export const STATX_MTIME = 0x40;
export const STATX_CTIME = 0x80;
export const STATX_INO = 0x100;
export const STATX_SIZE = 0x200;
export const STATX_BLOCKS = 0x400;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
export const STATX_MNT_ID = 0x1000;
export const STATX_DIOALIGN = 0x2000;
export const STATX__RESERVED = 0x80000000;
export const STATX_ALL = 0xfff;
export const STATX_MNT_ID_UNIQUE = 0x4000;
export const STATX_SUBVOL = 0x8000;
export const STATX_WRITE_ATOMIC = 0x10000;
export const STATX_DIO_READ_ALIGN = 0x20000;

// stx_attributes
export const STATX_ATTR_COMPRESSED = 4;
export const STATX_ATTR_IMMUTABLE = 0x10;
export const STATX_ATTR_APPEND = 0x20;
export const STATX_ATTR_NODUMP = 0x40;
export const STATX_ATTR_ENCRYPTED = 0x800;
export const STATX_ATTR_AUTOMOUNT = 0x1000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
export const STATX_ATTR_VERITY = 0x100000;
export const STATX_ATTR_DAX = 0x200000;
export const STATX_ATTR_WRITE_ATOMIC = 0x400000;

/** struct stat; blocks are of 512 bytes, dev and rdev encoded as by makedev. */
export const STAT_SIZE = 144;
export const STAT_OFF_DEV = 0;
export const STAT_OFF_INO = 8;
export const STAT_OFF_NLINK = 16;
export const STAT_OFF_MODE = 24;
export const STAT_OFF_UID = 28;
export const STAT_OFF_GID = 32;
export const STAT_OFF_RDEV = 40;
export const STAT_OFF_SIZE = 48;
export const STAT_OFF_BLKSIZE = 56;
export const STAT_OFF_BLOCKS = 64;
export const STAT_OFF_ATIME_SEC = 72;
export const STAT_OFF_ATIME_NSEC = 80;
export const STAT_OFF_MTIME_SEC = 88;
export const STAT_OFF_MTIME_NSEC = 96;
export const STAT_OFF_CTIME_SEC = 104;
export const STAT_OFF_CTIME_NSEC = 112;

export interface Stat {
  dev: number;
  ino: number;
  nlink: number;
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blksize: number;
  blocks: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putStat(v: DataView, off: number, s: Stat): void {
  zero(v, off, STAT_SIZE);
  setU64(v, off + STAT_OFF_DEV, s.dev);
  setU64(v, off + STAT_OFF_INO, s.ino);
  setU64(v, off + STAT_OFF_NLINK, s.nlink);
  v.setUint32(off + STAT_OFF_MODE, s.mode, true);
  v.setUint32(off + STAT_OFF_UID, s.uid, true);
  v.setUint32(off + STAT_OFF_GID, s.gid, true);
  setU64(v, off + STAT_OFF_RDEV, s.rdev);
  setI64(v, off + STAT_OFF_SIZE, s.size);
  setI64(v, off + STAT_OFF_BLKSIZE, s.blksize);
  setI64(v, off + STAT_OFF_BLOCKS, s.blocks);
  setI64(v, off + STAT_OFF_ATIME_SEC, s.atimeSec);
  setI64(v, off + STAT_OFF_ATIME_NSEC, s.atimeNsec);
  setI64(v, off + STAT_OFF_MTIME_SEC, s.mtimeSec);
  setI64(v, off + STAT_OFF_MTIME_NSEC, s.mtimeNsec);
  setI64(v, off + STAT_OFF_CTIME_SEC, s.ctimeSec);
  setI64(v, off + STAT_OFF_CTIME_NSEC, s.ctimeNsec);
}

export function getStat(v: DataView, off: number): Stat {
  return {
    dev: getU64(v, off + STAT_OFF_DEV),
    ino: getU64(v, off + STAT_OFF_INO),
    nlink: getU64(v, off + STAT_OFF_NLINK),
    mode: v.getUint32(off + STAT_OFF_MODE, true),
    uid: v.getUint32(off + STAT_OFF_UID, true),
    gid: v.getUint32(off + STAT_OFF_GID, true),
    rdev: getU64(v, off + STAT_OFF_RDEV),
    size: getI64(v, off + STAT_OFF_SIZE),
    blksize: getI64(v, off + STAT_OFF_BLKSIZE),
    blocks: getI64(v, off + STAT_OFF_BLOCKS),
    atimeSec: getI64(v, off + STAT_OFF_ATIME_SEC),
    atimeNsec: getI64(v, off + STAT_OFF_ATIME_NSEC),
    mtimeSec: getI64(v, off + STAT_OFF_MTIME_SEC),
    mtimeNsec: getI64(v, off + STAT_OFF_MTIME_NSEC),
    ctimeSec: getI64(v, off + STAT_OFF_CTIME_SEC),
    ctimeNsec: getI64(v, off + STAT_OFF_CTIME_NSEC),
  };
}

/** struct statx (STATX_SIZE is a mask bit); device numbers come in two halves. */
export const STATX_BUF_SIZE = 256;
export const STATX_BUF_OFF_MASK = 0;
export const STATX_BUF_OFF_BLKSIZE = 4;
export const STATX_BUF_OFF_ATTRIBUTES = 8;
export const STATX_BUF_OFF_NLINK = 16;
export const STATX_BUF_OFF_UID = 20;
export const STATX_BUF_OFF_GID = 24;
export const STATX_BUF_OFF_MODE = 28;
export const STATX_BUF_OFF_INO = 32;
export const STATX_BUF_OFF_SIZE = 40;
export const STATX_BUF_OFF_BLOCKS = 48;
export const STATX_BUF_OFF_ATTRIBUTES_MASK = 56;
export const STATX_BUF_OFF_ATIME_SEC = 64;
export const STATX_BUF_OFF_ATIME_NSEC = 72;
export const STATX_BUF_OFF_BTIME_SEC = 80;
export const STATX_BUF_OFF_BTIME_NSEC = 88;
export const STATX_BUF_OFF_CTIME_SEC = 96;
export const STATX_BUF_OFF_CTIME_NSEC = 104;
export const STATX_BUF_OFF_MTIME_SEC = 112;
export const STATX_BUF_OFF_MTIME_NSEC = 120;
export const STATX_BUF_OFF_RDEV_MAJOR = 128;
export const STATX_BUF_OFF_RDEV_MINOR = 132;
export const STATX_BUF_OFF_DEV_MAJOR = 136;
export const STATX_BUF_OFF_DEV_MINOR = 140;
export const STATX_BUF_OFF_MNT_ID = 144;
export const STATX_BUF_OFF_DIO_MEM_ALIGN = 152;
export const STATX_BUF_OFF_DIO_OFFSET_ALIGN = 156;

export interface Statx {
  mask: number;
  blksize: number;
  attributes: number;
  nlink: number;
  uid: number;
  gid: number;
  mode: number;
  ino: number;
  size: number;
  blocks: number;
  attributesMask: number;
  atimeSec: number;
  atimeNsec: number;
  btimeSec: number;
  btimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  rdevMajor: number;
  rdevMinor: number;
  devMajor: number;
  devMinor: number;
  mntId: number;
  dioMemAlign: number;
  dioOffsetAlign: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putStatx(v: DataView, off: number, s: Statx): void {
  zero(v, off, STATX_BUF_SIZE);
  v.setUint32(off + STATX_BUF_OFF_MASK, s.mask, true);
  v.setUint32(off + STATX_BUF_OFF_BLKSIZE, s.blksize, true);
  setU64(v, off + STATX_BUF_OFF_ATTRIBUTES, s.attributes);
  v.setUint32(off + STATX_BUF_OFF_NLINK, s.nlink, true);
  v.setUint32(off + STATX_BUF_OFF_UID, s.uid, true);
  v.setUint32(off + STATX_BUF_OFF_GID, s.gid, true);
  v.setUint16(off + STATX_BUF_OFF_MODE, s.mode, true);
  setU64(v, off + STATX_BUF_OFF_INO, s.ino);
  setU64(v, off + STATX_BUF_OFF_SIZE, s.size);
  setU64(v, off + STATX_BUF_OFF_BLOCKS, s.blocks);
  setU64(v, off + STATX_BUF_OFF_ATTRIBUTES_MASK, s.attributesMask);
  setI64(v, off + STATX_BUF_OFF_ATIME_SEC, s.atimeSec);
  v.setUint32(off + STATX_BUF_OFF_ATIME_NSEC, s.atimeNsec, true);
  setI64(v, off + STATX_BUF_OFF_BTIME_SEC, s.btimeSec);
  v.setUint32(off + STATX_BUF_OFF_BTIME_NSEC, s.btimeNsec, true);
  setI64(v, off + STATX_BUF_OFF_CTIME_SEC, s.ctimeSec);
  v.setUint32(off + STATX_BUF_OFF_CTIME_NSEC, s.ctimeNsec, true);
  setI64(v, off + STATX_BUF_OFF_MTIME_SEC, s.mtimeSec);
  v.setUint32(off + STATX_BUF_OFF_MTIME_NSEC, s.mtimeNsec, true);
  v.setUint32(off + STATX_BUF_OFF_RDEV_MAJOR, s.rdevMajor, true);
  v.setUint32(off + STATX_BUF_OFF_RDEV_MINOR, s.rdevMinor, true);
  v.setUint32(off + STATX_BUF_OFF_DEV_MAJOR, s.devMajor, true);
  v.setUint32(off + STATX_BUF_OFF_DEV_MINOR, s.devMinor, true);
  setU64(v, off + STATX_BUF_OFF_MNT_ID, s.mntId);
  v.setUint32(off + STATX_BUF_OFF_DIO_MEM_ALIGN, s.dioMemAlign, true);
  v.setUint32(off + STATX_BUF_OFF_DIO_OFFSET_ALIGN, s.dioOffsetAlign, true);
}

export function getStatx(v: DataView, off: number): Statx {
  return {
    mask: v.getUint32(off + STATX_BUF_OFF_MASK, true),
    blksize: v.getUint32(off + STATX_BUF_OFF_BLKSIZE, true),
    attributes: getU64(v, off + STATX_BUF_OFF_ATTRIBUTES),
    nlink: v.getUint32(off + STATX_BUF_OFF_NLINK, true),
    uid: v.getUint32(off + STATX_BUF_OFF_UID, true),
    gid: v.getUint32(off + STATX_BUF_OFF_GID, true),
    mode: v.getUint16(off + STATX_BUF_OFF_MODE, true),
    ino: getU64(v, off + STATX_BUF_OFF_INO),
    size: getU64(v, off + STATX_BUF_OFF_SIZE),
    blocks: getU64(v, off + STATX_BUF_OFF_BLOCKS),
    attributesMask: getU64(v, off + STATX_BUF_OFF_ATTRIBUTES_MASK),
    atimeSec: getI64(v, off + STATX_BUF_OFF_ATIME_SEC),
    atimeNsec: v.getUint32(off + STATX_BUF_OFF_ATIME_NSEC, true),
    btimeSec: getI64(v, off + STATX_BUF_OFF_BTIME_SEC),
    btimeNsec: v.getUint32(off + STATX_BUF_OFF_BTIME_NSEC, true),
    ctimeSec: getI64(v, off + STATX_BUF_OFF_CTIME_SEC),
    ctimeNsec: v.getUint32(off + STATX_BUF_OFF_CTIME_NSEC, true),
    mtimeSec: getI64(v, off + STATX_BUF_OFF_MTIME_SEC),
    mtimeNsec: v.getUint32(off + STATX_BUF_OFF_MTIME_NSEC, true),
    rdevMajor: v.getUint32(off + STATX_BUF_OFF_RDEV_MAJOR, true),
    rdevMinor: v.getUint32(off + STATX_BUF_OFF_RDEV_MINOR, true),
    devMajor: v.getUint32(off + STATX_BUF_OFF_DEV_MAJOR, true),
    devMinor: v.getUint32(off + STATX_BUF_OFF_DEV_MINOR, true),
    mntId: getU64(v, off + STATX_BUF_OFF_MNT_ID),
    dioMemAlign: v.getUint32(off + STATX_BUF_OFF_DIO_MEM_ALIGN, true),
    dioOffsetAlign: v.getUint32(off + STATX_BUF_OFF_DIO_OFFSET_ALIGN, true),
  };
}
