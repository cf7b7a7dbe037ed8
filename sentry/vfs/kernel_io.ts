/**
 * Kernel buffers as destination and source of I/O: exec, sendfile, splice, proc, unit tests.
 * The buffer stays the caller's; `position` says how far it was filled or drained.
 */
import { EOPNOTSUPP } from "../../platform/abi/errno.ts";
import type { IoDst, IoSrc } from "./io.ts";

/** Host I/O on a plain buffer; installed at boot by the owner of the host calls, absent in unit tests. */
export interface KernelHostIo {
  read(
    fd: number,
    buf: Uint8Array,
    start: number,
    end: number,
    offset: number,
    rwf: number,
  ): number;
  write(
    fd: number,
    buf: Uint8Array,
    start: number,
    end: number,
    offset: number,
    rwf: number,
  ): number;
}

let hostIo: KernelHostIo | null = null;
export function setKernelHostIo(io: KernelHostIo): void {
  hostIo = io;
}

export class KernelDst implements IoDst {
  position: number;

  constructor(readonly buf: Uint8Array, start = 0, readonly end = buf.length) {
    this.position = start;
  }
  get remaining(): number {
    return this.end - this.position;
  }
  put(src: Uint8Array, start: number, end: number): number {
    const n = Math.min(end - start, this.end - this.position);
    if (n <= 64) {
      for (let i = 0; i < n; i++) this.buf[this.position + i] = src[start + i];
    } else this.buf.set(src.subarray(start, start + n), this.position);
    this.position += n;
    return n;
  }
  zero(n: number): number {
    n = Math.min(n, this.end - this.position);
    this.buf.fill(0, this.position, this.position + n);
    this.position += n;
    return n;
  }
  readHost(fd: number, n: number, offset: number, rwf: number): number {
    if (hostIo === null) return -EOPNOTSUPP;
    n = Math.min(n, this.end - this.position);
    const got = hostIo.read(fd, this.buf, this.position, this.position + n, offset, rwf);
    if (got > 0) this.position += got;
    return got;
  }
}

export class KernelSrc implements IoSrc {
  position: number;

  constructor(readonly buf: Uint8Array, start = 0, readonly end = buf.length) {
    this.position = start;
  }
  get remaining(): number {
    return this.end - this.position;
  }
  take(dst: Uint8Array, start: number, end: number): number {
    const n = Math.min(end - start, this.end - this.position);
    if (n <= 64) {
      for (let i = 0; i < n; i++) dst[start + i] = this.buf[this.position + i];
    } else dst.set(this.buf.subarray(this.position, this.position + n), start);
    this.position += n;
    return n;
  }
  writeHost(fd: number, n: number, offset: number, rwf: number): number {
    if (hostIo === null) return -EOPNOTSUPP;
    n = Math.min(n, this.end - this.position);
    const put = hostIo.write(fd, this.buf, this.position, this.position + n, offset, rwf);
    if (put > 0) this.position += put;
    return put;
  }
}
