/** The keyrings that a task has (Linux: security/keys/process_keys.c), and keys by their numbers. */
import { EAGAIN, EINVAL, ENOKEY } from "../../../platform/abi/errno.ts";
import {
  KEY_REQKEY_DEFL_PROCESS_KEYRING,
  KEY_REQKEY_DEFL_REQUESTOR_KEYRING,
  KEY_REQKEY_DEFL_SESSION_KEYRING,
  KEY_REQKEY_DEFL_THREAD_KEYRING,
  KEY_REQKEY_DEFL_USER_KEYRING,
  KEY_SPEC_PROCESS_KEYRING,
  KEY_SPEC_REQKEY_AUTH_KEY,
  KEY_SPEC_REQUESTOR_KEYRING,
  KEY_SPEC_SESSION_KEYRING,
  KEY_SPEC_THREAD_KEYRING,
  KEY_SPEC_USER_KEYRING,
  KEY_SPEC_USER_SESSION_KEYRING,
} from "../../../platform/abi/keyctl.ts";
import type { Task } from "../task.ts";
import {
  type Key,
  keyPermission,
  type KeyRef,
  KEYRING,
  NEED_LINK,
  NEED_READ,
  NEED_SEARCH,
  NEED_SETATTR,
  NEED_VIEW,
  NEED_WRITE,
  NO_GROUP,
  OWNER_SHIFT,
  POSSESSOR_ALL,
  validateKey,
} from "./key.ts";
import { addSearchable, type KeyQuery, linkKey, searchKeyring } from "./keyring.ts";

const THREAD_PERMISSIONS = POSSESSOR_ALL | NEED_VIEW << OWNER_SHIFT;
const SESSION_PERMISSIONS = THREAD_PERMISSIONS | NEED_READ << OWNER_SHIFT;
const NAMED_PERMISSIONS = SESSION_PERMISSIONS | NEED_LINK << OWNER_SHIFT;
const USER_PERMISSIONS = POSSESSOR_ALL & ~(NEED_SETATTR << 24) | POSSESSOR_ALL >>> 8;

/** Keyrings of one task; null where it has none. */
export class TaskKeyrings {
  thread: Key | null = null;
  process: Key | null = null;
  session: Key | null = null;
  /** KEY_REQKEY_DEFL_*: where request_key(2) puts what it makes. */
  requestDefault = 0;
}

type Slot = "thread" | "process" | "session";

function keyringsOf(t: Task): TaskKeyrings {
  return t.keyrings ??= new TaskKeyrings();
}

function setKeyring(t: Task, slot: Slot, key: Key | null): void {
  const own = keyringsOf(t);
  const old = own[slot];
  if (key !== null) key.refs++;
  own[slot] = key;
  if (old !== null) t.kernel.keys.release(old);
}

/** A new task has its creator's session keyring, and of a thread's also the process's. */
export function inheritKeyrings(parent: Task, child: Task, isThread: boolean): void {
  const { keyrings } = parent;
  if (keyrings === null) return;
  setKeyring(child, "session", keyrings.session);
  if (isThread) setKeyring(child, "process", keyrings.process);
  keyringsOf(child).requestDefault = keyrings.requestDefault;
}

/** A new program has the session keyring alone. */
export function execKeyrings(t: Task): void {
  if (t.keyrings === null) return;
  setKeyring(t, "thread", null);
  setKeyring(t, "process", null);
}

export function exitKeyrings(t: Task): void {
  if (t.keyrings === null) return;
  execKeyrings(t);
  setKeyring(t, "session", null);
}

function newKeyring(
  t: Task,
  name: string,
  permissions: number,
  overruns: boolean,
): Key | number {
  const owner = { uid: t.creds.ruid, gid: t.creds.rgid };
  return t.kernel.keys.create(KEYRING, name, owner, permissions, overruns);
}

/** The keyring in `slot`, made if there is none; or -errno. */
function ensureOwn(t: Task, slot: "thread" | "process"): Key | number {
  const own = keyringsOf(t)[slot];
  if (own !== null) return own;
  const name = slot === "thread" ? "_tid" : "_pid";
  const key = newKeyring(t, name, THREAD_PERMISSIONS, true);
  if (typeof key !== "number") setKeyring(t, slot, key);
  return key;
}

export function ensureThreadKeyring(t: Task): Key | number {
  return ensureOwn(t, "thread");
}

export function ensureProcessKeyring(t: Task): Key | number {
  return ensureOwn(t, "process");
}

/** The keyrings of the task's user, made when they are first asked for; or -EDQUOT. */
export function userKeyringsOf(t: Task): { user: Key; session: Key } | number {
  const { keys } = t.kernel;
  const uid = t.creds.ruid;
  const known = keys.userKeyrings.get(uid);
  if (known !== undefined) return known;
  const owner = { uid, gid: NO_GROUP };
  const user = keys.create(KEYRING, `_uid.${uid}`, owner, USER_PERMISSIONS);
  if (typeof user === "number") return user;
  const session = keys.create(KEYRING, `_uid_ses.${uid}`, owner, USER_PERMISSIONS);
  const err = typeof session === "number" ? session : linkKey(keys, session, user);
  if (typeof session === "number" || err < 0) {
    keys.dropUnused(user);
    return err;
  }
  for (const key of [user, session]) {
    key.refs++;
    key.isUserKeyring = true;
  }
  const made = { user, session };
  keys.userKeyrings.set(uid, made);
  return made;
}

/** KEYCTL_JOIN_SESSION_KEYRING: a new session keyring, or one of that name which may be searched. */
export function joinSession(t: Task, name: string | null): number {
  const session = name === null ? newSession(t) : namedKeyring(t, name);
  if (typeof session === "number") return session;
  if (session === keyringsOf(t).session) return 0;
  setKeyring(t, "session", session);
  return session.serial;
}

/** The first in a task's life is not refused for its user's quota. */
function newSession(t: Task): Key | number {
  return newKeyring(t, "_ses", SESSION_PERMISSIONS, keyringsOf(t).session === null);
}

function namedKeyring(t: Task, name: string): Key | number {
  for (const key of t.kernel.keys.bySerial.values()) {
    if (key.links === null || key.description !== name || key.isRevoked) continue;
    if (keyPermission({ key, isPossessed: false }, t.creds, NEED_SEARCH) === 0) return key;
  }
  return newKeyring(t, name, NAMED_PERMISSIONS, false);
}

/** The caller's session keyring becomes that of `parent`. */
export function giveSession(t: Task, parent: Task): void {
  setKeyring(parent, "session", keyringsOf(t).session);
}

/** What there is, or with `creates` a keyring of the task's own instead of the user's. */
function sessionKeyring(t: Task, creates: boolean): Key | number {
  const own = keyringsOf(t);
  if (own.session === null || (creates && own.session.isUserKeyring)) {
    const users = userKeyringsOf(t);
    if (typeof users === "number") return users;
    const session = creates ? newSession(t) : users.session;
    if (typeof session === "number") return session;
    setKeyring(t, "session", session);
  }
  return own.session!;
}

/** The task's own keyrings, in the order in which they are searched. */
function ownKeyrings(t: Task): Key[] {
  const own = keyringsOf(t);
  const session = own.session ?? t.kernel.keys.userKeyrings.get(t.creds.ruid)?.session ?? null;
  return [own.thread, own.process, session].filter((key) => key !== null);
}

/** All keys that the task possesses. */
export function possessedKeys(t: Task): Set<Key> {
  const found = new Set<Key>();
  for (const keyring of ownKeyrings(t)) addSearchable(keyring, t.creds, found);
  return found;
}

/**
 * A key in the task's keyrings (Linux: search_cred_keyrings). -EAGAIN if one of them has none that fits, else why
 * the last was passed over.
 */
export function searchTask(
  t: Task,
  type: string,
  description: string,
  exact: Key | null = null,
): KeyRef | number {
  const query = { ...queryOf(t, type, description, true), exact, skipsExpired: true };
  let absent = 0;
  let error = -EAGAIN;
  for (const keyring of ownKeyrings(t)) {
    const found = searchKeyring(keyring, query);
    if (typeof found !== "number") return found;
    if (found === -ENOKEY || (found === -EAGAIN && absent === 0)) absent = found;
    else if (found !== -EAGAIN) error = found;
  }
  return absent < 0 ? absent : error;
}

export function queryOf(
  t: Task,
  type: string,
  description: string,
  isPossessed: boolean,
): KeyQuery {
  const nowSec = t.kernel.nowRealtime().sec;
  const { creds } = t;
  return { type, description, exact: null, skipsExpired: false, creds, nowSec, isPossessed };
}

/** Where request_key(2) puts a key that nobody says a keyring for; -EACCES if that may not be written. */
export function requestDestination(t: Task): KeyRef | number {
  const own = keyringsOf(t);
  const asked = own.requestDefault;
  let key: Key | null = null;
  if (asked <= KEY_REQKEY_DEFL_THREAD_KEYRING || asked === KEY_REQKEY_DEFL_REQUESTOR_KEYRING) {
    key = own.thread ?? own.process ?? own.session;
  } else if (asked === KEY_REQKEY_DEFL_PROCESS_KEYRING) key = own.process ?? own.session;
  else if (asked === KEY_REQKEY_DEFL_SESSION_KEYRING) key = own.session;
  if (key === null) {
    const users = userKeyringsOf(t);
    if (typeof users === "number") return users;
    key = asked === KEY_REQKEY_DEFL_USER_KEYRING ? users.user : users.session;
  }
  const ref = { key, isPossessed: true };
  const err = keyPermission(ref, t.creds, NEED_WRITE);
  return err < 0 ? err : ref;
}

/** How a key is looked up. */
export interface Lookup {
  /** A keyring of the task's that is not there yet is made. */
  creates?: boolean;
  /** 0: no permission is asked for. */
  need: number;
  /** A negative key will do. */
  takesNegative?: boolean;
  /** Whatever state it is in. */
  ignoresState?: boolean;
}

/** The key numbered `id`, or KEY_SPEC_*, if the task may use it so; else -errno (Linux: lookup_user_key). */
export function lookupKey(t: Task, id: number, how: Lookup): KeyRef | number {
  const ref = id < 0 ? specialKey(t, id, how.creates === true) : numberedKey(t, id);
  if (typeof ref === "number") return ref;
  if (how.ignoresState !== true) {
    if (ref.key.isNegative && how.takesNegative !== true) return -ENOKEY;
    const err = validateKey(ref.key, t.kernel.nowRealtime().sec);
    if (err < 0) return err;
  }
  const err = keyPermission(ref, t.creds, how.need);
  return err < 0 ? err : ref;
}

function numberedKey(t: Task, id: number): KeyRef | number {
  if (id === 0) return -EINVAL;
  const key = t.kernel.keys.bySerial.get(id);
  if (key === undefined) return -ENOKEY;
  const possessed = searchTask(t, key.type, key.description, key);
  return typeof possessed === "number" ? { key, isPossessed: false } : possessed;
}

function specialKey(t: Task, id: number, creates: boolean): KeyRef | number {
  const key = keyOfSpec(t, id, creates);
  return typeof key === "number" ? key : { key, isPossessed: true };
}

function keyOfSpec(t: Task, id: number, creates: boolean): Key | number {
  switch (id) {
    case KEY_SPEC_THREAD_KEYRING:
      return creates ? ensureThreadKeyring(t) : keyringsOf(t).thread ?? -ENOKEY;
    case KEY_SPEC_PROCESS_KEYRING:
      return creates ? ensureProcessKeyring(t) : keyringsOf(t).process ?? -ENOKEY;
    case KEY_SPEC_SESSION_KEYRING:
      return sessionKeyring(t, creates);
    case KEY_SPEC_USER_KEYRING:
    case KEY_SPEC_USER_SESSION_KEYRING: {
      const users = userKeyringsOf(t);
      if (typeof users === "number") return users;
      return id === KEY_SPEC_USER_KEYRING ? users.user : users.session;
    }
    case KEY_SPEC_REQKEY_AUTH_KEY:
    case KEY_SPEC_REQUESTOR_KEYRING:
      return -ENOKEY; // Nobody makes keys for others here.
    default:
      return -EINVAL;
  }
}
