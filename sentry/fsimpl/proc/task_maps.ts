/** /proc/PID/maps, smaps, smaps_rollup, numa_maps (Linux: fs/proc/task_mmu.c). */
import {
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_NORESERVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../../platform/abi/mman.ts";
import { PAGE_SIZE } from "../../../platform/abi/limits.ts";
import { major, makedev, minor } from "../../../platform/abi/sysmacros.ts";
import type { Task } from "../../kernel/task.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import {
  MARK_DONTDUMP,
  MARK_DONTFORK,
  MARK_DROPPABLE,
  MARK_HUGEPAGE,
  MARK_LOCKED_ON_FAULT,
  MARK_NOHUGEPAGE,
  MARK_RANDOM,
  MARK_SEQUENTIAL,
  MARK_WIPEONFORK,
  type Vma,
} from "../../mm/vma.ts";
import type { PathRef } from "../../vfs/mount.ts";
import { fileText } from "../../vfs/path_text.ts";
import { currentTask } from "../kernfs/caller.ts";
import type { TextParts } from "../kernfs/text.ts";
import { liveMemory } from "./access.ts";
import { residentOf } from "./memory.ts";

/** Column of the name: 25 + 6 * sizeof(long) - 1. */
const NAME_COLUMN = 73;

/** Linux's internal tmpfs, which shared anonymous memory is in. */
const SHARED_MEMORY_DEV = makedev(0, 1);

function hex(n: number, width: number): string {
  return n.toString(16).padStart(width, "0");
}

/** One line of maps, without its newline. */
export function mapLine(vma: Vma, root: PathRef): string {
  const p = vma.prot;
  const perms = ((p & PROT_READ) !== 0 ? "r" : "-") + ((p & PROT_WRITE) !== 0 ? "w" : "-") +
    ((p & PROT_EXEC) !== 0 ? "x" : "-") + (vma.shared ? "s" : "p");
  let offset = 0, dev = 0, ino = 0;
  let name = vma.name;
  if (vma.file !== null) {
    const { inode } = vma.file;
    offset = vma.offset;
    dev = inode.fs.dev;
    ino = inode.ino;
    name = fileText(vma.file, root).replaceAll("\n", "\\012");
  } else if (vma.shared && name === "") {
    offset = vma.offset;
    dev = SHARED_MEMORY_DEV;
    ino = vma.shareId;
    name = "/dev/zero (deleted)";
  }
  const line = `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${perms} ${hex(offset, 8)} ` +
    `${hex(major(dev), 2)}:${hex(minor(dev), 2)} ${ino} `;
  return name === "" ? line : line.padEnd(NAME_COLUMN) + name;
}

function vdsoLine(start: number, end: number): string {
  const line = `${hex(start, 8)}-${hex(end, 8)} r-xp 00000000 00:00 0 `;
  return line.padEnd(NAME_COLUMN) + "[vdso]";
}

/** The root that paths are shown from: the reader's. */
export function readerRoot(t: Task): PathRef {
  return (currentTask() ?? t).fs.root;
}

/** Mappings that one part of a text tells of. */
const PART = 32;

/** A text of the mappings, lowest first, as they are when a reader comes to them; `last` ends that of maps. */
function* partsOf(
  t: Task,
  tell: (vma: Vma) => string,
  last = (_mm: MemoryManager) => "",
): TextParts {
  const mm = liveMemory(t);
  if (mm === null) return;
  const { vmas } = mm;
  for (let toldTo = 0;;) {
    const from = vmas.indexAbove(toldTo);
    const to = Math.min(vmas.all.length, from + PART);
    if (liveMemory(t) !== mm) return;
    if (from === to) break;
    let text = "";
    for (let i = from; i < to; i++) text += tell(vmas.all[i]);
    toldTo = vmas.all[to - 1].end;
    yield text;
  }
  yield last(mm);
}

export function mapsText(t: Task): TextParts {
  const root = readerRoot(t);
  return partsOf(
    t,
    (vma) => mapLine(vma, root) + "\n",
    (mm) => mm.vdsoAddr === 0 ? "" : vdsoLine(mm.vdsoAddr, mm.vdsoEnd) + "\n",
  );
}

/** Kilobytes of each kind, for smaps. */
interface Smap {
  rss: number;
  dirty: number;
  clean: number;
  anonymous: number;
  locked: number;
}

function smapOf(vma: Vma): Smap {
  const rss = residentOf(vma) / 1024;
  const anonymous = vma.file === null && !vma.shared;
  const dirty = anonymous || (vma.prot & PROT_WRITE) !== 0 ? rss : 0;
  return {
    rss,
    dirty,
    clean: rss - dirty,
    anonymous: anonymous ? rss : 0,
    locked: vma.locked ? rss : 0,
  };
}

function row(name: string, kb: number): string {
  return `${(name + ":").padEnd(16)}${String(Math.floor(kb)).padStart(8)} kB\n`;
}

const PAGE_SIZE_ROWS = row("KernelPageSize", 4) + row("MMUPageSize", 4);
const SHARED_ROWS = row("Shared_Clean", 0) + row("Shared_Dirty", 0);
const ROWS_BEFORE_LOCKED = row("KSM", 0) + row("LazyFree", 0) + row("AnonHugePages", 0) +
  row("ShmemPmdMapped", 0) + row("FilePmdMapped", 0) + row("Shared_Hugetlb", 0) +
  row("Private_Hugetlb", 0) + row("Swap", 0) + row("SwapPss", 0);

/** The rows from Rss to Locked; `split` are Pss_Anon and friends of the roll-up. */
function smapRows(s: Smap, split: string): string {
  return row("Rss", s.rss) + row("Pss", s.rss) + row("Pss_Dirty", s.dirty) + split +
    SHARED_ROWS + row("Private_Clean", s.clean) + row("Private_Dirty", s.dirty) +
    row("Referenced", s.rss) + row("Anonymous", s.anonymous) + ROWS_BEFORE_LOCKED +
    row("Locked", s.locked);
}

function vmFlags(vma: Vma): string {
  let text = "";
  if ((vma.prot & PROT_READ) !== 0) text += "rd ";
  if ((vma.prot & PROT_WRITE) !== 0) text += "wr ";
  if ((vma.prot & PROT_EXEC) !== 0) text += "ex ";
  if (vma.shared && vma.file?.writable !== false) text += "sh ";
  if ((vma.maxProt & PROT_READ) !== 0) text += "mr ";
  if ((vma.maxProt & PROT_WRITE) !== 0) text += "mw ";
  if ((vma.maxProt & PROT_EXEC) !== 0) text += "me ";
  if (vma.shared) text += "ms ";
  if ((vma.flags & MAP_GROWSDOWN) !== 0 || vma.name === "[stack]") text += "gd ";
  if (vma.locked) text += "lo ";
  if ((vma.marks & MARK_SEQUENTIAL) !== 0) text += "sr ";
  if ((vma.marks & MARK_RANDOM) !== 0) text += "rr ";
  if ((vma.marks & MARK_DONTFORK) !== 0) text += "dc ";
  if ((vma.marks & MARK_LOCKED_ON_FAULT) !== 0) text += "lf ";
  if ((vma.flags & MAP_NORESERVE) !== 0) text += "nr ";
  if ((vma.flags & MAP_HUGETLB) !== 0) text += "ht ";
  if ((vma.marks & MARK_WIPEONFORK) !== 0) text += "wf ";
  if ((vma.marks & MARK_DONTDUMP) !== 0) text += "dd ";
  if ((vma.marks & MARK_HUGEPAGE) !== 0) text += "hg ";
  if ((vma.marks & MARK_NOHUGEPAGE) !== 0) text += "nh ";
  if ((vma.marks & MARK_DROPPABLE) !== 0) text += "dp ";
  if (vma.sealed) text += "sl ";
  return text;
}

export function smapsText(t: Task): TextParts {
  const root = readerRoot(t);
  return partsOf(
    t,
    (vma) =>
      mapLine(vma, root) + "\n" + row("Size", (vma.end - vma.start) / 1024) + PAGE_SIZE_ROWS +
      smapRows(smapOf(vma), "") + `THPeligible:           0\nVmFlags: ${vmFlags(vma)}\n`,
  );
}

export function smapsRollupText(t: Task): string {
  const mm = liveMemory(t);
  if (mm === null || mm.vmas.all.length === 0) return "";
  const sum: Smap = { rss: 0, dirty: 0, clean: 0, anonymous: 0, locked: 0 };
  let file = 0, shmem = 0;
  for (const vma of mm.vmas.all) {
    const s = smapOf(vma);
    sum.rss += s.rss;
    sum.dirty += s.dirty;
    sum.clean += s.clean;
    sum.anonymous += s.anonymous;
    sum.locked += s.locked;
    if (vma.file !== null) file += s.rss;
    else if (vma.shared) shmem += s.rss;
  }
  const all = mm.vmas.all;
  const head = `${hex(all[0].start, 8)}-${hex(all[all.length - 1].end, 8)} ---p 00000000 00:00 0 `;
  const split = row("Pss_Anon", sum.anonymous) + row("Pss_File", file) + row("Pss_Shmem", shmem);
  return head.padEnd(NAME_COLUMN) + "[rollup]\n" + smapRows(sum, split);
}

export function numaMapsText(t: Task): TextParts {
  const root = readerRoot(t);
  return partsOf(t, (vma) => {
    const pages = residentOf(vma) / PAGE_SIZE;
    let what = "";
    if (vma.file !== null) what = " file=" + fileText(vma.file, root) + ` mapped=${pages}`;
    else if (vma.name === "[heap]") what = ` heap anon=${pages}`;
    else if (vma.name === "[stack]") what = ` stack anon=${pages}`;
    else what = ` anon=${pages}`;
    return `${hex(vma.start, 8)} default${pages === 0 && vma.file === null ? "" : what}` +
      (pages === 0 ? "\n" : ` N0=${pages} kernelpagesize_kB=4\n`);
  });
}
