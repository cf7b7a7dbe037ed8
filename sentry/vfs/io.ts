/**
 * Where bytes of a read go and bytes of a write come from: guest memory (sentry/mm/usermem.ts),
 * or a kernel buffer (exec, sendfile, splice, proc). A file implementation sees only these, moves
 * its bytes in one or more steps and returns the count, or the error if nothing was moved.
 */
export interface IoDst {
  /** Bytes still wanted. */
  readonly remaining: number;
  /** Stores src[start..end) (at most `remaining`). Returns bytes stored, or -EFAULT if none was. */
  put(src: Uint8Array, start: number, end: number): number;
  /** Stores n zero bytes. */
  zero(n: number): number;
  /** preadv2(fd, RWF flags) straight into the destination; offset -1 reads at the fd's position. */
  readHost(fd: number, n: number, offset: number, rwf: number): number;
}

export interface IoSrc {
  readonly remaining: number;
  /** Fetches into dst[start..end). Returns bytes fetched, or -EFAULT if none was. */
  take(dst: Uint8Array, start: number, end: number): number;
  writeHost(fd: number, n: number, offset: number, rwf: number): number;
}
