/**
 * Messages between the Sentry and the Gofer (see README.md). Both ends run in Workers and share
 * a MessagePort; host fds are numbers of the one process they live in. Nothing but shapes and limits
 * is here, since the Sentry may import no other file of this folder.
 */

/** Donates the fd of a root: `root`. The reply has `fd`, `readonly`. */
export const OP_ATTACH = 1;
/** Lets the Gofer do I/O on a host fd of the Sentry, which it duplicates, under the number `file`. */
export const OP_ADOPT = 2;
/** Ends `file`. */
export const OP_FORGET = 3;
/** Reads `length` bytes of `file` at `offset`. The reply has `data`, moved and not copied. */
export const OP_PREAD = 4;
/** Writes `data` (moved) to `file` at `offset`, or at the end for `offset` -1. */
export const OP_PWRITE = 5;
/** fsync(2) of `file`, or fdatasync(2) when `dataOnly`. */
export const OP_FSYNC = 6;
/** Opens `path` below `root` with `flags`; donates the fd. For use without directfs. */
export const OP_OPEN = 7;
/** statx(2) of `path` below `root`, links followed inside it. The reply has `data`, a struct statx. */
export const OP_STAT = 8;
/** readlink(2) of `path` below `root`. The reply has `target`. */
export const OP_READLINK = 9;
/** Says that the Gofer is up; for measuring. */
export const OP_PING = 10;

/** Most bytes of one read or write. */
export const MAX_IO = 1 << 20;
/** Adopted files are numbered 1..MAX_FILES by the Sentry; EMFILE beyond. */
export const MAX_FILES = 4096;
/** Roots (rootfs and volumes) of one Gofer. */
export const MAX_ROOTS = 256;
/** Bytes of a path, without a NUL: PATH_MAX - 1. */
export const MAX_PATH = 4095;
/** Requests carry a tag of 1..MAX_TAG, which the reply repeats. */
export const MAX_TAG = 0x3fffffff;

/** Every request; which fields count depends on `op`. */
export interface GoferRequest {
  op: number;
  tag: number;
  root?: number;
  file?: number;
  fd?: number;
  offset?: number;
  length?: number;
  dataOnly?: boolean;
  path?: string;
  flags?: number;
  /** Not a view: Deno looks at every property of a message, and each byte of a view is one. */
  data?: ArrayBuffer;
}

export interface GoferReply {
  tag: number;
  /** 0 or a count, or -errno. */
  result: number;
  /** A donated fd: the receiver owns it. */
  fd?: number;
  readonly?: boolean;
  data?: ArrayBuffer;
  target?: string;
}

/** A root as the Gofer is given it: an open directory, or (a volume of one file) an open file. */
export interface GoferRoot {
  id: number;
  fd: number;
  readonly: boolean;
}

/** The first message to the Worker, from the main thread; `port` leads to the Sentry. */
export interface GoferStart {
  port: MessagePort;
  roots: GoferRoot[];
}
