/** add_key(2), request_key(2); keyctl(2) is in keyctl.ts. */
import { SYS_add_key, SYS_request_key } from "../../platform/abi/amd64/syscalls.ts";
import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOKEY,
  ENOTDIR,
  EPERM,
} from "../../platform/abi/errno.ts";
import { PAGE_SIZE } from "../../platform/abi/limits.ts";
import {
  indexOf,
  type Key,
  keyPermission,
  type KeyRef,
  KEYRING,
  type KeyType,
  LOGON,
  NEED_LINK,
  NEED_READ,
  NEED_VIEW,
  NEED_WRITE,
  OWNER_SHIFT,
  POSSESSOR_ALL,
  USER,
} from "../kernel/keys/key.ts";
import { linkKey } from "../kernel/keys/keyring.ts";
import {
  type Lookup,
  lookupKey,
  requestDestination,
  searchTask,
} from "../kernel/keys/task_keyrings.ts";
import { PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { copyInText } from "./path_args.ts";

export const PAYLOAD_MAX = 1024 * 1024 - 1;
/** Of a `user` or `logon` key. */
const USER_PAYLOAD_MAX = 32767;
const TYPE_NAME_MAX = 32;
const DESCRIPTION_MAX = 4096;
/** A keyring that gets a link. */
export const INTO: Lookup = { creates: true, need: NEED_WRITE };
/** How long it is remembered that there is no such key. */
const NEGATIVE_SEC = 60;

/** A type's name, which need not be one that there is; -EFAULT, -EINVAL, -EPERM for the kernel's own. */
export function copyInType(t: Task, addr: number): string | number {
  const name = copyInText(t, addr, TYPE_NAME_MAX);
  if (typeof name === "number") return name;
  if (name === "") return -EINVAL;
  return name.startsWith(".") ? -EPERM : name;
}

export function copyInDescription(t: Task, addr: number): string | number {
  return copyInText(t, addr, DESCRIPTION_MAX);
}

/** Bytes of the guest's, or -EFAULT. */
export function copyInPayload(t: Task, addr: number, length: number): Uint8Array | number {
  const payload = new Uint8Array(length);
  return length > 0 && t.copyIn(addr, payload, 0, length) < 0 ? -EFAULT : payload;
}

export function isKeyType(name: string): name is KeyType {
  return name === USER || name === LOGON || name === KEYRING;
}

/** Whether a key of that type can hold `payload`: a keyring has none. 0 or -EINVAL. */
export function checkPayload(type: KeyType, payload: Uint8Array): number {
  const { length } = payload;
  const isFine = type === KEYRING ? length === 0 : length > 0 && length <= USER_PAYLOAD_MAX;
  return isFine ? 0 : -EINVAL;
}

/** Its possessor may do everything but read what is not to be read, or write what cannot be written. */
function permissionsOf(type: KeyType): number {
  const possessor = type === LOGON ? POSSESSOR_ALL & ~(NEED_READ << 24) : POSSESSOR_ALL;
  return possessor | NEED_VIEW << OWNER_SHIFT;
}

/** The caller's, without a payload, linked nowhere. */
function newKey(t: Task, type: KeyType, description: string): Key | number {
  const owner = { uid: t.creds.fsuid, gid: t.creds.fsgid };
  return t.kernel.keys.create(type, description, owner, permissionsOf(type));
}

/** add_key(2). */
export function addKey(t: Task, args: SyscallArguments): number {
  const length = args.addr(3);
  if (length > PAYLOAD_MAX) return -EINVAL;
  const type = copyInType(t, args.addr(0));
  if (typeof type === "number") return type;
  const description = args.addr(1) === 0 ? "" : copyInDescription(t, args.addr(1));
  if (typeof description === "number") return description;
  if (description.startsWith(".") && type.startsWith(KEYRING)) return -EPERM;
  const payload = copyInPayload(t, args.addr(2), length);
  if (typeof payload === "number") return payload;
  const keyring = lookupKey(t, args.i32(4), INTO);
  if (typeof keyring === "number") return keyring;
  if (!isKeyType(type)) return -ENODEV;
  const key = createOrUpdate(t, keyring, type, description, payload);
  return typeof key === "number" ? key : key.serial;
}

/** The key of that name in the keyring with a new payload, or a new key (Linux: key_create_or_update). */
function createOrUpdate(
  t: Task,
  keyring: KeyRef,
  type: KeyType,
  description: string,
  payload: Uint8Array,
): Key | number {
  const { links } = keyring.key;
  if (links === null) return -ENOTDIR;
  const err = checkPayload(type, payload);
  if (err < 0) return err;
  if (description === "") return -EINVAL;
  if (keyring.key.isRestricted) return -EPERM;
  const known = type === KEYRING ? undefined : links.get(indexOf(type, description));
  if (known !== undefined && !known.isRevoked && !known.isInvalidated) {
    return update(t, { key: known, isPossessed: keyring.isPossessed }, payload);
  }
  return create(t, keyring.key, type, description, payload);
}

function update(t: Task, ref: KeyRef, payload: Uint8Array): Key | number {
  const refusal = keyPermission(ref, t.creds, NEED_WRITE);
  if (refusal < 0) return refusal;
  const err = t.kernel.keys.setPayload(ref.key, payload);
  return err < 0 ? err : ref.key;
}

function create(
  t: Task,
  keyring: Key,
  type: KeyType,
  description: string,
  payload: Uint8Array,
): Key | number {
  const { keys } = t.kernel;
  const key = newKey(t, type, description);
  if (typeof key === "number") return key;
  let err = keys.setPayload(key, payload);
  if (err === 0) err = linkKey(keys, keyring, key);
  if (err === 0) return key;
  keys.dropUnused(key);
  return err;
}

/** request_key(2). */
export function requestKey(t: Task, args: SyscallArguments): number {
  const type = copyInType(t, args.addr(0));
  if (typeof type === "number") return type;
  const description = copyInDescription(t, args.addr(1));
  if (typeof description === "number") return description;
  const callout = args.addr(2) === 0 ? null : copyInText(t, args.addr(2), PAGE_SIZE);
  if (typeof callout === "number") return callout;
  const destination = args.i32(3) === 0 ? null : lookupKey(t, args.i32(3), INTO);
  if (typeof destination === "number") return destination;
  if (!isKeyType(type)) return -ENOKEY;
  const found = searchTask(t, type, description);
  if (typeof found !== "number") return linkFound(t, found, destination);
  if (found !== -EAGAIN) return found;
  return callout === null ? -ENOKEY : remember(t, type, description, destination);
}

/**
 * Linux would have a program make the key. There is none that the kernel here starts; as when that fails, a
 * negative key keeps others from asking again for some time.
 */
function remember(
  t: Task,
  type: KeyType,
  description: string,
  asked: KeyRef | null,
): number {
  if (type === KEYRING) return -EPERM;
  const destination = asked ?? requestDestination(t);
  if (typeof destination === "number") return destination;
  const { keys } = t.kernel;
  const key = newKey(t, type, description);
  if (typeof key === "number") return key;
  key.isNegative = true;
  key.expirySec = t.kernel.nowRealtime().sec + NEGATIVE_SEC;
  const err = linkKey(keys, destination.key, key);
  if (err < 0) keys.dropUnused(key);
  return err < 0 ? err : -ENOKEY;
}

/** The number of a key that was found, once it is linked to where it shall be. */
export function linkFound(t: Task, found: KeyRef, destination: KeyRef | null): number {
  if (destination !== null) {
    const refusal = keyPermission(found, t.creds, NEED_LINK);
    if (refusal < 0) return refusal;
    const err = linkKey(t.kernel.keys, destination.key, found.key);
    if (err < 0) return err;
  }
  return found.key.serial;
}

export const rows: readonly SyscallRow[] = [
  [SYS_add_key, "add_key", addKey, PARTIAL, "types user, logon and keyring"],
  [SYS_request_key, "request_key", requestKey, PARTIAL, "no upcall to a program that makes keys"],
];
