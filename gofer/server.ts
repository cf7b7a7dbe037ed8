/**
 * The Gofer's answers, apart from its Worker so that they can be tested. The Sentry is taken for
 * hostile: a request is an unknown value until every field it needs is checked, every number of a root
 * or file is looked up, and a bad request gets an error number. Nothing here throws.
 */
import {
  EBADF,
  EEXIST,
  EINVAL,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  EPERM,
  EROFS,
} from "../platform/abi/errno.ts";
import {
  O_ACCMODE,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../platform/abi/fcntl.ts";
import { S_IFBLK, S_IFCHR, S_IFMT } from "../platform/abi/stat.ts";
import { RWF_APPEND } from "../platform/abi/uio.ts";
import { settleFileFd } from "../platform/host/file_fds.ts";
import { closeFd, hostAlloc, preadv2, pwritev2 } from "../platform/host/host.ts";
import {
  hostDup,
  hostFstatx,
  hostFsync,
  hostOpenat2,
  hostReadlinkat,
  statxWords,
} from "../platform/host/files.ts";
import {
  type GoferReply,
  type GoferRoot,
  MAX_FILES,
  MAX_IO,
  MAX_PATH,
  MAX_ROOTS,
  MAX_TAG,
  OP_ADOPT,
  OP_ATTACH,
  OP_FORGET,
  OP_FSYNC,
  OP_OPEN,
  OP_PING,
  OP_PREAD,
  OP_PWRITE,
  OP_READLINK,
  OP_STAT,
} from "./protocol.ts";

type Fields = Record<string, unknown>;

const RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/** Flags that OP_OPEN lets through; creation is left to directfs. */
const OPEN_FLAGS = O_ACCMODE | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_PATH;
const MAX_OFFSET = Number.MAX_SAFE_INTEGER - MAX_IO;

export class GoferServer {
  readonly #roots = new Map<number, GoferRoot>();
  readonly #files = new Map<number, number>();
  /** Where reads land and writes come from; taken at the first I/O. */
  #buffer: { u8: Uint8Array; addr: number } | null = null;
  /** Requests without a usable tag: they cannot be answered. */
  malformed = 0;

  constructor(roots: readonly GoferRoot[]) {
    for (const root of roots) this.#roots.set(root.id, root);
  }

  /** Answers a request, or returns null when it has no tag to answer to. */
  handle(message: unknown): GoferReply | null {
    if (typeof message !== "object" || message === null) {
      this.malformed++;
      return null;
    }
    const request = message as Fields;
    const tag = request.tag;
    if (!isInteger(tag, 1, MAX_TAG)) {
      this.malformed++;
      return null;
    }
    const reply: GoferReply = { tag, result: 0 };
    const result = this.#serve(request, reply);
    reply.result = result;
    return reply;
  }

  /** Closes adopted files; the roots are its maker's. */
  close(): void {
    for (const fd of this.#files.values()) closeFd(fd);
    this.#files.clear();
  }

  #serve(request: Fields, reply: GoferReply): number {
    switch (request.op) {
      case OP_ATTACH:
        return this.#attach(request, reply);
      case OP_ADOPT:
        return this.#adopt(request);
      case OP_FORGET:
        return this.#forget(request);
      case OP_PREAD:
        return this.#pread(request, reply);
      case OP_PWRITE:
        return this.#pwrite(request);
      case OP_FSYNC:
        return this.#fsync(request);
      case OP_OPEN:
        return this.#open(request, reply);
      case OP_STAT:
        return this.#stat(request, reply);
      case OP_READLINK:
        return this.#readlink(request, reply);
      case OP_PING:
        return 0;
      default:
        return -EINVAL;
    }
  }

  #attach(request: Fields, reply: GoferReply): number {
    const root = this.#root(request);
    if (root === null) return -ENOENT;
    const fd = hostDup(root.fd);
    if (fd < 0) return fd;
    reply.fd = fd;
    reply.readonly = root.readonly;
    return 0;
  }

  #adopt(request: Fields): number {
    const { file, fd } = request;
    if (!isInteger(file, 1, MAX_FILES)) return -EMFILE;
    if (!isInteger(fd, 3, 0x7fffffff)) return -EBADF;
    if (this.#files.has(file)) return -EEXIST;
    const own = settleFileFd(hostDup(fd));
    if (own < 0) return own;
    this.#files.set(file, own);
    return 0;
  }

  #forget(request: Fields): number {
    const fd = this.#file(request);
    if (fd < 0) return fd;
    this.#files.delete(request.file as number);
    return closeFd(fd);
  }

  #pread(request: Fields, reply: GoferReply): number {
    const { offset, length } = request;
    const fd = this.#file(request);
    if (fd < 0) return fd;
    if (!isInteger(offset, 0, MAX_OFFSET) || !isInteger(length, 0, MAX_IO)) return -EINVAL;
    const buffer = this.#ioBuffer();
    const n = preadv2(fd, buffer.addr, length, offset, 0);
    if (n >= 0) reply.data = buffer.u8.slice(0, n).buffer;
    return n;
  }

  #pwrite(request: Fields): number {
    const { offset, data } = request;
    const fd = this.#file(request);
    if (fd < 0) return fd;
    if (!isInteger(offset, -1, MAX_OFFSET)) return -EINVAL;
    if (!(data instanceof ArrayBuffer) || data.byteLength > MAX_IO) return -EINVAL;
    const buffer = this.#ioBuffer();
    buffer.u8.set(new Uint8Array(data));
    const append = offset < 0;
    return pwritev2(fd, buffer.addr, data.byteLength, append ? 0 : offset, append ? RWF_APPEND : 0);
  }

  #fsync(request: Fields): number {
    const fd = this.#file(request);
    return fd < 0 ? fd : hostFsync(fd, request.dataOnly === true);
  }

  #open(request: Fields, reply: GoferReply): number {
    const root = this.#root(request);
    if (root === null) return -ENOENT;
    const { flags } = request;
    if (!isInteger(flags, 0, 0x7fffffff) || (flags & ~OPEN_FLAGS) !== 0) return -EINVAL;
    if ((flags & O_ACCMODE) !== O_RDONLY && root.readonly) return -EROFS;
    const path = request.path;
    if ((flags & O_PATH) === 0) {
      // Looked at first, since opening a device may be enough to make it do something.
      const place = openBelow(root, path, O_PATH | (flags & O_NOFOLLOW));
      if (place < 0) return place;
      const refused = refuseDevice(place);
      closeFd(place);
      if (refused < 0) return refused;
    }
    const fd = openBelow(root, path, flags | O_NONBLOCK);
    if (fd < 0) return fd;
    const refused = (flags & O_PATH) === 0 ? refuseDevice(fd) : 0;
    if (refused < 0) closeFd(fd);
    else reply.fd = fd;
    return refused;
  }

  #stat(request: Fields, reply: GoferReply): number {
    const fd = this.#openPath(request, O_PATH);
    if (fd < 0) return fd;
    const err = hostFstatx(fd);
    closeFd(fd);
    if (err < 0) return err;
    reply.data = statxWords.slice().buffer;
    return 0;
  }

  #readlink(request: Fields, reply: GoferReply): number {
    const fd = this.#openPath(request, O_PATH | O_NOFOLLOW);
    if (fd < 0) return fd;
    const target = hostReadlinkat(fd, "");
    closeFd(fd);
    if (typeof target === "number") return target;
    reply.target = target;
    return 0;
  }

  #openPath(request: Fields, flags: number): number {
    const root = this.#root(request);
    return root === null ? -ENOENT : openBelow(root, request.path, flags);
  }

  #root(request: Fields): GoferRoot | null {
    return this.#roots.get(request.root as number) ?? null;
  }

  #file(request: Fields): number {
    return this.#files.get(request.file as number) ?? -EBADF;
  }

  #ioBuffer(): { u8: Uint8Array; addr: number } {
    return this.#buffer ??= hostAlloc(MAX_IO);
  }
}

function openBelow(root: GoferRoot, path: unknown, flags: number): number {
  if (typeof path !== "string") return -EINVAL;
  if (path.length > MAX_PATH) return -ENAMETOOLONG;
  for (let i = 0; i < path.length; i++) {
    const c = path.charCodeAt(i);
    if (c === 0 || c > 0xff) return -EINVAL;
  }
  return hostOpenat2(root.fd, path, flags, 0, RESOLVE);
}

/** A host device must never be opened, were it only by name: the guest's devices are the Sentry's. */
function refuseDevice(fd: number): number {
  const err = hostFstatx(fd);
  if (err < 0) return err;
  const type = statxWords[7] & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK ? -EPERM : 0;
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

/** Checks the list of roots from the main thread; null when it is not one. */
export function parseRoots(value: unknown): GoferRoot[] | null {
  if (!Array.isArray(value) || value.length > MAX_ROOTS) return null;
  const roots: GoferRoot[] = [];
  for (const entry of value) {
    if (typeof entry !== "object" || entry === null) return null;
    const { id, fd, readonly } = entry as Fields;
    if (!isInteger(id, 0, 0x7fffffff) || !isInteger(fd, 0, 0x7fffffff)) return null;
    if (typeof readonly !== "boolean" || roots.some((r) => r.id === id)) return null;
    roots.push({ id, fd, readonly });
  }
  return roots;
}
