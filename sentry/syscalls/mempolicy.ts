/**
 * NUMA policy: set_mempolicy(2), get_mempolicy(2), mbind(2). The sandbox shows one node, so a policy has
 * nothing to decide; it is checked, kept and told as Linux does.
 */
import * as nr from "../../platform/abi/amd64/syscalls.ts";
import { CAP_SYS_NICE } from "../../platform/abi/capability.ts";
import { EFAULT, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../../platform/abi/errno.ts";
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NODE,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_VALID,
  MPOL_MODE_FLAGS,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
} from "../../platform/abi/mempolicy.ts";
import { hasCapability } from "../auth/credentials.ts";
import { FULL, PARTIAL, type SyscallArguments, type SyscallRow } from "../kernel/syscall.ts";
import type { Task } from "../kernel/task.ts";
import { PAGE_SIZE, pageUp } from "../mm/memory_manager.ts";
import type { MemoryPolicy } from "../mm/vma.ts";

/** MPOL_WEIGHTED_INTERLEAVE, the last mode. */
const LAST_MODE = 6;
/** The number of the one node, and the mask of all. */
export const ONLY_NODE = 0;
const ALL_NODES = 1;
/** Nodes that a kernel for one has room for: none above may be asked for. */
const ROOM_FOR_NODES = 64;
/** Bits of a mask that a caller may pass. */
const MASK_BITS_MAX = PAGE_SIZE * 8;

/** Which nodes a mask names: the only one, and others, which are not online. */
interface NodeMask {
  only: boolean;
  others: boolean;
}

/** A node mask of the guest (Linux: get_nodes); -EINVAL for nodes that no kernel for one has room for. */
export function copyInNodeMask(t: Task, addr: number, maxNode: number): NodeMask | number {
  const bits = maxNode - 1; // Linux counts so.
  if (addr === 0 || bits <= 0) return { only: false, others: false };
  if (bits > MASK_BITS_MAX) return -EINVAL;
  const bytes = new Uint8Array(Math.ceil(bits / 64) * 8);
  if (t.copyIn(addr, bytes, 0, bytes.length) < 0) return -EFAULT;
  for (let i = ROOM_FOR_NODES; i < bits; i++) {
    if ((bytes[i >>> 3] >>> (i & 7) & 1) !== 0) return -EINVAL;
  }
  return {
    only: (bytes[0] & ALL_NODES) !== 0,
    others: bytes.subarray(0, 8).some((b, i) => (i === 0 ? b & ~ALL_NODES : b) !== 0),
  };
}

/** The nodes of a policy: ALL_NODES, 0, or an error. Other nodes are dropped. */
function copyInNodes(t: Task, addr: number, maxNode: number): number {
  const mask = copyInNodeMask(t, addr, maxNode);
  if (typeof mask === "number") return mask;
  if (mask.only) return ALL_NODES;
  return mask.others ? -EINVAL : 0;
}

/** mpol_new: the policy, null for the default one, or -EINVAL. */
function newPolicy(modeAndFlags: number, nodes: number): MemoryPolicy | null | number {
  const flags = modeAndFlags & MPOL_MODE_FLAGS;
  let mode = modeAndFlags & ~MPOL_MODE_FLAGS;
  const relative = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
  if (mode < 0 || mode > LAST_MODE || (flags & relative) === relative) return -EINVAL;
  const balances = mode === MPOL_BIND || mode === MPOL_PREFERRED_MANY;
  if ((flags & MPOL_F_NUMA_BALANCING) !== 0 && !balances) return -EINVAL;
  if (mode === MPOL_DEFAULT) return nodes !== 0 ? -EINVAL : null;
  if (mode === MPOL_LOCAL) return nodes !== 0 || flags !== 0 ? -EINVAL : { mode, flags, nodes };
  if (nodes === 0) {
    if (mode !== MPOL_PREFERRED || (flags & relative) !== 0) return -EINVAL;
    mode = MPOL_LOCAL;
  }
  return { mode, flags, nodes };
}

/** set_mempolicy(2). */
export function setMempolicy(t: Task, args: SyscallArguments): number {
  const nodes = copyInNodes(t, args.addr(1), args.addr(2));
  if (nodes < 0) return nodes;
  const policy = newPolicy(args.i32(0), nodes);
  if (typeof policy === "number") return policy;
  t.memoryPolicy = policy;
  return 0;
}

/** get_mempolicy(2). */
export function getMempolicy(t: Task, args: SyscallArguments): number {
  const maskAddr = args.addr(1);
  const maxNode = args.addr(2);
  const addr = args.addr(3);
  const flags = args.u32(4);
  if (maskAddr !== 0 && maxNode < 1) return -EINVAL;
  if ((flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) !== 0) return -EINVAL;
  if ((flags & MPOL_F_MEMS_ALLOWED) !== 0) {
    return flags !== MPOL_F_MEMS_ALLOWED ? -EINVAL : answer(t, args, 0, ALL_NODES);
  }
  let policy = t.memoryPolicy;
  if ((flags & MPOL_F_ADDR) !== 0) {
    const vma = t.mm.vmas.at(addr);
    if (vma === null) return -EFAULT;
    policy = vma.policy;
  } else if (addr !== 0) return -EINVAL;
  const nodes = policy?.nodes ?? 0;
  if ((flags & MPOL_F_NODE) === 0) {
    return answer(t, args, policy === null ? MPOL_DEFAULT : policy.mode | policy.flags, nodes);
  }
  // The node of the page there, or the one that comes next: node 0.
  if ((flags & MPOL_F_ADDR) === 0 && policy?.mode !== MPOL_INTERLEAVE) return -EINVAL;
  return answer(t, args, 0, nodes);
}

function answer(t: Task, args: SyscallArguments, policy: number, nodes: number): number {
  const policyAddr = args.addr(0);
  const maskAddr = args.addr(1);
  if (policyAddr !== 0 && t.copyOutU32(policyAddr, policy) < 0) return -EFAULT;
  if (maskAddr === 0) return 0;
  const bits = Math.min(args.addr(2) - 1, MASK_BITS_MAX);
  const bytes = new Uint8Array(Math.ceil(bits / 64) * 8);
  if (bytes.length > 0) bytes[0] = nodes;
  return t.copyOut(maskAddr, bytes, 0, bytes.length);
}

/** mbind(2): every page is on the one node already, so nothing moves. */
export function mbind(t: Task, args: SyscallArguments): number {
  const start = args.addr(0);
  const flags = args.u32(5);
  if (args.u32(0) % PAGE_SIZE !== 0 || (flags & ~MPOL_MF_VALID) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCapability(t.creds, CAP_SYS_NICE)) return -EPERM;
  const end = start + pageUp(args.addr(1));
  if (end > 2 ** 64) return -EINVAL;
  const nodes = copyInNodes(t, args.addr(3), args.addr(4));
  if (nodes < 0) return nodes;
  const policy = newPolicy(args.i32(2), nodes);
  if (typeof policy === "number") return policy;
  if (end === start) return 0;
  if (!t.mm.accessible(start, end - start, 0)) return -EFAULT;
  t.mm.vmas.change(start, end, (vma) => vma.policy = policy);
  return 0;
}

/** set_mempolicy_home_node(2): there is one to prefer, for policies that may prefer one. */
export function setMempolicyHomeNode(t: Task, args: SyscallArguments): number {
  const start = args.addr(0);
  if (args.u32(0) % PAGE_SIZE !== 0 || args.addr(3) !== 0) return -EINVAL;
  if (args.addr(2) !== ONLY_NODE) return -EINVAL;
  const size = pageUp(args.addr(1));
  if (size === 0 || size === 2 ** 64) return 0; // Rounded up, the longest are nothing.
  if (start + size >= 2 ** 64) return -EINVAL;
  let err = -ENOENT;
  t.mm.vmas.some(start, start + size, ({ policy }) => {
    if (policy === null) return false;
    const prefers = policy.mode === MPOL_BIND || policy.mode === MPOL_PREFERRED_MANY;
    err = prefers ? 0 : -EOPNOTSUPP;
    return !prefers;
  });
  return err;
}

const NOTE = "one node: kept, without effect";

export const rows: readonly SyscallRow[] = [
  [nr.SYS_mbind, "mbind", mbind, PARTIAL, NOTE],
  [nr.SYS_set_mempolicy, "set_mempolicy", setMempolicy, PARTIAL, NOTE],
  [nr.SYS_get_mempolicy, "get_mempolicy", getMempolicy, FULL],
  [
    nr.SYS_set_mempolicy_home_node,
    "set_mempolicy_home_node",
    setMempolicyHomeNode,
    PARTIAL,
    NOTE,
  ],
];
