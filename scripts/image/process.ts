/** The sandbox process of which an image is taken. */
import {
  SYS_ioctl,
  SYS_memfd_create,
  SYS_open,
  SYS_read,
  SYS_recvmsg,
  SYS_write,
} from "../../platform/abi/amd64/syscalls.ts";
import { O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../../platform/abi/fcntl.ts";
import { TIOCGPTPEER, TIOCSPTLCK } from "../../platform/abi/ioctl.ts";
import { latin1 } from "../../platform/abi/latin1.ts";
import { bufferAddr, hostCall } from "../../platform/host/spawn.ts";
import { CONTROL_FD } from "../../runtime/control.ts";
import { closeFd } from "../../runtime/process.ts";
import {
  configure,
  type Files,
  openFiles,
  type SandboxOptions,
  type SandboxProcess,
} from "../../runtime/sandbox.ts";
import { must, numbersIn, readText } from "./layout.ts";

/** Of every rehearsal. */
export const REHEARSAL: SandboxOptions = {
  command: [],
  env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
  platform: "systrap",
  stdin: "null",
  stdout: "null",
  stderr: "null",
};

/** What a rehearsal's standard streams are: the null device, an output that is a file, or a terminal at which somebody types. */
export type Streams = "null" | "file" | "terminal";

/** Runs a command in the process, to its end. `volume`: a directory that it sees as /rehearsal. */
export async function rehearse(
  process: SandboxProcess,
  volume: string,
  argv: string[],
  { restMs = 0, streams = "null" }: { restMs?: number; streams?: Streams } = {},
): Promise<void> {
  const options: SandboxOptions = {
    ...REHEARSAL,
    command: argv,
    volumes: [{ source: volume, target: "/rehearsal" }],
  };
  const files = openFiles(REHEARSAL);
  if (streams === "file") {
    const name = new TextEncoder().encode("rehearsal\0");
    replaceStreams(files, [1], must("file", hostCall(SYS_memfd_create, bufferAddr(name), 0)));
  }
  const terminal = streams === "terminal" ? openTerminal() : null;
  if (terminal !== null) {
    replaceStreams(files, [0, 1, 2], terminal.slave);
    files.stdioIsTerminal = [true, true, true];
    options.console = WINDOW;
  }
  const failure = configure(process, options, files, { restMs });
  if (failure !== null) throw failure;
  let isOver = false;
  const typing = terminal === null ? null : typeAt(terminal.master, process, () => isOver);
  try {
    for await (const event of process.control.events()) {
      if (event.type === "exit") {
        if (event.status === 0) return;
        throw new Error(`the rehearsal failed (wait status ${event.status})`);
      }
      if (event.type !== "ready") throw new Error(`the rehearsal: ${JSON.stringify(event)}`);
    }
    throw new Error("the rehearsal's process has ended");
  } finally {
    isOver = true;
    await typing;
    if (terminal !== null) closeFd(terminal.master);
  }
}

/** `fd` stands for standard streams, and is closed when it has been sent. */
function replaceStreams(files: Files, streams: number[], fd: number): void {
  for (const i of streams) files.extra[i] = fd;
  files.close.push(fd);
}

const WINDOW = { rows: 24, cols: 80 };

/** Both ends of a new terminal, of which the master does not block; null where there is none to be had. */
function openTerminal(): { master: number; slave: number } | null {
  const path = new TextEncoder().encode("/dev/ptmx\0");
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  const master = hostCall(SYS_open, bufferAddr(path), flags | O_NONBLOCK, 0);
  if (master < 0) return null;
  hostCall(SYS_ioctl, master, TIOCSPTLCK, bufferAddr(new Int32Array(1)));
  const slave = hostCall(SYS_ioctl, master, TIOCGPTPEER, flags);
  if (slave >= 0) return { master, slave };
  closeFd(master);
  return null;
}

const TYPED = ["/bin/true", "echo typed", "/bin/true", "ls / | head -n 3", "cd /", "x=$(id -u)"];
/** How often each is typed. */
const TYPED_TIMES = 80;
const PROMPTS = ["$ ", "# "];
/** A shell says something within it. */
const SILENCE_MS = 10_000;

/** Types commands, each at a prompt, and at last `exit`. A process whose shell says nothing is ended. */
async function typeAt(
  master: number,
  { pid }: SandboxProcess,
  isOver: () => boolean,
): Promise<void> {
  const buffer = new Uint8Array(4096);
  let end = "";
  let heardMs = performance.now();
  for (let typed = 0; !isOver();) {
    const n = hostCall(SYS_read, master, bufferAddr(buffer), buffer.length);
    if (n > 0) {
      heardMs = performance.now();
      end = (end + latin1(buffer, Math.max(0, n - 2), n)).slice(-2);
    } else {
      if (performance.now() - heardMs > SILENCE_MS) return Deno.kill(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (!PROMPTS.includes(end)) continue;
    end = "";
    const line = typed < TYPED.length * TYPED_TIMES ? TYPED[typed++ % TYPED.length] : "exit";
    const bytes = new TextEncoder().encode(`${line}\n`);
    must("typing", hostCall(SYS_write, master, bufferAddr(bytes), bytes.length));
  }
}

/** Host's thread ids, the first thread's first. */
export function threadsOf(pid: number): number[] {
  return numbersIn(`/proc/${pid}/task`);
}

const LOOK_MS = 50;
export const SETTLED_MS = 100;
/**
 * V8 collects garbage 8 s after it was last busy, and again after as long; and what waits for a time is due at once in a
 * process of the image.
 */
export const COLLECTED_MS = 20_000;

/** Until its first thread waits for the configuration and no other has run for a while. */
export async function untilIdle(
  pid: number,
  quietMs: number,
  threads?: readonly number[],
): Promise<void> {
  const wanted = `${SYS_recvmsg} 0x${CONTROL_FD} `;
  let last = "";
  for (let quiet = 0, tries = 0; quiet * LOOK_MS < quietMs; tries++) {
    if (tries > 1200) throw new Error("it does not come to rest");
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const ran = (threads ?? threadsOf(pid)).map((tid) => {
      const [onCpu, , slices] = readText(`/proc/${pid}/task/${tid}/schedstat`).trim().split(" ");
      return `${tid} ${onCpu} ${slices}`;
    }).join();
    const waits = readText(`/proc/${pid}/syscall`).startsWith(wanted);
    quiet = waits && ran === last ? quiet + 1 : 0;
    last = ran;
  }
}
