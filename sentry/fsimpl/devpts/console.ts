/**
 * The terminal of the sandbox's first process: a pseudo terminal whose master is two descriptors of
 * the host, which carry what is typed and what is shown. Their other end is in raw mode: editing, echo
 * and signals are the line discipline's here.
 */
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../../../platform/abi/epoll.ts";
import { EAGAIN } from "../../../platform/abi/errno.ts";
import { F_GETFL, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../../../platform/abi/fcntl.ts";
import { SYS_fcntl } from "../../../platform/abi/amd64/syscalls.ts";
import { hostSyscall, preadFd, pwriteFd } from "../../../platform/host/host.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import type { KernelTimer } from "../../kernel/timers.ts";
import type { FileDescription } from "../../vfs/file.ts";
import { KernelDst, KernelSrc } from "../../vfs/kernel_io.ts";
import type { WaitEntry } from "../../wait/queue.ts";
import type { CallerInput } from "../host/caller_input.ts";
import { pollNow } from "../host/host_poll.ts";
import { HostWatch } from "../host/watch.ts";
import type { DevptsFilesystem } from "./filesystem.ts";
import { setControlling } from "./job_control.ts";
import type { Tty } from "./tty.ts";

const CHUNK = 4096;
/**
 * Output goes to the host at once after a pause; in a stream of small writes it is gathered for so long,
 * or up to so many bytes.
 */
const GATHER_NS = 100_000;
const GATHER_BYTES = 1024;

/** At most so much is written to a descriptor that may block although it is writable. */
const BLOCKING_CHUNK = 256;

/** One way to or from the host's terminal. */
interface HostEnd {
  readonly fd: number;
  readonly nonblocking: boolean;
}

/** The command opens the terminal once more for us, non-blocking, if it may; ours is not to change it. */
function hostEnd(fd: number): HostEnd {
  const flags = hostSyscall(SYS_fcntl, fd, F_GETFL);
  return { fd, nonblocking: flags >= 0 && (flags & O_NONBLOCK) !== 0 };
}

export class Console {
  readonly #buf = new Uint8Array(CHUNK);
  /** Output taken from the terminal that the host has not taken: #out[#from, #to). */
  readonly #out = new Uint8Array(CHUNK);
  #from = 0;
  #to = 0;
  readonly #inWatch: HostWatch;
  readonly #outWatch: HostWatch;
  readonly #entry: WaitEntry;
  readonly #inputEntry: WaitEntry;
  readonly #gather: KernelTimer;
  #lastOutputMonoNs = 0;
  /** The host took no more, and the watch for its room is armed. */
  #hostIsFull = false;
  #open = true;
  /** Pumping tells the terminal, which tells us: each direction runs once at a time. */
  #pumpingIn = false;
  #pumpingOut = false;

  readonly #in: HostEnd;
  readonly #host: HostEnd;

  constructor(
    private readonly kernel: Kernel,
    readonly devpts: DevptsFilesystem,
    readonly tty: Tty,
    hostFdIn: number,
    hostFdOut: number,
    private readonly input: CallerInput,
  ) {
    tty.input = input;
    this.#in = hostEnd(hostFdIn);
    this.#host = hostFdIn === hostFdOut ? this.#in : hostEnd(hostFdOut);
    this.#inWatch = new HostWatch(kernel, this.#in.fd, () => {
      if (this.#in === this.#host) this.#pumpOut(); // One descriptor for both ways has one watch.
      this.#pumpIn();
    });
    this.#outWatch = this.#in === this.#host
      ? this.#inWatch
      : new HostWatch(kernel, this.#host.fd, () => this.#pumpOut());
    this.#gather = { deadlineMonoNs: 0, fire: () => this.#pumpOut() };
    this.#entry = {
      mask: EPOLLIN | EPOLLOUT,
      wake: (events) => {
        if ((events & EPOLLIN) !== 0) this.#hasOutput();
        if ((events & EPOLLOUT) !== 0) this.#pumpIn();
      },
    };
    tty.masterQueue.add(this.#entry);
    this.#inputEntry = {
      mask: -1,
      wake: () => {
        tty.wakeReaders();
        this.#pumpIn();
      },
    };
    input.changes.add(this.#inputEntry);
  }

  /** Starts taking input; to be called when the kernel's hostEvents are there. */
  start(): void {
    this.#pumpIn();
  }

  /** An open slave for a descriptor of the first process; the caller owns it. Or -errno. */
  openSlave(): FileDescription | number {
    return this.devpts.openSlaveFile(this.tty, O_RDWR | O_NOCTTY);
  }

  /** Makes it the controlling terminal of the session that `t` leads. */
  attach(t: Task): void {
    setControlling(t, this.tty);
  }

  setWinsize(rows: number, cols: number): void {
    this.tty.setWinsize(rows, cols, 0, 0);
  }

  /** Whether the host has taken all output, which this tries again: to be waited for at the end. */
  get drained(): boolean {
    this.#pumpOut();
    return this.#from === this.#to && this.tty.output.size === 0;
  }

  /** The terminal outside is gone. */
  hangup(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#inWatch.disarm();
    this.#outWatch.disarm();
    this.kernel.timers.cancel(this.#gather);
    this.tty.masterQueue.remove(this.#entry);
    this.input.changes.remove(this.#inputEntry);
    this.tty.masterReleased();
  }

  #pumpIn(): void {
    if (this.#pumpingIn) return;
    this.#pumpingIn = true;
    this.#moveInput();
    this.#pumpingIn = false;
  }

  #moveInput(): void {
    while (this.#open && this.input.isOn && this.tty.inputRoom > 0) {
      if (!this.#in.nonblocking && pollNow(this.#in.fd, EPOLLIN) === 0) {
        this.#inWatch.arm(EPOLLIN);
        return;
      }
      const room = Math.min(CHUNK, this.tty.inputRoom);
      const n = preadFd(this.#in.fd, this.#buf, 0, room, -1);
      if (n === -EAGAIN) {
        this.#inWatch.arm(EPOLLIN);
        return;
      }
      if (n <= 0) return this.hangup();
      this.tty.receive(new KernelSrc(this.#buf, 0, n));
    }
  }

  #hasOutput(): void {
    if (this.#hostIsFull) return; // The watch will tell.
    const now = this.kernel.nowMonoNs();
    const due = this.#lastOutputMonoNs + GATHER_NS;
    if (now >= due || this.tty.output.size >= GATHER_BYTES) return this.#pumpOut();
    if ((this.#gather.heapIndex ?? -1) >= 0) return;
    this.#gather.deadlineMonoNs = due;
    this.kernel.timers.add(this.#gather);
  }

  #pumpOut(): void {
    if (this.#pumpingOut) return;
    this.#pumpingOut = true;
    this.#hostIsFull = false;
    this.#lastOutputMonoNs = this.kernel.nowMonoNs();
    this.kernel.timers.cancel(this.#gather);
    this.#moveOutput();
    this.#pumpingOut = false;
  }

  #moveOutput(): void {
    while (this.#open) {
      if (this.#from === this.#to) {
        const dst = new KernelDst(this.#out);
        const n = this.tty.takeOutput(dst);
        if (n <= 0) return;
        this.#from = 0;
        this.#to = n;
      }
      let end = this.#to;
      if (!this.#host.nonblocking) {
        const events = pollNow(this.#host.fd, EPOLLOUT);
        if ((events & (EPOLLERR | EPOLLHUP)) !== 0) return this.hangup();
        if (events === 0) return this.#waitForHost();
        end = Math.min(end, this.#from + BLOCKING_CHUNK);
      }
      const n = pwriteFd(this.#host.fd, this.#out, this.#from, end, -1);
      if (n === -EAGAIN) return this.#waitForHost();
      if (n < 0) return this.hangup();
      this.#from += n;
    }
  }

  #waitForHost(): void {
    this.#hostIsFull = this.#outWatch.arm(EPOLLOUT);
  }
}

/**
 * Makes the console's terminal in `devpts` (which must be mounted before `openSlave`). Both
 * descriptors stay the caller's and may be the same.
 */
export function newConsole(
  kernel: Kernel,
  devpts: DevptsFilesystem,
  hostFdIn: number,
  hostFdOut: number,
  input: CallerInput,
): Console | number {
  const tty = devpts.newTty(null);
  if (typeof tty === "number") return tty;
  tty.locked = false;
  return new Console(kernel, devpts, tty, hostFdIn, hostFdOut, input);
}
