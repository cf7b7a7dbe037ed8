/** Mounts: mount(2), the calls by descriptor that came after it, and the mount table by number. */
import * as fcntl from "../../platform/abi/fcntl.ts";
import * as mount from "../../platform/abi/mount.ts";
import { getU64 } from "../../platform/abi/bytes.ts";
import { type Call, hexOf, pointer, STRING_MAX } from "./call.ts";
import {
  type Argument,
  arrayOut,
  dirfd,
  fd,
  filled,
  given,
  named,
  path,
  showBytes,
  showString,
  showStruct,
  string,
  type Struct,
} from "./arguments.ts";
import { choiceOf, flagsOf, type Formatter, type Name, namesOf } from "./names.ts";

export const mountFlags = named(flagsOf(
  namesOf(mount, /^MS_(?!VERBOSE|KERNMOUNT|SUBMOUNT|NOREMOTE|NOSEC|BORN|ACTIVE|NOUSER|RMT|MGC)/),
));
export const umountFlags = named(flagsOf(namesOf(mount, /^(MNT_(?!ID)|UMOUNT_)/)));

const closeOnExec = (name: string): Name => ({ name, value: fcntl.O_CLOEXEC });
const atNames = namesOf(fcntl, /^AT_(SYMLINK_NOFOLLOW|NO_AUTOMOUNT|EMPTY_PATH|RECURSIVE)$/);
const treeNames = [...namesOf(mount, /^OPEN_TREE_/), closeOnExec("OPEN_TREE_CLOEXEC"), ...atNames];
export const treeFlags = named(flagsOf(treeNames));
export const moveFlags = named(flagsOf(namesOf(mount, /^MOVE_MOUNT_/)));
export const fsopenFlags = named(flagsOf(namesOf(mount, /^FSOPEN_/)));
export const fsmountFlags = named(flagsOf(namesOf(mount, /^FSMOUNT_/)));
export const fspickFlags = named(flagsOf(namesOf(mount, /^FSPICK_/)));

/** How access times are kept is a choice among the flags; relatime is none. */
const attributes = flagsOf(namesOf(mount, /^MOUNT_ATTR_(?!SIZE|OFF|_ATIME|RELATIME)/));
export const mountAttributes = named(attributes);

const propagations = flagsOf(namesOf(mount, /^MS_(UNBINDABLE|PRIVATE|SLAVE|SHARED)$/));
const mountAttr: Struct = {
  size: mount.MOUNT_ATTR_SIZE,
  show: (v, off) => {
    const a = mount.getMountAttr(v, off);
    return `{attr_set=${attributes(a.attrSet)}, attr_clr=${attributes(a.attrClr)}, ` +
      `propagation=${propagations(a.propagation)}, userns_fd=${a.usernsFd}}`;
  },
};
/** The argument behind it is its size: an older program's struct is shorter, and none of ours. */
export const mountAttrIn = given((c, i) =>
  c.args.addr(i + 1) < mountAttr.size
    ? pointer(c.args.addr(i))
    : showStruct(c, c.args.addr(i), mountAttr)
);

// --- fsconfig(2) ------------------------------------------------------------------------------------

export const configCommand = named(choiceOf(namesOf(mount, /^FSCONFIG_/)));
const COMMAND = 1;
/** What it is set to; its kind depends on the command. */
export const configValue: Argument = given((c, i) => {
  const addr = c.args.addr(i);
  switch (c.args.i32(COMMAND)) {
    case mount.FSCONFIG_SET_STRING:
      return string.show(c, i);
    case mount.FSCONFIG_SET_PATH:
    case mount.FSCONFIG_SET_PATH_EMPTY:
      return path.show(c, i);
    case mount.FSCONFIG_SET_BINARY:
      return showBytes(c, addr, c.args.u32(i + 1));
    default:
      return pointer(addr);
  }
});
/** A directory, a descriptor, a size, or 0. */
export const configAux: Argument = given((c, i) => {
  const command = c.args.i32(COMMAND);
  const isPath = command === mount.FSCONFIG_SET_PATH || command === mount.FSCONFIG_SET_PATH_EMPTY;
  return (isPath ? dirfd : fd).show(c, i);
});

// --- statmount(2), listmount(2) ---------------------------------------------------------------------

const sizes = choiceOf(namesOf(mount, /^MNT_ID_REQ_SIZE_/), (n) => `${n}`);
const parts = flagsOf(namesOf(mount, /^STATMOUNT_(?!SIZE|MASK|AT_)/));

function showRequest(c: Call, addr: number, param: Formatter): string {
  const v = c.view(addr, mount.MNT_ID_REQ_SIZE_VER0);
  if (v === null) return pointer(addr);
  const id = getU64(v, mount.MNT_ID_REQ_MNT_ID);
  return `{size=${sizes(v.getUint32(0, true))}, ` +
    `mnt_id=${id >= mount.LSMT_ROOT ? "LSMT_ROOT" : hexOf(id)}, ` +
    `param=${param(getU64(v, mount.MNT_ID_REQ_PARAM))}}`;
}
export const statmountRequest = given((c, i) => showRequest(c, c.args.addr(i), parts));
export const listmountRequest = given((c, i) => showRequest(c, c.args.addr(i), hexOf));

/** struct statmount: what was asked for, and of the strings behind it the two that name the mount. */
export const statmountOut = filled((c, i) => {
  const addr = c.args.addr(i);
  const v = c.view(addr, mount.STATMOUNT_SIZE);
  if (v === null) return pointer(addr);
  const mask = getU64(v, mount.STATMOUNT_MASK);
  const text = (at: number) =>
    showString(c, addr + mount.STATMOUNT_SIZE + v.getUint32(at, true), STRING_MAX);
  const fields = [`size=${v.getUint32(0, true)}`, `mask=${parts(mask)}`];
  if ((mask & mount.STATMOUNT_FS_TYPE) !== 0) {
    fields.push(`fs_type=${text(mount.STATMOUNT_AT_FS_TYPE)}`);
  }
  if ((mask & mount.STATMOUNT_MNT_POINT) !== 0) {
    fields.push(`mnt_point=${text(mount.STATMOUNT_AT_MNT_POINT)}`);
  }
  return `{${fields.join(", ")}, ...}`;
});

const mountId: Struct = { size: 8, show: (v, off) => hexOf(getU64(v, off)) };
export const mountIdsOut = arrayOut(mountId);
export const listmountFlags = named(flagsOf(namesOf(mount, /^LISTMOUNT_/)));
