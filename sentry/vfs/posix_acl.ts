/**
 * One POSIX access control list (acl(5); Linux: fs/posix_acl.c): its form, and what it permits.
 *
 * It is kept as it travels, as the words of an extended attribute's value, and never changes: files
 * share the list that they inherited.
 */
import { EINVAL, EOPNOTSUPP } from "../../platform/abi/errno.ts";
import {
  ACL_EXECUTE,
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_READ,
  ACL_UNDEFINED_ID,
  ACL_USER,
  ACL_USER_OBJ,
  ACL_WRITE,
  POSIX_ACL_XATTR_ENTRY_SIZE,
  POSIX_ACL_XATTR_HEADER_SIZE,
  POSIX_ACL_XATTR_VERSION,
} from "../../platform/abi/posix_acl.ts";
import { type Credentials, inGroup } from "../auth/credentials.ts";

const ALL_PERMS = ACL_READ | ACL_WRITE | ACL_EXECUTE;
const NO_ID = ACL_UNDEFINED_ID >>> 0;
/** Entries of a list that says no more than a mode does: those of the owner, the group, the others. */
const MINIMAL_COUNT = 3;

/**
 * Methods but `isValid` and `hasUndefinedId` are for lists that are valid: sorted by tag, with the
 * owner's entry first and the others' last. The last but one is then the group class's, of which a
 * mode's group bits tell: the mask, or the owning group's in a list without one.
 */
export class PosixAcl {
  /** The version; then for each entry tag | perm << 16 and id. */
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly count: number;

  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#words = words;
    this.count = (words.length - 1) >>> 1;
  }

  #tag(i: number): number {
    return this.#words[1 + 2 * i] & 0xffff;
  }
  #perm(i: number): number {
    return this.#words[1 + 2 * i] >>> 16;
  }
  #id(i: number): number {
    return this.#words[2 + 2 * i];
  }

  /** The value of the extended attribute; not the caller's to change. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.buffer);
  }

  /** It names nobody and has no mask: a mode says the same. */
  get isMinimal(): boolean {
    return this.count === MINIMAL_COUNT;
  }

  /** An entry's user or group is none (of this user namespace). */
  get hasUndefinedId(): boolean {
    for (let i = 0; i < this.count; i++) {
      const tag = this.#tag(i);
      if ((tag === ACL_USER || tag === ACL_GROUP) && this.#id(i) === NO_ID) return true;
    }
    return false;
  }

  /** Whether there are the entries that must be there, in their order (Linux: posix_acl_valid). */
  get isValid(): boolean {
    let last = 0;
    for (let i = 0; i < this.count; i++) {
      const tag = this.#tag(i);
      const isRepeatable = tag === ACL_USER || tag === ACL_GROUP;
      if (tag < last || (tag === last && !isRepeatable)) return false;
      if ((this.#perm(i) & ~ALL_PERMS) !== 0) return false;
      last = tag;
    }
    return this.#has(ACL_USER_OBJ) && this.#has(ACL_GROUP_OBJ) && this.#has(ACL_OTHER) &&
      (this.count === MINIMAL_COUNT || this.#has(ACL_MASK));
  }

  #has(tag: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.#tag(i) === tag) return true;
    return false;
  }

  /** The nine permission bits that a mode has beside this list (Linux: posix_acl_equiv_mode). */
  get modeBits(): number {
    const { count } = this;
    return this.#perm(0) << 6 | this.#perm(count - 2) << 3 | this.#perm(count - 1);
  }

  /**
   * Whether `creds` may do `want` (MAY_*) to a file of `uid` and `gid` (Linux: posix_acl_permission).
   * Capabilities are not looked at.
   */
  permits(creds: Credentials, uid: number, gid: number, want: number): boolean {
    const mask = this.isMinimal ? ALL_PERMS : this.#perm(this.count - 2);
    let isMember = false;
    for (let i = 0; i < this.count; i++) {
      const perm = this.#perm(i);
      switch (this.#tag(i)) {
        case ACL_USER_OBJ:
          if (creds.fsuid === uid) return (want & ~perm) === 0;
          break;
        case ACL_USER:
          if (creds.fsuid === this.#id(i)) return (want & ~(perm & mask)) === 0;
          break;
        case ACL_GROUP_OBJ:
        case ACL_GROUP:
          if (!inGroup(creds, this.#tag(i) === ACL_GROUP ? this.#id(i) : gid)) break;
          isMember = true; // One of several groups must grant all of it.
          if ((want & ~perm) === 0) return (want & ~mask) === 0;
      }
    }
    return !isMember && (want & ~this.#perm(this.count - 1)) === 0;
  }

  /** The list after a chmod(2): the mode's bits are its classes' (Linux: posix_acl_chmod). */
  withMode(mode: number): PosixAcl {
    const words = this.#words.slice();
    const perms = [[0, mode >>> 6], [this.count - 2, mode >>> 3], [this.count - 1, mode]];
    for (const [i, perm] of perms) words[1 + 2 * i] = this.#tag(i) | (perm & ALL_PERMS) << 16;
    return new PosixAcl(words);
  }

  /** A new file's list where this is its directory's default: no more than the creator asked for. */
  forNewFile(mode: number): PosixAcl {
    return this.withMode(mode & this.modeBits);
  }
}

/**
 * The list in an extended attribute's value (Linux: posix_acl_from_xattr), which need not be valid;
 * null for one without entries. -EOPNOTSUPP for another version of the form, -EINVAL for what is not
 * of that form.
 */
export function decodeAcl(value: Uint8Array): PosixAcl | null | number {
  if (value.length === 0) return null;
  if (value.length < POSIX_ACL_XATTR_HEADER_SIZE) return -EINVAL;
  const size = value.length - POSIX_ACL_XATTR_HEADER_SIZE;
  const words = new Uint32Array(Math.ceil(value.length / 4));
  new Uint8Array(words.buffer).set(value);
  if (words[0] !== POSIX_ACL_XATTR_VERSION) return -EOPNOTSUPP;
  if (size % POSIX_ACL_XATTR_ENTRY_SIZE !== 0) return -EINVAL;
  for (let at = 1; at < words.length; at += 2) {
    switch (words[at] & 0xffff) {
      case ACL_USER:
      case ACL_GROUP:
        break;
      case ACL_USER_OBJ:
      case ACL_GROUP_OBJ:
      case ACL_MASK:
      case ACL_OTHER:
        words[at + 1] = NO_ID;
        break;
      default:
        return -EINVAL;
    }
  }
  return size === 0 ? null : new PosixAcl(words);
}
