/** execve(2) and execveat(2) (Linux: fs/exec.c). */
import { E2BIG, EAGAIN, EINTR, ENOMEM, ESRCH } from "../../platform/abi/errno.ts";
import {
  AT_BASE,
  AT_CLKTCK,
  AT_EGID,
  AT_ENTRY,
  AT_EUID,
  AT_FLAGS,
  AT_GID,
  AT_HWCAP,
  AT_HWCAP2,
  AT_MINSIGSTKSZ,
  AT_PAGESZ,
  AT_PHDR,
  AT_PHENT,
  AT_PHNUM,
  AT_PLATFORM,
  AT_RANDOM,
  AT_RSEQ_ALIGN,
  AT_RSEQ_FEATURE_SIZE,
  AT_SECURE,
  AT_SYSINFO_EHDR,
  AT_UID,
  ET_DYN,
} from "../../platform/abi/elf.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../platform/abi/mman.ts";
import { RLIM_INFINITY, RLIMIT_STACK } from "../../platform/abi/resource.ts";
import { SIGKILL, SIGSEGV } from "../../platform/abi/signal.ts";
import {
  REG_COUNT,
  REG_RFLAGS,
  REG_RIP,
  REG_RSP,
  setReg,
} from "../../platform/arch/amd64/registers.ts";
import { fillRandom } from "../../platform/host/host.ts";
import { ofOneSandbox } from "../../platform/host/one_sandbox.ts";
import { type Context, NO_CALL } from "../../platform/platform.ts";
import { type AuxEntry, buildStack, type InitialStack } from "../loader/stack.ts";
import {
  type ExecOpener,
  imageSpan,
  loadProgram,
  mapImage,
  type Placed,
  type Program,
} from "../loader/load.ts";
import type { StringBlock } from "../loader/strings.ts";
import { MemoryManager, PAGE_SIZE, pageDown, pageUp } from "../mm/memory_manager.ts";
import { TRAMPOLINE_SPACE } from "../mm/text_image.ts";
import { type Credentials, trustOf } from "../auth/credentials.ts";
import type { FileDescription } from "../vfs/file.ts";
import { allowWrites } from "../vfs/open.ts";
import {
  addUsageWords,
  hadThreads,
  sampleCpuTime,
  startCpuTime,
  startThreadTime,
} from "./cpu_time.ts";
import { killOtherThreads } from "./de_thread.ts";
import { credentialsForExec, sharesFs } from "./exec_credentials.ts";
import { releaseOldMemory, resetForExec } from "./exec_state.ts";
import { startGroupExit } from "./signal.ts";
import type { Task } from "./task.ts";

/** Linux's MAX_ARG_STRLEN; the whole may take a quarter of the stack limit, at most 6 MiB. */
const ARG_STRING_MAX = 131072;
const ARGS_MAX = 6 << 20;
const STACK_MAX = 64 << 20;
/** Distance that randomisation may move things by, in pages. */
const STACK_RANDOM_PAGES = 4096;
const MMAP_RANDOM_PAGES = 65536;
const BRK_RANDOM_PAGES = 8192;
const PIE_BASE = 0x5555_5555_4000;
const PIE_RANDOM_PAGES = 1 << 20;
/** What the kernel puts on the stack but for arguments and environment: less than this. */
const STACK_TABLES = 8192;
/** Room kept free between the stack and the mappings below it. */
const STACK_GAP = 16 << 20;

/** Drawn for several execs at once; each word is used once. */
const randomWords = new Uint32Array(256);
const randomWordBytes = new Uint8Array(randomWords.buffer);
let randomsUsed = randomWords.length;
ofOneSandbox(() => randomsUsed = randomWords.length);

function randomWord(): number {
  if (randomsUsed === randomWords.length) {
    fillRandom(randomWordBytes);
    randomsUsed = 0;
  }
  const word = randomWords[randomsUsed];
  randomWords[randomsUsed++] = 0;
  return word;
}

function randomPages(limit: number): number {
  return (randomWord() % limit) * PAGE_SIZE;
}

/** What AT_RANDOM points to; valid until the next call. */
function randomBytes(): Uint8Array {
  for (let i = 0; i < atRandomWords.length; i++) atRandomWords[i] = randomWord();
  return atRandomBytes;
}
const atRandomWords = new Uint32Array(4);
const atRandomBytes = new Uint8Array(atRandomWords.buffer);

/** What the machine tells programs: read once at boot from the host's own auxiliary vector. */
export interface MachineInfo {
  hwcap: number;
  hwcap2: number;
  minSigStackSize: number;
}

/** Programs may use wrgsbase (AT_HWCAP2 tells them). */
const HWCAP2_FSGSBASE = 2;

export function programsCanWriteGs(): boolean {
  return (machine.hwcap2 & HWCAP2_FSGSBASE) !== 0;
}

let machine: MachineInfo = { hwcap: 0, hwcap2: 0, minSigStackSize: 2048 };
export function setMachineInfo(info: MachineInfo): void {
  machine = info;
}

/**
 * Replaces the program of `t`. `file` is opened for execution and owned by this call; `path` is the
 * name that AT_EXECFN gets, `scriptPath` what a script's interpreter shall open, null when it could not:
 * the descriptor closes. Returns -errno while the old program can still go on; after the
 * point of no return a failure kills the process, as -ESRCH does: the host has killed the new one.
 */
export async function execProgram(
  t: Task,
  file: FileDescription,
  path: string,
  argv: StringBlock,
  envp: StringBlock,
  open: ExecOpener,
  scriptPath: string | null = path,
): Promise<number> {
  const { platform } = t.kernel;
  const stackLimit = stackSize(t);
  const budget = Math.min(Math.floor(stackLimit / 4), ARGS_MAX);
  if (argv.size + envp.size > Math.max(budget, ARG_STRING_MAX)) {
    file.release();
    return -E2BIG;
  }
  const program = await loadProgram(file, scriptPath, argv, open, platform.taskSize);
  if (typeof program === "number") return program;
  if (program.argv.size + envp.size + STACK_TABLES > stackLimit - 65536) {
    return dropProgram(program, -E2BIG);
  }
  const wasSharing = sharesFs(t);
  const creds = credentialsForExec(t, program.file);
  if (typeof creds === "number") return dropProgram(program, creds);
  const stays = mayStay(t, trustOf(creds.creds));
  if (!stays) t.ctx!.park();
  const ctx = stays ? t.ctx! : platform.newAddressSpace(trustOf(creds.creds));
  if (typeof ctx === "number") return dropProgram(program, -EAGAIN);
  if (!stays) startCpuTime(ctx);
  if (!t.seesAnswers(creds.creds)) ctx.hideAnswers();
  if (await killOtherThreads(t) < 0) {
    if (!stays) ctx.release();
    return dropProgram(program, -EINTR);
  }
  if (stays) {
    releaseOldMemory(t);
    t.leaveProgram();
    ctx.startAnew(); // There is no way back from here.
  }
  const mm = new MemoryManager(ctx.addressSpace, platform.taskSize, t.mm.images);
  mm.denyWriteExec = t.mm.inheritedDenyWriteExec;
  const start = setUp(t, ctx, mm, program, creds.creds, creds.secure, envp, path, stackLimit);
  if (typeof start === "number") {
    mm.release();
    if (!stays) {
      ctx.release();
      return dropProgram(program, start);
    }
    ctx.flush();
    dieUnloaded(t, start);
    return dropProgram(program, 0);
  }
  // A thread that has ended meanwhile may have shared with a process of its own (Linux: fs->in_exec).
  if (!wasSharing && creds.creds !== t.creds && sharesFs(t)) t.unshareFs();
  mm.exeFile = program.file.acquire();
  mm.vdsoAddr = platform.vdsoAddr;
  if (!stays) leaveProcess(t, ctx);
  commit(t, ctx, mm, start);
  t.name = path.slice(path.lastIndexOf("/") + 1).slice(0, 15);
  resetForExec(t, creds.creds, creds.secure);
  const err = ctx.flushed();
  if (err < 0) dieUnloaded(t, err);
  else {
    if (!stays) startThreadTime(ctx);
    const { sp, bytes } = start.stack;
    ctx.queueCopyOut(sp, bytes, 0, bytes.length);
  }
  return dropProgram(program, 0);
}

/** The host could not load the program: -errno says why. There is none to go back to. */
export function dieUnloaded(t: Task, err: number): void {
  // To whoever killed the new host process, on the host, this is one process: it dies of that.
  startGroupExit(t.tg, err === -ESRCH ? SIGKILL : SIGSEGV);
}

function dropProgram(program: Program, result: number): number {
  program.file.release();
  const { interpFile } = program;
  if (interpFile === null) return result;
  allowWrites(interpFile); // Mapped, but not what runs.
  interpFile.release();
  return result;
}

function stackSize(t: Task): number {
  const limit = t.tg.limits.cur[RLIMIT_STACK];
  const size = limit >= RLIM_INFINITY ? 8 << 20 : Math.min(limit, STACK_MAX);
  return pageUp(Math.max(size, 128 << 10));
}

interface Start {
  entry: number;
  stack: InitialStack;
}

/** Maps the program, which the host goes on with when this has returned; -errno while the old one can go on. */
function setUp(
  t: Task,
  ctx: Context,
  mm: MemoryManager,
  program: Program,
  creds: Credentials,
  secure: boolean,
  envp: StringBlock,
  path: string,
  stackLimit: number,
): Start | number {
  const randomize = (t.tg.personality & 0x0040000) === 0;
  const random = (pages: number) => randomize ? randomPages(pages) : 0;
  const top = mm.taskSize - PAGE_SIZE - random(STACK_RANDOM_PAGES);
  mm.stackTop = top;
  mm.mmapBase = pageDown(top - stackLimit - STACK_GAP) - random(MMAP_RANDOM_PAGES);
  const { image, interpImage } = program;
  const pieBase = interpImage === null && image.type === ET_DYN
    // Static PIE and the loader itself lie among the mappings, as in Linux.
    ? pageDown(mm.mmapBase - imageSpan(image) - TRAMPOLINE_SPACE)
    : PIE_BASE + random(PIE_RANDOM_PAGES);
  const base = image.align > PAGE_SIZE ? Math.ceil(pieBase / image.align) * image.align : pieBase;
  ctx.gatherFiles();
  const main = mapImage(ctx, mm, program.file, image, base);
  if (typeof main === "number") return main;
  // Who needs no loader and maps texts all the same may read them, as Valgrind does to translate them.
  mm.patchesLibraries = interpImage !== null || image.type === ET_DYN;
  let interp: Placed | null = null;
  if (interpImage !== null) {
    const span = imageSpan(interpImage) + TRAMPOLINE_SPACE;
    const at = mm.vmas.findTopDown(PAGE_SIZE * 16, mm.mmapBase, span);
    if (at < 0) return -ENOMEM;
    const placed = mapImage(ctx, mm, program.interpFile!, interpImage, at);
    if (typeof placed === "number") return placed;
    interp = placed;
  }
  mm.codeStart = main.codeStart;
  mm.codeEnd = main.codeEnd;
  mm.dataStart = main.dataStart;
  mm.dataEnd = main.dataEnd;
  mm.brkStart = mm.brk = pageUp(main.end) + TRAMPOLINE_SPACE + random(BRK_RANDOM_PAGES);
  ctx.tellBreak(mm.brk);
  const stackProt = PROT_READ | PROT_WRITE | (image.executableStack ? PROT_EXEC : 0);
  mm.mapAnonymous(ctx, top - stackLimit, stackLimit, stackProt, "[stack]");
  ctx.startFlush();
  const aux = auxiliaryVector(t, main, interp, image.phnum, creds, secure);
  const stack = buildStack(top, program.argv, envp, aux, path);
  recordStack(mm, stack);
  return { entry: interp?.entry ?? main.entry, stack };
}

function recordStack(mm: MemoryManager, stack: InitialStack): void {
  mm.argStart = stack.argStart;
  mm.argEnd = stack.argEnd;
  mm.envStart = stack.envStart;
  mm.envEnd = stack.envEnd;
  mm.auxv = stack.auxv;
}

function auxiliaryVector(
  t: Task,
  main: Placed,
  interp: Placed | null,
  phnum: number,
  creds: Credentials,
  secure: boolean,
): AuxEntry[] {
  const { platform } = t.kernel;
  const aux: AuxEntry[] = [
    [AT_MINSIGSTKSZ, machine.minSigStackSize],
    [AT_HWCAP, machine.hwcap],
    [AT_PAGESZ, PAGE_SIZE],
    [AT_CLKTCK, 100],
    [AT_PHDR, main.phdrAddr],
    [AT_PHENT, 56],
    [AT_PHNUM, phnum],
    [AT_BASE, interp?.bias ?? 0],
    [AT_FLAGS, 0],
    [AT_ENTRY, main.entry],
    [AT_UID, creds.ruid],
    [AT_EUID, creds.euid],
    [AT_GID, creds.rgid],
    [AT_EGID, creds.egid],
    [AT_SECURE, secure ? 1 : 0],
    [AT_RANDOM, randomBytes()],
    [AT_HWCAP2, machine.hwcap2],
    [AT_RSEQ_FEATURE_SIZE, 28],
    [AT_RSEQ_ALIGN, 32],
    [AT_PLATFORM, "x86_64"],
  ];
  if (platform.vdsoAddr !== 0) aux.unshift([AT_SYSINFO_EHDR, platform.vdsoAddr]);
  return aux;
}

/** Whether the new program runs in the process of the old one: nobody else does, and it may do what the old one might. */
function mayStay(t: Task, trust: string): boolean {
  const ctx = t.ctx!;
  return t.mm.refs === 1 && t.tg.threads.length === 1 && trust === trustOf(t.creds) &&
    !hadThreads(ctx.addressSpace) && ctx.mayStartAnew(trust);
}

/** The point of no return of a task that goes on in another process. */
function leaveProcess(t: Task, ctx: Context): void {
  const oldCtx = t.ctx!;
  sampleCpuTime(t); // The old stub's clock ends with it.
  releaseOldMemory(t);
  t.replaceContext(ctx);
  const { tg } = t;
  const isLast = t.mm.refs === 1;
  oldCtx.release({
    trust: trustOf(t.creds),
    usage: isLast ? (words) => addUsageWords(tg.deadThreads, words) : undefined,
  });
}

/** The task lives in the new memory. */
function commit(t: Task, ctx: Context, mm: MemoryManager, start: Start): void {
  t.mm.release();
  t.mm = mm;
  ctx.regs.fill(0, 0, 2 * REG_COUNT);
  setReg(ctx.regs, REG_RIP, start.entry);
  setReg(ctx.regs, REG_RSP, start.stack.sp);
  setReg(ctx.regs, REG_RFLAGS, 0x202);
  ctx.setFullRegisters();
  ctx.callNumber = NO_CALL;
}
