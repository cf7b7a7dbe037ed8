/** Credentials of a task, immutable once installed: a change makes a new object (as in Linux). */
export interface Credentials {
  readonly ruid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly rgid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  /** Sorted: there may be 65536, and an access control list may ask for thousands. */
  readonly groups: readonly number[];
  /** Capability masks as two u32 halves (bits 0..31, 32..63). */
  readonly permitted: readonly [number, number];
  readonly effective: readonly [number, number];
  readonly inheritable: readonly [number, number];
  readonly ambient: readonly [number, number];
  readonly bounding: readonly [number, number];
  readonly securebits: number;
  readonly noNewPrivs: boolean;
}

export const CAP_FULL: readonly [number, number] = [0xffffffff, 0x1ff];
const CAP_EMPTY: readonly [number, number] = [0, 0];

/** Credentials of a fresh init: full capabilities for root, none for others. */
export function initialCredentials(uid: number, gid: number, groups: number[]): Credentials {
  const caps = uid === 0 ? CAP_FULL : CAP_EMPTY;
  return {
    ruid: uid,
    euid: uid,
    suid: uid,
    fsuid: uid,
    rgid: gid,
    egid: gid,
    sgid: gid,
    fsgid: gid,
    groups: groups.toSorted((a, b) => a - b),
    permitted: caps,
    effective: caps,
    inheritable: CAP_EMPTY,
    ambient: CAP_EMPTY,
    bounding: CAP_FULL,
    securebits: 0,
    noNewPrivs: false,
  };
}

export function hasCapability(creds: Credentials, cap: number): boolean {
  return cap < 32
    ? (creds.effective[0] >>> cap & 1) === 1
    : (creds.effective[1] >>> (cap - 32) & 1) === 1;
}

export function inGroup(creds: Credentials, gid: number): boolean {
  return creds.fsgid === gid || isAmong(creds.groups, gid);
}

/** Whether `sorted` has `id`. */
function isAmong(sorted: readonly number[], id: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < id) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === id;
}

const trusts = new WeakMap<Credentials, string>();

/** Equal for two programs when neither may do anything that the other may not. */
export function trustOf(creds: Credentials): string {
  let trust = trusts.get(creds);
  if (trust === undefined) trusts.set(creds, trust = Object.values(creds).join(";"));
  return trust;
}
