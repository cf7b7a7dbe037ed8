/** keyctl(2): what is done with keys that there are. */
import { SYS_keyctl } from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_ADMIN } from "../../platform/abi/capability.ts";
import {
  EACCES,
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOKEY,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
} from "../../platform/abi/errno.ts";
import * as abi from "../../platform/abi/keyctl.ts";
import { latin1Bytes } from "../../platform/abi/latin1.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import { hasCapability, inGroup } from "../auth/credentials.ts";
import {
  type Key,
  keyPermission,
  type KeyRef,
  KEYRING,
  LOGON,
  NEED_LINK,
  NEED_READ,
  NEED_SEARCH,
  NEED_SETATTR,
  NEED_VIEW,
  NEED_WRITE,
  NO_GROUP,
  PERMISSIONS,
  validateKey,
} from "../kernel/keys/key.ts";
import {
  clearKeyring,
  linkKey,
  moveKey,
  searchKeyring,
  unlinkEverywhere,
  unlinkKey,
} from "../kernel/keys/keyring.ts";
import {
  ensureProcessKeyring,
  ensureThreadKeyring,
  giveSession,
  joinSession,
  type Lookup,
  lookupKey,
  queryOf,
  TaskKeyrings,
} from "../kernel/keys/task_keyrings.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import {
  checkPayload,
  copyInDescription,
  copyInPayload,
  copyInType,
  INTO,
  isKeyType,
  linkFound,
  PAYLOAD_MAX,
} from "./keys.ts";

/** What stat(2) says of an id that is none. */
const OVERFLOW_GID = 65534;
const MAX_ERRNO = 4095;

type Operation = (t: Task, args: SyscallArguments) => number;

/** An operation on the key that argument 1 names. */
function onKey(
  how: Lookup,
  operate: (t: Task, ref: KeyRef, args: SyscallArguments) => number,
): Operation {
  return (t, args) => {
    const ref = lookupKey(t, args.i32(1), how);
    return typeof ref === "number" ? ref : operate(t, ref, args);
  };
}

const SETATTR: Lookup = { creates: true, takesNegative: true, need: NEED_SETATTR };
const VIEW: Lookup = { takesNegative: true, need: NEED_VIEW };

function getKeyringId(t: Task, args: SyscallArguments): number {
  const ref = lookupKey(t, args.i32(1), { creates: args.i32(2) !== 0, need: NEED_SEARCH });
  return typeof ref === "number" ? ref : ref.key.serial;
}

function joinSessionKeyring(t: Task, args: SyscallArguments): number {
  if (args.addr(1) === 0) return joinSession(t, null);
  const name = copyInDescription(t, args.addr(1));
  if (typeof name === "number") return name;
  return name.startsWith(".") ? -EPERM : joinSession(t, name);
}

function update(t: Task, args: SyscallArguments): number {
  if (args.addr(3) > PAGE_SIZE) return -EINVAL;
  const payload = copyInPayload(t, args.addr(2), args.addr(3));
  if (typeof payload === "number") return payload;
  const ref = lookupKey(t, args.i32(1), { need: NEED_WRITE });
  if (typeof ref === "number") return ref;
  const { key } = ref;
  if (key.type === KEYRING) return -EOPNOTSUPP;
  const err = checkPayload(key.type, payload);
  return err < 0 ? err : t.kernel.keys.setPayload(key, payload);
}

/** What it holds is gone; the key itself stays where it is linked. */
function revoke(t: Task, args: SyscallArguments): number {
  let ref = lookupKey(t, args.i32(1), { need: NEED_WRITE });
  if (ref === -EACCES) ref = lookupKey(t, args.i32(1), { need: NEED_SETATTR });
  if (typeof ref === "number") return ref;
  const { keys } = t.kernel;
  ref.key.isRevoked = true;
  if (clearKeyring(keys, ref.key) < 0) keys.setPayload(ref.key, new Uint8Array(0));
  return 0;
}

const chown = onKey(SETATTR, (t, { key }, args) => {
  const uid = args.u32(2);
  const gid = args.u32(3);
  const changesUid = args.i32(2) !== -1 && uid !== key.uid;
  const changesGid = args.i32(3) !== -1 && gid !== key.gid;
  if (!hasCapability(t.creds, CAP_SYS_ADMIN)) {
    if (changesUid || (changesGid && !inGroup(t.creds, gid))) return -EACCES;
  }
  const err = changesUid ? t.kernel.keys.changeOwner(key, uid) : 0;
  if (err < 0) return err;
  if (changesGid) key.gid = gid;
  return 0;
});

const setPermissions = onKey(SETATTR, (t, { key }, args) => {
  if (key.uid !== t.creds.fsuid && !hasCapability(t.creds, CAP_SYS_ADMIN)) return -EACCES;
  key.permissions = args.u32(2);
  return 0;
});

const describe = onKey(VIEW, (t, { key }, args) => {
  const gid = key.gid === NO_GROUP ? OVERFLOW_GID : key.gid;
  const permissions = key.permissions.toString(16).padStart(8, "0");
  return putText(t, args, `${key.type};${key.uid};${gid};${permissions};${key.description}`);
});

/** A string into the buffer of arguments 2 and 3, if it fits there. Returns what it takes with its end. */
function putText(t: Task, args: SyscallArguments, text: string): number {
  return putIfFits(t, args, latin1Bytes(text + "\0"));
}

function putIfFits(t: Task, args: SyscallArguments, bytes: Uint8Array): number {
  const { length } = bytes;
  if (args.addr(2) === 0 || args.addr(3) < length) return length;
  return t.copyOut(args.addr(2), bytes, 0, length) < 0 ? -EFAULT : length;
}

function link(t: Task, args: SyscallArguments): number {
  const keyring = lookupKey(t, args.i32(2), INTO);
  if (typeof keyring === "number") return keyring;
  const ref = lookupKey(t, args.i32(1), { creates: true, need: NEED_LINK });
  return typeof ref === "number" ? ref : linkKey(t.kernel.keys, keyring.key, ref.key);
}

/** Of the key itself nothing is asked. */
function unlink(t: Task, args: SyscallArguments): number {
  const keyring = lookupKey(t, args.i32(2), { need: NEED_WRITE });
  if (typeof keyring === "number") return keyring;
  const ref = lookupKey(t, args.i32(1), { ignoresState: true, need: 0 });
  return typeof ref === "number" ? ref : unlinkKey(t.kernel.keys, keyring.key, ref.key);
}

function move(t: Task, args: SyscallArguments): number {
  const flags = args.u32(4);
  if ((flags & ~abi.KEYCTL_MOVE_EXCL) !== 0) return -EINVAL;
  const ref = lookupKey(t, args.i32(1), { creates: true, need: NEED_LINK });
  if (typeof ref === "number") return ref;
  const from = lookupKey(t, args.i32(2), { need: NEED_WRITE });
  if (typeof from === "number") return from;
  const to = lookupKey(t, args.i32(3), INTO);
  if (typeof to === "number") return to;
  return moveKey(t.kernel.keys, ref.key, from.key, to.key, flags !== 0);
}

function search(t: Task, args: SyscallArguments): number {
  const type = copyInType(t, args.addr(2));
  if (typeof type === "number") return type;
  const description = copyInDescription(t, args.addr(3));
  if (typeof description === "number") return description;
  const keyring = lookupKey(t, args.i32(1), { need: NEED_SEARCH });
  if (typeof keyring === "number") return keyring;
  const destination = args.i32(4) === 0 ? null : lookupKey(t, args.i32(4), INTO);
  if (typeof destination === "number") return destination;
  if (!isKeyType(type)) return -ENOKEY;
  const query = queryOf(t, type, description, keyring.isPossessed);
  const found = searchKeyring(keyring.key, query);
  if (typeof found === "number") return found === -EAGAIN ? -ENOKEY : found;
  return linkFound(t, found, destination);
}

/** Who possesses a key may read it, whatever its permissions say of that. */
function read(t: Task, args: SyscallArguments): number {
  const ref = lookupKey(t, args.i32(1), { ignoresState: true, need: 0 });
  if (typeof ref === "number") return -ENOKEY;
  const { key } = ref;
  if (key.isNegative) return -ENOKEY;
  if (keyPermission(ref, t.creds, NEED_READ) < 0 && !ref.isPossessed) return -EACCES;
  if (key.type === LOGON) return -EOPNOTSUPP;
  const err = validateKey(key, t.kernel.nowRealtime().sec);
  return err < 0 ? err : putIfFits(t, args, contentOf(key));
}

/** A keyring reads as the numbers of its keys. */
function contentOf(key: Key): Uint8Array {
  if (key.links === null) return key.payload;
  const serials = Int32Array.from(key.links.values(), (linked) => linked.serial);
  return new Uint8Array(serials.buffer);
}

/** Nobody is asked to make a key for another, so that none has the authority to. */
function instantiate(_t: Task, args: SyscallArguments): number {
  return args.addr(3) > PAYLOAD_MAX ? -EINVAL : -EPERM;
}

function reject(_t: Task, args: SyscallArguments): number {
  const error = args.u32(3);
  const isRestart = error >= 512 && error <= 516;
  return error === 0 || error >= MAX_ERRNO || isRestart ? -EINVAL : -EPERM;
}

function assumeAuthority(_t: Task, args: SyscallArguments): number {
  const id = args.i32(1);
  if (id < 0) return -EINVAL;
  return id === 0 ? 0 : -ENOKEY;
}

function setRequestKeyring(t: Task, args: SyscallArguments): number {
  const wanted = args.i32(1);
  const own = t.keyrings ??= new TaskKeyrings();
  const before = own.requestDefault;
  if (wanted === abi.KEY_REQKEY_DEFL_NO_CHANGE) return before;
  const isKnown = wanted >= abi.KEY_REQKEY_DEFL_DEFAULT &&
    wanted <= abi.KEY_REQKEY_DEFL_REQUESTOR_KEYRING;
  if (!isKnown || wanted === abi.KEY_REQKEY_DEFL_GROUP_KEYRING) return -EINVAL;
  const keyring = wanted === abi.KEY_REQKEY_DEFL_THREAD_KEYRING
    ? ensureThreadKeyring(t)
    : wanted === abi.KEY_REQKEY_DEFL_PROCESS_KEYRING
    ? ensureProcessKeyring(t)
    : null;
  if (typeof keyring === "number") return keyring;
  own.requestDefault = wanted;
  return before;
}

const setTimeout = onKey(SETATTR, (t, { key }, args) => {
  const seconds = args.u32(2);
  key.expirySec = seconds === 0 ? Infinity : t.kernel.nowRealtime().sec + seconds;
  return 0;
});

/** The label of a security module, of which there is none. */
const getSecurity = onKey(VIEW, (t, _ref, args) => {
  return putText(t, args, "");
});

const invalidate = onKey({ need: NEED_SEARCH }, (t, { key }) => {
  key.isInvalidated = true;
  unlinkEverywhere(t.kernel.keys, key);
  return 0;
});

const clear = onKey(INTO, (t, { key }) => clearKeyring(t.kernel.keys, key));

/** Keys of no type that there is can say which links a keyring takes; without a type it takes none. */
const restrict = onKey({ need: NEED_SETATTR }, (t, { key }, args) => {
  if (args.addr(2) === 0) {
    if (args.addr(3) !== 0) return -EINVAL;
    if (key.links === null) return -ENOTDIR;
    if (key.isRestricted) return -EEXIST;
    key.isRestricted = true;
    return 0;
  }
  if (args.addr(3) === 0) return -EINVAL;
  const type = copyInType(t, args.addr(2));
  if (typeof type === "number") return type;
  const restriction = copyInDescription(t, args.addr(3));
  if (typeof restriction === "number") return restriction;
  if (key.links === null) return -ENOTDIR;
  return isKeyType(type) ? -ENOENT : -ENOKEY;
});

/** The parent process must be alone, of the same user, and not init. */
function sessionToParent(t: Task): number {
  const session = lookupKey(t, abi.KEY_SPEC_SESSION_KEYRING, { need: NEED_LINK });
  if (typeof session === "number") return session;
  const { parent } = t.tg;
  if (parent === null || parent.pid <= 1 || parent.threads.length !== 1) return -EPERM;
  const other = parent.leader.keyrings?.session ?? null;
  if (other === session.key) return 0;
  const { euid, egid } = t.creds;
  const theirs = parent.leader.creds;
  const isSame = [theirs.ruid, theirs.euid, theirs.suid].every((id) => id === euid) &&
    [theirs.rgid, theirs.egid, theirs.sgid].every((id) => id === egid);
  const isOwner = session.key.uid === euid && (other === null || other.uid === euid);
  if (!isSame || !isOwner) return -EPERM;
  giveSession(t, parent.leader);
  return 0;
}

const CAPABILITIES = Uint8Array.of(
  abi.KEYCTL_CAPS0_CAPABILITIES | abi.KEYCTL_CAPS0_INVALIDATE |
    abi.KEYCTL_CAPS0_RESTRICT_KEYRING | abi.KEYCTL_CAPS0_MOVE,
  abi.KEYCTL_CAPS1_NS_KEYRING_NAME,
);

/** Fills the buffer of arguments 1 and 2, with zeros where there are no more. */
function capabilities(t: Task, args: SyscallArguments): number {
  const addr = args.addr(1);
  const length = args.addr(2);
  const known = Math.min(length, CAPABILITIES.length);
  const dst = t.userDst(addr, length);
  if (dst.put(CAPABILITIES, 0, known) < known || addr + length > t.mm.taskSize) return -EFAULT;
  return dst.zero(length - known) < length - known ? -EFAULT : CAPABILITIES.length;
}

const OPERATIONS = new Map<number, Operation>([
  [abi.KEYCTL_GET_KEYRING_ID, getKeyringId],
  [abi.KEYCTL_JOIN_SESSION_KEYRING, joinSessionKeyring],
  [abi.KEYCTL_UPDATE, update],
  [abi.KEYCTL_REVOKE, revoke],
  [abi.KEYCTL_CHOWN, (t, args) => args.i32(2) === -1 && args.i32(3) === -1 ? 0 : chown(t, args)],
  [
    abi.KEYCTL_SETPERM,
    (t, args) => (args.u32(2) & ~PERMISSIONS) !== 0 ? -EINVAL : setPermissions(t, args),
  ],
  [abi.KEYCTL_DESCRIBE, describe],
  [abi.KEYCTL_CLEAR, clear],
  [abi.KEYCTL_LINK, link],
  [abi.KEYCTL_UNLINK, unlink],
  [abi.KEYCTL_SEARCH, search],
  [abi.KEYCTL_READ, read],
  [abi.KEYCTL_INSTANTIATE, instantiate],
  [abi.KEYCTL_NEGATE, () => -EPERM],
  [abi.KEYCTL_SET_REQKEY_KEYRING, setRequestKeyring],
  [abi.KEYCTL_SET_TIMEOUT, setTimeout],
  [abi.KEYCTL_ASSUME_AUTHORITY, assumeAuthority],
  [abi.KEYCTL_GET_SECURITY, getSecurity],
  [abi.KEYCTL_SESSION_TO_PARENT, sessionToParent],
  [abi.KEYCTL_REJECT, reject],
  [abi.KEYCTL_INSTANTIATE_IOV, () => -EPERM],
  [abi.KEYCTL_INVALIDATE, invalidate],
  [abi.KEYCTL_RESTRICT_KEYRING, restrict],
  [abi.KEYCTL_MOVE, move],
  [abi.KEYCTL_CAPABILITIES, capabilities],
]);

/** keyctl(2). */
export function keyctl(t: Task, args: SyscallArguments): number {
  const operate = OPERATIONS.get(args.i32(0));
  return operate === undefined ? -EOPNOTSUPP : operate(t, args);
}

const NOTE = "no upcalls, persistent keyrings, notifications or public keys";

export const rows: readonly SyscallRow[] = [
  [SYS_keyctl, "keyctl", keyctl, PARTIAL, NOTE],
];
