/** The sandbox process of which an image is taken. */
import { SYS_recvmsg } from "../../platform/abi/amd64/syscalls.ts";
import { CONTROL_FD } from "../../runtime/control.ts";
import {
  configure,
  openFiles,
  type SandboxOptions,
  type SandboxProcess,
} from "../../runtime/sandbox.ts";
import { numbersIn, readText } from "./layout.ts";

/** Of every rehearsal. */
export const REHEARSAL: SandboxOptions = {
  command: [],
  env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
  platform: "systrap",
  stdin: "null",
  stdout: "null",
  stderr: "null",
};

/** Runs a command in the process, to its end. `volume`: a directory that it sees as /rehearsal. */
export async function rehearse(
  process: SandboxProcess,
  volume: string,
  argv: string[],
  restMs = 0,
): Promise<void> {
  const options: SandboxOptions = {
    ...REHEARSAL,
    command: argv,
    volumes: [{ source: volume, target: "/rehearsal" }],
  };
  const failure = configure(process, options, openFiles(options), { restMs });
  if (failure !== null) throw failure;
  for await (const event of process.control.events()) {
    if (event.type === "exit") {
      if (event.status !== 0) throw new Error(`the rehearsal failed (wait status ${event.status})`);
      return;
    }
    if (event.type !== "ready") throw new Error(`the rehearsal: ${JSON.stringify(event)}`);
  }
  throw new Error("the rehearsal's process has ended");
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
