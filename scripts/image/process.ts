/** The sandbox process of which an image is taken. */
import { SYS_close, SYS_open, SYS_recvmsg } from "../../platform/abi/amd64/syscalls.ts";
import { libraryFile } from "../../platform/host/library.ts";
import { bufferAddr, hostCall, MAX_MOUNTS, spawnLibrary } from "../../platform/host/spawn.ts";
import {
  CONTROL_FD,
  ControlConnection,
  EMPTY_ROOT_FD,
  MEMORY_FILES_FD,
} from "../../runtime/control.ts";
import type { SandboxConfig } from "../../sentry/config.ts";
import { cString, decoder, must, O_RDWR, readText } from "./layout.ts";

interface Sandbox {
  pid: number;
  allIdsMapped: boolean;
  control: ControlConnection;
}

export function startProcess(binary: string): Sandbox {
  const library = must("libplatform.so", hostCall(SYS_open, bufferAddr(cString(libraryFile())), 0));
  const out = new Int32Array(5);
  const pid = must("start", spawnLibrary().dv_sandbox_start(0, cString(binary), library, out));
  hostCall(SYS_close, library);
  return { pid, allIdsMapped: out[2] !== 0, control: new ControlConnection(out[0]) };
}

/** Runs a command in the process, to its end. `volume`: a directory that it sees as /rehearsal. */
export async function rehearse(
  { pid, allIdsMapped, control }: Sandbox,
  volume: string,
  argv: string[],
  restMs = 0,
): Promise<void> {
  const mounted = new Int32Array(MAX_MOUNTS);
  const failed = new Uint8Array(32);
  must(
    `mount (${decoder.decode(failed)})`,
    spawnLibrary().dv_sandbox_mount(pid, cString(`ro=/\0ro=${volume}\0`), mounted, failed),
  );
  const open = (path: string) => must(path, hostCall(SYS_open, bufferAddr(cString(path)), O_RDWR));
  const nothing = open("/dev/null");
  const cpuinfo = must("cpuinfo", hostCall(SYS_open, bufferAddr(cString("/proc/cpuinfo")), 0));
  const fds = new Int32Array([mounted[0], mounted[1], nothing, nothing, nothing, cpuinfo]);
  const config: SandboxConfig = {
    rootFd: 0,
    emptyRootFd: EMPTY_ROOT_FD,
    memoryFilesFd: MEMORY_FILES_FD,
    volumes: [{ fd: 1, dst: "/rehearsal", rw: false, isDirectory: true }],
    argv,
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
    cwd: "/",
    uid: Deno.uid()!,
    gid: Deno.gid()!,
    groups: [],
    umask: 0o22,
    limits: [],
    unmappedId: allIdsMapped ? -1 : 65534,
    hostname: "dvisor",
    platform: "systrap",
    strace: null,
    straceFd: -1,
    debugLogFd: -1,
    logFormat: "text",
    stdio: [2, 3, 4],
    stdioIsTerminal: [false, false, false],
    cpuinfoFd: 5,
    console: null,
    input: "on",
    rehearsal: { restMs },
    controlFd: CONTROL_FD,
  };
  control.sendConfig(config, fds);
  for (const fd of new Set(fds)) hostCall(SYS_close, fd);
  for await (const event of control.events()) {
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
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => Number(name)).sort((a, b) =>
    a - b
  );
}

const LOOK_MS = 50;
export const SETTLED_MS = 100;
/** V8 collects garbage 8 s after it was last busy, and again after as long, and what waits for a time is due at once in a process of the image. */
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
