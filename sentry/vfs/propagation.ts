/**
 * Which mounts see what is mounted in another: mount_namespaces(7), "Shared subtrees" (Linux:
 * fs/pnode.c). Peers receive from each other, slaves from their master group; the rest is private.
 */
import { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from "../../platform/abi/mount.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { type Dentry, isBelow } from "./dentry.ts";
import type { Mount } from "./mount.ts";

/** Numbers of groups in use; the lowest free one is taken, as mountinfo readers may expect. */
const used = new Set<number>();
ofOneSandbox(() => used.clear());

function lowestFreeId(): number {
  let id = 1;
  while (used.has(id)) id++;
  used.add(id);
  return id;
}

export class PeerGroup {
  readonly id = lowestFreeId();
  readonly members = new Set<Mount>();
  readonly slaves = new Set<Mount>();
}

function join(group: PeerGroup, mount: Mount): void {
  group.members.add(mount);
  mount.peers = group;
}

function setMaster(mount: Mount, master: PeerGroup | null): void {
  mount.master?.slaves.delete(mount);
  mount.master = master;
  master?.slaves.add(mount);
}

/** Leaves the peers; the last one to go hands the group's slaves to its own master. */
function leave(mount: Mount): PeerGroup | null {
  const group = mount.peers;
  if (group === null) return null;
  group.members.delete(mount);
  mount.peers = null;
  if (group.members.size > 0) return group;
  for (const slave of [...group.slaves]) setMaster(slave, mount.master);
  used.delete(group.id);
  return null;
}

/** change_mnt_propagation: `kind` is one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE. */
export function setPropagation(mount: Mount, kind: number): void {
  mount.unbindable = kind === MS_UNBINDABLE;
  if (kind === MS_SHARED) {
    if (mount.peers === null) join(new PeerGroup(), mount);
    return;
  }
  const left = leave(mount);
  if (kind !== MS_SLAVE) setMaster(mount, null);
  else if (left !== null) setMaster(mount, left);
}

/** As MS_* bits. */
export function propagationOf(mount: Mount): number {
  const kind = (mount.peers !== null ? MS_SHARED : 0) | (mount.master !== null ? MS_SLAVE : 0) |
    (mount.unbindable ? MS_UNBINDABLE : 0);
  return kind === 0 ? MS_PRIVATE : kind;
}

/** A copy belongs to the groups of what it was copied from. */
export function copyPropagation(from: Mount, to: Mount): void {
  if (from.peers !== null) join(from.peers, to);
  setMaster(to, from.master);
  to.unbindable = from.unbindable;
}

/** Makes a fresh copy of a shared mount its slave instead of its peer. */
function enslave(copy: Mount): void {
  const left = leave(copy);
  if (left !== null) setMaster(copy, left);
}

/** Every other mount that what happens in `mount` reaches. */
export function receivers(mount: Mount): Mount[] {
  const found: Mount[] = [];
  const groups = mount.peers === null ? [] : [mount.peers];
  for (const group of groups) { // It grows.
    for (const member of group.members) if (member !== mount) found.push(member);
    for (const slave of group.slaves) {
      if (slave.peers === null) found.push(slave);
      else if (!groups.includes(slave.peers)) groups.push(slave.peers);
    }
  }
  return found;
}

function isAttached(mount: Mount): boolean {
  return mount.ns !== null;
}

/** A tree of mounts to be attached in `parent`. */
export interface Planned {
  tree: Mount;
  parent: Mount;
}

/**
 * Copies of `tree`, whose mounts are all shared and which is to be attached at `at` in `parent`, for all
 * that receive from `parent` (propagate_mnt). `copy` makes a copy of a tree, of the same groups.
 */
export function planCopies(
  parent: Mount,
  at: Dentry,
  tree: Mount,
  copy: (tree: Mount) => Mount,
  visit: (tree: Mount, each: (m: Mount) => void) => void,
): Planned[] {
  const planned: Planned[] = [];
  const seen = new Set<PeerGroup>();
  const slaveCopy = (source: Mount, shared: boolean): Mount => {
    const made = copy(source);
    visit(made, (m) => {
      enslave(m);
      if (shared) setPropagation(m, MS_SHARED);
    });
    return made;
  };
  const toGroup = (group: PeerGroup, source: Mount, isMaster: boolean): void => {
    seen.add(group);
    let own = isMaster ? source : null;
    // Copies join the groups: those that were there before count (Linux: IS_MNT_NEW).
    const slaves = [...group.slaves].filter(isAttached);
    for (const member of [...group.members].filter(isAttached)) {
      if (member === parent || !isBelow(at, member.root)) continue;
      own = own === null ? slaveCopy(source, true) : copy(own);
      planned.push({ tree: own, parent: member });
    }
    for (const slave of slaves) {
      const { peers } = slave;
      if (peers !== null) {
        if (!seen.has(peers)) toGroup(peers, own ?? source, false);
      } else if (isBelow(at, slave.root)) {
        planned.push({ tree: slaveCopy(own ?? source, false), parent: slave });
      }
    }
  };
  if (parent.peers !== null) toGroup(parent.peers, tree, true);
  return planned;
}
