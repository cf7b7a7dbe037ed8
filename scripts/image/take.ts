/** Takes an image of a process that waits. */
import { SYS_rt_sigaction } from "../../platform/abi/amd64/syscalls.ts";
import { PF_W, PT_LOAD } from "../../platform/abi/elf.ts";
import { type Descriptor, descriptorsOf, type Watch } from "./descriptors.ts";
import {
  CPU_WORDS,
  DESCRIPTOR_SIZE,
  IMAGE_MAGIC,
  IMAGE_SIZE,
  must,
  numbersIn,
  PAGE,
  RANGE_SIZE,
  RANGES_MAX,
  readText,
  REGION_SIZE,
  roundUp,
  segmentsOf,
  THREAD_SIZE,
  VDSO_FUNCTIONS,
  VDSO_NAME,
  WATCH_SIZE,
  Writer,
} from "./layout.ts";
import {
  type Former,
  type Mapping,
  mappingsOf,
  memoryOf,
  MemoryWriter,
  vdsoFunctions,
} from "./memory.ts";
import { threadsOf } from "./process.ts";
import { Tracee, writeThread } from "./threads.ts";

/**
 * What the process is before it has run anything, and shall be again: native code has started threads and opened
 * files that an image does not have.
 */
interface Beginning {
  threads: number[];
  fds: number[];
  library: Former;
}

export function beginningOf(pid: number): Beginning {
  const mappings = mappingsOf(pid);
  const start = mappings.find(({ name }) => name.endsWith("/libplatform.so"))!.start;
  const memory = memoryOf(pid);
  const segments = segmentsOf(new DataView(memory.read(start, PAGE).buffer));
  const { vaddr, memsz } = segments.find((s) => s.type === PT_LOAD && (s.flags & PF_W) !== 0)!;
  return {
    threads: threadsOf(pid),
    fds: numbersIn(`/proc/${pid}/fd`),
    library: { start: start + vaddr, bytes: memory.read(start + vaddr, memsz) },
  };
}

interface Taken {
  writer: MemoryWriter;
  threads: Uint8Array;
  threadCount: number;
  descriptors: Descriptor[];
  watches: Watch[];
  actions: Uint8Array;
  /** Of the vDSO. */
  functions: [string, number][];
  /** struct prctl_mm_map's first numbers. */
  layout: number[];
}

export function take(pid: number, beginning: Beginning, base: Uint8Array): Taken {
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
    functions,
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

export function assemble(
  taken: Taken,
  cpu: Uint8Array,
  monotonicNs: bigint,
  offset: number,
): Uint8Array[] {
  const { writer, threads, descriptors, watches, functions } = taken;
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
  if (functions.length > VDSO_FUNCTIONS) throw new Error("the vDSO has many functions");
  for (let i = 0; i < VDSO_FUNCTIONS; i++) {
    const [name, address] = functions[i] ?? ["", 0];
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
