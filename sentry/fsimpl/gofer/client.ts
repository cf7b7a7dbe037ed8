/**
 * The Sentry's end of the Gofer's port. Nothing here waits: a request is posted and a Promise kept
 * under its tag; `poll` takes the replies that have come, after the doorbell rang, and settles them.
 * The run loop must drain microtasks after a `poll` that returned more than 0.
 */
import { EAGAIN, EIO, EMFILE, ETIMEDOUT } from "../../../platform/abi/errno.ts";
import {
  type GoferReply,
  type GoferRequest,
  MAX_FILES,
  MAX_IO,
  MAX_TAG,
  OP_ADOPT,
  OP_ATTACH,
  OP_FORGET,
  OP_FSYNC,
  OP_PING,
  OP_PREAD,
  OP_PWRITE,
} from "../../../gofer/protocol.ts";

/** Requests under way; more get EAGAIN. One task has one at a time. */
const MAX_PENDING = 65_536;

/** The next message that has come to a port, without waiting (receiveMessageOnPort of node:worker_threads). */
export type ReceiveMessage = (port: MessagePort) => { message: unknown } | undefined;

export interface AttachedRoot {
  /** Owned by the receiver. */
  fd: number;
  readonly: boolean;
}

export class GoferClient {
  readonly #port: MessagePort;
  readonly #receive: ReceiveMessage;
  readonly #pending = new Map<number, (reply: GoferReply) => void>();
  #nextTag = 1;
  /** Numbers of adopted files not in use. */
  readonly #freeFiles: number[] = [];
  #nextFile = 1;

  #wake: (() => void) | null;

  /**
   * `port` is one end of a MessageChannel whose other end the Gofer is given; `wake` is called at the
   * first request, for who starts the Gofer when it is needed.
   */
  constructor(port: MessagePort, receive: ReceiveMessage, wake: (() => void) | null = null) {
    this.#port = port;
    this.#receive = receive;
    this.#wake = wake;
  }

  /** Requests without a reply yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Settles the replies that have come; returns how many. Never blocks. */
  poll(): number {
    let n = 0;
    for (;;) {
      const received = this.#receive(this.#port);
      if (received === undefined) return n;
      const reply = received.message as GoferReply;
      const settle = this.#pending.get(reply.tag);
      if (settle === undefined) continue;
      this.#pending.delete(reply.tag);
      settle(reply);
      n++;
    }
  }

  /** The fd of a root, or -errno. */
  async attach(root: number): Promise<AttachedRoot | number> {
    const reply = await this.#request({ op: OP_ATTACH, tag: 0, root });
    return reply.result < 0 ? reply.result : { fd: reply.fd!, readonly: reply.readonly === true };
  }

  /** `attach` for boot, before the run loop: waits for the Gofer to come up. */
  attachNow(root: number, timeoutMs = 10_000): AttachedRoot | number {
    let result: AttachedRoot | number | null = null;
    const err = this.#post({ op: OP_ATTACH, tag: 0, root }, (reply) => {
      result = reply.result < 0
        ? reply.result
        : { fd: reply.fd!, readonly: reply.readonly === true };
    });
    if (err < 0) return err;
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + timeoutMs;
    while (result === null) {
      if (this.poll() > 0) continue;
      if (performance.now() > end) return -ETIMEDOUT;
      Atomics.wait(cell, 0, 0, 0.05);
    }
    return result;
  }

  /** Makes an fd of the Sentry known to the Gofer. Returns its number there, or -errno. */
  async adopt(fd: number): Promise<number> {
    const file = this.#freeFiles.pop() ?? this.#nextFile;
    if (file > MAX_FILES) return -EMFILE;
    if (file === this.#nextFile) this.#nextFile++;
    const reply = await this.#request({ op: OP_ADOPT, tag: 0, file, fd });
    if (reply.result === 0) return file;
    this.#freeFiles.push(file);
    return reply.result;
  }

  /** Ends an adopted file; its number may be used again at once, since requests keep their order. */
  forget(file: number): void {
    this.#post({ op: OP_FORGET, tag: 0, file }, () => {});
    this.#freeFiles.push(file);
  }

  /** Reads at most MAX_IO bytes of an adopted file; or -errno. */
  async pread(file: number, offset: number, length: number): Promise<Uint8Array | number> {
    length = Math.min(length, MAX_IO);
    const reply = await this.#request({ op: OP_PREAD, tag: 0, file, offset, length });
    if (reply.result < 0) return reply.result;
    return reply.data === undefined ? -EIO : new Uint8Array(reply.data);
  }

  /** Writes `data` (at most MAX_IO bytes, given away) at `offset`, -1 for the end. Returns the count. */
  async pwrite(file: number, offset: number, data: ArrayBuffer): Promise<number> {
    const reply = await this.#request({ op: OP_PWRITE, tag: 0, file, offset, data });
    return reply.result;
  }

  async fsync(file: number, dataOnly: boolean): Promise<number> {
    return (await this.#request({ op: OP_FSYNC, tag: 0, file, dataOnly })).result;
  }

  async ping(): Promise<number> {
    return (await this.#request({ op: OP_PING, tag: 0 })).result;
  }

  close(): void {
    this.#port.close();
  }

  #request(request: GoferRequest): Promise<GoferReply> {
    return new Promise((resolve) => {
      const err = this.#post(request, resolve);
      if (err < 0) resolve({ tag: 0, result: err });
    });
  }

  #post(request: GoferRequest, settle: (reply: GoferReply) => void): number {
    if (this.#pending.size >= MAX_PENDING) return -EAGAIN;
    let tag = this.#nextTag;
    while (this.#pending.has(tag)) tag = tag === MAX_TAG ? 1 : tag + 1;
    this.#nextTag = tag === MAX_TAG ? 1 : tag + 1;
    request.tag = tag;
    this.#pending.set(tag, settle);
    if (this.#wake !== null) {
      this.#wake();
      this.#wake = null;
    }
    if (request.data === undefined) this.#port.postMessage(request);
    else this.#port.postMessage(request, [request.data]);
    return 0;
  }
}
