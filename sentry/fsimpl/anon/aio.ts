/**
 * Linux AIO (aio(7)): what io_setup(2) makes. A context is named by the address of a mapping of its process. In Linux
 * the ring of events lies there; here it stays empty (without the magic number that a library would look for), and
 * events are kept until io_getevents(2) takes them.
 */
import { EPOLLERR, EPOLLHUP, EPOLLIN } from "../../../platform/abi/epoll.ts";
import {
  IO_EVENT_OFF_DATA,
  IO_EVENT_OFF_OBJ,
  IO_EVENT_OFF_RES,
  IO_EVENT_SIZE,
} from "../../../platform/abi/aio.ts";
import { setI64, setU64, zero } from "../../../platform/abi/bytes.ts";
import { ofOneSandbox } from "../../../platform/host/one_sandbox.ts";
import type { MemoryBound } from "../../mm/memory_manager.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { type WaitEntry, WaitQueue } from "../../wait/queue.ts";
import { EventFd } from "./eventfd.ts";

/** Of the whole sandbox: /proc/sys/fs/aio-max-nr and aio-nr. */
export const aioRequests = { max: 65536, used: 0 };
ofOneSandbox(() => aioRequests.used = 0);

/** A request from its submission to the moment its event is taken. */
export class AioRequest {
  res = 0;

  /** `counter`: the eventfd that counts its end, to which it holds a reference; or null. */
  constructor(
    readonly dataLo: number,
    readonly dataHi: number,
    /** Address of its struct iocb. */
    readonly obj: number,
    readonly counter: FileDescription | null,
  ) {
    counter?.acquire();
  }

  /** Writes its struct io_event. */
  put(v: DataView, at: number): void {
    zero(v, at, IO_EVENT_SIZE);
    v.setUint32(at + IO_EVENT_OFF_DATA, this.dataLo, true);
    v.setUint32(at + IO_EVENT_OFF_DATA + 4, this.dataHi, true);
    setU64(v, at + IO_EVENT_OFF_OBJ, this.obj);
    setI64(v, at + IO_EVENT_OFF_RES, this.res);
  }
}

/** IOCB_CMD_POLL: waits until its file is ready, once. */
class PollRequest implements WaitEntry {
  constructor(
    readonly context: AioContext,
    readonly request: AioRequest,
    readonly file: FileDescription,
    readonly queue: WaitQueue,
    readonly mask: number,
  ) {
    file.acquire();
    queue.add(this);
  }

  wake(): void {
    const events = this.file.impl.readiness() & this.mask;
    if (events !== 0) this.end(events);
  }

  end(events: number): void {
    this.queue.remove(this);
    this.context.polls.delete(this);
    this.context.complete(this.request, events);
    this.file.release();
  }
}

export class AioContext implements MemoryBound {
  readonly polls = new Set<PollRequest>();
  /** Who waits for events. */
  readonly waiters = new WaitQueue();
  /** No more events will come, and nobody takes those that are there. */
  ended = false;
  /** Requests that are over, the oldest first. */
  #events: AioRequest[] = [];
  #running = 0;

  /** `asked`: what it counts for in `aioRequests`; `capacity`: requests and events there may be at once. */
  constructor(readonly asked: number, readonly mappedBytes: number, readonly capacity: number) {
    aioRequests.used += asked;
  }

  get isFull(): boolean {
    return this.#running + this.#events.length >= this.capacity;
  }

  get eventCount(): number {
    return this.#events.length;
  }

  /** A request begins; `complete` or `refuse` ends it. */
  begin(): void {
    this.#running++;
  }

  refuse(request: AioRequest): void {
    this.#running--;
    request.counter?.release();
  }

  complete(request: AioRequest, res: number): void {
    this.#running--;
    request.res = res;
    if (!this.ended) this.#events.push(request);
    if (request.counter !== null) {
      (request.counter.impl as EventFd).signal();
      request.counter.release();
    }
    this.waiters.notify(EPOLLIN);
  }

  /** IOCB_CMD_POLL of a file: false when it is not one that can be waited for. */
  poll(request: AioRequest, file: FileDescription, events: number): boolean {
    const mask = events | EPOLLERR | EPOLLHUP;
    const ready = file.impl.readiness() & mask;
    const queue = file.impl.waitQueue;
    if (ready !== 0) this.complete(request, ready);
    else if (queue === null) return false;
    else this.polls.add(new PollRequest(this, request, file, queue, mask));
    return true;
  }

  /** Ends the POLL request of the struct iocb at `obj`, whose event says 0. False: there is none. */
  cancel(obj: number): boolean {
    for (const poll of this.polls) {
      if (poll.request.obj !== obj) continue;
      poll.end(0);
      return true;
    }
    return false;
  }

  /** Writes the oldest `n` events, which stay until `take`. */
  put(v: DataView, n: number): void {
    for (let i = 0; i < n; i++) this.#events[i].put(v, i * IO_EVENT_SIZE);
  }

  take(n: number): void {
    this.#events.splice(0, n);
  }

  end(): void {
    this.ended = true;
    this.#events = [];
    aioRequests.used -= this.asked;
    for (const poll of this.polls) poll.end(0);
    this.waiters.notify(EPOLLIN);
  }
}
