// Adds to the base binary an image of a sandbox process that has started (platform/native/image): the process of
// BINARY, which was compiled from that base, is started, stopped when it waits, and written down.
//   image.ts add BASE BINARY RESTORER FOLDER OUT    FOLDER has the script `rehearsal`, which is run in it before
//   image.ts warm BINARY                            notes in BINARY, which has an image, what is to be populated
import { libraryFile } from "../platform/host/library.ts";
import { bufferAddr, hostCall, MAX_MOUNTS, spawnLibrary } from "../platform/host/spawn.ts";
import {
  CONTROL_FD,
  ControlConnection,
  EMPTY_ROOT_FD,
  MEMORY_FILES_FD,
} from "../runtime/control.ts";
import type { SandboxConfig } from "../sentry/config.ts";
import {
  SYS_clock_gettime,
  SYS_close,
  SYS_get_robust_list,
  SYS_kcmp,
  SYS_open,
  SYS_prctl,
  SYS_ptrace,
  SYS_recvmsg,
  SYS_rt_sigaction,
  SYS_sigaltstack,
  SYS_wait4,
} from "../platform/abi/amd64/syscalls.ts";

const PAGE = 4096;
const roundUp = (n: number) => Math.ceil(n / PAGE) * PAGE;
const decoder = new TextDecoder();

function must(what: string, result: number): number {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

// ---- Layout of struct prelude (../platform/native/sandbox/start.h) and of image.h

const PRELUDE_RESTORER = 56;
const PRELUDE_MAGIC = 0x3165_6475_6c65_7270n;
const IMAGE_MAGIC = 0x3165_676d_6976_6400n;
const CPU_WORDS = 12;
const VDSO_FUNCTIONS = 16;
const VDSO_NAME = 32;
const IMAGE_SIZE = 24 + CPU_WORDS * 4 + 24 + 16 + VDSO_FUNCTIONS * (VDSO_NAME + 8) + 64 * 32 +
  11 * 8;
const REGION_SIZE = 32;
const THREAD_SIZE = 26 * 8 + 16;
const DESCRIPTOR_SIZE = 24;
const WATCH_SIZE = 24;
const RANGE_SIZE = 16;
const RANGES_MAX = 2048;
/** In struct image, of `regions`. */
const COUNTS = 24 + CPU_WORDS * 4;
const REGION_MEMORY = 0;
const REGION_VDSO = 1;
const REGION_STACK = 2;
const REGION_NO_HUGE_PAGES = 1;
const [FD_KEPT, FD_DUP, FD_EPOLL, FD_EVENTFD, FD_SOCKET] = [0, 1, 2, 3, 4];
/** Descriptors that start.c has placed. */
const PLACED = 6;
const O_RDWR = 2;

/** Writes numbers one after the other. */
class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }
  u16(value: number): void {
    this.#view.setUint16(this.at, value, true);
    this.at += 2;
  }
  u32(value: number): void {
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
  }
  u64(value: number | bigint): void {
    this.#view.setBigInt64(this.at, BigInt.asIntN(64, BigInt(value)), true);
    this.at += 8;
  }
  text(value: string, size: number): void {
    this.bytes.set(new TextEncoder().encode(value).subarray(0, size - 1), this.at);
    this.at += size;
  }
}

// ---- A process that waits for its configuration

interface Sandbox {
  pid: number;
  allIdsMapped: boolean;
  control: ControlConnection;
}

function startProcess(binary: string): Sandbox {
  const library = must("libplatform.so", hostCall(SYS_open, bufferAddr(cString(libraryFile())), 0));
  const out = new Int32Array(5);
  const pid = must("start", spawnLibrary().dv_sandbox_start(0, cString(binary), library, out));
  hostCall(SYS_close, library);
  return { pid, allIdsMapped: out[2] !== 0, control: new ControlConnection(out[0]) };
}

/** Runs a command in the process, to its end. `volume`: a directory that it sees as /rehearsal. */
async function rehearse(
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

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function readText(path: string): string {
  return decoder.decode(Deno.readFileSync(path));
}

/** Host's thread ids, the first thread's first. */
function threadsOf(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => Number(name)).sort((a, b) =>
    a - b
  );
}

const LOOK_MS = 50;
const SETTLED_MS = 100;
/** V8 collects garbage 8 s after it was last busy, and again after as long, and what waits for a time is due at once in a process of the image. */
const COLLECTED_MS = 20_000;

/** Until its first thread waits for the configuration and no other has run for a while. */
async function untilIdle(
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

// ---- Threads, by ptrace(2)

const PTRACE_SINGLESTEP = 9;
const PTRACE_GETREGS = 12;
const PTRACE_SETREGS = 13;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_GETSIGMASK = 0x420a;
const PTRACE_GET_RSEQ_CONFIGURATION = 0x420f;
const WALL = 0x4000_0000;
const PR_GET_TID_ADDRESS = 40;
const EINTR = 4;
/** ERESTARTSYS … ERESTART_RESTARTBLOCK: the call begins anew when the thread runs on. */
const RESTARTS = [512, 513, 514, 516];
/** struct user_regs_struct, in its order. */
const [R15, R14, R13, R12, RBP, RBX, , R10, R9, R8, RAX, , RDX, RSI, RDI, ORIG_RAX, RIP, , , RSP] =
  Array.from({ length: 20 }, (_, i) => i);
const FS_BASE = 21;
const GS_BASE = 22;
const REGS = 27;

class Tracee {
  readonly regs = new BigUint64Array(REGS);
  constructor(readonly tid: number) {
    must(`seize ${tid}`, hostCall(SYS_ptrace, PTRACE_SEIZE, tid, 0, 0));
    must(`interrupt ${tid}`, hostCall(SYS_ptrace, PTRACE_INTERRUPT, tid, 0, 0));
    this.#wait();
    this.#transfer(PTRACE_GETREGS, this.regs);
    const result = -Number(BigInt.asIntN(64, this.regs[RAX]));
    const inCall = BigInt.asIntN(64, this.regs[ORIG_RAX]) >= 0n;
    if (!inCall || !(RESTARTS.includes(result) || result === EINTR)) {
      throw new Error(`thread ${tid} does not wait in a system call (${result})`);
    }
    if (this.regs[GS_BASE] !== 0n) throw new Error(`thread ${tid} uses GS`);
  }

  #wait(): void {
    const status = new Int32Array(1);
    must(`wait ${this.tid}`, hostCall(SYS_wait4, this.tid, bufferAddr(status), WALL, 0));
    if ((status[0] & 0xff) !== 0x7f) throw new Error(`thread ${this.tid} ended`);
  }

  #transfer(request: number, regs: BigUint64Array<ArrayBuffer>): void {
    must("registers", hostCall(SYS_ptrace, request, this.tid, 0, bufferAddr(regs)));
  }

  /** Makes it do a system call. Its registers are spoiled for good. */
  call(nr: number, ...args: (number | bigint)[]): number {
    const regs = this.regs.slice();
    regs[RIP] -= 2n; // That of the call it waits in.
    regs[RAX] = BigInt(nr);
    regs[ORIG_RAX] = -1n;
    [RDI, RSI, RDX, R10].forEach((register, i) => regs[register] = BigInt(args[i] ?? 0));
    this.#transfer(PTRACE_SETREGS, regs);
    must("step", hostCall(SYS_ptrace, PTRACE_SINGLESTEP, this.tid, 0, 0));
    this.#wait();
    this.#transfer(PTRACE_GETREGS, regs);
    return Number(BigInt.asIntN(64, regs[RAX]));
  }

  /** Below its stack pointer and what leaf functions use there. */
  get scratch(): number {
    return Number((this.regs[RSP] - 4096n) & -64n);
  }
}

interface Memory {
  read(address: number, length: number): Uint8Array<ArrayBuffer>;
}

/** A range of memory as it was before. */
interface Former {
  start: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The memory of a process, but for `former`. */
function memoryOf(pid: number, former: Former | null = null): Memory {
  const file = Deno.openSync(`/proc/${pid}/mem`);
  return {
    read(address, length) {
      const bytes = readAt(file, address, length);
      if (former === null) return bytes;
      const from = Math.max(address, former.start);
      const to = Math.min(address + length, former.start + former.bytes.length);
      if (from < to) {
        bytes.set(former.bytes.subarray(from - former.start, to - former.start), from - address);
      }
      return bytes;
    },
  };
}

/**
 * What the process is before it has run anything, and shall be again: native code has started threads and opened
 * files that an image does not have.
 */
interface Beginning {
  threads: number[];
  fds: Set<number>;
  library: Former;
}

function beginningOf(pid: number): Beginning {
  const mappings = mappingsOf(pid);
  const start = mappings.find(({ name }) => name.endsWith("/libplatform.so"))!.start;
  const memory = memoryOf(pid);
  const [from, to] = writableSegment(memory.read(start, PAGE));
  return {
    threads: threadsOf(pid),
    fds: new Set(fdsOf(pid)),
    library: { start: start + from, bytes: memory.read(start + from, to - from) },
  };
}

/** Where a library's data lie, from its beginning. */
function writableSegment(header: Uint8Array<ArrayBuffer>): [number, number] {
  const view = new DataView(header.buffer);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = u64(32) + 56 * i;
    if (view.getUint32(at, true) !== 1 || (view.getUint32(at + 4, true) & 2) === 0) continue;
    return [u64(at + 16), u64(at + 16) + u64(at + 40)];
  }
  throw new Error("a library without data");
}

function fdsOf(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => Number(name)).sort((a, b) =>
    a - b
  );
}

function writeThread(out: Writer, pid: number, tracee: Tracee, memory: Memory): void {
  const { regs, tid } = tracee;
  const order = [RBX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, R12, R13, R14, R15];
  out.u64(regs[ORIG_RAX]);
  for (const register of order) out.u64(regs[register]);
  out.u64(regs[RIP] - 2n);
  out.u64(regs[FS_BASE]);

  const buffer = new BigUint64Array(4);
  const { scratch } = tracee;
  const readU64 = (address: number) => new BigUint64Array(memory.read(address, 8).buffer)[0];
  must("tid address", tracee.call(SYS_prctl, PR_GET_TID_ADDRESS, scratch));
  out.u64(readU64(scratch));
  must(
    "robust list",
    hostCall(SYS_get_robust_list, tid, bufferAddr(buffer), bufferAddr(buffer) + 8),
  );
  out.u64(buffer[0]);
  out.u64(buffer[1]);
  buffer.fill(0n);
  must(
    "rseq",
    hostCall(SYS_ptrace, PTRACE_GET_RSEQ_CONFIGURATION, tid, 24, bufferAddr(buffer)),
  );
  out.u64(buffer[0]);
  out.u64(buffer[1] & 0xffff_ffffn);
  out.u64(buffer[1] >> 32n);
  must("mask", hostCall(SYS_ptrace, PTRACE_GETSIGMASK, tid, 8, bufferAddr(buffer)));
  out.u64(buffer[0]);
  must("altstack", tracee.call(SYS_sigaltstack, 0, scratch));
  for (let i = 0; i < 3; i++) out.u64(readU64(scratch + 8 * i));
  out.text(readText(`/proc/${pid}/task/${tid}/comm`).trim(), 16);
}

// ---- Memory

interface Mapping {
  start: number;
  end: number;
  perms: string;
  offset: number;
  name: string;
  flags: string[];
}

function mappingsOf(pid: number): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of readText(`/proc/${pid}/smaps`).split("\n")) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$/.exec(line);
    if (header !== null) {
      const [start, end, offset] = [header[1], header[2], header[4]].map((hex) =>
        parseInt(hex, 16)
      );
      mappings.push({ start, end, perms: header[3], offset, name: header[5], flags: [] });
    } else if (line.startsWith("VmFlags:")) {
      mappings.at(-1)!.flags = line.slice(8).trim().split(" ");
    }
  }
  return mappings;
}

interface Region {
  start: number;
  end: number;
  /** In the binary where `ofBase`, else in what is written; -1: zeros. */
  offset: number;
  ofBase: boolean;
  prot: number;
  kind: number;
  flags: number;
}

/** Zeros between two pages that have something are written down, when there are not more: a mapping costs, too. */
const GAP = 16 * PAGE;
/** The stack of the first thread may grow to this. */
const STACK = 8 << 20;

class MemoryWriter {
  readonly regions: Region[] = [];
  readonly parts: Uint8Array[] = [];
  size = 0;

  constructor(
    readonly pid: number,
    readonly memory: Memory,
    readonly base: Uint8Array,
  ) {}

  add(mapping: Mapping): void {
    const { start, end, perms, name } = mapping;
    if (name === "[vsyscall]" || name.startsWith("[vvar")) return;
    if (perms[3] === "s") return; // With stubs that an image does not have.
    const prot = (perms[0] === "r" ? 1 : 0) | (perms[1] === "w" ? 2 : 0) |
      (perms[2] === "x" ? 4 : 0);
    const flags = mapping.flags.includes("nh") ? REGION_NO_HUGE_PAGES : 0;
    const kind = name === "[vdso]"
      ? REGION_VDSO
      : name === "[stack]"
      ? REGION_STACK
      : REGION_MEMORY;
    const region: Region = { start, end, offset: -1, ofBase: false, prot, kind, flags };
    if (name === "[stack]") this.regions.push({ ...region, start: end - STACK, end: start });
    // Generators of random numbers ask for zeros where there is a copy of them.
    if (prot === 0 || mapping.flags.includes("wf") || mapping.flags.includes("dp")) {
      this.regions.push(region);
      return;
    }
    if (this.#isOfBase(mapping)) {
      this.regions.push({ ...region, offset: mapping.offset, ofBase: true });
      return;
    }
    const used = name !== "" && !name.startsWith("[") || kind === REGION_VDSO
      ? [[start, end]]
      : this.#usedParts(start, end);
    let at = start;
    for (const [from, to] of used) {
      if (from > at) this.regions.push({ ...region, start: at, end: from });
      this.regions.push({ ...region, start: from, end: to, offset: this.size });
      this.parts.push(this.memory.read(from, to - from));
      this.size += to - from;
      at = to;
    }
    if (end > at) this.regions.push({ ...region, start: at });
  }

  /** What nobody has written to is in the binary that the image will be a part of. */
  #isOfBase({ start, end, offset, name, perms }: Mapping): boolean {
    const size = end - start;
    if (name !== "/lib64/dvisor-sandbox" || perms[1] === "w" || offset + size > this.base.length) {
      return false;
    }
    const bytes = this.memory.read(start, size);
    return bytes.every((byte, i) => byte === this.base[offset + i]);
  }

  #usedParts(start: number, end: number): [number, number][] {
    const pages = this.#pagesInUse(start, end);
    const parts: [number, number][] = [];
    for (const page of pages) {
      if (this.memory.read(page, PAGE).every((byte) => byte === 0)) continue;
      const last = parts.at(-1);
      if (last !== undefined && page - last[1] <= GAP) last[1] = page + PAGE;
      else parts.push([page, page + PAGE]);
    }
    return parts;
  }

  #pagesInUse(start: number, end: number): number[] {
    return pageEntries(this.pid, start, end).filter(([, entry]) => entry >> 62n !== 0n)
      .map(([page]) => page);
  }
}

/** Addresses of pages, and what /proc/PID/pagemap tells of each. */
function pageEntries(pid: number, start: number, end: number): [number, bigint][] {
  using file = Deno.openSync(`/proc/${pid}/pagemap`);
  const entries = new BigUint64Array(
    readAt(file, start / PAGE * 8, (end - start) / PAGE * 8).buffer,
  );
  return Array.from(entries, (entry, i) => [start + i * PAGE, entry]);
}

function readAt(file: Deno.FsFile, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const n = file.readSync(bytes.subarray(at));
    if (n === null) throw new Error(`nothing to read at ${(offset + at).toString(16)}`);
    at += n;
  }
  return bytes;
}

function writeAt(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

/** Names and addresses of what the vDSO has. */
function vdsoFunctions(bytes: Uint8Array<ArrayBuffer>, start: number): [string, number][] {
  const view = new DataView(bytes.buffer);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const phoff = u64(32);
  const headers = Array.from({ length: view.getUint16(56, true) }, (_, i) => phoff + 56 * i);
  const ofType = (type: number) => headers.find((at) => view.getUint32(at, true) === type)!;
  const load = ofType(1);
  const bias = u64(load + 8) - u64(load + 16);
  let symbols = 0;
  let strings = 0;
  for (let at = u64(ofType(2) + 8); u64(at) !== 0; at += 16) {
    if (u64(at) === 5) strings = bias + u64(at + 8);
    if (u64(at) === 6) symbols = bias + u64(at + 8);
  }
  const functions: [string, number][] = [];
  for (let at = symbols; at + 24 <= strings; at += 24) {
    const from = strings + view.getUint32(at, true);
    const name = decoder.decode(bytes.subarray(from, bytes.indexOf(0, from)));
    if (name.startsWith("__vdso_")) functions.push([name, start + bias + u64(at + 8)]);
  }
  return functions;
}

// ---- Descriptors

interface Descriptor {
  fd: number;
  kind: number;
  cloexec: boolean;
  value: number;
  flags: number;
}

interface Watch {
  epoll: number;
  fd: number;
  events: number;
  data: bigint;
}

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

function descriptorsOf(
  pid: number,
  fds: Iterable<number>,
): { descriptors: Descriptor[]; watches: Watch[] } {
  const descriptors: Descriptor[] = [];
  const watches: Watch[] = [];
  const sockets: number[] = [];
  const same = (a: number, b: number) => must("kcmp", kcmpFile(pid, a, b)) === 0;
  for (const fd of fds) {
    const info = readText(`/proc/${pid}/fdinfo/${fd}`);
    const flags = parseInt(/^flags:\s*(\d+)/m.exec(info)![1], 8);
    const base = { fd, cloexec: (flags & O_CLOEXEC) !== 0, value: 0, flags: flags & O_NONBLOCK };
    if (fd < PLACED) {
      descriptors.push({ ...base, kind: FD_KEPT });
      continue;
    }
    const original = descriptors.find((each) => same(each.fd, fd));
    if (original !== undefined) {
      descriptors.push({ ...base, kind: FD_DUP, value: original.fd });
      continue;
    }
    const target = Deno.readLinkSync(`/proc/${pid}/fd/${fd}`);
    if (target === "anon_inode:[eventpoll]") {
      descriptors.push({ ...base, kind: FD_EPOLL });
      for (
        const line of info.matchAll(/^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/gm)
      ) {
        const [, of, events, data] = line;
        watches.push({
          epoll: fd,
          fd: Number(of),
          events: parseInt(events, 16),
          data: BigInt(`0x${data}`),
        });
      }
    } else if (target === "anon_inode:[eventfd]") {
      const count = Number(/^eventfd-count:\s*([0-9a-f]+)/m.exec(info)![1]);
      descriptors.push({ ...base, kind: FD_EVENTFD, value: count });
    } else if (target.startsWith("socket:")) {
      sockets.push(fd);
      descriptors.push({ ...base, kind: FD_SOCKET, value: -1 });
    } else throw new Error(`descriptor ${fd} is of an unknown kind: ${target}`);
  }
  // tokio's pair, by which signal handlers wake it, is the only one there is.
  if (sockets.length !== 2) throw new Error(`${sockets.length} sockets besides the control socket`);
  descriptors.find(({ fd }) => fd === sockets[0])!.value = sockets[1];
  return { descriptors, watches };
}

function kcmpFile(pid: number, a: number, b: number): number {
  return spawnLibrary().dv_syscall(SYS_kcmp, pid, pid, 0, a, b, 0);
}

// ---- All of it

/** What is thrown away at the end of the first is not taken for granted afterwards. Many: the way to a guest's start, too. */
const REHEARSALS = 24;

interface Taken {
  writer: MemoryWriter;
  threads: Uint8Array;
  threadCount: number;
  descriptors: Descriptor[];
  watches: Watch[];
  actions: Uint8Array;
  vdso: { start: number; end: number; functions: [string, number][] };
  /** struct prctl_mm_map's first numbers. */
  layout: number[];
}

function take(pid: number, beginning: Beginning, base: Uint8Array): Taken {
  // All are stopped.
  const tracees = threadsOf(pid).map((tid) => new Tracee(tid)).filter(({ tid }) =>
    beginning.threads.includes(tid)
  );
  const memory = memoryOf(pid, beginning.library);
  const mappings = mappingsOf(pid);
  const writer = new MemoryWriter(pid, memory, base);
  // Memory first: what follows uses the threads' stacks.
  for (const mapping of mappings) writer.add(mapping);
  const vdso = mappings.find(({ name }) => name === "[vdso]")!;
  const functions = vdsoFunctions(memory.read(vdso.start, vdso.end - vdso.start), vdso.start);
  const { descriptors, watches } = descriptorsOf(pid, beginning.fds);
  const layout = layoutOf(pid, mappings);

  const threads = new Writer(tracees.length * THREAD_SIZE);
  for (const tracee of tracees) writeThread(threads, pid, tracee, memory);
  const actions = new Writer(64 * 32);
  for (let signal = 1; signal <= 64; signal++) {
    const { scratch } = tracees[0];
    must("sigaction", tracees[0].call(SYS_rt_sigaction, signal, 0, scratch, 8));
    for (const word of new BigUint64Array(memory.read(scratch, 32).buffer)) actions.u64(word);
  }
  return {
    writer,
    threads: threads.bytes,
    threadCount: tracees.length,
    descriptors,
    watches,
    actions: actions.bytes,
    vdso: { start: vdso.start, end: vdso.end, functions },
    layout,
  };
}

function layoutOf(pid: number, mappings: readonly Mapping[]): number[] {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  // By their numbers in proc_pid_stat(5), of which the third comes first.
  const [startCode, endCode, startStack, startData, endData, startBrk] = [26, 27, 28, 45, 46, 47]
    .map((n) => fields[n - 3]);
  const brk = mappings.find(({ name }) => name === "[heap]")?.end ?? startBrk;
  return [
    startCode,
    endCode,
    startData,
    endData,
    startBrk,
    brk,
    startStack,
    ...fields.slice(45, 49),
  ];
}

function assemble(
  taken: Taken,
  cpu: Uint8Array,
  monotonicNs: bigint,
  offset: number,
): Uint8Array[] {
  const { writer, threads, descriptors, watches, vdso } = taken;
  const tables = roundUp(
    IMAGE_SIZE + writer.regions.length * REGION_SIZE + threads.length +
      descriptors.length * DESCRIPTOR_SIZE + watches.length * WATCH_SIZE + RANGES_MAX * RANGE_SIZE,
  );
  const out = new Writer(tables);
  out.u64(IMAGE_MAGIC);
  out.u64(tables);
  out.u64(monotonicNs);
  out.bytes.set(cpu, out.at);
  out.at += CPU_WORDS * 4;
  for (const list of [writer.regions, { length: taken.threadCount }, descriptors, watches]) {
    out.u32(list.length);
  }
  out.u64(0); // Ranges; see `warm`.
  out.u64(vdso.start);
  out.u64(vdso.end);
  if (vdso.functions.length > VDSO_FUNCTIONS) throw new Error("the vDSO has many functions");
  for (let i = 0; i < VDSO_FUNCTIONS; i++) {
    const [name, address] = vdso.functions[i] ?? ["", 0];
    out.text(name, VDSO_NAME);
    out.u64(address);
  }
  out.bytes.set(taken.actions, out.at);
  out.at += taken.actions.length;
  for (const address of taken.layout) out.u64(address);
  for (const region of writer.regions) {
    out.u64(region.start);
    out.u64(region.end);
    const isWritten = region.offset >= 0 && !region.ofBase;
    out.u64(isWritten ? offset + tables + region.offset : region.offset);
    out.u32(region.prot);
    out.u16(region.kind);
    out.u16(region.flags);
  }
  out.bytes.set(threads, out.at);
  out.at += threads.length;
  for (const { fd, kind, cloexec, value, flags } of descriptors) {
    for (const word of [fd, kind, cloexec ? 1 : 0, value, flags, 0]) out.u32(word);
  }
  for (const { epoll, fd, events, data } of watches) {
    for (const word of [epoll, fd, events, 0]) out.u32(word);
    out.u64(data);
  }
  return [out.bytes, ...writer.parts];
}

function monotonicNs(): bigint {
  const now = new BigInt64Array(2);
  must("clock", hostCall(SYS_clock_gettime, 1, /* CLOCK_MONOTONIC */ bufferAddr(now)));
  return now[0] * 1_000_000_000n + now[1];
}

/** Where a binary's last segment lies in it, at whose beginning struct prelude is. */
function lastSegment(head: DataView): number {
  const u64 = (at: number) => Number(head.getBigUint64(at, true));
  const headers = Array.from({ length: head.getUint16(56, true) }, (_, i) => u64(32) + 56 * i);
  return u64(headers.findLast((at) => head.getUint32(at, true) === 1)! + 8);
}

async function add([basePath, binary, restorerPath, volume, out]: string[]): Promise<void> {
  const base = Deno.readFileSync(basePath);
  const restorer = Deno.readFileSync(restorerPath);
  const cpu = new Deno.Command(restorerPath).outputSync().stdout;
  const restorerAt = roundUp(base.length);
  const imageAt = restorerAt + roundUp(restorer.length);
  const sandbox = startProcess(binary);
  const { pid } = sandbox;
  let parts: Uint8Array[];
  try {
    await untilIdle(pid, SETTLED_MS);
    const beginning = beginningOf(pid);
    for (let round = 1; round <= REHEARSALS; round++) {
      const script = round % 8 === 1 ? "rehearsal" : "short_rehearsal";
      await rehearse(
        sandbox,
        volume,
        ["sh", `/rehearsal/${script}`],
        round < REHEARSALS ? 0 : COLLECTED_MS,
      );
      await untilIdle(pid, SETTLED_MS, beginning.threads);
    }
    parts = assemble(take(pid, beginning, base), cpu, monotonicNs(), imageAt);
  } finally {
    Deno.kill(pid, "SIGKILL");
  }
  const prelude = new DataView(base.buffer, lastSegment(new DataView(base.buffer)));
  if (prelude.getBigUint64(0, true) !== PRELUDE_MAGIC) throw new Error("a binary without prelude");
  [restorerAt, restorer.length, imageAt].forEach((value, i) =>
    prelude.setBigUint64(PRELUDE_RESTORER + 8 * i, BigInt(value), true)
  );
  using file = Deno.openSync(out, { write: true, create: true, truncate: true, mode: 0o755 });
  writeAt(file, 0, base);
  writeAt(file, restorerAt, restorer);
  let at = imageAt;
  for (const part of parts) {
    writeAt(file, at, part);
    at += part.length;
  }
}

/**
 * Notes in the image of BINARY which of its pages a sandbox writes to while it starts: what of them is memory of its own
 * after a short command.
 */
async function warm([binary]: string[]): Promise<void> {
  using file = Deno.openSync(binary, { read: true, write: true });
  const image = readImage(file);
  if (image === null) return;
  const sandbox = startProcess(binary);
  let ranges: [number, number][];
  try {
    const up = rehearse(sandbox, "/", ["sh", "-c", "ls /proc/self | cat; sleep 1; exit 1"]);
    await new Promise((resolve) => setTimeout(resolve, 800));
    ranges = image.regions.flatMap(([start, end]) => writtenParts(sandbox.pid, start, end));
    await up.catch(() => {});
  } finally {
    Deno.kill(sandbox.pid, "SIGKILL");
  }
  const out = new Writer(RANGES_MAX * RANGE_SIZE);
  ranges = ranges.slice(0, RANGES_MAX);
  for (const [start, end] of ranges) {
    out.u64(start);
    out.u64(end);
  }
  writeAt(file, image.rangesAt, out.bytes);
  const count = new Writer(4);
  count.u32(ranges.length);
  writeAt(file, image.countAt, count.bytes);
}

interface Image {
  /** Where its regions that have contents lie in memory. */
  regions: [number, number][];
  /** In the file. */
  rangesAt: number;
  countAt: number;
}

function readImage(file: Deno.FsFile): Image | null {
  const head = new DataView(readAt(file, 0, PAGE).buffer);
  const last = lastSegment(head);
  const prelude = new DataView(readAt(file, last, 128).buffer);
  const at = Number(prelude.getBigUint64(PRELUDE_RESTORER + 16, true));
  if (at === 0) return null;
  const size = Number(new DataView(readAt(file, at, 16).buffer).getBigUint64(8, true));
  const view = new DataView(readAt(file, at, size).buffer);
  const [regions, threads, descriptors, watches] = [0, 4, 8, 12].map((offset) =>
    view.getUint32(COUNTS + offset, true)
  );
  const ranges = IMAGE_SIZE + regions * REGION_SIZE + threads * THREAD_SIZE +
    descriptors * DESCRIPTOR_SIZE + watches * WATCH_SIZE;
  const word = (offset: number) => Number(view.getBigInt64(offset, true));
  return {
    regions: Array.from({ length: regions }, (_, i) => IMAGE_SIZE + i * REGION_SIZE)
      .filter((region) => word(region + 16) >= 0)
      .map((region) => [word(region), word(region + 8)]),
    rangesAt: at + ranges,
    countAt: at + COUNTS + 16,
  };
}

/** Pages that are the process's own; with a few between them, since each range is a call. */
function writtenParts(pid: number, start: number, end: number): [number, number][] {
  const parts: [number, number][] = [];
  for (const [page, entry] of pageEntries(pid, start, end)) {
    const isOwn = entry >> 63n === 1n && (entry >> 61n & 1n) === 0n;
    if (!isOwn) continue;
    const last = parts.at(-1);
    if (last !== undefined && page - last[1] <= 2 * PAGE) last[1] = page + PAGE;
    else parts.push([page, page + PAGE]);
  }
  return parts;
}

const [what, ...args] = Deno.args;
await (what === "add" ? add(args) : warm(args));
