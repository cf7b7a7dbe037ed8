/** Namespaces a task is in (Linux: nsproxy); namespaces(7). Immutable but for what is inside each. */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../platform/abi/sched.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import type { MountNamespace } from "../vfs/mount.ts";

/** CLONE_NEW* of each kind, in the order in which Linux looks at them. */
export const CLONE_FLAGS: Readonly<Record<keyof NamespaceSet, number>> = {
  user: CLONE_NEWUSER,
  mount: CLONE_NEWNS,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  pid: CLONE_NEWPID,
  cgroup: CLONE_NEWCGROUP,
  net: CLONE_NEWNET,
  time: CLONE_NEWTIME,
};

export const ALL_NAMESPACES = Object.values(CLONE_FLAGS).reduce((all, flag) => all | flag, 0);

const FIRST_INODE = 0xf0000000;
let nextInode = FIRST_INODE;
ofOneSandbox(() => nextInode = FIRST_INODE);

/** A kind of namespace with nothing of its own yet: it has only the number that /proc/PID/ns shows. */
export class Namespace {
  readonly inode = nextInode++;
  constructor(readonly kind: "pid" | "user" | "ipc" | "net" | "cgroup" | "time" | "uts" | "mnt") {}
}

export class UtsNamespace extends Namespace {
  constructor(public hostname: string, public domainname: string) {
    super("uts");
  }
  fork(): UtsNamespace {
    return new UtsNamespace(this.hostname, this.domainname);
  }
}

export interface NamespaceSet {
  uts: UtsNamespace;
  mount: MountNamespace;
  pid: Namespace;
  user: Namespace;
  ipc: Namespace;
  net: Namespace;
  cgroup: Namespace;
  time: Namespace;
}

export class NamespaceProxy implements NamespaceSet {
  /** Tasks that use it. */
  refs = 1;
  readonly uts: UtsNamespace;
  readonly mount: MountNamespace;
  readonly pid: Namespace;
  readonly user: Namespace;
  readonly ipc: Namespace;
  readonly net: Namespace;
  readonly cgroup: Namespace;
  readonly time: Namespace;

  constructor(set: NamespaceSet) {
    this.uts = set.uts;
    this.mount = set.mount;
    this.pid = set.pid;
    this.user = set.user;
    this.ipc = set.ipc;
    this.net = set.net;
    this.cgroup = set.cgroup;
    this.time = set.time;
  }

  acquire(): this {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs === 0) this.mount.release();
  }

  /** A proxy in which some namespaces are replaced; takes over the references in `changed`. */
  with(changed: Partial<NamespaceSet>): NamespaceProxy {
    if (changed.mount === undefined) this.mount.acquire();
    return new NamespaceProxy({ ...this, ...changed });
  }
}

/** The namespaces of the sandbox's init; takes over the reference to `mount`. */
export function initialNamespaces(
  mount: MountNamespace,
  hostname: string,
  domainname: string,
): NamespaceProxy {
  return new NamespaceProxy({
    uts: new UtsNamespace(hostname, domainname),
    mount,
    pid: new Namespace("pid"),
    user: new Namespace("user"),
    ipc: new Namespace("ipc"),
    net: new Namespace("net"),
    cgroup: new Namespace("cgroup"),
    time: new Namespace("time"),
  });
}
