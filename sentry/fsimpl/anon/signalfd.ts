/**
 * signalfd(2). As on Linux it gives the signals of whoever reads it, so a descriptor inherited over
 * fork(2) gives the child's. `current` tells who that is; a blocked reader is remembered.
 */
import { EPOLLIN } from "../../../platform/abi/epoll.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../../platform/abi/errno.ts";
import { putSignalfdSiginfo, SIGNALFD_SIGINFO_SIZE } from "../../../platform/abi/signal.ts";
import { current } from "../../kernel/current.ts";
import { dequeueFrom, pendingSet, type SigInfo } from "../../kernel/signal.ts";
import { UNBLOCKABLE } from "../../kernel/signal_actions.ts";
import type { Task } from "../../kernel/task.ts";
import { newAnonFile } from "../../vfs/anon.ts";
import { FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import type { IoDst } from "../../vfs/io.ts";
import type { WaitQueue } from "../../wait/queue.ts";

const scratch = new Uint8Array(SIGNALFD_SIGINFO_SIZE);
const view = new DataView(scratch.buffer);

export class SignalFd extends FileDescriptionImpl {
  lo = 0;
  hi = 0;
  #reader: Task;

  constructor(creator: Task, lo: number, hi: number) {
    super();
    this.#reader = creator;
    this.setMask(lo, hi);
  }
  setMask(lo: number, hi: number): void {
    this.lo = (lo & ~UNBLOCKABLE) >>> 0;
    this.hi = hi >>> 0;
    this.#who.tg.signalQueue.notify(EPOLLIN);
  }
  override get seekable(): boolean {
    return false;
  }
  override get ignoresSeeks(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.#who.tg.signalQueue;
  }
  override readiness(): number {
    const [lo, hi] = pendingSet(this.#who);
    return ((lo & this.lo) | (hi & this.hi)) !== 0 ? EPOLLIN : 0;
  }

  override read(_f: FileDescription, dst: IoDst): number {
    if (dst.remaining < SIGNALFD_SIGINFO_SIZE) return -EINVAL;
    const t = this.#who;
    let total = 0;
    while (dst.remaining >= SIGNALFD_SIGINFO_SIZE) {
      const info = dequeueFrom(t, this.lo, this.hi);
      if (info === null) break;
      put(info);
      if (dst.put(scratch, 0, SIGNALFD_SIGINFO_SIZE) !== SIGNALFD_SIGINFO_SIZE) {
        return total > 0 ? total : -EFAULT;
      }
      total += SIGNALFD_SIGINFO_SIZE;
    }
    return total > 0 ? total : -EAGAIN;
  }
  override fdinfo(): string {
    const hex = (n: number): string => n.toString(16).padStart(8, "0");
    return `sigmask:\t${hex(this.hi)}${hex(this.lo)}\n`;
  }

  get #who(): Task {
    if (current.task !== null) this.#reader = current.task;
    return this.#reader;
  }
}

function put(info: SigInfo): void {
  putSignalfdSiginfo(view, 0, {
    signo: info.signo,
    errno: info.errno,
    code: info.code,
    pid: info.pid,
    uid: info.uid,
    fd: info.fd,
    tid: info.timerId,
    band: info.band,
    overrun: info.overrun,
    trapno: 0,
    status: info.status,
    int: info.valueLo | 0,
    ptrLo: info.valueLo,
    ptrHi: info.valueHi,
    utime: info.utime,
    stime: info.stime,
    addr: info.addr,
    addrLsb: info.addrLsb,
    syscall: info.syscall,
    callAddr: info.callAddr,
    arch: info.arch,
  });
}

export function newSignalFd(t: Task, lo: number, hi: number, flags: number): FileDescription {
  return newAnonFile("[signalfd]", new SignalFd(t, lo, hi), flags);
}
