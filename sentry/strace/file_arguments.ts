/** Files: flags, modes, and the structs that tell about them. */
import * as dirent from "../../platform/abi/dirent.ts";
import * as fcntl from "../../platform/abi/fcntl.ts";
import * as fs from "../../platform/abi/fs.ts";
import * as mount from "../../platform/abi/mount.ts";
import * as stat from "../../platform/abi/stat.ts";
import * as uio from "../../platform/abi/uio.ts";
import * as unistd from "../../platform/abi/unistd.ts";
import * as xattr from "../../platform/abi/xattr.ts";
import { O_ACCMODE, O_CREAT, O_TMPFILE } from "../../platform/abi/fcntl.ts";
import { S_IFMT } from "../../platform/abi/stat.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { type Call, hexOf, pointer } from "./call.ts";
import {
  type Argument,
  filled,
  given,
  named,
  octalOf,
  showArray,
  showBytes,
  showStruct,
  type Struct,
  structIn,
  structOut,
} from "./arguments.ts";
import { choiceAndFlags, choiceOf, flagsOf, namesOf } from "./names.ts";

// --- Flags and modes --------------------------------------------------------------------------------

const accessModes = choiceOf(namesOf(fcntl, /^O_(RDONLY|WRONLY|RDWR|ACCMODE)$/));
const restOfOpen = flagsOf(
  namesOf(fcntl, /^O_(?!RDONLY$|WRONLY$|RDWR$|ACCMODE$|NDELAY$)/),
);
export const showOpenFlags = choiceAndFlags(O_ACCMODE, accessModes, restOfOpen);
export const openFlags = named(showOpenFlags);
/** The mode of an open that may make a file; otherwise nothing. */
export const modeIfMade = given((c, i) => {
  const flags = c.args.i32(i - 1);
  const makes = (flags & O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE;
  return makes ? octalOf(c.args.u32(i)) : null;
});
export const pipeFlags = named(restOfOpen);
export const atFlags = named(flagsOf(namesOf(
  fcntl,
  /^AT_(SYMLINK_NOFOLLOW|SYMLINK_FOLLOW|NO_AUTOMOUNT|EMPTY_PATH|RECURSIVE|STATX_(FORCE|DONT)_SYNC)$/,
)));
export const unlinkFlags = named(flagsOf(namesOf(fcntl, /^AT_(REMOVEDIR|EMPTY_PATH)$/)));
export const accessFlags = named(
  flagsOf(namesOf(fcntl, /^AT_(EACCESS|SYMLINK_NOFOLLOW|EMPTY_PATH)$/)),
);
export const accessMode = named(flagsOf(namesOf(unistd, /^[RWX]_OK$/), "F_OK"));
export const whence = named(choiceOf(namesOf(unistd, /^SEEK_/)));
export const renameFlags = named(flagsOf(namesOf(fs, /^RENAME_/)));
export const fallocateMode = named(flagsOf(namesOf(fs, /^FALLOC_FL_/)));
export const advice = named(choiceOf(namesOf(fcntl, /^POSIX_FADV_/)));
export const flockOperation = named(flagsOf(namesOf(fcntl, /^LOCK_(SH|EX|NB|UN)$/)));
export const rwFlags = named(flagsOf(namesOf(uio, /^RWF_/)));
export const syncRangeFlags = named(
  flagsOf(namesOf(fcntl, /^SYNC_FILE_RANGE_(WAIT_BEFORE|WRITE|WAIT_AFTER)$/)),
);
export const xattrFlags = named(flagsOf(namesOf(xattr, /^XATTR_(CREATE|REPLACE)$/)));

const fileTypes = choiceOf(namesOf(stat, /^S_IF(?!MT$)/), octalOf);

/** "S_IFREG|0644" */
export function showMode(mode: number): string {
  const type = mode & S_IFMT;
  const permissions = `0${(mode & ~S_IFMT).toString(8).padStart(3, "0")}`;
  return type === 0 ? permissions : `${fileTypes(type)}|${permissions}`;
}
export const mode = named((n) => showMode(n & 0xffff));
export const device = given((c, i) => {
  const dev = c.args.u32(i);
  const isDevice = [stat.S_IFCHR, stat.S_IFBLK].includes(c.args.i32(i - 1) & S_IFMT);
  if (!isDevice) return null;
  const major = dev >>> 8 & 0xfff;
  const minor = dev & 0xff | dev >>> 12 & 0xfff00;
  return `makedev(${hexOf(major)}, ${hexOf(minor)})`;
});

// --- Structs ----------------------------------------------------------------------------------------

const statStruct: Struct = {
  size: stat.STAT_SIZE,
  show: (v, off) => {
    const mode = v.getUint32(off + stat.STAT_OFF_MODE, true);
    const rdev = getU64(v, off + stat.STAT_OFF_RDEV);
    const isDevice = [stat.S_IFCHR, stat.S_IFBLK].includes(mode & S_IFMT);
    const detail = isDevice
      ? `st_rdev=makedev(${hexOf(rdev >>> 8)}, ${hexOf(rdev & 0xff)})`
      : `st_size=${getU64(v, off + stat.STAT_OFF_SIZE)}`;
    return `{st_mode=${showMode(mode)}, ${detail}, ...}`;
  },
};
export const statOut = structOut(statStruct);

const statxNames = flagsOf(
  namesOf(stat, /^STATX_(?!ALL|ATTR_|BUF_|_|BASIC_STATS_)/),
);
export const statxMask = named(statxNames);
export const statxOut = structOut({
  size: stat.STATX_BUF_SIZE,
  show: (v, off) => {
    const s = stat.getStatx(v, off);
    return `{stx_mask=${statxNames(s.mask)}, stx_mode=${
      showMode(s.mode)
    }, stx_size=${s.size}, ...}`;
  },
});

const magics = choiceOf(
  namesOf(mount, /_MAGIC$|_SUPER_MAGIC2$/).filter(({ name }) => !/^(EXT[23]|BINFMTFS)_/.test(name)),
);
export const statfsOut = structOut({
  size: mount.STATFS_SIZE,
  show: (v, off) => {
    const s = mount.getStatfs(v, off);
    return `{f_type=${magics(s.type)}, f_bsize=${s.bsize}, f_blocks=${s.blocks}, ` +
      `f_bfree=${s.bfree}, ...}`;
  },
});

const resolve = flagsOf(namesOf(fcntl, /^RESOLVE_/));
export const openHowIn = structIn({
  size: fcntl.OPEN_HOW_SIZE,
  show: (v, off) => {
    const h = fcntl.getOpenHow(v, off);
    const mode = (h.flags & O_CREAT) !== 0 ? `, mode=${octalOf(h.mode)}` : "";
    return `{flags=${showOpenFlags(h.flags)}${mode}, resolve=${resolve(h.resolve)}}`;
  },
});

/** What getdents fills: how many entries there are. */
export const entriesOut = filled((c, i) => {
  const addr = c.args.addr(i);
  const v = c.view(addr, c.result);
  if (v === null) return pointer(addr);
  let count = 0;
  for (let at = 0; at < c.result; count++) {
    const length = v.getUint16(at + dirent.DIRENT64_OFF_RECLEN, true);
    if (length === 0) break;
    at += length;
  }
  return `${pointer(addr)} /* ${count} entries */`;
});

// --- Vectors ----------------------------------------------------------------------------------------

/** struct iovec; what the first bytes are, up to `limit` in all when the kernel fills them. */
export function showIovec(c: Call, addr: number, count: number, limit: number): string {
  let left = limit;
  return showArray(c, addr, count, {
    size: uio.IOVEC_SIZE,
    show: (v, off) => {
      const { baseAddr, len } = uio.getIovec(v, off);
      const n = Math.min(len, left);
      left -= n;
      return `{iov_base=${showBytes(c, baseAddr, n)}, iov_len=${len}}`;
    },
  });
}
export const iovecIn = given((c, i) =>
  showIovec(c, c.args.addr(i), c.args.u32(i + 1), Number.MAX_SAFE_INTEGER)
);
export const iovecOut = filled((c, i) => showIovec(c, c.args.addr(i), c.args.u32(i + 1), c.result));
/** Addresses in another process. */
export const iovecFar = given((c, i) =>
  showArray(c, c.args.addr(i), c.args.u32(i + 1), {
    size: uio.IOVEC_SIZE,
    show: (v, off) => {
      const { baseAddr, len } = uio.getIovec(v, off);
      return `{iov_base=${pointer(baseAddr)}, iov_len=${len}}`;
    },
  })
);

// --- fcntl(2) ---------------------------------------------------------------------------------------

const commands = choiceOf(namesOf(
  fcntl,
  /^F_(?!RDLCK|WRLCK|UNLCK|EXLCK|SHLCK|OWNER_(TID|PID|PGRP)|SEAL_|LINUX_)/,
));
const lockTypes = choiceOf(namesOf(fcntl, /^F_(RDLCK|WRLCK|UNLCK)$/));
const whences = choiceOf(namesOf(unistd, /^SEEK_/));
const seals = flagsOf(namesOf(fcntl, /^F_SEAL_/));
const descriptorFlags = flagsOf(namesOf(fcntl, /^FD_CLOEXEC$/));
const ownerTypes = choiceOf(namesOf(fcntl, /^F_OWNER_(TID|PID|PGRP)$/));

const lock: Struct = {
  size: fcntl.FLOCK_SIZE,
  show: (v, off, c) => {
    const l = fcntl.getFlock(v, off);
    const isAsked = [fcntl.F_GETLK, fcntl.F_OFD_GETLK].includes(c.args.i32(1));
    return `{l_type=${lockTypes(l.type)}, l_whence=${whences(l.whence)}, l_start=${l.start}, ` +
      `l_len=${l.len}${isAsked ? `, l_pid=${l.pid}` : ""}}`;
  },
};
const owner: Struct = {
  size: fcntl.FOWNER_EX_SIZE,
  show: (v, off) => {
    const o = fcntl.getFOwnerEx(v, off);
    return `{type=${ownerTypes(o.type)}, pid=${o.pid}}`;
  },
};

export const fcntlCommand = named(commands);
/** The third argument, as the command before it wants. */
export const fcntlValue: Argument = {
  late: true,
  show: (c, i) => {
    switch (c.args.i32(i - 1)) {
      case fcntl.F_GETFD:
      case fcntl.F_GETFL:
      case fcntl.F_GETOWN:
      case fcntl.F_GETSIG:
      case fcntl.F_GETLEASE:
      case fcntl.F_GETPIPE_SZ:
      case fcntl.F_GET_SEALS:
        return null;
      case fcntl.F_SETFD:
        return descriptorFlags(c.args.i32(i));
      case fcntl.F_SETFL:
        return showOpenFlags(c.args.i32(i));
      case fcntl.F_ADD_SEALS:
        return seals(c.args.i32(i));
      case fcntl.F_GETLK:
      case fcntl.F_SETLK:
      case fcntl.F_SETLKW:
      case fcntl.F_OFD_GETLK:
      case fcntl.F_OFD_SETLK:
      case fcntl.F_OFD_SETLKW:
        return showStruct(c, c.args.addr(i), lock);
      case fcntl.F_GETOWN_EX:
      case fcntl.F_SETOWN_EX:
        return showStruct(c, c.args.addr(i), owner);
      default:
        return `${c.args.i32(i)}`;
    }
  },
};

/** "0x8000 (flags O_RDONLY|O_LARGEFILE)" */
export function fcntlResult(c: Call): string {
  const { result } = c;
  switch (c.args.i32(1)) {
    case fcntl.F_GETFD:
      return result === 0 ? "0" : `${hexOf(result)} (flags ${descriptorFlags(result)})`;
    case fcntl.F_GETFL:
      return `${hexOf(result)} (flags ${showOpenFlags(result)})`;
    case fcntl.F_GET_SEALS:
      return result === 0 ? "0" : `${hexOf(result)} (seals ${seals(result)})`;
    default:
      return `${result}`;
  }
}
