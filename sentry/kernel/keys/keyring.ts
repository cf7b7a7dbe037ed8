/** Keyrings (Linux: security/keys/keyring.c): links, and the search through keyrings of keyrings. */
import {
  EACCES,
  EAGAIN,
  EDEADLK,
  EEXIST,
  EKEYEXPIRED,
  EKEYREVOKED,
  ELOOP,
  ENOENT,
  ENOKEY,
  ENOTDIR,
  EPERM,
} from "../../../platform/abi/errno.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { indexOf, type Key, keyPermission, type KeyRef, type Keys, NEED_SEARCH } from "./key.ts";

/** Keyrings below each other that a search goes through. */
const MAX_DEPTH = 6;

/** Links a key, in the place of another of its type and description. 0, -ENOTDIR, -EPERM, -EDQUOT … */
export function linkKey(keys: Keys, keyring: Key, key: Key): number {
  const { links } = keyring;
  if (links === null) return -ENOTDIR;
  const index = indexOf(key.type, key.description);
  const old = links.get(index);
  if (keyring.isRestricted) return -EPERM;
  const cycle = key.links === null ? 0 : checkCycle(keyring, key);
  if (cycle < 0) return cycle;
  const err = old === undefined ? keys.reserveLink(keyring, 1) : 0;
  if (err < 0) return err;
  key.refs++;
  links.set(index, key);
  if (old !== undefined) {
    keyring.keyrings.delete(old);
    keys.release(old);
  }
  if (key.links !== null) keyring.keyrings.add(key);
  return 0;
}

/** 0, -ENOTDIR, -ENOENT when there is no such link. */
export function unlinkKey(keys: Keys, keyring: Key, key: Key): number {
  const { links } = keyring;
  if (links === null) return -ENOTDIR;
  const index = indexOf(key.type, key.description);
  if (links.get(index) !== key) return -ENOENT;
  links.delete(index);
  keyring.keyrings.delete(key);
  keys.reserveLink(keyring, -1);
  keys.release(key);
  return 0;
}

/** Moves a link. With `isExclusive` it displaces none: -EEXIST. */
export function moveKey(
  keys: Keys,
  key: Key,
  from: Key,
  to: Key,
  isExclusive: boolean,
): number {
  if (from === to) return 0;
  if (from.links === null || to.links === null) return -ENOTDIR;
  const index = indexOf(key.type, key.description);
  if (from.links.get(index) !== key) return -ENOENT;
  if (isExclusive && to.links.has(index)) return -EEXIST;
  const err = linkKey(keys, to, key);
  return err < 0 ? err : unlinkKey(keys, from, key);
}

/** 0 or -ENOTDIR. */
export function clearKeyring(keys: Keys, keyring: Key): number {
  const { links } = keyring;
  if (links === null) return -ENOTDIR;
  const linked = [...links.values()];
  links.clear();
  keyring.keyrings.clear();
  keys.reserve(keyring, 0);
  for (const key of linked) keys.release(key);
  return 0;
}

/** A key is in no keyring any more. */
export function unlinkEverywhere(keys: Keys, key: Key): void {
  for (const keyring of [...keys.bySerial.values()]) {
    if (keyring.links !== null) unlinkKey(keys, keyring, key);
  }
}

/** Whether `keyring` lies within `key`, which is to be linked in it: -EDEADLK; -ELOOP if that goes too deep. */
function checkCycle(keyring: Key, key: Key): number {
  let level = new Set([key]);
  for (let depth = 0; level.size > 0; depth++) {
    if (level.has(keyring)) return -EDEADLK;
    if (depth > MAX_DEPTH) return -ELOOP;
    const below = new Set<Key>();
    for (const each of level) for (const linked of each.keyrings) below.add(linked);
    level = below;
  }
  return 0;
}

/** All keys that a search of `keyring`, which `creds` possess, could find in whatever state they are. */
export function addSearchable(keyring: Key, creds: Credentials, found: Set<Key>): void {
  const maySearch = (key: Key): boolean =>
    keyPermission({ key, isPossessed: true }, creds, NEED_SEARCH) === 0;
  let level = new Set([keyring].filter(maySearch));
  for (let depth = 0; depth <= MAX_DEPTH && level.size > 0; depth++) {
    const below = new Set<Key>();
    for (const each of level) {
      found.add(each);
      if (each.isRevoked || each.isInvalidated) continue;
      for (const linked of each.links!.values()) if (maySearch(linked)) found.add(linked);
      for (const linked of each.keyrings) if (maySearch(linked)) below.add(linked);
    }
    level = below;
  }
}

export interface KeyQuery {
  type: string;
  description: string;
  /** This key alone, in whatever state it is. */
  exact: Key | null;
  /** A key that has expired is as none. */
  skipsExpired: boolean;
  creds: Credentials;
  nowSec: number;
  /** Whether what is found is possessed: by whether the keyring is. */
  isPossessed: boolean;
}

/** The first key that fits, in `keyring` or below; -EAGAIN for none, or why one was passed over. */
export function searchKeyring(keyring: Key, query: KeyQuery): KeyRef | number {
  if (keyring.links === null) return -ENOTDIR;
  const { creds, isPossessed } = query;
  const err = keyPermission({ key: keyring, isPossessed }, creds, NEED_SEARCH);
  return err < 0 ? err : new Search(query).run(keyring);
}

class Search {
  readonly #index: string;
  /** The smallest depth at which a keyring was gone through. */
  readonly #seen = new Map<Key, number>();
  #error = -EAGAIN;

  constructor(readonly query: KeyQuery) {
    this.#index = indexOf(query.type, query.description);
  }

  run(top: Key): KeyRef | number {
    if (indexOf(top.type, top.description) === this.#index) {
      if (this.#accepts(top)) return this.#found(top);
      if (this.#error !== -EAGAIN) return this.#error;
    }
    const key = this.#below(top, 0);
    return key === null ? this.#error : this.#found(key);
  }

  #found(key: Key): KeyRef {
    return { key, isPossessed: this.query.isPossessed };
  }

  #below(keyring: Key, depth: number): Key | null {
    if (keyring.isRevoked || keyring.isInvalidated) return null;
    if ((this.#seen.get(keyring) ?? Infinity) <= depth) return null;
    this.#seen.set(keyring, depth);
    const direct = keyring.links!.get(this.#index);
    if (direct !== undefined && this.#accepts(direct)) return direct;
    if (depth >= MAX_DEPTH) return null;
    for (const linked of keyring.keyrings) {
      if (!this.#maySearch(linked)) continue;
      const found = this.#below(linked, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }

  #accepts(key: Key): boolean {
    const { exact } = this.query;
    if (exact !== null && key !== exact) return false;
    let err = exact === null ? this.#stateError(key) : 0;
    if (err === 0 && !this.#maySearch(key)) err = -EACCES;
    if (err === 0 && exact === null && key.isNegative) err = -ENOKEY;
    if (err === 0) return true;
    this.#error = err;
    return false;
  }

  #stateError(key: Key): number {
    const { nowSec, skipsExpired } = this.query;
    if (key.isInvalidated || key.isRevoked) return -EKEYREVOKED;
    if (nowSec < key.expirySec) return 0;
    return skipsExpired ? -EAGAIN : -EKEYEXPIRED;
  }

  #maySearch(key: Key): boolean {
    const { creds, isPossessed } = this.query;
    return keyPermission({ key, isPossessed }, creds, NEED_SEARCH) === 0;
  }
}
