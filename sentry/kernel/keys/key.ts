/** Keys of keyrings(7) (Linux: security/keys/key.c): what they are, who may use them, and what they cost. */
import {
  EACCES,
  EDQUOT,
  EINVAL,
  EKEYEXPIRED,
  EKEYREVOKED,
  ENOKEY,
} from "../../../platform/abi/errno.ts";
import { fillRandom } from "../../../platform/host/host.ts";
import { type Credentials, inGroup } from "../../auth/credentials.ts";

export const KEYRING = "keyring";
export const USER = "user";
/** As `user`, but nobody reads it back. */
export const LOGON = "logon";
export type KeyType = typeof KEYRING | typeof USER | typeof LOGON;

// What a caller wants to do: bits of each byte of a key's permissions.
export const NEED_VIEW = 0x01;
export const NEED_READ = 0x02;
export const NEED_WRITE = 0x04;
export const NEED_SEARCH = 0x08;
export const NEED_LINK = 0x10;
export const NEED_SETATTR = 0x20;
/** Permissions of who possesses a key, its owner, its group and others: a byte each, from the top. */
export const PERMISSIONS = 0x3f3f3f3f;
export const POSSESSOR_ALL = 0x3f000000;
export const OWNER_SHIFT = 16;
const POSSESSOR_SHIFT = 24;
const GROUP_SHIFT = 8;
const GROUP_ALL = 0x3f00;

/** No group: of the keyrings that a user has. */
export const NO_GROUP = 0xffffffff;
/** Keys of the whole sandbox, and the bytes that they may be charged for, whatever its users' quotas are. */
const SANDBOX_KEYS = 20_000;
const SANDBOX_BYTES = 64 * 2 ** 20;
/** What a link counts against its keyring's owner. */
const LINK_BYTES = 4;
const NO_BYTES = new Uint8Array(0);

/** A key that is found, and whether the caller possesses it: reached it through keyrings of its own. */
export interface KeyRef {
  readonly key: Key;
  readonly isPossessed: boolean;
}

export class Key {
  /** Links to it, and tasks whose keyring it is; see `Keys.release`. */
  refs = 0;
  /** Since the epoch. */
  expirySec = Infinity;
  isRevoked = false;
  isInvalidated = false;
  /** It says that there is no such key: what was asked for in vain. */
  isNegative = false;
  /** A keyring of that every link is refused. */
  isRestricted = false;
  /** One of those that every user has. */
  isUserKeyring = false;
  payload: Uint8Array = NO_BYTES;
  /** Bytes charged for the payload or the links. */
  chargedBytes = 0;
  /** Of a keyring: what it links to, by `indexOf`. */
  readonly links: Map<string, Key> | null;
  /** Of a keyring: the keyrings among its links. */
  readonly keyrings = new Set<Key>();

  constructor(
    readonly serial: number,
    readonly type: KeyType,
    readonly description: string,
    public uid: number,
    public gid: number,
    public permissions: number,
  ) {
    this.links = type === KEYRING ? new Map() : null;
  }

  /** What the key costs its owner in all. */
  get quotaBytes(): number {
    return this.description.length + 1 + this.chargedBytes;
  }
}

/** A keyring has one link for each type and description. */
export function indexOf(type: string, description: string): string {
  return `${type}\0${description}`;
}

/** 0, or -EACCES: whether `creds` allow what is in `need` (Linux: key_task_permission). */
export function keyPermission(ref: KeyRef, creds: Credentials, need: number): number {
  const { key } = ref;
  let allowed = key.permissions;
  if (key.uid === creds.fsuid) allowed >>>= OWNER_SHIFT;
  else if (key.gid !== NO_GROUP && (allowed & GROUP_ALL) !== 0 && inGroup(creds, key.gid)) {
    allowed >>>= GROUP_SHIFT;
  }
  if (ref.isPossessed) allowed |= key.permissions >>> POSSESSOR_SHIFT;
  return (allowed & need) === need ? 0 : -EACCES;
}

/** 0 while the key can be used, or why not: -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED. */
export function validateKey(key: Key, nowSec: number): number {
  if (key.isInvalidated) return -ENOKEY;
  if (key.isRevoked) return -EKEYREVOKED;
  return nowSec >= key.expirySec ? -EKEYEXPIRED : 0;
}

/** What the keys of one user cost. */
export class KeyQuota {
  keys = 0;
  bytes = 0;
}

/** All keys of the sandbox, and what each user may have of them. */
export class Keys {
  readonly bySerial = new Map<number, Key>();
  readonly quotas = new Map<number, KeyQuota>();
  /** The keyrings that every user has, by user. */
  readonly userKeyrings = new Map<number, { user: Key; session: Key }>();
  /** /proc/sys/kernel/keys. */
  readonly limits = { maxKeys: 200, maxBytes: 20_000, rootMaxKeys: 1_000_000, rootMaxBytes: 25e6 };

  /** Charged in all. */
  #bytes = 0;

  /** A key without links. With `overruns` the quota is charged, but is no limit. -EDQUOT, -EINVAL. */
  create(
    type: KeyType,
    description: string,
    owner: { uid: number; gid: number },
    permissions: number,
    overruns = false,
  ): Key | number {
    if (description === "") return -EINVAL;
    const colon = description.indexOf(":");
    if (type === LOGON && colon <= 0) return -EINVAL;
    const key = new Key(this.#newSerial(), type, description, owner.uid, owner.gid, permissions);
    if (!overruns && !this.#hasRoom(owner.uid, 1, key.quotaBytes)) return -EDQUOT;
    this.#charge(owner.uid, 1, key.quotaBytes);
    this.bySerial.set(key.serial, key);
    return key;
  }

  /** Charges the key's owner for another number of bytes. 0 or -EDQUOT. */
  reserve(key: Key, bytes: number): number {
    const more = bytes - key.chargedBytes;
    if (more > 0 && !this.#hasRoom(key.uid, 0, more)) return -EDQUOT;
    this.#charge(key.uid, 0, more);
    key.chargedBytes = bytes;
    return 0;
  }

  /** For a link more, or less (-1), in a keyring. */
  reserveLink(keyring: Key, links: number): number {
    return this.reserve(keyring, keyring.chargedBytes + links * LINK_BYTES);
  }

  /** Sets what a `user` or `logon` key holds; such a key expires no longer. 0 or -EDQUOT. */
  setPayload(key: Key, payload: Uint8Array): number {
    const err = this.reserve(key, payload.length);
    if (err < 0) return err;
    key.payload = payload;
    key.expirySec = Infinity;
    key.isNegative = false;
    return 0;
  }

  /** Another user pays for the key from now on. 0 or -EDQUOT. */
  changeOwner(key: Key, uid: number): number {
    if (!this.#hasRoom(uid, 1, key.quotaBytes)) return -EDQUOT;
    this.#charge(uid, 1, key.quotaBytes);
    this.#charge(key.uid, -1, -key.quotaBytes);
    key.uid = uid;
    return 0;
  }

  /** A reference less; a key without any is no more, nor what it alone links to. */
  release(key: Key): void {
    key.refs--;
    this.dropUnused(key);
  }

  dropUnused(key: Key): void {
    const dropped = [key];
    for (let each = dropped.pop(); each !== undefined; each = dropped.pop()) {
      if (each.refs > 0 || !this.bySerial.delete(each.serial)) continue;
      this.#charge(each.uid, -1, -each.quotaBytes);
      for (const linked of each.links?.values() ?? []) {
        linked.refs--;
        dropped.push(linked);
      }
    }
  }

  #hasRoom(uid: number, keys: number, bytes: number): boolean {
    if (this.bySerial.size + keys > SANDBOX_KEYS || this.#bytes + bytes > SANDBOX_BYTES) {
      return false;
    }
    const { maxKeys, maxBytes, rootMaxKeys, rootMaxBytes } = this.limits;
    const used = this.quotas.get(uid) ?? new KeyQuota();
    if (keys > 0 && used.keys + keys > (uid === 0 ? rootMaxKeys : maxKeys)) return false;
    return used.bytes + bytes <= (uid === 0 ? rootMaxBytes : maxBytes);
  }

  #charge(uid: number, keys: number, bytes: number): void {
    let quota = this.quotas.get(uid);
    if (quota === undefined) this.quotas.set(uid, quota = new KeyQuota());
    quota.keys += keys;
    quota.bytes += bytes;
    this.#bytes += bytes;
    if (quota.keys === 0 && quota.bytes === 0) this.quotas.delete(uid);
  }

  /** Numbers tell nothing of each other. */
  #newSerial(): number {
    const word = new Uint32Array(1);
    const bytes = new Uint8Array(word.buffer);
    do fillRandom(bytes); while (word[0] >>> 1 < 3 || this.bySerial.has(word[0] >>> 1));
    return word[0] >>> 1;
  }
}
