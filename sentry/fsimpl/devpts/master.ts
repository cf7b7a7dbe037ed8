/** An open master: what open(2) of ptmx gives. */
import {
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDNORM,
  EPOLLWRNORM,
} from "../../../platform/abi/epoll.ts";
import { EAGAIN, EIO } from "../../../platform/abi/errno.ts";
import type { Task } from "../../kernel/task.ts";
import { type FileDescription, FileDescriptionImpl, type IoctlCaller } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import type { WaitQueue } from "../../wait/queue.ts";
import type { DevptsFilesystem } from "./filesystem.ts";
import { masterIoctl } from "./tty_ioctl.ts";
import type { Tty } from "./tty.ts";

/** Packet mode's first byte before data. */
const DATA = Uint8Array.of(0);
const status = new Uint8Array(1);

export class MasterFile extends FileDescriptionImpl {
  constructor(readonly tty: Tty, readonly fs: DevptsFilesystem) {
    super();
  }

  override get seekable(): boolean {
    return false;
  }
  override get waitQueue(): WaitQueue {
    return this.tty.masterQueue;
  }

  override readiness(): number {
    const { tty } = this;
    let mask = 0;
    if (tty.output.size > 0) mask |= EPOLLIN | EPOLLRDNORM;
    if (tty.packet && tty.packetStatus !== 0) mask |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
    if (tty.slaveClosed) mask |= EPOLLHUP;
    if (tty.inputRoom > 0) mask |= EPOLLOUT | EPOLLWRNORM;
    return mask;
  }

  override read(_f: FileDescription, dst: IoDst, _offset: number): number {
    const { tty } = this;
    if (dst.remaining === 0) return 0;
    if (tty.packet && tty.packetStatus !== 0) {
      status[0] = tty.packetStatus;
      tty.packetStatus = 0;
      return dst.put(status, 0, 1);
    }
    if (tty.output.size === 0) return tty.slaveClosed ? -EIO : -EAGAIN;
    if (!tty.packet) return tty.takeOutput(dst);
    const first = dst.put(DATA, 0, 1);
    if (first < 1) return first;
    const n = tty.takeOutput(dst);
    return n < 0 ? n : n + 1;
  }

  override write(_f: FileDescription, src: IoSrc, _offset: number): number {
    // With no slave open yet, or any more, the input waits for the next one.
    return this.tty.receive(src);
  }

  override ioctl(
    f: FileDescription,
    caller: IoctlCaller,
    cmd: number,
    arg: number,
  ): number | Promise<number> {
    return masterIoctl(this, f, caller as Task, cmd, arg);
  }

  override release(_f: FileDescription): void {
    this.tty.masterReleased();
  }
}
