/** eventfd(2): a 64-bit counter in two halves. */
import { EPOLLERR, EPOLLIN, EPOLLOUT } from "../../../platform/abi/epoll.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../../platform/abi/errno.ts";
import { EVENTFD_SIZE } from "../../../platform/abi/eventfd.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import { newAnonFile } from "../../vfs/anon.ts";
import { FileDescription, FileDescriptionImpl } from "../../vfs/file.ts";
import type { IoDst, IoSrc } from "../../vfs/io.ts";
import { WaitQueue } from "../../wait/queue.ts";

const MAX_U32 = 0xffffffff;
const TWO_32 = 0x1_0000_0000;
const scratch = new Uint8Array(EVENTFD_SIZE);
const view = new DataView(scratch.buffer);

let nextId = 0;
ofOneSandbox(() => nextId = 0);

export class EventFd extends FileDescriptionImpl {
  readonly #queue = new WaitQueue();
  readonly #id = nextId++;
  #lo: number;
  #hi = 0;

  constructor(initial: number, readonly semaphore: boolean) {
    super();
    this.#lo = initial;
  }
  override get seekable(): boolean {
    return false;
  }
  override get ignoresSeeks(): boolean {
    return true;
  }
  override get writesBuffers(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.#queue;
  }
  override readiness(): number {
    let events = 0;
    if (this.#lo !== 0 || this.#hi !== 0) events |= EPOLLIN;
    if (this.#hi !== MAX_U32 || this.#lo < MAX_U32 - 1) events |= EPOLLOUT;
    if (this.#hi === MAX_U32 && this.#lo === MAX_U32) events |= EPOLLERR;
    return events;
  }

  override read(_f: FileDescription, dst: IoDst): number {
    if (dst.remaining < EVENTFD_SIZE) return -EINVAL;
    if (this.#lo === 0 && this.#hi === 0) return -EAGAIN;
    view.setUint32(0, this.semaphore ? 1 : this.#lo, true);
    view.setUint32(4, this.semaphore ? 0 : this.#hi, true);
    // As on Linux the count is gone even if the buffer faults.
    if (!this.semaphore) this.#lo = this.#hi = 0;
    else if (this.#lo > 0) this.#lo--;
    else {
      this.#lo = MAX_U32;
      this.#hi--;
    }
    this.#queue.notify(EPOLLOUT);
    return dst.put(scratch, 0, EVENTFD_SIZE) === EVENTFD_SIZE ? EVENTFD_SIZE : -EFAULT;
  }

  override write(_f: FileDescription, src: IoSrc): number {
    if (src.remaining !== EVENTFD_SIZE) return -EINVAL;
    if (src.take(scratch, 0, EVENTFD_SIZE) !== EVENTFD_SIZE) return -EFAULT;
    const lo = view.getUint32(0, true), hi = view.getUint32(4, true);
    if (lo === MAX_U32 && hi === MAX_U32) return -EINVAL;
    const sumLo = this.#lo + lo;
    const carry = sumLo >= TWO_32 ? 1 : 0;
    const newLo = sumLo - carry * TWO_32;
    const newHi = this.#hi + hi + carry;
    if (newHi > MAX_U32 || (newHi === MAX_U32 && newLo === MAX_U32)) return -EAGAIN;
    this.#lo = newLo;
    this.#hi = newHi;
    this.#queue.notify(EPOLLIN);
    return EVENTFD_SIZE;
  }
  /** Adds one, as the kernel itself does (Linux: eventfd_signal); a full counter stays so. */
  signal(): void {
    if (this.#hi !== MAX_U32 || this.#lo !== MAX_U32) {
      this.#lo = (this.#lo + 1) >>> 0;
      if (this.#lo === 0) this.#hi++;
    }
    this.#queue.notify(EPOLLIN);
  }
  override fdinfo(): string {
    const hex = (n: number): string => n.toString(16);
    const count = this.#hi === 0 ? hex(this.#lo) : hex(this.#hi) + hex(this.#lo).padStart(8, "0");
    return `eventfd-count: ${count.padStart(16)}\neventfd-id: ${this.#id}\n` +
      `eventfd-semaphore: ${this.semaphore ? 1 : 0}\n`;
  }
}

export function newEventFd(initial: number, semaphore: boolean, flags: number): FileDescription {
  return newAnonFile("[eventfd]", new EventFd(initial, semaphore), flags);
}
