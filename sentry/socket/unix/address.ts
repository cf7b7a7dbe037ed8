/** unix(7) addresses: paths, whose sockets are found by their inode, and abstract names. */
import { EADDRINUSE, ECONNREFUSED, EINVAL, EPROTOTYPE } from "../../../platform/abi/errno.ts";
import { AF_UNIX } from "../../../platform/abi/socket.ts";
import { SOCKADDR_UN_OFF_PATH, SOCKADDR_UN_SIZE } from "../../../platform/abi/un.ts";
import { acquirePath, type PathRef } from "../../vfs/mount.ts";
import { bindSocketAt, MAY_WRITE, pathPermission, unlinkAt, walk } from "../../vfs/namei.ts";
import type { SocketCaller } from "../socket.ts";
import type { UnixSocket } from "./unix.ts";

/** A sockaddr of only the family: asks bind(2) for a name of the kernel's choice. */
export const FAMILY_ONLY = Uint8Array.of(AF_UNIX, 0);

/** Abstract names of one network namespace. Each type of socket has names of its own, as in Linux. */
export class AbstractNames {
  readonly #sockets = new Map<string, UnixSocket>();
  #next = 0;

  lookup(name: string, type: number): UnixSocket | undefined {
    return this.#sockets.get(key(name, type));
  }

  bind(name: string, socket: UnixSocket): number {
    if (this.lookup(name, socket.type) !== undefined) return -EADDRINUSE;
    this.#sockets.set(key(name, socket.type), socket);
    return 0;
  }

  release(name: string, socket: UnixSocket): void {
    if (this.lookup(name, socket.type) === socket) this.#sockets.delete(key(name, socket.type));
  }

  /** A free name of autobind's form: a zero byte and five hex digits. Null when all are taken. */
  freeName(type: number): string | null {
    for (let i = 0; i < 0x100000; i++) {
      this.#next = (this.#next + 1) & 0xfffff;
      const name = "\0" + this.#next.toString(16).padStart(5, "0");
      if (this.lookup(name, type) === undefined) return name;
    }
    return null;
  }
}

function key(name: string, type: number): string {
  return type + name;
}

const namespaces = new WeakMap<object, AbstractNames>();

export function abstractNames(netNs: object): AbstractNames {
  let names = namespaces.get(netNs);
  if (names === undefined) namespaces.set(netNs, names = new AbstractNames());
  return names;
}

/** Whether an address has a name in it at all: 0 or -EINVAL. */
export function checkAddress(address: Uint8Array): number {
  const n = address.length;
  if (n <= SOCKADDR_UN_OFF_PATH || n > SOCKADDR_UN_SIZE) return -EINVAL;
  return (address[0] | address[1] << 8) === AF_UNIX ? 0 : -EINVAL;
}

/** The name in a sockaddr_un: a path, or an abstract name with its zero byte. -EINVAL. */
export function parseName(address: Uint8Array): string | number {
  const err = checkAddress(address);
  if (err < 0) return err;
  const n = address.length;
  const abstract = address[SOCKADDR_UN_OFF_PATH] === 0;
  let name = "";
  for (let i = SOCKADDR_UN_OFF_PATH; i < n; i++) {
    if (!abstract && address[i] === 0) break;
    name += String.fromCharCode(address[i]);
  }
  return name;
}

/** The sockaddr_un of a name as getsockname(2) shows it: a path has its zero byte at the end. */
export function nameAddress(name: string | null): Uint8Array {
  if (name === null) return FAMILY_ONLY;
  const isPath = name.charCodeAt(0) !== 0;
  const out = new Uint8Array(SOCKADDR_UN_OFF_PATH + name.length + (isPath ? 1 : 0));
  out[0] = AF_UNIX;
  for (let i = 0; i < name.length; i++) out[SOCKADDR_UN_OFF_PATH + i] = name.charCodeAt(i);
  return out;
}

/** The bound socket of that name and type; -ECONNREFUSED, -EPROTOTYPE, or an error of the path walk. */
export function findSocket(
  caller: SocketCaller,
  names: AbstractNames,
  name: string,
  type: number,
): UnixSocket | number {
  let found: UnixSocket | undefined | null;
  if (name.charCodeAt(0) === 0) found = names.lookup(name, type);
  else {
    const ctx = caller.walkContext();
    const path = walk(ctx, ctx.cwd, name, 0);
    if (typeof path === "number") return path;
    const inode = path.dentry.inode!;
    const err = pathPermission(caller.creds, path.mount, inode, MAY_WRITE);
    if (err < 0) return err;
    if ((inode.mode & 0o170000) !== 0o140000) return -ECONNREFUSED;
    found = inode.special as UnixSocket | null;
  }
  if (found === undefined || found === null) return -ECONNREFUSED;
  return found.type === type ? found : -EPROTOTYPE;
}

/** Makes the socket's inode; the path stays pinned as long as the socket lives. */
export function bindPath(caller: SocketCaller, name: string, socket: UnixSocket): PathRef | number {
  const made = bindSocketAt(caller.walkContext(), name, 0o777 & ~caller.umask);
  if (typeof made === "number") return made;
  made.dentry.inode!.special = socket;
  return acquirePath(made);
}

/** What bind(2) says to a socket that has a name: what is wrong with a path comes first. */
export function refuseSecondName(caller: SocketCaller, name: string): number {
  if (name.charCodeAt(0) === 0) return -EINVAL;
  const ctx = caller.walkContext();
  const made = bindSocketAt(ctx, name, 0o777 & ~caller.umask);
  if (typeof made === "number") return made;
  unlinkAt(ctx, ctx.cwd, name);
  return -EINVAL;
}
