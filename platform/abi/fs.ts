/**
 * File system calls' flags (linux/fs.h, linux/falloc.h): rename(2), fallocate(2), ioctl_iflags(2).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// renameat2(2)
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
export const RENAME_WHITEOUT = 4;

// fallocate(2)
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const FALLOC_FL_NO_HIDE_STALE = 4;
export const FALLOC_FL_COLLAPSE_RANGE = 8;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;
export const FALLOC_FL_UNSHARE_RANGE = 0x40;

// Inode flags
export const FS_SECRM_FL = 0x1;
export const FS_UNRM_FL = 0x2;
export const FS_COMPR_FL = 0x4;
export const FS_SYNC_FL = 0x8;
export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;
export const FS_NODUMP_FL = 0x40;
export const FS_NOATIME_FL = 0x80;
export const FS_DIRTY_FL = 0x100;
export const FS_COMPRBLK_FL = 0x200;
export const FS_NOCOMP_FL = 0x400;
export const FS_ENCRYPT_FL = 0x800;
export const FS_BTREE_FL = 0x1000;
export const FS_INDEX_FL = 0x1000;
export const FS_IMAGIC_FL = 0x2000;
export const FS_NOTAIL_FL = 0x8000;
export const FS_DIRSYNC_FL = 0x10000;
export const FS_TOPDIR_FL = 0x20000;
export const FS_EXTENT_FL = 0x80000;
export const FS_VERITY_FL = 0x100000;
export const FS_EOFBLOCKS_FL = 0x400000;
export const FS_NOCOW_FL = 0x800000;
export const FS_DAX_FL = 0x2000000;
export const FS_PROJINHERIT_FL = 0x20000000;
export const FS_CASEFOLD_FL = 0x40000000;
export const FS_RESERVED_FL = 0x80000000;

// fsxattr flags
export const FS_XFLAG_REALTIME = 0x1;
export const FS_XFLAG_PREALLOC = 0x2;
export const FS_XFLAG_IMMUTABLE = 0x8;
export const FS_XFLAG_APPEND = 0x10;
export const FS_XFLAG_SYNC = 0x20;
export const FS_XFLAG_NOATIME = 0x40;
export const FS_XFLAG_NODUMP = 0x80;
export const FS_XFLAG_RTINHERIT = 0x100;
export const FS_XFLAG_PROJINHERIT = 0x200;
export const FS_XFLAG_NOSYMLINKS = 0x400;
export const FS_XFLAG_EXTSIZE = 0x800;
export const FS_XFLAG_EXTSZINHERIT = 0x1000;
export const FS_XFLAG_NODEFRAG = 0x2000;
export const FS_XFLAG_FILESTREAM = 0x4000;
export const FS_XFLAG_DAX = 0x8000;
export const FS_XFLAG_COWEXTSIZE = 0x10000;
export const FS_XFLAG_HASATTR = 0x80000000;

/** struct file_clone_range, of FICLONERANGE. */
export const FILE_CLONE_RANGE_SIZE = 32;
export const FILE_CLONE_RANGE_OFF_SRC_FD = 0;
export const FILE_CLONE_RANGE_OFF_SRC_OFFSET = 8;
export const FILE_CLONE_RANGE_OFF_SRC_LENGTH = 16;
export const FILE_CLONE_RANGE_OFF_DEST_OFFSET = 24;

export interface FileCloneRange {
  srcFd: number;
  srcOffset: number;
  srcLength: number;
  destOffset: number;
}

export function putFileCloneRange(
  v: DataView,
  off: number,
  srcFd: number,
  srcOffset: number,
  srcLength: number,
  destOffset: number,
): void {
  setI64(v, off + FILE_CLONE_RANGE_OFF_SRC_FD, srcFd);
  setU64(v, off + FILE_CLONE_RANGE_OFF_SRC_OFFSET, srcOffset);
  setU64(v, off + FILE_CLONE_RANGE_OFF_SRC_LENGTH, srcLength);
  setU64(v, off + FILE_CLONE_RANGE_OFF_DEST_OFFSET, destOffset);
}

export function getFileCloneRange(v: DataView, off: number): FileCloneRange {
  return {
    srcFd: getI64(v, off + FILE_CLONE_RANGE_OFF_SRC_FD),
    srcOffset: getU64(v, off + FILE_CLONE_RANGE_OFF_SRC_OFFSET),
    srcLength: getU64(v, off + FILE_CLONE_RANGE_OFF_SRC_LENGTH),
    destOffset: getU64(v, off + FILE_CLONE_RANGE_OFF_DEST_OFFSET),
  };
}

/** struct fsxattr, of FS_IOC_FSGETXATTR. */
export const FSXATTR_SIZE = 28;
export const FSXATTR_OFF_XFLAGS = 0;
export const FSXATTR_OFF_EXTSIZE = 4;
export const FSXATTR_OFF_NEXTENTS = 8;
export const FSXATTR_OFF_PROJID = 12;
export const FSXATTR_OFF_COWEXTSIZE = 16;

export interface Fsxattr {
  xflags: number;
  extsize: number;
  nextents: number;
  projid: number;
  cowextsize: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putFsxattr(v: DataView, off: number, s: Fsxattr): void {
  zero(v, off, FSXATTR_SIZE);
  v.setUint32(off + FSXATTR_OFF_XFLAGS, s.xflags, true);
  v.setUint32(off + FSXATTR_OFF_EXTSIZE, s.extsize, true);
  v.setUint32(off + FSXATTR_OFF_NEXTENTS, s.nextents, true);
  v.setUint32(off + FSXATTR_OFF_PROJID, s.projid, true);
  v.setUint32(off + FSXATTR_OFF_COWEXTSIZE, s.cowextsize, true);
}

export function getFsxattr(v: DataView, off: number): Fsxattr {
  return {
    xflags: v.getUint32(off + FSXATTR_OFF_XFLAGS, true),
    extsize: v.getUint32(off + FSXATTR_OFF_EXTSIZE, true),
    nextents: v.getUint32(off + FSXATTR_OFF_NEXTENTS, true),
    projid: v.getUint32(off + FSXATTR_OFF_PROJID, true),
    cowextsize: v.getUint32(off + FSXATTR_OFF_COWEXTSIZE, true),
  };
}

// ioctl(2) of /proc/PID/maps
export const PROCMAP_QUERY = 0xc068_6611;
export const PROCMAP_QUERY_VMA_READABLE = 1;
export const PROCMAP_QUERY_VMA_WRITABLE = 2;
export const PROCMAP_QUERY_VMA_EXECUTABLE = 4;
export const PROCMAP_QUERY_VMA_SHARED = 8;
export const PROCMAP_QUERY_COVERING_OR_NEXT_VMA = 0x10;
export const PROCMAP_QUERY_FILE_BACKED_VMA = 0x20;

/** struct file_attr of file_getattr(2). */
export const FILE_ATTR_SIZE_VER0 = 24;
